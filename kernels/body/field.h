/* The score model on a tile, whichever kind it is. */
#ifndef FG_BODY_FIELD_H
#define FG_BODY_FIELD_H

#include "body/mixture.h"
#include "body/network.h"

/* Numbers in a row: what depends on time alone. */
FG_HD int fg_field_row_size(const fg_field *f)
{
  if (f->kind == FG_FIELD_NETWORK) return fg_network_row_size(f);
  return fg_mixture_row_size(f);
}

/* Scratch of a tile of p particles, in reals. */
FG_HD size_t fg_field_scratch(const fg_field *f, int p, unsigned want)
{
  if (f->kind == FG_FIELD_NETWORK) return fg_network_scratch(f, p, want);
  (void)want;
  return fg_mixture_scratch(f, p);
}

FG_HD void fg_field_row(const fg_field *f, const fg_coeff *c, unsigned want, fg_real *row)
{
  if (f->kind == FG_FIELD_NETWORK) {
    fg_network_row(f, c, want, row);
    return;
  }
  (void)want;
  fg_mixture_row(f, c, row);
}

FG_HD void fg_field_tile(const fg_field *f, const fg_tile *tile)
{
  if (f->kind == FG_FIELD_NETWORK) {
    fg_network_tile(f, tile);
    return;
  }
  fg_mixture_tile(f, tile);
}

#endif

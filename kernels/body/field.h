/* The score model on a tile, whichever kind it is. */
#ifndef FG_BODY_FIELD_H
#define FG_BODY_FIELD_H

#include "body/guide.h"
#include "body/mixture.h"
#include "body/network.h"

/* Numbers in a row: what depends on time alone. */
FG_HD int fg_field_row_size(const fg_field *f)
{
  if (f->kind == FG_FIELD_NETWORK) return fg_network_row_size(f);
  return fg_mixture_row_size(f->d, &f->as.mixture);
}

/* Scratch of a tile of p particles, in reals. */
FG_HD size_t fg_field_scratch(const fg_field *f, int p, unsigned want)
{
  if (f->kind == FG_FIELD_NETWORK) {
    const size_t network = fg_network_scratch(f, p, want), guide = f->guided ? fg_guide_scratch(f, p) : 0;
    return network > guide ? network : guide; /* one after the other */
  }
  (void)want;
  return fg_mixture_scratch(f->d, &f->as.mixture, p);
}

FG_HD void fg_field_row(const fg_field *f, const fg_coeff *c, unsigned want, fg_real *row)
{
  if (f->kind == FG_FIELD_NETWORK) {
    fg_network_row(f, c, want, row);
    return;
  }
  (void)want;
  fg_mixture_row(f->d, &f->as.mixture, c, row);
}

/* The rows of a tile, row_size apart; coeff holds `known` of them, the last one serves those beyond. */
TILE_FN void fg_field_rows(const fg_field *f, const fg_coeff *coeff, int known, unsigned want, int rows,
                           int row_size, fg_real *row)
{
  TILE_EACH(i, rows)
  fg_field_row(f, &coeff[i < known ? i : known - 1], want, row + (size_t)i * (size_t)row_size);
  TILE_SYNC();
}

TILE_FN void fg_field_tile(const fg_field *f, const fg_tile *tile)
{
  if (f->kind == FG_FIELD_NETWORK) {
    fg_network_tile(f, tile);
    if (f->guided) fg_guide_tile(f, tile);
    return;
  }
  fg_mixture_tile(f->d, &f->as.mixture, tile);
}

#endif

/* The score model on a tile, whichever kind it is. */
#ifndef FG_BODY_FIELD_H
#define FG_BODY_FIELD_H

#include "body/guide.h"
#include "body/mixture.h"
#include "body/network.h"

FG_HD int fg_field_is_network(const fg_field *f)
{
  return TILE_NETWORKS || f->kind == FG_FIELD_NETWORK;
}

/* The noising control of a paired field as a field of its own: s = clip(net) / g. Its row follows the other's. */
FG_HD void fg_field_noising(const fg_field *f, fg_field *noising)
{
  noising->kind = FG_FIELD_NETWORK;
  noising->d = f->d;
  noising->as.network = f->noising;
  noising->guided = 1; /* for the clip */
  noising->guide.density.kind = FG_DENSITY_NONE;
  noising->guide.density.d = f->d;
  noising->guide.interpolated = 0;
  noising->guide.prior_variance = 1;
  noising->guide.clip = f->noising_clip;
  noising->guide.reference = FG_REFERENCE_NONE;
  noising->paired = 0;
}

FG_HD size_t fg_field_noising_row(const fg_field *f)
{
  return fg_whole_lanes((size_t)fg_network_row_size(f));
}

/* Numbers in a row: what depends on time alone. */
FG_HD int fg_field_row_size(const fg_field *f)
{
  fg_field noising;
  if (!fg_field_is_network(f)) return fg_mixture_row_size(f->d, &f->as.mixture);
  if (!f->paired) return fg_network_row_size(f);
  fg_field_noising(f, &noising);
  return (int)fg_field_noising_row(f) + fg_network_row_size(&noising);
}

/* Outputs of the noising control, then the scratch of its network. */
FG_HD size_t fg_field_noising_scratch(const fg_field *f, int p, unsigned want)
{
  fg_field noising;
  if (!f->paired) return 0;
  fg_field_noising(f, &noising);
  return 2 * fg_whole_lanes((size_t)f->d * (size_t)p) + fg_whole_lanes((size_t)p) +
         fg_network_scratch(&noising, p, want);
}

/* Scratch of a tile of p particles, in reals. */
FG_HD size_t fg_field_scratch(const fg_field *f, int p, unsigned want)
{
  if (fg_field_is_network(f)) { /* one after the other */
    const size_t network = fg_network_scratch(f, p, want), guide = f->guided ? fg_guide_scratch(f, p) : 0;
    const size_t most = network > guide ? network : guide, noising = fg_field_noising_scratch(f, p, want);
    return most > noising ? most : noising;
  }
  (void)want;
  return fg_mixture_scratch(f->d, &f->as.mixture, p);
}

FG_HD void fg_field_row(const fg_field *f, const fg_coeff *c, unsigned want, fg_real *row)
{
  if (fg_field_is_network(f)) {
    fg_field noising;
    fg_network_row(f, c, want, row);
    if (!f->paired) return;
    fg_field_noising(f, &noising);
    fg_network_row(&noising, c, want, row + fg_field_noising_row(f));
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

/* y -= c x */
TILE_FN void fg_field_less(int n, fg_real c, const fg_real *__restrict__ x, fg_real *__restrict__ y)
{
  TILE_EACH(i, n) y[i] -= c * x[i];
  TILE_SYNC();
}

TILE_FN void fg_field_pair(const fg_field *f, const fg_tile *tile)
{
  const int p = tile->p, vector = f->d * p;
  const fg_real share = (fg_real)f->share;
  fg_real *scratch = tile->scratch;
  fg_field noising;
  fg_tile part = *tile;
  fg_field_noising(f, &noising);
  part.want = tile->want & (FG_SCORE | FG_DIVERGENCE | FG_JVP);
  part.row = tile->row + fg_field_noising_row(f);
  part.score = fg_cut(&scratch, (size_t)vector);
  part.jvp = fg_cut(&scratch, (size_t)vector);
  part.divergence = fg_cut(&scratch, (size_t)p);
  part.scratch = scratch;
  fg_network_tile(&noising, &part);
  TILE_SYNC();
  if (part.want & FG_SCORE) fg_field_less(vector, share, part.score, tile->score);
  if (part.want & FG_JVP) fg_field_less(vector, share, part.jvp, tile->jvp);
  if (part.want & FG_DIVERGENCE) fg_field_less(p, share, part.divergence, tile->divergence);
}

TILE_FN void fg_field_tile(const fg_field *f, const fg_tile *tile)
{
  if (fg_field_is_network(f)) {
    fg_network_tile(f, tile);
    if (f->guided) {
      TILE_RECUT();
      fg_guide_tile(f, tile);
    }
    if (f->paired) {
      TILE_RECUT();
      fg_field_pair(f, tile);
    }
    if (f->guided || f->paired) TILE_RECUT();
    return;
  }
  fg_mixture_tile(f->d, &f->as.mixture, tile);
}

#endif

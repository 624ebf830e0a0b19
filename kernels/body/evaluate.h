/* Model quantities at the points of one tile. */
#ifndef FG_BODY_EVALUATE_H
#define FG_BODY_EVALUATE_H

#include "body/field.h"
#include "body/load.h"
#include "formula/residual.h"

/* What the field must give for the buffers of a request. */
FG_HD unsigned fg_evaluate_want(const fg_evaluate_request *r)
{
  unsigned want = 0;
  if (r->phi.device) want |= FG_PHI;
  if (r->phi_t.device) want |= FG_PHI_T;
  if (r->score.device) want |= FG_SCORE;
  if (r->divergence.device) want |= FG_DIVERGENCE;
  if (r->jvp.device) want |= FG_JVP;
  if (r->residual.device) want |= FG_PHI_T | FG_SCORE | FG_DIVERGENCE;
  return want;
}

FG_HD size_t fg_evaluate_scratch(const fg_field *f, const fg_evaluate_request *r, int p)
{
  size_t row = fg_whole_lanes((size_t)fg_field_row_size(f)), n = (size_t)p;
  return fg_whole_lanes(fg_field_scratch(f, p, fg_evaluate_want(r))) + (r->shared_time ? row : row * n) +
         4 * fg_whole_lanes((size_t)f->d * n) + 5 * fg_whole_lanes(n);
}

TILE_FN void fg_evaluate_residual(const fg_field *f, const fg_evaluate_request *r, const fg_tile *tile,
                                  size_t first, int count, fg_real *xs, fg_real *ss)
{
  double *out = (double *)r->residual.device + first;
  int p = tile->p;
  TILE_EACH(i, p) xs[i] = ss[i] = 0;
  for (int j = 0; j < f->d; j++) TILE_EACH(i, p)
    {
      xs[i] += tile->x[j * p + i] * tile->score[j * p + i];
      ss[i] += tile->score[j * p + i] * tile->score[j * p + i];
    }
  TILE_EACH(i, count)
  {
    const fg_coeff *c = &r->coeff[r->shared_time ? 0 : first + (size_t)i];
    out[i] = (double)fg_residual(tile->phi_t[i], (fg_real)c->a, (fg_real)c->g2, (fg_real)f->d,
                                 tile->divergence[i], xs[i], ss[i]);
  }
}

/* Points first .. first + count - 1; p = fg_tile_size(count). Buffers of the request are plain pointers here. */
TILE_FN void fg_evaluate_tile(const fg_field *f, const fg_evaluate_request *r, size_t first, int count, int p,
                              fg_real *scratch)
{
  int d = f->d, row_size = (int)fg_whole_lanes((size_t)fg_field_row_size(f)), rows = r->shared_time ? 1 : p;
  size_t vector = (size_t)d * (size_t)p, at = first * (size_t)d;
  fg_tile tile;
  fg_real *x = fg_cut(&scratch, vector), *v = fg_cut(&scratch, vector);
  fg_real *row = fg_cut(&scratch, (size_t)rows * (size_t)row_size);
  fg_real *xs = fg_cut(&scratch, (size_t)p), *ss = fg_cut(&scratch, (size_t)p);
  tile.p = p;
  tile.want = fg_evaluate_want(r);
  tile.x = x;
  tile.v = r->jvp.device ? v : 0;
  tile.row = row;
  tile.row_stride = r->shared_time ? 0 : row_size;
  tile.score = fg_cut(&scratch, vector);
  tile.jvp = fg_cut(&scratch, vector);
  tile.phi = fg_cut(&scratch, (size_t)p);
  tile.phi_t = fg_cut(&scratch, (size_t)p);
  tile.divergence = fg_cut(&scratch, (size_t)p);
  tile.scratch = scratch;
  fg_tile_load((const double *)r->x.device + at, count, d, p, x);
  if (tile.v) fg_tile_load((const double *)r->direction.device + at, count, d, p, v);
  fg_field_rows(f, r->coeff + (r->shared_time ? 0 : first), r->shared_time ? 1 : count, tile.want, rows,
                row_size, row);
  fg_field_tile(f, &tile);
  if (r->phi.device) fg_tile_store(tile.phi, count, 1, p, (double *)r->phi.device + first);
  if (r->phi_t.device) fg_tile_store(tile.phi_t, count, 1, p, (double *)r->phi_t.device + first);
  if (r->score.device) fg_tile_store(tile.score, count, d, p, (double *)r->score.device + at);
  if (r->divergence.device)
    fg_tile_store(tile.divergence, count, 1, p, (double *)r->divergence.device + first);
  if (r->jvp.device) fg_tile_store(tile.jvp, count, d, p, (double *)r->jvp.device + at);
  if (r->residual.device) fg_evaluate_residual(f, r, &tile, first, count, xs, ss);
}

#endif

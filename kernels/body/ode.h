/* Right-hand side of the probability-flow ODE, and its Jacobian times a vector, on one tile. */
#ifndef FG_BODY_ODE_H
#define FG_BODY_ODE_H

#include "body/field.h"
#include "body/load.h"
#include "formula/drift.h"

enum { FG_ODE_TILE = 64 };

FG_HD unsigned fg_ode_want(const fg_ode_request *r, int jvp)
{
  if (jvp) return FG_JVP;
  return r->with_log_p ? FG_SCORE | FG_DIVERGENCE : FG_SCORE;
}

/* Of tiles of p particles. */
FG_HD size_t fg_ode_scratch_of(const fg_field *f, const fg_ode_request *r, int jvp, int p)
{
  return fg_whole_lanes(fg_field_scratch(f, p, fg_ode_want(r, jvp))) +
         fg_whole_lanes((size_t)fg_field_row_size(f)) + 3 * fg_whole_lanes((size_t)f->d * (size_t)p) +
         fg_whole_lanes((size_t)p);
}

/* tile: particles at a time */
FG_HD size_t fg_ode_scratch(const fg_field *f, const fg_ode_request *r, int jvp, size_t tile)
{
  return fg_ode_scratch_of(f, r, jvp, fg_tile_size(r->n < tile ? r->n : tile));
}

TILE_FN void fg_ode_piece(const fg_field *f, const fg_ode_request *r, int jvp, size_t first, int count, int p,
                          const fg_real *row, fg_real *scratch)
{
  int d = f->d;
  int vector = d * p;
  size_t at = first * (size_t)d;
  fg_real a = (fg_real)r->coeff.a, g2 = (fg_real)r->coeff.g2;
  fg_real *x = fg_cut(&scratch, (size_t)vector), *v = fg_cut(&scratch, (size_t)vector);
  fg_real *s = fg_cut(&scratch, (size_t)vector);
  fg_tile tile;
  tile.p = p;
  tile.want = fg_ode_want(r, jvp);
  tile.x = x;
  tile.v = jvp ? v : 0;
  tile.row = row;
  tile.row_stride = 0;
  tile.phi = 0;
  tile.phi_t = 0;
  tile.score = jvp ? 0 : s;
  tile.jvp = jvp ? s : 0;
  tile.divergence = fg_cut(&scratch, (size_t)p);
  tile.scratch = scratch;
  fg_tile_load((const double *)r->y.device + at, count, d, p, x);
  if (jvp) fg_tile_load((const double *)r->v.device + at, count, d, p, v);
  fg_field_tile(f, &tile);
  const fg_real *linear = jvp ? v : x;
  TILE_EACH(i, vector) s[i] = fg_ode_drift(a, g2, linear[i], s[i]);
  TILE_SYNC();
  fg_tile_store(s, count, d, p, (double *)(jvp ? r->jv.device : r->dy.device) + at);
  if (r->with_log_p) {
    double *log_p = (double *)(jvp ? r->jv.device : r->dy.device) + r->n * (size_t)d + first;
    TILE_EACH(i, count) log_p[i] = jvp ? 0 : (double)fg_ode_log_drift(a, g2, (fg_real)d, tile.divergence[i]);
  }
  TILE_SYNC();
}

/* Particles `from` .. n - 1 of a request, `tile` at a time, `step` from one tile to the next (an engine
 * that shares them out starts each share elsewhere); buffers are plain pointers here. */
TILE_FN void fg_ode_run(const fg_field *f, const fg_ode_request *r, int jvp, size_t tile, size_t from,
                        size_t step, fg_real *scratch)
{
  fg_real *row = fg_cut(&scratch, (size_t)fg_field_row_size(f));
  fg_field_rows(f, &r->coeff, 1, fg_ode_want(r, jvp), 1, 0, row);
  for (size_t first = from; first < r->n; first += step) {
    const size_t left = r->n - first;
    const int count = (int)(left < tile ? left : tile);
    fg_ode_piece(f, r, jvp, first, count, fg_tile_size((size_t)count), row, scratch);
  }
}

#endif

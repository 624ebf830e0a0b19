/* What a control in the potential form has beside its network, under the operator of body/jet_generator.h:
 *     B = tau P + log N(x; 0, 1/k),   P = w log rho - q |x|^2 / 2   (the row's numbers tau, w, q, k; body/guide.h)
 *     G B = tau_t P + tau GP + ...,   GP = P_t + f.grad P - sum_k b_k.(Hess P) b_k
 * Only tau and tau_t depend on weights: what multiplies them is kept. */
#ifndef FG_BODY_JET_GUIDE_H
#define FG_BODY_JET_GUIDE_H

#include "body/density.h"
#include "body/jet_generator.h"

typedef struct fg_jet_guide {
  const fg_real *row; /* the guide's numbers */
  fg_real *value;     /* [p]: P */
  fg_real *rate;      /* [p]: G P */
  fg_real *slope;     /* [d][p]: grad P */
  fg_real *base;      /* [d][p]: grad B */
  fg_real *total;     /* [p]: G B */
  fg_real *squares;   /* [p]: sum_k |b_k|^2 */
  fg_real *product, *unit, *density_row, *work;
} fg_jet_guide;

FG_HD size_t fg_jet_guide_scratch(const fg_field *f, int p)
{
  const fg_density *rho = &f->guide.density;
  return 4 * fg_whole_lanes((size_t)f->d * (size_t)p) + 4 * fg_whole_lanes((size_t)p) +
         fg_whole_lanes((size_t)fg_density_row_size(rho)) + fg_whole_lanes(fg_density_scratch(rho, p));
}

FG_HD void fg_jet_guide_carve(fg_jet_guide *u, const fg_field *f, int p, fg_real **next)
{
  const fg_density *rho = &f->guide.density;
  const size_t vector = (size_t)f->d * (size_t)p;
  u->value = fg_cut(next, (size_t)p);
  u->rate = fg_cut(next, (size_t)p);
  u->total = fg_cut(next, (size_t)p);
  u->squares = fg_cut(next, (size_t)p);
  u->slope = fg_cut(next, vector);
  u->base = fg_cut(next, vector);
  u->product = fg_cut(next, vector);
  u->unit = fg_cut(next, vector);
  u->density_row = fg_cut(next, (size_t)fg_density_row_size(rho));
  u->work = fg_cut(next, fg_density_scratch(rho, p));
}

/* rate -= weight b_k.(Hess log rho) b_k over all k, with weight that of log rho in P. */
TILE_FN void fg_jet_guide_bends(fg_jet_guide *u, const fg_jet *j, const fg_generator *g)
{
  const int p = j->p, d = j->d;
  const fg_real weight = u->row[FG_ROW_TARGET];
  fg_real *__restrict__ rate = u->rate, *__restrict__ unit = u->unit;
  for (int k = 0; k < g->count; k++) {
    for (int m = 0; m < d; m++) TILE_EACH(i, p)
    unit[m * p + i] = g->gamma ? (m == k ? g->gamma[i] : 0) : g->probe[(size_t)(k * d + m) * p + i];
    TILE_SYNC();
    fg_density_tile(&j->field->guide.density, u->density_row, p, FG_JVP, j->x, unit, 0, 0, u->product,
                    u->work);
    for (int m = 0; m < d; m++) TILE_EACH(i, p)
    rate[i] -= weight * unit[m * p + i] * u->product[m * p + i];
    TILE_SYNC();
  }
}

/* All of it at x; a [p] of f = -a x. */
TILE_FN void fg_jet_guide_look(fg_jet_guide *u, const fg_jet *j, const fg_generator *g, const fg_real *a)
{
  const int p = j->p, d = j->d;
  const fg_real *row = u->row;
  const fg_real w = row[FG_ROW_TARGET], w_t = row[FG_ROW_TARGET_T], q = row[FG_ROW_PRIOR],
                q_t = row[FG_ROW_PRIOR_T], k = row[FG_ROW_REFERENCE], k_t = row[FG_ROW_REFERENCE_T];
  const fg_real tau = row[FG_ROW_TAU], tau_t = row[FG_ROW_TAU_T],
                ratio = k > 0 ? (fg_real)d / 2 * (k_t / k) : 0;
  TILE_EACH(i, p) u->squares[i] = 0;
  for (int n = 0; n < g->count; n++)
    for (int m = 0; m < (g->gamma ? 1 : d); m++) TILE_EACH(i, p)
      {
        const fg_real b = g->gamma ? g->gamma[i] : g->probe[(size_t)(n * d + m) * p + i];
        u->squares[i] += b * b;
      }
  TILE_EACH(once, 1) fg_density_row(&j->field->guide.density, u->density_row);
  TILE_SYNC();
  fg_density_tile(&j->field->guide.density, u->density_row, p, FG_PHI | FG_SCORE, j->x, 0, u->value, u->slope,
                  0, u->work);
  TILE_EACH(i, p)
  {
    const fg_real rho = u->value[i];
    fg_real size = 0, along = 0;
    for (int m = 0; m < d; m++) {
      const int at = m * p + i;
      const fg_real x = j->x[at], s = w * u->slope[at] - q * x;
      size += x * x;
      along += x * s;
      u->slope[at] = s;
      u->base[at] = tau * s - k * x;
    }
    u->value[i] = w * rho - q * size / 2;
    u->rate[i] = w_t * rho - q_t * size / 2 - a[i] * along + q * u->squares[i];
    u->total[i] = ratio - k_t * size / 2 + a[i] * k * size + k * u->squares[i];
  }
  TILE_SYNC();
  fg_jet_guide_bends(u, j, g);
  TILE_EACH(i, p) u->total[i] += tau_t * u->value[i] + tau * u->rate[i];
  TILE_SYNC();
}

#endif

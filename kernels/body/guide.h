/* What a control has beside its network, added on a tile after it (formulas in engine.h and formula/guide.h).
 * With w, q, tau, k the row's weights of rho and of the prior, time factor and reference:
 *   vector form     s += tau clip(S) - k x,                S = w grad log rho - q x
 *   potential form  phi += tau (w log rho - q |x|^2 / 2) + log N(x; 0, 1/k), and its derivatives
 * (the last is normalised: k depends on t, and what it lacks would be in the residual).
 * Traces of the Hessian of log rho come from its products with the unit vectors. */
#ifndef FG_BODY_GUIDE_H
#define FG_BODY_GUIDE_H

#include "body/density.h"
#include "body/load.h"
#include "body/network_row.h"
#include "body/network_space.h"

typedef struct fg_guide_run {
  const fg_field *field;
  const fg_tile *tile;
  fg_real clip;                    /* of S; infinite in the potential form */
  fg_real *row, *work;             /* of the density */
  fg_real *log_rho;                /* [p] */
  fg_real *score, *product, *unit; /* [d][p]: of log rho; Hessian times v or a unit vector; that vector */
} fg_guide_run;

/* The network's scratch is free by then: the tile needs the larger of the two. */
FG_HD size_t fg_guide_scratch(const fg_field *f, int p)
{
  const size_t vector = fg_whole_lanes((size_t)f->d * (size_t)p);
  return fg_whole_lanes(fg_density_row_size(&f->guide.density)) + fg_whole_lanes((size_t)p) + 3 * vector +
         fg_whole_lanes(fg_density_scratch(&f->guide.density, p));
}

TILE_FN void fg_guide_start(const fg_field *f, const fg_tile *tile, fg_guide_run *run)
{
  const size_t vector = (size_t)f->d * (size_t)tile->p;
  fg_real *next = tile->scratch;
  run->field = f;
  run->tile = tile;
  run->clip = fg_network_clip(f);
  run->row = fg_cut(&next, fg_density_row_size(&f->guide.density));
  run->log_rho = fg_cut(&next, (size_t)tile->p);
  run->score = fg_cut(&next, vector);
  run->product = fg_cut(&next, vector);
  run->unit = fg_cut(&next, vector);
  run->work = fg_cut(&next, fg_density_scratch(&f->guide.density, tile->p));
  TILE_EACH(i, 1) fg_density_row(&f->guide.density, run->row);
  TILE_SYNC();
}

FG_HD const fg_real *fg_guide_numbers(const fg_guide_run *run, int i)
{
  return fg_guide_row(run->field, run->tile->row + (size_t)i * (size_t)run->tile->row_stride);
}

/* S_j of particle i. */
FG_HD fg_real fg_guide_component(const fg_guide_run *run, const fg_real *g, int i, int j)
{
  const size_t at = (size_t)j * (size_t)run->tile->p + (size_t)i;
  return g[FG_ROW_TARGET] * run->score[at] - g[FG_ROW_PRIOR] * run->tile->x[at];
}

/* Row j of the Jacobian of tau clip(S) - k x times v: product_j the Hessian's, v_j the vector's. */
FG_HD fg_real fg_guide_jacobian(const fg_guide_run *run, const fg_real *g, int i, int j, fg_real v)
{
  const size_t at = (size_t)j * (size_t)run->tile->p + (size_t)i;
  const fg_real slope = fg_clip_slope(fg_guide_component(run, g, i, j), run->clip);
  return g[FG_ROW_TAU] * slope * (g[FG_ROW_TARGET] * run->product[at] - g[FG_ROW_PRIOR] * v) -
         g[FG_ROW_REFERENCE] * v;
}

TILE_FN void fg_guide_product(const fg_guide_run *run, const fg_real *v)
{
  fg_density_tile(&run->field->guide.density, run->row, run->tile->p, FG_JVP, run->tile->x, v, NULL, NULL,
                  run->product, run->work);
}

TILE_FN void fg_guide_jvp(const fg_guide_run *run)
{
  const fg_tile *tile = run->tile;
  const int p = tile->p;
  fg_guide_product(run, tile->v);
  for (int j = 0; j < run->field->d; j++) TILE_EACH(i, p)
    {
      const size_t at = (size_t)j * (size_t)p + (size_t)i;
      tile->jvp[at] += fg_guide_jacobian(run, fg_guide_numbers(run, i), i, j, tile->v[at]);
    }
  TILE_SYNC(); /* the next product overwrites this one */
}

TILE_FN void fg_guide_trace(const fg_guide_run *run)
{
  const fg_tile *tile = run->tile;
  const int p = tile->p, d = run->field->d;
  for (int j = 0; j < d; j++) TILE_EACH(i, p) run->unit[(size_t)j * (size_t)p + (size_t)i] = 0;
  for (int j = 0; j < d; j++) {
    fg_real *unit = run->unit + (size_t)j * (size_t)p;
    TILE_EACH(i, p) unit[i] = 1;
    TILE_SYNC();
    fg_guide_product(run, run->unit);
    TILE_EACH(i, p)
    {
      tile->divergence[i] += fg_guide_jacobian(run, fg_guide_numbers(run, i), i, j, 1);
      unit[i] = 0;
    }
    TILE_SYNC();
  }
}

/* log N(0; 0, 1/k) */
FG_HD fg_real fg_guide_peak(int d, fg_real k)
{
  return (fg_real)(0.5 * d * (log((double)k) - FG_LOG_2PI));
}

TILE_FN void fg_guide_potential(const fg_guide_run *run)
{
  const fg_tile *tile = run->tile;
  const int p = tile->p;
  TILE_EACH(i, p)
  {
    const fg_real *g = fg_guide_numbers(run, i);
    fg_real half = 0, rho = run->log_rho[i];
    for (int j = 0; j < run->field->d; j++) {
      const fg_real x = tile->x[(size_t)j * (size_t)p + (size_t)i];
      half += x * x / 2;
    }
    const fg_real sum = g[FG_ROW_TARGET] * rho - g[FG_ROW_PRIOR] * half;
    const fg_real sum_t = g[FG_ROW_TARGET_T] * rho - g[FG_ROW_PRIOR_T] * half;
    const fg_real k = g[FG_ROW_REFERENCE], k_t = g[FG_ROW_REFERENCE_T];
    if (tile->want & FG_PHI)
      tile->phi[i] += g[FG_ROW_TAU] * sum + (k > 0 ? fg_guide_peak(run->field->d, k) - k * half : 0);
    if (tile->want & FG_PHI_T)
      tile->phi_t[i] += g[FG_ROW_TAU_T] * sum + g[FG_ROW_TAU] * sum_t +
                        (k > 0 ? (fg_real)run->field->d / 2 * (k_t / k) - k_t * half : 0);
  }
  TILE_SYNC();
}

TILE_FN void fg_guide_tile(const fg_field *f, const fg_tile *tile)
{
  const fg_density *density = &f->guide.density;
  const int p = tile->p, scalar = (tile->want & (FG_PHI | FG_PHI_T)) != 0;
  fg_guide_run run;
  fg_guide_start(f, tile, &run);
  fg_density_tile(density, run.row, p, FG_SCORE | (scalar ? FG_PHI : 0), tile->x, NULL, run.log_rho,
                  run.score, NULL, run.work);
  if (scalar) fg_guide_potential(&run);
  if (tile->want & FG_SCORE) {
    for (int j = 0; j < f->d; j++) TILE_EACH(i, p)
      {
        const fg_real *g = fg_guide_numbers(&run, i);
        const size_t at = (size_t)j * (size_t)p + (size_t)i;
        tile->score[at] += g[FG_ROW_TAU] * fg_clip(fg_guide_component(&run, g, i, j), run.clip) -
                           g[FG_ROW_REFERENCE] * tile->x[at];
      }
  }
  if (tile->want & FG_JVP) fg_guide_jvp(&run);
  if (tile->want & FG_DIVERGENCE) fg_guide_trace(&run);
  TILE_SYNC();
}

#endif

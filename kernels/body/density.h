/* An unnormalised density on a tile: log rho, its score, its Hessian times v.
 *
 * `want` is made of FG_PHI (log rho, into phi [p]), FG_SCORE (into score [d][p]) and FG_JVP (the Hessian of
 * log rho times v [d][p], into jvp [d][p]); what is not wanted may be NULL. p is a multiple of FG_LANES.
 * Buffers of the density are plain pointers here. Where log rho has no finite value, what comes out is not
 * finite either. */
#ifndef FG_BODY_DENSITY_H
#define FG_BODY_DENSITY_H

#include "body/mixture.h"
#include "formula/density.h"

enum {
  FG_LOGISTIC_ROWS = 4,  /* rows of data that share one pass over the particles */
  FG_LOGISTIC_GROUPS = 4 /* times FG_LANES particles stay in a first-level cache meanwhile */
};

/* Numbers in a row: what does not depend on the point. */
FG_HD size_t fg_density_row_size(const fg_density *density)
{
  if (density->kind != FG_DENSITY_MIXTURE) return 0;
  return (size_t)fg_mixture_row_size(density->d, &density->as.mixture);
}

FG_HD void fg_density_row(const fg_density *density, fg_real *row)
{
  fg_coeff start;
  if (density->kind != FG_DENSITY_MIXTURE) return;
  start.t = start.a = start.g2 = start.dm = start.v = start.dv = 0;
  start.m = 1;
  fg_mixture_row(density->d, &density->as.mixture, &start, row);
}

/* Scratch of a tile of p particles, in reals. */
FG_HD size_t fg_density_scratch(const fg_density *density, int p)
{
  size_t n = (size_t)p;
  switch (density->kind) {
  case FG_DENSITY_MIXTURE:
    return fg_mixture_scratch(density->d, &density->as.mixture, p);
  case FG_DENSITY_FUNNEL:
    return 3 * n;
  case FG_DENSITY_RINGS:
    return 6 * n;
  case FG_DENSITY_LOGISTIC:
    return (size_t)(2 * FG_LOGISTIC_ROWS + 1) * FG_LOGISTIC_GROUPS * FG_LANES;
  case FG_DENSITY_PLUGIN:
    return 4 * (size_t)density->d * (sizeof(double) / sizeof(fg_real));
  case FG_DENSITY_NONE:
  case FG_DENSITY_WELLS:
    break;
  }
  return 0;
}

/* n is a multiple of FG_LANES, and the compiler can see it: no remainder loops run */
#define FG_EACH TILE_EACH(i, n)

TILE_FN void fg_density_none(const fg_density *density, const fg_tile *tile)
{
  const int n = tile->p, d = density->d;
  if (tile->want & FG_PHI) FG_EACH tile->phi[i] = 0;
  for (int j = 0; j < d; j++) {
    if (tile->want & FG_SCORE) FG_EACH tile->score[j * n + i] = 0;
    if (tile->want & FG_JVP) FG_EACH tile->jvp[j * n + i] = 0;
  }
}

TILE_FN void fg_density_funnel(const fg_density *density, const fg_tile *tile)
{
  const int n = tile->p / FG_LANES * FG_LANES, d = density->d;
  const fg_real nu = (fg_real)density->as.funnel.nu, others = (fg_real)(d - 1);
  const fg_real norm = (fg_real)fg_funnel_norm(d, density->as.funnel.nu);
  const fg_real *__restrict__ x = tile->x;
  const fg_real *__restrict__ v = tile->want & FG_JVP ? tile->v : tile->x;
  fg_real *__restrict__ phi = tile->phi;
  fg_real *__restrict__ score = tile->score;
  fg_real *__restrict__ jvp = tile->jvp;
  fg_real *__restrict__ narrow = tile->scratch;
  fg_real *__restrict__ scaled = narrow + n;
  fg_real *__restrict__ along = scaled + n;
  FG_EACH narrow[i] = fg_funnel_narrow(x[i]);
  FG_EACH scaled[i] = along[i] = 0;
  for (int j = 1; j < d; j++) FG_EACH
    {
      scaled[i] += x[j * n + i] * x[j * n + i];
      along[i] += x[j * n + i] * v[j * n + i];
    }
  FG_EACH scaled[i] = fg_funnel_scaled(narrow[i], scaled[i]);
  if (tile->want & FG_PHI) FG_EACH phi[i] = fg_funnel_value(norm, others, nu, x[i], scaled[i]);
  if (tile->want & FG_SCORE) {
    FG_EACH score[i] = fg_funnel_slope(others, nu, x[i], scaled[i]);
    for (int j = 1; j < d; j++) FG_EACH score[j * n + i] = -x[j * n + i] * narrow[i];
  }
  if (tile->want & FG_JVP) {
    FG_EACH jvp[i] = fg_funnel_bend(nu, narrow[i], scaled[i], v[i], along[i]);
    for (int j = 1; j < d; j++) FG_EACH jvp[j * n + i] = narrow[i] * (x[j * n + i] * v[i] - v[j * n + i]);
  }
}

TILE_FN void fg_density_wells(const fg_density *density, const fg_tile *tile)
{
  const int n = tile->p / FG_LANES * FG_LANES, wells = density->as.wells.wells;
  const fg_real separation = (fg_real)density->as.wells.separation, shift = (fg_real)density->as.wells.shift;
  const fg_real *__restrict__ x = tile->x;
  const fg_real *__restrict__ v = tile->v;
  fg_real *__restrict__ phi = tile->phi;
  fg_real *__restrict__ score = tile->score;
  fg_real *__restrict__ jvp = tile->jvp;
  if (tile->want & FG_PHI) FG_EACH phi[i] = 0;
  for (int j = 0; j < density->d; j++) {
    if (j < wells) {
      if (tile->want & FG_PHI) FG_EACH phi[i] += fg_well_log_density(separation, x[j * n + i] - shift);
      if (tile->want & FG_SCORE) FG_EACH score[j * n + i] = fg_well_slope(separation, x[j * n + i] - shift);
      if (tile->want & FG_JVP)
        FG_EACH jvp[j * n + i] = fg_well_bend(separation, x[j * n + i] - shift) * v[j * n + i];
      continue;
    }
    if (tile->want & FG_PHI) FG_EACH phi[i] -= x[j * n + i] * x[j * n + i] / 2;
    if (tile->want & FG_SCORE) FG_EACH score[j * n + i] = -x[j * n + i];
    if (tile->want & FG_JVP) FG_EACH jvp[j * n + i] = -v[j * n + i];
  }
}

TILE_FN void fg_density_rings(const fg_density *density, const fg_tile *tile)
{
  const int n = tile->p / FG_LANES * FG_LANES;
  const double *log_weight = (const double *)density->as.rings.log_weight.device;
  const double *radius = (const double *)density->as.rings.radius.device;
  const fg_real sd = (fg_real)density->as.rings.sd;
  const fg_real *__restrict__ x = tile->x;
  const fg_real *__restrict__ v = tile->v;
  fg_real *__restrict__ rho = tile->scratch;
  fg_real *__restrict__ top = rho + n;
  fg_real *__restrict__ sum = top + n;
  fg_real *__restrict__ mean = sum + n;
  fg_real *__restrict__ bend = mean + n;
  fg_real *__restrict__ along = bend + n;
  FG_EACH rho[i] = fg_rings_radius(x[i], x[n + i]);
  FG_EACH top[i] = -(fg_real)INFINITY;
  FG_EACH sum[i] = mean[i] = bend[i] = 0;
  for (int k = 0; k < density->as.rings.rings; k++)
    FG_EACH fg_rings_add((fg_real)log_weight[k], (fg_real)radius[k], sd, rho[i], &top[i], &sum[i], &mean[i],
                         &bend[i]);
  if (tile->want & FG_PHI) FG_EACH tile->phi[i] = fg_rings_value(top[i], sum[i], rho[i]);
  if (tile->want & FG_SCORE)
    for (int j = 0; j < 2; j++)
      FG_EACH tile->score[j * n + i] = fg_rings_gradient(mean[i], rho[i], x[j * n + i]);
  if (!(tile->want & FG_JVP)) return;
  FG_EACH along[i] = (x[i] / rho[i]) * v[i] + (x[n + i] / rho[i]) * v[n + i];
  for (int j = 0; j < 2; j++)
    FG_EACH tile->jvp[j * n + i] =
        fg_rings_hessian(mean[i], bend[i] / sum[i], rho[i], along[i], x[j * n + i], v[j * n + i]);
}

/* `rows` (at most FG_LOGISTIC_ROWS) rows of data for n particles: their margins and those of v, then the
 * derivatives of log sigmoid there, which all coordinates share. */
TILE_FN void fg_logistic_rows(const fg_tile *tile, int rows, int d, const double *__restrict__ a, int at,
                              int groups)
{
  const int n = groups * FG_LANES, p = tile->p;
  const int curved = (tile->want & FG_JVP) != 0;
  const fg_real *__restrict__ x = tile->x + at;
  const fg_real *__restrict__ v = curved ? tile->v + at : tile->x + at;
  fg_real *__restrict__ slope = tile->scratch;
  fg_real *__restrict__ bend = slope + FG_LOGISTIC_ROWS * n;
  fg_real *__restrict__ phi = tile->want & FG_PHI ? tile->phi + at : bend + FG_LOGISTIC_ROWS * n;
  if (!(tile->want & FG_PHI)) FG_EACH phi[i] = 0;
  for (int r = 0; r < rows; r++) FG_EACH slope[r * n + i] = bend[r * n + i] = 0;
  for (int j = 0; j < d; j++)
    for (int r = 0; r < rows; r++) {
      const fg_real c = (fg_real)a[r * d + j];
      FG_EACH slope[r * n + i] += c * x[j * p + i];
      if (curved) FG_EACH bend[r * n + i] += c * v[j * p + i];
    }
  for (int r = 0; r < rows; r++) FG_EACH
    {
      fg_real first, second;
      phi[i] += fg_log_sigmoid(slope[r * n + i], &first, &second);
      slope[r * n + i] = first;
      bend[r * n + i] *= second;
    }
  for (int j = 0; j < d; j++)
    for (int r = 0; r < rows; r++) {
      const fg_real c = (fg_real)a[r * d + j];
      if (tile->want & FG_SCORE) FG_EACH tile->score[j * p + at + i] += c * slope[r * n + i];
      if (curved) FG_EACH tile->jvp[j * p + at + i] += c * bend[r * n + i];
    }
}

TILE_FN void fg_density_logistic(const fg_density *density, const fg_tile *tile)
{
  const int n = tile->p / FG_LANES * FG_LANES, d = density->d, all = n / FG_LANES,
            rows = density->as.logistic.rows;
  const double *features = (const double *)density->as.logistic.features.device;
  const fg_real precision = (fg_real)density->as.logistic.precision;
  const fg_real norm = (fg_real)fg_logistic_norm(d, density->as.logistic.precision);
  if (tile->want & FG_PHI) FG_EACH tile->phi[i] = norm;
  for (int j = 0; j < d; j++) {
    const fg_real *__restrict__ x = tile->x + j * n;
    if (tile->want & FG_PHI) FG_EACH tile->phi[i] -= precision * x[i] * x[i] / 2;
    if (tile->want & FG_SCORE) FG_EACH tile->score[j * n + i] = -precision * x[i];
    if (tile->want & FG_JVP) FG_EACH tile->jvp[j * n + i] = -precision * tile->v[j * n + i];
  }
  TILE_SYNC(); /* blocks of particles are cut otherwise than the tile */
  for (int first = 0; first < all; first += FG_LOGISTIC_GROUPS) {
    int groups = all - first < FG_LOGISTIC_GROUPS ? all - first : FG_LOGISTIC_GROUPS;
    for (int row = 0; row < rows; row += FG_LOGISTIC_ROWS)
      fg_logistic_rows(tile, rows - row < FG_LOGISTIC_ROWS ? rows - row : FG_LOGISTIC_ROWS, d,
                       features + (size_t)row * (size_t)d, first * FG_LANES, groups);
    TILE_SYNC();
  }
}

#undef FG_EACH

#ifndef __CUDACC__
/* The user's function, point by point in double. The Hessian times v is a central difference of the score
 * with the step h = cbrt(epsilon) (1 + |x|) / |v| (largest components), where the errors of truncation,
 * h^2 times third derivatives, and of rounding, epsilon / h, are alike: relative 4e-11 for scores that vary
 * over lengths of 1 + |x|. */
TILE_FN void fg_density_plugin(const fg_density *density, const fg_tile *tile)
{
  const int p = tile->p, d = density->d;
  double *x = (double *)(void *)tile->scratch, *score = x + d, *y = score + d, *back = y + d;
  for (int i = 0; i < p; i++) {
    double size = 0, length = 0;
    for (int j = 0; j < d; j++) x[j] = (double)tile->x[j * p + i];
    if (tile->want & (FG_PHI | FG_SCORE)) {
      double value =
          density->as.plugin.call(density->as.plugin.data, d, x, tile->want & FG_SCORE ? score : 0);
      if (tile->want & FG_PHI) tile->phi[i] = (fg_real)value;
      for (int j = 0; j < d && (tile->want & FG_SCORE); j++) tile->score[j * p + i] = (fg_real)score[j];
    }
    if (!(tile->want & FG_JVP)) continue;
    for (int j = 0; j < d; j++) {
      size = fmax(size, fabs(x[j]));
      length = fmax(length, fabs((double)tile->v[j * p + i]));
    }
    double h = length > 0 ? 6.0554544523933429e-6 * (1 + size) / length : 1;
    for (int j = 0; j < d; j++) y[j] = x[j] + h * (double)tile->v[j * p + i];
    density->as.plugin.call(density->as.plugin.data, d, y, score);
    for (int j = 0; j < d; j++) y[j] = x[j] - h * (double)tile->v[j * p + i];
    density->as.plugin.call(density->as.plugin.data, d, y, back);
    for (int j = 0; j < d; j++) tile->jvp[j * p + i] = (fg_real)((score[j] - back[j]) / (2 * h));
  }
}
#endif

/* row: fg_density_row; x [d][p]; v [d][p] with FG_JVP; scratch: 64-byte aligned. */
TILE_FN void fg_density_tile(const fg_density *density, const fg_real *row, int p, unsigned want,
                             const fg_real *x, const fg_real *v, fg_real *phi, fg_real *score, fg_real *jvp,
                             fg_real *scratch)
{
  fg_tile tile;
  if (TILE_IDLE()) return;
  tile.p = p;
  tile.want = want & (FG_PHI | FG_SCORE | FG_JVP);
  tile.x = x;
  tile.v = v;
  tile.row = row;
  tile.row_stride = 0;
  tile.phi = phi;
  tile.score = score;
  tile.jvp = jvp;
  tile.phi_t = tile.divergence = 0;
  tile.scratch = scratch;
  if (density->kind == FG_DENSITY_MIXTURE)
    fg_mixture_tile(density->d, &density->as.mixture, &tile);
  else if (density->kind == FG_DENSITY_FUNNEL)
    fg_density_funnel(density, &tile);
  else if (density->kind == FG_DENSITY_WELLS)
    fg_density_wells(density, &tile);
  else if (density->kind == FG_DENSITY_RINGS)
    fg_density_rings(density, &tile);
  else if (density->kind == FG_DENSITY_LOGISTIC)
    fg_density_logistic(density, &tile);
#ifndef __CUDACC__
  else if (density->kind == FG_DENSITY_PLUGIN)
    fg_density_plugin(density, &tile);
#endif
  else
    fg_density_none(density, &tile);
  TILE_SYNC(); /* others read the results */
}

#endif

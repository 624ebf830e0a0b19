/* Densities of targets with their scores, one point at a time.
 *
 * Coordinate j of a point is x[j * stride], and of its score score[j * stride]: stride 1 for a row
 * of an array [n, d], the number of particles for a tile [d][p]. `score` may be 0 (not wanted).
 * What does not depend on the point (normalising constants, Cholesky factors) is computed
 * beforehand on the host. */
#ifndef FG_FORMULA_DENSITY_H
#define FG_FORMULA_DENSITY_H

#include "formula/real.h"

/* ---- Gaussian mixtures -------------------------------------------------------------------- */

/* How the factor L of a covariance L L^T is kept, for all components alike. */
enum {
  FG_FACTOR_ISOTROPIC, /* [K]: one standard deviation */
  FG_FACTOR_DIAGONAL,  /* [K, d] */
  FG_FACTOR_FULL       /* [K, d, d], lower triangle by rows */
};

/* z = L^-1 (x - mean) for one component, and |z|^2. */
FG_HD fg_real fg_whiten(int form, int d, const fg_real *factor, const fg_real *mean, const fg_real *x,
                        int stride, fg_real *z)
{
  fg_real square = 0;
  for (int i = 0; i < d; i++) {
    fg_real r = x[i * stride] - mean[i];
    if (form == FG_FACTOR_FULL) {
      for (int j = 0; j < i; j++) r -= factor[i * d + j] * z[j * stride];
      r /= factor[i * d + i];
    } else {
      r /= form == FG_FACTOR_DIAGONAL ? factor[i] : factor[0];
    }
    z[i * stride] = r;
    square += r * r;
  }
  return square;
}

/* score += -weight L^-T z; z is overwritten. */
FG_HD void fg_unwhiten(int form, int d, const fg_real *factor, fg_real weight, int stride, fg_real *z,
                       fg_real *score)
{
  for (int i = d - 1; i >= 0; i--) {
    fg_real r = z[i * stride];
    if (form == FG_FACTOR_FULL) {
      for (int j = i + 1; j < d; j++) r -= factor[j * d + i] * z[j * stride];
      r /= factor[i * d + i];
    } else {
      r /= form == FG_FACTOR_DIAGONAL ? factor[i] : factor[0];
    }
    z[i * stride] = r;
    score[i * stride] -= weight * r;
  }
}

/* log sum_k exp( log_scale_k - |z_k|^2 / 2 ),  log_scale_k = log w_k - d/2 log(2 pi) - log det L_k,
 * in one pass: `top` is the largest term so far and the sums are relative to it. z [d * stride] is
 * scratch. Where every component underflows the value is -inf and the score NaN. */
FG_HD fg_real fg_mixture_log_density(int components, int form, int d, const fg_real *log_scale,
                                     const fg_real *mean, const fg_real *factor, const fg_real *x, int stride,
                                     fg_real *score, fg_real *z)
{
  int size = form == FG_FACTOR_FULL ? d * d : form == FG_FACTOR_DIAGONAL ? d : 1;
  fg_real top = -(fg_real)INFINITY, sum = 0;
  if (score)
    for (int i = 0; i < d; i++) score[i * stride] = 0;
  for (int k = 0; k < components; k++, factor += size, mean += d) {
    fg_real term = log_scale[k] - fg_whiten(form, d, factor, mean, x, stride, z) / 2;
    fg_real weight = 1;
    if (term > top) {
      fg_real shrink = FG_MATH(exp)(top - term);
      sum *= shrink;
      if (score)
        for (int i = 0; i < d; i++) score[i * stride] *= shrink;
      top = term;
    } else if (term == -(fg_real)INFINITY) {
      continue;
    } else {
      weight = FG_MATH(exp)(term - top);
    }
    sum += weight;
    if (score) fg_unwhiten(form, d, factor, weight, stride, z, score);
  }
  if (score)
    for (int i = 0; i < d; i++) score[i * stride] /= sum;
  return top + FG_MATH(log)(sum);
}

/* ---- funnel: x_1 ~ N(0, nu^2), x_i | x_1 ~ N(0, exp x_1) (Neal 2003) ------------------------- */

FG_HD fg_real fg_funnel_log_density(int d, fg_real nu, const fg_real *x, int stride, fg_real *score)
{
  fg_real x1 = x[0], narrow = FG_MATH(exp)(-x1), square = 0, others = (fg_real)(d - 1);
  for (int i = 1; i < d; i++) {
    square += x[i * stride] * x[i * stride];
    if (score) score[i * stride] = -x[i * stride] * narrow;
  }
  fg_real scaled = square == 0 ? 0 : square * narrow / 2; /* not 0 * inf */
  if (score) score[0] = -x1 / (nu * nu) - others / 2 + scaled;
  return -x1 * x1 / (2 * nu * nu) - FG_MATH(log)(nu) - scaled - others * x1 / 2 -
         (fg_real)(FG_LOG_2PI / 2) * (fg_real)d;
}

/* ---- double well and many-well (arXiv 2211.01364) -------------------------------------------- */

/* log rho of one coordinate, u = x - shift; its derivative is -4 u (u^2 - separation). */
FG_HD fg_real fg_well_log_density(fg_real separation, fg_real u)
{
  fg_real w = u * u - separation;
  return -w * w;
}

/* log( rho / max rho ) at u = peak + s, peak = sqrt(separation), or 0 for a single well: the form
 * that keeps its digits where the wells are far apart. */
FG_HD fg_real fg_well_log_relative(fg_real separation, fg_real peak, fg_real s)
{
  fg_real w = s * (s + 2 * peak);
  return separation < 0 ? -s * s * (s * s - 2 * separation) : -w * w;
}

/* log rho = -sum_{i <= wells} ((x_i - shift)^2 - separation)^2 - sum_{i > wells} x_i^2 / 2. */
FG_HD fg_real fg_many_well_log_density(int d, int wells, fg_real separation, fg_real shift, const fg_real *x,
                                       int stride, fg_real *score)
{
  fg_real value = 0;
  for (int i = 0; i < d; i++) {
    fg_real u = i < wells ? x[i * stride] - shift : x[i * stride];
    value += i < wells ? fg_well_log_density(separation, u) : -u * u / 2;
    if (score) score[i * stride] = i < wells ? -4 * u * (u * u - separation) : -u;
  }
  return value;
}

/* ---- rings ------------------------------------------------------------------------------------ */

/* The point is (rho cos phi, rho sin phi) with rho ~ sum_k w_k N(r_k, sd^2) and phi uniform. A
 * negative rho is the radius -rho on the other side, so with |x| = rho
 *     log p = log sum_k w_k [ N(rho; r_k, sd^2) + N(rho; -r_k, sd^2) ] - log(2 pi rho),
 * whose bracket is N(rho; r_k, sd^2) (1 + exp(-2 rho r_k / sd^2)).
 * log_weight [rings]: log w_k - log sd - log(2 pi)/2. p has an integrable pole at 0; there rho is
 * taken as 1e-30, and the score, which has no direction, as 0. */
FG_HD fg_real fg_rings_log_density(int rings, const fg_real *log_weight, const fg_real *radius, fg_real sd,
                                   const fg_real *x, int stride, fg_real *score)
{
  fg_real x1 = x[0], x2 = x[stride], rho = FG_MATH(hypot)(x1, x2);
  fg_real precision = 1 / (sd * sd), top = -(fg_real)INFINITY, sum = 0, slope = 0;
  if (rho < (fg_real)1e-30) rho = (fg_real)1e-30;
  for (int k = 0; k < rings; k++) {
    fg_real z = (rho - radius[k]) / sd, turn = rho * radius[k] * precision, weight = 1;
    fg_real term = log_weight[k] - z * z / 2 + FG_MATH(log1p)(FG_MATH(exp)(-2 * turn));
    if (term > top) {
      fg_real shrink = FG_MATH(exp)(top - term);
      sum *= shrink;
      slope *= shrink;
      top = term;
    } else {
      weight = FG_MATH(exp)(term - top);
    }
    sum += weight;
    slope += weight * (radius[k] * FG_MATH(tanh)(turn) - rho) * precision;
  }
  if (score) {
    fg_real radial = (slope / sum - 1 / rho) / rho;
    score[0] = radial * x1;
    score[stride] = radial * x2;
  }
  return top + FG_MATH(log)(sum) - FG_MATH(log)(rho) - (fg_real)FG_LOG_2PI;
}

/* ---- checkerboard: eight squares of side 1.5 in [-3, 3)^2 -------------------------------------- */

/* Square (i, j), i, j = 0..3, has its lower left corner at -3 + 1.5 (i, j) and belongs to the
 * support when i + j is even; half-open squares, area 18 in all. */
FG_HD fg_real fg_checkerboard_log_density(const fg_real *x, int stride)
{
  fg_real i = FG_MATH(floor)((x[0] + 3) / (fg_real)1.5), j = FG_MATH(floor)((x[stride] + 3) / (fg_real)1.5);
  if (i != i || j != j) return i + j; /* NaN stays NaN */
  if (!(i >= 0 && i <= 3 && j >= 0 && j <= 3) || ((int)i + (int)j) % 2) return -(fg_real)INFINITY;
  return -(fg_real)2.8903717578961645; /* log 18 */
}

#endif

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

#endif

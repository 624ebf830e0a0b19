/* Densities of targets with their scores, one point at a time, and the pieces from which
 * kernels/body/density.h makes them for a tile, with Hessian-vector products.
 *
 * Coordinate j of a point is x[j * stride], and of its score score[j * stride]: stride 1 for a row
 * of an array [n, d], the number of particles for a tile [d][p]. `score` may be 0 (not wanted).
 * What does not depend on the point (normalising constants, Cholesky factors) is computed
 * beforehand on the host. */
#ifndef FG_FORMULA_DENSITY_H
#define FG_FORMULA_DENSITY_H

#include "formula/vecmath.h"

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

/* ---- funnel: x_1 ~ N(0, nu^2), x_i | x_1 ~ N(0, exp x_1) (Neal 2003) -------------------------
 *
 * From `narrow` = exp(-x_1) and `scaled` = exp(-x_1) sum_{i > 1} x_i^2 / 2:
 *   log rho   = norm - x_1^2 / (2 nu^2) - (d - 1) x_1 / 2 - scaled
 *   gradient  = ( -x_1/nu^2 - (d - 1)/2 + scaled,  -narrow x_i )
 *   Hessian v = ( -(1/nu^2 + scaled) v_1 + narrow sum_{i > 1} x_i v_i,  narrow (x_i v_1 - v_i) ) */

FG_HD double fg_funnel_norm(int d, double nu)
{
  return -log(nu) - 0.5 * FG_LOG_2PI * d;
}

/* exp(-x_1); infinity where it overflows. */
FG_HD fg_real fg_funnel_narrow(fg_real x1)
{
#ifdef FG_SINGLE
  const fg_real most = 88.0f;
#else
  const fg_real most = 709.0;
#endif
  fg_real e = fg_vexp(-x1);
  return -x1 > most ? (fg_real)INFINITY : e;
}

FG_HD fg_real fg_funnel_scaled(fg_real narrow, fg_real square)
{
  return square == 0 ? 0 : square * narrow / 2; /* not 0 * inf */
}

FG_HD fg_real fg_funnel_value(fg_real norm, fg_real others, fg_real nu, fg_real x1, fg_real scaled)
{
  return norm - x1 * x1 / (2 * nu * nu) - others * x1 / 2 - scaled;
}

/* First components of the gradient and of the Hessian times v; along = sum_{i > 1} x_i v_i. */
FG_HD fg_real fg_funnel_slope(fg_real others, fg_real nu, fg_real x1, fg_real scaled)
{
  return -x1 / (nu * nu) - others / 2 + scaled;
}

FG_HD fg_real fg_funnel_bend(fg_real nu, fg_real narrow, fg_real scaled, fg_real v1, fg_real along)
{
  return narrow * along - (1 / (nu * nu) + scaled) * v1;
}

FG_HD fg_real fg_funnel_log_density(int d, fg_real nu, const fg_real *x, int stride, fg_real *score)
{
  fg_real narrow = fg_funnel_narrow(x[0]), square = 0, others = (fg_real)(d - 1);
  for (int i = 1; i < d; i++) {
    square += x[i * stride] * x[i * stride];
    if (score) score[i * stride] = -x[i * stride] * narrow;
  }
  fg_real scaled = fg_funnel_scaled(narrow, square);
  if (score) score[0] = fg_funnel_slope(others, nu, x[0], scaled);
  return fg_funnel_value((fg_real)fg_funnel_norm(d, (double)nu), others, nu, x[0], scaled);
}

/* ---- double well and many-well (arXiv 2211.01364) -------------------------------------------- */

/* log rho of one coordinate, u = x - shift, and its two derivatives. */
FG_HD fg_real fg_well_log_density(fg_real separation, fg_real u)
{
  fg_real w = u * u - separation;
  return -w * w;
}

FG_HD fg_real fg_well_slope(fg_real separation, fg_real u)
{
  return -4 * u * (u * u - separation);
}

FG_HD fg_real fg_well_bend(fg_real separation, fg_real u)
{
  return 4 * (separation - 3 * u * u);
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
    if (score) score[i * stride] = i < wells ? fg_well_slope(separation, u) : -u;
  }
  return value;
}

/* ---- rings ------------------------------------------------------------------------------------
 *
 * The point is (rho cos phi, rho sin phi) with rho ~ sum_k w_k N(r_k, sd^2) and phi uniform. A
 * negative rho is the radius -rho on the other side, so with |x| = rho
 *     log p = L(rho) - log(2 pi rho),   L = log sum_k w_k [ N(rho; r_k, sd^2) + N(rho; -r_k, sd^2) ],
 * whose bracket is N(rho; r_k, sd^2) (1 + exp(-2 rho r_k / sd^2)). With e = x / rho:
 *     gradient  = (L' - 1/rho) e
 *     Hessian v = (L'' + 1/rho^2) e (e.v) + (L' - 1/rho)/rho (v - e (e.v))
 * p has an integrable pole at 0; there rho is taken as 1e-30 (1e-15 in the Hessian, so that floats hold
 * it), and the score, which has no direction, is 0. */

FG_HD fg_real fg_rings_radius(fg_real x1, fg_real x2)
{
  fg_real a = fg_vabs(x1), b = fg_vabs(x2), small = a > b ? b : a, large = a > b ? a : b;
  large = large < (fg_real)1e-30 ? (fg_real)1e-30 : large;
  fg_real ratio = small / large;
  return large * FG_MATH(sqrt)(1 + ratio * ratio);
}

/* One ring joins the sums: `top` is the largest exponent so far (at first -INFINITY), `sum` that of the weights
 * exp(exponent - top), `mean` that of the slopes under these weights, so L'; `bend` / `sum` is L'', the mean of
 * second derivatives plus the variance of slopes, the latter summed without cancellation (West 1979).
 * log_weight: log w_k - log sd - log(2 pi)/2. */
FG_HD void fg_rings_add(fg_real log_weight, fg_real radius, fg_real sd, fg_real rho, fg_real *top,
                        fg_real *sum, fg_real *mean, fg_real *bend)
{
  fg_real precision = 1 / (sd * sd), turn = rho * radius * precision, z = (rho - radius) / sd;
  fg_real e = fg_vexp_falling(-2 * turn), pull = radius * precision;
  fg_real exponent = log_weight - z * z / 2 + fg_vlog1p_unit(e);
  fg_real slope = pull * fg_vtanh(turn, e) - rho * precision;
  fg_real second = 4 * pull * pull * e / ((1 + e) * (1 + e)) - precision;
  fg_real high = exponent > *top ? exponent : *top;
  fg_real shrink = fg_vexp_falling(*top - high), weight = fg_vexp_falling(exponent - high);
  fg_real total = *sum * shrink + weight, step = slope - *mean;
  *top = high;
  *sum = total;
  *mean += weight / total * step;
  *bend = *bend * shrink + weight * (second + step * (slope - *mean));
}

FG_HD fg_real fg_rings_value(fg_real top, fg_real sum, fg_real rho)
{
  return top + fg_vlog(sum) - fg_vlog(rho) - (fg_real)FG_LOG_2PI;
}

/* Component j of the gradient. */
FG_HD fg_real fg_rings_gradient(fg_real mean, fg_real rho, fg_real xj)
{
  return (mean - 1 / rho) * (xj / rho);
}

/* Component j of the Hessian times v; second = L'', along = x.v / rho. */
FG_HD fg_real fg_rings_hessian(fg_real mean, fg_real second, fg_real rho, fg_real along, fg_real xj,
                               fg_real vj)
{
  fg_real far = 1 / (rho < (fg_real)1e-15 ? (fg_real)1e-15 : rho), radial = xj / rho * along;
  return (second + far * far) * radial + (mean - far) * far * (vj - radial);
}

FG_HD fg_real fg_rings_log_density(int rings, const fg_real *log_weight, const fg_real *radius, fg_real sd,
                                   const fg_real *x, int stride, fg_real *score)
{
  fg_real rho = fg_rings_radius(x[0], x[stride]), top = -(fg_real)INFINITY, sum = 0, mean = 0, bend = 0;
  for (int k = 0; k < rings; k++) fg_rings_add(log_weight[k], radius[k], sd, rho, &top, &sum, &mean, &bend);
  if (score)
    for (int j = 0; j < 2; j++) score[j * stride] = fg_rings_gradient(mean, rho, x[j * stride]);
  return fg_rings_value(top, sum, rho);
}

/* ---- logistic regression ------------------------------------------------------------------------
 *
 * The posterior of the coefficients x under the prior N(0, I / precision):
 *     log rho = norm - precision |x|^2 / 2 + sum_i log sigmoid(m_i),   m_i = a_i.x,
 * a_i the features of row i times its label +1 or -1. The prior is normalised, so Z is the evidence. */

FG_HD double fg_logistic_norm(int d, double precision)
{
  return 0.5 * d * (log(precision) - FG_LOG_2PI);
}

/* log sigmoid(m) and its two derivatives, sigmoid(-m) and -sigmoid(m) sigmoid(-m). */
FG_HD fg_real fg_log_sigmoid(fg_real m, fg_real *slope, fg_real *bend)
{
  fg_real e = fg_vexp_falling(-fg_vabs(m)), near = 1 / (1 + e), far = e * near;
  *slope = m < 0 ? near : far;
  *bend = -near * far;
  return (m < 0 ? m : 0) - fg_vlog1p_unit(e);
}

FG_HD fg_real fg_logistic_log_density(int rows, int d, const double *features, fg_real precision,
                                      const fg_real *x, int stride, fg_real *score)
{
  fg_real value = (fg_real)fg_logistic_norm(d, (double)precision);
  for (int j = 0; j < d; j++) {
    value -= precision * x[j * stride] * x[j * stride] / 2;
    if (score) score[j * stride] = -precision * x[j * stride];
  }
  for (int i = 0; i < rows; i++, features += d) {
    fg_real m = 0, slope, bend;
    for (int j = 0; j < d; j++) m += (fg_real)features[j] * x[j * stride];
    value += fg_log_sigmoid(m, &slope, &bend);
    for (int j = 0; score && j < d; j++) score[j * stride] += slope * (fg_real)features[j];
  }
  return value;
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

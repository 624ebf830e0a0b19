/* Operations on whole vectors of doubles, for the ODE solver. Sums go over FG_LANES partial sums in a
 * fixed order. */
#ifndef FG_BODY_VECTOR_H
#define FG_BODY_VECTOR_H

#include <float.h>

#include "body/tile.h"
#include "engine.h"

FG_HD void fg_vector_map(fg_vec_map op, size_t n, double a, const double *x, double b, const double *y,
                         double *z)
{
  switch (op) {
  case FG_VEC_LINEAR:
    for (size_t i = 0; i < n; i++) z[i] = a * x[i] + b * y[i];
    break;
  case FG_VEC_CONST:
    for (size_t i = 0; i < n; i++) z[i] = a;
    break;
  case FG_VEC_PROD:
    for (size_t i = 0; i < n; i++) z[i] = x[i] * y[i];
    break;
  case FG_VEC_DIV:
    for (size_t i = 0; i < n; i++) z[i] = x[i] / y[i];
    break;
  case FG_VEC_SCALE:
    for (size_t i = 0; i < n; i++) z[i] = a * x[i];
    break;
  case FG_VEC_ABS:
    for (size_t i = 0; i < n; i++) z[i] = fabs(x[i]);
    break;
  case FG_VEC_INV:
    for (size_t i = 0; i < n; i++) z[i] = 1 / x[i];
    break;
  case FG_VEC_ADD:
    for (size_t i = 0; i < n; i++) z[i] = x[i] + a;
    break;
  }
}

/* sum (x_i y_i)^power, power 1 or 2 */
FG_HD double fg_vector_sum(int power, size_t n, const double *x, const double *y)
{
  double part[FG_LANES] = {0}, sum = 0;
  size_t whole = n / FG_LANES * FG_LANES;
  for (size_t at = 0; at < whole; at += FG_LANES)
    for (size_t i = 0; i < FG_LANES; i++) {
      double e = x[at + i] * y[at + i];
      part[i] += power == 2 ? e * e : e;
    }
  for (size_t i = whole; i < n; i++) {
    double e = x[i] * y[i];
    part[i - whole] += power == 2 ? e * e : e;
  }
  for (int i = 0; i < FG_LANES; i++) sum += part[i];
  return sum;
}

/* dot: sum x y; max norm: max |x|; wrms: sqrt(sum (x y)^2 / n); min: min x. A NaN in x gives NaN. */
FG_HD double fg_vector_reduce(fg_vec_reduce op, size_t n, const double *x, const double *y)
{
  double best = op == FG_VEC_MIN ? HUGE_VAL : 0;
  switch (op) {
  case FG_VEC_DOT:
    return fg_vector_sum(1, n, x, y);
  case FG_VEC_WRMS:
    return sqrt(fg_vector_sum(2, n, x, y) / (double)n);
  case FG_VEC_MAX_NORM:
    for (size_t i = 0; i < n; i++)
      if (!(fabs(x[i]) <= best)) {
        best = fabs(x[i]);
        if (best != best) break;
      }
    break;
  case FG_VEC_MIN:
    for (size_t i = 0; i < n; i++)
      if (!(x[i] >= best)) {
        best = x[i];
        if (best != best) break;
      }
    break;
  }
  return best;
}

/* sum_j (x_j w_j)^2 of one particle. */
FG_HD double fg_vector_particle_sum(size_t i, size_t n, size_t d, int tail, const double *x, const double *w)
{
  double sum = 0;
  for (size_t j = 0; j < d; j++) {
    double e = x[i * d + j] * w[i * d + j];
    sum += e * e;
  }
  if (tail) {
    double e = x[n * d + i] * w[n * d + i];
    sum += e * e;
  }
  return sum;
}

FG_HD double fg_vector_particle_norm(size_t n, size_t d, int tail, const double *x, const double *w)
{
  double most = 0, share = 1.0 / (double)(d + (tail ? 1 : 0));
  for (size_t i = 0; i < n; i++) {
    double sum = fg_vector_particle_sum(i, n, d, tail, x, w);
    if (!(sum <= DBL_MAX)) return HUGE_VAL;
    most = sum > most ? sum : most;
  }
  return sqrt(most * share);
}

#endif

/* Bures distance of two Gaussians:
 *
 *   W2^2 = |m_p - m_q|^2 + tr P + tr Q - 2 tr (P^1/2 Q P^1/2)^1/2 = |m_p - m_q|^2 + min_U |A - B U|_F^2
 *
 * with A A' = P, B B' = Q and U orthogonal. The second form is used: with B' A = W S V' (singular values) the
 * minimum is at U = W V'. It is a sum of squares, so nothing cancels when the two are close, and it needs no
 * inverse, so singular covariances are welcome. */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"
#include "analysis/transport/transport.h"

/* Weighted mean and covariance [d, d]. Two passes: mean first, so that a far centre costs no digits. */
static void fg_moments(size_t n, size_t d, const double *x, const double *w, double *mean, double *cov)
{
  double total = 0;
  memset(mean, 0, d * sizeof *mean);
  memset(cov, 0, d * d * sizeof *cov);
  for (size_t i = 0; i < n; i++) {
    double wi = w ? w[i] : 1;
    total += wi;
    for (size_t k = 0; k < d; k++) mean[k] += wi * (x[i * d + k] - x[k]);
  }
  for (size_t k = 0; k < d; k++) mean[k] = mean[k] / total + x[k];
  for (size_t i = 0; i < n; i++) {
    double wi = w ? w[i] : 1;
    for (size_t k = 0; k < d; k++) {
      double gap = wi * (x[i * d + k] - mean[k]);
      for (size_t l = 0; l <= k; l++) cov[k * d + l] += gap * (x[i * d + l] - mean[l]);
    }
  }
  for (size_t k = 0; k < d; k++)
    for (size_t l = 0; l <= k; l++) cov[l * d + k] = cov[k * d + l] /= total;
}

/* ---- roots and the best rotation ------------------------------------------------------- */
/* Matrices here are column-major [d, d]: column k is m + k d. */

static double fg_dot(size_t d, const double *a, const double *b)
{
  double sum = 0;
  for (size_t k = 0; k < d; k++) sum += a[k] * b[k];
  return sum;
}

static void fg_rotate(size_t d, double *a, double *b, double cosine, double sine)
{
  for (size_t k = 0; k < d; k++) {
    double p = a[k], q = b[k];
    a[k] = cosine * p - sine * q;
    b[k] = sine * p + cosine * q;
  }
}

/* One-sided Jacobi: m becomes m v with v orthogonal and the columns of m orthogonal to one another, to
 * rounding relative to each column's own length (so that small singular values keep their digits). */
static bool fg_jacobi(size_t d, double *m, double *v)
{
  memset(v, 0, d * d * sizeof *v);
  for (size_t k = 0; k < d; k++) v[k * d + k] = 1;
  for (int sweep = 0; sweep < 60; sweep++) {
    bool rotated = false;
    for (size_t k = 0; k + 1 < d; k++)
      for (size_t l = k + 1; l < d; l++) {
        double *a = m + k * d, *b = m + l * d;
        double aa = fg_dot(d, a, a), bb = fg_dot(d, b, b), ab = fg_dot(d, a, b);
        if (fabs(ab) <= (double)d * DBL_EPSILON * sqrt(aa) * sqrt(bb) || fabs(ab) < DBL_MIN) continue;
        rotated = true;
        double zeta = (bb - aa) / (2 * ab);
        double tangent = (zeta >= 0 ? 1 : -1) / (fabs(zeta) + hypot(1, zeta));
        double cosine = 1 / hypot(1, tangent), sine = cosine * tangent;
        fg_rotate(d, a, b, cosine, sine);
        fg_rotate(d, v + k * d, v + l * d, cosine, sine);
      }
    if (!rotated) return true;
  }
  return false;
}

/* root root' = cov / 4^exponent; spare [d, d]. Eigenvalues below d eps times the largest are rounding of 0
 * and are taken as 0; one that is negative beyond that is refused. */
static fg_code fg_bures_root(const char *name, size_t d, const double *cov, int exponent, double *spare,
                             double *root, fg_status *st)
{
  for (size_t k = 0; k < d * d; k++) spare[k] = ldexp(cov[k], -2 * exponent);
  if (!fg_jacobi(d, spare, root))
    return FG_FAIL(st, FG_NUMERICS, "the eigenvalues of covariance %s were not found", name);
  double largest = 0;
  for (size_t k = 0; k < d; k++) largest = fmax(largest, sqrt(fg_dot(d, spare + k * d, spare + k * d)));
  double small = (double)d * DBL_EPSILON * largest;
  for (size_t k = 0; k < d; k++) {
    double *vector = root + k * d, value = fg_dot(d, vector, spare + k * d);
    if (value < -16 * small)
      return FG_FAIL(st, FG_USAGE, "covariance %s has the eigenvalue %g: it must not be negative", name,
                     ldexp(value, 2 * exponent));
    double scale = value > small ? sqrt(value) : 0;
    for (size_t l = 0; l < d; l++) vector[l] *= scale;
  }
  return FG_OK;
}

/* Normalise the columns of w; those of length 0 are filled so that w is orthogonal (any filling gives the same
 * minimum). */
static void fg_complete(size_t d, double *w)
{
  double largest = 0;
  for (size_t k = 0; k < d; k++) largest = fmax(largest, sqrt(fg_dot(d, w + k * d, w + k * d)));
  for (size_t k = 0; k < d; k++) {
    double length = sqrt(fg_dot(d, w + k * d, w + k * d));
    bool null = !(length > DBL_EPSILON * DBL_EPSILON * largest);
    for (size_t l = 0; l < d; l++) w[k * d + l] = null ? 0 : w[k * d + l] / length;
  }
  for (size_t k = 0; k < d; k++) {
    double *column = w + k * d;
    for (size_t start = 0; start < d && fg_dot(d, column, column) < 0.5; start++) {
      memset(column, 0, d * sizeof *column);
      column[start] = 1;
      for (int twice = 0; twice < 2; twice++)
        for (size_t l = 0; l < d; l++) {
          if (l == k) continue;
          double overlap = fg_dot(d, column, w + l * d);
          for (size_t e = 0; e < d; e++) column[e] -= overlap * w[l * d + e];
        }
      /* Of the d unit vectors at least one keeps a length of 1 / sqrt(d). */
      double length = sqrt(fg_dot(d, column, column));
      double scale = 2 * (double)d * length * length > 1 ? 1 / length : 0;
      for (size_t e = 0; e < d; e++) column[e] *= scale;
    }
  }
}

/* min_U |A - B U|_F^2 from the roots a and b; w, v: space [d, d]. */
static fg_code fg_bures_distance(size_t d, const double *a, const double *b, double *w, double *v,
                                 double *squared, fg_status *st)
{
  for (size_t k = 0; k < d; k++)
    for (size_t l = 0; l < d; l++) w[k * d + l] = fg_dot(d, b + l * d, a + k * d);
  if (!fg_jacobi(d, w, v))
    return FG_FAIL(st, FG_NUMERICS, "the singular values of a %zu x %zu product were not found", d, d);
  fg_complete(d, w);
  fg_sum sum = {0, 0};
  for (size_t k = 0; k < d; k++) {
    /* Column k of A V - B W has the length of column k of A - B W V' after a rotation: the same norm. */
    for (size_t l = 0; l < d; l++) {
      double entry = 0;
      for (size_t e = 0; e < d; e++) entry += a[e * d + l] * v[k * d + e] - b[e * d + l] * w[k * d + e];
      fg_sum_add(&sum, entry * entry);
    }
  }
  *squared = fg_sum_value(&sum);
  return FG_OK;
}

/* Everything is scaled by 2^-exponent, with the largest standard deviation or mean gap below 1. */
static fg_code fg_bures_scaled(size_t d, const double *mean_p, const double *cov_p, const double *mean_q,
                               const double *cov_q, double *squared, int *exponent, fg_status *st)
{
  double size = 0;
  for (size_t k = 0; k < d; k++) {
    if (!isfinite(mean_p[k]) || !isfinite(mean_q[k]))
      return FG_FAIL(st, FG_NUMERICS, "coordinate %zu of the means is %g and %g: it must be finite", k,
                     mean_p[k], mean_q[k]);
    size = fmax(size, fabs(0.5 * mean_p[k] - 0.5 * mean_q[k]));
    for (size_t l = 0; l < d; l++)
      if (!isfinite(cov_p[k * d + l]) || !isfinite(cov_q[k * d + l]))
        return FG_FAIL(st, FG_NUMERICS, "entry (%zu, %zu) of the covariances is %g and %g: it must be finite",
                       k, l, cov_p[k * d + l], cov_q[k * d + l]);
    size = fmax(size, sqrt(fabs(fmax(cov_p[k * d + k], cov_q[k * d + k]))));
  }
  *squared = 0;
  (void)frexp(size, exponent);
  double *space = malloc(4 * d * d * sizeof *space);
  if (!space) return FG_FAIL(st, FG_MEMORY, "no memory for covariances of dimension %zu", d);
  double *a = space, *b = a + d * d, *w = b + d * d, *v = w + d * d;
  fg_code rc = FG_OK;
  FG_GO(fg_bures_root("p", d, cov_p, *exponent, w, a, st), done);
  FG_GO(fg_bures_root("q", d, cov_q, *exponent, w, b, st), done);
  FG_GO(fg_bures_distance(d, a, b, w, v, squared, st), done);
  for (size_t k = 0; k < d; k++) {
    double gap = ldexp(mean_p[k], -*exponent) - ldexp(mean_q[k], -*exponent);
    *squared += gap * gap;
  }
done:
  free(space);
  return rc;
}

fg_code fg_w2_gaussian_moments(size_t d, const double *mean_p, const double *cov_p, const double *mean_q,
                               const double *cov_q, double *squared, fg_status *st)
{
  if (d == 0) return FG_FAIL(st, FG_USAGE, "Gaussians of dimension 0: give at least one coordinate");
  double scaled;
  int exponent;
  fg_w2 result;
  FG_TRY(fg_bures_scaled(d, mean_p, cov_p, mean_q, cov_q, &scaled, &exponent, st));
  FG_TRY(fg_w2_finish(scaled, scaled, exponent, &result, st));
  *squared = result.squared;
  return FG_OK;
}

fg_code fg_w2_gaussian(size_t n, size_t m, size_t d, const double *x, const double *wx, const double *y,
                       const double *wy, fg_w2 *result, fg_status *st)
{
  double start = fg_seconds(), scaled = 0;
  fg_pair pair;
  FG_TRY(fg_pair_create(n, m, d, x, wx, y, wy, &pair, st));
  fg_code rc = FG_OK;
  double *moments = malloc(2 * (d + d * d) * sizeof *moments);
  if (!moments) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for covariances of dimension %zu", d);
    goto done;
  }
  if (!pair.identical) {
    double *mean_p = moments, *mean_q = moments + d, *cov_p = moments + 2 * d, *cov_q = cov_p + d * d;
    int exponent;
    fg_moments(pair.n, d, pair.x, pair.share_x, mean_p, cov_p);
    fg_moments(pair.m, d, pair.y, pair.share_y, mean_q, cov_q);
    FG_GO(fg_bures_scaled(d, mean_p, cov_p, mean_q, cov_q, &scaled, &exponent, st), done);
    pair.exponent += exponent;
  }
  FG_GO(fg_w2_finish(scaled, scaled, pair.exponent, result, st), done);
  result->n = pair.n;
  result->m = pair.m;
  result->seconds = fg_seconds() - start;
done:
  free(moments);
  fg_pair_clear(&pair);
  return rc;
}

/* What every target must satisfy; used by the tests of targets and priors. */
#ifndef FG_TEST_TARGET_CHECK_H
#define FG_TEST_TARGET_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_integration.h>

#include "flowgap/target.h"

static inline fg_target *target_made(const fg_target_settings *s)
{
  fg_target *t = NULL;
  fg_status st = {0};
  if (fg_target_create(s, &t, &st) != FG_OK) fail_msg("%s", st.message);
  return t;
}

static inline fg_target *target_default(fg_target_kind kind)
{
  fg_target_settings s;
  fg_target_defaults(kind, &s);
  return target_made(&s);
}

/* Creation fails with `code`; the message holds `expected`. */
static inline void target_refused(const fg_target_settings *s, fg_code code, const char *expected)
{
  fg_target *t = NULL;
  fg_status st = {0};
  assert_int_equal(fg_target_create(s, &t, &st), code);
  assert_null(t);
  if (!strstr(st.message, expected)) fail_msg("message \"%s\" lacks \"%s\"", st.message, expected);
}

/* log rho at one point. */
static inline double target_at(const fg_target *t, const double *x, double *score)
{
  double value = 0;
  fg_status st = {0};
  if (fg_target_log_density(t, 1, x, &value, score, &st) != FG_OK) fail_msg("%s", st.message);
  return value;
}

/* The score against central differences of fourth order with step h: error about h^4 times the
 * fifth derivative plus rounding of the values over h; `tolerance` is relative to 1 + |score|. */
static inline void target_check_score(const fg_target *t, size_t n, const double *x, double h,
                                      double tolerance)
{
  size_t d = fg_target_dimension(t);
  double *s = malloc(2 * d * sizeof *s), *y = s + d;
  for (size_t i = 0; i < n; i++) {
    target_at(t, x + i * d, s);
    memcpy(y, x + i * d, d * sizeof *y);
    for (size_t j = 0; j < d; j++) {
      const double steps[4] = {h, -h, 2 * h, -2 * h};
      double f[4];
      for (int k = 0; k < 4; k++) {
        y[j] = x[i * d + j] + steps[k];
        f[k] = target_at(t, y, NULL);
      }
      y[j] = x[i * d + j];
      double slope = (8 * (f[0] - f[1]) - (f[2] - f[3])) / (12 * h);
      if (!(fabs(slope - s[j]) <= tolerance * (1 + fabs(s[j]))))
        fail_msg("%s: score %zu of point %zu is %.15g, by differences %.15g", fg_target_name(t), j, i, s[j],
                 slope);
    }
  }
  free(s);
}

/* n rows in one go and in uneven pieces, from row `first`: the same bits. */
static inline void target_check_split(const fg_target *t, uint64_t first)
{
  enum { N = 1000 };
  size_t d = fg_target_dimension(t);
  double *whole = malloc(2 * N * d * sizeof *whole), *pieces = whole + N * d;
  size_t at = 0;
  assert_int_equal(fg_target_sample(t, 42, first, N, whole, NULL), FG_OK);
  for (size_t size = 1; at < N; size = size * 2 + 1) {
    size_t n = size < N - at ? size : N - at;
    assert_int_equal(fg_target_sample(t, 42, first + at, n, pieces + at * d, NULL), FG_OK);
    at += n;
  }
  assert_memory_equal(whole, pieces, N * d * sizeof *whole);
  assert_int_equal(fg_target_sample(t, 43, first, N, pieces, NULL), FG_OK);
  assert_memory_not_equal(whole, pieces, N * d * sizeof *whole); /* another seed, other rows */
  free(whole);
}

/* Mean and covariance of n rows within z standard errors of the given ones; the standard errors
 * are estimated from the same rows. */
static inline void check_moments(size_t n, size_t d, const double *x, const double *mean,
                                 const double *covariance, double z)
{
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j <= i; j++) {
      double sum = 0, square = 0, m = 0, m2 = 0;
      for (size_t k = 0; k < n; k++) {
        double u = x[k * d + i] - mean[i], product = u * (x[k * d + j] - mean[j]);
        m += u;
        m2 += u * u;
        sum += product;
        square += product * product;
      }
      double count = (double)n, average = sum / count;
      double error = sqrt((square / count - average * average) / count);
      if (i == j && !(fabs(m / count) <= z * sqrt(m2) / count))
        fail_msg("mean %zu is off by %g, %g standard errors", i, m / count, m / sqrt(m2));
      if (!(fabs(average - covariance[i * d + j]) <= z * error))
        fail_msg("covariance [%zu, %zu] is %g, not %g: %g standard errors", i, j, average,
                 covariance[i * d + j], (average - covariance[i * d + j]) / error);
    }
}

/* Of 10^5 or more rows against fg_target_moments. With up to 65 moments a test, 4.5 standard errors
 * are passed by chance once in 2000 tests; the seed is fixed. */
static inline void target_check_moments(const fg_target *t, size_t n, uint64_t seed)
{
  size_t d = fg_target_dimension(t);
  double *x = malloc((n * d + d + d * d) * sizeof *x), *mean = x + n * d, *covariance = mean + d;
  assert_int_equal(fg_target_sample(t, seed, 0, n, x, NULL), FG_OK);
  assert_int_equal(fg_target_moments(t, mean, covariance, NULL), FG_OK);
  check_moments(n, d, x, mean, covariance, 4.5);
  free(x);
}

/* Integral of exp(log rho) over a box of the plane by the trapezoidal rule on cells^2 cells, which
 * for smooth densities that vanish at the edge has only rounding error. */
static inline double target_mass2(const fg_target *t, double half_width, int cells)
{
  double h = 2 * half_width / cells, sum = 0;
  for (int i = 0; i <= cells; i++)
    for (int j = 0; j <= cells; j++) {
      double x[2] = {-half_width + h * i, -half_width + h * j};
      sum += exp(target_at(t, x, NULL));
    }
  return sum * h * h;
}

/* Chi-square statistic of counts against probabilities (classes with an expectation below 10 are
 * pooled); returns its upper tail probability. */
static inline double chi_square_tail(size_t classes, const double *count, const double *probability, double n)
{
  double statistic = 0, pooled = 0, pooled_count = 0, rest = 1;
  int freedom = -1;
  for (size_t k = 0; k < classes; k++) {
    double expected = n * probability[k];
    rest -= probability[k];
    if (expected < 10) {
      pooled += expected;
      pooled_count += count[k];
      continue;
    }
    statistic += (count[k] - expected) * (count[k] - expected) / expected;
    freedom++;
  }
  if (pooled > 1) {
    statistic += (pooled_count - pooled) * (pooled_count - pooled) / pooled;
    freedom++;
  }
  assert_true(fabs(rest) < 1e-6); /* the probabilities are those of everything */
  return gsl_cdf_chisq_Q(statistic, freedom);
}

#endif

/* needs: analysis */
/* Sliced W2: closed forms, weights, order, threads, scales, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "analysis/statistics.h"
#include "flowgap/analysis.h"
#include "formula/random.h"

enum { N = 3000, D_MAX = 10 };

static double x[N * D_MAX], y[N * D_MAX], wx[N], wy[N];

static void cloud(uint64_t seed, size_t n, size_t d, double sd, double *to)
{
  for (size_t i = 0; i < n * d; i++) to[i] = sd * fg_normal(seed, 1, i, 0, 0);
}

static fg_w2_slices slices(size_t directions, uint64_t seed, size_t n, size_t m, size_t d, const double *a,
                           const double *wa, const double *b, const double *wb, double *direction)
{
  fg_w2_sliced_settings s = {directions, seed, NULL};
  fg_w2_slices result;
  fg_status st;
  if (fg_w2_sliced(NULL, NULL, &s, n, m, d, a, wa, b, wb, NULL, direction, &result, &st) != FG_OK)
    fail_msg("%s", st.message);
  return result;
}

static void defaults(void **unused)
{
  (void)unused;
  fg_w2_sliced_settings s;
  fg_w2_sliced_defaults(&s);
  assert_int_equal(s.directions, 100);
  assert_int_equal(s.seed, 1);
  assert_null(s.given);
}

/* A translation by c: each direction gives (direction . c)^2, with mean |c|^2 / d and, over the sphere, variance
 * 2 |c|^4 (d - 1) / (d^2 (d + 2)). */
static void translation(void **unused)
{
  (void)unused;
  const size_t dimensions[] = {2, 3, 10};
  enum { DIRECTIONS = 4000 };
  for (size_t s = 0; s < 3; s++) {
    size_t d = dimensions[s], n = 50;
    double length = 0, along = 0, direction[D_MAX], dd = (double)d;
    cloud(3, n, d, 1, x);
    for (size_t i = 0; i < n * d; i++) y[i] = x[i] + 1 + (double)(i % d);
    for (size_t k = 0; k < d; k++) length += (1 + (double)k) * (1 + (double)k);
    fg_w2_slices w2 = slices(DIRECTIONS, 7, n, n, d, x, NULL, y, NULL, direction);
    double error = length * sqrt(2 * (dd - 1) / (dd * dd * (dd + 2)) / DIRECTIONS);
    assert_true(fabs(w2.squared - length / dd) < 3.5 * error);
    /* the sample variance of 4000 bounded numbers, kurtosis below 15: 6 % and more */
    assert_true(fabs(w2.standard_error / error - 1) < 0.15);
    for (size_t k = 0; k < d; k++) along += direction[k] * (1 + (double)k);
    assert_true(fabs(w2.max_squared - along * along) < 1e-12 * length);
    assert_true(w2.max_squared < length);
    assert_true(d > 3 ||
                w2.max_squared > 0.98 * length); /* 4000 directions leave no gap in the plane and in space */
    double again[D_MAX];
    fg_direction(7, w2.max_direction, d, again);
    assert_memory_equal(again, direction, d * sizeof *direction);
    assert_true(w2.value == sqrt(w2.squared) && w2.max_value == sqrt(w2.max_squared));
  }
}

/* Projections of N(0, a^2 I) and N(c, b^2 I) are Gaussian: (direction . c)^2 + (a - b)^2. Weighted as well: weights
 * that do not depend on the rows leave the law as it is. */
static void gaussians(void **unused)
{
  (void)unused;
  size_t d = 4;
  for (int weighted = 0; weighted < 2; weighted++) {
    cloud(11, N, d, 1, x);
    cloud(12, N, d, 0.4, y);
    for (size_t i = 0; i < N; i++) {
      y[i * d] += 2;
      wx[i] = 0.5 + fg_uniform(fg_philox(13, 1, i, 0, 0).w[0]);
      wy[i] = 0.5 + fg_uniform(fg_philox(13, 1, i, 0, 0).w[1]);
    }
    fg_w2_slices w2 = slices(400, 5, N, N, d, x, weighted ? wx : NULL, y, weighted ? wy : NULL, NULL);
    /* Means of 3000 rows: 2 * 2 * sqrt(1.16 / 3000) / 4 = 0.02, standard deviations 0.01, the bias of finite samples
     * below 0.005; half as much again with weights. */
    assert_true(fabs(w2.squared - (4.0 / 4 + 0.36)) < 3 * hypot(0.03, w2.standard_error));
  }
}

/* Weights count rows, and the order of the rows does not matter. */
static void weights_and_order(void **unused)
{
  (void)unused;
  enum { ROWS = 200 };
  size_t d = 3, many = 0;
  cloud(21, ROWS, d, 1, x);
  cloud(22, ROWS, d, 2, y);
  static double repeated[N * 3], turned[ROWS * 3], wt[ROWS];
  for (size_t i = 0; i < ROWS; i++) {
    size_t times = fg_philox(23, 1, i, 0, 0).w[0] % 4;
    wx[i] = (double)times;
    for (size_t c = 0; c < times; c++) memcpy(repeated + d * many++, x + d * i, d * sizeof *x);
    memcpy(turned + d * (i * 111 % ROWS), x + d * i, d * sizeof *x);
    wt[i * 111 % ROWS] = wx[i];
  }
  fg_w2_slices a = slices(30, 1, ROWS, ROWS, d, x, wx, y, NULL, NULL);
  fg_w2_slices b = slices(30, 1, many, ROWS, d, repeated, NULL, y, NULL, NULL);
  fg_w2_slices c = slices(30, 1, ROWS, ROWS, d, turned, wt, y, NULL, NULL);
  /* rounding: other origins and other sums */
  assert_true(fabs(a.squared - b.squared) < 1e-12 && fabs(a.max_squared - b.max_squared) < 1e-12);
  assert_true(fabs(a.squared - c.squared) < 1e-12 && a.max_direction == c.max_direction);
  assert_true(a.n < ROWS && b.n == many && a.m == ROWS);
  /* a copy in another order is at distance 0, to the rounding of another origin */
  assert_true(slices(30, 1, ROWS, ROWS, d, x, NULL, turned, NULL, NULL).value < 1e-15);
}

/* One axis at a time is the exact distance of a column; so is d = 1. */
static void columns(void **unused)
{
  (void)unused;
  size_t n = 700, m = 500;
  static double column_x[700], column_y[500];
  const double axes[] = {1, 0, 0, 1};
  cloud(31, n, 2, 1, x);
  cloud(32, m, 2, 3, y);
  for (size_t i = 0; i < n; i++) wx[i] = fg_uniform(fg_philox(33, 1, i, 0, 0).w[0]);
  double mean = 0;
  fg_status st;
  fg_w2 w2;
  fg_w2_slices s;
  for (size_t k = 0; k < 2; k++) {
    fg_w2_sliced_settings one = {1, 0, axes + 2 * k}, drawn = {9, 4, NULL};
    for (size_t i = 0; i < n; i++) column_x[i] = x[2 * i + k];
    for (size_t j = 0; j < m; j++) column_y[j] = y[2 * j + k];
    assert_int_equal(fg_w2_exact(NULL, NULL, n, m, 1, column_x, wx, column_y, NULL, NULL, &w2, &st), FG_OK);
    assert_int_equal(fg_w2_sliced(NULL, NULL, &one, n, m, 2, x, wx, y, NULL, NULL, NULL, &s, &st), FG_OK);
    assert_true(fabs(s.squared - w2.squared) < 1e-12 * w2.squared);
    assert_true(isnan(s.standard_error));
    double direction = 0;
    assert_int_equal(
        fg_w2_sliced(NULL, NULL, &drawn, n, m, 1, column_x, wx, column_y, NULL, NULL, &direction, &s, &st),
        FG_OK);
    assert_true(s.squared == w2.squared && s.max_squared == w2.squared && s.standard_error == 0);
    assert_true(s.directions == 1 && direction == 1);
    mean += w2.squared / 2;
  }
  fg_w2_sliced_settings both = {2, 0, axes};
  assert_int_equal(fg_w2_sliced(NULL, NULL, &both, n, m, 2, x, wx, y, NULL, NULL, NULL, &s, &st), FG_OK);
  assert_true(fabs(s.squared - mean) < 1e-12 * mean);
}

/* Directions cover the sphere: mean of direction direction' is I / d. */
static void directions_are_even(void **unused)
{
  (void)unused;
  enum { D = 3, COUNT = 20000 };
  double moment[D][D] = {{0}}, first[D] = {0}, direction[D];
  for (uint64_t k = 0; k < COUNT; k++) {
    double square = 0;
    fg_direction(9, k, D, direction);
    for (int i = 0; i < D; i++) {
      first[i] += direction[i] / COUNT;
      square += direction[i] * direction[i];
      for (int j = 0; j < D; j++) moment[i][j] += direction[i] * direction[j] / COUNT;
    }
    assert_true(fabs(square - 1) < 1e-14);
  }
  /* standard deviations: 0.0041, 0.0021 and 0.0018 */
  for (int i = 0; i < D; i++) {
    assert_true(fabs(first[i]) < 0.016);
    for (int j = 0; j < D; j++) assert_true(fabs(moment[i][j] - (i == j ? 1.0 / 3 : 0)) < 0.009);
  }
}

static void same_on_any_threads(void **unused)
{
  (void)unused;
  size_t d = 5;
  const int counts[] = {1, 2, 5};
  cloud(41, N, d, 1, x);
  cloud(42, N, d, 1.1, y);
  for (size_t i = 0; i < N; i++) wy[i] = fg_uniform(fg_philox(43, 1, i, 0, 0).w[0]);
  fg_w2_slices first = slices(37, 8, N, N - 500, d, x, NULL, y, wy, NULL);
  for (int c = 0; c < 3; c++) {
    fg_threads *threads;
    fg_w2_sliced_settings s = {37, 8, NULL};
    fg_w2_slices w2;
    assert_int_equal(fg_threads_create(counts[c], &threads, NULL), FG_OK);
    assert_int_equal(fg_w2_sliced(NULL, threads, &s, N, N - 500, d, x, NULL, y, wy, NULL, NULL, &w2, NULL),
                     FG_OK);
    assert_true(w2.squared == first.squared && w2.standard_error == first.standard_error &&
                w2.max_squared == first.max_squared && w2.max_direction == first.max_direction);
    fg_threads_destroy(&threads);
  }
  assert_true(slices(37, 9, N, N - 500, d, x, NULL, y, wy, NULL).squared != first.squared);
  /* The first directions do not depend on how many follow. */
  assert_true(slices(1, 8, N, N - 500, d, x, NULL, y, wy, NULL).squared <= first.max_squared);
}

/* From 1e-150 to 1e150, and far from 0. */
static void scales(void **unused)
{
  (void)unused;
  enum { ROWS = 100 };
  static double a[2 * ROWS], b[2 * ROWS];
  const double sizes[] = {1e-150, 1e-20, 1e20, 1e150};
  cloud(51, ROWS, 2, 1, x);
  cloud(52, ROWS, 2, 2, y);
  fg_w2_slices plain = slices(20, 1, ROWS, ROWS, 2, x, NULL, y, NULL, NULL);
  for (size_t s = 0; s < 4; s++) {
    for (size_t i = 0; i < 2 * ROWS; i++) {
      a[i] = x[i] * sizes[s];
      b[i] = y[i] * sizes[s];
    }
    fg_w2_slices scaled = slices(20, 1, ROWS, ROWS, 2, a, NULL, b, NULL, NULL);
    assert_true(fabs(scaled.value / sizes[s] - plain.value) < 1e-12);
    assert_true(fabs(scaled.max_value / sizes[s] - plain.max_value) < 1e-12);
  }
  /* whole numbers of 2^-20 stay what they are beside 2^30 */
  for (size_t i = 0; i < 2 * ROWS; i++) {
    x[i] = rint(ldexp(x[i], 20)) / 1048576;
    y[i] = rint(ldexp(y[i], 20)) / 1048576;
    a[i] = x[i] + 1073741824.0;
    b[i] = y[i] + 1073741824.0;
  }
  plain = slices(20, 1, ROWS, ROWS, 2, x, NULL, y, NULL, NULL);
  assert_true(fabs(slices(20, 1, ROWS, ROWS, 2, a, NULL, b, NULL, NULL).value - plain.value) < 1e-13);
  /* All rows in one place, and one row each. */
  for (size_t i = 0; i < 2 * ROWS; i++) a[i] = 3e200;
  assert_true(slices(5, 1, ROWS, 7, 2, a, NULL, a, NULL, NULL).value == 0);
  a[0] = b[1] = 1;
  a[1] = b[0] = 0;
  double direction[2];
  fg_w2_slices single = slices(1, 1, 1, 1, 2, a, NULL, b, NULL, direction);
  assert_true(fabs(single.value - fabs(direction[0] - direction[1])) < 1e-15);
}

static void refused(void **unused)
{
  (void)unused;
  fg_w2_sliced_settings s = {10, 1, NULL};
  fg_w2_slices result;
  fg_status st;
  volatile sig_atomic_t cancel = 1;
  fg_progress progress = {NULL, NULL, &cancel};
  cloud(61, 20, 3, 1, x);
  cloud(62, 20, 3, 1, y);
#define CALL(n, m, d) fg_w2_sliced(NULL, NULL, &s, n, m, d, x, NULL, y, NULL, NULL, NULL, &result, &st)
  assert_int_equal(CALL(0, 20, 3), FG_USAGE);
  assert_int_equal(CALL(20, 20, 0), FG_USAGE);
  s.directions = 0;
  assert_int_equal(CALL(20, 20, 3), FG_USAGE);
  assert_non_null(strstr(st.message, "directions"));
  s.directions = 10;
  y[3 * 7 + 1] = NAN;
  assert_int_equal(CALL(20, 20, 3), FG_NUMERICS);
  assert_non_null(strstr(st.message, "row 7 of y"));
  assert_int_equal(CALL(20, 20, 1), FG_OK); /* the NaN is beyond the 20 numbers */
  double given[6] = {1, 0, 0, 0, INFINITY, 0};
  s = (fg_w2_sliced_settings){2, 1, given};
  assert_int_equal(CALL(20, 7, 3), FG_NUMERICS);
  assert_non_null(strstr(st.message, "direction 1"));
  s = (fg_w2_sliced_settings){10, 1, NULL};
  assert_int_equal(fg_w2_sliced(NULL, NULL, &s, 20, 7, 3, x, NULL, y, NULL, &progress, NULL, &result, &st),
                   FG_INTERRUPTED);
#undef CALL
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults),
      cmocka_unit_test(translation),
      cmocka_unit_test(gaussians),
      cmocka_unit_test(weights_and_order),
      cmocka_unit_test(columns),
      cmocka_unit_test(directions_are_even),
      cmocka_unit_test(same_on_any_threads),
      cmocka_unit_test(scales),
      cmocka_unit_test(refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

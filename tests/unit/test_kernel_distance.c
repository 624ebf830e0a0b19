/* needs: analysis */
/* MMD and energy distance: closed forms, long double, no bias, one dimension by sorting, the median distance, scales,
 * threads, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "analysis/statistics.h"
#include "analysis/transport/kernel_distance.h"
#include "flowgap/analysis.h"
#include "formula/random.h"

enum { N = 6000, D_MAX = 4 };

static double x[N * D_MAX], y[N * D_MAX], wx[N], wy[N];
static fg_engine *engine;

static void cloud(uint64_t seed, size_t n, size_t d, double sd, double *to)
{
  for (size_t i = 0; i < n * d; i++) to[i] = sd * fg_normal(seed, 1, i, 0, 0);
}

static void weights(uint64_t seed, size_t n, double *w)
{
  for (size_t i = 0; i < n; i++) w[i] = fg_uniform(fg_philox(seed, 1, i, 0, 0).w[0]);
}

static fg_kernel_distance mmd(double h, size_t n, size_t m, size_t d, const double *left, const double *right)
{
  fg_kernel_distance result;
  fg_status st;
  if (fg_mmd(engine, fg_engine_threads(engine), h, n, m, d, x, left, y, right, NULL, &result, &st) != FG_OK)
    fail_msg("%s", st.message);
  return result;
}

static fg_kernel_distance energy(size_t n, size_t m, size_t d, const double *left, const double *right)
{
  fg_kernel_distance result;
  fg_status st;
  if (fg_energy(engine, fg_engine_threads(engine), n, m, d, x, left, y, right, NULL, &result, &st) != FG_OK)
    fail_msg("%s", st.message);
  return result;
}

/* ---- closed forms -------------------------------------------------------------------------- */

static void two_points(void **unused)
{
  (void)unused;
  for (size_t d = 1; d <= 4; d++) {
    double length = 0, kernel = 0;
    for (size_t k = 0; k < d; k++) length += 1 + (double)k;
    length = sqrt(length);
    for (size_t i = 0; i < 5 * d; i++) {
      x[i] = 3;
      y[i] = 3 + sqrt(1 + (double)(i % d));
    }
    for (int h = -1; h <= 1; h++) kernel += exp(-length * length / 2 / ldexp(4, 2 * h)) / 3;
    fg_kernel_distance m = mmd(2, 3, 5, d, NULL, NULL), e = energy(3, 5, d, NULL, NULL);
    assert_true(fabs(m.squared - (2 - 2 * kernel)) < 1e-14 && m.bandwidth == 2 && m.n == 3 && m.m == 5);
    assert_true(fabs(e.squared - 2 * length) < 1e-14 * length && isnan(e.bandwidth));
    assert_true(m.value == sqrt(m.squared) && e.value == sqrt(e.squared));
    /* the same place on both sides: no distance, whatever the kernel's width */
    memcpy(y, x, 5 * d * sizeof *x);
    m = mmd(NAN, 3, 5, d, NULL, NULL);
    assert_true(m.squared == 0 && m.bandwidth == 1 && energy(3, 5, d, NULL, NULL).squared == 0);
  }
}

/* E k(X, Y) where X - Y is N(c, s^2 I) in d dimensions. */
static double gaussian_mean(double h, double s, double c, double d)
{
  double sum = 0;
  for (int k = -1; k <= 1; k++) {
    const double width = ldexp(h, k) * ldexp(h, k), wide = width + s * s;
    sum += pow(width / wide, d / 2) * exp(-c * c / (2 * wide)) / 3;
  }
  return sum;
}

/* N(0, I) and N(c, a^2 I). Weights that do not depend on the rows leave the laws as they are. */
static void gaussians(void **unused)
{
  (void)unused;
  const double a = 0.6, c = 0.8;
  for (size_t d = 2; d <= 3; d++)
    for (int weighted = 0; weighted < 2; weighted++) {
      cloud(11, N, d, 1, x);
      cloud(12, N, d, a, y);
      for (size_t i = 0; i < N; i++) y[i * d] += c;
      weights(13, N, wx);
      weights(14, N, wy);
      for (double h = 0.5; h < 3; h *= 2) {
        const double dd = (double)d, want = gaussian_mean(h, sqrt(2), 0, dd) +
                                            gaussian_mean(h, sqrt(2) * a, 0, dd) -
                                            2 * gaussian_mean(h, sqrt(1 + a * a), c, dd);
        const double got = mmd(h, N, N, d, weighted ? wx : NULL, weighted ? wy : NULL).squared;
        /* a mean over rows of a function between -1 and 1 of standard deviation below 0.3, doubled, for each sample;
         * (sum w^2 = 4/3 N^-1 with weights): three of 0.3 * 2 * sqrt(2 * 4 / 3 / N) = 0.013 */
        assert_true(fabs(got - want) < 0.04);
        assert_true(want > 0.07);
      }
    }
}

/* In one dimension X - Y is N(c, s^2): E|X - Y| = s sqrt(2/pi) exp(-c^2 / (2 s^2)) + c erf(c / (s sqrt 2)). */
static double normal_mean(double c, double s)
{
  return s * sqrt(2 / FG_PI) * exp(-c * c / (2 * s * s)) + c * erf(c / (s * sqrt(2)));
}

static void normals(void **unused)
{
  (void)unused;
  const double a = 1.7, c = 0.9;
  cloud(21, N, 1, 1, x);
  cloud(22, N, 1, a, y);
  weights(23, N, wx);
  for (size_t i = 0; i < N; i++) y[i] += c;
  const double want =
      2 * normal_mean(c, sqrt(1 + a * a)) - normal_mean(0, sqrt(2)) - normal_mean(0, sqrt(2) * a);
  /* a mean over rows of |x - y| - |x - x'|, standard deviation below 1, doubled: three of 2 sqrt(2 * 4 / 3 / N) */
  assert_true(fabs(energy(N, N, 1, NULL, NULL).squared - want) < 0.13);
  assert_true(fabs(energy(N, N, 1, wx, NULL).squared - want) < 0.13);
  assert_true(want > 0.3);
}

/* ---- the definition ------------------------------------------------------------------------ */

static long double kernel(double h, size_t d, const double *p, const double *q)
{
  long double square = 0, sum = 0;
  for (size_t k = 0; k < d; k++) square += ((long double)p[k] - q[k]) * ((long double)p[k] - q[k]);
  if (isnan(h)) return -sqrtl(square);
  for (int k = -1; k <= 1; k++) sum += expl(-square / (2 * ldexpl(h, k) * ldexpl(h, k)));
  return sum / 3;
}

static long double mean_kernel(double h, size_t n, size_t m, size_t d, const double *p, const double *wp,
                               const double *q, const double *wq)
{
  long double sum = 0, total = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < m; j++) {
      if (p == q && i == j) continue;
      const long double w = (long double)(wp ? wp[i] : 1) * (wq ? wq[j] : 1);
      sum += w * kernel(h, d, p + i * d, q + j * d);
      total += w;
    }
  return sum / total;
}

static void against_long_double(void **unused)
{
  (void)unused;
  const size_t n = 120, m = 90;
  for (size_t d = 1; d <= 4; d++)
    for (int weighted = 0; weighted < 4; weighted++) {
      cloud(31, n, d, 1, x);
      cloud(32, m, d, 1.3, y);
      weights(33, n, wx);
      weights(34, m, wy);
      wx[7] = wy[0] = 0;
      memcpy(x + 3 * d, x + 9 * d, d * sizeof *x); /* ties */
      memcpy(y + 4 * d, x + 9 * d, d * sizeof *x);
      const double *left = weighted & 1 ? wx : NULL, *right = weighted & 2 ? wy : NULL;
      for (int which = 0; which < 2; which++) {
        const double h = which ? NAN : 0.9;
        const long double want = mean_kernel(h, n, n, d, x, left, x, left) +
                                 mean_kernel(h, m, m, d, y, right, y, right) -
                                 2 * mean_kernel(h, n, m, d, x, left, y, right);
        fg_kernel_distance got = which ? energy(n, m, d, left, right) : mmd(h, n, m, d, left, right);
        assert_true(fabsl(got.squared - want) < 1e-14L); /* sums of terms of size 1 to 3 */
        assert_true(got.n == n - (left != NULL) && got.m == m - (right != NULL));
        assert_true(got.value == sqrt(fmax(0, got.squared)));
      }
    }
}

/* By sorting in one dimension, by pairs with a second coordinate that is always the same. */
static void line_and_plane(void **unused)
{
  (void)unused;
  static double flat_x[2 * 900], flat_y[2 * 700];
  const size_t n = 900, m = 700;
  fg_kernel_distance plane;
  cloud(41, n, 1, 1, x);
  cloud(42, m, 1, 1.1, y);
  weights(43, m, wy);
  for (size_t i = 0; i < n; i++) flat_x[2 * i] = x[i], flat_x[2 * i + 1] = 5;
  for (size_t j = 0; j < m; j++) flat_y[2 * j] = y[j], flat_y[2 * j + 1] = 5;
  assert_int_equal(fg_energy(engine, NULL, n, m, 2, flat_x, NULL, flat_y, wy, NULL, &plane, NULL), FG_OK);
  assert_true(fabs(energy(n, m, 1, NULL, wy).squared - plane.squared) < 1e-14);
}

/* Of equal laws the mean is 0, with as few rows as there may be; also weighted. */
static void no_bias(void **unused)
{
  (void)unused;
  enum { TIMES = 3000 };
  static double got[4][TIMES];
  for (uint64_t t = 0; t < TIMES; t++) {
    cloud(1000 + t, 4, 2, 1, x);
    cloud(9000 + t, 2, 2, 1, y);
    weights(17000 + t, 4, wx);
    got[0][t] = mmd(1, 4, 2, 2, NULL, NULL).squared;
    got[1][t] = mmd(1, 4, 2, 2, wx, NULL).squared;
    got[2][t] = energy(4, 2, 2, wx, NULL).squared;
    got[3][t] = energy(4, 2, 1, NULL, NULL).squared;
  }
  for (int k = 0; k < 4; k++) {
    const double error = sqrt(fg_variance(TIMES, got[k]) / TIMES);
    assert_true(fabs(fg_mean(TIMES, got[k])) < 4 * error);
    assert_true(error < 0.05); /* V-statistics would be off by 0.3 and more */
  }
}

/* ---- the median ---------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
  const double p = *(const double *)a, q = *(const double *)b;
  return (p > q) - (p < q);
}

static double median(size_t n, size_t m, size_t d, const double *left)
{
  double h;
  fg_status st;
  if (fg_median_distance(n, m, d, x, left, y, NULL, &h, &st) != FG_OK) fail_msg("%s", st.message);
  return h;
}

static void medians(void **unused)
{
  (void)unused;
  enum { FEW = 40 };
  static double all[FEW * (FEW - 1) / 2], pooled[2 * FEW];
  for (size_t n = 1; n < FEW; n += 9) {
    size_t count = 0;
    cloud(51, n, 2, 1, x);
    cloud(52, FEW - n, 2, 2, y);
    memcpy(pooled, x, 2 * n * sizeof *x);
    memcpy(pooled + 2 * n, y, 2 * (FEW - n) * sizeof *x);
    for (size_t i = 0; i < FEW; i++)
      for (size_t j = 0; j < i; j++)
        all[count++] = hypot(pooled[2 * i] - pooled[2 * j], pooled[2 * i + 1] - pooled[2 * j + 1]);
    qsort(all, count, sizeof *all, by_size);
    assert_true(fabs(median(n, FEW - n, 2, NULL) / all[count / 2] - 1) < 1e-15);
  }
  cloud(53, N, 2, 1, x);
  cloud(54, N, 2, 1, y);
  /* |a - b| / sqrt 2 is Rayleigh's: median sqrt(2 log 2), times sqrt 2. A million pairs of 12,000 rows: the rows' own error
   * is some 1 / sqrt(12000) */
  assert_true(fabs(median(N, N, 2, NULL) / sqrt(4 * log(2)) - 1) < 0.02);
  assert_true(median(N, N, 2, NULL) == median(N, N, 2, NULL));
  assert_true(mmd(NAN, 500, 400, 2, NULL, NULL).bandwidth == median(500, 400, 2, NULL));
  /* most rows in one place: the median of what is apart; rows of weight 0 do not count */
  for (size_t i = 0; i < 60; i++) x[i] = y[i] = 1;
  x[0] = 4;
  assert_true(median(30, 30, 1, NULL) == 3);
  for (size_t i = 0; i < 30; i++) wx[i] = i > 0;
  assert_true(median(30, 30, 1, wx) == 1);
}

/* ---- scales, threads, refusals --------------------------------------------------------------- */

static void scales(void **unused)
{
  (void)unused;
  const size_t n = 60;
  const double sizes[] = {1e-150, 1e-20, 1e20, 1e150};
  static double a[120], b[120];
  fg_kernel_distance got;
  cloud(61, n, 2, 1, x);
  cloud(62, n, 2, 1.5, y);
  const fg_kernel_distance m = mmd(NAN, n, n, 2, NULL, NULL), e = energy(n, n, 2, NULL, NULL);
  for (size_t s = 0; s < 4; s++) {
    for (size_t i = 0; i < 2 * n; i++) a[i] = x[i] * sizes[s], b[i] = y[i] * sizes[s];
    assert_int_equal(fg_mmd(engine, NULL, NAN, n, n, 2, a, NULL, b, NULL, NULL, &got, NULL), FG_OK);
    assert_true(fabs(got.squared - m.squared) < 1e-14 &&
                fabs(got.bandwidth / sizes[s] / m.bandwidth - 1) < 1e-14);
    assert_int_equal(fg_energy(engine, NULL, n, n, 2, a, NULL, b, NULL, NULL, &got, NULL), FG_OK);
    assert_true(fabs(got.squared / sizes[s] - e.squared) < 1e-14);
    assert_int_equal(fg_energy(NULL, NULL, n, n, 1, a, NULL, b, NULL, NULL, &got, NULL), FG_OK);
    assert_true(isfinite(got.squared) && got.squared != 0);
  }
  /* whole numbers of 2^-20 stay what they are beside 2^30 */
  for (size_t i = 0; i < 2 * n; i++) {
    x[i] = rint(ldexp(x[i], 20)) / 1048576;
    y[i] = rint(ldexp(y[i], 20)) / 1048576;
  }
  const fg_kernel_distance near = mmd(1, n, n, 2, NULL, NULL), short_way = energy(n, n, 1, NULL, NULL);
  for (size_t i = 0; i < 2 * n; i++) x[i] += 1073741824.0, y[i] += 1073741824.0;
  assert_true(fabs(mmd(1, n, n, 2, NULL, NULL).squared - near.squared) < 1e-14);
  assert_true(fabs(energy(n, n, 1, NULL, NULL).squared - short_way.squared) < 1e-14);
  /* kernels far too narrow and far too wide see nothing, or no difference */
  assert_true(mmd(1e-300, n, n, 2, NULL, NULL).squared == 0);
  assert_true(fabs(mmd(1e300, n, n, 2, NULL, NULL).squared) < 1e-14);
}

static void same_on_any_threads(void **unused)
{
  (void)unused;
  fg_kernel_distance first[2], other[2];
  cloud(71, 1000, 3, 1, x);
  cloud(72, 900, 3, 1.1, y);
  weights(73, 1000, wx);
  for (int count = 1; count <= 5; count += 2) {
    fg_threads *threads;
    fg_kernel_distance *to = count == 1 ? first : other;
    assert_int_equal(fg_threads_create(count, &threads, NULL), FG_OK);
    assert_int_equal(fg_mmd(engine, threads, NAN, 1000, 900, 3, x, wx, y, NULL, NULL, &to[0], NULL), FG_OK);
    assert_int_equal(fg_energy(engine, threads, 1000, 900, 3, x, wx, y, NULL, NULL, &to[1], NULL), FG_OK);
    fg_threads_destroy(&threads);
    for (int k = 0; k < 2; k++) assert_true(count == 1 || first[k].squared == other[k].squared);
  }
}

static void refused(void **unused)
{
  (void)unused;
  fg_kernel_distance result;
  fg_status st;
  volatile sig_atomic_t cancel = 1;
  const fg_progress progress = {NULL, NULL, &cancel};
  cloud(81, 20, 2, 1, x);
  cloud(82, 20, 2, 1, y);
#define MMD(e, h, n, m, d) fg_mmd(e, NULL, h, n, m, d, x, NULL, y, NULL, NULL, &result, &st)
#define ENERGY(e, n, m, d) fg_energy(e, NULL, n, m, d, x, NULL, y, NULL, NULL, &result, &st)
  assert_int_equal(MMD(engine, 1, 1, 20, 2), FG_USAGE);
  assert_non_null(strstr(st.message, "two rows"));
  assert_int_equal(ENERGY(engine, 20, 1, 2), FG_USAGE);
  assert_int_equal(ENERGY(NULL, 20, 1, 1), FG_USAGE);
  assert_int_equal(ENERGY(NULL, 20, 20, 1), FG_OK); /* a sort needs no engine */
  assert_int_equal(ENERGY(NULL, 20, 20, 2), FG_USAGE);
  assert_int_equal(MMD(NULL, 1, 20, 20, 2), FG_USAGE);
  assert_non_null(strstr(st.message, "engine"));
  assert_int_equal(MMD(engine, 0, 20, 20, 2), FG_USAGE);
  assert_int_equal(MMD(engine, INFINITY, 20, 20, 2), FG_USAGE);
  assert_non_null(strstr(st.message, "bandwidth"));
  assert_int_equal(MMD(engine, 1, 20, 0, 2), FG_USAGE);
  y[2 * 7 + 1] = NAN;
  assert_int_equal(MMD(engine, NAN, 20, 20, 2), FG_NUMERICS);
  assert_non_null(strstr(st.message, "row 7 of y"));
  assert_int_equal(ENERGY(engine, 20, 20, 2), FG_NUMERICS);
  assert_int_equal(fg_energy(engine, NULL, 20, 7, 2, x, NULL, y, NULL, &progress, &result, &st),
                   FG_INTERRUPTED);
#undef MMD
#undef ENERGY
}

static int open_engine(void **unused)
{
  (void)unused;
  return fg_engine_open("cpu-check", 2, &engine, NULL) == FG_OK ? 0 : -1;
}

static int close_engine(void **unused)
{
  (void)unused;
  fg_engine_close(&engine);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_points),
      cmocka_unit_test(gaussians),
      cmocka_unit_test(normals),
      cmocka_unit_test(line_and_plane),
      cmocka_unit_test(against_long_double),
      cmocka_unit_test(no_bias),
      cmocka_unit_test(medians),
      cmocka_unit_test(scales),
      cmocka_unit_test(same_on_any_threads),
      cmocka_unit_test(refused),
  };
  return cmocka_run_group_tests(tests, open_engine, close_engine);
}

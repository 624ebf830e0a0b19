/* needs: analysis */
/* Max-sliced W2: closed forms, bounds from both sides, order, threads, scales, refusals. */
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

enum { N = 4000, D_MAX = 20 };

static double x[N * D_MAX], y[N * D_MAX], wx[N], wy[N];

static void cloud(uint64_t seed, size_t n, size_t d, double sd, double *to)
{
  for (size_t i = 0; i < n * d; i++) to[i] = sd * fg_normal(seed, 1, i, 0, 0);
}

static void weights(uint64_t seed, size_t n, double *w)
{
  for (size_t i = 0; i < n; i++) w[i] = fg_uniform(fg_philox(seed, 1, i, 0, 0).w[0]);
}

static fg_w2_steepest climb(const fg_w2_max_sliced_settings *s, size_t n, size_t m, size_t d, const double *a,
                            const double *wa, const double *b, const double *wb, double *direction)
{
  fg_w2_max_sliced_settings usual;
  fg_w2_steepest result;
  fg_status st;
  fg_w2_max_sliced_defaults(&usual);
  if (fg_w2_max_sliced(NULL, NULL, s ? s : &usual, n, m, d, a, wa, b, wb, NULL, direction, &result, &st) !=
      FG_OK)
    fail_msg("%s", st.message);
  return result;
}

static void defaults(void **unused)
{
  (void)unused;
  fg_w2_max_sliced_settings s;
  fg_w2_max_sliced_defaults(&s);
  assert_true(s.directions == 100 && s.starts == 4 && s.steps == 200 && s.seed == 1);
}

/* A translation by c: (direction . c)^2, largest along c. */
static void translation(void **unused)
{
  (void)unused;
  const size_t dimensions[] = {2, 3, 20};
  for (size_t s = 0; s < 3; s++) {
    const size_t d = dimensions[s], n = 60;
    double length = 0, direction[D_MAX];
    cloud(3, n, d, 1, x);
    for (size_t i = 0; i < n * d; i++) y[i] = x[i] + 1 + (double)(i % d);
    for (size_t k = 0; k < d; k++) length += (1 + (double)k) * (1 + (double)k);
    for (int mean = 0; mean < 2; mean++) {
      /* one climb from the difference of the means, which is the answer; then from all drawn ones as well */
      const fg_w2_max_sliced_settings how = {50, mean ? 1 : 51, 200, 7};
      fg_w2_steepest w2 = climb(&how, n, n, d, x, NULL, y, NULL, direction);
      assert_true(fabs(w2.squared / length - 1) < 1e-12 && w2.value == sqrt(w2.squared));
      assert_true(w2.unsettled == 0 && w2.slope < 1e-6 && w2.n == n && w2.m == n);
      for (size_t k = 0; k < d; k++)
        assert_true(fabs(fabs(direction[k]) - (1 + (double)k) / sqrt(length)) < 1e-7);
    }
  }
}

/* N(0, P) and N(c, Q) with P and Q diagonal: along u, (u.c)^2 + (sqrt(u'Pu) - sqrt(u'Qu))^2. */
static double gaussian_cost(const double u[3], const double c[3], const double p[3], const double q[3])
{
  double along = 0, left = 0, right = 0;
  for (int k = 0; k < 3; k++) {
    along += u[k] * c[k];
    left += u[k] * u[k] * p[k];
    right += u[k] * u[k] * q[k];
  }
  return along * along + (sqrt(left) - sqrt(right)) * (sqrt(left) - sqrt(right));
}

static void gaussians(void **unused)
{
  (void)unused;
  const struct {
    double c[3], p[3], q[3];
  } cases[] = {{{2, 1, 0}, {1, 4, 0.25}, {1, 4, 0.25}},
               {{0, 0, 0}, {1, 1, 1}, {1, 1, 9}},
               {{1, 0, 0.5}, {1, 4, 1}, {2, 0.25, 1}}};
  for (size_t s = 0; s < 3; s++) {
    double most = 0, u[3], direction[3];
    for (int i = 0; i <= 400; i++)
      for (int j = 0; j < 800; j++) {
        const double height = i / 200.0 - 1, ring = sqrt(1 - height * height), angle = FG_PI * j / 400;
        u[0] = ring * cos(angle), u[1] = ring * sin(angle), u[2] = height;
        most = fmax(most, gaussian_cost(u, cases[s].c, cases[s].p, cases[s].q));
      }
    cloud(11 + s, N, 3, 1, x);
    cloud(21 + s, N, 3, 1, y);
    for (size_t i = 0; i < 3 * N; i++) {
      x[i] *= sqrt(cases[s].p[i % 3]);
      y[i] = cases[s].c[i % 3] + sqrt(cases[s].q[i % 3]) * y[i];
    }
    fg_w2_steepest w2 = climb(NULL, N, N, 3, x, NULL, y, NULL, direction);
    /* standard error of the square: below 2 W2 (spread of 3) sqrt(2 / 4000), three of them; the same at the direction
     * found, where the law's cost must be close to its largest */
    const double error = 3 * 2 * sqrt(most) * 3 * sqrt(2.0 / N);
    assert_true(fabs(w2.squared - most) < error);
    assert_true(gaussian_cost(direction, cases[s].c, cases[s].p, cases[s].q) > most - error);
    assert_int_equal(w2.unsettled, 0);
  }
}

/* One axis of 20 carries all the difference: random directions see a 20th of it at best. */
static void one_axis(void **unused)
{
  (void)unused;
  const size_t d = 20, n = 2000;
  double direction[D_MAX];
  cloud(31, n, d, 1, x);
  cloud(32, n, d, 1, y);
  for (size_t i = 0; i < n; i++) y[i * d + 13] *= 3;
  const fg_w2_sliced_settings drawn = {100, 1, NULL};
  fg_w2_slices slices;
  assert_int_equal(fg_w2_sliced(NULL, NULL, &drawn, n, n, d, x, NULL, y, NULL, NULL, NULL, &slices, NULL),
                   FG_OK);
  fg_w2_steepest w2 = climb(NULL, n, n, d, x, NULL, y, NULL, direction);
  /* (3 - 1)^2; standard deviation of the larger scale 3 / sqrt(2 n) = 0.047, times 2 * 2 = 0.19 */
  assert_true(fabs(w2.squared - 4) < 0.75 && fabs(direction[13]) > 0.98);
  assert_true(w2.squared > 2 * slices.max_squared);
}

/* Between the drawn directions, and the exact distance in the whole space; weights and unequal sizes. */
static void bounds(void **unused)
{
  (void)unused;
  const size_t d = 4, n = 90, m = 130;
  for (uint64_t seed = 0; seed < 6; seed++) {
    cloud(41 + seed, n, d, 1, x);
    cloud(51 + seed, m, d, 1 + 0.1 * (double)seed, y);
    weights(61 + seed, n, wx);
    weights(71 + seed, m, wy);
    const double *left = seed % 2 ? wx : NULL, *right = seed % 3 ? wy : NULL;
    const fg_w2_max_sliced_settings how = {30, 3, 200, seed};
    double direction[4], axis[4];
    fg_w2_steepest most = climb(&how, n, m, d, x, left, y, right, direction);
    const fg_w2_sliced_settings drawn = {30, seed, NULL}, found = {1, 1, direction};
    fg_w2_slices slices;
    fg_w2 w2;
    assert_int_equal(fg_w2_sliced(NULL, NULL, &drawn, n, m, d, x, left, y, right, NULL, axis, &slices, NULL),
                     FG_OK);
    assert_int_equal(fg_w2_exact(NULL, NULL, n, m, d, x, left, y, right, NULL, &w2, NULL), FG_OK);
    assert_true(most.squared >= slices.max_squared && most.squared > slices.squared);
    assert_true(most.squared <= w2.squared * (1 + 1e-12));
    double square = 0;
    for (size_t k = 0; k < d; k++) square += direction[k] * direction[k];
    assert_true(fabs(square - 1) < 1e-14);
    assert_int_equal(fg_w2_sliced(NULL, NULL, &found, n, m, d, x, left, y, right, NULL, NULL, &slices, NULL),
                     FG_OK);
    assert_true(fabs(slices.squared - most.squared) < 1e-12 * most.squared);
  }
}

/* In the plane all directions can be tried. With few rows the cost has ridges, where two plans cost the same: climbs may
 * end on one, a little below the top. */
static void against_all_directions(void **unused)
{
  (void)unused;
  enum { ANGLES = 4000 };
  static double given[2 * ANGLES];
  for (int k = 0; k < ANGLES; k++) {
    given[2 * k] = cos(FG_PI * k / ANGLES);
    given[2 * k + 1] = sin(FG_PI * k / ANGLES);
  }
  for (uint64_t seed = 0; seed < 5; seed++) {
    const size_t n = 100;
    cloud(81 + seed, n, 2, 1, x);
    cloud(91 + seed, n, 2, 1.2, y);
    for (size_t i = 0; i < n; i++) y[2 * i] += 0.5;
    const fg_w2_sliced_settings all = {ANGLES, 1, given};
    fg_w2_slices slices;
    assert_int_equal(fg_w2_sliced(NULL, NULL, &all, n, n, 2, x, NULL, y, NULL, NULL, NULL, &slices, NULL),
                     FG_OK);
    assert_true(climb(NULL, n, n, 2, x, NULL, y, NULL, NULL).squared > 0.999 * slices.max_squared);
  }
}

/* One row each: the cost is (u.c)^2. One dimension: the exact distance. */
static void small(void **unused)
{
  (void)unused;
  const double a[3] = {1, 2, 3}, b[3] = {3, 0, 4};
  double direction[3];
  fg_w2_steepest w2 = climb(NULL, 1, 1, 3, a, NULL, b, NULL, direction);
  assert_true(fabs(w2.squared - 9) < 1e-13 && w2.n == 1 && w2.m == 1);
  assert_true(fabs(direction[0] + direction[1] * -1) > 1.3); /* (2, -2, 1) / 3 or its opposite */
  cloud(101, 300, 1, 1, x);
  cloud(102, 200, 1, 2, y);
  weights(103, 300, wx);
  fg_w2 exact;
  assert_int_equal(fg_w2_exact(NULL, NULL, 300, 200, 1, x, wx, y, NULL, NULL, &exact, NULL), FG_OK);
  w2 = climb(NULL, 300, 200, 1, x, wx, y, NULL, direction);
  assert_true(w2.squared == exact.squared && w2.unsettled == 0 && w2.slope == 0 && *direction == 1);
  for (size_t i = 0; i < 40; i++) x[i] = 3e200; /* all in one place */
  w2 = climb(NULL, 20, 5, 2, x, NULL, x, NULL, direction);
  assert_true(w2.squared == 0 && w2.slope == 0 && w2.unsettled == 0);
}

static void same_on_any_threads(void **unused)
{
  (void)unused;
  const size_t d = 5, n = 800, m = 700;
  const int counts[] = {1, 2, 5};
  const fg_w2_max_sliced_settings how = {20, 5, 30, 8};
  double first_direction[5], direction[5];
  cloud(111, n, d, 1, x);
  cloud(112, m, d, 1.1, y);
  weights(113, m, wy);
  fg_w2_steepest first = climb(&how, n, m, d, x, NULL, y, wy, first_direction);
  for (int c = 0; c < 3; c++) {
    fg_threads *threads;
    fg_w2_steepest w2;
    assert_int_equal(fg_threads_create(counts[c], &threads, NULL), FG_OK);
    assert_int_equal(
        fg_w2_max_sliced(NULL, threads, &how, n, m, d, x, NULL, y, wy, NULL, direction, &w2, NULL), FG_OK);
    assert_true(w2.squared == first.squared && w2.slope == first.slope && w2.steps == first.steps &&
                w2.unsettled == first.unsettled);
    assert_memory_equal(direction, first_direction, sizeof direction);
    fg_threads_destroy(&threads);
  }
  /* Climbs that are cut short say so. */
  const fg_w2_max_sliced_settings cut = {20, 5, 1, 8};
  fg_w2_steepest low = climb(&cut, n, m, d, x, NULL, y, wy, NULL);
  assert_true(low.unsettled > 0 && low.squared <= first.squared && low.steps <= 5);
}

static void scales(void **unused)
{
  (void)unused;
  enum { ROWS = 100 };
  static double a[3 * ROWS], b[3 * ROWS];
  const double sizes[] = {1e-150, 1e-20, 1e20, 1e150};
  cloud(121, ROWS, 3, 1, x);
  cloud(122, ROWS, 3, 2, y);
  fg_w2_steepest plain = climb(NULL, ROWS, ROWS, 3, x, NULL, y, NULL, NULL);
  for (size_t s = 0; s < 4; s++) {
    for (size_t i = 0; i < 3 * ROWS; i++) {
      a[i] = x[i] * sizes[s];
      b[i] = y[i] * sizes[s];
    }
    fg_w2_steepest scaled = climb(NULL, ROWS, ROWS, 3, a, NULL, b, NULL, NULL);
    /* other roundings, so other climbs: as close as their ends are flat */
    assert_true(fabs(scaled.value / sizes[s] - plain.value) < 1e-6 * plain.value);
  }
}

static void refused(void **unused)
{
  (void)unused;
  fg_w2_max_sliced_settings s = {10, 2, 50, 1};
  fg_w2_steepest result;
  fg_status st;
  volatile sig_atomic_t cancel = 1;
  fg_progress progress = {NULL, NULL, &cancel};
  cloud(131, 20, 3, 1, x);
  cloud(132, 20, 3, 1, y);
#define CALL(n, m, d) fg_w2_max_sliced(NULL, NULL, &s, n, m, d, x, NULL, y, NULL, NULL, NULL, &result, &st)
  assert_int_equal(CALL(0, 20, 3), FG_USAGE);
  assert_int_equal(CALL(20, 20, 0), FG_USAGE);
  s.starts = 0;
  assert_int_equal(CALL(20, 20, 3), FG_USAGE);
  assert_non_null(strstr(st.message, "start"));
  s.starts = 2;
  s.directions = 0;
  assert_int_equal(CALL(20, 20, 3), FG_USAGE);
  s.directions = 10;
  y[3 * 7 + 1] = NAN;
  assert_int_equal(CALL(20, 20, 3), FG_NUMERICS);
  assert_non_null(strstr(st.message, "row 7 of y"));
  assert_int_equal(
      fg_w2_max_sliced(NULL, NULL, &s, 20, 7, 3, x, NULL, y, NULL, &progress, NULL, &result, &st),
      FG_INTERRUPTED);
#undef CALL
}

/* The sort behind it: keys that share their upper bits are told apart all the same. */
static void near_keys(void **unused)
{
  (void)unused;
  enum { ROWS = 6000 };
  static double a[2 * ROWS], turned[2 * ROWS], w[ROWS], w_turned[ROWS];
  const double axis[2] = {1, 0}, steps[] = {0x1p-50, 0x1p-40, 0x1p-32};
  const fg_w2_sliced_settings one = {1, 1, axis};
  for (int weighted = 0; weighted < 2; weighted++)
    for (size_t k = 0; k < 3; k++) {
      /* all but one row lie beyond 1.25 from row 0, a step apart, and move by half a step */
      for (size_t i = 0; i < ROWS; i++) {
        const size_t other = i * 2003 % ROWS;
        a[2 * i] = i == 0 ? -1 : 0.25 + steps[k] * (double)i;
        turned[2 * other] = a[2 * i] + (i == 0 ? 0 : steps[k] / 2);
        w[i] = w_turned[other] = 1 + (double)(i % 2); /* where masses differ, whole marks are sorted */
      }
      fg_w2_slices s;
      assert_int_equal(fg_w2_sliced(NULL, NULL, &one, ROWS, ROWS, 2, a, weighted ? w : NULL, turned,
                                    weighted ? w_turned : NULL, NULL, NULL, &s, NULL),
                       FG_OK);
      /* all places are whole multiples of 2^-52: exact but for the sum */
      const double share = weighted ? 1 - 1.0 / (ROWS * 1.5) : 1 - 1.0 / ROWS;
      assert_true(fabs(s.squared / (steps[k] * steps[k] / 4 * share) - 1) < 1e-12);
    }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults), cmocka_unit_test(translation), cmocka_unit_test(gaussians),
      cmocka_unit_test(one_axis), cmocka_unit_test(bounds),      cmocka_unit_test(against_all_directions),
      cmocka_unit_test(small),    cmocka_unit_test(near_keys),   cmocka_unit_test(same_on_any_threads),
      cmocka_unit_test(scales),   cmocka_unit_test(refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

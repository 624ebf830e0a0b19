/* needs: analysis */
/* Transport between histograms in closed form: shifts, products, one bin against many; masses of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <signal.h>
#include <cmocka.h>

#include "flowgap/distance.h"
#include "formula/random.h"

static fg_w2 grid_w2(size_t bins, double half_width, const double *p, const double *q)
{
  const fg_w2_grid_settings grid = {bins, half_width};
  fg_w2 w2;
  fg_status st;
  if (fg_w2_grid(NULL, NULL, &grid, p, q, NULL, &w2, &st) != FG_OK) fail_msg("%s", st.message);
  assert_true(w2.primal == w2.dual); /* whole numbers: no rounding at all */
  return w2;
}

static void near(double got, double want, double relative)
{
  if (!(fabs(got - want) <= relative * fabs(want))) fail_msg("got %.17g, want %.17g", got, want);
}

/* A shift by (3, -2) nodes moves every mass by that: 13 squares of a step. Counts, ties everywhere; then masses that
 * are not whole. */
static void shifted(void **unused)
{
  (void)unused;
  enum { BINS = 72 };
  double *p = calloc(2 * BINS * BINS, sizeof *p), *q = p + BINS * BINS;
  assert_non_null(p);
  const double half_width = 0.5 * (BINS - 1); /* nodes one apart */
  for (int whole = 1; whole >= 0; whole--) {
    for (size_t i = 4; i < BINS - 4; i++)
      for (size_t j = 4; j < BINS - 4; j++) {
        double x = ((double)i - 30) / 12, y = ((double)j - 40) / 20;
        double mass = 500 * exp(-x * x - y * y - 0.5 * x * y) + 3;
        p[i * BINS + j] = q[(i + 3) * BINS + j - 2] = whole ? floor(mass) : mass;
      }
    /* Sums of masses that are not whole depend on their order to 2^-53. */
    near(grid_w2(BINS, half_width, p, q).squared, 13, whole ? 1e-15 : 1e-12);
  }
  free(p);
}

/* Axes are independent in products: W2^2 is the sum of those of the marginals, which are sorted. */
static void products(void **unused)
{
  (void)unused;
  enum { BINS = 50 };
  double axis[4][BINS], at[BINS], p[BINS * BINS], q[BINS * BINS];
  fg_status st;
  for (size_t k = 0; k < BINS; k++) {
    at[k] = 2 * (2 * (double)k / (BINS - 1) - 1);
    for (uint32_t a = 0; a < 4; a++)
      axis[a][k] =
          0.01 + exp(-pow(at[k] - 0.3 * a, 2)) * (1 + 0.5 * fg_uniform(fg_philox(7, a, k, 0, 0).w[0]));
  }
  for (size_t k = 0; k < BINS * BINS; k++) {
    p[k] = axis[0][k / BINS] * axis[1][k % BINS];
    q[k] = axis[2][k / BINS] * axis[3][k % BINS];
  }
  fg_w2 x, y;
  assert_int_equal(fg_w2_exact(NULL, NULL, BINS, BINS, 1, at, axis[0], at, axis[2], NULL, &x, &st), FG_OK);
  assert_int_equal(fg_w2_exact(NULL, NULL, BINS, BINS, 1, at, axis[1], at, axis[3], NULL, &y, &st), FG_OK);
  near(grid_w2(BINS, 2, p, q).squared, x.squared + y.squared, 1e-12); /* nodes and products are rounded */
}

static void one_bin(void **unused)
{
  (void)unused;
  enum { BINS = 33 };
  double p[BINS * BINS] = {0}, q[BINS * BINS] = {0}, want = 0, mass = 0;
  for (size_t k = 0; k < BINS * BINS; k++) {
    double dx = (double)(k / BINS) - 5, dy = (double)(k % BINS) - 31;
    p[k] = fg_philox(9, 1, k, 0, 0).w[0] % 4;
    want += p[k] * (dx * dx + dy * dy);
    mass += p[k];
  }
  q[5 * BINS + 31] = 1e-200;
  near(grid_w2(BINS, 16, p, q).squared, want / mass, 1e-14);
  near(grid_w2(BINS, 16, q, p).squared, want / mass, 1e-14);
  assert_true(grid_w2(BINS, 16, p, p).squared == 0);
  assert_true(grid_w2(BINS, 16, q, q).squared == 0);
}

/* Shares below 2^-61 of the whole round to nothing and leave. */
static void tiny_masses(void **unused)
{
  (void)unused;
  enum { BINS = 20 };
  double p[BINS * BINS], q[BINS * BINS];
  for (size_t k = 0; k < BINS * BINS; k++) p[k] = q[k] = 1e-25;
  p[0] = 1;
  q[BINS + 2] = 1;
  q[3 * BINS] = 1e-9;
  fg_w2 w2 = grid_w2(BINS, 0.5 * (BINS - 1), p, q);
  assert_int_equal(w2.n, 1);
  assert_int_equal(w2.m, 2);
  near(w2.squared, 5 + 4e-9, 1e-15);
}

static void count_reports(void *user, const char *stage, double done, double total)
{
  sig_atomic_t *reports = user;
  assert_non_null(stage);
  assert_true(done >= 0 && done <= total);
  ++*reports;
}

/* The same bits on any number of threads; stopped, no value. */
static void threads_and_progress(void **unused)
{
  (void)unused;
  enum { BINS = 40 };
  const fg_w2_grid_settings grid = {BINS, 1};
  double p[BINS * BINS], q[BINS * BINS];
  sig_atomic_t reports = 0;
  volatile sig_atomic_t cancel = 0;
  fg_progress progress = {count_reports, &reports, &cancel};
  fg_threads *threads;
  fg_status st;
  fg_w2 w2;
  for (size_t k = 0; k < BINS * BINS; k++) {
    p[k] = fg_uniform(fg_philox(9, 2, k, 0, 0).w[0]);
    q[k] = fg_uniform(fg_philox(9, 3, k, 0, 0).w[0]);
  }
  double want = grid_w2(BINS, 1, p, q).squared;
  assert_int_equal(fg_threads_create(3, &threads, &st), FG_OK);
  assert_int_equal(fg_w2_grid(NULL, threads, &grid, p, q, &progress, &w2, &st), FG_OK);
  assert_true(w2.squared == want && reports > 1);
  cancel = 1;
  assert_int_equal(fg_w2_grid(NULL, threads, &grid, p, q, &progress, &w2, &st), FG_INTERRUPTED);
  assert_true(isnan(w2.squared) && isnan(w2.value) && isnan(w2.primal) && isnan(w2.dual));
  assert_int_equal(w2.n, BINS * BINS);
  fg_threads_destroy(&threads);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(shifted), cmocka_unit_test(products),
                                     cmocka_unit_test(one_bin), cmocka_unit_test(tiny_masses),
                                     cmocka_unit_test(threads_and_progress)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

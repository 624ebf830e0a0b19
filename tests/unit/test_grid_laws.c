/* needs: analysis */
/* W2 of laws on a grid: uniform laws and Gaussians in closed form, and the bracket in two dimensions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/grid_laws.h"

static double line(size_t n, double width, const double *p, const double *q)
{
  fg_status st;
  double squared;
  if (fg_grid_laws_line(n, width, p, q, &squared, &st) != FG_OK) fail_msg("%s", st.message);
  return sqrt(squared);
}

/* A shift by a part of a cell that no atom would see; uniform on [a, a + s] to [b, b + r]:
 * W2^2 = (shift of the centres)^2 + (s - r)^2 / 12. */
static void test_uniform(void **state)
{
  (void)state;
  const double p[6] = {0, 2, 2, 0, 0, 0}, q[6] = {0, 0, 0, 0, 7, 0}, r[6] = {0, 0, 3, 3, 3, 0};
  assert_true(line(6, 0.5, p, p) == 0);
  assert_true(fabs(line(6, 0.5, p, q) - 0.5 * sqrt(2.5 * 2.5 + 1.0 / 12)) < 1e-14);
  assert_true(fabs(line(6, 0.5, p, r) - 0.5 * sqrt(1.5 * 1.5 + 1.0 / 12)) < 1e-14);
  assert_true(fabs(line(6, 0.5, p, r) - line(6, 0.5, r, p)) < 1e-15);
}

static void gaussian(size_t n, double half_width, double mean, double sd, double *p)
{
  for (size_t i = 0; i < n; i++) {
    double x = -half_width + ((double)i + 0.5) * 2 * half_width / (double)n;
    p[i] = exp(-0.5 * pow((x - mean) / sd, 2));
  }
}

/* Gaussians: shift^2 + (difference of the sds)^2, far below the width of a cell, 0.05. The midpoint density of both is
 * off by the same h^2/24, so the error is of order h^2 of the difference. */
static void test_gaussian(void **state)
{
  (void)state;
  double p[400], q[400];
  gaussian(400, 10, 0, 1, p);
  gaussian(400, 10, 0.004, 1.003, q);
  assert_true(fabs(line(400, 0.05, p, q) / 0.005 - 1) < 2e-3);
}

static void test_refused(void **state)
{
  (void)state;
  const double p[3] = {1, -1e-9, 1}, q[3] = {0, 0, 0}, r[3] = {1, 1, 1};
  double squared;
  fg_status st;
  assert_int_equal(fg_grid_laws_line(3, 1, p, r, &squared, &st), FG_NUMERICS);
  assert_int_equal(fg_grid_laws_line(3, 1, r, q, &squared, &st), FG_NUMERICS);
}

/* Products of Gaussians: the marginals say it all, also for a shift by a quarter of a cell. */
static void test_plane(void **state)
{
  (void)state;
  static double p[80 * 80], q[80 * 80];
  const fg_law_grid grid = {2, 80, 4};
  double a[80], b[80], wide[80], least;
  fg_status st;
  gaussian(80, 4, 0, 0.5, a);
  gaussian(80, 4, 0.025, 0.5, b);
  gaussian(80, 4, 0, 0.52, wide);
  for (size_t i = 0; i < 6400; i++) {
    p[i] = a[i / 80] * a[i % 80];
    q[i] = b[i / 80] * wide[i % 80];
  }
  if (fg_grid_laws_w2(&grid, p, q, &least, &st) != FG_OK) fail_msg("%s", st.message);
  assert_true(fabs(least / hypot(0.025, 0.02) - 1) < 1e-2);
}

/* Tails that underflow weigh nothing: their shares are subnormal, and the slopes of their quantiles beyond a double. */
static void test_tails(void **state)
{
  (void)state;
  const double p[6] = {1e-310, 0, 1, 0, 3e-320, 2e-308}, q[6] = {4e-312, 1e-310, 0, 0, 1, 1e-310};
  const double p_cut[6] = {0, 0, 1, 0, 0, 0}, q_cut[6] = {0, 0, 0, 0, 1, 0};
  double whole = line(6, 0.5, p, q);
  assert_true(fabs(whole - line(6, 0.5, p_cut, q_cut)) < 1e-14 && fabs(whole - 1) < 1e-14);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_tails), cmocka_unit_test(test_uniform),
                                     cmocka_unit_test(test_gaussian), cmocka_unit_test(test_refused),
                                     cmocka_unit_test(test_plane)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: fokker_planck kernels */
/* Laws on a grid against the closed form of exact models. */
#include "support/law_case.h"

/* ---- the SDE --------------------------------------------------------------------------------- */

/* Error at t, with what holds at any resolution: mass to rounding, no density below the solver's tolerance. */
static double sde_error(size_t d, fg_process_kind process, size_t cells, double half_width, double lambda,
                        double t)
{
  law_case c;
  fg_law_report report;
  law_open(&c, d, "cpu", 0, process, NULL, cells, half_width);
  c.set.rtol = 1e-7; /* time-stepping stays below the error of the grid */
  double *p = law_room(&c, 1), *truth = law_room(&c, 1);
  law_sde(&c, lambda, t, p, &report);
  law_truth(&c, t, truth);
  assert_true(fabs(report.mass_start - 1) < 1e-13 && fabs(report.mass - 1) < 1e-12);
  assert_true(report.least > -1e-9); /* atol is 1e-10 of the largest density of the start */
  assert_true(report.steps > 10 && report.score_evaluations >= report.steps * fg_law_size(&c.grid));
  double error = law_error(&c, p, truth);
  free(p);
  free(truth);
  law_close(&c);
  return error;
}

/* Halving the cells divides the error by 4: from 3.4 on the order is above 1.76. */
static void check_order(size_t d, fg_process_kind process, size_t cells, double half_width, double lambda,
                        double most)
{
  double coarse = sde_error(d, process, cells, half_width, lambda, 0.02);
  double fine = sde_error(d, process, 2 * cells, half_width, lambda, 0.02);
  if (!(coarse / fine > 3.4 && coarse / fine < 4.6 && fine < most))
    fail_msg("d = %zu, lambda = %g: errors %g at %zu cells, %g at twice as many", d, lambda, coarse, cells,
             fine);
}

static void test_order_line(void **state)
{
  (void)state;
  check_order(1, FG_PROCESS_OU, 100, 6, 1, 5e-3);
  check_order(1, FG_PROCESS_VP, 100, 6, 1, 5e-3);
}

static void test_order_plane(void **state)
{
  (void)state;
  check_order(2, FG_PROCESS_VP, 48, 6, 1, 2e-2);
}

/* Every member of the family has the marginals of the exact model. */
static void test_lambda(void **state)
{
  (void)state;
  check_order(1, FG_PROCESS_OU, 200, 6, 0.6, 5e-3);
  check_order(1, FG_PROCESS_OU, 100, 6, 1.7, 5e-3);
}

/* Times on the way come from CVODE's interpolant: as good as runs that end there. */
static void test_times(void **state)
{
  (void)state;
  law_case c;
  fg_law_report report;
  law_open(&c, 1, "cpu-check", 1, FG_PROCESS_VP, NULL, 200, 6);
  const double t[] = {1, 0.5, 0.2, 0.05};
  size_t n = fg_law_size(&c.grid);
  double *p = law_room(&c, 4), *one = law_room(&c, 1), *truth = law_room(&c, 1);
  CASE_OK(fg_law_sde(c.m.model, c.prior, &c.grid, &c.set, 1, 4, t, p, NULL, &report, &case_status));
  for (size_t k = 0; k < 4; k++) {
    law_truth(&c, t[k], truth);
    double error = law_error(&c, p + k * n, truth), mass = 0;
    for (size_t i = 0; i < n; i++) mass += p[k * n + i] * fg_law_volume(&c.grid);
    assert_true(fabs(mass - 1) < 1e-12);
    assert_true(error < 2e-3); /* grid: 4e-4 at the start (averages over cells), most at the end */
    law_sde(&c, 1, t[k], one, &report);
    double apart = 0;
    for (size_t i = 0; i < n; i++) apart = fmax(apart, fabs(one[i] - p[k * n + i]));
    assert_true(apart < 2e-5); /* 20 rtol */
  }
  free(p);
  free(one);
  free(truth);
  law_close(&c);
}

static void test_threads(void **state)
{
  (void)state;
  double *kept = NULL;
  for (int threads = 1; threads <= 3; threads += 2) {
    law_case c;
    fg_law_report report;
    law_open(&c, 2, "cpu", threads, FG_PROCESS_VP, NULL, 96,
             5); /* above the size that one thread does alone */
    c.set.rtol = 1e-4;
    double *p = law_room(&c, 1);
    law_sde(&c, 1, 0.1, p, &report);
    if (kept)
      assert_memory_equal(p, kept, fg_law_size(&c.grid) * sizeof *p);
    else
      kept = p, p = NULL;
    free(p);
    law_close(&c);
  }
  free(kept);
}

/* ---- the ODE ------------------------------------------------------------------------------------ */

static double ode_error(size_t d, fg_process_kind process, double rtol)
{
  law_case c;
  fg_law_report report;
  law_open(&c, d, "cpu", 0, process, NULL, d == 1 ? 200 : 40, 4);
  c.set.ode_rtol = rtol;
  c.set.ode_atol = 1e-2 * rtol;
  double *log_p = law_room(&c, 1), *truth = law_room(&c, 1), worst = 0;
  law_ode(&c, 0.02, log_p, &report);
  law_truth(&c, 0.02, truth);
  assert_int_equal(report.lost, 0);
  for (size_t i = 0; i < fg_law_size(&c.grid); i++) worst = fmax(worst, fabs(log_p[i] - truth[i]));
  /* the midpoint rule is exact to rounding here: what is missing lies outside, |x| > 4, or is the tolerance */
  assert_true(fabs(report.mass - 1) < 1e-5 && report.mass_outside == 1 - report.mass);
  free(log_p);
  free(truth);
  law_close(&c);
  return worst;
}

/* Global error over local tolerance is some tens; log-densities reach -60 in the corners. */
static void test_ode(void **state)
{
  (void)state;
  for (size_t d = 1; d <= 2; d++) {
    double loose = ode_error(d, FG_PROCESS_OU, 1e-5), tight = ode_error(d, FG_PROCESS_OU, 1e-8);
    if (!(loose < 3e-3 && tight < 3e-6)) fail_msg("d = %zu: log-densities off by %g and %g", d, loose, tight);
  }
}

/* The same law by both ways: what is left is the grid's error of the SDE. */
static void test_same_law(void **state)
{
  (void)state;
  law_case c;
  fg_law_report report;
  fg_law_distance distance;
  law_open(&c, 2, "cpu", 0, FG_PROCESS_VP, NULL, 96, 5);
  double *p = law_room(&c, 1), *q = law_room(&c, 1);
  law_sde(&c, 1, 0.02, p, &report);
  law_ode(&c, 0.02, q, &report);
  for (size_t i = 0; i < fg_law_size(&c.grid); i++) q[i] = exp(q[i]);
  CASE_OK(fg_law_compare(&c.grid, p, q, &distance, &case_status));
  assert_true(distance.total_variation < 5e-3 && distance.kl < 1e-4 && distance.kl_reverse < 1e-4);
  assert_true(distance.kl > 0 && distance.kl_reverse > 0 && distance.fisher < 2e-3);
  free(p);
  free(q);
  law_close(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_order_line), cmocka_unit_test(test_order_plane),
                                     cmocka_unit_test(test_lambda),     cmocka_unit_test(test_times),
                                     cmocka_unit_test(test_threads),    cmocka_unit_test(test_ode),
                                     cmocka_unit_test(test_same_law)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

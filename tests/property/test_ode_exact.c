/* needs: flow */
/* Laws that the probability-flow ODE of an exact model obeys: the log-density it carries is log p_t,
 * it can be run back, all methods and any tile agree, and threads and engines do not matter. */
#include "support/exact_case.h"

static const double t_end = 1e-4;

static const fg_ode_method methods[] = {FG_ODE_ADAMS, FG_ODE_BDF, FG_ODE_DOPRI5};
static const char *const names[] = {"adams", "bdf", "dopri5"};
enum { METHODS = 3 };

static fg_ode_settings with(fg_ode_method method, double rtol)
{
  fg_ode_settings set;
  fg_ode_defaults(&set);
  set.method = method;
  set.rtol = rtol;
  set.atol = 1e-2 * rtol;
  return set;
}

static double worst(size_t n, const double *got, const double *want)
{
  double most = 0;
  for (size_t i = 0; i < n; i++) {
    double e = fabs(got[i] - want[i]) / (1 + fabs(want[i]));
    if (!(e <= most)) most = e;
  }
  return most;
}

/* Change of variables: log p_T(x0) plus what the ODE added is log p_t(x1), at the point that it came
 * to, right or wrong. The most seen over these cases is 52 times rtol. */
static void test_log_density(void **state)
{
  (void)state;
  for (int target = 0; target < 2; target++)
    for (int process = 0; process < 2; process++)
      for (int method = 0; method < METHODS; method++)
        for (int digits = 6; digits <= 8; digits += 2) {
          exact_case c;
          fg_flow_report report;
          exact_open(&c, "cpu", 2, target ? FG_TARGET_GMM9 : FG_TARGET_GAUSSIAN, 4,
                     process ? FG_PROCESS_VP : FG_PROCESS_OU, 320);
          fg_ode_settings set = with(methods[method], pow(10, -digits));
          exact_run(&c, &set, t_end, &report);
          double *want = malloc(c.n * sizeof *want);
          exact_log_p(&c, t_end, c.n, c.x1, want);
          double error = worst(c.n, c.log_p1, want) / set.rtol;
          print_message("%s %s %s 1e-%d: %.3g of rtol\n", target ? "gmm9" : "gaussian", process ? "vp" : "ou",
                        names[method], digits, error);
          assert_true(error < 200);
          assert_int_equal(report.lost, 0);
          free(want);
          exact_close(&c);
        }
}

/* From T to t_end and back to T: the starts again, and their log-density. */
static void test_there_and_back(void **state)
{
  (void)state;
  for (int method = 0; method < METHODS; method++) {
    exact_case c;
    fg_status st;
    exact_open(&c, "cpu", 2, FG_TARGET_GMM9, 0, FG_PROCESS_OU, 320);
    fg_ode_settings set = with(methods[method], 1e-8);
    exact_run(&c, &set, t_end, NULL);
    assert_true(worst(2 * c.n, c.x1, c.x0) > 0.1); /* it went somewhere */
    /* in place: the ends are the starts of the way back */
    exact_ok(fg_flow_ode(c.model, &set, c.n, c.x1, t_end, c.horizon, c.x1, c.log_p1, NULL, NULL, NULL, &st),
             &st);
    double x = worst(2 * c.n, c.x1, c.x0) / set.rtol, l = worst(c.n, c.log_p1, c.log_p0) / set.rtol;
    print_message("%s: back to %.3g and %.3g of rtol\n", names[method], x, l);
    assert_true(x < 100 && l < 200); /* 29 and 56 seen */
    exact_close(&c);
  }
}

/* A target far narrower than the prior: near t = 0 the flow contracts at the rate 1 / (2 (s^2 + t)),
 * 2500 at the end. The solver must find this by itself, with a good part of its steps in the last hundredth
 * of the time. */
static void test_stiff_end(void **state)
{
  (void)state;
  for (int method = 0; method < METHODS; method++) {
    exact_case c;
    fg_flow_report report;
    exact_open(&c, "cpu", 2, FG_TARGET_GAUSSIAN, 1e-4, FG_PROCESS_OU, 128);
    fg_ode_settings set = with(methods[method], 1e-6);
    exact_run(&c, &set, t_end, &report);
    double error = 0, early = 0, late = 0;
    for (size_t i = 0; i < 2 * c.n; i++)
      error = fmax(error, fabs(c.x1[i] - exact_gaussian_at(&c, c.x0[i], t_end)));
    for (size_t b = 0; b < report.bins; b++) *(report.bin_t[b] < 0.1 ? &late : &early) += report.bin_steps[b];
    print_message("%s: error %.3g, %.0f steps above t = 0.1, %.0f below\n", names[method], error, early,
                  late);
    assert_int_equal(report.lost, 0);
    assert_true(error < 100 * set.rtol);
    assert_true(late > 0.3 * early && late + early < 1000);
    exact_close(&c);
  }
}

/* All methods, tiles of 1 and of 256: the same ends to a multiple of the tolerance. */
static void test_agreement(void **state)
{
  (void)state;
  exact_case c;
  exact_open(&c, "cpu", 2, FG_TARGET_GMM9, 0, FG_PROCESS_VP, 256);
  double *want = malloc(2 * c.n * sizeof *want);
  fg_ode_settings set = with(FG_ODE_ADAMS, 1e-8);
  exact_run(&c, &set, t_end, NULL);
  memcpy(want, c.x1, 2 * c.n * sizeof *want);
  for (int method = 1; method < METHODS; method++) {
    set.method = methods[method];
    exact_run(&c, &set, t_end, NULL);
    /* one particle starts on a ridge: errors are magnified a thousandfold there */
    assert_true(worst(2 * c.n, c.x1, want) < 5e3 * set.rtol);
  }
  set.method = FG_ODE_ADAMS;
  const size_t tiles[] = {1, 7, 256, 100000};
  for (int k = 0; k < 4; k++) {
    set.tile = tiles[k];
    exact_run(&c, &set, t_end, NULL);
    assert_true(worst(2 * c.n, c.x1, want) < 5e3 * set.rtol);
  }
  free(want);
  exact_close(&c);
}

/* Bits do not depend on the threads, nor on where the buffers are; counts neither. */
static void test_threads(void **state)
{
  (void)state;
  const int threads[] = {1, 2, 5, 2};
  for (int method = 0; method < METHODS; method++) {
    double *x = NULL, *l = NULL;
    fg_flow_report want, report;
    for (int k = 0; k < 4; k++) {
      exact_case c;
      exact_open(&c, k == 3 ? "cpu-check" : "cpu", threads[k], FG_TARGET_GMM9, 0, FG_PROCESS_OU, 777);
      fg_ode_settings set = with(methods[method], 1e-5);
      set.tile = 32;
      exact_run(&c, &set, t_end, &report);
      report.seconds = 0;
      if (k == 0) {
        x = malloc(2 * c.n * sizeof *x);
        l = malloc(c.n * sizeof *l);
        memcpy(x, c.x1, 2 * c.n * sizeof *x);
        memcpy(l, c.log_p1, c.n * sizeof *l);
        want = report;
      }
      assert_memory_equal(c.x1, x, 2 * c.n * sizeof *x);
      assert_memory_equal(c.log_p1, l, c.n * sizeof *l);
      assert_memory_equal(&report, &want, sizeof report);
      exact_close(&c);
    }
    free(x);
    free(l);
  }
}

/* Snapshots do not change the run, and are what a run that ends there gives. */
static void snapshots_by(fg_ode_method method)
{
  enum { N = 100, TIMES = 5 };
  static double x[TIMES * N * 2], l[TIMES * N];
  exact_case c;
  fg_status st;
  exact_open(&c, "cpu", 2, FG_TARGET_GMM9, 0, FG_PROCESS_OU, N);
  const double t[TIMES] = {10, 3.3, 1, 0.05, t_end};
  fg_snapshots snapshots = {TIMES, t, x, l};
  fg_ode_settings set = with(method, 1e-8);
  exact_run(&c, &set, t_end, NULL);
  double *end = malloc(2 * N * sizeof *end);
  memcpy(end, c.x1, 2 * N * sizeof *end);
  memcpy(c.log_p1, c.log_p0, N * sizeof(double));
  exact_ok(fg_flow_ode(c.model, &set, N, c.x0, 10, t_end, c.x1, c.log_p1, &snapshots, NULL, NULL, &st), &st);
  assert_memory_equal(c.x1, end, 2 * N * sizeof *end);
  assert_memory_equal(x, c.x0, 2 * N * sizeof *x);
  assert_memory_equal(x + (TIMES - 1) * 2 * N, c.x1, 2 * N * sizeof *x);
  assert_memory_equal(l + (TIMES - 1) * N, c.log_p1, N * sizeof *l);
  for (int k = 1; k < TIMES - 1; k++) {
    exact_run(&c, &set, t[k], NULL);
    /* both are within the same multiple of the tolerance of the truth (see the agreement test) */
    assert_true(worst(2 * N, x + k * 2 * N, c.x1) < 5e3 * set.rtol);
    assert_true(worst(N, l + k * N, c.log_p1) < 5e3 * set.rtol);
    exact_log_p(&c, t[k], N, x + k * 2 * N, c.log_p1);
    assert_true(worst(N, l + k * N, c.log_p1) < 200 * set.rtol);
  }
  free(end);
  exact_close(&c);
}

static void test_snapshots(void **state)
{
  (void)state;
  for (int method = 0; method < METHODS; method++) snapshots_by(methods[method]);
}

/* Arithmetic in float: the ends of double to float's rounding, magnified by the flow. */
static void test_single(void **state)
{
  (void)state;
  exact_case c;
  exact_open(&c, "cpu", 2, FG_TARGET_GAUSSIAN, 4, FG_PROCESS_VP, 128);
  for (int method = 0; method < METHODS; method += 2) {
    fg_ode_settings set = with(methods[method], 1e-4);
    fg_flow_report report;
    set.precision = FG_SINGLE;
    exact_run(&c, &set, t_end, &report);
    assert_int_equal(report.lost, 0);
    for (size_t i = 0; i < 2 * c.n; i++)
      assert_true(fabs(c.x1[i] - exact_gaussian_at(&c, c.x0[i], t_end)) < 1e-2);
  }
  exact_close(&c);
}

static void test_bad_requests(void **state)
{
  (void)state;
  exact_case c;
  fg_status st;
  exact_open(&c, "cpu", 1, FG_TARGET_GAUSSIAN, 4, FG_PROCESS_VP, 4);
  fg_ode_settings good, set;
  fg_ode_defaults(&good);
#define REFUSED(text, n, t0, t1, kept)                                                                       \
  do {                                                                                                       \
    assert_int_equal(fg_flow_ode(c.model, &set, n, c.x0, t0, t1, c.x1, NULL, kept, NULL, NULL, &st),         \
                     FG_USAGE);                                                                              \
    if (!strstr(st.message, text)) fail_msg("'%s' does not say '%s'", st.message, text);                     \
    set = good;                                                                                              \
  } while (0)
  set = good;
  REFUSED("no particles", 0, 1, 0.1, NULL);
  REFUSED("to itself", 4, 0.5, 0.5, NULL);
  REFUSED("times from 0 to 1", 4, 1.1, 0.5, NULL);
  REFUSED("times from 0 to 1", 4, 1, -0.1, NULL);
  REFUSED("times from 0 to 1", 4, NAN, 0.1, NULL);
  set.rtol = 1e-15;
  REFUSED("rtol is 1e-15", 4, 1, 0.1, NULL);
  set.rtol = 1e-6;
  set.precision = FG_SINGLE;
  REFUSED("in single precision", 4, 1, 0.1, NULL);
  set.atol = 0;
  REFUSED("atol is 0", 4, 1, 0.1, NULL);
  set.method = (fg_ode_method)7;
  REFUSED("method is 7", 4, 1, 0.1, NULL);
  set.max_steps = 0;
  REFUSED("max_steps is 0", 4, 1, 0.1, NULL);
  double x[16], t[2] = {0.2, 0.5};
  fg_snapshots kept = {2, t, x, NULL};
  REFUSED("snapshot 1 is at t = 0.5", 4, 1, 0.1, &kept);
  exact_close(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_log_density), cmocka_unit_test(test_there_and_back),
      cmocka_unit_test(test_stiff_end),   cmocka_unit_test(test_agreement),
      cmocka_unit_test(test_threads),     cmocka_unit_test(test_snapshots),
      cmocka_unit_test(test_single),      cmocka_unit_test(test_bad_requests),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

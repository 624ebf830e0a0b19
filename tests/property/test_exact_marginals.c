/* needs: analysis */
/* With the exact score and the exact prior, the ODE and every SDE have the marginals p_t: at three times
 * their samples cannot be told from samples of p_t. */
#include "support/exact_case.h"

#include "flowgap/analysis.h"
#include "formula/random.h"

enum { N = 6000, D = 2, TIMES = 3 };

typedef struct laws {
  double t[TIMES];
  double *ode, *sde; /* [TIMES, N, D] */
  double *truth;     /* [N, D] */
} laws;

/* m(t) X_0 + sqrt(v(t)) Z: independent of the paths, by another seed. */
static void draw_truth(const exact_case *c, double t, double *x)
{
  fg_status st;
  const uint64_t seed = 77;
  exact_ok(fg_target_sample(c->target, seed, 0, N, x, &st), &st);
  double m = fg_process_m(c->process, t), sd = sqrt(fg_process_v(c->process, t));
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < D; j++)
      x[i * D + j] = m * x[i * D + j] + sd * fg_normal(seed, FG_STREAM_NOISING, i, 0, (uint32_t)j);
}

/* Seeds are fixed, so the test cannot flicker; a right program fails it with probability
 * 2 processes x 3 times x 2 laws x 2 estimators x 0.002 = 5 %, for one seed in twenty. */
static void check_same_law(const exact_case *c, const double *x, const double *y, const char *what, double t)
{
  const fg_estimator tried[] = {FG_W2_GAUSSIAN, FG_W2_GRID};
  for (int e = 0; e < 2; e++) {
    fg_status st;
    fg_estimate_settings settings;
    fg_estimate estimate;
    fg_estimate_defaults(tried[e], &settings);
    settings.grid.bins = 32;
    settings.grid.half_width = 8;
    settings.permutations = 499;
    settings.replicates = 10;
    exact_ok(fg_estimate_w2(c->engine, &settings, N, N, D, x, NULL, y, NULL, NULL, &estimate, &st), &st);
    if (!(estimate.p_value > 0.002))
      fail_msg("%s at t = %g: W2 %s %g, floor %g, p = %g", what, t, fg_estimator_name(tried[e]),
               estimate.value, estimate.floor, estimate.p_value);
  }
}

static void check_marginals(fg_process_kind kind)
{
  fg_status st;
  exact_case c;
  exact_open(&c, "cpu", 0, FG_TARGET_GMM9, 0, kind, N);
  laws w = {{0.3 * c.horizon, 0.05 * c.horizon, 0}, NULL, NULL, NULL};
  w.ode = malloc(TIMES * N * D * sizeof(double));
  w.sde = malloc(TIMES * N * D * sizeof(double));
  w.truth = malloc(N * D * sizeof(double));
  assert_true(w.ode && w.sde && w.truth);

  fg_snapshots keep = {TIMES, w.t, w.ode, NULL};
  fg_ode_settings ode;
  fg_ode_defaults(&ode);
  fg_flow_report report;
  exact_ok(fg_flow_ode(c.model, &ode, N, c.x0, c.horizon, 0, c.x1, NULL, &keep, NULL, &report, &st), &st);
  assert_int_equal(report.lost, 0);

  const double segments[] = {c.horizon, w.t[0], 200, w.t[0], w.t[1], 200, w.t[1], 0, 200};
  fg_grid *grid;
  fg_fixed_settings sde;
  fg_fixed_defaults(&sde);
  exact_ok(fg_grid_piecewise(segments, 3, &grid, &st), &st);
  sde.grid = grid;
  sde.scheme = FG_HEUN;
  keep.x = w.sde;
  exact_ok(fg_flow_fixed(c.model, &sde, 5, 1, 0, N, c.x0, c.x1, NULL, &keep, NULL, &report, &st), &st);
  assert_int_equal(report.lost, 0);

  for (int k = 0; k < TIMES; k++) {
    draw_truth(&c, w.t[k], w.truth);
    check_same_law(&c, w.ode + (size_t)k * N * D, w.truth, "ODE", w.t[k]);
    check_same_law(&c, w.sde + (size_t)k * N * D, w.truth, "SDE", w.t[k]);
  }
  fg_grid_destroy(&grid);
  free(w.ode);
  free(w.sde);
  free(w.truth);
  exact_close(&c);
}

static void test_ou(void **state)
{
  (void)state;
  check_marginals(FG_PROCESS_OU);
}

static void test_vp(void **state)
{
  (void)state;
  check_marginals(FG_PROCESS_VP);
}

/* The check has power: shifted by 0.2 (a twentieth of the spread), the same law is told apart. */
static void test_power(void **state)
{
  (void)state;
  fg_status st;
  exact_case c;
  exact_open(&c, "cpu", 0, FG_TARGET_GMM9, 0, FG_PROCESS_VP, N);
  double *x = malloc(N * D * sizeof(double)), *y = malloc(N * D * sizeof(double));
  assert_true(x && y);
  draw_truth(&c, 0, x);
  exact_ok(fg_target_sample(c.target, 78, 0, N, y, &st), &st);
  for (size_t i = 0; i < N * D; i++) y[i] += 0.2;
  fg_estimate_settings settings;
  fg_estimate estimate;
  fg_estimate_defaults(FG_W2_GAUSSIAN, &settings);
  settings.permutations = 499;
  exact_ok(fg_estimate_w2(NULL, &settings, N, N, D, x, NULL, y, NULL, NULL, &estimate, &st), &st);
  assert_true(estimate.p_value <= 0.01);
  free(x);
  free(y);
  exact_close(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_ou), cmocka_unit_test(test_vp),
                                     cmocka_unit_test(test_power)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

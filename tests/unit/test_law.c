/* needs: fokker_planck kernels */
/* Grids, starts, distances of densities, and what is refused. */
#include "support/law_case.h"

static void test_grid(void **state)
{
  (void)state;
  const fg_law_grid line = {1, 4, 2}, plane = {2, 4, 2};
  double x[4], y[32];
  assert_int_equal(fg_law_size(&line), 4);
  assert_int_equal(fg_law_size(&plane), 16);
  assert_true(fg_law_volume(&line) == 1 && fg_law_volume(&plane) == 1);
  fg_law_centres(&line, x);
  fg_law_centres(&plane, y);
  assert_true(x[0] == -1.5 && x[3] == 1.5);
  assert_true(y[0] == -1.5 && y[1] == -1.5 && y[2] == -1.5 && y[3] == -0.5); /* x first, y runs */
  assert_true(y[30] == 1.5 && y[31] == 1.5 && y[8] == -0.5 && y[9] == -1.5);
}

/* ---- distances ------------------------------------------------------------------------------ */

static double gaussian(double x, double mean, double sd)
{
  double z = (x - mean) / sd;
  return exp(-0.5 * z * z) / (sd * sqrt(2 * 3.14159265358979323846));
}

/* KL and Fisher of N(m, s^2) from N(0, 1) in each coordinate; p is given with a wrong scale, which must not matter. */
static void check_gaussians(size_t d)
{
  fg_law_grid grid = {d, d == 1 ? 4000 : 300, 9};
  size_t n = fg_law_size(&grid);
  double *x = malloc(n * d * sizeof *x), *p = malloc(n * sizeof *p), *q = malloc(n * sizeof *q);
  const double m = 0.7, s = 0.8;
  fg_law_distance is;
  assert_true(x && p && q);
  fg_law_centres(&grid, x);
  for (size_t i = 0; i < n; i++) {
    p[i] = 3, q[i] = 1;
    for (size_t j = 0; j < d; j++) p[i] *= gaussian(x[i * d + j], m, s), q[i] *= gaussian(x[i * d + j], 0, 1);
  }
  CASE_OK(fg_law_compare(&grid, p, q, &is, &case_status));
  double axes = (double)d, r = 1 - 1 / (s * s);
  double kl = axes * (-log(s) + 0.5 * (s * s + m * m) - 0.5),
         reverse = axes * (log(s) + 0.5 * (1 + m * m) / (s * s) - 0.5);
  double fisher = axes * (r * r * s * s + m * m); /* slope r (x - m) + m, over p */
  assert_true(fabs(is.kl - kl) < 1e-9 &&
              fabs(is.kl_reverse - reverse) < 1e-9); /* midpoint rule: to rounding */
  assert_true(fabs(is.fisher - fisher) < 1e-6);      /* log(p/q) is a parabola: exact */
  assert_true(is.alone_p == 0 && is.alone_q == 0);
  if (d == 1) { /* between the crossings a < b of the densities p is above q */
    double A = 0.5 * r, B = m / (s * s), C = -log(s) - 0.5 * m * m / (s * s), root = sqrt(B * B - 4 * A * C);
    double a = (-B + root) / (2 * A), b = (-B - root) / (2 * A), h = sqrt(0.5);
    double tv = 0.5 * (erf(h * (b - m) / s) - erf(h * (a - m) / s)) - 0.5 * (erf(h * b) - erf(h * a));
    assert_true(fabs(is.total_variation - tv) < 1e-5); /* kinks of |p - q|: h^2 */
  }
  free(x);
  free(p);
  free(q);
}

static void test_gaussians(void **state)
{
  (void)state;
  check_gaussians(1);
  check_gaussians(2);
}

static void test_vanishing(void **state)
{
  (void)state;
  const fg_law_grid grid = {1, 8, 1};
  const double p[8] = {0, 1, 1, 1, 1, 0, 0, 0}, q[8] = {0, 0, 1, 1, 1, 1, 0, 0};
  const double noisy[8] = {-1e-14, 1, 1, 1, 1, -1e-12, 0, 0}, nan[8] = {0, NAN}, empty[8] = {0};
  fg_law_distance is;
  CASE_OK(fg_law_compare(&grid, p, q, &is, &case_status));
  assert_true(is.kl == HUGE_VAL && is.kl_reverse == HUGE_VAL && is.alone_p == 0.25 && is.alone_q == 0.25);
  assert_true(is.total_variation == 0.25 && is.fisher == 0);
  CASE_OK(fg_law_compare(&grid, noisy, p, &is, &case_status)); /* below 0 counts as 0 */
  assert_true(is.kl == 0 && is.kl_reverse == 0 && is.total_variation == 0);
  /* a quotient beyond a double has a logarithm all the same: here 711 times 5e-12 */
  const double noise[8] = {1e-11, 1, 1, 0, 0, 0, 0, 0}, tail[8] = {1e-320, 1, 1, 0, 0, 0, 0, 0};
  CASE_OK(fg_law_compare(&grid, noise, tail, &is, &case_status));
  assert_true(fabs(is.kl - 711 * 5e-12) < 1e-11 && is.alone_p == 0 && isfinite(is.fisher));
  assert_int_equal(fg_law_compare(&grid, p, nan, &is, &case_status), FG_NUMERICS);
  assert_non_null(strstr(case_status.message, "second density is nan in cell 2"));
  assert_int_equal(fg_law_compare(&grid, empty, p, &is, &case_status), FG_NUMERICS);
}

/* ---- the start ------------------------------------------------------------------------------- */

/* The density at T itself, for a prior of that kind. */
static void start_of(law_case *c, fg_prior_kind kind, double variance, double mass, double *p,
                     fg_law_report *report)
{
  const fg_prior_settings settings = {kind, variance, mass};
  fg_prior_destroy(&c->prior);
  CASE_OK(fg_prior_create(&settings, c->grid.d, c->m.process, c->m.target, &c->prior, &case_status));
  law_sde(c, 1, fg_process_horizon(c->m.process), p, report);
}

static void test_start(void **state)
{
  (void)state;
  law_case c;
  fg_law_report report;
  law_open(&c, 2, "cpu", 1, FG_PROCESS_VP, NULL, 40, 2);
  double *p = law_room(&c, 1), volume = fg_law_volume(&c.grid), inside = erf(2 / sqrt(2.0));
  start_of(&c, FG_PRIOR_GAUSSIAN, 1, 0, p, &report);
  double first = 0.5 * (erf(0.1 / sqrt(2.0))); /* mass of [0, 0.1] */
  assert_true(fabs(report.mass_outside - (1 - inside * inside)) < 1e-14);
  assert_true(fabs(p[20 * 40 + 20] * volume - first * first / (inside * inside)) < 1e-15);
  assert_true(report.steps == 0 && fabs(report.mass - 1) < 1e-14);

  start_of(&c, FG_PRIOR_GAUSSIAN, 1e-4, 0, p,
           &report); /* a tenth of a cell: the four in the middle share it */
  for (int k = 0; k < 4; k++) assert_true(fabs(p[(19 + k / 2) * 40 + 19 + k % 2] * volume - 0.25) < 1e-12);

  start_of(&c, FG_PRIOR_TRUNCATED, 1, 0.5, p, &report); /* radius^2 = 2 log 2: inside the box */
  double mass = 0, radius2 = 2 * log(2.0);
  assert_true(fabs(report.mass_outside) < 2e-4); /* cells on the circle: 16 x 16 points each */
  for (size_t i = 0; i < 40 * 40; i++) {
    double x = -2 + 0.1 * (double)(i / 40), y = -2 + 0.1 * (double)(i % 40);
    double nx = x > 0 ? x : x + 0.1 < 0 ? x + 0.1 : 0, ny = y > 0 ? y : y + 0.1 < 0 ? y + 0.1 : 0;
    if (nx * nx + ny * ny > radius2 * (1 + 1e-9)) assert_true(p[i] == 0);
    mass += p[i] * volume;
  }
  assert_true(fabs(mass - 1) < 1e-13);
  double centre = p[20 * 40 + 20] * volume;
  assert_true(fabs(centre - 2 * first * first) < 4e-4 * centre);
  free(p);
  law_close(&c);
}

/* ---- nodes that cannot be carried --------------------------------------------------------------- */

/* s = -1e150 softplus(1e7 x): 0 to the left of 0, where the ODE is dx/dt = -x and div = -1, and an explosion to the right,
 * where no node arrives: 200 of them, more than a flow names. */
static void test_lost(void **state)
{
  (void)state;
  static const double first[] = {0, 1e7}, second[] = {-1e150};
  static const double *const weights[] = {first, second}, *const biases[] = {NULL, NULL};
  static const size_t widths[] = {2, 1, 1};
  const fg_network_settings network = {.form = FG_VECTOR,
                                       .output = FG_OUTPUT_SCORE,
                                       .activation = FG_SOFTPLUS,
                                       .beta = 1,
                                       .threshold = 20,
                                       .time = FG_TIME_FIRST,
                                       .dimension = 1,
                                       .layers = 2,
                                       .widths = widths,
                                       .weights = weights,
                                       .biases = biases};
  law_case c;
  fg_law_report report;
  law_open(&c, 1, "cpu", 2, FG_PROCESS_OU, NULL, 400, 4);
  fg_model_destroy(&c.m.model);
  CASE_OK(fg_model_network(c.m.engine, &network, c.m.process, &c.m.model, &case_status));
  const fg_prior_settings prior = {FG_PRIOR_GAUSSIAN, 0.01, 0};
  fg_prior_destroy(&c.prior);
  CASE_OK(fg_prior_create(&prior, 1, c.m.process, NULL, &c.prior, &case_status));
  double log_p[400], way = 2;
  law_ode(&c, fg_process_horizon(c.m.process) - way, log_p, &report);
  assert_int_equal(report.lost, 200);
  for (size_t i = 0; i < 400; i++) {
    double x = -4 + ((double)i + 0.5) * 0.02, arrived = x * exp(-way);
    double truth = -0.5 * log(2 * 3.14159265358979323846 * 0.01) - 50 * arrived * arrived - way;
    if (i >= 200) assert_true(log_p[i] == -HUGE_VAL);
    if (i < 200) assert_true(fabs(log_p[i] - truth) < 1e-4 * (1 + fabs(truth))); /* 100 rtol */
  }
  law_close(&c);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void expect(fg_code rc, fg_code wanted, const char *words)
{
  if (rc != wanted || !strstr(case_status.message, words))
    fail_msg("got %d: %s", (int)rc, case_status.message);
}

static fg_code sde(const law_case *c, double lambda, size_t count, const double *t, double *p)
{
  return fg_law_sde(c->m.model, c->prior, &c->grid, &c->set, lambda, count, t, p, NULL, NULL, &case_status);
}

static void test_refusals(void **state)
{
  (void)state;
  law_case c;
  law_open(&c, 1, "cpu", 1, FG_PROCESS_VP, NULL, 40, 4);
  double *p = law_room(&c, 2);
  const double end = 0.5, late[] = {0.2, 0.4}, beyond = 1.5;
  expect(sde(&c, 0, 1, &end, p), FG_USAGE, "lambda is 0");
  expect(sde(&c, 1, 2, late, p), FG_USAGE, "decreasing times");
  expect(sde(&c, 1, 1, &beyond, p), FG_USAGE, "time 1 is 1.5");
  c.grid.cells = 3;
  expect(sde(&c, 1, 1, &end, p), FG_USAGE, "3 cells per axis");
  c.grid.cells = 40;
  c.grid.d = 2;
  expect(sde(&c, 1, 1, &end, p), FG_USAGE, "has 1 dimensions, the grid 2");
  c.grid.d = 3;
  expect(sde(&c, 1, 1, &end, p), FG_USAGE, "1 and 2 dimensions, not 3");
  c.grid.d = 1;
  c.grid.half_width = 0.1;
  expect(sde(&c, 1, 1, &end, p), FG_USAGE, "of the prior's mass");
  c.grid.half_width = 4;
  c.set.rtol = 0;
  expect(sde(&c, 1, 1, &end, p), FG_USAGE, "rtol is 0");
  expect(fg_law_ode(c.m.model, c.prior, &c.grid, &c.set, 1, p, NULL, NULL, &case_status), FG_USAGE,
         "below 1");
  const fg_prior_settings point = {FG_PRIOR_POINT, 0, 0};
  fg_law_defaults(&c.set);
  fg_prior_destroy(&c.prior);
  CASE_OK(fg_prior_create(&point, 1, c.m.process, NULL, &c.prior, &case_status));
  expect(sde(&c, 1, 1, &end, p), FG_UNSUPPORTED, "point prior has no density");
  expect(fg_law_ode(c.m.model, c.prior, &c.grid, &c.set, 0.5, p, NULL, NULL, &case_status), FG_UNSUPPORTED,
         "point prior has no density");
  free(p);
  law_close(&c);
}

static void test_cancelled(void **state)
{
  (void)state;
  law_case c;
  volatile sig_atomic_t stop = 1;
  const fg_progress progress = {NULL, NULL, &stop};
  const double end = 0.5;
  law_open(&c, 1, "cpu", 1, FG_PROCESS_VP, NULL, 40, 4);
  double *p = law_room(&c, 1);
  expect(fg_law_sde(c.m.model, c.prior, &c.grid, &c.set, 1, 1, &end, p, &progress, NULL, &case_status),
         FG_INTERRUPTED, "stopped on request");
  free(p);
  law_close(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_grid),      cmocka_unit_test(test_gaussians),
                                     cmocka_unit_test(test_vanishing), cmocka_unit_test(test_start),
                                     cmocka_unit_test(test_lost),      cmocka_unit_test(test_refusals),
                                     cmocka_unit_test(test_cancelled)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

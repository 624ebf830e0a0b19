/* needs: flow */
/* fg_flow_fixed against the same schemes written plainly on the host, with fg_normal (random.h) for the
 * noise and fg_model_evaluate for the score; lost particles, snapshots, interruption, bad requests. */
#include "support/model_case.h"

#include "formula/random.h"

enum { N = 70, D = 2, STEPS = 12, FINEST = STEPS * 8 };

static void open_case(model_case *c, const char *engine, fg_process_kind kind)
{
  fg_target *target;
  fg_perturbation h;
  fg_perturbation_defaults(&h);
  case_target(FG_TARGET_GMM9, &target);
  case_open(c, engine, 2, kind, target, &h);
}

/* The number of refined step k of a path: the halves of an interval of level l - 1 with number z have
 * (z + y)/sqrt 2 and (z - y)/sqrt 2. */
static double number(uint64_t seed, uint64_t particle, uint32_t j, size_t k, int level)
{
  if (level == 0) return fg_normal(seed, FG_STREAM_NOISE, particle, (uint32_t)k, j);
  double z = number(seed, particle, j, k / 2, level - 1);
  double y = fg_normal(seed, FG_STREAM_BRIDGE + (uint32_t)level, particle, (uint32_t)(k / 2), j);
  return k % 2 == 0 ? (z + y) / sqrt(2.0) : (z - y) / sqrt(2.0);
}

/* s and div s of all points at one time */
static void score(const model_case *c, double t, const double *x, double *s, double *divergence)
{
  fg_evaluation out = {.score = s, .divergence = divergence};
  CASE_OK(fg_model_evaluate(c->model, FG_DOUBLE, N, &t, 1, x, &out, &case_status));
}

/* The same trajectories by hand, and log-densities along them. */
static void by_hand(const model_case *c, const fg_fixed_settings *f, const double *t, size_t steps,
                    uint64_t seed, uint64_t first, double *x, double *log_p)
{
  double s0[N * D], s1[N * D], div0[N], div1[N], y[N * D];
  for (size_t k = 0; k < steps; k++) {
    double h = t[k] - t[k + 1], family = (1 + f->lambda * f->lambda) / 2;
    double a0 = fg_process_a(c->process, t[k]), q0 = fg_process_g2(c->process, t[k]);
    double a1 = fg_process_a(c->process, t[k + 1]), q1 = fg_process_g2(c->process, t[k + 1]);
    double sd = f->lambda * sqrt(h * (f->scheme == FG_HEUN ? (q0 + q1) / 2 : q0));
    if (k + 1 == steps && !f->last_step_noise) sd = 0;
    score(c, t[k], x, s0, div0);
    for (size_t i = 0; i < N * D; i++) {
      double noise = f->lambda > 0 ? sd * number(seed, first + i / D, (uint32_t)(i % D), k, f->refine) : 0;
      y[i] = x[i] + h * (a0 * x[i] + family * q0 * s0[i]) + noise;
    }
    if (f->scheme == FG_HEUN) {
      score(c, t[k + 1], y, s1, div1);
      for (size_t i = 0; i < N * D; i++)
        y[i] += h / 2 * (a1 * y[i] + family * q1 * s1[i] - a0 * x[i] - family * q0 * s0[i]);
    }
    for (size_t i = 0; i < N; i++) {
      double d0 = D * a0 + q0 / 2 * div0[i], d1 = f->scheme == FG_HEUN ? D * a1 + q1 / 2 * div1[i] : d0;
      log_p[i] -= h * (d0 + d1) / 2;
    }
    memcpy(x, y, sizeof y);
  }
}

static void same_as_by_hand(void **state)
{
  (void)state;
  static const fg_process_kind kinds[] = {FG_PROCESS_OU, FG_PROCESS_VP, FG_PROCESS_VE};
  for (size_t kind = 0; kind < 3; kind++)
    for (int scheme = 0; scheme < 2; scheme++)
      for (int refine = 0; refine < 4; refine++)
        for (int lambda = 0; lambda < 3; lambda++) {
          model_case c;
          fg_grid *grid, *fine = NULL;
          fg_fixed_settings f;
          fg_flow_report report;
          double x0[N * D], x1[N * D], truth[N * D], l1[N] = {0}, l[N] = {0};
          open_case(&c, "cpu-check", kinds[kind]);
          CASE_OK(fg_grid_create(FG_GRID_UNIFORM, 0.9, 0.1, STEPS, &grid, &case_status));
          CASE_OK(fg_grid_refine(grid, refine, &fine, &case_status));
          fg_fixed_defaults(&f);
          f.grid = grid;
          f.scheme = (fg_scheme)scheme;
          f.refine = refine;
          f.lambda = 0.7 * lambda;
          f.last_step_noise = refine != 1;
          f.tile = 48;
          for (size_t i = 0; i < N * D; i++) truth[i] = x0[i] = 3 * case_number(i, 4);
          CASE_OK(fg_flow_fixed(c.model, &f, 77, FG_STREAM_NOISE, 1000, N, x0, x1, lambda == 0 ? l1 : NULL,
                                NULL, NULL, &report, &case_status));
          by_hand(&c, &f, fg_grid_times(fine), fg_grid_steps(fine), 77, 1000, truth, l);
          /* up to 96 steps of rounding, amplified between modes */
          for (size_t i = 0; i < N * D; i++)
            assert_true(fabs(x1[i] - truth[i]) <= 1e-11 * (1 + fabs(truth[i])));
          for (size_t i = 0; i < N && lambda == 0; i++)
            assert_true(fabs(l1[i] - l[i]) <= 1e-10 * (1 + fabs(l[i])));
          assert_int_equal(report.steps, (uint64_t)STEPS << refine);
          assert_int_equal(report.lost, 0);
          fg_grid_destroy(&fine);
          fg_grid_destroy(&grid);
          case_close(&c);
        }
}

/* Snapshots are the states at the nodes, the same as of a shorter run. */
static void snapshots_at_nodes(void **state)
{
  (void)state;
  model_case c;
  fg_grid *grid, *part;
  fg_fixed_settings f;
  double x0[N * D], x1[N * D], half[N * D], l[N], kept[3 * N * D], kept_l[3 * N];
  open_case(&c, "cpu-check", FG_PROCESS_OU);
  CASE_OK(fg_grid_create(FG_GRID_UNIFORM, 2, 0, 8, &grid, &case_status));
  CASE_OK(fg_grid_create(FG_GRID_UNIFORM, 2, 1, 4, &part, &case_status));
  fg_fixed_defaults(&f);
  f.grid = grid;
  f.lambda = 0;
  f.scheme = FG_HEUN;
  for (size_t i = 0; i < N * D; i++) x0[i] = case_number(i, 4);
  for (size_t i = 0; i < N; i++) l[i] = -1;
  const double t[3] = {2, 1, 0}, wrong[1] = {0.9}, rising[2] = {0, 1};
  fg_snapshots s = {3, t, kept, kept_l};
  CASE_OK(fg_flow_fixed(c.model, &f, 1, 1, 0, N, x0, x1, l, &s, NULL, NULL, &case_status));
  assert_memory_equal(kept, x0, sizeof x0);
  assert_memory_equal(kept + 2 * N * D, x1, sizeof x1);
  assert_memory_equal(kept_l + 2 * N, l, sizeof l);
  f.grid = part;
  CASE_OK(fg_flow_fixed(c.model, &f, 1, 1, 0, N, x0, half, NULL, NULL, NULL, NULL, &case_status));
  for (size_t i = 0; i < N * D; i++) assert_true(fabs(half[i] - kept[N * D + i]) < 1e-12);
  s = (fg_snapshots){1, wrong, kept, NULL};
  assert_int_equal(fg_flow_fixed(c.model, &f, 1, 1, 0, N, x0, x1, NULL, &s, NULL, NULL, &case_status),
                   FG_USAGE);
  s = (fg_snapshots){2, rising, kept, NULL};
  f.grid = grid;
  assert_int_equal(fg_flow_fixed(c.model, &f, 1, 1, 0, N, x0, x1, NULL, &s, NULL, NULL, &case_status),
                   FG_USAGE);
  fg_grid_destroy(&grid);
  fg_grid_destroy(&part);
  case_close(&c);
}

/* Steps far beyond stability throw particles that start far out to infinity; the others, at the mode of a
 * Gaussian with score 0 and no noise, stay. */
static void lost_particles_are_named(void **state)
{
  (void)state;
  enum { COUNT = 100, STEP = 40 };
  model_case c;
  fg_target *target;
  fg_grid *grid;
  fg_fixed_settings f;
  fg_flow_report report;
  double x0[COUNT * D] = {0}, x1[COUNT * D];
  fg_target_settings ts;
  fg_target_defaults(FG_TARGET_GAUSSIAN, &ts);
  ts.variance = 1e-12; /* so stiff near t = 0 that Euler multiplies by about -1e11 a step */
  CASE_OK(fg_target_create(&ts, &target, &case_status));
  case_open(&c, "cpu-check", 2, FG_PROCESS_OU, target, NULL);
  CASE_OK(fg_grid_create(FG_GRID_QUADRATIC, 2000, 0, STEP, &grid, &case_status));
  fg_fixed_defaults(&f);
  f.grid = grid;
  f.lambda = 0;
  f.tile = 16;
  for (size_t i = 0; i < COUNT; i += 7) x0[i * D + 1] = 1e300;
  CASE_OK(fg_flow_fixed(c.model, &f, 1, 1, 500, COUNT, x0, x1, NULL, NULL, NULL, &report, &case_status));
  assert_int_equal(report.lost, 15);
  assert_int_equal(report.lost_named, 15);
  for (size_t i = 0; i < report.lost_named; i++) {
    assert_int_equal(report.named[i].particle, 500 + 7 * i);
    assert_true(report.named[i].t > 0 && report.named[i].t <= 2000);
  }
  for (size_t i = 0; i < COUNT * D; i++) assert_true(isfinite(x1[i]));
  for (size_t i = 0; i < COUNT; i++) assert_true(i % 7 == 0 || (x1[i * D] == 0 && x1[i * D + 1] == 0));
  fg_grid_destroy(&grid);
  case_close(&c);
}

static void stop_at_once(void *user, const char *stage, double done, double total)
{
  (void)stage;
  assert_true(done > 0 && done <= total);
  *(volatile sig_atomic_t *)user = 1;
}

static void interruption_and_bad_requests(void **state)
{
  (void)state;
  enum { MANY = 5000 };
  model_case c;
  fg_grid *grid;
  fg_fixed_settings f;
  volatile sig_atomic_t stop = 0;
  static double x[MANY * D], l[MANY];
  open_case(&c, "cpu", FG_PROCESS_OU);
  CASE_OK(fg_grid_create(FG_GRID_UNIFORM, 1, 0, 20, &grid, &case_status));
  fg_fixed_defaults(&f);
  f.grid = grid;
  fg_progress progress = {stop_at_once, (void *)&stop, &stop};
#define RUN(n, log_p) fg_flow_fixed(c.model, &f, 1, 1, 0, n, x, x, log_p, NULL, &progress, NULL, &case_status)
#ifndef FG_ON_CUDA /* looks between launches, and this is one */
  assert_int_equal(RUN(MANY, NULL), FG_INTERRUPTED);
#endif
  stop = 0;
  assert_int_equal(RUN(N, l), FG_USAGE); /* log-density with lambda 1 */
  f.lambda = -1;
  assert_int_equal(RUN(N, NULL), FG_USAGE);
  f.lambda = 1;
  f.tile = 0;
  assert_int_equal(RUN(N, NULL), FG_USAGE);
  f.tile = 64;
  f.refine = 16;
  assert_int_equal(RUN(N, NULL), FG_USAGE);
  f.refine = 0;
  assert_int_equal(RUN(0, NULL), FG_OK);
  x[5] = NAN;
  assert_int_equal(RUN(N, NULL), FG_NUMERICS);
  assert_non_null(strstr(case_status.message, "particle 3"));
  fg_grid_destroy(&grid);
  case_close(&c);
}

/* No stream that another purpose uses, no number that would wrap around in the counter. */
static void noise_is_not_shared(void **state)
{
  (void)state;
  enum { ONE = 1 };
  static const struct {
    uint32_t stream;
    int refine;
    uint64_t first;
    fg_code expected;
  } tries[] = {
      {0, 0, 0, FG_OK},
      {2, 0, 0, FG_OK},
      {3, 0, 0, FG_USAGE},
      {17, 0, 0, FG_USAGE},
      {18, 2, 0, FG_OK},
      {31, 0, 0, FG_OK},
      {32, 0, 0, FG_USAGE},
      {39, 0, 0, FG_USAGE},
      {43, 0, 0, FG_USAGE},
      {44, 0, 0, FG_OK},
      {64 + 3, 0, 0, FG_USAGE},
      {0, 1, 0, FG_USAGE},
      {1024, 15, 0, FG_OK},
      {1025, 0, 0, FG_OK},
      {1025, 1, 0, FG_USAGE},
      {65535, 0, 0, FG_OK},
      {65536, 0, 0, FG_USAGE},
      {UINT32_MAX, 0, 0, FG_USAGE},
      {1, 0, ((uint64_t)1 << 48) - ONE, FG_OK},
      {1, 0, (uint64_t)1 << 48, FG_USAGE},
      {1, 0, UINT64_MAX, FG_USAGE},
  };
  model_case c;
  fg_grid *grid;
  fg_fixed_settings f;
  double x[D] = {0};
  open_case(&c, "cpu", FG_PROCESS_OU);
  CASE_OK(fg_grid_create(FG_GRID_UNIFORM, 1, 0, 1, &grid, &case_status));
  fg_fixed_defaults(&f);
  f.grid = grid;
  for (size_t k = 0; k < sizeof tries / sizeof *tries; k++) {
    f.refine = tries[k].refine;
    assert_int_equal(fg_flow_fixed(c.model, &f, 1, tries[k].stream, tries[k].first, ONE, x, x, NULL, NULL,
                                   NULL, NULL, &case_status),
                     tries[k].expected);
  }
  fg_grid_destroy(&grid);
  case_close(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_as_by_hand),          cmocka_unit_test(snapshots_at_nodes),
      cmocka_unit_test(lost_particles_are_named), cmocka_unit_test(interruption_and_bad_requests),
      cmocka_unit_test(noise_is_not_shared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

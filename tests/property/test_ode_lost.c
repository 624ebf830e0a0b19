/* needs: flow */
/* Particles that cannot be carried: each is left alone with the blame, the others arrive. Driven by
 * the plain engine, whose field is a Gaussian with a hole of NaN and whose ODE is known exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "flow/ode_tile.h"
#include "sde/coeff.h"
#include "support/plain_engine.h"

enum { MOST = 1000 };
static const double horizon = 5, t_end = 1e-3;

typedef struct setup {
  fg_process *process;
  fg_engine engine;
  plain_field field;
  fg_ode_settings settings;
  fg_ode_problem problem;
  double x0[2 * MOST], x1[2 * MOST], log_p[MOST];
} setup;

static void make(setup *s, fg_threads *threads, size_t n)
{
  fg_process_settings process;
  fg_process_defaults(FG_PROCESS_OU, &process);
  process.horizon = horizon;
  memset(s, 0, sizeof *s);
  assert_int_equal(fg_process_create(&process, &s->process, NULL), FG_OK);
  s->engine = plain_engine(threads);
  s->field.field.d = 2;
  s->field.variance = 4;
  fg_ode_defaults(&s->settings);
  for (size_t i = 0; i < n; i++) { /* all to the left of 0 */
    s->x0[2 * i] = -0.5 - fmod(0.37 * (double)i, 1.0);
    s->x0[2 * i + 1] = 2 * fmod(0.61 * (double)i, 1.0) - 1;
  }
  s->problem = (fg_ode_problem){.engine = &s->engine,
                                .field = &s->field.field,
                                .process = s->process,
                                .settings = &s->settings,
                                .norm = FG_NORM_PARTICLE,
                                .n = n,
                                .d = 2,
                                .x0 = s->x0,
                                .x1 = s->x1,
                                .log_p = s->log_p,
                                .t0 = horizon,
                                .t1 = t_end};
}

static void clear(setup *s)
{
  fg_process_destroy(&s->process);
}

/* Everything to the right of 0 is NaN below time t. */
static void dig(setup *s, double t)
{
  s->field.hole_low = 0;
  s->field.hole_high = HUGE_VAL;
  s->field.hole_t = t;
}

static double variance_at(const setup *s, double t)
{
  fg_coeff c = fg_process_coeff(s->process, t);
  return c.m * c.m * s->field.variance + c.v;
}

/* The state of particle i at time t, to 100 times the tolerance (11 times was the most seen). */
static void check_state(const setup *s, size_t i, double t, const double *x, double log_p)
{
  double ratio = variance_at(s, t) / variance_at(s, horizon);
  for (int j = 0; j < 2; j++) {
    double want = s->x0[2 * i + (size_t)j] * sqrt(ratio);
    assert_true(fabs(x[j] - want) < 100 * (1e-6 * fabs(want) + 1e-8));
  }
  assert_true(fabs(log_p + log(ratio)) < 100 * (1e-6 * fabs(log(ratio)) + 1e-8));
}

static void test_all_arrive(void **state)
{
  (void)state;
  for (int method = 0; method < 2; method++) {
    setup s;
    make(&s, NULL, 150);
    s.settings.method = method ? FG_ODE_BDF : FG_ODE_ADAMS;
    fg_flow_report report;
    assert_int_equal(fg_ode_run(&s.problem, &report, NULL), FG_OK);
    assert_int_equal(report.lost, 0);
    assert_int_equal(report.tiles, 3);
    assert_int_equal(report.tiles_split, 0);
    assert_true(report.steps > 0 && report.rhs_evaluations > report.steps);
    assert_int_equal(report.jvp_evaluations > 0, method);
    for (size_t i = 0; i < 150; i++) check_state(&s, i, t_end, s.x1 + 2 * i, s.log_p[i]);
    clear(&s);
  }
}

/* The profile against time adds up to the totals, tile by tile. */
static void test_profile(void **state)
{
  (void)state;
  setup s;
  make(&s, NULL, 150);
  fg_flow_report r;
  assert_int_equal(fg_ode_run(&s.problem, &r, NULL), FG_OK);
  double steps = 0, rhs = 0;
  assert_int_equal(r.bins, FG_ODE_BINS);
  for (size_t b = 0; b < r.bins; b++) {
    steps += r.bin_steps[b];
    rhs += r.bin_rhs[b];
    assert_true(r.bin_order[b] >= 0 && r.bin_order[b] <= 12);
    assert_true(r.bin_steps[b] == 0 || r.bin_order[b] >= 1);
    assert_true(r.bin_t[b] > t_end && r.bin_t[b] < horizon);
    if (b > 0)
      assert_true(fabs(log(r.bin_t[b] / r.bin_t[b - 1]) - log(horizon / t_end) / FG_ODE_BINS) < 1e-12);
  }
  assert_true(fabs(steps * 3 - (double)r.steps) < 1e-9);
  assert_true(fabs(rhs * 3 - (double)r.rhs_evaluations) < 1e-9);
  clear(&s);
}

static void test_one_lost(void **state)
{
  (void)state;
  for (int method = 0; method < 2; method++) {
    setup s;
    double times[] = {4, 1, 0.5}, kept[3 * 2 * 150], kept_log_p[3 * 150];
    fg_snapshots snapshots = {3, times, kept, kept_log_p};
    make(&s, NULL, 150);
    s.settings.method = method ? FG_ODE_BDF : FG_ODE_ADAMS;
    s.problem.snapshots = &snapshots;
    s.x0[2 * 77] = 0.7;
    dig(&s, 0.8);
    fg_flow_report report;
    assert_int_equal(fg_ode_run(&s.problem, &report, NULL), FG_OK);
    assert_int_equal(report.lost, 1);
    assert_int_equal(report.lost_named, 1);
    assert_int_equal(report.named[0].particle, 77);
    assert_int_equal(report.tiles, 3);
    assert_int_equal(report.tiles_split, 1);
    double t = report.named[0].t;
    assert_true(t >= 0.8 && t < 0.8 + 1e-4); /* it got to the edge of the hole */
    assert_true(report.steps < 2000);        /* without crawling there (400 seen) */
    for (size_t i = 0; i < 150; i++) {
      check_state(&s, i, i == 77 ? t : t_end, s.x1 + 2 * i, s.log_p[i]);
      for (size_t k = 0; k < 3; k++)
        check_state(&s, i, i == 77 ? fmax(t, times[k]) : times[k], kept + 2 * (150 * k + i),
                    kept_log_p[150 * k + i]);
    }
    clear(&s);
  }
}

/* A start in the hole fails at the first right-hand side. */
static void test_lost_at_start(void **state)
{
  (void)state;
  setup s;
  make(&s, NULL, 64);
  s.x0[2 * 5] = 0.5;
  s.x0[2 * 63] = 0.6;
  dig(&s, 2 * horizon);
  fg_flow_report report;
  assert_int_equal(fg_ode_run(&s.problem, &report, NULL), FG_OK);
  assert_int_equal(report.lost, 2);
  assert_int_equal(report.named[0].particle, 5);
  assert_int_equal(report.named[1].particle, 63);
  assert_true(report.named[0].t == horizon && s.x1[2 * 5] == 0.5);
  assert_true(report.named[1].t == horizon && s.x1[2 * 63] == 0.6);
  for (size_t i = 0; i < 63; i++)
    if (i != 5) check_state(&s, i, t_end, s.x1 + 2 * i, s.log_p[i]);
  clear(&s);
}

static void test_start_not_finite(void **state)
{
  (void)state;
  const double bad[] = {NAN, INFINITY, -INFINITY};
  for (int k = 0; k < 3; k++) {
    setup s;
    fg_status st;
    make(&s, NULL, 64);
    s.x0[2 * 63 + 1] = bad[k];
    assert_int_equal(fg_ode_run(&s.problem, NULL, &st), FG_NUMERICS);
    assert_non_null(strstr(st.message, "coordinate 2 of particle 64"));
    clear(&s);
  }
}

/* Names, counts and every bit of the states are the same however many threads share the work. */
static void test_threads(void **state)
{
  (void)state;
  const int counts[] = {1, 2, 5};
  static setup first, s;
  fg_flow_report want, report;
  for (int c = 0; c < 3; c++) {
    fg_threads *threads;
    assert_int_equal(fg_threads_create(counts[c], &threads, NULL), FG_OK);
    make(&s, threads, 997);
    s.settings.tile = 16;
    for (size_t i = 3; i < 997; i += 11) s.x0[2 * i] = 0.3 + 1e-3 * (double)i; /* 91 doomed */
    dig(&s, 0.1);
    assert_int_equal(fg_ode_run(&s.problem, &report, NULL), FG_OK);
    assert_int_equal(report.lost, 91);
    assert_int_equal(report.lost_named, FG_LOST_NAMED);
    for (size_t i = 0; i < FG_LOST_NAMED; i++) assert_int_equal(report.named[i].particle, 3 + 11 * i);
    for (size_t i = 0; i < 997; i++)
      if (i % 11 != 3) check_state(&s, i, t_end, s.x1 + 2 * i, s.log_p[i]);
    report.seconds = 0;
    if (c == 0) {
      first = s;
      want = report;
    }
    assert_memory_equal(s.x1, first.x1, sizeof s.x1);
    assert_memory_equal(s.log_p, first.log_p, sizeof s.log_p);
    assert_memory_equal(&report, &want, sizeof report);
    clear(&s);
    fg_threads_destroy(&threads);
  }
}

/* A solver used before gives the same bits as a new one. */
static void test_solver_reuse(void **state)
{
  (void)state;
  for (int method = 0; method < 2; method++) {
    setup s;
    make(&s, NULL, 128);
    s.settings.method = method ? FG_ODE_BDF : FG_ODE_ADAMS;
    s.x0[2 * 10] = 0.7; /* the first tile is split on the way */
    dig(&s, 0.8);
    fg_ode_worker worker = {0}, other = {0};
    s.problem.bin_low = 0;
    s.problem.bins_per_log = 1;
    assert_int_equal(fg_ode_tile(&worker, &s.problem, 0, 64, NULL), FG_OK);
    assert_int_equal(fg_ode_tile(&worker, &s.problem, 64, 64, NULL), FG_OK);
    double x[128], log_p[64];
    memcpy(x, s.x1 + 128, sizeof x);
    memcpy(log_p, s.log_p + 64, sizeof log_p);
    memset(s.log_p, 0, sizeof s.log_p);
    assert_int_equal(fg_ode_tile(&other, &s.problem, 64, 64, NULL), FG_OK);
    assert_memory_equal(x, s.x1 + 128, sizeof x);
    assert_memory_equal(log_p, s.log_p + 64, sizeof log_p);
    fg_ode_worker_clear(&worker);
    fg_ode_worker_clear(&other);
    clear(&s);
  }
}

static void test_max_steps(void **state)
{
  (void)state;
  setup s;
  make(&s, NULL, 10);
  s.settings.max_steps = 3;
  fg_flow_report report;
  assert_int_equal(fg_ode_run(&s.problem, &report, NULL), FG_OK);
  assert_int_equal(report.lost, 10); /* none gets there in 3 steps per block, 4 blocks deep */
  assert_int_equal(report.lost_named, 10);
  for (size_t i = 0; i < 10; i++) {
    assert_int_equal(report.named[i].particle, i);
    assert_true(report.named[i].t < horizon && report.named[i].t > t_end);
    check_state(&s, i, report.named[i].t, s.x1 + 2 * i, s.log_p[i]);
  }
  clear(&s);
}

static fg_code broken_rhs(fg_engine *e, const fg_field *field, const fg_ode_request *r, fg_status *st)
{
  if (r->coeff.t < 1) return FG_FAIL(st, FG_UNSUPPORTED, "the device went away at t = %g", r->coeff.t);
  return plain_ode_rhs(e, field, r, st);
}

/* A failure of the engine is no particle's fault: the call fails with the engine's words. */
static void test_engine_failure(void **state)
{
  (void)state;
  setup s;
  make(&s, NULL, 100);
  fg_engine_ops ops = plain_ops;
  ops.ode_rhs = broken_rhs;
  s.engine.ops = &ops;
  fg_status st;
  assert_int_equal(fg_ode_run(&s.problem, NULL, &st), FG_UNSUPPORTED);
  assert_non_null(strstr(st.message, "the device went away at t = "));
  clear(&s);
}

typedef struct watch {
  double last;
  int calls;
} watch;

static void on_progress(void *user, const char *stage, double done, double total)
{
  watch *w = user;
  assert_string_equal(stage, "ode");
  assert_true(done > w->last && done <= total && total == 500);
  w->last = done;
  w->calls++;
}

static void test_progress_and_cancel(void **state)
{
  (void)state;
  setup s;
  watch seen = {0, 0};
  volatile sig_atomic_t cancel = 0;
  fg_threads *threads;
  assert_int_equal(fg_threads_create(3, &threads, NULL), FG_OK);
  fg_progress progress = {on_progress, &seen, &cancel};
  make(&s, threads, 500);
  s.problem.progress = &progress;
  assert_int_equal(fg_ode_run(&s.problem, NULL, NULL), FG_OK);
  assert_int_equal(seen.calls, 8);
  assert_true(seen.last == 500);
  cancel = 1;
  fg_status st;
  assert_int_equal(fg_ode_run(&s.problem, NULL, &st), FG_INTERRUPTED);
  clear(&s);
  fg_threads_destroy(&threads);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_arrive),       cmocka_unit_test(test_profile),
      cmocka_unit_test(test_one_lost),         cmocka_unit_test(test_lost_at_start),
      cmocka_unit_test(test_start_not_finite), cmocka_unit_test(test_threads),
      cmocka_unit_test(test_solver_reuse),     cmocka_unit_test(test_max_steps),
      cmocka_unit_test(test_engine_failure),   cmocka_unit_test(test_progress_and_cancel),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

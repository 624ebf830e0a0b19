/* needs: flow */
/* Grids and integrators from the rows flow.sde.* and flow.ode.*. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "flowgap/flow.h"

typedef struct setup {
  fg_settings *settings;
  fg_process *process;
} setup;

static setup open_setup(const char *yaml)
{
  setup s = {NULL, NULL};
  fg_status st = {0};
  assert_int_equal(fg_settings_create(&s.settings, &st), FG_OK);
  if (fg_settings_parse(s.settings, yaml, "test.yaml", &st) != FG_OK) fail_msg("%s", st.message);
  if (fg_process_from_settings(s.settings, &s.process, &st) != FG_OK) fail_msg("%s", st.message);
  return s;
}

static void close_setup(setup *s)
{
  fg_process_destroy(&s->process);
  fg_settings_destroy(&s->settings);
}

static void expect_grid(const char *yaml, const char *group, size_t steps, double first, double second,
                        double last)
{
  setup s = open_setup(yaml);
  fg_grid *grid = NULL;
  fg_status st = {0};
  if (fg_grid_from_settings(s.settings, group, s.process, &grid, &st) != FG_OK) fail_msg("%s", st.message);
  assert_int_equal(fg_grid_steps(grid), steps);
  const double *t = fg_grid_times(grid);
  assert_true(t[0] == first);
  assert_true(fabs(t[1] - second) < 1e-13 * first); /* a few roundings of times below the horizon */
  assert_true(t[steps] == last);
  fg_grid_destroy(&grid);
  close_setup(&s);
}

static void test_grids(void **state)
{
  (void)state;
  expect_grid("{}", "flow.sde", 1000, 10, 10 - 9.999 / 1000, 0.001);
  expect_grid("flow.sde: {steps: 4, t_end: 2}", "flow.sde", 4, 10, 8, 2);
  expect_grid("flow.sde: {steps: 4, t_end: 2, spacing: quadratic}", "flow.sde", 4, 10, 2 + 8 * 0.75 * 0.75,
              2);
  expect_grid("flow.sde: {steps: 4, t_end: 2, spacing: cosine}", "flow.sde", 4, 10,
              2 + 8 * (1 - pow(sin(acos(-1.0) / 8), 2)), 2);
  expect_grid("flow.sde.grid: [[10, 1, 9], [1, 0, 10]]", "flow.sde", 19, 10, 9, 0);
  expect_grid("{process.kind: vp, flow.sde: {steps: 5, t_end: 0}}", "flow.sde", 5, 1, 0.8, 0);
  /* the ODE on the SDE's times, or on its own */
  expect_grid("{flow.ode.method: euler, flow.sde.grid: [[10, 1, 9], [1, 0, 10]]}", "flow.ode", 19, 10, 9, 0);
  expect_grid("{flow.ode: {method: heun, steps: 5}, flow.sde.grid: [[10, 1, 9], [1, 0, 10]]}", "flow.ode", 5,
              10, 8, 0);
  expect_grid("{flow.ode: {method: heun, steps: 5, t_end: 5}}", "flow.ode", 5, 10, 9, 5);
  expect_grid("{flow.ode: {method: heun, grid: [[10, 0.5, 19]]}}", "flow.ode", 19, 10, 9.5, 0.5);
}

static void refuse_grid(const char *yaml, const char *group, const char *message)
{
  setup s = open_setup(yaml);
  fg_grid *grid = NULL;
  fg_status st = {0};
  assert_int_equal(fg_grid_from_settings(s.settings, group, s.process, &grid, &st), FG_USAGE);
  if (!strstr(st.message, message)) fail_msg("expected: %s, got: %s", message, st.message);
  assert_null(grid);
  close_setup(&s);
}

static void test_refused_grids(void **state)
{
  (void)state;
  refuse_grid("flow.sde.grid: [[9, 0, 5]]", "flow.sde", "process.horizon is 10");
  refuse_grid("flow.sde.grid: [[10, 1, 5], [2, 0, 5]]", "flow.sde", "");
  refuse_grid("flow.sde.grid: [[10, 0, 5.5]]", "flow.sde", "segment 1: 5.5 steps");
  refuse_grid("flow.sde.grid: [[10, 0, 0]]", "flow.sde", "segment 1: 0 steps");
  refuse_grid("flow.sde.grid: [10, 0, 5]", "flow.sde", "segments [from, to, steps]");
  refuse_grid("flow.sde.grid: [[10, 0]]", "flow.sde", "segments [from, to, steps]");
  refuse_grid("flow.sde.t_end: 10", "flow.sde", "must be below process.horizon");
  refuse_grid("flow.ode: {method: euler, t_end: 0.5}", "flow.ode", "give flow.ode.steps as well");
  refuse_grid("flow.ode: {method: euler, t_end: 0.5, grid: [[10, 0, 5]]}", "flow.ode",
              "leave flow.ode.t_end out");
  refuse_grid("{}", "flow.xde", "give flow.sde or flow.ode");
}

static void test_fixed(void **state)
{
  (void)state;
  setup s = open_setup(
      "flow: {sde: {method: heun, lambda: 0.5, last_step_noise: false, refine: 3, precision: single,"
      " tile: 7}, ode: {method: euler, tile: 9}}");
  fg_fixed_settings fixed;
  fg_grid *grid = NULL;
  fg_status st = {0};
  assert_int_equal(fg_grid_from_settings(s.settings, "flow.sde", s.process, &grid, &st), FG_OK);
  assert_int_equal(fg_fixed_from_settings(s.settings, "flow.sde", grid, &fixed, &st), FG_OK);
  assert_int_equal(fixed.scheme, FG_HEUN);
  assert_ptr_equal(fixed.grid, grid);
  assert_true(fixed.lambda == 0.5 && !fixed.last_step_noise && fixed.refine == 3);
  assert_true(fixed.precision == FG_SINGLE && fixed.tile == 7);
  assert_int_equal(fg_fixed_from_settings(s.settings, "flow.ode", grid, &fixed, &st), FG_OK);
  assert_true(fixed.scheme == FG_EULER && fixed.lambda == 0 && fixed.refine == 0);
  assert_true(fixed.precision == FG_DOUBLE && fixed.tile == 9);
  assert_int_equal(fg_settings_assign(s.settings, "flow.ode.method=bdf", &st), FG_OK);
  assert_int_equal(fg_fixed_from_settings(s.settings, "flow.ode", grid, &fixed, &st), FG_USAGE);
  fg_grid_destroy(&grid);
  close_setup(&s);
}

static void test_ode(void **state)
{
  (void)state;
  setup s = open_setup(
      "flow: {ode: {method: bdf, rtol: 1e-9, atol: 1e-11, tile: 32, max_steps: 77, precision: single},"
      " sde: {grid: [[10, 1, 5], [1, 0.25, 5]]}}");
  fg_ode_settings ode;
  double t_end;
  bool on_grid;
  fg_status st = {0};
  assert_int_equal(fg_ode_from_settings(s.settings, &ode, &t_end, &on_grid, &st), FG_OK);
  assert_int_equal(ode.method, FG_ODE_BDF);
  assert_true(ode.rtol == 1e-9 && ode.atol == 1e-11 && ode.tile == 32 && ode.max_steps == 77);
  assert_int_equal(ode.precision, FG_SINGLE);
  assert_true(t_end == 0.25 && !on_grid); /* auto: where the SDE stops */
  assert_int_equal(fg_settings_assign(s.settings, "flow.ode.t_end=0.5", &st), FG_OK);
  assert_int_equal(fg_ode_from_settings(s.settings, &ode, &t_end, &on_grid, &st), FG_OK);
  assert_true(t_end == 0.5);
  assert_int_equal(fg_settings_assign(s.settings, "flow.ode.t_end=auto", &st), FG_OK);
  assert_int_equal(fg_settings_assign(s.settings, "flow.ode.method=heun", &st), FG_OK);
  assert_int_equal(fg_ode_from_settings(s.settings, &ode, &t_end, &on_grid, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "flow.ode.rtol changes nothing while flow.ode.method is heun"));
  assert_int_equal(fg_settings_assign(s.settings, "flow.ode.rtol=1e-6", &st), FG_OK); /* the defaults */
  assert_int_equal(fg_settings_assign(s.settings, "flow.ode.atol=1e-8", &st), FG_OK);
  assert_int_equal(fg_settings_assign(s.settings, "flow.ode.max_steps=100000", &st), FG_OK);
  assert_int_equal(fg_ode_from_settings(s.settings, &ode, &t_end, &on_grid, &st), FG_OK);
  assert_true(on_grid && t_end == 0.25);
  close_setup(&s);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_grids),
      cmocka_unit_test(test_refused_grids),
      cmocka_unit_test(test_fixed),
      cmocka_unit_test(test_ode),
  };
  return cmocka_run_group_tests_name("flow settings", tests, NULL, NULL);
}

/* needs: train */
/* What the rows train.* mean at each step of the training, and which of them are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "flowgap/flowgap.h"
#include "sde/coeff.h"
#include "train/steps.h"

static fg_status st;

static fg_code read(const char *yaml, fg_train_settings *train)
{
  fg_settings *settings;
  assert_int_equal(fg_settings_create(&settings, &st), FG_OK);
  if (fg_settings_parse(settings, yaml, "test", &st) != FG_OK) fail_msg("%s", st.message);
  fg_code rc = fg_train_from_settings(settings, train, &st);
  fg_settings_destroy(&settings);
  return rc;
}

static fg_train_settings good(const char *yaml)
{
  fg_train_settings train;
  if (read(yaml, &train) != FG_OK) fail_msg("%s: %s", yaml, st.message);
  return train;
}

static void bad(const char *yaml, const char *text)
{
  fg_train_settings train;
  assert_int_equal(read(yaml, &train), FG_USAGE);
  if (!strstr(st.message, text)) fail_msg("%s: \"%s\" does not say \"%s\"", yaml, st.message, text);
}

static void test_defaults(void **state)
{
  (void)state;
  fg_train_settings a = good(""), b;
  fg_train_defaults(FG_TRAIN_DIS, &b);
  assert_memory_equal(a.stages, b.stages, 4 * sizeof *a.stages);
  memset(&a.stages[4], 0, sizeof a.stages - 4 * sizeof *a.stages);
  assert_int_equal(a.evaluate_every, b.evaluate_every);
  assert_int_equal(a.evaluate_steps, b.evaluate_steps);
  assert_int_equal(a.score, b.score);
  assert_true(a.path_limit == b.path_limit && a.rate == b.rate && a.decay == b.decay &&
              a.lost_most == b.lost_most && a.loss_most == b.loss_most);
  assert_int_equal(good("train: {method: dds}").score, FG_GUIDE_TARGET);
  assert_int_equal(good("train: {method: dis}").score, FG_GUIDE_INTERPOLATED);
  assert_int_equal(good("train: {method: bridge}").score, FG_GUIDE_INTERPOLATED);
  bad("train: {method: bridge, objective: kl_ito, form: discrete}", "no Ito term");
  assert_int_equal(good("train: {objective: log_variance_trajectory}").group, 16);
  assert_true(isinf(good("train: {clip_norm: 0}").clip_norm));
  assert_true(good("train: {path_limit: 3}").path_limit == 3);
  assert_int_equal(good("seed: 7").seed, 7);
}

/* The published protocol: a quarter of the training on each grid, clips after 200 and 400 steps. */
static void test_stages(void **state)
{
  (void)state;
  fg_train_settings s = good("train: {steps: 10}");
  static const size_t expected[10] = {100, 100, 200, 200, 200, 400, 400, 800, 800, 800};
  for (uint64_t k = 0; k < 10; k++) assert_int_equal(fg_train_grid_steps(&s, k), expected[k]);
  assert_int_equal(s.evaluate_steps, 800);
  s = good("train: {steps: 10, time_steps: 30}");
  assert_int_equal(fg_train_grid_steps(&s, 0), 30);
  assert_int_equal(fg_train_grid_steps(&s, 9), 30);
  s = good("train: {steps: 10, time_steps: [[5, 3], [7, 7]], evaluate_steps: 9}");
  assert_int_equal(fg_train_grid_steps(&s, 2), 5);
  assert_int_equal(fg_train_grid_steps(&s, 3), 7);
  assert_int_equal(s.evaluate_steps, 9);
  s = good("");
  assert_true(fg_train_clip_at(&s, 0) == 10 && fg_train_clip_at(&s, 199) == 10);
  assert_true(fg_train_clip_at(&s, 200) == 50 && fg_train_clip_at(&s, 400) == 250);
  s = good("train: {clip: []}");
  assert_true(isinf(fg_train_clip_at(&s, 5)));
  s = good("train: {clip: [[3, 7]]}");
  assert_true(isinf(fg_train_clip_at(&s, 2)) && fg_train_clip_at(&s, 3) == 7);
  s = good("train: {control: potential}");
  assert_true(isinf(fg_train_clip_at(&s, 0)));
}

static void test_refused(void **state)
{
  (void)state;
  bad("train: {steps: 10, time_steps: [[5, 3], [7, 6]]}",
      "last 9 optimiser steps together, train.steps is 10");
  bad("train: {time_steps: [1.5]}", "train.time_steps, entry 1: give integers");
  bad("train: {time_steps: []}", "train.time_steps");
  bad("train: {hidden: []}", "train.hidden");
  bad("train: {hidden: [64, 6.5]}", "a width is 6.5");
  bad("train: {hidden: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}", "1 to 11 widths");
  bad("train: {clip: [[0, 10], [0, 20]]}", "train.clip, entry 2");
  bad("train: {clip: [[0, 0]]}", "train.clip, entry 1");
  bad("train: {objective: log_variance_trajectory, group: 1}", "train.group is 1");
  bad("train: {objective: log_variance_trajectory, group: 3}", "do not divide");
  bad("train: {group: 4}", "train.group changes nothing while train.objective is log_variance");
  bad("train: {detach_score: true}", "train.detach_score changes nothing");
  bad("train: {rate_every: 5}", "train.rate_every changes nothing while train.schedule is constant");
  bad("train: {score: none, time_factor: false}", "train.time_factor changes nothing");
  bad("train: {control: potential, clip: [[0, 3]]}", "train.clip changes nothing");
}

static fg_process *process_of(fg_process_kind kind)
{
  fg_process_settings s;
  fg_process *process;
  fg_process_defaults(kind, &s);
  if (fg_process_create(&s, &process, &st) != FG_OK) fail_msg("%s", st.message);
  return process;
}

static void refuses(fg_train_method method, fg_process_kind kind, fg_prior_kind prior, const char *text)
{
  fg_process *process = process_of(kind);
  fg_prior_view view = {prior, 1, -1};
  fg_code rc = fg_sampler_check(method, process, &view, &st);
  fg_process_destroy(&process);
  if (!text) {
    assert_int_equal(rc, FG_OK);
    return;
  }
  assert_int_equal(rc, FG_USAGE);
  assert_non_null(strstr(st.message, text));
}

static void test_combinations(void **state)
{
  (void)state;
  refuses(FG_TRAIN_DIS, FG_PROCESS_VP, FG_PRIOR_TRUNCATED, NULL);
  refuses(FG_TRAIN_DIS, FG_PROCESS_VE, FG_PRIOR_GAUSSIAN, NULL);
  refuses(FG_TRAIN_DDS, FG_PROCESS_OU, FG_PRIOR_GAUSSIAN, NULL);
  refuses(FG_TRAIN_PIS, FG_PROCESS_PINNED, FG_PRIOR_POINT, NULL);
  refuses(FG_TRAIN_PIS, FG_PROCESS_BM, FG_PRIOR_POINT, "set process.kind to pinned");
  refuses(FG_TRAIN_DDS, FG_PROCESS_VE, FG_PRIOR_GAUSSIAN, "set process.kind to vp or ou");
  refuses(FG_TRAIN_DIS, FG_PROCESS_PINNED, FG_PRIOR_POINT, "train.method is dis");
  refuses(FG_TRAIN_BRIDGE, FG_PROCESS_VE, FG_PRIOR_TRUNCATED, NULL);
  refuses(FG_TRAIN_BRIDGE, FG_PROCESS_PINNED, FG_PRIOR_POINT, "train.method is bridge");
  refuses(FG_TRAIN_PIS, FG_PROCESS_PINNED, FG_PRIOR_GAUSSIAN, "set prior.kind to point");
  refuses(FG_TRAIN_DIS, FG_PROCESS_VP, FG_PRIOR_POINT, "gaussian or truncated");
  refuses(FG_TRAIN_DIS, FG_PROCESS_VP, FG_PRIOR_EXACT, "prior.kind is exact");
}

/* ---- steps against quadrature ----------------------------------------------------------------- */

/* integral over to..from of g^2(t) e^{power A(t)}, A the integral of a from `to` to t, by Simpson's rule. */
static double quadrature(const fg_process *p, double from, double to, double power)
{
  enum { PARTS = 2000 };
  double sum = 0, h = (from - to) / PARTS;
  for (int i = 0; i <= PARTS; i++) {
    double t = to + h * i;
    double weight = i == 0 || i == PARTS ? 1 : i % 2 ? 4 : 2;
    sum += weight * fg_process_g2(p, t) * exp(power * log(fg_process_m(p, to) / fg_process_m(p, t)));
  }
  return sum * h / 3;
}

static void near(double got, double expected, double tolerance)
{
  if (!(fabs(got - expected) <= tolerance * fabs(expected))) fail_msg("%.17g, expected %.17g", got, expected);
}

/* The exponential step is exact for a control held constant: X' = e^{+-A} X + integral of e^{..} g^2 s + noise. The
 * quadrature's own error is below 1e-12; m comes through exp and log. */
static void test_exponential_step(void **state)
{
  (void)state;
  static const fg_process_kind kinds[] = {FG_PROCESS_OU, FG_PROCESS_VP, FG_PROCESS_VE, FG_PROCESS_BM};
  for (int k = 0; k < 4; k++) {
    fg_process *p = process_of(kinds[k]);
    double from = 0.8, to = 0.55, g = sqrt(fg_process_g2(p, from));
    fg_path_step s = fg_path_step_between(p, FG_TRAIN_DIS, FG_TRAIN_EXPONENTIAL, 3, from, to);
    double rise = fg_process_m(p, to) / fg_process_m(p, from);
    near(s.keep, rise, 1e-12);
    near(s.push, quadrature(p, from, to, 1) / g, 1e-11);
    near(s.spread * s.spread, quadrature(p, from, to, 2), 1e-11);
    near(s.back, 1 / rise, 1e-12);
    near(s.back_variance, fg_process_v(p, from) - fg_process_v(p, to) / (rise * rise), 1e-11);
    near(s.drift + 1, 3 * log(rise) + 1, 1e-12);
    if (k < 2) {
      s = fg_path_step_between(p, FG_TRAIN_DDS, FG_TRAIN_EXPONENTIAL, 3, from, to);
      near(s.keep, 1 / rise, 1e-12);
      near(s.push, quadrature(p, from, to, -1) / g, 1e-11);
      near(s.spread * s.spread, quadrature(p, from, to, -2), 1e-11);
      assert_true(s.drift == 0);
    }
    fg_process_destroy(&p);
  }
}

/* A tiny step keeps its digits: push -> g h, spread^2 -> g^2 h, back_variance -> g^2 h. */
static void test_small_steps(void **state)
{
  (void)state;
  static const fg_process_kind kinds[] = {FG_PROCESS_OU, FG_PROCESS_VP, FG_PROCESS_VE, FG_PROCESS_BM};
  for (int k = 0; k < 4; k++) {
    fg_process *p = process_of(kinds[k]);
    double from = 0.5, to = 0.5 - ldexp(1, -40), h = from - to, g2 = fg_process_g2(p, from);
    fg_path_step s = fg_path_step_between(p, FG_TRAIN_DIS, FG_TRAIN_EXPONENTIAL, 1, from, to);
    near(s.push, sqrt(g2) * h, 1e-10); /* higher terms are of the order of h */
    near(s.spread, sqrt(g2 * h), 1e-10);
    near(s.back_variance, g2 * h, 1e-10);
    fg_process_destroy(&p);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),         cmocka_unit_test(test_stages),
      cmocka_unit_test(test_refused),          cmocka_unit_test(test_combinations),
      cmocka_unit_test(test_exponential_step), cmocka_unit_test(test_small_steps)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

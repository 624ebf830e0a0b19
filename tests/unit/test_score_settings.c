/* needs: train */
/* What the rows of score models and of the residual mean, and which combinations are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "flowgap/flowgap.h"

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

static void test_network(void **state)
{
  (void)state;
  fg_train_settings a = good("train: {method: dsm}");
  assert_true(a.control == FG_POTENTIAL && a.activation == FG_SOFTPLUS && a.beta == 1 && a.threshold == 20);
  assert_true(a.time == FG_TIME_FIRST && !a.time_reversed && !a.zero_last && a.group == 1);
  assert_true(a.residual.weight == 0 && a.residual.form == FG_TRAIN_LOG && a.residual.where == FG_AT_BOX);
  assert_true(a.residual.group == 1 && a.time_law == FG_TIMES_BETA && !a.variance_weight);
  a = good("{model: {form: vector, output: noise, inputs: [x, t], activation: tanh}, train: {method: dsm, "
           "last_layer: "
           "zero}}");
  assert_true(a.control == FG_VECTOR && a.output == FG_OUTPUT_NOISE && a.time == FG_TIME_LAST && a.zero_last);
  assert_true(a.residual.form == FG_TRAIN_SCORE);
  a = good("{model: {embedding: embedded, time_reversed: true}, train: {method: dsm, batch: 5000}}");
  assert_true(a.time == FG_TIME_EMBEDDED && a.time_reversed && a.group == 25 && a.residual.group == 25);
  a = good("{model: {embedding: fourier, inputs: [x]}, train: {method: dsm}}");
  assert_true(a.time == FG_TIME_FOURIER && a.group == 32);
  a = good(
      "{model: {form: vector, beta: 3}, train: {method: dis}}"); /* samplers have a network of their own */
  assert_true(a.time == FG_TIME_EMBEDDED && a.time_reversed && a.zero_last && a.beta == 1);
}

static void test_residual(void **state)
{
  (void)state;
  fg_train_settings a = good(
      "train: {method: dsm, time_least: 0.01, residual: {weight: 0.1, form: centred, where: path, probes: 3, "
      "points: 640, paths: 99, path_steps: 7, refresh: 11}}");
  const fg_train_residual *q = &a.residual;
  assert_true(q->weight == 0.1 && q->form == FG_TRAIN_CENTRED && q->where == FG_AT_PATH &&
              q->time_least == 0.01);
  assert_true(q->probes == 3 && q->points == 640 && q->group == 32 && q->paths == 99 && q->path_steps == 7);
  assert_true(q->refresh == 11);
  a = good("train: {method: dis, control: potential, residual: {weight: 1}}");
  assert_true(a.residual.where == FG_AT_PATH && a.residual.form == FG_TRAIN_LOG && a.residual.group == 50);
  a = good("train: {method: dsm, residual: {weight: 1, where: gaussian, sd: 2, group: 4}}");
  assert_true(a.residual.where == FG_AT_GAUSSIAN && a.residual.sd == 2 && a.residual.group == 4);
}

static void test_rates(void **state)
{
  (void)state;
  fg_train_settings a = good("train: {rates: [[0, 0.1], [10, 0.01], [30, 0.001]], steps: 40}");
  assert_true(fg_train_rate(&a, 0) == 0.1 && fg_train_rate(&a, 9) == 0.1 && fg_train_rate(&a, 10) == 0.01);
  assert_true(fg_train_rate(&a, 39) == 0.001);
  assert_true(fg_train_began(&a, 9) == 0 && fg_train_began(&a, 10) == 10 && fg_train_began(&a, 35) == 30);
  a = good("train: {rates: [[0, 0.1], [10, 0.01]], schedule: step, rate_every: 20, rate_factor: 0.5}");
  assert_true(fabs(fg_train_rate(&a, 25) - 0.005) < 1e-15);
  bad("train: {rates: [[1, 0.1]]}", "entry 1, [1, 0.1]: give steps that grow from 0");
  bad("train: {rates: [[0, 0.1], [5, 0.1], [5, 0.2]]}", "entry 3");
  bad("train: {rates: [0.1, 0.2]}", "pairs [from step, rate]");
  bad("train: {rates: [[0, 0.1]], rate: 0.2}", "train.rate changes nothing while train.rates is given");
  bad("train: {restart_optimiser: true}", "at the entries of train.rates: give them");
}

static void test_refused(void **state)
{
  (void)state;
  bad("{model: {form: vector}, train: {method: dsm, residual: {weight: 1, form: log}}}",
      "set model.form to potential");
  bad("{model: {form: vector}, train: {method: dsm, residual: {weight: 1, form: centred}}}",
      "or the form to score");
  bad("train: {method: dsm, residual: {weight: 1, form: score}}",
      "set model.form to vector, or the form to log");
  bad("train: {method: dis, residual: {weight: 1}}", "set train.control to potential, or the weight to 0");
  bad("train: {method: dis, control: potential, residual: {weight: 1, form: score}}",
      "set train.control to vector");
  bad("train: {method: dsm, residual: {weight: 1, form: centred, group: 1}}", "needs 2 or more");
  bad("train: {method: dsm, residual: {weight: 1, points: 100, group: 3}}",
      "which groups of 3 (train.residual.group)");
  bad("train: {method: dsm, batch: 100, point_group: 3}",
      "which groups of 3 (train.point_group) do not divide");
  bad("{model: {form: vector, output: control}, train: {method: dsm}}", "give score or noise");
  bad("{model: {inputs: [x]}, train: {method: dsm}}", "give [t, x] or [x, t]");
  bad("{model: {embedding: fourier, inputs: [x, t]}, train: {method: dsm}}", "give [x]");
  bad("train: {method: dsm, objective: kl}", "train.objective changes nothing while train.method is dsm");
  bad("train: {method: dsm, control: potential}", "train.control changes nothing while train.method is dsm");
  bad("train: {method: dis, weighting: variance}",
      "train.weighting changes nothing while train.method is dis");
  bad("train: {method: dsm, residual: {where: data, box: 2}}", "train.residual.box changes nothing");
  bad("{model: {widths: [3, 1]}, train: {method: dsm}}",
      "model.widths describes a network that exists already");
}

/* ---- what only shows when the trainer is made --------------------------------------------------- */

static void refuses(const fg_train_settings *s, fg_target_kind kind, const fg_process_settings *p,
                    fg_code code, const char *text)
{
  fg_engine *engine;
  fg_process *process;
  fg_target *target;
  fg_trainer *trainer;
  fg_target_settings t;
  fg_target_defaults(kind, &t);
  assert_int_equal(fg_engine_open("cpu", 1, &engine, &st), FG_OK);
  assert_int_equal(fg_process_create(p, &process, &st), FG_OK);
  assert_int_equal(fg_target_create(&t, &target, &st), FG_OK);
  assert_int_equal(fg_trainer_create(engine, s, process, target, NULL, &trainer, &st), code);
  if (!strstr(st.message, text)) fail_msg("\"%s\" does not say \"%s\"", st.message, text);
  assert_null(trainer);
  fg_target_destroy(&target);
  fg_process_destroy(&process);
  fg_engine_close(&engine);
}

static void test_trainer(void **state)
{
  (void)state;
  fg_train_settings s;
  fg_process_settings ou, pinned;
  fg_process_defaults(FG_PROCESS_OU, &ou);
  fg_process_defaults(FG_PROCESS_PINNED, &pinned);
  fg_train_defaults(FG_TRAIN_DSM, &s);
  refuses(&s, FG_TARGET_CIRCLES, &pinned, FG_USAGE, "set process.pin beyond the horizon");
  s.time_least = 11;
  refuses(&s, FG_TARGET_CIRCLES, &ou, FG_USAGE, "below process.horizon, 10");
  s.time_least = 1e-3;
  s.residual.weight = 1;
  s.residual.where = FG_AT_PATH;
  refuses(&s, FG_TARGET_CIRCLES, &ou, FG_USAGE, "there is no prior");
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_network), cmocka_unit_test(test_residual),
                                     cmocka_unit_test(test_rates), cmocka_unit_test(test_refused),
                                     cmocka_unit_test(test_trainer)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

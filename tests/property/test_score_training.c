/* needs: train */
/* Training of score models: the minimiser of the denoising loss is the score; the regulariser lowers the residual;
 * Adam begins afresh where it is to. */
#include "support/sampler_case.h"

#include "base/hdf5.h"
#include "support/scratch.h"

enum { POINTS = 500 };

static void score_open(sampler_case *c, fg_target *target)
{
  sampler_open(c, FG_TRAIN_DSM, target, 2);
  fg_train_settings *s = &c->settings;
  s->batch = 1000;
  s->steps = 2000;
  s->rate = 0.01;
  s->schedule = FG_RATE_COSINE;
  s->decay = 0;
  s->time_least = s->residual.time_least = 0.05;
  s->residual.points = 500;
  s->variance_weight = true;
  s->time_law = FG_TIMES_UNIFORM;
  s->evaluate_paths = 4000;
}

/* Mean square of s - s* over that of s*, at points of the law of x_t; s* = -x / (m^2 variance + v). */
static double score_error(const sampler_case *c, double variance)
{
  fg_model *model;
  fg_settings *settings;
  char assignment[300];
  double x[2 * POINTS], s[2 * POINTS], off = 0, whole = 0;
  const char *path = scratch("score.h5");
  SAMPLER_OK(fg_trainer_save(c->trainer, path, &sampler_status));
  SAMPLER_OK(fg_settings_create(&settings, &sampler_status));
  snprintf(assignment, sizeof assignment, "model.file=%s", path);
  SAMPLER_OK(fg_settings_assign(settings, assignment, &sampler_status));
  SAMPLER_OK(fg_model_from_settings(c->engine, settings, c->target, c->process, &model, &sampler_status));
  for (double t = 0.1; t < 1; t += 0.2) {
    double m = fg_process_m(c->process, t), total = m * m * variance + fg_process_v(c->process, t);
    SAMPLER_OK(fg_target_sample(c->target, 99, 0, POINTS, x, &sampler_status));
    for (int i = 0; i < 2 * POINTS; i++) x[i] *= sqrt(total / variance);
    fg_evaluation out = {.score = s};
    SAMPLER_OK(fg_model_evaluate(model, FG_DOUBLE, POINTS, &t, 1, x, &out, &sampler_status));
    for (int i = 0; i < 2 * POINTS; i++) {
      double exact = -x[i] / total;
      off += (s[i] - exact) * (s[i] - exact);
      whole += exact * exact;
    }
  }
  fg_model_destroy(&model);
  fg_settings_destroy(&settings);
  return off / whole;
}

/* The target is N(0, 4 I). Each batch says the score at a point with a noise of relative variance
 * (m^2 4 + v)/v - 1, some 10 on average; a network of some 300 weights, the rate going to 0 over the last thousand
 * steps of 1000 points in 2 dimensions, leaves about 10 * 300 / 2e6 = 0.0015 of it. Ten times that is allowed; the
 * network at its start is off by 1. */
static void test_minimiser(void **state)
{
  (void)state;
  static const struct {
    fg_network_form form;
    fg_time_input time;
    fg_network_output output;
  } nets[] = {{FG_POTENTIAL, FG_TIME_FIRST, FG_OUTPUT_SCORE},
              {FG_VECTOR, FG_TIME_LAST, FG_OUTPUT_SCORE},
              {FG_VECTOR, FG_TIME_EMBEDDED, FG_OUTPUT_NOISE}};
  for (size_t k = 0; k < sizeof nets / sizeof *nets; k++) {
    sampler_case c;
    score_open(&c, sampler_target(FG_TARGET_GAUSSIAN, 2, 4));
    c.settings.control = nets[k].form;
    c.settings.time = nets[k].time;
    c.settings.output = nets[k].output;
    c.settings.group = nets[k].time == FG_TIME_EMBEDDED ? 10 : 1;
    sampler_start(&c, 0);
    double before = score_error(&c, 4);
    sampler_close(&c);
    score_open(&c, sampler_target(FG_TARGET_GAUSSIAN, 2, 4));
    c.settings.control = nets[k].form;
    c.settings.time = nets[k].time;
    c.settings.output = nets[k].output;
    c.settings.group = nets[k].time == FG_TIME_EMBEDDED ? 10 : 1;
    sampler_start(&c, 2000);
    double after = score_error(&c, 4);
    print_message("network %zu: relative error of the score %.4f, at first %.2f\n", k, after, before);
    assert_true(before > 0.3);
    assert_true(after < 0.015);
    sampler_close(&c);
  }
}

/* The held-out loss of the exact score is E v (1/v - 1/(m^2 4 + v)); a trained network is a little above it. */
static void test_held_out(void **state)
{
  (void)state;
  sampler_case c;
  fg_train_evaluation e;
  double least = 0;
  score_open(&c, sampler_target(FG_TARGET_GAUSSIAN, 2, 4));
  sampler_start(&c, 2000);
  SAMPLER_OK(fg_trainer_evaluate(c.trainer, NULL, &e, &sampler_status));
  for (int k = 0; k < 1000; k++) {
    double t = 0.05 + 0.95 * (k + 0.5) / 1000, m = fg_process_m(c.process, t), v = fg_process_v(c.process, t);
    least += 1e-3 * (1 - v / (m * m * 4 + v));
  }
  print_message("held-out loss %.4f +- %.4f, of the exact score %.4f\n", e.denoising.value, e.denoising.se,
                least);
  assert_int_equal(e.denoising.points, 4000);
  assert_true(e.denoising.se > 0 && e.denoising.se < 0.05);
  assert_true(fabs(e.denoising.value - least) < 5 * e.denoising.se);
  sampler_close(&c);
}

/* Mean square of the residual after a short training with this weight. */
static double residual_after(double weight, fg_train_residual_form form, fg_network_form control)
{
  sampler_case c;
  fg_train_evaluation e;
  score_open(&c, sampler_target(FG_TARGET_CIRCLES, 0, 0));
  c.settings.control = control;
  c.settings.residual.weight = weight;
  c.settings.residual.form = form;
  c.settings.residual.group = form == FG_TRAIN_CENTRED ? 25 : 1;
  sampler_start(&c, 300);
  SAMPLER_OK(fg_trainer_evaluate(c.trainer, NULL, &e, &sampler_status));
  const fg_train_mean *mean = &e.residual[form];
  assert_true(mean->points == 4000 && mean->lost == 0 && mean->se > 0);
  assert_true(e.residual[control == FG_VECTOR ? FG_TRAIN_LOG : FG_TRAIN_SCORE].points == 0);
  sampler_close(&c);
  return mean->value;
}

/* A third is far outside the noise of the evaluation: its standard errors are a few percent. */
static void test_regulariser(void **state)
{
  (void)state;
  for (int form = 0; form <= FG_TRAIN_SCORE; form++) {
    fg_network_form control = form == FG_TRAIN_SCORE ? FG_VECTOR : FG_POTENTIAL;
    double without = residual_after(0, (fg_train_residual_form)form, control);
    double with = residual_after(1, (fg_train_residual_form)form, control);
    print_message("form %d: mean square %.4g without, %.4g with the regulariser\n", form, without, with);
    assert_true(with < without / 3);
  }
}

/* Probes are for the gradient: the figures of an evaluation are those of exact derivatives, without the probes' variance. */
static void test_evaluated_exactly(void **state)
{
  (void)state;
  fg_train_evaluation e[2];
  for (int k = 0; k < 2; k++) {
    sampler_case c;
    score_open(&c, sampler_target(FG_TARGET_CIRCLES, 0, 0));
    c.settings.residual.probes = (size_t)k;
    sampler_start(&c, 0);
    SAMPLER_OK(fg_trainer_evaluate(c.trainer, NULL, &e[k], &sampler_status));
    sampler_close(&c);
  }
  for (int form = FG_TRAIN_LOG; form <= FG_TRAIN_CENTRED; form++) {
    if (e[0].residual[form].points == 0) continue;
    assert_true(e[0].residual[form].value > 0 && e[0].residual[form].value == e[1].residual[form].value);
  }
}

/* The same for a sampler's control, on its own paths. */
static void test_regularised_sampler(void **state)
{
  (void)state;
  double value[2];
  for (int k = 0; k < 2; k++) {
    sampler_case c;
    fg_train_evaluation e;
    sampler_open(&c, FG_TRAIN_DIS, sampler_target(FG_TARGET_GAUSSIAN, 2, 0.5), 2);
    c.settings.control = FG_POTENTIAL;
    c.settings.steps = 150;
    c.settings.evaluate_paths = 2000;
    c.settings.residual.points = 256;
    c.settings.residual.group = 64;
    c.settings.residual.paths = 256;
    c.settings.residual.path_steps = 50;
    c.settings.residual.refresh = 20;
    c.settings.residual.weight = k ? 0.1 : 1e-12;
    sampler_start(&c, 150);
    SAMPLER_OK(fg_trainer_evaluate(c.trainer, NULL, &e, &sampler_status));
    value[k] = e.residual[FG_TRAIN_LOG].value;
    assert_true(e.residual[FG_TRAIN_LOG].points == 2000 && e.n == 2000);
    sampler_close(&c);
  }
  print_message("residual of the sampler: %.4g without, %.4g with the regulariser\n", value[0], value[1]);
  assert_true(value[1] < value[0] / 2);
}

/* After the first step of Adam first = 0.1 g and second = 0.001 g^2, so that first^2 / second = 10. */
static void test_restart(void **state)
{
  (void)state;
  for (int restart = 0; restart < 2; restart++) {
    sampler_case c;
    fg_h5 *file;
    int rank;
    size_t shape[FG_H5_RANK_MAX], fresh = 0, used = 0;
    double *first, *second;
    const fg_train_base rates[] = {{0, 0.01}, {5, 0.001}};
    const char *path = scratch("restart.h5");
    score_open(&c, sampler_target(FG_TARGET_CIRCLES, 0, 0));
    c.settings.precision = FG_DOUBLE;
    c.settings.schedule = FG_RATE_CONSTANT;
    memcpy(c.settings.rates, rates, sizeof rates);
    c.settings.rate_count = 2;
    c.settings.restart_optimiser = restart;
    assert_true(fg_train_rate(&c.settings, 4) == 0.01 && fg_train_rate(&c.settings, 5) == 0.001);
    sampler_start(&c, 6);
    SAMPLER_OK(fg_trainer_save(c.trainer, path, &sampler_status));
    SAMPLER_OK(fg_h5_open(path, &file, &sampler_status));
    SAMPLER_OK(fg_h5_read_real(file, "train/first", &rank, shape, &first, &sampler_status));
    SAMPLER_OK(fg_h5_read_real(file, "train/second", &rank, shape, &second, &sampler_status));
    fg_h5_close(&file);
    for (size_t i = 0; i < shape[0]; i++) {
      if (second[i] == 0) continue;
      used++;
      fresh += fabs(first[i] * first[i] / second[i] - 10) < 1e-9;
    }
    assert_true(used > 100 && (restart ? fresh == used : fresh < used / 10));
    free(first);
    free(second);
    sampler_close(&c);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_minimiser),           cmocka_unit_test(test_held_out),
      cmocka_unit_test(test_regulariser),         cmocka_unit_test(test_evaluated_exactly),
      cmocka_unit_test(test_regularised_sampler), cmocka_unit_test(test_restart)};
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}

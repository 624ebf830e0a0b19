/* needs: train */
/* Training gives the same bits on any number of threads, and whether or not it was interrupted. */
#include "support/sampler_case.h"

#include "base/hdf5.h"
#include "support/scratch.h"

enum { STEPS = 6, KEPT = 8 };

static const char *const kept[KEPT] = {"train/weights",        "train/first",           "train/second",
                                       "train/average",        "train/noising_weights", "train/noising_first",
                                       "train/noising_second", "train/noising_average"};

typedef struct plan {
  fg_train_objective objective;
  fg_train_form form;
  fg_train_method method;
  fg_network_form control;
  fg_precision precision;
  void (*adjust)(fg_train_settings *s); /* or NULL */
} plan;

static void open_plan(sampler_case *c, const plan *p, int threads)
{
  sampler_open(c, p->method, sampler_target(FG_TARGET_GMM9, 0, 0), threads);
  c->settings.objective = p->objective;
  c->settings.form = p->form;
  c->settings.control = p->control;
  c->settings.precision = p->precision;
  c->settings.batch = 130; /* three tiles, the last one of two paths */
  c->settings.group = p->objective == FG_TRAIN_LOG_VARIANCE_TRAJECTORY ? 13 : 1;
  c->settings.steps = STEPS;
  c->settings.stage_count = 2;
  c->settings.stages[0] = (fg_train_stage){0, 10};
  c->settings.stages[1] = (fg_train_stage){4, 15};
  c->settings.ema = 0.9;
  c->settings.schedule = FG_RATE_COSINE;
  c->settings.evaluate_paths = 100;
  c->settings.lost_most = 0;
  if (p->adjust) p->adjust(&c->settings);
}

/* ---- losses at points: 130 of them in a batch, 90 of the residual ---------------------------- */

static void residual(fg_train_settings *s, fg_train_residual_form form, fg_train_where where, size_t group)
{
  s->residual.weight = 0.3;
  s->residual.form = form;
  s->residual.where = where;
  s->residual.points = 90;
  s->residual.group = group;
  s->residual.paths = 70;
  s->residual.path_steps = 12;
  s->residual.refresh = 2;
  s->residual.time_least = 0.01;
}

/* The optimiser begins afresh after steps 2 and 4. */
static void adjust_box(fg_train_settings *s)
{
  const fg_train_base rates[] = {{0, 0.005}, {2, 0.002}, {4, 0.001}};
  residual(s, FG_TRAIN_LOG, FG_AT_BOX, 1);
  memcpy(s->rates, rates, sizeof rates);
  s->rate_count = 3;
  s->restart_optimiser = true;
}

static void adjust_path(fg_train_settings *s)
{
  residual(s, FG_TRAIN_CENTRED, FG_AT_PATH, 10);
  s->beta = 5;
}

static void adjust_embedded(fg_train_settings *s)
{
  residual(s, FG_TRAIN_SCORE, FG_AT_DATA, 9);
  s->time = FG_TIME_EMBEDDED;
  s->time_reversed = true;
  s->activation = FG_SILU;
  s->group = 13;
}

static void adjust_fourier(fg_train_settings *s)
{
  residual(s, FG_TRAIN_SCORE, FG_AT_GAUSSIAN, 9);
  s->time = FG_TIME_FOURIER;
  s->output = FG_OUTPUT_NOISE;
  s->variance_weight = true;
  s->residual.probes = 2;
  s->group = 26;
}

static void adjust_sampler(fg_train_settings *s)
{
  residual(s, FG_TRAIN_LOG, FG_AT_PATH, 45);
}

/* The training of the plan, stopped after `stop` steps and begun again from its checkpoint; 0: not stopped. */
static const char *train(const plan *p, int threads, int stop, const char *name)
{
  sampler_case c;
  fg_train_step step;
  const char *path = scratch(name);
  open_plan(&c, p, threads);
  sampler_start(&c, stop ? stop : STEPS);
  SAMPLER_OK(fg_trainer_save(c.trainer, path, &sampler_status));
  if (stop) {
    fg_trainer_destroy(&c.trainer);
    sampler_start(&c, 0);
    SAMPLER_OK(fg_trainer_load(c.trainer, path, &sampler_status));
    assert_int_equal(fg_trainer_steps_done(c.trainer), stop);
    for (int k = stop; k < STEPS; k++) SAMPLER_OK(fg_trainer_step(c.trainer, NULL, &step, &sampler_status));
    SAMPLER_OK(fg_trainer_save(c.trainer, path, &sampler_status));
  }
  assert_int_equal(fg_trainer_steps_done(c.trainer), STEPS);
  sampler_close(&c);
  return path;
}

static void expect_same(const plan *p, const char *a, const char *b)
{
  fg_h5 *one, *two;
  SAMPLER_OK(fg_h5_open(a, &one, &sampler_status));
  SAMPLER_OK(fg_h5_open(b, &two, &sampler_status));
  assert_int_equal(fg_h5_has(one, kept[KEPT - 1]), p->method == FG_TRAIN_BRIDGE);
  for (int k = 0; k < KEPT; k++) {
    int rank;
    size_t shape[FG_H5_RANK_MAX], other[FG_H5_RANK_MAX];
    double *x, *y;
    if (!fg_h5_has(one, kept[k])) continue; /* not a bridge */
    SAMPLER_OK(fg_h5_read_real(one, kept[k], &rank, shape, &x, &sampler_status));
    SAMPLER_OK(fg_h5_read_real(two, kept[k], &rank, other, &y, &sampler_status));
    assert_int_equal(shape[0], other[0]);
    assert_memory_equal(x, y, shape[0] * sizeof *x);
    free(x);
    free(y);
  }
  fg_h5_close(&one);
  fg_h5_close(&two);
}

static const plan plans[] = {
    {FG_TRAIN_LOG_VARIANCE, FG_TRAIN_CONTINUOUS, FG_TRAIN_DIS, FG_VECTOR, FG_SINGLE, NULL},
    {FG_TRAIN_LOG_VARIANCE_TRAJECTORY, FG_TRAIN_DISCRETE, FG_TRAIN_PIS, FG_VECTOR, FG_DOUBLE, NULL},
    {FG_TRAIN_KL, FG_TRAIN_CONTINUOUS, FG_TRAIN_DDS, FG_POTENTIAL, FG_DOUBLE, NULL},
    {FG_TRAIN_KL_ITO, FG_TRAIN_DISCRETE, FG_TRAIN_DIS, FG_VECTOR, FG_SINGLE, NULL},
    {FG_TRAIN_LOG_VARIANCE, FG_TRAIN_CONTINUOUS, FG_TRAIN_BRIDGE, FG_VECTOR, FG_SINGLE, NULL},
    {FG_TRAIN_LOG_VARIANCE_TRAJECTORY, FG_TRAIN_DISCRETE, FG_TRAIN_BRIDGE, FG_POTENTIAL, FG_DOUBLE, NULL},
    {FG_TRAIN_KL, FG_TRAIN_CONTINUOUS, FG_TRAIN_BRIDGE, FG_VECTOR, FG_DOUBLE, NULL},
    {0, 0, FG_TRAIN_DSM, FG_POTENTIAL, FG_SINGLE, adjust_box},
    {0, 0, FG_TRAIN_DSM, FG_POTENTIAL, FG_DOUBLE, adjust_path},
    {0, 0, FG_TRAIN_DSM, FG_VECTOR, FG_SINGLE, adjust_embedded},
    {0, 0, FG_TRAIN_DSM, FG_VECTOR, FG_DOUBLE, adjust_fourier},
    {FG_TRAIN_LOG_VARIANCE, FG_TRAIN_CONTINUOUS, FG_TRAIN_DIS, FG_POTENTIAL, FG_SINGLE, adjust_sampler},
    {FG_TRAIN_KL, FG_TRAIN_CONTINUOUS, FG_TRAIN_PIS, FG_POTENTIAL, FG_DOUBLE, adjust_sampler},
};
enum { PLANS = sizeof plans / sizeof *plans };

static void test_threads(void **state)
{
  (void)state;
  for (size_t p = 0; p < PLANS; p++) {
    const char *one = train(&plans[p], 1, 0, "one.h5");
    expect_same(&plans[p], one, train(&plans[p], 2, 0, "two.h5"));
    expect_same(&plans[p], one, train(&plans[p], 5, 0, "five.h5"));
  }
}

static void test_resumed(void **state)
{
  (void)state;
  for (size_t p = 0; p < PLANS; p++) {
    const char *whole = train(&plans[p], 2, 0, "whole.h5");
    for (int stop = 1; stop < STEPS; stop += 2)
      expect_same(&plans[p], whole, train(&plans[p], 2, stop, "parts.h5"));
  }
}

/* What a checkpoint cannot be used for is refused. */
static void test_other_network(void **state)
{
  (void)state;
  sampler_case c;
  const char *path = train(&plans[0], 1, 0, "whole.h5");
  open_plan(&c, &plans[0], 1);
  c.settings.hidden[0] = 40;
  sampler_start(&c, 0);
  assert_int_equal(fg_trainer_load(c.trainer, path, &sampler_status), FG_IO);
  assert_non_null(strstr(sampler_status.message, "of another training"));
  sampler_close(&c);
  open_plan(&c, &plans[0], 1);
  c.settings.steps = 5;
  sampler_start(&c, 0);
  assert_int_equal(fg_trainer_load(c.trainer, path, &sampler_status), FG_USAGE);
  sampler_close(&c);
}

/* The checkpoint is a model, and its score that of the control which the trainer evaluates. */
static void test_checkpoint_is_model(void **state)
{
  (void)state;
  fg_settings *settings;
  fg_model *model;
  sampler_case c;
  char assignment[300];
  double x[6] = {0.5, -1, 4, 4.5, -6, 0}, t = 0.4, s[6];
  const char *path = train(&plans[0], 1, 0, "model.h5");
  open_plan(&c, &plans[0], 1);
  SAMPLER_OK(fg_settings_create(&settings, &sampler_status));
  snprintf(assignment, sizeof assignment, "model.file=%s", path);
  SAMPLER_OK(fg_settings_assign(settings, assignment, &sampler_status));
  SAMPLER_OK(fg_model_from_settings(c.engine, settings, c.target, c.process, &model, &sampler_status));
  fg_evaluation out = {.score = s};
  SAMPLER_OK(fg_model_evaluate(model, FG_DOUBLE, 3, &t, 1, x, &out, &sampler_status));
  for (int i = 0; i < 6; i++) assert_true(isfinite(s[i]) && s[i] != 0);
  fg_model_destroy(&model);
  fg_settings_destroy(&settings);
  sampler_close(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads), cmocka_unit_test(test_resumed),
                                     cmocka_unit_test(test_other_network),
                                     cmocka_unit_test(test_checkpoint_is_model)};
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}

/* needs: train */
/* What training reaches: DIS with the log-variance on a Gaussian, and on nine modes by the settings of
 * examples/dis-gmm9-short.yaml, with 1200 of its 2000 steps. */
#include "support/sampler_case.h"

/* DIS under vp from N(0, I), network and schedule as in the examples. */
static void start(sampler_case *c, fg_target *target, uint64_t steps, size_t evaluate_steps,
                  size_t evaluate_paths)
{
  sampler_open(c, FG_TRAIN_DIS, target, 0);
  fg_train_defaults(FG_TRAIN_DIS, &c->settings);
  fg_train_settings *s = &c->settings;
  s->objective = FG_TRAIN_LOG_VARIANCE;
  s->form = FG_TRAIN_DISCRETE;
  s->integrator = FG_TRAIN_EXPONENTIAL;
  s->steps = steps;
  s->batch = 1024;
  s->stage_count = 1;
  s->stages[0] = (fg_train_stage){0, 100};
  s->schedule = FG_RATE_EXPONENTIAL;
  s->rate_end = 0.02;
  s->evaluate_paths = evaluate_paths;
  s->evaluate_steps = evaluate_steps;
  sampler_start(c, (int)steps);
}

/* N(1/2, 0.7), which the prior is not. A score that is frozen over a step makes rnd vary by about 30 / N even with an
 * exact control: 4000 steps leave ESS above 0.99. */
static void test_gaussian(void **state)
{
  sampler_case c;
  fg_train_evaluation e;
  fg_target_settings t;
  fg_target *target;
  (void)state;
  fg_target_defaults(FG_TARGET_GAUSSIAN, &t);
  t.dimension = 1;
  t.mean = 0.5;
  t.variance = 0.7;
  SAMPLER_OK(fg_target_create(&t, &target, &sampler_status));
  start(&c, target, 300, 4000, 5000);
  SAMPLER_OK(fg_trainer_evaluate(c.trainer, NULL, &e, &sampler_status));
  const fg_train_figures *f = &e.form[FG_TRAIN_DISCRETE];
  print_message("Gaussian: ESS %.4f, log Z %.4f +- %.4f\n", f->ess, f->log_z_is, f->log_z_is_se);
  assert_int_equal(e.lost, 0);
  assert_true(f->ess > 0.99);
  assert_true(fabs(f->log_z_is) < 4 * f->log_z_is_se);
  sampler_close(&c);
}

/* Shares are of 20,000 paths: their standard error is 0.0022. Two per cent beside three of them is what the control,
 * not the sampling, may be off. */
static void test_nine_modes(void **state)
{
  sampler_case c;
  fg_train_evaluation e;
  (void)state;
  start(&c, sampler_target(FG_TARGET_GMM9, 0, 0), 1200, 200, 20000);
  SAMPLER_OK(fg_trainer_evaluate(c.trainer, NULL, &e, &sampler_status));
  const fg_train_figures *f = &e.form[FG_TRAIN_DISCRETE];
  print_message("nine modes: ESS %.3f, log Z %.4f +- %.4f, least share %.3f\n", f->ess, f->log_z_is,
                f->log_z_is_se, e.least_share);
  assert_int_equal(e.lost, 0);
  assert_int_equal(e.modes, 9);
  for (size_t k = 0; k < e.modes; k++) assert_true(fabs(e.share[k] - 1.0 / 9) < 0.02 + 3 * 0.0022);
  assert_true(fabs(f->log_z_is) < 0.01 + 3 * f->log_z_is_se);
  assert_true(f->ess > 0.8);
  sampler_close(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_gaussian), cmocka_unit_test(test_nine_modes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

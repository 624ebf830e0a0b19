/* needs: train */
/* E[w] = Z for the discrete form, whatever the number of steps, method, integrator and control; the bias of the
 * continuous form falls like 1/N; a control that is exact has weights that are all alike. */
#include "support/sampler_case.h"

/* Two modes, of variance 0.6 each. */
static fg_target *two_modes(void)
{
  static const double means[2] = {-1.2, 1.5}, weights[2] = {0.3, 0.7};
  fg_target_settings s;
  fg_target *target;
  fg_target_defaults(FG_TARGET_MIXTURE, &s);
  s.dimension = 1;
  s.components = 2;
  s.means = means;
  s.weights = weights;
  s.variance = 0.6;
  SAMPLER_OK(fg_target_create(&s, &target, &sampler_status));
  return target;
}

/* Away from log Z, in standard errors. */
static double off_by(sampler_case *c)
{
  fg_train_evaluation e;
  SAMPLER_OK(fg_trainer_evaluate(c->trainer, NULL, &e, &sampler_status));
  const fg_train_figures *f = &e.form[FG_TRAIN_DISCRETE];
  double off = (f->log_z_is - e.log_z) / f->log_z_is_se;
  if (!(fabs(off) < 4))
    fail_msg("%zu steps, trained for %d: log Z %.4f +- %.4f, truth %.4f, ESS %.3f", e.grid_steps, (int)e.step,
             f->log_z_is, f->log_z_is_se, e.log_z, f->ess);
  assert_true(f->ess > 0.1); /* below, a standard error says little */
  assert_true(f->log_z_elbo < e.log_z + 4 * f->log_z_elbo_se);
  return fabs(off);
}

/* Three methods, two integrators, six grids, two controls are 72 checks, one of which lies beyond four standard errors
 * with a chance of 0.5 %. An untrained control g S drives a path towards rho^2 rather than rho, so that weights in
 * the tails are huge: PIS and DDS begin without S here, DIS has it fade in. */
static void test_unbiased(void **state)
{
  (void)state;
  static const size_t grids[] = {10, 20, 50, 100, 200, 400};
  double worst = 0;
  for (int method = 0; method < 3; method++)
    for (int integrator = 0; integrator < 2; integrator++)
      for (size_t g = 0; g < 6; g++)
        for (int trained = 0; trained < 2; trained++) {
          sampler_case c;
          sampler_open(&c, (fg_train_method)method, two_modes(), 2);
          if (!trained && method != FG_TRAIN_DIS) c.settings.score = FG_GUIDE_NONE;
          c.settings.integrator = (fg_train_integrator)integrator;
          c.settings.control = g % 3 == 0 ? FG_POTENTIAL : FG_VECTOR;
          c.settings.evaluate_steps = grids[g];
          c.settings.seed = grids[g];
          sampler_start(&c, trained ? 60 : 0);
          worst = fmax(worst, off_by(&c));
          sampler_close(&c);
        }
  print_message("at most %.2f standard errors\n", worst);
}

/* A density whose Z is not 1: the double well. */
static void test_double_well(void **state)
{
  (void)state;
  sampler_case c;
  sampler_open(&c, FG_TRAIN_PIS, sampler_target(FG_TARGET_DOUBLE_WELL, 0, 0), 2);
  c.settings.evaluate_steps = 50;
  c.settings.stages[0].grid_steps = 50;
  sampler_start(&c, 400);
  off_by(&c);
  sampler_close(&c);
}

/* DIS with target and prior N(0, I) under vp: untrained, u = g S is the exact control. */
static void exact(size_t steps, fg_train_integrator integrator, fg_train_evaluation *e)
{
  sampler_case c;
  sampler_open(&c, FG_TRAIN_DIS, sampler_target(FG_TARGET_GAUSSIAN, 2, 1), 2);
  c.settings.clip_count = 0;
  c.settings.integrator = integrator;
  c.settings.precision = FG_DOUBLE;
  c.settings.evaluate_steps = steps;
  c.settings.evaluate_paths = 20000;
  sampler_start(&c, 0);
  SAMPLER_OK(fg_trainer_evaluate(c.trainer, NULL, e, &sampler_status));
  sampler_close(&c);
}

/* The variance of rnd (1/ESS - 1 while it is small), -ELBO, and the bias of the continuous form fall like 1/N. Both
 * forms see the same noise, so their difference shows the bias without most of it. Terms of order 1/N^2, a tenth of
 * the first ones at N = 80, bend the slopes by about that much. */
static void test_exact_control(void **state)
{
  (void)state;
  enum { GRIDS = 4 };
  static const double grids[GRIDS] = {80, 160, 320, 640};
  for (int integrator = 0; integrator < 2; integrator++) {
    double bias[GRIDS], spread[GRIDS], below[GRIDS];
    for (int g = 0; g < GRIDS; g++) {
      fg_train_evaluation e;
      exact((size_t)grids[g], (fg_train_integrator)integrator, &e);
      const fg_train_figures *d = &e.form[FG_TRAIN_DISCRETE], *c = &e.form[FG_TRAIN_CONTINUOUS];
      assert_true(fabs(d->log_z_is) < 4 * d->log_z_is_se);
      bias[g] = fabs(c->log_z_is - d->log_z_is);
      spread[g] = 1 / d->ess - 1;
      below[g] = -d->log_z_elbo;
    }
    double slopes[3] = {sampler_slope(GRIDS, grids, bias), sampler_slope(GRIDS, grids, spread),
                        sampler_slope(GRIDS, grids, below)};
    print_message("integrator %d: bias N^%.3f, variance N^%.3f, ELBO N^%.3f\n", integrator, slopes[0],
                  slopes[1], slopes[2]);
    for (int k = 0; k < 3; k++) assert_true(fabs(slopes[k] + 1) < 0.15);
    assert_true(spread[GRIDS - 1] < 0.07);
  }
}

/* Where the reference ends in the target, no control is the exact one, and rnd = 0 on every path: for PIS on any
 * grid in both forms; for DDS the discrete form needs the exponential step, whose kernel is the process's. */
static void test_reference_is_target(void **state)
{
  (void)state;
  for (int method = FG_TRAIN_PIS; method <= FG_TRAIN_DDS; method++) {
    sampler_case c;
    fg_train_evaluation e;
    sampler_open(&c, (fg_train_method)method,
                 sampler_target(FG_TARGET_GAUSSIAN, 3, method == FG_TRAIN_PIS ? 2 : 1), 1);
    c.settings.score = FG_GUIDE_NONE;
    c.settings.integrator = FG_TRAIN_EXPONENTIAL;
    c.settings.precision = FG_DOUBLE;
    c.settings.evaluate_steps = 17;
    c.settings.evaluate_paths = 500;
    sampler_start(&c, 0);
    SAMPLER_OK(fg_trainer_evaluate(c.trainer, NULL, &e, &sampler_status));
    for (int form = 0; form < FG_TRAIN_FORMS; form++) {
      assert_true(fabs(e.form[form].log_z_elbo) < 1e-13); /* sums of 17 terms of order 1 */
      assert_true(e.form[form].log_z_elbo_se < 1e-14);
      assert_true(fabs(e.form[form].ess - 1) < 1e-13);
    }
    sampler_close(&c);
  }
}

/* A narrow limit loses paths: they are counted, and weigh nothing. */
static void test_lost(void **state)
{
  (void)state;
  sampler_case c;
  fg_train_evaluation e;
  fg_train_step step;
  sampler_open(&c, FG_TRAIN_DIS, sampler_target(FG_TARGET_GAUSSIAN, 2, 1), 2);
  c.settings.path_limit = 2.5;
  sampler_start(&c, 0);
  SAMPLER_OK(fg_trainer_evaluate(c.trainer, NULL, &e, &sampler_status));
  assert_true(e.lost > 40 && e.lost < 1500);
  assert_int_equal(e.points + e.lost, e.n);
  for (size_t i = 0; i < 2 * e.points; i++) assert_true(fabs(e.x[i]) <= 2.5);
  /* Z is that of the paths that stay inside, less than 1 by about their share. */
  double share = (double)e.points / (double)e.n;
  assert_true(fabs(e.form[FG_TRAIN_DISCRETE].log_z_is - log(share)) < 0.1);
  assert_int_equal(fg_trainer_step(c.trainer, NULL, &step, &sampler_status), FG_NUMERICS);
  assert_non_null(strstr(sampler_status.message, "train.lost_most"));
  assert_int_equal(fg_trainer_steps_done(c.trainer), 0);
  sampler_close(&c);
}

/* A density so narrow that its slopes pass the range of float when they are added up, while rnd does not. */
static void test_steep(void **state)
{
  (void)state;
  sampler_case c;
  fg_train_step step;
  sampler_open(&c, FG_TRAIN_DIS, sampler_target(FG_TARGET_GAUSSIAN, 1, 3e-37), 2);
  c.settings.objective = FG_TRAIN_KL;
  c.settings.batch = c.settings.tile = 2048;
  sampler_start(&c, 0);
  assert_int_equal(fg_trainer_step(c.trainer, NULL, &step, &sampler_status), FG_NUMERICS);
  if (!strstr(sampler_status.message, "step 1 of the training: the norm of the gradient is") ||
      !strstr(sampler_status.message, "lower train.rate"))
    fail_msg("%s", sampler_status.message);
  sampler_close(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unbiased),      cmocka_unit_test(test_double_well),
      cmocka_unit_test(test_exact_control), cmocka_unit_test(test_reference_is_target),
      cmocka_unit_test(test_lost),          cmocka_unit_test(test_steep)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

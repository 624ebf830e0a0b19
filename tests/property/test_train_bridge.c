/* needs: flow train */
/* Bridges: a noising control of 0 is DIS; E[w] = Z in the discrete form whatever both controls are; for the exact pair
 * rnd is constant up to the steps and all flows have one law; training makes weights more alike. */
#include "support/sampler_case.h"

#include "network_pack.h"
#include "support/scratch.h"
#include "train/trainer_impl.h"

static const size_t grids[] = {10, 20, 50, 100, 200, 400};

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

static fg_train_evaluation evaluate(sampler_case *c)
{
  fg_train_evaluation e;
  SAMPLER_OK(fg_trainer_evaluate(c->trainer, NULL, &e, &sampler_status));
  return e;
}

/* The host's weights of a network, which are the trainer's own, to the engine; in double. */
static void put_weights(sampler_case *c, int which)
{
  fg_engine *e = c->engine;
  const fg_trained *net = &c->trainer->net[which];
  double *packed = malloc(net->packed * sizeof *packed);
  assert_non_null(packed);
  assert_int_equal(c->settings.precision, FG_DOUBLE);
  fg_network_pack(&net->field, &net->network.settings, packed);
  SAMPLER_OK(e->ops->upload(e, net->weights, 0, packed, net->packed * sizeof *packed, &sampler_status));
  free(packed);
}

/* The last layer of the noising control, which begins at 0. */
static void shake_noising(sampler_case *c, double size)
{
  const fg_train_network *n = &c->trainer->net[1].network;
  const size_t last = n->settings.layers - 1, count = n->widths[last] * n->widths[last + 1];
  double *w = (double *)n->weights[last], *b = (double *)n->biases[last];
  unsigned seed = 3;
  for (size_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    w[i] = size * ((seed >> 8) / 8388608.0 - 1);
  }
  b[0] = size / 4;
  put_weights(c, 1);
}

/* Before training both methods are the same paths with the same weights; sums are ordered alike, so that at most the
 * compiler's contractions differ. */
static void test_begins_as_dis(void **state)
{
  (void)state;
  for (int form = 0; form < FG_TRAIN_FORMS; form++) {
    fg_train_evaluation e[2];
    fg_train_step step[2];
    for (int bridge = 0; bridge < 2; bridge++) {
      sampler_case c;
      sampler_open(&c, bridge ? FG_TRAIN_BRIDGE : FG_TRAIN_DIS, sampler_target(FG_TARGET_GMM9, 0, 0), 2);
      c.settings.form = (fg_train_form)form;
      c.settings.precision = FG_DOUBLE;
      sampler_start(&c, 0);
      e[bridge] = evaluate(&c);
      SAMPLER_OK(fg_trainer_step(c.trainer, NULL, &step[bridge], &sampler_status));
      sampler_close(&c);
    }
    for (int f = 0; f < FG_TRAIN_FORMS; f++) {
      assert_true(fabs(e[0].form[f].log_z_elbo - e[1].form[f].log_z_elbo) < 1e-12);
      assert_true(fabs(e[0].form[f].log_z_is - e[1].form[f].log_z_is) < 1e-12);
      assert_true(fabs(e[0].form[f].ess - e[1].form[f].ess) < 1e-12);
    }
    assert_true(fabs(step[0].loss - step[1].loss) < 1e-12 * step[0].loss);
    assert_true(step[1].norm > step[0].norm); /* v has a gradient of its own */
  }
}

/* 6 grids, 2 integrators, 3 noising controls are 36 checks, one of which lies beyond 3.5 standard errors with a chance
 * of 2 %. */
static void test_unbiased(void **state)
{
  (void)state;
  double worst = 0;
  for (int integrator = 0; integrator < 2; integrator++)
    for (size_t g = 0; g < 6; g++)
      for (int kind = 0; kind < 3; kind++) { /* untrained, v random, both trained */
        sampler_case c;
        sampler_open(&c, FG_TRAIN_BRIDGE, two_modes(), 2);
        c.settings.integrator = (fg_train_integrator)integrator;
        c.settings.form = g % 2 ? FG_TRAIN_DISCRETE : FG_TRAIN_CONTINUOUS;
        c.settings.control = g % 3 == 0 ? FG_POTENTIAL : FG_VECTOR;
        c.settings.precision = FG_DOUBLE;
        c.settings.evaluate_steps = grids[g];
        c.settings.seed = grids[g];
        sampler_start(&c, kind == 2 ? 60 : 0);
        if (kind == 1) shake_noising(&c, 0.5);
        const fg_train_evaluation e = evaluate(&c);
        const fg_train_figures *f = &e.form[FG_TRAIN_DISCRETE];
        const double off = fabs(f->log_z_is - e.log_z) / f->log_z_is_se;
        if (!(off < 3.5))
          fail_msg("%zu steps, v %d: log Z %.4f +- %.4f, truth %.4f, ESS %.3f", grids[g], kind, f->log_z_is,
                   f->log_z_is_se, e.log_z, f->ess);
        assert_true(f->ess > 0.05); /* below, a standard error says little */
        worst = fmax(worst, off);
        sampler_close(&c);
      }
  print_message("at most %.2f standard errors\n", worst);
}

/* A network that is x -> slope x to a share of 1e-10: tanh of tiny numbers, and no time. */
static void make_linear(sampler_case *c, int which, double slope)
{
  const double tiny = 1e-5;
  const fg_train_network *n = &c->trainer->net[which].network;
  const fg_network_settings *s = &n->settings;
  const size_t d = s->dimension, width = n->widths[1];
  memset((double *)n->weights[0], 0, width * d * sizeof(double));
  memset((double *)n->biases[0], 0, width * sizeof(double));
  memset((double *)n->weights[1], 0, width * d * sizeof(double));
  memset((double *)s->embedding_weights[1], 0, width * s->embedding_width * sizeof(double));
  memset((double *)s->embedding_biases[1], 0, width * sizeof(double));
  for (size_t j = 0; j < d; j++) {
    ((double *)n->weights[0])[j * d + j] = tiny;
    ((double *)n->weights[1])[j * width + j] = slope / tiny;
  }
  put_weights(c, which);
}

/* Noising by ou with rate a, diff g and the control v = kappa x is ou with the rate a - g kappa. From its stationary
 * variance S to the same the exact pair is u + v = -g x / S. `off` spoils u. */
static const double rate = 1, diff = 1.3, kappa = 0.35;

static double stationary(void)
{
  return diff * diff / (2 * (rate - diff * kappa));
}

static void open_pair(sampler_case *c, double off)
{
  const double variance = stationary();
  fg_process_settings p;
  fg_prior_settings prior = {FG_PRIOR_GAUSSIAN, variance, 0};
  fg_process_defaults(FG_PROCESS_OU, &p);
  p.rate = rate;
  p.diff = diff;
  p.horizon = 1;
  SAMPLER_OK(fg_process_create(&p, &c->process, &sampler_status));
  SAMPLER_OK(fg_prior_create(&prior, 2, c->process, c->target, &c->prior, &sampler_status));
  c->settings.score = FG_GUIDE_NONE;
  c->settings.activation = FG_TANH;
  c->settings.hidden_count = 1;
  c->settings.clip_count = 0;
  c->settings.precision = FG_DOUBLE;
  sampler_start(c, 0);
  make_linear(c, 0, -diff / variance - kappa + off);
  make_linear(c, 1, kappa);
}

static fg_train_evaluation exact_pair(size_t steps, fg_train_integrator integrator, double off)
{
  sampler_case c;
  sampler_open(&c, FG_TRAIN_BRIDGE, sampler_target(FG_TARGET_GAUSSIAN, 2, stationary()), 2);
  fg_prior_destroy(&c.prior);
  fg_process_destroy(&c.process);
  c.settings.integrator = integrator;
  c.settings.evaluate_steps = steps;
  open_pair(&c, off);
  const fg_train_evaluation e = evaluate(&c);
  sampler_close(&c);
  return e;
}

/* In both forms the variance of rnd falls like 1/N, and -mean rnd goes to log Z = 0. */
static void test_exact_pair(void **state)
{
  (void)state;
  enum { GRIDS = 4 };
  static const double nodes[GRIDS] = {40, 80, 160, 320};
  for (int integrator = 0; integrator < 2; integrator++)
    for (int form = 0; form < FG_TRAIN_FORMS; form++) {
      double spread[GRIDS], mean = 0;
      for (int g = 0; g < GRIDS; g++) {
        const fg_train_evaluation e = exact_pair((size_t)nodes[g], (fg_train_integrator)integrator, 0);
        spread[g] = e.form[form].log_z_elbo_se * e.form[form].log_z_elbo_se * (double)e.n;
        mean = e.form[form].log_z_elbo;
      }
      const double slope = sampler_slope(GRIDS, nodes, spread);
      print_message("integrator %d, form %d: variance N^%.3f, %.2e at the end; mean %.2e\n", integrator, form,
                    slope, spread[GRIDS - 1], mean);
      assert_true(fabs(slope + 1) < 0.15);
      assert_true(spread[GRIDS - 1] < 0.02);
      assert_true(fabs(mean) < 0.02);
    }
  const fg_train_evaluation spoilt = exact_pair(320, FG_TRAIN_EXPONENTIAL, 0.3);
  assert_true(spoilt.form[0].ess < 0.95);
}

/* Flows of the exact pair, through a checkpoint: the law is N(0, S) at all times, so that the score is -x / S and the ODE
 * stands still; the SDE and what lies between keep variance S up to their steps and 4 standard errors. */
static fg_model *pair_model(sampler_case *c)
{
  fg_settings *settings;
  fg_model *model;
  char assignment[300];
  const char *path = scratch("bridge.h5");
  SAMPLER_OK(fg_trainer_save(c->trainer, path, &sampler_status));
  SAMPLER_OK(fg_settings_create(&settings, &sampler_status));
  snprintf(assignment, sizeof assignment, "model.file=%s", path);
  SAMPLER_OK(fg_settings_assign(settings, assignment, &sampler_status));
  SAMPLER_OK(fg_model_from_settings(c->engine, settings, c->target, c->process, &model, &sampler_status));
  fg_settings_destroy(&settings);
  return model;
}

static void check_score(const fg_model *model, size_t n, const double *x)
{
  const double t = 0.3, variance = stationary();
  double *s = malloc(2 * n * sizeof *s), *jvp = malloc(2 * n * sizeof *s), *div = malloc(n * sizeof *s);
  const fg_evaluation out = {.score = s, .divergence = div, .direction = x, .jvp = jvp};
  assert_int_equal(fg_model_quantities(model), FG_SCORE | FG_DIVERGENCE | FG_JVP);
  SAMPLER_OK(fg_model_evaluate(model, FG_DOUBLE, n, &t, 1, x, &out, &sampler_status));
  for (size_t i = 0; i < 2 * n; i++) { /* tanh(1e-5 x) is linear to 1e-9 */
    assert_true(fabs(s[i] + x[i] / variance) < 1e-7);
    assert_true(fabs(jvp[i] + x[i] / variance) < 1e-7);
    assert_true(fabs(div[i / 2] + 2 / variance) < 1e-7);
  }
  free(s);
  free(jvp);
  free(div);
}

static void check_ode(const fg_model *model, size_t n, const double *x)
{
  double *y = malloc(2 * n * sizeof *y), *log_p = calloc(n, sizeof *log_p);
  fg_ode_settings ode;
  fg_ode_defaults(&ode);
  for (int method = 0; method < 2; method++) {
    ode.method = method ? FG_ODE_BDF : FG_ODE_ADAMS;
    SAMPLER_OK(fg_flow_ode(model, &ode, n, x, 1, 0, y, log_p, NULL, NULL, NULL, &sampler_status));
    for (size_t i = 0; i < 2 * n; i++) assert_true(fabs(y[i] - x[i]) < 1e-6 && fabs(log_p[i / 2]) < 1e-6);
  }
  free(y);
  free(log_p);
}

static void check_family(const fg_model *model, size_t n, const double *x)
{
  static const double lambdas[] = {0, 0.5, 1, 1.5};
  double *y = malloc(2 * n * sizeof *y);
  fg_grid *grid;
  fg_fixed_settings f;
  SAMPLER_OK(fg_grid_create(FG_GRID_UNIFORM, 1, 0, 200, &grid, &sampler_status));
  fg_fixed_defaults(&f);
  f.grid = grid;
  for (int k = 0; k < 4; k++) {
    double square = 0;
    f.lambda = lambdas[k];
    SAMPLER_OK(fg_flow_fixed(model, &f, 5, 1, 0, n, x, y, NULL, NULL, NULL, NULL, &sampler_status));
    for (size_t i = 0; i < 2 * n; i++) square += y[i] * y[i] / (2 * (double)n);
    /* 20000 coordinates: a standard error of 0.01 S; Euler's bias at step 1/200 is below 0.01 */
    if (!(fabs(square / stationary() - 1) < 0.05))
      fail_msg("lambda %g: %g, not %g", f.lambda, square, stationary());
    for (size_t i = 0; i < 2 * n && k == 0; i++) assert_true(fabs(y[i] - x[i]) < 1e-7);
  }
  fg_grid_destroy(&grid);
  free(y);
}

static void test_flows(void **state)
{
  enum { N = 10000, FEW = 50 };
  (void)state;
  static double x[2 * N];
  sampler_case c;
  sampler_open(&c, FG_TRAIN_BRIDGE, sampler_target(FG_TARGET_GAUSSIAN, 2, stationary()), 2);
  fg_prior_destroy(&c.prior);
  fg_process_destroy(&c.process);
  open_pair(&c, 0);
  fg_model *model = pair_model(&c);
  SAMPLER_OK(fg_prior_sample(c.prior, 1, 0, N, x, &sampler_status));
  check_score(model, FEW, x);
  check_ode(model, FEW, x);
  check_family(model, N, x);
  fg_model_destroy(&model);
  sampler_close(&c);
}

/* A short training; figures of the form that is trained on. */
static void learn(fg_train_method method, fg_train_form form, size_t grid, fg_train_figures *before,
                  fg_train_figures *after)
{
  sampler_case c;
  fg_train_step step;
  sampler_open(&c, method, two_modes(), 2);
  c.settings.form = form;
  c.settings.steps = 200;
  c.settings.schedule = FG_RATE_EXPONENTIAL;
  c.settings.evaluate_steps = c.settings.stages[0].grid_steps = grid;
  sampler_start(&c, 0);
  *before = evaluate(&c).form[form];
  for (int k = 0; k < 200; k++) SAMPLER_OK(fg_trainer_step(c.trainer, NULL, &step, &sampler_status));
  *after = evaluate(&c).form[form];
  print_message("method %d, form %d: ESS %.3f, then %.3f; log Z >= %.3f, then %.3f\n", (int)method, (int)form,
                before->ess, after->ess, before->log_z_elbo, after->log_z_elbo);
  sampler_close(&c);
}

/* Weights become more alike in both forms. In the discrete form, whose spread has a share of the steps that no u can
 * take away, a bridge gets further than DIS. */
static void test_learns(void **state)
{
  (void)state;
  fg_train_figures before, after, dis;
  learn(FG_TRAIN_BRIDGE, FG_TRAIN_CONTINUOUS, 80, &before, &after);
  assert_true(after.ess > before.ess + 0.05 && after.log_z_elbo > before.log_z_elbo);
  learn(FG_TRAIN_DIS, FG_TRAIN_DISCRETE, 40, &before, &dis);
  learn(FG_TRAIN_BRIDGE, FG_TRAIN_DISCRETE, 40, &before, &after);
  assert_true(after.ess > before.ess + 0.1 && after.log_z_elbo > before.log_z_elbo);
  assert_true(after.ess > dis.ess && after.log_z_elbo > dis.log_z_elbo);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_begins_as_dis), cmocka_unit_test(test_unbiased),
                                     cmocka_unit_test(test_exact_pair), cmocka_unit_test(test_flows),
                                     cmocka_unit_test(test_learns)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

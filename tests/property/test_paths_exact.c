/* needs: train */
/* The optimal control is a fixed point: with the exact score of a diffused Gaussian mixture the weights become
 * alike as the steps become short, the variance of rnd falls like 1/N, the lower bound meets log Z and ESS goes
 * to 1. */
#include "support/sampler_case.h"

#include "engine.h"
#include "model/model.h"
#include "target/density.h"
#include "train/steps.h"

enum { PATHS = 8192, GRIDS = 5 };

typedef struct exact_case {
  sampler_case base;
  fg_model *model;
  fg_density density;
  fg_buf buffer[FG_DENSITY_BUFFERS], x, rnd[2], lost;
  size_t buffers;
  double *start, *value;
} exact_case;

static fg_buf room(exact_case *c, size_t bytes)
{
  fg_buf buf;
  SAMPLER_OK(c->base.engine->ops->alloc(c->base.engine, bytes, &buf, &sampler_status));
  return buf;
}

/* ou over T = 8: m(T)^2 |mu|^2 / v(T) = 6e-6 of mismatch between the prior and the law at T. */
static void open_case(exact_case *c)
{
  static const double means[6] = {-2, 0, 1.5, 1, 0.5, -1.5}, weights[3] = {0.2, 0.5, 0.3};
  static const double covariances[3] = {0.5, 0.3, 0.8};
  fg_target_settings t;
  fg_process_settings p;
  const fg_prior_settings prior = {FG_PRIOR_GAUSSIAN, 0, 0};
  double full[12] = {0};
  memset(c, 0, sizeof *c);
  fg_target_defaults(FG_TARGET_MIXTURE, &t);
  for (int k = 0; k < 3; k++) full[4 * k] = full[4 * k + 3] = covariances[k];
  t.dimension = 2;
  t.components = 3;
  t.means = means;
  t.weights = weights;
  t.covariances = full;
  SAMPLER_OK(fg_target_create(&t, &c->base.target, &sampler_status));
  fg_process_defaults(FG_PROCESS_OU, &p);
  p.horizon = 8;
  SAMPLER_OK(fg_process_create(&p, &c->base.process, &sampler_status));
  SAMPLER_OK(fg_prior_create(&prior, 2, c->base.process, c->base.target, &c->base.prior, &sampler_status));
  SAMPLER_OK(fg_engine_open("cpu", 2, &c->base.engine, &sampler_status));
  SAMPLER_OK(fg_model_exact(c->base.engine, c->base.target, c->base.process, &c->model, &sampler_status));
  SAMPLER_OK(fg_target_density(c->base.target, c->base.engine, &c->density, c->buffer, &c->buffers,
                               &sampler_status));
  c->start = malloc(PATHS * 2 * sizeof *c->start);
  c->value = malloc(PATHS * sizeof *c->value);
  assert_non_null(c->start);
  assert_non_null(c->value);
  c->x = room(c, PATHS * 2 * sizeof(double));
  for (int form = 0; form < 2; form++) c->rnd[form] = room(c, PATHS * sizeof(double));
  c->lost = room(c, PATHS * sizeof(int32_t));
}

static void close_case(exact_case *c)
{
  fg_engine *e = c->base.engine;
  fg_buf *bufs[] = {&c->x, &c->rnd[0], &c->rnd[1], &c->lost};
  for (size_t i = 0; i < 4; i++) e->ops->free(e, bufs[i]);
  for (size_t i = 0; i < c->buffers; i++) e->ops->free(e, &c->buffer[i]);
  fg_model_destroy(&c->model);
  free(c->start);
  free(c->value);
  sampler_close(&c->base);
}

/* Mean and variance of rnd of one form, and ESS / n of its weights. */
static void weigh(exact_case *c, fg_train_integrator integrator, size_t steps, int form, double *mean,
                  double *variance, double *ess)
{
  fg_engine *e = c->base.engine;
  fg_path_grid grid;
  fg_train_settings s;
  const fg_prior_view prior = fg_prior_look(c->base.prior);
  double sum = 0, square = 0, top = -1e300, w = 0, w2 = 0;
  fg_train_defaults(FG_TRAIN_DIS, &s);
  s.integrator = integrator;
  s.spacing = FG_GRID_QUADRATIC;
  SAMPLER_OK(fg_path_grid_create(c->base.process, &s, 2, steps, &grid, &sampler_status));
  SAMPLER_OK(fg_prior_sample(c->base.prior, 3, 0, PATHS, c->start, &sampler_status));
  SAMPLER_OK(e->ops->upload(e, c->x, 0, c->start, PATHS * 2 * sizeof *c->start, &sampler_status));
  fg_paths_request r = {
      .precision = FG_DOUBLE, .n = PATHS, .tile = 64, .seed = 3, .stream = 1, .steps = steps};
  r.coeff = grid.coeff;
  r.step = grid.step;
  r.continuous = fg_path_ends_of(c->base.process, &prior, FG_TRAIN_DIS, FG_TRAIN_CONTINUOUS, 2);
  r.discrete = fg_path_ends_of(c->base.process, &prior, FG_TRAIN_DIS, FG_TRAIN_DISCRETE, 2);
  r.target = c->density;
  r.limit = (double)INFINITY;
  r.x = c->x;
  r.rnd[0] = c->rnd[0];
  r.rnd[1] = c->rnd[1];
  r.lost_step = c->lost;
  SAMPLER_OK(e->ops->paths(e, e->threads, fg_model_field(c->model), &r, &sampler_status));
  SAMPLER_OK(e->ops->download(e, c->value, c->rnd[form], 0, PATHS * sizeof *c->value, &sampler_status));
  for (size_t i = 0; i < PATHS; i++) {
    assert_true(isfinite(c->value[i]));
    sum += c->value[i] / PATHS;
    top = fmax(top, -c->value[i]);
  }
  for (size_t i = 0; i < PATHS; i++) {
    square += (c->value[i] - sum) * (c->value[i] - sum) / (PATHS - 1);
    w += exp(-c->value[i] - top);
    w2 += exp(2 * (-c->value[i] - top));
  }
  fg_path_grid_clear(&grid);
  *mean = sum;
  *variance = square;
  *ess = w * w / (PATHS * w2);
}

/* log Z = 0. The variance from 8192 paths is good to 2 %; a slope over a factor of 16 in N moves by less than 0.05
 * for that, and the terms beyond 1/N bend it as much again. */
static void test_fixed_point(void **state)
{
  static const double grids[GRIDS] = {400, 800, 1600, 3200, 6400};
  exact_case c;
  (void)state;
  open_case(&c);
  for (int integrator = 0; integrator < 2; integrator++)
    for (int form = 0; form < 2; form++) {
      double mean = 0, variance[GRIDS], ess = 0;
      for (int g = 0; g < GRIDS; g++)
        weigh(&c, (fg_train_integrator)integrator, (size_t)grids[g], form, &mean, &variance[g], &ess);
      double order = sampler_slope(GRIDS, grids, variance);
      print_message("integrator %d, form %d: variance N^%.3f, at N = 6400 %.2e, mean %.2e, ESS %.4f\n",
                    integrator, form, order, variance[GRIDS - 1], mean, ess);
      assert_true(fabs(order + 1) < 0.1);
      assert_true(ess > 1 - 1.2 * variance[GRIDS - 1] - 1e-3);
      assert_true(ess > 0.94);
      assert_true(fabs(mean) < variance[GRIDS - 1] + 4 * sqrt(variance[GRIDS - 1] / PATHS));
    }
  close_case(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_fixed_point)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: train cuda_on_cpu */
/* Short trainings on the CUDA engine, run on the CPU by the shim, against the engine cpu: the same losses step by step,
 * for every method, with and without the residual. */
#include "cuda_on_cpu/shim.h"

#include "support/sampler_case.h"

typedef struct plan {
  const char *name;
  fg_train_method method;
  fg_train_objective objective;
  fg_train_form form;
  fg_network_form control;
  int residual; /* 1 log, 2 score */
} plan;

static const plan plans[] = {
    {"dis", FG_TRAIN_DIS, FG_TRAIN_LOG_VARIANCE, FG_TRAIN_CONTINUOUS, FG_VECTOR, 0},
    {"pis", FG_TRAIN_PIS, FG_TRAIN_KL, FG_TRAIN_CONTINUOUS, FG_VECTOR, 0},
    {"dds", FG_TRAIN_DDS, FG_TRAIN_LOG_VARIANCE, FG_TRAIN_DISCRETE, FG_VECTOR, 0},
    {"bridge", FG_TRAIN_BRIDGE, FG_TRAIN_LOG_VARIANCE, FG_TRAIN_CONTINUOUS, FG_VECTOR, 0},
    {"dsm", FG_TRAIN_DSM, FG_TRAIN_LOG_VARIANCE, FG_TRAIN_CONTINUOUS, FG_POTENTIAL, 1},
    {"dsm, vector", FG_TRAIN_DSM, FG_TRAIN_LOG_VARIANCE, FG_TRAIN_CONTINUOUS, FG_VECTOR, 2},
    {"dis with the residual", FG_TRAIN_DIS, FG_TRAIN_LOG_VARIANCE, FG_TRAIN_CONTINUOUS, FG_POTENTIAL, 1},
};
enum { PLANS = sizeof plans / sizeof *plans };

#if defined __SANITIZE_THREAD__ || defined SHIM_CHECKED /* slow */
enum { STEPS = 2 };
#else
enum { STEPS = 200 };
#endif

static void train_open(const char *engine, const plan *p, sampler_case *c)
{
  sampler_open_on(engine, c, p->method, sampler_target(FG_TARGET_GMM9, 0, 0), 1);
  fg_train_settings *s = &c->settings;
  s->objective = p->objective;
  s->form = p->form;
  s->control = p->control;
  s->precision = FG_DOUBLE;
  s->hidden_count = 1;
  s->embedding_width = 8;
  s->frequencies = 4;
  s->batch = 24;
  s->group = p->objective == FG_TRAIN_LOG_VARIANCE_TRAJECTORY ? 4 : 1;
  s->steps = STEPS;
  s->stages[0] = (fg_train_stage){0, p->method == FG_TRAIN_DDS ? 12 : 4};
  s->lost_most = 0;
  if (!p->residual) return;
  s->residual.weight = 0.3;
  s->residual.form = p->residual == 2 ? FG_TRAIN_SCORE : FG_TRAIN_LOG;
  s->residual.where = p->method == FG_TRAIN_DSM ? FG_AT_BOX : FG_AT_PATH;
  s->residual.points = 16;
  s->residual.group = p->method == FG_TRAIN_DSM ? 1 : 8;
  s->residual.paths = 16;
  s->residual.path_steps = 4;
  s->residual.refresh = 50;
  s->residual.time_least = 0.01;
}

/* Rounding (2e-16) is amplified by Adam, whose first steps are the signs of the gradient, and by 200 steps of training;
 * the largest difference measured is 4e-9 of the loss. A wrong term shows at once. */
static const double tolerance = 1e-7;

static void test_same_losses(void **state)
{
  (void)state;
  for (size_t k = 0; k < PLANS; k++) {
    sampler_case a, b;
    double most = 0, first = 0, last = 0;
    train_open("cuda-on-cpu", &plans[k], &a);
    train_open("cpu", &plans[k], &b);
    sampler_start(&a, 0);
    sampler_start(&b, 0);
    for (int step = 0; step < STEPS; step++) {
      fg_train_step x, y;
      SAMPLER_OK(fg_trainer_step(a.trainer, NULL, &x, &sampler_status));
      SAMPLER_OK(fg_trainer_step(b.trainer, NULL, &y, &sampler_status));
      assert_int_equal(x.lost_total, y.lost_total);
      most = fmax(most, fabs(x.loss - y.loss) / (1 + fabs(y.loss)));
      most = fmax(most, fabs(x.norm - y.norm) / (1 + fabs(y.norm)));
      if (plans[k].residual) most = fmax(most, fabs(x.residual - y.residual) / (1 + fabs(y.residual)));
      if (!(most <= tolerance))
        fail_msg("%s, step %d: losses %.17g and %.17g", plans[k].name, step, x.loss, y.loss);
      if (step == 0) first = y.loss;
      last = y.loss;
    }
    print_message("%s: largest difference %.2g; loss from %.4g to %.4g\n", plans[k].name, most, first, last);
    sampler_close(&a);
    sampler_close(&b);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_losses)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: train */
/* The operations that bench/bench_cuda_cases.h counts, from which docs/cuda.md has its floors, against those that the bodies
 * do: the CPU engine with tile words that count their multiply-adds. */
#define FG_ISA counted

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cpu/isa.h"
#include "cpu/matmul.h"

static double done; /* operations: two for each multiply-add */

TILE_FN void counted_matmul(int p, int n, int k, const fg_real *a, int row_step, int column_step,
                            const fg_real *b, const fg_real *init, int init_step, const fg_real *gate,
                            fg_real *c)
{
  done += 2.0 * p * n * k;
  tile_matmul(p, n, k, a, row_step, column_step, b, init, init_step, gate, c);
}

TILE_FN void counted_dot(int p, int n, int k, const fg_real *a, const fg_real *w, const fg_real *init,
                         int init_step, fg_real *out)
{
  done += 2.0 * p * n * k;
  tile_dot(p, n, k, a, w, init, init_step, out);
}

TILE_FN void counted_row_dot(int p, int k, const fg_real *a, const fg_real *b, int b_step, fg_real *out)
{
  done += 2.0 * p * k;
  tile_row_dot(p, k, a, b, b_step, out);
}

TILE_FN void counted_outer(int p, int n, int k, const fg_real *a, int row_step, int column_step,
                           const fg_real *b, fg_real *out)
{
  done += 2.0 * p * n * k;
  tile_outer(p, n, k, a, row_step, column_step, b, out);
}

#define tile_matmul counted_matmul
#define tile_dot counted_dot
#define tile_row_dot counted_row_dot
#define tile_outer counted_outer
extern const fg_cpu_table fg_cpu_table_counted_double;
#include "cpu/isa.c"

#include "bench/bench_cuda_cases.h"
#include "cpu/cpu_impl.h"
#include "flowgap/flowgap.h"
#include "model/model.h"
#include "network_pack.h"
#include "sde/coeff.h"

enum { N = 64, STEPS = 4 };

static fg_engine *engine;
static fg_process *process;
static fg_status st;

#define MUST(call)                                                                                           \
  do {                                                                                                       \
    if ((call) != FG_OK) fail_msg("%s", st.message);                                                         \
  } while (0)

/* `what` has done what is expected, but for a share of it that the cases leave out or count above. */
static void expect(const char *what, double expected, double share)
{
  if (!(done >= (1 - share) * expected && done <= (1 + share) * expected))
    fail_msg("%s: %.6g operations a point, the cases count %.6g", what, done, expected);
  done = 0;
}

static fg_model *network(fg_network_form form)
{
  static double zeros[BENCH_WIDTH * BENCH_WIDTH];
  const size_t widths[BENCH_LAYERS + 1] = {BENCH_D + 1, BENCH_WIDTH, BENCH_WIDTH, BENCH_WIDTH,
                                           form == FG_POTENTIAL ? 1 : BENCH_D};
  const double *all[BENCH_LAYERS] = {zeros, zeros, zeros, zeros};
  fg_network_settings s = {.form = form, .activation = FG_SOFTPLUS, .beta = 1, .threshold = 20};
  fg_model *model = NULL;
  s.time = FG_TIME_FIRST;
  s.dimension = BENCH_D;
  s.layers = BENCH_LAYERS;
  s.widths = widths;
  s.weights = s.biases = all;
  MUST(fg_model_network(engine, &s, process, &model, &st));
  return model;
}

static fg_buf room(size_t count)
{
  fg_buf buf;
  MUST(engine->ops->alloc(engine, count * sizeof(double), &buf, &st));
  MUST(engine->ops->zero(engine, buf, &st));
  return buf;
}

/* Forward: the score of the vector form. */
static void test_forward(void **state)
{
  (void)state;
  fg_model *model = network(FG_VECTOR);
  const fg_coeff coeff = fg_process_coeff(process, 0.5);
  fg_buf x = room(N * BENCH_D), out = room(N * BENCH_D);
  fg_evaluate_request r = {.n = N, .shared_time = 1, .coeff = &coeff, .x = x};
  r.score = out;
  done = 0;
  MUST(engine->ops->evaluate(engine, NULL, fg_model_field(model), &r, &st));
  done /= N;
  expect("evaluate", bench_network(BENCH_D), 0.01);
  fg_ode_request o = {.n = N, .coeff = coeff, .y = x, .dy = out};
  MUST(engine->ops->ode_rhs(engine, fg_model_field(model), &o, &st));
  done /= N;
  expect("ode_rhs", bench_network(BENCH_D), 0.01);
  engine->ops->free(engine, &x);
  engine->ops->free(engine, &out);
  fg_model_destroy(&model);
}

/* The residual of the potential form with its gradient: value, d tangents and one channel of second order, forward and
 * twice backward. */
static void test_residual(void **state)
{
  (void)state;
  fg_model *model = network(FG_POTENTIAL);
  const fg_coeff coeff = fg_process_coeff(process, 0.5);
  fg_buf x = room(N * BENCH_D), gradient = room(fg_network_pack_size(fg_model_field(model)));
  fg_points_request r = {.kind = FG_LOSS_RESIDUAL, .n = N, .group = N, .coeff = &coeff, .x = x, .scale = 1};
  r.gradient = gradient;
  done = 0;
  MUST(engine->ops->points(engine, NULL, fg_model_field(model), &r, &st));
  done /= N;
  expect("points", bench_case_of(BENCH_RESIDUAL).operations / BENCH_BATCH, 0.02);
  engine->ops->free(engine, &x);
  engine->ops->free(engine, &gradient);
  fg_model_destroy(&model);
}

/* Whole training steps. */
static void test_training(void **state)
{
  (void)state;
  const fg_prior_settings prior_settings = {FG_PRIOR_TRUNCATED, 1, 0.9999};
  fg_target_settings target_settings;
  fg_target *target;
  fg_prior *prior;
  fg_target_defaults(FG_TARGET_GMM9, &target_settings);
  MUST(fg_target_create(&target_settings, &target, &st));
  MUST(fg_prior_create(&prior_settings, BENCH_D, process, target, &prior, &st));
  for (int kl = 0; kl < 2; kl++) {
    fg_trainer *trainer;
    fg_train_settings s;
    fg_train_step step;
    fg_train_evaluation e;
    fg_train_defaults(FG_TRAIN_DIS, &s);
    s.objective = kl ? FG_TRAIN_KL : FG_TRAIN_LOG_VARIANCE;
    s.precision = FG_DOUBLE;
    s.hidden_count = BENCH_LAYERS - 1;
    for (int l = 0; l + 1 < BENCH_LAYERS; l++) s.hidden[l] = BENCH_WIDTH;
    s.batch = s.evaluate_paths = N;
    s.evaluate_steps = STEPS;
    s.stage_count = 1;
    s.stages[0] = (fg_train_stage){0, STEPS};
    MUST(fg_trainer_create(engine, &s, process, target, prior, &trainer, &st));
    done = 0;
    MUST(fg_trainer_step(trainer, NULL, &step, &st));
    done /= N * STEPS;
    expect(kl ? "KL" : "log-variance", BENCH_GRADIENT * bench_network(BENCH_D), 0.01);
    MUST(fg_trainer_evaluate(trainer, NULL, &e, &st));
    done /= N * STEPS;
    expect("paths", bench_network(BENCH_D), 0.01);
    fg_trainer_destroy(&trainer);
  }
  fg_prior_destroy(&prior);
  fg_target_destroy(&target);
}

static int open_all(void **state)
{
  (void)state;
  fg_process_settings s;
  fg_process_defaults(FG_PROCESS_VP, &s);
  if (fg_process_create(&s, &process, &st) != FG_OK || fg_engine_open("cpu", 1, &engine, &st) != FG_OK)
    return -1;
  ((fg_cpu *)engine->state)->table[FG_DOUBLE] = &fg_cpu_table_counted_double;
  return 0;
}

static int close_all(void **state)
{
  (void)state;
  fg_engine_close(&engine);
  fg_process_destroy(&process);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_forward), cmocka_unit_test(test_residual),
                                     cmocka_unit_test(test_training)};
  return cmocka_run_group_tests(tests, open_all, close_all);
}

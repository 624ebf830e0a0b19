/* needs: model */
/* Losses at points on every engine: cpu-check finds what is read unwritten or by the wrong address; bits do not depend on
 * threads; sizes that fill no tile; what is refused. */
#include "support/points_case.h"

enum { MOST = 1000, D = 3 };

typedef struct outcome {
  double loss, loss_se, value[MOST], *packed;
  size_t bytes;
} outcome;

static const points_shape potential = {
    FG_POTENTIAL, FG_OUTPUT_SCORE, FG_SOFTPLUS, FG_TIME_FIRST, false, D, 3, 20, 3};
static const points_shape embedded = {
    FG_POTENTIAL, FG_OUTPUT_SCORE, FG_GELU, FG_TIME_EMBEDDED, true, D, 3, 20, 3};
static const points_shape vector = {FG_VECTOR, FG_OUTPUT_NOISE, FG_TANH, FG_TIME_LAST, false, D, 3, 20, 3};

static void run(const char *name, int threads, const points_shape *shape, fg_point_loss kind, int probes,
                size_t n, size_t group, int twice, outcome *out)
{
  fg_process_settings p;
  fg_process *process;
  fg_engine *engine;
  fg_model *model;
  points_batch b;
  static points_net net;
  fg_process_defaults(FG_PROCESS_VP, &p);
  CASE_OK(fg_process_create(&p, &process, &case_status));
  CASE_OK(fg_engine_open(name, threads, &engine, &case_status));
  points_net_open(&net, shape);
  CASE_OK(fg_model_network(engine, &net.s, process, &model, &case_status));
  points_batch_open(&b, engine, process, n, group, D, 0.2, 0.9);
  const fg_field *f = fg_model_field(model);
  out->bytes = fg_network_pack_size(f) * sizeof(double);
  out->packed = malloc(out->bytes);
  assert_non_null(out->packed);
  CASE_OK(engine->ops->alloc(engine, out->bytes, &b.r.gradient, &case_status));
  b.r.kind = kind;
  b.r.probes = probes;
  for (int k = 0; k <= twice; k++) {
    b.r.accumulate = k;
    CASE_OK(engine->ops->points(engine, engine->threads, f, &b.r, &case_status));
  }
  out->loss = b.r.loss;
  out->loss_se = b.r.loss_se;
  CASE_OK(engine->ops->download(engine, out->value, b.r.value, 0, n * sizeof *out->value, &case_status));
  CASE_OK(engine->ops->download(engine, out->packed, b.r.gradient, 0, out->bytes, &case_status));
  engine->ops->free(engine, &b.r.gradient);
  points_batch_close(&b);
  fg_model_destroy(&model);
  fg_engine_close(&engine);
  fg_process_destroy(&process);
}

static void check_same(const points_shape *shape, fg_point_loss kind, int probes, size_t n, size_t group)
{
  static const struct {
    const char *engine;
    int threads;
  } others[] = {{"cpu", 2}, {"cpu", 5}, {"cpu-check", 2}};
  static outcome first, other;
  run("cpu", 1, shape, kind, probes, n, group, 0, &first);
  for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
    run(others[k].engine, others[k].threads, shape, kind, probes, n, group, 0, &other);
    assert_memory_equal(&first.loss, &other.loss, sizeof first.loss);
    assert_memory_equal(first.value, other.value, n * sizeof *first.value);
    assert_memory_equal(first.packed, other.packed, first.bytes);
    free(other.packed);
  }
  /* accumulated: the sum with itself, exactly */
  run("cpu", 2, shape, kind, probes, n, group, 1, &other);
  for (size_t i = 0; i < first.bytes / sizeof(double); i++)
    assert_true(other.packed[i] == 2 * first.packed[i]);
  free(other.packed);
  free(first.packed);
}

static void test_same_bits(void **state)
{
  static const size_t sizes[] = {1, 7, 64, MOST};
  (void)state;
  for (size_t k = 0; k < 4; k++) {
    check_same(&potential, FG_LOSS_DENOISING, 0, sizes[k], 1);
    check_same(&potential, FG_LOSS_RESIDUAL, 0, sizes[k], 1);
    check_same(&potential, FG_LOSS_RESIDUAL, 2, sizes[k], 1);
    check_same(&vector, FG_LOSS_SCORE_RESIDUAL, 0, sizes[k], 1);
  }
  check_same(&vector, FG_LOSS_DENOISING, 0, 64, 2);
  check_same(&potential, FG_LOSS_CENTRED, 0, 40, 5);
  check_same(&embedded, FG_LOSS_CENTRED, 0, 200, 40);
  check_same(&embedded, FG_LOSS_RESIDUAL, 1, 21, 7);
}

/* The standard error takes groups as draws: of the losses of single points, sd / sqrt n. */
static void test_standard_error(void **state)
{
  static outcome out;
  double sum = 0, squares = 0;
  (void)state;
  run("cpu", 2, &potential, FG_LOSS_RESIDUAL, 0, MOST, 1, 0, &out);
  for (size_t i = 0; i < MOST; i++) sum += out.value[i] * out.value[i] / MOST;
  for (size_t i = 0; i < MOST; i++) squares += pow(out.value[i] * out.value[i] - sum, 2);
  assert_true(fabs(out.loss - sum) <= 1e-12 * sum);
  assert_true(fabs(out.loss_se - sqrt(squares / (MOST - 1) / MOST)) <= 1e-10 * sum);
  free(out.packed);
}

/* Hutchinson's residual is unbiased: over draws its mean is the exact one, within 4 standard errors (for 40 points at
 * once, 4 in place of 3). */
static void test_probes(void **state)
{
  enum { POINTS = 40, DRAWS = 400 };
  fg_process_settings p;
  fg_process *process;
  fg_engine *engine;
  fg_model *model;
  points_batch b;
  static points_net net;
  double exact[POINTS], value[POINTS], sum[POINTS] = {0}, squares[POINTS] = {0};
  (void)state;
  fg_process_defaults(FG_PROCESS_VP, &p);
  CASE_OK(fg_process_create(&p, &process, &case_status));
  CASE_OK(fg_engine_open("cpu", 2, &engine, &case_status));
  points_net_open(&net, &potential);
  CASE_OK(fg_model_network(engine, &net.s, process, &model, &case_status));
  points_batch_open(&b, engine, process, POINTS, 1, D, 0.2, 0.9);
  b.r.kind = FG_LOSS_RESIDUAL;
  for (uint32_t draw = 0; draw <= DRAWS; draw++) {
    b.r.probes = draw > 0;
    b.r.draw = draw;
    CASE_OK(engine->ops->points(engine, engine->threads, fg_model_field(model), &b.r, &case_status));
    CASE_OK(engine->ops->download(engine, draw ? value : exact, b.r.value, 0, sizeof value, &case_status));
    for (size_t i = 0; i < POINTS && draw > 0; i++) {
      sum[i] += value[i] / DRAWS;
      squares[i] += (value[i] - exact[i]) * (value[i] - exact[i]) / DRAWS;
    }
  }
  double spread = 0;
  for (size_t i = 0; i < POINTS; i++) {
    spread += squares[i];
    assert_true(fabs(sum[i] - exact[i]) <= 4 * sqrt(squares[i] / DRAWS) + 1e-10);
  }
  assert_true(spread > 1e-6); /* the probes do differ */
  points_batch_close(&b);
  fg_model_destroy(&model);
  fg_engine_close(&engine);
  fg_process_destroy(&process);
}

static void refuse(const points_shape *shape, fg_point_loss kind, size_t n, size_t group, fg_code expected,
                   const char *says)
{
  fg_process_settings p;
  fg_process *process;
  fg_engine *engine;
  fg_model *model;
  points_batch b;
  static points_net net;
  fg_process_defaults(FG_PROCESS_VP, &p);
  CASE_OK(fg_process_create(&p, &process, &case_status));
  CASE_OK(fg_engine_open("cpu", 1, &engine, &case_status));
  points_net_open(&net, shape);
  CASE_OK(fg_model_network(engine, &net.s, process, &model, &case_status));
  points_batch_open(&b, engine, process, 64, 1, D, 0.2, 0.9);
  b.r.kind = kind;
  b.r.n = n;
  b.r.group = group;
  assert_int_equal(engine->ops->points(engine, engine->threads, fg_model_field(model), &b.r, &case_status),
                   expected);
  assert_non_null(strstr(case_status.message, says));
  points_batch_close(&b);
  fg_model_destroy(&model);
  fg_engine_close(&engine);
  fg_process_destroy(&process);
}

static void test_refused(void **state)
{
  (void)state;
  refuse(&vector, FG_LOSS_RESIDUAL, 64, 1, FG_UNSUPPORTED, "score form");
  refuse(&potential, FG_LOSS_SCORE_RESIDUAL, 64, 1, FG_UNSUPPORTED, "vector");
  refuse(&potential, FG_LOSS_CENTRED, 64, 1, FG_USAGE, "at least 2");
  refuse(&potential, FG_LOSS_RESIDUAL, 64, 5, FG_USAGE, "divide");
  refuse(&potential, FG_LOSS_RESIDUAL, 0, 1, FG_USAGE, "0 points");
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits), cmocka_unit_test(test_standard_error),
                                     cmocka_unit_test(test_probes), cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

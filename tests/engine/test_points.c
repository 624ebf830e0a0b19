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

typedef struct setup {
  fg_process *process;
  fg_engine *engine;
  fg_model *model;
  points_net net;
  points_batch b;
} setup;

static void setup_open(setup *s, const char *engine, int threads, const points_shape *shape, size_t n,
                       size_t group)
{
  fg_process_settings p;
  fg_process_defaults(FG_PROCESS_VP, &p);
  CASE_OK(fg_process_create(&p, &s->process, &case_status));
  CASE_OK(fg_engine_open(engine, threads, &s->engine, &case_status));
  points_net_open(&s->net, shape);
  CASE_OK(fg_model_network(s->engine, &s->net.s, s->process, &s->model, &case_status));
  points_batch_open(&s->b, s->engine, s->process, n, group, D, 0.2, 0.9);
}

static void setup_close(setup *s)
{
  points_batch_close(&s->b);
  fg_model_destroy(&s->model);
  fg_engine_close(&s->engine);
  fg_process_destroy(&s->process);
}

static fg_code points_of(setup *s)
{
  return s->engine->ops->points(s->engine, s->engine->threads, fg_model_field(s->model), &s->b.r,
                                &case_status);
}

static void run(const char *name, int threads, const points_shape *shape, fg_point_loss kind, int probes,
                size_t n, size_t group, int twice, outcome *out)
{
  static setup s;
  setup_open(&s, name, threads, shape, n, group);
  const fg_field *f = fg_model_field(s.model);
  out->bytes = fg_network_pack_size(f) * sizeof(double);
  out->packed = malloc(out->bytes);
  assert_non_null(out->packed);
  CASE_OK(s.engine->ops->alloc(s.engine, out->bytes, &s.b.r.gradient, &case_status));
  s.b.r.kind = kind;
  s.b.r.probes = probes;
  for (int k = 0; k <= twice; k++) {
    s.b.r.accumulate = k;
    CASE_OK(points_of(&s));
  }
  out->loss = s.b.r.loss;
  out->loss_se = s.b.r.loss_se;
  CASE_OK(
      s.engine->ops->download(s.engine, out->value, s.b.r.value, 0, n * sizeof *out->value, &case_status));
  CASE_OK(s.engine->ops->download(s.engine, out->packed, s.b.r.gradient, 0, out->bytes, &case_status));
  s.engine->ops->free(s.engine, &s.b.r.gradient);
  setup_close(&s);
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
  static setup s;
  double exact[POINTS], value[POINTS], sum[POINTS] = {0}, squares[POINTS] = {0};
  (void)state;
  setup_open(&s, "cpu", 2, &potential, POINTS, 1);
  s.b.r.kind = FG_LOSS_RESIDUAL;
  for (uint32_t draw = 0; draw <= DRAWS; draw++) {
    s.b.r.probes = draw > 0;
    s.b.r.draw = draw;
    CASE_OK(points_of(&s));
    CASE_OK(
        s.engine->ops->download(s.engine, draw ? value : exact, s.b.r.value, 0, sizeof value, &case_status));
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
  setup_close(&s);
}

static void refuse(const points_shape *shape, fg_point_loss kind, size_t n, size_t group, fg_code expected,
                   const char *says)
{
  static setup s;
  setup_open(&s, "cpu", 1, shape, 64, 1);
  s.b.r.kind = kind;
  s.b.r.n = n;
  s.b.r.group = group;
  assert_int_equal(points_of(&s), expected);
  assert_non_null(strstr(case_status.message, says));
  setup_close(&s);
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

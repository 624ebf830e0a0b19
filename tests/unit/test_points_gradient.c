/* needs: model */
/* Losses at points: residuals against those of the models, and the gradient of every loss with respect to every tensor
 * against central differences, in double. */
#include "support/points_case.h"

typedef struct tested {
  fg_engine *engine;
  const fg_process *process;
  const fg_target *target; /* of a control */
  fg_network_settings *s;
  double *numbers; /* that the settings point into */
  size_t used;
  const char *name;
  size_t lost; /* points that are */
} tested;

/* The settings with every array moved from one block of numbers to another. */
typedef struct shifted {
  fg_network_settings s;
  const double *weights[FG_LAYERS_MAX], *biases[FG_LAYERS_MAX];
} shifted;

static void shift(const fg_network_settings *from, const double *old, double *new, shifted *to)
{
#define MOVED(p) ((p) ? new + ((p)-old) : NULL)
  to->s = *from;
  for (size_t l = 0; l < from->layers; l++) {
    to->weights[l] = MOVED(from->weights[l]);
    to->biases[l] = MOVED(from->biases[l]);
  }
  to->s.weights = to->weights;
  to->s.biases = to->biases;
  to->s.frequency = MOVED(from->frequency);
  to->s.phase = MOVED(from->phase);
  to->s.factor_frequency = MOVED(from->factor_frequency);
  to->s.factor_phase = MOVED(from->factor_phase);
  for (int k = 0; k < 2; k++) {
    to->s.embedding_weights[k] = MOVED(from->embedding_weights[k]);
    to->s.embedding_biases[k] = MOVED(from->embedding_biases[k]);
  }
  for (size_t l = 0; l < from->factor_layers; l++) {
    to->s.factor_weights[l] = MOVED(from->factor_weights[l]);
    to->s.factor_biases[l] = MOVED(from->factor_biases[l]);
  }
#undef MOVED
}

static fg_model *model_of(const tested *c)
{
  fg_model *model;
  if (c->s->guide)
    CASE_OK(fg_model_control(c->engine, c->s, c->target, c->process, &model, &case_status));
  else
    CASE_OK(fg_model_network(c->engine, c->s, c->process, &model, &case_status));
  return model;
}

static double loss_of(const tested *c, fg_points_request *r)
{
  fg_model *model = model_of(c);
  CASE_OK(c->engine->ops->points(c->engine, c->engine->threads, fg_model_field(model), r, &case_status));
  fg_model_destroy(&model);
  assert_int_equal(r->lost, c->lost);
  return r->loss;
}

/* The gradient, laid out as the numbers. */
static void gradient_of(const tested *c, fg_points_request *r, double *gradient)
{
  fg_model *model = model_of(c);
  const fg_field *f = fg_model_field(model);
  const size_t bytes = fg_network_pack_size(f) * sizeof(double);
  double *packed = malloc(bytes);
  shifted to;
  assert_non_null(packed);
  CASE_OK(c->engine->ops->alloc(c->engine, bytes, &r->gradient, &case_status));
  CASE_OK(c->engine->ops->points(c->engine, c->engine->threads, f, r, &case_status));
  CASE_OK(c->engine->ops->download(c->engine, packed, r->gradient, 0, bytes, &case_status));
  c->engine->ops->free(c->engine, &r->gradient);
  r->gradient.device = NULL;
  memset(gradient, 0, c->used * sizeof *gradient);
  shift(c->s, c->numbers, gradient, &to);
  fg_network_unpack(f, packed, &to.s);
  free(packed);
  fg_model_destroy(&model);
}

/* Along random directions in blocks of numbers: truncation h^2 times third derivatives, which are of the size of the
 * loss times a hundred, and rounding 1e-15 of the loss over h, are both below 1e-7 of the slopes. */
static void check_gradient(const tested *c, fg_points_request *r)
{
  const double h = 3e-6;
  double *gradient = malloc(c->used * sizeof *gradient), *kept = malloc(c->used * sizeof *kept);
  assert_non_null(gradient);
  assert_non_null(kept);
  gradient_of(c, r, gradient);
  memcpy(kept, c->numbers, c->used * sizeof *kept);
  double whole = 0;
  for (size_t i = 0; i < c->used; i++) whole += fabs(gradient[i]);
  assert_true(whole > 0);
  for (size_t block = 0, at = 0, size; at < c->used; at += size, block++) {
    double slope = 0, sum = 0;
    size = c->used - at < 37 ? c->used - at : 37;
    for (int side = 1; side >= -1; side -= 2) {
      for (size_t i = at; i < at + size; i++)
        c->numbers[i] = kept[i] + (gradient[i] != 0 ? side * h * case_number(i, 91 + block) : 0);
      slope += side * loss_of(c, r) / (2 * h);
    }
    memcpy(c->numbers, kept, c->used * sizeof *kept);
    double expected = 0;
    for (size_t i = at; i < at + size; i++) {
      expected += gradient[i] * case_number(i, 91 + block);
      sum += fabs(gradient[i]);
    }
    if (!(fabs(slope - expected) <= 2e-6 * sum + 2e-9 * (r->loss + whole)))
      fail_msg("%s, kind %d, probes %d, numbers from %zu: difference %.12g, gradient %.12g", c->name, r->kind,
               r->probes, at, slope, expected);
  }
  free(gradient);
  free(kept);
}

/* Every trained number has a gradient (a block that is forgotten would go unnoticed above). */
static void check_complete(const tested *c, fg_points_request *r, const points_net *net)
{
  double *gradient = malloc(c->used * sizeof *gradient);
  assert_non_null(gradient);
  gradient_of(c, r, gradient);
  for (size_t k = 0; k < net->tensors; k++) {
    size_t zeros = 0;
    for (size_t i = net->from[k]; i < net->from[k] + net->count[k]; i++) zeros += gradient[i] == 0;
    const bool last_bias = r->kind != FG_LOSS_SCORE_RESIDUAL && net->s.form == FG_POTENTIAL &&
                           net->from[k] == (size_t)(net->biases[net->s.layers - 1] - net->numbers);
    if (!last_bias && zeros) fail_msg("%s, kind %d: %zu zeros in tensor %zu", c->name, r->kind, zeros, k);
  }
  free(gradient);
}

/* R of the request against the model's own, which goes another way through the network. */
static void check_residual(const tested *c, points_batch *b, size_t d)
{
  const size_t n = b->r.n;
  fg_model *model = model_of(c);
  double *x = malloc(n * d * sizeof *x), *t = malloc(n * sizeof *t), *residual = malloc(n * sizeof *residual),
         *value = malloc(n * sizeof *value);
  assert_true(x && t && residual && value);
  CASE_OK(b->engine->ops->download(b->engine, x, b->r.x, 0, n * d * sizeof *x, &case_status));
  CASE_OK(b->engine->ops->download(b->engine, value, b->r.value, 0, n * sizeof *x, &case_status));
  for (size_t i = 0; i < n; i++) t[i] = b->coeff[i / b->r.group].t;
  fg_evaluation out = {NULL, NULL, NULL, NULL, residual, NULL, NULL};
  CASE_OK(fg_model_evaluate(model, FG_DOUBLE, n, t, n, x, &out, &case_status));
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    if (!(fabs(value[i] - residual[i]) <= 1e-11 * (1 + fabs(residual[i]) + fabs(x[i * d]))))
      fail_msg("%s: R %.15g, not %.15g", c->name, value[i], residual[i]);
    sum += residual[i] * residual[i];
  }
  assert_true(fabs(b->r.loss - sum / (double)n) <= 1e-12 * b->r.loss);
  fg_model_destroy(&model);
  free(x);
  free(t);
  free(residual);
  free(value);
}

static void check_potential(const tested *c, points_batch *b, size_t d, const points_net *net)
{
  b->r.probes = 0;
  b->r.kind = FG_LOSS_RESIDUAL;
  loss_of(c, &b->r);
  check_residual(c, b, d);
  check_gradient(c, &b->r);
  if (net) check_complete(c, &b->r, net);
  b->r.probes = 3;
  check_gradient(c, &b->r);
  b->r.probes = 0;
  if (b->r.group > 1) {
    b->r.kind = FG_LOSS_CENTRED;
    check_gradient(c, &b->r);
  }
}

/* E against central differences of s and div s. */
static void check_score_residual(const tested *c, points_batch *b, const fg_process *process, size_t d)
{
  const size_t n = b->r.n;
  const double h = 1e-4;
  fg_model *model = model_of(c);
  double *x = malloc(n * d * sizeof *x), *e = malloc(n * d * sizeof *e), s[2 * JET_D], div[2], y[JET_D];
  assert_true(x && e);
  CASE_OK(b->engine->ops->download(b->engine, x, b->r.x, 0, n * d * sizeof *x, &case_status));
  CASE_OK(b->engine->ops->download(b->engine, e, b->r.vector, 0, n * d * sizeof *x, &case_status));
  for (size_t i = 0; i < n; i++) {
    const double t = b->coeff[i / b->r.group].t, a = fg_process_a(process, t), g2 = fg_process_g2(process, t);
    for (size_t k = 0; k < d; k++) {
      double expected = 0;
      for (int side = 1; side >= -1; side -= 2) {
        const double time = t + side * h;
        fg_evaluation score = {NULL, NULL, s, NULL, NULL, NULL, NULL};
        CASE_OK(fg_model_evaluate(model, FG_DOUBLE, 1, &time, 1, x + i * d, &score, &case_status));
        expected += side * s[k] / (2 * h);
        memcpy(y, x + i * d, d * sizeof *y);
        y[k] += side * h;
        fg_evaluation both = {NULL, NULL, s, div, NULL, NULL, NULL};
        CASE_OK(fg_model_evaluate(model, FG_DOUBLE, 1, &t, 1, y, &both, &case_status));
        double psi = g2 / 2 * div[0];
        for (size_t j = 0; j < d; j++) psi += g2 / 2 * s[j] * s[j] + a * y[j] * s[j];
        expected -= side * psi / (2 * h);
      }
      /* h^2 / 6 times third derivatives, some tens here */
      if (!(fabs(expected - e[i * d + k]) <= 1e-6 * (1 + fabs(expected))))
        fail_msg("%s: E %.12g, difference %.12g", c->name, e[i * d + k], expected);
    }
  }
  fg_model_destroy(&model);
  free(x);
  free(e);
}

static void run_network(const char *name, const points_shape *shape, size_t n, size_t group)
{
  fg_process_settings p;
  fg_process *process;
  fg_engine *engine;
  points_batch b;
  static points_net net;
  fg_process_defaults(FG_PROCESS_VP, &p);
  CASE_OK(fg_process_create(&p, &process, &case_status));
  CASE_OK(fg_engine_open("cpu", 2, &engine, &case_status));
  points_net_open(&net, shape);
  points_batch_open(&b, engine, process, n, group, shape->d, 0.2, 0.9);
  tested c = {engine, process, NULL, &net.s, net.numbers, net.used, name, 0};
  b.r.kind = FG_LOSS_DENOISING;
  check_gradient(&c, &b.r);
  if (shape->form == FG_POTENTIAL) {
    check_potential(&c, &b, shape->d, &net);
  } else {
    b.r.kind = FG_LOSS_SCORE_RESIDUAL;
    loss_of(&c, &b.r);
    check_score_residual(&c, &b, process, shape->d);
    check_gradient(&c, &b.r);
    check_complete(&c, &b.r, &net);
  }
  points_batch_close(&b);
  fg_engine_close(&engine);
  fg_process_destroy(&process);
}

static void test_potentials(void **state)
{
  (void)state;
  const points_shape first = {FG_POTENTIAL, FG_OUTPUT_SCORE, FG_SOFTPLUS, FG_TIME_FIRST, false, 2, 4, 20, 3};
  const points_shape last = {FG_POTENTIAL, FG_OUTPUT_SCORE, FG_GELU, FG_TIME_LAST, true, 1, 3, 13, 1};
  const points_shape fourier = {FG_POTENTIAL, FG_OUTPUT_SCORE, FG_TANH, FG_TIME_FOURIER, true, 5, 3, 17, 1};
  const points_shape embedded = {FG_POTENTIAL, FG_OUTPUT_SCORE, FG_SILU, FG_TIME_EMBEDDED, true, 2, 3, 15, 1};
  const points_shape wide = {FG_POTENTIAL, FG_OUTPUT_SCORE, FG_SINE, FG_TIME_FIRST, false, 10, 2, 90, 1};
  const points_shape soft = {FG_POTENTIAL, FG_OUTPUT_SCORE, FG_SOFTPLUS, FG_TIME_FIRST, false, 1, 3, 24, 4};
  const points_shape many = {FG_POTENTIAL, FG_OUTPUT_SCORE, FG_SOFTPLUS, FG_TIME_LAST, false, 5, 3, 24, 2};
  run_network("first", &first, 70, 1);
  run_network("last", &last, 60, 4);
  run_network("fourier", &fourier, 60, 20);
  run_network("embedded", &embedded, 40, 20);
  run_network("wide", &wide, 24, 3);
  run_network("soft", &soft, 33, 3);
  run_network("many", &many, 33, 1);
}

static void test_vectors(void **state)
{
  (void)state;
  const points_shape noise = {FG_VECTOR, FG_OUTPUT_NOISE, FG_SOFTPLUS, FG_TIME_FIRST, true, 2, 3, 20, 3};
  const points_shape score = {FG_VECTOR, FG_OUTPUT_SCORE, FG_GELU, FG_TIME_EMBEDDED, true, 3, 3, 14, 1};
  const points_shape line = {FG_VECTOR, FG_OUTPUT_SCORE, FG_TANH, FG_TIME_FOURIER, false, 1, 4, 14, 1};
  run_network("noise", &noise, 50, 1);
  run_network("score", &score, 60, 20);
  run_network("line", &line, 45, 15);
}

static void run_control(const char *name, control_method method, size_t factor)
{
  static control_case k;
  case_mixture m;
  fg_target *target;
  fg_engine *engine;
  points_batch b;
  case_mixture_fill(&m, 2, 0);
  case_target_mixture(&m, &target);
  control_open(&k, method, FG_POTENTIAL, target, INFINITY, factor);
  CASE_OK(fg_engine_open("cpu", 2, &engine, &case_status));
  points_batch_open(&b, engine, k.process, 64, 32, 2, 0.2, 0.9);
  tested c = {engine, k.process, k.target, &k.s, k.numbers, k.used, name, 0};
  check_potential(&c, &b, 2, NULL);
  points_batch_close(&b);
  fg_engine_close(&engine);
  control_close(&k);
}

static void test_controls(void **state)
{
  (void)state;
  run_control("DIS", CONTROL_DIS, 4);
  run_control("DDS", CONTROL_DDS, 3);
  run_control("PIS", CONTROL_PIS, 0);
}

/* A point that is not finite is counted and named, and leaves the others' loss and gradient as they are without it. */
static void test_lost(void **state)
{
  const points_shape shape = {FG_POTENTIAL, FG_OUTPUT_SCORE, FG_SOFTPLUS, FG_TIME_FIRST, false, 2, 3, 20, 3};
  static points_net net;
  fg_process_settings p;
  fg_process *process;
  fg_engine *engine;
  points_batch b;
  double loss[2], *gradient[2], bad[2] = {NAN, 1};
  (void)state;
  fg_process_defaults(FG_PROCESS_VP, &p);
  CASE_OK(fg_process_create(&p, &process, &case_status));
  CASE_OK(fg_engine_open("cpu", 2, &engine, &case_status));
  points_net_open(&net, &shape);
  points_batch_open(&b, engine, process, 41, 1, 2, 0.2, 0.9);
  tested c = {engine, process, NULL, &net.s, net.numbers, net.used, "lost", 0};
  b.r.kind = FG_LOSS_RESIDUAL;
  for (int k = 0; k < 2; k++) { /* the last point away, or not finite */
    gradient[k] = malloc(net.used * sizeof(double));
    assert_non_null(gradient[k]);
    b.r.n = k ? 41 : 40;
    if (k) CASE_OK(engine->ops->upload(engine, b.r.x, 80 * sizeof(double), bad, sizeof bad, &case_status));
    gradient_of(&c, &b.r, gradient[k]);
    loss[k] = b.r.loss;
    assert_int_equal(b.r.lost, k);
  }
  assert_int_equal(b.r.lost_first, 40);
  assert_true(fabs(loss[0] - loss[1]) <= 1e-14 * loss[0]);
  for (size_t i = 0; i < net.used; i++)
    assert_true(fabs(gradient[0][i] - gradient[1][i]) <= 1e-13 * (1 + fabs(gradient[0][i])));
  free(gradient[0]);
  free(gradient[1]);
  points_batch_close(&b);
  fg_engine_close(&engine);
  fg_process_destroy(&process);
}

/* The centred residual with lost points: in each group k/(k - 1) times the squares of what is left, k of them, so that
 * it stays the variance over the points; and the gradient is that of this loss. Groups of 4 lose 1, 2 and none. */
static void test_centred_lost(void **state)
{
  enum { N = 12, GROUP = 4 };
  static const size_t away[] = {1, 4, 7};
  const points_shape shape = {FG_POTENTIAL, FG_OUTPUT_SCORE, FG_SOFTPLUS, FG_TIME_FIRST, false, 2, 3, 20, 3};
  static points_net net;
  fg_process_settings p;
  fg_process *process;
  fg_engine *engine;
  points_batch b;
  double value[N], bad[2] = {NAN, 1}, sum = 0;
  (void)state;
  fg_process_defaults(FG_PROCESS_VP, &p);
  CASE_OK(fg_process_create(&p, &process, &case_status));
  CASE_OK(fg_engine_open("cpu", 2, &engine, &case_status));
  points_net_open(&net, &shape);
  points_batch_open(&b, engine, process, N, GROUP, 2, 0.2, 0.9);
  for (size_t k = 0; k < 3; k++)
    CASE_OK(engine->ops->upload(engine, b.r.x, 2 * away[k] * sizeof(double), bad, sizeof bad, &case_status));
  tested c = {engine, process, NULL, &net.s, net.numbers, net.used, "centred, lost", 3};
  b.r.kind = FG_LOSS_CENTRED;
  loss_of(&c, &b.r);
  CASE_OK(engine->ops->download(engine, value, b.r.value, 0, sizeof value, &case_status));
  for (size_t from = 0; from < N; from += GROUP) {
    double kept = 0, squares = 0, mean = 0;
    for (size_t i = from; i < from + GROUP; i++) {
      if (!isfinite(value[i])) continue;
      kept++;
      mean += value[i];
      squares += value[i] * value[i];
    }
    assert_true(fabs(mean) <= 1e-13 * sqrt(squares));
    sum += kept / (kept - 1) * squares;
  }
  assert_int_equal(b.r.lost_first, 1);
  assert_true(fabs(b.r.loss - sum / (N - 3)) <= 1e-13 * b.r.loss);
  check_gradient(&c, &b.r);
  points_batch_close(&b);
  fg_engine_close(&engine);
  fg_process_destroy(&process);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_potentials), cmocka_unit_test(test_vectors),
                                     cmocka_unit_test(test_controls), cmocka_unit_test(test_lost),
                                     cmocka_unit_test(test_centred_lost)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: model */
/* Losses at points and their gradients against PyTorch's automatic differentiation (make_points_fixtures.py), in double and
 * in float. */
#include "support/points_case.h"

#include "base/safetensors.h"

#define FOLDER FG_SOURCE_DIR "/tests/parity/fixtures"

static fg_tensors stored;

static double *values_of(const char *name, const char *what, size_t *count)
{
  char key[160];
  snprintf(key, sizeof key, "%.60s@%.60s", name, what);
  const fg_tensor *t = fg_tensors_find(&stored, key);
  if (!t) return NULL;
  double *values = malloc(t->count * sizeof *values);
  assert_non_null(values);
  fg_tensor_decode(t, values);
  if (count) *count = t->count;
  return values;
}

typedef struct parity {
  char name[32], form[16], activation[16], time[16], process[16];
  double beta, threshold;
  size_t width, layers, d, n, group;
} parity;

static int parity_read(const char *line, parity *c)
{
  return sscanf(line,
                "case %31s form=%15s activation=%15s beta=%lf threshold=%lf time=%15s width=%zu layers=%zu "
                "d=%zu "
                "n=%zu group=%zu process=%15s",
                c->name, c->form, c->activation, &c->beta, &c->threshold, c->time, &c->width, &c->layers,
                &c->d, &c->n, &c->group, c->process) == 12;
}

/* Weights in `numbers`, or the places for a gradient. */
static void parity_settings(const parity *c, double *numbers, points_net *net)
{
  fg_network_settings *s = &net->s;
  const char *const activations[] = {"softplus", "gelu", "silu", "tanh"};
  const fg_activation kinds[] = {FG_SOFTPLUS, FG_GELU, FG_SILU, FG_TANH};
  memset(net, 0, sizeof *net);
  s->form = strcmp(c->form, "potential") == 0 ? FG_POTENTIAL : FG_VECTOR;
  for (int k = 0; k < 4; k++)
    if (strcmp(c->activation, activations[k]) == 0) s->activation = kinds[k];
  s->beta = c->beta;
  s->threshold = c->threshold;
  s->time = strcmp(c->time, "first") == 0 ? FG_TIME_FIRST : FG_TIME_LAST;
  s->dimension = c->d;
  s->layers = c->layers;
  for (size_t l = 0; l <= c->layers; l++)
    net->widths[l] = l == 0 ? c->d + 1 : l < c->layers ? c->width : s->form == FG_POTENTIAL ? 1 : c->d;
  for (size_t l = 0; l < c->layers; l++) {
    net->weights[l] = numbers;
    numbers += net->widths[l] * net->widths[l + 1];
    net->biases[l] = numbers;
    numbers += net->widths[l + 1];
  }
  s->widths = net->widths;
  s->weights = net->weights;
  s->biases = net->biases;
}

/* |a - b| / |b| in the l2 norm. */
static double distance(size_t n, const double *a, const double *b)
{
  double off = 0, size = 0;
  for (size_t i = 0; i < n; i++) {
    off += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return sqrt(off / size);
}

/* Float: its rounding, 6e-8, through three layers and second derivatives, which multiply pre-activations by beta. */
static void check_kind(const parity *c, fg_engine *engine, const fg_model *model, fg_points_request *r,
                       fg_point_loss kind, const char *word)
{
  const double tolerance = r->precision == FG_SINGLE ? 1e-5 : 1e-10;
  const fg_field *f = fg_model_field(model);
  const size_t entry = r->precision == FG_SINGLE ? sizeof(float) : sizeof(double);
  char key[64];
  size_t count;
  snprintf(key, sizeof key, "%s.gradient", word);
  double *gradient = values_of(c->name, key, &count);
  if (!gradient) return;
  snprintf(key, sizeof key, "%s.loss", word);
  double *loss = values_of(c->name, key, NULL);
  snprintf(key, sizeof key, "%s.value", word);
  double *value = values_of(c->name, key, NULL), *ours = calloc(count, sizeof *ours);
  double *seen = malloc(c->n * sizeof *seen);
  void *packed = malloc(fg_network_pack_size(f) * entry);
  static points_net net;
  assert_true(loss && value && ours && packed && seen);
  r->kind = kind;
  CASE_OK(engine->ops->alloc(engine, fg_network_pack_size(f) * entry, &r->gradient, &case_status));
  CASE_OK(engine->ops->points(engine, engine->threads, f, r, &case_status));
  CASE_OK(engine->ops->download(engine, packed, r->gradient, 0, r->gradient.bytes, &case_status));
  CASE_OK(engine->ops->download(engine, seen, r->value, 0, c->n * sizeof *seen, &case_status));
  engine->ops->free(engine, &r->gradient);
  parity_settings(c, ours, &net);
  if (r->precision == FG_SINGLE)
    fg_network_unpack_single(f, packed, &net.s);
  else
    fg_network_unpack(f, packed, &net.s);
  const double off[3] = {fabs(r->loss - loss[0]) / loss[0], distance(c->n, seen, value),
                         distance(count, ours, gradient)};
  for (int k = 0; k < 3; k++)
    if (!(off[k] <= tolerance))
      fail_msg("%s, %s, %s: %s off by %.3g", c->name, word, r->precision == FG_SINGLE ? "float" : "double",
               k == 0   ? "loss"
               : k == 1 ? "values"
                        : "gradient",
               off[k]);
  free(gradient);
  free(loss);
  free(value);
  free(ours);
  free(packed);
  free(seen);
}

static void check_case(const parity *c, fg_engine *engine, fg_precision precision)
{
  fg_process_settings p;
  fg_process *process;
  fg_model *model;
  points_batch b;
  static points_net net;
  double *weights = values_of(c->name, "weights", NULL), *x = values_of(c->name, "x", NULL);
  double *t = values_of(c->name, "t", NULL), *goal = values_of(c->name, "goal", NULL);
  double *weight = values_of(c->name, "weight", NULL);
  assert_true(weights && x && t && goal && weight);
  fg_process_defaults(strcmp(c->process, "ou") == 0 ? FG_PROCESS_OU : FG_PROCESS_VP, &p);
  CASE_OK(fg_process_create(&p, &process, &case_status));
  parity_settings(c, weights, &net);
  CASE_OK(fg_model_network(engine, &net.s, process, &model, &case_status));
  points_batch_open(&b, engine, process, c->n, c->group, c->d, 0.1, 0.9);
  b.r.precision = precision;
  CASE_OK(engine->ops->upload(engine, b.r.x, 0, x, c->n * c->d * sizeof *x, &case_status));
  CASE_OK(engine->ops->upload(engine, b.r.goal, 0, goal, c->n * c->d * sizeof *x, &case_status));
  CASE_OK(engine->ops->upload(engine, b.r.weight, 0, weight, c->n * sizeof *x, &case_status));
  for (size_t k = 0; k < c->n / c->group; k++) b.coeff[k] = fg_process_coeff(process, t[k]);
  check_kind(c, engine, model, &b.r, FG_LOSS_DENOISING, "denoising");
  check_kind(c, engine, model, &b.r, FG_LOSS_RESIDUAL, "residual");
  check_kind(c, engine, model, &b.r, FG_LOSS_CENTRED, "centred");
  check_kind(c, engine, model, &b.r, FG_LOSS_SCORE_RESIDUAL, "score");
  points_batch_close(&b);
  fg_model_destroy(&model);
  fg_process_destroy(&process);
  free(weights);
  free(x);
  free(t);
  free(goal);
  free(weight);
}

static void check_all(fg_precision precision)
{
  char line[512];
  fg_engine *engine;
  int cases = 0;
  CASE_OK(fg_engine_open("cpu", 2, &engine, &case_status));
  CASE_OK(fg_safetensors_read(FOLDER "/points.safetensors", &stored, &case_status));
  FILE *list = fopen(FOLDER "/points.txt", "r");
  assert_non_null(list);
  for (; fgets(line, sizeof line, list); cases++) {
    parity c;
    assert_true(parity_read(line, &c));
    check_case(&c, engine, precision);
  }
  assert_int_equal(cases, 9);
  fclose(list);
  fg_tensors_clear(&stored);
  fg_engine_close(&engine);
}

static void test_double(void **state)
{
  (void)state;
  check_all(FG_DOUBLE);
}

static void test_single(void **state)
{
  (void)state;
  check_all(FG_SINGLE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_double), cmocka_unit_test(test_single)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

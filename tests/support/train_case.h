/* Cases of tests/parity/fixtures/train.txt as fields and requests of an engine. */
#ifndef FG_TEST_TRAIN_CASE_H
#define FG_TEST_TRAIN_CASE_H

#include "base/safetensors.h"
#include "engine.h"
#include "flowgap/flowgap.h"
#include "network_pack.h"
#include "target/density.h"

#define TRAIN_FOLDER FG_SOURCE_DIR "/tests/parity/fixtures"

enum { TRAIN_TENSORS = 32, TRAIN_BUFFERS = 16 };

static fg_tensors train_tensors;

typedef struct train_tensor {
  char name[32]; /* "l0.weight", "phase", ... */
  double *values;
  size_t count;
  int trained;
} train_tensor;

typedef struct train_weights {
  train_tensor tensor[TRAIN_TENSORS];
  size_t count;
  fg_network_settings settings; /* points into tensor[].values */
  size_t widths[FG_LAYERS_MAX + 1];
  const double *weights[FG_LAYERS_MAX], *biases[FG_LAYERS_MAX];
} train_weights;

typedef struct train_case {
  char line[1024], name[64];
  fg_engine *engine;
  fg_precision precision;
  size_t d, n, steps, group;
  train_weights weights;
  fg_field field;
  fg_target *target;
  fg_density density;
  fg_coeff *coeff;
  fg_path_step *step;
  fg_buf buffer[TRAIN_BUFFERS];
  size_t buffers;
} train_case;

static int train_open(void **state)
{
  fg_status st;
  (void)state;
  return fg_safetensors_read(TRAIN_FOLDER "/train.safetensors", &train_tensors, &st) != FG_OK;
}

static int train_close(void **state)
{
  (void)state;
  fg_tensors_clear(&train_tensors);
  return 0;
}

/* NAME@quantity, or NULL when the case has none. */
static double *train_stored(const char *name, const char *quantity, size_t *count)
{
  char key[160];
  snprintf(key, sizeof key, "%.60s@%.60s", name, quantity);
  const fg_tensor *t = fg_tensors_find(&train_tensors, key);
  *count = 0;
  if (!t) return NULL;
  double *values = malloc(t->count * sizeof *values);
  assert_non_null(values);
  fg_tensor_decode(t, values);
  *count = t->count;
  return values;
}

/* The word after ` key=` in the case's line. */
static const char *train_word(const char *line, const char *key, char word[64])
{
  char pattern[64];
  snprintf(pattern, sizeof pattern, " %.40s=", key);
  const char *at = strstr(line, pattern);
  if (!at) fail_msg("no %s in %s", key, line);
  snprintf(word, 64, "%.*s", (int)strcspn(at + strlen(pattern), " \n"), at + strlen(pattern));
  return word;
}

static double train_number(const char *line, const char *key)
{
  char word[64];
  return strtod(train_word(line, key, word), NULL);
}

static int train_is(const char *line, const char *key, const char *value)
{
  char word[64];
  return strcmp(train_word(line, key, word), value) == 0;
}

/* A tensor of the network W, or of zeros when `zero`; the settings then point to it. */
static const double *train_take(train_weights *w, const char *network, const char *name, int trained,
                                int zero)
{
  char key[96];
  train_tensor *t = &w->tensor[w->count++];
  assert_true(w->count <= TRAIN_TENSORS);
  snprintf(key, sizeof key, "%.40s/%.30s", network, name);
  const fg_tensor *from = fg_tensors_find(&train_tensors, key);
  if (!from) fail_msg("no tensor %s", key);
  snprintf(t->name, sizeof t->name, "%.31s", name);
  t->count = from->count;
  t->trained = trained;
  t->values = malloc(t->count * sizeof *t->values);
  assert_non_null(t->values);
  fg_tensor_decode(from, t->values);
  for (size_t i = 0; zero && i < t->count; i++) t->values[i] = 0;
  return t->values;
}

static void train_map(train_weights *w, const char *network, const char *stem, int zero,
                      const double **weight, const double **bias)
{
  char name[32];
  snprintf(name, sizeof name, "%.20s.weight", stem);
  *weight = train_take(w, network, name, 1, zero);
  snprintf(name, sizeof name, "%.20s.bias", stem);
  *bias = train_take(w, network, name, 1, zero);
}

/* The network of the case, with its numbers or with zeros of the same shapes. */
static void train_weights_fill(train_weights *w, const char *line, int zero)
{
  char network[64], stem[8], list[1024];
  memset(w, 0, sizeof *w);
  fg_network_settings *s = &w->settings;
  train_word(line, "weights", network);
  FILE *file = fopen(TRAIN_FOLDER "/train.txt", "r");
  assert_non_null(file);
  size_t length = strlen(network);
  do assert_non_null(fgets(list, sizeof list, file));
  while (strncmp(list, "weights ", 8) || strncmp(list + 8, network, length) || list[8 + length] != ' ');
  fclose(file);
  s->form = train_is(line, "field", "potential") ? FG_POTENTIAL : FG_VECTOR;
  s->output = FG_OUTPUT_CONTROL;
  s->activation = FG_GELU;
  s->beta = 1;
  s->time = FG_TIME_EMBEDDED;
  s->time_reversed = true;
  s->dimension = (size_t)train_number(list, "d");
  s->layers = (size_t)train_number(list, "layers");
  for (size_t l = 0; l <= s->layers; l++) w->widths[l] = (size_t)train_number(list, "width");
  w->widths[0] = s->dimension;
  w->widths[s->layers] = (size_t)train_number(list, "outputs");
  s->widths = w->widths;
  s->weights = w->weights;
  s->biases = w->biases;
  for (size_t l = 0; l < s->layers; l++) {
    snprintf(stem, sizeof stem, "l%zu", l);
    train_map(w, network, stem, zero, &w->weights[l], &w->biases[l]);
  }
  s->frequencies = (size_t)train_number(list, "frequencies");
  s->frequency = train_take(w, network, "frequency", 0, 0);
  s->phase = train_take(w, network, "phase", 1, zero);
  s->embedding_width = (size_t)train_number(list, "embedding_width");
  train_map(w, network, "e0", zero, &s->embedding_weights[0], &s->embedding_biases[0]);
  train_map(w, network, "e1", zero, &s->embedding_weights[1], &s->embedding_biases[1]);
  if (train_is(line, "score", "none")) return;
  s->factor_layers = (size_t)train_number(list, "factor_layers");
  s->factor_width = (size_t)train_number(list, "factor_width");
  s->factor_frequencies = (size_t)train_number(list, "factor_frequencies");
  s->factor_frequency = train_take(w, network, "factor_frequency", 0, 0);
  s->factor_phase = train_take(w, network, "factor_phase", 1, zero);
  for (size_t l = 0; l < s->factor_layers; l++) {
    snprintf(stem, sizeof stem, "f%zu", l);
    train_map(w, network, stem, zero, &s->factor_weights[l], &s->factor_biases[l]);
  }
}

static void train_weights_clear(train_weights *w)
{
  for (size_t i = 0; i < w->count; i++) free(w->tensor[i].values);
  w->count = 0;
}

static fg_buf train_room(train_case *c, const void *host, size_t bytes)
{
  fg_status st = {0};
  fg_buf *buf = &c->buffer[c->buffers++];
  assert_true(c->buffers <= TRAIN_BUFFERS);
  if (c->engine->ops->alloc(c->engine, bytes, buf, &st) != FG_OK) fail_msg("%s", st.message);
  if (host) assert_int_equal(c->engine->ops->upload(c->engine, *buf, 0, host, bytes, &st), FG_OK);
  return *buf;
}

static void train_pack(train_case *c)
{
  fg_field_network *net = &c->field.as.network;
  size_t size = fg_network_pack_size(&c->field);
  double *wide = malloc(size * sizeof *wide);
  float *narrow = malloc(size * sizeof *narrow);
  assert_non_null(wide);
  assert_non_null(narrow);
  fg_network_pack(&c->field, &c->weights.settings, wide);
  fg_network_pack_single(&c->field, &c->weights.settings, narrow);
  net->packed_double = train_room(c, wide, size * sizeof *wide);
  net->packed_single = train_room(c, narrow, size * sizeof *narrow);
  free(wide);
  free(narrow);
}

static void train_field(train_case *c)
{
  const fg_network_settings *s = &c->weights.settings;
  fg_field_network *net = &c->field.as.network;
  fg_field_guide *guide = &c->field.guide;
  const char *line = c->line;
  c->field.kind = FG_FIELD_NETWORK;
  c->field.d = (int)s->dimension;
  c->field.guided = 1;
  net->form = s->form;
  net->output = s->form == FG_POTENTIAL ? FG_OUTPUT_SCORE : s->output;
  net->activation = s->activation;
  net->time = s->time;
  net->time_reversed = 1;
  net->beta = 1;
  net->horizon = train_number(line, "horizon");
  net->layers = (int)s->layers;
  for (size_t l = 0; l <= s->layers; l++) net->width[l] = (int)s->widths[l];
  net->frequencies = (int)s->frequencies;
  net->embedding_width = (int)s->embedding_width;
  net->factor_layers = (int)s->factor_layers;
  net->factor_width = (int)s->factor_width;
  net->factor_frequencies = (int)s->factor_frequencies;
  if (!train_is(line, "score", "none")) guide->density = c->density;
  guide->interpolated = train_is(line, "score", "interpolated");
  guide->prior_variance = train_number(line, "prior_variance");
  guide->clip = train_number(line, "clip");
  guide->reference = train_is(line, "method", "dis")   ? FG_REFERENCE_NONE
                     : train_is(line, "method", "dds") ? FG_REFERENCE_STATIONARY
                                                       : FG_REFERENCE_PINNED;
  guide->variance = train_number(line, "scale") * train_number(line, "scale");
  guide->pin = train_number(line, "pin");
  train_pack(c);
}

static void train_target(train_case *c)
{
  fg_target_settings s;
  fg_status st = {0};
  fg_buf buffers[FG_DENSITY_BUFFERS];
  size_t count = 0;
  fg_target_defaults(train_is(c->line, "target", "gmm9") ? FG_TARGET_GMM9 : FG_TARGET_MANY_WELL, &s);
  if (fg_target_create(&s, &c->target, &st) != FG_OK) fail_msg("%s", st.message);
  if (fg_target_density(c->target, c->engine, &c->density, buffers, &count, &st) != FG_OK)
    fail_msg("%s", st.message);
  for (size_t i = 0; i < count; i++) c->buffer[c->buffers++] = buffers[i];
}

/* Coefficients of the nodes (what rows need of them: t and g^2), and the stored steps. */
static void train_steps(train_case *c)
{
  size_t count;
  double *times = train_stored(c->name, "times", &count), *steps = train_stored(c->name, "step", &count);
  double scale = train_number(c->line, "scale"), diff = train_number(c->line, "diff");
  double low = train_number(c->line, "beta_min"), high = train_number(c->line, "beta_max");
  assert_int_equal(count, 8 * c->steps);
  c->coeff = calloc(c->steps + 1, sizeof *c->coeff);
  c->step = calloc(c->steps, sizeof *c->step);
  assert_non_null(c->coeff);
  assert_non_null(c->step);
  for (size_t k = 0; k <= c->steps; k++) {
    c->coeff[k].t = times[k];
    c->coeff[k].v = 1;
    c->coeff[k].g2 = train_is(c->line, "process", "vp")
                         ? scale * scale * (low + (high - low) * times[k] / c->field.as.network.horizon)
                         : diff * diff;
  }
  for (size_t k = 0; k < c->steps; k++) {
    const double *v = steps + 8 * k;
    fg_path_step s = {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], 0};
    c->step[k] = s;
  }
  free(times);
  free(steps);
}

static inline void train_case_open(train_case *c, const char *line, fg_engine *engine, fg_precision precision)
{
  memset(c, 0, sizeof *c);
  snprintf(c->line, sizeof c->line, "%s", line);
  assert_int_equal(sscanf(line, "case %63s", c->name), 1);
  c->engine = engine;
  c->precision = precision;
  c->d = (size_t)train_number(line, "d");
  c->n = (size_t)train_number(line, "n");
  c->steps = (size_t)train_number(line, "steps");
  c->group = (size_t)train_number(line, "group");
  train_weights_fill(&c->weights, line, 0);
  train_target(c);
  train_field(c);
  train_steps(c);
}

static inline fg_path_ends train_ends(const double *v)
{
  fg_path_ends ends = {v[0], v[1], v[2], v[3]};
  return ends;
}

/* Everything of the case as a request; two tiles, so that blocks are added up. */
static inline void train_case_request(train_case *c, fg_objective_request *r)
{
  size_t count, real = c->precision == FG_SINGLE ? sizeof(float) : sizeof(double);
  double *ends = train_stored(c->name, "ends", &count), *x0 = train_stored(c->name, "x0", &count);
  char word[64];
  memset(r, 0, sizeof *r);
  r->paths.precision = c->precision;
  r->paths.n = c->n;
  r->paths.tile = 16;
  r->paths.seed = strtoull(train_word(c->line, "seed", word), NULL, 10);
  r->paths.first = (uint64_t)train_number(c->line, "first");
  r->paths.stream = (uint32_t)train_number(c->line, "stream");
  r->paths.steps = c->steps;
  r->paths.coeff = c->coeff;
  r->paths.step = c->step;
  r->paths.continuous = train_ends(ends);
  r->paths.discrete = train_ends(ends + 4);
  r->paths.target = c->density;
  r->paths.limit = (double)INFINITY;
  r->paths.x = train_room(c, x0, c->n * c->d * sizeof *x0);
  for (int form = 0; form < 2; form++) r->paths.rnd[form] = train_room(c, NULL, c->n * sizeof(double));
  r->paths.lost_step = train_room(c, NULL, c->n * sizeof(int32_t));
  r->objective = train_is(c->line, "objective", "kl")             ? FG_OBJECTIVE_KL
                 : train_is(c->line, "objective", "kl_ito")       ? FG_OBJECTIVE_KL_ITO
                 : train_is(c->line, "objective", "log_variance") ? FG_OBJECTIVE_LOG_VARIANCE
                                                                  : FG_OBJECTIVE_LOG_VARIANCE_TRAJECTORY;
  r->form = train_is(c->line, "form", "discrete") ? FG_FORM_DISCRETE : FG_FORM_CONTINUOUS;
  r->group = c->group;
  r->detach_score = train_is(c->line, "detach_score", "1");
  r->gradient = train_room(c, NULL, (fg_network_pack_size(&c->field) + 16) * real);
  free(ends);
  free(x0);
}

/* The gradient of a request that was carried out, tensor by tensor. */
static inline void train_case_gradient(train_case *c, const fg_objective_request *r, train_weights *gradient)
{
  fg_status st = {0};
  size_t bytes = r->gradient.bytes;
  void *packed = malloc(bytes);
  assert_non_null(packed);
  assert_int_equal(c->engine->ops->download(c->engine, packed, r->gradient, 0, bytes, &st), FG_OK);
  train_weights_fill(gradient, c->line, 1);
  if (c->precision == FG_SINGLE)
    fg_network_unpack_single(&c->field, packed, &gradient->settings);
  else
    fg_network_unpack(&c->field, packed, &gradient->settings);
  free(packed);
}

static inline void train_case_close(train_case *c)
{
  for (size_t i = 0; i < c->buffers; i++) c->engine->ops->free(c->engine, &c->buffer[i]);
  fg_target_destroy(&c->target);
  train_weights_clear(&c->weights);
  free(c->coeff);
  free(c->step);
}

#endif

/* Networks whose weights lie in one array, and losses at points through the engine's table. */
#ifndef FG_TESTS_POINTS_CASE_H
#define FG_TESTS_POINTS_CASE_H

#include "support/control_case.h"

#include "engine.h"
#include "model/model.h"
#include "network_pack.h"
#include "sde/coeff.h"

enum { POINTS_NUMBERS = 20000, POINTS_TENSORS = 40 };

typedef struct points_shape {
  fg_network_form form;
  fg_network_output output;
  fg_activation activation;
  fg_time_input time;
  bool reversed;
  size_t d, layers, width;
  double beta;
} points_shape;

/* Settings whose arrays lie in `numbers`; where the trained tensors begin, and how many numbers they hold. */
typedef struct points_net {
  fg_network_settings s;
  size_t widths[FG_LAYERS_MAX + 1];
  const double *weights[FG_LAYERS_MAX], *biases[FG_LAYERS_MAX];
  double numbers[POINTS_NUMBERS];
  size_t used, tensors, from[POINTS_TENSORS], count[POINTS_TENSORS];
} points_net;

static inline double *points_take(points_net *n, size_t count, double size, bool trained)
{
  double *at = n->numbers + n->used;
  if (trained) {
    n->from[n->tensors] = n->used;
    n->count[n->tensors++] = count;
  }
  for (size_t i = 0; i < count; i++) at[i] = size * case_number(n->used + i, 31);
  n->used += count;
  assert_true(n->used <= POINTS_NUMBERS && n->tensors <= POINTS_TENSORS);
  return at;
}

/* Hidden widths width, width + 3, ...: neither equal nor whole lanes. */
static inline void points_net_open(points_net *n, const points_shape *shape)
{
  fg_network_settings *s = &n->s;
  const size_t waves = shape->time >= FG_TIME_FOURIER ? 4 : 0;
  memset(n, 0, sizeof *n);
  s->form = shape->form;
  s->output = shape->output;
  s->activation = shape->activation;
  s->beta = shape->beta;
  s->time = shape->time;
  s->time_reversed = shape->reversed;
  s->dimension = shape->d;
  s->layers = shape->layers;
  n->widths[0] = shape->d + (shape->time <= FG_TIME_LAST      ? 1
                             : shape->time == FG_TIME_FOURIER ? 2 * waves
                                                              : 0);
  for (size_t l = 1; l < shape->layers; l++) n->widths[l] = shape->width + 3 * (l - 1);
  n->widths[shape->layers] = shape->form == FG_POTENTIAL ? 1 : shape->d;
  for (size_t l = 0; l < shape->layers; l++) {
    n->weights[l] = points_take(n, n->widths[l] * n->widths[l + 1], 1.5 / sqrt((double)n->widths[l]), true);
    n->biases[l] = points_take(n, n->widths[l + 1], 0.5, true);
  }
  s->widths = n->widths;
  s->weights = n->weights;
  s->biases = n->biases;
  s->frequencies = waves;
  if (waves) {
    s->frequency = points_take(n, waves, 3, false);
    s->phase = points_take(n, waves, 2, true);
  }
  if (shape->time != FG_TIME_EMBEDDED) return;
  s->embedding_width = 9;
  s->embedding_weights[0] = points_take(n, 9 * 2 * waves, 0.5, true);
  s->embedding_biases[0] = points_take(n, 9, 0.5, true);
  s->embedding_weights[1] = points_take(n, 9 * n->widths[1], 0.5, true);
  s->embedding_biases[1] = points_take(n, n->widths[1], 0.5, true);
}

/* Points and a request for them; every array is the case's own. */
typedef struct points_batch {
  fg_engine *engine;
  fg_points_request r;
  fg_coeff *coeff;
  fg_buf buffer[8];
  size_t buffers;
} points_batch;

static inline fg_buf points_buffer(points_batch *b, const void *host, size_t bytes)
{
  fg_buf *buf = &b->buffer[b->buffers++];
  CASE_OK(b->engine->ops->alloc(b->engine, bytes, buf, &case_status));
  if (host) CASE_OK(b->engine->ops->upload(b->engine, *buf, 0, host, bytes, &case_status));
  return *buf;
}

/* x and t [n / group] in [low, high]. */
static inline void points_batch_open(points_batch *b, fg_engine *engine, const fg_process *process, size_t n,
                                     size_t group, size_t d, double low, double high)
{
  double *x = malloc(3 * n * d * sizeof *x);
  memset(b, 0, sizeof *b);
  b->engine = engine;
  b->coeff = malloc(n / group * sizeof *b->coeff);
  assert_non_null(x);
  assert_non_null(b->coeff);
  for (size_t i = 0; i < n * d; i++) {
    x[i] = 1.5 * case_number(i, 5);
    x[n * d + i] = case_number(i, 6);
    x[2 * n * d + i] = 1 + 0.5 * case_number(i, 7);
  }
  for (size_t k = 0; k < n / group; k++)
    b->coeff[k] = fg_process_coeff(process, low + (high - low) * (0.5 + 0.5 * case_number(k, 8)));
  b->r.n = n;
  b->r.group = group;
  b->r.coeff = b->coeff;
  b->r.scale = 1;
  b->r.seed = 11;
  b->r.stream = 40;
  b->r.x = points_buffer(b, x, n * d * sizeof *x);
  b->r.goal = points_buffer(b, x + n * d, n * d * sizeof *x);
  b->r.weight = points_buffer(b, x + 2 * n * d, n * sizeof *x);
  b->r.value = points_buffer(b, NULL, n * sizeof *x);
  b->r.vector = points_buffer(b, NULL, n * d * sizeof *x);
  free(x);
}

static inline void points_batch_close(points_batch *b)
{
  for (size_t i = 0; i < b->buffers; i++) b->engine->ops->free(b->engine, &b->buffer[i]);
  free(b->coeff);
}

#endif

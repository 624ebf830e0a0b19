#include "train/network.h"

#include <math.h>
#include <stdlib.h>

#include "formula/random.h"
#include "sde/coeff.h"
#include "target/prior.h"

enum { FG_FACTOR_MAPS = 4, FG_NOISING_TENSORS = 1000 };

/* Hands out pieces of one block; without a block it adds up what is needed. */
typedef struct fg_cutter {
  double *block;
  size_t used;
  uint64_t seed, tensor; /* number of the array, for its random numbers */
} fg_cutter;

static const double *cut(fg_cutter *c, size_t count)
{
  double *at = c->block ? c->block + c->used : NULL;
  c->used += count;
  c->tensor++;
  return at;
}

static const double *cut_constant(fg_cutter *c, size_t count, double value)
{
  size_t from = c->used;
  const double *at = cut(c, count);
  for (size_t k = 0; c->block && k < count; k++) c->block[from + k] = value;
  return at;
}

/* U(-1/sqrt(inputs), 1/sqrt(inputs)) */
static const double *cut_uniform(fg_cutter *c, size_t count, size_t inputs)
{
  size_t from = c->used;
  const double *at = cut(c, count);
  double most = 1 / sqrt((double)inputs);
  for (size_t k = 0; c->block && k < count; k++) {
    fg_words words = fg_philox(c->seed, FG_STREAM_INITIAL, c->tensor, 0, (uint32_t)k);
    c->block[from + k] = most * (2 * fg_uniform52(words.w[0], words.w[1]) - 1);
  }
  return at;
}

static const double *cut_normal(fg_cutter *c, size_t count)
{
  size_t from = c->used;
  const double *at = cut(c, count);
  for (size_t k = 0; c->block && k < count; k++)
    c->block[from + k] = fg_normal(c->seed, FG_STREAM_INITIAL, c->tensor, 0, (uint32_t)k);
  return at;
}

/* 0.1 .. 100 over `span`, equally spaced. */
static const double *cut_frequencies(fg_cutter *c, size_t count, double span)
{
  size_t from = c->used;
  const double *at = cut(c, count);
  double step = count > 1 ? (100 - 0.1) / (double)(count - 1) : 0;
  for (size_t k = 0; c->block && k < count; k++) c->block[from + k] = (0.1 + step * (double)k) / span;
  return at;
}

static void cut_layers(fg_train_network *n, bool zero_last, fg_cutter *c)
{
  size_t layers = n->settings.layers;
  for (size_t l = 0; l < layers; l++) {
    size_t in = n->widths[l], out = n->widths[l + 1];
    bool zero = zero_last && l == layers - 1;
    n->weights[l] = zero ? cut_constant(c, in * out, 0) : cut_uniform(c, in * out, in);
    n->biases[l] = zero ? cut_constant(c, out, 0) : cut_uniform(c, out, in);
  }
}

static void cut_embedding(fg_train_network *n, double span, fg_cutter *c)
{
  fg_network_settings *s = &n->settings;
  size_t count = s->frequencies, width = s->embedding_width, first = n->widths[1];
  if (!count) return;
  s->frequency = cut_frequencies(c, count, span);
  s->phase = s->time == FG_TIME_EMBEDDED ? cut_normal(c, count) : cut_constant(c, count, 0);
  if (s->time != FG_TIME_EMBEDDED) return;
  s->embedding_weights[0] = cut_uniform(c, width * 2 * count, 2 * count);
  s->embedding_biases[0] = cut_uniform(c, width, 2 * count);
  s->embedding_weights[1] = cut_uniform(c, first * width, width);
  s->embedding_biases[1] = cut_uniform(c, first, width);
}

static void cut_factor(fg_train_network *n, fg_cutter *c)
{
  fg_network_settings *s = &n->settings;
  size_t count = s->factor_frequencies;
  if (!s->factor_layers) return;
  s->factor_frequency = cut_frequencies(c, count, 1);
  s->factor_phase = cut_normal(c, count);
  for (size_t l = 0; l < s->factor_layers; l++) {
    bool last = l == s->factor_layers - 1;
    size_t in = l == 0 ? 2 * count : s->factor_width, out = last ? 1 : s->factor_width;
    s->factor_weights[l] = last ? cut_constant(c, in * out, 0) : cut_uniform(c, in * out, in);
    s->factor_biases[l] = last ? cut_constant(c, out, 1) : cut_uniform(c, out, in);
  }
}

/* Numbers that the time input gives to the first layer. */
static size_t time_inputs(const fg_train_settings *train)
{
  if (train->time == FG_TIME_EMBEDDED) return 0;
  return train->time == FG_TIME_FOURIER ? 2 * train->frequencies : 1;
}

static void describe(const fg_train_settings *train, size_t d, fg_train_network *n)
{
  fg_network_settings *s = &n->settings;
  s->form = train->control;
  s->output =
      train->control == FG_POTENTIAL && train->method == FG_TRAIN_DSM ? FG_OUTPUT_SCORE : train->output;
  s->activation = train->activation;
  s->beta = train->beta;
  s->threshold = train->threshold;
  s->time = train->time;
  s->time_reversed = train->time_reversed;
  s->dimension = d;
  s->layers = train->hidden_count + 1;
  s->widths = n->widths;
  s->weights = n->weights;
  s->biases = n->biases;
  if (s->time == FG_TIME_FOURIER || s->time == FG_TIME_EMBEDDED) s->frequencies = train->frequencies;
  if (s->time == FG_TIME_EMBEDDED) s->embedding_width = train->embedding_width;
  if (train->method != FG_TRAIN_DSM) s->guide = &n->guide;
  if (train->time_factor && train->score != FG_GUIDE_NONE) {
    s->factor_layers = FG_FACTOR_MAPS;
    s->factor_width = train->embedding_width;
    s->factor_frequencies = train->frequencies;
  }
  n->widths[0] = d + time_inputs(train);
  for (size_t l = 0; l < train->hidden_count; l++) n->widths[l + 1] = train->hidden[l];
  n->widths[s->layers] = s->form == FG_POTENTIAL ? 1 : d;
}

static void describe_guide(const fg_train_settings *train, const fg_process *process, const fg_prior *prior,
                           fg_guide_settings *guide)
{
  static const fg_guide_reference_kind references[] = {FG_RELATIVE_TO_NONE, FG_RELATIVE_TO_PINNED,
                                                       FG_RELATIVE_TO_STATIONARY, FG_RELATIVE_TO_BRIDGE};
  fg_prior_view view = fg_prior_look(prior);
  double horizon = fg_process_horizon(process);
  guide->score = train->score;
  guide->reference = references[train->method];
  guide->prior_variance = view.kind == FG_PRIOR_POINT ? 1 : view.variance;
  guide->clip = fg_train_clip_at(train, 0);
  guide->variance = train->method == FG_TRAIN_DDS ? fg_process_stretch(process, horizon, 0).stationary : 1;
  guide->pin = train->method == FG_TRAIN_PIS ? fg_process_look(process)->pin : 0;
}

/* Random numbers from array `tensor` on; frequencies over `span`. */
static fg_code create(const fg_train_settings *train, uint64_t tensor, double span, fg_train_network *n,
                      fg_status *st)
{
  fg_cutter c = {NULL, 0, train->seed, tensor};
  for (int pass = 0; pass < 2; pass++) { /* the first one counts */
    cut_layers(n, train->zero_last, &c);
    cut_embedding(n, span, &c);
    cut_factor(n, &c);
    if (pass == 1) break;
    n->memory = malloc(c.used * sizeof *n->memory);
    if (!n->memory) return FG_FAIL(st, FG_MEMORY, "no memory for a network of %zu weights", c.used);
    c = (fg_cutter){n->memory, 0, train->seed, tensor};
  }
  return FG_OK;
}

fg_code fg_train_network_create(const fg_train_settings *train, const fg_process *process,
                                const fg_prior *prior, size_t d, fg_train_network *n, fg_status *st)
{
  *n = (fg_train_network){.memory = NULL};
  describe(train, d, n);
  if (n->settings.guide) describe_guide(train, process, prior, &n->guide);
  return create(train, 0, train->method == FG_TRAIN_DSM ? fg_process_horizon(process) : 1, n, st);
}

fg_code fg_train_noising_create(const fg_train_settings *train, const fg_process *process,
                                const fg_prior *prior, size_t d, fg_train_network *n, fg_status *st)
{
  fg_train_settings noising = *train;
  noising.control = FG_VECTOR;
  noising.score = FG_GUIDE_NONE;
  *n = (fg_train_network){.memory = NULL};
  describe(&noising, d, n);
  describe_guide(&noising, process, prior, &n->guide);
  return create(train, FG_NOISING_TENSORS, 1, n, st);
}

void fg_train_network_clear(fg_train_network *network)
{
  free(network->memory);
  network->memory = NULL;
}

/* Pack the weights of a network for the kernels, and unpack them. One walk over the layout serves both. */
#include "network_pack.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "body/network_layout.h"

typedef struct fg_pack { /* the packed numbers: one of the two */
  double *wide;
  float *narrow;
  bool unpack; /* numbers go from the pack to the settings' arrays */
} fg_pack;

static void put(const fg_pack *to, size_t at, const double *value)
{
  if (to->unpack)
    *(double *)(uintptr_t)value = to->wide ? to->wide[at] : (double)to->narrow[at];
  else if (to->wide)
    to->wide[at] = *value;
  else
    to->narrow[at] = (float)*value;
}

/* head + tail = value: the tail is what a float leaves over. */
static void put_split(const fg_pack *to, size_t head, size_t tail, const double *value)
{
  double rest = to->wide || to->unpack ? 0.0 : *value - (double)(float)*value;
  put(to, head, value);
  double whole = to->unpack ? *value : 0.0;
  put(to, tail, &rest);
  if (to->unpack) *(double *)(uintptr_t)value = whole + rest;
}

static void put_vector(const fg_pack *to, size_t at, const double *values, size_t count)
{
  for (size_t k = 0; values && k < count; k++) put(to, at + k, &values[k]);
}

/* Row `row` of a matrix [rows, n] in panels; entry j is values[j * step]. */
static void put_panel_row(const fg_pack *to, size_t at, int rows, int n, int row, const double *values,
                          int count, size_t step)
{
  for (int q = 0; q < fg_panels(n); q++) {
    const int first = fg_panel_start(n, q), end = fg_panel_start(n, q + 1);
    const size_t base = at + (size_t)rows * first + (size_t)row * (end - first);
    for (int j = first; j < end && j < count; j++) put(to, base + (j - first), &values[(size_t)j * step]);
  }
}

/* Column of weights [out, inputs] written as a row [out]. */
static void put_column(const fg_pack *to, size_t at, const double *weights, size_t inputs, size_t out)
{
  for (size_t k = 0; k < out; k++) put(to, at + k, &weights[k * inputs]);
}

static void pack_layer(const fg_pack *to, const fg_network_layout *at, int l, const double *weights,
                       size_t inputs, size_t skip)
{
  const fg_network_layer *layer = &at->layer[l];
  const double *w = weights + skip;
  const int in = layer->in, out = layer->out;
  for (int j = 0; j < in; j++) put_panel_row(to, layer->forward, in, layer->out_pad, j, w + j, out, inputs);
  if (to->unpack) return; /* what follows are copies */
  for (int k = 0; l > 0 && k < out; k++)
    put_panel_row(to, layer->backward, out, layer->in_pad, k, w + (size_t)k * inputs, in, 1);
  if (l == 0)
    for (int j = 0; j < in; j++)
      put_column(to, layer->rows + (size_t)j * layer->out_pad, w + j, inputs, (size_t)out);
  else if (l == at->layers - 1)
    for (int k = 0; k < out; k++)
      put_vector(to, layer->rows + (size_t)k * layer->in_pad, w + (size_t)k * inputs, (size_t)in);
}

static void pack_time(const fg_pack *to, const fg_network_layout *at, const fg_network_settings *s)
{
  const size_t d = s->dimension, inputs = s->widths[0], first = s->widths[1],
               n = (size_t)at->layer[0].out_pad;
  const size_t waves = (size_t)at->features, count = s->frequencies;
  const int has_waves = s->time == FG_TIME_FOURIER || s->time == FG_TIME_EMBEDDED;
  for (size_t j = 0; has_waves && j < count; j++) {
    put_split(to, at->frequency + j, at->frequency + count + j, &s->frequency[j]);
    if (s->phase) put_split(to, at->phase + j, at->phase + count + j, &s->phase[j]);
  }
  if (s->time == FG_TIME_EMBEDDED) {
    const size_t hidden = s->embedding_width;
    for (size_t j = 0; j < waves; j++)
      put_column(to, at->embedding[0] + j * (size_t)at->hidden, s->embedding_weights[0] + j, waves, hidden);
    for (size_t j = 0; j < hidden; j++)
      put_column(to, at->embedding[1] + j * n, s->embedding_weights[1] + j, hidden, first);
    put_vector(to, at->embedding_bias[0], s->embedding_biases[0], hidden);
    put_vector(to, at->embedding_bias[1], s->embedding_biases[1], first);
    return;
  }
  const size_t from = s->time == FG_TIME_FIRST ? 0 : d;
  for (size_t j = 0; j < waves; j++)
    put_column(to, at->time_weight + j * n, s->weights[0] + from + j, inputs, first);
}

static void pack_factor(const fg_pack *to, const fg_field *field, const fg_network_layout *at,
                        const fg_network_settings *s)
{
  const fg_field_network *net = &field->as.network;
  const size_t count = s->factor_frequencies;
  for (size_t j = 0; s->factor_layers && j < count; j++) {
    put_split(to, at->factor_frequency + j, at->factor_frequency + count + j, &s->factor_frequency[j]);
    if (s->factor_phase)
      put_split(to, at->factor_phase + j, at->factor_phase + count + j, &s->factor_phase[j]);
  }
  for (size_t l = 0; l < s->factor_layers; l++) {
    const size_t in = (size_t)fg_factor_in(net, (int)l), step = (size_t)fg_factor_out(net, (int)l);
    const size_t out = l + 1 < s->factor_layers ? s->factor_width : 1;
    for (size_t j = 0; j < in; j++)
      put_column(to, at->factor[l] + j * step, s->factor_weights[l] + j, in, out);
    put_vector(to, at->factor_bias[l], s->factor_biases[l], out);
  }
}

static void pack(const fg_field *field, const fg_network_settings *s, const fg_pack *to)
{
  fg_network_layout at;
  fg_network_layout_of(field, &at);
  for (int l = 0; l < at.layers; l++) {
    pack_layer(to, &at, l, s->weights[l], s->widths[l], l == 0 && s->time == FG_TIME_FIRST ? 1 : 0);
    put_vector(to, at.layer[l].bias, s->biases ? s->biases[l] : NULL, s->widths[l + 1]);
  }
  pack_time(to, &at, s);
  pack_factor(to, field, &at, s);
}

size_t fg_network_pack_size(const fg_field *field)
{
  fg_network_layout at;
  fg_network_layout_of(field, &at);
  return at.size;
}

void fg_network_pack(const fg_field *field, const fg_network_settings *settings, double *packed)
{
  fg_pack to = {packed, NULL, false};
  memset(packed, 0, fg_network_pack_size(field) * sizeof *packed);
  pack(field, settings, &to);
}

void fg_network_pack_single(const fg_field *field, const fg_network_settings *settings, float *packed)
{
  fg_pack to = {NULL, packed, false};
  memset(packed, 0, fg_network_pack_size(field) * sizeof *packed);
  pack(field, settings, &to);
}

void fg_network_unpack(const fg_field *field, const double *packed, const fg_network_settings *settings)
{
  fg_pack from = {(double *)(uintptr_t)packed, NULL, true};
  pack(field, settings, &from);
}

void fg_network_unpack_single(const fg_field *field, const float *packed, const fg_network_settings *settings)
{
  fg_pack from = {NULL, (float *)(uintptr_t)packed, true};
  pack(field, settings, &from);
}

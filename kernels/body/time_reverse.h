/* Gradient of what depends on time alone: from that of the rows (a_0 and tau at each step) to the weights of the
 * time input, the embedding and the time factor. One step at a time; features are sines and cosines in double. */
#ifndef FG_BODY_TIME_REVERSE_H
#define FG_BODY_TIME_REVERSE_H

#include "body/network_row.h"

/* Maps in a row with GELU between them, fed with waves: the embedding (2 maps) and the time factor. */
typedef struct fg_time_net {
  int maps, count; /* linear maps; frequencies */
  size_t frequency, phase;
  size_t weight[FG_LAYERS_MAX], bias[FG_LAYERS_MAX];
  int in[FG_LAYERS_MAX], out[FG_LAYERS_MAX]; /* out padded */
} fg_time_net;

FG_HD void fg_time_net_embedding(const fg_field *f, const fg_network_layout *at, fg_time_net *net)
{
  net->maps = 2;
  net->count = f->as.network.frequencies;
  net->frequency = at->frequency;
  net->phase = at->phase;
  for (int l = 0; l < 2; l++) {
    net->weight[l] = at->embedding[l];
    net->bias[l] = at->embedding_bias[l];
    net->in[l] = l == 0 ? at->features : f->as.network.embedding_width;
    net->out[l] = l == 0 ? at->hidden : at->layer[0].out_pad;
  }
}

FG_HD void fg_time_net_factor(const fg_field *f, const fg_network_layout *at, fg_time_net *net)
{
  net->maps = f->as.network.factor_layers;
  net->count = f->as.network.factor_frequencies;
  net->frequency = at->factor_frequency;
  net->phase = at->factor_phase;
  for (int l = 0; l < net->maps; l++) {
    net->weight[l] = at->factor[l];
    net->bias[l] = at->factor_bias[l];
    net->in[l] = fg_factor_in(&f->as.network, l);
    net->out[l] = fg_factor_out(&f->as.network, l);
  }
}

/* Reals of room: inputs and slopes of each map, two adjoints. */
FG_HD size_t fg_time_net_room(const fg_time_net *net)
{
  size_t room = 0, widest = 0;
  for (int l = 0; l < net->maps; l++) {
    const size_t in = (size_t)net->in[l], out = (size_t)net->out[l];
    room += 2 * (in > out ? in : out) + FG_PAD;
    if (in > widest) widest = in;
    if (out > widest) widest = out;
  }
  return room + 2 * (widest + FG_PAD);
}

/* gradient [out] of the last map at time r, added to `to` (packed weights). */
FG_HD void fg_time_net_reverse(const fg_time_net *net, const fg_real *packed, double r,
                               const fg_real *gradient, fg_real *to, fg_real *room)
{
  fg_real *h[FG_LAYERS_MAX], *slope[FG_LAYERS_MAX];
  for (int l = 0; l < net->maps; l++) { /* input of map l, and the slope that made it */
    const int size = net->in[l] > net->out[l] ? net->in[l] : net->out[l];
    h[l] = room;
    slope[l] = room + size;
    room += 2 * size + FG_PAD;
  }
  int widest = 0;
  for (int l = 0; l < net->maps; l++) {
    if (net->in[l] > widest) widest = net->in[l];
    if (net->out[l] > widest) widest = net->out[l];
  }
  fg_real *down = room, *next = room + widest + FG_PAD, *swap;
  for (int j = 0; j < net->in[0]; j++) {
    double wave, wave_r;
    fg_wave(packed + net->frequency, packed + net->phase, net->count, r, j, &wave, &wave_r);
    h[0][j] = (fg_real)wave;
  }
  for (int l = 0; l + 1 < net->maps; l++) {
    const int n = net->out[l];
    fg_real *a = next;
    for (int k = 0; k < n; k++) a[k] = packed[net->bias[l] + k];
    for (int j = 0; j < net->in[l]; j++) {
      const fg_real x = h[l][j], *w = packed + net->weight[l] + (size_t)j * n;
      for (int k = 0; k < n; k++) a[k] += w[k] * x;
    }
    for (int k = 0; k < net->in[l + 1]; k++) {
      fg_real bend;
      fg_gelu(a[k], &h[l + 1][k], &slope[l + 1][k], &bend);
    }
  }
  for (int k = 0; k < net->out[net->maps - 1]; k++) down[k] = gradient[k];
  for (int l = net->maps - 1; l >= 0; l--) {
    const int n = net->out[l];
    for (int k = 0; k < n; k++) to[net->bias[l] + k] += down[k];
    for (int j = 0; j < net->in[l]; j++) {
      const fg_real x = h[l][j], *w = packed + net->weight[l] + (size_t)j * n;
      fg_real *t = to + net->weight[l] + (size_t)j * n, sum = 0;
      for (int k = 0; k < n; k++) t[k] += down[k] * x;
      for (int k = 0; k < n; k++) sum += down[k] * w[k];
      next[j] = l > 0 ? sum * slope[l][j] : sum;
    }
    for (int j = net->in[l]; l > 0 && j < net->out[l - 1]; j++) next[j] = 0; /* padding */
    swap = down, down = next, next = swap;
  }
  for (int j = 0; j < net->count; j++) /* sin' = cos, cos' = -sin */
    to[net->phase + j] += down[j] * h[0][net->count + j] - down[net->count + j] * h[0][j];
}

FG_HD size_t fg_time_reverse_room(const fg_field *f)
{
  fg_network_layout at;
  fg_time_net net;
  size_t embedding = 0, factor = 0;
  fg_network_layout_of(f, &at);
  if (f->as.network.time == FG_TIME_EMBEDDED) {
    fg_time_net_embedding(f, &at, &net);
    embedding = fg_time_net_room(&net);
  }
  if (f->as.network.factor_layers) {
    fg_time_net_factor(f, &at, &net);
    factor = fg_time_net_room(&net);
  }
  return embedding > factor ? embedding : factor;
}

/* Sines and cosines, or t itself, beside x: weights [features, out_0]. */
FG_HD void fg_time_reverse_features(const fg_field *f, const fg_network_layout *at, const fg_real *packed,
                                    double r, const fg_real *row, fg_real *to)
{
  const fg_field_network *net = &f->as.network;
  const int n = at->layer[0].out_pad, count = net->frequencies;
  for (int j = 0; j < at->features; j++) {
    double value = r, slope = 0;
    if (net->time == FG_TIME_FOURIER) fg_network_wave(f, at, packed, r, j, &value, &slope);
    const fg_real x = (fg_real)value, *w = packed + at->time_weight + (size_t)j * n;
    fg_real *t = to + at->time_weight + (size_t)j * n, sum = 0;
    for (int k = 0; k < n; k++) t[k] += row[k] * x;
    if (net->time != FG_TIME_FOURIER) continue;
    for (int k = 0; k < n; k++) sum += row[k] * w[k];
    double other, rate; /* the derivative of a sine in its phase is its cosine, of a cosine minus its sine */
    fg_network_wave(f, at, packed, r, j < count ? j + count : j - count, &other, &rate);
    to[at->phase + (j < count ? j : j - count)] += sum * (fg_real)(j < count ? other : -other);
  }
}

/* One step: row [out_0] and tau [1] are the gradients of its row; `to` is laid out as the packed weights. */
FG_HD void fg_time_reverse(const fg_field *f, const fg_coeff *c, const fg_real *row, fg_real tau, fg_real *to,
                           fg_real *room)
{
  const fg_field_network *net = &f->as.network;
  const fg_real *packed = fg_network_weights(f);
  const double r = net->time_reversed ? net->horizon - c->t : c->t;
  fg_network_layout at;
  fg_time_net maps;
  fg_network_layout_of(f, &at);
  for (int k = 0; k < at.layer[0].out_pad; k++) to[at.layer[0].bias + k] += row[k];
  if (net->time == FG_TIME_EMBEDDED) {
    fg_time_net_embedding(f, &at, &maps);
    fg_time_net_reverse(&maps, packed, r, row, to, room);
  } else {
    fg_time_reverse_features(f, &at, packed, r, row, to);
  }
  if (!net->factor_layers) return;
  fg_real one[FG_PAD] = {0};
  one[0] = tau;
  fg_time_net_factor(f, &at, &maps);
  fg_time_net_reverse(&maps, packed, r, one, to, room);
}

#endif

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

/* Reals of room: inputs, slopes and, with derivatives in time, theirs and bends, of each map; four adjoints. */
FG_HD size_t fg_time_net_room(const fg_time_net *net)
{
  size_t room = 0, widest = 0;
  for (int l = 0; l < net->maps; l++) {
    const size_t in = (size_t)net->in[l], out = (size_t)net->out[l];
    room += 5 * ((in > out ? in : out) + FG_PAD);
    if (in > widest) widest = in;
    if (out > widest) widest = out;
  }
  return room + 4 * (widest + FG_PAD);
}

/* What is differentiated: a function of the outputs of the last map at time r and, unless gradient_t is NULL, of their
 * derivatives in t; direction = dr/dt. */
typedef struct fg_time_seed {
  double r, direction;
  const fg_real *gradient, *gradient_t; /* [out] */
} fg_time_seed;

/* Inputs of each map with what the way back needs. */
typedef struct fg_time_walk {
  fg_real *h[FG_LAYERS_MAX], *slope[FG_LAYERS_MAX], *h_t[FG_LAYERS_MAX], *a_t[FG_LAYERS_MAX],
      *bend[FG_LAYERS_MAX];
  fg_real *down, *next, *down_t, *next_t;
} fg_time_walk;

FG_HD void fg_time_walk_carve(const fg_time_net *net, fg_real *room, fg_time_walk *w)
{
  int widest = 0;
  for (int l = 0; l < net->maps; l++) {
    const int size = (net->in[l] > net->out[l] ? net->in[l] : net->out[l]) + FG_PAD;
    w->h[l] = room;
    w->slope[l] = room + size;
    w->h_t[l] = room + 2 * size;
    w->a_t[l] = room + 3 * size;
    w->bend[l] = room + 4 * size;
    room += 5 * size;
    if (net->in[l] > widest) widest = net->in[l];
    if (net->out[l] > widest) widest = net->out[l];
  }
  w->down = room;
  w->next = room + widest + FG_PAD;
  w->down_t = w->next + widest + FG_PAD;
  w->next_t = w->down_t + widest + FG_PAD;
}

/* y [n] = start + x W, W [in, n] row by row; start NULL: 0. */
TILE_FN void fg_time_map(int in, int n, const fg_real *w, const fg_real *start, const fg_real *x, fg_real *y)
{
  TILE_EACH(k, n) y[k] = start ? start[k] : 0;
  for (int j = 0; j < in; j++) TILE_EACH(k, n) y[k] += w[(size_t)j * n + k] * x[j];
  TILE_SYNC();
}

TILE_FN void fg_time_net_forward(const fg_time_net *net, const fg_real *packed, const fg_time_seed *seed,
                                 fg_time_walk *w)
{
  TILE_EACH(j, net->in[0])
  {
    double wave, wave_r;
    fg_wave(packed + net->frequency, packed + net->phase, net->count, seed->r, j, &wave, &wave_r);
    w->h[0][j] = (fg_real)wave;
    w->h_t[0][j] = (fg_real)(seed->direction * wave_r);
  }
  TILE_SYNC();
  for (int l = 0; l + 1 < net->maps; l++) {
    const int n = net->out[l];
    fg_real *a = w->next;
    fg_time_map(net->in[l], n, packed + net->weight[l], packed + net->bias[l], w->h[l], a);
    if (seed->gradient_t) fg_time_map(net->in[l], n, packed + net->weight[l], NULL, w->h_t[l], w->a_t[l + 1]);
    TILE_EACH(k, net->in[l + 1])
    {
      fg_gelu(a[k], &w->h[l + 1][k], &w->slope[l + 1][k], &w->bend[l + 1][k]);
      if (seed->gradient_t) w->h_t[l + 1][k] = w->slope[l + 1][k] * w->a_t[l + 1][k];
    }
    TILE_SYNC();
  }
}

/* Adjoints of the inputs of map l, and its share of the gradient: those of its outputs are in down and down_t. */
TILE_FN void fg_time_map_reverse(const fg_time_net *net, const fg_real *packed, int l, int timed,
                                 const fg_time_walk *w, fg_real *to)
{
  const int n = net->out[l];
  TILE_EACH(k, n) to[net->bias[l] + k] += w->down[k];
  for (int j = 0; j < net->in[l]; j++) {
    const fg_real x = w->h[l][j], x_t = timed ? w->h_t[l][j] : 0;
    fg_real *t = to + net->weight[l] + (size_t)j * n;
    TILE_EACH(k, n) t[k] += w->down[k] * x;
    if (timed) TILE_EACH(k, n) t[k] += w->down_t[k] * x_t;
  }
  TILE_EACH(j, net->in[l])
  {
    const fg_real *row = packed + net->weight[l] + (size_t)j * n;
    fg_real sum = 0, sum_t = 0;
    for (int k = 0; k < n; k++) sum += w->down[k] * row[k];
    for (int k = 0; k < n && timed; k++) sum_t += w->down_t[k] * row[k];
    if (l > 0) { /* through the activation */
      const fg_real slope = w->slope[l][j];
      w->next[j] = sum * slope + (timed ? w->bend[l][j] * w->a_t[l][j] * sum_t : 0);
      w->next_t[j] = sum_t * slope;
    } else {
      w->next[j] = sum;
      w->next_t[j] = sum_t;
    }
  }
  TILE_EACH(j, l > 0 ? net->out[l - 1] - net->in[l] : 0) /* padding */
  w->next[net->in[l] + j] = w->next_t[net->in[l] + j] = 0;
  TILE_SYNC();
}

/* Added to `to`, which is laid out as the packed weights. */
TILE_FN void fg_time_net_reverse(const fg_time_net *net, const fg_real *packed, const fg_time_seed *seed,
                                 fg_real *to, fg_real *room)
{
  const int timed = seed->gradient_t != NULL, last = net->maps - 1;
  fg_time_walk w;
  fg_real *swap;
  fg_time_walk_carve(net, room, &w);
  fg_time_net_forward(net, packed, seed, &w);
  TILE_EACH(k, net->out[last])
  {
    w.down[k] = seed->gradient[k];
    w.down_t[k] = timed ? seed->gradient_t[k] : 0;
  }
  TILE_SYNC();
  for (int l = last; l >= 0; l--) {
    fg_time_map_reverse(net, packed, l, timed, &w, to);
    swap = w.down, w.down = w.next, w.next = swap;
    swap = w.down_t, w.down_t = w.next_t, w.next_t = swap;
  }
  TILE_EACH(j, net->count) /* sin' = cos, cos' = -sin; that of h_t is -frequency h */
  {
    const fg_real s = w.h[0][j], c = w.h[0][net->count + j];
    to[net->phase + j] += w.down[j] * c - w.down[net->count + j] * s;
    if (!timed) continue;
    const fg_real *f = packed + net->frequency;
    const fg_real rate = (fg_real)(-seed->direction * ((double)f[j] + (double)f[net->count + j]));
    to[net->phase + j] += rate * (w.down_t[j] * s + w.down_t[net->count + j] * c);
  }
  TILE_SYNC();
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

/* What feature j, a sine or cosine, gives to its phase. The derivative of a sine in its phase is its cosine, of a cosine
 * minus its sine; of the slope in time -frequency times the wave itself. */
FG_HD fg_real fg_time_phase(const fg_field *f, const fg_network_layout *at, const fg_real *packed,
                            const fg_time_seed *seed, int j)
{
  const int n = at->layer[0].out_pad, count = f->as.network.frequencies, i = j < count ? j : j - count;
  const double frequency = (double)packed[at->frequency + i] + (double)packed[at->frequency + count + i];
  const fg_real *w = packed + at->time_weight + (size_t)j * n;
  fg_real sum = 0, sum_t = 0;
  double value, other, rate;
  for (int k = 0; k < n; k++) sum += seed->gradient[k] * w[k];
  for (int k = 0; k < n && seed->gradient_t; k++) sum_t += seed->gradient_t[k] * w[k];
  fg_network_wave(f, at, packed, seed->r, j, &value, &rate);
  fg_network_wave(f, at, packed, seed->r, j < count ? j + count : i, &other, &rate);
  return sum * (fg_real)(j < count ? other : -other) - sum_t * (fg_real)(seed->direction * frequency * value);
}

/* Sines and cosines, or t itself, beside x: weights [features, out_0]. */
TILE_FN void fg_time_reverse_features(const fg_field *f, const fg_network_layout *at, const fg_real *packed,
                                      const fg_time_seed *seed, fg_real *to)
{
  const fg_field_network *net = &f->as.network;
  const int n = at->layer[0].out_pad, count = net->frequencies, timed = seed->gradient_t != NULL;
  for (int j = 0; j < at->features; j++) {
    double value = seed->r, slope = 1;
    if (net->time == FG_TIME_FOURIER) fg_network_wave(f, at, packed, seed->r, j, &value, &slope);
    const fg_real x = (fg_real)value, x_t = (fg_real)(seed->direction * slope);
    fg_real *t = to + at->time_weight + (size_t)j * n;
    TILE_EACH(k, n) t[k] += seed->gradient[k] * x + (timed ? seed->gradient_t[k] * x_t : 0);
  }
  TILE_EACH(i, net->time == FG_TIME_FOURIER ? count : 0)
  {
    to[at->phase + i] += fg_time_phase(f, at, packed, seed, i);
    to[at->phase + i] += fg_time_phase(f, at, packed, seed, i + count);
  }
  TILE_SYNC();
}

/* The gradient with respect to one row: of a_0 and the time factor, and of their derivatives in t (NULL: none). */
typedef struct fg_row_gradient {
  const fg_real *row, *row_t; /* [out_0] */
  fg_real tau, tau_t;
} fg_row_gradient;

/* Added to `to`, which is laid out as the packed weights. */
TILE_FN void fg_time_reverse(const fg_field *f, const fg_coeff *c, const fg_row_gradient *from, fg_real *to,
                             fg_real *room)
{
  const fg_field_network *net = &f->as.network;
  const fg_real *packed = fg_network_weights(f);
  fg_network_layout at;
  fg_time_net maps;
  fg_time_seed seed;
  fg_network_layout_of(f, &at);
  seed.r = net->time_reversed ? net->horizon - c->t : c->t;
  seed.direction = net->time_reversed ? -1 : 1;
  seed.gradient = from->row;
  seed.gradient_t = from->row_t;
  TILE_EACH(k, at.layer[0].out_pad) to[at.layer[0].bias + k] += from->row[k];
  TILE_SYNC();
  if (net->time == FG_TIME_EMBEDDED) {
    fg_time_net_embedding(f, &at, &maps);
    fg_time_net_reverse(&maps, packed, &seed, to, room);
  } else {
    fg_time_reverse_features(f, &at, packed, &seed, to);
  }
  if (!net->factor_layers) return;
  fg_real one[FG_PAD] = {0}, one_t[FG_PAD] = {0};
  one[0] = from->tau;
  one_t[0] = from->tau_t;
  seed.gradient = one;
  seed.gradient_t = from->row_t ? one_t : NULL;
  fg_time_net_factor(f, &at, &maps);
  fg_time_net_reverse(&maps, packed, &seed, to, room);
}

#endif

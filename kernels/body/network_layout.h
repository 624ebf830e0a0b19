/* Where the packed weights of a network lie: computed from its shape, by the host that packs them and by
 * the kernels that read them. All offsets are in reals; widths are padded to FG_PAD with zeros.
 *
 * Per layer (out x in weights W, x part only in layer 0):
 *   forward   W^T [in, out] in panels: a = h W^T
 *   backward  W [out, in] in panels:   dh = da W                      (layers 1 ..)
 *   bias      [out]
 *   rows      layer 0: W^T [d, out] row by row (gradient with respect to x, tangents);
 *             last layer: W [out, in] row by row (outputs)
 * Time: weights of t or of the Fourier features [features, out_0]; or the embedding's two layers
 * [2F, hidden], [hidden, out_0] with their biases; then the maps of the time factor. Frequencies and phases are split into head and tail, so that
 * a float build still forms the angle in double. */
#ifndef FG_BODY_NETWORK_LAYOUT_H
#define FG_BODY_NETWORK_LAYOUT_H

#include "body/panel.h"
#include "engine.h"

typedef struct fg_network_layer {
  int in, out;         /* true widths; in of layer 0 is d */
  int in_pad, out_pad; /* padded */
  size_t forward, backward, bias, rows;
} fg_network_layer;

typedef struct fg_network_layout {
  int layers, d;
  int widest;         /* widest hidden layer, padded */
  int features;       /* functions of t: 0 hidden layers of them (FIRST, LAST: 1; else 2 frequencies) */
  int hidden;         /* embedding: padded hidden width, else 0 */
  size_t time_weight; /* [features, out_0] */
  size_t embedding[2], embedding_bias[2];                   /* EMBEDDED */
  size_t frequency, phase;                                  /* head [F], tail [F] each */
  int factor_width;                                         /* time factor: padded hidden width */
  size_t factor_frequency, factor_phase;                    /* as above */
  size_t factor[FG_LAYERS_MAX], factor_bias[FG_LAYERS_MAX]; /* [in, out] row by row */
  size_t core;                                              /* the layers above: what precedes all of time */
  size_t size;                                              /* all of it */
  fg_network_layer layer[FG_LAYERS_MAX];
} fg_network_layout;

FG_HD size_t fg_network_take(fg_network_layout *at, size_t count)
{
  size_t from = at->size;
  at->size += (count + FG_PAD - 1) / FG_PAD * FG_PAD;
  return from;
}

/* Inputs and padded outputs of map l of the time factor. */
FG_HD int fg_factor_in(const fg_field_network *net, int l)
{
  return l == 0 ? 2 * net->factor_frequencies : net->factor_width;
}

FG_HD int fg_factor_out(const fg_field_network *net, int l)
{
  return l == net->factor_layers - 1 ? FG_PAD : fg_panel_padded(net->factor_width);
}

FG_HD void fg_factor_layout_of(const fg_field *f, fg_network_layout *at)
{
  const fg_field_network *net = &f->as.network;
  at->factor_width = net->factor_layers ? fg_panel_padded(net->factor_width) : 0;
  at->factor_frequency = at->factor_phase = 0;
  if (!net->factor_layers) return;
  at->factor_frequency = fg_network_take(at, 2 * (size_t)net->factor_frequencies);
  at->factor_phase = fg_network_take(at, 2 * (size_t)net->factor_frequencies);
  for (int l = 0; l < net->factor_layers; l++) {
    at->factor[l] = fg_network_take(at, (size_t)fg_factor_in(net, l) * fg_factor_out(net, l));
    at->factor_bias[l] = fg_network_take(at, (size_t)fg_factor_out(net, l));
  }
}

FG_HD_CALL void fg_network_layout_of(const fg_field *f, fg_network_layout *at)
{
  const fg_field_network *net = &f->as.network;
  at->layers = net->layers;
  at->d = f->d;
  at->size = 0;
  at->widest = FG_PAD;
  for (int l = 0; l < net->layers; l++) {
    fg_network_layer *layer = &at->layer[l];
    layer->in = l == 0 ? f->d : net->width[l];
    layer->out = net->width[l + 1];
    layer->in_pad = fg_panel_padded(layer->in);
    layer->out_pad = fg_panel_padded(layer->out);
    if (l + 1 < net->layers && layer->out_pad > at->widest) at->widest = layer->out_pad;
    layer->forward = fg_network_take(at, (size_t)layer->in * layer->out_pad);
    layer->backward = l == 0 ? 0 : fg_network_take(at, (size_t)layer->out * layer->in_pad);
    layer->bias = fg_network_take(at, (size_t)layer->out_pad);
    layer->rows = 0;
    if (l == 0)
      layer->rows = fg_network_take(at, (size_t)layer->in * layer->out_pad);
    else if (l == net->layers - 1)
      layer->rows = fg_network_take(at, (size_t)layer->out * layer->in_pad);
  }
  at->core = at->size;
  const int waves = net->time == FG_TIME_FOURIER || net->time == FG_TIME_EMBEDDED;
  at->features = waves ? 2 * net->frequencies : 1;
  at->hidden = net->time == FG_TIME_EMBEDDED ? fg_panel_padded(net->embedding_width) : 0;
  at->frequency = waves ? fg_network_take(at, 2 * (size_t)net->frequencies) : 0;
  at->phase = waves ? fg_network_take(at, 2 * (size_t)net->frequencies) : 0;
  const int first = at->layer[0].out_pad;
  at->time_weight = at->hidden ? 0 : fg_network_take(at, (size_t)at->features * first);
  at->embedding[0] = at->hidden ? fg_network_take(at, (size_t)at->features * at->hidden) : 0;
  at->embedding[1] = at->hidden ? fg_network_take(at, (size_t)at->hidden * first) : 0;
  at->embedding_bias[0] = at->hidden ? fg_network_take(at, (size_t)at->hidden) : 0;
  at->embedding_bias[1] = at->hidden ? fg_network_take(at, (size_t)first) : 0;
  fg_factor_layout_of(f, at);
}

FG_HD const fg_real *fg_network_weights(const fg_field *f)
{
#ifdef FG_SINGLE
  return (const fg_real *)f->as.network.packed_single.device;
#else
  return (const fg_real *)f->as.network.packed_double.device;
#endif
}

#endif

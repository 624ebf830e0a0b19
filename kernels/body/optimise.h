/* One step of Adam on packed weights, and the copies of weights that a pack holds.
 *
 * Trained are the blocks below: maps, biases, and the heads of the phases. Frequencies, the tails of phases
 * and the padding are not; rows and backward panels are copies. */
#ifndef FG_BODY_OPTIMISE_H
#define FG_BODY_OPTIMISE_H

#include "body/network_layout.h"
#include "body/tile.h"

/* Rows x columns, row by row or in panels; the columns from `used` on are padding. */
typedef struct fg_trained {
  size_t from;
  int rows, columns, used;
  int panels; /* stored in column panels */
} fg_trained;

enum { FG_TRAINED_MOST = 4 * FG_LAYERS_MAX + 8 };

FG_HD void fg_trained_add(fg_trained *list, int *count, size_t from, int rows, int columns, int used,
                          int panels)
{
  fg_trained *block = &list[(*count)++];
  block->from = from;
  block->rows = rows;
  block->columns = columns;
  block->used = used;
  block->panels = panels;
}

/* The blocks of a network in the order of the layout; list [FG_TRAINED_MOST]. */
FG_HD int fg_trained_blocks(const fg_field *f, const fg_network_layout *at, fg_trained *list)
{
  const fg_field_network *net = &f->as.network;
  const int waves = net->time == FG_TIME_FOURIER || net->time == FG_TIME_EMBEDDED;
  const int first = at->layer[0].out_pad, used = at->layer[0].out;
  int count = 0;
  for (int l = 0; l < at->layers; l++) {
    const fg_network_layer *layer = &at->layer[l];
    fg_trained_add(list, &count, layer->forward, layer->in, layer->out_pad, layer->out, 1);
    fg_trained_add(list, &count, layer->bias, 1, layer->out_pad, layer->out, 0);
  }
  if (waves) fg_trained_add(list, &count, at->phase, 1, net->frequencies, net->frequencies, 0);
  if (at->hidden) {
    fg_trained_add(list, &count, at->embedding[0], at->features, at->hidden, net->embedding_width, 0);
    fg_trained_add(list, &count, at->embedding[1], net->embedding_width, first, used, 0);
    fg_trained_add(list, &count, at->embedding_bias[0], 1, at->hidden, net->embedding_width, 0);
    fg_trained_add(list, &count, at->embedding_bias[1], 1, first, used, 0);
  } else {
    fg_trained_add(list, &count, at->time_weight, at->features, first, used, 0);
  }
  if (net->factor_layers)
    fg_trained_add(list, &count, at->factor_phase, 1, net->factor_frequencies, net->factor_frequencies, 0);
  for (int l = 0; l < net->factor_layers; l++) {
    const int out = fg_factor_out(net, l), out_used = l == net->factor_layers - 1 ? 1 : net->factor_width;
    fg_trained_add(list, &count, at->factor[l], fg_factor_in(net, l), out, out_used, 0);
    fg_trained_add(list, &count, at->factor_bias[l], 1, out, out_used, 0);
  }
  return count;
}

FG_HD size_t fg_trained_place(const fg_trained *b, int row, int column)
{
  return b->from +
         (b->panels ? fg_panel_place(b->rows, b->columns, row, column) : (size_t)row * b->columns + column);
}

/* What a gradient holds at padding would leave it nonzero. */
TILE_FN void fg_trained_clear_padding(const fg_trained *b, fg_real *x)
{
  TILE_EACH(row, b->rows)
  for (int column = b->used; column < b->columns; column++) x[fg_trained_place(b, row, column)] = 0;
  TILE_SYNC();
}

/* Sum of squares, FG_LANES partial sums in a fixed order; part [FG_LANES] is room. */
TILE_FN double fg_sum_of_squares(size_t n, const fg_real *x, double *part)
{
  const size_t whole = n / FG_LANES * FG_LANES;
  double sum = 0;
  TILE_EACH(i, FG_LANES) part[i] = 0;
  for (size_t at = 0; at < whole; at += FG_LANES)
    TILE_EACH(i, FG_LANES) part[i] += (double)x[at + (size_t)i] * (double)x[at + (size_t)i];
  TILE_EACH(i, (int)(n - whole)) part[i] += (double)x[whole + (size_t)i] * (double)x[whole + (size_t)i];
  TILE_SYNC();
  for (int i = 0; i < FG_LANES; i++) sum += part[i];
  TILE_SYNC(); /* all have read before the next sum writes */
  return sum;
}

/* The l2 norm of a gradient over what is trained; its padding becomes 0. part [FG_LANES] is room. */
TILE_FN double fg_gradient_norm(const fg_field *f, fg_real *gradient, double *part)
{
  fg_network_layout at;
  fg_trained list[FG_TRAINED_MOST];
  double sum = 0;
  fg_network_layout_of(f, &at);
  const int count = fg_trained_blocks(f, &at, list);
  for (int k = 0; k < count; k++) {
    const size_t size = (size_t)list[k].rows * list[k].columns;
    fg_trained_clear_padding(&list[k], gradient);
    sum += fg_sum_of_squares(size, gradient + list[k].from, part);
  }
  return sqrt(sum);
}

/* Copy the forward panels to where the kernels want the same numbers in another order. */
TILE_FN void fg_network_refresh(const fg_network_layout *at, fg_real *packed)
{
  for (int l = 0; l < at->layers; l++) {
    const fg_network_layer *layer = &at->layer[l];
    for (int j = 0; j < layer->in; j++) TILE_EACH(k, layer->out)
      {
        const fg_real w = packed[layer->forward + fg_panel_place(layer->in, layer->out_pad, j, k)];
        if (l > 0) packed[layer->backward + fg_panel_place(layer->out, layer->in_pad, k, j)] = w;
        if (l == 0)
          packed[layer->rows + (size_t)j * layer->out_pad + k] = w;
        else if (l == at->layers - 1)
          packed[layer->rows + (size_t)k * layer->in_pad + j] = w;
      }
  }
  TILE_SYNC();
}

/* Adam as PyTorch has it (torch.optim.Adam with weight_decay; scale is that of clip_grad_norm_). Bias
 * corrections in double. */
TILE_FN void fg_adam(const fg_optimise_request *r, double scale, int n, const fg_real *gradient, fg_real *w,
                     fg_real *m, fg_real *v, fg_real *average)
{
  const double k = (double)r->number;
  const fg_real c = (fg_real)scale, decay = (fg_real)r->decay, epsilon = (fg_real)r->epsilon;
  const fg_real b1 = (fg_real)r->beta1, b2 = (fg_real)r->beta2;
  const fg_real a1 = (fg_real)(1 - r->beta1), a2 = (fg_real)(1 - r->beta2);
  const fg_real rate = (fg_real)(r->rate / (1 - pow(r->beta1, k)));
  const fg_real root = (fg_real)(1 / sqrt(1 - pow(r->beta2, k)));
  TILE_EACH(i, n)
  {
    const fg_real g = c * gradient[i] + decay * w[i];
    m[i] = b1 * m[i] + a1 * g;
    v[i] = b2 * v[i] + a2 * g * g;
    w[i] -= rate * m[i] / (FG_MATH(sqrt)(v[i]) * root + epsilon);
  }
  const fg_real keep = (fg_real)r->ema, take = (fg_real)(1 - r->ema);
  TILE_EACH(i, average ? n : 0) average[i] = keep * average[i] + take * w[i];
  TILE_SYNC();
}

/* PyTorch's factor: 1e-6 guards a norm of 0. */
FG_HD double fg_clip_scale(double norm, double most)
{
  const double scale = most / (norm + 1e-6);
  return scale < 1 ? scale : 1;
}

/* Requests hold addresses. The norm comes from fg_gradient_norm and is finite. */
TILE_FN void fg_optimise(const fg_field *f, const fg_optimise_request *r)
{
  fg_network_layout at;
  fg_trained list[FG_TRAINED_MOST];
  fg_network_layout_of(f, &at);
  const int count = fg_trained_blocks(f, &at, list);
  const fg_real *gradient = (const fg_real *)r->gradient.device;
  fg_real *w = (fg_real *)r->weights.device, *m = (fg_real *)r->first.device,
          *v = (fg_real *)r->second.device, *average = (fg_real *)r->average.device;
  const double scale = fg_clip_scale(r->norm, r->max_norm);
  for (int k = 0; k < count; k++) {
    const size_t from = list[k].from;
    const int size = list[k].rows * list[k].columns;
    fg_adam(r, scale, size, gradient + from, w + from, m + from, v + from,
            average ? average + from : average);
  }
  fg_network_refresh(&at, w);
  if (average) fg_network_refresh(&at, average);
}

#endif

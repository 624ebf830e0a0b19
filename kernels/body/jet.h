/* Jets of a network on a tile: values with derivatives carried through the layers, and the reverse of all that,
 * which gives the gradient of anything made of them with respect to the weights.
 *
 * Channel 0 holds the values; further ones are first derivatives along given directions and second-order ones made
 * from these (body/jet_generator.h for potentials, body/jet_pairs.h for vectors). Channels are planes [p, width] one
 * after another, so that a layer is one product for all of them. A layer keeps
 *   z_c   pre-activations of the channels c >= 1 (and z_0 where phi''' needs it)
 *   h_c   what the next layer sees
 *   phi'(z_0), phi''(z_0)
 * and the reverse turns the adjoints of h_c into those of z_c, adds h_c (x) z_c to the weights' gradient, and goes on
 * to the layer below. */
#ifndef FG_BODY_JET_H
#define FG_BODY_JET_H

#include "body/load.h"
#include "body/network_row.h"
#include "body/network_tile.h"

typedef struct fg_jet {
  const fg_field *field;
  fg_network_run run; /* shape, weights, activation */
  int p, d, channels;
  const fg_real *x; /* [d][p] */
  const fg_real
      *time; /* [p]: the network's time of each particle, where it is an input; NULL: one row for all */
  fg_real *z[FG_LAYERS_MAX], *h[FG_LAYERS_MAX];
  fg_real *gate[FG_LAYERS_MAX], *bend[FG_LAYERS_MAX];
  fg_real *up, *down;           /* adjoints of all channels, in turns */
  fg_real *third, *sum, *other; /* planes */
} fg_jet;

/* Where a tile adds its share of the gradient. */
typedef struct fg_jet_gradient {
  fg_real *
      core; /* packed weights without those of time; layer 0 as well in its `rows`, the last one there alone */
  fg_real *row;   /* [out_0]: of a_0 of the tile's row; of the weights of time where it is an input */
  fg_real *row_t; /* [out_0]: of the derivative of a_0 in time */
} fg_jet_gradient;

FG_HD int fg_jet_keeps_z(const fg_network_run *run)
{
  return run->activation == FG_GELU || run->activation == FG_SILU;
}

/* Lay out everything from base (64-byte aligned); returns the reals used. With base 0 it only counts. */
FG_HD size_t fg_jet_carve(fg_jet *j, const fg_field *f, int p, int channels, fg_real *base)
{
  size_t used = 0;
  fg_network_describe(f, &j->run);
  const fg_network_layout *at = &j->run.at;
  j->field = f;
  j->p = p;
  j->d = f->d;
  j->channels = channels;
  for (int l = 0; l + 1 < at->layers; l++) {
    const size_t plane = (size_t)p * at->layer[l].out_pad;
    j->z[l] = fg_network_room(base, &used, plane * (size_t)channels);
    j->h[l] = fg_network_room(base, &used, plane * (size_t)channels);
    j->gate[l] = fg_network_room(base, &used, plane);
    j->bend[l] = fg_network_room(base, &used, plane);
  }
  const size_t widest = (size_t)p * at->widest;
  j->up = fg_network_room(base, &used, widest * (size_t)channels);
  j->down = fg_network_room(base, &used, widest * (size_t)channels);
  j->third = fg_network_room(base, &used, widest);
  j->sum = fg_network_room(base, &used, widest);
  j->other = fg_network_room(base, &used, widest);
  return used;
}

FG_HD size_t fg_jet_scratch(const fg_field *f, int p, int channels)
{
  fg_jet j;
  return fg_jet_carve(&j, f, p, channels, 0);
}

FG_HD int fg_jet_plane(const fg_jet *j, int l)
{
  return j->p * j->run.at.layer[l].out_pad;
}

TILE_FN void fg_tile_copy(int n, const fg_real *__restrict__ from, fg_real *__restrict__ to)
{
  TILE_EACH(i, n) to[i] = from[i];
  TILE_SYNC();
}

/* Values through all hidden layers; a_0 [p, out_0] or, with step 0, one row for all. */
TILE_FN void fg_jet_values(fg_jet *j, const fg_real *x, const fg_real *a_0, int step)
{
  const fg_network_layout *at = &j->run.at;
  j->x = x;
  for (int l = 0; l + 1 < at->layers; l++) {
    const fg_network_layer *layer = &at->layer[l];
    const fg_real *w = j->run.packed + layer->forward;
    if (l == 0)
      tile_matmul(j->p, layer->out_pad, j->d, x, 1, j->p, w, a_0, step, 0, j->h[0]);
    else
      tile_matmul(j->p, layer->out_pad, layer->in, j->h[l - 1], layer->in_pad, 1, w,
                  j->run.packed + layer->bias, 0, 0, j->h[l]);
    if (fg_jet_keeps_z(&j->run)) fg_tile_copy(fg_jet_plane(j, l), j->h[l], j->z[l]);
    fg_tile_activate(&j->run, fg_jet_plane(j, l), FG_WANT_VALUE | FG_WANT_SLOPE | FG_WANT_BEND, j->h[l],
                     j->gate[l], j->bend[l]);
  }
}

/* Channels 1 .. of layer l > 0 from those below: z = h W^T. */
TILE_FN void fg_jet_lift(fg_jet *j, int l)
{
  const fg_network_layer *layer = &j->run.at.layer[l];
  tile_matmul((j->channels - 1) * j->p, layer->out_pad, layer->in, j->h[l - 1] + fg_jet_plane(j, l - 1),
              layer->in_pad, 1, j->run.packed + layer->forward, 0, 0, 0, j->z[l] + fg_jet_plane(j, l));
}

/* grad Phi [d][p] after the values: the sweep dh = w, da = phi' dh, dh = da W. */
TILE_FN void fg_jet_slope(fg_jet *j, fg_real *score)
{
  const fg_network_layout *at = &j->run.at;
  const int top = at->layers - 2;
  fg_tile_product_row(j->p, at->layer[top].out_pad, j->run.packed + at->layer[top + 1].rows, j->gate[top],
                      j->up);
  for (int l = top; l > 0; l--) {
    const fg_network_layer *layer = &at->layer[l];
    tile_matmul(j->p, layer->in_pad, layer->out, j->up, layer->out_pad, 1, j->run.packed + layer->backward, 0,
                0, j->gate[l - 1], j->down);
    fg_network_swap(&j->up, &j->down);
  }
  tile_dot(j->p, j->d, at->layer[0].out_pad, j->up, j->run.packed + at->layer[0].rows, 0, 0, score);
}

/* phi''' of layer l into j->third. */
TILE_FN void fg_jet_third(fg_jet *j, int l)
{
  const int n = fg_jet_plane(j, l);
  const fg_real *__restrict__ z = j->z[l], *__restrict__ h = j->h[l], *__restrict__ slope = j->gate[l],
                              *__restrict__ bend = j->bend[l];
  const fg_real beta = j->run.scale.beta;
  fg_real *__restrict__ third = j->third;
  switch (j->run.activation) {
  case FG_SOFTPLUS:
    TILE_EACH(i, n) third[i] = fg_softplus_third(beta, slope[i], bend[i]);
    break;
  case FG_GELU:
    TILE_EACH(i, n) third[i] = fg_gelu_third(z[i]);
    break;
  case FG_SILU:
    TILE_EACH(i, n) third[i] = fg_silu_third(z[i]);
    break;
  case FG_TANH:
    TILE_EACH(i, n) third[i] = fg_tanh_third(h[i], slope[i]);
    break;
  default:
    TILE_EACH(i, n) third[i] = -slope[i];
    break;
  }
  TILE_SYNC();
}

/* Adjoints of z of all channels of layer l > 0 in j->up: adds to the gradient of its weights, and leaves the adjoints
 * of the h below in j->up. */
TILE_FN void fg_jet_descend(fg_jet *j, int l, const fg_jet_gradient *to)
{
  const fg_network_layer *layer = &j->run.at.layer[l];
  const int rows = j->channels * j->p;
  tile_outer(rows, layer->out_pad, layer->in, j->h[l - 1], layer->in_pad, 1, j->up,
             to->core + layer->forward);
  tile_column_sum(j->p, layer->out_pad, j->up, to->core + layer->bias);
  tile_matmul(rows, layer->in_pad, layer->out, j->up, layer->out_pad, 1, j->run.packed + layer->backward, 0,
              0, 0, j->down);
  fg_network_swap(&j->up, &j->down);
}

/* to [out_0] += sum over the particles: of the weights of time where it is an input, else of the tile's own row. */
TILE_FN void fg_jet_add_row(const fg_jet *j, const fg_real *adjoint, fg_real *to)
{
  if (j->time)
    tile_column_sum(j->p, j->run.at.layer[0].out_pad, adjoint, to);
  else
    TILE_OWN_COLUMN_SUM(j->p, j->run.at.layer[0].out_pad, adjoint, to);
}

/* Adjoint of z_0 of layer 0, channel 0. */
TILE_FN void fg_jet_first(const fg_jet *j, const fg_real *adjoint, const fg_jet_gradient *to)
{
  const fg_network_layer *first = &j->run.at.layer[0];
  tile_outer(j->p, first->out_pad, j->d, j->x, 1, j->p, adjoint, to->core + first->forward);
  if (j->time) {
    tile_column_sum(j->p, first->out_pad, adjoint, to->core + first->bias);
    tile_outer(j->p, first->out_pad, 1, j->time, 1, j->p, adjoint, to->row);
  } else {
    fg_jet_add_row(j, adjoint, to->row);
  }
}

/* Values alone (one channel): adjoints of h_top in j->up. */
TILE_FN void fg_jet_reverse_values(fg_jet *j, const fg_jet_gradient *to)
{
  for (int l = j->run.at.layers - 2; l >= 0; l--) {
    fg_tile_multiply(fg_jet_plane(j, l), j->gate[l], j->up);
    if (l > 0) fg_jet_descend(j, l, to);
  }
  fg_jet_first(j, j->up, to);
}

#endif

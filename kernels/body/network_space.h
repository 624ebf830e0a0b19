/* One run of a network on one tile: its shape, its weights, and where its planes lie in the scratch. */
#ifndef FG_BODY_NETWORK_SPACE_H
#define FG_BODY_NETWORK_SPACE_H

#include "body/network_layout.h"
#include "body/tile.h"
#include "formula/activation.h"
#include "formula/guide.h"

#ifndef TILE_FN
#error "include the engine's tile words (kernels/cpu/matmul.h) before body/network.h"
#endif

/* Which tangents travel with the values. */
typedef enum fg_network_mode {
  FG_NETWORK_PLAIN,     /* none */
  FG_NETWORK_DIRECTION, /* one, along v */
  FG_NETWORK_LAPLACIAN, /* d, along the axes, and the sources of the Laplacian */
  FG_NETWORK_TRACE      /* vector form: d along the axes, then one along v if it is wanted */
} fg_network_mode;

typedef struct fg_network_run {
  const fg_tile *tile;
  const fg_real *packed;
  fg_network_layout at;
  int activation, potential;
  fg_real clip; /* of the outputs; infinite: none */
  fg_activation_scale scale;
  int count;                          /* tangents carried */
  fg_real *h, *spare;                 /* [p, widest]: values, and where the next layer goes */
  fg_real *tangents, *spare_tangents; /* [count, p, width] */
  /* phi'(a_l); with a second derivative the reverse sweep turns it into da_l in place */
  fg_real *gate[FG_LAYERS_MAX];
  /* Laplacian: phi''(a_l) sum_j (d_j a_l)^2; direction: phi''(a_l) a_l', which becomes (da_l)' */
  fg_real *side[FG_LAYERS_MAX];
  fg_real *da;  /* da_l, wherever it lies */
  fg_real *net; /* [d][p]: outputs whose clip the derivatives ask for while nobody wants the score */
} fg_network_run;

FG_HD fg_real *fg_network_room(fg_real *base, size_t *used, size_t count)
{
  fg_real *room = base ? TILE_PIECE(base, *used, count) : NULL;
  *used += count;
  return room;
}

/* Limit of the outputs of a guided control, vector form. */
FG_HD fg_real fg_network_clip(const fg_field *f)
{
  return f->guided && f->as.network.form != FG_POTENTIAL ? (fg_real)f->guide.clip : (fg_real)INFINITY;
}

FG_HD int fg_network_tangents(const fg_field *f, unsigned want)
{
  const int potential = f->as.network.form == FG_POTENTIAL;
  const int jvp = (want & FG_JVP) != 0;
  if (!(want & FG_DIVERGENCE)) return jvp;
  return potential ? f->d : f->d + jvp;
}

/* Lay out the planes; returns the reals used. With base NULL it only counts. */
FG_HD size_t fg_network_carve(const fg_field *f, int p, unsigned want, fg_real *base, fg_network_run *run)
{
  const fg_network_layout *at = &run->at;
  const int potential = f->as.network.form == FG_POTENTIAL;
  const int second = (want & (FG_DIVERGENCE | FG_JVP)) != 0;
  const int reverse = potential && (second || (want & (FG_SCORE | FG_PHI_T)));
  const size_t plane = (size_t)p * at->widest, tangents = fg_network_tangents(f, want) * plane;
  size_t used = 0;
  run->h = fg_network_room(base, &used, plane);
  run->spare = fg_network_room(base, &used, plane);
  run->tangents = fg_network_room(base, &used, tangents);
  run->spare_tangents = fg_network_room(base, &used, tangents);
  for (int l = 0; l + 1 < at->layers; l++) { /* kept for the reverse sweep, else one for all layers */
    const size_t own = (size_t)p * at->layer[l].out_pad;
    if (reverse)
      run->gate[l] = fg_network_room(base, &used, own);
    else
      run->gate[l] = l > 0 ? run->gate[0] : fg_network_room(base, &used, second ? plane : 0);
    run->side[l] = fg_network_room(base, &used, potential && second ? own : 0);
  }
  const int clipped = second && !(want & FG_SCORE) && fg_network_clip(f) < (fg_real)INFINITY;
  run->net = fg_network_room(base, &used, clipped ? (size_t)f->d * p : 0);
  return used;
}

/* Shape, weights and activation; no planes yet. */
FG_HD void fg_network_describe(const fg_field *f, fg_network_run *run)
{
  const fg_field_network *net = &f->as.network;
  fg_network_layout_of(f, &run->at);
  run->packed = fg_network_weights(f);
  run->activation = net->activation;
  run->potential = net->form == FG_POTENTIAL;
  run->clip = fg_network_clip(f);
  run->scale.beta = (fg_real)net->beta;
  run->scale.inverse_beta = (fg_real)(1 / net->beta);
  run->scale.threshold = net->threshold > 0 ? (fg_real)net->threshold : (fg_real)INFINITY;
}

TILE_FN void fg_network_start(const fg_field *f, const fg_tile *tile, fg_network_run *run)
{
  fg_network_describe(f, run);
  run->tile = tile;
  fg_network_carve(f, tile->p, tile->want, tile->scratch, run);
}

FG_HD_CALL size_t fg_network_scratch(const fg_field *f, int p, unsigned want)
{
  fg_network_run run;
  fg_network_layout_of(f, &run.at);
  return fg_network_carve(f, p, want, NULL, &run);
}

#endif

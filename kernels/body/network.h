/* A multilayer perceptron on a tile: potential, its time derivative, score, divergence, Hessian-vector product.
 *
 * Hidden layers l = 0 .. L-2:  a_l = h_{l-1} W_l^T + b_l,  h_l = phi(a_l);  output layer linear. Planes are
 * particle-major [p, width], so that each product is "one number times a contiguous row of weights".
 *
 * Potential form: forward, then one reverse sweep from w = W_{L-1}: dh_{L-2} = w, da_l = phi'(a_l) dh_l,
 * dh_{l-1} = da_l W_l. It gives
 *   grad Phi = da_0 W_0,   Phi_t = da_0 . a_0'   (a_0' = time derivative of the row),
 *   lap Phi  = sum_l sum_k dh_l,k phi''(a_l,k) sum_j (d a_l,k / d x_j)^2
 * the last with d tangents carried forward: the Laplacian of a composition is linear in these sources, so the
 * sweep that gives the gradient also collects them (d + 2 products per layer instead of d + 3).
 *   H v: one tangent a' along v forward, and (da_l)' = phi' (dh_l)' + phi'' a_l' dh_l backward.
 * Vector form: forward; divergence from d forward tangents, J v from one. */
#ifndef FG_BODY_NETWORK_H
#define FG_BODY_NETWORK_H

#include "body/network_row.h"
#include "body/network_space.h"
#include "body/network_tile.h"

/* Without hidden layers: Phi = a_0 + x W_0, or s = scale clip(a_0 + x W_0). */
TILE_FN void fg_network_linear(const fg_network_run *run)
{
  const fg_tile *tile = run->tile;
  const int p = tile->p, d = run->at.d, n = run->at.layer[0].out_pad, potential = run->potential;
  const fg_real *rows = run->packed + run->at.layer[0].rows;
  TILE_EACH(i, p)
  {
    const fg_real *row = tile->row + (size_t)i * tile->row_stride, scale = potential ? 1 : row[2 * n];
    fg_real trace = 0;
    for (int j = 0; j < d; j++) {
      fg_real s = potential ? 0 : row[j], jv = 0;
      for (int m = 0; m < d && !potential; m++) {
        s += rows[(size_t)m * n + j] * tile->x[(size_t)m * p + i];
        if (tile->want & FG_JVP) jv += rows[(size_t)m * n + j] * tile->v[(size_t)m * p + i];
      }
      const fg_real slope = fg_clip_slope(s, run->clip);
      trace += potential ? 0 : slope * rows[(size_t)j * n + j];
      if (tile->want & FG_SCORE)
        tile->score[(size_t)j * p + i] = potential ? rows[(size_t)j * n] : scale * fg_clip(s, run->clip);
      if (tile->want & FG_JVP) tile->jvp[(size_t)j * p + i] = scale * (slope * jv);
    }
    if (tile->want & FG_DIVERGENCE) tile->divergence[i] = scale * trace;
    if (tile->want & FG_PHI_T) tile->phi_t[i] = row[n];
    if (tile->want & FG_PHI) {
      fg_real phi = row[0];
      for (int m = 0; m < d; m++) phi += rows[(size_t)m * n] * tile->x[(size_t)m * p + i];
      tile->phi[i] = phi;
    }
  }
  TILE_SYNC();
}

/* Potential form, one pass; mode says which second derivative it carries. */
TILE_FN void fg_network_potential(fg_network_run *run, fg_network_mode mode, unsigned want)
{
  const fg_tile *tile = run->tile;
  const fg_network_layout *at = &run->at;
  const int p = tile->p, last = at->layers - 1, top = last - 1;
  const fg_network_layer *out = &at->layer[last], *first = &at->layer[0];
  const fg_real *w = run->packed + out->rows;
  const int reverse = (want & (FG_SCORE | FG_PHI_T)) || mode != FG_NETWORK_PLAIN;
  fg_network_forward(run, mode, (want & FG_PHI) != 0, reverse);
  if (want & FG_PHI) tile_dot(p, 1, out->in_pad, run->h, w, run->packed + out->bias, 0, tile->phi);
  if (!reverse) return;
  if (mode == FG_NETWORK_LAPLACIAN) fg_tile_zero(p, tile->divergence);
  fg_network_turn(run, mode, w);
  for (int l = top; l > 0; l--) fg_network_backward(run, mode, l);
  const fg_real *rows = run->packed + first->rows;
  if (want & FG_SCORE) tile_dot(p, at->d, first->out_pad, run->da, rows, NULL, 0, tile->score);
  if (mode == FG_NETWORK_DIRECTION)
    tile_dot(p, at->d, first->out_pad, run->side[0], rows, NULL, 0, tile->jvp);
  if (want & FG_PHI_T) {
    fg_tile_zero(p, tile->phi_t);
    tile_row_dot(p, first->out_pad, run->da, tile->row + first->out_pad, tile->row_stride, tile->phi_t);
  }
}

/* The clip of a guided control's outputs: what depends on them is cut before they are. */
TILE_FN void fg_network_cut(const fg_network_run *run)
{
  const fg_tile *tile = run->tile;
  const int count = tile->p * run->at.d;
  fg_real *net = tile->want & FG_SCORE ? tile->score : run->net;
  TILE_EACH(i, count)
  {
    if (tile->want & FG_JVP) tile->jvp[i] *= fg_clip_slope(net[i], run->clip);
    if (tile->want & FG_SCORE) net[i] = fg_clip(net[i], run->clip);
  }
  TILE_SYNC();
}

/* div net, from the tangents along the axes; `net` the outputs, or NULL where they are not clipped. */
TILE_FN void fg_network_trace(const fg_network_run *run, const fg_real *net)
{
  const fg_tile *tile = run->tile;
  const int p = tile->p, d = run->at.d, k = run->at.layer[run->at.layers - 1].in_pad;
  const fg_real *w = run->packed + run->at.layer[run->at.layers - 1].rows;
  fg_real *part = net ? run->spare : tile->divergence;
  fg_tile_zero(p, tile->divergence);
  for (int j = 0; j < d; j++) {
    if (net) fg_tile_zero(p, part);
    tile_row_dot(p, k, run->tangents + (size_t)j * p * k, w + (size_t)j * k, 0, part);
    if (!net) continue;
    TILE_EACH(i, p) tile->divergence[i] += part[i] * fg_clip_slope(net[(size_t)j * p + i], run->clip);
    TILE_SYNC();
  }
}

/* Vector form: the output scale comes last, so that it also multiplies divergence and J v. */
TILE_FN void fg_network_vector(fg_network_run *run)
{
  const fg_tile *tile = run->tile;
  const fg_network_layout *at = &run->at;
  const fg_network_layer *out = &at->layer[at->layers - 1];
  const int p = tile->p, d = at->d, k = out->in_pad;
  const fg_real *w = run->packed + out->rows;
  const fg_real *scale = tile->row + 2 * at->layer[0].out_pad;
  const fg_network_mode mode = tile->want & FG_DIVERGENCE ? FG_NETWORK_TRACE
                               : tile->want & FG_JVP      ? FG_NETWORK_DIRECTION
                                                          : FG_NETWORK_PLAIN;
  const int clipped = run->clip < (fg_real)INFINITY;
  fg_real *net = tile->want & FG_SCORE ? tile->score : clipped && mode != FG_NETWORK_PLAIN ? run->net : NULL;
  fg_network_forward(run, mode, 1, 0);
  if (net) tile_dot(p, d, k, run->h, w, run->packed + out->bias, 0, net);
  if (tile->want & FG_JVP)
    tile_dot(p, d, k, run->tangents + (size_t)(run->count - 1) * p * k, w, NULL, 0, tile->jvp);
  if (tile->want & FG_DIVERGENCE) fg_network_trace(run, clipped ? net : NULL);
  if (clipped) fg_network_cut(run);
  if (tile->want & FG_SCORE) fg_tile_scale(p, d, scale, tile->row_stride, tile->score);
  if (tile->want & FG_JVP) fg_tile_scale(p, d, scale, tile->row_stride, tile->jvp);
  if (tile->want & FG_DIVERGENCE) fg_tile_scale(p, 1, scale, tile->row_stride, tile->divergence);
}

TILE_FN void fg_network_tile(const fg_field *f, const fg_tile *tile)
{
  fg_network_run run;
  fg_network_start(f, tile, &run);
  if (run.at.layers == 1) {
    fg_network_linear(&run);
  } else if (!run.potential) {
    fg_network_vector(&run);
  } else {
    /* the Laplacian's d tangents and the direction's one go in passes of their own */
    const int both = (tile->want & FG_DIVERGENCE) && (tile->want & FG_JVP);
    if (tile->want & FG_DIVERGENCE) fg_network_potential(&run, FG_NETWORK_LAPLACIAN, tile->want);
    if (tile->want & FG_JVP)
      fg_network_potential(&run, FG_NETWORK_DIRECTION, both ? (unsigned)FG_JVP : tile->want);
    if (!(tile->want & (FG_DIVERGENCE | FG_JVP))) fg_network_potential(&run, FG_NETWORK_PLAIN, tile->want);
  }
}

#endif

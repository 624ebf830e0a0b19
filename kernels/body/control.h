/* The control of a sampler on a tile, u(x, t_k), and its reverse: for a cotangent psi of u, the gradient of
 * sum psi.u with respect to all weights and, if asked, to x.
 *
 *   vector form      u = clip(net) + g clip(tau) clip(S)
 *   potential form   u = g grad Phi,  Phi = net + tau (potential of S): body/control_potential.h
 * with S = target_weight grad log rho - prior_weight x (formula/guide.h). Planes are particle-major [p, width];
 * u, x, psi and the like [d][p]. What the forward sweep leaves behind (values h, slopes gate) is what the
 * reverse reads. */
#ifndef FG_BODY_CONTROL_H
#define FG_BODY_CONTROL_H

#include "body/density.h"
#include "body/network_row.h"
#include "body/network_tile.h"

/* Where a tile adds its share of the gradient. That of the last layer, whose outputs are few, lies in its `rows`, as
 * panels [out, in]; the others in `forward`. */
typedef struct fg_gradient {
  fg_real *core; /* packed weights without those of time */
  fg_real *row;  /* [out_0]: of the row of this step */
  fg_real *tau;  /* [1]: of its time factor, as clipped */
} fg_gradient;

typedef struct fg_control {
  const fg_field *field;
  fg_network_run run; /* shape, weights, activation */
  int p, d, potential;
  int curved; /* the planes of second derivatives are there: potential form, or a divergence is asked for */
  const fg_real *x, *row; /* of the last call */
  fg_real *h[FG_LAYERS_MAX], *gate[FG_LAYERS_MAX];
  fg_real *down, *spare; /* planes of the reverse sweep */
  /* per layer: phi'', the reverse sweep before and after the gate, tangents (potential form); for a divergence
     body/control_divergence.h says what they hold */
  fg_real *bend[FG_LAYERS_MAX], *above[FG_LAYERS_MAX], *below[FG_LAYERS_MAX], *tangent[FG_LAYERS_MAX];
  fg_real *out;   /* [d][p]: what the network gives, before the clip; grad net in the potential form */
  fg_real *score; /* [d][p]: S, before the clip */
  fg_real *u;     /* [d][p] */
  fg_real *chi, *bent, *one; /* [d][p], [d][p], [p]: room of the reverse */
  fg_real *line;             /* [widest], with a divergence */
  fg_real *density_row, *density_scratch;
} fg_control;

FG_HD int fg_control_has_score(const fg_field *f)
{
  return f->guide.density.kind != FG_DENSITY_NONE;
}

FG_HD fg_real *fg_control_plane(fg_real *base, size_t *used, size_t count)
{
  const size_t whole = (count + FG_LANES - 1) / FG_LANES * FG_LANES;
  fg_real *room = base ? TILE_PIECE(base, *used, whole) : 0;
  *used += whole;
  return room;
}

/* Lay out everything from base (64-byte aligned), with room for a divergence if asked; returns the reals used. With
 * base 0 it only counts. */
FG_HD size_t fg_control_carve(fg_control *c, const fg_field *f, int p, int divergence, fg_real *base)
{
  size_t used = 0, vector = (size_t)f->d * (size_t)p;
  fg_network_describe(f, &c->run);
  const fg_network_layout *at = &c->run.at;
  c->field = f;
  c->p = p;
  c->d = f->d;
  c->potential = c->run.potential;
  c->curved = c->potential || divergence;
  for (int l = 0; l + 1 < at->layers; l++) {
    const size_t plane = (size_t)p * at->layer[l].out_pad, second = c->curved ? plane : 0;
    c->h[l] = fg_control_plane(base, &used, plane);
    c->gate[l] = fg_control_plane(base, &used, plane);
    c->bend[l] = fg_control_plane(base, &used, second);
    c->above[l] = fg_control_plane(base, &used, second);
    c->below[l] = fg_control_plane(base, &used, second);
    c->tangent[l] = fg_control_plane(base, &used, second);
  }
  c->down = fg_control_plane(base, &used, (size_t)p * at->widest);
  c->spare = fg_control_plane(base, &used, (size_t)p * at->widest);
  c->out = fg_control_plane(base, &used, vector);
  c->score = fg_control_plane(base, &used, vector);
  c->u = fg_control_plane(base, &used, vector);
  c->chi = fg_control_plane(base, &used, vector);
  c->bent = fg_control_plane(base, &used, vector);
  c->one = fg_control_plane(base, &used, (size_t)p);
  c->line = fg_control_plane(base, &used, divergence ? (size_t)at->widest : 0);
  c->density_row = fg_control_plane(base, &used, (size_t)fg_density_row_size(&f->guide.density));
  c->density_scratch = fg_control_plane(base, &used, fg_density_scratch(&f->guide.density, p));
  return used;
}

TILE_FN void fg_control_begin(fg_control *c, const fg_field *f, int p, fg_real *scratch)
{
  fg_control_carve(c, f, p, 0, scratch);
  TILE_EACH(once, 1) fg_density_row(&f->guide.density, c->density_row);
  TILE_SYNC();
}

FG_HD size_t fg_control_scratch(const fg_field *f, int p)
{
  fg_control c;
  return fg_control_carve(&c, f, p, 0, 0);
}

/* What of the hidden layers is kept; the potential form keeps their bends with the slopes. */
enum { FG_KEEP_SLOPES = 1, FG_KEEP_BENDS = 2 };

TILE_FN void fg_control_layers(fg_control *c, int keep)
{
  const fg_network_layout *at = &c->run.at;
  const int p = c->p, bends = keep == FG_KEEP_BENDS || (keep && c->potential);
  const int parts = FG_WANT_VALUE | (keep ? FG_WANT_SLOPE : 0) | (bends ? FG_WANT_BEND : 0);
  for (int l = 0; l + 1 < at->layers; l++) {
    const fg_network_layer *layer = &at->layer[l];
    const fg_real *w = c->run.packed + layer->forward;
    if (l == 0)
      tile_matmul(p, layer->out_pad, c->d, c->x, 1, p, w, c->row, 0, 0, c->h[0]);
    else
      tile_matmul(p, layer->out_pad, layer->in, c->h[l - 1], layer->in_pad, 1, w, c->run.packed + layer->bias,
                  0, 0, c->h[l]);
    fg_tile_activate(&c->run, p * layer->out_pad, parts, c->h[l], keep ? c->gate[l] : 0,
                     bends ? c->bend[l] : 0);
  }
}

/* S at x, before the clip. */
TILE_FN void fg_control_score(fg_control *c)
{
  const fg_real *guide = fg_guide_row(c->field, c->row);
  const fg_real target = guide[FG_ROW_TARGET], prior = guide[FG_ROW_PRIOR];
  const int vector = c->d * c->p;
  fg_real *__restrict__ s = c->score;
  const fg_real *__restrict__ x = c->x;
  fg_density_tile(&c->field->guide.density, c->density_row, c->p, FG_SCORE, c->x, 0, 0, c->score, 0,
                  c->density_scratch);
  TILE_EACH(i, vector) s[i] = target * s[i] - prior * x[i];
  TILE_SYNC();
}

#include "body/control_potential.h"

/* u = clip(net) + g clip(tau) clip(S). */
TILE_FN void fg_control_sum(fg_control *c)
{
  const fg_real *guide = fg_guide_row(c->field, c->row);
  const fg_real clip = (fg_real)c->field->guide.clip, factor = guide[FG_ROW_G] * guide[FG_ROW_TAU];
  const int vector = c->d * c->p;
  fg_real *__restrict__ u = c->u;
  const fg_real *__restrict__ out = c->out, *__restrict__ s = c->score;
  if (fg_control_has_score(c->field)) {
    TILE_EACH(i, vector) u[i] = fg_clip(out[i], clip) + factor * fg_clip(s[i], clip);
  } else {
    TILE_EACH(i, vector) u[i] = fg_clip(out[i], clip);
  }
  TILE_SYNC();
}

/* c->u at x [d][p]; with slopes kept a reverse may follow, or a divergence, whose reverse needs the bends. */
TILE_FN void fg_control_value(fg_control *c, const fg_real *x, const fg_real *row, int keep)
{
  const fg_network_layer *out = &c->run.at.layer[c->run.at.layers - 1];
  c->x = x;
  c->row = row;
  if (fg_control_has_score(c->field)) fg_control_score(c);
  if (c->potential) {
    fg_control_gradient(c);
    return;
  }
  fg_control_layers(c, keep);
  tile_dot(c->p, c->d, out->in_pad, c->h[c->run.at.layers - 2], c->run.packed + out->rows,
           c->run.packed + out->bias, 0, c->out);
  fg_control_sum(c);
}

/* What S adds: to tau's gradient, and to dx (0: not asked) through the Hessian of log rho. psi [d][p]. */
TILE_FN void fg_control_reverse_score(fg_control *c, const fg_real *__restrict__ psi, fg_real *tau,
                                      fg_real *__restrict__ dx)
{
  const fg_real *guide = fg_guide_row(c->field, c->row);
  const fg_real clip = c->potential ? (fg_real)INFINITY : (fg_real)c->field->guide.clip;
  const fg_real g = guide[FG_ROW_G], factor = g * guide[FG_ROW_TAU];
  const int p = c->p, vector = c->d * p;
  const fg_real *__restrict__ s = c->score;
  fg_real *__restrict__ sum = c->one, *__restrict__ chi = c->chi, *__restrict__ bent = c->bent;
  TILE_EACH(i, p) sum[i] = 0;
  for (int j = 0; j < c->d; j++) {
    const int at = j * p;
    TILE_EACH(i, p) sum[i] += psi[at + i] * g * fg_clip(s[at + i], clip);
  }
  TILE_SYNC();
  tile_add_sum(p, sum, tau);
  if (!dx) return;
  TILE_EACH(i, vector) chi[i] = factor * psi[i] * fg_clip_slope(s[i], clip);
  TILE_SYNC();
  fg_density_tile(&c->field->guide.density, c->density_row, p, FG_JVP, c->x, chi, 0, 0, bent,
                  c->density_scratch);
  const fg_real target = guide[FG_ROW_TARGET], prior = guide[FG_ROW_PRIOR];
  TILE_EACH(i, vector) dx[i] += target * bent[i] - prior * chi[i];
  TILE_SYNC();
}

/* Gradient of sum psi.net through the layers, psi within the clip, and of what else has the adjoints `more` of a_l
 * (0: nothing). dx += its part, unless 0. */
TILE_FN void fg_control_reverse_layers(fg_control *c, const fg_real *psi, fg_real *const *more,
                                       const fg_gradient *to, fg_real *dx)
{
  const fg_network_layout *at = &c->run.at;
  const int p = c->p, d = c->d, last = at->layers - 1;
  const fg_network_layer *out = &at->layer[last], *first = &at->layer[0];
  tile_outer(p, out->in_pad, d, psi, 1, p, c->h[last - 1], to->core + out->rows);
  for (int j = 0; j < d; j++) tile_add_sum(p, psi + (size_t)j * p, to->core + out->bias + j);
  tile_matmul(p, out->in_pad, d, psi, 1, p, c->run.packed + out->backward, 0, 0, c->gate[last - 1], c->down);
  if (more) fg_tile_add(p * out->in_pad, more[last - 1], c->down);
  for (int l = last - 1; l > 0; l--) {
    const fg_network_layer *layer = &at->layer[l];
    tile_outer(p, layer->out_pad, layer->in, c->h[l - 1], layer->in_pad, 1, c->down,
               to->core + layer->forward);
    tile_column_sum(p, layer->out_pad, c->down, to->core + layer->bias);
    tile_matmul(p, layer->in_pad, layer->out, c->down, layer->out_pad, 1, c->run.packed + layer->backward, 0,
                0, c->gate[l - 1], c->spare);
    fg_network_swap(&c->down, &c->spare);
    if (more) fg_tile_add(p * layer->in_pad, more[l - 1], c->down);
  }
  tile_outer(p, first->out_pad, d, c->x, 1, p, c->down, to->core + first->forward);
  tile_column_sum(p, first->out_pad, c->down, to->row);
  if (!dx) return;
  tile_dot(p, d, first->out_pad, c->down, c->run.packed + first->rows, 0, 0, c->bent);
  fg_tile_add(p * d, c->bent, dx);
}

/* Add the gradient of sum psi.u; psi [d][p] is overwritten. dx [d][p] += that with respect to x, unless 0; with
 * detach S is held constant there. After fg_control_value with slopes. */
TILE_FN void fg_control_reverse(fg_control *c, fg_real *__restrict__ psi, const fg_gradient *to, fg_real *dx,
                                int detach)
{
  const int vector = c->d * c->p;
  if (fg_control_has_score(c->field)) fg_control_reverse_score(c, psi, to->tau, detach ? 0 : dx);
  if (c->potential) {
    fg_control_reverse_gradient(c, psi, to, dx);
    return;
  }
  const fg_real clip = (fg_real)c->field->guide.clip;
  const fg_real *__restrict__ out = c->out;
  TILE_EACH(i, vector) psi[i] *= fg_clip_slope(out[i], clip);
  TILE_SYNC();
  fg_control_reverse_layers(c, psi, 0, to, dx);
}

#include "body/control_divergence.h"

#endif

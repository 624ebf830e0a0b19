/* Losses at points on a tile (engine.h): denoising score matching and Fokker-Planck residuals, with gradients.
 *
 * Where time is an input of the network (and nothing else depends on it) a tile takes points of any times; else it is one
 * group, whose time it shares. Values that are not finite are set aside: the point takes the place of a finite one and has
 * no weight. */
#ifndef FG_BODY_POINTS_H
#define FG_BODY_POINTS_H

#include "body/jet_guide.h"
#include "body/jet_pairs.h"
#include "body/objective.h"
#include "formula/objective.h"
#include "formula/random.h"

typedef struct fg_points_walk {
  const fg_field *field;
  const fg_points_request *request;
  size_t first;
  int count, p, d;
  int direct;         /* time is an input */
  const fg_real *row; /* shared time: the tile's */
  fg_jet jet;
  fg_jet_guide guide;
  fg_generator generator;
  fg_real *x, *c, *score, *goal;                    /* [d][p]; score: of the model, in the end */
  fg_real *a, *g2, *gamma, *time, *scale, *scale_t; /* [p], of each particle's time */
  fg_real *a_0, *row_t;                             /* direct: [p, out_0], [out_0] */
  fg_real *probe;                                   /* [probes][d][p] */
  fg_real *out, *seeds;                             /* what the jet gives, and what goes back */
  double *value, *weight;                           /* [p] */
} fg_points_walk;

FG_HD int fg_points_direct(const fg_field *f)
{
  const int time = f->as.network.time;
  return !f->guided && (time == FG_TIME_FIRST || time == FG_TIME_LAST);
}

FG_HD int fg_points_potential(const fg_field *f)
{
  return f->as.network.form == FG_POTENTIAL;
}

/* Directions of the operator: none for denoising. */
FG_HD int fg_points_directions(const fg_field *f, const fg_points_request *r)
{
  return r->kind == FG_LOSS_DENOISING ? 0 : r->probes > 0 ? r->probes : f->d;
}

FG_HD int fg_points_channels(const fg_field *f, const fg_points_request *r)
{
  if (fg_points_potential(f)) return fg_generator_channels(fg_points_directions(f, r));
  return r->kind == FG_LOSS_DENOISING ? 1 : fg_pairs_channels(f->d);
}

/* Numbers [p] that the jet gives. */
FG_HD size_t fg_points_outputs(const fg_field *f, const fg_points_request *r)
{
  if (fg_points_potential(f)) return (size_t)fg_points_directions(f, r) + 1;
  return (size_t)fg_points_channels(f, r) * (size_t)f->d;
}

/* Reals of one group's share: of a_0 and its time derivative, of the time factor and its. */
FG_HD size_t fg_points_row(const fg_network_layout *at)
{
  return 2 * (size_t)at->layer[0].out_pad + 2 * FG_PAD;
}

FG_HD fg_real *fg_points_piece(fg_real *base, size_t *used, size_t count)
{
  return fg_network_room(base, used, fg_whole_lanes(count));
}

/* Lay out; returns the reals used. With base 0 it only counts. */
FG_HD size_t fg_points_carve(fg_points_walk *w, const fg_field *f, const fg_points_request *r, int p,
                             fg_real *base)
{
  const size_t vector = (size_t)f->d * (size_t)p, n = (size_t)p, outputs = fg_points_outputs(f, r);
  const size_t probes = r->kind != FG_LOSS_DENOISING && r->probes > 0 ? (size_t)r->probes * vector : 0;
  fg_network_layout at;
  size_t used = 0;
  fg_network_layout_of(f, &at);
  w->field = f;
  w->request = r;
  w->p = p;
  w->d = f->d;
  w->direct = fg_points_direct(f);
  w->value = (double *)(void *)fg_points_piece(base, &used, 2 * n);
  w->weight = (double *)(void *)fg_points_piece(base, &used, 2 * n);
  w->x = fg_points_piece(base, &used, vector);
  w->c = fg_points_piece(base, &used, vector);
  w->score = fg_points_piece(base, &used, vector);
  w->goal = fg_points_piece(base, &used, vector);
  w->a = fg_points_piece(base, &used, n);
  w->g2 = fg_points_piece(base, &used, n);
  w->gamma = fg_points_piece(base, &used, n);
  w->time = fg_points_piece(base, &used, n);
  w->scale = fg_points_piece(base, &used, n);
  w->scale_t = fg_points_piece(base, &used, n);
  w->a_0 = fg_points_piece(base, &used, w->direct ? n * (size_t)at.layer[0].out_pad : 0);
  w->row_t = fg_points_piece(base, &used, (size_t)at.layer[0].out_pad);
  w->probe = fg_points_piece(base, &used, probes);
  w->out = fg_points_piece(base, &used, outputs * n);
  w->seeds = fg_points_piece(base, &used, outputs * n);
  if (f->guided) {
    fg_real *next = base ? TILE_REST(base, used) : 0;
    if (base) fg_jet_guide_carve(&w->guide, f, p, &next);
    used += fg_jet_guide_scratch(f, p);
  }
  return used + fg_jet_carve(&w->jet, f, p, fg_points_channels(f, r), base ? TILE_REST(base, used) : 0);
}

FG_HD size_t fg_points_scratch(const fg_field *f, const fg_points_request *r, int p)
{
  fg_points_walk w;
  return fg_points_carve(&w, f, r, p, 0);
}

/* Where everything is of points first .. first + count - 1, and how the jet goes through them; row: of their time, where it
 * is shared. */
TILE_FN void fg_points_place(fg_points_walk *w, const fg_field *f, const fg_points_request *r,
                             const fg_real *row, size_t first, int count, int p, fg_real *scratch)
{
  fg_points_carve(w, f, r, p, scratch);
  w->first = first;
  w->count = count;
  w->row = row;
  if (f->guided) w->guide.row = fg_guide_row(f, row);
  fg_generator *g = &w->generator;
  g->count = fg_points_directions(f, r);
  g->gamma = r->probes > 0 ? 0 : w->gamma;
  g->probe = w->probe;
  g->c = w->c;
  g->row_t = r->kind == FG_LOSS_DENOISING ? 0 : w->direct ? w->row_t : row + w->jet.run.at.layer[0].out_pad;
  w->jet.x = w->x;
  w->jet.time = w->direct ? w->time : 0;
}

/* Coordinates and what the time of each particle says; places beyond `count` repeat the last. */
TILE_FN void fg_points_load(fg_points_walk *w)
{
  const fg_points_request *r = w->request;
  const fg_field_network *net = &w->field->as.network;
  const int p = w->p, d = w->d;
  const double share = r->probes > 0 ? sqrt(0.5 / r->probes) : sqrt(0.5);
  fg_tile_load((const double *)r->x.device + w->first * (size_t)d, w->count, d, p, w->x);
  if (r->kind == FG_LOSS_DENOISING)
    fg_tile_load((const double *)r->goal.device + w->first * (size_t)d, w->count, d, p, w->goal);
  TILE_EACH(i, p)
  {
    const fg_coeff *c = &r->coeff[(w->first + (size_t)(i < w->count ? i : w->count - 1)) / r->group];
    w->a[i] = (fg_real)c->a;
    w->g2[i] = (fg_real)c->g2;
    w->gamma[i] = (fg_real)(share * sqrt(c->g2));
    w->time[i] = (fg_real)(net->time_reversed ? net->horizon - c->t : c->t);
    const int noise = net->output == FG_OUTPUT_NOISE;
    w->scale[i] = (fg_real)(noise ? -1 / sqrt(c->v) : 1);
    w->scale_t[i] = (fg_real)(noise ? 0.5 * c->dv / (c->v * sqrt(c->v)) : 0);
  }
  TILE_SYNC();
}

/* b_k = gamma v_k, v_k of independent signs. */
TILE_FN void fg_points_probe(fg_points_walk *w)
{
  const fg_points_request *r = w->request;
  const int p = w->p, d = w->d, all = w->generator.count * d;
  TILE_EACH(i, p)
  {
    const uint64_t particle = r->first + w->first + (uint64_t)i;
    for (int from = 0; from < all; from += 128) {
      const fg_words words = fg_philox(r->seed, r->stream, particle, r->draw, (uint32_t)from / 128);
      for (int m = from; m < all && m < from + 128; m++)
        w->probe[(size_t)m * p + i] = (words.w[(m % 128) / 32] >> (m % 32)) & 1 ? w->gamma[i] : -w->gamma[i];
    }
  }
  TILE_SYNC();
}

/* a_0 of each particle, its derivative in time, and the values of all layers. */
TILE_FN void fg_points_values(fg_points_walk *w)
{
  const fg_network_layout *at = &w->jet.run.at;
  const int p = w->p, n = at->layer[0].out_pad;
  if (!w->direct) {
    fg_jet_values(&w->jet, w->x, w->row, 0);
    return;
  }
  const fg_real *__restrict__ bias = w->jet.run.packed + at->layer[0].bias;
  const fg_real *__restrict__ weight = w->jet.run.packed + at->time_weight;
  const fg_real sign = w->field->as.network.time_reversed ? (fg_real)-1 : (fg_real)1;
  fg_real *__restrict__ a_0 = w->a_0, *__restrict__ row_t = w->row_t;
  const fg_real *__restrict__ time = w->time;
  TILE_PLANE(i, k, p, n) a_0[(size_t)i * n + k] = bias[k] + time[i] * weight[k];
  TILE_EACH(k, n) row_t[k] = sign * weight[k];
  TILE_SYNC();
  fg_jet_values(&w->jet, w->x, a_0, n);
}

/* w->value of a potential's R; w->score = grad Phi. */
TILE_FN void fg_points_residual(fg_points_walk *w)
{
  const fg_generator *g = &w->generator;
  const int p = w->p, d = w->d, probes = w->request->probes > 0, guided = w->field->guided;
  fg_real *__restrict__ score = w->score, *__restrict__ c = w->c;
  const fg_real *__restrict__ x = w->x, *__restrict__ base = guided ? w->guide.base : 0;
  const fg_real *__restrict__ out = w->out;
  if (probes) fg_points_probe(w);
  fg_points_values(w);
  if (guided) fg_jet_guide_look(&w->guide, &w->jet, g, w->a);
  if (probes) fg_jet_slope(&w->jet, score);
  for (int m = 0; m < d; m++) TILE_EACH(i, p)
    {
      const int at = m * p + i;
      if (probes && guided) score[at] += base[at];
      c[at] = -w->a[i] * x[at] - (probes ? w->g2[i] * score[at] : 0);
    }
  TILE_SYNC();
  fg_generator_forward(&w->jet, g, w->out);
  TILE_EACH(i, p)
  {
    fg_real square = 0, along = 0;
    for (int m = 0; m < d; m++) {
      const int at = m * p + i;
      if (!probes) score[at] = out[at] / w->gamma[i] + (guided ? base[at] : 0);
      square += score[at] * score[at];
      along += score[at] * (score[at] - (guided ? base[at] : 0));
    }
    w->value[i] = (double)(out[g->count * p + i] + (probes ? w->g2[i] * along : 0) - w->g2[i] * square / 2 -
                           (fg_real)d * w->a[i] + (guided ? w->guide.total[i] : 0));
  }
  TILE_SYNC();
}

/* E of a vector network into w->c, |E|^2 / d into w->value. */
TILE_FN void fg_points_score_residual(fg_points_walk *w)
{
  const int p = w->p, d = w->d;
  fg_points_values(w);
  fg_pairs_forward(&w->jet, w->generator.row_t, w->out);
  const fg_real *__restrict__ out = w->out;
  TILE_EACH(i, p)
  {
    const fg_real s = w->scale[i];
    fg_real sum = 0;
    for (int k = 0; k < d; k++) {
      const fg_real net = out[(size_t)k * p + i];
      fg_real e =
          w->scale_t[i] * net + s * out[(size_t)(fg_pairs_time(d) * d + k) * p + i] - w->a[i] * s * net;
      for (int m = 0; m < d; m++) {
        const int pair = fg_pairs_at(d, k < m ? k : m, k < m ? m : k);
        const fg_real slope = s * out[(size_t)((k + 1) * d + m) * p + i];
        e -= w->g2[i] / 2 * s * out[(size_t)(pair * d + m) * p + i] +
             (w->g2[i] * s * out[(size_t)m * p + i] + w->a[i] * w->x[m * p + i]) * slope;
      }
      w->c[k * p + i] = e;
      sum += e * e;
    }
    w->value[i] = (double)(sum / (fg_real)d);
  }
  TILE_SYNC();
}

/* s - goal into w->c, |s - goal|^2 / d into w->value. */
TILE_FN void fg_points_denoise(fg_points_walk *w)
{
  const int p = w->p, d = w->d;
  const fg_network_layout *at = &w->jet.run.at;
  const fg_network_layer *last = &at->layer[at->layers - 1];
  fg_points_values(w);
  if (fg_points_potential(w->field))
    fg_jet_slope(&w->jet, w->score);
  else
    tile_dot(p, d, last->in_pad, w->jet.h[at->layers - 2], w->jet.run.packed + last->rows,
             w->jet.run.packed + last->bias, 0, w->score);
  TILE_EACH(i, p)
  {
    fg_real sum = 0;
    for (int k = 0; k < d; k++) {
      const fg_real off = w->scale[i] * w->score[k * p + i] - w->goal[k * p + i];
      w->c[k * p + i] = off;
      sum += off * off;
    }
    w->value[i] = (double)(sum / (fg_real)d);
  }
  TILE_SYNC();
}

TILE_FN void fg_points_look(fg_points_walk *w)
{
  if (w->request->kind == FG_LOSS_DENOISING)
    fg_points_denoise(w);
  else if (w->request->kind == FG_LOSS_SCORE_RESIDUAL)
    fg_points_score_residual(w);
  else
    fg_points_residual(w);
}

#include "body/points_reverse.h"

#endif

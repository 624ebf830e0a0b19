/* Gradients of the objectives on a tile (engine.h). Each path i comes with a weight c_i.
 *
 * Log-variance: the path is held fixed, d rnd / d u_k = root z or (push / spread) z; with c_i = d loss / d rnd_i the
 * tile walks its paths once more and adds c_i (d rnd / d u_k) through the control at each step: nothing is
 * stored but the state. The control v of the noising process of a bridge gets
 *   continuous  ( (u+v) time + root z ).dv + g time d div v  at (X, t_k)
 *   discrete    - back_push / deviation (X - back X' - back_push v) / deviation.dv  at (X', t_k+1).
 * KL: the tile walks forward and keeps the states X_k, then backward with the adjoint l of X:
 *   from step k   l' = l - back r,  r = (X_k - back X_{k+1}) / back_variance   (discrete form, else r = 0)
 *                 psi = push l' + d rnd_k / d u
 *                 l   = keep l' + r + (du/dx)^T psi
 * A bridge adds back_push (dv/dx)^T r to what l' loses in the discrete form, v at X_{k+1}; in the continuous one
 * (dv/dx)^T (d rnd_k / d v) and the slope of g time div v to l, v at X_k.
 * Activations and slopes at X_k are computed again on the way back, so memory does not grow with steps times width; the
 * normals z_k are drawn again from their counters. */
#ifndef FG_BODY_OBJECTIVE_H
#define FG_BODY_OBJECTIVE_H

#include "body/paths.h"

/* Where one block of tiles adds its gradient: the core, then per step a row [out_0] and the factor [FG_PAD]. */
FG_HD size_t fg_objective_row(const fg_network_layout *at)
{
  return (size_t)at->layer[0].out_pad + FG_PAD;
}

/* nodes: rows of the field, [steps] or those of a noising control */
FG_HD size_t fg_objective_size(const fg_field *f, size_t nodes)
{
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  return at.core + nodes * fg_objective_row(&at);
}

FG_HD fg_gradient fg_objective_at(const fg_control *c, fg_real *block, size_t k)
{
  const fg_network_layout *at = &c->run.at;
  fg_gradient g;
  g.core = block;
  g.row = block + at->core + k * fg_objective_row(at);
  g.tau = g.row + at->layer[0].out_pad;
  return g;
}

/* The core of a block as a packed gradient: the last layer goes from its rows, which tile_outer fills in panels, to its
 * forward panels; what is no part of the core becomes 0. */
TILE_FN void fg_objective_take_core(const fg_field *f, const fg_real *block, fg_real *packed)
{
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  const fg_network_layer *last = &at.layer[at.layers - 1];
  const int core = (int)at.core, size = (int)at.size;
  TILE_EACH(i, size) packed[i] = i < core ? block[i] : 0;
  TILE_SYNC();
  for (int k = 0; k < last->out; k++) TILE_EACH(j, last->in)
  packed[last->forward + fg_panel_place(last->in, last->out_pad, j, k)] =
      block[last->rows + fg_panel_place(last->out, last->in_pad, k, j)];
  TILE_SYNC();
}

FG_HD int fg_objective_is_kl(const fg_objective_request *r)
{
  return r->objective == FG_OBJECTIVE_KL || r->objective == FG_OBJECTIVE_KL_ITO;
}

/* Beside the walk: the cotangent of u, the adjoint of X, weights of the paths and what div v gets, and for KL all X_k,
 * which whoever has room for them puts there. */
typedef struct fg_objective_room {
  fg_real *psi, *l;   /* [d][p] */
  fg_real *c, *kappa; /* [p] */
  fg_real *path;      /* [steps], `place` reals each, or 0 */
  size_t place;
} fg_objective_room;

FG_HD fg_objective_room fg_objective_rooms(const fg_field *f, int p, fg_real **scratch)
{
  const size_t vector = (size_t)f->d * (size_t)p;
  fg_objective_room room;
  room.place = fg_whole_lanes(vector);
  room.psi = fg_cut(scratch, vector);
  room.l = fg_cut(scratch, vector);
  room.c = fg_cut(scratch, (size_t)p);
  room.kappa = fg_cut(scratch, (size_t)p);
  room.path = 0;
  return room;
}

/* Scratch: that of the walk, psi and the adjoint, weights (twice). */
FG_HD size_t fg_objective_scratch(const fg_field *f, const fg_objective_request *r, int p)
{
  const size_t vector = fg_whole_lanes((size_t)f->d * (size_t)p);
  return 2 * vector + 2 * fg_whole_lanes((size_t)p) + fg_paths_scratch(f, &r->paths, p);
}

/* Room for the states of all steps, which KL keeps. */
FG_HD size_t fg_objective_path(const fg_field *f, const fg_objective_request *r, int p)
{
  return fg_objective_is_kl(r) ? r->paths.steps * fg_whole_lanes((size_t)f->d * (size_t)p) : 0;
}

/* weight [count] in the order of the tile, 0 beyond it and for lost paths */
TILE_FN void fg_objective_weights(const fg_path_walk *w, const double *weight, fg_real *c)
{
  TILE_EACH(i, w->p) c[i] = i < w->count ? (fg_real)weight[i] : 0;
  TILE_SYNC();
}

/* The first path with a weight, or -1. */
TILE_FN int fg_objective_first(const fg_path_walk *w, const fg_real *__restrict__ c)
{
  int first = -1;
  for (int i = w->p; i-- > 0;) first = c[i] != 0 ? i : first;
  return first;
}

/* A path without weight takes the places of one that has some: where it went itself slopes may be infinite, and 0 times
 * them is NaN. No fixed point will do, since a density may have a pole anywhere. place: coordinate j of that path is at
 * j * p. */
TILE_FN void fg_objective_borrow(const fg_path_walk *w, const fg_real *__restrict__ c, const fg_real *place,
                                 fg_real *x)
{
  const int p = w->p;
  for (int j = 0; j < w->d; j++) TILE_EACH(i, p)
    {
      if (c[i] == 0) x[j * p + i] = place[j * p];
    }
  TILE_SYNC();
}

/* Such paths stay there. */
TILE_FN void fg_objective_stay(fg_path_walk *w, const fg_real *__restrict__ c)
{
  TILE_EACH(i, w->p) w->alive[i] = c[i] != 0 ? w->alive[i] : 0;
  TILE_SYNC();
}

/* Returns 0 if no path of the tile has a weight. */
TILE_FN int fg_objective_rest(fg_path_walk *w, const fg_real *__restrict__ c)
{
  const int from = fg_objective_first(w, c);
  if (from < 0) return 0;
  fg_objective_stay(w, c);
  fg_objective_borrow(w, c, w->x + from, w->x);
  return 1;
}

/* psi [d][p] = c_i scale z */
TILE_FN void fg_objective_noise(const fg_path_walk *w, const fg_real *__restrict__ c, fg_real scale,
                                fg_real *__restrict__ psi)
{
  const int p = w->p;
  for (int j = 0; j < w->d; j++) TILE_EACH(i, p) psi[j * p + i] = c[i] * scale * w->z[j * p + i];
  TILE_SYNC();
}

/* The share of v in the continuous form of step k, before the step. psi and kappa are room. */
TILE_FN void fg_objective_noising_continuous(fg_path_walk *w, size_t k, const fg_real *__restrict__ c,
                                             fg_real *__restrict__ psi, fg_real *__restrict__ kappa,
                                             fg_real *block)
{
  const fg_path_step *s = &w->request->step[k];
  const fg_real time = (fg_real)s->time, root = (fg_real)s->root;
  const fg_real g_time = (fg_real)(sqrt(w->request->coeff[k].g2) * s->time);
  const fg_gradient to = fg_objective_at(&w->noising, block, k);
  const int p = w->p;
  fg_path_meet(w, k, FG_KEEP_BENDS);
  const fg_real *__restrict__ u = w->control.u, *__restrict__ v = w->noising.u, *__restrict__ z = w->z;
  TILE_EACH(i, p) kappa[i] = c[i] * g_time;
  for (int j = 0; j < w->d; j++) {
    const int at = j * p;
    TILE_EACH(i, p) psi[at + i] = c[i] * (time * (u[at + i] + v[at + i]) + root * z[at + i]);
  }
  TILE_SYNC();
  fg_control_reverse_divergence(&w->noising, psi, kappa, &to, 0);
}

/* The share of v in the discrete form of step k, after fg_path_aim and the step. */
TILE_FN void fg_objective_noising_discrete(fg_path_walk *w, size_t k, const fg_real *__restrict__ c,
                                           fg_real *__restrict__ psi, fg_real *block)
{
  const fg_real back_push = (fg_real)fg_path_terms_of(&w->request->step[k], w->d).back_push;
  const fg_gradient to = fg_objective_at(&w->noising, block, k + 1);
  const int p = w->p;
  fg_path_meet(w, k + 1, FG_KEEP_SLOPES);
  fg_path_miss(w, k);
  const fg_real *__restrict__ miss = w->miss;
  for (int j = 0; j < w->d; j++) {
    const int at = j * p;
    TILE_EACH(i, p) psi[at + i] = -c[i] * back_push * miss[at + i];
  }
  TILE_SYNC();
  fg_control_reverse(&w->noising, psi, &to, 0, 1);
}

/* Step k of the log-variance: adds the shares of both controls. */
TILE_FN void fg_objective_variance_step(fg_path_walk *w, const fg_objective_request *r, size_t k,
                                        const fg_objective_room *room, fg_real *block, fg_real *noising)
{
  const fg_path_step *s = &r->paths.step[k];
  const int discrete = r->form == FG_FORM_DISCRETE;
  const fg_gradient to = fg_objective_at(&w->control, block, k);
  fg_path_look(w, k, FG_KEEP_SLOPES);
  if (noising && !discrete) fg_objective_noising_continuous(w, k, room->c, room->psi, room->kappa, noising);
  if (noising && discrete) fg_path_aim(w, k);
  fg_objective_noise(w, room->c, (fg_real)(discrete ? s->push / s->spread : s->root), room->psi);
  fg_control_reverse(&w->control, room->psi, &to, 0, 1);
  fg_path_move(w, k);
  if (noising && discrete) fg_objective_noising_discrete(w, k, room->c, room->psi, noising);
}

/* Log-variance, after rnd is known: weight[i] = d loss / d rnd of path first + i. noising: the block of a bridge's
 * noising control, or 0. */
TILE_FN int fg_objective_variance_tile(const fg_field *f, const fg_objective_request *r, const fg_real *rows,
                                       const double *weight, size_t first, int count, int p, fg_real *block,
                                       fg_real *noising, fg_real *scratch)
{
  fg_path_walk w;
  const fg_objective_room room = fg_objective_rooms(f, p, &scratch);
  fg_path_begin(&w, f, &r->paths, rows, first, count, p, scratch);
  fg_objective_weights(&w, weight, room.c);
  if (!fg_objective_rest(&w, room.c)) return 0;
  for (size_t k = 0; k < r->paths.steps; k++) {
    if (fg_path_cancelled(&w, k)) return 1;
    fg_objective_variance_step(&w, r, k, &room, block, noising);
  }
  return 0;
}

TILE_FN void fg_objective_copy(int n, const fg_real *__restrict__ from, fg_real *__restrict__ to)
{
  TILE_EACH(i, n) to[i] = from[i];
  TILE_SYNC();
}

/* Step k forward, X_k kept. */
TILE_FN void fg_objective_forward_step(fg_path_walk *w, size_t k, const fg_objective_room *room)
{
  const int vector = w->d * w->p;
  fg_objective_copy(vector, w->x, room->path + k * room->place);
  fg_path_take_step(w, k);
}

/* At the end: rnd, weights c (1, or 0 for a lost path), what the mean is taken of into loss [count], and the adjoint of
 * X_N. */
TILE_FN void fg_objective_turn(fg_path_walk *w, const fg_objective_request *r, const fg_objective_room *room,
                               double *loss)
{
  const int discrete = r->form == FG_FORM_DISCRETE, without = r->objective == FG_OBJECTIVE_KL && !discrete;
  const int form = discrete ? FG_FORM_DISCRETE : FG_FORM_CONTINUOUS, p = w->p, count = w->count;
  const fg_real precision =
      (fg_real)(discrete ? r->paths.discrete.end_precision : r->paths.continuous.end_precision);
  fg_real *c = room->c, *l = room->l;
  fg_path_finish(w, 1);
  fg_path_store(w);
  TILE_EACH(i, p) c[i] = i < count ? w->alive[i] : 0;
  TILE_EACH(i, count) loss[i] = w->rnd[form][i] - (without ? w->ito[i] : 0);
  TILE_SYNC();
  for (int j = 0; j < w->d; j++) TILE_EACH(i, p)
  l[j * p + i] = c[i] > 0 ? -w->next[j * p + i] - precision * w->x[j * p + i] : 0;
  TILE_SYNC();
}

/* One step back: l [d][p] at X' becomes l at X = x. */
TILE_FN void fg_objective_back(fg_path_walk *w, const fg_objective_request *r, size_t k,
                               const fg_real *__restrict__ x, const fg_real *__restrict__ z,
                               const fg_real *__restrict__ c, fg_real *__restrict__ psi,
                               fg_real *__restrict__ l)
{
  const fg_path_step *s = &r->paths.step[k];
  const int discrete = r->form == FG_FORM_DISCRETE, p = w->p;
  const fg_path_terms t = fg_path_terms_of(s, w->d);
  const fg_real deviation = (fg_real)(s->back_variance > 0 ? 1 / sqrt(s->back_variance) : 0);
  const fg_real t_keep = (fg_real)t.keep, t_push = (fg_real)t.push, t_spread = (fg_real)t.spread;
  const fg_real keep = (fg_real)s->keep, push = (fg_real)s->push, back = (fg_real)s->back;
  const fg_real time = (fg_real)s->time, ito = (fg_real)(r->objective == FG_OBJECTIVE_KL_ITO ? s->root : 0);
  fg_control_value(&w->control, x, fg_path_row(w, k), FG_KEEP_SLOPES);
  const fg_real *__restrict__ u = w->control.u;
  for (int j = 0; j < w->d; j++) {
    const int at = j * p;
    if (discrete) {
      TILE_EACH(i, p)
      {
        const fg_real miss = t_keep * x[at + i] + t_push * u[at + i] + t_spread * z[at + i];
        const fg_real pull = c[i] * miss * deviation, next = l[at + i] - back * pull;
        psi[at + i] = push * next;
        l[at + i] = keep * next + pull;
      }
    } else {
      TILE_EACH(i, p)
      {
        psi[at + i] = push * l[at + i] + c[i] * (time * u[at + i] + ito * z[at + i]);
        l[at + i] = keep * l[at + i];
      }
    }
  }
  TILE_SYNC();
}

/* The same for a bridge in the discrete form, with the gradient of v, whose place is X' = next. */
TILE_FN void fg_objective_back_discrete(fg_path_walk *w, size_t k, const fg_real *x, const fg_real *next,
                                        const fg_real *__restrict__ z, const fg_real *__restrict__ c,
                                        fg_real *__restrict__ psi, fg_real *__restrict__ l, fg_real *block)
{
  const fg_path_step *s = &w->request->step[k];
  const fg_path_terms t = fg_path_terms_of(s, w->d);
  const fg_real deviation = (fg_real)(s->back_variance > 0 ? 1 / sqrt(s->back_variance) : 0);
  const fg_real t_keep = (fg_real)t.keep, t_push = (fg_real)t.push, t_spread = (fg_real)t.spread;
  const fg_real t_back = (fg_real)t.back_push, back_push = (fg_real)s->back_push, back = (fg_real)s->back;
  const fg_real keep = (fg_real)s->keep, push = (fg_real)s->push;
  const fg_gradient to = fg_objective_at(&w->noising, block, k + 1);
  const int p = w->p, vector = w->d * p;
  fg_real *__restrict__ pull = w->miss, *__restrict__ psi_v = w->next;
  fg_control_value(&w->control, x, fg_path_row(w, k), FG_KEEP_SLOPES);
  fg_control_value(&w->noising, next, fg_path_noising_row(w, k + 1), FG_KEEP_SLOPES);
  const fg_real *__restrict__ u = w->control.u, *__restrict__ v = w->noising.u;
  for (int j = 0; j < w->d; j++) {
    const int at = j * p;
    TILE_EACH(i, p)
    {
      const fg_real miss =
          t_keep * x[at + i] + t_push * u[at + i] + t_spread * z[at + i] - t_back * v[at + i];
      pull[at + i] = c[i] * miss * deviation;
      psi_v[at + i] = -back_push * pull[at + i];
      l[at + i] -= back * pull[at + i];
    }
  }
  TILE_SYNC();
  fg_control_reverse(&w->noising, psi_v, &to, l, 1);
  TILE_EACH(i, vector)
  {
    psi[i] = push * l[i];
    l[i] = keep * l[i] + pull[i];
  }
  TILE_SYNC();
}

/* In the continuous form, v at X; kappa is room. */
TILE_FN void fg_objective_back_continuous(fg_path_walk *w, const fg_objective_request *r, size_t k, int first,
                                          const fg_real *x, const fg_real *__restrict__ z,
                                          const fg_real *__restrict__ c, fg_real *__restrict__ psi,
                                          fg_real *__restrict__ kappa, fg_real *__restrict__ l,
                                          fg_real *block)
{
  const fg_path_step *s = &r->paths.step[k];
  const fg_real keep = (fg_real)s->keep, push = (fg_real)s->push, time = (fg_real)s->time;
  const fg_real ito = (fg_real)(r->objective == FG_OBJECTIVE_KL_ITO ? s->root : 0);
  const fg_real g_time = (fg_real)(sqrt(r->paths.coeff[k].g2) * s->time);
  const fg_gradient to = fg_objective_at(&w->noising, block, k);
  const int p = w->p;
  fg_real *__restrict__ psi_v = w->next;
  fg_control_value(&w->control, x, fg_path_row(w, k), FG_KEEP_SLOPES);
  fg_control_value(&w->noising, x, fg_path_noising_row(w, k), FG_KEEP_BENDS);
  const fg_real *__restrict__ u = w->control.u, *__restrict__ v = w->noising.u;
  TILE_EACH(i, p) kappa[i] = c[i] * g_time;
  for (int j = 0; j < w->d; j++) {
    const int at = j * p;
    TILE_EACH(i, p)
    {
      psi_v[at + i] = c[i] * (time * (u[at + i] + v[at + i]) + ito * z[at + i]);
      psi[at + i] = push * l[at + i] + psi_v[at + i];
      l[at + i] = keep * l[at + i];
    }
  }
  TILE_SYNC();
  fg_control_reverse_divergence(&w->noising, psi_v, kappa, &to, first ? 0 : l);
}

/* Step k on the way back: the adjoint of X_k+1 becomes that of X_k (first: k is 0, and nobody asks), shares of both
 * controls are added. next: X_k+1 [d][p]. */
TILE_FN void fg_objective_back_step(fg_path_walk *w, const fg_objective_request *r, size_t k, int first,
                                    const fg_objective_room *room, const fg_real *next, fg_real *block,
                                    fg_real *noising)
{
  const fg_gradient to = fg_objective_at(&w->control, block, k);
  const fg_real *x = room->path + k * room->place, *z = w->z;
  fg_real *l = room->l;
  fg_path_draw(w, k);
  if (!noising)
    fg_objective_back(w, r, k, x, z, room->c, room->psi, l);
  else if (r->form == FG_FORM_DISCRETE)
    fg_objective_back_discrete(w, k, x, next, z, room->c, room->psi, l, noising);
  else
    fg_objective_back_continuous(w, r, k, first, x, z, room->c, room->psi, room->kappa, l, noising);
  fg_control_reverse(&w->control, room->psi, &to, first ? 0 : l, r->detach_score);
}

/* KL: c_i is 1, or 0 for a lost path; `noising` as above; the caller divides by the number of paths that are left. loss [count]
 * receives what the mean is taken of. path: fg_objective_path reals. */
TILE_FN int fg_objective_kl_tile(const fg_field *f, const fg_objective_request *r, const fg_real *rows,
                                 double *loss, size_t first, int count, int p, fg_real *block,
                                 fg_real *noising, fg_real *path, fg_real *scratch)
{
  fg_path_walk w;
  fg_objective_room room = fg_objective_rooms(f, p, &scratch);
  room.path = path;
  fg_path_begin(&w, f, &r->paths, rows, first, count, p, scratch);
  if (r->paths.noising) fg_path_meet_whole(&w, 0);
  for (size_t k = 0; k < r->paths.steps; k++) {
    if (fg_path_cancelled(&w, k)) return 1;
    fg_objective_forward_step(&w, k, &room);
  }
  fg_objective_turn(&w, r, &room, loss);
  const int from = fg_objective_first(&w, room.c);
  if (from < 0) return 0;
  fg_objective_borrow(&w, room.c, w.x + from, w.x);
  const fg_real *next = w.x;
  for (size_t k = r->paths.steps; k-- > 0;) {
    fg_real *x = room.path + k * room.place;
    if (fg_path_cancelled(&w, k)) return 1;
    fg_objective_borrow(&w, room.c, x + from, x);
    fg_objective_back_step(&w, r, k, k == 0, &room, next, block, noising);
    next = x;
  }
  return 0;
}

#endif

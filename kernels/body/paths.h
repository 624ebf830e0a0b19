/* Paths of a sampler on a tile, with the log Radon-Nikodym derivative rnd = -log w in both forms (engine.h). A field
 * without a guide is a score model like any other: then u = g s. With a control of the noising process the path is
 * that of a bridge (formula/path.h): v is met at each node once, for the continuous form of the step that begins
 * there and for the discrete form of the one that ends there. */
#ifndef FG_BODY_PATHS_H
#define FG_BODY_PATHS_H

#include <float.h>

#include "body/control.h"
#include "body/field.h"
#include "body/noise.h"
#include "formula/path.h"

enum { FG_PATHS_CANCEL_EVERY = 16 };

typedef struct fg_path_walk {
  const fg_field *field;
  const fg_paths_request *request;
  const fg_real *rows; /* [steps] rows of the field */
  int row_size;
  const fg_real *noising_rows; /* [steps + 1] rows of the noising control, which follow them */
  int noising_row_size;
  size_t first; /* path of the request */
  int count, p, d;
  int even;              /* all steps ask for the same quantities, needed or not */
  fg_control control;    /* only u and one where the field has no guide */
  fg_control noising;    /* v, of a bridge */
  fg_tile tile;          /* of such a field */
  fg_real *x, *next, *z; /* [d][p] */
  fg_real *miss;         /* [d][p], of a bridge: X less back X', in standard deviations */
  fg_real *divergence;   /* [p], of a bridge: div v */
  fg_real *alive;        /* [p]: 1, or 0 once a path is lost; such a path stays where it was, unused */
  double *rnd[2], *ito;  /* [p]; ito: the sum of u.z root */
  fg_real *target_row, *target_scratch, *log_rho;
} fg_path_walk;

FG_HD size_t fg_path_carve(fg_path_walk *w, const fg_field *f, const fg_paths_request *r, int p,
                           fg_real *base)
{
  const size_t vector = (size_t)f->d * (size_t)p, wide = sizeof(double) / sizeof(fg_real) * (size_t)p;
  size_t used = 0;
  w->x = fg_control_plane(base, &used, vector);
  w->next = fg_control_plane(base, &used, vector);
  w->z = fg_control_plane(base, &used, vector);
  w->alive = fg_control_plane(base, &used, (size_t)p);
  w->rnd[0] = (double *)fg_control_plane(base, &used, wide);
  w->rnd[1] = (double *)fg_control_plane(base, &used, wide);
  w->ito = (double *)fg_control_plane(base, &used, wide);
  w->log_rho = fg_control_plane(base, &used, (size_t)p);
  w->target_row = fg_control_plane(base, &used, (size_t)fg_density_row_size(&r->target));
  w->target_scratch = fg_control_plane(base, &used, fg_density_scratch(&r->target, p));
  w->miss = fg_control_plane(base, &used, r->noising ? vector : 0);
  w->divergence = fg_control_plane(base, &used, r->noising ? (size_t)p : 0);
  if (r->noising) {
    const int divergence = r->rnd[FG_FORM_CONTINUOUS].device != 0;
    used += fg_control_carve(&w->noising, r->noising, p, divergence, base ? TILE_REST(base, used) : 0);
  }
  if (f->guided) return used + fg_control_carve(&w->control, f, p, 0, base ? TILE_REST(base, used) : 0);
  w->control.u = fg_control_plane(base, &used, vector);
  w->control.one = fg_control_plane(base, &used, (size_t)p);
  w->tile.scratch = base ? TILE_REST(base, used) : 0;
  return used + fg_whole_lanes(fg_field_scratch(f, p, FG_SCORE));
}

FG_HD size_t fg_paths_scratch(const fg_field *f, const fg_paths_request *r, int p)
{
  fg_path_walk w;
  return fg_path_carve(&w, f, r, p, 0);
}

/* rnd += sign (constant - precision |x|^2 / 2) */
TILE_FN void fg_path_end(const fg_path_walk *w, double constant, double precision, double *__restrict__ rnd)
{
  const fg_real *__restrict__ x = w->x;
  const int p = w->p;
  TILE_EACH(i, p) rnd[i] += constant;
  for (int j = 0; j < w->d && precision != 0; j++)
    TILE_EACH(i, p) rnd[i] -= 0.5 * precision * (double)x[j * p + i] * (double)x[j * p + i];
  TILE_SYNC();
}

TILE_FN void fg_path_begin(fg_path_walk *w, const fg_field *f, const fg_paths_request *r, const fg_real *rows,
                           size_t first, int count, int p, fg_real *scratch)
{
  w->field = f;
  w->request = r;
  w->rows = rows;
  w->row_size = (int)fg_whole_lanes((size_t)fg_field_row_size(f));
  w->noising_rows = rows + r->steps * (size_t)w->row_size;
  w->noising_row_size = r->noising ? (int)fg_whole_lanes((size_t)fg_field_row_size(r->noising)) : 0;
  w->first = first;
  w->count = count;
  w->p = p;
  w->d = f->d;
  w->even = 0;
  fg_path_carve(w, f, r, p, scratch);
  TILE_EACH(once, 1)
  {
    if (f->guided) fg_density_row(&f->guide.density, w->control.density_row);
    fg_density_row(&r->target, w->target_row);
  }
  fg_tile_load((const double *)r->x.device + first * (size_t)f->d, count, f->d, p, w->x);
  TILE_EACH(i, p)
  {
    w->alive[i] = 1;
    w->rnd[0][i] = w->rnd[1][i] = w->ito[i] = 0;
  }
  TILE_SYNC();
  fg_path_end(w, r->continuous.start, r->continuous.start_precision, w->rnd[FG_FORM_CONTINUOUS]);
  fg_path_end(w, r->discrete.start, r->discrete.start_precision, w->rnd[FG_FORM_DISCRETE]);
}

/* What step k adds to both forms. */
TILE_FN void fg_path_weigh(fg_path_walk *w, const fg_path_step *s)
{
  const fg_path_terms terms = fg_path_terms_of(s, w->d);
  const fg_real keep = (fg_real)terms.keep, push = (fg_real)terms.push, spread = (fg_real)terms.spread;
  const fg_real root = (fg_real)s->root, half_time = (fg_real)(0.5 * s->time);
  const fg_real *__restrict__ x = w->x, *__restrict__ u = w->control.u, *__restrict__ z = w->z;
  double *__restrict__ continuous = w->rnd[FG_FORM_CONTINUOUS],
                       *__restrict__ discrete = w->rnd[FG_FORM_DISCRETE], *__restrict__ ito = w->ito;
  const int p = w->p;
  TILE_EACH(i, p)
  {
    continuous[i] -= s->drift;
    discrete[i] += terms.constant;
  }
  for (int j = 0; j < w->d; j++) {
    const int at = j * p;
    TILE_EACH(i, p)
    {
      const fg_real v = u[at + i], n = z[at + i], miss = keep * x[at + i] + push * v + spread * n;
      const double along = (double)(root * v * n);
      continuous[i] += (double)(half_time * v * v) + along;
      ito[i] += along;
      discrete[i] += (double)((fg_real)0.5 * (miss * miss - n * n));
    }
  }
  TILE_SYNC();
}

/* The same for a bridge, but for what the discrete form makes of v at X'. */
TILE_FN void fg_path_weigh_bridge(fg_path_walk *w, size_t k)
{
  const fg_path_step *s = &w->request->step[k];
  const double g_time = sqrt(w->request->coeff[k].g2) * s->time,
               constant = fg_path_terms_of(s, w->d).constant;
  const fg_real root = (fg_real)s->root, half_time = (fg_real)(0.5 * s->time);
  const fg_real *__restrict__ u = w->control.u, *__restrict__ v = w->noising.u, *__restrict__ z = w->z,
                              *__restrict__ divergence = w->divergence;
  double *__restrict__ continuous = w->rnd[FG_FORM_CONTINUOUS],
                       *__restrict__ discrete = w->rnd[FG_FORM_DISCRETE], *__restrict__ ito = w->ito;
  const int p = w->p;
  TILE_EACH(i, p)
  {
    continuous[i] += g_time * (double)divergence[i] - s->drift;
    discrete[i] += constant;
  }
  for (int j = 0; j < w->d; j++) {
    const int at = j * p;
    TILE_EACH(i, p)
    {
      const fg_real sum = u[at + i] + v[at + i], n = z[at + i];
      const double along = (double)(root * sum * n);
      continuous[i] += (double)(half_time * sum * sum) + along;
      ito[i] += along;
    }
  }
  TILE_SYNC();
}

/* miss before the step, as if v were 0 at X'. */
TILE_FN void fg_path_aim(fg_path_walk *w, size_t k)
{
  const fg_path_terms t = fg_path_terms_of(&w->request->step[k], w->d);
  const fg_real keep = (fg_real)t.keep, push = (fg_real)t.push, spread = (fg_real)t.spread;
  const fg_real *__restrict__ x = w->x, *__restrict__ u = w->control.u, *__restrict__ z = w->z;
  fg_real *__restrict__ miss = w->miss;
  const int vector = w->d * w->p;
  TILE_EACH(i, vector) miss[i] = keep * x[i] + push * u[i] + spread * z[i];
  TILE_SYNC();
}

/* After it, with v met at X'. */
TILE_FN void fg_path_miss(fg_path_walk *w, size_t k)
{
  const fg_real back_push = (fg_real)fg_path_terms_of(&w->request->step[k], w->d).back_push;
  const fg_real *__restrict__ v = w->noising.u;
  fg_real *__restrict__ miss = w->miss;
  const int vector = w->d * w->p;
  TILE_EACH(i, vector) miss[i] -= back_push * v[i];
  TILE_SYNC();
}

TILE_FN void fg_path_weigh_miss(fg_path_walk *w)
{
  const fg_real *__restrict__ miss = w->miss, *__restrict__ z = w->z;
  double *__restrict__ discrete = w->rnd[FG_FORM_DISCRETE];
  const int p = w->p;
  for (int j = 0; j < w->d; j++) {
    const int at = j * p;
    TILE_EACH(i, p)
    discrete[i] += (double)((fg_real)0.5 * (miss[at + i] * miss[at + i] - z[at + i] * z[at + i]));
  }
  TILE_SYNC();
}

/* Take the step where it is finite and within the limit. */
TILE_FN void fg_path_accept(fg_path_walk *w, size_t k)
{
  const fg_paths_request *r = w->request;
  const fg_real limit = (fg_real)(r->limit < FG_REAL_MAX ? r->limit : FG_REAL_MAX);
  int32_t *lost = (int32_t *)r->lost_step.device + w->first;
  fg_real *__restrict__ alive = w->alive, *__restrict__ was = w->control.one, *__restrict__ x = w->x,
                        *__restrict__ next = w->next;
  const int p = w->p;
  TILE_EACH(i, p) was[i] = alive[i];
  for (int j = 0; j < w->d; j++) TILE_EACH(i, p) alive[i] = fg_vabs(next[j * p + i]) <= limit ? alive[i] : 0;
  for (int j = 0; j < w->d; j++) TILE_EACH(i, p) x[j * p + i] = alive[i] > 0 ? next[j * p + i] : x[j * p + i];
  TILE_EACH(i, w->count)
  {
    if (alive[i] < was[i]) lost[i] = (int32_t)k;
  }
  TILE_SYNC();
}

FG_HD const fg_real *fg_path_row(const fg_path_walk *w, size_t k)
{
  return w->rows + k * (size_t)w->row_size;
}

/* u = g s of a field without guide. */
TILE_FN void fg_path_score(fg_path_walk *w, size_t k)
{
  const fg_real g = (fg_real)sqrt(w->request->coeff[k].g2);
  const int vector = w->d * w->p;
  fg_real *__restrict__ u = w->control.u;
  w->tile.p = w->p;
  w->tile.want = FG_SCORE;
  w->tile.x = w->x;
  w->tile.v = 0;
  w->tile.row = fg_path_row(w, k);
  w->tile.row_stride = 0;
  w->tile.score = u;
  w->tile.phi = w->tile.phi_t = w->tile.divergence = w->tile.jvp = 0;
  fg_field_tile(w->field, &w->tile);
  TILE_EACH(i, vector) u[i] *= g;
  TILE_SYNC();
}

/* The normals of step k into w->z. */
TILE_FN void fg_path_draw(fg_path_walk *w, size_t k)
{
  const fg_paths_request *r = w->request;
  fg_tile_normals(r->seed, r->stream, r->first + w->first, (uint32_t)k, w->d, w->p, w->z);
}

/* Control and noise of step k at w->x; with slopes kept a reverse may follow. */
TILE_FN void fg_path_look(fg_path_walk *w, size_t k, int keep)
{
  if (w->field->guided)
    fg_control_value(&w->control, w->x, fg_path_row(w, k), keep);
  else
    fg_path_score(w, k);
  fg_path_draw(w, k);
}

FG_HD const fg_real *fg_path_noising_row(const fg_path_walk *w, size_t k)
{
  return w->noising_rows + k * (size_t)w->noising_row_size;
}

/* The noising control at node k and w->x. */
TILE_FN void fg_path_meet(fg_path_walk *w, size_t k, int keep)
{
  fg_control_value(&w->noising, w->x, fg_path_noising_row(w, k), keep);
}

/* The same with its divergence where the continuous form needs it: not at the last node. */
TILE_FN void fg_path_meet_whole(fg_path_walk *w, size_t k)
{
  const int divergence = w->noising.curved && (k < w->request->steps || w->even), p = w->p;
  fg_real *none = w->divergence;
  fg_path_meet(w, k, divergence ? FG_KEEP_SLOPES : 0);
  if (divergence) {
    fg_control_divergence(&w->noising, w->divergence);
    return;
  }
  TILE_EACH(i, p) none[i] = 0;
  TILE_SYNC();
}

/* X' into w->next, then taken. */
TILE_FN void fg_path_move(fg_path_walk *w, size_t k)
{
  const fg_path_step *s = &w->request->step[k];
  const fg_real keep = (fg_real)s->keep, push = (fg_real)s->push, spread = (fg_real)s->spread;
  const fg_real *__restrict__ x = w->x, *__restrict__ u = w->control.u, *__restrict__ z = w->z;
  fg_real *__restrict__ next = w->next;
  const int vector = w->d * w->p;
  TILE_EACH(i, vector) next[i] = keep * x[i] + push * u[i] + spread * z[i];
  TILE_SYNC();
  fg_path_accept(w, k);
}

/* Terms at X_N; grad log rho goes to w->next if `slopes`. rnd of a lost path becomes HUGE_VAL. */
TILE_FN void fg_path_finish(fg_path_walk *w, int slopes)
{
  const fg_paths_request *r = w->request;
  fg_density_tile(&r->target, w->target_row, w->p, FG_PHI | (slopes ? FG_SCORE : 0), w->x, 0, w->log_rho,
                  w->next, 0, w->target_scratch);
  fg_path_end(w, r->continuous.end, r->continuous.end_precision, w->rnd[FG_FORM_CONTINUOUS]);
  fg_path_end(w, r->discrete.end, r->discrete.end_precision, w->rnd[FG_FORM_DISCRETE]);
  int32_t *lost = (int32_t *)r->lost_step.device + w->first;
  const int steps = (int)r->steps;
  TILE_EACH(i, w->p)
  for (int form = 0; form < 2; form++) {
    double value = w->rnd[form][i] - (double)w->log_rho[i];
    if (!(fabs(value) <= DBL_MAX) && w->alive[i] > 0) {
      w->alive[i] = 0;
      if (i < w->count) lost[i] = steps;
    }
    w->rnd[form][i] = w->alive[i] > 0 ? value : HUGE_VAL;
  }
  TILE_EACH(i, w->p)
  if (!(w->alive[i] > 0)) w->rnd[0][i] = w->rnd[1][i] = HUGE_VAL;
  TILE_SYNC();
}

TILE_FN int fg_path_cancelled(const fg_path_walk *w, size_t k)
{
  const fg_progress *progress = w->request->progress;
  return k % FG_PATHS_CANCEL_EVERY == 0 && progress && progress->cancel && *progress->cancel;
}

TILE_FN void fg_path_store(const fg_path_walk *w)
{
  for (int form = 0; form < 2; form++) {
    double *out = (double *)w->request->rnd[form].device;
    if (!out) continue;
    TILE_EACH(i, w->count) out[w->first + i] = w->rnd[form][i];
  }
}

/* Step k of a bridge after fg_path_look, with v met at node k. */
TILE_FN void fg_path_cross(fg_path_walk *w, size_t k)
{
  fg_path_weigh_bridge(w, k);
  fg_path_aim(w, k);
  fg_path_move(w, k);
  fg_path_meet_whole(w, k + 1);
  fg_path_miss(w, k);
  fg_path_weigh_miss(w);
}

/* Step k. */
TILE_FN void fg_path_take_step(fg_path_walk *w, size_t k)
{
  fg_path_look(w, k, 0);
  if (w->request->noising) {
    fg_path_cross(w, k);
    return;
  }
  fg_path_weigh(w, &w->request->step[k]);
  fg_path_move(w, k);
}

TILE_FN void fg_path_none_lost(const fg_path_walk *w)
{
  int32_t *lost = (int32_t *)w->request->lost_step.device + w->first;
  TILE_EACH(i, w->count) lost[i] = -1;
}

TILE_FN void fg_path_keep_end(const fg_path_walk *w)
{
  fg_tile_store(w->x, w->count, w->d, w->p, (double *)w->request->x.device + w->first * (size_t)w->d);
}

/* Returns 0, or 1 when the caller asked to stop. Buffers of the request are plain pointers here. X_N goes to
 * request->x if `keep_end`. */
TILE_FN int fg_paths_tile(const fg_field *f, const fg_paths_request *r, const fg_real *rows, size_t first,
                          int count, int p, int keep_end, fg_real *scratch)
{
  fg_path_walk w;
  fg_path_begin(&w, f, r, rows, first, count, p, scratch);
  fg_path_none_lost(&w);
  if (r->noising) fg_path_meet_whole(&w, 0);
  for (size_t k = 0; k < r->steps; k++) {
    if (fg_path_cancelled(&w, k)) return 1;
    fg_path_take_step(&w, k);
  }
  fg_path_finish(&w, 0);
  fg_path_store(&w);
  if (keep_end) fg_path_keep_end(&w);
  return 0;
}

#endif

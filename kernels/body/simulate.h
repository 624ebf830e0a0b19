/* One tile carried along its whole trajectory of the generative family
 *     dX = [ -f + (1 + lambda^2)/2 g^2 s ] dr + lambda g dW,   t = T - r from coeff[0].t down.
 *
 * FG_EULER (Euler-Maruyama): x' = x + b(x,t_k) h + lambda g(t_k) sqrt(h) z.
 * FG_HEUN: predictor as above, then x' = x + h/2 (b(x,t_k) + b(predictor,t_k+1)) + noise, with the same
 * noise in both, of variance lambda^2 h (g(t_k)^2 + g(t_k+1)^2)/2: weak order 2 for additive noise.
 *
 * With `refine` L the grid was cut into 2^L per base step. The base step's normal z_0 is the one of the
 * unrefined path; an interval of level l with number z is halved by a bridge: the halves have
 * (z + y)/sqrt 2 and (z - y)/sqrt 2, y an independent normal of the interval, so their increments sum to
 * the coarse one, and a path refined twice passes through the path refined once. */
#ifndef FG_BODY_SIMULATE_H
#define FG_BODY_SIMULATE_H

#include "body/field.h"
#include "body/noise.h"
#include "formula/drift.h"

enum { FG_SIMULATE_EULER = 0, FG_SIMULATE_HEUN = 1, FG_REFINE_MAX = 15, FG_CANCEL_EVERY = 16 };

typedef struct fg_walk {
  const fg_field *field;
  const fg_simulate_request *request;
  const fg_real *rows; /* [steps + 1] rows, or NULL: computed here */
  size_t first;        /* particle of the request */
  int count, p, d;
  int row_size;
  fg_tile tile;
  fg_real *x, *next, *start, *noise; /* [d][p]: state, predictor or result, score at x, normals */
  fg_real *score;                    /* [d][p]: score at the predictor */
  fg_real *row[2];                   /* of the two ends of a step, when rows is NULL */
  fg_real *log_p, *log_next;         /* [p] */
  fg_real *divergence[2];            /* [p] */
  fg_real *alive;                    /* [p]: 1, or 0 once a particle is lost */
  fg_real *level, *bridge;           /* [L][d][p]: numbers of the current intervals, and their y */
} fg_walk;

FG_HD unsigned fg_simulate_want(const fg_simulate_request *r)
{
  return r->log_p.device ? FG_SCORE | FG_DIVERGENCE : FG_SCORE;
}

FG_HD size_t fg_simulate_scratch(const fg_field *f, const fg_simulate_request *r, int p)
{
  size_t vector = fg_whole_lanes((size_t)f->d * (size_t)p);
  return 5 * vector + 2 * (size_t)r->refine * vector + 2 * fg_whole_lanes((size_t)fg_field_row_size(f)) +
         5 * fg_whole_lanes((size_t)p) + fg_whole_lanes(fg_field_scratch(f, p, fg_simulate_want(r)));
}

TILE_FN void fg_walk_begin(fg_walk *w, const fg_field *f, const fg_simulate_request *r, const fg_real *rows,
                           size_t first, int count, int p, fg_real *scratch)
{
  size_t vector = (size_t)f->d * (size_t)p, n = (size_t)p;
  w->field = f;
  w->request = r;
  w->rows = rows;
  w->first = first;
  w->count = count;
  w->p = p;
  w->d = f->d;
  w->row_size = (int)fg_whole_lanes((size_t)fg_field_row_size(f));
  w->x = fg_cut(&scratch, vector);
  w->next = fg_cut(&scratch, vector);
  w->start = fg_cut(&scratch, vector);
  w->score = fg_cut(&scratch, vector);
  w->noise = fg_cut(&scratch, vector);
  w->level = fg_cut(&scratch, fg_whole_lanes(vector) * (size_t)r->refine);
  w->bridge = fg_cut(&scratch, fg_whole_lanes(vector) * (size_t)r->refine);
  for (int end = 0; end < 2; end++) {
    w->row[end] = fg_cut(&scratch, (size_t)w->row_size);
    w->divergence[end] = fg_cut(&scratch, n);
  }
  w->log_p = fg_cut(&scratch, n);
  w->log_next = fg_cut(&scratch, n);
  w->alive = fg_cut(&scratch, n);
  w->tile.p = p;
  w->tile.want = fg_simulate_want(r);
  w->tile.v = 0;
  w->tile.row_stride = 0;
  w->tile.phi = 0;
  w->tile.phi_t = 0;
  w->tile.jvp = 0;
  w->tile.scratch = scratch;
  fg_tile_load((const double *)r->x.device + first * (size_t)f->d, count, f->d, p, w->x);
  if (r->log_p.device) fg_tile_load((const double *)r->log_p.device + first, count, 1, p, w->log_p);
  int32_t *lost = (int32_t *)r->lost_step.device + first;
  TILE_EACH(i, p) w->alive[i] = 1;
  TILE_EACH(i, count) lost[i] = -1;
}

/* Score (and divergence) at x and at node `node` of the grid. */
TILE_FN void fg_walk_score(fg_walk *w, size_t node, int end, const fg_real *x, fg_real *score)
{
  const fg_real *row = w->rows ? w->rows + node * (size_t)w->row_size : w->row[end];
  if (!w->rows) fg_field_rows(w->field, &w->request->coeff[node], 1, w->tile.want, 1, 0, w->row[end]);
  w->tile.x = x;
  w->tile.row = row;
  w->tile.score = score;
  w->tile.divergence = w->divergence[end];
  fg_field_tile(w->field, &w->tile);
}

/* Standard normals of one step (or interval) for the tile, into z [d][p]. */
TILE_FN void fg_walk_normals(const fg_walk *w, uint32_t stream, uint32_t step, fg_real *__restrict__ z)
{
  fg_tile_normals(w->request->seed, stream, w->request->first + w->first, step, w->d, w->p, z);
}

/* The normals of refined step k into w->noise. Level 0 is the base path, level L the grid in use. */
TILE_FN void fg_walk_noise(fg_walk *w, size_t k)
{
  const fg_simulate_request *r = w->request;
  int refine = r->refine;
  const int vector = w->d * w->p;
  const size_t place = fg_whole_lanes((size_t)vector);
  const fg_real half = (fg_real)0.70710678118654752440;
  for (int l = 0; l <= refine; l++) {
    size_t number = k >> (refine - l);                   /* of the interval at this level that holds step k */
    if (k & (((size_t)1 << (refine - l)) - 1)) continue; /* not its first step: known already */
    fg_real *z = l == refine ? w->noise : w->level + (size_t)l * place;
    if (l == 0) {
      fg_walk_normals(w, r->stream, (uint32_t)number, z);
      continue;
    }
    const fg_real *__restrict__ parent = w->level + (size_t)(l - 1) * place;
    fg_real *__restrict__ bridge = w->bridge + (size_t)(l - 1) * place;
    if (!(number & 1)) fg_walk_normals(w, fg_bridge_stream(r->stream, l), (uint32_t)(number >> 1), bridge);
    fg_real sign = (number & 1) ? -half : half;
    TILE_EACH(i, vector) z[i] = half * parent[i] + sign * bridge[i];
    TILE_SYNC();
  }
}

/* Take the step where all of it is finite; freeze the other particles where they are. */
TILE_FN void fg_walk_accept(fg_walk *w, size_t k)
{
  int with_log_p = w->request->log_p.device != 0;
  int32_t *lost = (int32_t *)w->request->lost_step.device + w->first;
  fg_real *__restrict__ ok = w->divergence[1];
  const fg_real most = (fg_real)FG_REAL_MAX;
  TILE_EACH(i, w->p) ok[i] = w->alive[i];
  for (int j = 0; j < w->d; j++)
    TILE_EACH(i, w->p) ok[i] = FG_MATH(fabs)(w->next[j * w->p + i]) <= most ? ok[i] : 0;
  if (with_log_p) TILE_EACH(i, w->p) ok[i] = FG_MATH(fabs)(w->log_next[i]) <= most ? ok[i] : 0;
  for (int j = 0; j < w->d; j++) {
    const int at = j * w->p;
    TILE_EACH(i, w->p) w->x[at + i] = ok[i] > 0 ? w->next[at + i] : w->x[at + i];
  }
  if (with_log_p) TILE_EACH(i, w->p) w->log_p[i] = ok[i] > 0 ? w->log_next[i] : w->log_p[i];
  TILE_EACH(i, w->count)
  {
    if (ok[i] < w->alive[i]) lost[i] = (int32_t)k;
  }
  TILE_EACH(i, w->p) w->alive[i] = ok[i];
  TILE_SYNC();
}

/* Step k, from node k to node k + 1. */
TILE_FN void fg_walk_step(fg_walk *w, size_t k)
{
  const fg_simulate_request *r = w->request;
  const fg_coeff *c = &r->coeff[k];
  int heun = r->scheme == FG_SIMULATE_HEUN, p = w->p, with_log_p = r->log_p.device != 0;
  const int vector = w->d * p;
  double h = c[0].t - c[1].t, family = 0.5 * (1 + r->lambda * r->lambda);
  double variance = heun ? 0.5 * h * (c[0].g2 + c[1].g2) : h * c[0].g2;
  fg_real sd = (fg_real)(r->lambda * sqrt(variance));
  if (k + 1 == r->steps && !r->last_step_noise) sd = 0;
  fg_real ah = (fg_real)(c[0].a * h), gh = (fg_real)(family * c[0].g2 * h);
  fg_real ah1 = (fg_real)(c[1].a * h), gh1 = (fg_real)(family * c[1].g2 * h);
  fg_real *__restrict__ x = w->x;
  fg_real *__restrict__ y = w->next;
  fg_real *__restrict__ z = w->noise;
  fg_real *__restrict__ s = w->start;
  fg_real *__restrict__ s1 = w->score;
  fg_walk_score(w, k, 0, x, s);
  if (r->lambda > 0) fg_walk_noise(w, k);
  if (!(sd > 0)) TILE_EACH(i, vector) z[i] = 0;
  TILE_EACH(i, vector) y[i] = x[i] + fg_generative_step(ah, gh, x[i], s[i]) + sd * z[i];
  TILE_SYNC();
  if (heun) {
    fg_walk_score(w, k + 1, 1, y, s1);
    TILE_EACH(i, vector)
    y[i] =
        x[i] +
        (fg_real)0.5 * (fg_generative_step(ah, gh, x[i], s[i]) + fg_generative_step(ah1, gh1, y[i], s1[i])) +
        sd * z[i];
    TILE_SYNC();
  }
  if (with_log_p) {
    fg_real dim = (fg_real)w->d, step = (fg_real)(heun ? 0.5 * h : h);
    fg_real a = (fg_real)c[0].a, g2 = (fg_real)c[0].g2, a1 = (fg_real)c[1].a, g21 = (fg_real)c[1].g2;
    TILE_EACH(i, p) w->log_next[i] = w->log_p[i] - step * fg_ode_log_drift(a, g2, dim, w->divergence[0][i]);
    if (heun) {
      TILE_EACH(i, p) w->log_next[i] -= step * fg_ode_log_drift(a1, g21, dim, w->divergence[1][i]);
    }
  }
  fg_walk_accept(w, k);
}

TILE_FN void fg_walk_snapshot(const fg_walk *w, size_t number)
{
  const fg_simulate_request *r = w->request;
  size_t at = number * r->n + w->first;
  fg_tile_store(w->x, w->count, w->d, w->p, (double *)r->snapshot_x.device + at * (size_t)w->d);
  if (r->snapshot_log_p.device)
    fg_tile_store(w->log_p, w->count, 1, w->p, (double *)r->snapshot_log_p.device + at);
}

TILE_FN void fg_walk_end(const fg_walk *w)
{
  const fg_simulate_request *r = w->request;
  fg_tile_store(w->x, w->count, w->d, w->p, (double *)r->x.device + w->first * (size_t)w->d);
  if (r->log_p.device) fg_tile_store(w->log_p, w->count, 1, w->p, (double *)r->log_p.device + w->first);
}

/* Returns 0, or 1 when the caller asked to stop. Buffers of the request are plain pointers here. */
TILE_FN int fg_simulate_tile(const fg_field *f, const fg_simulate_request *r, const fg_real *rows,
                             size_t first, int count, int p, fg_real *scratch)
{
  fg_walk w;
  size_t taken = 0;
  fg_walk_begin(&w, f, r, rows, first, count, p, scratch);
  for (size_t k = 0; k <= r->steps; k++) {
    while (taken < r->snapshots && r->snapshot_step[taken] == k) fg_walk_snapshot(&w, taken++);
    if (k == r->steps) break;
    if (k % FG_CANCEL_EVERY == 0 && r->progress && r->progress->cancel && *r->progress->cancel) return 1;
    fg_walk_step(&w, k);
  }
  fg_walk_end(&w);
  return 0;
}

#endif

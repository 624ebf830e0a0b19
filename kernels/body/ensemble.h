/* One tile along the probability-flow ODE, every particle by steps of its own: Dormand and Prince's pair
 * (formula/dopri5.h). The particles of a tile take their steps side by side, each at its own time, so each has a row of
 * its own; one that has arrived or is lost stays where it is until all have ended. Nothing that a particle does depends
 * on its neighbours. Loops that go over the particles of a tile give a particle to the same thread each time, so no
 * barrier stands between them. */
#ifndef FG_BODY_ENSEMBLE_H
#define FG_BODY_ENSEMBLE_H

#include "body/field.h"
#include "body/load.h"
#include "body/network_rows.h"
#include "formula/dopri5.h"
#include "formula/drift.h"

enum { FG_ENSEMBLE_CANCEL_EVERY = 16 };

typedef struct fg_ensemble {
  const fg_field *field;
  const fg_ensemble_request *request;
  size_t first; /* particle of the request */
  int count, p, d, parts, row_size;
  fg_tile tile;
  double *y, *next; /* [parts][p]: state, with the log-density as part d, and where the step leads */
  double *t, *h, *step, *error; /* [p]: time, size of the next step, the step as taken, its error */
  double *before, *at;          /* [p]: error of the last good step; the time of a right-hand side */
  fg_real *x, *row;             /* [d][p] where the field is looked at, and its rows */
  fg_real *k[FG_DOPRI5_STAGES]; /* [parts][p]: right-hand sides */
  fg_real *a, *g2;              /* [p] */
  int32_t *end, *good, *failed; /* [p]: fg_ensemble_end; is the step good, was the one before it not */
  int32_t *steps, *failures, *rhs, *counted,
      *taken;    /* [p]: counts; rhs up to the last good step; snapshots */
  uint32_t *bin; /* [p, 2, bins] */
} fg_ensemble;

FG_HD unsigned fg_ensemble_want(const fg_ensemble_request *r)
{
  return r->log_p.device ? FG_SCORE | FG_DIVERGENCE : FG_SCORE;
}

FG_HD size_t fg_reals_of_doubles(size_t doubles)
{
  return fg_whole_lanes(doubles * (sizeof(double) / sizeof(fg_real)));
}

FG_HD size_t fg_reals_of_ints(size_t ints)
{
  return fg_whole_lanes((ints * sizeof(int32_t) + sizeof(fg_real) - 1) / sizeof(fg_real));
}

FG_HD double *fg_cut_doubles(fg_real **next, size_t doubles)
{
  return (double *)(void *)fg_cut(next, fg_reals_of_doubles(doubles));
}

FG_HD int32_t *fg_cut_ints(fg_real **next, size_t ints)
{
  return (int32_t *)(void *)fg_cut(next, fg_reals_of_ints(ints));
}

FG_HD size_t fg_ensemble_scratch(const fg_field *f, const fg_ensemble_request *r, int p)
{
  const size_t n = (size_t)p, d = (size_t)f->d, parts = d + (r->log_p.device ? 1 : 0);
  const size_t row = fg_whole_lanes((size_t)fg_field_row_size(f));
  const size_t field = fg_field_scratch(f, p, fg_ensemble_want(r)), rows = fg_network_rows_scratch(f, p);
  return 2 * fg_reals_of_doubles(parts * n) + 6 * fg_reals_of_doubles(n) + fg_whole_lanes(d * n) + row * n +
         FG_DOPRI5_STAGES * fg_whole_lanes(parts * n) + 3 * fg_whole_lanes(n) + 8 * fg_reals_of_ints(n) +
         fg_reals_of_ints(2 * n * (size_t)r->bins) +
         (fg_whole_lanes(field) > rows ? fg_whole_lanes(field) : rows);
}

TILE_FN void fg_ensemble_cut(fg_ensemble *w, fg_real *scratch)
{
  const size_t n = (size_t)w->p, vector = (size_t)w->parts * n;
  w->y = fg_cut_doubles(&scratch, vector);
  w->next = fg_cut_doubles(&scratch, vector);
  w->t = fg_cut_doubles(&scratch, n);
  w->h = fg_cut_doubles(&scratch, n);
  w->step = fg_cut_doubles(&scratch, n);
  w->error = fg_cut_doubles(&scratch, n);
  w->before = fg_cut_doubles(&scratch, n);
  w->at = fg_cut_doubles(&scratch, n);
  w->x = fg_cut(&scratch, (size_t)w->d * n);
  w->row = fg_cut(&scratch, (size_t)w->row_size * n);
  for (int s = 0; s < FG_DOPRI5_STAGES; s++) w->k[s] = fg_cut(&scratch, vector);
  w->a = fg_cut(&scratch, n);
  w->g2 = fg_cut(&scratch, n);
  w->tile.divergence = fg_cut(&scratch, n);
  w->end = fg_cut_ints(&scratch, n);
  w->good = fg_cut_ints(&scratch, n);
  w->failed = fg_cut_ints(&scratch, n);
  w->steps = fg_cut_ints(&scratch, n);
  w->failures = fg_cut_ints(&scratch, n);
  w->rhs = fg_cut_ints(&scratch, n);
  w->counted = fg_cut_ints(&scratch, n);
  w->taken = fg_cut_ints(&scratch, n);
  w->bin = (uint32_t *)fg_cut_ints(&scratch, 2 * n * (size_t)w->request->bins);
  w->tile.scratch = scratch;
}

/* Places beyond `count` repeat the last particle. */
TILE_FN void fg_ensemble_begin(fg_ensemble *w, const fg_field *f, const fg_ensemble_request *r, size_t first,
                               int count, int p, fg_real *scratch)
{
  const int d = f->d;
  const double *x = (const double *)r->x.device + first * (size_t)d;
  const double *log_p = (const double *)r->log_p.device;
  w->field = f;
  w->request = r;
  w->first = first;
  w->count = count;
  w->p = p;
  w->d = d;
  w->parts = d + (log_p ? 1 : 0);
  w->row_size = (int)fg_whole_lanes((size_t)fg_field_row_size(f));
  fg_ensemble_cut(w, scratch);
  w->tile.p = p;
  w->tile.want = fg_ensemble_want(r);
  w->tile.x = w->x;
  w->tile.v = 0;
  w->tile.row = w->row;
  w->tile.row_stride = w->row_size;
  w->tile.phi = 0;
  w->tile.phi_t = 0;
  w->tile.jvp = 0;
  TILE_EACH(i, p)
  {
    const size_t from = (size_t)(i < count ? i : count - 1);
    for (int j = 0; j < d; j++) w->y[j * p + i] = x[from * (size_t)d + (size_t)j];
    if (log_p) w->y[d * p + i] = log_p[first + from];
    w->t[i] = r->t0;
    w->step[i] = 0;
    w->before[i] = 1e-4;
    w->end[i] = FG_ENSEMBLE_ON_ITS_WAY;
    w->failed[i] = w->steps[i] = w->failures[i] = w->rhs[i] = w->counted[i] = w->taken[i] = 0;
    for (int b = 0; b < 2 * r->bins; b++) w->bin[i * 2 * r->bins + b] = 0;
  }
}

/* ---- right-hand sides ------------------------------------------------------------------------- */

/* Time of stage s: exactly that of the end where the step leads there. */
TILE_FN double fg_ensemble_time(const fg_ensemble *w, int i, double share)
{
  const double end = w->request->t1;
  return share == 1 && w->step[i] == end - w->t[i] ? end : w->t[i] + share * w->step[i];
}

/* k = right-hand side at w->x, at `share` of each particle's step. */
TILE_FN void fg_ensemble_rhs(fg_ensemble *w, double share, fg_real *__restrict__ k)
{
  const int p = w->p, d = w->d;
  const fg_real *__restrict__ x = w->x;
  TILE_EACH(i, p)
  {
    w->at[i] = fg_ensemble_time(w, i, share);
    w->a[i] = (fg_real)fg_noising_a(&w->request->process, w->at[i]);
    w->g2[i] = (fg_real)fg_noising_g2(&w->request->process, w->at[i]);
    w->rhs[i] += w->end[i] == FG_ENSEMBLE_ON_ITS_WAY;
  }
  TILE_SYNC();
  fg_field_rows_apart(w->field, &w->request->process, p, w->at, w->tile.want, w->row_size, w->row,
                      w->tile.scratch);
  w->tile.score = k;
  fg_field_tile(w->field, &w->tile);
  TILE_SYNC();
  for (int j = 0; j < d; j++) {
    const int at = j * p;
    TILE_EACH(i, p) k[at + i] = fg_ode_drift(w->a[i], w->g2[i], x[at + i], k[at + i]);
  }
  if (w->parts > d)
    TILE_EACH(i, p) k[d * p + i] = fg_ode_log_drift(w->a[i], w->g2[i], (fg_real)d, w->tile.divergence[i]);
}

/* w->x, and for the last stage w->next: the point of stage s. Stages that do not count have weight 0. */
TILE_FN void fg_ensemble_point(fg_ensemble *w, int s)
{
  const int p = w->p, last = s == FG_DOPRI5_STAGES - 1, parts = last ? w->parts : w->d;
  double c[FG_DOPRI5_TERMS];
  const fg_real *k[FG_DOPRI5_TERMS];
  for (int q = 0; q < FG_DOPRI5_TERMS; q++) {
    c[q] = fg_dopri5_weight(s, q);
    k[q] = w->k[q < s ? q : 0];
  }
  const fg_real *__restrict__ k0 = k[0];
  const fg_real *__restrict__ k1 = k[1];
  const fg_real *__restrict__ k2 = k[2];
  const fg_real *__restrict__ k3 = k[3];
  const fg_real *__restrict__ k4 = k[4];
  const fg_real *__restrict__ k5 = k[5];
  for (int j = 0; j < parts; j++) {
    const int at = j * p;
    double *__restrict__ next = w->next + at;
    TILE_EACH(i, p)
    {
      const double sum = c[0] * (double)k0[at + i] + c[1] * (double)k1[at + i] + c[2] * (double)k2[at + i] +
                         c[3] * (double)k3[at + i] + c[4] * (double)k4[at + i] + c[5] * (double)k5[at + i];
      next[i] = w->step[i] != 0 ? w->y[at + i] + w->step[i] * sum : w->y[at + i]; /* lost: sum may be NaN */
    }
    if (j < w->d) TILE_EACH(i, p) w->x[at + i] = (fg_real)next[i];
  }
}

/* ---- norms and the first step ------------------------------------------------------------------- */

/* Weight of part j of particle i in its norm. */
TILE_FN double fg_ensemble_weight(const fg_ensemble *w, int at)
{
  return 1 / (w->request->rtol * fabs(w->y[at]) + w->request->atol);
}

/* Weighted RMS norm over the parts of particle i, of y, of k[0], or of k[1] - k[0]. */
TILE_FN double fg_ensemble_norm(const fg_ensemble *w, int i, int what)
{
  double sum = 0;
  for (int j = 0; j < w->parts; j++) {
    const int at = j * w->p + i;
    const double from = (double)w->k[0][at];
    const double e = what == 0 ? w->y[at] : what == 1 ? from : (double)w->k[1][at] - from;
    const double weighted = e * fg_ensemble_weight(w, at);
    sum += weighted * weighted;
  }
  return sqrt(sum / w->parts);
}

TILE_FN void fg_ensemble_lose(fg_ensemble *w, int i, fg_ensemble_end end)
{
  w->end[i] = end;
  w->step[i] = 0;
}

/* First steps after Hairer, Norsett and Wanner: two right-hand sides. */
TILE_FN void fg_ensemble_start(fg_ensemble *w)
{
  const fg_ensemble_request *r = w->request;
  const double span = fabs(r->t1 - r->t0), forward = r->t1 > r->t0 ? 1 : -1;
  const int p = w->p;
  TILE_EACH(i, p)
  {
    for (int j = 0; j < w->d; j++) w->x[j * p + i] = (fg_real)w->y[j * p + i];
  }
  fg_ensemble_rhs(w, 0, w->k[0]);
  TILE_EACH(i, p)
  {
    const double rate = fg_ensemble_norm(w, i, 1);
    w->error[i] = rate;
    w->h[i] = fg_dopri5_try(fg_ensemble_norm(w, i, 0), rate, span);
    if (!(rate <= DBL_MAX)) fg_ensemble_lose(w, i, FG_ENSEMBLE_NOT_FINITE);
    w->step[i] = w->end[i] == FG_ENSEMBLE_ON_ITS_WAY ? forward * w->h[i] : 0;
    for (int j = 0; j < w->d; j++) {
      const int at = j * p + i;
      w->x[at] = (fg_real)(w->y[at] + w->step[i] * (w->step[i] != 0 ? (double)w->k[0][at] : 0));
    }
  }
  fg_ensemble_rhs(w, 1, w->k[1]);
  TILE_EACH(i, p)
  {
    const double bend = fg_ensemble_norm(w, i, 2) / w->h[i];
    if (bend <= DBL_MAX) w->h[i] = fg_dopri5_first(w->h[i], w->error[i], bend, span);
    if (w->h[i] < r->least_step) w->h[i] = r->least_step;
  }
}

/* ---- snapshots ------------------------------------------------------------------------------------ */

/* Snapshot number `taken` of particle i: its state at time t within the step, or at time w->t where `still`. */
TILE_FN void fg_ensemble_keep(fg_ensemble *w, int i, double t, int still)
{
  const fg_ensemble_request *r = w->request;
  const double share = still ? 0 : (t - w->t[i]) / w->step[i];
  const size_t place = (size_t)w->taken[i] * r->n + w->first + (size_t)i;
  for (int j = 0; j < w->parts; j++) {
    const int at = j * w->p + i;
    double value = w->y[at];
    if (!still)
      value = fg_dopri5_between(share, w->step[i], value, w->next[at], (double)w->k[0][at],
                                (double)w->k[2][at], (double)w->k[3][at], (double)w->k[4][at],
                                (double)w->k[5][at], (double)w->k[6][at]);
    if (j < w->d)
      ((double *)r->snapshot_x.device)[place * (size_t)w->d + (size_t)j] = value;
    else if (r->snapshot_log_p.device)
      ((double *)r->snapshot_log_p.device)[place] = value;
  }
  w->taken[i]++;
}

/* Those at w->t, of all particles; with `rest` all that are left. */
TILE_FN void fg_ensemble_keep_still(fg_ensemble *w, int i, int rest)
{
  const fg_ensemble_request *r = w->request;
  while ((size_t)w->taken[i] < r->snapshots && (rest || r->snapshot_t[w->taken[i]] == w->t[i]))
    fg_ensemble_keep(w, i, w->t[i], 1);
}

/* Those strictly within the step of particle i. */
TILE_FN void fg_ensemble_keep_within(fg_ensemble *w, int i, double end)
{
  const fg_ensemble_request *r = w->request;
  const double forward = r->t1 > r->t0 ? 1 : -1;
  while ((size_t)w->taken[i] < r->snapshots && (end - r->snapshot_t[w->taken[i]]) * forward > 0)
    fg_ensemble_keep(w, i, r->snapshot_t[w->taken[i]], 0);
}

/* ---- steps ------------------------------------------------------------------------------------------ */

/* The step of particle i: what is left where that is less, or little more. */
TILE_FN void fg_ensemble_measure(fg_ensemble *w, int i)
{
  const fg_ensemble_request *r = w->request;
  const double left = r->t1 - w->t[i], forward = left > 0 ? 1 : -1;
  w->step[i] = 0;
  if (w->end[i] != FG_ENSEMBLE_ON_ITS_WAY) return;
  w->step[i] = 1.01 * w->h[i] >= fabs(left) ? left : forward * w->h[i];
}

TILE_FN void fg_ensemble_count(fg_ensemble *w, int i, double t)
{
  const fg_ensemble_request *r = w->request;
  const double place = t > 0 ? (log(t) - r->bin_low) * r->bins_per_log : 0;
  uint32_t *bin = w->bin + (size_t)i * 2 * (size_t)r->bins;
  int b = place > 0 ? place < r->bins ? (int)place : r->bins - 1 : 0;
  w->steps[i]++;
  if (r->bins < 1) return;
  bin[b]++;
  bin[r->bins + b] += (uint32_t)(w->rhs[i] - w->counted[i]);
  w->counted[i] = w->rhs[i];
}

/* What becomes of particle i after a step with this error: its next step size, its count, its end. */
TILE_FN void fg_ensemble_judge(fg_ensemble *w, int i)
{
  const fg_ensemble_request *r = w->request;
  const double error = w->error[i], size = fabs(w->step[i]);
  const double t = fg_ensemble_time(w, i, 1);
  w->good[i] = 0;
  if (w->end[i] != FG_ENSEMBLE_ON_ITS_WAY) return;
  if (error <= 1) {
    const double h = size / fg_dopri5_divide(error, w->before[i]);
    w->good[i] = 1;
    w->h[i] = w->failed[i] && h > size ? size : h;
    w->before[i] = error > 1e-4 ? error : 1e-4;
    w->failed[i] = 0;
    if (i < w->count) fg_ensemble_keep_within(w, i, t);
    fg_ensemble_count(w, i, t);
    w->t[i] = t;
    if (t == r->t1)
      w->end[i] = FG_ENSEMBLE_ARRIVED;
    else if (w->steps[i] >= r->max_steps)
      w->end[i] = FG_ENSEMBLE_STEPS;
    else if (w->h[i] < r->least_step)
      w->end[i] = FG_ENSEMBLE_SHORT;
    return;
  }
  w->failures[i]++;
  w->failed[i] = 1;
  w->h[i] = size / (error <= DBL_MAX ? fg_dopri5_divide_failed(error) : 5);
  if (w->h[i] < r->least_step)
    fg_ensemble_lose(w, i, error <= DBL_MAX ? FG_ENSEMBLE_SHORT : FG_ENSEMBLE_NOT_FINITE);
}

TILE_FN void fg_ensemble_error(fg_ensemble *w)
{
  const int p = w->p;
  double *__restrict__ error = w->error;
  const fg_real *__restrict__ k1 = w->k[0];
  const fg_real *__restrict__ k3 = w->k[2];
  const fg_real *__restrict__ k4 = w->k[3];
  const fg_real *__restrict__ k5 = w->k[4];
  const fg_real *__restrict__ k6 = w->k[5];
  const fg_real *__restrict__ k7 = w->k[6];
  TILE_EACH(i, p) error[i] = 0;
  for (int j = 0; j < w->parts; j++) {
    const int at = j * p;
    TILE_EACH(i, p)
    {
      const double e = w->step[i] *
                       fg_dopri5_error((double)k1[at + i], (double)k3[at + i], (double)k4[at + i],
                                       (double)k5[at + i], (double)k6[at + i], (double)k7[at + i]) *
                       fg_ensemble_weight(w, at + i);
      error[i] += e * e;
    }
  }
  TILE_EACH(i, p) error[i] = sqrt(error[i] / w->parts);
}

TILE_FN void fg_ensemble_step(fg_ensemble *w)
{
  const int p = w->p;
  TILE_EACH(i, p) fg_ensemble_measure(w, i);
  for (int s = 1; s < FG_DOPRI5_STAGES; s++) {
    fg_ensemble_point(w, s);
    fg_ensemble_rhs(w, fg_dopri5_node(s), w->k[s]);
  }
  fg_ensemble_error(w);
  TILE_EACH(i, p) fg_ensemble_judge(w, i);
  for (int j = 0; j < w->parts; j++) {
    const int at = j * p;
    TILE_EACH(i, p)
    {
      w->y[at + i] = w->good[i] ? w->next[at + i] : w->y[at + i];
      w->k[0][at + i] = w->good[i] ? w->k[6][at + i] : w->k[0][at + i];
    }
  }
  if (w->request->snapshots > 0) TILE_EACH(i, w->count)
    {
      if (w->good[i]) fg_ensemble_keep_still(w, i, 0);
    }
}

TILE_FN void fg_ensemble_finish(fg_ensemble *w)
{
  const fg_ensemble_request *r = w->request;
  const int bins = 2 * r->bins;
  double *x = (double *)r->x.device + w->first * (size_t)w->d;
  uint32_t *counts = (uint32_t *)r->counts.device + w->first * FG_ENSEMBLE_COUNTS;
  uint32_t *bin = (uint32_t *)r->bin.device + w->first / FG_ENSEMBLE_TILE * (size_t)bins;
  TILE_EACH(i, w->count)
  {
    fg_ensemble_keep_still(w, i, 1);
    for (int j = 0; j < w->d; j++) x[(size_t)i * (size_t)w->d + (size_t)j] = w->y[j * w->p + i];
    if (r->log_p.device) ((double *)r->log_p.device)[w->first + (size_t)i] = w->y[w->d * w->p + i];
    ((double *)r->t.device)[w->first + (size_t)i] = w->t[i];
    ((int32_t *)r->end.device)[w->first + (size_t)i] = w->end[i];
    counts[i * FG_ENSEMBLE_COUNTS] = (uint32_t)w->steps[i];
    counts[i * FG_ENSEMBLE_COUNTS + 1] = (uint32_t)w->failures[i];
    counts[i * FG_ENSEMBLE_COUNTS + 2] = (uint32_t)w->rhs[i];
  }
  TILE_SYNC();
  TILE_EACH(b, bins)
  {
    uint32_t sum = 0;
    for (int i = 0; i < w->count; i++) sum += w->bin[i * bins + b];
    bin[b] = sum;
  }
}

/* Particles first .. first + count - 1, `first` a multiple of FG_ENSEMBLE_TILE; p = fg_tile_size(count). Returns 0, or 1
 * when the caller asked to stop. Buffers of the request are plain pointers here, and snapshot_t one of the engine's. */
TILE_FN int fg_ensemble_tile(const fg_field *f, const fg_ensemble_request *r, size_t first, int count, int p,
                             fg_real *scratch)
{
  fg_ensemble w;
  fg_ensemble_begin(&w, f, r, first, count, p, scratch);
  TILE_EACH(i, count) fg_ensemble_keep_still(&w, i, 0);
  fg_ensemble_start(&w);
  for (int k = 0;; k++) {
    int left = 0;
    TILE_EACH(i, p) left |= w.end[i] == FG_ENSEMBLE_ON_ITS_WAY;
    if (!TILE_ANY(left)) break;
    if (k % FG_ENSEMBLE_CANCEL_EVERY == 0 && r->progress && r->progress->cancel && *r->progress->cancel)
      return 1;
    fg_ensemble_step(&w);
  }
  fg_ensemble_finish(&w);
  return 0;
}

#endif

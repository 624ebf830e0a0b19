/* A range of particles along the probability-flow ODE, every particle by steps of its own: Dormand and Prince's pair
 * (formula/dopri5.h). A tile has p places whose particles take their steps side by side, each at its own time, so each
 * has a row of its own; when one has arrived or is lost, the next of the range takes its place. That one, fresh, spends the
 * time of a step on its first two right-hand sides (stages 1 and 2), which give the length of its first step. Nothing that a
 * particle does depends on its neighbours. Loops that go over the places of a tile give a place to the same thread each
 * time, so no barrier stands between them. A step is cut into stages of one right-hand side each, with the same products. */
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
  size_t first; /* particle of the request with which the range begins */
  int count;    /* of the range */
  int p, d, parts, row_size;
  fg_tile tile;
  double *y, *next; /* [parts][p]: state, with the log-density as part d, and where the step leads */
  double *t, *h, *step, *error; /* [p]: time, size of the next step, the step as taken, its error */
  double *before, *at;          /* [p]: error of the last good step; the time of a right-hand side */
  fg_real *x, *row, *score;     /* [d][p] where the field is looked at, its rows, and what it says */
  fg_real *k[FG_DOPRI5_STAGES]; /* [parts][p]: right-hand sides */
  fg_real *a, *g2;              /* [p] */
  int32_t *end, *good, *failed; /* [p]: fg_ensemble_end; is the step good, was the one before it not */
  int32_t *steps, *failures, *rhs, *counted,
      *taken;           /* [p]: counts; rhs up to the last good step; snapshots */
  int32_t *who, *fresh; /* [p]: particle of the range, or -1; has it no step behind it yet */
  int32_t *gone;        /* [p]: the places whose particles have just ended, in order */
  int32_t *number;      /* [FG_ENSEMBLE_NUMBERS] */
  uint32_t *bin;        /* [p, 2, bins] */
  uint32_t *bins; /* [count / unit, 2, bins]: where those of `unit` particles of the range are added up */
  int unit;
} fg_ensemble;

/* Numbers of a tile. */
enum {
  FG_ENSEMBLE_NEXT, /* of the range: the particle that begins next; for the first of the places gone, */
  FG_ENSEMBLE_BASE, /* ... this one */
  FG_ENSEMBLE_GONE, /* places gone */
  FG_ENSEMBLE_LEFT, /* particles of the range that have not ended */
  FG_ENSEMBLE_NUMBERS
};

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
  return 2 * fg_reals_of_doubles(parts * n) + 6 * fg_reals_of_doubles(n) + 2 * fg_whole_lanes(d * n) +
         row * n + FG_DOPRI5_STAGES * fg_whole_lanes(parts * n) + 3 * fg_whole_lanes(n) +
         11 * fg_reals_of_ints(n) + fg_reals_of_ints(FG_ENSEMBLE_NUMBERS) +
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
  w->score = fg_cut(&scratch, (size_t)w->d * n);
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
  w->who = fg_cut_ints(&scratch, n);
  w->fresh = fg_cut_ints(&scratch, n);
  w->gone = fg_cut_ints(&scratch, n);
  w->number = fg_cut_ints(&scratch, FG_ENSEMBLE_NUMBERS);
  w->bin = (uint32_t *)fg_cut_ints(&scratch, 2 * n * (size_t)w->request->bins);
  w->tile.scratch = scratch;
}

/* Where all of it lies; no loops. */
TILE_FN void fg_ensemble_place(fg_ensemble *w, const fg_field *f, const fg_ensemble_request *r, size_t first,
                               int count, int p, fg_real *scratch)
{
  w->field = f;
  w->request = r;
  w->first = first;
  w->count = count;
  w->p = p;
  w->d = f->d;
  w->parts = f->d + (r->log_p.device ? 1 : 0);
  w->row_size = (int)fg_whole_lanes((size_t)fg_field_row_size(f));
  w->bins = (uint32_t *)r->bin.device + first / FG_ENSEMBLE_TILE * 2 * (size_t)r->bins;
  w->unit = FG_ENSEMBLE_TILE;
  fg_ensemble_cut(w, scratch);
  w->tile.p = p;
  w->tile.want = fg_ensemble_want(r);
  w->tile.x = w->x;
  w->tile.v = 0;
  w->tile.row = w->row;
  w->tile.row_stride = w->row_size;
  w->tile.phi = 0;
  w->tile.phi_t = 0;
  w->tile.score = w->score;
  w->tile.jvp = 0;
}

/* Particle q of the range at place i. */
TILE_FN void fg_ensemble_load(fg_ensemble *w, int i, int q)
{
  const fg_ensemble_request *r = w->request;
  const size_t from = w->first + (size_t)q, d = (size_t)w->d;
  for (int j = 0; j < w->parts; j++) {
    const int at = j * w->p + i;
    w->y[at] = j < w->d ? ((const double *)r->x.device)[from * d + (size_t)j]
                        : ((const double *)r->log_p.device)[from];
    w->k[0][at] = 0;
  }
  w->who[i] = q;
  w->t[i] = r->t0;
  w->before[i] = 1e-4;
  w->end[i] = FG_ENSEMBLE_ON_ITS_WAY;
  w->fresh[i] = 1;
  w->failed[i] = w->steps[i] = w->failures[i] = w->rhs[i] = w->counted[i] = w->taken[i] = 0;
}

/* ---- right-hand sides ------------------------------------------------------------------------- */

/* Time of stage s: exactly that of the end where the step leads there. */
TILE_FN double fg_ensemble_time(const fg_ensemble *w, int i, double share)
{
  const double end = w->request->t1;
  return share == 1 && w->step[i] == end - w->t[i] ? end : w->t[i] + share * w->step[i];
}

/* k[s] = right-hand side at w->x, at stage s of each particle's step; fresh ones have two, at the ends of their trial. */
TILE_FN void fg_ensemble_rhs(fg_ensemble *w, int s)
{
  const int p = w->p, d = w->d;
  const double share = fg_dopri5_node(s);
  const fg_real *__restrict__ x = w->x;
  const fg_real *__restrict__ score = w->score;
  fg_real *__restrict__ k = w->k[s];
  TILE_EACH(i, p)
  {
    const int fresh = w->fresh[i];
    w->at[i] = fg_ensemble_time(w, i, fresh && s == 2 ? 1 : share);
    w->a[i] = (fg_real)fg_noising_a(&w->request->process, w->at[i]);
    w->g2[i] = (fg_real)fg_noising_g2(&w->request->process, w->at[i]);
    w->rhs[i] += w->end[i] == FG_ENSEMBLE_ON_ITS_WAY && !(fresh && s > 2);
  }
  TILE_SYNC();
  fg_field_rows_apart(w->field, &w->request->process, p, w->at, w->tile.want, w->row_size, w->row,
                      w->tile.scratch);
  fg_field_tile(w->field, &w->tile);
  TILE_SYNC();
  for (int j = 0; j < d; j++) {
    const int at = j * p;
    TILE_EACH(i, p) k[at + i] = fg_ode_drift(w->a[i], w->g2[i], x[at + i], score[at + i]);
  }
  if (w->parts > d)
    TILE_EACH(i, p) k[d * p + i] = fg_ode_log_drift(w->a[i], w->g2[i], (fg_real)d, w->tile.divergence[i]);
}

/* Where an explicit Euler step of a fresh particle leads. */
TILE_FN void fg_ensemble_trial(fg_ensemble *w, int i)
{
  for (int j = 0; j < w->d; j++) {
    const int at = j * w->p + i;
    w->x[at] = (fg_real)(w->y[at] + w->step[i] * (w->step[i] != 0 ? (double)w->k[0][at] : 0));
  }
}

/* w->x, and for the last stage w->next: the point of stage s, or of the trial of a fresh particle. Stages that do not count
 * have weight 0. */
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
  if (s == 2) TILE_EACH(i, p)
    {
      if (w->fresh[i]) fg_ensemble_trial(w, i);
    }
}

/* ---- norms and the first step ------------------------------------------------------------------- */

/* Weight of part j of particle i in its norm. */
TILE_FN double fg_ensemble_weight(const fg_ensemble *w, int at)
{
  return 1 / (w->request->rtol * fabs(w->y[at]) + w->request->atol);
}

/* Weighted RMS norm over the parts of particle i, of y, of k[0], or of k[2] - k[0]. */
TILE_FN double fg_ensemble_norm(const fg_ensemble *w, int i, int what)
{
  double sum = 0;
  for (int j = 0; j < w->parts; j++) {
    const int at = j * w->p + i;
    const double from = (double)w->k[0][at];
    const double e = what == 0 ? w->y[at] : what == 1 ? from : (double)w->k[2][at] - from;
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

/* First steps after Hairer, Norsett and Wanner: from the right-hand side at the start, a trial, */
TILE_FN void fg_ensemble_first(fg_ensemble *w, int i)
{
  const fg_ensemble_request *r = w->request;
  const double span = fabs(r->t1 - r->t0), forward = r->t1 > r->t0 ? 1 : -1;
  for (int j = 0; j < w->parts; j++) w->k[0][j * w->p + i] = w->k[1][j * w->p + i];
  const double rate = fg_ensemble_norm(w, i, 1);
  w->error[i] = rate;
  w->h[i] = fg_dopri5_try(fg_ensemble_norm(w, i, 0), rate, span);
  if (!(rate <= DBL_MAX)) fg_ensemble_lose(w, i, FG_ENSEMBLE_NOT_FINITE);
  w->step[i] = w->end[i] == FG_ENSEMBLE_ON_ITS_WAY ? forward * w->h[i] : 0;
}

/* ... and from that at the trial's end the length of the first step. */
TILE_FN void fg_ensemble_second(fg_ensemble *w, int i)
{
  const fg_ensemble_request *r = w->request;
  const double bend = fg_ensemble_norm(w, i, 2) / w->h[i];
  if (bend <= DBL_MAX) w->h[i] = fg_dopri5_first(w->h[i], w->error[i], bend, fabs(r->t1 - r->t0));
  if (w->h[i] < r->least_step) w->h[i] = r->least_step;
  w->step[i] = 0;
}

/* ---- snapshots ------------------------------------------------------------------------------------ */

/* Snapshot number `taken` of particle i: its state at time t within the step, or at time w->t where `still`. */
TILE_FN void fg_ensemble_keep(fg_ensemble *w, int i, double t, int still)
{
  const fg_ensemble_request *r = w->request;
  const double share = still ? 0 : (t - w->t[i]) / w->step[i];
  const size_t place = (size_t)w->taken[i] * r->n + w->first + (size_t)w->who[i];
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

/* The step of particle i: what is left where that is less, or little more; a fresh one stays where it is. */
TILE_FN void fg_ensemble_measure(fg_ensemble *w, int i)
{
  const fg_ensemble_request *r = w->request;
  const double left = r->t1 - w->t[i], forward = left > 0 ? 1 : -1;
  w->step[i] = 0;
  if (w->end[i] != FG_ENSEMBLE_ON_ITS_WAY || w->fresh[i]) return;
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
  const int stays = w->fresh[i] || w->end[i] != FG_ENSEMBLE_ON_ITS_WAY;
  w->good[i] = w->fresh[i] = 0;
  if (stays) return;
  if (error <= 1) {
    const double h = size / fg_dopri5_divide(error, w->before[i]);
    w->good[i] = 1;
    w->h[i] = w->failed[i] && h > size ? size : h;
    w->before[i] = error > 1e-4 ? error : 1e-4;
    w->failed[i] = 0;
    fg_ensemble_keep_within(w, i, t);
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

/* The end of a step, after its last right-hand side. */
TILE_FN void fg_ensemble_take(fg_ensemble *w)
{
  const int p = w->p;
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
  if (w->request->snapshots > 0) TILE_EACH(i, p)
    {
      if (w->good[i]) fg_ensemble_keep_still(w, i, 0);
    }
}

/* Stage s = 1 .. 6 of a step: one right-hand side, and what comes before and after it. */
TILE_FN void fg_ensemble_stage(fg_ensemble *w, int s)
{
  const int p = w->p;
  if (s == 1) TILE_EACH(i, p) fg_ensemble_measure(w, i);
  fg_ensemble_point(w, s);
  fg_ensemble_rhs(w, s);
  if (s == 1) TILE_EACH(i, p)
    {
      if (w->fresh[i]) fg_ensemble_first(w, i);
    }
  if (s == 2) TILE_EACH(i, p)
    {
      if (w->fresh[i]) fg_ensemble_second(w, i);
    }
  if (s == FG_DOPRI5_STAGES - 1) fg_ensemble_take(w);
}

/* ---- particles come and go ---------------------------------------------------------------------------- */

/* Has the particle at place i ended, its place being still its own? */
TILE_FN int fg_ensemble_is_over(const fg_ensemble *w, int i)
{
  return w->who[i] >= 0 && w->end[i] != FG_ENSEMBLE_ON_ITS_WAY;
}

TILE_FN void fg_ensemble_begin(fg_ensemble *w)
{
  const int p = w->p, bins = 2 * w->request->bins;
  const int rows = (w->count + w->unit - 1) / w->unit, last = w->count > 0 ? w->count - 1 : 0;
  TILE_EACH(i, p)
  {
    fg_ensemble_load(w, i, i < w->count ? i : last);
    for (int b = 0; b < bins; b++) w->bin[i * bins + b] = 0;
    if (i < w->count) {
      fg_ensemble_keep_still(w, i, 0);
    } else { /* of few particles: an empty place */
      w->who[i] = -1;
      w->end[i] = FG_ENSEMBLE_ARRIVED;
      w->fresh[i] = 0;
    }
  }
  TILE_EACH(b, rows * bins) w->bins[b] = 0;
  TILE_EACH(once, 1)
  {
    w->number[FG_ENSEMBLE_NEXT] = p < w->count ? p : w->count;
    w->number[FG_ENSEMBLE_BASE] = w->number[FG_ENSEMBLE_GONE] = 0;
    w->number[FG_ENSEMBLE_LEFT] = w->count;
  }
  TILE_SYNC();
}

TILE_FN void fg_ensemble_leave(fg_ensemble *w, int i)
{
  const fg_ensemble_request *r = w->request;
  const size_t q = w->first + (size_t)w->who[i], d = (size_t)w->d;
  uint32_t *counts = (uint32_t *)r->counts.device + q * FG_ENSEMBLE_COUNTS;
  fg_ensemble_keep_still(w, i, 1);
  for (int j = 0; j < w->d; j++) ((double *)r->x.device)[q * d + (size_t)j] = w->y[j * w->p + i];
  if (r->log_p.device) ((double *)r->log_p.device)[q] = w->y[w->d * w->p + i];
  ((double *)r->t.device)[q] = w->t[i];
  ((int32_t *)r->end.device)[q] = w->end[i];
  counts[0] = (uint32_t)w->steps[i];
  counts[1] = (uint32_t)w->failures[i];
  counts[2] = (uint32_t)w->rhs[i];
}

/* List the places whose particles have ended, and hand out the next of the range; by one thread. */
TILE_FN void fg_ensemble_list(fg_ensemble *w)
{
  int32_t *number = w->number;
  int gone = 0;
  for (int i = 0; i < w->p; i++)
    if (fg_ensemble_is_over(w, i)) w->gone[gone++] = i;
  number[FG_ENSEMBLE_BASE] = number[FG_ENSEMBLE_NEXT];
  number[FG_ENSEMBLE_NEXT] =
      w->count - number[FG_ENSEMBLE_BASE] > gone ? number[FG_ENSEMBLE_BASE] + gone : w->count;
  number[FG_ENSEMBLE_GONE] = gone;
  number[FG_ENSEMBLE_LEFT] -= gone;
}

/* Particle q of the range at place i, if there is one. */
TILE_FN void fg_ensemble_replace(fg_ensemble *w, int i, int q)
{
  w->who[i] = -1;
  if (q >= w->count) return;
  fg_ensemble_load(w, i, q);
  fg_ensemble_keep_still(w, i, 0);
}

/* Particles that have ended leave their places to the next of the range. */
TILE_FN void fg_ensemble_change(fg_ensemble *w)
{
  const int p = w->p, bins = 2 * w->request->bins;
  const int32_t *number = w->number;
  TILE_EACH(i, p)
  {
    if (fg_ensemble_is_over(w, i)) fg_ensemble_leave(w, i);
  }
  TILE_SYNC();
  TILE_EACH(once, 1) fg_ensemble_list(w);
  TILE_SYNC();
  TILE_EACH(b, bins)
  {
    for (int k = 0; k < number[FG_ENSEMBLE_GONE]; k++) {
      const int i = w->gone[k];
      w->bins[(size_t)(w->who[i] / w->unit * bins + b)] += w->bin[i * bins + b];
      w->bin[i * bins + b] = 0;
    }
  }
  TILE_SYNC();
  TILE_EACH(k, p)
  {
    if (k < number[FG_ENSEMBLE_GONE]) fg_ensemble_replace(w, w->gone[k], number[FG_ENSEMBLE_BASE] + k);
  }
  TILE_SYNC();
}

#ifdef TILE_ANY /* else an engine goes stage by stage */
/* Particles first .. first + count - 1, `first` a multiple of FG_ENSEMBLE_TILE; p = fg_tile_size(count) or less. Returns 0,
 * or 1 when the caller asked to stop. Buffers of the request are plain pointers here, and snapshot_t one of the engine's. */
TILE_FN int fg_ensemble_tile(const fg_field *f, const fg_ensemble_request *r, size_t first, int count, int p,
                             fg_real *scratch)
{
  fg_ensemble w;
  fg_ensemble_place(&w, f, r, first, count, p, scratch);
  fg_ensemble_begin(&w);
  for (int k = 0;; k++) {
    int over = 0;
    if (k % FG_ENSEMBLE_CANCEL_EVERY == 0 && r->progress && r->progress->cancel && *r->progress->cancel)
      return 1;
    for (int s = 1; s < FG_DOPRI5_STAGES; s++) fg_ensemble_stage(&w, s);
    TILE_EACH(i, p) over |= fg_ensemble_is_over(&w, i);
    if (!TILE_ANY(over)) continue;
    fg_ensemble_change(&w);
    if (w.number[FG_ENSEMBLE_LEFT] == 0) return 0;
  }
}
#endif

#endif

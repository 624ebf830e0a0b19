/* Max-sliced W2: ascent on the sphere of directions. Along a direction u the cost is the least, over plans, of
 * u'M u with M = sum P_ij (x_i - y_j)(x_i - y_j)'; its gradient is 2 M u with the M of the monotone plan. The step to M u
 * itself (the power method) may fall, since another plan is cheaper there: hence steps that are tried and shortened. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"
#include "analysis/transport/slices.h"

#define FG_FLAT 1e-9    /* slope at which a climb has arrived */
#define FG_RISE 1e-12   /* rise, as a share of the cost, that is not worth a step */
#define FG_ENOUGH 1e-4  /* Armijo: share of the rise that the slope promises */
enum { FG_TRIES = 24 }; /* shortenings of one step */

/* A place on the sphere. */
typedef struct fg_summit {
  double *direction; /* [d] */
  double squared, slope;
  size_t steps;
  int settled;
} fg_summit;

typedef struct fg_ascent {
  const fg_w2_max_sliced_settings *settings;
  fg_pair pair;
  size_t drawn, starts; /* directions: those of the seed, and the difference of the means */
  double *mean;         /* [d] that difference, unit length; 0 where they agree */
  double *squared;      /* [drawn] */
  double *room;         /* [workers, 3 d] */
  fg_summit *summits;   /* [starts] */
  fg_slicer *slicers;
  int slicer_count;
  const fg_progress *progress;
  pthread_mutex_t lock; /* guards done and the report */
  size_t done;
} fg_ascent;

void fg_w2_max_sliced_defaults(fg_w2_max_sliced_settings *settings)
{
  memset(settings, 0, sizeof *settings);
  settings->directions = 100;
  settings->starts = 4;
  settings->steps = 200;
  settings->seed = 1;
}

static double fg_dot(size_t d, const double *a, const double *b)
{
  double sum = 0;
  for (size_t k = 0; k < d; k++) sum += a[k] * b[k];
  return sum;
}

static void fg_ascent_count(fg_ascent *a)
{
  pthread_mutex_lock(&a->lock);
  fg_progress_report(a->progress, "max_sliced", (double)++a->done, (double)(a->drawn + a->starts));
  pthread_mutex_unlock(&a->lock);
}

/* ---- where to start ------------------------------------------------------------------ */

static void fg_ascent_direction(const fg_ascent *a, size_t number, double *direction)
{
  if (number < a->settings->directions)
    fg_direction(a->settings->seed, number, a->pair.d, direction);
  else
    memcpy(direction, a->mean, a->pair.d * sizeof *direction);
}

static void fg_drawn_task(void *argument, size_t task, int worker)
{
  fg_ascent *a = argument;
  fg_slicer *own = &a->slicers[worker];
  if (fg_progress_cancelled(a->progress)) return;
  fg_ascent_direction(a, task, own->direction);
  a->squared[task] = fg_slice_cost(&a->pair, own, own->direction);
  fg_ascent_count(a);
}

static void fg_ascent_means(fg_ascent *a)
{
  const fg_pair *pair = &a->pair;
  const size_t d = pair->d;
  for (size_t k = 0; k < d; k++) {
    fg_sum sum = {0, 0};
    for (size_t i = 0; i < pair->n; i++) fg_sum_add(&sum, pair->share_x[i] * pair->x[i * d + k]);
    for (size_t j = 0; j < pair->m; j++) fg_sum_add(&sum, -pair->share_y[j] * pair->y[j * d + k]);
    a->mean[k] = fg_sum_value(&sum);
  }
  const double length = sqrt(fg_dot(d, a->mean, a->mean));
  for (size_t k = 0; k < d; k++) a->mean[k] = length > 0 ? a->mean[k] / length : 0;
}

/* The best `starts` of the drawn ones, best first; of equals the first. */
static void fg_ascent_choose(fg_ascent *a)
{
  for (size_t s = 0; s < a->starts; s++) {
    size_t best = 0;
    for (size_t k = 1; k < a->drawn; k++)
      if (a->squared[k] > a->squared[best]) best = k;
    fg_ascent_direction(a, best, a->summits[s].direction);
    a->squared[best] = -1;
  }
}

/* ---- one climb ----------------------------------------------------------------------- */

/* tangent = gradient along the sphere, halved; its square. */
static double fg_climb_tangent(const fg_ascent *a, const fg_slicer *own, const fg_summit *at, double *tangent)
{
  const size_t d = a->pair.d;
  fg_slice_gradient(&a->pair, own, tangent);
  for (int again = 0; again < 2; again++) { /* once more: what is left beside a long gradient is rounding */
    const double along = fg_dot(d, tangent, at->direction);
    for (size_t k = 0; k < d; k++) tangent[k] -= along * at->direction[k];
  }
  return fg_dot(d, tangent, tangent);
}

/* Along the tangent by `step`, a quarter of it each time that the rise is too small. 0: there is none. */
static int fg_climb_step(const fg_ascent *a, fg_slicer *own, fg_summit *at, const double *tangent,
                         double square, double step, double *trial)
{
  const size_t d = a->pair.d;
  for (int turn = 0; turn < FG_TRIES; turn++, step /= 4) {
    for (size_t k = 0; k < d; k++) trial[k] = at->direction[k] + step * tangent[k];
    const double length = sqrt(fg_dot(d, trial, trial));
    for (size_t k = 0; k < d; k++) trial[k] /= length;
    const double squared = fg_slice_sort(&a->pair, own, trial);
    if (squared - at->squared < FG_ENOUGH * 2 * step * square ||
        squared - at->squared <= FG_RISE * at->squared)
      continue;
    at->squared = squared;
    return 1;
  }
  return 0;
}

/* Step lengths of Barzilai and Borwein: the curvature seen between the last two places. The first is the power step. */
static void fg_climb(const fg_ascent *a, fg_slicer *own, fg_summit *at, double *room)
{
  const size_t d = a->pair.d;
  double *tangent = room, *trial = room + d, *next = room + 2 * d;
  at->squared = fg_slice_sort(&a->pair, own, at->direction);
  at->settled = !(at->squared > 0);
  if (at->settled) return;
  double square = fg_climb_tangent(a, own, at, tangent), step = 1 / at->squared;
  for (; at->steps < a->settings->steps && !at->settled; at->steps++) {
    at->slope = 2 * sqrt(square) / at->squared;
    at->settled = at->slope < FG_FLAT || fg_progress_cancelled(a->progress) ||
                  !fg_climb_step(a, own, at, tangent, square, step, trial);
    if (at->settled) return;
    double moved = 0, bend = 0;
    for (size_t k = 0; k < d; k++) {
      const double move = trial[k] - at->direction[k];
      at->direction[k] = trial[k];
      trial[k] = move;
    }
    square = fg_climb_tangent(a, own, at, next);
    for (size_t k = 0; k < d; k++) {
      moved += trial[k] * trial[k];
      bend += trial[k] * (tangent[k] - next[k]);
      tangent[k] = next[k];
    }
    step = bend > 0 ? moved / bend : 4 * step;
    step = fmin(1e4, fmax(1e-4, step * at->squared)) / at->squared;
  }
  at->slope = 2 * sqrt(square) / at->squared;
}

static void fg_climb_task(void *argument, size_t task, int worker)
{
  fg_ascent *a = argument;
  if (fg_progress_cancelled(a->progress)) return;
  fg_climb(a, &a->slicers[worker], &a->summits[task], a->room + (size_t)worker * 3 * a->pair.d);
  fg_ascent_count(a);
}

/* ---- all climbs ---------------------------------------------------------------------- */

static fg_code fg_ascent_allocate(fg_ascent *a, fg_threads *threads, fg_status *st)
{
  const size_t d = a->pair.d;
  a->slicer_count = fg_threads_count(threads);
  FG_TRY(fg_slicers_create(&a->pair, a->slicer_count, &a->slicers, st));
  a->drawn = a->settings->directions + 1;
  a->starts = a->settings->starts < a->drawn ? a->settings->starts : a->drawn;
  a->mean = calloc(d, sizeof *a->mean);
  a->squared = calloc(a->drawn, sizeof *a->squared);
  a->room = calloc((size_t)a->slicer_count * 3 * d, sizeof *a->room);
  a->summits = calloc(a->starts, sizeof *a->summits);
  bool lacks = !a->mean || !a->squared || !a->room || !a->summits;
  for (size_t s = 0; !lacks && s < a->starts; s++) {
    a->summits[s].direction = calloc(d, sizeof *a->summits[s].direction);
    lacks = !a->summits[s].direction;
  }
  if (lacks) return FG_FAIL(st, FG_MEMORY, "no memory for %zu directions of dimension %zu", a->drawn, d);
  return FG_OK;
}

static void fg_ascent_clear(fg_ascent *a)
{
  fg_slicers_destroy(a->slicer_count, &a->slicers);
  for (size_t s = 0; a->summits && s < a->starts; s++) free(a->summits[s].direction);
  free(a->summits);
  free(a->mean);
  free(a->squared);
  free(a->room);
  fg_pair_clear(&a->pair);
  pthread_mutex_destroy(&a->lock);
}

static fg_code fg_ascent_result(const fg_ascent *a, double *direction, fg_w2_steepest *result, fg_status *st)
{
  fg_w2 w2;
  const fg_summit *best = &a->summits[0];
  result->steps = result->unsettled = 0;
  for (size_t s = 0; s < a->starts; s++) {
    const fg_summit *at = &a->summits[s];
    result->steps += at->steps;
    result->unsettled += !at->settled;
    if (at->squared > best->squared) best = at;
  }
  FG_TRY(fg_w2_finish(best->squared, best->squared, a->pair.exponent, &w2, st));
  result->squared = w2.squared;
  result->value = w2.value;
  result->slope = best->slope;
  result->n = a->pair.n;
  result->m = a->pair.m;
  if (direction) memcpy(direction, best->direction, a->pair.d * sizeof *direction);
  return FG_OK;
}

static fg_code fg_max_sliced_line(size_t n, size_t m, const double *x, const double *wx, const double *y,
                                  const double *wy, double *direction, fg_w2_steepest *result, fg_status *st)
{
  fg_w2 w2;
  FG_TRY(fg_w2_exact(NULL, NULL, n, m, 1, x, wx, y, wy, NULL, &w2, st));
  *result =
      (fg_w2_steepest){.squared = w2.squared, .value = w2.value, .n = w2.n, .m = w2.m, .seconds = w2.seconds};
  if (direction) *direction = 1;
  return FG_OK;
}

fg_code fg_w2_max_sliced(fg_threads *threads, const fg_w2_max_sliced_settings *settings, size_t n, size_t m,
                         size_t d, const double *x, const double *wx, const double *y, const double *wy,
                         const fg_progress *progress, double *direction, fg_w2_steepest *result,
                         fg_status *st)
{
  const double start = fg_seconds();
  fg_ascent a = {.settings = settings, .progress = progress};
  fg_code rc = FG_OK;
  if (settings->directions < 1 || settings->directions >= UINT32_MAX || settings->starts < 1)
    return FG_FAIL(st, FG_USAGE,
                   "max-sliced W2 from %zu of %zu directions: give 1 to 2^32 - 2 and at least 1 start",
                   settings->starts, settings->directions);
  if (d == 1) return fg_max_sliced_line(n, m, x, wx, y, wy, direction, result, st);
  FG_TRY(fg_pair_create(n, m, d, x, wx, y, wy, &a.pair, st));
  pthread_mutex_init(&a.lock, NULL);
  FG_GO(fg_ascent_allocate(&a, threads, st), done);
  fg_pair_move(&a.pair);
  fg_ascent_means(&a);
  fg_threads_run(threads, a.drawn, fg_drawn_task, &a);
  fg_ascent_choose(&a);
  fg_threads_run(threads, a.starts, fg_climb_task, &a);
  if (fg_progress_cancelled(progress)) {
    rc = FG_FAIL(st, FG_INTERRUPTED, "max-sliced W2 was interrupted after %zu of %zu directions and climbs",
                 a.done, a.drawn + a.starts);
    goto done;
  }
  FG_GO(fg_ascent_result(&a, direction, result, st), done);
  result->seconds = fg_seconds() - start;
done:
  fg_ascent_clear(&a);
  return rc;
}

/* Max-sliced W2: ascent on the sphere of directions. Along a direction u the cost is the least, over plans, of
 * u'M u with M = sum P_ij (x_i - y_j)(x_i - y_j)'; its gradient is 2 M u with the M of the monotone plan. The step to M u
 * itself (the power method) may fall, since another plan is cheaper there: hence steps that are tried and shortened. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"
#include "analysis/transport/slices.h"

#define FG_FLAT 1e-9    /* slope at which a climb has arrived */
#define FG_RISE 1e-12   /* rise, as a share of the cost, that is not worth a step */
#define FG_ENOUGH 1e-4  /* Armijo: share of the rise that the slope promises */
enum { FG_TRIES = 24 }; /* shortenings of one step */

/* A place on the sphere, and the step from it that is being tried. */
typedef struct fg_summit {
  double *direction, *tangent, *trial, *next; /* [d] each */
  double squared, slope;
  double square;      /* of the tangent */
  double step, tried; /* length of the step; shortened */
  int turn;           /* shortenings of it; -1: where the climb begins */
  size_t steps;
  int settled, ended;
} fg_summit;

typedef struct fg_ascent {
  const fg_w2_max_sliced_settings *settings;
  fg_pair pair;
  size_t drawn, starts; /* directions: those of the seed, and the difference of the means */
  double *mean;         /* [d] that difference, unit length; 0 where they agree */
  double *squared;      /* [drawn] */
  double *room;         /* [starts, 4 d], of the summits, and [starts] */
  fg_summit *summits;   /* [starts] */
  fg_slicer slicer;
  fg_slice_relay relay;
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

/* ---- where to start ------------------------------------------------------------------ */

static void fg_ascent_direction(const fg_ascent *a, size_t number, double *direction)
{
  if (number < a->settings->directions)
    fg_direction(a->settings->seed, number, a->pair.d, direction);
  else
    memcpy(direction, a->mean, a->pair.d * sizeof *direction);
}

static fg_code fg_ascent_draw(fg_ascent *a, fg_status *st)
{
  const size_t d = a->pair.d, most = a->slicer.most;
  for (size_t first = 0; first < a->drawn; first += most) {
    const size_t left = a->drawn - first, now = left < most ? left : most;
    a->relay.before = first;
    const fg_progress progress = fg_slice_progress(&a->relay);
    for (size_t k = 0; k < now; k++) fg_ascent_direction(a, first + k, a->slicer.direction + k * d);
    FG_TRY(fg_slicer_run(&a->slicer, now, NULL, &progress, st));
    memcpy(a->squared + first, a->slicer.cost, now * sizeof *a->squared);
  }
  return FG_OK;
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

/* Of a gradient, halved, what lies along the sphere; its square. */
static double fg_climb_tangent(size_t d, const double *direction, const double *gradient, double *tangent)
{
  memcpy(tangent, gradient, d * sizeof *tangent);
  for (int again = 0; again < 2; again++) { /* once more: what is left beside a long gradient is rounding */
    const double along = fg_dot(d, tangent, direction);
    for (size_t k = 0; k < d; k++) tangent[k] -= along * direction[k];
  }
  return fg_dot(d, tangent, tangent);
}

/* Along the tangent by the step tried. */
static void fg_climb_propose(size_t d, fg_summit *at)
{
  for (size_t k = 0; k < d; k++) at->trial[k] = at->direction[k] + at->tried * at->tangent[k];
  const double length = sqrt(fg_dot(d, at->trial, at->trial));
  for (size_t k = 0; k < d; k++) at->trial[k] /= length;
}

/* From a place: is it high enough, or do steps remain? Then the step to try first. */
static void fg_climb_look(const fg_ascent *a, fg_summit *at)
{
  at->slope = 2 * sqrt(at->square) / at->squared;
  at->turn = 0;
  at->tried = at->step;
  at->ended = at->steps >= a->settings->steps;
  if (at->ended) return;
  at->settled = at->ended = at->slope < FG_FLAT;
  if (!at->ended) fg_climb_propose(a->pair.d, at);
}

/* Step lengths of Barzilai and Borwein: the curvature seen between the last two places. The first is the power step. */
static void fg_climb_move(const fg_ascent *a, fg_summit *at, double squared, const double *gradient)
{
  const size_t d = a->pair.d;
  double moved = 0, bend = 0;
  at->squared = squared;
  for (size_t k = 0; k < d; k++) {
    const double move = at->trial[k] - at->direction[k];
    at->direction[k] = at->trial[k];
    at->trial[k] = move;
  }
  at->square = fg_climb_tangent(d, at->direction, gradient, at->next);
  for (size_t k = 0; k < d; k++) {
    moved += at->trial[k] * at->trial[k];
    bend += at->trial[k] * (at->tangent[k] - at->next[k]);
    at->tangent[k] = at->next[k];
  }
  at->step = bend > 0 ? moved / bend : 4 * at->step;
  at->step = fmin(1e4, fmax(1e-4, at->step * at->squared)) / at->squared;
  at->steps++;
}

/* What the trial costs is known: go there, or try a quarter of the step where the rise is too small. */
static void fg_climb_judge(const fg_ascent *a, fg_summit *at, double squared, const double *gradient)
{
  const size_t d = a->pair.d;
  if (at->turn < 0) {
    at->squared = squared;
    at->settled = at->ended = !(squared > 0);
    if (at->ended) return;
    at->square = fg_climb_tangent(d, at->direction, gradient, at->tangent);
    at->step = 1 / squared;
  } else if (squared - at->squared < FG_ENOUGH * 2 * at->tried * at->square ||
             squared - at->squared <= FG_RISE * at->squared) {
    at->tried /= 4;
    at->settled = at->ended = ++at->turn == FG_TRIES;
    if (!at->ended) fg_climb_propose(d, at);
    return;
  } else {
    fg_climb_move(a, at, squared, gradient);
  }
  fg_climb_look(a, at);
}

/* No trial that costs less is taken: just below what fg_climb_judge asks for, rounding and all. */
static double fg_climb_least(const fg_summit *at)
{
  if (at->turn < 0) return 0;
  return at->squared + 0.999 * fmax(FG_ENOUGH * 2 * at->tried * at->square, FG_RISE * at->squared);
}

/* ---- all climbs ---------------------------------------------------------------------- */

/* Side by side: their trials are one batch. Gradients are those of trials that are taken. */
static fg_code fg_ascent_climb(fg_ascent *a, fg_status *st)
{
  const size_t d = a->pair.d;
  const fg_progress progress = {NULL, NULL, a->relay.to ? a->relay.to->cancel : NULL};
  double *least = a->room + 4 * a->starts * d;
  for (size_t s = 0; s < a->starts; s++) {
    a->summits[s].turn = -1;
    memcpy(a->summits[s].trial, a->summits[s].direction, d * sizeof *a->room);
  }
  for (;;) {
    size_t count = 0, ended = 0;
    for (size_t s = 0; s < a->starts && count < a->slicer.most; s++) {
      const fg_summit *at = &a->summits[s];
      if (at->ended) continue;
      memcpy(a->slicer.direction + count * d, at->trial, d * sizeof *at->trial);
      least[count++] = fg_climb_least(at);
    }
    if (count == 0) return FG_OK;
    FG_TRY(fg_slicer_run(&a->slicer, count, least, &progress, st));
    count = 0;
    for (size_t s = 0, now = 0; s < a->starts; s++) {
      fg_summit *at = &a->summits[s];
      if (!at->ended && now < a->slicer.most) {
        fg_climb_judge(a, at, a->slicer.cost[now], a->slicer.gradient + now * d);
        now++;
      }
      ended += (size_t)at->ended;
    }
    if (a->drawn + ended == a->relay.done) continue;
    a->relay.done = a->drawn + ended;
    fg_progress_report(a->relay.to, a->relay.stage, (double)a->relay.done, (double)a->relay.total);
  }
}

static fg_code fg_ascent_allocate(fg_ascent *a, fg_engine *engine, fg_threads *threads, fg_status *st)
{
  const size_t d = a->pair.d;
  a->mean = calloc(d, sizeof *a->mean);
  a->squared = calloc(a->drawn, sizeof *a->squared);
  a->room = calloc(a->starts * (4 * d + 1), sizeof *a->room);
  a->summits = calloc(a->starts, sizeof *a->summits);
  if (!a->mean || !a->squared || !a->room || !a->summits)
    return FG_FAIL(st, FG_MEMORY, "no memory for %zu directions of dimension %zu", a->drawn, d);
  for (size_t s = 0; s < a->starts; s++) {
    a->summits[s].direction = a->room + 4 * s * d;
    a->summits[s].tangent = a->summits[s].direction + d;
    a->summits[s].trial = a->summits[s].tangent + d;
    a->summits[s].next = a->summits[s].trial + d;
  }
  return fg_slicer_create(engine, threads, &a->pair, a->drawn, true, &a->slicer, st);
}

static void fg_ascent_clear(fg_ascent *a)
{
  fg_slicer_destroy(&a->slicer);
  free(a->summits);
  free(a->mean);
  free(a->squared);
  free(a->room);
  fg_pair_clear(&a->pair);
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

fg_code fg_w2_max_sliced(fg_engine *engine, fg_threads *threads, const fg_w2_max_sliced_settings *settings,
                         size_t n, size_t m, size_t d, const double *x, const double *wx, const double *y,
                         const double *wy, const fg_progress *progress, double *direction,
                         fg_w2_steepest *result, fg_status *st)
{
  const double start = fg_seconds();
  fg_ascent a = {.settings = settings};
  fg_code rc = FG_OK;
  if (settings->directions < 1 || settings->directions >= UINT32_MAX || settings->starts < 1)
    return FG_FAIL(st, FG_USAGE,
                   "max-sliced W2 from %zu of %zu directions: give 1 to 2^32 - 2 and at least 1 start",
                   settings->starts, settings->directions);
  if (d == 1) return fg_max_sliced_line(n, m, x, wx, y, wy, direction, result, st);
  FG_TRY(fg_pair_create(n, m, d, x, wx, y, wy, &a.pair, st));
  a.drawn = settings->directions + 1;
  a.starts = settings->starts < a.drawn ? settings->starts : a.drawn;
  a.relay = (fg_slice_relay){.to = progress, .stage = "max_sliced", .total = a.drawn + a.starts};
  fg_pair_move(&a.pair);
  FG_GO(fg_ascent_allocate(&a, engine, threads, st), done);
  fg_ascent_means(&a);
  FG_GO(fg_ascent_draw(&a, st), done);
  fg_ascent_choose(&a);
  FG_GO(fg_ascent_climb(&a, st), done);
  FG_GO(fg_ascent_result(&a, direction, result, st), done);
  result->seconds = fg_seconds() - start;
done:
  if (rc == FG_INTERRUPTED)
    rc = FG_FAIL(st, FG_INTERRUPTED, "max-sliced W2 was interrupted after %zu of %zu directions and climbs",
                 a.relay.done, a.relay.total);
  fg_ascent_clear(&a);
  return rc;
}

/* Sliced W2: the mean, over directions of the unit sphere, of the exact W2^2 between the projections of two weighted
 * samples. A projection costs a sort, so all rows enter whatever the dimension. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"
#include "analysis/transport/slices.h"

typedef struct fg_slicing {
  const fg_w2_sliced_settings *settings;
  fg_pair pair;
  double *squared; /* [directions], in the pair's units */
  fg_slicer slicer;
  fg_slice_relay relay;
} fg_slicing;

void fg_w2_sliced_defaults(fg_w2_sliced_settings *settings)
{
  memset(settings, 0, sizeof *settings);
  settings->directions = 100;
  settings->seed = 1;
}

static void fg_slice_direction(const fg_slicing *s, size_t number, double *direction)
{
  size_t d = s->pair.d;
  if (s->settings->given)
    memcpy(direction, s->settings->given + number * d, d * sizeof *direction);
  else
    fg_direction(s->settings->seed, number, d, direction);
}

/* ---- all directions ------------------------------------------------------------------ */

static fg_code fg_slicing_check(const fg_w2_sliced_settings *s, size_t d, fg_status *st)
{
  if (s->directions < 1 || s->directions > UINT32_MAX)
    return FG_FAIL(st, FG_USAGE, "sliced W2 over %zu directions: give 1 to 2^32 - 1", s->directions);
  for (size_t k = 0; s->given && k < s->directions * d; k++)
    if (!isfinite(s->given[k]))
      return FG_FAIL(st, FG_NUMERICS, "coordinate %zu of direction %zu is %g: it must be finite", k % d,
                     k / d, s->given[k]);
  return FG_OK;
}

static fg_code fg_slicing_allocate(fg_slicing *s, fg_engine *engine, fg_threads *threads, fg_status *st)
{
  s->squared = calloc(s->settings->directions, sizeof *s->squared);
  if (!s->squared) return FG_FAIL(st, FG_MEMORY, "no memory for %zu directions", s->settings->directions);
  return fg_slicer_create(engine, threads, &s->pair, s->settings->directions, false, &s->slicer, st);
}

static void fg_slicing_clear(fg_slicing *s)
{
  fg_slicer_destroy(&s->slicer);
  free(s->squared);
  fg_pair_clear(&s->pair);
}

/* A batch of directions after the other. */
static fg_code fg_slicing_run(fg_slicing *s, fg_status *st)
{
  const size_t directions = s->settings->directions, d = s->pair.d;
  fg_code rc = FG_OK;
  for (size_t first = 0; rc == FG_OK && first < directions; first += s->slicer.most) {
    const size_t left = directions - first, now = left < s->slicer.most ? left : s->slicer.most;
    s->relay.before = first;
    const fg_progress progress = fg_slice_progress(&s->relay);
    for (size_t k = 0; k < now; k++) fg_slice_direction(s, first + k, s->slicer.direction + k * d);
    rc = fg_slicer_run(&s->slicer, now, NULL, &progress, st);
    memcpy(s->squared + first, s->slicer.cost, now * sizeof *s->squared);
  }
  if (rc != FG_INTERRUPTED) return rc;
  return FG_FAIL(st, FG_INTERRUPTED, "sliced W2 was interrupted after %zu of %zu directions", s->relay.done,
                 directions);
}

static fg_code fg_slicing_result(const fg_slicing *s, double *direction, fg_w2_slices *result, fg_status *st)
{
  size_t directions = s->settings->directions, at = 0;
  double variance = fg_variance(directions, s->squared), mean = fg_mean(directions, s->squared);
  fg_w2 all, most;
  for (size_t k = 1; k < directions; k++)
    if (s->squared[k] > s->squared[at]) at = k;
  FG_TRY(fg_w2_finish(mean, mean, s->pair.exponent, &all, st));
  FG_TRY(fg_w2_finish(s->squared[at], s->squared[at], s->pair.exponent, &most, st));
  result->squared = all.squared;
  result->value = all.value;
  result->standard_error =
      directions > 1 ? ldexp(sqrt(variance / (double)directions), 2 * s->pair.exponent) : NAN;
  result->max_squared = most.squared;
  result->max_value = most.value;
  result->max_direction = at;
  result->directions = directions;
  result->n = s->pair.n;
  result->m = s->pair.m;
  if (direction) fg_slice_direction(s, at, direction);
  return FG_OK;
}

/* In one dimension there is one direction, and nothing to draw. */
static fg_code fg_sliced_line(size_t n, size_t m, const double *x, const double *wx, const double *y,
                              const double *wy, double *direction, fg_w2_slices *result, fg_status *st)
{
  fg_w2 w2;
  FG_TRY(fg_w2_exact(NULL, NULL, n, m, 1, x, wx, y, wy, NULL, &w2, st));
  memset(result, 0, sizeof *result);
  result->squared = result->max_squared = w2.squared;
  result->value = result->max_value = w2.value;
  result->directions = 1;
  result->n = w2.n;
  result->m = w2.m;
  result->seconds = w2.seconds;
  if (direction) *direction = 1;
  return FG_OK;
}

fg_code fg_w2_sliced(fg_engine *engine, fg_threads *threads, const fg_w2_sliced_settings *settings, size_t n,
                     size_t m, size_t d, const double *x, const double *wx, const double *y, const double *wy,
                     const fg_progress *progress, double *direction, fg_w2_slices *result, fg_status *st)
{
  double start = fg_seconds();
  fg_slicing s = {.settings = settings};
  FG_TRY(fg_slicing_check(settings, d, st));
  if (d == 1 && !settings->given) return fg_sliced_line(n, m, x, wx, y, wy, direction, result, st);
  FG_TRY(fg_pair_create(n, m, d, x, wx, y, wy, &s.pair, st));
  s.relay = (fg_slice_relay){.to = progress, .stage = "sliced", .total = settings->directions};
  fg_code rc = FG_OK;
  fg_pair_move(&s.pair);
  FG_GO(fg_slicing_allocate(&s, engine, threads, st), done);
  FG_GO(fg_slicing_run(&s, st), done);
  FG_GO(fg_slicing_result(&s, direction, result, st), done);
  result->seconds = fg_seconds() - start;
done:
  fg_slicing_clear(&s);
  return rc;
}

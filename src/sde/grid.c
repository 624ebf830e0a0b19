/* Time grids: strictly decreasing noising times with exact end points. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "flowgap/sde.h"
#include "formula/real.h"

struct fg_grid {
  size_t steps;
  double *times; /* [steps + 1] */
};

/* Step numbers are 32-bit counters of the random numbers. */
static const size_t steps_max = UINT32_MAX;

static fg_code allocate(size_t steps, fg_grid **grid, fg_status *st)
{
  *grid = NULL;
  if (steps < 1) return FG_FAIL(st, FG_USAGE, "a time grid of 0 steps: give at least 1");
  if (steps > steps_max)
    return FG_FAIL(st, FG_USAGE, "a time grid of %zu steps: give at most %zu", steps, steps_max);
  fg_grid *g = malloc(sizeof *g);
  double *times = g ? malloc((steps + 1) * sizeof *times) : NULL;
  if (!times) {
    free(g);
    return FG_FAIL(st, FG_MEMORY, "no memory for a time grid of %zu steps", steps);
  }
  g->steps = steps;
  g->times = times;
  *grid = g;
  return FG_OK;
}

static fg_code check_ends(double from, double to, fg_status *st)
{
  if (!isfinite(from) || !isfinite(to) || !(to >= 0.0))
    return FG_FAIL(st, FG_USAGE, "a time grid from %g to %g: times must be finite and >= 0", from, to);
  if (!(from > to))
    return FG_FAIL(st, FG_USAGE,
                   "a time grid from %g to %g: noising time must fall, from noise (large) to data (small)",
                   from, to);
  return FG_OK;
}

/* Neighbours may meet when the steps are below the spacing of doubles. */
static fg_code check_decreasing(const fg_grid *g, fg_status *st)
{
  for (size_t k = 0; k < g->steps; k++)
    if (!(g->times[k + 1] < g->times[k]))
      return FG_FAIL(st, FG_USAGE,
                     "a time grid of %zu steps from %g to %g: times %zu and %zu are both %.17g, the steps "
                     "are below the precision of doubles: give fewer",
                     g->steps, g->times[0], g->times[g->steps], k, k + 1, g->times[k]);
  return FG_OK;
}

static fg_code finish(fg_grid *g, fg_grid **grid, fg_status *st)
{
  fg_code rc = check_decreasing(g, st);
  if (rc != FG_OK) {
    fg_grid_destroy(&g);
    return rc;
  }
  *grid = g;
  return FG_OK;
}

/* What is left of the way after a fraction z of the steps: 1 at z = 0, 0 at z = 1. */
static double left(fg_grid_kind kind, double z)
{
  switch (kind) {
  case FG_GRID_QUADRATIC:
    return (1.0 - z) * (1.0 - z);
  case FG_GRID_COSINE: {
    double c = cos(0.5 * FG_PI * z);
    return c * c;
  }
  case FG_GRID_UNIFORM:
    break;
  }
  return 1.0 - z;
}

/* Nodes 1 .. steps of one stretch, written to times[1 ..]; times[0] is its start. */
static void stretch(fg_grid_kind kind, double to, size_t steps, double *times)
{
  double from = times[0];
  for (size_t k = 1; k < steps; k++) times[k] = to + (from - to) * left(kind, (double)k / (double)steps);
  times[steps] = to;
}

fg_code fg_grid_create(fg_grid_kind kind, double t_from, double t_to, size_t steps, fg_grid **grid,
                       fg_status *st)
{
  fg_grid *g;
  *grid = NULL;
  if (kind != FG_GRID_UNIFORM && kind != FG_GRID_QUADRATIC && kind != FG_GRID_COSINE)
    return FG_FAIL(st, FG_USAGE, "grid kind number %d is unknown: use uniform, quadratic or cosine",
                   (int)kind);
  FG_TRY(check_ends(t_from, t_to, st));
  FG_TRY(allocate(steps, &g, st));
  g->times[0] = t_from;
  stretch(kind, t_to, steps, g->times);
  return finish(g, grid, st);
}

/* Segment k of [count, 3], its steps as a count. */
static fg_code check_segment(const double *segments, size_t k, size_t *steps, fg_status *st)
{
  const double *s = segments + 3 * k;
  if (!(s[2] >= 1.0) || s[2] > (double)steps_max || s[2] != floor(s[2]))
    return FG_FAIL(st, FG_USAGE,
                   "time grid, segment %zu, [%g, %g, %g]: the third number counts steps, give a whole number "
                   ">= 1",
                   k + 1, s[0], s[1], s[2]);
  if (check_ends(s[0], s[1], st) != FG_OK) return fg_status_prefix(st, "segment %zu: ", k + 1);
  if (k > 0 && s[0] != s[-2])
    return FG_FAIL(st, FG_USAGE,
                   "time grid, segment %zu, starts at %.17g but segment %zu ends at %.17g: they must meet",
                   k + 1, s[0], k, s[-2]);
  *steps = (size_t)s[2];
  return FG_OK;
}

fg_code fg_grid_piecewise(const double *segments, size_t count, fg_grid **grid, fg_status *st)
{
  fg_grid *g;
  size_t total = 0, steps = 0;
  *grid = NULL;
  if (count == 0) return FG_FAIL(st, FG_USAGE, "a time grid of no segments: give rows [from, to, steps]");
  for (size_t k = 0; k < count; k++) {
    FG_TRY(check_segment(segments, k, &steps, st));
    total += steps;
    if (total > steps_max)
      return FG_FAIL(st, FG_USAGE, "a time grid of more than %zu steps: give fewer", steps_max);
  }
  FG_TRY(allocate(total, &g, st));
  double *times = g->times;
  times[0] = segments[0];
  for (size_t k = 0; k < count; k++) {
    steps = (size_t)segments[3 * k + 2];
    stretch(FG_GRID_UNIFORM, segments[3 * k + 1], steps, times);
    times += steps;
  }
  return finish(g, grid, st);
}

fg_code fg_grid_refine(const fg_grid *grid, int levels, fg_grid **refined, fg_status *st)
{
  fg_grid *g;
  *refined = NULL;
  if (levels < 0 || levels > 31 || grid->steps > (steps_max >> levels))
    return FG_FAIL(
        st, FG_USAGE,
        "a time grid of %zu steps cannot be halved %d times: the result must have at most %zu steps",
        grid->steps, levels, steps_max);
  size_t parts = (size_t)1 << levels;
  FG_TRY(allocate(grid->steps * parts, &g, st));
  g->times[0] = grid->times[0];
  for (size_t k = 0; k < grid->steps; k++)
    stretch(FG_GRID_UNIFORM, grid->times[k + 1], parts, g->times + k * parts);
  return finish(g, refined, st);
}

void fg_grid_destroy(fg_grid **grid)
{
  if (!grid || !*grid) return;
  free((*grid)->times);
  free(*grid);
  *grid = NULL;
}

size_t fg_grid_steps(const fg_grid *grid)
{
  return grid->steps;
}

const double *fg_grid_times(const fg_grid *grid)
{
  return grid->times;
}

/* What a residual amounts to under a measure: norms with standard errors, at each time and over all. */
#include <math.h>
#include <stdlib.h>

#include "flowgap/residual.h"

double fg_residual_level(int k)
{
  static const double levels[FG_RESIDUAL_QUANTILES] = {0.05, 0.25, 0.5, 0.75, 0.95, 0.99};
  return levels[k];
}

/* The quantities that are averaged. */
typedef enum fg_term_kind {
  FG_TERM_SQUARE,
  FG_TERM_SIZE,
  FG_TERM_SIGNED,
  FG_TERM_CENTRED,
  FG_TERM_RATIO, /* (R^2 - share scale^2) / scale_square: the linear part of the error of share */
  FG_TERM_SCALE,
  FG_TERM_VARIANCE
} fg_term_kind;

/* Rows from .. to - 1 of the layout, as one sample. */
typedef struct fg_part {
  const fg_residual_layout *layout;
  const fg_residual_values *values;
  size_t from, to;
  const size_t *finite;              /* [times] finite values at each time */
  const double *centre;              /* [times] mean over the points of each time */
  double share, scale_square, total; /* of FG_TERM_RATIO; of the weights of times with a finite value */
} fg_part;

typedef struct fg_ranked {
  double value, weight;
} fg_ranked;

static bool fg_is_finite(const fg_residual_values *v, size_t at)
{
  return isfinite(v->value[at]) && (!v->scale || isfinite(v->scale[at])) &&
         (!v->variance || isfinite(v->variance[at]));
}

static double fg_weight(const fg_part *p, size_t k)
{
  const double *weight = p->layout->weight;
  if (p->to - p->from == 1) return 1;
  return p->finite[k] == 0 ? 0 : weight ? weight[k] : 1;
}

static double fg_term(const fg_part *p, fg_term_kind kind, size_t k, size_t at)
{
  const fg_residual_values *v = p->values;
  double value = v->value[at], variance = v->variance ? v->variance[at] : 0;
  double n = (double)p->finite[k], off;
  switch (kind) {
  case FG_TERM_SQUARE:
    return value * value - variance;
  case FG_TERM_SIZE:
    return fabs(value);
  case FG_TERM_SIGNED:
    return value;
  case FG_TERM_CENTRED:
    off = value - p->centre[k];
    return n > 1 ? off * off * n / (n - 1) - variance : 0; /* a single point says nothing about its spread */
  case FG_TERM_RATIO:
    return (value * value - variance - p->share * v->scale[at] * v->scale[at]) / p->scale_square;
  case FG_TERM_SCALE:
    return v->scale[at] * v->scale[at];
  case FG_TERM_VARIANCE:
    return variance;
  }
  return NAN;
}

/* Mean over the finite points of time k. */
static double fg_mean_at(const fg_part *p, fg_term_kind kind, size_t k)
{
  size_t points = p->layout->points;
  double sum = 0;
  for (size_t at = k * points; at < (k + 1) * points; at++)
    if (fg_is_finite(p->values, at)) sum += fg_term(p, kind, k, at);
  return sum / (double)p->finite[k];
}

static double fg_average(const fg_part *p, fg_term_kind kind)
{
  double sum = 0;
  for (size_t k = p->from; k < p->to; k++)
    if (fg_weight(p, k) > 0) sum += fg_weight(p, k) * fg_mean_at(p, kind, k);
  return sum / p->total;
}

/* Standard error with the points as draws: a path's average over the times, or the values of one time. Paths with a
 * value that is not finite are left out. */
static double fg_error_of_points(const fg_part *p, fg_term_kind kind, double mean)
{
  size_t points = p->layout->points, draws = 0;
  double squares = 0;
  for (size_t i = 0; i < points; i++) {
    double sum = 0;
    bool whole = true;
    for (size_t k = p->from; k < p->to; k++) {
      double weight = fg_weight(p, k);
      if (!(weight > 0)) continue;
      if (!fg_is_finite(p->values, k * points + i)) whole = false;
      if (whole) sum += weight / p->total * fg_term(p, kind, k, k * points + i);
    }
    if (!whole) continue;
    squares += (sum - mean) * (sum - mean);
    draws++;
  }
  return draws > 1 ? sqrt(squares / (double)(draws - 1) / (double)draws) : NAN;
}

/* With the times as draws, each with its points. They may come one from each of many parts of time, in order: then the
 * differences of neighbours hold their errors, and little of the trend. */
static double fg_error_of_times(const fg_part *p, fg_term_kind kind)
{
  size_t draws = 0;
  double squares = 0, last = 0;
  for (size_t k = p->from; k < p->to; k++) {
    if (!(fg_weight(p, k) > 0)) continue;
    double next = fg_weight(p, k) / p->total * fg_mean_at(p, kind, k);
    if (draws > 0) squares += (next - last) * (next - last);
    last = next;
    draws++;
  }
  return draws > 1 ? sqrt(0.5 * squares * (double)draws / (double)(draws - 1)) : NAN;
}

static fg_residual_figure fg_figure(const fg_part *p, fg_term_kind kind)
{
  fg_residual_figure out = {fg_average(p, kind), NAN};
  bool points = p->layout->paths || p->to - p->from == 1;
  out.se = points ? fg_error_of_points(p, kind, out.value) : fg_error_of_times(p, kind);
  return out;
}

static fg_residual_figure fg_relative(fg_part *p, double mean_square)
{
  p->scale_square = fg_average(p, FG_TERM_SCALE);
  p->share = fmax(0, mean_square) / p->scale_square;
  if (!(p->scale_square > 0)) return (fg_residual_figure){NAN, NAN};
  fg_residual_figure ratio = fg_figure(p, FG_TERM_RATIO);
  double root = sqrt(p->share);
  return (fg_residual_figure){root, root > 0 ? ratio.se / (2 * root) : NAN};
}

static int fg_by_value(const void *a, const void *b)
{
  double x = ((const fg_ranked *)a)->value, y = ((const fg_ranked *)b)->value;
  return (x > y) - (x < y);
}

/* The smallest value below or at which the level's share of the measure lies. */
static void fg_quantiles(const fg_part *p, fg_ranked *room, double out[FG_RESIDUAL_QUANTILES])
{
  size_t points = p->layout->points, n = 0, at = 0;
  double total = 0, below = 0;
  for (size_t k = p->from; k < p->to; k++)
    for (size_t i = k * points; i < (k + 1) * points; i++)
      if (fg_weight(p, k) > 0 && fg_is_finite(p->values, i)) {
        room[n] = (fg_ranked){p->values->value[i], fg_weight(p, k) / (double)p->finite[k]};
        total += room[n++].weight;
      }
  qsort(room, n, sizeof *room, fg_by_value);
  for (int q = 0; q < FG_RESIDUAL_QUANTILES; q++) {
    double goal = fg_residual_level(q) * total * (1 - 1e-12); /* sums of weights are rounded */
    while (at + 1 < n && below + room[at].weight < goal) below += room[at++].weight;
    out[q] = n ? room[at].value : NAN;
  }
}

static void fg_extremes(const fg_part *p, fg_residual_norms *out)
{
  size_t points = p->layout->points;
  out->largest = NAN;
  for (size_t at = p->from * points; at < p->to * points; at++) {
    double value = p->values->value[at];
    if (!fg_is_finite(p->values, at)) {
      if (out->named < FG_RESIDUAL_NAMED) out->lost_at[out->named++] = at;
      out->lost++;
      continue;
    }
    out->points++;
    if (isnan(out->largest) || fabs(value) > fabs(out->largest)) {
      out->largest = value;
      out->largest_at = at;
    }
  }
}

static void fg_norms(fg_part *p, fg_ranked *room, fg_residual_norms *out)
{
  const fg_residual_figure none = {NAN, NAN};
  const bool log_form = p->layout->form == FG_RESIDUAL_LOG;
  *out = (fg_residual_norms){0};
  fg_extremes(p, out);
  p->total = 0;
  for (size_t k = p->from; k < p->to; k++) p->total += fg_weight(p, k);
  out->mean_square = fg_figure(p, FG_TERM_SQUARE);
  out->mean_absolute = fg_figure(p, FG_TERM_SIZE);
  out->mean = log_form ? fg_figure(p, FG_TERM_SIGNED) : none;
  out->centred = log_form && p->layout->points > 1 ? fg_figure(p, FG_TERM_CENTRED) : none;
  out->relative = p->values->scale ? fg_relative(p, out->mean_square.value) : none;
  out->probe_error = sqrt(fg_average(p, FG_TERM_VARIANCE));
  fg_quantiles(p, room, out->quantile);
}

fg_code fg_residual_summarise(const fg_residual_layout *layout, const fg_residual_values *values,
                              fg_residual_norms *all, fg_residual_norms *profile, fg_status *st)
{
  const size_t times = layout->times, points = layout->points;
  fg_code rc = FG_OK;
  if (times < 1 || points < 1)
    return FG_FAIL(st, FG_USAGE, "a residual at %zu times and %zu points: give at least one of each", times,
                   points);
  size_t *finite = calloc(times, sizeof *finite);
  double *centre = malloc(times * sizeof *centre);
  fg_ranked *room = malloc((all ? times * points : points) * sizeof *room);
  if (!finite || !centre || !room) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for the norms of %zu values", times * points);
    goto done;
  }
  fg_part part = {.layout = layout, .values = values, .finite = finite, .centre = centre};
  for (size_t k = 0; k < times; k++) {
    for (size_t at = k * points; at < (k + 1) * points; at++) finite[k] += fg_is_finite(values, at);
    centre[k] = fg_mean_at(&part, FG_TERM_SIGNED, k);
  }
  for (size_t k = 0; k < times && profile; k++) {
    part.from = k;
    part.to = k + 1;
    fg_norms(&part, room, &profile[k]);
  }
  part.from = 0;
  part.to = times;
  if (all) fg_norms(&part, room, all);
done:
  free(finite);
  free(centre);
  free(room);
  return rc;
}

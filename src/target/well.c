/* Double well and many-well: independent coordinates, so one dimension holds all the work. */
#include <math.h>
#include <stdlib.h>

#include <gsl/gsl_errno.h>
#include <gsl/gsl_integration.h>

#include "formula/density.h"
#include "target/quiet.h"
#include "target/target_impl.h"

/* Well coordinates are drawn at steps 1, 2, ... (the tries), the normal ones at step 0. */
enum { CELLS = 512 };

typedef struct well {
  size_t wells;
  double separation, shift;
  double peak;     /* |u| of the maximum; s = |u| - peak below */
  double log_peak; /* log rho there */
  double from, to; /* s between these: elsewhere rho is below exp(-745) of its maximum, 0 in doubles */
  double log_integral, second; /* log of the integral of rho over u; E u^2 */
  double bound[CELLS], cumulative[CELLS];
} well;

/* rho / max rho. */
static double relative(const well *w, double s)
{
  return exp(fg_well_log_relative(w->separation, w->peak, s));
}

static double edge(const well *w, int cell)
{
  return w->from + (w->to - w->from) * ((double)cell / CELLS);
}

static double log_density(const fg_target *t, const double *x, double *score, double *scratch)
{
  (void)scratch;
  const well *w = t->data;
  return fg_many_well_log_density((int)t->d, (int)w->wells, w->separation, w->shift, x, 1, score);
}

/* Rejection under a staircase that bounds rho from above in every cell of |u|; the sign is a fair
 * coin. Coordinate i uses blocks 2i and 2i + 1. */
static double draw(const well *w, uint64_t seed, uint64_t row, uint32_t i)
{
  for (uint32_t try = 1;; try++) {
    fg_words place = fg_philox(seed, FG_STREAM_TARGET, row, try, 2 * i);
    fg_words judge = fg_philox(seed, FG_STREAM_TARGET, row, try, 2 * i + 1);
    size_t cell = fg_target_pick(CELLS, w->cumulative, fg_uniform52(place.w[0], place.w[1]));
    double from = edge(w, (int)cell), to = edge(w, (int)cell + 1);
    double s = from + (to - from) * fg_uniform52(place.w[2], place.w[3]);
    if (fg_uniform52(judge.w[0], judge.w[1]) * w->bound[cell] <= relative(w, s))
      return judge.w[2] >> 31 ? w->peak + s : -(w->peak + s);
  }
}

static void sample(const fg_target *t, uint64_t seed, uint64_t row, double *x)
{
  const well *w = t->data;
  fg_target_normals(seed, FG_STREAM_TARGET, row, 0, t->d - w->wells, x + w->wells);
  for (size_t i = 0; i < w->wells; i++) x[i] = w->shift + draw(w, seed, row, (uint32_t)i);
}

static fg_code log_z(const fg_target *t, double *value, fg_status *st)
{
  (void)st;
  const well *w = t->data;
  *value = (double)w->wells * w->log_integral + 0.5 * FG_LOG_2PI * (double)(t->d - w->wells);
  return FG_OK;
}

static void moments(const fg_target *t, double *mean, double *covariance)
{
  const well *w = t->data;
  fg_target_zero_moments(t->d, mean, covariance);
  for (size_t i = 0; i < t->d; i++) {
    if (mean) mean[i] = i < w->wells ? w->shift : 0.0;
    if (covariance) covariance[i * t->d + i] = i < w->wells ? w->second : 1.0;
  }
}

static fg_code density(const fg_target *t, const fg_density_memory *memory, fg_density *out, fg_status *st)
{
  (void)memory;
  (void)st;
  const well *w = t->data;
  out->kind = FG_DENSITY_WELLS;
  out->as.wells.wells = (int)w->wells;
  out->as.wells.separation = w->separation;
  out->as.wells.shift = w->shift;
  return FG_OK;
}

static const fg_target_ops well_ops = {log_density, sample, log_z, moments, free, density};

/* Where rho is not 0 in doubles, and the staircase over it. rho rises up to s = 0 and falls after
 * it, so the maximum over a cell is at the point of the cell nearest to 0. Differences of square
 * roots stand in the form that does not cancel. */
static void build(well *w)
{
  const double depth = 745.0, c = sqrt(depth);
  double delta = w->separation;
  w->peak = delta > 0.0 ? sqrt(delta) : 0.0;
  w->log_peak = fg_well_log_density(delta, w->peak);
  if (delta >= 0.0) {
    w->from = delta > c ? -c / (sqrt(delta - c) + w->peak) : -w->peak;
    w->to = c / (sqrt(delta + c) + w->peak);
  } else { /* s^4 + 2 |delta| s^2 = depth */
    w->from = 0.0;
    w->to = sqrt(depth / (sqrt(delta * delta + depth) - delta));
  }
  double area[CELLS];
  for (int k = 0; k < CELLS; k++) {
    double from = edge(w, k), to = edge(w, k + 1);
    w->bound[k] = relative(w, fmin(fmax(0.0, from), to));
    area[k] = w->bound[k] * (to - from);
  }
  fg_target_cumulate(CELLS, area, w->cumulative);
}

static double integrand(double s, void *data)
{
  return relative(data, s);
}

static double integrand_second(double s, void *data)
{
  double u = ((const well *)data)->peak + s;
  return u * u * relative(data, s);
}

/* Integral over [from, 0] and [0, to], each to 1e-13 of itself; NaN when it does not settle. */
static double integrate(const well *w, double (*function)(double, void *))
{
  gsl_function f = {function, (void *)w};
  double part[2] = {0.0, 0.0}, error[2] = {0.0, 0.0};
  fg_gsl_quiet_begin();
  gsl_integration_workspace *space = gsl_integration_workspace_alloc(200);
  if (space) {
    /* The code returned may be "round-off reached": the error estimate below is the judge. */
    if (w->from < 0.0)
      gsl_integration_qag(&f, w->from, 0.0, 0.0, 1e-13, 200, GSL_INTEG_GAUSS31, space, &part[0], &error[0]);
    gsl_integration_qag(&f, 0.0, w->to, 0.0, 1e-13, 200, GSL_INTEG_GAUSS31, space, &part[1], &error[1]);
    gsl_integration_workspace_free(space);
  }
  fg_gsl_quiet_end();
  double sum = part[0] + part[1];
  return sum > 0.0 && error[0] + error[1] <= 1e-12 * sum ? sum : NAN;
}

static fg_code check(const fg_target_settings *s, fg_status *st)
{
  if (!isfinite(s->separation) || fabs(s->separation) > 1e6)
    return FG_FAIL(st, FG_USAGE, "target.separation is %g: give a number between -1e6 and 1e6",
                   s->separation);
  if (!isfinite(s->shift)) return FG_FAIL(st, FG_USAGE, "target.shift is %g: give a finite number", s->shift);
  if (s->kind == FG_TARGET_MANY_WELL && (s->wells < 1 || s->wells > s->dimension))
    return FG_FAIL(st, FG_USAGE, "target.wells is %zu: give 1 to target.dimension, which is %zu", s->wells,
                   s->dimension);
  return FG_OK;
}

fg_code fg_target_make_well(const fg_target_settings *s, fg_target *target, fg_status *st)
{
  FG_TRY(check(s, st));
  well *w = calloc(1, sizeof *w);
  if (!w) return FG_FAIL(st, FG_MEMORY, "no memory for a well");
  w->wells = s->kind == FG_TARGET_DOUBLE_WELL ? 1 : s->wells;
  w->separation = s->separation;
  w->shift = s->shift;
  build(w);
  double half = integrate(w, integrand);
  w->second = integrate(w, integrand_second) / half;
  w->log_integral = w->log_peak + log(2.0 * half);
  if (!isfinite(w->second) || !isfinite(w->log_integral)) {
    free(w);
    return FG_FAIL(st, FG_NUMERICS, "target: quadrature for a well of separation %g did not reach 1e-12",
                   s->separation);
  }
  target->d = s->dimension;
  target->abilities =
      FG_TARGET_DENSITY | FG_TARGET_SCORE | FG_TARGET_SAMPLE | FG_TARGET_LOG_Z | FG_TARGET_MOMENTS;
  target->ops = &well_ops;
  target->data = w;
  return FG_OK;
}

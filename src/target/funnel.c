/* The funnel: wide where x_1 is large, a needle where it is small. */
#include <math.h>
#include <stdlib.h>

#include "formula/density.h"
#include "target/target_impl.h"

static double log_density(const fg_target *t, const double *x, double *score, double *scratch)
{
  (void)scratch;
  return fg_funnel_log_density((int)t->d, *(const double *)t->data, x, 1, score);
}

static void sample(const fg_target *t, uint64_t seed, uint64_t row, double *x)
{
  fg_target_normals(seed, FG_STREAM_TARGET, row, 0, t->d, x);
  x[0] *= *(const double *)t->data;
  double sd = exp(0.5 * x[0]);
  for (size_t i = 1; i < t->d; i++) x[i] *= sd;
}

static void moments(const fg_target *t, double *mean, double *covariance)
{
  double nu = *(const double *)t->data;
  fg_target_zero_moments(t->d, mean, covariance);
  if (!covariance) return;
  covariance[0] = nu * nu;
  for (size_t i = 1; i < t->d; i++) covariance[i * t->d + i] = exp(0.5 * nu * nu); /* E exp x_1 */
}

static fg_code density(const fg_target *t, const fg_density_memory *memory, fg_density *out, fg_status *st)
{
  (void)memory;
  (void)st;
  out->kind = FG_DENSITY_FUNNEL;
  out->as.funnel.nu = *(const double *)t->data;
  return FG_OK;
}

static const fg_target_ops funnel_ops = {log_density, sample, NULL, moments, free, density};

fg_code fg_target_make_funnel(const fg_target_settings *s, fg_target *target, fg_status *st)
{
  if (s->dimension < 2)
    return FG_FAIL(st, FG_USAGE, "target.dimension is %zu: a funnel needs at least 2", s->dimension);
  /* exp(nu^2 / 2), the variance of x_2, must be a number. */
  if (!(s->nu > 0.0) || s->nu > 37.0)
    return FG_FAIL(st, FG_USAGE, "target.nu is %g: give a number > 0 and at most 37", s->nu);
  double *nu = malloc(sizeof *nu);
  if (!nu) return FG_FAIL(st, FG_MEMORY, "no memory for a funnel");
  *nu = s->nu;
  target->d = s->dimension;
  target->abilities =
      FG_TARGET_DENSITY | FG_TARGET_SCORE | FG_TARGET_SAMPLE | FG_TARGET_LOG_Z | FG_TARGET_MOMENTS;
  target->ops = &funnel_ops;
  target->data = nu;
  return FG_OK;
}

/* Rings round the origin; `circles` is the two of the gap paper. */
#include <math.h>
#include <stdlib.h>

#include "formula/density.h"
#include "target/target_impl.h"

typedef struct rings {
  size_t k;
  double sd;
  double *weights, *cumulative, *log_weight, *radius; /* one block from `weights` */
} rings;

static double log_density(const fg_target *t, const double *x, double *score, double *scratch)
{
  (void)scratch;
  const rings *r = t->data;
  return fg_rings_log_density((int)r->k, r->log_weight, r->radius, r->sd, x, 1, score);
}

static void sample(const fg_target *t, uint64_t seed, uint64_t row, double *x)
{
  const rings *r = t->data;
  fg_words words = fg_philox(seed, FG_STREAM_TARGET, row, 0, 0);
  size_t k = fg_target_pick(r->k, r->cumulative, fg_uniform52(words.w[0], words.w[1]));
  double angle = 2.0 * FG_PI * fg_uniform52(words.w[2], words.w[3]);
  double rho = r->radius[k] + r->sd * fg_normal(seed, FG_STREAM_TARGET, row, 1, 0);
  x[0] = rho * cos(angle);
  x[1] = rho * sin(angle);
}

/* Mean 0; covariance E[rho^2]/2 times I. */
static void moments(const fg_target *t, double *mean, double *covariance)
{
  const rings *r = t->data;
  fg_target_zero_moments(t->d, mean, covariance);
  double square = 0.0;
  for (size_t k = 0; k < r->k; k++) square += r->weights[k] * (r->radius[k] * r->radius[k] + r->sd * r->sd);
  if (covariance) covariance[0] = covariance[3] = 0.5 * square;
}

static void destroy(void *data)
{
  rings *r = data;
  if (r) free(r->weights);
  free(r);
}

static fg_code density(const fg_target *t, const fg_density_memory *memory, fg_density *out, fg_status *st)
{
  const rings *r = t->data;
  size_t bytes = r->k * sizeof(double);
  out->kind = FG_DENSITY_RINGS;
  out->as.rings.rings = (int)r->k;
  out->as.rings.sd = r->sd;
  FG_TRY(fg_density_upload(memory, r->log_weight, bytes, &out->as.rings.log_weight, st));
  return fg_density_upload(memory, r->radius, bytes, &out->as.rings.radius, st);
}

static const fg_target_ops rings_ops = {log_density, sample, NULL, moments, destroy, density};

static fg_code fill(rings *r, const double *radii, const double *weights, fg_status *st)
{
  double sum = 0.0;
  for (size_t k = 0; k < r->k; k++) {
    double w = weights ? weights[k] : 1.0;
    if (!(radii[k] >= 0.0) || !isfinite(radii[k]))
      return FG_FAIL(st, FG_USAGE, "target.radii: ring %zu of %zu has radius %g: give a finite number >= 0",
                     k + 1, r->k, radii[k]);
    if (!(w > 0.0) || !isfinite(w))
      return FG_FAIL(st, FG_USAGE,
                     "target.ring_weights: ring %zu of %zu has weight %g: give a finite number > 0", k + 1,
                     r->k, w);
    r->radius[k] = radii[k];
    r->weights[k] = w;
    sum += w;
  }
  if (!isfinite(sum)) return FG_FAIL(st, FG_USAGE, "target.ring_weights: the sum is not finite");
  for (size_t k = 0; k < r->k; k++) {
    r->weights[k] /= sum;
    r->log_weight[k] = log(r->weights[k]) - log(r->sd) - 0.5 * FG_LOG_2PI;
  }
  fg_target_cumulate(r->k, r->weights, r->cumulative);
  return FG_OK;
}

fg_code fg_target_make_rings(const fg_target_settings *s, fg_target *target, fg_status *st)
{
  static const double circles[2] = {1.3, 2.8};
  int fixed = s->kind == FG_TARGET_CIRCLES;
  size_t count = fixed ? 2 : s->rings;
  if (count == 0 || (!fixed && !s->radii))
    return FG_FAIL(st, FG_USAGE, "target.radii is empty: rings need at least one radius");
  if (!fixed && (!(s->ring_sd > 0.0) || !isfinite(s->ring_sd)))
    return FG_FAIL(st, FG_USAGE, "target.ring_sd is %g: give a finite number > 0", s->ring_sd);
  rings *r = calloc(1, sizeof *r);
  double *block = r ? calloc(count, 4 * sizeof *block) : NULL;
  if (!block) {
    free(r);
    return FG_FAIL(st, FG_MEMORY, "no memory for %zu rings", count);
  }
  r->k = count;
  r->sd = fixed ? 0.2 : s->ring_sd;
  r->weights = block;
  r->cumulative = block + count;
  r->log_weight = block + 2 * count;
  r->radius = block + 3 * count;
  fg_code rc = fill(r, fixed ? circles : s->radii, fixed ? NULL : s->ring_weights, st);
  if (rc != FG_OK) {
    destroy(r);
    return rc;
  }
  target->d = 2;
  target->abilities =
      FG_TARGET_DENSITY | FG_TARGET_SCORE | FG_TARGET_SAMPLE | FG_TARGET_LOG_Z | FG_TARGET_MOMENTS;
  target->ops = &rings_ops;
  target->data = r;
  return FG_OK;
}

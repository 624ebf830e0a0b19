/* Targets: defaults, the choice of the kind, and what all kinds share. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "target/target_impl.h"

static const char *const kind_names[FG_TARGET_KINDS] = {
    "gaussian", "gmm9",         "mixture", "funnel", "double_well", "many_well",           "rings", "circles",
    "blobs",    "checkerboard", "samples", "gmm25",  "gmm40",       "logistic_regression", "plugin"};

static bool from_file(fg_target_kind kind)
{
  return kind == FG_TARGET_SAMPLES || kind == FG_TARGET_LOGISTIC || kind == FG_TARGET_PLUGIN;
}

void fg_target_defaults(fg_target_kind kind, fg_target_settings *settings)
{
  fg_target_settings s = {.kind = kind,
                          .dimension = 2,
                          .variance = 1.0,
                          .nu = 3.0,
                          .wells = 1,
                          .separation = 2.0,
                          .ring_sd = 0.1,
                          .prior_sd = 1.0,
                          .intercept = true,
                          .standardise = true};
  static const double unit_radius[1] = {1.0};
  s.rings = 1;
  s.radii = unit_radius;
  if (kind == FG_TARGET_GMM9 || kind == FG_TARGET_GMM25) s.variance = 0.3;
  if (from_file(kind)) s.dimension = 0; /* as the file says */
  if (kind == FG_TARGET_FUNNEL) s.dimension = 10;
  if (kind == FG_TARGET_DOUBLE_WELL) s.dimension = 1;
  if (kind == FG_TARGET_MANY_WELL) { /* arXiv 2211.01364 */
    s.dimension = 5;
    s.wells = 5;
    s.separation = 4.0;
  }
  *settings = s;
}

static fg_code make(const fg_target_settings *s, fg_target *t, fg_status *st)
{
  switch (s->kind) {
  case FG_TARGET_GAUSSIAN:
  case FG_TARGET_GMM9:
  case FG_TARGET_GMM25:
  case FG_TARGET_GMM40:
  case FG_TARGET_MIXTURE:
  case FG_TARGET_BLOBS:
    return fg_target_make_mixture(s, t, st);
  case FG_TARGET_FUNNEL:
    return fg_target_make_funnel(s, t, st);
  case FG_TARGET_DOUBLE_WELL:
  case FG_TARGET_MANY_WELL:
    return fg_target_make_well(s, t, st);
  case FG_TARGET_RINGS:
  case FG_TARGET_CIRCLES:
    return fg_target_make_rings(s, t, st);
  case FG_TARGET_CHECKERBOARD:
    return fg_target_make_checkerboard(s, t, st);
  case FG_TARGET_SAMPLES:
    return fg_target_make_samples(s, t, st);
  case FG_TARGET_LOGISTIC:
    return fg_target_make_logistic(s, t, st);
  case FG_TARGET_PLUGIN:
    return fg_target_make_plugin(s, t, st);
  }
  return FG_FAIL(st, FG_USAGE, "target kind number %d is unknown", (int)s->kind);
}

/* The dimension that a kind fixes, 0 if it is free. */
static size_t fixed_dimension(fg_target_kind kind)
{
  switch (kind) {
  case FG_TARGET_DOUBLE_WELL:
    return 1;
  case FG_TARGET_GMM9:
  case FG_TARGET_GMM25:
  case FG_TARGET_GMM40:
  case FG_TARGET_RINGS:
  case FG_TARGET_CIRCLES:
  case FG_TARGET_BLOBS:
  case FG_TARGET_CHECKERBOARD:
    return 2;
  case FG_TARGET_GAUSSIAN:
  case FG_TARGET_MIXTURE:
  case FG_TARGET_FUNNEL:
  case FG_TARGET_MANY_WELL:
  case FG_TARGET_SAMPLES:
  case FG_TARGET_LOGISTIC:
  case FG_TARGET_PLUGIN:
    break;
  }
  return 0;
}

fg_code fg_target_create(const fg_target_settings *settings, fg_target **target, fg_status *st)
{
  *target = NULL;
  if ((unsigned)settings->kind >= FG_TARGET_KINDS)
    return FG_FAIL(st, FG_USAGE, "target kind number %d is unknown", (int)settings->kind);
  const char *name = kind_names[settings->kind];
  size_t fixed = fixed_dimension(settings->kind);
  if (fixed && settings->dimension != fixed)
    return FG_FAIL(st, FG_USAGE, "target.dimension is %zu: %s lives in %zu dimension%s", settings->dimension,
                   name, fixed, fixed == 1 ? "" : "s");
  if (!from_file(settings->kind) && (settings->dimension < 1 || settings->dimension > 100000))
    return FG_FAIL(st, FG_USAGE, "target.dimension is %zu: give 1 to 100000", settings->dimension);
  fg_target *t = calloc(1, sizeof *t);
  if (!t) return FG_FAIL(st, FG_MEMORY, "no memory for a target");
  t->kind = settings->kind;
  fg_code rc = make(settings, t, st);
  if (rc != FG_OK) {
    free(t);
    return rc;
  }
  *target = t;
  return FG_OK;
}

void fg_target_destroy(fg_target **target)
{
  if (!target || !*target) return;
  (*target)->ops->destroy((*target)->data);
  free(*target);
  *target = NULL;
}

const char *fg_target_kind_name(fg_target_kind kind)
{
  return kind_names[kind];
}

const char *fg_target_name(const fg_target *target)
{
  return kind_names[target->kind];
}

size_t fg_target_dimension(const fg_target *target)
{
  return target->d;
}

unsigned fg_target_abilities(const fg_target *target)
{
  return target->abilities;
}

static fg_code need(const fg_target *target, fg_target_ability ability, const char *what, fg_status *st)
{
  if (target->abilities & ability) return FG_OK;
  return FG_FAIL(st, FG_UNSUPPORTED, "target %s has no %s", fg_target_name(target), what);
}

/* Row i of n: the value may be -inf (outside the support) but not NaN or +inf; the score is finite. */
static fg_code check_row(const fg_target *t, size_t i, const double *x, double value, const double *score,
                         fg_status *st)
{
  if (isnan(value) || value > 1.7976931348623157e308)
    return FG_FAIL(st, FG_NUMERICS, "target %s: log-density %g at point %zu, x_1 = %g: points must be finite",
                   fg_target_name(t), value, i, x[0]);
  for (size_t j = 0; score && j < t->d; j++)
    if (!isfinite(score[j]))
      return FG_FAIL(st, FG_NUMERICS,
                     "target %s: component %zu of the score is %g at point %zu, x_1 = %g: too far out",
                     fg_target_name(t), j + 1, score[j], i, x[0]);
  return FG_OK;
}

fg_code fg_target_log_density(const fg_target *target, size_t n, const double *x, double *log_rho,
                              double *score, fg_status *st)
{
  FG_TRY(need(target, FG_TARGET_DENSITY, "density", st));
  if (score) FG_TRY(need(target, FG_TARGET_SCORE, "score", st));
  double *scratch = malloc((target->scratch + 1) * sizeof *scratch);
  if (!scratch) return FG_FAIL(st, FG_MEMORY, "no memory for %zu numbers", target->scratch);
  fg_code rc = FG_OK;
  for (size_t i = 0; i < n && rc == FG_OK; i++) {
    double *s = score ? score + i * target->d : NULL;
    log_rho[i] = target->ops->log_density(target, x + i * target->d, s, scratch);
    rc = check_row(target, i, x + i * target->d, log_rho[i], s, st);
  }
  free(scratch);
  return rc;
}

fg_code fg_target_sample(const fg_target *target, uint64_t seed, uint64_t first, size_t n, double *x,
                         fg_status *st)
{
  FG_TRY(need(target, FG_TARGET_SAMPLE, "sampler", st));
  for (size_t i = 0; i < n; i++) target->ops->sample(target, seed, first + i, x + i * target->d);
  return FG_OK;
}

fg_code fg_target_log_z(const fg_target *target, double *log_z, fg_status *st)
{
  FG_TRY(need(target, FG_TARGET_LOG_Z, "known log Z", st));
  *log_z = 0.0;
  return target->ops->log_z ? target->ops->log_z(target, log_z, st) : FG_OK;
}

fg_code fg_target_moments(const fg_target *target, double *mean, double *covariance, fg_status *st)
{
  FG_TRY(need(target, FG_TARGET_MOMENTS, "known moments", st));
  target->ops->moments(target, mean, covariance);
  return FG_OK;
}

/* ---- shared by the kinds ------------------------------------------------------------------ */

void fg_target_normals(uint64_t seed, uint32_t stream, uint64_t row, uint32_t step, size_t n, double *z)
{
  for (size_t j = 0; j < n; j += 4) {
    fg_words words = fg_philox(seed, stream, row, step, (uint32_t)(j / 4));
    double four[4];
    fg_normal_pair(words.w[0], words.w[1], &four[0], &four[1]);
    if (j + 2 < n) fg_normal_pair(words.w[2], words.w[3], &four[2], &four[3]);
    for (size_t i = 0; i < 4 && j + i < n; i++) z[j + i] = four[i];
  }
}

void fg_target_cumulate(size_t n, const double *weights, double *cumulative)
{
  double sum = 0.0;
  for (size_t k = 0; k < n; k++) cumulative[k] = sum += weights[k];
  for (size_t k = 0; k < n; k++) cumulative[k] /= sum;
}

/* The first k with cumulative[k] > u: one of weight 0 is never picked. */
size_t fg_target_pick(size_t n, const double *cumulative, double u)
{
  size_t low = 0, high = n - 1;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (cumulative[middle] > u)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

void fg_target_zero_moments(size_t d, double *mean, double *covariance)
{
  if (mean) memset(mean, 0, d * sizeof *mean);
  if (covariance) memset(covariance, 0, d * d * sizeof *covariance);
}

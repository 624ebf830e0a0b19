/* Priors: the law at t = T from which the generative equations start. */
#include <math.h>
#include <stdlib.h>

#include <gsl/gsl_cdf.h>

#include "target/mixture.h"
#include "target/prior.h"
#include "target/quiet.h"
#include "target/target_impl.h"

struct fg_prior {
  fg_prior_kind kind;
  size_t d;
  double variance, sd;
  double radius2;  /* of the ball, inf without truncation */
  double log_norm; /* log density at 0 */
  double m, root;  /* exact: m(T), sqrt(v(T)) */
  const fg_target *target;
  fg_mixture *noised; /* exact, when the target is a mixture */
};

/* The ball that holds `mass` of N(0, I): its squared radius, a quantile of chi-square, and the mass
 * that it does hold, by which the density is divided. */
static fg_code make_ball(fg_prior *p, double mass, fg_status *st)
{
  if (!(mass >= 0.01) || mass > 1.0) /* below, rejection would try more than 100 times a point */
    return FG_FAIL(st, FG_USAGE, "prior.mass is %g: give a number from 0.01 to 1", mass);
  if (mass == 1.0) return FG_OK;
  double d = (double)p->d;
  fg_gsl_quiet_begin();
  double square = gsl_cdf_chisq_Pinv(mass, d), outside = gsl_cdf_chisq_Q(square, d);
  fg_gsl_quiet_end();
  /* Relative to the smaller of the two masses, where the quantile is well determined. */
  if (!isfinite(square) || !(fabs(outside - (1.0 - mass)) <= 1e-9 * fmin(mass, 1.0 - mass) + 1e-15))
    return FG_FAIL(st, FG_NUMERICS, "prior.mass is %g: its radius in %zu dimensions could not be found", mass,
                   p->d);
  p->radius2 = square * p->variance;
  p->log_norm -= log1p(-outside);
  return FG_OK;
}

static fg_code make_gaussian(fg_prior *p, const fg_prior_settings *s, const fg_process *process,
                             fg_status *st)
{
  p->variance = s->variance;
  if (!(s->variance > 0.0)) { /* unset, NaN or 0 */
    if (!process)
      return FG_FAIL(st, FG_USAGE,
                     "prior.variance is %g and no process is there to take it from: give one > 0",
                     s->variance);
    p->variance = fg_process_v(process, fg_process_horizon(process));
  }
  if (!isfinite(p->variance))
    return FG_FAIL(st, FG_USAGE, "prior.variance is %g: give a finite number > 0", p->variance);
  p->sd = sqrt(p->variance);
  p->radius2 = INFINITY;
  p->log_norm = -0.5 * (double)p->d * (FG_LOG_2PI + log(p->variance));
  return s->kind == FG_PRIOR_TRUNCATED ? make_ball(p, s->mass, st) : FG_OK;
}

static fg_code make_exact(fg_prior *p, const fg_process *process, const fg_target *target, fg_status *st)
{
  if (!target || !process)
    return FG_FAIL(st, FG_USAGE,
                   "prior.kind is exact, which noises target samples: give a target and a process");
  if (!(fg_target_abilities(target) & FG_TARGET_SAMPLE))
    return FG_FAIL(st, FG_USAGE,
                   "prior.kind is exact but target %s cannot be sampled: use prior.kind gaussian",
                   fg_target_name(target));
  if (fg_target_dimension(target) != p->d)
    return FG_FAIL(st, FG_USAGE, "prior.kind is exact: the target has %zu dimensions, the prior %zu",
                   fg_target_dimension(target), p->d);
  double end = fg_process_horizon(process), v = fg_process_v(process, end);
  p->m = fg_process_m(process, end);
  p->root = sqrt(v);
  p->target = target;
  if (!(fg_target_abilities(target) & FG_TARGET_IS_MIXTURE)) return FG_OK;
  fg_mixture_view view;
  FG_TRY(fg_target_mixture(target, &view, st));
  fg_mixture_source source = {.k = view.components,
                              .d = view.d,
                              .weights = view.weights,
                              .means = view.means,
                              .covariances = view.covariances,
                              .root = p->m,
                              .scale = p->m * p->m,
                              .shift = v};
  return fg_mixture_create(&source, &p->noised, st);
}

fg_code fg_prior_create(const fg_prior_settings *settings, size_t dimension, const fg_process *process,
                        const fg_target *target, fg_prior **prior, fg_status *st)
{
  *prior = NULL;
  if (dimension < 1) return FG_FAIL(st, FG_USAGE, "a prior of 0 dimensions: give at least 1");
  fg_prior *p = calloc(1, sizeof *p);
  if (!p) return FG_FAIL(st, FG_MEMORY, "no memory for a prior");
  p->kind = settings->kind;
  p->d = dimension;
  fg_code rc = FG_OK;
  switch (settings->kind) {
  case FG_PRIOR_GAUSSIAN:
  case FG_PRIOR_TRUNCATED:
    rc = make_gaussian(p, settings, process, st);
    break;
  case FG_PRIOR_EXACT:
    rc = make_exact(p, process, target, st);
    break;
  case FG_PRIOR_POINT:
    break;
  default:
    rc = FG_FAIL(st, FG_USAGE, "prior kind number %d is unknown: use gaussian, truncated, point or exact",
                 (int)settings->kind);
  }
  if (rc != FG_OK) {
    fg_prior_destroy(&p);
    return rc;
  }
  *prior = p;
  return FG_OK;
}

fg_prior_view fg_prior_look(const fg_prior *prior)
{
  return (fg_prior_view){prior->kind, prior->variance, prior->log_norm};
}

void fg_prior_destroy(fg_prior **prior)
{
  if (!prior || !*prior) return;
  fg_mixture_destroy(&(*prior)->noised);
  free(*prior);
  *prior = NULL;
}

static double square_norm(size_t d, const double *x)
{
  double sum = 0.0;
  for (size_t i = 0; i < d; i++) sum += x[i] * x[i];
  return sum;
}

/* Gaussian, tried again at the next step until it is inside the ball. */
static void draw_gaussian(const fg_prior *p, uint64_t seed, uint64_t row, double *x)
{
  for (uint32_t try = 0;; try++) {
    fg_target_normals(seed, FG_STREAM_PRIOR, row, try, p->d, x);
    for (size_t i = 0; i < p->d; i++) x[i] *= p->sd;
    if (square_norm(p->d, x) <= p->radius2) return;
  }
}

static fg_code draw_exact(const fg_prior *p, uint64_t seed, uint64_t first, size_t n, double *x,
                          fg_status *st)
{
  /* A seed of its own: the rows must not be those of fg_target_sample under the caller's seed, with
   * which the outcome may be compared. */
  fg_words words = fg_philox(seed, FG_STREAM_PRIOR, 0, 0, 0);
  uint64_t other = (uint64_t)words.w[0] << 32 | words.w[1];
  FG_TRY(fg_target_sample(p->target, other, first, n, x, st));
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < p->d; j++) {
      double *value = &x[i * p->d + j];
      *value = p->m * *value + p->root * fg_normal(seed, FG_STREAM_NOISING, first + i, 0, (uint32_t)j);
    }
  return FG_OK;
}

fg_code fg_prior_sample(const fg_prior *prior, uint64_t seed, uint64_t first, size_t n, double *x,
                        fg_status *st)
{
  switch (prior->kind) {
  case FG_PRIOR_EXACT:
    return draw_exact(prior, seed, first, n, x, st);
  case FG_PRIOR_POINT:
    for (size_t i = 0; i < n * prior->d; i++) x[i] = 0.0;
    return FG_OK;
  case FG_PRIOR_GAUSSIAN:
  case FG_PRIOR_TRUNCATED:
    break;
  }
  for (size_t i = 0; i < n; i++) draw_gaussian(prior, seed, first + i, x + i * prior->d);
  return FG_OK;
}

static double gaussian_log_density(const fg_prior *p, const double *x)
{
  double square = square_norm(p->d, x);
  return square > p->radius2 ? -INFINITY : p->log_norm - 0.5 * square / p->variance;
}

fg_code fg_prior_log_density(const fg_prior *prior, size_t n, const double *x, double *log_p, fg_status *st)
{
  if (prior->kind == FG_PRIOR_POINT)
    return FG_FAIL(st, FG_UNSUPPORTED, "a point prior has no density: use prior.kind gaussian");
  if (prior->kind == FG_PRIOR_EXACT && !prior->noised)
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "an exact prior has a density for Gaussian mixtures only, and target %s is none",
                   fg_target_name(prior->target));
  double *scratch = malloc(prior->d * sizeof *scratch);
  if (!scratch) return FG_FAIL(st, FG_MEMORY, "no memory for %zu numbers", prior->d);
  fg_code rc = FG_OK;
  for (size_t i = 0; i < n && rc == FG_OK; i++) {
    const double *at = x + i * prior->d;
    log_p[i] = prior->noised ? fg_mixture_evaluate(prior->noised, at, NULL, scratch)
                             : gaussian_log_density(prior, at);
    if (isnan(log_p[i]))
      rc = FG_FAIL(st, FG_NUMERICS, "prior: log-density %g at point %zu: points must be finite", log_p[i], i);
  }
  free(scratch);
  return rc;
}

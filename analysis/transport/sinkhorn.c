/* Entropic transport: the debiased Sinkhorn divergence, and the plain value with Euclidean cost. */
#include <math.h>
#include <string.h>

#include "analysis/transport/sinkhorn.h"

void fg_sinkhorn_defaults(fg_cost cost, fg_sinkhorn_settings *settings)
{
  memset(settings, 0, sizeof *settings);
  settings->cost = cost;
  settings->debiased = cost == FG_COST_SQUARED;
  settings->epsilon = NAN;
  settings->epsilon_share = 0.05;
  settings->annealing = 0.5;
  settings->tolerance = 1e-6;
  settings->iterations = 10000;
}

static fg_code fg_sinkhorn_check(const fg_engine *engine, const fg_sinkhorn_settings *s, fg_status *st)
{
  if (!engine)
    return FG_FAIL(st, FG_USAGE, "Sinkhorn's sums over pairs need an engine: open one, such as cpu");
  if (!engine->ops->softmin) return fg_engine_lacks(engine, "sum over pairs for Sinkhorn", st);
  if (!isnan(s->epsilon) && !(s->epsilon > 0 && isfinite(s->epsilon)))
    return FG_FAIL(st, FG_USAGE,
                   "Sinkhorn's epsilon is %g: give a positive number, or NaN for a share of the mean cost",
                   s->epsilon);
  if (isnan(s->epsilon) && !(s->epsilon_share > 0 && isfinite(s->epsilon_share)))
    return FG_FAIL(st, FG_USAGE, "Sinkhorn's epsilon is to be %g of the mean cost: give a positive share",
                   s->epsilon_share);
  if (!(s->annealing > 0 && s->annealing < 1))
    return FG_FAIL(st, FG_USAGE, "Sinkhorn's annealing is %g: give a factor above 0 and below 1",
                   s->annealing);
  if (!(s->tolerance > 0))
    return FG_FAIL(st, FG_USAGE, "Sinkhorn's tolerance is %g: give a positive number", s->tolerance);
  if (s->iterations < 1) return FG_FAIL(st, FG_USAGE, "Sinkhorn in 0 iterations: give at least 1");
  return FG_OK;
}

/* From the pair's units to those of the caller. */
static fg_code fg_sinkhorn_finish(const fg_sinkhorn_settings *s, int exponent, fg_sinkhorn *result,
                                  fg_status *st)
{
  const int cost_exponent = s->cost == FG_COST_SQUARED ? 2 * exponent : exponent;
  result->epsilon = ldexp(result->epsilon, cost_exponent);
  result->between = ldexp(result->between, cost_exponent);
  result->within_x = ldexp(result->within_x, cost_exponent);
  result->within_y = ldexp(result->within_y, cost_exponent);
  if (s->cost == FG_COST_SQUARED) {
    result->value = ldexp(sqrt(result->squared), exponent);
    result->squared = ldexp(result->squared, cost_exponent);
  } else {
    result->value = ldexp(result->value, cost_exponent);
    result->squared = result->value * result->value;
  }
  if (!isfinite(result->value) || !isfinite(result->squared))
    return FG_FAIL(st, FG_NUMERICS,
                   "Sinkhorn's value is %g and its square does not fit a double: rescale the samples",
                   result->value);
  return FG_OK;
}

static fg_code fg_sinkhorn_run(fg_entropic *problem, fg_sinkhorn *result, fg_status *st)
{
  const fg_sinkhorn_settings *s = problem->settings;
  fg_entropic_value between, x = {.dual = NAN}, y = {.dual = NAN};
  if (!(problem->epsilon > 0 && isfinite(problem->epsilon)))
    return FG_FAIL(st, FG_USAGE,
                   "Sinkhorn's epsilon is %g beside samples whose largest cost is 2^%d: give one nearer",
                   s->epsilon, ilogb(problem->largest));
  FG_TRY(fg_entropic_between(problem, &between, st));
  result->marginal_error = between.error;
  result->iterations = between.iterations;
  if (s->debiased) {
    FG_TRY(fg_entropic_within(problem, &problem->x, "within x", &x, st));
    FG_TRY(fg_entropic_within(problem, &problem->y, "within y", &y, st));
    result->marginal_error = fmax(between.error, fmax(x.error, y.error));
  }
  result->epsilon = problem->epsilon;
  result->between = between.dual;
  result->within_x = x.dual;
  result->within_y = y.dual;
  /* the divergence is not negative (Feydy et al. 2019, theorem 1); what rounding leaves below 0 is 0 */
  const double value = s->debiased ? fmax(between.dual - 0.5 * (x.dual + y.dual), 0) : between.cost;
  result->squared = result->value = value;
  return FG_OK;
}

fg_code fg_w2_sinkhorn(fg_engine *engine, fg_threads *threads, const fg_sinkhorn_settings *settings, size_t n,
                       size_t m, size_t d, const double *x, const double *wx, const double *y,
                       const double *wy, const fg_progress *progress, fg_sinkhorn *result, fg_status *st)
{
  const double start = fg_seconds();
  fg_pair pair;
  fg_entropic problem;
  fg_code rc = FG_OK;
  memset(result, 0, sizeof *result);
  result->squared = result->value = NAN;
  FG_TRY(fg_sinkhorn_check(engine, settings, st));
  FG_TRY(fg_pair_create(n, m, d, x, wx, y, wy, &pair, st));
  result->n = pair.n;
  result->m = pair.m;
  FG_GO(fg_entropic_create(engine, threads, &pair, settings, progress, &problem, st), done);
  rc = fg_sinkhorn_run(&problem, result, st);
  fg_entropic_clear(&problem);
  if (rc == FG_OK) rc = fg_sinkhorn_finish(settings, pair.exponent, result, st);
done:
  fg_pair_clear(&pair);
  if (rc != FG_OK) result->squared = result->value = NAN;
  result->seconds = fg_seconds() - start;
  return rc;
}

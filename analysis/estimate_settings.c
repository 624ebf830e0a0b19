/* Which estimators there are, and their settings. */
#include <math.h>
#include <string.h>

#include "analysis/estimate_impl.h"

const char *fg_estimator_name(fg_estimator estimator)
{
  static const char *const names[FG_ESTIMATORS] = {"exact",    "grid",     "sinkhorn", "sliced", "max_sliced",
                                                   "gaussian", "entropic", "mmd",      "energy"};
  return (unsigned)estimator < FG_ESTIMATORS ? names[estimator] : "unknown";
}

bool fg_estimator_is_w2(fg_estimator estimator)
{
  return estimator <= FG_W2_GAUSSIAN;
}

bool fg_estimator_takes_pairs(fg_estimator estimator)
{
  return estimator == FG_W2_SINKHORN || estimator == FG_ENTROPIC || estimator == FG_MMD ||
         estimator == FG_ENERGY;
}

const char *fg_estimate_detail(fg_estimator estimator, int which)
{
  static const char *const names[FG_ESTIMATORS][2] = {[FG_W2_SLICED] = {"direction_error", "largest"},
                                                      [FG_W2_MAX_SLICED] = {"slope", "unsettled"},
                                                      [FG_W2_SINKHORN] = {"epsilon", "marginal_error"},
                                                      [FG_ENTROPIC] = {"epsilon", "marginal_error"},
                                                      [FG_MMD] = {"bandwidth", NULL}};
  return (unsigned)estimator < FG_ESTIMATORS && (unsigned)which < 2 ? names[estimator][which] : NULL;
}

fg_code fg_estimators_from_settings(const fg_settings *settings, bool wanted[FG_ESTIMATORS], bool *all,
                                    fg_status *st)
{
  const char *const *words;
  size_t count;
  bool every = false;
  FG_TRY(fg_settings_words(settings, "compare.estimators", &words, &count, st));
  for (size_t i = 0; i < count; i++) every = every || strcmp(words[i], "all") == 0;
  for (int e = 0; e < FG_ESTIMATORS; e++) {
    wanted[e] = every;
    for (size_t i = 0; i < count; i++)
      if (strcmp(words[i], fg_estimator_name((fg_estimator)e)) == 0) wanted[e] = true;
  }
  if (all) *all = every;
  return FG_OK;
}

void fg_estimate_defaults(fg_estimator estimator, fg_estimate_settings *settings)
{
  memset(settings, 0, sizeof *settings);
  settings->estimator = estimator;
  settings->grid.bins = 64;
  settings->grid.half_width = NAN;
  settings->exact_points = 10000;
  settings->pair_points = 2000;
  settings->directions = 100;
  settings->epsilon = NAN;
  settings->tolerance = 1e-6;
  settings->bandwidth = NAN;
  settings->replicates = 40;
  settings->permutations = 99;
  settings->confidence = 0.9;
  settings->seed = 1;
}

/* *to = the whole number that this key holds. */
static fg_code fg_count_setting(const fg_settings *s, const char *key, size_t *to, fg_status *st)
{
  int64_t value;
  FG_TRY(fg_settings_integer(s, key, &value, st));
  *to = (size_t)value;
  return FG_OK;
}

fg_code fg_estimate_from_settings(const fg_settings *s, fg_estimator estimator, fg_estimate_settings *to,
                                  fg_status *st)
{
  int64_t seed;
  fg_estimate_defaults(estimator, to);
  FG_TRY(fg_count_setting(s, "compare.grid.bins", &to->grid.bins, st));
  FG_TRY(fg_settings_real(s, "compare.grid.half_width", &to->grid.half_width, st));
  FG_TRY(fg_count_setting(s, "compare.exact_points", &to->exact_points, st));
  FG_TRY(fg_count_setting(s, "compare.pair_points", &to->pair_points, st));
  FG_TRY(fg_count_setting(s, "compare.directions", &to->directions, st));
  FG_TRY(fg_settings_real(s, "compare.sinkhorn.epsilon", &to->epsilon, st));
  FG_TRY(fg_settings_real(s, "compare.sinkhorn.tolerance", &to->tolerance, st));
  FG_TRY(fg_settings_real(s, "compare.bandwidth", &to->bandwidth, st));
  FG_TRY(fg_count_setting(s, "compare.replicates", &to->replicates, st));
  FG_TRY(fg_count_setting(s, "compare.permutations", &to->permutations, st));
  FG_TRY(fg_settings_real(s, "compare.confidence", &to->confidence, st));
  FG_TRY(fg_settings_integer(s, "seed", &seed, st));
  to->seed = (uint64_t)seed;
  return FG_OK;
}

fg_code fg_estimate_check(const fg_engine *engine, const fg_estimate_settings *s, fg_status *st)
{
  bool along = s->estimator == FG_W2_SLICED || s->estimator == FG_W2_MAX_SLICED;
  bool pairs = fg_estimator_takes_pairs(s->estimator);
  if ((unsigned)s->estimator >= FG_ESTIMATORS)
    return FG_FAIL(st, FG_USAGE, "estimator number %d is not known", (int)s->estimator);
  if (pairs && !engine)
    return FG_FAIL(st, FG_USAGE, "the %s estimator needs an engine", fg_estimator_name(s->estimator));
  if (s->estimator == FG_W2_EXACT && s->exact_points < 4)
    return FG_FAIL(st, FG_USAGE, "exact_points is %zu: give at least 4", s->exact_points);
  if (pairs && s->pair_points < 4)
    return FG_FAIL(st, FG_USAGE, "pair_points is %zu: give at least 4", s->pair_points);
  if (along && (s->directions < 2 || s->directions > 1000000))
    return FG_FAIL(st, FG_USAGE, "directions is %zu: the %s estimator needs 2 to 1000000", s->directions,
                   fg_estimator_name(s->estimator));
  if (s->replicates < 2 || s->replicates > 1000000)
    return FG_FAIL(st, FG_USAGE, "replicates is %zu: an interval needs 2 to 1000000", s->replicates);
  if (s->permutations > 1000000)
    return FG_FAIL(st, FG_USAGE, "permutations is %zu: give at most 1000000", s->permutations);
  if (!(s->confidence > 0 && s->confidence < 1))
    return FG_FAIL(st, FG_USAGE, "confidence is %g: give a number between 0 and 1", s->confidence);
  return FG_OK;
}

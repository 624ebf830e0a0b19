/* Settings of the nine estimators for samples of N rows whose distance is known. */
#ifndef FG_TESTS_ESTIMATE_CASE_H
#define FG_TESTS_ESTIMATE_CASE_H

#include "flowgap/analysis.h"
#include "support/gaussian_case.h"

enum { N = 150, MOST = 5 };

static fg_estimate_settings settings_for(fg_estimator estimator, size_t d)
{
  fg_estimate_settings s;
  fg_estimate_defaults(estimator, &s);
  s.grid.bins = 29; /* nodes half apart */
  s.grid.half_width = 7;
  s.directions = 20;
  s.epsilon = (estimator == FG_ENTROPIC ? 0.05 : 0.2) * (double)d;
  s.tolerance = 1e-5; /* entropic: the cost to 1e-4, far below its error */
  s.bandwidth = sqrt(2 * (double)d);
  s.permutations = 0;
  if (estimator == FG_W2_SINKHORN || estimator == FG_ENTROPIC) s.replicates = 20;
  if (estimator == FG_W2_MAX_SLICED) s.replicates = 12; /* slow */
  return s;
}

/* false: not part of this build */
static bool estimate(fg_engine *engine, const fg_estimate_settings *s, size_t d, const double *x,
                     const double *y, fg_estimate *e)
{
  fg_status st;
  fg_code rc = fg_estimate_w2(engine, s, N, N, d, x, NULL, y, NULL, NULL, e, &st);
  if (rc != FG_OK && rc != FG_UNSUPPORTED) fail_msg("%s", st.message);
  return rc == FG_OK;
}

#endif

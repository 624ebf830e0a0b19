/* Entropic transport: the debiased Sinkhorn divergence, and the plain value with Euclidean cost. */
#include <math.h>
#include <string.h>

#include "flowgap/distance.h"

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

fg_code fg_w2_sinkhorn(fg_engine *engine, fg_threads *threads, const fg_sinkhorn_settings *settings, size_t n,
                       size_t m, size_t d, const double *x, const double *wx, const double *y,
                       const double *wy, const fg_progress *progress, fg_sinkhorn *result, fg_status *st)
{
  (void)engine, (void)threads, (void)settings, (void)n, (void)m, (void)d, (void)x, (void)wx, (void)y,
      (void)wy;
  (void)progress, (void)result;
  return FG_FAIL(st, FG_UNSUPPORTED, "sinkhorn is not part of this build");
}

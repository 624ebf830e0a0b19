/* Laws other than Gaussian, of which translations and blow-ups have known distances: for bench/bench_coverage.c. */
#ifndef FG_TESTS_SHAPED_CASE_H
#define FG_TESTS_SHAPED_CASE_H

#include "tests/support/gaussian_case.h"

typedef enum shaped_law {
  SHAPED_GAUSSIAN,
  SHAPED_CLUSTERS, /* two round clusters, as likely, 4 apart along the last axis, of standard deviation 1/2 */
  SHAPED_TAILS     /* Student's t with 5 degrees of freedom, round: fourth moments, no more */
} shaped_law;

/* Variance along an axis. */
static double shaped_variance(shaped_law law, size_t d, size_t axis)
{
  if (law == SHAPED_TAILS) return 5.0 / 3;
  return law == SHAPED_CLUSTERS ? 0.25 + (axis + 1 == d ? 4 : 0) : 1;
}

static void shaped_row(shaped_law law, uint64_t seed, uint64_t stream, size_t i, size_t d, double *x)
{
  double chi = 0;
  for (size_t k = 0; k < d; k++)
    x[k] = (law == SHAPED_CLUSTERS ? 0.5 : 1) * fg_normal(seed, (uint32_t)stream, i, 0, (uint32_t)k);
  if (law == SHAPED_CLUSTERS) x[d - 1] += fg_normal(seed, (uint32_t)stream, i, 1, 0) > 0 ? 2 : -2;
  if (law != SHAPED_TAILS) return;
  for (uint32_t k = 0; k < 5; k++) {
    double z = fg_normal(seed, (uint32_t)stream, i, 1, k);
    chi += z * z;
  }
  for (size_t k = 0; k < d; k++) x[k] *= sqrt(5 / chi);
}

/* The shift and the scale of the case alone. */
static void shaped_draw(shaped_law law, const gaussian_case *c, uint64_t seed, size_t n, size_t d, double *x,
                        double *y)
{
  if (law == SHAPED_GAUSSIAN) {
    gaussian_draw(c, seed, n, d, x, y);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    shaped_row(law, seed, 1, i, d, x + i * d);
    shaped_row(law, seed, 2, i, d, y + i * d);
    for (size_t k = 0; k < d; k++) y[i * d + k] *= c->scale_q;
    y[i * d] += c->shift;
  }
}

static double shaped_truth(shaped_law law, const gaussian_case *c, const fg_estimate_settings *settings,
                           size_t d)
{
  double blown = (c->scale_q - 1) * (c->scale_q - 1), shift = c->shift * c->shift, trace = 0, most = 0;
  if (law == SHAPED_GAUSSIAN) return gaussian_truth(c, settings, d);
  if (c->turn != 0 || c->wide_p != 1 || c->wide_q != 1) return NAN;
  for (size_t k = 0; k < d; k++) {
    trace += shaped_variance(law, d, k);
    /* along a unit vector u: shift^2 u_1^2 + blown u'Cu, C diagonal */
    most = fmax(most, blown * shaped_variance(law, d, k) + (k == 0 ? shift : 0));
  }
  switch (settings->estimator) {
  case FG_W2_EXACT:
  case FG_W2_GAUSSIAN:
    return shift + blown * trace;
  case FG_W2_SLICED:
    return (shift + blown * trace) / (double)d;
  case FG_W2_MAX_SLICED:
    return most;
  case FG_W2_SINKHORN:
    return blown == 0 ? shift : NAN;
  default:
    return NAN;
  }
}

#endif

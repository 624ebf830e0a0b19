/* Sinkhorn divergence and entropic cost between Gaussian laws of the plane by quadrature. */
#ifndef FG_TESTS_GAUSSIAN_NODES_H
#define FG_TESTS_GAUSSIAN_NODES_H

#include "tests/support/gaussian_case.h"

/* Points of the plane x [nodes^2, 2], evenly spaced out to 4.5 standard deviations of the law, and its density there. */
static void gaussian_nodes(size_t nodes, const double *scale, double turn, double shift, double *x, double *w)
{
  for (size_t i = 0; i < nodes * nodes; i++) {
    double first = 9 * ((double)(i / nodes) / (double)(nodes - 1) - 0.5);
    double second = 9 * ((double)(i % nodes) / (double)(nodes - 1) - 0.5);
    w[i] = exp(-0.5 * (first * first + second * second));
    first *= scale[0];
    second *= scale[1];
    x[2 * i] = cos(turn) * first - sin(turn) * second + shift;
    x[2 * i + 1] = sin(turn) * first + cos(turn) * second;
  }
}

/* What sinkhorn (FG_COST_SQUARED: its square) and entropic (FG_COST_EUCLIDEAN: its cost) are in the plane, by
 * quadrature; NaN where that fails. */
static double gaussian_by_nodes(fg_engine *engine, fg_cost cost, const gaussian_case *c, double epsilon,
                                size_t nodes)
{
  size_t n = nodes * nodes;
  double a[GAUSSIAN_MOST], b[GAUSSIAN_MOST], found = NAN;
  double *x = malloc(6 * n * sizeof *x), *y = x + 2 * n, *wx = x + 4 * n, *wy = x + 5 * n;
  fg_sinkhorn_settings how;
  fg_sinkhorn result;
  if (!x) return NAN;
  gaussian_scales(c, 2, a, b);
  gaussian_nodes(nodes, a, 0, 0, x, wx);
  gaussian_nodes(nodes, b, c->turn, c->shift, y, wy);
  fg_sinkhorn_defaults(cost, &how);
  how.epsilon = epsilon;
  if (fg_w2_sinkhorn(engine, fg_engine_threads(engine), &how, n, n, 2, x, wx, y, wy, NULL, &result, NULL) ==
      FG_OK)
    found = cost == FG_COST_SQUARED ? result.squared : result.value;
  free(x);
  return found;
}

#endif

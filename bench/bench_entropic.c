/* needs: analysis */
/* What `entropic` is about: the Euclidean cost of the entropic plan between two Gaussian laws, for which there is no
 * closed form. tests/support/gaussian_case.h holds what this prints.
 *
 *     bench_entropic DIMENSION EPSILON ROWS ROUNDS [NODES]
 *
 * By samples: the plan's cost of ROUNDS pairs of ROWS rows and of ROUNDS other pairs of ROWS / 2. The bias falls like
 * 1 / rows, so that twice the first less the second has none to first order. The rows of each sample are moved and
 * stretched to the means and variances of their law along its axes, which takes off most of the noise and goes away with
 * the rows as the bias does. Printed with its standard error, and beside the cost that was not corrected. In the plane also by quadrature: NODES x NODES evenly spaced points
 * out to 4.5 standard deviations, weighted by the densities; the kernel has a kink where x = y, so that the error falls
 * with a power of the spacing: compare two numbers of NODES. */
#include <stdio.h>
#include <stdlib.h>

#include "flowgap/flowgap.h"
#include "tests/support/gaussian_case.h"

static int plan_cost(fg_engine *engine, double epsilon, double tolerance, size_t n, size_t d, const double *x,
                     const double *wx, const double *y, const double *wy, double *cost)
{
  fg_sinkhorn_settings how;
  fg_sinkhorn result;
  fg_status st;
  fg_sinkhorn_defaults(FG_COST_EUCLIDEAN, &how);
  how.epsilon = epsilon;
  how.tolerance = tolerance;
  if (fg_w2_sinkhorn(engine, fg_engine_threads(engine), &how, n, n, d, x, wx, y, wy, NULL, &result, &st) !=
      FG_OK) {
    fprintf(stderr, "%s\n", st.message);
    return 1;
  }
  *cost = result.value;
  return 0;
}

/* Columns of z [n, d] to mean 0 and variance 1, then to the law's scales and turn. */
static void match(const double *scale, double turn, double shift, size_t n, size_t d, double *z)
{
  for (size_t k = 0; k < d; k++) {
    double mean = 0, square = 0;
    for (size_t i = 0; i < n; i++) mean += z[i * d + k] / (double)n;
    for (size_t i = 0; i < n; i++) square += (z[i * d + k] - mean) * (z[i * d + k] - mean) / (double)n;
    for (size_t i = 0; i < n; i++) z[i * d + k] = scale[k] * (z[i * d + k] - mean) / sqrt(square);
  }
  for (size_t i = 0; i < n; i++) {
    double first = z[i * d], second = d > 1 ? z[i * d + 1] : 0;
    z[i * d] = cos(turn) * first - sin(turn) * second + shift;
    if (d > 1) z[i * d + 1] = sin(turn) * first + cos(turn) * second;
  }
}

/* Mean cost of the plans of `rounds` pairs of n rows, and the standard error of that mean. */
static int mean_cost(fg_engine *engine, const gaussian_case *c, double epsilon, size_t n, size_t rounds,
                     size_t d, double *mean, double *error)
{
  const gaussian_case plain = {"", 0, 1, 1, 1, 0};
  double a[GAUSSIAN_MOST], b[GAUSSIAN_MOST], *x = malloc(2 * n * d * sizeof *x), sum = 0, squares = 0;
  int rc = !x;
  gaussian_scales(c, d, a, b);
  for (size_t r = 0; r < rounds && !rc; r++) {
    double cost = 0;
    gaussian_draw(&plain, 7000000 + 10000 * n + r, n, d, x,
                  x + n * d); /* seeds of no test, no study of coverage */
    match(a, 0, 0, n, d, x);
    match(b, c->turn, c->shift, n, d, x + n * d);
    rc = plan_cost(engine, epsilon, 1e-5, n, d, x, NULL, x + n * d, NULL, &cost);
    sum += cost;
    squares += cost * cost;
  }
  free(x);
  *mean = sum / (double)rounds;
  *error = sqrt(fmax(0, squares / (double)rounds - *mean * *mean) / (double)(rounds - 1));
  return rc;
}

static int by_samples(fg_engine *engine, const gaussian_case *c, double epsilon, size_t n, size_t rounds,
                      size_t d)
{
  double whole, half, error, half_error;
  if (mean_cost(engine, c, epsilon, n, rounds, d, &whole, &error) ||
      mean_cost(engine, c, epsilon, n / 2, rounds, d, &half, &half_error))
    return 1;
  printf("%-16s d %zu epsilon %-4g samples %.5f +- %.5f (not corrected %.5f)", c->name, d, epsilon,
         2 * whole - half, hypot(2 * error, half_error), whole);
  return 0;
}

/* Points of the plane x [nodes^2, 2], turned and moved like the law, and their weights. */
static void place_nodes(size_t nodes, const double *scale, double turn, double shift, double *x, double *w)
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

static int by_nodes(fg_engine *engine, const gaussian_case *c, double epsilon, size_t nodes)
{
  size_t n = nodes * nodes;
  double a[GAUSSIAN_MOST], b[GAUSSIAN_MOST], cost = 0;
  double *x = malloc(6 * n * sizeof *x), *y = x + 2 * n, *wx = x + 4 * n, *wy = x + 5 * n;
  if (!x) return 1;
  gaussian_scales(c, 2, a, b);
  place_nodes(nodes, a, 0, 0, x, wx);
  place_nodes(nodes, b, c->turn, c->shift, y, wy);
  int rc = plan_cost(engine, epsilon, 1e-8, n, 2, x, wx, y, wy, &cost);
  free(x);
  if (!rc) printf(" nodes %.5f", cost);
  return rc;
}

int main(int argc, char **argv)
{
  fg_engine *engine;
  int rc = 0;
  if (argc < 5 || argc > 6) {
    fprintf(stderr, "usage: %s DIMENSION EPSILON ROWS ROUNDS [NODES]\n", argv[0]);
    return 2;
  }
  size_t d = strtoul(argv[1], NULL, 10), n = strtoul(argv[3], NULL, 10), rounds = strtoul(argv[4], NULL, 10);
  size_t nodes = argc > 5 ? strtoul(argv[5], NULL, 10) : 0;
  double epsilon = strtod(argv[2], NULL);
  if (!(epsilon > 0) || d < 1 || d > GAUSSIAN_MOST || n < 4 || rounds < 2) {
    fprintf(stderr, "%s: 1 to %d dimensions, epsilon above 0, at least 4 rows, at least 2 rounds\n", argv[0],
            GAUSSIAN_MOST);
    return 2;
  }
  if (fg_engine_open("cpu", 0, &engine, NULL) != FG_OK) return 1;
  for (size_t i = 0; i < GAUSSIAN_CASES && !rc; i++) {
    rc = by_samples(engine, &gaussian_cases[i], epsilon, n, rounds, d);
    if (d == 2 && nodes > 1 && !rc) rc = by_nodes(engine, &gaussian_cases[i], epsilon, nodes);
    printf("\n");
    fflush(stdout);
  }
  fg_engine_close(&engine);
  return rc;
}

/* needs: analysis */
/* What `entropic` is about: the Euclidean cost of the entropic plan between two Gaussian laws, for which there is no
 * closed form. tests/support/gaussian_case.h holds what this prints.
 *
 *     bench_entropic DIMENSION EPSILON NODES [ROWS ROUNDS]
 *
 * By quadrature. In the plane: NODES x NODES evenly spaced points, weighted by the densities. In three dimensions and more
 * (laws without a turn): both laws are round about the first axis, and so are the potentials; NODES places along it, as
 * many distances from it, and the kernel is integrated over the angle between. The kernel has a kink where x = y, so that
 * the error falls with a power of the spacing: compare two numbers of NODES.
 *
 * By samples, to check that: the plan's cost of ROUNDS pairs of ROWS rows and of ROUNDS other pairs of ROWS / 2, each
 * sample moved and stretched to the means and variances of its law, which takes off most of the noise. Twice the first
 * less the second has no bias where that falls like 1 / rows; while epsilon is small beside the gaps between rows, it
 * falls more slowly, and the figure is too large. */
#include <stdio.h>
#include <stdlib.h>

#include "flowgap/flowgap.h"
#include "tests/support/gaussian_nodes.h"

/* ---- by samples ----------------------------------------------------------------------- */

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
  printf("  samples %.5f +- %.5f (not corrected %.5f)", 2 * whole - half, hypot(2 * error, half_error),
         whole);
  return 0;
}

/* ---- by quadrature --------------------------------------------------------------------- */

/* Places about the first axis: along it, distance from it, share of the law. */
typedef struct places {
  double *along, *away, *share;
} places;

static void place(const places *to, size_t nodes, size_t d, double scale, double shift)
{
  double sum = 0;
  for (size_t i = 0; i < nodes * nodes; i++) {
    double along = 9.5 * (((double)(i / nodes) + 0.5) / (double)nodes - 0.5);
    double away = (4 + sqrt((double)d)) * ((double)(i % nodes) + 0.5) / (double)nodes;
    to->share[i] = pow(away, (double)d - 2) * exp(-0.5 * (along * along + away * away));
    to->along[i] = scale * along + shift;
    to->away[i] = scale * away;
    sum += to->share[i];
  }
  for (size_t i = 0; i < nodes * nodes; i++) to->share[i] /= sum;
}

/* Means over the angle of exp(-|x - y| / epsilon) and of that times |x - y|. */
static void kernel(const places *x, const places *y, size_t n, size_t d, double epsilon, float *k, float *kc)
{
  enum { ANGLES = 40 };
  double part[ANGLES], turn[ANGLES], sum = 0;
  for (int a = 0; a < ANGLES; a++) {
    double angle = acos(-1) * (a + 0.5) / ANGLES;
    part[a] = pow(sin(angle), (double)d - 3);
    turn[a] = cos(angle);
    sum += part[a];
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      double step = x->along[i] - y->along[j], mean = 0, cost = 0;
      double square = step * step + x->away[i] * x->away[i] + y->away[j] * y->away[j];
      for (int a = 0; a < ANGLES; a++) {
        double c = sqrt(fmax(0, square - 2 * x->away[i] * y->away[j] * turn[a]));
        double e = part[a] / sum * exp(-c / epsilon);
        mean += e;
        cost += c * e;
      }
      k[i * n + j] = (float)mean;
      kc[i * n + j] = (float)cost;
    }
}

/* Scalings a, b of the plan x->share[i] a[i] k[i, j] b[j] y->share[j]; returns its cost. */
static double scale_plan(const places *x, const places *y, size_t n, const float *k, const float *kc,
                         double *a, double *b)
{
  double cost = 0, error = 1;
  for (size_t j = 0; j < n; j++) b[j] = 1;
  for (int round = 0; round < 5000 && error > 1e-7; round++) {
    error = 0;
    for (size_t i = 0; i < n; i++) {
      double sum = 0;
      for (size_t j = 0; j < n; j++) sum += (double)k[i * n + j] * y->share[j] * b[j];
      error += round ? fabs(a[i] * sum - 1) * x->share[i] : x->share[i];
      a[i] = 1 / sum;
    }
    for (size_t j = 0; j < n; j++) b[j] = 0;
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++) b[j] += (double)k[i * n + j] * x->share[i] * a[i];
    for (size_t j = 0; j < n; j++) b[j] = 1 / b[j];
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) cost += x->share[i] * a[i] * (double)kc[i * n + j] * b[j] * y->share[j];
  return error > 1e-7 ? NAN : cost;
}

/* NaN where memory or rounds do not suffice. */
static double about_axis(const gaussian_case *c, double epsilon, size_t nodes, size_t d)
{
  size_t n = nodes * nodes;
  double *all = malloc(8 * n * sizeof *all), cost = NAN;
  float *k = malloc(2 * n * n * sizeof *k);
  if (all && k) {
    places x = {all, all + n, all + 2 * n}, y = {all + 3 * n, all + 4 * n, all + 5 * n};
    place(&x, nodes, d, 1, 0);
    place(&y, nodes, d, c->scale_q, c->shift);
    kernel(&x, &y, n, d, epsilon, k, k + n * n);
    cost = scale_plan(&x, &y, n, k, k + n * n, all + 6 * n, all + 7 * n);
  }
  free(all);
  free(k);
  return cost;
}

int main(int argc, char **argv)
{
  fg_engine *engine;
  int rc = 0;
  if (argc != 4 && argc != 6) {
    fprintf(stderr, "usage: %s DIMENSION EPSILON NODES [ROWS ROUNDS]\n", argv[0]);
    return 2;
  }
  size_t d = strtoul(argv[1], NULL, 10), nodes = strtoul(argv[3], NULL, 10);
  size_t n = argc > 4 ? strtoul(argv[4], NULL, 10) : 4, rounds = argc > 4 ? strtoul(argv[5], NULL, 10) : 0;
  double epsilon = strtod(argv[2], NULL);
  if (!(epsilon > 0) || d < 2 || d > GAUSSIAN_MOST || nodes < 2 || n < 4 || (argc > 4 && rounds < 2)) {
    fprintf(stderr, "%s: 2 to %d dimensions, epsilon above 0, at least 2 nodes, 4 rows, 2 rounds\n", argv[0],
            GAUSSIAN_MOST);
    return 2;
  }
  if (fg_engine_open("cpu", 0, &engine, NULL) != FG_OK) return 1;
  for (size_t i = 0; i < GAUSSIAN_CASES && !rc; i++) {
    const gaussian_case *c = &gaussian_cases[i];
    if (d > 2 && c->turn != 0) continue;
    printf("%-16s d %zu epsilon %-4g nodes %.5f", c->name, d, epsilon,
           d == 2 ? gaussian_by_nodes(engine, FG_COST_EUCLIDEAN, c, epsilon, nodes)
                  : about_axis(c, epsilon, nodes, d));
    const fg_estimate_settings known = {.estimator = FG_ENTROPIC, .epsilon = epsilon};
    printf(" (known %.5f)", sqrt(gaussian_truth(c, &known, d)));
    if (rounds) rc = by_samples(engine, c, epsilon, n, rounds, d);
    printf("\n");
    fflush(stdout);
  }
  fg_engine_close(&engine);
  return rc;
}

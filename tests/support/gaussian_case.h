/* Pairs of Gaussian laws whose distances are known, for the tests of intervals and for bench/bench_coverage.c. */
#ifndef FG_TESTS_GAUSSIAN_CASE_H
#define FG_TESTS_GAUSSIAN_CASE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"
#include "flowgap/distance.h"
#include "formula/random.h"

enum { GAUSSIAN_MOST = 16 };

/* P = N(0, diag a^2), Q = N(shift e_1, R diag b^2 R'), with R the turn of the first two axes. */
typedef struct gaussian_case {
  const char *name;
  double shift, wide_p, wide_q, scale_q, turn; /* a = (wide_p, 1, ..), b = scale_q (wide_q, 1, ..) */
} gaussian_case;

static const gaussian_case gaussian_cases[] = {{"equal", 0, 1, 1, 1, 0},
                                               {"shift 0.2", 0.2, 1, 1, 1, 0},
                                               {"shift 0.4", 0.4, 1, 1, 1, 0},
                                               {"shift 1", 1, 1, 1, 1, 0},
                                               {"shift 2", 2, 1, 1, 1, 0},
                                               {"scale 1.1", 0, 1, 1, 1.1, 0},
                                               {"scale 1.3", 0, 1, 1, 1.3, 0},
                                               {"scale 2", 0, 1, 1, 2, 0},
                                               {"turn 0.3 of 3:1", 0, 3, 3, 1, 0.3},
                                               {"turn 0.6 of 3:1", 0, 3, 3, 1, 0.6}};
enum { GAUSSIAN_CASES = sizeof gaussian_cases / sizeof *gaussian_cases };

static void gaussian_scales(const gaussian_case *c, size_t d, double *a, double *b)
{
  for (size_t k = 0; k < d; k++) {
    a[k] = k == 0 ? c->wide_p : 1;
    b[k] = c->scale_q * (k == 0 ? c->wide_q : 1);
  }
}

static void gaussian_draw(const gaussian_case *c, uint64_t seed, size_t n, size_t d, double *x, double *y)
{
  double a[GAUSSIAN_MOST], b[GAUSSIAN_MOST], turn_cos = cos(c->turn), turn_sin = sin(c->turn);
  gaussian_scales(c, d, a, b);
  for (size_t i = 0; i < n; i++) {
    double *z = y + i * d;
    for (size_t k = 0; k < d; k++) {
      x[i * d + k] = a[k] * fg_normal(seed, 1, i, 0, (uint32_t)k);
      z[k] = b[k] * fg_normal(seed, 2, i, 0, (uint32_t)k);
    }
    if (d > 1) {
      double first = z[0], second = z[1];
      z[0] = turn_cos * first - turn_sin * second;
      z[1] = turn_sin * first + turn_cos * second;
    }
    z[0] += c->shift;
  }
}

/* Covariances [d, d]. */
static void gaussian_covariances(const gaussian_case *c, size_t d, double *p, double *q)
{
  double a[GAUSSIAN_MOST], b[GAUSSIAN_MOST], turn_cos = cos(c->turn), turn_sin = sin(c->turn);
  gaussian_scales(c, d, a, b);
  memset(p, 0, d * d * sizeof *p);
  memset(q, 0, d * d * sizeof *q);
  for (size_t k = 0; k < d; k++) {
    p[k * d + k] = a[k] * a[k];
    q[k * d + k] = b[k] * b[k];
  }
  if (d < 2) return;
  double first = b[0] * b[0], second = b[1] * b[1];
  q[0] = turn_cos * turn_cos * first + turn_sin * turn_sin * second;
  q[d + 1] = turn_sin * turn_sin * first + turn_cos * turn_cos * second;
  q[1] = q[d] = turn_sin * turn_cos * (first - second);
}

/* Exact W2^2 of the projections on a direction. */
static double gaussian_along(const gaussian_case *c, size_t d, const double *p, const double *q,
                             const double *direction)
{
  double sp = 0, sq = 0, shift = c->shift * direction[0];
  for (size_t k = 0; k < d; k++)
    for (size_t l = 0; l < d; l++) {
      sp += direction[k] * p[k * d + l] * direction[l];
      sq += direction[k] * q[k * d + l] * direction[l];
    }
  return shift * shift + (sqrt(sp) - sqrt(sq)) * (sqrt(sp) - sqrt(sq));
}

/* Mean and largest over many directions: 1e5 give the mean to a part in 300, the largest in the plane to 1e-8. */
static void gaussian_slices(const gaussian_case *c, size_t d, double *mean, double *largest)
{
  enum { DIRECTIONS = 100000 };
  double p[GAUSSIAN_MOST * GAUSSIAN_MOST], q[GAUSSIAN_MOST * GAUSSIAN_MOST], direction[GAUSSIAN_MOST];
  gaussian_covariances(c, d, p, q);
  *mean = *largest = 0;
  for (size_t i = 0; i < DIRECTIONS; i++) {
    fg_direction(99, i, d, direction);
    double along = gaussian_along(c, d, p, q, direction);
    *mean += along / DIRECTIONS;
    *largest = fmax(*largest, along);
    /* what differs lies along the first two axes: the largest is sought there */
    memset(direction, 0, d * sizeof *direction);
    direction[0] = cos(acos(-1) * (double)i / DIRECTIONS);
    if (d > 1) direction[1] = sin(acos(-1) * (double)i / DIRECTIONS);
    *largest = fmax(*largest, gaussian_along(c, d, p, q, direction));
  }
}

/* The laws on the nodes of a grid, axes independent (no turn). */
static double gaussian_on_grid(const gaussian_case *c, const fg_w2_grid_settings *grid)
{
  size_t bins = grid->bins;
  double *axis = malloc(4 * bins * sizeof *axis), *p = malloc(2 * bins * bins * sizeof *p),
         *q = p + bins * bins;
  double a[2], b[2], step = 2 * grid->half_width / (double)(bins - 1), squared = NAN;
  fg_w2 w2;
  gaussian_scales(c, 2, a, b);
  for (size_t i = 0; axis && p && i < bins; i++) {
    double low = -grid->half_width + ((double)i - 0.5) * step, high = low + step;
    if (i == 0) low = -grid->half_width;
    if (i == bins - 1) high = grid->half_width;
    for (size_t k = 0; k < 2; k++) {
      double shift = k == 0 ? c->shift : 0;
      axis[k * bins + i] = 0.5 * (erf(high / a[k] / sqrt(2)) - erf(low / a[k] / sqrt(2)));
      axis[(2 + k) * bins + i] =
          0.5 * (erf((high - shift) / b[k] / sqrt(2)) - erf((low - shift) / b[k] / sqrt(2)));
    }
  }
  for (size_t i = 0; axis && p && i < bins; i++)
    for (size_t j = 0; j < bins; j++) {
      p[i * bins + j] = axis[i] * axis[bins + j];
      q[i * bins + j] = axis[2 * bins + i] * axis[3 * bins + j];
    }
  if (axis && p && fg_w2_grid(NULL, NULL, grid, p, q, NULL, &w2, NULL) == FG_OK) squared = w2.squared;
  free(axis);
  free(p);
  return squared;
}

/* The first two axes of I + factor * covariance: determinant, and the first entry of the inverse. Others: determinant
 * alone. d x d, and nothing mixes but the first two. */
static double gaussian_determinant(size_t d, const double *cov, double factor, double *inverse)
{
  double one = 1 + factor * cov[0], whole = one;
  *inverse = 1 / one;
  if (d > 1) {
    double two = 1 + factor * cov[d + 1], mixed = factor * cov[1];
    whole = one * two - mixed * mixed;
    *inverse = two / whole;
  }
  for (size_t k = 2; k < d; k++) whole *= 1 + factor * cov[k * d + k];
  return whole;
}

/* Squared MMD with the kernel exp(-s |x - y|^2). */
static double gaussian_kernel(const gaussian_case *c, size_t d, double s)
{
  double p[GAUSSIAN_MOST * GAUSSIAN_MOST], q[GAUSSIAN_MOST * GAUSSIAN_MOST], sum = 0;
  gaussian_covariances(c, d, p, q);
  for (int which = 0; which < 3; which++) { /* differences of x and x', y and y', x and y */
    double cov[GAUSSIAN_MOST * GAUSSIAN_MOST], inverse;
    for (size_t k = 0; k < d * d; k++) cov[k] = which == 0 ? 2 * p[k] : which == 1 ? 2 * q[k] : p[k] + q[k];
    double root = 1 / sqrt(gaussian_determinant(d, cov, 2 * s, &inverse));
    sum += which < 2 ? root : -2 * root * exp(-s * c->shift * c->shift * inverse);
  }
  return sum;
}

/* |z| = int (1 - exp(-s |z|^2)) s^(-3/2) ds / (2 sqrt pi), so that the energy distance is an integral of MMDs. */
static double gaussian_energy(const gaussian_case *c, size_t d)
{
  const double step = 0.02;
  double sum = 0;
  for (double u = -25; u < 35; u += step) sum += step * gaussian_kernel(c, d, exp(u)) * exp(-u / 2);
  return sum / (2 * sqrt(acos(-1)));
}

/* The part of Janati et al. 2020 (theorem 1) that depends on the eigenvalue l of A^1/2 B A^1/2; epsilon = 2 v. */
static double gaussian_entropy(double l, double v)
{
  double root = sqrt(4 * l + v * v);
  return v * log(root + v) - root;
}

/* Sinkhorn divergence of the laws. */
static double gaussian_sinkhorn(const gaussian_case *c, size_t d, double epsilon)
{
  double p[GAUSSIAN_MOST * GAUSSIAN_MOST], q[GAUSSIAN_MOST * GAUSSIAN_MOST], v = epsilon / 2;
  double a[GAUSSIAN_MOST], b[GAUSSIAN_MOST], sum = c->shift * c->shift;
  gaussian_covariances(c, d, p, q);
  gaussian_scales(c, d, a, b);
  for (size_t k = 0; k < d; k++) /* both with themselves: eigenvalues a^4, b^4 */
    sum -= 0.5 * (gaussian_entropy(pow(a[k], 4), v) + gaussian_entropy(pow(b[k], 4), v));
  for (size_t k = d > 1 ? 2 : 0; k < d; k++) sum += gaussian_entropy(p[k * d + k] * q[k * d + k], v);
  if (d > 1) {
    double trace = p[0] * q[0] + p[d + 1] * q[d + 1];
    double whole = p[0] * p[d + 1] * (q[0] * q[d + 1] - q[1] * q[1]);
    double apart = sqrt(fmax(0, trace * trace / 4 - whole));
    sum += gaussian_entropy(trace / 2 + apart, v) + gaussian_entropy(trace / 2 - apart, v);
  }
  return fmax(0, sum); /* equal laws: to rounding */
}

/* Costs of entropic plans, of which no closed form is known, by quadrature (bench/bench_entropic):
 *     bench_entropic 2 0.4 129    bench_entropic 2 0.1 129    bench_entropic 5 1 40    bench_entropic 5 0.25 56
 * Fewer nodes (97, 97, 28, 40) move the square by at most 2 % of what an interval from 150 rows reaches (equal laws in
 * the plane, 0.1), elsewhere by less than 1 %; the third agrees with 4000 rows to 2e-4. */
typedef struct entropic_reference {
  const char *name;
  double plane[2], five[2]; /* epsilon = 0.2 d and 0.05 d; 0: not known */
} entropic_reference;

static double gaussian_entropic(const gaussian_case *c, size_t d, double epsilon)
{
  static const entropic_reference known[] = {{"equal", {0.71708, 0.19482}, {2.44160, 1.14473}},
                                             {"shift 0.2", {0.74989, 0.29778}, {2.45045, 1.17099}},
                                             {"shift 0.4", {0.83872, 0.47531}, {2.47678, 1.24462}},
                                             {"shift 1", {1.27969, 1.05794}, {2.65287, 1.63926}},
                                             {"shift 2", {2.19104, 2.05074}, {3.19631, 2.50585}},
                                             {"scale 1.1", {0.74021, 0.25025}, {2.54035, 1.18578}},
                                             {"scale 1.3", {0.86178, 0.46180}, {2.77823, 1.41381}},
                                             {"scale 2", {1.58427, 1.31532}, {3.89778, 2.70529}},
                                             {"turn 0.3 of 3:1", {1.06388, 0.69217}, {0, 0}},
                                             {"turn 0.6 of 3:1", {1.56502, 1.25425}, {0, 0}}};
  bool wide = fabs(epsilon - 0.2 * (double)d) < 1e-9, narrow = fabs(epsilon - 0.05 * (double)d) < 1e-9;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, c->name) != 0 || !(wide || narrow) || (d != 2 && d != 5)) continue;
    double cost = (d == 2 ? known[i].plane : known[i].five)[narrow];
    return cost > 0 ? cost * cost : NAN;
  }
  return NAN;
}

/* Squared distance of the laws that an estimator is about. NaN: not known. */
static double gaussian_truth(const gaussian_case *c, const fg_estimate_settings *settings, size_t d)
{
  double p[GAUSSIAN_MOST * GAUSSIAN_MOST], q[GAUSSIAN_MOST * GAUSSIAN_MOST], mean[GAUSSIAN_MOST] = {0};
  double moved[GAUSSIAN_MOST] = {0}, squared = NAN, slices = 0, largest;
  gaussian_covariances(c, d, p, q);
  moved[0] = c->shift;
  switch (settings->estimator) {
  case FG_W2_EXACT:
  case FG_W2_GAUSSIAN:
    if (fg_w2_gaussian_moments(d, mean, p, moved, q, &squared, NULL) != FG_OK) return NAN;
    return squared;
  case FG_W2_GRID:
    return c->turn == 0 ? gaussian_on_grid(c, &settings->grid) : NAN;
  case FG_W2_SLICED:
  case FG_W2_MAX_SLICED:
    gaussian_slices(c, d, &slices, &largest);
    return settings->estimator == FG_W2_SLICED ? slices : largest;
  case FG_W2_SINKHORN:
    return gaussian_sinkhorn(c, d, settings->epsilon);
  case FG_ENTROPIC:
    return gaussian_entropic(c, d, settings->epsilon);
  case FG_MMD:
    for (int k = -1; k <= 1; k++)
      slices += gaussian_kernel(c, d, 0.5 / pow(ldexp(settings->bandwidth, k), 2)) / 3;
    return slices;
  case FG_ENERGY:
    return gaussian_energy(c, d);
  default:
    return NAN;
  }
}

#endif

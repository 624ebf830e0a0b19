/* Distances by a kernel: MMD with Gaussian kernels, energy distance. With D the kernel's sums,
 *     squared = sign ( within(x) + within(y) - 2 D(x, y) ),   within(x) = sum_(i /= j) w_i w_j D_ij / (1 - sum w_i^2),
 * sign 1 for MMD, -1 for the energy distance. */
#include "analysis/transport/kernel_distance.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"
#include "analysis/transport/transport.h"
#include "engine.h"

/* ---- pairs on the engine ------------------------------------------------------------- */

typedef struct fg_kernel {
  fg_engine *engine;
  fg_threads *threads;
  const fg_progress *progress;
  fg_pair_kernel kind;
  double bandwidth; /* in the pair's units */
} fg_kernel;

static fg_code fg_kernel_check(const fg_engine *engine, const char *name, fg_status *st)
{
  if (!engine) return FG_FAIL(st, FG_USAGE, "the %s distance needs an engine for its pairs", name);
  return engine->ops->pair_sums ? FG_OK : fg_engine_lacks(engine, "sum over pairs", st);
}

static fg_code fg_kernel_upload(const fg_kernel *k, size_t count, const double *from, fg_buf *to,
                                fg_status *st)
{
  fg_engine *e = k->engine;
  FG_TRY(e->ops->alloc(e, count * sizeof *from, to, st));
  return e->ops->upload(e, *to, 0, from, count * sizeof *from, st);
}

/* What is within x, within y, and between them. */
static fg_code fg_kernel_sums(const fg_kernel *k, const fg_pair *pair, double sums[3], fg_status *st)
{
  fg_engine *e = k->engine;
  const size_t n = pair->n, m = pair->m, d = pair->d;
  fg_buf x = {NULL, 0}, y = x, a = x, b = x;
  fg_pair_sums_request r = {.precision = FG_DOUBLE,
                            .kernel = k->kind,
                            .bandwidth = k->bandwidth,
                            .d = d,
                            .columns = 1,
                            .progress = k->progress};
  fg_code rc = FG_OK;
  FG_GO(fg_kernel_upload(k, n * d, pair->x, &x, st), done);
  FG_GO(fg_kernel_upload(k, m * d, pair->y, &y, st), done);
  FG_GO(fg_kernel_upload(k, n, pair->share_x, &a, st), done);
  FG_GO(fg_kernel_upload(k, m, pair->share_y, &b, st), done);
  for (int part = 0; part < 3; part++) {
    r.within = part < 2;
    r.n = part == 1 ? m : n;
    r.x = part == 1 ? y : x;
    r.a = part == 1 ? b : a;
    r.m = m;
    r.y = y;
    r.b = b;
    r.sums = &sums[part];
    FG_GO(e->ops->pair_sums(e, k->threads, &r, st), done);
  }
done:
  e->ops->free(e, &x);
  e->ops->free(e, &y);
  e->ops->free(e, &a);
  e->ops->free(e, &b);
  return rc;
}

/* 1 - sum w^2, the weight of the pairs i /= j, without cancellation. */
static double fg_apart(size_t n, const double *share)
{
  fg_sum sum = {0, 0};
  for (size_t i = 0; i < n; i++) fg_sum_add(&sum, share[i] * (1 - share[i]));
  return fg_sum_value(&sum);
}

/* ---- one pair of samples ------------------------------------------------------------- */

static fg_code fg_kernel_pair(size_t n, size_t m, size_t d, const double *x, const double *wx,
                              const double *y, const double *wy, fg_pair *pair, fg_status *st)
{
  FG_TRY(fg_pair_create(n, m, d, x, wx, y, wy, pair, st));
  if (pair->n >= 2 && pair->m >= 2) {
    fg_pair_move(pair);
    return FG_OK;
  }
  fg_code rc = FG_FAIL(
      st, FG_USAGE,
      "%zu and %zu rows have a weight: a mean over pairs within a sample needs at least two rows of each",
      pair->n, pair->m);
  fg_pair_clear(pair);
  return rc;
}

/* What remains of two means that cancel to rounding is 0. */
static double fg_kernel_difference(double a, double b)
{
  return fabs(a - b) <= 16 * DBL_EPSILON * fmax(a, b) ? 0 : a - b;
}

/* scale: of one unit of `squared`, a power of two. */
static fg_code fg_kernel_result(double squared, int scale, const fg_pair *pair, double seconds,
                                fg_kernel_distance *result, fg_status *st)
{
  result->squared = ldexp(squared, scale);
  result->value = sqrt(fmax(0, result->squared));
  result->n = pair->n;
  result->m = pair->m;
  result->seconds = seconds;
  if (!isfinite(result->squared))
    return FG_FAIL(st, FG_NUMERICS, "the distance is %g and does not fit a double: rescale the samples",
                   result->squared);
  return FG_OK;
}

fg_code fg_mmd(fg_engine *engine, fg_threads *threads, double bandwidth, size_t n, size_t m, size_t d,
               const double *x, const double *wx, const double *y, const double *wy,
               const fg_progress *progress, fg_kernel_distance *result, fg_status *st)
{
  const double start = fg_seconds();
  fg_pair pair;
  double sums[3];
  fg_code rc = FG_OK;
  FG_TRY(fg_kernel_check(engine, "mmd", st));
  if (isnan(bandwidth)) FG_TRY(fg_median_distance(n, m, d, x, wx, y, wy, &bandwidth, st));
  if (!(bandwidth > 0 && isfinite(bandwidth)))
    return FG_FAIL(st, FG_USAGE,
                   "the bandwidth is %g: give a positive length, or NaN for the median distance", bandwidth);
  FG_TRY(fg_kernel_pair(n, m, d, x, wx, y, wy, &pair, st));
  const fg_kernel k = {engine, threads, progress, FG_PAIR_GAUSSIANS,
                       fmin(fmax(ldexp(bandwidth, -pair.exponent), 1e-300), 1e300)};
  FG_GO(fg_kernel_sums(&k, &pair, sums, st), done);
  result->bandwidth = bandwidth;
  FG_GO(fg_kernel_result(fg_kernel_difference(sums[0] / fg_apart(pair.n, pair.share_x) +
                                                  sums[1] / fg_apart(pair.m, pair.share_y),
                                              2 * sums[2]),
                         0, &pair, fg_seconds() - start, result, st),
        done);
done:
  fg_pair_clear(&pair);
  return rc;
}

/* Numbers of the places x [n] in their order. */
static fg_code fg_line_order(size_t n, double *x, uint32_t *order, fg_status *st)
{
  double axis = 1;
  const fg_slices_request r = {.n = n,
                               .d = 1,
                               .directions = 1,
                               .x = {x, n * sizeof *x},
                               .direction = {&axis, sizeof axis},
                               .order = {order, n * sizeof *order}};
  return fg_slices_on_host(NULL, &r, st);
}

/* In one dimension, with F and G the distribution functions of the samples, 2 E|x - y| - E|x - x'| - E|y - y'| is
 * 2 int (F - G)^2 where i = j counts, and each E|x - x'| = 2 int F (1 - F) grows by 1 / (1 - sum w^2) where not. */
static fg_code fg_energy_line(const fg_pair *pair, double *squared, fg_status *st)
{
  fg_sum between = {0, 0}, left = {0, 0}, right = {0, 0};
  uint32_t *order_x = malloc((pair->n + pair->m) * sizeof *order_x), *order_y = order_x + pair->n;
  fg_code rc = FG_OK;
  if (!order_x) return FG_FAIL(st, FG_MEMORY, "no memory to sort %zu + %zu rows", pair->n, pair->m);
  FG_GO(fg_line_order(pair->n, pair->x, order_x, st), done);
  FG_GO(fg_line_order(pair->m, pair->y, order_y, st), done);
  double last = 0;
  int64_t below_x = 0, below_y = 0;
  for (size_t i = 0, j = 0; i < pair->n || j < pair->m;) {
    const bool of_x = j == pair->m || (i < pair->n && pair->x[order_x[i]] <= pair->y[order_y[j]]);
    const size_t row = of_x ? order_x[i] : order_y[j];
    const double place = of_x ? pair->x[row] : pair->y[row], gap = i + j > 0 ? place - last : 0;
    const double f = (double)below_x / (double)pair->total, g = (double)below_y / (double)pair->total;
    const double off = (double)(below_x - below_y) / (double)pair->total;
    fg_sum_add(&between, 2 * gap * off * off);
    fg_sum_add(&left, 2 * gap * f * (double)(pair->total - below_x) / (double)pair->total);
    fg_sum_add(&right, 2 * gap * g * (double)(pair->total - below_y) / (double)pair->total);
    last = place;
    if (of_x)
      below_x += pair->mass_x[row], i++;
    else
      below_y += pair->mass_y[row], j++;
  }
  const double apart_x = fg_apart(pair->n, pair->share_x), apart_y = fg_apart(pair->m, pair->share_y);
  *squared = fg_sum_value(&between) - fg_sum_value(&left) * (1 - apart_x) / apart_x -
             fg_sum_value(&right) * (1 - apart_y) / apart_y;
done:
  free(order_x);
  return rc;
}

fg_code fg_energy(fg_engine *engine, fg_threads *threads, size_t n, size_t m, size_t d, const double *x,
                  const double *wx, const double *y, const double *wy, const fg_progress *progress,
                  fg_kernel_distance *result, fg_status *st)
{
  const double start = fg_seconds();
  fg_pair pair;
  double sums[3], squared = 0;
  fg_code rc = FG_OK;
  if (d != 1) FG_TRY(fg_kernel_check(engine, "energy", st));
  FG_TRY(fg_kernel_pair(n, m, d, x, wx, y, wy, &pair, st));
  const fg_kernel k = {engine, threads, progress, FG_PAIR_DISTANCE, NAN};
  if (d == 1) {
    FG_GO(fg_energy_line(&pair, &squared, st), done);
  } else {
    FG_GO(fg_kernel_sums(&k, &pair, sums, st), done);
    squared = fg_kernel_difference(2 * sums[2], sums[0] / fg_apart(pair.n, pair.share_x) +
                                                    sums[1] / fg_apart(pair.m, pair.share_y));
  }
  result->bandwidth = NAN;
  FG_GO(fg_kernel_result(squared, pair.exponent, &pair, fg_seconds() - start, result, st), done);
done:
  fg_pair_clear(&pair);
  return rc;
}

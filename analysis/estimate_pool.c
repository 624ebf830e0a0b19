/* The rows of an estimate, and the estimator between any two labelled parts of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/estimate_impl.h"
#include "analysis/statistics.h"
#include "analysis/transport/transport.h"

/* Most bins per axis. */
static const size_t fg_fineness_bins[FG_FINENESSES] = {4096, FG_CURVE_BINS, FG_ROUGH_BINS};

void fg_pool_clear(fg_pool *pool)
{
  free(pool->row);
  free(pool->weight);
  for (int f = 0; f < FG_FINENESSES; f++) free(pool->bin[f]);
  free(pool->centred);
  memset(pool, 0, sizeof *pool);
}

/* ---- which rows ---------------------------------------------------------------------- */

/* Add the rows of one sample at `at`; *count rows entered, *outside lie beyond the grid. */
static fg_code fg_pool_rows(fg_pool *pool, const char *name, size_t n, const double *x, const double *w,
                            size_t at, size_t *count, size_t *outside, fg_status *st)
{
  fg_sum total = {0, 0};
  FG_TRY(fg_rows_check(name, n, pool->d, x, w, st));
  *count = 0;
  *outside = 0;
  for (size_t i = 0; i < n; i++) {
    if (w && w[i] == 0) continue;
    if (pool->bin[FG_FULL]) {
      size_t bin = fg_grid_bin(&pool->grid[FG_FULL], x + 2 * i);
      if (bin == SIZE_MAX) {
        ++*outside;
        continue;
      }
      pool->bin[FG_FULL][at + *count] = (uint32_t)bin;
    }
    pool->row[at + *count] = i;
    if (pool->weight) pool->weight[at + *count] = w ? w[i] : 1;
    fg_sum_add(&total, w ? w[i] : 1);
    ++*count;
  }
  if (*count < 4)
    return FG_FAIL(
        st, FG_USAGE,
        "%zu of %zu rows of %s can be used (weight above 0%s): a floor and an interval need at least 4%s",
        *count, n, name, pool->bin[FG_FULL] ? ", inside the grid" : "",
        pool->bin[FG_FULL] ? "; widen compare.grid.half_width or leave grid out of the estimators" : "");
  double mean = fg_sum_value(&total) / (double)*count;
  if (!isfinite(mean))
    return FG_FAIL(st, FG_USAGE, "the weights of %s sum to more than a double holds: scale them down", name);
  for (size_t i = 0; pool->weight && i < *count; i++) pool->weight[at + i] /= mean;
  return FG_OK;
}

/* Neighbouring bins are merged until few enough are left. */
static void fg_pool_roughen(fg_pool *pool, fg_fineness fineness)
{
  size_t bins = pool->grid[FG_FULL].bins, most = fg_fineness_bins[fineness];
  size_t merge = (bins + most - 1) / most, rough = (bins + merge - 1) / merge;
  double step = 2 * pool->grid[FG_FULL].half_width / (double)(bins - 1) * (double)merge;
  fg_w2_grid_settings *to = &pool->grid[fineness];
  to->bins = rough < 2 ? 2 : rough;
  to->half_width = 0.5 * step * (double)(to->bins - 1);
  for (size_t i = 0; i < pool->n + pool->m; i++) {
    size_t bin = pool->bin[FG_FULL][i];
    pool->bin[fineness][i] = (uint32_t)(bin / bins / merge * to->bins + bin % bins / merge);
  }
}

const double *fg_pool_row(const fg_pool *pool, size_t i)
{
  return (i < pool->n ? pool->x : pool->y) + pool->row[i] * pool->d;
}

/* Pooled mean to 0, widest range to at most 1, by a power of two. */
static void fg_pool_centre(fg_pool *pool)
{
  size_t rows = pool->n + pool->m, d = pool->d;
  double widest = 0;
  for (size_t k = 0; k < d; k++) {
    double low = fg_pool_row(pool, 0)[k], high = low;
    for (size_t i = 0; i < rows; i++) {
      low = fmin(low, fg_pool_row(pool, i)[k]);
      high = fmax(high, fg_pool_row(pool, i)[k]);
    }
    widest = fmax(widest, 0.5 * high - 0.5 * low);
  }
  (void)frexp(widest, &pool->exponent);
  for (size_t k = 0; k < d; k++) {
    fg_sum sum = {0, 0};
    double origin = ldexp(fg_pool_row(pool, 0)[k], -pool->exponent);
    for (size_t i = 0; i < rows; i++) {
      double value = ldexp(fg_pool_row(pool, i)[k], -pool->exponent) - origin;
      pool->centred[i * d + k] = value;
      fg_sum_add(&sum, value);
    }
    double mean = fg_sum_value(&sum) / (double)rows;
    for (size_t i = 0; i < rows; i++) pool->centred[i * d + k] -= mean;
  }
}

fg_code fg_pool_create(fg_engine *engine, const fg_estimate_settings *settings, size_t n, size_t m, size_t d,
                       const double *x, const double *wx, const double *y, const double *wy, fg_pool *pool,
                       fg_status *st)
{
  size_t rows = n + m;
  int grid = settings->estimator == FG_W2_GRID;
  memset(pool, 0, sizeof *pool);
  if (n < 4 || m < 4 || d == 0)
    return FG_FAIL(
        st, FG_USAGE,
        "an estimate from %zu and %zu rows of dimension %zu: a floor and an interval need at least 4 "
        "rows of each",
        n, m, d);
  if (n > UINT32_MAX / 4 || m > UINT32_MAX / 4)
    return FG_FAIL(st, FG_USAGE, "an estimate from %zu and %zu rows: the limit is 2^30 rows", n, m);
  if (grid && d != 2)
    return FG_FAIL(st, FG_USAGE, "the grid estimator needs dimension 2, the samples have %zu", d);
  if (grid && (settings->grid.bins < 2 || settings->grid.bins > 4096 || !(settings->grid.half_width > 0) ||
               !isfinite(settings->grid.half_width)))
    return FG_FAIL(st, FG_USAGE,
                   "the grid has %zu bins of half width %g: give 2 to 4096 and a positive length",
                   settings->grid.bins, settings->grid.half_width);
  pool->engine = engine;
  pool->settings = settings;
  pool->d = d;
  pool->x = x;
  pool->y = y;
  pool->grid[FG_FULL] = settings->grid;
  pool->row = malloc(rows * sizeof *pool->row);
  if (wx || wy) pool->weight = malloc(rows * sizeof *pool->weight);
  for (int f = 0; grid && f < FG_FINENESSES; f++) pool->bin[f] = malloc(rows * sizeof *pool->bin[f]);
  if (settings->estimator == FG_W2_GAUSSIAN) pool->centred = malloc(rows * d * sizeof *pool->centred);
  fg_code rc = FG_OK;
  if (!pool->row || ((wx || wy) && !pool->weight) ||
      (grid && (!pool->bin[0] || !pool->bin[1] || !pool->bin[2])) ||
      (settings->estimator == FG_W2_GAUSSIAN && !pool->centred))
    rc = FG_FAIL(st, FG_MEMORY, "no memory for an estimate from %zu rows", rows);
  if (rc == FG_OK) rc = fg_pool_rows(pool, "x", n, x, wx, 0, &pool->n, &pool->outside_x, st);
  if (rc == FG_OK) rc = fg_pool_rows(pool, "y", m, y, wy, pool->n, &pool->m, &pool->outside_y, st);
  if (rc != FG_OK) {
    fg_pool_clear(pool);
    return rc;
  }
  for (int f = FG_CURVE; grid && f < FG_FINENESSES; f++) fg_pool_roughen(pool, (fg_fineness)f);
  if (pool->centred) fg_pool_centre(pool);
  return FG_OK;
}

/* ---- the estimator between two labelled parts ---------------------------------------- */

fg_code fg_scratch_create(const fg_pool *pool, size_t rows, fg_scratch *scratch, fg_status *st)
{
  size_t total = pool->n + pool->m, d = pool->d, size = rows * d, weights = rows;
  if (pool->settings->estimator == FG_W2_GRID) {
    size = pool->grid[FG_FULL].bins * pool->grid[FG_FULL].bins; /* merging never adds bins: 2 at least */
    weights = 1;
  } else if (pool->settings->estimator == FG_W2_GAUSSIAN) {
    size = d + d * d;
    weights = 1;
  }
  memset(scratch, 0, sizeof *scratch);
  scratch->label = malloc(total);
  scratch->relabel = malloc(total);
  scratch->a = malloc(size * sizeof *scratch->a);
  scratch->b = malloc(size * sizeof *scratch->b);
  scratch->weight_a = malloc(weights * sizeof *scratch->weight_a);
  scratch->weight_b = malloc(weights * sizeof *scratch->weight_b);
  if (scratch->label && scratch->relabel && scratch->a && scratch->b && scratch->weight_a &&
      scratch->weight_b)
    return FG_OK;
  fg_scratch_clear(scratch);
  return FG_FAIL(st, FG_MEMORY, "no memory for the replicates of %zu rows", total);
}

void fg_scratch_clear(fg_scratch *scratch)
{
  free(scratch->label);
  free(scratch->relabel);
  free(scratch->a);
  free(scratch->b);
  free(scratch->weight_a);
  free(scratch->weight_b);
  memset(scratch, 0, sizeof *scratch);
}

/* Copy the labelled rows to a [*count_a, d] and b [*count_b, d], with their weights. */
static void fg_label_gather(const fg_pool *pool, fg_scratch *scratch, size_t *count_a, size_t *count_b)
{
  size_t d = pool->d, a = 0, b = 0;
  for (size_t i = 0; i < pool->n + pool->m; i++) {
    if (scratch->label[i] == 'a') {
      memcpy(scratch->a + a * d, fg_pool_row(pool, i), d * sizeof *scratch->a);
      scratch->weight_a[a++] = pool->weight ? pool->weight[i] : 1;
    } else if (scratch->label[i] == 'b') {
      memcpy(scratch->b + b * d, fg_pool_row(pool, i), d * sizeof *scratch->b);
      scratch->weight_b[b++] = pool->weight ? pool->weight[i] : 1;
    }
  }
  *count_a = a;
  *count_b = b;
}

/* A figure of `squared` that has no certificate. */
static fg_w2 fg_w2_plain(double squared, double value, size_t n, size_t m, double seconds)
{
  return (fg_w2){
      .squared = squared, .value = value, .primal = NAN, .dual = NAN, .n = n, .m = m, .seconds = seconds};
}

static fg_code fg_distance_exact(const fg_pool *pool, fg_threads *threads, fg_scratch *s, size_t a, size_t b,
                                 const fg_progress *progress, fg_w2 *result, fg_status *st)
{
  return fg_w2_exact(pool->engine, threads, a, b, pool->d, s->a, s->weight_a, s->b, s->weight_b, progress,
                     result, st);
}

/* The same directions each time, so that replicates differ by their rows alone. */
static fg_code fg_distance_sliced(const fg_pool *pool, fg_threads *threads, fg_scratch *s, size_t a, size_t b,
                                  const fg_progress *progress, fg_w2 *result, fg_status *st)
{
  fg_w2_slices slices;
  fg_w2_sliced_settings how = {pool->settings->directions, pool->settings->seed, NULL};
  FG_TRY(fg_w2_sliced(pool->engine, threads, &how, a, b, pool->d, s->a, s->weight_a, s->b, s->weight_b,
                      progress, NULL, &slices, st));
  s->detail[0] = slices.standard_error;
  s->detail[1] = slices.max_value;
  *result = fg_w2_plain(slices.squared, slices.value, slices.n, slices.m, slices.seconds);
  return FG_OK;
}

static fg_code fg_distance_max_sliced(const fg_pool *pool, fg_threads *threads, fg_scratch *s, size_t a,
                                      size_t b, const fg_progress *progress, fg_w2 *result, fg_status *st)
{
  fg_w2_steepest steepest;
  fg_w2_max_sliced_settings how;
  fg_w2_max_sliced_defaults(&how);
  how.directions = pool->settings->directions;
  how.seed = pool->settings->seed;
  FG_TRY(fg_w2_max_sliced(pool->engine, threads, &how, a, b, pool->d, s->a, s->weight_a, s->b, s->weight_b,
                          progress, NULL, &steepest, st));
  s->detail[0] = steepest.slope;
  s->detail[1] = (double)steepest.unsettled;
  *result = fg_w2_plain(steepest.squared, steepest.value, steepest.n, steepest.m, steepest.seconds);
  return FG_OK;
}

/* Marginal errors of replicates: the divergence is off by the square, <cost, plan> by that times the range of costs. */
static const double fg_replicate_tolerance = 1e-4, fg_entropic_tolerance = 1e-5;

static fg_code fg_distance_sinkhorn(const fg_pool *pool, fg_threads *threads, fg_scratch *s,
                                    fg_fineness fineness, size_t a, size_t b, const fg_progress *progress,
                                    fg_w2 *result, fg_status *st)
{
  fg_sinkhorn sinkhorn;
  fg_sinkhorn_settings how;
  fg_sinkhorn_defaults(pool->settings->estimator == FG_ENTROPIC ? FG_COST_EUCLIDEAN : FG_COST_SQUARED, &how);
  how.epsilon = pool->settings->epsilon;
  how.tolerance = pool->settings->tolerance;
  if (fineness != FG_FULL) /* replicates need not come as far as the value */
    how.tolerance = fmax(how.tolerance, how.debiased ? fg_replicate_tolerance : fg_entropic_tolerance);
  FG_TRY(fg_w2_sinkhorn(pool->engine, threads, &how, a, b, pool->d, s->a, s->weight_a, s->b, s->weight_b,
                        progress, &sinkhorn, st));
  s->detail[0] = sinkhorn.epsilon;
  s->detail[1] = sinkhorn.marginal_error;
  *result = fg_w2_plain(sinkhorn.squared, sinkhorn.value, sinkhorn.n, sinkhorn.m, sinkhorn.seconds);
  return FG_OK;
}

static fg_code fg_distance_kernel(const fg_pool *pool, fg_threads *threads, fg_scratch *s, size_t a, size_t b,
                                  const fg_progress *progress, fg_w2 *result, fg_status *st)
{
  fg_kernel_distance kernel;
  if (pool->settings->estimator == FG_MMD)
    FG_TRY(fg_mmd(pool->engine, threads, pool->settings->bandwidth, a, b, pool->d, s->a, s->weight_a, s->b,
                  s->weight_b, progress, &kernel, st));
  else
    FG_TRY(fg_energy(pool->engine, threads, a, b, pool->d, s->a, s->weight_a, s->b, s->weight_b, progress,
                     &kernel, st));
  s->detail[0] = kernel.bandwidth;
  *result = fg_w2_plain(kernel.squared, kernel.value, kernel.n, kernel.m, kernel.seconds);
  return FG_OK;
}

static fg_code fg_distance_grid(const fg_pool *pool, fg_threads *threads, fg_scratch *scratch,
                                fg_fineness fineness, const fg_progress *progress, fg_w2 *result,
                                fg_status *st)
{
  const fg_w2_grid_settings *grid = &pool->grid[fineness];
  const uint32_t *bin = pool->bin[fineness];
  memset(scratch->a, 0, grid->bins * grid->bins * sizeof *scratch->a);
  memset(scratch->b, 0, grid->bins * grid->bins * sizeof *scratch->b);
  for (size_t i = 0; i < pool->n + pool->m; i++) {
    double w = pool->weight ? pool->weight[i] : 1;
    if (scratch->label[i] == 'a')
      scratch->a[bin[i]] += w;
    else if (scratch->label[i] == 'b')
      scratch->b[bin[i]] += w;
  }
  return fg_w2_grid(pool->engine, threads, grid, scratch->a, scratch->b, progress, result, st);
}

/* Mean [d] and covariance [d, d] of the rows with this label, in two passes: the covariance is then positive
 * semidefinite to rounding, however far the mean is. */
static void fg_label_moments(const fg_pool *pool, const unsigned char *label, unsigned char which,
                             double *mean, double *cov)
{
  size_t d = pool->d, rows = pool->n + pool->m;
  double total = 0;
  memset(mean, 0, d * sizeof *mean);
  memset(cov, 0, d * d * sizeof *cov);
  for (size_t i = 0; i < rows; i++) {
    if (label[i] != which) continue;
    double w = pool->weight ? pool->weight[i] : 1;
    total += w;
    for (size_t k = 0; k < d; k++) mean[k] += w * pool->centred[i * d + k];
  }
  for (size_t k = 0; k < d; k++) mean[k] /= total;
  for (size_t i = 0; i < rows; i++) {
    if (label[i] != which) continue;
    const double *row = pool->centred + i * d;
    double w = pool->weight ? pool->weight[i] : 1;
    for (size_t k = 0; k < d; k++) {
      double gap = w * (row[k] - mean[k]);
      for (size_t l = 0; l <= k; l++) cov[k * d + l] += gap * (row[l] - mean[l]);
    }
  }
  for (size_t k = 0; k < d; k++)
    for (size_t l = 0; l <= k; l++) cov[l * d + k] = cov[k * d + l] /= total;
}

static fg_code fg_distance_gaussian(const fg_pool *pool, fg_scratch *scratch, fg_w2 *result, fg_status *st)
{
  size_t d = pool->d;
  double squared;
  fg_label_moments(pool, scratch->label, 'a', scratch->a, scratch->a + d);
  fg_label_moments(pool, scratch->label, 'b', scratch->b, scratch->b + d);
  FG_TRY(fg_w2_gaussian_moments(d, scratch->a, scratch->a + d, scratch->b, scratch->b + d, &squared, st));
  return fg_w2_finish(squared, squared, pool->exponent, result, st);
}

fg_code fg_pool_distance(const fg_pool *pool, fg_threads *threads, fg_scratch *scratch, fg_fineness fineness,
                         const fg_progress *progress, fg_w2 *result, fg_status *st)
{
  size_t a, b;
  scratch->detail[0] = scratch->detail[1] = NAN;
  if (pool->settings->estimator == FG_W2_GRID)
    return fg_distance_grid(pool, threads, scratch, fineness, progress, result, st);
  if (pool->settings->estimator == FG_W2_GAUSSIAN) return fg_distance_gaussian(pool, scratch, result, st);
  fg_label_gather(pool, scratch, &a, &b);
  switch (pool->settings->estimator) {
  case FG_W2_EXACT:
    return fg_distance_exact(pool, threads, scratch, a, b, progress, result, st);
  case FG_W2_SLICED:
    return fg_distance_sliced(pool, threads, scratch, a, b, progress, result, st);
  case FG_W2_MAX_SLICED:
    return fg_distance_max_sliced(pool, threads, scratch, a, b, progress, result, st);
  case FG_W2_SINKHORN:
  case FG_ENTROPIC:
    return fg_distance_sinkhorn(pool, threads, scratch, fineness, a, b, progress, result, st);
  default:
    return fg_distance_kernel(pool, threads, scratch, a, b, progress, result, st);
  }
}

/* Entropic transport: points centred, ordered and handed to the engine; the epsilon that NaN stands for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"
#include "analysis/transport/sinkhorn.h"

enum { FG_EPSILON_ROWS = 4096, FG_CLOUD_LEAF = 16 };

/* ---- centres ------------------------------------------------------------------------- */

/* Weighted mean, as a distance from `origin`, of one coordinate. */
static double fg_mean_from(size_t n, size_t d, const double *x, const double *share, size_t k, double origin)
{
  fg_sum sum = {0, 0};
  for (size_t i = 0; i < n; i++) fg_sum_add(&sum, share[i] * (x[i * d + k] - origin));
  return fg_sum_value(&sum);
}

static double fg_variance_from(size_t n, size_t d, const double *x, const double *share, size_t k,
                               double origin, double mean)
{
  fg_sum sum = {0, 0};
  for (size_t i = 0; i < n; i++) {
    double gap = x[i * d + k] - origin - mean;
    fg_sum_add(&sum, share[i] * gap * gap);
  }
  return fg_sum_value(&sum);
}

/* E|x - y|^2 of independent rows. */
static double fg_mean_squared(const fg_pair *pair)
{
  double sum = 0;
  for (size_t k = 0; k < pair->d; k++) {
    double origin = pair->x[k];
    double mean_x = fg_mean_from(pair->n, pair->d, pair->x, pair->share_x, k, origin);
    double mean_y = fg_mean_from(pair->m, pair->d, pair->y, pair->share_y, k, origin);
    sum += (mean_x - mean_y) * (mean_x - mean_y) +
           fg_variance_from(pair->n, pair->d, pair->x, pair->share_x, k, origin, mean_x) +
           fg_variance_from(pair->m, pair->d, pair->y, pair->share_y, k, origin, mean_y);
  }
  return sum;
}

/* E|x - y| over evenly spaced rows. */
static double fg_mean_length(const fg_pair *pair)
{
  const size_t n = pair->n < FG_EPSILON_ROWS ? pair->n : FG_EPSILON_ROWS, d = pair->d;
  const size_t m = pair->m < FG_EPSILON_ROWS ? pair->m : FG_EPSILON_ROWS;
  double sum = 0, total = 0;
  for (size_t i = 0; i < n; i++) {
    const size_t row = i * pair->n / n;
    double part = 0, mass = 0;
    for (size_t j = 0; j < m; j++) {
      const size_t other = j * pair->m / m;
      double square = 0;
      for (size_t k = 0; k < d; k++) {
        double gap = pair->x[row * d + k] - pair->y[other * d + k];
        square += gap * gap;
      }
      part += pair->share_y[other] * sqrt(square);
      mass += pair->share_y[other];
    }
    sum += pair->share_x[row] * part;
    total += pair->share_x[row] * mass;
  }
  return sum / total;
}

double fg_pair_epsilon(const fg_pair *pair, fg_cost cost, double share)
{
  double mean = cost == FG_COST_SQUARED ? fg_mean_squared(pair) : fg_mean_length(pair);
  return mean > 0 ? share * mean : 1;
}

fg_code fg_sinkhorn_epsilon(fg_cost cost, size_t n, size_t m, size_t d, const double *x, const double *wx,
                            const double *y, const double *wy, double *epsilon, fg_status *st)
{
  fg_sinkhorn_settings settings;
  fg_pair pair;
  fg_sinkhorn_defaults(cost, &settings);
  FG_TRY(fg_pair_create(n, m, d, x, wx, y, wy, &pair, st));
  *epsilon = ldexp(fg_pair_epsilon(&pair, cost, settings.epsilon_share),
                   cost == FG_COST_SQUARED ? 2 * pair.exponent : pair.exponent);
  fg_pair_clear(&pair);
  return FG_OK;
}

/* ---- clouds -------------------------------------------------------------------------- */

/* Less `mean`, which is counted from the row `origin`, in kd-tree order. */
static fg_code fg_cloud_order(size_t n, size_t d, const double *x, const double *share, const double *origin,
                              const double *mean, fg_cloud *cloud, fg_status *st)
{
  uint32_t *order = malloc(n * sizeof *order);
  cloud->n = n;
  cloud->x = malloc(n * d * sizeof *cloud->x);
  cloud->share = malloc(n * sizeof *cloud->share);
  cloud->potential = malloc(n * sizeof *cloud->potential);
  cloud->image = malloc(n * sizeof *cloud->image);
  if (!order || !cloud->x || !cloud->share || !cloud->potential || !cloud->image) {
    free(order);
    return FG_FAIL(st, FG_MEMORY, "no memory for %zu rows of dimension %zu", n, d);
  }
  for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
  fg_kd_order(x, d, order, n, FG_CLOUD_LEAF);
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < d; k++) cloud->x[i * d + k] = x[order[i] * d + k] - origin[k] - mean[k];
    cloud->share[i] = share[order[i]];
  }
  free(order);
  return FG_OK;
}

static fg_code fg_cloud_upload(fg_engine *e, size_t d, fg_cloud *cloud, fg_status *st)
{
  const size_t bytes = cloud->n * sizeof(double);
  FG_TRY(e->ops->alloc(e, d * bytes, &cloud->rows, st));
  FG_TRY(e->ops->upload(e, cloud->rows, 0, cloud->x, d * bytes, st));
  FG_TRY(e->ops->alloc(e, bytes, &cloud->log_share, st));
  FG_TRY(e->ops->alloc(e, bytes, &cloud->from, st));
  FG_TRY(e->ops->alloc(e, bytes, &cloud->to, st));
  FG_TRY(e->ops->alloc(e, bytes, &cloud->mean, st));
  for (size_t i = 0; i < cloud->n; i++) cloud->image[i] = log(cloud->share[i]);
  return e->ops->upload(e, cloud->log_share, 0, cloud->image, bytes, st);
}

static void fg_cloud_clear(fg_engine *e, fg_cloud *cloud)
{
  e->ops->free(e, &cloud->rows);
  e->ops->free(e, &cloud->log_share);
  e->ops->free(e, &cloud->from);
  e->ops->free(e, &cloud->to);
  e->ops->free(e, &cloud->mean);
  free(cloud->x);
  free(cloud->share);
  free(cloud->potential);
  free(cloud->image);
  memset(cloud, 0, sizeof *cloud);
}

/* No cost between any two of the points exceeds that of the diagonal of their box. */
static double fg_largest_cost(const fg_entropic *problem)
{
  double sum = 0;
  for (size_t k = 0; k < problem->d; k++) {
    double low = problem->x.x[k], high = low;
    for (int side = 0; side < 2; side++) {
      const fg_cloud *cloud = side ? &problem->y : &problem->x;
      for (size_t i = 0; i < cloud->n; i++) {
        low = fmin(low, cloud->x[i * problem->d + k]);
        high = fmax(high, cloud->x[i * problem->d + k]);
      }
    }
    sum += (high - low) * (high - low);
  }
  return problem->settings->cost == FG_COST_SQUARED ? sum : sqrt(sum);
}

fg_code fg_entropic_create(fg_engine *engine, fg_threads *threads, const fg_pair *pair,
                           const fg_sinkhorn_settings *settings, const fg_progress *progress,
                           fg_entropic *problem, fg_status *st)
{
  const size_t d = pair->d;
  const int squared = settings->cost == FG_COST_SQUARED;
  memset(problem, 0, sizeof *problem);
  problem->engine = engine;
  problem->threads = threads;
  problem->progress = progress;
  problem->settings = settings;
  problem->d = d;
  double *mean = malloc(2 * d * sizeof *mean), *mean_y = mean + d;
  fg_code rc = FG_OK;
  if (!mean) return FG_FAIL(st, FG_MEMORY, "no memory for dimension %zu", d);
  for (size_t k = 0; k < d; k++) {
    mean[k] = fg_mean_from(pair->n, d, pair->x, pair->share_x, k, pair->x[k]);
    mean_y[k] = squared ? fg_mean_from(pair->m, d, pair->y, pair->share_y, k, pair->x[k]) : mean[k];
    problem->offset += (mean[k] - mean_y[k]) * (mean[k] - mean_y[k]);
  }
  FG_GO(fg_cloud_order(pair->n, d, pair->x, pair->share_x, pair->x, mean, &problem->x, st), done);
  FG_GO(fg_cloud_order(pair->m, d, pair->y, pair->share_y, pair->x, mean_y, &problem->y, st), done);
  FG_GO(fg_cloud_upload(engine, d, &problem->x, st), done);
  FG_GO(fg_cloud_upload(engine, d, &problem->y, st), done);
  problem->largest = fg_largest_cost(problem);
  problem->epsilon = isnan(settings->epsilon)
                         ? fg_pair_epsilon(pair, settings->cost, settings->epsilon_share)
                         : ldexp(settings->epsilon, squared ? -2 * pair->exponent : -pair->exponent);
done:
  free(mean);
  if (rc != FG_OK) fg_entropic_clear(problem);
  return rc;
}

void fg_entropic_clear(fg_entropic *problem)
{
  if (!problem->engine) return;
  fg_cloud_clear(problem->engine, &problem->x);
  fg_cloud_clear(problem->engine, &problem->y);
  memset(problem, 0, sizeof *problem);
}

/* What a model is worth. A sampler: log Z in both forms of the weight, moments and modes of its points. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "train/trainer_impl.h"

/* rnd [n], HUGE_VAL where a path is lost: weight 0. */
static fg_train_figures figures_of(size_t n, const double *rnd)
{
  double most = -HUGE_VAL, sum = 0, squares = 0, one = 0, two = 0;
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(rnd[i])) continue;
    kept++;
    sum += rnd[i];
    most = fmax(most, -rnd[i]);
  }
  double mean = sum / (double)kept, all = (double)n;
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(rnd[i])) continue;
    double w = exp(-rnd[i] - most);
    squares += (rnd[i] - mean) * (rnd[i] - mean);
    one += w;
    two += w * w;
  }
  double variance = fmax(two - one * one / all, 0) / (all - 1);
  fg_train_figures f = {.log_z_elbo = -mean,
                        .log_z_elbo_se = sqrt(squares / ((double)kept - 1) / (double)kept),
                        .log_z_is = most + log(one / all),
                        .log_z_is_se = sqrt(variance / all) / (one / all),
                        .ess = one * one / (all * two)};
  return f;
}

static int ascending(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* rnd [n] of the paths that are kept; log w = -rnd. */
static fg_code weights_of(size_t n, const double *rnd, fg_train_weights *w, fg_status *st)
{
  double *sorted = malloc((n + 1) * sizeof *sorted), sum = 0;
  if (!sorted) return FG_FAIL(st, FG_MEMORY, "no memory for the weights of %zu paths", n);
  size_t kept = 0;
  for (size_t i = 0; i < n; i++)
    if (isfinite(rnd[i])) sorted[kept++] = -rnd[i];
  *w = (fg_train_weights){.paths = kept};
  if (kept) {
    qsort(sorted, kept, sizeof *sorted, ascending);
    w->least = sorted[0];
    w->low = sorted[kept / 200];
    w->most = sorted[kept - 1];
  }
  double scale = w->most > w->low ? FG_WEIGHT_BINS / (w->most - w->low) : 0;
  for (size_t i = 0; i < kept; i++) {
    sum += exp(sorted[i] - w->most);
    size_t bin = (size_t)fmax((sorted[i] - w->low) * scale, 0);
    if (sorted[i] < w->low)
      w->below++;
    else
      w->count[bin < FG_WEIGHT_BINS ? bin : FG_WEIGHT_BINS - 1]++;
  }
  w->largest_share = kept ? 1 / sum : 0;
  free(sorted);
  return FG_OK;
}

/* Points of the lost paths leave the array; weight [points] follows them. */
static size_t compact(size_t n, size_t d, const int32_t *lost, double *x, double *rnd)
{
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    if (lost[i] >= 0) continue;
    memmove(x + kept * d, x + i * d, d * sizeof *x);
    rnd[kept++] = rnd[i];
  }
  return kept;
}

/* Mean and standard deviation of each coordinate, weighted by exp(-rnd) unless rnd is NULL. */
static void moments_of(size_t n, size_t d, const double *x, const double *rnd, double *mean, double *sd)
{
  double most = -HUGE_VAL, total = 0;
  for (size_t i = 0; rnd && i < n; i++) most = fmax(most, -rnd[i]);
  for (size_t j = 0; j < d; j++) mean[j] = sd[j] = 0;
  for (size_t i = 0; i < n; i++) {
    double w = rnd ? exp(-rnd[i] - most) : 1;
    total += w;
    for (size_t j = 0; j < d; j++) mean[j] += w * x[i * d + j];
  }
  for (size_t j = 0; j < d; j++) mean[j] /= total;
  for (size_t i = 0; i < n; i++) {
    double w = rnd ? exp(-rnd[i] - most) : 1;
    for (size_t j = 0; j < d; j++) sd[j] += w * (x[i * d + j] - mean[j]) * (x[i * d + j] - mean[j]);
  }
  for (size_t j = 0; j < d; j++) sd[j] = sqrt(sd[j] / total);
}

static double mean_difference(size_t d, const double *a, const double *b)
{
  double sum = 0;
  for (size_t j = 0; j < d; j++) sum += fabs(a[j] - b[j]);
  return sum / (double)d;
}

static void shares_of(const fg_mixture_view *view, size_t n, const double *x, double *share)
{
  size_t d = view->d;
  for (size_t k = 0; k < view->components; k++) share[k] = 0;
  for (size_t i = 0; i < n; i++) {
    size_t nearest = 0;
    double least = HUGE_VAL;
    for (size_t k = 0; k < view->components; k++) {
      double square = 0;
      for (size_t j = 0; j < d; j++) {
        double apart = x[i * d + j] - view->means[k * d + j];
        square += apart * apart;
      }
      if (square < least) {
        least = square;
        nearest = k;
      }
    }
    share[nearest]++;
  }
  for (size_t k = 0; k < view->components; k++) share[k] /= (double)n;
}

/* Room: mean, sd, target mean, target sd, weighted mean, weighted sd [d] each, covariance [d, d], shares. */
static fg_code make_room(fg_trainer *t, size_t modes, fg_status *st)
{
  if (t->moments) return FG_OK;
  t->moments = malloc((6 * t->d + t->d * t->d + modes) * sizeof *t->moments);
  return t->moments ? FG_OK : FG_FAIL(st, FG_MEMORY, "no memory for the moments of %zu dimensions", t->d);
}

static fg_code judge_moments(const fg_trainer *t, const double *rnd, fg_train_evaluation *e, fg_status *st)
{
  size_t d = t->d, n = e->points;
  double *mean = t->moments, *sd = mean + d, *true_mean = sd + d, *true_sd = true_mean + d,
         *weighted_mean = true_sd + d, *weighted_sd = weighted_mean + d, *covariance = weighted_sd + d;
  moments_of(n, d, e->x, NULL, mean, sd);
  e->mean = mean;
  e->sd = sd;
  e->mean_error = e->sd_error = e->sd_error_weighted = (double)NAN;
  if (!(fg_target_abilities(t->target) & FG_TARGET_MOMENTS)) return FG_OK;
  FG_TRY(fg_target_moments(t->target, true_mean, covariance, st));
  for (size_t j = 0; j < d; j++) true_sd[j] = sqrt(covariance[j * d + j]);
  moments_of(n, d, e->x, rnd, weighted_mean, weighted_sd);
  e->target_mean = true_mean;
  e->target_sd = true_sd;
  e->mean_error = mean_difference(d, mean, true_mean);
  e->sd_error = mean_difference(d, sd, true_sd);
  e->sd_error_weighted = mean_difference(d, weighted_sd, true_sd);
  return FG_OK;
}

static void judge_modes(const fg_trainer *t, const fg_mixture_view *view, fg_train_evaluation *e)
{
  double *share = t->moments + 6 * t->d + t->d * t->d;
  if (view->components < 2) return;
  shares_of(view, e->points, e->x, share);
  e->modes = view->components;
  e->share = share;
  for (size_t k = 1; k < e->modes; k++)
    if (share[k] < share[e->least_mode]) e->least_mode = k;
  e->least_share = share[e->least_mode];
}

static fg_code judge(fg_trainer *t, fg_train_evaluation *e, fg_status *st)
{
  fg_path_room *room = &t->evaluation;
  fg_mixture_view view = {0, 0, NULL, NULL, NULL};
  unsigned abilities = fg_target_abilities(t->target);
  if (abilities & FG_TARGET_IS_MIXTURE) FG_TRY(fg_target_mixture(t->target, &view, st));
  FG_TRY(make_room(t, view.components, st));
  for (int form = 0; form < FG_TRAIN_FORMS; form++) e->form[form] = figures_of(room->n, room->value[form]);
  e->log_z = (double)NAN;
  if (abilities & FG_TARGET_LOG_Z) FG_TRY(fg_target_log_z(t->target, &e->log_z, st));
  double *rnd = room->value[FG_TRAIN_DISCRETE];
  FG_TRY(weights_of(room->n, rnd, &e->weights, st));
  e->points = compact(room->n, t->d, room->step, room->start, rnd);
  e->x = room->start;
  FG_TRY(judge_moments(t, rnd, e, st));
  judge_modes(t, &view, e);
  return FG_OK;
}

static fg_code run_paths(fg_trainer *t, const fg_progress *progress, fg_status *st)
{
  fg_engine *e = t->engine;
  fg_path_room *room = &t->evaluation;
  fg_field field[FG_NETWORKS];
  for (int k = 0; k < t->nets; k++)
    field[k] = fg_trainer_field(t, &t->net[k], fg_trainer_weights(t, &t->net[k]), t->done);
  FG_TRY(fg_trainer_start(t, t->held_out, 0, 1, room, st));
  fg_paths_request r = fg_trainer_request(t, &t->evaluation_grid, room, t->held_out, 0, progress);
  if (t->nets > 1) r.noising = &field[1];
  FG_TRY(e->ops->paths(e, e->threads, field, &r, st));
  FG_TRY(e->ops->download(e, room->start, room->x, 0, room->n * t->d * sizeof(double), st));
  FG_TRY(e->ops->download(e, room->step, room->lost, 0, room->n * sizeof(int32_t), st));
  for (int form = 0; form < FG_TRAIN_FORMS; form++)
    FG_TRY(e->ops->download(e, room->value[form], room->rnd[form], 0, room->n * sizeof(double), st));
  return FG_OK;
}

static fg_code evaluate_paths(fg_trainer *t, const fg_progress *progress, fg_train_evaluation *e,
                              fg_status *st)
{
  const fg_path_room *room = &t->evaluation;
  FG_TRY(run_paths(t, progress, st));
  e->n = room->n;
  e->grid_steps = t->evaluation_grid.steps;
  for (size_t i = room->n; i-- > 0;)
    if (room->step[i] >= 0) {
      e->lost++;
      e->lost_first = i;
    }
  if (e->lost + 1 >= room->n)
    return FG_FAIL(
        st, FG_NUMERICS,
        "evaluation after step %llu: %llu of %zu paths are lost, and a figure needs two: train with "
        "a lower train.rate",
        (unsigned long long)e->step, (unsigned long long)e->lost, e->n);
  return judge(t, e, st);
}

fg_code fg_trainer_evaluate(fg_trainer *t, const fg_progress *progress, fg_train_evaluation *e, fg_status *st)
{
  fg_progress quiet = {NULL, NULL, progress ? progress->cancel : NULL};
  double begin = fg_seconds();
  memset(e, 0, sizeof *e);
  e->step = t->done;
  if (t->settings.method != FG_TRAIN_DSM) FG_TRY(evaluate_paths(t, &quiet, e, st));
  FG_TRY(fg_trainer_judge_points(t, &quiet, e, st));
  e->seconds = fg_seconds() - begin;
  t->seconds += e->seconds;
  return FG_OK;
}

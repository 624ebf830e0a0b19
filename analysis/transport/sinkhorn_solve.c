/* Entropic transport: fixed-point iterations, first at large epsilon, then at the one asked for.
 *
 * One walk serves both problems. Between two samples the point is g, and its image T(g) is that of f = S(g). A sample and
 * itself have one potential f = T(f); the mean of f and T(f) is a contraction where T alone only swings. */
#include <math.h>
#include <string.h>

#include "analysis/statistics.h"
#include "analysis/transport/sinkhorn.h"

enum {
  FG_ROUNDS = 50, /* at most, at an epsilon on the way */
  FG_PATIENCE = 8 /* turns in single precision without an error below the best by a tenth */
};
#define FG_ROUGH 0.01    /* error that is good enough on the way */
#define FG_WORSE 1.2     /* a step that makes the error so much larger starts the acceleration anew */
#define FG_MIX_BELOW 0.5 /* errors above are too far from a linear problem for acceleration */

typedef struct fg_walk {
  fg_entropic *problem;
  fg_cloud *x, *y; /* x NULL: y and itself */
  fg_mixer mixer;
  fg_precision precision;
  double epsilon, error;
  size_t turns;
} fg_walk;

/* out [to->n], near `guess` (which it may be), from g [from->n]; cost: <c, P> of the plan whose rows are exact, or NULL. */
static fg_code fg_pass(fg_walk *w, fg_cloud *to, const fg_cloud *from, const double *g, const double *guess,
                       double *out, double *cost, fg_status *st)
{
  const fg_entropic *p = w->problem;
  fg_engine *e = p->engine;
  const size_t bytes = to->n * sizeof *out;
  fg_softmin_request r = {
      .precision = w->precision, .n = to->n, .m = from->n, .d = p->d, .epsilon = w->epsilon};
  r.euclidean = p->settings->cost == FG_COST_EUCLIDEAN;
  r.x = to->rows;
  r.y = from->rows;
  r.log_b = from->log_share;
  r.g = from->from;
  r.guess = r.out = to->to;
  if (cost) r.mean = to->mean;
  r.progress = p->progress;
  FG_TRY(e->ops->upload(e, r.g, 0, g, from->n * sizeof *g, st));
  FG_TRY(e->ops->upload(e, r.guess, 0, guess, bytes, st));
  FG_TRY(e->ops->softmin(e, p->threads, &r, st));
  if (cost) {
    fg_sum sum = {0, 0};
    FG_TRY(e->ops->download(e, out, r.mean, 0, bytes, st));
    for (size_t i = 0; i < to->n; i++) fg_sum_add(&sum, to->share[i] * out[i]);
    *cost = fg_sum_value(&sum);
  }
  return e->ops->download(e, out, r.out, 0, bytes, st);
}

/* y->image = T(y->potential), and the error of the plan between y->potential and what it was computed from. */
static fg_code fg_walk_turn(fg_walk *w, double *cost, fg_status *st)
{
  fg_cloud *x = w->x, *y = w->y;
  fg_sum error = {0, 0};
  if (fg_progress_cancelled(w->problem->progress))
    return FG_FAIL(st, FG_INTERRUPTED, "the transport was stopped");
  if (x) {
    FG_TRY(fg_pass(w, x, y, y->potential, x->potential, x->potential, cost, st));
    FG_TRY(fg_pass(w, y, x, x->potential, y->potential, y->image, NULL, st));
  } else {
    FG_TRY(fg_pass(w, y, y, y->potential, y->potential, y->image, cost, st));
  }
  for (size_t j = 0; j < y->n; j++)
    fg_sum_add(&error, y->share[j] * fabs(expm1((y->potential[j] - y->image[j]) / w->epsilon)));
  w->error = fg_sum_value(&error);
  w->turns++;
  return FG_OK;
}

/* To the next point. */
static void fg_walk_advance(fg_walk *w, int mixed)
{
  fg_cloud *y = w->y;
  if (!w->x)
    for (size_t j = 0; j < y->n; j++) y->image[j] = 0.5 * (y->image[j] + y->potential[j]);
  if (!mixed) {
    fg_mixer_restart(&w->mixer);
    memcpy(y->potential, y->image, y->n * sizeof *y->image);
  } else {
    fg_mixer_advance(&w->mixer, y->potential, y->image);
  }
}

/* From 0 to 1: half for the way to the last epsilon, half for the error there. */
static void fg_walk_report(fg_walk *w, double along)
{
  fg_entropic *p = w->problem;
  double done = p->passes + p->part * fmin(fmax(along, 0), 1);
  if (done <= p->done) return;
  p->done = done;
  fg_progress_report(p->progress, "sinkhorn", done, 1);
}

/* Larger epsilons, each to a rough error. */
static fg_code fg_walk_anneal(fg_walk *w, double largest, double target, double factor, fg_status *st)
{
  const double way = log(largest / target);
  w->precision = FG_SINGLE;
  for (w->epsilon = largest; w->epsilon > target; w->epsilon *= factor) {
    double before = HUGE_VAL;
    fg_mixer_restart(&w->mixer);
    for (int round = 0; round < FG_ROUNDS; round++) {
      FG_TRY(fg_walk_turn(w, NULL, st));
      fg_walk_advance(w, w->error < FG_MIX_BELOW && w->error < FG_WORSE * before);
      if (w->error < FG_ROUGH) break;
      before = w->error;
    }
    fg_walk_report(w, 0.5 * log(largest / w->epsilon) / way);
  }
  w->epsilon = target;
  return FG_OK;
}

/* At the last epsilon: single precision as far as it goes, then double, in which the error is below the tolerance. */
static fg_code fg_walk_settle(fg_walk *w, const char *name, double *cost, fg_status *st)
{
  const fg_sinkhorn_settings *s = w->problem->settings;
  double best = HUGE_VAL, before = HUGE_VAL;
  int waited = 0;
  fg_mixer_restart(&w->mixer);
  for (size_t turn = 0; turn < s->iterations; turn++) {
    FG_TRY(fg_walk_turn(w, w->precision == FG_DOUBLE ? cost : NULL, st));
    if (!isfinite(w->error)) break;
    if (w->error <= s->tolerance && w->precision == FG_DOUBLE) return FG_OK;
    waited = w->error < 0.9 * best ? 0 : waited + 1;
    best = fmin(best, w->error);
    fg_walk_report(w, 0.5 + 0.5 * log(fmin(best, 1)) / log(fmin(s->tolerance, 0.5)));
    if (w->precision == FG_SINGLE && (w->error <= s->tolerance || waited >= FG_PATIENCE)) {
      w->precision = FG_DOUBLE;
      fg_walk_advance(w, 0);
    } else {
      fg_walk_advance(w, w->error < FG_MIX_BELOW && w->error < FG_WORSE * before);
    }
    before = w->error;
  }
  return FG_FAIL(
      st, FG_NUMERICS,
      "Sinkhorn %s did not converge: after %zu iterations at epsilon = %.3g of the largest cost the "
      "marginals "
      "are off by %.3g, more than the tolerance %.3g: give a larger epsilon, a larger tolerance or more "
      "iterations",
      name, s->iterations, w->epsilon / w->problem->largest, w->error, s->tolerance);
}

static double fg_mean_potential(const fg_cloud *cloud, const double *f)
{
  fg_sum sum = {0, 0};
  for (size_t i = 0; i < cloud->n; i++) fg_sum_add(&sum, cloud->share[i] * f[i]);
  return fg_sum_value(&sum);
}

/* The dual objective at the pair whose plan has exact columns: a lower bound, off by the square of the error. */
static fg_code fg_walk_run(fg_entropic *problem, fg_cloud *x, fg_cloud *y, const char *name,
                           fg_entropic_value *value, fg_status *st)
{
  fg_walk w = {.problem = problem, .x = x, .y = y};
  const int asks = x && !problem->settings->debiased;
  fg_code rc = FG_OK;
  *value = (fg_entropic_value){0, asks ? 0 : NAN, 0, 0};
  if (problem->largest == 0) return FG_OK; /* one point */
  memset(y->potential, 0, y->n * sizeof *y->potential);
  if (x) memset(x->potential, 0, x->n * sizeof *x->potential);
  FG_GO(fg_mixer_create(y->n, y->share, &w.mixer, st), done);
  FG_GO(fg_walk_anneal(&w, problem->largest, problem->epsilon, problem->settings->annealing, st), done);
  FG_GO(fg_walk_settle(&w, name, asks ? &value->cost : NULL, st), done);
  value->dual =
      fg_mean_potential(x ? x : y, x ? x->potential : y->potential) + fg_mean_potential(y, y->image);
  value->error = w.error;
  value->iterations = w.turns;
  problem->passes += problem->part;
done:
  fg_mixer_clear(&w.mixer);
  return rc;
}

fg_code fg_entropic_between(fg_entropic *problem, fg_entropic_value *value, fg_status *st)
{
  problem->part = problem->settings->debiased ? 0.5 : 1;
  FG_TRY(fg_walk_run(problem, &problem->x, &problem->y, "between the samples", value, st));
  if (problem->settings->cost == FG_COST_SQUARED) {
    value->dual += problem->offset;
    value->cost += problem->offset;
  }
  return FG_OK;
}

fg_code fg_entropic_within(fg_entropic *problem, fg_cloud *cloud, const char *name, fg_entropic_value *value,
                           fg_status *st)
{
  problem->part = 0.25;
  return fg_walk_run(problem, NULL, cloud, name, value, st);
}

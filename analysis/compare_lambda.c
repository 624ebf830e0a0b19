/* The curve over lambda: how far the law of each member of the generative family is from that of the ODE, both on
 * the SDE's grid, from the same starts, each lambda with noise of its own; and the residual over its own paths. */
#include "compare_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"
#include "formula/random.h"

/* Streams of noise that may be refined and that nothing else uses (flowgap/flow.h): 18 to 31 of each block of 64. */
enum { FG_CURVE_FIRST = 18, FG_CURVE_BLOCK = 14, FG_CURVE_MOST = 196 };

static uint32_t fg_curve_stream(size_t i)
{
  return (uint32_t)(FG_STREAMS_APART * (1 + i / FG_CURVE_BLOCK) + FG_CURVE_FIRST + i % FG_CURVE_BLOCK);
}

fg_code fg_compare_lambda_settings(fg_comparison *c, fg_status *st)
{
  const double *lambda;
  size_t shape[3];
  FG_TRY(fg_settings_array(c->settings, "compare.lambdas", &lambda, shape, st));
  if (!lambda) return FG_OK;
  if (shape[1] != 1 || shape[2] != 1 || shape[0] > FG_CURVE_MOST)
    return FG_FAIL(st, FG_USAGE, "compare.lambdas is a list of at most %d numbers, such as [0, 0.5, 1]",
                   FG_CURVE_MOST);
  c->lambdas = shape[0];
  c->curve = calloc(c->lambdas, sizeof *c->curve);
  if (!c->curve) return FG_FAIL(st, FG_MEMORY, "no memory for %zu values of lambda", c->lambdas);
  for (size_t i = 0; i < c->lambdas; i++) c->curve[i].lambda = lambda[i];
  return FG_OK;
}

/* The exact and the sliced estimate take much longer than all else: beside the grid's, they are left out. */
bool fg_compare_curve_by(const fg_comparison *c, fg_estimator estimator)
{
  if ((estimator == FG_W2_EXACT || estimator == FG_W2_SLICED) && c->wanted[FG_W2_GRID]) return false;
  return c->wanted[estimator];
}

/* All rows enter the value, so that equal bits give 0: exact in more than one dimension takes the first rows. */
static size_t fg_curve_rows(const fg_comparison *c, fg_estimator estimator)
{
  size_t most = c->estimate_settings[estimator].exact_points;
  return estimator == FG_W2_EXACT && c->d > 1 && most < c->n ? most : c->n;
}

/* Figures that are not numbers (a large lambda can drive particles beyond all bounds) leave their place empty, with the
 * reason beside it, and the curve goes on. */
static bool fg_curve_missing(fg_lambda_point *at, fg_code rc, const fg_status *st)
{
  const bool missing = rc == FG_NUMERICS || rc == FG_USAGE; /* the settings have served other laws by then */
  if (missing) snprintf(at->failed, sizeof at->failed, "%.*s", (int)sizeof at->failed - 1, st->message);
  return missing;
}

static fg_code fg_curve_distances(fg_comparison *c, const double *ode, const double *x, fg_lambda_point *at,
                                  fg_status *st)
{
  for (int e = 0; e < FG_ESTIMATORS; e++) {
    if (!fg_compare_curve_by(c, (fg_estimator)e)) continue;
    fg_estimate_settings settings = c->estimate_settings[e];
    size_t rows = fg_curve_rows(c, (fg_estimator)e);
    settings.permutations = 0;
    fg_code rc = fg_estimate_w2(c->engine, &settings, rows, rows, c->d, ode, NULL, x, NULL, c->progress,
                                &at->estimate[e], st);
    if (fg_curve_missing(at, rc, st))
      at->estimate[e] = fg_estimate_nothing();
    else if (rc != FG_OK)
      return fg_status_prefix(st, "W2 (%s) of lambda %g and the ODE: ", fg_estimator_name((fg_estimator)e),
                              at->lambda);
  }
  return FG_OK;
}

/* Mean over paths of the time average of R^2, from their states x [times, m, d]. */
static fg_code fg_curve_residual(fg_comparison *c, size_t times, const double *t, size_t m, const double *x,
                                 double *work, fg_lambda_point *at, fg_status *st)
{
  double *residual = work, *path = work + m, whole = 0;
  fg_evaluation want = {.residual = residual};
  memset(path, 0, m * sizeof *path);
  for (size_t k = 0; k < times; k++) {
    double h = 0.5 * ((k > 0 ? t[k - 1] - t[k] : 0) + (k + 1 < times ? t[k] - t[k + 1] : 0));
    FG_TRY(fg_model_evaluate(c->model, FG_DOUBLE, m, &t[k], 1, x + k * m * c->d, &want, st));
    for (size_t i = 0; i < m; i++) path[i] += h * residual[i] * residual[i];
    whole += h;
  }
  at->has_residual = whole > 0;
  if (!at->has_residual) return FG_OK;
  at->residual_mean_square = fg_mean(m, path) / whole;
  at->residual_se = sqrt(fg_variance(m, path) / (double)m) / whole;
  return FG_OK;
}

typedef struct fg_curve_room {
  double *ode, *x, *states, *work; /* [n, d], [n, d], [times, m, d], [2 m] */
  double t[FG_PROFILE_TIMES];
  size_t times, m;
} fg_curve_room;

static fg_code fg_curve_allocate(fg_comparison *c, fg_curve_room *r, fg_status *st)
{
  if (fg_model_quantities(c->model) & FG_RESIDUAL)
    r->m = c->residual_points < c->n ? c->residual_points : c->n;
  r->times = fg_profile_times(c, r->t);
  r->ode = malloc(c->n * c->d * sizeof(double));
  r->x = malloc(c->n * c->d * sizeof(double));
  r->states = malloc((r->times * r->m * c->d + 1) * sizeof(double));
  r->work = malloc((2 * r->m + 1) * sizeof(double));
  if (r->ode && r->x && r->states && r->work) return FG_OK;
  return FG_FAIL(st, FG_MEMORY, "no memory for %zu particles: lower compare.particles", c->n);
}

/* The first m particles with their states on the way, the rest without. */
static fg_code fg_curve_draw(fg_comparison *c, fg_curve_room *r, double lambda, uint32_t stream, double *x1,
                             uint64_t *lost, fg_status *st)
{
  fg_fixed_settings sde = c->sde;
  fg_flow_report report;
  const fg_snapshots keep = {r->times, r->t, r->states, NULL};
  size_t m = r->m;
  sde.lambda = lambda;
  *lost = 0;
  if (m > 0) {
    FG_TRY(fg_flow_fixed(c->model, &sde, c->seed, stream, 0, m, c->start, x1, NULL, &keep, c->progress,
                         &report, st));
    *lost += report.lost;
  }
  if (m == c->n) return FG_OK;
  FG_TRY(fg_flow_fixed(c->model, &sde, c->seed, stream, m, c->n - m, c->start + m * c->d, x1 + m * c->d, NULL,
                       NULL, c->progress, &report, st));
  *lost += report.lost;
  return FG_OK;
}

fg_code fg_compare_lambda(fg_comparison *c, fg_status *st)
{
  fg_curve_room r = {0};
  fg_code rc;
  uint64_t lost;
  if (c->lambdas == 0) return FG_OK;
  FG_GO(fg_curve_allocate(c, &r, st), done);
  const fg_piece ode[] = {{r.ode, c->n * c->d * sizeof *r.ode}, {&lost, sizeof lost}};
  if (!fg_compare_take(c, "lambda, ODE", 2, ode)) {
    FG_GO(fg_curve_draw(c, &r, 0, fg_curve_stream(0), r.ode, &lost, st), done);
    fg_compare_keep(c, "lambda, ODE", 2, ode);
  }
  for (size_t i = 0; i < c->lambdas; i++) {
    fg_lambda_point *at = &c->curve[i];
    const fg_piece point = {at, sizeof *at};
    char step[64];
    snprintf(step, sizeof step, "lambda %zu", i);
    if (fg_compare_take(c, step, 1, &point)) continue;
    if (fg_progress_cancelled(c->progress)) {
      rc = FG_FAIL(st, FG_INTERRUPTED, "interrupted at lambda %g", at->lambda);
      goto done;
    }
    FG_GO(fg_curve_draw(c, &r, at->lambda, fg_curve_stream(i), r.x, &at->lost, st), done);
    at->lost += lost; /* those of the ODE enter each distance too */
    FG_GO(fg_curve_distances(c, r.ode, r.x, at, st), done);
    if (r.m) {
      rc = fg_curve_residual(c, r.times, r.t, r.m, r.states, r.work, at, st);
      if (fg_curve_missing(at, rc, st)) rc = FG_OK;
      if (rc != FG_OK) goto done;
    }
    fg_compare_log(c, "lambda %g drawn and compared with the ODE", at->lambda);
    fg_compare_keep(c, step, 1, &point);
  }
done:
  free(r.ode);
  free(r.x);
  free(r.states);
  free(r.work);
  return rc;
}

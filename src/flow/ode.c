/* Ensembles along the probability-flow ODE: tiles of particles in parallel, each with a CVODE. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flow/ensemble.h"
#include "flow/start.h"
#include "model/model.h"

/* Below this the weights of CVODE's norm drown in rounding: 1/rtol comes near 1/DBL_EPSILON. */
static const double fg_rtol_least = 1e-14;
/* A right-hand side in float is good to about 1e-6 of its size: CVODE would chase its rounding. */
static const double fg_rtol_least_single = 1e-5;

void fg_ode_defaults(fg_ode_settings *settings)
{
  *settings = (fg_ode_settings){FG_ODE_ADAMS, 1e-6, 1e-8, 0, 100000, FG_DOUBLE};
}

enum { FG_TILE_USUAL = 64, FG_TILE_NUMBERS = 1 << 22 }; /* numbers of a vector of CVODE at most: 32 MB */

/* CVODE keeps some twenty vectors of a tile: many dimensions leave room for fewer particles. */
static size_t fg_ode_tile_suited(const fg_engine *e, const fg_ode_settings *set, size_t d)
{
  if (set->method == FG_ODE_DOPRI5) return 1;
  if (set->tile > 0) return set->tile;
  size_t tile = e->ode_tile > 0 ? e->ode_tile : FG_TILE_USUAL;
  while (tile > FG_TILE_USUAL && tile * (d + 1) > FG_TILE_NUMBERS) tile /= 2;
  return tile;
}

size_t fg_ode_tile_size(const fg_model *model, const fg_ode_settings *settings)
{
  return fg_ode_tile_suited(fg_model_engine(model), settings, fg_model_dimension(model));
}

/* ---- all tiles of a problem ------------------------------------------------------------------ */

/* The same problem on one device of the engine. */
typedef struct fg_ode_lane {
  fg_lane lane;
  fg_ode_problem problem;
} fg_ode_lane;

typedef struct fg_ode_call {
  const fg_ode_problem *problem;
  fg_ode_lane *lanes; /* tile k runs on lane k modulo lane_count */
  size_t lane_count;
  fg_ode_worker *workers;
  pthread_mutex_t lock; /* guards what follows, and makes progress reports one at a time */
  size_t done;          /* particles */
  size_t failed_tile;   /* the first by number of those that failed */
  fg_status failure;
  atomic_bool stop;
} fg_ode_call;

/* A device other than the first that has no room is left out. */
static fg_code fg_ode_lanes_open(fg_ode_call *call, size_t tiles, fg_status *st)
{
  const fg_ode_problem *p = call->problem;
  fg_engine *e = p->engine;
  size_t most = e->ops->lane_open && e->lanes > 0 ? e->lanes : 1;
  if (most > tiles) most = tiles;
  call->lanes = calloc(most, sizeof *call->lanes);
  if (!call->lanes) return FG_FAIL(st, FG_MEMORY, "no memory for an ODE on %zu devices", most);
  for (size_t k = 0; k < most; k++) {
    fg_ode_lane *on = &call->lanes[k];
    on->problem = *p;
    if (most > 1) {
      fg_code rc = e->ops->lane_open(e, k, p->field, &on->lane, st);
      if (rc == FG_MEMORY && k > 0) break;
      FG_TRY(rc);
      on->problem.engine = on->lane.engine;
      on->problem.field = &on->lane.field;
    }
    call->lane_count++;
  }
  return FG_OK;
}

static void fg_ode_lanes_close(fg_ode_call *call)
{
  fg_engine *e = call->problem->engine;
  for (size_t k = 0; k < call->lane_count; k++)
    if (call->lanes[k].lane.engine) e->ops->lane_close(e, &call->lanes[k].lane);
  free(call->lanes);
}

static void fg_ode_task(void *argument, size_t task, int worker)
{
  fg_ode_call *call = argument;
  const fg_ode_problem *p = &call->lanes[task % call->lane_count].problem;
  fg_engine *e = p->engine;
  size_t begin = task * p->tile;
  size_t count = p->n - begin < p->tile ? p->n - begin : p->tile;
  if (atomic_load(&call->stop)) return;
  fg_status st;
  fg_status_clear(&st);
  fg_code rc = fg_progress_cancelled(p->progress)
                   ? FG_FAIL(&st, FG_INTERRUPTED, "stopped on request before particle %zu of the ODE", begin)
                   : fg_ode_tile(&call->workers[worker], p, begin, count, &st);
  /* vector operations need not have ended, and another thread is going to free what they work on */
  if (e->ops->sync) {
    fg_status why;
    fg_code ended = e->ops->sync(e, rc == FG_OK ? &st : &why);
    if (rc == FG_OK) rc = ended;
  }
  pthread_mutex_lock(&call->lock);
  if (rc != FG_OK) {
    st.code = rc;
    if (task < call->failed_tile) {
      call->failed_tile = task;
      call->failure = st;
    }
    atomic_store(&call->stop, true);
  } else {
    call->done += count;
    fg_progress_report(p->progress, "ode", (double)call->done, (double)p->n);
  }
  pthread_mutex_unlock(&call->lock);
}

static int fg_lost_order(const void *a, const void *b)
{
  const fg_lost *x = a, *y = b;
  return (x->particle > y->particle) - (x->particle < y->particle);
}

/* Each worker takes its tiles in ascending order, so its own first FG_LOST_NAMED include all of the
 * first FG_LOST_NAMED of the ensemble that it met. */
static fg_code fg_ode_gather_lost(const fg_ode_worker *workers, int count, fg_flow_report *report,
                                  fg_status *st)
{
  size_t named = 0;
  for (int i = 0; i < count; i++) named += workers[i].tally.named;
  if (named == 0) return FG_OK;
  fg_lost *all = malloc(named * sizeof *all);
  if (!all) return FG_FAIL(st, FG_MEMORY, "no memory for the names of %zu lost particles", named);
  named = 0;
  for (int i = 0; i < count; i++) {
    const fg_ode_tally *tally = &workers[i].tally;
    memcpy(all + named, tally->first, tally->named * sizeof *all);
    named += tally->named;
  }
  qsort(all, named, sizeof *all, fg_lost_order);
  report->lost_named = named < FG_LOST_NAMED ? named : FG_LOST_NAMED;
  memcpy(report->named, all, report->lost_named * sizeof *all);
  free(all);
  return FG_OK;
}

static void fg_ode_gather(const fg_ode_problem *p, const fg_ode_worker *workers, int count,
                          fg_flow_report *report)
{
  uint64_t steps[FG_ODE_BINS] = {0}, rhs[FG_ODE_BINS] = {0}, order[FG_ODE_BINS] = {0};
  for (int i = 0; i < count; i++) {
    const fg_ode_tally *tally = &workers[i].tally;
    report->steps += tally->steps;
    report->rhs_evaluations += tally->rhs;
    report->jvp_evaluations += tally->jvp;
    report->error_test_failures += tally->error_test_failures;
    report->convergence_failures += tally->convergence_failures;
    report->tiles += tally->tiles;
    report->tiles_split += tally->split;
    report->lost += tally->lost;
    for (int b = 0; b < FG_ODE_BINS; b++) {
      steps[b] += tally->bin_steps[b];
      rhs[b] += tally->bin_rhs[b];
      order[b] += tally->bin_order[b];
    }
  }
  report->bins = p->bins_per_log > 0 ? FG_ODE_BINS : 0;
  for (size_t b = 0; b < report->bins; b++) {
    report->bin_t[b] = exp(p->bin_low + ((double)b + 0.5) / p->bins_per_log);
    report->bin_steps[b] = (double)steps[b] / (double)report->tiles;
    report->bin_rhs[b] = (double)rhs[b] / (double)report->tiles;
    report->bin_order[b] = steps[b] ? (double)order[b] / (double)steps[b] : 0;
  }
}

/* All tiles, each with a CVODE. */
static fg_code fg_ode_run_tiles(const fg_ode_problem *problem, fg_flow_report *report, fg_status *st)
{
  fg_threads *threads = problem->engine->threads;
  int count = fg_threads_count(threads);
  fg_ode_call call = {.problem = problem, .failed_tile = SIZE_MAX};
  call.workers = calloc((size_t)count, sizeof *call.workers);
  if (!call.workers) return FG_FAIL(st, FG_MEMORY, "no memory for %d ODE workers", count);
  pthread_mutex_init(&call.lock, NULL);
  const size_t tile = problem->tile, tiles = problem->n / tile + (problem->n % tile != 0);
  fg_code rc = fg_ode_lanes_open(&call, tiles, st);
  if (rc == FG_OK) fg_threads_run(threads, tiles, fg_ode_task, &call);
  pthread_mutex_destroy(&call.lock);

  if (rc == FG_OK && call.failed_tile != SIZE_MAX) {
    rc = call.failure.code;
    if (st) *st = call.failure;
  }
  if (rc == FG_OK) rc = fg_ode_gather_lost(call.workers, count, report, st);
  if (rc == FG_OK) fg_ode_gather(problem, call.workers, count, report);
  for (int i = 0; i < count; i++) fg_ode_worker_clear(&call.workers[i]);
  fg_ode_lanes_close(&call);
  free(call.workers);
  return rc;
}

fg_code fg_ode_run(fg_ode_problem *problem, fg_flow_report *report, fg_status *st)
{
  double start = fg_seconds();
  FG_TRY(fg_start_check(problem->n, problem->d, problem->x0, st));
  double high = fmax(problem->t0, problem->t1);
  double low = fmax(fmin(problem->t0, problem->t1), 1e-6 * fg_process_horizon(problem->process));
  problem->bin_low = log(low);
  problem->bins_per_log = high > low ? FG_ODE_BINS / log(high / low) : 0;
  problem->tile = fg_ode_tile_suited(problem->engine, problem->settings, problem->d);
  fg_flow_report mine;
  memset(&mine, 0, sizeof mine);
  fg_code rc = problem->settings->method == FG_ODE_DOPRI5 ? fg_ensemble_run(problem, &mine, st)
                                                          : fg_ode_run_tiles(problem, &mine, st);
  mine.tile = problem->tile;
  mine.seconds = fg_seconds() - start;
  if (rc == FG_OK && report) *report = mine;
  return rc;
}

/* ---- what the caller may ask ------------------------------------------------------------------ */

static fg_code fg_ode_check_settings(const fg_ode_settings *set, fg_status *st)
{
  if (set->method != FG_ODE_ADAMS && set->method != FG_ODE_BDF && set->method != FG_ODE_DOPRI5)
    return FG_FAIL(st, FG_USAGE, "ODE method is %d: give FG_ODE_ADAMS, FG_ODE_BDF or FG_ODE_DOPRI5",
                   (int)set->method);
  double least = set->precision == FG_SINGLE ? fg_rtol_least_single : fg_rtol_least;
  if (!(set->rtol >= least && set->rtol < 1))
    return FG_FAIL(st, FG_USAGE, "ODE rtol is %g: give %g to 1 in %s precision", set->rtol, least,
                   set->precision == FG_SINGLE ? "single" : "double");
  if (!(set->atol > 0 && set->atol < HUGE_VAL))
    return FG_FAIL(st, FG_USAGE, "ODE atol is %g: give a positive number", set->atol);
  if (set->max_steps < 1)
    return FG_FAIL(st, FG_USAGE, "ODE max_steps is %d: give at least 1", set->max_steps);
  return FG_OK;
}

static fg_code fg_ode_check_times(double horizon, double t0, double t1, const fg_snapshots *kept,
                                  fg_status *st)
{
  double most = horizon * (1 + 1e-12);
  if (!(t0 >= 0 && t0 <= most && t1 >= 0 && t1 <= most))
    return FG_FAIL(st, FG_USAGE, "the ODE is to go from t = %g to %g: give times from 0 to %g", t0, t1,
                   horizon);
  if (t0 == t1) return FG_FAIL(st, FG_USAGE, "the ODE is to go from t = %g to itself: give two times", t0);
  double before = t0, forward = t1 > t0 ? 1 : -1;
  for (size_t k = 0; kept && k < kept->count; k++) {
    double t = kept->t[k];
    if (!((t - before) * forward >= 0 && (t1 - t) * forward >= 0))
      return FG_FAIL(st, FG_USAGE, "snapshot %zu is at t = %g: give times in order from %g to %g", k, t, t0,
                     t1);
    before = t;
  }
  return FG_OK;
}

static fg_code fg_ode_check_model(const fg_model *model, const fg_ode_settings *set, bool with_log_p,
                                  fg_status *st)
{
  fg_engine *e = fg_model_engine(model);
  unsigned has = fg_model_quantities(model);
  if (!(has & FG_SCORE))
    return FG_FAIL(st, FG_UNSUPPORTED, "model %s has no score to drive the ODE", fg_model_name(model));
  if (with_log_p && !(has & FG_DIVERGENCE))
    return FG_FAIL(st, FG_UNSUPPORTED, "model %s has no divergence of the score: ask for no log-density",
                   fg_model_name(model));
  if (set->method == FG_ODE_BDF && !(has & FG_JVP))
    return FG_FAIL(st, FG_UNSUPPORTED, "model %s has no Jacobian-vector product: use method adams",
                   fg_model_name(model));
  if (set->method == FG_ODE_DOPRI5)
    return e->ops->ensemble ? FG_OK : fg_engine_lacks(e, "carry particles along the ODE by dopri5", st);
  if (!e->ops->ode_rhs) return fg_engine_lacks(e, "compute ODE right-hand sides", st);
  if (set->method == FG_ODE_BDF && !e->ops->ode_jvp) return fg_engine_lacks(e, "compute ODE Jacobians", st);
  if (!e->ops->vec_map || !e->ops->vec_reduce || !e->ops->vec_particle_norm)
    return fg_engine_lacks(e, "do the ODE solver's vector operations", st);
  return FG_OK;
}

fg_code fg_flow_ode(const fg_model *model, const fg_ode_settings *settings, size_t n, const double *x0,
                    double t0, double t1, double *x1, double *log_p, const fg_snapshots *snapshots,
                    const fg_progress *progress, fg_flow_report *report, fg_status *st)
{
  const fg_process *process = fg_model_process(model);
  fg_field field;
  if (n == 0) return FG_FAIL(st, FG_USAGE, "the ODE has no particles to carry: give at least 1");
  FG_TRY(fg_ode_check_settings(settings, st));
  FG_TRY(fg_ode_check_times(fg_process_horizon(process), t0, t1, snapshots, st));
  FG_TRY(fg_start_time_check(process, t0, st));
  FG_TRY(fg_start_time_check(process, t1, st));
  FG_TRY(fg_ode_check_model(model, settings, log_p != NULL, st));
  FG_TRY(fg_model_flow_field(model, 0, &field, st));
  fg_ode_problem problem = {.engine = fg_model_engine(model),
                            .field = &field,
                            .process = process,
                            .settings = settings,
                            .norm = FG_NORM_PARTICLE,
                            .n = n,
                            .d = fg_model_dimension(model),
                            .x0 = x0,
                            .x1 = x1,
                            .log_p = log_p,
                            .t0 = t0,
                            .t1 = t1,
                            .snapshots = snapshots,
                            .progress = progress};
  return fg_ode_run(&problem, report, st);
}

/* An estimate with its noise floor, interval, bias and p-value: the value first, by all threads; then a list of
 * independent evaluations on fewer rows, one per thread. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/grid_width.h"
#include "analysis/estimate_impl.h"
#include "analysis/transport/kernel_distance.h"
#include "analysis/transport/transport.h"

typedef struct fg_worker_state {
  fg_scratch scratch;
  size_t failed; /* lowest task that failed here, SIZE_MAX if none */
  fg_status st;
} fg_worker_state;

typedef struct fg_estimation {
  const fg_estimate_settings *settings;
  fg_pool pool;
  fg_plan plan;
  double *squared; /* [tasks] */
  fg_w2 value;
  double detail[2]; /* of the value */
  fg_worker_state *workers;
  int worker_count;
  const fg_progress *progress;
  pthread_mutex_t lock; /* guards done and the report */
  size_t done;
  atomic_bool stop;
} fg_estimation;

static void fg_estimation_report(fg_estimation *e)
{
  pthread_mutex_lock(&e->lock);
  fg_progress_report(e->progress, fg_estimator_name(e->settings->estimator), (double)++e->done,
                     (double)e->plan.tasks);
  pthread_mutex_unlock(&e->lock);
}

static void fg_estimate_task(void *argument, size_t number, int worker)
{
  fg_estimation *e = argument;
  fg_worker_state *state = &e->workers[worker];
  size_t task = number + 1; /* the value is there */
  if (atomic_load(&e->stop) || fg_progress_cancelled(e->progress)) return;
  if (e->plan.one_pass && task >= e->plan.start[FG_FOR_OBSERVED] && task < e->plan.start[FG_FOR_INTERVAL])
    return;
  fg_w2 result;
  fg_progress inside = {NULL, NULL, e->progress ? e->progress->cancel : NULL};
  fg_fineness fineness = fg_plan_label(&e->pool, &e->plan, task, &state->scratch);
  if (fg_pool_distance(&e->pool, NULL, &state->scratch, fineness, &inside, &result,
                       state->failed == SIZE_MAX ? &state->st : NULL) != FG_OK) {
    if (state->failed == SIZE_MAX) state->failed = task;
    atomic_store(&e->stop, true);
    return;
  }
  e->squared[task] = result.squared;
  fg_estimation_report(e);
}

/* ---- the estimate -------------------------------------------------------------------- */

static fg_code fg_estimation_allocate(fg_estimation *e, fg_threads *threads, fg_status *st)
{
  const fg_plan *plan = &e->plan;
  int count = fg_threads_count(threads);
  e->squared = calloc(plan->tasks, sizeof *e->squared);
  e->workers = calloc((size_t)count, sizeof *e->workers);
  if (!e->squared || !e->workers)
    return FG_FAIL(st, FG_MEMORY, "no memory for an estimate of %zu replicates", plan->tasks);
  for (; e->worker_count < count; e->worker_count++) {
    e->workers[e->worker_count].failed = SIZE_MAX;
    FG_TRY(fg_scratch_create(&e->pool, plan->most, &e->workers[e->worker_count].scratch, st));
  }
  return FG_OK;
}

static void fg_estimation_clear(fg_estimation *e)
{
  for (int w = 0; w < e->worker_count; w++) fg_scratch_clear(&e->workers[w].scratch);
  free(e->workers);
  free(e->squared);
  fg_pool_clear(&e->pool);
  pthread_mutex_destroy(&e->lock);
}

/* The failure of the lowest task is the one reported, whatever the number of threads. */
static fg_code fg_estimation_outcome(const fg_estimation *e, fg_status *st)
{
  const fg_worker_state *first = NULL;
  for (int w = 0; w < e->worker_count; w++)
    if (e->workers[w].failed != SIZE_MAX && (!first || e->workers[w].failed < first->failed))
      first = &e->workers[w];
  if (first) {
    if (st) *st = first->st;
    return first->st.code;
  }
  if (fg_progress_cancelled(e->progress))
    return FG_FAIL(st, FG_INTERRUPTED, "the %s distance was interrupted after %zu of %zu evaluations",
                   fg_estimator_name(e->settings->estimator), e->done, e->plan.tasks);
  return FG_OK;
}

/* What one long evaluation reports of itself, under the estimator's name. */
typedef struct fg_relay {
  const fg_progress *outer;
  char stage[64];
} fg_relay;

static void fg_relay_report(void *user, const char *stage, double done, double total)
{
  const fg_relay *relay = user;
  (void)stage;
  fg_progress_report(relay->outer, relay->stage, done, total);
}

static fg_progress fg_estimation_relay(const fg_estimation *e, const char *what, fg_relay *relay)
{
  relay->outer = e->progress;
  snprintf(relay->stage, sizeof relay->stage, "%s, %s", fg_estimator_name(e->settings->estimator), what);
  return (fg_progress){fg_relay_report, relay, e->progress ? e->progress->cancel : NULL};
}

/* The value may take far more rows than any other evaluation: its buffers are its own. */
static fg_code fg_estimation_value(fg_estimation *e, fg_threads *threads, fg_status *st)
{
  const fg_plan *plan = &e->plan;
  fg_scratch scratch;
  fg_relay relay;
  fg_progress inside = fg_estimation_relay(e, "value", &relay);
  FG_TRY(fg_scratch_create(&e->pool, plan->use_x > plan->use_y ? plan->use_x : plan->use_y, &scratch, st));
  fg_fineness fineness = fg_plan_label(&e->pool, plan, 0, &scratch);
  fg_code rc = fg_pool_distance(&e->pool, threads, &scratch, fineness, &inside, &e->value, st);
  memcpy(e->detail, scratch.detail, sizeof e->detail);
  fg_scratch_clear(&scratch);
  if (rc != FG_OK) return rc;
  e->squared[0] = e->value.squared;
  fg_estimation_report(e);
  return FG_OK;
}

static fg_code fg_estimation_permute(fg_estimation *e, fg_threads *threads, fg_status *st)
{
  fg_relay relay;
  fg_progress inside = fg_estimation_relay(e, "permutations", &relay);
  FG_TRY(fg_pool_permute(&e->pool, &e->plan, threads, &inside, e->squared, st));
  e->done += e->plan.count[FG_FOR_PERMUTED];
  fg_estimation_report(e);
  return FG_OK;
}

fg_code fg_estimate_w2(fg_engine *engine, const fg_estimate_settings *settings, size_t n, size_t m, size_t d,
                       const double *x, const double *wx, const double *y, const double *wy,
                       const fg_progress *progress, fg_estimate *estimate, fg_status *st)
{
  double start = fg_seconds();
  fg_threads *threads = engine ? fg_engine_threads(engine) : NULL;
  FG_TRY(fg_estimate_check(engine, settings, st));
  fg_estimate_settings chosen = *settings;
  if (chosen.estimator == FG_W2_GRID && isnan(chosen.grid.half_width))
    FG_TRY(fg_grid_width(0.999, 2, (const double *const[]){x, y}, (const size_t[]){n, m}, d,
                         &chosen.grid.half_width, st));
  if ((chosen.estimator == FG_W2_SINKHORN || chosen.estimator == FG_ENTROPIC) && isnan(chosen.epsilon))
    FG_TRY(fg_sinkhorn_epsilon(chosen.estimator == FG_ENTROPIC ? FG_COST_EUCLIDEAN : FG_COST_SQUARED, n, m, d,
                               x, wx, y, wy, &chosen.epsilon, st));
  if (chosen.estimator == FG_MMD && isnan(chosen.bandwidth))
    FG_TRY(fg_median_distance(n, m, d, x, wx, y, wy, &chosen.bandwidth, st));
  settings = &chosen;
  fg_estimation e = {.settings = settings, .progress = progress};
  fg_code rc = FG_OK;
  FG_TRY(fg_pool_create(engine, settings, n, m, d, x, wx, y, wy, &e.pool, st));
  pthread_mutex_init(&e.lock, NULL);
  atomic_init(&e.stop, false);
  fg_plan_make(&e.pool, &e.plan);
  FG_GO(fg_estimation_allocate(&e, threads, st), done);
  FG_GO(fg_estimation_value(&e, threads, st), done);
  if (e.plan.one_pass) FG_GO(fg_estimation_permute(&e, threads, st), done);
  fg_threads_run(threads, e.plan.tasks - 1, fg_estimate_task, &e);
  FG_GO(fg_estimation_outcome(&e, st), done);
  fg_estimate_figures(&e.pool, &e.plan, e.squared, &e.value, e.detail, estimate);
  estimate->seconds = fg_seconds() - start;
done:
  fg_estimation_clear(&e);
  return rc;
}

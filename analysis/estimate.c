/* An estimate of W2 with its noise floor, interval and p-value: one list of independent evaluations of the
 * estimator, run in parallel, each on rows chosen by (seed, purpose, replicate) alone. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/grid_width.h"
#include "analysis/estimate_impl.h"
#include "analysis/statistics.h"
#include "analysis/transport/transport.h"
#include "formula/random.h"

enum {
  FG_BLOCK_ROWS = 1000, /* exact and pairs: rows per side of an interval's block, and at least of the test */
  FG_SORTED_ROWS = 100000 /* exact in one dimension: most rows of each side */
};

typedef enum fg_purpose {
  FG_FOR_VALUE,
  FG_FOR_FLOOR_X,
  FG_FOR_FLOOR_Y,
  FG_FOR_FLOOR_X_HALF, /* half the rows, to see how the floor falls */
  FG_FOR_FLOOR_Y_HALF,
  FG_FOR_OBSERVED,
  FG_FOR_PERMUTED,
  FG_FOR_INTERVAL,
  FG_PURPOSES
} fg_purpose;

typedef struct fg_plan {
  size_t use_x, use_y;     /* rows of the value */
  double floor_rows;       /* rows of a side that give the value's noise: harmonic mean of the two */
  size_t floor_x, floor_y; /* rows of a side that a floor replicate has */
  size_t test_x, test_y;
  size_t block_x, block_y;
  size_t count[FG_PURPOSES], start[FG_PURPOSES], tasks;
} fg_plan;

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

static size_t fg_least(size_t a, size_t b)
{
  return a < b ? a : b;
}

static size_t fg_most(size_t a, size_t b)
{
  return a > b ? a : b;
}

/* How many rows and how many replicates (docs/distances.md). */
static void fg_plan_make(const fg_estimate_settings *s, const fg_pool *pool, fg_plan *plan)
{
  bool exact = s->estimator == FG_W2_EXACT, some = exact || fg_estimator_takes_pairs(s->estimator);
  memset(plan, 0, sizeof *plan);
  /* in one dimension transport is a sort: nearly all rows can enter */
  size_t most = !exact         ? s->pair_points
                : pool->d == 1 ? fg_most(s->exact_points, FG_SORTED_ROWS)
                               : s->exact_points;
  plan->use_x = some ? fg_least(pool->n, most) : pool->n;
  plan->use_y = some ? fg_least(pool->m, most) : pool->m;
  size_t longer = fg_most(plan->use_x, plan->use_y);
  plan->floor_rows = 2 / (1 / (double)plan->use_x + 1 / (double)plan->use_y);
  plan->floor_x = fg_least(pool->n / 2, (size_t)(plan->floor_rows + 0.5));
  plan->floor_y = fg_least(pool->m / 2, (size_t)(plan->floor_rows + 0.5));
  double share = some ? fmin(0.5, (double)FG_BLOCK_ROWS / (double)longer) : 0.5;
  plan->block_x = fg_most(2, (size_t)(share * (double)plan->use_x));
  plan->block_y = fg_most(2, (size_t)(share * (double)plan->use_y));
  size_t test = some ? fg_most(FG_BLOCK_ROWS, most / 4) : SIZE_MAX;
  plan->test_x = fg_least(plan->use_x, test);
  plan->test_y = fg_least(plan->use_y, test);
  size_t floors = s->estimator == FG_W2_GAUSSIAN ? s->replicates : fg_most(2, s->replicates / 10);
  plan->count[FG_FOR_VALUE] = 1;
  plan->count[FG_FOR_FLOOR_X] = plan->count[FG_FOR_FLOOR_Y] = floors;
  /* The Gaussian floor is known to fall like 1 / n; the others are measured where they are needed. */
  bool short_x = (double)plan->floor_x < 0.999 * plan->floor_rows - 1;
  bool short_y = (double)plan->floor_y < 0.999 * plan->floor_rows - 1;
  if (s->estimator != FG_W2_GAUSSIAN && (short_x || short_y))
    plan->count[FG_FOR_FLOOR_X_HALF] = plan->count[FG_FOR_FLOOR_Y_HALF] = floors;
  plan->count[FG_FOR_OBSERVED] = s->permutations > 0;
  plan->count[FG_FOR_PERMUTED] = s->permutations;
  plan->count[FG_FOR_INTERVAL] = s->replicates;
  for (int purpose = 0; purpose < FG_PURPOSES; purpose++) {
    plan->start[purpose] = plan->tasks;
    plan->tasks += plan->count[purpose];
  }
}

/* ---- choosing rows ------------------------------------------------------------------- */

static void fg_label_floor(const fg_estimation *e, fg_draw draw, bool second, size_t each,
                           unsigned char *label)
{
  size_t n = e->pool.n, m = e->pool.m;
  memset(label, 0, n + m);
  fg_split(draw, second ? m : n, each, each, second ? label + n : label);
}

static void fg_label_both(const fg_estimation *e, fg_draw draw, size_t a, size_t b, unsigned char *label)
{
  size_t n = e->pool.n;
  fg_draw other = draw;
  other.purpose += FG_PURPOSES; /* y's own numbers */
  fg_split(draw, n, a, 0, label);
  fg_split(other, e->pool.m, 0, b, label + n);
}

/* The rows of the observed statistic, dealt out anew. */
static void fg_label_permuted(const fg_estimation *e, fg_draw draw, fg_scratch *scratch)
{
  const fg_plan *plan = &e->plan;
  fg_draw observed = {draw.seed, FG_STREAM_PERMUTE, FG_FOR_OBSERVED, 0};
  fg_label_both(e, observed, plan->test_x, plan->test_y, scratch->label);
  fg_split(draw, plan->test_x + plan->test_y, plan->test_x, plan->test_y, scratch->relabel);
  size_t at = 0;
  for (size_t i = 0; i < e->pool.n + e->pool.m; i++)
    if (scratch->label[i]) scratch->label[i] = scratch->relabel[at++];
}

/* Label the rows of a task; returns whether it may use the coarser grid. */
static bool fg_label_task(const fg_estimation *e, fg_purpose purpose, size_t replicate, fg_scratch *scratch)
{
  const fg_plan *plan = &e->plan;
  fg_draw draw = {e->settings->seed, FG_STREAM_SUBSAMPLE, purpose, (uint32_t)replicate};
  switch (purpose) {
  case FG_FOR_VALUE:
    fg_label_both(e, draw, plan->use_x, plan->use_y, scratch->label);
    return false;
  case FG_FOR_FLOOR_X:
  case FG_FOR_FLOOR_Y:
    fg_label_floor(e, draw, purpose == FG_FOR_FLOOR_Y,
                   purpose == FG_FOR_FLOOR_X ? plan->floor_x : plan->floor_y, scratch->label);
    return false;
  case FG_FOR_FLOOR_X_HALF:
  case FG_FOR_FLOOR_Y_HALF:
    fg_label_floor(e, draw, purpose == FG_FOR_FLOOR_Y_HALF,
                   (purpose == FG_FOR_FLOOR_X_HALF ? plan->floor_x : plan->floor_y) / 2, scratch->label);
    return false;
  case FG_FOR_INTERVAL:
    fg_label_both(e, draw, plan->block_x, plan->block_y, scratch->label);
    return true;
  default:
    draw.stream = FG_STREAM_PERMUTE;
    if (purpose == FG_FOR_OBSERVED)
      fg_label_both(e, draw, plan->test_x, plan->test_y, scratch->label);
    else
      fg_label_permuted(e, draw, scratch);
    return true;
  }
}

static void fg_estimate_task(void *argument, size_t task, int worker)
{
  fg_estimation *e = argument;
  fg_worker_state *state = &e->workers[worker];
  if (atomic_load(&e->stop) || fg_progress_cancelled(e->progress)) return;
  int purpose = 0;
  while (task >= e->plan.start[purpose] + e->plan.count[purpose]) purpose++;
  fg_w2 result;
  bool rough = fg_label_task(e, (fg_purpose)purpose, task - e->plan.start[purpose], &state->scratch);
  if (fg_pool_distance(&e->pool, &state->scratch, rough, &result,
                       state->failed == SIZE_MAX ? &state->st : NULL) != FG_OK) {
    if (state->failed == SIZE_MAX) state->failed = task;
    atomic_store(&e->stop, true);
    return;
  }
  e->squared[task] = result.squared;
  if (purpose == FG_FOR_VALUE) {
    e->value = result;
    memcpy(e->detail, state->scratch.detail, sizeof e->detail);
  }
  pthread_mutex_lock(&e->lock);
  fg_progress_report(e->progress, fg_estimator_name(e->settings->estimator), (double)++e->done,
                     (double)e->plan.tasks);
  pthread_mutex_unlock(&e->lock);
}

/* ---- figures ------------------------------------------------------------------------- */

static const double *fg_part(const fg_estimation *e, fg_purpose purpose)
{
  return e->squared + e->plan.start[purpose];
}

static double fg_part_mean(const fg_estimation *e, fg_purpose purpose)
{
  return fg_mean(e->plan.count[purpose], fg_part(e, purpose));
}

/* Mean square between two independent samples of one law, brought from the rows that a replicate had to the
 * rows of the value: F ~ rows^-rate, with the rate measured between the replicates and their halves. */
static double fg_floor_squared(const fg_estimation *e)
{
  const fg_plan *plan = &e->plan;
  double x = fg_part_mean(e, FG_FOR_FLOOR_X), y = fg_part_mean(e, FG_FOR_FLOOR_Y), rate = 1;
  if (plan->count[FG_FOR_FLOOR_X_HALF] > 0) {
    double half = fg_part_mean(e, FG_FOR_FLOOR_X_HALF) + fg_part_mean(e, FG_FOR_FLOOR_Y_HALF);
    double slowest = e->settings->estimator == FG_W2_SLICED ? 0.5 : fmin(0.5, 2 / (double)e->pool.d);
    rate = x + y > 0 ? log2(half / (x + y)) : 1;
    rate = fmin(1, fmax(slowest, rate));
  }
  x *= pow(fmin(1, (double)plan->floor_x / plan->floor_rows), rate);
  y *= pow(fmin(1, (double)plan->floor_y / plan->floor_rows), rate);
  return 0.5 * (x + y);
}

/* Standard error of the value's square from blocks: a block of b of the N rows has a variance of
 * s^2 (1 - b / N) / b, the value s^2 / n. */
static double fg_standard_error(const fg_estimation *e)
{
  const fg_plan *plan = &e->plan;
  double variance = fg_variance(plan->count[FG_FOR_INTERVAL], fg_part(e, FG_FOR_INTERVAL));
  double scale =
      fmax((double)plan->block_x / (double)plan->use_x, (double)plan->block_y / (double)plan->use_y);
  double drawn = fmax((double)plan->block_x / (double)e->pool.n, (double)plan->block_y / (double)e->pool.m);
  return sqrt(variance * scale / (1 - drawn));
}

static void fg_estimate_fill(const fg_estimation *e, fg_estimate *estimate)
{
  bool sliced = e->settings->estimator == FG_W2_SLICED;
  double floor = fg_floor_squared(e), squared = e->value.squared;
  /* All blocks have the same directions: what other ones would have given is a second, independent error. */
  double reach = hypot(fg_standard_error(e), sliced ? e->detail[0] : 0) *
                 fg_student(e->settings->confidence, (double)(e->plan.count[FG_FOR_INTERVAL] - 1));
  estimate->squared = squared;
  estimate->value = e->value.value;
  estimate->primal = e->value.primal;
  estimate->dual = e->value.dual;
  estimate->floor = sqrt(floor);
  /* The bias of the square lies between 0 and about the floor's square: the interval allows for both. */
  estimate->ci_low = sqrt(fmax(0, squared - floor - reach));
  estimate->ci_high = sqrt(squared + reach);
  estimate->p_value = NAN;
  if (e->plan.count[FG_FOR_PERMUTED] > 0)
    estimate->p_value = fg_permutation_p(e->plan.count[FG_FOR_PERMUTED], fg_part(e, FG_FOR_PERMUTED),
                                         *fg_part(e, FG_FOR_OBSERVED));
  memcpy(estimate->detail, e->detail, sizeof estimate->detail);
  estimate->bias_points = 0;
  estimate->extrapolated = estimate->extrapolated_se = estimate->extrapolation_rate = NAN;
  estimate->used_x = e->plan.use_x;
  estimate->used_y = e->plan.use_y;
  estimate->outside_x = e->pool.outside_x;
  estimate->outside_y = e->pool.outside_y;
}

/* ---- the estimate -------------------------------------------------------------------- */

static fg_code fg_estimation_allocate(fg_estimation *e, fg_threads *threads, fg_status *st)
{
  const fg_plan *plan = &e->plan;
  size_t rows = fg_most(fg_most(plan->use_x, plan->use_y), fg_most(plan->floor_x, plan->floor_y));
  int count = fg_threads_count(threads);
  e->squared = calloc(plan->tasks, sizeof *e->squared);
  e->workers = calloc((size_t)count, sizeof *e->workers);
  if (!e->squared || !e->workers)
    return FG_FAIL(st, FG_MEMORY, "no memory for an estimate of %zu replicates", plan->tasks);
  for (; e->worker_count < count; e->worker_count++) {
    e->workers[e->worker_count].failed = SIZE_MAX;
    FG_TRY(fg_scratch_create(&e->pool, rows, &e->workers[e->worker_count].scratch, st));
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
  settings = &chosen;
  fg_estimation e = {.settings = settings, .progress = progress};
  fg_code rc = FG_OK;
  FG_TRY(fg_pool_create(engine, settings, n, m, d, x, wx, y, wy, &e.pool, st));
  pthread_mutex_init(&e.lock, NULL);
  atomic_init(&e.stop, false);
  fg_plan_make(settings, &e.pool, &e.plan);
  FG_GO(fg_estimation_allocate(&e, threads, st), done);
  fg_threads_run(threads, e.plan.tasks, fg_estimate_task, &e);
  FG_GO(fg_estimation_outcome(&e, st), done);
  fg_estimate_fill(&e, estimate);
  estimate->seconds = fg_seconds() - start;
done:
  fg_estimation_clear(&e);
  return rc;
}

/* Distances behind the budget: the same estimator on many small blocks of particles, so that differences between
 * laws that share starts and noise come with a standard error. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/budget.h"

typedef struct fg_budget_work {
  fg_comparison *c;
  const fg_budget_law *law;
  const fg_budget_pair *pair;
  double *squared;
  size_t half; /* rows of half a block */
  pthread_mutex_t lock;
  size_t done, tasks, failed; /* failed: the lowest task that did, or `tasks` */
  fg_status st;
} fg_budget_work;

/* Rows [first, first + count) of a law that lie within; a copy only where some may be left out. */
static size_t fg_budget_rows(const fg_budget_law *law, size_t first, size_t count, size_t d, double *room,
                             const double **x)
{
  const double *from = law->x + first * d;
  size_t kept = 0;
  *x = from;
  if (isinf(law->within)) return count;
  for (size_t i = 0; i < count; i++) {
    bool in = true;
    for (size_t j = 0; j < d; j++) in = in && fabs(from[i * d + j]) <= law->within;
    if (in) memcpy(room + kept++ * d, from + i * d, d * sizeof *room);
  }
  *x = room;
  return kept;
}

static fg_code fg_budget_measure(const fg_comparison *c, size_t n, size_t m, const double *x, const double *y,
                                 double *squared, fg_status *st)
{
  const fg_progress stop = {NULL, NULL, c->progress ? c->progress->cancel : NULL};
  fg_estimator by = c->budget->measure;
  const fg_estimate_settings *s = &c->estimate_settings[by];
  fg_w2 result;
  *squared = NAN;
  if (by == FG_W2_GAUSSIAN) {
    FG_TRY(fg_w2_gaussian(n, m, c->d, x, NULL, y, NULL, &result, st));
  } else if (by == FG_W2_SLICED) {
    fg_w2_sliced_settings settings;
    fg_w2_slices slices;
    fg_w2_sliced_defaults(&settings);
    settings.directions = s->directions;
    settings.seed = s->seed;
    FG_TRY(fg_w2_sliced(c->engine, NULL, &settings, n, m, c->d, x, NULL, y, NULL, &stop, NULL, &slices, st));
    *squared = slices.squared;
    return FG_OK;
  } else if (by == FG_W2_MAX_SLICED) {
    fg_w2_max_sliced_settings settings;
    fg_w2_steepest steepest;
    fg_w2_max_sliced_defaults(&settings);
    settings.directions = s->directions;
    settings.seed = s->seed;
    FG_TRY(fg_w2_max_sliced(c->engine, NULL, &settings, n, m, c->d, x, NULL, y, NULL, &stop, NULL, &steepest,
                            st));
    *squared = steepest.squared;
    return FG_OK;
  } else {
    FG_TRY(fg_w2_exact(c->engine, NULL, n, m, c->d, x, NULL, y, NULL, &stop, &result, st));
  }
  *squared = result.squared;
  return FG_OK;
}

static fg_code fg_budget_evaluate(const fg_budget_work *w, size_t task, fg_status *st)
{
  size_t d = w->c->d, block = task % FG_BUDGET_BLOCKS, h = w->half;
  fg_budget_pair pair = w->pair[task / FG_BUDGET_BLOCKS];
  const double *x, *y;
  double *room = malloc(2 * h * d * sizeof *room);
  if (!room) return FG_FAIL(st, FG_MEMORY, "no memory for %zu particles", 2 * h);
  size_t n = fg_budget_rows(&w->law[pair.a], 2 * block * h, h, d, room, &x);
  size_t m = fg_budget_rows(&w->law[pair.b], (2 * block + 1) * h, h, d, room + h * d, &y);
  fg_code rc = FG_OK;
  w->squared[task] = NAN; /* nothing inside */
  if (n > 0 && m > 0) rc = fg_budget_measure(w->c, n, m, x, y, &w->squared[task], st);
  free(room);
  return rc;
}

static void fg_budget_task(void *argument, size_t task, int worker)
{
  fg_budget_work *w = argument;
  fg_status st;
  (void)worker;
  fg_status_clear(&st);
  fg_code rc = fg_progress_cancelled(w->c->progress)
                   ? FG_FAIL(&st, FG_INTERRUPTED, "interrupted in the error budget")
                   : fg_budget_evaluate(w, task, &st);
  pthread_mutex_lock(&w->lock);
  if (rc != FG_OK && task < w->failed) {
    w->failed = task;
    w->st = st;
    w->st.code = rc;
  }
  fg_progress_report(w->c->progress, "budget", (double)++w->done, (double)w->tasks);
  pthread_mutex_unlock(&w->lock);
}

fg_code fg_budget_distances(fg_comparison *c, const fg_budget_law *law, size_t pairs,
                            const fg_budget_pair *pair, double *squared, fg_status *st)
{
  fg_budget_work w = {.c = c, .law = law, .pair = pair, .squared = squared};
  w.half = c->budget->particles / (2 * FG_BUDGET_BLOCKS);
  w.tasks = w.failed = pairs * FG_BUDGET_BLOCKS;
  pthread_mutex_init(&w.lock, NULL);
  fg_threads_run(fg_engine_threads(c->engine), w.tasks, fg_budget_task, &w);
  pthread_mutex_destroy(&w.lock);
  if (w.failed == w.tasks) return FG_OK;
  if (st) *st = w.st;
  return w.st.code;
}

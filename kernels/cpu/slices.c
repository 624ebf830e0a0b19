/* Two samples along lines on the CPU: a task is a direction. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu_impl.h"
#include "cpu/sort.h"
#include "formula/sum.h"
#include "requests.h"

/* Buffers of one worker. */
typedef struct fg_slicer {
  fg_mark *x, *y, *spare; /* [longer of n and m] each */
  uint32_t *count;        /* of the sort */
} fg_slicer;

/* ---- the cost along one direction ---------------------------------------------------- */

/* Walks the monotone plan; both sides hold `total`, so both end in the same step. */
typedef struct fg_walk {
  const fg_slices_request *r;
  const fg_mark *x, *y;
  const int64_t *mass_x, *mass_y; /* of rows; NULL where marks carry masses */
  size_t i, j;
  int64_t left_x, left_y;
} fg_walk;

static int64_t fg_mark_mass(const fg_mark *mark, const int64_t *mass)
{
  return mass ? mass[mark->load] : (int64_t)mark->load;
}

static fg_walk fg_walk_begin(const fg_slices_request *r, const fg_slicer *own, bool rows)
{
  fg_walk walk = {r, own->x, own->y, rows ? r->mass_x.device : NULL, rows ? r->mass_y.device : NULL, 0,
                  0, 0,      0};
  walk.left_x = fg_mark_mass(walk.x, walk.mass_x);
  walk.left_y = fg_mark_mass(walk.y, walk.mass_y);
  return walk;
}

static bool fg_walk_on(const fg_walk *walk)
{
  return walk->i < walk->r->n && walk->j < walk->r->m;
}

static double fg_walk_gap(const fg_walk *walk)
{
  return fg_place_of(walk->x[walk->i].key) - fg_place_of(walk->y[walk->j].key);
}

/* The share that goes from mark i to mark j, and on to the next two. */
static double fg_walk_step(fg_walk *walk)
{
  int64_t amount = walk->left_x < walk->left_y ? walk->left_x : walk->left_y;
  walk->left_x -= amount;
  walk->left_y -= amount;
  if (walk->left_x == 0 && ++walk->i < walk->r->n)
    walk->left_x = fg_mark_mass(&walk->x[walk->i], walk->mass_x);
  if (walk->left_y == 0 && ++walk->j < walk->r->m)
    walk->left_y = fg_mark_mass(&walk->y[walk->j], walk->mass_y);
  return (double)amount / (double)walk->r->total;
}

/* Marks with rows, or with masses: these need no look-up out of order afterwards. */
static double fg_marks_cost(const fg_slices_request *r, fg_slicer *own, const double *direction, bool rows)
{
  fg_marks_sort(r->n, r->d, r->x.device, rows ? NULL : r->mass_x.device, direction, own->count, &own->x,
                &own->spare);
  fg_marks_sort(r->m, r->d, r->y.device, rows ? NULL : r->mass_y.device, direction, own->count, &own->y,
                &own->spare);
  fg_sum cost = {0, 0};
  for (fg_walk walk = fg_walk_begin(r, own, rows); fg_walk_on(&walk);) {
    double part = 0;
    for (int term = 0; term < FG_SLICE_TERMS && fg_walk_on(&walk); term++) {
      double gap = fg_walk_gap(&walk);
      part += fg_walk_step(&walk) * gap * gap;
    }
    fg_sum_add(&cost, part);
  }
  return fg_sum_value(&cost);
}

/* sum over the monotone plan of (x_i - y_j) (x_i - y_j).direction, from marks with rows. */
static void fg_slice_gradient(const fg_slices_request *r, const fg_slicer *own, double *gradient)
{
  const size_t d = r->d;
  const double *x = r->x.device, *y = r->y.device;
  memset(gradient, 0, d * sizeof *gradient);
  for (fg_walk walk = fg_walk_begin(r, own, true); fg_walk_on(&walk);) {
    const double *from = x + own->x[walk.i].load * d, *to = y + own->y[walk.j].load * d;
    double push = fg_walk_gap(&walk);
    push *= fg_walk_step(&walk);
    for (size_t k = 0; k < d; k++) gradient[k] += push * (from[k] - to[k]);
  }
}

/* Sorted keys, and equal masses on each side: entry i of x covers i m .. (i + 1) m of n m parts, entry j of y
 * j n .. (j + 1) n. */
static double fg_keys_cost(size_t n, const uint64_t *x, size_t m, const uint64_t *y)
{
  fg_sum cost = {0, 0};
  if (n == m) {
    for (size_t at = 0; at < n; at += FG_SLICE_TERMS) {
      const size_t end = at + FG_SLICE_TERMS < n ? at + FG_SLICE_TERMS : n;
      double part = 0;
      for (size_t i = at; i < end; i++) {
        double gap = fg_place_of(x[i]) - fg_place_of(y[i]);
        part += gap * gap;
      }
      fg_sum_add(&cost, part);
    }
    return fg_sum_value(&cost) / (double)n;
  }
  size_t left_x = m, left_y = n;
  for (size_t i = 0, j = 0; i < n;) {
    double part = 0;
    for (int term = 0; term < FG_SLICE_TERMS && i < n; term++) {
      size_t amount = left_x < left_y ? left_x : left_y;
      double gap = fg_place_of(x[i]) - fg_place_of(y[j]);
      part += (double)amount * gap * gap;
      left_x -= amount;
      left_y -= amount;
      if (left_x == 0) left_x = m, i++;
      if (left_y == 0) left_y = n, j++;
    }
    fg_sum_add(&cost, part);
  }
  return fg_sum_value(&cost) / ((double)n * (double)m);
}

/* Where masses are alike the keys alone are sorted, which is half the memory to move. */
static double fg_slice_cost(const fg_slices_request *r, fg_slicer *own, const double *direction)
{
  if (!r->alike) return fg_marks_cost(r, own, direction, false);
  uint64_t *sorted[2] = {NULL, NULL};
  fg_mark *place[2] = {own->x, own->y};
  for (int s = 0; s < 2; s++) {
    const size_t n = s ? r->m : r->n, d = r->d;
    const double *from = s ? r->y.device : r->x.device;
    uint64_t *key = (uint64_t *)place[s]; /* room for two arrays of keys */
    for (size_t i = 0; i < n; i++) key[i] = fg_key_of(fg_project(from + i * d, d, direction));
    sorted[s] = fg_entries_sort(1, false, n, key, key + n, own->count);
  }
  return fg_keys_cost(r->n, sorted[0], r->m, sorted[1]);
}

/* ---- all directions ------------------------------------------------------------------ */

typedef struct fg_slices_job {
  fg_slices_request request; /* addresses that kernels work with */
  char *scratch;
  size_t each;
  pthread_mutex_t lock; /* guards done and the report */
  size_t done;
} fg_slices_job;

static size_t fg_slices_longer(const fg_slices_request *r)
{
  return r->cost.device && r->m > r->n ? r->m : r->n;
}

static size_t fg_slices_scratch(const fg_slices_request *r)
{
  const size_t bytes = 3 * fg_slices_longer(r) * sizeof(fg_mark) + FG_SORT_COUNTS * sizeof(uint32_t);
  return (bytes + 63) / 64 * 64;
}

static void fg_slice_direction(const fg_slices_request *r, fg_slicer *own, size_t number)
{
  const double *direction = (const double *)r->direction.device + number * r->d;
  double *cost = r->cost.device, *gradient = r->gradient.device;
  uint32_t *order = r->order.device;
  if (!cost)
    fg_marks_sort(r->n, r->d, r->x.device, NULL, direction, own->count, &own->x, &own->spare);
  else if (gradient || order)
    cost[number] = fg_marks_cost(r, own, direction, true);
  else
    cost[number] = fg_slice_cost(r, own, direction);
  if (gradient && (!r->least || cost[number] > r->least[number]))
    fg_slice_gradient(r, own, gradient + number * r->d);
  for (size_t i = 0; order && i < r->n; i++) order[number * r->n + i] = (uint32_t)own->x[i].load;
}

static void fg_slices_task(void *argument, size_t task, int worker)
{
  fg_slices_job *job = argument;
  const fg_slices_request *r = &job->request;
  const size_t longer = fg_slices_longer(r);
  if (fg_progress_cancelled(r->progress)) return;
  fg_slicer own = {.x = (fg_mark *)(void *)(job->scratch + (size_t)worker * job->each)};
  own.y = own.x + longer;
  own.spare = own.y + longer;
  own.count = (uint32_t *)(own.spare + longer);
  fg_slice_direction(r, &own, task);
  pthread_mutex_lock(&job->lock);
  fg_progress_report(r->progress, "slices", (double)++job->done, (double)r->directions);
  pthread_mutex_unlock(&job->lock);
}

static fg_code fg_slices_run(fg_threads *threads, fg_slices_job *job, fg_status *st)
{
  pthread_mutex_init(&job->lock, NULL);
  fg_threads_run(threads, job->request.directions, fg_slices_task, job);
  pthread_mutex_destroy(&job->lock);
  if (!fg_progress_cancelled(job->request.progress)) return FG_OK;
  return FG_FAIL(st, FG_INTERRUPTED, "the sorts along lines were stopped");
}

static fg_code fg_slices_begin(const fg_slices_request *r, fg_slices_job *job, fg_status *st)
{
  FG_TRY(fg_slices_check(r->n, r->cost.device ? r->m : 1, r->d, r->directions, st));
  memset(job, 0, sizeof *job);
  job->request = *r;
  job->each = fg_slices_scratch(r);
  return FG_OK;
}

fg_code fg_cpu_slices(fg_engine *e, fg_threads *threads, const fg_slices_request *request, fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_slices_job job;
  fg_scratch scratch;
  FG_TRY(fg_slices_begin(request, &job, st));
  fg_slices_request *r = &job.request;
  fg_buf *bufs[] = {&r->x, &r->y, &r->mass_x, &r->mass_y, &r->direction, &r->cost, &r->gradient, &r->order};
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) fg_cpu_resolve(cpu, bufs[i]);
  FG_TRY(fg_scratch_take(cpu, job.each * (size_t)fg_threads_count(threads), &scratch, st));
  job.scratch = scratch.memory;
  fg_code rc = fg_slices_run(threads, &job, st);
  fg_scratch_give(cpu, &scratch);
  return rc;
}

fg_code fg_slices_on_host(fg_threads *threads, const fg_slices_request *request, fg_status *st)
{
  fg_slices_job job;
  FG_TRY(fg_slices_begin(request, &job, st));
  job.scratch = malloc(job.each * (size_t)fg_threads_count(threads));
  if (!job.scratch)
    return FG_FAIL(st, FG_MEMORY,
                   "no memory to sort %zu + %zu projections on %d threads: give fewer rows or threads",
                   request->n, request->m, fg_threads_count(threads));
  fg_code rc = fg_slices_run(threads, &job, st);
  free(job.scratch);
  return rc;
}

/* The same rows dealt to two samples in many ways, along lines: a task is a direction. Rows are sorted once for all the ways;
 * a way then splits the sorted places in one pass, which leaves both samples sorted. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu_impl.h"
#include "cpu/sort.h"
#include "formula/sum.h"
#include "requests.h"

/* Buffers of one worker, [rows] each. */
typedef struct fg_splitter {
  fg_mark *mark, *spare;
  uint32_t *count;
  uint64_t *side; /* of the sorted rows */
  double *place, *mass;
  double *to[2], *mass_to[2];
} fg_splitter;

/* ---- one way along one direction ------------------------------------------------------ */

/* Rows of way k to both samples, in order; returns how many the first has. */
static size_t fg_split_places(const fg_splitter *own, size_t rows, size_t k, int weighted)
{
  double *a = own->to[0], *b = own->to[1];
  size_t at[2] = {0, 0};
  if (!weighted) { /* without a branch: both are written, one moves on */
    for (size_t i = 0; i < rows; i++) {
      const size_t second = own->side[i] >> k & 1;
      a[at[0]] = b[at[1]] = own->place[i];
      at[0] += 1 - second;
      at[1] += second;
    }
    return at[0];
  }
  for (size_t i = 0; i < rows; i++) {
    const size_t s = own->side[i] >> k & 1;
    own->to[s][at[s]] = own->place[i];
    own->mass_to[s][at[s]++] = own->mass[i];
  }
  return at[0];
}

static double fg_even_cost(const double *a, const double *b, size_t n)
{
  fg_sum cost = {0, 0};
  for (size_t at = 0; at < n; at += FG_SLICE_TERMS) {
    const size_t end = at + FG_SLICE_TERMS < n ? at + FG_SLICE_TERMS : n;
    double part = 0;
    for (size_t i = at; i < end; i++) part += (a[i] - b[i]) * (a[i] - b[i]);
    fg_sum_add(&cost, part);
  }
  return fg_sum_value(&cost) / (double)n;
}

/* n rows of a of mass m each, m rows of b of mass n each. */
static double fg_uneven_cost(const double *a, size_t n, const double *b, size_t m)
{
  fg_sum cost = {0, 0};
  size_t left_a = m, left_b = n;
  for (size_t i = 0, j = 0; i < n;) {
    double part = 0;
    for (int term = 0; term < FG_SLICE_TERMS && i < n; term++) {
      const size_t amount = left_a < left_b ? left_a : left_b;
      part += (double)amount * (a[i] - b[j]) * (a[i] - b[j]);
      left_a -= amount;
      left_b -= amount;
      if (left_a == 0) left_a = m, i++;
      if (left_b == 0) left_b = n, j++;
    }
    fg_sum_add(&cost, part);
  }
  return fg_sum_value(&cost) / ((double)n * (double)m);
}

/* Masses as doubles, brought to sum to 1: both walks end together but for rounding, which is left out. */
static double fg_weighted_cost(const fg_splitter *own, size_t n, size_t m)
{
  const size_t count[2] = {n, m};
  fg_sum cost = {0, 0}, total[2] = {{0, 0}, {0, 0}};
  size_t at[2] = {0, 0};
  double unit[2], left[2];
  for (int s = 0; s < 2; s++) {
    for (size_t i = 0; i < count[s]; i++) fg_sum_add(&total[s], own->mass_to[s][i]);
    unit[s] = 1 / fg_sum_value(&total[s]);
    left[s] = own->mass_to[s][0] * unit[s];
  }
  while (at[0] < n && at[1] < m) {
    const double gap = own->to[0][at[0]] - own->to[1][at[1]];
    const double amount = fmin(left[0], left[1]);
    fg_sum_add(&cost, amount * gap * gap);
    for (int s = 0; s < 2; s++) {
      left[s] -= amount;
      if (left[s] <= 0 && ++at[s] < count[s]) left[s] = own->mass_to[s][at[s]] * unit[s];
    }
  }
  return fg_sum_value(&cost);
}

/* ---- all directions ------------------------------------------------------------------ */

typedef struct fg_ways_job {
  fg_slice_ways_request request; /* addresses that kernels work with */
  char *scratch;
  size_t each;
} fg_ways_job;

static size_t fg_splitter_bytes(size_t n)
{
  const size_t marks = 2 * n * sizeof(fg_mark), doubles = (6 * n + 2) * sizeof(double);
  const size_t bytes = marks + doubles + n * sizeof(uint64_t) + FG_SORT_COUNTS * sizeof(uint32_t);
  return (bytes + 63) / 64 * 64;
}

/* A pass without branches writes one place past the end of each part. */
static fg_splitter fg_splitter_in(void *memory, size_t n)
{
  fg_splitter own;
  own.mark = memory;
  own.spare = own.mark + n;
  own.place = (double *)(own.spare + n);
  own.to[0] = own.place + n;
  own.to[1] = own.to[0] + n + 1;
  own.mass = own.to[1] + n + 1;
  own.mass_to[0] = own.mass + n;
  own.mass_to[1] = own.mass_to[0] + n;
  own.side = (uint64_t *)(own.mass_to[1] + n);
  own.count = (uint32_t *)(own.side + n);
  return own;
}

static void fg_ways_task(void *argument, size_t number, int worker)
{
  const fg_ways_job *job = argument;
  const fg_slice_ways_request *r = &job->request;
  const uint64_t *side = r->side.device;
  const double *weight = r->weight.device;
  double *cost = (double *)r->cost.device + number * r->ways;
  if (fg_progress_cancelled(r->progress)) return;
  fg_splitter own = fg_splitter_in(job->scratch + (size_t)worker * job->each, r->n);
  fg_marks_sort(r->n, r->d, r->x.device, NULL, (const double *)r->direction.device + number * r->d, own.count,
                &own.mark, &own.spare);
  for (size_t i = 0; i < r->n; i++) {
    own.place[i] = fg_place_of(own.mark[i].key);
    own.side[i] = side[own.mark[i].load];
    if (weight) own.mass[i] = weight[own.mark[i].load];
  }
  for (size_t k = 0; k < r->ways; k++) {
    const size_t n = fg_split_places(&own, r->n, k, weight != NULL), m = r->n - n;
    cost[k] = weight   ? fg_weighted_cost(&own, n, m)
              : n == m ? fg_even_cost(own.to[0], own.to[1], n)
                       : fg_uneven_cost(own.to[0], n, own.to[1], m);
  }
}

static fg_code fg_ways_run(fg_threads *threads, fg_ways_job *job, fg_status *st)
{
  fg_threads_run(threads, job->request.directions, fg_ways_task, job);
  if (!fg_progress_cancelled(job->request.progress)) return FG_OK;
  return FG_FAIL(st, FG_INTERRUPTED, "the sorts along lines were stopped");
}

static fg_code fg_ways_begin(const fg_slice_ways_request *r, fg_ways_job *job, fg_status *st)
{
  FG_TRY(fg_slice_ways_check(r, st));
  memset(job, 0, sizeof *job);
  job->request = *r;
  job->each = fg_splitter_bytes(r->n);
  return FG_OK;
}

fg_code fg_cpu_slice_ways(fg_engine *e, fg_threads *threads, const fg_slice_ways_request *request,
                          fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_ways_job job;
  fg_scratch scratch;
  FG_TRY(fg_ways_begin(request, &job, st));
  fg_slice_ways_request *r = &job.request;
  fg_buf *bufs[] = {&r->x, &r->weight, &r->direction, &r->side, &r->cost};
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) fg_cpu_resolve(cpu, bufs[i]);
  FG_TRY(fg_scratch_take(cpu, job.each * (size_t)fg_threads_count(threads), &scratch, st));
  job.scratch = scratch.memory;
  fg_code rc = fg_ways_run(threads, &job, st);
  fg_scratch_give(cpu, &scratch);
  return rc;
}

fg_code fg_slice_ways_on_host(fg_threads *threads, const fg_slice_ways_request *request, fg_status *st)
{
  fg_ways_job job;
  FG_TRY(fg_ways_begin(request, &job, st));
  job.scratch = malloc(job.each * (size_t)fg_threads_count(threads));
  if (!job.scratch)
    return FG_FAIL(st, FG_MEMORY, "no memory to deal %zu rows on %d threads: give fewer rows or threads",
                   request->n, fg_threads_count(threads));
  fg_code rc = fg_ways_run(threads, &job, st);
  free(job.scratch);
  return rc;
}

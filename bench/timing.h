/* Medians with quartiles of repeated work, and the memory of the program. */
#ifndef FG_BENCH_TIMING_H
#define FG_BENCH_TIMING_H

#include <stdlib.h>
#include <sys/resource.h>

#include "peak.h"

enum { BENCH_REPETITIONS = 200 };

typedef struct bench_timing {
  double median, low, high, processor; /* seconds */
} bench_timing;

typedef struct bench_times {
  int count;
  double wall[BENCH_REPETITIONS], used[BENCH_REPETITIONS], wall_from, used_from;
} bench_times;

static inline void bench_start(bench_times *t)
{
  t->wall_from = bench_clock(CLOCK_MONOTONIC);
  t->used_from = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static inline void bench_stop(bench_times *t)
{
  t->wall[t->count] = bench_clock(CLOCK_MONOTONIC) - t->wall_from;
  t->used[t->count++] = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - t->used_from;
}

static inline int bench_ascending(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static inline bench_timing bench_summary(bench_times *t)
{
  const int n = t->count;
  qsort(t->wall, (size_t)n, sizeof *t->wall, bench_ascending);
  qsort(t->used, (size_t)n, sizeof *t->used, bench_ascending);
  return (bench_timing){t->wall[n / 2], t->wall[n / 4], t->wall[(3 * n) / 4], t->used[n / 2]};
}

/* Largest so far, MiB. */
static inline double bench_resident(void)
{
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)usage.ru_maxrss / 1024;
}

#endif

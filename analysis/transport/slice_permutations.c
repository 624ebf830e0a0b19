/* Sliced W2^2 of many ways to deal the same rows to two samples. Rows are sorted once per direction for all the ways of a
 * group; a way then splits the sorted places in one pass, which leaves both samples sorted. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"
#include "analysis/transport/kernel_distance.h"
#include "analysis/transport/slices.h"

enum {
  FG_GROUP = 64, /* ways of one pass: bits of a word */
  FG_TERMS = 256 /* of a plain sum, before it enters the compensated one */
};

/* Buffers of one worker, [rows] each. */
typedef struct fg_splitter {
  uint64_t *side; /* of the sorted rows: bit k is set where way k deals the row to the second sample */
  double *place, *mass;
  double *to[2], *mass_to[2];
} fg_splitter;

typedef struct fg_splitting {
  const fg_w2_sliced_settings *settings;
  fg_pair pair; /* x: all rows */
  size_t rows, first, count;
  const double *weight; /* NULL: equal */
  uint64_t *side;       /* [rows] */
  unsigned char *label; /* [rows] */
  double *squared;      /* [directions, FG_GROUP], in the pair's units */
  fg_slicer *slicers;
  fg_splitter *splitters;
  int workers;
  const fg_progress *progress;
} fg_splitting;

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
  for (size_t at = 0; at < n; at += FG_TERMS) {
    const size_t end = at + FG_TERMS < n ? at + FG_TERMS : n;
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
    for (int term = 0; term < FG_TERMS && i < n; term++) {
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

static void fg_split_task(void *argument, size_t number, int worker)
{
  const fg_splitting *s = argument;
  fg_slicer *slicer = &s->slicers[worker];
  const fg_splitter *own = &s->splitters[worker];
  const size_t d = s->pair.d;
  if (fg_progress_cancelled(s->progress)) return;
  if (s->settings->given)
    memcpy(slicer->direction, s->settings->given + number * d, d * sizeof *slicer->direction);
  else
    fg_direction(s->settings->seed, number, d, slicer->direction);
  const fg_mark *mark = fg_slice_order(&s->pair, slicer, slicer->direction);
  for (size_t i = 0; i < s->rows; i++) {
    own->place[i] = fg_place_of(mark[i].key);
    own->side[i] = s->side[mark[i].load];
    if (s->weight) own->mass[i] = s->weight[mark[i].load];
  }
  for (size_t k = 0; k < s->count; k++) {
    const size_t n = fg_split_places(own, s->rows, k, s->weight != NULL), m = s->rows - n;
    s->squared[number * FG_GROUP + k] = s->weight ? fg_weighted_cost(own, n, m)
                                        : n == m  ? fg_even_cost(own->to[0], own->to[1], n)
                                                  : fg_uneven_cost(own->to[0], n, own->to[1], m);
  }
}

/* ---- all of them ---------------------------------------------------------------------- */

static fg_code fg_splitting_allocate(fg_splitting *s, fg_threads *threads, fg_status *st)
{
  const size_t rows = s->rows;
  s->workers = fg_threads_count(threads);
  s->side = malloc(rows * sizeof *s->side);
  s->label = malloc(rows);
  s->squared = malloc(s->settings->directions * FG_GROUP * sizeof *s->squared);
  s->splitters = calloc((size_t)s->workers, sizeof *s->splitters);
  int lacks = !s->side || !s->label || !s->squared || !s->splitters;
  for (int w = 0; !lacks && w < s->workers; w++) {
    fg_splitter *own = &s->splitters[w];
    own->side = malloc(rows * sizeof *own->side);
    /* a pass without branches writes one place past the end of each part */
    double *all = malloc((6 * rows + 2) * sizeof *all);
    own->place = all;
    lacks = !own->side || !all;
    if (!all) continue;
    own->to[0] = all + rows;
    own->to[1] = own->to[0] + rows + 1;
    own->mass = own->to[1] + rows + 1;
    own->mass_to[0] = own->mass + rows;
    own->mass_to[1] = own->mass_to[0] + rows;
  }
  if (lacks)
    return FG_FAIL(st, FG_MEMORY, "no memory to deal %zu rows on %d threads: give fewer rows or threads",
                   rows, s->workers);
  return fg_slicers_create(&s->pair, s->workers, &s->slicers, st);
}

static void fg_splitting_clear(fg_splitting *s)
{
  for (int w = 0; s->splitters && w < s->workers; w++) {
    free(s->splitters[w].side);
    free(s->splitters[w].place);
  }
  free(s->splitters);
  free(s->side);
  free(s->label);
  free(s->squared);
  fg_slicers_destroy(s->workers, &s->slicers);
  fg_pair_clear(&s->pair);
}

static fg_code fg_splitting_deal(fg_splitting *s, fg_deal *deal, void *user, fg_status *st)
{
  memset(s->side, 0, s->rows * sizeof *s->side);
  for (size_t k = 0; k < s->count; k++) {
    size_t second = 0;
    deal(user, s->first + k, s->label);
    for (size_t i = 0; i < s->rows; i++) {
      const uint64_t bit = s->label[i] == 'b';
      s->side[i] |= bit << k;
      second += bit;
    }
    if (second == 0 || second == s->rows)
      return FG_FAIL(st, FG_USAGE,
                     "a sliced distance between %zu and %zu rows: it needs at least one of each",
                     s->rows - second, second);
  }
  return FG_OK;
}

fg_code fg_sliced_permutations(fg_threads *threads, const fg_w2_sliced_settings *settings, size_t rows,
                               size_t d, const double *z, const double *weight, size_t count, fg_deal *deal,
                               void *user, const fg_progress *progress, double *squared, fg_status *st)
{
  const size_t directions = settings->directions;
  fg_splitting s = {.settings = settings, .rows = rows, .weight = weight, .progress = progress};
  fg_code rc = FG_OK;
  if (rows < 2) return FG_FAIL(st, FG_USAGE, "%zu rows to deal to two samples: give at least 2", rows);
  FG_TRY(fg_pair_create(rows, 1, d, z, NULL, z, NULL, &s.pair, st));
  fg_pair_move(&s.pair);
  FG_GO(fg_splitting_allocate(&s, threads, st), done);
  for (s.first = 0; s.first < count; s.first += s.count) {
    s.count = count - s.first < FG_GROUP ? count - s.first : FG_GROUP;
    FG_GO(fg_splitting_deal(&s, deal, user, st), done);
    fg_threads_run(threads, directions, fg_split_task, &s);
    if (fg_progress_cancelled(progress)) {
      rc = FG_FAIL(st, FG_INTERRUPTED, "sliced W2 was interrupted after %zu of %zu permutations", s.first,
                   count);
      goto done;
    }
    for (size_t k = 0; k < s.count; k++) {
      fg_sum sum = {0, 0};
      for (size_t i = 0; i < directions; i++) fg_sum_add(&sum, s.squared[i * FG_GROUP + k]);
      squared[s.first + k] = ldexp(fg_sum_value(&sum) / (double)directions, 2 * s.pair.exponent);
    }
    fg_progress_report(progress, "permutations", (double)(s.first + s.count), (double)count);
  }
done:
  fg_splitting_clear(&s);
  return rc;
}

/* Sliced W2: the mean, over directions of the unit sphere, of the exact W2^2 between the projections of two weighted
 * samples. A projection costs a sort, so all rows enter whatever the dimension. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"
#include "analysis/transport/transport.h"

enum { FG_DIGIT_BITS = 8, FG_DIGITS = 8, FG_BUCKETS = 1 << FG_DIGIT_BITS };

/* A projected row: its place as a whole number that sorts like the double. */
typedef struct fg_mark {
  uint64_t key;
  int64_t mass;
} fg_mark;

typedef struct fg_slicer {
  double *direction;             /* [d] */
  fg_mark *x, *y, *spare;        /* [longer of n and m] each */
  uint32_t (*count)[FG_BUCKETS]; /* [FG_DIGITS] */
} fg_slicer;

typedef struct fg_slicing {
  const fg_w2_sliced_settings *settings;
  fg_pair pair;
  double *squared; /* [directions], in the pair's units */
  fg_slicer *slicers;
  int slicer_count;
  const fg_progress *progress;
  pthread_mutex_t lock; /* guards done and the report */
  size_t done;
} fg_slicing;

void fg_w2_sliced_defaults(fg_w2_sliced_settings *settings)
{
  memset(settings, 0, sizeof *settings);
  settings->directions = 100;
  settings->seed = 1;
}

/* ---- one direction ------------------------------------------------------------------- */

/* Among doubles of one sign the bits order the sizes; the sign bit is turned round, and with it all others of the
 * negative ones. */
static uint64_t fg_key_of(double value)
{
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits ^ (bits >> 63 ? UINT64_MAX : (uint64_t)1 << 63);
}

static double fg_value_of(uint64_t key)
{
  double value;
  uint64_t bits = key ^ (key >> 63 ? (uint64_t)1 << 63 : UINT64_MAX);
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void fg_project(size_t n, size_t d, const double *x, const int64_t *mass, const double *direction,
                       fg_mark *mark)
{
  for (size_t i = 0; i < n; i++) {
    double place = 0;
    for (size_t k = 0; k < d; k++) place += x[i * d + k] * direction[k];
    mark[i].key = fg_key_of(place);
    mark[i].mass = mass[i];
  }
}

/* Radix sort, lowest digit first; afterwards *mark is sorted and *spare is free (they may have changed places). */
static void fg_marks_sort(size_t n, fg_mark **mark, fg_mark **spare, uint32_t count[FG_DIGITS][FG_BUCKETS])
{
  const uint64_t mask = FG_BUCKETS - 1;
  memset(count, 0, FG_DIGITS * sizeof *count);
  for (size_t i = 0; i < n; i++)
    for (int digit = 0; digit < FG_DIGITS; digit++)
      count[digit][(*mark)[i].key >> (digit * FG_DIGIT_BITS) & mask]++;
  for (int digit = 0; digit < FG_DIGITS; digit++) {
    int shift = digit * FG_DIGIT_BITS;
    const fg_mark *from = *mark;
    fg_mark *to = *spare;
    uint32_t *at = count[digit], next = 0;
    if (at[from[0].key >> shift & mask] == n) continue;
    for (int bucket = 0; bucket < FG_BUCKETS; bucket++) {
      uint32_t held = at[bucket];
      at[bucket] = next;
      next += held;
    }
    for (size_t i = 0; i < n; i++) to[at[from[i].key >> shift & mask]++] = from[i];
    *spare = *mark;
    *mark = to;
  }
}

/* The monotone plan between sorted marks. Both sides hold `total`, so both end in the same step. */
static double fg_line_cost(size_t n, const fg_mark *x, size_t m, const fg_mark *y, int64_t total)
{
  fg_sum cost = {0, 0};
  int64_t left_x = x[0].mass, left_y = y[0].mass;
  for (size_t i = 0, j = 0; i < n && j < m;) {
    int64_t amount = left_x < left_y ? left_x : left_y;
    double gap = fg_value_of(x[i].key) - fg_value_of(y[j].key);
    fg_sum_add(&cost, (double)amount / (double)total * gap * gap);
    left_x -= amount;
    left_y -= amount;
    if (left_x == 0 && ++i < n) left_x = x[i].mass;
    if (left_y == 0 && ++j < m) left_y = y[j].mass;
  }
  return fg_sum_value(&cost);
}

static void fg_slice_direction(const fg_slicing *s, size_t number, double *direction)
{
  size_t d = s->pair.d;
  if (s->settings->given)
    memcpy(direction, s->settings->given + number * d, d * sizeof *direction);
  else
    fg_direction(s->settings->seed, number, d, direction);
}

static void fg_slice_task(void *argument, size_t task, int worker)
{
  fg_slicing *s = argument;
  fg_slicer *own = &s->slicers[worker];
  const fg_pair *pair = &s->pair;
  if (fg_progress_cancelled(s->progress)) return;
  fg_slice_direction(s, task, own->direction);
  fg_project(pair->n, pair->d, pair->x, pair->mass_x, own->direction, own->x);
  fg_project(pair->m, pair->d, pair->y, pair->mass_y, own->direction, own->y);
  fg_marks_sort(pair->n, &own->x, &own->spare, own->count);
  fg_marks_sort(pair->m, &own->y, &own->spare, own->count);
  s->squared[task] = fg_line_cost(pair->n, own->x, pair->m, own->y, pair->total);
  pthread_mutex_lock(&s->lock);
  fg_progress_report(s->progress, "sliced", (double)++s->done, (double)s->settings->directions);
  pthread_mutex_unlock(&s->lock);
}

/* ---- all directions ------------------------------------------------------------------ */

static fg_code fg_slicing_check(const fg_w2_sliced_settings *s, size_t d, fg_status *st)
{
  if (s->directions < 1 || s->directions > UINT32_MAX)
    return FG_FAIL(st, FG_USAGE, "sliced W2 over %zu directions: give 1 to 2^32 - 1", s->directions);
  for (size_t k = 0; s->given && k < s->directions * d; k++)
    if (!isfinite(s->given[k]))
      return FG_FAIL(st, FG_NUMERICS, "coordinate %zu of direction %zu is %g: it must be finite", k % d,
                     k / d, s->given[k]);
  return FG_OK;
}

static fg_code fg_slicing_allocate(fg_slicing *s, fg_threads *threads, fg_status *st)
{
  size_t n = s->pair.n, m = s->pair.m, longer = n > m ? n : m;
  int count = fg_threads_count(threads);
  s->squared = calloc(s->settings->directions, sizeof *s->squared);
  s->slicers = calloc((size_t)count, sizeof *s->slicers);
  if (!s->squared || !s->slicers)
    return FG_FAIL(st, FG_MEMORY, "no memory for %zu directions", s->settings->directions);
  for (; s->slicer_count < count; s->slicer_count++) {
    fg_slicer *own = &s->slicers[s->slicer_count];
    own->direction = malloc(s->pair.d * sizeof *own->direction);
    own->x = malloc(longer * sizeof *own->x);
    own->y = malloc(longer * sizeof *own->y);
    own->spare = malloc(longer * sizeof *own->spare);
    own->count = malloc(FG_DIGITS * sizeof *own->count);
    if (own->direction && own->x && own->y && own->spare && own->count) continue;
    s->slicer_count++; /* what it has is freed with the others */
    return FG_FAIL(st, FG_MEMORY, "no memory to sort %zu + %zu projections on %d threads", n, m, count);
  }
  return FG_OK;
}

static void fg_slicing_clear(fg_slicing *s)
{
  for (int w = 0; w < s->slicer_count; w++) {
    free(s->slicers[w].direction);
    free(s->slicers[w].x);
    free(s->slicers[w].y);
    free(s->slicers[w].spare);
    free(s->slicers[w].count);
  }
  free(s->slicers);
  free(s->squared);
  fg_pair_clear(&s->pair);
  pthread_mutex_destroy(&s->lock);
}

/* Coordinates relative to the first row of x: projections of points far from 0 would lose the digits that tell them
 * apart. */
static void fg_pair_move(fg_pair *pair, double *origin)
{
  size_t d = pair->d;
  memcpy(origin, pair->x, d * sizeof *origin);
  for (size_t i = 0; i < pair->n * d; i++) pair->x[i] -= origin[i % d];
  for (size_t j = 0; j < pair->m * d; j++) pair->y[j] -= origin[j % d];
}

static fg_code fg_slicing_result(const fg_slicing *s, double *direction, fg_w2_slices *result, fg_status *st)
{
  size_t directions = s->settings->directions, at = 0;
  double variance = fg_variance(directions, s->squared), mean = fg_mean(directions, s->squared);
  fg_w2 all, most;
  for (size_t k = 1; k < directions; k++)
    if (s->squared[k] > s->squared[at]) at = k;
  FG_TRY(fg_w2_finish(mean, mean, s->pair.exponent, &all, st));
  FG_TRY(fg_w2_finish(s->squared[at], s->squared[at], s->pair.exponent, &most, st));
  result->squared = all.squared;
  result->value = all.value;
  result->standard_error =
      directions > 1 ? ldexp(sqrt(variance / (double)directions), 2 * s->pair.exponent) : NAN;
  result->max_squared = most.squared;
  result->max_value = most.value;
  result->max_direction = at;
  result->directions = directions;
  result->n = s->pair.n;
  result->m = s->pair.m;
  if (direction) fg_slice_direction(s, at, direction);
  return FG_OK;
}

/* In one dimension there is one direction, and nothing to draw. */
static fg_code fg_sliced_line(size_t n, size_t m, const double *x, const double *wx, const double *y,
                              const double *wy, double *direction, fg_w2_slices *result, fg_status *st)
{
  fg_w2 w2;
  FG_TRY(fg_w2_exact(NULL, n, m, 1, x, wx, y, wy, NULL, &w2, st));
  memset(result, 0, sizeof *result);
  result->squared = result->max_squared = w2.squared;
  result->value = result->max_value = w2.value;
  result->directions = 1;
  result->n = w2.n;
  result->m = w2.m;
  result->seconds = w2.seconds;
  if (direction) *direction = 1;
  return FG_OK;
}

fg_code fg_w2_sliced(fg_threads *threads, const fg_w2_sliced_settings *settings, size_t n, size_t m, size_t d,
                     const double *x, const double *wx, const double *y, const double *wy,
                     const fg_progress *progress, double *direction, fg_w2_slices *result, fg_status *st)
{
  double start = fg_seconds();
  fg_slicing s = {.settings = settings, .progress = progress};
  FG_TRY(fg_slicing_check(settings, d, st));
  if (d == 1 && !settings->given) return fg_sliced_line(n, m, x, wx, y, wy, direction, result, st);
  FG_TRY(fg_pair_create(n, m, d, x, wx, y, wy, &s.pair, st));
  pthread_mutex_init(&s.lock, NULL);
  fg_code rc = FG_OK;
  FG_GO(fg_slicing_allocate(&s, threads, st), done);
  fg_pair_move(&s.pair, s.slicers[0].direction);
  fg_threads_run(threads, settings->directions, fg_slice_task, &s);
  if (fg_progress_cancelled(progress)) {
    rc = FG_FAIL(st, FG_INTERRUPTED, "sliced W2 was interrupted after %zu of %zu directions", s.done,
                 settings->directions);
    goto done;
  }
  FG_GO(fg_slicing_result(&s, direction, result, st), done);
  result->seconds = fg_seconds() - start;
done:
  fg_slicing_clear(&s);
  return rc;
}

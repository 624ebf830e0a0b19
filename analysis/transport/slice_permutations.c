/* Sliced W2^2 of many ways to deal the same rows to two samples: groups of them go to the engine's slot `slice_ways`. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"
#include "analysis/transport/kernel_distance.h"
#include "analysis/transport/slices.h"

typedef struct fg_splitting {
  const fg_w2_sliced_settings *settings;
  fg_engine *engine; /* NULL: the host's threads */
  fg_threads *threads;
  fg_pair pair; /* x: all rows */
  size_t rows, first, count;
  const double *weight; /* NULL: equal */
  uint64_t *side;       /* [rows] */
  unsigned char *label; /* [rows] */
  size_t batch;         /* directions of one request */
  double *direction;    /* [batch, d] */
  double *cost;         /* [batch, FG_SLICE_WAYS], in the pair's units */
  fg_sum sum[FG_SLICE_WAYS];
  fg_slice_ways_request request;
} fg_splitting;

/* ---- where it lies -------------------------------------------------------------------- */

static fg_code fg_splitting_upload(fg_splitting *s, double *weight, fg_status *st)
{
  fg_engine *e = s->engine;
  fg_slice_ways_request *r = &s->request;
  const size_t rows = s->rows, d = s->pair.d;
  *r = (fg_slice_ways_request){.n = rows, .d = d};
  FG_TRY(fg_slice_upload(e, rows * d * sizeof *s->pair.x, s->pair.x, &r->x, st));
  if (s->weight) {
    memcpy(weight, s->weight, rows * sizeof *weight);
    FG_TRY(fg_slice_upload(e, rows * sizeof *weight, weight, &r->weight, st));
  }
  FG_TRY(fg_slice_place(e, rows * sizeof *s->side, s->side, &r->side, st));
  FG_TRY(fg_slice_place(e, s->batch * d * sizeof *s->direction, s->direction, &r->direction, st));
  return fg_slice_place(e, s->batch * FG_SLICE_WAYS * sizeof *s->cost, s->cost, &r->cost, st);
}

static fg_code fg_splitting_allocate(fg_splitting *s, fg_status *st)
{
  const size_t rows = s->rows, directions = s->settings->directions;
  if (s->engine && !s->engine->ops->slice_ways) return fg_engine_lacks(s->engine, "sort along lines", st);
  s->batch = directions < FG_SLICES_BATCH ? directions : FG_SLICES_BATCH;
  s->side = malloc(rows * sizeof *s->side);
  s->label = malloc(rows);
  s->direction = malloc(s->batch * s->pair.d * sizeof *s->direction);
  s->cost = malloc(s->batch * FG_SLICE_WAYS * sizeof *s->cost);
  if (!s->side || !s->label || !s->direction || !s->cost)
    return FG_FAIL(st, FG_MEMORY, "no memory to deal %zu rows: give fewer", rows);
  return fg_splitting_upload(s, s->pair.share_x, st); /* its room: the shares are not used */
}

static void fg_splitting_clear(fg_splitting *s)
{
  fg_slice_ways_request *r = &s->request;
  fg_buf *const bufs[] = {&r->x, &r->weight, &r->side, &r->direction, &r->cost, NULL};
  for (size_t k = 0; bufs[k]; k++) fg_slice_free(s->engine, bufs[k]);
  free(s->side);
  free(s->label);
  free(s->direction);
  free(s->cost);
  fg_pair_clear(&s->pair);
}

/* ---- a group of ways ------------------------------------------------------------------ */

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

/* Costs are added up in the order of the directions. */
static fg_code fg_splitting_run(fg_splitting *s, const fg_progress *progress, fg_status *st)
{
  const size_t directions = s->settings->directions, d = s->pair.d;
  fg_slice_ways_request r = s->request;
  r.ways = s->count;
  r.progress = progress;
  memset(s->sum, 0, sizeof s->sum);
  FG_TRY(fg_slice_send(s->engine, r.side, s->side, s->rows * sizeof *s->side, st));
  for (size_t first = 0; first < directions; first += r.directions) {
    r.directions = directions - first < s->batch ? directions - first : s->batch;
    for (size_t k = 0; k < r.directions; k++) {
      double *to = s->direction + k * d;
      if (s->settings->given)
        memcpy(to, s->settings->given + (first + k) * d, d * sizeof *to);
      else
        fg_direction(s->settings->seed, first + k, d, to);
    }
    FG_TRY(fg_slice_send(s->engine, r.direction, s->direction, r.directions * d * sizeof *s->direction, st));
    FG_TRY(s->engine ? s->engine->ops->slice_ways(s->engine, s->threads, &r, st)
                     : fg_slice_ways_on_host(s->threads, &r, st));
    FG_TRY(fg_slice_fetch(s->engine, s->cost, r.cost, r.directions * r.ways * sizeof *s->cost, st));
    for (size_t k = 0; k < r.ways; k++)
      for (size_t i = 0; i < r.directions; i++) fg_sum_add(&s->sum[k], s->cost[i * r.ways + k]);
  }
  return FG_OK;
}

fg_code fg_sliced_permutations(fg_engine *engine, fg_threads *threads, const fg_w2_sliced_settings *settings,
                               size_t rows, size_t d, const double *z, const double *weight, size_t count,
                               fg_deal *deal, void *user, const fg_progress *progress, double *squared,
                               fg_status *st)
{
  const fg_progress inside = {NULL, NULL, progress ? progress->cancel : NULL};
  fg_splitting s = {
      .settings = settings, .engine = engine, .threads = threads, .rows = rows, .weight = weight};
  fg_code rc = FG_OK;
  if (rows < 2) return FG_FAIL(st, FG_USAGE, "%zu rows to deal to two samples: give at least 2", rows);
  FG_TRY(fg_pair_create(rows, 1, d, z, NULL, z, NULL, &s.pair, st));
  fg_pair_move(&s.pair);
  FG_GO(fg_splitting_allocate(&s, st), done);
  for (s.first = 0; s.first < count; s.first += s.count) {
    s.count = count - s.first < FG_SLICE_WAYS ? count - s.first : FG_SLICE_WAYS;
    FG_GO(fg_splitting_deal(&s, deal, user, st), done);
    FG_GO(fg_splitting_run(&s, &inside, st), done);
    for (size_t k = 0; k < s.count; k++)
      squared[s.first + k] =
          ldexp(fg_sum_value(&s.sum[k]) / (double)settings->directions, 2 * s.pair.exponent);
    fg_progress_report(progress, "permutations", (double)(s.first + s.count), (double)count);
  }
done:
  if (rc == FG_INTERRUPTED)
    rc = FG_FAIL(st, FG_INTERRUPTED, "sliced W2 was interrupted after %zu of %zu permutations", s.first,
                 count);
  fg_splitting_clear(&s);
  return rc;
}

/* Samples along lines: waves of directions are projected, sorted and compared; devices share the directions. */
#include <string.h>

#include "cuda/slices.cuh"

#include "formula/slice.h"
#include "requests.h"

/* A direction with so many rows keeps a device busy. */
enum { FG_SLICES_WHOLE = 1 << 16 };

/* ---- the share of a direction ------------------------------------------------------------------ */

static size_t fg_slice_room(size_t *used, size_t bytes)
{
  const size_t at = *used;
  *used += fg_cuda_share(bytes);
  return at;
}

static void fg_slice_side_room(fg_slice_side *s, int loads, int masses, size_t *used)
{
  s->tiles = (unsigned)((s->n + FG_SORT_TILE - 1) / FG_SORT_TILE);
  if (s->n == 0) return;
  for (int k = 0; k < 2; k++) {
    s->key[k] = fg_slice_room(used, s->n * sizeof(uint64_t));
    s->load[k] = fg_slice_room(used, loads ? s->n * sizeof(uint32_t) : 0);
  }
  s->count = fg_slice_room(used, (size_t)s->tiles * 256 * sizeof(uint32_t));
  s->turn = fg_slice_room(used, 2 * sizeof(uint32_t));
  s->sum = fg_slice_room(used, masses ? s->n * sizeof(int64_t) : 0);
}

/* Once for all waves: where the arrays of a direction lie, and how much it needs. */
static void fg_slice_layout(fg_slice_work *w)
{
  const size_t n = w->side[0].n, m = w->side[1].n;
  size_t used = 0;
  for (int k = 0; k < 2; k++) fg_slice_side_room(&w->side[k], w->loads, m > 0 && !w->alike, &used);
  const size_t terms = w->alike && n == m ? n : n + m - 1;
  w->parts = m > 0 ? (unsigned)((terms + FG_SLICE_TERMS - 1) / FG_SLICE_TERMS) : 0;
  w->part = fg_slice_room(&used, w->parts * w->columns * sizeof(double));
  w->place = fg_slice_room(&used, w->ways * n * sizeof(double));
  w->share = fg_slice_room(&used, w->weight ? w->ways * n * sizeof(double) : 0);
  w->each = used;
}

/* ---- a wave ------------------------------------------------------------------------------------ */

/* Launches follow one another on the stream; only their start is looked at. */
static fg_code fg_slice_sort(const fg_slice_work *w, fg_status *st)
{
  static const char *const names[] = {"tile_sort", "sort_scan", "scatter"};
  const size_t n = w->side[0].n + w->side[1].n;
  const unsigned tiles = w->directions * (w->side[0].tiles + w->side[1].tiles);
  fg_slice_project(w);
  FG_TRY(fg_cuda_started("project", tiles, n, st));
  if (w->side[0].n <= FG_RANK_MOST && w->side[1].n <= FG_RANK_MOST) {
    fg_slice_rank(w);
    return fg_cuda_started("rank", tiles, n, st);
  }
  for (int pass = 0; pass < FG_SORT_PASSES; pass++)
    for (int step = 0; step < 3; step++) {
      fg_slice_sort_pass(w, pass, step);
      FG_TRY(fg_cuda_started(names[step], tiles, n, st));
    }
  return FG_OK;
}

static fg_code fg_slice_wave(const fg_slice_work *w, fg_status *st)
{
  const size_t n = w->side[0].n + w->side[1].n, blocks = (size_t)w->directions * w->parts;
  FG_TRY(fg_slice_sort(w, st));
  if (w->order) fg_slice_orders(w);
  FG_TRY(fg_cuda_started("order", w->directions, n, st));
  if (!w->cost) return fg_cuda_finish("scatter", w->directions, n, st);
  if (!w->alike) fg_slice_masses(w);
  FG_TRY(fg_cuda_started("mass", 2 * (size_t)w->directions, n, st));
  fg_slice_costs(w);
  FG_TRY(fg_cuda_started("plan", blocks, n, st));
  fg_slice_totals(w);
  return fg_cuda_finish("plan", blocks, n, st);
}

static fg_code fg_slices_stopped(fg_status *st)
{
  return FG_FAIL(st, FG_INTERRUPTED, "the sorts along lines were stopped");
}

/* ---- slices ------------------------------------------------------------------------------------ */

static fg_code fg_slices_twins(fg_cuda_part *part, fg_slices_request *r, fg_status *st)
{
  const size_t one = sizeof(double);
  fg_buf *const whole[] = {&r->x, &r->y, &r->mass_x, &r->mass_y};
  for (int k = 0; k < 4; k++) FG_TRY(fg_cuda_twin_whole(part, whole[k], st));
  FG_TRY(fg_cuda_twin_rows(part, &r->direction, r->d * one, 1, FG_TWIN_IN, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->cost, one, 1, FG_TWIN_OUT, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->gradient, r->d * one, 1, FG_TWIN_OUT, st));
  return fg_cuda_twin_rows(part, &r->order, r->n * sizeof(uint32_t), 1, FG_TWIN_OUT, st);
}

static fg_slice_work fg_slices_work(const fg_slices_request *r)
{
  fg_slice_work w;
  memset(&w, 0, sizeof w);
  w.d = r->d;
  w.side[0].n = r->n;
  w.side[0].x = (const double *)r->x.device;
  w.side[0].mass = (const int64_t *)r->mass_x.device;
  w.side[1].n = r->cost.device ? r->m : 0;
  w.side[1].x = (const double *)r->y.device;
  w.side[1].mass = (const int64_t *)r->mass_y.device;
  w.alike = r->alike;
  w.total = r->total;
  w.loads = !r->alike || r->gradient.device || r->order.device;
  w.columns = 1 + (r->gradient.device ? r->d : 0);
  fg_slice_layout(&w);
  return w;
}

static fg_code fg_slices_part(fg_cuda_part *part, void *argument, fg_status *st)
{
  fg_slices_request r = *(const fg_slices_request *)argument;
  unsigned at_once;
  void *scratch;
  FG_TRY(fg_slices_twins(part, &r, st));
  fg_slice_work w = fg_slices_work(&r);
  FG_TRY(fg_cuda_part_wave(part, "slices", w.each, &at_once, &scratch, st));
  w.scratch = (char *)scratch;
  for (size_t line = part->first; line < part->end; line += at_once) {
    if (fg_cuda_crew_stopped(part)) return fg_slices_stopped(st);
    w.directions = fg_cuda_now(line, part->end, at_once);
    w.direction = (const double *)r.direction.device + line * r.d;
    w.cost = r.cost.device ? (double *)r.cost.device + line : NULL;
    w.gradient = r.gradient.device ? (double *)r.gradient.device + line * r.d : NULL;
    w.order = r.order.device ? (uint32_t *)r.order.device + line * r.n : NULL;
    FG_TRY(fg_slice_wave(&w, st));
    fg_cuda_crew_report(part, line, w.directions);
  }
  return fg_cuda_twins_back(part, st);
}

/* Directions among devices. */
static fg_code fg_slices_share(fg_engine *e, fg_threads *threads, size_t rows, size_t directions,
                               const fg_progress *progress, fg_cuda_crew_task *task, void *request,
                               fg_status *st)
{
  fg_cuda_crew crew;
  if (directions == 0) return FG_OK;
  FG_TRY((rows >= FG_SLICES_WHOLE ? fg_cuda_crew_open_waves
                                  : fg_cuda_crew_open)(&crew, e, threads, directions, 1, directions, st));
  crew.progress = progress;
  crew.stage = "slices";
  const fg_code rc = fg_cuda_crew_run(&crew, task, request, st);
  fg_cuda_crew_close(&crew);
  return rc;
}

fg_code fg_cuda_slices(fg_engine *e, fg_threads *threads, const fg_slices_request *request, fg_status *st)
{
  fg_slices_request r = *request;
  FG_TRY(fg_slices_check(r.n, r.cost.device ? r.m : 1, r.d, r.directions, st));
  if (!r.cost.device) r.y = r.mass_x = r.mass_y = r.gradient = r.cost;
  return fg_slices_share(e, threads, r.n + r.m, r.directions, r.progress, fg_slices_part, &r, st);
}

/* ---- ways to deal one sample --------------------------------------------------------------------- */

static fg_code fg_ways_twins(fg_cuda_part *part, fg_slice_ways_request *r, fg_status *st)
{
  fg_buf *const whole[] = {&r->x, &r->weight, &r->side};
  for (int k = 0; k < 3; k++) FG_TRY(fg_cuda_twin_whole(part, whole[k], st));
  FG_TRY(fg_cuda_twin_rows(part, &r->direction, r->d * sizeof(double), 1, FG_TWIN_IN, st));
  return fg_cuda_twin_rows(part, &r->cost, r->ways * sizeof(double), 1, FG_TWIN_OUT, st);
}

static fg_code fg_ways_part(fg_cuda_part *part, void *argument, fg_status *st)
{
  fg_slice_ways_request r = *(const fg_slice_ways_request *)argument;
  unsigned at_once;
  void *scratch, *firsts;
  fg_slice_work w;
  FG_TRY(fg_ways_twins(part, &r, st));
  memset(&w, 0, sizeof w);
  w.d = r.d;
  w.side[0].n = r.n;
  w.side[0].x = (const double *)r.x.device;
  w.alike = w.loads = 1;
  w.ways = (unsigned)r.ways;
  w.weight = (const double *)r.weight.device;
  w.bits = (const uint64_t *)r.side.device;
  fg_slice_layout(&w);
  FG_TRY(fg_cuda_piece(&part->pieces, r.ways * sizeof(uint32_t), NULL, &firsts, st));
  FG_TRY(fg_cuda_part_wave(part, "slice ways", w.each, &at_once, &scratch, st));
  w.scratch = (char *)scratch;
  w.firsts = (uint32_t *)firsts;
  fg_slice_way_counts(&w);
  FG_TRY(fg_cuda_started("way_count", r.ways, r.n, st));
  for (size_t line = part->first; line < part->end; line += at_once) {
    if (fg_cuda_crew_stopped(part)) return fg_slices_stopped(st);
    w.directions = fg_cuda_now(line, part->end, at_once);
    w.direction = (const double *)r.direction.device + line * r.d;
    w.cost = (double *)r.cost.device + line * r.ways;
    FG_TRY(fg_slice_sort(&w, st));
    fg_slice_way_costs(&w);
    FG_TRY(fg_cuda_finish("way", (size_t)w.directions * w.ways, r.n, st));
    fg_cuda_crew_report(part, line, w.directions);
  }
  return fg_cuda_twins_back(part, st);
}

fg_code fg_cuda_slice_ways(fg_engine *e, fg_threads *threads, const fg_slice_ways_request *request,
                           fg_status *st)
{
  fg_slice_ways_request r = *request;
  FG_TRY(fg_slice_ways_check(&r, st));
  if (r.ways == 0) return FG_OK;
  return fg_slices_share(e, threads, r.n * r.ways, r.directions, r.progress, fg_ways_part, &r, st);
}

/* Losses at points of wide networks, wave by wave of tiles that are there together. */
#include <math.h>
#include <string.h>

#include "cuda/wide_points.cuh"

typedef struct fg_visit_walk fg_visit_walk;

/* A part with its products. */
typedef struct fg_visit_stage {
  const fg_visit_walk *walk;
  fg_visit_part part;
  fg_wide_plan plan;
} fg_visit_stage;

struct fg_visit_walk {
  const fg_visit_table *table;
  const fg_wide_visit *visit;
  const fg_cuda_part *part;
  void *sums;   /* of the unit that is on its way; NULL: no gradient */
  double *loss; /* host */
  fg_wide_run run;
  fg_visit_stage look, reverse;
  fg_wide_key key; /* of look */
};

/* ---- sizes --------------------------------------------------------------------------------------------- */

/* Few points go into small tiles, so that there are blocks for all of the device; a time of its own has one tile. */
static size_t fg_visit_tile(size_t n, size_t group, int direct)
{
  const size_t most = n >= 256 * 64 ? 64 : n >= 256 * 32 ? 32 : 16;
  if (!direct || group > most) return group;
  return most / group * group;
}

/* As many particles as cuda/wide.cu cuts into so many tiles: here groups say how large tiles are. */
static size_t fg_visit_particles(size_t tiles)
{
  return tiles < 512 ? tiles * 16 : tiles * 64;
}

static void fg_visit_open(fg_visit_walk *w, const fg_wide_visit *visit)
{
  memset(w, 0, sizeof *w);
  w->table = visit->request->precision == FG_SINGLE ? &fg_visit_single : &fg_visit_double;
  w->visit = visit;
}

static size_t fg_visit_scratch(void *what, int p)
{
  const fg_visit_walk *w = (const fg_visit_walk *)what;
  (void)p;
  return w->table->scratch(w->visit->field, w->visit->request, w->visit->tile);
}

size_t fg_wide_visit_cut(const fg_cuda_device *on, const fg_field *field, const fg_points_request *r,
                         int direct, size_t *tile)
{
  fg_visit_walk w;
  fg_wide_visit visit;
  int p;
  memset(&visit, 0, sizeof visit);
  visit.field = field;
  visit.request = r;
  *tile = visit.tile = fg_visit_tile(r->n, r->group, direct);
  fg_visit_open(&w, &visit);
  return fg_wide_cut(on, r->precision, fg_visit_particles((r->n + *tile - 1) / *tile), fg_visit_scratch, &w,
                     &p);
}

/* ---- waves --------------------------------------------------------------------------------------------- */

static void fg_visit_launch(void *what, const fg_wide_job *job, unsigned blocks)
{
  const fg_visit_stage *stage = (const fg_visit_stage *)what;
  const fg_visit_walk *w = stage->walk;
  w->table->launch(w->visit, w->sums, stage->part, job, blocks);
}

/* A part without products. */
static void fg_visit_run(const fg_visit_walk *w, fg_visit_part part)
{
  w->table->launch(w->visit, w->sums, part, &w->run.job, (unsigned)w->run.job.tiles);
}

static fg_code fg_visit_stage_run(fg_visit_walk *w, const fg_visit_stage *stage, fg_status *st)
{
  return stage->plan.graph ? fg_wide_step(&stage->plan, st) : fg_wide_issue(&w->run, &stage->plan, st);
}

/* Points of the wave whose loss is finite; *from: the first of them. */
static size_t fg_visit_kept(const fg_visit_walk *w, size_t first, size_t count, size_t *from)
{
  size_t kept = 0;
  for (size_t i = first + count; i-- > first;)
    if (isfinite(w->loss[i])) {
      kept++;
      *from = i;
    }
  return kept;
}

static fg_code fg_visit_back(fg_visit_walk *w, size_t first, size_t count, fg_status *st)
{
  size_t from = first;
  FG_TRY(fg_cuda_fetch(w->loss + first, w->visit->loss + first, count * sizeof *w->loss, st));
  const size_t kept = fg_visit_kept(w, first, count, &from);
  if (kept == 0) return FG_OK;
  if (kept < count) { /* products are those of all tiles: nothing that is not finite may be among them */
    FG_TRY(fg_wide_set(&w->run, first, 0, from, st));
    fg_visit_run(w, FG_VISIT_REST);
    FG_TRY(fg_visit_stage_run(w, &w->look, st));
  }
  FG_TRY(fg_visit_stage_run(w, &w->reverse, st));
  return fg_wide_wait(&w->run, "points", st);
}

static fg_code fg_visit_wave(void *what, size_t first, size_t count, fg_status *st)
{
  fg_visit_walk *w = (fg_visit_walk *)what;
  if (fg_cuda_crew_stopped(w->part)) return FG_FAIL(st, FG_INTERRUPTED, "the losses at points were stopped");
  FG_TRY(fg_wide_set(&w->run, first, 0, 0, st));
  fg_visit_run(w, FG_VISIT_BEGIN);
  FG_TRY(fg_visit_stage_run(w, &w->look, st));
  fg_visit_run(w, FG_VISIT_WEIGH);
  FG_TRY(fg_wide_wait(&w->run, "points", st));
  return w->sums ? fg_visit_back(w, first, count, st) : FG_OK;
}

/* ---- units --------------------------------------------------------------------------------------------- */

/* The sums of a unit to their place, matrices in panels. */
static fg_code fg_visit_keep(const fg_visit_walk *w, char *to, fg_status *st)
{
  const fg_wide_table *table = w->run.table;
  const size_t core = table->core(w->visit->field) * table->real, rest = w->visit->block_bytes - core;
  table->plain(w->visit->field, 1, w->sums, to);
  FG_TRY(fg_cuda_started("gradient", 1, w->run.n, st));
  FG_TRY(fg_cuda_check(cudaMemcpyAsync(to + core, (const char *)w->sums + core, rest,
                                       cudaMemcpyDeviceToDevice, cudaStreamPerThread),
                       "cudaMemcpyAsync on the device", rest, st));
  return fg_wide_wait(&w->run, "gradient", st);
}

static fg_code fg_visit_unit(fg_visit_walk *w, size_t unit, fg_status *st)
{
  const fg_wide_visit *visit = w->visit;
  const size_t tile = unit * visit->tiles, end = tile + visit->tiles, all = w->run.tiles;
  if (w->sums)
    FG_TRY(fg_cuda_check(cudaMemsetAsync(w->sums, 0, visit->block_bytes, cudaStreamPerThread),
                         "cudaMemsetAsync", visit->block_bytes, st));
  FG_TRY(fg_wide_waves(&w->run, tile, end < all ? end : all, fg_visit_wave, w, st));
  if (!w->sums) return FG_OK;
  return fg_visit_keep(w, visit->block + (unit - w->part->first) * visit->block_bytes, st);
}

/* A graph is worth its making where there is more than one wave. */
static void fg_visit_add(fg_visit_walk *w, fg_visit_stage *stage, fg_visit_part part)
{
  const size_t points = w->part->finish - w->part->begin;
  stage->walk = w;
  stage->part = part;
  fg_wide_add(&w->run, &stage->plan, fg_visit_launch, stage, points > w->run.at_once * w->visit->tile);
}

/* What look does follows from the field and these alone; 8: beyond the numbers of cuda/wide_work.cu. */
static void fg_visit_remember(fg_visit_walk *w)
{
  const fg_points_request *r = w->visit->request;
  memcpy(&w->key.field, w->visit->field, sizeof w->key.field);
  w->key.what = 8 + ((r->probes * 4 + (int)r->kind) * 2 + (r->precision == FG_SINGLE));
  w->key.n = r->n;
  w->look.plan.key = &w->key;
}

static fg_code fg_visit_units(fg_visit_walk *w, fg_status *st)
{
  const fg_wide_visit *visit = w->visit;
  w->run.n = visit->request->n;
  w->run.job.p = (int)visit->tile;
  w->run.tiles = (w->run.n + visit->tile - 1) / visit->tile;
  if (visit->block) FG_TRY(fg_cuda_piece(&w->run.pieces, visit->block_bytes, NULL, &w->sums, st));
  fg_visit_add(w, &w->look, FG_VISIT_LOOK);
  fg_visit_remember(w);
  if (visit->block) fg_visit_add(w, &w->reverse, FG_VISIT_REVERSE);
  for (size_t unit = w->part->first; unit < w->part->end; unit++) FG_TRY(fg_visit_unit(w, unit, st));
  return FG_OK;
}

fg_code fg_wide_visit_all(fg_cuda_part *part, const fg_wide_visit *visit, double *loss, fg_status *st)
{
  const fg_points_request *r = visit->request;
  fg_visit_walk w;
  fg_visit_open(&w, visit);
  w.part = part;
  w.loss = loss;
  FG_TRY(fg_wide_begin(&w.run, part->on, "points", r->precision, visit->field, NULL,
                       fg_visit_particles((r->n + visit->tile - 1) / visit->tile), fg_visit_scratch, &w, st));
  const fg_code rc = fg_visit_units(&w, st);
  fg_wide_end(&w.run);
  return rc;
}

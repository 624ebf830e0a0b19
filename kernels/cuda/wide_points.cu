/* Losses at points of wide networks, wave by wave of tiles that are there together. */
#include <math.h>
#include <string.h>

#include "cuda/wide_points.cuh"

enum { FG_VISIT_FEW = 512 }; /* tiles */

typedef struct fg_visit_walk {
  const fg_visit_table *table;
  const fg_wide_visit *visit;
  fg_wide_run run;
  double *loss; /* host */
} fg_visit_walk;

/* A part with its products. */
typedef struct fg_visit_stage {
  const fg_visit_walk *walk;
  fg_visit_part part;
  fg_wide_plan plan;
} fg_visit_stage;

/* Tiles that are there together, and what was listed and captured for so many of them. */
typedef struct fg_visit_wave {
  size_t first, end; /* points */
  fg_visit_stage look, reverse;
} fg_visit_wave;

/* Few points go into small tiles, so that there are blocks for all of the device. */
size_t fg_wide_visit_tile(size_t n, size_t group, int direct)
{
  const size_t most = n >= 256 * 64 ? 64 : n >= 256 * 32 ? 32 : 16;
  if (!direct || group > most) return group;
  return most / group * group;
}

static size_t fg_visit_scratch(void *what, int p)
{
  const fg_visit_walk *w = (const fg_visit_walk *)what;
  (void)p; /* a tile is as large as its groups say */
  return w->table->scratch(w->visit->field, w->visit->request, w->visit->tile);
}

static void fg_visit_launch(void *what, const fg_wide_job *job, unsigned blocks)
{
  const fg_visit_stage *stage = (const fg_visit_stage *)what;
  stage->walk->table->launch(stage->walk->visit, stage->part, job, blocks);
}

/* A part without products. */
static void fg_visit_run(const fg_visit_walk *w, fg_visit_part part)
{
  w->table->launch(w->visit, part, &w->run.job, (unsigned)w->run.job.tiles);
}

static void fg_visit_open(fg_visit_stage *stage, const fg_visit_walk *w, fg_visit_part part)
{
  memset(stage, 0, sizeof *stage);
  stage->walk = w;
  stage->part = part;
  stage->plan.launch = fg_visit_launch;
  stage->plan.what = stage;
}

/* Listed once for all waves of so many tiles; a graph, if there will be more than one of them. */
static fg_code fg_visit_stage_run(fg_visit_walk *w, fg_visit_stage *stage, fg_status *st)
{
  fg_wide_run *run = &w->run;
  if (!stage->plan.calls) {
    FG_TRY(fg_wide_record(run, &stage->plan, st));
    if (run->tiles >= 2 * (size_t)run->job.tiles) FG_TRY(fg_wide_capture(run, &stage->plan, 0, st));
  }
  return stage->plan.graph ? fg_wide_step(&stage->plan, st) : fg_wide_issue(run, &stage->plan, st);
}

/* Points of the wave whose loss is finite; *from: the first of them. */
static size_t fg_visit_kept(const fg_visit_walk *w, const fg_visit_wave *wave, size_t *from)
{
  size_t kept = 0;
  for (size_t i = wave->end; i-- > wave->first;)
    if (isfinite(w->loss[i])) {
      kept++;
      *from = i;
    }
  return kept;
}

static fg_code fg_visit_wave_run(fg_visit_walk *w, fg_visit_wave *wave, fg_status *st)
{
  size_t from = wave->first;
  const size_t count = wave->end - wave->first;
  FG_TRY(fg_wide_set(&w->run, wave->first, 0, 0, st));
  fg_visit_run(w, FG_VISIT_BEGIN);
  FG_TRY(fg_visit_stage_run(w, &wave->look, st));
  fg_visit_run(w, FG_VISIT_WEIGH);
  FG_TRY(fg_wide_wait(&w->run, "points", st));
  if (!w->visit->block) return FG_OK;
  FG_TRY(fg_cuda_fetch(w->loss + wave->first, w->visit->loss + wave->first, count * sizeof *w->loss, st));
  const size_t kept = fg_visit_kept(w, wave, &from);
  if (kept == 0) return FG_OK;
  if (kept < count) { /* products are those of all tiles: nothing that is not finite may be among them */
    FG_TRY(fg_wide_set(&w->run, wave->first, 0, from, st));
    fg_visit_run(w, FG_VISIT_REST);
    FG_TRY(fg_visit_stage_run(w, &wave->look, st));
  }
  FG_TRY(fg_visit_stage_run(w, &wave->reverse, st));
  return fg_wide_wait(&w->run, "points", st);
}

static fg_code fg_visit_waves(fg_visit_walk *w, fg_status *st)
{
  fg_wide_run *run = &w->run;
  const size_t at_once = (size_t)run->job.tiles, each = w->visit->tile;
  fg_visit_wave wave;
  fg_code rc = FG_OK;
  fg_visit_open(&wave.look, w, FG_VISIT_LOOK);
  fg_visit_open(&wave.reverse, w, FG_VISIT_REVERSE);
  for (size_t tile = 0; tile < run->tiles && rc == FG_OK; tile += at_once) {
    const size_t left = run->tiles - tile, tiles = left < at_once ? left : at_once;
    if (tiles < at_once) {
      fg_wide_forget(&wave.look.plan);
      fg_wide_forget(&wave.reverse.plan);
    }
    run->job.tiles = (int)tiles;
    wave.first = tile * each;
    wave.end = left > tiles ? wave.first + tiles * each : run->n;
    rc = fg_progress_cancelled(w->visit->progress)
             ? FG_FAIL(st, FG_INTERRUPTED, "the losses at points were stopped")
             : fg_visit_wave_run(w, &wave, st);
  }
  fg_wide_forget(&wave.look.plan);
  fg_wide_forget(&wave.reverse.plan);
  return rc;
}

/* The matrices of the gradient go back into panels. */
static fg_code fg_visit_repack(fg_visit_walk *w, fg_status *st)
{
  fg_wide_run *run = &w->run;
  const size_t bytes = run->table->core(w->visit->field) * run->table->real;
  void *copy;
  fg_cuda_piece_give(&run->pieces, run->job.scratch); /* all waves are done */
  FG_TRY(fg_cuda_piece(&run->pieces, bytes, NULL, &copy, st));
  FG_TRY(fg_cuda_check(
      cudaMemcpyAsync(copy, w->visit->block, bytes, cudaMemcpyDeviceToDevice, cudaStreamPerThread),
      "cudaMemcpyAsync on the device", bytes, st));
  run->table->plain(w->visit->field, 1, copy, w->visit->block);
  return fg_wide_wait(run, "gradient", st);
}

fg_code fg_wide_visit_all(fg_cuda_device *on, const fg_wide_visit *visit, double *loss, fg_status *st)
{
  const fg_points_request *r = visit->request;
  const size_t tiles = (r->n + visit->tile - 1) / visit->tile;
  fg_visit_walk w;
  fg_code rc;
  memset(&w, 0, sizeof w);
  w.table = r->precision == FG_SINGLE ? &fg_visit_single : &fg_visit_double;
  w.visit = visit;
  w.loss = loss;
  /* as many particles as it cuts into so many tiles */
  rc = fg_wide_begin(&w.run, on, r->precision, visit->field, NULL, tiles * (tiles < FG_VISIT_FEW ? 16 : 64),
                     fg_visit_scratch, &w, st);
  if (rc == FG_OK) {
    w.run.n = r->n;
    w.run.tiles = tiles;
    w.run.job.p = (int)visit->tile;
    if ((size_t)w.run.job.tiles > tiles) w.run.job.tiles = (int)tiles;
    rc = fg_visit_waves(&w, st);
  }
  if (rc == FG_OK && visit->block) rc = fg_visit_repack(&w, st);
  fg_wide_end(&w.run);
  return rc;
}

/* Samplers with wide networks: paths, and gradients of the objectives, wave by wave of tiles that are there together. */
#include <stdlib.h>
#include <string.h>

#include "cuda/train.cuh"
#include "cuda/wide.cuh"
#include "formula/objective.h"

typedef struct fg_wide_travel {
  const fg_wide_table *table;
  const fg_wide_trip *trip;
  fg_wide_gradient gradient;
  fg_wide_run run;
  double *host; /* [n]: weights, or rnd */
} fg_wide_travel;

/* A part with its products. */
typedef struct fg_wide_stage {
  fg_wide_travel *travel;
  fg_wide_part part;
  fg_wide_plan plan;
} fg_wide_stage;

static int fg_wide_is_kl(const fg_wide_trip *trip)
{
  return trip->request->objective == FG_OBJECTIVE_KL || trip->request->objective == FG_OBJECTIVE_KL_ITO;
}

static size_t fg_wide_travel_scratch(void *what, int p)
{
  const fg_wide_travel *w = (const fg_wide_travel *)what;
  const fg_wide_trip *trip = w->trip;
  /* counts on the host look at the noising control: there, not where kernels find it */
  fg_objective_request r = *trip->request;
  r.paths.noising = trip->noising;
  return trip->gradient ? w->table->objective_scratch(trip->field, &r, p)
                        : w->table->paths_scratch(trip->field, &r.paths, p);
}

static void fg_wide_travel_launch(const fg_wide_travel *w, fg_wide_part part, const fg_wide_job *job,
                                  unsigned blocks)
{
  const fg_wide_trip *trip = w->trip;
  if (trip->gradient)
    w->table->objective(trip->field, trip->request, &w->gradient, part, job, blocks);
  else
    w->table->paths(trip->field, &trip->request->paths, trip->rows, part, job, blocks);
}

static void fg_wide_stage_launch(void *what, const fg_wide_job *job, unsigned blocks)
{
  const fg_wide_stage *stage = (const fg_wide_stage *)what;
  fg_wide_travel_launch(stage->travel, stage->part, job, blocks);
}

/* A part without products. */
static void fg_wide_travel_part(const fg_wide_travel *w, fg_wide_part part)
{
  fg_wide_travel_launch(w, part, &w->run.job, (unsigned)w->run.job.tiles);
}

static const char *fg_wide_travel_name(const fg_wide_travel *w)
{
  return w->trip->gradient ? "objective" : "paths";
}

/* ---- waves -------------------------------------------------------------------------------------------- */

/* Tiles that are there together, and what was listed and captured for so many of them. */
typedef struct fg_wide_wave {
  size_t first, count; /* particles */
  fg_wide_stage meet, forward, back;
} fg_wide_wave;

static void fg_wide_stage_open(fg_wide_stage *stage, fg_wide_travel *w, fg_wide_part part)
{
  memset(stage, 0, sizeof *stage);
  stage->travel = w;
  stage->part = part;
  stage->plan.launch = fg_wide_stage_launch;
  stage->plan.what = stage;
}

static fg_code fg_wide_stage_ready(fg_wide_stage *stage, int by, fg_status *st)
{
  if (stage->plan.calls) return FG_OK;
  FG_TRY(fg_wide_record(&stage->travel->run, &stage->plan, st));
  return by ? fg_wide_capture(&stage->travel->run, &stage->plan, by, st) : FG_OK;
}

/* All steps of a stage, after the state was set. */
static fg_code fg_wide_stage_steps(fg_wide_stage *stage, int by, fg_status *st)
{
  const fg_wide_travel *w = stage->travel;
  FG_TRY(fg_wide_stage_ready(stage, by, st));
  for (size_t k = 0; k < w->trip->request->paths.steps; k++) {
    if (k % FG_WIDE_CANCEL_EVERY == 0) {
      FG_TRY(fg_wide_wait(&w->run, fg_wide_travel_name(w), st));
      if (fg_progress_cancelled(w->trip->progress))
        return FG_FAIL(st, FG_INTERRUPTED, "the simulation of paths was stopped");
    }
    FG_TRY(fg_wide_step(&stage->plan, st));
  }
  return fg_wide_wait(&w->run, fg_wide_travel_name(w), st);
}

static fg_code fg_wide_wave_meet(fg_wide_wave *wave, fg_status *st)
{
  fg_wide_travel *w = wave->meet.travel;
  if (!w->trip->noising) return FG_OK;
  FG_TRY(fg_wide_stage_ready(&wave->meet, 0, st));
  return fg_wide_issue(&w->run, &wave->meet.plan, st);
}

static fg_code fg_wide_wave_paths(fg_wide_wave *wave, fg_status *st)
{
  fg_wide_travel *w = wave->meet.travel;
  FG_TRY(fg_wide_set(&w->run, wave->first, 0, 0, st));
  fg_wide_travel_part(w, FG_WIDE_BEGIN);
  FG_TRY(fg_wide_wave_meet(wave, st));
  FG_TRY(fg_wide_stage_steps(&wave->forward, 1, st));
  fg_wide_travel_part(w, w->trip->keep_end ? FG_WIDE_END : FG_WIDE_TURN);
  return fg_wide_wait(&w->run, "paths", st);
}

/* The first path of the wave with a weight; beyond the wave if there is none. */
static size_t fg_wide_wave_from(const fg_wide_wave *wave, const double *weight)
{
  const size_t end = wave->first + wave->count;
  size_t from = wave->first;
  while (from < end && !(weight[from] != 0)) from++;
  return from;
}

static fg_code fg_wide_wave_variance(fg_wide_wave *wave, fg_status *st)
{
  fg_wide_travel *w = wave->meet.travel;
  const size_t from = fg_wide_wave_from(wave, w->host);
  if (from == wave->first + wave->count) return FG_OK;
  FG_TRY(fg_wide_set(&w->run, wave->first, 0, from, st));
  fg_wide_travel_part(w, FG_WIDE_BEGIN);
  fg_wide_travel_part(w, FG_WIDE_REST);
  return fg_wide_stage_steps(&wave->forward, 1, st);
}

static fg_code fg_wide_wave_kl(fg_wide_wave *wave, fg_status *st)
{
  fg_wide_travel *w = wave->meet.travel;
  const fg_objective_request *r = w->trip->request;
  FG_TRY(fg_wide_set(&w->run, wave->first, 0, wave->first, st));
  fg_wide_travel_part(w, FG_WIDE_BEGIN);
  FG_TRY(fg_wide_wave_meet(wave, st));
  FG_TRY(fg_wide_stage_steps(&wave->forward, 1, st));
  fg_wide_travel_part(w, FG_WIDE_TURN);
  FG_TRY(fg_wide_wait(&w->run, "objective", st));
  FG_TRY(fg_cuda_fetch(w->host + wave->first, (const double *)r->paths.rnd[r->form].device + wave->first,
                       wave->count * sizeof *w->host, st));
  for (size_t i = wave->first; i < wave->first + wave->count; i++)
    w->host[i] = fg_path_is_kept(w->host[i]) ? 1 : 0;
  const size_t from = fg_wide_wave_from(wave, w->host);
  if (from == wave->first + wave->count) return FG_OK;
  FG_TRY(fg_wide_set(&w->run, wave->first, r->paths.steps - 1, from, st));
  fg_wide_travel_part(w, FG_WIDE_REST);
  return fg_wide_stage_steps(&wave->back, -1, st);
}

static fg_code fg_wide_wave_run(fg_wide_wave *wave, fg_status *st)
{
  const fg_wide_trip *trip = wave->meet.travel->trip;
  if (!trip->gradient) return fg_wide_wave_paths(wave, st);
  return fg_wide_is_kl(trip) ? fg_wide_wave_kl(wave, st) : fg_wide_wave_variance(wave, st);
}

static void fg_wide_wave_forget(fg_wide_wave *wave)
{
  fg_wide_forget(&wave->meet.plan);
  fg_wide_forget(&wave->forward.plan);
  fg_wide_forget(&wave->back.plan);
}

static fg_code fg_wide_waves(fg_wide_travel *w, fg_status *st)
{
  fg_wide_run *run = &w->run;
  const fg_wide_trip *trip = w->trip;
  const size_t at_once = (size_t)run->job.tiles, p = (size_t)run->job.p;
  fg_wide_wave wave;
  fg_code rc = FG_OK;
  fg_wide_stage_open(&wave.meet, w, FG_WIDE_MEET);
  fg_wide_stage_open(&wave.forward, w,
                     !trip->gradient       ? FG_WIDE_STEP
                     : fg_wide_is_kl(trip) ? FG_WIDE_FORWARD
                                           : FG_WIDE_VARIANCE);
  fg_wide_stage_open(&wave.back, w, FG_WIDE_BACK);
  for (size_t tile = 0; tile < run->tiles && rc == FG_OK; tile += at_once) {
    const size_t left = run->tiles - tile, tiles = left < at_once ? left : at_once;
    if (tiles != (size_t)run->job.tiles) fg_wide_wave_forget(&wave);
    run->job.tiles = (int)tiles;
    wave.first = tile * p;
    wave.count = run->n - wave.first < tiles * p ? run->n - wave.first : tiles * p;
    rc = fg_wide_wave_run(&wave, st);
    if (rc == FG_OK)
      fg_progress_report(trip->progress, "paths", (double)(wave.first + wave.count), (double)run->n);
  }
  fg_wide_wave_forget(&wave);
  return rc;
}

/* ---- gradients ------------------------------------------------------------------------------------------ */

/* Matrices of a gradient go back into panels. */
static fg_code fg_wide_repack(fg_wide_travel *w, const fg_field *field, void *block, fg_status *st)
{
  const size_t bytes = w->table->core(field) * w->table->real;
  void *copy;
  FG_TRY(fg_cuda_piece(&w->run.pieces, bytes, NULL, &copy, st));
  FG_TRY(fg_cuda_check(cudaMemcpyAsync(copy, block, bytes, cudaMemcpyDeviceToDevice, cudaStreamPerThread),
                       "cudaMemcpyAsync on the device", bytes, st));
  w->table->plain(field, 1, copy, block);
  return fg_wide_wait(&w->run, "gradient", st);
}

static fg_code fg_wide_travel_run(fg_wide_travel *w, fg_status *st)
{
  const fg_wide_trip *trip = w->trip;
  if (trip->gradient && !fg_wide_is_kl(trip))
    FG_TRY(fg_cuda_fetch(w->host, trip->number, w->run.n * sizeof *w->host, st));
  FG_TRY(fg_wide_waves(w, st));
  if (!trip->gradient) return FG_OK;
  FG_TRY(fg_wide_repack(w, trip->field, trip->block[0], st));
  return trip->noising ? fg_wide_repack(w, trip->noising, trip->block[1], st) : FG_OK;
}

fg_code fg_wide_travel_all(fg_cuda_device *on, const fg_wide_trip *trip, fg_status *st)
{
  const fg_paths_request *r = &trip->request->paths;
  fg_wide_travel w;
  fg_code rc;
  memset(&w, 0, sizeof w);
  w.table = r->precision == FG_SINGLE ? &fg_wide_single : &fg_wide_double;
  w.trip = trip;
  w.gradient.rows = trip->rows;
  w.gradient.number = trip->number;
  w.gradient.block = trip->block[0];
  w.gradient.noising = trip->noising ? trip->block[1] : NULL;
  w.host = (double *)malloc(r->n * sizeof *w.host);
  if (!w.host) return FG_FAIL(st, FG_MEMORY, "no memory for %zu paths", r->n);
  rc = fg_wide_begin(&w.run, on, r->precision, trip->field, trip->noising, r->n, fg_wide_travel_scratch, &w,
                     st);
  if (rc == FG_OK) rc = fg_wide_travel_run(&w, st);
  fg_wide_end(&w.run);
  free(w.host);
  return rc;
}

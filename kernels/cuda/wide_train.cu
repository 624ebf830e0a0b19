/* Samplers with wide networks: paths, and gradients of the objectives, wave by wave of tiles that are there together. */
#include <stdlib.h>
#include <string.h>

#include "cuda/train.cuh"
#include "cuda/wide.cuh"
#include "formula/objective.h"

typedef struct fg_wide_travel {
  const fg_wide_table *table;
  const fg_cuda_part *part;
  const fg_wide_trip *trip;
  fg_wide_gradient gradient; /* block: of the unit that is on its way */
  fg_wide_run run;
  double *host;        /* of the paths of the part: weights, or rnd */
  size_t first, count; /* particles of the wave */
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

typedef struct fg_wide_route {
  fg_wide_travel travel;
  fg_wide_stage meet, forward, back;
} fg_wide_route;

static void fg_wide_stage_add(fg_wide_stage *stage, fg_wide_travel *w, fg_wide_part part, int by)
{
  stage->travel = w;
  stage->part = part;
  fg_wide_add(&w->run, &stage->plan, fg_wide_stage_launch, stage, by);
}

/* All steps of a stage, after the state was set. */
static fg_code fg_wide_stage_steps(const fg_wide_stage *stage, fg_status *st)
{
  const fg_wide_travel *w = stage->travel;
  for (size_t k = 0; k < w->trip->request->paths.steps; k++) {
    if (k % FG_WIDE_CANCEL_EVERY == 0) {
      FG_TRY(fg_wide_wait(&w->run, fg_wide_travel_name(w), st));
      if (fg_cuda_crew_stopped(w->part))
        return FG_FAIL(st, FG_INTERRUPTED, "the simulation of paths was stopped");
    }
    FG_TRY(fg_wide_step(&stage->plan, st));
  }
  return fg_wide_wait(&w->run, fg_wide_travel_name(w), st);
}

static fg_code fg_wide_meet(fg_wide_route *route, fg_status *st)
{
  fg_wide_travel *w = &route->travel;
  return w->trip->noising ? fg_wide_issue(&w->run, &route->meet.plan, st) : FG_OK;
}

static fg_code fg_wide_wave_paths(fg_wide_route *route, fg_status *st)
{
  fg_wide_travel *w = &route->travel;
  FG_TRY(fg_wide_set(&w->run, w->first, 0, 0, st));
  fg_wide_travel_part(w, FG_WIDE_BEGIN);
  FG_TRY(fg_wide_meet(route, st));
  FG_TRY(fg_wide_stage_steps(&route->forward, st));
  fg_wide_travel_part(w, w->trip->keep_end ? FG_WIDE_END : FG_WIDE_TURN);
  return fg_wide_wait(&w->run, "paths", st);
}

/* The first path of the wave with a weight; beyond the wave if there is none. */
static size_t fg_wide_wave_from(const fg_wide_travel *w)
{
  const double *weight = w->host + (w->first - w->part->begin);
  size_t k = 0;
  while (k < w->count && !(weight[k] != 0)) k++;
  return w->first + k;
}

static fg_code fg_wide_wave_variance(fg_wide_route *route, fg_status *st)
{
  fg_wide_travel *w = &route->travel;
  const size_t from = fg_wide_wave_from(w);
  if (from == w->first + w->count) return FG_OK;
  FG_TRY(fg_wide_set(&w->run, w->first, 0, from, st));
  fg_wide_travel_part(w, FG_WIDE_BEGIN);
  fg_wide_travel_part(w, FG_WIDE_REST);
  return fg_wide_stage_steps(&route->forward, st);
}

static fg_code fg_wide_wave_kl(fg_wide_route *route, fg_status *st)
{
  fg_wide_travel *w = &route->travel;
  const fg_objective_request *r = w->trip->request;
  double *rnd = w->host + (w->first - w->part->begin);
  FG_TRY(fg_wide_set(&w->run, w->first, 0, w->first, st));
  fg_wide_travel_part(w, FG_WIDE_BEGIN);
  FG_TRY(fg_wide_meet(route, st));
  FG_TRY(fg_wide_stage_steps(&route->forward, st));
  fg_wide_travel_part(w, FG_WIDE_TURN);
  FG_TRY(fg_wide_wait(&w->run, "objective", st));
  FG_TRY(fg_cuda_fetch(rnd, (const double *)r->paths.rnd[r->form].device + w->first, w->count * sizeof *rnd,
                       st));
  for (size_t i = 0; i < w->count; i++) rnd[i] = fg_path_is_kept(rnd[i]) ? 1 : 0;
  const size_t from = fg_wide_wave_from(w);
  if (from == w->first + w->count) return FG_OK;
  FG_TRY(fg_wide_set(&w->run, w->first, r->paths.steps - 1, from, st));
  fg_wide_travel_part(w, FG_WIDE_REST);
  return fg_wide_stage_steps(&route->back, st);
}

static fg_code fg_wide_wave_run(void *what, size_t first, size_t count, fg_status *st)
{
  fg_wide_route *route = (fg_wide_route *)what;
  fg_wide_travel *w = &route->travel;
  w->first = first;
  w->count = count;
  if (!w->trip->gradient) return fg_wide_wave_paths(route, st);
  return fg_wide_is_kl(w->trip) ? fg_wide_wave_kl(route, st) : fg_wide_wave_variance(route, st);
}

/* ---- gradients ------------------------------------------------------------------------------------------ */

/* The sums of a unit, on their way: matrices row by row. */
static fg_code fg_wide_sums_open(fg_wide_travel *w, void **sums, size_t bytes, fg_status *st)
{
  return fg_cuda_piece(&w->run.pieces, bytes, NULL, sums, st);
}

static fg_code fg_wide_sums_clear(void *sums, size_t bytes, fg_status *st)
{
  return fg_cuda_check(cudaMemsetAsync(sums, 0, bytes, cudaStreamPerThread), "cudaMemsetAsync", bytes, st);
}

/* To their place, matrices in panels. */
static fg_code fg_wide_sums_keep(const fg_wide_travel *w, const fg_field *field, const void *sums,
                                 size_t bytes, char *to, fg_status *st)
{
  const size_t core = w->table->core(field) * w->table->real;
  w->table->plain(field, 1, sums, to);
  FG_TRY(fg_cuda_started("gradient", 1, w->run.n, st));
  if (bytes == core) return FG_OK;
  return fg_cuda_check(cudaMemcpyAsync(to + core, (const char *)sums + core, bytes - core,
                                       cudaMemcpyDeviceToDevice, cudaStreamPerThread),
                       "cudaMemcpyAsync on the device", bytes - core, st);
}

/* One unit of the part: its waves add to sums that then go to the unit's own place. */
static fg_code fg_wide_unit(fg_wide_route *route, size_t unit, fg_status *st)
{
  fg_wide_travel *w = &route->travel;
  const fg_wide_trip *trip = w->trip;
  void *const sums[2] = {w->gradient.block, w->gradient.noising};
  const fg_field *const fields[2] = {trip->field, trip->noising};
  const size_t tile = unit * trip->tiles, all = w->run.tiles;
  for (int k = 0; k < 2; k++)
    if (sums[k]) FG_TRY(fg_wide_sums_clear(sums[k], trip->block_bytes[k], st));
  FG_TRY(fg_wide_waves(&w->run, tile, tile + trip->tiles < all ? tile + trip->tiles : all, fg_wide_wave_run,
                       route, st));
  for (int k = 0; k < 2; k++)
    if (sums[k])
      FG_TRY(fg_wide_sums_keep(w, fields[k], sums[k], trip->block_bytes[k],
                               trip->block[k] + (unit - w->part->first) * trip->block_bytes[k], st));
  return fg_wide_wait(&w->run, "gradient", st);
}

static fg_code fg_wide_gradients(fg_wide_route *route, fg_cuda_part *part, fg_status *st)
{
  fg_wide_travel *w = &route->travel;
  const fg_wide_trip *trip = w->trip;
  if (!fg_wide_is_kl(trip))
    FG_TRY(fg_cuda_fetch(w->host, trip->number + part->begin, (part->finish - part->begin) * sizeof *w->host,
                         st));
  FG_TRY(fg_wide_sums_open(w, &w->gradient.block, trip->block_bytes[0], st));
  if (trip->noising) FG_TRY(fg_wide_sums_open(w, &w->gradient.noising, trip->block_bytes[1], st));
  for (size_t unit = part->first; unit < part->end; unit++) {
    FG_TRY(fg_wide_unit(route, unit, st));
    fg_cuda_crew_report(part, unit, 1);
  }
  return FG_OK;
}

/* ---- a trip ------------------------------------------------------------------------------------------------ */

static void fg_wide_travel_open(fg_wide_travel *w, const fg_wide_trip *trip)
{
  memset(w, 0, sizeof *w);
  w->table = trip->request->paths.precision == FG_SINGLE ? &fg_wide_single : &fg_wide_double;
  w->trip = trip;
  w->gradient.rows = trip->rows;
  w->gradient.number = trip->number;
}

size_t fg_wide_travel_cut(const fg_cuda_device *on, const fg_field *field, const fg_objective_request *r,
                          int gradient, int *p)
{
  fg_wide_travel w;
  fg_wide_trip trip;
  memset(&trip, 0, sizeof trip);
  trip.field = field;
  trip.noising = r->paths.noising;
  trip.request = r;
  trip.gradient = gradient;
  fg_wide_travel_open(&w, &trip);
  return fg_wide_cut(on, r->paths.precision, r->paths.n, fg_wide_travel_scratch, &w, p);
}

static void fg_wide_route_plans(fg_wide_route *route)
{
  fg_wide_travel *w = &route->travel;
  const fg_wide_trip *trip = w->trip;
  const int kl = fg_wide_is_kl(trip);
  if (trip->noising && (kl || !trip->gradient)) fg_wide_stage_add(&route->meet, w, FG_WIDE_MEET, 0);
  fg_wide_stage_add(&route->forward, w,
                    !trip->gradient ? FG_WIDE_STEP
                    : kl            ? FG_WIDE_FORWARD
                                    : FG_WIDE_VARIANCE,
                    1);
  if (trip->gradient && kl) fg_wide_stage_add(&route->back, w, FG_WIDE_BACK, -1);
}

fg_code fg_wide_travel_all(fg_cuda_part *part, const fg_wide_trip *trip, fg_status *st)
{
  const fg_paths_request *r = &trip->request->paths;
  fg_wide_route route;
  fg_wide_travel *w = &route.travel;
  fg_code rc;
  fg_wide_travel_open(w, trip);
  w->part = part;
  w->host = (double *)malloc((part->finish - part->begin) * sizeof *w->host);
  if (!w->host) return FG_FAIL(st, FG_MEMORY, "no memory for %zu paths", part->finish - part->begin);
  rc = fg_wide_begin(&w->run, part->on, fg_wide_travel_name(w), r->precision, trip->field, trip->noising,
                     r->n, fg_wide_travel_scratch, w, st);
  if (rc == FG_OK) {
    fg_wide_route_plans(&route);
    rc = trip->gradient ? fg_wide_gradients(&route, part, st)
                        : fg_wide_units(&w->run, part, trip->tiles, fg_wide_wave_run, &route, st);
    fg_wide_end(&w->run);
  }
  free(w->host);
  return rc;
}

/* Particles along the ODE by steps of their own, with wide networks: a step of all tiles is one graph of six right-hand
 * sides, launched until no particle is on its way. Times, steps and errors stay on the device. There is a wave of tiles, whose
 * places are taken again: each has a range of the particles of its device, however many they are. */
#include <string.h>

#include "cuda/ensemble.cuh"

enum { FG_FLIGHT_LOOK = 4 /* steps from one look at how many are left to the next */ };

typedef struct fg_wide_journey {
  const fg_wide_ensemble_table *table;
  const fg_field *field;
  const fg_ensemble_request *request;
  fg_wide_flight flight;
  fg_wide_run run;
  fg_wide_plan step;
} fg_wide_journey;

static size_t fg_flight_scratch(void *what, int p)
{
  const fg_wide_journey *w = (const fg_wide_journey *)what;
  return w->table->scratch(w->field, w->request, p);
}

/* Ranges as long as one another; of few particles the last tiles may have none. */
static void fg_flight_fly(const fg_wide_journey *w, int part, const fg_wide_job *job, unsigned blocks)
{
  const size_t n = w->flight.finish - w->flight.begin, tiles = (size_t)job->tiles, unit = FG_FLIGHT_UNIT;
  fg_wide_flight flight = w->flight;
  flight.range = ((n + tiles - 1) / tiles + unit - 1) / unit * unit;
  w->table->fly(w->field, w->request, &flight, part, job, blocks);
}

/* Segments of a step are those of its stages, one after another; as many of each, with the same products. */
static void fg_flight_launch(void *what, const fg_wide_job *job, unsigned blocks)
{
  const fg_wide_journey *w = (const fg_wide_journey *)what;
  const int segments = (w->step.count + 1) / FG_FLIGHT_STAGES;
  fg_wide_job one = *job;
  int part = FG_FLIGHT_STEP;
  if (job->segment != FG_WIDE_RECORD) {
    part = 1 + job->segment / segments;
    one.segment = job->segment % segments;
  }
  fg_flight_fly(w, part, &one, blocks);
}

/* A part without products. */
static void fg_flight_part(const fg_wide_journey *w, int part, unsigned blocks)
{
  fg_flight_fly(w, part, &w->run.job, blocks);
}

static void fg_flight_open(fg_wide_journey *w, const fg_field *field, const fg_ensemble_request *request)
{
  memset(w, 0, sizeof *w);
  w->table = request->precision == FG_SINGLE ? &fg_wide_ensemble_single : &fg_wide_ensemble_double;
  w->field = field;
  w->request = request;
}

size_t fg_wide_ensemble_unit(const fg_cuda_device *on, const fg_field *field,
                             const fg_ensemble_request *request)
{
  const size_t whole = FG_ENSEMBLE_TILE;
  fg_wide_journey w;
  int p;
  fg_flight_open(&w, field, request);
  const size_t tiles = fg_wide_cut(on, request->precision, request->n, fg_flight_scratch, &w, &p);
  return (tiles * (size_t)p + whole - 1) / whole * whole;
}

/* Steps until no particle is left; between them a stop is noticed and what is done reported. */
static fg_code fg_flight_steps(fg_wide_journey *w, fg_cuda_part *part, fg_status *st)
{
  const size_t n = w->flight.finish - w->flight.begin, unit = part->crew->unit;
  size_t reported = 0;
  int32_t left = 1;
  while (left > 0) {
    if (fg_cuda_crew_stopped(part)) return FG_FAIL(st, FG_INTERRUPTED, "the ODE was stopped on request");
    for (int k = 0; k < FG_FLIGHT_LOOK; k++) FG_TRY(fg_wide_step(&w->step, st));
    fg_flight_part(w, FG_FLIGHT_COUNT, 1);
    FG_TRY(fg_wide_wait(&w->run, "ensemble", st));
    FG_TRY(fg_cuda_fetch(&left, w->flight.left, sizeof left, st));
    const size_t units = left > 0 ? (n - (size_t)left) / unit : part->end - part->first;
    if (units > reported) fg_cuda_crew_report(part, part->first + reported, units - reported);
    reported = units;
  }
  return FG_OK;
}

/* All that the part has, after there is memory for it. */
static fg_code fg_flight_all(fg_wide_journey *w, fg_cuda_part *part, fg_status *st)
{
  const size_t n = part->finish - part->begin, unit = FG_FLIGHT_UNIT;
  const size_t rows = (n + unit - 1) / unit * 2 * (size_t)w->request->bins;
  void *memory;
  FG_TRY(fg_cuda_piece(&w->run.pieces, rows * sizeof(uint32_t), NULL, &memory, st));
  w->flight.rows = (uint32_t *)memory;
  FG_TRY(fg_cuda_piece(&w->run.pieces, sizeof(int32_t), NULL, &memory, st));
  w->flight.left = (int32_t *)memory;
  fg_wide_add(&w->run, &w->step, fg_flight_launch, w, 1);
  FG_TRY(fg_wide_next(&w->run, w->run.at_once, st));
  const unsigned tiles = (unsigned)w->run.job.tiles;
  fg_flight_part(w, FG_FLIGHT_BEGIN, tiles);
  FG_TRY(fg_flight_steps(w, part, st));
  fg_flight_part(w, FG_FLIGHT_END, tiles);
  return fg_wide_wait(&w->run, "ensemble", st);
}

fg_code fg_wide_ensemble(fg_cuda_part *part, const fg_field *field, const fg_ensemble_request *request,
                         fg_status *st)
{
  fg_wide_journey w;
  fg_flight_open(&w, field, request);
  w.flight.begin = part->begin;
  w.flight.finish = part->finish;
  FG_TRY(fg_wide_begin(&w.run, part->on, "ensemble", request->precision, field, NULL, request->n,
                       fg_flight_scratch, &w, st));
  const fg_code rc = fg_flight_all(&w, part, st);
  fg_wide_end(&w.run);
  return rc;
}

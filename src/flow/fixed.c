/* Flows on a fixed grid: particles go through the engine in chunks, so that memory stays bounded whatever
 * their number; a chunk is carried over the whole grid before the next one starts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flow/start.h"
#include "flowgap/flow.h"
#include "formula/random.h"
#include "model/model.h"
#include "sde/coeff.h"

enum { FG_CHUNK_NUMBERS = 1 << 20 }; /* numbers per state of a chunk: 8 MB */

void fg_fixed_defaults(fg_fixed_settings *settings)
{
  memset(settings, 0, sizeof *settings);
  settings->scheme = FG_EULER;
  settings->lambda = 1;
  settings->last_step_noise = true;
  settings->precision = FG_DOUBLE;
  settings->tile = 64;
}

typedef struct fg_fixed_run {
  const fg_model *model;
  const fg_field *field;
  fg_engine *engine;
  fg_simulate_request request;
  fg_coeff *coeff;       /* [steps + 1] */
  size_t *snapshot_step; /* [snapshots] */
  int32_t *lost;         /* [chunk] */
  size_t chunk;
  fg_progress progress; /* what the engine reports to; passes on below */
  const fg_progress *outer;
  double done, total;
} fg_fixed_run;

static void fg_fixed_progress(void *user, const char *stage, double done, double total)
{
  const fg_fixed_run *run = user;
  (void)total;
  fg_progress_report(run->outer, stage, run->done + done, run->total);
}

static fg_code fg_fixed_check(const fg_fixed_settings *s, size_t n, const double *x0, size_t d,
                              const double *log_p, const fg_snapshots *snapshots, fg_status *st)
{
  if (!s->grid) return FG_FAIL(st, FG_USAGE, "a flow on a fixed grid needs a grid");
  if (s->scheme != FG_EULER && s->scheme != FG_HEUN)
    return FG_FAIL(st, FG_USAGE, "scheme %d is unknown: give euler or heun", (int)s->scheme);
  if (!(s->lambda >= 0 && isfinite(s->lambda)))
    return FG_FAIL(st, FG_USAGE, "lambda is %g: give a finite number of at least 0", s->lambda);
  if (s->refine < 0 || s->refine > FG_BRIDGE_LEVELS)
    return FG_FAIL(st, FG_USAGE, "refine is %d: give 0 to %d halvings", s->refine, FG_BRIDGE_LEVELS);
  if (s->tile < 1 || s->tile > 65536)
    return FG_FAIL(st, FG_USAGE, "tile is %zu particles: give 1 to 65536", s->tile);
  if ((log_p || (snapshots && snapshots->log_p)) && s->lambda != 0)
    return FG_FAIL(st, FG_USAGE, "the log-density is carried along the ODE only: lambda is %g, not 0",
                   s->lambda);
  if (snapshots && snapshots->log_p && !log_p)
    return FG_FAIL(st, FG_USAGE, "snapshots of the log-density need the log-density at the start");
  return fg_start_check(n, d, x0, st);
}

/* Noise that nothing else uses: numbers beyond the counter's room would wrap around. */
static fg_code fg_fixed_check_noise(const fg_fixed_settings *s, uint32_t stream, uint64_t first, size_t n,
                                    fg_status *st)
{
  const uint64_t particles = (uint64_t)1 << 48;
  uint32_t most = (FG_STREAMS - 1 - fg_bridge_stream(FG_STREAM_NOISE, FG_BRIDGE_LEVELS)) / FG_STREAMS_APART;
  uint32_t place = stream % FG_STREAMS_APART;
  if (n > particles || first > particles - n)
    return FG_FAIL(st, FG_USAGE, "particles %llu and %zu more: their numbers must stay below 2^48",
                   (unsigned long long)first, n);
  if (stream >= FG_STREAMS)
    return FG_FAIL(st, FG_USAGE, "stream is %u: give a number below %d", stream, FG_STREAMS);
  if (place > FG_STREAM_BRIDGE && place <= FG_STREAM_BRIDGE + FG_BRIDGE_LEVELS)
    return FG_FAIL(st, FG_USAGE, "stream %u refines the path of stream %u: give another number", stream,
                   stream / FG_STREAMS_APART + FG_STREAM_NOISE);
  if (stream >= FG_STREAM_PRIOR && stream <= FG_STREAM_DIRECTIONS)
    return FG_FAIL(st, FG_USAGE,
                   "stream %u gives starts, targets or subsamples: give another number than %d to %d", stream,
                   FG_STREAM_PRIOR, FG_STREAM_DIRECTIONS);
  if (s->refine > 0 && (stream < FG_STREAM_NOISE || stream > most + FG_STREAM_NOISE))
    return FG_FAIL(st, FG_USAGE, "stream %u has no streams for the refined path: give %d to %u", stream,
                   FG_STREAM_NOISE, most + FG_STREAM_NOISE);
  return FG_OK;
}

/* Each time must be a node of the refined grid, to 1e-12 T. */
static fg_code fg_fixed_snapshots(fg_fixed_run *run, const fg_snapshots *snapshots, fg_status *st)
{
  const fg_simulate_request *r = &run->request;
  double tolerance = 1e-12 * fg_process_horizon(fg_model_process(run->model));
  size_t node = 0;
  for (size_t s = 0; s < snapshots->count; s++) {
    double t = snapshots->t[s];
    if (s > 0 && !(t < snapshots->t[s - 1]))
      return FG_FAIL(st, FG_USAGE, "snapshot times must decrease: %g follows %g", t, snapshots->t[s - 1]);
    while (node <= r->steps && r->coeff[node].t > t + tolerance) node++;
    if (node > r->steps || !(fabs(r->coeff[node].t - t) <= tolerance))
      return FG_FAIL(st, FG_USAGE, "the snapshot time %.17g is no node of the grid (%.9g to %.9g, %zu steps)",
                     t, r->coeff[0].t, r->coeff[r->steps].t, r->steps);
    run->snapshot_step[s] = node;
  }
  return FG_OK;
}

static fg_code fg_fixed_grid(fg_fixed_run *run, const fg_grid *grid, int refine, fg_status *st)
{
  fg_grid *refined = NULL;
  const fg_process *process = fg_model_process(run->model);
  FG_TRY(fg_start_time_check(process, fg_grid_times(grid)[0], st));
  if (refine > 0) FG_TRY(fg_grid_refine(grid, refine, &refined, st));
  const fg_grid *used = refine > 0 ? refined : grid;
  const double *t = fg_grid_times(used);
  size_t steps = fg_grid_steps(used);
  run->coeff = malloc((steps + 1) * sizeof *run->coeff);
  for (size_t k = 0; run->coeff && k <= steps; k++) run->coeff[k] = fg_process_coeff(process, t[k]);
  fg_grid_destroy(&refined);
  if (!run->coeff) return FG_FAIL(st, FG_MEMORY, "no memory for a grid of %zu steps", steps);
  run->request.coeff = run->coeff;
  run->request.steps = steps;
  return FG_OK;
}

/* Engine memory and host staging for one chunk. */
static fg_code fg_fixed_allocate(fg_fixed_run *run, size_t n, const double *log_p,
                                 const fg_snapshots *snapshots, fg_status *st)
{
  fg_engine *e = run->engine;
  fg_simulate_request *r = &run->request;
  size_t d = (size_t)run->field->d, states = 1 + (snapshots ? snapshots->count : 0);
  size_t chunk = FG_CHUNK_NUMBERS / (d * states) / r->tile * r->tile;
  if (chunk < r->tile) chunk = r->tile;
  if (chunk > n) chunk = n;
  size_t numbers = chunk * sizeof(double);
  run->chunk = chunk;
  run->lost = malloc(chunk * sizeof *run->lost);
  if (!run->lost) return FG_FAIL(st, FG_MEMORY, "no memory for %zu particles", chunk);
  FG_TRY(e->ops->alloc(e, numbers * d, &r->x, st));
  FG_TRY(e->ops->alloc(e, chunk * sizeof *run->lost, &r->lost_step, st));
  if (log_p) FG_TRY(e->ops->alloc(e, numbers, &r->log_p, st));
  if (!snapshots || snapshots->count == 0) return FG_OK;
  run->snapshot_step = malloc(snapshots->count * sizeof *run->snapshot_step);
  if (!run->snapshot_step) return FG_FAIL(st, FG_MEMORY, "no memory for %zu snapshots", snapshots->count);
  FG_TRY(fg_fixed_snapshots(run, snapshots, st));
  r->snapshots = snapshots->count;
  r->snapshot_step = run->snapshot_step;
  FG_TRY(e->ops->alloc(e, numbers * d * snapshots->count, &r->snapshot_x, st));
  if (snapshots->log_p) FG_TRY(e->ops->alloc(e, numbers * snapshots->count, &r->snapshot_log_p, st));
  return FG_OK;
}

static void fg_fixed_count_lost(const fg_fixed_run *run, fg_flow_report *report)
{
  for (size_t i = 0; i < run->request.n; i++) {
    if (run->lost[i] < 0) continue;
    report->lost++;
    if (report->lost_named == FG_LOST_NAMED) continue;
    report->named[report->lost_named].particle = run->request.first + i;
    report->named[report->lost_named].t = run->coeff[run->lost[i]].t;
    report->lost_named++;
  }
}

/* Particles at .. at + request.n - 1 of n. */
static fg_code fg_fixed_chunk(fg_fixed_run *run, size_t at, size_t n, const double *x0, double *x1,
                              double *log_p, const fg_snapshots *snapshots, fg_flow_report *report,
                              fg_status *st)
{
  fg_engine *e = run->engine;
  fg_simulate_request *r = &run->request;
  size_t d = (size_t)run->field->d, one = r->n * sizeof(double);
  FG_TRY(e->ops->upload(e, r->x, 0, x0 + at * d, one * d, st));
  if (log_p) FG_TRY(e->ops->upload(e, r->log_p, 0, log_p + at, one, st));
  FG_TRY(e->ops->simulate(e, e->threads, run->field, r, st));
  FG_TRY(e->ops->download(e, x1 + at * d, r->x, 0, one * d, st));
  if (log_p) FG_TRY(e->ops->download(e, log_p + at, r->log_p, 0, one, st));
  FG_TRY(e->ops->download(e, run->lost, r->lost_step, 0, r->n * sizeof *run->lost, st));
  for (size_t s = 0; s < r->snapshots; s++) {
    FG_TRY(e->ops->download(e, snapshots->x + (s * n + at) * d, r->snapshot_x, s * one * d, one * d, st));
    if (snapshots->log_p)
      FG_TRY(e->ops->download(e, snapshots->log_p + s * n + at, r->snapshot_log_p, s * one, one, st));
  }
  fg_fixed_count_lost(run, report);
  report->tiles += (r->n + r->tile - 1) / r->tile;
  return FG_OK;
}

static void fg_fixed_release(fg_fixed_run *run)
{
  fg_engine *e = run->engine;
  fg_simulate_request *r = &run->request;
  fg_buf *bufs[] = {&r->x, &r->log_p, &r->lost_step, &r->snapshot_x, &r->snapshot_log_p};
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) e->ops->free(e, bufs[i]);
  free(run->coeff);
  free(run->snapshot_step);
  free(run->lost);
}

fg_code fg_flow_fixed(const fg_model *model, const fg_fixed_settings *settings, uint64_t seed,
                      uint32_t stream, uint64_t first, size_t n, const double *x0, double *x1, double *log_p,
                      const fg_snapshots *snapshots, const fg_progress *progress, fg_flow_report *report,
                      fg_status *st)
{
  fg_field field = *fg_model_field(model);
  fg_fixed_run run = {.model = model, .field = &field, .engine = fg_model_engine(model)};
  fg_simulate_request *r = &run.request;
  double start = fg_seconds();
  fg_flow_report unused;
  fg_code rc = FG_OK;
  if (!report) report = &unused;
  memset(report, 0, sizeof *report);
  FG_TRY(fg_fixed_check(settings, n, x0, (size_t)run.field->d, log_p, snapshots, st));
  FG_TRY(fg_fixed_check_noise(settings, stream, first, n, st));
  FG_TRY(fg_model_flow_field(model, settings->lambda, &field, st));
  if (n == 0) return FG_OK;
  if (!run.engine->ops->simulate) return fg_engine_lacks(run.engine, "simulate", st);
  r->precision = settings->precision;
  r->tile = settings->tile;
  r->seed = seed;
  r->stream = stream;
  r->scheme = (int)settings->scheme;
  r->lambda = settings->lambda;
  r->last_step_noise = settings->last_step_noise;
  r->refine = settings->refine;
  run.outer = progress;
  run.total = (double)n;
  run.progress.report = fg_fixed_progress;
  run.progress.user = &run;
  run.progress.cancel = progress ? progress->cancel : NULL;
  r->progress = &run.progress;
  FG_GO(fg_fixed_grid(&run, settings->grid, settings->refine, st), done);
  FG_GO(fg_fixed_allocate(&run, n, log_p, snapshots, st), done);
  report->steps = r->steps;
  for (size_t at = 0; at < n; at += run.chunk) {
    r->n = n - at < run.chunk ? n - at : run.chunk;
    r->first = first + at;
    run.done = (double)at;
    FG_GO(fg_fixed_chunk(&run, at, n, x0, x1, log_p, snapshots, report, st), done);
  }
  report->rhs_evaluations = report->tiles * r->steps * (settings->scheme == FG_HEUN ? 2 : 1);
done:
  report->seconds = fg_seconds() - start;
  fg_fixed_release(&run);
  return rc;
}

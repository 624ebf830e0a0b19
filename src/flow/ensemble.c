#include "flow/ensemble.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sde/coeff.h"

enum {
  FG_ENSEMBLE_NUMBERS = 1 << 22, /* of all states of a chunk: 32 MB */
  FG_ENSEMBLE_ORDER = 5
};

/* A chunk of particles goes to the engine at a time, so that memory stays bounded whatever their number. */
typedef struct fg_ensemble_call {
  const fg_ode_problem *problem;
  fg_ensemble_request request;
  size_t chunk, tiles; /* most particles and tiles of a chunk */
  double *t;           /* what came back of a chunk */
  int32_t *end;
  uint32_t *counts, *bin;
  uint64_t steps, failures, rhs, lost;
  uint64_t bin_steps[FG_ODE_BINS], bin_rhs[FG_ODE_BINS];
  fg_flow_report *report; /* names of lost particles */
  fg_progress progress;   /* what the engine reports to */
  double done;            /* particles of earlier chunks */
} fg_ensemble_call;

static void fg_ensemble_progress(void *user, const char *stage, double done, double total)
{
  const fg_ensemble_call *call = user;
  (void)total;
  fg_progress_report(call->problem->progress, stage, call->done + done, (double)call->problem->n);
}

static void fg_ensemble_ask(fg_ensemble_call *call)
{
  const fg_ode_problem *p = call->problem;
  fg_ensemble_request *r = &call->request;
  r->precision = p->settings->precision;
  r->process = *fg_process_formula(p->process);
  r->t0 = p->t0;
  r->t1 = p->t1;
  r->rtol = p->settings->rtol;
  r->atol = p->settings->atol;
  r->max_steps = p->settings->max_steps;
  r->least_step = fg_ode_least_step(p);
  r->bins = p->bins_per_log > 0 ? FG_ODE_BINS : 0;
  r->bin_low = p->bin_low;
  r->bins_per_log = p->bins_per_log;
  r->snapshots = p->snapshots ? p->snapshots->count : 0;
  r->snapshot_t = p->snapshots ? p->snapshots->t : NULL;
  call->progress.report = fg_ensemble_progress;
  call->progress.user = call;
  call->progress.cancel = p->progress ? p->progress->cancel : NULL;
  r->progress = &call->progress;
}

/* Engine memory and what its counts come back to, for one chunk. */
static fg_code fg_ensemble_allocate(fg_ensemble_call *call, fg_status *st)
{
  const fg_ode_problem *p = call->problem;
  fg_engine *e = p->engine;
  fg_ensemble_request *r = &call->request;
  const size_t parts = p->d + (p->log_p ? 1 : 0);
  size_t chunk = FG_ENSEMBLE_NUMBERS / (parts * (1 + r->snapshots)) / FG_ENSEMBLE_TILE * FG_ENSEMBLE_TILE;
  if (chunk < FG_ENSEMBLE_TILE) chunk = FG_ENSEMBLE_TILE;
  if (chunk > p->n) chunk = p->n;
  const size_t one = chunk * sizeof(double), counts = chunk * FG_ENSEMBLE_COUNTS * sizeof(uint32_t);
  call->chunk = chunk;
  call->tiles = (chunk + FG_ENSEMBLE_TILE - 1) / FG_ENSEMBLE_TILE;
  const size_t bins = call->tiles * 2 * (size_t)r->bins * sizeof(uint32_t);
  call->t = malloc(one);
  call->end = malloc(chunk * sizeof *call->end);
  call->counts = malloc(counts);
  call->bin = malloc(bins + 1);
  if (!call->t || !call->end || !call->counts || !call->bin)
    return FG_FAIL(st, FG_MEMORY, "no memory for %zu particles of the ODE", chunk);
  FG_TRY(e->ops->alloc(e, one * p->d, &r->x, st));
  if (p->log_p) FG_TRY(e->ops->alloc(e, one, &r->log_p, st));
  FG_TRY(e->ops->alloc(e, one, &r->t, st));
  FG_TRY(e->ops->alloc(e, chunk * sizeof *call->end, &r->end, st));
  FG_TRY(e->ops->alloc(e, counts, &r->counts, st));
  FG_TRY(e->ops->alloc(e, bins, &r->bin, st));
  if (r->snapshots == 0) return FG_OK;
  FG_TRY(e->ops->alloc(e, one * p->d * r->snapshots, &r->snapshot_x, st));
  if (p->log_p && p->snapshots->log_p) FG_TRY(e->ops->alloc(e, one * r->snapshots, &r->snapshot_log_p, st));
  return FG_OK;
}

static void fg_ensemble_release(fg_ensemble_call *call)
{
  fg_engine *e = call->problem->engine;
  fg_ensemble_request *r = &call->request;
  fg_buf *bufs[] = {&r->x,      &r->log_p, &r->t,          &r->end,
                    &r->counts, &r->bin,   &r->snapshot_x, &r->snapshot_log_p};
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) e->ops->free(e, bufs[i]);
  free(call->t);
  free(call->end);
  free(call->counts);
  free(call->bin);
}

/* Add up what the chunk that begins at particle `at` cost, and name those that did not arrive. */
static void fg_ensemble_count_chunk(fg_ensemble_call *call, size_t at)
{
  const size_t n = call->request.n, bins = (size_t)call->request.bins;
  const size_t tiles = (n + FG_ENSEMBLE_TILE - 1) / FG_ENSEMBLE_TILE;
  for (size_t i = 0; i < n; i++) {
    const uint32_t *counts = call->counts + i * FG_ENSEMBLE_COUNTS;
    call->steps += counts[0];
    call->failures += counts[1];
    call->rhs += counts[2];
    if (call->end[i] == FG_ENSEMBLE_ARRIVED) continue;
    call->lost++;
    if (call->report->lost_named < FG_LOST_NAMED)
      call->report->named[call->report->lost_named++] = (fg_lost){at + i, call->t[i]};
  }
  for (size_t k = 0; k < tiles; k++)
    for (size_t b = 0; b < bins; b++) {
      call->bin_steps[b] += call->bin[2 * k * bins + b];
      call->bin_rhs[b] += call->bin[(2 * k + 1) * bins + b];
    }
}

static fg_code fg_ensemble_chunk(fg_ensemble_call *call, size_t at, fg_status *st)
{
  const fg_ode_problem *p = call->problem;
  const fg_snapshots *kept = p->snapshots;
  fg_engine *e = p->engine;
  fg_ensemble_request *r = &call->request;
  const size_t d = p->d, n = r->n, one = n * sizeof(double);
  const size_t tiles = (n + FG_ENSEMBLE_TILE - 1) / FG_ENSEMBLE_TILE;
  FG_TRY(e->ops->upload(e, r->x, 0, p->x0 + at * d, one * d, st));
  if (p->log_p) FG_TRY(e->ops->upload(e, r->log_p, 0, p->log_p + at, one, st));
  FG_TRY(e->ops->ensemble(e, e->threads, p->field, r, st));
  FG_TRY(e->ops->download(e, p->x1 + at * d, r->x, 0, one * d, st));
  if (p->log_p) FG_TRY(e->ops->download(e, p->log_p + at, r->log_p, 0, one, st));
  FG_TRY(e->ops->download(e, call->t, r->t, 0, one, st));
  FG_TRY(e->ops->download(e, call->end, r->end, 0, n * sizeof *call->end, st));
  FG_TRY(e->ops->download(e, call->counts, r->counts, 0, n * FG_ENSEMBLE_COUNTS * sizeof *call->counts, st));
  FG_TRY(e->ops->download(e, call->bin, r->bin, 0, tiles * 2 * (size_t)r->bins * sizeof *call->bin, st));
  for (size_t s = 0; s < r->snapshots; s++) {
    FG_TRY(e->ops->download(e, kept->x + (s * p->n + at) * d, r->snapshot_x, s * one * d, one * d, st));
    if (r->snapshot_log_p.device)
      FG_TRY(e->ops->download(e, kept->log_p + s * p->n + at, r->snapshot_log_p, s * one, one, st));
  }
  return FG_OK;
}

static void fg_ensemble_fill(const fg_ensemble_call *call, fg_flow_report *report)
{
  const fg_ode_problem *p = call->problem;
  report->steps = call->steps;
  report->rhs_evaluations = call->rhs;
  report->error_test_failures = call->failures;
  report->lost = call->lost;
  report->tiles = p->n;
  report->bins = (size_t)call->request.bins;
  for (size_t b = 0; b < report->bins; b++) {
    report->bin_t[b] = exp(p->bin_low + ((double)b + 0.5) / p->bins_per_log);
    report->bin_steps[b] = (double)call->bin_steps[b] / (double)p->n;
    report->bin_rhs[b] = (double)call->bin_rhs[b] / (double)p->n;
    report->bin_order[b] = call->bin_steps[b] ? FG_ENSEMBLE_ORDER : 0;
  }
}

fg_code fg_ensemble_run(const fg_ode_problem *problem, fg_flow_report *report, fg_status *st)
{
  fg_ensemble_call call;
  fg_code rc = FG_OK;
  memset(&call, 0, sizeof call);
  call.problem = problem;
  call.report = report;
  fg_ensemble_ask(&call);
  FG_GO(fg_ensemble_allocate(&call, st), done);
  for (size_t at = 0; at < problem->n; at += call.chunk) {
    call.request.n = problem->n - at < call.chunk ? problem->n - at : call.chunk;
    call.done = (double)at;
    FG_GO(fg_ensemble_chunk(&call, at, st), done);
    fg_ensemble_count_chunk(&call, at);
  }
  fg_ensemble_fill(&call, report);
done:
  fg_ensemble_release(&call);
  return rc;
}

/* Samples and directions in the memory of an engine, for its slot `slices`. */
#include "analysis/transport/slices.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- buffers ------------------------------------------------------------------------- */

fg_code fg_slice_place(fg_engine *engine, size_t bytes, void *host, fg_buf *buf, fg_status *st)
{
  if (engine) return engine->ops->alloc(engine, bytes, buf, st);
  *buf = (fg_buf){host, bytes};
  return FG_OK;
}

fg_code fg_slice_send(fg_engine *engine, fg_buf buf, const void *host, size_t bytes, fg_status *st)
{
  return engine ? engine->ops->upload(engine, buf, 0, host, bytes, st) : FG_OK;
}

fg_code fg_slice_fetch(fg_engine *engine, void *host, fg_buf buf, size_t bytes, fg_status *st)
{
  return engine ? engine->ops->download(engine, host, buf, 0, bytes, st) : FG_OK;
}

fg_code fg_slice_upload(fg_engine *engine, size_t bytes, void *host, fg_buf *buf, fg_status *st)
{
  FG_TRY(fg_slice_place(engine, bytes, host, buf, st));
  return fg_slice_send(engine, *buf, host, bytes, st);
}

void fg_slice_free(fg_engine *engine, fg_buf *buf)
{
  if (engine && buf->device) engine->ops->free(engine, buf);
  *buf = (fg_buf){NULL, 0};
}

/* ---- a pair -------------------------------------------------------------------------- */

static int fg_all_equal(size_t n, const int64_t *mass)
{
  for (size_t i = 1; i < n; i++)
    if (mass[i] != mass[0]) return 0;
  return 1;
}

static fg_code fg_slicer_upload(fg_slicer *s, const fg_pair *pair, fg_status *st)
{
  fg_engine *e = s->engine;
  fg_slices_request *r = &s->request;
  const size_t n = pair->n, m = pair->m, d = pair->d;
  FG_TRY(fg_slice_upload(e, n * d * sizeof *pair->x, pair->x, &r->x, st));
  FG_TRY(fg_slice_upload(e, m * d * sizeof *pair->y, pair->y, &r->y, st));
  FG_TRY(fg_slice_upload(e, n * sizeof *pair->mass_x, pair->mass_x, &r->mass_x, st));
  FG_TRY(fg_slice_upload(e, m * sizeof *pair->mass_y, pair->mass_y, &r->mass_y, st));
  FG_TRY(fg_slice_place(e, s->most * d * sizeof *s->direction, s->direction, &r->direction, st));
  FG_TRY(fg_slice_place(e, s->most * sizeof *s->cost, s->cost, &r->cost, st));
  return s->gradient ? fg_slice_place(e, s->most * d * sizeof *s->gradient, s->gradient, &r->gradient, st)
                     : FG_OK;
}

fg_code fg_slicer_create(fg_engine *engine, fg_threads *threads, const fg_pair *pair, size_t most,
                         bool gradients, fg_slicer *slicer, fg_status *st)
{
  const size_t d = pair->d;
  memset(slicer, 0, sizeof *slicer);
  if (engine && !engine->ops->slices) return fg_engine_lacks(engine, "sort along lines", st);
  slicer->engine = engine;
  slicer->threads = threads;
  slicer->most = most < FG_SLICES_BATCH ? most : FG_SLICES_BATCH;
  slicer->request = (fg_slices_request){.n = pair->n, .m = pair->m, .d = d, .total = pair->total};
  slicer->request.alike = fg_all_equal(pair->n, pair->mass_x) && fg_all_equal(pair->m, pair->mass_y);
  slicer->direction = calloc(slicer->most * d, sizeof *slicer->direction);
  slicer->cost = calloc(slicer->most, sizeof *slicer->cost);
  if (gradients) slicer->gradient = calloc(slicer->most * d, sizeof *slicer->gradient);
  fg_code rc = FG_OK;
  if (!slicer->direction || !slicer->cost || (gradients && !slicer->gradient))
    rc = FG_FAIL(st, FG_MEMORY, "no memory for %zu directions of dimension %zu", slicer->most, d);
  if (rc == FG_OK) rc = fg_slicer_upload(slicer, pair, st);
  if (rc != FG_OK) fg_slicer_destroy(slicer);
  return rc;
}

void fg_slicer_destroy(fg_slicer *slicer)
{
  fg_slices_request *r = &slicer->request;
  fg_buf *const bufs[] = {&r->x, &r->y, &r->mass_x, &r->mass_y, &r->direction, &r->cost, &r->gradient, NULL};
  for (size_t k = 0; bufs[k]; k++) fg_slice_free(slicer->engine, bufs[k]);
  free(slicer->direction);
  free(slicer->cost);
  free(slicer->gradient);
  memset(slicer, 0, sizeof *slicer);
}

fg_code fg_slicer_run(fg_slicer *slicer, size_t count, const double *least, const fg_progress *progress,
                      fg_status *st)
{
  fg_engine *e = slicer->engine;
  fg_slices_request r = slicer->request;
  const size_t d = r.d;
  r.directions = count;
  r.progress = progress;
  r.least = least;
  if (!least) r.gradient = (fg_buf){NULL, 0};
  FG_TRY(fg_slice_send(e, r.direction, slicer->direction, count * d * sizeof *slicer->direction, st));
  FG_TRY(e ? e->ops->slices(e, slicer->threads, &r, st) : fg_slices_on_host(slicer->threads, &r, st));
  FG_TRY(fg_slice_fetch(e, slicer->cost, r.cost, count * sizeof *slicer->cost, st));
  return least ? fg_slice_fetch(e, slicer->gradient, r.gradient, count * d * sizeof *slicer->gradient, st)
               : FG_OK;
}

/* ---- progress ------------------------------------------------------------------------ */

static void fg_slice_report(void *user, const char *stage, double done, double total)
{
  fg_slice_relay *relay = user;
  (void)stage;
  (void)total;
  relay->done = relay->before + (size_t)done;
  fg_progress_report(relay->to, relay->stage, (double)relay->done, (double)relay->total);
}

fg_progress fg_slice_progress(fg_slice_relay *relay)
{
  relay->done = relay->before;
  return (fg_progress){fg_slice_report, relay, relay->to ? relay->to->cancel : NULL};
}

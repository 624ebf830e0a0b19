/* Particles along the ODE by steps of their own: the whole way of a tile in one block, tiles in waves of blocks, shared
 * by the devices. */
#include <string.h>

#include "cuda/ensemble.cuh"

typedef struct fg_ensemble_work {
  const fg_cuda_ensemble_table *table;
  const fg_field *field;
  const fg_ensemble_request *request;
} fg_ensemble_work;

/* Counts by bins are of tiles, not of particles. */
static fg_code fg_ensemble_bins(fg_cuda_part *part, fg_ensemble_request *r, fg_status *st)
{
  const size_t each = 2 * (size_t)r->bins * sizeof(uint32_t), at = part->first * each;
  char *home = (char *)r->bin.device;
  void *here;
  if (part->home || !home || each == 0) return FG_OK;
  FG_TRY(fg_cuda_piece(&part->pieces, r->bin.bytes, NULL, &here, st));
  r->bin.device = here;
  return fg_cuda_twin_return(part, home + at, (char *)here + at, (part->end - part->first) * each, st);
}

static fg_code fg_ensemble_twins(fg_cuda_part *part, fg_ensemble_request *r, size_t d, fg_status *st)
{
  const size_t one = sizeof(double);
  FG_TRY(fg_cuda_twin_rows(part, &r->x, d * one, 1, FG_TWIN_BOTH, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->log_p, one, 1, FG_TWIN_BOTH, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->t, one, 1, FG_TWIN_OUT, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->end, sizeof(int32_t), 1, FG_TWIN_OUT, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->counts, FG_ENSEMBLE_COUNTS * sizeof(uint32_t), 1, FG_TWIN_OUT, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->snapshot_x, d * one, r->snapshots, FG_TWIN_OUT, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->snapshot_log_p, one, r->snapshots, FG_TWIN_OUT, st));
  return fg_ensemble_bins(part, r, st);
}

/* Between waves a stop is noticed and what is done is reported. */
static fg_code fg_ensemble_part(fg_cuda_part *part, void *argument, fg_status *st)
{
  const fg_ensemble_work *work = (const fg_ensemble_work *)argument;
  fg_ensemble_request r = *work->request;
  fg_field f = *work->field;
  const size_t each = fg_cuda_share(work->table->scratch(&f, &r));
  void *times, *scratch;
  unsigned at_once;
  r.progress = NULL; /* host memory */
  FG_TRY(fg_cuda_twin_field(part, &f, st));
  FG_TRY(fg_ensemble_twins(part, &r, (size_t)f.d, st));
  FG_TRY(fg_cuda_piece(&part->pieces, r.snapshots * sizeof *r.snapshot_t, r.snapshot_t, &times, st));
  r.snapshot_t = (const double *)times;
  FG_TRY(fg_cuda_part_wave(part, "ensemble", each, &at_once, &scratch, st));
  for (size_t tile = part->first; tile < part->end; tile += at_once) {
    const unsigned blocks = fg_cuda_now(tile, part->end, at_once);
    if (fg_cuda_crew_stopped(part)) return FG_FAIL(st, FG_INTERRUPTED, "the ODE was stopped on request");
    work->table->carry(&f, &r, tile, blocks, scratch, each);
    FG_TRY(fg_cuda_finish("ensemble", blocks, r.n, st));
    fg_cuda_crew_report(part, tile, blocks);
  }
  return fg_cuda_twins_back(part, st);
}

fg_code fg_cuda_ensemble(fg_engine *e, fg_threads *threads, const fg_field *field,
                         const fg_ensemble_request *request, fg_status *st)
{
  const size_t tiles = (request->n + FG_ENSEMBLE_TILE - 1) / FG_ENSEMBLE_TILE;
  fg_ensemble_work work;
  fg_cuda_crew crew;
  work.table = request->precision == FG_SINGLE ? &fg_cuda_ensemble_single : &fg_cuda_ensemble_double;
  work.field = field;
  work.request = request;
  FG_TRY(fg_ensemble_check(request, st));
  if (request->n == 0) return FG_OK;
  FG_TRY(fg_cuda_crew_open(&crew, e, threads, tiles, FG_ENSEMBLE_TILE, request->n, st));
  crew.progress = request->progress;
  crew.stage = "ode";
  const fg_code rc = fg_cuda_crew_run(&crew, fg_ensemble_part, &work, st);
  fg_cuda_crew_close(&crew);
  return rc;
}

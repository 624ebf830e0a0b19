/* Particles along the ODE by steps of their own: the whole way of a range of tiles in one block, ranges in waves of blocks,
 * shared by the devices. */
#include <string.h>

#include "cuda/ensemble.cuh"
#include "requests.h"

/* Ranges for each processor: a block of a network fills one, of a mixture's many run on it. A long range has few places
 * that wait at its end. */
enum { FG_RANGE_MOST = 16, FG_RANGES_NETWORK = 4, FG_RANGES_MIXTURE = 16 };

typedef struct fg_ensemble_work {
  const fg_cuda_ensemble_table *table;
  const fg_field *field;
  const fg_ensemble_request *request;
  size_t range; /* particles of a unit: of a block, or with wide networks of a device's share */
  int wide;
} fg_ensemble_work;

/* Counts by bins are of tiles, not of particles. */
static fg_code fg_ensemble_bins(fg_cuda_part *part, fg_ensemble_request *r, fg_status *st)
{
  const size_t each = 2 * (size_t)r->bins * sizeof(uint32_t), tile = FG_ENSEMBLE_TILE;
  const size_t at = part->begin / tile * each, end = (part->finish + tile - 1) / tile * each;
  char *home = (char *)r->bin.device;
  void *here;
  if (part->home || !home || each == 0) return FG_OK;
  FG_TRY(fg_cuda_piece(&part->pieces, r->bin.bytes, NULL, &here, st));
  r->bin.device = here;
  return fg_cuda_twin_return(part, home + at, (char *)here + at, end - at, st);
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
  const size_t each = work->wide ? 0 : fg_cuda_share(work->table->scratch(&f, &r));
  void *times, *scratch;
  unsigned at_once;
  r.progress = NULL; /* host memory */
  FG_TRY(fg_cuda_twin_field(part, &f, st));
  FG_TRY(fg_ensemble_twins(part, &r, (size_t)f.d, st));
  FG_TRY(fg_cuda_piece(&part->pieces, r.snapshots * sizeof *r.snapshot_t, r.snapshot_t, &times, st));
  r.snapshot_t = (const double *)times;
  if (work->wide) {
    FG_TRY(fg_wide_ensemble(part, &f, &r, st));
    return fg_cuda_twins_back(part, st);
  }
  FG_TRY(fg_cuda_part_wave(part, "ensemble", each, &at_once, &scratch, st));
  for (size_t first = part->first; first < part->end; first += at_once) {
    const unsigned blocks = fg_cuda_now(first, part->end, at_once);
    if (fg_cuda_crew_stopped(part)) return FG_FAIL(st, FG_INTERRUPTED, "the ODE was stopped on request");
    work->table->carry(&f, &r, work->range, first, blocks, scratch, each);
    FG_TRY(fg_cuda_finish("ensemble", blocks, r.n, st));
    fg_cuda_crew_report(part, first, blocks);
  }
  return fg_cuda_twins_back(part, st);
}

static size_t fg_ensemble_range(const fg_engine *e, const fg_field *field, size_t n)
{
  const fg_cuda *cuda = fg_cuda_of(e);
  const size_t processors = (size_t)(cuda->device[0].processors * cuda->devices);
  const size_t ranges =
      processors * (field->kind == FG_FIELD_NETWORK ? FG_RANGES_NETWORK : FG_RANGES_MIXTURE);
  const size_t share = ranges ? n / FG_ENSEMBLE_TILE / ranges : 1;
  return FG_ENSEMBLE_TILE * (share < 1 ? 1 : share > FG_RANGE_MOST ? (size_t)FG_RANGE_MOST : share);
}

fg_code fg_cuda_ensemble(fg_engine *e, fg_threads *threads, const fg_field *field,
                         const fg_ensemble_request *request, fg_status *st)
{
  fg_ensemble_work work;
  fg_cuda_crew crew;
  work.table = request->precision == FG_SINGLE ? &fg_cuda_ensemble_single : &fg_cuda_ensemble_double;
  work.field = field;
  work.request = request;
  work.wide = fg_wide_is(field, NULL);
  FG_TRY(fg_ensemble_check(request, st));
  if (request->n == 0) return FG_OK;
  work.range = work.wide ? fg_wide_ensemble_unit(fg_cuda_home(e), field, request)
                         : fg_ensemble_range(e, field, request->n);
  const size_t units = (request->n + work.range - 1) / work.range;
  FG_TRY((work.wide ? fg_cuda_crew_open_waves : fg_cuda_crew_open)(&crew, e, threads, units, work.range,
                                                                   request->n, st));
  crew.progress = request->progress;
  crew.stage = "ode";
  const fg_code rc = fg_cuda_crew_run(&crew, fg_ensemble_part, &work, st);
  fg_cuda_crew_close(&crew);
  return rc;
}

/* Evaluate, simulate and the ODE's right-hand side: coefficients go to the devices, tiles to blocks. */
#include <string.h>

#include "cuda/cuda_impl.h"
#include "cuda/wide.cuh"

const fg_cuda_table *fg_cuda_table_of(fg_precision precision)
{
  return precision == FG_SINGLE ? &fg_cuda_table_single : &fg_cuda_table_double;
}

unsigned fg_cuda_blocks_at_once(size_t tiles, size_t each)
{
  size_t fit = each ? FG_SCRATCH_MOST / each : (size_t)FG_CUDA_BLOCKS;
  if (fit < 1) fit = 1;
  if (fit > FG_CUDA_BLOCKS) fit = FG_CUDA_BLOCKS;
  return (unsigned)(tiles < fit ? tiles : fit);
}

static size_t fg_tiles(size_t n, size_t tile)
{
  return (n + tile - 1) / tile;
}

size_t fg_cuda_share(size_t bytes)
{
  return (bytes + 255) / 256 * 256;
}

typedef struct fg_cuda_work {
  const fg_cuda_table *table;
  const fg_field *field;
  const fg_evaluate_request *evaluate;
  const fg_simulate_request *simulate;
  int wide;     /* by cuBLAS: units are waves */
  size_t tile;  /* particles of one */
  size_t tiles; /* of a unit */
} fg_cuda_work;

/* Units of whole tiles: each a tile, or of a wide network a wave. */
static fg_code fg_work_open(fg_cuda_work *work, fg_cuda_crew *crew, const fg_engine *e,
                            const fg_threads *threads, size_t n, fg_status *st)
{
  const size_t unit = work->tiles * work->tile;
  return work->wide ? fg_cuda_crew_open_waves(crew, e, threads, fg_tiles(n, unit), unit, n, st)
                    : fg_cuda_crew_open(crew, e, threads, fg_tiles(n, unit), unit, n, st);
}

static fg_code fg_evaluate_twins(fg_cuda_part *part, fg_evaluate_request *r, size_t d, fg_status *st)
{
  const size_t one = sizeof(double);
  FG_TRY(fg_cuda_twin_rows(part, &r->x, d * one, 1, FG_TWIN_IN, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->direction, d * one, 1, FG_TWIN_IN, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->phi, one, 1, FG_TWIN_OUT, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->phi_t, one, 1, FG_TWIN_OUT, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->divergence, one, 1, FG_TWIN_OUT, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->residual, one, 1, FG_TWIN_OUT, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->score, d * one, 1, FG_TWIN_OUT, st));
  return fg_cuda_twin_rows(part, &r->jvp, d * one, 1, FG_TWIN_OUT, st);
}

static fg_code fg_evaluate_part(fg_cuda_part *part, void *argument, fg_status *st)
{
  const fg_cuda_work *work = (const fg_cuda_work *)argument;
  fg_evaluate_request r = *work->evaluate;
  fg_field f = *work->field;
  void *coeff, *scratch;
  unsigned at_once;
  FG_TRY(fg_cuda_twin_field(part, &f, st));
  FG_TRY(fg_evaluate_twins(part, &r, (size_t)f.d, st));
  FG_TRY(fg_cuda_piece(&part->pieces, (r.shared_time ? 1 : r.n) * sizeof *r.coeff, r.coeff, &coeff, st));
  r.coeff = (const fg_coeff *)coeff;
  if (work->wide) {
    FG_TRY(fg_wide_evaluate(part, &f, &r, st));
    return fg_cuda_twins_back(part, st);
  }
  const size_t each = fg_cuda_share(work->table->evaluate_scratch(&f, &r));
  FG_TRY(fg_cuda_part_wave(part, "evaluate", each, &at_once, &scratch, st));
  for (size_t tile = part->first; tile < part->end; tile += at_once) {
    const unsigned blocks = fg_cuda_now(tile, part->end, at_once);
    work->table->evaluate(&f, &r, tile * work->tile, blocks, scratch, each);
    FG_TRY(fg_cuda_finish("evaluate", blocks, r.n, st));
  }
  return fg_cuda_twins_back(part, st);
}

fg_code fg_cuda_evaluate(fg_engine *e, fg_threads *threads, const fg_field *field,
                         const fg_evaluate_request *request, fg_status *st)
{
  fg_cuda_work work;
  fg_cuda_crew crew;
  int p;
  memset(&work, 0, sizeof work);
  work.table = fg_cuda_table_of(request->precision);
  work.field = field;
  work.evaluate = request;
  work.tiles = 1;
  if (request->n == 0) return FG_OK;
  work.wide = fg_wide_is(field, NULL);
  if (work.wide)
    work.tiles = fg_wide_evaluate_cut(fg_cuda_home(e), field, request, &p);
  else
    p = work.table->evaluate_tile(field, request);
  work.tile = (size_t)p;
  FG_TRY(fg_work_open(&work, &crew, e, threads, request->n, st));
  const fg_code rc = fg_cuda_crew_run(&crew, fg_evaluate_part, &work, st);
  fg_cuda_crew_close(&crew);
  return fg_cuda_named(rc, "evaluate", st);
}

/* ---- simulate ------------------------------------------------------------------------------------ */

static fg_code fg_simulate_twins(fg_cuda_part *part, fg_simulate_request *r, size_t d, fg_status *st)
{
  const size_t one = sizeof(double);
  FG_TRY(fg_cuda_twin_rows(part, &r->x, d * one, 1, FG_TWIN_BOTH, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->log_p, one, 1, FG_TWIN_BOTH, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->lost_step, sizeof(int32_t), 1, FG_TWIN_OUT, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->snapshot_x, d * one, r->snapshots, FG_TWIN_OUT, st));
  return fg_cuda_twin_rows(part, &r->snapshot_log_p, one, r->snapshots, FG_TWIN_OUT, st);
}

/* Rows of all steps, or none: a table that is too large is computed tile by tile. */
static fg_code fg_simulate_rows(fg_cuda_part *part, const fg_cuda_table *table, const fg_field *f,
                                const fg_simulate_request *r, void **rows, fg_status *st)
{
  const size_t bytes = table->rows_bytes(f, r->steps + 1);
  *rows = NULL;
  if (bytes > FG_SCRATCH_MOST) return FG_OK;
  const fg_code rc = fg_cuda_piece(&part->pieces, bytes, NULL, rows, st);
  if (rc == FG_MEMORY) fg_status_clear(st);
  if (rc != FG_OK) return rc == FG_MEMORY ? FG_OK : rc;
  table->rows(f, r, r->steps + 1, *rows);
  return fg_cuda_finish("rows", fg_tiles(r->steps + 1, FG_CUDA_TILE), r->n, st);
}

static fg_code fg_simulate_part(fg_cuda_part *part, void *argument, fg_status *st)
{
  const fg_cuda_work *work = (const fg_cuda_work *)argument;
  fg_simulate_request r = *work->simulate;
  fg_field f = *work->field;
  void *coeff, *steps, *rows, *scratch;
  unsigned at_once;
  r.progress = NULL; /* host memory */
  FG_TRY(fg_cuda_twin_field(part, &f, st));
  FG_TRY(fg_simulate_twins(part, &r, (size_t)f.d, st));
  FG_TRY(fg_cuda_piece(&part->pieces, (r.steps + 1) * sizeof *r.coeff, r.coeff, &coeff, st));
  FG_TRY(fg_cuda_piece(&part->pieces, r.snapshots * sizeof *r.snapshot_step, r.snapshot_step, &steps, st));
  r.coeff = (const fg_coeff *)coeff;
  r.snapshot_step = (const size_t *)steps;
  FG_TRY(fg_simulate_rows(part, work->table, &f, &r, &rows, st));
  if (work->wide) {
    FG_TRY(fg_wide_simulate(part, &f, &r, work->simulate, rows, st));
    return fg_cuda_twins_back(part, st);
  }
  const size_t each = fg_cuda_share(work->table->simulate_scratch(&f, &r));
  FG_TRY(fg_cuda_part_wave(part, "simulate", each, &at_once, &scratch, st));
  for (size_t tile = part->first; tile < part->end; tile += at_once) {
    const unsigned blocks = fg_cuda_now(tile, part->end, at_once);
    if (fg_cuda_crew_stopped(part)) return FG_FAIL(st, FG_INTERRUPTED, "the simulation was stopped");
    work->table->simulate(&f, &r, rows, tile * work->tile, blocks, scratch, each);
    FG_TRY(fg_cuda_finish("simulate", blocks, r.n, st));
    fg_cuda_crew_report(part, tile, blocks);
  }
  return fg_cuda_twins_back(part, st);
}

fg_code fg_cuda_simulate(fg_engine *e, fg_threads *threads, const fg_field *field,
                         const fg_simulate_request *request, fg_status *st)
{
  fg_cuda_work work;
  fg_cuda_crew crew;
  int p;
  memset(&work, 0, sizeof work);
  work.table = fg_cuda_table_of(request->precision);
  work.field = field;
  work.simulate = request;
  work.tiles = 1;
  FG_TRY(fg_simulate_check(request, st));
  if (request->n == 0) return FG_OK;
  work.wide = fg_wide_is(field, NULL);
  if (work.wide)
    work.tiles = fg_wide_simulate_cut(fg_cuda_home(e), field, request, &p);
  else
    p = work.table->simulate_tile(field, request);
  work.tile = (size_t)p;
  FG_TRY(fg_work_open(&work, &crew, e, threads, request->n, st));
  crew.progress = request->progress;
  crew.stage = "simulate";
  const fg_code rc = fg_cuda_crew_run(&crew, fg_simulate_part, &work, st);
  fg_cuda_crew_close(&crew);
  return fg_cuda_named(rc, "simulate", st);
}

/* ---- the ODE: at the home of a lane, from as many threads as the solver has ---------------------------------------- */

static fg_code fg_cuda_ode(fg_engine *e, const fg_field *field, const fg_ode_request *r, int jvp,
                           fg_status *st)
{
  const fg_cuda_table *table = fg_cuda_table_of(r->precision);
  const char *kernel = jvp ? "ode_jvp" : "ode_rhs";
  fg_cuda_device *on = fg_cuda_home(e);
  fg_field f = *field;
  if (r->n == 0) return FG_OK;
  if (fg_wide_is(field, NULL)) return fg_wide_ode(on, field, r, jvp, st);
  f.tf32 = on->engine->engine->tf32 == FG_TF32_ON;
  const size_t each = fg_cuda_share(table->ode_scratch(&f, r, jvp));
  const size_t tiles = fg_tiles(r->n, (size_t)table->ode_tile(&f, r, jvp));
  unsigned blocks = fg_cuda_blocks_at_once(tiles, each);
  void *scratch = NULL;
  FG_TRY(fg_cuda_enter(on, st));
  FG_TRY(fg_cuda_take_wave(on, kernel, each, &blocks, &scratch, st));
  table->ode(&f, r, jvp, blocks, scratch, each);
  fg_code rc = fg_cuda_left(kernel, blocks, r->n, st); /* what reads dy comes later on the same stream */
  fg_cuda_give(on, scratch);
  return rc;
}

fg_code fg_cuda_ode_rhs(fg_engine *e, const fg_field *field, const fg_ode_request *request, fg_status *st)
{
  return fg_cuda_ode(e, field, request, 0, st);
}

fg_code fg_cuda_ode_jvp(fg_engine *e, const fg_field *field, const fg_ode_request *request, fg_status *st)
{
  return fg_cuda_ode(e, field, request, 1, st);
}

/* Evaluate, simulate and the ODE's right-hand side: coefficients go to the device, tiles to blocks. */
#include "cuda/cuda_impl.h"

const fg_cuda_table *fg_cuda_table_of(fg_precision precision)
{
  return precision == FG_SINGLE ? &fg_cuda_table_single : &fg_cuda_table_double;
}

unsigned fg_cuda_blocks_at_once(size_t tiles, size_t each)
{
  size_t fit = each > 0 ? FG_SCRATCH_MOST / each : (size_t)FG_CUDA_BLOCKS;
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

/* A device copy of a host array; the caller gives it back. */
static fg_code fg_cuda_copy(const void *host, size_t bytes, void **device, fg_status *st)
{
  FG_TRY(fg_cuda_take(bytes, device, st));
  if (bytes == 0) return FG_OK;
  return fg_cuda_check(cudaMemcpyAsync(*device, host, bytes, cudaMemcpyHostToDevice, cudaStreamPerThread),
                       "cudaMemcpyAsync to the device", bytes, st);
}

fg_code fg_cuda_evaluate(fg_engine *e, fg_threads *threads, const fg_field *field,
                         const fg_evaluate_request *request, fg_status *st)
{
  (void)e;
  (void)threads;
  const fg_cuda_table *table = fg_cuda_table_of(request->precision);
  fg_evaluate_request r = *request;
  if (r.n == 0) return FG_OK;
  const size_t size = (size_t)table->evaluate_tile(field, &r), tiles = fg_tiles(r.n, size);
  const size_t each = fg_cuda_share(table->evaluate_scratch(field, &r));
  const unsigned at_once = fg_cuda_blocks_at_once(tiles, each);
  void *coeff = NULL, *scratch = NULL;
  fg_code rc;
  FG_GO(fg_cuda_copy(r.coeff, (r.shared_time ? 1 : r.n) * sizeof *r.coeff, &coeff, st), done);
  FG_GO(fg_cuda_take(at_once * each, &scratch, st), done);
  r.coeff = (const fg_coeff *)coeff;
  for (size_t tile = 0; tile < tiles; tile += at_once) {
    const unsigned blocks = (unsigned)(tiles - tile < at_once ? tiles - tile : at_once);
    table->evaluate(field, &r, tile * size, blocks, scratch, each);
    FG_GO(fg_cuda_finish("evaluate", blocks, r.n, st), done);
  }
done:
  fg_cuda_give(scratch);
  fg_cuda_give(coeff);
  return rc;
}

/* All tiles, a launch of them at a time. */
static fg_code fg_simulate_tiles(const fg_cuda_table *table, const fg_field *field,
                                 const fg_simulate_request *r, const fg_progress *progress, const void *rows,
                                 fg_status *st)
{
  const size_t size = (size_t)table->simulate_tile(field, r), tiles = fg_tiles(r->n, size);
  const size_t each = fg_cuda_share(table->simulate_scratch(field, r));
  const unsigned at_once = fg_cuda_blocks_at_once(tiles, each);
  void *scratch = NULL;
  fg_code rc = FG_OK;
  FG_TRY(fg_cuda_take(at_once * each, &scratch, st));
  for (size_t tile = 0; tile < tiles; tile += at_once) {
    const unsigned blocks = (unsigned)(tiles - tile < at_once ? tiles - tile : at_once);
    const size_t done = (tile + blocks) * size;
    if (fg_progress_cancelled(progress)) {
      rc = FG_FAIL(st, FG_INTERRUPTED, "the simulation was stopped");
      break;
    }
    table->simulate(field, r, rows, tile * size, blocks, scratch, each);
    FG_GO(fg_cuda_finish("simulate", blocks, r->n, st), done);
    fg_progress_report(progress, "simulate", (double)(done < r->n ? done : r->n), (double)r->n);
  }
done:
  fg_cuda_give(scratch);
  return rc;
}

fg_code fg_cuda_simulate(fg_engine *e, fg_threads *threads, const fg_field *field,
                         const fg_simulate_request *request, fg_status *st)
{
  (void)e;
  (void)threads;
  const fg_cuda_table *table = fg_cuda_table_of(request->precision);
  fg_simulate_request r = *request;
  void *coeff = NULL, *steps = NULL, *rows = NULL;
  fg_code rc;
  FG_TRY(fg_simulate_check(&r, st));
  if (r.n == 0) return FG_OK;
  const size_t bytes = table->rows_bytes(field, r.steps + 1); /* a larger table is computed tile by tile */
  FG_GO(fg_cuda_copy(r.coeff, (r.steps + 1) * sizeof *r.coeff, &coeff, st), done);
  FG_GO(fg_cuda_copy(r.snapshot_step, r.snapshots * sizeof *r.snapshot_step, &steps, st), done);
  r.coeff = (const fg_coeff *)coeff;
  r.snapshot_step = (const size_t *)steps;
  r.progress = NULL; /* host memory */
  if (bytes <= FG_SCRATCH_MOST) {
    FG_GO(fg_cuda_take(bytes, &rows, st), done);
    table->rows(field, &r, r.steps + 1, rows);
    FG_GO(fg_cuda_finish("rows", fg_tiles(r.steps + 1, FG_CUDA_TILE), r.n, st), done);
  }
  rc = fg_simulate_tiles(table, field, &r, request->progress, rows, st);
done:
  fg_cuda_give(rows);
  fg_cuda_give(steps);
  fg_cuda_give(coeff);
  return rc;
}

static fg_code fg_cuda_ode(const fg_field *field, const fg_ode_request *r, int jvp, fg_status *st)
{
  const fg_cuda_table *table = fg_cuda_table_of(r->precision);
  if (r->n == 0) return FG_OK;
  const size_t each = fg_cuda_share(table->ode_scratch(field, r, jvp));
  const size_t tiles = fg_tiles(r->n, (size_t)table->ode_tile(field, r, jvp));
  const unsigned blocks = fg_cuda_blocks_at_once(tiles, each);
  void *scratch = NULL;
  FG_TRY(fg_cuda_take(blocks * each, &scratch, st));
  table->ode(field, r, jvp, blocks, scratch, each);
  fg_code rc = fg_cuda_finish(jvp ? "ode_jvp" : "ode_rhs", blocks, r->n, st);
  fg_cuda_give(scratch);
  return rc;
}

fg_code fg_cuda_ode_rhs(fg_engine *e, const fg_field *field, const fg_ode_request *request, fg_status *st)
{
  (void)e;
  return fg_cuda_ode(field, request, 0, st);
}

fg_code fg_cuda_ode_jvp(fg_engine *e, const fg_field *field, const fg_ode_request *request, fg_status *st)
{
  (void)e;
  return fg_cuda_ode(field, request, 1, st);
}

/* Particles along the ODE by steps of their own: the whole way of a tile in one block, tiles in waves of blocks. */
#include "cuda/ensemble.cuh"

/* Snapshot times go to the device once; between waves a stop is noticed and what is done is reported. */
static fg_code fg_ensemble_waves(const fg_cuda_ensemble_table *table, const fg_field *field,
                                 const fg_ensemble_request *r, const fg_progress *progress, fg_status *st)
{
  const size_t tiles = (r->n + FG_ENSEMBLE_TILE - 1) / FG_ENSEMBLE_TILE;
  const size_t each = fg_cuda_share(table->scratch(field, r));
  const unsigned at_once = fg_cuda_blocks_at_once(tiles, each);
  void *scratch = NULL;
  fg_code rc = FG_OK;
  FG_TRY(fg_cuda_take(at_once * each, &scratch, st));
  for (size_t tile = 0; tile < tiles; tile += at_once) {
    const unsigned blocks = (unsigned)(tiles - tile < at_once ? tiles - tile : at_once);
    const size_t done = (tile + blocks) * FG_ENSEMBLE_TILE;
    if (fg_progress_cancelled(progress)) {
      rc = FG_FAIL(st, FG_INTERRUPTED, "the ODE was stopped on request");
      break;
    }
    table->carry(field, r, tile, blocks, scratch, each);
    FG_GO(fg_cuda_finish("ensemble", blocks, r->n, st), done);
    fg_progress_report(progress, "ode", (double)(done < r->n ? done : r->n), (double)r->n);
  }
done:
  fg_cuda_give(scratch);
  return rc;
}

fg_code fg_cuda_ensemble(fg_engine *e, fg_threads *threads, const fg_field *field,
                         const fg_ensemble_request *request, fg_status *st)
{
  (void)e;
  (void)threads;
  const fg_cuda_ensemble_table *table =
      request->precision == FG_SINGLE ? &fg_cuda_ensemble_single : &fg_cuda_ensemble_double;
  const size_t bytes = request->snapshots * sizeof *request->snapshot_t;
  fg_ensemble_request r = *request;
  void *times = NULL;
  fg_code rc = FG_OK;
  FG_TRY(fg_ensemble_check(&r, st));
  if (r.n == 0) return FG_OK;
  FG_TRY(fg_cuda_take(bytes, &times, st));
  if (bytes > 0)
    FG_GO(fg_cuda_check(
              cudaMemcpyAsync(times, r.snapshot_t, bytes, cudaMemcpyHostToDevice, cudaStreamPerThread),
              "cudaMemcpyAsync to the device", bytes, st),
          done);
  r.snapshot_t = (const double *)times;
  r.progress = NULL; /* host memory */
  rc = fg_ensemble_waves(table, field, &r, request->progress, st);
done:
  fg_cuda_give(times);
  return rc;
}

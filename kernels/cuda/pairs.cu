/* Sums over pairs: tiles of rows go to blocks, their shares are added on the host in the order of the tiles. */
#include <stdlib.h>
#include <string.h>

#include "cuda/cuda_impl.h"

static fg_code fg_pairs_tiles(const fg_cuda_table *table, const fg_pair_sums_request *r, size_t tiles,
                              double *part, const fg_progress *progress, fg_status *st)
{
  const size_t each = fg_cuda_share(table->pairs_scratch(r));
  const unsigned at_once = fg_cuda_blocks_at_once(tiles, each);
  void *scratch = NULL;
  fg_code rc = FG_OK;
  FG_TRY(fg_cuda_take(at_once * each, &scratch, st));
  for (size_t tile = 0; tile < tiles; tile += at_once) {
    const unsigned blocks = (unsigned)(tiles - tile < at_once ? tiles - tile : at_once);
    if (fg_progress_cancelled(progress)) {
      rc = FG_FAIL(st, FG_INTERRUPTED, "the sums over pairs were stopped");
      break;
    }
    table->pairs(r, tile, blocks, part, scratch, each);
    FG_GO(fg_cuda_finish("pair sums", blocks, r->n, st), done);
    fg_progress_report(progress, "pairs", (double)(tile + blocks), (double)tiles);
  }
done:
  fg_cuda_give(scratch);
  return rc;
}

fg_code fg_cuda_pair_sums(fg_engine *e, fg_threads *threads, const fg_pair_sums_request *request,
                          fg_status *st)
{
  (void)e;
  (void)threads;
  const fg_cuda_table *table = fg_cuda_table_of(request->precision);
  fg_pair_sums_request r = *request;
  const size_t rows = (size_t)table->pairs_rows, tiles = (r.n + rows - 1) / rows;
  const size_t bytes = tiles * r.columns * sizeof(double);
  void *part = NULL;
  double *host = NULL;
  fg_code rc;
  FG_TRY(fg_pair_sums_check(&r, st));
  memset(request->sums, 0, r.columns * sizeof(double));
  if (tiles == 0) return FG_OK;
  r.progress = NULL; /* host memory */
  r.sums = NULL;
  host = (double *)malloc(bytes);
  if (!host) return FG_FAIL(st, FG_MEMORY, "no memory for the shares of %zu tiles", tiles);
  FG_GO(fg_cuda_take(bytes, &part, st), done);
  FG_GO(fg_pairs_tiles(table, &r, tiles, (double *)part, request->progress, st), done);
  FG_GO(fg_cuda_check(cudaMemcpyAsync(host, part, bytes, cudaMemcpyDeviceToHost, cudaStreamPerThread),
                      "cudaMemcpyAsync from the device", bytes, st),
        done);
  FG_GO(fg_cuda_check(cudaStreamSynchronize(cudaStreamPerThread), "cudaStreamSynchronize", bytes, st), done);
  for (size_t tile = 0; tile < tiles; tile++)
    for (size_t k = 0; k < r.columns; k++)
      request->sums[k] += (r.within ? 2 : 1) * host[tile * r.columns + k];
done:
  fg_cuda_give(part);
  free(host);
  return rc;
}

/* Sums over pairs of two samples: columns and boxes are prepared, then tiles of rows go to blocks. */
#include "cuda/cuda_impl.h"

static fg_code fg_softmin_tiles(const fg_cuda_table *table, const fg_softmin_request *r,
                                const fg_progress *progress, void *const held[4], fg_status *st)
{
  const size_t tiles = (r->n + FG_CUDA_TILE - 1) / FG_CUDA_TILE;
  for (size_t tile = 0; tile < tiles; tile += FG_CUDA_BLOCKS) {
    const unsigned blocks = (unsigned)(tiles - tile < FG_CUDA_BLOCKS ? tiles - tile : (size_t)FG_CUDA_BLOCKS);
    if (fg_progress_cancelled(progress))
      return FG_FAIL(st, FG_INTERRUPTED, "the sums over pairs were stopped");
    table->softmin(r, held[0], held[1], held[2], tile, blocks, held[3]);
    FG_TRY(fg_cuda_finish("softmin", blocks, r->n, st));
  }
  return FG_OK;
}

fg_code fg_cuda_softmin(fg_engine *e, fg_threads *threads, const fg_softmin_request *request, fg_status *st)
{
  (void)e;
  (void)threads;
  const fg_cuda_table *table =
      request->precision == FG_SINGLE ? &fg_cuda_table_single : &fg_cuda_table_double;
  fg_softmin_request r = *request;
  void *held[4] = {NULL, NULL, NULL, NULL}; /* columns, their boxes, those of the rows, scratch */
  fg_code rc = FG_OK;
  FG_TRY(fg_softmin_check(&r, st));
  r.progress = NULL; /* host memory */
  const size_t blocks = (r.m + FG_SOFTMIN_BLOCK - 1) / FG_SOFTMIN_BLOCK;
  const size_t tiles = (r.n + FG_CUDA_TILE - 1) / FG_CUDA_TILE;
  const size_t at_once = tiles < FG_CUDA_BLOCKS ? tiles : (size_t)FG_CUDA_BLOCKS;
  const size_t bytes[4] = {table->softmin_columns_bytes(&r), table->softmin_boxes_bytes(&r, blocks),
                           table->softmin_boxes_bytes(&r, tiles), at_once * table->softmin_scratch(&r)};
  for (int k = 0; k < 4; k++) FG_GO(fg_cuda_take(bytes[k], &held[k], st), done);
  table->softmin_prepare(&r, held[0], held[1], held[2]);
  FG_GO(fg_cuda_finish("softmin_prepare", blocks, r.n, st), done);
  rc = fg_softmin_tiles(table, &r, request->progress, held, st);
done:
  for (int k = 0; k < 4; k++) fg_cuda_give(held[k]);
  return rc;
}

/* Pricing: columns and boxes are prepared, then tiles of rows go to blocks. In doubles alone, so compiled once. */
#include "cuda/tile.cuh" /* the tile words, before the body */

#include "cuda/cuda_impl.h"
#include "cuda/launch.cuh"

#include "body/price.h"
#include "requests.h"

/* Dynamic shared memory of a block, rows of up to 20 dimensions: beside the block of columns in tile_share it stays below
 * the 48 KiB that every device has. */
enum { FG_PRICE_ROOM = 16 << 10 };

static __global__ void __launch_bounds__(FG_CUDA_TILE)
    fg_price_prepare_kernel(const __grid_constant__ fg_price_request r, double *columns, double *boxes)
{
  fg_price_prepare(&r, blockIdx.x, columns, boxes);
}

/* room: bytes of dynamic shared memory; 0: the block's scratch, `each` bytes, is in device memory. */
static __global__ void __launch_bounds__(FG_CUDA_TILE, 1)
    fg_price_kernel(const __grid_constant__ fg_price_request r, const double *columns, const double *boxes,
                    size_t first, size_t room, char *scratch, size_t each)
{
  const size_t row = (first + blockIdx.x) * FG_CUDA_TILE, left = r.n - row;
  double *own = room ? (double *)FG_DYNAMIC() : (double *)(scratch + blockIdx.x * each);
  fg_price_rows(&r, row, (int)(left < FG_CUDA_TILE ? left : (size_t)FG_CUDA_TILE), columns, boxes, own);
}

static fg_code fg_price_twins(fg_cuda_part *part, fg_price_request *r, fg_status *st)
{
  const size_t one = sizeof(double);
  FG_TRY(fg_cuda_twin_whole(part, &r->y, st));
  FG_TRY(fg_cuda_twin_whole(part, &r->v, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->x, r->d * one, 1, FG_TWIN_IN, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->u, one, 1, FG_TWIN_IN, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->key, r->k * one, 1, FG_TWIN_OUT, st));
  return fg_cuda_twin_rows(part, &r->who, r->k * sizeof(uint32_t), 1, FG_TWIN_OUT, st);
}

static fg_code fg_price_part(fg_cuda_part *part, void *argument, fg_status *st)
{
  fg_price_request r = *(const fg_price_request *)argument;
  const size_t blocks = fg_price_blocks(r.m), one = sizeof(double);
  const size_t bytes = fg_price_scratch(&r, FG_CUDA_TILE) * one, room = bytes <= FG_PRICE_ROOM ? bytes : 0;
  const size_t each = room ? 0 : fg_cuda_share(bytes);
  void *columns, *boxes, *scratch;
  unsigned at_once;
  r.progress = NULL; /* host memory */
  FG_TRY(fg_price_twins(part, &r, st));
  FG_TRY(fg_cuda_piece(&part->pieces, blocks * fg_price_block(&r) * one, NULL, &columns, st));
  FG_TRY(fg_cuda_piece(&part->pieces, blocks * fg_price_box(&r) * one, NULL, &boxes, st));
  FG_LAUNCH(fg_price_prepare_kernel, (unsigned)blocks, FG_CUDA_TILE, r, (double *)columns, (double *)boxes);
  FG_TRY(fg_cuda_started("price_prepare", blocks, r.n, st));
  FG_TRY(fg_cuda_part_wave(part, "price", each, &at_once, &scratch, st));
  for (size_t tile = part->first; tile < part->end; tile += at_once) {
    const unsigned now = fg_cuda_now(tile, part->end, at_once);
    if (fg_cuda_crew_stopped(part)) return FG_FAIL(st, FG_INTERRUPTED, "the pricing of pairs was stopped");
    FG_LAUNCH_SHARED(fg_price_kernel, now, FG_CUDA_TILE, room, FG_PRICE_ROOM, r, (const double *)columns,
                     (const double *)boxes, tile, room, (char *)scratch, each);
    FG_TRY(fg_cuda_finish("price", now, r.n, st));
  }
  return fg_cuda_twins_back(part, st);
}

fg_code fg_cuda_price(fg_engine *e, fg_threads *threads, const fg_price_request *request, fg_status *st)
{
  fg_cuda_crew crew;
  fg_price_request r = *request;
  FG_TRY(fg_price_check(request, st));
  const size_t tiles = (r.n + FG_CUDA_TILE - 1) / FG_CUDA_TILE;
  fg_code rc = fg_cuda_crew_open(&crew, e, threads, tiles, FG_CUDA_TILE, r.n, st);
  crew.progress = request->progress;
  if (rc == FG_OK) rc = fg_cuda_crew_run(&crew, fg_price_part, &r, st);
  fg_cuda_crew_close(&crew);
  return rc;
}

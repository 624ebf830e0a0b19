/* Sums over pairs of two samples: columns and boxes are prepared, then tiles of rows go to blocks. */
#include "cuda/cuda_impl.h"
#include "requests.h"

static fg_code fg_softmin_twins(fg_cuda_part *part, fg_softmin_request *r, fg_status *st)
{
  const size_t one = sizeof(double);
  fg_buf *const whole[] = {&r->x, &r->y, &r->log_b, &r->g}; /* boxes of rows are made of all rows */
  for (int k = 0; k < 4; k++) FG_TRY(fg_cuda_twin_whole(part, whole[k], st));
  FG_TRY(fg_cuda_twin_rows(part, &r->guess, one, 1, FG_TWIN_IN, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->out, one, 1, FG_TWIN_OUT, st));
  return fg_cuda_twin_rows(part, &r->mean, one, 1, FG_TWIN_OUT, st);
}

static fg_code fg_softmin_part(fg_cuda_part *part, void *argument, fg_status *st)
{
  fg_softmin_request r = *(const fg_softmin_request *)argument;
  const fg_cuda_table *table = fg_cuda_table_of(r.precision);
  const size_t blocks = (r.m + FG_SOFTMIN_BLOCK - 1) / FG_SOFTMIN_BLOCK;
  const size_t tiles = (r.n + FG_CUDA_TILE - 1) / FG_CUDA_TILE;
  void *held[3], *scratch; /* columns, their boxes, those of the rows */
  const size_t bytes[3] = {table->softmin_columns_bytes(&r), table->softmin_boxes_bytes(&r, blocks),
                           table->softmin_boxes_bytes(&r, tiles)};
  unsigned at_once;
  r.progress = NULL; /* host memory */
  FG_TRY(fg_softmin_twins(part, &r, st));
  for (int k = 0; k < 3; k++) FG_TRY(fg_cuda_piece(&part->pieces, bytes[k], NULL, &held[k], st));
  table->softmin_prepare(&r, held[0], held[1], held[2]);
  FG_TRY(fg_cuda_finish("softmin_prepare", blocks, r.n, st));
  FG_TRY(fg_cuda_part_wave(part, "softmin", table->softmin_scratch(&r), &at_once, &scratch, st));
  for (size_t tile = part->first; tile < part->end; tile += at_once) {
    const unsigned now = fg_cuda_now(tile, part->end, at_once);
    if (fg_cuda_crew_stopped(part)) return FG_FAIL(st, FG_INTERRUPTED, "the sums over pairs were stopped");
    table->softmin(&r, held[0], held[1], held[2], tile, now, scratch);
    FG_TRY(fg_cuda_finish("softmin", now, r.n, st));
  }
  return fg_cuda_twins_back(part, st);
}

fg_code fg_cuda_softmin(fg_engine *e, fg_threads *threads, const fg_softmin_request *request, fg_status *st)
{
  fg_cuda_crew crew;
  fg_softmin_request r = *request;
  FG_TRY(fg_softmin_check(request, st));
  const size_t tiles = (r.n + FG_CUDA_TILE - 1) / FG_CUDA_TILE;
  fg_code rc = fg_cuda_crew_open(&crew, e, threads, tiles, FG_CUDA_TILE, r.n, st);
  crew.progress = request->progress;
  if (rc == FG_OK) rc = fg_cuda_crew_run(&crew, fg_softmin_part, &r, st);
  fg_cuda_crew_close(&crew);
  return rc;
}

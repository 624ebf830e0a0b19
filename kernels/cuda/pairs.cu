/* Sums over pairs: tiles of rows go to blocks, their shares are added on the host in the order of the tiles. */
#include <stdlib.h>
#include <string.h>

#include "cuda/cuda_impl.h"
#include "requests.h"

typedef struct fg_pairs_job {
  const fg_cuda_table *table;
  const fg_pair_sums_request *request; /* as it came */
  size_t tiles;
  double *host; /* [tiles, columns] */
} fg_pairs_job;

static fg_code fg_pairs_part(fg_cuda_part *part, void *argument, fg_status *st)
{
  const fg_pairs_job *job = (const fg_pairs_job *)argument;
  fg_pair_sums_request r = *job->request;
  const size_t each = fg_cuda_share(job->table->pairs_scratch(&r)), at = part->first * r.columns;
  void *memory, *scratch;
  unsigned at_once;
  r.progress = NULL; /* host memory */
  r.sums = NULL;
  fg_buf *const whole[] = {&r.x, &r.y, &r.a, &r.b};
  for (int k = 0; k < 4; k++) FG_TRY(fg_cuda_twin_whole(part, whole[k], st));
  FG_TRY(fg_cuda_piece(&part->pieces, job->tiles * r.columns * sizeof(double), NULL, &memory, st));
  double *sums = (double *)memory;
  FG_TRY(fg_cuda_part_wave(part, "pair sums", each, &at_once, &scratch, st));
  for (size_t tile = part->first; tile < part->end; tile += at_once) {
    const unsigned blocks = fg_cuda_now(tile, part->end, at_once);
    if (fg_cuda_crew_stopped(part)) return FG_FAIL(st, FG_INTERRUPTED, "the sums over pairs were stopped");
    job->table->pairs(&r, tile, blocks, sums, scratch, each);
    FG_TRY(fg_cuda_finish("pair sums", blocks, r.n, st));
    fg_cuda_crew_report(part, tile, blocks);
  }
  return fg_cuda_fetch(job->host + at, sums + at, (part->end - part->first) * r.columns * sizeof(double), st);
}

fg_code fg_cuda_pair_sums(fg_engine *e, fg_threads *threads, const fg_pair_sums_request *request,
                          fg_status *st)
{
  fg_pairs_job job;
  fg_cuda_crew crew;
  const size_t columns = request->columns;
  job.table = fg_cuda_table_of(request->precision);
  job.request = request;
  const size_t rows = (size_t)job.table->pairs_rows;
  job.tiles = (request->n + rows - 1) / rows;
  FG_TRY(fg_pair_sums_check(request, st));
  memset(request->sums, 0, columns * sizeof(double));
  if (job.tiles == 0) return FG_OK;
  job.host = (double *)malloc(job.tiles * columns * sizeof(double));
  if (!job.host) return FG_FAIL(st, FG_MEMORY, "no memory for the shares of %zu tiles", job.tiles);
  fg_code rc = fg_cuda_crew_open(&crew, e, threads, job.tiles, 1, job.tiles, st);
  crew.progress = request->progress;
  crew.stage = "pairs";
  if (rc == FG_OK) rc = fg_cuda_crew_run(&crew, fg_pairs_part, &job, st);
  fg_cuda_crew_close(&crew);
  for (size_t tile = 0; tile < job.tiles && rc == FG_OK; tile++)
    for (size_t k = 0; k < columns; k++)
      request->sums[k] += (request->within ? 2 : 1) * job.host[tile * columns + k];
  free(job.host);
  return rc;
}

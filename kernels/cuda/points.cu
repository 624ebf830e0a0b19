/* Losses at points on the device; blocks and sums as in cuda/train.cu. */
#include <stdlib.h>
#include <string.h>

#include "cuda/train.cuh"
#include "requests.h"

enum { FG_POINT_BLOCKS = 256 };

typedef struct fg_cuda_points_job {
  const fg_cuda_train_table *table;
  const fg_field *field;
  fg_points_request request; /* as kernels see it */
  const fg_progress *progress;
  int direct; /* time is an input: no rows */
  size_t tiles, blocks;
  fg_cuda_walk walk;
  fg_points_out out;
  unsigned at_once;
  fg_cuda_pieces pieces;
} fg_cuda_points_job;

/* Where time is no input a tile is a group, whose time it shares. */
static void fg_cuda_points_cut(fg_cuda_points_job *job)
{
  const fg_points_request *r = &job->request;
  const int time = job->field->as.network.time;
  job->direct = !job->field->guided && (time == FG_TIME_FIRST || time == FG_TIME_LAST);
  job->out.tile = job->table->points_tile(job->field, r, job->direct);
  job->walk.tile = job->out.tile;
  job->tiles = (r->n + job->out.tile - 1) / job->out.tile;
  job->walk.tiles = (job->tiles + FG_POINT_BLOCKS - 1) / FG_POINT_BLOCKS;
  job->blocks = (job->tiles + job->walk.tiles - 1) / job->walk.tiles;
}

static fg_code fg_cuda_points_room(fg_cuda_points_job *job, fg_status *st)
{
  fg_points_request *r = &job->request;
  const size_t groups = r->n / r->group, share = job->table->points_share_bytes(job->field);
  const size_t each = fg_cuda_share(job->table->points_scratch(job->field, r, job->out.tile));
  void *memory;
  job->walk.each = each;
  job->at_once = fg_cuda_blocks_at_once(job->blocks, each);
  FG_TRY(fg_cuda_piece(&job->pieces, each * job->at_once, NULL, &job->walk.scratch, st));
  FG_TRY(fg_cuda_piece(&job->pieces, 2 * r->n * sizeof(double), NULL, &memory, st));
  job->out.value = r->value.device ? (double *)r->value.device : (double *)memory;
  job->out.loss = (double *)memory + r->n;
  FG_TRY(fg_cuda_piece(&job->pieces, groups * sizeof *r->coeff, r->coeff, &memory, st));
  r->coeff = (const fg_coeff *)memory;
  if (!job->direct) {
    FG_TRY(fg_cuda_piece(&job->pieces, groups * job->table->row_bytes(job->field), NULL, &memory, st));
    job->table->rows(job->field, groups, r->coeff, memory);
    job->walk.rows = memory;
    FG_TRY(fg_cuda_piece(&job->pieces, groups * share, NULL, &job->out.shares, st));
  }
  job->out.gradient = r->gradient.device != NULL;
  if (!job->out.gradient) return FG_OK;
  job->walk.block_bytes[0] = job->table->packed_bytes(job->field) + share;
  return fg_cuda_piece_zero(&job->pieces, job->walk.block_bytes[0] * job->blocks, &job->walk.block[0], st);
}

static fg_code fg_cuda_points_walk(fg_cuda_points_job *job, fg_status *st)
{
  fg_cuda_walk *walk = &job->walk;
  for (; walk->first < job->blocks; walk->first += job->at_once) {
    const size_t left = job->blocks - walk->first;
    const unsigned now = (unsigned)(left < job->at_once ? left : job->at_once);
    if (fg_progress_cancelled(job->progress))
      return FG_FAIL(st, FG_INTERRUPTED, "the losses at points were stopped");
    job->table->points(job->field, &job->request, walk, now, &job->out);
    FG_TRY(fg_cuda_finish("points", now, job->request.n, st));
  }
  return FG_OK;
}

/* Seeds were made for a mean over all n points: scale to those that are left. */
static fg_code fg_cuda_points_gather(fg_cuda_points_job *job, size_t lost, fg_status *st)
{
  const fg_points_request *r = &job->request;
  fg_cuda_gather g;
  memset(&g, 0, sizeof g);
  g.field = job->field;
  g.coeff = r->coeff;
  g.shares = job->out.shares;
  g.nodes = job->direct ? 0 : r->n / r->group;
  g.count = job->blocks;
  g.bytes = job->walk.block_bytes[0];
  g.blocks = job->walk.block[0];
  g.scale = lost < r->n ? (double)r->n / (double)(r->n - lost) : 0;
  g.gradient = r->gradient.device;
  g.gradient_bytes = r->gradient.bytes;
  g.accumulate = r->accumulate;
  return fg_cuda_gather_run(job->table, &g, &job->pieces, st);
}

fg_code fg_cuda_points(fg_engine *e, fg_threads *threads, const fg_field *field, fg_points_request *request,
                       fg_status *st)
{
  fg_cuda_points_job job;
  double *loss = NULL;
  fg_code rc;
  (void)e;
  (void)threads;
  memset(&job, 0, sizeof job);
  FG_TRY(fg_points_check(field, request, st));
  if (field->guide.density.kind == FG_DENSITY_PLUGIN)
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "a target that was built from C runs on the processor alone: use --engine cpu");
  job.table = fg_cuda_train_of(request->precision);
  job.field = field;
  job.request = *request;
  job.progress = request->progress;
  job.request.progress = NULL; /* host memory */
  loss = (double *)malloc(request->n * sizeof *loss);
  if (!loss) return FG_FAIL(st, FG_MEMORY, "no memory for the losses of %zu points", request->n);
  fg_cuda_points_cut(&job);
  FG_GO(fg_cuda_points_room(&job, st), done);
  FG_GO(fg_cuda_points_walk(&job, st), done);
  FG_GO(fg_cuda_fetch(loss, job.out.loss, request->n * sizeof *loss, st), done);
  fg_points_mean(loss, request);
  if (job.out.gradient) rc = fg_cuda_points_gather(&job, request->lost, st);
done:
  fg_cuda_pieces_give(&job.pieces);
  free(loss);
  return rc;
}

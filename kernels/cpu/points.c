/* Losses at points on the CPU. Tiles go into at most FG_POINT_BLOCKS blocks of consecutive ones, whose gradients are added
 * in a fixed order, so that the bits do not depend on threads. */
#include <math.h>
#include <string.h>

#include "cpu/cpu_impl.h"
#include "requests.h"

enum { FG_POINT_TILE = 32, FG_POINT_BLOCKS = 32, FG_POINT_CHUNKS = 8, FG_POINT_SUM = 16384 };

typedef struct fg_points_job {
  const fg_cpu_table *table;
  fg_field field;
  fg_points_request request;
  int direct; /* time is an input: no rows */
  size_t tile, tiles, block_tiles, blocks;
  size_t row_bytes, share_bytes, block_bytes, packed_bytes, chunks, each;
  char *rows, *shares, *block, *total, *chunk, *scratch;
  double *value, *loss;
} fg_points_job;

static void fg_points_rows_task(void *argument, size_t task, int worker)
{
  fg_points_job *job = argument;
  (void)worker;
  job->table->rows(&job->field, FG_SCORE, 1, &job->request.coeff[task], job->rows + task * job->row_bytes);
}

static void fg_points_task(void *argument, size_t task, int worker)
{
  fg_points_job *job = argument;
  const fg_points_request *r = &job->request;
  char *block = job->block ? job->block + task * job->block_bytes : NULL;
  if (block) memset(block, 0, job->block_bytes);
  for (size_t tile = task * job->block_tiles; tile < (task + 1) * job->block_tiles && tile < job->tiles;
       tile++) {
    const size_t first = tile * job->tile, left = r->n - first;
    const int count = (int)(left < job->tile ? left : job->tile);
    if (fg_progress_cancelled(r->progress)) return;
    job->table->points(&job->field, r, job->direct ? NULL : job->rows + tile * job->row_bytes, first, count,
                       job->table->tile_size((size_t)count), job->value + first, job->loss + first, block,
                       job->direct || !block ? NULL : job->shares + tile * job->share_bytes,
                       job->scratch + (size_t)worker * job->each);
  }
}

static void fg_points_sum_task(void *argument, size_t task, int worker)
{
  fg_points_job *job = argument;
  const size_t from = task * FG_POINT_SUM, to = from + FG_POINT_SUM;
  (void)worker;
  job->table->sum(job->blocks, job->block_bytes, job->block, 1, from,
                  to < job->block_bytes ? to : job->block_bytes, job->total);
}

/* The first chunk begins with the core; what precedes it is room for their sum. */
static void fg_points_time_task(void *argument, size_t task, int worker)
{
  fg_points_job *job = argument;
  const size_t groups = job->direct ? 0 : job->request.n / job->request.group;
  char *chunk = job->chunk + (task + 1) * job->packed_bytes;
  if (task == 0)
    job->table->points_take_core(&job->field, job->total, chunk);
  else
    memset(chunk, 0, job->packed_bytes);
  job->table->points_time(&job->field, job->request.coeff, job->shares, groups * task / job->chunks,
                          groups * (task + 1) / job->chunks, chunk,
                          job->scratch + (size_t)worker * job->each);
}

/* Sizes, and scratch for everything: held [6]. */
static fg_code fg_points_begin(fg_engine *e, fg_threads *threads, fg_points_job *job, fg_scratch *held,
                               fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_points_request *r = &job->request;
  const int time = job->field.as.network.time;
  const size_t group = r->group;
  job->direct = !job->field.guided && (time == FG_TIME_FIRST || time == FG_TIME_LAST);
  job->tile = !job->direct ? group : group > FG_POINT_TILE ? group : FG_POINT_TILE / group * group;
  job->tiles = (r->n + job->tile - 1) / job->tile;
  job->block_tiles = (job->tiles + FG_POINT_BLOCKS - 1) / FG_POINT_BLOCKS;
  job->blocks = (job->tiles + job->block_tiles - 1) / job->block_tiles;
  job->row_bytes = job->table->rows_bytes(&job->field, 1);
  job->share_bytes = job->table->points_row_bytes(&job->field);
  job->packed_bytes = job->table->packed_bytes(&job->field);
  job->block_bytes = job->packed_bytes + job->share_bytes;
  const size_t groups = job->direct ? 0 : r->n / group;
  job->chunks = groups < FG_POINT_CHUNKS ? 1 : FG_POINT_CHUNKS;
  size_t bytes = job->table->points_scratch(&job->field, r, job->table->tile_size(job->tile));
  const size_t more = job->table->time_scratch(&job->field);
  job->each = ((bytes > more ? bytes : more) + 63) / 64 * 64;
  FG_TRY(fg_scratch_take(cpu, job->each * (size_t)fg_threads_count(threads), &held[0], st));
  job->scratch = held[0].memory;
  FG_TRY(fg_scratch_take(cpu, 2 * r->n * sizeof(double), &held[1], st));
  job->value = r->value.device ? r->value.device : held[1].memory;
  job->loss = (double *)held[1].memory + r->n;
  if (groups > 0) {
    FG_TRY(fg_scratch_take(cpu, (job->row_bytes + job->share_bytes) * groups, &held[2], st));
    job->rows = held[2].memory;
    job->shares = job->rows + job->row_bytes * groups;
  }
  if (!r->gradient.device) return FG_OK;
  FG_TRY(fg_scratch_take(cpu, job->block_bytes * (job->blocks + 1), &held[3], st));
  job->block = held[3].memory;
  job->total = job->block + job->block_bytes * job->blocks;
  FG_TRY(fg_scratch_take(cpu, job->packed_bytes * (job->chunks + 1), &held[4], st));
  job->chunk = held[4].memory;
  return FG_OK;
}

/* Seeds were made for a mean over all n points: scale to those that are left. */
static void fg_points_gather(fg_threads *threads, fg_points_job *job, size_t lost)
{
  const fg_points_request *r = &job->request;
  const size_t bytes = r->gradient.bytes < job->packed_bytes ? r->gradient.bytes : job->packed_bytes;
  const double scale = lost < r->n ? (double)r->n / (double)(r->n - lost) : 0;
  fg_threads_run(threads, (job->block_bytes + FG_POINT_SUM - 1) / FG_POINT_SUM, fg_points_sum_task, job);
  fg_threads_run(threads, job->chunks, fg_points_time_task, job);
  job->table->sum(job->chunks, job->packed_bytes, job->chunk + job->packed_bytes, scale, 0, job->packed_bytes,
                  job->chunk);
  if (!r->accumulate) {
    memcpy(r->gradient.device, job->chunk, bytes);
    return;
  }
  memcpy(job->chunk + job->packed_bytes, r->gradient.device, bytes);
  job->table->sum(2, job->packed_bytes, job->chunk, 1, 0, bytes, r->gradient.device);
}

fg_code fg_cpu_points(fg_engine *e, fg_threads *threads, const fg_field *field, fg_points_request *request,
                      fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_points_job job = {.table = cpu->table[request->precision], .request = *request};
  fg_scratch held[5] = {{NULL, 0}};
  fg_code rc = FG_OK;
  FG_TRY(fg_points_check(field, request, st));
  job.field = fg_cpu_field(cpu, field);
  fg_points_request *r = &job.request;
  fg_buf *bufs[] = {&r->x, &r->goal, &r->weight, &r->gradient, &r->value, &r->vector};
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) fg_cpu_resolve(cpu, bufs[i]);
  FG_GO(fg_points_begin(e, threads, &job, held, st), done);
  if (!job.direct) fg_threads_run(threads, r->n / r->group, fg_points_rows_task, &job);
  fg_threads_run(threads, job.blocks, fg_points_task, &job);
  if (fg_progress_cancelled(r->progress)) {
    rc = FG_FAIL(st, FG_INTERRUPTED, "the losses at points were stopped");
    goto done;
  }
  fg_points_mean(job.loss, request);
  if (job.block) fg_points_gather(threads, &job, request->lost);
done:
  for (int i = 0; i < 5; i++) fg_scratch_give(cpu, &held[i]);
  return rc;
}

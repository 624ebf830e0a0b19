/* Samplers on the CPU: paths with weights, and gradients of the objectives. Tiles go into at most FG_BLOCKS blocks
 * of consecutive ones; each block adds up its gradient in the order of its tiles, and blocks are added in their
 * order, so that the bits do not depend on threads. */
#include <string.h>

#include "cpu/cpu_impl.h"
#include "formula/objective.h"

enum { FG_BLOCKS = 32, FG_TIME_CHUNKS = 8, FG_SUM_BYTES = 16384 };

typedef struct fg_train_job {
  const fg_cpu_table *table;
  fg_field field;
  fg_objective_request request; /* its paths alone for paths() */
  int keep_end;
  void *rows;
  size_t row_bytes;
  char *scratch, *blocks, *total, *chunks;
  size_t each, block_bytes, chunk_bytes;
  size_t tiles, block_count, block_tiles, chunk_count;
  double *number;
  double scale;
  pthread_mutex_t lock; /* guards what follows, and the caller's report */
  size_t done;
  bool stopped;
} fg_train_job;

static void fg_train_resolve(const fg_cpu *cpu, fg_train_job *job)
{
  fg_paths_request *r = &job->request.paths;
  fg_cpu_resolve(cpu, &r->x);
  fg_cpu_resolve(cpu, &r->rnd[0]);
  fg_cpu_resolve(cpu, &r->rnd[1]);
  fg_cpu_resolve(cpu, &r->lost_step);
  fg_cpu_resolve(cpu, &job->request.gradient);
  fg_cpu_resolve_density(cpu, &r->target);
}

static void fg_train_rows_task(void *argument, size_t task, int worker)
{
  fg_train_job *job = argument;
  (void)worker;
  job->table->rows(&job->field, FG_SCORE, 1, &job->request.paths.coeff[task],
                   (char *)job->rows + task * job->row_bytes);
}

static bool fg_train_stopped(fg_train_job *job)
{
  pthread_mutex_lock(&job->lock);
  bool stopped = job->stopped || fg_progress_cancelled(job->request.paths.progress);
  pthread_mutex_unlock(&job->lock);
  return stopped;
}

static void fg_train_report(fg_train_job *job, size_t count, bool stopped)
{
  const fg_paths_request *r = &job->request.paths;
  pthread_mutex_lock(&job->lock);
  job->done += count;
  job->stopped = job->stopped || stopped;
  if (!job->stopped) fg_progress_report(r->progress, "paths", (double)job->done, (double)r->n);
  pthread_mutex_unlock(&job->lock);
}

static int fg_train_count(const fg_train_job *job, size_t tile)
{
  const fg_paths_request *r = &job->request.paths;
  size_t left = r->n - tile * r->tile;
  return (int)(left < r->tile ? left : r->tile);
}

static void fg_paths_task(void *argument, size_t task, int worker)
{
  fg_train_job *job = argument;
  const fg_paths_request *r = &job->request.paths;
  const int count = fg_train_count(job, task);
  bool stopped =
      fg_train_stopped(job) || job->table->paths(&job->field, r, job->rows, task * r->tile, count,
                                                 job->table->tile_size((size_t)count), job->keep_end,
                                                 job->scratch + (size_t)worker * job->each);
  fg_train_report(job, (size_t)count, stopped);
}

static void fg_objective_task(void *argument, size_t task, int worker)
{
  fg_train_job *job = argument;
  const fg_objective_request *r = &job->request;
  char *block = job->blocks + task * job->block_bytes;
  size_t first = task * job->block_tiles, end = first + job->block_tiles;
  memset(block, 0, job->block_bytes);
  for (size_t tile = first; tile < end && tile < job->tiles; tile++) {
    const int count = fg_train_count(job, tile);
    bool stopped = fg_train_stopped(job) ||
                   job->table->objective(&job->field, r, job->rows, job->number, tile * r->paths.tile, count,
                                         job->table->tile_size((size_t)count), block,
                                         job->scratch + (size_t)worker * job->each);
    fg_train_report(job, 0, stopped);
  }
}

static void fg_sum_blocks_task(void *argument, size_t task, int worker)
{
  fg_train_job *job = argument;
  size_t from = task * FG_SUM_BYTES, to = from + FG_SUM_BYTES;
  (void)worker;
  job->table->sum(job->block_count, job->block_bytes, job->blocks, job->scale, from,
                  to < job->block_bytes ? to : job->block_bytes, job->total);
}

static void fg_time_task(void *argument, size_t task, int worker)
{
  fg_train_job *job = argument;
  const size_t steps = job->request.paths.steps;
  char *chunk = job->chunks + task * job->chunk_bytes;
  if (task == 0)
    job->table->take_core(&job->field, job->total, chunk);
  else
    memset(chunk, 0, job->chunk_bytes);
  job->table->time_reverse(&job->field, job->request.paths.coeff, job->rows, job->total,
                           steps * task / job->chunk_count, steps * (task + 1) / job->chunk_count, chunk,
                           job->scratch + (size_t)worker * job->each);
}

static void fg_sum_chunks_task(void *argument, size_t task, int worker)
{
  fg_train_job *job = argument;
  size_t from = task * FG_SUM_BYTES, to = from + FG_SUM_BYTES, bytes = job->table->packed_bytes(&job->field);
  (void)worker;
  job->table->sum(job->chunk_count, job->chunk_bytes, job->chunks, 1.0, from, to < bytes ? to : bytes,
                  job->request.gradient.device);
}

static size_t fg_sum_tasks(size_t bytes)
{
  return (bytes + FG_SUM_BYTES - 1) / FG_SUM_BYTES;
}

/* Field and request as kernels see them, the rows of all steps, and scratch of `bytes` for each worker. */
static fg_code fg_train_begin(fg_engine *e, fg_threads *threads, const fg_field *field, fg_train_job *job,
                              fg_scratch held[2], fg_status *st)
{
  fg_cpu *cpu = e->state;
  const fg_paths_request *r = &job->request.paths;
  size_t largest = job->table->tile_size(r->n < r->tile ? r->n : r->tile), bytes;
  job->field = fg_cpu_field(cpu, field);
  fg_train_resolve(cpu, job);
  job->row_bytes = job->table->rows_bytes(&job->field, 1);
  bytes = job->table->paths_scratch(&job->field, r, (int)largest);
  if (job->request.gradient.device) {
    size_t more = job->table->objective_scratch(&job->field, &job->request, (int)largest);
    size_t time = job->table->time_scratch(&job->field);
    bytes = more > bytes ? more : bytes;
    bytes = time > bytes ? time : bytes;
  }
  job->each = (bytes + 63) / 64 * 64;
  FG_TRY(fg_scratch_take(cpu, job->each * (size_t)fg_threads_count(threads), &held[0], st));
  job->scratch = held[0].memory;
  FG_TRY(fg_scratch_take(cpu, job->row_bytes * r->steps, &held[1], st));
  job->rows = held[1].memory;
  job->tiles = (r->n + r->tile - 1) / r->tile;
  fg_threads_run(threads, r->steps, fg_train_rows_task, job);
  return FG_OK;
}

static fg_code fg_train_check(const fg_field *field, const fg_paths_request *r, fg_status *st)
{
  if (field->guided && (field->kind != FG_FIELD_NETWORK || field->as.network.layers < 2))
    return FG_FAIL(st, FG_UNSUPPORTED, "the control of a sampler is a network with a hidden layer");
  if (r->tile < 1 || r->tile > 65536)
    return FG_FAIL(st, FG_USAGE, "tile is %zu paths: give 1 to 65536", r->tile);
  if (r->n < 1 || r->steps < 1 || r->steps > INT32_MAX)
    return FG_FAIL(st, FG_USAGE, "%zu paths of %zu steps: give at least one of each", r->n, r->steps);
  return FG_OK;
}

fg_code fg_cpu_paths(fg_engine *e, fg_threads *threads, const fg_field *field,
                     const fg_paths_request *request, fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_train_job job = {.table = cpu->table[request->precision], .keep_end = 1, .request = {.paths = *request}};
  fg_scratch held[2] = {{NULL, 0}, {NULL, 0}};
  fg_code rc = FG_OK;
  FG_TRY(fg_train_check(field, request, st));
  pthread_mutex_init(&job.lock, NULL);
  FG_GO(fg_train_begin(e, threads, field, &job, held, st), done);
  fg_threads_run(threads, job.tiles, fg_paths_task, &job);
  if (job.stopped) rc = FG_FAIL(st, FG_INTERRUPTED, "the simulation of paths was stopped");
done:
  for (int i = 0; i < 2; i++) fg_scratch_give(cpu, &held[i]);
  pthread_mutex_destroy(&job.lock);
  return rc;
}

/* From the blocks to the packed gradient. */
static void fg_objective_gather(fg_threads *threads, fg_train_job *job)
{
  fg_threads_run(threads, fg_sum_tasks(job->block_bytes), fg_sum_blocks_task, job);
  fg_threads_run(threads, job->chunk_count, fg_time_task, job);
  fg_threads_run(threads, fg_sum_tasks(job->table->packed_bytes(&job->field)), fg_sum_chunks_task, job);
}

/* Log-variance: all paths first, since the weight of each needs the mean of all. */
static fg_batch_value fg_objective_variance(fg_threads *threads, fg_train_job *job)
{
  const fg_objective_request *r = &job->request;
  const size_t group = r->objective == FG_OBJECTIVE_LOG_VARIANCE ? r->paths.n : r->group;
  fg_batch_value value = {0, 0, 0, 0, 0};
  fg_threads_run(threads, job->tiles, fg_paths_task, job);
  if (job->stopped) return value;
  value = fg_batch_variance(r->paths.n, group, r->paths.rnd[r->form].device, job->number);
  job->scale = 1;
  fg_threads_run(threads, job->block_count, fg_objective_task, job);
  return value;
}

static fg_batch_value fg_objective_mean(fg_threads *threads, fg_train_job *job)
{
  const fg_objective_request *r = &job->request;
  fg_threads_run(threads, job->block_count, fg_objective_task, job);
  fg_batch_value value = {0, 0, 0, 0, 0};
  if (job->stopped) return value;
  value = fg_batch_mean(r->paths.n, r->paths.rnd[r->form].device, job->number);
  job->scale = value.kept ? 1 / (double)value.kept : 0;
  return value;
}

static fg_code fg_objective_check(const fg_field *field, const fg_objective_request *r, fg_status *st)
{
  FG_TRY(fg_train_check(field, &r->paths, st));
  if (!field->guided)
    return FG_FAIL(st, FG_UNSUPPORTED, "only the control of a sampler can be trained: this model has none");
  if (r->objective == FG_OBJECTIVE_LOG_VARIANCE_TRAJECTORY && (r->group < 2 || r->paths.n % r->group))
    return FG_FAIL(st, FG_USAGE, "%zu paths in groups of %zu: give groups of at least 2 that divide them",
                   r->paths.n, r->group);
  return FG_OK;
}

fg_code fg_cpu_objective(fg_engine *e, fg_threads *threads, const fg_field *field,
                         fg_objective_request *request, fg_status *st)
{
  fg_cpu *cpu = e->state;
  const fg_paths_request *paths = &request->paths;
  fg_train_job job = {.table = cpu->table[paths->precision], .request = *request};
  fg_scratch held[6] = {{NULL, 0}};
  fg_code rc = FG_OK;
  FG_TRY(fg_objective_check(field, request, st));
  pthread_mutex_init(&job.lock, NULL);
  FG_GO(fg_train_begin(e, threads, field, &job, held, st), done);
  job.block_tiles = (job.tiles + FG_BLOCKS - 1) / FG_BLOCKS;
  job.block_count = (job.tiles + job.block_tiles - 1) / job.block_tiles;
  job.chunk_count = paths->steps < FG_TIME_CHUNKS ? paths->steps : FG_TIME_CHUNKS;
  job.block_bytes = job.table->objective_bytes(&job.field, paths->steps);
  job.chunk_bytes = job.table->packed_bytes(&job.field);
  FG_GO(fg_scratch_take(cpu, job.block_bytes * job.block_count, &held[2], st), done);
  FG_GO(fg_scratch_take(cpu, job.block_bytes, &held[3], st), done);
  FG_GO(fg_scratch_take(cpu, job.chunk_bytes * job.chunk_count, &held[4], st), done);
  FG_GO(fg_scratch_take(cpu, paths->n * sizeof(double), &held[5], st), done);
  job.blocks = held[2].memory;
  job.total = held[3].memory;
  job.chunks = held[4].memory;
  job.number = held[5].memory;
  bool kl = request->objective == FG_OBJECTIVE_KL || request->objective == FG_OBJECTIVE_KL_ITO;
  fg_batch_value value = kl ? fg_objective_mean(threads, &job) : fg_objective_variance(threads, &job);
  if (job.stopped) {
    rc = FG_FAIL(st, FG_INTERRUPTED, "the gradient of an objective was stopped");
    goto done;
  }
  fg_objective_gather(threads, &job);
  request->loss = value.loss;
  request->mean = value.mean;
  request->lost = value.lost;
  request->lost_first = value.lost_first;
done:
  for (int i = 0; i < 6; i++) fg_scratch_give(cpu, &held[i]);
  pthread_mutex_destroy(&job.lock);
  return rc;
}

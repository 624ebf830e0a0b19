/* Samplers on the CPU: paths with weights, and gradients of the objectives. Tiles go into at most FG_BLOCKS blocks
 * of consecutive ones; each block adds up its gradient in the order of its tiles, and blocks are added in their
 * order, so that the bits do not depend on threads. */
#include <string.h>

#include "cpu/cpu_impl.h"
#include "requests.h"

enum { FG_BLOCKS = 32, FG_TIME_CHUNKS = 8, FG_SUM_BYTES = 16384, FG_PARTS = 2 };

/* The control, or that of the noising process of a bridge. */
typedef struct fg_train_part {
  fg_field field;
  size_t nodes, row_bytes; /* rows: one per node */
  char *rows, *blocks, *total, *chunks;
  size_t block_bytes, chunk_bytes, chunk_count;
  void *gradient;
  fg_scratch held[3];
} fg_train_part;

typedef struct fg_train_job {
  const fg_cpu_table *table;
  fg_objective_request request; /* its paths alone for paths() */
  int keep_end;
  fg_train_part part[FG_PARTS];
  int parts;
  const fg_train_part *at; /* the part that tasks work on */
  char *scratch;
  size_t each;
  size_t tiles, block_count, block_tiles;
  double *number;
  double scale;
  fg_scratch held[3];
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
  fg_cpu_resolve(cpu, &job->request.noising_gradient);
  fg_cpu_resolve_density(cpu, &r->target);
}

static void fg_train_rows_task(void *argument, size_t task, int worker)
{
  fg_train_job *job = argument;
  (void)worker;
  job->table->rows(&job->at->field, FG_SCORE, 1, &job->request.paths.coeff[task],
                   job->at->rows + task * job->at->row_bytes);
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
      fg_train_stopped(job) || job->table->paths(&job->part[0].field, r, job->part[0].rows, task * r->tile,
                                                 count, job->table->tile_size((size_t)count), job->keep_end,
                                                 job->scratch + (size_t)worker * job->each);
  fg_train_report(job, (size_t)count, stopped);
}

static void fg_objective_task(void *argument, size_t task, int worker)
{
  fg_train_job *job = argument;
  const fg_objective_request *r = &job->request;
  char *block[FG_PARTS] = {NULL, NULL};
  size_t first = task * job->block_tiles, end = first + job->block_tiles;
  for (int k = 0; k < job->parts; k++) {
    block[k] = job->part[k].blocks + task * job->part[k].block_bytes;
    memset(block[k], 0, job->part[k].block_bytes);
  }
  for (size_t tile = first; tile < end && tile < job->tiles; tile++) {
    const int count = fg_train_count(job, tile);
    bool stopped = fg_train_stopped(job) ||
                   job->table->objective(&job->part[0].field, r, job->part[0].rows, job->number,
                                         tile * r->paths.tile, count, job->table->tile_size((size_t)count),
                                         block[0], block[1], job->scratch + (size_t)worker * job->each);
    fg_train_report(job, 0, stopped);
  }
}

static void fg_sum_blocks_task(void *argument, size_t task, int worker)
{
  fg_train_job *job = argument;
  size_t from = task * FG_SUM_BYTES, to = from + FG_SUM_BYTES;
  (void)worker;
  job->table->sum(job->block_count, job->at->block_bytes, job->at->blocks, job->scale, from,
                  to < job->at->block_bytes ? to : job->at->block_bytes, job->at->total);
}

static void fg_time_task(void *argument, size_t task, int worker)
{
  fg_train_job *job = argument;
  const fg_train_part *at = job->at;
  char *chunk = at->chunks + task * at->chunk_bytes;
  if (task == 0)
    job->table->take_core(&at->field, at->total, chunk);
  else
    memset(chunk, 0, at->chunk_bytes);
  job->table->time_reverse(&at->field, job->request.paths.coeff, at->rows, at->total,
                           at->nodes * task / at->chunk_count, at->nodes * (task + 1) / at->chunk_count,
                           chunk, job->scratch + (size_t)worker * job->each);
}

static void fg_sum_chunks_task(void *argument, size_t task, int worker)
{
  fg_train_job *job = argument;
  size_t from = task * FG_SUM_BYTES, to = from + FG_SUM_BYTES, bytes = job->at->chunk_bytes;
  (void)worker;
  job->table->sum(job->at->chunk_count, bytes, job->at->chunks, 1.0, from, to < bytes ? to : bytes,
                  job->at->gradient);
}

static size_t fg_sum_tasks(size_t bytes)
{
  return (bytes + FG_SUM_BYTES - 1) / FG_SUM_BYTES;
}

/* Scratch of one worker. */
static size_t fg_train_bytes(const fg_train_job *job, int largest)
{
  const fg_field *field = &job->part[0].field;
  size_t bytes = job->table->paths_scratch(field, &job->request.paths, largest);
  if (job->request.gradient.device) {
    size_t more = job->table->objective_scratch(field, &job->request, largest);
    bytes = more > bytes ? more : bytes;
    for (int k = 0; k < job->parts; k++) {
      size_t time = job->table->time_scratch(&job->part[k].field);
      bytes = time > bytes ? time : bytes;
    }
  }
  return (bytes + 63) / 64 * 64;
}

/* The rows of all nodes, those of the parts one after another. */
static fg_code fg_train_rows(fg_cpu *cpu, fg_threads *threads, fg_train_job *job, fg_status *st)
{
  size_t bytes = 0;
  for (int k = 0; k < job->parts; k++) {
    fg_train_part *part = &job->part[k];
    part->nodes = job->request.paths.steps + (k > 0);
    part->row_bytes = job->table->rows_bytes(&part->field, 1);
    bytes += part->nodes * part->row_bytes;
  }
  FG_TRY(fg_scratch_take(cpu, bytes, &job->held[1], st));
  char *rows = job->held[1].memory;
  for (int k = 0; k < job->parts; k++) {
    job->part[k].rows = rows;
    rows += job->part[k].nodes * job->part[k].row_bytes;
    job->at = &job->part[k];
    fg_threads_run(threads, job->part[k].nodes, fg_train_rows_task, job);
  }
  return FG_OK;
}

/* Fields and request as kernels see them, rows, and scratch for each worker. */
static fg_code fg_train_begin(fg_engine *e, fg_threads *threads, const fg_field *field, fg_train_job *job,
                              fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_paths_request *r = &job->request.paths;
  size_t largest = job->table->tile_size(r->n < r->tile ? r->n : r->tile);
  job->part[0].field = fg_cpu_field(cpu, field);
  job->parts = 1;
  if (r->noising) {
    job->part[job->parts++].field = fg_cpu_field(cpu, r->noising);
    r->noising = &job->part[1].field;
  }
  fg_train_resolve(cpu, job);
  job->each = fg_train_bytes(job, (int)largest);
  FG_TRY(fg_scratch_take(cpu, job->each * (size_t)fg_threads_count(threads), &job->held[0], st));
  job->scratch = job->held[0].memory;
  job->tiles = (r->n + r->tile - 1) / r->tile;
  return fg_train_rows(cpu, threads, job, st);
}

static void fg_train_end(fg_cpu *cpu, fg_train_job *job)
{
  for (int i = 0; i < 3; i++) {
    fg_scratch_give(cpu, &job->held[i]);
    for (int k = 0; k < FG_PARTS; k++) fg_scratch_give(cpu, &job->part[k].held[i]);
  }
  pthread_mutex_destroy(&job->lock);
}

fg_code fg_cpu_paths(fg_engine *e, fg_threads *threads, const fg_field *field,
                     const fg_paths_request *request, fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_train_job job = {.table = cpu->table[request->precision], .keep_end = 1, .request = {.paths = *request}};
  fg_code rc = FG_OK;
  FG_TRY(fg_paths_check(field, request, st));
  pthread_mutex_init(&job.lock, NULL);
  FG_GO(fg_train_begin(e, threads, field, &job, st), done);
  fg_threads_run(threads, job.tiles, fg_paths_task, &job);
  if (job.stopped) rc = FG_FAIL(st, FG_INTERRUPTED, "the simulation of paths was stopped");
done:
  fg_train_end(cpu, &job);
  return rc;
}

/* From the blocks to the packed gradients. */
static void fg_objective_gather(fg_threads *threads, fg_train_job *job)
{
  for (int k = 0; k < job->parts; k++) {
    job->at = &job->part[k];
    fg_threads_run(threads, fg_sum_tasks(job->at->block_bytes), fg_sum_blocks_task, job);
    fg_threads_run(threads, job->at->chunk_count, fg_time_task, job);
    fg_threads_run(threads, fg_sum_tasks(job->at->chunk_bytes), fg_sum_chunks_task, job);
  }
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

/* Where gradients are added up. */
static fg_code fg_objective_room(fg_cpu *cpu, fg_train_job *job, fg_status *st)
{
  job->block_tiles = (job->tiles + FG_BLOCKS - 1) / FG_BLOCKS;
  job->block_count = (job->tiles + job->block_tiles - 1) / job->block_tiles;
  FG_TRY(fg_scratch_take(cpu, job->request.paths.n * sizeof(double), &job->held[2], st));
  job->number = job->held[2].memory;
  job->part[0].gradient = job->request.gradient.device;
  job->part[1].gradient = job->request.noising_gradient.device;
  for (int k = 0; k < job->parts; k++) {
    fg_train_part *part = &job->part[k];
    part->chunk_count = part->nodes < FG_TIME_CHUNKS ? part->nodes : FG_TIME_CHUNKS;
    part->block_bytes = job->table->objective_bytes(&part->field, part->nodes);
    part->chunk_bytes = job->table->packed_bytes(&part->field);
    FG_TRY(fg_scratch_take(cpu, part->block_bytes * job->block_count, &part->held[0], st));
    FG_TRY(fg_scratch_take(cpu, part->block_bytes, &part->held[1], st));
    FG_TRY(fg_scratch_take(cpu, part->chunk_bytes * part->chunk_count, &part->held[2], st));
    part->blocks = part->held[0].memory;
    part->total = part->held[1].memory;
    part->chunks = part->held[2].memory;
  }
  return FG_OK;
}

fg_code fg_cpu_objective(fg_engine *e, fg_threads *threads, const fg_field *field,
                         fg_objective_request *request, fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_train_job job = {.table = cpu->table[request->paths.precision], .request = *request};
  fg_code rc = FG_OK;
  FG_TRY(fg_objective_check(field, request, st));
  pthread_mutex_init(&job.lock, NULL);
  if (request->paths.noising && request->form == FG_FORM_DISCRETE) /* a divergence that nothing would need */
    job.request.paths.rnd[FG_FORM_CONTINUOUS].device = NULL;
  FG_GO(fg_train_begin(e, threads, field, &job, st), done);
  FG_GO(fg_objective_room(cpu, &job, st), done);
  fg_batch_value value =
      fg_objective_by_mean(request) ? fg_objective_mean(threads, &job) : fg_objective_variance(threads, &job);
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
  fg_train_end(cpu, &job);
  return rc;
}

/* Samplers on the device: paths with weights, gradients of the objectives, the optimiser. Tiles go into at most
 * FG_BLOCKS blocks of consecutive ones, each with sums of its own, which are added in a fixed order. */
#include <stdlib.h>
#include <string.h>

#include "cuda/train.cuh"
#include "requests.h"

enum { FG_BLOCKS = 256, FG_TIME_CHUNKS = 32, FG_PARTS = 2 };

const fg_cuda_train_table *fg_cuda_train_of(fg_precision precision)
{
  return precision == FG_SINGLE ? &fg_cuda_train_single : &fg_cuda_train_double;
}

/* ---- memory of a request ------------------------------------------------------------------------- */

fg_code fg_cuda_piece(fg_cuda_pieces *all, size_t bytes, const void *host, void **piece, fg_status *st)
{
  *piece = NULL;
  if (all->count == FG_CUDA_PIECES) return FG_FAIL(st, FG_FAILED, "a request took too many pieces of memory");
  FG_TRY(fg_cuda_take(bytes, piece, st));
  all->piece[all->count++] = *piece;
  if (!host || bytes == 0) return FG_OK;
  return fg_cuda_check(cudaMemcpyAsync(*piece, host, bytes, cudaMemcpyHostToDevice, cudaStreamPerThread),
                       "cudaMemcpyAsync to the device", bytes, st);
}

fg_code fg_cuda_piece_zero(fg_cuda_pieces *all, size_t bytes, void **piece, fg_status *st)
{
  FG_TRY(fg_cuda_piece(all, bytes, NULL, piece, st));
  if (bytes == 0) return FG_OK;
  return fg_cuda_check(cudaMemsetAsync(*piece, 0, bytes, cudaStreamPerThread), "cudaMemsetAsync", bytes, st);
}

void fg_cuda_pieces_give(fg_cuda_pieces *all)
{
  for (int k = 0; k < all->count; k++) fg_cuda_give(all->piece[k]);
  all->count = 0;
}

/* ---- gradients --------------------------------------------------------------------------------------- */

fg_code fg_cuda_gather_run(const fg_cuda_train_table *table, const fg_cuda_gather *g, fg_cuda_pieces *pieces,
                           fg_status *st)
{
  const size_t packed = table->packed_bytes(g->field), each = fg_cuda_share(table->time_scratch(g->field));
  const size_t most = FG_TIME_CHUNKS;
  const unsigned chunks = (unsigned)(g->nodes < 1 ? 1 : g->nodes < most ? g->nodes : most);
  const size_t used = g->gradient_bytes < packed ? g->gradient_bytes : packed;
  void *total, *chunk, *room, *both;
  FG_TRY(fg_cuda_piece(pieces, g->bytes, NULL, &total, st));
  FG_TRY(fg_cuda_piece_zero(pieces, packed * chunks, &chunk, st));
  FG_TRY(fg_cuda_piece(pieces, each * chunks, NULL, &room, st));
  FG_TRY(fg_cuda_piece_zero(pieces, 2 * packed, &both, st));
  table->sum(g->count, g->bytes, g->blocks, 1, g->bytes, total);
  table->core(g->field, g->shares != NULL || !g->table, total, chunk);
  if (g->nodes > 0)
    table->time_reverse(g->field, g->coeff, g->shares ? NULL : g->table, g->shares ? g->shares : total,
                        g->nodes, chunks, packed, chunk, each, room);
  table->sum(chunks, packed, chunk, g->scale, packed, both);
  if (g->accumulate)
    FG_TRY(fg_cuda_check(cudaMemcpyAsync((char *)both + packed, g->gradient, used, cudaMemcpyDeviceToDevice,
                                         cudaStreamPerThread),
                         "cudaMemcpyAsync on the device", used, st));
  table->sum(2, packed, both, 1, used, g->gradient);
  return fg_cuda_finish("gradient", chunks, g->nodes, st);
}

/* ---- a request on the device ---------------------------------------------------------------------------- */

typedef struct fg_cuda_part {
  fg_field field;
  size_t nodes;
  void *rows, *blocks;
  size_t block_bytes;
} fg_cuda_part;

typedef struct fg_cuda_job {
  const fg_cuda_train_table *table;
  fg_objective_request request; /* as kernels see it; its paths alone for paths() */
  const fg_progress *progress;
  fg_cuda_part part[FG_PARTS];
  int parts;
  size_t tile, tiles, block_tiles, blocks; /* tile: particles of one */
  double *number;
  fg_cuda_pieces pieces;
} fg_cuda_job;

static int fg_cuda_plugin(const fg_density *density)
{
  return density->kind == FG_DENSITY_PLUGIN;
}

/* Coefficients, steps, a noising field and the rows of all nodes go to the device. */
static fg_code fg_cuda_begin(const fg_field *field, fg_cuda_job *job, fg_status *st)
{
  fg_paths_request *r = &job->request.paths;
  void *memory;
  size_t bytes = 0;
  if (fg_cuda_plugin(&r->target) || fg_cuda_plugin(&field->guide.density))
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "a target that was built from C runs on the processor alone: use --engine cpu");
  job->progress = r->progress;
  r->progress = NULL; /* host memory */
  job->part[0].field = *field;
  job->parts = 1;
  if (r->noising) {
    job->part[job->parts++].field = *r->noising;
    FG_TRY(fg_cuda_piece(&job->pieces, sizeof *r->noising, r->noising, &memory, st));
    r->noising = (const fg_field *)memory;
  }
  FG_TRY(fg_cuda_piece(&job->pieces, (r->steps + 1) * sizeof *r->coeff, r->coeff, &memory, st));
  r->coeff = (const fg_coeff *)memory;
  FG_TRY(fg_cuda_piece(&job->pieces, r->steps * sizeof *r->step, r->step, &memory, st));
  r->step = (const fg_path_step *)memory;
  for (int k = 0; k < job->parts; k++) {
    job->part[k].nodes = r->steps + (size_t)(k > 0);
    bytes += job->part[k].nodes * job->table->row_bytes(&job->part[k].field);
  }
  FG_TRY(fg_cuda_piece(&job->pieces, bytes, NULL, &memory, st));
  for (int k = 0; k < job->parts; k++) {
    job->part[k].rows = memory;
    job->table->rows(&job->part[k].field, job->part[k].nodes, r->coeff, memory);
    memory = (char *)memory + job->part[k].nodes * job->table->row_bytes(&job->part[k].field);
  }
  job->tiles = (r->n + job->tile - 1) / job->tile;
  return fg_cuda_finish("rows", job->tiles, r->n, st);
}

/* Launches of as many blocks as scratch allows; gradient: else paths alone, a tile a block. */
static fg_code fg_cuda_walk_all(fg_cuda_job *job, int gradient, int keep_end, fg_status *st)
{
  const fg_field *field = &job->part[0].field;
  const fg_objective_request *r = &job->request;
  const size_t bytes = gradient ? job->table->objective_scratch(field, r, job->tile)
                                : job->table->paths_scratch(field, &r->paths, job->tile);
  const size_t each = fg_cuda_share(bytes), blocks = gradient ? job->blocks : job->tiles;
  const unsigned at_once = fg_cuda_blocks_at_once(blocks, each);
  fg_cuda_walk walk;
  memset(&walk, 0, sizeof walk);
  walk.tiles = gradient ? job->block_tiles : 1;
  walk.tile = job->tile;
  walk.rows = job->part[0].rows;
  walk.each = each;
  for (int k = 0; k < job->parts; k++) {
    walk.block[k] = job->part[k].blocks;
    walk.block_bytes[k] = job->part[k].block_bytes;
  }
  FG_TRY(fg_cuda_piece(&job->pieces, each * at_once, NULL, &walk.scratch, st));
  for (; walk.first < blocks; walk.first += at_once) {
    const unsigned now = (unsigned)(blocks - walk.first < at_once ? blocks - walk.first : at_once);
    const size_t done = (walk.first + now) * walk.tiles * walk.tile;
    if (fg_progress_cancelled(job->progress))
      return FG_FAIL(st, FG_INTERRUPTED, "the simulation of paths was stopped");
    if (gradient)
      job->table->objective(field, r, &walk, now, job->number);
    else
      job->table->paths(field, &r->paths, &walk, now, keep_end);
    FG_TRY(fg_cuda_finish(gradient ? "objective" : "paths", now, r->paths.n, st));
    fg_progress_report(job->progress, "paths", (double)(done < r->paths.n ? done : r->paths.n),
                       (double)r->paths.n);
  }
  return FG_OK;
}

fg_code fg_cuda_paths(fg_engine *e, fg_threads *threads, const fg_field *field,
                      const fg_paths_request *request, fg_status *st)
{
  fg_cuda_job job;
  fg_code rc;
  (void)e;
  (void)threads;
  memset(&job, 0, sizeof job);
  FG_TRY(fg_paths_check(field, request, st));
  job.table = fg_cuda_train_of(request->precision);
  job.request.paths = *request;
  job.tile = job.table->paths_tile(field, request);
  FG_GO(fg_cuda_begin(field, &job, st), done);
  rc = fg_cuda_walk_all(&job, 0, 1, st);
done:
  fg_cuda_pieces_give(&job.pieces);
  return rc;
}

/* ---- objectives --------------------------------------------------------------------------------------------- */

static fg_code fg_cuda_room(fg_cuda_job *job, fg_status *st)
{
  void *memory;
  job->block_tiles = (job->tiles + FG_BLOCKS - 1) / FG_BLOCKS;
  job->blocks = (job->tiles + job->block_tiles - 1) / job->block_tiles;
  FG_TRY(fg_cuda_piece(&job->pieces, job->request.paths.n * sizeof(double), NULL, &memory, st));
  job->number = (double *)memory;
  for (int k = 0; k < job->parts; k++) {
    fg_cuda_part *part = &job->part[k];
    part->block_bytes = job->table->objective_bytes(&part->field, part->nodes);
    FG_TRY(fg_cuda_piece_zero(&job->pieces, part->block_bytes * job->blocks, &part->blocks, st));
  }
  return FG_OK;
}

fg_code fg_cuda_fetch(void *host, const void *device, size_t bytes, fg_status *st)
{
  FG_TRY(fg_cuda_check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, cudaStreamPerThread),
                       "cudaMemcpyAsync from the device", bytes, st));
  return fg_cuda_check(cudaStreamSynchronize(cudaStreamPerThread), "cudaStreamSynchronize", bytes, st);
}

/* Log-variance: all paths first, since the weight of each needs the mean of all. host [2, n] is room. */
static fg_code fg_cuda_variance(fg_cuda_job *job, double *host, fg_batch_value *value, double *scale,
                                fg_status *st)
{
  const fg_objective_request *r = &job->request;
  const size_t n = r->paths.n, group = r->objective == FG_OBJECTIVE_LOG_VARIANCE ? n : r->group;
  FG_TRY(fg_cuda_walk_all(job, 0, 0, st));
  FG_TRY(fg_cuda_fetch(host, r->paths.rnd[r->form].device, n * sizeof *host, st));
  *value = fg_batch_variance(n, group, host, host + n);
  *scale = 1;
  FG_TRY(fg_cuda_check(
      cudaMemcpyAsync(job->number, host + n, n * sizeof *host, cudaMemcpyHostToDevice, cudaStreamPerThread),
      "cudaMemcpyAsync to the device", n * sizeof *host, st));
  return fg_cuda_walk_all(job, 1, 0, st);
}

static fg_code fg_cuda_mean(fg_cuda_job *job, double *host, fg_batch_value *value, double *scale,
                            fg_status *st)
{
  const fg_objective_request *r = &job->request;
  const size_t n = r->paths.n;
  FG_TRY(fg_cuda_walk_all(job, 1, 0, st));
  FG_TRY(fg_cuda_fetch(host, r->paths.rnd[r->form].device, n * sizeof *host, st));
  FG_TRY(fg_cuda_fetch(host + n, job->number, n * sizeof *host, st));
  *value = fg_batch_mean(n, host, host + n);
  *scale = value->kept ? 1 / (double)value->kept : 0;
  return FG_OK;
}

static fg_code fg_cuda_gather_parts(fg_cuda_job *job, double scale, fg_status *st)
{
  const fg_objective_request *r = &job->request;
  const fg_buf to[FG_PARTS] = {r->gradient, r->noising_gradient};
  for (int k = 0; k < job->parts; k++) {
    fg_cuda_gather g;
    memset(&g, 0, sizeof g);
    g.field = &job->part[k].field;
    g.coeff = r->paths.coeff;
    g.table = job->part[k].rows;
    g.nodes = job->part[k].nodes;
    g.count = job->blocks;
    g.bytes = job->part[k].block_bytes;
    g.blocks = job->part[k].blocks;
    g.scale = scale;
    g.gradient = to[k].device;
    g.gradient_bytes = to[k].bytes;
    FG_TRY(fg_cuda_gather_run(job->table, &g, &job->pieces, st));
  }
  return FG_OK;
}

fg_code fg_cuda_objective(fg_engine *e, fg_threads *threads, const fg_field *field,
                          fg_objective_request *request, fg_status *st)
{
  fg_cuda_job job;
  fg_batch_value value;
  double scale = 0, *host = NULL;
  fg_code rc;
  (void)e;
  (void)threads;
  memset(&job, 0, sizeof job);
  FG_TRY(fg_objective_check(field, request, st));
  job.table = fg_cuda_train_of(request->paths.precision);
  job.request = *request;
  job.tile = job.table->objective_tile(field, request);
  if (request->paths.noising && request->form == FG_FORM_DISCRETE) /* a divergence that nothing would need */
    job.request.paths.rnd[FG_FORM_CONTINUOUS].device = NULL;
  host = (double *)malloc(2 * request->paths.n * sizeof *host);
  if (!host) return FG_FAIL(st, FG_MEMORY, "no memory for the weights of %zu paths", request->paths.n);
  FG_GO(fg_cuda_begin(field, &job, st), done);
  FG_GO(fg_cuda_room(&job, st), done);
  if (fg_objective_by_mean(request))
    FG_GO(fg_cuda_mean(&job, host, &value, &scale, st), done);
  else
    FG_GO(fg_cuda_variance(&job, host, &value, &scale, st), done);
  FG_GO(fg_cuda_gather_parts(&job, scale, st), done);
  request->loss = value.loss;
  request->mean = value.mean;
  request->lost = value.lost;
  request->lost_first = value.lost_first;
done:
  fg_cuda_pieces_give(&job.pieces);
  free(host);
  return rc;
}

/* ---- the optimiser ----------------------------------------------------------------------------------------------- */

fg_code fg_cuda_optimise(fg_engine *e, fg_threads *threads, const fg_field *field,
                         fg_optimise_request *request, fg_status *st)
{
  const fg_cuda_train_table *table = fg_cuda_train_of(request->precision);
  fg_optimise_request r = *request;
  fg_cuda_pieces pieces;
  void *norm;
  fg_code rc;
  (void)e;
  (void)threads;
  pieces.count = 0;
  if (field->kind != FG_FIELD_NETWORK)
    return FG_FAIL(st, FG_UNSUPPORTED, "only networks have weights to optimise");
  FG_GO(fg_cuda_piece(&pieces, 64 * sizeof(double), NULL, &norm, st), done);
  table->norm(field, r.gradient.device, (double *)norm);
  FG_GO(fg_cuda_finish("norm", 1, 1, st), done);
  FG_GO(fg_cuda_fetch(&r.norm, norm, sizeof r.norm, st), done);
  request->norm = r.norm;
  if (!isfinite(r.norm)) {
    rc = FG_FAIL(st, FG_NUMERICS, "the gradient's norm is %g at step %llu: the weights stay as they were",
                 r.norm, (unsigned long long)r.number);
    goto done;
  }
  if (!r.norm_only) {
    table->optimise(field, &r);
    rc = fg_cuda_finish("optimise", 1, 1, st);
  }
done:
  fg_cuda_pieces_give(&pieces);
  return rc;
}

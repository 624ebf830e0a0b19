/* Samplers on the device: paths with weights, gradients of the objectives, the optimiser. Tiles go into at most
 * FG_BLOCKS blocks of consecutive ones, each with sums of its own, which are added in a fixed order. */
#include <stdlib.h>
#include <string.h>

#include "cuda/train.cuh"
#include "cuda/wide.cuh"
#include "requests.h"

enum { FG_BLOCKS = 256, FG_WIDE_BLOCKS = FG_CUDA_DEVICES, FG_TIME_CHUNKS = 32, FG_NETS = 2 };

const fg_cuda_train_table *fg_cuda_train_of(fg_precision precision)
{
  return precision == FG_SINGLE ? &fg_cuda_train_single : &fg_cuda_train_double;
}

/* ---- gradients --------------------------------------------------------------------------------------- */

/* Sums and scratch of as many chunks of nodes at once as there is memory for. */
static fg_code fg_gather_chunks(fg_cuda_pieces *pieces, size_t packed, size_t each, unsigned *chunks,
                                void **chunk, void **room, fg_status *st)
{
  fg_status why;
  fg_code rc;
  for (;; *chunks /= 2) {
    memset(&why, 0, sizeof why);
    rc = fg_cuda_piece_zero(pieces, packed * *chunks, chunk, &why);
    if (rc == FG_OK) rc = fg_cuda_piece(pieces, each * *chunks, NULL, room, &why);
    if (rc != FG_MEMORY || *chunks == 1) break;
    fg_cuda_piece_give(pieces, *chunk);
  }
  if (rc == FG_MEMORY)
    (void)fg_status_prefix(&why,
                           "the kernel gradient needs %zu bytes for one chunk of nodes: ", packed + each);
  if (rc != FG_OK && st) *st = why;
  return rc;
}

static fg_code fg_gather_in(const fg_cuda_train_table *table, const fg_cuda_gather *g, fg_cuda_pieces *pieces,
                            fg_status *st)
{
  const size_t packed = table->packed_bytes(g->field), each = fg_cuda_share(table->time_scratch(g->field));
  const size_t most = FG_TIME_CHUNKS;
  unsigned chunks = (unsigned)(g->nodes < 1 ? 1 : g->nodes < most ? g->nodes : most);
  const size_t used = g->gradient_bytes < packed ? g->gradient_bytes : packed;
  void *total, *chunk, *room, *both;
  FG_TRY(fg_cuda_piece(pieces, g->bytes, NULL, &total, st));
  FG_TRY(fg_cuda_piece_zero(pieces, 2 * packed, &both, st));
  FG_TRY(fg_gather_chunks(pieces, packed, each, &chunks, &chunk, &room, st));
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

fg_code fg_cuda_gather_run(const fg_cuda_train_table *table, const fg_cuda_gather *g, fg_cuda_device *on,
                           fg_status *st)
{
  fg_cuda_pieces pieces;
  pieces.on = on;
  pieces.count = 0;
  const fg_code rc = fg_gather_in(table, g, &pieces, st);
  fg_cuda_pieces_give(&pieces);
  return rc;
}

/* ---- a request on one device ---------------------------------------------------------------------------- */

typedef struct fg_cuda_net {
  fg_field field;
  size_t nodes;
  void *rows, *blocks;
  size_t block_bytes;
} fg_cuda_net;

typedef struct fg_cuda_seat {
  fg_objective_request request; /* as kernels of this device see it; its paths alone for paths() */
  fg_cuda_net net[FG_NETS];
  size_t origin; /* block whose sums come first in its arrays */
  double *number;
} fg_cuda_seat;

typedef struct fg_cuda_job {
  const fg_cuda_train_table *table;
  const fg_field *field;
  const fg_objective_request *request; /* as it came */
  int nets, gradient;                  /* else paths alone */
  int wide;                            /* by cuBLAS: blocks are waves, or some of them */
  size_t most;                         /* blocks */
  size_t tile, block_tiles, blocks;    /* tile: particles of one */
  double *host;                        /* [2, n]: rnd, and the number of each path */
  fg_cuda_crew crew;
  fg_cuda_seat seat[FG_CUDA_DEVICES];
} fg_cuda_job;

static fg_code fg_no_plugin(const fg_field *field, const fg_paths_request *r, fg_status *st)
{
  if (r->target.kind == FG_DENSITY_PLUGIN || field->guide.density.kind == FG_DENSITY_PLUGIN)
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "a target that was built from C runs on the processor alone: use --engine cpu");
  return FG_OK;
}

static fg_code fg_seat_twins(fg_cuda_part *part, fg_cuda_seat *seat, int gradient, fg_status *st)
{
  fg_paths_request *r = &seat->request.paths;
  const size_t one = sizeof(double), d = (size_t)seat->net[0].field.d;
  FG_TRY(fg_cuda_twin_rows(part, &r->x, d * one, 1, gradient ? FG_TWIN_IN : FG_TWIN_BOTH, st));
  for (int k = 0; k < 2; k++) FG_TRY(fg_cuda_twin_rows(part, &r->rnd[k], one, 1, FG_TWIN_OUT, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->lost_step, sizeof(int32_t), 1, FG_TWIN_OUT, st));
  return fg_cuda_twin_density(part, &r->target, st);
}

/* Coefficients, steps, a noising field and the rows of all nodes go to the device. */
static fg_code fg_seat_nodes(fg_cuda_part *part, fg_cuda_job *job, fg_cuda_seat *seat, fg_status *st)
{
  fg_paths_request *r = &seat->request.paths;
  void *memory;
  size_t bytes = 0;
  if (r->noising) {
    FG_TRY(fg_cuda_piece(&part->pieces, sizeof *r->noising, &seat->net[1].field, &memory, st));
    r->noising = (const fg_field *)memory;
  }
  FG_TRY(fg_cuda_piece(&part->pieces, (r->steps + 1) * sizeof *r->coeff, r->coeff, &memory, st));
  r->coeff = (const fg_coeff *)memory;
  FG_TRY(fg_cuda_piece(&part->pieces, r->steps * sizeof *r->step, r->step, &memory, st));
  r->step = (const fg_path_step *)memory;
  for (int k = 0; k < job->nets; k++) {
    seat->net[k].nodes = r->steps + (size_t)(k > 0);
    bytes += seat->net[k].nodes * job->table->row_bytes(&seat->net[k].field);
  }
  FG_TRY(fg_cuda_piece(&part->pieces, bytes, NULL, &memory, st));
  for (int k = 0; k < job->nets; k++) {
    fg_cuda_net *net = &seat->net[k];
    net->rows = memory;
    job->table->rows(&net->field, net->nodes, r->coeff, memory);
    memory = (char *)memory + net->nodes * job->table->row_bytes(&net->field);
  }
  return fg_cuda_finish("rows", (r->steps + FG_CUDA_TILE) / FG_CUDA_TILE, r->n, st);
}

/* Sums of gradients, one array for each block; those of other devices go home. */
static fg_code fg_seat_arrays(fg_cuda_part *part, fg_cuda_job *job, fg_cuda_seat *seat, fg_status *st)
{
  void *memory;
  const size_t own = job->wide && !part->home ? part->end - part->first : job->blocks;
  FG_TRY(fg_cuda_piece(&part->pieces, job->request->paths.n * sizeof(double), NULL, &memory, st));
  seat->number = (double *)memory;
  seat->origin = job->wide && !part->home ? part->first : 0;
  for (int k = 0; k < job->nets; k++) {
    fg_cuda_net *net = &seat->net[k];
    net->block_bytes = job->table->objective_bytes(&net->field, net->nodes);
    FG_TRY(fg_cuda_piece_zero(&part->pieces, net->block_bytes * own, &net->blocks, st));
  }
  return FG_OK;
}

static fg_code fg_seat_open(fg_cuda_part *part, void *argument, fg_status *st)
{
  fg_cuda_job *job = (fg_cuda_job *)argument;
  fg_cuda_seat *seat = &job->seat[part - job->crew.part];
  fg_paths_request *r = &seat->request.paths;
  seat->request = *job->request;
  r->progress = NULL; /* host memory */
  if (job->gradient && r->noising && job->request->form == FG_FORM_DISCRETE)
    r->rnd[FG_FORM_CONTINUOUS].device = NULL; /* a divergence that nothing would need */
  seat->net[0].field = *job->field;
  if (r->noising) seat->net[1].field = *r->noising;
  for (int k = 0; k < job->nets; k++) FG_TRY(fg_cuda_twin_field(part, &seat->net[k].field, st));
  FG_TRY(fg_seat_twins(part, seat, job->gradient, st));
  FG_TRY(fg_seat_nodes(part, job, seat, st));
  return job->gradient ? fg_seat_arrays(part, job, seat, st) : FG_OK;
}

static fg_code fg_seat_walk_wide(fg_cuda_part *part, const fg_cuda_job *job, int gradient, fg_status *st)
{
  const fg_cuda_seat *seat = &job->seat[part - job->crew.part];
  fg_wide_trip trip;
  memset(&trip, 0, sizeof trip);
  trip.field = &seat->net[0].field;
  trip.noising = job->nets > 1 ? &seat->net[1].field : NULL;
  trip.request = &seat->request;
  trip.rows = seat->net[0].rows;
  trip.number = seat->number;
  trip.tiles = job->block_tiles;
  for (int k = 0; k < job->nets && gradient; k++) {
    const size_t bytes = seat->net[k].block_bytes;
    trip.block[k] = (char *)seat->net[k].blocks + (part->first - seat->origin) * bytes;
    trip.block_bytes[k] = bytes;
  }
  trip.gradient = gradient;
  trip.keep_end = !job->gradient;
  return fg_wide_travel_all(part, &trip, st);
}

/* Launches of as many blocks as scratch allows; gradient: else paths alone. */
static fg_code fg_seat_walk(fg_cuda_part *part, fg_cuda_job *job, int gradient, fg_status *st)
{
  if (job->wide) return fg_seat_walk_wide(part, job, gradient, st);
  const fg_cuda_seat *seat = &job->seat[part - job->crew.part];
  const fg_field *field = &seat->net[0].field;
  const fg_objective_request *r = &seat->request;
  const char *kernel = gradient ? "objective" : "paths";
  fg_cuda_walk walk;
  unsigned at_once;
  memset(&walk, 0, sizeof walk);
  walk.tiles = job->block_tiles;
  walk.tile = job->tile;
  walk.rows = seat->net[0].rows;
  fg_objective_request counted = *r; /* on the host, which cannot look at the device's copy */
  counted.paths.noising = job->nets > 1 ? &seat->net[1].field : NULL;
  walk.room = gradient ? job->table->objective_room(field, &counted, walk.tile)
                       : job->table->paths_room(field, &counted.paths, walk.tile);
  walk.each = fg_cuda_share(gradient ? job->table->objective_scratch(field, &counted, walk.tile)
                                     : job->table->paths_scratch(field, &counted.paths, walk.tile));
  for (int k = 0; k < job->nets; k++) {
    walk.block[k] = seat->net[k].blocks;
    walk.block_bytes[k] = seat->net[k].block_bytes;
  }
  FG_TRY(fg_cuda_part_wave(part, kernel, walk.each, &at_once, &walk.scratch, st));
  for (walk.first = part->first; walk.first < part->end; walk.first += at_once) {
    const unsigned now = fg_cuda_now(walk.first, part->end, at_once);
    if (fg_cuda_crew_stopped(part)) return FG_FAIL(st, FG_INTERRUPTED, "the simulation of paths was stopped");
    if (gradient)
      job->table->objective(field, r, &walk, now, seat->number);
    else
      job->table->paths(field, &r->paths, &walk, now, !job->gradient);
    FG_TRY(fg_cuda_finish(kernel, now, r->paths.n, st));
    fg_cuda_crew_report(part, walk.first, now);
  }
  fg_cuda_piece_give(&part->pieces, walk.scratch); /* others need room too */
  return FG_OK;
}

static fg_code fg_seat_paths(fg_cuda_part *part, void *argument, fg_status *st)
{
  FG_TRY(fg_seat_walk(part, (fg_cuda_job *)argument, 0, st));
  return fg_cuda_twins_back(part, st);
}

static fg_code fg_seat_gradient(fg_cuda_part *part, void *argument, fg_status *st)
{
  fg_cuda_job *job = (fg_cuda_job *)argument;
  const fg_cuda_seat *seat = &job->seat[part - job->crew.part];
  double *number = job->host + job->request->paths.n + part->begin;
  const size_t bytes = (part->finish - part->begin) * sizeof *number;
  const int mean = fg_objective_by_mean(job->request);
  if (!mean) FG_TRY(fg_cuda_send(part->on, seat->number + part->begin, number, bytes, st));
  FG_TRY(fg_seat_walk(part, job, 1, st));
  if (mean) FG_TRY(fg_cuda_fetch(number, seat->number + part->begin, bytes, st));
  for (int k = 0; k < job->nets; k++) {
    const size_t each = seat->net[k].block_bytes;
    FG_TRY(fg_cuda_twin_return(part, (char *)job->seat[0].net[k].blocks + part->first * each,
                               (char *)seat->net[k].blocks + (part->first - seat->origin) * each,
                               (part->end - part->first) * each, st));
  }
  return fg_cuda_twins_back(part, st);
}

/* Tiles of a block, for at most so many. */
static void fg_job_cut(fg_cuda_job *job, size_t tiles, size_t wave)
{
  const size_t waves = (tiles + wave - 1) / wave;
  job->block_tiles = job->gradient ? (waves + job->most - 1) / job->most * wave : wave;
  job->blocks = (tiles + job->block_tiles - 1) / job->block_tiles;
}

static fg_code fg_job_open(fg_cuda_job *job, fg_engine *e, const fg_threads *threads, fg_status *st)
{
  const fg_paths_request *r = &job->request->paths;
  size_t wave = 1;
  int p;
  job->table = fg_cuda_train_of(r->precision);
  job->nets = r->noising ? 2 : 1;
  job->wide = fg_wide_is(job->field, r->noising);
  if (job->most == 0) job->most = job->wide ? FG_WIDE_BLOCKS : FG_BLOCKS;
  if (job->wide) wave = fg_wide_travel_cut(fg_cuda_home(e), job->field, job->request, job->gradient, &p);
  job->tile = job->wide       ? (size_t)p
              : job->gradient ? job->table->objective_tile(job->field, job->request)
                              : job->table->paths_tile(job->field, r);
  fg_job_cut(job, (r->n + job->tile - 1) / job->tile, wave);
  const size_t unit = job->block_tiles * job->tile;
  if (job->wide)
    FG_TRY(fg_cuda_crew_open_waves(&job->crew, e, threads, job->blocks, unit, r->n, st));
  else
    FG_TRY(fg_cuda_crew_open(&job->crew, e, threads, job->blocks, unit, r->n, st));
  job->crew.progress = r->progress;
  job->crew.stage = "paths";
  return fg_cuda_crew_run(&job->crew, fg_seat_open, job, st);
}

fg_code fg_cuda_paths(fg_engine *e, fg_threads *threads, const fg_field *field,
                      const fg_paths_request *request, fg_status *st)
{
  fg_objective_request all;
  fg_code rc;
  FG_TRY(fg_paths_check(field, request, st));
  FG_TRY(fg_no_plugin(field, request, st));
  fg_cuda_job *job = (fg_cuda_job *)calloc(1, sizeof *job);
  if (!job) return FG_FAIL(st, FG_MEMORY, "no memory to describe %zu paths", request->n);
  memset(&all, 0, sizeof all);
  all.paths = *request;
  job->field = field;
  job->request = &all;
  FG_GO(fg_job_open(job, e, threads, st), done);
  rc = fg_cuda_crew_run(&job->crew, fg_seat_paths, job, st);
done:
  fg_cuda_crew_close(&job->crew);
  free(job);
  return fg_cuda_named(rc, "paths", st);
}

/* ---- objectives --------------------------------------------------------------------------------------------- */

/* Log-variance: all paths first, since the weight of each needs the mean of all. */
static fg_code fg_job_variance(fg_cuda_job *job, fg_batch_value *value, double *scale, fg_status *st)
{
  const fg_objective_request *r = job->request;
  const size_t n = r->paths.n, group = r->objective == FG_OBJECTIVE_LOG_VARIANCE ? n : r->group;
  FG_TRY(fg_cuda_crew_run(&job->crew, fg_seat_paths, job, st));
  FG_TRY(fg_cuda_fetch(job->host, r->paths.rnd[r->form].device, n * sizeof *job->host, st));
  *value = fg_batch_variance(n, group, job->host, job->host + n);
  *scale = 1;
  job->crew.done = 0;
  return fg_cuda_crew_run(&job->crew, fg_seat_gradient, job, st);
}

static fg_code fg_job_mean(fg_cuda_job *job, fg_batch_value *value, double *scale, fg_status *st)
{
  const fg_objective_request *r = job->request;
  const size_t n = r->paths.n;
  FG_TRY(fg_cuda_crew_run(&job->crew, fg_seat_gradient, job, st));
  FG_TRY(fg_cuda_fetch(job->host, r->paths.rnd[r->form].device, n * sizeof *job->host, st));
  *value = fg_batch_mean(n, job->host, job->host + n);
  *scale = value->kept ? 1 / (double)value->kept : 0;
  return FG_OK;
}

static fg_code fg_job_gather(fg_cuda_job *job, double scale, fg_status *st)
{
  fg_cuda_seat *home = &job->seat[0];
  const fg_buf to[FG_NETS] = {job->request->gradient, job->request->noising_gradient};
  for (int k = 0; k < job->nets; k++) {
    fg_cuda_gather g;
    memset(&g, 0, sizeof g);
    g.field = &home->net[k].field;
    g.coeff = home->request.paths.coeff;
    g.table = home->net[k].rows;
    g.nodes = home->net[k].nodes;
    g.count = job->blocks;
    g.bytes = home->net[k].block_bytes;
    g.blocks = home->net[k].blocks;
    g.scale = scale;
    g.gradient = to[k].device;
    g.gradient_bytes = to[k].bytes;
    FG_TRY(fg_cuda_gather_run(job->table, &g, job->crew.part[0].on, st));
  }
  return FG_OK;
}

static fg_code fg_job_run(fg_cuda_job *job, fg_engine *e, const fg_threads *threads, fg_batch_value *value,
                          fg_status *st)
{
  double scale = 0;
  fg_code rc;
  memset(job->seat, 0, sizeof job->seat);
  FG_GO(fg_job_open(job, e, threads, st), done);
  if (fg_objective_by_mean(job->request))
    FG_GO(fg_job_mean(job, value, &scale, st), done);
  else
    FG_GO(fg_job_variance(job, value, &scale, st), done);
  FG_GO(fg_job_gather(job, scale, st), done);
done:
  fg_cuda_crew_close(&job->crew);
  return rc;
}

fg_code fg_cuda_objective(fg_engine *e, fg_threads *threads, const fg_field *field,
                          fg_objective_request *request, fg_status *st)
{
  fg_batch_value value;
  fg_status why;
  fg_code rc;
  FG_TRY(fg_objective_check(field, request, st));
  FG_TRY(fg_no_plugin(field, &request->paths, st));
  memset(&value, 0, sizeof value);
  fg_cuda_job *job = (fg_cuda_job *)calloc(1, sizeof *job);
  double *host = (double *)malloc(2 * request->paths.n * sizeof *host);
  if (!job || !host) {
    free(job);
    free(host);
    return FG_FAIL(st, FG_MEMORY, "no memory for the weights of %zu paths", request->paths.n);
  }
  job->field = field;
  job->request = request;
  job->gradient = 1;
  job->host = host;
  /* where memory is short fewer sums of a wide network, each of more waves */
  while ((rc = fg_job_run(job, e, threads, &value, &why)) == FG_MEMORY && job->wide && job->blocks > 1)
    job->most = job->blocks / 2;
  if (rc == FG_OK) {
    request->loss = value.loss;
    request->mean = value.mean;
    request->lost = value.lost;
    request->lost_first = value.lost_first;
  } else if (st) {
    *st = why;
  }
  free(job);
  free(host);
  return fg_cuda_named(rc, "objective", st);
}

/* ---- the optimiser ----------------------------------------------------------------------------------------------- */

fg_code fg_cuda_optimise(fg_engine *e, fg_threads *threads, const fg_field *field,
                         fg_optimise_request *request, fg_status *st)
{
  const fg_cuda_train_table *table = fg_cuda_train_of(request->precision);
  fg_optimise_request r = *request;
  fg_cuda_pieces pieces;
  double part[FG_NORM_BLOCKS], sum = 0;
  void *norm;
  fg_code rc;
  (void)threads;
  pieces.on = fg_cuda_home(e);
  pieces.count = 0;
  if (field->kind != FG_FIELD_NETWORK)
    return FG_FAIL(st, FG_UNSUPPORTED, "only networks have weights to optimise");
  FG_TRY(fg_cuda_enter(pieces.on, st));
  FG_GO(fg_cuda_piece(&pieces, sizeof part, NULL, &norm, st), done);
  table->norm(field, r.gradient.device, (double *)norm);
  FG_GO(fg_cuda_finish("norm", FG_NORM_BLOCKS, 1, st), done);
  FG_GO(fg_cuda_fetch(part, norm, sizeof part, st), done);
  for (int k = 0; k < FG_NORM_BLOCKS; k++) sum += part[k];
  request->norm = r.norm = sqrt(sum);
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

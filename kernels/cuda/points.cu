/* Losses at points on the device; blocks and sums as in cuda/train.cu. */
#include <stdlib.h>
#include <string.h>

#include "cuda/train.cuh"
#include "cuda/wide_points.cuh"
#include "requests.h"

enum { FG_POINT_BLOCKS = 256, FG_POINT_UNITS = FG_CUDA_DEVICES };

typedef struct fg_points_seat {
  fg_points_request request; /* as kernels of this device see it */
  fg_field field;
  fg_cuda_walk walk;
  size_t origin; /* block whose sums come first in its array */
  fg_points_out out;
} fg_points_seat;

typedef struct fg_points_job {
  const fg_cuda_train_table *table;
  const fg_field *field;
  const fg_points_request *request; /* as it came */
  int direct, gradient;             /* direct: time is an input, so there are no rows */
  int wide;                         /* by cuBLAS: blocks are waves, or some of them */
  size_t most;                      /* blocks */
  size_t tile, tiles, block_tiles, blocks, share;
  double *loss; /* host */
  fg_cuda_crew crew;
  fg_points_seat seat[FG_CUDA_DEVICES];
} fg_points_job;

/* Where time is no input a tile is a group, whose time it shares. */
static void fg_points_cut(fg_points_job *job, const fg_cuda_device *home)
{
  const fg_points_request *r = job->request;
  const int time = job->field->as.network.time;
  size_t wave = 1;
  job->direct = !job->field->guided && (time == FG_TIME_FIRST || time == FG_TIME_LAST);
  job->wide = fg_wide_is(job->field, NULL);
  if (job->wide)
    wave = fg_wide_visit_cut(home, job->field, r, job->direct, &job->tile);
  else
    job->tile = job->table->points_tile(job->field, r, job->direct);
  if (job->most == 0) job->most = job->wide ? FG_POINT_UNITS : FG_POINT_BLOCKS;
  job->tiles = (r->n + job->tile - 1) / job->tile;
  const size_t waves = (job->tiles + wave - 1) / wave;
  job->block_tiles = (waves + job->most - 1) / job->most * wave;
  job->blocks = (job->tiles + job->block_tiles - 1) / job->block_tiles;
  job->share = job->table->points_share_bytes(job->field);
  job->gradient = r->gradient.device != NULL;
}

static fg_code fg_points_twins(fg_cuda_part *part, fg_points_request *r, size_t d, fg_status *st)
{
  const size_t one = sizeof(double);
  FG_TRY(fg_cuda_twin_rows(part, &r->x, d * one, 1, FG_TWIN_IN, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->goal, d * one, 1, FG_TWIN_IN, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->weight, one, 1, FG_TWIN_IN, st));
  FG_TRY(fg_cuda_twin_rows(part, &r->value, one, 1, FG_TWIN_OUT, st));
  return fg_cuda_twin_rows(part, &r->vector, d * one, 1, FG_TWIN_OUT, st);
}

static fg_code fg_points_open(fg_cuda_part *part, void *argument, fg_status *st)
{
  fg_points_job *job = (fg_points_job *)argument;
  fg_points_seat *seat = &job->seat[part - job->crew.part];
  fg_points_request *r = &seat->request;
  void *memory;
  *r = *job->request;
  r->progress = NULL; /* host memory */
  seat->field = *job->field;
  seat->walk.tiles = job->block_tiles;
  seat->out.tile = job->tile;
  seat->out.gradient = job->gradient;
  const size_t groups = r->n / r->group;
  FG_TRY(fg_cuda_twin_field(part, &seat->field, st));
  FG_TRY(fg_points_twins(part, r, (size_t)seat->field.d, st));
  FG_TRY(fg_cuda_piece(&part->pieces, 2 * r->n * sizeof(double), NULL, &memory, st));
  seat->out.value = r->value.device ? (double *)r->value.device : (double *)memory;
  seat->out.loss = (double *)memory + r->n;
  FG_TRY(fg_cuda_piece(&part->pieces, groups * sizeof *r->coeff, r->coeff, &memory, st));
  r->coeff = (const fg_coeff *)memory;
  if (!job->direct) {
    FG_TRY(fg_cuda_piece(&part->pieces, groups * job->table->row_bytes(&seat->field), NULL, &memory, st));
    job->table->rows(&seat->field, groups, r->coeff, memory);
    FG_TRY(fg_cuda_finish("rows", (groups + FG_CUDA_TILE - 1) / FG_CUDA_TILE, groups, st));
    seat->walk.rows = memory;
    FG_TRY(fg_cuda_piece(&part->pieces, groups * job->share, NULL, &seat->out.shares, st));
  }
  if (!job->gradient) return FG_OK;
  const size_t own = job->wide && !part->home ? part->end - part->first : job->blocks;
  seat->origin = job->wide && !part->home ? part->first : 0;
  seat->walk.block_bytes[0] = job->table->packed_bytes(&seat->field) + job->share;
  return fg_cuda_piece_zero(&part->pieces, seat->walk.block_bytes[0] * own, &seat->walk.block[0], st);
}

/* What other devices summed goes home, to the same places. */
static fg_code fg_points_return(fg_cuda_part *part, fg_points_job *job, fg_status *st)
{
  const fg_points_seat *seat = &job->seat[part - job->crew.part], *home = &job->seat[0];
  const size_t each = seat->walk.block_bytes[0], last = part->end * job->block_tiles;
  const size_t from = part->first * job->block_tiles, to = last < job->tiles ? last : job->tiles;
  FG_TRY(fg_cuda_twin_return(part, (char *)home->walk.block[0] + part->first * each,
                             (char *)seat->walk.block[0] + (part->first - seat->origin) * each,
                             (part->end - part->first) * each, st));
  if (job->direct) return FG_OK;
  return fg_cuda_twin_return(part, (char *)home->out.shares + from * job->share,
                             (char *)seat->out.shares + from * job->share, (to - from) * job->share, st);
}

static fg_code fg_points_walk_wide(fg_cuda_part *part, fg_points_job *job, fg_status *st)
{
  fg_points_seat *seat = &job->seat[part - job->crew.part];
  fg_wide_visit visit;
  visit.field = &seat->field;
  visit.request = &seat->request;
  visit.tile = job->tile;
  visit.tiles = job->block_tiles;
  visit.value = seat->out.value;
  visit.loss = seat->out.loss;
  visit.rows = (void *)seat->walk.rows;
  visit.shares = seat->out.shares;
  visit.block_bytes = seat->walk.block_bytes[0];
  visit.block =
      job->gradient ? (char *)seat->walk.block[0] + (part->first - seat->origin) * visit.block_bytes : NULL;
  return fg_wide_visit_all(part, &visit, job->loss, st);
}

/* Launches of as many blocks as scratch allows. */
static fg_code fg_points_waves(fg_cuda_part *part, fg_points_job *job, fg_status *st)
{
  fg_points_seat *seat = &job->seat[part - job->crew.part];
  fg_cuda_walk *walk = &seat->walk;
  unsigned at_once;
  walk->each = fg_cuda_share(job->table->points_scratch(&seat->field, &seat->request, job->tile));
  FG_TRY(fg_cuda_part_wave(part, "points", walk->each, &at_once, &walk->scratch, st));
  for (walk->first = part->first; walk->first < part->end; walk->first += at_once) {
    const unsigned now = fg_cuda_now(walk->first, part->end, at_once);
    if (fg_cuda_crew_stopped(part)) return FG_FAIL(st, FG_INTERRUPTED, "the losses at points were stopped");
    job->table->points(&seat->field, &seat->request, walk, now, &seat->out);
    FG_TRY(fg_cuda_finish("points", now, seat->request.n, st));
  }
  fg_cuda_piece_give(&part->pieces, walk->scratch); /* others need room too */
  return FG_OK;
}

static fg_code fg_points_walk(fg_cuda_part *part, void *argument, fg_status *st)
{
  fg_points_job *job = (fg_points_job *)argument;
  const fg_points_seat *seat = &job->seat[part - job->crew.part];
  FG_TRY(job->wide ? fg_points_walk_wide(part, job, st) : fg_points_waves(part, job, st));
  FG_TRY(fg_cuda_fetch(job->loss + part->begin, seat->out.loss + part->begin,
                       (part->finish - part->begin) * sizeof *job->loss, st));
  if (job->gradient) FG_TRY(fg_points_return(part, job, st));
  return fg_cuda_twins_back(part, st);
}

/* Seeds were made for a mean over all n points: scale to those that are left. */
static fg_code fg_points_gather(fg_points_job *job, size_t lost, fg_status *st)
{
  const fg_points_seat *home = &job->seat[0];
  const fg_points_request *r = &home->request;
  fg_cuda_gather g;
  memset(&g, 0, sizeof g);
  g.field = job->field;
  g.coeff = r->coeff;
  g.shares = home->out.shares;
  g.nodes = job->direct ? 0 : r->n / r->group;
  g.count = job->blocks;
  g.bytes = home->walk.block_bytes[0];
  g.blocks = home->walk.block[0];
  g.scale = lost < r->n ? (double)r->n / (double)(r->n - lost) : 0;
  g.gradient = r->gradient.device;
  g.gradient_bytes = r->gradient.bytes;
  g.accumulate = r->accumulate;
  return fg_cuda_gather_run(job->table, &g, job->crew.part[0].on, st);
}

static fg_code fg_points_run(fg_points_job *job, fg_engine *e, const fg_threads *threads,
                             fg_points_request *request, fg_status *st)
{
  fg_code rc;
  memset(job->seat, 0, sizeof job->seat);
  fg_points_cut(job, fg_cuda_home(e));
  const size_t unit = job->block_tiles * job->tile;
  FG_GO(job->wide ? fg_cuda_crew_open_waves(&job->crew, e, threads, job->blocks, unit, request->n, st)
                  : fg_cuda_crew_open(&job->crew, e, threads, job->blocks, unit, request->n, st),
        done);
  job->crew.progress = request->progress;
  FG_GO(fg_cuda_crew_run(&job->crew, fg_points_open, job, st), done);
  FG_GO(fg_cuda_crew_run(&job->crew, fg_points_walk, job, st), done);
  fg_points_mean(job->loss, request);
  if (job->gradient) rc = fg_points_gather(job, request->lost, st);
done:
  fg_cuda_crew_close(&job->crew);
  return rc;
}

fg_code fg_cuda_points(fg_engine *e, fg_threads *threads, const fg_field *field, fg_points_request *request,
                       fg_status *st)
{
  fg_status why;
  fg_code rc;
  FG_TRY(fg_points_check(field, request, st));
  if (field->guide.density.kind == FG_DENSITY_PLUGIN)
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "a target that was built from C runs on the processor alone: use --engine cpu");
  fg_points_job *job = (fg_points_job *)calloc(1, sizeof *job);
  double *loss = (double *)malloc(request->n * sizeof *loss);
  if (!job || !loss) {
    free(job);
    free(loss);
    return FG_FAIL(st, FG_MEMORY, "no memory for the losses of %zu points", request->n);
  }
  job->table = fg_cuda_train_of(request->precision);
  job->field = field;
  job->request = request;
  job->loss = loss;
  /* where memory is short fewer sums of a wide network, each of more waves */
  while ((rc = fg_points_run(job, e, threads, request, &why)) == FG_MEMORY && job->wide && job->blocks > 1)
    job->most = job->blocks / 2;
  if (rc != FG_OK && st) *st = why;
  free(job);
  free(loss);
  return fg_cuda_named(rc, "points", st);
}

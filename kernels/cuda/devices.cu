/* Work on particles, shared by the devices of one machine. Buffers lie at home, on the first; the others get copies of
 * what they need and copy back what they did. */
#include <stdlib.h>
#include <string.h>

#include "cuda/cuda_impl.h"

/* ---- twins ------------------------------------------------------------------------------------- */

static fg_code fg_peer_copy(void *to, int to_number, const void *from, int from_number, size_t bytes,
                            fg_status *st)
{
  return bytes == 0 ? FG_OK
                    : fg_cuda_check(
                          cudaMemcpyPeerAsync(to, to_number, from, from_number, bytes, cudaStreamPerThread),
                          "cudaMemcpyPeerAsync", bytes, st);
}

static int fg_home_number(const fg_cuda_part *part)
{
  return part->crew->engine->device[0].number;
}

static fg_code fg_twin_fetch(fg_cuda_part *part, void *here, const void *home, size_t bytes, fg_status *st)
{
  return fg_peer_copy(here, part->on->number, home, fg_home_number(part), bytes, st);
}

static fg_code fg_twin_note(fg_cuda_part *part, void *home, void *here, size_t bytes, size_t step,
                            size_t planes, fg_status *st)
{
  if (part->twins == FG_CUDA_TWINS)
    return FG_FAIL(st, FG_FAILED, "a request has too many buffers to share it");
  part->twin[part->twins].home = (char *)home;
  part->twin[part->twins].here = (char *)here;
  part->twin[part->twins].bytes = bytes;
  part->twin[part->twins].step = step;
  part->twin[part->twins++].planes = planes;
  return FG_OK;
}

fg_code fg_cuda_twin_rows(fg_cuda_part *part, fg_buf *buf, size_t each, size_t planes, int way, fg_status *st)
{
  const size_t step = part->crew->n * each, at = part->begin * each, bytes = part->finish * each - at;
  char *home = (char *)buf->device;
  void *here;
  if (part->home || !home) return FG_OK;
  FG_TRY(fg_cuda_piece(&part->pieces, step * planes, NULL, &here, st));
  buf->device = here;
  for (size_t k = 0; k < planes && (way & FG_TWIN_IN); k++)
    FG_TRY(fg_twin_fetch(part, (char *)here + k * step + at, home + k * step + at, bytes, st));
  return way & FG_TWIN_OUT ? fg_twin_note(part, home + at, (char *)here + at, bytes, step, planes, st)
                           : FG_OK;
}

fg_code fg_cuda_twin_whole(fg_cuda_part *part, fg_buf *buf, fg_status *st)
{
  void *here;
  if (part->home || !buf->device || buf->bytes == 0) return FG_OK;
  FG_TRY(fg_cuda_piece(&part->pieces, buf->bytes, NULL, &here, st));
  FG_TRY(fg_twin_fetch(part, here, buf->device, buf->bytes, st));
  buf->device = here;
  return FG_OK;
}

static fg_code fg_twin_mixture(fg_cuda_part *part, fg_field_mixture *m, fg_status *st)
{
  FG_TRY(fg_cuda_twin_whole(part, &m->log_weight, st));
  FG_TRY(fg_cuda_twin_whole(part, &m->mean, st));
  FG_TRY(fg_cuda_twin_whole(part, &m->spectrum, st));
  return fg_cuda_twin_whole(part, &m->basis, st);
}

static fg_code fg_twin_network(fg_cuda_part *part, fg_field_network *network, fg_status *st)
{
  FG_TRY(fg_cuda_twin_whole(part, &network->packed_single, st));
  return fg_cuda_twin_whole(part, &network->packed_double, st);
}

fg_code fg_cuda_twin_density(fg_cuda_part *part, fg_density *density, fg_status *st)
{
  switch (density->kind) {
  case FG_DENSITY_MIXTURE:
    return fg_twin_mixture(part, &density->as.mixture, st);
  case FG_DENSITY_RINGS:
    FG_TRY(fg_cuda_twin_whole(part, &density->as.rings.log_weight, st));
    return fg_cuda_twin_whole(part, &density->as.rings.radius, st);
  case FG_DENSITY_LOGISTIC:
    return fg_cuda_twin_whole(part, &density->as.logistic.features, st);
  case FG_DENSITY_NONE:
  case FG_DENSITY_FUNNEL:
  case FG_DENSITY_WELLS:
  case FG_DENSITY_PLUGIN:
    break;
  }
  return FG_OK;
}

fg_code fg_cuda_twin_field(fg_cuda_part *part, fg_field *field, fg_status *st)
{
  field->tf32 = part->on->engine->engine->tf32 == FG_TF32_ON;
  if (field->kind == FG_FIELD_MIXTURE) return fg_twin_mixture(part, &field->as.mixture, st);
  FG_TRY(fg_twin_network(part, &field->as.network, st));
  if (field->guided) FG_TRY(fg_cuda_twin_density(part, &field->guide.density, st));
  return field->paired ? fg_twin_network(part, &field->noising, st) : FG_OK;
}

fg_code fg_cuda_twin_return(fg_cuda_part *part, void *home, const void *here, size_t bytes, fg_status *st)
{
  return part->home ? FG_OK : fg_twin_note(part, home, (void *)(uintptr_t)here, bytes, 0, 1, st);
}

fg_code fg_cuda_twins_back(fg_cuda_part *part, fg_status *st)
{
  for (int k = 0; k < part->twins; k++)
    for (size_t plane = 0; plane < part->twin[k].planes; plane++) {
      const size_t at = plane * part->twin[k].step;
      FG_TRY(fg_peer_copy(part->twin[k].home + at, fg_home_number(part), part->twin[k].here + at,
                          part->on->number, part->twin[k].bytes, st));
    }
  return part->twins ? fg_cuda_wait("cudaMemcpyPeerAsync", 0, st) : FG_OK;
}

/* ---- a crew -------------------------------------------------------------------------------------- */

/* `least`: units that make a device worth its copies. */
static int fg_crew_size(const fg_cuda *cuda, const fg_threads *threads, size_t units, size_t least)
{
  const size_t worth = units / least;
  if (!threads || worth < 2) return 1;
  return worth < (size_t)cuda->devices ? (int)worth : cuda->devices;
}

static fg_code fg_crew_share(fg_cuda_crew *crew, const fg_engine *e, const fg_threads *threads, size_t least,
                             size_t units, size_t unit, size_t n, fg_status *st)
{
  fg_cuda *cuda = fg_cuda_of(e);
  memset(crew, 0, sizeof *crew);
  crew->engine = cuda;
  crew->unit = unit;
  crew->n = n;
  crew->count = fg_crew_size(cuda, threads, units, least);
  pthread_mutex_init(&crew->lock, NULL);
  for (int k = 0; k < crew->count; k++) {
    fg_cuda_part *part = &crew->part[k];
    part->crew = crew;
    part->on = part->pieces.on = &cuda->device[k];
    part->home = k == 0;
    part->first = units * (size_t)k / (size_t)crew->count;
    part->end = units * (size_t)(k + 1) / (size_t)crew->count;
    part->begin = part->first * unit < n ? part->first * unit : n;
    part->finish = part->end * unit < n ? part->end * unit : n;
  }
  return fg_cuda_enter(&cuda->device[0], st);
}

/* A unit is a block of threads: one for each processor. */
fg_code fg_cuda_crew_open(fg_cuda_crew *crew, const fg_engine *e, const fg_threads *threads, size_t units,
                          size_t unit, size_t n, fg_status *st)
{
  const int processors = fg_cuda_home(e)->processors;
  return fg_crew_share(crew, e, threads, processors > 0 ? (size_t)processors : 1, units, unit, n, st);
}

fg_code fg_cuda_crew_open_waves(fg_cuda_crew *crew, const fg_engine *e, const fg_threads *threads,
                                size_t units, size_t unit, size_t n, fg_status *st)
{
  return fg_crew_share(crew, e, threads, 1, units, unit, n, st);
}

typedef struct fg_crew_call {
  fg_cuda_crew *crew;
  fg_cuda_crew_task *task;
  void *argument;
  fg_status status[FG_CUDA_DEVICES];
  fg_code code[FG_CUDA_DEVICES];
} fg_crew_call;

static void fg_crew_task_of(void *argument, size_t k, int worker)
{
  fg_crew_call *call = (fg_crew_call *)argument;
  fg_cuda_part *part = &call->crew->part[k];
  fg_status *st = &call->status[k];
  (void)worker;
  call->code[k] = fg_cuda_enter(part->on, st);
  if (call->code[k] == FG_OK) call->code[k] = call->task(part, call->argument, st);
  const fg_code rest = fg_cuda_wait("cudaStreamSynchronize", 0, call->code[k] == FG_OK ? st : NULL);
  if (call->code[k] == FG_OK) call->code[k] = rest;
}

fg_code fg_cuda_crew_run(fg_cuda_crew *crew, fg_cuda_crew_task *task, void *argument, fg_status *st)
{
  fg_crew_call call;
  memset(&call, 0, sizeof call);
  call.crew = crew;
  call.task = task;
  call.argument = argument;
  fg_threads_run(crew->count > 1 ? crew->engine->crew : NULL, (size_t)crew->count, fg_crew_task_of, &call);
  for (int k = 0; k < crew->count; k++)
    if (call.code[k] != FG_OK) {
      if (st) *st = call.status[k];
      return call.code[k];
    }
  return fg_cuda_enter(&crew->engine->device[0], st);
}

void fg_cuda_crew_close(fg_cuda_crew *crew)
{
  for (int k = crew->count - 1; k >= 0; k--) { /* home last: the thread stays there */
    if (k != 0 || crew->count > 1) (void)fg_cuda_enter(crew->part[k].on, NULL);
    fg_cuda_pieces_give(&crew->part[k].pieces);
  }
  pthread_mutex_destroy(&crew->lock);
}

void fg_cuda_crew_report(fg_cuda_part *part, size_t first, size_t units)
{
  fg_cuda_crew *crew = part->crew;
  const size_t begin = first * crew->unit, end = begin + units * crew->unit;
  if (!crew->progress) return;
  pthread_mutex_lock(&crew->lock);
  crew->done += (end < crew->n ? end : crew->n) - begin;
  fg_progress_report(crew->progress, crew->stage, (double)crew->done, (double)crew->n);
  pthread_mutex_unlock(&crew->lock);
}

int fg_cuda_crew_stopped(const fg_cuda_part *part)
{
  return fg_progress_cancelled(part->crew->progress);
}

fg_code fg_cuda_part_wave(fg_cuda_part *part, const char *kernel, size_t each, unsigned *at_once,
                          void **scratch, fg_status *st)
{
  fg_cuda_pieces *all = &part->pieces;
  *at_once = fg_cuda_blocks_at_once(part->end - part->first, each);
  if (all->count == FG_CUDA_PIECES) return FG_FAIL(st, FG_FAILED, "a request took too many pieces of memory");
  FG_TRY(fg_cuda_take_wave(part->on, kernel, each, at_once, scratch, st));
  all->piece[all->count++] = *scratch;
  return FG_OK;
}

/* ---- lanes ---------------------------------------------------------------------------------------- */

/* A part without units, for the copies of the field. */
static fg_code fg_lane_field(fg_cuda_part *part, fg_field *field, fg_status *st)
{
  FG_TRY(fg_cuda_enter(part->on, st));
  FG_TRY(fg_cuda_twin_field(part, field, st));
  return fg_cuda_wait("cudaMemcpyPeerAsync", 0, st); /* other threads use it */
}

fg_code fg_cuda_lane_open(fg_engine *e, size_t number, const fg_field *field, fg_lane *lane, fg_status *st)
{
  fg_cuda *cuda = fg_cuda_of(e);
  lane->engine = e;
  lane->field = *field;
  lane->state = NULL;
  if (number >= (size_t)cuda->devices)
    return FG_FAIL(st, FG_USAGE, "lane %zu of an engine with %d", number, cuda->devices);
  if (number == 0) return FG_OK;
  fg_cuda_crew *crew = (fg_cuda_crew *)calloc(1, sizeof *crew);
  if (!crew) return FG_FAIL(st, FG_MEMORY, "no memory for a field on device %d", cuda->device[number].number);
  crew->engine = cuda;
  crew->part[0].crew = crew;
  crew->part[0].on = crew->part[0].pieces.on = &cuda->device[number];
  lane->engine = &cuda->device[number].lane;
  lane->state = crew;
  const fg_code rc = fg_lane_field(&crew->part[0], &lane->field, st);
  if (rc != FG_OK) fg_cuda_lane_close(e, lane);
  return rc;
}

void fg_cuda_lane_close(fg_engine *e, fg_lane *lane)
{
  fg_cuda_crew *crew = (fg_cuda_crew *)lane->state;
  (void)e;
  if (!crew) return;
  (void)fg_cuda_enter(crew->part[0].on, NULL);
  fg_cuda_pieces_give(&crew->part[0].pieces);
  free(crew);
  lane->state = NULL;
}

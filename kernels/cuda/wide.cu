/* Wide networks: waves of tiles and their memory, the list of a body's products, the graph of a step. */
#include <stdlib.h>
#include <string.h>

#include "cuda/wide.cuh"

enum { FG_WIDE_TILES = 4096, FG_WIDE_WAVES = FG_CUDA_DEVICES };

static int fg_wide_network(const fg_field_network *net)
{
  int wide = 0;
  for (int l = 1; l < net->layers; l++) wide |= net->width[l] > FG_WIDE_WIDTH;
  return wide;
}

int fg_wide_is(const fg_field *field, const fg_field *noising)
{
  if (field->kind != FG_FIELD_NETWORK) return 0;
  return fg_wide_network(&field->as.network) || (field->paired && fg_wide_network(&field->noising)) ||
         (noising && fg_wide_network(&noising->as.network));
}

/* ---- a request and its memory ------------------------------------------------------------------------ */

/* Few particles go into small tiles, so that there are blocks for all of the device. */
static int fg_wide_tile_of(size_t n)
{
  return n >= 256 * 64 ? 64 : n >= 256 * 32 ? 32 : 16;
}

static const fg_wide_table *fg_wide_table_of(fg_precision precision)
{
  return precision == FG_SINGLE ? &fg_wide_single : &fg_wide_double;
}

/* A wave has a tile for each processor, so that it is worth a device, and its scratch is FG_SCRATCH_MOST or less; there are
 * no more waves than either asks for, or devices can be. */
size_t fg_wide_cut(const fg_cuda_device *on, fg_precision precision, size_t n, fg_wide_scratch *scratch_of,
                   void *what, int *p)
{
  const int processors = on->engine->device[0].processors;
  *p = fg_wide_tile_of(n);
  const size_t tiles = (n + (size_t)*p - 1) / (size_t)*p, limit = FG_WIDE_TILES, most = FG_WIDE_WAVES;
  const size_t worth = tiles / (size_t)(processors > 0 ? processors : 1);
  size_t fit = FG_SCRATCH_MOST / (scratch_of(what, *p) * fg_wide_table_of(precision)->real);
  fit = fit < 1 ? 1 : fit < limit ? fit : limit;
  const size_t least = (tiles + fit - 1) / fit, wish = worth < most ? worth : most;
  const size_t waves = wish > least ? wish : least;
  return waves > 1 ? (tiles + waves - 1) / waves : tiles;
}

static void fg_wide_forget(fg_wide_plan *plan)
{
  if (plan->graph) (void)cudaGraphExecDestroy(plan->graph);
  plan->graph = NULL;
  free(plan->calls);
  plan->calls = NULL;
  plan->count = 0;
}

/* Graphs must not be under way when they are destroyed. */
void fg_wide_end(fg_wide_run *run)
{
  int graphs = 0;
  for (int k = 0; k < run->plans; k++) graphs |= run->plan[k]->graph != NULL;
  if (graphs) (void)fg_cuda_wait("cudaStreamSynchronize", 0, NULL);
  for (int k = 0; k < run->plans; k++) fg_wide_forget(run->plan[k]);
  fg_cuda_pieces_give(&run->wave);
  fg_cuda_pieces_give(&run->pieces);
  fg_wide_blas_return(run->pool, run->blas);
  run->blas = NULL;
  run->plans = 0;
}

/* The matrices of a network row by row; `net` in the place of the field's own. */
static fg_code fg_wide_unpack(fg_wide_run *run, const fg_field *field, const fg_field_network *net,
                              fg_wide_weights *to, fg_status *st)
{
  fg_field f = *field;
  void *plain;
  f.as.network = *net;
  to->packed = run->single ? net->packed_single.device : net->packed_double.device;
  to->core = run->table->core(&f);
  FG_TRY(fg_cuda_piece(&run->pieces, to->core * run->table->real, NULL, &plain, st));
  run->table->plain(&f, 0, to->packed, plain);
  to->plain = plain;
  return FG_OK;
}

/* What there is once, however many tiles. */
static fg_code fg_wide_take(fg_wide_run *run, const fg_field *field, const fg_field *noising, fg_status *st)
{
  const fg_field_network *second = noising ? &noising->as.network : field->paired ? &field->noising : NULL;
  const fg_wide_state start = {0, 0, 0};
  void *state;
  FG_TRY(fg_wide_unpack(run, field, &field->as.network, &run->job.weights[0], st));
  if (second) FG_TRY(fg_wide_unpack(run, field, second, &run->job.weights[1], st));
  FG_TRY(fg_cuda_piece(&run->pieces, sizeof start, &start, &state, st));
  run->job.state = (fg_wide_state *)state;
  run->job.partial_room = run->table->partial(field, noising);
  return FG_OK;
}

fg_code fg_wide_begin(fg_wide_run *run, fg_cuda_device *on, const char *name, fg_precision precision,
                      const fg_field *field, const fg_field *noising, size_t n, fg_wide_scratch *scratch_of,
                      void *what, fg_status *st)
{
  fg_code rc;
  memset(run, 0, sizeof *run);
  run->name = name;
  run->single = precision == FG_SINGLE;
  run->table = fg_wide_table_of(precision);
  run->pool = on->blas;
  run->pieces.on = run->wave.on = on;
  run->n = n;
  run->at_once = fg_wide_cut(on, precision, n, scratch_of, what, &run->job.p);
  run->tiles = (n + (size_t)run->job.p - 1) / (size_t)run->job.p;
  run->each = scratch_of(what, run->job.p);
  FG_TRY(fg_cuda_enter(on, st));
  rc = fg_wide_blas_borrow(run->pool, &run->blas, st);
  if (rc == FG_OK) rc = fg_wide_take(run, field, noising, st);
  if (rc == FG_OK) return FG_OK;
  if (rc == FG_MEMORY)
    (void)fg_status_prefix(st, "the kernel %s needs the weights of a wide network twice, and cuBLAS: ", name);
  fg_wide_end(run);
  return rc;
}

void fg_wide_add(fg_wide_run *run, fg_wide_plan *plan, fg_wide_launch *launch, void *what, int by)
{
  memset(plan, 0, sizeof *plan);
  plan->launch = launch;
  plan->what = what;
  plan->by = by;
  run->plan[run->plans++] = plan;
}

fg_code fg_wide_set(fg_wide_run *run, size_t first, size_t step, size_t from, fg_status *st)
{
  const fg_wide_state state = {first, step, from};
  return fg_cuda_send(run->pieces.on, run->job.state, &state, sizeof state, st);
}

fg_code fg_wide_wait(const fg_wide_run *run, const char *what, fg_status *st)
{
  return fg_cuda_finish(what, (size_t)run->job.tiles, run->n, st);
}

/* ---- the products of a body ----------------------------------------------------------------------------- */

/* Once with room for so many, and one more, which begins with how many there are. Loops are off, but places are computed: from
 * a state of an earlier wave, whose last step was -1, they would lie before their arrays. */
static fg_code fg_wide_list(fg_wide_run *run, const fg_wide_plan *plan, int room, fg_wide_product *host,
                            int *count, fg_status *st)
{
  const size_t bytes = (2 * (size_t)room + 1) * sizeof *host;
  fg_wide_job job = run->job;
  void *list = NULL;
  fg_code rc;
  FG_TRY(fg_wide_set(run, 0, 0, 0, st));
  FG_TRY(fg_cuda_take(run->pieces.on, bytes, &list, st));
  FG_GO(fg_cuda_check(cudaMemsetAsync(list, 0, bytes, cudaStreamPerThread), "cudaMemsetAsync", bytes, st),
        done);
  job.segment = FG_WIDE_RECORD;
  job.list = (fg_wide_product *)list;
  job.list_room = room;
  job.list_count = (int *)(job.list + 2 * (size_t)room);
  plan->launch(plan->what, &job, job.tiles > 1 ? 2 : 1);
  FG_GO(fg_cuda_started("list of products", 2, run->n, st), done);
  FG_GO(fg_cuda_fetch(host, list, bytes, st), done);
  memcpy(count, host + 2 * (size_t)room, sizeof *count);
done:
  fg_cuda_give(run->pieces.on, list);
  return rc;
}

static long long fg_wide_apart(const fg_wide_run *run, const void *first, const void *second)
{
  if (run->job.tiles == 1 || !first) return 0;
  return (long long)((const char *)second - (const char *)first) / (long long)run->table->real;
}

/* Room for products that need a sum over tiles, and the ones that sum them. */
static fg_code fg_wide_sums(fg_wide_run *run, const fg_wide_plan *plan, fg_status *st)
{
  const size_t tiles = (size_t)run->job.tiles;
  size_t most = 0;
  for (int k = 0; k < plan->count; k++) {
    const fg_wide_product *p = &plan->calls[k].of;
    const size_t size = tiles * (size_t)p->inner * (size_t)p->columns;
    if (p->kind == FG_WIDE_OUTER && !fg_wide_call_is_whole(run->job.tiles, &plan->calls[k]) && size > most)
      most = size;
  }
  if (most <= run->room_reals) return FG_OK;
  double *ones = (double *)malloc(tiles * sizeof *ones);
  if (!ones) return FG_FAIL(st, FG_MEMORY, "no memory for %zu numbers", tiles);
  for (size_t k = 0; k < tiles; k++)
    if (run->single)
      ((float *)ones)[k] = 1;
    else
      ones[k] = 1;
  fg_cuda_piece_give(&run->wave, run->ones);
  fg_cuda_piece_give(&run->wave, run->room);
  run->ones = run->room = NULL;
  run->room_reals = 0;
  fg_code rc = fg_cuda_piece(&run->wave, tiles * run->table->real, ones, &run->ones, st);
  free(ones);
  if (rc == FG_OK) rc = fg_cuda_piece(&run->wave, most * run->table->real, NULL, &run->room, st);
  if (rc == FG_OK) run->room_reals = most;
  return rc;
}

static fg_code fg_wide_record(fg_wide_run *run, fg_wide_plan *plan, fg_status *st)
{
  fg_wide_product *list = NULL;
  int room = 128, count = 0;
  fg_code rc = FG_OK;
  fg_wide_forget(plan);
  for (;;) {
    list = (fg_wide_product *)malloc((2 * (size_t)room + 1) * sizeof *list);
    if (!list) return FG_FAIL(st, FG_MEMORY, "no memory for a list of %d products", room);
    FG_GO(fg_wide_list(run, plan, room, list, &count, st), done);
    if (count <= room) break;
    room = count;
    free(list);
  }
  plan->calls = (fg_wide_call *)malloc(((size_t)count + 1) * sizeof *plan->calls);
  if (!plan->calls) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for a list of %d products", count);
    goto done;
  }
  plan->count = count;
  for (int k = 0; k < count; k++) {
    const fg_wide_product *one = &list[k], *two = &list[room + k];
    fg_wide_call *call = &plan->calls[k];
    call->of = *one;
    call->a_tile = fg_wide_apart(run, one->a, two->a);
    call->b_tile = fg_wide_apart(run, one->b, two->b);
    call->c_tile = fg_wide_apart(run, one->c, two->c);
  }
  rc = fg_wide_sums(run, plan, st);
done:
  free(list);
  return rc;
}

static fg_code fg_wide_calls_copy(const fg_wide_call *from, int count, fg_wide_call **to, fg_status *st)
{
  *to = (fg_wide_call *)malloc(((size_t)count + 1) * sizeof **to);
  if (!*to) return FG_FAIL(st, FG_MEMORY, "no memory for a list of %d products", count);
  memcpy(*to, from, (size_t)count * sizeof **to);
  return FG_OK;
}

/* Products lie in the memory of the run alone, so that the same body in the same places has the same list. */
static fg_code fg_wide_remember(fg_wide_run *run, fg_wide_plan *plan, fg_status *st)
{
  if (!plan->key) return fg_wide_record(run, plan, st);
  fg_wide_memo *memo = fg_wide_blas_memo(run->blas);
  fg_wide_key key;
  memcpy(&key, plan->key, sizeof key);
  memcpy(&key.job, &run->job, sizeof key.job);
  for (int k = 0; k < FG_WIDE_MEMOS; k++)
    if (memo->of[k].calls && memcmp(&memo->of[k].key, &key, sizeof key) == 0) {
      plan->count = memo->of[k].count;
      return fg_wide_calls_copy(memo->of[k].calls, plan->count, &plan->calls, st);
    }
  FG_TRY(fg_wide_record(run, plan, st));
  const int to = memo->oldest;
  free(memo->of[to].calls);
  if (fg_wide_calls_copy(plan->calls, plan->count, &memo->of[to].calls, NULL) != FG_OK)
    return FG_OK; /* then it is listed again */
  memcpy(&memo->of[to].key, &key, sizeof key);
  memo->of[to].count = plan->count;
  memo->oldest = (to + 1) % FG_WIDE_MEMOS;
  return FG_OK;
}

fg_code fg_wide_issue(fg_wide_run *run, const fg_wide_plan *plan, fg_status *st)
{
  fg_wide_job job = run->job;
  for (int k = 0; k <= plan->count; k++) {
    job.segment = k;
    plan->launch(plan->what, &job, (unsigned)job.tiles);
    if (k < plan->count)
      FG_TRY(fg_wide_multiply(run->blas, run->single, job.tiles, &plan->calls[k], run->ones, run->room, st));
  }
  return FG_OK;
}

static fg_code fg_wide_capture(fg_wide_run *run, fg_wide_plan *plan, fg_status *st)
{
  cudaGraph_t graph = NULL;
  FG_TRY(fg_cuda_check(cudaStreamBeginCapture(cudaStreamPerThread, cudaStreamCaptureModeThreadLocal),
                       "cudaStreamBeginCapture", 0, st));
  fg_code rc = fg_wide_issue(run, plan, st);
  run->table->advance(run->job.state, plan->by);
  const cudaError_t end = cudaStreamEndCapture(cudaStreamPerThread, &graph);
  if (rc == FG_OK) rc = fg_cuda_check(end, "cudaStreamEndCapture", 0, st);
  if (rc == FG_OK)
    rc = fg_cuda_check(cudaGraphInstantiate(&plan->graph, graph, 0), "cudaGraphInstantiate", 0, st);
  if (rc != FG_OK) plan->graph = NULL;
  if (graph) (void)cudaGraphDestroy(graph);
  return rc;
}

fg_code fg_wide_step(const fg_wide_plan *plan, fg_status *st)
{
  return fg_cuda_check(cudaGraphLaunch(plan->graph, cudaStreamPerThread), "cudaGraphLaunch", 0, st);
}

/* ---- waves ----------------------------------------------------------------------------------------------- */

/* Memory for so many tiles, and all plans for them. */
static fg_code fg_wide_ready(fg_wide_run *run, size_t tiles, fg_status *st)
{
  const size_t real = run->table->real;
  for (int k = 0; k < run->plans; k++) fg_wide_forget(run->plan[k]);
  if (tiles > run->taken) {
    fg_cuda_pieces_give(&run->wave);
    run->ones = run->room = NULL;
    run->room_reals = run->taken = 0;
    FG_TRY(fg_cuda_piece(&run->wave, 2 * tiles * run->job.partial_room * real, NULL, &run->job.partial, st));
    FG_TRY(fg_cuda_piece(&run->wave, tiles * run->each * real, NULL, &run->job.scratch, st));
    run->taken = tiles;
  }
  run->job.tiles = (int)tiles;
  for (int k = 0; k < run->plans; k++) FG_TRY(fg_wide_remember(run, run->plan[k], st));
  for (int k = 0; k < run->plans; k++) /* now that the room of outer products stays where it is */
    if (run->plan[k]->by) FG_TRY(fg_wide_capture(run, run->plan[k], st));
  return FG_OK;
}

fg_code fg_wide_next(fg_wide_run *run, size_t left, fg_status *st)
{
  size_t tiles = left < run->at_once ? left : run->at_once;
  fg_status why;
  fg_code rc;
  if ((size_t)run->job.tiles == tiles) return FG_OK;
  memset(&why, 0, sizeof why);
  while ((rc = fg_wide_ready(run, tiles, &why)) == FG_MEMORY && tiles > 1) {
    fg_cuda_pieces_give(&run->wave);
    run->taken = 0;
    run->at_once = tiles = (tiles + 1) / 2;
  }
  if (rc == FG_MEMORY)
    (void)fg_status_prefix(&why, "the kernel %s needs %zu bytes for one tile of %d particles, and more: ",
                           run->name, (run->each + 2 * run->job.partial_room) * run->table->real, run->job.p);
  if (rc != FG_OK && st) *st = why;
  if (rc != FG_OK) run->job.tiles = 0;
  return rc;
}

fg_code fg_wide_waves(fg_wide_run *run, size_t tile, size_t end, fg_wide_wave *wave, void *what,
                      fg_status *st)
{
  const size_t p = (size_t)run->job.p;
  for (; tile < end; tile += (size_t)run->job.tiles) {
    FG_TRY(fg_wide_next(run, end - tile, st));
    const size_t all = (size_t)run->job.tiles * p, left = run->n - tile * p;
    FG_TRY(wave(what, tile * p, left < all ? left : all, st));
  }
  return FG_OK;
}

fg_code fg_wide_units(fg_wide_run *run, fg_cuda_part *part, size_t tiles, fg_wide_wave *wave, void *what,
                      fg_status *st)
{
  for (size_t unit = part->first; unit < part->end; unit++) {
    const size_t end = (unit + 1) * tiles;
    FG_TRY(fg_wide_waves(run, unit * tiles, end < run->tiles ? end : run->tiles, wave, what, st));
    fg_cuda_crew_report(part, unit, 1);
  }
  return FG_OK;
}

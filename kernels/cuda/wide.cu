/* Wide networks: memory of a request, the list of its products, the graph of a step; evaluate, ODE, simulate. */
#include <stdlib.h>
#include <string.h>

#include "cuda/train.cuh"
#include "cuda/wide.cuh"

enum { FG_WIDE_TILES = 4096 };

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

/* ---- memory ------------------------------------------------------------------------------------------- */

/* Who takes the handle next may have another stream: nothing of a request that failed may be under way. */
void fg_wide_end(fg_wide_run *run)
{
  if (run->blas) (void)fg_cuda_wait("cudaStreamSynchronize", 0, NULL);
  fg_cuda_pieces_give(&run->pieces);
  fg_wide_blas_return(run->pool, run->blas);
  run->blas = NULL;
}

/* Few particles go into small tiles, so that there are blocks for all of the device. */
static int fg_wide_tile_of(size_t n)
{
  return n >= 256 * 64 ? 64 : n >= 256 * 32 ? 32 : 16;
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

/* Weights, and scratch for so many tiles of `each` reals. */
static fg_code fg_wide_take(fg_wide_run *run, const fg_field *field, const fg_field *noising, size_t tiles,
                            size_t each, fg_status *st)
{
  const size_t real = run->table->real;
  const fg_field_network *second = noising ? &noising->as.network : field->paired ? &field->noising : NULL;
  void *state;
  FG_TRY(fg_wide_unpack(run, field, &field->as.network, &run->job.weights[0], st));
  if (second) FG_TRY(fg_wide_unpack(run, field, second, &run->job.weights[1], st));
  FG_TRY(fg_cuda_piece(&run->pieces, sizeof(fg_wide_state), NULL, &state, st));
  run->job.state = (fg_wide_state *)state;
  run->job.tiles = (int)tiles;
  run->job.partial_room = run->table->partial(field, noising);
  FG_TRY(fg_cuda_piece(&run->pieces, 2 * tiles * run->job.partial_room * real, NULL, &run->job.partial, st));
  return fg_cuda_piece(&run->pieces, tiles * each * real, NULL, &run->job.scratch, st);
}

/* The same for as many tiles as there is memory for. */
static fg_code fg_wide_take_most(fg_wide_run *run, const fg_field *field, const fg_field *noising,
                                 size_t each, fg_status *st)
{
  const size_t fit = FG_SCRATCH_MOST / (each * run->table->real), limit = FG_WIDE_TILES;
  size_t tiles = fit < 1 ? 1 : fit < limit ? fit : limit;
  fg_status why;
  fg_code rc;
  memset(&why, 0, sizeof why);
  if (tiles > run->tiles) tiles = run->tiles;
  while ((rc = fg_wide_take(run, field, noising, tiles, each, &why)) == FG_MEMORY && tiles > 1) {
    fg_cuda_pieces_give(&run->pieces);
    tiles = (tiles + 1) / 2;
  }
  if (rc != FG_OK && st) *st = why;
  return rc;
}

fg_code fg_wide_begin(fg_wide_run *run, fg_cuda_device *on, fg_precision precision, const fg_field *field,
                      const fg_field *noising, size_t n, fg_wide_scratch *scratch_of, void *what,
                      fg_status *st)
{
  fg_code rc;
  memset(run, 0, sizeof *run);
  run->single = precision == FG_SINGLE;
  run->table = run->single ? &fg_wide_single : &fg_wide_double;
  run->pool = on->engine->blas;
  run->pieces.on = on;
  run->n = n;
  run->job.p = fg_wide_tile_of(n);
  run->tiles = (n + (size_t)run->job.p - 1) / (size_t)run->job.p;
  FG_TRY(fg_cuda_enter(on, st));
  FG_TRY(fg_wide_blas_borrow(run->pool, &run->blas, st));
  rc = fg_wide_take_most(run, field, noising, scratch_of(what, run->job.p), st);
  if (rc != FG_OK) fg_wide_end(run);
  return rc;
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

/* Once with room for so many; *count is how many there are. */
static fg_code fg_wide_list(fg_wide_run *run, const fg_wide_plan *plan, int room, fg_wide_product *host,
                            int *count, fg_status *st)
{
  const unsigned blocks = run->job.tiles > 1 ? 2 : 1;
  const size_t bytes = 2 * (size_t)room * sizeof *host;
  fg_wide_job job = run->job;
  void *list = NULL, *number = NULL;
  fg_code rc;
  FG_GO(fg_cuda_take(run->pieces.on, bytes, &list, st), done);
  FG_GO(fg_cuda_take(run->pieces.on, sizeof(int), &number, st), done);
  FG_GO(fg_cuda_check(cudaMemsetAsync(number, 0, sizeof(int), cudaStreamPerThread), "cudaMemsetAsync",
                      sizeof(int), st),
        done);
  job.segment = FG_WIDE_RECORD;
  job.list = (fg_wide_product *)list;
  job.list_room = room;
  job.list_count = (int *)number;
  plan->launch(plan->what, &job, blocks);
  FG_GO(fg_wide_wait(run, "list of products", st), done);
  FG_GO(fg_cuda_fetch(count, number, sizeof(int), st), done);
  if (*count <= room) rc = fg_cuda_fetch(host, list, bytes, st);
done:
  fg_cuda_give(run->pieces.on, number);
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
  fg_code rc = fg_cuda_piece(&run->pieces, tiles * run->table->real, ones, &run->ones, st);
  free(ones);
  if (rc == FG_OK) rc = fg_cuda_piece(&run->pieces, most * run->table->real, NULL, &run->room, st);
  if (rc == FG_OK) run->room_reals = most;
  return rc;
}

void fg_wide_forget(fg_wide_plan *plan)
{
  if (plan->graph) (void)cudaGraphExecDestroy(plan->graph);
  plan->graph = NULL;
  free(plan->calls);
  plan->calls = NULL;
  plan->count = 0;
}

fg_code fg_wide_record(fg_wide_run *run, fg_wide_plan *plan, fg_status *st)
{
  fg_wide_product *list = NULL;
  int room = 128, count = 0;
  fg_code rc = FG_OK;
  fg_wide_forget(plan);
  for (;;) {
    list = (fg_wide_product *)malloc(2 * (size_t)room * sizeof *list);
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

fg_code fg_wide_capture(fg_wide_run *run, fg_wide_plan *plan, int by, fg_status *st)
{
  cudaGraph_t graph = NULL;
  FG_TRY(fg_cuda_check(cudaStreamBeginCapture(cudaStreamPerThread, cudaStreamCaptureModeThreadLocal),
                       "cudaStreamBeginCapture", 0, st));
  fg_code rc = fg_wide_issue(run, plan, st);
  run->table->advance(run->job.state, by);
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

/* ---- evaluate, ode ---------------------------------------------------------------------------------------- */

/* All tiles, as many at a time as fit, of a body without steps. */
static fg_code fg_wide_all(fg_wide_run *run, fg_wide_plan *plan, const char *what, fg_status *st)
{
  const size_t at_once = (size_t)run->job.tiles;
  for (size_t tile = 0; tile < run->tiles; tile += at_once) {
    const size_t left = run->tiles - tile;
    FG_TRY(fg_wide_set(run, tile * (size_t)run->job.p, 0, 0, st));
    if (tile == 0 || left < at_once) {
      run->job.tiles = (int)(left < at_once ? left : at_once);
      FG_TRY(fg_wide_record(run, plan, st));
    }
    FG_TRY(fg_wide_issue(run, plan, st));
    FG_TRY(fg_wide_wait(run, what, st));
  }
  return FG_OK;
}

typedef struct fg_wide_points { /* evaluate, or ode */
  const fg_wide_table *table;
  const fg_field *field;
  fg_evaluate_request evaluate;
  fg_ode_request ode;
  int jvp;
} fg_wide_points;

static size_t fg_wide_evaluate_scratch(void *what, int p)
{
  const fg_wide_points *w = (const fg_wide_points *)what;
  return w->table->evaluate_scratch(w->field, &w->evaluate, p);
}

static void fg_wide_evaluate_launch(void *what, const fg_wide_job *job, unsigned blocks)
{
  const fg_wide_points *w = (const fg_wide_points *)what;
  w->table->evaluate(w->field, &w->evaluate, job, blocks);
}

static const fg_wide_table *fg_wide_table_of(fg_precision precision)
{
  return precision == FG_SINGLE ? &fg_wide_single : &fg_wide_double;
}

fg_code fg_wide_evaluate(fg_engine *e, const fg_field *field, const fg_evaluate_request *request,
                         fg_status *st)
{
  fg_wide_points w;
  fg_wide_run run;
  fg_wide_plan plan = {fg_wide_evaluate_launch, &w, NULL, 0, NULL};
  void *coeff;
  fg_code rc;
  memset(&w, 0, sizeof w);
  w.table = fg_wide_table_of(request->precision);
  w.field = field;
  w.evaluate = *request;
  FG_TRY(fg_wide_begin(&run, fg_cuda_home(e), request->precision, field, NULL, request->n,
                       fg_wide_evaluate_scratch, &w, st));
  FG_GO(fg_cuda_piece(&run.pieces, (request->shared_time ? 1 : request->n) * sizeof *request->coeff,
                      request->coeff, &coeff, st),
        done);
  w.evaluate.coeff = (const fg_coeff *)coeff;
  rc = fg_wide_all(&run, &plan, "evaluate", st);
done:
  fg_wide_forget(&plan);
  fg_wide_end(&run);
  return rc;
}

static size_t fg_wide_ode_scratch(void *what, int p)
{
  const fg_wide_points *w = (const fg_wide_points *)what;
  return w->table->ode_scratch(w->field, &w->ode, w->jvp, p);
}

static void fg_wide_ode_launch(void *what, const fg_wide_job *job, unsigned blocks)
{
  const fg_wide_points *w = (const fg_wide_points *)what;
  w->table->ode(w->field, &w->ode, w->jvp, job, blocks);
}

fg_code fg_wide_ode(fg_engine *e, const fg_field *field, const fg_ode_request *request, int jvp,
                    fg_status *st)
{
  fg_wide_points w;
  fg_wide_run run;
  fg_wide_plan plan = {fg_wide_ode_launch, &w, NULL, 0, NULL};
  memset(&w, 0, sizeof w);
  w.table = fg_wide_table_of(request->precision);
  w.field = field;
  w.ode = *request;
  w.jvp = jvp;
  FG_TRY(fg_wide_begin(&run, fg_cuda_home(e), request->precision, field, NULL, request->n,
                       fg_wide_ode_scratch, &w, st));
  const fg_code rc = fg_wide_all(&run, &plan, jvp ? "ode_jvp" : "ode_rhs", st);
  fg_wide_forget(&plan);
  fg_wide_end(&run);
  return rc;
}

/* ---- simulate ------------------------------------------------------------------------------------------------ */

typedef struct fg_wide_walk {
  const fg_wide_table *table;
  const fg_field *field;
  fg_simulate_request request; /* as kernels see it */
  const fg_simulate_request *asked;
  void *rows;
  fg_wide_run run;
  fg_wide_plan step;
} fg_wide_walk;

static size_t fg_wide_simulate_scratch(void *what, int p)
{
  const fg_wide_walk *w = (const fg_wide_walk *)what;
  return w->table->simulate_scratch(w->field, w->asked, p);
}

static void fg_wide_simulate_launch(void *what, const fg_wide_job *job, unsigned blocks)
{
  const fg_wide_walk *w = (const fg_wide_walk *)what;
  w->table->simulate(w->field, &w->request, w->rows, FG_WIDE_STEP, job, blocks);
}

/* A part without products. */
static void fg_wide_simulate_part(const fg_wide_walk *w, fg_wide_part part)
{
  w->table->simulate(w->field, &w->request, w->rows, part, &w->run.job, (unsigned)w->run.job.tiles);
}

/* Tiles that are there together, from particle `first` on, along all steps. */
static fg_code fg_wide_simulate_wave(fg_wide_walk *w, size_t first, fg_status *st)
{
  const fg_simulate_request *r = w->asked;
  size_t taken = 0;
  FG_TRY(fg_wide_set(&w->run, first, 0, 0, st));
  fg_wide_simulate_part(w, FG_WIDE_BEGIN);
  for (size_t k = 0; k <= r->steps; k++) {
    for (; taken < r->snapshots && r->snapshot_step[taken] == k; taken++) {
      FG_TRY(fg_wide_set(&w->run, first, k, taken, st));
      fg_wide_simulate_part(w, FG_WIDE_SNAPSHOT);
    }
    if (k == r->steps) break;
    if (k % FG_WIDE_CANCEL_EVERY == 0) {
      FG_TRY(fg_wide_wait(&w->run, "simulate", st));
      if (fg_progress_cancelled(r->progress))
        return FG_FAIL(st, FG_INTERRUPTED, "the simulation was stopped");
    }
    FG_TRY(fg_wide_step(&w->step, st));
  }
  fg_wide_simulate_part(w, FG_WIDE_END);
  return fg_wide_wait(&w->run, "simulate", st);
}

static fg_code fg_wide_simulate_all(fg_wide_walk *w, fg_status *st)
{
  fg_wide_run *run = &w->run;
  const size_t at_once = (size_t)run->job.tiles, p = (size_t)run->job.p;
  for (size_t tile = 0; tile < run->tiles; tile += at_once) {
    const size_t left = run->tiles - tile, done = (tile + (left < at_once ? left : at_once)) * p;
    if (tile == 0 || left < at_once) {
      run->job.tiles = (int)(left < at_once ? left : at_once);
      FG_TRY(fg_wide_set(run, tile * p, 0, 0, st));
      FG_TRY(fg_wide_record(run, &w->step, st));
      FG_TRY(fg_wide_capture(run, &w->step, 1, st));
    }
    FG_TRY(fg_wide_simulate_wave(w, tile * p, st));
    fg_progress_report(w->asked->progress, "simulate", (double)(done < run->n ? done : run->n),
                       (double)run->n);
  }
  return FG_OK;
}

fg_code fg_wide_simulate(fg_engine *e, const fg_field *field, const fg_simulate_request *request,
                         fg_status *st)
{
  const fg_cuda_table *plain = fg_cuda_table_of(request->precision);
  const size_t bytes = plain->rows_bytes(field, request->steps + 1);
  fg_wide_walk w;
  void *coeff;
  fg_code rc;
  memset(&w, 0, sizeof w);
  w.table = fg_wide_table_of(request->precision);
  w.field = field;
  w.asked = request;
  w.request = *request;
  w.request.progress = NULL; /* host memory */
  w.step.launch = fg_wide_simulate_launch;
  w.step.what = &w;
  FG_TRY(fg_wide_begin(&w.run, fg_cuda_home(e), request->precision, field, NULL, request->n,
                       fg_wide_simulate_scratch, &w, st));
  FG_GO(
      fg_cuda_piece(&w.run.pieces, (request->steps + 1) * sizeof *request->coeff, request->coeff, &coeff, st),
      done);
  w.request.coeff = (const fg_coeff *)coeff;
  if (bytes <= FG_SCRATCH_MOST) { /* else each tile computes its own */
    FG_GO(fg_cuda_piece(&w.run.pieces, bytes, NULL, &w.rows, st), done);
    plain->rows(field, &w.request, request->steps + 1, w.rows);
  }
  rc = fg_wide_simulate_all(&w, st);
done:
  fg_wide_forget(&w.step);
  fg_wide_end(&w.run);
  return rc;
}

/* The shared bodies for wide networks, one tile a block and one segment a launch. Compiled once per precision (FG_SINGLE
 * or not). */
#include "cuda/wide_tile.cuh" /* the tile words, before the bodies */

#include "cuda/launch.cuh"

#include "body/evaluate.h"
#include "body/objective.h"
#include "body/ode.h"
#include "body/simulate.h"

#ifdef FG_SINGLE
#define FG_TABLE fg_wide_single
#else
#define FG_TABLE fg_wide_double
#endif

/* Particles of this block, of n. While products are listed any place will do. */
TILE_FN size_t fg_wide_tile(size_t n, int *count)
{
  const size_t at = fg_wide.state->first + (size_t)blockIdx.x * (size_t)fg_wide.p;
  const size_t left = at < n ? n - at : 1;
  *count = (int)(left < (size_t)fg_wide.p ? left : (size_t)fg_wide.p);
  return at;
}

/* ---- evaluate, ode -------------------------------------------------------------------------------- */

static __global__ void __launch_bounds__(FG_WIDE_THREADS, 1)
    fg_wide_evaluate_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_evaluate_request r,
                            const __grid_constant__ fg_wide_job job)
{
  int count;
  fg_wide_enter(&job);
  fg_wide_speak();
  const size_t first = fg_wide_tile(r.n, &count);
  fg_evaluate_tile(&f, &r, first, count, job.p, (fg_real *)job.scratch);
  fg_wide_leave();
}

static size_t evaluate_scratch(const fg_field *f, const fg_evaluate_request *r, int p)
{
  return fg_evaluate_scratch(f, r, p);
}

static void evaluate(const fg_field *f, const fg_evaluate_request *r, const fg_wide_job *job, unsigned blocks)
{
  FG_LAUNCH(fg_wide_evaluate_kernel, blocks, FG_WIDE_THREADS, *f, *r, *job);
}

static __global__ void __launch_bounds__(FG_WIDE_THREADS, 1)
    fg_wide_ode_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_ode_request r, int jvp,
                       const __grid_constant__ fg_wide_job job)
{
  int count;
  fg_real *scratch = (fg_real *)job.scratch;
  fg_wide_enter(&job);
  fg_wide_speak();
  const size_t first = fg_wide_tile(r.n, &count);
  fg_real *row = fg_cut(&scratch, (size_t)fg_field_row_size(&f));
  fg_field_rows(&f, &r.coeff, 1, fg_ode_want(&r, jvp), 1, 0, row);
  fg_ode_piece(&f, &r, jvp, first, count, job.p, row, scratch);
  fg_wide_leave();
}

static size_t ode_scratch(const fg_field *f, const fg_ode_request *r, int jvp, int p)
{
  return fg_ode_scratch_of(f, r, jvp, p);
}

static void ode(const fg_field *f, const fg_ode_request *r, int jvp, const fg_wide_job *job, unsigned blocks)
{
  FG_LAUNCH(fg_wide_ode_kernel, blocks, FG_WIDE_THREADS, *f, *r, jvp, *job);
}

/* ---- simulate ------------------------------------------------------------------------------------- */

static __global__ void __launch_bounds__(FG_WIDE_THREADS, 1)
    fg_wide_simulate_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_simulate_request r,
                            const fg_real *rows, fg_wide_part part, const __grid_constant__ fg_wide_job job)
{
  int count;
  fg_walk w;
  fg_wide_enter(&job);
  const size_t first = fg_wide_tile(r.n, &count);
  if (part == FG_WIDE_BEGIN) fg_wide_speak();
  fg_walk_begin(&w, &f, &r, rows, first, count, job.p,
                (fg_real *)job.scratch); /* muted, it only finds the places */
  fg_wide_speak();
  if (part == FG_WIDE_STEP) fg_walk_step(&w, job.state->step);
  if (part == FG_WIDE_SNAPSHOT) fg_walk_snapshot(&w, job.state->from);
  if (part == FG_WIDE_END) fg_walk_end(&w);
  fg_wide_leave();
}

static size_t simulate_scratch(const fg_field *f, const fg_simulate_request *r, int p)
{
  return fg_simulate_scratch(f, r, p);
}

static void simulate(const fg_field *f, const fg_simulate_request *r, const void *rows, fg_wide_part part,
                     const fg_wide_job *job, unsigned blocks)
{
  FG_LAUNCH(fg_wide_simulate_kernel, blocks, FG_WIDE_THREADS, *f, *r, (const fg_real *)rows, part, *job);
}

/* ---- paths and objectives --------------------------------------------------------------------------- */

static __global__ void __launch_bounds__(FG_WIDE_THREADS, 1)
    fg_wide_paths_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_paths_request r,
                         const fg_real *rows, fg_wide_part part, const __grid_constant__ fg_wide_job job)
{
  int count;
  fg_path_walk w;
  fg_wide_enter(&job);
  const size_t first = fg_wide_tile(r.n, &count);
  if (part == FG_WIDE_BEGIN) fg_wide_speak();
  fg_path_begin(&w, &f, &r, rows, first, count, job.p, (fg_real *)job.scratch);
  w.even = 1;
  fg_wide_speak();
  if (part == FG_WIDE_BEGIN) fg_path_none_lost(&w);
  if (part == FG_WIDE_MEET) fg_path_meet_whole(&w, 0);
  if (part == FG_WIDE_STEP) fg_path_take_step(&w, job.state->step);
  if (part == FG_WIDE_TURN || part == FG_WIDE_END) {
    fg_path_finish(&w, 0);
    fg_path_store(&w);
    if (part == FG_WIDE_END) fg_path_keep_end(&w);
  }
  fg_wide_leave();
}

static size_t paths_scratch(const fg_field *f, const fg_paths_request *r, int p)
{
  return fg_paths_scratch(f, r, p);
}

static void paths(const fg_field *f, const fg_paths_request *r, const void *rows, fg_wide_part part,
                  const fg_wide_job *job, unsigned blocks)
{
  FG_LAUNCH(fg_wide_paths_kernel, blocks, FG_WIDE_THREADS, *f, *r, (const fg_real *)rows, part, *job);
}

/* Coordinates [d][p] of the same step in tile `tile` instead of this one: pieces of `size` reals. */
TILE_FN const fg_real *fg_wide_other(const fg_real *mine, size_t tile, size_t size)
{
  return mine + size * tile - size * (size_t)blockIdx.x;
}

/* Paths without weight take the places of one that has some: path state.from, of whichever tile. */
TILE_FN void fg_wide_borrow(fg_path_walk *w, const fg_objective_room *room, fg_real *x, size_t size)
{
  const size_t from = fg_wide.state->from - fg_wide.state->first, p = (size_t)fg_wide.p;
  fg_objective_borrow(w, room->c, fg_wide_other(x, from / p, size) + from % p, x);
}

/* One step of the way back, after all its paths have found a place. */
TILE_FN void fg_wide_back(fg_path_walk *w, const fg_objective_request *r, const fg_objective_room *room,
                          fg_real *block, fg_real *noising)
{
  const size_t k = fg_wide.state->step, last = r->paths.steps - 1, size = room->place * r->paths.steps;
  fg_real *x = room->path + k * room->place;
  fg_wide_borrow(w, room, x, size);
  fg_objective_back_step(w, r, k, 0, room, k == last ? w->x : x + room->place, block, noising);
}

static __global__ void __launch_bounds__(FG_WIDE_THREADS, 1)
    fg_wide_objective_kernel(const __grid_constant__ fg_field f,
                             const __grid_constant__ fg_objective_request r,
                             const __grid_constant__ fg_wide_gradient g, fg_wide_part part,
                             const __grid_constant__ fg_wide_job job)
{
  int count;
  fg_path_walk w;
  fg_real *scratch = (fg_real *)job.scratch;
  const fg_real *rows = (const fg_real *)g.rows;
  fg_wide_enter(&job);
  const size_t first = fg_wide_tile(r.paths.n, &count);
  fg_objective_room room = fg_objective_rooms(&f, job.p, &scratch);
  room.path = fg_cut(&scratch, fg_objective_path(&f, &r, job.p));
  if (part == FG_WIDE_BEGIN) fg_wide_speak();
  fg_path_begin(&w, &f, &r.paths, rows, first, count, job.p, scratch);
  w.even = 1;
  fg_wide_speak();
  switch (part) {
  case FG_WIDE_MEET:
    fg_path_meet_whole(&w, 0);
    break;
  case FG_WIDE_FORWARD:
    fg_objective_forward_step(&w, job.state->step, &room);
    break;
  case FG_WIDE_TURN:
    fg_objective_turn(&w, &r, &room, g.number + first);
    break;
  case FG_WIDE_REST:
    if (!fg_objective_is_kl(&r)) {
      fg_objective_weights(&w, g.number + first, room.c);
      fg_objective_stay(&w, room.c);
    }
    fg_wide_borrow(&w, &room, w.x, room.place);
    break;
  case FG_WIDE_VARIANCE:
    fg_objective_variance_step(&w, &r, job.state->step, &room, (fg_real *)g.block, (fg_real *)g.noising);
    break;
  case FG_WIDE_BACK:
    fg_wide_back(&w, &r, &room, (fg_real *)g.block, (fg_real *)g.noising);
    break;
  default:
    break;
  }
  fg_wide_leave();
}

static size_t objective_scratch(const fg_field *f, const fg_objective_request *r, int p)
{
  return fg_objective_path(f, r, p) + fg_objective_scratch(f, r, p);
}

static void objective(const fg_field *f, const fg_objective_request *r, const fg_wide_gradient *g,
                      fg_wide_part part, const fg_wide_job *job, unsigned blocks)
{
  FG_LAUNCH(fg_wide_objective_kernel, blocks, FG_WIDE_THREADS, *f, *r, *g, part, *job);
}

/* ---- weights, the step's number --------------------------------------------------------------------- */

/* The core with its matrices row by row instead of in panels, or the other way round. */
static __global__ void __launch_bounds__(FG_WIDE_THREADS, 1)
    fg_wide_plain_kernel(const __grid_constant__ fg_field f, int panels, const fg_real *from, fg_real *to)
{
  const size_t own = (size_t)blockIdx.x * blockDim.x + threadIdx.x, all = (size_t)gridDim.x * blockDim.x;
  fg_network_layout at;
  fg_network_layout_of(&f, &at);
  size_t done = 0; /* what lies between matrices is copied */
  for (int m = 0; m < 2 * at.layers; m++) {
    const fg_network_layer *layer = &at.layer[m / 2];
    const int back = m % 2, rows = back ? layer->out : layer->in,
              columns = back ? layer->in_pad : layer->out_pad;
    if (m < 2 || (panels && (back || m / 2 == at.layers - 1)))
      continue; /* from and to coordinates: in panels */
    const size_t start = back ? layer->backward : layer->forward, count = (size_t)rows * (size_t)columns;
    for (size_t i = done + own; i < start; i += all) to[i] = from[i];
    for (size_t i = own; i < count; i += all) {
      const int row = (int)(i / (size_t)columns), column = (int)(i % (size_t)columns);
      const size_t place = fg_panel_place(rows, columns, row, column);
      to[start + (panels ? place : i)] = from[start + (panels ? i : place)];
    }
    done = start + count;
  }
  for (size_t i = done + own; i < at.core; i += all) to[i] = from[i];
}

static void plain(const fg_field *f, int panels, const void *from, void *to)
{
  FG_LAUNCH(fg_wide_plain_kernel, 64, FG_WIDE_THREADS, *f, panels, (const fg_real *)from, (fg_real *)to);
}

static size_t core(const fg_field *f)
{
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  return at.core;
}

/* Sums of one step that may be on their way together: the matrices next to coordinates, and a row for each layer. */
static size_t partial_of(const fg_field *f)
{
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  return (2 * (size_t)f->d + (size_t)at.layers) * (size_t)at.widest + 4 * FG_PAD;
}

static size_t partial(const fg_field *f, const fg_field *noising)
{
  const size_t own = partial_of(f), other = noising ? partial_of(noising) : 0;
  return fg_whole_lanes(own > other ? own : other);
}

static __global__ void __launch_bounds__(FG_WIDE_THREADS, 1)
    fg_wide_advance_kernel(fg_wide_state *state, int by)
{
  state->step += (size_t)(long long)by;
}

static void advance(fg_wide_state *state, int by)
{
  FG_LAUNCH(fg_wide_advance_kernel, 1, 1, state, by);
}

const fg_wide_table FG_TABLE = {
    sizeof(fg_real),  core,     plain,         partial, evaluate_scratch,  evaluate,  ode_scratch, ode,
    simulate_scratch, simulate, paths_scratch, paths,   objective_scratch, objective, advance};

/* The bodies of training as kernels, compiled once per precision (FG_SINGLE or not). A block of threads walks
 * consecutive tiles and adds their gradients up in an array of its own; sums over the arrays have a fixed order. */
#include "cuda/tile.cuh" /* the tile words, before the bodies */

#include "cuda/launch.cuh"
#include "cuda/room.cuh"
#include "cuda/train.cuh"

#include "body/objective.h"
#include "body/optimise.h"
#include "body/points.h"
#include "body/time_reverse.h"

#ifdef FG_SINGLE
#define FG_TABLE fg_cuda_train_single
#else
#define FG_TABLE fg_cuda_train_double
#endif

enum { FG_SUM_THREADS = 128 };

TILE_FN fg_real *fg_share_of(void *memory, size_t each)
{
  return (fg_real *)((char *)memory + blockIdx.x * each);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* One time a thread. */
static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_train_rows_kernel(const __grid_constant__ fg_field f, size_t n, const fg_coeff *coeff, fg_real *rows)
{
  const size_t k = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (k < n) fg_field_row(&f, &coeff[k], FG_SCORE, rows + k * fg_whole_lanes((size_t)fg_field_row_size(&f)));
}

static size_t row_bytes(const fg_field *f)
{
  return fg_whole_lanes((size_t)fg_field_row_size(f)) * sizeof(fg_real);
}

static void rows(const fg_field *f, size_t n, const fg_coeff *coeff, void *to)
{
  FG_LAUNCH(fg_train_rows_kernel, (unsigned)((n + FG_CUDA_TILE - 1) / FG_CUDA_TILE), FG_CUDA_TILE, *f, n,
            coeff, (fg_real *)to);
}

/* ---- paths and objectives ----------------------------------------------------------------------- */

static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_paths_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_paths_request r,
                    fg_cuda_walk walk, int keep_end)
{
  fg_room_enter(walk.room);
  const fg_field *field = fg_room_field(&f, walk.room);
  for (size_t at = 0; at < walk.tiles; at++) {
    const size_t first = ((walk.first + blockIdx.x) * walk.tiles + at) * walk.tile;
    if (first >= r.n) return;
    const int count = (int)(r.n - first < walk.tile ? r.n - first : walk.tile);
    fg_paths_tile(field, &r, (const fg_real *)walk.rows, first, count, fg_tile_size((size_t)count), keep_end,
                  fg_room_scratch(walk.room, walk.scratch, walk.each));
    __syncthreads();
  }
}

/* Every block of the request has its arrays, which are 0 before. The path that KL keeps is in device memory, scratch
 * after it if it does not fit shared memory. */
static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_objective_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_objective_request r,
                        fg_cuda_walk walk, double *number)
{
  fg_room_enter(walk.room);
  const fg_field *field = fg_room_field(&f, walk.room);
  const fg_real *table = (const fg_real *)walk.rows;
  fg_real *path = fg_share_of(walk.scratch, walk.each);
  fg_real *scratch =
      walk.room.scratch ? (fg_real *)FG_DYNAMIC() : path + fg_objective_path(&f, &r, (int)walk.tile);
  fg_real *block = (fg_real *)((char *)walk.block[0] + (walk.first + blockIdx.x) * walk.block_bytes[0]);
  fg_real *noising =
      r.paths.noising ? (fg_real *)((char *)walk.block[1] + (walk.first + blockIdx.x) * walk.block_bytes[1])
                      : (fg_real *)0;
  for (size_t at = 0; at < walk.tiles; at++) {
    const size_t first = ((walk.first + blockIdx.x) * walk.tiles + at) * walk.tile;
    if (first >= r.paths.n) return;
    const int count = (int)(r.paths.n - first < walk.tile ? r.paths.n - first : walk.tile);
    const int p = fg_tile_size((size_t)count);
    if (fg_objective_is_kl(&r))
      fg_objective_kl_tile(field, &r, table, number + first, first, count, p, block, noising, path, scratch);
    else
      fg_objective_variance_tile(field, &r, table, number + first, first, count, p, block, noising, scratch);
    __syncthreads();
  }
}

static size_t paths_bytes(const fg_field *f, const fg_paths_request *r, size_t tile)
{
  return fg_paths_scratch(f, r, (int)tile) * sizeof(fg_real);
}

static size_t paths_tile(const fg_field *f, const fg_paths_request *r)
{
  return (size_t)fg_room_tile(f, r->n, [=](int p) { return paths_bytes(f, r, (size_t)p); });
}

static fg_room paths_room(const fg_field *f, const fg_paths_request *r, size_t tile)
{
  return fg_room_of(f, paths_bytes(f, r, tile), true);
}

static size_t paths_scratch(const fg_field *f, const fg_paths_request *r, size_t tile)
{
  return fg_room_outside(paths_bytes(f, r, tile));
}

static void paths(const fg_field *f, const fg_paths_request *r, const fg_cuda_walk *walk, unsigned blocks,
                  int keep_end)
{
  FG_LAUNCH_ROOM(fg_paths_kernel, blocks, fg_room_threads(f, walk->tile), walk->room, *f, *r, *walk,
                 keep_end);
}

static size_t objective_bytes(const fg_field *f, size_t nodes)
{
  return fg_whole_lanes(fg_objective_size(f, nodes)) * sizeof(fg_real);
}

static size_t objective_bytes_inside(const fg_field *f, const fg_objective_request *r, size_t tile)
{
  return fg_objective_scratch(f, r, (int)tile) * sizeof(fg_real);
}

static size_t objective_tile(const fg_field *f, const fg_objective_request *r)
{
  return (size_t)fg_room_tile(f, r->paths.n, [=](int p) { return objective_bytes_inside(f, r, (size_t)p); });
}

static fg_room objective_room(const fg_field *f, const fg_objective_request *r, size_t tile)
{
  return fg_room_of(f, objective_bytes_inside(f, r, tile), true);
}

static size_t objective_scratch(const fg_field *f, const fg_objective_request *r, size_t tile)
{
  return fg_room_outside(objective_bytes_inside(f, r, tile)) +
         fg_objective_path(f, r, (int)tile) * sizeof(fg_real);
}

static void objective(const fg_field *f, const fg_objective_request *r, const fg_cuda_walk *walk,
                      unsigned blocks, double *number)
{
  FG_LAUNCH_ROOM(fg_objective_kernel, blocks, fg_room_threads(f, walk->tile), walk->room, *f, *r, *walk,
                 number);
}

/* ---- from blocks to packed gradients -------------------------------------------------------------- */

static __global__ void __launch_bounds__(FG_SUM_THREADS)
    fg_sum_kernel(size_t count, size_t stride, const fg_real *arrays, double scale, size_t n, fg_real *out)
{
  const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  double total = 0;
  for (size_t b = 0; b < count; b++) total += (double)arrays[b * stride + i];
  out[i] = (fg_real)(scale * total);
}

static void sum(size_t count, size_t bytes, const void *arrays, double scale, size_t used, void *out)
{
  const size_t n = used / sizeof(fg_real);
  FG_LAUNCH(fg_sum_kernel, (unsigned)((n + FG_SUM_THREADS - 1) / FG_SUM_THREADS), FG_SUM_THREADS, count,
            bytes / sizeof(fg_real), (const fg_real *)arrays, scale, n, (fg_real *)out);
}

static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_core_kernel(const __grid_constant__ fg_field f, int points, const fg_real *block, fg_real *packed)
{
  if (points)
    fg_points_take_core(&f, block, packed);
  else
    fg_objective_take_core(&f, block, packed);
}

static void core(const fg_field *f, int points, const void *block, void *packed)
{
  FG_LAUNCH(fg_core_kernel, 1, FG_CUDA_MOST, *f, points, (const fg_real *)block, (fg_real *)packed);
}

/* The share of node k in the weights of time, from the array of an objective. */
TILE_FN void fg_objective_time(const fg_field *f, const fg_coeff *coeff, const fg_real *table,
                               const fg_real *block, size_t k, fg_real *packed, fg_real *scratch)
{
  fg_network_layout at;
  fg_row_gradient share;
  fg_network_layout_of(f, &at);
  const size_t size = fg_whole_lanes((size_t)fg_network_row_size(f));
  const fg_real *guide = fg_guide_row(f, table + k * size);
  const fg_real clip = f->as.network.form == FG_POTENTIAL ? (fg_real)INFINITY : (fg_real)f->guide.clip;
  share.row = block + at.core + k * fg_objective_row(&at);
  share.row_t = 0;
  share.tau = share.row[at.layer[0].out_pad] * fg_clip_slope(guide[FG_ROW_TAU_WHOLE], clip);
  share.tau_t = 0;
  fg_time_reverse(f, &coeff[k], &share, packed, scratch);
}

/* The same from the shares of groups of points. */
TILE_FN void fg_points_time(const fg_field *f, const fg_coeff *coeff, const fg_real *shares, size_t k,
                            fg_real *packed, fg_real *scratch)
{
  fg_network_layout at;
  fg_row_gradient share;
  fg_network_layout_of(f, &at);
  const fg_real *row = shares + k * fg_points_row(&at), *tau = row + 2 * at.layer[0].out_pad;
  share.row = row;
  share.row_t = row + at.layer[0].out_pad;
  share.tau = tau[0];
  share.tau_t = tau[FG_PAD];
  fg_time_reverse(f, &coeff[k], &share, packed, scratch);
}

/* Nodes in consecutive parts, one a block, each into an array of its own, which is 0 before. table NULL: points. */
static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_time_kernel(const __grid_constant__ fg_field f, const fg_coeff *coeff, const fg_real *table,
                   const fg_real *from, size_t nodes, size_t bytes, void *chunks, size_t each, void *scratch)
{
  const size_t begin = nodes * blockIdx.x / gridDim.x, end = nodes * (blockIdx.x + 1) / gridDim.x;
  fg_real *packed = fg_share_of(chunks, bytes), *room = fg_share_of(scratch, each);
  for (size_t k = begin; k < end; k++) {
    if (table)
      fg_objective_time(&f, coeff, table, from, k, packed, room);
    else
      fg_points_time(&f, coeff, from, k, packed, room);
    __syncthreads();
  }
}

static size_t packed_bytes(const fg_field *f)
{
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  return fg_whole_lanes(at.size) * sizeof(fg_real);
}

static size_t time_scratch(const fg_field *f)
{
  return fg_whole_lanes(fg_time_reverse_room(f)) * sizeof(fg_real);
}

static void time_reverse(const fg_field *f, const fg_coeff *coeff, const void *table, const void *from,
                         size_t nodes, unsigned chunk_count, size_t bytes, void *chunks, size_t each,
                         void *scratch)
{
  FG_LAUNCH(fg_time_kernel, chunk_count, FG_CUDA_TILE, *f, coeff, (const fg_real *)table,
            (const fg_real *)from, nodes, bytes, chunks, each, scratch);
}

/* ---- losses at points -------------------------------------------------------------------------------- */

static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_points_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_points_request r,
                     fg_cuda_walk walk, fg_room room, fg_points_out out)
{
  fg_room_enter(room);
  const size_t row = fg_whole_lanes((size_t)fg_field_row_size(&f));
  fg_network_layout at;
  fg_network_layout_of(&f, &at);
  fg_real *block = out.gradient
                       ? (fg_real *)((char *)walk.block[0] + (walk.first + blockIdx.x) * walk.block_bytes[0])
                       : (fg_real *)0;
  for (size_t q = 0; q < walk.tiles; q++) {
    const size_t tile = (walk.first + blockIdx.x) * walk.tiles + q, first = tile * out.tile;
    if (first >= r.n) return;
    const int count = (int)(r.n - first < out.tile ? r.n - first : out.tile);
    fg_points_tile(&f, &r, walk.rows ? (const fg_real *)walk.rows + tile * row : (const fg_real *)0, first,
                   count, fg_tile_size((size_t)count), out.value + first, out.loss + first, block,
                   block && walk.rows ? (fg_real *)out.shares + tile * fg_points_row(&at) : (fg_real *)0,
                   fg_room_scratch(room, walk.scratch, walk.each));
    __syncthreads();
  }
}

static size_t points_share_bytes(const fg_field *f)
{
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  return fg_points_row(&at) * sizeof(fg_real);
}

static size_t points_room(const fg_field *f, const fg_points_request *r, size_t tile)
{
  return fg_points_scratch(f, r, fg_tile_size(tile)) * sizeof(fg_real);
}

static size_t points_tile(const fg_field *f, const fg_points_request *r, int direct)
{
  const size_t group = r->group;
  if (!direct) return group;
  const int p = fg_room_tile(f, r->n, [=](int some) { return points_room(f, r, (size_t)some); });
  return (size_t)p > group ? (size_t)p / group * group : group;
}

static size_t points_scratch(const fg_field *f, const fg_points_request *r, size_t tile)
{
  return fg_room_outside(points_room(f, r, tile));
}

static void points(const fg_field *f, const fg_points_request *r, const fg_cuda_walk *walk, unsigned blocks,
                   const fg_points_out *out)
{
  const fg_room room = fg_room_of(f, points_room(f, r, out->tile), false);
  FG_LAUNCH_ROOM(fg_points_kernel, blocks, fg_room_threads(f, out->tile), room, *f, *r, *walk, room, *out);
}

/* ---- the optimiser -------------------------------------------------------------------------------------- */

/* norm [1 + FG_LANES]: the result, then room. */
static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_norm_kernel(const __grid_constant__ fg_field f, fg_real *gradient, double *norm)
{
  const double result = fg_gradient_norm(&f, gradient, norm + 1);
  if (threadIdx.x == 0) norm[0] = result;
}

static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_optimise_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_optimise_request r)
{
  fg_optimise(&f, &r);
}

static void norm(const fg_field *f, void *gradient, double *to)
{
  FG_LAUNCH(fg_norm_kernel, 1, FG_CUDA_MOST, *f, (fg_real *)gradient, to);
}

static void optimise(const fg_field *f, const fg_optimise_request *r)
{
  FG_LAUNCH(fg_optimise_kernel, 1, FG_CUDA_MOST, *f, *r);
}

const fg_cuda_train_table FG_TABLE = {row_bytes,
                                      rows,
                                      paths_tile,
                                      paths_room,
                                      paths_scratch,
                                      paths,
                                      objective_bytes,
                                      objective_tile,
                                      objective_room,
                                      objective_scratch,
                                      objective,
                                      sum,
                                      core,
                                      packed_bytes,
                                      time_scratch,
                                      time_reverse,
                                      points_share_bytes,
                                      points_tile,
                                      points_scratch,
                                      points,
                                      norm,
                                      optimise};

/* The bodies as kernels, one block a tile. Compiled once per precision (FG_SINGLE or not). */
#include "cuda/tile.cuh" /* the tile words, before the bodies */

#include "cuda/cuda_impl.h"
#include "cuda/launch.cuh"
#include "cuda/room.cuh"

#include "body/evaluate.h"
#include "body/ode.h"
#include "body/pairs.h"
#include "body/simulate.h"
#include "body/softmin.h"

#ifdef FG_SINGLE
#define FG_TABLE fg_cuda_table_single
#else
#define FG_TABLE fg_cuda_table_double
#endif

/* Particles of this block, of n, `tile` a block; `first` is that of block 0. */
TILE_FN size_t fg_block_tile(size_t n, size_t first, size_t tile, int *count, int *p)
{
  const size_t at = first + (size_t)blockIdx.x * tile, left = n - at;
  *count = (int)(left < tile ? left : tile);
  *p = fg_tile_size((size_t)*count);
  return at;
}

/* One time a thread. */
static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_rows_kernel(const __grid_constant__ fg_field f, unsigned want, size_t n, const fg_coeff *coeff,
                   fg_real *rows)
{
  const size_t size = fg_whole_lanes((size_t)fg_field_row_size(&f));
  const size_t k = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (k < n) fg_field_row(&f, &coeff[k], want, rows + k * size);
}

static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_evaluate_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_evaluate_request r,
                       size_t first, int tile, fg_room room, void *scratch, size_t each)
{
  fg_room_enter(room);
  int count, p;
  const size_t at = fg_block_tile(r.n, first, (size_t)tile, &count, &p);
  fg_evaluate_tile(&f, &r, at, count, p, fg_room_scratch(room, scratch, each));
}

static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_simulate_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_simulate_request r,
                       const fg_real *rows, size_t first, int tile, fg_room room, void *scratch, size_t each)
{
  fg_room_enter(room);
  int count, p;
  const size_t at = fg_block_tile(r.n, first, (size_t)tile, &count, &p);
  fg_simulate_tile(fg_room_field(&f, room), &r, rows, at, count, p, fg_room_scratch(room, scratch, each));
}

static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_ode_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_ode_request r, int jvp,
                  int tile, fg_room room, void *scratch, size_t each)
{
  fg_room_enter(room);
  fg_ode_run(&f, &r, jvp, (size_t)tile, (size_t)blockIdx.x * (size_t)tile, (size_t)gridDim.x * (size_t)tile,
             fg_room_scratch(room, scratch, each));
}

/* Are products by tensor cores what the tile words say? Of small whole numbers they are exact, in TF32 too. */
static __global__ void __launch_bounds__(FG_CUDA_MOST, 1) fg_check_kernel(int *wrong)
{
  enum { ROWS = FG_PAIR, TERMS = 32, COLUMNS = 32 };
  __shared__ __align__(16) fg_real a[ROWS * TERMS], b[TERMS * COLUMNS], c[ROWS * COLUMNS], d[TERMS * COLUMNS];
  const fg_room room = {0, 0, 1};
  int bad = 0;
  fg_room_enter(room);
  TILE_PLANE(i, q, ROWS, TERMS) a[i * TERMS + q] = (fg_real)((7 * i + 3 * q + i * q) % 5 - 2);
  TILE_PLANE(q, j, TERMS, COLUMNS)
  {
    b[q * COLUMNS + j] = (fg_real)((5 * q + 11 * j + q * j) % 7 - 3);
    d[q * COLUMNS + j] = 0;
  }
  TILE_SYNC();
  tile_matmul(ROWS, COLUMNS, TERMS, a, TERMS, 1, b, NULL, 0, NULL, c);
  tile_outer(ROWS, COLUMNS, TERMS, a, TERMS, 1, c, d);
  TILE_PLANE(i, j, ROWS, COLUMNS)
  {
    fg_real sum = 0;
    for (int q = 0; q < TERMS; q++) sum += a[i * TERMS + q] * b[q * COLUMNS + j];
    bad |= sum != c[i * COLUMNS + j];
  }
  TILE_PLANE(q, j, TERMS, COLUMNS)
  {
    fg_real sum = 0;
    for (int i = 0; i < ROWS; i++) sum += a[i * TERMS + q] * c[i * COLUMNS + j];
    bad |= sum != d[q * COLUMNS + j];
  }
  bad = tile_any(bad);
  if (threadIdx.x == 0) *wrong = bad;
}

/* A row a thread: blocks of FG_PAIR_ROWS threads. part [tiles, columns]. */
static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_pairs_kernel(const __grid_constant__ fg_pair_sums_request r, size_t tile, double *part, fg_room room,
                    void *scratch, size_t each)
{
  fg_room_enter(room);
  const size_t at = tile + blockIdx.x, first = at * FG_PAIR_ROWS, left = r.n - first;
  fg_pairs_tile(&r, first, (int)(left < FG_PAIR_ROWS ? left : (size_t)FG_PAIR_ROWS), part + at * r.columns,
                fg_room_scratch(room, scratch, each));
}

static size_t rows_bytes(const fg_field *f, size_t n)
{
  return n * fg_whole_lanes((size_t)fg_field_row_size(f)) * sizeof(fg_real);
}

static void rows(const fg_field *f, const fg_simulate_request *r, size_t n, void *to)
{
  FG_LAUNCH(fg_rows_kernel, (unsigned)((n + FG_CUDA_TILE - 1) / FG_CUDA_TILE), FG_CUDA_TILE, *f,
            fg_simulate_want(r), n, r->coeff, (fg_real *)to);
}

static size_t evaluate_room(const fg_field *f, const fg_evaluate_request *r, int p)
{
  return fg_evaluate_scratch(f, r, p) * sizeof(fg_real);
}

static int evaluate_tile(const fg_field *f, const fg_evaluate_request *r)
{
  return fg_room_tile(f, r->n, [=](int p) { return evaluate_room(f, r, p); });
}

static size_t evaluate_scratch(const fg_field *f, const fg_evaluate_request *r)
{
  return fg_room_outside(evaluate_room(f, r, evaluate_tile(f, r)));
}

static void evaluate(const fg_field *f, const fg_evaluate_request *r, size_t first, unsigned blocks,
                     void *scratch, size_t each)
{
  const int tile = evaluate_tile(f, r);
  const fg_room room = fg_room_of(f, evaluate_room(f, r, tile), false);
  FG_LAUNCH_ROOM(fg_evaluate_kernel, blocks, fg_room_threads(f, (size_t)tile), room, *f, *r, first, tile,
                 room, scratch, each);
}

static size_t simulate_room(const fg_field *f, const fg_simulate_request *r, int p)
{
  return fg_simulate_scratch(f, r, p) * sizeof(fg_real);
}

static int simulate_tile(const fg_field *f, const fg_simulate_request *r)
{
  return fg_room_tile(f, r->n, [=](int p) { return simulate_room(f, r, p); });
}

static size_t simulate_scratch(const fg_field *f, const fg_simulate_request *r)
{
  return fg_room_outside(simulate_room(f, r, simulate_tile(f, r)));
}

static void simulate(const fg_field *f, const fg_simulate_request *r, const void *table, size_t first,
                     unsigned blocks, void *scratch, size_t each)
{
  const int tile = simulate_tile(f, r);
  const fg_room room = fg_room_of(f, simulate_room(f, r, tile), table != NULL);
  FG_LAUNCH_ROOM(fg_simulate_kernel, blocks, fg_room_threads(f, (size_t)tile), room, *f, *r,
                 (const fg_real *)table, first, tile, room, scratch, each);
}

static size_t ode_room(const fg_field *f, const fg_ode_request *r, int jvp, int p)
{
  return fg_ode_scratch(f, r, jvp, (size_t)p) * sizeof(fg_real);
}

static int ode_tile(const fg_field *f, const fg_ode_request *r, int jvp)
{
  return fg_room_tile(f, r->n, [=](int p) { return ode_room(f, r, jvp, p); });
}

static size_t ode_scratch(const fg_field *f, const fg_ode_request *r, int jvp)
{
  return fg_room_outside(ode_room(f, r, jvp, ode_tile(f, r, jvp)));
}

static void ode(const fg_field *f, const fg_ode_request *r, int jvp, unsigned blocks, void *scratch,
                size_t each)
{
  const int tile = ode_tile(f, r, jvp);
  const fg_room room = fg_room_of(f, ode_room(f, r, jvp, tile), false);
  FG_LAUNCH_ROOM(fg_ode_kernel, blocks, fg_room_threads(f, (size_t)tile), room, *f, *r, jvp, tile, room,
                 scratch, each);
}

static size_t pairs_scratch(const fg_pair_sums_request *r)
{
  return fg_room_outside(fg_pairs_scratch(r) * sizeof(fg_real));
}

static void pairs(const fg_pair_sums_request *r, size_t tile, unsigned blocks, double *part, void *scratch,
                  size_t each)
{
  const size_t bytes = fg_pairs_scratch(r) * sizeof(fg_real);
  const fg_room room = {bytes - fg_room_outside(bytes), 0, 0};
  FG_LAUNCH_ROOM(fg_pairs_kernel, blocks, r->columns > 1 ? (int)FG_CUDA_MOST : (int)FG_PAIR_ROWS, room, *r,
                 tile, part, room, scratch, each);
}

/* ---- softmin ------------------------------------------------------------------------------ */

/* A block of columns a thread, then a tile of rows a thread. */
static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_softmin_prepare_kernel(const __grid_constant__ fg_softmin_request r, fg_real *columns, fg_real *boxes,
                              fg_real *row_boxes)
{
  const size_t k = (size_t)blockIdx.x * blockDim.x + threadIdx.x, blocks = fg_softmin_blocks(r.m);
  if (k < blocks) fg_softmin_prepare(&r, k, columns, boxes);
  const size_t first = (k - blocks) * FG_CUDA_TILE;
  if (k >= blocks && first < r.n)
    fg_softmin_row_box(&r, first, (int)(r.n - first < FG_CUDA_TILE ? r.n - first : (size_t)FG_CUDA_TILE),
                       row_boxes + (k - blocks) * fg_softmin_box(&r));
}

static __global__ void __launch_bounds__(FG_CUDA_TILE)
    fg_softmin_kernel(const __grid_constant__ fg_softmin_request r, const fg_real *columns,
                      const fg_real *boxes, const fg_real *row_boxes, size_t first, fg_real *scratch)
{
  const size_t tile = first + blockIdx.x, at = tile * FG_CUDA_TILE, left = r.n - at;
  fg_softmin_rows(&r, at, (int)(left < FG_CUDA_TILE ? left : (size_t)FG_CUDA_TILE), columns, boxes,
                  row_boxes + tile * fg_softmin_box(&r),
                  scratch + blockIdx.x * FG_CUDA_TILE * fg_softmin_width(r.d));
}

static size_t softmin_columns_bytes(const fg_softmin_request *r)
{
  return r->m * fg_softmin_column(r) * sizeof(fg_real);
}

static size_t softmin_boxes_bytes(const fg_softmin_request *r, size_t count)
{
  return count * fg_softmin_box(r) * sizeof(fg_real);
}

static size_t softmin_scratch(const fg_softmin_request *r)
{
  return FG_CUDA_TILE * fg_softmin_width(r->d) * sizeof(fg_real);
}

static void softmin_prepare(const fg_softmin_request *r, void *columns, void *boxes, void *row_boxes)
{
  const size_t work = fg_softmin_blocks(r->m) + (r->n + FG_CUDA_TILE - 1) / FG_CUDA_TILE;
  FG_LAUNCH(fg_softmin_prepare_kernel, (unsigned)((work + FG_CUDA_TILE - 1) / FG_CUDA_TILE), FG_CUDA_TILE, *r,
            (fg_real *)columns, (fg_real *)boxes, (fg_real *)row_boxes);
}

static void softmin(const fg_softmin_request *r, const void *columns, const void *boxes,
                    const void *row_boxes, size_t first, unsigned blocks, void *scratch)
{
  FG_LAUNCH(fg_softmin_kernel, blocks, FG_CUDA_TILE, *r, (const fg_real *)columns, (const fg_real *)boxes,
            (const fg_real *)row_boxes, first, (fg_real *)scratch);
}

static void check(int *wrong)
{
  FG_LAUNCH(fg_check_kernel, 1, FG_CUDA_TILE, wrong);
}

const fg_cuda_table FG_TABLE = {check,
                                rows_bytes,
                                rows,
                                evaluate_tile,
                                evaluate_scratch,
                                evaluate,
                                simulate_tile,
                                simulate_scratch,
                                simulate,
                                ode_tile,
                                ode_scratch,
                                ode,
                                pairs_scratch,
                                pairs,
                                FG_PAIR_ROWS,
                                softmin_columns_bytes,
                                softmin_boxes_bytes,
                                softmin_scratch,
                                softmin_prepare,
                                softmin};

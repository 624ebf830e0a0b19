/* The bodies as kernels, one block a tile. Compiled once per precision (FG_SINGLE or not). */
#include "cuda/tile.cuh" /* the tile words, before the bodies */

#include "cuda/cuda_impl.h"
#include "cuda/launch.cuh"

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

/* A mixture's loops go over particles; a network's products have work for more threads. */
static unsigned fg_threads_of(const fg_field *f)
{
  return f->kind == FG_FIELD_NETWORK ? FG_CUDA_MOST : FG_CUDA_TILE;
}

/* Particles of this block, of n; `first` is that of block 0. */
TILE_FN size_t fg_block_tile(size_t n, size_t first, int *count, int *p)
{
  const size_t at = first + (size_t)blockIdx.x * FG_CUDA_TILE, left = n - at;
  *count = (int)(left < FG_CUDA_TILE ? left : (size_t)FG_CUDA_TILE);
  *p = fg_tile_size((size_t)*count);
  return at;
}

TILE_FN fg_real *fg_block_scratch(void *scratch, size_t each)
{
  return (fg_real *)((char *)scratch + blockIdx.x * each);
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
                       size_t first, void *scratch, size_t each)
{
  int count, p;
  const size_t at = fg_block_tile(r.n, first, &count, &p);
  fg_evaluate_tile(&f, &r, at, count, p, fg_block_scratch(scratch, each));
}

static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_simulate_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_simulate_request r,
                       const fg_real *rows, size_t first, void *scratch, size_t each)
{
  int count, p;
  const size_t at = fg_block_tile(r.n, first, &count, &p);
  fg_simulate_tile(&f, &r, rows, at, count, p, fg_block_scratch(scratch, each));
}

static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_ode_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_ode_request r, int jvp,
                  void *scratch, size_t each)
{
  fg_ode_run(&f, &r, jvp, (size_t)blockIdx.x * FG_ODE_TILE, (size_t)gridDim.x * FG_ODE_TILE,
             fg_block_scratch(scratch, each));
}

/* A row a thread: blocks of FG_PAIR_ROWS threads. part [tiles, columns]. */
static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_pairs_kernel(const __grid_constant__ fg_pair_sums_request r, size_t tile, double *part, void *scratch,
                    size_t each)
{
  const size_t at = tile + blockIdx.x, first = at * FG_PAIR_ROWS, left = r.n - first;
  fg_pairs_tile(&r, first, (int)(left < FG_PAIR_ROWS ? left : (size_t)FG_PAIR_ROWS), part + at * r.columns,
                fg_block_scratch(scratch, each));
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

static size_t evaluate_scratch(const fg_field *f, const fg_evaluate_request *r)
{
  return fg_evaluate_scratch(f, r, FG_CUDA_TILE) * sizeof(fg_real);
}

static void evaluate(const fg_field *f, const fg_evaluate_request *r, size_t first, unsigned blocks,
                     void *scratch, size_t each)
{
  FG_LAUNCH(fg_evaluate_kernel, blocks, fg_threads_of(f), *f, *r, first, scratch, each);
}

static size_t simulate_scratch(const fg_field *f, const fg_simulate_request *r)
{
  return fg_simulate_scratch(f, r, FG_CUDA_TILE) * sizeof(fg_real);
}

static void simulate(const fg_field *f, const fg_simulate_request *r, const void *table, size_t first,
                     unsigned blocks, void *scratch, size_t each)
{
  FG_LAUNCH(fg_simulate_kernel, blocks, fg_threads_of(f), *f, *r, (const fg_real *)table, first, scratch,
            each);
}

static size_t ode_scratch(const fg_field *f, const fg_ode_request *r, int jvp)
{
  return fg_ode_scratch(f, r, jvp) * sizeof(fg_real);
}

static void ode(const fg_field *f, const fg_ode_request *r, int jvp, unsigned blocks, void *scratch,
                size_t each)
{
  FG_LAUNCH(fg_ode_kernel, blocks, fg_threads_of(f), *f, *r, jvp, scratch, each);
}

static size_t pairs_scratch(const fg_pair_sums_request *r)
{
  return fg_pairs_scratch(r) * sizeof(fg_real);
}

static void pairs(const fg_pair_sums_request *r, size_t tile, unsigned blocks, double *part, void *scratch,
                  size_t each)
{
  FG_LAUNCH(fg_pairs_kernel, blocks, r->columns > 1 ? (int)FG_CUDA_MOST : (int)FG_PAIR_ROWS, *r, tile, part,
            scratch, each);
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

const fg_cuda_table FG_TABLE = {rows_bytes,          rows,
                                evaluate_scratch,    evaluate,
                                simulate_scratch,    simulate,
                                ode_scratch,         ode,
                                pairs_scratch,       pairs,
                                FG_PAIR_ROWS,        softmin_columns_bytes,
                                softmin_boxes_bytes, softmin_scratch,
                                softmin_prepare,     softmin};

/* The tile words of CUDA: the threads of one block share a tile, and __syncthreads stands wherever one
 * reads what another wrote. Products are plain, one output (or four rows of a column) a thread; their sums
 * run in a fixed order that depends on shapes alone. Scratch lies in global memory, so it stays in the
 * second-level cache. */
#ifndef FG_CUDA_TILE_CUH
#define FG_CUDA_TILE_CUH

#include <cuda_runtime.h>
#include <stddef.h>

#include "body/panel.h"
#include "body/tile.h"

/* calls: inlined everywhere, the bodies take minutes to compile and gain nothing beside their loops */
#define TILE_FN static __device__ __noinline__ __attribute__((unused))
/* few turns of a long body: unrolled, it would only be longer */
#ifdef __CUDACC__
#define TILE_EACH(i, n) _Pragma("unroll 1") for (int i = (int)threadIdx.x; i < (n); i += (int)blockDim.x)
#else
#define TILE_EACH(i, n) for (int i = (int)threadIdx.x; i < (n); i += (int)blockDim.x)
#endif
#define TILE_SYNC() __syncthreads()
#define TILE_LANES 1 /* rows that one thread takes together, the first of them, and those of a tile */
#define TILE_FIRST ((int)threadIdx.x)
#define TILE_ROWS ((int)blockDim.x)
#define TILE_SHARE(count, from) tile_share((count), (from))
#define TILE_ANY(flag) tile_any(flag)

/* A copy in shared memory of numbers that all threads are about to read; too many of them stay where they are. */
TILE_FN const fg_real *tile_share(int count, const fg_real *from)
{
  enum { MOST = 4096 };
  __shared__ fg_real room[MOST];
  if (count > MOST) return from;
  __syncthreads(); /* what was there is done with */
  TILE_EACH(i, count) room[i] = from[i];
  __syncthreads();
  return room;
}

/* Is it so in any thread of the block? */
TILE_FN int tile_any(int flag)
{
  enum { MOST = 256 };
  __shared__ int flags[MOST];
  int any = 0;
  __syncthreads();
  flags[threadIdx.x] = flag;
  __syncthreads();
  for (int i = 0; i < (int)blockDim.x; i++) any |= flags[i];
  return any;
}

/* c [p, n] = (init + a b) gate;  a: a[i * row_step + k * column_step];  b: [k, n] in panels (panel.h);
 * init: row i at i * init_step (0: one row for all), or NULL;  gate [p, n] or NULL.
 * p is a multiple of FG_LANES, n of FG_PAD. c overlaps no input. Neighbouring threads take neighbouring
 * columns; four rows a thread, so that a weight is read once for four products. */
TILE_FN void tile_matmul(int p, int n, int k, const fg_real *a, int row_step, int column_step,
                         const fg_real *b, const fg_real *init, int init_step, const fg_real *gate,
                         fg_real *c)
{
  enum { ROWS = 4 };
  TILE_EACH(e, p / ROWS * n)
  {
    const int i = e / n * ROWS, j = e % n;
    int panel = 0;
    while (fg_panel_start(n, panel + 1) <= j) panel++;
    const int first = fg_panel_start(n, panel), width = fg_panel_start(n, panel + 1) - first;
    const fg_real *w = b + (size_t)k * first + (j - first), *x = a + (size_t)i * row_step;
    fg_real sum[ROWS];
    for (int r = 0; r < ROWS; r++) sum[r] = init ? init[(size_t)(i + r) * init_step + j] : 0;
    for (int q = 0; q < k; q++, w += width, x += column_step)
      for (int r = 0; r < ROWS; r++) sum[r] += x[(size_t)r * row_step] * w[0];
    for (int r = 0; r < ROWS; r++) {
      const size_t at = (size_t)(i + r) * n + j;
      c[at] = gate ? sum[r] * gate[at] : sum[r];
    }
  }
  TILE_SYNC();
}

/* out[j * p + i] = init[i * init_step + j] + sum_k a[i * k + .] w[j * k + .], j < n: few outputs, long rows.
 * init may be NULL (0). */
TILE_FN void tile_dot(int p, int n, int k, const fg_real *a, const fg_real *w, const fg_real *init,
                      int init_step, fg_real *out)
{
  TILE_EACH(e, p * n)
  {
    const int i = e % p, j = e / p;
    fg_real sum = init ? init[(size_t)i * init_step + j] : 0;
    for (int q = 0; q < k; q++) sum += a[(size_t)i * k + q] * w[(size_t)j * k + q];
    out[e] = sum;
  }
  TILE_SYNC();
}

/* out[i] += sum_k a[i * k + .] b[i * b_step + .] (b_step 0: one row for all). */
TILE_FN void tile_row_dot(int p, int k, const fg_real *a, const fg_real *b, int b_step, fg_real *out)
{
  TILE_EACH(i, p)
  {
    fg_real sum = 0;
    for (int q = 0; q < k; q++) sum += a[(size_t)i * k + q] * b[(size_t)i * b_step + q];
    out[i] += sum;
  }
  TILE_SYNC();
}

/* out [k, n] in panels += sum over p rows of a (a[i * row_step + j * column_step], j < k) times b [p, n]. */
TILE_FN void tile_outer(int p, int n, int k, const fg_real *a, int row_step, int column_step,
                        const fg_real *b, fg_real *out)
{
  enum { ROWS = 4 };
  TILE_EACH(e, (k + ROWS - 1) / ROWS * n)
  {
    const int j = e / n * ROWS, c = e % n, rows = k - j < ROWS ? k - j : ROWS;
    const fg_real *x = a + (size_t)j * column_step;
    fg_real sum[ROWS] = {0};
    for (int i = 0; i < p; i++, x += row_step) {
      const fg_real y = b[(size_t)i * n + c];
      for (int r = 0; r < ROWS; r++) sum[r] += r < rows ? x[(size_t)r * column_step] * y : 0;
    }
    for (int r = 0; r < rows; r++) out[fg_panel_place(k, n, j + r, c)] += sum[r];
  }
  TILE_SYNC();
}

/* out [n] += sum over p rows of b [p, n]. */
TILE_FN void tile_column_sum(int p, int n, const fg_real *b, fg_real *out)
{
  TILE_EACH(c, n)
  {
    fg_real sum = out[c];
    for (int i = 0; i < p; i++) sum += b[(size_t)i * n + c];
    out[c] = sum;
  }
  TILE_SYNC();
}

/* *out += sum of x [p], in a fixed order. */
TILE_FN void tile_add_sum(int p, const fg_real *x, fg_real *out)
{
  TILE_EACH(once, 1)
  {
    fg_real sum = 0;
    for (int i = 0; i < p; i++) sum += x[i];
    *out += sum;
  }
  TILE_SYNC();
}

#endif

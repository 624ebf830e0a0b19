/* The tile words of CUDA: the threads of one block share a tile, and __syncthreads stands wherever one
 * reads what another wrote. Products of doubles go by tensor cores, and those of single numbers where TF32 was asked for
 * (cuda/tensor.cuh); others, and those of few terms, by plain multiply-adds in register tiles, up to eight rows by four
 * columns a thread. Weights that lie in device memory pass through shared memory, a few rows at a time, copied while
 * the rows before are in use. Sums run in a fixed order that depends on shapes alone, not on where an operand
 * lies nor on how many threads share the work. */
#ifndef FG_CUDA_TILE_CUH
#define FG_CUDA_TILE_CUH

#include <cuda_pipeline_primitives.h>
#include <cuda_runtime.h>
#include <stddef.h>

#include "body/panel.h"
#include "body/tile.h"

/* calls: inlined everywhere, the bodies take minutes to compile and gain nothing beside their loops */
#define TILE_FN static __device__ __noinline__ __attribute__((unused))
#ifdef __CUDACC__
#define TILE_UNROLL _Pragma("unroll")
#define TILE_ROLLED _Pragma("unroll 1") /* few turns of a long body: unrolled, it would only be longer */
#else
#define TILE_UNROLL
#define TILE_ROLLED
#endif
#define TILE_EACH(i, n) TILE_ROLLED for (int i = (int)threadIdx.x; i < (n); i += (int)blockDim.x)
/* all (i, k), i < rows, k < width: neighbouring threads take neighbouring k */
#define TILE_PLANE(i, k, rows, width)                                                                        \
  TILE_EACH(tile_at, (rows) * (width))                                                                       \
  for (int i = tile_at / (width), k = tile_at % (width), tile_once = 1; tile_once; tile_once = 0)
#define TILE_SYNC() __syncthreads()
#define TILE_ALONE   /* particles need not be taken in groups */
#define TILE_LANES 1 /* rows that one thread takes together, the first of them, and those of a tile */
#define TILE_FIRST ((int)threadIdx.x)
#define TILE_ROWS ((int)blockDim.x)
#define TILE_SHARE(count, from) tile_share((count), (from))
#define TILE_ANY(flag) tile_any(flag)

/* A copy in shared memory of numbers that all threads are about to read; too many of them stay where they are. */
TILE_FN const fg_real *tile_share(int count, const fg_real *from)
{
  enum { MOST = 4096 };
  __shared__ __align__(16) fg_real room[MOST];
  if (count > MOST) return from;
  __syncthreads(); /* what was there is done with */
  TILE_EACH(i, count) room[i] = from[i];
  __syncthreads();
  return room;
}

/* Room in shared memory, of all tile words in turn: two buffers of weights, or a number of each thread. */
enum {
  FG_STAGE = 8192 / (int)sizeof(fg_real), /* reals of one buffer */
  FG_TILE_THREADS = 256                   /* of a block at most */
};

static __device__ __forceinline__ fg_real *tile_stage(int which)
{
  __shared__ __align__(16) fg_real stage[2][FG_STAGE];
  return stage[which];
}

static __device__ __forceinline__ fg_real *tile_part(void)
{
  __shared__ fg_real part[FG_TILE_THREADS];
  return part;
}

/* Is it so in any thread of the block? */
TILE_FN int tile_any(int flag)
{
  return __syncthreads_or(flag);
}

/* Neighbouring reals, read or written at once: 16 bytes. */
enum { FG_WIDE = 16 / (int)sizeof(fg_real), FG_COLUMNS = 4 };
struct __align__(16) fg_wide
{
  fg_real v[FG_WIDE];
};

static __device__ __forceinline__ fg_wide tile_load(const fg_real *x)
{
  return *(const fg_wide *)x;
}

static __device__ __forceinline__ bool tile_aligned(const fg_real *x)
{
  return (size_t)x % sizeof(fg_wide) == 0;
}

/* Four neighbouring columns of a row of weights or outputs. */
struct fg_four {
  fg_wide part[FG_COLUMNS / FG_WIDE];
  __device__ __forceinline__ fg_real &operator[](int l)
  {
    return part[l / FG_WIDE].v[l % FG_WIDE];
  }
};

static __device__ __forceinline__ fg_four tile_load_four(const fg_real *x)
{
  fg_four four;
  TILE_UNROLL
  for (int q = 0; q < FG_COLUMNS / FG_WIDE; q++) four.part[q] = tile_load(x + q * FG_WIDE);
  return four;
}

static __device__ __forceinline__ void tile_store_four(fg_real *x, const fg_four &four)
{
  TILE_UNROLL
  for (int q = 0; q < FG_COLUMNS / FG_WIDE; q++) *(fg_wide *)(x + q * FG_WIDE) = four.part[q];
}

/* Where column j of a matrix of n columns begins in its panels of k rows, and the width of that panel. */
static __device__ __forceinline__ size_t tile_column(int n, int k, int j, int *first, int *width)
{
  int panel = 0;
  while (fg_panel_start(n, panel + 1) <= j) panel++;
  *first = fg_panel_start(n, panel);
  *width = fg_panel_start(n, panel + 1) - *first;
  return (size_t)k * *first + (size_t)(j - *first);
}

/* sum [ROWS][4] += `count` terms: x [ROWS, count] times w [count, 4], rows of w `width` apart. */
template <int ROWS>
static __device__ __forceinline__ void tile_accumulate(int count, const fg_real *x, int row_step,
                                                       int column_step, bool wide, const fg_real *w,
                                                       int width, fg_four (&sum)[ROWS])
{
  int q = 0;
  if (wide) {
    TILE_ROLLED
    for (; q + FG_WIDE <= count; q += FG_WIDE) {
      fg_wide y[ROWS];
      TILE_UNROLL
      for (int r = 0; r < ROWS; r++) y[r] = tile_load(x + (size_t)r * row_step + q);
      TILE_UNROLL
      for (int s = 0; s < FG_WIDE; s++) {
        fg_four column = tile_load_four(w + (size_t)(q + s) * width);
        TILE_UNROLL
        for (int r = 0; r < ROWS; r++) TILE_UNROLL
        for (int l = 0; l < FG_COLUMNS; l++) sum[r][l] += y[r].v[s] * column[l];
      }
    }
  }
  TILE_ROLLED
  for (; q < count; q++) {
    fg_four column = tile_load_four(w + (size_t)q * width);
    TILE_UNROLL
    for (int r = 0; r < ROWS; r++) {
      const fg_real y = x[(size_t)r * row_step + (size_t)q * column_step];
      TILE_UNROLL
      for (int l = 0; l < FG_COLUMNS; l++) sum[r][l] += y * column[l];
    }
  }
}

/* Where column j of row q of weights that are swizzled for tensor cores lies in its row. */
static __device__ __forceinline__ int tile_swizzle(int q, int j)
{
  return j ^ (q / FG_WIDE % 4 * FG_COLUMNS);
}

/* Begin to copy rows q .. q + rows - 1 of b into a buffer, where each panel has these rows alone. */
static __device__ __forceinline__ void tile_fetch(int n, int k, const fg_real *b, int q, int rows,
                                                  bool swizzled, fg_real *to)
{
  TILE_ROLLED
  for (int panel = 0; panel < fg_panels(n); panel++) {
    const int first = fg_panel_start(n, panel), width = fg_panel_start(n, panel + 1) - first;
    const fg_real *from = b + (size_t)k * first + (size_t)q * width;
    TILE_EACH(e, rows * width / FG_WIDE)
    {
      const int at = e * FG_WIDE, row = swizzled ? at / width : 0, column = at - row * width;
      const int place = swizzled ? row * width + tile_swizzle(row, column) : at;
      __pipeline_memcpy_async(to + rows * first + place, from + at, sizeof(fg_wide));
    }
  }
  __pipeline_commit();
}

/* Rows of b that a buffer holds, a multiple of `unit` or all; 0: too wide, or not worth it. */
static __device__ __forceinline__ int tile_stage_rows(int n, int k, int unit, const fg_real *b)
{
  const int rows = FG_STAGE / n / unit * unit;
  if (__isShared(b) || !tile_aligned(b) || k < 2 * FG_WIDE) return 0;
  return rows < k ? rows : k;
}

#include "cuda/tensor.cuh"

/* As tile_matmul, ROWS rows by four columns a thread. */
template <int ROWS>
static __device__ __noinline__ void tile_product(int p, int n, int k, const fg_real *a, int row_step,
                                                 int column_step, const fg_real *b, const fg_real *init,
                                                 int init_step, const fg_real *gate, fg_real *c)
{
  const int groups = n / FG_COLUMNS, tiles = p / ROWS * groups, stage = tile_stage_rows(n, k, FG_WIDE, b);
  const bool wide = column_step == 1 && row_step % FG_WIDE == 0 && tile_aligned(a);
  TILE_ROLLED
  for (int base = 0; base < tiles; base += (int)blockDim.x) {
    const int e = base + (int)threadIdx.x;
    const bool active = e < tiles;
    const int i = active ? e / groups * ROWS : 0, j = active ? e % groups * FG_COLUMNS : 0;
    const fg_real *x = a + (size_t)i * row_step;
    int first, width;
    const fg_real *w = b + tile_column(n, k, j, &first, &width);
    fg_four sum[ROWS];
    TILE_UNROLL
    for (int r = 0; r < ROWS; r++) TILE_UNROLL
    for (int l = 0; l < FG_COLUMNS; l++) sum[r][l] = init ? init[(size_t)(i + r) * init_step + j + l] : 0;
    if (stage == 0) {
      if (active) tile_accumulate<ROWS>(k, x, row_step, column_step, wide, w, width, sum);
    } else {
      tile_fetch(n, k, b, 0, stage, false, tile_stage(0));
      TILE_ROLLED
      for (int q = 0, turn = 0; q < k; q += stage, turn ^= 1) {
        const int next = q + stage, rows = k - q < stage ? k - q : stage;
        __pipeline_wait_prior(0);
        __syncthreads(); /* this buffer is whole, and all are done with the other */
        if (next < k)
          tile_fetch(n, k, b, next, k - next < stage ? k - next : stage, false, tile_stage(turn ^ 1));
        if (active)
          tile_accumulate<ROWS>(rows, x + (size_t)q * column_step, row_step, column_step, wide,
                                tile_stage(turn) + rows * first + (j - first), width, sum);
      }
      __syncthreads(); /* all are done with it */
    }
    if (!active) continue;
    TILE_UNROLL
    for (int r = 0; r < ROWS; r++) {
      const size_t at = (size_t)(i + r) * n + j;
      if (gate) {
        fg_four factor = tile_load_four(gate + at);
        TILE_UNROLL
        for (int l = 0; l < FG_COLUMNS; l++) sum[r][l] *= factor[l];
      }
      tile_store_four(c + at, sum[r]);
    }
  }
  TILE_SYNC();
}

/* c [p, n] = (init + a b) gate;  a: a[i * row_step + k * column_step];  b: [k, n] in panels (panel.h);
 * init: row i at i * init_step (0: one row for all), or NULL;  gate [p, n] or NULL.
 * p is a multiple of FG_LANES, n of FG_PAD. c overlaps no input; c and gate are 16-byte aligned. As many rows a
 * thread as leave work for all threads. */
TILE_FN void tile_matmul(int p, int n, int k, const fg_real *a, int row_step, int column_step,
                         const fg_real *b, const fg_real *init, int init_step, const fg_real *gate,
                         fg_real *c)
{
  const int outputs = p * n / FG_COLUMNS, threads = (int)blockDim.x;
  if (k >= FG_STEP && tile_by_tensor()) {
    const bool pairs =
        n <= 2 * FG_PANEL && n % (2 * FG_PAIR) == 0 && fg_panel_start(n, 1) % (2 * FG_PAIR) == 0;
    if (pairs && p * n >= 2 * FG_PAIR * FG_PAIR * (threads / 32)) /* work for all warps */
      tile_tensor_product<2>(p, n, k, a, row_step, column_step, b, init, init_step, gate, c);
    else
      tile_tensor_product<1>(p, n, k, a, row_step, column_step, b, init, init_step, gate, c);
    return;
  }
#ifdef FG_SINGLE /* of doubles a thread has no more registers to spare */
  if (outputs >= 8 * threads) {
    tile_product<8>(p, n, k, a, row_step, column_step, b, init, init_step, gate, c);
    return;
  }
#endif
  if (outputs >= 4 * threads)
    tile_product<4>(p, n, k, a, row_step, column_step, b, init, init_step, gate, c);
  else if (outputs >= 2 * threads)
    tile_product<2>(p, n, k, a, row_step, column_step, b, init, init_step, gate, c);
  else
    tile_product<1>(p, n, k, a, row_step, column_step, b, init, init_step, gate, c);
}

/* Threads that share a sum, each with every FG_SHARERS-th term; their parts are added in order. */
enum { FG_SHARERS = 8 };

/* The parts of this thread's sum, `sharer` 0 only, between two barriers: all threads of the block call it. */
static __device__ __forceinline__ fg_real tile_gather(fg_real mine)
{
  fg_real *part = tile_part(), sum = 0;
  part[threadIdx.x] = mine;
  __syncthreads();
  if (threadIdx.x % FG_SHARERS == 0) TILE_UNROLL
  for (int s = 0; s < FG_SHARERS; s++) sum += part[threadIdx.x + s];
  __syncthreads();
  return sum;
}

static __device__ __forceinline__ fg_real tile_part_of(int k, int sharer, const fg_real *x, const fg_real *y)
{
  fg_real sum = 0;
  for (int q = sharer; q < k; q += FG_SHARERS) sum += x[q] * y[q];
  return sum;
}

/* out[j * p + i] = init[i * init_step + j] + sum_k a[i * k + .] w[j * k + .], j < n: few outputs, long rows.
 * init may be NULL (0). */
TILE_FN void tile_dot(int p, int n, int k, const fg_real *a, const fg_real *w, const fg_real *init,
                      int init_step, fg_real *out)
{
  const int at_once = (int)blockDim.x / FG_SHARERS, sharer = (int)threadIdx.x % FG_SHARERS;
  TILE_ROLLED
  for (int base = 0; base < p * n; base += at_once) {
    const int e = base + (int)threadIdx.x / FG_SHARERS, i = e % p, j = e / p;
    const bool active = e < p * n;
    const fg_real sum =
        tile_gather(active ? tile_part_of(k, sharer, a + (size_t)i * k, w + (size_t)j * k) : 0);
    if (active && sharer == 0) out[e] = (init ? init[(size_t)i * init_step + j] : 0) + sum;
  }
  TILE_SYNC();
}

/* out[i] += sum_k a[i * k + .] b[i * b_step + .] (b_step 0: one row for all). */
TILE_FN void tile_row_dot(int p, int k, const fg_real *a, const fg_real *b, int b_step, fg_real *out)
{
  const int at_once = (int)blockDim.x / FG_SHARERS, sharer = (int)threadIdx.x % FG_SHARERS;
  TILE_ROLLED
  for (int base = 0; base < p; base += at_once) {
    const int i = base + (int)threadIdx.x / FG_SHARERS;
    const bool active = i < p;
    const fg_real sum =
        tile_gather(active ? tile_part_of(k, sharer, a + (size_t)i * k, b + (size_t)i * b_step) : 0);
    if (active && sharer == 0) out[i] += sum;
  }
  TILE_SYNC();
}

/* As tile_outer, ROWS rows by four columns a thread. */
template <int ROWS>
static __device__ __noinline__ void tile_outer_product(int p, int n, int k, const fg_real *a, int row_step,
                                                       int column_step, const fg_real *b, fg_real *out)
{
  const int groups = n / FG_COLUMNS, tiles = (k + ROWS - 1) / ROWS * groups;
  const bool wide = ROWS % FG_WIDE == 0 && column_step == 1 && row_step % FG_WIDE == 0 &&
                    row_step >= (k + ROWS - 1) / ROWS * ROWS && tile_aligned(a);
  TILE_EACH(e, tiles)
  {
    const int j = e / groups * ROWS, c = e % groups * FG_COLUMNS, rows = k - j < ROWS ? k - j : ROWS;
    const fg_real *x = a + (size_t)j * column_step;
    int first, width;
    fg_real *to = out + tile_column(n, k, c, &first, &width) + (size_t)j * width;
    fg_four sum[ROWS] = {};
    for (int i = 0; i < p; i++, x += row_step) {
      fg_four y = tile_load_four(b + (size_t)i * n + c);
      fg_real value[ROWS];
      if (wide) {
        TILE_UNROLL
        for (int r = 0; r + FG_WIDE <= ROWS; r += FG_WIDE) {
          const fg_wide some = tile_load(x + r);
          TILE_UNROLL
          for (int s = 0; s < FG_WIDE; s++) value[r + s] = some.v[s];
        }
      } else {
        TILE_UNROLL
        for (int r = 0; r < ROWS; r++) value[r] = r < rows ? x[(size_t)r * column_step] : 0;
      }
      TILE_UNROLL
      for (int r = 0; r < ROWS; r++) TILE_UNROLL
      for (int l = 0; l < FG_COLUMNS; l++) sum[r][l] += value[r] * y[l];
    }
    TILE_UNROLL
    for (int r = 0; r < ROWS; r++) {
      if (r >= rows) continue;
      fg_four old = tile_load_four(to + (size_t)r * width);
      TILE_UNROLL
      for (int l = 0; l < FG_COLUMNS; l++) old[l] += sum[r][l];
      tile_store_four(to + (size_t)r * width, old);
    }
  }
  TILE_SYNC();
}

/* out [k, n] in panels += sum over p rows of a (a[i * row_step + j * column_step], j < k) times b [p, n].
 * b and out are 16-byte aligned. */
TILE_FN void tile_outer(int p, int n, int k, const fg_real *a, int row_step, int column_step,
                        const fg_real *b, fg_real *out)
{
  if (k >= FG_PAIR / 2 && column_step == 1 && row_step % FG_WIDE == 0 && row_step >= fg_panel_padded(k) &&
      tile_aligned(a) && tile_by_tensor())
    tile_tensor_outer_any(p, n, k, a, row_step, b, out);
  else if (k * n >= 4 * FG_COLUMNS * (int)blockDim.x)
    tile_outer_product<4>(p, n, k, a, row_step, column_step, b, out);
  else
    tile_outer_product<1>(p, n, k, a, row_step, column_step, b, out);
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
  fg_real mine = 0;
  if (threadIdx.x < FG_SHARERS)
    for (int i = (int)threadIdx.x; i < p; i += FG_SHARERS) mine += x[i];
  const fg_real sum = tile_gather(mine);
  if (threadIdx.x == 0) *out += sum;
  TILE_SYNC();
}

#endif

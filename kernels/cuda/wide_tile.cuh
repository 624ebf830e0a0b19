/* The tile words of wide networks (cuda/wide.cuh): a block runs a body on its tile, but only the loops of one segment.
 *
 * Each thread counts the cuts that it has passed; where the count is the segment asked for, TILE_EACH goes round and
 * TILE_SYNC waits, elsewhere both do nothing. So what a body does besides loops must follow from shapes and requests
 * alone, and what it reads outside them must not change while it runs. */
#ifndef FG_CUDA_WIDE_TILE_CUH
#define FG_CUDA_WIDE_TILE_CUH

#include <limits.h>

#include "cuda/wide.cuh"

#define TILE_NETWORKS 1
#include "body/panel.h"

#define TILE_FN static __device__ __noinline__ __attribute__((unused))
#ifdef __CUDACC__
#define TILE_EACH(i, n) _Pragma("unroll 1") for (int i = fg_wide_from(); i < (n); i += (int)blockDim.x)
#else
#define TILE_EACH(i, n) for (int i = fg_wide_from(); i < (n); i += (int)blockDim.x)
#endif
/* all (i, k), i < rows, k < width: neighbouring threads take neighbouring k */
#define TILE_PLANE(i, k, rows, width)                                                                        \
  TILE_EACH(tile_at, (rows) * (width))                                                                       \
  for (int i = tile_at / (width), k = tile_at % (width), tile_once = 1; tile_once; tile_once = 0)
#define TILE_ALONE /* particles need not be taken in groups */
#define TILE_SYNC()                                                                                          \
  do {                                                                                                       \
    if (fg_wide_on()) __syncthreads();                                                                       \
  } while (0)
#define TILE_PIECE(base, used, count) fg_wide_own((base), (used), (count))
#define TILE_REST(base, used) fg_wide_rest((base), (used))
#define TILE_RECUT() fg_wide_pause() /* places of one tile become those of another */
#define TILE_IDLE() (!fg_wide_on())
#define TILE_ROW_SUM(c, rows, columns, j, a, b, to)                                                          \
  tile_row_sum((c)->p, (rows), (columns), (j), (a), (b), (to))
#define TILE_SINE fg_activate_each_sine
#define TILE_OWN_SUM tile_own_sum
#define TILE_OWN_COLUMN_SUM tile_own_column_sum
#define TILE_ROW_PRODUCT(p, n, k, a, b, c) tile_matmul((p), (n), (k), (a), (k), 1, (b), NULL, 0, NULL, (c))

/* A sum over the rows of a tile on its way to the sum over all tiles. */
typedef struct fg_wide_sum {
  size_t at; /* in the tile's share of the partial sums */
  int rows, columns;
  int row, among; /* in panels of a matrix of `among` rows, from `row` on; 0: row by row */
  fg_real *to;
} fg_wide_sum;

/* Where a thread is in the body. */
typedef struct fg_wide_place {
  int cut;       /* the segment */
  int sums;      /* on their way */
  size_t used;   /* of the tile's share */
  unsigned half; /* of the partial sums that is being filled */
} fg_wide_place;

enum { FG_WIDE_SUMS = 16 };

__shared__ fg_wide_job fg_wide;
__shared__ fg_wide_place fg_wide_at[FG_WIDE_THREADS];
__shared__ fg_wide_sum fg_wide_sums[FG_WIDE_SUMS];

static __device__ __forceinline__ int fg_wide_on(void)
{
  return fg_wide_at[threadIdx.x].cut == fg_wide.segment;
}

static __device__ __forceinline__ int fg_wide_from(void)
{
  return fg_wide_on() ? (int)threadIdx.x : INT_MAX;
}

/* Counting on the host needs no places. */
FG_HD fg_real *fg_wide_own(fg_real *base, size_t used, size_t count)
{
#if defined __CUDA_ARCH__ || !defined __CUDACC__
  return base + used * (size_t)fg_wide.tiles + count * (size_t)blockIdx.x;
#else
  (void)count;
  return base + used;
#endif
}

FG_HD fg_real *fg_wide_rest(fg_real *base, size_t used)
{
#if defined __CUDA_ARCH__ || !defined __CUDACC__
  return base + used * (size_t)fg_wide.tiles;
#else
  return base + used;
#endif
}

/* All loops are off until fg_wide_speak. */
static __device__ __forceinline__ void fg_wide_enter(const fg_wide_job *job)
{
  if (threadIdx.x == 0) fg_wide = *job;
  fg_wide_at[threadIdx.x].cut = FG_WIDE_MUTE;
  fg_wide_at[threadIdx.x].sums = 0;
  fg_wide_at[threadIdx.x].used = 0;
  fg_wide_at[threadIdx.x].half = 0;
  __syncthreads();
}

static __device__ __forceinline__ void fg_wide_speak(void)
{
  fg_wide_at[threadIdx.x].cut = 0;
}

static __device__ __forceinline__ fg_real *fg_wide_partial(unsigned half, size_t tile)
{
  return (fg_real *)fg_wide.partial + (half * (size_t)fg_wide.tiles + tile) * fg_wide.partial_room;
}

/* The sums on their way, over all tiles in order. A place of the grid has always the same thread, whichever sum it is in: two
 * sums may go to one matrix. */
TILE_FN void fg_wide_gather(void)
{
  const fg_wide_place *me = &fg_wide_at[threadIdx.x];
  const int own = (int)(blockIdx.x * blockDim.x + threadIdx.x), all = (int)blockDim.x * fg_wide.tiles;
  __syncthreads(); /* thread 0 has noted them */
  for (int k = 0; k < me->sums; k++) {
    const fg_wide_sum *s = &fg_wide_sums[k];
    const int before = s->row * s->columns, end = before + s->rows * s->columns;
    for (int e = own < before ? own + (before - own + all - 1) / all * all : own; e < end; e += all) {
      fg_real total = 0;
      for (int tile = 0; tile < fg_wide.tiles; tile++)
        total += fg_wide_partial(me->half, (size_t)tile)[s->at + (size_t)(e - before)];
      s->to[s->among ? fg_panel_place(s->among, s->columns, e / s->columns, e % s->columns) : (size_t)e] +=
          total;
    }
  }
  __syncthreads(); /* all have read them */
}

/* The end of a segment. */
TILE_FN void fg_wide_cut(const fg_wide_product *product)
{
  fg_wide_place *me = &fg_wide_at[threadIdx.x];
  if (fg_wide.segment == FG_WIDE_RECORD && threadIdx.x == 0) {
    if (me->cut < fg_wide.list_room)
      fg_wide.list[blockIdx.x * (size_t)fg_wide.list_room + (size_t)me->cut] = *product;
    if (blockIdx.x == 0) *fg_wide.list_count = me->cut + 1;
  }
  me->cut++;
#ifdef __CUDA_ARCH__
  if (fg_wide.segment >= 0 && me->cut > fg_wide.segment) asm volatile("exit;"); /* nothing is left to do */
#endif
  if (me->sums == 0) return;
  if (fg_wide_on()) fg_wide_gather();
  me->sums = 0;
  me->used = 0;
  me->half ^= 1; /* other tiles may still read this one in the next segment */
}

TILE_FN void fg_wide_pause(void)
{
  fg_wide_product none;
  none.kind = FG_WIDE_NONE;
  none.rows = none.columns = none.inner = none.a_step = 0;
  none.a = none.b = 0;
  none.c = 0;
  fg_wide_cut(&none);
}

/* At the end of a body: no sum stays on its way. */
TILE_FN void fg_wide_leave(void)
{
  if (fg_wide_at[threadIdx.x].sums > 0) fg_wide_pause();
}

/* Room for a sum [rows, columns] of this tile that goes to `to`. */
TILE_FN fg_real *fg_wide_note(int rows, int columns, int row, int among, fg_real *to)
{
  fg_wide_place *me = &fg_wide_at[threadIdx.x];
  const size_t count = (size_t)rows * (size_t)columns;
  if (me->sums == FG_WIDE_SUMS || me->used + count > fg_wide.partial_room) fg_wide_pause();
  fg_real *mine = fg_wide_partial(me->half, blockIdx.x) + me->used;
  if (threadIdx.x == 0) {
    fg_wide_sum *s = &fg_wide_sums[me->sums];
    s->at = me->used;
    s->rows = rows;
    s->columns = columns;
    s->row = row;
    s->among = among;
    s->to = to;
  }
  me->used += count;
  me->sums++;
  return mine;
}

/* Where the matrix at `packed` lies row by row. */
TILE_FN const fg_real *fg_wide_plain(const fg_real *packed)
{
  for (int k = 0; k < FG_WIDE_NETWORKS; k++) {
    const fg_wide_weights *w = &fg_wide.weights[k];
    const fg_real *base = (const fg_real *)w->packed;
    if (base && packed >= base && packed < base + w->core) return (const fg_real *)w->plain + (packed - base);
  }
  return packed;
}

TILE_FN void fg_wide_product_of(fg_wide_kind kind, int rows, int columns, int inner, const fg_real *a,
                                int a_step, const fg_real *b, fg_real *c)
{
  fg_wide_product product;
  product.kind = kind;
  product.rows = rows;
  product.columns = columns;
  product.inner = inner;
  product.a_step = a_step;
  product.a = a;
  product.b = b;
  product.c = c;
  fg_wide_cut(&product);
}

/* From coordinates, a [k][p]: few products. b in panels. */
TILE_FN void fg_wide_lift(int p, int n, int k, const fg_real *a, int row_step, int column_step,
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

/* c [p, n] = (init + a b) gate, as in cuda/tile.cuh. */
TILE_FN void tile_matmul(int p, int n, int k, const fg_real *a, int row_step, int column_step,
                         const fg_real *b, const fg_real *init, int init_step, const fg_real *gate,
                         fg_real *c)
{
  if (column_step != 1) {
    fg_wide_lift(p, n, k, a, row_step, column_step, b, init, init_step, gate, c);
    return;
  }
  fg_wide_product_of(FG_WIDE_MATMUL, p, n, k, a, row_step, fg_wide_plain(b), c);
  if (!init && !gate) return;
  TILE_EACH(e, p * n)
  {
    const fg_real sum = init ? init[(size_t)(e / n) * init_step + e % n] + c[e] : c[e];
    c[e] = gate ? sum * gate[e] : sum;
  }
  TILE_SYNC();
}

/* out[j * p + i] = init[i * init_step + j] + sum_k a[i * k + .] w[j * k + .], j < n. */
TILE_FN void tile_dot(int p, int n, int k, const fg_real *a, const fg_real *w, const fg_real *init,
                      int init_step, fg_real *out)
{
  fg_wide_product_of(FG_WIDE_DOT, p, n, k, a, k, w, out);
  if (!init) return;
  TILE_EACH(e, p * n) out[e] += init[(size_t)(e % p) * init_step + e / p];
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

/* out [k, n] += sum over the rows of all tiles of a (a[i * row_step + j * column_step], j < k) times b [p, n]: from
 * coordinates (column_step not 1) in panels, else row by row. */
TILE_FN void tile_outer(int p, int n, int k, const fg_real *a, int row_step, int column_step,
                        const fg_real *b, fg_real *out)
{
  if (column_step == 1) {
    fg_wide_product_of(FG_WIDE_OUTER, p, n, k, a, row_step, b, out);
    return;
  }
  fg_real *mine = fg_wide_note(k, n, 0, k, out);
  TILE_EACH(e, k * n)
  {
    const fg_real *x = a + (size_t)(e / n) * column_step;
    fg_real sum = 0;
    for (int i = 0; i < p; i++) sum += x[(size_t)i * row_step] * b[(size_t)i * n + e % n];
    mine[e] = sum;
  }
  TILE_SYNC();
}

/* Row j of [rows, columns] in panels += sum over the rows of all tiles of a [p] (0: ones) times b [p, columns]. */
TILE_FN void tile_row_sum(int p, int rows, int columns, int j, const fg_real *a, const fg_real *b,
                          fg_real *to)
{
  fg_real *mine = fg_wide_note(1, columns, j, rows, to);
  TILE_EACH(c, columns)
  {
    fg_real sum = 0;
    for (int i = 0; i < p; i++) sum += (a ? a[i] : 1) * b[(size_t)i * columns + c];
    mine[c] = sum;
  }
  TILE_SYNC();
}

/* out [n] += sum over the rows of all tiles of b [p, n]. */
TILE_FN void tile_column_sum(int p, int n, const fg_real *b, fg_real *out)
{
  fg_real *mine = fg_wide_note(1, n, 0, 0, out);
  TILE_EACH(c, n)
  {
    fg_real sum = 0;
    for (int i = 0; i < p; i++) sum += b[(size_t)i * n + c];
    mine[c] = sum;
  }
  TILE_SYNC();
}

/* *out += sum of x [p] over all tiles. */
TILE_FN void tile_add_sum(int p, const fg_real *x, fg_real *out)
{
  fg_real *mine = fg_wide_note(1, 1, 0, 0, out);
  TILE_EACH(once, 1)
  {
    fg_real sum = 0;
    for (int i = 0; i < p; i++) sum += x[i];
    *mine = sum;
  }
  TILE_SYNC();
}

/* Of this tile alone, to a place of its own. */
TILE_FN void tile_own_sum(int p, const fg_real *x, fg_real *out)
{
  TILE_EACH(once, 1)
  {
    fg_real sum = 0;
    for (int i = 0; i < p; i++) sum += x[i];
    *out += sum;
  }
  TILE_SYNC();
}

TILE_FN void tile_own_column_sum(int p, int n, const fg_real *b, fg_real *out)
{
  TILE_EACH(c, n)
  {
    fg_real sum = 0;
    for (int i = 0; i < p; i++) sum += b[(size_t)i * n + c];
    out[c] += sum;
  }
  TILE_SYNC();
}

#endif

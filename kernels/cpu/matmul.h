/* The tile words of the CPU, and the products that need registers: matrix times matrix, rows times rows.
 *
 * A tile body (kernels/body/network.h) is written in these words alone; an engine defines them. Here one
 * thread owns a tile, so TILE_EACH is a loop and TILE_SYNC nothing. Vectors are GCC's, of the width of the
 * instruction set that this file is compiled for. Sums run in a fixed order that depends on shapes alone. */
#ifndef FG_CPU_MATMUL_H
#define FG_CPU_MATMUL_H

#include <stddef.h>

#include "body/panel.h"
#include "body/tile.h"

#define TILE_FN static __attribute__((unused))
#define TILE_EACH(i, n) for (int i = 0; i < (n); i++)
#define TILE_PLANE(i, k, rows, width)                                                                        \
  for (int i = 0; i < (rows); i++)                                                                           \
    for (int k = 0; k < (width); k++)
#define TILE_SYNC() ((void)0)
/* rows that one thread takes together, the first of them, and those of a tile; shorter loops than these gcc 12 unrolls
 * instead of turning them into vectors */
#if defined(FG_ISA_avx512) || (defined(FG_ISA_avx2) && defined(FG_SINGLE))
#define TILE_LANES 16
#else
#define TILE_LANES 32
#endif
#define TILE_FIRST 0
#define TILE_ROWS TILE_LANES
/* numbers [count] that all threads of a tile are about to read; the flag of any thread */
#define TILE_SHARE(count, from) (from)
#define TILE_ANY(flag) (flag)

#if defined(FG_ISA_avx512)
#define FG_VECTOR_BYTES 64
#define FG_COLUMN_VECTORS 5 /* of a register block: 4 x 5 sums + 5 weights + 1 fill 26 of 32 registers */
#elif defined(FG_ISA_avx2)
#define FG_VECTOR_BYTES 32
#define FG_COLUMN_VECTORS 3 /* 4 x 3 + 3 + 1 = 16 registers */
#else
#define FG_VECTOR_BYTES 16
#define FG_COLUMN_VECTORS 3
#endif

typedef fg_real fg_wide __attribute__((vector_size(FG_VECTOR_BYTES), aligned(sizeof(fg_real)), may_alias));
enum {
  FG_WIDE = FG_VECTOR_BYTES / (int)sizeof(fg_real),
  FG_CHUNK_BYTES = 28 * 1024 /* weights of one register block kept in a 32 KiB first-level cache */
};

#define FG_INLINE static inline __attribute__((always_inline))

FG_INLINE fg_wide fg_wide_load(const fg_real *x)
{
  return *(const fg_wide *)x;
}

FG_INLINE void fg_wide_store(fg_real *x, fg_wide v)
{
  *(fg_wide *)x = v;
}

/* What one register block needs to know. */
typedef struct fg_product {
  const fg_real *a; /* a[i * row_step + k * column_step] */
  int row_step, column_step;
  const fg_real *b; /* [k][b_step] */
  int b_step;
  const fg_real *init; /* [p][init_step] or NULL */
  int init_step;
  const fg_real *gate; /* [p][c_step] or NULL */
  fg_real *c;
  int c_step;
} fg_product;

/* c[i .. i + rows)[0 .. vectors) = (init + a b) gate, over k0 <= k < k1. */
FG_INLINE void fg_register_block(const int rows, const int vectors, const fg_product *m, int i, int k0,
                                 int k1)
{
  fg_wide sum[8][FG_COLUMN_VECTORS];
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
    for (int q = 0; q < vectors; q++)
      sum[r][q] =
          m->init ? fg_wide_load(m->init + (size_t)(i + r) * m->init_step + q * FG_WIDE) : (fg_wide){0};
  const fg_real *a = m->a + (size_t)i * m->row_step + (size_t)k0 * m->column_step;
  const fg_real *b = m->b + (size_t)k0 * m->b_step;
  const size_t row = (size_t)m->row_step, column = (size_t)m->column_step, down = (size_t)m->b_step;
  for (int k = k0; k < k1; k++, a += column, b += down) {
    fg_wide w[FG_COLUMN_VECTORS];
#pragma GCC unroll 8
    for (int q = 0; q < vectors; q++) w[q] = fg_wide_load(b + q * FG_WIDE);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
      fg_real x = a[(size_t)r * row];
#pragma GCC unroll 8
      for (int q = 0; q < vectors; q++) sum[r][q] += x * w[q];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
    for (int q = 0; q < vectors; q++) {
      size_t at = (size_t)(i + r) * m->c_step + q * FG_WIDE;
      if (m->gate) sum[r][q] *= fg_wide_load(m->gate + at);
      fg_wide_store(m->c + at, sum[r][q]);
    }
}

/* One group of columns for all p rows. Few columns take more rows, so that enough sums are in flight. */
static void fg_column_group(int p, int vectors, const fg_product *m, int k0, int k1)
{
  switch (vectors) {
  case 1:
    for (int i = 0; i < p; i += 8) fg_register_block(8, 1, m, i, k0, k1);
    break;
  case 2:
    for (int i = 0; i < p; i += 4) fg_register_block(4, 2, m, i, k0, k1);
    break;
  case 3:
    for (int i = 0; i < p; i += 4) fg_register_block(4, 3, m, i, k0, k1);
    break;
#if FG_COLUMN_VECTORS > 3
  case 4:
    for (int i = 0; i < p; i += 4) fg_register_block(4, 4, m, i, k0, k1);
    break;
  default:
    for (int i = 0; i < p; i += 4) fg_register_block(4, 5, m, i, k0, k1);
    break;
#endif
  }
}

/* c [p, n] = (init + a b) gate;  a: a[i * row_step + k * column_step];  b: [k, n] in panels (panel.h);
 * init: row i at i * init_step (0: one row for all), or NULL;  gate [p, n] or NULL.
 * p is a multiple of FG_LANES, n of FG_PAD. c overlaps no input. */
TILE_FN void tile_matmul(int p, int n, int k, const fg_real *a, int row_step, int column_step,
                         const fg_real *b, const fg_real *init, int init_step, const fg_real *gate,
                         fg_real *c)
{
  for (int panel = 0; panel < fg_panels(n); panel++) {
    int first = fg_panel_start(n, panel), width = fg_panel_start(n, panel + 1) - first;
    int vectors = width / FG_WIDE, groups = (vectors + FG_COLUMN_VECTORS - 1) / FG_COLUMN_VECTORS;
    for (int g = 0; g < groups; g++) {
      int from = vectors * g / groups, to = vectors * (g + 1) / groups;
      int at = first + from * FG_WIDE;
      int most = FG_CHUNK_BYTES / ((to - from) * FG_VECTOR_BYTES);
      int chunks = k > most ? (k + most - 1) / most : 1;
      for (int h = 0; h < chunks; h++) {
        fg_product m = {a,           row_step,
                        column_step, b + (size_t)k * first + from * FG_WIDE,
                        width,       init ? init + at : NULL,
                        init_step,   gate && h == chunks - 1 ? gate + at : NULL,
                        c + at,      n};
        if (h > 0) {
          m.init = c + at;
          m.init_step = n;
        }
        fg_column_group(p, to - from, &m, (int)((long)k * h / chunks), (int)((long)k * (h + 1) / chunks));
      }
    }
  }
}

#ifdef FG_SINGLE
#define FG_LANES_OF_VECTOR (FG_VECTOR_BYTES / 4)
#else
#define FG_LANES_OF_VECTOR (FG_VECTOR_BYTES / 8)
#endif
#if FG_LANES_OF_VECTOR == 16
#define FG_EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define FG_ODD_LANES 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#elif FG_LANES_OF_VECTOR == 8
#define FG_EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14
#define FG_ODD_LANES 1, 3, 5, 7, 9, 11, 13, 15
#elif FG_LANES_OF_VECTOR == 4
#define FG_EVEN_LANES 0, 2, 4, 6
#define FG_ODD_LANES 1, 3, 5, 7
#else
#define FG_EVEN_LANES 0, 2
#define FG_ODD_LANES 1, 3
#endif

/* [a0+a1, a2+a3, .., b0+b1, ..]: applied to 2, 4, .. vectors it ends in one vector of all their sums. */
FG_INLINE fg_wide fg_wide_pairs(fg_wide a, fg_wide b)
{
  return __builtin_shufflevector(a, b, FG_EVEN_LANES) + __builtin_shufflevector(a, b, FG_ODD_LANES);
}

/* out[q] = init[q * step] + sum of the lanes of v[q], q < FG_WIDE; v is overwritten. */
FG_INLINE void fg_wide_sums(fg_wide *v, const fg_real *init, int step, fg_real *out)
{
#pragma GCC unroll 4
  for (int half = FG_WIDE / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (int q = 0; q < half; q++) v[q] = fg_wide_pairs(v[2 * q], v[2 * q + 1]);
  fg_wide start;
#pragma GCC unroll 16
  for (int q = 0; q < FG_WIDE; q++) start[q] = init ? init[(size_t)q * step] : 0;
  fg_wide_store(out, v[0] + start);
}

/* out[j * p + i] = init[i * init_step + j] + sum_k a[i * k + .] w[j * k + .], j < n: few outputs, long rows.
 * init may be NULL (0). k is a multiple of FG_PAD; padding in w is 0. */
TILE_FN void tile_dot(int p, int n, int k, const fg_real *a, const fg_real *w, const fg_real *init,
                      int init_step, fg_real *out)
{
  for (int i = 0; i < p; i += FG_WIDE)
    for (int j = 0; j < n; j++) {
      fg_wide sum[FG_WIDE];
      const fg_real *rows = a + (size_t)i * k, *x = w + (size_t)j * k;
#pragma GCC unroll 16
      for (int r = 0; r < FG_WIDE; r++) sum[r] = fg_wide_load(rows + (size_t)r * k) * fg_wide_load(x);
      for (int q = FG_WIDE; q < k; q += FG_WIDE) {
        const fg_wide y = fg_wide_load(x + q);
#pragma GCC unroll 16
        for (int r = 0; r < FG_WIDE; r++) sum[r] += fg_wide_load(rows + (size_t)r * k + q) * y;
      }
      fg_wide_sums(sum, init ? init + (size_t)i * init_step + j : NULL, init_step, out + (size_t)j * p + i);
    }
}

/* out[i] += sum_k a[i * k + .] b[i * b_step + .] (b_step 0: one row for all). */
TILE_FN void tile_row_dot(int p, int k, const fg_real *a, const fg_real *b, int b_step, fg_real *out)
{
  for (int i = 0; i < p; i += FG_WIDE) {
    fg_wide sum[FG_WIDE];
#pragma GCC unroll 16
    for (int r = 0; r < FG_WIDE; r++) sum[r] = (fg_wide){0};
    for (int q = 0; q < k; q += FG_WIDE)
#pragma GCC unroll 16
      for (int r = 0; r < FG_WIDE; r++)
        sum[r] += fg_wide_load(a + (size_t)(i + r) * k + q) * fg_wide_load(b + (size_t)(i + r) * b_step + q);
    fg_wide_sums(sum, out + i, 1, out + i);
  }
}

/* out[r][0 .. vectors) += sum_i a[i * row_step + r * column_step] b[i][.], r < rows, i < p: rows of a weight
 * gradient, in registers over all particles. */
FG_INLINE void fg_outer_block(const int rows, const int vectors, const fg_product *m, int p)
{
  fg_wide sum[8][FG_COLUMN_VECTORS];
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
    for (int q = 0; q < vectors; q++) sum[r][q] = (fg_wide){0};
  const fg_real *a = m->a, *b = m->b;
  const size_t row = (size_t)m->row_step, column = (size_t)m->column_step, down = (size_t)m->b_step;
  for (int i = 0; i < p; i++, a += row, b += down) {
    fg_wide y[FG_COLUMN_VECTORS];
#pragma GCC unroll 8
    for (int q = 0; q < vectors; q++) y[q] = fg_wide_load(b + q * FG_WIDE);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
      fg_real x = a[(size_t)r * column];
#pragma GCC unroll 8
      for (int q = 0; q < vectors; q++) sum[r][q] += x * y[q];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
    for (int q = 0; q < vectors; q++) {
      fg_real *to = m->c + (size_t)r * m->c_step + q * FG_WIDE;
      fg_wide_store(to, fg_wide_load(to) + sum[r][q]);
    }
}

/* Rows j0 .. k of one group of columns: blocks of FG_OUTER_ROWS, then one at a time. */
#define FG_OUTER_GROUP(vectors)                                                                              \
  for (; j + FG_OUTER_ROWS <= k; j += FG_OUTER_ROWS, fg_outer_next(m, FG_OUTER_ROWS))                        \
    fg_outer_block(FG_OUTER_ROWS, vectors, m, p);                                                            \
  for (; j < k; j++, fg_outer_next(m, 1)) fg_outer_block(1, vectors, m, p);                                  \
  break

enum { FG_OUTER_ROWS = 4 };

FG_INLINE void fg_outer_next(fg_product *m, int rows)
{
  m->a += (size_t)rows * m->column_step;
  m->c += (size_t)rows * m->c_step;
}

static void fg_outer_group(int p, int vectors, int k, fg_product *m)
{
  int j = 0;
  switch (vectors) {
  case 1:
    FG_OUTER_GROUP(1);
  case 2:
    FG_OUTER_GROUP(2);
  case 3:
    FG_OUTER_GROUP(3);
#if FG_COLUMN_VECTORS > 3
  case 4:
    FG_OUTER_GROUP(4);
  default:
    FG_OUTER_GROUP(5);
#endif
  }
}

/* out [k, n] in panels += sum over p rows of a (a[i * row_step + j * column_step], j < k) times b [p, n]. */
TILE_FN void tile_outer(int p, int n, int k, const fg_real *a, int row_step, int column_step,
                        const fg_real *b, fg_real *out)
{
  for (int panel = 0; panel < fg_panels(n); panel++) {
    int first = fg_panel_start(n, panel), width = fg_panel_start(n, panel + 1) - first;
    int vectors = width / FG_WIDE, groups = (vectors + FG_COLUMN_VECTORS - 1) / FG_COLUMN_VECTORS;
    for (int g = 0; g < groups; g++) {
      int from = vectors * g / groups, to = vectors * (g + 1) / groups, at = from * FG_WIDE;
      fg_product m = {
          a, row_step, column_step, b + first + at, n, NULL, 0, NULL, out + (size_t)k * first + at, width};
      fg_outer_group(p, to - from, k, &m);
    }
  }
}

/* out [n] += sum over p rows of b [p, n]. */
TILE_FN void tile_column_sum(int p, int n, const fg_real *b, fg_real *out)
{
  for (int at = 0; at < n; at += FG_PAD) {
    fg_wide sum[FG_PAD / FG_WIDE];
#pragma GCC unroll 8
    for (int q = 0; q < FG_PAD / FG_WIDE; q++) sum[q] = fg_wide_load(out + at + q * FG_WIDE);
    for (int i = 0; i < p; i++)
#pragma GCC unroll 8
      for (int q = 0; q < FG_PAD / FG_WIDE; q++) sum[q] += fg_wide_load(b + (size_t)i * n + at + q * FG_WIDE);
#pragma GCC unroll 8
    for (int q = 0; q < FG_PAD / FG_WIDE; q++) fg_wide_store(out + at + q * FG_WIDE, sum[q]);
  }
}

/* *out += sum of x [p], in a fixed order. */
TILE_FN void tile_add_sum(int p, const fg_real *x, fg_real *out)
{
  fg_wide sum = {0};
  fg_real total = 0;
  for (int i = 0; i < p; i += FG_WIDE) sum += fg_wide_load(x + i);
  for (int q = 0; q < FG_WIDE; q++) total += sum[q];
  *out += total;
}

#include "cpu/matmul_activation.h"

#endif

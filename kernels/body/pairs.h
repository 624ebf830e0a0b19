/* Sums of a kernel over pairs: FG_PAIR_ROWS rows of x against all rows of y, FG_PAIR_COLUMNS of them at a time. */
#ifndef FG_BODY_PAIRS_H
#define FG_BODY_PAIRS_H

#include "body/load.h"
#include "body/panel.h"
#include "engine.h"
#include "formula/pair_kernel.h"

enum { FG_PAIR_ROWS = 64, FG_PAIR_COLUMNS = 32 };

/* Working space of one tile, in reals. */
FG_HD size_t fg_pairs_scratch(const fg_pair_sums_request *r)
{
  const size_t rows = FG_PAIR_ROWS, width = (size_t)fg_panel_padded((int)r->columns);
  size_t size = fg_whole_lanes(r->d * rows) + rows * FG_PAIR_COLUMNS;
  if (r->columns == 1) return size + fg_whole_lanes(rows) + rows * (sizeof(double) / sizeof(fg_real));
  return size + width * FG_PAIR_COLUMNS + width * rows;
}

/* value [FG_PAIR_ROWS] = kernel between the rows of the tile and one row of y. */
TILE_FN void fg_pairs_column(const fg_pair_sums_request *r, fg_real rate, const fg_real *__restrict__ x,
                             const double *__restrict__ y, fg_real *__restrict__ value)
{
  enum { P = FG_PAIR_ROWS };
  int k = (int)(r->d % 4);
  if (k == 0) TILE_EACH(i, P) value[i] = 0;
  if (k == 1) {
    const fg_real a = (fg_real)y[0];
    TILE_EACH(i, P) value[i] = (x[i] - a) * (x[i] - a);
  }
  if (k == 2) {
    const fg_real a = (fg_real)y[0], b = (fg_real)y[1];
    TILE_EACH(i, P) value[i] = (x[i] - a) * (x[i] - a) + (x[P + i] - b) * (x[P + i] - b);
  }
  if (k == 3) {
    const fg_real a = (fg_real)y[0], b = (fg_real)y[1], c = (fg_real)y[2];
    TILE_EACH(i, P)
    value[i] =
        (x[i] - a) * (x[i] - a) + (x[P + i] - b) * (x[P + i] - b) + (x[2 * P + i] - c) * (x[2 * P + i] - c);
  }
  for (; k < (int)r->d; k += 4) {
    const fg_real *__restrict__ at = x + k * P;
    const fg_real a = (fg_real)y[k], b = (fg_real)y[k + 1], c = (fg_real)y[k + 2], e = (fg_real)y[k + 3];
    TILE_EACH(i, P)
    value[i] += (at[i] - a) * (at[i] - a) + (at[P + i] - b) * (at[P + i] - b) +
                (at[2 * P + i] - c) * (at[2 * P + i] - c) + (at[3 * P + i] - e) * (at[3 * P + i] - e);
  }
  if (r->kernel == FG_PAIR_GAUSSIANS)
    TILE_EACH(i, P) value[i] = fg_pair_gaussians(value[i], rate);
  else
    TILE_EACH(i, P) value[i] = fg_pair_distance(value[i]);
}

/* One column of weights: row i of the tile gathers sum_j b_j value_ij. */
TILE_FN void fg_pairs_add(int width, const double *__restrict__ b, const fg_real *__restrict__ value,
                          fg_real *__restrict__ sum, double *__restrict__ gathered)
{
  enum { P = FG_PAIR_ROWS };
  TILE_EACH(i, P) sum[i] = 0;
  for (int j = 0; j < width; j++) {
    const fg_real weight = (fg_real)b[j];
    TILE_EACH(i, P) sum[i] += weight * value[j * P + i];
  }
  TILE_EACH(i, P) gathered[i] += (double)sum[i];
}

/* Many columns: out_k += sum_i a_ik (sum_j value_ij b_jk), the inner sum as a product of matrices. */
TILE_FN void fg_pairs_product(int columns, int count, int width, const double *a, const double *b,
                              const fg_real *value, fg_real *packed, fg_real *product, double *out)
{
  const int padded = fg_panel_padded(columns);
  for (int panel = 0; panel < fg_panels(padded); panel++) {
    const int first = fg_panel_start(padded, panel), wide = fg_panel_start(padded, panel + 1) - first;
    for (int j = 0; j < width; j++) TILE_EACH(k, wide)
    packed[width * first + j * wide + k] =
        first + k < columns ? (fg_real)b[(size_t)j * (size_t)columns + (size_t)(first + k)] : 0;
  }
  TILE_SYNC();
  tile_matmul(FG_PAIR_ROWS, padded, width, value, 1, FG_PAIR_ROWS, packed, 0, 0, 0, product);
  for (int i = 0; i < count; i++) TILE_EACH(k, columns)
  out[k] += a[(size_t)i * (size_t)columns + (size_t)k] * (double)product[(size_t)i * (size_t)padded + k];
  TILE_SYNC();
}

/* out [columns]: the share of rows first .. first + count - 1. Within one sample each pair is taken once, i < j. */
TILE_FN void fg_pairs_tile(const fg_pair_sums_request *r, size_t first, int count, double *out,
                           fg_real *scratch)
{
  enum { P = FG_PAIR_ROWS };
  const int d = (int)r->d, columns = (int)r->columns;
  const size_t others = r->within ? r->n : r->m;
  const double *y = (const double *)(r->within ? r->x.device : r->y.device);
  const double *a = (const double *)r->a.device + first * r->columns;
  const double *b = (const double *)(r->within ? r->a.device : r->b.device);
  const fg_real rate = r->kernel == FG_PAIR_GAUSSIANS ? fg_pair_rate(r->bandwidth) : 0;
  const int padded = fg_panel_padded(columns);
  fg_real *x = fg_cut(&scratch, r->d * P), *value = fg_cut(&scratch, (size_t)P * FG_PAIR_COLUMNS);
  double *gathered = (double *)fg_cut(&scratch, columns == 1 ? P * (sizeof(double) / sizeof(fg_real)) : 0);
  fg_real *sum = fg_cut(&scratch, (size_t)(columns == 1 ? 1 : padded) * P);
  fg_tile_load((const double *)r->x.device + first * r->d, count, d, P, x);
  if (columns == 1) TILE_EACH(i, P) gathered[i] = 0;
  TILE_EACH(k, columns) out[k] = 0;
  for (size_t at = r->within ? first : 0; at < others; at += FG_PAIR_COLUMNS) {
    const int width = others - at < FG_PAIR_COLUMNS ? (int)(others - at) : FG_PAIR_COLUMNS;
    for (int j = 0; j < width; j++) {
      fg_pairs_column(r, rate, x, y + (at + (size_t)j) * r->d, value + j * P);
      if (r->within && at + (size_t)j < first + P)
        TILE_EACH(i, P) if (first + (size_t)i >= at + (size_t)j) value[j * P + i] = 0;
    }
    if (columns == 1)
      fg_pairs_add(width, b + at, value, sum, gathered);
    else
      fg_pairs_product(columns, count, width, a, b + at * r->columns, value, scratch, sum, out);
  }
  TILE_SYNC();
  if (columns == 1) TILE_EACH(k, 1)
  for (int i = 0; i < count; i++) out[k] += a[i] * gathered[i];
  TILE_SYNC();
}

#endif

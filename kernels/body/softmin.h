/* Sums over pairs of two samples (engine.h): rows x_i in lanes, columns y_j one after another.
 *
 * With z = h_j - c(x_i, y_j) / epsilon, h_j = log b_j + g_j / epsilon, and coordinates scaled so that c / epsilon is their
 * own (squared) distance, a row's result is -epsilon (ref + log sum_j exp(z - ref)). ref comes from the guess; where that
 * turns out too low, the row's sum is rescaled, where too high, ref becomes the largest z and the sum is taken anew.
 *
 * What is left out: a block of columns whose largest possible share, log sum_j exp(h_j) - least c / epsilon between boxes,
 * is below ref - FG_SOFTMIN_SLACK - 40 log 2 - log(blocks) of every row. Together they add less than 2^-40 of a sum that
 * is not below exp(ref - FG_SOFTMIN_SLACK), which is looked at in the end. */
#ifndef FG_BODY_SOFTMIN_H
#define FG_BODY_SOFTMIN_H

#include "engine.h"
#include "formula/vecmath.h"

#define FG_SOFTMIN_SLACK 8               /* how far a sum may be below its guess, in logarithm */
#define FG_SOFTMIN_HIGH 40               /* how far a term may be above it */
#define FG_SOFTMIN_DROP 27.7258872223978 /* 40 log 2 */

#ifdef __CUDACC__
#define FG_PAIRS_FN static __device__ __forceinline__
#else
#define FG_PAIRS_FN static inline __attribute__((always_inline, unused))
#endif

/* Coordinates of a column or row: padded by 0 to what the loops take at once. */
FG_HD size_t fg_softmin_width(size_t d)
{
  return d <= 3 ? d : (d + 3) / 4 * 4;
}

/* Reals of a column: h, then coordinates. */
FG_HD size_t fg_softmin_column(const fg_softmin_request *r)
{
  return 1 + fg_softmin_width(r->d);
}

FG_HD size_t fg_softmin_blocks(size_t m)
{
  return (m + FG_SOFTMIN_BLOCK - 1) / FG_SOFTMIN_BLOCK;
}

/* Reals of a box: low [d], high [d], and of columns log sum exp(h), of rows the least ref. */
FG_HD size_t fg_softmin_box(const fg_softmin_request *r)
{
  return 2 * r->d + 1;
}

FG_HD double fg_softmin_scale(const fg_softmin_request *r)
{
  return r->euclidean ? 1 / r->epsilon : 1 / sqrt(r->epsilon);
}

FG_HD void fg_softmin_enclose(int first, size_t d, const fg_real *x, fg_real *box)
{
  for (size_t k = 0; k < d; k++) {
    if (first || x[k] < box[k]) box[k] = x[k];
    if (first || x[k] > box[d + k]) box[d + k] = x[k];
  }
}

/* One block of columns and its box. */
FG_HD void fg_softmin_prepare(const fg_softmin_request *r, size_t block, fg_real *columns, fg_real *boxes)
{
  const size_t d = r->d, size = fg_softmin_column(r), from = block * FG_SOFTMIN_BLOCK;
  const size_t to = from + FG_SOFTMIN_BLOCK < r->m ? from + FG_SOFTMIN_BLOCK : r->m;
  const double scale = fg_softmin_scale(r), *y = (const double *)r->y.device;
  const double *log_b = (const double *)r->log_b.device, *g = (const double *)r->g.device;
  fg_real *box = boxes + block * fg_softmin_box(r);
  double top = -DBL_MAX, mass = 0;
  for (size_t j = from; j < to; j++) {
    fg_real *column = columns + j * size;
    const double h = log_b[j] + g[j] / r->epsilon;
    top = h > top ? h : top;
    column[0] = (fg_real)h;
    for (size_t k = 0; k + 1 < size; k++) column[1 + k] = k < d ? (fg_real)(scale * y[j * d + k]) : 0;
    fg_softmin_enclose(j == from, d, column + 1, box);
  }
  for (size_t j = from; j < to; j++) mass += exp(log_b[j] + g[j] / r->epsilon - top);
  box[2 * d] = (fg_real)(top + log(mass));
}

FG_HD double fg_softmin_ref(const fg_softmin_request *r, size_t row)
{
  return r->guess.device ? -((const double *)r->guess.device)[row] / r->epsilon : (double)NAN;
}

/* The box of `count` rows. A row without a guess makes the least ref NaN: nothing is left out then. */
FG_HD void fg_softmin_row_box(const fg_softmin_request *r, size_t first, int count, fg_real *box)
{
  const size_t d = r->d;
  const double scale = fg_softmin_scale(r), *x = (const double *)r->x.device;
  for (int i = 0; i < count; i++) {
    const fg_real ref = (fg_real)fg_softmin_ref(r, first + (size_t)i);
    for (size_t k = 0; k < d; k++) {
      const fg_real place = (fg_real)(scale * x[(first + (size_t)i) * d + k]);
      if (i == 0 || place < box[k]) box[k] = place;
      if (i == 0 || place > box[d + k]) box[d + k] = place;
    }
    if (i == 0 || !(ref >= box[2 * d])) box[2 * d] = ref;
    if (!(ref - ref == 0)) return;
  }
}

/* An upper bound of log sum exp(z) over the block, for every row of the box. */
FG_HD fg_real fg_softmin_bound(const fg_softmin_request *r, const fg_real *columns, const fg_real *rows)
{
  const size_t d = r->d;
  fg_real least = 0;
  for (size_t k = 0; k < d; k++) {
    fg_real above = rows[k] - columns[d + k], below = columns[k] - rows[d + k];
    fg_real gap = above > below ? above : below;
    gap = gap > 0 ? gap : 0;
    least += gap * gap;
  }
  return columns[2 * d] - (r->euclidean ? FG_MATH(sqrt)(least) : least);
}

/* ---- a block of columns against TILE_LANES rows ------------------------------------------------- */

/* c [TILE_LANES] / epsilon between the rows and one column. width: literal up to 4, else a multiple of it. */
FG_PAIRS_FN void fg_softmin_cost(int width, int euclidean, int p, const fg_real *x, const fg_real *y,
                                 fg_real *c)
{
  for (int i = 0; i < TILE_LANES; i++) c[i] = 0;
  if (width <= 4) {
    for (int i = 0; i < TILE_LANES; i++)
      for (int k = 0; k < width; k++) c[i] += (x[k * p + i] - y[k]) * (x[k * p + i] - y[k]);
  } else {
    for (int k = 0; k < width; k += 4, x += 4 * p)
      for (int i = 0; i < TILE_LANES; i++) {
        const fg_real a = x[i] - y[k], b = x[p + i] - y[k + 1];
        const fg_real e = x[2 * p + i] - y[k + 2], f = x[3 * p + i] - y[k + 3];
        c[i] += (a * a + b * b) + (e * e + f * f);
      }
  }
  if (euclidean)
    for (int i = 0; i < TILE_LANES; i++) c[i] = FG_MATH(sqrt)(c[i]);
}

/* top: largest z - ref; sum: of exp(z - ref); cost: of c exp(z - ref), or NULL. Beyond FG_SOFTMIN_HIGH only top holds. */
FG_PAIRS_FN void fg_softmin_terms(int width, int euclidean, int p, int count, const fg_real *columns,
                                  const fg_real *x, const fg_real *ref, fg_real *top, fg_real *sum,
                                  fg_real *cost)
{
  fg_real most[TILE_LANES], part[TILE_LANES], weighted[TILE_LANES];
  for (int i = 0; i < TILE_LANES; i++) {
    most[i] = -FG_REAL_MAX;
    part[i] = weighted[i] = 0;
  }
  for (int j = 0; j < count; j++, columns += 1 + width) {
    fg_real c[TILE_LANES];
    fg_softmin_cost(width, euclidean, p, x, columns + 1, c);
    for (int i = 0; i < TILE_LANES; i++) {
      const fg_real z = (columns[0] - ref[i]) - c[i];
      most[i] = z > most[i] ? z : most[i];
      const fg_real term = fg_vexp_falling(z);
      part[i] += term;
      if (cost) weighted[i] += c[i] * term;
    }
  }
  for (int i = 0; i < TILE_LANES; i++) {
    top[i] = most[i];
    sum[i] = part[i];
    if (cost) cost[i] = weighted[i];
  }
}

/* top: the larger of itself and the largest z. */
FG_PAIRS_FN void fg_softmin_raise(int width, int euclidean, int p, int count, const fg_real *columns,
                                  const fg_real *x, fg_real *top)
{
  for (int j = 0; j < count; j++, columns += 1 + width) {
    fg_real c[TILE_LANES];
    fg_softmin_cost(width, euclidean, p, x, columns + 1, c);
    for (int i = 0; i < TILE_LANES; i++) {
      const fg_real z = columns[0] - c[i];
      top[i] = z > top[i] ? z : top[i];
    }
  }
}

/* What a tile's rows need to know. */
typedef struct fg_softmin_tile {
  const fg_softmin_request *request;
  const fg_real *columns, *boxes, *box; /* of the blocks, of the rows */
  const fg_real *x;                     /* [width][p], from this thread's first lane */
  int p;
} fg_softmin_tile;

#define FG_SOFTMIN_CASES(call)                                                                               \
  switch (width * 2 + (r->euclidean != 0)) {                                                                 \
  case 2:                                                                                                    \
    call(1, 0);                                                                                              \
    break;                                                                                                   \
  case 3:                                                                                                    \
    call(1, 1);                                                                                              \
    break;                                                                                                   \
  case 4:                                                                                                    \
    call(2, 0);                                                                                              \
    break;                                                                                                   \
  case 5:                                                                                                    \
    call(2, 1);                                                                                              \
    break;                                                                                                   \
  case 6:                                                                                                    \
    call(3, 0);                                                                                              \
    break;                                                                                                   \
  case 7:                                                                                                    \
    call(3, 1);                                                                                              \
    break;                                                                                                   \
  case 8:                                                                                                    \
    call(4, 0);                                                                                              \
    break;                                                                                                   \
  case 9:                                                                                                    \
    call(4, 1);                                                                                              \
    break;                                                                                                   \
  default:                                                                                                   \
    if (r->euclidean) {                                                                                      \
      call(width, 1);                                                                                        \
    } else {                                                                                                 \
      call(width, 0);                                                                                        \
    }                                                                                                        \
  }

/* cost NULL or not is part of the case, so that the common one has no second sum. */
TILE_FN void fg_softmin_block(const fg_softmin_tile *t, int count, const fg_real *columns, const fg_real *ref,
                              fg_real *top, fg_real *sum, fg_real *cost)
{
  const fg_softmin_request *r = t->request;
  const int width = (int)fg_softmin_width(r->d);
#define FG_TERMS(d, e) fg_softmin_terms(d, e, t->p, count, columns, t->x, ref, top, sum, 0)
#define FG_TERMS_COST(d, e) fg_softmin_terms(d, e, t->p, count, columns, t->x, ref, top, sum, cost)
  if (cost) {
    FG_SOFTMIN_CASES(FG_TERMS_COST)
  } else {
    FG_SOFTMIN_CASES(FG_TERMS)
  }
#undef FG_TERMS
#undef FG_TERMS_COST
}

TILE_FN void fg_softmin_block_top(const fg_softmin_tile *t, int count, const fg_real *columns, fg_real *top)
{
  const fg_softmin_request *r = t->request;
  const int width = (int)fg_softmin_width(r->d);
#define FG_RAISE(d, e) fg_softmin_raise(d, e, t->p, count, columns, t->x, top)
  FG_SOFTMIN_CASES(FG_RAISE)
#undef FG_RAISE
}

#undef FG_SOFTMIN_CASES

FG_HD int fg_softmin_count(size_t m, size_t block)
{
  const size_t left = m - block * FG_SOFTMIN_BLOCK;
  return (int)(left < FG_SOFTMIN_BLOCK ? left : (size_t)FG_SOFTMIN_BLOCK);
}

/* ---- all columns --------------------------------------------------------------------------------- */

/* ref: the largest z of each row. */
TILE_FN void fg_softmin_tops(const fg_softmin_tile *t, fg_real *ref)
{
  const fg_softmin_request *r = t->request;
  const size_t size = fg_softmin_column(r), blocks = fg_softmin_blocks(r->m);
  for (int i = 0; i < TILE_LANES; i++) ref[i] = -FG_REAL_MAX;
  for (size_t block = 0; block < blocks; block++) {
    const int count = fg_softmin_count(r->m, block);
    const fg_real *columns = TILE_SHARE(count * (int)size, t->columns + block * FG_SOFTMIN_BLOCK * size);
    fg_softmin_block_top(t, count, columns, ref);
  }
}

/* Sums over the blocks that matter above `least`; ref rises where a term is far above it. */
TILE_FN void fg_softmin_sums(const fg_softmin_tile *t, fg_real least, fg_real *ref, double *sum, double *cost)
{
  const fg_softmin_request *r = t->request;
  const size_t size = fg_softmin_column(r), blocks = fg_softmin_blocks(r->m), box = fg_softmin_box(r);
  fg_real top[TILE_LANES], part[TILE_LANES], weighted[TILE_LANES];
  for (int i = 0; i < TILE_LANES; i++) sum[i] = cost[i] = 0;
  for (size_t block = 0; block < blocks; block++) {
    if (fg_softmin_bound(r, t->boxes + block * box, t->box) < least) continue;
    const int count = fg_softmin_count(r->m, block);
    const fg_real *columns = TILE_SHARE(count * (int)size, t->columns + block * FG_SOFTMIN_BLOCK * size);
    int high = 0;
    fg_softmin_block(t, count, columns, ref, top, part, r->mean.device ? weighted : 0);
    for (int i = 0; i < TILE_LANES; i++) {
      if (!(top[i] > FG_SOFTMIN_HIGH)) continue;
      high = 1;
      ref[i] += top[i];
      sum[i] *= exp(-(double)top[i]);
      cost[i] *= exp(-(double)top[i]);
    }
    if (high) fg_softmin_block(t, count, columns, ref, top, part, r->mean.device ? weighted : 0);
    for (int i = 0; i < TILE_LANES; i++) sum[i] += (double)part[i];
    if (r->mean.device)
      for (int i = 0; i < TILE_LANES; i++) cost[i] += (double)weighted[i];
  }
}

/* Rows first .. first + count - 1, count <= TILE_ROWS; x [width, TILE_ROWS]: working space. */
TILE_FN void fg_softmin_rows(const fg_softmin_request *r, size_t first, int count, const fg_real *columns,
                             const fg_real *boxes, const fg_real *box, fg_real *x)
{
  const int d = (int)r->d, width = (int)fg_softmin_width(r->d);
  const double scale = fg_softmin_scale(r);
  const fg_softmin_tile t = {r, columns, boxes, box, x + TILE_FIRST, TILE_ROWS};
  fg_real ref[TILE_LANES];
  double sum[TILE_LANES], cost[TILE_LANES];
  fg_real least = box[2 * d];
  const int known = least - least == 0;
  for (int i = 0; i < TILE_LANES; i++) {
    const size_t row = first + (size_t)(TILE_FIRST + i < count ? TILE_FIRST + i : count - 1);
    for (int k = 0; k < width; k++)
      x[k * TILE_ROWS + TILE_FIRST + i] =
          k < d ? (fg_real)(scale * ((const double *)r->x.device)[row * r->d + (size_t)k]) : 0;
    ref[i] = (fg_real)fg_softmin_ref(r, row);
  }
  least -= (fg_real)(FG_SOFTMIN_SLACK + FG_SOFTMIN_DROP + log((double)fg_softmin_blocks(r->m)));
  if (!known) fg_softmin_tops(&t, ref);
  for (int turn = 0; turn < 2; turn++) {
    int low = 0;
    fg_softmin_sums(&t, known && turn == 0 ? least : -FG_REAL_MAX, ref, sum, cost);
    for (int i = 0; i < TILE_LANES; i++) low |= !(log(sum[i]) >= -FG_SOFTMIN_SLACK);
    if (turn > 0 || !TILE_ANY(low)) break;
    fg_softmin_tops(&t, ref);
  }
  for (int i = 0; i < TILE_LANES && TILE_FIRST + i < count; i++) {
    const size_t row = first + (size_t)(TILE_FIRST + i);
    ((double *)r->out.device)[row] = -r->epsilon * ((double)ref[i] + log(sum[i]));
    if (r->mean.device) ((double *)r->mean.device)[row] = r->epsilon * (cost[i] / sum[i]);
  }
}

#undef FG_PAIRS_FN

#endif

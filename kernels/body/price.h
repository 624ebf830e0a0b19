/* The pairs of least key = cost - dual (engine.h): rows x_i in lanes, columns y_j one block after another.
 *
 * A row keeps its k best pairs, ordered by key and then by column, so that what comes out does not depend on the order of
 * the blocks. A block of columns is left out where no row of the tile may find anything better in it: its box bounds the
 * cost from below, its largest dual the rest. The first block is a near one, and the others follow outwards: both sides
 * lie in an order in which neighbours are near each other, so bounds are good early.
 *
 * Included after the tile words of doubles, in files that are compiled without contraction. */
#ifndef FG_BODY_PRICE_H
#define FG_BODY_PRICE_H

#include "engine.h"
#include "formula/price.h"

enum { FG_PRICE_GROUP = 4 }; /* columns at a time */

/* Lists stay in registers only if all their places are known to the compiler. */
#ifdef __CUDACC__
#define FG_PRICE_FN static __device__ __forceinline__
#define FG_PRICE_UNROLL _Pragma("unroll")
#else
#define FG_PRICE_FN static inline __attribute__((always_inline, unused))
#define FG_PRICE_UNROLL
#endif

FG_HD size_t fg_price_blocks(size_t m)
{
  return (m + FG_PRICE_BLOCK - 1) / FG_PRICE_BLOCK;
}

/* Columns of a block. */
FG_HD int fg_price_count(size_t m, size_t block)
{
  const size_t left = m - block * FG_PRICE_BLOCK;
  return (int)(left < FG_PRICE_BLOCK ? left : (size_t)FG_PRICE_BLOCK);
}

/* Doubles of a prepared block: coordinates [d, FG_PRICE_BLOCK], then duals; of a box: low [d], high [d], the largest dual. */
FG_HD size_t fg_price_block(const fg_price_request *r)
{
  return (r->d + 1) * FG_PRICE_BLOCK;
}

FG_HD size_t fg_price_box(const fg_price_request *r)
{
  return 2 * r->d + 1;
}

/* Doubles of working space of a tile of so many rows. */
FG_HD size_t fg_price_scratch(const fg_price_request *r, size_t rows)
{
  return (r->d + 2) * rows;
}

FG_HD fg_cost_rule fg_price_rule(const fg_price_request *r)
{
  fg_cost_rule rule;
  rule.cap = r->cap;
  rule.scale = r->scale;
  rule.rounding = r->whole ? FG_COST_ROUNDING : 0;
  return rule;
}

/* One block of columns and its box. Places beyond the last column have no dual that anything could be below. */
TILE_FN void fg_price_prepare(const fg_price_request *r, size_t block, double *columns, double *boxes)
{
  const int d = (int)r->d;
  const int count = fg_price_count(r->m, block);
  const size_t from = block * FG_PRICE_BLOCK;
  const double *y = (const double *)r->y.device + from * r->d, *v = (const double *)r->v.device + from;
  double *to = columns + block * fg_price_block(r), *box = boxes + block * fg_price_box(r);
  TILE_EACH(j, FG_PRICE_BLOCK)
  {
    for (int k = 0; k < d; k++) to[k * FG_PRICE_BLOCK + j] = j < count ? y[(size_t)j * r->d + (size_t)k] : 0;
    to[d * FG_PRICE_BLOCK + j] = j < count ? v[j] : -HUGE_VAL;
  }
  TILE_SYNC();
  TILE_EACH(k, d + 1)
  {
    double low = to[k * FG_PRICE_BLOCK], high = low;
    for (int j = 1; j < count; j++) {
      const double x = to[k * FG_PRICE_BLOCK + j];
      low = x < low ? x : low;
      high = x > high ? x : high;
    }
    if (k < d) box[k] = low;
    box[d + k] = high;
  }
  TILE_SYNC();
}

/* What a tile's rows need to know. */
typedef struct fg_price_tile {
  const fg_price_request *request;
  const double *columns, *boxes;
  const double *x; /* [d][p], from this thread's first lane */
  int p;
} fg_price_tile;

/* The block with the least key between a row and the block's middle column. near [2, TILE_ROWS]: working space. */
TILE_FN size_t fg_price_start(const fg_price_tile *t, size_t row, double *near)
{
  const fg_price_request *r = t->request;
  const fg_cost_rule rule = fg_price_rule(r);
  const size_t blocks = fg_price_blocks(r->m), size = fg_price_block(r);
  const double *x = (const double *)r->x.device + row * r->d;
  size_t best = 0;
  TILE_EACH(own, TILE_ROWS)
  {
    double least = HUGE_VAL;
    near[TILE_ROWS + own] = 0;
    for (size_t block = (size_t)own; block < blocks; block += TILE_ROWS) {
      const double *y = t->columns + block * size + fg_price_count(r->m, block) / 2;
      double sum = 0;
      for (size_t k = 0; k < r->d; k++) sum = fg_cost_add(sum, x[k] - y[k * FG_PRICE_BLOCK]);
      const double key = fg_rule_cost(&rule, sum) - y[r->d * FG_PRICE_BLOCK];
      if (!(key < least)) continue;
      least = key;
      near[TILE_ROWS + own] = (double)block;
    }
    near[own] = least;
  }
  TILE_SYNC();
  for (int other = 1; other < TILE_ROWS; other++)
    if (near[other] < near[best]) best = (size_t)other;
  return (size_t)near[TILE_ROWS + best];
}

/* All blocks from `start` outwards, one side after the other where the other one has ended. */
FG_HD size_t fg_price_turn(size_t start, size_t blocks, size_t turn)
{
  const size_t after = blocks - 1 - start, reach = start < after ? start : after;
  if (turn <= 2 * reach) return turn % 2 ? start + turn / 2 + 1 : start - turn / 2;
  return start < after ? turn : blocks - 1 - turn;
}

/* ---- lists of K pairs, the best first; those of a row with fewer begin with pairs that nothing is better than ------- */

/* The pair takes its place, those behind it move on, the last leaves. */
FG_PRICE_FN void fg_price_insert(int K, int lane, double z, uint32_t j, double (*key)[TILE_LANES],
                                 uint32_t (*who)[TILE_LANES])
{
  FG_PRICE_UNROLL
  for (int a = 0; a < K; a++) {
    const double other = key[a][lane];
    const uint32_t its = who[a][lane];
    const int before = z < other || (z == other && j < its);
    key[a][lane] = before ? z : other;
    who[a][lane] = before ? j : its;
    z = before ? other : z;
    j = before ? its : j;
  }
}

/* d: literal in few dimensions. `first`: number of the block's first column. */
FG_PRICE_FN void fg_price_scan(int K, int d, const fg_price_tile *t, uint32_t first,
                               const double *__restrict__ columns, double (*key)[TILE_LANES],
                               uint32_t (*who)[TILE_LANES])
{
  const fg_cost_rule rule = fg_price_rule(t->request);
  const double *__restrict__ x = t->x, *dual = columns + d * FG_PRICE_BLOCK;
  for (int j = 0; j < FG_PRICE_BLOCK; j += FG_PRICE_GROUP) {
    double z[FG_PRICE_GROUP][TILE_LANES];
    int some = 0;
    FG_PRICE_UNROLL
    for (int g = 0; g < FG_PRICE_GROUP; g++)
      for (int i = 0; i < TILE_LANES; i++) z[g][i] = 0;
    for (int k = 0; k < d; k++) {
      const double *y = columns + k * FG_PRICE_BLOCK + j;
      FG_PRICE_UNROLL
      for (int g = 0; g < FG_PRICE_GROUP; g++)
        for (int i = 0; i < TILE_LANES; i++) z[g][i] = fg_cost_add(z[g][i], x[k * t->p + i] - y[g]);
    }
    FG_PRICE_UNROLL
    for (int g = 0; g < FG_PRICE_GROUP; g++)
      for (int i = 0; i < TILE_LANES; i++) {
        z[g][i] = fg_rule_cost(&rule, z[g][i]) - dual[j + g];
        some |= z[g][i] <= key[K - 1][i];
      }
    if (!some) continue;
    FG_PRICE_UNROLL
    for (int g = 0; g < FG_PRICE_GROUP; g++)
      for (int i = 0; i < TILE_LANES; i++)
        if (z[g][i] <= key[K - 1][i]) fg_price_insert(K, i, z[g][i], first + (uint32_t)(j + g), key, who);
  }
}

/* May a row of this thread find something better in the block? */
FG_PRICE_FN int fg_price_open(int K, const fg_price_tile *t, size_t block, double (*key)[TILE_LANES],
                              uint32_t (*who)[TILE_LANES])
{
  const fg_price_request *r = t->request;
  const fg_cost_rule rule = fg_price_rule(r);
  const int d = (int)r->d;
  const double *box = t->boxes + block * fg_price_box(r);
  double bound[TILE_LANES];
  int open = 0;
  for (int i = 0; i < TILE_LANES; i++) bound[i] = 0;
  for (int k = 0; k < d; k++)
    for (int i = 0; i < TILE_LANES; i++)
      bound[i] = fg_cost_add(bound[i], fg_cost_outside(t->x[k * t->p + i], box[k], box[d + k]));
  for (int i = 0; i < TILE_LANES; i++) {
    const double least = fg_rule_cost(&rule, bound[i]) - box[2 * d];
    open |= least < key[K - 1][i] || (least == key[K - 1][i] && block * FG_PRICE_BLOCK < who[K - 1][i]);
  }
  return open;
}

FG_PRICE_FN void fg_price_walk(int K, const fg_price_tile *t, size_t start, double (*key)[TILE_LANES],
                               uint32_t (*who)[TILE_LANES])
{
  const fg_price_request *r = t->request;
  const size_t blocks = fg_price_blocks(r->m), size = fg_price_block(r);
  for (size_t turn = 0; turn < blocks; turn++) {
    const size_t block = fg_price_turn(start, blocks, turn);
    const uint32_t first = (uint32_t)(block * FG_PRICE_BLOCK);
    const int open = fg_price_open(K, t, block, key, who);
    if (!TILE_ANY(open)) continue;
    const double *columns = TILE_SHARE((int)size, t->columns + block * size);
    if (!open) continue;
    if (r->d == 2)
      fg_price_scan(K, 2, t, first, columns, key, who);
    else if (r->d == 3)
      fg_price_scan(K, 3, t, first, columns, key, who);
    else
      fg_price_scan(K, (int)r->d, t, first, columns, key, who);
  }
}

/* ---- a tile -------------------------------------------------------------------------------------------------------- */

FG_PRICE_FN void fg_price_list(int K, const fg_price_tile *t, size_t start, size_t first, int count)
{
  const fg_price_request *r = t->request;
  const int k = (int)r->k, idle = K - k;
  double key[FG_PRICE_MOST][TILE_LANES];
  uint32_t who[FG_PRICE_MOST][TILE_LANES];
  for (int i = 0; i < TILE_LANES; i++) {
    const int row = TILE_FIRST + i < count ? TILE_FIRST + i : count - 1;
    const double limit = r->bounded ? ((const double *)r->u.device)[first + (size_t)row] : HUGE_VAL;
    FG_PRICE_UNROLL
    for (int a = 0; a < K; a++) {
      key[a][i] = a < idle ? -HUGE_VAL : limit;
      who[a][i] = 0; /* nothing as large as the limit comes in */
    }
  }
  fg_price_walk(K, t, start, key, who);
  for (int i = 0; i < TILE_LANES && TILE_FIRST + i < count; i++) {
    const size_t row = first + (size_t)(TILE_FIRST + i);
    const double limit = r->bounded ? ((const double *)r->u.device)[row] : HUGE_VAL;
    FG_PRICE_UNROLL
    for (int a = 0; a < K; a++) {
      if (a < idle) continue;
      const size_t at = row * r->k + (size_t)(a - idle);
      const int found = key[a][i] < limit;
      if (r->key.device) ((double *)r->key.device)[at] = found ? key[a][i] : HUGE_VAL;
      if (r->who.device) ((uint32_t *)r->who.device)[at] = found ? who[a][i] : UINT32_MAX;
    }
  }
}

/* Rows first .. first + count - 1, count <= TILE_ROWS. */
TILE_FN void fg_price_rows(const fg_price_request *r, size_t first, int count, const double *columns,
                           const double *boxes, double *scratch)
{
  const int d = (int)r->d;
  const fg_price_tile t = {r, columns, boxes, scratch + TILE_FIRST, TILE_ROWS};
  for (int i = 0; i < TILE_LANES; i++) {
    const size_t row = first + (size_t)(TILE_FIRST + i < count ? TILE_FIRST + i : count - 1);
    for (int k = 0; k < d; k++)
      scratch[k * TILE_ROWS + TILE_FIRST + i] = ((const double *)r->x.device)[row * r->d + (size_t)k];
  }
  const size_t start = fg_price_start(&t, first + (size_t)(count / 2), scratch + d * TILE_ROWS);
  if (r->k == 1)
    fg_price_list(1, &t, start, first, count);
  else if (r->k <= 8)
    fg_price_list(8, &t, start, first, count);
  else
    fg_price_list(FG_PRICE_MOST, &t, start, first, count);
}

#undef FG_PRICE_FN
#undef FG_PRICE_UNROLL

#endif

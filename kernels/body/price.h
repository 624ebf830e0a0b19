/* The pairs of least key = cost - dual (engine.h): rows x_i in lanes, columns y_j one block after another.
 *
 * A row keeps its k best pairs, ordered by key and then by column, so that what comes out does not depend on the order of
 * the blocks. A block of columns is left out where no row of the tile may find anything better in it: its box bounds the
 * cost from below, its largest dual the rest. The first block is a near one, and the others follow outwards: both sides
 * lie in an order in which neighbours are near each other, so bounds are good early.
 *
 * In more than FG_PRICE_FLAT dimensions boxes spare little. Then columns are sifted in single precision first: with points
 * about the first column, |x|^2 + |y|^2 - 2 x.y less the dual, of which none that matters is above a limit that holds a
 * proven bound of the error; what passes is looked at exactly.
 *
 * Included after the tile words of doubles, in files that are compiled without contraction. */
#ifndef FG_BODY_PRICE_H
#define FG_BODY_PRICE_H

#include "engine.h"
#include "formula/price.h"

enum {
  FG_PRICE_GROUP = 4,  /* columns at a time */
  FG_PRICE_SIFTED = 8, /* two times four */
  FG_PRICE_FLAT = 3
};

/* Copied to shared memory as what the tile words copy; four of them are read at once. */
typedef float __attribute__((may_alias)) fg_price_single;
typedef struct __attribute__((may_alias, aligned(16))) fg_price_four {
  float of[4];
} fg_price_four;

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

FG_HD int fg_price_sifts(const fg_price_request *r)
{
  return r->d > FG_PRICE_FLAT;
}

/* Doubles of a prepared block: coordinates [d, FG_PRICE_BLOCK], then duals; where columns are sifted, as many singles:
 * coordinates about the first column, then |y|^2 - (v - the largest v of the block) / scale. */
FG_HD size_t fg_price_exact(const fg_price_request *r)
{
  return (r->d + 1) * FG_PRICE_BLOCK;
}

FG_HD size_t fg_price_block(const fg_price_request *r)
{
  return fg_price_exact(r) / 2 * (fg_price_sifts(r) ? 3 : 2);
}

/* Doubles of a box: low [d], high [d], the largest dual, the least, and no less than the largest |y| about the centre. */
FG_HD size_t fg_price_box(const fg_price_request *r)
{
  return 2 * r->d + 3;
}

/* Doubles of working space of a tile of so many rows, an even number. */
FG_HD size_t fg_price_scratch(const fg_price_request *r, size_t rows)
{
  return (r->d + 2) * rows + (fg_price_sifts(r) ? r->d * rows / 2 : 0);
}

FG_HD fg_cost_rule fg_price_rule(const fg_price_request *r)
{
  fg_cost_rule rule;
  rule.cap = r->cap;
  rule.scale = r->scale;
  rule.rounding = r->whole ? FG_COST_ROUNDING : 0;
  return rule;
}

/* Singles of one block, and how far it reaches, from its columns, box and the centre. */
TILE_FN void fg_price_prepare_singles(const fg_price_request *r, double *columns, double *box)
{
  const int d = (int)r->d;
  const double *centre = (const double *)r->y.device;
  fg_price_single *to = (fg_price_single *)(columns + fg_price_exact(r));
  TILE_EACH(j, FG_PRICE_BLOCK)
  {
    double norm = 0;
    for (int k = 0; k < d; k++) {
      const double y = columns[k * FG_PRICE_BLOCK + j] - centre[k];
      to[k * FG_PRICE_BLOCK + j] = (float)y;
      norm += y * y;
    }
    to[d * FG_PRICE_BLOCK + j] = (float)(norm - (columns[d * FG_PRICE_BLOCK + j] - box[2 * d]) / r->scale);
  }
  TILE_EACH(once, 1)
  {
    double norm = 0;
    for (int k = 0; k < d; k++) {
      const double low = centre[k] - box[k], high = box[d + k] - centre[k], most = low > high ? low : high;
      norm += most * most;
    }
    box[2 * d + 2 + once] = sqrt(norm);
  }
  TILE_SYNC();
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
    box[k < d ? k : 2 * d + 1] = low;
    box[d + k] = high;
  }
  TILE_SYNC();
  if (fg_price_sifts(r)) fg_price_prepare_singles(r, to, box);
}

/* What a tile's rows need to know. */
typedef struct fg_price_tile {
  const fg_price_request *request;
  const double *columns, *boxes;
  const double *x; /* [d][p], from this thread's first lane */
  int p;
  const float *twice; /* [d][p], -2 x about the centre */
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

/* d: a literal, up to FG_PRICE_FLAT. `first`: number of the block's first column. */
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

/* What a sifted sum stays below if the pair's key is at most `top`: each of the d + 6 roundings is at most 2^-24 of (|x| +
 * |y|)^2 + |v - the largest v| / scale, and the exact arithmetic's own are far below the rest. Infinite where the cap may
 * have a say: no dual is above the largest. */
FG_PRICE_FN float fg_price_limit(const fg_price_request *r, const double *box, double length, double top)
{
  const size_t d = r->d;
  const double unit = 1 / r->scale, most = box[2 * d], spread = (most - box[2 * d + 1]) * unit;
  const double reach = length + box[2 * d + 2];
  double limit = (top + most + (r->whole ? 1 : 0)) * unit;
  const double error = (double)(d + 6) * (0x1p-22 * (reach * reach + spread) + (double)FLT_MIN) +
                       0x1p-50 * (fabs(top) + fabs(most)) * unit;
  if (r->cap < limit + error) return (float)HUGE_VAL;
  limit += error - length * length;
  return (float)(limit + 0x1p-22 * fabs(limit));
}

FG_PRICE_FN double fg_price_key(const fg_price_tile *t, int lane, const double *y)
{
  const fg_cost_rule rule = fg_price_rule(t->request);
  const int d = (int)t->request->d;
  double sum = 0;
  for (int k = 0; k < d; k++) sum = fg_cost_add(sum, t->x[k * t->p + lane] - y[k * FG_PRICE_BLOCK]);
  return fg_rule_cost(&rule, sum) - y[d * FG_PRICE_BLOCK];
}

/* As fg_price_scan. single: the singles of the block, `columns` all of it. */
FG_PRICE_FN void fg_price_sift(int K, const fg_price_tile *t, const double *length, const double *box,
                               uint32_t first, const fg_price_single *single, const double *columns,
                               double (*key)[TILE_LANES], uint32_t (*who)[TILE_LANES])
{
  const int d = (int)t->request->d;
  const fg_price_single *start = single + d * FG_PRICE_BLOCK;
  float limit[TILE_LANES];
  for (int i = 0; i < TILE_LANES; i++) limit[i] = fg_price_limit(t->request, box, length[i], key[K - 1][i]);
  for (int j = 0; j < FG_PRICE_BLOCK; j += FG_PRICE_SIFTED) {
    float z[FG_PRICE_SIFTED][TILE_LANES];
    unsigned hit[TILE_LANES], some = 0;
    FG_PRICE_UNROLL
    for (int g = 0; g < FG_PRICE_SIFTED; g++)
      for (int i = 0; i < TILE_LANES; i++) z[g][i] = start[j + g];
    for (int k = 0; k < d; k++) {
      const fg_price_four *four = (const fg_price_four *)(single + k * FG_PRICE_BLOCK + j);
      const fg_price_four y[2] = {four[0], four[1]};
      FG_PRICE_UNROLL
      for (int g = 0; g < FG_PRICE_SIFTED; g++)
        for (int i = 0; i < TILE_LANES; i++) z[g][i] += t->twice[k * t->p + i] * y[g / 4].of[g % 4];
    }
    for (int i = 0; i < TILE_LANES; i++) hit[i] = 0;
    FG_PRICE_UNROLL
    for (int g = 0; g < FG_PRICE_SIFTED; g++)
      for (int i = 0; i < TILE_LANES; i++) hit[i] |= z[g][i] < limit[i] ? 1U << g : 0;
    for (int i = 0; i < TILE_LANES; i++) some |= hit[i];
    if (!some) continue;
    for (int i = 0; i < TILE_LANES; i++)
      for (int g = 0; hit[i] >> g; g++) {
        if (!(hit[i] >> g & 1)) continue;
        const double exact = fg_price_key(t, i, columns + j + g);
        if (exact <= key[K - 1][i]) fg_price_insert(K, i, exact, first + (uint32_t)(j + g), key, who);
      }
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

FG_PRICE_FN void fg_price_walk(int K, const fg_price_tile *t, const double *length, size_t start,
                               double (*key)[TILE_LANES], uint32_t (*who)[TILE_LANES])
{
  const fg_price_request *r = t->request;
  const size_t blocks = fg_price_blocks(r->m), size = fg_price_block(r), whole = fg_price_exact(r);
  const int sifts = fg_price_sifts(r);
  for (size_t turn = 0; turn < blocks; turn++) {
    const size_t block = fg_price_turn(start, blocks, turn);
    const uint32_t first = (uint32_t)(block * FG_PRICE_BLOCK);
    const int open = fg_price_open(K, t, block, key, who);
    if (!TILE_ANY(open)) continue;
    const double *all = t->columns + block * size;
    const double *near = TILE_SHARE((int)(sifts ? whole / 2 : whole), sifts ? all + whole : all);
    if (!open) continue;
    if (sifts)
      fg_price_sift(K, t, length, t->boxes + block * fg_price_box(r), first, (const fg_price_single *)near,
                    all, key, who);
    else if (r->d == 2)
      fg_price_scan(K, 2, t, first, near, key, who);
    else if (r->d == 3)
      fg_price_scan(K, 3, t, first, near, key, who);
    else
      fg_price_scan(K, 1, t, first, near, key, who);
  }
}

/* ---- a tile -------------------------------------------------------------------------------------------------------- */

FG_PRICE_FN void fg_price_list(int K, const fg_price_tile *t, size_t start, size_t first, int count)
{
  const fg_price_request *r = t->request;
  const int k = (int)r->k, idle = K - k;
  const double *centre = (const double *)r->y.device;
  double key[FG_PRICE_MOST][TILE_LANES], length[TILE_LANES];
  uint32_t who[FG_PRICE_MOST][TILE_LANES];
  for (int i = 0; i < TILE_LANES; i++) {
    const int row = TILE_FIRST + i < count ? TILE_FIRST + i : count - 1;
    const double limit = r->bounded ? ((const double *)r->u.device)[first + (size_t)row] : HUGE_VAL;
    FG_PRICE_UNROLL
    for (int a = 0; a < K; a++) {
      key[a][i] = a < idle ? -HUGE_VAL : limit;
      who[a][i] = 0; /* nothing as large as the limit comes in */
    }
    length[i] = 0;
    for (int j = 0; j < (int)r->d; j++) {
      const double x = t->x[j * t->p + i] - centre[j];
      length[i] += x * x;
    }
    length[i] = sqrt(length[i]);
  }
  fg_price_walk(K, t, length, start, key, who);
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
  const double *centre = (const double *)r->y.device;
  double *near = scratch + d * TILE_ROWS;
  float *twice = (float *)(near + 2 * TILE_ROWS) + TILE_FIRST; /* behind it, where columns are sifted */
  const fg_price_tile t = {r, columns, boxes, scratch + TILE_FIRST, TILE_ROWS, twice};
  for (int i = 0; i < TILE_LANES; i++) {
    const size_t row = first + (size_t)(TILE_FIRST + i < count ? TILE_FIRST + i : count - 1);
    for (int k = 0; k < d; k++) {
      const double x = ((const double *)r->x.device)[row * r->d + (size_t)k];
      scratch[k * TILE_ROWS + TILE_FIRST + i] = x;
      if (fg_price_sifts(r)) twice[k * TILE_ROWS + i] = (float)(-2 * (x - centre[k]));
    }
  }
  const size_t start = fg_price_start(&t, first + (size_t)(count / 2), near);
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

/* Exact transport of two samples by column generation over LEMON's network simplex.
 *
 * A linear program over all n m pairs is solved on a few thousand candidate pairs, then every pair is priced
 * against the duals; pairs that violate u_i + v_j <= c_ij join the candidates, until none is left. First
 * candidates come from a coarse problem (cells of four neighbours, kd-tree order, masses added up) solved the
 * same way: its duals, carried down by c-transform, are close enough that three or four rounds suffice.
 * Against the complete graph (n = 4000, nine modes): 0.5 s and 20 MB instead of 2.5 s and 850 MB. Random
 * subsamples as the coarse problem took 11 rounds and 2 s: they do not keep the masses of the modes.
 * Costs are whole numbers, so pricing is exact and the last round proves optimality. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/transport/simplex.h"
#include "analysis/transport/transport.h"

enum {
  FG_CELL = 4,         /* points per cell of the coarse problem */
  FG_SIDE_SMALL = 128, /* a side is not made coarser below this */
  FG_NEAR_MAX = 20,    /* candidates per row and per column */
  FG_WORST = 8,        /* violating pairs that a row adds in one round */
  FG_ROUNDS = 200
};
/* Above this a pass over all pairs takes seconds, and there are several. */
#define FG_PRICING_PAIRS ((size_t)1 << 30)
/* 1.5 2^52: added and taken off again it rounds to the nearest whole number. */
#define FG_ROUND 6755399441055744.0
/* Up to this many pairs the complete graph is solved at once. */
#define FG_DENSE_PAIRS ((size_t)18 * 1000)

typedef struct fg_level {
  size_t n, m, d;
  const double *x;  /* [n, d] */
  const double *yt; /* [d, m] */
  const int64_t *mass_x, *mass_y;
  double cap, scale;
  int64_t *u, *v; /* [n], [m]: duals in units of 1 / scale */
  double *cost;   /* [m]: one row */
  double *vd;     /* [m]: v as doubles */
  /* candidates: keys from << 32 | to, sorted, each once */
  uint64_t *arcs;
  size_t arc_count, arc_room;
  int64_t *flow; /* [arc_count], owned after a solve */
} fg_level;

/* cost[j] = round(scale min(|x_i - y_j|^2, cap)), a whole number up to 2^48; adding and subtracting
 * 1.5 2^52 rounds to nearest and vectorises, unlike a conversion to integers. */
static void fg_level_costs(const fg_level *level, size_t i)
{
  double *restrict cost = level->cost;
  size_t m = level->m;
  for (size_t j = 0; j < m; j++) cost[j] = 0;
  for (size_t k = 0; k < level->d; k++) {
    double x = level->x[i * level->d + k];
    const double *restrict y = level->yt + k * m;
    for (size_t j = 0; j < m; j++) cost[j] += (x - y[j]) * (x - y[j]);
  }
  for (size_t j = 0; j < m; j++) {
    double c = cost[j] < level->cap ? cost[j] : level->cap;
    cost[j] = (c * level->scale + FG_ROUND) - FG_ROUND;
  }
}

/* One of them: the same operations in the same order, so the same bits. */
static int64_t fg_level_cost(const fg_level *level, size_t i, size_t j)
{
  double cost = 0;
  for (size_t k = 0; k < level->d; k++) {
    double gap = level->x[i * level->d + k] - level->yt[k * level->m + j];
    cost += gap * gap;
  }
  return (int64_t)(((cost < level->cap ? cost : level->cap) * level->scale + FG_ROUND) - FG_ROUND);
}

/* Reduced costs of row i in place of its costs. */
static void fg_level_reduced(const fg_level *level, size_t i)
{
  fg_level_costs(level, i);
  double *restrict cost = level->cost;
  const double *restrict v = level->vd;
  double u = (double)level->u[i];
  for (size_t j = 0; j < level->m; j++) cost[j] -= u + v[j];
}

static void fg_level_read_v(const fg_level *level)
{
  for (size_t j = 0; j < level->m; j++) level->vd[j] = (double)level->v[j];
}

/* ---- candidates ---------------------------------------------------------------------- */

static fg_code fg_level_push(fg_level *level, size_t i, size_t j, fg_status *st)
{
  if (level->arc_count == level->arc_room) {
    size_t room = level->arc_room ? 2 * level->arc_room : 4096;
    uint64_t *arcs = realloc(level->arcs, room * sizeof *arcs);
    if (!arcs) return FG_FAIL(st, FG_MEMORY, "no memory for %zu candidate pairs", room);
    level->arcs = arcs;
    level->arc_room = room;
  }
  level->arcs[level->arc_count++] = (uint64_t)i << 32 | (uint64_t)j;
  return FG_OK;
}

/* Sort by row (counting) and drop what is there twice; columns stay in the order they came. */
static fg_code fg_level_tidy(fg_level *level, fg_status *st)
{
  size_t *start = calloc(level->n + 1, sizeof *start), *seen = calloc(level->m, sizeof *seen);
  uint64_t *sorted = malloc((level->arc_count + 1) * sizeof *sorted);
  if (!start || !seen || !sorted) {
    free(start);
    free(seen);
    free(sorted);
    return FG_FAIL(st, FG_MEMORY, "no memory to sort %zu candidate pairs", level->arc_count);
  }
  for (size_t a = 0; a < level->arc_count; a++) start[(level->arcs[a] >> 32) + 1]++;
  for (size_t i = 0; i < level->n; i++) start[i + 1] += start[i];
  for (size_t a = 0; a < level->arc_count; a++) sorted[start[level->arcs[a] >> 32]++] = level->arcs[a];
  size_t kept = 0;
  for (size_t a = 0; a < level->arc_count; a++) {
    size_t i = (size_t)(sorted[a] >> 32), j = (size_t)(sorted[a] & UINT32_MAX);
    if (seen[j] == i + 1) continue;
    seen[j] = i + 1;
    level->arcs[kept++] = sorted[a];
  }
  level->arc_count = kept;
  free(start);
  free(seen);
  free(sorted);
  return FG_OK;
}

/* Insert (value, index) into a list of the `room` smallest, kept in order. */
static void fg_keep_smallest(double *value, uint32_t *index, size_t room, double v, uint32_t at)
{
  size_t k = room - 1;
  for (; k > 0 && value[k - 1] > v; k--) {
    value[k] = value[k - 1];
    index[k] = index[k - 1];
  }
  value[k] = v;
  index[k] = at;
}

/* The pairs of smallest reduced cost in each row and each column. */
static fg_code fg_level_nearest(fg_level *level, fg_status *st)
{
  size_t near = level->d <= 3 ? 10 : FG_NEAR_MAX, m = level->m;
  double *best = malloc(m * near * sizeof *best), row_best[FG_NEAR_MAX];
  uint32_t *who = malloc(m * near * sizeof *who), row_who[FG_NEAR_MAX];
  fg_code rc = FG_OK;
  if (!best || !who) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for %zu candidate pairs", m * near);
    goto done;
  }
  for (size_t a = 0; a < m * near; a++) best[a] = INFINITY;
  fg_level_read_v(level);
  for (size_t i = 0; i < level->n; i++) {
    fg_level_reduced(level, i);
    const double *cost = level->cost;
    for (size_t k = 0; k < near; k++) row_best[k] = INFINITY;
    for (size_t j = 0; j < m; j++) {
      if (cost[j] < row_best[near - 1]) fg_keep_smallest(row_best, row_who, near, cost[j], (uint32_t)j);
      if (cost[j] < best[(j + 1) * near - 1])
        fg_keep_smallest(best + j * near, who + j * near, near, cost[j], (uint32_t)i);
    }
    for (size_t k = 0; k < near && isfinite(row_best[k]); k++)
      FG_GO(fg_level_push(level, i, row_who[k], st), done);
  }
  for (size_t j = 0; j < m; j++)
    for (size_t k = 0; k < near && isfinite(best[j * near + k]); k++)
      FG_GO(fg_level_push(level, who[j * near + k], j, st), done);
done:
  free(best);
  free(who);
  return rc;
}

typedef struct fg_place {
  double at;
  uint32_t index;
} fg_place;

static int fg_by_place(const void *a, const void *b)
{
  const fg_place *p = a, *q = b;
  if (p->at != q->at) return p->at < q->at ? -1 : 1;
  return (p->index > q->index) - (p->index < q->index);
}

/* A staircase along the first coordinate: a plan that always exists, and a path through all points, so that
 * the candidates are connected. */
static fg_code fg_level_staircase(fg_level *level, fg_status *st)
{
  size_t n = level->n, m = level->m;
  fg_place *p = malloc(n * sizeof *p), *q = malloc(m * sizeof *q);
  fg_code rc = FG_OK;
  if (!p || !q) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory to sort %zu + %zu points", n, m);
    goto done;
  }
  for (size_t i = 0; i < n; i++) p[i] = (fg_place){level->x[i * level->d], (uint32_t)i};
  for (size_t j = 0; j < m; j++) q[j] = (fg_place){level->yt[j], (uint32_t)j};
  qsort(p, n, sizeof *p, fg_by_place);
  qsort(q, m, sizeof *q, fg_by_place);
  int64_t left_x = level->mass_x[p[0].index], left_y = level->mass_y[q[0].index];
  for (size_t i = 0, j = 0;;) {
    FG_GO(fg_level_push(level, p[i].index, q[j].index, st), done);
    if (i + 1 == n && j + 1 == m) break;
    if (j + 1 == m || (i + 1 < n && left_x <= left_y)) {
      left_y -= left_x;
      left_x = level->mass_x[p[++i].index];
    } else {
      left_x -= left_y;
      left_y = level->mass_y[q[++j].index];
    }
  }
done:
  free(p);
  free(q);
  return rc;
}

/* ---- one round ----------------------------------------------------------------------- */

/* The tree may hang a part of the nodes on artificial arcs that carry nothing; those potentials are off by
 * LEMON's artificial cost 2^62. Lower that part as far as the arcs that leave it allow. */
static void fg_join_potentials(const fg_level *level, const uint32_t *from, const uint32_t *to,
                               const int64_t *cost, int64_t *potential)
{
  size_t nodes = level->n + level->m;
  int64_t low = potential[0], slack = INT64_MAX;
  for (size_t k = 1; k < nodes; k++)
    if (potential[k] < low) low = potential[k];
  for (size_t k = 0; k < nodes; k++) potential[k] -= low;
  const int64_t high = (int64_t)1 << 61;
  for (size_t a = 0; a < level->arc_count; a++) {
    int64_t p = potential[from[a]], q = potential[to[a]];
    if (p > high && q <= high && cost[a] + p - q < slack) slack = cost[a] + p - q;
  }
  if (slack == INT64_MAX) return;
  for (size_t k = 0; k < nodes; k++)
    if (potential[k] > high) potential[k] -= slack;
}

/* Solve on the candidates. The costs handed over are reduced by the duals at hand, so that LEMON's first
 * pivots (the cheapest arc into each column) start next to the last solution. */
static fg_code fg_level_solve(fg_level *level, fg_status *st)
{
  size_t n = level->n, m = level->m, arcs = level->arc_count;
  uint32_t *from = malloc(arcs * sizeof *from), *to = malloc(arcs * sizeof *to);
  int64_t *cost = malloc(arcs * sizeof *cost), *supply = malloc((n + m) * sizeof *supply);
  int64_t *potential = malloc((n + m) * sizeof *potential);
  free(level->flow);
  level->flow = malloc(arcs * sizeof *level->flow);
  fg_code rc = FG_OK;
  if (!from || !to || !cost || !supply || !potential || !level->flow) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for transport over %zu pairs", arcs);
    goto done;
  }
  for (size_t a = 0; a < arcs; a++) {
    size_t i = (size_t)(level->arcs[a] >> 32), j = (size_t)(level->arcs[a] & UINT32_MAX);
    from[a] = (uint32_t)i;
    to[a] = (uint32_t)(n + j);
    cost[a] = fg_level_cost(level, i, j) - level->u[i] - level->v[j];
  }
  for (size_t i = 0; i < n; i++) supply[i] = level->mass_x[i];
  for (size_t j = 0; j < m; j++) supply[n + j] = -level->mass_y[j];
  FG_GO(fg_simplex_network(n + m, arcs, from, to, cost, supply, true, level->flow, potential, st), done);
  fg_join_potentials(level, from, to, cost, potential);
  for (size_t i = 0; i < n; i++) level->u[i] -= potential[i];
  for (size_t j = 0; j < m; j++) level->v[j] += potential[n + j];
done:
  free(from);
  free(to);
  free(cost);
  free(supply);
  free(potential);
  return rc;
}

/* Price all pairs; add the worst of each row and each column. *violations counts the pairs below 0. */
static fg_code fg_level_price(fg_level *level, size_t *violations, fg_status *st)
{
  double *column = malloc(level->m * sizeof *column), worst[FG_WORST];
  uint32_t *who = malloc(level->m * sizeof *who), index[FG_WORST];
  fg_code rc = FG_OK;
  *violations = 0;
  if (!column || !who) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory to price %zu columns", level->m);
    goto done;
  }
  for (size_t j = 0; j < level->m; j++) column[j] = 0;
  fg_level_read_v(level);
  for (size_t i = 0; i < level->n; i++) {
    fg_level_reduced(level, i);
    const double *cost = level->cost;
    double least = 0;
    for (size_t j = 0; j < level->m; j++) least = cost[j] < least ? cost[j] : least;
    if (least >= 0) continue;
    for (size_t k = 0; k < FG_WORST; k++) worst[k] = 0;
    for (size_t j = 0; j < level->m; j++) {
      if (cost[j] >= 0) continue;
      ++*violations;
      if (cost[j] < worst[FG_WORST - 1]) fg_keep_smallest(worst, index, FG_WORST, cost[j], (uint32_t)j);
      if (cost[j] < column[j]) {
        column[j] = cost[j];
        who[j] = (uint32_t)i;
      }
    }
    for (size_t k = 0; k < FG_WORST && worst[k] < 0; k++) FG_GO(fg_level_push(level, i, index[k], st), done);
  }
  for (size_t j = 0; j < level->m; j++)
    if (column[j] < 0) FG_GO(fg_level_push(level, who[j], j, st), done);
done:
  free(column);
  free(who);
  return rc;
}

/* Solve and price until nothing violates, or until all that does is on the list already (pairs whose reduced
 * cost is beyond the 53 bits of a double; the caller's certificate judges those). */
static fg_code fg_level_rounds(fg_level *level, bool complete, fg_status *st)
{
  size_t solved = 0, violations;
  for (int round = 0; round < FG_ROUNDS; round++) {
    FG_TRY(fg_level_tidy(level, st));
    if (level->arc_count == solved) return FG_OK;
    FG_TRY(fg_level_solve(level, st));
    if (complete) return FG_OK;
    solved = level->arc_count;
    FG_TRY(fg_level_price(level, &violations, st));
    if (violations == 0) return FG_OK;
  }
  return FG_FAIL(st, FG_NUMERICS,
                 "exact transport of %zu to %zu points is not optimal after %d rounds of pricing", level->n,
                 level->m, FG_ROUNDS);
}

/* ---- levels -------------------------------------------------------------------------- */

static void fg_level_clear(fg_level *level)
{
  free(level->u);
  free(level->v);
  free(level->cost);
  free(level->vd);
  free(level->arcs);
  free(level->flow);
  memset(level, 0, sizeof *level);
}

static fg_code fg_level_create(const fg_cells *x, const fg_cells *y, size_t d, double cap, double scale,
                               fg_level *level, fg_status *st)
{
  memset(level, 0, sizeof *level);
  level->n = x->n;
  level->m = y->n;
  level->d = d;
  level->x = x->rows;
  level->yt = y->columns;
  level->mass_x = x->mass;
  level->mass_y = y->mass;
  level->cap = cap;
  level->scale = scale;
  level->u = calloc(level->n, sizeof *level->u);
  level->v = calloc(level->m, sizeof *level->v);
  level->cost = calloc(level->m, sizeof *level->cost);
  level->vd = calloc(level->m, sizeof *level->vd);
  if (level->u && level->v && level->cost && level->vd) return FG_OK;
  fg_level_clear(level);
  return FG_FAIL(st, FG_MEMORY, "no memory for exact transport of %zu to %zu points", x->n, y->n);
}

/* Duals from the coarse problem: u_i = min_J c(x_i, y_J) - v_J over its cells, then v_j = min_i c_ij - u_i
 * over all rows, so that no pair violates. */
static fg_code fg_level_inherit(fg_level *level, const fg_level *coarse, fg_status *st)
{
  fg_level across = *coarse; /* borrowed columns; rows of the fine level */
  across.n = level->n;
  across.x = level->x;
  double *least = malloc(level->m * sizeof *least);
  if (!least) return FG_FAIL(st, FG_MEMORY, "no memory for %zu duals", level->m);
  fg_level_read_v(&across);
  for (size_t i = 0; i < level->n; i++) {
    fg_level_costs(&across, i);
    double u = INFINITY;
    for (size_t j = 0; j < across.m; j++) {
      double c = across.cost[j] - across.vd[j];
      u = c < u ? c : u;
    }
    level->u[i] = (int64_t)u;
  }
  for (size_t j = 0; j < level->m; j++) least[j] = INFINITY;
  for (size_t i = 0; i < level->n; i++) {
    fg_level_costs(level, i);
    double u = (double)level->u[i];
    for (size_t j = 0; j < level->m; j++) {
      double c = level->cost[j] - u;
      least[j] = c < least[j] ? c : least[j];
    }
  }
  for (size_t j = 0; j < level->m; j++) level->v[j] = (int64_t)least[j];
  free(least);
  return FG_OK;
}

/* Solve the level of these cells; *level is left for the caller to read and clear. */
static fg_code fg_level_run(const fg_cells *x, const fg_cells *y, size_t d, double cap, double scale,
                            fg_level *level, fg_status *st)
{
  fg_cells coarse_x = {0}, coarse_y = {0};
  fg_level coarse = {0};
  fg_code rc = FG_OK;
  FG_TRY(fg_level_create(x, y, d, cap, scale, level, st));
  bool complete = x->n * y->n <= FG_DENSE_PAIRS || (x->n <= FG_SIDE_SMALL && y->n <= FG_SIDE_SMALL);
  if (complete) {
    for (size_t i = 0; i < x->n; i++)
      for (size_t j = 0; j < y->n; j++) FG_GO(fg_level_push(level, i, j, st), done);
  } else {
    FG_GO(fg_cells_coarsen(x, d, x->n > FG_SIDE_SMALL ? FG_CELL : 1, &coarse_x, st), done);
    FG_GO(fg_cells_coarsen(y, d, y->n > FG_SIDE_SMALL ? FG_CELL : 1, &coarse_y, st), done);
    FG_GO(fg_level_run(&coarse_x, &coarse_y, d, cap, scale, &coarse, st), done);
    FG_GO(fg_level_inherit(level, &coarse, st), done);
    fg_level_clear(&coarse);
    FG_GO(fg_level_nearest(level, st), done);
    FG_GO(fg_level_staircase(level, st), done);
  }
  FG_GO(fg_level_rounds(level, complete, st), done);
done:
  fg_level_clear(&coarse);
  fg_cells_clear(&coarse_x);
  fg_cells_clear(&coarse_y);
  if (rc != FG_OK) fg_level_clear(level);
  return rc;
}

fg_code fg_pricing_solve(const fg_pair *pair, double cap, fg_shipment *plan, size_t *shipments, double *u,
                         fg_status *st)
{
  fg_cells x = {0}, y = {0};
  fg_level level = {0};
  fg_code rc = FG_OK;
  if (pair->n > FG_PRICING_PAIRS / pair->m)
    return FG_FAIL(
        st, FG_USAGE,
        "exact transport of %zu to %zu points is %.3g pairs and the limit is 2^30: use fewer points", pair->n,
        pair->m, (double)pair->n * (double)pair->m);
  /* Whole costs up to 2^bits: doubles hold 32 of them added up, and a path through all points stays below
   * 2^61, so that nothing in the simplex overflows. */
  int bits = 61 - (int)ceil(log2((double)(pair->n + pair->m)));
  cap = fmin(cap, 4.0 * (double)pair->d);
  double scale = ldexp(1 / cap, bits < 48 ? bits : 48);
  FG_GO(fg_cells_create(pair->n, pair->d, pair->x, pair->mass_x, &x, st), done);
  FG_GO(fg_cells_create(pair->m, pair->d, pair->y, pair->mass_y, &y, st), done);
  FG_GO(fg_level_run(&x, &y, pair->d, cap, scale, &level, st), done);
  *shipments = 0;
  for (size_t a = 0; a < level.arc_count; a++)
    if (level.flow[a] > 0 && *shipments < pair->n + pair->m)
      plan[(*shipments)++] = (fg_shipment){(uint32_t)(level.arcs[a] >> 32),
                                           (uint32_t)(level.arcs[a] & UINT32_MAX), level.flow[a]};
  for (size_t i = 0; i < pair->n; i++) u[i] = (double)level.u[i] / scale;
done:
  fg_level_clear(&level);
  fg_cells_clear(&x);
  fg_cells_clear(&y);
  return rc;
}

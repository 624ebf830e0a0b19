/* Exact transport of two samples by column generation over a network simplex that is kept from round to round.
 *
 * A linear program over all n m pairs is solved on a few candidates per point, then every pair is priced against the
 * duals; pairs that violate u_i + v_j <= c_ij join the candidates, until none is left. First duals come from a
 * coarse problem (cells of four neighbours in kd-tree order, masses added up) solved the same way: carried down by
 * c-transform they are close enough that a few rounds suffice. Costs are whole numbers, so pricing is exact and
 * the last round proves optimality. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"
#include "analysis/transport/network.h"
#include "analysis/transport/search.h"
#include "analysis/transport/transport.h"

/* Pairs that may be searched after a stop in many dimensions. */
#define FG_MOMENTS 4e9

enum {
  FG_FLAT = 3,         /* dimensions in which a search over all pairs takes little */
  FG_SIDE_SMALL = 128, /* a side is not made coarser below this */
  FG_NEAR_FLAT = 15,   /* candidates per row and per column in up to 3 dimensions */
  FG_NEAR = 12,        /* and in more (40: twice the pivots, n = 30,000, d = 10) */
  FG_WORST = 8,        /* violating pairs that a row or column adds in one round */
  FG_ROUNDS = 400
};

/* The last level solved: its cells of y and their duals. */
typedef struct fg_ground {
  fg_cells y;
  int64_t *v;
} fg_ground;

typedef struct fg_level {
  fg_engine *engine;
  fg_threads *threads;
  const fg_progress *progress;
  const fg_cells *x, *y;
  size_t d;
  fg_search_cost cost;
  fg_ground *ground; /* borrowed */
  fg_search *search;
  fg_basis *basis;
  int64_t *u, *v; /* [n], [m] */
  fg_arc *arcs;   /* [(n + m) FG_NEAR_FLAT], the most asked for */
  double bound;   /* of the optimal cost from below, in shares of the total mass and units of |x - y|^2 */
} fg_level;

static void fg_ground_clear(fg_ground *ground)
{
  fg_cells_clear(&ground->y);
  free(ground->v);
  ground->v = NULL;
}

static void fg_level_clear(fg_level *level)
{
  fg_search_destroy(&level->search);
  fg_basis_destroy(&level->basis);
  free(level->u);
  free(level->v);
  free(level->arcs);
  memset(level, 0, sizeof *level);
}

static fg_code fg_level_create(const fg_level *like, const fg_cells *x, const fg_cells *y, fg_level *level,
                               fg_status *st)
{
  *level = *like;
  level->x = x;
  level->y = y;
  level->search = NULL;
  level->basis = NULL;
  level->u = calloc(x->n, sizeof *level->u);
  level->v = calloc(y->n, sizeof *level->v);
  level->arcs = malloc((x->n + y->n) * FG_NEAR_FLAT * sizeof *level->arcs);
  fg_code rc = FG_OK;
  if (!level->u || !level->v || !level->arcs) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for exact transport of %zu to %zu points", x->n, y->n);
    goto done;
  }
  FG_GO(fg_search_create(level->engine, level->threads, x, y, level->d, level->cost, &level->search, st),
        done);
  FG_GO(fg_basis_create(x->n, y->n, x->mass, y->mass, &level->basis, st), done);
done:
  if (rc != FG_OK) fg_level_clear(level);
  return rc;
}

/* ---- bounds -------------------------------------------------------------------------- */

/* sum a_i u_i + sum b_j (v_j - excess_j), a lower bound when excess_j is the largest violation in column j. */
static double fg_level_dual(const fg_level *level, const int64_t *u, const int64_t *v, size_t count)
{
  int64_t *excess = calloc(level->y->n, sizeof *excess);
  fg_sum sum = {0, 0}, mass = {0, 0};
  if (!excess) return -INFINITY;
  for (size_t a = 0; a < count; a++) {
    const fg_arc *arc = level->arcs + a;
    int64_t beyond = u[arc->i] + v[arc->j] - arc->cost;
    if (beyond > excess[arc->j]) excess[arc->j] = beyond;
  }
  for (size_t i = 0; i < level->x->n; i++) {
    fg_sum_add(&sum, (double)level->x->mass[i] * (double)u[i]);
    fg_sum_add(&mass, (double)level->x->mass[i]);
  }
  for (size_t j = 0; j < level->y->n; j++)
    fg_sum_add(&sum, (double)level->y->mass[j] * (double)(v[j] - excess[j]));
  free(excess);
  /* Whole costs are off by up to a half. */
  return (fg_sum_value(&sum) / fg_sum_value(&mass) - 0.5) / level->cost.scale;
}

/* ---- one level ----------------------------------------------------------------------- */

/* Duals from the ground: u_i = min_J c(x_i, y_J) - v_J over its cells, then v_j = min_i c_ij - u_i over all
 * rows, so that no pair violates. */
static fg_code fg_level_inherit(fg_level *level, fg_status *st)
{
  fg_search *across = NULL;
  fg_code rc = FG_OK;
  FG_GO(fg_search_create(level->engine, level->threads, &level->ground->y, level->x, level->d, level->cost,
                         &across, st),
        done);
  FG_GO(fg_search_transform(across, level->ground->v, level->u, level->progress, st), done);
done:
  fg_search_destroy(&across);
  return rc;
}

/* A plan that always exists, in the order of the cells: it joins points that coincide, where every pair is as near as any
 * other and the nearest may all be the same few. */
static size_t fg_level_staircase(const fg_level *level)
{
  const int64_t *a = level->x->mass, *b = level->y->mass;
  size_t count = 0;
  int64_t left_x = a[0], left_y = b[0];
  for (size_t i = 0, j = 0;;) {
    level->arcs[count++] = (fg_arc){(uint32_t)i, (uint32_t)j, fg_search_cost_of(level->search, i, j)};
    if (i + 1 == level->x->n && j + 1 == level->y->n) return count;
    if (j + 1 == level->y->n || (i + 1 < level->x->n && left_x <= left_y)) {
      left_y -= left_x;
      left_x = a[++i];
    } else {
      left_x -= left_y;
      left_y = b[++j];
    }
  }
}

static fg_code fg_level_first(fg_level *level, fg_status *st)
{
  size_t count;
  FG_TRY(fg_search_transform(level->search, level->u, level->v, level->progress, st));
  level->bound = fg_level_dual(level, level->u, level->v, 0);
  FG_TRY(fg_search_nearest(level->search, level->u, level->v, level->d <= FG_FLAT ? FG_NEAR_FLAT : FG_NEAR,
                           level->arcs, &count, level->progress, st));
  FG_TRY(fg_basis_add(level->basis, count, level->arcs, st));
  FG_TRY(fg_basis_add(level->basis, fg_level_staircase(level), level->arcs, st));
  /* Rounds need less room, and mostly hardly any: what has been written to would stay resident. */
  free(level->arcs);
  level->arcs = malloc((level->x->n + level->y->n) * FG_WORST * sizeof *level->arcs);
  if (!level->arcs)
    return FG_FAIL(st, FG_MEMORY, "no memory for exact transport of %zu to %zu points", level->x->n,
                   level->y->n);
  return fg_basis_start(level->basis, level->u, level->v, st);
}

/* Solve and price until nothing violates and nothing is artificial. The penalty rises only when no pair violates at
 * the present one: a higher one makes all rows want the same few columns. */
static fg_code fg_level_rounds(fg_level *level, fg_status *st)
{
  int64_t artificial, worst;
  size_t count;
  FG_TRY(fg_level_first(level, st));
  for (int round = 0; round < FG_ROUNDS; round++) {
    FG_TRY(fg_basis_solve(level->basis, level->progress, &artificial, st));
    const int64_t *u = fg_basis_u(level->basis), *v = fg_basis_v(level->basis);
    FG_TRY(fg_search_violators(level->search, u, v, 0, FG_WORST, level->arcs, &count, &worst, level->progress,
                               st));
    level->bound = fmax(level->bound, fg_level_dual(level, u, v, count));
    if (count == 0 && artificial == 0) {
      memcpy(level->u, u, level->x->n * sizeof *u);
      memcpy(level->v, v, level->y->n * sizeof *v);
      return FG_OK;
    }
    if (count == 0 && !fg_basis_penalise(level->basis)) break;
    FG_TRY(fg_basis_add(level->basis, count, level->arcs, st));
  }
  return FG_FAIL(st, FG_NUMERICS,
                 "exact transport of %zu to %zu points is not optimal after %d rounds of pricing",
                 level->x->n, level->y->n, FG_ROUNDS);
}

/* Solve the level of these cells; *level is left for the caller to read and clear, also where it was interrupted. */
static fg_code fg_level_run(const fg_level *like, const fg_cells *x, const fg_cells *y, fg_level *level,
                            fg_status *st)
{
  fg_cells coarse_x = {0}, coarse_y = {0};
  fg_level coarse = {0};
  fg_code rc = FG_OK;
  size_t small = FG_SIDE_SMALL;
  if (x->n > small || y->n > small) {
    FG_GO(fg_cells_coarsen(x, like->d, x->n > small ? FG_CELL : 1, &coarse_x, st), done);
    FG_GO(fg_cells_coarsen(y, like->d, y->n > small ? FG_CELL : 1, &coarse_y, st), done);
    FG_GO(fg_level_run(like, &coarse_x, &coarse_y, &coarse, st), done);
    fg_ground_clear(like->ground);
    *like->ground = (fg_ground){coarse_y, coarse.v};
    coarse_y = (fg_cells){0};
    coarse.v = NULL;
    fg_level_clear(&coarse);
    fg_cells_clear(&coarse_x);
  }
  FG_GO(fg_level_create(like, x, y, level, st), done);
  if (like->ground->v) FG_GO(fg_level_inherit(level, st), done);
  FG_GO(fg_level_rounds(level, st), done);
done:
  fg_level_clear(&coarse);
  fg_cells_clear(&coarse_x);
  fg_cells_clear(&coarse_y);
  return rc;
}

/* ---- all of it ----------------------------------------------------------------------- */

static double fg_squared_distance(size_t d, const double *x, const double *y)
{
  double sum = 0;
  for (size_t k = 0; k < d; k++) sum += (x[k] - y[k]) * (x[k] - y[k]);
  return sum;
}

static double fg_plan_cost(const fg_cells *x, const fg_cells *y, size_t d, double total,
                           const fg_shipment *plan, size_t count, double *longest)
{
  fg_sum sum = {0, 0};
  for (size_t a = 0; a < count; a++) {
    double c = fg_squared_distance(d, x->rows + plan[a].from * d, y->rows + plan[a].to * d);
    *longest = fmax(*longest, c);
    fg_sum_add(&sum, (double)plan[a].amount / total * c);
  }
  return fg_sum_value(&sum);
}

static int fg_by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* sum a_i u_i + sum b_j v_j with v_j = min_i |x_i - y_j|^2 - u_i: a lower bound of W2^2 whatever u is. The median of u is
 * taken off first: a few far points must not lend their size, and rounding, to the rest. */
static fg_code fg_level_certify(const fg_level *level, double total, double *dual, fg_status *st)
{
  size_t n = level->x->n, m = level->y->n;
  double *u = malloc(n * sizeof *u), *v = malloc((n > m ? n : m) * sizeof *v);
  fg_sum sum = {0, 0};
  fg_code rc = FG_OK;
  if (!u || !v) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for the duals of %zu + %zu points", n, m);
    goto done;
  }
  for (size_t i = 0; i < n; i++) u[i] = v[i] = (double)level->u[i] / level->cost.scale;
  qsort(v, n, sizeof *v, fg_by_size);
  double median = v[n / 2];
  for (size_t i = 0; i < n; i++) u[i] -= median;
  FG_GO(fg_search_certify(level->search, u, v, level->progress, st), done);
  for (size_t i = 0; i < n; i++) fg_sum_add(&sum, (double)level->x->mass[i] / total * u[i]);
  for (size_t j = 0; j < m; j++) fg_sum_add(&sum, (double)level->y->mass[j] / total * v[j]);
  *dual = fmax(*dual, fg_sum_value(&sum));
done:
  free(u);
  free(v);
  return rc;
}

/* Cost of the plan at hand, optimal after fg_level_rounds; of one that was stopped, completed, or where that is less of a
 * plan without it: shipping along the cheapest pairs may leave what is far apart. */
static fg_code fg_level_primal(const fg_level *level, const fg_cells *x, const fg_cells *y, double total,
                               size_t d, fg_bracket *found, fg_status *st)
{
  fg_shipment *plan = malloc(2 * (x->n + y->n) * sizeof *plan);
  if (!plan) return FG_FAIL(st, FG_MEMORY, "no memory for a plan of %zu + %zu points", x->n, y->n);
  size_t count = level->basis ? fg_basis_plan(level->basis, plan) : 0;
  size_t shipped = count;
  fg_code rc = FG_OK;
  do {
    FG_GO(fg_plan_complete(x, y, d, plan, &count, st), done);
    bool whole = count == shipped || shipped == 0;
    found->longest = 0;
    found->primal = fmin(found->primal, fg_plan_cost(x, y, d, total, plan, count, &found->longest));
    if (whole) break;
    count = shipped = 0;
  } while (true);
done:
  free(plan);
  return rc;
}

/* Raise the bound of the finest level after a stop, if that takes moments: by the duals of the last level solved where it
 * has none yet, and by those of its own basis. */
static fg_code fg_level_salvage(const fg_level *like, const fg_cells *x, const fg_cells *y, fg_level *level,
                                fg_status *st)
{
  if (like->d > FG_FLAT && (double)x->n * (double)y->n > FG_MOMENTS) return FG_OK;
  if (!level->u) FG_TRY(fg_level_create(like, x, y, level, st));
  level->progress = NULL;
  if (level->bound == 0) {
    if (level->ground->v) FG_TRY(fg_level_inherit(level, st));
    FG_TRY(fg_search_transform(level->search, level->u, level->v, NULL, st));
    level->bound = fg_level_dual(level, level->u, level->v, 0);
  }
  if (fg_basis_pivots(level->basis) == 0) return FG_OK;
  const int64_t *u = fg_basis_u(level->basis);
  FG_TRY(fg_search_transform(level->search, u, level->v, NULL, st));
  level->bound = fmax(level->bound, fg_level_dual(level, u, level->v, 0));
  return FG_OK;
}

fg_code fg_pricing_solve(fg_engine *engine, fg_threads *threads, const fg_pair *pair, double cap,
                         const fg_progress *progress, fg_bracket *found, fg_status *st)
{
  fg_cells x = {0}, y = {0};
  fg_level level = {0};
  fg_ground ground = {0};
  fg_code rc = FG_OK;
  double total = (double)pair->total;
  cap = fmin(cap, 4.0 * (double)pair->d);
  fg_level like = {.engine = engine,
                   .threads = threads,
                   .progress = progress,
                   .d = pair->d,
                   .cost = {cap, ldexp(1 / cap, 48)}};
  like.ground = &ground;
  FG_GO(fg_cells_sorted(pair->n, pair->d, pair->x, pair->mass_x, &x, st), done);
  FG_GO(fg_cells_sorted(pair->m, pair->d, pair->y, pair->mass_y, &y, st), done);
  rc = fg_level_run(&like, &x, &y, &level, st);
  if (rc != FG_OK && rc != FG_INTERRUPTED) goto done;
  fg_code bounds = rc == FG_OK ? rc : fg_level_salvage(&like, &x, &y, &level, NULL);
  if (bounds == FG_OK) found->dual = fmax(found->dual, level.bound);
  bounds = fg_level_primal(&level, &x, &y, total, pair->d, found, rc == FG_OK ? st : NULL);
  if (rc == FG_OK) rc = bounds;
  if (rc == FG_OK && found->primal > 0) rc = fg_level_certify(&level, total, &found->dual, st);
done:
  fg_level_clear(&level);
  fg_ground_clear(&ground);
  fg_cells_clear(&x);
  fg_cells_clear(&y);
  return rc;
}

fg_code fg_pricing_whole(fg_engine *engine, fg_threads *threads, const fg_cells *x, const fg_cells *y,
                         size_t d, int shift, const fg_progress *progress, fg_shipment *plan,
                         size_t *shipments, int64_t *u, int64_t *v, fg_status *st)
{
  fg_ground ground = {0};
  const fg_level like = {.engine = engine,
                         .threads = threads,
                         .progress = progress,
                         .d = d,
                         .cost = {INFINITY, ldexp(1, shift)},
                         .ground = &ground};
  fg_level level = {0};
  fg_code rc = fg_level_run(&like, x, y, &level, st);
  if (rc == FG_OK) {
    *shipments = fg_basis_plan(level.basis, plan);
    memcpy(u, level.u, x->n * sizeof *u);
    memcpy(v, level.v, y->n * sizeof *v);
  }
  fg_level_clear(&level);
  fg_ground_clear(&ground);
  return rc;
}

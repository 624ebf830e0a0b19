/* Exact W2 between two weighted samples: by sorting in one dimension, else by pricing. */
#include <math.h>
#include <stdlib.h>

#include "analysis/statistics.h"
#include "analysis/transport/transport.h"

/* ---- one dimension ------------------------------------------------------------------- */

typedef struct fg_rank {
  double x;
  int64_t mass;
} fg_rank;

static int fg_by_rank(const void *a, const void *b)
{
  double x = ((const fg_rank *)a)->x, y = ((const fg_rank *)b)->x;
  return (x > y) - (x < y);
}

static fg_rank *fg_ranks(size_t n, const double *x, const int64_t *mass)
{
  fg_rank *rank = malloc(n * sizeof *rank);
  if (!rank) return NULL;
  for (size_t i = 0; i < n; i++) rank[i] = (fg_rank){x[i], mass[i]};
  qsort(rank, n, sizeof *rank, fg_by_rank);
  return rank;
}

/* The monotone plan walks a staircase through the sorted samples. Potentials with u_i + v_j = c_ij along the
 * walk are optimal: c_ij has the Monge property, so no other pair violates. Primal and dual are sums over the
 * same stairs, the dual by parts. */
static fg_code fg_w2_line(const fg_pair *pair, double *primal, double *dual, fg_status *st)
{
  fg_rank *p = fg_ranks(pair->n, pair->x, pair->mass_x), *q = fg_ranks(pair->m, pair->y, pair->mass_y);
  if (!p || !q) {
    free(p);
    free(q);
    return FG_FAIL(st, FG_MEMORY, "no memory to sort %zu + %zu points", pair->n, pair->m);
  }
  double total = (double)pair->total, u = 0, v = (p[0].x - q[0].x) * (p[0].x - q[0].x);
  fg_sum cost = {0, 0}, value = {0, 0};
  int64_t left_p = p[0].mass, left_q = q[0].mass;
  fg_sum_add(&value, (double)q[0].mass / total * v);
  for (size_t i = 0, j = 0;;) {
    int64_t amount = left_p < left_q ? left_p : left_q;
    double gap = p[i].x - q[j].x;
    fg_sum_add(&cost, (double)amount / total * gap * gap);
    left_p -= amount;
    left_q -= amount;
    if (i + 1 == pair->n && j + 1 == pair->m) break;
    if (left_p == 0 && i + 1 < pair->n) {
      left_p = p[++i].mass;
      gap = p[i].x - q[j].x;
      u = gap * gap - v;
      fg_sum_add(&value, (double)p[i].mass / total * u);
    } else {
      left_q = q[++j].mass;
      gap = p[i].x - q[j].x;
      v = gap * gap - u;
      fg_sum_add(&value, (double)q[j].mass / total * v);
    }
  }
  *primal = fg_sum_value(&cost);
  *dual = fg_sum_value(&value);
  free(p);
  free(q);
  return FG_OK;
}

/* ---- more dimensions ----------------------------------------------------------------- */

/* Whole costs have 2^-48 of the largest cost as their unit. Where W2 is far below the spread of the points
 * (two nearly equal samples, a far point common to both) that is too coarse; then the plan's own largest
 * move bounds what is worth resolving, and a second solve with costs cut at four times that is exact enough.
 * The certificate is always taken against the true costs. */
static fg_code fg_w2_plane(fg_engine *engine, fg_threads *threads, const fg_pair *pair,
                           const fg_progress *progress, fg_bracket *found, fg_status *st)
{
  double cap = INFINITY;
  for (int attempt = 0; attempt < 3; attempt++) {
    FG_TRY(fg_pricing_solve(engine, threads, pair, cap, progress, found, st));
    if (found->primal - found->dual <= 1e-10 * found->primal) break;
    cap = 4 * found->longest;
  }
  return FG_OK;
}

fg_code fg_w2_exact(fg_engine *engine, fg_threads *threads, size_t n, size_t m, size_t d, const double *x,
                    const double *wx, const double *y, const double *wy, const fg_progress *progress,
                    fg_w2 *result, fg_status *st)
{
  double start = fg_seconds();
  fg_bracket found = {INFINITY, 0, 0}; /* costs are not negative */
  fg_pair pair;
  FG_TRY(fg_pair_create(n, m, d, x, wx, y, wy, &pair, st));
  fg_code rc = FG_OK;
  if (pair.identical)
    found.primal = 0;
  else if (d == 1)
    FG_GO(fg_w2_line(&pair, &found.primal, &found.dual, st), done);
  else
    rc = fg_w2_plane(engine, threads, &pair, progress, &found, st);
  if (rc == FG_INTERRUPTED) {
    result->squared = result->value = NAN;
    result->primal = ldexp(found.primal, 2 * pair.exponent);
    result->dual = ldexp(found.dual, 2 * pair.exponent);
    (void)fg_status_prefix(st, "exact W2 was stopped between %.6g and %.6g: ", sqrt(fmax(0, result->dual)),
                           sqrt(result->primal));
  }
  if (rc == FG_OK) rc = fg_w2_finish(found.primal, found.dual, pair.exponent, result, st);
  result->n = pair.n;
  result->m = pair.m;
  result->seconds = fg_seconds() - start;
done:
  fg_pair_clear(&pair);
  return rc;
}

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

static double fg_squared_distance(size_t d, const double *x, const double *y)
{
  double sum = 0;
  for (size_t k = 0; k < d; k++) sum += (x[k] - y[k]) * (x[k] - y[k]);
  return sum;
}

static int fg_by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* sum a_i u_i + sum b_j v_j with v_j = min_i |x_i - y_j|^2 - u_i: a lower bound of W2^2 whatever u is. The
 * median of u is taken off first: a few far points must not lend their size, and rounding, to the rest. */
static fg_code fg_dual_value(const fg_pair *pair, const double *u, double *dual, fg_status *st)
{
  size_t n = pair->n, m = pair->m, d = pair->d;
  double *sorted = malloc(n * sizeof *sorted), *v = malloc(m * sizeof *v), *c = malloc(m * sizeof *c);
  double *yt = malloc(m * d * sizeof *yt);
  fg_code rc = FG_OK;
  if (!sorted || !v || !c || !yt) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for the duals of %zu + %zu points", n, m);
    goto done;
  }
  for (size_t i = 0; i < n; i++) sorted[i] = u[i];
  qsort(sorted, n, sizeof *sorted, fg_by_size);
  double median = sorted[n / 2];
  for (size_t j = 0; j < m; j++) {
    v[j] = INFINITY;
    for (size_t k = 0; k < d; k++) yt[k * m + j] = pair->y[j * d + k];
  }
  fg_sum sum = {0, 0};
  for (size_t i = 0; i < n; i++) {
    double ui = u[i] - median;
    for (size_t j = 0; j < m; j++) c[j] = 0;
    for (size_t k = 0; k < d; k++) {
      double x = pair->x[i * d + k];
      const double *y = yt + k * m;
      for (size_t j = 0; j < m; j++) c[j] += (x - y[j]) * (x - y[j]);
    }
    for (size_t j = 0; j < m; j++) v[j] = c[j] - ui < v[j] ? c[j] - ui : v[j];
    fg_sum_add(&sum, (double)pair->mass_x[i] / (double)pair->total * ui);
  }
  for (size_t j = 0; j < m; j++) fg_sum_add(&sum, (double)pair->mass_y[j] / (double)pair->total * v[j]);
  *dual = fg_sum_value(&sum);
done:
  free(sorted);
  free(v);
  free(c);
  free(yt);
  return rc;
}

static double fg_primal_value(const fg_pair *pair, const fg_shipment *plan, size_t shipments, double *largest)
{
  fg_sum sum = {0, 0};
  *largest = 0;
  for (size_t a = 0; a < shipments; a++) {
    double c = fg_squared_distance(pair->d, pair->x + plan[a].from * pair->d, pair->y + plan[a].to * pair->d);
    *largest = fmax(*largest, c);
    fg_sum_add(&sum, (double)plan[a].amount / (double)pair->total * c);
  }
  return fg_sum_value(&sum);
}

/* Whole costs have 2^-48 of the largest cost as their unit. Where W2 is far below the spread of the points
 * (two nearly equal samples, a far point common to both) that is too coarse; then the plan's own largest
 * move bounds what is worth resolving, and a second solve with costs cut at four times that is exact enough.
 * The certificate is always taken against the true costs. */
static fg_code fg_w2_plane(const fg_pair *pair, double *primal, double *dual, fg_status *st)
{
  fg_shipment *plan = malloc((pair->n + pair->m) * sizeof *plan);
  double *u = malloc(pair->n * sizeof *u), cap = INFINITY, largest = 0;
  fg_code rc = FG_OK;
  if (!plan || !u) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for a plan of %zu + %zu points", pair->n, pair->m);
    goto done;
  }
  for (int attempt = 0; attempt < 3; attempt++) {
    size_t shipments = 0;
    FG_GO(fg_pricing_solve(pair, cap, plan, &shipments, u, st), done);
    *primal = fg_primal_value(pair, plan, shipments, &largest);
    *dual = 0;
    if (*primal == 0) break;
    FG_GO(fg_dual_value(pair, u, dual, st), done);
    if (*primal - *dual <= 1e-10 * *primal) break;
    cap = 4 * largest;
  }
done:
  free(plan);
  free(u);
  return rc;
}

fg_code fg_w2_exact(fg_threads *threads, size_t n, size_t m, size_t d, const double *x, const double *wx,
                    const double *y, const double *wy, const fg_progress *progress, fg_w2 *result,
                    fg_status *st)
{
  double start = fg_seconds(), primal = 0, dual = 0;
  (void)threads;
  (void)progress;
  fg_pair pair;
  FG_TRY(fg_pair_create(n, m, d, x, wx, y, wy, &pair, st));
  fg_code rc = FG_OK;
  if (!pair.identical) {
    if (d == 1)
      FG_GO(fg_w2_line(&pair, &primal, &dual, st), done);
    else
      FG_GO(fg_w2_plane(&pair, &primal, &dual, st), done);
  }
  FG_GO(fg_w2_finish(primal, dual, pair.exponent, result, st), done);
  result->n = pair.n;
  result->m = pair.m;
  result->seconds = fg_seconds() - start;
done:
  fg_pair_clear(&pair);
  return rc;
}

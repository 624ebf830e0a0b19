/* Histograms on a square grid and the exact transport between them.
 *
 * Occupied bins are weighted points with whole coordinates, and squared index differences whole costs: the transport of
 * points (pricing.c) solves them as they are. Plan and duals are then held against each other in integers, without
 * rounding; that no pair of bins violates is checked apart from the solver, axis by axis, since the squared distance
 * separates: min over ix, iy of (ix - jx)^2 + (iy - jy)^2 - u takes 2 bins^3 steps instead of bins^4. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/transport/transport.h"

__extension__ typedef __int128 fg_int128;

static fg_code fg_grid_check(const fg_w2_grid_settings *grid, fg_status *st)
{
  if (grid->bins < 2 || grid->bins > 4096)
    return FG_FAIL(st, FG_USAGE, "grid.bins is %zu: give 2 to 4096", grid->bins);
  if (!(grid->half_width > 0) || !isfinite(grid->half_width))
    return FG_FAIL(st, FG_USAGE, "grid.half_width is %g: give a positive length", grid->half_width);
  return FG_OK;
}

/* Nearest of `bins` nodes from -half_width to half_width; bins where x is outside. Ties go up. */
static size_t fg_nearest_node(const fg_w2_grid_settings *grid, double x)
{
  if (!(fabs(x) <= grid->half_width)) return grid->bins;
  double place = (x / grid->half_width * 0.5 + 0.5) * (double)(grid->bins - 1);
  size_t node = (size_t)(place + 0.5);
  return node < grid->bins ? node : grid->bins - 1;
}

size_t fg_grid_bin(const fg_w2_grid_settings *grid, const double *x)
{
  size_t ix = fg_nearest_node(grid, x[0]), iy = fg_nearest_node(grid, x[1]);
  return ix < grid->bins && iy < grid->bins ? ix * grid->bins + iy : SIZE_MAX;
}

fg_code fg_histogram2(const fg_w2_grid_settings *grid, size_t n, const double *x, const double *w,
                      double *mass, size_t *outside, fg_status *st)
{
  FG_TRY(fg_grid_check(grid, st));
  memset(mass, 0, grid->bins * grid->bins * sizeof *mass);
  *outside = 0;
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(x[2 * i]) || !isfinite(x[2 * i + 1]))
      return FG_FAIL(st, FG_NUMERICS, "row %zu is (%g, %g): a histogram needs finite samples", i, x[2 * i],
                     x[2 * i + 1]);
    if (w && !(w[i] >= 0 && isfinite(w[i])))
      return FG_FAIL(st, isfinite(w[i]) ? FG_USAGE : FG_NUMERICS,
                     "the weight of row %zu is %g: weights must be finite and not negative", i, w[i]);
    size_t bin = fg_grid_bin(grid, x + 2 * i);
    if (bin == SIZE_MAX)
      ++*outside;
    else
      mass[bin] += w ? w[i] : 1;
  }
  return FG_OK;
}

/* ---- bins as points ------------------------------------------------------------------ */

/* Whole costs are squared index differences times a power of two, at most 2^40: centres of coarser cells are not whole, and
 * doubles hold many such costs added up. */
enum { FG_GRID_COST_BITS = 40 };

typedef struct fg_bins {
  size_t bins;
  int shift; /* costs and duals are in units of 2^-shift */
  int64_t total;
  fg_cells p, q; /* occupied bins at (ix, iy) */
  fg_shipment *plan;
  size_t shipments;
  int64_t *u, *v;
} fg_bins;

static void fg_bins_clear(fg_bins *b)
{
  fg_cells_clear(&b->p);
  fg_cells_clear(&b->q);
  free(b->plan);
  free(b->u);
  free(b->v);
}

typedef struct fg_occupied {
  size_t count;
  double *share, *at; /* [count], [count, 2] */
  int64_t *mass;
} fg_occupied;

static fg_code fg_occupied_create(const char *name, size_t bins, const double *mass, fg_occupied *kept,
                                  fg_status *st)
{
  double sum = 0;
  kept->share = malloc(bins * bins * sizeof *kept->share);
  kept->at = malloc(2 * bins * bins * sizeof *kept->at);
  kept->mass = malloc(bins * bins * sizeof *kept->mass);
  if (!kept->share || !kept->at || !kept->mass)
    return FG_FAIL(st, FG_MEMORY, "no memory for a histogram of %zu x %zu bins", bins, bins);
  for (size_t k = 0; k < bins * bins; k++) {
    if (!isfinite(mass[k]) || mass[k] < 0)
      return FG_FAIL(st, isfinite(mass[k]) ? FG_USAGE : FG_NUMERICS,
                     "bin %zu of %s holds %g: masses must be finite and not negative", k, name, mass[k]);
    if (mass[k] == 0) continue;
    sum += mass[k];
    kept->share[kept->count] = mass[k];
    size_t ix = k / bins, iy = k % bins;
    kept->at[2 * kept->count] = (double)ix;
    kept->at[2 * kept->count++ + 1] = (double)iy;
  }
  if (kept->count == 0 || !isfinite(sum))
    return FG_FAIL(st, FG_USAGE,
                   "histogram %s holds a mass of %g: it must be positive and finite (are all samples outside "
                   "the grid?)",
                   name, sum);
  return FG_OK;
}

/* Bins whose share rounds to nothing leave. */
static fg_code fg_occupied_cells(fg_occupied *kept, fg_cells *cells, fg_status *st)
{
  size_t count = 0;
  for (size_t k = 0; k < kept->count; k++) {
    if (kept->mass[k] <= 0) continue;
    memcpy(kept->at + 2 * count, kept->at + 2 * k, 2 * sizeof *kept->at);
    kept->mass[count++] = kept->mass[k];
  }
  return fg_cells_sorted(count, 2, kept->at, kept->mass, cells, st);
}

static fg_code fg_bins_load(const double *p, const double *q, fg_bins *b, fg_status *st)
{
  fg_occupied from = {0}, to = {0};
  fg_code rc = FG_OK;
  FG_GO(fg_occupied_create("p", b->bins, p, &from, st), done);
  FG_GO(fg_occupied_create("q", b->bins, q, &to, st), done);
  fg_masses(from.count, from.share, to.count, to.share, from.mass, to.mass, &b->total);
  FG_GO(fg_occupied_cells(&from, &b->p, st), done);
  FG_GO(fg_occupied_cells(&to, &b->q, st), done);
  b->plan = malloc((b->p.n + b->q.n) * sizeof *b->plan);
  b->u = malloc(b->p.n * sizeof *b->u);
  b->v = malloc(b->q.n * sizeof *b->v);
  if (!b->plan || !b->u || !b->v)
    rc = FG_FAIL(st, FG_MEMORY, "no memory for a plan of %zu to %zu bins", b->p.n, b->q.n);
done:
  free(from.share);
  free(from.at);
  free(from.mass);
  free(to.share);
  free(to.at);
  free(to.mass);
  return rc;
}

/* ---- the certificate ----------------------------------------------------------------- */

static int64_t fg_square(const fg_bins *b, int64_t gap)
{
  return (gap * gap) << b->shift;
}

/* No pair has u + v > cost: reach[iy, jx] = min over ix of (ix - jx)^2 - u, then every q against its column. */
static fg_code fg_bins_feasible(const fg_bins *b, bool *feasible, fg_status *st)
{
  size_t bins = b->bins;
  int64_t *reach = malloc(bins * bins * sizeof *reach);
  if (!reach) return FG_FAIL(st, FG_MEMORY, "no memory to check the duals of %zu x %zu bins", bins, bins);
  /* Half of the range: costs are added. */
  for (size_t k = 0; k < bins * bins; k++) reach[k] = INT64_MAX / 2;
  for (size_t i = 0; i < b->p.n; i++) {
    int64_t ix = (int64_t)b->p.rows[2 * i], *row = reach + (size_t)b->p.rows[2 * i + 1] * bins;
    for (size_t jx = 0; jx < bins; jx++) {
      int64_t c = fg_square(b, ix - (int64_t)jx) - b->u[i];
      row[jx] = c < row[jx] ? c : row[jx];
    }
  }
  *feasible = true;
  for (size_t j = 0; j < b->q.n && *feasible; j++) {
    size_t jx = (size_t)b->q.rows[2 * j];
    int64_t jy = (int64_t)b->q.rows[2 * j + 1];
    for (size_t iy = 0; iy < bins; iy++)
      *feasible = *feasible && b->v[j] <= fg_square(b, (int64_t)iy - jy) + reach[iy * bins + jx];
  }
  free(reach);
  return FG_OK;
}

/* Values as whole numbers, times total and 2^shift; FG_NUMERICS unless the plan meets every mass, no pair violates the
 * duals and both values agree: then both are optimal. */
static fg_code fg_bins_certify(const fg_bins *b, fg_int128 *primal, fg_int128 *dual, fg_status *st)
{
  bool met = true, feasible = false;
  int64_t *left = malloc((b->p.n + b->q.n) * sizeof *left);
  if (!left) return FG_FAIL(st, FG_MEMORY, "no memory to check a plan of %zu to %zu bins", b->p.n, b->q.n);
  *primal = *dual = 0;
  memcpy(left, b->p.mass, b->p.n * sizeof *left);
  memcpy(left + b->p.n, b->q.mass, b->q.n * sizeof *left);
  for (size_t a = 0; a < b->shipments; a++) {
    const fg_shipment *s = b->plan + a;
    const double *x = b->p.rows + 2 * (size_t)s->from, *y = b->q.rows + 2 * (size_t)s->to;
    met = met && s->amount > 0;
    left[s->from] -= s->amount;
    left[b->p.n + s->to] -= s->amount;
    *primal +=
        (fg_int128)s->amount * (fg_square(b, (int64_t)(x[0] - y[0])) + fg_square(b, (int64_t)(x[1] - y[1])));
  }
  for (size_t k = 0; k < b->p.n + b->q.n; k++) met = met && left[k] == 0;
  free(left);
  for (size_t i = 0; i < b->p.n; i++) *dual += (fg_int128)b->p.mass[i] * b->u[i];
  for (size_t j = 0; j < b->q.n; j++) *dual += (fg_int128)b->q.mass[j] * b->v[j];
  FG_TRY(fg_bins_feasible(b, &feasible, st));
  if (!met || !feasible || *primal != *dual)
    return FG_FAIL(st, FG_NUMERICS, "the certificate of the grid transport of %zu to %zu bins does not hold",
                   b->p.n, b->q.n);
  return FG_OK;
}

fg_code fg_w2_grid(fg_engine *engine, fg_threads *threads, const fg_w2_grid_settings *grid, const double *p,
                   const double *q, const fg_progress *progress, fg_w2 *result, fg_status *st)
{
  FG_TRY(fg_grid_check(grid, st));
  double start = fg_seconds();
  fg_bins b = {.bins = grid->bins, .shift = FG_GRID_COST_BITS - 1};
  while ((2 * (grid->bins - 1) * (grid->bins - 1)) << b.shift > (size_t)1 << FG_GRID_COST_BITS) b.shift--;
  fg_int128 primal = 0, dual = 0;
  fg_code rc = FG_OK;
  FG_GO(fg_bins_load(p, q, &b, st), done);
  rc =
      fg_pricing_whole(engine, threads, &b.p, &b.q, 2, b.shift, progress, b.plan, &b.shipments, b.u, b.v, st);
  if (rc == FG_INTERRUPTED) *result = (fg_w2){NAN, NAN, NAN, NAN, b.p.n, b.q.n, fg_seconds() - start};
  if (rc != FG_OK) goto done;
  FG_GO(fg_bins_certify(&b, &primal, &dual, st), done);
  /* A step of 2^-exponent times a factor in [1/2, 1), so that extreme widths keep their digits. */
  int exponent;
  double step = frexp(grid->half_width, &exponent) * 2 / (double)(grid->bins - 1);
  double unit = step * step / ldexp((double)b.total, b.shift);
  FG_GO(fg_w2_finish((double)primal * unit, (double)dual * unit, exponent, result, st), done);
  result->n = b.p.n;
  result->m = b.q.n;
  result->seconds = fg_seconds() - start;
done:
  fg_bins_clear(&b);
  return rc;
}

#include "analysis/grid_laws.h"

#include <math.h>
#include <stdlib.h>

/* A quantile function walked from left to right: piecewise linear where the density is constant. */
typedef struct fg_quantile {
  const double *p;
  size_t n, at;
  double total, left; /* mass of all, and left in the cell `at`, both as shares */
} fg_quantile;

static bool fg_quantile_open(fg_quantile *q, size_t n, const double *p)
{
  *q = (fg_quantile){.p = p, .n = n};
  for (size_t i = 0; i < n; i++) {
    if (!(p[i] >= 0 && isfinite(p[i]))) return false;
    q->total += p[i];
  }
  if (!(q->total > 0 && isfinite(q->total))) return false;
  q->left = p[0] / q->total;
  return true;
}

/* Where `left` of the share of the cell remains; no slope, which a share near underflow would make infinite. */
static double fg_quantile_place(const fg_quantile *q, double left)
{
  double share = q->p[q->at] / q->total;
  return (double)q->at + (share > 0 ? 1 - left / share : 0);
}

/* To the next cell with mass; false at the end. */
static bool fg_quantile_next(fg_quantile *q)
{
  while (q->left <= 0) {
    if (++q->at >= q->n) return false;
    q->left = q->p[q->at] / q->total;
  }
  return true;
}

fg_code fg_grid_laws_line(size_t n, double width, const double *p, const double *q, double *squared,
                          fg_status *st)
{
  fg_quantile a, b;
  double sum = 0;
  if (n == 0 || !fg_quantile_open(&a, n, p) || !fg_quantile_open(&b, n, q))
    return FG_FAIL(st, FG_NUMERICS,
                   "a law on a grid of %zu cells has a negative or infinite value, or no mass", n);
  while (fg_quantile_next(&a) && fg_quantile_next(&b)) {
    double step = fmin(a.left, b.left);
    double first = fg_quantile_place(&a, a.left) - fg_quantile_place(&b, b.left);
    a.left -= step;
    b.left -= step;
    double last = fg_quantile_place(&a, a.left) - fg_quantile_place(&b, b.left);
    sum += step * (first * first + first * last + last * last) / 3;
  }
  *squared = sum * width * width;
  return FG_OK;
}

/* Sums over the other axis: marginal [n] in axis 0 (rows) or 1. */
static void fg_marginal(size_t n, const double *p, int axis, double *marginal)
{
  for (size_t i = 0; i < n; i++) marginal[i] = 0;
  for (size_t i = 0; i < n * n; i++) marginal[axis ? i % n : i / n] += p[i];
}

static fg_code fg_grid_laws_plane(const fg_law_grid *grid, const double *p, const double *q, double *squared,
                                  fg_status *st)
{
  size_t n = grid->cells;
  double width = 2 * grid->half_width / (double)n, part;
  double *a = malloc(2 * n * sizeof *a);
  fg_code rc = FG_OK;
  if (!a) return FG_FAIL(st, FG_MEMORY, "no memory for the marginals on %zu cells", n);
  *squared = 0;
  for (int axis = 0; axis < 2; axis++) {
    fg_marginal(n, p, axis, a);
    fg_marginal(n, q, axis, a + n);
    FG_GO(fg_grid_laws_line(n, width, a, a + n, &part, st), done);
    *squared += part;
  }
done:
  free(a);
  return rc;
}

fg_code fg_grid_laws_w2(const fg_law_grid *grid, const double *p, const double *q, double *least,
                        fg_status *st)
{
  double squared, width = 2 * grid->half_width / (double)grid->cells;
  if (grid->d == 2)
    FG_TRY(fg_grid_laws_plane(grid, p, q, &squared, st));
  else
    FG_TRY(fg_grid_laws_line(grid->cells, width, p, q, &squared, st));
  *least = sqrt(squared);
  return FG_OK;
}

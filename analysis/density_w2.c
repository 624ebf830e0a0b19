/* W2 between two densities on a grid that are constant in each cell. In one dimension it is exact. In the plane it lies
 * between the distance of the marginals and the cost of the rearrangements of Knothe and Rosenblatt (one axis after the
 * other, in either order); the exact transport between blocks of cells is a figure between the two, or is brought there:
 * it moves masses by whole blocks, and so overstates a W2 below their width. */
#include "analysis/density_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/grid_laws.h"

/* Sums of the rows, as shares. */
static void fg_row_shares(size_t n, const double *p, double *share)
{
  double total = 0;
  for (size_t i = 0; i < n; i++) {
    share[i] = 0;
    for (size_t j = 0; j < n; j++) share[i] += p[i * n + j];
    total += share[i];
  }
  for (size_t i = 0; i < n; i++) share[i] /= total;
}

/* Row by row: quantiles of the rows' shares meet, and then those along the rows. a, b: room for n numbers each. */
static fg_code fg_knothe(size_t n, double width, const double *p, const double *q, double *a, double *b,
                         double *squared, fg_status *st)
{
  size_t i = 0, k = 0;
  double part;
  fg_row_shares(n, p, a);
  fg_row_shares(n, q, b);
  FG_TRY(fg_grid_laws_line(n, width, a, b, squared, st));
  while (true) {
    while (i < n && a[i] <= 0) i++;
    while (k < n && b[k] <= 0) k++;
    if (i == n || k == n) return FG_OK;
    double step = fmin(a[i], b[k]);
    FG_TRY(fg_grid_laws_line(n, width, p + i * n, q + k * n, &part, st));
    *squared += step * part;
    a[i] -= step;
    b[k] -= step;
  }
}

static void fg_transpose(size_t n, double *p)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) {
      double kept = p[i * n + j];
      p[i * n + j] = p[j * n + i];
      p[j * n + i] = kept;
    }
}

/* p and q [n, n], no less than 0; they come back transposed. */
static fg_code fg_knothe_least(const fg_law_grid *grid, double *p, double *q, double *value, fg_status *st)
{
  size_t n = grid->cells;
  double width = 2 * grid->half_width / (double)n, first, second;
  double *room = malloc(2 * n * sizeof *room);
  if (!room) return FG_FAIL(st, FG_MEMORY, "no memory for the marginals on %zu cells", n);
  fg_code rc;
  FG_GO(fg_knothe(n, width, p, q, room, room + n, &first, st), done);
  fg_transpose(n, p);
  fg_transpose(n, q);
  FG_GO(fg_knothe(n, width, p, q, room, room + n, &second, st), done);
  *value = sqrt(fmin(first, second));
done:
  free(room);
  return rc;
}

/* Sums over blocks of k x k cells; blocks at the upper ends may be cut. */
static void fg_blocks(size_t n, size_t k, size_t blocks, const double *p, double *mass)
{
  memset(mass, 0, blocks * blocks * sizeof *mass);
  for (size_t c = 0; c < n * n; c++) mass[c / n / k * blocks + c % n / k] += p[c];
}

static fg_code fg_block_transport(fg_density_laws *l, size_t most, fg_engine *engine, const double *p,
                                  const double *q, const fg_progress *progress, fg_status *st)
{
  size_t n = l->grid.cells, k = (n + most - 1) / most, blocks = (n + k - 1) / k;
  double h = 2 * l->grid.half_width / (double)n * (double)k;
  double *mass = malloc(2 * blocks * blocks * sizeof *mass);
  if (!mass) return FG_FAIL(st, FG_MEMORY, "no memory for %zu blocks", blocks * blocks);
  fg_blocks(n, k, blocks, p, mass);
  fg_blocks(n, k, blocks, q, mass + blocks * blocks);
  const fg_w2_grid_settings settings = {blocks, 0.5 * h * (double)(blocks - 1)};
  fg_code rc = fg_w2_grid(engine, engine ? fg_engine_threads(engine) : NULL, &settings, mass,
                          mass + blocks * blocks, progress, &l->w2, st);
  free(mass);
  l->w2_cells = blocks;
  return rc;
}

fg_code fg_density_w2(fg_density_laws *l, size_t most, fg_engine *engine, const fg_progress *progress,
                      fg_status *st)
{
  size_t size = fg_law_size(&l->grid);
  double *p = malloc(2 * size * sizeof *p);
  if (!p) return FG_FAIL(st, FG_MEMORY, "no memory for %zu cells", size);
  double *q = p + size;
  fg_code rc;
  for (size_t c = 0; c < size; c++) p[c] = fmax(l->sde[c], 0), q[c] = fmax(l->ode[c], 0);
  FG_GO(fg_grid_laws_w2(&l->grid, p, q, &l->w2_low, st), done);
  l->w2_value = l->w2_high = l->w2_low;
  if (l->grid.d == 1) goto done;
  FG_GO(fg_block_transport(l, most, engine, p, q, progress, st), done);
  FG_GO(fg_knothe_least(&l->grid, p, q, &l->w2_high, st), done);
  l->w2_value = fmin(fmax(l->w2.value, l->w2_low), l->w2_high);
done:
  free(p);
  return rc;
}

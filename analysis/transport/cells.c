/* Coarse pictures of a weighted sample: neighbours grouped by a kd-tree, masses added up exactly. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/transport/transport.h"

static fg_code fg_cells_allocate(size_t n, size_t d, fg_cells *cells, fg_status *st)
{
  cells->n = n;
  cells->rows = malloc(n * d * sizeof *cells->rows);
  cells->columns = malloc(n * d * sizeof *cells->columns);
  cells->mass = malloc(n * sizeof *cells->mass);
  if (cells->rows && cells->columns && cells->mass) return FG_OK;
  fg_cells_clear(cells);
  return FG_FAIL(st, FG_MEMORY, "no memory for %zu points of dimension %zu", n, d);
}

static void fg_cells_transpose(fg_cells *cells, size_t d)
{
  for (size_t i = 0; i < cells->n; i++)
    for (size_t k = 0; k < d; k++) cells->columns[k * cells->n + i] = cells->rows[i * d + k];
}

void fg_cells_clear(fg_cells *cells)
{
  free(cells->rows);
  free(cells->columns);
  free(cells->mass);
  memset(cells, 0, sizeof *cells);
}

fg_code fg_cells_create(size_t n, size_t d, const double *x, const int64_t *mass, fg_cells *cells,
                        fg_status *st)
{
  FG_TRY(fg_cells_allocate(n, d, cells, st));
  memcpy(cells->rows, x, n * d * sizeof *x);
  memcpy(cells->mass, mass, n * sizeof *mass);
  fg_cells_transpose(cells, d);
  return FG_OK;
}

/* Quickselect on one coordinate; ties are broken by index, so the outcome is unique. */
static int fg_before(const double *x, size_t d, size_t axis, uint32_t a, uint32_t b)
{
  double p = x[a * d + axis], q = x[b * d + axis];
  return p != q ? p < q : a < b;
}

static void fg_swap(uint32_t *order, size_t a, size_t b)
{
  uint32_t kept = order[a];
  order[a] = order[b];
  order[b] = kept;
}

static void fg_select(const double *x, size_t d, size_t axis, uint32_t *order, size_t n, size_t rank)
{
  size_t low = 0, high = n;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    /* Median of three as the pivot, moved to the end. */
    if (fg_before(x, d, axis, order[middle], order[low])) fg_swap(order, middle, low);
    if (fg_before(x, d, axis, order[high - 1], order[low])) fg_swap(order, high - 1, low);
    if (fg_before(x, d, axis, order[middle], order[high - 1])) fg_swap(order, middle, high - 1);
    uint32_t pivot = order[high - 1];
    size_t place = low;
    for (size_t i = low; i + 1 < high; i++)
      if (fg_before(x, d, axis, order[i], pivot)) fg_swap(order, i, place++);
    fg_swap(order, place, high - 1);
    if (rank == place) return;
    if (rank < place)
      high = place;
    else
      low = place + 1;
  }
}

static size_t fg_widest_axis(const double *x, size_t d, const uint32_t *order, size_t n)
{
  size_t axis = 0;
  double widest = -1;
  for (size_t k = 0; k < d; k++) {
    double low = x[order[0] * d + k], high = low;
    for (size_t i = 1; i < n; i++) {
      low = fmin(low, x[order[i] * d + k]);
      high = fmax(high, x[order[i] * d + k]);
    }
    if (high - low > widest) {
      widest = high - low;
      axis = k;
    }
  }
  return axis;
}

void fg_kd_order(const double *x, size_t d, uint32_t *order, size_t n, size_t size)
{
  while (n > size) {
    size_t left = (n / 2 + size - 1) / size * size;
    fg_select(x, d, fg_widest_axis(x, d, order, n), order, n, left);
    fg_kd_order(x, d, order, left, size);
    order += left;
    n -= left;
  }
}

fg_code fg_cells_coarsen(const fg_cells *fine, size_t d, size_t size, fg_cells *coarse, fg_status *st)
{
  if (size <= 1) return fg_cells_create(fine->n, d, fine->rows, fine->mass, coarse, st);
  uint32_t *order = malloc(fine->n * sizeof *order);
  if (!order) return FG_FAIL(st, FG_MEMORY, "no memory to order %zu points", fine->n);
  fg_code rc = FG_OK;
  FG_GO(fg_cells_allocate((fine->n + size - 1) / size, d, coarse, st), done);
  for (size_t i = 0; i < fine->n; i++) order[i] = (uint32_t)i;
  fg_kd_order(fine->rows, d, order, fine->n, size);
  for (size_t g = 0; g < coarse->n; g++) {
    double *centre = coarse->rows + g * d;
    size_t end = (g + 1) * size < fine->n ? (g + 1) * size : fine->n;
    coarse->mass[g] = 0;
    for (size_t i = g * size; i < end; i++) coarse->mass[g] += fine->mass[order[i]];
    for (size_t k = 0; k < d; k++) {
      centre[k] = 0;
      for (size_t i = g * size; i < end; i++)
        centre[k] += (double)fine->mass[order[i]] / (double)coarse->mass[g] * fine->rows[order[i] * d + k];
    }
  }
  fg_cells_transpose(coarse, d);
done:
  free(order);
  return rc;
}

#include "analysis/grid_width.h"

#include <math.h>
#include <stdlib.h>

enum { FG_WIDTH_ROWS = 20000 };

static int fg_by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The quantile `share` of the largest coordinate, in size, of a row. */
static double fg_reach(double share, const double *x, size_t n, size_t d, double *room)
{
  size_t rows = n < FG_WIDTH_ROWS ? n : FG_WIDTH_ROWS;
  for (size_t i = 0; i < rows; i++) {
    const double *row = x + i * n / rows * d;
    room[i] = 0;
    for (size_t j = 0; j < d; j++) room[i] = fmax(room[i], fabs(row[j]));
  }
  qsort(room, rows, sizeof *room, fg_by_size);
  return room[(size_t)(share * (double)(rows - 1) + 0.5)];
}

fg_code fg_grid_width(double share, size_t laws, const double *const *x, const size_t *n, size_t d,
                      double *half_width, fg_status *st)
{
  double *room = malloc(FG_WIDTH_ROWS * sizeof *room), reach = 0;
  if (!room) return FG_FAIL(st, FG_MEMORY, "no memory to choose the width of the grid");
  for (size_t k = 0; k < laws; k++)
    if (x[k] && n[k]) reach = fmax(reach, fg_reach(share, x[k], n[k], d, room));
  free(room);
  if (!(reach > 0)) reach = 1; /* all points at 0: any grid holds them */
  double digit = pow(10, floor(log10(1.1 * reach)) - 1);
  *half_width = ceil(1.1 * reach / digit) * digit;
  return FG_OK;
}

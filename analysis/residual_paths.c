#include "analysis/residual_paths.h"

#include <math.h>

size_t fg_path_times(const fg_grid *grid, double least, size_t count, double *t)
{
  const double *node = fg_grid_times(grid);
  size_t last = fg_grid_steps(grid), used = 0, k = 0;
  while (last > 0 && !(node[last] > 0 && node[last] >= least)) last--;
  for (size_t i = 0; i < count; i++) {
    double goal = node[0] * pow(node[last] / node[0], (double)i / (double)(count - 1));
    while (k < last && fabs(node[k + 1] - goal) <= fabs(node[k] - goal)) k++;
    if (used == 0 || node[k] < t[used - 1]) t[used++] = node[k];
  }
  return used;
}

void fg_trapezoid(size_t count, const double *t, double *weight)
{
  for (size_t k = 0; k < count; k++) {
    double left = k > 0 ? t[k - 1] - t[k] : 0, right = k + 1 < count ? t[k] - t[k + 1] : 0;
    weight[k] = count > 1 ? 0.5 * (left + right) : 1;
  }
}

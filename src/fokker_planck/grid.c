#include <math.h>

#include "fokker_planck/law_impl.h"

enum { FG_CELLS_LEAST = 4, FG_CELLS_MOST_1 = 1 << 20, FG_CELLS_MOST_2 = 4096 };

size_t fg_law_size(const fg_law_grid *grid)
{
  return grid->d == 1 ? grid->cells : grid->cells * grid->cells;
}

static double fg_law_width(const fg_law_grid *grid)
{
  return 2 * grid->half_width / (double)grid->cells;
}

double fg_law_volume(const fg_law_grid *grid)
{
  double h = fg_law_width(grid);
  return grid->d == 1 ? h : h * h;
}

void fg_law_centres(const fg_law_grid *grid, double *x)
{
  size_t n = grid->cells;
  double h = fg_law_width(grid);
  for (size_t c = 0; c < fg_law_size(grid); c++) {
    size_t row = c / n;
    if (grid->d == 2) x[2 * c] = -grid->half_width + ((double)row + 0.5) * h;
    x[grid->d * c + grid->d - 1] = -grid->half_width + ((double)(c % n) + 0.5) * h;
  }
}

void fg_law_defaults(fg_law_settings *settings)
{
  *settings = (fg_law_settings){1e-6, 1e-10, 1e-6, 1e-8, 20, FG_DOUBLE, 64};
}

fg_code fg_law_check(const fg_law_grid *grid, const fg_model *model, fg_status *st)
{
  if (grid->d != 1 && grid->d != 2)
    return FG_FAIL(st, FG_USAGE, "laws on a grid are for 1 and 2 dimensions, not %zu", grid->d);
  if (model && fg_model_dimension(model) != grid->d)
    return FG_FAIL(st, FG_USAGE, "the model %s has %zu dimensions, the grid %zu", fg_model_name(model),
                   fg_model_dimension(model), grid->d);
  size_t most = grid->d == 1 ? FG_CELLS_MOST_1 : FG_CELLS_MOST_2;
  if (grid->cells < FG_CELLS_LEAST || grid->cells > most)
    return FG_FAIL(st, FG_USAGE, "a grid of %zu cells per axis: give %d to %zu for %zu dimension%s",
                   grid->cells, FG_CELLS_LEAST, most, grid->d, grid->d == 1 ? "" : "s");
  if (!(grid->half_width > 0 && isfinite(grid->half_width)))
    return FG_FAIL(st, FG_USAGE, "a grid of half width %g: give a positive number", grid->half_width);
  return FG_OK;
}

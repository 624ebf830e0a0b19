/* What a run of `flowgap density` is to do. */
#include "analysis/density_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/grid_width.h"
#include "fokker_planck/law_check.h"

enum {
  FG_WIDTH_DRAWS = 20000,
  FG_WIDTH_PATHS = 4000,
  FG_WIDTH_MOST = 3,
  FG_CELLS_LINE = 1024,
  FG_CELLS_PLANE = 128
};

static fg_code fg_density_models(fg_density *y, fg_status *st)
{
  const fg_settings *s = y->settings;
  FG_TRY(fg_process_from_settings(s, &y->process, st));
  FG_TRY(fg_target_from_settings(s, &y->target, st));
  FG_TRY(fg_model_from_settings(y->engine, s, y->target, y->process, &y->model, st));
  y->d = fg_model_dimension(y->model);
  if (y->d > 2)
    return FG_FAIL(
        st, FG_USAGE,
        "densities on a grid are for 1 and 2 dimensions, the model %s has %zu: use flowgap compare, which "
        "draws particles",
        fg_model_name(y->model), y->d);
  if (y->target && fg_target_dimension(y->target) != y->d)
    return FG_FAIL(
        st, FG_USAGE,
        "the model has dimension %zu, the target %s has %zu: set target.dimension, or target.kind to none",
        y->d, fg_target_name(y->target), fg_target_dimension(y->target));
  FG_TRY(fg_prior_from_settings(s, y->d, y->process, y->target, &y->prior, st));
  const char *prior;
  FG_TRY(fg_settings_text(s, "prior.kind", &prior, st));
  if (strcmp(prior, "point") != 0) return FG_OK;
  return FG_FAIL(
      st, FG_USAGE,
      "a point prior has no density on a grid: start later, from prior.kind gaussian with the variance of "
      "that time (set process.horizon below process.pin)");
}

static fg_code fg_density_solver(fg_density *y, fg_status *st)
{
  const fg_settings *s = y->settings;
  const char *precision;
  int64_t krylov;
  fg_law_defaults(&y->law);
  FG_TRY(fg_settings_text(s, "density.precision", &precision, st));
  FG_TRY(fg_settings_integer(s, "density.krylov", &krylov, st));
  FG_TRY(fg_settings_real(s, "density.rtol", &y->law.rtol, st));
  FG_TRY(fg_settings_real(s, "density.atol", &y->law.atol, st));
  FG_TRY(fg_settings_real(s, "density.ode_rtol", &y->law.ode_rtol, st));
  FG_TRY(fg_settings_real(s, "density.ode_atol", &y->law.ode_atol, st));
  y->law.krylov = (int)krylov;
  y->law.precision = strcmp(precision, "single") == 0 ? FG_SINGLE : FG_DOUBLE;
  if (isnan(y->law.ode_rtol)) y->law.ode_rtol = y->law.precision == FG_SINGLE ? 1e-5 : 1e-6;
  if (isnan(y->law.ode_atol)) y->law.ode_atol = 0.01 * y->law.ode_rtol;
  return FG_OK;
}

static fg_code fg_density_times(fg_density *y, fg_status *st)
{
  const fg_settings *s = y->settings;
  double horizon = fg_process_horizon(y->process);
  FG_TRY(fg_settings_real(s, "density.lambda", &y->lambda, st));
  if (isnan(y->lambda)) FG_TRY(fg_settings_real(s, "flow.sde.lambda", &y->lambda, st));
  if (!(y->lambda > 0))
    return FG_FAIL(st, FG_USAGE, "lambda is %g: the SDE needs noise, set density.lambda above 0", y->lambda);
  FG_TRY(fg_settings_real(s, "density.t_end", &y->t_end, st));
  if (isnan(y->t_end)) {
    fg_grid *grid;
    FG_TRY(fg_grid_from_settings(s, "flow.sde", y->process, &grid, st));
    y->t_end = fg_grid_times(grid)[fg_grid_steps(grid)];
    fg_grid_destroy(&grid);
  }
  if (y->t_end < horizon) return FG_OK;
  return FG_FAIL(st, FG_USAGE, "density.t_end is %g: it must be below process.horizon, %g", y->t_end,
                 horizon);
}

/* Paths of the SDE, by the grid of flow.sde and the noise level of the run; lost ones stay where they were. */
static fg_code fg_density_paths(fg_density *y, double *x, fg_status *st)
{
  fg_grid *grid;
  fg_fixed_settings fixed;
  fg_flow_report report;
  FG_TRY(fg_grid_from_settings(y->settings, "flow.sde", y->process, &grid, st));
  fg_code rc;
  FG_GO(fg_fixed_from_settings(y->settings, "flow.sde", grid, &fixed, st), done);
  fixed.lambda = y->lambda;
  rc = fg_flow_fixed(y->model, &fixed, y->seed, 1, 0, FG_WIDTH_PATHS, x, x, NULL, NULL, y->progress, &report,
                     st);
done:
  fg_grid_destroy(&grid);
  return rc;
}

/* Share of the rows of x [n, d] that lie outside the box. */
static double fg_density_outside(const double *x, size_t n, size_t d, double half_width)
{
  size_t outside = 0;
  for (size_t i = 0; i < n; i++) {
    double reach = 0;
    for (size_t j = 0; j < d; j++) reach = fmax(reach, fabs(x[i * d + j]));
    outside += !(reach <= half_width);
  }
  return (double)outside / (double)n;
}

/* 99.99 % of what the laws start from and are to reach, and 99.9 % of where the SDE does go; a model that throws paths
 * far away does not get cells that are too wide for the rest. What is to be reached without a target: most paths. */
static fg_code fg_density_width(fg_density *y, double *half_width, fg_status *st)
{
  size_t n[3] = {FG_WIDTH_DRAWS, 0, FG_WIDTH_PATHS}, room = FG_WIDTH_DRAWS * y->d;
  double *x[3] = {malloc(room * sizeof(double)), malloc(room * sizeof(double)),
                  malloc(room * sizeof(double))};
  fg_code rc;
  if (!x[0] || !x[1] || !x[2]) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory to choose the width of the box");
    goto done;
  }
  FG_GO(fg_prior_sample(y->prior, y->seed, 0, n[0], x[0], st), done);
  if (y->target && fg_target_abilities(y->target) & FG_TARGET_SAMPLE) {
    n[1] = FG_WIDTH_DRAWS;
    FG_GO(fg_target_sample(y->target, y->seed, 0, n[1], x[1], st), done);
  }
  memcpy(x[2], x[0], n[2] * y->d * sizeof(double));
  FG_GO(fg_density_paths(y, x[2], st), done);
  double reached, most = 0;
  FG_GO(fg_grid_width(0.9999, 2, (const double *const *)x, n, y->d, half_width, st), done);
  if (!n[1]) FG_GO(fg_grid_width(0.9, 1, (const double *const *)x + 2, n + 2, y->d, &most, st), done);
  FG_GO(fg_grid_width(0.999, 1, (const double *const *)x + 2, n + 2, y->d, &reached, st), done);
  most = FG_WIDTH_MOST * fmax(*half_width, most);
  *half_width = fmax(*half_width, fmin(reached, most));
  if (reached > most) y->width_asked = reached;
  y->width_missed = fg_density_outside(x[2], n[2], y->d, *half_width);
done:
  for (int k = 0; k < 3; k++) free(x[k]);
  return rc;
}

fg_code fg_density_read(fg_density *y, fg_status *st)
{
  const fg_settings *s = y->settings;
  int64_t seed, cells, nodes, blocks;
  double half_width;
  FG_TRY(fg_settings_integer(s, "seed", &seed, st));
  FG_TRY(fg_settings_integer(s, "density.cells", &cells, st));
  FG_TRY(fg_settings_integer(s, "density.ode_nodes", &nodes, st));
  FG_TRY(fg_settings_integer(s, "density.w2_cells", &blocks, st));
  FG_TRY(fg_settings_flag(s, "density.check", &y->check, st));
  FG_TRY(fg_settings_real(s, "density.half_width", &half_width, st));
  y->seed = (uint64_t)seed;
  y->width_asked = y->width_missed = NAN;
  y->ode_nodes = (size_t)nodes;
  y->w2_cells = (size_t)blocks;
  FG_TRY(fg_density_models(y, st));
  FG_TRY(fg_density_solver(y, st));
  FG_TRY(fg_density_times(y, st));
  if (cells == 0) cells = y->d == 1 ? FG_CELLS_LINE : FG_CELLS_PLANE;
  if (isnan(half_width)) FG_TRY(fg_density_width(y, &half_width, st));
  y->full.grid = (fg_law_grid){y->d, (size_t)cells, half_width};
  y->half.grid = (fg_law_grid){y->d, (size_t)cells / 2, half_width};
  fg_law_grid fine = {y->d, y->full.grid.cells * y->ode_nodes, half_width};
  FG_TRY(fg_law_check(&y->full.grid, y->model, st));
  return fg_law_check(&fine, y->model, st);
}

/* Densities of both laws on a grid: the SDE's by finite volumes, the ODE's by its nodes, and what separates them. */
#include "analysis/density_impl.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare_impl.h"
#include "base/clock.h"
#include "base/run_directory.h"

static void fg_density_log(const fg_density *y, const char *format, ...) FG_PRINTF(2, 3);
static void fg_density_log(const fg_density *y, const char *format, ...)
{
  if (!y->log) return;
  fprintf(y->log, "%9.2f  ", fg_seconds() - y->began);
  va_list arguments;
  va_start(arguments, format);
  vfprintf(y->log, format, arguments);
  va_end(arguments);
  fputc('\n', y->log);
  fflush(y->log);
}

/* ---- the two densities -------------------------------------------------------------------------- */

static fg_code fg_density_sde(const fg_density *y, fg_density_laws *l, fg_status *st)
{
  l->sde = malloc(fg_law_size(&l->grid) * sizeof *l->sde);
  if (!l->sde) return FG_FAIL(st, FG_MEMORY, "no memory for a density on %zu cells", fg_law_size(&l->grid));
  FG_TRY(fg_law_sde(y->model, y->prior, &l->grid, &y->law, y->lambda, 1, &y->t_end, l->sde, y->progress,
                    &l->sde_report, st));
  fg_density_log(y, "SDE on %zu cells per axis: %llu steps, %.2f s", l->grid.cells,
                 (unsigned long long)l->sde_report.steps, l->sde_report.seconds);
  return FG_OK;
}

/* Means over the nodes of each cell; fine [ (cells k)^d ] becomes coarse [cells^d]. */
static void fg_density_average(const fg_law_grid *grid, size_t k, const double *fine, double *coarse)
{
  size_t n = grid->cells, rows = grid->d == 2 ? k : 1, line = n * k;
  for (size_t c = 0; c < fg_law_size(grid); c++) {
    double sum = 0;
    for (size_t a = 0; a < rows; a++)
      for (size_t b = 0; b < k; b++)
        sum += exp(fine[(c / n * k + a) * line * (grid->d == 2) + c % n * k + b]);
    coarse[c] = sum / (double)(rows * k);
  }
}

static fg_code fg_density_ode(const fg_density *y, fg_density_laws *l, fg_status *st)
{
  fg_law_grid nodes = l->grid;
  nodes.cells *= y->ode_nodes;
  size_t size = fg_law_size(&l->grid), all = fg_law_size(&nodes);
  l->ode = malloc(size * sizeof *l->ode);
  double *log_p = malloc(all * sizeof *log_p);
  fg_code rc = l->ode && log_p ? FG_OK : FG_FAIL(st, FG_MEMORY, "no memory for a density at %zu nodes", all);
  if (rc == FG_OK)
    rc = fg_law_ode(y->model, y->prior, &nodes, &y->law, y->t_end, log_p, y->progress, &l->ode_report, st);
  if (rc == FG_OK) {
    fg_density_average(&l->grid, y->ode_nodes, log_p, l->ode);
    fg_density_log(y, "ODE at %zu nodes per axis: %llu steps, %llu lost, %.2f s", nodes.cells,
                   (unsigned long long)l->ode_report.steps, (unsigned long long)l->ode_report.lost,
                   l->ode_report.seconds);
  }
  free(log_p);
  return rc;
}

/* ---- the run ------------------------------------------------------------------------------------- */

static fg_code fg_density_laws_on(const fg_density *y, fg_density_laws *l, fg_status *st)
{
  FG_TRY(fg_density_sde(y, l, st));
  FG_TRY(fg_density_ode(y, l, st));
  for (size_t c = 0; c < fg_law_size(&l->grid); c++) l->ode_mass += l->ode[c] * fg_law_volume(&l->grid);
  FG_TRY(fg_law_compare(&l->grid, l->sde, l->ode, &l->distance, st));
  FG_TRY(fg_density_w2(l, y->w2_cells, y->engine, y->progress, st));
  fg_density_log(y, "W2 from %.6g to %.6g; by %zu blocks per axis %.6g, %.2f s", l->w2_low, l->w2_high,
                 l->w2_cells, l->w2.value, l->w2.seconds);
  return FG_OK;
}

static void fg_density_clear(fg_density *y)
{
  if (y->log) fclose(y->log);
  fg_model_destroy(&y->model);
  fg_prior_destroy(&y->prior);
  fg_target_destroy(&y->target);
  fg_process_destroy(&y->process);
  free(y->full.sde);
  free(y->full.ode);
  free(y->half.sde);
  free(y->half.ode);
}

fg_code fg_density_run(fg_engine *engine, const fg_settings *settings, const char *run_directory,
                       const fg_progress *progress, fg_status *st)
{
  fg_density y = {.engine = engine, .settings = settings, .progress = progress, .began = fg_seconds()};
  fg_code rc;
  FG_GO(fg_compare_folder(run_directory, st), done);
  FG_GO(fg_density_read(&y, st), done);
  FG_GO(fg_run_directory_open(run_directory, settings, &y.log, st), done);
  fg_density_log(&y, "flowgap %s, engine %s (%s%s), %zu cells per axis of [-%g, %g]", fg_version(),
                 fg_engine_name(engine), fg_engine_isa(engine), fg_engine_tf32(engine) ? ", TF32" : "",
                 y.full.grid.cells, y.full.grid.half_width, y.full.grid.half_width);
  FG_GO(fg_density_laws_on(&y, &y.full, st), done);
  if (y.check) FG_GO(fg_density_laws_on(&y, &y.half, st), done);
  y.seconds = fg_seconds() - y.began;
  FG_GO(fg_run_directory_replace(run_directory, settings, st), done);
  FG_GO(fg_density_save(&y, run_directory, st), done);
  FG_GO(fg_density_results(&y, run_directory, st), done);
  rc = fg_report_write(run_directory, st);
  fg_density_log(&y, "%s", rc == FG_OK ? "report written" : "failed");
done:
  if (rc != FG_OK && st) fg_density_log(&y, "%s: %s", fg_code_name(rc), st->message);
  fg_density_clear(&y);
  return rc;
}

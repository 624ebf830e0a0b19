/* The main job: draw the ODE and SDE laws of a model, measure how far apart they are, save, report. */
#include "compare_impl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/budget.h"
#include "analysis/budget_search.h"
#include "analysis/compare_certificate.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/run_directory.h"

void fg_compare_log(fg_comparison *c, const char *format, ...)
{
  if (!c->log) return;
  fprintf(c->log, "%9.2f  ", fg_seconds() - c->seconds);
  va_list arguments;
  va_start(arguments, format);
  vfprintf(c->log, format, arguments);
  va_end(arguments);
  fputc('\n', c->log);
  fflush(c->log);
}

fg_code fg_compare_models(fg_comparison *c, fg_status *st)
{
  const fg_settings *s = c->settings;
  FG_TRY(fg_process_from_settings(s, &c->process, st));
  FG_TRY(fg_target_from_settings(s, &c->target, st));
  FG_TRY(fg_model_from_settings(c->engine, s, c->target, c->process, &c->model, st));
  c->d = fg_model_dimension(c->model);
  if (c->target && fg_target_dimension(c->target) != c->d)
    return FG_FAIL(st, FG_USAGE,
                   "the model has dimension %zu, the target %s has %zu: set target.dimension, "
                   "or target.kind to none",
                   c->d, fg_target_name(c->target), fg_target_dimension(c->target));
  return fg_prior_from_settings(s, c->d, c->process, c->target, &c->prior, st);
}

fg_code fg_compare_flows(fg_comparison *c, fg_status *st)
{
  const fg_settings *s = c->settings;
  FG_TRY(fg_grid_from_settings(s, "flow.sde", c->process, &c->sde_grid, st));
  FG_TRY(fg_fixed_from_settings(s, "flow.sde", c->sde_grid, &c->sde, st));
  FG_TRY(fg_ode_from_settings(s, &c->ode, &c->t_end, &c->ode_on_grid, st));
  c->ode.tile = fg_ode_tile_size(c->model, &c->ode);
  c->t_start = fg_process_horizon(c->process);
  if (!c->ode_on_grid) return FG_OK;
  FG_TRY(fg_grid_from_settings(s, "flow.ode", c->process, &c->ode_grid, st));
  FG_TRY(fg_fixed_from_settings(s, "flow.ode", c->ode_grid, &c->ode_fixed, st));
  c->t_end = fg_grid_times(c->ode_grid)[fg_grid_steps(c->ode_grid)];
  return FG_OK;
}

static fg_code fg_compare_counts(fg_comparison *c, fg_status *st)
{
  const fg_settings *s = c->settings;
  int64_t n, points, seed;
  FG_TRY(fg_settings_integer(s, "compare.particles", &n, st));
  FG_TRY(fg_settings_integer(s, "compare.residual_points", &points, st));
  FG_TRY(fg_settings_integer(s, "seed", &seed, st));
  FG_TRY(fg_settings_real(s, "compare.box", &c->box, st));
  FG_TRY(fg_settings_flag(s, "compare.same_starts", &c->same_starts, st));
  c->n = (size_t)n;
  c->residual_points = (size_t)points;
  c->seed = (uint64_t)seed;
  return FG_OK;
}

static fg_code fg_compare_estimators(fg_comparison *c, fg_status *st)
{
  const fg_settings *s = c->settings;
  bool all;
  FG_TRY(fg_estimators_from_settings(s, c->wanted, &all, st));
  for (int e = 0; e < FG_ESTIMATORS; e++)
    FG_TRY(fg_estimate_from_settings(s, (fg_estimator)e, &c->estimate_settings[e], st));
  if (c->wanted[FG_W2_GRID] && c->d != 2) {
    if (!all && fg_settings_given(s, "compare.estimators"))
      return FG_FAIL(st, FG_USAGE,
                     "the grid estimator needs dimension 2, the model has %zu: leave grid out of "
                     "compare.estimators",
                     c->d);
    c->wanted[FG_W2_GRID] = false;
    c->grid_left_out = true;
  }
  return FG_OK;
}

fg_code fg_compare_folder(const char *run_directory, fg_status *st)
{
  struct stat about;
  char *path = fg_path_join(run_directory, "checkpoint.h5");
  if (!path) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", run_directory);
  bool training = stat(path, &about) == 0;
  free(path);
  if (!training) return FG_OK;
  return FG_FAIL(
      st, FG_USAGE,
      "%s holds a training (checkpoint.h5), whose settings and results would be replaced: choose another "
      "folder with --out",
      run_directory);
}

void fg_comparison_clear(fg_comparison *c)
{
  if (c->log) fclose(c->log);
  fg_model_destroy(&c->model);
  fg_prior_destroy(&c->prior);
  fg_target_destroy(&c->target);
  fg_process_destroy(&c->process);
  fg_grid_destroy(&c->sde_grid);
  fg_grid_destroy(&c->ode_grid);
  free(c->start);
  free(c->sde_start);
  for (int k = 0; k < FG_LAWS; k++) free(c->law[k]);
  free(c->node);
  free(c->snapshot_t);
  free(c->snapshot_ode);
  free(c->snapshot_sde);
  free(c->trace_t);
  free(c->trace_ode);
  free(c->trace_sde);
  free(c->snapshot_estimate);
  free(c->curve);
  free(c->budget);
  fg_gap_certificate_destroy(&c->certificate);
}

fg_code fg_compare_prepare(fg_comparison *c, const char *run_directory, fg_status *st)
{
  FG_TRY(fg_compare_folder(run_directory, st));
  FG_TRY(fg_compare_counts(c, st));
  FG_TRY(fg_compare_models(c, st));
  FG_TRY(fg_compare_flows(c, st));
  FG_TRY(fg_compare_estimators(c, st));
  FG_TRY(fg_compare_budget_settings(c, st));
  FG_TRY(fg_compare_lambda_settings(c, st));
  return fg_compare_certificate_settings(c, st);
}

fg_code fg_compare_open(fg_comparison *c, const char *run_directory, fg_status *st)
{
  FG_TRY(c->going_on ? fg_run_directory_reopen(run_directory, c->settings, &c->log, st)
                     : fg_run_directory_open(run_directory, c->settings, &c->log, st));
  FG_TRY(fg_compare_saved_sign(c, st));
  fg_compare_log(c, "flowgap %s, engine %s (%s%s), seed %llu%s", fg_version(), fg_engine_name(c->engine),
                 fg_engine_isa(c->engine), fg_engine_tf32(c->engine) ? ", TF32" : "",
                 (unsigned long long)c->seed, c->going_on ? ", going on after what is finished" : "");
  fg_compare_log(c, "the flows start at t = %.9g, where v = %.6g", fg_process_horizon(c->process),
                 fg_process_v(c->process, fg_process_horizon(c->process)));
  return FG_OK;
}

fg_code fg_compare_measure(fg_comparison *c, fg_status *st)
{
  FG_TRY(fg_compare_draw(c, st));
  FG_TRY(fg_compare_estimate(c, st));
  return fg_compare_budget(c, st);
}

static fg_code fg_compare_write(fg_comparison *c, const char *run_directory, fg_status *st)
{
  double began = c->seconds;
  c->seconds = fg_seconds() - began;
  fg_code rc = fg_run_directory_replace(run_directory, c->settings, st);
  if (rc == FG_OK) rc = fg_compare_samples(c, run_directory, st);
  if (rc == FG_OK) rc = fg_compare_results(c, run_directory, st);
  c->seconds = began;
  if (rc == FG_OK && c->saved)
    fg_saved_remove(c->saved); /* a page that fails can be made by `flowgap report` */
  if (rc == FG_OK) rc = fg_report_write(run_directory, st);
  fg_compare_log(c, "%s", rc == FG_OK ? "report written" : "failed");
  return rc;
}

fg_code fg_compare_finish(fg_comparison *c, const char *run_directory, fg_status *st)
{
  FG_TRY(fg_compare_residual(c, st));
  FG_TRY(fg_compare_lambda(c, st));
  FG_TRY(fg_compare_certificate(c, st));
  return fg_compare_write(c, run_directory, st);
}

void fg_compare_close(fg_comparison *c, fg_code rc, const fg_status *st)
{
  if (rc != FG_OK && st) fg_compare_log(c, "%s: %s", fg_code_name(rc), st->message);
  fg_comparison_clear(c);
}

static fg_code fg_compare_begin(fg_engine *engine, const fg_settings *settings, const char *run_directory,
                                fg_compare_start how, const fg_progress *progress, fg_status *st)
{
  fg_comparison c = {.engine = engine, .settings = settings, .progress = progress};
  fg_saved *saved = NULL;
  double target;
  fg_code rc;
  FG_TRY(fg_settings_real(settings, "compare.target_error", &target, st));
  FG_TRY(fg_compare_saved_open(&c, run_directory, how, &saved, st));
  if (target > 0) {
    rc = fg_compare_search(&c, run_directory, st);
    return fg_compare_saved_close(&saved, rc, st);
  }
  FG_GO(fg_compare_prepare(&c, run_directory, st), done);
  FG_GO(fg_compare_open(&c, run_directory, st), done);
  FG_GO(fg_compare_measure(&c, st), done);
  FG_GO(fg_compare_finish(&c, run_directory, st), done);
done:
  fg_compare_close(&c, rc, st);
  return fg_compare_saved_close(&saved, rc, st);
}

fg_code fg_compare_run(fg_engine *engine, const fg_settings *settings, const char *run_directory,
                       const fg_progress *progress, fg_status *st)
{
  return fg_compare_begin(engine, settings, run_directory, FG_COMPARE_ANEW, progress, st);
}

fg_code fg_compare_resume(fg_engine *engine, const fg_settings *settings, const char *run_directory,
                          bool or_anew, const fg_progress *progress, fg_status *st)
{
  return fg_compare_begin(engine, settings, run_directory, or_anew ? FG_COMPARE_EITHER : FG_COMPARE_RESUME,
                          progress, st);
}

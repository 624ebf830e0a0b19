/* flowgap residual: the Fokker-Planck residual of a model under several measures, saved and reported. */
#include "analysis/residual_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/run_directory.h"

const char *const fg_measure_names[FG_MEASURES] = {"box", "data", "sde", "ode"};

enum { FG_EXACT_UP_TO = 32, FG_MAPS_DEFAULT = 6 };

/* Which measures; data without samples is an error when it was asked for, else it is left out (and a warning). */
static fg_code fg_read_measures(fg_residual_state *s, fg_status *st)
{
  const fg_settings *from = s->c.settings;
  const char *const *words;
  size_t count;
  FG_TRY(fg_settings_words(from, "residual.measures", &words, &count, st));
  if (count == 0)
    return FG_FAIL(st, FG_USAGE, "residual.measures is empty: give some of box, data, sde, ode");
  for (size_t i = 0; i < count; i++)
    for (int k = 0; k < FG_MEASURES; k++)
      if (strcmp(words[i], fg_measure_names[k]) == 0) s->measured[k].wanted = true;
  bool samples = s->c.target && (fg_target_abilities(s->c.target) & FG_TARGET_SAMPLE);
  if (samples || !s->measured[FG_MEASURE_DATA].wanted) return FG_OK;
  if (fg_settings_given(from, "residual.measures"))
    return FG_FAIL(
        st, FG_USAGE,
        "residual.measures has data, but %s cannot be sampled: leave data out, or give a target.kind "
        "that can",
        s->c.target ? fg_target_name(s->c.target) : "there is no target and it");
  s->measured[FG_MEASURE_DATA].wanted = false;
  return FG_OK;
}

static fg_code fg_read_numbers(fg_residual_state *s, fg_status *st)
{
  const fg_settings *from = s->c.settings;
  const char *trace, *precision;
  int64_t points, times, probes;
  FG_TRY(fg_settings_check(from, "residual", st));
  FG_TRY(fg_settings_integer(from, "residual.points", &points, st));
  FG_TRY(fg_settings_integer(from, "residual.times", &times, st));
  FG_TRY(fg_settings_integer(from, "residual.probes", &probes, st));
  FG_TRY(fg_settings_text(from, "residual.trace", &trace, st));
  FG_TRY(fg_settings_text(from, "residual.precision", &precision, st));
  FG_TRY(fg_settings_real(from, "residual.box", &s->box, st));
  FG_TRY(fg_settings_real(from, "residual.t_end", &s->low, st));
  s->points = (size_t)points;
  s->times = (size_t)times;
  bool asked = strcmp(trace, "probes") == 0, large = strcmp(trace, "auto") == 0 && s->c.d > FG_EXACT_UP_TO;
  if (asked && s->form == FG_RESIDUAL_SCORE)
    return FG_FAIL(
        st, FG_USAGE,
        "residual.trace is probes, but the residual of a vector model has exact derivatives only: leave "
        "it out");
  fg_residual_defaults(&s->how);
  s->how.precision = strcmp(precision, "single") == 0 ? FG_SINGLE : FG_DOUBLE;
  s->how.probes = asked || (large && s->form == FG_RESIDUAL_LOG) ? (int)probes : 0;
  s->how.seed = s->c.seed;
  s->high = fg_process_horizon(s->c.process);
  if (isnan(s->low)) s->low = fg_grid_times(s->c.sde_grid)[fg_grid_steps(s->c.sde_grid)];
  if (s->low >= s->high)
    return FG_FAIL(st, FG_USAGE, "residual.t_end is %g: it must be below process.horizon, %g", s->low,
                   s->high);
  return FG_OK;
}

static fg_code fg_read_maps(fg_residual_state *s, fg_status *st)
{
  const double *asked;
  size_t shape[3];
  FG_TRY(fg_settings_array(s->c.settings, "residual.map_times", &asked, shape, st));
  if (asked && s->c.d > 2)
    return FG_FAIL(st, FG_USAGE,
                   "residual.map_times: maps are made in one or two dimensions, the model has %zu", s->c.d);
  if (asked && (shape[0] > FG_MAPS_MAX || shape[1] != 1))
    return FG_FAIL(st, FG_USAGE, "residual.map_times must be a list of at most %d times", FG_MAPS_MAX);
  if (s->c.d > 2) return FG_OK;
  s->cells = s->c.d == 2 ? FG_MAP_CELLS : FG_CURVE_CELLS;
  s->maps = asked ? shape[0] : FG_MAPS_DEFAULT;
  double least = s->low > 0 ? s->low : 1e-3 * s->high;
  for (size_t k = 0; k < s->maps; k++) {
    s->map_t[k] = asked ? asked[k] : s->high * pow(least / s->high, (double)k / (FG_MAPS_DEFAULT - 1));
    if (s->map_t[k] > s->high)
      return FG_FAIL(st, FG_USAGE,
                     "residual.map_times has %g: noising times go from 0 to process.horizon, %g", s->map_t[k],
                     s->high);
  }
  return FG_OK;
}

static fg_code fg_read_settings(fg_residual_state *s, fg_status *st)
{
  int64_t seed;
  FG_TRY(fg_settings_integer(s->c.settings, "seed", &seed, st));
  s->c.seed = (uint64_t)seed;
  FG_TRY(fg_compare_models(&s->c, st));
  FG_TRY(fg_residual_form_of(s->c.model, &s->form, st));
  FG_TRY(fg_compare_flows(&s->c, st));
  FG_TRY(fg_read_measures(s, st));
  FG_TRY(fg_read_numbers(s, st));
  return fg_read_maps(s, st);
}

static fg_code fg_measure_all(fg_residual_state *s, fg_status *st)
{
  if (s->measured[FG_MEASURE_BOX].wanted || s->maps) FG_TRY(fg_residual_width(s, st));
  for (int k = 0; k < FG_MEASURES; k++)
    if (s->measured[k].wanted) FG_TRY(fg_measure_run(s, (fg_measure)k, st));
  return s->maps ? fg_residual_maps(s, st) : FG_OK;
}

static void fg_residual_clear(fg_residual_state *s)
{
  for (int k = 0; k < FG_MEASURES; k++) {
    fg_measured *m = &s->measured[k];
    free(m->largest.x);
    for (int i = 0; i < FG_RESIDUAL_NAMED; i++) free(m->lost[i].x);
    free(m->t);
    free(m->profile);
  }
  free(s->map);
  fg_comparison_clear(&s->c);
}

fg_code fg_residual_run(fg_engine *engine, const fg_settings *settings, const char *run_directory,
                        const fg_progress *progress, fg_status *st)
{
  fg_residual_state s = {.c = {.engine = engine, .settings = settings, .progress = progress}};
  fg_code rc;
  s.c.seconds = fg_seconds();
  FG_GO(fg_compare_folder(run_directory, st), done);
  FG_GO(fg_read_settings(&s, st), done);
  FG_GO(fg_run_directory_open(run_directory, settings, &s.c.log, st), done);
  fg_compare_log(&s.c, "flowgap %s, engine %s (%s%s), seed %llu", fg_version(), fg_engine_name(engine),
                 fg_engine_isa(engine), fg_engine_tf32(engine) ? ", TF32" : "", (unsigned long long)s.c.seed);
  FG_GO(fg_measure_all(&s, st), done);
  FG_GO(fg_run_directory_replace(run_directory, settings, st), done);
  FG_GO(fg_residual_save_maps(&s, run_directory, st), done);
  FG_GO(fg_residual_results(&s, run_directory, st), done);
  rc = fg_report_write(run_directory, st);
  fg_compare_log(&s.c, "%s", rc == FG_OK ? "report written" : "failed");
done:
  if (rc != FG_OK && st) fg_compare_log(&s.c, "%s: %s", fg_code_name(rc), st->message);
  fg_residual_clear(&s);
  return rc;
}

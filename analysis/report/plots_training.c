/* Figures of a training: importance weights, and curves over its steps. */
#include "analysis/report/plots.h"

#include <math.h>
#include <stdio.h>

static void begin_curve(fg_plots *plots, const char *name, const char *label)
{
  fg_page *script = fg_figures_script(plots->figures);
  fg_figures_begin(plots->figures, name, 460, 290);
  fg_plot_grid(script);
  fg_page_print(script,
                "set xlabel 'step of the training' tc rgb " FG_INK "\nset ylabel '%s' tc rgb " FG_INK "\n",
                label);
}

/* ---- importance weights ----------------------------------------------------------------- */

/* An upright line at x, up to the height of the histogram. */
static void script_mark(fg_page *script, double x, double top, int color)
{
  if (isfinite(x)) fg_page_print(script, "%.9g %.9g %d\n", x, top, color);
}

static void plot_weights(const json_t *sampler, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  const json_t *weights = fg_run_find(sampler, "weights"), *counts = fg_run_find(weights, "counts");
  double low = fg_run_real(weights, "low"), most = fg_run_real(weights, "most"), top = 0;
  size_t bins = json_array_size(counts);
  if (!bins || !isfinite(low) || !(most > low)) return; /* all alike: the page says so in words */
  double width = (most - low) / (double)bins;
  fg_page_put(script, "$weights << EOD\n");
  for (size_t i = 0; i < bins; i++) {
    double count = json_number_value(json_array_get(counts, i));
    fg_page_print(script, "%.9g %.9g\n", low + ((double)i + 0.5) * width, count);
    top = fmax(top, count);
  }
  fg_page_put(script, "EOD\n$marks << EOD\n");
  script_mark(script, fg_run_real(sampler, "log_z_elbo"), 1.08 * top, 0);
  script_mark(script, fg_run_real(sampler, "log_z_is"), 1.08 * top, 1);
  script_mark(script, fg_run_real(sampler, "log_z"), 1.08 * top, 2);
  fg_page_put(script, "EOD\n");
  plots->weights = true;
  fg_figures_begin(plots->figures, "weights", 460, 290);
  fg_plot_grid(script);
  double known = fg_run_real(sampler, "log_z"), right = isfinite(known) ? fmax(most, known) : most;
  double left = isfinite(known) ? fmin(low, known) : low;
  fg_page_print(script,
                "set xrange [%.9g:%.9g]\nset yrange [0:%.9g]\nset xlabel 'log {/:Italic w}' tc rgb " FG_INK
                "\nset ylabel 'paths' tc rgb " FG_INK "\nset style fill transparent solid 0.25 noborder\n"
                "color(k) = k == 0 ? 0x0072b2 : k == 1 ? 0x010101 : 0x009e73\n",
                left - width, right + width, 1.1 * top);
  fg_page_put(script, "plot $weights using 1:2 with boxes lc rgb " FG_INK
                      ", $marks using 1:(0):(0):2:(color($3)) with vectors nohead lw 2 lc rgb variable\n");
  fg_figures_axes(plots->figures, "log w", "paths", false);
  fg_figures_series(plots->figures, &(fg_series){.label = "", .block = "weights", .x = 1, .y = 2});
}

/* ---- curves ----------------------------------------------------------------------------- */

/* Rows "step value low high" of a member of the curve; whether a logarithmic axis suits it. */
static size_t script_curve(const json_t *curve, const char *key, fg_page *script, bool *log_axis)
{
  char low_key[40], high_key[40];
  size_t i, rows = 0;
  double least = INFINITY, most = 0;
  const json_t *point;
  snprintf(low_key, sizeof low_key, "%s_low", key);
  snprintf(high_key, sizeof high_key, "%s_high", key);
  json_array_foreach((json_t *)curve, i, point)
  {
    double value = fg_run_real(point, key), low = fg_run_real(point, low_key),
           high = fg_run_real(point, high_key);
    if (!isfinite(value)) continue;
    fg_page_print(script, "%.9g %.9g %.9g %.9g\n", fg_run_real(point, "step"), value, low, high);
    least = fmin(least, low);
    most = fmax(most, high);
    rows++;
  }
  *log_axis = least > 0 && most > 20 * least;
  return rows;
}

static bool plot_curve(const json_t *curve, const char *key, const char *name, const char *label,
                       fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  bool log_axis;
  char block[48];
  snprintf(block, sizeof block, "curve_%.30s", key);
  fg_page_print(script, "$%s << EOD\n", block);
  size_t rows = script_curve(curve, key, script, &log_axis);
  fg_page_put(script, "EOD\n");
  if (rows < 2) return false;
  begin_curve(plots, name, label);
  if (log_axis) fg_plot_log_y(script);
  fg_page_print(script,
                "plot $%s using 1:3:4 with filledcurves lc rgb " FG_INK
                " fs transparent solid 0.15 noborder, $%s using 1:2 with lines lw 1.6 lc rgb " FG_INK "\n",
                block, block);
  fg_figures_axes(plots->figures, "step", label, false);
  fg_figures_series(plots->figures,
                    &(fg_series){.label = "", .block = block, .x = 1, .y = 2, .low = 3, .high = 4});
  return true;
}

/* Rows "step, bound, its error, importance sampling, its error, effective share" of the evaluations. */
static size_t script_evaluations(const json_t *list, fg_page *script)
{
  const json_t *one;
  size_t i, rows = 0;
  fg_page_put(script, "$evaluations << EOD\n");
  json_array_foreach((json_t *)list, i, one)
  {
    if (!isfinite(fg_run_real(one, "log_z_is"))) continue;
    fg_page_print(script, "%.9g %.9g %.9g %.9g %.9g %.9g\n", fg_run_real(one, "step"),
                  fg_run_real(one, "log_z_elbo"), fg_run_real(one, "log_z_elbo_se"),
                  fg_run_real(one, "log_z_is"), fg_run_real(one, "log_z_is_se"), fg_run_real(one, "ess"));
    rows++;
  }
  fg_page_put(script, "EOD\n");
  return rows;
}

static void plot_evaluations(const json_t *training, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  double known = fg_run_real(training, "sampler.log_z");
  if (script_evaluations(fg_run_find(training, "evaluations"), script) < 2) return;
  plots->log_z = plots->ess = true;
  begin_curve(plots, "log-z", "log {/:Italic Z}");
  fg_page_put(script, "plot ");
  if (isfinite(known)) fg_page_print(script, "%.9g with lines lw 1.4 dt (6,3) lc rgb " FG_TARGET ", ", known);
  fg_page_put(script,
              "$evaluations using 1:($2-2*$3):($2+2*$3) with filledcurves lc rgb " FG_ODE
              " fs transparent solid 0.2 noborder, $evaluations using 1:2 with linespoints lw 1.6 pt 7 "
              "ps 0.4 lc rgb " FG_ODE
              ", $evaluations using 1:($4-2*$5):($4+2*$5) with filledcurves lc rgb " FG_INK
              " fs transparent solid 0.2 noborder, $evaluations using 1:4 with linespoints lw 1.6 pt 7 "
              "ps 0.4 lc rgb " FG_INK "\n");
  fg_figures_axes(plots->figures, "step", "log Z", false);
  fg_figures_series(
      plots->figures,
      &(fg_series){.label = "importance sampling", .block = "evaluations", .x = 1, .y = 4, .error = 5});
  fg_figures_series(plots->figures,
                    &(fg_series){.label = "lower bound", .block = "evaluations", .x = 1, .y = 2, .error = 3});
  begin_curve(plots, "ess", "effective share of the sample");
  fg_page_put(script, "set yrange [0:1]\nplot $evaluations using 1:6 with linespoints lw 1.6 pt 7 ps 0.4 lc "
                      "rgb " FG_INK "\n");
  fg_figures_axes(plots->figures, "step", "ESS / n", false);
  fg_figures_series(plots->figures, &(fg_series){.label = "", .block = "evaluations", .x = 1, .y = 6});
}

void fg_plot_training(const fg_run *run, fg_plots *plots)
{
  const json_t *curve = fg_run_find(run->training, "curve");
  if (!run->training) return;
  plot_weights(fg_run_find(run->training, "sampler"), plots);
  plots->loss = plot_curve(curve, "loss", "loss", "loss", plots);
  plots->trained_residual =
      plot_curve(curve, "residual", "trained-residual", "mean square of the residual", plots);
  plot_evaluations(run->training, plots);
}

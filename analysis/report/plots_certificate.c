/* Figures of the certificate and of the curve over lambda. */
#include "analysis/report/plots.h"

#include <math.h>
#include <string.h>

static void script_frame(fg_plots *plots, const char *name, double least, double most, const char *label)
{
  fg_page *script = fg_figures_script(plots->figures);
  fg_figures_begin(plots->figures, name, 460, 290);
  fg_plot_time_axis(script, least, most);
  fg_page_print(script,
                "set grid ytics lt 1 lw 0.6 lc rgb " FG_RULE "\nset ylabel '%s' tc rgb " FG_INK "\n"
                "set xzeroaxis lt 1 lw 0.8 lc rgb " FG_MUTED "\n",
                label);
}

static void script_number(fg_page *script, double value)
{
  if (isfinite(value))
    fg_page_print(script, " %.9g", value);
  else
    fg_page_put(script, " NaN");
}

/* Largest size of L on a way, to see whether one would flatten the others. */
static double curve_size(const json_t *list, const char *path)
{
  const json_t *one;
  size_t i;
  double most = 0;
  json_array_foreach((json_t *)list, i, one)
  {
    double value = fabs(fg_run_real(one, path));
    if (isfinite(value)) most = fmax(most, value);
  }
  return most;
}

static void plot_lipschitz(const json_t *list, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  double seen = fmax(curve_size(list, "lipschitz.paths"), curve_size(list, "lipschitz.box"));
  double global = curve_size(list, "lipschitz.global");
  plots->lipschitz_global = global > 0 && global < 8 * seen;
  fg_page_put(script, "plot ");
  if (plots->lipschitz_global)
    fg_page_put(script, "$certificate using 1:10 with lines lw 1.4 dt (6,3) lc rgb " FG_MUTED ", ");
  if (curve_size(list, "lipschitz.box") > 0)
    fg_page_put(script, "$certificate using 1:9 with lines lw 1.6 lc rgb " FG_SDE ", ");
  fg_page_put(script, "$certificate using 1:8 with lines lw 1.6 dt (2,2) lc rgb " FG_INK "\n");
}

static void tell_curve(fg_plots *plots, const char *label, int y, int error)
{
  fg_figures_series(plots->figures,
                    &(fg_series){.label = label, .block = "certificate", .x = 1, .y = y, .error = error});
}

/* Only where the law is known on a grid. */
static void plot_apart(double least, double most, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  script_frame(plots, "apart", least, most,
               "{/:Italic g}^2/2 E|\xe2\x88\x87 log {/:Italic p} \xe2\x88\x92 {/:Italic s}|^2");
  fg_page_put(
      script,
      "set yrange [0:*]\nplot $certificate using 1:($4-2*$5):($4+2*$5) with filledcurves lc rgb " FG_SDE
      " fs transparent solid 0.35 noborder, $certificate using 1:2 with lines lw 1.6 lc rgb " FG_INK "\n");
  fg_figures_axes(plots->figures, "t", "left side", false);
  tell_curve(plots, "on the grid", 2, 0);
  tell_curve(plots, "by paths", 4, 5);
}

void fg_plot_certificate(const fg_run *run, fg_plots *plots)
{
  static const char *const columns[] = {"fisher",          "residual",       "fisher_paths",
                                        "fisher_paths_se", "residual_paths", "residual_paths_se",
                                        "lipschitz.paths", "lipschitz.box",  "lipschitz.global"};
  fg_page *script = fg_figures_script(plots->figures);
  const json_t *list = fg_run_find(run->results, "certificate.curve"), *one;
  size_t i, rows = 0, apart = 0;
  double least = INFINITY, most = 0;
  fg_page_put(script, "$certificate << EOD\n");
  json_array_foreach((json_t *)list, i, one)
  {
    double t = fg_run_real(one, "t");
    if (!(t > 0)) continue; /* logarithmic axis */
    fg_page_print(script, "%.9g", t);
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
      script_number(script, fg_run_real(one, columns[c]));
    fg_page_put(script, "\n");
    least = fmin(least, t);
    most = fmax(most, t);
    rows++;
    apart += isfinite(fg_run_real(one, "fisher"));
  }
  fg_page_put(script, "EOD\n");
  if (rows < 2) return;
  plots->certificate = true;
  plots->apart = apart > 1;
  if (plots->apart) plot_apart(least, most, plots);
  script_frame(plots, "source", least, most, "E[{/:Italic R}]");
  fg_page_put(script,
              "plot $certificate using 1:($6-2*$7):($6+2*$7) with filledcurves lc rgb " FG_SDE
              " fs transparent solid 0.35 noborder, $certificate using 1:6 with lines lw 1.2 lc rgb " FG_SDE
              ", $certificate using 1:3 with lines lw 1.6 lc rgb " FG_INK "\n");
  fg_figures_axes(plots->figures, "t", "E[R]", false);
  if (plots->apart) tell_curve(plots, "on the grid", 3, 0);
  tell_curve(plots, "by paths", 6, 7);
  script_frame(plots, "lipschitz", least, most, "{/:Italic L}({/:Italic t})");
  plot_lipschitz(list, plots);
  fg_figures_axes(plots->figures, "t", "L", false);
  tell_curve(plots, "paths", 8, 0);
  if (curve_size(list, "lipschitz.box") > 0) tell_curve(plots, "box", 9, 0);
  if (plots->lipschitz_global) tell_curve(plots, "all of space", 10, 0);
}

/* ---- the curve over lambda ----------------------------------------------------------------------- */

/* The estimator of the headline when the curve has it, else the first that it has. */
static const json_t *curve_estimate(const json_t *point, const char **name)
{
  static const char *const order[] = {"grid", "exact", "gaussian", "sliced"};
  const json_t *w2 = fg_run_find(point, "w2");
  for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
    const json_t *one = fg_run_find(w2, order[i]);
    if (!one) continue;
    *name = order[i];
    return one;
  }
  return NULL;
}

void fg_plot_lambda(const fg_run *run, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  const json_t *list = fg_run_find(run->results, "lambda_curve"), *point;
  size_t i, rows = 0;
  double least = INFINITY, most = -INFINITY;
  plots->lambda_estimator = NULL;
  fg_page_put(script, "$lambda << EOD\n");
  json_array_foreach((json_t *)list, i, point)
  {
    const json_t *one = curve_estimate(point, &plots->lambda_estimator);
    double lambda = fg_run_real(point, "lambda"), value = fg_run_real(one, "value");
    if (!isfinite(lambda) || !isfinite(value)) continue;
    fg_page_print(script, "%.9g %.9g", lambda, value);
    script_number(script, fg_run_real(one, "ci_low"));
    script_number(script, fg_run_real(one, "ci_high"));
    script_number(script, fg_run_real(one, "floor"));
    fg_page_put(script, "\n");
    least = fmin(least, lambda);
    most = fmax(most, lambda);
    rows++;
  }
  fg_page_put(script, "EOD\n");
  if (rows < 2 || !(most > least)) return;
  plots->lambda = true;
  fg_figures_begin(plots->figures, "lambda", 460, 290);
  fg_page_print(script,
                "set grid ytics lt 1 lw 0.6 lc rgb " FG_RULE "\nset xrange [%.9g:%.9g]\nset yrange [0:*]\n"
                "set xlabel '{/:Italic \xce\xbb}' tc rgb " FG_INK "\n"
                "set ylabel '{/:Italic W}_2 to the ODE' tc rgb " FG_INK "\n",
                least - 0.02 * (most - least), most + 0.02 * (most - least));
  fg_page_put(script,
              "plot $lambda using 1:(0):5 smooth unique with filledcurves lc rgb " FG_MUTED
              " fs transparent solid 0.2 noborder, $lambda using 1:2:3:4 with yerrorbars lw 1.6 pt 7 ps 0.5 "
              "lc rgb " FG_SDE ", $lambda using 1:2 smooth unique with lines lw 1.2 lc rgb " FG_SDE "\n");
  fg_figures_axes(plots->figures, "\xce\xbb", FG_W2_PLAIN " to the ODE", false);
  fg_figures_series(
      plots->figures,
      &(fg_series){.label = "", .block = "lambda", .x = 1, .y = 2, .low = 3, .high = 4, .floor = 5});
}

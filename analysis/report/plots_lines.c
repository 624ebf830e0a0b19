#include "analysis/report/plots.h"

#include <math.h>

#include "flowgap/distance.h"

static const char *const pairs[] = {"ode_sde", "ode_target", "sde_target"};
static const char *const pair_labels[] = {"ODE \xe2\x80\x93 SDE", "ODE \xe2\x80\x93 target",
                                          "SDE \xe2\x80\x93 target"};

void fg_plot_time_axis(fg_page *script, double least, double most)
{
  bool log_axis = least > 0 && most > 9 * least;
  fg_page_print(script,
                "set xrange [%.9g:%.9g]\nset xlabel 'noising time {/:Italic t}  (noise \xe2\x86\x92 data)' "
                "tc rgb " FG_INK "\n",
                most, least);
  if (log_axis) fg_page_put(script, "set logscale x\nset format x '10^{%T}'\n");
}

void fg_plot_log_y(fg_page *script)
{
  fg_page_put(script, "set logscale y\nset format y '10^{%T}'\n");
}

void fg_plot_grid(fg_page *script)
{
  fg_page_put(script, "set grid ytics lt 1 lw 0.6 lc rgb " FG_RULE "\n");
}

/* ---- the estimates with their floors and intervals ------------------------------------- */

void fg_plot_estimates(const fg_run *run, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  int rows = 0;
  double least = INFINITY, most = 0;
  fg_page_put(script, "$estimates << EOD\n");
  for (int e = 0; e < FG_ESTIMATORS; e++)
    for (int p = 0; p < 3; p++) {
      const char *name = fg_estimator_name((fg_estimator)e);
      const json_t *one = fg_run_find(fg_run_find(fg_run_find(run->results, "w2"), name), pairs[p]);
      double value = fg_run_real(one, "value"), floor_value = fg_run_real(one, "floor");
      double low = fg_run_real(one, "ci_low"), high = fg_run_real(one, "ci_high");
      if (!isfinite(value)) continue;
      /* columns: row, value, low, high, floor, pair */
      fg_page_print(script, "%d %.9g %.9g %.9g %.9g %d \"%s, %s\"\n", rows++, value,
                    isfinite(low) ? low : value, isfinite(high) ? high : value,
                    isfinite(floor_value) ? floor_value : 0.0, p, name, pair_labels[p]);
      if (value > 0) least = fmin(least, value);
      most =
          fmax(most, fmax(value, fmax(isfinite(high) ? high : 0, isfinite(floor_value) ? floor_value : 0)));
    }
  fg_page_put(script, "EOD\n");
  if (!rows || !(most > 0)) return;
  plots->estimates = true;
  plots->estimates_log = most > 60 * least;
  double left = plots->estimates_log ? least / 3 : 0;
  int height = 62 + 24 * rows;
  fg_figures_begin(plots->figures, "estimates", 460, height);
  if (plots->estimates_log)
    fg_page_put(script, "set logscale x\nset format x '10^{%T}'\n");
  else
    fg_page_print(script, "set xtics %.9g\n", fg_nice_step(1.06 * most, 6));
  fg_page_print(script, "set xrange [%.9g:%.9g]\nset yrange [%g:-0.6]\nset border 1\n", left, 1.06 * most,
                rows - 0.4);
  fg_page_print(script,
                "set lmargin at screen 0.41\nset tmargin at screen %.6f\nset bmargin at screen %.6f\nset "
                "xlabel '{/:Italic W}_2' tc rgb " FG_INK "\n"
                "set ytics scale 0\nset grid xtics lt 1 lw 0.6 lc rgb " FG_RULE "\n"
                "color(p) = p == 0 ? 0x010101 : p == 1 ? 0x0072b2 : 0xd55e00\nleft = %.9g\n",
                1 - 8.0 / height, 52.0 / height, left);
  fg_page_put(script,
              "set style fill transparent solid 0.3 noborder\n"
              "plot $estimates using (left):1:(left):(column(5) > left ? column(5) : left):"
              "(column(1)-0.3):(column(1)+0.3):ytic(7) with boxxyerror lc rgb " FG_MUTED
              ", $estimates using 3:1:($4-$3):(0):(color($6)) with vectors nohead lw 2.2 lc rgb variable"
              ", $estimates using 2:1:(color($6)) with points pt 7 ps 0.55 lc rgb variable\n");
  fg_figures_axes(plots->figures, FG_W2_PLAIN, "", true);
  fg_figures_fixed(plots->figures);
  fg_figures_series(
      plots->figures,
      &(fg_series){
          .label = "", .block = "estimates", .x = 2, .y = 1, .low = 3, .high = 4, .floor = 5, .name = 7});
}

/* ---- the gap on the way ----------------------------------------------------------------- */

void fg_plot_gap_time(const fg_run *run, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  const json_t *list = fg_run_find(run->results, "snapshots"), *one;
  size_t i, rows = 0;
  double least = INFINITY, most = 0;
  bool floors = true, bands = true;
  fg_page_put(script, "$gaptime << EOD\n");
  json_array_foreach((json_t *)list, i, one)
  {
    double t = fg_run_real(one, "t"), value = fg_run_real(one, "w2_ode_sde.value");
    double low = fg_run_real(one, "w2_ode_sde.ci_low"), high = fg_run_real(one, "w2_ode_sde.ci_high");
    double floor_value = fg_run_real(one, "w2_ode_sde.floor");
    if (!(t > 0) || !isfinite(value)) continue;
    fg_page_print(script, "%.9g %.9g %.9g %.9g %.9g\n", t, value, low, high, floor_value);
    floors = floors && isfinite(floor_value);
    bands = bands && isfinite(low) && isfinite(high);
    least = fmin(least, t);
    most = fmax(most, t);
    rows++;
  }
  fg_page_put(script, "EOD\n");
  if (rows < 2) return;
  plots->gap_time = true;
  fg_figures_begin(plots->figures, "gap-time", 460, 290);
  fg_plot_time_axis(script, least, most);
  fg_plot_grid(script);
  fg_page_put(script, "set yrange [0:*]\nset ylabel '{/:Italic W}_2(ODE, SDE)' tc rgb " FG_INK "\nplot ");
  if (bands)
    fg_page_put(script, "$gaptime using 1:3:4 with filledcurves lc rgb " FG_INK
                        " fs transparent solid 0.15 noborder, ");
  if (floors) fg_page_put(script, "$gaptime using 1:5 with lines lw 1.2 dt (5,4) lc rgb " FG_MUTED ", ");
  fg_page_put(script, "$gaptime using 1:2 with linespoints lw 1.6 pt 7 ps 0.4 lc rgb " FG_INK "\n");
  fg_figures_axes(plots->figures, "t", FG_W2_PLAIN "(ODE, SDE)", false);
  fg_figures_series(
      plots->figures,
      &(fg_series){.label = "", .block = "gaptime", .x = 1, .y = 2, .low = 3, .high = 4, .floor = 5});
}

/* ---- the residual ------------------------------------------------------------------------ */

void fg_plot_residual(const fg_run *run, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  const json_t *list = fg_run_find(run->results, "residual.profile"), *one;
  size_t i, rows = 0, relatives = 0;
  double least = INFINITY, most = 0;
  fg_page_put(script, "$residual << EOD\n");
  json_array_foreach((json_t *)list, i, one)
  {
    double t = fg_run_real(one, "t"), square = fg_run_real(one, "mean_square"), se = fg_run_real(one, "se");
    double relative = fg_run_real(one, "relative");
    if (!(t > 0) || !(square > 0) || !isfinite(square)) continue; /* logarithmic axes */
    if (!isfinite(se)) se = 0;
    fg_page_print(script, "%.9g %.9g %.9g %.9g %.9g %.9g\n", t, square, fmax(square - 2 * se, 0.2 * square),
                  square + 2 * se, relative > 0 ? relative : NAN, se);
    relatives += relative > 0;
    least = fmin(least, t);
    most = fmax(most, t);
    rows++;
  }
  fg_page_put(script, "EOD\n");
  if (rows < 2) return;
  plots->residual = true;
  fg_figures_begin(plots->figures, "residual", 460, 290);
  fg_plot_time_axis(script, least, most);
  fg_plot_log_y(script);
  fg_plot_grid(script);
  fg_page_put(script,
              "set ylabel 'mean of {/:Italic R}^2' tc rgb " FG_INK "\n"
              "plot $residual using 1:3:4 with filledcurves lc rgb " FG_INK " fs transparent solid 0.15 "
              "noborder, $residual using 1:2 with linespoints lw 1.6 pt 7 ps 0.4 lc rgb " FG_INK "\n");
  fg_figures_axes(plots->figures, "t", "mean of R\xc2\xb2", false);
  fg_figures_series(plots->figures,
                    &(fg_series){.label = "", .block = "residual", .x = 1, .y = 2, .error = 6});
  if (relatives < 2) return;
  plots->relative = true;
  fg_figures_begin(plots->figures, "relative", 460, 290);
  fg_plot_time_axis(script, least, most);
  fg_plot_log_y(script);
  fg_plot_grid(script);
  fg_page_put(script, "set ylabel 'relative residual' tc rgb " FG_INK "\n"
                      "plot $residual using 1:5 with linespoints lw 1.6 pt 7 ps 0.4 lc rgb " FG_INK "\n");
  fg_figures_axes(plots->figures, "t", "relative residual", false);
  fg_figures_series(plots->figures, &(fg_series){.label = "", .block = "residual", .x = 1, .y = 5});
}

/* ---- the work of the ODE solver --------------------------------------------------------- */

/* Mean step in a bin of equal width in log t, from its steps: NaN where nothing ended, and in the first bin, which
 * holds the steps to the end too. */
static double mean_step(const json_t *list, size_t i, double steps)
{
  if (i == 0 || !(steps > 0)) return NAN;
  double t = fg_run_real(json_array_get(list, i), "t"),
         before = fg_run_real(json_array_get(list, i - 1), "t");
  double half = sqrt(t / before);
  return before > 0 && t > before ? t * (half - 1 / half) / steps : NAN;
}

static void plot_step(double least, double most, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  plots->step = true;
  fg_figures_begin(plots->figures, "step", 460, 290);
  fg_plot_time_axis(script, least, most);
  fg_plot_log_y(script);
  fg_plot_grid(script);
  fg_page_put(script, "set ylabel 'step' tc rgb " FG_INK
                      "\nplot $solver using 1:1 with lines lw 1.2 dt (6,3) lc rgb " FG_MUTED
                      ", $solver using 1:5 with linespoints lw 1.6 pt 7 ps 0.4 lc rgb " FG_ODE "\n");
  fg_figures_axes(plots->figures, "t", "mean step", false);
  fg_figures_series(plots->figures, &(fg_series){.label = "", .block = "solver", .x = 1, .y = 5});
}

void fg_plot_solver(const fg_run *run, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  const json_t *list = fg_run_find(run->results, "ode.profile"), *one;
  size_t i, rows = 0, orders = 0, sizes = 0;
  double least = INFINITY, most = 0;
  fg_page_put(script, "$solver << EOD\n");
  json_array_foreach((json_t *)list, i, one)
  {
    double t = fg_run_real(one, "t"), steps = fg_run_real(one, "steps"), rhs = fg_run_real(one, "rhs");
    double order = fg_run_real(one, "order");
    if (!(t > 0) || !isfinite(steps)) continue;
    double step = mean_step(list, i, steps);
    fg_page_print(script, "%.9g %.9g %.9g %.9g %.9g\n", t, steps, rhs, order > 0 ? order : NAN, step);
    orders += order > 0;
    sizes += isfinite(step);
    least = fmin(least, t);
    most = fmax(most, t);
    rows++;
  }
  fg_page_put(script, "EOD\n");
  if (rows < 2) return;
  plots->work = true;
  fg_figures_begin(plots->figures, "work", 460, 290);
  fg_plot_time_axis(script, least, most);
  fg_plot_grid(script);
  fg_page_put(script, "set yrange [0:*]\nset ylabel 'per tile and time bin' tc rgb " FG_INK "\n"
                      "plot $solver using 1:3 with linespoints lw 1.6 pt 6 ps 0.5 dt (6,3) lc rgb " FG_MUTED
                      ", $solver using 1:2 with linespoints lw 1.6 pt 7 ps 0.4 lc rgb " FG_ODE "\n");
  fg_figures_axes(plots->figures, "t", "per tile", false);
  fg_figures_series(plots->figures,
                    &(fg_series){.label = "accepted steps", .block = "solver", .x = 1, .y = 2});
  fg_figures_series(plots->figures,
                    &(fg_series){.label = "right-hand sides", .block = "solver", .x = 1, .y = 3});
  if (sizes > 1) plot_step(least, most, plots);
  if (orders < 2) return;
  plots->order = true;
  fg_figures_begin(plots->figures, "order", 460, 290);
  fg_plot_time_axis(script, least, most);
  fg_plot_grid(script);
  fg_page_put(script, "set yrange [0:*]\nset ylabel 'mean order of the method' tc rgb " FG_INK "\n"
                      "plot $solver using 1:4 with linespoints lw 1.6 pt 7 ps 0.4 lc rgb " FG_ODE "\n");
  fg_figures_axes(plots->figures, "t", "mean order", false);
  fg_figures_series(plots->figures, &(fg_series){.label = "", .block = "solver", .x = 1, .y = 4});
}

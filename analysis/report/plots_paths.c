#include "analysis/report/plots.h"

#include <math.h>

enum { MOST_POINTS = 300 }; /* of a path; a longer one is thinned, its end kept */

/* gnuplot rows "t x1 x2" of one path, then a blank line; t = 0 is drawn at the
 * edge of the logarithmic axis. */
static void script_path(fg_page *script, const fg_run *run, const fg_block *block, size_t particle,
                        double least)
{
  size_t k = block->shape[0], p = block->shape[1], d = block->shape[2], stride = (k - 1) / MOST_POINTS + 1;
  for (size_t i = 0; i < k; i++) {
    if (i % stride && i != k - 1) continue;
    const double *x = block->values + (i * p + particle) * d;
    double t = run->trajectory_t.values[i];
    if (!isfinite(x[0]) || (d > 1 && !isfinite(x[1]))) break;
    fg_page_print(script, "%.7g %.6g %.6g\n", t > least ? t : least, x[0], d > 1 ? x[1] : 0);
  }
  fg_page_put(script, "\n");
}

/* Two blocks: all paths, and their ends. */
static void script_paths(fg_plots *plots, const fg_run *run, const fg_block *block, const char *name,
                         double least)
{
  fg_page *script = fg_figures_script(plots->figures);
  size_t k = block->shape[0], p = block->shape[1], d = block->shape[2];
  fg_page_print(script, "$%s << EOD\n", name);
  for (size_t i = 0; i < plots->drawn_paths; i++) script_path(script, run, block, i, least);
  fg_page_print(script, "EOD\n$%send << EOD\n", name);
  for (size_t i = 0; i < plots->drawn_paths; i++) {
    const double *first = block->values + i * d, *last = block->values + ((k - 1) * p + i) * d;
    fg_page_print(script, "%.6g %.6g %.6g %.6g\n", first[0], d > 1 ? first[1] : 0, last[0],
                  d > 1 ? last[1] : 0);
  }
  fg_page_put(script, "EOD\n");
}

/* A square that holds all drawn paths, so that lengths compare in both directions. */
static void script_square(fg_plots *plots, const fg_run *run)
{
  fg_page *script = fg_figures_script(plots->figures);
  const fg_block *blocks[] = {&run->trajectories_ode, &run->trajectories_sde};
  double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
  size_t k = blocks[0]->shape[0], p = blocks[0]->shape[1], d = blocks[0]->shape[2];
  for (int b = 0; b < 2; b++)
    for (size_t i = 0; i < k; i++)
      for (size_t j = 0; j < plots->drawn_paths; j++)
        for (int axis = 0; axis < 2; axis++) {
          double value = blocks[b]->values[(i * p + j) * d + (size_t)axis];
          if (!isfinite(value)) continue;
          low[axis] = fmin(low[axis], value);
          high[axis] = fmax(high[axis], value);
        }
  double width = 1.08 * fmax(high[0] - low[0], high[1] - low[1]);
  if (!(width > 0) || !isfinite(width)) return;
  static const char names[] = "xy";
  for (int axis = 0; axis < 2; axis++) {
    double middle = 0.5 * (low[axis] + high[axis]);
    fg_page_print(script, "set %crange [%.9g:%.9g]\nset %ctics %.9g\n", names[axis], middle - 0.5 * width,
                  middle + 0.5 * width, names[axis], fg_nice_step(width, 7));
  }
}

static void script_plane(fg_plots *plots, const fg_run *run)
{
  fg_page *script = fg_figures_script(plots->figures);
  plots->plane = true;
  fg_figures_begin(plots->figures, "plane", 460, 400);
  fg_page_put(script, "set size ratio -1\nset border 15\nset xlabel '{/:Italic x}_1' tc rgb " FG_INK
                      "\nset ylabel '{/:Italic x}_2' tc rgb " FG_INK "\n");
  script_square(plots, run);
  fg_page_put(script, "plot $sde using 2:3 with lines lw 0.7 lc rgb " FG_SDE
                      ", $ode using 2:3 with lines lw 1.6 lc rgb " FG_ODE
                      ", $odeend using 1:2 with points pt 6 ps 0.6 lw 1.2 lc rgb " FG_INK
                      ", $sdeend using 3:4 with points pt 7 ps 0.5 lc rgb " FG_SDE
                      ", $odeend using 3:4 with points pt 7 ps 0.5 lc rgb " FG_ODE "\n");
  fg_figures_axes(plots->figures, "x\xe2\x82\x81", "x\xe2\x82\x82", false);
  fg_figures_series(plots->figures, &(fg_series){.label = "ODE", .block = "ode", .x = 2, .y = 3, .t = 1});
  fg_figures_series(plots->figures, &(fg_series){.label = "SDE", .block = "sde", .x = 2, .y = 3, .t = 1});
}

void fg_plot_paths(const fg_run *run, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  const fg_block *ode = &run->trajectories_ode, *sde = &run->trajectories_sde, *t = &run->trajectory_t;
  double least = INFINITY, most = 0;
  bool zero = false;
  if (!ode->values || ode->shape[0] < 2) return;
  for (size_t i = 0; i < t->shape[0]; i++) {
    if (t->values[i] > 0) least = fmin(least, t->values[i]);
    zero = zero || !(t->values[i] > 0);
    most = fmax(most, t->values[i]);
  }
  if (zero) least *= 0.5;
  if (!(most > least)) return;
  plots->drawn_paths = ode->shape[1] < FG_DRAWN_PATHS ? ode->shape[1] : FG_DRAWN_PATHS;
  script_paths(plots, run, ode, "ode", least);
  script_paths(plots, run, sde, "sde", least);
  plots->paths = true;
  fg_figures_begin(plots->figures, "paths", 460, run->d > 1 ? 400 : 290);
  fg_plot_time_axis(script, least, most);
  fg_page_print(script, "set ylabel '{/:Italic x}%s' tc rgb " FG_INK "\n", run->d > 1 ? "_1" : "");
  fg_page_put(script, "plot $sde using 1:2 with lines lw 0.7 lc rgb " FG_SDE
                      ", $ode using 1:2 with lines lw 1.6 lc rgb " FG_ODE "\n");
  fg_figures_axes(plots->figures, "t", run->d > 1 ? "x\xe2\x82\x81" : "x", false);
  fg_figures_series(plots->figures, &(fg_series){.label = "ODE", .block = "ode", .x = 1, .y = 2, .t = 1});
  fg_figures_series(plots->figures, &(fg_series){.label = "SDE", .block = "sde", .x = 1, .y = 2, .t = 1});
  if (run->d > 1) script_plane(plots, run);
}

/* Figures of a run of `flowgap residual`: norms against time under each measure, maps at chosen times. */
#include "analysis/report/plots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const fg_plot_norms[FG_NORMS] = {"mean_square", "centred_mean_square", "relative", "mean"};

static const char *const measures[] = {"box", "data", "sde", "ode"};
static const char *const colors[] = {FG_MUTED, FG_TARGET, FG_SDE, FG_ODE};

enum { MEASURES = 4, SIGNED = 3 }; /* the last norm has a sign: no logarithmic axis */

/* ---- norms against time ----------------------------------------------------------------- */

typedef struct span {
  double least, most;
  size_t rows;
} span;

/* Rows t, value, low, high of one norm under one measure; the block is called after both. */
static span script_profile(const fg_run *run, fg_page *script, int norm, int measure)
{
  char path[64], key[48];
  span over = {INFINITY, 0, 0};
  const json_t *one;
  size_t i;
  snprintf(path, sizeof path, "residual.measures.%s.profile", measures[measure]);
  snprintf(key, sizeof key, "%s_se", fg_plot_norms[norm]);
  fg_page_print(script, "$profile_%d_%d << EOD\n", norm, measure);
  json_array_foreach((json_t *)fg_run_find(run->results, path), i, one)
  {
    double t = fg_run_real(one, "t"), value = fg_run_real(one, fg_plot_norms[norm]),
           se = fg_run_real(one, key);
    if (!(t > 0) || !isfinite(value) || (norm != SIGNED && !(value > 0))) continue;
    if (!isfinite(se)) se = 0;
    double low = norm == SIGNED ? value - 2 * se : fmax(value - 2 * se, 0.2 * value);
    fg_page_print(script, "%.9g %.9g %.9g %.9g %.9g\n", t, value, low, value + 2 * se, se);
    over.least = fmin(over.least, t);
    over.most = fmax(over.most, t);
    over.rows++;
  }
  fg_page_put(script, "EOD\n");
  return over;
}

static void tell_norm(fg_plots *plots, int norm, const span of[MEASURES])
{
  static const char *const names[FG_NORMS] = {"mean square", "centred", "relative", "mean"};
  static const char *const titles[MEASURES] = {"box", "data", "SDE paths", "ODE paths"};
  char block[32];
  fg_figures_axes(plots->figures, "t", names[norm], false);
  for (int k = 0; k < MEASURES; k++) {
    if (of[k].rows < 2) continue;
    snprintf(block, sizeof block, "profile_%d_%d", norm, k);
    fg_figures_series(plots->figures,
                      &(fg_series){.label = titles[k], .block = block, .x = 1, .y = 2, .error = 5});
  }
}

static void script_norm(const fg_run *run, fg_plots *plots, int norm)
{
  static const char *const labels[FG_NORMS] = {
      "mean of {/:Italic R}^2", "mean of ({/:Italic R} \xe2\x88\x92 E_{/:Italic t}[{/:Italic R}])^2",
      "relative residual", "mean of {/:Italic R}"};
  bool score = strcmp(fg_run_word(run->results, "residual.form", "log"), "score") == 0;
  fg_page *script = fg_figures_script(plots->figures);
  span all = {INFINITY, 0, 0}, of[MEASURES];
  char name[64];
  for (int k = 0; k < MEASURES; k++) {
    of[k] = script_profile(run, script, norm, k);
    if (of[k].rows < 2) continue;
    all.least = fmin(all.least, of[k].least);
    all.most = fmax(all.most, of[k].most);
    all.rows += of[k].rows;
  }
  if (!all.rows) return;
  plots->profile[norm] = true;
  snprintf(name, sizeof name, "profile-%s", fg_plot_norms[norm]);
  fg_figures_begin(plots->figures, name, 460, 290);
  fg_plot_time_axis(script, all.least, all.most);
  if (norm != SIGNED) fg_plot_log_y(script);
  fg_plot_grid(script);
  fg_page_print(script, "set ylabel '%s' tc rgb " FG_INK "\n",
                score && norm == 0 ? "mean of |{/:Italic E}|^2/{/:Italic d}" : labels[norm]);
  if (norm == SIGNED) fg_page_put(script, "set xzeroaxis lc rgb " FG_INK " lw 0.8\n");
  const char *before = "plot ";
  for (int pass = 0; pass < 2; pass++) /* the bands lie below all lines */
    for (int k = 0; k < MEASURES; k++) {
      if (of[k].rows < 2) continue;
      fg_page_print(script, "%s$profile_%d_%d using ", before, norm, k);
      fg_page_print(script,
                    pass ? "1:2 with linespoints lw 1.6 pt 7 ps 0.4%s lc rgb %s"
                         : "1:3:4 with filledcurves fs transparent solid 0.15 noborder%s lc rgb %s",
                    pass && k == 0 ? " dt (5,4)" : "", colors[k]);
      before = ", ";
    }
  fg_page_put(script, "\n");
  tell_norm(plots, norm, of);
}

void fg_plot_profiles(const fg_run *run, fg_plots *plots)
{
  for (int norm = 0; norm < FG_NORMS; norm++) script_norm(run, plots, norm);
}

/* ---- maps ------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* What `share` of all values do not exceed in size. Values that are not finite become 0. */
static fg_code map_top(const fg_run *run, double share, double *top, fg_status *st)
{
  const fg_block *map = &run->map;
  size_t n = map->shape[0] * map->shape[1] * map->shape[2], kept = 0;
  double *room = malloc(n * sizeof *room);
  if (!room) return FG_FAIL(st, FG_MEMORY, "no memory for the maps of the report");
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(map->values[i])) map->values[i] = 0;
    if (map->values[i] != 0) room[kept++] = fabs(map->values[i]);
  }
  qsort(room, kept, sizeof *room, by_size);
  *top = kept ? room[(size_t)(share * (double)(kept - 1) + 0.5)] : 0;
  free(room);
  return FG_OK;
}

static fg_code script_map(const fg_run *run, fg_plots *plots, size_t k, const fg_view *view, fg_status *st)
{
  char name[48];
  size_t cells = fg_view_cells(view);
  fg_map_gap values = {.value = run->map.values + k * cells, .top = plots->map_top};
  unsigned char *rgba = malloc(4 * cells);
  if (!rgba) return FG_FAIL(st, FG_MEMORY, "no memory for the maps of the report");
  fg_map_paint_gap(view, &values, rgba);
  snprintf(name, sizeof name, "residual-map-%zu", k);
  fg_code rc = fg_plot_picture(plots->figures, name, view, NAN, FG_MUTED, rgba, st);
  free(rgba);
  fg_figures_cells(plots->figures, &(fg_cells){.label = "residual",
                                               .low = {view->low[0], view->low[1]},
                                               .width = view->width,
                                               .bins = view->bins,
                                               .values = values.value});
  return rc;
}

static void script_curve(const fg_run *run, fg_plots *plots, size_t k, const fg_view *view)
{
  char name[48];
  fg_page *script = fg_figures_script(plots->figures);
  const double *value = run->map.values + k * view->bins;
  double side = view->width / (double)view->bins, most = 1.05 * plots->map_top;
  snprintf(name, sizeof name, "residual-map-%zu", k);
  fg_page_print(script, "$curve%zu << EOD\n", k);
  for (size_t i = 0; i < view->bins; i++)
    fg_page_print(script, "%.9g %.9g\n", view->low[0] + ((double)i + 0.5) * side, value[i]);
  fg_page_put(script, "EOD\n");
  fg_figures_begin(plots->figures, name, 300, 220);
  fg_page_print(script, "set xrange [%.9g:%.9g]\n", view->low[0], view->low[0] + view->width);
  if (most > 0) fg_page_print(script, "set yrange [%.9g:%.9g]\n", -most, most);
  fg_plot_grid(script);
  fg_page_print(script,
                "set xlabel '{/:Italic x}' tc rgb " FG_INK "\nset xzeroaxis lc rgb " FG_INK " lw 0.8\n"
                "plot $curve%zu using 1:2 with lines lw 1.6 lc rgb " FG_INK "\n",
                k);
  char block[32];
  snprintf(block, sizeof block, "curve%zu", k);
  fg_figures_axes(plots->figures, "x", "residual", false);
  fg_figures_series(plots->figures, &(fg_series){.label = "", .block = block, .x = 1, .y = 2});
}

fg_code fg_plot_maps(const fg_run *run, fg_plots *plots, fg_status *st)
{
  double half = fg_run_real(run->results, "residual.box");
  if (!run->map.values || !run->map_t.values || !(half > 0)) return FG_OK;
  fg_view view = {run->map.rank == 3 ? 2 : 1, {-half, -half}, 2 * half, run->map.shape[1]};
  plots->plane_maps = view.axes == 2;
  FG_TRY(map_top(run, plots->plane_maps ? 0.98 : 1, &plots->map_top, st)); /* colours end there; curves fit */
  plots->maps = run->map.shape[0] < FG_RESIDUAL_MAPS ? run->map.shape[0] : FG_RESIDUAL_MAPS;
  for (size_t k = 0; k < plots->maps; k++)
    if (plots->plane_maps)
      FG_TRY(script_map(run, plots, k, &view, st));
    else
      script_curve(run, plots, k, &view);
  return FG_OK;
}

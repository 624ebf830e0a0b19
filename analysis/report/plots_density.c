#include "analysis/report/plots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAP_WIDTH = 250, MAP_HEIGHT = 240 };

static fg_cloud cloud_of(const fg_block *block)
{
  return (fg_cloud){block->values, block->values ? block->shape[0] : 0, block->shape[1]};
}

/* Particles of one row of a block [times, particles, d]. */
static fg_cloud cloud_at(const fg_block *block, size_t row)
{
  size_t m = block->shape[1], d = block->shape[2];
  return (fg_cloud){block->values + row * m * d, m, d};
}

/* ---- two coordinates: pictures --------------------------------------------------------- */

/* The dashed outline of compare.box, when the view shows it. */
static void script_box(const fg_view *view, double box, const char *color, fg_page *script)
{
  for (int axis = 0; axis < 2; axis++)
    if (!(box > 0) || -box < view->low[axis] || box > view->low[axis] + view->width) return;
  fg_page_print(script,
                "set object 1 rectangle from %.9g,%.9g to %.9g,%.9g front fillstyle empty border "
                "lc rgb %s dt (4,4) lw 0.8\n",
                -box, -box, box, box, color);
}

fg_code fg_plot_picture(fg_figures *figures, const char *name, const fg_view *view, double box,
                        const char *box_color, const unsigned char *rgba, fg_status *st)
{
  char file[80];
  fg_page *script = fg_figures_script(figures);
  double step = fg_nice_step(view->width, 5), side = view->width / (double)view->bins;
  fg_figures_begin(figures, name, MAP_WIDTH, MAP_HEIGHT);
  /* 208 x 208 pixels: equal aspect */
  fg_page_print(script, "set lmargin at screen %.6f\nset rmargin at screen %.6f\n", 38.0 / MAP_WIDTH,
                246.0 / MAP_WIDTH);
  fg_page_print(script, "set bmargin at screen %.6f\nset tmargin at screen %.6f\n", 28.0 / MAP_HEIGHT,
                236.0 / MAP_HEIGHT);
  fg_page_print(script, "set border 15\nset xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\n", view->low[0],
                view->low[0] + view->width, view->low[1], view->low[1] + view->width);
  fg_page_print(script, "set xtics %.9g offset 0,0.4\nset ytics %.9g offset 0.6,0\n", step, step);
  script_box(view, box, box_color, script);
  fg_page_put(script, "plot ");
  snprintf(file, sizeof file, "%.64s.bin", name);
  FG_TRY(fg_figures_data(figures, file, rgba, 4 * fg_view_cells(view), st));
  fg_page_print(script,
                " binary array=(%zu,%zu) origin=(%.12g,%.12g) dx=%.12g dy=%.12g format='%%uchar' "
                "using 1:2:3:4 with rgbalpha\n",
                view->bins, view->bins, view->low[0] + 0.5 * side, view->low[1] + 0.5 * side, side, side);
  return FG_OK;
}

static void tell_cells(fg_figures *figures, const fg_view *view, const char *label, const double *values,
                       double unit)
{
  fg_figures_cells(figures, &(fg_cells){.label = label,
                                        .low = {view->low[0], view->low[1]},
                                        .width = view->width,
                                        .bins = view->bins,
                                        .values = values,
                                        .unit = unit});
}

/* Pictures of all maps that are there and of the gap (if it has values). */
static fg_code script_pictures(fg_figures *figures, const char *prefix, const fg_view *view, double box,
                               const fg_map *maps, size_t number, double top, const fg_map_gap *gap,
                               fg_status *st)
{
  static const char *const names[FG_MAPS] = {"ode", "sde", "target"};
  static const char *const titles[FG_MAPS] = {"ODE", "SDE", "target"};
  char name[64];
  fg_code rc = FG_OK;
  unsigned char *rgba = malloc(4 * fg_view_cells(view));
  if (!rgba) return FG_FAIL(st, FG_MEMORY, "no memory for a density map of the report");
  for (size_t k = 0; k < number; k++) {
    if (!maps[k].count) continue;
    fg_map_paint(view, &maps[k], top, rgba);
    snprintf(name, sizeof name, "%.40s-%s", prefix, names[k]);
    FG_GO(fg_plot_picture(figures, name, view, box, "\"white\"", rgba, st), done);
    tell_cells(figures, view, titles[k], maps[k].count, 1 / ((double)maps[k].n * fg_view_cell_size(view)));
  }
  if (gap->value) {
    fg_map_paint_gap(view, gap, rgba);
    snprintf(name, sizeof name, "%.40s-gap", prefix);
    FG_GO(fg_plot_picture(figures, name, view, box, FG_MUTED, rgba, st), done);
    tell_cells(figures, view, "SDE \xe2\x88\x92 ODE", NULL, 0);
  }
done:
  free(rgba);
  return rc;
}

/* ---- one coordinate: curves ------------------------------------------------------------ */

static void script_curve(fg_page *script, const fg_view *view, const fg_map *map, const char *block)
{
  double side = view->width / (double)view->bins;
  fg_page_print(script, "$%s << EOD\n", block);
  for (size_t i = 0; map->count && i < view->bins; i++)
    fg_page_print(script, "%.9g %.9g\n", view->low[0] + ((double)i + 0.5) * side,
                  fg_map_density(view, map, i));
  fg_page_put(script, "EOD\n");
}

static void script_laws(fg_figures *figures, const char *name, const fg_view *view, const fg_map *maps,
                        bool target)
{
  fg_page *script = fg_figures_script(figures);
  fg_figures_begin(figures, name, 460, 290);
  fg_page_print(script, "set xrange [%.9g:%.9g]\nset yrange [0:*]\n", view->low[0],
                view->low[0] + view->width);
  fg_page_put(script, "set xlabel '{/:Italic x}' tc rgb " FG_INK "\nset ylabel 'density' tc rgb " FG_INK "\n"
                      "set style fill transparent solid 0.25 noborder\n");
  script_curve(script, view, &maps[FG_MAP_ODE], "ode");
  script_curve(script, view, &maps[FG_MAP_SDE], "sde");
  if (target) script_curve(script, view, &maps[FG_MAP_TARGET], "target");
  fg_page_put(script, "plot ");
  if (target) fg_page_put(script, "$target using 1:2 with boxes lc rgb " FG_TARGET ", ");
  fg_page_put(script, "$sde using 1:2 with histeps lw 1.4 lc rgb " FG_SDE
                      ", $ode using 1:2 with histeps lw 1.4 lc rgb " FG_ODE "\n");
  fg_figures_axes(figures, "x", "density", false);
  fg_figures_series(figures, &(fg_series){.label = "ODE", .block = "ode", .x = 1, .y = 2});
  fg_figures_series(figures, &(fg_series){.label = "SDE", .block = "sde", .x = 1, .y = 2});
  if (target) fg_figures_series(figures, &(fg_series){.label = "target", .block = "target", .x = 1, .y = 2});
}

static void script_laws_gap(fg_figures *figures, const fg_view *view, const fg_map *maps,
                            const fg_map_gap *gap)
{
  fg_page *script = fg_figures_script(figures);
  double side = view->width / (double)view->bins;
  fg_figures_begin(figures, "laws-gap", 460, 290);
  fg_page_put(script, "$gap << EOD\n");
  for (size_t i = 0; i < view->bins; i++)
    fg_page_print(script, "%.9g %.9g %.9g\n", view->low[0] + ((double)i + 0.5) * side, gap->value[i],
                  2 * fg_map_error(view, &maps[FG_MAP_ODE], &maps[FG_MAP_SDE], i));
  fg_page_print(script, "EOD\nset xrange [%.9g:%.9g]\n", view->low[0], view->low[0] + view->width);
  fg_page_put(script,
              "set xlabel '{/:Italic x}' tc rgb " FG_INK
              "\nset ylabel 'density, SDE \xe2\x88\x92 ODE' tc rgb " FG_INK "\nset xzeroaxis lc rgb " FG_INK
              " lw 0.8\n"
              "plot $gap using 1:(-$3):3 with filledcurves lc rgb " FG_MUTED
              " fs transparent solid 0.25 noborder, $gap using 1:2 with histeps lw 1.4 lc rgb " FG_INK "\n");
  fg_figures_axes(figures, "x", "SDE \xe2\x88\x92 ODE", false);
  fg_figures_series(figures, &(fg_series){.label = "", .block = "gap", .x = 1, .y = 2});
}

/* ---- the final laws --------------------------------------------------------------------- */

fg_code fg_plot_densities(const fg_run *run, fg_plots *plots, fg_status *st)
{
  fg_cloud clouds[FG_MAPS] = {cloud_of(&run->ode), cloud_of(&run->sde), cloud_of(&run->target)};
  const fg_map *maps[FG_MAPS] = {&plots->map[0], &plots->map[1], &plots->map[2]};
  double box = fg_run_real(run->results, "box");
  if (!clouds[FG_MAP_ODE].x || !clouds[FG_MAP_SDE].x) return FG_OK;
  FG_TRY(fg_view_fit(clouds, FG_MAPS, &plots->view, st));
  for (int k = 0; k < FG_MAPS; k++) FG_TRY(fg_map_fill(&plots->view, clouds[k], &plots->map[k], st));
  FG_TRY(fg_map_top(&plots->view, maps, FG_MAPS, &plots->top, st));
  FG_TRY(fg_map_subtract(&plots->view, maps[FG_MAP_ODE], maps[FG_MAP_SDE], &plots->gap, st));
  plots->densities = true;
  if (plots->view.axes == 2)
    return script_pictures(plots->figures, "map", &plots->view, box, plots->map, FG_MAPS, plots->top,
                           &plots->gap, st);
  script_laws(plots->figures, "laws", &plots->view, plots->map, run->target.values != NULL);
  script_laws_gap(plots->figures, &plots->view, plots->map, &plots->gap);
  return FG_OK;
}

/* ---- snapshots -------------------------------------------------------------------------- */

static fg_code plot_frame(const fg_run *run, fg_plots *plots, size_t k, fg_status *st)
{
  char name[48];
  fg_code rc = FG_OK;
  fg_frame *frame = &plots->frame[k];
  fg_view *view = &plots->frame_view;
  fg_map map[2] = {{0}, {0}};
  const fg_map *maps[2] = {&map[0], &map[1]};
  fg_map_gap gap = {0};
  snprintf(name, sizeof name, "frame-%zu", k);
  FG_GO(fg_map_fill(view, cloud_at(&run->snapshot_ode, frame->row), &map[0], st), done);
  FG_GO(fg_map_fill(view, cloud_at(&run->snapshot_sde, frame->row), &map[1], st), done);
  frame->outside_ode = map[0].outside;
  frame->outside_sde = map[1].outside;
  if (view->axes == 1) {
    snprintf(name, sizeof name, "frame-%zu-laws", k);
    script_laws(plots->figures, name, view, map, false);
    goto done;
  }
  FG_GO(fg_map_top(view, maps, 2, &frame->top, st), done);
  FG_GO(fg_map_subtract(view, &map[0], &map[1], &gap, st), done);
  frame->gap_top = gap.top;
  FG_GO(script_pictures(plots->figures, name, view, NAN, map, 2, frame->top, &gap, st), done);
done:
  fg_map_clear(&map[0]);
  fg_map_clear(&map[1]);
  free(gap.value);
  return rc;
}

static int later_first(const void *a, const void *b)
{
  double x = ((const fg_frame *)a)->t, y = ((const fg_frame *)b)->t;
  return (x < y) - (x > y);
}

/* At most FG_FRAMES of the snapshots, evenly chosen, the last one included. */
static void choose_frames(const fg_run *run, fg_plots *plots)
{
  size_t all = run->snapshot_t.shape[0];
  plots->frames = all < FG_FRAMES ? all : FG_FRAMES;
  for (size_t k = 0; k < plots->frames; k++) {
    size_t row = plots->frames > 1 ? k * (all - 1) / (plots->frames - 1) : 0;
    plots->frame[k] = (fg_frame){.row = row, .t = run->snapshot_t.values[row]};
  }
  qsort(plots->frame, plots->frames, sizeof *plots->frame, later_first);
}

fg_code fg_plot_frames(const fg_run *run, fg_plots *plots, fg_status *st)
{
  fg_cloud clouds[2 * FG_FRAMES];
  if (!run->snapshot_ode.values) return FG_OK;
  choose_frames(run, plots);
  for (size_t k = 0; k < plots->frames; k++) {
    clouds[2 * k] = cloud_at(&run->snapshot_ode, plots->frame[k].row);
    clouds[2 * k + 1] = cloud_at(&run->snapshot_sde, plots->frame[k].row);
  }
  FG_TRY(fg_view_fit(clouds, 2 * plots->frames, &plots->frame_view, st));
  for (size_t k = 0; k < plots->frames; k++) FG_TRY(plot_frame(run, plots, k, st));
  return FG_OK;
}

/* Densities of several runs of `flowgap density`: maps that share their colours, or curves on one axis. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/report/picture.h"
#include "analysis/report/side.h"

/* The runs with densities, in the dimension of the first of them. One that cannot be read is left out and counted. */
static size_t read_all(fg_side *s, fg_picture *p)
{
  int d = 0;
  size_t read = 0;
  for (size_t k = 0; k < s->count; k++) {
    if (s->of[k].kind != FG_SIDE_DENSITY || fg_picture_read(s->of[k].directory, &p[k], NULL) != FG_OK)
      continue;
    s->solved[k] = d == 0 || p[k].d == d;
    if (s->solved[k]) d = p[k].d;
    read += s->solved[k];
  }
  s->solved_maps = d == 2;
  s->solved_laws = d == 1;
  return read;
}

/* Where the colours end: the largest of the ends of the runs. */
static fg_code find_tops(fg_side *s, const fg_picture *p, fg_status *st)
{
  for (size_t k = 0; k < s->count; k++) {
    const fg_map *maps[2] = {&p[k].map[0], &p[k].map[1]};
    double top;
    if (!s->solved[k]) continue;
    FG_TRY(fg_map_top(&p[k].view, maps, 2, &top, st));
    s->solved_top = fmax(s->solved_top, top);
    s->solved_gap_top = fmax(s->solved_gap_top, p[k].gap.top);
  }
  return FG_OK;
}

static fg_code draw_law(const fg_side *s, size_t run, const char *law, const fg_picture *p, const fg_map *map,
                        unsigned char *rgba, fg_status *st)
{
  fg_figures *figures = s->report.plots->figures;
  char name[64];
  snprintf(name, sizeof name, "side-solved-%s-%zu", law, run);
  fg_map_paint(&p->view, map, s->solved_top, rgba);
  FG_TRY(fg_plot_picture(figures, name, &p->view, 0, "", rgba, st));
  return fg_picture_tell(figures, &p->view, s->of[run].name, map, st);
}

static fg_code draw_maps(const fg_side *s, size_t run, fg_picture *p, fg_status *st)
{
  fg_figures *figures = s->report.plots->figures;
  const fg_view *view = &p->view;
  char name[64];
  unsigned char *rgba = malloc(4 * fg_view_cells(view));
  if (!rgba) return FG_FAIL(st, FG_MEMORY, "no memory for a density map of the report");
  fg_code rc;
  FG_GO(draw_law(s, run, "ode", p, &p->map[0], rgba, st), done);
  FG_GO(draw_law(s, run, "sde", p, &p->map[1], rgba, st), done);
  snprintf(name, sizeof name, "side-solved-gap-%zu", run);
  p->gap.top = s->solved_gap_top;
  fg_map_paint_gap(view, &p->gap, rgba);
  FG_GO(fg_plot_picture(figures, name, view, 0, "", rgba, st), done);
  fg_figures_cells(figures, &(fg_cells){.label = s->of[run].name,
                                        .low = {view->low[0], view->low[1]},
                                        .width = view->width,
                                        .bins = view->bins,
                                        .values = p->gap.value});
done:
  free(rgba);
  return rc;
}

static void put_curve(const fg_side *s, const fg_picture *p, int law, size_t run)
{
  fg_page *script = fg_figures_script(s->report.plots->figures);
  double side = p->view.width / (double)p->view.bins;
  fg_page_print(script, "$side_solved_%s_%zu << EOD\n", law ? "sde" : "ode", run);
  for (size_t i = 0; i < p->view.bins; i++)
    fg_page_print(script, "%.9g %.9g\n", p->view.low[0] + ((double)i + 0.5) * side,
                  fg_map_density(&p->view, &p->map[law], i));
  fg_page_put(script, "EOD\n");
}

static void draw_curves(const fg_side *s, const fg_picture *p)
{
  fg_page *script = fg_figures_script(s->report.plots->figures);
  double low = INFINITY, high = -INFINITY;
  const char *comma = "plot ";
  for (size_t k = 0; k < s->count; k++) {
    if (!s->solved[k]) continue;
    for (int law = 0; law < 2; law++) put_curve(s, &p[k], law, k);
    low = fmin(low, p[k].view.low[0]);
    high = fmax(high, p[k].view.low[0] + p[k].view.width);
  }
  fg_figures_begin(s->report.plots->figures, "side-solved-laws", 460, 290);
  fg_page_print(script,
                "set xrange [%.9g:%.9g]\nset yrange [0:*]\nset xlabel '{/:Italic x}' tc rgb " FG_INK
                "\nset ylabel 'density' tc rgb " FG_INK "\n",
                low, high);
  for (size_t k = 0; k < s->count; k++) {
    if (!s->solved[k]) continue;
    fg_page_print(script,
                  "%s$side_solved_sde_%zu using 1:2 with lines lw 1.5 lc rgb %s, $side_solved_ode_%zu using "
                  "1:2 with lines lw 1.2 dt (5,4) lc rgb %s",
                  comma, k, fg_side_color(k), k, fg_side_color(k));
    comma = ", ";
  }
  fg_page_put(script, "\n");
  fg_side_tell_curves(s, s->solved, "side_solved");
}

fg_code fg_side_densities(fg_side *s, fg_status *st)
{
  fg_picture *p = calloc(FG_SIDE_RUNS, sizeof *p);
  if (!p) return FG_FAIL(st, FG_MEMORY, "no memory for the densities of the report");
  fg_code rc = FG_OK;
  if (!read_all(s, p)) goto done;
  FG_GO(find_tops(s, p, st), done);
  if (s->solved_laws) draw_curves(s, p);
  for (size_t k = 0; s->solved_maps && k < s->count; k++)
    if (s->solved[k]) FG_GO(draw_maps(s, k, &p[k], st), done);
done:
  for (size_t k = 0; k < s->count; k++) fg_picture_clear(&p[k]);
  free(p);
  return rc;
}

/* Density maps of several runs: one view, one scale of colours. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/report/side.h"

typedef struct fg_side_laws {
  fg_map ode[FG_SIDE_RUNS], sde[FG_SIDE_RUNS];
  fg_map_gap gap[FG_SIDE_RUNS];
} fg_side_laws;

static fg_cloud cloud_of(const fg_block *block)
{
  return (fg_cloud){block->values, block->values ? block->shape[0] : 0, block->shape[1]};
}

/* The runs with samples of both laws, in the dimension of the first of them. */
static size_t choose(fg_side *s)
{
  size_t d = 0, chosen = 0;
  for (size_t k = 0; k < s->count; k++) {
    const fg_run *run = s->of[k].run;
    s->drawn[k] = run->ode.values && run->sde.values && (!d || run->d == d);
    if (s->drawn[k]) d = run->d;
    chosen += s->drawn[k];
  }
  return chosen;
}

static fg_code fill(fg_side *s, fg_side_laws *laws, fg_status *st)
{
  fg_cloud clouds[2 * FG_SIDE_RUNS];
  const fg_map *maps[2 * FG_SIDE_RUNS];
  size_t number = 0, filled = 0;
  for (size_t k = 0; k < s->count; k++) {
    if (!s->drawn[k]) continue;
    clouds[number++] = cloud_of(&s->of[k].run->ode);
    clouds[number++] = cloud_of(&s->of[k].run->sde);
  }
  FG_TRY(fg_view_fit(clouds, number, &s->view, st));
  for (size_t k = 0; k < s->count; k++) {
    if (!s->drawn[k]) continue;
    FG_TRY(fg_map_fill(&s->view, clouds[filled], &laws->ode[k], st));
    FG_TRY(fg_map_fill(&s->view, clouds[filled + 1], &laws->sde[k], st));
    maps[filled++] = &laws->ode[k];
    maps[filled++] = &laws->sde[k];
    FG_TRY(fg_map_subtract(&s->view, &laws->ode[k], &laws->sde[k], &laws->gap[k], st));
    s->gap_top = fmax(s->gap_top, laws->gap[k].top);
  }
  return fg_map_top(&s->view, maps, filled, &s->top, st);
}

/* Densities of a law from its counts, or the difference of both; in a row each run has a map of its own. */
static void tell_map(const fg_side *s, size_t run, const double *values, double unit)
{
  fg_figures_cells(s->report.plots->figures, &(fg_cells){.label = s->of[run].name,
                                                         .low = {s->view.low[0], s->view.low[1]},
                                                         .width = s->view.width,
                                                         .bins = s->view.bins,
                                                         .values = values,
                                                         .unit = unit});
}

static double unit_of(const fg_view *view, const fg_map *map)
{
  return 1 / ((double)map->n * fg_view_cell_size(view));
}

static fg_code draw_maps(const fg_side *s, fg_side_laws *laws, fg_status *st)
{
  fg_figures *figures = s->report.plots->figures;
  char name[64];
  fg_code rc = FG_OK;
  unsigned char *rgba = malloc(4 * fg_view_cells(&s->view));
  if (!rgba) return FG_FAIL(st, FG_MEMORY, "no memory for a density map of the report");
  for (size_t k = 0; k < s->count; k++) {
    if (!s->drawn[k]) continue;
    fg_map_paint(&s->view, &laws->ode[k], s->top, rgba);
    snprintf(name, sizeof name, "side-ode-%zu", k);
    FG_GO(fg_plot_picture(figures, name, &s->view, NAN, FG_MUTED, rgba, st), done);
    tell_map(s, k, laws->ode[k].count, unit_of(&s->view, &laws->ode[k]));
    fg_map_paint(&s->view, &laws->sde[k], s->top, rgba);
    snprintf(name, sizeof name, "side-sde-%zu", k);
    FG_GO(fg_plot_picture(figures, name, &s->view, NAN, FG_MUTED, rgba, st), done);
    tell_map(s, k, laws->sde[k].count, unit_of(&s->view, &laws->sde[k]));
    laws->gap[k].top = s->gap_top;
    fg_map_paint_gap(&s->view, &laws->gap[k], rgba);
    snprintf(name, sizeof name, "side-gap-%zu", k);
    FG_GO(fg_plot_picture(figures, name, &s->view, NAN, FG_MUTED, rgba, st), done);
    tell_map(s, k, laws->gap[k].value, 0);
  }
done:
  free(rgba);
  return rc;
}

static void put_curve(const fg_side *s, const fg_map *map, const char *law, size_t run)
{
  fg_page *script = fg_figures_script(s->report.plots->figures);
  double side = s->view.width / (double)s->view.bins;
  fg_page_print(script, "$side_law_%s_%zu << EOD\n", law, run);
  for (size_t i = 0; i < s->view.bins; i++)
    fg_page_print(script, "%.9g %.9g\n", s->view.low[0] + ((double)i + 0.5) * side,
                  fg_map_density(&s->view, map, i));
  fg_page_put(script, "EOD\n");
}

static void draw_curves(const fg_side *s, const fg_side_laws *laws)
{
  fg_page *script = fg_figures_script(s->report.plots->figures);
  size_t shown = 0;
  for (size_t k = 0; k < s->count; k++) {
    if (!s->drawn[k]) continue;
    put_curve(s, &laws->ode[k], "ode", k);
    put_curve(s, &laws->sde[k], "sde", k);
  }
  fg_figures_begin(s->report.plots->figures, "side-laws", 460, 290);
  fg_page_print(script, "set xrange [%.9g:%.9g]\nset yrange [0:*]\n", s->view.low[0],
                s->view.low[0] + s->view.width);
  fg_page_put(script,
              "set xlabel '{/:Italic x}' tc rgb " FG_INK "\nset ylabel 'density' tc rgb " FG_INK "\nplot ");
  for (size_t k = 0; k < s->count; k++)
    if (s->drawn[k])
      fg_page_print(
          script,
          "%s$side_law_sde_%zu using 1:2 with lines lw 1.5 lc rgb %s, $side_law_ode_%zu using 1:2 with lines "
          "lw 1.2 dt (5,4) lc rgb %s",
          shown++ ? ", " : "", k, fg_side_color(k), k, fg_side_color(k));
  fg_page_put(script, "\n");
  fg_side_tell_curves(s, s->drawn, "side_law");
}

fg_code fg_side_maps(fg_side *s, fg_status *st)
{
  if (!choose(s)) return FG_OK;
  fg_side_laws *laws = calloc(1, sizeof *laws);
  if (!laws) return FG_FAIL(st, FG_MEMORY, "no memory for the density maps of the report");
  fg_code rc;
  FG_GO(fill(s, laws, st), done);
  s->maps = s->view.axes == 2;
  s->laws = !s->maps;
  if (s->maps)
    rc = draw_maps(s, laws, st);
  else
    draw_curves(s, laws);
done:
  for (size_t k = 0; k < s->count; k++) {
    fg_map_clear(&laws->ode[k]);
    fg_map_clear(&laws->sde[k]);
    free(laws->gap[k].value);
  }
  free(laws);
  return rc;
}

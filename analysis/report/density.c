/* The page of `flowgap density`: both densities, their difference, distances with the grid's share, solvers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report/picture.h"
#include "analysis/report/sections.h"
#include "base/run_directory.h"

enum { FG_PICTURE_BINS = 256 };

/* ---- densities.h5 ------------------------------------------------------------------------------- */

static fg_code read_density(fg_h5 *file, const char *name, fg_picture *p, double **values, fg_status *st)
{
  int rank;
  size_t shape[FG_H5_RANK_MAX];
  FG_TRY(fg_h5_read_real(file, name, &rank, shape, values, st));
  if (rank != p->d || shape[0] != p->n || (rank == 2 && shape[1] != p->n))
    return FG_FAIL(st, FG_IO,
                   "densities.h5: %s has rank %d and shape %zu x %zu, which does not go with x [%zu]", name,
                   rank, shape[0], shape[1], p->n);
  return FG_OK;
}

static fg_code read_densities(const char *run_directory, fg_picture *p, fg_status *st)
{
  int rank;
  size_t shape[FG_H5_RANK_MAX];
  fg_h5 *file = NULL;
  char *path = fg_path_join(run_directory, "densities.h5");
  if (!path) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", run_directory);
  fg_code rc;
  FG_GO(fg_h5_open(path, &file, st), done);
  FG_GO(fg_h5_shape(file, "sde", &p->d, shape, st), done);
  FG_GO(fg_h5_read_real(file, "x", &rank, shape, &p->x, st), done);
  p->n = shape[0];
  if (rank != 1 || p->n < 2 || (p->d != 1 && p->d != 2)) {
    rc = FG_FAIL(st, FG_IO, "%s: x has rank %d and %zu entries, sde rank %d: not densities of flowgap", path,
                 rank, p->n, p->d);
    goto done;
  }
  FG_GO(read_density(file, "sde", p, &p->sde, st), done);
  rc = read_density(file, "ode", p, &p->ode, st);
done:
  fg_h5_close(&file);
  free(path);
  return rc;
}

/* ---- what is shown -------------------------------------------------------------------------------- */

/* Cells to leave out on each side of each axis so that the rest holds 99.8 % of both laws. */
static size_t empty_margin(const fg_picture *p)
{
  size_t n = p->n, size = p->d == 2 ? n * n : n, margin = n / 2;
  const double *laws[2] = {p->sde, p->ode};
  for (int k = 0; k < 2; k++) {
    double total = 0, inside = 0;
    for (size_t c = 0; c < size; c++) total += fmax(laws[k][c], 0);
    size_t m = n / 2;
    while (m-- > 0) {
      for (size_t i = m; i < n - m; i++) {
        if (p->d == 1 && i > m && i + 1 < n - m) continue;
        for (size_t j = m; p->d == 2 && j < n - m; j++)
          if (i == m || i + 1 == n - m || j == m || j + 1 == n - m) inside += fmax(laws[k][i * n + j], 0);
        if (p->d == 1) inside += fmax(laws[k][i], 0);
      }
      if (inside >= 0.998 * total) break;
    }
    margin = m < margin ? m : margin;
  }
  return margin == SIZE_MAX ? 0 : margin;
}

static fg_code fill_maps(fg_picture *p, fg_status *st)
{
  size_t margin = empty_margin(p), shown = p->n - 2 * margin,
         k = p->d == 2 ? (shown + FG_PICTURE_BINS - 1) / FG_PICTURE_BINS : 1;
  double h = p->x[1] - p->x[0];
  const double *laws[2] = {p->ode, p->sde};
  p->view = (fg_view){.axes = p->d, .bins = (shown + k - 1) / k};
  p->view.width = h * (double)(p->view.bins * k);
  p->view.low[0] = p->view.low[1] = p->x[margin] - 0.5 * h;
  size_t cells = fg_view_cells(&p->view), bins = p->view.bins;
  for (int law = 0; law < 2; law++) {
    p->map[law] = (fg_map){calloc(cells, sizeof(double)), 1, 0};
    if (!p->map[law].count) return FG_FAIL(st, FG_MEMORY, "no memory for a density map of the report");
    for (size_t i = 0; i < shown; i++)
      for (size_t j = 0; j < (p->d == 2 ? shown : 1); j++) {
        size_t from = p->d == 2 ? (margin + i) * p->n + margin + j : margin + i;
        p->map[law].count[j / k * bins + i / k] += fmax(laws[law][from], 0) * (p->d == 2 ? h * h : h);
      }
  }
  return fg_map_subtract(&p->view, &p->map[0], &p->map[1], &p->gap, st);
}

fg_code fg_picture_read(const char *run_directory, fg_picture *p, fg_status *st)
{
  *p = (fg_picture){0};
  FG_TRY(read_densities(run_directory, p, st));
  return fill_maps(p, st);
}

void fg_picture_clear(fg_picture *p)
{
  free(p->x);
  free(p->sde);
  free(p->ode);
  fg_map_clear(&p->map[0]);
  fg_map_clear(&p->map[1]);
  free(p->gap.value);
}

/* Densities from masses. */
fg_code fg_picture_tell(fg_figures *figures, const fg_view *view, const char *label, const fg_map *map,
                        fg_status *st)
{
  size_t cells = fg_view_cells(view);
  double *values = map ? malloc(cells * sizeof *values) : NULL;
  if (map && !values) return FG_FAIL(st, FG_MEMORY, "no memory for a density map of the report");
  for (size_t i = 0; map && i < cells; i++) values[i] = fg_map_density(view, map, i);
  fg_figures_cells(figures, &(fg_cells){.label = label,
                                        .low = {view->low[0], view->low[1]},
                                        .width = view->width,
                                        .bins = view->bins,
                                        .values = values});
  free(values);
  return FG_OK;
}

static fg_code draw_maps(const fg_report *r, const fg_picture *p, double top, fg_status *st)
{
  fg_figures *figures = r->plots->figures;
  unsigned char *rgba = malloc(4 * fg_view_cells(&p->view));
  if (!rgba) return FG_FAIL(st, FG_MEMORY, "no memory for a density map of the report");
  fg_code rc;
  fg_map_paint(&p->view, &p->map[0], top, rgba);
  FG_GO(fg_plot_picture(figures, "map-ode", &p->view, 0, "", rgba, st), done);
  FG_GO(fg_picture_tell(figures, &p->view, "ODE", &p->map[0], st), done);
  fg_map_paint(&p->view, &p->map[1], top, rgba);
  FG_GO(fg_plot_picture(figures, "map-sde", &p->view, 0, "", rgba, st), done);
  FG_GO(fg_picture_tell(figures, &p->view, "SDE", &p->map[1], st), done);
  fg_map_paint_gap(&p->view, &p->gap, rgba);
  FG_GO(fg_plot_picture(figures, "map-gap", &p->view, 0, "", rgba, st), done);
  rc = fg_picture_tell(figures, &p->view, "SDE \xe2\x88\x92 ODE", NULL, st);
done:
  free(rgba);
  return rc;
}

static void draw_curves(const fg_report *r, const fg_picture *p)
{
  fg_page *script = fg_figures_script(r->plots->figures);
  const fg_view *view = &p->view;
  fg_page_put(script, "$laws << EOD\n");
  for (size_t i = 0; i < view->bins; i++)
    fg_page_print(script, "%.9g %.9g %.9g %.9g\n",
                  view->low[0] + ((double)i + 0.5) * view->width / (double)view->bins,
                  fg_map_density(view, &p->map[0], i), fg_map_density(view, &p->map[1], i), p->gap.value[i]);
  fg_page_put(script, "EOD\n");
  for (int k = 0; k < 2; k++) {
    fg_figures_begin(r->plots->figures, k ? "laws-gap" : "laws", 460, 290);
    fg_page_print(script, "set xrange [%.9g:%.9g]\nset xlabel '{/:Italic x}' tc rgb " FG_INK "\n",
                  view->low[0], view->low[0] + view->width);
    fg_page_put(script, k ? "set xzeroaxis lc rgb " FG_INK
                            " lw 0.8\nset ylabel 'density, SDE \xe2\x88\x92 ODE' tc rgb " FG_INK
                            "\nplot $laws using 1:4 with lines lw 1.4 lc rgb " FG_INK "\n"
                          : "set yrange [0:*]\nset ylabel 'density' tc rgb " FG_INK
                            "\nplot $laws using 1:3 with lines lw 1.4 lc rgb " FG_SDE
                            ", $laws using 1:2 with lines lw 1.4 lc rgb " FG_ODE "\n");
    fg_figures_axes(r->plots->figures, "x", k ? "SDE \xe2\x88\x92 ODE" : "density", false);
    for (int law = k; law < 2; law++)
      fg_figures_series(r->plots->figures, &(fg_series){.label = k     ? ""
                                                                 : law ? "SDE"
                                                                       : "ODE",
                                                        .block = "laws",
                                                        .x = 1,
                                                        .y = k ? 4 : 2 + law});
  }
}

/* ---- the page ------------------------------------------------------------------------------------- */

static void page_headline(const fg_report *r)
{
  fg_page *page = r->page;
  const json_t *density = fg_run_find(r->run->results, "density");
  fg_page_put(
      page,
      "<header>\n<p class=\"kicker\">flowgap: densities of the probability-flow ODE and the SDE \xc2\xb7 ");
  fg_page_text(page, fg_run_word(r->run->results, "process.kind", "process not named"));
  fg_page_put(page, " process \xc2\xb7 \xce\xbb = ");
  fg_page_setting(page, fg_run_real(density, "lambda"), "not recorded");
  fg_page_put(page, " \xc2\xb7 <i>t</i> = ");
  fg_page_setting(page, fg_run_real(density, "t_end"), "not recorded");
  fg_page_put(page, "</p>\n<h1>The ODE and the SDE of ");
  fg_page_text(page, fg_report_model(r->run));
  fg_page_put(page, " are <span class=\"nb\">" FG_W2 " = ");
  fg_page_number(page, fg_run_real(density, "w2.value"), 3, "not computed");
  fg_page_put(page, "</span> <span class=\"detail\">(proven: ");
  fg_page_number(page, fg_run_real(density, "w2.low"), 3, "not computed");
  fg_page_put(page, " to ");
  fg_page_number(page, fg_run_real(density, "w2.high"), 3, "not computed");
  fg_page_put(page, ")</span> and <span class=\"nb\">a total variation of ");
  fg_page_number(page, fg_run_real(density, "total_variation"), 3, "not computed");
  fg_page_put(page, "</span> apart.</h1>\n<p class=\"lead\">No particles were drawn: the SDE\xe2\x80\x99s "
                    "density solves the "
                    "Fokker\xe2\x80\x93Planck equation on ");
  fg_page_count(page, fg_run_real(density, "cells"), "not recorded");
  fg_page_put(page, r->run->results && fg_run_real(r->run->results, "model.dimension") == 2 ? "\xc2\xb2 cells"
                                                                                            : " cells");
  fg_page_put(page, " by finite volumes, the ODE\xe2\x80\x99s is carried along its paths. There is no noise "
                    "of sampling; what "
                    "the grid contributes is shown beside each figure.</p>\n</header>\n");
}

typedef struct fg_density_row {
  const char *key, *title;
} fg_density_row;

static void page_distances(const fg_report *r)
{
  static const fg_density_row rows[] = {
      {"w2.value", FG_W2},
      {"w2.low", FG_W2 ", at least"},
      {"w2.high", FG_W2 ", at most"},
      {"total_variation", "total variation"},
      {"kl", "KL(SDE | ODE)"},
      {"kl_reverse", "KL(ODE | SDE)"},
      {"fisher", "Fisher divergence, over the SDE\xe2\x80\x99s law"},
      {"mass_sde", "mass of the SDE\xe2\x80\x99s density"},
      {"mass_ode", "mass of the ODE\xe2\x80\x99s density"},
  };
  fg_page *page = r->page;
  const json_t *density = fg_run_find(r->run->results, "density"), *half = fg_run_find(density, "half");
  fg_page_put(page, "<section id=\"distances\">\n<h2>Distances</h2>\n<div "
                    "class=\"scroll\"><table>\n<thead><tr><th></th><th>");
  fg_page_count(page, fg_run_real(density, "cells"), "not recorded");
  fg_page_put(page, " cells per axis</th><th>");
  fg_page_count(page, fg_run_real(half, "cells"), "density.check is false");
  fg_page_put(page, " cells per axis</th></tr></thead>\n<tbody>\n");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fg_page_print(page, "<tr><td>%s</td><td>", rows[i].title);
    fg_page_number(page, fg_run_real(density, rows[i].key), 5, "infinite: see the warnings");
    fg_page_put(page, "</td><td>");
    fg_page_number(page, fg_run_real(half, rows[i].key), 5, half ? "infinite" : "density.check is false");
    fg_page_put(page, "</td></tr>\n");
  }
  fg_page_put(
      page, "</tbody></table></div>\n<p class=\"note\">The error of the SDE\xe2\x80\x99s density falls with "
            "the square of the width of the cells. On half as many it is four times as large, so the "
            "difference of the columns shows what the grid still contributes. ");
  if (!fg_run_find(density, "w2.blocks")) {
    fg_page_put(page, FG_W2 " is that of densities constant in each cell.</p>\n</section>\n");
    return;
  }
  fg_page_put(page, FG_W2 " is the exact transport between ");
  fg_page_count(page, fg_run_real(density, "w2.blocks.cells"), "not recorded");
  fg_page_put(page, " blocks of cells per axis, ");
  fg_page_number(page, fg_run_real(density, "w2.blocks.value"), 4, "not recorded");
  fg_page_put(
      page,
      ", brought within its bounds: transport by whole blocks overstates distances below their width. The "
      "lower bound is that of the marginals, the upper the cost of moving along one axis after the "
      "other; both are proven for densities constant in each cell.</p>\n</section>\n");
}

static void page_solvers(const fg_report *r)
{
  static const fg_density_row rows[] = {
      {"sde.steps", "SDE: steps of CVODE"},
      {"sde.rhs_evaluations", "SDE: right-hand sides"},
      {"sde.score_evaluations", "SDE: scores at cells"},
      {"sde.linear_iterations", "SDE: GMRES iterations"},
      {"sde.preconditioner_setups", "SDE: preconditioners"},
      {"ode.steps", "ODE: steps over all tiles"},
      {"ode.rhs_evaluations", "ODE: right-hand sides over all tiles"},
      {"ode.failed", "ODE: nodes that could not be carried"},
  };
  fg_page *page = r->page;
  const json_t *results = r->run->results;
  fg_page_put(
      page,
      "<section id=\"solvers\">\n<h2>Solvers</h2>\n<div class=\"scroll\"><table class=\"keys\"><tbody>\n");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fg_page_print(page, "<tr><th>%s</th><td>", rows[i].title);
    fg_page_count(page, fg_run_real(results, rows[i].key), "not recorded");
    fg_page_put(page, "</td></tr>\n");
  }
  fg_page_put(page, "<tr><th>SDE: least density over the largest</th><td>");
  fg_page_number(page, fg_run_real(results, "sde.least"), 2, "not recorded");
  fg_page_put(page, "</td></tr>\n<tr><th>SDE: the prior\xe2\x80\x99s mass outside the box</th><td>");
  fg_page_number(page, fg_run_real(results, "sde.outside_prior"), 2, "not recorded");
  if (isfinite(fg_run_real(results, "density.paths_outside"))) {
    fg_page_put(page, "</td></tr>\n<tr><th>share of the paths that chose the box outside it</th><td>");
    fg_page_number(page, fg_run_real(results, "density.paths_outside"), 2, NULL);
  }
  fg_page_put(page, "</td></tr>\n<tr><th>seconds: SDE, ODE</th><td>");
  fg_page_number(page, fg_run_real(results, "sde.seconds"), 3, "not recorded");
  fg_page_put(page, ", ");
  fg_page_number(page, fg_run_real(results, "ode.seconds"), 3, "not recorded");
  fg_page_put(page, "</td></tr>\n</tbody></table></div>\n</section>\n");
}

static fg_code page_pictures(const fg_report *r, const fg_picture *p, double top, fg_status *st)
{
  fg_page *page = r->page;
  fg_page_put(page, "<section id=\"densities\">\n<h2>The densities</h2>\n");
  fg_page_put(page, p->d == 2 ? "<div class=\"maps three\">\n" : "<div class=\"pair\">\n");
  if (p->d == 2) {
    FG_TRY(fg_report_figure(r, "map-ode", "ODE", "", "Density of the ODE", "", st));
    FG_TRY(fg_report_figure(r, "map-sde", "SDE", "", "Density of the SDE", "", st));
    FG_TRY(fg_report_figure(r, "map-gap", "SDE \xe2\x88\x92 ODE", "", "Difference, SDE minus ODE", "", st));
  } else {
    FG_TRY(fg_report_figure(r, "laws", "The laws",
                            "<span class=\"ode\">ODE</span><span class=\"sde\">SDE</span>",
                            "Densities of the laws", "", st));
    FG_TRY(fg_report_figure(r, "laws-gap", "Difference, SDE \xe2\x88\x92 ODE", "",
                            "Difference of the densities", "", st));
  }
  fg_page_put(page, "</div>\n");
  if (p->d == 2) fg_report_bars(page, "density", top, p->gap.top);
  fg_page_put(page, "<p class=\"note\">Shown is as much of the middle of the box, [\xe2\x88\x92");
  double half = fg_run_real(r->run->results, "density.half_width");
  fg_page_setting(page, half, "not recorded");
  fg_page_put(page, ", ");
  fg_page_setting(page, half, "not recorded");
  fg_page_put(page, "] in each coordinate, as holds 99.8 % of both laws.</p>\n</section>\n");
  return FG_OK;
}

fg_code fg_report_density(const fg_report *r, const char *run_directory, fg_status *st)
{
  fg_picture p = {0};
  double top = 0;
  fg_code rc;
  FG_GO(fg_picture_read(run_directory, &p, st), done);
  const fg_map *maps[2] = {&p.map[0], &p.map[1]};
  FG_GO(fg_map_top(&p.view, maps, 2, &top, st), done);
  FG_GO(fg_figures_create(&r->plots->figures, st), done);
  if (p.d == 2)
    FG_GO(draw_maps(r, &p, top, st), done);
  else
    draw_curves(r, &p);
  FG_GO(fg_figures_run(r->plots->figures, st), done);
  fg_report_document(r, ": densities of ODE and SDE");
  page_headline(r);
  fg_report_warnings(r);
  FG_GO(page_pictures(r, &p, top, st), done);
  page_distances(r);
  page_solvers(r);
done:
  fg_picture_clear(&p);
  return rc;
}

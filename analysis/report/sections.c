#include "analysis/report/sections.h"

#include <math.h>
#include <stdio.h>

fg_code fg_report_figure(const fg_report *r, const char *name, const char *title, const char *legend,
                         const char *label, const char *caption, fg_status *st)
{
  fg_page *page = r->page;
  fg_page_print(page, "<figure id=\"figure-%s\">\n<h3>%s</h3>\n", name, title);
  if (*legend) fg_page_print(page, "<div class=\"legend\">%s</div>\n", legend);
  FG_TRY(fg_figures_svg(r->plots->figures, name, label, page, st));
  if (*caption) fg_page_print(page, "<figcaption>%s</figcaption>\n", caption);
  fg_page_put(page, "</figure>\n");
  return FG_OK;
}

/* ---- density maps ----------------------------------------------------------------------- */

void fg_report_gap_ends(fg_page *page, double top)
{
  if (!(top > 0)) {
    fg_page_put(page, "<span></span><span>0 everywhere</span><span></span>");
    return;
  }
  fg_page_put(page, "<span>\xe2\x89\xa4 \xe2\x88\x92");
  fg_page_number(page, top, 2, NULL);
  fg_page_put(page, " more ODE</span><span>0</span><span>more SDE \xe2\x89\xa5 ");
  fg_page_number(page, top, 2, NULL);
  fg_page_put(page, "</span>");
}

void fg_report_bars(fg_page *page, const char *what, double top, double gap_top)
{
  fg_page_print(page,
                "<div class=\"bars\">\n<div class=\"bar\">%s<i class=\"viridis\"></i>"
                "<span class=\"scale\"><span>0</span><span>",
                what);
  fg_page_number(page, 0.5 * top, 2, NULL);
  fg_page_put(page, "</span><span>\xe2\x89\xa5 ");
  fg_page_number(page, top, 2, NULL);
  fg_page_put(page, "</span></span></div>\n");
  fg_page_put(
      page, "<div class=\"bar\">difference SDE \xe2\x88\x92 ODE<i class=\"gap\"></i><span class=\"scale\">");
  fg_report_gap_ends(page, gap_top);
  fg_page_put(page, "</span></div>\n</div>\n");
}

static void page_outside(const fg_report *r)
{
  static const char *const names[] = {"ODE ", "SDE ", "target "};
  fg_page *page = r->page;
  const fg_map *map = r->plots->map;
  if (map[0].outside + map[1].outside + map[2].outside == 0) {
    fg_page_put(page, " No particle lies outside the view.");
    return;
  }
  fg_page_put(page, " Outside the view: ");
  for (int k = 0, shown = 0; k < FG_MAPS; k++) {
    if (!map[k].count) continue;
    fg_page_print(page, "%s%s", shown++ ? ", " : "", names[k]);
    fg_report_share(page, (double)map[k].outside, (double)map[k].n);
  }
  fg_page_put(page, ".");
}

static void page_noise(fg_page *page, const fg_map_gap *gap)
{
  if (!gap->tested) return;
  fg_page_put(page, " Of the ");
  fg_page_count(page, (double)gap->tested, NULL);
  fg_page_put(page, " cells with at least ten particles, ");
  fg_page_count(page, (double)gap->beyond, NULL);
  fg_page_put(page, gap->beyond == 1 ? " differs" : " differ");
  fg_page_put(page, " by more than three standard errors (equal laws: about ");
  fg_page_number(page, 0.0027 * (double)gap->tested, 1, NULL);
  fg_page_put(page, ").");
}

static fg_code page_maps(const fg_report *r, fg_status *st)
{
  static const char *const names[] = {"map-ode", "map-sde", "map-target", "map-gap"};
  static const char *const titles[] = {"ODE", "SDE", "Target", "SDE \xe2\x88\x92 ODE"};
  static const char *const labels[] = {"Density map of the ODE's particles",
                                       "Density map of the SDE's particles", "Density map of the target",
                                       "Map of the difference, SDE minus ODE"};
  bool target = r->plots->map[FG_MAP_TARGET].count != NULL;
  fg_page_print(r->page, "<div class=\"maps%s\">\n", target ? "" : " three");
  for (int k = 0; k < 4; k++) {
    if (k == FG_MAP_TARGET && !target) continue;
    FG_TRY(fg_report_figure(r, names[k], titles[k], "", labels[k], "", st));
  }
  fg_page_put(r->page, "</div>\n");
  fg_report_bars(r->page, "density of particles", r->plots->top, r->plots->gap.top);
  return FG_OK;
}

static fg_code page_laws(const fg_report *r, fg_status *st)
{
  bool target = r->plots->map[FG_MAP_TARGET].count != NULL;
  fg_page_put(r->page, "<div class=\"pair\">\n");
  FG_TRY(fg_report_figure(
      r, "laws", "The laws",
      target ? "<span class=\"ode\">ODE</span><span class=\"sde\">SDE</span><span class=\"target "
               "area\">target</span>"
             : "<span class=\"ode\">ODE</span><span class=\"sde\">SDE</span>",
      "Histograms of the laws", "", st));
  FG_TRY(fg_report_figure(
      r, "laws-gap", "Difference, SDE \xe2\x88\x92 ODE",
      "<span>difference</span><span class=\"muted area\">two standard errors of counting</span>",
      "Difference of the histograms", "", st));
  fg_page_put(r->page, "</div>\n");
  return FG_OK;
}

fg_code fg_report_densities(const fg_report *r, fg_status *st)
{
  fg_page *page = r->page;
  const fg_plots *plots = r->plots;
  if (!plots->densities) return FG_OK;
  fg_page_put(page, "<section id=\"densities\">\n<h2>Where the particles end</h2>\n<p class=\"note\">");
  if (r->run->d > 2)
    fg_page_print(page, "Only the first two of the %zu coordinates are shown; the distances use all. ",
                  r->run->d);
  fg_page_put(page,
              plots->view.axes == 2
                  ? "Histograms of the particles where each equation stops, <i>x</i><sub>1</sub> across and "
                    "<i>x</i><sub>2</sub> up. The density maps share one colour scale. "
                  : "Histograms of the particles where each equation stops. ");
  if (plots->map[FG_MAP_TARGET].count == NULL)
    fg_page_put(page, "There are no samples of the target in this run. ");
  fg_page_put(page, "</p>\n");
  if (plots->view.axes == 2)
    FG_TRY(page_maps(r, st));
  else
    FG_TRY(page_laws(r, st));
  fg_page_put(page, "<p class=\"note\">Bins are ");
  fg_page_number(page, plots->view.width / (double)plots->view.bins, 2, NULL);
  fg_page_put(page, " wide.");
  if (isfinite(fg_run_real(r->run->results, "box")) && plots->view.axes == 2)
    fg_page_put(page, " The dashed square is the box of the settings.");
  page_outside(r);
  page_noise(page, &plots->gap);
  fg_page_put(page, "</p>\n</section>\n");
  return FG_OK;
}

/* ---- the way ----------------------------------------------------------------------------- */

static fg_code page_frame(const fg_report *r, size_t k, fg_status *st)
{
  fg_page *page = r->page;
  const fg_frame *frame = &r->plots->frame[k];
  char name[48], text[48];
  bool plane = r->plots->frame_view.axes == 2;
  fg_page_print(page, "<div data-at=\"%.9g\" class=\"frame\" data-t=\"", frame->t);
  fg_page_text(page, fg_page_plain(frame->t, 3, text));
  fg_page_put(page, "\">\n<p class=\"when\"><i>t</i> = ");
  fg_page_number(page, frame->t, 3, NULL);
  fg_page_print(page, "</p>\n<div class=\"%s\">\n", plane ? "maps three" : "pair");
  if (plane) {
    snprintf(name, sizeof name, "frame-%zu-ode", k);
    FG_TRY(fg_report_figure(r, name, "ODE", "", "Density map of the ODE on the way", "", st));
    snprintf(name, sizeof name, "frame-%zu-sde", k);
    FG_TRY(fg_report_figure(r, name, "SDE", "", "Density map of the SDE on the way", "", st));
    snprintf(name, sizeof name, "frame-%zu-gap", k);
    FG_TRY(fg_report_figure(r, name, "SDE \xe2\x88\x92 ODE", "", "Difference on the way, SDE minus ODE", "",
                            st));
  } else {
    snprintf(name, sizeof name, "frame-%zu-laws", k);
    FG_TRY(fg_report_figure(r, name, "The laws",
                            "<span class=\"ode\">ODE</span><span class=\"sde\">SDE</span>",
                            "Histograms of both laws on the way", "", st));
  }
  fg_page_put(page, "</div>\n");
  if (plane) fg_report_bars(page, "density of particles", frame->top, frame->gap_top);
  if (frame->outside_ode + frame->outside_sde > 0) {
    double kept = (double)r->run->snapshot_ode.shape[1];
    fg_page_put(page, "<p class=\"note\">Outside the view: ODE ");
    fg_report_share(page, (double)frame->outside_ode, kept);
    fg_page_put(page, ", SDE ");
    fg_report_share(page, (double)frame->outside_sde, kept);
    fg_page_put(page, ".</p>\n");
  }
  fg_page_put(page, "</div>\n");
  return FG_OK;
}

fg_code fg_report_frames(const fg_report *r, fg_status *st)
{
  fg_page *page = r->page;
  size_t frames = r->plots->frames, all = r->run->snapshot_t.shape[0];
  if (!frames) return FG_OK;
  fg_page_put(page, "<section id=\"snapshots\">\n<h2>Both laws on the way</h2>\n");
  fg_page_put(page, "<p class=\"note\">");
  fg_page_count(page, (double)r->run->snapshot_ode.shape[1], NULL);
  fg_page_print(
      page,
      " particles of each law at %zu noising times%s. Generation runs from large <i>t</i> (noise) to "
      "small <i>t</i> (data). Each time has its own scale.</p>\n",
      frames, frames < all ? " (evenly chosen among those kept)" : "");
  if (frames > 1)
    fg_page_print(
        page,
        "<div class=\"player frames\"><button type=\"button\">Play</button><input type=\"range\" min=\"0\" "
        "max=\"%zu\" value=\"%zu\" step=\"1\" aria-label=\"noising time of the "
        "maps\"/><output></output></div>\n",
        frames - 1, frames / 2);
  for (size_t k = 0; k < frames; k++) FG_TRY(page_frame(r, k, st));
  fg_page_put(page, "</section>\n");
  return FG_OK;
}

/* ---- residual ---------------------------------------------------------------------------- */

fg_code fg_report_residual(const fg_report *r, fg_status *st)
{
  fg_page *page = r->page;
  const json_t *residual = fg_run_find(r->run->results, "residual");
  fg_page_put(page, "<section id=\"residual\">\n<h2>Fokker\xe2\x80\x93Planck residual</h2>\n");
  if (!residual) {
    fg_page_put(page, "<p class=\"note\">Not computed: the model has no log-density (vector form), or "
                      "compare.residual_points is 0.</p>\n</section>\n");
    return FG_OK;
  }
  fg_page_put(page, "<p>Mean of <i>R</i>\xc2\xb2 along the paths of the model\xe2\x80\x99s own SDE: <b>");
  fg_page_number(page, fg_run_real(residual, "mean_square"), 3, "not recorded");
  fg_page_put(page, "</b> \xc2\xb1 ");
  fg_page_number(page, fg_run_real(residual, "mean_square_se"), 2, "not recorded");
  fg_page_put(page, " (standard error; ");
  fg_page_count(page, fg_run_real(residual, "points"), "not recorded");
  fg_page_put(
      page, " paths, averaged over time). <i>R</i> says by how much exp \xce\xa6 misses the equation that "
            "its score should "
            "solve; where <i>R</i> = 0 for all <i>x</i> and <i>t</i>, ODE and SDE have the same law.</p>\n");
  if (r->plots->residual) {
    fg_page_put(page, "<div class=\"pair\">\n");
    FG_TRY(fg_report_figure(
        r, "residual", "Residual against time",
        "<span>mean of <i>R</i>\xc2\xb2</span><span class=\"area\">two standard errors</span>",
        "Mean squared residual against noising time",
        "Logarithmic axes. Peaks tell at which noise level the model breaks the equation.", st));
    if (r->plots->relative)
      FG_TRY(fg_report_figure(
          r, "relative", "Relative residual", "", "Relative residual against noising time",
          "Root mean square of <i>R</i> over that of the sum of the magnitudes of its terms: near "
          "1 the equation does not hold at all, near 10<sup>\xe2\x88\x92"
          "15</sup> it holds to "
          "rounding.",
          st));
    fg_page_put(page, "</div>\n");
  } else {
    fg_page_put(
        page, "<p class=\"note\">The profile has fewer than two times with a residual above zero: nothing to "
              "draw on logarithmic axes.</p>\n");
  }
  fg_page_put(page, "</section>\n");
  return FG_OK;
}

/* ---- trajectories ------------------------------------------------------------------------ */

fg_code fg_report_paths(const fg_report *r, fg_status *st)
{
  fg_page *page = r->page;
  static const char legend[] = "<span class=\"ode\">ODE</span><span class=\"sde\">SDE</span>";
  if (!r->plots->paths) return FG_OK;
  fg_page_put(page, "<section id=\"paths\">\n<h2>Trajectories from the same starts</h2>\n");
  fg_page_print(
      page,
      "<p class=\"note\">%zu starts, each carried by the ODE (smooth) and by the SDE (rough).%s</p>\n"
      "<div class=\"player paths\"><button type=\"button\">Play</button><input type=\"range\" min=\"0\" "
      "max=\"1\" value=\"1\" step=\"1\" aria-label=\"noising time of the trajectories\"/><output></output>"
      "</div>\n<div class=\"pair\">\n",
      r->plots->drawn_paths, r->plots->plane ? " Circles: common starts; dots: ends." : "");
  if (r->plots->plane)
    FG_TRY(fg_report_figure(
        r, "plane", r->run->d > 2 ? "In the plane of the first two coordinates" : "In the plane", legend,
        "Trajectories of ODE and SDE in the plane",
        "Single paths need not agree even where the laws do: the SDE forgets its start.", st));
  FG_TRY(fg_report_figure(
      r, "paths", r->run->d > 1 ? "First coordinate against time" : "Against time", legend,
      "Trajectories of ODE and SDE against noising time",
      "Generation runs from left to right; <i>t</i> = 0, if reached, is drawn at the right edge. "
      "Sharp bends there are where the "
      "solver works hardest.",
      st));
  fg_page_put(page, "</div>\n</section>\n");
  return FG_OK;
}

/* ---- solvers ----------------------------------------------------------------------------- */

/* Where half of the work is done: the profile runs from small times to large ones. */
static void page_half(const fg_report *r)
{
  const json_t *list = fg_run_find(r->run->results, "ode.profile");
  double all = 0, sum = 0, rhs;
  size_t i, count = json_array_size(list);
  for (i = 0; i < count; i++) {
    rhs = fg_run_real(json_array_get(list, i), "rhs");
    if (rhs > 0) all += rhs;
  }
  if (!(all > 0)) return;
  for (i = 0; i + 1 < count && sum < 0.5 * all; i++) {
    rhs = fg_run_real(json_array_get(list, i), "rhs");
    if (rhs > 0) sum += rhs;
  }
  fg_page_put(r->page, "<p>Half of the ODE\xe2\x80\x99s right-hand sides are evaluated below <i>t</i> = ");
  fg_page_number(r->page, fg_run_real(json_array_get(list, i ? i - 1 : 0), "t"), 2, "not recorded");
  fg_page_put(r->page, ".</p>\n");
}

fg_code fg_report_solver(const fg_report *r, fg_status *st)
{
  fg_page *page = r->page;
  fg_page_put(page, "<section id=\"solvers\">\n<h2>What the solvers did</h2>\n");
  fg_report_solver_tables(r);
  if (r->plots->work) {
    page_half(r);
    fg_page_put(page, "<div class=\"pair\">\n");
    FG_TRY(fg_report_figure(
        r, "work", "Work of the ODE solver against time",
        "<span class=\"ode\">accepted steps</span><span class=\"muted dash\">right-hand "
        "sides</span>",
        "Steps and right-hand sides of the ODE solver against noising time",
        "Mean over tiles in bins of equal width in log <i>t</i>. A rise to the right means that "
        "the score stiffens near the data.",
        st));
    if (r->plots->step)
      FG_TRY(
          fg_report_figure(r, "step", "Length of a step",
                           "<span class=\"ode\">mean step</span><span class=\"muted dash\">as long as "
                           "<i>t</i> itself</span>",
                           "Mean step of the ODE solver against noising time",
                           "Width of a bin over its steps. A curve that falls away from the line towards the "
                           "data shows a score that stiffens there.",
                           st));
    if (r->plots->order)
      FG_TRY(fg_report_figure(
          r, "order", "Order of the method", "", "Mean order of the ODE method against noising time",
          "Adams and BDF start every tile at order 1. A high order means a smooth score; a "
          "later drop to 1 or 2 points at kinks or stiffness. dopri5 is of order 5 throughout.",
          st));
    fg_page_put(page, "</div>\n");
  }
  fg_page_put(page, "</section>\n");
  return FG_OK;
}

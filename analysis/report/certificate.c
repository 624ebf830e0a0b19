/* "From the residual to the gap" and "The family between ODE and SDE". */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/report/answer.h"
#include "analysis/report/sections.h"

#define FG_MINUS "\xe2\x88\x92"

static void cell(fg_page *page, double value, double error, const char *reason)
{
  fg_page_put(page, "<td>");
  fg_page_number(page, value, 3, reason);
  if (isfinite(value) && isfinite(error)) {
    fg_page_put(page, " \xc2\xb1 ");
    fg_page_number(page, error, 2, NULL);
  }
  fg_page_put(page, "</td>");
}

/* ---- the sentence -------------------------------------------------------------------------------- */

/* A number given by its natural logarithm, however large. */
static void page_large(fg_page *page, double logarithm, int digits)
{
  if (fabs(logarithm) < 600)
    fg_page_number(page, exp(logarithm), digits, NULL);
  else
    fg_page_print(page, "10<sup>%.0f</sup>", logarithm / log(10.0));
}

static const json_t *shown_bound(const json_t *certificate)
{
  return fg_run_find(fg_run_find(certificate, "bounds"), fg_run_word(certificate, "shown", ""));
}

/* Where another row of the table is a theorem. */
static void page_theorem(const fg_report *r, const json_t *certificate, bool said)
{
  const json_t *global = fg_run_find(certificate, "bounds.global");
  if (said || strcmp(fg_run_word(global, "kind", ""), "theorem") != 0) return;
  fg_page_put(r->page, " With <i>L</i> in closed form the bound is a theorem: ");
  page_large(r->page, fg_run_real(global, "log_bound"), 3);
  fg_page_put(r->page, ".");
}

/* "Measured W2 0.12 (0.11 to 0.13) <= 0.45, the bound: 3.7 times." */
static void page_claim(const fg_report *r, const json_t *certificate)
{
  fg_page *page = r->page;
  const json_t *bound = shown_bound(certificate);
  fg_answer a = fg_answer_find(r->run);
  double log_bound = fg_run_real(bound, "log_bound"), log_value = log(a.value);
  bool theorem = strcmp(fg_run_word(bound, "kind", ""), "theorem") == 0;
  fg_page_put(page, "<p class=\"lead\">");
  if (a.verdict == FG_VERDICT_NONE || !isfinite(log_bound)) {
    fg_page_put(page, "There is no measured distance, or no bound, to set beside each other.</p>\n");
    return;
  }
  fg_page_put(page, "Measured " FG_W2 " ");
  fg_page_number(page, a.value, 3, NULL);
  if (isfinite(a.low) && isfinite(a.high)) {
    fg_page_put(page, " (");
    fg_page_number(page, a.low, 3, NULL);
    fg_page_put(page, " to ");
    fg_page_number(page, a.high, 3, NULL);
    fg_page_put(page, ")");
  }
  bool holds = log_value <= log_bound;
  fg_page_put(page, holds ? " \xe2\x89\xa4 " : " &gt; ");
  page_large(page, log_bound, 3);
  fg_page_put(page, theorem ? ", the bound" : ", the estimated bound");
  if (holds) {
    fg_page_put(page, ": ");
    page_large(page, log_bound - log_value, 2);
    fg_page_put(page, " times");
  }
  fg_page_put(page, ".");
  page_theorem(r, certificate, theorem);
  if (a.verdict == FG_VERDICT_WITHIN)
    fg_page_put(page, " The measured value does not stand out from its noise floor.");
  if (!holds && (a.low <= 0 || log(a.low) <= log_bound))
    fg_page_put(page, " The interval reaches below the bound: the excess is sampling noise.");
  else if (!holds)
    fg_page_put(page,
                " That cannot be: the time steps of the SDE, the sampled constant <i>L</i> or the cells are "
                "too coarse.");
  fg_page_put(page, "</p>\n");
}

/* ---- the identity -------------------------------------------------------------------------------- */

static void identity_rows(const fg_report *r, const json_t *certificate)
{
  fg_page *page = r->page;
  const json_t *grid = fg_run_find(certificate, "identity.grid"),
               *paths = fg_run_find(certificate, "identity.paths");
  static const char grid_only[] = "the law on a grid, which this needs, is for one and two dimensions";
  if (grid) {
    double left = hypot(fg_run_real(grid, "left_time"), fg_run_real(grid, "left_space"));
    double right = hypot(fg_run_real(grid, "right_time"), fg_run_real(grid, "right_space"));
    fg_page_put(page, "<tr><th scope=\"row\">grid, ");
    fg_page_count(page, fg_run_real(grid, "cells"), "not recorded");
    fg_page_put(page, r->run->d == 2 ? "\xc2\xb2 cells</th>" : " cells</th>");
    cell(page, fg_run_real(grid, "left"), left, "not recorded");
    cell(page, fg_run_real(grid, "right"), right, "not recorded");
    cell(page, fg_run_real(grid, "left") - fg_run_real(grid, "right"), NAN, "not recorded");
    cell(page, fg_run_real(grid, "kl_start"), NAN, "not recorded");
    cell(page, -fg_run_real(grid, "kl_end"), NAN, "not recorded");
    cell(page, fg_run_real(grid, "residual"), NAN, "not recorded");
    fg_page_put(page, "</tr>\n");
  }
  fg_page_put(page, "<tr><th scope=\"row\">paths, ");
  fg_page_count(page, fg_run_real(paths, "paths"), "not recorded");
  fg_page_put(page, "</th>");
  cell(page, fg_run_real(paths, "left"), fg_run_real(paths, "left_se"), grid_only);
  cell(page, fg_run_real(paths, "right"), fg_run_real(paths, "right_se"), grid_only);
  cell(page, -fg_run_real(paths, "difference"), fg_run_real(paths, "difference_se"), grid_only);
  cell(page, fg_run_real(paths, "kl_start"), fg_run_real(paths, "kl_start_se"), "not recorded");
  cell(page, -fg_run_real(paths, "kl_end"), fg_run_real(paths, "kl_end_se"), grid_only);
  cell(page, fg_run_real(paths, "residual"), fg_run_real(paths, "residual_se"), "not recorded");
  fg_page_put(page, "</tr>\n");
}

static void page_identity(const fg_report *r, const json_t *certificate)
{
  fg_page *page = r->page;
  const json_t *grid = fg_run_find(certificate, "identity.grid"),
               *paths = fg_run_find(certificate, "identity.paths");
  fg_page_put(page,
              "<h3>The identity</h3>\n<p class=\"note\">\xe2\x88\xab <i>g</i>\xc2\xb2/2 E|\xe2\x88\x87 log "
              "<i>p</i> " FG_MINUS
              " <i>s</i>|\xc2\xb2 d<i>t</i> = KL(<i>p<sub>T</sub></i>|<i>q<sub>T</sub></i>) " FG_MINUS
              " KL(<i>p</i><sub><i>t</i>\xe2\x82\x80</sub>|<i>q</i><sub><i>t</i>\xe2\x82\x80</sub>) + "
              "\xe2\x88\xab E[<i>R</i>] d<i>t</i>: how far "
              "the SDE\xe2\x80\x99s "
              "law <i>p</i> is from the score that drives it equals what the residual puts in. <i>q</i> = "
              "exp \xce\xa6.</p>\n"
              "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">By</th><th scope=\"col\">Left</th>"
              "<th scope=\"col\">Right</th><th scope=\"col\">Left " FG_MINUS
              " right</th><th scope=\"col\">KL at <i>T</i></th>"
              "<th scope=\"col\">" FG_MINUS
              " KL at <i>t</i>\xe2\x82\x80</th><th scope=\"col\">\xe2\x88\xab E[<i>R</i>]</th>"
              "</tr></thead>\n<tbody>\n");
  identity_rows(r, certificate);
  fg_page_put(page, "</tbody></table></div>\n<p class=\"note\">");
  if (grid) {
    fg_page_put(page, "Grid: errors from half the times and half the cells; largest share of mass without "
                      "log-density ");
    fg_page_number(page, fg_run_real(grid, "left_out"), 2, "not recorded");
    fg_page_put(page, ". ");
  }
  fg_page_put(page, "Paths: standard errors");
  if (grid) {
    fg_page_put(page, "; log-densities of the law are interpolated from the grid, visits off it ");
    fg_report_share(page, fg_run_real(paths, "off"), fg_run_real(paths, "visits"));
  }
  fg_page_put(page, ". Halving their time steps changes KL at <i>T</i> + \xe2\x88\xab E[<i>R</i>] by ");
  fg_page_number(page, fg_run_real(paths, "sum_step"), 2, "not recorded");
  fg_page_put(page, " \xc2\xb1 ");
  fg_page_number(page, fg_run_real(paths, "sum_step_se"), 2, "not recorded");
  fg_page_put(page, "; paths lost: ");
  fg_page_count(page, fg_run_real(paths, "lost"), "not recorded");
  fg_page_put(page, ".</p>\n");
}

/* ---- the bound ------------------------------------------------------------------------------------ */

static void page_mass(const fg_report *r, const json_t *certificate)
{
  fg_page *page = r->page;
  const json_t *mass = fg_run_find(certificate, "log_mass");
  bool box = strcmp(fg_run_word(mass, "method", ""), "box") == 0;
  fg_page_put(page, "Log-mass log \xe2\x88\xab <i>q</i><sub><i>t</i>\xe2\x82\x80</sub> d<i>x</i> = ");
  fg_page_number(page, fg_run_real(mass, "value"), 3, "not recorded");
  fg_page_put(page, box ? " (quadrature in the box, "
                        : " (importance sampling, an <b>estimate</b>, standard error ");
  fg_page_number(page, fg_run_real(mass, "error"), 2, "not recorded");
  fg_page_put(page, box ? " from half the nodes; share of the outermost tenth "
                        : "; share of the sample that is lost to unequal weights ");
  fg_page_number(page, fg_run_real(mass, "edge"), 2, "not recorded");
  fg_page_put(page, "). ");
}

static void bound_row(const fg_report *r, const json_t *certificate, const char *kind, const char *where)
{
  fg_page *page = r->page;
  const json_t *one = fg_run_find(fg_run_find(certificate, "bounds"), kind);
  const char *mark = fg_run_word(one, "lipschitz_kind", "not recorded");
  if (!one) return;
  fg_page_print(page, "<tr><th scope=\"row\">%s</th><td class=\"left\">", where);
  fg_page_text(page, mark);
  fg_page_put(page, "</td>");
  cell(page, fg_run_real(one, "lipschitz_integral"), NAN, "not recorded");
  fg_page_put(page, "<td>");
  page_large(page, fg_run_real(one, "log_a"), 3);
  fg_page_put(page, "</td><td>");
  page_large(page, fg_run_real(one, "log_bound"), 3);
  fg_page_put(page, "</td><td class=\"left\">");
  fg_page_text(page, fg_run_word(one, "kind", "not recorded"));
  fg_page_put(page, "</td></tr>\n");
}

static void page_bound(const fg_report *r, const json_t *certificate)
{
  fg_page *page = r->page;
  const json_t *d = fg_run_find(certificate, "d");
  bool grid = strcmp(fg_run_word(d, "method", ""), "grid") == 0;
  fg_page_put(
      page,
      "<h3>The bound</h3>\n<p class=\"note\">" FG_W2
      "\xc2\xb2 \xe2\x89\xa4 <i>A D</i>, <i>A</i> = \xe2\x88\xab <i>g</i>\xc2\xb2/2 "
      "exp(2 \xe2\x88\xab <i>L</i>) d<i>t</i>, with <i>L</i>(<i>t</i>) a one-sided Lipschitz constant of the "
      "ODE\xe2\x80\x99s velocity. <i>D</i> = ");
  fg_page_number(page, fg_run_real(d, "value"), 3, "not recorded");
  fg_page_put(page, ", at most ");
  fg_page_number(page, fg_run_real(d, "error"), 2, "not recorded");
  if (grid)
    fg_page_print(page, " more: the %s side of the identity on the grid (quadrature). ",
                  strcmp(fg_run_word(d, "side", ""), "left") == 0 ? "left" : "right");
  else
    fg_page_put(page, " more: KL at <i>T</i> + \xe2\x88\xab E[<i>R</i>] by paths, plus the log-mass (an "
                      "<b>estimate</b>). ");
  page_mass(r, certificate);
  fg_page_put(page, "The bound takes the larger <i>D</i>, and <i>A</i> with its change when every other time "
                    "is left out.</p>\n<div class=\"scroll\"><table>\n<thead><tr><th "
                    "scope=\"col\"><i>L</i> over</th><th scope=\"col\" class=\"left\">is</th><th "
                    "scope=\"col\">\xe2\x88\xab "
                    "<i>L</i> d<i>t</i></th><th scope=\"col\"><i>A</i></th><th scope=\"col\">Bound of " FG_W2
                    "</th><th scope=\"col\" class=\"left\">which is</th></tr></thead>\n<tbody>\n");
  bound_row(r, certificate, "paths", "the paths of both flows");
  bound_row(r, certificate, "box", "nodes of the box around them");
  bound_row(r, certificate, "global", "all of space, closed form");
  fg_page_put(
      page,
      "</tbody></table></div>\n<p class=\"note\">A constant <i>L</i> seen at points is an estimate from "
      "below of the true one; a bound that rests on it is an estimate too. One in closed form holds "
      "everywhere: "
      "then the bound is a theorem, up to quadrature.");
  const json_t *laws = fg_run_find(certificate, "laws");
  if (isfinite(fg_run_real(laws, "w2_least"))) {
    fg_page_put(page, r->run->d == 1 ? " Between the laws on the grid, without sampling noise, " FG_W2 " = "
                                     : " Between the laws on the grid, without sampling noise, " FG_W2
                                       " is at least ");
    fg_page_number(page, fg_run_real(laws, "w2_least"), 3, NULL);
    fg_page_put(page, r->run->d == 1 ? "." : " (from their marginals).");
    double mass = fg_run_real(laws, "mass_ode");
    if (fabs(mass - 1) > 1e-3) {
      fg_page_put(page, " The ODE\xe2\x80\x99s density sums to ");
      fg_page_number(page, mass, 4, NULL);
      fg_page_put(page, " there, not 1: the cells are too wide for it, or the box too narrow.");
    }
  }
  fg_page_put(page, "</p>\n");
}

static fg_code page_curves(const fg_report *r, fg_status *st)
{
  static const char on_grid[] = "<span>on the grid</span>";
  static const char by_paths[] = "<span class=\"sde area\">by paths, two standard errors</span>";
  const fg_plots *plots = r->plots;
  bool box = fg_run_find(r->run->results, "certificate.bounds.box") != NULL;
  char legend[256], kinds[256];
  snprintf(legend, sizeof legend, "%s%s", plots->apart ? on_grid : "", by_paths);
  snprintf(kinds, sizeof kinds, "<span class=\"dash\">paths</span>%s%s",
           box ? "<span class=\"sde\">box</span>" : "",
           plots->lipschitz_global ? "<span class=\"muted dash\">all of space</span>" : "");
  fg_page_put(r->page, "<div class=\"pair\">\n");
  if (plots->apart)
    FG_TRY(fg_report_figure(r, "apart", "What sets ODE and SDE apart", legend,
                            "Integrand of the left side against noising time",
                            "Left side of the identity, per unit of time.", st));
  FG_TRY(fg_report_figure(r, "source", "What the residual puts in", legend,
                          "Mean residual against noising time",
                          "Right side of the identity, per unit of time, without the ends.", st));
  FG_TRY(fg_report_figure(
      r, "lipschitz", "Lipschitz constant of the ODE", kinds,
      "Lipschitz constant of the ODE's velocity against noising time",
      "Where it is above 0, nearby points part on their way to the data and the bound grows; below 0 "
      "they come together.",
      st));
  fg_page_put(r->page, "</div>\n");
  return FG_OK;
}

fg_code fg_report_certificate(const fg_report *r, fg_status *st)
{
  const json_t *certificate = fg_run_find(r->run->results, "certificate");
  if (!certificate) return FG_OK;
  fg_page_put(r->page, "<section id=\"certificate\">\n<h2>From the residual to the gap</h2>\n");
  page_claim(r, certificate);
  page_identity(r, certificate);
  page_bound(r, certificate);
  if (r->plots->certificate) FG_TRY(page_curves(r, st));
  fg_page_put(r->page, "</section>\n");
  return FG_OK;
}

/* ---- the curve over lambda ------------------------------------------------------------------------ */

static void lambda_rows(const fg_report *r, const json_t *list, const char *estimator)
{
  fg_page *page = r->page;
  const json_t *point;
  size_t i;
  json_array_foreach((json_t *)list, i, point)
  {
    const json_t *one = fg_run_find(fg_run_find(point, "w2"), estimator);
    double low = fg_run_real(one, "ci_low");
    fg_page_put(page, "<tr><th scope=\"row\">");
    fg_page_setting(page, fg_run_real(point, "lambda"), "not recorded");
    fg_page_put(page, "</th>");
    cell(page, fg_run_real(one, "value"), NAN, "not estimated");
    fg_page_put(page, "<td>");
    fg_page_number(page, low, 3, "no interval");
    if (isfinite(low)) fg_page_put(page, " to ");
    if (isfinite(low)) fg_page_number(page, fg_run_real(one, "ci_high"), 3, NULL);
    fg_page_put(page, "</td>");
    cell(page, fg_run_real(one, "floor"), NAN, "no floor was estimated");
    cell(page, fg_run_real(point, "residual_mean_square"), fg_run_real(point, "residual_mean_square_se"),
         "the model has no log-density, or compare.residual_points is 0");
    fg_page_put(page, "<td>");
    fg_page_count(page, fg_run_real(point, "lost"), "not recorded");
    fg_page_put(page, "</td></tr>\n");
  }
}

fg_code fg_report_lambda(const fg_report *r, fg_status *st)
{
  fg_page *page = r->page;
  const json_t *list = fg_run_find(r->run->results, "lambda_curve");
  const char *estimator = r->plots->lambda_estimator;
  if (!list) return FG_OK;
  fg_page_put(
      page,
      "<section id=\"lambda-curve\">\n<h2>The family between ODE and SDE</h2>\n<p class=\"note\">Law of each "
      "noise level <i>\xce\xbb</i> against that of the ODE (<i>\xce\xbb</i> = 0), all on the time grid of "
      "the SDE "
      "and from the same starts, each with noise of its own. With an exact score every <i>\xce\xbb</i> has "
      "the same "
      "law.</p>\n<div class=\"pair\">\n");
  if (r->plots->lambda) {
    char caption[128];
    snprintf(caption, sizeof caption,
             "Estimator: %s. A dot inside the grey band cannot be told from sampling noise.", estimator);
    FG_TRY(fg_report_figure(r, "lambda", "Distance to the ODE",
                            "<span class=\"sde\">" FG_W2
                            " with interval</span><span class=\"muted area\">below the noise "
                            "floor</span>",
                            "W2 to the ODE against lambda", caption, st));
  }
  fg_page_put(page, "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\"><i>\xce\xbb</i></th><th "
                    "scope=\"col\">" FG_W2 "</th><th scope=\"col\">");
  fg_report_level(page, r->run, true);
  fg_page_put(page,
              "</th><th scope=\"col\">Floor</th><th scope=\"col\">Mean <i>R</i>\xc2\xb2 on its paths</th><th "
              "scope=\"col\">Lost</th></tr></thead>\n<tbody>\n");
  lambda_rows(r, list, estimator ? estimator : "");
  fg_page_put(page, "</tbody></table></div>\n</div>\n</section>\n");
  return FG_OK;
}

#include "analysis/report/sections.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "flowgap/distance.h"

static const char *const pairs[] = {"ode_sde", "ode_target", "sde_target"};
static const char *const pair_names[] = {"ODE \xe2\x80\x93 SDE", "ODE \xe2\x80\x93 target",
                                         "SDE \xe2\x80\x93 target"};

static void cell(fg_page *page, double value, int digits, const char *reason)
{
  fg_page_put(page, "<td>");
  fg_page_number(page, value, digits, reason);
  fg_page_put(page, "</td>");
}

static void cell_pair(fg_page *page, double x, double y)
{
  fg_page_put(page, "<td>");
  fg_page_count(page, x, "not recorded");
  if (x != y) {
    fg_page_put(page, " / ");
    fg_page_count(page, y, "not recorded");
  }
  fg_page_put(page, "</td>");
}

/* Why an estimator has no certificate; NULL: it has one. */
static const char *no_certificate(fg_estimator estimator)
{
  switch (estimator) {
  case FG_W2_EXACT:
  case FG_W2_GRID:
    return NULL;
  case FG_W2_GAUSSIAN:
    return "a closed form: it needs no certificate";
  case FG_W2_SLICED:
    return "sorted projections: they need no certificate";
  case FG_W2_MAX_SLICED:
    return "an ascent: what it finds is a lower bound";
  case FG_MMD:
  case FG_ENERGY:
    return "a mean over pairs: it needs no certificate";
  default:
    return "an iteration: its marginal error is in results.json";
  }
}

/* What the estimator could not do, and why. */
static void table_missing(const fg_report *r, const char *missing)
{
  fg_page_put(r->page, "<td class=\"left\" colspan=\"9\">not had: ");
  fg_page_text(r->page, missing);
  fg_page_put(r->page, "</td></tr>\n");
}

/* Where the distance does not stand out, there is no gap to bound; a dash has its reason. */
static void table_row(const fg_report *r, fg_estimator estimator, int pair, const json_t *one, bool first,
                      bool boxed)
{
  fg_page *page = r->page;
  double low = fg_run_real(one, "ci_low"), high = fg_run_real(one, "ci_high");
  double primal = fg_run_real(one, "primal"), dual = fg_run_real(one, "dual");
  fg_page_print(page, "<tr class=\"%s%s\"><th scope=\"row\">%s</th><td class=\"left\">%s%s</td>",
                first ? "first" : "", boxed ? "boxed" : "", first ? fg_estimator_name(estimator) : "",
                pair_names[pair], boxed ? ", in the box" : "");
  if (fg_run_word(one, "missing", NULL)) {
    table_missing(r, fg_run_word(one, "missing", ""));
    return;
  }
  cell(page, fg_run_real(one, "value"), 4, "the estimate failed");
  fg_page_put(page, "<td>");
  fg_page_number(page, low, 3, "compare.replicates is 0, or the estimate failed");
  if (isfinite(low)) {
    fg_page_put(page, " to ");
    fg_page_number(page, high, 3, "not estimated");
  }
  fg_page_put(page, "</td>");
  cell(page, fg_run_real(one, "floor"), 3, "no floor was estimated");
  cell(page, fg_run_real(one, "p_value"), 2, "compare.permutations is 0, or the estimate failed");
  cell(page, fg_run_real(one, "squared"), 4, "the estimate failed");
  cell_pair(page, fg_run_real(one, "used_x"), fg_run_real(one, "used_y"));
  cell_pair(page, fg_run_real(one, "outside_x"), fg_run_real(one, "outside_y"));
  if (no_certificate(estimator))
    cell(page, NAN, 1, no_certificate(estimator));
  else
    cell(page, primal > 0 ? fabs(primal - dual) / primal : fabs(primal - dual), 1, "not recorded");
  cell(page, fg_run_real(one, "seconds"), 2, "not recorded");
  fg_page_put(page, "</tr>\n");
}

/* group: "w2" or "divergences" */
static int table_rows(const fg_report *r, const char *group)
{
  int rows = 0;
  for (int e = 0; e < FG_ESTIMATORS; e++) {
    fg_estimator by = (fg_estimator)e;
    const json_t *all = fg_run_find(fg_run_find(r->run->results, group), fg_estimator_name(by));
    bool first = true;
    for (int p = 0; p < 3; p++) {
      const json_t *one = fg_run_find(all, pairs[p]), *boxed = fg_run_find(one, "boxed");
      if (!one) continue;
      table_row(r, by, p, one, first, false);
      if (boxed) table_row(r, by, p, boxed, false, true);
      first = false;
      rows++;
    }
  }
  return rows;
}

static void table_notes(const fg_report *r)
{
  fg_page *page = r->page;
  const json_t *results = r->run->results;
  fg_page_put(page, "<p class=\"note\"><b>exact</b>: optimal transport of the particles themselves. ");
  if (fg_run_find(results, "w2.grid")) {
    fg_page_put(page, "<b>grid</b>: optimal transport of histograms on ");
    fg_page_count(page, fg_run_real(results, "grid.bins"), "not recorded");
    fg_page_put(page, "\xc2\xb2 nodes of [\xe2\x88\x92");
    fg_page_setting(page, fg_run_real(results, "grid.half_width"), "not recorded");
    fg_page_put(page, ", ");
    fg_page_setting(page, fg_run_real(results, "grid.half_width"), "not recorded");
    fg_page_put(page, "]\xc2\xb2, without the points outside. ");
  }
  if (fg_run_find(results, "w2.sliced"))
    fg_page_put(page,
                "<b>sliced</b>: root of the mean of " FG_W2 "\xc2\xb2 between the projections on random "
                "directions, about " FG_W2 " / \xe2\x88\x9a<i>d</i> for a shift. ");
  if (fg_run_find(results, "w2.max_sliced"))
    fg_page_put(page, "<b>max_sliced</b>: " FG_W2
                      " between the projections on the direction where it is largest. ");
  if (fg_run_find(results, "w2.sinkhorn"))
    fg_page_put(page, "<b>sinkhorn</b>: root of the debiased Sinkhorn divergence. ");
  fg_page_put(
      page, "<b>gaussian</b>: distance of Gaussians with the means and covariances of the two laws, a lower "
            "bound of " FG_W2 ". <b>Floor</b>: the same estimate between two samples of one law; a distance "
            "near it says nothing. <b><i>p</i></b>: how often a random relabelling of the particles gives at "
            "least this distance; exact (beyond one dimension), sinkhorn, entropic and max_sliced are tested "
            "on 500 to 2000 particles of each "
            "law, and see less there than the value does. <b>Interval</b>: of the distance "
            "of the laws, by subsampling, about a value "
            "without the bias of a finite sample; 0 means that no gap is needed to explain the value, which "
            "may lie above the interval. <b>Used</b> and "
            "<b>outside</b>: particles "
            "of the first / second law. <b>Certificate gap</b>: (primal \xe2\x88\x92 dual) / primal of the "
            "transport problem, which proves optimality when it is near rounding.</p>\n");
}

static fg_code page_gap_time(const fg_report *r, fg_status *st)
{
  const json_t *first = json_array_get(fg_run_find(r->run->results, "snapshots"), 0);
  const char *word = fg_run_word(first, "estimator", "");
  char caption[256];
  int e = 0;
  while (e < FG_ESTIMATORS && strcmp(word, fg_estimator_name((fg_estimator)e)) != 0) e++;
  snprintf(caption, sizeof caption,
           "When the laws part: a line that leaves the floor only near the data blames the small noise "
           "levels.%s%s%s",
           e < FG_ESTIMATORS ? " Estimator: " : "",
           e < FG_ESTIMATORS ? fg_estimator_name((fg_estimator)e) : "", e < FG_ESTIMATORS ? "." : "");
  return fg_report_figure(r, "gap-time", "The gap on the way",
                          "<span>" FG_W2 "(ODE, SDE)</span><span class=\"area\">interval</span>"
                          "<span class=\"muted dash\">noise floor</span>",
                          "Estimated W2 between ODE and SDE against noising time", caption, st);
}

static fg_code page_figures(const fg_report *r, fg_status *st)
{
  fg_page_put(r->page, "<div class=\"pair\">\n");
  if (r->plots->estimates)
    FG_TRY(fg_report_figure(
        r, "estimates", "All estimates of " FG_W2,
        "<span class=\"muted area\">below the noise floor</span><span>estimate with interval</span>",
        "Estimates of W2 for every pair with intervals and noise floors",
        r->plots->estimates_log
            ? "A dot inside its grey bar is no larger than sampling noise makes it. Logarithmic axis."
            : "A dot inside its grey bar is no larger than sampling noise makes it.",
        st));
  if (r->plots->gap_time) FG_TRY(page_gap_time(r, st));
  fg_page_put(r->page, "</div>\n");
  return FG_OK;
}

static void table_head(const fg_report *r, const char *value)
{
  fg_page *page = r->page;
  fg_page_print(page,
                "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Estimator</th><th scope=\"col\" "
                "class=\"left\">Pair</th><th scope=\"col\">%s</th><th scope=\"col\">",
                value);
  fg_report_level(page, r->run, true);
  fg_page_print(
      page,
      "</th><th scope=\"col\">Floor</th><th scope=\"col\"><i>p</i></th><th scope=\"col\">%s"
      "\xc2\xb2</th><th scope=\"col\">Used</th><th scope=\"col\">Outside</th>"
      "<th scope=\"col\">Certificate gap</th><th scope=\"col\">Time / s</th></tr></thead>\n<tbody>\n",
      value);
}

/* Other measures of how far two laws are apart: not in units of W2, and nothing rests on them. */
static void table_divergences(const fg_report *r)
{
  if (!json_object_size(fg_run_find(r->run->results, "divergences"))) return;
  fg_page_put(r->page, "<h3>Other divergences</h3>\n");
  table_head(r, "Value");
  table_rows(r, "divergences");
  fg_page_put(r->page,
              "</tbody></table></div>\n<p class=\"note\">Not in units of " FG_W2
              ". <b>entropic</b>: cost of the entropic plan for the Euclidean distance, not 0 between equal "
              "laws. <b>mmd</b>: maximum mean discrepancy with Gaussian kernels. <b>energy</b>: energy "
              "distance. The squares of the last two have no bias and may be negative.</p>\n");
}

fg_code fg_report_distances(const fg_report *r, fg_status *st)
{
  fg_page *page = r->page;
  fg_page_put(page, "<section id=\"distances\">\n<h2>Wasserstein distances</h2>\n");
  if (r->plots->estimates || r->plots->gap_time) FG_TRY(page_figures(r, st));
  table_head(r, FG_W2);
  if (!table_rows(r, "w2"))
    fg_page_put(page,
                "<tr><th scope=\"row\">none</th><td class=\"left\" colspan=\"10\">This run estimated no "
                "distance (compare.estimators).</td></tr>\n");
  fg_page_put(page, "</tbody></table></div>\n");
  table_notes(r);
  table_divergences(r);
  FG_TRY(fg_report_bias(r, st));
  fg_page_put(page, "</section>\n");
  return FG_OK;
}

/* The page of `flowgap residual`: what the residual amounts to, when, and where. */
#include "analysis/report/sections.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MEASURES = 4 };
static const char *const measures[MEASURES] = {"box", "data", "sde", "ode"};
static const char *const titles[MEASURES] = {"box", "data", "SDE paths", "ODE paths"};

static bool is_score(const fg_report *r)
{
  return strcmp(fg_run_word(r->run->results, "residual.form", "log"), "score") == 0;
}

static const json_t *measure(const fg_report *r, int k)
{
  return fg_run_find(fg_run_find(r->run->results, "residual.measures"), measures[k]);
}

/* value and standard error of a norm */
static void page_figure(fg_page *page, const json_t *one, const char *name, const char *reason)
{
  char key[48];
  snprintf(key, sizeof key, "%s_se", name);
  double se = fg_run_real(one, key);
  fg_page_number(page, fg_run_real(one, name), 3, reason);
  if (!isfinite(se)) return;
  fg_page_put(page, "<span class=\"none\"> \xc2\xb1 ");
  fg_page_number(page, se, 2, NULL);
  fg_page_put(page, "</span>");
}

/* ---- the answer -------------------------------------------------------------------------- */

static void page_facts(const fg_report *r)
{
  fg_page *page = r->page;
  fg_page_put(page, "<dl class=\"facts\">\n");
  for (int k = 0; k < MEASURES; k++) {
    const json_t *one = measure(r, k);
    if (!one) continue;
    fg_page_print(page, "<div><dt>r.m.s., %s</dt><dd>", titles[k]);
    fg_page_number(page, sqrt(fmax(0, fg_run_real(one, "mean_square"))), 3, "no finite value");
    fg_page_put(page, "<small>relative to its terms: ");
    fg_page_number(page, fg_run_real(one, "relative"), 2, "no finite value");
    fg_page_put(page, "</small></dd></div>\n");
  }
  fg_page_put(page, "</dl>\n");
}

void fg_report_residual_headline(const fg_report *r)
{
  fg_page *page = r->page;
  const json_t *residual = fg_run_find(r->run->results, "residual");
  const char *name = fg_run_word(residual, "measure", "sde");
  const json_t *one = fg_run_find(fg_run_find(residual, "measures"), name);
  fg_page_put(page, "<header>\n<p class=\"kicker\">flowgap: Fokker\xe2\x80\x93Planck residual \xc2\xb7 ");
  fg_page_text(page, fg_run_word(r->run->results, "process.kind", "process not named"));
  fg_page_put(page, " process \xc2\xb7 dimension ");
  fg_page_count(page, fg_run_real(r->run->results, "model.dimension"), "not recorded");
  fg_page_put(page, "</p>\n<h1>The residual of ");
  fg_page_text(page, fg_report_model(r->run));
  fg_page_put(page, is_score(r) ? " has a mean |<i>E</i>|\xc2\xb2/<i>d</i> of " : " has a mean square of ");
  fg_page_number(page, fg_run_real(one, "mean_square"), 3, "no finite value");
  fg_page_put(page, " <span class=\"detail\">(");
  for (int k = 0; k < MEASURES; k++)
    if (strcmp(name, measures[k]) == 0) fg_page_put(page, titles[k]);
  fg_page_put(page, "; standard error ");
  fg_page_number(page, fg_run_real(one, "mean_square_se"), 2, "no finite value");
  fg_page_put(page, ")</span>.</h1>\n<p class=\"lead\">");
  fg_page_put(
      page,
      is_score(r)
          ? "<i>E</i> says by how much the score misses the equation that the score of a diffusing law "
            "solves, per component. Where <i>E</i> = 0 for all <i>x</i> and <i>t</i>, ODE and SDE have the "
            "same law."
          : "<i>R</i> says by how much exp \xce\xa6 misses the Fokker\xe2\x80\x93Planck equation. Where it "
            "depends on <i>t</i> alone, ODE and SDE have the same law: adding <i>c</i>(<i>t</i>) to "
            "\xce\xa6 adds <i>c</i>\xe2\x80\xb2(<i>t</i>) to <i>R</i> and changes no law, so the centred "
            "residual <i>R</i> \xe2\x88\x92 E<sub><i>t</i></sub>[<i>R</i>] is shown beside it.");
  fg_page_put(page, "</p>\n");
  page_facts(r);
  fg_page_put(page, "</header>\n");
}

/* ---- tables ------------------------------------------------------------------------------ */

static void table_norms(const fg_report *r)
{
  fg_page *page = r->page;
  bool score = is_score(r);
  static const char *const keys[] = {"mean_square", "mean_absolute", "mean", "centred_mean_square",
                                     "relative"};
  static const char *const log_heads[] = {"mean <i>R</i>\xc2\xb2", "mean |<i>R</i>|", "mean <i>R</i>",
                                          "centred, mean square", "relative"};
  static const char *const score_heads[] = {"mean |<i>E</i>|\xc2\xb2/<i>d</i>",
                                            "mean |<i>E</i>|/\xe2\x88\x9a<i>d</i>", "", "", "relative"};
  fg_page_put(page, "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Measure</th>");
  for (int i = 0; i < 5; i++)
    if (!score || *score_heads[i])
      fg_page_print(page, "<th scope=\"col\">%s</th>", score ? score_heads[i] : log_heads[i]);
  fg_page_put(page, "</tr></thead>\n<tbody>\n");
  for (int k = 0; k < MEASURES; k++) {
    const json_t *one = measure(r, k);
    if (!one) continue;
    fg_page_print(page, "<tr><th scope=\"row\">%s</th>", titles[k]);
    for (int i = 0; i < 5; i++) {
      if (score && !*score_heads[i]) continue;
      fg_page_put(page, "<td>");
      page_figure(page, one, keys[i], "no finite value");
      fg_page_put(page, "</td>");
    }
    fg_page_put(page, "</tr>\n");
  }
  fg_page_put(page, "</tbody></table></div>\n");
}

static void page_place(fg_page *page, const json_t *place)
{
  const json_t *x = fg_run_find(place, "x");
  fg_page_put(page, "<i>t</i> = ");
  fg_page_number(page, fg_run_real(place, "t"), 3, "not recorded");
  fg_page_put(page, ", <i>x</i> = (");
  for (size_t j = 0; j < json_array_size(x) && j < 3; j++) {
    fg_page_put(page, j ? ", " : "");
    fg_page_number(page, json_number_value(json_array_get(x, j)), 3, NULL);
  }
  fg_page_put(page, json_array_size(x) > 3 ? ", \xe2\x80\xa6)" : ")");
}

static void table_quantiles(const fg_report *r)
{
  fg_page *page = r->page;
  static const char *const levels[] = {"5", "25", "50", "75", "95", "99"};
  fg_page_put(page, "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Measure</th>");
  for (int i = 0; i < 6; i++) fg_page_print(page, "<th scope=\"col\">%s %%</th>", levels[i]);
  fg_page_put(page, "<th scope=\"col\">largest in size</th><th scope=\"col\" class=\"left\">where</th><th "
                    "scope=\"col\">values</th><th scope=\"col\">not finite</th></tr></thead>\n<tbody>\n");
  for (int k = 0; k < MEASURES; k++) {
    const json_t *one = measure(r, k), *largest = fg_run_find(one, "largest");
    if (!one) continue;
    fg_page_print(page, "<tr><th scope=\"row\">%s</th>", titles[k]);
    for (int i = 0; i < 6; i++) {
      fg_page_put(page, "<td>");
      fg_page_number(page, fg_run_real(fg_run_find(one, "quantiles"), levels[i]), 3, "no finite value");
      fg_page_put(page, "</td>");
    }
    fg_page_put(page, "<td>");
    fg_page_number(page, fg_run_real(largest, "value"), 3, "no finite value");
    fg_page_put(page, "</td><td class=\"left\">");
    if (largest) page_place(page, largest);
    fg_page_put(page, "</td>");
    fg_page_put(page, "<td>");
    fg_page_count(page, fg_run_real(one, "points"), "not recorded");
    fg_page_put(page, "</td><td>");
    fg_page_count(page, fg_run_real(one, "nonfinite"), "not recorded");
    fg_page_put(page, "</td></tr>\n");
  }
  fg_page_put(page, "</tbody></table></div>\n");
}

/* What the standard errors over paths do not hold. */
static void list_times(const fg_report *r)
{
  fg_page *page = r->page;
  for (int k = 0; k < MEASURES; k++) {
    const json_t *one = measure(r, k);
    double square = fg_run_real(one, "mean_square_time"), mean = fg_run_real(one, "mean_time");
    if (!isfinite(square)) continue;
    fg_page_print(page, "<p class=\"note\">%s: with every other time left out the mean square changes by ",
                  titles[k]);
    fg_page_number(page, square, 2, NULL);
    if (isfinite(mean)) fg_page_put(page, ", the mean by ");
    if (isfinite(mean)) fg_page_number(page, mean, 2, NULL);
    fg_page_put(page, "; the standard errors are over paths alone.</p>\n");
  }
}

/* Values that are not finite, by name. */
static void list_lost(const fg_report *r)
{
  fg_page *page = r->page;
  for (int k = 0; k < MEASURES; k++) {
    const json_t *one = measure(r, k), *named = fg_run_find(one, "nonfinite_named"), *place;
    size_t i;
    if (!(fg_run_real(one, "nonfinite") > 0)) continue;
    fg_page_print(page, "<p class=\"note\">Not finite, %s: ", titles[k]);
    json_array_foreach((json_t *)named, i, place)
    {
      fg_page_put(page, i ? "; " : "");
      page_place(page, place);
    }
    fg_page_put(page, fg_run_real(one, "nonfinite") > (double)json_array_size(named) ? "; \xe2\x80\xa6</p>\n"
                                                                                     : ".</p>\n");
  }
}

/* ---- figures ----------------------------------------------------------------------------- */

static fg_code page_profiles(const fg_report *r, fg_status *st)
{
  static const char *const heads[FG_NORMS] = {"Mean square", "Centred, mean square", "Relative",
                                              "Signed mean"};
  static const char *const captions[FG_NORMS] = {
      "Logarithmic axes. Peaks tell at which noise level the model breaks the equation.",
      "Without the mean over <i>x</i> at each time: what no change of \xce\xa6 by a function of time can "
      "mend.",
      "Root mean square over that of the sum of the magnitudes of its terms: near 1 the equation does not "
      "hold at "
      "all, near 10<sup>\xe2\x88\x92"
      "16</sup> it holds to rounding.",
      "Its integral over the paths of the SDE is what enters the identity for the gap."};
  static const char *const spans[MEASURES] = {"muted dash", "target", "sde", "ode"};
  char name[64], legend[512];
  size_t used = 0;
  for (int k = 0; k < MEASURES; k++)
    if (measure(r, k))
      used += (size_t)snprintf(legend + used, sizeof legend - used, "<span class=\"%s\">%s</span>", spans[k],
                               titles[k]);
  fg_page_put(r->page, "<div class=\"pair\">\n");
  for (int norm = 0; norm < FG_NORMS; norm++) {
    if (!r->plots->profile[norm]) continue;
    snprintf(name, sizeof name, "profile-%s", fg_plot_norms[norm]);
    FG_TRY(fg_report_figure(r, name, heads[norm], legend, "Norm of the residual against noising time",
                            captions[norm], st));
  }
  fg_page_put(r->page, "</div>\n<p class=\"note\">Bands: two standard errors.</p>\n");
  return FG_OK;
}

static fg_code page_maps(const fg_report *r, fg_status *st)
{
  fg_page *page = r->page;
  const fg_plots *plots = r->plots;
  char name[48];
  fg_page_put(page, "<section id=\"maps\">\n<h2>Where the residual is</h2>\n<p class=\"note\">");
  fg_page_put(page, is_score(r) ? "|<i>E</i>|/\xe2\x88\x9a<i>d</i>" : "<i>R</i>");
  fg_page_put(page,
              plots->plane_maps
                  ? " over the box, <i>x</i><sub>1</sub> across and <i>x</i><sub>2</sub> up, one colour "
                    "scale for all times. Colours end where 98 % of all values lie.</p>\n"
                  : " over the box, one scale for all times.</p>\n");
  fg_page_put(page, "<div class=\"maps three\">\n");
  for (size_t k = 0; k < plots->maps; k++) {
    snprintf(name, sizeof name, "residual-map-%zu", k);
    fg_page title = {0};
    fg_page_put(&title, "<i>t</i> = ");
    fg_page_number(&title, r->run->map_t.values[k], 3, NULL);
    fg_code rc = fg_page_check(&title, st);
    if (rc == FG_OK)
      rc = fg_report_figure(r, name, title.text, "", "Residual over the box at one time", "", st);
    fg_page_clear(&title);
    FG_TRY(rc);
  }
  fg_page_put(page, "</div>\n");
  if (plots->plane_maps) {
    /* a size has the upper half of the colours alone */
    fg_page_print(page,
                  "<div class=\"bars\">\n<div class=\"bar\">residual<i class=\"gap%s\"></i><span "
                  "class=\"scale\">",
                  is_score(r) ? " upper" : "");
    if (!is_score(r)) {
      fg_page_put(page, "<span>\xe2\x89\xa4 \xe2\x88\x92");
      fg_page_number(page, plots->map_top, 2, NULL);
      fg_page_put(page, "</span>");
    }
    fg_page_put(page, "<span>0</span><span>\xe2\x89\xa5 ");
    fg_page_number(page, plots->map_top, 2, NULL);
    fg_page_put(page, "</span></span></div>\n</div>\n");
  }
  fg_page_put(page, "</section>\n");
  return FG_OK;
}

static void page_probes(const fg_report *r)
{
  double probes = fg_run_real(r->run->results, "residual.probes");
  if (!(probes > 0)) return;
  fg_page_put(r->page, " Second derivatives are the mean over ");
  fg_page_count(r->page, probes, NULL);
  fg_page_put(r->page, " random vectors per point; what these add to the mean squares is subtracted.");
}

fg_code fg_report_measures(const fg_report *r, fg_status *st)
{
  fg_page *page = r->page;
  const json_t *residual = fg_run_find(r->run->results, "residual");
  fg_page_put(page,
              "<section id=\"residual\">\n<h2>Residual</h2>\n<p class=\"note\">Averages over the noising "
              "times from ");
  fg_page_setting(page, fg_run_real(residual, "t_from"), "not recorded");
  fg_page_put(page, " to ");
  fg_page_setting(page, fg_run_real(residual, "t_end"), "not recorded");
  fg_page_put(page, ", with standard errors. The box is [\xe2\x88\x92");
  fg_page_setting(page, fg_run_real(residual, "box"), "not recorded");
  fg_page_put(page, ", ");
  fg_page_setting(page, fg_run_real(residual, "box"), "not recorded");
  fg_page_put(page, "]<sup><i>d</i></sup>. Relative: over the size of its own terms.");
  page_probes(r);
  fg_page_put(page, "</p>\n");
  table_norms(r);
  list_times(r);
  fg_page_print(page, "<p class=\"note\">Quantiles of %s, and the value that is largest in size:</p>\n",
                is_score(r) ? "|<i>E</i>|/\xe2\x88\x9a<i>d</i>" : "<i>R</i>");
  table_quantiles(r);
  list_lost(r);
  FG_TRY(page_profiles(r, st));
  fg_page_put(page, "</section>\n");
  return r->plots->maps ? page_maps(r, st) : FG_OK;
}

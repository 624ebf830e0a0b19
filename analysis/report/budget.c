/* "What the distance is made of". */
#include <math.h>
#include <string.h>

#include "analysis/report/sections.h"

typedef struct fg_budget_row {
  const char *name, *title, *law;
} fg_budget_row;

static const fg_budget_row rows[] = {
    {"sde_step", "time step of the SDE", "the SDE\xe2\x80\x99s law and its limit"},
    {"ode_tolerance", "tolerance of the ODE", "the ODE\xe2\x80\x99s law and its limit"},
    {"prior", "mismatch of the prior", "the prior and the noised target"},
    {"finite_sample", "finite sample", NULL}};

/* The sentence of the run: its "+-" in print, its end a full stop. */
static void page_said(fg_page *page, const char *sentence)
{
  char first[2] = {sentence[0], '\0'};
  if (first[0] >= 'a' && first[0] <= 'z') first[0] = (char)(first[0] - 'a' + 'A');
  fg_page_put(page, "<p class=\"lead\"><strong>");
  fg_page_text(page, first);
  for (const char *at = sentence + (sentence[0] != '\0'); *at;) {
    const char *sign = strstr(at, "+-");
    fg_page_text_bytes(page, at, sign ? (size_t)(sign - at) : strlen(at));
    if (!sign) break;
    fg_page_put(page, "\xc2\xb1");
    at = sign + 2;
  }
  fg_page_put(page, ".</strong></p>\n");
}

static void page_range(fg_page *page, double low, double high, const char *reason)
{
  fg_page_put(page, "<td>");
  fg_page_number(page, low, 2, reason);
  if (isfinite(low)) {
    fg_page_put(page, " to ");
    fg_page_number(page, high, 2, "not known");
  }
  fg_page_put(page, "</td>");
}

static void page_row(const fg_report *r, const fg_budget_row *row, const json_t *part)
{
  fg_page *page = r->page;
  const char *why = fg_run_word(part, "why", "not recorded");
  double low = fg_run_real(part, "law_low"), high = fg_run_real(part, "law_high");
  fg_page_print(page, "<tr><th scope=\"row\">%s</th><td>", row->title);
  fg_page_number(page, fg_run_real(part, "value"), 2, why);
  fg_page_put(page, "</td>");
  page_range(page, fg_run_real(part, "low"), fg_run_real(part, "high"), why);
  page_range(page, low, high, row->law ? why : "it is no error of a law");
  fg_page_print(page, "<td class=\"left\">%s", row->law ? row->law : "");
  double order = fg_run_real(part, "refinement.weak_order"),
         expected = fg_run_real(part, "refinement.weak_order_expected");
  if (isfinite(expected)) {
    fg_page_print(page, "; weak order %.0f", expected);
    if (isfinite(order)) fg_page_print(page, ", seen %.1f", order);
  }
  if (!isfinite(fg_run_real(part, "value"))) {
    fg_page_put(page, "; not known: ");
    fg_page_text(page, why);
  }
  fg_page_put(page, "</td></tr>\n");
}

static void page_table(const fg_report *r, const json_t *budget)
{
  fg_page *page = r->page;
  const json_t *part;
  size_t i;
  fg_page_put(
      page,
      "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Part</th><th scope=\"col\">Adds to " FG_W2
      "</th><th scope=\"col\">Interval</th><th scope=\"col\">" FG_W2
      " between</th><th scope=\"col\" class=\"left\">which are</th></tr></thead>\n<tbody>\n");
  json_array_foreach((json_t *)fg_run_find(budget, "parts"), i, part)
  {
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
      if (strcmp(fg_run_word(part, "name", ""), rows[k].name) == 0) page_row(r, &rows[k], part);
  }
  fg_page_put(page, "</tbody></table></div>\n");
}

static void page_cut(fg_page *page, const json_t *cut)
{
  if (!isfinite(fg_run_real(cut, "value"))) return;
  fg_page_put(page, " Particles with a coordinate beyond ");
  fg_page_setting(page, fg_run_real(cut, "half_width"), NULL);
  fg_page_put(page, " change " FG_W2 " by ");
  fg_page_number(page, fg_run_real(cut, "value"), 2, NULL);
  fg_page_put(page, " (");
  fg_page_number(page, fg_run_real(cut, "low"), 2, NULL);
  fg_page_put(page, " to ");
  fg_page_number(page, fg_run_real(cut, "high"), 2, NULL);
  fg_page_put(page, "); that is no part of the sum.");
}

static void page_search(fg_page *page, const json_t *search)
{
  const json_t *runs = fg_run_find(search, "runs");
  if (!search) return;
  fg_page_put(page, " The target error ");
  fg_page_setting(page, fg_run_real(search, "target_error"), "not recorded");
  fg_page_put(page, json_is_true(fg_run_find(search, "reached")) ? " was reached: " : " was not reached: ");
  fg_page_number(page, fg_run_real(search, "error"), 2, "not recorded");
  fg_page_put(page, ", half the interval and the numerical parts, after ");
  fg_page_count(page, (double)json_array_size(runs), NULL);
  fg_page_put(page, json_array_size(runs) == 1 ? " run." : " runs.");
}

fg_code fg_report_budget(const fg_report *r, fg_status *st)
{
  fg_page *page = r->page;
  const json_t *budget = fg_run_find(r->run->results, "budget");
  if (!budget) return FG_OK;
  fg_page_put(page, "<section id=\"budget\">\n<h2>What the distance is made of</h2>\n");
  page_said(page, fg_run_word(budget, "sentence", "The budget has no sentence"));
  if (r->plots->budget)
    FG_TRY(fg_report_figure(
        r, "budget", "From the measured distance to the model\xe2\x80\x99s own gap", "",
        "Bars from the measured distance through its numerical parts to the gap of the model",
        "Each bar begins where the one above it ends; whiskers are intervals. A part that leads to the right "
        "hides "
        "some of the gap.",
        st));
  page_table(r, budget);
  fg_page_put(page, "<p class=\"note\">Estimator: ");
  fg_page_text(page, fg_run_word(budget, "estimator", "not recorded"));
  fg_page_put(page, ". Effects of steps, tolerances and prior: ");
  fg_page_count(page, fg_run_real(budget, "particles"), "not recorded");
  fg_page_put(page, " particles drawn again with the same numbers, measured by ");
  fg_page_text(page, fg_run_word(budget, "effects_by", "not recorded"));
  fg_page_put(page, ".");
  page_cut(page, fg_run_find(budget, "cut"));
  page_search(page, fg_run_find(r->run->results, "search"));
  fg_page_put(page, "</p>\n</section>\n");
  return FG_OK;
}

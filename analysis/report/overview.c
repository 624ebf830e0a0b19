#include "analysis/report/answer.h"
#include "analysis/report/sections.h"
#include "analysis/report/style.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double fg_report_particles(const fg_run *run)
{
  double n = fg_run_real(run->results, "particles");
  if (isfinite(n)) return n;
  return run->ode.values ? (double)run->ode.shape[0] : NAN;
}

void fg_report_share(fg_page *page, double part, double whole)
{
  fg_page_count(page, part, "not recorded");
  if (!(whole > 0) || !isfinite(part)) return;
  fg_page_put(page, " of ");
  fg_page_count(page, whole, NULL);
  fg_page_put(page, " (");
  fg_page_number(page, 100 * part / whole, 2, NULL);
  fg_page_put(page, " %)");
}

void fg_report_level(fg_page *page, const fg_run *run, bool title)
{
  double level = fg_run_real(run->results, "confidence");
  if (level > 0 && level < 1)
    fg_page_print(page, "%.4g %% interval", 100 * level);
  else
    fg_page_put(page, title ? "Interval" : "interval");
}

const char *fg_report_model(const fg_run *run)
{
  const char *other = run->train ? fg_run_word(run->results, "target.kind", "a model") : "the model";
  return fg_run_word(run->results, "model.name", fg_run_word(run->results, "model.kind", other));
}

/* ---- the answer -------------------------------------------------------------------------- */

static void page_detail(const fg_report *r, const fg_answer *a)
{
  fg_page *page = r->page;
  double far = fg_run_real(a->gap, "extrapolated.value");
  fg_page_print(page, "<span class=\"detail\">(<span class=\"by\">%s</span>; ", a->estimator);
  if (isfinite(far)) {
    fg_page_put(page, "without the bias of a finite sample ");
    fg_page_number(page, far, 3, NULL);
    fg_page_put(page, ", ");
  }
  if (isfinite(a->low) && isfinite(a->high)) {
    fg_report_level(page, r->run, false);
    fg_page_put(page, " ");
    fg_page_number(page, a->low, 3, NULL);
    fg_page_put(page, " to ");
    fg_page_number(page, a->high, 3, NULL);
  } else {
    fg_page_put(page, "no interval");
  }
  fg_page_put(page, "; noise floor ");
  fg_page_number(page, a->floor, 3, "no floor was estimated");
  if (isfinite(a->p)) {
    fg_page_put(page, "; <span class=\"nb\"><i>p</i> = ");
    fg_page_number(page, a->p, 2, NULL);
    fg_page_put(page, "</span>");
  }
  fg_page_put(page, ")</span>");
}

static void page_sentence(const fg_report *r, const fg_answer *a)
{
  fg_page *page = r->page;
  const char *name = fg_report_model(r->run);
  if (a->verdict == FG_VERDICT_NONE) {
    fg_page_put(page, "The distance between the ODE and the SDE of ");
    fg_page_text(page, name);
    fg_page_put(page, " could not be estimated");
    return;
  }
  fg_page_put(page, a->verdict == FG_VERDICT_APART ? "The ODE and the SDE of "
                                                   : "No gap is seen between the ODE and the SDE of ");
  fg_page_text(page, name);
  fg_page_put(page, a->verdict == FG_VERDICT_APART ? " are <span class=\"nb\">" FG_W2 " = "
                                                   : ": <span class=\"nb\">" FG_W2 " = ");
  fg_page_number(page, a->value, 3, NULL);
  fg_page_put(page, "</span>");
  if (a->verdict == FG_VERDICT_APART)
    fg_page_put(page, " apart ");
  else
    fg_page_put(page, a->value <= a->floor ? " is within the noise " : " does not stand out from the noise ");
  page_detail(r, a);
}

static void page_to_target(const fg_report *r, const fg_answer *a)
{
  fg_page *page = r->page;
  double ode = fg_run_real(a->pairs, "ode_target.value"), sde = fg_run_real(a->pairs, "sde_target.value");
  if (!isfinite(ode) || !isfinite(sde)) return;
  fg_page_put(page, " To the target it is ");
  fg_page_number(page, ode, 3, NULL);
  fg_page_put(page, " from the ODE and ");
  fg_page_number(page, sde, 3, NULL);
  fg_page_put(page, " from the SDE (noise floors ");
  fg_page_number(page, fg_run_real(a->pairs, "ode_target.floor"), 3, "no floor was estimated");
  fg_page_put(page, " and ");
  fg_page_number(page, fg_run_real(a->pairs, "sde_target.floor"), 3, "no floor was estimated");
  fg_page_put(page, ").");
}

/* How the figure was made, and what it cannot see. */
static void page_lead(const fg_report *r, const fg_answer *a)
{
  fg_page *page = r->page;
  if (a->verdict == FG_VERDICT_NONE) {
    fg_page_put(page,
                "results.json holds no finite Wasserstein distance of the pair ODE and SDE; the warnings and "
                "the counts of lost particles below may say why.");
    return;
  }
  if (strcmp(a->estimator, "exact") == 0)
    fg_page_put(page, "Exact optimal transport between ");
  else if (strcmp(a->estimator, "grid") == 0)
    fg_page_put(page, "Optimal transport between histograms of ");
  else if (strcmp(a->estimator, "sliced") == 0)
    fg_page_put(page, "Sliced distance, which is smaller than " FG_W2
                      ": the root mean square over random directions "
                      "of " FG_W2 " between the projections of ");
  else if (strcmp(a->estimator, "max_sliced") == 0)
    fg_page_put(page, "Max-sliced distance, at most " FG_W2 ": " FG_W2
                      " between the projections on the direction that "
                      "separates them most, of ");
  else if (strcmp(a->estimator, "sinkhorn") == 0)
    fg_page_put(page, "Root of the Sinkhorn divergence, " FG_W2 " smoothed by an entropy term, between ");
  else
    fg_page_put(page, "Distance between Gaussians fitted to each law, a lower bound, from ");
  fg_page_count(page, a->used_x, "not recorded");
  fg_page_put(page, " particles of the ODE and ");
  fg_page_count(page, a->used_y, "not recorded");
  fg_page_put(page, " of the SDE");
  if (a->outside_x + a->outside_y > 0) {
    fg_page_put(page, ", without ");
    fg_report_share(page, a->outside_x, a->used_x + a->outside_x);
    fg_page_put(page, " and ");
    fg_report_share(page, a->outside_y, a->used_y + a->outside_y);
    fg_page_put(page, " beyond the grid");
  }
  fg_page_put(page, ". The noise floor is what the same estimate gives between two samples of one law of "
                    "this size");
  fg_page_put(page, a->verdict == FG_VERDICT_APART ? "." : ": a gap well below it would go unseen.");
  page_to_target(r, a);
}

/* `by`: the estimator, or NULL for a figure that is no distance. */
static void page_fact(const fg_report *r, const char *title, const char *by, double value,
                      const json_t *estimate, const char *small)
{
  fg_page *page = r->page;
  double low = fg_run_real(estimate, "ci_low"), high = fg_run_real(estimate, "ci_high");
  double below = fg_run_real(estimate, "floor");
  fg_page_print(page, "<div><dt>%s", title);
  if (by) fg_page_print(page, ", <span class=\"by\">%s</span>", by);
  fg_page_put(page, "</dt><dd>");
  fg_page_number(page, value, 3, "not estimated in this run");
  fg_page_put(page, "<small>");
  if (value <= below) {
    fg_page_put(page, "within its noise floor, ");
    fg_page_number(page, below, 3, NULL);
  } else if (estimate && isfinite(low) && isfinite(high)) {
    if (value > high) {
      fg_page_put(page, "without bias ");
      fg_page_number(page, fg_run_real(estimate, "extrapolated.value"), 3, "not known");
      fg_page_put(page, ", ");
    }
    fg_page_number(page, low, 3, NULL);
    fg_page_put(page, " to ");
    fg_page_number(page, high, 3, NULL);
  } else {
    fg_page_put(page, small);
  }
  fg_page_put(page, "</small></dd></div>\n");
}

static void page_facts(const fg_report *r, const fg_answer *a)
{
  fg_page *page = r->page;
  const json_t *ode = fg_run_find(a->pairs, "ode_target"), *sde = fg_run_find(a->pairs, "sde_target");
  const char *by = a->verdict == FG_VERDICT_NONE ? NULL : a->estimator;
  double residual = fg_run_real(r->run->results, "residual.mean_square");
  fg_page_put(page, "<dl class=\"facts\">\n");
  page_fact(r, FG_W2 "(ODE, SDE)", by, a->value, a->gap, "no interval");
  page_fact(r, "noise floor", by, a->floor, NULL, "same estimate, one law");
  if (ode) page_fact(r, FG_W2 "(ODE, target)", by, fg_run_real(ode, "value"), ode, "no interval");
  if (sde) page_fact(r, FG_W2 "(SDE, target)", by, fg_run_real(sde, "value"), sde, "no interval");
  if (isfinite(residual))
    page_fact(r, "residual, r.m.s.", NULL, sqrt(residual), NULL,
              "Fokker\xe2\x80\x93Planck, on the SDE\xe2\x80\x99s paths");
  fg_page_put(page, "</dl>\n");
}

void fg_report_headline(const fg_report *r)
{
  fg_page *page = r->page;
  fg_answer a = fg_answer_find(r->run);
  fg_page_put(page, "<header>\n<p class=\"kicker\">flowgap: probability-flow ODE against SDE \xc2\xb7 ");
  fg_page_text(page, fg_run_word(r->run->results, "process.kind", "process not named"));
  fg_page_put(page, " process \xc2\xb7 dimension ");
  fg_page_count(page, fg_run_real(r->run->results, "model.dimension"), "not recorded");
  fg_page_put(page, " \xc2\xb7 ");
  fg_page_count(page, fg_report_particles(r->run), "not recorded");
  fg_page_put(page, " particles</p>\n<h1>");
  page_sentence(r, &a);
  fg_page_put(page, ".</h1>\n");
  fg_answer_dissent(r->run, &a, page);
  fg_answer_disagreement(r->run, page);
  fg_answer_dimension(r->run, page);
  fg_page_put(page, "<p class=\"lead\">");
  page_lead(r, &a);
  fg_page_put(page, "</p>\n");
  page_facts(r, &a);
  fg_page_put(page, "</header>\n");
}

/* ---- head of the document --------------------------------------------------------------- */

void fg_report_document(const fg_report *r, const char *what)
{
  fg_page *page = r->page;
  fg_page_put(page, "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
                    "<meta charset=\"utf-8\"/>\n"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                    "<meta name=\"generator\" content=\"flowgap\"/>\n<title>");
  fg_page_text(page, fg_report_model(r->run));
  fg_page_text(page, what);
  fg_page_put(page, "</title>\n<style>\n");
  for (const char *const *piece = fg_style_sheet; *piece; piece++) fg_page_put(page, *piece);
  fg_page_put(page, "</style>\n</head>\n<body>\n<main>\n");
}

void fg_report_close(fg_page *page)
{
  fg_page_put(page, "</main>\n<script>\n//<![CDATA[\n"); /* the page is XML too */
  fg_page_put(page, (const char *)fg_page_script);
  fg_page_put(page, "//]]>\n</script>\n</body>\n</html>\n");
}

void fg_report_head(const fg_report *r)
{
  char value[48], what[96];
  snprintf(what, sizeof what, ": ODE against SDE, W2 = %s",
           fg_page_plain(fg_answer_find(r->run).value, 3, value));
  fg_report_document(r, what);
}

/* ---- warnings ---------------------------------------------------------------------------- */

void fg_report_warnings(const fg_report *r)
{
  const fg_run *run = r->run;
  const json_t *one;
  size_t i;
  fg_page list = {0};
  json_array_foreach((json_t *)fg_run_find(run->results, "warnings"), i, one)
  {
    if (!json_is_string(one)) continue;
    fg_page_put(&list, "<li>");
    fg_page_text_bytes(&list, json_string_value(one), json_string_length(one));
    fg_page_put(&list, "</li>\n");
  }
  const bool comparison = strcmp(fg_run_word(run->results, "verb", "compare"), "compare") == 0;
  if (!run->d && comparison)
    fg_page_put(&list, "<li>samples.h5 is missing or empty: there are no density maps.</li>\n");
  if (list.used) {
    fg_page_put(r->page, "<div class=\"warnings\" role=\"note\">\n<h2>Read this first</h2>\n<ul>\n");
    fg_page_bytes(r->page, list.text, list.used);
    fg_page_put(r->page,
                !comparison
                    ? "</ul>\n</div>\n"
                    : "</ul>\n<p class=\"note\">Counts and names: <a href=\"#lost\">particles lost or "
                      "left out</a>.</p>\n</div>\n");
  }
  r->page->failed = r->page->failed || list.failed;
  fg_page_clear(&list);
}

#include <math.h>
#include <stdio.h>

#include "analysis/report/style.h"
#include "analysis/report/sweep.h"
#include "flowgap/base.h"

static const char *const pair_names[FG_SWEEP_PAIRS] = {"(ODE, SDE)", "(ODE, target)", "(SDE, target)"};
static const char *const marks[FG_SWEEP_LINES] = {"\xe2\x97\x8f", "\xe2\x96\xa0", "\xe2\x96\xb2",
                                                  "\xe2\x97\x86", "\xe2\x97\x8b", "\xe2\x96\xa1",
                                                  "\xe2\x96\xb3", "\xe2\x97\x87"};

typedef struct fg_sheet {
  const fg_run *run;
  const fg_sweep_view *view;
  fg_page *page;
  fg_report report; /* for the parts that every page has */
} fg_sheet;

/* ---- head ----------------------------------------------------------------------------------- */

static void put_head(const fg_sheet *s)
{
  fg_page *page = s->page;
  fg_page_put(page, "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
                    "<meta charset=\"utf-8\"/>\n"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                    "<meta name=\"generator\" content=\"flowgap\"/>\n<title>Sweep of ");
  fg_page_text(page, s->view->key);
  fg_page_put(page, "</title>\n<style>\n");
  for (const char *const *piece = fg_style_sheet; *piece; piece++) fg_page_put(page, *piece);
  fg_page_put(page, "</style>\n</head>\n<body>\n<main>\n");
}

/* The first and the last member of the first line that have the distance. */
static void find_ends(const fg_sweep_view *view, const json_t *ends[2])
{
  ends[0] = ends[1] = NULL;
  for (size_t place = 0; place < view->places; place++)
    for (size_t k = 0; k < json_array_size(view->members); k++) {
      const json_t *member = json_array_get(view->members, k);
      if (fg_sweep_place(view, member) != place || fg_sweep_line(view, member) != 0) continue;
      if (!isfinite(fg_run_real(fg_sweep_estimate(view, member, 0), "value"))) continue;
      if (!ends[0]) ends[0] = member;
      ends[1] = member;
    }
}

static void put_change(const fg_sheet *s, const json_t *const ends[2], int pair)
{
  fg_page *page = s->page;
  double from = fg_run_real(fg_sweep_estimate(s->view, ends[0], pair), "value");
  double to = fg_run_real(fg_sweep_estimate(s->view, ends[1], pair), "value");
  if (!isfinite(from) || !isfinite(to)) return;
  fg_page_print(page, "%s <span class=\"nb\">" FG_W2 "%s</span> goes from ", pair == 0 ? ":" : ",",
                pair_names[pair]);
  fg_page_number(page, from, 3, NULL);
  fg_page_put(page, " to ");
  fg_page_number(page, to, 3, NULL);
}

static void put_headline(const fg_sheet *s)
{
  fg_page *page = s->page;
  const fg_sweep_view *view = s->view;
  const json_t *ends[2], *first = json_array_get(view->grid, 0);
  size_t count = json_array_size(view->members);
  find_ends(view, ends);
  fg_page_print(page, "<header>\n<p class=\"kicker\">flowgap: sweep \xc2\xb7 %zu run%s</p>\n<h1>", count,
                count == 1 ? "" : "s");
  fg_page_text(page, view->key);
  if (ends[0] && ends[0] != ends[1]) {
    fg_page_put(page, " from ");
    fg_page_text(page, fg_sweep_value(ends[0], first));
    fg_page_put(page, " to ");
    fg_page_text(page, fg_sweep_value(ends[1], first));
    put_change(s, ends, 0);
    put_change(s, ends, 2);
    if (view->lines > 1) {
      fg_page_put(page, " <span class=\"detail\">(");
      fg_sweep_label(view, ends[0], page);
      fg_page_put(page, ")</span>");
    }
  }
  fg_page_put(page, "</h1>\n<p class=\"lead\">");
  if (view->estimator)
    fg_page_print(page,
                  "Estimator: <span class=\"by\">%s</span>. The report of each comparison says what it is, "
                  "and what its "
                  "interval and its floor are.",
                  view->estimator);
  else
    fg_page_put(page, "No run of this sweep was compared, so there are no distances.");
  fg_page_put(page, "</p>\n</header>\n");
}

static void put_warnings(const fg_sheet *s)
{
  fg_page *page = s->page;
  const json_t *list = fg_run_find(s->run->results, "warnings");
  if (json_array_size(list) == 0) return;
  fg_page_put(page, "<div class=\"warnings\" role=\"note\">\n<h2>Read this first</h2>\n<ul>\n");
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *text = json_string_value(json_array_get(list, i));
    fg_page_put(page, "<li>");
    fg_page_text(page, text ? text : "");
    fg_page_put(page, "</li>\n");
  }
  fg_page_put(page, "</ul>\n</div>\n");
}

/* ---- figures -------------------------------------------------------------------------------- */

/* Which mark is which combination of the other keys. */
static void put_marks(const fg_sheet *s, fg_page *text)
{
  const fg_sweep_view *view = s->view;
  if (view->lines < 2) return;
  for (size_t line = 0; line < view->lines && line < FG_SWEEP_LINES; line++)
    for (size_t k = 0; k < json_array_size(view->members); k++) {
      const json_t *member = json_array_get(view->members, k);
      if (fg_sweep_line(view, member) != line || fg_sweep_place(view, member) != 0) continue;
      fg_page_print(text, " %s ", marks[line]);
      fg_sweep_label(view, member, text);
      fg_page_put(text, ".");
    }
  if (view->lines > FG_SWEEP_LINES)
    fg_page_print(text, " %zu more combinations are in the table only.", view->lines - FG_SWEEP_LINES);
}

static fg_code put_figure(const fg_sheet *s, const char *name, const char *title, const char *legend,
                          const char *label, const char *caption, fg_status *st)
{
  fg_page text = {0};
  fg_page_put(&text, caption);
  put_marks(s, &text);
  fg_code rc = fg_page_check(&text, st);
  if (rc == FG_OK) rc = fg_report_figure(&s->report, name, title, legend, label, text.text, st);
  fg_page_clear(&text);
  return rc;
}

static fg_code put_figures(const fg_sheet *s, fg_status *st)
{
  static const char paths[] = "<span class=\"sde\">on the SDE\xe2\x80\x99s paths</span>";
  static const char both[] =
      "<span class=\"sde\">on the SDE\xe2\x80\x99s paths</span>"
      "<span class=\"muted\">at the points of the training\xe2\x80\x99s evaluation</span>";
  const fg_sweep_view *view = s->view;
  if (!view->distances && !view->residual) return FG_OK;
  fg_page_put(s->page, "<section id=\"curves\">\n<h2>Gap against quality</h2>\n<div class=\"pair\">\n");
  if (view->trade)
    FG_TRY(put_figure(s, "sweep-trade", "The trade-off", "<span>a run with both of its intervals</span>",
                      "W2 between SDE and target against W2 between ODE and SDE",
                      "Left is a smaller gap, down a better sample; bars are intervals.", st));
  if (view->distances)
    FG_TRY(put_figure(s, "sweep-distances", "Distances",
                      "<span>ODE \xe2\x80\x93 SDE</span><span class=\"ode\">ODE \xe2\x80\x93 target</span>"
                      "<span class=\"sde\">SDE \xe2\x80\x93 target</span>"
                      "<span class=\"muted dash\">noise floor, ODE \xe2\x80\x93 SDE</span>",
                      "W2 of the three pairs against the varied setting",
                      "Bars are intervals. Values stand in the order in which they were given.", st));
  if (view->residual)
    FG_TRY(put_figure(s, "sweep-residual", "Fokker\xe2\x80\x93Planck residual", view->box ? both : paths,
                      "Mean square of the residual against the varied setting",
                      "Bars are two standard errors.", st));
  fg_page_put(s->page, "</div>\n</section>\n");
  return FG_OK;
}

/* ---- table ---------------------------------------------------------------------------------- */

/* The value, its interval below it. */
static void put_estimate(fg_page *page, const json_t *one)
{
  double low = fg_run_real(one, "ci_low");
  fg_page_put(page, "<td>");
  fg_page_number(page, fg_run_real(one, "value"), 3, "not estimated");
  if (isfinite(low)) {
    fg_page_put(page, "<small>");
    fg_page_number(page, low, 3, NULL);
    fg_page_put(page, " to ");
    fg_page_number(page, fg_run_real(one, "ci_high"), 3, "not estimated");
    fg_page_put(page, "</small>");
  }
  fg_page_put(page, "</td>");
}

/* Means with standard errors that some members have; a column that none has is left out. */
typedef struct fg_sweep_column {
  const char *title, *key, *reason; /* key NULL: the residual at the points of the training */
} fg_sweep_column;

enum { COLUMNS = 5 };
static const fg_sweep_column columns[COLUMNS] = {
    {"mean <i>R</i>\xc2\xb2, paths", "residual.mean_square",
     "the model has no scalar residual, or compare.residual_points is 0"},
    {"mean <i>R</i>\xc2\xb2, training", NULL, "not trained here, or without a residual"},
    {"denoising loss", "score.loss", "not a score model trained here"},
    {"log <i>Z</i>", "sampler.log_z_is", "not a sampler trained here"},
    {"effective share", "sampler.ess", "not a sampler trained here"},
};

static double column_value(const fg_sweep_column *column, const json_t *member, double *se)
{
  char key[64];
  if (!column->key) return fg_sweep_trained_residual(member, se);
  snprintf(key, sizeof key, "%s_se", column->key);
  *se = fg_run_real(member, key);
  return fg_run_real(member, column->key);
}

static bool has_column(const fg_sweep_view *view, const fg_sweep_column *column)
{
  double se;
  for (size_t k = 0; k < json_array_size(view->members); k++)
    if (isfinite(column_value(column, json_array_get(view->members, k), &se))) return true;
  return false;
}

static void put_mean(fg_page *page, double value, double se, const char *reason)
{
  fg_page_put(page, "<td>");
  fg_page_number(page, value, 3, reason);
  if (isfinite(value) && isfinite(se)) {
    fg_page_put(page, "<small>\xc2\xb1 ");
    fg_page_number(page, se, 2, NULL);
    fg_page_put(page, "</small>");
  }
  fg_page_put(page, "</td>");
}

static void put_counts(fg_page *page, const json_t *member)
{
  fg_page_put(page, "<td>");
  fg_page_count(page, fg_run_real(member, "ode.failed"), "not compared");
  fg_page_put(page, " / ");
  fg_page_count(page, fg_run_real(member, "sde.nonfinite"), "not compared");
  fg_page_put(page, " / ");
  fg_page_count(page, fg_run_real(member, "train.lost"), "not trained here");
  fg_page_put(page, "</td>");
}

static void put_row(const fg_sheet *s, const json_t *member)
{
  fg_page *page = s->page;
  const fg_sweep_view *view = s->view;
  fg_page_put(page, "<tr>");
  for (size_t i = 0; i < json_array_size(view->grid); i++) {
    fg_page_put(page, i == 0 ? "<th scope=\"row\">" : "<td class=\"left\">");
    fg_page_text(page, fg_sweep_value(member, json_array_get(view->grid, i)));
    fg_page_put(page, i == 0 ? "</th>" : "</td>");
  }
  for (int pair = 0; pair < FG_SWEEP_PAIRS; pair++) put_estimate(page, fg_sweep_estimate(view, member, pair));
  fg_page_put(page, "<td>");
  fg_page_number(page, fg_run_real(fg_sweep_estimate(view, member, 0), "floor"), 3, "not estimated");
  fg_page_put(page, "</td>");
  for (int c = 0; c < COLUMNS; c++) {
    double se, value = column_value(&columns[c], member, &se);
    if (has_column(view, &columns[c])) put_mean(page, value, se, columns[c].reason);
  }
  put_counts(page, member);
  fg_page_put(page, "</tr>\n");
}

static void put_columns(const fg_sheet *s)
{
  fg_page *page = s->page;
  const fg_sweep_view *view = s->view;
  for (size_t i = 0; i < json_array_size(view->grid); i++) {
    fg_page_print(page, "<th scope=\"col\"%s>", i ? " class=\"left\"" : "");
    fg_page_text(page, fg_run_word(json_array_get(view->grid, i), "key", ""));
    fg_page_put(page, "</th>");
  }
  for (int pair = 0; pair < FG_SWEEP_PAIRS; pair++)
    fg_page_print(page, "<th scope=\"col\">" FG_W2 "<br/>%s</th>", pair_names[pair]);
  fg_page_put(page, "<th scope=\"col\">floor of<br/>the first</th>");
  for (int c = 0; c < COLUMNS; c++)
    if (has_column(view, &columns[c])) fg_page_print(page, "<th scope=\"col\">%s</th>", columns[c].title);
  fg_page_put(page, "<th scope=\"col\">lost: ODE /<br/>SDE / training</th>");
}

/* A link to the page of the comparison, where there is one. */
static void put_name(fg_page *page, const json_t *member)
{
  const char *name = fg_run_word(member, "name", "");
  bool compared = json_is_object(fg_run_find(member, "w2"));
  if (compared) {
    fg_page_put(page, "<a href=\"./");
    fg_page_text(page, name);
    fg_page_put(page, "-compare/report.html\">");
  }
  fg_page_text(page, name);
  if (compared) fg_page_put(page, "</a>");
  if (!fg_run_find(member, "train")) return;
  fg_page_put(page, " (<a href=\"./");
  fg_page_text(page, name);
  fg_page_put(page, "/report.html\">training</a>)");
}

static void put_table(const fg_sheet *s)
{
  fg_page *page = s->page;
  const fg_sweep_view *view = s->view;
  fg_page_put(page, "<section id=\"table\">\n<h2>All runs</h2>\n<div class=\"scroll\"><table>\n<thead><tr>");
  put_columns(s);
  fg_page_put(page, "</tr></thead>\n<tbody>\n");
  for (size_t k = 0; k < json_array_size(view->members); k++) put_row(s, json_array_get(view->members, k));
  fg_page_put(
      page, "</tbody></table></div>\n<p class=\"note\">Intervals stand below the values. The comparisons and "
            "trainings have reports of their own in the folder of this page: ");
  for (size_t k = 0; k < json_array_size(view->members); k++) {
    if (k) fg_page_put(page, ", ");
    put_name(page, json_array_get(view->members, k));
  }
  fg_page_put(page, ".</p>\n</section>\n");
}

/* ---- the page ------------------------------------------------------------------------------- */

static void put_provenance(const fg_sheet *s)
{
  static const char *const rows[][2] = {
      {"version", "flowgap version"}, {"created", "made"}, {"engine", "engine"}, {"isa", "instruction set"}};
  fg_page *page = s->page;
  fg_page_put(page,
              "<section id=\"provenance\">\n<h2>Where this page comes from</h2>\n<pre class=\"wrap\"><code>");
  fg_page_text(page, fg_run_word(s->run->results, "command", "not recorded"));
  fg_page_put(page, "</code></pre>\n<div class=\"scroll\"><table class=\"keys\"><tbody>\n");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fg_page_print(page, "<tr><th scope=\"row\">%s</th><td>", rows[i][1]);
    fg_page_text(page, fg_run_word(s->run->results, rows[i][0], "not recorded"));
    fg_page_put(page, "</td></tr>\n");
  }
  if (json_is_true(fg_run_find(s->run->results, "tf32")))
    fg_page_put(page, "<tr><th scope=\"row\">products in TF32</th><td>yes</td></tr>\n");
  fg_page_put(page, "<tr><th scope=\"row\">wall time / s</th><td>");
  fg_page_number(page, fg_run_real(s->run->results, "wall_seconds"), 3, "not recorded");
  fg_page_put(page, "</td></tr>\n</tbody></table></div>\n</section>\n<footer>Written by flowgap ");
  fg_page_text(page, fg_version());
  fg_page_put(page, ". A dash has its reason as a tooltip.</footer>\n");
  fg_report_close(page);
}

static fg_code put_page(const fg_sheet *s, fg_status *st)
{
  put_head(s);
  put_headline(s);
  put_warnings(s);
  FG_TRY(put_figures(s, st));
  put_table(s);
  fg_report_settings(&s->report);
  put_provenance(s);
  return fg_page_check(s->page, st);
}

fg_code fg_sweep_page(const fg_run *run, fg_page *page, fg_plots *plots, fg_status *st)
{
  fg_sweep_view view = fg_sweep_look(run);
  fg_sheet sheet = {run, &view, page, {run, plots, page}};
  FG_TRY(fg_figures_create(&plots->figures, st));
  fg_sweep_plots(&view, fg_figures_script(plots->figures), plots->figures);
  if (view.distances || view.residual) FG_TRY(fg_figures_run(plots->figures, st));
  return put_page(&sheet, st);
}

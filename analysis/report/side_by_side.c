/* The page of several runs: what is on it, and in which order. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/report/answer.h"
#include "analysis/report/make.h"
#include "analysis/report/side.h"

const char *const fg_side_estimators[FG_SIDE_ESTIMATORS] = {"exact",  "grid",       "sinkhorn",
                                                            "sliced", "max_sliced", "gaussian"};

/* ---- reading ------------------------------------------------------------------------------------------- */

/* The last `parts` parts of a path. */
static const char *tail(const char *path, int parts)
{
  size_t end = strlen(path);
  while (end > 1 && path[end - 1] == '/') end--;
  while (end > 0 && (path[end - 1] != '/' || --parts > 0)) end--;
  return path + end;
}

static void set_name(fg_side_run *run, int parts)
{
  size_t used = 0;
  for (const char *at = tail(run->directory, parts); *at && used + 1 < sizeof run->name; at++) {
    unsigned char c = (unsigned char)*at;
    /* what gnuplot would read inside quotes is replaced */
    run->name[used++] = c < 0x20 || c >= 0x7f || strchr("\"\\'`", c) ? '?' : *at;
  }
  while (used > 1 && run->name[used - 1] == '/') used--;
  run->name[used] = 0;
}

static bool alike(const fg_side *s, size_t k)
{
  for (size_t j = 0; j < s->count; j++)
    if (j != k && strcmp(s->of[j].name, s->of[k].name) == 0) return true;
  return false;
}

/* Names as short as tells runs apart, at most four parts of the path; a number where even that does not. */
static void name_runs(fg_side *s)
{
  bool again[FG_SIDE_RUNS];
  for (size_t k = 0; k < s->count; k++) set_name(&s->of[k], 1);
  for (int parts = 2; parts <= 4; parts++) {
    for (size_t k = 0; k < s->count; k++) again[k] = alike(s, k);
    for (size_t k = 0; k < s->count; k++)
      if (again[k]) set_name(&s->of[k], parts);
  }
  for (size_t k = 0; k < s->count; k++) again[k] = alike(s, k);
  for (size_t k = 0; k < s->count; k++)
    if (again[k]) snprintf(s->of[k].name + strnlen(s->of[k].name, 40), 8, " #%zu", k + 1);
}

static fg_code read_run(fg_side *s, size_t k, const char *directory, fg_run *run, fg_status *st)
{
  static const char *const verbs[FG_SIDE_KINDS] = {"compare", "residual", "density", "train"};
  FG_TRY(fg_run_read(directory, run, st));
  const char *verb = fg_run_word(run->results, "verb", "compare");
  fg_side_kind kind = FG_SIDE_COMPARE;
  while (kind < FG_SIDE_KINDS && strcmp(verb, verbs[kind]) != 0) kind++;
  if (kind == FG_SIDE_KINDS)
    return FG_FAIL(st, FG_USAGE,
                   "%s holds a %.20s, which cannot stand beside other runs: name the runs inside it",
                   directory, verb);
  s->of[k] = (fg_side_run){.run = run, .directory = directory, .kind = kind};
  return FG_OK;
}

/* ---- the head ------------------------------------------------------------------------------------------- */

/* "3 comparisons, 1 training": what lies side by side, and what that means for the page. */
static void page_kinds(const fg_side *s)
{
  static const char *const names[FG_SIDE_KINDS] = {"comparison", "residual", "density", "training"};
  static const char *const plurals[FG_SIDE_KINDS] = {"comparisons", "residuals", "densities", "trainings"};
  fg_page *page = s->report.page;
  size_t of[FG_SIDE_KINDS] = {0}, kinds = 0, shown = 0;
  for (size_t k = 0; k < s->count; k++) of[s->of[k].kind]++;
  for (int k = 0; k < FG_SIDE_KINDS; k++) kinds += of[k] > 0;
  if (kinds < 2) return;
  fg_page_put(page, "<p class=\"lead\">These runs are of different kinds: ");
  for (int k = 0; k < FG_SIDE_KINDS; k++)
    if (of[k])
      fg_page_print(page, "%s%zu %s", shown++ ? ", " : "", of[k], of[k] == 1 ? names[k] : plurals[k]);
  fg_page_put(
      page,
      ". A figure shows those that have what it needs, and a dash in the table stands for what a run did "
      "not measure.</p>\n");
}

/* "0.118 (first, grid)", and whether it stands out from the noise. */
static void page_end(const fg_side *s, size_t k, const fg_answer *a)
{
  fg_page *page = s->report.page;
  fg_page_number(page, a->value, 3, NULL);
  fg_page_put(page, " <span class=\"detail\">(");
  fg_page_text(page, s->of[k].name);
  fg_page_print(page, ", %s%s)</span>", a->estimator,
                a->verdict == FG_VERDICT_WITHIN ? ", does not stand out from the noise" : "");
}

/* The smallest and the largest distance between ODE and SDE, when more than one run has it. */
static void page_headline(const fg_side *s)
{
  fg_page *page = s->report.page;
  size_t least = 0, most = 0, seen = 0;
  fg_answer answer[FG_SIDE_RUNS];
  for (size_t k = 0; k < s->count; k++) {
    answer[k] = fg_answer_find(s->of[k].run);
    if (!isfinite(answer[k].value)) continue;
    if (!seen++) least = most = k;
    if (answer[k].value < answer[least].value) least = k;
    if (answer[k].value > answer[most].value) most = k;
  }
  fg_page_print(page, "<header>\n<p class=\"kicker\">flowgap: %zu runs side by side</p>\n<h1>", s->count);
  if (seen > 1 && least != most) {
    fg_page_print(page, "<span class=\"nb\">" FG_W2 "(ODE, SDE)</span> of %zu runs: from ", seen);
    page_end(s, least, &answer[least]);
    fg_page_put(page, " to ");
    page_end(s, most, &answer[most]);
    fg_page_put(page, ".</h1>\n");
  } else {
    fg_page_print(page, "%zu runs side by side.</h1>\n", s->count);
  }
  page_kinds(s);
  fg_page_put(page, "</header>\n");
}

/* ---- the figures ----------------------------------------------------------------------------------------- */

static fg_code page_distances(const fg_side *s, fg_status *st)
{
  fg_page *page = s->report.page;
  bool any = s->lambda.drawn || s->gap_time.drawn;
  for (int e = 0; e < FG_SIDE_ESTIMATORS; e++) any = any || s->distances[e];
  if (!any) return FG_OK;
  fg_page_put(page, "<section id=\"distances\">\n<h2>Distances</h2>\n<div class=\"pair\">\n");
  for (int e = 0; e < FG_SIDE_ESTIMATORS; e++) {
    char name[64], title[64];
    if (!s->distances[e]) continue;
    snprintf(name, sizeof name, "side-distances-%s", fg_side_estimators[e]);
    for (char *at = name; *at; at++)
      if (*at == '_') *at = '-';
    snprintf(title, sizeof title, FG_W2 ", %s", fg_side_estimators[e]);
    FG_TRY(fg_report_figure(&s->report, name, title,
                            "<span>ODE and SDE</span><span class=\"ode\">ODE and target</span><span "
                            "class=\"sde\">SDE and target</span><span class=\"muted\">noise floor</span>",
                            "Distances of every run with intervals and noise floors",
                            "Bars are the intervals of each run; a value near its floor says nothing.", st));
  }
  return FG_OK;
}

/* The figures in which every run is a line. */
static fg_code page_lines(const fg_side *s, fg_status *st)
{
  static const struct {
    const char *name, *title, *label, *caption;
  } rows[] = {{"side-gap-time", "The gap on the way",
               "Distance between ODE and SDE of every run against noising time",
               "Generation runs from left to right."},
              {"side-lambda", "The gap against <i>\xce\xbb</i>",
               "Distance to the ODE of every run against lambda",
               "Distance between the law of each noise level and the ODE\xe2\x80\x99s."},
              {"side-residual", "Fokker\xe2\x80\x93Planck residual",
               "Mean squared residual of every run against noising time",
               "Mean of <i>R</i>\xc2\xb2 along the paths of the SDE, or under the measure of a run of "
               "flowgap residual. "
               "Logarithmic axes."}};
  const fg_side_lines *const lines[] = {&s->gap_time, &s->lambda, &s->residual};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fg_page legend = {0};
    if (!lines[i]->drawn) continue;
    fg_side_legend(s, lines[i]->of, &legend);
    fg_code rc = fg_page_check(&legend, st);
    if (rc == FG_OK)
      rc = fg_report_figure(&s->report, rows[i].name, rows[i].title, legend.text, rows[i].label,
                            rows[i].caption, st);
    fg_page_clear(&legend);
    FG_TRY(rc);
  }
  return FG_OK;
}

static fg_code page_row(const fg_side *s, const char *what, const char *title, const char *label,
                        fg_status *st)
{
  fg_page *page = s->report.page;
  size_t drawn = 0;
  for (size_t k = 0; k < s->count; k++) drawn += s->drawn[k];
  fg_page_print(page, "<p class=\"note\"><b>%s</b></p>\n<div class=\"maps%s\">\n", title,
                drawn <= 3 ? " three" : "");
  for (size_t k = 0; k < s->count; k++) {
    char name[64];
    if (!s->drawn[k]) continue;
    fg_page heading = {0};
    snprintf(name, sizeof name, "side-%s-%zu", what, k);
    fg_page_text(&heading, s->of[k].name);
    fg_code rc = fg_page_check(&heading, st);
    if (rc == FG_OK) rc = fg_report_figure(&s->report, name, heading.text, "", label, "", st);
    fg_page_clear(&heading);
    FG_TRY(rc);
  }
  fg_page_put(page, "</div>\n");
  return FG_OK;
}

static fg_code page_maps(const fg_side *s, fg_status *st)
{
  fg_page *page = s->report.page;
  size_t left_out = 0;
  if (!s->maps && !s->laws) return FG_OK;
  for (size_t k = 0; k < s->count; k++) left_out += s->of[k].kind == FG_SIDE_COMPARE && !s->drawn[k];
  fg_page_put(
      page, "<section id=\"densities\">\n<h2>Where the particles end</h2>\n<p class=\"note\">All on the same "
            "axes and with the same colours.");
  if (left_out)
    fg_page_print(page, " Left out: %zu comparison%s without samples or in another dimension.", left_out,
                  left_out == 1 ? "" : "s");
  fg_page_put(page, "</p>\n");
  if (s->laws) {
    fg_page legend = {0};
    fg_side_legend(s, s->drawn, &legend);
    fg_code rc = fg_page_check(&legend, st);
    if (rc == FG_OK)
      rc =
          fg_report_figure(&s->report, "side-laws", "The laws", legend.text,
                           "Histograms of both laws of every run", "Full lines: SDE; broken lines: ODE.", st);
    fg_page_clear(&legend);
    FG_TRY(rc);
  } else {
    FG_TRY(page_row(s, "ode", "ODE", "Density map of the ODE's particles", st));
    FG_TRY(page_row(s, "sde", "SDE", "Density map of the SDE's particles", st));
    FG_TRY(page_row(s, "gap", "SDE \xe2\x88\x92 ODE", "Map of the difference, SDE minus ODE", st));
    fg_report_bars(page, s->top, s->gap_top);
  }
  fg_page_put(page, "</section>\n");
  return FG_OK;
}

/* ---- the page -------------------------------------------------------------------------------------------- */

static fg_code write_page(const fg_side *s, fg_status *st)
{
  char what[64];
  snprintf(what, sizeof what, " and others: %zu runs side by side", s->count);
  fg_report_document(&s->report, what);
  page_headline(s);
  fg_side_table(s);
  fg_side_settings(s);
  FG_TRY(page_distances(s, st));
  bool open = s->lambda.drawn || s->gap_time.drawn;
  for (int e = 0; e < FG_SIDE_ESTIMATORS; e++) open = open || s->distances[e];
  if (!open && s->residual.drawn)
    fg_page_put(s->report.page, "<section id=\"lines\">\n<h2>Residuals</h2>\n<div class=\"pair\">\n");
  FG_TRY(page_lines(s, st));
  if (open || s->residual.drawn) fg_page_put(s->report.page, "</div>\n</section>\n");
  FG_TRY(page_maps(s, st));
  fg_side_provenance(s);
  return fg_report_end(&s->report, st);
}

fg_code fg_side_make(const char *const *run_directories, size_t count, fg_run *runs, fg_page *page,
                     fg_plots *plots, fg_status *st)
{
  fg_side s = {.count = count, .report = {&runs[0], plots, page}};
  if (count > FG_SIDE_RUNS)
    return FG_FAIL(st, FG_USAGE, "%zu runs: at most %d stand side by side", count, FG_SIDE_RUNS);
  for (size_t k = 0; k < count; k++) FG_TRY(read_run(&s, k, run_directories[k], &runs[k], st));
  name_runs(&s);
  FG_TRY(fg_figures_create(&plots->figures, st));
  fg_side_plots(&s);
  FG_TRY(fg_side_maps(&s, st));
  if (fg_figures_script(plots->figures)->used) FG_TRY(fg_figures_run(plots->figures, st));
  return write_page(&s, st);
}

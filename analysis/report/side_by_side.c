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

/* A figure in which every run is a line. */
static fg_code page_line(const fg_side *s, fg_side_line line, fg_status *st)
{
  static const struct {
    const char *name, *title, *label, *caption;
  } rows[FG_SIDE_LINES] = {
      [FG_SIDE_GAP_TIME] = {"side-gap-time", "The gap on the way",
                            "Distance between ODE and SDE of every run against noising time",
                            "Generation runs from left to right."},
      [FG_SIDE_CURVE] = {"side-lambda", "The gap against <i>\xce\xbb</i>",
                         "Distance to the ODE of every run against lambda",
                         "Distance between the law of each noise level and the ODE\xe2\x80\x99s."},
      [FG_SIDE_PROFILE] =
          {"side-residual", "Fokker\xe2\x80\x93Planck residual",
           "Mean squared residual of every run against noising time",
           "Mean of <i>R</i>\xc2\xb2 along the paths of the SDE, or under the measure of a run "
           "of flowgap residual. Logarithmic axes."},
      [FG_SIDE_LOSS] =
          {"side-loss", "Loss", "Loss of every training against its steps",
           "Means over the logged steps behind each point. Losses of different objectives do not "
           "compare."},
      [FG_SIDE_LOG_Z] = {"side-log-z", "log <i>Z</i>, importance sampling",
                         "log Z of every sampler against the steps of its training",
                         "Evaluations on noise that is held out."},
      [FG_SIDE_ESS] = {"side-ess", "Effective sample size",
                       "Effective sample size of every sampler against the steps of its training",
                       "As a share of the paths of an evaluation; 1 is ideal."},
      [FG_SIDE_TRAINED] = {"side-trained-residual", "Residual in training",
                           "Mean square of the residual of every training against its steps",
                           "At the points of the regulariser."}};
  fg_page legend = {0};
  if (!s->lines[line].drawn) return FG_OK;
  fg_side_legend(s, s->lines[line].of, &legend);
  fg_code rc = fg_page_check(&legend, st);
  if (rc == FG_OK)
    rc = fg_report_figure(&s->report, rows[line].name, rows[line].title, legend.text, rows[line].label,
                          rows[line].caption, st);
  fg_page_clear(&legend);
  return rc;
}

static fg_code page_figures(const fg_side *s, fg_status *st)
{
  fg_page *page = s->report.page;
  bool distances = s->lines[FG_SIDE_CURVE].drawn || s->lines[FG_SIDE_GAP_TIME].drawn;
  for (int e = 0; e < FG_SIDE_ESTIMATORS; e++) distances = distances || s->distances[e];
  if (!distances && !s->lines[FG_SIDE_PROFILE].drawn) return FG_OK;
  fg_page_put(page, distances ? "<section id=\"distances\">\n<h2>Distances</h2>\n<div class=\"pair\">\n"
                              : "<section id=\"lines\">\n<h2>Residuals</h2>\n<div class=\"pair\">\n");
  FG_TRY(page_distances(s, st));
  for (int k = FG_SIDE_GAP_TIME; k <= FG_SIDE_PROFILE; k++) FG_TRY(page_line(s, (fg_side_line)k, st));
  fg_page_put(page, "</div>\n</section>\n");
  return FG_OK;
}

static fg_code page_trainings(const fg_side *s, fg_status *st)
{
  bool any = false;
  for (int k = FG_SIDE_LOSS; k <= FG_SIDE_TRAINED; k++) any = any || s->lines[k].drawn;
  if (!any) return FG_OK;
  fg_page_put(s->report.page,
              "<section id=\"training\">\n<h2>How the models were trained</h2>\n<div class=\"pair\">\n");
  for (int k = FG_SIDE_LOSS; k <= FG_SIDE_TRAINED; k++) FG_TRY(page_line(s, (fg_side_line)k, st));
  fg_page_put(s->report.page, "</div>\n</section>\n");
  return FG_OK;
}

/* One map for each of the runs `of`. */
static fg_code page_row(const fg_side *s, const bool of[FG_SIDE_RUNS], const char *what, const char *title,
                        const char *label, fg_status *st)
{
  fg_page *page = s->report.page;
  size_t drawn = 0;
  for (size_t k = 0; k < s->count; k++) drawn += of[k];
  fg_page_print(page, "<p class=\"note\"><b>%s</b></p>\n<div class=\"maps%s\">\n", title,
                drawn <= 3 ? " three" : "");
  for (size_t k = 0; k < s->count; k++) {
    char name[64];
    if (!of[k]) continue;
    fg_page heading = {0};
    snprintf(name, sizeof name, "%s-%zu", what, k);
    fg_page_text(&heading, s->of[k].name);
    fg_code rc = fg_page_check(&heading, st);
    if (rc == FG_OK) rc = fg_report_figure(&s->report, name, heading.text, "", label, "", st);
    fg_page_clear(&heading);
    FG_TRY(rc);
  }
  fg_page_put(page, "</div>\n");
  return FG_OK;
}

/* Both laws of the runs `of` as curves. */
static fg_code page_curves(const fg_side *s, const bool of[FG_SIDE_RUNS], const char *name, const char *label,
                           fg_status *st)
{
  fg_page legend = {0};
  fg_side_legend(s, of, &legend);
  fg_code rc = fg_page_check(&legend, st);
  if (rc == FG_OK)
    rc = fg_report_figure(&s->report, name, "The laws", legend.text, label,
                          "Full lines: SDE; broken lines: ODE.", st);
  fg_page_clear(&legend);
  return rc;
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
    FG_TRY(page_curves(s, s->drawn, "side-laws", "Histograms of both laws of every run", st));
  } else {
    FG_TRY(page_row(s, s->drawn, "side-ode", "ODE", "Density map of the ODE's particles", st));
    FG_TRY(page_row(s, s->drawn, "side-sde", "SDE", "Density map of the SDE's particles", st));
    FG_TRY(page_row(s, s->drawn, "side-gap", "SDE \xe2\x88\x92 ODE", "Map of the difference, SDE minus ODE",
                    st));
    fg_report_bars(page, "density of particles", s->top, s->gap_top);
  }
  fg_page_put(page, "</section>\n");
  return FG_OK;
}

/* Of runs of `flowgap density`: the densities themselves. */
static fg_code page_solved(const fg_side *s, fg_status *st)
{
  fg_page *page = s->report.page;
  size_t left_out = 0;
  if (!s->solved_maps && !s->solved_laws) return FG_OK;
  for (size_t k = 0; k < s->count; k++) left_out += s->of[k].kind == FG_SIDE_DENSITY && !s->solved[k];
  fg_page_put(page, "<section id=\"solved\">\n<h2>Densities on a grid</h2>\n<p class=\"note\">Of the runs of "
                    "flowgap density, without particles. ");
  fg_page_put(page, s->solved_maps
                        ? "All with the same colours, each on as much of its box as holds 99.8 % of "
                          "both laws."
                        : "All on the same axes.");
  if (left_out)
    fg_page_print(page, " Left out: %zu in another dimension, or without densities.h5.", left_out);
  fg_page_put(page, "</p>\n");
  if (s->solved_laws) {
    FG_TRY(page_curves(s, s->solved, "side-solved-laws", "Densities of both laws of every run", st));
  } else {
    FG_TRY(page_row(s, s->solved, "side-solved-ode", "ODE", "Density of the ODE", st));
    FG_TRY(page_row(s, s->solved, "side-solved-sde", "SDE", "Density of the SDE", st));
    FG_TRY(
        page_row(s, s->solved, "side-solved-gap", "SDE \xe2\x88\x92 ODE", "Difference, SDE minus ODE", st));
    fg_report_bars(page, "density", s->solved_top, s->solved_gap_top);
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
  FG_TRY(page_figures(s, st));
  FG_TRY(page_maps(s, st));
  FG_TRY(page_solved(s, st));
  FG_TRY(page_trainings(s, st));
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
  FG_TRY(fg_side_densities(&s, st));
  if (fg_figures_script(plots->figures)->used) FG_TRY(fg_figures_run(plots->figures, st));
  return write_page(&s, st);
}

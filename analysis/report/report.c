/* report.html: what is on the page, and in which order. */
#include <stdlib.h>
#include <string.h>

#include "analysis/report/make.h"
#include "analysis/report/sections.h"
#include "analysis/report/style.h"
#include "analysis/report/sweep.h"
#include "base/run_directory.h"
#include "flowgap/analysis.h"

static fg_code write_comparison(const fg_report *r, fg_status *st)
{
  fg_report_head(r);
  fg_report_headline(r);
  fg_report_warnings(r);
  FG_TRY(fg_report_budget(r, st));
  FG_TRY(fg_report_densities(r, st));
  FG_TRY(fg_report_frames(r, st));
  FG_TRY(fg_report_paths(r, st));
  FG_TRY(fg_report_distances(r, st));
  FG_TRY(fg_report_residual(r, st));
  FG_TRY(fg_report_certificate(r, st));
  FG_TRY(fg_report_lambda(r, st));
  FG_TRY(fg_report_training(r, st));
  FG_TRY(fg_report_solver(r, st));
  fg_report_moments(r);
  fg_report_lost(r);
  return FG_OK;
}

static fg_code write_residual(const fg_report *r, fg_status *st)
{
  fg_report_document(r, ": Fokker\xe2\x80\x93Planck residual");
  fg_report_residual_headline(r);
  fg_report_warnings(r);
  return fg_report_measures(r, st);
}

fg_code fg_report_end(const fg_report *r, fg_status *st)
{
  fg_page_put(r->page, "<footer>Written by flowgap ");
  fg_page_text(r->page, fg_version());
  fg_page_put(r->page, ". A dash has its reason as a tooltip.</footer>\n");
  fg_report_close(r->page);
  return fg_page_check(r->page, st);
}

fg_code fg_report_make(const char *run_directory, fg_run *run, fg_page *page, fg_plots *plots, fg_status *st)
{
  fg_report report = {run, plots, page};
  FG_TRY(fg_run_read(run_directory, run, st));
  if (strcmp(fg_run_word(run->results, "verb", ""), "sweep") == 0) return fg_sweep_page(run, page, plots, st);
  if (strcmp(fg_run_word(run->results, "verb", ""), "density") == 0) {
    FG_TRY(fg_report_density(&report, run_directory, st));
  } else {
    FG_TRY(fg_plots_make(run, plots, st));
    FG_TRY(run->train      ? fg_report_trained(&report, st)
           : run->residual ? write_residual(&report, st)
                           : write_comparison(&report, st));
  }
  fg_report_settings(&report);
  fg_report_provenance(&report);
  return fg_report_end(&report, st);
}

fg_code fg_report_write(const char *run_directory, fg_status *st)
{
  char *path = fg_path_join(run_directory, "report.html");
  if (!path) return FG_FAIL(st, FG_MEMORY, "no memory to write the report of %s", run_directory);
  const fg_report_output output = {FG_REPORT_HTML, path};
  fg_code rc = fg_report_save(&run_directory, 1, &output, 1, st);
  free(path);
  return rc;
}

/* report.html: what is on the page, and in which order. */
#include <stdlib.h>
#include <string.h>

#include "analysis/report/sections.h"
#include "analysis/report/style.h"
#include "analysis/report/sweep.h"
#include "base/file.h"
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

static fg_code end_page(const fg_report *r, fg_status *st)
{
  fg_report_settings(r);
  fg_report_provenance(r);
  fg_page_put(r->page, "<footer>Written by flowgap ");
  fg_page_text(r->page, fg_version());
  fg_page_put(r->page, ". A dash has its reason as a tooltip.</footer>\n");
  fg_report_close(r->page);
  return fg_page_check(r->page, st);
}

static fg_code save_page(const char *run_directory, const fg_page *page, fg_status *st)
{
  char *path = fg_path_join(run_directory, "report.html");
  if (!path) return FG_FAIL(st, FG_MEMORY, "no memory to write the report of %s", run_directory);
  fg_code rc = fg_file_write(path, page->text, page->used, st);
  free(path);
  return rc;
}

fg_code fg_report_write(const char *run_directory, fg_status *st)
{
  fg_run run;
  fg_plots plots = {0};
  fg_page page = {0};
  fg_report report = {&run, &plots, &page};
  fg_code rc;
  FG_TRY(fg_run_read(run_directory, &run, st));
  if (strcmp(fg_run_word(run.results, "verb", ""), "sweep") == 0) {
    FG_GO(fg_sweep_page(&run, &page, st), done);
    FG_GO(save_page(run_directory, &page, st), done);
    goto done;
  }
  if (strcmp(fg_run_word(run.results, "verb", ""), "density") == 0) {
    FG_GO(fg_report_density(&report, run_directory, st), done);
  } else {
    FG_GO(fg_plots_make(&run, &plots, st), done);
    if (run.train)
      FG_GO(fg_report_trained(&report, st), done);
    else
      FG_GO(run.residual ? write_residual(&report, st) : write_comparison(&report, st), done);
  }
  FG_GO(end_page(&report, st), done);
  FG_GO(save_page(run_directory, &page, st), done);
done:
  fg_plots_clear(&plots);
  fg_page_clear(&page);
  fg_run_clear(&run);
  return rc;
}

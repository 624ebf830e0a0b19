/* Pages before they become files, and the formats that are made of them. */
#ifndef FG_REPORT_MAKE_H
#define FG_REPORT_MAKE_H

#include <jansson.h>

#include "analysis/report/data.h"
#include "analysis/report/page.h"
#include "analysis/report/plots.h"

/* report.c. The page of one run. run, page and plots start empty and are cleared by the caller, in any case. */
FG_CHECKED fg_code fg_report_make(const char *run_directory, fg_run *run, fg_page *page, fg_plots *plots,
                                  fg_status *st);
/* side_by_side.c. One page of several runs; runs [count]. */
FG_CHECKED fg_code fg_side_make(const char *const *run_directories, size_t count, fg_run *runs, fg_page *page,
                                fg_plots *plots, fg_status *st);

/* browser.c. A page printed by a headless browser. */
FG_CHECKED fg_code fg_browser_pdf(const fg_page *page, const char *path, fg_status *st);
FG_CHECKED fg_code fg_browser_png(const fg_page *page, const char *path, fg_status *st);

/* markdown.c. A page as Markdown; pictures are named `folder`/NAME.png and noted in `names`, one per line. */
FG_CHECKED fg_code fg_markdown(const fg_page *page, const char *folder, fg_page *text, fg_page *names,
                               fg_status *st);

/* json.c. What a page holds: results.json of its runs, the figures by name; free() the text. */
FG_CHECKED fg_code fg_report_json(const char *const *run_directories, size_t count, const fg_run *runs,
                                  const fg_page *page, const fg_plots *plots, char **text, fg_status *st);

#endif

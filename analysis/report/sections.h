/* The parts of the page, in the order in which they appear (report.c). A part that has nothing to show
 * says why in a sentence, or is left out where its absence explains itself. */
#ifndef FG_REPORT_SECTIONS_H
#define FG_REPORT_SECTIONS_H

#include "analysis/report/data.h"
#include "analysis/report/page.h"
#include "analysis/report/plots.h"

typedef struct fg_report {
  const fg_run *run;
  fg_plots *plots;
  fg_page *page;
} fg_report;

#define FG_W2 "<i>W</i><sub>2</sub>"

/* overview.c */
/* From <!DOCTYPE> to <main>; `what` follows the model's name in the title. */
void fg_report_document(const fg_report *r, const char *what);
/* From </main> to </html>, with the script. */
void fg_report_close(fg_page *page);
const char *fg_report_model(const fg_run *run);
void fg_report_head(const fg_report *r);
void fg_report_headline(const fg_report *r);
void fg_report_warnings(const fg_report *r);
/* budget.c; nothing without the member of results.json */
FG_CHECKED fg_code fg_report_budget(const fg_report *r, fg_status *st);
/* sections.c */
FG_CHECKED fg_code fg_report_densities(const fg_report *r, fg_status *st);
FG_CHECKED fg_code fg_report_frames(const fg_report *r, fg_status *st);
FG_CHECKED fg_code fg_report_residual(const fg_report *r, fg_status *st);
FG_CHECKED fg_code fg_report_paths(const fg_report *r, fg_status *st);
FG_CHECKED fg_code fg_report_solver(const fg_report *r, fg_status *st);
/* residual.c: the page of `flowgap residual` */
void fg_report_residual_headline(const fg_report *r);
FG_CHECKED fg_code fg_report_measures(const fg_report *r, fg_status *st);
/* distances.c */
FG_CHECKED fg_code fg_report_distances(const fg_report *r, fg_status *st);
FG_CHECKED fg_code fg_report_bias(const fg_report *r, fg_status *st); /* within the distances */
/* certificate.c; nothing without the member of results.json */
FG_CHECKED fg_code fg_report_certificate(const fg_report *r, fg_status *st);
FG_CHECKED fg_code fg_report_lambda(const fg_report *r, fg_status *st);
/* training.c: of the model that was compared, nothing without a record; the whole page of `flowgap train` */
FG_CHECKED fg_code fg_report_training(const fg_report *r, fg_status *st);
FG_CHECKED fg_code fg_report_trained(const fg_report *r, fg_status *st);
/* tables.c */
void fg_report_lost(const fg_report *r);
void fg_report_solver_tables(const fg_report *r);
void fg_report_moments(const fg_report *r);
void fg_report_settings(const fg_report *r);
void fg_report_provenance(const fg_report *r);

/* report.c: the last line, the script and the end of the document. */
FG_CHECKED fg_code fg_report_end(const fg_report *r, fg_status *st);

/* density.c: the whole page of `flowgap density`, from densities.h5 as well. */
FG_CHECKED fg_code fg_report_density(const fg_report *r, const char *run_directory, fg_status *st);

/* Number of particles: the setting, else the rows of samples.h5. */
double fg_report_particles(const fg_run *run);
/* "12 of 20 000 (0.06 %)" */
void fg_report_share(fg_page *page, double part, double whole);
/* The colours of density maps (`what`) that end at `top` and of their differences. */
void fg_report_bars(fg_page *page, const char *what, double top, double gap_top);

/* The ends of the scale of a difference; top is 0 where both laws are the same to the bit. */
void fg_report_gap_ends(fg_page *page, double top);

/* "90 % interval", or "interval" when the level is not recorded; `title`: with a capital. */
void fg_report_level(fg_page *page, const fg_run *run, bool title);
/* <figure> with a title (HTML of our own), a legend (same, may be ""), the figure and a caption. */
FG_CHECKED fg_code fg_report_figure(const fg_report *r, const char *name, const char *title,
                                    const char *legend, const char *label, const char *caption,
                                    fg_status *st);

#endif

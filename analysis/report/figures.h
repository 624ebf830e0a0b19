/* Figures by gnuplot: one script and one run for the whole page, in a temporary folder that goes away
 * with the handle. Colours in scripts are the FG_INK... tokens, which become CSS variables in the page, so
 * that a figure follows the light or dark theme of its reader. */
#ifndef FG_REPORT_FIGURES_H
#define FG_REPORT_FIGURES_H

#include <stdbool.h>
#include <stddef.h>

#include "analysis/report/page.h"
#include "flowgap/status.h"

#define FG_INK "\"#010101\""   /* axes and text */
#define FG_RULE "\"#020202\""  /* grid lines */
#define FG_MUTED "\"#030303\"" /* floors, secondary marks */
#define FG_ODE "\"#0072b2\""   /* blue, vermilion, green: told apart by colour-blind readers too */
#define FG_SDE "\"#d55e00\""
#define FG_TARGET "\"#009e73\""

#define FG_W2_PLAIN "W\xe2\x82\x82" /* in texts without mark-up */

typedef struct fg_figures fg_figures;

FG_CHECKED fg_code fg_figures_create(fg_figures **figures, fg_status *st);
void fg_figures_destroy(fg_figures **figures);

/* The script; failures of memory are found by fg_figures_run. */
fg_page *fg_figures_script(fg_figures *figures);
/* Start figure `name` (letters, digits, '-'): terminal of that size, thin axes, no key. */
void fg_figures_begin(fg_figures *figures, const char *name, int width, int height);
/* What the reader is told who points at a line of the figure that was begun last: columns, from 1, of the data block
 * $block as it stands in the script by now; 0: no such column. The numbers travel beside the figure as JSON. */
typedef struct fg_series {
  const char *label, *block;
  int x, y;
  int low, high; /* of an interval */
  int error;     /* standard error, shown as y +- 2 errors */
  int floor;     /* what sampling noise gives */
  int t;         /* noising time, of a path in the plane */
  int name;      /* a quoted text that names the point */
  int value;     /* of a flat figure: what is told, with low and high, where it is not the place across */
} fg_series;
void fg_figures_series(fg_figures *figures, const fg_series *series);
/* Names of the axes in the read-out, plain text that stays; `flat`: the value lies across, rows go down. */
void fg_figures_axes(fg_figures *figures, const char *x, const char *y, bool flat);
/* An axis of names: the figure cannot be enlarged. */
void fg_figures_fixed(fg_figures *figures);
/* The cells behind the picture that was begun last, [iy, ix]. */
typedef struct fg_cells {
  const char *label;
  double low[2], width;
  size_t bins;
  const double *values; /* NULL: the difference of its neighbours SDE and ODE */
  double unit;          /* > 0: values are counts, shown times this; 0: shown as they are */
} fg_cells;
void fg_figures_cells(fg_figures *figures, const fg_cells *cells);

/* A file of bytes in the temporary folder; its path, quoted for gnuplot, is put in the script. */
FG_CHECKED fg_code fg_figures_data(fg_figures *figures, const char *name, const void *bytes, size_t size,
                                   fg_status *st);

/* Run gnuplot. FG_UNSUPPORTED when it is not installed, FG_FAILED with its message when it stops. */
FG_CHECKED fg_code fg_figures_run(fg_figures *figures, fg_status *st);

/* Put figure `name` in the page as <svg>, with `label` for readers who cannot see it, and what is known of its points
 * as JSON (readout.h). */
FG_CHECKED fg_code fg_figures_svg(fg_figures *figures, const char *name, const char *label, fg_page *page,
                                  fg_status *st);

/* After fg_figures_run: all figures once more, as PNG of twice the size in the colours of the light theme. */
FG_CHECKED fg_code fg_figures_pictures(fg_figures *figures, fg_status *st);
/* One of them, copied to `path`. */
FG_CHECKED fg_code fg_figures_picture(const fg_figures *figures, const char *name, const char *path,
                                      fg_status *st);

#endif

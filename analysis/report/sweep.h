/* The page of a sweep: distances and residual of its members against what was varied. */
#ifndef FG_REPORT_SWEEP_H
#define FG_REPORT_SWEEP_H

#include "analysis/report/data.h"
#include "analysis/report/sections.h"

enum { FG_SWEEP_PAIRS = 3, FG_SWEEP_LINES = 8 }; /* lines: combinations of the other keys that are drawn */

typedef struct fg_sweep_view {
  const json_t *grid, *members;
  const char *key;                 /* the first one: the axis */
  const char *estimator;           /* that every member has, the best for its purpose; NULL: no distances */
  size_t places, lines;            /* values of the key; combinations of the others */
  bool distances, residual, trade; /* figures that are drawn */
  bool box;                        /* the residual of the training is drawn too */
} fg_sweep_view;

fg_sweep_view fg_sweep_look(const fg_run *run);
/* What a member has for an entry of the grid, as it was given. */
const char *fg_sweep_value(const json_t *member, const json_t *entry);
/* Where a member stands: its place on the axis and its line. */
size_t fg_sweep_place(const fg_sweep_view *view, const json_t *member);
size_t fg_sweep_line(const fg_sweep_view *view, const json_t *member);
/* "train.rate=0.1, seed=2" of the keys but the first; an empty text where there are none. */
void fg_sweep_label(const fg_sweep_view *view, const json_t *member, fg_page *text);
/* The estimate of a pair (0: ODE and SDE, 1: ODE and target, 2: SDE and target), or NULL. */
const json_t *fg_sweep_estimate(const fg_sweep_view *view, const json_t *member, int pair);
/* Mean square of the residual at the points of the training's evaluation, and its standard error. */
double fg_sweep_trained_residual(const json_t *member, double *se);

/* sweep_plots.c: the script of the figures "sweep-distances", "sweep-residual" and "sweep-trade". */
void fg_sweep_plots(fg_sweep_view *view, fg_page *script, fg_figures *figures);

/* sweep_page.c */
FG_CHECKED fg_code fg_sweep_page(const fg_run *run, fg_page *page, fg_plots *plots, fg_status *st);

#endif

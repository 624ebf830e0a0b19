/* Several runs on one page. */
#ifndef FG_REPORT_SIDE_H
#define FG_REPORT_SIDE_H

#include "analysis/report/sections.h"

enum { FG_SIDE_RUNS = 64, FG_SIDE_COLORS = 8, FG_SIDE_ESTIMATORS = 6, FG_SIDE_NAME = 48 };

typedef enum fg_side_kind {
  FG_SIDE_COMPARE,
  FG_SIDE_RESIDUAL,
  FG_SIDE_DENSITY,
  FG_SIDE_TRAIN,
  FG_SIDE_KINDS
} fg_side_kind;

/* A run as the page names it. */
typedef struct fg_side_run {
  const fg_run *run;
  const char *directory;
  char name[FG_SIDE_NAME]; /* last part of the directory, or more where two end alike; printable ASCII */
  fg_side_kind kind;
} fg_side_run;

/* Figures in which runs are lines: over noising time, lambda, time, and over the steps of a training. */
typedef enum fg_side_line {
  FG_SIDE_GAP_TIME,
  FG_SIDE_CURVE,
  FG_SIDE_PROFILE,
  FG_SIDE_LOSS,
  FG_SIDE_LOG_Z,
  FG_SIDE_ESS,
  FG_SIDE_TRAINED,
  FG_SIDE_LINES
} fg_side_line;

/* Whether one is drawn, and which runs are in it. */
typedef struct fg_side_lines {
  bool drawn, of[FG_SIDE_RUNS];
} fg_side_lines;

typedef struct fg_side {
  fg_side_run of[FG_SIDE_RUNS];
  size_t count;
  fg_report report; /* page and figures; its run is the first */
  /* what was drawn */
  bool distances[FG_SIDE_ESTIMATORS], laws, maps, drawn[FG_SIDE_RUNS]; /* drawn: in maps or laws */
  fg_side_lines lines[FG_SIDE_LINES];
  double top, gap_top; /* of the maps */
  fg_view view;
  /* of runs of `flowgap density`: maps (two dimensions) or curves (one), and where their colours end */
  bool solved[FG_SIDE_RUNS], solved_maps, solved_laws;
  double solved_top, solved_gap_top;
} fg_side;

extern const char *const fg_side_estimators[FG_SIDE_ESTIMATORS];

/* Colour of a run in scripts, and its entry of a legend on the page. side_by_side_plots.c */
const char *fg_side_color(size_t run);
int fg_side_dash(size_t run);
void fg_side_legend(const fg_side *s, const bool drawn[FG_SIDE_RUNS], fg_page *page);

/* side_by_side_plots.c and side_by_side_maps.c: the script of all figures. */
void fg_side_plots(fg_side *s);
FG_CHECKED fg_code fg_side_maps(fg_side *s, fg_status *st);
/* side_by_side_densities.c: the same of runs of `flowgap density`. */
FG_CHECKED fg_code fg_side_densities(fg_side *s, fg_status *st);
/* Read-out of both laws of the runs `of`, in blocks PREFIX_ode_K and PREFIX_sde_K. side_by_side_plots.c */
void fg_side_tell_curves(const fg_side *s, const bool of[FG_SIDE_RUNS], const char *prefix);
/* side_by_side_table.c */
void fg_side_table(const fg_side *s);
/* side_by_side_settings.c */
void fg_side_settings(const fg_side *s);
void fg_side_provenance(const fg_side *s);

#endif

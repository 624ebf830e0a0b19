/* Every figure of the page, and what the captions say about them. */
#ifndef FG_REPORT_PLOTS_H
#define FG_REPORT_PLOTS_H

#include "analysis/report/data.h"
#include "analysis/report/figures.h"
#include "analysis/report/maps.h"

enum { FG_MAP_ODE, FG_MAP_SDE, FG_MAP_TARGET, FG_MAPS };
enum { FG_FRAMES = 20, FG_DRAWN_PATHS = 6 };

/* Both laws at one time; density colours are shared, and end at `top`. */
typedef struct fg_frame {
  size_t row; /* in snapshot_t */
  double t, top, gap_top;
  size_t outside_ode, outside_sde;
} fg_frame;

/* Norms of a residual that are drawn against time. */
enum { FG_NORMS = 4, FG_RESIDUAL_MAPS = 24 };
extern const char *const fg_plot_norms[FG_NORMS];

typedef struct fg_plots {
  fg_figures *figures;
  /* figures "map-ode", "map-sde", "map-target", "map-gap" (d >= 2) or "laws", "laws-gap" (d = 1) */
  bool densities;
  fg_view view;
  fg_map map[FG_MAPS];
  fg_map_gap gap;
  double top;
  /* figures "frame-K-ode", -sde, -gap, or "frame-K-laws", in order of decreasing time */
  size_t frames;
  fg_view frame_view;
  fg_frame frame[FG_FRAMES];
  /* figures of the same names, drawn when there is something to show */
  bool estimates, estimates_log, gap_time, residual, relative, plane, paths, work, step, order;
  bool bias; /* figure "bias" */
  size_t drawn_paths;
  bool budget;
  bool certificate, apart, lipschitz_global, lambda;
  const char *lambda_estimator; /* of the curve over lambda, NULL if there is none */
  /* of a run of `flowgap residual`: figures "profile-NORM" (fg_plot_norms) and "residual-map-K" */
  bool profile[FG_NORMS];
  size_t maps;
  /* of a training: figures of the same names */
  bool weights, loss, log_z, ess, trained_residual;
  bool plane_maps; /* two dimensions: pictures that share the colours up to `map_top` */
  double map_top;
} fg_plots;

/* Writes the script of all figures and runs gnuplot. */
FG_CHECKED fg_code fg_plots_make(const fg_run *run, fg_plots *plots, fg_status *st);
void fg_plots_clear(fg_plots *plots);

/* plots_density.c */
FG_CHECKED fg_code fg_plot_densities(const fg_run *run, fg_plots *plots, fg_status *st);
FG_CHECKED fg_code fg_plot_frames(const fg_run *run, fg_plots *plots, fg_status *st);
/* plots_lines.c; these set their flag in `plots` */
void fg_plot_estimates(const fg_run *run, fg_plots *plots);
void fg_plot_gap_time(const fg_run *run, fg_plots *plots);
void fg_plot_residual(const fg_run *run, fg_plots *plots);
void fg_plot_solver(const fg_run *run, fg_plots *plots);
/* plots_bias.c */
void fg_plot_bias(const fg_run *run, fg_plots *plots);
/* plots_residual.c */
void fg_plot_profiles(const fg_run *run, fg_plots *plots);
FG_CHECKED fg_code fg_plot_maps(const fg_run *run, fg_plots *plots, fg_status *st);
/* plots_budget.c */
void fg_plot_budget(const fg_run *run, fg_plots *plots);
/* plots_certificate.c */
void fg_plot_certificate(const fg_run *run, fg_plots *plots);
void fg_plot_lambda(const fg_run *run, fg_plots *plots);
/* plots_training.c */
void fg_plot_training(const fg_run *run, fg_plots *plots);
/* plots_paths.c */
void fg_plot_paths(const fg_run *run, fg_plots *plots);

/* A square picture over two coordinates, with the dashed outline of a box (NaN: none). plots_density.c */
FG_CHECKED fg_code fg_plot_picture(fg_figures *figures, const char *name, const fg_view *view, double box,
                                   const char *box_color, const unsigned char *rgba, fg_status *st);
/* A logarithmic second axis with powers of ten; lines across. plots_lines.c */
void fg_plot_log_y(fg_page *script);
void fg_plot_grid(fg_page *script);

/* Axis of the noising time, from the largest (left) to the smallest (right), so that generation runs
 * from left to right; logarithmic when it spans more than a factor of 9. */
void fg_plot_time_axis(fg_page *script, double least, double most);

#endif

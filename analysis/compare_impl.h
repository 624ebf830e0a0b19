/* State of one comparison of the ODE and SDE laws of a model; private to analysis/. */
#ifndef FG_COMPARE_IMPL_H
#define FG_COMPARE_IMPL_H

#include <stdio.h>

#include "base/saved.h"
#include "flowgap/flowgap.h"

typedef enum fg_pair { FG_ODE_SDE, FG_ODE_TARGET, FG_SDE_TARGET, FG_PAIRS } fg_pair;

/* Why an estimate is not there although it was wanted; empty: it is there. */
typedef char fg_why[256];

enum { FG_LAW_ODE, FG_LAW_SDE, FG_LAW_TARGET, FG_LAWS };

/* Residual of the model over its own SDE paths at one time. */
typedef struct fg_residual_point {
  double t;
  double mean_square, se; /* of R^2 over the particles, with its standard error */
  double relative;        /* root of mean R^2 over mean (sum of |terms of R|)^2 */
} fg_residual_point;

/* One member of the generative family against the ODE on the same grid. */
typedef struct fg_lambda_point {
  double lambda;
  fg_estimate estimate[FG_ESTIMATORS]; /* those of fg_compare_curve_by */
  bool has_residual;
  double residual_mean_square, residual_se; /* of R^2 over this lambda's own paths, mean over time */
  uint64_t lost;
  char failed[160]; /* why a figure is missing (NaN); empty: none is */
} fg_lambda_point;

enum {
  FG_PROFILE_TIMES = 24,
  FG_TRAJECTORIES = 12,
  FG_TRAJECTORY_TIMES = 120,
  FG_KEPT = 20480,
  FG_DRAWN = 1 << 18
};

typedef struct fg_comparison {
  fg_engine *engine;           /* borrowed */
  const fg_settings *settings; /* borrowed */
  const fg_progress *progress; /* borrowed */
  FILE *log;
  fg_saved *saved;   /* borrowed; what is finished, compare_saved.c. NULL: nothing is kept */
  bool going_on;     /* of an earlier run */
  size_t search_run; /* of compare.target_error, from 0 */

  fg_process *process;
  fg_target *target; /* NULL when the settings name none */
  fg_prior *prior;
  fg_model *model;
  fg_grid *sde_grid, *ode_grid; /* ode_grid: NULL for CVODE */
  fg_fixed_settings sde, ode_fixed;
  fg_ode_settings ode;
  bool ode_on_grid;
  double t_start, t_end; /* of the ODE */

  uint64_t seed;
  size_t d, n;
  double *start; /* [n, d] */
  bool same_starts;
  double *sde_start;    /* [n, d], NULL when the SDE starts where the ODE does */
  double *law[FG_LAWS]; /* [rows, d]; NULL for a target that cannot be sampled */
  size_t rows[FG_LAWS]; /* n, or fewer for a target of fewer distinct rows */
  fg_flow_report ode_report, sde_report;

  size_t nodes;
  double *node; /* times at which both flows can keep their states, decreasing */
  size_t kept;  /* particles of which snapshots are kept */
  size_t snapshots;
  double *snapshot_t;                  /* nodes of the SDE grid, decreasing */
  double *snapshot_ode, *snapshot_sde; /* [snapshots, kept, d] */

  size_t traced, trace_times;              /* trajectories from the same starts */
  double *trace_t, *trace_ode, *trace_sde; /* [trace_times, traced, d] */

  bool wanted[FG_ESTIMATORS],
      grid_left_out; /* the latter: by default or by `all`, in other than 2 dimensions */
  fg_estimate_settings estimate_settings[FG_ESTIMATORS];
  fg_estimate estimate[FG_ESTIMATORS][FG_PAIRS];
  bool estimated[FG_ESTIMATORS][FG_PAIRS];
  fg_why missing[FG_ESTIMATORS][FG_PAIRS];
  double box; /* 0: none */
  fg_estimate boxed[FG_ESTIMATORS][FG_PAIRS];
  fg_why boxed_missing[FG_ESTIMATORS][FG_PAIRS];
  size_t outside_box[FG_LAWS];
  fg_estimate *snapshot_estimate; /* [snapshots], Gaussian */
  size_t snapshots_missing;       /* of them without figures (NaN) */
  fg_why snapshot_missing;        /* the first of these */

  bool has_residual;
  size_t residual_points;
  fg_residual_point profile[FG_PROFILE_TIMES];
  size_t profile_times;
  double residual_mean_square, residual_se, residual_centred, residual_relative;
  uint64_t residual_lost;      /* paths that turned non-finite; their last finite state enters */
  uint64_t residual_nonfinite; /* values that are not finite; they do not enter */

  struct fg_gap_certificate *certificate; /* NULL: not wanted; compare_certificate.h */
  struct fg_budget *budget;               /* NULL: not wanted; budget.h */
  const struct fg_search *search;         /* borrowed; NULL: compare.target_error is 0; budget_search.h */
  size_t lambdas;
  fg_lambda_point *curve; /* [lambdas] */

  double seconds;
} fg_comparison;

extern const char *const fg_pair_names[FG_PAIRS];
extern const char *const fg_law_names[FG_LAWS];

/* compare.c, for every run of a model and its flows: process, target, model and prior; grids and solvers; FG_USAGE when
 * the folder holds a training. Clear it in any case. */
FG_CHECKED fg_code fg_compare_models(fg_comparison *c, fg_status *st);
FG_CHECKED fg_code fg_compare_flows(fg_comparison *c, fg_status *st);
FG_CHECKED fg_code fg_compare_folder(const char *run_directory, fg_status *st);
void fg_comparison_clear(fg_comparison *c);

/* compare.c, the stages of a comparison: settings; folder and log; draws, distances and budget; all else and the
 * files; a last line in the log, and clear. */
FG_CHECKED fg_code fg_compare_prepare(fg_comparison *c, const char *run_directory, fg_status *st);
FG_CHECKED fg_code fg_compare_open(fg_comparison *c, const char *run_directory, fg_status *st);
FG_CHECKED fg_code fg_compare_measure(fg_comparison *c, fg_status *st);
FG_CHECKED fg_code fg_compare_finish(fg_comparison *c, const char *run_directory, fg_status *st);
void fg_compare_close(fg_comparison *c, fg_code rc, const fg_status *st);

/* One line with the time since the start, into log.txt. */
void fg_compare_log(fg_comparison *c, const char *format, ...) FG_PRINTF(2, 3);

/* analysis/compare_saved.c: unfinished.bin, what the steps of a comparison leave (docs/run-directory.md). */
typedef enum fg_compare_start {
  FG_COMPARE_ANEW,   /* FG_USAGE where an unfinished one is */
  FG_COMPARE_RESUME, /* FG_USAGE where none is, or one of other settings */
  FG_COMPARE_EITHER  /* goes on where it can, else begins anew */
} fg_compare_start;
FG_CHECKED fg_code fg_compare_saved_open(fg_comparison *c, const char *run_directory, fg_compare_start how,
                                         fg_saved **saved, fg_status *st);
/* Once there is a folder: say whose steps these will be. */
FG_CHECKED fg_code fg_compare_saved_sign(fg_comparison *c, fg_status *st);
/* The file goes where the run has failed and would fail again; else it holds all that is finished. */
FG_CHECKED fg_code fg_compare_saved_close(fg_saved **saved, fg_code rc, fg_status *st);
/* Are the results of this step there? Then they are in place. */
bool fg_compare_take(const fg_comparison *c, const char *step, size_t count, const fg_piece *piece);
/* A failure is a line in the log: the run itself goes on. */
void fg_compare_keep(fg_comparison *c, const char *step, size_t count, const fg_piece *piece);

/* analysis/compare_draw.c: both laws, the target, snapshots, trajectories. */
FG_CHECKED fg_code fg_compare_draw(fg_comparison *c, fg_status *st);
/* analysis/compare_residual.c: the residual over SDE paths at FG_PROFILE_TIMES times. */
FG_CHECKED fg_code fg_compare_residual(fg_comparison *c, fg_status *st);
/* The times of the profile on the SDE's grid, t [FG_PROFILE_TIMES], equal in log; how many there are. */
size_t fg_profile_times(const fg_comparison *c, double *t);
/* analysis/compare_lambda.c: compare.lambdas; the curve over them. */
FG_CHECKED fg_code fg_compare_lambda_settings(fg_comparison *c, fg_status *st);
FG_CHECKED fg_code fg_compare_lambda(fg_comparison *c, fg_status *st);
bool fg_compare_curve_by(const fg_comparison *c, fg_estimator estimator); /* is it used there? */
/* analysis/compare_certificate.c: compare.certificate; identity, Lipschitz constants and bound. */
FG_CHECKED fg_code fg_compare_certificate_settings(fg_comparison *c, fg_status *st);
FG_CHECKED fg_code fg_compare_certificate(fg_comparison *c, fg_status *st);
/* analysis/compare_estimate.c: all pairs, all wanted estimators, with and without the box. */
FG_CHECKED fg_code fg_compare_estimate(fg_comparison *c, fg_status *st);
fg_estimate fg_estimate_nothing(void); /* all figures NaN */
/* analysis/compare_samples.c: samples.h5; analysis/compare_results.c: results.json. */
FG_CHECKED fg_code fg_compare_samples(const fg_comparison *c, const char *run_directory, fg_status *st);
FG_CHECKED fg_code fg_compare_results(const fg_comparison *c, const char *run_directory, fg_status *st);

#endif

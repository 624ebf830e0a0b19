/* compare.target_error: particles, steps and tolerances that bring the error of the model's gap below a target, found by
 * a small run and what is known of how each part of the error falls. docs/budget.md. */
#ifndef FG_BUDGET_SEARCH_H
#define FG_BUDGET_SEARCH_H

#include "analysis/budget.h"

/* What is chosen; the halvings and tenths are beyond what the settings say. */
typedef struct fg_choice {
  size_t particles, budget_particles;
  size_t rows;      /* of each side in the estimator of the budget */
  int halvings;     /* of the SDE's steps */
  int ode_halvings; /* of the ODE's, on a grid */
  int tenths;       /* of the ODE's tolerances */
} fg_choice;

/* Half width of the gap's interval, and the size of the numerical parts: together the error. */
typedef struct fg_attempt {
  fg_choice choice;
  double half_width, numerical, error;
  double predicted; /* error; NaN for the first */
  double seconds;
} fg_attempt;

enum { FG_ATTEMPTS = 5 };

typedef struct fg_search {
  double target, limit;
  size_t attempts;
  fg_attempt attempt[FG_ATTEMPTS];
  bool reached;
  char why[200]; /* not reached: what stopped it */
} fg_search;

/* `asked`: engine, settings, progress, and what is saved of an earlier run. */
FG_CHECKED fg_code fg_compare_search(const fg_comparison *asked, const char *run_directory, fg_status *st);

/* budget_predict.c */

/* How the figures of a measured comparison are thought to change with the choice. */
typedef struct fg_forecast {
  fg_choice at; /* as measured */
  double gap_squared;
  double sample_noise, sample_bias, bias_rate; /* reach of the sample: noise ~ rows^-1/2, bias ~ rows^-rate */
  double step, step_noise, step_left, step_order, strong_order;
  double tolerance, tolerance_noise, tolerance_left, ode_order;
  double prior_noise;
  double sde_seconds, ode_seconds, budget_seconds;
  double fixed_seconds, grid_seconds, row_seconds, pair_seconds; /* of estimators, by how their time grows */
  double sde_work, ode_work;                                     /* right-hand sides of a particle */
  bool all_pairs; /* the estimator takes longer than its rows are more */
} fg_forecast;

void fg_forecast_make(const fg_comparison *c, const fg_choice *at, fg_forecast *f);
double fg_forecast_error(const fg_forecast *f, const fg_choice *to, double *numerical);
double fg_forecast_seconds(const fg_forecast *f, const fg_choice *to);

/* Most of each that there may be. */
typedef struct fg_choice_limits {
  size_t particles, rows; /* rows 0: the estimator takes all particles */
  int halvings, ode_halvings, tenths;
} fg_choice_limits;

/* The choice of least work whose error is below `target` within `seconds`; where there is none, that of the least
 * error. */
fg_choice fg_forecast_choose(const fg_forecast *f, const fg_choice_limits *most, double target,
                             double seconds, double *predicted);

/* budget_results.c */
void fg_put_search(fg_tree root, const fg_search *search);
void fg_warn_search(fg_tree root, json_t *warnings, const fg_search *search);

#endif

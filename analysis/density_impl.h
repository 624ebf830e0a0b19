/* State of one run of `flowgap density`; private to analysis/. */
#ifndef FG_DENSITY_IMPL_H
#define FG_DENSITY_IMPL_H

#include <stdio.h>

#include "flowgap/flowgap.h"

/* Both densities on one grid, and what separates them. */
typedef struct fg_density_laws {
  fg_law_grid grid;
  double *sde, *ode; /* [cells^d] */
  fg_law_report sde_report, ode_report;
  double ode_mass;                  /* of the average over the nodes of each cell */
  fg_law_distance distance;         /* first SDE, second ODE */
  fg_w2 w2;                         /* d = 2: between blocks of cells, w2_cells per axis */
  size_t w2_cells;                  /* 0 for d = 1 */
  double w2_value, w2_low, w2_high; /* low and high: proven for densities constant in each cell */
} fg_density_laws;

typedef struct fg_density {
  fg_engine *engine;           /* borrowed */
  const fg_settings *settings; /* borrowed */
  const fg_progress *progress; /* borrowed */
  FILE *log;
  fg_process *process;
  fg_target *target; /* NULL when the settings name none */
  fg_prior *prior;
  fg_model *model;
  uint64_t seed;
  size_t d, ode_nodes, w2_cells;
  bool check;
  double width_asked;  /* what would hold the SDE's paths; NaN: half_width was given, or it does hold them */
  double width_missed; /* share of the simulated paths outside the box; NaN: half_width was given */
  double lambda, t_end;
  fg_law_settings law;
  fg_density_laws full, half; /* half: only with `check` */
  double began, seconds;
} fg_density;

/* analysis/density_settings.c: all but the laws, from the settings. */
FG_CHECKED fg_code fg_density_read(fg_density *density, fg_status *st);
/* analysis/density_w2.c: W2 of sde and ode with its bounds; at most so many blocks per axis. */
FG_CHECKED fg_code fg_density_w2(fg_density_laws *laws, size_t blocks, fg_engine *engine,
                                 const fg_progress *progress, fg_status *st);
/* analysis/density_results.c: densities.h5 and results.json. */
FG_CHECKED fg_code fg_density_save(const fg_density *density, const char *run_directory, fg_status *st);
FG_CHECKED fg_code fg_density_results(const fg_density *density, const char *run_directory, fg_status *st);

#endif

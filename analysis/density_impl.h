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
  double ode_mass;          /* of the average over the nodes of each cell */
  fg_law_distance distance; /* first SDE, second ODE */
  fg_w2 w2;
  size_t w2_cells; /* blocks per axis of W2 */
  double w2_bound; /* |W2 - W2 of the blocks| is at most this */
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
  double lambda, t_end;
  fg_law_settings law;
  fg_density_laws full, half; /* half: only with `check` */
  double began, seconds;
} fg_density;

/* analysis/density_settings.c: all but the laws, from the settings. */
FG_CHECKED fg_code fg_density_read(fg_density *density, fg_status *st);
/* analysis/density_results.c: densities.h5 and results.json. */
FG_CHECKED fg_code fg_density_save(const fg_density *density, const char *run_directory, fg_status *st);
FG_CHECKED fg_code fg_density_results(const fg_density *density, const char *run_directory, fg_status *st);

#endif

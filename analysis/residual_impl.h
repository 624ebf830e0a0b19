/* State of one run of `flowgap residual`; private to analysis/. */
#ifndef FG_RESIDUAL_RUN_H
#define FG_RESIDUAL_RUN_H

#include "compare_impl.h"

typedef enum fg_measure {
  FG_MEASURE_BOX,
  FG_MEASURE_DATA,
  FG_MEASURE_SDE,
  FG_MEASURE_ODE,
  FG_MEASURES
} fg_measure;
extern const char *const fg_measure_names[FG_MEASURES];

enum {
  FG_RESIDUAL_GROUP = 32,
  FG_RESIDUAL_TIMES_MAX = 1000,
  FG_MAPS_MAX = 24,
  FG_MAP_CELLS = 96,
  FG_CURVE_CELLS = 401
};

/* A point (t, x) that is named. */
typedef struct fg_place {
  double value, t, *x; /* x NULL: none */
} fg_place;

typedef struct fg_measured {
  bool wanted, done;
  fg_residual_norms all;
  fg_place largest, lost[FG_RESIDUAL_NAMED];
  size_t times;
  double *t; /* [times], decreasing */
  fg_residual_norms *profile;
  uint64_t lost_paths; /* their last finite state enters */
  double mean_square_time,
      mean_time; /* paths: how these change when every other time is left out; else NaN */
  double seconds;
} fg_measured;

typedef struct fg_residual_state {
  fg_comparison c;
  fg_residual_form form;
  fg_residual_settings how;
  size_t points, times;
  double low, high; /* noising times */
  double box;
  fg_measured measured[FG_MEASURES];
  size_t maps, cells;              /* cells per axis */
  double map_t[FG_MAPS_MAX], *map; /* [maps, cells] or [maps, cells, cells]: x2 before x1 */
  uint64_t map_lost;
} fg_residual_state;

/* analysis/residual_measure.c */
FG_CHECKED fg_code fg_measure_run(fg_residual_state *s, fg_measure measure, fg_status *st);
FG_CHECKED fg_code fg_residual_width(fg_residual_state *s, fg_status *st);
FG_CHECKED fg_code fg_residual_maps(fg_residual_state *s, fg_status *st);
/* analysis/residual_results.c: results.json, maps.h5 */
FG_CHECKED fg_code fg_residual_results(const fg_residual_state *s, const char *run_directory, fg_status *st);
FG_CHECKED fg_code fg_residual_save_maps(const fg_residual_state *s, const char *run_directory,
                                         fg_status *st);

#endif

/* densities.h5 as it is drawn. density.c */
#ifndef FG_REPORT_PICTURE_H
#define FG_REPORT_PICTURE_H

#include "analysis/report/figures.h"
#include "analysis/report/maps.h"

/* The middle of the box that holds both laws, in blocks of cells where there are many. */
typedef struct fg_picture {
  int d;
  size_t n;
  double *x, *sde, *ode; /* densities.h5; densities [ix, iy] */
  fg_view view;
  fg_map map[2]; /* ODE, SDE; masses, [iy, ix] */
  fg_map_gap gap;
} fg_picture;

/* Clear it in any case. */
FG_CHECKED fg_code fg_picture_read(const char *run_directory, fg_picture *picture, fg_status *st);
void fg_picture_clear(fg_picture *picture);
/* What the reader is told who points at the map of `map`; NULL: of the difference of its neighbours. */
FG_CHECKED fg_code fg_picture_tell(fg_figures *figures, const fg_view *view, const char *label,
                                   const fg_map *map, fg_status *st);

#endif

/* How wide a grid must be to hold some laws. */
#ifndef FG_GRID_WIDTH_H
#define FG_GRID_WIDTH_H

#include "flowgap/analysis.h"

/* A half width that holds `share` (0.999) of each law, x[k] [n[k], d] (NULL: absent), with a tenth to spare, rounded up
 * to two digits. Rows are looked at evenly, at most 20,000 of each law: a few runaway particles do not
 * blow the grid up; they are counted as outside instead. */
FG_CHECKED fg_code fg_grid_width(double share, size_t laws, const double *const *x, const size_t *n, size_t d,
                                 double *half_width, fg_status *st);

#endif

/* W2 between two laws on one regular grid whose densities are constant in each cell. */
#ifndef FG_ANALYSIS_GRID_LAWS_H
#define FG_ANALYSIS_GRID_LAWS_H

#include "flowgap/flowgap.h"

/* d = 1, by the quantile functions, exact. p, q [n] on cells of this width, no less than 0; each is normalised. */
FG_CHECKED fg_code fg_grid_laws_line(size_t n, double width, const double *p, const double *q,
                                     double *squared, fg_status *st);

/* d = 1: W2. d = 2: a lower bound of it, from the marginals on both axes, whose squared distances add up to at most W2^2.
 * (Moving masses between the cells' centres would overstate a W2 below the width of a cell several times.) */
FG_CHECKED fg_code fg_grid_laws_w2(const fg_law_grid *grid, const double *p, const double *q, double *least,
                                   fg_status *st);

#endif

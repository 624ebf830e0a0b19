/* W2 between two laws on one regular grid whose densities are constant in each cell. */
#ifndef FG_ANALYSIS_GRID_LAWS_H
#define FG_ANALYSIS_GRID_LAWS_H

#include "flowgap/flowgap.h"

/* d = 1, by the quantile functions, exact. p, q [n] on cells of this width, no less than 0; each is normalised. */
FG_CHECKED fg_code fg_grid_laws_line(size_t n, double width, const double *p, const double *q,
                                     double *squared, fg_status *st);

/* d = 1: *low = *high = W2. d = 2: W2 lies between them. low: W2 of the marginals in both axes, whose squares add up to
 * at most W2^2. high: W2 of the masses moved to the centres of blocks of cells (at most `blocks` per axis), plus nothing
 * where a block is a cell, since spreading both laws over their cells the same way brings them no further apart, else
 * plus the diagonal of a block. */
FG_CHECKED fg_code fg_grid_laws_w2(const fg_law_grid *grid, const double *p, const double *q, size_t blocks,
                                   double *low, double *high, fg_status *st);

#endif

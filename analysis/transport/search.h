/* All pairs of two samples against duals, without a matrix: which have the least reduced cost c_ij - u_i - v_j, and
 * which violate u_i + v_j <= c_ij. Both samples lie in kd-trees whose nodes know the largest dual below them; leaves meet
 * leaves, 32 x 32 pairs at a time; where an engine prices (engine.h, price_pairs) it is asked instead, up to FG_PRICE_MOST
 * pairs a row. Answers do not depend on the number of threads; of pairs with one reduced cost the two ways may name
 * different ones. */
#ifndef FG_ANALYSIS_SEARCH_H
#define FG_ANALYSIS_SEARCH_H

#include "analysis/transport/network.h"
#include "engine.h"

/* Costs are round(scale min(|x_i - y_j|^2, cap)), whole numbers up to 2^48. Coordinates as fg_pair_create scales them. */
typedef struct fg_search_cost {
  double cap, scale;
} fg_search_cost;

typedef struct fg_search fg_search;

enum { FG_SEARCH_MOST = 256 }; /* pairs per row that may be asked for */

/* Borrows the cells of both sides until destroyed; engine NULL: by trees; threads NULL: the caller's own. */
FG_CHECKED fg_code fg_search_create(fg_engine *engine, fg_threads *threads, const fg_cells *x,
                                    const fg_cells *y, size_t d, fg_search_cost cost, fg_search **search,
                                    fg_status *st);
void fg_search_destroy(fg_search **search);

int64_t fg_search_cost_of(const fg_search *search, size_t i, size_t j);

/* Rows that lie near each other, together: a good order to number or visit them in. Borrowed. */
const uint32_t *fg_search_order_x(const fg_search *search);
const uint32_t *fg_search_order_y(const fg_search *search);

/* Reduced costs are compared exactly while |u|, |v| < 2^52 (rounded to doubles beyond). Pairs come by rows 0 .. n - 1,
 * then by columns 0 .. m - 1, the least reduced cost first in each; some may be there twice. FG_INTERRUPTED when
 * progress says so. */

/* arcs [at most (n + m) k]: the k pairs of least reduced cost of every row, and of every column. */
FG_CHECKED fg_code fg_search_nearest(fg_search *search, const int64_t *u, const int64_t *v, size_t k,
                                     fg_arc *arcs, size_t *count, const fg_progress *progress, fg_status *st);

/* Up to per_row pairs of every row with c_ij - u_i - v_j < -tolerance, the worst first, and up to per_row of every
 * column; *worst: the largest violation over all pairs (0: none, the duals are feasible), whatever the tolerance. With
 * per_row = 0 only that. */
FG_CHECKED fg_code fg_search_violators(fg_search *search, const int64_t *u, const int64_t *v,
                                       int64_t tolerance, size_t per_row,
                                       fg_arc *arcs /* [(n + m) per_row] */, size_t *count, int64_t *worst,
                                       const fg_progress *progress, fg_status *st);

/* v_j = min_i c_ij - u_i, the largest that violates no pair. */
FG_CHECKED fg_code fg_search_transform(fg_search *search, const int64_t *u, int64_t *v,
                                       const fg_progress *progress, fg_status *st);

/* The certificate, in doubles from the points themselves: v_j = min_i |x_i - y_j|^2 - u_i, u in units of |x - y|^2. */
FG_CHECKED fg_code fg_search_certify(fg_search *search, const double *u, double *v,
                                     const fg_progress *progress, fg_status *st);

#endif

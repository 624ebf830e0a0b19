/* What the transport files share: checked and scaled points, integer masses, the pricing solver. */
#ifndef FG_ANALYSIS_TRANSPORT_IMPL_H
#define FG_ANALYSIS_TRANSPORT_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "flowgap/analysis.h"

/* Two samples ready for transport: rows of weight 0 left out, coordinates multiplied by 2^-exponent so
 * that no two differ by more than 2 (extreme ones neither overflow nor vanish when squared), weights as
 * integers with one total. */
typedef struct fg_pair {
  size_t n, m, d;
  double *x, *y;             /* [n, d], [m, d] */
  int64_t *mass_x, *mass_y;  /* > 0, both sum to `total` */
  double *share_x, *share_y; /* weights that sum to 1, as doubles */
  int64_t total;
  int exponent;
  int identical; /* all points coincide */
} fg_pair;

/* Refuses what fg_rows_check refuses and empty samples. */
FG_CHECKED fg_code fg_pair_create(size_t n, size_t m, size_t d, const double *x, const double *wx,
                                  const double *y, const double *wy, fg_pair *pair, fg_status *st);
void fg_pair_clear(fg_pair *pair);
/* Coordinates relative to the first row of x: sums of those far from 0 would lose the digits that tell them apart. */
void fg_pair_move(fg_pair *pair);

/* Integers proportional to p [n] and q [m], each summing to *total. Exact where both hold whole numbers
 * (counts) or are constant and the common total stays below 2^60; else the total is 2^60, each share is off
 * by at most 2^-61, and what is left over goes to the largest. p and q are >= 0 with positive sums. */
void fg_masses(size_t n, const double *p, size_t m, const double *q, int64_t *mass_p, int64_t *mass_q,
               int64_t *total);

/* amount goes from row `from` of x to row `to` of y */
typedef struct fg_shipment {
  uint32_t from, to;
  int64_t amount;
} fg_shipment;

/* Points with masses, laid out for the pricing: rows [n, d] and columns [d, n]. */
typedef struct fg_cells {
  size_t n;
  double *rows, *columns;
  int64_t *mass;
} fg_cells;
FG_CHECKED fg_code fg_cells_create(size_t n, size_t d, const double *x, const int64_t *mass, fg_cells *cells,
                                   fg_status *st);
/* Order x [n, d] by halving until no more than `size` points are left; the left part is a multiple of `size`, so that
 * groups of consecutive points never cross a cut. order [n]: the rows that count. */
void fg_kd_order(const double *x, size_t d, uint32_t *order, size_t n, size_t size);
enum { FG_CELL = 4 };
/* Cells in that order, of size FG_CELL: neighbours have near numbers. Rows that coincide become one. */
FG_CHECKED fg_code fg_cells_sorted(size_t n, size_t d, const double *x, const int64_t *mass, fg_cells *cells,
                                   fg_status *st);
/* Groups of `size` (FG_CELL or 1) consecutive points of sorted cells: centre of mass, sum of masses; sorted too. */
FG_CHECKED fg_code fg_cells_coarsen(const fg_cells *fine, size_t d, size_t size, fg_cells *coarse,
                                    fg_status *st);
void fg_cells_clear(fg_cells *cells);

/* What plan [2 (n + m), *count set] leaves on both sides is shipped too, near enough to bound the cost from above. */
FG_CHECKED fg_code fg_plan_complete(const fg_cells *x, const fg_cells *y, size_t d, fg_shipment *plan,
                                    size_t *count, fg_status *st);

/* In both of these `engine` prices pairs where it says that it does (engine.h, price_pairs); NULL: trees do. */

/* Bounds of W2^2 in scaled units, and the longest move (squared) of the last plan. */
typedef struct fg_bracket {
  double primal, dual, longest;
} fg_bracket;
/* Optimal plan for the cost min(|x - y|^2, cap), rounded to whole multiples of 2^-48 cap: lowers found->primal to the
 * plan's true cost and raises found->dual to the certified bound of W2^2, also where it ends with FG_INTERRUPTED. */
FG_CHECKED fg_code fg_pricing_solve(fg_engine *engine, fg_threads *threads, const fg_pair *pair, double cap,
                                    const fg_progress *progress, fg_bracket *found, fg_status *st);

/* For the cost |x - y|^2 rounded to whole multiples of 2^-shift, optimal in whole numbers: plan [n + m], of which *shipments
 * are set, and duals u [n], v [m] in units of 2^-shift. x and y are sorted. */
FG_CHECKED fg_code fg_pricing_whole(fg_engine *engine, fg_threads *threads, const fg_cells *x,
                                    const fg_cells *y, size_t d, int shift, const fg_progress *progress,
                                    fg_shipment *plan, size_t *shipments, int64_t *u, int64_t *v,
                                    fg_status *st);

/* Fill squared, value, primal and dual from scaled ones; FG_NUMERICS when they do not fit a double or when
 * primal - dual > 1e-9 primal. */
FG_CHECKED fg_code fg_w2_finish(double primal, double dual, int exponent, fg_w2 *result, fg_status *st);

/* Bin ix bins + iy of a point (x, y), SIZE_MAX outside the grid. */
size_t fg_grid_bin(const fg_w2_grid_settings *grid, const double *x);

/* Refuses what is not finite (naming the row), negative weights and weights without a sum. */
FG_CHECKED fg_code fg_rows_check(const char *name, size_t n, size_t d, const double *x, const double *w,
                                 fg_status *st);

/* The epsilon that NaN stands for (distance.h), with the default share: so that replicates share it. */
FG_CHECKED fg_code fg_sinkhorn_epsilon(fg_cost cost, size_t n, size_t m, size_t d, const double *x,
                                       const double *wx, const double *y, const double *wy, double *epsilon,
                                       fg_status *st);

#endif

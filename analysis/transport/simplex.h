/* Minimum-cost flow with integer supplies and costs: LEMON's network simplex behind a C interface.
 *
 * Integers, because then the pivots never cycle and the potentials carry no rounding. A solve takes about
 * 100 bytes per arc and cannot be interrupted. */
#ifndef FG_ANALYSIS_SIMPLEX_H
#define FG_ANALYSIS_SIMPLEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowgap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* More arcs than this are refused: LEMON numbers arcs by int, and 2^26 of them take 6 GB. */
#define FG_SIMPLEX_ARCS ((size_t)1 << 26)

/* Arc a goes from[a] -> to[a], carries any amount, and arcs are sorted by from[a]. Path sums of cost must
 * stay below 2^61.
 *   supply [nodes]     sums to 0, positive part below 2^61
 *   mixed              order in which arcs are looked at: false keeps the order given
 *   flow [arcs]        optimal
 *   potential [nodes]  cost_a + potential[from] - potential[to] >= 0, and = 0 where flow > 0
 * Fails with FG_USAGE (too many arcs), FG_NUMERICS (no flow meets the supplies), FG_MEMORY. */
FG_CHECKED fg_code fg_simplex_network(size_t nodes, size_t arcs, const uint32_t *from, const uint32_t *to,
                                      const int64_t *cost, const int64_t *supply, bool mixed, int64_t *flow,
                                      int64_t *potential, fg_status *st);

#ifdef __cplusplus
}
#endif
#endif

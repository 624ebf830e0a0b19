/* Network simplex for transport between two samples, over a list of candidate pairs that grows: the basis is kept from
 * one solve to the next, so that a solve after a few new pairs takes few pivots.
 *
 * Only tree arcs and the candidate list are stored: memory O(n + m + candidates). Masses, costs and duals are whole
 * numbers, so pivots are exact; the leaving rule keeps the basis strongly feasible, so they never cycle. */
#ifndef FG_ANALYSIS_NETWORK_H
#define FG_ANALYSIS_NETWORK_H

#include "analysis/transport/transport.h"

typedef struct fg_network fg_network;

/* A pair of row i of x and row j of y, and its cost. */
typedef struct fg_arc {
  uint32_t i, j;
  int64_t cost;
} fg_arc;

/* mass_x [n] and mass_y [m] are positive with one sum; borrowed until destroyed. */
FG_CHECKED fg_code fg_network_create(size_t n, size_t m, const int64_t *mass_x, const int64_t *mass_y,
                                     fg_network **network, fg_status *st);
void fg_network_destroy(fg_network **network);

/* Before the first solve: duals to start from (u [n], v [m], such as those of a coarser problem); the first basis is a
 * greedy forest of candidates of least reduced cost, completed by artificial arcs. */
FG_CHECKED fg_code fg_network_start(fg_network *network, const int64_t *u, const int64_t *v, fg_status *st);

/* More candidates; a pair that is there already does no harm. */
FG_CHECKED fg_code fg_network_add(fg_network *network, size_t count, const fg_arc *arcs, fg_status *st);
/* Forget candidates outside the basis whose reduced cost exceeds `above`. */
void fg_network_prune(fg_network *network, int64_t above);

/* Optimal over the candidates. *artificial: mass still on artificial arcs (0 once candidates connect the sides well
 * enough; duals mean nothing before). FG_INTERRUPTED when progress says so. */
FG_CHECKED fg_code fg_network_solve(fg_network *network, const fg_progress *progress, int64_t *artificial,
                                    fg_status *st);

/* u_i + v_j <= cost for every candidate, = on the basis. Borrowed until the next call. */
const int64_t *fg_network_u(const fg_network *network);
const int64_t *fg_network_v(const fg_network *network);
/* The shipments that are not 0, at most n + m - 1. */
size_t fg_network_plan(const fg_network *network, fg_shipment *plan);

#endif

/* Network simplex for transport between two samples, over a list of candidate pairs that grows: the basis is kept from
 * one solve to the next, so that a solve after a few new pairs takes few pivots.
 *
 * Only tree arcs and the candidate list are stored: memory O(n + m + candidates). Masses, costs and duals are whole
 * numbers, so pivots are exact; the leaving rule keeps the basis strongly feasible, so they never cycle. */
#ifndef FG_ANALYSIS_NETWORK_H
#define FG_ANALYSIS_NETWORK_H

#include "analysis/transport/transport.h"

typedef struct fg_basis fg_basis;

/* A pair of row i of x and row j of y, and its cost. */
typedef struct fg_arc {
  uint32_t i, j;
  int64_t cost;
} fg_arc;

/* mass_x [n] and mass_y [m] are positive with one sum; borrowed until destroyed. */
FG_CHECKED fg_code fg_basis_create(size_t n, size_t m, const int64_t *mass_x, const int64_t *mass_y,
                                   fg_basis **network, fg_status *st);
void fg_basis_destroy(fg_basis **network);

/* Needed before the first solve, after the first candidates: duals to start from (u [n], v [m], such as those of a
 * coarser problem, near u_i + v_j <= cost). The first basis is a greedy forest of candidates of least reduced cost,
 * completed by artificial arcs that cost u_i + penalty and v_j + penalty. */
FG_CHECKED fg_code fg_basis_start(fg_basis *network, const int64_t *u, const int64_t *v, fg_status *st);

/* More candidates; a pair that is there already does no harm (costs of one pair must agree). */
FG_CHECKED fg_code fg_basis_add(fg_basis *network, size_t count, const fg_arc *arcs, fg_status *st);
/* Forget candidates outside the basis whose reduced cost exceeds `above`. */
void fg_basis_prune(fg_basis *network, int64_t above);

/* Optimal over the candidates at the present penalty. *artificial: mass still on artificial arcs (0 once candidates
 * connect the sides and the penalty is large enough; duals mean little before). FG_INTERRUPTED when progress says so:
 * the plan and *artificial are then those of the last pivot, and the next solve goes on from there. */
FG_CHECKED fg_code fg_basis_solve(fg_basis *network, const fg_progress *progress, int64_t *artificial,
                                  fg_status *st);
/* Artificial arcs four times as dear; false: they were dearer than any detour, the candidates admit no plan. */
bool fg_basis_penalise(fg_basis *network);
size_t fg_basis_pivots(const fg_basis *network);

/* u_i + v_j <= cost for every candidate after a solve, = on the basis. Borrowed until the next call. */
const int64_t *fg_basis_u(fg_basis *network);
const int64_t *fg_basis_v(fg_basis *network);
/* The shipments that are not 0, at most n + m - 1. */
size_t fg_basis_plan(const fg_basis *network, fg_shipment *plan);

#endif

/* What the files of the search share: one sample in kd-tree order, and the arithmetic on a panel of it. */
#ifndef FG_ANALYSIS_SEARCH_PANEL_H
#define FG_ANALYSIS_SEARCH_PANEL_H

#include "analysis/transport/search.h"
#include "formula/price.h"

/* Points per leaf of a tree; questions are asked by leaves as well. */
enum { FG_PANEL = 32, FG_QUARTET = 4 };

/* Leaves [first, first + leaves) of one side: the left part is the next node, the right part is node `right`. */
typedef struct fg_side_node {
  uint32_t first, leaves, right;
} fg_side_node;

/* One sample in kd-tree order, cut into panels. Places beyond the last point hold 0 and a dual of -infinity. */
typedef struct fg_side {
  size_t n, d, leaves, nodes;
  uint32_t *order; /* [n]: place in the tree -> row */
  fg_side_node *node;
  uint32_t *leaf;       /* [leaves]: its node */
  double *low, *high;   /* [nodes, d] */
  double *panel;        /* [leaves, d, FG_PANEL] */
  double *dual, *above; /* [leaves, FG_PANEL]; [nodes]: the largest below it */
  /* in single precision, about a centre, for many dimensions; NULL: not used */
  float *single; /* [leaves, d, FG_PANEL] */
  double *norm;  /* [leaves, FG_PANEL]: |y|^2 about the centre */
  float *start;  /* [leaves, FG_PANEL]: |y|^2 - (dual - shift) / scale */
  double *size;  /* [leaves, 2]: the largest |y| and |dual - shift| / scale */
  double shift;
  /* where an engine prices: the same rows in the same order, and their duals */
  fg_buf rows, duals; /* [n, d], [n] */
} fg_side;

FG_CHECKED fg_code fg_side_create(const fg_cells *cells, size_t d,
                                  const double *centre /* NULL: no singles */, fg_side *side, fg_status *st);
void fg_side_clear(fg_side *side);
/* One of them is given; by row. */
void fg_side_set_duals(fg_side *side, const int64_t *whole, const double *real, double scale);

/* Where the point at this place of the tree lies: panel + this, then FG_PANEL between coordinates. */
static inline size_t fg_side_offset(const fg_side *side, size_t place)
{
  return place / FG_PANEL * side->d * FG_PANEL + place % FG_PANEL;
}

/* For one instruction set; the operations of formula/price.h. */
typedef struct fg_search_kernels {
  /* bound[q] = cost of the gap between question q and the box, less dual */
  void (*bounds)(size_t d, const double *questions /* [d, FG_PANEL] */, const double *low, const double *high,
                 const fg_cost_rule *rule, double dual, double *bound);
  /* key[j] = cost - dual[j] of a point (coordinates FG_PANEL apart) against a panel; bit j: it is below `limit` */
  uint64_t (*keys)(size_t d, const double *x, const double *panel, const double *dual,
                   const fg_cost_rule *rule, double limit, double *key);
  /* bit q: for some j, start[j] + sum_k x[k, q] panel[k, j] < limit[q], in single precision */
  unsigned (*filter)(size_t d, const float *x /* [d, FG_QUARTET] */, const float *panel, const float *start,
                     const float *limit);
} fg_search_kernels;

/* Those that this processor has, the widest first; NULL beyond. */
const fg_search_kernels *fg_search_kernels_pick(size_t which);

/* ---- by an engine (search_engine.c) -------------------------------------------------------------- */

FG_CHECKED fg_code fg_side_upload(fg_engine *engine, fg_side *side, fg_status *st);
void fg_side_release(fg_engine *engine, fg_side *side);
FG_CHECKED fg_code fg_side_send_duals(fg_engine *engine, const fg_side *side, fg_status *st);

/* For every point of `from` up to k <= FG_PRICE_MOST of `against` with the least cost - dual, and where `bounded` only those
 * below its own dual; of equal ones the first in the order of `against`. By place: key [n, k] ascending or NULL, who [n, k] or NULL, filled [n] of it. */
FG_CHECKED fg_code fg_side_price(fg_engine *engine, fg_threads *threads, const fg_cost_rule *rule,
                                 const fg_side *from, const fg_side *against, size_t k, bool bounded,
                                 double *key, uint32_t *who, uint32_t *filled, const fg_progress *progress,
                                 fg_status *st);

#endif

/* The spanning tree of the network simplex: rows, columns and a root that artificial arcs join to both.
 *
 * Every arc leads from a row to a column, from a row to the root, or from the root to a column, so in the tree the arc of a
 * row leads up and that of a column down. Potentials (u of a row, -v of a column, 0 of the root) leave reduced costs
 * c - pi_i + pi_j that are 0 on the tree. A tree is strongly feasible when its arcs without flow lead up (they belong
 * to rows); the last blocking arc of the cycle leaves, which keeps it so, and pivots never cycle (Cunningham 1976).
 *
 * A pivot moves the potentials of a subtree, and subtrees are large: node by node that was three quarters of all time (n =
 * 100,000 with weights). So nodes are grouped into connected parts, each with a shift of its own that is added to the
 * potentials of its nodes, and a pivot moves whole parts; where it cuts an arc inside a part, that part is split. */
#ifndef FG_ANALYSIS_TREE_H
#define FG_ANALYSIS_TREE_H

#include "analysis/transport/transport.h"

#define FG_NONE UINT32_MAX

typedef struct fg_branch {
  int64_t flow; /* on the arc to the parent */
  uint32_t parent, size /* nodes of the subtree */;
} fg_branch;

typedef struct fg_links {
  uint32_t child, next;
} fg_links;

typedef struct fg_part {
  uint32_t parent, child, next, previous;
} fg_part;

typedef struct fg_tree {
  size_t n, nodes;    /* rows; rows and columns. The root is node `nodes`. */
  int64_t *pi;        /* [nodes + 1], without the shift of the part */
  uint32_t *part;     /* [nodes + 1] */
  fg_branch *branch;  /* [nodes + 1] */
  fg_links *links;    /* [nodes + 1] */
  uint32_t *previous; /* [nodes + 1] */
  uint32_t *stack;    /* [nodes + 1] */
  int64_t *shift;     /* [room] */
  fg_part *parts;     /* [room] */
  size_t part_count, room;
  uint64_t reach; /* no potential is larger */
} fg_tree;

FG_CHECKED fg_code fg_tree_create(size_t n, size_t m, fg_tree *tree, fg_status *st);
void fg_tree_clear(fg_tree *tree);

static inline int64_t fg_tree_potential(const fg_tree *tree, size_t k)
{
  return tree->pi[k] + tree->shift[tree->part[k]];
}

/* No arcs. Then potentials, sizes and flows are set, every node is attached, and the tree settles. */
void fg_tree_bare(fg_tree *tree);
void fg_tree_attach(fg_tree *tree, uint32_t k, uint32_t parent);
/* Potentials relative to the root's, in new parts. */
void fg_tree_settle(fg_tree *tree);

/* Row i and column j (a node) are joined by an arc of this reduced cost < 0; another one leaves. FG_NUMERICS: potentials
 * have grown beyond what a pivot can add up. */
FG_CHECKED fg_code fg_tree_pivot(fg_tree *tree, uint32_t i, uint32_t j, int64_t reduced, fg_status *st);

/* Artificial arcs dearer by so much. */
void fg_tree_penalise(fg_tree *tree, int64_t by);
/* Mass on them. */
int64_t fg_tree_artificial(const fg_tree *tree);

#endif

/* Pivots of the network simplex (tree.h). */
#include "analysis/transport/tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Potentials beyond this could overflow in the next pivot. */
#define FG_PI_LIMIT ((uint64_t)1 << 61)

/* A split visits up to a part, a pivot the parts of a subtree: with parts of about the root of the nodes both stay
 * short. Splits leave fragments, which are merged where all parts are made anew. */
enum { FG_PART_LEAST = 32, FG_SPLITS_LEAST = 64, FG_SPLIT_SHARE = 200 };

fg_code fg_tree_create(size_t n, size_t m, fg_tree *tree, fg_status *st)
{
  size_t nodes = n + m, count = nodes + 1;
  memset(tree, 0, sizeof *tree);
  tree->n = n;
  tree->nodes = nodes;
  /* Every part but one holds FG_PART_LEAST nodes when made. */
  tree->room = count / FG_PART_LEAST + 1 + FG_SPLITS_LEAST + count / FG_SPLIT_SHARE;
  tree->pi = calloc(count, sizeof *tree->pi);
  tree->part = calloc(count, sizeof *tree->part);
  tree->branch = calloc(count, sizeof *tree->branch);
  tree->links = malloc(count * sizeof *tree->links);
  tree->previous = malloc(count * sizeof *tree->previous);
  tree->stack = malloc(count * sizeof *tree->stack);
  tree->shift = calloc(tree->room, sizeof *tree->shift);
  tree->parts = malloc(tree->room * sizeof *tree->parts);
  if (tree->pi && tree->part && tree->branch && tree->links && tree->previous && tree->stack && tree->shift &&
      tree->parts)
    return FG_OK;
  fg_tree_clear(tree);
  return FG_FAIL(st, FG_MEMORY, "no memory for a transport network of %zu and %zu nodes", n, m);
}

void fg_tree_clear(fg_tree *tree)
{
  free(tree->pi);
  free(tree->part);
  free(tree->branch);
  free(tree->links);
  free(tree->previous);
  free(tree->stack);
  free(tree->shift);
  free(tree->parts);
  memset(tree, 0, sizeof *tree);
}

/* ---- links --------------------------------------------------------------------------- */

void fg_tree_bare(fg_tree *tree)
{
  memset(tree->links, 0xff, (tree->nodes + 1) * sizeof *tree->links);
  for (size_t k = 0; k <= tree->nodes; k++) {
    tree->branch[k] = (fg_branch){0, FG_NONE, 1};
    tree->part[k] = 0;
  }
  tree->shift[0] = 0;
  tree->pi[tree->nodes] = 0;
}

void fg_tree_attach(fg_tree *tree, uint32_t k, uint32_t parent)
{
  uint32_t first = tree->links[parent].child;
  tree->branch[k].parent = parent;
  tree->previous[k] = FG_NONE;
  tree->links[k].next = first;
  if (first != FG_NONE) tree->previous[first] = k;
  tree->links[parent].child = k;
}

static void fg_tree_detach(fg_tree *tree, uint32_t k)
{
  uint32_t next = tree->links[k].next, previous = tree->previous[k];
  if (previous != FG_NONE)
    tree->links[previous].next = next;
  else
    tree->links[tree->branch[k].parent].child = next;
  if (next != FG_NONE) tree->previous[next] = previous;
}

static void fg_part_attach(fg_tree *tree, uint32_t p, uint32_t parent)
{
  fg_part *parts = tree->parts;
  uint32_t first = parts[parent].child;
  parts[p].parent = parent;
  parts[p].previous = FG_NONE;
  parts[p].next = first;
  if (first != FG_NONE) parts[first].previous = p;
  parts[parent].child = p;
}

static void fg_part_detach(fg_tree *tree, uint32_t p)
{
  fg_part *parts = tree->parts;
  uint32_t next = parts[p].next, previous = parts[p].previous;
  if (previous != FG_NONE)
    parts[previous].next = next;
  else
    parts[parts[p].parent].child = next;
  if (next != FG_NONE) parts[next].previous = previous;
}

static uint32_t fg_part_new(fg_tree *tree, int64_t shift)
{
  uint32_t p = (uint32_t)tree->part_count++;
  tree->parts[p] = (fg_part){FG_NONE, FG_NONE, FG_NONE, FG_NONE};
  tree->shift[p] = shift;
  return p;
}

/* ---- parts --------------------------------------------------------------------------- */

/* Potentials relative to the root's, on the nodes themselves. */
static void fg_tree_flatten(fg_tree *tree)
{
  int64_t base = fg_tree_potential(tree, tree->nodes);
  uint64_t reach = 0;
  for (size_t k = 0; k <= tree->nodes; k++) {
    int64_t pi = fg_tree_potential(tree, k) - base;
    uint64_t size = (uint64_t)(pi < 0 ? -pi : pi);
    tree->pi[k] = pi;
    if (size > reach) reach = size;
  }
  tree->reach = reach;
}

/* From the leaves up, a node whose nodes below are not in a part yet and number enough makes one of them. */
void fg_tree_settle(fg_tree *tree)
{
  uint32_t *order = tree->stack, *below = tree->part;
  uint32_t enough = (uint32_t)sqrt((double)tree->nodes);
  if (enough < FG_PART_LEAST) enough = FG_PART_LEAST;
  fg_tree_flatten(tree);
  size_t count = 0;
  order[count++] = (uint32_t)tree->nodes;
  for (size_t head = 0; head < count; head++) {
    below[order[head]] = 1;
    for (uint32_t c = tree->links[order[head]].child; c != FG_NONE; c = tree->links[c].next)
      order[count++] = c;
  }
  while (--count > 0) {
    uint32_t k = order[count];
    if (below[k] < enough) below[tree->branch[k].parent] += below[k];
  }
  tree->part_count = 0;
  tree->part[tree->nodes] = fg_part_new(tree, 0);
  for (size_t at = 1; at <= tree->nodes; at++) {
    uint32_t k = order[at], above = tree->part[tree->branch[k].parent];
    if (below[k] >= enough) {
      tree->part[k] = fg_part_new(tree, 0);
      fg_part_attach(tree, tree->part[k], above);
    } else {
      tree->part[k] = above;
    }
  }
}

/* Cut the part of `out` above it: what hangs on `out` becomes a part with none above. */
static void fg_part_cut(fg_tree *tree, uint32_t out)
{
  uint32_t old = tree->part[out], *stack = tree->stack;
  if (tree->part[tree->branch[out].parent] != old) {
    fg_part_detach(tree, old);
    return;
  }
  uint32_t p = fg_part_new(tree, tree->shift[old]);
  size_t depth = 0;
  stack[depth++] = out;
  while (depth > 0) {
    uint32_t k = stack[--depth];
    tree->part[k] = p;
    for (uint32_t c = tree->links[k].child; c != FG_NONE; c = tree->links[c].next) {
      if (tree->part[c] == old) {
        stack[depth++] = c;
      } else {
        fg_part_detach(tree, tree->part[c]);
        fg_part_attach(tree, tree->part[c], p);
      }
    }
  }
}

/* Raise the potentials of the parts from `top` on, but for `except` and what hangs on it. */
static void fg_part_raise(fg_tree *tree, uint32_t top, uint32_t except, int64_t by)
{
  const fg_part *parts = tree->parts;
  uint32_t *stack = tree->stack;
  size_t depth = 0;
  stack[depth++] = top;
  while (depth > 0) {
    uint32_t p = stack[--depth];
    tree->shift[p] += by;
    for (uint32_t c = parts[p].child; c != FG_NONE; c = parts[c].next)
      if (c != except) stack[depth++] = c;
  }
}

/* ---- pivots -------------------------------------------------------------------------- */

/* Hang the subtree of `out`, cut off, under `under` by its node `in`: the path from `in` up to `out` turns round. */
static void fg_tree_turn(fg_tree *tree, uint32_t in, uint32_t out, uint32_t under, int64_t flow)
{
  fg_branch *branch = tree->branch;
  uint32_t whole = branch[out].size, below = 0, above = tree->part[under];
  for (uint32_t k = in, parent = under;;) {
    uint32_t up = branch[k].parent, size = branch[k].size, p = tree->part[k];
    int64_t carried = branch[k].flow;
    fg_tree_detach(tree, k);
    fg_tree_attach(tree, k, parent);
    branch[k].flow = flow;
    branch[k].size = whole - below;
    if (k == out || tree->part[up] != p) {
      if (k != out) fg_part_detach(tree, p);
      fg_part_attach(tree, p, above);
      above = p;
    }
    if (k == out) return;
    below = size;
    flow = carried;
    parent = k;
    k = up;
  }
}

/* Ends of the paths from row i and column j up to where they meet, and the blocking arc of the cycle (named by its lower
 * node) that comes last on the way down to i, across to j and up. Below i arcs of rows lose flow, below j those of columns. */
typedef struct fg_cycle {
  uint32_t join, out;
  bool below_i;
  int64_t amount;
} fg_cycle;

static fg_cycle fg_tree_cycle(const fg_tree *tree, uint32_t i, uint32_t j)
{
  const fg_branch *branch = tree->branch;
  uint32_t n = (uint32_t)tree->n, out_i = FG_NONE, out_j = FG_NONE, p = i, q = j;
  int64_t least_i = INT64_MAX, least_j = INT64_MAX;
  while (p != q) {
    if (branch[p].size < branch[q].size) {
      if (p < n && branch[p].flow < least_i) {
        least_i = branch[p].flow;
        out_i = p;
      }
      p = branch[p].parent;
    } else {
      if (q >= n && branch[q].flow <= least_j) {
        least_j = branch[q].flow;
        out_j = q;
      }
      q = branch[q].parent;
    }
  }
  bool below_i = least_i < least_j;
  return (fg_cycle){p, below_i ? out_i : out_j, below_i, below_i ? least_i : least_j};
}

static void fg_tree_ship(fg_tree *tree, uint32_t i, uint32_t j, const fg_cycle *cycle)
{
  fg_branch *branch = tree->branch;
  uint32_t n = (uint32_t)tree->n;
  for (uint32_t k = i; k != cycle->join; k = branch[k].parent)
    branch[k].flow += k < n ? -cycle->amount : cycle->amount;
  for (uint32_t k = j; k != cycle->join; k = branch[k].parent)
    branch[k].flow += k < n ? cycle->amount : -cycle->amount;
}

fg_code fg_tree_pivot(fg_tree *tree, uint32_t i, uint32_t j, int64_t reduced, fg_status *st)
{
  fg_branch *branch = tree->branch;
  fg_cycle cycle = fg_tree_cycle(tree, i, j);
  if (cycle.amount > 0) fg_tree_ship(tree, i, j, &cycle);
  uint32_t in = cycle.below_i ? i : j, under = cycle.below_i ? j : i, whole = branch[cycle.out].size;
  for (uint32_t k = branch[cycle.out].parent; k != cycle.join; k = branch[k].parent) branch[k].size -= whole;
  for (uint32_t k = under; k != cycle.join; k = branch[k].parent) branch[k].size += whole;
  if (tree->part_count == tree->room) fg_tree_settle(tree);
  fg_part_cut(tree, cycle.out);
  fg_tree_turn(tree, in, cycle.out, under, cycle.amount);
  /* Potentials count up to a constant: of the two sides the smaller one moves. */
  int64_t by = cycle.below_i ? reduced : -reduced;
  if (whole <= tree->nodes / 2)
    fg_part_raise(tree, tree->part[in], FG_NONE, by);
  else
    fg_part_raise(tree, tree->part[tree->nodes], tree->part[in], -by);
  tree->reach += (uint64_t)-reduced;
  if (tree->reach < FG_PI_LIMIT) return FG_OK;
  fg_tree_settle(tree);
  if (tree->reach < FG_PI_LIMIT) return FG_OK;
  return FG_FAIL(st, FG_NUMERICS, "potentials of the transport of %zu nodes grew beyond 2^61", tree->nodes);
}

/* ---- artificial arcs ----------------------------------------------------------------- */

void fg_tree_penalise(fg_tree *tree, int64_t by)
{
  uint32_t *stack = tree->stack;
  for (uint32_t top = tree->links[tree->nodes].child; top != FG_NONE; top = tree->links[top].next) {
    size_t depth = 0;
    stack[depth++] = top;
    while (depth > 0) {
      uint32_t k = stack[--depth];
      tree->pi[k] += top < tree->n ? by : -by;
      for (uint32_t c = tree->links[k].child; c != FG_NONE; c = tree->links[c].next) stack[depth++] = c;
    }
  }
  tree->reach += (uint64_t)by;
}

int64_t fg_tree_artificial(const fg_tree *tree)
{
  int64_t sum = 0;
  for (uint32_t c = tree->links[tree->nodes].child; c != FG_NONE; c = tree->links[c].next)
    if (c < tree->n) sum += tree->branch[c].flow;
  return sum;
}

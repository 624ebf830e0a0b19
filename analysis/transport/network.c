/* Primal network simplex on a bipartite graph, for candidates that join as it goes: the tree and its pivots are tree.c's.
 * Arcs have no upper bound: one outside the tree carries nothing, and the candidate list needs no state. */
#include "analysis/transport/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/transport/tree.h"

#define FG_PENALTY_MOST ((int64_t)1 << 56)

enum {
  FG_BLOCK_LEAST = 64,    /* candidates looked at for one pivot: the root of their number, at least this */
  FG_PIVOTS_A_LOOK = 2048 /* pivots between two looks at progress */
};

struct fg_basis {
  size_t n, nodes; /* rows; rows and columns */
  const int64_t *mass_x, *mass_y;
  fg_tree tree;
  int64_t *u, *v; /* what callers see */
  fg_arc *arcs;   /* sorted by row, each pair once */
  size_t arc_count, place, block;
  int64_t penalty;
  double total; /* mass */
  size_t pivots;
};

fg_code fg_basis_create(size_t n, size_t m, const int64_t *mass_x, const int64_t *mass_y, fg_basis **network,
                        fg_status *st)
{
  fg_basis *net = calloc(1, sizeof *net);
  *network = NULL;
  if (net) {
    net->n = n;
    net->nodes = n + m;
    net->mass_x = mass_x;
    net->mass_y = mass_y;
    for (size_t i = 0; i < n; i++) net->total += (double)mass_x[i];
    net->u = malloc(n * sizeof *net->u);
    net->v = malloc(m * sizeof *net->v);
    fg_code rc = fg_tree_create(n, m, &net->tree, st);
    if (rc == FG_OK && net->u && net->v) {
      *network = net;
      return FG_OK;
    }
  }
  fg_basis_destroy(&net);
  return FG_FAIL(st, FG_MEMORY, "no memory for a transport network of %zu and %zu nodes", n, m);
}

void fg_basis_destroy(fg_basis **network)
{
  fg_basis *net = *network;
  if (!net) return;
  fg_tree_clear(&net->tree);
  free(net->u);
  free(net->v);
  free(net->arcs);
  free(net);
  *network = NULL;
}

/* ---- candidates ---------------------------------------------------------------------- */

/* All sorted by row (counting), each pair once; within a row the order stays. */
fg_code fg_basis_add(fg_basis *net, size_t count, const fg_arc *arcs, fg_status *st)
{
  size_t m = net->nodes - net->n, all = net->arc_count + count, kept = 0;
  size_t *start = calloc(net->n + 1, sizeof *start);
  uint32_t *seen = calloc(m, sizeof *seen);
  fg_arc *sorted = malloc((all + 1) * sizeof *sorted);
  if (!start || !seen || !sorted) {
    free(start);
    free(seen);
    free(sorted);
    return FG_FAIL(st, FG_MEMORY, "no memory for %zu candidate pairs", all);
  }
  for (size_t a = 0; a < net->arc_count; a++) start[net->arcs[a].i + 1]++;
  for (size_t a = 0; a < count; a++) start[arcs[a].i + 1]++;
  for (size_t i = 0; i < net->n; i++) start[i + 1] += start[i];
  for (size_t a = 0; a < net->arc_count; a++) sorted[start[net->arcs[a].i]++] = net->arcs[a];
  for (size_t a = 0; a < count; a++) sorted[start[arcs[a].i]++] = arcs[a];
  for (size_t a = 0; a < all; a++) {
    if (seen[sorted[a].j] == sorted[a].i + 1) continue;
    seen[sorted[a].j] = sorted[a].i + 1;
    sorted[kept++] = sorted[a];
  }
  free(start);
  free(seen);
  free(net->arcs);
  fg_arc *fitting = realloc(sorted, (kept + 1) * sizeof *sorted);
  net->arcs = fitting ? fitting : sorted;
  net->arc_count = kept;
  net->place = 0;
  return FG_OK;
}

static int64_t fg_basis_reduced(const fg_basis *net, const fg_arc *arc)
{
  return arc->cost - fg_tree_potential(&net->tree, arc->i) + fg_tree_potential(&net->tree, net->n + arc->j);
}

/* Arcs of the tree stay: their reduced cost is 0. */
void fg_basis_prune(fg_basis *net, int64_t above)
{
  size_t kept = 0;
  for (size_t a = 0; a < net->arc_count; a++)
    if (fg_basis_reduced(net, net->arcs + a) <= above) net->arcs[kept++] = net->arcs[a];
  net->arc_count = kept;
  net->place = 0;
}

/* ---- first basis --------------------------------------------------------------------- */

/* Arcs in the order of their slack, to about a tenth: by the leading bits of a double. */
static size_t fg_slack_key(int64_t slack)
{
  double value = slack > 0 ? (double)slack : 0;
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (size_t)(bits >> 49); /* exponent and 3 bits: at most 2^14 keys for a positive number */
}

/* Ship along arcs of least slack what is left on both ends. Each shipment uses up one end, so they form a forest:
 * forest [at most nodes - 1] of arc numbers, flows beside. left [nodes]: what stays on either side. */
static fg_code fg_basis_greedy(fg_basis *net, int64_t *left, uint32_t *forest, int64_t *flows, size_t *count,
                               fg_status *st)
{
  size_t *start = calloc((1 << 14) + 1, sizeof *start);
  uint32_t *order = malloc((net->arc_count + 1) * sizeof *order);
  if (!start || !order) {
    free(start);
    free(order);
    return FG_FAIL(st, FG_MEMORY, "no memory to sort %zu candidate pairs", net->arc_count);
  }
  for (size_t a = 0; a < net->arc_count; a++) start[fg_slack_key(fg_basis_reduced(net, net->arcs + a)) + 1]++;
  for (size_t k = 0; k < 1 << 14; k++) start[k + 1] += start[k];
  for (size_t a = 0; a < net->arc_count; a++)
    order[start[fg_slack_key(fg_basis_reduced(net, net->arcs + a))]++] = (uint32_t)a;
  for (size_t i = 0; i < net->n; i++) left[i] = net->mass_x[i];
  for (size_t j = net->n; j < net->nodes; j++) left[j] = net->mass_y[j - net->n];
  *count = 0;
  for (size_t k = 0; k < net->arc_count; k++) {
    const fg_arc *arc = net->arcs + order[k];
    int64_t *from = left + arc->i, *to = left + net->n + arc->j, amount = *from < *to ? *from : *to;
    if (amount == 0) continue;
    *from -= amount;
    *to -= amount;
    forest[*count] = order[k];
    flows[(*count)++] = amount;
  }
  free(start);
  free(order);
  return FG_OK;
}

/* The forest by its nodes: arcs start[k] .. start[k + 1] of `edge` meet node k. */
typedef struct fg_forest {
  uint32_t *arc; /* [count]: which candidate */
  int64_t *flow; /* [count] */
  size_t count;
  size_t *start;  /* [nodes + 1] */
  uint32_t *edge; /* [2 count]: which arc of the forest */
} fg_forest;

static void fg_forest_clear(fg_forest *forest)
{
  free(forest->arc);
  free(forest->flow);
  free(forest->start);
  free(forest->edge);
}

static fg_code fg_forest_create(size_t nodes, fg_forest *forest, fg_status *st)
{
  memset(forest, 0, sizeof *forest);
  forest->arc = malloc(nodes * sizeof *forest->arc);
  forest->flow = malloc(nodes * sizeof *forest->flow);
  forest->start = calloc(nodes + 1, sizeof *forest->start);
  forest->edge = malloc(2 * nodes * sizeof *forest->edge);
  if (forest->arc && forest->flow && forest->start && forest->edge) return FG_OK;
  fg_forest_clear(forest);
  return FG_FAIL(st, FG_MEMORY, "no memory for the first plan of %zu points", nodes);
}

static void fg_forest_index(const fg_basis *net, fg_forest *forest)
{
  size_t *start = forest->start;
  for (size_t k = 0; k < forest->count; k++) {
    start[net->arcs[forest->arc[k]].i]++;
    start[net->n + net->arcs[forest->arc[k]].j]++;
  }
  for (size_t k = 0; k < net->nodes; k++) start[k + 1] += start[k];
  for (size_t k = forest->count; k-- > 0;) {
    forest->edge[--start[net->arcs[forest->arc[k]].i]] = (uint32_t)k;
    forest->edge[--start[net->n + net->arcs[forest->arc[k]].j]] = (uint32_t)k;
  }
}

/* The component of `top` becomes a subtree of the root, with `left` on the artificial arc: potentials along its arcs,
 * sizes from the leaves up. */
static void fg_basis_plant(fg_basis *net, const fg_forest *forest, uint32_t top, int64_t left)
{
  uint32_t *queue = net->tree.stack, n = (uint32_t)net->n;
  fg_branch *branch = net->tree.branch;
  int64_t *pi = net->tree.pi;
  size_t head = 0, tail = 0;
  branch[top].flow = left;
  branch[top].parent = (uint32_t)net->nodes;
  pi[top] += top < n ? net->penalty : -net->penalty;
  queue[tail++] = top;
  while (head < tail) {
    uint32_t k = queue[head++];
    for (size_t a = forest->start[k]; a < forest->start[k + 1]; a++) {
      const fg_arc *arc = net->arcs + forest->arc[forest->edge[a]];
      uint32_t other = k < n ? n + arc->j : arc->i;
      if (other == branch[k].parent) continue;
      branch[other].parent = k;
      branch[other].flow = forest->flow[forest->edge[a]];
      pi[other] = k < n ? pi[k] - arc->cost : pi[k] + arc->cost;
      queue[tail++] = other;
    }
  }
  while (tail > 0) {
    uint32_t k = queue[--tail];
    fg_tree_attach(&net->tree, k, branch[k].parent);
    branch[branch[k].parent].size += branch[k].size;
  }
}

/* Near 8 times the mean slack: smaller leaves much to later rounds, larger makes long detours look cheap. */
static int64_t fg_basis_first_penalty(const fg_basis *net)
{
  double sum = 0;
  for (size_t a = 0; a < net->arc_count; a++) {
    int64_t slack = fg_basis_reduced(net, net->arcs + a);
    sum += slack > 0 ? (double)slack : 0;
  }
  return 1 + (int64_t)(8 * sum / (double)(net->arc_count + 1));
}

fg_code fg_basis_start(fg_basis *net, const int64_t *u, const int64_t *v, fg_status *st)
{
  fg_forest forest;
  fg_tree *tree = &net->tree;
  size_t n = net->n, nodes = net->nodes;
  int64_t *left = malloc(nodes * sizeof *left);
  if (!left) return FG_FAIL(st, FG_MEMORY, "no memory for the first plan of %zu points", nodes);
  fg_code rc = fg_forest_create(nodes, &forest, st);
  if (rc != FG_OK) goto done;
  fg_tree_bare(tree);
  for (size_t i = 0; i < n; i++) tree->pi[i] = u[i];
  for (size_t j = n; j < nodes; j++) tree->pi[j] = -v[j - n];
  FG_GO(fg_basis_greedy(net, left, forest.arc, forest.flow, &forest.count, st), clear);
  fg_forest_index(net, &forest);
  net->penalty = fg_basis_first_penalty(net);
  for (size_t k = 0; k < nodes; k++)
    if (left[k] > 0) fg_basis_plant(net, &forest, (uint32_t)k, left[k]);
  for (size_t i = 0; i < n; i++)
    if (tree->branch[i].parent == FG_NONE) fg_basis_plant(net, &forest, (uint32_t)i, 0);
  fg_tree_settle(tree);
clear:
  fg_forest_clear(&forest);
done:
  free(left);
  return rc;
}

bool fg_basis_penalise(fg_basis *net)
{
  if (net->penalty > FG_PENALTY_MOST) return false;
  fg_tree_penalise(&net->tree, 3 * net->penalty);
  net->penalty *= 4;
  return true;
}

/* ---- pivots -------------------------------------------------------------------------- */

/* The most negative of the next block that has any; blocks go round the list. */
static const fg_arc *fg_basis_enter(fg_basis *net, int64_t *reduced)
{
  const int64_t *u = net->tree.pi, *v = u + net->n, *shift = net->tree.shift;
  const uint32_t *part_u = net->tree.part, *part_v = part_u + net->n;
  const fg_arc *arcs = net->arcs, *best = NULL;
  size_t count = net->arc_count, at = net->place;
  int64_t least = 0;
  for (size_t seen = 0; seen < count && !best;) {
    size_t end = at + net->block < count ? at + net->block : count;
    seen += end - at;
    for (; at < end; at++) {
      uint32_t i = arcs[at].i, j = arcs[at].j;
      int64_t c = arcs[at].cost - u[i] + v[j] - shift[part_u[i]] + shift[part_v[j]];
      if (c < least) {
        least = c;
        best = arcs + at;
      }
    }
    if (at == count) at = 0;
  }
  net->place = at;
  *reduced = least;
  return best;
}

fg_code fg_basis_solve(fg_basis *net, const fg_progress *progress, int64_t *artificial, fg_status *st)
{
  size_t least = (size_t)sqrt((double)net->arc_count);
  if (least < FG_BLOCK_LEAST) least = FG_BLOCK_LEAST;
  const fg_arc *arc;
  int64_t reduced;
  net->block = least;
  while ((arc = fg_basis_enter(net, &reduced))) {
    FG_TRY(fg_tree_pivot(&net->tree, arc->i, (uint32_t)net->n + arc->j, reduced, st));
    if (++net->pivots % FG_PIVOTS_A_LOOK != 0) continue;
    *artificial = fg_tree_artificial(&net->tree);
    fg_progress_report(progress, "transport", net->total - (double)*artificial, net->total);
    if (fg_progress_cancelled(progress)) {
      return FG_FAIL(st, FG_INTERRUPTED, "the transport was stopped after %zu pivots", net->pivots);
    }
  }
  fg_tree_settle(&net->tree);
  *artificial = fg_tree_artificial(&net->tree);
  fg_progress_report(progress, "transport", net->total - (double)*artificial, net->total);
  return FG_OK;
}

size_t fg_basis_pivots(const fg_basis *net)
{
  return net->pivots;
}

/* ---- what callers see ---------------------------------------------------------------- */

const int64_t *fg_basis_u(fg_basis *net)
{
  for (size_t i = 0; i < net->n; i++) net->u[i] = fg_tree_potential(&net->tree, i);
  return net->u;
}

const int64_t *fg_basis_v(fg_basis *net)
{
  for (size_t j = 0; j < net->nodes - net->n; j++) net->v[j] = -fg_tree_potential(&net->tree, net->n + j);
  return net->v;
}

size_t fg_basis_plan(const fg_basis *net, fg_shipment *plan)
{
  size_t count = 0;
  uint32_t n = (uint32_t)net->n, root = (uint32_t)net->nodes;
  for (uint32_t k = 0; k < root; k++) {
    const fg_branch *branch = net->tree.branch + k;
    if (branch->parent == root || branch->flow == 0) continue;
    plan[count++] = (fg_shipment){k < n ? k : branch->parent, (k < n ? branch->parent : k) - n, branch->flow};
  }
  return count;
}

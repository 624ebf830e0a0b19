/* Primal network simplex on a bipartite graph: rows, columns and a root that artificial arcs join to both.
 *
 * Every arc leads from a row to a column, from a row to the root, or from the root to a column, so in the tree the arc of a
 * row leads up and that of a column down. Potentials pi (u of a row, -v of a column, 0 of the root) leave reduced
 * costs c - pi_i + pi_j that are 0 on the tree. Arcs have no upper bound: one outside the tree carries nothing, and the
 * candidate list needs no state. A tree is strongly feasible when its arcs without flow lead up (they belong to rows);
 * the last blocking arc of the cycle leaves, which keeps it so, and pivots never cycle (Cunningham 1976). */
#include "analysis/transport/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FG_NONE UINT32_MAX
/* Potentials beyond this could overflow in the next pivot. */
#define FG_PI_LIMIT ((int64_t)1 << 61)
#define FG_PENALTY_MOST ((int64_t)1 << 56)

enum {
  FG_BLOCK_LEAST = 64,    /* candidates looked at for one pivot: the root of their number, at least this, */
  FG_SHIFT_SHARE = 2,     /* and one for so many potentials that the last pivots moved */
  FG_PIVOTS_A_LOOK = 2048 /* pivots between two looks at progress */
};

/* Apart from the links below a node: raising potentials follows those, which is most of the work, and alone they fit
 * nearer caches (n = 30,000 with weights: an eighth less time; side by side with the potentials, a sixth more, because
 * the search for entering arcs then reads twice as much). */
typedef struct fg_branch {
  int64_t flow; /* on the arc to the parent */
  uint32_t parent, size /* nodes of the subtree */;
} fg_branch;

typedef struct fg_links {
  uint32_t child, next;
} fg_links;

struct fg_basis {
  size_t n, nodes; /* rows; rows and columns. The root is node `nodes`. */
  const int64_t *mass_x, *mass_y;
  int64_t *pi;        /* [nodes + 1] */
  fg_branch *tree;    /* [nodes + 1] */
  fg_links *links;    /* [nodes + 1] */
  uint32_t *previous; /* [nodes + 1] */
  uint32_t *stack;    /* [nodes + 1] */
  int64_t *u, *v;     /* what callers see */
  fg_arc *arcs;       /* sorted by row, each pair once */
  size_t arc_count, arc_room, place, block;
  int64_t penalty;
  double total;   /* mass */
  uint64_t reach; /* bits of all potentials seen */
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
    net->pi = calloc(n + m + 1, sizeof *net->pi);
    net->tree = calloc(n + m + 1, sizeof *net->tree);
    net->links = malloc((n + m + 1) * sizeof *net->links);
    net->previous = malloc((n + m + 1) * sizeof *net->previous);
    net->stack = malloc((n + m + 1) * sizeof *net->stack);
    net->u = malloc(n * sizeof *net->u);
    net->v = malloc(m * sizeof *net->v);
    if (net->pi && net->tree && net->links && net->previous && net->stack && net->u && net->v) {
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
  free(net->pi);
  free(net->tree);
  free(net->links);
  free(net->previous);
  free(net->stack);
  free(net->u);
  free(net->v);
  free(net->arcs);
  free(net);
  *network = NULL;
}

/* ---- candidates ---------------------------------------------------------------------- */

/* Sort by row (counting) and drop what is there twice; within a row the order stays. */
static fg_code fg_basis_tidy(fg_basis *net, fg_status *st)
{
  size_t m = net->nodes - net->n, count = net->arc_count, kept = 0;
  size_t *start = calloc(net->n + 1, sizeof *start);
  uint32_t *seen = calloc(m, sizeof *seen);
  fg_arc *sorted = malloc((count + 1) * sizeof *sorted);
  if (!start || !seen || !sorted) {
    free(start);
    free(seen);
    free(sorted);
    return FG_FAIL(st, FG_MEMORY, "no memory to sort %zu candidate pairs", count);
  }
  for (size_t a = 0; a < count; a++) start[net->arcs[a].i + 1]++;
  for (size_t i = 0; i < net->n; i++) start[i + 1] += start[i];
  for (size_t a = 0; a < count; a++) sorted[start[net->arcs[a].i]++] = net->arcs[a];
  for (size_t a = 0; a < count; a++) {
    if (seen[sorted[a].j] == sorted[a].i + 1) continue;
    seen[sorted[a].j] = sorted[a].i + 1;
    net->arcs[kept++] = sorted[a];
  }
  net->arc_count = kept;
  net->place = 0;
  free(start);
  free(seen);
  free(sorted);
  return FG_OK;
}

fg_code fg_basis_add(fg_basis *net, size_t count, const fg_arc *arcs, fg_status *st)
{
  if (count > net->arc_room - net->arc_count) {
    size_t room = net->arc_count + count + net->arc_count / 4;
    fg_arc *more = realloc(net->arcs, room * sizeof *more);
    if (!more) return FG_FAIL(st, FG_MEMORY, "no memory for %zu candidate pairs", room);
    net->arcs = more;
    net->arc_room = room;
  }
  if (count > 0) memcpy(net->arcs + net->arc_count, arcs, count * sizeof *arcs);
  net->arc_count += count;
  return fg_basis_tidy(net, st);
}

static int64_t fg_basis_reduced(const fg_basis *net, const fg_arc *arc)
{
  return arc->cost - net->pi[arc->i] + net->pi[net->n + arc->j];
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

/* ---- the tree ------------------------------------------------------------------------ */

static void fg_basis_attach(fg_basis *net, uint32_t k, uint32_t parent)
{
  uint32_t first = net->links[parent].child;
  net->tree[k].parent = parent;
  net->previous[k] = FG_NONE;
  net->links[k].next = first;
  if (first != FG_NONE) net->previous[first] = k;
  net->links[parent].child = k;
}

static void fg_basis_detach(fg_basis *net, uint32_t k)
{
  uint32_t next = net->links[k].next, previous = net->previous[k];
  if (previous != FG_NONE)
    net->links[previous].next = next;
  else
    net->links[net->tree[k].parent].child = next;
  if (next != FG_NONE) net->previous[next] = previous;
}

/* Raise the potentials of the subtree of `top`, but for that of `except` in it. */
static void fg_basis_shift(fg_basis *net, uint32_t top, uint32_t except, int64_t by)
{
  const fg_links *links = net->links;
  int64_t *pi = net->pi;
  uint32_t *stack = net->stack;
  uint64_t reach = 0;
  size_t depth = 0;
  stack[depth++] = top;
  while (depth > 0) {
    uint32_t k = stack[--depth];
    pi[k] += by;
    reach |= (uint64_t)(pi[k] < 0 ? ~pi[k] : pi[k]);
    for (uint32_t c = links[k].child; c != FG_NONE; c = links[c].next)
      if (c != except) stack[depth++] = c;
  }
  net->reach |= reach;
}

/* Hang the subtree of `out` under `under` by its node `in`: the path from `in` up to `out` turns round. */
static void fg_basis_turn(fg_basis *net, uint32_t in, uint32_t out, uint32_t under, int64_t flow)
{
  fg_branch *tree = net->tree;
  uint32_t whole = tree[out].size, below = 0;
  for (uint32_t k = in, parent = under;;) {
    uint32_t up = tree[k].parent, size = tree[k].size;
    int64_t carried = tree[k].flow;
    fg_basis_detach(net, k);
    fg_basis_attach(net, k, parent);
    tree[k].flow = flow;
    tree[k].size = whole - below;
    if (k == out) return;
    below = size;
    flow = carried;
    parent = k;
    k = up;
  }
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
  uint32_t *queue = net->stack, n = (uint32_t)net->n;
  fg_branch *tree = net->tree;
  size_t head = 0, tail = 0;
  tree[top].flow = left;
  tree[top].parent = (uint32_t)net->nodes;
  net->pi[top] += top < n ? net->penalty : -net->penalty;
  queue[tail++] = top;
  while (head < tail) {
    uint32_t k = queue[head++];
    for (size_t a = forest->start[k]; a < forest->start[k + 1]; a++) {
      const fg_arc *arc = net->arcs + forest->arc[forest->edge[a]];
      uint32_t other = k < n ? n + arc->j : arc->i;
      if (other == tree[k].parent) continue;
      tree[other].parent = k;
      tree[other].flow = forest->flow[forest->edge[a]];
      net->pi[other] = k < n ? net->pi[k] - arc->cost : net->pi[k] + arc->cost;
      queue[tail++] = other;
    }
  }
  while (tail > 0) {
    uint32_t k = queue[--tail];
    fg_basis_attach(net, k, tree[k].parent);
    tree[tree[k].parent].size += tree[k].size;
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
  fg_branch *tree = net->tree;
  size_t n = net->n, nodes = net->nodes;
  int64_t *left = malloc(nodes * sizeof *left);
  if (!left) return FG_FAIL(st, FG_MEMORY, "no memory for the first plan of %zu points", nodes);
  fg_code rc = fg_forest_create(nodes, &forest, st);
  if (rc != FG_OK) goto done;
  for (size_t i = 0; i < n; i++) net->pi[i] = u[i];
  for (size_t j = n; j < nodes; j++) net->pi[j] = -v[j - n];
  net->pi[nodes] = 0;
  FG_GO(fg_basis_greedy(net, left, forest.arc, forest.flow, &forest.count, st), clear);
  fg_forest_index(net, &forest);
  net->penalty = fg_basis_first_penalty(net);
  memset(net->links, 0xff, (nodes + 1) * sizeof *net->links);
  for (size_t k = 0; k <= nodes; k++) tree[k] = (fg_branch){0, FG_NONE, 1};
  for (size_t k = 0; k < nodes; k++)
    if (left[k] > 0) fg_basis_plant(net, &forest, (uint32_t)k, left[k]);
  for (size_t i = 0; i < n; i++)
    if (tree[i].parent == FG_NONE) fg_basis_plant(net, &forest, (uint32_t)i, 0);
clear:
  fg_forest_clear(&forest);
done:
  free(left);
  return rc;
}

bool fg_basis_penalise(fg_basis *net)
{
  if (net->penalty > FG_PENALTY_MOST) return false;
  int64_t by = 3 * net->penalty;
  for (uint32_t c = net->links[net->nodes].child; c != FG_NONE; c = net->links[c].next)
    fg_basis_shift(net, c, FG_NONE, c < net->n ? by : -by);
  net->penalty += by;
  return true;
}

static int64_t fg_basis_artificial(const fg_basis *net)
{
  int64_t sum = 0;
  for (uint32_t c = net->links[net->nodes].child; c != FG_NONE; c = net->links[c].next)
    if (c < net->n) sum += net->tree[c].flow;
  return sum;
}

/* ---- pivots -------------------------------------------------------------------------- */

/* The most negative of the next block that has any; blocks go round the list. */
static const fg_arc *fg_basis_enter(fg_basis *net, int64_t *reduced)
{
  const int64_t *u = net->pi, *v = net->pi + net->n;
  const fg_arc *arcs = net->arcs, *best = NULL;
  size_t count = net->arc_count, at = net->place;
  int64_t least = 0;
  for (size_t seen = 0; seen < count && !best;) {
    size_t end = at + net->block < count ? at + net->block : count;
    seen += end - at;
    for (; at < end; at++) {
      int64_t c = arcs[at].cost - u[arcs[at].i] + v[arcs[at].j];
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

/* Ends of the paths from row i and column j up to where they meet, and the blocking arc of the cycle (named by its lower
 * node) that comes last on the way down to i, across to j and up. Below i arcs of rows lose flow, below j those of columns. */
typedef struct fg_cycle {
  uint32_t join, out;
  bool below_i;
  int64_t amount;
} fg_cycle;

static fg_cycle fg_basis_cycle(const fg_basis *net, uint32_t i, uint32_t j)
{
  const fg_branch *tree = net->tree;
  uint32_t n = (uint32_t)net->n, out_i = FG_NONE, out_j = FG_NONE, p = i, q = j;
  int64_t least_i = INT64_MAX, least_j = INT64_MAX;
  while (p != q) {
    if (tree[p].size < tree[q].size) {
      if (p < n && tree[p].flow < least_i) {
        least_i = tree[p].flow;
        out_i = p;
      }
      p = tree[p].parent;
    } else {
      if (q >= n && tree[q].flow <= least_j) {
        least_j = tree[q].flow;
        out_j = q;
      }
      q = tree[q].parent;
    }
  }
  bool below_i = least_i < least_j;
  return (fg_cycle){p, below_i ? out_i : out_j, below_i, below_i ? least_i : least_j};
}

/* Returns how many potentials moved. */
static size_t fg_basis_pivot(fg_basis *net, const fg_arc *arc, int64_t reduced)
{
  fg_branch *tree = net->tree;
  uint32_t n = (uint32_t)net->n, i = arc->i, j = n + arc->j;
  fg_cycle cycle = fg_basis_cycle(net, i, j);
  if (cycle.amount > 0) {
    for (uint32_t k = i; k != cycle.join; k = tree[k].parent)
      tree[k].flow += k < n ? -cycle.amount : cycle.amount;
    for (uint32_t k = j; k != cycle.join; k = tree[k].parent)
      tree[k].flow += k < n ? cycle.amount : -cycle.amount;
  }
  uint32_t in = cycle.below_i ? i : j, under = cycle.below_i ? j : i, whole = tree[cycle.out].size;
  for (uint32_t k = tree[cycle.out].parent; k != cycle.join; k = tree[k].parent) tree[k].size -= whole;
  for (uint32_t k = under; k != cycle.join; k = tree[k].parent) tree[k].size += whole;
  fg_basis_turn(net, in, cycle.out, under, cycle.amount);
  /* Potentials count up to a constant: of the two parts the smaller one moves. */
  int64_t by = cycle.below_i ? reduced : -reduced;
  net->pivots++;
  if (whole <= net->nodes / 2) {
    fg_basis_shift(net, in, FG_NONE, by);
    return whole;
  }
  fg_basis_shift(net, (uint32_t)net->nodes, in, -by);
  return net->nodes + 1 - whole;
}

fg_code fg_basis_solve(fg_basis *net, const fg_progress *progress, int64_t *artificial, fg_status *st)
{
  size_t least = (size_t)sqrt((double)net->arc_count);
  if (least < FG_BLOCK_LEAST) least = FG_BLOCK_LEAST;
  double moved = 0; /* potentials per pivot, a running mean */
  const fg_arc *arc;
  int64_t reduced;
  net->block = least;
  while ((arc = fg_basis_enter(net, &reduced))) {
    moved += 0.02 * ((double)fg_basis_pivot(net, arc, reduced) - moved);
    net->block = least + (size_t)moved / FG_SHIFT_SHARE;
    if (net->reach >= (uint64_t)FG_PI_LIMIT)
      return FG_FAIL(st, FG_NUMERICS, "potentials of the transport of %zu nodes grew beyond 2^61",
                     net->nodes);
    if (net->pivots % FG_PIVOTS_A_LOOK != 0) continue;
    *artificial = fg_basis_artificial(net);
    fg_progress_report(progress, "transport", net->total - (double)*artificial, net->total);
    if (fg_progress_cancelled(progress)) {
      return FG_FAIL(st, FG_INTERRUPTED, "the transport was stopped after %zu pivots", net->pivots);
    }
  }
  fg_basis_shift(net, (uint32_t)net->nodes, FG_NONE, -net->pi[net->nodes]);
  *artificial = fg_basis_artificial(net);
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
  memcpy(net->u, net->pi, net->n * sizeof *net->u);
  return net->u;
}

const int64_t *fg_basis_v(fg_basis *net)
{
  for (size_t j = 0; j < net->nodes - net->n; j++) net->v[j] = -net->pi[net->n + j];
  return net->v;
}

size_t fg_basis_plan(const fg_basis *net, fg_shipment *plan)
{
  size_t count = 0;
  uint32_t n = (uint32_t)net->n, root = (uint32_t)net->nodes;
  for (uint32_t k = 0; k < root; k++) {
    uint32_t parent = net->tree[k].parent;
    if (parent == root || net->tree[k].flow == 0) continue;
    plan[count++] = (fg_shipment){k < n ? k : parent, (k < n ? parent : k) - n, net->tree[k].flow};
  }
  return count;
}

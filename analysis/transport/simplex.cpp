/* The only C++ of the project: LEMON is a library of templates. */
#include "analysis/transport/simplex.h"

#include <new>
#include <utility>
#include <vector>

#define LEMON_ONLY_TEMPLATES
#include <lemon/network_simplex.h>
#include <lemon/static_graph.h>

namespace
{

typedef lemon::StaticDigraph Graph;
typedef lemon::NetworkSimplex<Graph, int64_t, int64_t> Simplex;

bool solve(int nodes, int arcs, const uint32_t *from, const uint32_t *to, const int64_t *cost,
           const int64_t *supply, bool mixed, int64_t *flow, int64_t *potential)
{
  Graph graph;
  {
    std::vector<std::pair<int, int>> ends((size_t)arcs);
    for (int a = 0; a < arcs; a++) ends[(size_t)a] = std::make_pair((int)from[a], (int)to[a]);
    graph.build(nodes, ends.begin(), ends.end());
  }
  Simplex simplex(graph, mixed);
  Graph::ArcMap<int64_t> costs(graph);
  Graph::NodeMap<int64_t> balance(graph);
  for (int a = 0; a < arcs; a++) costs[graph.arc(a)] = cost[a];
  for (int v = 0; v < nodes; v++) balance[graph.node(v)] = supply[v];
  simplex.costMap(costs).supplyMap(balance);
  if (simplex.run() != Simplex::OPTIMAL) return false;
  for (int a = 0; a < arcs; a++) flow[a] = simplex.flow(graph.arc(a));
  for (int v = 0; v < nodes; v++) potential[v] = simplex.potential(graph.node(v));
  return true;
}

} // namespace

extern "C" fg_code fg_simplex_network(size_t nodes, size_t arcs, const uint32_t *from, const uint32_t *to,
                                      const int64_t *cost, const int64_t *supply, bool mixed, int64_t *flow,
                                      int64_t *potential, fg_status *st)
{
  if (nodes == 0 || arcs == 0 || nodes > FG_SIMPLEX_ARCS || arcs > FG_SIMPLEX_ARCS)
    return FG_FAIL(st, FG_USAGE,
                   "a transport network of %zu nodes and %zu arcs is beyond the limit of 2^26: use fewer "
                   "points or bins",
                   nodes, arcs);
  try {
    if (!solve((int)nodes, (int)arcs, from, to, cost, supply, mixed, flow, potential))
      return FG_FAIL(st, FG_NUMERICS, "the network simplex found no flow through %zu nodes and %zu arcs",
                     nodes, arcs);
  } catch (const std::bad_alloc &) {
    return FG_FAIL(st, FG_MEMORY, "no memory for a transport network of %zu arcs (about %.0f MB)", arcs,
                   100e-6 * (double)arcs);
  } catch (...) {
    return FG_FAIL(st, FG_FAILED, "the network simplex failed on %zu nodes and %zu arcs", nodes, arcs);
  }
  return FG_OK;
}

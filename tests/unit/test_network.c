/* needs: analysis */
/* The network simplex: plan and duals prove each other optimal, over complete and sparse candidate lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/transport/network.h"
#include "formula/random.h"

__extension__ typedef __int128 wide;

typedef struct problem {
  size_t n, m, count;
  int64_t *a, *b;
  fg_arc *arcs; /* each pair once, by row */
} problem;

static uint32_t word(uint64_t seed, uint64_t at, uint32_t range)
{
  return fg_philox(seed, 77, at, 0, 0).w[0] % range;
}

static problem create(size_t n, size_t m)
{
  problem p = {
      n, m, 0, calloc(n, sizeof(int64_t)), calloc(m, sizeof(int64_t)), calloc(n * m, sizeof(fg_arc))};
  assert_non_null(p.a);
  assert_non_null(p.b);
  assert_non_null(p.arcs);
  return p;
}

static void clear(problem *p)
{
  free(p->a);
  free(p->b);
  free(p->arcs);
}

/* One sum on both sides: all equal, or random with what is left on the last column. */
static void fill_masses(problem *p, uint64_t seed, int random)
{
  int64_t left = 0;
  for (size_t i = 0; i < p->n; i++)
    left += p->a[i] = (int64_t)p->m * (random ? 1 + word(seed, i, 1000000) : 1);
  int64_t share = left / (int64_t)p->m;
  for (size_t j = 0; j < p->m; j++) {
    p->b[j] = random && j % 2 == 0 && share > 1 ? 1 + word(seed + 1, j, (uint32_t)share) : share;
    left -= p->b[j];
  }
  p->b[p->m - 1] += left;
}

/* Squared distances of points on a lattice of `side` values per axis: many equal costs and duplicates when small, a line
 * when d = 1. */
static void fill_costs(problem *p, uint64_t seed, int d, uint32_t side)
{
  p->count = 0;
  for (size_t i = 0; i < p->n; i++)
    for (size_t j = 0; j < p->m; j++) {
      int64_t cost = 0;
      for (uint64_t k = 0; k < (uint64_t)d; k++) {
        int64_t gap = (int64_t)word(seed + 2, 3 * i + k, side) - (int64_t)word(seed + 3, 3 * j + k, side);
        cost += gap * gap;
      }
      p->arcs[p->count++] = (fg_arc){(uint32_t)i, (uint32_t)j, cost};
    }
}

static int64_t cost_of(const problem *p, size_t i, size_t j)
{
  for (size_t a = 0; a < p->count; a++)
    if (p->arcs[a].i == i && p->arcs[a].j == j) return p->arcs[a].cost;
  fail_msg("the plan uses the pair (%zu, %zu), which is no candidate", i, j);
  return 0;
}

/* Solve to no artificial flow; what a solution is, exactly: marginals, dual feasibility, primal = dual. */
static wide solve(fg_basis *net, const problem *p)
{
  fg_status st;
  int64_t artificial;
  for (;;) {
    if (fg_basis_solve(net, NULL, &artificial, &st) != FG_OK) fail_msg("%s", st.message);
    if (artificial == 0) break;
    assert_true(fg_basis_penalise(net));
  }
  fg_shipment *plan = malloc((p->n + p->m) * sizeof *plan);
  int64_t *a = calloc(p->n, sizeof *a), *b = calloc(p->m, sizeof *b);
  assert_true(plan && a && b);
  size_t count = fg_basis_plan(net, plan);
  assert_true(count <= p->n + p->m - 1);
  const int64_t *u = fg_basis_u(net), *v = fg_basis_v(net);
  wide primal = 0, dual = 0;
  for (size_t k = 0; k < count; k++) {
    assert_true(plan[k].amount > 0);
    a[plan[k].from] += plan[k].amount;
    b[plan[k].to] += plan[k].amount;
    primal += (wide)plan[k].amount * cost_of(p, plan[k].from, plan[k].to);
  }
  assert_memory_equal(a, p->a, p->n * sizeof *a);
  assert_memory_equal(b, p->b, p->m * sizeof *b);
  for (size_t k = 0; k < p->count; k++) assert_true(u[p->arcs[k].i] + v[p->arcs[k].j] <= p->arcs[k].cost);
  for (size_t i = 0; i < p->n; i++) dual += (wide)p->a[i] * u[i];
  for (size_t j = 0; j < p->m; j++) dual += (wide)p->b[j] * v[j];
  assert_true(primal == dual);
  free(plan);
  free(a);
  free(b);
  return primal;
}

static fg_basis *begin(const problem *p, size_t count, const fg_arc *arcs)
{
  fg_basis *net;
  fg_status st;
  int64_t *zero = calloc(p->n + p->m, sizeof *zero);
  assert_non_null(zero);
  if (fg_basis_create(p->n, p->m, p->a, p->b, &net, &st) != FG_OK) fail_msg("%s", st.message);
  if (fg_basis_add(net, count, arcs, &st) != FG_OK) fail_msg("%s", st.message);
  if (fg_basis_start(net, zero, zero, &st) != FG_OK) fail_msg("%s", st.message);
  free(zero);
  return net;
}

static void optimal(void **unused)
{
  (void)unused;
  static const struct {
    size_t n, m;
    int d, random;
    uint32_t side;
  } cases[] = {{1, 1, 2, 0, 9},   {1, 9, 2, 1, 9},    {9, 1, 2, 0, 9},       {2, 2, 1, 1, 2},
               {7, 7, 2, 0, 1},   {40, 40, 1, 0, 50}, {40, 40, 2, 0, 3},     {60, 60, 2, 0, 1u << 20},
               {60, 60, 2, 1, 4}, {80, 37, 1, 0, 7},  {50, 90, 3, 1, 30000}, {90, 90, 2, 1, 1u << 23}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
    for (uint64_t seed = 0; seed < 6; seed++) {
      problem p = create(cases[c].n, cases[c].m);
      fill_masses(&p, 10 * seed, cases[c].random);
      fill_costs(&p, 10 * seed, cases[c].d, cases[c].side);
      fg_basis *net = begin(&p, p.count, p.arcs);
      (void)solve(net, &p);
      fg_basis_destroy(&net);
      clear(&p);
    }
}

/* Few candidates first (no plan exists over them), then violators of the rest until none is left, pruning in between:
 * the basis is kept, and the end is that of the complete list. */
static void candidates_in_rounds(void **unused)
{
  (void)unused;
  for (uint64_t seed = 0; seed < 8; seed++) {
    problem p = create(60, seed % 2 ? 45 : 60);
    fill_masses(&p, seed, seed % 4 >= 2);
    fill_costs(&p, seed, 2, seed < 4 ? 8 : 100000);
    fg_basis *net = begin(&p, p.m, p.arcs); /* the first row's */
    fg_status st;
    int64_t artificial;
    fg_arc *more = malloc(p.count * sizeof *more);
    assert_non_null(more);
    size_t found = 1, rounds = 0;
    while (found > 0) {
      assert_true(++rounds < 500);
      if (fg_basis_solve(net, NULL, &artificial, &st) != FG_OK) fail_msg("%s", st.message);
      if (artificial > 0) (void)fg_basis_penalise(net);
      const int64_t *u = fg_basis_u(net), *v = fg_basis_v(net);
      found = 0;
      for (size_t a = 0; a < p.count; a++)
        if (p.arcs[a].cost - u[p.arcs[a].i] - v[p.arcs[a].j] < 0 && (a + rounds) % 3 == 0)
          more[found++] = p.arcs[a];
      for (size_t a = 0; a < p.count && found == 0; a++)
        if (p.arcs[a].cost - u[p.arcs[a].i] - v[p.arcs[a].j] < 0) more[found++] = p.arcs[a];
      if (rounds % 4 == 0) fg_basis_prune(net, INT64_MAX / 4);
      if (rounds == 3) fg_basis_prune(net, 0);
      if (found > 0 && fg_basis_add(net, found, more, &st) != FG_OK) fail_msg("%s", st.message);
    }
    (void)solve(net, &p);
    free(more);
    fg_basis_destroy(&net);
    clear(&p);
  }
}

static void no_plan_over_candidates(void **unused)
{
  (void)unused;
  int64_t a[2] = {1, 1}, b[2] = {1, 1}, zero[2] = {0, 0}, artificial;
  fg_arc arcs[2] = {{0, 0, 5}, {1, 0, 5}}; /* nothing reaches column 1 */
  fg_basis *net;
  fg_status st;
  assert_int_equal(fg_basis_create(2, 2, a, b, &net, &st), FG_OK);
  assert_int_equal(fg_basis_add(net, 2, arcs, &st), FG_OK);
  assert_int_equal(fg_basis_start(net, zero, zero, &st), FG_OK);
  do assert_int_equal(fg_basis_solve(net, NULL, &artificial, &st), FG_OK);
  while (fg_basis_penalise(net));
  assert_int_equal(artificial, 1);
  fg_basis_destroy(&net);
  fg_basis_destroy(&net);
}

/* Stopped early, the next solve goes on and ends where it would have ended. */
static void stopped_and_resumed(void **unused)
{
  (void)unused;
  problem p = create(300, 300);
  fill_masses(&p, 5, 1);
  fill_costs(&p, 5, 2, 1u << 20);
  fg_basis *net = begin(&p, p.count, p.arcs);
  volatile sig_atomic_t cancel = 1;
  fg_progress progress = {NULL, NULL, &cancel};
  fg_status st;
  int64_t artificial;
  assert_int_equal(fg_basis_solve(net, &progress, &artificial, &st), FG_INTERRUPTED);
  size_t pivots = fg_basis_pivots(net);
  assert_true(pivots > 0);
  wide value = solve(net, &p);
  assert_true(fg_basis_pivots(net) > pivots);
  fg_basis *whole = begin(&p, p.count, p.arcs);
  assert_true(solve(whole, &p) == value);
  fg_basis_destroy(&net);
  fg_basis_destroy(&whole);
  clear(&p);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(optimal),
      cmocka_unit_test(candidates_in_rounds),
      cmocka_unit_test(no_plan_over_candidates),
      cmocka_unit_test(stopped_and_resumed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: analysis */
/* The search over all pairs, by trees and by an engine, against a search through all pairs: every answer to the bit, ties and
 * duplicates included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "analysis/transport/search_panel.h"
#include "formula/random.h"
#include "flowgap/engine.h"

enum { K = 7 };

static fg_engine *engine; /* that searches; NULL: trees do */

typedef struct problem {
  size_t n, m, d;
  fg_cells x, y;
  fg_search_cost cost;
  int64_t *u, *v;
  fg_search *search;
} problem;

typedef enum shape { CLOUD, LATTICE, ONE_PLACE, FAR_FROM_ZERO, SHAPES } shape;

static void fill(uint64_t seed, size_t n, size_t d, shape of, fg_cells *cells)
{
  double *x = malloc(n * d * sizeof *x);
  int64_t *mass = malloc(n * sizeof *mass);
  fg_status st;
  for (size_t i = 0; i < n * d; i++) {
    double z = 0.2 * fg_normal(seed, 1, i, 0, 0);
    x[i] = of == LATTICE ? floor(8 * z) / 8 : of == ONE_PLACE ? 0.3 : of == FAR_FROM_ZERO ? z + 1e6 : z;
  }
  for (size_t i = 0; i < n; i++) mass[i] = 1;
  if (fg_cells_create(n, d, x, mass, cells, &st) != FG_OK) fail_msg("%s", st.message);
  free(x);
  free(mass);
}

static int64_t reduced(const problem *p, size_t i, size_t j)
{
  return fg_search_cost_of(p->search, i, j) - p->u[i] - p->v[j];
}

static double squared(const problem *p, size_t i, size_t j)
{
  double sum = 0;
  for (size_t k = 0; k < p->d; k++) {
    double gap = p->x.rows[i * p->d + k] - p->y.rows[j * p->d + k];
    sum += gap * gap;
  }
  return sum;
}

/* Duals near feasible: v_j = min_i c_ij - u_i for wavy u, then a few of them raised. */
static void make(uint64_t seed, fg_threads *threads, size_t n, size_t m, size_t d, shape of, double cap,
                 problem *p)
{
  fg_status st;
  *p = (problem){.n = n, .m = m, .d = d, .cost = {cap, ldexp(1 / fmin(cap, 4.0 * (double)d), 44)}};
  fill(seed, n, d, of, &p->x);
  fill(seed + 1, m, d, of, &p->y);
  p->u = malloc(n * sizeof *p->u);
  p->v = malloc(m * sizeof *p->v);
  if (fg_search_create(engine, threads, &p->x, &p->y, d, p->cost, &p->search, &st) != FG_OK)
    fail_msg("%s", st.message);
  for (size_t i = 0; i < n; i++) p->u[i] = (int64_t)(0.05 * p->cost.scale * sin(5 * p->x.rows[i * d]));
  for (size_t j = 0; j < m; j++) {
    p->v[j] = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
      int64_t slack = fg_search_cost_of(p->search, i, j) - p->u[i];
      p->v[j] = slack < p->v[j] ? slack : p->v[j];
    }
  }
}

static void clear(problem *p)
{
  fg_search_destroy(&p->search);
  fg_cells_clear(&p->x);
  fg_cells_clear(&p->y);
  free(p->u);
  free(p->v);
}

static int ascending(const void *a, const void *b)
{
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* arcs: for each row, then each column, its `keep` least reduced costs below `limit`, ascending, no pair twice. */
static void check_pairs(const problem *p, size_t keep, int64_t limit, const fg_arc *arcs, size_t count)
{
  size_t longest = p->n > p->m ? p->n : p->m, at = 0;
  int64_t *all = malloc(longest * sizeof *all);
  for (int side = 0; side < 2; side++) {
    size_t rows = side ? p->m : p->n, others = side ? p->n : p->m;
    for (size_t r = 0; r < rows; r++) {
      for (size_t o = 0; o < others; o++) all[o] = side ? reduced(p, o, r) : reduced(p, r, o);
      qsort(all, others, sizeof *all, ascending);
      size_t first = at;
      for (size_t a = 0; a < keep && a < others && all[a] < limit; a++, at++) {
        assert_true(at < count);
        assert_int_equal(side ? arcs[at].j : arcs[at].i, r);
        assert_int_equal(arcs[at].cost, fg_search_cost_of(p->search, arcs[at].i, arcs[at].j));
        assert_int_equal(reduced(p, arcs[at].i, arcs[at].j), all[a]);
        for (size_t b = first; b < at; b++) assert_false(arcs[b].i == arcs[at].i && arcs[b].j == arcs[at].j);
      }
    }
  }
  assert_int_equal(at, count);
  free(all);
}

static void check_violators(problem *p, int64_t tolerance, size_t per_row)
{
  fg_arc *arcs = malloc((p->n + p->m) * (per_row + 1) * sizeof *arcs);
  int64_t worst = -1, want = 0;
  size_t count;
  fg_status st;
  if (fg_search_violators(p->search, p->u, p->v, tolerance, per_row, arcs, &count, &worst, NULL, &st) !=
      FG_OK)
    fail_msg("%s", st.message);
  for (size_t i = 0; i < p->n; i++)
    for (size_t j = 0; j < p->m; j++) want = -reduced(p, i, j) > want ? -reduced(p, i, j) : want;
  assert_int_equal(worst, want);
  check_pairs(p, per_row, -tolerance, arcs, count);
  free(arcs);
}

static void check_all(problem *p)
{
  fg_arc *arcs = malloc((p->n + p->m) * K * sizeof *arcs);
  int64_t *v = malloc(p->m * sizeof *v);
  double *ur = malloc(p->n * sizeof *ur), *vr = malloc(p->m * sizeof *vr);
  size_t count;
  fg_status st;
  assert_int_equal(fg_search_transform(p->search, p->u, v, NULL, &st), FG_OK);
  assert_memory_equal(v, p->v, p->m * sizeof *v);
  assert_int_equal(fg_search_nearest(p->search, p->u, p->v, K, arcs, &count, NULL, &st), FG_OK);
  check_pairs(p, K, INT64_MAX, arcs, count);
  check_violators(p, 0, 3);
  int64_t step = (int64_t)(0.001 * p->cost.scale);
  for (size_t j = 0; j < p->m; j += 5) p->v[j] += (int64_t)(j % 3 + 1) * step;
  check_violators(p, 0, 3);
  check_violators(p, 2 * step, 2);
  check_violators(p, 0, 0);
  for (size_t i = 0; i < p->n; i++) ur[i] = (double)p->u[i] / p->cost.scale;
  assert_int_equal(fg_search_certify(p->search, ur, vr, NULL, &st), FG_OK);
  for (size_t j = 0; j < p->m; j++) {
    double want = INFINITY;
    for (size_t i = 0; i < p->n; i++) want = fmin(want, squared(p, i, j) - ur[i]);
    assert_true(vr[j] == want);
  }
  free(arcs);
  free(v);
  free(ur);
  free(vr);
}

static void every_pair(void **unused)
{
  (void)unused;
  const size_t sizes[][2] = {{1, 1}, {1, 70}, {33, 1}, {32, 64}, {150, 97}, {65, 260}};
  uint64_t seed = 40;
  problem p;
  for (size_t d = 1; d <= 20; d = d < 8 ? d + 1 : d + 6)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
      for (int of = 0; of < SHAPES; of++) {
        make(seed += 2, NULL, sizes[s][0], sizes[s][1], d, (shape)of, 4.0 * (double)d, &p);
        check_all(&p);
        clear(&p);
      }
}

/* A cap between the distances: pairs beyond it all cost the same. */
static void capped(void **unused)
{
  (void)unused;
  problem p;
  for (size_t d = 1; d <= 10; d += 3)
    for (int of = 0; of < SHAPES; of++) {
      make(7, NULL, 130, 100, d, (shape)of, 0.01 * (double)d, &p);
      check_all(&p);
      clear(&p);
    }
}

/* Duals far apart leave single precision little: the filter must not lose pairs. */
static void wide_duals(void **unused)
{
  (void)unused;
  problem p;
  make(9, NULL, 200, 180, 10, CLOUD, 40, &p);
  for (size_t i = 0; i < p.n; i += 50) p.u[i] -= (int64_t)1 << 50;
  for (size_t i = 0; i < p.n; i++) p.u[i] += (int64_t)1 << 49;
  for (size_t j = 0; j < p.m; j++) p.v[j] -= (int64_t)1 << 49;
  check_violators(&p, 0, 3);
  for (size_t j = 0; j < p.m; j += 7) p.v[j] += 1; /* one unit in 2^44: only exact arithmetic sees it */
  check_violators(&p, 0, 3);
  clear(&p);
}

static void any_threads(void **unused)
{
  (void)unused;
  for (size_t d = 2; d <= 10; d += 8) {
    problem one, four;
    fg_threads *pool;
    fg_arc *a = malloc(3000 * K * sizeof *a), *b = malloc(3000 * K * sizeof *b);
    size_t count_a, count_b;
    assert_int_equal(fg_threads_create(4, &pool, NULL), FG_OK);
    make(21, NULL, 1400, 1600, d, LATTICE, 4.0 * (double)d, &one);
    make(21, pool, 1400, 1600, d, LATTICE, 4.0 * (double)d, &four);
    assert_int_equal(fg_search_nearest(one.search, one.u, one.v, K, a, &count_a, NULL, NULL), FG_OK);
    assert_int_equal(fg_search_nearest(four.search, one.u, one.v, K, b, &count_b, NULL, NULL), FG_OK);
    assert_int_equal(count_a, count_b);
    assert_memory_equal(a, b, count_a * sizeof *a);
    clear(&one);
    clear(&four);
    fg_threads_destroy(&pool);
    free(a);
    free(b);
  }
}

/* One panel by every instruction set: the same bits, and a filter that lets nothing through that it should not. */
static void any_instructions(void **unused)
{
  (void)unused;
  enum { D = 9 };
  double x[D * FG_PANEL], y[D * FG_PANEL], dual[FG_PANEL], key[2][FG_PANEL], bound[2][FG_PANEL];
  double low[D], high[D];
  float start[FG_PANEL], single[D * FG_PANEL], quartet[D * FG_QUARTET], limit[FG_QUARTET];
  const fg_cost_rule rule = {2.5, 1e9, 6755399441055744.0};
  for (size_t i = 0; i < D * FG_PANEL; i++) {
    x[i] = 0.4 * fg_normal(31, 1, i, 0, 0);
    y[i] = 0.4 * fg_normal(32, 1, i, 0, 0);
    single[i] = (float)y[i];
  }
  for (size_t j = 0; j < FG_PANEL; j++) dual[j] = floor(1e8 * fg_normal(33, 1, j, 0, 0));
  for (size_t k = 0; k < D; k++) low[k] = -0.1 * (double)k, high[k] = 0.05;
  const fg_search_kernels *widest = fg_search_kernels_pick(0), *other;
  for (size_t which = 1; (other = fg_search_kernels_pick(which)); which++) {
    for (size_t q = 0; q < FG_PANEL; q++) {
      uint64_t bits = widest->keys(D, x + q, y, dual, &rule, 1e9, key[0]);
      assert_int_equal(other->keys(D, x + q, y, dual, &rule, 1e9, key[1]), bits);
      assert_memory_equal(key[0], key[1], sizeof key[0]);
      for (size_t j = 0; j < FG_PANEL; j++) assert_int_equal(bits >> j & 1, key[0][j] < 1e9);
    }
    widest->bounds(D, x, low, high, &rule, 3, bound[0]);
    other->bounds(D, x, low, high, &rule, 3, bound[1]);
    assert_memory_equal(bound[0], bound[1], sizeof bound[0]);
  }
  for (size_t which = 0; (other = fg_search_kernels_pick(which)); which++)
    for (size_t trial = 0; trial < FG_PANEL; trial++) {
      unsigned want = 0;
      for (size_t q = 0; q < FG_QUARTET; q++) limit[q] = (float)(-0.5 - 0.5 * (double)q);
      for (size_t i = 0; i < D * FG_QUARTET; i++) quartet[i] = (float)x[(i + 7 * trial) % (D * FG_PANEL)];
      for (size_t j = 0; j < FG_PANEL; j++) {
        start[j] = (float)(0.1 * fg_normal(34, 1, j, (uint32_t)trial, 0));
        for (size_t q = 0; q < FG_QUARTET; q++) {
          double sum = (double)start[j];
          for (size_t k = 0; k < D; k++)
            sum += (double)quartet[k * FG_QUARTET + q] * (double)single[k * FG_PANEL + j];
          if (sum < (double)limit[q]) want |= 1U << q;
          assert_true(fabs(sum - (double)limit[q]) > 1e-5); /* beyond the rounding of singles: no toss-up */
        }
      }
      assert_int_equal(other->filter(D, quartet, single, start, limit), want);
    }
}

static void stopped(void **unused)
{
  (void)unused;
  problem p;
  fg_arc arcs[200 * K];
  size_t count;
  int64_t worst;
  fg_status st;
  volatile sig_atomic_t stop = 1;
  fg_progress progress = {.cancel = &stop};
  make(3, NULL, 100, 100, 2, CLOUD, 8, &p);
  assert_int_equal(fg_search_nearest(p.search, p.u, p.v, K, arcs, &count, &progress, &st), FG_INTERRUPTED);
  assert_int_equal(fg_search_violators(p.search, p.u, p.v, 0, K, arcs, &count, &worst, &progress, &st),
                   FG_INTERRUPTED);
  assert_int_equal(fg_search_transform(p.search, p.u, p.v, &progress, &st), FG_INTERRUPTED);
  assert_int_equal(fg_search_nearest(p.search, p.u, p.v, FG_SEARCH_MOST + 1, arcs, &count, NULL, &st),
                   FG_USAGE);
  clear(&p);
}

/* All of it again by an engine that hides its buffers from the host. */
static void by_engine(void **unused)
{
  assert_int_equal(fg_engine_open("cpu-check", 1, &engine, NULL), FG_OK);
  assert_int_equal(engine->price_pairs, 0); /* a processor has its trees */
  engine->price_pairs = 1;
  every_pair(unused);
  capped(unused);
  wide_duals(unused);
  any_threads(unused);
  stopped(unused);
  fg_engine_close(&engine);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_pair),       cmocka_unit_test(capped),
                                     cmocka_unit_test(wide_duals),       cmocka_unit_test(any_threads),
                                     cmocka_unit_test(any_instructions), cmocka_unit_test(stopped),
                                     cmocka_unit_test(by_engine)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

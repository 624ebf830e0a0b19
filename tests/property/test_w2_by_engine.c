/* needs: analysis cuda_on_cpu */
/* Exact transport whose pairs an engine prices, against the same by trees: values, bounds, what a stop leaves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cuda_on_cpu/shim.h"

#include "flowgap/distance.h"
#include "formula/random.h"

#if defined __SANITIZE_THREAD__ || defined SHIM_CHECKED /* slow */
enum { N = 150, BINS = 12 };
#else
enum { N = 600, BINS = 24 };
#endif

static fg_engine *engines[3];
static const char *const names[3] = {"cpu", "cpu-check", "cuda"};

typedef struct w2_case {
  const char *name;
  size_t n, m, d;
  int weighted, lattice;
  double shift;
  double far; /* where one point common to both lies; 0: none */
} w2_case;

static const w2_case cases[] = {
    {"plane", N, N, 2, 0, 0, 0.3, 0},
    {"plane, weights", N, N / 2, 2, 1, 0, 0.1, 0},
    {"lattice", N, N, 2, 0, 1, 0.25, 0},
    {"space, weights", N / 2, N, 3, 1, 0, 0.2, 0},
    {"six dimensions", N / 3, N, 6, 0, 0, 1, 0},
    {"one far point", N / 2, N / 2, 2, 0, 0, 0.01, 1e4},
};
enum { CASES = sizeof cases / sizeof *cases };

static double x[N * 6], y[N * 6], wx[N], wy[N];

static void fill(const w2_case *c)
{
  for (size_t i = 0; i < c->n * c->d; i++) x[i] = fg_normal(1, 1, i, 0, 0);
  for (size_t j = 0; j < c->m * c->d; j++) y[j] = c->shift + fg_normal(2, 1, j, 0, 0);
  if (c->far != 0)
    for (size_t k = 0; k < c->n * c->d; k++) y[k] = x[k] + c->shift * fg_normal(3, 1, k, 0, 0);
  for (size_t k = 0; c->far != 0 && k < c->d; k++) x[k] = y[k] = c->far;
  for (size_t i = 0; c->lattice && i < c->n * c->d; i++) x[i] = floor(4 * x[i]) / 4;
  for (size_t j = 0; c->lattice && j < c->m * c->d; j++) y[j] = floor(4 * y[j]) / 4;
  for (size_t i = 0; i < c->n; i++) wx[i] = 0.1 + fabs(fg_normal(4, 1, i, 0, 0));
  for (size_t j = 0; j < c->m; j++) wy[j] = 0.1 + fabs(fg_normal(5, 1, j, 0, 0));
}

static fg_w2 solve(fg_engine *engine, const w2_case *c)
{
  fg_w2 w2;
  fg_status st;
  if (fg_w2_exact(engine, NULL, c->n, c->m, c->d, x, c->weighted ? wx : NULL, y, c->weighted ? wy : NULL,
                  NULL, &w2, &st) != FG_OK)
    fail_msg("%s: %s", c->name, st.message);
  return w2;
}

/* The optimum is one whole number; the plan may be another one where several are optimal, and with it the order in
 * which its cost is added up. The dual bound is that of other optimal duals: both are within 1e-10 of the value. */
static void samples(void **state)
{
  (void)state;
  for (size_t k = 0; k < CASES; k++) {
    fill(&cases[k]);
    const fg_w2 trees = solve(NULL, &cases[k]);
    for (int e = 0; e < 3; e++) {
      const fg_w2 own = solve(engines[e], &cases[k]);
      if (!(fabs(own.primal - trees.primal) <= 1e-13 * trees.primal) ||
          !(fabs(own.dual - trees.dual) <= 1e-10 * trees.primal))
        fail_msg("%s on %s: %.17g >= %.17g, by trees %.17g >= %.17g", cases[k].name, names[e], own.primal,
                 own.dual, trees.primal, trees.dual);
    }
  }
}

/* Costs of bins are whole numbers throughout: the same bits. */
static void bins(void **state)
{
  (void)state;
  const fg_w2_grid_settings grid = {BINS, 3};
  static double p[BINS * BINS], q[BINS * BINS];
  fg_w2 trees, own;
  for (size_t k = 0; k < BINS * BINS; k++) {
    p[k] = floor(8 * fabs(fg_normal(7, 1, k, 0, 0)));
    q[k] = floor(8 * fabs(fg_normal(8, 1, k, 0, 0)));
  }
  assert_int_equal(fg_w2_grid(NULL, NULL, &grid, p, q, NULL, &trees, NULL), FG_OK);
  for (int e = 0; e < 3; e++) {
    assert_int_equal(fg_w2_grid(engines[e], NULL, &grid, p, q, NULL, &own, NULL), FG_OK);
    assert_true(own.primal == trees.primal && own.dual == trees.dual);
  }
}

/* The slot is what ran, and small problems do not come to it. */
static void who_prices(void **state)
{
  (void)state;
  fill(&cases[0]);
  const long before = shim_calls("fg_price_kernel");
  (void)solve(engines[2], &cases[0]);
  const long after = shim_calls("fg_price_kernel");
  assert_true(after > before);
  engines[2]->price_pairs = (size_t)N * N + 1;
  (void)solve(engines[2], &cases[0]);
  assert_int_equal(shim_calls("fg_price_kernel"), after);
  engines[2]->price_pairs = (size_t)N * N; /* the finest level alone */
  (void)solve(engines[2], &cases[0]);
  assert_true(shim_calls("fg_price_kernel") > after);
  engines[2]->price_pairs = 1;
}

/* Replicates ask from many threads at once. */
static void replicates(void **state)
{
  (void)state;
  fg_estimate trees, own;
  fg_estimate_settings s;
  fg_engine *many = NULL;
  fg_estimate_defaults(FG_W2_EXACT, &s);
  s.replicates = 8;
  s.permutations = 9;
  fill(&cases[1]);
  assert_int_equal(fg_cuda_engine_open(3, &many, NULL), FG_OK);
  many->price_pairs = 1;
  assert_int_equal(fg_estimate_w2(NULL, &s, 120, 90, 2, x, NULL, y, NULL, NULL, &trees, NULL), FG_OK);
  assert_int_equal(fg_estimate_w2(many, &s, 120, 90, 2, x, NULL, y, NULL, NULL, &own, NULL), FG_OK);
  fg_engine_close(&many);
  assert_true(own.p_value == trees.p_value);
  assert_true(fabs(own.floor - trees.floor) <= 1e-12);
  assert_true(fabs(own.ci_low - trees.ci_low) <= 1e-12);
  assert_true(fabs(own.ci_high - trees.ci_high) <= 1e-12);
}

typedef struct stopper {
  volatile sig_atomic_t stop;
} stopper;

static void fails(void **state)
{
  (void)state;
  stopper s = {1};
  const fg_progress progress = {.cancel = &s.stop};
  fg_status st = {0};
  fg_w2 w2;
  const long before = shim_live();
  fill(&cases[0]);
  const w2_case *c = &cases[0];
  assert_int_equal(fg_w2_exact(engines[2], NULL, c->n, c->m, c->d, x, NULL, y, NULL, &progress, &w2, &st),
                   FG_INTERRUPTED);
  assert_true(isnan(w2.value) && w2.dual >= 0);
  shim_fail_after("fg_price_kernel", 700, 3);
  assert_int_equal(fg_w2_exact(engines[2], NULL, c->n, c->m, c->d, x, NULL, y, NULL, NULL, &w2, &st),
                   FG_FAILED);
  assert_non_null(strstr(st.message, "--engine cpu"));
  shim_fail_after("cudaMemcpyAsync", 700, 5);
  assert_int_equal(fg_w2_exact(engines[2], NULL, c->n, c->m, c->d, x, NULL, y, NULL, NULL, &w2, &st),
                   FG_FAILED);
  assert_int_equal(shim_live(), before);
}

static int open_engines(void **state)
{
  (void)state;
  if (fg_engine_open("cpu", 2, &engines[0], NULL) != FG_OK ||
      fg_engine_open("cpu-check", 1, &engines[1], NULL) != FG_OK ||
      fg_cuda_engine_open(1, &engines[2], NULL) != FG_OK || engines[2]->price_pairs == 0)
    return -1;
  for (int e = 0; e < 3; e++) engines[e]->price_pairs = 1;
  return 0;
}

static int close_engines(void **state)
{
  (void)state;
  for (int e = 0; e < 3; e++) fg_engine_close(&engines[e]);
  return shim_live() == 0 ? 0 : -1;
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(samples), cmocka_unit_test(bins),
                                     cmocka_unit_test(replicates), cmocka_unit_test(who_prices),
                                     cmocka_unit_test(fails)};
  return cmocka_run_group_tests(tests, open_engines, close_engines);
}

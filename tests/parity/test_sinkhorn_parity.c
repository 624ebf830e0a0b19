/* needs: analysis */
/* Entropic transport against POT (make_sinkhorn_fixtures.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "flowgap/analysis.h"
#include "parity/sinkhorn_fixtures.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The generator of make_transport_fixtures.py: the same bits. */
static double unit(uint64_t *state)
{
  *state = 6364136223846793005u * *state + 1442695040888963407u;
  return (double)(*state >> 33) / 2147483648.0;
}

static double *numbers(uint64_t *state, size_t count)
{
  double *x = malloc(count * sizeof *x);
  assert_non_null(x);
  for (size_t i = 0; i < count; i++) x[i] = unit(state);
  return x;
}

static double *points(uint64_t *state, size_t n, size_t d, int clusters)
{
  double *x = numbers(state, n * d);
  for (size_t i = 0; clusters && i < n * d; i++) x[i] += 5 * floor(3 * unit(state));
  return x;
}

static void near(double got, double want, double slack, const char *what, size_t at)
{
  if (!(fabs(got - want) <= slack))
    fail_msg("%s %zu: got %.17g, want %.17g (off by %.3g)", what, at, got, want, got - want);
}

static void sinkhorn_is_pot(void **unused)
{
  (void)unused;
  fg_engine *engine;
  assert_int_equal(fg_engine_open("cpu", 1, &engine, NULL), FG_OK);
  for (size_t k = 0; k < COUNT(fixture_sinkhorn); k++) {
    uint64_t state = fixture_sinkhorn[k].seed;
    const size_t n = fixture_sinkhorn[k].n, m = fixture_sinkhorn[k].m, d = fixture_sinkhorn[k].d;
    double *x = points(&state, n, d, fixture_sinkhorn[k].clusters);
    double *y = points(&state, m, d, fixture_sinkhorn[k].clusters);
    double *wx = NULL, *wy = NULL;
    if (fixture_sinkhorn[k].weighted) {
      wx = numbers(&state, n);
      wy = numbers(&state, m);
    }
    fg_sinkhorn plain, debiased;
    fg_sinkhorn_settings s;
    fg_status st;
    const int squared = fixture_sinkhorn[k].squared;
    fg_sinkhorn_defaults(squared ? FG_COST_SQUARED : FG_COST_EUCLIDEAN, &s);
    s.epsilon = fixture_sinkhorn[k].epsilon;
    s.tolerance = 1e-9;
    s.debiased = false;
    if (fg_w2_sinkhorn(engine, NULL, &s, n, m, d, x, wx, y, wy, NULL, &plain, &st) != FG_OK)
      fail_msg("%s", st.message);
    s.debiased = true;
    if (fg_w2_sinkhorn(engine, NULL, &s, n, m, d, x, wx, y, wy, NULL, &debiased, &st) != FG_OK)
      fail_msg("%s", st.message);
    /* Objectives are off by the square of the marginal error. The plan's cost is off by that error, 1e-9, times how fast
     * potentials change: up to the costs, 200 with clusters. */
    const double size = fixture_sinkhorn[k].clusters ? 200 : 2;
    near(plain.between, fixture_sinkhorn[k].between, 1e-11 * size, "OT", k);
    near(squared ? plain.squared : plain.value, fixture_sinkhorn[k].cost, 1e-8 * size, "cost", k);
    near(debiased.within_x, fixture_sinkhorn[k].within_x, 1e-11 * size, "OT of x", k);
    near(debiased.within_y, fixture_sinkhorn[k].within_y, 1e-11 * size, "OT of y", k);
    near(squared ? debiased.squared : debiased.value,
         fixture_sinkhorn[k].between - (fixture_sinkhorn[k].within_x + fixture_sinkhorn[k].within_y) / 2,
         1e-11 * size, "divergence", k);
    free(x);
    free(y);
    free(wx);
    free(wy);
  }
  fg_engine_close(&engine);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(sinkhorn_is_pot)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

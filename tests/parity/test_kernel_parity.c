/* needs: analysis */
/* MMD, energy distance and the median distance against NumPy and SciPy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>

#include "analysis/transport/kernel_distance.h"
#include "parity/kernel_fixtures.h"

enum { CASES = sizeof fixture_kernel / sizeof *fixture_kernel, MOST = 4000 };

static double x[MOST], y[MOST], wx[MOST], wy[MOST];

/* The generator of make_transport_fixtures.py: the same bits. */
static double unit(uint64_t *state)
{
  *state = 6364136223846793005u * *state + 1442695040888963407u;
  return (double)(*state >> 33) / 2147483648.0;
}

static void points(uint64_t *state, size_t count, int clusters, double *to)
{
  for (size_t i = 0; i < count; i++) to[i] = unit(state);
  for (size_t i = 0; clusters && i < count; i++) to[i] += 5 * floor(3 * unit(state));
}

static void kernels_are_numpy(void **unused)
{
  (void)unused;
  fg_engine *engine;
  fg_status st;
  assert_int_equal(fg_engine_open("cpu", 1, &engine, &st), FG_OK);
  for (size_t k = 0; k < CASES; k++) {
    uint64_t state = fixture_kernel[k].seed;
    const size_t n = fixture_kernel[k].n, m = fixture_kernel[k].m, d = fixture_kernel[k].d;
    const int weighted = fixture_kernel[k].weighted;
    fg_kernel_distance mmd, energy;
    points(&state, n * d, fixture_kernel[k].clusters, x);
    points(&state, m * d, fixture_kernel[k].clusters, y);
    if (weighted) points(&state, n, 0, wx);
    if (weighted) points(&state, m, 0, wy);
    const double h = fixture_kernel[k].given > 0 ? fixture_kernel[k].given : NAN;
    const double *left = weighted ? wx : NULL, *right = weighted ? wy : NULL;
    if (fg_mmd(engine, NULL, h, n, m, d, x, left, y, right, NULL, &mmd, &st) != FG_OK)
      fail_msg("%s", st.message);
    if (fg_energy(engine, NULL, n, m, d, x, left, y, right, NULL, &energy, &st) != FG_OK)
      fail_msg("%s", st.message);
    /* means of numbers up to 1, and up to 25, in doubles */
    assert_true(fabs(mmd.bandwidth / fixture_kernel[k].bandwidth - 1) < 1e-14);
    assert_true(fabs(mmd.squared - fixture_kernel[k].mmd) < 1e-13);
    assert_true(fabs(energy.squared - fixture_kernel[k].energy) < 1e-12);
  }
  fg_engine_close(&engine);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(kernels_are_numpy)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

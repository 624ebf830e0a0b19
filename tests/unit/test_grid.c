/* needs: sde */
/* Time grids: formulas, exact ends, order, refinement, messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "flowgap/sde.h"

static fg_grid *made(fg_grid_kind kind, double from, double to, size_t steps)
{
  fg_grid *g = NULL;
  fg_status st = {0};
  if (fg_grid_create(kind, from, to, steps, &g, &st) != FG_OK) fail_msg("%s", st.message);
  assert_int_equal(fg_grid_steps(g), steps);
  assert_true(fg_grid_times(g)[0] == from && fg_grid_times(g)[steps] == to);
  for (size_t k = 0; k < steps; k++) assert_true(fg_grid_times(g)[k + 1] < fg_grid_times(g)[k]);
  return g;
}

static void formulas(void **state)
{
  (void)state;
  const double ends[][2] = {{10, 0}, {1, 1e-4}, {0.3, 0.1}, {1e-9, 0}};
  const size_t counts[] = {1, 2, 7, 100, 4097};
  for (size_t e = 0; e < 4; e++)
    for (size_t c = 0; c < 5; c++)
      for (int kind = FG_GRID_UNIFORM; kind <= FG_GRID_COSINE; kind++) {
        double from = ends[e][0], to = ends[e][1];
        size_t n = counts[c];
        fg_grid *g = made((fg_grid_kind)kind, from, to, n);
        for (size_t k = 0; k <= n; k++) {
          double z = (double)k / (double)n, part = 1 - z;
          if (kind == FG_GRID_QUADRATIC) part = (1 - z) * (1 - z);
          /* 1 - sin^2 cancels near the data: the tolerance is absolute, a few roundings. */
          if (kind == FG_GRID_COSINE) part = 1 - pow(sin(acos(-1.0) * (double)k / (2.0 * (double)n)), 2);
          assert_true(fabs(fg_grid_times(g)[k] - to - (from - to) * part) <= 1e-15 * from);
        }
        fg_grid_destroy(&g);
        assert_null(g);
      }
  fg_grid_destroy(NULL);
}

/* The published sampler's grid: 790 coarse steps, then 100 fine ones. */
static void piecewise(void **state)
{
  (void)state;
  const double segments[] = {10, 0.125, 790, 0.125, 0, 100};
  fg_grid *g = NULL;
  fg_status st = {0};
  assert_int_equal(fg_grid_piecewise(segments, 2, &g, &st), FG_OK);
  const double *t = fg_grid_times(g);
  assert_int_equal(fg_grid_steps(g), 890);
  assert_true(t[0] == 10 && t[790] == 0.125 && t[890] == 0);
  for (size_t k = 0; k < 890; k++) {
    /* Rounding of the times, which are at most 10. */
    assert_true(fabs(t[k] - t[k + 1] - (k < 790 ? 0.0125 : 0.00125)) <= 4e-15);
    assert_true(t[k + 1] < t[k]);
  }
  fg_grid_destroy(&g);
  assert_int_equal(fg_grid_piecewise(segments + 3, 1, &g, &st), FG_OK);
  assert_int_equal(fg_grid_steps(g), 100);
  fg_grid_destroy(&g);
}

static void refine(void **state)
{
  (void)state;
  fg_grid *coarse = made(FG_GRID_COSINE, 1, 1e-3, 37), *fine = NULL, *twice = NULL;
  fg_status st = {0};
  for (int levels = 0; levels <= 4; levels++) {
    size_t parts = (size_t)1 << levels;
    assert_int_equal(fg_grid_refine(coarse, levels, &fine, &st), FG_OK);
    assert_int_equal(fg_grid_steps(fine), 37 * parts);
    const double *t = fg_grid_times(coarse), *f = fg_grid_times(fine);
    for (size_t k = 0; k <= 37; k++) assert_true(f[k * parts] == t[k]); /* bit for bit: paths share nodes */
    for (size_t k = 0; k < 37; k++)
      for (size_t j = 0; j <= parts; j++)
        assert_true(fabs(f[k * parts + j] - (t[k] + (t[k + 1] - t[k]) * (double)j / (double)parts)) <= 4e-16);
    fg_grid_destroy(&fine);
  }
  /* Halving twice is refining by two levels, to rounding. */
  assert_int_equal(fg_grid_refine(coarse, 1, &twice, &st), FG_OK);
  fg_grid *again = NULL;
  assert_int_equal(fg_grid_refine(twice, 1, &again, &st), FG_OK);
  assert_int_equal(fg_grid_refine(coarse, 2, &fine, &st), FG_OK);
  for (size_t k = 0; k <= 148; k++)
    assert_true(fabs(fg_grid_times(again)[k] - fg_grid_times(fine)[k]) <= 4e-16);
  fg_grid_destroy(&again);
  fg_grid_destroy(&twice);
  fg_grid_destroy(&fine);
  assert_int_equal(fg_grid_refine(coarse, -1, &fine, &st), FG_USAGE);
  assert_int_equal(fg_grid_refine(coarse, 31, &fine, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "37 steps cannot be halved 31 times"));
  assert_null(fine);
  fg_grid_destroy(&coarse);
}

static void refused(double from, double to, size_t steps, const char *expected)
{
  fg_grid *g = (fg_grid *)&from;
  fg_status st = {0};
  assert_int_equal(fg_grid_create(FG_GRID_UNIFORM, from, to, steps, &g, &st), FG_USAGE);
  assert_null(g);
  if (!strstr(st.message, expected)) fail_msg("message \"%s\" lacks \"%s\"", st.message, expected);
}

static void refused_segments(const double *segments, size_t count, const char *expected)
{
  fg_grid *g = NULL;
  fg_status st = {0};
  assert_int_equal(fg_grid_piecewise(segments, count, &g, &st), FG_USAGE);
  assert_null(g);
  if (!strstr(st.message, expected)) fail_msg("message \"%s\" lacks \"%s\"", st.message, expected);
}

static void messages(void **state)
{
  (void)state;
  refused(1, 0, 0, "0 steps: give at least 1");
  refused(0, 1, 10, "from 0 to 1: noising time must fall");
  refused(1, 1, 10, "noising time must fall");
  refused(1, -0.5, 10, "from 1 to -0.5: times must be finite and >= 0");
  refused(NAN, 0, 10, "must be finite");
  refused(INFINITY, 0, 10, "must be finite");
  refused(1, nextafter(1, 0), 3, "below the precision of doubles");
  refused(1, 0, (size_t)UINT32_MAX + 1, "give at most 4294967295");
  const double gap[] = {10, 1, 5, 0.9, 0, 5}, half[] = {10, 1, 2.5}, none[] = {10, 1, 0},
               up[] = {10, 1, 5, 1, 2, 5};
  refused_segments(gap, 2, "segment 2, starts at 0.9");
  refused_segments(half, 1, "segment 1, [10, 1, 2.5]: the third number counts steps");
  refused_segments(none, 1, "give a whole number");
  refused_segments(up, 2, "segment 2: a time grid from 1 to 2");
  refused_segments(up, 0, "no segments");
  fg_grid *g = NULL;
  assert_int_equal(fg_grid_create((fg_grid_kind)7, 1, 0, 4, &g, NULL), FG_USAGE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(formulas), cmocka_unit_test(piecewise),
                                     cmocka_unit_test(refine), cmocka_unit_test(messages)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

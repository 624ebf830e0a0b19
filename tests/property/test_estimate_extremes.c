/* needs: analysis */
/* Samples at the edge of what an estimate can take: every estimator gives finite figures that are in order, or refuses
 * with a reason; and figures in units of length follow the scale of the coordinates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "flowgap/analysis.h"
#include "formula/random.h"

enum { MOST = 60, WIDE = 50 };

static double x[MOST * WIDE], y[MOST * WIDE], w[MOST];

static void draw(size_t n, size_t d, double scale)
{
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < d; k++) {
      x[i * d + k] = scale * fg_normal(11, 1, i, 0, (uint32_t)k);
      y[i * d + k] = scale * (fg_normal(11, 2, i, 0, (uint32_t)k) + (k == 0 ? 1 : 0));
    }
}

static fg_code estimate(fg_engine *engine, int by, double scale, size_t n, size_t d, const double *weight,
                        fg_estimate *e, fg_status *st)
{
  fg_estimate_settings s;
  fg_estimate_defaults((fg_estimator)by, &s);
  s.directions = 5;
  s.replicates = 5;
  s.permutations = 9;
  s.grid.bins = 24;
  if (isfinite(scale)) s.grid.half_width = 6 * scale;
  memset(e, 0, sizeof *e);
  return fg_estimate_w2(engine, &s, n, n, d, x, weight, y, NULL, NULL, e, st);
}

static bool sound(const fg_estimate *e)
{
  return isfinite(e->squared) && isfinite(e->value) && e->value >= 0 && isfinite(e->floor) && e->floor >= 0 &&
         isfinite(e->ci_low) && e->ci_low >= 0 && isfinite(e->ci_high) && e->ci_high >= e->ci_low &&
         e->p_value > 0 && e->p_value <= 1 && isfinite(e->extrapolated) && isfinite(e->extrapolated_se);
}

static void try_all(fg_engine *engine, const char *what, double scale, size_t n, size_t d,
                    const double *weight)
{
  for (int by = 0; by < FG_ESTIMATORS; by++) {
    fg_estimate e;
    fg_status st = {0};
    char *text = NULL;
    const char *name = fg_estimator_name((fg_estimator)by);
    if (by == FG_W2_GRID && d != 2) continue;
    fg_code rc = estimate(engine, by, scale, n, d, weight, &e, &st);
    print_message("%-12s %-10s %s %.3g floor %.3g [%.3g, %.3g] p %.2g %s\n", what, name,
                  rc == FG_OK ? "" : "refused", e.value, e.floor, e.ci_low, e.ci_high, e.p_value,
                  rc == FG_OK ? "" : st.message);
    if (rc != FG_OK) {
      if (!st.message[0]) fail_msg("%s, %s: refused without a reason", what, name);
      continue;
    }
    if (!sound(&e)) fail_msg("%s, %s: figures are not in order", what, name);
    assert_int_equal(fg_estimate_json((fg_estimator)by, &e, &text, &st), FG_OK);
    if (strstr(text, "nan") || strstr(text, "NaN") || strstr(text, "inf"))
      fail_msg("%s, %s: %s", what, name, text);
    free(text);
  }
}

static void few_and_wide(void **state)
{
  draw(4, 2, 1);
  try_all(*state, "four", NAN, 4, 2, NULL);
  draw(30, 1, 1);
  try_all(*state, "line", NAN, 30, 1, NULL);
  draw(30, WIDE, 1);
  try_all(*state, "wide", NAN, 30, WIDE, NULL);
}

static void coinciding(void **state)
{
  draw(30, 2, 1);
  for (size_t i = 0; i < 60; i++) x[i] = y[i] = 0.5;
  try_all(*state, "one point", NAN, 30, 2, NULL);
  for (int by = 0; by < FG_ESTIMATORS; by++) { /* not even by rounding */
    fg_estimate e;
    fg_status st;
    assert_int_equal(estimate(*state, by, NAN, 30, 2, NULL, &e, &st), FG_OK);
    assert_true(e.value == 0 && e.ci_low == 0 && e.p_value == 1);
  }
  draw(30, 2, 1);
  for (size_t i = 0; i < 60; i++) x[i] = 0.25;
  try_all(*state, "Dirac", NAN, 30, 2, NULL);
  for (size_t i = 0; i < 60; i++) x[i] = -1, y[i] = 1;
  try_all(*state, "two Diracs", NAN, 30, 2, NULL);
  draw(30, 2, 1);
  for (size_t i = 0; i < 30; i++) memcpy(x + 2 * i, x + 2 * (i % 3), 2 * sizeof *x);
  try_all(*state, "duplicates", NAN, 30, 2, NULL);
}

static void weights(void **state)
{
  draw(30, 2, 1);
  for (size_t i = 0; i < 30; i++) w[i] = i % 3 ? 1e-300 * (double)i : 0;
  try_all(*state, "tiny weights", NAN, 30, 2, w);
  for (size_t i = 0; i < 30; i++) w[i] = i ? 1e-12 : 1;
  try_all(*state, "one weight", NAN, 30, 2, w);
}

/* What is a length follows the scale, to the digits that the solvers keep; mmd has no unit, squares of 1e150 and 1e-150
 * have their full precision. */
static void scales(void **state)
{
  static const double scale[] = {0x1p-498, 0x1p498};
  for (int by = 0; by < FG_ESTIMATORS; by++) {
    fg_estimate one, other;
    fg_status st = {0};
    draw(40, 2, 1);
    if (estimate(*state, by, 1, 40, 2, NULL, &one, &st) != FG_OK) fail_msg("%s", st.message);
    for (int k = 0; k < 2; k++) {
      const char *name = fg_estimator_name((fg_estimator)by);
      draw(40, 2, scale[k]);
      if (estimate(*state, by, scale[k], 40, 2, NULL, &other, &st) != FG_OK) {
        print_message("%s, 2^%d: refused: %s\n", name, k ? 498 : -498, st.message);
        fail_msg("%s: %s", name, st.message);
      }
      double unit = by == FG_MMD ? 1 : by == FG_ENERGY ? sqrt(scale[k]) : scale[k], near = 1e-5;
      print_message("%s, 2^%d: %.6g [%.4g, %.4g] floor %.4g p %.2g for %.6g [%.4g, %.4g] %.4g %.2g\n", name,
                    k ? 498 : -498, other.value / unit, other.ci_low / unit, other.ci_high / unit,
                    other.floor / unit, other.p_value, one.value, one.ci_low, one.ci_high, one.floor,
                    one.p_value);
      assert_true(fabs(other.value / unit - one.value) <= near * one.value);
      assert_true(fabs(other.floor / unit - one.floor) <= near * one.floor);
      assert_true(fabs(other.ci_low / unit - one.ci_low) <= near * one.ci_high);
      assert_true(fabs(other.ci_high / unit - one.ci_high) <= near * one.ci_high);
      assert_true(other.p_value == one.p_value);
    }
  }
}

static int start(void **state)
{
  return fg_engine_open("cpu", 2, (fg_engine **)state, NULL) != FG_OK;
}

static int stop(void **state)
{
  fg_engine_close((fg_engine **)state);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(few_and_wide), cmocka_unit_test(coinciding),
                                     cmocka_unit_test(weights), cmocka_unit_test(scales)};
  return cmocka_run_group_tests(tests, start, stop);
}

/* needs: analysis */
/* All of an estimate (value, floor, interval, bias curve, p-value, details) is the same to the bit on 1, 2 and 5
 * threads, by every estimator, with and without weights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "flowgap/analysis.h"
#include "formula/random.h"

enum { N = 260, M = 190, D = 2 };

static double x[N * D], y[M * D], wx[N], wy[M];

static void fill(double *to, double *weight, size_t rows, uint32_t stream, double shift)
{
  for (size_t i = 0; i < rows; i++) {
    for (size_t k = 0; k < D; k++) to[i * D + k] = fg_normal(5, stream, i, 0, (uint32_t)k) + shift;
    weight[i] = (double)(i % 4) / 3; /* some are 0 */
  }
}

static void estimate(fg_estimator by, int threads, bool weighted, fg_estimate *e)
{
  fg_engine *engine;
  fg_status st;
  fg_estimate_settings s;
  memset(e, 0, sizeof *e);
  fg_estimate_defaults(by, &s);
  s.grid.bins = 70; /* curve and test on merged bins */
  s.grid.half_width = 6;
  s.directions = 7;
  s.replicates = 7;
  s.permutations = 9;
  assert_int_equal(fg_engine_open("cpu", threads, &engine, &st), FG_OK);
  fg_code rc =
      fg_estimate_w2(engine, &s, N, M, D, x, weighted ? wx : NULL, y, weighted ? wy : NULL, NULL, e, &st);
  if (rc != FG_OK) fail_msg("%s: %s", fg_estimator_name(by), st.message);
  e->seconds = 0;
  fg_engine_close(&engine);
}

static void same_bits(void **state)
{
  (void)state;
  fill(x, wx, N, 1, 0);
  fill(y, wy, M, 2, 0.5);
  for (int by = 0; by < FG_ESTIMATORS; by++)
    for (int weighted = 0; weighted < 2; weighted++) {
      static const int threads[] = {2, 5};
      fg_estimate one, many;
      estimate((fg_estimator)by, 1, weighted, &one);
      for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
        estimate((fg_estimator)by, threads[k], weighted, &many);
        if (memcmp(&one, &many, sizeof one) != 0)
          fail_msg("%s%s: %d threads give other bits than one", fg_estimator_name((fg_estimator)by),
                   weighted ? ", weighted" : "", threads[k]);
      }
    }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

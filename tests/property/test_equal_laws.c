/* needs: analysis */
/* Of equal laws the permutation test rejects about as many as it may, and intervals begin at 0 about as often as they
 * should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <math.h>
#include <cmocka.h>

#include "support/estimate_case.h"

enum { ROUNDS = 60 };

static double x[MOST * N], y[MOST * N];

/* The lower end is not above the distance of the laws, but for the tenth that a 90 % interval may miss: 6 of 60, standard
 * deviation 2.3; and p <= 0.1 as rarely: three of them. */
static void equal_laws(void **state)
{
  const gaussian_case equal = {"equal", 0, 1, 1, 1, 0};
  for (int k = 0; k < FG_ESTIMATORS; k++) {
    if (k == FG_W2_MAX_SLICED) continue; /* slow */
    int rejected = 0, apart = 0, rounds = 0;
    fg_estimate e;
    fg_estimate_settings s = settings_for((fg_estimator)k, 2);
    double truth = gaussian_truth(&equal, &s, 2); /* 0 but for entropic */
    s.permutations = 19;
    s.replicates = 12; /* the intervals are looked at from one side alone: few will do */
    for (uint64_t r = 0; r < ROUNDS; r++) {
      gaussian_draw(&equal, 5000 + r, N, 2, x, y);
      s.seed = r;
      if (!estimate(*state, &s, 2, x, y, &e)) break;
      rejected += e.p_value <= 0.1;
      apart += e.ci_low * e.ci_low > truth + 1e-12;
      rounds++;
    }
    print_message("%s: %d of %d rejected, %d intervals above\n", fg_estimator_name((fg_estimator)k), rejected,
                  rounds, apart);
    assert_true(rejected <= 13 && apart <= 10);
  }
}

static int start(void **state)
{
  return fg_engine_open("cpu", 0, (fg_engine **)state, NULL) != FG_OK;
}

static int stop(void **state)
{
  fg_engine_close((fg_engine **)state);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(equal_laws)};
  return cmocka_run_group_tests(tests, start, stop);
}

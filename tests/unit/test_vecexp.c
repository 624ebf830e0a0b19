/* needs: kernels */
/* The vector exp, log, sine and cosine against long double: the errors that vecexp.h states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>

#include "formula/vecexp.h"

#ifdef FG_SINGLE
static const long double unit = FLT_EPSILON, circle = 1.2e-7L;
static const fg_real low = -87, high = 88, smallest = FLT_MIN;
#else
static const long double unit = DBL_EPSILON, circle = 2.1e-16L;
static const fg_real low = -708, high = 709, smallest = DBL_MIN;
#endif

static long double relative(fg_real value, long double truth)
{
  return fabsl(((long double)value - truth) / truth) / unit;
}

static void exponential(void **state)
{
  (void)state;
  for (fg_real x = low; x < high; x += (fg_real)0.00371)
    assert_true(relative(fg_vexp(x), expl((long double)x)) < 0.75L);
  assert_true(fg_vexp(0) == 1);
  assert_true(fg_vexp(low * 2) == 0 && fg_vexp((fg_real)-INFINITY) == 0 && fg_vexp((fg_real)-1e30) == 0);
  assert_true(isfinite(fg_vexp((fg_real)1e30)));
  assert_true(isnan(fg_vexp((fg_real)NAN)));
}

static void logarithm(void **state)
{
  (void)state;
  for (fg_real x = smallest; x < (fg_real)1e30; x *= (fg_real)1.0037)
    if (x != 1) assert_true(relative(fg_vlog(x), logl((long double)x)) < 0.8L);
  for (int i = -2000; i <= 2000; i++) { /* around 1, where the result is small */
    fg_real x = 1 + (fg_real)i * (fg_real)1.7e-4;
    if (i != 0) assert_true(relative(fg_vlog(x), logl((long double)x)) < 0.8L);
  }
  assert_true(fg_vlog(1) == 0);
}

static void circle_functions(void **state)
{
  (void)state;
  fg_real s, c;
  for (fg_real x = -400; x < 400; x += (fg_real)0.00713) {
    fg_vsincos(x, &s, &c);
    assert_true(fabsl((long double)s - sinl((long double)x)) < circle);
    assert_true(fabsl((long double)c - cosl((long double)x)) < circle);
  }
  for (int n = -9; n < 9; n++) { /* exact quarter turns */
    fg_vsincos_quarter((fg_bits)n, 0, &s, &c);
    assert_true(s == (fg_real)(n & 1 ? (n & 2 ? -1 : 1) : 0));
    assert_true(c == (fg_real)(n & 1 ? 0 : (n & 2 ? -1 : 1)));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exponential),
      cmocka_unit_test(logarithm),
      cmocka_unit_test(circle_functions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

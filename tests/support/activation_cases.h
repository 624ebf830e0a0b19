/* Vector mathematics and activations against long double, in the precision of the including file. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "support/activation_reference.h"

#include "formula/activation.h"

#ifdef FG_SINGLE
#define CASE_MANTISSA 24
#define CASE_TINY 1e-38L
#define CASE_CHOOSE(single, wide) (single)
#else
#define CASE_MANTISSA 53
#define CASE_TINY 1e-306L
#define CASE_CHOOSE(single, wide) (wide)
#endif

static long double unit_of(long double x)
{
  int exponent;
  frexpl(x, &exponent);
  return ldexpl(1, exponent - CASE_MANTISSA);
}

/* Largest error of got(x) in units of the last place of expected(x), x in [low, high], evenly and, where the
 * interval starts at 0, also by ratio. */
typedef struct scan {
  const char *name;
  fg_real (*got)(fg_real x);
  long double (*expected)(long double x);
  double low, high, most;
} scan;

static void run_scan(const scan *s)
{
  enum { COUNT = 200000 };
  double worst = 0, where = 0;
  for (int k = 0; k <= 2 * COUNT; k++) {
    double u = (double)(k % COUNT) / COUNT, far = s->high > -s->low ? s->high : s->low;
    fg_real x = (fg_real)(k < COUNT ? s->low + u * (s->high - s->low) : far * pow(10.0, -8 * u));
    if (x < (fg_real)s->low || x > (fg_real)s->high) continue;
    long double y = s->expected(x), error = fabsl(s->got(x) - y) / unit_of(y);
    if (error > worst) {
      worst = (double)error;
      where = x;
    }
  }
  printf("  %s: %.2f units of the last place (at %.9g)\n", s->name, worst, where);
  if (!(worst <= s->most)) fail_msg("%s: %.3f units of the last place at %.17g", s->name, worst, where);
}

static fg_real get_exp(fg_real x)
{
  return fg_vexp_falling(x);
}
static fg_real get_log1p(fg_real x)
{
  return fg_vlog1p_unit(x);
}
static fg_real get_tail(fg_real w)
{
  return fg_vnormal_tail(w, 1);
}
static fg_real get_tanh(fg_real z)
{
  return fg_vtanh(z, fg_vexp_falling(-2 * fg_vabs(z)));
}

/* Phi(-w) exp(w^2/2); a continued fraction where erfc underflows. */
static long double mills(long double w)
{
  if (w < 20) return erfcl(w / sqrtl(2)) / 2 * expl(w * w / 2);
  long double f = w;
  for (int k = 40; k > 0; k--) f = w + k / f;
  return 1 / (f * sqrtl(2 * reference_pi));
}

/* The bounds are those written in kernels/formula/vecmath.h. */
static void test_pieces(void **state)
{
  (void)state;
  const scan scans[] = {
      {"exp", get_exp, expl, CASE_CHOOSE(-87, -708), 0, CASE_CHOOSE(1.3, 1.1)},
      {"log1p", get_log1p, log1pl, 0, 1, CASE_CHOOSE(2.5, 2.0)},
      {"normal tail", get_tail, mills, 0, 40, CASE_CHOOSE(8.0, 8.0)},
      {"tanh", get_tanh, tanhl, -30, 30, CASE_CHOOSE(2.0, 1.5)},
  };
  for (size_t k = 0; k < sizeof scans / sizeof *scans; k++) run_scan(&scans[k]);
}

static void get_activation(int kind, double beta, double threshold, fg_real z, fg_real out[3])
{
  fg_activation_scale scale = {(fg_real)beta, (fg_real)(1 / beta),
                               threshold > 0 ? (fg_real)threshold : (fg_real)INFINITY};
  switch (kind) {
  case FG_SOFTPLUS:
    fg_softplus(&scale, z, &out[0], &out[1], &out[2]);
    break;
  case FG_GELU:
    fg_gelu(z, &out[0], &out[1], &out[2]);
    break;
  case FG_SILU:
    fg_silu(z, &out[0], &out[1], &out[2]);
    break;
  case FG_TANH:
    fg_tanh(z, &out[0], &out[1], &out[2]);
    break;
  default:
    fg_sine(z, &out[0], &out[1], &out[2]);
  }
}

/* Error relative to the larger of the value and `least` (times beta for the bend of softplus). */
static void check_point(int kind, double beta, double threshold, fg_real z, double tolerance,
                        long double least)
{
  fg_real got[3];
  long double f[3];
  get_activation(kind, beta, threshold, z, got);
  reference_activation(kind, beta, threshold, z, f);
  for (int k = 0; k < 3; k++) {
    long double scale = fmaxl(fabsl(f[k]), least * (k == 2 && kind == FG_SOFTPLUS ? (long double)beta : 1));
    long double error = fabsl(got[k] - f[k]) / scale;
    if (!(error <= (long double)tolerance))
      fail_msg("activation %d derivative %d at %.17g (beta %g): %.17g, expected %.17Lg, error %.3Lg", kind, k,
               (double)z, beta, (double)got[k], f[k], error);
  }
}

/* Whole range. Relative to the value, except: where a bend or slope crosses 0, relative to 1; the tails of
 * exp(-x) lose |x| epsilon, hence the factor |z| in the tolerance. */
static void test_activations(void **state)
{
  (void)state;
  const double epsilon = CASE_CHOOSE(6e-8, 1.2e-16);
  for (int kind = 0; kind < 5; kind++)
    for (int k = -4000; k <= 4000; k++) {
      const fg_real z = (fg_real)(k * 0.0051);
      const double away = fabs((double)z), square = kind == FG_GELU ? z * z : away;
      check_point(kind, 1, 0, z, epsilon * (10 + 2 * square),
                  kind == FG_SINE       ? 1 + away
                  : kind == FG_SOFTPLUS ? 0
                                        : 0.5);
      if (kind == FG_SOFTPLUS)
        check_point(kind, 100, 20, z / 10, epsilon * (10 + 20 * away), CASE_TINY * 1e8L);
    }
}

static void expect_triple(int kind, double beta, double threshold, fg_real z, fg_real f0, fg_real f1,
                          fg_real f2)
{
  fg_real got[3];
  get_activation(kind, beta, threshold, z, got);
  const fg_real f[3] = {f0, f1, f2};
  for (int k = 0; k < 3; k++)
    if (!(fabsl((long double)got[k] - f[k]) <= CASE_TINY * 1e3L))
      fail_msg("activation %d derivative %d at %g: %.17g, expected %.17g", kind, k, (double)z, (double)got[k],
               (double)f[k]);
}

/* 0, tiny, huge and the border of the linear part, point by point. */
static void test_edges(void **state)
{
  (void)state;
  const fg_real huge = (fg_real)1e30, least = (fg_real)CASE_TINY;
  const double epsilon = CASE_CHOOSE(1.2e-7, 2.3e-16);
  for (int kind = 0; kind < 5; kind++)
    for (int sign = -1; sign <= 1; sign++) {
      check_point(kind, 1, 20, sign * least, 4 * epsilon, CASE_TINY);
      check_point(kind, 1, 20, (fg_real)(sign * 1e-10), 4 * epsilon, CASE_TINY);
      check_point(kind, 1, 20, (fg_real)(sign * 1e-3), 4 * epsilon, CASE_TINY);
    }
  /* far left: nothing; far right: z, 1, 0; no overflow on either side, with or without a threshold */
  for (double threshold = 0; threshold <= 20; threshold += 20) {
    expect_triple(FG_SOFTPLUS, 100, threshold, huge, huge, 1, 0);
    expect_triple(FG_SOFTPLUS, 100, threshold, -huge, 0, 0, 0);
  }
  expect_triple(FG_GELU, 0, 0, huge, huge, 1, 0);
  expect_triple(FG_SILU, 0, 0, huge, huge, 1, 0);
  expect_triple(FG_TANH, 0, 0, huge, 1, 0, 0);
  expect_triple(FG_TANH, 0, 0, -huge, -1, 0, 0);
  expect_triple(FG_GELU, 0, 0, -60, 0, 0, 0);
  expect_triple(FG_SILU, 0, 0, -CASE_CHOOSE(200, 1000), 0, 0, 0);
  /* beta z = 20 is not beyond the threshold, the next number is: derivatives exactly 1 and 0 there */
  fg_real got[3];
  const fg_real border = 20, next = border * (1 + (fg_real)epsilon);
  check_point(FG_SOFTPLUS, 1, 20, border, 4 * epsilon, 0);
  get_activation(FG_SOFTPLUS, 1, 20, border, got);
  assert_true(got[2] > 0);
  get_activation(FG_SOFTPLUS, 1, 20, next, got);
  assert_true(got[0] == next && got[1] == 1 && got[2] == 0);
  get_activation(FG_SOFTPLUS, 1, 0, next, got);
  assert_true(got[2] > 0);
}

static void test_not_a_number(void **state)
{
  (void)state;
  for (int kind = 0; kind < 5; kind++) {
    fg_real got[3];
    get_activation(kind, 100, 20, (fg_real)NAN, got);
    assert_true(isnan(got[0]) && isnan(got[1]) && isnan(got[2]));
  }
}

/* The reference itself: its derivatives by central differences. h^2 truncation and rounding / h both lie
 * below 1e-8 for h = 1e-5. */
static void test_reference(void **state)
{
  (void)state;
  const long double h = 1e-5L;
  for (int kind = 0; kind < 5; kind++)
    for (int k = -30; k <= 30; k++) {
      long double z = 0.11L * k, f[3], up[3], down[3];
      reference_activation(kind, 3, 0, z, f);
      reference_activation(kind, 3, 0, z + h, up);
      reference_activation(kind, 3, 0, z - h, down);
      for (int j = 0; j < 2; j++) assert_true(fabsl((up[j] - down[j]) / (2 * h) - f[j + 1]) < 1e-8L);
    }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reference), cmocka_unit_test(test_pieces),
                                     cmocka_unit_test(test_activations), cmocka_unit_test(test_edges),
                                     cmocka_unit_test(test_not_a_number)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

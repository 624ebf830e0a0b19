/* needs: target */
/* Double well and many-well: log Z by Bessel functions, moments, exactness of the rejection. */
#include "unit/target_check.h"

#include <gsl/gsl_sf_bessel.h>

static fg_target *double_well(double separation, double shift)
{
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_DOUBLE_WELL, &s);
  s.separation = separation;
  s.shift = shift;
  return target_made(&s);
}

/* log of the integral of exp(-(u^2 - delta)^2). With z = delta^2 / 2 it is
 *     delta > 0:  (pi / 2) sqrt(delta) exp(-z) [ I_{1/4}(z) + I_{-1/4}(z) ]
 *     delta < 0:  sqrt(-delta / 2) exp(-z) K_{1/4}(z)
 * and I_{-1/4} = I_{1/4} + (2 / pi) sin(pi / 4) K_{1/4}. */
static double log_z_by_bessel(double delta)
{
  double z = delta * delta / 2, pi = acos(-1.0);
  double k = gsl_sf_bessel_Knu_scaled(0.25, z); /* exp(z) K */
  if (delta < 0) return -2 * z + log(sqrt(-delta / 2) * k);
  double i = gsl_sf_bessel_Inu_scaled(0.25, z); /* exp(-z) I */
  return log(pi / 2 * sqrt(delta) * (2 * i + 2 / pi * sin(pi / 4) * exp(-2 * z) * k));
}

static void log_z(void **state)
{
  (void)state;
  const double separations[] = {1e-3, 0.1, 1, 2, 4, 10, 27, 28, 100, 1e4, 1e6, -0.1, -1, -5, -30, -1e3};
  for (size_t i = 0; i < sizeof separations / sizeof *separations; i++) {
    double value = 0, expected = log_z_by_bessel(separations[i]);
    fg_target *t = double_well(separations[i], 0.3);
    assert_int_equal(fg_target_log_z(t, &value, NULL), FG_OK);
    /* GSL states its Bessel functions to some 1e-13; log Z itself may be large. */
    if (!(fabs(value - expected) <= 1e-12 * fmax(1, fabs(expected))))
      fail_msg("separation %g: log Z %.17g, by Bessel functions %.17g", separations[i], value, expected);
    fg_target_destroy(&t);
  }
  /* A quartic: Gamma(1/4) / 2. */
  double value;
  fg_target *t = double_well(0, 0);
  assert_int_equal(fg_target_log_z(t, &value, NULL), FG_OK);
  assert_true(fabs(value - log(tgamma(0.25) / 2)) <= 1e-14);
  fg_target_destroy(&t);
}

/* E u^2 from log Z: d log Z / d delta = 2 E u^2 - 2 delta, by differences of the Bessel form. */
static void variance(void **state)
{
  (void)state;
  const double separations[] = {0.5, 2, 4, 9};
  for (size_t i = 0; i < 4; i++) {
    double delta = separations[i], h = 1e-3, mean, c;
    double slope = (8 * (log_z_by_bessel(delta + h) - log_z_by_bessel(delta - h)) -
                    (log_z_by_bessel(delta + 2 * h) - log_z_by_bessel(delta - 2 * h))) /
                   (12 * h);
    fg_target *t = double_well(delta, -1.5);
    assert_int_equal(fg_target_moments(t, &mean, &c, NULL), FG_OK);
    assert_true(mean == -1.5);
    /* Differences: h^4 = 1e-12 and rounding 1e-15 / h. */
    assert_true(fabs(c - (delta + slope / 2)) <= 1e-10);
    fg_target_destroy(&t);
  }
}

static double density(double x, void *data)
{
  return exp(target_at(data, &x, NULL));
}

/* Samples in classes against probabilities by quadrature of the density. */
static void check_law(double separation, double shift, double low, double high)
{
  enum { N = 400000, CLASSES = 120 };
  fg_target *t = double_well(separation, shift);
  double *x = malloc(N * sizeof *x), count[CLASSES] = {0}, p[CLASSES], z;
  gsl_integration_glfixed_table *gauss = gsl_integration_glfixed_table_alloc(20);
  gsl_function f = {density, t};
  assert_int_equal(fg_target_sample(t, 31, 0, N, x, NULL), FG_OK);
  assert_int_equal(fg_target_log_z(t, &z, NULL), FG_OK);
  for (int i = 0; i < N; i++) {
    int k = (int)floor(CLASSES * (x[i] - low) / (high - low));
    assert_true(k >= 0 && k < CLASSES);
    count[k]++;
  }
  for (int k = 0; k < CLASSES; k++)
    p[k] = exp(-z) * gsl_integration_glfixed(&f, low + (high - low) * k / CLASSES,
                                             low + (high - low) * (k + 1) / CLASSES, gauss);
  double tail = chi_square_tail(CLASSES, count, p, N);
  if (!(tail > 1e-4)) fail_msg("separation %g: chi-square tail %g", separation, tail);
  gsl_integration_glfixed_table_free(gauss);
  fg_target_destroy(&t);
  free(x);
}

static void exact_rejection(void **state)
{
  (void)state;
  check_law(2, 0, -3, 3);
  check_law(4, 0.5, -3, 4);
  check_law(0, 0, -3, 3);
  check_law(-2, 1, -2, 4);
  check_law(60, 0, -9, 9); /* the saddle is out of reach */
}

static void scores(void **state)
{
  (void)state;
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_MANY_WELL, &s);
  assert_true(s.dimension == 5 && s.wells == 5 && s.separation == 4);
  s.dimension = 7;
  s.wells = 3;
  s.separation = 2;
  s.shift = 0.25;
  fg_target *t = target_made(&s);
  double x[140], z1, z, mean[7], c[49];
  assert_int_equal(fg_target_sample(t, 2, 0, 20, x, NULL), FG_OK);
  target_check_score(t, 20, x, 1e-3, 1e-9);
  /* The formula, term by term. */
  double by_hand = 0;
  for (int i = 0; i < 7; i++) by_hand -= i < 3 ? pow(pow(x[i] - 0.25, 2) - 2, 2) : x[i] * x[i] / 2;
  assert_true(fabs(target_at(t, x, NULL) - by_hand) <= 1e-14 * (1 + fabs(by_hand)));
  /* Separable: three times the double well, four times a standard Gaussian. */
  fg_target *one = double_well(2, 0.25);
  assert_int_equal(fg_target_log_z(one, &z1, NULL), FG_OK);
  assert_int_equal(fg_target_log_z(t, &z, NULL), FG_OK);
  assert_true(fabs(z - (3 * z1 + 2 * log(2 * acos(-1.0)))) <= 1e-14);
  assert_int_equal(fg_target_moments(t, mean, c, NULL), FG_OK);
  for (int i = 0; i < 7; i++) assert_true(mean[i] == (i < 3 ? 0.25 : 0) && (i < 3 || c[8 * i] == 1));
  target_check_moments(t, 200000, 4);
  target_check_split(t, 1000);
  fg_target_destroy(&one);
  fg_target_destroy(&t);
}

/* Coordinates are independent: signs of three wells fill the eight octants evenly. */
static void independent_wells(void **state)
{
  (void)state;
  enum { N = 100000 };
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_MANY_WELL, &s);
  s.dimension = 3;
  s.wells = 3;
  fg_target *t = target_made(&s);
  double *x = malloc(3 * N * sizeof *x), count[8] = {0}, p[8];
  assert_int_equal(fg_target_sample(t, 6, 0, N, x, NULL), FG_OK);
  for (int i = 0; i < N; i++) count[(x[3 * i] > 0) + 2 * (x[3 * i + 1] > 0) + 4 * (x[3 * i + 2] > 0)]++;
  for (int k = 0; k < 8; k++) p[k] = 0.125;
  assert_true(chi_square_tail(8, count, p, N) > 1e-4);
  fg_target_destroy(&t);
  free(x);
}

static void messages(void **state)
{
  (void)state;
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_DOUBLE_WELL, &s);
  s.separation = NAN;
  target_refused(&s, FG_USAGE, "target.separation is nan");
  s.separation = 2e6;
  target_refused(&s, FG_USAGE, "target.separation is 2e+06: give a number between -1e6 and 1e6");
  s.separation = 2;
  s.shift = INFINITY;
  target_refused(&s, FG_USAGE, "target.shift is inf");
  s.shift = 0;
  s.dimension = 2;
  target_refused(&s, FG_USAGE, "double_well lives in 1 dimension");
  fg_target_defaults(FG_TARGET_MANY_WELL, &s);
  s.wells = 6;
  target_refused(&s, FG_USAGE, "target.wells is 6: give 1 to target.dimension, which is 5");
  s.wells = 0;
  target_refused(&s, FG_USAGE, "target.wells is 0");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(log_z),  cmocka_unit_test(variance),          cmocka_unit_test(exact_rejection),
      cmocka_unit_test(scores), cmocka_unit_test(independent_wells), cmocka_unit_test(messages)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: target */
/* Funnel, rings, circles and checkerboard. */
#include "unit/target_check.h"

/* ---- funnel ---------------------------------------------------------------------------------- */

/* The density of independent Gaussians, written out. */
static double funnel_by_hand(size_t d, double nu, const double *x)
{
  double value = log(1 / (nu * sqrt(2 * acos(-1.0)))) - 0.5 * pow(x[0] / nu, 2);
  for (size_t i = 1; i < d; i++)
    value += log(1 / sqrt(2 * acos(-1.0) * exp(x[0]))) - 0.5 * pow(x[i], 2) / exp(x[0]);
  return value;
}

static void funnel(void **state)
{
  (void)state;
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_FUNNEL, &s);
  assert_true(s.dimension == 10 && s.nu == 3);
  fg_target *t = target_made(&s);
  double x[500], mean[10], c[100];
  assert_int_equal(fg_target_sample(t, 1, 0, 50, x, NULL), FG_OK);
  for (int i = 0; i < 50; i++) {
    double expected = funnel_by_hand(10, 3, x + 10 * i);
    assert_true(fabs(target_at(t, x + 10 * i, NULL) - expected) <= 1e-13 * (1 + fabs(expected)));
  }
  for (int i = 0; i < 50; i++) { /* differences: not where the funnel is a needle */
    if (x[10 * i] > -2) target_check_score(t, 1, x + 10 * i, 1e-3, 1e-7);
  }
  target_check_split(t, 3);
  assert_int_equal(fg_target_moments(t, mean, c, NULL), FG_OK);
  for (int i = 0; i < 10; i++)
    for (int j = 0; j < 10; j++) {
      double expected = i != j ? 0 : i == 0 ? 9 : exp(4.5);
      assert_true(mean[i] == 0 && fabs(c[10 * i + j] - expected) <= 1e-13);
    }
  double log_z = 1, origin[10] = {-800}; /* exp(800) is no number, 0 times it is 0 */
  assert_int_equal(fg_target_log_z(t, &log_z, NULL), FG_OK);
  assert_true(log_z == 0 && isfinite(target_at(t, origin, NULL)));
  fg_target_destroy(&t);
}

/* Samples of a funnel whose moments are tame (nu = 0.5: exp(nu^2 / 2) is 1.13, and its fourth
 * moments, 3 exp(2 nu^2), are no worse), and the law of x_1 and x_2 exp(-x_1 / 2) for nu = 3. */
static void funnel_sampling(void **state)
{
  (void)state;
  enum { N = 200000, CLASSES = 50 };
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_FUNNEL, &s);
  s.dimension = 3;
  s.nu = 0.5;
  fg_target *t = target_made(&s);
  target_check_moments(t, N, 4);
  fg_target_destroy(&t);
  s.nu = 3;
  t = target_made(&s);
  double *x = malloc(3 * N * sizeof *x), first[CLASSES] = {0}, second[CLASSES] = {0}, even[CLASSES];
  assert_int_equal(fg_target_sample(t, 9, 0, N, x, NULL), FG_OK);
  for (int i = 0; i < N; i++) {
    first[(int)(CLASSES * gsl_cdf_gaussian_P(x[3 * i], 3))]++;
    second[(int)(CLASSES * gsl_cdf_ugaussian_P(x[3 * i + 1] * exp(-x[3 * i] / 2)))]++;
  }
  for (int k = 0; k < CLASSES; k++) even[k] = 1.0 / CLASSES;
  assert_true(chi_square_tail(CLASSES, first, even, N) > 1e-4);
  assert_true(chi_square_tail(CLASSES, second, even, N) > 1e-4);
  fg_target_destroy(&t);
  free(x);
}

/* ---- rings ----------------------------------------------------------------------------------- */

typedef struct radial {
  const fg_target *t;
  double angle;
} radial;

static double radial_density(double rho, void *data)
{
  const radial *r = data;
  double x[2] = {rho * cos(r->angle), rho * sin(r->angle)};
  return 2 * acos(-1.0) * rho * exp(target_at(r->t, x, NULL));
}

static double radial_square(double rho, void *data)
{
  return rho * rho * radial_density(rho, data);
}

static double quadrature(double (*function)(double, void *), void *data, double from, double to)
{
  gsl_function f = {function, data};
  gsl_integration_workspace *space = gsl_integration_workspace_alloc(200);
  double value = 0, error = 0;
  gsl_error_handler_t *old = gsl_set_error_handler_off();
  gsl_integration_qag(&f, from, to, 1e-14, 1e-13, 200, GSL_INTEG_GAUSS31, space, &value, &error);
  gsl_set_error_handler(old);
  gsl_integration_workspace_free(space);
  assert_true(error <= 1e-11);
  return value;
}

static void check_rings(const fg_target *t, double reach)
{
  double mean[2], c[4], x[40];
  radial r = {t, 0.7};
  /* To 1e-11: the quadrature's own estimate. */
  assert_true(fabs(quadrature(radial_density, &r, 0, reach) - 1) <= 1e-11);
  assert_int_equal(fg_target_moments(t, mean, c, NULL), FG_OK);
  assert_true(fabs(quadrature(radial_square, &r, 0, reach) - (c[0] + c[3])) <= 1e-10 * c[0]);
  assert_true(c[0] == c[3] && c[1] == 0 && c[2] == 0 && mean[0] == 0 && mean[1] == 0);
  assert_int_equal(fg_target_sample(t, 8, 0, 20, x, NULL), FG_OK);
  target_check_score(t, 20, x, 1e-4, 1e-6);
  target_check_split(t, 12345);
  target_check_moments(t, 200000, 6);
}

/* Radii of samples against the cdf by quadrature, angles against the uniform law, independently. */
static void check_polar_law(const fg_target *t, double reach)
{
  enum { N = 200000, RADII = 40, ANGLES = 8 };
  double *x = malloc(2 * N * sizeof *x), count[RADII * ANGLES] = {0}, p[RADII * ANGLES];
  radial r = {t, 2.0};
  assert_int_equal(fg_target_sample(t, 21, 0, N, x, NULL), FG_OK);
  for (int i = 0; i < N; i++) {
    int k = (int)(RADII * hypot(x[2 * i], x[2 * i + 1]) / reach);
    int a = (int)(ANGLES * (atan2(x[2 * i + 1], x[2 * i]) / (2 * acos(-1.0)) + 0.5));
    assert_true(k < RADII);
    count[k * ANGLES + (a == ANGLES ? 0 : a)]++;
  }
  for (int k = 0; k < RADII; k++) {
    double mass = quadrature(radial_density, &r, reach * k / RADII, reach * (k + 1) / RADII);
    for (int a = 0; a < ANGLES; a++) p[k * ANGLES + a] = mass / ANGLES;
  }
  assert_true(chi_square_tail(RADII * ANGLES, count, p, N) > 1e-4);
  free(x);
}

static void rings(void **state)
{
  (void)state;
  const double radii[3] = {0.3, 1, 2.5}, weights[3] = {1, 2, 5};
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_RINGS, &s);
  s.rings = 3;
  s.radii = radii;
  s.ring_weights = weights;
  s.ring_sd = 0.25; /* the innermost ring folds over the origin */
  fg_target *t = target_made(&s);
  check_rings(t, 6);
  check_polar_law(t, 6);
  double origin[2] = {0, 0}, score[2];
  assert_true(target_at(t, origin, score) > 10); /* the pole at the origin, as a finite number */
  assert_true(score[0] == 0 && score[1] == 0);
  fg_target_destroy(&t);
  /* One ring of radius 0 is |N(0, sd^2)|: log p = log(2 / (sd sqrt(2 pi))) - rho^2 / 2 sd^2 - log(2 pi rho). */
  const double zero[1] = {0};
  s.rings = 1;
  s.radii = zero;
  s.ring_weights = NULL;
  t = target_made(&s);
  double x[2] = {0.3, 0.4}, pi = acos(-1.0);
  assert_true(fabs(target_at(t, x, NULL) - (log(2 / (0.25 * sqrt(2 * pi))) - 2 - log(pi))) <= 1e-14);
  fg_target_destroy(&t);
}

static void circles(void **state)
{
  (void)state;
  fg_target *t = target_default(FG_TARGET_CIRCLES);
  double x[2] = {2.8, 0}, c[4], pi = acos(-1.0);
  check_rings(t, 6);
  check_polar_law(t, 6);
  assert_int_equal(fg_target_moments(t, NULL, c, NULL), FG_OK);
  assert_true(fabs(c[0] - ((1.3 * 1.3 + 2.8 * 2.8) / 2 + 0.04) / 2) <= 1e-14);
  /* On the outer ring; the inner one adds exp(-28). */
  double expected = log(0.5 * (1 + exp(-1.5 * 1.5 / 0.08)) / (0.2 * sqrt(2 * pi))) - log(2 * pi * 2.8);
  assert_true(fabs(target_at(t, x, NULL) - expected) <= 1e-14);
  assert_true(!(fg_target_abilities(t) & FG_TARGET_IS_MIXTURE));
  fg_mixture_view view;
  fg_status st = {0};
  assert_int_equal(fg_target_mixture(t, &view, &st), FG_UNSUPPORTED);
  assert_non_null(strstr(st.message, "target circles is not a Gaussian mixture"));
  fg_target_destroy(&t);
}

/* ---- checkerboard ------------------------------------------------------------------------------ */

static void checkerboard(void **state)
{
  (void)state;
  enum { N = 200000 };
  /* Lower left corners: 6 (-1/2, -1/2) + 6 times these. */
  const double corners[8][2] = {{0, 0},   {0.5, 0},   {0.25, 0.25}, {0.75, 0.25},
                                {0, 0.5}, {0.5, 0.5}, {0.25, 0.75}, {0.75, 0.75}};
  fg_target *t = target_default(FG_TARGET_CHECKERBOARD);
  double *x = malloc(2 * N * sizeof *x), count[8 * 9] = {0}, p[8 * 9], log_z = 1;
  fg_status st = {0};
  assert_int_equal(fg_target_sample(t, 17, 0, N, x, NULL), FG_OK);
  for (int i = 0; i < N; i++) {
    int found = -1;
    for (int k = 0; k < 8; k++) {
      double u = (x[2 * i] - (6 * corners[k][0] - 3)) / 1.5,
             v = (x[2 * i + 1] - (6 * corners[k][1] - 3)) / 1.5;
      if (u >= 0 && u < 1 && v >= 0 && v < 1) found = 9 * k + 3 * (int)(3 * u) + (int)(3 * v);
    }
    assert_true(found >= 0);
    assert_true(target_at(t, x + 2 * i, NULL) == -log(18.0));
    count[found]++;
  }
  for (int k = 0; k < 72; k++) p[k] = 1.0 / 72;
  assert_true(chi_square_tail(72, count, p, N) > 1e-4);
  free(x);
  /* 18 of the 36 unit-area-scaled cells: a 60 x 60 raster of midpoints of [-3, 3]^2 and a margin. */
  int inside = 0;
  for (int i = 0; i < 80; i++)
    for (int j = 0; j < 80; j++) {
      double y[2] = {-4 + 0.1 * i + 0.05, -4 + 0.1 * j + 0.05};
      inside += isfinite(target_at(t, y, NULL));
    }
  assert_int_equal(inside, 1800);
  target_check_split(t, 9);
  target_check_moments(t, 400000, 7);
  assert_int_equal(fg_target_log_z(t, &log_z, NULL), FG_OK);
  assert_true(log_z == 0);
  double y[2] = {0.1, 0.1}, value, score[2];
  assert_int_equal(fg_target_log_density(t, 1, y, &value, score, &st), FG_UNSUPPORTED);
  assert_non_null(strstr(st.message, "target checkerboard has no score"));
  y[0] = NAN;
  assert_int_equal(fg_target_log_density(t, 1, y, &value, NULL, &st), FG_NUMERICS);
  fg_target_destroy(&t);
}

static void messages(void **state)
{
  (void)state;
  const double radii[2] = {1, -2}, weights[2] = {1, 0};
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_FUNNEL, &s);
  s.nu = 0;
  target_refused(&s, FG_USAGE, "target.nu is 0");
  s.nu = 50; /* exp(50^2 / 2) is no number */
  target_refused(&s, FG_USAGE, "target.nu is 50");
  s.nu = 3;
  s.dimension = 1;
  target_refused(&s, FG_USAGE, "a funnel needs at least 2");
  fg_target_defaults(FG_TARGET_RINGS, &s);
  s.ring_sd = -1;
  target_refused(&s, FG_USAGE, "target.ring_sd is -1");
  s.ring_sd = 1;
  s.rings = 2;
  s.radii = radii;
  target_refused(&s, FG_USAGE, "target.radii: ring 2 of 2 has radius -2");
  s.radii = radii;
  s.rings = 1;
  s.ring_weights = weights + 1;
  target_refused(&s, FG_USAGE, "target.ring_weights: ring 1 of 1 has weight 0");
  s.rings = 0;
  target_refused(&s, FG_USAGE, "target.radii is empty");
  fg_target_defaults(FG_TARGET_CHECKERBOARD, &s);
  s.dimension = 1;
  target_refused(&s, FG_USAGE, "checkerboard lives in 2 dimensions");
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(funnel),       cmocka_unit_test(funnel_sampling),
                                     cmocka_unit_test(rings),        cmocka_unit_test(circles),
                                     cmocka_unit_test(checkerboard), cmocka_unit_test(messages)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

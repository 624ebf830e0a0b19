/* needs: target */
/* Priors: densities normalised, samples that follow them, the exact prior's marginal, messages. */
#include "unit/target_check.h"

static fg_process *process_of(fg_process_kind kind)
{
  fg_process_settings s;
  fg_process *p = NULL;
  fg_process_defaults(kind, &s);
  assert_int_equal(fg_process_create(&s, &p, NULL), FG_OK);
  return p;
}

static fg_prior *made(fg_prior_kind kind, double variance, double mass, size_t d, const fg_process *process,
                      const fg_target *target)
{
  fg_prior_settings s = {kind, variance, mass};
  fg_prior *p = NULL;
  fg_status st = {0};
  if (fg_prior_create(&s, d, process, target, &p, &st) != FG_OK) fail_msg("%s", st.message);
  return p;
}

static double prior_at(const fg_prior *p, const double *x)
{
  double value;
  fg_status st = {0};
  if (fg_prior_log_density(p, 1, x, &value, &st) != FG_OK) fail_msg("%s", st.message);
  return value;
}

static void check_split(const fg_prior *p, size_t d)
{
  enum { N = 500 };
  double *whole = malloc(2 * N * d * sizeof *whole), *pieces = whole + N * d;
  assert_int_equal(fg_prior_sample(p, 5, 1000, N, whole, NULL), FG_OK);
  for (size_t at = 0, n = 1; at < N; at += n, n += 7) {
    if (n > N - at) n = N - at;
    assert_int_equal(fg_prior_sample(p, 5, 1000 + at, n, pieces + at * d, NULL), FG_OK);
  }
  assert_memory_equal(whole, pieces, N * d * sizeof *whole);
  free(whole);
}

static void gaussian(void **state)
{
  (void)state;
  enum { N = 200000, D = 3 };
  fg_process *process = process_of(FG_PROCESS_OU);
  const double variances[4] = {2, 0, -1, NAN};
  for (int k = 0; k < 4; k++) {
    double v = k == 0 ? 2 : fg_process_v(process, 10), x[D] = {0.5, -1, 2}, mean[D] = {0}, c[D * D] = {0};
    fg_prior *p = made(FG_PRIOR_GAUSSIAN, variances[k], 0.5, D, process, NULL); /* mass is not its business */
    assert_true(fabs(prior_at(p, x) - (-5.25 / (2 * v) - 1.5 * log(2 * acos(-1.0) * v))) <= 1e-14);
    double *rows = malloc(N * D * sizeof *rows);
    assert_int_equal(fg_prior_sample(p, 3, 0, N, rows, NULL), FG_OK);
    for (int i = 0; i < D; i++) c[i * D + i] = v;
    check_moments(N, D, rows, mean, c, 4.5);
    check_split(p, D);
    free(rows);
    fg_prior_destroy(&p);
    assert_null(p);
  }
  fg_prior_destroy(NULL);
  fg_process_destroy(&process);
}

/* |x|^2 / variance is chi-square cut at its quantile: samples by its cdf, density by the mass of
 * the ball. */
static void truncated(void **state)
{
  (void)state;
  enum { N = 100000, CLASSES = 50 };
  const size_t dimensions[5] = {1, 2, 3, 10, 100};
  const double masses[4] = {0.05, 0.5, 0.9999, 1 - 1e-12};
  for (int i = 0; i < 5; i++)
    for (int j = 0; j < 4; j++) {
      size_t d = dimensions[i], n = d == 100 || j == 0 ? N / 10 : N;
      double mass = masses[j], variance = 1.7, count[CLASSES] = {0}, even[CLASSES];
      fg_prior *p = made(FG_PRIOR_TRUNCATED, variance, mass, d, NULL, NULL);
      double *x = malloc(n * d * sizeof *x), *y = calloc(d, sizeof *y), farthest = 0;
      assert_int_equal(fg_prior_sample(p, 8, 0, n, x, NULL), FG_OK);
      for (size_t k = 0; k < n; k++) {
        double square = 0;
        for (size_t a = 0; a < d; a++) square += x[k * d + a] * x[k * d + a];
        double part = gsl_cdf_chisq_P(square / variance, (double)d) / mass;
        assert_true(part <= 1 + 1e-9);
        count[(int)fmin(CLASSES - 1, CLASSES * part)]++;
        farthest = fmax(farthest, square);
        assert_true(isfinite(prior_at(p, x + k * d)));
      }
      for (int k = 0; k < CLASSES; k++) even[k] = 1.0 / CLASSES;
      double tail = chi_square_tail(CLASSES, count, even, (double)n);
      if (!(tail > 1e-4)) fail_msg("d = %zu, mass %g: chi-square tail %g", d, mass, tail);
      /* The untruncated density over the mass; the quantile is good to 1e-9 of the smaller part. */
      double expected = -0.5 * (double)d * log(2 * acos(-1.0) * variance) - log(mass);
      assert_true(fabs(prior_at(p, y) - expected) <= 1e-9 + 1e-15 * fabs(expected));
      y[d - 1] = sqrt(farthest);
      assert_true(isfinite(prior_at(p, y)));
      y[d - 1] = 1.0001 * sqrt(variance * gsl_cdf_chisq_Pinv(mass, (double)d));
      assert_true(prior_at(p, y) == -INFINITY);
      if (d <= 3) check_split(p, d);
      free(x);
      free(y);
      fg_prior_destroy(&p);
    }
  /* All of the mass: no ball. */
  fg_prior *p = made(FG_PRIOR_TRUNCATED, 1, 1, 2, NULL, NULL);
  assert_true(isfinite(prior_at(p, (const double[]){30, 30})));
  fg_prior_destroy(&p);
}

/* The density of the truncated prior integrates to 1: radial quadrature, d = 2. */
static double ring_mass(double rho, void *data)
{
  double x[2] = {rho, 0};
  return 2 * acos(-1.0) * rho * exp(prior_at(data, x));
}

static void truncated_normalised(void **state)
{
  (void)state;
  fg_prior *p = made(FG_PRIOR_TRUNCATED, 0.5, 0.7, 2, NULL, NULL);
  gsl_function f = {ring_mass, p};
  gsl_integration_glfixed_table *gauss = gsl_integration_glfixed_table_alloc(40);
  /* d = 2: the radius is sqrt(-2 variance log(1 - mass)). */
  double mass = gsl_integration_glfixed(&f, 0, sqrt(-log(0.3)) * (1 - 1e-12), gauss);
  assert_true(fabs(mass - 1) <= 1e-9); /* of the quantile */
  gsl_integration_glfixed_table_free(gauss);
  fg_prior_destroy(&p);
}

static void point(void **state)
{
  (void)state;
  double x[6] = {1, 2, 3, 4, 5, 6}, value;
  fg_status st = {0};
  fg_prior *p = made(FG_PRIOR_POINT, 1, 1, 3, NULL, NULL);
  assert_int_equal(fg_prior_sample(p, 1, 0, 2, x, NULL), FG_OK);
  for (int i = 0; i < 6; i++) assert_true(x[i] == 0);
  assert_int_equal(fg_prior_log_density(p, 1, x, &value, &st), FG_UNSUPPORTED);
  assert_non_null(strstr(st.message, "a point prior has no density"));
  fg_prior_destroy(&p);
}

/* The marginal at T of a noised mixture: N(m mu, m^2 Sigma + v) by component. */
static void exact(void **state)
{
  (void)state;
  enum { N = 200000 };
  const double weights[2] = {0.3, 0.7}, means[4] = {-2, 1, 3, 0.5};
  const double covariances[8] = {1, 0.6, 0.6, 0.5, 0.2, 0, 0, 2};
  fg_process_settings ps;
  fg_process *process = NULL;
  fg_process_defaults(FG_PROCESS_VP, &ps);
  ps.horizon = 0.3; /* far from stationary: m = 0.7 */
  ps.beta_max = 5;
  assert_int_equal(fg_process_create(&ps, &process, NULL), FG_OK);
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_MIXTURE, &s);
  s.components = 2;
  s.weights = weights;
  s.means = means;
  s.covariances = covariances;
  fg_target *t = target_made(&s);
  fg_prior *p = made(FG_PRIOR_EXACT, 0, 0, 2, process, t);
  double m = fg_process_m(process, 0.3), v = fg_process_v(process, 0.3), x[2] = {0.4, -0.3}, sum = 0;
  for (int k = 0; k < 2; k++) {
    const double *c = covariances + 4 * k;
    double a = m * m * c[0] + v, b = m * m * c[1], e = m * m * c[3] + v, det = a * e - b * b;
    double u = x[0] - m * means[2 * k], w = x[1] - m * means[2 * k + 1];
    sum +=
        weights[k] * exp(-(e * u * u - 2 * b * u * w + a * w * w) / (2 * det)) / (2 * acos(-1.0) * sqrt(det));
  }
  assert_true(fabs(prior_at(p, x) - log(sum)) <= 1e-14);
  double *rows = malloc(4 * N * sizeof *rows), mean[2], c[4];
  assert_int_equal(fg_prior_sample(p, 3, 0, N, rows, NULL), FG_OK);
  assert_int_equal(fg_target_moments(t, mean, c, NULL), FG_OK);
  for (int i = 0; i < 2; i++) mean[i] *= m;
  for (int i = 0; i < 4; i++) c[i] = m * m * c[i] + (i % 3 == 0 ? v : 0);
  check_moments(N, 2, rows, mean, c, 4.5);
  check_split(p, 2);
  /* Independent of the target's own rows under the same seed: the cross moment is 0. */
  double *own = rows + 2 * N, cross = 0, square = 0, tm[2];
  assert_int_equal(fg_target_sample(t, 3, 0, N, own, NULL), FG_OK);
  assert_int_equal(fg_target_moments(t, tm, NULL, NULL), FG_OK);
  for (int i = 0; i < N; i++) {
    double product = (rows[2 * i] - mean[0]) * (own[2 * i] - tm[0]);
    cross += product;
    square += product * product;
  }
  assert_true(fabs(cross) <= 4.5 * sqrt(square));
  free(rows);
  fg_prior_destroy(&p);
  /* Other targets: samples, and no density. */
  fg_target *rings = target_default(FG_TARGET_CIRCLES);
  double value;
  fg_status st = {0};
  p = made(FG_PRIOR_EXACT, 0, 0, 2, process, rings);
  check_split(p, 2);
  assert_int_equal(fg_prior_log_density(p, 1, x, &value, &st), FG_UNSUPPORTED);
  assert_non_null(strstr(st.message, "target circles is none"));
  fg_prior_destroy(&p);
  fg_target_destroy(&rings);
  fg_target_destroy(&t);
  fg_process_destroy(&process);
}

static void refused(fg_prior_settings s, size_t d, const fg_process *process, const fg_target *t,
                    const char *expected)
{
  fg_prior *p = (fg_prior *)&s;
  fg_status st = {0};
  assert_int_equal(fg_prior_create(&s, d, process, t, &p, &st), FG_USAGE);
  assert_null(p);
  if (!strstr(st.message, expected)) fail_msg("message \"%s\" lacks \"%s\"", st.message, expected);
}

static void messages(void **state)
{
  (void)state;
  fg_process *process = process_of(FG_PROCESS_BM);
  fg_target *t = target_default(FG_TARGET_GMM9);
  refused((fg_prior_settings){FG_PRIOR_GAUSSIAN, 1, 0.5}, 0, process, t, "a prior of 0 dimensions");
  refused((fg_prior_settings){FG_PRIOR_GAUSSIAN, 0, 0.5}, 2, NULL, t, "no process is there to take it from");
  refused((fg_prior_settings){FG_PRIOR_GAUSSIAN, INFINITY, 0.5}, 2, NULL, t, "prior.variance is inf");
  refused((fg_prior_settings){FG_PRIOR_TRUNCATED, 1, 0}, 2, process, t,
          "prior.mass is 0: give a number from 0.01 to 1");
  refused((fg_prior_settings){FG_PRIOR_TRUNCATED, 1, 1.5}, 2, process, t, "prior.mass is 1.5");
  refused((fg_prior_settings){FG_PRIOR_TRUNCATED, 1, NAN}, 2, process, t, "prior.mass is nan");
  refused((fg_prior_settings){FG_PRIOR_EXACT, 1, 1}, 2, process, NULL, "give a target and a process");
  refused((fg_prior_settings){FG_PRIOR_EXACT, 1, 1}, 3, process, t,
          "the target has 2 dimensions, the prior 3");
  refused((fg_prior_settings){(fg_prior_kind)8, 1, 1}, 2, process, t, "prior kind number 8 is unknown");
  fg_target_destroy(&t);
  fg_process_destroy(&process);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gaussian), cmocka_unit_test(truncated), cmocka_unit_test(truncated_normalised),
      cmocka_unit_test(point),    cmocka_unit_test(exact),     cmocka_unit_test(messages)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

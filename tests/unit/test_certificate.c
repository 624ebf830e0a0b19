/* needs: fokker_planck */
/* The parts of the certificate against closed forms: quadrature in time, A, Lipschitz constants, log-mass. */
#include "support/certificate_case.h"

static const double fg_two[2] = {-1.2, 1.5};
static const double fg_corners[6] = {-1, 0.5, 1.2, 0.3, 0.2, -1.4};

/* Simpson's rule in the graded variable: dt/du is smooth, so the error is of order 4 in 1/64; the integrand 1/t, which
 * rises 80-fold towards t0, is where grading matters. */
static void test_times(void **state)
{
  (void)state;
  certificate_case c;
  fg_status st;
  fg_identity_settings s;
  double t[65], weight[65], coarse[65], whole = 0, rough = 0, inverse = 0;
  certificate_open(&c, 1, 2, fg_two, 0.3, 4, 0);
  fg_identity_defaults(1, &s);
  s.t0 = 0.05;
  certificate_ok(fg_identity_times(&s, c.process, t, weight, coarse, &st), &st);
  assert_true(t[0] == 4 && t[64] == 0.05);
  for (int k = 0; k < 65; k++) {
    if (k) assert_true(t[k] < t[k - 1]);
    whole += weight[k];
    rough += coarse[k];
    inverse += weight[k] / t[k];
  }
  assert_true(fabs(whole - 3.95) < 1e-6);
  assert_true(fabs(rough - 3.95) < 2e-5 && rough != whole);
  assert_true(fabs(inverse - log(80.0)) < 1e-6);
  s.intervals = 6;
  assert_int_equal(fg_identity_times(&s, c.process, t, weight, coarse, &st), FG_USAGE);
  s.intervals = 64;
  s.t0 = 4;
  assert_int_equal(fg_identity_times(&s, c.process, t, weight, coarse, &st), FG_USAGE);
  certificate_close(&c);
}

/* OU with a = g = 1 and constant l: L = 1 + l/2, A = (e^(2 L s) - 1) / (4 L), s = T - t0. The rule is exact then. */
static void test_log_a(void **state)
{
  (void)state;
  certificate_case c;
  fg_status st;
  const double t[4] = {4, 2.5, 0.7, 0.05};
  certificate_open(&c, 1, 2, fg_two, 0.3, 4, 0);
  const double values[3] = {-6, 0.4, 1e4};
  for (int i = 0; i < 3; i++) {
    double l[4] = {values[i], values[i], values[i], values[i]}, log_a, integral;
    double constant = 1 + 0.5 * values[i], x = 2 * constant * 3.95;
    double expected = x > 700 ? x - log(4 * constant) : log(expm1(x) / (4 * constant));
    certificate_ok(fg_certificate_log_a(c.process, 4, t, l, &log_a, &integral, &st), &st);
    assert_true(fabs(log_a - expected) < 1e-12 * fmax(1, fabs(expected)));
    assert_true(fabs(integral - 3.95 * constant) < 1e-12 * fabs(3.95 * constant));
  }
  double bad[4] = {0, NAN, 0, 0}, log_a;
  assert_int_equal(fg_certificate_log_a(c.process, 4, t, bad, &log_a, NULL, &st), FG_NUMERICS);
  certificate_close(&c);
}

/* One Gaussian where a and g are not 1: the ODE scales by the standard deviation sqrt c(t), so that
 * A = int g^2/2 c(t0)/c(t) dt, here by the midpoint rule on 20,000 parts. 256 intervals leave an error of order 2. */
static void test_log_a_processes(void **state)
{
  (void)state;
  enum { N = 256, PARTS = 20000 };
  static double t[N + 1], weight[N + 1], l[N + 1];
  for (int kind = 0; kind < 2; kind++) {
    certificate_case c;
    fg_status st;
    fg_process_settings noise;
    fg_identity_settings s;
    bool known;
    double log_a, integral, a = 0;
    fg_process_defaults(kind ? FG_PROCESS_VP : FG_PROCESS_OU, &noise);
    if (!kind) noise.rate = 0.7, noise.diff = 1.6, noise.horizon = 2;
    certificate_open_under(&c, &noise, 1, 1, fg_two, 0.3, 0);
    fg_identity_defaults(1, &s);
    s.t0 = 0.02;
    s.intervals = N;
    certificate_ok(fg_identity_times(&s, c.process, t, weight, NULL, &st), &st);
    certificate_ok(fg_lipschitz_global(c.model, N + 1, t, l, &known, &st), &st);
    certificate_ok(fg_certificate_log_a(c.process, N + 1, t, l, &log_a, &integral, &st), &st);
    double h = (noise.horizon - s.t0) / PARTS, first = 0, last = 0;
    for (int k = -1; k <= PARTS; k++) {
      double at = k < 0 ? s.t0 : k == PARTS ? noise.horizon : s.t0 + (k + 0.5) * h;
      double m = fg_process_m(c.process, at), variance = 0.3 * m * m + fg_process_v(c.process, at);
      if (k < 0) first = variance;
      if (k == PARTS) last = variance;
      if (k >= 0 && k < PARTS) a += h * 0.5 * fg_process_g2(c.process, at) * first / variance;
    }
    assert_true(known);
    assert_true(fabs(log_a - log(a)) < 1e-3);
    assert_true(fabs(integral - 0.5 * log(first / last)) < 1e-3);
    certificate_close(&c);
  }
}

/* d = 1: the Hessian itself, by differences of the score. */
static void test_lipschitz_line(void **state)
{
  (void)state;
  certificate_case c;
  fg_status st;
  double x[41], near[82], score[82], t = 0.3, largest, expected = -INFINITY, h = 1e-5;
  certificate_open(&c, 1, 2, fg_two, 0.3, 4, 0.7);
  for (int i = 0; i < 41; i++) {
    x[i] = -4 + 0.2 * i;
    near[2 * i] = x[i] - h;
    near[2 * i + 1] = x[i] + h;
  }
  fg_evaluation want = {.score = score};
  certificate_ok(fg_model_evaluate(c.model, FG_DOUBLE, 82, &t, 1, near, &want, &st), &st);
  for (int i = 0; i < 41; i++) expected = fmax(expected, (score[2 * i + 1] - score[2 * i]) / (2 * h));
  certificate_ok(fg_lipschitz_sampled(c.model, t, 41, x, &largest, &st), &st);
  assert_true(fabs(largest - expected) < 1e-7); /* h^2 times the fourth derivative, and 1e-16 / h */
  certificate_ok(fg_lipschitz_sampled(c.model, t, 0, x, &largest, &st), &st);
  assert_true(isnan(largest));
  certificate_close(&c);
}

/* No point of a wide net exceeds the bound over all space; one Gaussian attains it. */
static void test_lipschitz_global(void **state)
{
  (void)state;
  fg_status st;
  const double epsilons[3] = {0, 0.3, 1}, t[3] = {0.02, 0.3, 2};
  for (int e = 0; e < 3; e++)
    for (size_t k = 1; k <= 3; k++) {
      certificate_case c;
      fg_law_grid grid = {2, 80, 5};
      double *x = malloc(6400 * 2 * sizeof *x), bound[3], largest;
      bool known;
      assert_non_null(x);
      for (size_t i = 0; i < 6400; i++) {
        x[2 * i] = -grid.half_width + (0.5 + (double)(i / 80)) * 0.125;
        x[2 * i + 1] = -grid.half_width + (0.5 + (double)(i % 80)) * 0.125;
      }
      certificate_open(&c, 2, k, fg_corners, 0.3, 4, epsilons[e]);
      certificate_ok(fg_lipschitz_global(c.model, 3, t, bound, &known, &st), &st);
      assert_true(known);
      for (int i = 0; i < 3; i++) {
        certificate_ok(fg_lipschitz_sampled(c.model, t[i], 6400, x, &largest, &st), &st);
        assert_true(largest <= bound[i] + 1e-12);
        double m = exp(-t[i]), v = 0.5 * (1 - m * m) + 0.3 * m * m;
        if (epsilons[e] == 0 && k == 1) assert_true(fabs(bound[i] + 1 / v) < 1e-12 / v);
        if (epsilons[e] == 0 && k == 1) assert_true(fabs(largest + 1 / v) < 1e-10 / v);
      }
      free(x);
      certificate_close(&c);
    }
}

/* Twenty dimensions, two components: l = -1/c + m^2 |mu1 - mu2|^2 / (4 c^2) half-way between them, by power
 * iteration, whose ratio of eigenvalues leaves an error far below 1e-6 after 40 shifted steps. */
static void test_lipschitz_power(void **state)
{
  (void)state;
  enum { D = 20 };
  certificate_case c;
  fg_status st;
  double means[2 * D], middle[D], t = 0.4, largest, apart2 = 0;
  for (int j = 0; j < D; j++) {
    means[j] = 0.3 + 0.02 * j;
    means[D + j] = -0.5 + 0.03 * j * j / D;
    apart2 += pow(means[j] - means[D + j], 2);
  }
  double m = exp(-t), v = 0.5 * (1 - m * m) + 0.3 * m * m;
  for (int j = 0; j < D; j++) middle[j] = 0.5 * m * (means[j] + means[D + j]);
  certificate_open(&c, D, 2, means, 0.3, 4, 0);
  certificate_ok(fg_lipschitz_sampled(c.model, t, 1, middle, &largest, &st), &st);
  double expected = -1 / v + 0.25 * m * m * apart2 / (v * v);
  assert_true(fabs(largest - expected) < 1e-6 * fabs(expected));
  certificate_close(&c);
}

/* Components of different covariance have no bound in closed form. */
static void test_lipschitz_unknown(void **state)
{
  (void)state;
  const double covariances[2] = {0.3, 0.4};
  fg_status st;
  fg_engine *engine;
  fg_target *target;
  fg_process *process;
  fg_model *model;
  fg_target_settings settings;
  fg_process_settings noise;
  double t = 1, bound = 7;
  bool known = true;
  fg_target_defaults(FG_TARGET_MIXTURE, &settings);
  settings.dimension = 1;
  settings.components = 2;
  settings.means = fg_two;
  settings.covariances = covariances;
  fg_process_defaults(FG_PROCESS_OU, &noise);
  certificate_ok(fg_engine_open("cpu-check", 1, &engine, &st), &st);
  certificate_ok(fg_target_create(&settings, &target, &st), &st);
  certificate_ok(fg_process_create(&noise, &process, &st), &st);
  certificate_ok(fg_model_exact(engine, target, process, &model, &st), &st);
  certificate_ok(fg_lipschitz_global(model, 1, &t, &bound, &known, &st), &st);
  assert_false(known);
  fg_model_destroy(&model);
  fg_process_destroy(&process);
  fg_target_destroy(&target);
  fg_engine_close(&engine);
}

/* exp phi of an exact model has mass 1: the midpoint rule is exact to rounding for smooth functions that vanish at the
 * sides; cells of 0.16 are far below the width 0.5 of the components. */
static void test_mass_box(void **state)
{
  (void)state;
  const double means[6] = {-1, 0.5, 0.2, 1.2, 0.3, -0.7};
  fg_status st;
  fg_log_mass mass;
  for (size_t d = 1; d <= 3; d++) {
    certificate_case c;
    certificate_open(&c, d, 2, means, 0.3, 4, 0);
    certificate_ok(fg_log_mass_box(c.model, 0.05, 64, 5, &mass, &st), &st);
    assert_true(fabs(mass.value) < 1e-9);
    assert_true(mass.error < 1e-3 && mass.edge < 1e-6);
    assert_int_equal(fg_log_mass_box(c.model, 0.05, 2, 5, &mass, &st), FG_USAGE);
    certificate_close(&c);
  }
}

/* Importance sampling around exact draws: the perturbed mass in two dimensions against the box, five dimensions
 * against 0; four standard errors. */
static void test_mass_sampled(void **state)
{
  (void)state;
  enum { N = 2000 };
  const double means[10] = {-1, 0.5, 0.2, 1.2, 0.3, -0.7, 0.1, 0.9, -0.4, 0.2};
  fg_status st;
  fg_log_mass mass, box;
  double *x = malloc(N * 5 * sizeof *x);
  assert_non_null(x);
  for (size_t d = 2; d <= 5; d += 3) {
    certificate_case c;
    certificate_open(&c, d, 2, means, 0.3, 4, d == 2 ? 0.8 : 0);
    certificate_ok(fg_target_sample(c.target, 5, 0, N, x, &st), &st);
    certificate_ok(fg_log_mass_sampled(c.model, 0, N, x, 3, &mass, &st), &st);
    box.value = 0;
    if (d == 2) certificate_ok(fg_log_mass_box(c.model, 0, 128, 6, &box, &st), &st);
    print_message("d = %zu: log-mass %g +- %g, expected %g\n", d, mass.value, mass.error, box.value);
    assert_true(mass.error < 0.1);
    assert_true(fabs(mass.value - box.value) < 4 * mass.error);
    assert_int_equal(fg_log_mass_sampled(c.model, 0, 1, x, 3, &mass, &st), FG_USAGE);
    certificate_close(&c);
  }
  free(x);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_times),
                                     cmocka_unit_test(test_log_a),
                                     cmocka_unit_test(test_log_a_processes),
                                     cmocka_unit_test(test_lipschitz_line),
                                     cmocka_unit_test(test_lipschitz_global),
                                     cmocka_unit_test(test_lipschitz_power),
                                     cmocka_unit_test(test_lipschitz_unknown),
                                     cmocka_unit_test(test_mass_box),
                                     cmocka_unit_test(test_mass_sampled)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

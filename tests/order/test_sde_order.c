/* needs: flow */
/* Orders of the SDE schemes on a Gaussian target, where the law of the exact model is N(m mu, S) with
 * S = m^2 var + v, and each scheme maps Gaussians to Gaussians by a recursion of mean and variance.
 *
 * Euler: weak order 1, strong order 1; Heun: weak order 2, strong order 1 (additive noise). */
#include "support/model_case.h"

#include "formula/random.h"

enum {
  D = 10,
  N = 4000,
  SIZES = 5,
  COARSEST = 8,
  REFERENCE = 4
}; /* reference: 2^4 times finer than the finest */
static const double mean0 = 1, variance0 = 0.5, t_from = 0.6, t_to = 0.1;

typedef struct moments {
  double mean, variance;
} moments;

static void open_gaussian(model_case *c, fg_process_kind kind)
{
  fg_target_settings s;
  fg_target *target;
  fg_target_defaults(FG_TARGET_GAUSSIAN, &s);
  s.dimension = D;
  s.mean = mean0;
  s.variance = variance0;
  CASE_OK(fg_target_create(&s, &target, &case_status));
  case_open(c, "cpu", 0, kind, target, NULL);
}

static moments exact_law(const fg_process *p, double t)
{
  double m = fg_process_m(p, t);
  return (moments){m * mean0, m * m * variance0 + fg_process_v(p, t)};
}

/* The drift a x + (1 + l^2)/2 g^2 s = slope x + constant. */
static void linear_drift(const fg_process *p, double t, double lambda, double *slope, double *constant)
{
  moments law = exact_law(p, t);
  double push = (1 + lambda * lambda) / 2 * fg_process_g2(p, t) / law.variance;
  *slope = fg_process_a(p, t) - push;
  *constant = push * law.mean;
}

/* Law of the scheme at t_to when it starts from the exact one: x' = A x + B + C z. */
static moments recursion(const fg_process *p, fg_scheme scheme, double lambda, size_t steps)
{
  moments law = exact_law(p, t_from);
  double h = (t_from - t_to) / (double)steps;
  for (size_t k = 0; k < steps; k++) {
    double t = t_from - (double)k * h, s0, c0, s1, c1, q0 = fg_process_g2(p, t), q1 = fg_process_g2(p, t - h);
    linear_drift(p, t, lambda, &s0, &c0);
    linear_drift(p, t - h, lambda, &s1, &c1);
    double A = 1 + h * s0, B = h * c0, sd = lambda * sqrt(h * q0), C = sd;
    if (scheme == FG_HEUN) {
      sd = lambda * sqrt(h * (q0 + q1) / 2);
      A = 1 + h / 2 * (s0 + s1 * (1 + h * s0));
      B = h / 2 * (c0 + c1 + s1 * h * c0);
      C = sd * (1 + h / 2 * s1);
    }
    law.mean = A * law.mean + B;
    law.variance = A * A * law.variance + C * C;
  }
  return law;
}

/* Least-squares slope of log error over log h for steps COARSEST 2^i. */
static double slope(const double error[SIZES])
{
  double sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (int i = 0; i < SIZES; i++) {
    double x = -(double)i * log(2.0), y = log(fabs(error[i]));
    sx += x;
    sy += y;
    sxx += x * x;
    sxy += x * y;
  }
  return (SIZES * sxy - sx * sy) / (SIZES * sxx - sx * sx);
}

static void expect_slope(const char *what, const double error[SIZES], double order, double band)
{
  double p = slope(error);
  print_message("%s: order %.3f (errors %.3g .. %.3g)\n", what, p, error[0], error[SIZES - 1]);
  if (!(fabs(p - order) < band)) fail_msg("%s: order %.3f is not %g +- %g", what, p, order, band);
}

static void start_points(const model_case *c, double *x0)
{
  moments law = exact_law(c->process, t_from);
  for (uint64_t i = 0; i < N; i++)
    for (uint32_t j = 0; j < D; j++)
      x0[i * D + j] = law.mean + sqrt(law.variance) * fg_normal(5, FG_STREAM_PRIOR, i, 0, j);
}

static void simulate(const model_case *c, fg_scheme scheme, double lambda, size_t steps, int refine,
                     const double *x0, double *x1)
{
  fg_fixed_settings f;
  fg_grid *grid;
  CASE_OK(fg_grid_create(FG_GRID_UNIFORM, t_from, t_to, steps, &grid, &case_status));
  fg_fixed_defaults(&f);
  f.grid = grid;
  f.scheme = scheme;
  f.lambda = lambda;
  f.refine = refine;
  CASE_OK(
      fg_flow_fixed(c->model, &f, 11, FG_STREAM_NOISE, 0, N, x0, x1, NULL, NULL, NULL, NULL, &case_status));
  fg_grid_destroy(&grid);
}

/* The recursion, free of Monte Carlo error, against the exact law. */
static void weak_order_of_the_recursion(void **state)
{
  (void)state;
  static const fg_process_kind kinds[] = {FG_PROCESS_OU, FG_PROCESS_VP};
  for (size_t kind = 0; kind < 2; kind++)
    for (int scheme = 0; scheme < 2; scheme++) {
      model_case c;
      double mean[SIZES], variance[SIZES];
      open_gaussian(&c, kinds[kind]);
      moments truth = exact_law(c.process, t_to);
      for (int i = 0; i < SIZES; i++) {
        moments law = recursion(c.process, (fg_scheme)scheme, 1, (size_t)COARSEST << (i + 1));
        mean[i] = law.mean - truth.mean;
        variance[i] = law.variance - truth.variance;
      }
      /* the next term of the expansion bends the line by about h */
      expect_slope("mean", mean, scheme == FG_HEUN ? 2 : 1, 0.15);
      expect_slope("variance", variance, scheme == FG_HEUN ? 2 : 1, 0.15);
      case_close(&c);
    }
}

/* The engine draws from the law of the recursion: mean and variance within 4.5 standard errors (40,000
 * independent numbers: 0.005 sd and 0.7 % of the variance), at every step size, for three lambdas. */
static void engine_follows_the_recursion(void **state)
{
  (void)state;
  static double x0[N * D], x1[N * D];
  static const double lambdas[] = {0.5, 1, 1.5};
  model_case c;
  open_gaussian(&c, FG_PROCESS_VP);
  start_points(&c, x0);
  for (int scheme = 0; scheme < 2; scheme++)
    for (int which = 0; which < 3; which++)
      for (int i = 0; i < SIZES; i++) {
        size_t steps = (size_t)COARSEST << i;
        moments law = recursion(c.process, (fg_scheme)scheme, lambdas[which], steps);
        double sum = 0, square = 0, n = N * D;
        simulate(&c, (fg_scheme)scheme, lambdas[which], steps, 0, x0, x1);
        for (size_t k = 0; k < N * D; k++) {
          sum += x1[k] - law.mean;
          square += (x1[k] - law.mean) * (x1[k] - law.mean);
        }
        assert_true(fabs(sum / n) < 4.5 * sqrt(law.variance / n));
        assert_true(fabs(square / n - law.variance) < 4.5 * law.variance * sqrt(2 / n));
      }
  case_close(&c);
}

/* The same paths, coarse and fine (Brownian bridges). Strong: root mean square of X^h - X^fine. Weak: mean of
 * X^h - X^fine and of their squares; the coupling leaves a Monte Carlo error of strong error / 200 (twice that
 * for squares). That is a tenth of the weak error or less, but for Heun's squares, which are left to the
 * recursion above. */
static void orders_on_one_path(void **state)
{
  (void)state;
  static double x0[N * D], fine[N * D], x1[N * D];
  model_case c;
  open_gaussian(&c, FG_PROCESS_VP);
  start_points(&c, x0);
  for (int scheme = 0; scheme < 2; scheme++) {
    double strong[SIZES], mean[SIZES], square[SIZES], n = N * D;
    simulate(&c, (fg_scheme)scheme, 1, COARSEST, SIZES - 1 + REFERENCE, x0, fine);
    for (int i = 0; i < SIZES; i++) {
      double rms = 0, first = 0, second = 0;
      simulate(&c, (fg_scheme)scheme, 1, COARSEST, i, x0, x1);
      for (size_t k = 0; k < N * D; k++) {
        double e = x1[k] - fine[k];
        rms += e * e;
        first += e;
        second += x1[k] * x1[k] - fine[k] * fine[k];
      }
      strong[i] = sqrt(rms / n);
      mean[i] = first / n;
      square[i] = second / n;
    }
    expect_slope("strong", strong, 1, 0.2);
    /* the fine path is not exact: it lowers the last error by 2^-4 (Euler), which bends the slope by 0.04 */
    expect_slope("weak, first moment", mean, scheme == FG_HEUN ? 2 : 1, 0.2);
    if (scheme == FG_EULER) expect_slope("weak, second moment", square, 1, 0.25);
  }
  case_close(&c);
}

/* lambda = 0: no noise, plain Euler and Heun for the ODE, whose exact map is
 * x -> m1 mu + (x - m0 mu) sqrt(S1 / S0). */
static void ode_orders(void **state)
{
  (void)state;
  static double x0[N * D], x1[N * D];
  model_case c;
  open_gaussian(&c, FG_PROCESS_VP);
  start_points(&c, x0);
  moments from = exact_law(c.process, t_from), to = exact_law(c.process, t_to);
  for (int scheme = 0; scheme < 2; scheme++) {
    double error[SIZES];
    for (int i = 0; i < SIZES; i++) {
      double most = 0;
      simulate(&c, (fg_scheme)scheme, 0, (size_t)COARSEST << (i + 1), 0, x0, x1);
      for (size_t k = 0; k < N * D; k++)
        most = fmax(most, fabs(x1[k] - to.mean - (x0[k] - from.mean) * sqrt(to.variance / from.variance)));
      error[i] = most;
    }
    expect_slope("ODE", error, scheme == FG_HEUN ? 2 : 1, 0.15);
  }
  case_close(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(weak_order_of_the_recursion),
      cmocka_unit_test(engine_follows_the_recursion),
      cmocka_unit_test(orders_on_one_path),
      cmocka_unit_test(ode_orders),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: model */
/* Exact and perturbed models against log p_t in long double, written plainly, and its central differences:
 * none of the closed forms of the kernels enters the reference but the density itself. */
#include "support/model_case.h"

typedef long double real;

enum { POINTS = 37 };

/* A mixture noised by (m, v), and the perturbation at time t. */
typedef struct reference {
  size_t d, components;
  const double *weights, *means, *covariances;
  const fg_perturbation *perturbation;
} reference;

/* Cholesky factor of m^2 C + v I in place of c; returns its log determinant. */
static real factor(size_t d, const double *covariance, real m, real v, real *c)
{
  real log_det = 0;
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j <= i; j++) {
      real sum = m * m * (real)covariance[i * d + j] + (i == j ? v : 0);
      for (size_t l = 0; l < j; l++) sum -= c[i * d + l] * c[j * d + l];
      c[i * d + j] = i == j ? sqrtl(sum) : sum / c[j * d + j];
      if (i == j) log_det += 2 * logl(c[i * d + i]);
    }
  return log_det;
}

static real phi(const reference *r, real t, real m, real v, const real *x)
{
  size_t d = r->d;
  real logs[16], top = -INFINITY, sum = 0, pi = acosl(-1), r2 = 0, s = 0, h = 0;
  for (size_t k = 0; k < r->components; k++) {
    real c[CASE_MOST * CASE_MOST], y[CASE_MOST], square = 0;
    real log_det = factor(d, r->covariances + k * d * d, m, v, c);
    for (size_t i = 0; i < d; i++) {
      y[i] = x[i] - m * (real)r->means[k * d + i];
      for (size_t l = 0; l < i; l++) y[i] -= c[i * d + l] * y[l];
      y[i] /= c[i * d + i];
      square += y[i] * y[i];
    }
    logs[k] = logl((real)r->weights[k]) - ((real)d * logl(2 * pi) + log_det + square) / 2;
    if (logs[k] > top) top = logs[k];
  }
  for (size_t k = 0; k < r->components; k++) sum += expl(logs[k] - top);
  if (r->perturbation) {
    const fg_perturbation *p = r->perturbation;
    for (size_t i = 0; i < d; i++) {
      r2 += x[i] * x[i];
      s += x[i];
    }
    h = expl(-(real)p->decay * t) * expl(-r2 / (2 * (real)p->length * (real)p->length)) *
        sinl((real)p->wave * s / sqrtl((real)d) + t) * (real)p->epsilon;
  }
  return top + logl(sum) + h;
}

/* phi at x + a e + b w, w a direction or NULL */
static real moved(const reference *r, real t, real m, real v, const real *x, size_t j, real a,
                  const double *w, real b)
{
  real y[CASE_MOST];
  for (size_t i = 0; i < r->d; i++) y[i] = x[i] + (i == j ? a : 0) + (w ? b * (real)w[i] : 0);
  return phi(r, t, m, v, y);
}

typedef struct answers {
  real phi, phi_t, score[CASE_MOST], laplacian, jvp[CASE_MOST];
} answers;

/* Fourth-order differences; with 64-bit mantissas their error stays below 1e-9 of the sizes involved. */
static void differences(const reference *r, const fg_process *process, real t, const double *point,
                        const double *w, answers *out)
{
  real m = fg_process_m(process, (double)t), v = fg_process_v(process, (double)t), h = 1e-3L;
  real a = fg_process_a(process, (double)t), g2 = fg_process_g2(process, (double)t);
  real dm = -a * m, dv = -2 * a * v + g2, x[CASE_MOST], e = h * v / (v + fabsl(dv) + 1);
  for (size_t i = 0; i < r->d; i++) x[i] = point[i];
  real p0 = phi(r, t, m, v, x), sum = 0;
  out->phi = p0;
#define ALONG_TIME(s) phi(r, t + (s)*e, m + (s)*e * dm, v + (s)*e * dv, x)
  out->phi_t = (8 * (ALONG_TIME(1) - ALONG_TIME(-1)) - (ALONG_TIME(2) - ALONG_TIME(-2))) / (12 * e);
  for (size_t j = 0; j < r->d; j++) {
#define AT(s, q) moved(r, t, m, v, x, j, (s)*h, w, (q)*h)
    out->score[j] = (8 * (AT(1, 0) - AT(-1, 0)) - (AT(2, 0) - AT(-2, 0))) / (12 * h);
    sum += (16 * (AT(1, 0) + AT(-1, 0)) - (AT(2, 0) + AT(-2, 0)) - 30 * p0) / (12 * h * h);
    real one = (AT(1, 1) - AT(1, -1) - AT(-1, 1) + AT(-1, -1)) / (4 * h * h);
    real two = (AT(2, 2) - AT(2, -2) - AT(-2, 2) + AT(-2, -2)) / (16 * h * h);
    out->jvp[j] = (4 * one - two) / 3;
  }
  out->laplacian = sum;
}

static void close_to(const char *what, size_t i, double value, real truth, real scale, real tolerance)
{
  if (!(fabsl((real)value - truth) <= tolerance * (1 + scale)))
    fail_msg("%s at point %zu: %.17g, reference %.17Lg, error %.2Lg of %.3Lg", what, i, value, truth,
             fabsl((real)value - truth), 1 + scale);
}

/* t not small: the differences above need a density that varies over lengths well above 1e-3. */
static void compare(const model_case *c, const reference *r, fg_precision precision, double t, double spread,
                    real tolerance)
{
  static double x[POINTS * CASE_MOST], w[POINTS * CASE_MOST], score[POINTS * CASE_MOST],
      jvp[POINTS * CASE_MOST];
  double p[POINTS], p_t[POINTS], divergence[POINTS];
  size_t d = r->d;
  fg_evaluation out = {p, p_t, score, divergence, NULL, w, jvp};
  for (size_t i = 0; i < POINTS * d; i++) {
    x[i] = spread * case_number(i, 5);
    w[i] = case_number(i, 6);
    if (precision == FG_SINGLE) x[i] = (float)x[i];
    if (precision == FG_SINGLE) w[i] = (float)w[i];
  }
  CASE_OK(fg_model_evaluate(c->model, precision, POINTS, &t, 1, x, &out, &case_status));
  for (size_t i = 0; i < POINTS; i++) {
    answers a;
    differences(r, c->process, (real)t, x + i * d, w + i * d, &a);
    real size = 0;
    for (size_t j = 0; j < d; j++) size += a.score[j] * a.score[j];
    close_to("phi", i, p[i], a.phi, fabsl(a.phi), tolerance);
    close_to("phi_t", i, p_t[i], a.phi_t, fabsl(a.phi_t) + size, tolerance);
    close_to("divergence", i, divergence[i], a.laplacian, fabsl(a.laplacian) + size, tolerance);
    for (size_t j = 0; j < d; j++) {
      close_to("score", i, score[i * d + j], a.score[j], sqrtl(size), tolerance);
      close_to("jvp", i, jvp[i * d + j], a.jvp[j], fabsl(a.laplacian) + size, tolerance);
    }
  }
}

static void derivatives_of_mixtures(void **state)
{
  (void)state;
  static const size_t dimensions[] = {1, 2, 3, 10};
  static const fg_process_kind kinds[] = {FG_PROCESS_OU, FG_PROCESS_VP, FG_PROCESS_VE, FG_PROCESS_BM};
  for (size_t which = 0; which < 4; which++)
    for (size_t kind = 0; kind < 4; kind++)
      for (int isotropic = 0; isotropic < 2; isotropic++)
        for (int perturbed = 0; perturbed < 2; perturbed++) {
          case_mixture m;
          fg_perturbation h;
          fg_target *target;
          model_case c;
          fg_perturbation_defaults(&h);
          case_mixture_fill(&m, dimensions[which], isotropic);
          reference r = {m.d, CASE_COMPONENTS, m.weights, m.means, m.covariances, perturbed ? &h : NULL};
          case_target_mixture(&m, &target);
          case_open(&c, "cpu", 1, kinds[kind], target, perturbed ? &h : NULL);
          /* double: the error of the fourth-order differences; float: 2^-24 times the condition of log-sum-exp */
          compare(&c, &r, FG_DOUBLE, 0.6, 3, 1e-9L);
          compare(&c, &r, FG_SINGLE, 0.6, 3, 2e-5L);
          case_close(&c);
        }
}

/* Different times for different points give what one call per time gives. */
static void times_per_point(void **state)
{
  (void)state;
  enum { N = 70 };
  for (int isotropic = 0; isotropic < 2; isotropic++) {
    case_mixture m;
    fg_perturbation h;
    fg_target *target;
    model_case c;
    double t[N], x[3 * N], phi_all[N], residual_all[N], jvp_all[3 * N], w[3 * N];
    fg_perturbation_defaults(&h);
    case_mixture_fill(&m, 3, isotropic);
    case_target_mixture(&m, &target);
    case_open(&c, "cpu-check", 2, FG_PROCESS_VP, target, &h);
    for (size_t i = 0; i < 3 * N; i++) x[i] = 3 * case_number(i, 1);
    for (size_t i = 0; i < 3 * N; i++) w[i] = case_number(i, 2);
    for (size_t i = 0; i < N; i++) t[i] = 0.5 + 0.49 * case_number(i, 3);
    fg_evaluation all = {.phi = phi_all, .residual = residual_all, .direction = w, .jvp = jvp_all};
    CASE_OK(fg_model_evaluate(c.model, FG_DOUBLE, N, t, N, x, &all, &case_status));
    for (size_t i = 0; i < N; i++) {
      double one_phi, one_residual, one_jvp[3];
      fg_evaluation one = {
          .phi = &one_phi, .residual = &one_residual, .direction = w + 3 * i, .jvp = one_jvp};
      CASE_OK(fg_model_evaluate(c.model, FG_DOUBLE, 1, t + i, 1, x + 3 * i, &one, &case_status));
      assert_true(fabs(one_phi - phi_all[i]) <= 1e-13 * (1 + fabs(one_phi)));
      assert_true(fabs(one_residual - residual_all[i]) <= 1e-12 * (1 + fabs(one_residual)));
      for (size_t j = 0; j < 3; j++) assert_true(fabs(one_jvp[j] - jvp_all[3 * i + j]) <= 1e-12);
    }
    case_close(&c);
  }
}

/* R = 0 for an exact model, to rounding relative to the terms that make it up. */
static void residual_is_zero(void **state)
{
  (void)state;
  static const fg_process_kind kinds[] = {FG_PROCESS_OU, FG_PROCESS_VP, FG_PROCESS_VE, FG_PROCESS_BM};
  enum { N = 500 };
  static double x[2 * N], p_t[N], s[2 * N], lap[N], residual[N];
  for (size_t kind = 0; kind < 4; kind++) {
    model_case c;
    fg_target *target;
    case_target(FG_TARGET_GMM9, &target);
    case_open(&c, "cpu", 1, kinds[kind], target, NULL);
    double horizon = fg_process_horizon(c.process);
    static const double shares[] = {0, 1e-6, 0.01, 0.2, 0.7, 1};
    for (size_t share = 0; share < 6; share++) {
      double t = shares[share] * horizon, a = fg_process_a(c.process, t), g2 = fg_process_g2(c.process, t);
      for (size_t i = 0; i < 2 * N; i++) x[i] = 8 * case_number(i, share);
      fg_evaluation out = {.phi_t = p_t, .score = s, .divergence = lap, .residual = residual};
      CASE_OK(fg_model_evaluate(c.model, FG_DOUBLE, N, &t, 1, x, &out, &case_status));
      for (size_t i = 0; i < N; i++) {
        double ss = s[2 * i] * s[2 * i] + s[2 * i + 1] * s[2 * i + 1];
        double xs = fabs(x[2 * i] * s[2 * i]) + fabs(x[2 * i + 1] * s[2 * i + 1]);
        double scale = fabs(p_t[i]) + a * (2 + xs) + g2 / 2 * (fabs(lap[i]) + ss);
        /* nine components, about fifty operations each way: 100 rounding errors at most */
        if (!(fabs(residual[i]) <= 100 * 2.3e-16 * (scale + 1)))
          fail_msg("process %zu, t = %g, x = (%g, %g): R = %g, terms %g", kind, t, x[2 * i], x[2 * i + 1],
                   residual[i], scale);
      }
    }
    case_close(&c);
  }
}

/* Far from every mode the nearest component rules: s = -(x - m mu) / (m^2 0.3 + v), lap = -2 / (...). */
static void far_away(void **state)
{
  (void)state;
  model_case c;
  fg_target *target;
  case_target(FG_TARGET_GMM9, &target);
  case_open(&c, "cpu", 1, FG_PROCESS_OU, target, NULL);
  double t = 0.3, m = exp(-t), variance = m * m * 0.3 - expm1(-2 * t) / 2, phi_far, s[2], lap, jvp[2];
  double x[2] = {1e8, -1e8}, w[2] = {1, 2}, mode[2] = {5 * m, -5 * m};
  fg_evaluation out = {.phi = &phi_far, .score = s, .divergence = &lap, .direction = w, .jvp = jvp};
  CASE_OK(fg_model_evaluate(c.model, FG_DOUBLE, 1, &t, 1, x, &out, &case_status));
  double square = 0;
  for (int j = 0; j < 2; j++) {
    square += (x[j] - mode[j]) * (x[j] - mode[j]);
    assert_true(fabs(s[j] + (x[j] - mode[j]) / variance) <= 1e-14 * fabs(s[j]));
    assert_true(fabs(jvp[j] + w[j] / variance) <= 1e-12);
  }
  assert_true(fabs(phi_far + square / (2 * variance)) <= 1e-14 * fabs(phi_far));
  assert_true(fabs(lap + 2 / variance) <= 1e-12);
  case_close(&c);
}

static void bad_requests(void **state)
{
  (void)state;
  model_case c;
  fg_target *target, *funnel;
  fg_model *none = NULL;
  fg_perturbation h;
  case_target(FG_TARGET_GMM9, &target);
  case_target(FG_TARGET_FUNNEL, &funnel);
  case_open(&c, "cpu", 1, FG_PROCESS_OU, target, NULL);
  double t[2] = {0.5, 0.5}, x[8] = {0, 0, 1, NAN, 0, 0, 0, 0}, p[4];
  fg_evaluation out = {.phi = p};
  assert_int_equal(fg_model_evaluate(c.model, FG_DOUBLE, 4, t, 1, x, &out, &case_status), FG_NUMERICS);
  assert_non_null(strstr(case_status.message, "point 2"));
  assert_int_equal(fg_model_evaluate(c.model, FG_DOUBLE, 4, t, 2, x, &out, &case_status), FG_USAGE);
  out.jvp = p;
  assert_int_equal(fg_model_evaluate(c.model, FG_DOUBLE, 1, t, 1, x, &out, &case_status), FG_USAGE);
  CASE_OK(fg_model_evaluate(c.model, FG_DOUBLE, 0, t, 1, x, &(fg_evaluation){.phi = p}, &case_status));
  assert_int_equal(fg_model_exact(c.engine, funnel, c.process, &none, &case_status), FG_USAGE);
  assert_non_null(strstr(case_status.message, "funnel"));
  assert_null(none);
  fg_perturbation_defaults(&h);
  h.length = 0;
  assert_int_equal(fg_model_perturbed(c.engine, target, c.process, &h, &none, &case_status), FG_USAGE);
  assert_int_equal(fg_engine_open("gpu", 1, &(fg_engine *){NULL}, &case_status), FG_USAGE);
  fg_target_destroy(&funnel);
  case_close(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(derivatives_of_mixtures),
      cmocka_unit_test(times_per_point),
      cmocka_unit_test(residual_is_zero),
      cmocka_unit_test(far_away),
      cmocka_unit_test(bad_requests),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

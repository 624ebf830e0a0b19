/* needs: target */
/* m(t) and v(t) against quadrature of their definitions, derivatives, limits, messages. Times and
 * settings are chosen to hurt: t -> 0, horizons after which m underflows, near-equal sigmas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include <gsl/gsl_errno.h>
#include <gsl/gsl_integration.h>

#include "sde/coeff.h"

static fg_process *made(const fg_process_settings *s)
{
  fg_process *p = NULL;
  fg_status st = {0};
  if (fg_process_create(s, &p, &st) != FG_OK) fail_msg("%s", st.message);
  return p;
}

enum { CASES = 13 };

/* Case i of settings that all must be served. */
static fg_process_settings example(int i)
{
  static const struct {
    fg_process_kind kind;
    double horizon, p, q, r;
  } table[CASES] = {{FG_PROCESS_OU, 10, 1, 1, 0},          {FG_PROCESS_OU, 10, 50, 0.3, 0},
                    {FG_PROCESS_OU, 3, 1e-9, 2, 0},        {FG_PROCESS_OU, 1e-3, 1, 1e-4, 0},
                    {FG_PROCESS_VP, 1, 0.1, 10, 1},        {FG_PROCESS_VP, 1, 0, 20, 2},
                    {FG_PROCESS_VP, 5, 3, 3, 0.5},         {FG_PROCESS_VE, 1, 0.01, 10, 0},
                    {FG_PROCESS_VE, 2, 0.5, 0.5000001, 0}, {FG_PROCESS_VE, 1, 1e-4, 348, 0},
                    {FG_PROCESS_BM, 5, 0.4472136, 0, 0},   {FG_PROCESS_BM, 1e6, 1e3, 0, 0},
                    {FG_PROCESS_VP, 1e-6, 1e4, 1e7, 1e-3}};
  fg_process_settings s;
  fg_process_defaults(table[i].kind, &s);
  s.horizon = table[i].horizon;
  switch (table[i].kind) {
  case FG_PROCESS_OU:
    s.rate = table[i].p;
    s.diff = table[i].q;
    break;
  case FG_PROCESS_VP:
    s.beta_min = table[i].p;
    s.beta_max = table[i].q;
    s.scale = table[i].r;
    break;
  case FG_PROCESS_VE:
    s.sigma_min = table[i].p;
    s.sigma_max = table[i].q;
    break;
  case FG_PROCESS_BM:
    s.diff = table[i].p;
    break;
  case FG_PROCESS_PINNED: /* has tests of its own */
    break;
  }
  return s;
}

/* ---- the definitions ----------------------------------------------------------------------- */

typedef struct definition {
  const fg_process *p;
  double t;
  gsl_integration_glfixed_table *gauss;
} definition;

static double a_of(double s, void *data)
{
  return fg_process_a(((const definition *)data)->p, s);
}

/* The integral of a over from..to; a is at most linear, so Gauss-Legendre is exact. */
static double a_integral(definition *d, double from, double to)
{
  gsl_function f = {a_of, d};
  return gsl_integration_glfixed(&f, from, to, d->gauss);
}

/* g(s)^2 m(t)^2 / m(s)^2, s = t z; the ratio of the m as one exponential, so that nothing underflows. */
static double v_integrand(double z, void *data)
{
  definition *d = data;
  return d->t * fg_process_g2(d->p, d->t * z) * exp(-2.0 * a_integral(d, d->t * z, d->t));
}

static void follow_definitions(void **state)
{
  (void)state;
  const double fractions[] = {1e-200, 1e-12, 1e-5, 0.01, 0.3, 0.77, 1.0};
  gsl_integration_workspace *space = gsl_integration_workspace_alloc(400);
  gsl_integration_glfixed_table *gauss = gsl_integration_glfixed_table_alloc(4);
  gsl_error_handler_t *old = gsl_set_error_handler_off(); /* round-off reached is fine here */
  for (int i = 0; i < CASES; i++) {
    fg_process_settings s = example(i);
    fg_process *p = made(&s);
    for (size_t k = 0; k < sizeof fractions / sizeof *fractions; k++) {
      definition d = {p, s.horizon * fractions[k], gauss};
      gsl_function f = {v_integrand, &d};
      double v = 0, error = 0, a = a_integral(&d, 0, d.t), m = exp(-a);
      gsl_integration_qag(&f, 0, 1, 0, 2e-14, 400, GSL_INTEG_GAUSS41, space, &v, &error);
      assert_true(error <= 1e-12 * v); /* the reference itself */
      /* exp multiplies a relative error eps of its argument by the argument: 1e-15 (1 + a). */
      assert_true(fabs(fg_process_m(p, d.t) - m) <= 1e-15 * (4 + 4 * a) * m);
      if (!(fabs(fg_process_v(p, d.t) - v) <= 1e-12 * v))
        fail_msg("case %d, t %g: v %.17g, by quadrature %.17g", i, d.t, fg_process_v(p, d.t), v);
    }
    fg_process_destroy(&p);
  }
  gsl_set_error_handler(old);
  gsl_integration_glfixed_table_free(gauss);
  gsl_integration_workspace_free(space);
}

static void coefficients_agree(void **state)
{
  (void)state;
  for (int i = 0; i < CASES; i++) {
    fg_process_settings s = example(i);
    fg_process *p = made(&s);
    for (int k = 1; k <= 8; k++) {
      double t = s.horizon * k / 8.0, h = 1e-5 * t;
      fg_coeff c = fg_process_coeff(p, t);
      assert_true(c.t == t && c.a == fg_process_a(p, t) && c.g2 == fg_process_g2(p, t));
      assert_true(c.m == fg_process_m(p, t) && c.v == fg_process_v(p, t));
      assert_true(c.dm == -c.a * c.m);
      /* v' = -2 a v + g^2, which cancels: the tolerance is rounding of its terms. beta (t/T) and
       * a v each carry a few roundings, and m^2 the factor (1 + a t). */
      assert_true(fabs(c.dv - (c.g2 - 2 * c.a * c.v)) <= 1e-15 * (8 + 4 * c.a * t) * c.g2);
      /* Central differences of fourth order: error about h^4 (scaled) plus rounding of v / h. */
      double dv = (8 * (fg_process_v(p, t + h) - fg_process_v(p, t - h)) -
                   (fg_process_v(p, t + 2 * h) - fg_process_v(p, t - 2 * h))) /
                  (12 * h);
      double dm = (8 * (fg_process_m(p, t + h) - fg_process_m(p, t - h)) -
                   (fg_process_m(p, t + 2 * h) - fg_process_m(p, t - 2 * h))) /
                  (12 * h);
      double speed = 1 + pow(2 * c.a * t, 5) + pow(2 * log(s.sigma_max / s.sigma_min), 5);
      assert_true(fabs(c.dv - dv) <= 1e-15 * c.v / h * 8 + 1e-20 * speed * c.v / t + 1e-20 * speed * c.g2);
      assert_true(fabs(c.dm - dm) <= 1e-15 * 8 / h + 1e-20 * speed / t);
    }
    fg_process_destroy(&p);
  }
}

/* The equations m' = -a m, v' = -2 a v + g^2 with m(0) = 1, v(0) = 0 determine m and v; both are polynomials of
 * degree 2 at most, so that central differences are exact to rounding, of v / h. */
static void pinned(void **state)
{
  (void)state;
  const double pins[] = {0, 5, 5.005, 7, 1e6};
  for (size_t i = 0; i < sizeof pins / sizeof *pins; i++) {
    fg_process_settings s;
    fg_process_defaults(FG_PROCESS_PINNED, &s);
    s.horizon = 5;
    s.diff = 0.4472136;
    s.pin = pins[i];
    const double pin = s.pin > 0 ? s.pin : s.horizon, g2 = s.diff * s.diff;
    fg_process *p = made(&s);
    fg_coeff c = fg_process_coeff(p, 0);
    assert_true(c.m == 1 && c.v == 0 && c.dv == g2 && c.a == 1 / pin && c.dm == -1 / pin);
    for (int k = 1; k < 8; k++) {
      const double t = s.horizon * k / 8, h = t / 16;
      c = fg_process_coeff(p, t);
      const double dv = (fg_process_v(p, t + h) - fg_process_v(p, t - h)) / (2 * h);
      const double dm = (fg_process_m(p, t + h) - fg_process_m(p, t - h)) / (2 * h);
      assert_true(c.g2 == g2 && c.a == 1 / (pin - t));
      assert_true(fabs(c.dv - dv) <= 1e-14 * g2 && fabs(c.dm - dm) <= 1e-14 / h);
      assert_true(fabs(c.dm + c.a * c.m) <= 1e-15 / pin);
      assert_true(fabs(c.dv - (g2 - 2 * c.a * c.v)) <= 1e-15 * g2);
    }
    c = fg_process_coeff(p, s.horizon); /* at the pin all but a stay finite, and v is 0 */
    assert_true((c.v == 0 && isinf(c.a) && c.m == 0 && c.dm == -1 / pin && c.dv == -g2) ==
                (pin == s.horizon));
    assert_true(c.v >= 0);
    fg_process_destroy(&p);
  }
}

static void limits(void **state)
{
  (void)state;
  for (int i = 0; i < CASES; i++) {
    fg_process_settings s = example(i);
    fg_process *p = made(&s);
    fg_coeff c = fg_process_coeff(p, 0.0);
    assert_true(c.m == 1.0 && c.v == 0.0 && c.dv == c.g2 && c.dm == -c.a);
    assert_true(fg_process_horizon(p) == s.horizon);
    if (c.g2 > 0) { /* v / t -> g(0)^2, down to where t itself is barely a number */
      double t = s.horizon * 1e-290;
      assert_true(fabs(fg_process_v(p, t) / t - c.g2) <= 1e-14 * c.g2);
    }
    fg_process_destroy(&p);
  }
  fg_process_settings s;
  fg_process_defaults(FG_PROCESS_OU, &s);
  s.rate = 1e5; /* m(10) = exp(-1e6) is 0 in doubles; v is at its limit */
  fg_process *p = made(&s);
  fg_coeff c = fg_process_coeff(p, 10.0);
  assert_true(c.m == 0.0 && c.dm == 0.0 && c.dv == 0.0);
  assert_true(fabs(c.v - 0.5e-5) <= 1e-20);
  fg_process_destroy(&p);
  /* A rate that is nearly nothing is Brownian motion: v = t (1 - 1e-300 ...). */
  s.rate = 1e-300;
  p = made(&s);
  assert_true(fg_process_v(p, 7.0) == 7.0 && fg_process_m(p, 7.0) == 1.0);
  fg_process_destroy(&p);
}

static void defaults(void **state)
{
  (void)state;
  fg_process_settings s;
  fg_process_defaults(FG_PROCESS_OU, &s);
  assert_true(s.rate == 1 && s.diff == 1 && s.horizon == 10);
  fg_process_defaults(FG_PROCESS_VP, &s);
  assert_true(s.beta_min == 0.1 && s.beta_max == 10 && s.scale == 1 && s.horizon == 1);
  fg_process_defaults(FG_PROCESS_VE, &s);
  assert_true(s.sigma_min == 0.01 && s.sigma_max == 10 && s.horizon == 1);
  fg_process_defaults(FG_PROCESS_BM, &s);
  assert_true(s.diff == 1 && s.horizon == 1);
  /* The gap paper's process: v(T) = (1 - e^-20) / 2. */
  fg_process_defaults(FG_PROCESS_OU, &s);
  fg_process *p = made(&s);
  assert_true(fabs(fg_process_v(p, 10) - 0.4999999989694231888) <= 1e-16);
  fg_process_destroy(&p);
  fg_process_destroy(&p);
  fg_process_destroy(NULL);
}

static void refused(fg_process_kind kind, size_t offset, double value, const char *expected)
{
  fg_process_settings s;
  fg_process *p = (fg_process *)&s;
  fg_status st = {0};
  fg_process_defaults(kind, &s);
  memcpy((char *)&s + offset, &value, sizeof value);
  assert_int_equal(fg_process_create(&s, &p, &st), FG_USAGE);
  assert_null(p);
  if (!strstr(st.message, expected)) fail_msg("message \"%s\" lacks \"%s\"", st.message, expected);
}

static void messages(void **state)
{
  (void)state;
  refused(FG_PROCESS_OU, offsetof(fg_process_settings, horizon), 0,
          "process.horizon is 0: give a finite number > 0");
  refused(FG_PROCESS_BM, offsetof(fg_process_settings, horizon), INFINITY, "process.horizon is inf");
  refused(FG_PROCESS_OU, offsetof(fg_process_settings, rate), -1, "process.rate is -1");
  refused(FG_PROCESS_OU, offsetof(fg_process_settings, rate), NAN, "process.rate is nan");
  refused(FG_PROCESS_OU, offsetof(fg_process_settings, diff), 0, "process.diff is 0");
  refused(FG_PROCESS_BM, offsetof(fg_process_settings, diff), -2, "process.diff is -2");
  refused(FG_PROCESS_BM, offsetof(fg_process_settings, diff), 1e200, "leave the range of doubles");
  refused(FG_PROCESS_VP, offsetof(fg_process_settings, beta_min), -0.1,
          "process.beta_min is -0.1: give a finite number >= 0");
  refused(FG_PROCESS_VP, offsetof(fg_process_settings, beta_max), 0.05,
          "process.beta_max is 0.05, below process.beta_min 0.1");
  refused(FG_PROCESS_VP, offsetof(fg_process_settings, scale), 0, "process.scale is 0");
  refused(FG_PROCESS_VE, offsetof(fg_process_settings, sigma_min), 0, "process.sigma_min is 0");
  refused(FG_PROCESS_VE, offsetof(fg_process_settings, sigma_max), 0.01, "give sigma_max > sigma_min");
  refused(FG_PROCESS_VE, offsetof(fg_process_settings, sigma_min), 1e-320, "leave the range of doubles");
  refused(FG_PROCESS_PINNED, offsetof(fg_process_settings, diff), -1, "process.diff is -1");
  refused(FG_PROCESS_PINNED, offsetof(fg_process_settings, diff), 1e200, "leave the range of doubles");
  refused(FG_PROCESS_PINNED, offsetof(fg_process_settings, pin), 0.5,
          "process.pin is 0.5, process.horizon 1");
  refused(FG_PROCESS_PINNED, offsetof(fg_process_settings, pin), INFINITY, "give a finite pin >= horizon");
  fg_process_settings s;
  fg_process *p;
  fg_process_defaults(FG_PROCESS_OU, &s);
  s.kind = (fg_process_kind)9;
  assert_int_equal(fg_process_create(&s, &p, NULL), FG_USAGE);
}

static fg_process *from_text(const char *text, fg_code expected, fg_status *st)
{
  fg_settings *settings = NULL;
  fg_process *p = NULL;
  assert_int_equal(fg_settings_create(&settings, st), FG_OK);
  if (fg_settings_parse(settings, text, "test.yaml", st) != FG_OK) fail_msg("%s", st->message);
  assert_int_equal(fg_process_from_settings(settings, &p, st), expected);
  fg_settings_destroy(&settings);
  return p;
}

static void from_settings(void **state)
{
  (void)state;
  fg_status st = {0};
  fg_process *p = from_text("process: {kind: ou, rate: 2, diff: 3}\n", FG_OK, &st);
  assert_true(fg_process_horizon(p) == 10 && fg_process_a(p, 1) == 2 && fg_process_g2(p, 1) == 9);
  fg_process_destroy(&p);
  p = from_text("process: {kind: vp, beta_max: 20, scale: 2}\n", FG_OK, &st);
  assert_true(fg_process_horizon(p) == 1 && fg_process_a(p, 0) == 0.05 && fg_process_g2(p, 1) == 80);
  fg_process_destroy(&p);
  p = from_text("process: {kind: ve, sigma_min: 0.1, sigma_max: 5, horizon: 2}\n", FG_OK, &st);
  assert_true(fabs(fg_process_v(p, 2) - 24.99) <= 1e-13);
  fg_process_destroy(&p);
  p = from_text("process: {kind: bm, diff: 3}\n", FG_OK, &st);
  assert_true(fg_process_v(p, 0.5) == 4.5 && fg_process_a(p, 0.5) == 0);
  fg_process_destroy(&p);
  p = from_text("process: {kind: pinned, diff: 3, horizon: 2, pin: 4}\n", FG_OK, &st);
  assert_true(fg_process_v(p, 2) == 9 && fg_process_a(p, 2) == 0.5 && fg_process_m(p, 1) == 0.75);
  fg_process_destroy(&p);
  p = from_text("process: {kind: pinned, horizon: 2}\n", FG_OK, &st);
  assert_true(fg_process_v(p, 2) == 0 && isinf(fg_process_a(p, 2)));
  fg_process_destroy(&p);
  p = from_text("process: {kind: bm, pin: 4}\n", FG_USAGE, &st);
  assert_non_null(strstr(st.message, "process.pin changes nothing while process.kind is bm"));
  p = from_text("process: {kind: ve, sigma_min: 0.5, sigma_max: 0.1}\n", FG_USAGE, &st);
  assert_null(p);
  assert_non_null(strstr(st.message, "sigma_max is 0.1"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(follow_definitions),
                                     cmocka_unit_test(coefficients_agree),
                                     cmocka_unit_test(pinned),
                                     cmocka_unit_test(limits),
                                     cmocka_unit_test(defaults),
                                     cmocka_unit_test(messages),
                                     cmocka_unit_test(from_settings)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

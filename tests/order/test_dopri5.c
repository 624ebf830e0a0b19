/* needs: flow */
/* The pair of Dormand and Prince: the conditions of its orders, its continuous extension, and the response of the
 * integrator's global error to the tolerance beside that of CVODE. */
#include "support/exact_case.h"

#include "formula/dopri5.h"

enum { S = FG_DOPRI5_STAGES };

/* ---- order conditions: Hairer, Norsett, Wanner I, table II.2.1 to II.2.2 ----------------------------------- */

static double a(int s, int q)
{
  return q < s ? fg_dopri5_weight(s, q) : 0;
}

/* Weights of the result of order 5, or of the embedded one of order 4. */
static double weight(int s, int embedded)
{
  double k[S] = {0};
  k[s] = 1;
  const double b = s < S - 1 ? fg_dopri5_weight(S - 1, s) : 0;
  return embedded ? b - fg_dopri5_error(k[0], k[2], k[3], k[4], k[5], k[6]) : b;
}

/* One tree of each order and shape: the sum over stages of what its leaves give. Order and 1 / gamma. */
typedef struct tree {
  const char *name;
  int order;
  double value;
} tree;

static void stage_sums(double c[S], double ac[S], double ac2[S], double ac3[S], double aac[S], double acac[S],
                       double aac2[S], double aaac[S])
{
  for (int i = 0; i < S; i++) c[i] = fg_dopri5_node(i);
  for (int i = 0; i < S; i++) {
    ac[i] = ac2[i] = ac3[i] = 0;
    for (int j = 0; j < i; j++) {
      ac[i] += a(i, j) * c[j];
      ac2[i] += a(i, j) * c[j] * c[j];
      ac3[i] += a(i, j) * c[j] * c[j] * c[j];
    }
  }
  for (int i = 0; i < S; i++) {
    aac[i] = acac[i] = aac2[i] = aaac[i] = 0;
    for (int j = 0; j < i; j++) {
      aac[i] += a(i, j) * ac[j];
      acac[i] += a(i, j) * c[j] * ac[j];
      aac2[i] += a(i, j) * ac2[j];
    }
  }
  for (int i = 0; i < S; i++)
    for (int j = 0; j < i; j++) aaac[i] += a(i, j) * aac[j];
}

static void test_conditions(void **state)
{
  (void)state;
  double c[S], ac[S], ac2[S], ac3[S], aac[S], acac[S], aac2[S], aaac[S];
  stage_sums(c, ac, ac2, ac3, aac, acac, aac2, aaac);
  for (int i = 0; i < S; i++) {
    double sum = 0;
    for (int j = 0; j < i; j++) sum += a(i, j);
    assert_true(fabs(sum - c[i]) < 1e-14); /* terms up to 12 in size */
  }
  for (int embedded = 0; embedded < 2; embedded++) {
    tree trees[] = {{"1", 1, 0},     {"c", 2, 0},      {"c^2", 3, 0},  {"ac", 3, 0},    {"c^3", 4, 0},
                    {"c ac", 4, 0},  {"ac^2", 4, 0},   {"aac", 4, 0},  {"c^4", 5, 0},   {"c^2 ac", 5, 0},
                    {"ac ac", 5, 0}, {"c ac^2", 5, 0}, {"ac^3", 5, 0}, {"c aac", 5, 0}, {"a(c ac)", 5, 0},
                    {"aac^2", 5, 0}, {"aaac", 5, 0}};
    const double density[] = {1, 2, 3, 6, 4, 8, 12, 24, 5, 10, 20, 15, 20, 30, 40, 60, 120};
    enum { TREES = sizeof trees / sizeof *trees };
    for (int i = 0; i < S; i++) {
      const double leaf[TREES] = {1,
                                  c[i],
                                  c[i] * c[i],
                                  ac[i],
                                  pow(c[i], 3),
                                  c[i] * ac[i],
                                  ac2[i],
                                  aac[i],
                                  pow(c[i], 4),
                                  c[i] * c[i] * ac[i],
                                  ac[i] * ac[i],
                                  c[i] * ac2[i],
                                  ac3[i],
                                  c[i] * aac[i],
                                  acac[i],
                                  aac2[i],
                                  aaac[i]};
      for (int k = 0; k < TREES; k++) trees[k].value += weight(i, embedded) * leaf[k];
    }
    double off = 0;
    for (int k = 0; k < TREES; k++) {
      const double wrong = fabs(trees[k].value - 1 / density[k]);
      if (trees[k].order <= (embedded ? 4 : 5)) {
        if (!(wrong < 1e-14)) fail_msg("%s: %s is off by %g", embedded ? "4" : "5", trees[k].name, wrong);
      } else {
        off = fmax(off, wrong);
      }
    }
    assert_true(!embedded || off > 1e-4); /* the two results differ at order 5, or the error would be none */
  }
}

/* ---- single steps ----------------------------------------------------------------------------------------------- */

/* y' = y cos t, y = exp(sin t): one step of h from t = 0.3. Its error, that of the middle, and the estimate. */
static void one_step(double h, double *end, double *inside, double *estimate)
{
  const double t = 0.3, y = exp(sin(t));
  double k[S], point = y;
  for (int s = 0; s < S; s++) {
    point = y;
    for (int q = 0; q < s; q++) point += h * a(s, q) * k[q];
    k[s] = point * cos(t + fg_dopri5_node(s) * h);
  }
  *end = fabs(point - exp(sin(t + h)));
  *estimate = fabs(h * fg_dopri5_error(k[0], k[2], k[3], k[4], k[5], k[6]));
  *inside = 0;
  for (double share = 0.25; share < 1; share += 0.25) {
    const double between = fg_dopri5_between(share, h, y, point, k[0], k[2], k[3], k[4], k[5], k[6]);
    *inside = fmax(*inside, fabs(between - exp(sin(t + share * h))));
  }
  assert_true(fg_dopri5_between(0, h, y, point, k[0], k[2], k[3], k[4], k[5], k[6]) == y);
  assert_true(fabs(fg_dopri5_between(1, h, y, point, k[0], k[2], k[3], k[4], k[5], k[6]) - point) <
              1e-15 * point * 4);
}

static void test_step(void **state)
{
  (void)state;
  double end[2], inside[2], estimate[2];
  one_step(0.4, &end[0], &inside[0], &estimate[0]);
  one_step(0.2, &end[1], &inside[1], &estimate[1]);
  /* local errors of order p fall by 2^(p + 1) = 64, 32 and 32, and by other powers of h near that */
  print_message("halving the step: end %.1f, inside %.1f, estimate %.1f\n", end[0] / end[1],
                inside[0] / inside[1], estimate[0] / estimate[1]);
  assert_true(end[0] / end[1] > 45);
  assert_true(inside[0] / inside[1] > 22 && inside[0] / inside[1] < 45);
  assert_true(estimate[0] / estimate[1] > 22);
}

static void test_control(void **state)
{
  (void)state;
  assert_true(fg_dopri5_divide(0, 1) == 0.1); /* ten times longer at most */
  assert_true(fg_dopri5_divide(1e9, 1) == 5); /* a fifth at least */
  assert_true(fg_dopri5_divide_failed(1e9) == 5);
  assert_true(fg_dopri5_divide_failed(1.0001) > 1); /* a failed step is never tried again as it was */
  assert_true(fabs(fg_dopri5_divide(0.5, 0.5) - pow(0.5, 0.13) / 0.9) < 1e-15);
  assert_true(fg_dopri5_try(0, 1, 2) == 2e-6 && fg_dopri5_try(1, 1e-3, 2) == 2);
  assert_true(fabs(fg_dopri5_first(0.1, 1, 3, 5) - pow(0.01 / 3, 0.2)) < 1e-15);
  assert_true(fg_dopri5_first(1e-4, 1, 3, 5) == 1e-2 && fg_dopri5_first(1, 0, 0, 5) == 1e-3);
}

/* ---- the tolerance ------------------------------------------------------------------------------------------------ */

enum { PARTICLES = 256, FIRST = 4, LAST = 10 };
static const double t_end = 1e-3;

/* Geometric mean over particles of the error relative to 1 + |x|: one on a ridge between modes would be all of a mean. */
static double typical(const exact_case *c, const double *want)
{
  double sum = 0;
  for (size_t i = 0; i < c->n; i++) {
    const double e = fmax(fabs(c->x1[2 * i] - want[2 * i]) / (1 + fabs(want[2 * i])),
                          fabs(c->x1[2 * i + 1] - want[2 * i + 1]) / (1 + fabs(want[2 * i + 1])));
    sum += log(e + 1e-16);
  }
  return exp(sum / (double)c->n);
}

/* The error is proportional to the tolerance: a fitted slope near 1 in the logarithms. The step goes as the fifth root of
 * it, so the work goes with a slope of -1/5, less at loose tolerances where steps are bounded by stability. */
static void respond(fg_target_kind kind, fg_process_kind process)
{
  exact_case c;
  exact_open(&c, "cpu", 2, kind, 4, process, PARTICLES);
  double *want = malloc(2 * c.n * sizeof *want);
  fg_ode_settings set;
  fg_ode_defaults(&set);
  set.rtol = 1e-13;
  set.atol = 1e-15;
  set.tile = 1;
  exact_run(&c, &set, t_end, NULL);
  memcpy(want, c.x1, 2 * c.n * sizeof *want);
  double x = 0, e = 0, w = 0, xx = 0, xe = 0, xw = 0;
  const int count = LAST - FIRST + 1;
  for (int digits = FIRST; digits <= LAST; digits++) {
    fg_flow_report mine, other;
    set.rtol = pow(10, -digits);
    set.atol = 1e-2 * set.rtol;
    set.method = FG_ODE_ADAMS;
    exact_run(&c, &set, t_end, &other);
    const double by_adams = typical(&c, want);
    set.method = FG_ODE_DOPRI5;
    exact_run(&c, &set, t_end, &mine);
    const double error = typical(&c, want), work = (double)mine.rhs_evaluations / (double)c.n;
    print_message("1e-%d: %.2g (adams %.2g), %.0f right-hand sides a particle (adams %.0f)\n", digits, error,
                  by_adams, work, (double)other.rhs_evaluations / (double)c.n);
    assert_int_equal(mine.lost, 0);
    assert_true(error < 10 * set.rtol); /* 3 seen */
    x += -digits, xx += digits * digits;
    e += log10(error), xe -= digits * log10(error);
    w += log10(work), xw -= digits * log10(work);
  }
  const double slope = (count * xe - x * e) / (count * xx - x * x),
               cost = (count * xw - x * w) / (count * xx - x * x);
  print_message("slopes: error %.2f, work %.2f\n", slope, cost);
  assert_true(slope > 0.75 && slope < 1.25); /* 0.83 to 1.11 seen: luck at the loosest tolerances */
  assert_true(cost < -0.08 && cost > -0.22);
  free(want);
  exact_close(&c);
}

static void test_tolerance(void **state)
{
  (void)state;
  respond(FG_TARGET_GAUSSIAN, FG_PROCESS_OU);
  respond(FG_TARGET_GMM9, FG_PROCESS_OU);
  respond(FG_TARGET_GMM9, FG_PROCESS_VP);
  respond(FG_TARGET_GAUSSIAN, FG_PROCESS_VE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_conditions), cmocka_unit_test(test_step),
                                     cmocka_unit_test(test_control), cmocka_unit_test(test_tolerance)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: flow */
/* The error of the ODE must fall when the tolerance is tightened. The global error is some multiple of
 * the tolerance (up to 72 in the typical particle here; hundreds for those that start near a ridge
 * between modes), so what is tested is how it responds. */
#include "support/exact_case.h"

enum { PARTICLES = 192, FIRST = 4, LAST = 10, TIMES = 9 };
static const double share[TIMES] = {0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05, 0.01, 1e-4}; /* of the horizon */
static double path[2 * PARTICLES * TIMES], want[2 * PARTICLES * TIMES];

/* Geometric mean over particles (a mean would be that of the one on a ridge) of the largest error
 * along the path, relative to 1 + |x|. The largest of several times, since an error that changes sign
 * on the way is small by luck at some. */
static double typical_error(void)
{
  double sum = 0;
  for (size_t i = 0; i < PARTICLES; i++) {
    double worst = 1e-16;
    for (size_t k = 0; k < TIMES; k++)
      for (size_t j = 0; j < 2; j++) {
        size_t at = 2 * (k * PARTICLES + i) + j;
        worst = fmax(worst, fabs(path[at] - want[at]) / (1 + fabs(want[at])));
      }
    sum += log(worst);
  }
  return exp(sum / PARTICLES);
}

/* Positions at all times into x. */
static void follow(exact_case *c, const fg_ode_settings *set, double *x, fg_flow_report *report)
{
  fg_status st;
  double t[TIMES];
  for (int k = 0; k < TIMES; k++) t[k] = share[k] * c->horizon;
  fg_snapshots snapshots = {TIMES, t, x, NULL};
  memcpy(c->log_p1, c->log_p0, c->n * sizeof(double));
  exact_ok(fg_flow_ode(c->model, set, c->n, c->x0, c->horizon, t[TIMES - 1], c->x1, c->log_p1, &snapshots,
                       NULL, report, &st),
           &st);
  assert_memory_equal(c->x1, x + (TIMES - 1) * 2 * PARTICLES, 2 * PARTICLES * sizeof *x);
}

static void reference(exact_case *c, fg_target_kind kind)
{
  if (kind == FG_TARGET_GAUSSIAN) {
    for (size_t k = 0; k < TIMES; k++)
      for (size_t i = 0; i < 2 * PARTICLES; i++)
        want[k * 2 * PARTICLES + i] = exact_gaussian_at(c, c->x0[i], share[k] * c->horizon);
    return;
  }
  fg_ode_settings set;
  fg_ode_defaults(&set);
  set.rtol = 1e-13;
  set.atol = 1e-15;
  set.tile = 1;
  follow(c, &set, want, NULL);
}

static void respond(fg_target_kind kind, fg_process_kind process)
{
  exact_case c;
  exact_open(&c, "cpu", 2, kind, 4, process, PARTICLES);
  reference(&c, kind);
  static const fg_ode_method methods[] = {FG_ODE_ADAMS, FG_ODE_BDF, FG_ODE_DOPRI5};
  static const char *const names[] = {"adams", "bdf", "dopri5"};
  for (int method = 0; method < 3; method++) {
    double before = HUGE_VAL, two_before = HUGE_VAL, first = 0;
    uint64_t cost = 0;
    for (int digits = FIRST; digits <= LAST; digits++) {
      fg_ode_settings set;
      fg_flow_report report;
      fg_ode_defaults(&set);
      set.method = methods[method];
      set.rtol = pow(10, -digits);
      set.atol = 1e-2 * set.rtol;
      set.tile = 16; /* 12 tiles, whose luck averages out */
      follow(&c, &set, path, &report);
      assert_int_equal(report.lost, 0);
      double error = typical_error();
      print_message("%s 1e-%d: %.2g, %.2g of rtol, %llu evaluations\n", names[method], digits, error,
                    error / set.rtol, (unsigned long long)report.rhs_evaluations);
      /* A tenfold tighter tolerance gains a factor of 3 at least. BDF has only five orders, and where it
       * changes from one to the next a single decade may gain less (2.87 once): there, two decades. */
      assert_true(method == 1 ? error < before && error < two_before / 9 : error < before / 3);
      assert_true(error < 100 * set.rtol);        /* 72 seen */
      assert_true(report.rhs_evaluations > cost); /* ... is not free */
      cost = report.rhs_evaluations;
      two_before = before;
      before = error;
      if (digits == FIRST) first = error;
    }
    /* over six decades the error falls by at least four and a half */
    assert_true(before < first * pow(10, -0.75 * (LAST - FIRST)));
  }
  exact_close(&c);
}

static void test_gaussian_ou(void **state)
{
  (void)state;
  respond(FG_TARGET_GAUSSIAN, FG_PROCESS_OU);
}

static void test_gaussian_vp(void **state)
{
  (void)state;
  respond(FG_TARGET_GAUSSIAN, FG_PROCESS_VP);
}

static void test_gmm9_ou(void **state)
{
  (void)state;
  respond(FG_TARGET_GMM9, FG_PROCESS_OU);
}

static void test_gmm9_vp(void **state)
{
  (void)state;
  respond(FG_TARGET_GMM9, FG_PROCESS_VP);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_gaussian_ou), cmocka_unit_test(test_gaussian_vp),
                                     cmocka_unit_test(test_gmm9_ou), cmocka_unit_test(test_gmm9_vp)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

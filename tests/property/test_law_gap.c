/* needs: fokker_planck kernels */
/* The law of a perturbed model's SDE against many simulated paths. */
#include "support/law_case.h"

enum { PATHS = 400000, BINS = 25, PER_BIN = 24 };

/* The box must hold the start too: cut at 3.2, which leaves out 1e-3 of the prior, the law for lambda 0.5 is off by
 * ten times the noise of the counts. */
static const double half_width = 5;

/* Shares of the paths in BINS groups of PER_BIN cells; what lies outside is in none. */
static void histogram(const law_case *c, const double *x, double share[BINS])
{
  double width = 2 * c->grid.half_width / BINS;
  memset(share, 0, BINS * sizeof *share);
  for (size_t i = 0; i < PATHS; i++) {
    double bin = floor((x[i] + c->grid.half_width) / width);
    if (bin >= 0 && bin < BINS) share[(size_t)bin] += 1.0 / PATHS;
  }
}

static void simulate(const law_case *c, double lambda, double t, double *x)
{
  const double segments[] = {1, 0.2, 120, 0.2, t, 120};
  fg_grid *grid;
  fg_fixed_settings fixed;
  fg_flow_report report;
  fg_fixed_defaults(&fixed);
  CASE_OK(fg_grid_piecewise(segments, 2, &grid, &case_status));
  fixed.grid = grid;
  fixed.scheme = FG_HEUN; /* 240 steps of order 2: bias far below the noise of the counts */
  fixed.lambda = lambda;
  CASE_OK(fg_prior_sample(c->prior, 5, 0, PATHS, x, &case_status));
  CASE_OK(fg_flow_fixed(c->m.model, &fixed, 5, 1, 0, PATHS, x, x, NULL, NULL, NULL, &report, &case_status));
  assert_int_equal(report.lost, 0);
  fg_grid_destroy(&grid);
}

/* Sum over bins of (share - mass)^2 / (mass / PATHS), bins of fewer than 10 expected paths as one: chi-square with at most
 * BINS - 1 degrees of freedom. 52 is passed with probability 8e-4 (the seed is fixed); a law without the perturbation is
 * found by thousands. */
static double chi_square(const double share[BINS], const double *p, double volume)
{
  double sum = 0, rest = 0, rest_share = 0;
  for (size_t b = 0; b < BINS; b++) {
    double mass = 0;
    for (size_t i = 0; i < PER_BIN; i++) mass += p[b * PER_BIN + i] * volume;
    if (mass * PATHS < 10) {
      rest += mass;
      rest_share += share[b];
    } else {
      sum += (share[b] - mass) * (share[b] - mass) / (mass / PATHS);
    }
  }
  return rest > 0 ? sum + (rest_share - rest) * (rest_share - rest) / (rest / PATHS) : sum;
}

static void check_paths(double lambda)
{
  law_case c, exact;
  fg_law_report report;
  fg_perturbation perturbation;
  double share[BINS], t = 0.03, volume;
  fg_perturbation_defaults(&perturbation);
  law_open(&c, 1, "cpu", 0, FG_PROCESS_VP, &perturbation, BINS * PER_BIN, half_width);
  law_open(&exact, 1, "cpu", 0, FG_PROCESS_VP, NULL, BINS * PER_BIN, half_width);
  volume = fg_law_volume(&c.grid);
  double *x = malloc(PATHS * sizeof *x), *p = law_room(&c, 1), *q = law_room(&c, 1);
  assert_non_null(x);
  simulate(&c, lambda, t, x);
  histogram(&c, x, share);
  law_sde(&c, lambda, t, p, &report);
  law_sde(&exact, lambda, t, q, &report);
  double own = chi_square(share, p, volume), other = chi_square(share, q, volume);
  if (!(own < 52 && other > 1000))
    fail_msg("lambda = %g: chi-square %g; without perturbation %g", lambda, own, other);
  free(x);
  free(p);
  free(q);
  law_close(&c);
  law_close(&exact);
}

static void test_paths(void **state)
{
  (void)state;
  check_paths(1);
}

static void test_paths_lambda(void **state)
{
  (void)state;
  check_paths(0.5);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths), cmocka_unit_test(test_paths_lambda)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

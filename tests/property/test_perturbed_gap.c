/* needs: analysis */
/* The perturbed model: its gap is 0 at epsilon = 0 and grows with it; and the measured gap converges as the
 * step of the SDE shrinks. */
#include "support/exact_case.h"

#include "flowgap/analysis.h"

enum { N = 20000, D = 2, LEVELS = 4, SIZES = 4 };

typedef struct gap_case {
  exact_case exact;
  fg_model *model;
  double *ode, *sde;
} gap_case;

static void gap_open(gap_case *g, double epsilon)
{
  fg_status st;
  fg_perturbation perturbation;
  fg_perturbation_defaults(&perturbation);
  perturbation.epsilon = epsilon;
  exact_open(&g->exact, "cpu", 0, FG_TARGET_GAUSSIAN, 0.5, FG_PROCESS_VP, N);
  exact_ok(
      fg_model_perturbed(g->exact.engine, g->exact.target, g->exact.process, &perturbation, &g->model, &st),
      &st);
  g->ode = malloc(N * D * sizeof(double));
  g->sde = malloc(N * D * sizeof(double));
  assert_true(g->ode && g->sde);
  fg_ode_settings ode;
  fg_ode_defaults(&ode);
  fg_flow_report report;
  exact_ok(fg_flow_ode(g->model, &ode, N, g->exact.x0, g->exact.horizon, 0, g->ode, NULL, NULL, NULL, &report,
                       &st),
           &st);
  assert_int_equal(report.lost, 0);
}

static void gap_close(gap_case *g)
{
  free(g->ode);
  free(g->sde);
  fg_model_destroy(&g->model);
  exact_close(&g->exact);
}

/* W2 of the fitted Gaussians between the ODE and Euler-Maruyama on 50 steps cut into 2^refine, one Brownian
 * path for all refinements. */
static double gap_measure(gap_case *g, int refine)
{
  fg_status st;
  fg_grid *grid;
  fg_fixed_settings sde;
  fg_flow_report report;
  fg_w2 w2;
  fg_fixed_defaults(&sde);
  exact_ok(fg_grid_create(FG_GRID_UNIFORM, g->exact.horizon, 0, 50, &grid, &st), &st);
  sde.grid = grid;
  sde.refine = refine;
  exact_ok(fg_flow_fixed(g->model, &sde, 3, 1, 0, N, g->exact.x0, g->sde, NULL, NULL, NULL, &report, &st),
           &st);
  assert_int_equal(report.lost, 0);
  exact_ok(fg_w2_gaussian(N, N, D, g->ode, NULL, g->sde, NULL, &w2, &st), &st);
  fg_grid_destroy(&grid);
  return w2.value;
}

/* Moments of N = 20,000 draws are known to about 1/sqrt(N) = 0.007; starts and noise are shared by all epsilon,
 * so that differences between them are far smaller. */
static void test_grows(void **state)
{
  (void)state;
  const double epsilon[SIZES] = {0, 0.1, 0.2, 0.4};
  double gap[SIZES];
  for (int i = 0; i < SIZES; i++) {
    gap_case g;
    gap_open(&g, epsilon[i]);
    gap[i] = gap_measure(&g, 4);
    gap_close(&g);
  }
  print_message("gap at epsilon 0, 0.1, 0.2, 0.4: %g %g %g %g\n", gap[0], gap[1], gap[2], gap[3]);
  assert_true(gap[0] < 0.02);
  for (int i = 1; i < SIZES; i++) assert_true(gap[i] > gap[i - 1]);
  assert_true(gap[SIZES - 1] > 5 * gap[0]);
}

/* Weak order 1: each halving of the step halves what is left of the error, so differences of neighbours
 * fall by 2; 1.5 leaves room for the second-order term and the sampling error of a shared path. */
static void test_converges(void **state)
{
  (void)state;
  gap_case g;
  double gap[LEVELS];
  gap_open(&g, 1);
  for (int level = 0; level < LEVELS; level++) gap[level] = gap_measure(&g, level);
  gap_close(&g);
  print_message("gap at 50, 100, 200, 400 steps: %g %g %g %g\n", gap[0], gap[1], gap[2], gap[3]);
  for (int level = 2; level < LEVELS; level++)
    assert_true(fabs(gap[level] - gap[level - 1]) * 1.5 < fabs(gap[level - 1] - gap[level - 2]));
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_grows), cmocka_unit_test(test_converges)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

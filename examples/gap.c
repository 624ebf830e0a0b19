/* How far apart are the ODE and the SDE of a perturbed score model? The library in fifty lines.
 *
 *   cc gap.c $(pkg-config --cflags --libs flowgap) -lm && ./a.out */
#include <flowgap/flowgap.h>

#include <stdio.h>
#include <stdlib.h>

enum { N = 4000, D = 2 };

static int gap(fg_engine *engine, const fg_process *process, const fg_target *target, const fg_grid *grid,
               fg_status *st)
{
  static double start[N * D], ode[N * D], sde[N * D];
  fg_model *model = NULL;
  fg_prior *prior = NULL;
  fg_perturbation perturbation;
  fg_perturbation_defaults(&perturbation);
  perturbation.epsilon = 0.5;
  fg_prior_settings exact = {FG_PRIOR_EXACT, 0, 0};
  fg_fixed_settings em;
  fg_fixed_defaults(&em);
  em.grid = grid;
  fg_ode_settings cvode;
  fg_ode_defaults(&cvode);
  fg_flow_report report;
  fg_w2 w2;

  fg_code rc = fg_model_perturbed(engine, target, process, &perturbation, &model, st);
  if (!rc) rc = fg_prior_create(&exact, D, process, target, &prior, st);
  if (!rc) rc = fg_prior_sample(prior, 1, 0, N, start, st);
  if (!rc) rc = fg_flow_fixed(model, &em, 1, 0, 0, N, start, sde, NULL, NULL, NULL, &report, st);
  if (!rc)
    rc = fg_flow_ode(model, &cvode, N, start, fg_process_horizon(process), 0, ode, NULL, NULL, NULL, &report,
                     st);
  if (!rc) rc = fg_w2_gaussian(N, N, D, ode, NULL, sde, NULL, &w2, st);
  if (!rc) printf("W2 of the fitted Gaussians: %.4f\n", w2.value);
  fg_prior_destroy(&prior);
  fg_model_destroy(&model);
  return rc;
}

int main(void)
{
  fg_status st = {0};
  fg_engine *engine = NULL;
  fg_process *process = NULL;
  fg_target *target = NULL;
  fg_grid *grid = NULL;
  fg_process_settings ou;
  fg_process_defaults(FG_PROCESS_OU, &ou);
  ou.horizon = 4;
  fg_target_settings gmm9;
  fg_target_defaults(FG_TARGET_GMM9, &gmm9);

  fg_code rc = fg_engine_open("cpu", 0, &engine, &st);
  if (!rc) rc = fg_process_create(&ou, &process, &st);
  if (!rc) rc = fg_target_create(&gmm9, &target, &st);
  if (!rc) rc = fg_grid_create(FG_GRID_QUADRATIC, 4, 0, 400, &grid, &st);
  if (!rc) rc = gap(engine, process, target, grid, &st);
  if (rc) fprintf(stderr, "%s: %s\n", fg_code_name(rc), st.message);
  fg_grid_destroy(&grid);
  fg_target_destroy(&target);
  fg_process_destroy(&process);
  fg_engine_close(&engine);
  return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

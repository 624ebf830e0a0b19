/* The Fokker-Planck residual of the model where it matters: on the model's own SDE paths. */
#include "compare_impl.h"

#include <stdlib.h>

#include "analysis/residual_paths.h"

static void fg_residual_keep(fg_comparison *c, const double *t, const fg_residual_norms *all,
                             const fg_residual_norms *profile)
{
  for (size_t k = 0; k < c->profile_times; k++)
    c->profile[k] = (fg_residual_point){t[k], profile[k].mean_square.value, profile[k].mean_square.se,
                                        profile[k].relative.value};
  c->residual_mean_square = all->mean_square.value;
  c->residual_se = all->mean_square.se;
  c->residual_centred = all->centred.value;
  c->residual_relative = all->relative.value;
  c->residual_nonfinite = all->lost;
  c->has_residual = true;
}

size_t fg_profile_times(const fg_comparison *c, double *t)
{
  return fg_path_times(c->sde_grid, 0, FG_PROFILE_TIMES, t);
}

static fg_code fg_residual_along(fg_comparison *c, fg_status *st)
{
  size_t m = c->residual_points, d = c->d;
  double t[FG_PROFILE_TIMES], weight[FG_PROFILE_TIMES];
  fg_residual_norms all, profile[FG_PROFILE_TIMES];
  fg_flow_report report = {0};
  size_t times = c->profile_times = fg_profile_times(c, t);
  fg_trapezoid(times, t, weight);
  double *path = malloc((times + 2) * m * d * sizeof *path);
  fg_residual_values values = {malloc(times * m * sizeof(double)), malloc(times * m * sizeof(double)), NULL,
                               NULL};
  fg_residual_layout layout = {FG_RESIDUAL_LOG, times, m, weight, true};
  fg_residual_settings exact;
  fg_code rc = FG_OK;
  fg_residual_defaults(&exact);
  if (!path || !values.value || !values.scale) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for %zu residual points: lower compare.residual_points", m);
    goto done;
  }
  double *start = path + times * m * d;
  fg_snapshots keep = {times, t, path, NULL};
  FG_GO(fg_prior_sample(c->prior, c->seed, 0, m, start, st), done);
  FG_GO(fg_flow_fixed(c->model, &c->sde, c->seed, 1, 0, m, start, start + m * d, NULL, &keep, c->progress,
                      &report, st),
        done);
  c->residual_lost = report.lost;
  FG_GO(fg_residual_evaluate(c->model, &exact, times * m, m, t, path, &values, c->progress, st), done);
  FG_GO(fg_residual_summarise(&layout, &values, &all, profile, st), done);
  fg_residual_keep(c, t, &all, profile);
  fg_compare_log(c, "residual: mean square %.6g", c->residual_mean_square);
done:
  free(path);
  free(values.value);
  free(values.scale);
  return rc;
}

fg_code fg_compare_residual(fg_comparison *c, fg_status *st)
{
  const fg_piece pieces[] = {{c->profile, sizeof c->profile},
                             {&c->profile_times, sizeof c->profile_times},
                             {&c->has_residual, sizeof c->has_residual},
                             {&c->residual_mean_square, sizeof c->residual_mean_square},
                             {&c->residual_se, sizeof c->residual_se},
                             {&c->residual_centred, sizeof c->residual_centred},
                             {&c->residual_relative, sizeof c->residual_relative},
                             {&c->residual_lost, sizeof c->residual_lost},
                             {&c->residual_nonfinite, sizeof c->residual_nonfinite}};
  const size_t count = sizeof pieces / sizeof *pieces;
  if (!(fg_model_quantities(c->model) & FG_RESIDUAL) || c->residual_points == 0) return FG_OK;
  if (fg_compare_take(c, "residual", count, pieces)) return FG_OK;
  FG_TRY(fg_residual_along(c, st));
  fg_compare_keep(c, "residual", count, pieces);
  return FG_OK;
}

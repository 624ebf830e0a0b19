/* results.json of a comparison; docs/run-directory.md describes every member. */
#include "compare_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/budget_search.h"
#include "analysis/compare_results.h"
#include "analysis/training.h"

void fg_put_estimate(fg_tree one, fg_estimator estimator, const fg_estimate *e)
{
  fg_put_real(one, "value", e->value);
  fg_put_real(one, "squared", e->squared);
  fg_put_real(one, "floor", e->floor);
  fg_put_real(one, "ci_low", e->ci_low);
  fg_put_real(one, "ci_high", e->ci_high);
  fg_put_real(one, "p_value", e->p_value);
  fg_put_count(one, "used_x", e->used_x);
  fg_put_count(one, "used_y", e->used_y);
  fg_put_count(one, "tested_x", e->tested_x);
  fg_put_count(one, "tested_y", e->tested_y);
  fg_put_count(one, "outside_x", e->outside_x);
  fg_put_count(one, "outside_y", e->outside_y);
  fg_put_real(one, "primal", e->primal);
  fg_put_real(one, "dual", e->dual);
  for (int k = 0; k < 2; k++)
    if (fg_estimate_detail(estimator, k)) fg_put_real(one, fg_estimate_detail(estimator, k), e->detail[k]);
  if (e->bias_points) {
    json_t *curve = fg_put_list(one, "bias_curve");
    for (size_t k = 0; k < e->bias_points; k++) {
      fg_tree at = fg_append_object(curve, one.bad);
      fg_put_real(at, "rows", e->bias_rows[k]);
      fg_put_real(at, "squared", e->bias_squared[k]);
      fg_put_real(at, "se", e->bias_se[k]);
    }
    fg_tree far = fg_put_object(one, "extrapolated");
    fg_put_real(far, "value", sqrt(fmax(0, e->extrapolated)));
    fg_put_real(far, "squared", e->extrapolated);
    fg_put_real(far, "se", e->extrapolated_se);
    fg_put_real(far, "rate", e->extrapolation_rate);
  }
  fg_put_real(one, "seconds", e->seconds);
}

/* The estimate, or why there is none. */
static void fg_put_estimated(fg_tree one, fg_estimator by, const fg_estimate *e, const fg_why missing)
{
  if (missing[0]) {
    fg_put(one, "value", json_null());
    fg_put_text(one, "missing", missing);
  } else {
    fg_put_estimate(one, by, e);
  }
}

static void fg_put_w2(fg_tree root, const fg_comparison *c)
{
  fg_tree w2 = fg_put_object(root, "w2"), divergences = fg_put_object(root, "divergences");
  for (int e = 0; e < FG_ESTIMATORS; e++) {
    if (!c->wanted[e]) continue;
    fg_estimator by = (fg_estimator)e;
    fg_tree pairs = fg_put_object(fg_estimator_is_w2(by) ? w2 : divergences, fg_estimator_name(by));
    for (int p = 0; p < FG_PAIRS; p++) {
      if (!c->estimated[e][p] && !c->missing[e][p][0]) continue;
      fg_tree one = fg_put_object(pairs, fg_pair_names[p]);
      fg_put_estimated(one, by, &c->estimate[e][p], c->missing[e][p]);
      if (c->box > 0)
        fg_put_estimated(fg_put_object(one, "boxed"), by, &c->boxed[e][p], c->boxed_missing[e][p]);
    }
  }
  fg_tree grid = fg_put_object(root, "grid");
  fg_put_count(grid, "bins", c->estimate_settings[FG_W2_GRID].grid.bins);
  fg_put_real(grid, "half_width", c->estimate_settings[FG_W2_GRID].grid.half_width);
  if (c->box > 0) {
    fg_put_real(root, "box", c->box);
    fg_tree outside = fg_put_object(root, "outside_box");
    for (int k = 0; k < FG_LAWS; k++)
      if (c->law[k]) fg_put_count(outside, fg_law_names[k], c->outside_box[k]);
  } else {
    fg_put(root, "box", json_null());
  }
}

enum { FG_MOMENTS_MAX = 32 }; /* larger dimensions would swamp the page */

static void fg_put_moments(fg_tree root, const fg_comparison *c)
{
  fg_tree all = fg_put_object(root, "moments");
  size_t d = c->d;
  for (int k = 0; k < FG_LAWS && d <= FG_MOMENTS_MAX; k++) {
    const double *x = c->law[k];
    if (!x) continue;
    fg_tree law = fg_put_object(all, fg_law_names[k]);
    json_t *means = fg_put_list(law, "mean"), *rows = fg_put_list(law, "covariance");
    size_t n = c->rows[k];
    double mean[FG_MOMENTS_MAX] = {0};
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < d; j++) mean[j] += x[i * d + j];
    for (size_t j = 0; j < d; j++) {
      mean[j] /= (double)n;
      fg_append_real(means, mean[j], law.bad);
    }
    for (size_t j = 0; j < d; j++) {
      json_t *row = fg_append(rows, json_array(), law.bad);
      for (size_t l = 0; l < d; l++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += (x[i * d + j] - mean[j]) * (x[i * d + l] - mean[l]);
        fg_append_real(row, n > 1 ? sum / (double)(n - 1) : NAN, law.bad);
      }
    }
  }
}

static void fg_put_lost(fg_tree tree, const char *key, const fg_flow_report *r)
{
  json_t *list = fg_put_list(tree, key);
  for (size_t i = 0; i < r->lost_named; i++) {
    fg_tree one = fg_append_object(list, tree.bad);
    fg_put_count(one, "particle", r->named[i].particle);
    fg_put_real(one, "t", r->named[i].t);
  }
}

static void fg_put_ode(fg_tree root, const fg_comparison *c)
{
  const fg_flow_report *r = &c->ode_report;
  fg_tree ode = fg_put_object(root, "ode");
  fg_put_setting(ode, "method", c->settings, "flow.ode.method");
  fg_put_real(ode, "rtol", c->ode_on_grid ? NAN : c->ode.rtol);
  fg_put_real(ode, "atol", c->ode_on_grid ? NAN : c->ode.atol);
  fg_put_real(ode, "t_end", c->t_end);
  fg_put_count(ode, "tile", c->ode_on_grid ? c->ode_fixed.tile : c->ode.tile);
  fg_put_count(ode, "steps", r->steps);
  fg_put_count(ode, "rhs_evaluations", r->rhs_evaluations);
  fg_put_count(ode, "jvp_evaluations", r->jvp_evaluations);
  fg_put_count(ode, "error_test_failures", r->error_test_failures);
  fg_put_count(ode, "convergence_failures", r->convergence_failures);
  fg_put_count(ode, "tiles", r->tiles);
  fg_put_count(ode, "tiles_split", r->tiles_split);
  fg_put_count(ode, "failed", r->lost);
  fg_put_lost(ode, "failed_named", r);
  fg_put_real(ode, "seconds", r->seconds);
  json_t *profile = fg_put_list(ode, "profile");
  for (size_t i = 0; i < r->bins; i++) {
    fg_tree bin = fg_append_object(profile, ode.bad);
    fg_put_real(bin, "t", r->bin_t[i]);
    fg_put_real(bin, "steps", r->bin_steps[i]);
    fg_put_real(bin, "rhs", r->bin_rhs[i]);
    fg_put_real(bin, "order", r->bin_order[i]);
  }
}

static void fg_put_sde(fg_tree root, const fg_comparison *c)
{
  const fg_flow_report *r = &c->sde_report;
  fg_tree sde = fg_put_object(root, "sde");
  fg_put_setting(sde, "method", c->settings, "flow.sde.method");
  fg_put_real(sde, "lambda", c->sde.lambda);
  fg_put_count(sde, "steps", r->steps);
  fg_put_real(sde, "t_end", fg_grid_times(c->sde_grid)[fg_grid_steps(c->sde_grid)]);
  fg_put(sde, "last_step_noise", json_boolean(c->sde.last_step_noise));
  fg_put_count(sde, "refine", (uint64_t)c->sde.refine);
  fg_put_text(sde, "precision", c->sde.precision == FG_SINGLE ? "single" : "double");
  fg_put_count(sde, "tile", c->sde.tile);
  fg_put_count(sde, "nonfinite", r->lost);
  fg_put_lost(sde, "nonfinite_named", r);
  fg_put_real(sde, "seconds", r->seconds);
}

static void fg_put_residual(fg_tree root, const fg_comparison *c)
{
  if (!c->has_residual) {
    fg_put(root, "residual", json_null());
    return;
  }
  fg_tree residual = fg_put_object(root, "residual");
  fg_put_text(residual, "measure", "the model's own SDE paths, time average by trapezoid");
  fg_put_real(residual, "mean_square", c->residual_mean_square);
  fg_put_real(residual, "mean_square_se", c->residual_se);
  fg_put_real(residual, "centred_mean_square", c->residual_centred);
  fg_put_count(residual, "points", c->residual_points);
  fg_put_count(residual, "nonfinite_paths", c->residual_lost);
  fg_put_count(residual, "nonfinite", c->residual_nonfinite);
  json_t *profile = fg_put_list(residual, "profile");
  for (size_t i = 0; i < c->profile_times; i++) {
    fg_tree at = fg_append_object(profile, residual.bad);
    fg_put_real(at, "t", c->profile[i].t);
    fg_put_real(at, "mean_square", c->profile[i].mean_square);
    fg_put_real(at, "se", c->profile[i].se);
    fg_put_real(at, "relative", c->profile[i].relative);
  }
}

static void fg_put_snapshots(fg_tree root, const fg_comparison *c)
{
  json_t *list = fg_put_list(root, "snapshots");
  for (size_t k = 0; k < c->snapshots; k++) {
    fg_tree at = fg_append_object(list, root.bad);
    fg_put_real(at, "t", c->snapshot_t[k]);
    fg_put_text(at, "estimator", "gaussian");
    fg_put_estimate(fg_put_object(at, "w2_ode_sde"), FG_W2_GAUSSIAN, &c->snapshot_estimate[k]);
  }
}

/* "The grid estimates leave out 13 ODE, 8 SDE and 6 target particles (at most 0.065 %) beyond half width 3.5." */
static void fg_warn_outside(fg_tree root, json_t *list, const fg_comparison *c, const size_t outside[FG_LAWS],
                            const char *what, double half_width, const char *rest)
{
  double worst = 0;
  for (int k = 0; k < FG_LAWS; k++)
    if (c->rows[k]) worst = fmax(worst, 100.0 * (double)outside[k] / (double)c->rows[k]);
  if (!(worst > 0)) return;
  if (c->law[FG_LAW_TARGET])
    fg_warn(root, list,
            "%s %zu ODE, %zu SDE and %zu target particles (at most %.3g %%) beyond half width %g%s.", what,
            outside[FG_LAW_ODE], outside[FG_LAW_SDE], outside[FG_LAW_TARGET], worst, half_width, rest);
  else
    fg_warn(root, list, "%s %zu ODE and %zu SDE particles (at most %.3g %%) beyond half width %g%s.", what,
            outside[FG_LAW_ODE], outside[FG_LAW_SDE], worst, half_width, rest);
}

/* A training whose record is damaged is no reason to lose a comparison. */
static void fg_put_training(fg_tree root, json_t *warnings, const fg_comparison *c)
{
  fg_status st = {0};
  json_t *training = NULL;
  if (fg_training_of_model(c->settings, &training, &st) != FG_OK)
    fg_warn(root, warnings, "The record of the training is left out: %s.", st.message);
  if (training) fg_put(root, "training", training);
}

/* Correlation of the particles that had the same start, over all coordinates. NaN: a law does not vary. */
static double fg_starts_remembered(const fg_comparison *c)
{
  const double *x = c->law[FG_LAW_ODE], *y = c->law[FG_LAW_SDE];
  double xx = 0, yy = 0, xy = 0;
  for (size_t j = 0; j < c->d; j++) {
    double mean_x = 0, mean_y = 0;
    for (size_t i = 0; i < c->n; i++) {
      mean_x += x[i * c->d + j] / (double)c->n;
      mean_y += y[i * c->d + j] / (double)c->n;
    }
    for (size_t i = 0; i < c->n; i++) {
      double a = x[i * c->d + j] - mean_x, b = y[i * c->d + j] - mean_y;
      xx += a * a;
      yy += b * b;
      xy += a * b;
    }
  }
  return xy / sqrt(xx) / sqrt(yy);
}

/* That much of the noise is common to both clouds, and what the floor takes off as bias is not there (docs/distances.md,
 * same starts). */
static const double fg_starts_limit = 0.2;

static void fg_warn_starts(fg_tree root, json_t *list, const fg_comparison *c)
{
  double remembered = c->same_starts ? fg_starts_remembered(c) : 0;
  if (remembered > fg_starts_limit)
    fg_warn(root, list,
            "Particles of the ODE and the SDE remember their common start (correlation %.2g): floor and "
            "p-value of this "
            "pair are too large, and the bias taken off is too, so that interval and gap may lie too low. "
            "compare.same_starts=false draws independent starts.",
            remembered);
}

/* One warning for each estimator that failed somewhere. */
static void fg_warn_missing(fg_tree root, json_t *list, const fg_comparison *c)
{
  for (int e = 0; e < FG_ESTIMATORS; e++) {
    int had = 0, missing = 0;
    const char *why = NULL;
    for (int p = 0; p < FG_PAIRS; p++) {
      const char *at = c->missing[e][p][0] ? c->missing[e][p] : c->boxed_missing[e][p];
      had += c->estimated[e][p];
      missing += c->missing[e][p][0] != 0;
      if (!why && at[0]) why = at;
    }
    if (!why) continue;
    if (missing)
      fg_warn(root, list, "The %s estimator failed on %d of %d pairs, which have no figure from it: %s.",
              fg_estimator_name((fg_estimator)e), missing, had + missing, why);
    else
      fg_warn(root, list, "The %s estimator failed inside the box: %s.", fg_estimator_name((fg_estimator)e),
              why);
  }
  if (c->snapshots_missing)
    fg_warn(root, list, "%zu of %zu snapshots have no distance: %s.", c->snapshots_missing, c->snapshots,
            c->snapshot_missing);
}

static void fg_put_warnings(fg_tree root, const fg_comparison *c)
{
  json_t *list = fg_put_list(root, "warnings");
  fg_put_training(root, list, c);
  if (c->ode_report.lost)
    fg_warn(root, list,
            "%llu of %zu ODE particles could not be carried to the end; they enter every figure where "
            "they stopped.",
            (unsigned long long)c->ode_report.lost, c->n);
  if (c->sde_report.lost)
    fg_warn(root, list,
            "%llu of %zu SDE particles turned non-finite; they enter every figure where they were last "
            "finite.",
            (unsigned long long)c->sde_report.lost, c->n);
  if (c->grid_left_out)
    fg_warn(root, list, "The grid estimator is left out: it needs two dimensions and the model has %zu.",
            c->d);
  fg_warn_missing(root, list, c);
  fg_warn_starts(root, list, c);
  fg_warn_search(root, list, c->search);
  fg_warn_budget(root, list, c);
  for (size_t i = 0; i < c->lambdas; i++)
    if (c->curve[i].failed[0])
      fg_warn(root, list, "The curve over lambda has a gap at lambda %g: %s.", c->curve[i].lambda,
              c->curve[i].failed);
  double sde_end = fg_grid_times(c->sde_grid)[fg_grid_steps(c->sde_grid)];
  if (sde_end != c->t_end)
    fg_warn(root, list,
            "The ODE ends at t = %g and the SDE at t = %g: part of the distance is that difference.",
            c->t_end, sde_end);
  const fg_estimate *grid = c->estimate[FG_W2_GRID];
  const size_t outside[FG_LAWS] = {grid[FG_ODE_SDE].outside_x, grid[FG_ODE_SDE].outside_y,
                                   grid[FG_ODE_TARGET].outside_y};
  bool same =
      c->box > 0 && c->box == c->estimate_settings[FG_W2_GRID].grid.half_width; /* one word for both */
  if (c->wanted[FG_W2_GRID] && !same)
    fg_warn_outside(root, list, c, outside, "The grid estimates leave out",
                    c->estimate_settings[FG_W2_GRID].grid.half_width, "");
  if (c->box > 0)
    fg_warn_outside(root, list, c, c->outside_box,
                    same && c->wanted[FG_W2_GRID] ? "The box leaves out, and so do the grid estimates,"
                                                  : "The box leaves out",
                    c->box,
                    same ? "; the other estimators are shown with and without them"
                         : "; figures with and without them are shown");
  if (c->residual_nonfinite)
    fg_warn(root, list, "%llu of %zu values of the residual are not finite and enter no figure.",
            (unsigned long long)c->residual_nonfinite, c->residual_points * c->profile_times);
  if (c->has_residual)
    fg_warn_of_time(root, list, c->residual_mean_square, c->residual_centred, c->residual_relative);
  if (c->target && fg_target_rows(c->target) && c->rows[FG_LAW_TARGET] < c->n)
    fg_warn(root, list, "The target has %zu points: figures against it use each once, beside %zu particles.",
            c->rows[FG_LAW_TARGET], c->n);
}

fg_code fg_compare_results(const fg_comparison *c, const char *run_directory, fg_status *st)
{
  bool bad = false;
  fg_tree root = {json_object(), &bad};
  fg_put_origin(root, "compare", run_directory);
  fg_put_engine(root, c->engine);
  fg_put_count(root, "seed", c->seed);
  fg_put_real(root, "wall_seconds", c->seconds);
  fg_put_count(root, "particles", c->n);
  fg_put_model(root, c->settings, c->model, c->target);
  fg_put_real(root, "confidence", c->estimate_settings[0].confidence);
  fg_put_w2(root, c);
  fg_put_budget(root, c);
  fg_put_search(root, c->search);
  fg_put_snapshots(root, c);
  fg_put_moments(root, c);
  fg_put_residual(root, c);
  fg_put_certificate(root, c);
  fg_put_lambda_curve(root, c);
  fg_put_ode(root, c);
  fg_put_sde(root, c);
  fg_put_warnings(root, c);
  fg_put_disagreement(root);
  return fg_results_save(root, run_directory, st);
}

/* The members `certificate` and `lambda_curve` of results.json. */
#include <math.h>

#include "analysis/compare_certificate.h"
#include "analysis/compare_results.h"

static void put_grid(fg_tree identity, const fg_gap_certificate *g)
{
  const fg_identity_grid *i = &g->grid;
  if (!g->on_grid) {
    fg_put(identity, "grid", json_null());
    return;
  }
  fg_tree grid = fg_put_object(identity, "grid");
  fg_put_count(grid, "cells", g->settings.grid.cells);
  fg_put_real(grid, "half_width", g->settings.grid.half_width);
  fg_put_real(grid, "left", i->left);
  fg_put_real(grid, "right", i->right);
  fg_put_real(grid, "kl_start", i->kl_start);
  fg_put_real(grid, "kl_end", i->kl_end);
  fg_put_real(grid, "residual", i->residual);
  fg_put_real(grid, "left_time", i->left_time);
  fg_put_real(grid, "right_time", i->right_time);
  fg_put_real(grid, "left_space", i->left_space);
  fg_put_real(grid, "right_space", i->right_space);
  fg_put_real(grid, "left_out", i->left_out);
  fg_put_real(grid, "outside", i->outside);
  fg_put_real(grid, "seconds", i->seconds);
}

static void put_paths(fg_tree identity, const fg_gap_certificate *g)
{
  const fg_identity_paths *i = &g->paths;
  fg_tree paths = fg_put_object(identity, "paths");
  fg_put_count(paths, "paths", g->settings.paths);
  fg_put_count(paths, "steps", g->settings.intervals * g->settings.substeps);
  fg_put_real(paths, "left", i->left);
  fg_put_real(paths, "left_se", i->left_se);
  fg_put_real(paths, "right", i->right);
  fg_put_real(paths, "right_se", i->right_se);
  fg_put_real(paths, "difference", i->difference);
  fg_put_real(paths, "difference_se", i->difference_se);
  fg_put_real(paths, "kl_start", i->kl_start);
  fg_put_real(paths, "kl_start_se", i->kl_start_se);
  fg_put_real(paths, "kl_end", i->kl_end);
  fg_put_real(paths, "kl_end_se", i->kl_end_se);
  fg_put_real(paths, "residual", i->residual);
  fg_put_real(paths, "residual_se", i->residual_se);
  fg_put_real(paths, "sum", i->sum);
  fg_put_real(paths, "sum_se", i->sum_se);
  fg_put_real(paths, "sum_time", i->sum_time);
  fg_put_real(paths, "sum_step", i->sum_step);
  fg_put_real(paths, "sum_step_se", i->sum_step_se);
  fg_put_count(paths, "off", i->off);
  fg_put_count(paths, "visits", i->visits);
  fg_put_count(paths, "lost", i->lost);
  fg_put_real(paths, "seconds", i->seconds);
}

/* log_mass and D, each marked: quadrature stands for a deterministic figure with its error beside it. */
static void put_factors(fg_tree root, const fg_gap_certificate *g)
{
  fg_tree mass = fg_put_object(root, "log_mass");
  fg_put_real(mass, "value", g->mass.value);
  fg_put_real(mass, "error", g->mass.error);
  fg_put_real(mass, "edge", g->mass.edge);
  fg_put_text(mass, "method", g->mass_by_box ? "box" : "importance");
  fg_put_text(mass, "kind", g->mass_by_box ? "quadrature" : "estimate");
  fg_tree d = fg_put_object(root, "d");
  fg_put_real(d, "value", g->d);
  fg_put_real(d, "error", g->d_error);
  fg_put_text(d, "method", g->d_by_grid ? "grid" : "paths");
  if (g->d_by_grid) fg_put_text(d, "side", g->d_left ? "left" : "right");
  fg_put_text(d, "kind", g->d_by_grid ? "quadrature" : "estimate");
}

static void put_bounds(fg_tree root, const fg_gap_certificate *g)
{
  fg_tree all = fg_put_object(root, "bounds");
  for (int k = 0; k < FG_LIPSCHITZ_KINDS; k++) {
    const fg_gap_lipschitz *l = &g->lipschitz[k];
    if (!l->l) continue;
    bool theorem = k == FG_LIPSCHITZ_GLOBAL && g->d_by_grid;
    fg_tree one = fg_put_object(all, fg_lipschitz_names[k]);
    fg_put_real(one, "lipschitz_integral", l->integral);
    fg_put_text(one, "lipschitz_kind", k == FG_LIPSCHITZ_GLOBAL ? "theorem" : "estimate");
    fg_put_real(one, "log_a", l->log_a);
    fg_put_real(one, "log_a_time", l->log_a_time);
    fg_put_real(one, "log_bound", l->log_bound);
    fg_put_real(one, "bound", l->bound);
    fg_put_text(one, "kind", theorem ? "theorem" : "estimate");
  }
  fg_put_text(root, "shown", fg_lipschitz_names[g->shown]);
}

/* L(t) itself from the eigenvalue. */
static void put_curve(fg_tree root, const fg_comparison *c)
{
  const fg_gap_certificate *g = c->certificate;
  json_t *list = fg_put_list(root, "curve");
  for (size_t k = 0; k < g->count; k++) {
    double t = g->t[k], a = fg_process_a(c->process, t), half_g2 = 0.5 * fg_process_g2(c->process, t);
    fg_tree at = fg_append_object(list, root.bad);
    fg_put_real(at, "t", t);
    fg_put_real(at, "fisher", g->on_grid ? g->grid_point[k].fisher : NAN);
    fg_put_real(at, "residual", g->on_grid ? g->grid_point[k].residual : NAN);
    fg_put_real(at, "fisher_paths", g->path_point[k].fisher);
    fg_put_real(at, "fisher_paths_se", g->path_point[k].fisher_se);
    fg_put_real(at, "residual_paths", g->path_point[k].residual);
    fg_put_real(at, "residual_paths_se", g->path_point[k].residual_se);
    fg_tree l = fg_put_object(at, "lipschitz");
    for (int kind = 0; kind < FG_LIPSCHITZ_KINDS; kind++)
      if (g->lipschitz[kind].l)
        fg_put_real(l, fg_lipschitz_names[kind], a + half_g2 * g->lipschitz[kind].l[k]);
  }
}

void fg_put_certificate(fg_tree root, const fg_comparison *c)
{
  const fg_gap_certificate *g = c->certificate;
  if (!g) {
    fg_put(root, "certificate", json_null());
    return;
  }
  fg_tree all = fg_put_object(root, "certificate");
  fg_put_real(all, "t0", g->settings.t0);
  fg_put_count(all, "times", g->count);
  fg_tree identity = fg_put_object(all, "identity");
  put_grid(identity, g);
  put_paths(identity, g);
  put_factors(all, g);
  put_bounds(all, g);
  fg_tree laws = fg_put_object(all, "laws");
  fg_put_real(laws, "w2_least", g->laws_w2);
  fg_put_real(laws, "kl", g->laws_kl);
  fg_put_real(laws, "mass_ode", g->laws_mass);
  fg_put_count(laws, "failed", g->laws_failed);
  put_curve(all, c);
  fg_put_real(all, "seconds", g->seconds);
}

void fg_put_lambda_curve(fg_tree root, const fg_comparison *c)
{
  if (c->lambdas == 0) return;
  json_t *list = fg_put_list(root, "lambda_curve");
  for (size_t i = 0; i < c->lambdas; i++) {
    const fg_lambda_point *point = &c->curve[i];
    fg_tree at = fg_append_object(list, root.bad);
    fg_put_real(at, "lambda", point->lambda);
    fg_put_count(at, "lost", point->lost);
    fg_put(at, "failed", point->failed[0] ? json_string(point->failed) : json_null());
    fg_tree w2 = fg_put_object(at, "w2");
    for (int e = 0; e < FG_ESTIMATORS; e++)
      if (fg_compare_curve_by(c, (fg_estimator)e))
        fg_put_estimate(fg_put_object(w2, fg_estimator_name((fg_estimator)e)), (fg_estimator)e,
                        &point->estimate[e]);
    fg_put_real(at, "residual_mean_square", point->has_residual ? point->residual_mean_square : NAN);
    fg_put_real(at, "residual_mean_square_se", point->has_residual ? point->residual_se : NAN);
  }
}

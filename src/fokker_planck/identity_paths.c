/* Both sides of the identity by Monte Carlo over paths of the SDE: a path's integral is one number, paths are
 * independent, so their spread gives the standard error. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fokker_planck/certificate_impl.h"

typedef struct fg_path_work {
  const fg_model *model;
  const fg_identity_settings *settings;
  const fg_rule *rule;
  const double *psi;
  size_t d, n;
  double *start, *x, *end;               /* [n, d], [count, n, d], [n, d] */
  double *prior, *phi, *residual;        /* [n] */
  double *kl_start, *kl_end, *integral;  /* [n]: of each path */
  double *coarse, *left, *fine, *fisher; /* [n] */
} fg_path_work;

static void fg_path_work_clear(fg_path_work *w)
{
  free(w->start);
  free(w->x);
}

static fg_code fg_path_rooms(fg_path_work *w, fg_status *st)
{
  size_t block = w->n * w->d;
  FG_TRY(fg_certificate_room(2 * block + 10 * w->n, &w->start, st));
  w->end = w->start + block;
  double *at = w->end + block;
  double **rooms[] = {&w->prior,    &w->phi,    &w->residual, &w->kl_start, &w->kl_end,
                      &w->integral, &w->coarse, &w->left,     &w->fine,     &w->fisher};
  for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++, at += w->n) *rooms[i] = at;
  return fg_certificate_room(w->rule->count * block, &w->x, st);
}

typedef struct fg_moment {
  double mean, se;
} fg_moment;

static fg_moment fg_moment_of(size_t n, const double *x)
{
  fg_moment m = {0, 0};
  double squares = 0;
  for (size_t i = 0; i < n; i++) m.mean += x[i];
  m.mean /= (double)n;
  for (size_t i = 0; i < n; i++) squares += (x[i] - m.mean) * (x[i] - m.mean);
  if (n > 1) m.se = sqrt(squares / (double)(n - 1) / (double)n);
  return m;
}

/* psi and |grad psi|^2 at a point, from the cells around it, (multi)linear between their centres. False where one of
 * them has no log-density. */
static bool fg_psi_at(const fg_law_grid *grid, const double *psi, const double *x, double *value,
                      double *slope2)
{
  size_t n = grid->cells, low[2] = {0, 0};
  double width = 2 * grid->half_width / (double)n, part[2] = {0, 0};
  for (size_t j = 0; j < grid->d; j++) {
    double place = (x[j] + grid->half_width) / width - 0.5;
    if (!(place >= 0 && place < (double)(n - 1))) return false;
    low[j] = (size_t)place;
    part[j] = place - (double)low[j];
  }
  if (grid->d == 1) {
    double a = psi[low[0]], b = psi[low[0] + 1], slope = (b - a) / width;
    *value = a + part[0] * (b - a);
    *slope2 = slope * slope;
    return !isnan(*value);
  }
  const double *at = psi + low[0] * n + low[1];
  double a = at[0], b = at[1], c = at[n], e = at[n + 1];
  double low_edge = a + part[1] * (b - a), high_edge = c + part[1] * (e - c);
  double slope0 = (high_edge - low_edge) / width;
  double slope1 = ((1 - part[0]) * (b - a) + part[0] * (e - c)) / width;
  *value = low_edge + part[0] * (high_edge - low_edge);
  *slope2 = slope0 * slope0 + slope1 * slope1;
  return !isnan(*value) && !isnan(*slope2);
}

/* What the law on the grid adds at time k: the left side's integrand, and log p - phi at the end. */
static void fg_path_law(fg_path_work *w, size_t k, const double *x, fg_identity_paths *out)
{
  const fg_law_grid *grid = &w->settings->grid;
  double half_g2 = 0.5 * fg_process_g2(fg_model_process(w->model), w->rule->t[k]);
  for (size_t i = 0; i < w->n; i++) {
    double value = 0, slope2 = 0;
    bool seen = fg_psi_at(grid, w->psi + k * fg_law_size(grid), x + i * w->d, &value, &slope2);
    out->visits++;
    if (!seen) {
      out->off++;
      value = slope2 = 0;
    }
    w->fisher[i] = half_g2 * slope2;
    w->left[i] += w->rule->weight[k] * w->fisher[i];
    if (k + 1 == w->rule->count) w->kl_end[i] = value;
  }
}

/* KL(p_T|q_T) path by path, log prior - phi at the starts. */
static fg_code fg_path_start(fg_path_work *w, const fg_prior *prior, fg_status *st)
{
  double horizon = w->rule->t[0];
  fg_evaluation want = {w->phi, NULL, NULL, NULL, NULL, NULL, NULL};
  FG_TRY(fg_prior_sample(prior, w->settings->seed, 0, w->n, w->start, st));
  FG_TRY(fg_prior_log_density(prior, w->n, w->start, w->prior, st));
  FG_TRY(fg_model_evaluate(w->model, w->settings->precision, w->n, &horizon, 1, w->start, &want, st));
  for (size_t i = 0; i < w->n; i++) w->kl_start[i] = w->prior[i] - w->phi[i];
  return FG_OK;
}

/* The paths, with their states at the times of the rule. */
static fg_code fg_path_run(fg_path_work *w, int refine, const fg_progress *progress, uint64_t *lost,
                           fg_status *st)
{
  size_t intervals = w->rule->count - 1;
  double *segments = NULL;
  fg_grid *grid = NULL;
  fg_fixed_settings sde;
  fg_flow_report report;
  fg_code rc;
  FG_TRY(fg_certificate_room(3 * intervals, &segments, st));
  for (size_t k = 0; k < intervals; k++) {
    segments[3 * k] = w->rule->t[k];
    segments[3 * k + 1] = w->rule->t[k + 1];
    segments[3 * k + 2] = (double)w->settings->substeps;
  }
  fg_fixed_defaults(&sde);
  sde.scheme = FG_HEUN;
  sde.refine = refine;
  sde.precision = w->settings->precision;
  const fg_snapshots keep = {w->rule->count, w->rule->t, w->x, NULL};
  FG_GO(fg_grid_piecewise(segments, intervals, &grid, st), done);
  sde.grid = grid;
  rc = fg_flow_fixed(w->model, &sde, w->settings->seed, w->settings->stream, 0, w->n, w->start, w->end, NULL,
                     &keep, progress, &report, st);
  *lost = report.lost;
done:
  free(segments);
  fg_grid_destroy(&grid);
  return rc;
}

/* int R dt of each path into `integral` (and by the coarse rule), with the figures of each time. */
static fg_code fg_path_integrate(fg_path_work *w, bool law, double *integral, double *coarse,
                                 fg_identity_point *point, fg_identity_paths *out, fg_status *st)
{
  fg_evaluation want = {NULL, NULL, NULL, NULL, w->residual, NULL, NULL};
  memset(integral, 0, w->n * sizeof *integral);
  for (size_t k = 0; k < w->rule->count; k++) {
    const double *x = w->x + k * w->n * w->d, *t = &w->rule->t[k];
    FG_TRY(fg_model_evaluate(w->model, w->settings->precision, w->n, t, 1, x, &want, st));
    for (size_t i = 0; i < w->n; i++) integral[i] += w->rule->weight[k] * w->residual[i];
    for (size_t i = 0; coarse && i < w->n; i++) coarse[i] += w->rule->coarse[k] * w->residual[i];
    if (law) fg_path_law(w, k, x, out);
    if (!point) continue;
    fg_moment residual = fg_moment_of(w->n, w->residual), fisher = {NAN, NAN};
    if (law) fisher = fg_moment_of(w->n, w->fisher);
    point[k] = (fg_identity_point){*t, fisher.mean, fisher.se, residual.mean, residual.se};
  }
  return FG_OK;
}

static void fg_path_figures(fg_path_work *w, fg_identity_paths *out)
{
  size_t n = w->n;
  double *row = w->residual; /* free by now */
  fg_moment start = fg_moment_of(n, w->kl_start), residual = fg_moment_of(n, w->integral);
  out->kl_start = start.mean, out->kl_start_se = start.se;
  out->residual = residual.mean, out->residual_se = residual.se;
  for (size_t i = 0; i < n; i++) row[i] = w->kl_start[i] + w->integral[i];
  fg_moment sum = fg_moment_of(n, row);
  out->sum = sum.mean, out->sum_se = sum.se;
  out->sum_time = fabs(fg_moment_of(n, w->coarse).mean - residual.mean);
  for (size_t i = 0; i < n; i++) row[i] = w->fine[i] - w->integral[i];
  fg_moment step = fg_moment_of(n, row);
  out->sum_step = step.mean, out->sum_step_se = step.se;
  out->left = out->left_se = out->right = out->right_se = NAN;
  out->kl_end = out->kl_end_se = out->difference = out->difference_se = NAN;
  if (!w->psi) return;
  fg_moment end = fg_moment_of(n, w->kl_end), left = fg_moment_of(n, w->left);
  out->kl_end = end.mean, out->kl_end_se = end.se;
  out->left = left.mean, out->left_se = left.se;
  for (size_t i = 0; i < n; i++) row[i] = w->kl_start[i] + w->integral[i] - w->kl_end[i];
  fg_moment right = fg_moment_of(n, row);
  out->right = right.mean, out->right_se = right.se;
  for (size_t i = 0; i < n; i++) row[i] -= w->left[i];
  fg_moment difference = fg_moment_of(n, row);
  out->difference = difference.mean, out->difference_se = difference.se;
}

static fg_code fg_path_check(const fg_identity_settings *s, size_t d, const double *psi, fg_status *st)
{
  if (s->paths < 2 || s->substeps < 1)
    return FG_FAIL(st, FG_USAGE, "%zu paths of %zu steps in each interval: give at least 2 paths and 1 step",
                   s->paths, s->substeps);
  if (psi && (s->grid.d != d || d > 2))
    return FG_FAIL(st, FG_USAGE, "a law on a grid of dimension %zu for a model of dimension %zu", s->grid.d,
                   d);
  return FG_OK;
}

fg_code fg_identity_by_paths(const fg_model *model, const fg_prior *prior,
                             const fg_identity_settings *settings, const double *psi,
                             const fg_progress *progress, fg_identity_point *point, double *x,
                             fg_identity_paths *out, fg_status *st)
{
  fg_rule rule = {0};
  fg_path_work w = {.model = model, .settings = settings, .rule = &rule, .psi = psi};
  double start = fg_seconds();
  uint64_t lost = 0;
  fg_code rc;
  *out = (fg_identity_paths){0};
  w.n = settings->paths;
  w.d = fg_model_dimension(model);
  FG_TRY(fg_identity_check(model, settings, st));
  FG_TRY(fg_path_check(settings, w.d, psi, st));
  FG_TRY(fg_rule_make(settings, fg_model_process(model), &rule, st));
  FG_GO(fg_path_rooms(&w, st), done);
  FG_GO(fg_path_start(&w, prior, st), done);
  FG_GO(fg_path_run(&w, 1, progress, &lost, st), done);
  FG_GO(fg_path_integrate(&w, false, w.fine, NULL, NULL, out, st), done);
  FG_GO(fg_path_run(&w, 0, progress, &out->lost, st), done);
  FG_GO(fg_path_integrate(&w, psi != NULL, w.integral, w.coarse, point, out, st), done);
  fg_path_figures(&w, out);
  if (x) memcpy(x, w.x, rule.count * w.n * w.d * sizeof *x);
  out->seconds = fg_seconds() - start;
done:
  fg_path_work_clear(&w);
  fg_rule_clear(&rule);
  return rc;
}

/* Both sides of the identity on a regular grid: no sampling noise, errors by halving in time and in space. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fokker_planck/certificate_impl.h"

typedef struct fg_grid_work {
  const fg_model *model;
  const fg_identity_settings *settings;
  fg_law_grid grid;
  size_t cells; /* of the whole grid */
  double volume, width;
  double *x, *phi, *residual, *p, *psi; /* [cells, d], [cells], [cells], [count, cells], [cells] */
} fg_grid_work;

static void fg_grid_work_clear(fg_grid_work *w)
{
  free(w->x);
  free(w->phi);
  free(w->residual);
  free(w->p);
  free(w->psi);
}

/* Logarithmic mean of two positive numbers: with it sum p grad log p = sum grad p also between cells. */
static double fg_log_mean(double a, double b)
{
  double ratio = log(a / b);
  return fabs(ratio) < 1e-4 ? 0.5 * (a + b) : (a - b) / ratio;
}

/* Sum over the faces between cells that have a log-density of p |difference of psi|^2. */
static double fg_grid_fisher(const fg_grid_work *w, const double *p)
{
  size_t n = w->grid.cells, rows = w->grid.d == 2 ? n : 1;
  double sum = 0;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < n; j++) {
      size_t at = i * n + j;
      if (isnan(w->psi[at])) continue;
      size_t next[2] = {j + 1 < n ? at + 1 : at, i + 1 < rows ? at + n : at};
      for (int axis = 0; axis < 2; axis++) {
        size_t to = next[axis];
        if (to == at || isnan(w->psi[to])) continue;
        double slope = (w->psi[to] - w->psi[at]) / w->width;
        sum += fg_log_mean(p[to], p[at]) * slope * slope;
      }
    }
  return sum * w->volume;
}

/* psi = log p - phi and the integrals of one time; *kl over the cells that have a log-density. */
static fg_code fg_grid_at(fg_grid_work *w, double t, const double *p, fg_identity_point *point, double *kl,
                          double *left_out, fg_status *st)
{
  fg_evaluation want = {w->phi, NULL, NULL, NULL, w->residual, NULL, NULL};
  FG_TRY(fg_model_evaluate(w->model, FG_DOUBLE, w->cells, &t, 1, w->x, &want, st));
  double top = 0, mass = 0, out = 0, mean = 0;
  for (size_t i = 0; i < w->cells; i++) top = fmax(top, p[i]);
  if (!(top > 0)) return FG_FAIL(st, FG_NUMERICS, "the law on the grid has no mass at t = %.9g", t);
  *kl = 0;
  for (size_t i = 0; i < w->cells; i++) {
    bool seen = p[i] > w->settings->threshold * top;
    w->psi[i] = seen ? log(p[i]) - w->phi[i] : NAN;
    mass += p[i];
    if (!seen) out += fabs(p[i]);
    if (seen) *kl += p[i] * w->psi[i];
    mean += p[i] * w->residual[i];
  }
  *kl *= w->volume;
  *left_out = fmax(*left_out, out / mass);
  point->t = t;
  point->fisher = 0.5 * fg_process_g2(fg_model_process(w->model), t) * fg_grid_fisher(w, p);
  point->residual = mean * w->volume;
  point->fisher_se = point->residual_se = 0;
  return FG_OK;
}

static double fg_grid_log_mass(const fg_grid_work *w)
{
  double top = -INFINITY, sum = 0;
  for (size_t i = 0; i < w->cells; i++) top = fmax(top, w->phi[i]);
  for (size_t i = 0; i < w->cells; i++) sum += exp(w->phi[i] - top);
  return top + log(sum * w->volume);
}

static fg_code fg_grid_rooms(fg_grid_work *w, size_t count, fg_status *st)
{
  FG_TRY(fg_certificate_room(w->cells * w->grid.d, &w->x, st));
  FG_TRY(fg_certificate_room(w->cells, &w->phi, st));
  FG_TRY(fg_certificate_room(w->cells, &w->residual, st));
  FG_TRY(fg_certificate_room(w->cells, &w->psi, st));
  return fg_certificate_room(count * w->cells, &w->p, st);
}

/* The integrals in time of both sides. */
static void fg_grid_sides(const fg_rule *rule, const fg_identity_point *point, double kl_start, double kl_end,
                          fg_identity_grid *out)
{
  double left = 0, right = 0;
  out->left = out->residual = 0;
  for (size_t k = 0; k < rule->count; k++) {
    out->left += rule->weight[k] * point[k].fisher;
    out->residual += rule->weight[k] * point[k].residual;
    left += rule->coarse[k] * point[k].fisher;
    right += rule->coarse[k] * point[k].residual;
  }
  out->kl_start = kl_start;
  out->kl_end = kl_end;
  out->right = kl_start - kl_end + out->residual;
  out->left_time = fabs(left - out->left);
  out->right_time = fabs(right - out->residual);
}

static fg_code fg_grid_once(const fg_model *model, const fg_prior *prior,
                            const fg_identity_settings *settings, const fg_law_grid *grid,
                            const fg_rule *rule, const fg_progress *progress, fg_identity_point *point,
                            double *psi, double *p_end, fg_identity_grid *out, fg_status *st)
{
  fg_grid_work w = {.model = model, .settings = settings, .grid = *grid};
  fg_law_report report;
  fg_code rc;
  double kl = 0, kl_start = 0;
  w.cells = fg_law_size(grid);
  w.volume = fg_law_volume(grid);
  w.width = 2 * grid->half_width / (double)grid->cells;
  FG_GO(fg_grid_rooms(&w, rule->count, st), done);
  fg_law_centres(grid, w.x);
  FG_GO(fg_law_sde(model, prior, grid, &settings->law, 1, rule->count, rule->t, w.p, progress, &report, st),
        done);
  out->outside = report.mass_outside;
  for (size_t k = 0; k < rule->count; k++) {
    FG_GO(fg_grid_at(&w, rule->t[k], w.p + k * w.cells, &point[k], &kl, &out->left_out, st), done);
    if (k == 0) kl_start = kl;
    if (psi) memcpy(psi + k * w.cells, w.psi, w.cells * sizeof *psi);
  }
  if (p_end) memcpy(p_end, w.p + (rule->count - 1) * w.cells, w.cells * sizeof *p_end);
  out->log_mass = fg_grid_log_mass(&w);
  fg_grid_sides(rule, point, kl_start, kl, out);
done:
  fg_grid_work_clear(&w);
  return rc;
}

fg_code fg_identity_on_grid(const fg_model *model, const fg_prior *prior,
                            const fg_identity_settings *settings, const fg_progress *progress,
                            fg_identity_point *point, double *psi, double *p_end, fg_identity_grid *out,
                            fg_status *st)
{
  fg_rule rule = {0};
  fg_identity_point *points = NULL;
  fg_law_grid half = settings->grid;
  double start = fg_seconds();
  fg_code rc;
  *out = (fg_identity_grid){0};
  FG_TRY(fg_identity_check(model, settings, st));
  if (settings->grid.d != fg_model_dimension(model) || settings->grid.d > 2)
    return FG_FAIL(st, FG_USAGE,
                   "a grid of dimension %zu for a model of dimension %zu: the grid takes 1 and 2",
                   settings->grid.d, fg_model_dimension(model));
  FG_TRY(fg_rule_make(settings, fg_model_process(model), &rule, st));
  points = calloc(rule.count, sizeof *points);
  if (!points) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for %zu times", rule.count);
    goto done;
  }
  half.cells /= 2;
  if (settings->halve) {
    fg_identity_grid rough = {0};
    FG_GO(fg_grid_once(model, prior, settings, &half, &rule, progress, points, NULL, NULL, &rough, st), done);
    out->left_space = rough.left;
    out->right_space = rough.right;
  }
  FG_GO(fg_grid_once(model, prior, settings, &settings->grid, &rule, progress, points, psi, p_end, out, st),
        done);
  if (settings->halve) {
    out->left_space = fabs(out->left_space - out->left) / 3;
    out->right_space = fabs(out->right_space - out->right) / 3;
  }
  if (point) memcpy(point, points, rule.count * sizeof *point);
  out->seconds = fg_seconds() - start;
done:
  free(points);
  fg_rule_clear(&rule);
  return rc;
}

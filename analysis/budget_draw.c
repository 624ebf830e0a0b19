/* The particles behind the budget: both flows again, finer or from the noised target. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/budget.h"
#include "formula/random.h"

/* The least tolerances that the solver takes (src/flow/ode.c): float cannot follow finer ones. */
static double fg_rtol_least(const fg_comparison *c)
{
  return c->ode.precision == FG_SINGLE ? 1e-5 : 1e-14;
}

enum { FG_TIGHTER = 10 }; /* factor of both tolerances */

bool fg_budget_ode_finer(const fg_comparison *c, char why[160])
{
  if (c->ode_on_grid || c->ode.rtol >= FG_TIGHTER * fg_rtol_least(c)) return true;
  snprintf(why, 160, "flow.ode.rtol is %g: ten times less is beyond %s precision", c->ode.rtol,
           c->ode.precision == FG_SINGLE ? "single" : "double");
  return false;
}

fg_code fg_budget_sde(fg_comparison *c, const double *start, int finer, double *x, uint64_t *lost,
                      fg_status *st)
{
  fg_fixed_settings sde = c->sde;
  fg_flow_report report;
  size_t n = c->budget->particles;
  const fg_piece pieces[] = {{x, n * c->d * sizeof *x}, {&report.lost, sizeof report.lost}};
  const bool noised = start != (c->sde_start ? c->sde_start : c->start);
  char step[64];
  snprintf(step, sizeof step, "budget, SDE, finer %d%s", finer, noised ? ", noised target" : "");
  if (!fg_compare_take(c, step, 2, pieces)) {
    sde.refine += finer;
    FG_TRY(fg_flow_fixed(c->model, &sde, c->seed, 1, 0, n, start, x, NULL, NULL, c->progress, &report, st));
    fg_compare_keep(c, step, 2, pieces);
  }
  *lost += report.lost;
  return FG_OK;
}

fg_code fg_budget_ode(fg_comparison *c, const double *start, int finer, double *x, uint64_t *lost,
                      fg_status *st)
{
  fg_flow_report report;
  size_t n = c->budget->particles;
  const fg_piece pieces[] = {{x, n * c->d * sizeof *x}, {&report.lost, sizeof report.lost}};
  char step[64];
  snprintf(step, sizeof step, "budget, ODE, finer %d%s", finer, start != c->start ? ", noised target" : "");
  if (fg_compare_take(c, step, 2, pieces)) {
    *lost += report.lost;
    return FG_OK;
  }
  if (c->ode_on_grid) {
    fg_fixed_settings ode = c->ode_fixed;
    ode.refine += finer;
    FG_TRY(fg_flow_fixed(c->model, &ode, c->seed, 1, 0, n, start, x, NULL, NULL, c->progress, &report, st));
  } else {
    fg_ode_settings ode = c->ode;
    for (int k = 0; k < finer; k++) {
      ode.rtol /= FG_TIGHTER;
      ode.atol = fmax(1e-300, ode.atol / FG_TIGHTER);
    }
    FG_TRY(
        fg_flow_ode(c->model, &ode, n, start, c->t_start, c->t_end, x, NULL, NULL, c->progress, &report, st));
  }
  fg_compare_keep(c, step, 2, pieces);
  *lost += report.lost;
  return FG_OK;
}

/* The normal numbers of a Gaussian prior; a truncated one has nearly always kept them (its first try). */
static fg_code fg_budget_normals(const fg_comparison *c, uint64_t first, double *z, fg_status *st)
{
  const fg_prior_settings standard = {FG_PRIOR_GAUSSIAN, 1, 1};
  fg_prior *prior = NULL;
  FG_TRY(fg_prior_create(&standard, c->d, NULL, NULL, &prior, st));
  fg_code rc = fg_prior_sample(prior, c->seed, first, c->budget->particles, z, st);
  fg_prior_destroy(&prior);
  return rc;
}

fg_code fg_budget_noised(fg_comparison *c, uint64_t first, double *x, fg_status *st)
{
  size_t n = c->budget->particles, numbers = n * c->d;
  double m = fg_process_m(c->process, c->t_start), root = sqrt(fg_process_v(c->process, c->t_start));
  /* Not the rows that the laws are compared with. */
  fg_words words = fg_philox(c->seed, FG_STREAM_NOISING, 0, 0, 0);
  double *z = malloc(numbers * sizeof *z);
  if (!z) return FG_FAIL(st, FG_MEMORY, "no memory for %zu numbers", numbers);
  fg_code rc = fg_target_sample(c->target, (uint64_t)words.w[0] << 32 | words.w[1], first, n, x, st);
  if (rc == FG_OK) rc = fg_budget_normals(c, first, z, st);
  for (size_t i = 0; i < numbers && rc == FG_OK; i++) x[i] = m * x[i] + root * z[i];
  free(z);
  return rc;
}

enum { FG_MOMENTS_MOST = 64 };

fg_code fg_budget_prior_moments(const fg_comparison *c, double *distance, fg_status *st)
{
  size_t d = c->d;
  const char *kind;
  double variance, squared, m = fg_process_m(c->process, c->t_start),
                            v = fg_process_v(c->process, c->t_start);
  *distance = NAN;
  FG_TRY(fg_settings_text(c->settings, "prior.kind", &kind, st));
  FG_TRY(fg_settings_real(c->settings, "prior.variance", &variance, st));
  bool gaussian = strcmp(kind, "gaussian") == 0, point = strcmp(kind, "point") == 0;
  if (!c->target || d > FG_MOMENTS_MOST || !(gaussian || point)) return FG_OK;
  if (!(fg_target_abilities(c->target) & FG_TARGET_MOMENTS)) return FG_OK;
  if (!(variance > 0)) variance = v;
  if (point) variance = 0;
  double *room = calloc(2 * (d + d * d), sizeof *room);
  if (!room) return FG_FAIL(st, FG_MEMORY, "no memory for the moments of %zu dimensions", d);
  double *mean = room, *covariance = room + d, *zero = covariance + d * d, *prior = zero + d;
  fg_code rc = fg_target_moments(c->target, mean, covariance, st);
  for (size_t i = 0; i < d; i++) {
    mean[i] *= m;
    for (size_t j = 0; j < d; j++) covariance[i * d + j] = m * m * covariance[i * d + j] + (i == j ? v : 0);
    prior[i * d + i] = variance;
  }
  if (rc == FG_OK) rc = fg_w2_gaussian_moments(d, mean, covariance, zero, prior, &squared, st);
  if (rc == FG_OK) *distance = sqrt(fmax(0, squared));
  free(room);
  return rc;
}

/* How the error of the model's gap changes with particles, steps and tolerances: orders that are known, or measured in
 * the budget. */
#include <math.h>

#include "analysis/budget_parts.h"
#include "analysis/budget_search.h"
#include "analysis/statistics.h"

static bool fg_takes_all_pairs(fg_estimator by)
{
  return by == FG_W2_EXACT || by == FG_W2_SINKHORN;
}

/* How the time of an estimator grows: with the particles; hardly, where they go into bins; not at all, where the rows
 * are limited and it is not the one of the budget. */
static void fg_forecast_estimates(const fg_comparison *c, fg_forecast *f)
{
  for (int e = 0; e < FG_ESTIMATORS; e++) {
    double seconds = 0;
    for (int p = 0; p < FG_PAIRS; p++) seconds += c->estimate[e][p].seconds + c->boxed[e][p].seconds;
    bool limited =
        e == FG_W2_EXACT || e == FG_W2_SINKHORN || e == FG_ENTROPIC || e == FG_MMD || e == FG_ENERGY;
    if (e == (int)c->budget->by && limited)
      f->pair_seconds += seconds;
    else if (limited)
      f->fixed_seconds += seconds;
    else if (e == FG_W2_GRID)
      f->grid_seconds += seconds;
    else
      f->row_seconds += seconds;
  }
}

void fg_forecast_make(const fg_comparison *c, const fg_choice *at, fg_forecast *f)
{
  const fg_budget *b = c->budget;
  const fg_budget_part *step = &b->part[FG_BUDGET_STEP], *tolerance = &b->part[FG_BUDGET_TOLERANCE],
                       *sample = &b->part[FG_BUDGET_SAMPLE], *prior = &b->part[FG_BUDGET_PRIOR];
  const double student = fg_budget_student(c, FG_BUDGET_BLOCKS - 1);
  *f = (fg_forecast){.at = *at, .gap_squared = fmax(0, b->gap_squared)};
  f->sample_bias = b->extrapolated ? 0 : fmax(0, sample->squared);
  f->sample_noise = fmax(0, sample->reach - f->sample_bias);
  f->bias_rate = b->by == FG_W2_GAUSSIAN || c->d == 1 ? 1 : fmin(0.75, 2 / (double)c->d);
  if (step->known) {
    f->step = step->squared;
    f->step_noise = student * step->se;
    f->step_left = sqrt(fmax(0, step->reach * step->reach - f->step_noise * f->step_noise));
    f->step_order = b->sde_steps.expected;
    f->strong_order = isfinite(b->sde_steps.strong_order)
                          ? fmin(f->step_order, fmax(0.25, b->sde_steps.strong_order))
                          : f->step_order;
  }
  if (tolerance->known) {
    f->tolerance = tolerance->squared;
    f->tolerance_noise = student * tolerance->se;
    f->tolerance_left =
        sqrt(fmax(0, tolerance->reach * tolerance->reach - f->tolerance_noise * f->tolerance_noise));
    f->ode_order = b->ode_steps.expected;
  }
  if (prior->known) f->prior_noise = prior->reach;
  f->sde_seconds = c->sde_report.seconds;
  f->ode_seconds = c->ode_report.seconds;
  fg_forecast_estimates(c, f);
  f->budget_seconds = b->seconds;
  f->sde_work = (double)c->sde_report.steps * (c->sde.scheme == FG_HEUN ? 2 : 1);
  f->ode_work = c->ode_report.tiles ? (double)c->ode_report.rhs_evaluations / (double)c->ode_report.tiles : 0;
  f->all_pairs = fg_takes_all_pairs(b->by);
}

static double fg_ratio(size_t a, size_t b)
{
  return (double)a / (double)b;
}

/* What a part adds to W2 when W2^2 is about `square` without it. */
static double fg_adds(double square, double part)
{
  return fabs(sqrt(fmax(0, square + part)) - sqrt(fmax(0, square)));
}

double fg_forecast_error(const fg_forecast *f, const fg_choice *to, double *numerical)
{
  double rows = fg_ratio(f->at.rows, to->rows),
         paired = sqrt(fg_ratio(f->at.budget_particles, to->budget_particles));
  double sample = f->sample_noise * sqrt(rows) + f->sample_bias * pow(rows, f->bias_rate);
  int halved = to->halvings - f->at.halvings;
  double weak = pow(2, -f->step_order * halved), strong = pow(2, -f->strong_order * halved);
  double finer = f->ode_order > 0 ? pow(2, -f->ode_order * (to->ode_halvings - f->at.ode_halvings))
                                  : pow(0.1, to->tenths - f->at.tenths);
  double reach = hypot(sample, f->prior_noise * paired);
  reach = hypot(reach, hypot(f->step_noise * strong * paired, f->step_left * weak * weak));
  reach = hypot(reach, hypot(f->tolerance_noise * paired, f->tolerance_left) * finer);
  double low, high;
  fg_root_interval(f->gap_squared, reach, &low, &high);
  *numerical = fg_adds(f->gap_squared, f->step * weak) + fg_adds(f->gap_squared, f->tolerance * finer);
  return 0.5 * (high - low) + *numerical;
}

/* The ODE takes a few more steps for each tenth of its tolerances. */
static double fg_ode_growth(const fg_forecast *f, const fg_choice *to)
{
  return pow(1.25, to->tenths - f->at.tenths) * pow(2, to->ode_halvings - f->at.ode_halvings);
}

double fg_forecast_seconds(const fg_forecast *f, const fg_choice *to)
{
  double n = fg_ratio(to->particles, f->at.particles),
         m = fg_ratio(to->budget_particles, f->at.budget_particles);
  double rows = fg_ratio(to->rows, f->at.rows), steps = pow(2, to->halvings - f->at.halvings);
  double flows = f->sde_seconds * n * steps + f->ode_seconds * n * fg_ode_growth(f, to);
  double budget =
      f->budget_seconds * (f->all_pairs ? pow(m, 1.7) : m) * fmax(1, fmax(steps, fg_ode_growth(f, to)));
  double estimates = f->fixed_seconds + f->grid_seconds * pow(n, 0.3) + f->row_seconds * n +
                     f->pair_seconds * pow(rows, 1.8);
  return flows + estimates + budget;
}

/* Work, in units that do not depend on the machine: right-hand sides, and as many for each row of the estimate. */
static double fg_forecast_work(const fg_forecast *f, const fg_choice *to)
{
  double steps = f->sde_work * pow(2, to->halvings - f->at.halvings),
         ode = f->ode_work * fg_ode_growth(f, to);
  double rows = (double)to->rows;
  return (double)to->particles * (steps + ode) + (double)to->budget_particles * (10 * steps + 2 * ode) +
         100 * rows * (f->all_pairs ? sqrt(rows) : 1);
}

/* Powers of the square root of two, in whole blocks of the ODE's usual tiles. */
static size_t fg_grown(size_t particles, int times)
{
  return (size_t)((double)particles * pow(2, 0.5 * times) / 64 + 0.5) * 64;
}

typedef struct fg_candidate {
  fg_choice choice;
  bool reaches;
  double costs, error;
} fg_candidate;

static void fg_forecast_try(const fg_forecast *f, fg_choice to, double target, double seconds,
                            fg_candidate *best)
{
  double numerical, error = fg_forecast_error(f, &to, &numerical);
  if (fg_forecast_seconds(f, &to) > seconds) return;
  double work = fg_forecast_work(f, &to);
  bool reaches = error <= target, had = best->reaches;
  double costs = reaches ? work : error * pow(work, 0.03); /* out of reach: not for a per cent at any price */
  if (reaches == had ? costs >= best->costs : had) return;
  *best = (fg_candidate){to, reaches, costs, error};
}

fg_choice fg_forecast_choose(const fg_forecast *f, const fg_choice_limits *most, double target,
                             double seconds, double *predicted)
{
  double numerical;
  fg_candidate best = {f->at, false, INFINITY, fg_forecast_error(f, &f->at, &numerical)};
  bool grid = f->ode_order > 0;
  int finer = grid ? most->ode_halvings : most->tenths;
  for (int a = 0; a <= 40; a++) {
    fg_choice to = f->at;
    to.particles = fg_grown(f->at.particles, a);
    if (a > 0 && to.particles > most->particles) break;
    to.rows = most->rows && to.particles > most->rows ? most->rows : to.particles;
    for (int b = 0; b <= 8; b += 2) {
      to.budget_particles = fg_grown(to.particles, -b);
      if (to.budget_particles < f->at.budget_particles) break;
      for (int k = f->at.halvings; k <= most->halvings; k++)
        for (int j = 0; j <= finer; j++) {
          to.halvings = k;
          to.ode_halvings = grid ? j : 0;
          to.tenths = grid ? 0 : j;
          if (to.ode_halvings < f->at.ode_halvings || to.tenths < f->at.tenths) continue;
          fg_forecast_try(f, to, target, seconds, &best);
        }
    }
  }
  *predicted = best.error;
  return best.choice;
}

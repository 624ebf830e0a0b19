#include "train/steps.h"

#include <math.h>
#include <stdlib.h>

#include "formula/real.h"
#include "sde/coeff.h"

static const char *const fg_method_names[] = {"dis", "pis", "dds", "bridge"};

/* The drift of the sampler without control is that of the reversed noising. */
static bool is_reversal(fg_train_method method)
{
  return method == FG_TRAIN_DIS || method == FG_TRAIN_BRIDGE;
}

static fg_code check_process(fg_train_method method, const fg_process *process, fg_status *st)
{
  fg_process_kind kind = fg_process_look(process)->kind;
  bool pinned = kind == FG_PROCESS_PINNED;
  if (method == FG_TRAIN_PIS && !pinned)
    return FG_FAIL(st, FG_USAGE,
                   "train.method is pis, which starts from Brownian motion: set process.kind to pinned");
  if (method == FG_TRAIN_DDS && kind != FG_PROCESS_OU && kind != FG_PROCESS_VP)
    return FG_FAIL(st, FG_USAGE,
                   "train.method is dds, whose reference is stationary: set process.kind to vp or ou");
  if (is_reversal(method) && pinned)
    return FG_FAIL(st, FG_USAGE,
                   "train.method is %s and process.kind pinned: take vp, ou, ve or bm, or train.method pis",
                   fg_method_names[method]);
  return FG_OK;
}

fg_code fg_sampler_check(fg_train_method method, const fg_process *process, const fg_prior_view *prior,
                         fg_status *st)
{
  const fg_process_settings *p = fg_process_look(process);
  bool at_pin = p->kind == FG_PROCESS_PINNED && p->pin == p->horizon;
  FG_TRY(check_process(method, process, st));
  if (prior->kind == FG_PRIOR_EXACT)
    return FG_FAIL(st, FG_USAGE,
                   "prior.kind is exact, but a sampler of unknown targets starts from what can be drawn: set "
                   "it to gaussian, truncated or, with process pinned, point");
  if (at_pin && prior->kind != FG_PRIOR_POINT)
    return FG_FAIL(st, FG_USAGE,
                   "the process is pinned at its horizon, so train.method %s starts at 0: set prior.kind to "
                   "point, or process.pin beyond the horizon",
                   fg_method_names[method]);
  if (!at_pin && prior->kind == FG_PRIOR_POINT)
    return FG_FAIL(st, FG_USAGE,
                   "prior.kind is point, which suits a process that is pinned at its horizon only: set it to "
                   "gaussian or truncated");
  return FG_OK;
}

/* With mu the drift without control and S the stationary variance, over a step of decay A = integral of a:
 *   DIS, bridge
 *        mu = a x:   keep e^A,  push 2 S (e^A - 1)/g,  spread^2 S (e^2A - 1)
 *   DDS  mu = -a x:  keep e^-A, push 2 S (1 - e^-A)/g, spread^2 S (1 - e^-2A)
 * and, where a = 0, push V/g and spread^2 = V, V the variance that the process gains. */
static void exponential(const fg_stretch *p, fg_train_method method, double g, fg_path_step *s)
{
  double rise = method == FG_TRAIN_DDS ? -p->decay : p->decay;
  bool still = isnan(p->stationary);
  s->keep = still ? 1 : exp(rise);
  s->push = still ? p->variance / g : 2 * p->stationary * fabs(expm1(rise)) / g;
  s->spread = sqrt(still ? p->variance : p->stationary * fabs(expm1(2 * rise)));
}

fg_path_step fg_path_step_between(const fg_process *process, fg_train_method method,
                                  fg_train_integrator integrator, size_t d, double t_from, double t_to)
{
  fg_stretch p = fg_process_stretch(process, t_from, t_to);
  double h = t_from - t_to, g2 = fg_process_g2(process, t_from), g = sqrt(g2);
  fg_path_step s = {.time = h, .root = sqrt(h), .back = p.back, .back_variance = p.variance};
  if (integrator == FG_TRAIN_EXPONENTIAL && method != FG_TRAIN_PIS) {
    exponential(&p, method, g, &s);
  } else {
    double a = method == FG_TRAIN_PIS ? 0 : fg_process_a(process, t_from);
    s.keep = 1 + (method == FG_TRAIN_DDS ? -a : a) * h;
    s.push = g * h;
    s.spread = g * s.root;
  }
  if (is_reversal(method)) s.drift = (double)d * p.decay;
  /* In standard deviations of the noising step v counts sqrt(h), as u does in those of an Euler step. */
  if (method == FG_TRAIN_BRIDGE) s.back_push = s.root * sqrt(p.variance);
  return s;
}

/* log N(0; 0, variance I) */
static double gaussian_peak(size_t d, double variance)
{
  return -0.5 * (double)d * (FG_LOG_2PI + log(variance));
}

/* Variance of the reference at time t. */
static double reference_variance(const fg_process *process, fg_train_method method, double t)
{
  if (method == FG_TRAIN_DDS) return fg_process_stretch(process, fg_process_horizon(process), 0).stationary;
  return fg_process_g2(process, t) * (fg_process_look(process)->pin - t);
}

fg_path_ends fg_path_ends_of(const fg_process *process, const fg_prior_view *prior, fg_train_method method,
                             fg_train_form form, size_t d)
{
  fg_path_ends e = {0, 0, 0, 0};
  bool point = prior->kind == FG_PRIOR_POINT;
  if (!point) {
    e.start = prior->log_norm;
    e.start_precision = 1 / prior->variance;
  }
  if (form == FG_TRAIN_DISCRETE || is_reversal(method)) return e;
  if (!point) {
    double variance = reference_variance(process, method, fg_process_horizon(process));
    e.start -= gaussian_peak(d, variance);
    e.start_precision -= 1 / variance;
  }
  double variance = reference_variance(process, method, 0);
  e.end = gaussian_peak(d, variance);
  e.end_precision = 1 / variance;
  return e;
}

fg_code fg_path_grid_create(const fg_process *process, const fg_train_settings *settings, size_t d,
                            size_t steps, fg_path_grid *out, fg_status *st)
{
  fg_grid *grid;
  *out = (fg_path_grid){0, NULL, NULL};
  FG_TRY(fg_grid_create(settings->spacing, fg_process_horizon(process), 0, steps, &grid, st));
  const double *t = fg_grid_times(grid);
  fg_path_grid g = {steps, malloc((steps + 1) * sizeof *g.coeff), malloc(steps * sizeof *g.step)};
  if (!g.coeff || !g.step) {
    fg_path_grid_clear(&g);
    fg_grid_destroy(&grid);
    return FG_FAIL(st, FG_MEMORY, "no memory for a time grid of %zu steps", steps);
  }
  for (size_t k = 0; k <= steps; k++) g.coeff[k] = fg_process_coeff(process, t[k]);
  for (size_t k = 0; k < steps; k++)
    g.step[k] = fg_path_step_between(process, settings->method, settings->integrator, d, t[k], t[k + 1]);
  fg_grid_destroy(&grid);
  *out = g;
  return FG_OK;
}

void fg_path_grid_clear(fg_path_grid *grid)
{
  free(grid->coeff);
  free(grid->step);
  *grid = (fg_path_grid){0, NULL, NULL};
}

/* Noising processes: checks of the settings, and the choice of the formula. */
#include "flowgap/sde.h"

#include <math.h>
#include <stdlib.h>

#include "formula/noising.h"
#include "sde/coeff.h"

struct fg_process {
  fg_process_settings s;
  fg_noising formula; /* the same numbers */
};
_Static_assert((int)FG_NOISING_OU == FG_PROCESS_OU && (int)FG_NOISING_VP == FG_PROCESS_VP &&
                   (int)FG_NOISING_VE == FG_PROCESS_VE && (int)FG_NOISING_BM == FG_PROCESS_BM &&
                   (int)FG_NOISING_PINNED == FG_PROCESS_PINNED,
               "kinds of process and of formula have the same numbers");

void fg_process_defaults(fg_process_kind kind, fg_process_settings *settings)
{
  fg_process_settings s = {.kind = kind,
                           .horizon = kind == FG_PROCESS_OU ? 10.0 : 1.0,
                           .rate = 1.0,
                           .diff = 1.0,
                           .beta_min = 0.1,
                           .beta_max = 10.0,
                           .scale = 1.0,
                           .sigma_min = 0.01,
                           .sigma_max = 10.0,
                           .pin = 0.0};
  *settings = s;
}

static fg_code positive(const char *key, double value, fg_status *st)
{
  if (!(value > 0.0) || !isfinite(value))
    return FG_FAIL(st, FG_USAGE, "process.%s is %g: give a finite number > 0", key, value);
  return FG_OK;
}

static fg_code check_vp(const fg_process_settings *s, fg_status *st)
{
  FG_TRY(positive("scale", s->scale, st));
  if (!(s->beta_min >= 0.0) || !isfinite(s->beta_min))
    return FG_FAIL(st, FG_USAGE, "process.beta_min is %g: give a finite number >= 0", s->beta_min);
  FG_TRY(positive("beta_max", s->beta_max, st));
  if (s->beta_max < s->beta_min)
    return FG_FAIL(st, FG_USAGE,
                   "process.beta_max is %g, below process.beta_min %g: beta must not fall "
                   "between data and noise",
                   s->beta_max, s->beta_min);
  return FG_OK;
}

static fg_code check(const fg_process_settings *s, fg_status *st)
{
  FG_TRY(positive("horizon", s->horizon, st));
  switch (s->kind) {
  case FG_PROCESS_OU:
    FG_TRY(positive("rate", s->rate, st));
    return positive("diff", s->diff, st);
  case FG_PROCESS_VP:
    return check_vp(s, st);
  case FG_PROCESS_VE:
    FG_TRY(positive("sigma_min", s->sigma_min, st));
    FG_TRY(positive("sigma_max", s->sigma_max, st));
    if (s->sigma_max <= s->sigma_min)
      return FG_FAIL(st, FG_USAGE,
                     "process.sigma_max is %g, process.sigma_min %g: the noise must grow, give "
                     "sigma_max > sigma_min",
                     s->sigma_max, s->sigma_min);
    return FG_OK;
  case FG_PROCESS_BM:
    return positive("diff", s->diff, st);
  case FG_PROCESS_PINNED:
    FG_TRY(positive("diff", s->diff, st));
    if (!(s->pin == 0 || s->pin >= s->horizon) || !isfinite(s->pin))
      return FG_FAIL(st, FG_USAGE,
                     "process.pin is %g, process.horizon %g: the process ends where it is pinned, give "
                     "a finite pin >= horizon",
                     s->pin, s->horizon);
    return FG_OK;
  }
  return FG_FAIL(st, FG_USAGE, "process kind number %d is unknown: use ou, vp, ve, bm or pinned",
                 (int)s->kind);
}

fg_code fg_process_create(const fg_process_settings *settings, fg_process **process, fg_status *st)
{
  *process = NULL;
  FG_TRY(check(settings, st));
  fg_process *p = malloc(sizeof *p);
  if (!p) return FG_FAIL(st, FG_MEMORY, "no memory for a process");
  p->s = *settings;
  if (settings->kind == FG_PROCESS_PINNED && settings->pin == 0) p->s.pin = settings->horizon;
  const fg_process_settings *s = &p->s;
  p->formula = (fg_noising){.kind = (int)s->kind,
                            .horizon = s->horizon,
                            .rate = s->rate,
                            .diff = s->diff,
                            .beta_min = s->beta_min,
                            .beta_max = s->beta_max,
                            .scale = s->scale,
                            .sigma_min = s->sigma_min,
                            .pin = s->pin};
  /* log1p keeps the digits of a ratio close to 1. */
  if (s->kind == FG_PROCESS_VE) p->formula.log_ratio = log1p((s->sigma_max - s->sigma_min) / s->sigma_min);

  /* Settings that are each sound may overflow or vanish together. v is 0 at the pin; halfway it is largest. */
  bool at_pin = settings->kind == FG_PROCESS_PINNED && p->s.pin == p->s.horizon;
  double end = at_pin ? 0.5 * p->s.horizon : p->s.horizon;
  double v = fg_process_v(p, end), g2 = fg_process_g2(p, end);
  if (!(v > 0.0) || !isfinite(v) || !(g2 > 0.0) || !isfinite(g2)) {
    free(p);
    return FG_FAIL(st, FG_USAGE,
                   "process: at t = %g the variance v is %g and g^2 is %g: settings so large "
                   "or small leave the range of doubles, rescale them",
                   end, v, g2);
  }
  *process = p;
  return FG_OK;
}

void fg_process_destroy(fg_process **process)
{
  if (!process) return;
  free(*process);
  *process = NULL;
}

double fg_process_horizon(const fg_process *process)
{
  return process->s.horizon;
}

double fg_process_a(const fg_process *process, double t)
{
  return fg_noising_a(&process->formula, t);
}

double fg_process_g2(const fg_process *process, double t)
{
  return fg_noising_g2(&process->formula, t);
}

double fg_process_m(const fg_process *process, double t)
{
  return fg_noising_m(&process->formula, t);
}

double fg_process_v(const fg_process *process, double t)
{
  return fg_noising_v(&process->formula, t);
}

fg_coeff fg_process_coeff(const fg_process *process, double t)
{
  return fg_noising_coeff(&process->formula, t);
}

const fg_noising *fg_process_formula(const fg_process *process)
{
  return &process->formula;
}

fg_stretch fg_process_stretch(const fg_process *process, double from, double to)
{
  const fg_process_settings *s = &process->s;
  fg_stretch p = {0, 0, 0, (double)NAN};
  switch (s->kind) {
  case FG_PROCESS_OU:
    p.decay = s->rate * (from - to);
    p.stationary = s->diff * s->diff / (2 * s->rate);
    break;
  case FG_PROCESS_VP:
    p.decay = 0.5 * fg_vp_beta_between(s->beta_min, s->beta_max, s->horizon, to, from);
    p.stationary = s->scale * s->scale;
    break;
  case FG_PROCESS_VE:
    p.variance = fg_ve_v_between(s->sigma_min, process->formula.log_ratio, s->horizon, to, from);
    break;
  case FG_PROCESS_BM:
    p.variance = fg_bm_v(s->diff, from - to);
    break;
  case FG_PROCESS_PINNED:
    p.back = (s->pin - from) / (s->pin - to);
    p.variance = fg_bm_v(s->diff, from - to) * p.back;
    p.decay = -log(p.back);
    return p;
  }
  p.back = exp(-p.decay);
  if (!isnan(p.stationary)) p.variance = -p.stationary * expm1(-2 * p.decay);
  return p;
}

const fg_process_settings *fg_process_look(const fg_process *process)
{
  return &process->s;
}

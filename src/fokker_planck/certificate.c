/* Settings and quadrature in time of the identity, and the factor A of the bound. */
#include "fokker_planck/certificate_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "formula/real.h"
#include "model/model.h"

void fg_identity_defaults(size_t d, fg_identity_settings *settings)
{
  memset(settings, 0, sizeof *settings);
  settings->intervals = 64;
  settings->grid.d = d;
  settings->grid.cells = d == 1 ? 1024 : 192;
  settings->grid.half_width = 10;
  fg_law_defaults(&settings->law);
  settings->threshold = 1e-9;
  settings->halve = true;
  settings->paths = 4096;
  settings->substeps = 4;
  settings->seed = 1;
  settings->stream = 1;
  settings->precision = FG_DOUBLE;
}

fg_code fg_certificate_room(size_t count, double **out, fg_status *st)
{
  *out = calloc(count ? count : 1, sizeof **out);
  if (*out) return FG_OK;
  return FG_FAIL(st, FG_MEMORY,
                 "no memory for %zu numbers of the certificate: use fewer cells, times or paths", count);
}

fg_code fg_identity_check(const fg_model *model, const fg_identity_settings *settings, fg_status *st)
{
  double horizon = fg_process_horizon(fg_model_process(model));
  if ((fg_model_quantities(model) & FG_IDENTITY_QUANTITIES) != FG_IDENTITY_QUANTITIES)
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "the identity needs a log-density and its residual, which the model %s does not give: %s",
                   fg_model_name(model), fg_model_potential_hint(model));
  if (!(settings->t0 >= 0 && settings->t0 < horizon))
    return FG_FAIL(st, FG_USAGE, "the identity ends at t0 = %g: give a time from 0 to below the horizon %g",
                   settings->t0, horizon);
  if (settings->intervals < 4 || settings->intervals % 4)
    return FG_FAIL(st, FG_USAGE,
                   "%zu intervals of time: give a multiple of 4, for Simpson's rule and its half",
                   settings->intervals);
  return FG_OK;
}

fg_code fg_identity_times(const fg_identity_settings *settings, const fg_process *process, double *t,
                          double *weight, double *coarse, fg_status *st)
{
  size_t n = settings->intervals;
  double horizon = fg_process_horizon(process), t0 = settings->t0;
  if (n < 4 || n % 4 || !(t0 >= 0 && t0 < horizon))
    return FG_FAIL(st, FG_USAGE,
                   "%zu intervals from t0 = %g: give a multiple of 4, and t0 below the horizon %g", n, t0,
                   horizon);
  double scale = fmax(t0, 1e-3 * horizon), rate = log1p((horizon - t0) / scale), step = 1 / (double)n;
  for (size_t k = 0; k <= n; k++) {
    double u = (double)(n - k) * step, w = sin(0.5 * FG_PI * u), slope = 0.5 * FG_PI * cos(0.5 * FG_PI * u);
    /* du of Simpson's rule times dt/du; its half has twice the step */
    double third = step / 3 * scale * rate * exp(rate * w) * slope;
    bool end = k == 0 || k == n;
    t[k] = t0 + scale * expm1(rate * w);
    weight[k] = third * (end ? 1 : k % 2 ? 4 : 2);
    if (coarse) coarse[k] = k % 2 ? 0 : 2 * third * (end ? 1 : k % 4 ? 4 : 2);
  }
  t[0] = horizon;
  t[n] = t0;
  return FG_OK;
}

fg_code fg_rule_make(const fg_identity_settings *settings, const fg_process *process, fg_rule *rule,
                     fg_status *st)
{
  size_t count = settings->intervals + 1;
  *rule = (fg_rule){.count = count};
  fg_code rc = fg_certificate_room(3 * count, &rule->t, st);
  if (rc != FG_OK) return rc;
  rule->weight = rule->t + count;
  rule->coarse = rule->weight + count;
  rc = fg_identity_times(settings, process, rule->t, rule->weight, rule->coarse, st);
  if (rc != FG_OK) fg_rule_clear(rule);
  return rc;
}

void fg_rule_clear(fg_rule *rule)
{
  free(rule->t);
  *rule = (fg_rule){0};
}

/* ---- A, in logarithms: exp(2 int L) overflows where a model is stiff --------------------------- */

static double fg_log_sum(double a, double b)
{
  double high = fmax(a, b), low = fmin(a, b);
  return isinf(high) ? high : high + log1p(exp(low - high));
}

/* log of the mean of exp over [0, 1] of the line from a to b. */
static double fg_log_line(double a, double b)
{
  double high = fmax(a, b), fall = high - fmin(a, b);
  if (isinf(fall)) return high - log(2.0); /* g = 0 at one end */
  return fall < 1e-5 ? high - 0.5 * fall : high + log(-expm1(-fall) / fall);
}

fg_code fg_certificate_log_a(const fg_process *process, size_t count, const double *t, const double *l,
                             double *log_a, double *integral, fg_status *st)
{
  double sum = -INFINITY, grown = 0, last = 0, last_l = 0;
  for (size_t k = count; k-- > 0;) {
    double g2 = fg_process_g2(process, t[k]);
    double lipschitz = fg_process_a(process, t[k]) + 0.5 * g2 * l[k];
    if (!isfinite(lipschitz))
      return FG_FAIL(st, FG_NUMERICS, "the Lipschitz constant at t = %.9g is %g", t[k], lipschitz);
    double h = k + 1 < count ? t[k] - t[k + 1] : 0;
    grown += 0.5 * h * (lipschitz + last_l);
    double now = log(0.5 * g2) + 2 * grown;
    if (k + 1 < count && h > 0) sum = fg_log_sum(sum, log(h) + fg_log_line(now, last));
    last = now;
    last_l = lipschitz;
  }
  *log_a = sum;
  if (integral) *integral = grown;
  return FG_OK;
}

/* What remains of the measured distance, and the sentence that says it. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "analysis/budget.h"
#include "analysis/statistics.h"

static double fg_root(double square)
{
  return sqrt(fmax(0, square));
}

static void fg_budget_cut_value(fg_budget *b, double box)
{
  fg_budget_cut *cut = &b->cut;
  double naive = b->naive_squared, with = naive, low, high;
  if (!cut->known) return;
  /* the grid leaves them out; any other estimator has them */
  if (b->by == FG_W2_GRID && !(box > 0)) {
    with = naive + cut->squared;
    low = fg_root(with - cut->reach) - fg_root(naive);
    high = fg_root(with + cut->reach) - fg_root(naive);
    cut->value = fg_root(with) - fg_root(naive);
  } else {
    low = fg_root(naive) - fg_root(naive - cut->squared + cut->reach);
    high = fg_root(naive) - fg_root(naive - cut->squared - cut->reach);
    cut->value = fg_root(naive) - fg_root(naive - cut->squared);
  }
  cut->low = low;
  cut->high = high;
}

void fg_budget_sum(fg_budget *b, double box)
{
  double left = b->naive_squared, reach = 0;
  for (int k = 0; k < FG_BUDGET_PARTS; k++) {
    fg_budget_part *part = &b->part[k];
    if (!part->known) {
      part->value = part->low = part->high = part->squared = part->se = part->reach = NAN;
      continue;
    }
    double next = left - part->squared;
    part->value = fg_root(left) - fg_root(next);
    part->low = fg_root(left) - fg_root(next + part->reach);
    part->high = fg_root(left) - fg_root(next - part->reach);
    left = next;
    reach = hypot(reach, part->reach);
  }
  b->gap_squared = left;
  b->gap_reach = reach;
  b->gap = fg_root(left);
  fg_root_interval(left, reach, &b->gap_low,
                   &b->gap_high); /* that of the estimate, where no part adds to it */
  b->half_width = 0.5 * (b->gap_high - b->gap_low);
  b->seen = b->gap_low > 0;
  fg_budget_cut_value(b, box);
}

/* ---- the sentence ----------------------------------------------------------------------- */

static void fg_say(fg_budget *b, const char *format, ...) FG_PRINTF(2, 3);

static void fg_say(fg_budget *b, const char *format, ...)
{
  size_t used = strlen(b->sentence);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(b->sentence + used, sizeof b->sentence - used, format, arguments);
  va_end(arguments);
}

/* "0.118 +- 0.004": the error with one digit, two where it begins with 1; the value to the same place. */
static void fg_say_with_error(fg_budget *b, double value, double error)
{
  double power = error > 0 ? floor(log10(error)) : -3;
  int places = (int)(-power) + (error < 2 * pow(10, power));
  double unit = pow(10, -places);
  if (power < -8 || power > 8)
    fg_say(b, "%.4g +- %.2g", value, error);
  else if (places > 0)
    fg_say(b, "%.*f +- %.*f", places, value, places, error);
  else
    fg_say(b, "%.0f +- %.0f", round(value / unit) * unit, round(error / unit) * unit);
}

static const char *fg_budget_title(const fg_comparison *c, int part)
{
  switch (part) {
  case FG_BUDGET_STEP:
    return c->sde.scheme == FG_HEUN ? "time steps of the SDE (Heun)" : "Euler error";
  case FG_BUDGET_TOLERANCE:
    return c->ode_on_grid ? "time steps of the ODE" : "tolerance of the ODE";
  case FG_BUDGET_PRIOR:
    return "mismatch of the prior";
  default:
    return "finite sample";
  }
}

enum { FG_ADDS = 1, FG_HIDES = -1 };

/* A share whose interval holds 0 is said with that doubt. */
static bool fg_doubt(const fg_budget_part *part)
{
  return part->low <= 0 && part->high >= 0;
}

/* "9 % of the 0.131 that a naive comparison shows is Euler error, 2 % finite sample": parts of half a percent and more. */
static void fg_say_shares(const fg_comparison *c, fg_budget *b)
{
  int said = 0;
  for (int k = 0; k < FG_BUDGET_PARTS; k++) {
    double share = 100 * b->part[k].value / b->naive;
    if (!b->part[k].known || !(share >= 0.5 && isfinite(share))) continue;
    if (said++)
      fg_say(b, ", %.0f %% %s%s", share, fg_budget_title(c, k), fg_doubt(&b->part[k]) ? " (perhaps 0)" : "");
    else
      fg_say(b, "; %.0f %% of the %.3g that a naive comparison shows is %s%s", share, b->naive,
             fg_budget_title(c, k), fg_doubt(&b->part[k]) ? " (perhaps 0)" : "");
  }
  if (!said) fg_say(b, "; a naive comparison shows %.3g", b->naive);
  said = 0;
  for (int k = 0; k < FG_BUDGET_PARTS; k++) {
    double share = -100 * b->part[k].value / b->naive;
    if (!b->part[k].known || !(share >= 0.5 && isfinite(share))) continue;
    fg_say(b, "%s%s (%.0f %%%s)", said ? ", " : "; part of the gap is hidden by ", fg_budget_title(c, k),
           share, fg_doubt(&b->part[k]) ? ", perhaps 0" : "");
    said++;
  }
}

static void fg_say_unknown(const fg_comparison *c, fg_budget *b)
{
  int said = 0;
  for (int k = 0; k < FG_BUDGET_PARTS; k++) {
    if (b->part[k].known) continue;
    fg_say(b, "%s%s", said++ ? " and " : "; ", fg_budget_title(c, k));
  }
  if (said) fg_say(b, " %s not known and still in it", said > 1 ? "are" : "is");
}

void fg_budget_sentence(const fg_comparison *c, fg_budget *b)
{
  b->sentence[0] = '\0';
  if (b->seen) {
    fg_say(b, "the model's own gap is ");
    fg_say_with_error(b, b->gap, b->half_width);
  } else {
    fg_say(b, "no gap of the model's own is seen: it is below %.2g", b->gap_high);
  }
  fg_say(b, " (%g %%, %s)", 100 * b->confidence, fg_estimator_name(b->by));
  fg_say_shares(c, b);
  fg_say_unknown(c, b);
}

/* What the reader is told when the test behind the headline and the interval of the budget point different ways, made
 * of what results.json says: which of the known reasons hold here. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "analysis/budget.h"
#include "analysis/estimate_impl.h"
#include "analysis/report/answer.h"

typedef struct fg_text {
  char text[1100];
  int reasons;
} fg_text;

static void fg_add(fg_text *t, const char *format, ...) FG_PRINTF(2, 3);

static void fg_add(fg_text *t, const char *format, ...)
{
  size_t used = strlen(t->text);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(t->text + used, sizeof t->text - used, format, arguments);
  va_end(arguments);
}

static void fg_reason(fg_text *t)
{
  fg_add(t, "%s", t->reasons++ ? "; " : ". That can be: ");
}

static const char *fg_part_title(const char *name)
{
  static const char *const titles[FG_BUDGET_PARTS] = {"the time step of the SDE", "the tolerance of the ODE",
                                                      "the mismatch of the prior", "the finite sample"};
  for (int k = 0; k < FG_BUDGET_PARTS; k++)
    if (strcmp(name, fg_budget_names[k]) == 0) return titles[k];
  return "another part";
}

/* What both say. */
static void fg_both(fg_text *t, const fg_answer *a, const json_t *budget)
{
  const bool apart = a->verdict == FG_VERDICT_APART;
  double low = fg_run_real(budget, "gap.low"), high = fg_run_real(budget, "gap.high");
  fg_add(t, "Test and budget point different ways: ");
  if (isfinite(a->p))
    fg_add(t, "the test of %s sees %s (p = %.2g)", a->estimator, apart ? "a gap" : "no gap", a->p);
  else
    fg_add(t, "the interval of %s %s", a->estimator, apart ? "excludes 0" : "reaches 0");
  if (apart)
    fg_add(t, ", the budget puts the model's own gap below %.2g, and it may be 0", high);
  else
    fg_add(t, ", the budget puts the model's own gap between %.2g and %.2g", low, high);
  fg_add(t, " (%g %%)", 100 * fg_run_real(budget, "confidence"));
}

static void fg_two_estimators(fg_text *t, const fg_answer *a, const json_t *budget)
{
  const char *by = fg_run_word(budget, "estimator", a->estimator);
  if (strcmp(by, a->estimator) == 0) return;
  fg_reason(t);
  fg_add(t, "the budget takes apart the value of %s, not of %s", by, a->estimator);
}

/* ---- no gap for the test, one for the budget -------------------------------------------------- */

static void fg_power(fg_text *t, const fg_answer *a, const json_t *results)
{
  double bins = fg_run_real(results, "grid.bins");
  bool fewer = isfinite(a->p) && a->tested_x > 0 && a->tested_x < a->used_x;
  if (fewer) {
    fg_reason(t);
    fg_add(t, "the test rests on %.0f of the %.0f particles behind the value, and sees only larger gaps",
           a->tested_x, a->used_x);
  }
  if (isfinite(a->p) && strcmp(a->estimator, "grid") == 0 && bins > FG_ROUGH_BINS) {
    fg_reason(t);
    fg_add(t, "the test is made on a grid of at most %d bins per axis, the value on %.0f", FG_ROUGH_BINS,
           bins);
  }
}

/* Errors that bring the laws together: the test sees the laws as they were drawn. */
static void fg_hidden(fg_text *t, const json_t *budget)
{
  const json_t *part;
  size_t i;
  json_array_foreach((json_t *)fg_run_find(budget, "parts"), i, part)
  {
    const char *name = fg_run_word(part, "name", "");
    double high = fg_run_real(part, "high");
    if (strcmp(name, fg_budget_names[FG_BUDGET_SAMPLE]) == 0 || !(high < 0)) continue;
    fg_reason(t);
    fg_add(t, "%s hides some of the gap (%.2g), which the budget adds back and the test does not",
           fg_part_title(name), -fg_run_real(part, "value"));
  }
}

/* ---- a gap for the test, perhaps none for the budget -------------------------------------------- */

static void fg_numerical(fg_text *t, const json_t *budget)
{
  const json_t *part;
  size_t i;
  json_array_foreach((json_t *)fg_run_find(budget, "parts"), i, part)
  {
    const char *name = fg_run_word(part, "name", "");
    if (strcmp(name, fg_budget_names[FG_BUDGET_SAMPLE]) == 0) continue;
    if (!json_is_true(json_object_get(part, "known"))) {
      fg_reason(t);
      fg_add(t, "%s is not known, and the test would see it too", fg_part_title(name));
    } else if (fg_run_real(part, "low") > 0) {
      fg_reason(t);
      fg_add(t, "%s makes %.2g of the %.2g that was measured, which the test does not tell from a gap",
             fg_part_title(name), fg_run_real(part, "value"), fg_run_real(budget, "naive"));
    }
  }
}

/* Which part makes most of the interval. */
static void fg_widest(fg_text *t, const json_t *budget, double particles)
{
  double whole = fg_run_real(budget, "gap.squared_reach"), behind = fg_run_real(budget, "particles");
  const json_t *part;
  size_t i;
  json_array_foreach((json_t *)fg_run_find(budget, "parts"), i, part)
  {
    const char *name = fg_run_word(part, "name", "");
    double reach = fg_run_real(part, "squared_reach");
    if (!(2 * reach * reach >= whole * whole)) continue;
    fg_reason(t);
    fg_add(t, "the uncertainty of %s makes most of the budget's interval", fg_part_title(name));
    if (strcmp(name, fg_budget_names[FG_BUDGET_SAMPLE]) != 0 && behind < particles)
      fg_add(t, ", which has %.0f of the %.0f particles for it", behind, particles);
    return;
  }
}

void fg_put_disagreement(fg_tree root)
{
  const fg_run run = {.results = root.object};
  json_t *budget = json_object_get(root.object, "budget");
  if (!json_is_object(budget)) return;
  const fg_answer a = fg_answer_find(&run);
  const bool seen = json_is_true(fg_run_find(budget, "gap.seen"));
  const fg_tree all = {budget, root.bad};
  fg_text t = {.reasons = 0};
  if (a.verdict == FG_VERDICT_NONE || seen == (a.verdict == FG_VERDICT_APART)) {
    fg_put(all, "disagreement", json_null());
    return;
  }
  fg_both(&t, &a, budget);
  fg_two_estimators(&t, &a, budget);
  if (seen) {
    fg_power(&t, &a, root.object);
    fg_hidden(&t, budget);
    fg_reason(&t);
    fg_add(&t,
           "about %.2g %% of such intervals miss the gap, and a large p does not prove that there is none",
           100 * (1 - fg_run_real(budget, "confidence")));
  } else {
    fg_numerical(&t, budget);
    fg_widest(&t, budget, fg_run_real(root.object, "particles"));
    fg_reason(&t);
    fg_add(&t, "a test can tell that the laws as drawn differ before an interval can tell by how much");
  }
  fg_add(&t, ". More particles (compare.particles) make both sharper.");
  fg_put_text(all, "disagreement", t.text);
}

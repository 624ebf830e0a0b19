/* The error budget: both flows again on some of the particles, finer and from the noised target, and what that does to
 * their distance. */
#include "analysis/budget.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/budget_parts.h"
#include "analysis/estimate_impl.h"
#include "base/clock.h"

const char *const fg_budget_names[FG_BUDGET_PARTS] = {"sde_step", "ode_tolerance", "prior", "finite_sample"};

/* The first of these that is wanted; a grid that leaves out much of a law no longer measures the laws. */
static const fg_estimator fg_budget_order[] = {FG_W2_GRID,     FG_W2_EXACT,  FG_W2_SINKHORN,
                                               FG_W2_GAUSSIAN, FG_W2_SLICED, FG_W2_MAX_SLICED};
static const double fg_budget_outside = 0.01;

bool fg_budget_estimator(const fg_comparison *c, fg_estimator *by)
{
  if (c->budget->chosen < FG_ESTIMATORS) {
    *by = c->budget->chosen;
    return c->estimated[*by][FG_ODE_SDE];
  }
  const size_t count = sizeof fg_budget_order / sizeof *fg_budget_order;
  bool found = false;
  for (size_t i = 0; i < count; i++) {
    fg_estimator e = fg_budget_order[i];
    if (!c->estimated[e][FG_ODE_SDE]) continue;
    const fg_estimate *one = &c->estimate[e][FG_ODE_SDE];
    double x = (double)one->outside_x, y = (double)one->outside_y;
    bool whole = e != FG_W2_GRID || (x < fg_budget_outside * (x + (double)one->used_x) &&
                                     y < fg_budget_outside * (y + (double)one->used_y));
    if (!found || whole) *by = e;
    found = true;
    if (whole) return true;
  }
  return found;
}

/* What the effects are measured by: bins would add noise of their own, and Sinkhorn takes longer for no more. */
static fg_estimator fg_budget_measure_of(fg_estimator by)
{
  return by == FG_W2_GAUSSIAN || by == FG_W2_SLICED || by == FG_W2_MAX_SLICED ? by : FG_W2_EXACT;
}

/* FG_ESTIMATORS: auto. */
static fg_code fg_budget_chosen(const fg_comparison *c, fg_estimator *chosen, fg_status *st)
{
  const char *word;
  FG_TRY(fg_settings_text(c->settings, "compare.budget_estimator", &word, st));
  *chosen = FG_ESTIMATORS;
  if (strcmp(word, "auto") == 0) return FG_OK;
  for (int e = 0; e < FG_ESTIMATORS; e++)
    if (strcmp(word, fg_estimator_name((fg_estimator)e)) == 0 && c->wanted[e]) *chosen = (fg_estimator)e;
  if (*chosen < FG_ESTIMATORS) return FG_OK;
  return FG_FAIL(st, FG_USAGE, "compare.budget_estimator is %s, which is not one of compare.estimators",
                 word);
}

/* A share of the particles: two refinements and the prior cost eight times as much for each. */
enum { FG_BUDGET_USUAL = 5000, FG_BUDGET_SHARE = 8 };

fg_code fg_compare_budget_settings(fg_comparison *c, fg_status *st)
{
  bool wanted, possible = false;
  fg_estimator chosen;
  int64_t asked;
  FG_TRY(fg_settings_flag(c->settings, "compare.budget", &wanted, st));
  if (!wanted) return FG_OK;
  FG_TRY(fg_settings_integer(c->settings, "compare.budget_particles", &asked, st));
  FG_TRY(fg_budget_chosen(c, &chosen, st));
  for (int e = 0; e < FG_ESTIMATORS; e++)
    possible = possible || (c->wanted[e] && fg_estimator_is_w2((fg_estimator)e));
  size_t n = (size_t)asked;
  if (asked == 0) n = c->n > FG_BUDGET_USUAL * FG_BUDGET_SHARE ? c->n / FG_BUDGET_SHARE : FG_BUDGET_USUAL;
  if (n > c->n) n = c->n;
  if (!possible || n < FG_BUDGET_LEAST) return FG_OK;
  c->budget = calloc(1, sizeof *c->budget);
  if (!c->budget) return FG_FAIL(st, FG_MEMORY, "no memory for the error budget");
  c->budget->chosen = chosen;
  c->budget->particles = n - n % (2 * FG_BUDGET_BLOCKS);
  return FG_OK;
}

/* The measured distance, and the bias of finitely many particles. */
static void fg_budget_sample(const fg_comparison *c)
{
  fg_budget *b = c->budget;
  fg_budget_part *part = &b->part[FG_BUDGET_SAMPLE];
  const fg_estimate *e = &c->estimate[b->by][FG_ODE_SDE];
  const fg_estimate_settings *s = &c->estimate_settings[b->by];
  double t = fg_estimate_student(s), half = 0.5 * e->floor * e->floor;
  b->confidence = s->confidence;
  b->naive = e->value;
  b->naive_squared = e->squared;
  b->extrapolated = isfinite(e->extrapolated) && isfinite(e->extrapolated_se);
  part->known = true;
  part->law_low = part->law_high = part->law_se = NAN;
  if (b->extrapolated) {
    part->squared = e->squared - e->extrapolated;
    part->se = e->extrapolated_se;
    part->reach = t * e->extrapolated_se;
    return;
  }
  /* the bias of the square lies between 0 and the floor's square (docs/distances.md) */
  double noise = fmax(0, e->ci_high * e->ci_high - e->squared);
  part->squared = half;
  part->se = noise / t;
  part->reach = noise + half;
}

fg_code fg_compare_budget(fg_comparison *c, fg_status *st)
{
  fg_budget *b = c->budget;
  double start = fg_seconds();
  if (!b) return FG_OK;
  const fg_piece all = {b, sizeof *b};
  if (fg_compare_take(c, "budget", 1, &all)) return FG_OK;
  if (!fg_budget_estimator(c, &b->by)) {
    snprintf(b->failed, sizeof b->failed, "%s gave no distance of ODE and SDE",
             b->chosen < FG_ESTIMATORS ? fg_estimator_name(b->chosen) : "the estimators of W2");
    fg_compare_log(c, "budget: none: %s", b->failed);
    return FG_OK;
  }
  b->measure = fg_budget_measure_of(b->by);
  fg_budget_sample(c);
  fg_code rc = fg_budget_effects(c, st);
  if (rc == FG_NUMERICS && st) { /* such as particles that ran away: the comparison stands without it */
    snprintf(b->failed, sizeof b->failed, "%.*s", (int)sizeof b->failed - 1, st->message);
    fg_compare_log(c, "budget: none: %s", b->failed);
    fg_status_clear(st);
    return FG_OK;
  }
  if (rc != FG_OK) return fg_status_prefix(st, "error budget (compare.budget): ");
  fg_budget_sum(b, c->box);
  fg_budget_sentence(c, b);
  b->seconds = fg_seconds() - start;
  fg_compare_log(c, "budget: %zu of %zu particles, %s by %s, %.2f s", b->particles, c->n,
                 fg_estimator_name(b->by), fg_estimator_name(b->measure), b->seconds);
  for (int k = 0; k < FG_BUDGET_PARTS; k++)
    if (b->part[k].known)
      fg_compare_log(c, "budget: %s %.3g [%.3g, %.3g]", fg_budget_names[k], b->part[k].value, b->part[k].low,
                     b->part[k].high);
    else
      fg_compare_log(c, "budget: %s not known: %s", fg_budget_names[k], b->part[k].why);
  fg_compare_log(c, "budget: %s", b->sentence);
  fg_compare_keep(c, "budget", 1, &all);
  return FG_OK;
}

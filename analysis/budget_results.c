/* The members `budget` and `search` of results.json. */
#include <math.h>

#include "analysis/budget_search.h"

static void fg_put_steps(fg_tree part, const fg_budget_steps *steps)
{
  fg_tree one = fg_put_object(part, "refinement");
  fg_put_real(one, "weak_order_expected", steps->expected);
  fg_put_real(one, "weak_order", steps->weak_order);
  fg_put_real(one, "strong_order", steps->strong_order);
  fg_put_real(one, "strong_change_1", steps->coarse);
  fg_put_real(one, "strong_change_2", steps->fine);
  fg_put_real(one, "squared_change_1", steps->effect1);
  fg_put_real(one, "squared_change_1_se", steps->effect1_se);
  fg_put_real(one, "squared_change_2", steps->effect2);
  fg_put_real(one, "squared_change_2_se", steps->effect2_se);
}

/* steps: of a flow on a grid, or NULL */
static void fg_put_part(json_t *list, bool *bad, const char *name, const fg_budget_part *part,
                        const fg_budget_steps *steps)
{
  fg_tree one = fg_append_object(list, bad);
  fg_put_text(one, "name", name);
  fg_put(one, "known", json_boolean(part->known));
  if (!part->known) fg_put_text(one, "why", part->why);
  fg_put_real(one, "value", part->value);
  fg_put_real(one, "low", part->low);
  fg_put_real(one, "high", part->high);
  fg_put_real(one, "squared", part->squared);
  fg_put_real(one, "squared_se", part->se);
  fg_put_real(one, "squared_reach", part->reach);
  fg_put_real(one, "law_low", part->law_low);
  fg_put_real(one, "law_high", part->law_high);
  fg_put_real(one, "law_high_se", part->law_se);
  fg_put_count(one, "lost", part->lost);
  if (part->known && steps && steps->expected > 0) fg_put_steps(one, steps);
}

static void fg_put_cut(fg_tree all, const fg_budget_cut *cut)
{
  if (!cut->known) {
    fg_put(all, "cut", json_null());
    return;
  }
  fg_tree one = fg_put_object(all, "cut");
  fg_put_real(one, "half_width", cut->half_width);
  fg_put_real(one, "value", cut->value);
  fg_put_real(one, "low", cut->low);
  fg_put_real(one, "high", cut->high);
  fg_put_real(one, "squared", cut->squared);
  fg_put_real(one, "squared_se", cut->se);
}

void fg_put_budget(fg_tree root, const fg_comparison *c)
{
  const fg_budget *b = c->budget;
  if (!b || !b->sentence[0]) {
    fg_put(root, "budget", json_null());
    return;
  }
  fg_tree all = fg_put_object(root, "budget");
  fg_put_text(all, "estimator", fg_estimator_name(b->by));
  fg_put_text(all, "effects_by", fg_estimator_name(b->measure));
  fg_put_count(all, "particles", b->particles);
  fg_put_count(all, "blocks", FG_BUDGET_BLOCKS);
  fg_put_real(all, "confidence", b->confidence);
  fg_put_real(all, "naive", b->naive);
  fg_put_real(all, "naive_squared", b->naive_squared);
  fg_put_text(all, "bias_by", b->extrapolated ? "extrapolation" : "floor");
  json_t *list = fg_put_list(all, "parts");
  for (int k = 0; k < FG_BUDGET_PARTS; k++)
    fg_put_part(list, all.bad, fg_budget_names[k], &b->part[k],
                k == FG_BUDGET_STEP        ? &b->sde_steps
                : k == FG_BUDGET_TOLERANCE ? &b->ode_steps
                                           : NULL);
  fg_put_cut(all, &b->cut);
  fg_tree gap = fg_put_object(all, "gap");
  fg_put_real(gap, "value", b->gap);
  fg_put_real(gap, "low", b->gap_low);
  fg_put_real(gap, "high", b->gap_high);
  fg_put_real(gap, "half_width", b->half_width);
  fg_put_real(gap, "squared", b->gap_squared);
  fg_put_real(gap, "squared_reach", b->gap_reach);
  fg_put(gap, "seen", json_boolean(b->seen));
  fg_put_text(all, "sentence", b->sentence);
  fg_put_real(all, "seconds", b->seconds);
}

void fg_warn_budget(fg_tree root, json_t *warnings, const fg_comparison *c)
{
  uint64_t lost = 0;
  for (int k = 0; c->budget && k < FG_BUDGET_PARTS; k++) lost += c->budget->part[k].lost;
  if (c->budget && c->budget->failed[0])
    fg_warn(root, warnings, "There is no error budget: %s.", c->budget->failed);
  if (lost)
    fg_warn(root, warnings,
            "%llu times a particle of the error budget could not be carried to the end; it enters the budget "
            "where it stopped.",
            (unsigned long long)lost);
}

void fg_put_search(fg_tree root, const fg_search *search)
{
  if (!search) return;
  fg_tree all = fg_put_object(root, "search");
  const fg_attempt *last = &search->attempt[search->attempts - 1];
  fg_put_real(all, "target_error", search->target);
  fg_put_real(all, "error", last->error);
  fg_put(all, "reached", json_boolean(search->reached));
  if (!search->reached) fg_put_text(all, "why", search->why);
  json_t *list = fg_put_list(all, "runs");
  for (size_t i = 0; i < search->attempts; i++) {
    const fg_attempt *at = &search->attempt[i];
    fg_tree one = fg_append_object(list, all.bad);
    fg_put_count(one, "particles", at->choice.particles);
    fg_put_count(one, "budget_particles", at->choice.budget_particles);
    fg_put_count(one, "rows", at->choice.rows);
    fg_put_count(one, "sde_halvings", (uint64_t)at->choice.halvings);
    fg_put_count(one, "ode_halvings", (uint64_t)at->choice.ode_halvings);
    fg_put_count(one, "ode_tenths", (uint64_t)at->choice.tenths);
    fg_put_real(one, "half_width", at->half_width);
    fg_put_real(one, "numerical", at->numerical);
    fg_put_real(one, "error", at->error);
    fg_put_real(one, "predicted", at->predicted);
    fg_put_real(one, "seconds", at->seconds);
  }
}

void fg_warn_search(fg_tree root, json_t *warnings, const fg_search *search)
{
  if (!search || search->reached) return;
  fg_warn(root, warnings,
          "The target error %g was not reached: interval and numerical parts come to %.3g; %s.",
          search->target, search->attempt[search->attempts - 1].error, search->why);
}

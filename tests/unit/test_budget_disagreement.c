/* needs: analysis */
/* What is said when the test of the headline and the interval of the budget point different ways: nothing where they
 * agree, and of the reasons those that the figures bear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "analysis/budget.h"

typedef struct case_of {
  const char *estimator, *budget_by;
  double p;
  int used, tested;
  bool seen;
  double step_low, step_high, prior_reach;
  bool prior_known;
} case_of;

static const case_of plain = {"exact", "exact", 0.34, 2000, 2000, true, -0.01, 0.01, 0.1, true};

/* The text, or NULL for null. free() */
static char *said(const case_of *k)
{
  bool bad = false;
  json_t *estimate =
      json_pack("{s:f, s:f, s:f, s:f, s:f, s:i, s:i, s:i, s:i, s:i, s:i}", "value", 0.5, "floor", 0.4,
                "ci_low", 0.1, "ci_high", 0.7, "p_value", k->p, "used_x", k->used, "used_y", k->used,
                "tested_x", k->tested, "tested_y", k->tested, "outside_x", 0, "outside_y", 0);
  json_t *step = json_pack("{s:s, s:b, s:f, s:f, s:f, s:f}", "name", "sde_step", "known", 1, "value",
                           0.5 * (k->step_low + k->step_high), "low", k->step_low, "high", k->step_high,
                           "squared_reach", 0.01);
  json_t *prior = k->prior_known
                      ? json_pack("{s:s, s:b, s:f, s:f, s:f, s:f}", "name", "prior", "known", 1, "value", 0.0,
                                  "low", -0.2, "high", 0.2, "squared_reach", k->prior_reach)
                      : json_pack("{s:s, s:b}", "name", "prior", "known", 0);
  json_t *budget =
      json_pack("{s:s, s:f, s:f, s:i, s:[o, o], s:{s:f, s:f, s:f, s:b}}", "estimator", k->budget_by,
                "confidence", 0.9, "naive", 0.5, "particles", 500, "parts", step, prior, "gap", "low",
                k->seen ? 0.3 : 0.0, "high", 0.7, "squared_reach", 0.11, "seen", k->seen);
  json_t *root = json_pack("{s:i, s:{s:{s:o}}, s:{s:i}, s:o}", "particles", 2000, "w2", k->estimator,
                           "ode_sde", estimate, "grid", "bins", 64, "budget", budget);
  assert_non_null(root);
  fg_put_disagreement((fg_tree){root, &bad});
  assert_false(bad);
  const json_t *text = json_object_get(budget, "disagreement");
  assert_non_null(text);
  char *copy = json_is_string(text) ? strdup(json_string_value(text)) : NULL;
  json_decref(root);
  return copy;
}

static void holds(const case_of *k, const char *const *there, const char *const *absent)
{
  char *text = said(k);
  assert_non_null(text);
  for (; *there; there++)
    if (!strstr(text, *there)) fail_msg("not said: \"%s\" in: %s", *there, text);
  for (; *absent; absent++)
    if (strstr(text, *absent)) fail_msg("said without ground: \"%s\" in: %s", *absent, text);
  free(text);
}

#define SAYS(k, absent, ...)                                                                                 \
  holds(&(k), (const char *const[]){__VA_ARGS__, NULL}, (const char *const[]){absent, NULL})

static void test_agreement_is_silent(void **state)
{
  (void)state;
  case_of k = plain;
  k.p = 0.05;
  assert_null(said(&k));
  k.p = 0.06;
  k.seen = false;
  assert_null(said(&k));
}

static void test_no_gap_for_the_test(void **state)
{
  (void)state;
  case_of k = plain;
  SAYS(k, "rests on",
       "the test of exact sees no gap (p = 0.34), the budget puts the model's own gap between 0.3 and 0.7 "
       "(90 %)",
       "about 10 % of such intervals miss the gap");
  SAYS(k, "hides", "More particles");
  SAYS(k, "bins", "More particles");
  k.tested = 1000;
  SAYS(k, "hides", "the test rests on 1000 of the 2000 particles behind the value");
  k.step_low = -0.3;
  k.step_high = -0.1;
  SAYS(k, "the mismatch of the prior", "the time step of the SDE hides some of the gap (0.2)");
  k.estimator = "grid";
  SAYS(k, "not known", "a grid of at most 32 bins per axis, the value on 64",
       "the budget takes apart the value of exact, not of grid");
}

static void test_gap_for_the_test_alone(void **state)
{
  (void)state;
  case_of k = plain;
  k.p = 0.01;
  k.seen = false;
  SAYS(k, "which the test does not tell",
       "the test of exact sees a gap (p = 0.01), the budget puts the model's own gap below 0.7, and it may "
       "be 0",
       "the uncertainty of the mismatch of the prior makes most of the budget's interval, which has 500 of "
       "the "
       "2000 particles");
  k.prior_reach = 0.01;
  SAYS(k, "uncertainty", "before an interval can tell by how much");
  k.step_low = 0.1;
  k.step_high = 0.3;
  SAYS(k, "hides", "the time step of the SDE makes 0.2 of the 0.5 that was measured");
  k.prior_known = false;
  SAYS(k, "uncertainty", "the mismatch of the prior is not known, and the test would see it too");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_agreement_is_silent),
      cmocka_unit_test(test_no_gap_for_the_test),
      cmocka_unit_test(test_gap_for_the_test_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: base */
/* Settings that the chosen kind does not read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flowgap/base.h"

/* Keys of another kind are refused by name, with the kinds that use them. */
static void test_keys_of_another_kind(void **state)
{
  (void)state;
  static const struct {
    const char *group, *yaml, *key; /* key: NULL when all is well */
  } tries[] = {
      {"process", "process: {kind: ou, rate: 2, diff: 3, horizon: 4}", NULL},
      {"process", "process: {kind: ou, beta_max: 3}",
       "process.beta_max changes nothing while process.kind is ou"},
      {"process", "process: {kind: bm, rate: 2}", "belongs to: ou)"},
      {"prior", "prior: {kind: point, variance: 2}", "belongs to: gaussian truncated)"},
      {"target", "target: {kind: gmm9, nu: 2}", "target.nu changes nothing while target.kind is gmm9"},
      {"target", "target: {kind: many_well, shift: 2}", NULL},
      {"target", "target: {kind: none, dimension: 3}", NULL},
      {"target", "target: {kind: logistic_regression, file: a.csv, prior_sd: 2, intercept: false}", NULL},
      {"target", "target: {kind: plugin, file: a.so, dimension: 3}", NULL},
      {"target", "target: {kind: gmm40, variance: 2}", "belongs to: gaussian gmm9 gmm25 mixture)"},
      {"target", "target: {kind: samples, standardise: false}", "belongs to: logistic_regression)"},
      {"target", "target: {nu: 2}", "while target.kind is none"},
      {"model", "model: {output: noise}", "model.output changes nothing while model.form is potential"},
      {"model", "model: {output: noise, form: vector}", NULL},
      {"model", "model: {kind: exact, file: a}", "model.file"},
      {"model", "model: {activation: silu, beta: 2}", "model.beta"},
      {"model", "process: {beta_max: 3}", NULL}, /* another group */
      {"flow.ode", "flow: {ode: {method: euler, rtol: 1e-3}}", "belongs to: adams bdf dopri5)"},
      {"flow.ode", "flow: {ode: {method: dopri5, tile: 32}}", "belongs to: adams bdf euler heun)"},
      {"flow.ode", "flow: {ode: {steps: 3}}", "flow.ode.steps"},
      {"flow.ode", "flow: {ode: {method: heun, steps: 3, rtol: 1e-6}}", NULL}, /* its default */
  };
  for (size_t k = 0; k < sizeof tries / sizeof *tries; k++) {
    fg_settings *settings;
    fg_status st = {0};
    assert_int_equal(fg_settings_create(&settings, &st), FG_OK);
    assert_int_equal(fg_settings_parse(settings, tries[k].yaml, "test.yaml", &st), FG_OK);
    assert_int_equal(fg_settings_check(settings, tries[k].group, &st), tries[k].key ? FG_USAGE : FG_OK);
    if (tries[k].key && !strstr(st.message, tries[k].key)) fail_msg("%s", st.message);
    fg_settings_destroy(&settings);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys_of_another_kind)};
  return cmocka_run_group_tests_name("settings_kinds", tests, NULL, NULL);
}

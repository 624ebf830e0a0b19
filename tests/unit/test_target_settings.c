/* needs: target */
/* Targets and priors from settings: every kind, shapes of the mixture's arrays, messages. */
#include "unit/target_check.h"

#include <stdio.h>

static fg_code from_text(const char *text, fg_target **t, fg_status *st)
{
  fg_settings *settings = NULL;
  assert_int_equal(fg_settings_create(&settings, st), FG_OK);
  if (fg_settings_parse(settings, text, "test.yaml", st) != FG_OK) fail_msg("%s", st->message);
  fg_code rc = fg_target_from_settings(settings, t, st);
  fg_settings_destroy(&settings);
  return rc;
}

static fg_target *good(const char *text)
{
  fg_target *t = NULL;
  fg_status st = {0};
  if (from_text(text, &t, &st) != FG_OK) fail_msg("%s: %s", text, st.message);
  return t;
}

static void bad(const char *text, const char *expected)
{
  fg_target *t = NULL;
  fg_status st = {0};
  assert_int_equal(from_text(text, &t, &st), FG_USAGE);
  assert_null(t);
  if (!strstr(st.message, expected)) fail_msg("%s: message \"%s\" lacks \"%s\"", text, st.message, expected);
}

static void defaults_of_kinds(void **state)
{
  (void)state;
  const char *names[] = {"gaussian", "gmm9",  "funnel",       "double_well", "many_well", "rings",
                         "circles",  "blobs", "checkerboard", "gmm25",       "gmm40"};
  const size_t dimensions[] = {2, 2, 10, 1, 5, 2, 2, 2, 2, 2, 2};
  for (int k = 0; k < 11; k++) {
    char text[64];
    snprintf(text, sizeof text, "target: {kind: %s}\n", names[k]);
    fg_target *t = good(text);
    assert_string_equal(fg_target_name(t), names[k]);
    assert_int_equal(fg_target_dimension(t), dimensions[k]);
    fg_target_destroy(&t);
  }
  fg_target *t = (fg_target *)names;
  fg_status st = {0};
  assert_int_equal(from_text("target: {kind: none}\n", &t, &st), FG_OK);
  assert_null(t);
}

static void numbers(void **state)
{
  (void)state;
  double c[100], mean[10], x[2] = {1, 0}, z;
  fg_target *t = good("target: {kind: gaussian, dimension: 3, mean: 2, variance: 4}\n");
  assert_int_equal(fg_target_moments(t, mean, c, NULL), FG_OK);
  assert_true(fg_target_dimension(t) == 3 && mean[2] == 2 && c[8] == 4);
  fg_target_destroy(&t);
  t = good("target: {kind: gmm9, variance: 0.5}\n");
  fg_mixture_view view;
  assert_int_equal(fg_target_mixture(t, &view, NULL), FG_OK);
  assert_true(view.covariances[0] == 0.5);
  fg_target_destroy(&t);
  t = good("target: {kind: funnel, dimension: 4, nu: 1}\n");
  assert_int_equal(fg_target_moments(t, NULL, c, NULL), FG_OK);
  assert_true(fg_target_dimension(t) == 4 && c[0] == 1 && fabs(c[15] - exp(0.5)) <= 1e-15);
  fg_target_destroy(&t);
  t = good("target: {kind: double_well, separation: 0, shift: 1}\n");
  assert_int_equal(fg_target_moments(t, mean, NULL, NULL), FG_OK);
  assert_int_equal(fg_target_log_z(t, &z, NULL), FG_OK);
  assert_true(mean[0] == 1 && fabs(z - log(tgamma(0.25) / 2)) <= 1e-14);
  fg_target_destroy(&t);
  t = good("target: {kind: many_well, dimension: 6, wells: 2, separation: 1}\n");
  assert_int_equal(fg_target_moments(t, NULL, c, NULL), FG_OK);
  assert_true(fg_target_dimension(t) == 6 && c[7] != 1 && c[14] == 1);
  fg_target_destroy(&t);
  t = good("target: {kind: many_well, dimension: 3}\n"); /* wells: never more than coordinates */
  fg_target_destroy(&t);
  t = good("target: {kind: rings, radii: [1, 2], ring_weights: [1, 3], ring_sd: 0.1}\n");
  assert_true(fabs(target_at(t, x, NULL) - log(0.25 / (0.1 * sqrt(2 * acos(-1.0))) / (2 * acos(-1.0)))) <=
              1e-14);
  fg_target_destroy(&t);
}

/* Full, diagonal and isotropic covariances, given as lists of rank 3, 2 and 1. */
static void mixtures(void **state)
{
  (void)state;
  const char *covariances[] = {"[[[2, 0], [0, 2]], [[3, 0], [0, 3]]]", "[[2, 2], [3, 3]]", "[2, 3]"};
  fg_mixture_view view;
  for (int k = 0; k < 3; k++) {
    char text[256];
    snprintf(text, sizeof text,
             "target: {kind: mixture, weights: [1, 3], means: [[0, 1], [2, 3]], covariances: %s}\n",
             covariances[k]);
    fg_target *t = good(text);
    assert_int_equal(fg_target_mixture(t, &view, NULL), FG_OK);
    assert_true(view.components == 2 && view.d == 2);
    assert_true(view.weights[0] == 0.25 && view.weights[1] == 0.75);
    const double expected[8] = {2, 0, 0, 2, 3, 0, 0, 3}, means[4] = {0, 1, 2, 3};
    assert_memory_equal(view.covariances, expected, sizeof expected);
    assert_memory_equal(view.means, means, sizeof means);
    fg_target_destroy(&t);
  }
  fg_target *t =
      good("target: {kind: mixture, means: [[0, 1, 2]], covariances: [[[2, 1, 0], [1, 2, 0], [0, 0, 1]]]}\n");
  assert_int_equal(fg_target_mixture(t, &view, NULL), FG_OK);
  assert_true(view.components == 1 && view.d == 3 && view.covariances[1] == 1);
  fg_target_destroy(&t);
  t = good("target: {kind: mixture, means: [-1, 4], variance: 0.2}\n"); /* in one dimension */
  assert_int_equal(fg_target_mixture(t, &view, NULL), FG_OK);
  assert_true(view.components == 2 && view.d == 1 && view.covariances[1] == 0.2 && view.means[1] == 4);
  fg_target_destroy(&t);
}

static void messages(void **state)
{
  (void)state;
  bad("target: {kind: mixture}\n", "target.means is empty");
  bad("target: {kind: mixture, means: [[0, 1]], dimension: 3}\n",
      "target.dimension is 3 but each of target.means has 2");
  bad("target: {kind: mixture, means: [[0, 1]], weights: [1, 2]}\n",
      "one number for each of the 1 components");
  bad("target: {kind: mixture, means: [[0, 1]], covariances: [[1, 2, 3]]}\n",
      "target.covariances has the shape [1, 3, 1]");
  bad("target: {kind: mixture, means: [[0, 1]], covariances: [[[1, 2], [2, 1]]]}\n",
      "component 1 is not positive definite");
  bad("target: {kind: mixture, means: [[[0, 1]]]}\n", "target.means has the shape");
  bad("target: {kind: rings, radii: [1, 2], ring_weights: [1]}\n", "one number for each of the 2 rings");
  bad("target: {kind: gmm9, dimension: 5}\n", "gmm9 lives in 2 dimensions");
  bad("target: {kind: many_well, dimension: 3, wells: 4}\n", "target.wells is 4");
}

static void priors(void **state)
{
  (void)state;
  const char *texts[] = {"prior: {kind: gaussian, variance: 0.5}\n", "prior: {kind: truncated, mass: 0.5}\n",
                         "prior: {kind: point}\n", "prior: {kind: exact}\ntarget: {kind: circles}\n",
                         "process: {kind: bm}\n"};
  for (int k = 0; k < 5; k++) {
    fg_settings *settings = NULL;
    fg_target *t = NULL;
    fg_process *process = NULL;
    fg_prior *prior = NULL;
    fg_status st = {0};
    double x[2] = {0, 0}, value = 0;
    assert_int_equal(fg_settings_create(&settings, &st), FG_OK);
    if (fg_settings_parse(settings, texts[k], "test.yaml", &st) != FG_OK) fail_msg("%s", st.message);
    assert_int_equal(fg_target_from_settings(settings, &t, &st), FG_OK);
    assert_int_equal(fg_process_from_settings(settings, &process, &st), FG_OK);
    if (fg_prior_from_settings(settings, 2, process, t, &prior, &st) != FG_OK) fail_msg("%s", st.message);
    assert_int_equal(fg_prior_sample(prior, 1, 0, 1, x, &st), FG_OK);
    fg_code rc = fg_prior_log_density(prior, 1, (const double[]){0, 0}, &value, &st);
    double two_pi = 2 * acos(-1.0);
    if (k == 0) assert_true(fabs(value + log(two_pi * 0.5)) <= 1e-15);
    if (k == 1) assert_true(fabs(value + log(two_pi * 0.5 * -expm1(-20.0) * 0.5)) <= 1e-9);
    if (k == 2) assert_true(x[0] == 0 && x[1] == 0 && rc == FG_UNSUPPORTED);
    if (k == 3) assert_true(rc == FG_UNSUPPORTED);
    if (k == 4) assert_true(fabs(value + log(two_pi)) <= 1e-15);
    fg_prior_destroy(&prior);
    fg_process_destroy(&process);
    fg_target_destroy(&t);
    fg_settings_destroy(&settings);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(defaults_of_kinds), cmocka_unit_test(numbers),
                                     cmocka_unit_test(mixtures), cmocka_unit_test(messages),
                                     cmocka_unit_test(priors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: model */
/* Paths of samplers, losses and gradients against PyTorch's automatic differentiation
 * (tests/parity/make_train_fixtures.py says what is stored): every method, objective, form, integrator. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/train_case.h"

/* Largest error of `count` values in units of the largest stored one. */
static double error_of(const train_case *c, const char *quantity, const double *values, size_t count)
{
  size_t stored;
  double *expected = train_stored(c->name, quantity, &stored), size = 0, error = 0;
  assert_non_null(expected);
  assert_int_equal(stored, count);
  for (size_t k = 0; k < count; k++) {
    size = fmax(size, fabs(expected[k]));
    error = fmax(error, fabs(values[k] - expected[k]));
  }
  free(expected);
  return error / (size > 0 ? size : 1);
}

enum { CASES = 21 };

/* Errors of one case: rnd, loss and X_N; gradients. */
typedef struct case_error {
  char name[64];
  double values, gradients;
} case_error;

/* Gradients of all tensors of the network; each in units of its own largest entry. */
static double gradient_error(const train_case *c, const train_weights *gradient)
{
  double worst = 0;
  for (size_t i = 0; i < gradient->count; i++) {
    char quantity[64];
    const train_tensor *t = &gradient->tensor[i];
    if (!t->trained) continue;
    snprintf(quantity, sizeof quantity, "grad/%s", t->name);
    worst = fmax(worst, error_of(c, quantity, t->values, t->count));
  }
  return worst;
}

static case_error run_case(const char *line, fg_engine *engine, fg_precision precision)
{
  train_case c;
  train_weights gradient;
  fg_status st = {0};
  case_error error;
  train_case_open(&c, line, engine, precision);
  fg_objective_request r;
  train_case_request(&c, &r);
  if (engine->ops->objective(engine, engine->threads, &c.field, &r, &st) != FG_OK) fail_msg("%s", st.message);
  assert_int_equal(r.lost, 0);
  double *rnd = malloc(2 * c.n * sizeof *rnd), *x = malloc(c.n * c.d * sizeof *x);
  assert_non_null(rnd);
  assert_non_null(x);
  for (int form = 0; form < 2; form++)
    assert_int_equal(
        engine->ops->download(engine, rnd + (size_t)form * c.n, r.paths.rnd[form], 0, c.n * sizeof *rnd, &st),
        FG_OK);
  error.values = fmax(error_of(&c, "rnd", rnd, 2 * c.n), error_of(&c, "loss", &r.loss, 1));
  train_case_gradient(&c, &r, &gradient);
  error.gradients = gradient_error(&c, &gradient);
  snprintf(error.name, sizeof error.name, "%s", c.name);
  train_weights_clear(&gradient);
  if (engine->ops->paths(engine, engine->threads, &c.field, &r.paths, &st) != FG_OK)
    fail_msg("%s", st.message);
  assert_int_equal(engine->ops->download(engine, x, r.paths.x, 0, c.n * c.d * sizeof *x, &st), FG_OK);
  error.values = fmax(error.values, error_of(&c, "xn", x, c.n * c.d));
  free(rnd);
  free(x);
  train_case_close(&c);
  return error;
}

static void run_all(const char *name, fg_precision precision, case_error errors[CASES])
{
  char line[1024];
  fg_engine *engine;
  fg_status st = {0};
  int cases = 0;
  if (fg_engine_open(name, 2, &engine, &st) != FG_OK) fail_msg("%s", st.message);
  FILE *list = fopen(TRAIN_FOLDER "/train.txt", "r");
  assert_non_null(list);
  while (fgets(line, sizeof line, list))
    if (strncmp(line, "case ", 5) == 0) {
      assert_true(cases < CASES);
      errors[cases++] = run_case(line, engine, precision);
    }
  fclose(list);
  assert_int_equal(cases, CASES);
  fg_engine_close(&engine);
}

/* Eight steps of some 10^3 operations, and gradients that add up 256 of them: rounding, 1.1e-16 each, grows to some
 * hundred times that. Through the path of KL it is multiplied by the Jacobians of all steps as well; in wells of
 * depth 16, where Euler's step is long, their product is of the order of 10^7. */
static void check_double(const char *engine)
{
  case_error errors[CASES];
  run_all(engine, FG_DOUBLE, errors);
  for (int k = 0; k < CASES; k++) {
    bool steep = strncmp(errors[k].name, "wells", 5) == 0 && strstr(errors[k].name, "_kl");
    if (!(errors[k].values < 1e-11) || !(errors[k].gradients < (steep ? 1e-7 : 1e-11)))
      fail_msg("%s: values %.1e, gradients %.1e", errors[k].name, errors[k].values, errors[k].gradients);
  }
}

static void test_double(void **state)
{
  (void)state;
  check_double("cpu");
}

static void test_hidden_buffers(void **state)
{
  (void)state;
  check_double("cpu-check");
}

/* The same rounding with 6e-8, and as much again for every factor by which double shows that a case enlarges it. */
static void test_single(void **state)
{
  case_error wide[CASES], narrow[CASES];
  (void)state;
  run_all("cpu", FG_DOUBLE, wide);
  run_all("cpu", FG_SINGLE, narrow);
  for (int k = 0; k < CASES; k++) {
    double ratio = 6e-8 / 1.1e-16;
    if (!(narrow[k].values < 5e-6 + 5 * ratio * wide[k].values) ||
        !(narrow[k].gradients < 5e-6 + 5 * ratio * wide[k].gradients))
      fail_msg("%s: values %.1e, gradients %.1e; in double %.1e, %.1e", narrow[k].name, narrow[k].values,
               narrow[k].gradients, wide[k].values, wide[k].gradients);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_double), cmocka_unit_test(test_hidden_buffers),
                                     cmocka_unit_test(test_single)};
  return cmocka_run_group_tests(tests, train_open, train_close);
}

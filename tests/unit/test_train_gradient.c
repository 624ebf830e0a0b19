/* needs: model */
/* Gradients of the KL objectives through the whole path against central differences of the loss itself, in double:
 * every KL case of tests/parity/fixtures/train.txt but those in deep wells, tensor by tensor. (The log-variance
 * holds the path fixed, so its gradient is no derivative of a loss that can be simulated;
 * tests/parity/test_train_parity.c has it.) */
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

static double loss_of(train_case *c, fg_objective_request *r)
{
  fg_status st = {0};
  size_t size = fg_network_pack_size(&c->field);
  double *packed = malloc(size * sizeof *packed);
  assert_non_null(packed);
  fg_network_pack(&c->field, &c->weights.settings, packed);
  assert_int_equal(c->engine->ops->upload(c->engine, c->field.as.network.packed_double, 0, packed,
                                          size * sizeof *packed, &st),
                   FG_OK);
  free(packed);
  if (c->engine->ops->objective(c->engine, c->engine->threads, &c->field, r, &st) != FG_OK)
    fail_msg("%s", st.message);
  return r->loss;
}

/* Uniform in (-1, 1). */
static double uniform(unsigned *seed)
{
  *seed = *seed * 1664525u + 1013904223u;
  return (*seed >> 8) / 8388608.0 - 1;
}

/* Along a random direction v in one tensor. The step is so small that its square times third derivatives, which
 * grow with eight steps, stays below the tolerance, and no path crosses a clip; rounding, some 1e-14 of a loss of
 * 10, over 2e-6, is 1e-7. */
static void check_tensor(train_case *c, fg_objective_request *r, train_tensor *t,
                         const train_tensor *gradient)
{
  const double h = 1e-6;
  unsigned seed = 5;
  double *kept = malloc(t->count * sizeof *kept), *v = malloc(t->count * sizeof *v), slope = 0, size = 0;
  assert_non_null(kept);
  assert_non_null(v);
  for (size_t i = 0; i < t->count; i++) {
    kept[i] = t->values[i];
    v[i] = uniform(&seed);
    slope += v[i] * gradient->values[i];
    size += fabs(v[i] * gradient->values[i]);
  }
  for (size_t i = 0; i < t->count; i++) t->values[i] = kept[i] + h * v[i];
  double above = loss_of(c, r);
  for (size_t i = 0; i < t->count; i++) t->values[i] = kept[i] - h * v[i];
  double below = loss_of(c, r), difference = (above - below) / (2 * h);
  for (size_t i = 0; i < t->count; i++) t->values[i] = kept[i];
  if (!(fabs(difference - slope) <= 1e-5 * size + 1e-6))
    fail_msg("%s, %s: difference %.12g, gradient %.12g", c->name, t->name, difference, slope);
  free(kept);
  free(v);
}

static void check_case(const char *line, fg_engine *engine)
{
  train_case c;
  train_weights gradient;
  fg_objective_request r;
  train_case_open(&c, line, engine, FG_DOUBLE);
  train_case_request(&c, &r);
  loss_of(&c, &r);
  train_case_gradient(&c, &r, &gradient);
  for (size_t i = 0; i < gradient.count; i++)
    if (gradient.tensor[i].trained) check_tensor(&c, &r, &c.weights.tensor[i], &gradient.tensor[i]);
  train_weights_clear(&gradient);
  train_case_close(&c);
}

static void test_all(void **state)
{
  char line[1024];
  fg_engine *engine;
  fg_status st = {0};
  int cases = 0;
  (void)state;
  if (fg_engine_open("cpu", 2, &engine, &st) != FG_OK) fail_msg("%s", st.message);
  FILE *list = fopen(TRAIN_FOLDER "/train.txt", "r");
  assert_non_null(list);
  while (fgets(line, sizeof line, list)) {
    if (strncmp(line, "case ", 5) != 0 || strstr(line, " objective=log_") || strstr(line, "case wells"))
      continue;
    if (train_is(line, "detach_score", "1")) continue; /* the gradient leaves out what the loss depends on */
    check_case(line, engine);
    cases++;
  }
  fclose(list);
  assert_true(cases >= 7);
  fg_engine_close(&engine);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
  return cmocka_run_group_tests(tests, train_open, train_close);
}

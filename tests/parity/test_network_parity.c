/* needs: model */
/* Networks against PyTorch's automatic differentiation (tests/parity/make_network_fixtures.py): every activation,
 * form and time input, through the public interface. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/safetensors.h"
#include "flowgap/flowgap.h"

#define FOLDER FG_SOURCE_DIR "/tests/parity/fixtures"

typedef struct worst {
  double error;
  char where[128];
} worst;

typedef struct fixture {
  fg_tensors tensors;
  fg_engine *engine;
} fixture;

static fixture all;

static int open_all(void **state)
{
  fg_status st;
  (void)state;
  return fg_safetensors_read(FOLDER "/networks.safetensors", &all.tensors, &st) != FG_OK ||
         fg_engine_open("cpu", 1, &all.engine, &st) != FG_OK;
}

static int close_all(void **state)
{
  (void)state;
  fg_tensors_clear(&all.tensors);
  fg_engine_close(&all.engine);
  return 0;
}

/* NAME@quantity, or NULL when the case has none; *count is its number of entries. */
static double *stored(const char *name, const char *quantity, size_t *count)
{
  char key[128];
  snprintf(key, sizeof key, "%.60s@%.20s", name, quantity);
  const fg_tensor *t = fg_tensors_find(&all.tensors, key);
  if (!t) return NULL;
  double *values = malloc(t->count * sizeof *values);
  assert_non_null(values);
  fg_tensor_decode(t, values);
  *count = t->count;
  return values;
}

/* Largest error in units of the largest value of the quantity in this case: a single value may be the small
 * difference of large ones. */
static void compare(const char *name, const char *quantity, const double *values, worst *w)
{
  size_t count;
  double *expected = stored(name, quantity, &count), size = 0, error = 0;
  if (!expected) return;
  for (size_t k = 0; k < count; ++k) {
    size = fmax(size, fabs(expected[k]));
    error = fmax(error, fabs(values[k] - expected[k]));
  }
  if (size == 0) size = 1; /* the Laplacian of a linear map */
  if (error / size > w->error) {
    w->error = error / size;
    snprintf(w->where, sizeof w->where, "%.20s of %.60s", quantity, name);
  }
  free(expected);
}

static void evaluate(const fg_model *model, const char *name, fg_precision precision, worst *w)
{
  fg_status st = {0};
  size_t n = 0, count = 0;
  double *t = stored(name, "t", &n), *x = stored(name, "x", &count), *v = stored(name, "v", &count);
  double *phi = stored(name, "phi", &n);
  bool potential = phi != NULL;
  double *values = malloc((4 * n + 2 * count) * sizeof *values);
  assert_non_null(values);
  double *phi_t = values + n, *divergence = phi_t + n, *residual = divergence + n, *score = residual + n,
         *jvp = score + count;
  fg_evaluation out = {.score = score, .divergence = divergence, .direction = v, .jvp = jvp};
  if (potential) {
    out.phi = values;
    out.phi_t = phi_t;
    out.residual = residual;
  }
  assert_int_equal(fg_model_dimension(model), count / n);
  assert_int_equal((fg_model_quantities(model) & FG_PHI) != 0, potential);
  if (fg_model_evaluate(model, precision, n, t, n, x, &out, &st) != FG_OK)
    fail_msg("%s: %s", name, st.message);
  compare(name, "score", score, w);
  compare(name, "divergence", divergence, w);
  compare(name, "jvp", jvp, w);
  if (potential) {
    compare(name, "phi", values, w);
    compare(name, "phi_t", phi_t, w);
    compare(name, "residual", residual, w);
  }
  free(values);
  free(phi);
  free(v);
  free(x);
  free(t);
}

/* One case: build the model from its settings and visit it in both precisions. */
static void run_case(const char *name, const char *model_yaml, worst w[2])
{
  char *text = malloc(strlen(model_yaml) + 256);
  fg_status st = {0};
  fg_settings *settings;
  fg_process *process;
  fg_model *model;
  assert_non_null(text);
  sprintf(text, "process: {kind: ou, rate: 1, diff: 1, horizon: 2}\nmodel: %s", model_yaml);
  assert_int_equal(fg_settings_create(&settings, &st), FG_OK);
  if (fg_settings_parse(settings, text, name, &st) != FG_OK) fail_msg("%s", st.message);
  assert_int_equal(fg_settings_assign(settings, "model.file=" FOLDER "/networks.safetensors", &st), FG_OK);
  assert_int_equal(fg_process_from_settings(settings, &process, &st), FG_OK);
  if (fg_model_from_settings(all.engine, settings, NULL, process, &model, &st) != FG_OK)
    fail_msg("%s: %s", name, st.message);
  evaluate(model, name, FG_DOUBLE, &w[0]);
  evaluate(model, name, FG_SINGLE, &w[1]);
  fg_model_destroy(&model);
  fg_process_destroy(&process);
  fg_settings_destroy(&settings);
  free(text);
}

static void test_all(void **state)
{
  (void)state;
  static char line[4096];
  worst w[2] = {{0}};
  int cases = 0;
  FILE *list = fopen(FOLDER "/networks.txt", "r");
  assert_non_null(list);
  for (; fgets(line, sizeof line, list); ++cases) {
    char *space = strchr(line, ' ');
    assert_non_null(space);
    *space = 0;
    run_case(line, space + 1, w);
  }
  fclose(list);
  assert_int_equal(cases, 56);
  print_message("double %.1e (%s), float %.1e (%s)\n", w[0].error, w[0].where, w[1].error, w[1].where);
  /* Some 10^3 additions and 2 to 3 activations of a few ulp (2.2e-16) each; softplus with beta = 60 multiplies the
   * rounding of its argument by 60 per derivative. */
  assert_true(w[0].error < 1e-12);
  assert_true(w[1].error < 1e-5);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
  return cmocka_run_group_tests(tests, open_all, close_all);
}

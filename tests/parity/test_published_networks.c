/* needs: fokker_planck */
/* Two published potential networks (arXiv 2311.15996) against values that two independent programs computed from
 * their weights. The files carry no licence and are not part of flowgap: without them the test is skipped. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/csv.h"
#include "flowgap/flowgap.h"

#define FOLDER FG_SOURCE_DIR "/../shared/reference"

/* Largest error, relative where the value is above 1. */
static double largest_error(const fg_csv *table, const char *name, const double *values, size_t stride)
{
  size_t column = fg_csv_column(table, name);
  double error = 0, size = 0;
  assert_true(column < table->columns);
  for (size_t i = 0; i < table->rows; ++i) {
    double expected = table->values[i * table->columns + column];
    error = fmax(error, fabs(values[i * stride] - expected) / fmax(1, fabs(expected)));
    size = fmax(size, fabs(expected));
  }
  assert_true(size > 0);
  return error;
}

/* Mean of R^2 over [-3.5, 3.5]^2 x [1e-5, 10], as the README beside the networks has it. */
static void check_mean_square(const fg_model *model, double expected, double error)
{
  enum { GROUP = 8, TIMES = 25000, N = GROUP * TIMES };
  double *t = calloc(TIMES + 3 * N, sizeof *t), *x = t + TIMES, *value = x + 2 * N;
  fg_status st = {0};
  fg_residual_settings how;
  fg_residual_norms all;
  fg_residual_layout layout = {FG_RESIDUAL_LOG, TIMES, GROUP, NULL, false};
  fg_residual_values values = {.value = value};
  assert_non_null(t);
  fg_residual_defaults(&how);
  fg_residual_times(1, TIMES, 1e-5, 10, t);
  fg_residual_box(1, 0, N, 2, 3.5, x);
  if (fg_residual_evaluate(model, &how, N, GROUP, t, x, &values, NULL, &st) != FG_OK)
    fail_msg("%s", st.message);
  if (fg_residual_summarise(&layout, &values, &all, NULL, &st) != FG_OK) fail_msg("%s", st.message);
  print_message("mean square %.6g +- %.2g, centred %.6g\n", all.mean_square.value, all.mean_square.se,
                all.centred.value);
  assert_true(fabs(all.mean_square.value - expected) < 3 * hypot(error, all.mean_square.se));
  free(t);
}

static void check_network(const char *name, double mean_square, double mean_square_se)
{
  char path[512];
  fg_status st = {0};
  fg_settings *settings;
  fg_engine *engine;
  fg_process *process;
  fg_model *model;
  fg_csv table;
  snprintf(path, sizeof path, FOLDER "/%s_points.csv", name);
  if (access(path, R_OK)) skip();
  assert_int_equal(fg_csv_read(path, &table, &st), FG_OK);
  snprintf(
      path, sizeof path,
      "process: {kind: ou, rate: 1, diff: 1, horizon: 10}\n"
      "model: {kind: network, form: potential, file: %s/%s.safetensors, layers: [input, hidden1, hidden2, "
      "output], inputs: [t, x], activation: softplus, beta: 100, threshold: 20}\n",
      FOLDER, name);
  assert_int_equal(fg_settings_create(&settings, &st), FG_OK);
  assert_int_equal(fg_settings_parse(settings, path, "published", &st), FG_OK);
  assert_int_equal(fg_engine_open("cpu", 1, &engine, &st), FG_OK);
  assert_int_equal(fg_process_from_settings(settings, &process, &st), FG_OK);
  if (fg_model_from_settings(engine, settings, NULL, process, &model, &st) != FG_OK)
    fail_msg("%s", st.message);

  size_t n = table.rows;
  double *all = calloc(n * 10, sizeof *all);
  assert_non_null(all);
  double *t = all, *x = all + n, *phi = x + 2 * n, *phi_t = phi + n, *score = phi_t + n, *lap = score + 2 * n,
         *residual = lap + n;
  for (size_t i = 0; i < n; ++i) {
    t[i] = table.values[i * table.columns];
    x[2 * i] = table.values[i * table.columns + 1];
    x[2 * i + 1] = table.values[i * table.columns + 2];
  }
  fg_evaluation out = {.phi = phi, .phi_t = phi_t, .score = score, .divergence = lap, .residual = residual};
  if (fg_model_evaluate(model, FG_DOUBLE, n, t, n, x, &out, &st) != FG_OK) fail_msg("%s", st.message);
  const struct {
    const char *column;
    const double *values;
    size_t stride;
  } checks[] = {{"phi", phi, 1},         {"phi_t", phi_t, 1}, {"phi_x", score, 2},
                {"phi_y", score + 1, 2}, {"lap", lap, 1},     {"residual", residual, 1}};
  for (size_t k = 0; k < sizeof checks / sizeof *checks; ++k) {
    double error = largest_error(&table, checks[k].column, checks[k].values, checks[k].stride);
    print_message("%s %s: %.1e\n", name, checks[k].column, error);
    assert_true(error <
                1e-9); /* softplus with beta 100 multiplies rounding by 100 per layer and derivative */
  }
  check_mean_square(model, mean_square, mean_square_se);
  free(all);
  fg_csv_clear(&table);
  fg_model_destroy(&model);
  fg_process_destroy(&process);
  fg_engine_close(&engine);
  fg_settings_destroy(&settings);
}

static void test_circles(void **state)
{
  (void)state;
  check_network("circles2_w0.0", 51.34, 0.09);
}

static void test_blob(void **state)
{
  (void)state;
  check_network("blob_w1.0", 0.00352, 0.00007);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_circles), cmocka_unit_test(test_blob)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

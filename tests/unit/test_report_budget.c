/* needs: analysis */
/* The page's section on the error budget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/file.h"
#include "flowgap/analysis.h"
#include "support/make_run.h"
#include "support/scratch.h"

static json_t *make_part(const char *name, double value, double law)
{
  if (isnan(value))
    return json_pack("{s:s, s:b, s:s, s:n}", "name", name, "known", 0, "why",
                     "the target <x> cannot be sampled", "value");
  return json_pack("{s:s, s:b, s:f, s:f, s:f, s:f, s:f}", "name", name, "known", 1, "value", value, "low",
                   value - 0.01, "high", value + 0.01, "law_low", law, "law_high", 2 * law);
}

static char *page_of(double step, double prior)
{
  static const char *const names[] = {"results.json", "samples.h5", "config.yaml", "report.html"};
  const make_run run = {2, 500, true, false, false, false, false, false, 0.25, "perturbed:mixture"};
  char folder[200], path[300];
  unsigned char *text = NULL;
  size_t size;
  json_error_t error;
  fg_status st = {0};
  snprintf(folder, sizeof folder, "%s/run", scratch_folder);
  make_run_directory(folder, &run);
  snprintf(path, sizeof path, "%s/results.json", folder);
  json_t *root = json_load_file(path, 0, &error);
  assert_non_null(root);
  json_object_set_new(
      root, "budget",
      json_pack("{s:s, s:s, s:i, s:f, s:[o, o, o, o], s:{s:f, s:f, s:f, s:f}, s:{s:f, s:f, s:f, s:b}, s:s}",
                "estimator", "grid", "effects_by", "exact", "particles", 5000, "naive", 0.131, "parts",
                make_part("sde_step", step, 0.02), make_part("ode_tolerance", 1e-9, 1e-8),
                make_part("prior", prior, 0.1), make_part("finite_sample", 0.002, 0), "cut", "half_width",
                3.5, "value", 0.0014, "low", 0.0, "high", 0.003, "gap", "value", 0.118, "low", 0.114, "high",
                0.122, "seen", 1, "sentence", "the model's own gap is 0.118 +- 0.004; 9 % is <Euler> error"));
  assert_int_equal(json_dump_file(root, path, 0), 0);
  json_decref(root);
  if (fg_report_write(folder, &st) != FG_OK) fail_msg("%s", st.message);
  snprintf(path, sizeof path, "%s/report.html", folder);
  assert_int_equal(fg_file_read(path, &text, &size, &st), FG_OK);
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  assert_int_equal(rmdir(folder), 0);
  return (char *)text;
}

/* The page has, in this order, all texts up to NULL. */
static void page_has(const char *text, const char *const *what)
{
  for (const char *at = text; *what; what++) {
    at = strstr(at, *what);
    if (!at) fail_msg("the page lacks, or has earlier: %s", *what);
  }
}

static void test_page(void **state)
{
  (void)state;
  static const char *const has[] = {
      "What the distance is made of",
      "The model&#39;s own gap is 0.118 \xc2\xb1 0.004; 9 % is &lt;Euler&gt; error.",
      "figure-budget",
      "SDE time step",
      "finite sample",
      "own gap",
      "time step of the SDE</th><td>0.012",
      "0.020 to 0.040",
      "mismatch of the prior</th><td>",
      "&lt;x&gt; cannot be sampled",
      "Estimator: grid",
      "beyond 3.5 change",
      "Where the particles end",
      NULL};
  char *text = page_of(0.012, NAN);
  page_has(text, has);
  free(text);
  text = page_of(-0.012, 0.01); /* leads beyond the measured value */
  page_has(text, (const char *const[]){"figure-budget",
                                       "\xe2\x88\x92"
                                       "0.012",
                                       NULL});
  free(text);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_page)};
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}

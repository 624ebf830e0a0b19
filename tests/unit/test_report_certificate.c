/* needs: analysis */
/* The page's sections on the certificate and on the curve over lambda. With `--make DIRECTORY` it only writes such a
 * run (for tests/e2e/test_report.sh). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/file.h"
#include "flowgap/analysis.h"
#include "support/make_run.h"
#include "support/scratch.h"
/* after make_run.h: cmocka needs what it includes */
#include "support/make_certificate.h"

static void make_certified(const char *folder, size_t d, const make_certificate_settings *s)
{
  const make_run run = {d, 2000, true, false, false, false, false, false, 0.25, "perturbed:mixture"};
  char path[300];
  json_error_t error;
  make_run_directory(folder, &run);
  snprintf(path, sizeof path, "%s/results.json", folder);
  json_t *root = json_load_file(path, 0, &error);
  json_object_set_new(root, "certificate", make_certificate(s));
  json_object_set_new(root, "lambda_curve",
                      make_lambda_curve(d == 2   ? "grid"
                                        : d == 1 ? "exact"
                                                 : "gaussian"));
  if (json_dump_file(root, path, 0) != 0) exit(2);
  json_decref(root);
}

static char *certified_page(const make_certificate_settings *s)
{
  static const char *const names[] = {"results.json", "samples.h5", "config.yaml", "report.html"};
  char folder[200], path[300];
  unsigned char *text = NULL;
  size_t size;
  fg_status st = {0};
  snprintf(folder, sizeof folder, "%s/certified", scratch_folder);
  make_certified(folder, (size_t)s->d, s);
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
  const char *at = text;
  for (; *what; what++) {
    const char *found = strstr(at, *what);
    if (!found) fail_msg("the page lacks, or has earlier: %s", *what);
    at = found + strlen(*what);
  }
}

/* Line: W2 of make_run is 0.2518 with the interval 0.93 to 1.08 of it. */
static void test_line(void **state)
{
  (void)state;
  const make_certificate_settings s = {1, true, log(0.755)};
  static const char *const says[] = {"From the residual to the gap",
                                     "Measured <i>W</i><sub>2</sub> 0.252 (0.234 to 0.272) \xe2\x89\xa4 "
                                     "0.755, the estimated bound: 3.0 times.",
                                     "the bound is a theorem: 1.02",
                                     "grid, 1024 cells",
                                     "paths, 4096",
                                     "visits off it 3 of",
                                     "the right side of the identity on the grid (quadrature)",
                                     "nodes of the box around them",
                                     "all of space, closed form",
                                     "theorem",
                                     "<i>W</i><sub>2</sub> = 0.0593",
                                     "figure-apart",
                                     "figure-source",
                                     "figure-lipschitz",
                                     "all of space</span>",
                                     "The family between ODE and SDE",
                                     "figure-lambda",
                                     "Estimator: exact",
                                     NULL};
  char *text = certified_page(&s);
  page_has(text, says);
  free(text);
}

/* More dimensions: nothing that needs the law on a grid, estimates marked, no theorem. */
static void test_high(void **state)
{
  (void)state;
  const make_certificate_settings s = {5, true, log(0.9)};
  static const char *const says[] = {"the estimated bound",
                                     "the law on a grid, which this needs",
                                     "by paths, plus the log-mass (an <b>estimate</b>)",
                                     "importance sampling, an <b>estimate</b>",
                                     "figure-source",
                                     "Estimator: gaussian",
                                     NULL};
  char *text = certified_page(&s);
  page_has(text, says);
  assert_null(strstr(text, "figure-apart"));
  assert_null(strstr(text, "is a theorem: "));
  assert_null(strstr(text, "visits off it"));
  free(text);
}

/* A bound beyond the largest double, and one below what was measured. */
static void test_sizes(void **state)
{
  (void)state;
  const make_certificate_settings huge = {2, false, 2000}, low = {2, false, log(0.1)};
  static const char *const says[] = {
      "\xe2\x89\xa4 10<sup>869</sup>, the estimated bound: 10<sup>869</sup> times.",
      "at least 0.0593 (from their marginals)", NULL};
  static const char *const warns[] = {" &gt; 0.100, the estimated bound.", "That cannot be", NULL};
  char *text = certified_page(&huge);
  page_has(text, says);
  assert_null(strstr(text, "all of space"));
  free(text);
  text = certified_page(&low);
  page_has(text, warns);
  free(text);
}

int main(int argc, char **argv)
{
  if (argc == 3 && strcmp(argv[1], "--make") == 0) {
    const make_certificate_settings s = {1, true, log(0.755)};
    fg_status st;
    make_certified(argv[2], 1, &s);
    return fg_report_write(argv[2], &st) == FG_OK ? 0 : 2;
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_line), cmocka_unit_test(test_high),
                                     cmocka_unit_test(test_sizes)};
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}

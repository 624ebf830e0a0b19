/* needs: analysis */
/* What a report shows of a training: the record of metrics.jsonl, its thinning, and the pages of folders that `flowgap
 * train` writes, finished or not. With `--make DIRECTORY` it only writes such a folder (for tests/e2e/test_report.sh). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "analysis/training.h"
#include "base/file.h"
#include "flowgap/analysis.h"
#include "support/scratch.h"

enum { LINES = 450, EVERY = 90, BINS = 40 };

static void write_text(const char *folder, const char *name, const char *text)
{
  char path[400];
  fg_status st = {0};
  snprintf(path, sizeof path, "%s/%s", folder, name);
  assert_int_equal(fg_file_write(path, text, strlen(text), &st), FG_OK);
}

static json_t *sampler_at(int step)
{
  json_t *counts = json_array();
  for (int i = 0; i < BINS; i++) json_array_append_new(counts, json_integer(i < 20 ? i : 40 - i));
  return json_pack(
      "{s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:{s:i, s:f, s:f, s:f, s:i, s:o, s:f}, s:{s:{s:f, s:f}}}",
      "log_z_elbo", -1 - 10.0 / step, "log_z_elbo_se", 0.02, "log_z_is", -0.04321, "log_z_is_se", 0.0123,
      "ess", 0.5 + step / 10000.0, "log_z", 0.0, "paths", 402, "weights", "paths", 402, "least", -7.5, "low",
      -4.0, "most", 2.0, "below", 2, "counts", counts, "largest_share", 0.0125, "residual", "log",
      "mean_square", 0.5, "se", 0.1);
}

/* A loss that halves, a residual on every other line; an evaluation every 90 lines. */
static void make_training(const char *folder, bool finished)
{
  char path[400];
  mkdir(folder, 0777);
  snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  for (int i = 1; i <= LINES; i++) {
    json_t *line =
        json_pack("{s:i, s:f, s:f, s:f, s:i, s:f}", "step", 10 * i, "loss", 8 * pow(0.5, i / 100.0), "norm",
                  1.5, "rate", 0.005, "lost_total", i / 100, "seconds", 0.25 * i);
    if (i % 2) json_object_set_new(line, "residual", json_real(i));
    if (i % EVERY == 0) json_object_set_new(line, "sampler", sampler_at(10 * i));
    json_dumpf(line, file, JSON_COMPACT);
    fputc('\n', file);
    json_decref(line);
  }
  fprintf(file, "{\"step\":4510,\"loss\":"); /* stopped while it was writing */
  fclose(file);
  write_text(folder, "config.yaml", "seed: 3\ntarget: {kind: gmm9}\n");
  write_text(folder, "checkpoint.h5", "weights");
  if (!finished) return;
  json_t *root =
      json_pack("{s:i, s:s, s:s, s:s, s:i, s:{s:s, s:i}, s:{s:s, s:s, s:i}, s:o, s:[s]}", "schema", 1, "verb",
                "train", "version", "0.1.0", "command", "flowgap train a/config.yaml --out again", "seed", 3,
                "target", "kind", "gmm9 <b>", "dimension", 2, "train", "method", "dis", "objective",
                "log_variance", "steps", 4500, "sampler", sampler_at(4500), "warnings", "a < b & c");
  snprintf(path, sizeof path, "%s/results.json", folder);
  assert_int_equal(json_dump_file(root, path, JSON_INDENT(1)), 0);
  json_decref(root);
}

static void remove_training(const char *folder)
{
  static const char *const names[] = {"metrics.jsonl", "config.yaml", "checkpoint.h5", "results.json",
                                      "report.html"};
  char path[400];
  for (int i = 0; i < 5; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  rmdir(folder);
}

static void lines_are_put_together(void **state)
{
  (void)state;
  char folder[200];
  fg_status st = {0};
  json_t *t = NULL;
  snprintf(folder, sizeof folder, "%s/record", scratch_folder);
  make_training(folder, true);
  assert_int_equal(fg_training_read(folder, &t, &st), FG_OK);
  assert_int_equal(json_integer_value(json_object_get(t, "lines")), LINES); /* without the one that was cut */
  assert_int_equal(json_integer_value(json_object_get(t, "lines_per_point")), 3);
  const json_t *curve = json_object_get(t, "curve"), *point = json_array_get(curve, 1);
  assert_int_equal(json_array_size(curve), 150);
  assert_int_equal(json_integer_value(json_object_get(point, "step")), 60);
  double of[3]; /* lines 4, 5, 6 */
  for (int i = 0; i < 3; i++) of[i] = 8 * pow(0.5, (4 + i) / 100.0);
  assert_true(fabs(json_number_value(json_object_get(point, "loss")) - (of[0] + of[1] + of[2]) / 3) < 1e-14);
  assert_true(json_number_value(json_object_get(point, "loss_high")) == of[0]);
  assert_true(json_number_value(json_object_get(point, "loss_low")) == of[2]);
  assert_true(json_number_value(json_object_get(point, "residual")) == 5); /* of those that have one */
  assert_int_equal(json_array_size(json_object_get(t, "evaluations")), 5);
  const json_t *first = json_array_get(json_object_get(t, "evaluations"), 0);
  assert_int_equal(json_integer_value(json_object_get(first, "step")), 900);
  assert_true(fabs(json_number_value(json_object_get(first, "ess")) - 0.59) < 1e-12);
  assert_string_equal(json_string_value(json_object_get(first, "residual_form")), "log");
  assert_true(json_is_true(json_object_get(t, "finished")));
  assert_int_equal(json_integer_value(json_object_get(t, "steps")), 4500);
  assert_int_equal(json_integer_value(json_object_get(t, "lost")), 4);
  json_decref(t);
  /* no folder of a training, and one that is damaged */
  assert_int_equal(fg_training_read(scratch_folder, &t, &st), FG_OK);
  assert_null(t);
  write_text(folder, "metrics.jsonl", "{\"step\":10,\"loss\":1}\nnot json\n{\"step\":30}\n");
  assert_int_equal(fg_training_read(folder, &t, &st), FG_IO);
  assert_non_null(strstr(st.message, "metrics.jsonl, line 2"));
  assert_null(t);
  remove_training(folder);
}

static char *page_of(const char *folder)
{
  char path[400];
  unsigned char *text = NULL;
  size_t size;
  fg_status st = {0};
  if (fg_report_write(folder, &st) != FG_OK) fail_msg("%s", st.message);
  snprintf(path, sizeof path, "%s/report.html", folder);
  assert_int_equal(fg_file_read(path, &text, &size, &st), FG_OK);
  return (char *)text;
}

static void page_has(const char *text, const char *what)
{
  if (!strstr(text, what)) fail_msg("the page lacks: %s", what);
}

#define MINUS "\xe2\x88\x92"

static void finished_page(void **state)
{
  (void)state;
  char folder[200];
  snprintf(folder, sizeof folder, "%s/finished", scratch_folder);
  make_training(folder, true);
  char *text = page_of(folder);
  /* digits as the standard error allows, and the known value beside it */
  page_has(text, "The sampler of gmm9 &lt;b&gt; estimates <span class=\"nb\">log <i>Z</i> = " MINUS
                 "0.043 \xc2\xb1 0.012");
  page_has(text, "(known: 0; effective share 0.950)");
  page_has(text, "training \xc2\xb7 dis \xc2\xb7 log_variance \xc2\xb7 4500 steps");
  static const char *const figures[] = {"weights", "loss", "log-z", "ess", "trained-residual"};
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
    char what[64];
    snprintf(what, sizeof what, "<figure id=\"figure-%s\">", figures[i]);
    page_has(text, what);
  }
  page_has(text, "The largest of 402 weights holds 1.2 % of their sum (even: 0.25 %)");
  page_has(text, "2 of 402 (0.50 %), the smallest at log <i>w</i> = " MINUS "7.50");
  page_has(text, "mean of 3 logged steps");
  page_has(text, "a &lt; b &amp; c");
  page_has(text, "flowgap train config.yaml --out repeated");
  assert_null(strstr(text, "has not come to its end"));
  free(text);
  remove_training(folder);
}

static void unfinished_page(void **state)
{
  (void)state;
  char folder[200];
  fg_status st = {0};
  snprintf(folder, sizeof folder, "%s/stopped", scratch_folder);
  make_training(folder, false);
  char *text = page_of(folder);
  page_has(text, "This training has not come to its end");
  page_has(text, "<figure id=\"figure-weights\">"); /* of its last evaluation */
  page_has(text, "4500, not finished");
  free(text);
  /* before its first line there is nothing to show */
  char path[300];
  snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
  unlink(path);
  assert_int_equal(fg_report_write(folder, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "without metrics.jsonl"));
  remove_training(folder);
}

static void seeds_page(void **state)
{
  (void)state;
  char folder[200];
  snprintf(folder, sizeof folder, "%s/seeds", scratch_folder);
  mkdir(folder, 0777);
  write_text(
      folder, "results.json",
      "{\"schema\": 1, \"verb\": \"train\", \"seeds\": 2, \"failed\": 1, \"summary\": {\"ess\": {\"mean\": "
      "0.5, "
      "\"sd\": 0.125, \"count\": 2}, \"none\": {\"count\": 0}}, \"runs\": [{\"seed\": 1}, {\"seed\": 2, "
      "\"failed\": \"loss <NaN>\"}], \"warnings\": []}");
  char *text = page_of(folder);
  page_has(text, "2 trainings, 1 failed");
  page_has(text, "<th scope=\"row\">ess</th><td>0.5000</td><td>0.12</td><td>2</td>");
  page_has(text, "<a href=\"./seed-1/report.html\">seed-1</a>, seed-2 (failed: loss &lt;NaN&gt;)");
  assert_null(strstr(text, ">none<"));
  free(text);
  remove_training(folder);
}

int main(int argc, char **argv)
{
  if (argc == 3 && strcmp(argv[1], "--make") == 0) {
    fg_status st = {0};
    make_training(argv[2], true);
    if (fg_report_write(argv[2], &st) == FG_OK) return 0;
    fprintf(stderr, "%s\n", st.message);
    return 2;
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(lines_are_put_together),
                                     cmocka_unit_test(finished_page), cmocka_unit_test(unfinished_page),
                                     cmocka_unit_test(seeds_page)};
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}

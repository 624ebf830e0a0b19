/* needs: analysis */
/* The numbers beside the figures of a page: what readout.c writes, and that whole pages tell the numbers of their run
 * at the places where gnuplot drew them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/report/readout.h"
#include "base/file.h"
#include "flowgap/analysis.h"
#include "support/make_run.h"
#include "support/scratch.h"

/* ---- base64 and what is packed in it ------------------------------------------------------ */

static size_t unpack_bytes(const char *text, unsigned char *bytes)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t used = 0;
  uint32_t bits = 0;
  int held = 0;
  for (; *text && *text != '='; text++) {
    bits = bits << 6 | (uint32_t)(strchr(digits, *text) - digits);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes[used++] = (unsigned char)(bits >> held);
  }
  return used;
}

static size_t unpack_counts(const char *text, double *counts)
{
  unsigned char *bytes = malloc(strlen(text) + 1);
  size_t size = unpack_bytes(text, bytes), used = 0;
  for (size_t i = 0; i < size; used++) {
    uint32_t value = 0;
    int shift = 0;
    for (; bytes[i] & 128; shift += 7) value |= (uint32_t)(bytes[i++] & 127) << shift;
    counts[used] = value | (uint32_t)bytes[i++] << shift;
  }
  free(bytes);
  return used;
}

/* ---- readout.c ---------------------------------------------------------------------------- */

static json_t *parse_readout(const char *text)
{
  json_error_t error;
  const char *from = strstr(text, "class=\"readout\">");
  assert_non_null(from);
  from += strlen("class=\"readout\">");
  const char *to = strstr(from, "</script>");
  assert_non_null(to);
  json_t *root = json_loadb(from, (size_t)(to - from), 0, &error);
  if (!root) fail_msg("%s in %.*s", error.text, (int)(to - from), from);
  return root;
}

static json_t *write_readout(const fg_readouts *all, const char *name, const fg_page *script)
{
  fg_status st = {0};
  fg_page page = {0};
  assert_int_equal(fg_readouts_check(all, &st), FG_OK);
  fg_readout_put(fg_readouts_find(all, name), "[10.00,90.00,5.00,45.00,1,100,0,4\n", script, &page);
  json_t *root = parse_readout(page.text);
  fg_page_clear(&page);
  return root;
}

static void columns_are_told(void **state)
{
  (void)state;
  fg_readouts all = {0};
  fg_page script = {0};
  fg_page_put(
      &script,
      "$a << EOD\n9 9 9\nEOD\n$a << EOD\n1 0.25 \"one, <&\\\" 3\n2.5 NaN \"two\" 4\n\n3 -1e-9 \"\" 5\nEOD\n");
  fg_readouts_begin(&all, "first", script.used);
  fg_page_put(&script, "set logscale x\nplot $a\n");
  fg_readouts_axes(&all, "t", "W", false);
  fg_readouts_series(
      &all, &script,
      &(fg_series){.label = "A \"b\" <c>", .block = "a", .x = 1, .y = 2, .name = 3, .error = 4});
  fg_readouts_series(&all, &script, &(fg_series){.label = "gone", .block = "absent", .x = 1, .y = 2});
  fg_readouts_begin(&all, "second", script.used);
  fg_page_put(&script, "set logscale y\n");
  json_t *root = write_readout(&all, "first", &script), *one = json_array_get(json_object_get(root, "s"), 0);
  assert_int_equal(json_array_size(json_object_get(root, "s")),
                   1); /* a block that is not there tells nothing */
  assert_string_equal(json_string_value(json_object_get(one, "n")), "A \"b\" <c>");
  const json_t *x = json_object_get(one, "x"), *y = json_object_get(one, "y"), *p = json_object_get(one, "p");
  assert_int_equal(json_array_size(x), 4); /* the last definition, with its break */
  assert_true(json_number_value(json_array_get(x, 0)) == 1 && json_number_value(json_array_get(x, 1)) == 2.5);
  assert_true(json_is_null(json_array_get(x, 2)) && json_number_value(json_array_get(x, 3)) == 3);
  assert_true(json_number_value(json_array_get(y, 0)) == 0.25 && json_is_null(json_array_get(y, 1)));
  assert_true(json_real_value(json_array_get(y, 3)) == -1e-9);
  assert_string_equal(json_string_value(json_array_get(p, 0)), "one, <&\\");
  assert_string_equal(json_string_value(json_array_get(p, 1)), "two");
  assert_true(json_number_value(json_array_get(json_object_get(one, "e"), 1)) ==
              4); /* behind a text with a comma */
  const json_t *a = json_object_get(root, "a");
  assert_int_equal(json_array_size(a), 10);
  assert_int_equal(json_integer_value(json_array_get(a, 8)),
                   1); /* logarithmic across, as this figure's script says, */
  assert_int_equal(json_integer_value(json_array_get(a, 9)), 0); /* not upwards, as the next one's does */
  json_decref(root);
  fg_readouts_clear(&all);
  fg_page_clear(&script);
}

static void cells_are_packed(void **state)
{
  (void)state;
  /* one, two and three bytes */
  static const double counts[4] = {0, 127, 128, 300000}, reals[4] = {-1.5, 0, 1e-30, 3.25};
  double back[4];
  unsigned char bytes[16];
  fg_readouts all = {0};
  fg_page script = {0};
  fg_page_put(&script, "\n");
  fg_readouts_begin(&all, "counts", 0);
  fg_readouts_cells(&all, &(fg_cells){"ODE", {-1, 2}, 4, 2, counts, 0.5});
  fg_readouts_begin(&all, "reals", 0);
  fg_readouts_cells(&all, &(fg_cells){"R", {0, 0}, 1, 2, reals, 0});
  fg_readouts_begin(&all, "gap", 0);
  fg_readouts_cells(&all, &(fg_cells){"SDE - ODE", {0, 0}, 1, 2, NULL, 0});
  json_t *root = write_readout(&all, "counts", &script), *m = json_object_get(root, "m");
  assert_int_equal(unpack_counts(json_string_value(json_object_get(m, "c")), back), 4);
  assert_memory_equal(back, counts, sizeof counts);
  assert_true(json_real_value(json_object_get(m, "u")) == 0.5 &&
              json_integer_value(json_object_get(m, "b")) == 2);
  assert_true(json_number_value(json_array_get(json_object_get(m, "o"), 1)) == 2);
  json_decref(root);
  root = write_readout(&all, "reals", &script);
  assert_int_equal(unpack_bytes(json_string_value(json_object_get(json_object_get(root, "m"), "r")), bytes),
                   16);
  for (int i = 0; i < 4; i++) {
    float value;
    uint32_t bits = 0;
    for (int k = 3; k >= 0; k--) bits = bits << 8 | bytes[4 * i + k];
    memcpy(&value, &bits, sizeof value);
    assert_true(value == (float)reals[i]);
  }
  json_decref(root);
  root = write_readout(&all, "gap", &script);
  assert_true(json_is_integer(json_object_get(json_object_get(root, "m"), "g")));
  json_decref(root);
  fg_readouts_clear(&all);
  fg_page_clear(&script);
}

/* Pictures past the limit tell their coordinates only, so that the page stays small. */
static void cells_have_a_limit(void **state)
{
  (void)state;
  enum { BINS = 400 };
  double *values = calloc(BINS * BINS, sizeof *values);
  fg_readouts all = {0};
  fg_page script = {0};
  char name[16];
  size_t told = 0;
  fg_page_put(&script, "\n");
  for (int k = 0; k < 4; k++) {
    snprintf(name, sizeof name, "map-%d", k);
    fg_readouts_begin(&all, name, 0);
    fg_readouts_cells(&all, &(fg_cells){"R", {0, 0}, 1, BINS, values, 0});
    json_t *root = write_readout(&all, name, &script), *m = json_object_get(root, "m");
    assert_int_equal(json_integer_value(json_object_get(m, "b")), BINS);
    told += json_object_get(m, "r") != NULL;
    json_decref(root);
  }
  assert_int_equal(told, 1); /* 853 336 bytes each */
  assert_true(all.bytes <= FG_READOUT_BYTES);
  fg_readouts_clear(&all);
  fg_page_clear(&script);
  free(values);
}

/* ---- whole pages -------------------------------------------------------------------------- */

static const make_run full_run = {2, 6000, true, true, true, true, false, false, 0.25, "exact:gmm9"};

static char *write_page(const char *folder)
{
  char path[400];
  unsigned char *text = NULL;
  size_t size;
  fg_status st = {0};
  make_run_directory(folder, &full_run);
  if (fg_report_write(folder, &st) != FG_OK) fail_msg("%s", st.message);
  snprintf(path, sizeof path, "%s/report.html", folder);
  assert_int_equal(fg_file_read(path, &text, &size, &st), FG_OK);
  return (char *)text;
}

static void remove_run(const char *folder)
{
  static const char *const names[] = {"results.json", "samples.h5", "config.yaml", "report.html"};
  char path[400];
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  rmdir(folder);
}

static const char *find_figure(const char *text, const char *name)
{
  char head[80];
  snprintf(head, sizeof head, "<figure id=\"figure-%s\">", name);
  const char *figure = strstr(text, head);
  assert_non_null(figure);
  return figure;
}

/* Value to place, as script/figures.js has it. */
static double place(const json_t *a, int axis, double value)
{
  double of[10];
  for (size_t i = 0; i < 10; i++) of[i] = json_number_value(json_array_get(a, i));
  double low = of[axis ? 6 : 4], high = of[axis ? 7 : 5];
  double u = of[8 + axis] > 0 ? log(value / low) / log(high / low) : (value - low) / (high - low);
  return axis ? of[3] - u * (of[3] - of[2]) : of[0] + u * (of[1] - of[0]);
}

/* Each point stands where the axes of the read-out put it: gnuplot writes hundredths. */
static void expect_drawn(const char *text, const char *name)
{
  const char *figure = find_figure(text, name), *end = strstr(figure, "</figure>");
  json_t *root = parse_readout(figure), *a = json_object_get(root, "a");
  const json_t *s = json_array_get(json_object_get(root, "s"), 0), *x = json_object_get(s, "x"),
               *y = json_object_get(s, "y");
  size_t drawn = 0;
  for (const char *at = figure; (at = strstr(at, "gpPt6' transform='translate(")) && at < end; at++) {
    double px, py;
    if (sscanf(at, "gpPt6' transform='translate(%lf,%lf)", &px, &py) != 2) continue;
    bool found = false;
    for (size_t i = 0; i < json_array_size(x); i++)
      found = found || (fabs(place(a, 0, json_number_value(json_array_get(x, i))) - px) < 0.02 &&
                        fabs(place(a, 1, json_number_value(json_array_get(y, i))) - py) < 0.02);
    if (!found) fail_msg("%s: nothing is told about the point at %g, %g", name, px, py);
    drawn++;
  }
  assert_true(drawn >= 9 && drawn <= json_array_size(x));
  json_decref(root);
}

static void pages_tell_their_numbers(void **state)
{
  (void)state;
  char folder[200], path[300];
  json_error_t error;
  snprintf(folder, sizeof folder, "%s/told", scratch_folder);
  char *text = write_page(folder);
  expect_drawn(text, "gap-time"); /* logarithmic, and runs from right to left */
  expect_drawn(text, "residual"); /* both logarithmic */
  expect_drawn(text, "order");
  snprintf(path, sizeof path, "%s/results.json", folder);
  json_t *results = json_load_file(path, 0, &error), *list = json_object_get(results, "snapshots");
  json_t *root = parse_readout(find_figure(text, "gap-time"));
  const json_t *s = json_array_get(json_object_get(root, "s"), 0);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *one = json_array_get(list, i), *w2 = json_object_get(one, "w2_ode_sde");
    static const char *const keys[][2] = {{"y", "value"}, {"l", "ci_low"}, {"h", "ci_high"}, {"f", "floor"}};
    for (size_t k = 0; k < 4; k++) {
      double told = json_number_value(json_array_get(json_object_get(s, keys[k][0]), i));
      double true_value = json_number_value(json_object_get(w2, keys[k][1]));
      assert_true(fabs(told - true_value) <= 1e-5 * fabs(true_value)); /* six digits */
    }
  }
  json_decref(root);
  json_decref(results);
  free(text);
  remove_run(folder);
}

/* All particles are in the cells, or counted as outside. */
static void maps_tell_their_counts(void **state)
{
  (void)state;
  char folder[200];
  snprintf(folder, sizeof folder, "%s/maps", scratch_folder);
  char *text = write_page(folder);
  json_t *root = parse_readout(find_figure(text, "map-sde")), *m = json_object_get(root, "m");
  size_t bins = (size_t)json_integer_value(json_object_get(m, "b"));
  double *counts = malloc(bins * bins * sizeof *counts), sum = 0,
         side = json_number_value(json_object_get(m, "w")) / (double)bins;
  assert_int_equal(unpack_counts(json_string_value(json_object_get(m, "c")), counts), bins * bins);
  for (size_t i = 0; i < bins * bins; i++) sum += counts[i];
  assert_true(sum <= 6000 && sum > 0.98 * 6000);
  /* count times unit is a density: unit is 1 / (n area); nine digits are written */
  double unit = json_number_value(json_object_get(m, "u"));
  assert_true(fabs(unit * 6000 * side * side - 1) < 1e-7);
  free(counts);
  json_decref(root);
  root = parse_readout(find_figure(text, "frame-3-gap"));
  assert_non_null(json_object_get(json_object_get(root, "m"), "g"));
  json_decref(root);
  free(text);
  remove_run(folder);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(columns_are_told),       cmocka_unit_test(cells_are_packed),
      cmocka_unit_test(cells_have_a_limit),     cmocka_unit_test(pages_tell_their_numbers),
      cmocka_unit_test(maps_tell_their_counts),
  };
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}

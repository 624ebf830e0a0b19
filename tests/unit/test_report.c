/* needs: analysis */
/* The page of a run: builder, colours, maps against counts by hand, and whole pages of synthetic runs.
 * With `--make KIND DIRECTORY` it only writes such a run (for tests/e2e/test_report.sh). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/report/data.h"
#include "analysis/report/maps.h"
#include "analysis/report/page.h"
#include "analysis/report/svg.h"
#include "base/file.h"
#include "flowgap/analysis.h"
#include "support/make_run.h"
#include "support/scratch.h"

/* ---- the builder ------------------------------------------------------------------------- */

static void expect_text(const char *input, const char *expected)
{
  fg_page page = {0};
  fg_page_text(&page, input);
  assert_string_equal(page.text ? page.text : "", expected);
  fg_page_clear(&page);
}

static void text_is_escaped(void **state)
{
  (void)state;
  expect_text("", "");
  expect_text("a<b>&\"'c", "a&lt;b&gt;&amp;&#34;&#39;c");
  expect_text("</script><!--", "&lt;/script&gt;&lt;!--");
  expect_text("\xce\xbb = 1\n\tx", "\xce\xbb = 1\n\tx");
  expect_text("a\x01z\x1b[", "a\xef\xbf\xbdz\xef\xbf\xbd[");                           /* controls */
  expect_text("\xff\x80", "\xef\xbf\xbd\xef\xbf\xbd");                                 /* no UTF-8 */
  expect_text("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");                                 /* overlong '/' */
  expect_text("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");                 /* surrogate */
  expect_text("\xf0\x9f\x99\x82\xe2\x82", "\xf0\x9f\x99\x82\xef\xbf\xbd\xef\xbf\xbd"); /* cut short */
}

static void expect_number(double value, int digits, const char *expected)
{
  fg_page page = {0};
  fg_page_number(&page, value, digits, "lost & gone");
  assert_string_equal(page.text, expected);
  fg_page_clear(&page);
}

#define MINUS "\xe2\x88\x92"
#define THIN "\xe2\x80\xaf"

static void numbers_read_well(void **state)
{
  (void)state;
  expect_number(0, 3, "0");
  expect_number(0.1184, 3, "0.118");
  expect_number(-0.1184, 3, MINUS "0.118");
  expect_number(9.996, 3, "10.0");
  expect_number(0.09996, 3, "0.100");
  expect_number(12.34, 3, "12.3");
  expect_number(1234.4, 3, "1234");
  expect_number(123456, 3, "123" THIN "456");
  expect_number(-1.25e7, 2, MINUS "1.2" THIN "\xc3\x97" THIN "10<sup>7</sup>");
  expect_number(1.2e-5, 2, "1.2" THIN "\xc3\x97" THIN "10<sup>" MINUS "5</sup>");
  expect_number(NAN, 2, "<span class=\"none\" title=\"lost &amp; gone\">\xe2\x80\x93</span>");
  expect_number(INFINITY, 2, "<span class=\"none\" title=\"lost &amp; gone\">\xe2\x80\x93</span>");
  fg_page page = {0};
  fg_page_count(&page, 1234567, NULL);
  assert_string_equal(page.text, "1" THIN "234" THIN "567");
  fg_page_clear(&page);
}

/* ---- figures ----------------------------------------------------------------------------- */

static void svg_is_tidied(void **state)
{
  (void)state;
  static const char svg[] =
      "<?xml version=\"1.0\"?>\n<svg \n viewBox=\"0 0 4 2\"\n xmlns=\"x\"\n>\n<title>Gnuplot</title>"
      "<g id=\"a\"><path stroke='rgb(  0, 114, 178)' id='p'/><g fill=\"none\">\n</g>"
      "<use xlink:href='#p' color='rgb(9,9,9)'/><text fill=\"black\" font-family=\"sans-serif\" "
      ">rgb</text></g></svg>";
  fg_page page = {0};
  fg_status st = {0};
  assert_int_equal(fg_svg_inline(svg, "f", "a \"b\"", &page, &st), FG_OK);
  assert_string_equal(page.text,
                      "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"a &#34;b&#34;\" "
                      "viewBox=\"0 0 4 2\">\n<g id=\"f-a\"><path stroke='var(--ode)' id='f-p'/>"
                      "<use href='#f-p' color='rgb(9,9,9)'/><text fill=\"var(--ink)\" >rgb</text></g></svg>");
  fg_page_clear(&page);
  assert_int_equal(fg_svg_inline("not a figure", "f", "", &page, &st), FG_FAILED);
  fg_page_clear(&page);
}

static void maps_count_points(void **state)
{
  (void)state;
  /* 2 x 2 bins of width 1 on [0, 2)^2 */
  const double x[] = {0.5, 0.5, 1.5, 0.5, 1.5, 0.25, 0.5, 1.5, -1, 0.5, 0.5, 2.0, NAN, 0.5, 1.999, 1.999};
  fg_view view = {2, {0, 0}, 2, 2};
  fg_cloud cloud = {x, 8, 2};
  fg_map map, empty;
  fg_map_gap gap;
  fg_status st = {0};
  double top;
  assert_int_equal(fg_map_fill(&view, cloud, &map, &st), FG_OK);
  assert_int_equal(map.outside, 3); /* left of it, on the upper edge, not finite */
  assert_true(map.count[0] == 1 && map.count[1] == 2 && map.count[2] == 1 && map.count[3] == 1);
  assert_true(fg_map_density(&view, &map, 1) == 2.0 / 8);
  const fg_map *maps[] = {&map};
  assert_int_equal(fg_map_top(&view, maps, 1, &top, &st), FG_OK);
  assert_true(top == 2.0 / 8);
  cloud.n = 4;
  assert_int_equal(fg_map_fill(&view, cloud, &empty, &st), FG_OK);
  assert_int_equal(fg_map_subtract(&view, &map, &empty, &gap, &st), FG_OK);
  assert_true(gap.value[1] == 2.0 / 4 - 2.0 / 8 && gap.value[3] == -1.0 / 8);
  assert_int_equal(gap.tested, 0); /* ten points are asked for */
  unsigned char rgba[16];
  fg_map_paint(&view, &map, top, rgba);
  assert_true(rgba[4] == 0xfd && rgba[5] == 0xe7 && rgba[6] == 0x25 && rgba[7] == 255);
  fg_map_paint_gap(&view, &gap, rgba);
  assert_true(rgba[4] == 0xd5 && rgba[7] == 255);   /* more SDE, the largest */
  assert_true(rgba[14] == 0xb2 && rgba[15] == 128); /* more ODE, half of it */
  free(gap.value);
  fg_map_clear(&map);
  fg_map_clear(&empty);
}

static void view_holds_the_bulk(void **state)
{
  (void)state;
  enum { N = 1000 };
  double x[2 * N];
  fg_view view;
  fg_status st = {0};
  for (int i = 0; i < N; i++) {
    x[2 * i] = -1 + 2.0 * i / (N - 1);
    x[2 * i + 1] = 5;
  }
  for (int i = 0; i < 10; i++)
    x[2 * i * 97] = i % 2 ? -1e9 : 1e9; /* 1 % of runaways must not set the scale */
  fg_cloud cloud = {x, N, 2};
  assert_int_equal(fg_view_fit(&cloud, 1, &view, &st), FG_OK);
  assert_true(view.width > 1.9 && view.width < 6.6);
  assert_true(view.low[1] < 4.1 && view.low[1] + view.width > 5.9);
  assert_true(fg_nice_step(10, 5) == 2 && fg_nice_step(11, 5) == 5 && fg_nice_step(0.04, 5) == 0.01);
  /* a law that has run away: the two others set the view, and it is counted as outside */
  double near[2 * N], far[2 * N];
  for (int i = 0; i < N; i++) {
    near[2 * i] = 1.5 * x[2 * i] + 0.3;
    near[2 * i + 1] = 5 + 0.5 * x[2 * i];
    far[2 * i] = 1e4 + x[2 * i];
    far[2 * i + 1] = x[2 * i + 1];
  }
  fg_cloud three[3] = {{x, N, 2}, {near, N, 2}, {far, N, 2}};
  fg_map map;
  assert_int_equal(fg_view_fit(three, 3, &view, &st), FG_OK);
  assert_true(view.width < 20 && view.low[0] < -1 && view.low[0] + view.width > 1.7);
  assert_int_equal(fg_map_fill(&view, three[2], &map, &st), FG_OK);
  assert_int_equal(map.outside, N);
  fg_map_clear(&map);
  /* of two that differ, both are shown */
  fg_cloud two[2] = {three[1], {far, N, 2}};
  for (int i = 0; i < N; i++) far[2 * i] = 4 + x[2 * i];
  assert_int_equal(fg_view_fit(two, 2, &view, &st), FG_OK);
  assert_true(view.low[0] < -1 && view.low[0] + view.width > 4.9);
  for (int i = 0; i < 2 * N; i++) x[i] = NAN;
  assert_int_equal(fg_view_fit(&cloud, 1, &view, &st), FG_NUMERICS);
}

/* ---- whole pages ------------------------------------------------------------------------- */

static const make_run full_run = {2,    6000, true, true, true,
                                  true, true, true, 0.25, "perturbed:gmm9 <b> & \"c\""};

static bool kind_of_run(const char *kind, make_run *run)
{
  *run = full_run;
  if (strcmp(kind, "full") == 0) return true;
  run->box = run->warnings = false;
  run->name = "exact:gmm9";
  if (strcmp(kind, "within") == 0) {
    run->shift = 0;
  } else if (strcmp(kind, "line") == 0) {
    run->d = 1;
  } else if (strcmp(kind, "high") == 0) {
    run->d = 10;
    run->residual = run->target = run->snapshots = false;
  } else if (strcmp(kind, "bare") == 0) {
    run->target = run->snapshots = run->trajectories = run->residual = false;
  } else {
    return false;
  }
  return true;
}

static char *write_report(const char *kind, const char *folder)
{
  make_run run;
  fg_status st = {0};
  unsigned char *text = NULL;
  size_t size;
  char path[512];
  assert_true(kind_of_run(kind, &run));
  make_run_directory(folder, &run);
  if (fg_report_write(folder, &st) != FG_OK) fail_msg("%s", st.message);
  snprintf(path, sizeof path, "%s/report.html", folder);
  assert_int_equal(fg_file_read(path, &text, &size, &st), FG_OK);
  assert_true(size > 20000 && size < 5000000);
  return (char *)text;
}

static void remove_run(const char *folder)
{
  static const char *const names[] = {"results.json", "samples.h5", "config.yaml", "report.html"};
  char path[512];
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  assert_int_equal(rmdir(folder), 0); /* nothing else was left there */
}

static int count_of(const char *text, const char *what)
{
  int count = 0;
  while ((text = strstr(text, what))) {
    count++;
    text += strlen(what);
  }
  return count;
}

static void page_has(const char *text, const char *what)
{
  if (!strstr(text, what)) fail_msg("the page lacks: %s", what);
}

static void full_page(void **state)
{
  (void)state;
  static const char *const parts[] = {"map-ode",     "map-sde",  "map-target", "map-gap",  "frame-0-ode",
                                      "frame-8-gap", "gap-time", "estimates",  "residual", "relative",
                                      "plane",       "paths",    "work",       "step",     "order"};
  char folder[256], what[64];
  snprintf(folder, sizeof folder, "%s/full", scratch_folder);
  char *text = write_report("full", folder);
  page_has(text, "The ODE and the SDE of perturbed:gmm9 &lt;b&gt; &amp; &#34;c&#34; are");
  page_has(text, "= 0.244</span> apart");
  page_has(text, "(<span class=\"by\">grid</span>; 90 % interval 0.227 to 0.264");
  page_has(text, "(ODE, SDE), <span class=\"by\">grid</span></dt><dd>0.244");
  assert_int_equal(count_of(text, "class=\"by\">grid<"), 5); /* headline and four tiles */
  assert_int_equal(count_of(text, "class=\"by\">"), 5);
  assert_null(strstr(text, " estimate sees "));
  assert_null(strstr(text, " dominated by its floor"));
  page_has(text, "the prior &lt;gaussian&gt; differs from p_T &amp; its mean");
  page_has(text, "2 of 6000 (0.033 %): particle 17 at");
  page_has(text, "particle 17 at <i>t</i> = 0.00310");
  page_has(text, "ODE, outside the box</th><td>412 of 6000 (6.9 %)");
  page_has(text, "# a &lt; b &amp; c");
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    snprintf(what, sizeof what, "<figure id=\"figure-%s\">", parts[i]);
    page_has(text, what);
  }
  assert_int_equal(count_of(text, "<svg "), count_of(text, "</svg>"));
  assert_int_equal(count_of(text, "<svg "), 15 - 2 + 9 * 3);
  assert_int_equal(count_of(text, "<image "), 4 + 9 * 3);
  assert_int_equal(count_of(text, "<tr class=\"boxed") + count_of(text, "<tr class=\"firstboxed"), 9);
  /* nothing from outside; namespaces are names, not addresses */
  assert_int_equal(count_of(text, "http://") + count_of(text, "https://"),
                   count_of(text, "=\"http://www.w3.org/"));
  assert_null(strstr(text, ">nan"));
  assert_null(strstr(text, "Gnuplot"));
  free(text);
  remove_run(folder);
}

static void other_pages(void **state)
{
  (void)state;
  char folder[256];
  snprintf(folder, sizeof folder, "%s/other", scratch_folder);
  char *text = write_report("within", folder);
  page_has(text, "No gap is seen between the ODE and the SDE of exact:gmm9: ");
  page_has(text, "is within the noise");
  free(text);
  remove_run(folder);
  text = write_report("line", folder);
  page_has(text, "<figure id=\"figure-laws-gap\">");
  page_has(text, "<figure id=\"figure-frame-8-laws\">");
  assert_int_equal(count_of(text, "<image "), 0);
  assert_null(strstr(text, "<b>grid</b>"));
  free(text);
  remove_run(folder);
  text = write_report("high", folder);
  page_has(text, "Only the first two of the 10 coordinates");
  page_has(text, "Not computed: the model has no log-density");
  free(text);
  remove_run(folder);
  text = write_report("bare", folder);
  page_has(text, "There are no samples of the target");
  assert_null(strstr(text, "class=\"frame\""));
  free(text);
  remove_run(folder);
}

/* The page of a run whose figures of ODE against SDE were changed: "exact.floor" = 0.3, ended by NULL. */
typedef struct change {
  const char *what;
  double value;
} change;

static char *changed_report(const char *kind, const char *folder, const change *changes)
{
  char path[300], name[64];
  fg_status st = {0};
  json_error_t error;
  unsigned char *text = NULL;
  size_t size;
  free(write_report(kind, folder));
  snprintf(path, sizeof path, "%s/results.json", folder);
  json_t *root = json_load_file(path, 0, &error), *w2 = json_object_get(root, "w2");
  for (; changes->what; changes++) {
    snprintf(name, sizeof name, "%s", changes->what);
    char *member = strchr(name, '.');
    if (member) {
      *member++ = 0;
      json_t *gap = json_object_get(json_object_get(w2, name), "ode_sde");
      json_t *value = isfinite(changes->value) ? json_real(changes->value) : json_null();
      assert_int_equal(json_object_set_new(gap, member, value), 0);
    } else {
      assert_int_equal(json_object_del(w2, name), 0);
    }
  }
  assert_int_equal(json_object_set_new(root, "confidence", json_null()), 0);
  assert_int_equal(json_dump_file(root, path, 0), 0);
  json_decref(root);
  if (fg_report_write(folder, &st) != FG_OK) fail_msg("%s", st.message);
  snprintf(path, sizeof path, "%s/report.html", folder);
  assert_int_equal(fg_file_read(path, &text, &size, &st), FG_OK);
  remove_run(folder);
  return (char *)text;
}

static void changed_page_has(const char *kind, const change *changes, const char *const *what)
{
  char folder[256];
  snprintf(folder, sizeof folder, "%s/changed", scratch_folder);
  char *text = changed_report(kind, folder, changes);
  for (; *what; what++) page_has(text, *what);
  free(text);
}

#define P(VALUE) "(<span class=\"nb\"><i>p</i> = " VALUE "</span>"

/* The test decides: an interval that reaches 0 says how small the gap may be. Without a test the interval decides. */
static void doubt_is_said(void **state)
{
  (void)state;
  static const change seen[] = {{"grid.ci_low", 0}, {NULL, 0}};
  static const char *const seen_says[] = {
      "The ODE and the SDE of exact:gmm9 are",
      "(<span class=\"by\">grid</span>; interval 0 to 0.264; noise floor 0.0291; <span class=\"nb\"><i>p</i> "
      "= "
      "0.010</span>)",
      NULL};
  changed_page_has("bare", seen, seen_says);
  static const change changes[] = {{"grid.p_value", 0.2}, {NULL, 0}};
  static const char *const says[] = {
      "No gap is seen", "does not stand out from the noise",
      "The grid estimate sees no gap; exact, on 2000 particles of each law, does " P(
          "0.010") "), and gaussian, from "
                   "means and covariances of 6000 particles of each law, does " P("0.010") ").",
      NULL};
  changed_page_has("bare", changes, says);
}

static void disagreement_is_said(void **state)
{
  (void)state;
  static const change blind[] = {{"exact.p_value", 0.08}, {NULL, 0}};
  static const char *const blind_says[] = {
      "The ODE and the SDE of exact:gmm9 are", "<span class=\"by\">grid</span>;",
      "<strong>The grid estimate sees a gap; exact, on 2000 particles of each law, does not " P(
          "0.080") "). A test on fewer particles sees only larger gaps.</strong>",
      NULL};
  changed_page_has("bare", blind, blind_says);
  /* it is the rows of the test that count, where they are fewer than those of the value */
  static const change short_test[] = {
      {"exact.p_value", 0.08}, {"exact.tested_x", 1000}, {"exact.tested_y", 900}, {NULL, 0}};
  static const char *const short_says[] = {"exact, on 1000 particles of the ODE and 900 of the SDE, does not",
                                           NULL};
  changed_page_has("bare", short_test, short_says);
  static const change untested[] = {
      {"exact.p_value", NAN}, {"exact.ci_low", 0}, {"gaussian.p_value", NAN}, {NULL, 0}};
  static const char *const untested_say[] = {"The grid estimate sees a gap; exact, on 2000 particles of each "
                                             "law, does not (its interval reaches 0).",
                                             NULL};
  changed_page_has("bare", untested, untested_say);
}

/* 60 of 6000 is 1 %, which is too much; 59 is not. */
static void headline_estimator_follows_the_rule(void **state)
{
  (void)state;
  static const change kept[] = {{"grid.used_y", 5941}, {"grid.outside_y", 59}, {NULL, 0}};
  static const char *const kept_says[] = {"(<span class=\"by\">grid</span>; ",
                                          "without 0 of 6000 (0 %) and 59 of 6000 (0.98 %) beyond the grid",
                                          NULL};
  changed_page_has("bare", kept, kept_says);
  static const change lost[] = {
      {"grid.used_y", 5940}, {"grid.outside_y", 60}, {"grid.p_value", 0.5}, {NULL, 0}};
  static const char *const lost_says[] = {
      "(<span class=\"by\">exact</span>; ", "(ODE, SDE), <span class=\"by\">exact</span></dt><dd>0.252",
      "The exact estimate sees a gap; grid, on 6000 particles of the ODE and 5940 of the SDE, does not",
      NULL};
  changed_page_has("bare", lost, lost_says);
  static const change third[] = {{"grid", 0}, {"exact.value", NAN}, {NULL, 0}};
  static const char *const third_says[] = {"(<span class=\"by\">gaussian</span>; ", NULL};
  changed_page_has("bare", third, third_says);
  static const change alone[] = {
      {"exact", 0}, {"gaussian", 0}, {"grid.used_x", 5000}, {"grid.outside_x", 1000}, {NULL, 0}};
  static const char *const alone_says[] = {"(<span class=\"by\">grid</span>; ", "1000 of 6000 (17 %)", NULL};
  changed_page_has("bare", alone, alone_says);
  static const change none[] = {{"exact", 0}, {"gaussian", 0}, {"grid", 0}, {NULL, 0}};
  static const char *const none_says[] = {"could not be estimated.</h1>", NULL};
  changed_page_has("bare", none, none_says);
}

static void dimension_is_said(void **state)
{
  (void)state;
  static const change near[] = {{"exact.floor", 0.22}, {NULL, 0}}; /* 0.2518 <= 1.2 * 0.22 */
  static const char *const near_says[] = {
      "In 10 dimensions the exact estimate of 2000 points is dominated by its floor",
      "<i>n</i><sup>" MINUS "1/10</sup>", "go by gaussian", "(0.151, noise floor 0.0180)", NULL};
  changed_page_has("high", near, near_says);
  static const change without[] = {{"exact.floor", 0.22}, {"gaussian", 0}, {NULL, 0}};
  static const char *const without_says[] = {"add gaussian to compare.estimators", NULL};
  changed_page_has("high", without, without_says);
  char folder[256];
  snprintf(folder, sizeof folder, "%s/far", scratch_folder);
  static const change far[] = {{"exact.floor", 0.2}, {NULL, 0}}; /* 0.2518 > 1.2 * 0.2 */
  char *text = changed_report("high", folder, far);
  assert_null(strstr(text, "dominated by its floor"));
  free(text);
}

/* The same run gives the same page, byte for byte. */
static void pages_repeat(void **state)
{
  (void)state;
  char folder[256];
  snprintf(folder, sizeof folder, "%s/again", scratch_folder);
  char *first = write_report("full", folder), *second = write_report("full", folder);
  assert_string_equal(first, second);
  free(first);
  free(second);
  remove_run(folder);
}

/* ---- failing ----------------------------------------------------------------------------- */

static void expect_failure(const char *folder, fg_code code, const char *says)
{
  fg_status st = {0};
  assert_int_equal(fg_report_write(folder, &st), code);
  if (!strstr(st.message, says)) fail_msg("\"%s\" does not say \"%s\"", st.message, says);
}

static void bad_runs_fail_well(void **state)
{
  (void)state;
  char folder[256], path[300];
  fg_status st = {0};
  make_run run;
  snprintf(folder, sizeof folder, "%s/bad", scratch_folder);
  expect_failure(folder, FG_IO, "results.json");
  kind_of_run("bare", &run);
  make_run_directory(folder, &run);
  snprintf(path, sizeof path, "%s/samples.h5", folder);
  assert_int_equal(fg_file_write(path, "\x89HDF", 4, &st), FG_OK);
  expect_failure(folder, FG_IO, "samples.h5");
  fg_h5 *file;
  const double two[4] = {1, 2, 3, 4};
  assert_int_equal(fg_h5_create(path, &file, &st), FG_OK);
  make_write(file, "ode", 2, 2, 2, 1, two);
  make_write(file, "sde", 2, 4, 1, 1, two);
  assert_int_equal(fg_h5_commit(&file, &st), FG_OK);
  expect_failure(folder, FG_IO, "sde has rank 2 and shape 4 x 1");
  snprintf(path, sizeof path, "%s/results.json", folder);
  assert_int_equal(fg_file_write(path, "{\"schema\": 7}", 13, &st), FG_OK);
  expect_failure(folder, FG_IO, "schema is 7");
  assert_int_equal(fg_file_write(path, "{\"schema\":\n 1,", 14, &st), FG_OK);
  expect_failure(folder, FG_IO, "line 2");
  remove_run(folder);
}

static void missing_gnuplot_is_named(void **state)
{
  (void)state;
  char folder[256];
  make_run run;
  snprintf(folder, sizeof folder, "%s/plain", scratch_folder);
  kind_of_run("bare", &run);
  make_run_directory(folder, &run);
  char *path = strdup(getenv("PATH"));
  assert_int_equal(setenv("PATH", "/nowhere", 1), 0);
  expect_failure(folder, FG_UNSUPPORTED, "gnuplot-nox");
  assert_int_equal(setenv("PATH", path, 1), 0);
  free(path);
  remove_run(folder); /* no half-written page */
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_is_escaped),
      cmocka_unit_test(numbers_read_well),
      cmocka_unit_test(svg_is_tidied),
      cmocka_unit_test(maps_count_points),
      cmocka_unit_test(view_holds_the_bulk),
      cmocka_unit_test(full_page),
      cmocka_unit_test(other_pages),
      cmocka_unit_test(pages_repeat),
      cmocka_unit_test(doubt_is_said),
      cmocka_unit_test(disagreement_is_said),
      cmocka_unit_test(headline_estimator_follows_the_rule),
      cmocka_unit_test(dimension_is_said),
      cmocka_unit_test(bad_runs_fail_well),
      cmocka_unit_test(missing_gnuplot_is_named),
  };
  make_run run;
  if (argc == 4 && strcmp(argv[1], "--make") == 0) {
    fg_status st = {0};
    if (!kind_of_run(argv[2], &run)) return 2;
    make_run_directory(argv[3], &run);
    if (fg_report_write(argv[3], &st) == FG_OK) return 0;
    fprintf(stderr, "%s\n", st.message);
    return 1;
  }
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}

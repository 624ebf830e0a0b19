/* needs: analysis */
/* A report as Markdown and JSON, several runs on one page, and what is said when a browser is missing. */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "flowgap/analysis.h"
#include "support/make_run.h"
#include "support/scratch.h"

static const make_run plain = {.d = 2,
                               .n = 3000,
                               .target = true,
                               .snapshots = true,
                               .trajectories = true,
                               .residual = true,
                               .shift = 0.25,
                               .name = "perturbed:gmm9 <b> & \"c\""};

static void make(const char *folder, double shift, size_t d)
{
  make_run run = plain;
  run.shift = shift;
  run.d = d;
  make_run_directory(scratch(folder), &run);
}

static char *read_text(const char *path)
{
  unsigned char *text = NULL;
  size_t size;
  fg_status st = {0};
  if (fg_file_read(path, &text, &size, &st) != FG_OK) fail_msg("%s", st.message);
  return (char *)text;
}

static char *save(const char *const *runs, size_t count, fg_report_format format, const char *path)
{
  fg_status st = {0};
  const fg_report_output output = {format, path};
  if (fg_report_save(runs, count, &output, 1, &st) != FG_OK) fail_msg("%s", st.message);
  return read_text(path);
}

static void has(const char *text, const char *what)
{
  if (!strstr(text, what)) fail_msg("missing: %s", what);
}

static int count_of(const char *text, const char *what)
{
  int count = 0;
  for (; (text = strstr(text, what)) != NULL; text += strlen(what)) count++;
  return count;
}

static void remove_tree(const char *path)
{
  char inside[600];
  DIR *folder = opendir(path);
  if (!folder) {
    unlink(path);
    return;
  }
  for (struct dirent *e; (e = readdir(folder)) != NULL;) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    snprintf(inside, sizeof inside, "%s/%s", path, e->d_name);
    remove_tree(inside);
  }
  closedir(folder);
  rmdir(path);
}

static int remove_all(void **state)
{
  (void)state;
  remove_tree(scratch_folder);
  return 0;
}

/* ---- Markdown --------------------------------------------------------------------------------------- */

/* Cells of a line of a table: bars that are not taken literally. */
static int bars(const char *line)
{
  int count = 0;
  for (const char *at = line; *at && *at != '\n'; at++) count += *at == '|' && (at == line || at[-1] != '\\');
  return count;
}

/* All lines of a table have as many cells as its first; returns the number of tables. */
static int check_tables(const char *text)
{
  int tables = 0, width = 0;
  for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
    if (*at != '|') {
      width = 0;
      continue;
    }
    if (!width) tables++;
    if (width && bars(at) != width) fail_msg("a row of another width: %.80s", at);
    width = bars(at);
  }
  return tables;
}

/* HTML that Markdown keeps, and no other. */
static void check_tags(const char *text)
{
  static const char *const kept[] = {"sub>", "sup>", "br>", "details>", "summary>"};
  bool code = false;
  for (const char *at = text; *at; at++) {
    if (!strncmp(at, "```", 3)) {
      code = !code;
      at += 2;
    }
    if (*at != '<' || code) continue;
    const char *name = at + 1 + (at[1] == '/');
    bool known = false;
    for (size_t k = 0; k < sizeof kept / sizeof *kept; k++)
      known = known || !strncmp(name, kept[k], strlen(kept[k]));
    if (!known) fail_msg("a tag of the page was left: %.40s", at);
  }
}

/* The pictures that the text names are there, and no others. */
static void check_pictures(const char *text, const char *folder, int wanted)
{
  char path[600], word[80], link[120];
  int files = 0;
  DIR *all = opendir(folder);
  assert_non_null(all);
  for (struct dirent *e; (e = readdir(all)) != NULL;) {
    if (e->d_name[0] == '.') continue;
    files++;
    snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    snprintf(word, sizeof word, "%.70s", e->d_name);
    snprintf(link, sizeof link, "](report_figures/%s)", word);
    has(text, link);
    char *bytes = read_text(path);
    assert_memory_equal(bytes, "\x89PNG", 4);
    free(bytes);
  }
  closedir(all);
  assert_int_equal(files, wanted);
  assert_int_equal(count_of(text, "](report_figures/"), wanted);
}

static void markdown(void **state)
{
  (void)state;
  make("one", 0.25, 2);
  const char *run = scratch("one");
  char *text = save(&run, 1, FG_REPORT_MD, scratch("report.md"));
  has(text, "# The ODE and the SDE of perturbed:gmm9 &lt;b&gt; &amp; \"c\" are *W*<sub>2</sub> = ");
  has(text, "| ODE | SDE | Target | SDE \xe2\x88\x92 ODE |\n|---|---|---|---|\n| ![Density map of the ODE's "
            "particles]"
            "(report_figures/map-ode.png) |");
  has(text, "## Wasserstein distances\n");
  has(text, "| Estimator | Pair | *W*<sub>2</sub> |");
  has(text, "\n| exact | ODE \xe2\x80\x93 SDE | ");
  has(text, "\xf0\x9f\x9f\xa6 ODE \xc2\xb7 \xf0\x9f\x9f\xa7 SDE"); /* colours of a legend */
  has(text, "density of particles: 0 \xe2\x80\xa6 ");
  has(text, "<details>\n<summary>config.yaml</summary>\n\n```\nseed: 1\n");
  has(text, "# a < b & c\n```\n\n</details>"); /* code stays as it is */
  /* of nine snapshots the first, the middle and the last */
  has(text, "frame-0-gap.png");
  has(text, "frame-4-gap.png");
  has(text, "frame-8-gap.png");
  assert_null(strstr(text, "frame-3-"));
  assert_null(strstr(text, "Play"));
  assert_null(strstr(text, "\n\n\n\n"));
  assert_true(check_tables(text) >= 6);
  check_tags(text);
  static const char *const others[] = {"plane",    "paths", "estimates", "gap-time", "residual",
                                       "relative", "work",  "step",      "order"};
  for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
    char name[64];
    snprintf(name, sizeof name, "](report_figures/%s.png)", others[k]);
    has(text, name);
  }
  check_pictures(text, scratch("report_figures"), 4 + 9 + 9); /* maps, frames, the others */
  free(text);
}

/* ---- JSON ------------------------------------------------------------------------------------------- */

static const json_t *at(const json_t *from, const char *path)
{
  char key[64];
  for (; *path; path += *path == '.') {
    size_t length = strcspn(path, ".");
    snprintf(key, sizeof key, "%.*s", (int)length, path);
    from = json_is_array(from) ? json_array_get(from, (size_t)atoi(key)) : json_object_get(from, key);
    path += length;
  }
  if (!from) fail_msg("missing: %s", key);
  return from;
}

static double number(const json_t *from, const char *path)
{
  return json_number_value(at(from, path));
}

static void json_document(void **state)
{
  (void)state;
  make("one", 0.25, 2);
  const char *run = scratch("one");
  char *text = save(&run, 1, FG_REPORT_JSON, scratch("one.json"));
  json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(root);
  assert_true(number(root, "schema") == 1);
  assert_string_equal(json_string_value(at(root, "verb")), "report");
  assert_string_equal(json_string_value(at(root, "runs.0.directory")), run);
  const json_t *results = at(root, "runs.0.results");
  assert_string_equal(json_string_value(at(root, "runs.0.headline.estimator")), "grid");
  assert_string_equal(json_string_value(at(root, "runs.0.headline.verdict")), "apart");
  assert_true(number(root, "runs.0.headline.value") == number(results, "w2.grid.ode_sde.value"));
  assert_true(fabs(number(root, "runs.0.residual_root_mean_square") - sqrt(0.00312)) < 1e-15);
  /* every particle is in a cell or outside */
  static const char *const laws[] = {"ode", "sde", "target"};
  for (int k = 0; k < 3; k++) {
    const json_t *law = at(at(root, "densities"), laws[k]), *cells = at(law, "count"), *cell;
    double sum = number(law, "outside");
    size_t i;
    json_array_foreach((json_t *)cells, i, cell) sum += json_number_value(cell);
    assert_true(sum == 3000);
    double bins = number(root, "densities.bins");
    assert_true((double)json_array_size(cells) == bins * bins);
  }
  /* what gnuplot drew is what results.json holds, to nine digits */
  assert_string_equal(json_string_value(at(root, "figures.residual.title")), "Residual against time");
  assert_int_equal(json_array_size(at(root, "figures.residual.data.residual")), 24);
  double drawn = number(root, "figures.residual.data.residual.5.1"),
         kept = number(results, "residual.profile.5.mean_square");
  assert_true(fabs(drawn - kept) < 1e-8 * kept);
  assert_string_equal(json_string_value(at(root, "figures.estimates.data.estimates.0.6")),
                      "exact, ODE \xe2\x80\x93 SDE");
  json_decref(root);
  free(text);
}

/* ---- side by side ------------------------------------------------------------------------------------- */

static void put_file(const char *folder, const char *name, const char *text)
{
  char path[400];
  fg_status st = {0};
  mkdir(folder, 0777);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  assert_int_equal(fg_file_write(path, text, strlen(text), &st), FG_OK);
}

/* The texts inside a figure of the page, one after another: the labels of its axes. */
static void labels_of(const char *page, const char *figure, char *labels, size_t room)
{
  char open[80];
  size_t used = 0;
  snprintf(open, sizeof open, "<figure id=\"figure-%s\">", figure);
  const char *from = strstr(page, open), *end = from ? strstr(from, "</svg>") : NULL;
  if (!end) fail_msg("there is no figure %s", figure);
  labels[0] = 0;
  for (const char *c = from; (c = strstr(c, "<text>")) && c < end; c++) {
    const char *close = strstr(c, "</text>");
    for (const char *d = c; d < close && used + 1 < room; d++) labels[used++] = *d;
    labels[used] = 0;
  }
}

static void side_by_side(void **state)
{
  (void)state;
  mkdir(scratch("x"), 0777);
  mkdir(scratch("y"), 0777);
  make("x/one", 0.25, 2);
  make("y/one", 4, 2); /* whose own view would be wider */
  put_file(scratch("x/one"), "config.yaml",
           "seed: 1\nflow:\n  sde:\n    steps: 800\n    lambda: 1\nbox: 3\n");
  put_file(scratch("y/one"), "config.yaml",
           "seed: 1\nflow:\n  sde:\n    steps: 200\n    lambda: 1\nbox: 4\n");
  put_file(scratch("trained"), "checkpoint.h5", "");
  put_file(scratch("trained"), "metrics.jsonl",
           "{\"step\": 10, \"loss\": 1}\n{\"step\": 20, \"loss\": 0.5}\n");
  put_file(scratch("trained"), "results.json",
           "{\"schema\": 1, \"verb\": \"train\", \"wall_seconds\": 4, \"train\": {\"method\": \"dis\"},"
           "\"sampler\": {\"log_z_is\": -0.125, \"log_z_is_se\": 0.01, \"ess\": 0.75,"
           "\"w2\": {\"value\": 0.5, \"floor\": 0.25, \"ci_low\": 0.4375, \"ci_high\": 0.5625}}}");
  const char *const runs[] = {scratch("x/one"), scratch("y/one"), scratch("trained")};
  char *text = save(runs, 3, FG_REPORT_HTML, scratch("side.html"));
  has(text, ": 3 runs side by side</title>");
  has(text, "(ODE, SDE)</span> of 2 runs: from 0.244 <span class=\"detail\">(x/one, grid)</span> to ");
  has(text, "2 comparisons, 1 training.");
  has(text, "<th scope=\"col\">trained<br/>dis<br/>train</th>");
  has(text, "<tr><th scope=\"row\">log <i>Z</i></th><td>");
  has(text, "<td>\xe2\x88\x92"
            "0.125<span class=\"none\"><br/>\xe2\x88\x92"
            "0.145 to \xe2\x88\x92"
            "0.105</span></td>");
  has(text, "<td>0.500<span class=\"none\"><br/>0.438 to 0.562<br/>floor 0.25<br/>exact</span></td>");
  assert_null(strstr(text, "own gap")); /* no run has an error budget */
  /* only what differs, and only settings */
  has(text,
      "<tr><th scope=\"row\">flow.sde.steps</th><td class=\"left\">800</td><td class=\"left\">200</td>");
  assert_null(strstr(text, "<th scope=\"row\">flow.sde.lambda</th>"));
  assert_null(strstr(text, "<th scope=\"row\">seed</th>"));
  assert_null(strstr(text, "<th scope=\"row\">box</th>"));
  has(text, "1 of the runs has no config.yaml.");
  /* three estimators, gap on the way, residual; three rows of two maps; the loss of the training */
  assert_int_equal(count_of(text, "<svg "), 3 + 2 + 6 + 1);
  char first[2000], second[2000];
  labels_of(text, "side-sde-0", first, sizeof first);
  labels_of(text, "side-sde-1", second, sizeof second);
  assert_string_equal(first, second);
  assert_true(strlen(first) > 20);
  assert_true(strlen(text) < 2000000);
  free(text);
  text = save(runs, 3, FG_REPORT_MD, scratch("side.md"));
  assert_true(check_tables(text) >= 6);
  check_tags(text);
  has(text, "| Setting | x/one | y/one | trained |\n|:--|--:|--:|--:|\n| flow.sde.steps | 800 | 200 |");
  free(text);
}

/* Runs in one dimension have curves; one in another dimension is left out and counted. */
static void other_dimensions(void **state)
{
  (void)state;
  make("line-a", 0.25, 1);
  make("line-b", 0.5, 1);
  make("wide", 0.5, 3);
  const char *const runs[] = {scratch("line-a"), scratch("line-b"), scratch("wide")};
  char *text = save(runs, 3, FG_REPORT_HTML, scratch("lines.html"));
  has(text, "<figure id=\"figure-side-laws\">");
  has(text, "Left out: 1 comparison without samples or in another dimension.");
  assert_null(strstr(text, "figure-side-ode-0"));
  has(text, "What differs in the settings</h2>\n<p class=\"note\">Nothing: all runs have the same settings.");
  free(text);
}

static void refused(void **state)
{
  (void)state;
  fg_status st = {0};
  make("one", 0.25, 2);
  put_file(scratch("swept"), "results.json", "{\"schema\": 1, \"verb\": \"sweep\"}");
  const char *const runs[] = {scratch("one"), scratch("swept")}, *const missing[] = {scratch("one"),
                                                                                     scratch("none")};
  const fg_report_output output = {FG_REPORT_HTML, scratch("no.html")};
  assert_int_equal(fg_report_save(runs, 2, &output, 1, &st), FG_USAGE);
  has(st.message, "swept holds a sweep, which cannot stand beside other runs");
  assert_int_equal(fg_report_save(missing, 2, &output, 1, &st), FG_IO);
  has(st.message, "none/results.json: there is no such run directory");
  assert_int_not_equal(access(output.path, F_OK), 0);
  assert_int_equal(fg_report_save(runs, 0, &output, 1, &st), FG_USAGE);
}

/* ---- a missing browser ---------------------------------------------------------------------------------- */

/* gnuplot alone is on the PATH: pdf and png say what to install, and leave nothing behind. */
static void missing_browser(void **state)
{
  (void)state;
  fg_status st = {0};
  char *path = strdup(getenv("PATH")), gnuplot[300] = "", word[300];
  char folder[256];
  snprintf(folder, sizeof folder, "%s", scratch("one"));
  const char *const run = folder;
  make("one", 0.25, 2);
  for (const char *at = path; at && *at;) {
    size_t length = strcspn(at, ":");
    snprintf(word, sizeof word, "%.*s/gnuplot", (int)length, at);
    if (!gnuplot[0] && access(word, X_OK) == 0) strcpy(gnuplot, word);
    at = at[length] ? at + length + 1 : NULL;
  }
  assert_true(gnuplot[0]);
  mkdir(scratch("bin"), 0777);
  mkdir(scratch("temporary"), 0777);
  assert_int_equal(symlink(gnuplot, scratch("bin/gnuplot")), 0);
  assert_int_equal(setenv("PATH", scratch("bin"), 1), 0);
  assert_int_equal(setenv("TMPDIR", scratch("temporary"), 1), 0);
  for (int k = 0; k < 2; k++) {
    const fg_report_output output = {k ? FG_REPORT_PDF : FG_REPORT_PNG, scratch("page")};
    assert_int_equal(fg_report_save(&run, 1, &output, 1, &st), FG_UNSUPPORTED);
    has(st.message, "install the package chromium");
    assert_int_not_equal(access(output.path, F_OK), 0);
  }
  assert_int_equal(setenv("PATH", path, 1), 0);
  unsetenv("TMPDIR");
  assert_int_equal(rmdir(scratch("temporary")), 0);
  free(path);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(markdown),         cmocka_unit_test(json_document), cmocka_unit_test(side_by_side),
      cmocka_unit_test(other_dimensions), cmocka_unit_test(refused),       cmocka_unit_test(missing_browser),
  };
  return cmocka_run_group_tests(tests, scratch_make, remove_all);
}

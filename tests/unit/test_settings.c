/* needs: base */
/* The settings table, its YAML reader, assignments, typed access and the writer. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "flowgap/base.h"

static fg_settings *fresh(void)
{
  fg_settings *settings = NULL;
  fg_status st = {0};
  if (fg_settings_create(&settings, &st) != FG_OK) fail_msg("%s", st.message);
  return settings;
}

static fg_settings *parsed(const char *text)
{
  fg_settings *settings = fresh();
  fg_status st = {0};
  if (fg_settings_parse(settings, text, "test.yaml", &st) != FG_OK) fail_msg("%s", st.message);
  return settings;
}

static double real_of(const fg_settings *s, const char *key)
{
  double value = 0;
  assert_int_equal(fg_settings_real(s, key, &value, NULL), FG_OK);
  return value;
}

static int64_t integer_of(const fg_settings *s, const char *key)
{
  int64_t value = 0;
  assert_int_equal(fg_settings_integer(s, key, &value, NULL), FG_OK);
  return value;
}

static const char *text_of(const fg_settings *s, const char *key)
{
  const char *value = NULL;
  assert_int_equal(fg_settings_text(s, key, &value, NULL), FG_OK);
  return value;
}

static bool flag_of(const fg_settings *s, const char *key)
{
  bool value = false;
  assert_int_equal(fg_settings_flag(s, key, &value, NULL), FG_OK);
  return value;
}

/* ---- the table ---------------------------------------------------------------------------- */

static void test_table_is_sound(void **state)
{
  (void)state;
  size_t rows;
  const fg_setting *table = fg_settings_table(&rows);
  assert_true(rows > 70);
  for (size_t i = 0; i < rows; i++) {
    const fg_setting *row = &table[i];
    size_t length = strlen(row->help);
    assert_true(length > 10 && row->help[length - 1] == '.');
    assert_non_null(row->unit);
    bool number =
        row->type == FG_SETTING_INTEGER || row->type == FG_SETTING_REAL || row->type == FG_SETTING_ARRAY;
    if (number) assert_true(row->low < row->high);
    if (row->type == FG_SETTING_CHOICE) assert_non_null(row->choices);
    for (size_t k = 0; k < i; k++) assert_string_not_equal(table[k].key, row->key);
    const char *dot = strrchr(row->key, '.'); /* rows of one group stand together */
    size_t group = dot ? (size_t)(dot - row->key) + 1 : 0;
    for (size_t k = i; group && k-- > 0;)
      if (strncmp(table[k].key, row->key, group) == 0) {
        for (size_t between = k; between < i; between++)
          assert_int_equal(strncmp(table[between].key, row->key, group), 0);
        break;
      }
  }
}

static void test_defaults(void **state)
{
  (void)state;
  fg_settings *s = fresh();
  assert_int_equal(integer_of(s, "seed"), 1);
  assert_int_equal(integer_of(s, "compare.particles"), 20000);
  assert_true(isnan(real_of(s, "process.rate")));
  assert_true(isnan(real_of(s, "prior.variance")));
  assert_int_equal(integer_of(s, "target.dimension"), 0); /* auto */
  assert_true(real_of(s, "model.length") == sqrt(8.0));
  assert_string_equal(text_of(s, "process.kind"), "ou");
  assert_string_equal(text_of(s, "model.file"), "");
  assert_true(flag_of(s, "flow.sde.last_step_noise"));
  assert_false(fg_settings_given(s, "seed"));
  const char *const *words;
  size_t count;
  assert_int_equal(fg_settings_words(s, "compare.estimators", &words, &count, NULL), FG_OK);
  assert_int_equal(count, 5);
  assert_string_equal(words[1], "grid");
  const double *values = &(double){0};
  size_t shape[3];
  assert_int_equal(fg_settings_array(s, "flow.sde.grid", &values, shape, NULL), FG_OK);
  assert_null(values);
  assert_int_equal(shape[0], 0);
  assert_int_equal(shape[1], 1);
  assert_int_equal(shape[2], 1);
  fg_settings_destroy(&s);
  assert_null(s);
  fg_settings_destroy(&s);
}

/* ---- reading ------------------------------------------------------------------------------ */

static void test_the_documented_example(void **state)
{
  (void)state;
  fg_settings *s = parsed("seed: 1\n"
                          "process: {kind: ou, rate: 1, diff: 1, horizon: 10}\n"
                          "prior:   {kind: gaussian, variance: 0.5}\n"
                          "target:  {kind: circles}\n"
                          "model:   {kind: network, form: potential, file: circles.safetensors,\n"
                          "          layers: [input, hidden1, hidden2, output], inputs: [t, x],\n"
                          "          activation: softplus, beta: 100, threshold: 20}\n"
                          "flow:\n"
                          "  sde: {method: euler, grid: [[10, 0.125, 790], [0.125, 0, 100]], lambda: 1,\n"
                          "        last_step_noise: false}\n"
                          "  ode: {method: adams, rtol: 1e-6, atol: 1e-8, t_end: 1e-4}  # or euler\n"
                          "compare: {particles: 100000, estimators: [exact, grid, gaussian],\n"
                          "          grid: {bins: 64, half_width: 3.5}, box: 3.5}\n");
  assert_true(real_of(s, "prior.variance") == 0.5);
  assert_true(real_of(s, "model.beta") == 100);
  assert_string_equal(text_of(s, "model.file"), "circles.safetensors");
  assert_string_equal(fg_settings_folder(s, "model.file"), "");
  assert_false(flag_of(s, "flow.sde.last_step_noise"));
  assert_true(real_of(s, "flow.ode.t_end") == 1e-4);
  assert_int_equal(integer_of(s, "compare.grid.bins"), 64);
  assert_true(fg_settings_given(s, "compare.box"));
  assert_false(fg_settings_given(s, "compare.confidence"));
  const double *values;
  size_t shape[3];
  assert_int_equal(fg_settings_array(s, "flow.sde.grid", &values, shape, NULL), FG_OK);
  const double expected[6] = {10, 0.125, 790, 0.125, 0, 100};
  assert_int_equal(shape[0], 2);
  assert_int_equal(shape[1], 3);
  assert_int_equal(shape[2], 1);
  assert_memory_equal(values, expected, sizeof expected);
  const char *const *words;
  size_t count;
  assert_int_equal(fg_settings_words(s, "model.layers", &words, &count, NULL), FG_OK);
  assert_int_equal(count, 4);
  assert_string_equal(words[3], "output");
  fg_settings_destroy(&s);
}

static void test_dotted_keys_and_shapes(void **state)
{
  (void)state;
  fg_settings *s = parsed("\xEF\xBB\xBF# with a byte order mark\n"
                          "flow.sde.steps: 3\n"
                          "flow:\n  sde.lambda: .5\n  ode: {rtol: 1.E-3}\n"
                          "target.covariances: [[[1, 0.5], [0.5, 2]], [[3, 0], [0, 4]], [[5, 0], [0, 6]]]\n"
                          "target.weights: 7\n"
                          "compare.estimators: exact\n"
                          "compare.particles: 1e6\n"
                          "target.file: \"a \\\"b\\\" \\u00e9.csv\"\n"
                          "process: {rate: auto, diff: +2}\n");
  assert_int_equal(integer_of(s, "flow.sde.steps"), 3);
  assert_int_equal(integer_of(s, "compare.particles"), 1000000);
  assert_true(real_of(s, "flow.sde.lambda") == 0.5);
  assert_true(real_of(s, "flow.ode.rtol") == 1e-3);
  assert_true(real_of(s, "process.diff") == 2);
  assert_true(isnan(real_of(s, "process.rate")));
  assert_false(fg_settings_given(s, "process.rate"));
  assert_string_equal(text_of(s, "target.file"), "a \"b\" \xC3\xA9.csv");
  const double *values;
  size_t shape[3];
  assert_int_equal(fg_settings_array(s, "target.covariances", &values, shape, NULL), FG_OK);
  assert_int_equal(shape[0], 3);
  assert_int_equal(shape[1], 2);
  assert_int_equal(shape[2], 2);
  assert_true(values[1] == 0.5 && values[11] == 6);
  assert_int_equal(fg_settings_array(s, "target.weights", &values, shape, NULL), FG_OK);
  assert_true(shape[0] == 1 && shape[1] == 1 && shape[2] == 1 && values[0] == 7);
  fg_settings_destroy(&s);
}

static void test_nothing_given(void **state)
{
  (void)state;
  static const char *const texts[] = {"",    "# only a comment\n", "---\n...\n", "--- # nothing\n", "{}\n",
                                      "\n\n"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    fg_settings *s = parsed(texts[i]);
    assert_int_equal(integer_of(s, "seed"), 1);
    fg_settings_destroy(&s);
  }
}

typedef struct refusal {
  const char *text, *message;
} refusal;

static const refusal refusals[] = {
    {"flow:\n  sde:\n    stepz: 3\n",
     "bad.yaml, line 3, column 5: unknown setting flow.sde.stepz: did you mean flow.sde.steps?"},
    {"sde: {steps: 3}\n", "line 1, column 1: unknown setting sde"},
    {"lambda: 3\n", "did you mean flow.sde.lambda?"},
    {"qqqqqqqqqqqqqq: 3\n", "`flowgap help settings` lists them all"},
    {"seed: 3.5\n", "line 1, column 7: seed is \"3.5\": give an integer from 0 to 9007199254740992"},
    {"seed: 1.5abc\n", "give an integer"},
    {"seed: 0x10\n", "give an integer"},
    {"seed: 1e400\n", "give an integer"},
    {"seed: 99999999999999999999\n", "give an integer"},
    {"seed: -1\n", "seed is -1: give an integer from 0"},
    {"seed: '3'\n", "seed is the quoted text \"3\": give an integer without quotes"},
    {"seed:\n", "seed has no value"},
    {"seed: ~\n", "seed has no value"},
    {"seed: [1]\n", "seed takes an integer, not a list"},
    {"seed: {a: 1}\n", "seed takes an integer, not a group"},
    {"process: {rate: nan}\n",
     "line 1, column 17: process.rate is \"nan\": give a number from 1e-12 to 1000000000000, or auto"},
    {"process: {rate: .inf}\n", "give a number"},
    {"process: {rate: 1.5abc}\n", "give a number"},
    {"process: {rate: 0x1p3}\n", "give a number"},
    {"process: {rate: 1e}\n", "give a number"},
    {"process: {rate: .}\n", "give a number"},
    {"process: {rate: 1e999}\n", "give a number"},
    {"process: {rate: 0}\n", "process.rate is 0: give a number from 1e-12"},
    {"process: {horizon: 1,5}\n", "unknown setting process.5"},
    {"compare: {particles: 0}\n", "compare.particles is 0: give an integer from 4 to 1000000000"},
    {"compare: {particles: auto}\n", "give an integer"},
    {"flow.sde.last_step_noise: yes\n", "give true or false"},
    {"process.kind: ouu\n", "process.kind is \"ouu\": did you mean ou? (one of: ou vp ve bm pinned)"},
    {"process.kind: brownian\n", "give one of: ou vp ve bm pinned"},
    {"process: 3\n", "process is a group of settings"},
    {"process:\n", "process is a group of settings"},
    {"process: [3]\n", "process is a group of settings"},
    {"seed: 1\nseed: 2\n", "line 2, column 1: seed was already given on line 1"},
    {"flow: {sde: {steps: 1}}\nflow.sde.steps: 2\n",
     "line 2, column 1: flow.sde.steps was already given on line 1"},
    {"flow: {sde: {steps: 1}}\nflow: {ode: {rtol: 1}}\n",
     "line 2, column 1: flow was already given on line 1"},
    {"flow.sde.grid: [[1, 2, 3], [4, 5]]\n", "not rectangular: this list has 2 entries, the first one 3"},
    {"flow.sde.grid: [[1, 2], 3]\n", "mixes numbers and lists"},
    {"flow.sde.grid: [1, [2, 3]]\n", "mixes numbers and lists"},
    {"flow.sde.grid: [[], [2, 3]]\n", "empty list"},
    {"flow.sde.grid: [[[[1]]]]\n", "nested too deep"},
    {"flow.sde.grid: [1, , 2]\n", "line 1"},
    {"flow.sde.grid: [1, ~]\n", "empty entry"},
    {"flow.sde.grid: [1, '2']\n", "numbers without quotes"},
    {"flow.sde.grid: [1, -2]\n", "flow.sde.grid is -2: give numbers from 0"},
    {"flow.sde.grid: [1, {a: 2}]\n", "cannot stand in it"},
    {"flow.sde.grid: [1, two]\n", "flow.sde.grid is \"two\": give numbers"},
    {"compare.estimators: [exact, girds]\n", "did you mean grid?"},
    {"compare.estimators: [exact, exact]\n", "names exact twice"},
    {"compare.estimators: [[exact]]\n", "nested too deep"},
    {"seed: 1\n\tprocess: {}\n", "line 2"},
    {"process:\n\tkind: ou\n", "line 2, column 1: the line holds a tab"},
    {"process: {kind: ou\n", "not YAML"},
    {"seed: &a 1\n", "anchors (&) and aliases (*)"},
    {"seed: *a\n", "anchors (&) and aliases (*)"},
    {"seed: !!int 1\n", "tags (!)"},
    {"- 1\n", "settings are lines of `key: value`"},
    {"just words\n", "settings are lines of `key: value`"},
    {"[a]: 1\n", "a key must be a word"},
    {"seed: 1\n---\nseed: 2\n", "second document"},
    {"seed: \xff\n", "UTF-8"},
    {"target.file: \"a\\0b\"\n", "zero byte"},
};

static void test_refusals_say_where_and_how(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    fg_settings *s = fresh();
    fg_status st = {0};
    fg_code rc = fg_settings_parse(s, refusals[i].text, "bad.yaml", &st);
    if (rc != FG_USAGE) fail_msg("code %d for: %s (%s)", rc, refusals[i].text, st.message);
    if (strncmp(st.message, "bad.yaml, ", 10) != 0) fail_msg("no place in: %s", st.message);
    if (!strstr(st.message, refusals[i].message))
      fail_msg("for\n%s\nexpected: %s\n     got: %s", refusals[i].text, refusals[i].message, st.message);
    rc = fg_settings_parse(s, refusals[i].text, "bad.yaml", NULL); /* no status, or used twice: still safe */
    assert_int_equal(rc, FG_USAGE);
    fg_settings_destroy(&s);
  }
}

/* ---- assignments -------------------------------------------------------------------------- */

static void test_assignments(void **state)
{
  (void)state;
  fg_settings *s = parsed("flow.sde.steps: 3\n");
  fg_status st = {0};
  static const char *const good[] = {"flow.sde.steps=800",
                                     "process.rate=2.5",
                                     "model.file=a=b: #c",
                                     "compare.estimators=exact,gaussian",
                                     "flow.sde.grid=[10,1,5],[1,0,7]",
                                     "compare.snapshots=1,2,3",
                                     "target.means=[[1,2],[3,4]]",
                                     "flow.sde.last_step_noise=false",
                                     "target.dimension=auto"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    if (fg_settings_assign(s, good[i], &st) != FG_OK) fail_msg("%s: %s", good[i], st.message);
  assert_int_equal(integer_of(s, "flow.sde.steps"), 800);
  assert_true(real_of(s, "process.rate") == 2.5);
  assert_string_equal(text_of(s, "model.file"), "a=b: #c");
  const double *values;
  size_t shape[3], count;
  assert_int_equal(fg_settings_array(s, "flow.sde.grid", &values, shape, NULL), FG_OK);
  assert_true(shape[0] == 2 && shape[1] == 3 && values[5] == 7);
  assert_int_equal(fg_settings_array(s, "compare.snapshots", &values, shape, NULL), FG_OK);
  assert_true(shape[0] == 3 && shape[1] == 1);
  const char *const *words;
  assert_int_equal(fg_settings_words(s, "compare.estimators", &words, &count, NULL), FG_OK);
  assert_int_equal(count, 2);

  static const refusal bad[] = {
      {"flow.sde.steps", "is no assignment"},      {"=3", "is no assignment"},
      {"flow.sde.step=3", "did you mean"},         {"flow.sde=3", "is a group of settings"},
      {"flow.sde.steps=3.5", "give an integer"},   {"flow.sde.grid=[1,2],[3]", "not rectangular"},
      {"flow.sde.grid=1\nseed: 4", "one line"},    {"model.file=\xff", "not UTF-8"},
      {"flow.sde.grid=1] x: [2", "flow.sde.grid"}, {"flow.sde.steps=", "give an integer"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(fg_settings_assign(s, bad[i].text, &st), FG_USAGE);
    if (!strstr(st.message, bad[i].message)) fail_msg("expected: %s, got: %s", bad[i].message, st.message);
  }
  assert_int_equal(integer_of(s, "flow.sde.steps"), 800); /* a refused value changes nothing */
  assert_int_equal(integer_of(s, "seed"), 1);
  fg_settings_destroy(&s);
}

static void test_access_checks_key_and_type(void **state)
{
  (void)state;
  fg_settings *s = fresh();
  double value;
  int64_t integer;
  bool flag;
  const char *text;
  const double *values;
  const char *const *words;
  size_t shape[3];
  assert_int_equal(fg_settings_real(s, "no.such", &value, NULL), FG_FAILED);
  assert_int_equal(fg_settings_real(s, "seed", &value, NULL), FG_FAILED);
  assert_int_equal(fg_settings_integer(s, "process.rate", &integer, NULL), FG_FAILED);
  assert_int_equal(fg_settings_flag(s, "seed", &flag, NULL), FG_FAILED);
  assert_int_equal(fg_settings_text(s, "seed", &text, NULL), FG_FAILED);
  assert_int_equal(fg_settings_array(s, "seed", &values, shape, NULL), FG_FAILED);
  assert_int_equal(fg_settings_words(s, "seed", &words, shape, NULL), FG_FAILED);
  assert_false(fg_settings_given(s, "no.such"));
  assert_string_equal(fg_settings_folder(s, "no.such"), "");
  fg_settings_destroy(&s);
}

/* ---- writing ------------------------------------------------------------------------------ */

static char *yaml_of(const fg_settings *s)
{
  char *text = NULL;
  fg_status st = {0};
  if (fg_settings_yaml(s, &text, &st) != FG_OK) fail_msg("%s", st.message);
  return text;
}

static void test_yaml_reads_back_to_the_bit(void **state)
{
  (void)state;
  static const double numbers[] = {
      0.1, 1.0 / 3, 1e-12, 123456789.123456789, 2.2250738585072014e-8, 5e11, 0.30000000000000004};
  fg_settings *s = fresh();
  char assignment[200];
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    snprintf(assignment, sizeof assignment, "target.variance=%.17g", numbers[i]);
    assert_int_equal(fg_settings_assign(s, assignment, NULL), FG_OK);
    snprintf(assignment, sizeof assignment, "target.means=[[%.17g,%.17g],[-1,0]]", numbers[i], -numbers[i]);
    assert_int_equal(fg_settings_assign(s, assignment, NULL), FG_OK);
    assert_int_equal(fg_settings_assign(s, "target.covariances=[[[1,2],[3,4]],[[5,6],[7,8]]]", NULL), FG_OK);
    assert_int_equal(fg_settings_assign(s, "target.weights=4", NULL), FG_OK);
    char *text = yaml_of(s);
    fg_settings *back = parsed(text);
    assert_true(real_of(back, "target.variance") == numbers[i]);
    const double *values;
    size_t shape[3];
    assert_int_equal(fg_settings_array(back, "target.means", &values, shape, NULL), FG_OK);
    assert_true(shape[0] == 2 && shape[1] == 2 && values[0] == numbers[i] && values[1] == -numbers[i]);
    assert_int_equal(fg_settings_array(back, "target.covariances", &values, shape, NULL), FG_OK);
    assert_true(shape[0] == 2 && shape[1] == 2 && shape[2] == 2 && values[7] == 8);
    char *again = yaml_of(back);
    assert_string_equal(text, again);
    free(again);
    free(text);
    fg_settings_destroy(&back);
  }
  fg_settings_destroy(&s);
}

static void test_yaml_keeps_awkward_text(void **state)
{
  (void)state;
  static const char *const texts[] = {"plain",
                                      "with space",
                                      "true",
                                      "null",
                                      "~",
                                      "-",
                                      "a: b",
                                      "a #b",
                                      "'single'",
                                      "\"double\"",
                                      "1.5",
                                      "\\back",
                                      "tab\there",
                                      "new\nline",
                                      "\xC3\xA9t\xC3\xA9",
                                      "\xE2\x80\xA8",
                                      "[a]",
                                      "\x7F",
                                      "\xF0\x9F\x8C\x8A",
                                      "\xEF\xBB\xBF",
                                      "*a",
                                      "&a",
                                      "!t",
                                      "%d",
                                      "@x",
                                      "`",
                                      "a,b",
                                      ""};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    fg_settings *s = fresh();
    char assignment[100];
    snprintf(assignment, sizeof assignment, "target.dataset=%s", texts[i]);
    assert_int_equal(fg_settings_assign(s, assignment, NULL), FG_OK);
    char *yaml = yaml_of(s);
    fg_settings *back = parsed(yaml);
    assert_string_equal(text_of(back, "target.dataset"), texts[i]);
    free(yaml);
    fg_settings_destroy(&back);
    fg_settings_destroy(&s);
  }
}

/* A program that set a locale with a decimal comma still reads and writes points. */
static void test_other_locales(void **state)
{
  (void)state;
  static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C.UTF-8"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!setlocale(LC_NUMERIC, names[i])) continue;
    fg_settings *s = parsed("process.rate: 0.25\n");
    assert_true(real_of(s, "process.rate") == 0.25);
    char *yaml = yaml_of(s);
    assert_non_null(strstr(yaml, "rate: 0.25\n"));
    free(yaml);
    fg_settings_destroy(&s);
  }
  setlocale(LC_NUMERIC, "C");
}

/* ---- files and built-in models ------------------------------------------------------------ */

static void write_file(const char *path, const char *text)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static void test_files(void **state)
{
  (void)state;
  char folder[] = "/tmp/flowgap-settings-XXXXXX", path[200], run[200];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/a.yaml", folder);
  snprintf(run, sizeof run, "%s/config.yaml", folder);
  write_file(path, "model: {file: net.safetensors, layers: [a]}\n");
  fg_settings *s = fresh();
  fg_status st = {0};
  assert_int_equal(fg_settings_read(s, path, &st), FG_OK);
  assert_string_equal(fg_settings_folder(s, "model.file"), folder);
  assert_string_equal(fg_settings_folder(s, "seed"), "");

  char *yaml =
      yaml_of(s); /* a relative path becomes absolute, so that a run can be repeated from elsewhere */
  char expected[300];
  snprintf(expected, sizeof expected, "file: %s/net.safetensors\n", folder);
  assert_non_null(strstr(yaml, expected));
  write_file(run, yaml);
  fg_settings *back = fresh();
  assert_int_equal(fg_settings_load(back, folder, &st), FG_OK); /* a run directory */
  char *again = yaml_of(back);
  assert_string_equal(again, yaml);
  assert_true(fg_settings_given(back, "model.file"));
  assert_false(fg_settings_given(back, "compare.estimators")); /* given as its default */
  free(again);
  free(yaml);
  fg_settings_destroy(&back);

  assert_int_equal(unlink(run), 0);
  assert_int_equal(fg_settings_load(s, folder, &st), FG_IO);
  assert_non_null(strstr(st.message, "without config.yaml"));
  assert_int_equal(fg_settings_read(s, folder, &st), FG_IO);
  assert_int_equal(fg_settings_read(s, "/nonexistent/x.yaml", &st), FG_IO);
  assert_non_null(strstr(st.message, "/nonexistent/x.yaml: No such file"));
  assert_int_equal(truncate(path, 17 << 20), 0);
  assert_int_equal(fg_settings_read(s, path, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "larger than 16 MB"));
  assert_int_equal(unlink(path), 0);
  assert_int_equal(rmdir(folder), 0);
  fg_settings_destroy(&s);
}

static void test_builtin_models(void **state)
{
  (void)state;
  static const char *const kinds[] = {"exact", "perturbed"}, *const targets[] = {"gaussian", "gmm9", "blobs"};
  fg_status st = {0};
  for (int k = 0; k < 2; k++)
    for (int t = 0; t < 3; t++) {
      char name[40];
      snprintf(name, sizeof name, "%s:%s", kinds[k], targets[t]);
      fg_settings *s = fresh();
      if (fg_settings_load(s, name, &st) != FG_OK) fail_msg("%s", st.message);
      assert_string_equal(text_of(s, "model.kind"), kinds[k]);
      assert_string_equal(text_of(s, "target.kind"), targets[t]);
      fg_settings_destroy(&s);
    }
  static const char *const bad[] = {"exact:", "exact:circles", "exakt:gmm9", ":gmm9", "exact:gmm99"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    fg_settings *s = fresh();
    assert_int_equal(fg_settings_load(s, bad[i], &st), FG_USAGE);
    assert_non_null(strstr(st.message, "no built-in model"));
    fg_settings_destroy(&s);
  }
}

static void test_edit_distance(void **state)
{
  (void)state;
  assert_int_equal(fg_edit_distance("", ""), 0);
  assert_int_equal(fg_edit_distance("abc", ""), 3);
  assert_int_equal(fg_edit_distance("kitten", "sitting"), 3);
  assert_int_equal(fg_edit_distance("steps", "setps"), 1); /* neighbours swapped */
  assert_int_equal(fg_edit_distance("compare", "compare"), 0);
  char longest[400];
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  assert_int_equal(fg_edit_distance(longest, ""), 95); /* cut, not overrun */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table_is_sound),
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_the_documented_example),
      cmocka_unit_test(test_dotted_keys_and_shapes),
      cmocka_unit_test(test_nothing_given),
      cmocka_unit_test(test_refusals_say_where_and_how),
      cmocka_unit_test(test_assignments),
      cmocka_unit_test(test_access_checks_key_and_type),
      cmocka_unit_test(test_yaml_reads_back_to_the_bit),
      cmocka_unit_test(test_yaml_keeps_awkward_text),
      cmocka_unit_test(test_other_locales),
      cmocka_unit_test(test_files),
      cmocka_unit_test(test_builtin_models),
      cmocka_unit_test(test_edit_distance),
  };
  return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}

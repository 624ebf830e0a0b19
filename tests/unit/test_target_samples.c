/* needs: target */
/* A file of points as a target. */
#include "unit/target_check.h"
#include "support/scratch.h"

static fg_target_settings file_settings(const char *path)
{
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_SAMPLES, &s);
  s.file = path;
  return s;
}

/* Draws 0 .. n-1 of an unweighted file are its rows, each once, in an order that depends on the seed. */
static void each_row_once(void **state)
{
  (void)state;
  enum { MOST = 1000 };
  const size_t sizes[] = {1, 2, 3, 4, 5, 16, 17, 64, 65, 999, MOST};
  double rows[MOST], x[2][MOST];
  for (size_t i = 0; i < MOST; i++) rows[i] = (double)i;
  for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
    size_t n = sizes[k], moved = 0;
    fg_samples samples = {.n = n, .d = 1, .x = rows};
    fg_status st = {0};
    if (fg_samples_write(scratch("once.npy"), &samples, &st) != FG_OK) fail_msg("%s", st.message);
    fg_target_settings s = file_settings(scratch("once.npy"));
    fg_target *t = target_made(&s);
    assert_int_equal(fg_target_rows(t), n);
    for (int seed = 0; seed < 2; seed++) {
      bool seen[MOST] = {false};
      assert_int_equal(fg_target_sample(t, (uint64_t)seed + 1, 0, n, x[seed], NULL), FG_OK);
      for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)x[seed][i];
        assert_true(at < n && !seen[at]);
        seen[at] = true;
      }
    }
    for (size_t i = 0; i < n; i++) moved += x[0][i] != x[1][i];
    if (n >= 64) assert_true(moved > n / 2); /* two random orders agree in about one place */
    fg_target_destroy(&t);
  }
}

static void weighted_rows(void **state)
{
  (void)state;
  enum { N = 200000, ROWS = 5 };
  /* Values that text holds exactly; the weight of the third row is 0. */
  double rows[2 * ROWS] = {0, 1, 2, -3, 4, 5, -6, 0.5, 1, 1}, weights[ROWS] = {1, 2, 0, 4, 3};
  const char *names[3] = {"points.csv", "points.h5", "points.npy"};
  for (int kind = 0; kind < 3; kind++) {
    bool weighted = kind < 2; /* NPY holds no weights */
    fg_samples samples = {.n = ROWS, .d = 2, .x = rows, .weights = weighted ? weights : NULL};
    fg_status st = {0};
    if (fg_samples_write(scratch(names[kind]), &samples, &st) != FG_OK) fail_msg("%s", st.message);
    fg_target_settings s = file_settings(scratch(names[kind]));
    fg_target *t = target_made(&s);
    assert_string_equal(fg_target_name(t), "samples");
    assert_int_equal(fg_target_dimension(t), 2);
    assert_int_equal(fg_target_abilities(t), FG_TARGET_SAMPLE | FG_TARGET_MOMENTS);
    double *x = malloc(2 * N * sizeof *x), count[ROWS] = {0}, p[ROWS], mean[2], c[4];
    assert_int_equal(fg_target_sample(t, 4, 0, N, x, NULL), FG_OK);
    for (int i = 0; i < N; i++) {
      int found = -1;
      for (int r = 0; r < ROWS; r++)
        if (x[2 * i] == rows[2 * r] && x[2 * i + 1] == rows[2 * r + 1]) found = r;
      assert_true(found >= 0); /* nothing but rows of the file */
      count[found]++;
    }
    if (weighted) assert_true(count[2] == 0);
    double m[2] = {0};
    for (int r = 0; r < ROWS; r++) {
      p[r] = weighted ? weights[r] / 10 : 0.2;
      for (int i = 0; i < 2; i++) m[i] += p[r] * rows[2 * r + i];
    }
    assert_true(chi_square_tail(ROWS, count, p, N) > 1e-4);
    assert_int_equal(fg_target_moments(t, mean, c, NULL), FG_OK);
    for (int i = 0; i < 2; i++) {
      assert_true(fabs(mean[i] - m[i]) <= 1e-14);
      for (int j = 0; j < 2; j++) {
        double sum = 0;
        for (int r = 0; r < ROWS; r++) sum += p[r] * (rows[2 * r + i] - m[i]) * (rows[2 * r + j] - m[j]);
        assert_true(fabs(c[2 * i + j] - sum) <= 1e-13);
      }
    }
    target_check_split(t, 0);
    free(x);
    fg_target_destroy(&t);
  }
}

static void abilities(void **state)
{
  (void)state;
  double rows[3] = {1, 2, 3};
  fg_samples samples = {.n = 3, .d = 1, .x = rows};
  fg_status st = {0};
  assert_int_equal(fg_samples_write(scratch("line.csv"), &samples, &st), FG_OK);
  fg_target_settings s = file_settings(scratch("line.csv"));
  fg_target *t = target_made(&s);
  double x = 0, value;
  assert_int_equal(fg_target_log_density(t, 1, &x, &value, NULL, &st), FG_UNSUPPORTED);
  assert_non_null(strstr(st.message, "target samples has no density"));
  assert_int_equal(fg_target_log_z(t, &value, &st), FG_UNSUPPORTED);
  fg_target_destroy(&t);
  s.dimension = 1;
  t = target_made(&s);
  fg_target_destroy(&t);
  s.dimension = 2;
  target_refused(&s, FG_USAGE, "target.dimension is 2 but the points of");
}

static void messages(void **state)
{
  (void)state;
  fg_target_settings s = file_settings("");
  target_refused(&s, FG_USAGE, "target.file is empty");
  s.file = NULL;
  target_refused(&s, FG_USAGE, "target.file is empty");
  s.file = scratch("absent.csv");
  target_refused(&s, FG_IO, "absent.csv");
  s.file = scratch_text("zero.csv", "x1,weight\n1,0\n2,0\n");
  target_refused(&s, FG_IO, "zero.csv");
  s.file = scratch_text("negative.csv", "x1,weight\n1,1\n2,-1\n");
  target_refused(&s, FG_IO, "negative.csv");
}

/* Relative paths start in the folder of the settings file. */
static void from_settings(void **state)
{
  (void)state;
  fg_settings *settings = NULL;
  fg_target *t = NULL;
  fg_status st = {0};
  scratch_text("here.csv", "1,2,3\n4,5,6\n");
  assert_int_equal(fg_settings_create(&settings, &st), FG_OK);
  const char *yaml = scratch_text("run.yaml", "target: {kind: samples, file: here.csv}\n");
  if (fg_settings_read(settings, yaml, &st) != FG_OK) fail_msg("%s", st.message);
  if (fg_target_from_settings(settings, &t, &st) != FG_OK) fail_msg("%s", st.message);
  assert_int_equal(fg_target_dimension(t), 3);
  fg_target_destroy(&t);
  assert_int_equal(fg_settings_assign(settings, "target.file=nowhere.csv", &st), FG_OK);
  assert_int_equal(fg_target_from_settings(settings, &t, &st), FG_IO);
  assert_null(t);
  fg_settings_destroy(&settings);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_row_once), cmocka_unit_test(weighted_rows),
                                     cmocka_unit_test(abilities), cmocka_unit_test(messages),
                                     cmocka_unit_test(from_settings)};
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}

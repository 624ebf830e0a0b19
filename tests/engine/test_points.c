/* needs: model */
/* Losses at points on every engine: cpu-check finds what is read unwritten or by the wrong address; bits do not depend on
 * threads; sizes that fill no tile; what is refused. */
#include "support/points_run.h"

static void check_same(const points_shape *shape, fg_point_loss kind, int probes, size_t n, size_t group)
{
  static const struct {
    const char *engine;
    int threads;
  } others[] = {{"cpu", 2}, {"cpu", 5}, {"cpu-check", 2}};
  static points_outcome first, other;
  points_run("cpu", 1, shape, kind, FG_DOUBLE, probes, n, group, 0, &first);
  for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
    points_run(others[k].engine, others[k].threads, shape, kind, FG_DOUBLE, probes, n, group, 0, &other);
    assert_memory_equal(&first.loss, &other.loss, sizeof first.loss);
    assert_memory_equal(first.value, other.value, n * sizeof *first.value);
    assert_memory_equal(first.packed, other.packed, first.bytes);
    free(other.packed);
  }
  /* accumulated: the sum with itself, exactly */
  points_run("cpu", 2, shape, kind, FG_DOUBLE, probes, n, group, 1, &other);
  for (size_t i = 0; i < first.bytes / sizeof(double); i++)
    assert_true(other.packed[i] == 2 * first.packed[i]);
  free(other.packed);
  free(first.packed);
}

static void test_same_bits(void **state)
{
  static const size_t sizes[] = {1, 7, 64, POINTS_MOST};
  (void)state;
  for (size_t k = 0; k < 4; k++) {
    check_same(&points_potential, FG_LOSS_DENOISING, 0, sizes[k], 1);
    check_same(&points_potential, FG_LOSS_RESIDUAL, 0, sizes[k], 1);
    check_same(&points_potential, FG_LOSS_RESIDUAL, 2, sizes[k], 1);
    check_same(&points_vector, FG_LOSS_SCORE_RESIDUAL, 0, sizes[k], 1);
  }
  check_same(&points_vector, FG_LOSS_DENOISING, 0, 64, 2);
  check_same(&points_potential, FG_LOSS_CENTRED, 0, 40, 5);
  check_same(&points_embedded, FG_LOSS_CENTRED, 0, 200, 40);
  check_same(&points_embedded, FG_LOSS_RESIDUAL, 1, 21, 7);
}

/* The standard error takes groups as draws: of the losses of single points, sd / sqrt n. */
static void test_standard_error(void **state)
{
  static points_outcome out;
  double sum = 0, squares = 0;
  (void)state;
  points_run("cpu", 2, &points_potential, FG_LOSS_RESIDUAL, FG_DOUBLE, 0, POINTS_MOST, 1, 0, &out);
  for (size_t i = 0; i < POINTS_MOST; i++) sum += out.value[i] * out.value[i] / POINTS_MOST;
  for (size_t i = 0; i < POINTS_MOST; i++) squares += pow(out.value[i] * out.value[i] - sum, 2);
  assert_true(fabs(out.loss - sum) <= 1e-12 * sum);
  assert_true(fabs(out.loss_se - sqrt(squares / (POINTS_MOST - 1) / POINTS_MOST)) <= 1e-10 * sum);
  free(out.packed);
}

/* Hutchinson's residual is unbiased: over draws its mean is the exact one, within 4 standard errors (for 40 points at
 * once, 4 in place of 3). */
static void test_probes(void **state)
{
  enum { POINTS = 40, DRAWS = 400 };
  static points_setup s;
  double exact[POINTS], value[POINTS], sum[POINTS] = {0}, squares[POINTS] = {0};
  (void)state;
  points_setup_open(&s, "cpu", 2, &points_potential, POINTS, 1);
  s.b.r.kind = FG_LOSS_RESIDUAL;
  for (uint32_t draw = 0; draw <= DRAWS; draw++) {
    s.b.r.probes = draw > 0;
    s.b.r.draw = draw;
    CASE_OK(points_of(&s));
    CASE_OK(
        s.engine->ops->download(s.engine, draw ? value : exact, s.b.r.value, 0, sizeof value, &case_status));
    for (size_t i = 0; i < POINTS && draw > 0; i++) {
      sum[i] += value[i] / DRAWS;
      squares[i] += (value[i] - exact[i]) * (value[i] - exact[i]) / DRAWS;
    }
  }
  double spread = 0;
  for (size_t i = 0; i < POINTS; i++) {
    spread += squares[i];
    assert_true(fabs(sum[i] - exact[i]) <= 4 * sqrt(squares[i] / DRAWS) + 1e-10);
  }
  assert_true(spread > 1e-6); /* the probes do differ */
  points_setup_close(&s);
}

static void refuse(const points_shape *shape, fg_point_loss kind, size_t n, size_t group, fg_code expected,
                   const char *says)
{
  static points_setup s;
  points_setup_open(&s, "cpu", 1, shape, 64, 1);
  s.b.r.kind = kind;
  s.b.r.n = n;
  s.b.r.group = group;
  assert_int_equal(points_of(&s), expected);
  assert_non_null(strstr(case_status.message, says));
  points_setup_close(&s);
}

static void test_refused(void **state)
{
  (void)state;
  refuse(&points_vector, FG_LOSS_RESIDUAL, 64, 1, FG_UNSUPPORTED, "score form");
  refuse(&points_potential, FG_LOSS_SCORE_RESIDUAL, 64, 1, FG_UNSUPPORTED, "vector");
  refuse(&points_potential, FG_LOSS_CENTRED, 64, 1, FG_USAGE, "at least 2");
  refuse(&points_potential, FG_LOSS_RESIDUAL, 64, 5, FG_USAGE, "divide");
  refuse(&points_potential, FG_LOSS_RESIDUAL, 0, 1, FG_USAGE, "0 points");
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits), cmocka_unit_test(test_standard_error),
                                     cmocka_unit_test(test_probes), cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: target */
/* Logistic regression: the posterior against its definition in long double, and what becomes of a file. */
#include "unit/target_check.h"

#include <stdio.h>

#include "support/scratch.h"

enum { ROWS = 6 };

static const double data[ROWS][3] = {{1.5, -20, 1}, {0.5, 10, 0}, {-1, 30, 0},
                                     {2, 5, 1},     {0, -40, 1},  {-0.5, 15, 1}};

/* The data as a file; `no` stands for label 0. */
static void write_file(const char *path, bool header, int no)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  if (header) fputs("first,second,label\n", file);
  for (int i = 0; i < ROWS; i++)
    fprintf(file, "%.17g,%.17g,%d\n", data[i][0], data[i][1], data[i][2] == 1 ? 1 : no);
  assert_int_equal(fclose(file), 0);
}

static long double by_hand(const fg_target_settings *s, const double *x)
{
  long double mean[2] = {0, 0}, sd[2] = {1, 1}, value = 0, pi = acosl(-1);
  for (int j = 0; j < 2 && s->standardise; j++) {
    long double square = 0;
    for (int i = 0; i < ROWS; i++) mean[j] += (long double)data[i][j] / ROWS;
    for (int i = 0; i < ROWS; i++) square += powl((long double)data[i][j] - mean[j], 2) / ROWS;
    sd[j] = sqrtl(square);
  }
  for (int i = 0; i < ROWS; i++) {
    long double m = s->intercept ? x[0] : 0;
    for (int j = 0; j < 2; j++) m += x[j + s->intercept] * ((long double)data[i][j] - mean[j]) / sd[j];
    value -= log1pl(expl(data[i][2] == 1 ? -m : m));
  }
  for (int j = 0; j < 2 + s->intercept; j++) {
    long double z = x[j] / (long double)s->prior_sd;
    value -= z * z / 2 + logl(2 * pi) / 2 + logl(s->prior_sd);
  }
  return value;
}

static void posterior(void **state)
{
  (void)state;
  fg_target_settings s;
  const char *path = scratch("logistic.csv");
  for (int variant = 0; variant < 8; variant++) {
    fg_target_defaults(FG_TARGET_LOGISTIC, &s);
    s.file = path;
    s.intercept = variant & 1;
    s.standardise = variant & 2;
    s.prior_sd = variant & 4 ? 0.5 : 3;
    write_file(path, variant & 1, variant & 2 ? -1 : 0);
    fg_target *t = target_made(&s);
    size_t d = fg_target_dimension(t);
    assert_true(d == (s.intercept ? 3 : 2));
    for (int i = 0; i < 20; i++) {
      double x[3] = {2 * sin(i), cos(3 * i), 1.5 * sin(5 * i + 1)}, truth = (double)by_hand(&s, x);
      /* a sum of ten terms, and exp and log1p of 2 ulp */
      assert_true(fabs(target_at(t, x, NULL) - truth) <= 1e-14 * (1 + fabs(truth)));
      target_check_score(t, 1, x, 1e-3,
                         1e-7); /* features up to 40: (40 h)^4 = 2.6e-6 times small derivatives */
    }
    fg_target_destroy(&t);
  }
}

/* One row: the evidence is the mean of sigmoid(x) over the prior, 1/2 by symmetry, and far margins stay finite. */
static void evidence(void **state)
{
  (void)state;
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_LOGISTIC, &s);
  s.file = scratch_text("one.csv", "2,1\n");
  s.intercept = s.standardise = false;
  s.prior_sd = 2;
  fg_target *t = target_made(&s);
  double sum = 0, h = 0.01, score;
  for (int i = -3000; i <= 3000; i++) { /* smooth and 1e-49 at the ends: the rule has rounding errors only */
    double x = i * h;
    sum += h * exp(target_at(t, &x, NULL));
  }
  assert_true(fabs(sum - 0.5) <= 1e-13);
  double far = -1e6;
  assert_true(fabs(target_at(t, &far, &score) + 2e6 + 1e12 / 8) <=
              10); /* the prior's norm, 1.6, and rounding */
  assert_true(fabs(score - 250002) <= 1e-6);
  assert_int_equal(fg_target_abilities(t), FG_TARGET_DENSITY | FG_TARGET_SCORE);
  assert_int_equal(fg_target_sample(t, 1, 0, 1, &far, NULL), FG_UNSUPPORTED);
  assert_int_equal(fg_target_log_z(t, &far, NULL), FG_UNSUPPORTED);
  fg_target_destroy(&t);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(posterior), cmocka_unit_test(evidence)};
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}

/* needs: analysis */
/* Sums, the permutation rule and seeded choices of rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "analysis/statistics.h"

static void compensated_sum(void **unused)
{
  (void)unused;
  fg_sum sum = {0, 0};
  const double terms[] = {1, 1e100, 1, -1e100};
  for (int k = 0; k < 4; k++) fg_sum_add(&sum, terms[k]);
  assert_true(fg_sum_value(&sum) == 2);
  /* A tenth a million times: plain summation is off by 1e-6 of it. */
  sum = (fg_sum){0, 0};
  for (int k = 0; k < 1000000; k++) fg_sum_add(&sum, 0.1);
  assert_true(fabs(fg_sum_value(&sum) - 100000) <= 1e-10);
}

static void moments(void **unused)
{
  (void)unused;
  double x[] = {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16};
  assert_true(fg_mean(4, x) == 1e9 + 10);
  assert_true(fg_variance(4, x) == 30);
  assert_true(fg_variance(1, x) == 0);
}

static void student(void **unused)
{
  (void)unused;
  /* Tables: t(0.95; 1) = 6.313752, t(0.95; 39) = 1.684875, t(0.975; 10) = 2.228139. */
  assert_true(fabs(fg_student(0.9, 1) - 6.313752) < 1e-6);
  assert_true(fabs(fg_student(0.9, 39) - 1.684875) < 1e-6);
  assert_true(fabs(fg_student(0.95, 10) - 2.228139) < 1e-6);
}

static void permutation_rule(void **unused)
{
  (void)unused;
  double x[] = {1, 2, 3, 3, 5};
  assert_true(fg_permutation_p(5, x, 6) == 1.0 / 6);
  assert_true(fg_permutation_p(5, x, 3) == 4.0 / 6);
  assert_true(fg_permutation_p(5, x, 0) == 1);
}

static void split_counts_and_repeats(void **unused)
{
  (void)unused;
  enum { N = 1001 };
  unsigned char label[N], again[N], other[N];
  size_t sizes[][2] = {{0, 0}, {1, 0}, {0, N}, {N, 0}, {500, 501}, {3, 900}};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    fg_draw draw = {7, 35, 2, 9};
    size_t a = 0, b = 0;
    fg_split(draw, N, sizes[s][0], sizes[s][1], label);
    for (size_t i = 0; i < N; i++) {
      a += label[i] == 'a';
      b += label[i] == 'b';
    }
    assert_int_equal(a, sizes[s][0]);
    assert_int_equal(b, sizes[s][1]);
    fg_split(draw, N, sizes[s][0], sizes[s][1], again);
    assert_memory_equal(label, again, N);
  }
  fg_draw draw = {7, 35, 2, 9};
  fg_split(draw, N, 500, 501, label);
  draw.replicate++;
  fg_split(draw, N, 500, 501, other);
  assert_memory_not_equal(label, other, N);
  draw.replicate--;
  draw.seed += (uint64_t)1 << 32;
  fg_split(draw, N, 500, 501, other);
  assert_memory_not_equal(label, other, N);
}

/* All C(6,2) C(4,1) = 60 choices of 2 'a' and 1 'b' among 6 rows are equally likely: chi-squared over 60,000
 * draws has 59 degrees of freedom, mean 59, standard deviation 10.9; 120 is beyond 1 in 10^5. */
static void split_is_uniform(void **unused)
{
  (void)unused;
  static int count[729];
  unsigned char label[6];
  memset(count, 0, sizeof count);
  for (uint32_t r = 0; r < 60000; r++) {
    fg_split((fg_draw){1, 36, 0, r}, 6, 2, 1, label);
    int code = 0;
    for (int i = 0; i < 6; i++) code = 3 * code + (label[i] == 'a' ? 1 : label[i] == 'b' ? 2 : 0);
    count[code]++;
  }
  int seen = 0;
  double chi = 0;
  for (int k = 0; k < 729; k++)
    if (count[k]) {
      seen++;
      chi += (count[k] - 1000.0) * (count[k] - 1000.0) / 1000;
    }
  assert_int_equal(seen, 60);
  assert_true(chi > 25 && chi < 120);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(compensated_sum),
      cmocka_unit_test(moments),
      cmocka_unit_test(student),
      cmocka_unit_test(permutation_rule),
      cmocka_unit_test(split_counts_and_repeats),
      cmocka_unit_test(split_is_uniform),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

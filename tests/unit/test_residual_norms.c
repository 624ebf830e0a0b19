/* needs: fokker_planck */
/* Norms of a residual on small arrays, where every figure can be worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flowgap/residual.h"

static fg_status status;

#define OK(call)                                                                                             \
  do {                                                                                                       \
    if ((call) != FG_OK) fail_msg("%s", status.message);                                                     \
  } while (0)

/* A dozen additions of numbers of size 1 to 100. */
static void near(double got, double expected)
{
  if (!(fabs(got - expected) <= 1e-13 * fmax(1, fabs(expected))))
    fail_msg("%.17g, expected %.17g", got, expected);
}

static void one_time(void **state)
{
  (void)state;
  double r[] = {1, -2, 4, -1}, scale[] = {2, 4, 4, 2};
  fg_residual_values values = {.value = r, .scale = scale};
  fg_residual_layout layout = {FG_RESIDUAL_LOG, 1, 4, NULL, true};
  fg_residual_norms all, at;
  OK(fg_residual_summarise(&layout, &values, &all, &at, &status));
  assert_memory_equal(&all, &at, sizeof all);
  assert_int_equal(all.points, 4);
  assert_int_equal(all.lost, 0);
  near(all.mean_square.value, 22.0 / 4);
  near(all.mean_square.se, sqrt((4.5 * 4.5 * 2 + 1.5 * 1.5 + 10.5 * 10.5) / 3 / 4));
  near(all.mean_absolute.value, 2);
  near(all.mean_absolute.se, sqrt((1 + 0 + 4 + 1) / 3.0 / 4));
  near(all.mean.value, 0.5);
  near(all.centred.value,
       (0.25 + 6.25 + 12.25 + 2.25) / 3); /* with n - 1: the mean was taken from the points */
  near(all.relative.value, sqrt(22.0 / 40));
  near(all.probe_error, 0);
  assert_true(all.largest == 4 && all.largest_at == 2);
  const double quantiles[] = {-2, -2, -1, 1, 4, 4}; /* 5, 25, 50, 75, 95, 99 % */
  for (int k = 0; k < FG_RESIDUAL_QUANTILES; k++) assert_true(all.quantile[k] == quantiles[k]);
}

/* Paths: an average over times is one draw. Groups: a time is. */
static void draws(void **state)
{
  (void)state;
  double r[] = {1, 3, 5, 3, 5, 13}, weight[] = {3, 1};
  fg_residual_values values = {.value = r};
  fg_residual_layout layout = {FG_RESIDUAL_LOG, 2, 3, weight, true};
  fg_residual_norms all, profile[2];
  OK(fg_residual_summarise(&layout, &values, &all, profile, &status));
  near(profile[0].mean.value, 3);
  near(profile[1].mean.value, 7);
  near(profile[1].mean.se, sqrt((16 + 4 + 36) / 2.0 / 3));
  near(all.mean.value, 4);
  /* paths: 1.5, 3.5, 7 */
  near(all.mean.se, sqrt((2.5 * 2.5 + 0.5 * 0.5 + 3 * 3) / 2 / 3));
  near(all.centred.value, 0.75 * 4 + 0.25 * 28);
  assert_true(isnan(all.relative.value)); /* no scale was given */
  /* weights 3/12 and 1/12: 1 3 3 5 5 13, shares .25 .25 .083 .25 .083 .083 */
  assert_true(all.quantile[1] == 1 && all.quantile[2] == 3 && all.quantile[3] == 5 && all.quantile[5] == 13);
  layout.paths = false;
  layout.weight = NULL;
  OK(fg_residual_summarise(&layout, &values, &all, NULL, &status));
  near(all.mean.value, 5);
  near(all.mean.se, 2); /* two draws, 3 and 7: half their distance */
}

static double noise(unsigned *state)
{
  *state = *state * 1664525u + 1013904223u;
  return (double)(*state >> 8) / (1 << 23) - 1;
}

/* c(t) added to the residual, as c'(t) is by a gauge of the potential: the centred norm does not see it. */
static void gauge(void **state)
{
  (void)state;
  enum { TIMES = 20, POINTS = 50 };
  double r[TIMES * POINTS], moved[TIMES * POINTS], weight[TIMES];
  unsigned seed = 3;
  for (int k = 0; k < TIMES; k++) {
    weight[k] = 1.0 + k;
    for (int i = 0; i < POINTS; i++) {
      r[k * POINTS + i] = noise(&seed);
      moved[k * POINTS + i] = r[k * POINTS + i] + 10 * cos(k);
    }
  }
  fg_residual_values a = {.value = r}, b = {.value = moved};
  fg_residual_norms first, second, profile[2][TIMES];
  for (int paths = 0; paths < 2; paths++) {
    fg_residual_layout layout = {FG_RESIDUAL_LOG, TIMES, POINTS, weight, paths};
    OK(fg_residual_summarise(&layout, &a, &first, profile[0], &status));
    OK(fg_residual_summarise(&layout, &b, &second, profile[1], &status));
    /* squares of numbers up to 11, less squares of their means: 1e2 times the rounding */
    assert_true(fabs(first.centred.value - second.centred.value) < 1e-12);
    assert_true(fabs(first.centred.se - second.centred.se) < 1e-12);
    for (int k = 0; k < TIMES; k++)
      assert_true(fabs(profile[0][k].centred.value - profile[1][k].centred.value) < 1e-12);
    assert_true(second.mean_square.value > 20 * first.mean_square.value);
    assert_true(fabs(first.centred.value - 1.0 / 3) < 0.05); /* uniform in (-1, 1) */
  }
}

/* Values that are not finite enter nothing, are counted and named; the others are as if they were alone. */
static void not_finite(void **state)
{
  (void)state;
  double r[] = {1, NAN, 3, 2, 4, INFINITY, NAN, NAN, NAN}, scale[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  fg_residual_values values = {.value = r, .scale = scale};
  fg_residual_layout layout = {FG_RESIDUAL_LOG, 3, 3, NULL, true};
  fg_residual_norms all, profile[3];
  OK(fg_residual_summarise(&layout, &values, &all, profile, &status));
  assert_int_equal(all.points, 4);
  assert_int_equal(all.lost, 5);
  assert_int_equal(all.named, 5);
  const size_t at[] = {1, 5, 6, 7, 8};
  for (int i = 0; i < 5; i++) assert_int_equal(all.lost_at[i], at[i]);
  assert_int_equal(profile[0].lost, 1);
  assert_int_equal(profile[2].points, 0);
  assert_true(isnan(profile[2].mean.value) && isnan(profile[2].mean.se) && isnan(profile[2].quantile[2]));
  near(profile[0].mean.value, 2);
  near(profile[1].mean.value, 3);
  near(all.mean.value, 2.5);       /* the third time has left */
  assert_true(isnan(all.mean.se)); /* a single path is finite at both times */
  near(all.mean_square.value, (5 + 10) / 2.0);
  assert_true(all.largest == 4);
  /* a scale that is not finite spoils the value too */
  scale[0] = NAN;
  OK(fg_residual_summarise(&layout, &values, &all, NULL, &status));
  assert_int_equal(all.lost, 6);
}

/* Probes add their variance to the squares: it is taken off. */
static void probes_are_taken_off(void **state)
{
  (void)state;
  double r[] = {3, -1}, variance[] = {4, 0.5};
  fg_residual_values values = {.value = r, .variance = variance};
  fg_residual_layout layout = {FG_RESIDUAL_LOG, 1, 2, NULL, false};
  fg_residual_norms all;
  OK(fg_residual_summarise(&layout, &values, &all, NULL, &status));
  near(all.mean_square.value, (5 + 0.5) / 2);
  near(all.centred.value, 8 - 2.25);
  near(all.probe_error, sqrt(2.25));
}

static void score_form(void **state)
{
  (void)state;
  double r[] = {3, 1};
  fg_residual_values values = {.value = r};
  fg_residual_layout layout = {FG_RESIDUAL_SCORE, 1, 2, NULL, false};
  fg_residual_norms all;
  OK(fg_residual_summarise(&layout, &values, &all, NULL, &status));
  near(all.mean_square.value, 5);
  assert_true(isnan(all.mean.value) && isnan(all.centred.value)); /* a norm has no sign and no gauge */
  layout.points = 0;
  assert_int_equal(fg_residual_summarise(&layout, &values, &all, NULL, &status), FG_USAGE);
}

/* One time in each part; points all over the box, numbered. */
static void points_of_the_measures(void **state)
{
  (void)state;
  enum { N = 4000, D = 3 };
  static double t[N], x[N * D], part[10 * D];
  double sum[D] = {0}, square[D] = {0};
  fg_residual_times(5, N, 1, 3, t);
  for (int k = 0; k < N; k++) assert_true(t[k] > 1 + 2.0 * k / N && t[k] < 1 + 2.0 * (k + 1) / N);
  fg_residual_box(5, 100, N, D, 2.5, x);
  fg_residual_box(5, 130, 10, D, 2.5, part);
  assert_memory_equal(part, x + 30 * D, sizeof part);
  for (int i = 0; i < N * D; i++) {
    assert_true(fabs(x[i]) < 2.5);
    sum[i % D] += x[i] / N;
    square[i % D] += x[i] * x[i] / N;
  }
  for (int j = 0; j < D; j++) { /* four standard errors: 1.44 / sqrt(4000), 1.86 / sqrt(4000) */
    assert_true(fabs(sum[j]) < 4 * 0.0228);
    assert_true(fabs(square[j] - 2.5 * 2.5 / 3) < 4 * 0.0295);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_time),
      cmocka_unit_test(draws),
      cmocka_unit_test(gauge),
      cmocka_unit_test(not_finite),
      cmocka_unit_test(score_form),
      cmocka_unit_test(probes_are_taken_off),
      cmocka_unit_test(points_of_the_measures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: train */
/* Points of a loss: their laws, and that a draw depends on its number alone. */
#include "support/sampler_case.h"

#include "support/scratch.h"
#include "train/points.h"

enum { N = 200000, D = 2 };

typedef struct draw_case {
  sampler_case sampler;
  fg_point_law law;
  fg_point_room room;
} draw_case;

static void draw_open(draw_case *c, fg_target *target, fg_train_where where, size_t n, size_t group,
                      int threads)
{
  sampler_open(&c->sampler, FG_TRAIN_DSM, target, threads);
  c->law = (fg_point_law){c->sampler.process, target, where, 1.5, FG_TIMES_BETA, 1e-5, 1};
  bool data = where == FG_AT_DATA;
  SAMPLER_OK(fg_point_room_create(c->sampler.engine, n, group, D, data, data, &c->room, &sampler_status));
}

static void draw_close(draw_case *c)
{
  fg_point_room_release(c->sampler.engine, &c->room);
  sampler_close(&c->sampler);
}

static void draw(draw_case *c, uint64_t first)
{
  SAMPLER_OK(fg_points_draw(c->sampler.engine, &c->law, 7, first, &c->room, &sampler_status));
}

/* A mean of n numbers with this variance may be off by five standard errors. */
static void expect_mean(double mean, double wanted, double variance, double n)
{
  double off = fabs(mean - wanted), most = 5 * sqrt(variance / n);
  if (!(off < most)) fail_msg("mean %.6g, expected %.6g +- %.2g", mean, wanted, most);
}

/* Beta(1, 2) has mean 1/3, variance 1/18 and E t^2 = 1/6; the variance of t^2 is 1/15 - 1/36. */
static void test_times(void **state)
{
  (void)state;
  draw_case c;
  double sum = 0, squares = 0, least = 1, most = 0;
  draw_open(&c, sampler_target(FG_TARGET_GMM9, 0, 0), FG_AT_BOX, N, 1, 2);
  draw(&c, 0);
  for (int i = 0; i < N; i++) {
    double t = c.room.coeff[i].t;
    sum += t / N;
    squares += t * t / N;
    least = fmin(least, t);
    most = fmax(most, t);
  }
  expect_mean(sum, 1.0 / 3 + 1e-5, 1.0 / 18, N);
  expect_mean(squares, 1.0 / 6, 1.0 / 15 - 1.0 / 36, N);
  assert_true(least > 1e-5 && least < 1e-4 && most <= 1);
  c.law.times = FG_TIMES_UNIFORM;
  c.law.least = 0.5;
  draw(&c, 0);
  for (sum = 0, least = 1, squares = 0; squares < N; squares++) {
    double t = c.room.coeff[(int)squares].t;
    sum += t / N;
    least = fmin(least, t);
  }
  expect_mean(sum, 0.75, 1.0 / 48, N);
  assert_true(least > 0.5);
  draw_close(&c);
}

/* Uniform in the box, normal with standard deviation 1.5: 1.5^2/3 and 1.5^2; fourth moments 1.5^4/5 and 3 1.5^4. */
static void test_places(void **state)
{
  (void)state;
  static const fg_train_where where[] = {FG_AT_BOX, FG_AT_GAUSSIAN};
  static const double second[] = {0.75, 2.25}, fourth[] = {1.0125, 15.1875};
  for (int k = 0; k < 2; k++) {
    draw_case c;
    double mean[D] = {0}, square[D] = {0}, cross = 0, most = 0;
    draw_open(&c, sampler_target(FG_TARGET_GMM9, 0, 0), where[k], N, 1, 2);
    draw(&c, 0);
    for (int i = 0; i < N; i++) {
      const double *x = c.room.x + D * i;
      cross += x[0] * x[1] / N;
      for (int j = 0; j < D; j++) {
        mean[j] += x[j] / N;
        square[j] += x[j] * x[j] / N;
        most = fmax(most, fabs(x[j]));
      }
    }
    for (int j = 0; j < D; j++) {
      expect_mean(mean[j], 0, second[k], N);
      expect_mean(square[j], second[k], fourth[k] - second[k] * second[k], N);
    }
    expect_mean(cross, 0, second[k] * second[k], N);
    assert_true(k == 1 || (most < 1.5 && most > 1.49));
    draw_close(&c);
  }
}

/* x = m x_0 + sqrt(v) z and goal = -z / sqrt(v): with x_0 ~ N(0, s^2 I), x has variance m^2 s^2 + v, and
 * x + v goal = m x_0 has none of the noise. */
static void test_noised(void **state)
{
  (void)state;
  draw_case c;
  double noise = 0, rest = 0, cross = 0;
  draw_open(&c, sampler_target(FG_TARGET_GAUSSIAN, D, 4), FG_AT_DATA, N, 1, 2);
  draw(&c, 0);
  for (int i = 0; i < N; i++) {
    const fg_coeff *k = &c.room.coeff[i];
    assert_true(c.room.weight[i] == k->v);
    for (int j = 0; j < D; j++) {
      double goal = c.room.goal[D * i + j], z = -goal * sqrt(k->v),
             x0 = (c.room.x[D * i + j] + k->v * goal) / k->m;
      noise += z * z / (N * D);
      rest += x0 * x0 / (N * D);
      cross += x0 * z / (N * D);
    }
  }
  expect_mean(noise, 1, 2, N * D);
  expect_mean(rest, 4, 32, N * D);
  expect_mean(cross, 0, 4, N * D);
  draw_close(&c);
}

/* 26 rows in one call, in two, in groups, and on several threads. */
static void test_numbers(void **state)
{
  (void)state;
  draw_case whole, half, other;
  draw_open(&whole, sampler_target(FG_TARGET_CIRCLES, 0, 0), FG_AT_DATA, 5200, 13, 1);
  draw_open(&half, sampler_target(FG_TARGET_CIRCLES, 0, 0), FG_AT_DATA, 2600, 13, 3);
  draw_open(&other, sampler_target(FG_TARGET_CIRCLES, 0, 0), FG_AT_DATA, 5200, 13, 5);
  draw(&whole, 5200);
  draw(&half, 7800);
  draw(&other, 5200);
  assert_memory_equal(whole.room.x + 2600 * D, half.room.x, 2600 * D * sizeof(double));
  assert_memory_equal(whole.room.goal + 2600 * D, half.room.goal, 2600 * D * sizeof(double));
  assert_memory_equal(whole.room.coeff + 200, half.room.coeff, 200 * sizeof(fg_coeff));
  assert_memory_equal(whole.room.x, other.room.x, 5200 * D * sizeof(double));
  draw(&half, 0);
  assert_memory_not_equal(whole.room.x, half.room.x, 2600 * D * sizeof(double));
  draw_close(&whole);
  draw_close(&half);
  draw_close(&other);
}

/* Rows of a file are drawn with replacement: of 1000 rows a batch of 1000 misses about 1000/e. */
static void test_rows(void **state)
{
  (void)state;
  enum { ROWS = 1000 };
  fg_target_settings s;
  fg_target *target;
  draw_case c;
  int missing = 0, seen[ROWS] = {0};
  const char *path = scratch("rows.csv");
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  for (int i = 0; i < ROWS; i++) fprintf(file, "%d,0\n", i);
  fclose(file);
  fg_target_defaults(FG_TARGET_SAMPLES, &s);
  s.file = path;
  SAMPLER_OK(fg_target_create(&s, &target, &sampler_status));
  draw_open(&c, target, FG_AT_DATA, ROWS, 1, 2);
  draw(&c, 0);
  for (int i = 0; i < ROWS; i++) {
    const fg_coeff *k = &c.room.coeff[i];
    double row = (c.room.x[D * i] + k->v * c.room.goal[D * i]) / k->m;
    assert_true(fabs(row - round(row)) < 1e-6);
    seen[(int)round(row)]++;
  }
  for (int i = 0; i < ROWS; i++) missing += seen[i] == 0;
  assert_true(abs(missing - 368) < 5 * 10); /* standard deviation sqrt(1000 (1/e - 2/e^2)) = 9.9 */
  draw_close(&c);
}

static void test_groups(void **state)
{
  (void)state;
  assert_int_equal(fg_point_group(5000, 32), 25);
  assert_int_equal(fg_point_group(20000, 32), 32);
  assert_int_equal(fg_point_group(7, 32), 7);
  assert_int_equal(fg_point_group(37, 32), 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_times),  cmocka_unit_test(test_places),
                                     cmocka_unit_test(test_noised), cmocka_unit_test(test_numbers),
                                     cmocka_unit_test(test_rows),   cmocka_unit_test(test_groups)};
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}

/* needs: analysis */
/* Entropic transport: closed forms, limits, symmetry, weights, scales, threads, refusals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/transport/transport.h"
#include "formula/random.h"

enum { N = 4000, D_MAX = 10 };

static fg_engine *engine;
static double x[N * D_MAX], y[N * D_MAX], wx[N];

static void cloud(uint64_t seed, size_t n, size_t d, double sd, double *to)
{
  for (size_t i = 0; i < n * d; i++) to[i] = sd * fg_normal(seed, 1, i, 0, 0);
}

static fg_sinkhorn_settings with(fg_cost cost, double epsilon)
{
  fg_sinkhorn_settings s;
  fg_sinkhorn_defaults(cost, &s);
  s.epsilon = epsilon;
  return s;
}

static fg_sinkhorn run(const fg_sinkhorn_settings *s, size_t n, size_t m, size_t d, const double *a,
                       const double *wa, const double *b, const double *wb)
{
  fg_sinkhorn result;
  fg_status st;
  if (fg_w2_sinkhorn(engine, NULL, s, n, m, d, a, wa, b, wb, NULL, &result, &st) != FG_OK)
    fail_msg("%s", st.message);
  assert_true(result.marginal_error <= s->tolerance);
  assert_true(result.squared >= 0 && result.value >= 0);
  return result;
}

static void defaults(void **unused)
{
  (void)unused;
  fg_sinkhorn_settings s;
  fg_sinkhorn_defaults(FG_COST_SQUARED, &s);
  assert_true(s.debiased && isnan(s.epsilon) && s.tolerance == 1e-6);
  fg_sinkhorn_defaults(FG_COST_EUCLIDEAN, &s);
  assert_false(s.debiased);
}

/* Between one-dimensional Gaussians of variances a and b (Janati et al. 2020, theorem 1), epsilon = 2 s, less the squared
 * difference of means: in s, D = sqrt(4 a b + s^2), a + b - D + s (1 - log(2 s)) + s log(D + s). */
static double gaussian(double a, double b, double epsilon)
{
  const double s = epsilon / 2, root = sqrt(4 * a * b + s * s);
  return a + b - root + s * (1 - log(2 * s)) + s * log(root + s);
}

/* Axes of a Gaussian are independent, and so is the plan: sums over axes. Samples of 4000 rows estimate OT_epsilon with a
 * standard error of about sd(|x|^2) / sqrt(n), 3 % here; of the divergence less. */
static void gaussians(void **unused)
{
  (void)unused;
  const double sd_x[3] = {1, 0.5, 1.5}, sd_y[3] = {0.7, 1, 1}, shift[3] = {1, 0, -0.5}, epsilon = 1;
  double between = 0, within_x = 0, within_y = 0;
  cloud(1, N, 3, 1, x);
  cloud(2, N, 3, 1, y);
  for (size_t i = 0; i < N; i++)
    for (size_t k = 0; k < 3; k++) {
      x[3 * i + k] *= sd_x[k];
      y[3 * i + k] = sd_y[k] * y[3 * i + k] + shift[k];
    }
  for (size_t k = 0; k < 3; k++) {
    const double a = sd_x[k] * sd_x[k], b = sd_y[k] * sd_y[k];
    between += shift[k] * shift[k] + gaussian(a, b, epsilon);
    within_x += gaussian(a, a, epsilon);
    within_y += gaussian(b, b, epsilon);
  }
  const fg_sinkhorn_settings s = with(FG_COST_SQUARED, epsilon);
  const fg_sinkhorn r = run(&s, N, N, 3, x, NULL, y, NULL);
  assert_true(fabs(r.between / between - 1) < 0.05);
  assert_true(fabs(r.within_x / within_x - 1) < 0.05);
  assert_true(fabs(r.within_y / within_y - 1) < 0.05);
  assert_true(fabs(r.squared - (between - (within_x + within_y) / 2)) < 0.1);
  assert_true(r.epsilon == epsilon && r.n == N && r.m == N && r.iterations > 0);
  assert_true(fabs(r.value * r.value - r.squared) < 1e-14 * r.squared);
}

/* Two points on each side: the plan has one unknown t, t on the diagonal and 1/2 - t beside it, and the optimum of
 * 2 t c_near + 2 (1/2 - t) c_far + epsilon KL is t / (1/2 - t) = exp((c_far - c_near) / (2 epsilon) 2 / 2). */
static void two_points(void **unused)
{
  (void)unused;
  const double a[2] = {0, 1}, b[2] = {0.1, 1.1}, epsilon = 0.3;
  for (int euclidean = 0; euclidean < 2; euclidean++) {
    double c[2][2];
    for (int i = 0; i < 2; i++)
      for (int j = 0; j < 2; j++) c[i][j] = euclidean ? fabs(a[i] - b[j]) : (a[i] - b[j]) * (a[i] - b[j]);
    const double ratio = exp((c[0][1] + c[1][0] - c[0][0] - c[1][1]) / (2 * epsilon));
    const double t = 0.5 * ratio / (1 + ratio), u = 0.5 - t;
    const double cost = t * (c[0][0] + c[1][1]) + u * (c[0][1] + c[1][0]);
    const double kl = 2 * t * log(4 * t) + 2 * u * log(4 * u);
    fg_sinkhorn_settings s = with(euclidean ? FG_COST_EUCLIDEAN : FG_COST_SQUARED, epsilon);
    s.debiased = false;
    s.tolerance = 1e-12;
    const fg_sinkhorn r = run(&s, 2, 2, 1, a, NULL, b, NULL);
    assert_true(fabs(r.between - (cost + epsilon * kl)) < 1e-11);
    assert_true(fabs((euclidean ? r.value : r.squared) - cost) < 1e-11);
    assert_true(isnan(r.within_x) && isnan(r.within_y));
  }
}

/* A sample and itself, and a sample and its translation: 0 and |c|^2, to what the certified error of 1e-6 leaves of the
 * objectives, which is its square, and roundings of the costs. */
static void translation(void **unused)
{
  (void)unused;
  const size_t dimensions[] = {1, 2, 5};
  for (size_t k = 0; k < 3; k++) {
    const size_t d = dimensions[k], n = 300;
    double length = 0;
    cloud(3, n, d, 1, x);
    for (size_t i = 0; i < n; i++) wx[i] = 0.1 + fg_normal(4, 1, i, 0, 0) * fg_normal(4, 1, i, 0, 0);
    for (size_t j = 0; j < d; j++) length += (1 + (double)j) * (1 + (double)j);
    const fg_sinkhorn_settings s = with(FG_COST_SQUARED, NAN);
    const fg_sinkhorn same = run(&s, n, n, d, x, wx, x, wx);
    assert_true(same.squared < 1e-9);
    for (size_t i = 0; i < n * d; i++) y[i] = x[i] + 1 + (double)(i % d);
    const fg_sinkhorn moved = run(&s, n, n, d, x, wx, y, wx);
    assert_true(fabs(moved.squared - length) < 1e-9 * length);
    /* far away: coordinates of 1e6 carry 1e-10 */
    for (size_t i = 0; i < n * d; i++) y[i] = x[i] + 1e6;
    const fg_sinkhorn far = run(&s, n, n, d, x, wx, y, wx);
    assert_true(fabs(far.squared / (1e12 * (double)d) - 1) < 1e-14);
  }
}

static void symmetry(void **unused)
{
  (void)unused;
  cloud(5, 200, 2, 1, x);
  cloud(6, 333, 2, 1.5, y);
  for (int euclidean = 0; euclidean < 2; euclidean++) {
    const fg_sinkhorn_settings s = with(euclidean ? FG_COST_EUCLIDEAN : FG_COST_SQUARED, NAN);
    const fg_sinkhorn there = run(&s, 200, 333, 2, x, NULL, y, NULL),
                      back = run(&s, 333, 200, 2, y, NULL, x, NULL);
    /* objectives are off by the square of the error; <c, P> by the error times the costs, up to 10 */
    assert_true(fabs(there.between - back.between) < 1e-9);
    assert_true(fabs(there.value - back.value) < (euclidean ? 1e-5 : 1e-9));
    assert_true(fabs(there.epsilon / back.epsilon - 1) < 1e-12);
    assert_true(euclidean || (fabs(there.within_x - back.within_y) < 1e-9));
  }
}

/* epsilon to infinity: |mean x - mean y|^2; to 0: the exact W2^2, from which OT_epsilon differs by at most
 * epsilon log(n) here. */
static void limits(void **unused)
{
  (void)unused;
  const size_t n = 100;
  double gap[2] = {0, 0};
  fg_w2 exact;
  cloud(7, n, 2, 1, x);
  cloud(8, n, 2, 1, y);
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < 2; k++) gap[k] += (x[2 * i + k] - (y[2 * i + k] += 0.5)) / (double)n;
  fg_sinkhorn_settings s = with(FG_COST_SQUARED, 1e9);
  assert_true(fabs(run(&s, n, n, 2, x, NULL, y, NULL).squared - gap[0] * gap[0] - gap[1] * gap[1]) < 1e-6);
  assert_int_equal(fg_w2_exact(NULL, NULL, n, n, 2, x, NULL, y, NULL, NULL, &exact, NULL), FG_OK);
  const double epsilons[] = {0.01, 0.001};
  for (size_t k = 0; k < 2; k++) {
    s = with(FG_COST_SQUARED, epsilons[k]);
    s.debiased = false;
    const fg_sinkhorn r = run(&s, n, n, 2, x, NULL, y, NULL);
    assert_true(r.between >= exact.squared - 1e-9);
    assert_true(r.between - exact.squared <= epsilons[k] * log((double)n));
    /* the plan meets the marginals to 1e-6, and no cost exceeds 100 */
    assert_true(r.squared >= exact.squared - 1e-4 && r.squared <= r.between);
  }
}

/* A row of weight 2 is two rows; rows of weight 0 do not enter; weights need no sum of 1. */
static void weights(void **unused)
{
  (void)unused;
  const size_t n = 60;
  cloud(9, n, 2, 1, x);
  cloud(10, n, 2, 1, y);
  for (size_t i = 0; i < n; i++) wx[i] = (double)(i % 3) * 5;
  size_t rows = 0;
  static double copy[N];
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < i % 3; k++) memcpy(copy + 2 * rows++, x + 2 * i, 2 * sizeof *x);
  const fg_sinkhorn_settings s = with(FG_COST_SQUARED, 0.2);
  const fg_sinkhorn weighted = run(&s, n, n, 2, x, wx, y, NULL),
                    repeated = run(&s, rows, n, 2, copy, NULL, y, NULL);
  assert_int_equal(weighted.n, n - (n + 2) / 3);
  assert_true(fabs(weighted.squared - repeated.squared) < 1e-9);
  assert_true(fabs(weighted.between - repeated.between) < 1e-9);
}

/* One row, coincident rows. */
static void degenerate(void **unused)
{
  (void)unused;
  const double a[2] = {1, 2}, b[2] = {4, 6}, same[6] = {1, 2, 1, 2, 1, 2};
  for (int euclidean = 0; euclidean < 2; euclidean++) {
    const fg_sinkhorn_settings s = with(euclidean ? FG_COST_EUCLIDEAN : FG_COST_SQUARED, NAN);
    assert_true(fabs(run(&s, 1, 1, 2, a, NULL, b, NULL).value - 5) < 1e-12);
    assert_true(fabs(run(&s, 3, 1, 2, same, NULL, b, NULL).value - 5) < 1e-12);
    const fg_sinkhorn none = run(&s, 3, 1, 2, same, NULL, a, NULL);
    assert_true(none.value == 0 && none.epsilon == 1);
  }
}

/* Powers of two: the same digits at any scale that its squares fit; others: to rounding. */
static void scales(void **unused)
{
  (void)unused;
  const size_t n = 80;
  static double a[2 * N], b[2 * N];
  cloud(11, n, 2, 1, x);
  cloud(12, n, 2, 1.2, y);
  for (int euclidean = 0; euclidean < 2; euclidean++) {
    const fg_sinkhorn_settings s = with(euclidean ? FG_COST_EUCLIDEAN : FG_COST_SQUARED, NAN);
    const fg_sinkhorn plain = run(&s, n, n, 2, x, NULL, y, NULL);
    const double scale[] = {0x1p-500, 0x1p500, 1e-150, 1e150};
    for (size_t k = 0; k < 4; k++) {
      for (size_t i = 0; i < 2 * n; i++) {
        a[i] = scale[k] * x[i];
        b[i] = scale[k] * y[i];
      }
      const fg_sinkhorn r = run(&s, n, n, 2, a, NULL, b, NULL);
      assert_true(fabs(r.value / (scale[k] * plain.value) - 1) < (k < 2 ? 1e-15 : 1e-7));
    }
  }
}

static void threads(void **unused)
{
  (void)unused;
  fg_threads *pool;
  fg_status st;
  cloud(13, 500, 3, 1, x);
  cloud(14, 400, 3, 1.1, y);
  for (int euclidean = 0; euclidean < 2; euclidean++) {
    const fg_sinkhorn_settings s = with(euclidean ? FG_COST_EUCLIDEAN : FG_COST_SQUARED, NAN);
    fg_sinkhorn one = run(&s, 500, 400, 3, x, NULL, y, NULL), many;
    assert_int_equal(fg_threads_create(3, &pool, &st), FG_OK);
    assert_int_equal(fg_w2_sinkhorn(engine, pool, &s, 500, 400, 3, x, NULL, y, NULL, NULL, &many, &st),
                     FG_OK);
    one.seconds = many.seconds = 0;
    assert_memory_equal(&one.squared, &many.squared, sizeof one.squared);
    assert_memory_equal(&one.between, &many.between, sizeof one.between);
    assert_memory_equal(&one.marginal_error, &many.marginal_error, sizeof one.marginal_error);
    fg_threads_destroy(&pool);
  }
}

static double reported;

static void note(void *user, const char *stage, double done, double total)
{
  assert_string_equal(stage, "sinkhorn");
  assert_true(done > reported && done <= total);
  reported = done;
  *(volatile sig_atomic_t *)user = done > 0.6;
}

static void progress(void **unused)
{
  (void)unused;
  volatile sig_atomic_t stop = 0;
  const fg_progress p = {note, (void *)&stop, &stop};
  const fg_sinkhorn_settings s = with(FG_COST_SQUARED, NAN);
  fg_sinkhorn result;
  fg_status st;
  reported = 0;
  cloud(15, 200, 2, 1, x);
  cloud(16, 200, 2, 1, y);
  assert_int_equal(fg_w2_sinkhorn(engine, NULL, &s, 200, 200, 2, x, NULL, y, NULL, &p, &result, &st),
                   FG_INTERRUPTED);
  assert_true(isnan(result.squared) && isnan(result.value) && reported > 0.6);
}

static void refuse(fg_engine *e, const fg_sinkhorn_settings *s, fg_code code, const char *part)
{
  fg_sinkhorn result;
  fg_status st = {0};
  assert_int_equal(fg_w2_sinkhorn(e, NULL, s, 4, 4, 2, x, NULL, y, NULL, NULL, &result, &st), code);
  if (!strstr(st.message, part)) fail_msg("\"%s\" lacks \"%s\"", st.message, part);
  assert_true(isnan(result.squared) && isnan(result.value));
}

static void refusals(void **unused)
{
  (void)unused;
  cloud(17, 4, 2, 1, x);
  cloud(18, 4, 2, 1, y);
  fg_sinkhorn_settings s = with(FG_COST_SQUARED, NAN);
  refuse(NULL, &s, FG_USAGE, "engine");
  s.epsilon = -1;
  refuse(engine, &s, FG_USAGE, "epsilon is -1");
  s = with(FG_COST_SQUARED, NAN);
  s.epsilon_share = 0;
  refuse(engine, &s, FG_USAGE, "of the mean cost");
  s = with(FG_COST_SQUARED, NAN);
  s.annealing = 1;
  refuse(engine, &s, FG_USAGE, "annealing is 1");
  s = with(FG_COST_SQUARED, NAN);
  s.tolerance = 0;
  refuse(engine, &s, FG_USAGE, "tolerance is 0");
  s = with(FG_COST_SQUARED, NAN);
  s.iterations = 0;
  refuse(engine, &s, FG_USAGE, "0 iterations");
  s = with(FG_COST_SQUARED, NAN);
  s.tolerance = 1e-30;
  s.iterations = 40;
  refuse(engine, &s, FG_NUMERICS, "did not converge: after 40 iterations");
  refuse(engine, &s, FG_NUMERICS, "larger epsilon");
  s = with(FG_COST_SQUARED, NAN);
  y[5] = NAN;
  refuse(engine, &s, FG_NUMERICS, "row 2 of y");
}

/* What fg_estimate_w2 takes for all replicates is what NaN stands for. */
static void epsilon(void **unused)
{
  (void)unused;
  double chosen, mean[2] = {0, 0};
  const size_t n = 50, m = 70;
  cloud(19, n, 3, 10, x);
  cloud(20, m, 3, 20, y);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < m; j++) {
      double square = 0;
      for (size_t k = 0; k < 3; k++) square += (x[3 * i + k] - y[3 * j + k]) * (x[3 * i + k] - y[3 * j + k]);
      mean[0] += square / (double)(n * m);
      mean[1] += sqrt(square) / (double)(n * m);
    }
  for (int euclidean = 0; euclidean < 2; euclidean++) {
    const fg_sinkhorn_settings s = with(euclidean ? FG_COST_EUCLIDEAN : FG_COST_SQUARED, NAN);
    assert_int_equal(fg_sinkhorn_epsilon(s.cost, n, m, 3, x, NULL, y, NULL, &chosen, NULL), FG_OK);
    assert_true(fabs(chosen / (0.05 * mean[euclidean]) - 1) < 1e-12);
    assert_true(run(&s, n, m, 3, x, NULL, y, NULL).epsilon == chosen);
  }
}

static int open_engine(void **state)
{
  (void)state;
  return fg_engine_open("cpu-check", 1, &engine, NULL) == FG_OK ? 0 : -1;
}

static int close_engine(void **state)
{
  (void)state;
  fg_engine_close(&engine);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults), cmocka_unit_test(gaussians),   cmocka_unit_test(two_points),
      cmocka_unit_test(symmetry), cmocka_unit_test(translation), cmocka_unit_test(limits),
      cmocka_unit_test(weights),  cmocka_unit_test(degenerate),  cmocka_unit_test(scales),
      cmocka_unit_test(threads),  cmocka_unit_test(progress),    cmocka_unit_test(refusals),
      cmocka_unit_test(epsilon),
  };
  return cmocka_run_group_tests(tests, open_engine, close_engine);
}

/* The densities of kernels/body/density.h against fg_target_log_density, which works point by point in double, and
 * Hessian-vector products against differences of its score, in the precision of the including file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cpu/matmul.h"
#include "body/density.h"
#include "cpu/cpu_impl.h"
#include "target/density.h"

enum { POINTS = 80, MOST = 10, GUARD = 16 };

#ifdef FG_SINGLE
static const double case_epsilon = 1.2e-7;
#else
static const double case_epsilon = 2.3e-16;
#endif

static unsigned case_seed = 1;

/* Uniform on (-1, 1), a float: points are then the same in both precisions. */
static double draw(void)
{
  case_seed = case_seed * 1664525u + 1013904223u;
  return (float)((case_seed >> 8) / 8388608.0 - 1);
}

/* The tile's results for POINTS points, by point as the library has them. */
typedef struct results {
  double phi[POINTS], score[POINTS * MOST], jvp[POINTS * MOST];
} results;

static fg_real *reals(size_t count)
{
  fg_real *memory = aligned_alloc(64, (count + GUARD + 16) / 16 * 16 * sizeof *memory);
  assert_non_null(memory);
  for (size_t i = 0; i < count + GUARD; i++) memory[i] = (fg_real)-77.25;
  return memory;
}

static void check_guard(const fg_real *memory, size_t count)
{
  for (size_t i = 0; i < GUARD; i++)
    if (memory[count + i] != (fg_real)-77.25)
      fail_msg("word %zu after an array of %zu was written", i, count);
}

static void unpack(const fg_real *from, int d, int first, int p, double *to)
{
  for (int i = 0; i < p; i++)
    for (int j = 0; j < d; j++) to[(first + i) * d + j] = (double)from[j * p + i];
}

/* In tiles of p particles; x and v [POINTS, d]. */
static void run_tiles(const fg_density *density, int p, unsigned want, const double *x, const double *v,
                      results *out)
{
  size_t d = (size_t)density->d, n = (size_t)p, row_size = fg_density_row_size(density);
  size_t scratch_size = fg_density_scratch(density, p);
  fg_real *row = reals(row_size), *scratch = reals(scratch_size), *xs = reals(d * n), *vs = reals(d * n);
  fg_real *phi = reals(n), *score = reals(d * n), *jvp = reals(d * n);
  fg_density_row(density, row);
  for (int first = 0; first < POINTS; first += p) {
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < d; j++) {
        xs[j * n + i] = (fg_real)x[((size_t)first + i) * d + j];
        vs[j * n + i] = (fg_real)v[((size_t)first + i) * d + j];
      }
    fg_density_tile(density, row, p, want, xs, want & FG_JVP ? vs : NULL, want & FG_PHI ? phi : NULL,
                    want & FG_SCORE ? score : NULL, want & FG_JVP ? jvp : NULL, scratch);
    unpack(phi, 1, first, p, out->phi);
    unpack(score, (int)d, first, p, out->score);
    unpack(jvp, (int)d, first, p, out->jvp);
  }
  check_guard(row, row_size);
  check_guard(scratch, scratch_size);
  check_guard(phi, n);
  check_guard(score, d * n);
  check_guard(jvp, d * n);
  fg_real *all[] = {row, scratch, xs, vs, phi, score, jvp};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static double largest(size_t d, const double *x)
{
  double most = 0;
  for (size_t j = 0; j < d; j++) most = fmax(most, fabs(x[j]));
  return most;
}

static void close_to(const char *what, size_t i, double value, double truth, double tolerance)
{
  if (!(fabs(value - truth) <= tolerance))
    fail_msg("%s at point %zu: %.17g, not %.17g: error %.2g, tolerance %.2g", what, i, value, truth,
             fabs(value - truth), tolerance);
}

/* Rounding of a point by epsilon |x| moves log rho by its score and the score by its Hessian; besides, log rho and
 * the score are sums of terms of their own size or that of their neighbours. `allowed` counts such epsilons. */
static void check_values(const fg_target *t, const double *x, const results *got, double allowed)
{
  size_t d = fg_target_dimension(t);
  for (size_t i = 0; i < POINTS; i++) {
    double value, s[MOST], reach = 1 + largest(d, x + i * d);
    assert_int_equal(fg_target_log_density(t, 1, x + i * d, &value, s, NULL), FG_OK);
    double steep = 1 + largest(d, s), unit = allowed * case_epsilon;
    close_to("log rho", i, got->phi[i], value, unit * (1 + fabs(value) + steep * reach));
    for (size_t j = 0; j < d; j++)
      close_to("score", i, got->score[i * d + j], s[j],
               unit * (steep + reach * largest(d, got->jvp + i * d)));
  }
}

/* Fourth-order differences of the score along v with a step of `h` (error of order h^4 times fifth derivatives, and
 * 1e-16 / h): relative 1e-6 of the largest component in double; in float as many epsilons as the values have. */
static void check_hessian(const fg_target *t, const double *x, const double *v, const results *got, double h,
                          double allowed)
{
  size_t d = fg_target_dimension(t);
  static const double steps[4] = {1, -1, 2, -2};
  for (size_t i = 0; i < POINTS; i++) {
    double s[4][MOST], y[MOST], value, truth[MOST];
    for (int k = 0; k < 4; k++) {
      for (size_t j = 0; j < d; j++) y[j] = x[i * d + j] + steps[k] * h * v[i * d + j];
      assert_int_equal(fg_target_log_density(t, 1, y, &value, s[k], NULL), FG_OK);
    }
    for (size_t j = 0; j < d; j++) truth[j] = (8 * (s[0][j] - s[1][j]) - (s[2][j] - s[3][j])) / (12 * h);
    double scale = 1 + largest(d, truth) + largest(d, s[0]);
    for (size_t j = 0; j < d; j++)
      close_to("Hessian times v", i, got->jvp[i * d + j], truth[j],
               (1e-6 + allowed * case_epsilon * (1 + largest(d, x + i * d))) * scale);
  }
}

/* All three results at once, and each alone in smaller tiles: the same bits. */
static void check_density(const fg_target *t, const fg_density *density, const double *x, const double *v,
                          double h, double allowed)
{
  static results got, part;
  size_t d = fg_target_dimension(t);
  run_tiles(density, POINTS, FG_PHI | FG_SCORE | FG_JVP, x, v, &got);
  check_values(t, x, &got, allowed);
  check_hessian(t, x, v, &got, h, allowed);
  for (unsigned bit = FG_PHI; bit <= FG_JVP; bit *= 2) {
    run_tiles(density, 16, bit, x, v, &part);
    if (bit == FG_PHI) assert_memory_equal(part.phi, got.phi, POINTS * sizeof(double));
    if (bit == FG_SCORE) assert_memory_equal(part.score, got.score, POINTS * d * sizeof(double));
    if (bit == FG_JVP) assert_memory_equal(part.jvp, got.jvp, POINTS * d * sizeof(double));
  }
}

/* POINTS draws of the target, or points 0, moved by up to `spread`: that includes points between and outside modes. */
static void check_target(const fg_target_settings *settings, double spread, double h, double allowed)
{
  static const char *const engines[] = {"cpu", "cpu-check"};
  static double x[POINTS * MOST], v[POINTS * MOST];
  fg_target *t = NULL;
  fg_status st = {0};
  if (fg_target_create(settings, &t, &st) != FG_OK) fail_msg("%s", st.message);
  size_t d = fg_target_dimension(t);
  memset(x, 0, sizeof x);
  if (fg_target_abilities(t) & FG_TARGET_SAMPLE)
    assert_int_equal(fg_target_sample(t, 7, 0, POINTS, x, NULL), FG_OK);
  for (size_t i = 0; i < POINTS * d; i++) {
    x[i] = (float)(x[i] + spread * draw());
    v[i] = draw();
  }
  for (int e = 0; e < 2; e++) {
    fg_engine *engine;
    fg_density density;
    fg_buf buffers[FG_DENSITY_BUFFERS];
    size_t count;
    assert_int_equal(fg_engine_open(engines[e], 1, &engine, NULL), FG_OK);
    if (fg_target_density(t, engine, &density, buffers, &count, &st) != FG_OK) fail_msg("%s", st.message);
    assert_true(density.d == (int)d && count <= FG_DENSITY_BUFFERS);
    fg_cpu_resolve_density(engine->state, &density);
    check_density(t, &density, x, v, h, allowed);
    while (count > 0) engine->ops->free(engine, &buffers[--count]);
    fg_engine_close(&engine);
  }
  fg_target_destroy(&t);
}

static void mixtures(void **state)
{
  (void)state;
  static const double means[6] = {1, 2, -0.5, -2, 0, 1.5}, weights[2] = {1, 3};
  static const double covariances[18] = {2, 0.5, 0.1, 0.5, 1, -0.2, 0.1, -0.2, 0.7,
                                         1, 0,   0.3, 0,   1, 0,    0.3, 0,    2};
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_GAUSSIAN, &s);
  s.dimension = 3;
  s.mean = 0.5;
  s.variance = 2;
  check_target(&s, 1, 1e-2, 16);
  fg_target_defaults(FG_TARGET_GMM9, &s);
  check_target(&s, 2, 2e-3, 16);
  fg_target_defaults(FG_TARGET_BLOBS, &s);
  check_target(&s, 1, 1e-3, 16);
  fg_target_defaults(FG_TARGET_MIXTURE, &s);
  s.components = 2;
  s.dimension = 3;
  s.means = means;
  s.weights = weights;
  s.covariances = covariances;
  check_target(&s, 1, 2e-3, 32); /* the eigenvectors are rounded too */
}

static void funnels(void **state)
{
  (void)state;
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_FUNNEL, &s);
  check_target(&s, 0, 1e-4, 16);
  s.dimension = 2;
  s.nu = 1.5;
  check_target(&s, 0.5, 1e-4, 16);
}

static void wells(void **state)
{
  (void)state;
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_DOUBLE_WELL, &s);
  check_target(&s, 0.5, 1e-3, 16);
  fg_target_defaults(FG_TARGET_MANY_WELL, &s);
  s.dimension = 7;
  s.wells = 3;
  s.shift = 0.5;
  check_target(&s, 0.5, 1e-3, 16);
}

static void rings(void **state)
{
  (void)state;
  static const double radii[3] = {0.3, 1, 2.5}, weights[3] = {1, 2, 5};
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_CIRCLES, &s);
  check_target(&s, 0.3, 1e-4, 16);
  fg_target_defaults(FG_TARGET_RINGS, &s);
  s.rings = 3;
  s.radii = radii;
  s.ring_weights = weights;
  s.ring_sd = 0.25;
  check_target(&s, 0.3, 1e-4, 16);
}

static void logistic(void **state)
{
  (void)state;
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_LOGISTIC, &s);
  s.file = FG_SOURCE_DIR "/examples/logistic/data.csv";
  s.prior_sd = 2;
  check_target(&s, 1, 1e-2, 32); /* a sum of 200 terms */
  check_target(&s, 30, 1e-2, 32);
}

/* The user's function: here that of another target, whose score the Hessian is differenced from. */
static double plugin_call(const void *data, int d, const double *x, double *score)
{
  double value;
  assert_int_equal(fg_target_log_density(data, 1, x, &value, score, NULL), FG_OK);
  assert_true((size_t)d == fg_target_dimension(data));
  return value;
}

static void plugin(void **state)
{
  (void)state;
  static double x[POINTS * MOST], v[POINTS * MOST];
  static results got;
  fg_target_settings s;
  fg_target *t = NULL;
  fg_density density;
  fg_target_defaults(FG_TARGET_MANY_WELL, &s);
  assert_int_equal(fg_target_create(&s, &t, NULL), FG_OK);
  memset(&density, 0, sizeof density);
  density.kind = FG_DENSITY_PLUGIN;
  density.d = (int)s.dimension;
  density.as.plugin.call = plugin_call;
  density.as.plugin.data = t;
  for (size_t i = 0; i < POINTS * s.dimension; i++) {
    x[i] = 2 * draw();
    v[i] = draw();
  }
  check_density(t, &density, x, v, 1e-3, 16);
  memset(v, 0, sizeof v); /* no direction, no step */
  run_tiles(&density, POINTS, FG_JVP, x, v, &got);
  for (size_t i = 0; i < POINTS * s.dimension; i++) assert_true(got.jvp[i] == 0);
  fg_target_destroy(&t);
}

/* At the pole of the rings and far from everything: finite, and the score of the pole is 0. */
static void edges(void **state)
{
  (void)state;
  static double x[POINTS * 2], v[POINTS * 2], log_weight[1] = {0}, radius[1] = {1};
  static results got;
  fg_density density;
  memset(&density, 0, sizeof density);
  density.kind = FG_DENSITY_RINGS;
  density.d = 2;
  density.as.rings.rings = 1;
  density.as.rings.sd = 0.1;
  density.as.rings.log_weight.device = log_weight;
  density.as.rings.radius.device = radius;
  for (int i = 0; i < POINTS; i++) {
    v[2 * i] = 1;
    x[2 * i] = i ? pow(10, (i - 40) / 8.0) : 0; /* 1e-5 to 1e5 */
  }
  run_tiles(&density, POINTS, FG_PHI | FG_SCORE | FG_JVP, x, v, &got);
  for (int i = 0; i < POINTS; i++)
    assert_true(isfinite(got.phi[i]) && isfinite(got.score[2 * i]) && isfinite(got.jvp[2 * i]) &&
                got.score[2 * i + 1] == 0 && got.jvp[2 * i + 1] == 0);
  assert_true(got.score[0] == 0 && got.phi[0] > 0);
  density.kind = FG_DENSITY_NONE;
  run_tiles(&density, POINTS, FG_PHI | FG_SCORE | FG_JVP, x, v, &got);
  for (int i = 0; i < POINTS; i++) assert_true(got.phi[i] == 0 && got.score[i] == 0 && got.jvp[i] == 0);
}

/* Targets without a score are refused, and say so. */
static void refused(void **state)
{
  (void)state;
  fg_target_settings s;
  fg_target *t = NULL;
  fg_engine *engine;
  fg_density density;
  fg_buf buffers[FG_DENSITY_BUFFERS];
  fg_status st = {0};
  size_t count;
  fg_target_defaults(FG_TARGET_CHECKERBOARD, &s);
  assert_int_equal(fg_target_create(&s, &t, NULL), FG_OK);
  assert_int_equal(fg_engine_open("cpu", 1, &engine, NULL), FG_OK);
  assert_int_equal(fg_target_density(t, engine, &density, buffers, &count, &st), FG_UNSUPPORTED);
  assert_non_null(strstr(st.message, "target checkerboard has no score: a sampler needs"));
  assert_true(count == 0 && density.kind == FG_DENSITY_NONE);
  fg_engine_close(&engine);
  fg_target_destroy(&t);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(mixtures), cmocka_unit_test(funnels),
                                     cmocka_unit_test(wells),    cmocka_unit_test(rings),
                                     cmocka_unit_test(logistic), cmocka_unit_test(plugin),
                                     cmocka_unit_test(edges),    cmocka_unit_test(refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

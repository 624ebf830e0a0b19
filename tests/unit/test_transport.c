/* needs: analysis */
/* Closed forms of the three distances, extreme scales, weights, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "flowgap/analysis.h"
#include "formula/random.h"

static void close_to(double got, double want, double tolerance, int line)
{
  if (!(fabs(got - want) <= tolerance))
    fail_msg("line %d: got %.17g, want %.17g (off by %.3g)", line, got, want, got - want);
}
#define NEAR(got, want, tolerance) close_to((got), (want), (tolerance), __LINE__)

static double exact(size_t n, size_t m, size_t d, const double *x, const double *wx, const double *y,
                    const double *wy)
{
  fg_w2 w2;
  fg_status st;
  if (fg_w2_exact(NULL, NULL, n, m, d, x, wx, y, wy, NULL, &w2, &st) != FG_OK) fail_msg("%s", st.message);
  assert_true(w2.primal - w2.dual <= 1e-9 * w2.primal);
  assert_true(fabs(w2.value * w2.value - w2.squared) <= 1e-15 * w2.squared);
  return w2.squared;
}

static void normals(uint64_t seed, size_t n, size_t d, double *x)
{
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < d; k++) x[i * d + k] = fg_normal(seed, 1, i, 0, (uint32_t)k);
}

static void points_and_pairs(void **unused)
{
  (void)unused;
  double x[] = {1, 2}, y[] = {4, 6};
  NEAR(exact(1, 1, 2, x, NULL, y, NULL), 25, 0);
  NEAR(exact(1, 1, 1, x, NULL, y, NULL), 9, 0);
  /* A unit square's corners against its centre; then against one diagonal (each end takes half). */
  double square[] = {0, 0, 1, 0, 0, 1, 1, 1}, centre[] = {0.5, 0.5}, diagonal[] = {0, 0, 1, 1};
  NEAR(exact(4, 1, 2, square, NULL, centre, NULL), 0.5, 1e-15);
  NEAR(exact(1, 4, 2, centre, NULL, square, NULL), 0.5, 1e-15);
  NEAR(exact(4, 2, 2, square, NULL, diagonal, NULL), 0.5, 1e-15);
}

static void permuted_and_duplicated(void **unused)
{
  (void)unused;
  enum { N = 400 };
  double x[2 * N], y[2 * N], z[4 * N];
  normals(3, N, 2, x);
  for (size_t i = 0; i < N; i++) memcpy(y + 2 * i, x + 2 * ((i * 123 + 7) % N), 2 * sizeof *y);
  NEAR(exact(N, N, 2, x, NULL, y, NULL), 0, 0);
  /* Every row twice is the same law. */
  for (size_t i = 0; i < N; i++)
    for (int k = 0; k < 2; k++) z[4 * i + (size_t)k] = z[4 * i + 2 + (size_t)k] = y[2 * i + (size_t)k];
  NEAR(exact(N, 2 * N, 2, x, NULL, z, NULL), 0, 0);
  /* All points in one place. */
  for (size_t i = 0; i < 2 * N; i++) x[i] = 3.25;
  NEAR(exact(N, N, 2, x, NULL, x, NULL), 0, 0);
}

static void translated(void **unused)
{
  (void)unused;
  enum { N = 500 };
  static double x[3 * N], y[3 * N];
  const double scales[] = {1, 1e-150, 1e150, 1e-8};
  normals(5, N, 3, x);
  for (size_t s = 0; s < 4; s++) {
    double scale = scales[s], a[3] = {0.5, -1, 2}, c2 = 5.25;
    for (size_t i = 0; i < 3 * N; i++) {
      x[i] *= scale;
      y[i] = x[i] + scale * a[i % 3];
    }
    fg_w2 w2;
    fg_status st;
    if (fg_w2_exact(NULL, NULL, N, N, 3, x, NULL, y, NULL, NULL, &w2, &st) != FG_OK)
      fail_msg("%s", st.message);
    NEAR(w2.value / scale, sqrt(c2), 1e-14); /* additions round each y to an ulp */
    if (fg_w2_gaussian(N, N, 3, x, NULL, y, NULL, &w2, &st) != FG_OK) fail_msg("%s", st.message);
    NEAR(w2.value / scale, sqrt(c2), 1e-14);
    for (size_t i = 0; i < 3 * N; i++) x[i] /= scale;
  }
}

/* Two nearly equal samples: W2^2 is 1e-24 of the spread squared, far below the unit of the whole costs. */
static void nearly_equal(void **unused)
{
  (void)unused;
  enum { N = 300 };
  static double x[2 * N], y[2 * N];
  double sum = 0;
  normals(8, N, 2, x);
  for (size_t i = 0; i < 2 * N; i++) {
    y[i] = x[i] + 1e-12 * fg_normal(9, 1, i, 0, 0);
    sum += (y[i] - x[i]) * (y[i] - x[i]);
  }
  /* Moves of 1e-12 among points 1e-3 apart: the plan is the identity, so the sum is the closed form. */
  double got = exact(N, N, 2, x, NULL, y, NULL);
  NEAR(got / (sum / N), 1, 1e-12);
}

/* A far point common to both samples must not cost the rest its digits. */
static void far_point(void **unused)
{
  (void)unused;
  enum { N = 400 };
  static double x[2 * N], y[2 * N];
  normals(10, N, 2, x);
  for (size_t i = 0; i < N; i++) {
    y[2 * i] = x[2 * i] + 0.01;
    y[2 * i + 1] = x[2 * i + 1];
  }
  x[0] = 1e6;
  y[0] = 1e6 + 0.01;
  double got = exact(N, N, 2, x, NULL, y, NULL), step = y[0] - x[0];
  NEAR(got, (1e-4 * (N - 1) + step * step) / N, 1e-4 * 1e-9);
}

static void weighted(void **unused)
{
  (void)unused;
  double x[] = {0, 0, 10, 0}, y[] = {1, 0, 10, 3, 99, 99};
  double wx[] = {0.25, 0.75}, wy[] = {3, 9, 0};
  NEAR(exact(2, 3, 2, x, wx, y, wy), 0.25 * 1 + 0.75 * 9, 1e-14);
  /* Quarter of the mass must cross when only the weights differ. */
  double wz[] = {0.5, 0.5};
  NEAR(exact(2, 2, 2, x, wx, x, wz), 0.25 * 100, 1e-13);
  /* Weights 1, 2, 3 are rows repeated. */
  double p[] = {0.1, 0.7, 0.3, 0.2, 0.9, 0.5}, wp[] = {1, 2, 3};
  double repeated[] = {0.1, 0.7, 0.3, 0.2, 0.3, 0.2, 0.9, 0.5, 0.9, 0.5, 0.9, 0.5};
  double q[] = {0.5, 0.1, 0.2, 0.9};
  NEAR(exact(3, 2, 2, p, wp, q, NULL), exact(6, 2, 2, repeated, NULL, q, NULL), 1e-15);
  NEAR(exact(3, 6, 2, p, wp, repeated, NULL), 0, 0);
}

/* In one dimension W2^2 = int (F^-1 - G^-1)^2; points on a slanted line in the plane are the same problem. */
static void line(void **unused)
{
  (void)unused;
  enum { N = 301, M = 200 };
  static double x[N], y[M], x2[2 * N], y2[2 * M], wx[N];
  for (size_t i = 0; i < N; i++) {
    x[i] = fg_normal(1, 2, i, 0, 0);
    wx[i] = fg_uniform(fg_philox(1, 3, i, 0, 0).w[0]);
    x2[2 * i] = 0.6 * x[i];
    x2[2 * i + 1] = 0.8 * x[i];
  }
  for (size_t j = 0; j < M; j++) {
    y[j] = 1 + 2 * fg_normal(2, 2, j, 0, 0);
    y2[2 * j] = 0.6 * y[j];
    y2[2 * j + 1] = 0.8 * y[j];
  }
  /* 0.6 and 0.8 round: a relative 1e-15 of a value near 2; pricing rounds costs to 2^-48 of the largest. */
  NEAR(exact(N, M, 1, x, NULL, y, NULL), exact(N, M, 2, x2, NULL, y2, NULL), 1e-12);
  NEAR(exact(N, M, 1, x, wx, y, NULL), exact(N, M, 2, x2, wx, y2, NULL), 1e-12);
  /* k / 10 against k / 10 + 1/20: a shift. */
  double a[10], b[10];
  for (int k = 0; k < 10; k++) {
    a[9 - k] = k;
    b[(k * 3) % 10] = k + 0.5;
  }
  NEAR(exact(10, 10, 1, a, NULL, b, NULL), 0.25, 0);
}

static void gaussian_moments(void **unused)
{
  (void)unused;
  double squared, zero[3] = {0, 0, 0}, mean[3] = {1, -2, 2};
  double p[9] = {4, 0, 0, 0, 9, 0, 0, 0, 0.25}, q[9] = {1, 0, 0, 0, 16, 0, 0, 0, 0.25};
  fg_status st;
  /* Commuting: sum of (sd - sd)^2 plus the mean's 9. */
  assert_int_equal(fg_w2_gaussian_moments(3, zero, p, mean, q, &squared, &st), FG_OK);
  NEAR(squared, 9 + 1 + 1, 1e-14);
  assert_int_equal(fg_w2_gaussian_moments(3, zero, p, zero, p, &squared, &st), FG_OK);
  NEAR(squared, 0, 1e-28);
  /* Two lines at an angle t, variance 1 along each: 2 - 2 |cos t|. Singular both. */
  double c = cos(0.3), s = sin(0.3), flat[4] = {1, 0, 0, 0}, tilted[4] = {c * c, c * s, c * s, s * s};
  assert_int_equal(fg_w2_gaussian_moments(2, zero, flat, zero, tilted, &squared, &st), FG_OK);
  NEAR(squared, 2 - 2 * c, 1e-15);
  /* A point against a Gaussian: its trace. */
  double none[9] = {0};
  assert_int_equal(fg_w2_gaussian_moments(3, zero, none, zero, p, &squared, &st), FG_OK);
  NEAR(squared, 13.25, 1e-14);
  double same[9] = {1, 0.5, 0, 0.5, 1, 0, 0, 0, 0},
         close[9] = {1 + 1e-12, 0.5, 0, 0.5, 1 + 1e-12, 0, 0, 0, 0};
  assert_int_equal(fg_w2_gaussian_moments(3, zero, same, zero, close, &squared, &st), FG_OK);
  /* d sqrt(lambda) = 1e-12 / (2 sqrt(lambda)) for lambda = 1.5 and 0.5; eigenvalues are good to 1e-16. */
  NEAR(squared / (0.25e-24 * (1 / 1.5 + 1 / 0.5)), 1, 1e-3);
  double negative[4] = {1, 2, 2, 1};
  assert_int_equal(fg_w2_gaussian_moments(2, zero, negative, zero, flat, &squared, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "eigenvalue"));
  flat[1] = NAN;
  assert_int_equal(fg_w2_gaussian_moments(2, zero, flat, zero, tilted, &squared, &st), FG_NUMERICS);
}

static void gaussian_samples(void **unused)
{
  (void)unused;
  double x[] = {-1, 0, 1, 0}, y[] = {2, -3, 2, 3}; /* sd (1, 0) at (0, 0) and (0, 3) at (2, 0) */
  fg_w2 w2;
  fg_status st;
  assert_int_equal(fg_w2_gaussian(2, 2, 2, x, NULL, y, NULL, &w2, &st), FG_OK);
  NEAR(w2.squared, 4 + 1 + 9, 1e-14);
  double wx[] = {1, 3}; /* mean 1/2, variance 3/4 */
  assert_int_equal(fg_w2_gaussian(2, 2, 2, x, wx, y, NULL, &w2, &st), FG_OK);
  NEAR(w2.squared, 2.25 + 0.75 + 9, 1e-14);
}

static void histogram(void **unused)
{
  (void)unused;
  fg_w2_grid_settings grid = {3, 1}; /* nodes -1, 0, 1 */
  double x[] = {-1, 1, 0.4, -0.4, 0.6, 0.6, 1.0000001, 0, 0, -7, 1, 1}, mass[9];
  size_t outside;
  fg_status st;
  assert_int_equal(fg_histogram2(&grid, 6, x, NULL, mass, &outside, &st), FG_OK);
  const double want[9] = {0, 0, 1, 0, 1, 0, 0, 0, 2};
  assert_memory_equal(mass, want, sizeof want);
  assert_int_equal(outside, 2);
  double w[] = {1, 2, 4, 8, 16, 0.5};
  assert_int_equal(fg_histogram2(&grid, 6, x, w, mass, &outside, &st), FG_OK);
  NEAR(mass[8], 4.5, 0);
  NEAR(mass[4], 2, 0);
  x[3] = INFINITY;
  assert_int_equal(fg_histogram2(&grid, 6, x, NULL, mass, &outside, &st), FG_NUMERICS);
  assert_non_null(strstr(st.message, "row 1"));
}

/* The grid transport is the exact transport between the bins as weighted points. */
static void grid_is_exact_between_bins(void **unused)
{
  (void)unused;
  enum { BINS = 6, CELLS = BINS * BINS };
  fg_w2_grid_settings grid = {BINS, 2.5}; /* nodes one apart */
  double p[CELLS], q[CELLS], at[2 * CELLS];
  fg_status st;
  for (uint32_t round = 0; round < 4; round++) {
    for (size_t k = 0; k < CELLS; k++) {
      fg_words words = fg_philox(4, 5, k, round, 0);
      p[k] = round % 2 ? words.w[0] % 5 : fg_uniform(words.w[0]);
      q[k] = round < 2 && words.w[2] % 3 ? 0 : fg_uniform(words.w[1]);
      at[2 * k] = (double)(k / BINS) - 2.5;
      at[2 * k + 1] = (double)(k % BINS) - 2.5;
    }
    fg_w2 w2;
    if (fg_w2_grid(NULL, NULL, &grid, p, q, NULL, &w2, &st) != FG_OK) fail_msg("%s", st.message);
    NEAR(w2.squared, exact(CELLS, CELLS, 2, at, p, at, q), 1e-12);
    assert_true(w2.primal == w2.dual); /* whole numbers: no rounding at all */
  }
  memset(p, 0, sizeof p);
  memset(q, 0, sizeof q);
  p[0] = 3;
  q[CELLS - 1] = 0.1;
  fg_w2 w2;
  assert_int_equal(fg_w2_grid(NULL, NULL, &grid, p, q, NULL, &w2, &st), FG_OK);
  NEAR(w2.squared, 50, 1e-13);
  grid.half_width = 2.5e100;
  assert_int_equal(fg_w2_grid(NULL, NULL, &grid, p, q, NULL, &w2, &st), FG_OK);
  NEAR(w2.value / 1e100, sqrt(50), 1e-14);
}

static void refused(void **unused)
{
  (void)unused;
  double x[] = {0, 0, 1, 1}, bad[] = {0, 0, 1, NAN}, w[] = {1, -1}, zero[] = {0, 0}, nan_w[] = {1, NAN};
  fg_w2 w2;
  fg_status st;
  assert_int_equal(fg_w2_exact(NULL, NULL, 2, 2, 2, x, NULL, bad, NULL, NULL, &w2, &st), FG_NUMERICS);
  assert_non_null(strstr(st.message, "row 1 of y"));
  assert_int_equal(fg_w2_gaussian(2, 2, 2, bad, NULL, x, NULL, &w2, &st), FG_NUMERICS);
  assert_non_null(strstr(st.message, "row 1 of x"));
  assert_int_equal(fg_w2_exact(NULL, NULL, 2, 2, 2, x, w, x, NULL, NULL, &w2, &st), FG_USAGE);
  assert_int_equal(fg_w2_exact(NULL, NULL, 2, 2, 2, x, zero, x, NULL, NULL, &w2, &st), FG_USAGE);
  assert_int_equal(fg_w2_exact(NULL, NULL, 2, 2, 2, x, NULL, x, nan_w, NULL, &w2, &st), FG_NUMERICS);
  assert_int_equal(fg_w2_exact(NULL, NULL, 0, 2, 2, x, NULL, x, NULL, NULL, &w2, &st), FG_USAGE);
  assert_int_equal(fg_w2_exact(NULL, NULL, 2, 2, 0, x, NULL, x, NULL, NULL, &w2, NULL), FG_USAGE);
  double huge[] = {-1e200, 0, 1e200, 0}; /* the square does not fit a double */
  assert_int_equal(fg_w2_exact(NULL, NULL, 1, 1, 2, huge, NULL, huge + 2, NULL, NULL, &w2, &st), FG_NUMERICS);
  double mass[4] = {0, 0, 0, 0}, one[4] = {1, 0, 0, 0}, minus[4] = {1, -1, 0, 0};
  fg_w2_grid_settings grid = {2, 1}, flat = {2, 0}, single = {1, 1};
  assert_int_equal(fg_w2_grid(NULL, NULL, &grid, mass, one, NULL, &w2, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "outside"));
  assert_int_equal(fg_w2_grid(NULL, NULL, &grid, one, minus, NULL, &w2, &st), FG_USAGE);
  assert_int_equal(fg_w2_grid(NULL, NULL, &flat, one, one, NULL, &w2, &st), FG_USAGE);
  assert_int_equal(fg_w2_grid(NULL, NULL, &single, one, one, NULL, &w2, &st), FG_USAGE);
  minus[1] = NAN;
  assert_int_equal(fg_w2_grid(NULL, NULL, &grid, one, minus, NULL, &w2, &st), FG_NUMERICS);
}

/* 20,000 rows at four corners of a square, in every order: 2 of 10 must go to the corner next door. */
static void many_duplicates(void **unused)
{
  (void)unused;
  enum { N = 20000 };
  static double x[2 * N], y[2 * N];
  const int have[10] = {0, 0, 0, 0, 1, 1, 2, 2, 3, 3}, want[10] = {0, 0, 1, 1, 1, 1, 3, 2, 3, 2};
  for (size_t i = 0; i < N; i++) {
    x[2 * i] = have[i % 10] & 1;
    x[2 * i + 1] = have[i % 10] >> 1;
    y[2 * i] = want[i * 7 % 10] & 1;
    y[2 * i + 1] = want[i * 7 % 10] >> 1;
  }
  NEAR(exact(N, N, 2, x, NULL, y, NULL), 0.2, 1e-15);
  /* All but one so near each other that whole costs of the first solve tell none of them apart. */
  for (size_t i = 2; i < 2 * 2000; i++) {
    x[i] = 1e-9 * fg_uniform(fg_philox(1, 7, i, 0, 0).w[0]);
    y[i] = x[i] + 1e-11;
  }
  x[0] = y[0] = 1;
  x[1] = y[1] = 0;
  double sum = 0;
  for (size_t i = 0; i < 2 * 2000; i++) sum += (x[i] - y[i]) * (x[i] - y[i]);
  NEAR(exact(2000, 2000, 2, x, NULL, y, NULL) / (sum / 2000), 1, 1e-9);
}

/* The cancelled solve brackets the value, wherever it was stopped; without a stop progress is told. */
typedef struct stop {
  volatile sig_atomic_t cancel;
  int reports, after;
} stop;

static void count_reports(void *user, const char *stage, double done, double total)
{
  stop *s = user;
  assert_non_null(stage);
  assert_true(done >= 0 && done <= total);
  if (++s->reports == s->after) s->cancel = 1;
}

static void interrupted(void **unused)
{
  (void)unused;
  enum { N = 3000 };
  static double x[2 * N], y[2 * N], w[N];
  normals(21, N, 2, x);
  normals(22, N, 2, y);
  for (size_t i = 0; i < N; i++) {
    y[2 * i] += 1;
    w[i] = 1 + (double)(i % 17);
  }
  stop whole = {0, 0, 0};
  fg_progress progress = {count_reports, &whole, &whole.cancel};
  fg_w2 full, part;
  fg_status st;
  if (fg_w2_exact(NULL, NULL, N, N, 2, x, w, y, NULL, &progress, &full, &st) != FG_OK)
    fail_msg("%s", st.message);
  assert_true(whole.reports > 10);
  for (int share = 0; share < 8; share++) {
    stop early = {share == 0, 0, 1 + share * whole.reports / 8};
    progress = (fg_progress){count_reports, &early, &early.cancel};
    assert_int_equal(fg_w2_exact(NULL, NULL, N, N, 2, x, w, y, NULL, &progress, &part, &st), FG_INTERRUPTED);
    assert_non_null(strstr(st.message, "exact W2 was stopped between "));
    assert_true(isnan(part.squared) && isnan(part.value));
    assert_true(part.primal >= full.dual && isfinite(part.primal));
    assert_true(part.dual >= 0 && part.dual <= full.primal);
    assert_true(part.primal < 1.1 * full.squared);
    if (share > 2) assert_true(part.dual > 0.9 * full.squared); /* a coarser level is solved by then */
  }
}

static void same_bits_on_any_threads(void **unused)
{
  (void)unused;
  enum { N = 1500 };
  static double x[4 * N], y[4 * N], w[N];
  normals(31, N, 4, x);
  normals(32, N, 4, y);
  for (size_t i = 0; i < N; i++) w[i] = fg_uniform(fg_philox(3, 8, i, 0, 0).w[0]);
  for (size_t d = 2; d <= 4; d += 2) {
    fg_w2 first = {0}, more;
    for (int count = 1; count <= 5; count += 2) {
      fg_threads *threads;
      fg_status st;
      assert_int_equal(fg_threads_create(count, &threads, &st), FG_OK);
      if (fg_w2_exact(NULL, threads, N, N, d, x, w, y, NULL, NULL, &more, &st) != FG_OK)
        fail_msg("%s", st.message);
      fg_threads_destroy(&threads);
      if (count == 1) first = more;
      assert_true(more.primal == first.primal && more.dual == first.dual);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(points_and_pairs),
      cmocka_unit_test(permuted_and_duplicated),
      cmocka_unit_test(translated),
      cmocka_unit_test(nearly_equal),
      cmocka_unit_test(far_point),
      cmocka_unit_test(weighted),
      cmocka_unit_test(line),
      cmocka_unit_test(gaussian_moments),
      cmocka_unit_test(gaussian_samples),
      cmocka_unit_test(histogram),
      cmocka_unit_test(grid_is_exact_between_bins),
      cmocka_unit_test(refused),
      cmocka_unit_test(many_duplicates),
      cmocka_unit_test(interrupted),
      cmocka_unit_test(same_bits_on_any_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

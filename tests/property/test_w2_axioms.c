/* needs: analysis */
/* W2 is a metric that shifts and scales as it should, on clustered, weighted and high-dimensional samples. */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "flowgap/analysis.h"
#include "formula/random.h"

enum { N = 350, D_MAX = 5 };

/* Nine clusters in the first two coordinates for odd kinds, one cloud for even ones. */
static void sample(uint64_t seed, int kind, size_t n, size_t d, double *x, double *w)
{
  for (size_t i = 0; i < n; i++) {
    fg_words words = fg_philox(seed, 2, i, 0, 0);
    for (size_t k = 0; k < d; k++) {
      x[i * d + k] = (1 + 0.2 * (double)kind) * fg_normal(seed, 1, i, 0, (uint32_t)k);
      if (kind % 2 && k < 2) x[i * d + k] += 5.0 * (words.w[k] % 3);
    }
    w[i] = fg_uniform(words.w[2]);
  }
}

static double w2(size_t n, size_t m, size_t d, const double *x, const double *wx, const double *y,
                 const double *wy)
{
  fg_w2 result;
  fg_status st;
  if (fg_w2_exact(NULL, NULL, n, m, d, x, wx, y, wy, NULL, &result, &st) != FG_OK) fail_msg("%s", st.message);
  return result.value;
}

static double bures(size_t n, size_t m, size_t d, const double *x, const double *wx, const double *y,
                    const double *wy)
{
  fg_w2 result;
  fg_status st;
  if (fg_w2_gaussian(n, m, d, x, wx, y, wy, &result, &st) != FG_OK) fail_msg("%s", st.message);
  return result.value;
}

/* Along the same directions it is a mean of pseudometrics' squares, so the axioms hold for it too. */
static double sliced(size_t n, size_t m, size_t d, const double *x, const double *wx, const double *y,
                     const double *wy)
{
  fg_w2_sliced_settings settings = {25, 3, NULL};
  fg_w2_slices result;
  fg_status st;
  if (fg_w2_sliced(NULL, NULL, &settings, n, m, d, x, wx, y, wy, NULL, NULL, &result, &st) != FG_OK)
    fail_msg("%s", st.message);
  return result.value;
}

/* Values are near 1 to 10 and come with a relative certificate below 1e-9, in practice 1e-11. */
#define TOLERANCE 1e-9

static void axioms(void **unused)
{
  (void)unused;
  static double x[N * D_MAX], y[N * D_MAX], z[N * D_MAX], moved[N * D_MAX], wx[N], wy[N], wz[N];
  const size_t dimensions[] = {1, 2, 5};
  for (int kind = 0; kind < 4; kind++)
    for (size_t s = 0; s < 3; s++) {
      size_t d = dimensions[s], n = N, m = N - 60 * (size_t)kind, l = N - 7;
      sample(10, kind, n, d, x, wx);
      sample(11, kind + 1, m, d, y, wy);
      sample(12, kind + 2, l, d, z, wz);
      double *a = kind >= 2 ? wx : NULL, *b = kind >= 2 ? wy : NULL, *c = kind == 3 ? wz : NULL;
      double xy = w2(n, m, d, x, a, y, b), yz = w2(m, l, d, y, b, z, c), xz = w2(n, l, d, x, a, z, c);
      assert_true(xy > 0.01);
      assert_true(fabs(xy - w2(m, n, d, y, b, x, a)) <= TOLERANCE * xy);
      assert_true(w2(n, n, d, x, a, x, a) == 0);
      assert_true(xz <= xy + yz + TOLERANCE);
      assert_true(xy <= xz + yz + TOLERANCE);
      assert_true(yz <= xy + xz + TOLERANCE);
      /* Gelbrich: the Gaussians of the same moments are no farther apart. */
      assert_true(bures(n, m, d, x, a, y, b) <= xy * (1 + 1e-9));
      /* One vector added to both, and both scaled by -3. */
      for (size_t i = 0; i < n * d; i++) moved[i] = -3 * (x[i] + 0.5 + (double)(i % d));
      static double other[N * D_MAX];
      for (size_t i = 0; i < m * d; i++) other[i] = -3 * (y[i] + 0.5 + (double)(i % d));
      assert_true(fabs(w2(n, m, d, moved, a, other, b) - 3 * xy) <= 3 * TOLERANCE * xy);
      assert_true(fabs(bures(n, m, d, moved, a, other, b) - 3 * bures(n, m, d, x, a, y, b)) <=
                  TOLERANCE * xy);
      /* A vector added to one: W2^2 = |mean gap + c|^2 + W2^2 of the centred, so for a copy it is |c|. */
      double length = 0;
      for (size_t i = 0; i < n * d; i++) moved[i] = x[i] + 1 + (double)(i % d);
      for (size_t k = 0; k < d; k++) length += (1 + (double)k) * (1 + (double)k);
      assert_true(fabs(w2(n, n, d, x, a, moved, a) - sqrt(length)) <= TOLERANCE);
      assert_true(fabs(bures(n, n, d, x, a, moved, a) - sqrt(length)) <= TOLERANCE);
    }
}

static void sliced_axioms(void **unused)
{
  (void)unused;
  static double x[N * D_MAX], y[N * D_MAX], z[N * D_MAX], a[N * D_MAX], b[N * D_MAX], wx[N], wy[N], wz[N];
  const size_t dimensions[] = {1, 2, 5};
  for (int kind = 0; kind < 4; kind++)
    for (size_t s = 0; s < 3; s++) {
      size_t d = dimensions[s], n = N, m = N - 60 * (size_t)kind, l = N - 7;
      sample(10, kind, n, d, x, wx);
      sample(11, kind + 1, m, d, y, wy);
      sample(12, kind + 2, l, d, z, wz);
      double xy = sliced(n, m, d, x, wx, y, wy), yz = sliced(m, l, d, y, wy, z, NULL);
      double xz = sliced(n, l, d, x, wx, z, NULL);
      assert_true(xy > 0.01);
      assert_true(fabs(xy - sliced(m, n, d, y, wy, x, wx)) <= TOLERANCE * xy);
      assert_true(sliced(n, n, d, x, wx, x, wx) == 0);
      assert_true(xz <= xy + yz + TOLERANCE && xy <= xz + yz + TOLERANCE && yz <= xy + xz + TOLERANCE);
      /* A projection brings no two points farther apart. */
      assert_true(xy <= w2(n, m, d, x, wx, y, wy) * (1 + TOLERANCE));
      for (size_t i = 0; i < n * d; i++) a[i] = -3 * (x[i] + 0.5 + (double)(i % d));
      for (size_t i = 0; i < m * d; i++) b[i] = -3 * (y[i] + 0.5 + (double)(i % d));
      assert_true(fabs(sliced(n, m, d, a, wx, b, wy) - 3 * xy) <= 3 * TOLERANCE * xy);
    }
}

/* Rows of weight 0 and the order of the rows do not matter. */
static void order_and_ghosts(void **unused)
{
  (void)unused;
  static double x[2 * N], y[2 * N], z[4 * N], wx[N], wy[N], wz[2 * N];
  sample(3, 1, N, 2, x, wx);
  sample(4, 2, N, 2, y, wy);
  for (size_t i = 0; i < N; i++) {
    size_t at = 2 * ((i * 111 + 5) % N);
    memcpy(z + 2 * at, x + 2 * i, 2 * sizeof *z);
    wz[at] = wx[i];
    z[2 * at + 2] = z[2 * at + 3] = 1e9;
    wz[at + 1] = 0;
  }
  double direct = w2(N, N, 2, x, wx, y, wy);
  assert_true(fabs(w2(2 * N, N, 2, z, wz, y, wy) - direct) <= TOLERANCE * direct);
  direct = sliced(N, N, 2, x, wx, y, wy);
  assert_true(fabs(sliced(2 * N, N, 2, z, wz, y, wy) - direct) <= TOLERANCE * direct);
}

static void grid_axioms(void **unused)
{
  (void)unused;
  enum { BINS = 20, CELLS = BINS * BINS };
  static double p[CELLS], q[CELLS], r[CELLS], shifted[CELLS];
  fg_w2_grid_settings grid = {BINS, 1.9}; /* nodes 0.2 apart */
  for (size_t k = 0; k < CELLS; k++) {
    fg_words words = fg_philox(6, 1, k, 0, 0);
    bool inside = k / BINS < 15 && k % BINS < 15;
    p[k] = inside ? fg_uniform(words.w[0]) : 0;
    q[k] = fg_uniform(words.w[1]);
    r[k] = fg_uniform(words.w[2]) * fg_uniform(words.w[3]);
    shifted[k] = 0;
  }
  for (size_t k = 0; k < CELLS; k++)
    if (p[k] > 0) shifted[k + 3 * BINS + 4] = 2.5 * p[k];
  fg_w2 pq, qp, qr, pr, pp, ps;
  assert_int_equal(fg_w2_grid(NULL, NULL, &grid, p, q, NULL, &pq, NULL), FG_OK);
  assert_int_equal(fg_w2_grid(NULL, NULL, &grid, q, p, NULL, &qp, NULL), FG_OK);
  assert_int_equal(fg_w2_grid(NULL, NULL, &grid, q, r, NULL, &qr, NULL), FG_OK);
  assert_int_equal(fg_w2_grid(NULL, NULL, &grid, p, r, NULL, &pr, NULL), FG_OK);
  assert_int_equal(fg_w2_grid(NULL, NULL, &grid, p, p, NULL, &pp, NULL), FG_OK);
  assert_int_equal(fg_w2_grid(NULL, NULL, &grid, p, shifted, NULL, &ps, NULL), FG_OK);
  assert_true(fabs(pq.value - qp.value) <= 1e-14);
  assert_true(pp.value == 0);
  assert_true(pr.value <= pq.value + qr.value && pq.value <= pr.value + qr.value);
  assert_true(fabs(ps.value - 1.0) <= 1e-12); /* 0.6 and 0.8: length 1 */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(axioms),
      cmocka_unit_test(sliced_axioms),
      cmocka_unit_test(order_and_ghosts),
      cmocka_unit_test(grid_axioms),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

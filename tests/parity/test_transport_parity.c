/* needs: analysis */
/* The four distances against POT and SciPy; and, where they are at hand, published histograms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <math.h>
#include <cmocka.h>

#include "flowgap/analysis.h"
#include "parity/transport_fixtures.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The generator of make_transport_fixtures.py: the same bits. */
static double unit(uint64_t *state)
{
  *state = 6364136223846793005u * *state + 1442695040888963407u;
  return (double)(*state >> 33) / 2147483648.0;
}

static double *numbers(uint64_t *state, size_t count)
{
  double *x = malloc(count * sizeof *x);
  assert_non_null(x);
  for (size_t i = 0; i < count; i++) x[i] = unit(state);
  return x;
}

static double *points(uint64_t *state, size_t n, size_t d, int clusters)
{
  double *x = numbers(state, n * d);
  for (size_t i = 0; clusters && i < n * d; i++) x[i] += 5 * floor(3 * unit(state));
  return x;
}

static void near(double got, double want, double relative, const char *what, size_t at)
{
  if (!(fabs(got - want) <= relative * fabs(want)))
    fail_msg("%s %zu: got %.17g, want %.17g (off by %.3g)", what, at, got, want, got / want - 1);
}

static void exact_is_pot(void **unused)
{
  (void)unused;
  for (size_t k = 0; k < COUNT(fixture_exact); k++) {
    uint64_t state = fixture_exact[k].seed;
    size_t n = fixture_exact[k].n, m = fixture_exact[k].m, d = fixture_exact[k].d;
    double *x = points(&state, n, d, fixture_exact[k].clusters);
    double *y = points(&state, m, d, fixture_exact[k].clusters);
    double *wx = NULL, *wy = NULL;
    if (fixture_exact[k].weighted) {
      wx = numbers(&state, n);
      wy = numbers(&state, m);
    }
    fg_w2 w2;
    fg_status st;
    if (fg_w2_exact(NULL, NULL, n, m, d, x, wx, y, wy, NULL, &w2, &st) != FG_OK) fail_msg("%s", st.message);
    near(w2.squared, fixture_exact[k].squared, 1e-9, "exact", k);
    assert_true(w2.primal - w2.dual <= 1e-9 * w2.primal);
    free(x);
    free(y);
    free(wx);
    free(wy);
  }
}

static void grid_is_pot(void **unused)
{
  (void)unused;
  for (size_t k = 0; k < COUNT(fixture_grid); k++) {
    uint64_t state = fixture_grid[k].seed;
    size_t cells = fixture_grid[k].bins * fixture_grid[k].bins;
    double *p = numbers(&state, cells), *q = numbers(&state, cells);
    for (size_t i = 0; i < cells; i++) {
      p[i] *= p[i];
      q[i] *= q[i];
      if (fixture_grid[k].counts) {
        p[i] = floor(50 * p[i]);
        q[i] = floor(70 * q[i]);
      }
    }
    fg_w2_grid_settings grid = {fixture_grid[k].bins, 3.5};
    fg_w2 w2;
    fg_status st;
    if (fg_w2_grid(NULL, NULL, &grid, p, q, NULL, &w2, &st) != FG_OK) fail_msg("%s", st.message);
    near(w2.squared, fixture_grid[k].squared, 1e-9, "grid", k);
    free(p);
    free(q);
  }
}

static void gaussian_is_scipy(void **unused)
{
  (void)unused;
  for (size_t k = 0; k < COUNT(fixture_gaussian); k++) {
    uint64_t state = fixture_gaussian[k].seed;
    size_t d = fixture_gaussian[k].d;
    double *mean_p = numbers(&state, d), *mean_q = numbers(&state, d);
    double *a = numbers(&state, d * d), *b = numbers(&state, d * d);
    double *p = calloc(d * d, sizeof *p), *q = calloc(d * d, sizeof *q), squared;
    assert_non_null(p);
    assert_non_null(q);
    for (size_t i = 0; i < d; i++)
      for (size_t j = 0; j < d; j++)
        for (size_t e = 0; e < d; e++) {
          p[i * d + j] += a[i * d + e] * a[j * d + e];
          q[i * d + j] += b[i * d + e] * b[j * d + e];
        }
    fg_status st;
    if (fg_w2_gaussian_moments(d, mean_p, p, mean_q, q, &squared, &st) != FG_OK) fail_msg("%s", st.message);
    /* sqrtm of a product loses half the digits of the smallest eigenvalues, and d = 7 has small ones. */
    near(squared, fixture_gaussian[k].squared, 1e-9, "gaussian", k);
    free(mean_p);
    free(mean_q);
    free(a);
    free(b);
    free(p);
    free(q);
  }
}

/* Directions are the generator's too, and need no unit length for this. */
static void sliced_is_pot(void **unused)
{
  (void)unused;
  for (size_t k = 0; k < COUNT(fixture_sliced); k++) {
    uint64_t state = fixture_sliced[k].seed;
    size_t n = fixture_sliced[k].n, m = fixture_sliced[k].m, d = fixture_sliced[k].d;
    double *x = points(&state, n, d, fixture_sliced[k].clusters);
    double *y = points(&state, m, d, fixture_sliced[k].clusters);
    double *wx = NULL, *wy = NULL;
    if (fixture_sliced[k].weighted) {
      wx = numbers(&state, n);
      wy = numbers(&state, m);
    }
    size_t count = fixture_sliced[k].directions;
    double *direction = numbers(&state, count * d);
    for (size_t i = 0; i < count * d; i++) direction[i] -= 0.5;
    fg_w2_sliced_settings settings = {count, 0, direction};
    fg_w2_slices slices;
    fg_status st;
    if (fg_w2_sliced(NULL, NULL, &settings, n, m, d, x, wx, y, wy, NULL, NULL, &slices, &st) != FG_OK)
      fail_msg("%s", st.message);
    near(slices.squared, fixture_sliced[k].squared, 1e-9, "sliced", k);
    near(slices.max_squared, fixture_sliced[k].max_squared, 1e-9, "largest slice", k);
    free(x);
    free(y);
    free(wx);
    free(wy);
    free(direction);
  }
}

/* Optional: histograms of a published pair of samplers, 64 x 64 float64 values after a header of 128 bytes. */
static int read_histogram(const char *name, double *mass)
{
  char path[1024];
  snprintf(path, sizeof path, "%s/../shared/reference/hist_%s.npy", FG_SOURCE_DIR, name);
  FILE *file = fopen(path, "rb");
  if (!file) return 0;
  int ok = fseek(file, 128, SEEK_SET) == 0 && fread(mass, sizeof *mass, 4096, file) == 4096;
  fclose(file);
  return ok;
}

static void published_histograms(void **unused)
{
  (void)unused;
  static const struct {
    const char *p, *q;
    double squared; /* by POT, nodes at half width 3.5 */
  } cases[] = {{"ode_circles2_w0.0", "target_circles2", 0.01435384907330604},
               {"sde_circles2_w0.0", "target_circles2", 0.00226793945554423},
               {"ode_circles2_w0.0", "sde_circles2_w0.0", 0.01340062704130439},
               {"ode_blob_w1.0", "target_blob", 0.0052797919950093317},
               {"sde_blob_w1.0", "target_blob", 0.0042707940045758437},
               {"ode_blob_w1.0", "sde_blob_w1.0", 0.0029012085700601841}};
  static double p[4096], q[4096];
  for (size_t k = 0; k < COUNT(cases); k++) {
    if (!read_histogram(cases[k].p, p) || !read_histogram(cases[k].q, q)) skip();
    /* The authors' plots put the same histograms on nodes at half width 4. */
    for (int wide = 0; wide < 2; wide++) {
      fg_w2_grid_settings grid = {64, wide ? 4 : 3.5};
      fg_w2 w2;
      fg_status st;
      if (fg_w2_grid(NULL, NULL, &grid, p, q, NULL, &w2, &st) != FG_OK) fail_msg("%s", st.message);
      near(w2.squared, cases[k].squared * (wide ? 64.0 / 49 : 1), 1e-9, "published", k);
      assert_true(w2.primal == w2.dual);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exact_is_pot),         cmocka_unit_test(grid_is_pot),
      cmocka_unit_test(gaussian_is_scipy),    cmocka_unit_test(sliced_is_pot),
      cmocka_unit_test(published_histograms),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: analysis */
/* W2 of two densities on a grid, with its bounds, where it is known. */
#include "support/model_case.h"

#include "analysis/density_impl.h"

enum { CELLS = 96 };
static const double half_width = 6;

/* Density of N(mean, [v, c; c, w]) at the centres, times `scale`. */
static void gaussian(const double mean[2], double v, double c, double w, double scale, double *p)
{
  const fg_law_grid grid = {2, CELLS, half_width};
  double *x = malloc(2 * fg_law_size(&grid) * sizeof *x), det = v * w - c * c;
  assert_non_null(x);
  fg_law_centres(&grid, x);
  for (size_t i = 0; i < fg_law_size(&grid); i++) {
    double a = x[2 * i] - mean[0], b = x[2 * i + 1] - mean[1];
    p[i] = scale * exp(-0.5 * (w * a * a - 2 * c * a * b + v * b * b) / det);
  }
  free(x);
}

static void open_laws(fg_density_laws *l, size_t d)
{
  memset(l, 0, sizeof *l);
  l->grid = (fg_law_grid){d, CELLS, half_width};
  l->sde = malloc(fg_law_size(&l->grid) * sizeof *l->sde);
  l->ode = malloc(fg_law_size(&l->grid) * sizeof *l->ode);
  assert_true(l->sde && l->ode);
}

static void close_laws(fg_density_laws *l)
{
  free(l->sde);
  free(l->ode);
}

/* A shift by a third of a cell, of width 1/8: bounds meet at it, while whole blocks overstate it. */
static void test_shift(void **state)
{
  (void)state;
  const double here[2] = {0.3, -0.2}, there[2] = {0.3 + 0.024, -0.2 + 0.032};
  fg_density_laws l;
  open_laws(&l, 2);
  gaussian(here, 0.8, 0, 0.5, 1, l.sde);
  gaussian(there, 0.8, 0, 0.5, 3, l.ode); /* scales do not matter */
  CASE_OK(fg_density_w2(&l, 32, NULL, NULL, &case_status));
  /* constant in cells against smooth: h^2 times curvature, below 3 % here */
  assert_true(fabs(l.w2_low - 0.04) < 1.2e-3 && fabs(l.w2_high - 0.04) < 1.2e-3);
  assert_int_equal(l.w2_cells, 32);
  assert_true(l.w2.value > 1.5 * l.w2_high && l.w2_value == l.w2_high);
  close_laws(&l);
}

/* Two tilted Gaussians: the bounds hold the closed form, and the figure is near it. */
static void test_tilted(void **state)
{
  (void)state;
  const double here[2] = {0.5, 0.2}, there[2] = {-0.4, 0.1};
  const double first[] = {0.9, 0.4, 0.4, 0.6}, second[] = {0.7, -0.3, -0.3, 0.8};
  double squared;
  fg_density_laws l;
  open_laws(&l, 2);
  gaussian(here, 0.9, 0.4, 0.6, 1, l.sde);
  gaussian(there, 0.7, -0.3, 0.8, 1, l.ode);
  l.sde[5] = -1e-14; /* a solver's error in the tails counts as 0 */
  CASE_OK(fg_w2_gaussian_moments(2, here, first, there, second, &squared, &case_status));
  CASE_OK(fg_density_w2(&l, 48, NULL, NULL, &case_status));
  double truth = sqrt(squared);
  assert_true(l.w2_low < truth && truth < l.w2_high);
  assert_true(l.w2_low > 0.8 * truth && l.w2_high < 1.3 * truth);
  assert_true(fabs(l.w2_value - truth) < 0.01 * truth); /* blocks of 1/4: 0.5 H^2 / W2 at most */
  close_laws(&l);
}

static void test_line(void **state)
{
  (void)state;
  fg_density_laws l;
  open_laws(&l, 1);
  for (size_t i = 0; i < CELLS; i++) l.sde[i] = l.ode[i] = 0;
  l.sde[10] = 2;                /* uniform over one cell */
  l.ode[10] = 1, l.ode[11] = 1; /* and over it and the next */
  CASE_OK(fg_density_w2(&l, 48, NULL, NULL, &case_status));
  double h = 2 * half_width / CELLS; /* the quantile functions are h u and 2 h u: h^2 / 3 */
  assert_true(fabs(l.w2_value - h / sqrt(3.0)) < 1e-14 && l.w2_low == l.w2_value && l.w2_high == l.w2_value);
  assert_int_equal(l.w2_cells, 0);
  close_laws(&l);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_shift), cmocka_unit_test(test_tilted),
                                     cmocka_unit_test(test_line)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

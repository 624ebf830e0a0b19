/* needs: analysis */
/* The bound (B): never below the distance of the laws, whatever Lipschitz constant it rests on, and a theorem where
 * that constant holds everywhere; the gap is of first order in the size of the perturbation. */
#include "support/certificate_case.h"

#include "analysis/grid_laws.h"

enum { KINDS = 3, SIZES = 3 };

typedef struct gap_figures {
  double gap, most, left,
      bound
          [KINDS]; /* W2 lies between gap and most; bounds by Lipschitz constants over paths, a box, all of space */
} gap_figures;

static void distance(const certificate_case *c, const fg_identity_settings *s, double *p, gap_figures *out)
{
  fg_status st;
  fg_law_report report;
  size_t n = fg_law_size(&s->grid);
  double *q = malloc(n * sizeof *q);
  assert_non_null(q);
  certificate_ok(fg_law_ode(c->model, c->prior, &s->grid, &s->law, s->t0, q, NULL, &report, &st), &st);
  for (size_t i = 0; i < n; i++) {
    q[i] = exp(q[i]);
    p[i] = fmax(0, p[i]);
  }
  certificate_ok(fg_grid_laws_w2(&s->grid, p, q, &out->gap, &st), &st);
  free(q);
}

/* Largest eigenvalues over the states of the SDE, over the cells' centres, and the closed form. */
static void bounds(const certificate_case *c, const fg_identity_settings *s, const double *states, double d,
                   double bound[KINDS])
{
  fg_status st;
  size_t count = s->intervals + 1, n = fg_law_size(&s->grid);
  double *x = malloc(n * c->d * sizeof *x), *t = malloc(count * sizeof *t), *w = malloc(count * sizeof *w);
  double *l = malloc(KINDS * count * sizeof *l), log_a;
  bool known;
  assert_true(x && t && w && l);
  fg_law_centres(&s->grid, x);
  certificate_ok(fg_identity_times(s, c->process, t, w, NULL, &st), &st);
  for (size_t k = 0; k < count; k++) {
    certificate_ok(fg_lipschitz_sampled(c->model, t[k], s->paths, states + k * s->paths * c->d, &l[k], &st),
                   &st);
    certificate_ok(fg_lipschitz_sampled(c->model, t[k], n, x, &l[count + k], &st), &st);
  }
  certificate_ok(fg_lipschitz_global(c->model, count, t, l + 2 * count, &known, &st), &st);
  assert_true(known);
  for (int kind = 0; kind < KINDS; kind++) {
    certificate_ok(fg_certificate_log_a(c->process, count, t, l + (size_t)kind * count, &log_a, NULL, &st),
                   &st);
    bound[kind] = exp(0.5 * (log_a + log(d)));
  }
  free(x);
  free(t);
  free(w);
  free(l);
}

static void measure(size_t d, size_t k, const double *means, double epsilon, gap_figures *out)
{
  certificate_case c;
  fg_status st;
  fg_identity_settings s;
  fg_identity_grid grid;
  fg_identity_paths paths;
  fg_identity_defaults(d, &s);
  s.t0 = 0.05;
  s.intervals = 32;
  s.grid.cells = d == 1 ? 800 : 64;
  s.grid.half_width = d == 1 ? 6 : 5;
  s.halve = false;
  s.paths = 500;
  certificate_open(&c, d, k, means, 0.3, 4, epsilon);
  double *p = malloc(fg_law_size(&s.grid) * sizeof *p);
  double *states = malloc((s.intervals + 1) * s.paths * d * sizeof *states);
  assert_true(p && states);
  certificate_ok(fg_identity_on_grid(c.model, c.prior, &s, NULL, NULL, NULL, p, &grid, &st), &st);
  certificate_ok(fg_identity_by_paths(c.model, c.prior, &s, NULL, NULL, NULL, states, &paths, &st), &st);
  out->left = grid.left;
  distance(&c, &s, p, out);
  bounds(&c, &s, states, grid.left, out->bound);
  print_message("d = %zu, %zu components, epsilon %.2f: gap %.5f, left %.3g, bounds %.4g (paths) %.4g (box) "
                "%.4g (all)\n",
                d, k, epsilon, out->gap, out->left, out->bound[0], out->bound[1], out->bound[2]);
  free(p);
  free(states);
  certificate_close(&c);
}

static void check(size_t d, size_t k, const double *means, gap_figures out[SIZES])
{
  const double epsilon[SIZES] = {0.05, 0.3, 1};
  for (int i = 0; i < SIZES; i++) {
    measure(d, k, means, epsilon[i], &out[i]);
    assert_true(out[i].gap > 0);
    for (int kind = 0; kind < KINDS; kind++) assert_true(out[i].gap <= out[i].bound[kind]);
    /* the closed form is never below what is seen at points */
    assert_true(out[i].bound[2] >= out[i].bound[1] * (1 - 1e-9) && out[i].bound[1] > 0);
  }
}

static void test_line(void **state)
{
  (void)state;
  const double means[2] = {-0.9, 0.8};
  gap_figures out[SIZES];
  check(1, 2, means, out);
  /* first order in epsilon: the relative next term is of the size of epsilon */
  assert_true(fabs(out[1].gap / out[0].gap / 6 - 1) < 0.3);
}

/* One Gaussian: the flow contracts, so the bound is of the size of the gap. */
static void test_gaussian(void **state)
{
  (void)state;
  const double mean[1] = {0.5};
  gap_figures out[SIZES];
  check(1, 1, mean, out);
  for (int i = 0; i < 2; i++) assert_true(out[i].bound[0] < 12 * out[i].gap);
}

static void test_plane(void **state)
{
  (void)state;
  const double means[6] = {-0.8, 0.4, 0.9, 0.3, 0.1, -1};
  gap_figures out[SIZES];
  check(2, 3, means, out);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_line), cmocka_unit_test(test_gaussian),
                                     cmocka_unit_test(test_plane)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

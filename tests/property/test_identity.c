/* needs: fokker_planck */
/* The identity (I): both sides agree on the grid to the order of the discretisation and by paths within the standard
 * error; 0 for exact models; of second order in the size of a perturbation; blind to a function of time added to phi. */
#include "support/certificate_case.h"

static const double fg_two[2] = {-0.9, 0.8};
static const double fg_corners[6] = {-0.8, 0.4, 0.9, 0.3, 0.1, -1};

static void settings_line(fg_identity_settings *s, size_t cells)
{
  fg_identity_defaults(1, s);
  s->t0 = 0.05;
  s->grid.cells = cells;
  s->grid.half_width = 6;
  s->law.rtol = 1e-8;
  s->law.atol = 1e-12;
}

static void settings_plane(fg_identity_settings *s, size_t cells)
{
  fg_identity_defaults(2, s);
  s->t0 = 0.05;
  s->intervals = 32;
  s->grid.cells = cells;
  s->grid.half_width = 5;
  s->law.rtol = 1e-6;
  s->law.atol = 1e-10;
  s->threshold = 1e-7;
}

static void on_grid(certificate_case *c, const fg_identity_settings *s, double *psi, fg_identity_grid *out)
{
  fg_status st;
  certificate_ok(fg_identity_on_grid(c->model, c->prior, s, NULL, NULL, psi, NULL, out, &st), &st);
}

/* Left and right differ by the discretisation alone: order 2 in the width of the cells, so that a halving divides the
 * difference by 4; 3.2 leaves room for the error in time, 1e-6 here, which does not fall. */
static void test_line_converges(void **state)
{
  (void)state;
  certificate_case c;
  fg_identity_settings s;
  fg_identity_grid out[3];
  double gap[3];
  const size_t cells[3] = {200, 400, 800};
  certificate_open(&c, 1, 2, fg_two, 0.3, 4, 0.3);
  for (int i = 0; i < 3; i++) {
    settings_line(&s, cells[i]);
    on_grid(&c, &s, NULL, &out[i]);
    gap[i] = fabs(out[i].left - out[i].right);
    print_message("%zu cells: left %.9g right %.9g\n", cells[i], out[i].left, out[i].right);
  }
  assert_true(gap[0] > 3.2 * gap[1] && gap[1] > 3.2 * gap[2]);
  const fg_identity_grid *last = &out[2];
  assert_true(gap[2] < 1e-3 * last->left);
  /* the errors that are reported cover the change of each side between the last two grids, and the gap */
  assert_true(last->left_space > 0.9 * fabs(last->left - out[1].left) / 3);
  assert_true(last->left_space + last->right_space + last->left_time + last->right_time > 0.9 * gap[2]);
  assert_true(last->left_out < 1e-8 && last->outside < 1e-12);
  certificate_close(&c);
}

/* More intervals of time: from 16 to 32 the right side's error falls by far more than the 16 of Simpson's rule (the map
 * is smooth and flat at T), and what is left lies within the change that is reported. */
static void test_time_converges(void **state)
{
  (void)state;
  certificate_case c;
  fg_identity_settings s;
  fg_identity_grid out[3];
  const size_t intervals[3] = {16, 32, 128};
  certificate_open(&c, 1, 2, fg_two, 0.3, 4, 0.3);
  for (int i = 0; i < 3; i++) {
    settings_line(&s, 400);
    s.intervals = intervals[i];
    s.halve = false;
    on_grid(&c, &s, NULL, &out[i]);
    print_message("%zu intervals: left %.9g (%.1e) right %.9g (%.1e)\n", intervals[i], out[i].left,
                  out[i].left_time, out[i].right, out[i].right_time);
  }
  assert_true(fabs(out[0].right - out[2].right) > 8 * fabs(out[1].right - out[2].right));
  assert_true(fabs(out[1].left - out[2].left) < 1e-5 * out[2].left);
  assert_true(fabs(out[1].right - out[2].right) < out[1].right_time);
  certificate_close(&c);
}

static void check_paths(const fg_identity_paths *p, const fg_identity_grid *g, const char *what)
{
  print_message(
      "%s: left %.5g +- %.2g (grid %.5g), right %.5g +- %.2g (grid %.5g), difference %.2g +- %.2g\n", what,
      p->left, p->left_se, g->left, p->right, p->right_se, g->right, p->difference, p->difference_se);
  /* four standard errors, and what halving the steps changes */
  double step = fabs(p->sum_step) + p->sum_time;
  assert_true(fabs(p->difference) < 4 * p->difference_se + step);
  assert_true(fabs(p->left - g->left) < 4 * p->left_se + 0.01 * g->left); /* psi is linear between cells */
  assert_true(fabs(p->right - g->right) < 4 * p->right_se + step);
  assert_true(fabs(p->kl_start - g->kl_start) < 4 * p->kl_start_se + 1e-5);
  assert_true(fabs(p->kl_end - g->kl_end) < 4 * p->kl_end_se + step);
  assert_true(fabs(p->residual - g->residual) < 4 * p->residual_se + step);
  /* a test with an error of its own size would show nothing */
  assert_true(p->difference_se < 0.15 * p->left);
  assert_int_equal(p->lost, 0);
  assert_true(p->off < 1e-4 * (double)p->visits);
}

static void by_paths(certificate_case *c, fg_identity_settings *s, size_t cells, const char *what)
{
  fg_status st;
  fg_identity_grid grid;
  fg_identity_paths paths, alone;
  s->halve = false;
  size_t count = s->intervals + 1, size = c->d == 1 ? cells : cells * cells;
  double *psi = malloc(count * size * sizeof *psi);
  fg_identity_point *point = malloc(count * sizeof *point);
  assert_true(psi && point);
  on_grid(c, s, psi, &grid);
  certificate_ok(fg_identity_by_paths(c->model, c->prior, s, psi, NULL, point, NULL, &paths, &st), &st);
  check_paths(&paths, &grid, what);
  assert_true(point[0].t == fg_process_horizon(c->process) && point[count - 1].t == 0.05 &&
              point[3].fisher > 0);
  certificate_ok(fg_identity_by_paths(c->model, c->prior, s, NULL, NULL, NULL, NULL, &alone, &st), &st);
  assert_true(alone.sum == paths.sum && isnan(alone.left) && isnan(alone.difference));
  free(psi);
  free(point);
}

static void test_line_paths(void **state)
{
  (void)state;
  certificate_case c;
  fg_identity_settings s;
  settings_line(&s, 800);
  s.paths = 50000;
  s.intervals = 32;
  certificate_open(&c, 1, 2, fg_two, 0.3, 4, 0.3);
  by_paths(&c, &s, 800, "d = 1");
  certificate_close(&c);
}

static void test_plane_paths(void **state)
{
  (void)state;
  certificate_case c;
  fg_identity_settings s;
  settings_plane(&s, 96);
  s.paths = 50000;
  certificate_open(&c, 2, 3, fg_corners, 0.3, 4, 0.3);
  by_paths(&c, &s, 96, "d = 2");
  certificate_close(&c);
}

/* d = 2: the same order on 48, 96 and 192 cells. */
static void test_plane_converges(void **state)
{
  (void)state;
  certificate_case c;
  fg_identity_settings s;
  fg_identity_grid out;
  double gap[3];
  const size_t cells[3] = {48, 96, 192};
  certificate_open(&c, 2, 3, fg_corners, 0.3, 4, 0.3);
  for (int i = 0; i < 3; i++) {
    settings_plane(&s, cells[i]);
    s.intervals = 64;
    s.halve = false;
    on_grid(&c, &s, NULL, &out);
    gap[i] = fabs(out.left - out.right);
    print_message("%zu cells: left %.9g right %.9g\n", cells[i], out.left, out.right);
  }
  assert_true(gap[0] > 3 * gap[1] && gap[1] > 3 * gap[2]);
  assert_true(gap[2] < 5e-3 * out.left);
  certificate_close(&c);
}

/* Both sides where a and g are neither 1 nor constant: to the square of the cells' width on the grid, to four standard
 * errors by paths. */
static void test_processes(void **state)
{
  (void)state;
  for (int kind = 0; kind < 2; kind++) {
    certificate_case c;
    fg_process_settings noise;
    fg_identity_settings s;
    fg_identity_grid grid;
    fg_process_defaults(kind ? FG_PROCESS_VP : FG_PROCESS_OU, &noise);
    if (!kind) noise.rate = 0.7, noise.diff = 1.6, noise.horizon = 2;
    settings_line(&s, 800);
    s.grid.half_width = 8;
    s.intervals = 64;
    s.halve = false;
    s.paths = 50000;
    certificate_open_under(&c, &noise, 1, 2, fg_two, 0.3, 0.3);
    on_grid(&c, &s, NULL, &grid);
    print_message("%s: left %.9g right %.9g\n", kind ? "vp" : "ou", grid.left, grid.right);
    assert_true(grid.left > 1e-3 && fabs(grid.left - grid.right) < 2e-3 * grid.left);
    by_paths(&c, &s, 800, kind ? "vp" : "ou");
    certificate_close(&c);
  }
}

/* Exact model and exact prior: both sides are 0, to the solver's tolerance and the square of the grid's error. */
static void test_exact(void **state)
{
  (void)state;
  certificate_case c;
  fg_status st;
  fg_identity_settings s;
  fg_identity_grid grid;
  fg_identity_paths paths;
  settings_line(&s, 400);
  certificate_open(&c, 1, 2, fg_two, 0.3, 4, 0);
  on_grid(&c, &s, NULL, &grid);
  print_message("exact: left %.2g right %.2g\n", grid.left, grid.right);
  assert_true(fabs(grid.left) < 1e-7 && fabs(grid.right) < 1e-7);
  certificate_ok(fg_identity_by_paths(c.model, c.prior, &s, NULL, NULL, NULL, NULL, &paths, &st), &st);
  assert_true(fabs(paths.sum) < 1e-10 &&
              paths.sum_se < 1e-10); /* R and log p_T - phi vanish at every point */
  certificate_close(&c);
}

/* The left side is of second order in epsilon. The next term is of relative size epsilon: it leaves 0.4 % at 0.05. */
static void test_square(void **state)
{
  (void)state;
  const double epsilon[3] = {0.05, 0.1, 0.2};
  double scaled[3];
  for (int i = 0; i < 3; i++) {
    certificate_case c;
    fg_identity_settings s;
    fg_identity_grid grid;
    settings_line(&s, 800);
    s.halve = false;
    certificate_open(&c, 1, 2, fg_two, 0.3, 4, epsilon[i]);
    on_grid(&c, &s, NULL, &grid);
    scaled[i] = grid.left / (epsilon[i] * epsilon[i]);
    certificate_close(&c);
  }
  print_message("left / epsilon^2: %g %g %g\n", scaled[0], scaled[1], scaled[2]);
  assert_true(fabs(scaled[1] / scaled[0] - 1) < 0.05 && fabs(scaled[2] / scaled[0] - 1) < 0.1);
}

/* ---- gauge ---------------------------------------------------------------------------------- */

enum { UNITS = 6 };

/* A potential tanh network of (t, x); with `gauge` a further hidden unit sees t alone. */
static void network_open(certificate_case *c, bool gauge, fg_model **model)
{
  fg_status st;
  const size_t widths[3] = {2, UNITS + (gauge ? 1 : 0), 1};
  double first[2 * (UNITS + 1)], bias[UNITS + 1], last[UNITS + 1], zero = 0.1;
  for (int i = 0; i < UNITS; i++) {
    first[2 * i] = 0.4 * sin(1.0 + i);
    first[2 * i + 1] = 0.9 * cos(2.0 + 1.7 * i);
    bias[i] = 0.5 * sin(3.0 + 2.3 * i);
    last[i] = 0.5 * cos(0.3 + 1.1 * i);
  }
  first[2 * UNITS] = 0.9, first[2 * UNITS + 1] = 0, bias[UNITS] = 0.2, last[UNITS] = 1.7;
  const double *weights[2] = {first, last}, *biases[2] = {bias, &zero};
  fg_network_settings s;
  memset(&s, 0, sizeof s);
  s.form = FG_POTENTIAL;
  s.activation = FG_TANH;
  s.time = FG_TIME_FIRST;
  s.dimension = 1;
  s.layers = 2;
  s.widths = widths;
  s.weights = weights;
  s.biases = biases;
  certificate_ok(fg_model_network(c->engine, &s, c->process, model, &st), &st);
}

/* c(t) = 1.7 tanh(0.9 t + 0.2) changes phi by 1 from t0 to T; both sides stay, to the quadrature of c'. */
static void test_gauge(void **state)
{
  (void)state;
  certificate_case c;
  fg_status st;
  fg_identity_settings s;
  fg_identity_grid plain, gauged;
  fg_identity_paths paths[2];
  fg_prior *prior;
  const fg_prior_settings start = {FG_PRIOR_GAUSSIAN, 0.5, 0};
  certificate_open(&c, 1, 2, fg_two, 0.3, 1, 0);
  certificate_ok(fg_prior_create(&start, 1, c.process, NULL, &prior, &st), &st);
  settings_line(&s, 1200);
  s.t0 = 0.02;
  s.grid.half_width = 14;
  s.halve = false;
  for (int i = 0; i < 2; i++) {
    fg_model *model;
    network_open(&c, i == 1, &model);
    certificate_ok(fg_identity_on_grid(model, prior, &s, NULL, NULL, NULL, NULL, i ? &gauged : &plain, &st),
                   &st);
    certificate_ok(fg_identity_by_paths(model, prior, &s, NULL, NULL, NULL, NULL, &paths[i], &st), &st);
    fg_model_destroy(&model);
  }
  print_message("plain: left %.9g right %.9g; gauged: %.9g %.9g\n", plain.left, plain.right, gauged.left,
                gauged.right);
  double change = 1.7 * (tanh(1.1) - tanh(0.9 * 0.02 + 0.2));
  assert_true(plain.left > 1e-3);
  assert_true(fabs(plain.left - plain.right) < 2e-3 * plain.left);
  assert_true(fabs(gauged.left - plain.left) < 1e-10 * plain.left);
  assert_true(fabs(gauged.right - plain.right) < 1e-6);
  assert_true(fabs(gauged.residual - plain.residual - change) < 1e-6); /* which R alone does see */
  assert_true(fabs(paths[1].residual - paths[0].residual - change) < 1e-6);
  fg_prior_destroy(&prior);
  certificate_close(&c);
}

/* ---- what cannot be done ----------------------------------------------------------------------- */

static void test_refused(void **state)
{
  (void)state;
  certificate_case c;
  fg_status st;
  fg_identity_settings s;
  fg_identity_grid grid;
  fg_identity_paths paths;
  fg_prior *point;
  const fg_prior_settings at_zero = {FG_PRIOR_POINT, 0, 0};
  const double cube[3] = {0, 0.1, 0.2};
  settings_line(&s, 100);
  certificate_open(&c, 1, 2, fg_two, 0.3, 4, 0.3);
  certificate_ok(fg_prior_create(&at_zero, 1, c.process, NULL, &point, &st), &st);
  assert_int_equal(fg_identity_by_paths(c.model, point, &s, NULL, NULL, NULL, NULL, &paths, &st),
                   FG_UNSUPPORTED);
  s.paths = 1;
  assert_int_equal(fg_identity_by_paths(c.model, c.prior, &s, NULL, NULL, NULL, NULL, &paths, &st), FG_USAGE);
  s.intervals = 10;
  assert_int_equal(fg_identity_on_grid(c.model, c.prior, &s, NULL, NULL, NULL, NULL, &grid, &st), FG_USAGE);
  fg_prior_destroy(&point);
  certificate_close(&c);
  settings_line(&s, 100);
  certificate_open(&c, 3, 1, cube, 0.3, 4, 0.3);
  assert_int_equal(fg_identity_on_grid(c.model, c.prior, &s, NULL, NULL, NULL, NULL, &grid, &st), FG_USAGE);
  certificate_close(&c);
}

/* The same bits on any number of threads: particles have their own numbers, sums their order. */
static void test_threads(void **state)
{
  (void)state;
  fg_identity_paths out[2];
  for (int i = 0; i < 2; i++) {
    certificate_case c;
    fg_status st;
    fg_engine *engine;
    fg_model *model;
    fg_perturbation perturbation;
    fg_identity_settings s;
    settings_plane(&s, 32);
    s.paths = 300;
    certificate_open(&c, 2, 3, fg_corners, 0.3, 4, 0.3);
    fg_perturbation_defaults(&perturbation);
    certificate_ok(fg_engine_open("cpu", i ? 5 : 1, &engine, &st), &st);
    certificate_ok(fg_model_perturbed(engine, c.target, c.process, &perturbation, &model, &st), &st);
    certificate_ok(fg_identity_by_paths(model, c.prior, &s, NULL, NULL, NULL, NULL, &out[i], &st), &st);
    fg_model_destroy(&model);
    fg_engine_close(&engine);
    certificate_close(&c);
  }
  assert_true(out[0].sum == out[1].sum && out[0].residual_se == out[1].residual_se);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_line_converges), cmocka_unit_test(test_time_converges),
      cmocka_unit_test(test_line_paths),     cmocka_unit_test(test_plane_converges),
      cmocka_unit_test(test_plane_paths),    cmocka_unit_test(test_processes),
      cmocka_unit_test(test_exact),          cmocka_unit_test(test_square),
      cmocka_unit_test(test_gauge),          cmocka_unit_test(test_refused),
      cmocka_unit_test(test_threads)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

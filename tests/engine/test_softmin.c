/* needs: kernels cuda_on_cpu */
/* The slot softmin: cpu, cpu-check and the CUDA kernels run on the CPU, against long double loops. */
#include "support/shim_engines.h"

enum { MOST = 1000, D_MOST = 70 };

typedef struct sums_case {
  const char *name;
  size_t n, m, d;
  int euclidean;
  double epsilon, spread, shift; /* of the potentials; y is x's cloud moved by shift */
  double guess;                  /* added to the right answer; NaN: none is given */
} sums_case;

static const sums_case cases[] = {
    {"one pair", 1, 1, 2, 0, 0.05, 1, 0, NAN},
    {"plane", 64, 100, 2, 0, 0.05, 0.1, 0, NAN},
    {"plane, good guess", 100, 200, 2, 0, 0.05, 0.1, 0, 0.01},
    {"plane, low guess", 100, 200, 2, 0, 0.05, 0.1, 0, 40},
    {"plane, high guess", 100, 200, 2, 0, 0.05, 0.1, 0, -40},
    {"line", 7, 64, 1, 0, 0.01, 0.1, 0, 0},
    {"line, Euclidean", 7, 65, 1, 1, 0.01, 0.1, 0, 0},
    {"plane, Euclidean", 64, 130, 2, 1, 0.02, 0.1, 0.3, 0.001},
    {"space", 33, 63, 3, 0, 0.1, 0.1, 0, 0},
    {"space, Euclidean", 33, 63, 3, 1, 0.1, 0.1, 0, NAN},
    {"four", 17, 70, 4, 0, 0.1, 0.1, 0, NAN},
    {"four, Euclidean", 17, 70, 4, 1, 0.1, 0.1, 0, NAN},
    {"ten", 65, 129, 10, 0, 0.5, 0.1, 0, 0},
    {"ten, Euclidean", 65, 129, 10, 1, 0.1, 0.1, 0, 0},
    {"more than shared memory holds", 5, 70, D_MOST, 0, 2, 0.1, 0, NAN},
    {"far apart", 64, 64, 2, 0, 0.01, 0.1, 30, NAN}, /* every term is exp(-90000) */
    {"small epsilon", 64, 1000, 2, 0, 1e-4, 1e-3, 0, 0},
    {"huge potentials", 10, 50, 2, 0, 0.1, 1e4, 0, NAN},
};
enum { CASES = sizeof cases / sizeof *cases };

static double x[MOST * D_MOST], y[MOST * D_MOST], log_b[MOST], g[MOST], out[MOST], mean[MOST], guess[MOST];

/* Points along a curve, so that neighbours in the list are neighbours in space and blocks can be left out. */
static void fill(const sums_case *c)
{
  case_state = 11;
  for (int side = 0; side < 2; side++) {
    const size_t rows = side ? c->m : c->n;
    double *points = side ? y : x;
    for (size_t i = 0; i < rows; i++)
      for (size_t k = 0; k < c->d; k++)
        points[i * c->d + k] = (k == 0 ? (double)i / (double)rows : 0) + draw(0.05) + (side ? c->shift : 0);
  }
  for (size_t j = 0; j < c->m; j++) {
    log_b[j] = log(0.5 + fabs(draw(1)));
    g[j] = draw(c->spread);
  }
}

static void reference(const sums_case *c)
{
  for (size_t i = 0; i < c->n; i++) {
    long double top = -HUGE_VALL, sum = 0, weighted = 0;
    for (int pass = 0; pass < 2; pass++)
      for (size_t j = 0; j < c->m; j++) {
        long double cost = 0;
        for (size_t k = 0; k < c->d; k++) {
          const long double gap = (long double)x[i * c->d + k] - y[j * c->d + k];
          cost += gap * gap;
        }
        if (c->euclidean) cost = sqrtl(cost);
        const long double z = log_b[j] + (g[j] - cost) / c->epsilon;
        if (pass == 0) {
          top = fmaxl(top, z);
        } else {
          sum += expl(z - top);
          weighted += cost * expl(z - top);
        }
      }
    out[i] = (double)(-c->epsilon * (top + logl(sum)));
    mean[i] = (double)(weighted / sum);
  }
}

static void run(fg_engine *e, const sums_case *c, fg_precision precision, int with_mean, record *to)
{
  fg_softmin_request r = {.precision = precision, .n = c->n, .m = c->m, .d = c->d, .euclidean = c->euclidean};
  guarded gx = guarded_open(e, c->n * c->d * sizeof *x, x), gy = guarded_open(e, c->m * c->d * sizeof *y, y);
  guarded gb = guarded_open(e, c->m * sizeof *g, log_b), gg = guarded_open(e, c->m * sizeof *g, g);
  for (size_t i = 0; i < c->n; i++) guess[i] = out[i] + c->guess;
  guarded go = guarded_open(e, c->n * sizeof *out, guess), gm = guarded_open(e, c->n * sizeof *out, NULL);
  r.epsilon = c->epsilon;
  r.x = gx.inner;
  r.y = gy.inner;
  r.log_b = gb.inner;
  r.g = gg.inner;
  r.out = go.inner;
  if (!isnan(c->guess)) r.guess = go.inner;
  if (with_mean) r.mean = gm.inner;
  MUST(e->ops->softmin(e, e->threads, &r, ST));
  to->of = c->name;
  record_take(to, "out", e, &go);
  if (with_mean)
    record_take(to, "mean", e, &gm);
  else
    guarded_close(e, &gm, NULL);
  guarded_close(e, &gx, NULL);
  guarded_close(e, &gy, NULL);
  guarded_close(e, &gb, NULL);
  guarded_close(e, &gg, NULL);
}

/* |got - expected| <= slack epsilon for out, and as much of the largest cost for the mean. */
static void close_to(const sums_case *c, const record *got, double slack)
{
  double largest = 0;
  for (size_t i = 0; i < c->n; i++) largest = fmax(largest, mean[i]);
  for (size_t i = 0; i < c->n; i++) {
    if (!(fabs(got->values[0][i] - out[i]) <= slack * c->epsilon))
      fail_msg("%s: out[%zu] is %.17g, expected %.17g", c->name, i, got->values[0][i], out[i]);
    if (got->pieces > 1 && !(fabs(got->values[1][i] - mean[i]) <= slack * largest))
      fail_msg("%s: mean[%zu] is %.17g, expected %.17g", c->name, i, got->values[1][i], mean[i]);
  }
}

/* A term's exponent is off by a few roundings of the numbers that it is the difference of: potentials and costs over
 * epsilon. */
static double slack_of(const sums_case *c, fg_precision precision)
{
  double largest = c->spread / c->epsilon, diagonal = 0;
  for (size_t k = 0; k < c->d; k++)
    diagonal += (1.1 + c->shift) * (k == 0 || c->shift > 0 ? 1.1 + c->shift : 0.01);
  largest += (c->euclidean ? sqrt(diagonal) : diagonal) / c->epsilon + 10;
  return largest * (precision == FG_SINGLE ? 4 * FLT_EPSILON : 8 * DBL_EPSILON);
}

static void engines_agree(void **state)
{
  (void)state;
  for (size_t k = 0; k < CASES; k++) {
    const sums_case *c = &cases[k];
    fill(c);
    reference(c);
    for (int precision = 0; precision < 2; precision++)
      for (int with_mean = 0; with_mean < 2; with_mean++) {
        static record a, b, s;
        run(cpu, c, (fg_precision)precision, with_mean, &a);
        run(check, c, (fg_precision)precision, with_mean, &b);
        run(shim, c, (fg_precision)precision, with_mean, &s);
        record_compare(&b, &a, 0);
        close_to(c, &a, slack_of(c, (fg_precision)precision));
        close_to(c, &s, slack_of(c, (fg_precision)precision));
        record_free(&a);
        record_free(&b);
        record_free(&s);
      }
  }
}

static void run_shim(const void *c, record *to)
{
  run(shim, c, FG_DOUBLE, 1, to);
}

static void order(void **state)
{
  (void)state;
#ifdef __SANITIZE_THREAD__
  skip();
#endif
  for (size_t k = 0; k < CASES; k++) {
    fill(&cases[k]);
    reference(&cases[k]);
    same_in_any_order(run_shim, &cases[k], 3);
  }
}

/* Columns that are left out: with a guess, most blocks are, and no row moves by 2^-40 of epsilon and roundings. */
static void left_out(void **state)
{
  (void)state;
  static record with, without;
  sums_case c = {"all or few", 256, 1000, 2, 0, 1e-4, 1e-4, 0, 0};
  fill(&c);
  reference(&c);
  run(cpu, &c, FG_DOUBLE, 0, &with);
  c.guess = NAN;
  run(cpu, &c, FG_DOUBLE, 0, &without);
  for (size_t i = 0; i < c.n; i++)
    assert_true(fabs(with.values[0][i] - without.values[0][i]) <=
                c.epsilon * (0x1p-40 + slack_of(&c, FG_DOUBLE)));
  record_free(&with);
  record_free(&without);
}

static void refuses(fg_engine *e, fg_softmin_request *r)
{
  fg_status st = {0};
  r->epsilon = 0;
  assert_int_equal(e->ops->softmin(e, NULL, r, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "epsilon"));
  r->epsilon = INFINITY;
  assert_int_equal(e->ops->softmin(e, NULL, r, &st), FG_USAGE);
  r->epsilon = 1;
  r->m = 0;
  assert_int_equal(e->ops->softmin(e, NULL, r, &st), FG_USAGE);
}

static void refusals(void **state)
{
  (void)state;
  fg_softmin_request r = {.n = 1, .m = 1, .d = 1};
  refuses(cpu, &r);
  r.m = 1;
  refuses(shim, &r);
}

static void stops(fg_engine *e)
{
  volatile sig_atomic_t stop = 1;
  const fg_progress progress = {NULL, NULL, &stop};
  fg_status st = {0};
  guarded one = guarded_draws(e, 2, 1);
  fg_softmin_request r = {.n = 1, .m = 1, .d = 1, .epsilon = 1, .progress = &progress};
  r.x = r.y = r.log_b = r.g = r.out = one.inner;
  assert_int_equal(e->ops->softmin(e, NULL, &r, &st), FG_INTERRUPTED);
  stop = 0;
  MUST(e->ops->softmin(e, NULL, &r, ST));
  guarded_close(e, &one, NULL);
}

static void interruption(void **state)
{
  (void)state;
  stops(cpu);
  stops(shim);
}

static fg_code softmin(void *request, fg_status *st)
{
  return shim->ops->softmin(shim, NULL, request, st);
}

static void failures(void **state)
{
  (void)state;
  static const fault faults[] = {{"cudaSetDevice", "cudaSetDevice", 700, 0, FG_FAILED},
                                 {"fg_softmin_prepare_kernel", "did not launch", 700, 0, FG_FAILED},
                                 {"fg_softmin_kernel", "did not launch", 700, 0, FG_FAILED}};
  const long before = shim_live();
  guarded one = guarded_draws(shim, 2, 1);
  fg_softmin_request r = {.n = 1, .m = 1, .d = 1, .epsilon = 1};
  r.x = r.y = r.log_b = r.g = r.out = one.inner;
  faults_are_told(faults, sizeof faults / sizeof *faults, softmin, &r);
  guarded_close(shim, &one, NULL);
  assert_int_equal(shim_live(), before);
}

/* The real device, where this machine has one and the plugin can be found. */
static void device(void **state)
{
  (void)state;
  fg_engine *cuda = NULL;
  fg_status st = {0};
  static record a;
  if (fg_engine_open("cuda", 1, &cuda, &st) != FG_OK) {
    print_message("not run on a GPU: %s\n", st.message);
    skip();
  }
  for (size_t k = 0; k < CASES; k++)
    for (int precision = 0; precision < 2; precision++) {
      fill(&cases[k]);
      reference(&cases[k]);
      run(cuda, &cases[k], (fg_precision)precision, 1, &a);
      close_to(&cases[k], &a, slack_of(&cases[k], (fg_precision)precision));
      record_free(&a);
    }
  fg_engine_close(&cuda);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(engines_agree), cmocka_unit_test(order),        cmocka_unit_test(left_out),
      cmocka_unit_test(refusals),      cmocka_unit_test(interruption), cmocka_unit_test(failures),
      cmocka_unit_test(device),
  };
  return cmocka_run_group_tests(tests, open_three, close_engines);
}

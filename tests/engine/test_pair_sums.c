/* needs: kernels cuda_on_cpu */
/* Sums over pairs on every engine and instruction set, and as CUDA code run on the CPU, against long double; bits on any
 * number of threads; what is refused. */
#include "support/shim_cases.h"

enum { MOST = 1000, D_MOST = 10, K_MOST = 100 };

typedef struct pairs_case {
  fg_pair_kernel kernel;
  int within;
  size_t n, m, d, columns;
  double bandwidth;
} pairs_case;

static const pairs_case cases[] = {
    {FG_PAIR_GAUSSIANS, 0, 1, 7, 2, 1, 1},        {FG_PAIR_DISTANCE, 0, 7, 1, 3, 1, 0},
    {FG_PAIR_GAUSSIANS, 1, 1, 0, 2, 1, 1},        {FG_PAIR_DISTANCE, 1, 7, 0, 1, 5, 0},
    {FG_PAIR_GAUSSIANS, 1, 64, 0, 4, 1, 0.3},     {FG_PAIR_GAUSSIANS, 0, 64, 64, 5, 17, 2},
    {FG_PAIR_DISTANCE, 1, 65, 0, 10, 1, 0},       {FG_PAIR_DISTANCE, 0, 100, 33, 6, 100, 0},
    {FG_PAIR_GAUSSIANS, 1, 130, 0, 2, 100, 0.01}, {FG_PAIR_GAUSSIANS, 0, 40, 90, 1, 1, 1e-200},
    {FG_PAIR_GAUSSIANS, 0, 40, 90, 7, 2, 1e200},  {FG_PAIR_GAUSSIANS, 1, 1000, 0, 2, 3, 1},
    {FG_PAIR_DISTANCE, 0, 1000, 700, 3, 1, 0},
};
enum { CASES = sizeof cases / sizeof *cases };

static double x[MOST * D_MOST], y[MOST * D_MOST], a[MOST * K_MOST], b[MOST * K_MOST];

/* The numbers of a case: the same each time. Some rows coincide. */
static void fill(const pairs_case *c)
{
  case_state = 5;
  for (size_t i = 0; i < c->n * c->d; i++) x[i] = draw(2);
  for (size_t i = 0; i < c->m * c->d; i++) y[i] = draw(2);
  for (size_t i = 0; i < c->n * c->columns; i++) a[i] = draw(1);
  for (size_t i = 0; i < c->m * c->columns; i++) b[i] = draw(1);
  for (size_t k = 0; k < c->d && c->n > 5; k++) x[5 * c->d + k] = x[k];
  for (size_t k = 0; k < c->d && c->m > 0; k++) y[k] = x[k];
}

static long double kernel(const pairs_case *c, const double *p, const double *q)
{
  long double square = 0, sum = 0;
  for (size_t k = 0; k < c->d; k++) square += ((long double)p[k] - q[k]) * ((long double)p[k] - q[k]);
  if (c->kernel == FG_PAIR_DISTANCE) return sqrtl(square);
  for (int h = -1; h <= 1; h++) {
    const long double width = ldexpl(c->bandwidth, h);
    sum += expl(-square / (2 * width * width));
  }
  return sum / 3;
}

/* sums [columns], and the sums of the sizes of their terms. */
static void expect(const pairs_case *c, long double *sums, long double *sizes)
{
  const double *other = c->within ? x : y, *weight = c->within ? a : b;
  for (size_t k = 0; k < c->columns; k++) sums[k] = sizes[k] = 0;
  for (size_t i = 0; i < c->n; i++)
    for (size_t j = 0; j < (c->within ? c->n : c->m); j++) {
      if (c->within && i == j) continue;
      const long double value = kernel(c, x + i * c->d, other + j * c->d);
      for (size_t k = 0; k < c->columns; k++) {
        const long double term = value * a[i * c->columns + k] * weight[j * c->columns + k];
        sums[k] += term;
        sizes[k] += fabsl(term);
      }
    }
}

static void run(fg_engine *e, fg_threads *threads, const pairs_case *c, fg_precision precision, double *sums)
{
  const size_t n = c->n, m = c->m, d = c->d;
  guarded held[4] = {guarded_open(e, n * d * 8, x), guarded_open(e, n * c->columns * 8, a)};
  if (!c->within) {
    held[2] = guarded_open(e, m * d * 8, y);
    held[3] = guarded_open(e, m * c->columns * 8, b);
  }
  fg_pair_sums_request r;
  memset(&r, 0, sizeof r);
  r.precision = precision;
  r.kernel = c->kernel;
  r.bandwidth = c->bandwidth;
  r.within = c->within;
  r.n = n;
  r.m = m;
  r.d = d;
  r.columns = c->columns;
  r.x = held[0].inner;
  r.a = held[1].inner;
  if (!c->within) r.y = held[2].inner;
  if (!c->within) r.b = held[3].inner;
  r.sums = sums;
  MUST(e->ops->pair_sums(e, threads, &r, ST));
  for (int h = 0; h < (c->within ? 2 : 4); h++) guarded_close(e, &held[h], NULL);
}

/* Terms are products of rounded numbers. double: an exponential of 1.1 ulp, its argument (relative error times an argument
 * of at most 40 where it matters), the 16th power of it; float likewise, with coordinates rounded at first. */
static const double tolerance[2] = {2e-14, 2e-5};

static void check(fg_engine *e, const pairs_case *c, fg_precision precision)
{
  static double sums[K_MOST];
  static long double expected[K_MOST], sizes[K_MOST];
  fill(c);
  expect(c, expected, sizes);
  run(e, NULL, c, precision, sums);
  for (size_t k = 0; k < c->columns; k++)
    if (!(fabsl(sums[k] - expected[k]) <= tolerance[precision] * sizes[k]))
      fail_msg("%s %s, case %zu, precision %d, column %zu: %.17g, not %.17Lg of %.3Lg", fg_engine_name(e),
               fg_engine_isa(e), (size_t)(c - cases), (int)precision, k, sums[k], expected[k], sizes[k]);
}

static void test_cpu(void **state)
{
  (void)state;
  static const char *const names[] = {"cpu", "cpu-check"}, *const isas[] = {"baseline", "avx2", "avx512"};
  for (int isa = 0; isa < 3; isa++)
    for (int name = 0; name < 2; name++) {
      fg_engine *e = NULL;
      setenv("FLOWGAP_ISA", isas[isa], 1);
      const fg_code rc = fg_engine_open(names[name], 1, &e, NULL);
      unsetenv("FLOWGAP_ISA");
      if (rc != FG_OK) continue; /* not of this processor */
      for (int precision = 0; precision < 2; precision++)
        for (size_t c = 0; c < CASES; c++) check(e, &cases[c], (fg_precision)precision);
      fg_engine_close(&e);
    }
}

static void test_cuda_on_cpu(void **state)
{
  (void)state;
#ifdef __SANITIZE_THREAD__ /* every fiber is a thread to it: slow */
  enum { UP_TO = 7 };
#else
  enum { UP_TO = CASES };
#endif
  fg_engine *shim = NULL;
  MUST(fg_cuda_engine_open(1, &shim, ST));
  for (int precision = 0; precision < 2; precision++)
    for (size_t c = 0; c < UP_TO; c++) check(shim, &cases[c], (fg_precision)precision);
  fg_engine_close(&shim);
}

/* The order in which blocks and threads run changes no bit: a barrier that is missing would. */
static void test_order(void **state)
{
  (void)state;
#ifdef __SANITIZE_THREAD__
  skip();
#endif
  static double first[K_MOST], other[K_MOST];
  fg_engine *shim = NULL;
  MUST(fg_cuda_engine_open(1, &shim, ST));
  for (size_t c = 3; c < 9; c++) {
    fill(&cases[c]);
    for (unsigned seed = 1; seed < 4; seed++) {
      shim_shuffle(seed);
      run(shim, NULL, &cases[c], FG_DOUBLE, seed == 1 ? first : other);
      if (seed > 1) assert_memory_equal(first, other, cases[c].columns * sizeof *first);
    }
  }
  fg_engine_close(&shim);
}

static void test_threads(void **state)
{
  (void)state;
  static double first[K_MOST], other[K_MOST];
  for (size_t c = 7; c < CASES; c++) {
    fill(&cases[c]);
    for (int threads = 1; threads <= 5; threads += 2) {
      fg_engine *e = NULL;
      MUST(fg_engine_open("cpu", threads, &e, ST));
      run(e, fg_engine_threads(e), &cases[c], FG_DOUBLE, threads == 1 ? first : other);
      if (threads > 1) assert_memory_equal(first, other, cases[c].columns * sizeof *first);
      fg_engine_close(&e);
    }
  }
}

/* A column of a pass over many is that of a pass alone, and equal columns give equal bits. */
static void test_columns(void **state)
{
  (void)state;
  const pairs_case many = {FG_PAIR_GAUSSIANS, 1, 300, 0, 2, 83, 1};
  double sums[83];
  fg_engine *e = NULL;
  MUST(fg_engine_open("cpu", 1, &e, ST));
  fill(&many);
  for (size_t i = 0; i < many.n; i++)
    for (size_t k = 1; k < many.columns; k++) a[i * many.columns + k] = a[i * many.columns];
  run(e, NULL, &many, FG_DOUBLE, sums);
  for (size_t k = 1; k < many.columns; k++) assert_true(sums[k] == sums[0]);
  fg_engine_close(&e);
}

static void refused_by(fg_engine *e)
{
  volatile sig_atomic_t stop = 0;
  const fg_progress progress = {note, "pairs", &stop};
  fg_status st;
  double sums[4];
  case_state = 5;
  guarded g = guarded_draws(e, 200, 1);
  fg_pair_sums_request r;
  memset(&r, 0, sizeof r);
  r.within = 1;
  r.n = 200;
  r.d = r.columns = 1;
  r.bandwidth = 1;
  r.x = r.a = g.inner;
  r.progress = &progress;
  r.sums = sums;
  reported = 0;
  MUST(e->ops->pair_sums(e, NULL, &r, ST));
  assert_true(reported == 4); /* tiles of 64 rows */
  stop = 1;
  assert_int_equal(e->ops->pair_sums(e, NULL, &r, &st), FG_INTERRUPTED);
  stop = 0;
  r.bandwidth = 0;
  assert_int_equal(e->ops->pair_sums(e, NULL, &r, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "bandwidth"));
  r.bandwidth = 1;
  r.columns = 0;
  assert_int_equal(e->ops->pair_sums(e, NULL, &r, &st), FG_USAGE);
  r.columns = 1;
  r.d = 0;
  assert_int_equal(e->ops->pair_sums(e, NULL, &r, &st), FG_USAGE);
  r.d = 1;
  r.n = 0;
  sums[0] = 3;
  MUST(e->ops->pair_sums(e, NULL, &r, ST));
  assert_true(sums[0] == 0);
  guarded_close(e, &g, NULL);
}

static void test_refused(void **state)
{
  (void)state;
  fg_engine *e = NULL;
  MUST(fg_engine_open("cpu", 1, &e, ST));
  refused_by(e);
  fg_engine_close(&e);
  MUST(fg_cuda_engine_open(1, &e, ST));
  refused_by(e);
  fg_engine_close(&e);
  assert_int_equal(shim_live(), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cpu),     cmocka_unit_test(test_cuda_on_cpu), cmocka_unit_test(test_order),
      cmocka_unit_test(test_threads), cmocka_unit_test(test_columns),     cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: flow */
/* The N_Vector that CVODE works with: every operation against loops over host arrays, with outputs
 * that alias inputs, on the plain engine and on cpu-check (hidden buffers filled with NaN). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "flow/nvector.h"
#include "support/plain_engine.h"

enum { MOST = 300 };

typedef struct setup {
  fg_engine *e;
  fg_vector_space space;
  SUNContext context;
  N_Vector x, y, z, w;
  double hx[MOST], hy[MOST], hw[MOST], hz[MOST];
  size_t length;
} setup;

static void put(setup *s, N_Vector v, const double *host)
{
  assert_int_equal(s->e->ops->upload(s->e, fg_vector_buf(v), 0, host, s->length * sizeof(double), NULL),
                   FG_OK);
}

static const double *get(setup *s, N_Vector v)
{
  assert_int_equal(s->e->ops->download(s->e, s->hz, fg_vector_buf(v), 0, s->length * sizeof(double), NULL),
                   FG_OK);
  return s->hz;
}

static void refill(setup *s)
{
  put(s, s->x, s->hx);
  put(s, s->y, s->hy);
  put(s, s->w, s->hw);
}

static void make(setup *s, fg_engine *e, size_t n, size_t d, int tail, fg_norm norm)
{
  memset(s, 0, sizeof *s);
  s->e = e;
  s->space = (fg_vector_space){.engine = e, .n = n, .d = d, .tail = tail, .norm = norm, .failed = FG_OK};
  s->length = fg_vector_length(&s->space);
  assert_int_equal(s->length, n * (d + (size_t)tail));
  assert_true(s->length <= MOST);
  assert_int_equal(SUNContext_Create(SUN_COMM_NULL, &s->context), 0);
  s->x = fg_vector_create(&s->space, s->context);
  assert_non_null(s->x);
  s->y = N_VClone(s->x);
  s->z = N_VClone(s->y);
  s->w = N_VClone(s->z);
  assert_non_null(s->w);
  assert_int_equal(N_VGetLength(s->w), (int)s->length);
  for (size_t i = 0; i < s->length; i++) {
    s->hx[i] = sin(1.0 + 3.7 * (double)i) + 0.01;
    s->hy[i] = 1.5 + cos(0.3 * (double)i);
    s->hw[i] = 1 + 0.25 * sin(0.9 * (double)i);
  }
  refill(s);
}

static void clear(setup *s)
{
  assert_int_equal(s->space.failed, FG_OK);
  N_VDestroy(s->x);
  N_VDestroy(s->y);
  N_VDestroy(s->z);
  N_VDestroy(s->w);
  SUNContext_Free(&s->context);
}

/* Elementwise operations round once or twice; a compiler may contract a x + b y into one fma. */
static void same(double got, double want)
{
  assert_true(fabs(got - want) <= 4e-16 * (fabs(want) + 1));
}

#define EXPECT(vector, formula)                                                                              \
  do {                                                                                                       \
    const double *got = get(s, (vector));                                                                    \
    for (size_t i = 0; i < s->length; i++) {                                                                 \
      double x = s->hx[i], y = s->hy[i];                                                                     \
      (void)x, (void)y;                                                                                      \
      same(got[i], (formula));                                                                               \
    }                                                                                                        \
    refill(s);                                                                                               \
  } while (0)

static void check_maps(setup *s)
{
  N_VLinearSum(2, s->x, -3, s->y, s->z);
  EXPECT(s->z, 2 * x - 3 * y);
  N_VLinearSum(1, s->x, 1, s->y, s->x); /* aliases, as CVODE's predictor does */
  EXPECT(s->x, x + y);
  N_VLinearSum(0.5, s->x, -1, s->y, s->y);
  EXPECT(s->y, 0.5 * x - y);
  N_VConst(0.25, s->z);
  EXPECT(s->z, 0.25);
  N_VProd(s->x, s->y, s->z);
  EXPECT(s->z, x * y);
  N_VDiv(s->x, s->y, s->x);
  EXPECT(s->x, x / y);
  N_VScale(-2, s->x, s->z);
  EXPECT(s->z, -2 * x);
  N_VScale(1, s->x, s->z);
  EXPECT(s->z, x);
  N_VAbs(s->x, s->x);
  EXPECT(s->x, fabs(x));
  N_VInv(s->y, s->z);
  EXPECT(s->z, 1 / y);
  N_VAddConst(s->x, 7, s->x);
  EXPECT(s->x, x + 7);
  sunrealtype c[3] = {1, 2, 3};
  N_Vector all[3] = {s->x, s->y, s->x};
  assert_int_equal(N_VLinearCombination(3, c, all, s->z), 0);
  EXPECT(s->z, 4 * x + 2 * y);
}

static void check_reductions(setup *s)
{
  double dot = 0, most = 0, least = HUGE_VAL, mean = 0, worst = 0;
  size_t n = s->space.n, d = s->space.d;
  for (size_t i = 0; i < s->length; i++) {
    dot += s->hx[i] * s->hy[i];
    most = fmax(most, fabs(s->hx[i]));
    least = fmin(least, s->hx[i]);
    mean += pow(s->hx[i] * s->hw[i], 2);
  }
  for (size_t i = 0; i < n; i++) {
    double own = 0;
    for (size_t j = 0; j < d; j++) own += pow(s->hx[i * d + j] * s->hw[i * d + j], 2);
    if (s->space.tail) own += pow(s->hx[n * d + i] * s->hw[n * d + i], 2);
    worst = fmax(worst, own);
  }
  worst = sqrt(worst / (double)(d + (size_t)s->space.tail));
  mean = sqrt(mean / (double)s->length);
  /* sums of up to 300 terms of size 1 in another order */
  assert_true(fabs(N_VDotProd(s->x, s->y) - dot) < 1e-13 * (double)s->length);
  same(N_VMaxNorm(s->x), most);
  same(N_VMin(s->x), least);
  double norm = N_VWrmsNorm(s->x, s->w);
  assert_true(fabs(norm - (s->space.norm == FG_NORM_MEAN ? mean : worst)) < 1e-14);
  assert_true(worst >= mean); /* so the particle norm is the stricter one */
}

/* A value that is not finite, wherever it is, must make the norm infinite. */
static void check_not_finite(setup *s)
{
  const double bad[3] = {NAN, HUGE_VAL, -HUGE_VAL};
  for (size_t i = 0; i < s->length; i++) {
    double keep = s->hx[i];
    s->hx[i] = bad[i % 3];
    put(s, s->x, s->hx);
    assert_true(N_VWrmsNorm(s->x, s->w) == HUGE_VAL);
    assert_false(isfinite(N_VDotProd(s->x, s->x)));
    s->hx[i] = keep;
  }
  refill(s);
}

static void check_engine(fg_engine *e)
{
  const size_t n[] = {1, 7, 64, 100}, d[] = {1, 2, 3};
  for (size_t i = 0; i < 4; i++)
    for (size_t j = 0; j < 3; j++)
      for (int tail = 0; tail < 2; tail++)
        for (int norm = 0; norm < 2; norm++) {
          if (n[i] * (d[j] + (size_t)tail) > MOST) continue;
          setup s;
          make(&s, e, n[i], d[j], tail, norm ? FG_NORM_MEAN : FG_NORM_PARTICLE);
          check_maps(&s);
          check_reductions(&s);
          check_not_finite(&s);
          clear(&s);
        }
}

static void test_plain(void **state)
{
  (void)state;
  fg_engine e = plain_engine(NULL);
  check_engine(&e);
}

static void test_engines(void **state)
{
  (void)state;
  const char *names[] = {"cpu", "cpu-check"};
  for (int i = 0; i < 2; i++) {
    fg_engine *e;
    fg_status st;
    assert_int_equal(fg_engine_open(names[i], 1, &e, &st), FG_OK);
    check_engine(e);
    fg_engine_close(&e);
  }
}

/* d = 10 with 10 particles: a dimension that no loop is likely to be specialised for. */
static void test_wide(void **state)
{
  (void)state;
  fg_engine *e;
  assert_int_equal(fg_engine_open("cpu", 1, &e, NULL), FG_OK);
  setup s;
  make(&s, e, 10, 10, 1, FG_NORM_PARTICLE);
  check_reductions(&s);
  check_not_finite(&s);
  clear(&s);
  fg_engine_close(&e);
}

static fg_code no_memory(fg_engine *e, size_t bytes, fg_buf *buf, fg_status *st)
{
  (void)e, (void)buf;
  return FG_FAIL(st, FG_MEMORY, "no memory for %zu bytes", bytes);
}

static fg_code map_fails(fg_engine *e, fg_vec_map op, size_t n, double a, fg_buf x, double b, fg_buf y,
                         fg_buf z)
{
  (void)e, (void)op, (void)n, (void)a, (void)x, (void)b, (void)y, (void)z;
  return FG_UNSUPPORTED;
}

static void test_failures(void **state)
{
  (void)state;
  fg_engine e = plain_engine(NULL);
  setup s;
  make(&s, &e, 7, 2, 0, FG_NORM_PARTICLE);
  fg_engine_ops ops = plain_ops;
  ops.alloc = no_memory;
  ops.vec_map = map_fails;
  e.ops = &ops;
  N_VScale(2, s.x, s.z);
  assert_int_equal(s.space.failed, FG_UNSUPPORTED); /* remembered: N_VScale cannot return it */
  s.space.failed = FG_OK;
  N_Vector empty = N_VClone(s.x);
  assert_int_equal(s.space.failed, FG_MEMORY);
  N_VScale(1, s.x, empty); /* does nothing, rather than touch memory that is not there */
  assert_true(N_VWrmsNorm(empty, s.x) == HUGE_VAL && N_VDotProd(empty, s.x) == HUGE_VAL);
  N_VDestroy(empty);
  s.space.failed = FG_OK;
  e.ops = &plain_ops;
  clear(&s);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_plain), cmocka_unit_test(test_engines),
                                     cmocka_unit_test(test_wide), cmocka_unit_test(test_failures)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: kernels cuda_on_cpu */
/* The slot price: cpu, cpu-check and the CUDA kernels run on the CPU against all pairs in whole numbers, to the bit, ties
 * included. */
#include "support/shim_engines.h"

enum { MOST = SLOW ? 260 : 1000, D_MOST = 40 };

typedef enum shape {
  CURVE,
  LATTICE,
  SKEW,
  ONE_PLACE,
  FAR_FROM_ZERO
} shape; /* SKEW: a lattice that singles round */

typedef struct price_case {
  const char *name;
  size_t n, m, d, k;
  shape of;
  double cap; /* a share of the largest |x - y|^2 that there may be; 0: none */
  int bounded;
  int64_t far; /* added to u_i and taken off v_j */
  int barely;  /* v_j = 0, and in every row one pair or a few violate, by one unit */
} price_case;

static const price_case cases[] = {
    {"one pair", 1, 1, 2, 1, CURVE, 0, 0, 0, 0},
    {"more asked for than there are", 7, 5, 2, 16, CURVE, 0, 0, 0, 0},
    {"seven", 7, 64, 1, 1, CURVE, 0, 0, 0, 0},
    {"plane", 64, 65, 2, 8, CURVE, 0, 0, 0, 0},
    {"plane, violators", 64, 1000, 2, 8, CURVE, 0, 1, 0, 0},
    {"plane, many", 1000, 64, 2, 15, CURVE, 0, 0, 0, 0},
    {"plane, transform", 1000, 1000, 2, 1, CURVE, 0, 0, 0, 0},
    {"plane, violators by thousands", 1000, 1000, 2, 9, CURVE, 0, 1, 0, 0},
    {"space, ties", 100, 300, 3, 12, LATTICE, 0, 0, 0, 0},
    {"space, ties, violators", 100, 300, 3, 3, LATTICE, 0, 1, 0, 0},
    {"coincident", 70, 200, 4, 16, ONE_PLACE, 0, 0, 0, 0},
    {"coincident, violators", 70, 200, 2, 5, ONE_PLACE, 0, 1, 0, 0},
    {"cut", 130, 200, 5, 7, CURVE, 0.01, 0, 0, 0},
    {"far from 0", 130, 100, 7, 2, FAR_FROM_ZERO, 0, 0, 0, 0},
    {"ten", 64, 129, 10, 12, CURVE, 0, 1, 0, 0},
    {"sixteen", 33, 130, 16, 16, CURVE, 0, 0, 0, 0},
    {"scratch in device memory", 65, 70, D_MOST, 4, CURVE, 0, 0, 0, 0},
    {"large duals", 64, 200, 2, 8, CURVE, 0, 1, (int64_t)1 << 51, 0},
    {"large duals, many dimensions", 64, 200, 6, 8, LATTICE, 0, 1, (int64_t)1 << 51, 0},
    {"by one unit", 100, 250, 5, 2, CURVE, 0, 1, 0, 1},
    {"ties that singles round", 250, 250, 4, 12, SKEW, 0, 0, 0, 1},
    {"cut, ties that singles round", 130, 250, 6, 9, SKEW, 0.05, 0, 0, 0},
};
enum { CASES = sizeof cases / sizeof *cases };

static double x[MOST * D_MOST], y[MOST * D_MOST], scale, cap;
static int64_t u[MOST], v[MOST];

static size_t less(size_t count)
{
  return count < MOST ? count : MOST;
}

static double place(shape of, size_t i, size_t rows, size_t k)
{
  const double z = (k == 0 ? (double)i / (double)rows : 0) + draw(0.1);
  if (of == LATTICE) return floor(8 * z) / 8;
  if (of == SKEW) return 0.7 * floor(8 * z) / 8;
  if (of == ONE_PLACE) return 0.3;
  return of == FAR_FROM_ZERO ? z + 1e6 : z;
}

static int64_t cost_of(const price_case *c, size_t i, size_t j)
{
  double sum = 0;
  for (size_t k = 0; k < c->d; k++) {
    const double gap = x[i * c->d + k] - y[j * c->d + k];
    volatile double square = gap * gap; /* nothing joins product and sum */
    sum += square;
  }
  volatile double cost = (sum < cap ? sum : cap) * scale;
  return (int64_t)nearbyint(cost);
}

/* Duals near feasible: v_j = min_i c_ij - u_i for wavy u, then some are raised. Points lie along a curve, so neighbours
 * in the list are neighbours in space and blocks can be left out. */
static void fill(const price_case *c)
{
  const size_t n = less(c->n), m = less(c->m);
  case_state = 11;
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < c->d; k++) x[i * c->d + k] = place(c->of, i, n, k);
  for (size_t j = 0; j < m; j++)
    for (size_t k = 0; k < c->d; k++) y[j * c->d + k] = place(c->of, j, m, k);
  const double largest = 2 + (double)c->d * 0.04;
  cap = c->cap > 0 ? c->cap * largest : INFINITY;
  scale = ldexp(1 / fmin(cap, largest), 48);
  for (size_t i = 0; i < n; i++) u[i] = (int64_t)(0.01 * scale * sin(9 * x[i * c->d]));
  for (size_t j = 0; j < m; j++) {
    v[j] = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
      const int64_t slack = cost_of(c, i, j) - u[i];
      v[j] = slack < v[j] ? slack : v[j];
    }
    v[j] += j % 5 ? 0 : (int64_t)(j % 3) * (int64_t)(0.0005 * scale) + (int64_t)(j % 2);
    v[j] = c->barely ? 0 : v[j] - c->far;
  }
  for (size_t i = 0; i < n && c->barely; i++) {
    u[i] = INT64_MAX;
    for (size_t j = 0; j < m; j++) u[i] = cost_of(c, i, j) + 1 < u[i] ? cost_of(c, i, j) + 1 : u[i];
  }
  for (size_t i = 0; i < n; i++) u[i] += c->far;
}

typedef struct answer {
  double key[MOST * FG_PRICE_MOST];
  uint32_t who[MOST * FG_PRICE_MOST];
} answer;

/* By insertion in the order of the columns: of equal keys the first stays. */
static void expect(const price_case *c, answer *want)
{
  const size_t m = less(c->m);
  for (size_t i = 0; i < less(c->n); i++) {
    double *key = want->key + i * c->k;
    uint32_t *who = want->who + i * c->k;
    size_t filled = 0;
    for (size_t a = 0; a < c->k; a++) {
      key[a] = INFINITY;
      who[a] = UINT32_MAX;
    }
    for (size_t j = 0; j < m; j++) {
      const int64_t z = cost_of(c, i, j) - v[j];
      if (c->bounded && z >= u[i]) continue;
      size_t at = filled < c->k ? filled++ : c->k - 1;
      if (at == c->k - 1 && who[at] != UINT32_MAX && (int64_t)key[at] <= z) continue;
      for (; at > 0 && (int64_t)key[at - 1] > z; at--) {
        key[at] = key[at - 1];
        who[at] = who[at - 1];
      }
      key[at] = (double)z;
      who[at] = (uint32_t)j;
    }
  }
}

static void run(fg_engine *e, const price_case *c, answer *got)
{
  static double ur[MOST], vr[MOST];
  const size_t n = less(c->n), m = less(c->m);
  fg_price_request r = {.n = n, .m = m, .d = c->d, .k = c->k, .cap = cap, .scale = scale, .whole = 1};
  for (size_t i = 0; i < n; i++) ur[i] = (double)u[i];
  for (size_t j = 0; j < m; j++) vr[j] = (double)v[j];
  guarded gx = guarded_open(e, n * c->d * sizeof *x, x), gy = guarded_open(e, m * c->d * sizeof *y, y);
  guarded gu = guarded_open(e, n * sizeof *ur, ur), gv = guarded_open(e, m * sizeof *vr, vr);
  guarded gk = guarded_open(e, n * c->k * sizeof *got->key, NULL);
  guarded gw = guarded_open(e, n * c->k * sizeof *got->who, NULL);
  r.bounded = c->bounded;
  r.x = gx.inner;
  r.y = gy.inner;
  if (c->bounded) r.u = gu.inner;
  r.v = gv.inner;
  r.key = gk.inner;
  r.who = gw.inner;
  MUST(e->ops->price(e, e->threads, &r, ST));
  guarded_close(e, &gk, got->key);
  guarded_close(e, &gw, got->who);
  guarded_close(e, &gx, NULL);
  guarded_close(e, &gy, NULL);
  guarded_close(e, &gu, NULL);
  guarded_close(e, &gv, NULL);
}

static void same(const price_case *c, const char *engine, const answer *got, const answer *want)
{
  for (size_t i = 0; i < less(c->n) * c->k; i++)
    if (got->key[i] != want->key[i] || got->who[i] != want->who[i])
      fail_msg("%s on %s: pair %zu of row %zu is column %u of key %.17g, not %u of %.17g", c->name, engine,
               i % c->k, i / c->k, got->who[i], got->key[i], want->who[i], want->key[i]);
}

static answer got, want;

static void every_engine(void **state)
{
  (void)state;
  for (size_t k = 0; k < CASES; k++) {
    fill(&cases[k]);
    expect(&cases[k], &want);
    run(cpu, &cases[k], &got);
    same(&cases[k], "cpu", &got, &want);
    run(check, &cases[k], &got);
    same(&cases[k], "cpu-check", &got, &want);
    shim_shuffle((unsigned)k + 1); /* in whatever order blocks and threads run */
    run(shim, &cases[k], &got);
    same(&cases[k], "cuda", &got, &want);
  }
}

/* Costs that are not rounded, in doubles: the sum of squares less the dual, by the same operations. */
static void plain(void **state)
{
  (void)state;
  fg_engine *const engines[] = {cpu, check, shim};
  enum { N = 70, M = 130, D = 3 };
  double key[N];
  case_state = 5;
  for (size_t i = 0; i < N * D; i++) x[i] = draw(1);
  for (size_t j = 0; j < M * D; j++) y[j] = draw(1);
  for (int e = 0; e < 3; e++) {
    static double vr[M];
    for (size_t j = 0; j < M; j++) vr[j] = 0.1 * sin((double)j);
    fg_price_request r = {.n = N, .m = M, .d = D, .k = 1, .cap = INFINITY, .scale = 1};
    guarded gx = guarded_open(engines[e], sizeof(double[N * D]), x);
    guarded gy = guarded_open(engines[e], sizeof(double[M * D]), y);
    guarded gv = guarded_open(engines[e], sizeof vr, vr), gk = guarded_open(engines[e], sizeof key, NULL);
    r.x = gx.inner;
    r.y = gy.inner;
    r.v = gv.inner;
    r.key = gk.inner;
    MUST(engines[e]->ops->price(engines[e], NULL, &r, ST));
    guarded_close(engines[e], &gk, key);
    guarded_close(engines[e], &gx, NULL);
    guarded_close(engines[e], &gy, NULL);
    guarded_close(engines[e], &gv, NULL);
    for (size_t i = 0; i < N; i++) {
      double least = INFINITY;
      for (size_t j = 0; j < M; j++) {
        double sum = 0;
        for (size_t k = 0; k < D; k++) {
          const double gap = x[i * D + k] - y[j * D + k];
          volatile double square = gap * gap;
          sum += square;
        }
        least = fmin(least, sum - vr[j]);
      }
      assert_true(key[i] == least);
    }
  }
}

/* Rows shared by devices: the pairs of one. */
static void devices(void **state)
{
  (void)state;
  const price_case c = {"devices", 330, 200, 2, 8, CURVE, 0, 1, 0, 0};
  fill(&c);
  expect(&c, &want);
  for (int count = 1; count <= 3; count++) {
    fg_engine *e = NULL;
    begin_on(count);
    MUST(fg_cuda_engine_open(1, &e, ST));
    run(e, &c, &got);
    fg_engine_close(&e);
    same(&c, "several devices", &got, &want);
    if (!SLOW) took_part(count); /* few tiles stay on one device */
  }
  shim_devices(1, PLENTY);
}

/* Working space in device memory, and too little of it: fewer tiles at once, the same pairs; then the reason why not. */
static void little_memory(void **state)
{
  (void)state;
  const price_case c = {"little memory", 250, 64, D_MOST, 1, CURVE, 0, 0, 0, 0};
  fg_status st = {0};
  int failed = 0;
  long waves = 0;
  fill(&c);
  expect(&c, &want);
  for (size_t bytes = 1000000; !failed; bytes -= 12000) {
    fg_engine *e = NULL;
    shim_devices(1, bytes);
    MUST(fg_cuda_engine_open(1, &e, ST));
    fg_price_request r = {
        .n = less(c.n), .m = less(c.m), .d = c.d, .k = 1, .cap = cap, .scale = scale, .whole = 1};
    fg_buf bufs[4] = {{NULL, 0}};
    const size_t each[4] = {r.n * r.d, r.m * r.d, r.m, r.n};
    double *vr = malloc(r.m * sizeof *vr);
    for (size_t j = 0; j < r.m; j++) vr[j] = (double)v[j];
    const double *const from[4] = {x, y, vr, NULL};
    for (int b = 0; b < 4 && !failed; b++) {
      failed = e->ops->alloc(e, each[b] * sizeof(double), &bufs[b], &st) != FG_OK;
      if (!failed && from[b]) MUST(e->ops->upload(e, bufs[b], 0, from[b], each[b] * sizeof(double), ST));
    }
    r.x = bufs[0];
    r.y = bufs[1];
    r.v = bufs[2];
    r.key = bufs[3];
    const long before = shim_calls("fg_price_kernel");
    if (!failed) failed = e->ops->price(e, e->threads, &r, &st) != FG_OK;
    if (!failed) waves = shim_calls("fg_price_kernel") - before;
    if (!failed) {
      MUST(e->ops->download(e, got.key, r.key, 0, r.n * sizeof(double), ST));
      assert_memory_equal(got.key, want.key, r.n * sizeof(double));
    }
    for (int b = 0; b < 4; b++) e->ops->free(e, &bufs[b]);
    free(vr);
    fg_engine_close(&e);
  }
  assert_true(waves > 1);
  assert_non_null(strstr(st.message, "the kernel price needs"));
  assert_non_null(strstr(st.message, "--engine cpu"));
  shim_devices(1, PLENTY);
}

static void refuses(fg_engine *e)
{
  fg_status st = {0};
  fg_price_request r = {.n = 1, .m = 1, .d = 1, .k = FG_PRICE_MOST + 1, .cap = 1, .scale = 1};
  assert_int_equal(e->ops->price(e, NULL, &r, &st), FG_USAGE);
  r.k = 0;
  assert_int_equal(e->ops->price(e, NULL, &r, &st), FG_USAGE);
  r.k = 1;
  r.m = 0;
  assert_int_equal(e->ops->price(e, NULL, &r, &st), FG_USAGE);
  r.m = 1;
  r.cap = NAN;
  assert_int_equal(e->ops->price(e, NULL, &r, &st), FG_USAGE);
  r.cap = 1;
  r.scale = 0;
  assert_int_equal(e->ops->price(e, NULL, &r, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "positive"));
}

static void stops(fg_engine *e)
{
  volatile sig_atomic_t stop = 1;
  const fg_progress progress = {NULL, NULL, &stop};
  fg_status st = {0};
  guarded one = guarded_draws(e, 2, 1);
  fg_price_request r = {.n = 1, .m = 1, .d = 1, .k = 1, .cap = INFINITY, .scale = 1, .progress = &progress};
  r.x = r.y = r.v = one.inner;
  r.key = one.inner;
  assert_int_equal(e->ops->price(e, NULL, &r, &st), FG_INTERRUPTED);
  stop = 0;
  MUST(e->ops->price(e, NULL, &r, ST));
  guarded_close(e, &one, NULL);
}

static void refusals(void **state)
{
  (void)state;
  refuses(cpu);
  refuses(shim);
  stops(cpu);
  stops(shim);
}

static fg_code price(void *request, fg_status *st)
{
  return shim->ops->price(shim, NULL, request, st);
}

static void failures(void **state)
{
  (void)state;
  static const fault faults[] = {{"cudaSetDevice", "cudaSetDevice", 700, 0, FG_FAILED},
                                 {"fg_price_prepare_kernel", "did not launch", 700, 0, FG_FAILED},
                                 {"fg_price_kernel", "did not launch", 700, 0, FG_FAILED}};
  const long before = shim_live();
  guarded one = guarded_draws(shim, 2, 1);
  fg_price_request r = {.n = 1, .m = 1, .d = 1, .k = 1, .cap = INFINITY, .scale = 1};
  r.x = r.y = r.v = r.key = one.inner;
  faults_are_told(faults, sizeof faults / sizeof *faults, price, &r);
  guarded_close(shim, &one, NULL);
  assert_int_equal(shim_live(), before);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_engine),  cmocka_unit_test(plain),    cmocka_unit_test(devices),
      cmocka_unit_test(little_memory), cmocka_unit_test(refusals), cmocka_unit_test(failures),
  };
  return cmocka_run_group_tests(tests, open_three, close_engines);
}

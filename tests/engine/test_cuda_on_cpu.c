/* needs: kernels cuda_on_cpu */
/* The CUDA engine's kernels, run on the CPU by the shim (and on a GPU where there is one and the plugin is
 * on the library path), against the engine cpu. */
#include "support/shim_engines.h"

#if defined __SANITIZE_THREAD__ || defined SHIM_CHECKED /* slow */
#ifdef SHIM_CHECKED
static const size_t sizes[] = {40}; /* three tiles of 16 */
#else
static const size_t sizes[] = {7, 100};
#endif
enum { LENGTHS = 4 };
#else
#ifdef __SANITIZE_ADDRESS__
static const size_t sizes[] = {1, 7, 64, 200};
#else
static const size_t sizes[] = {1, 7, 64, 1000};
#endif
enum { LENGTHS = 5 };
#endif
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Sums in another order and without fused multiply-adds, through divisions by small variances; scale is the
 * largest value of an array. Measured: below 3e-14 and 2e-5. */
static const double tolerance[2] = {1e-12, 5e-4};

static const field_case fields[] = {
    {.name = "isotropic", .d = 2, .components = 9, .isotropic = 1},
    {.name = "full, perturbed", .d = 5, .components = 3, .epsilon = 0.3},
    {.name = "many components", .d = 3, .components = 90, .isotropic = 1, .epsilon = 0.1},
    SOFTPLUS_FIELD("softplus", 3, 20, 96, 33),
    {.name = "sine",
     .network = 1,
     .d = 3,
     .activation = FG_SINE,
     .time = FG_TIME_LAST,
     .layers = 2,
     .width = {40, 16}},
    NOISE_FIELD("gelu", 48, 30),
    FOURIER_FIELD("tanh", 24),
    {.name = "silu",
     .network = 1,
     .d = 2,
     .activation = FG_SILU,
     .time = FG_TIME_EMBEDDED,
     .layers = 1,
     .width = {16}},
    {.name = "linear", .network = 1, .d = 2, .form = FG_VECTOR, .layers = 0},
    CONTROL_FIELD("control", FG_GELU, 0, 48, 30),
    WELLS_FIELD("control as a potential", 1, 20),
    CONTROL_FIELD("bridge", FG_GELU, 1, 20, 30),
};
enum { FIELDS = sizeof fields / sizeof *fields };

static const walk_case walks[] = {
    {0, 0, 0, 0, 0, 1}, {1, 2, 1, 0, 0, 0.5}, {1, 0, 0, 1, 0, 0}, {0, 0, 1, 1, 0, 0}};
static const walk_case explosion = {0, 0, 1, 0, 1, 1};

/* Everything that works on a field, at one size. */
static void run_field(fg_engine *e, const field_case *c, fg_precision precision, size_t n, record *out)
{
  out->of = c->name;
  out->pieces = 0;
  for (int shared = 0; shared < 2; shared++) run_evaluate(e, c, precision, n, shared, out);
  for (size_t k = 0; k < sizeof walks / sizeof *walks; k++) run_simulate(e, c, precision, n, &walks[k], out);
  for (int log_p = 0; log_p < 2; log_p++) run_ode(e, c, precision, n, log_p, out);
}

static void compare_fields(fg_engine *e)
{
  static record a, b;
  for (size_t f = 0; f < FIELDS; f++)
    for (int precision = 0; precision < PRECISIONS; precision++)
      for (size_t s = 0; s < SIZES; s++) {
        run_field(cpu, &fields[f], (fg_precision)precision, sizes[s], &b);
        run_field(e, &fields[f], (fg_precision)precision, sizes[s], &a);
        record_compare(&a, &b, tolerance[precision]);
        record_free(&a);
        record_free(&b);
      }
}

static void test_fields(void **state)
{
  (void)state;
  compare_fields(shim);
}

static void run_200(const void *c, record *out)
{
  run_field(shim, c, FG_DOUBLE, 200, out);
}

static void test_order(void **state)
{
  (void)state;
  if (SLOW) skip();
  for (size_t f = 0; f < FIELDS; f++) same_in_any_order(run_200, &fields[f], 3);
}

/* Nor does it change a bit where scratch and weights lie: in shared memory, or in a device's own where a block has little
 * or none of it. */
static void test_room(void **state)
{
  (void)state;
  static record first, other;
#if defined __SANITIZE_THREAD__ || defined SHIM_CHECKED
  static const int limits[] = {28 << 10, 0};
  enum { FROM = 3, TO = 4, N = 20 };
#else
  static const int limits[] = {80 << 10, 28 << 10, 0};
  enum { FROM = 0, TO = FIELDS, N = 100 };
#endif
  for (size_t f = FROM; f < TO; f++) {
    run_field(shim, &fields[f], FG_DOUBLE, N, &first);
    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
      shim_shared(limits[k]);
      run_field(shim, &fields[f], FG_DOUBLE, N, &other);
      shim_shared(232448);
      record_compare(&other, &first, 0);
      record_free(&other);
    }
    record_free(&first);
  }
}

/* Points enough for tiles of 64 and of 32 particles. */
static void test_tiles(void **state)
{
  (void)state;
  static const field_case *const some[] = {&fields[7], &fields[6]};
  static record a, b;
  if (SLOW) skip();
  for (size_t n = 4096; n <= 8192; n *= 2)
    for (size_t k = 0; k < 2; k++) {
      a.pieces = b.pieces = 0;
      run_ode(cpu, some[k], FG_SINGLE, n + 5, 1, &b);
      run_ode(shim, some[k], FG_SINGLE, n + 5, 1, &a);
      record_compare(&a, &b, tolerance[1]);
      record_free(&a);
      record_free(&b);
    }
}

/* More tiles than one launch has blocks. */
static void test_many(void **state)
{
  (void)state;
  enum { MANY = 1024 * 64 + 100 };
  static record a, b;
  a.pieces = b.pieces = 0;
  run_ode(cpu, &fields[0], FG_DOUBLE, MANY, 1, &b);
  run_ode(shim, &fields[0], FG_DOUBLE, MANY, 1, &a);
#if !defined __SANITIZE_THREAD__ && !defined SHIM_CHECKED
  run_evaluate(cpu, &fields[0], FG_DOUBLE, MANY, 0, &b);
  run_evaluate(shim, &fields[0], FG_DOUBLE, MANY, 0, &a);
  run_simulate(cpu, &fields[0], FG_DOUBLE, MANY, &walks[0], &b);
  run_simulate(shim, &fields[0], FG_DOUBLE, MANY, &walks[0], &a);
#endif
  record_compare(&a, &b, tolerance[0]);
  record_free(&a);
  record_free(&b);
}

/* Steps at which particles are lost: the same integers. */
static void test_lost(void **state)
{
  (void)state;
  static record a, b;
  for (int precision = 0; precision < PRECISIONS; precision++)
    for (size_t s = 0; s < SIZES; s++) {
      a.pieces = b.pieces = 0;
      run_simulate(cpu, &fields[0], (fg_precision)precision, sizes[s], &explosion, &b);
      run_simulate(shim, &fields[0], (fg_precision)precision, sizes[s], &explosion, &a);
      const double *got = a.values[a.pieces - 1], *expected = b.values[b.pieces - 1];
      int kinds = 0;
      for (size_t i = 0; i < sizes[s]; i++) {
        assert_true(expected[i] >= 0 && got[i] == expected[i]);
        kinds |= 1 << (int)expected[i];
      }
      if (sizes[s] >= 64) assert_true(kinds & (kinds - 1)); /* more than one step */
      record_compare(&a, &b, tolerance[precision]);
      record_free(&a);
      record_free(&b);
    }
}

static void test_philox(void **state)
{
  (void)state;
  enum { N = 1000 };
  static uint32_t words[4 * N];
  const uint64_t seed = 0xfedcba9876543210ull, first = 0xfffffffffffull;
  shim_philox(seed, 65535, first, 0xffffffffu, 7, N, words);
  for (size_t i = 0; i < N; i++) {
    const fg_words expected = fg_philox(seed, 65535, first + i, 0xffffffffu, 7);
    assert_memory_equal(words + 4 * i, expected.w, sizeof expected.w);
  }
}

/* The same words from cuRAND: subsequence = particle + stream 2^48, offset = 4 (block + step 2^32). */
static void test_curand(void **state)
{
  (void)state;
  static const struct {
    uint64_t seed, particle;
    uint32_t stream, step, block;
  } cases[] = {{0, 0, 0, 0, 0},
               {1, 2, FG_STREAM_NOISE, 3, 0},
               {0xfedcba9876543210ull, 0xffffffffffffull, 65535, 0x3fffffffu, 0},
               {42, 123456789012ull, FG_STREAM_PRIOR, 99, 5},
               {7, 1ull << 40, FG_STREAM_BRIDGE, 1000, 77}};
  enum { BLOCKS = 5 };
  uint32_t words[4 * BLOCKS];
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const uint64_t subsequence = cases[k].particle + ((uint64_t)cases[k].stream << 48);
    const uint64_t offset = 4 * (cases[k].block + ((uint64_t)cases[k].step << 32));
    if (!shim_curand(cases[k].seed, subsequence, offset, 4 * BLOCKS, words)) skip();
    for (uint32_t b = 0; b < BLOCKS; b++) {
      const fg_words expected =
          fg_philox(cases[k].seed, cases[k].stream, cases[k].particle, cases[k].step, cases[k].block + b);
      assert_memory_equal(words + 4 * b, expected.w, sizeof expected.w);
    }
  }
}

/* ---- vectors ------------------------------------------------------------------------------------------------ */

static void run_map(fg_engine *e, fg_vec_map op, size_t n, record *out)
{
  case_state = 3;
  guarded x = guarded_draws(e, n, 2), y = guarded_draws(e, n, 2), z = guarded_open(e, n * 8, NULL);
  MUST((must_st.code = e->ops->vec_map(e, op, n, 0.7, x.inner, -1.3, y.inner, z.inner)));
  MUST((must_st.code = e->ops->vec_map(e, op, n, 0.7, x.inner, -1.3, y.inner, y.inner))); /* in place */
  record_take(out, "z", e, &z);
  record_take(out, "in place", e, &y);
  guarded_close(e, &x, NULL);
}

static void test_map(void **state)
{
  (void)state;
  static record a, b;
  for (int op = FG_VEC_LINEAR; op <= FG_VEC_ADD; op++)
    for (size_t s = 0; s < SIZES; s++) {
      a.pieces = b.pieces = 0;
      run_map(cpu, (fg_vec_map)op, sizes[s], &b);
      run_map(shim, (fg_vec_map)op, sizes[s], &a);
      /* one rounding differs where the other fuses a x + b y */
      record_compare(&a, &b, op == FG_VEC_LINEAR ? 1e-15 : 0);
      record_free(&a);
      record_free(&b);
    }
}

static double reduce(fg_engine *e, fg_vec_reduce op, size_t n, size_t bad)
{
  case_state = 5;
  double *x = draws(n, 2);
  if (bad < n) x[bad] = NAN;
  guarded gx = guarded_open(e, n * sizeof *x, x), gy = guarded_draws(e, n, 2);
  const double result = e->ops->vec_reduce(e, op, n, gx.inner, gy.inner);
  guarded_close(e, &gx, NULL);
  guarded_close(e, &gy, NULL);
  free(x);
  return result;
}

static void test_reduce(void **state)
{
  (void)state;
  static const size_t lengths[] = {1, 7, 64, 1000, 40000}; /* the last in more than 64 blocks */
  for (int op = FG_VEC_DOT; op <= FG_VEC_MIN; op++)
    for (size_t s = 0; s < LENGTHS; s++) {
      const size_t n = lengths[s];
      const double expected = reduce(cpu, (fg_vec_reduce)op, n, n),
                   got = reduce(shim, (fg_vec_reduce)op, n, n);
      /* terms up to 4 in another order: at most n epsilon each way, in practice sqrt(n) */
      const double slack = op == FG_VEC_DOT ? 1e-15 * (double)n : op == FG_VEC_WRMS ? 1e-14 : 0;
      if (!(fabs(got - expected) <= slack))
        fail_msg("reduction %d of %zu is %.17g, expected %.17g", op, n, got, expected);
      for (size_t bad = 0; bad < n; bad += n / 3 + 1)
        assert_true(isnan(reduce(shim, (fg_vec_reduce)op, n, bad)));
      for (unsigned seed = 2; seed < 4; seed++) {
        shim_shuffle(seed);
        assert_true(reduce(shim, (fg_vec_reduce)op, n, n) == got);
      }
    }
}

static double particle_norm(fg_engine *e, size_t n, size_t d, int tail, double bad)
{
  case_state = 9;
  const size_t length = n * (d + (size_t)tail);
  double *x = draws(length, 2);
  if (bad != 0) x[length / 2] = bad;
  guarded gx = guarded_open(e, length * sizeof *x, x), gw = guarded_draws(e, length, 2);
  const double result = e->ops->vec_particle_norm(e, n, d, tail, gx.inner, gw.inner);
  guarded_close(e, &gx, NULL);
  guarded_close(e, &gw, NULL);
  free(x);
  return result;
}

static void test_particle_norm(void **state)
{
  (void)state;
  for (size_t s = 0; s < SIZES; s++)
    for (int tail = 0; tail < 2; tail++) {
      const double expected = particle_norm(cpu, sizes[s], 3, tail, 0);
      /* a sum of four squares: a few roundings */
      assert_true(fabs(particle_norm(shim, sizes[s], 3, tail, 0) - expected) <= 1e-15 * expected);
      assert_true(particle_norm(shim, sizes[s], 3, tail, NAN) == HUGE_VAL);
      assert_true(particle_norm(shim, sizes[s], 3, tail, INFINITY) == HUGE_VAL);
    }
}

/* ---- failures, stopping, threads ------------------------------------------------------------------------ */

static void test_failures(void **state)
{
  (void)state;
  const long before = shim_live();
  held_field h = field_open(shim, &fields[0]);
  fg_coeff coeff[2] = {coeff_at(1), coeff_at(0.5)};
  guarded x = guarded_draws(shim, 20, 1), lost = guarded_open(shim, 40, NULL);
  fg_evaluate_request r;
  memset(&r, 0, sizeof r);
  r.n = 10;
  r.shared_time = 1;
  r.coeff = coeff;
  r.x = r.score = x.inner;
  fg_simulate_request w;
  memset(&w, 0, sizeof w);
  w.n = 10;
  w.tile = 64;
  w.steps = 1;
  w.coeff = coeff;
  w.x = x.inner;
  w.lost_step = lost.inner;
  fg_ode_request o;
  memset(&o, 0, sizeof o);
  o.n = 10;
  o.coeff = coeff[0];
  o.y = o.dy = x.inner;
  fg_buf buf;
  fg_status st = {0};
  fails(shim->ops->alloc(shim, 2000000000, &buf, &st), &st, FG_MEMORY,
        "cudaMalloc of 2000000000 bytes on device 0 failed: out of memory (2), ");
  assert_null(buf.device);
  shim_fail("cudaMemcpyAsync", 700);
  fails(shim->ops->evaluate(shim, NULL, &h.field, &r, &st), &st, FG_FAILED, "(700)");
  shim_fail("fg_evaluate_kernel", 700);
  fails(shim->ops->evaluate(shim, NULL, &h.field, &r, &st), &st, FG_FAILED,
        "bytes of shared memory, for 10 particles, on device 0) did not launch: an illegal memory access was "
        "encountered (700): try --engine cpu");
  assert_non_null(strstr(st.message, "the kernel evaluate (1 blocks of 64 threads with "));
  shim_fail("fg_simulate_kernel", 700);
  fails(shim->ops->simulate(shim, NULL, &h.field, &w, &st), &st, FG_FAILED, "kernel simulate");
  shim_fail("fg_rows_kernel", 700);
  fails(shim->ops->simulate(shim, NULL, &h.field, &w, &st), &st, FG_FAILED, "kernel rows");
  shim_fail("fg_ode_kernel", 700);
  fails(shim->ops->ode_rhs(shim, &h.field, &o, &st), &st, FG_FAILED,
        "bytes of shared memory, for 10 particles, on device 0) did not launch");
  shim_fail("fg_map_kernel", 700); /* it has no status: the next slot that has one tells */
  assert_int_equal(shim->ops->vec_map(shim, FG_VEC_ABS, 3, 0, x.inner, 0, x.inner, x.inner), FG_FAILED);
  fails(shim->ops->ode_rhs(shim, &h.field, &o, &st), &st, FG_FAILED, "the kernel vector map (1 blocks of ");
  shim_fail("fg_reduce_kernel", 700);
  assert_true(isnan(shim->ops->vec_reduce(shim, FG_VEC_DOT, 3, x.inner, x.inner)));
  fails(shim->ops->sync(shim, &st), &st, FG_FAILED, "the kernel vector reduce (1 blocks of ");
  w.refine = 16;
  assert_int_equal(shim->ops->simulate(shim, NULL, &h.field, &w, &st), FG_USAGE);
  w.refine = 0;
  MUST(shim->ops->simulate(shim, NULL, &h.field, &w, ST)); /* nothing of it stays */
  guarded_close(shim, &x, NULL);
  guarded_close(shim, &lost, NULL);
  field_close(shim, &h);
  assert_int_equal(shim_live(), before);
}

static void test_opening(void **state)
{
  (void)state;
  fg_engine *e = NULL;
  fg_status st = {0};
  shim_fail("cudaGetDeviceCount", 35);
  fails(fg_cuda_engine_open(1, &e, &st), &st, FG_UNSUPPORTED,
        "no CUDA device: cudaGetDeviceCount returned 35 (CUDA driver version");
  assert_null(e);
  shim_fail("fg_map_kernel", 209); /* no code for this device */
  fails(fg_cuda_engine_open(1, &e, &st), &st, FG_FAILED, "(209)");
  assert_null(e);
  assert_string_equal(fg_engine_name(shim), "cuda");
  shim_fail("cudaMemGetInfo", 999);
  fails(fg_cuda_engine_open(1, &e, &st), &st, FG_FAILED, "cudaMemGetInfo");
  assert_null(e);
  assert_string_equal(fg_engine_isa(shim), "sm_80");
  assert_string_equal(fg_engine_devices(shim),
                      "0 the CPU, by tests/cuda_on_cpu, sm_80, 1.0 of 1.0 GiB free, driver for CUDA 13.0\n");
  assert_string_equal(fg_engine_devices(cpu), "");
}

static void test_progress(void **state)
{
  (void)state;
  volatile sig_atomic_t stop = 0;
  const fg_progress progress = {note, "simulate", &stop};
  enum { N = 70 };
  held_field h = field_open(shim, &fields[0]);
  fg_coeff coeff[2] = {coeff_at(1), coeff_at(0.5)};
  guarded x = guarded_draws(shim, 2 * N, 1), lost = guarded_open(shim, 4 * N, NULL);
  fg_simulate_request w;
  memset(&w, 0, sizeof w);
  w.n = N;
  w.tile = 64;
  w.steps = 1;
  w.coeff = coeff;
  w.x = x.inner;
  w.lost_step = lost.inner;
  w.progress = &progress;
  reported = 0;
  MUST(shim->ops->simulate(shim, NULL, &h.field, &w, ST));
  assert_true(reported == N);
  stop = 1;
  assert_int_equal(shim->ops->simulate(shim, NULL, &h.field, &w, NULL), FG_INTERRUPTED);
  guarded_close(shim, &x, NULL);
  guarded_close(shim, &lost, NULL);
  field_close(shim, &h);
}

enum { TASKS = 8, POINTS = 50 };

typedef struct crowd {
  held_field field;
  guarded y[TASKS], dy[TASKS];
} crowd;

static void crowd_task(void *argument, size_t task, int worker)
{
  crowd *all = argument;
  fg_ode_request r;
  (void)worker;
  memset(&r, 0, sizeof r);
  r.n = POINTS;
  r.coeff = coeff_at(0.7);
  r.y = all->y[task].inner;
  r.dy = all->dy[task].inner;
  MUST(shim->ops->ode_rhs(shim, &all->field.field, &r, ST));
  MUST(shim->ops->sync(shim, ST)); /* another thread looks at it */
}

/* Slots called from several threads, as the ODE solver does. */
static void test_threads(void **state)
{
  (void)state;
  static crowd all;
  static double out[2][TASKS][2 * POINTS];
  for (int turn = 0; turn < 2; turn++) {
    fg_threads *pool = NULL;
    MUST(fg_threads_create(turn ? 4 : 1, &pool, ST));
    all.field = field_open(shim, &fields[0]);
    for (int k = 0; k < TASKS; k++) {
      all.y[k] = guarded_draws(shim, 2 * POINTS, 2);
      all.dy[k] = guarded_open(shim, sizeof out[0][0], NULL);
    }
    fg_threads_run(pool, TASKS, crowd_task, &all);
    for (int k = 0; k < TASKS; k++) {
      guarded_close(shim, &all.y[k], NULL);
      guarded_close(shim, &all.dy[k], out[turn][k]);
    }
    field_close(shim, &all.field);
    fg_threads_destroy(&pool);
  }
  assert_memory_equal(out[0], out[1], sizeof out[0]);
}

/* The real device, where this machine has one and the plugin can be found. */
static void test_device(void **state)
{
  (void)state;
  fg_engine *cuda = NULL;
  fg_status st = {0};
  if (fg_engine_open("cuda", 1, &cuda, &st) != FG_OK) {
    assert_int_equal(st.code, FG_UNSUPPORTED);
    assert_non_null(strstr(st.message, "--engine cpu"));
    print_message("not run on a GPU: %s\n", st.message);
    skip();
  }
  compare_fields(cuda);
  fg_engine_close(&cuda);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_philox),  cmocka_unit_test(test_curand),        cmocka_unit_test(test_map),
      cmocka_unit_test(test_reduce),  cmocka_unit_test(test_particle_norm), cmocka_unit_test(test_fields),
      cmocka_unit_test(test_room),    cmocka_unit_test(test_tiles),         cmocka_unit_test(test_many),
      cmocka_unit_test(test_lost),    cmocka_unit_test(test_order),         cmocka_unit_test(test_failures),
      cmocka_unit_test(test_opening), cmocka_unit_test(test_progress),      cmocka_unit_test(test_threads),
      cmocka_unit_test(test_device),
  };
  return cmocka_run_group_tests(tests, open_engines, close_engines);
}

/* needs: kernels cuda_on_cpu */
/* Networks too wide for fused kernels on the CUDA engine, run on the CPU by the shim, against the engine cpu: values,
 * right-hand sides of the ODE and simulations, in one wave of tiles and in several, in other orders of blocks and threads,
 * and what fails. */
#include "support/shim_engines.h"

static const size_t sizes[] = {SLOW ? 20 : 7, 40};
enum { SIZES = SLOW ? 1 : 2 };
enum { PROCESSORS = 4 }; /* of the shim's device: a wave has as many tiles, or more */

/* As in test_cuda_on_cpu.c: sums in another order, those of cuBLAS too. */
static const double tolerance[2] = {1e-12, 5e-4};

static const field_case fields[] = {
    SOFTPLUS_FIELD("one more than fused", 2, 129, 129),
    {.name = "unlike widths",
     .network = 1,
     .d = 3,
     .activation = FG_SINE,
     .time = FG_TIME_LAST,
     .layers = 3,
     .width = {40, 200, 16}},
    NOISE_FIELD("vector", 200, 200),
    FOURIER_FIELD("one layer", 256),
    CONTROL_FIELD("control and bridge", FG_SILU, 1, 140, 140),
    WELLS_FIELD("control as a potential", 2, 130, 130),
};
enum { FIELDS = sizeof fields / sizeof *fields };

static const walk_case walks[] = {{0, 0, 0, 0, 0, 1}, {1, 2, 1, 0, 0, 0.5}, {1, 0, 0, 1, 0, 0}};
enum { WALKS = sizeof walks / sizeof *walks };

static void run_field(fg_engine *e, const field_case *c, fg_precision precision, size_t n, record *out)
{
  out->of = c->name;
  out->pieces = 0;
  for (int shared = SLOW; shared < 2; shared++) run_evaluate(e, c, precision, n, shared, out);
  for (size_t k = SLOW; k < WALKS; k++) run_simulate(e, c, precision, n, &walks[k], out);
  for (int log_p = 0; log_p < 2; log_p++) run_ode(e, c, precision, n, log_p, out);
}

static void compare(const field_case *c, fg_precision precision, size_t n)
{
  static record a, b;
  run_field(cpu, c, precision, n, &b);
  run_field(shim, c, precision, n, &a);
  record_compare(&a, &b, tolerance[precision]);
  record_free(&a);
  record_free(&b);
}

static void test_fields(void **state)
{
  (void)state;
  for (size_t f = 0; f < FIELDS; f++)
    for (int precision = 0; precision < PRECISIONS; precision++)
      for (size_t s = 0; s < SIZES; s++) compare(&fields[f], (fg_precision)precision, sizes[s]);
}

/* One simulation of n particles on a device of so many bytes; *waves: how often it went
 * through all steps. */
static fg_code simulate(const field_case *c, size_t n, size_t bytes, record *out, long *waves, fg_status *st)
{
  enum { STEPS = 5 };
  fg_engine *e = NULL;
  shim_devices(1, bytes);
  MUST(fg_cuda_engine_open(1, &e, ST));
  held_field h = field_open(e, c);
  fg_coeff coeff[STEPS + 1];
  for (int k = 0; k <= STEPS; k++) coeff[k] = coeff_at(1.5 - 0.25 * k);
  static const size_t snapshot_step[] = {2, STEPS};
  guarded x = guarded_draws(e, n * (size_t)c->d, 2), log_p = guarded_draws(e, n, 1);
  guarded lost = guarded_open(e, n * sizeof(int32_t), NULL);
  guarded snapshots = guarded_open(e, 2 * n * (size_t)c->d * 8, NULL);
  const fg_simulate_request r = {.n = n,
                                 .tile = 64,
                                 .seed = 5,
                                 .stream = FG_STREAM_NOISE,
                                 .scheme = 1,
                                 .steps = STEPS,
                                 .coeff = coeff,
                                 .x = x.inner,
                                 .log_p = log_p.inner,
                                 .lost_step = lost.inner,
                                 .snapshots = 2,
                                 .snapshot_step = snapshot_step,
                                 .snapshot_x = snapshots.inner};
  const long before = shim_calls("cudaGraphLaunch");
  refuse_begin();
  const fg_code rc = e->ops->simulate(e, NULL, &h.field, &r, st);
  refuse_end();
  *waves = (shim_calls("cudaGraphLaunch") - before) / STEPS;
  out->of = c->name;
  out->pieces = 0;
  record_take(out, "x", e, &x);
  record_take(out, "log_p", e, &log_p);
  record_take(out, "snapshots", e, &snapshots);
  guarded_close(e, &lost, NULL);
  field_close(e, &h);
  fg_engine_close(&e);
  shim_devices(1, PLENTY);
  return rc;
}

/* 5 tiles of 16 at once, or 3 and 2, or fewer at a time as the device is made smaller, until one alone finds no room, and not
 * before: the numbers of a particle do not depend on who is with it. Products of other shapes may add up in another order, in
 * a real cuBLAS. */
static void test_waves(void **state)
{
  (void)state;
  static record a, b;
  if (SLOW) skip();
  fg_engine_close(&shim); /* it has memory of the device too */
  for (size_t f = 0; f < FIELDS; f += 4) {
    fg_status st = {0};
    long waves = 0, most = 0;
    fg_code rc = FG_OK;
    MUST(simulate(&fields[f], 75, PLENTY, &b, &waves, ST));
    assert_int_equal(waves, 1);
    for (size_t bytes = (size_t)38 << 20; rc == FG_OK; bytes -= 220 << 10) { /* 32 MiB of it are cuBLAS's */
      rc = simulate(&fields[f], 75, bytes, &a, &waves, &st);
      if (rc == FG_OK) {
        record_compare(&a, &b, 1e-12);
        if (waves > most) most = waves; /* rows of steps that find no room leave theirs to waves */
      }
      record_free(&a);
    }
    record_free(&b);
    print_message("%s: %ld waves at most; then %s\n", fields[f].name, most, st.message);
    assert_int_equal(most, 5);
    assert_int_equal(rc, FG_MEMORY);
    assert_memory_equal(st.message, "the kernel simulate needs ", 26);
    assert_non_null(strstr(st.message, "bytes for one tile of 16 particles, and more: cudaMalloc of "));
    assert_non_null(strstr(st.message, "are free: use fewer particles"));
  }
  MUST(fg_cuda_engine_open(1, &shim, ST));
}

/* Each allocation in turn finds no memory: what waves need is asked for again for fewer tiles, and rows of steps can be done
 * without; weights, coefficients and cuBLAS's workspace cannot. */
static void test_refused(void **state)
{
  (void)state;
  static record a, b;
  if (SLOW) skip();
  fg_status st = {0};
  long waves = 0, smaller = 0, failed = 0;
  const long before = shim_calls("cudaMalloc");
  MUST(simulate(&fields[4], 40, PLENTY, &b, &waves, ST));
  const long most = shim_calls("cudaMalloc") - before;
  for (refused = 0; refused < most; refused++) {
    const fg_code rc = simulate(&fields[4], 40, PLENTY, &a, &waves, &st);
    if (rc == FG_OK) {
      record_compare(&a, &b, 1e-12);
      smaller += waves == 2;
    } else {
      assert_int_equal(rc, FG_MEMORY);
      assert_memory_equal(st.message, "the kernel simulate ", 20);
      assert_non_null(strstr(st.message, "are free: use fewer particles"));
      assert_int_equal(smaller, 0); /* what has to be there comes first */
      failed++;
    }
    record_free(&a);
  }
  refused = -1;
  record_free(&b);
  assert_true(failed >= 5 &&
              failed <= 8);     /* coefficients, snapshots, workspace, weights of two networks, state */
  assert_int_equal(smaller, 3); /* partial sums, scratch, list of products */
}

/* cuBLAS and graphs may want memory of their own. */
static void test_refused_within(void **state)
{
  (void)state;
  static const char *const calls[] = {"cublasDgemmStridedBatched", "cudaGraphInstantiate"};
  static record a, b;
  fg_status st = {0};
  long waves = 0;
  MUST(simulate(&fields[0], 20, PLENTY, &b, &waves, ST));
  assert_int_equal(waves, 1);
  for (int k = 0; k < 2; k++) {
    shim_fail(calls[k], k ? 2 : 3);
    MUST(simulate(&fields[0], 20, PLENTY, &a, &waves, &st));
    assert_int_equal(waves, 2);
    record_compare(&a, &b, 1e-12);
    record_free(&a);
  }
  record_free(&b);
}

/* Waves shared by devices: the bits of one, in waves of unlike sizes, 3 tiles, 3 and 1; or 1 of each. */
static void test_devices(void **state)
{
  (void)state;
  static record first, other;
  enum { N = SLOW ? 40 : 110 };
  fg_engine_close(&shim);
  shim_processors(SLOW ? 1 : 2);
  for (size_t f = 0; f < FIELDS; f += SLOW ? FIELDS : 2)
    for (int devices = 1; devices <= 3; devices += 1 + SLOW) {
      record *to = devices == 1 ? &first : &other;
      const long graphs = shim_calls("cudaGraphLaunch");
      fg_engine *e = NULL;
      begin_on(devices);
      MUST(fg_cuda_engine_open(2, &e, ST));
      to->of = fields[f].name;
      to->pieces = 0;
      run_evaluate(e, &fields[f], (fg_precision)(f % 2), N, 0, to);
      run_simulate(e, &fields[f], (fg_precision)(f % 2), N, &walks[1], to);
      fg_engine_close(&e);
      took_part(devices);
      assert_true(shim_calls("cudaGraphLaunch") > graphs);
      if (devices == 1) continue;
      record_compare(&other, &first, 0);
      record_free(&other);
      if (devices == 3) record_free(&first);
    }
  shim_devices(1, PLENTY);
  shim_processors(PROCESSORS);
  MUST(fg_cuda_engine_open(1, &shim, ST));
}

static void run_40(const void *c, record *out)
{
  run_field(shim, c, FG_DOUBLE, 40, out);
}

static void test_order(void **state)
{
  (void)state;
  if (SLOW) skip();
  for (size_t f = 0; f < FIELDS; f++) same_in_any_order(run_40, &fields[f], 3);
}

/* Right-hand sides and Jacobian-vector products that are asked for again list no products and wait for nothing. */
static void test_no_waits(void **state)
{
  (void)state;
  enum { N = 75, TURNS = 6 };
  static double first[2][N * 4], other[N * 4];
  held_field h = field_open(shim, &fields[4]);
  guarded y[2], dy[2], v = guarded_draws(shim, N * 4, 1);
  for (int k = 0; k < 2; k++) {
    y[k] = guarded_draws(shim, N * 4, 1);
    dy[k] = guarded_open(shim, N * 4 * sizeof(double), NULL);
  }
  long waits = 0;
  for (int turn = 0; turn < TURNS; turn++) {
    const int k = turn % 2; /* other buffers each time, as CVODE has */
    fg_ode_request r = {.n = N, .coeff = coeff_at(1), .with_log_p = 1, .y = y[k].inner, .dy = dy[k].inner};
    const long before = shim_calls("cudaStreamSynchronize");
    MUST(shim->ops->ode_rhs(shim, &h.field, &r, ST));
    r.v = v.inner;
    r.jv = v.inner;
    MUST(shim->ops->ode_jvp(shim, &h.field, &r, ST));
    waits = shim_calls("cudaStreamSynchronize") - before;
    double *to = turn < 2 ? first[k] : other;
    MUST(shim->ops->download(shim, to, dy[k].inner, 0, sizeof other, ST));
    if (turn >= 2) assert_memory_equal(other, first[k], sizeof other);
  }
  assert_int_equal(waits, 0);
  for (int k = 0; k < 2; k++) {
    guarded_close(shim, &y[k], NULL);
    guarded_close(shim, &dy[k], NULL);
  }
  guarded_close(shim, &v, NULL);
  field_close(shim, &h);
}

/* Without cuBLAS narrow networks work, and wide ones say what is missing. */
static void test_no_library(void **state)
{
  (void)state;
  static const field_case narrow = {.name = "narrow", .network = 1, .d = 2, .layers = 1, .width = {128}};
  static record out;
  fg_engine *e = NULL;
  fg_status st = {0};
  MUST(fg_cuda_engine_open(1, &e, ST));
  held_field h = field_open(e, &fields[0]);
  guarded y = guarded_draws(e, 20, 1);
  fg_ode_request r = {.n = 10, .coeff = coeff_at(1), .y = y.inner, .dy = y.inner};
  shim_fail("dlopen", 1);
  out.pieces = 0;
  run_ode(e, &narrow, FG_DOUBLE, 10, 0, &out);
  record_free(&out);
  fails(e->ops->ode_rhs(e, &h.field, &r, &st), &st, FG_UNSUPPORTED,
        "libcublas.so.13 does not open (cannot open shared");
  assert_non_null(strstr(st.message, "LD_LIBRARY_PATH"));
  shim_fail("dlsym", 1);
  fails(e->ops->ode_rhs(e, &h.field, &r, &st), &st, FG_UNSUPPORTED, "libcublas.so.13 lacks cublasCreate_v2");
  MUST(e->ops->ode_rhs(e, &h.field, &r, ST));
  guarded_close(e, &y, NULL);
  field_close(e, &h);
  fg_engine_close(&e);
}

typedef struct simulated {
  held_field field;
  fg_simulate_request r;
} simulated;

static fg_code simulate_again(void *what, fg_status *st)
{
  simulated *s = what;
  return shim->ops->simulate(shim, NULL, &s->field.field, &s->r, st);
}

static void test_failures(void **state)
{
  (void)state;
  static const fault faults[] = {
      {"cublasSetStream", "cublasSetStream failed", 7, 0, FG_FAILED},
      {"cublasSetWorkspace", "cublasSetWorkspace failed", 7, 0, FG_FAILED},
      {"cublasDgemm",
       "cublasDgemm (144 x 32 x 129, 1 times) failed: the operation failed with invalid value (7)", 7, 0,
       FG_FAILED},
      {"cublasDgemmStridedBatched", "(7)", 7, 0, FG_FAILED},
      {"fg_wide_simulate_kernel", "did not launch", 700, 0, FG_FAILED},
      {"cudaStreamBeginCapture", "cudaStreamBeginCapture", 900, 0, FG_FAILED},
      {"cudaStreamEndCapture", "cudaStreamEndCapture", 901, 0, FG_FAILED},
      {"cudaGraphInstantiate", "cudaGraphInstantiate", 700, 0, FG_FAILED},
      {"cudaGraphLaunch", "cudaGraphLaunch", 700, 0, FG_FAILED},
      {"cudaMemcpyAsync", "cudaMemcpyAsync", 700, 0, FG_FAILED},
  };
  simulated s = {.field = field_open(shim, &fields[0])};
  const fg_coeff coeff[2] = {coeff_at(1), coeff_at(0.5)};
  guarded x = guarded_draws(shim, 40, 1), lost = guarded_open(shim, 80, NULL);
  s.r = (fg_simulate_request){
      .n = 20, .tile = 64, .steps = 1, .coeff = coeff, .x = x.inner, .lost_step = lost.inner};
  faults_are_told(faults, sizeof faults / sizeof *faults, simulate_again, &s);
  volatile sig_atomic_t cancel = 1;
  fg_progress progress = {.cancel = &cancel};
  s.r.progress = &progress;
  assert_int_equal(simulate_again(&s, NULL), FG_INTERRUPTED);
  guarded_close(shim, &x, NULL);
  guarded_close(shim, &lost, NULL);
  field_close(shim, &s.field);
}

static int setup(void **state)
{
  shim_processors(PROCESSORS);
  return open_engines(state);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields),   cmocka_unit_test(test_waves),
                                     cmocka_unit_test(test_refused),  cmocka_unit_test(test_refused_within),
                                     cmocka_unit_test(test_devices),  cmocka_unit_test(test_order),
                                     cmocka_unit_test(test_no_waits), cmocka_unit_test(test_no_library),
                                     cmocka_unit_test(test_failures)};
  return cmocka_run_group_tests(tests, setup, close_engines);
}

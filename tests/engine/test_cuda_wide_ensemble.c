/* needs: kernels cuda_on_cpu */
/* Particles along the ODE by steps of their own with networks too wide for fused kernels, on the CUDA engine run by the shim,
 * against the engine cpu: ends, counts, bins, times, snapshots and log-densities; a place for each particle, and fewer places
 * than particles; particles that do not arrive; and what fails. */
#include "support/ensemble_run.h"
#include "support/shim_engines.h"

static const size_t sizes[] = {SLOW ? 20 : 1, 35};
enum { SIZES = SLOW ? 1 : 2 };

static const field_case fields[] = {
    SOFTPLUS_FIELD("one more than fused", 2, 129, 129),
    NOISE_FIELD("embedded", 130, 150),
    FOURIER_FIELD("fourier", 200),
    CONTROL_FIELD("control and bridge", FG_SILU, 1, 140, 140),
};
enum { FIELDS = sizeof fields / sizeof *fields };

static void test_fields(void **state)
{
  static record want, got;
  (void)state;
  for (size_t f = 0; f < FIELDS; f++)
    for (int precision = 0; precision < PRECISIONS; precision++)
      for (size_t s = 0; s < SIZES; s++) {
        const int with_log_p = (f + s) % 2 == 0, forward = s % 2 == 1;
        if (precision == FG_SINGLE && f % 2 == s % 2) continue;
        fly(cpu, &fields[f], (fg_precision)precision, sizes[s], NULL, with_log_p, forward, &want);
        fly(shim, &fields[f], (fg_precision)precision, sizes[s], NULL, with_log_p, forward, &got);
        flight_compare(&got, &want, (fg_precision)precision, &fields[f], 2e-2);
        for (size_t i = 0; !SLOW && i < sizes[s]; i++) assert_true(got.values[END][i] == FG_ENSEMBLE_ARRIVED);
        record_free(&got);
        record_free(&want);
      }
}

/* One flight on devices of so many bytes and processors; *steps: graphs that were launched. */
static fg_code fly_on(int devices, size_t bytes, int processors, record *out, long *steps, fg_status *st)
{
  enum { N = 75 };
  fg_engine *e = NULL;
  flight f;
  shim_devices(devices, bytes);
  shim_processors(processors);
  MUST(fg_cuda_engine_open(1, &e, ST));
  held_field h = field_open(e, &fields[0]);
  flight_open(e, &fields[0], FG_DOUBLE, N, NULL, 0, 0, &f);
  const long before = shim_calls("cudaGraphLaunch");
  const fg_code rc = e->ops->ensemble(e, e->threads, &h.field, &f.request, st);
  *steps = shim_calls("cudaGraphLaunch") - before;
  out->of = "places";
  flight_close(e, &f, out);
  field_close(e, &h);
  fg_engine_close(&e);
  shim_devices(1, PLENTY);
  shim_processors(2);
  return rc;
}

/* 5 tiles of 16 places at once, or 3 or fewer as the device is made smaller, whose places are taken again, until one finds
 * no room: a particle does the same in whatever company. */
static void test_places(void **state)
{
  static record a, b;
  fg_status st = {0};
  long steps = 0, least = 0, most = 0;
  fg_code rc = FG_OK;
  (void)state;
  if (SLOW) skip();
  (void)shim_calls("cudaGraphLaunch"); /* on a GPU the test ends here, */
  fg_engine_close(&shim);              /* ... before this one, which has memory of the device too */
  MUST(fly_on(1, PLENTY, 5, &b, &least, ST));
  for (size_t bytes = (size_t)67 << 19; rc == FG_OK; bytes -= 128 << 10) { /* 32 MiB of it are cuBLAS's */
    rc = fly_on(1, bytes, 5, &a, &steps, &st);
    if (rc == FG_OK) {
      record_compare(&a, &b,
                     1e-10); /* products of other shapes may add up in another order, in a real cuBLAS */
      assert_true(steps >= most);
      most = steps;
    }
    record_free(&a);
  }
  assert_int_equal(rc, FG_MEMORY);
  assert_non_null(strstr(st.message, "the kernel ensemble needs "));
  assert_non_null(strstr(st.message, "--engine cpu"));
  print_message("%ld steps with a place for each particle, %ld with the fewest places; then %s\n", least,
                most, st.message);
  assert_true(most >= 3 * least);
  /* three devices share what one does in waves of a tile: the same bits, in fewer steps each */
  MUST(fly_on(1, PLENTY, 1, &a, &most, ST));
  record_compare(&a, &b, 1e-10);
  record_free(&b);
  const long copies = shim_calls("cudaMemcpyPeerAsync");
  MUST(fly_on(3, PLENTY, 1, &b, &steps, ST));
  assert_true(shim_calls("cudaMemcpyPeerAsync") > copies);
  record_compare(&b, &a, 0);
  record_free(&a);
  record_free(&b);
  MUST(fg_cuda_engine_open(1, &shim, ST));
}

static void fly_20(const void *c, record *out)
{
  fly(shim, c, FG_DOUBLE, 20, NULL, 1, 0, out);
}

static void test_order(void **state)
{
  (void)state;
  if (SLOW) skip();
  for (size_t f = 1; f < FIELDS; f += 2) same_in_any_order(fly_20, &fields[f], 2);
}

/* Too few steps; starts that are no numbers; steps that may not be as short as the tolerance asks. */
static void lost_on(fg_engine *e, int kind, record *out)
{
  enum { N = 5 };
  const double x[2 * N] = {0.5, 1, NAN, 0, -1, 2, 0, INFINITY, 0.3, 0.3};
  held_field h = field_open(e, &fields[0]);
  flight f;
  flight_open(e, &fields[0], FG_DOUBLE, N, kind == 1 ? x : NULL, kind != 2, 0, &f);
  if (kind == 0) f.request.max_steps = 2;
  if (kind == 2) f.request.least_step = 0.5, f.request.rtol = 1e-8, f.request.atol = 1e-10;
  MUST(e->ops->ensemble(e, e->threads, &h.field, &f.request, ST));
  out->of = "lost";
  flight_close(e, &f, out);
  field_close(e, &h);
}

/* What is no number in both is the same. */
static void even_out(record *a, record *b)
{
  for (size_t k = 0; k < FLOATS; k++)
    for (size_t i = 0; i < a->count[k]; i++)
      if (!isfinite(a->values[k][i]) && !isfinite(b->values[k][i])) a->values[k][i] = b->values[k][i] = 0;
}

static void test_lost(void **state)
{
  static record want, got;
  static const fg_ensemble_end ends[] = {FG_ENSEMBLE_STEPS, FG_ENSEMBLE_NOT_FINITE, FG_ENSEMBLE_SHORT};
  (void)state;
  if (SLOW) skip();
  for (int kind = 0; kind < 3; kind++) {
    lost_on(cpu, kind, &want);
    lost_on(shim, kind, &got);
    int seen = 0;
    for (int i = 0; i < 5; i++) seen |= got.values[END][i] == ends[kind];
    if (!seen) fail_msg("no particle ended by %d", (int)ends[kind]);
    even_out(&got, &want);
    record_compare(&got, &want, kind == 0 ? 1e-4 : 1e-10); /* after two steps their lengths show */
    record_free(&got);
    record_free(&want);
  }
}

/* ---- reports, stops, failures -------------------------------------------------------------------------------------- */

typedef struct flown {
  held_field field;
  flight f;
} flown;

static fg_code fly_again(void *what, fg_status *st)
{
  flown *f = what;
  return shim->ops->ensemble(shim, shim->threads, &f->field.field, &f->f.request, st);
}

static void test_failures(void **state)
{
  static const fault faults[] = {
      {"cublasDgemm", "cublasDgemm (", 7, 0, FG_FAILED},
      {"fg_wide_ensemble_kernel", "did not launch", 700, 0, FG_FAILED},
      {"cudaStreamBeginCapture", "cudaStreamBeginCapture", 900, 0, FG_FAILED},
      {"cudaStreamEndCapture", "cudaStreamEndCapture", 901, 0, FG_FAILED},
      {"cudaGraphInstantiate", "cudaGraphInstantiate", 999, 0, FG_FAILED},
      {"cudaGraphInstantiate", "", 2, 0, SLOW ? FG_MEMORY : FG_OK}, /* one tile at once of two would do */
      {"cudaGraphLaunch", "cudaGraphLaunch", 700, 0, FG_FAILED},
      {"cudaMemcpyAsync", "cudaMemcpyAsync", 700, 0, FG_FAILED},
  };
  static record out;
  volatile sig_atomic_t stop = 0;
  const fg_progress progress = {note, "ode", &stop};
  flown f = {.field = field_open(shim, &fields[0])};
  (void)state;
  flight_open(shim, &fields[0], FG_DOUBLE, 20, NULL, 0, 0, &f.f);
  f.f.request.max_steps = 2;
  f.f.request.progress = &progress;
  MUST(fly_again(&f, ST));
  assert_true(reported == 20);
  f.f.request.progress = NULL;
  faults_are_told(faults, sizeof faults / sizeof *faults, fly_again, &f);
  f.f.request.progress = &progress;
  stop = 1;
  assert_int_equal(fly_again(&f, NULL), FG_INTERRUPTED);
  flight_close(shim, &f.f, &out);
  record_free(&out);
  field_close(shim, &f.field);
}

static int setup(void **state)
{
  flight_rtol = 1e-3; /* few steps */
  if (SLOW) flight_steps = 2;
  shim_processors(SLOW ? 1 : 2); /* waves of so many tiles, 16 places each, that are taken again */
  return open_engines(state);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields), cmocka_unit_test(test_places),
                                     cmocka_unit_test(test_order), cmocka_unit_test(test_lost),
                                     cmocka_unit_test(test_failures)};
  return cmocka_run_group_tests(tests, setup, close_engines);
}

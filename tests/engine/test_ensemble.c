/* needs: kernels cuda_on_cpu */
/* Particles along the ODE by steps of their own: the engines cpu, cpu-check and the CUDA kernels run by the shim do the
 * same, a particle alone the same as in company, and all of them what small steps of right-hand sides give. */
#include "support/ensemble_run.h"
#include "support/shim_engines.h"

static const size_t sizes[] = {SLOW ? 19 : 1, 70};
enum { SIZES = SLOW ? 1 : 2 };

static const field_case fields[] = {
    {.name = "isotropic", .d = 2, .components = 9, .isotropic = 1},
    {.name = "full, perturbed", .d = 5, .components = 3, .epsilon = 0.3},
    CONTROL_FIELD("bridge", FG_GELU, 1, 20, 30),
    SOFTPLUS_FIELD("softplus", 2, 40, 33),
    NOISE_FIELD("noise", 48, 30),
    FOURIER_FIELD("fourier", 24),
};
enum { FIELDS = sizeof fields / sizeof *fields };

static void test_engines(void **state)
{
  (void)state;
  static record want, got;
  for (size_t f = 0; f < FIELDS; f++)
    for (int precision = 0; precision < PRECISIONS; precision++)
      for (size_t s = 0; s < SIZES; s++) {
        const int with_log_p = (f + s) % 2 == 0, forward = s % 2 == 1;
        if (precision == FG_SINGLE && f % 2 == 1) continue; /* each kind once */
        fly(cpu, &fields[f], (fg_precision)precision, sizes[s], NULL, with_log_p, forward, &want);
        fly(check, &fields[f], (fg_precision)precision, sizes[s], NULL, with_log_p, forward, &got);
        record_compare(&got, &want, 0);
        record_free(&got);
        fly(shim, &fields[f], (fg_precision)precision, sizes[s], NULL, with_log_p, forward, &got);
        flight_compare(&got, &want, (fg_precision)precision, &fields[f], 2e-3);
        for (size_t i = 0; !SLOW && i < sizes[s]; i++) {
          assert_true(got.values[END][i] == FG_ENSEMBLE_ARRIVED);
          assert_true(got.values[TIME][i] == (forward ? 1.7 : 0.1));
        }
        record_free(&got);
        record_free(&want);
      }
}

/* Bins add up to the counts, and counts are 2 for the start and 6 for every step, good or not. */
static void test_counts(void **state)
{
  (void)state;
  if (SLOW) skip();
  static record out;
  const size_t n = 100;
  fly(cpu, &fields[0], FG_DOUBLE, n, NULL, 1, 0, &out);
  double steps = 0, rhs = 0, failed = 0, bin_steps = 0, bin_rhs = 0;
  for (size_t i = 0; i < n; i++) {
    const double *counts = out.values[COUNTS] + i * FG_ENSEMBLE_COUNTS;
    assert_true(counts[2] == 2 + 6 * (counts[0] + counts[1]));
    steps += counts[0], failed += counts[1], rhs += counts[2];
  }
  for (size_t k = 0; k < 2; k++)
    for (size_t b = 0; b < BINS; b++) {
      bin_steps += out.values[BIN][2 * k * BINS + b];
      bin_rhs += out.values[BIN][(2 * k + 1) * BINS + b];
    }
  assert_true(bin_steps == steps && bin_rhs == rhs && failed > 0);
  record_free(&out);
}

static void test_alone(void **state)
{
  (void)state;
  enum { COMPANY = 70 };
  if (SLOW) skip();
  static record all, one;
  fg_engine *const engines[] = {cpu, shim};
  for (int k = 0; k < 2; k++)
    for (size_t f = 0; f < FIELDS; f += engines[k] == shim ? 3 : 1) {
      const size_t d = (size_t)fields[f].d;
      case_state = 77;
      double *x = draws(COMPANY * d, 2);
      fly(engines[k], &fields[f], FG_DOUBLE, COMPANY, x, 0, 0, &all);
      for (size_t i = 0; i < COMPANY; i += 67) {
        fly(engines[k], &fields[f], FG_DOUBLE, 1, x + i * d, 0, 0, &one);
        assert_memory_equal(one.values[X], all.values[X] + i * d, d * sizeof(double));
        assert_memory_equal(one.values[COUNTS], all.values[COUNTS] + i * FG_ENSEMBLE_COUNTS,
                            FG_ENSEMBLE_COUNTS * sizeof(double));
        record_free(&one);
      }
      record_free(&all);
      free(x);
    }
}

static void fly_70(const void *c, record *out)
{
  fly(shim, c, FG_DOUBLE, 70, NULL, 1, 0, out);
}

/* Threads have ranges of one tile, one thread has a range of four whose places are taken again; blocks and threads of the
 * kernel run in another order: the same bits. */
static void test_order(void **state)
{
  (void)state;
  static record first, other;
  fg_engine *wide = NULL;
  if (SLOW) skip();
  MUST(fg_engine_open("cpu", 3, &wide, ST));
  fly(cpu, &fields[0], FG_DOUBLE, 200, NULL, 1, 0, &first);
  fly(wide, &fields[0], FG_DOUBLE, 200, NULL, 1, 0, &other);
  record_compare(&other, &first, 0);
  record_free(&other);
  record_free(&first);
  fg_engine_close(&wide);
  same_in_any_order(fly_70, &fields[2], 2);
}

/* Ranges of 128 particles, whose places are taken again and again, against ranges of 64 on three devices: the same bits. */
static void test_ranges(void **state)
{
  enum { N = SLOW ? 512 : 600 };
  static record first, other;
  fg_engine *three = NULL;
  (void)state;
  if (SLOW) flight_steps = 1;
  flight_rtol = 1e-4;
  fly(shim, &fields[5], FG_DOUBLE, N, NULL, !SLOW, 0, &first);
  if (SLOW) { /* no race, no overrun */
    record_free(&first);
    return;
  }
  begin_on(3);
  MUST(fg_cuda_engine_open(1, &three, ST));
  fly(three, &fields[5], FG_DOUBLE, N, NULL, 1, 0, &other);
  took_part(3);
  fg_engine_close(&three);
  shim_devices(1, PLENTY);
  record_compare(&other, &first, 0);
  record_free(&other);
  fly(cpu, &fields[5], FG_DOUBLE, N, NULL, 1, 0, &other);
  flight_compare(&first, &other, FG_DOUBLE, &fields[5], 2e-3);
  record_free(&other);
  record_free(&first);
  flight_rtol = 1e-6;
}

/* y += h k, on the host. */
static void rhs_at(fg_engine *e, const fg_field *field, size_t n, size_t length, double t, const double *y,
                   double *k)
{
  fg_ode_request r;
  memset(&r, 0, sizeof r);
  r.n = n;
  r.coeff = coeff_at(t);
  r.with_log_p = 1;
  guarded in = guarded_open(e, length * 8, y), out = guarded_open(e, length * 8, NULL);
  r.y = in.inner;
  r.dy = out.inner;
  MUST(e->ops->ode_rhs(e, field, &r, ST));
  guarded_close(e, &in, NULL);
  guarded_close(e, &out, k);
}

/* The classical method of order 4 with 400 steps of 0.004 through the slot ode_rhs: far below the tolerance where the
 * field is smooth. The bridge's divergence jumps where a clip sets in, and both are off there. */
static void test_reference(void **state)
{
  (void)state;
  enum { N = 20, STEPS = 400 };
  static record out;
  if (SLOW) skip();
  for (size_t f = 0; f < FIELDS; f++) {
    const size_t d = (size_t)fields[f].d, length = N * (d + 1);
    held_field h = field_open(cpu, &fields[f]);
    case_state = 21; /* as flight_open draws */
    double *x = draws(N * d, 2), *l = draws(N, 1), *y = malloc(length * 8), *z = malloc(length * 8);
    double *k = malloc(length * 8), *sum = malloc(length * 8);
    assert_true(y && z && k && sum);
    memcpy(y, x, N * d * 8);
    memcpy(y + N * d, l, N * 8);
    const double step = -1.6 / STEPS, node[4] = {0, 0.5, 0.5, 1}, share[4] = {1, 2, 2, 1};
    for (int s = 0; s < STEPS; s++) {
      memcpy(z, y, length * 8);
      memset(sum, 0, length * 8);
      for (int q = 0; q < 4; q++) {
        rhs_at(cpu, &h.field, N, length, 1.7 + step * (s + node[q]), z, k);
        for (size_t i = 0; i < length; i++) {
          sum[i] += share[q] * k[i];
          if (q < 3) z[i] = y[i] + step * node[q + 1] * k[i];
        }
      }
      for (size_t i = 0; i < length; i++) y[i] += step / 6 * sum[i];
    }
    field_close(cpu, &h);
    fly(cpu, &fields[f], FG_DOUBLE, N, NULL, 1, 0, &out);
    double worst = 0;
    for (size_t i = 0; i < N * d; i++) worst = fmax(worst, fabs(out.values[X][i] - y[i]) / (1 + fabs(y[i])));
    for (size_t i = 0; i < N; i++)
      worst = fmax(worst, fabs(out.values[LOG_P][i] - y[N * d + i]) / (1 + fabs(y[N * d + i])));
    print_message("%s: off by %.2g of rtol 1e-6\n", fields[f].name, worst / 1e-6);
    assert_true(worst < (fields[f].guide ? 2e-3 : 50e-6)); /* 4.3e-4 and 2.8e-6 seen */
    record_free(&out);
    free(x), free(l), free(y), free(z), free(k), free(sum);
  }
}

/* ---- particles that do not arrive ------------------------------------------------------------------------------ */

static void lost_on(fg_engine *e)
{
  enum { N = 5 };
  static record out;
  held_field h = field_open(e, &fields[0]);
  flight f;
  double x[2 * N] = {0.5, 1, 1e200, 0, -1, 2, 0, 1e200, 0.3, 0.3};
  /* too few steps: all stop on the way, where they are by then */
  flight_open(e, &fields[0], FG_DOUBLE, N, NULL, 1, 0, &f);
  f.request.max_steps = 3;
  MUST(e->ops->ensemble(e, e->threads, &h.field, &f.request, ST));
  flight_close(e, &f, &out);
  for (int i = 0; i < N; i++) {
    assert_true(out.values[END][i] == FG_ENSEMBLE_STEPS && out.values[COUNTS][3 * i] == 3);
    assert_true(out.values[TIME][i] < 1.7 && out.values[TIME][i] > 0.1);
    assert_memory_equal(out.values[KEPT] + (SNAPSHOTS - 1) * 2 * N + 2 * i, out.values[X] + 2 * i, 16);
    assert_true(out.values[KEPT_LOG_P][(SNAPSHOTS - 1) * N + i] == out.values[LOG_P][i]);
  }
  record_free(&out);
  /* squares overflow: no right-hand side at the start. The others are not disturbed */
  flight_open(e, &fields[0], FG_DOUBLE, N, x, 1, 0, &f);
  MUST(e->ops->ensemble(e, e->threads, &h.field, &f.request, ST));
  flight_close(e, &f, &out);
  for (int i = 0; i < N; i++) {
    const int bad = i == 1 || i == 3;
    assert_true(out.values[END][i] == (bad ? FG_ENSEMBLE_NOT_FINITE : FG_ENSEMBLE_ARRIVED));
    assert_true(out.values[TIME][i] == (bad ? 1.7 : 0.1));
    if (bad) assert_memory_equal(out.values[X] + 2 * i, x + 2 * i, 16);
    for (int k = 0; bad && k < SNAPSHOTS; k++)
      assert_memory_equal(out.values[KEPT] + k * 2 * N + 2 * i, x + 2 * i, 16);
  }
  record_free(&out);
  /* steps that may not be as short as the tolerance asks */
  flight_open(e, &fields[0], FG_DOUBLE, N, NULL, 0, 0, &f);
  f.request.least_step = 0.3;
  MUST(e->ops->ensemble(e, e->threads, &h.field, &f.request, ST));
  flight_close(e, &f, &out);
  int kinds = 0;
  for (int i = 0; i < N; i++) kinds |= out.values[END][i] == FG_ENSEMBLE_SHORT;
  assert_true(kinds);
  record_free(&out);
  /* up to the pin, where a is infinite: as far as times resolve */
  flight_open(e, &fields[0], FG_DOUBLE, N, NULL, 0, 1, &f);
  f.request.process.kind = FG_NOISING_PINNED;
  f.request.process.pin = f.request.t1;
  MUST(e->ops->ensemble(e, e->threads, &h.field, &f.request, ST));
  flight_close(e, &f, &out);
  for (int i = 0; i < N; i++) {
    assert_true(out.values[END][i] == FG_ENSEMBLE_NOT_FINITE || out.values[END][i] == FG_ENSEMBLE_SHORT);
    assert_true(out.values[TIME][i] > 1.699 && out.values[TIME][i] < 1.7 && isfinite(out.values[X][2 * i]));
  }
  record_free(&out);
  field_close(e, &h);
}

static void test_lost(void **state)
{
  (void)state;
  if (SLOW) skip();
  lost_on(cpu);
  lost_on(shim);
}

/* ---- refusals, stops, failures of the device ---------------------------------------------------------------------- */

static void test_requests(void **state)
{
  (void)state;
  fg_engine *const engines[] = {cpu, shim};
  static record out;
  for (int k = 0; k < 2; k++) {
    fg_engine *e = engines[k];
    volatile sig_atomic_t stop = 0;
    const fg_progress progress = {note, "ode", &stop};
    held_field h = field_open(e, &fields[0]);
    flight f;
    flight_open(e, &fields[0], FG_DOUBLE, 70, NULL, 0, 0, &f);
    const fg_ensemble_request good = f.request;
    f.request.rtol = 1;
    assert_int_equal(e->ops->ensemble(e, NULL, &h.field, &f.request, NULL), FG_USAGE);
    f.request = good;
    f.request.t1 = f.request.t0;
    assert_int_equal(e->ops->ensemble(e, NULL, &h.field, &f.request, NULL), FG_USAGE);
    f.request = good;
    f.request.max_steps = 0;
    assert_int_equal(e->ops->ensemble(e, NULL, &h.field, &f.request, NULL), FG_USAGE);
    f.request = good;
    f.request.n = 0;
    MUST(e->ops->ensemble(e, NULL, &h.field, &f.request, ST));
    f.request = good;
    f.request.progress = &progress;
    reported = 0;
    MUST(e->ops->ensemble(e, NULL, &h.field, &f.request, ST));
    assert_true(reported == 70);
    stop = 1;
    assert_int_equal(e->ops->ensemble(e, NULL, &h.field, &f.request, NULL), FG_INTERRUPTED);
    if (e == shim) {
      const long before = shim_live();
      fg_status st = {0};
      f.request = good;
      shim_fail("fg_ensemble_kernel", 700);
      assert_int_equal(e->ops->ensemble(e, NULL, &h.field, &f.request, &st), FG_FAILED);
      assert_non_null(strstr(st.message, "kernel ensemble (2 blocks"));
      assert_non_null(strstr(st.message, "did not launch"));
      shim_fail("cudaMemcpyAsync", 700);
      assert_int_equal(e->ops->ensemble(e, NULL, &h.field, &f.request, &st), FG_FAILED);
      assert_int_equal(shim_live(), before);
    }
    flight_close(e, &f, &out);
    record_free(&out);
    field_close(e, &h);
  }
}

static int setup(void **state)
{
  if (SLOW) flight_steps = 2;
  MUST(fg_engine_open("cpu-check", 1, &check, ST));
  return open_engines(state);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_engines),  cmocka_unit_test(test_counts), cmocka_unit_test(test_alone),
      cmocka_unit_test(test_order),    cmocka_unit_test(test_lost),   cmocka_unit_test(test_reference),
      cmocka_unit_test(test_requests), cmocka_unit_test(test_ranges),
  };
  return cmocka_run_group_tests(tests, setup, close_engines);
}

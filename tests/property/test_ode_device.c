/* needs: flow cuda_on_cpu */
/* The ODE on the CUDA engine, run on the CPU by the shim: particles stay on the device from start to end. */
#include "cuda_on_cpu/shim.h"

#include "support/exact_case.h"

#if defined __SANITIZE_THREAD__ || defined SHIM_CHECKED /* slow */
enum { N = 2, OWN = 1, TIGHT = 4 };
#else
enum { N = 120, OWN = 50, TIGHT = 4 };
#endif
enum { D = 2, LOOSE = 2, STATE = N * (D + 1) * sizeof(double) };
static const double t_end = 0.01;

typedef struct device_case {
  exact_case exact;  /* on the CPU: starts and reference */
  fg_engine *engine; /* the shim's */
  fg_model *model;
  double x[D * N], log_p[N];
  fg_flow_report report;
  shim_copies copied; /* by the last run */
} device_case;

static void device_open_on(device_case *c, int devices, int threads)
{
  fg_status st;
  exact_open(&c->exact, "cpu", 1, FG_TARGET_GMM9, 0, FG_PROCESS_OU, N);
  shim_devices(devices, (size_t)1 << 30);
  exact_ok(fg_cuda_engine_open(threads, &c->engine, &st), &st);
  exact_ok(fg_model_exact(c->engine, c->exact.target, c->exact.process, &c->model, &st), &st);
}

static void device_open(device_case *c)
{
  device_open_on(c, 1, 1);
}

static void device_close(device_case *c)
{
  fg_model_destroy(&c->model);
  fg_engine_close(&c->engine);
  exact_close(&c->exact);
  assert_int_equal(shim_live(), 0);
}

static fg_code device_try(device_case *c, const fg_ode_settings *set, const fg_snapshots *kept, fg_status *st)
{
  memcpy(c->log_p, c->exact.log_p0, sizeof c->log_p);
  return fg_flow_ode(c->model, set, N, c->exact.x0, c->exact.horizon, t_end, c->x, c->log_p, kept, NULL,
                     &c->report, st);
}

static void device_run(device_case *c, const fg_ode_settings *set, const fg_snapshots *kept)
{
  fg_status st;
  const shim_copies before = shim_copied();
  exact_ok(device_try(c, set, kept, &st), &st);
  const shim_copies after = shim_copied();
  c->copied = (shim_copies){after.from - before.from, after.from_bytes - before.from_bytes,
                            after.to - before.to, after.to_bytes - before.to_bytes};
}

static fg_ode_settings with(fg_ode_method method, double rtol)
{
  fg_ode_settings set;
  fg_ode_defaults(&set);
  set.method = method;
  set.rtol = rtol;
  set.atol = 1e-2 * rtol;
  return set;
}

/* One CVODE carries them all. Up go the starts; down come the ends and, for each reduction, one number. */
static void test_cvode_copies(void **state)
{
  (void)state;
  static device_case c;
  device_open(&c);
  for (int method = 0; method < 2; method++) {
    uint64_t steps = 0;
    for (int digits = LOOSE; digits <= TIGHT; digits += TIGHT - LOOSE) {
      const fg_ode_settings set = with(method ? FG_ODE_BDF : FG_ODE_ADAMS, pow(10, -digits));
      device_run(&c, &set, NULL);
      print_message("%s: %llu steps, %llu + %llu bytes in %llu + %llu copies\n", method ? "bdf" : "adams",
                    (unsigned long long)c.report.steps, (unsigned long long)c.copied.to_bytes,
                    (unsigned long long)c.copied.from_bytes, (unsigned long long)c.copied.to,
                    (unsigned long long)c.copied.from);
      assert_int_equal(c.report.tiles, 1);
      assert_int_equal(c.report.lost, 0);
      assert_true(c.report.steps > steps);
      steps = c.report.steps;
      assert_int_equal(c.copied.to_bytes, STATE);
      /* x and log_p come as two copies, all others are single numbers */
      assert_int_equal(c.copied.from_bytes, STATE + sizeof(double) * (c.copied.from - 2));
      assert_true(c.copied.from > steps);
    }
  }
  device_close(&c);
}

/* The integrator on the device: nothing on the way, whatever the tolerance. */
static void test_ensemble_copies(void **state)
{
  (void)state;
  static device_case c;
  device_open(&c);
  shim_copies first = {0, 0, 0, 0};
  uint64_t steps = 0;
  for (int digits = LOOSE; digits <= TIGHT; digits += TIGHT - LOOSE) {
    const fg_ode_settings set = with(FG_ODE_DOPRI5, pow(10, -digits));
    device_run(&c, &set, NULL);
    assert_int_equal(c.report.tiles, N);
    assert_int_equal(c.report.lost, 0);
    assert_true(c.report.steps > steps);
    steps = c.report.steps;
    assert_int_equal(c.copied.to_bytes, STATE);
    if (digits == LOOSE) first = c.copied;
    assert_memory_equal(&c.copied, &first, sizeof first);
  }
  device_close(&c);
}

static double worst(size_t n, const double *got, const double *want)
{
  double most = 0;
  for (size_t i = 0; i < n; i++) most = fmax(most, fabs(got[i] - want[i]) / (1 + fabs(want[i])));
  return most;
}

/* The same ends as on the CPU: with the same tile the same steps, else to a multiple of the tolerance. */
static void test_same_ends(void **state)
{
  (void)state;
  static device_case c;
  device_open(&c);
  for (int method = 0; method < 3; method++) {
    fg_ode_settings set = with((fg_ode_method)method, pow(10, -TIGHT));
    for (int own = 0; own < 2; own++) {
      fg_flow_report want;
      set.tile = own ? OWN : 0; /* the user's tile rules */
      device_run(&c, &set, NULL);
      if (!own && method != FG_ODE_DOPRI5) set.tile = N;
      exact_run(&c.exact, &set, t_end, &want);
      assert_int_equal(c.report.tiles, method == FG_ODE_DOPRI5 ? N : own ? (N + OWN - 1) / OWN : 1);
      assert_int_equal(c.report.tile, method == FG_ODE_DOPRI5 ? 1 : own ? OWN : 65536);
      assert_int_equal(c.report.tiles, want.tiles);
      const double off = fmax(worst(D * N, c.x, c.exact.x1), worst(N, c.log_p, c.exact.log_p1));
      print_message("method %d, tile %zu: off by %.2g, %llu and %llu steps\n", method, c.report.tile, off,
                    (unsigned long long)c.report.steps, (unsigned long long)want.steps);
      /* sums in another order: a step may pass here and fail there, and a particle on a ridge magnifies that */
      assert_true(off < 1e-2);
      assert_true(fabs((double)c.report.steps - (double)want.steps) <= 0.02 * (double)want.steps);
    }
  }
  device_close(&c);
}

/* States on the way are the only ones that come down. */
static void test_snapshots(void **state)
{
  (void)state;
  enum { TIMES = 3 };
  static double x[TIMES * D * N], log_p[TIMES * N];
  static device_case c;
  const double t[TIMES] = {5, 0.5, t_end};
  const fg_snapshots kept = {TIMES, t, x, log_p};
  device_open(&c);
  for (int method = 0; method < 3; method += 2) {
    const fg_ode_settings set = with((fg_ode_method)method, pow(10, -TIGHT));
    device_run(&c, &set, NULL);
    const shim_copies without = c.copied;
    device_run(&c, &set, &kept);
    assert_int_equal(c.copied.from_bytes, without.from_bytes + TIMES * STATE);
    assert_int_equal(c.copied.to_bytes, without.to_bytes + (method ? TIMES * sizeof(double) : 0));
    assert_memory_equal(x + (TIMES - 1) * D * N, c.x, sizeof c.x);
    assert_memory_equal(log_p + (TIMES - 1) * N, c.log_p, sizeof c.log_p);
  }
  device_close(&c);
}

/* Tiles are spread over devices, each with the field and the vectors of its own tiles: the bits of one device. */
static void test_devices(void **state)
{
  (void)state;
  static device_case first, c;
  for (int method = 0; method < 2; method++) {
    fg_ode_settings set = with(method ? FG_ODE_BDF : FG_ODE_ADAMS, pow(10, -LOOSE));
    set.tile = OWN;
    for (int devices = 1; devices <= 3; devices++) {
      device_case *to = devices == 1 ? &first : &c;
      device_open_on(to, devices, 2);
      const long copies = shim_calls("cudaMemcpyPeerAsync");
      device_run(to, &set, NULL);
      assert_true((shim_calls("cudaMemcpyPeerAsync") > copies) == (devices > 1));
      device_close(to);
      if (devices == 1) continue;
      assert_memory_equal(c.x, first.x, sizeof c.x);
      assert_memory_equal(c.log_p, first.log_p, sizeof c.log_p);
      assert_int_equal(c.report.steps, first.report.steps);
      assert_int_equal(c.report.rhs_evaluations, first.report.rhs_evaluations);
    }
  }
  shim_devices(1, (size_t)1 << 30);
}

/* A device without room for the field is left out; what fails otherwise is said, late as it may be met. */
static void test_failures(void **state)
{
  (void)state;
  static const struct {
    const char *call, *says;
    int after;
  } faults[] = {{"cudaMemcpyPeerAsync", "cudaMemcpyPeerAsync of ", 0},
                {"fg_ode_kernel", "the kernel ode_rhs (", 3},
                {"fg_map_kernel", "the kernel vector map (", 9},
                {"fg_reduce_kernel", "the kernel vector reduce (", 9},
                {"cudaStreamSynchronize", "particles in 2 dimensions: cudaStream", 20},
                {"cudaStreamSynchronize", "was launched: cuda", 100}};
  static device_case c;
  fg_ode_settings set = with(FG_ODE_ADAMS, pow(10, -LOOSE));
  set.tile = OWN;
  device_open_on(&c, 2, 1);
  device_run(&c, &set, NULL);
  const long live = shim_live(), copies = shim_calls("cudaMemcpyPeerAsync");
  static double x[D * N];
  memcpy(x, c.x, sizeof x);
  fg_status st = {0};
  for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
    shim_fail_after(faults[k].call, 700, faults[k].after);
    const fg_code rc = device_try(&c, &set, NULL, &st);
    if (rc != FG_FAILED || !strstr(st.message, faults[k].says) ||
        !strstr(st.message, "(700): try --engine cpu"))
      fail_msg("%s after %d: %d, %s", faults[k].call, faults[k].after, (int)rc, rc ? st.message : "");
    assert_int_equal(shim_live(), live);
    device_run(&c, &set, NULL);
    assert_memory_equal(c.x, x, sizeof x);
  }
  device_close(&c);
  device_open_on(&c, 2, 1);
  const long later = shim_calls("cudaMemcpyPeerAsync");
  assert_true(later > copies + 1);
  shim_fail_times("cudaMalloc", 2, 0, 2);
  device_run(&c, &set, NULL);
  assert_memory_equal(c.x, x, sizeof x);
  /* at most a first small array of the field went there, into memory that the opening of the engine had left */
  assert_in_range(shim_calls("cudaMemcpyPeerAsync"), later, later + 1);
  device_close(&c);
  shim_devices(1, (size_t)1 << 30);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cvode_copies), cmocka_unit_test(test_ensemble_copies),
      cmocka_unit_test(test_same_ends),    cmocka_unit_test(test_snapshots),
      cmocka_unit_test(test_devices),      cmocka_unit_test(test_failures)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

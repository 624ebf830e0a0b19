/* needs: train cuda_on_cpu */
/* Particles shared by several devices, each with memory of its own (the shim): the bits of one. Watched, a kernel that
 * touches memory of another device ends the test. */
#include "support/shim_engines.h"

#include "support/objective_case.h"
#include "support/points_run.h"

enum { MOST_DEVICES = 3, N = SLOW ? 140 : 330, STEP = 1 + SLOW };

static const field_case fields[] = {
    {.name = "mixture", .d = 5, .components = 3, .epsilon = 0.3},
    {.name = "isotropic", .d = 2, .components = 9, .isotropic = 1},
    SOFTPLUS_FIELD("network", 2, 20, 33),
    CONTROL_FIELD("control", FG_GELU, 1, 20, 30),
};
enum { FIELDS = sizeof fields / sizeof *fields };

static void test_fields(void **state)
{
  static const walk_case walks[] = {{1, 2, 1, 0, 0, 0.5}, {1, 0, 0, 1, 0, 0}};
  static record first, other;
  (void)state;
  for (size_t f = 0; f < FIELDS; f++)
    for (int devices = 1; devices <= MOST_DEVICES; devices += STEP) {
      record *to = devices == 1 ? &first : &other;
      const fg_precision precision = f % 2 ? FG_SINGLE : FG_DOUBLE;
      fg_engine *e = NULL;
      begin_on(devices);
      to->pieces = 0;
      to->of = fields[f].name;
      MUST(fg_cuda_engine_open(1, &e, ST));
      for (int shared = 0; shared < 2; shared++) run_evaluate(e, &fields[f], precision, N, shared, to);
      for (size_t k = 0; k < sizeof walks / sizeof *walks; k++)
        run_simulate(e, &fields[f], precision, N, &walks[k], to);
      fg_engine_close(&e);
      took_part(devices);
      if (devices > 1) {
        record_compare(&other, &first, 0);
        record_free(&other);
      }
      if (devices == MOST_DEVICES) record_free(&first);
    }
}

static void test_objectives(void **state)
{
  static const objective_shape shapes[] = {{.name = "funnel",
                                            .d = 3,
                                            .form = FG_VECTOR,
                                            .hidden = {7, 30},
                                            .activation = FG_GELU,
                                            .frequencies = 7,
                                            .embedding = 33,
                                            .density = FG_DENSITY_FUNNEL,
                                            .method = FG_TRAIN_DDS,
                                            .integrator = FG_TRAIN_EXPONENTIAL},
                                           {.name = "potential",
                                            .d = 3,
                                            .form = FG_POTENTIAL,
                                            .hidden = {20, 33},
                                            .activation = FG_GELU,
                                            .frequencies = 7,
                                            .embedding = 33,
                                            .density = FG_DENSITY_WELLS,
                                            .method = FG_TRAIN_DDS}};
  (void)state;
  for (int objective = 0; objective < 4; objective += STEP) {
    objective_answer first, other;
    const objective_plan p = {.objective = (fg_objective)objective,
                              .form = (fg_path_form)(objective % 2),
                              .precision = (fg_precision)(objective / 2),
                              .n = N,
                              .tile = 32,
                              .group = objective == FG_OBJECTIVE_LOG_VARIANCE_TRAJECTORY ? 2 : N,
                              .first = 5,
                              .limit = objective ? (double)INFINITY : 1.5};
    for (int devices = 1; devices <= MOST_DEVICES; devices += STEP) {
      begin_on(devices);
      other = objective_run("cuda-on-cpu", 1, &shapes[objective % 2], &p);
      took_part(devices);
      if (devices == 1) {
        first = other;
        continue;
      }
      objective_same_bits(&first, &other, "devices");
      assert_int_equal(first.lost, other.lost);
      objective_free(&other);
    }
    objective_free(&first);
  }
}

static void points_on(const points_shape *shape, fg_point_loss kind, fg_precision precision, size_t n,
                      size_t group)
{
  static points_outcome first, other;
  for (int devices = 1; devices <= MOST_DEVICES; devices += STEP) {
    points_outcome *to = devices == 1 ? &first : &other;
    begin_on(devices);
    points_run("cuda-on-cpu", 1, shape, kind, precision, 0, n, group, 1, to);
    took_part(devices);
    if (devices == 1) continue;
    assert_memory_equal(first.packed, other.packed, first.bytes);
    assert_memory_equal(first.value, other.value, n * sizeof *first.value);
    assert_memory_equal(&first.loss, &other.loss, sizeof first.loss);
    free(other.packed);
  }
  free(first.packed);
}

static void test_points(void **state)
{
  (void)state;
  points_on(&points_potential, FG_LOSS_DENOISING, FG_DOUBLE, 2 * N, 1);
  points_on(&points_embedded, FG_LOSS_CENTRED, FG_SINGLE, 80, 20);
  points_on(&points_vector, FG_LOSS_SCORE_RESIDUAL, FG_DOUBLE, N, 1);
}

/* Both kinds of sums over pairs, of one sample and of two. */
static void pairs_on(fg_engine *e, int within, record *out)
{
  enum { D = 3, COLUMNS = 2, M = 90 };
  case_state = 5;
  guarded x = guarded_draws(e, N * D, 2), y = guarded_draws(e, M * D, 2);
  guarded a = guarded_draws(e, N * COLUMNS, 1), b = guarded_draws(e, M * COLUMNS, 1);
  guarded log_b = guarded_draws(e, M, 1), g = guarded_draws(e, M, 1);
  guarded to = guarded_draws(e, N, 1), mean = guarded_open(e, N * sizeof(double), NULL);
  fg_pair_sums_request r;
  memset(&r, 0, sizeof r);
  r.kernel = FG_PAIR_GAUSSIANS;
  r.bandwidth = 1;
  r.within = within;
  r.n = N;
  r.m = within ? 0 : M;
  r.d = D;
  r.columns = COLUMNS;
  r.x = x.inner;
  r.a = a.inner;
  if (!within) r.y = y.inner;
  if (!within) r.b = b.inner;
  r.sums = record_room(out, "sums", COLUMNS);
  MUST(e->ops->pair_sums(e, e->threads, &r, ST));
  fg_softmin_request s;
  memset(&s, 0, sizeof s);
  s.n = N;
  s.m = M;
  s.d = D;
  s.epsilon = 0.5;
  s.euclidean = within;
  s.x = x.inner;
  s.y = y.inner;
  s.log_b = log_b.inner;
  s.g = g.inner;
  s.guess = s.out = to.inner;
  s.mean = mean.inner;
  MUST(e->ops->softmin(e, e->threads, &s, ST));
  record_take(out, "softmin", e, &to);
  record_take(out, "mean", e, &mean);
  guarded *const rest[] = {&x, &y, &a, &b, &log_b, &g};
  for (int k = 0; k < 6; k++) guarded_close(e, rest[k], NULL);
}

static void test_pairs(void **state)
{
  static record first, other;
  (void)state;
  for (int devices = 1; devices <= MOST_DEVICES; devices += STEP) {
    record *to = devices == 1 ? &first : &other;
    fg_engine *e = NULL;
    begin_on(devices);
    to->pieces = 0;
    MUST(fg_cuda_engine_open(1, &e, ST));
    for (int within = 0; within < 2; within++) pairs_on(e, within, to);
    fg_engine_close(&e);
    took_part(devices);
    if (devices == 1) continue;
    record_compare(&other, &first, 0);
    record_free(&other);
  }
  record_free(&first);
}

/* ---- which devices ------------------------------------------------------------------------------- */

static const char *listed(fg_engine **e)
{
  MUST(fg_cuda_engine_open(1, e, ST));
  return fg_engine_devices(*e);
}

static void test_choice(void **state)
{
  fg_engine *e = NULL;
  fg_status st;
  (void)state;
  shim_devices(3, PLENTY);
  assert_string_equal(listed(&e),
                      "0 the CPU, by tests/cuda_on_cpu, sm_80, 1.0 of 1.0 GiB free, driver for CUDA 13.0\n"
                      "1 the CPU, by tests/cuda_on_cpu, sm_80, 1.0 of 1.0 GiB free, driver for CUDA 13.0\n"
                      "2 the CPU, by tests/cuda_on_cpu, sm_80, 1.0 of 1.0 GiB free, driver for CUDA 13.0\n");
  fg_engine_close(&e);
  setenv("FLOWGAP_CUDA_DEVICES", "2", 1);
  assert_non_null(
      strstr(listed(&e), "2 the CPU, by tests/cuda_on_cpu, sm_80, 1.0 GiB not used: 2 asked for, driver"));
  fg_engine_close(&e);
  setenv("FLOWGAP_CUDA_DEVICES", "no", 1);
  assert_int_equal(fg_cuda_engine_open(1, &e, &st), FG_USAGE);
  assert_string_equal(st.message, "FLOWGAP_CUDA_DEVICES is \"no\": give how many devices to use, 1 or more");
  unsetenv("FLOWGAP_CUDA_DEVICES");
  shim_fail_after("fg_map_kernel", 209, 1); /* the second has no code of this build */
  assert_non_null(
      strstr(listed(&e), "1 the CPU, by tests/cuda_on_cpu, sm_80, 1.0 GiB not used: the kernel vector map"));
  assert_non_null(
      strstr(fg_engine_devices(e), "2 the CPU, by tests/cuda_on_cpu, sm_80, 1.0 of 1.0 GiB free"));
  static record out;
  out.pieces = 0;
  begin_on(3);
  run_evaluate(e, &fields[0], FG_DOUBLE, N, 0, &out);
  took_part(2);
  record_free(&out);
  fg_engine_close(&e);
}

/* Anything that fails on another device fails the call, says which, and leaves nothing behind. */
static void test_failures(void **state)
{
  static const struct {
    const char *call, *says;
    int after;
  } faults[] = {{"cudaMemcpyPeerAsync", "cudaMemcpyPeerAsync of ", 0},
                {"cudaMemcpyPeerAsync", "cudaMemcpyPeerAsync of ", 11},
                {"cudaSetDevice", "cudaSetDevice", 1},
                {"fg_evaluate_kernel", "kernel evaluate", 1}};
  enum { D = 5 };
  fg_engine *e = NULL;
  (void)state;
  shim_devices(3, PLENTY);
  MUST(fg_cuda_engine_open(1, &e, ST));
  held_field h = field_open(e, &fields[0]);
  guarded x = guarded_draws(e, N * D, 1), score = guarded_open(e, N * D * sizeof(double), NULL);
  fg_coeff coeff = coeff_at(0.5);
  fg_evaluate_request r;
  memset(&r, 0, sizeof r);
  r.n = N;
  r.shared_time = 1;
  r.coeff = &coeff;
  r.x = x.inner;
  r.score = score.inner;
  const long live = shim_live();
  for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
    fg_status st;
    shim_fail_after(faults[k].call, 700, faults[k].after);
    const fg_code rc = e->ops->evaluate(e, e->threads, &h.field, &r, &st);
    if (rc != FG_FAILED || !strstr(st.message, faults[k].says) ||
        !strstr(st.message, "(700): try --engine cpu"))
      fail_msg("%s after %d: %d, %s", faults[k].call, faults[k].after, (int)rc, rc ? st.message : "");
    assert_int_equal(shim_live(), live);
  }
  MUST(e->ops->evaluate(e, e->threads, &h.field, &r, ST));
  guarded_close(e, &x, NULL);
  guarded_close(e, &score, NULL);
  field_close(e, &h);
  fg_engine_close(&e);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fields), cmocka_unit_test(test_objectives), cmocka_unit_test(test_points),
      cmocka_unit_test(test_pairs),  cmocka_unit_test(test_choice),     cmocka_unit_test(test_failures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: model */
/* Every slot of the CPU engines: guard words around each buffer, sizes 1, 7, 64, 1000; cpu and cpu-check
 * bit for bit; float against double; each instruction set against the others. */
#include "support/model_case.h"

#include "engine.h"
#include "model/model.h"
#include "sde/coeff.h"

enum { GUARD = 8, BUFFERS = 16, MOST = 1000 };
static const double guard_value = 12345.678;
static const size_t sizes[] = {1, 7, 64, 1000};

/* Buffers with guards of one engine. */
typedef struct guarded {
  fg_engine *engine;
  fg_buf whole[BUFFERS];
  size_t count;
} guarded;

/* A buffer of n doubles between two guards; from NULL leaves it as the engine made it. */
static fg_buf make(guarded *g, size_t n, const double *from)
{
  fg_engine *e = g->engine;
  fg_buf *whole = &g->whole[g->count++], inside;
  double words[GUARD];
  for (int i = 0; i < GUARD; i++) words[i] = guard_value;
  CASE_OK(e->ops->alloc(e, (n + 2 * GUARD) * sizeof(double), whole, &case_status));
  CASE_OK(e->ops->upload(e, *whole, 0, words, sizeof words, &case_status));
  CASE_OK(e->ops->upload(e, *whole, (n + GUARD) * sizeof(double), words, sizeof words, &case_status));
  inside.device = (void *)((uintptr_t)whole->device + sizeof words);
  inside.bytes = n * sizeof(double);
  if (from) CASE_OK(e->ops->upload(e, inside, 0, from, inside.bytes, &case_status));
  return inside;
}

static void take(guarded *g, fg_buf buf, double *to)
{
  CASE_OK(g->engine->ops->download(g->engine, to, buf, 0, buf.bytes, &case_status));
}

/* Check all guards and free everything. */
static void finish(guarded *g)
{
  fg_engine *e = g->engine;
  for (size_t i = 0; i < g->count; i++) {
    double words[2 * GUARD];
    size_t side = GUARD * sizeof(double);
    CASE_OK(e->ops->download(e, words, g->whole[i], 0, side, &case_status));
    CASE_OK(e->ops->download(e, words + GUARD, g->whole[i], g->whole[i].bytes - side, side, &case_status));
    for (int j = 0; j < 2 * GUARD; j++) assert_true(words[j] == guard_value);
    e->ops->free(e, &g->whole[i]);
    assert_null(g->whole[i].device);
  }
  g->count = 0;
}

static void fill(double *x, size_t n, double size, uint64_t salt)
{
  for (size_t i = 0; i < n; i++) x[i] = size * case_number(i, salt);
}

/* Everything the work slots give for n particles of a model, in one row of numbers. */
enum { PER = 7 + 4 + 3 + 6 + 4 + 4 }; /* numbers per particle in d = 2, below */

static size_t evaluate_slot(const model_case *c, fg_precision precision, size_t n, double *out)
{
  guarded g = {.engine = c->engine};
  static double x[2 * MOST], v[2 * MOST];
  static fg_coeff coeff[MOST];
  fg_evaluate_request r = {.precision = precision, .n = n, .coeff = coeff};
  fill(x, 2 * n, 6, 1);
  fill(v, 2 * n, 1, 2);
  for (size_t i = 0; i < n; i++) coeff[i] = fg_process_coeff(c->process, 0.1 + 0.8 * (double)i / (double)n);
  r.x = make(&g, 2 * n, x);
  r.direction = make(&g, 2 * n, v);
  r.phi = make(&g, n, NULL);
  r.phi_t = make(&g, n, NULL);
  r.divergence = make(&g, n, NULL);
  r.score = make(&g, 2 * n, NULL);
  r.jvp = make(&g, 2 * n, NULL);
  CASE_OK(
      c->engine->ops->evaluate(c->engine, c->engine->threads, fg_model_field(c->model), &r, &case_status));
  take(&g, r.phi, out);
  take(&g, r.phi_t, out + n);
  take(&g, r.divergence, out + 2 * n);
  take(&g, r.score, out + 3 * n);
  take(&g, r.jvp, out + 5 * n);
  finish(&g);
  return 7 * n;
}

static size_t simulate_slot(const model_case *c, fg_precision precision, double lambda, size_t n, double *out)
{
  guarded g = {.engine = c->engine};
  static double x[2 * MOST], l[MOST];
  static const size_t nodes[2] = {0, 5};
  fg_coeff coeff[9];
  fg_simulate_request r = {.precision = precision, .n = n, .tile = 64, .seed = 3, .first = 17, .stream = 1};
  fill(x, 2 * n, 2, 3);
  fill(l, n, 2, 4);
  for (int k = 0; k < 9; k++) coeff[k] = fg_process_coeff(c->process, 1 - 0.1 * k);
  r.scheme = lambda > 0 ? 0 : 1;
  r.lambda = lambda;
  r.last_step_noise = 1;
  r.steps = 8;
  r.coeff = coeff;
  r.x = make(&g, 2 * n, x);
  r.lost_step = make(&g, (n + 1) / 2, NULL); /* int32 */
  r.snapshots = 2;
  r.snapshot_step = nodes;
  r.snapshot_x = make(&g, 4 * n, NULL);
  if (lambda == 0) {
    r.log_p = make(&g, n, l);
    r.snapshot_log_p = make(&g, 2 * n, NULL);
  }
  CASE_OK(
      c->engine->ops->simulate(c->engine, c->engine->threads, fg_model_field(c->model), &r, &case_status));
  take(&g, r.x, out);
  take(&g, r.snapshot_x, out + 2 * n);
  for (size_t i = 0; i < 2 * n; i++) /* node 0 is the start */
    assert_true(fabs(out[2 * n + i] - x[i]) <= (precision == FG_SINGLE ? 1e-6 : 0));
  int32_t lost[MOST];
  CASE_OK(c->engine->ops->download(c->engine, lost, r.lost_step, 0, n * sizeof *lost, &case_status));
  for (size_t i = 0; i < n; i++) assert_int_equal(lost[i], -1);
  size_t used = 6 * n;
  if (lambda == 0) {
    take(&g, r.log_p, out + used);
    take(&g, r.snapshot_log_p, out + used + n);
    used += 3 * n;
  }
  finish(&g);
  return used;
}

static size_t ode_slots(const model_case *c, fg_precision precision, size_t n, double *out)
{
  guarded g = {.engine = c->engine};
  static double y[3 * MOST], v[3 * MOST];
  fg_ode_request r = {.precision = precision, .n = n, .with_log_p = 1};
  fill(y, 3 * n, 4, 5);
  fill(v, 3 * n, 1, 6);
  r.coeff = fg_process_coeff(c->process, 0.4);
  r.y = make(&g, 3 * n, y);
  r.dy = make(&g, 3 * n, NULL);
  r.v = make(&g, 3 * n, v);
  r.jv = make(&g, 3 * n, NULL);
  CASE_OK(c->engine->ops->ode_rhs(c->engine, fg_model_field(c->model), &r, &case_status));
  CASE_OK(c->engine->ops->ode_jvp(c->engine, fg_model_field(c->model), &r, &case_status));
  take(&g, r.dy, out);
  take(&g, r.jv, out + 3 * n);
  for (size_t i = 0; i < n; i++) assert_true(out[5 * n + i] == 0);
  finish(&g);
  return 6 * n;
}

static size_t all_slots(const model_case *c, fg_precision precision, size_t n, double *out)
{
  size_t used = evaluate_slot(c, precision, n, out);
  used += simulate_slot(c, precision, 1, n, out + used);
  used += simulate_slot(c, precision, 0, n, out + used);
  used += ode_slots(c, precision, n, out + used);
  assert_true(used <= PER * n);
  for (size_t i = 0; i < used; i++) assert_true(isfinite(out[i]));
  return used;
}

static double answers_a[PER * MOST], answers_b[PER * MOST];

static void open_case(model_case *c, const char *engine, int threads)
{
  fg_target *target;
  fg_perturbation h;
  fg_perturbation_defaults(&h);
  case_target(FG_TARGET_GMM9, &target);
  case_open(c, engine, threads, FG_PROCESS_OU, target, &h);
}

static void check_engine_gives_the_same_bits(void **state)
{
  (void)state;
  model_case a, b;
  open_case(&a, "cpu", 1);
  open_case(&b, "cpu-check", 2);
  for (size_t s = 0; s < 4; s++)
    for (int precision = 0; precision < 2; precision++) {
      size_t used = all_slots(&a, (fg_precision)precision, sizes[s], answers_a);
      assert_int_equal(all_slots(&b, (fg_precision)precision, sizes[s], answers_b), used);
      assert_memory_equal(answers_a, answers_b, used * sizeof(double));
    }
  case_close(&a);
  case_close(&b);
}

/* Largest difference relative to 1 + size of the larger. */
static double difference(size_t used)
{
  double most = 0;
  for (size_t i = 0; i < used; i++) {
    double e = fabs(answers_a[i] - answers_b[i]) / (1 + fabs(answers_a[i]));
    most = e > most ? e : most;
  }
  return most;
}

/* Eight steps and a second derivative between modes amplify the rounding of float (6e-8); seen: 5e-6. */
static void float_is_near_double(void **state)
{
  (void)state;
  model_case c;
  open_case(&c, "cpu", 1);
  for (size_t s = 0; s < 4; s++) {
    size_t used = all_slots(&c, FG_DOUBLE, sizes[s], answers_a);
    all_slots(&c, FG_SINGLE, sizes[s], answers_b);
    double e = difference(used);
    if (!(e < 5e-5 && e > 0)) fail_msg("%zu particles: float differs from double by %g", sizes[s], e);
  }
  case_close(&c);
}

static void instruction_sets_agree(void **state)
{
  (void)state;
  static const char *isas[] = {"baseline", "avx2", "avx512"};
  model_case c;
  for (size_t i = 0; i < 3; i++)
    for (size_t s = 0; s < 4; s++)
      for (int precision = 0; precision < 2; precision++) {
        fg_engine *probe = NULL;
        setenv("FLOWGAP_ISA", isas[i], 1);
        fg_code rc = fg_engine_open("cpu", 1, &probe, &case_status);
        if (rc == FG_UNSUPPORTED || rc == FG_USAGE) { /* this processor, or this build, lacks it */
          print_message("not run here: %s\n", case_status.message);
          unsetenv("FLOWGAP_ISA");
          continue;
        }
        assert_int_equal(rc, FG_OK);
        assert_string_equal(fg_engine_isa(probe), isas[i]);
        fg_engine_close(&probe);
        open_case(&c, "cpu", 1);
        unsetenv("FLOWGAP_ISA");
        all_slots(&c, (fg_precision)precision, sizes[s], answers_b);
        case_close(&c);
        open_case(&c, "cpu", 1);
        size_t used = all_slots(&c, (fg_precision)precision, sizes[s], answers_a);
        case_close(&c);
        /* same operations, contracted or not: rounding amplified as above; seen: 4e-6 and 1.1e-14 */
        double limit = precision == FG_SINGLE ? 5e-5 : 1e-13, e = difference(used);
        if (!(e < limit)) fail_msg("%s, %zu particles: differs by %g", isas[i], sizes[s], e);
      }
  setenv("FLOWGAP_ISA", "mmx", 1);
  fg_engine *none = NULL;
  assert_int_equal(fg_engine_open("cpu", 1, &none, &case_status), FG_USAGE);
  unsetenv("FLOWGAP_ISA");
}

/* ode_rhs and ode_jvp against the evaluated model: dx/dt = -a x - g^2/2 s. */
static void ode_slots_follow_the_model(void **state)
{
  (void)state;
  enum { N = 100 };
  model_case c;
  static double y[3 * N], v[3 * N], s[2 * N], jvp[2 * N], div[N], got[6 * N];
  open_case(&c, "cpu", 1);
  fg_coeff k = fg_process_coeff(c.process, 0.4);
  fill(y, 3 * N, 4, 5);
  fill(v, 3 * N, 1, 6);
  fg_evaluation out = {.score = s, .divergence = div, .direction = v, .jvp = jvp};
  CASE_OK(fg_model_evaluate(c.model, FG_DOUBLE, N, &k.t, 1, y, &out, &case_status));
  ode_slots(&c, FG_DOUBLE, N, got);
  for (size_t i = 0; i < 2 * N; i++) {
    assert_true(fabs(got[i] - (-k.a * y[i] - k.g2 / 2 * s[i])) <= 1e-14 * (1 + fabs(s[i])));
    assert_true(fabs(got[3 * N + i] - (-k.a * v[i] - k.g2 / 2 * jvp[i])) <= 1e-13 * (1 + fabs(jvp[i])));
  }
  for (size_t i = 0; i < N; i++)
    assert_true(fabs(got[2 * N + i] - (2 * k.a + k.g2 / 2 * div[i])) <= 1e-13 * (1 + fabs(div[i])));
  case_close(&c);
}

static void vector_maps(guarded *g, size_t n, const double *x, const double *y)
{
  static double z[MOST];
  fg_engine *e = g->engine;
  fg_buf bx = make(g, n, x), by = make(g, n, y), bz = make(g, n, NULL), none = {NULL, 0};
  for (int op = FG_VEC_LINEAR; op <= FG_VEC_ADD; op++) {
    bool two = op == FG_VEC_LINEAR || op == FG_VEC_PROD || op == FG_VEC_DIV;
    CASE_OK(e->ops->vec_map(e, (fg_vec_map)op, n, 1.5, op == FG_VEC_CONST ? none : bx, -0.25, two ? by : none,
                            bz));
    take(g, bz, z);
    for (size_t i = 0; i < n; i++) {
      const double truth[] = {1.5 * x[i] - 0.25 * y[i],
                              1.5,
                              x[i] * y[i],
                              x[i] / y[i],
                              1.5 * x[i],
                              fabs(x[i]),
                              1 / x[i],
                              x[i] + 1.5};
      assert_true(fabs(z[i] - truth[op]) <= 4e-16 * (fabs(truth[op]) + 2));
    }
  }
  CASE_OK(e->ops->vec_map(e, FG_VEC_SCALE, n, 3, bx, 0, none, bx)); /* in place */
  take(g, bx, z);
  for (size_t i = 0; i < n; i++) assert_true(z[i] == 3 * x[i]);
  finish(g);
}

static void vector_reductions(guarded *g, size_t n, double *x, const double *y)
{
  fg_engine *e = g->engine;
  fg_buf bx = make(g, n, x), by = make(g, n, y), none = {NULL, 0};
  long double dot = 0, square = 0, most = 0, least = INFINITY, norm = 0, norm_tail = 0;
  size_t d = 2, rows = n / 3;
  for (size_t i = 0; i < n; i++) {
    dot += (long double)x[i] * y[i];
    square += (long double)x[i] * y[i] * x[i] * y[i];
    most = fmaxl(most, fabsl((long double)x[i]));
    least = fminl(least, (long double)x[i]);
  }
  for (size_t i = 0; i < rows; i++) {
    long double sum = 0;
    for (size_t j = 0; j < d; j++) sum += powl((long double)x[i * d + j] * y[i * d + j], 2);
    norm = fmaxl(norm, sum / (long double)d);
    sum += powl((long double)x[rows * d + i] * y[rows * d + i], 2);
    norm_tail = fmaxl(norm_tail, sum / (long double)(d + 1));
  }
  double size = (double)n;
  assert_true(fabsl(e->ops->vec_reduce(e, FG_VEC_DOT, n, bx, by) - dot) <= 1e-15L * size);
  assert_true(fabsl(e->ops->vec_reduce(e, FG_VEC_WRMS, n, bx, by) - sqrtl(square / size)) <= 1e-14L);
  assert_true(e->ops->vec_reduce(e, FG_VEC_MAX_NORM, n, bx, none) == (double)most);
  assert_true(e->ops->vec_reduce(e, FG_VEC_MIN, n, bx, none) == (double)least);
  assert_true(fabsl(e->ops->vec_particle_norm(e, rows, d, 0, bx, by) - sqrtl(norm)) <= 1e-15L);
  assert_true(fabsl(e->ops->vec_particle_norm(e, rows, d, 1, bx, by) - sqrtl(norm_tail)) <= 1e-15L);
  x[n / 2] = NAN; /* must show, wherever it stands */
  CASE_OK(e->ops->upload(e, bx, 0, x, n * sizeof *x, &case_status));
  assert_true(isnan(e->ops->vec_reduce(e, FG_VEC_DOT, n, bx, by)));
  assert_true(isnan(e->ops->vec_reduce(e, FG_VEC_WRMS, n, bx, by)));
  assert_true(isnan(e->ops->vec_reduce(e, FG_VEC_MAX_NORM, n, bx, none)));
  assert_true(isnan(e->ops->vec_reduce(e, FG_VEC_MIN, n, bx, none)));
  if (rows > n / 6 && rows > 0) assert_true(e->ops->vec_particle_norm(e, rows, d, 1, bx, by) == HUGE_VAL);
  finish(g);
}

static void vectors(void **state)
{
  (void)state;
  static const char *engines[] = {"cpu", "cpu-check"};
  static double x[MOST], y[MOST];
  for (int which = 0; which < 2; which++) {
    guarded g = {0};
    CASE_OK(fg_engine_open(engines[which], 1, &g.engine, &case_status));
    for (size_t s = 0; s < 4; s++) {
      fill(x, sizes[s], 1, 7);
      fill(y, sizes[s], 1, 8);
      vector_maps(&g, sizes[s], x, y);
      vector_reductions(&g, sizes[s], x, y);
    }
    fg_engine_close(&g.engine);
  }
}

static void memory(void **state)
{
  (void)state;
  static const char *engines[] = {"cpu", "cpu-check"};
  for (int which = 0; which < 2; which++) {
    fg_engine *e;
    fg_buf buf, none = {NULL, 0};
    double x[10], y[10];
    fill(x, 10, 1, 1);
    CASE_OK(fg_engine_open(engines[which], 1, &e, &case_status));
#ifndef FG_ON_CUDA
    assert_string_equal(fg_engine_name(e), engines[which]);
#endif
    CASE_OK(e->ops->alloc(e, sizeof x, &buf, &case_status));
    CASE_OK(e->ops->download(e, y, buf, 0, sizeof y, &case_status));
#ifndef FG_ON_CUDA
    for (int i = 0; i < 10 && which == 1; i++) assert_true(isnan(y[i]));
#endif
    CASE_OK(e->ops->upload(e, buf, 16, x, 64, &case_status));
    CASE_OK(e->ops->download(e, y, buf, 24, 56, &case_status));
    assert_memory_equal(x + 1, y, 56);
    CASE_OK(e->ops->zero(e, buf, &case_status));
    CASE_OK(e->ops->sync(e, &case_status));
    CASE_OK(e->ops->download(e, y, buf, 0, sizeof y, &case_status));
    for (int i = 0; i < 10; i++) assert_true(y[i] == 0);
    assert_int_equal(e->ops->upload(e, buf, 8, x, sizeof x, &case_status), FG_FAILED);
    assert_int_equal(e->ops->download(e, y, buf, SIZE_MAX, 8, &case_status), FG_FAILED);
    assert_int_equal(e->ops->alloc(e, SIZE_MAX / 2, &none, &case_status), FG_MEMORY);
    e->ops->free(e, &none);
    e->ops->free(e, &buf);
    fg_engine_close(&e);
    assert_null(e);
  }
  fg_engine *cuda = NULL;
  fg_code rc = fg_engine_open("cuda", 1, &cuda, &case_status);
  if (rc != FG_OK) {
    assert_int_equal(rc, FG_UNSUPPORTED);
    assert_non_null(strstr(case_status.message, "--engine cpu"));
  }
  fg_engine_close(&cuda);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(check_engine_gives_the_same_bits),
      cmocka_unit_test(float_is_near_double),
      cmocka_unit_test(instruction_sets_agree),
      cmocka_unit_test(ode_slots_follow_the_model),
      cmocka_unit_test(vectors),
      cmocka_unit_test(memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

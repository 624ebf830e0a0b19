/* needs: train cuda_on_cpu */
/* Paths and gradients of objectives of wide networks on the CUDA engine, run on the CPU by the shim, against the engine cpu:
 * every objective and form, like and unlike widths, lost paths, orders of blocks and threads. */
#include "support/shim_cases.h"

#include "support/bridge_case.h"

static const objective_shape shapes[] = {
    {.name = "like widths",
     .d = 2,
     .form = FG_VECTOR,
     .hidden = {129, 129, 129},
     .activation = FG_GELU,
     .frequencies = 3,
     .embedding = 9,
     .density = FG_DENSITY_WELLS,
     .method = FG_TRAIN_DDS},
    {.name = "unlike widths",
     .d = 3,
     .form = FG_VECTOR,
     .hidden = {200, 20, 30},
     .activation = FG_TANH,
     .frequencies = 2,
     .embedding = 9,
     .density = FG_DENSITY_FUNNEL,
     .method = FG_TRAIN_PIS},
    {.name = "one layer",
     .d = 1,
     .form = FG_VECTOR,
     .hidden = {256},
     .activation = FG_SILU,
     .frequencies = 1,
     .embedding = 5,
     .density = FG_DENSITY_WELLS},
    {.name = "potential",
     .d = 3,
     .form = FG_POTENTIAL,
     .hidden = {132, 140},
     .activation = FG_GELU,
     .frequencies = 3,
     .embedding = 9,
     .density = FG_DENSITY_WELLS,
     .method = FG_TRAIN_DDS},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, OBJECTIVES = 4 };
enum { PROCESSORS = 4 }; /* of the shim's device: a wave has as many tiles, or more */

static const size_t sizes[] = {SLOW ? 20 : 2, 40};
enum { SIZES = SLOW ? 1 : 2 };

/* As in test_cuda_objective.c. */
static const double tolerance[2] = {1e-11, 2e-3};

static objective_plan plan_of(fg_objective objective, fg_path_form form, fg_precision precision, size_t n)
{
  return (objective_plan){.objective = objective,
                          .form = form,
                          .precision = precision,
                          .n = n,
                          .tile = 32,
                          .group = objective == FG_OBJECTIVE_LOG_VARIANCE_TRAJECTORY ? 2 : n,
                          .first = 5,
                          .limit = (double)INFINITY};
}

static void test_objectives(void **state)
{
  (void)state;
  for (size_t s = 0; s < SHAPES; s++)
    for (int objective = 0; objective < OBJECTIVES; objective++)
      for (size_t k = 0; k < SIZES; k++) {
        objective_plan p = plan_of((fg_objective)objective, (fg_path_form)((s + k) % 2),
                                   (fg_precision)((s / 2 + k + (size_t)objective) % PRECISIONS), sizes[k]);
        objective_answer a = objective_run("cuda-on-cpu", 1, &shapes[s], &p);
        objective_answer b = objective_run("cpu", 2, &shapes[s], &p);
        char name[100];
        snprintf(name, sizeof name, "%s, objective %d, %zu paths", shapes[s].name, objective, sizes[k]);
        objective_near(&a, &b, tolerance[p.precision], name);
        assert_int_equal(a.lost, b.lost);
        objective_free(&a);
        objective_free(&b);
      }
}

/* Paths that pass a limit are lost, as on the CPU; whole tiles of them too. */
static void test_lost(void **state)
{
  (void)state;
  for (int objective = 0; objective < OBJECTIVES; objective++) {
    objective_plan p = plan_of((fg_objective)objective, FG_FORM_DISCRETE, FG_DOUBLE, 40);
    p.limit = 1.1;
    objective_answer a = objective_run("cuda-on-cpu", 1, &shapes[0], &p);
    objective_answer b = objective_run("cpu", 1, &shapes[0], &p);
    assert_true(b.lost > 5 && b.lost < 40);
    assert_int_equal(a.lost, b.lost);
    assert_int_equal(a.lost_first, b.lost_first);
    objective_near(&a, &b, tolerance[FG_DOUBLE], "lost paths");
    objective_free(&a);
    objective_free(&b);
  }
}

static void test_order(void **state)
{
  (void)state;
  for (int objective = 0; objective < OBJECTIVES; objective += 2) {
    objective_plan p = plan_of((fg_objective)objective, FG_FORM_CONTINUOUS, FG_SINGLE, 40);
    objective_answer a = objective_run("cuda-on-cpu", 1, &shapes[1], &p);
    for (unsigned seed = 2; seed < 4; seed++) {
      shim_shuffle(seed);
      objective_answer b = objective_run("cuda-on-cpu", 1, &shapes[1], &p);
      objective_same_bits(&a, &b, "shuffled");
      objective_free(&b);
    }
    objective_free(&a);
  }
}

/* Waves shared by devices, with sums that come together on the first: the bits of one. Waves are of 3 tiles, 3 and 1, or of 1
 * each. */
static void test_devices(void **state)
{
  (void)state;
  shim_processors(SLOW ? 1 : 2);
  for (int objective = 0; objective < OBJECTIVES; objective += 2) {
    objective_plan p = plan_of((fg_objective)objective, FG_FORM_DISCRETE, FG_DOUBLE, SLOW ? 40 : 110);
    p.limit = objective ? 1.1 : (double)INFINITY;
    objective_answer a = objective_run("cuda-on-cpu", 2, &shapes[objective / 2], &p);
    for (int devices = 2 + SLOW; devices <= 3; devices++) {
      begin_on(devices);
      objective_answer b = objective_run("cuda-on-cpu", 2, &shapes[objective / 2], &p);
      took_part(devices);
      shim_devices(1, PLENTY);
      objective_same_bits(&a, &b, "more devices");
      assert_int_equal(a.lost, b.lost);
      objective_free(&b);
    }
    objective_free(&a);
  }
  shim_processors(PROCESSORS);
}

/* ---- a bridge of two wide controls ------------------------------------------------------------------ */

static bridge wide = {CONTROL(2, FG_VECTOR, 130, 130), NOISING(2, FG_TANH, 140), 20};

/* What one call fills. */
typedef struct bridge_call {
  fg_objective_request request;
  guarded x, lost, rnd[2], to[2];
} bridge_call;

static void call_open(bridge_call *c, fg_engine *e, const setting *s, const objective_plan *p)
{
  double *x0 = objective_starts(&wide.u, p);
  memset(c, 0, sizeof *c);
  c->x = guarded_open(e, p->n * wide.u.d * sizeof *x0, x0);
  c->lost = guarded_open(e, p->n * 4, NULL);
  for (int k = 0; k < 2; k++) {
    c->rnd[k] = guarded_open(e, p->n * sizeof(double), NULL);
    c->to[k] = guarded_open(e, s->packed[k].inner.bytes, NULL);
  }
  fg_objective_request *r = &c->request;
  r->objective = p->objective;
  r->form = p->form;
  r->group = p->group;
  r->paths = (fg_paths_request){.precision = p->precision,
                                .n = p->n,
                                .tile = p->tile,
                                .stream = FG_STREAM_NOISE,
                                .steps = OBJECTIVE_STEPS,
                                .coeff = s->paths.coeff,
                                .step = s->paths.step,
                                .noising = &s->f[1],
                                .continuous = s->paths.ends[FG_FORM_CONTINUOUS],
                                .discrete = s->paths.ends[FG_FORM_DISCRETE],
                                .limit = p->limit,
                                .x = c->x.inner,
                                .rnd = {c->rnd[0].inner, c->rnd[1].inner},
                                .lost_step = c->lost.inner};
  objective_density(&wide.u, &r->paths.target);
  r->gradient = c->to[0].inner;
  r->noising_gradient = c->to[1].inner;
  free(x0);
}

/* The two gradients, one after the other; the caller frees them. */
static double *call_close(bridge_call *c, fg_engine *e)
{
  const size_t bytes[2] = {c->to[0].inner.bytes, c->to[1].inner.bytes};
  double *gradient = malloc(bytes[0] + bytes[1]);
  assert_non_null(gradient);
  guarded_close(e, &c->to[0], gradient);
  guarded_close(e, &c->to[1], gradient + bytes[0] / sizeof *gradient);
  for (int k = 0; k < 2; k++) guarded_close(e, &c->rnd[k], NULL);
  guarded_close(e, &c->x, NULL);
  guarded_close(e, &c->lost, NULL);
  return gradient;
}

/* One call on an engine; the gradients, or NULL when it failed, which is for lack of memory. */
static double *gradients(fg_engine *e, const objective_plan *p, size_t *count, fg_status *st)
{
  bridge_call c;
  setting s;
  setting_open(&s, e, &wide, p, p);
  call_open(&c, e, &s, p);
  const long live = shim_live();
  refuse_begin();
  const fg_code rc = e->ops->objective(e, e->threads, &s.f[0], &c.request, st);
  refuse_end();
  if (rc != FG_OK && rc != FG_MEMORY) fail_msg("%s", st->message);
  assert_true(shim_live() <= live + 1); /* the workspace of cuBLAS stays */
  *count = (s.packed[0].inner.bytes + s.packed[1].inner.bytes) / sizeof(double);
  double *gradient = call_close(&c, e);
  setting_close(&s, e);
  if (rc == FG_OK) return gradient;
  free(gradient);
  return NULL;
}

/* The same on a device of so many bytes; *waves: how often the paths went through all steps. */
static double *gradients_within(size_t bytes, const objective_plan *p, size_t *count, long *waves,
                                fg_status *st)
{
  fg_engine *e = NULL;
  shim_devices(1, bytes);
  MUST(engine_by_name("cuda-on-cpu", 1, &e, ST));
  const long before = shim_calls("cudaGraphLaunch");
  double *gradient = gradients(e, p, count, st);
  *waves = (shim_calls("cudaGraphLaunch") - before) / OBJECTIVE_STEPS;
  fg_engine_close(&e);
  shim_devices(1, PLENTY);
  return gradient;
}

/* On devices of ever fewer bytes a call does its work in smaller waves, and at last fails and gives all back. There are so
 * many paths that the scratch of one wave is larger than what the sum of the gradients needs. */
static void test_short_of_memory(void **state)
{
  (void)state;
  if (SLOW) skip();
  for (int objective = 0; objective < OBJECTIVES; objective += 2) {
    const objective_plan p = plan_of((fg_objective)objective, FG_FORM_DISCRETE, FG_DOUBLE, 480);
    fg_status st = {0};
    fg_engine *e = NULL;
    size_t count;
    long waves = 0;
    MUST(engine_by_name("cpu", 1, &e, ST));
    double *expected = gradients(e, &p, &count, &st);
    fg_engine_close(&e);
    assert_non_null(expected);
    for (size_t bytes = (size_t)43 << 20; waves <= 2; bytes -= (size_t)1 << 20) { /* 32 MiB are cuBLAS's */
      double *gradient = gradients_within(bytes, &p, &count, &waves, &st);
      if (!gradient) fail_msg("in %zu bytes, %ld waves: %s", bytes, waves, st.message);
      near_all(gradient, expected, count, tolerance[FG_DOUBLE], "gradients");
      free(gradient);
    }
    assert_null(gradients_within((size_t)34 << 20, &p, &count, &waves, &st));
    assert_non_null(strstr(st.message, "are free: use fewer particles"));
    free(expected);
  }
}

/* Each allocation in turn finds no memory: the numbers are the same, or it is said what was lacking. Sums of gradients are
 * then fewer, of more waves; what waves and chunks of nodes need is asked for again for fewer of them. */
static void test_refused(void **state)
{
  (void)state;
  if (SLOW) skip();
  for (int objective = 0; objective < OBJECTIVES; objective += 2) {
    const objective_plan p = plan_of((fg_objective)objective, FG_FORM_DISCRETE, FG_DOUBLE, 40);
    shim_processors(objective ? 1 : PROCESSORS); /* waves: three, or one */
    const long before = shim_calls("cudaMalloc");
    long waves, failed = 0;
    size_t count;
    fg_status st = {0};
    double *expected = gradients_within(PLENTY, &p, &count, &waves, &st);
    const long most = shim_calls("cudaMalloc") - before;
    assert_non_null(expected);
    for (refused = 0; refused < most; refused++) {
      double *gradient = gradients_within(PLENTY, &p, &count, &waves, &st);
      if (gradient)
        near_all(gradient, expected, count, tolerance[FG_DOUBLE], "gradients");
      else if (strncmp(st.message, "the kernel ", 11) || !strstr(st.message, "are free: use fewer particles"))
        fail_msg("%s", st.message);
      failed += !gradient;
      free(gradient);
    }
    refused = -1;
    print_message("objective %d: %ld of %ld allocations cannot be refused\n", objective, failed, most);
    if (objective == 0)
      assert_true(failed >= 10 && failed < most);
    else
      assert_int_equal(failed, 0);
    free(expected);
  }
  shim_processors(PROCESSORS);
}

int main(void)
{
  shim_processors(PROCESSORS);
  wide.u.density = FG_DENSITY_WELLS; /* not the user's C, which no device runs */
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_objectives),      cmocka_unit_test(test_lost),
                                     cmocka_unit_test(test_order),           cmocka_unit_test(test_devices),
                                     cmocka_unit_test(test_short_of_memory), cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: train cuda_on_cpu */
/* The CUDA engine's paths and gradients of objectives, run on the CPU by the shim, against the engine cpu: every
 * objective and form, odd shapes of networks, bridges, lost paths, orders of blocks and threads, failures. */
#include "support/shim_cases.h"

#include "support/bridge_case.h"

static const objective_shape shapes[] = {
    {.name = "one layer",
     .d = 1,
     .form = FG_VECTOR,
     .hidden = {32},
     .activation = FG_GELU,
     .frequencies = 1,
     .embedding = 5,
     .density = FG_DENSITY_WELLS},
    {.name = "two panels",
     .d = 3,
     .form = FG_VECTOR,
     .hidden = {7, 100, 90},
     .activation = FG_GELU,
     .frequencies = 7,
     .embedding = 33,
     .density = FG_DENSITY_FUNNEL,
     .method = FG_TRAIN_DDS,
     .integrator = FG_TRAIN_EXPONENTIAL},
    {.name = "pinned",
     .d = 17,
     .form = FG_VECTOR,
     .hidden = {30, 7},
     .activation = FG_TANH,
     .frequencies = 3,
     .embedding = 20,
     .density = FG_DENSITY_WELLS,
     .method = FG_TRAIN_PIS},
    {.name = "potential",
     .d = 3,
     .form = FG_POTENTIAL,
     .hidden = {20, 33},
     .activation = FG_GELU,
     .frequencies = 7,
     .embedding = 33,
     .density = FG_DENSITY_WELLS,
     .method = FG_TRAIN_DDS},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, OBJECTIVES = 4 };

#if defined __SANITIZE_THREAD__ ||                                                                           \
    defined SHIM_CHECKED /* slow: each case once, and less of what only counts bits */
#ifdef SHIM_CHECKED
static const size_t sizes[] = {20};
#else
static const size_t sizes[] = {70};
#endif
enum { FORMS = 1, SHUFFLED = 40, LESS_SHARED = 40 << 10 };
#else
static const size_t sizes[] = {2, 7, 64, 200};
enum { FORMS = 2, SHUFFLED = 140, LESS_SHARED = 10 << 10 };
#endif
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Sums in another order and no fused multiply-adds, through a few steps that amplify: of the largest entry. Measured:
 * below 4e-13 and 2e-4. */
static const double tolerance[2] = {1e-11, 2e-3};

static objective_plan plan_of(fg_objective objective, fg_path_form form, fg_precision precision, size_t n)
{
  return (objective_plan){.objective = objective,
                          .form = form,
                          .precision = precision,
                          .n = n,
                          .tile = 32,
                          .group = objective == FG_OBJECTIVE_LOG_VARIANCE_TRAJECTORY && n % 2 == 0 ? 2 : n,
                          .first = 5,
                          .limit = (double)INFINITY};
}

/* Each shape meets each objective, form, size and precision in some run. */
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

/* A limit that some paths pass: the same are lost, and they have no part in loss and gradient. */
static void test_lost(void **state)
{
  (void)state;
  for (int objective = 0; objective < OBJECTIVES; objective++) {
    objective_plan p = plan_of((fg_objective)objective, FG_FORM_DISCRETE, FG_DOUBLE, 70);
    p.limit = 1.5;
    objective_answer a = objective_run("cuda-on-cpu", 1, &shapes[1], &p);
    objective_answer b = objective_run("cpu", 2, &shapes[1], &p);
    assert_true(b.lost > 5 && b.lost < 65);
    assert_int_equal(a.lost, b.lost);
    assert_int_equal(a.lost_first, b.lost_first);
    objective_near(&a, &b, tolerance[FG_DOUBLE], "lost paths");
    objective_free(&a);
    objective_free(&b);
  }
}

/* Bridges, but for those whose target is the user's C, which no device runs. Where one form has to do, each bridge and
 * each objective meets either in some run. */
static void test_bridges(void **state)
{
  (void)state;
  for (size_t k = 0; k < BRIDGES; k++)
    for (int objective = 0; objective < OBJECTIVES; objective++) {
      bridge b = bridges[k];
      b.u.density = FG_DENSITY_WELLS;
      for (int turn = 0; turn < FORMS; turn++) {
        const int form = ((int)k + objective + turn) % 2;
        objective_plan p =
            plan_of((fg_objective)objective, (fg_path_form)form, FG_DOUBLE, sizes[SIZES - 1] / 2);
        answer a = run("cuda-on-cpu", 1, &b, &p, 1), c = run("cpu", 2, &b, &p, 1);
        near_all(a.rnd + (size_t)form * p.n, c.rnd + (size_t)form * p.n, p.n, 1e-11, "rnd of a bridge");
        for (int g = 0; g < 2; g++)
          near_all(a.gradient[g], c.gradient[g], a.size[g], 1e-10, "gradient of a bridge");
        answer_free(&a);
        answer_free(&c);
      }
    }
}

/* The order in which blocks and threads run is not to be seen, nor where a block keeps its scratch and weights. */
static void test_shuffled(void **state)
{
  (void)state;
  for (int objective = 0; objective < OBJECTIVES; objective += 2) {
    objective_plan p = plan_of((fg_objective)objective, FG_FORM_CONTINUOUS, FG_SINGLE, SHUFFLED);
    objective_answer a = objective_run("cuda-on-cpu", 1, &shapes[1], &p);
    for (unsigned seed = 2; seed < 2 + FORMS; seed++) {
      shim_shuffle(seed);
      objective_answer b = objective_run("cuda-on-cpu", 1, &shapes[1], &p);
      objective_same_bits(&a, &b, "shuffled");
      objective_free(&b);
    }
    for (int limit = 0; limit <= 40 << 10;
         limit += LESS_SHARED) { /* in shared memory: nothing, weights, more */
      shim_shared(limit);
      objective_answer b = objective_run("cuda-on-cpu", 1, &shapes[1], &p);
      shim_shared(232448);
      objective_same_bits(&a, &b, "with less shared memory");
      objective_free(&b);
    }
    objective_free(&a);
  }
}

static double any_density(const void *data, int d, const double *x, double *score)
{
  (void)data;
  for (int j = 0; j < d && score; j++) score[j] = -x[j];
  return -0.5 * x[0] * x[0];
}

/* What fails says which kernel or call it was, and gives all memory back. */
static void test_failures(void **state)
{
  static const char *const calls[] = {"fg_paths_kernel", "fg_objective_kernel", "fg_time_kernel",
                                      "cudaMemcpyAsync", "cudaMemsetAsync"};
  static const char *const said[] = {"paths", "objective", "gradient", "cudaMemcpyAsync", "cudaMemsetAsync"};
  (void)state;
  for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
    bridge b = bridges[0];
    objective_plan p = plan_of(FG_OBJECTIVE_LOG_VARIANCE, FG_FORM_CONTINUOUS, FG_DOUBLE, 64);
    fg_engine *e;
    setting s;
    fg_status st;
    b.u.density = FG_DENSITY_WELLS;
    MUST(engine_by_name("cuda-on-cpu", 1, &e, ST));
    setting_open(&s, e, &b, &p, &p);
    double *x0 = objective_starts(&b.u, &p);
    guarded x = guarded_open(e, p.n * sizeof *x0, x0), lost = guarded_open(e, p.n * 4, NULL);
    guarded rnd[2], to = guarded_open(e, s.packed[0].inner.bytes, NULL);
    for (int f = 0; f < 2; f++) rnd[f] = guarded_open(e, p.n * sizeof *x0, NULL);
    fg_objective_request r = {.objective = p.objective, .form = p.form, .group = p.group};
    r.paths = (fg_paths_request){.n = p.n,
                                 .tile = 32,
                                 .stream = FG_STREAM_NOISE,
                                 .steps = OBJECTIVE_STEPS,
                                 .coeff = s.paths.coeff,
                                 .step = s.paths.step,
                                 .limit = p.limit,
                                 .x = x.inner,
                                 .lost_step = lost.inner};
    objective_density(&b.u, &r.paths.target);
    for (int f = 0; f < 2; f++) r.paths.rnd[f] = rnd[f].inner;
    r.gradient = to.inner;
    const long live = shim_live();
    shim_fail(calls[k], 700);
    assert_int_equal(e->ops->objective(e, e->threads, &s.f[0], &r, &st), FG_FAILED);
    if (!strstr(st.message, said[k])) fail_msg("%s: %s", calls[k], st.message);
    assert_int_equal(shim_live(), live);
    r.paths.target.kind = FG_DENSITY_PLUGIN;
    r.paths.target.as.plugin.call = any_density;
    assert_int_equal(e->ops->objective(e, e->threads, &s.f[0], &r, &st), FG_UNSUPPORTED);
    assert_non_null(strstr(st.message, "--engine cpu"));
    for (int f = 0; f < 2; f++) guarded_close(e, &rnd[f], NULL);
    guarded_close(e, &to, NULL);
    guarded_close(e, &x, NULL);
    guarded_close(e, &lost, NULL);
    setting_close(&s, e);
    free(x0);
    fg_engine_close(&e);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_objectives), cmocka_unit_test(test_lost),
                                     cmocka_unit_test(test_bridges), cmocka_unit_test(test_shuffled),
                                     cmocka_unit_test(test_failures)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

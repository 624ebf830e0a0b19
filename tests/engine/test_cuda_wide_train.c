/* needs: train cuda_on_cpu */
/* Paths and gradients of objectives of wide networks on the CUDA engine, run on the CPU by the shim, against the engine cpu:
 * every objective and form, like and unlike widths, lost paths, orders of blocks and threads. */
#include "cuda_on_cpu/shim.h"

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

#if defined __SANITIZE_THREAD__ || defined SHIM_CHECKED /* slow */
static const size_t sizes[] = {20};
enum { PRECISIONS = 1 };
#else
static const size_t sizes[] = {2, 40};
enum { PRECISIONS = 2 };
#endif
enum { SIZES = sizeof sizes / sizeof *sizes };

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

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_objectives)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

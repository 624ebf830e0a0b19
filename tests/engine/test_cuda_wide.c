/* needs: kernels cuda_on_cpu */
/* Networks too wide for fused kernels on the CUDA engine, run on the CPU by the shim, against the engine cpu: values,
 * right-hand sides of the ODE and simulations, in one wave of tiles and in several, in other orders of blocks and threads,
 * and what fails. */
#include "support/engine_cases.h"

#include "cuda_on_cpu/shim.h"

#if defined __SANITIZE_THREAD__ || defined SHIM_CHECKED /* slow */
static const size_t sizes[] = {20};
enum { PRECISIONS = 1 };
#else
static const size_t sizes[] = {1, 7, 64};
enum { PRECISIONS = 2 };
#endif
enum { SIZES = sizeof sizes / sizeof *sizes };

static fg_engine *cpu, *shim;

/* As in test_cuda_on_cpu.c: sums in another order, those of cuBLAS too. */
static const double tolerance[2] = {1e-12, 5e-4};

static const field_case fields[] = {
    {.name = "one more than fused",
     .network = 1,
     .d = 2,
     .activation = FG_SOFTPLUS,
     .layers = 2,
     .width = {129, 129}},
    {.name = "unlike widths",
     .network = 1,
     .d = 3,
     .activation = FG_SINE,
     .time = FG_TIME_LAST,
     .layers = 3,
     .width = {40, 200, 16}},
    {.name = "vector",
     .network = 1,
     .d = 3,
     .form = FG_VECTOR,
     .activation = FG_GELU,
     .time = FG_TIME_EMBEDDED,
     .output = FG_OUTPUT_NOISE,
     .layers = 2,
     .width = {200, 200}},
    {.name = "one layer",
     .network = 1,
     .d = 1,
     .form = FG_VECTOR,
     .activation = FG_TANH,
     .time = FG_TIME_FOURIER,
     .output = FG_OUTPUT_CONTROL,
     .layers = 1,
     .width = {256}},
    {.name = "control and bridge",
     .network = 1,
     .d = 3,
     .components = 4,
     .form = FG_VECTOR,
     .activation = FG_SILU,
     .time = FG_TIME_EMBEDDED,
     .output = FG_OUTPUT_CONTROL,
     .layers = 2,
     .width = {140, 140},
     .guide = FG_DENSITY_MIXTURE,
     .paired = 1},
    {.name = "control as a potential",
     .network = 1,
     .d = 2,
     .activation = FG_GELU,
     .time = FG_TIME_EMBEDDED,
     .layers = 2,
     .width = {130, 130},
     .guide = FG_DENSITY_WELLS},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static const walk_case walks[] = {{0, 0, 0, 0, 0, 1}, {1, 2, 1, 0, 0, 0.5}, {1, 0, 0, 1, 0, 0}};
enum { WALKS = sizeof walks / sizeof *walks };

static void run_field(fg_engine *e, const field_case *c, fg_precision precision, size_t n, record *out)
{
  out->of = c->name;
  out->pieces = 0;
  for (int shared = 0; shared < 2; shared++) run_evaluate(e, c, precision, n, shared, out);
  for (size_t k = 0; k < WALKS; k++) run_simulate(e, c, precision, n, &walks[k], out);
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

static int setup(void **state)
{
  (void)state;
  MUST(fg_engine_open("cpu", 1, &cpu, ST));
  MUST(fg_cuda_engine_open(1, &shim, ST));
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  fg_engine_close(&cpu);
  fg_engine_close(&shim);
  return shim_live() == 0 && shim_graphs() == 0 ? 0 : -1;
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields)};
  return cmocka_run_group_tests(tests, setup, teardown);
}

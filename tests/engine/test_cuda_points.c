/* needs: model cuda_on_cpu */
/* The CUDA engine's losses at points and its optimiser, run on the CPU by the shim, against the engine cpu. */
#include "support/shim_cases.h"

#include "support/points_run.h"

/* Sums in another order and no fused multiply-adds: of the largest entry. Measured: below 4e-14 and 3e-5. */
static const double tolerance[2] = {1e-12, 1e-3};

static void check(const points_shape *shape, fg_point_loss kind, int probes, size_t n, size_t group)
{
  static points_outcome a, b;
  for (int precision = 0; precision < 2; precision++)
    for (int twice = 0; twice < 2; twice++) {
      points_run("cuda-on-cpu", 1, shape, kind, (fg_precision)precision, probes, n, group, twice, &a);
      points_run("cpu", 2, shape, kind, (fg_precision)precision, probes, n, group, twice, &b);
      near_all(&a.loss, &b.loss, 1, tolerance[precision], "loss");
      near_all(a.value, b.value, n, tolerance[precision], "values");
      near_all(a.packed, b.packed, a.bytes / sizeof(double), tolerance[precision], "gradient");
      free(a.packed);
      free(b.packed);
    }
}

static void test_losses(void **state)
{
#if defined __SANITIZE_THREAD__ || defined SHIM_CHECKED /* slow */
  static const size_t sizes[] = {70};
#else
  static const size_t sizes[] = {1, 7, 64, POINTS_MOST};
#endif
  (void)state;
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    check(&points_potential, FG_LOSS_DENOISING, 0, sizes[k], 1);
    check(&points_potential, FG_LOSS_RESIDUAL, 0, sizes[k], 1);
    check(&points_potential, FG_LOSS_RESIDUAL, 2, sizes[k], 1);
    check(&points_vector, FG_LOSS_SCORE_RESIDUAL, 0, sizes[k], 1);
  }
  check(&points_vector, FG_LOSS_DENOISING, 0, 64, 2);
  check(&points_potential, FG_LOSS_CENTRED, 0, 40, 5);
  check(&points_embedded, FG_LOSS_CENTRED, 0, 80, 40);
  check(&points_embedded, FG_LOSS_RESIDUAL, 1, 21, 7);
}

static void test_shuffled(void **state)
{
  static points_outcome a, b;
  (void)state;
  points_run("cuda-on-cpu", 1, &points_embedded, FG_LOSS_CENTRED, FG_SINGLE, 0, 80, 40, 0, &a);
  shim_shuffle(5);
  points_run("cuda-on-cpu", 1, &points_embedded, FG_LOSS_CENTRED, FG_SINGLE, 0, 80, 40, 0, &b);
  assert_memory_equal(a.packed, b.packed, a.bytes);
  assert_memory_equal(&a.loss, &b.loss, sizeof a.loss);
  free(a.packed);
  free(b.packed);
}

/* Steps of Adam with weight decay, a moving average and a norm that is clipped: the same weights as on the CPU, and the same
 * bits in whatever order blocks and threads run. */
enum { OPTIMISED = 5 };

static void optimised(const char *engine, fg_precision precision, double *weights, double *average,
                      double *norm, size_t *size)
{
  static points_setup s;
  const size_t real = precision == FG_SINGLE ? sizeof(float) : sizeof(double);
  points_setup_open(&s, engine, 1, &points_embedded, 40, 20);
  const fg_field *f = fg_model_field(s.model);
  fg_optimise_request r = {.precision = precision,
                           .rate = 0.01,
                           .beta1 = 0.9,
                           .beta2 = 0.999,
                           .epsilon = 1e-8,
                           .decay = 0.01,
                           .ema = 0.9,
                           .max_norm = 0.5};
  *size = fg_network_pack_size(f);
  fg_buf *bufs[] = {&r.gradient, &r.first, &r.second, &r.average};
  r.weights = precision == FG_SINGLE ? f->as.network.packed_single : f->as.network.packed_double;
  for (size_t i = 0; i < 4; i++) {
    CASE_OK(s.engine->ops->alloc(s.engine, *size * real, bufs[i], &case_status));
    CASE_OK(s.engine->ops->zero(s.engine, *bufs[i], &case_status));
  }
  s.b.r.kind = FG_LOSS_RESIDUAL;
  s.b.r.precision = precision;
  s.b.r.gradient = r.gradient;
  for (r.number = 1; r.number <= OPTIMISED; r.number++) {
    CASE_OK(points_of(&s));
    CASE_OK(s.engine->ops->optimise(s.engine, s.engine->threads, f, &r, &case_status));
    norm[r.number - 1] = r.norm;
  }
  const fg_buf from[2] = {r.weights, r.average};
  double *to[2] = {weights, average};
  for (int k = 0; k < 2; k++) {
    float narrow[POINTS_NUMBERS];
    assert_true(*size <= POINTS_NUMBERS);
    CASE_OK(s.engine->ops->download(s.engine, precision == FG_SINGLE ? (void *)narrow : (void *)to[k],
                                    from[k], 0, *size * real, &case_status));
    for (size_t i = 0; i < *size && precision == FG_SINGLE; i++) to[k][i] = (double)narrow[i];
  }
  for (size_t i = 0; i < 4; i++) s.engine->ops->free(s.engine, bufs[i]);
  points_setup_close(&s);
}

static void test_optimise(void **state)
{
  static double a[2][POINTS_NUMBERS], b[2][POINTS_NUMBERS];
  double norm[3][OPTIMISED];
  size_t size;
  (void)state;
  for (int precision = 0; precision < 2; precision++) {
    optimised("cuda-on-cpu", (fg_precision)precision, a[0], a[1], norm[0], &size);
    optimised("cpu", (fg_precision)precision, b[0], b[1], norm[1], &size);
    for (int k = 0; k < 2; k++)
      near_all(a[k], b[k], size, 10 * tolerance[precision], k ? "average" : "weights");
    near_all(norm[0], norm[1], OPTIMISED, 10 * tolerance[precision], "norm");
    shim_shuffle(7);
    optimised("cuda-on-cpu", (fg_precision)precision, b[0], b[1], norm[2], &size);
    assert_memory_equal(norm[2], norm[0], sizeof norm[0]);
    assert_memory_equal(b[0], a[0], size * sizeof(double));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_losses), cmocka_unit_test(test_shuffled),
                                     cmocka_unit_test(test_optimise)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

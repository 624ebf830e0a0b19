/* needs: train */
/* Gradients of the objectives in odd shapes: dimensions and widths that are no multiples of anything, more than one
 * panel of columns, one to five hidden layers, any activation, tiles that do not divide the batch. Every buffer lies
 * between guard words. What a batch gives may depend neither on the engine nor on how it is cut. */
#include "support/objective_case.h"

static const objective_shape shapes[] = {
    {.name = "one dimension, one layer",
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
     .hidden = {7, 100, 130},
     .activation = FG_GELU,
     .frequencies = 7,
     .embedding = 33,
     .density = FG_DENSITY_FUNNEL,
     .method = FG_TRAIN_DDS,
     .integrator = FG_TRAIN_EXPONENTIAL},
    {.name = "narrow after wide",
     .d = 17,
     .form = FG_VECTOR,
     .hidden = {130, 7},
     .activation = FG_TANH,
     .frequencies = 3,
     .embedding = 100,
     .density = FG_DENSITY_WELLS,
     .method = FG_TRAIN_PIS},
    {.name = "five layers",
     .d = 50,
     .form = FG_VECTOR,
     .hidden = {9, 20, 100, 16, 11},
     .activation = FG_SILU,
     .frequencies = 64,
     .embedding = 64,
     .density = FG_DENSITY_NONE},
    {.name = "more dimensions than lanes of a panel",
     .d = 85,
     .form = FG_VECTOR,
     .hidden = {24},
     .activation = FG_SOFTPLUS,
     .frequencies = 2,
     .embedding = 90,
     .density = FG_DENSITY_WELLS},
    {.name = "potential, two panels",
     .d = 3,
     .form = FG_POTENTIAL,
     .hidden = {100, 130},
     .activation = FG_GELU,
     .frequencies = 7,
     .embedding = 33,
     .density = FG_DENSITY_WELLS,
     .method = FG_TRAIN_DDS},
    {.name = "potential, one layer",
     .d = 17,
     .form = FG_POTENTIAL,
     .hidden = {7},
     .activation = FG_SINE,
     .frequencies = 1,
     .embedding = 3,
     .density = FG_DENSITY_FUNNEL,
     .method = FG_TRAIN_PIS},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, OBJECTIVES = 4 };

#ifdef FG_ON_CUDA /* threads that are fibers take long, and tiles are the engine's own */
static const size_t sizes[] = {1, 7, 20, 70}, tiles[] = {16, 64, 64};
enum { FORMS = 1, TILED = 1, EVERY = 2 };
#else
static const size_t sizes[] = {1, 7, 64, 1000}, tiles[] = {16, 64, 100};
enum { FORMS = 2, TILED = OBJECTIVES, EVERY = 1 };
#endif

/* Each objective, form, size and tile meets each shape in some run; all of them together would take minutes. */
static objective_plan plan_of(size_t shape, size_t size)
{
  const size_t k = shape + size;
  objective_plan p = {.objective = (fg_objective)(k % OBJECTIVES),
                      .form = (fg_path_form)((k / 2 + size) % 2),
                      .n = sizes[size],
                      .tile = tiles[k % 3],
                      .group = 1,
                      .limit = (double)INFINITY};
  if (p.objective == FG_OBJECTIVE_LOG_VARIANCE_TRAJECTORY) {
    p.group = 3;
    p.n += 2 - (p.n + 2) % 3;
  }
  return p;
}

static void test_engines(void **state)
{
  (void)state;
  for (size_t s = 0; s < SHAPES; s++)
    for (size_t size = 0; size < 4; size++)
      for (int precision = 0; precision < 2; precision++) {
        objective_plan p = plan_of(s, size);
        if ((s + size + (size_t)precision) % EVERY) continue;
        p.precision = (fg_precision)precision;
        objective_answer a = objective_run("cpu", 1, &shapes[s], &p);
        objective_answer b = objective_run("cpu-check", 3, &shapes[s], &p);
        objective_same_bits(&a, &b, shapes[s].name);
        objective_free(&a);
        objective_free(&b);
      }
}

/* The tile only changes the order of sums of at most 130 paths: some 1e-15 each, of the largest entry. */
static void test_tiles(void **state)
{
  (void)state;
  for (size_t s = 0; s < SHAPES; s++)
    for (int objective = 0; objective < TILED; objective++) {
      objective_plan p = {.objective = (fg_objective)objective,
                          .form = (fg_path_form)((s + (size_t)objective) % 2),
                          .n = 129,
                          .tile = 16,
                          .group = 3,
                          .limit = (double)INFINITY};
      objective_answer a = objective_run("cpu", 2, &shapes[s], &p);
      for (size_t t = 1; t < 3; t += EVERY) {
        p.tile = tiles[t];
        objective_answer b = objective_run("cpu", 2, &shapes[s], &p);
        assert_memory_equal(a.rnd, b.rnd, 2 * p.n * sizeof *a.rnd);
        objective_near(&a, &b, 1e-12, shapes[s].name);
        objective_free(&b);
      }
      objective_free(&a);
    }
}

/* Steps, a second derivative and differences of large numbers amplify the rounding of float, 6e-8; seen: 3e-5. */
static void test_float(void **state)
{
  (void)state;
  for (size_t s = 0; s < SHAPES; s++)
    for (size_t size = 2; size < 4; size++) {
      objective_plan p = plan_of(s, size);
      if ((s + size) % EVERY) continue;
      objective_answer a = objective_run("cpu", 2, &shapes[s], &p);
      p.precision = FG_SINGLE;
      objective_answer b = objective_run("cpu", 2, &shapes[s], &p);
      objective_near(&a, &b, 5e-4, shapes[s].name);
      objective_free(&a);
      objective_free(&b);
    }
}

/* Limits that some paths pass in each half of the batch, and some do not. */
static const double limits[SHAPES] = {1.7, 1.9, 1.5, 2.9, 3.3, 1.9, 1.5};

/* KL is a mean: with the paths that are kept as weights, two halves of a batch make the whole. */
static void check_halves(const objective_shape *shape, objective_plan p)
{
  enum { FIRST = 37 };
  objective_plan head = p, tail = p;
  head.n = FIRST;
  tail.n = p.n - FIRST;
  tail.first = FIRST;
  objective_answer whole = objective_run("cpu", 2, shape, &p);
  objective_answer a = objective_run("cpu", 2, shape, &head), b = objective_run("cpu", 2, shape, &tail);
  const double kept_a = (double)(head.n - a.lost), kept_b = (double)(tail.n - b.lost), kept = kept_a + kept_b;
  assert_int_equal(whole.lost, a.lost + b.lost);
  if (p.limit < (double)INFINITY) assert_true(a.lost > 0 && b.lost > 0 && kept_a > 0 && kept_b > 0);
  for (int form = 0; form < 2; form++) {
    const double *all = whole.rnd + form * p.n;
    assert_memory_equal(all, a.rnd + form * head.n, head.n * sizeof *all);
    assert_memory_equal(all + FIRST, b.rnd + form * tail.n, tail.n * sizeof *all);
  }
  for (size_t i = 0; i < a.size; i++)
    a.gradient[i] = (kept_a * a.gradient[i] + kept_b * b.gradient[i]) / kept;
  a.loss = (kept_a * a.loss + kept_b * b.loss) / kept;
  a.mean = (kept_a * a.mean + kept_b * b.mean) / kept;
  objective_near(&whole, &a, 1e-12, shape->name);
  objective_free(&whole);
  objective_free(&a);
  objective_free(&b);
}

static void test_halves(void **state)
{
  (void)state;
  for (size_t s = 0; s < SHAPES; s++)
    for (int form = 0; form < 2; form++) {
      objective_plan p = {.objective = form ? FG_OBJECTIVE_KL : FG_OBJECTIVE_KL_ITO,
                          .form = (fg_path_form)form,
                          .n = 101,
                          .tile = 48,
                          .group = 1,
                          .limit = (double)INFINITY};
      check_halves(&shapes[s], p);
      p.limit = limits[s];
      check_halves(&shapes[s], p);
    }
}

/* The gradient of KL along a random direction in the weights, against differences of the loss: truncation is h^2
 * times third derivatives, rounding 1e-14 of the loss over h. */
static void test_differences(void **state)
{
  (void)state;
  const double h = 1e-5;
  for (size_t s = 0; s < SHAPES; s++)
    for (int form = 0; form < FORMS; form++) {
      objective_plan p = {.objective = FG_OBJECTIVE_KL,
                          .form = (fg_path_form)((s + (size_t)form) % 2),
                          .n = 20,
                          .tile = 16,
                          .group = 1,
                          .limit = (double)INFINITY};
      objective_answer a = objective_run("cpu", 1, &shapes[s], &p);
      for (int map = 0; map < OBJECTIVE_PARTS; map++) {
        double size, slope = objective_slope(&a, &shapes[s], map, &size);
        if ((s + (size_t)map) % EVERY) continue;
        p.part = map;
        p.shift = h;
        objective_answer above = objective_run("cpu", 1, &shapes[s], &p);
        p.shift = -h;
        objective_answer below = objective_run("cpu", 1, &shapes[s], &p);
        p.shift = 0;
        const double difference = (above.loss - below.loss) / (2 * h);
        if (!(fabs(difference - slope) <= 1e-5 * size + 1e-7 * (1 + fabs(a.loss))))
          fail_msg("%s, part %d: difference %.12g, gradient %.12g", shapes[s].name, map, difference, slope);
        objective_free(&above);
        objective_free(&below);
      }
      objective_free(&a);
    }
}

/* log rho = 2 log |x| - |x|^2 / 2, whose score has a pole at the origin. */
static double pole(const void *data, int d, const double *x, double *score)
{
  double square = 0;
  (void)data;
  for (int j = 0; j < d; j++) square += x[j] * x[j];
  for (int j = 0; j < d && score; j++) score[j] = 2 * x[j] / square - x[j];
  return log(square) - square / 2;
}

/* Paths that are lost, and the places of a tile that no path fills, add nothing, wherever the density has no score. */
static void test_pole(void **state)
{
  (void)state;
#ifdef FG_ON_CUDA
  skip(); /* no device runs functions of the host */
#endif
  for (int form = FG_POTENTIAL; form <= FG_VECTOR; form++)
    for (int objective = 0; objective < OBJECTIVES; objective++) {
      objective_shape shape = {.name = "pole",
                               .d = 3,
                               .form = (fg_network_form)form,
                               .hidden = {20},
                               .activation = FG_GELU,
                               .frequencies = 3,
                               .embedding = 8,
                               .density = FG_DENSITY_PLUGIN,
                               .call = pole};
      objective_plan p = {
          .objective = (fg_objective)objective, .n = 21, .tile = 16, .group = 3, .limit = 2.5};
      objective_answer a = objective_run("cpu", 1, &shape, &p);
      assert_true(a.lost > 0 && a.lost < p.n);
      for (size_t i = 0; i < a.size; i++)
        if (!isfinite(a.gradient[i])) fail_msg("objective %d: a gradient is %g", objective, a.gradient[i]);
      objective_free(&a);
    }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_engines),     cmocka_unit_test(test_tiles),
                                     cmocka_unit_test(test_float),       cmocka_unit_test(test_halves),
                                     cmocka_unit_test(test_differences), cmocka_unit_test(test_pole)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

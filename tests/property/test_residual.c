/* needs: fokker_planck */
/* The residual of exact models is 0; that of perturbed ones is what differences of Phi say; probes agree with exact
 * derivatives; neither threads nor chunks show. */
#include "support/points_case.h"

enum { GROUP = 25, TIMES = 40, N = GROUP * TIMES };

static void open_kind(model_case *c, size_t d, int threads, fg_process_kind kind, const fg_perturbation *h)
{
  fg_target *target;
  case_mixture m;
  case_mixture_fill(&m, d, 0);
  case_target_mixture(&m, &target);
  case_open(c, "cpu", threads, kind, target, h);
}

/* ---- exact models --------------------------------------------------------------------------- */

static void exact_models_have_none(void **state)
{
  (void)state;
  static const fg_process_kind kinds[] = {FG_PROCESS_OU, FG_PROCESS_VP, FG_PROCESS_VE, FG_PROCESS_BM};
  static const size_t dimensions[] = {1, 2, 5};
  static double x[N * 5], value[N], scale[N], t[TIMES];
  for (size_t kind = 0; kind < 4; kind++)
    for (size_t which = 0; which < 3; which++)
      for (int data = 0; data < 2; data++) {
        model_case c;
        fg_residual_settings how;
        fg_residual_norms all;
        size_t d = dimensions[which];
        open_kind(&c, d, 2, kinds[kind], NULL);
        fg_residual_defaults(&how);
        fg_residual_times(3, TIMES, 1e-3, fg_process_horizon(c.process), t);
        if (data)
          CASE_OK(fg_residual_noised(c.target, c.process, 3, 0, N, GROUP, t, x, &case_status));
        else
          fg_residual_box(3, 0, N, d, 4, x);
        fg_residual_values out = {.value = value, .scale = scale};
        fg_residual_layout layout = {FG_RESIDUAL_LOG, TIMES, GROUP, NULL, false};
        CASE_OK(fg_residual_evaluate(c.model, &how, N, GROUP, t, x, &out, NULL, &case_status));
        CASE_OK(fg_residual_summarise(&layout, &out, &all, NULL, &case_status));
        assert_int_equal(all.points, N);
        /* sums of a few terms of size `scale`, each with a few roundings; far out a mixture loses some digits */
        if (!(all.relative.value < 1e-12)) fail_msg("kind %zu, d %zu: %g", kind, d, all.relative.value);
        assert_true(all.relative.value > 0);
        case_close(&c);
      }
}

/* ---- perturbed models ------------------------------------------------------------------------- */

/* log p_t of N((1, ..), 0.5 I) under dX = -X dt + dW, plus epsilon h, in long double from the definitions. */
static long double potential(size_t d, const fg_perturbation *h, long double t, const long double *x)
{
  long double m = expl(-t), v = 0.5L * m * m + 0.5L * (1 - m * m), square = 0, norm = 0, sum = 0;
  for (size_t j = 0; j < d; j++) {
    square += (x[j] - m) * (x[j] - m);
    norm += x[j] * x[j];
    sum += x[j];
  }
  long double wave = sinl(h->wave * sum / sqrtl((long double)d) + t);
  long double log_p =
      -0.5L * (long double)d * logl(2 * 3.14159265358979323846264338L * v) - 0.5L * square / v;
  return log_p + h->epsilon * expl(-h->decay * t) * expl(-0.5L * norm / h->length / h->length) * wave;
}

/* First and second difference of fourth order along one argument; at < 0: time. */
static void differences(size_t d, const fg_perturbation *h, long double t, long double *x, int at,
                        long double *first, long double *second)
{
  static const long double one[] = {1 / 12.0L, -2 / 3.0L, 0, 2 / 3.0L, -1 / 12.0L};
  static const long double two[] = {-1 / 12.0L, 4 / 3.0L, -5 / 2.0L, 4 / 3.0L, -1 / 12.0L};
  const long double step = 1e-3L;
  *first = *second = 0;
  for (int k = 0; k < 5; k++) {
    long double moved = (k - 2) * step, old = at < 0 ? 0 : x[at];
    if (at >= 0) x[at] += moved;
    long double phi = potential(d, h, at < 0 ? t + moved : t, x);
    if (at >= 0) x[at] = old;
    *first += one[k] * phi / step;
    *second += two[k] * phi / (step * step);
  }
}

static double residual_by_differences(size_t d, const fg_perturbation *h, double t, const double *point)
{
  long double x[CASE_MOST], first, second, sum;
  for (size_t j = 0; j < d; j++) x[j] = point[j];
  differences(d, h, t, x, -1, &sum, &second);
  for (size_t j = 0; j < d; j++) {
    differences(d, h, t, x, (int)j, &first, &second);
    sum += -1 - x[j] * first - 0.5L * (second + first * first);
  }
  return (double)sum;
}

static void perturbed_models_have_the_closed_form(void **state)
{
  (void)state;
  static const size_t dimensions[] = {1, 2, 5};
  static double x[N * 5], value[N], t[TIMES];
  for (size_t which = 0; which < 3; which++) {
    model_case c;
    fg_target_settings s;
    fg_target *target;
    fg_residual_settings how;
    size_t d = dimensions[which];
    fg_perturbation h = {0.7, 1.1, 2.2, 0.8};
    fg_target_defaults(FG_TARGET_GAUSSIAN, &s);
    s.dimension = d;
    s.mean = 1;
    s.variance = 0.5;
    CASE_OK(fg_target_create(&s, &target, &case_status));
    case_open(&c, "cpu", 1, FG_PROCESS_OU, target, &h);
    fg_residual_defaults(&how);
    fg_residual_times(1, TIMES, 0.01, 3, t);
    fg_residual_box(1, 0, N, d, 3, x);
    fg_residual_values out = {.value = value};
    CASE_OK(fg_residual_evaluate(c.model, &how, N, GROUP, t, x, &out, NULL, &case_status));
    double largest = 0;
    for (size_t i = 0; i < N; i++) {
      double expected = residual_by_differences(d, &h, t[i / GROUP], x + i * d);
      /* differences: step^4 = 1e-12 times fifth derivatives of size 1 to 10, 1e-19 / step^2 of rounding */
      if (!(fabs(value[i] - expected) < 1e-10))
        fail_msg("d %zu, point %zu: %.12g, expected %.12g", d, i, value[i], expected);
      largest = fmax(largest, fabs(expected));
    }
    assert_true(largest > 0.1);
    case_close(&c);
  }
}

/* ---- probes ----------------------------------------------------------------------------------- */

static void probes_agree_with_exact_derivatives(void **state)
{
  (void)state;
  enum { D = 5, PROBES = 32 };
  static double x[N * D], exact[N], probed[N], variance[N], t[TIMES], part[GROUP * 4],
      part_variance[GROUP * 4];
  model_case c;
  fg_perturbation h;
  fg_residual_settings how;
  fg_residual_norms sure, guessed;
  fg_perturbation_defaults(&h);
  h.epsilon = 1;
  open_kind(&c, D, 2, FG_PROCESS_OU, &h);
  fg_residual_defaults(&how);
  fg_residual_times(2, TIMES, 0.01, 2, t);
  CASE_OK(fg_residual_noised(c.target, c.process, 2, 0, N, GROUP, t, x, &case_status));
  fg_residual_values out = {.value = exact}, by_probes = {.value = probed, .variance = variance};
  CASE_OK(fg_residual_evaluate(c.model, &how, N, GROUP, t, x, &out, NULL, &case_status));
  how.probes = PROBES;
  how.seed = 7;
  CASE_OK(fg_residual_evaluate(c.model, &how, N, GROUP, t, x, &by_probes, NULL, &case_status));
  double off = 0, spread = 0, squares = 0;
  for (size_t i = 0; i < N; i++) {
    off += probed[i] - exact[i];
    spread += variance[i];
    squares += (probed[i] - exact[i]) * (probed[i] - exact[i]);
  }
  assert_true(fabs(off) < 3 * sqrt(spread));
  /* a sum of squares of N errors of unequal size is known to some 10 %; point by point the ratio has no such law, since
   * signs can agree by chance and then state no error */
  if (!(fabs(squares / spread - 1) < 0.3)) fail_msg("errors are %g of what is stated", squares / spread);
  fg_residual_layout layout = {FG_RESIDUAL_LOG, TIMES, GROUP, NULL, false};
  CASE_OK(fg_residual_summarise(&layout, &out, &sure, NULL, &case_status));
  CASE_OK(fg_residual_summarise(&layout, &by_probes, &guessed, NULL, &case_status));
  /* without what the probes add the mean square is right within their error, 2 R se a point; with it, it is not */
  double error = 2 * sqrt(sure.mean_square.value) * guessed.probe_error / sqrt((double)N);
  error = hypot(error, guessed.probe_error * guessed.probe_error * sqrt(2.0 / N) * 3); /* heavy tails */
  assert_true(fabs(guessed.mean_square.value - sure.mean_square.value) < 3 * error);
  if (!(guessed.probe_error * guessed.probe_error > 3 * error))
    fail_msg("the test is blind: %g, error %g", guessed.probe_error, error);
  /* probes belong to the number of a point */
  how.first = 10 * GROUP;
  fg_residual_values some = {.value = part, .variance = part_variance};
  CASE_OK(fg_residual_evaluate(c.model, &how, 4 * GROUP, GROUP, t + 10, x + 10 * GROUP * D, &some, NULL,
                               &case_status));
  assert_memory_equal(part, probed + 10 * GROUP, sizeof part);
  assert_memory_equal(part_variance, variance + 10 * GROUP, sizeof part_variance);
  how.seed = 8;
  CASE_OK(fg_residual_evaluate(c.model, &how, 4 * GROUP, GROUP, t + 10, x + 10 * GROUP * D, &some, NULL,
                               &case_status));
  assert_memory_not_equal(part, probed + 10 * GROUP, sizeof part);
  how.probes = 1;
  assert_int_equal(fg_residual_evaluate(c.model, &how, GROUP, GROUP, t, x, &some, NULL, &case_status),
                   FG_USAGE);
  case_close(&c);
}

/* ---- the same bits ------------------------------------------------------------------------------ */

/* 40,000 points are three chunks; groups of 20,000 are longer than one. */
static void threads_and_chunks_do_not_show(void **state)
{
  (void)state;
  enum { MANY = 40000, D = 2 };
  static const int threads[] = {1, 2, 5, 2, 2};
  static const size_t groups[] = {1, 1, 1, 20000, 250};
  double *x = calloc(MANY * D, sizeof *x), *t = calloc(MANY, sizeof *t),
         *value = calloc(2 * MANY, sizeof *value);
  double *scale = calloc(2 * MANY, sizeof *scale), *variance = calloc(2 * MANY, sizeof *variance);
  assert_true(x && t && value && scale && variance);
  fg_residual_box(1, 0, MANY, D, 3, x);
  for (int probes = 0; probes < 4; probes += 3)
    for (size_t k = 0; k < 5; k++) {
      model_case c;
      fg_perturbation h;
      fg_residual_settings how;
      fg_perturbation_defaults(&h);
      open_kind(&c, D, threads[k], FG_PROCESS_VP, &h);
      fg_residual_defaults(&how);
      how.probes = probes;
      for (size_t i = 0; i < MANY / groups[k]; i++) t[i] = i * groups[k] < 20000 ? 0.3 : 0.2;
      size_t at = k == 0 ? 0 : MANY;
      fg_residual_values out = {.value = value + at, .scale = scale + at, .variance = variance + at};
      CASE_OK(fg_residual_evaluate(c.model, &how, MANY, groups[k], t, x, &out, NULL, &case_status));
      assert_memory_equal(value + at, value, MANY * sizeof *value);
      assert_memory_equal(scale + at, scale, MANY * sizeof *scale);
      assert_memory_equal(variance + at, variance, MANY * sizeof *variance);
      case_close(&c);
    }
  free(x);
  free(t);
  free(value);
  free(scale);
  free(variance);
}

/* ---- the score form ------------------------------------------------------------------------------- */

/* g^2/2 (div s + |s|^2) - f.s at one point; f = -a x. */
static double potential_like(const model_case *c, double t, const double *x, double *score)
{
  double divergence, square = 0, along = 0;
  fg_evaluation want = {.score = score, .divergence = &divergence};
  CASE_OK(fg_model_evaluate(c->model, FG_DOUBLE, 1, &t, 1, x, &want, &case_status));
  for (size_t j = 0; j < c->d; j++) {
    square += score[j] * score[j];
    along += x[j] * score[j];
  }
  return 0.5 * fg_process_g2(c->process, t) * (divergence + square) + fg_process_a(c->process, t) * along;
}

/* Central differences of ds/dt and of the gradient term. */
static void check_score_residual(const model_case *c, double t, double *x, const double *vector)
{
  const double step = 1e-4;
  double up[CASE_MOST], down[CASE_MOST], expected[CASE_MOST];
  (void)potential_like(c, t + step, x, up);
  (void)potential_like(c, t - step, x, down);
  for (size_t j = 0; j < c->d; j++) expected[j] = (up[j] - down[j]) / (2 * step);
  for (size_t j = 0; j < c->d; j++) {
    double old = x[j];
    x[j] = old + step;
    double high = potential_like(c, t, x, up);
    x[j] = old - step;
    double low = potential_like(c, t, x, up);
    x[j] = old;
    expected[j] -= (high - low) / (2 * step);
    /* step^2 times third derivatives of size 10 to 100; rounding / step */
    if (!(fabs(vector[j] - expected[j]) < 2e-6 * fmax(1, fabs(expected[j]))))
      fail_msg("E_%zu is %.10g, differences say %.10g", j, vector[j], expected[j]);
  }
}

static void vector_networks_have_the_score_form(void **state)
{
  (void)state;
  enum { POINTS = 130, SAME = 65 };
  static points_net net;
  static double x[POINTS * 3], value[POINTS], scale[POINTS], vector[POINTS * 3], again[POINTS], t[POINTS];
  for (int which = 0; which < 4; which++) {
    points_shape shape = {FG_VECTOR, which == 1 ? FG_OUTPUT_NOISE : FG_OUTPUT_SCORE,
                          FG_TANH,   which == 2 ? FG_TIME_EMBEDDED : FG_TIME_FIRST,
                          false,     which == 3 ? 1 : 3,
                          3,         12,
                          1};
    model_case c = {.d = shape.d};
    fg_process_settings p;
    fg_residual_form form;
    fg_residual_settings how;
    points_net_open(&net, &shape);
    fg_process_defaults(FG_PROCESS_VP, &p);
    CASE_OK(fg_engine_open("cpu", 2, &c.engine, &case_status));
    CASE_OK(fg_process_create(&p, &c.process, &case_status));
    CASE_OK(fg_model_network(c.engine, &net.s, c.process, &c.model, &case_status));
    CASE_OK(fg_residual_form_of(c.model, &form, &case_status));
    assert_int_equal(form, FG_RESIDUAL_SCORE);
    fg_residual_defaults(&how);
    fg_residual_box(1, 0, POINTS, c.d, 2, x);
    t[0] = 0.3;
    t[1] = 0.6;
    fg_residual_values out = {.value = value, .scale = scale, .vector = vector};
    CASE_OK(fg_residual_evaluate(c.model, &how, POINTS, SAME, t, x, &out, NULL, &case_status));
    double largest = 0;
    for (size_t i = 0; i < POINTS; i += 13) {
      double square = 0;
      check_score_residual(&c, t[i / SAME], x + i * c.d, vector + i * c.d);
      for (size_t j = 0; j < c.d; j++) square += vector[i * c.d + j] * vector[i * c.d + j];
      assert_true(fabs(value[i] - sqrt(square / (double)c.d)) < 1e-14 * scale[i]);
      assert_true(value[i] < scale[i]);
      largest = fmax(largest, value[i]);
    }
    assert_true(largest > 0.1);
    /* other groups, the same bits */
    for (size_t i = POINTS; i-- > 0;) t[i] = i < SAME ? 0.3 : 0.6;
    fg_residual_values other = {.value = again};
    CASE_OK(fg_residual_evaluate(c.model, &how, POINTS, 1, t, x, &other, NULL, &case_status));
    for (size_t i = 0; i < POINTS; i++)
      if (memcmp(&value[i], &again[i], sizeof *value) != 0)
        fail_msg("network %d, point %zu: %.17g and %.17g", which, i, value[i], again[i]);
    how.probes = 4;
    assert_int_equal(fg_residual_evaluate(c.model, &how, POINTS, 1, t, x, &other, NULL, &case_status),
                     FG_UNSUPPORTED);
    fg_model_destroy(&c.model);
    fg_process_destroy(&c.process);
    fg_engine_close(&c.engine);
  }
}

/* ---- what is refused, and what is handed out as it is --------------------------------------------- */

static void odd_input(void **state)
{
  (void)state;
  model_case c;
  fg_residual_settings how;
  double x[] = {1, 1, 1e200, 1, 2, 2, 3, 3}, t[] = {0.5, 0.25}, value[4], vector[8];
  open_kind(&c, 2, 1, FG_PROCESS_OU, NULL);
  fg_residual_defaults(&how);
  fg_residual_values out = {.value = value};
  CASE_OK(fg_residual_evaluate(c.model, &how, 4, 2, t, x, &out, NULL, &case_status));
  assert_true(isfinite(value[0]) && !isfinite(value[1]) && isfinite(value[2]) && isfinite(value[3]));
  assert_int_equal(fg_residual_evaluate(c.model, &how, 4, 3, t, x, &out, NULL, &case_status), FG_USAGE);
  out.vector = vector;
  assert_int_equal(fg_residual_evaluate(c.model, &how, 4, 2, t, x, &out, NULL, &case_status), FG_UNSUPPORTED);
  out.vector = NULL;
  how.probes = -1;
  assert_int_equal(fg_residual_evaluate(c.model, &how, 4, 2, t, x, &out, NULL, &case_status), FG_USAGE);
  volatile sig_atomic_t stop = 1;
  fg_progress progress = {NULL, NULL, &stop};
  how.probes = 0;
  assert_int_equal(fg_residual_evaluate(c.model, &how, 4, 2, t, x, &out, &progress, &case_status),
                   FG_INTERRUPTED);
  case_close(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exact_models_have_none),
      cmocka_unit_test(perturbed_models_have_the_closed_form),
      cmocka_unit_test(probes_agree_with_exact_derivatives),
      cmocka_unit_test(threads_and_chunks_do_not_show),
      cmocka_unit_test(vector_networks_have_the_score_form),
      cmocka_unit_test(odd_input),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

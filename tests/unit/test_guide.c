/* needs: model */
/* Controls as score models: all quantities against their definitions, closed forms, checkpoints, messages. */
#include "support/control_case.h"

#include <sys/stat.h>

#include "base/hdf5.h"
#include "model/checkpoint.h"
#include "support/scratch.h"

enum { POINTS = 70, FAR = POINTS * JET_D };

typedef struct results {
  double phi[POINTS], phi_t[POINTS], score[FAR], divergence[POINTS], residual[POINTS], jvp[FAR];
} results;

static void put_points(size_t d, double *t, double *x, double *v)
{
  for (size_t i = 0; i < POINTS; i++) {
    t[i] = 0.45 + 0.44 * case_number(i, 5);
    for (size_t j = 0; j < d; j++) {
      x[i * d + j] = 3 * case_number(i * d + j, 6);
      v[i * d + j] = case_number(i * d + j, 7);
    }
  }
}

static void evaluate(const control_case *c, const char *engine_name, fg_precision precision, results *r)
{
  static double t[POINTS], x[FAR], v[FAR];
  fg_engine *engine;
  fg_model *model;
  fg_evaluation out = {.score = r->score, .divergence = r->divergence, .direction = v, .jvp = r->jvp};
  put_points(c->d, t, x, v);
  memset(r, 0, sizeof *r);
  if (c->s.form == FG_POTENTIAL) {
    out.phi = r->phi;
    out.phi_t = r->phi_t;
    out.residual = r->residual;
  }
  CASE_OK(fg_engine_open(engine_name, 2, &engine, &case_status));
  CASE_OK(fg_model_control(engine, &c->s, c->target, c->process, &model, &case_status));
  assert_string_equal(fg_model_name(model), "control");
  CASE_OK(fg_model_evaluate(model, precision, POINTS, t, POINTS, x, &out, &case_status));
  fg_model_destroy(&model);
  fg_engine_close(&engine);
}

static void near(const char *what, size_t i, double value, double expected, double tolerance)
{
  if (!(fabs(value - expected) <= tolerance))
    fail_msg("%s of point %zu is %.15g, by definition %.15g (tolerance %g)", what, i, value, expected,
             tolerance);
}

/* Values to rounding; what holds the Hessian of log rho to the error of its differences, 1e-8 of its size or so.
 * Single precision: rounding of numbers as large as those that are summed, and no derivative within 1e-3 of a
 * clip, where it jumps. */
static void check(const control_case *c, const results *r, fg_precision precision, int *clipped, int *free)
{
  static double t[POINTS], x[FAR], v[FAR];
  const size_t d = c->d;
  put_points(d, t, x, v);
  for (size_t i = 0; i < POINTS; i++) {
    control_values e;
    double size = 1, xs = 0, ss = 0;
    control_reference(c, x + i * d, t[i], v + i * d, &e);
    *clipped += e.clipped;
    *free += 2 * (int)d + 1 - e.clipped;
    for (size_t j = 0; j < d; j++) size = fmax(size, fabs(e.score[j]) + fabs(e.jvp[j]));
    size = fmax(fmax(size, fabs(e.phi)), fmax(fabs(e.phi_t), fabs(e.divergence)));
    const double value = size * (precision == FG_SINGLE ? 1e-4 : 1e-11),
                 second = size * (precision == FG_SINGLE ? 1e-3 : 1e-7);
    for (size_t j = 0; j < d; j++) near("score", i, r->score[i * d + j], e.score[j], value);
    if (e.margin > (precision == FG_SINGLE ? 1e-3 : 1e-9)) {
      near("divergence", i, r->divergence[i], e.divergence, second);
      for (size_t j = 0; j < d; j++) near("jvp", i, r->jvp[i * d + j], e.jvp[j], second);
    }
    if (c->s.form == FG_VECTOR) continue;
    for (size_t j = 0; j < d; j++) {
      xs += x[i * d + j] * e.score[j];
      ss += e.score[j] * e.score[j];
    }
    const double a = fg_process_a(c->process, t[i]), g2 = fg_process_g2(c->process, t[i]);
    near("phi", i, r->phi[i], e.phi, value);
    near("phi_t", i, r->phi_t[i], e.phi_t, value);
    near("residual", i, r->residual[i], e.phi_t - a * ((double)d + xs) - g2 / 2 * (e.divergence + ss),
         second * (1 + ss + g2));
  }
}

static fg_target *target_of(size_t d)
{
  static case_mixture m[3];
  fg_target *target;
  case_mixture *mine = &m[d == 1 ? 0 : d == 2 ? 1 : 2];
  case_mixture_fill(mine, d, d == 1);
  case_target_mixture(mine, &target);
  return target;
}

static void follow_definitions(void **state)
{
  (void)state;
  static const size_t dimensions[] = {1, 2, 5}, layers[] = {4, 1, 0};
  static control_case c;
  static results cpu, other;
  for (int k = 0; k < 27; k++) {
    const int m = k % 3, way = k / 9; /* vector with a clip, vector without, potential */
    const size_t d = dimensions[k / 3 % 3];
    int clipped = 0, free = 0;
    control_open(&c, (control_method)m, way == 2 ? FG_POTENTIAL : FG_VECTOR, target_of(d),
                 way == 0 ? 0.9 : INFINITY, layers[(k + k / 3) % 3]);
    evaluate(&c, "cpu", FG_DOUBLE, &cpu);
    check(&c, &cpu, FG_DOUBLE, &clipped, &free);
    evaluate(&c, "cpu-check", FG_DOUBLE, &other);
    assert_memory_equal(&cpu, &other, sizeof cpu);
    evaluate(&c, "cpu", FG_SINGLE, &other);
    check(&c, &other, FG_SINGLE, &clipped, &free);
    if (way == 0)
      assert_true(clipped > POINTS / 4 && free > POINTS / 4); /* both sides of the clip were seen */
    if (way != 0) assert_int_equal(clipped, 0);
    control_close(&c);
  }
}

/* A target other than a mixture, one time for all points, and derivatives that are asked for alone: the same
 * bits as together. */
static void parts_agree(void **state)
{
  (void)state;
  static control_case c;
  static double x[FAR], v[FAR], t[POINTS], all[FAR], jvp[FAR], divergence[POINTS], one[FAR];
  const double time = 0.3;
  for (int form = 0; form < 2; form++) {
    fg_target *target;
    fg_engine *engine;
    fg_model *model;
    case_target(FG_TARGET_FUNNEL, &target);
    control_open(&c, CONTROL_DIS, form ? FG_VECTOR : FG_POTENTIAL, target, 2, 2);
    put_points(c.d, t, x, v);
    CASE_OK(fg_engine_open("cpu-check", 1, &engine, &case_status));
    CASE_OK(fg_model_control(engine, &c.s, c.target, c.process, &model, &case_status));
    fg_evaluation out = {.score = all, .divergence = divergence, .direction = v, .jvp = jvp};
    CASE_OK(fg_model_evaluate(model, FG_DOUBLE, POINTS, &time, 1, x, &out, &case_status));
    out = (fg_evaluation){.divergence = one};
    CASE_OK(fg_model_evaluate(model, FG_DOUBLE, POINTS, &time, 1, x, &out, &case_status));
    assert_memory_equal(one, divergence, sizeof divergence);
    out = (fg_evaluation){.direction = v, .jvp = one};
    CASE_OK(fg_model_evaluate(model, FG_DOUBLE, POINTS, &time, 1, x, &out, &case_status));
    assert_memory_equal(one, jvp, POINTS * c.d * sizeof *jvp);
    out = (fg_evaluation){.score = one};
    CASE_OK(fg_model_evaluate(model, FG_DOUBLE, POINTS, &time, 1, x, &out, &case_status));
    assert_memory_equal(one, all, POINTS * c.d * sizeof *all);
    for (size_t i = 0; i < POINTS; i++) {
      control_values e;
      control_reference(&c, x + i * c.d, time, v + i * c.d, &e);
      if (e.margin < 1e-9) continue;
      /* third derivatives of the funnel reach e^3 |x|^2: the differences lose a few digits more */
      near("divergence", i, divergence[i], e.divergence, 1e-6 * (1 + fabs(e.divergence)));
    }
    fg_model_destroy(&model);
    fg_engine_close(&engine);
    control_close(&c);
  }
}

/* ---- closed forms --------------------------------------------------------------------------- */

static fg_target *normal_target(size_t d, double variance)
{
  fg_target_settings s;
  fg_target *target;
  fg_target_defaults(FG_TARGET_GAUSSIAN, &s);
  s.dimension = d;
  s.variance = variance;
  CASE_OK(fg_target_create(&s, &target, &case_status));
  return target;
}

/* The network gives 0: its last layer is 0. */
static void silence(control_case *c)
{
  const size_t out = c->widths[3];
  memset((double *)(uintptr_t)c->weights[2], 0, out * c->widths[2] * sizeof(double));
  memset((double *)(uintptr_t)c->biases[2], 0, out * sizeof(double));
}

/* tau = value: last map 0 but for its bias. */
static void hold_factor(control_case *c, double value)
{
  memset((double *)(uintptr_t)c->s.factor_weights[1], 0, CONTROL_FACTOR * sizeof(double));
  *(double *)(uintptr_t)c->s.factor_biases[1] = value;
}

/* DIS between N(0, I) and N(0, I) without network: s = -x at all times. */
static void prior_is_target(void **state)
{
  (void)state;
  static control_case c;
  static results r;
  static double t[POINTS], x[FAR], v[FAR];
  control_open(&c, CONTROL_DIS, FG_VECTOR, normal_target(2, 1), INFINITY, 0);
  c.guide.prior_variance = 1;
  silence(&c);
  put_points(2, t, x, v);
  evaluate(&c, "cpu", FG_DOUBLE, &r);
  for (size_t i = 0; i < POINTS; i++) { /* -(r/T) x - (1 - r/T) x: a few roundings */
    for (size_t j = 0; j < 2; j++) near("score", i, r.score[2 * i + j], -x[2 * i + j], 1e-15);
    near("divergence", i, r.divergence[i], -2, 2e-15);
    near("jvp", i, r.jvp[2 * i], -v[2 * i], 1e-15);
  }
  control_close(&c);
}

/* Where the law without control is the target, no control is needed and s is the score of N(0, V(t)):
 * DDS with the target N(0, scale^2), V = scale^2; PIS with N(0, g^2 pin), V = g^2 (pin - t). In the potential form
 * phi is then a log density, normalised at every t, and solves its Fokker-Planck equation. */
static void uncontrolled(void **state)
{
  (void)state;
  static control_case c;
  static results r;
  static double t[POINTS], x[FAR], v[FAR];
  for (int k = 0; k < 4; k++) {
    const control_method method = k % 2 ? CONTROL_PIS : CONTROL_DDS;
    const size_t d = 2;
    fg_engine *engine;
    fg_model *exact;
    static double score[FAR], divergence[POINTS];
    control_open(&c, method, k < 2 ? FG_VECTOR : FG_POTENTIAL,
                 normal_target(d, method == CONTROL_PIS ? 1.44 : 1.69), INFINITY, 2);
    silence(&c);
    hold_factor(&c, 0);
    put_points(d, t, x, v);
    evaluate(&c, "cpu", FG_DOUBLE, &r);
    CASE_OK(fg_engine_open("cpu", 1, &engine, &case_status));
    CASE_OK(fg_model_exact(engine, c.target, c.process, &exact, &case_status));
    fg_evaluation out = {.score = score, .divergence = divergence};
    CASE_OK(fg_model_evaluate(exact, FG_DOUBLE, POINTS, t, POINTS, x, &out, &case_status));
    for (size_t i = 0; i < POINTS; i++) {
      const double V = method == CONTROL_PIS ? 1.44 * (1 - t[i]) : 1.69;
      for (size_t j = 0; j < d; j++) {
        near("score", i, r.score[d * i + j], -x[d * i + j] / V, 1e-14 / V * 3);
        near("score of the exact model", i, score[d * i + j], -x[d * i + j] / V, 1e-13 / V * 3);
      }
      near("divergence", i, r.divergence[i], divergence[i], 1e-13 / V);
      if (k >= 2) near("residual", i, r.residual[i], 0, 1e-12 / V / V);
    }
    fg_model_destroy(&exact);
    fg_engine_close(&engine);
    control_close(&c);
  }
}

/* ---- checkpoints ------------------------------------------------------------------------------ */

static void assert_same_scores(const control_case *c, fg_model *other)
{
  static results r;
  static double t[POINTS], x[FAR], v[FAR], score[FAR];
  fg_evaluation out = {.score = score};
  evaluate(c, "cpu", FG_DOUBLE, &r);
  put_points(c->d, t, x, v);
  CASE_OK(fg_model_evaluate(other, FG_DOUBLE, POINTS, t, POINTS, x, &out, &case_status));
  assert_memory_equal(score, r.score, POINTS * c->d * sizeof *score);
}

static fg_code load(fg_engine *engine, const control_case *c, const char *path, const fg_target *target,
                    fg_model **model, fg_status *st)
{
  fg_settings *settings;
  char assignment[400];
  snprintf(assignment, sizeof assignment, "model.file=%s", path);
  CASE_OK(fg_settings_create(&settings, &case_status));
  CASE_OK(fg_settings_assign(settings, assignment, &case_status));
  fg_code rc = fg_model_from_settings(engine, settings, target, c->process, model, st);
  fg_settings_destroy(&settings);
  return rc;
}

static void checkpoints(void **state)
{
  (void)state;
  static control_case c;
  static const size_t layers[] = {4, 1, 0};
  fg_engine *engine;
  CASE_OK(fg_engine_open("cpu", 1, &engine, &case_status));
  for (int k = 0; k < 6; k++) {
    fg_model *model, *again;
    const char *path = scratch("control.h5"), *copy = scratch("copy.h5");
    control_open(&c, (control_method)(k % 3), k < 3 ? FG_VECTOR : FG_POTENTIAL, target_of(2),
                 k % 2 ? 1 : INFINITY, layers[k % 3]);
    CASE_OK(fg_model_control(engine, &c.s, c.target, c.process, &model, &case_status));
    CASE_OK(fg_model_save(model, path, &case_status));
    CASE_OK(load(engine, &c, path, c.target, &again, &case_status));
    assert_same_scores(&c, again);
    CASE_OK(fg_model_save(again, copy, &case_status)); /* the model keeps a copy of its own */
    fg_model_destroy(&again);
    fg_model_destroy(&model);
    CASE_OK(load(engine, &c, copy, c.target, &again, &case_status));
    assert_same_scores(&c, again);
    fg_model_destroy(&again);
    control_close(&c);
  }
  fg_engine_close(&engine);
}

/* The network of a training run stands beside other things in its file, and makes its folder a MODEL. */
static void run_directory(void **state)
{
  (void)state;
  static control_case c;
  fg_engine *engine;
  fg_h5 *file;
  fg_model *model;
  fg_settings *settings;
  const char *run = scratch("run"), *given;
  char path[300], config[300];
  double extra = 7;
  snprintf(path, sizeof path, "%s/checkpoint.h5", run);
  snprintf(config, sizeof config, "%s/config.yaml", run);
  assert_int_equal(mkdir(run, 0777), 0);
  FILE *stream = fopen(config, "w");
  assert_non_null(stream);
  fputs("process: {kind: vp, scale: 1.3}\n", stream);
  fclose(stream);
  CASE_OK(fg_settings_create(&settings, &case_status));
  CASE_OK(fg_settings_load(settings, run, &case_status)); /* no checkpoint yet */
  assert_false(fg_settings_given(settings, "model.file"));
  control_open(&c, CONTROL_DIS, FG_VECTOR, target_of(2), 10, 4);
  CASE_OK(fg_h5_create(path, &file, &case_status));
  CASE_OK(fg_network_put(file, &c.s, &case_status));
  CASE_OK(fg_h5_write_real(file, "optimiser/first", 0, NULL, &extra, &case_status));
  CASE_OK(fg_h5_commit(&file, &case_status));
  CASE_OK(fg_settings_load(settings, run, &case_status));
  CASE_OK(fg_settings_text(settings, "model.file", &given, &case_status));
  assert_string_equal(given, path);
  CASE_OK(fg_engine_open("cpu", 1, &engine, &case_status));
  CASE_OK(fg_model_from_settings(engine, settings, c.target, c.process, &model, &case_status));
  assert_same_scores(&c, model);
  fg_model_destroy(&model);
  CASE_OK(fg_settings_assign(settings, "model.file=other.h5", &case_status)); /* what is given stays */
  CASE_OK(fg_settings_text(settings, "model.file", &given, &case_status));
  assert_string_equal(given, "other.h5");
  fg_engine_close(&engine);
  fg_settings_destroy(&settings);
  control_close(&c);
  unlink(path);
  unlink(config);
  rmdir(run);
}

/* Files of the format before controls. */
static void old_format(void **state)
{
  (void)state;
  static const double w[] = {1, 2, 3, 4, 5, 6}, beta = 1, threshold = 20;
  static const int64_t widths[] = {3, 2}, dimension = 2, reversed = 0;
  const size_t count = 2, shape[2] = {2, 3};
  fg_h5 *file;
  fg_engine *engine;
  fg_model *model;
  static control_case c;
  double t = 0.5, x[2] = {1, -1}, score[2];
  fg_evaluation out = {.score = score};
  control_open(&c, CONTROL_DIS, FG_VECTOR, target_of(2), 10, 4); /* for its process */
  CASE_OK(fg_h5_create(scratch("old.h5"), &file, &case_status));
  CASE_OK(fg_h5_write_text(file, "format", "flowgap network 1", &case_status));
  CASE_OK(fg_h5_write_text(file, "form", "vector", &case_status));
  CASE_OK(fg_h5_write_text(file, "output", "score", &case_status));
  CASE_OK(fg_h5_write_text(file, "activation", "tanh", &case_status));
  CASE_OK(fg_h5_write_text(file, "time", "first", &case_status));
  CASE_OK(fg_h5_write_integer(file, "widths", 1, &count, widths, &case_status));
  CASE_OK(fg_h5_write_integer(file, "dimension", 0, NULL, &dimension, &case_status));
  CASE_OK(fg_h5_write_integer(file, "time_reversed", 0, NULL, &reversed, &case_status));
  CASE_OK(fg_h5_write_real(file, "beta", 0, NULL, &beta, &case_status));
  CASE_OK(fg_h5_write_real(file, "threshold", 0, NULL, &threshold, &case_status));
  CASE_OK(fg_h5_write_real(file, "layer0/weight", 2, shape, w, &case_status));
  CASE_OK(fg_h5_commit(&file, &case_status));
  CASE_OK(fg_engine_open("cpu", 1, &engine, &case_status));
  CASE_OK(load(engine, &c, scratch("old.h5"), NULL, &model, &case_status));
  assert_string_equal(fg_model_name(model), "network");
  CASE_OK(fg_model_evaluate(model, FG_DOUBLE, 1, &t, 1, x, &out, &case_status));
  assert_true(score[0] == 0.5 + 2 - 3 && score[1] == 2 + 5 - 6);
  fg_model_destroy(&model);
  fg_engine_close(&engine);
  control_close(&c);
}

/* ---- messages ---------------------------------------------------------------------------------- */

static void refuse(fg_engine *engine, const control_case *c, const fg_target *target, const char *expected)
{
  fg_model *model;
  fg_status st = {0};
  assert_int_equal(fg_model_control(engine, &c->s, target, c->process, &model, &st), FG_USAGE);
  assert_null(model);
  if (!strstr(st.message, expected)) fail_msg("message \"%s\" lacks \"%s\"", st.message, expected);
}

static void messages(void **state)
{
  (void)state;
  static control_case c;
  fg_engine *engine;
  fg_model *model;
  fg_target *other = target_of(5);
  fg_status st = {0};
  CASE_OK(fg_engine_open("cpu", 1, &engine, &case_status));
  control_open(&c, CONTROL_PIS, FG_VECTOR, target_of(2), 10, 4);
  refuse(engine, &c, NULL, "give target.kind");
  refuse(engine, &c, other, "the control has dimension 2, the target mixture has 5");
  c.guide.clip = 0;
  refuse(engine, &c, c.target, "the clip is 0");
  c.guide.clip = NAN;
  refuse(engine, &c, c.target, "the clip is nan");
  c.guide.clip = 1;
  c.guide.pin = 0.5;
  refuse(engine, &c, c.target, "pinned at 0.5, before process.horizon, 0.97");
  c.guide.reference = FG_RELATIVE_TO_STATIONARY;
  c.guide.variance = -1;
  refuse(engine, &c, c.target, "variance of the reference is -1");
  c.guide.variance = 1;
  c.guide.score = FG_GUIDE_INTERPOLATED;
  c.guide.prior_variance = INFINITY;
  refuse(engine, &c, c.target, "variance of the prior is inf");
  c.guide.prior_variance = 1;
  c.s.output = FG_OUTPUT_SCORE;
  refuse(engine, &c, c.target, "must be control");
  c.s.output = FG_OUTPUT_CONTROL;
  c.s.factor_layers = FG_FACTOR_LAYERS + 1;
  refuse(engine, &c, c.target, "9 linear maps");
  c.s.factor_layers = 4;
  *(double *)(uintptr_t)c.s.factor_biases[3] = NAN;
  refuse(engine, &c, c.target, "time factor is not finite");
  *(double *)(uintptr_t)c.s.factor_biases[3] = 0;
  assert_int_equal(fg_model_network(engine, &c.s, c.process, &model, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "use fg_model_control"));
  CASE_OK(fg_model_control(engine, &c.s, c.target, c.process, &model, &case_status));
  CASE_OK(fg_model_save(model, scratch("control.h5"), &case_status));
  fg_model_destroy(&model);
  assert_int_equal(load(engine, &c, scratch("control.h5"), NULL, &model, &st), FG_USAGE);
  assert_non_null(
      strstr(st.message, "control.h5: the control uses the score of its target: give target.kind"));
  assert_int_equal(load(engine, &c, scratch("control.h5"), other, &model, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "its network has dimension 2, the target mixture has 5"));
  c.s.guide = NULL;
  refuse(engine, &c, c.target, "fg_model_network");
  c.s.guide = &c.guide;
  c.guide.score = FG_GUIDE_NONE; /* then no target is asked for */
  CASE_OK(fg_model_control(engine, &c.s, NULL, c.process, &model, &case_status));
  fg_model_destroy(&model);
  fg_target_destroy(&other);
  control_close(&c);
  fg_engine_close(&engine);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(follow_definitions), cmocka_unit_test(parts_agree),
                                     cmocka_unit_test(prior_is_target),    cmocka_unit_test(uncontrolled),
                                     cmocka_unit_test(checkpoints),        cmocka_unit_test(run_directory),
                                     cmocka_unit_test(old_format),         cmocka_unit_test(messages)};
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}

/* needs: analysis */
/* Folders as a training leaves them, through compare, sample and evaluate of the program. Their networks are
 * silent, so both laws are known: PIS from a point with the target N(0, g^2 T) needs no control, DIS between
 * N(0, I) and N(0, I) has s = -x. */
#include "support/control_case.h"

#include <jansson.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/hdf5.h"
#include "model/checkpoint.h"
#include "support/scratch.h"

#define SMALL                                                                                                \
  "--set compare.particles=2000 --set compare.exact_points=300 --set compare.permutations=19 --set "         \
  "compare.estimators=exact,grid,gaussian --set compare.replicates=8 --set compare.residual_points=100 "     \
  "--set flow.sde.steps=400 "

static char text[1 << 16];

/* The command in the scratch folder; its status, and what it says on standard error in `text`. */
static int run(const char *format, ...)
{
  char arguments[1500], line[2000];
  va_list list;
  va_start(list, format);
  vsnprintf(arguments, sizeof arguments, format, list);
  va_end(list);
  snprintf(line, sizeof line, "cd %s && %s/../flowgap %s >out 2>err", scratch_folder, FG_BINARY_DIR,
           arguments);
  int status = system(line);
  FILE *stream = fopen(scratch("err"), "r");
  assert_non_null(stream);
  text[fread(text, 1, sizeof text - 1, stream)] = 0;
  fclose(stream);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void must(int status)
{
  if (status != 0) fail_msg("status %d: %s", status, text);
}

static const char *contents(const char *name)
{
  FILE *stream = fopen(scratch(name), "r");
  if (!stream) fail_msg("there is no %s", name);
  text[fread(text, 1, sizeof text - 1, stream)] = 0;
  fclose(stream);
  return text;
}

static double figure(const char *name, const char *path)
{
  json_error_t error;
  char part[64];
  json_t *root = json_load_file(scratch(name), 0, &error), *at = root;
  if (!root) fail_msg("%s: %s", name, error.text);
  for (const char *from = path; at && *from; from += strcspn(from, ".") + (strchr(from, '.') != NULL)) {
    snprintf(part, sizeof part, "%.*s", (int)strcspn(from, "."), from);
    at = json_object_get(at, part);
  }
  if (!json_is_number(at)) fail_msg("%s holds no number %s", name, path);
  double value = json_number_value(at);
  json_decref(root);
  return value;
}

static void put_training(const char *name, const control_case *c, const char *yaml)
{
  fg_h5 *file;
  char path[100];
  assert_int_equal(mkdir(scratch(name), 0777), 0);
  snprintf(path, sizeof path, "%s/config.yaml", name);
  scratch_text(path, yaml);
  snprintf(path, sizeof path, "%s/checkpoint.h5", name);
  CASE_OK(fg_h5_create(scratch(path), &file, &case_status));
  CASE_OK(fg_network_put(file, &c->s, &case_status));
  CASE_OK(fg_h5_commit(&file, &case_status));
}

/* A sampler whose network gives 0; tau = factor. */
static void open_silent(control_case *c, control_method method, fg_network_form form, double factor)
{
  fg_target_settings s;
  fg_target *target;
  fg_target_defaults(FG_TARGET_GAUSSIAN, &s);
  s.dimension = 2;
  CASE_OK(fg_target_create(&s, &target, &case_status));
  control_open(c, method, form, target, 50, 2);
  const size_t outputs = form == FG_VECTOR ? 2 : 1;
  memset((double *)(uintptr_t)c->weights[2], 0, outputs * c->widths[2] * sizeof(double));
  memset((double *)(uintptr_t)c->biases[2], 0, outputs * sizeof(double));
  memset((double *)(uintptr_t)c->s.factor_weights[1], 0, CONTROL_FACTOR * sizeof(double));
  *(double *)(uintptr_t)c->s.factor_biases[1] = factor;
  c->guide.prior_variance = 1;
}

/* The Gaussian distance of two samples of 2000 in 2-D is 0.04 or so; a flow that went wrong is far beyond. */
static void near_floor(const char *results)
{
  assert_true(figure(results, "w2.gaussian.ode_sde.value") < 0.1);
  assert_true(figure(results, "w2.gaussian.ode_target.value") < 0.1);
  assert_true(figure(results, "w2.gaussian.sde_target.value") < 0.1);
  assert_true(figure(results, "ode.failed") == 0 && figure(results, "sde.nonfinite") == 0);
}

static void from_a_point(void **state)
{
  (void)state;
  static control_case c;
  open_silent(&c, CONTROL_PIS, FG_VECTOR, 0);
  c.guide.pin = 5;
  put_training("pis", &c,
               "process: {kind: pinned, diff: 0.4472135954999579, horizon: 5}\n"
               "prior: {kind: point}\n"
               "target: {kind: gaussian, dimension: 2, variance: 1}\n");
  control_close(&c);
  must(run("compare pis " SMALL));
  assert_non_null(
      strstr(text, "starts in a point at t = 5, where no ODE can: both flows start at t = 4.995"));
  near_floor("runs/pis-compare/results.json");
  assert_non_null(
      strstr(contents("runs/pis-compare/log.txt"), "the flows start at t = 4.995, where v = 0.000999"));
  contents("runs/pis-compare/config.yaml");
  assert_non_null(strstr(text, "horizon: 4.995"));
  assert_non_null(strstr(text, "pin: 5"));
  must(run("compare runs/pis-compare/config.yaml --quiet --out again")); /* repeats, with nothing to move */
  assert_string_equal(text, "");
  near_floor("again/results.json");
  assert_int_equal(run("compare pis --out pis"), 2); /* the training is left alone */
  assert_non_null(strstr(text, "pis holds a training (checkpoint.h5)"));
  must(run("sample pis --flow sde --count 100 --set flow.sde.steps=50 --out a.csv"));
  must(run("sample pis --count 100 --log-density --out b.csv --quiet"));
  scratch_text("points.csv", "t,x1,x2\n2.5,1,-1\n");
  must(run("evaluate pis points.csv"));
  /* s = -x / (g^2 (pin - t)) = -x / 0.5 */
  double t, x[2], s[2], divergence;
  assert_int_equal(sscanf(strchr(contents("out"), '\n'), "%lf,%lf,%lf,%lf,%lf,%lf", &t, &x[0], &x[1], &s[0],
                          &s[1], &divergence),
                   6);
  assert_true(fabs(s[0] + 2) < 1e-12 && fabs(s[1] - 2) < 1e-12 && fabs(divergence + 4) < 1e-12);
  /* by hand, at the point itself: the flows say why not */
  assert_int_equal(run("compare exact:gaussian --set process.kind=pinned --set process.horizon=10 --out bad"),
                   2);
  assert_non_null(strstr(text, "pinned to a point at t = 10"));
}

static void down_to_zero(void **state)
{
  (void)state;
  static control_case c;
  open_silent(&c, CONTROL_DIS, FG_VECTOR, 1);
  put_training("dis", &c,
               "process: {kind: vp}\n"
               "target: {kind: gaussian, dimension: 2, variance: 1}\n"
               "flow: {sde: {t_end: 0}}\n");
  control_close(&c);
  must(run("compare dis " SMALL " --quiet --out dis-gap"));
  assert_string_equal(text, "");
  near_floor("dis-gap/results.json");
  assert_int_equal(run("compare dis --set target.kind=none --set target.dimension=auto --set "
                       "target.variance=auto --out none"),
                   2);
  assert_non_null(strstr(text, "checkpoint.h5: the control uses the score of its target"));
}

/* Phi = -|x|^2/2 + c(t) for the law N(0, I) that stays: R is c'(t) alone, which the centred residual does not see. */
static void gauge_of_a_potential(void **state)
{
  (void)state;
  static control_case c;
  static const char yaml[] = "process: {kind: vp}\n"
                             "target: {kind: gaussian, dimension: 2, variance: 1}\n"
                             "residual: {points: 100, times: 8}\n";
  open_silent(&c, CONTROL_DIS, FG_POTENTIAL, 1);
  put_training("potential", &c, yaml);
  control_close(&c);
  open_silent(&c, CONTROL_DIS, FG_VECTOR, 1);
  put_training("vector", &c, yaml);
  control_close(&c);
  must(run("residual potential --set flow.sde.steps=100 --quiet --out r"));
  assert_string_equal(text, "");
  static const char *const measures[] = {"box", "data", "sde", "ode"};
  for (int k = 0; k < 4; k++) {
    char path[80];
    snprintf(path, sizeof path, "residual.measures.%s.centred_mean_square", measures[k]);
    assert_true(fabs(figure("r/results.json", path)) <
                1e-24); /* rounding of terms of size 10 to 100, squared */
    snprintf(path, sizeof path, "residual.measures.%s.mean_square", measures[k]);
    assert_true(figure("r/results.json", path) > 0.01);
  }
  assert_non_null(strstr(contents("r/results.json"), "go by the centred residual"));
  assert_int_equal(run("residual vector --out no"), 2);
  assert_non_null(strstr(text, "not a control"));
}

static int sweep(void **state)
{
  char line[200];
  snprintf(line, sizeof line, "rm -rf %s/*", scratch_folder);
  return system(line) != 0 || scratch_remove(state);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(from_a_point), cmocka_unit_test(down_to_zero),
                                     cmocka_unit_test(gauge_of_a_potential)};
  return cmocka_run_group_tests(tests, scratch_make, sweep);
}

/* needs: model */
/* Networks from files: the order of layers, what is refused and how the message reads, and checkpoints. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hdf5.h"
#include "base/safetensors.h"
#include "flowgap/flowgap.h"
#include "support/scratch.h"

static fg_engine *engine;
static fg_process *process;
static double numbers[400];

static int open_all(void **state)
{
  fg_status st;
  fg_process_settings ou;
  fg_process_defaults(FG_PROCESS_OU, &ou);
  for (size_t k = 0; k < 400; ++k) numbers[k] = sin(1.0 + 3.7 * (double)k);
  return scratch_make(state) || fg_engine_open("cpu", 1, &engine, &st) != FG_OK ||
         fg_process_create(&ou, &process, &st) != FG_OK;
}

static int close_all(void **state)
{
  fg_engine_close(&engine);
  fg_process_destroy(&process);
  return scratch_remove(state);
}

/* "stem out in" for each linear map, separated by commas, with biases. */
static void write_maps(const char *name, const char *maps)
{
  static char names[24][64];
  static size_t shapes[24][2];
  fg_tensor_source sources[24];
  fg_status st = {0};
  char stem[48];
  size_t count = 0, out, in;
  int used;
  for (const char *at = maps; sscanf(at, " %40s %zu %zu%n", stem, &out, &in, &used) == 3; count += 2) {
    for (size_t k = count; k < count + 2; ++k) {
      snprintf(names[k], sizeof names[k], "%s.%s", stem, k == count ? "weight" : "bias");
      shapes[k][0] = out;
      shapes[k][1] = in;
      sources[k] = (fg_tensor_source){names[k], k == count ? 2 : 1, shapes[k], numbers + k, true};
    }
    at += used;
    at += *at == ',';
  }
  if (fg_safetensors_write(scratch(name), sources, count, &st) != FG_OK) fail_msg("%s", st.message);
}

static fg_code from_settings(const char *rows, const fg_target *target, fg_model **model, fg_status *st)
{
  fg_settings *settings;
  char text[2048];
  snprintf(text, sizeof text, "model: {%s%s}\n", strncmp(rows, "kind", 4) ? "kind: network, " : "", rows);
  assert_int_equal(fg_settings_create(&settings, st), FG_OK);
  /* a file, so that model.file is taken relative to its folder */
  if (fg_settings_read(settings, scratch_text("model.yaml", text), st) != FG_OK) fail_msg("%s", st->message);
  fg_code rc = fg_model_from_settings(engine, settings, target, process, model, st);
  fg_settings_destroy(&settings);
  return rc;
}

static void expect_failure(const char *rows, const fg_target *target, fg_code code, const char *text)
{
  fg_model *model;
  fg_status st = {0};
  fg_code rc = from_settings(rows, target, &model, &st);
  if (!strstr(st.message, text)) fail_msg("\"%s\" is not in \"%s\"", text, st.message);
  assert_int_equal(rc, code);
  assert_null(model);
}

/* Score, and phi where there is one, at a few points. */
static void visit(const fg_model *model, double values[12])
{
  fg_status st = {0};
  const double x[6] = {0.1, -0.7, 1.3, 0.2, -2, 0.5}, t[3] = {0.3, 2, 7};
  fg_evaluation out = {.score = values, .divergence = values + 6};
  if (fg_model_quantities(model) & FG_PHI)
    out.phi = values + 9;
  else
    values[9] = values[10] = values[11] = 0;
  assert_int_equal(fg_model_dimension(model), 2);
  if (fg_model_evaluate(model, FG_DOUBLE, 3, t, 3, x, &out, &st) != FG_OK) fail_msg("%s", st.message);
}

static void load(const char *rows, double values[12])
{
  fg_model *model;
  fg_status st = {0};
  if (from_settings(rows, NULL, &model, &st) != FG_OK) fail_msg("%s", st.message);
  visit(model, values);
  fg_model_destroy(&model);
}

/* ---- order ---------------------------------------------------------------------------------- */

static void test_order(void **state)
{
  (void)state;
  double named[12], guessed[12];
  /* numbers as stems, whatever the order in the file */
  write_maps("seq.safetensors", "net.10 1 8, net.2 8 8, net.0 8 3");
  load("file: seq.safetensors, layers: [net.0, net.2, net.10]", named);
  load("file: seq.safetensors", guessed);
  assert_memory_equal(named, guessed, sizeof named);
  write_maps("plain.safetensors", "0 8 3, 4 1 8, 2 8 8");
  load("file: plain.safetensors, layers: ['0', '2', '4']", named);
  load("file: plain.safetensors", guessed);
  assert_memory_equal(named, guessed, sizeof named);
  /* the only chain that the shapes allow */
  write_maps("chain.safetensors", "out 1 9, in 8 3, middle 9 8");
  load("file: chain.safetensors, layers: [in, middle, out]", named);
  load("file: chain.safetensors", guessed);
  assert_memory_equal(named, guessed, sizeof named);
  /* in, out and out, in are both chains; the dimension decides */
  write_maps("ring.safetensors", "out 2 8, in 8 2, e0 5 2, e1 8 5");
#define RING                                                                                                 \
  "file: ring.safetensors, form: vector, embedding: embedded, frequencies: [1], embedding_layers: [e0, e1]"
  load(RING ", layers: [in, out]", named);
  load(RING "}\ntarget: {dimension: 2", guessed);
  assert_memory_equal(named, guessed, sizeof named);
  expect_failure(RING, NULL, FG_USAGE, "fit more than one order");
  write_maps("twins.safetensors", "out 1 8, in 8 3, b 8 8, a 8 8");
  expect_failure("file: twins.safetensors", NULL, FG_USAGE,
                 "fit more than one order; name them in order, for example model.layers: [in, b, a, out]");
  write_maps("apart.safetensors", "out 1 8, in 7 3");
  expect_failure("file: apart.safetensors", NULL, FG_USAGE, "do not follow one another");
  write_maps("none.safetensors", "");
  expect_failure("file: none.safetensors", NULL, FG_USAGE, "no linear map was found");
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void test_shapes(void **state)
{
  (void)state;
  write_maps("a.safetensors", "in 8 3, h 6 8, out 1 6, pair 2 6, wrong 6 7");
  expect_failure(
      "file: a.safetensors, layers: [in, h, last]", NULL, FG_USAGE,
      "there is no tensor last.weight (from model.layers); it holds in.weight [8, 3], in.bias [8]");
  expect_failure(
      "file: a.safetensors, layers: [in, wrong, out]", NULL, FG_USAGE,
      "in.weight [8, 3] gives 8 values but wrong.weight [6, 7] takes 7: check the order in model.layers");
  expect_failure("file: a.safetensors, layers: [in, h, pair]", NULL, FG_USAGE,
                 "pair.weight gives 2 outputs, a potential has 1: set model.form: vector");
  expect_failure("file: a.safetensors, layers: [in, h, out], form: vector", NULL, FG_USAGE,
                 "out.weight gives 1 outputs, a vector form in dimension 2 has 2: set model.form: potential");
  expect_failure("file: a.safetensors, layers: [in, h, out], widths: [3, 8, 6, 2]", NULL, FG_USAGE,
                 "model.widths: entry 4 is 2, in");
  expect_failure("file: a.safetensors, layers: [in, h, out], widths: [3, 8]", NULL, FG_USAGE,
                 "model.widths lists 2 widths");
  expect_failure("file: a.safetensors, layers: [in, h, out], inputs: [x]", NULL, FG_USAGE,
                 "give [t, x] or [x, t]");
  expect_failure(
      "file: a.safetensors, layers: [in, h, out], inputs: [x, t], embedding: fourier, frequencies: [1]", NULL,
      FG_USAGE, "time comes through the embedding alone: give [x]");
  expect_failure("file: a.safetensors, layers: [in, h, out], embedding: fourier", NULL, FG_USAGE,
                 "model.frequencies is empty");
  expect_failure("file: a.safetensors, layers: [in, h, out], embedding: fourier, frequencies: [1, 2]", NULL,
                 FG_USAGE, "takes 3 inputs, of which 4 carry time");
  expect_failure("file: a.safetensors, layers: [in, h, out], embedding: embedded, frequencies: [1, 2]", NULL,
                 FG_USAGE, "model.embedding_layers lists 0 names");
  expect_failure(
      "file: a.safetensors, layers: [in, h, out], embedding: fourier, frequencies: [1, 2], phases: [1]", NULL,
      FG_USAGE, "1 phases for 2 frequencies");
}

static void test_dimension(void **state)
{
  (void)state;
  fg_status st;
  fg_target *target;
  fg_target_settings settings;
  fg_target_defaults(FG_TARGET_GAUSSIAN, &settings);
  settings.dimension = 5;
  assert_int_equal(fg_target_create(&settings, &target, &st), FG_OK);
  write_maps("d.safetensors", "in 8 3, out 1 8");
  expect_failure("file: d.safetensors", target, FG_USAGE,
                 "in.weight takes 3 inputs, of which 1 carry time; the target has dimension 5");
  fg_target_destroy(&target);
}

static void test_files(void **state)
{
  (void)state;
  fg_status st;
  expect_failure("file: ''", NULL, FG_USAGE, "model.file is empty");
  expect_failure("file: nowhere.safetensors", NULL, FG_IO,
                 "nowhere.safetensors: cannot read it: No such file");
  write_maps("cut.safetensors", "in 8 3, out 1 8");
  assert_int_equal(truncate(scratch("cut.safetensors"), 400), 0);
  expect_failure("file: cut.safetensors", NULL, FG_IO, "cut off");
  scratch_text("text.safetensors", "PK this is something else");
  expect_failure("file: text.safetensors", NULL, FG_IO, "not a safetensors file");
  double bad[24] = {0};
  size_t shape[2] = {8, 3}, out[2] = {1, 8}, three = 3;
  bad[7] = NAN;
  fg_tensor_source sources[] = {{"in.weight", 2, shape, bad, true},
                                {"out.weight", 2, out, numbers, true},
                                {"in.bias", 1, &three, numbers, true}};
  assert_int_equal(fg_safetensors_write(scratch("nan.safetensors"), sources, 2, &st), FG_OK);
  expect_failure("file: nan.safetensors", NULL, FG_IO, "tensor in.weight: entry [2, 1] is not finite (nan)");
  bad[7] = -INFINITY;
  assert_int_equal(fg_safetensors_write(scratch("inf.safetensors"), sources, 2, &st), FG_OK);
  expect_failure("file: inf.safetensors", NULL, FG_IO, "tensor in.weight: entry [2, 1] is not finite (-inf)");
  bad[7] = 0;
  assert_int_equal(fg_safetensors_write(scratch("bias.safetensors"), sources, 3, &st), FG_OK);
  expect_failure("file: bias.safetensors", NULL, FG_USAGE,
                 "tensor in.bias has rank 1 and 3 entries, it should have the shape [8]");
  expect_failure("kind: exact", NULL, FG_USAGE, "model.kind: exact is made from a target");
}

static void test_description(void **state)
{
  (void)state;
  fg_status st = {0};
  fg_model *model;
  size_t widths[] = {3, 4, 1};
  const double *weights[] = {numbers, numbers}, *biases[] = {NULL, numbers};
  fg_network_settings s = {.form = FG_POTENTIAL,
                           .activation = FG_TANH,
                           .time = FG_TIME_LAST,
                           .dimension = 2,
                           .layers = 2,
                           .widths = widths,
                           .weights = weights,
                           .biases = biases};
  assert_int_equal(fg_model_network(engine, &s, process, &model, &st), FG_OK);
  fg_model_destroy(&model);
  s.biases = NULL;
  assert_int_equal(fg_model_network(engine, &s, process, &model, &st), FG_OK);
  fg_model_destroy(&model);
  s.activation = FG_SOFTPLUS;
  assert_int_equal(fg_model_network(engine, &s, process, &model, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "softplus with beta 0"));
  s.activation = FG_SINE;
  s.layers = 13;
  assert_int_equal(fg_model_network(engine, &s, process, &model, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "13 linear maps, 1 to 12"));
  s.layers = 2;
  s.dimension = 3;
  assert_int_equal(fg_model_network(engine, &s, process, &model, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "takes 3 inputs, dimension 3 with its time input needs 4"));
  s.dimension = 2;
  double bad[12] = {0};
  bad[11] = INFINITY;
  weights[0] = bad;
  assert_int_equal(fg_model_network(engine, &s, process, &model, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "entry 11 of the weights of layer 1 is not finite"));
  assert_null(model);
}

/* ---- checkpoints ------------------------------------------------------------------------------ */

static void check_round_trip(const char *rows)
{
  double before[12], after[12], again[12];
  fg_model *model;
  fg_status st = {0};
  if (from_settings(rows, NULL, &model, &st) != FG_OK) fail_msg("%s", st.message);
  visit(model, before);
  if (fg_model_save(model, scratch("check.h5"), &st) != FG_OK) fail_msg("%s", st.message);
  fg_model_destroy(&model);
  if (from_settings("file: check.h5", NULL, &model, &st) != FG_OK) fail_msg("%s", st.message);
  visit(model, after);
  assert_memory_equal(before, after, sizeof before); /* bit for bit */
  if (fg_model_save(model, scratch("second.h5"), &st) != FG_OK) fail_msg("%s", st.message);
  fg_model_destroy(&model);
  load("file: second.h5", again);
  assert_memory_equal(before, again, sizeof before);
}

static void test_checkpoints(void **state)
{
  (void)state;
  write_maps("p.safetensors", "in 8 3, h 6 8, out 1 6");
  check_round_trip(
      "file: p.safetensors, layers: [in, h, out], activation: softplus, beta: 7.5, threshold: 3");
  check_round_trip(
      "file: p.safetensors, layers: [in, h, out], activation: silu, inputs: [x, t], time_reversed: true");
  write_maps("f.safetensors", "in 8 6, out 2 8");
  check_round_trip("file: f.safetensors, form: vector, output: noise, activation: gelu, embedding: fourier, "
                   "inputs: [x], frequencies: [0.1, 0.7]");
  write_maps("e.safetensors", "in 8 2, out 2 8, e0 5 6, e1 8 5");
  check_round_trip("file: e.safetensors, layers: [in, out], form: vector, output: control, activation: sine, "
                   "embedding: embedded, "
                   "inputs: [x], frequencies: [0.1, 0.7, 3], phases: [0, 1, 2], embedding_layers: [e0, e1]");
}

static void test_bad_checkpoints(void **state)
{
  (void)state;
  fg_status st = {0};
  fg_model *model;
  fg_samples samples = {.n = 1, .d = 1, .x = numbers};
  fg_target *target;
  fg_target_settings settings;
  write_maps("p.safetensors", "in 8 3, out 1 8");
  assert_int_equal(from_settings("file: p.safetensors, activation: tanh", NULL, &model, &st), FG_OK);
  assert_int_equal(fg_model_save(model, scratch("t.h5"), &st), FG_OK);
  assert_int_equal(fg_model_save(model, scratch("none/t.h5"), &st), FG_IO);
  fg_model_destroy(&model);
  expect_failure("file: t.h5, activation: gelu", NULL, FG_USAGE,
                 "model.activation is gelu, but the checkpoint");
  fg_target_defaults(FG_TARGET_GAUSSIAN, &settings);
  settings.dimension = 3;
  assert_int_equal(fg_target_create(&settings, &target, &st), FG_OK);
  expect_failure("file: t.h5", target, FG_USAGE, "its network has dimension 2, the target gaussian has 3");
  assert_int_equal(fg_samples_write(scratch("s.h5"), &samples, &st), FG_OK);
  expect_failure("file: s.h5", NULL, FG_IO, "no flowgap network");
  assert_int_equal(truncate(scratch("t.h5"), 3000), 0);
  expect_failure("file: t.h5", NULL, FG_IO, "cut off or damaged");
  assert_int_equal(fg_model_exact(engine, target, process, &model, &st), FG_OK);
  assert_int_equal(fg_model_save(model, scratch("x.h5"), &st), FG_UNSUPPORTED);
  assert_non_null(strstr(st.message, "kind exact has no weights"));
  fg_model_destroy(&model);
  fg_target_destroy(&target);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),           cmocka_unit_test(test_shapes),
      cmocka_unit_test(test_dimension),       cmocka_unit_test(test_files),
      cmocka_unit_test(test_description),     cmocka_unit_test(test_checkpoints),
      cmocka_unit_test(test_bad_checkpoints),
  };
  return cmocka_run_group_tests(tests, open_all, close_all);
}

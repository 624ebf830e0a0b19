/* needs: train */
/* The numbers of each step and of both ends, the rate schedules and Adam, against those that PyTorch worked with
 * (tests/parity/make_train_fixtures.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/train_case.h"
#include "train/steps.h"

static fg_train_method method_of(const char *line)
{
  return train_is(line, "method", "dis")   ? FG_TRAIN_DIS
         : train_is(line, "method", "dds") ? FG_TRAIN_DDS
                                           : FG_TRAIN_PIS;
}

static fg_process *process_of(const char *line)
{
  fg_process_settings s;
  fg_process *process;
  fg_status st = {0};
  bool vp = train_is(line, "process", "vp");
  fg_process_defaults(vp ? FG_PROCESS_VP : FG_PROCESS_PINNED, &s);
  s.horizon = train_number(line, "horizon");
  if (vp) {
    s.beta_min = train_number(line, "beta_min");
    s.beta_max = train_number(line, "beta_max");
    s.scale = train_number(line, "scale");
  } else {
    s.diff = train_number(line, "diff");
    s.pin = train_number(line, "pin");
  }
  if (fg_process_create(&s, &process, &st) != FG_OK) fail_msg("%s", st.message);
  return process;
}

static fg_prior *prior_of(const char *line, const fg_process *process)
{
  double variance = train_number(line, "prior_variance");
  fg_prior_settings s = {variance > 0 ? FG_PRIOR_GAUSSIAN : FG_PRIOR_POINT, variance, 0};
  fg_prior *prior;
  fg_status st = {0};
  if (fg_prior_create(&s, (size_t)train_number(line, "d"), process, NULL, &prior, &st) != FG_OK)
    fail_msg("%s", st.message);
  return prior;
}

/* Rounding of a few operations; where the fixture takes a difference of nearly equal numbers (expm1 here), its error
 * over a step of B = 0.02 is 1e-16 / 0.02. */
static void expect(const char *name, const char *what, size_t k, double got, double expected)
{
  if (!(fabs(got - expected) <= 2e-14 * fmax(1e-2, fabs(expected))))
    fail_msg("%s, %s %zu: %.17g, PyTorch has %.17g", name, what, k, got, expected);
}

static void check_steps(const char *name, const char *line, const fg_process *process)
{
  size_t count;
  double *times = train_stored(name, "times", &count), *stored = train_stored(name, "step", &count);
  fg_train_integrator integrator =
      train_is(line, "integrator", "exponential") ? FG_TRAIN_EXPONENTIAL : FG_TRAIN_EULER;
  for (size_t k = 0; k < count / 8; k++) {
    fg_path_step s = fg_path_step_between(process, method_of(line), integrator,
                                          (size_t)train_number(line, "d"), times[k], times[k + 1]);
    const double got[8] = {s.keep, s.push, s.spread, s.time, s.root, s.drift, s.back, s.back_variance};
    for (size_t i = 0; i < 8; i++) expect(name, "number", 8 * k + i, got[i], stored[8 * k + i]);
  }
  free(times);
  free(stored);
}

static void check_ends(const char *name, const char *line, const fg_process *process)
{
  size_t count;
  double *stored = train_stored(name, "ends", &count);
  fg_prior *prior = prior_of(line, process);
  fg_prior_view view = fg_prior_look(prior);
  assert_int_equal(count, 8);
  for (int form = 0; form < 2; form++) {
    fg_path_ends e = fg_path_ends_of(process, &view, method_of(line), (fg_train_form)form,
                                     (size_t)train_number(line, "d"));
    const double got[4] = {e.start, e.start_precision, e.end, e.end_precision};
    for (size_t i = 0; i < 4; i++)
      expect(name, "end", 4 * (size_t)form + i, got[i], stored[4 * form + (int)i]);
  }
  fg_prior_destroy(&prior);
  free(stored);
}

static void test_steps(void **state)
{
  (void)state;
  char line[1024], name[64];
  int cases = 0;
  FILE *list = fopen(TRAIN_FOLDER "/train.txt", "r");
  assert_non_null(list);
  while (fgets(line, sizeof line, list)) {
    if (sscanf(line, "case %63s", name) != 1) continue;
    fg_process *process = process_of(line);
    check_steps(name, line, process);
    check_ends(name, line, process);
    fg_process_destroy(&process);
    cases++;
  }
  fclose(list);
  assert_true(cases >= 20);
}

/* ---- Adam: the 40 numbers are the weights of a network 2 -> 10 -> 1 of x and t, whose last bias stays 0 ---------- */

enum { HIDDEN = 10, NUMBERS = 40, STEPS = 50 };

typedef struct adam_net {
  fg_network_settings settings;
  size_t widths[3];
  double number[NUMBERS], bias;
  const double *weights[2], *biases[2];
} adam_net;

static void adam_net_fill(adam_net *a)
{
  memset(a, 0, sizeof *a);
  fg_network_settings *s = &a->settings;
  s->form = FG_VECTOR;
  s->activation = FG_GELU;
  s->time = FG_TIME_LAST;
  s->dimension = 1;
  s->layers = 2;
  a->widths[0] = 2;
  a->widths[1] = HIDDEN;
  a->widths[2] = 1;
  a->weights[0] = a->number;
  a->biases[0] = a->number + 2 * HIDDEN;
  a->weights[1] = a->number + 3 * HIDDEN;
  a->biases[1] = &a->bias;
  s->widths = a->widths;
  s->weights = a->weights;
  s->biases = a->biases;
}

typedef struct adam_case {
  char name[64];
  fg_engine *engine;
  fg_precision precision;
  fg_field field;
  adam_net now, gradient;
  fg_buf buffer[5]; /* weights, gradient, first, second, average */
  double error;
} adam_case;

static size_t adam_bytes(const adam_case *c)
{
  return fg_network_pack_size(&c->field) * (c->precision == FG_SINGLE ? sizeof(float) : sizeof(double));
}

static void adam_upload(adam_case *c, fg_buf to, const adam_net *from)
{
  fg_status st;
  void *host = malloc(adam_bytes(c));
  assert_non_null(host);
  if (c->precision == FG_SINGLE)
    fg_network_pack_single(&c->field, &from->settings, host);
  else
    fg_network_pack(&c->field, &from->settings, host);
  assert_int_equal(c->engine->ops->upload(c->engine, to, 0, host, adam_bytes(c), &st), FG_OK);
  free(host);
}

/* The buffer into the arrays of `to`; its copies of weights must be those of a fresh pack. */
static void adam_download(adam_case *c, fg_buf from, adam_net *to)
{
  fg_status st;
  void *host = malloc(adam_bytes(c)), *fresh = malloc(adam_bytes(c));
  assert_true(host && fresh);
  assert_int_equal(c->engine->ops->download(c->engine, host, from, 0, adam_bytes(c), &st), FG_OK);
  if (c->precision == FG_SINGLE) {
    fg_network_unpack_single(&c->field, host, &to->settings);
    fg_network_pack_single(&c->field, &to->settings, fresh);
  } else {
    fg_network_unpack(&c->field, host, &to->settings);
    fg_network_pack(&c->field, &to->settings, fresh);
  }
  assert_memory_equal(host, fresh, adam_bytes(c));
  free(host);
  free(fresh);
}

static void adam_open(adam_case *c, fg_engine *engine, fg_precision precision)
{
  fg_status st = {0};
  fg_field_network *net = &c->field.as.network;
  c->engine = engine;
  c->precision = precision;
  adam_net_fill(&c->now);
  adam_net_fill(&c->gradient);
  c->field.kind = FG_FIELD_NETWORK;
  c->field.d = 1;
  net->form = FG_VECTOR;
  net->activation = FG_GELU;
  net->time = FG_TIME_LAST;
  net->layers = 2;
  for (int l = 0; l < 3; l++) net->width[l] = (int)c->now.widths[l];
  for (int j = 0; j < NUMBERS; j++) c->now.number[j] = sin(0.7 * j);
  for (int i = 0; i < 5; i++) {
    if (engine->ops->alloc(engine, adam_bytes(c), &c->buffer[i], &st) != FG_OK) fail_msg("%s", st.message);
    assert_int_equal(engine->ops->zero(engine, c->buffer[i], &st), FG_OK);
  }
  adam_upload(c, c->buffer[0], &c->now);
  adam_upload(c, c->buffer[4], &c->now);
}

static void adam_gradient(adam_case *c, int k)
{
  for (int i = 0; i < NUMBERS; i++) {
    double sum = sin(0.5 * (k + 1) + 0.2 * i);
    for (int j = 0; j < NUMBERS; j++)
      sum += ((i == j ? 0.5 : 0) + 0.1 * cos(0.3 * (i + 1) * (j + 1))) * c->now.number[j];
    c->gradient.number[i] = (k % 2 ? 0.01 : 1) * sum;
  }
  adam_upload(c, c->buffer[1], &c->gradient);
}

static void adam_compare(adam_case *c, const char *quantity, fg_buf buf, int row)
{
  size_t count;
  double *stored = train_stored(c->name, quantity, &count);
  adam_net got;
  adam_net_fill(&got);
  assert_int_equal(count, 5 * NUMBERS);
  adam_download(c, buf, &got);
  assert_true(got.bias == 0);
  for (int j = 0; j < NUMBERS; j++)
    c->error = fmax(c->error, fabs(got.number[j] - stored[row * NUMBERS + j]));
  free(stored);
}

static fg_train_settings adam_settings(const char *line)
{
  fg_train_settings s;
  fg_train_defaults(FG_TRAIN_DIS, &s);
  s.steps = STEPS;
  s.rate = train_number(line, "rate");
  s.schedule = train_is(line, "schedule", "step")          ? FG_RATE_STEP
               : train_is(line, "schedule", "exponential") ? FG_RATE_EXPONENTIAL
               : train_is(line, "schedule", "cosine")      ? FG_RATE_COSINE
                                                           : FG_RATE_CONSTANT;
  s.rate_factor = train_number(line, "factor");
  s.rate_every = (uint64_t)train_number(line, "every");
  s.rate_end = train_number(line, "end_ratio");
  return s;
}

static double run_adam(const char *line, fg_engine *engine, fg_precision precision)
{
  adam_case c;
  fg_status st = {0};
  size_t count;
  memset(&c, 0, sizeof c);
  assert_int_equal(sscanf(line, "adam %63s", c.name), 1);
  adam_open(&c, engine, precision);
  fg_train_settings s = adam_settings(line);
  double *rates = train_stored(c.name, "rate", &count), *norms = train_stored(c.name, "norm", &count);
  for (int k = 0; k < STEPS; k++) {
    fg_optimise_request r = {.precision = precision,
                             .weights = c.buffer[0],
                             .gradient = c.buffer[1],
                             .first = c.buffer[2],
                             .second = c.buffer[3],
                             .average = c.buffer[4],
                             .rate = fg_train_rate(&s, (uint64_t)k),
                             .beta1 = 0.9,
                             .beta2 = 0.999,
                             .epsilon = 1e-8,
                             .decay = train_number(line, "decay"),
                             .ema = train_number(line, "ema"),
                             .max_norm = train_number(line, "max_norm"),
                             .number = (uint64_t)k + 1};
    adam_gradient(&c, k);
    if (engine->ops->optimise(engine, engine->threads, &c.field, &r, &st) != FG_OK)
      fail_msg("%s", st.message);
    adam_download(&c, c.buffer[0], &c.now);
    c.error = fmax(c.error, fabs(r.norm / norms[k] - 1));
    assert_true(fabs(r.rate / rates[k] - 1) < 1e-14);
    if (k % 10 != 9) continue;
    adam_compare(&c, "weights", c.buffer[0], k / 10);
    adam_compare(&c, "average", c.buffer[4], k / 10);
  }
  for (int i = 0; i < 5; i++) engine->ops->free(engine, &c.buffer[i]);
  free(rates);
  free(norms);
  return c.error;
}

/* Weights are of the order of 1. A step divides rounding of the gradient, sums of 40 numbers, by its size: some ten
 * epsilon each, and 50 steps add up; every step feeds the next through a gradient of slope 1. */
static void test_adam(void **state)
{
  (void)state;
  static const double tolerance[2] = {1e-13, 5e-6};
  static const char *const engines[] = {"cpu", "cpu-check"};
  char line[1024];
  int cases = 0;
  for (int e = 0; e < 2; e++) {
    fg_engine *engine;
    fg_status st = {0};
    if (fg_engine_open(engines[e], 2, &engine, &st) != FG_OK) fail_msg("%s", st.message);
    FILE *list = fopen(TRAIN_FOLDER "/train.txt", "r");
    assert_non_null(list);
    while (fgets(line, sizeof line, list)) {
      if (strncmp(line, "adam ", 5) != 0) continue;
      for (int precision = 0; precision < 2; precision++) {
        double error = run_adam(line, engine, (fg_precision)precision);
        print_message("%.25s %d: %.2g\n", line, precision, error);
        assert_true(error < tolerance[precision]);
      }
      cases++;
    }
    fclose(list);
    fg_engine_close(&engine);
  }
  assert_int_equal(cases, 8);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps), cmocka_unit_test(test_adam)};
  return cmocka_run_group_tests(tests, train_open, train_close);
}

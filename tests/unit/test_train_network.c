/* needs: train */
/* Initial weights, and one step of the optimiser on a control network: what it trains, what it leaves alone. */
#include "support/sampler_case.h"

#include "engine.h"
#include "network_pack.h"
#include "model/model.h"
#include "train/network.h"

typedef struct net_case {
  sampler_case sampler;
  fg_train_network network;
  fg_model *model;
  fg_field field;
  size_t packed;
} net_case;

static void net_open(net_case *c, fg_network_form form, uint64_t seed)
{
  sampler_open(&c->sampler, FG_TRAIN_DIS, sampler_target(FG_TARGET_GAUSSIAN, 3, 1), 1);
  fg_train_settings *s = &c->sampler.settings;
  s->seed = seed;
  s->control = form;
  s->hidden[0] = 33; /* not a multiple of anything, and two panels */
  s->hidden[1] = 90;
  s->embedding_width = 21;
  s->frequencies = 11;
  SAMPLER_OK(
      fg_train_network_create(s, c->sampler.process, c->sampler.prior, 3, &c->network, &sampler_status));
  SAMPLER_OK(fg_model_control(c->sampler.engine, &c->network.settings, c->sampler.target, c->sampler.process,
                              &c->model, &sampler_status));
  c->field = *fg_model_field(c->model);
  c->packed = fg_network_pack_size(&c->field);
}

static void net_close(net_case *c)
{
  fg_model_destroy(&c->model);
  fg_train_network_clear(&c->network);
  sampler_close(&c->sampler);
}

/* U(-b, b) has variance b^2/3; its sample of n numbers is off by b^2 sqrt(4/(45 n)), five times that allowed. */
static void expect_uniform(const double *x, size_t n, size_t inputs)
{
  double bound = 1 / sqrt((double)inputs), sum = 0;
  for (size_t k = 0; k < n; k++) {
    assert_true(fabs(x[k]) < bound);
    sum += x[k] * x[k];
  }
  double away = sum / (double)n / (bound * bound) - 1.0 / 3;
  assert_true(fabs(away) < 5 * sqrt(4 / (45.0 * (double)n)));
}

static void test_initial(void **state)
{
  (void)state;
  net_case c, other;
  net_open(&c, FG_VECTOR, 1);
  net_open(&other, FG_VECTOR, 2);
  const fg_network_settings *s = &c.network.settings;
  expect_uniform(s->weights[1], 33 * 90, 33);
  expect_uniform(s->biases[1], 90, 33);
  expect_uniform(s->embedding_weights[0], 21 * 22, 22);
  expect_uniform(s->factor_weights[1], 21 * 21, 21);
  for (int k = 0; k < 3 * 90; k++) assert_true(s->weights[2][k] == 0);
  for (int k = 0; k < 21; k++) assert_true(s->factor_weights[3][k] == 0);
  assert_true(s->factor_biases[3][0] == 1 && s->biases[2][0] == 0);
  assert_true(s->frequency[0] == 0.1 && fabs(s->frequency[10] - 100) < 1e-13);
  assert_true(s->phase[0] != s->factor_phase[0]);
  assert_true(s->weights[1][5] != other.network.settings.weights[1][5]);
  net_close(&c);
  net_close(&other);
}

static fg_buf filled(const net_case *c, const double *values)
{
  fg_buf buf;
  const fg_engine_ops *ops = c->sampler.engine->ops;
  SAMPLER_OK(ops->alloc(c->sampler.engine, c->packed * sizeof *values, &buf, &sampler_status));
  SAMPLER_OK(ops->zero(c->sampler.engine, buf, &sampler_status));
  if (values)
    SAMPLER_OK(ops->upload(c->sampler.engine, buf, 0, values, c->packed * sizeof *values, &sampler_status));
  return buf;
}

/* A gradient that is 1 wherever a gradient may be, padding and copies too: every weight moves by the rate, the
 * frequencies stay, and the pack is that of the new weights to the bit: copies refreshed, padding 0. */
static void test_step(void **state)
{
  (void)state;
  for (int form = 0; form < 2; form++) {
    net_case c, moved;
    net_open(&c, (fg_network_form)form, 1);
    net_open(&moved, (fg_network_form)form, 1);
    double *pack = malloc(c.packed * sizeof *pack), *ones = malloc(c.packed * sizeof *ones);
    assert_true(pack && ones);
    fg_network_pack(&c.field, &c.network.settings, pack);
    for (size_t k = 0; k < c.packed; k++) ones[k] = 1;
    fg_buf weights = filled(&c, pack), gradient = filled(&c, ones), first = filled(&c, NULL),
           second = filled(&c, NULL);
    fg_optimise_request r = {.precision = FG_DOUBLE,
                             .weights = weights,
                             .gradient = gradient,
                             .first = first,
                             .second = second,
                             .rate = 0.125,
                             .beta1 = 0.9,
                             .beta2 = 0.999,
                             .epsilon = 1e-30,
                             .max_norm = INFINITY,
                             .number = 1};
    const fg_engine_ops *ops = c.sampler.engine->ops;
    SAMPLER_OK(ops->optimise(c.sampler.engine, NULL, &c.field, &r, &sampler_status));
    SAMPLER_OK(ops->download(c.sampler.engine, pack, weights, 0, c.packed * sizeof *pack, &sampler_status));
    fg_network_unpack(&moved.field, pack, &moved.network.settings);
    fg_network_pack(&moved.field, &moved.network.settings, ones);
    assert_memory_equal(pack, ones, c.packed * sizeof *pack);
    const fg_network_settings *a = &c.network.settings, *b = &moved.network.settings;
    size_t out = form == FG_POTENTIAL ? 1 : 3;
    double trained = 0;
    for (size_t k = 0; k < 33 * 90; k++)
      assert_true(fabs(b->weights[1][k] - a->weights[1][k] + 0.125) < 1e-12);
    for (size_t k = 0; k < 90 * out; k++) assert_true(fabs(b->weights[2][k] + 0.125) < 1e-12);
    for (size_t k = 0; k < 11; k++) {
      assert_true(b->frequency[k] == a->frequency[k] && b->factor_frequency[k] == a->factor_frequency[k]);
      assert_true(fabs(b->phase[k] - a->phase[k] + 0.125) < 1e-12);
      assert_true(fabs(b->factor_phase[k] - a->factor_phase[k] + 0.125) < 1e-12);
    }
    assert_true(fabs(b->factor_biases[3][0] - 0.875) < 1e-12);
    /* maps, embedding (phases, two maps), factor (phases, four maps) */
    trained += 3 * 33 + 33 + 33 * 90 + 90 + 90 * (double)out + (double)out;
    trained += 11 + 22 * 21 + 21 + 21 * 33 + 33;
    trained += 11 + 22 * 21 + 21 + 2 * (21 * 21 + 21) + 21 + 1;
    assert_true(fabs(r.norm - sqrt(trained)) < 1e-12 * r.norm);
    fg_buf *bufs[] = {&weights, &gradient, &first, &second};
    for (int k = 0; k < 4; k++) ops->free(c.sampler.engine, bufs[k]);
    free(pack);
    free(ones);
    net_close(&c);
    net_close(&moved);
  }
}

/* A gradient that is not finite changes nothing. */
static void test_not_finite(void **state)
{
  (void)state;
  net_case c;
  net_open(&c, FG_VECTOR, 1);
  double *pack = malloc(c.packed * sizeof *pack), *after = malloc(c.packed * sizeof *after);
  assert_true(pack && after);
  fg_network_pack(&c.field, &c.network.settings, pack);
  for (size_t k = 0; k < c.packed; k++) after[k] = k == 5 ? NAN : 1;
  fg_buf weights = filled(&c, pack), gradient = filled(&c, after), first = filled(&c, NULL),
         second = filled(&c, NULL);
  fg_optimise_request r = {
      .weights = weights, .gradient = gradient, .first = first, .second = second, .number = 9};
  const fg_engine_ops *ops = c.sampler.engine->ops;
  assert_int_equal(ops->optimise(c.sampler.engine, NULL, &c.field, &r, &sampler_status), FG_NUMERICS);
  assert_non_null(strstr(sampler_status.message, "at step 9"));
  SAMPLER_OK(ops->download(c.sampler.engine, after, weights, 0, c.packed * sizeof *pack, &sampler_status));
  assert_memory_equal(pack, after, c.packed * sizeof *pack);
  fg_buf *bufs[] = {&weights, &gradient, &first, &second};
  for (int k = 0; k < 4; k++) ops->free(c.sampler.engine, bufs[k]);
  free(pack);
  free(after);
  net_close(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_initial), cmocka_unit_test(test_step),
                                     cmocka_unit_test(test_not_finite)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

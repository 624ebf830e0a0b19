/* The network kernels against the reference, for the instruction set and precision of the including file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/network_reference.h"

#include "cpu/matmul.h"
#include "body/network.h"
#include "network_pack.h"

enum { POINTS = 64, GUARD = 16, MOST_LAYERS = FG_LAYERS_MAX };

static const double case_horizon = 2.5;
static unsigned case_seed = 1;

/* Uniform on (-1, 1), rounded to float: weights of float networks then pack without error. */
static double draw(void)
{
  case_seed = case_seed * 1664525u + 1013904223u;
  return (float)((case_seed >> 8) / 8388608.0 - 1);
}

static double *draws(size_t count, double scale)
{
  double *x = malloc(count * sizeof *x);
  assert_non_null(x);
  for (size_t k = 0; k < count; k++) x[k] = (float)(scale * draw());
  return x;
}

typedef struct net_case {
  fg_network_settings settings;
  size_t widths[MOST_LAYERS + 1];
  double *weights[MOST_LAYERS], *biases[MOST_LAYERS];
  double frequency[5], phase[5];
  double *embedding[2], *embedding_bias[2];
  fg_field field;
} net_case;

static void net_open(net_case *c, fg_network_form form, fg_activation activation, fg_time_input time,
                     size_t d, size_t layers, const size_t *hidden)
{
  memset(c, 0, sizeof *c);
  fg_network_settings *s = &c->settings;
  s->form = form;
  s->activation = activation;
  s->beta = activation == FG_SOFTPLUS && d % 2 == 0 ? 100 : 1;
  s->threshold = layers % 2 ? 20 : 0;
  s->time = time;
  s->time_reversed = (d + time) % 2;
  s->output = form == FG_POTENTIAL ? FG_OUTPUT_SCORE : (fg_network_output)(d % 3);
  s->dimension = d;
  s->layers = layers;
  s->frequencies = time >= FG_TIME_FOURIER ? 5 : 0;
  s->embedding_width = 19;
  c->widths[0] = d + (time <= FG_TIME_LAST ? 1 : time == FG_TIME_FOURIER ? 10 : 0);
  for (size_t l = 1; l < layers; l++) c->widths[l] = hidden[l - 1];
  c->widths[layers] = form == FG_POTENTIAL ? 1 : d;
  for (size_t l = 0; l < layers; l++) {
    c->weights[l] = draws(c->widths[l] * c->widths[l + 1], 2 / sqrt((double)c->widths[l]));
    c->biases[l] = l == 1 ? NULL : draws(c->widths[l + 1], 0.5);
  }
  for (int j = 0; j < 5; j++) {
    c->frequency[j] = 0.1 + 1.37 * j;
    c->phase[j] = 0.3 * j;
  }
  c->embedding[0] = draws(19 * 10, 0.4);
  c->embedding[1] = draws(19 * c->widths[1], 0.4);
  c->embedding_bias[0] = draws(19, 0.5);
  c->embedding_bias[1] = draws(c->widths[1], 0.5);
  s->widths = c->widths;
  s->weights = (const double *const *)c->weights;
  s->biases = (const double *const *)c->biases;
  s->frequency = c->frequency;
  s->phase = time == FG_TIME_EMBEDDED ? c->phase : NULL;
  for (int k = 0; k < 2; k++) {
    s->embedding_weights[k] = c->embedding[k];
    s->embedding_biases[k] = c->embedding_bias[k];
  }
  fg_field_network *net = &c->field.as.network;
  c->field.kind = FG_FIELD_NETWORK;
  c->field.d = (int)d;
  net->form = form;
  net->output = s->output;
  net->activation = activation;
  net->time = time;
  net->time_reversed = s->time_reversed;
  net->beta = s->beta;
  net->threshold = s->threshold;
  net->horizon = case_horizon;
  net->layers = (int)layers;
  for (size_t l = 0; l <= layers; l++) net->width[l] = (int)c->widths[l];
  net->frequencies = (int)s->frequencies;
  net->embedding_width = time == FG_TIME_EMBEDDED ? 19 : 0;
  size_t count = fg_network_pack_size(&c->field);
  fg_real *packed = malloc(count * sizeof *packed);
  assert_non_null(packed);
#ifdef FG_SINGLE
  fg_network_pack_single(&c->field, s, packed);
  net->packed_single.device = packed;
#else
  fg_network_pack(&c->field, s, packed);
  net->packed_double.device = packed;
#endif
}

static void net_close(net_case *c)
{
  for (int l = 0; l < MOST_LAYERS; l++) {
    free(c->weights[l]);
    free(c->biases[l]);
  }
  for (int k = 0; k < 2; k++) {
    free(c->embedding[k]);
    free(c->embedding_bias[k]);
  }
  free(c->field.as.network.packed_single.device);
  free(c->field.as.network.packed_double.device);
}

/* Outputs in one array with guards between, so that a write past an end shows. */
typedef struct net_out {
  fg_real room[3 * POINTS + 2 * JET_D * POINTS + 6 * GUARD];
  fg_real *phi, *phi_t, *divergence, *score, *jvp;
} net_out;

static const fg_real guard_value = 12345;

static void out_open(net_out *o, int p, int d)
{
  for (size_t k = 0; k < sizeof o->room / sizeof *o->room; k++) o->room[k] = guard_value;
  o->phi = o->room + GUARD;
  o->phi_t = o->phi + p + GUARD;
  o->divergence = o->phi_t + p + GUARD;
  o->score = o->divergence + p + GUARD;
  o->jvp = o->score + p * d + GUARD;
}

static void expect_guard(const fg_real *x, int count)
{
  for (int k = 0; k < count; k++) assert_true(x[k] == guard_value);
}

static double largest_error[2]; /* 0: in units of the tolerance, 1: relative */

/* |got - expected| within tolerance of the quantity's largest magnitude over the tile, or of `least` where
 * that is more. */
static void expect_close(const char *what, const net_case *c, int count, const fg_real *got,
                         const long double *expected, double least, double tolerance)
{
  long double top = least;
  for (int k = 0; k < count; k++) top = fmaxl(top, fabsl(expected[k]));
  for (int k = 0; k < count; k++) {
    long double error = top > 0 ? fabsl(got[k] - expected[k]) / top : fabsl((long double)got[k]);
    if (error > largest_error[1]) largest_error[1] = (double)error;
    if (error / tolerance > largest_error[0]) largest_error[0] = (double)(error / tolerance);
    if (!(error <= tolerance))
      fail_msg("%s[%d]: %.17g, expected %.17Lg (error %.3Lg of the largest, form %d activation %d time %d d "
               "%zu layers %zu)",
               what, k, (double)got[k], expected[k], error, c->settings.form, c->settings.activation,
               c->settings.time, c->settings.dimension, c->settings.layers);
  }
}

typedef struct net_expected {
  long double phi[POINTS], phi_t[POINTS], divergence[POINTS], score[JET_D * POINTS], jvp[JET_D * POINTS];
} net_expected;

static void expect_of(const net_case *c, int p, const fg_real *x, const fg_real *v, const fg_coeff *coeff,
                      int own_time, net_expected *e)
{
  const size_t d = c->settings.dimension;
  for (int i = 0; i < p; i++) {
    double point[JET_D];
    jet out[JET_D];
    const fg_coeff *at = own_time ? &coeff[i] : coeff;
    for (size_t j = 0; j < d; j++) point[j] = x[j * p + i];
    reference_network(&c->settings, case_horizon, point, at->t, out);
    e->divergence[i] = 0;
    if (c->settings.form == FG_POTENTIAL) {
      e->phi[i] = out[0].value;
      e->phi_t[i] = out[0].t;
    }
    const long double scale = c->settings.output == FG_OUTPUT_NOISE     ? -1 / sqrtl(at->v)
                              : c->settings.output == FG_OUTPUT_CONTROL ? 1 / sqrtl(at->g2)
                                                                        : 1;
    for (size_t j = 0; j < d; j++) {
      const int potential = c->settings.form == FG_POTENTIAL;
      e->score[j * p + i] = potential ? out[0].x[j] : scale * out[j].value;
      e->divergence[i] += potential ? out[0].xx[j][j] : scale * out[j].x[j];
      long double jv = 0;
      for (size_t m = 0; m < d; m++) jv += (potential ? out[0].xx[j][m] : scale * out[j].x[m]) * v[m * p + i];
      e->jvp[j * p + i] = jv;
    }
  }
}

/* Scratch starts as NaN: what is read before it is written shows. */
static void run_tile(const net_case *c, int p, unsigned want, const fg_real *x, const fg_real *v,
                     const fg_coeff *coeff, int own_time, net_out *o)
{
  const int d = c->field.d, row = fg_network_row_size(&c->field);
  const size_t scratch = fg_network_scratch(&c->field, p, want),
               rows = (size_t)row * (own_time ? (size_t)p : 1);
  fg_real *row_room = aligned_alloc(64, (rows * sizeof(fg_real) + 63) / 64 * 64);
  fg_real *room = aligned_alloc(64, ((scratch + GUARD) * sizeof(fg_real) + 63) / 64 * 64);
  assert_non_null(row_room);
  assert_non_null(room);
  for (size_t k = 0; k < rows; k++) row_room[k] = (fg_real)NAN;
  for (size_t k = 0; k < scratch; k++) room[k] = (fg_real)NAN;
  for (size_t k = 0; k < GUARD; k++) room[scratch + k] = guard_value;
  for (int i = 0; i < (own_time ? p : 1); i++)
    fg_network_row(&c->field, &coeff[i], want, row_room + (size_t)i * row);
  out_open(o, p, d);
  fg_tile tile = {
      .p = p, .want = want, .x = x, .row = row_room, .row_stride = own_time ? row : 0, .scratch = room};
  if (want & FG_JVP) tile.v = v;
  if (want & FG_JVP) tile.jvp = o->jvp;
  if (want & FG_PHI) tile.phi = o->phi;
  if (want & FG_PHI_T) tile.phi_t = o->phi_t;
  if (want & FG_SCORE) tile.score = o->score;
  if (want & FG_DIVERGENCE) tile.divergence = o->divergence;
  fg_network_tile(&c->field, &tile);
  expect_guard(room + scratch, GUARD);
  expect_guard(o->phi - GUARD, GUARD);
  expect_guard(o->phi + p, GUARD);
  expect_guard(o->phi_t + p, GUARD);
  expect_guard(o->divergence + p, GUARD);
  expect_guard(o->score + p * d, GUARD);
  expect_guard(o->jvp + p * d, GUARD);
  free(row_room);
  free(room);
}

/* Rounding of a pre-activation, about 4 epsilon, is multiplied by beta in a softplus slope and again in its
 * bend; a layer adds its share. First derivatives: factor 1; second: factor 4. */
static double tolerance_of(const net_case *c, int second)
{
#ifdef FG_SINGLE
  const double unit = 1.2e-6;
#else
  const double unit = 2.5e-15;
#endif
  const double steep = c->settings.activation == FG_SOFTPLUS ? 1 + c->settings.beta / 10 : 1;
  return unit * (double)c->settings.layers * steep * (second ? 4 : 1);
}

static void check_case(net_case *c, int p, int own_time)
{
  static const unsigned potential[] = {FG_PHI,
                                       FG_SCORE,
                                       FG_PHI | FG_SCORE,
                                       FG_PHI_T,
                                       FG_SCORE | FG_PHI_T,
                                       FG_DIVERGENCE,
                                       FG_SCORE | FG_DIVERGENCE,
                                       FG_JVP,
                                       FG_SCORE | FG_JVP,
                                       FG_PHI | FG_PHI_T | FG_SCORE | FG_DIVERGENCE,
                                       FG_DIVERGENCE | FG_JVP,
                                       FG_PHI | FG_PHI_T | FG_SCORE | FG_DIVERGENCE | FG_JVP};
  static const unsigned vector[] = {FG_SCORE,
                                    FG_DIVERGENCE,
                                    FG_JVP,
                                    FG_SCORE | FG_DIVERGENCE,
                                    FG_SCORE | FG_JVP,
                                    FG_DIVERGENCE | FG_JVP,
                                    FG_SCORE | FG_DIVERGENCE | FG_JVP};
  static net_expected e;
  static net_out o;
  const int d = c->field.d, is_potential = c->settings.form == FG_POTENTIAL;
  const size_t count = is_potential ? sizeof potential / sizeof *potential : sizeof vector / sizeof *vector;
  fg_real x[JET_D * POINTS], v[JET_D * POINTS];
  fg_coeff coeff[POINTS] = {{0}};
  for (int k = 0; k < d * p; k++) {
    x[k] = (fg_real)(2 * draw());
    v[k] = (fg_real)draw();
  }
  for (int i = 0; i < p; i++) {
    coeff[i].t = 1.1 + draw();
    coeff[i].v = 0.7 + 0.5 * draw();
    coeff[i].g2 = 1.3 + 0.5 * draw();
  }
  expect_of(c, p, x, v, coeff, own_time, &e);
  /* phi alone may happen to be small all over a tile: it is a sum of terms of order 1 */
  const double first = tolerance_of(c, 0), second = tolerance_of(c, 1);
  for (size_t k = 0; k < count; k++) {
    const unsigned want = is_potential ? potential[k] : vector[k];
    run_tile(c, p, want, x, v, coeff, own_time, &o);
    if (want & FG_PHI) expect_close("phi", c, p, o.phi, e.phi, 0.3, first);
    if (want & FG_PHI_T) expect_close("phi_t", c, p, o.phi_t, e.phi_t, 0, first);
    if (want & FG_SCORE) expect_close("score", c, d * p, o.score, e.score, 0, first);
    if (want & FG_DIVERGENCE) expect_close("divergence", c, p, o.divergence, e.divergence, 0, second);
    if (want & FG_JVP) expect_close("jvp", c, d * p, o.jvp, e.jvp, 0, second);
  }
}

/* Every activation, form and time input; dimensions and odd widths rotate through. */
static void test_combinations(void **state)
{
  (void)state;
  static const size_t dimensions[] = {1, 2, 5, 10},
                      hidden[][3] = {{7, 80, 3}, {80, 80, 80}, {3, 100, 7}, {16, 33, 64}};
  int turn = 0;
  for (int form = 0; form < 2; form++)
    for (int activation = 0; activation < 5; activation++)
      for (int time = 0; time < 4; time++, turn++) {
        net_case c;
        const size_t d = dimensions[(turn + activation) % 4], layers = 2 + (size_t)turn % 3;
        net_open(&c, (fg_network_form)form, (fg_activation)activation, (fg_time_input)time, d, layers,
                 hidden[(turn / 2) % 4]);
        check_case(&c, 16, turn % 2);
        net_close(&c);
      }
}

static void test_tiles_of_64(void **state)
{
  (void)state;
  static const size_t hidden[] = {80, 80, 80};
  for (int form = 0; form < 2; form++) {
    net_case c;
    net_open(&c, (fg_network_form)form, FG_SOFTPLUS, FG_TIME_FIRST, 2, 4, hidden);
    check_case(&c, 64, form);
    net_close(&c);
  }
}

/* No hidden layer, and as many layers as there may be. */
static void test_depths(void **state)
{
  (void)state;
  static const size_t hidden[] = {5, 9, 17, 5, 9, 17, 5, 9, 17, 5, 9};
  for (int form = 0; form < 2; form++)
    for (int time = 0; time < 4; time++) {
      net_case c;
      net_open(&c, (fg_network_form)form, FG_TANH, (fg_time_input)time, 3, 1, hidden);
      check_case(&c, 16, time % 2);
      net_close(&c);
      net_open(&c, (fg_network_form)form, FG_GELU, (fg_time_input)time, 3, 12, hidden);
      check_case(&c, 16, time % 2);
      net_close(&c);
    }
}

/* Several panels of columns and several chunks of rows of the weights. */
static void test_wide(void **state)
{
  (void)state;
  static const size_t hidden[] = {513, 512, 97};
  for (int form = 0; form < 2; form++) {
    net_case c;
    net_open(&c, (fg_network_form)form, FG_SILU, FG_TIME_LAST, 2, 4, hidden);
    check_case(&c, 16, 0);
    net_close(&c);
  }
}

/* The activation loops of this instruction set point by point, every combination of parts: a fine scan of
 * the middle, then 0, tiny, huge, both sides of the softplus threshold, and NaN. Errors are relative to the
 * value, or to 1/2 where a slope or bend crosses 0; exponentials of x lose |x| epsilon. */
static void test_activation_points(void **state)
{
  (void)state;
  enum { COUNT = 1024, EDGES = 10 };
  static const int parts[] = {FG_WANT_VALUE, FG_WANT_SLOPE, FG_WANT_VALUE | FG_WANT_SLOPE,
                              FG_WANT_SLOPE | FG_WANT_BEND, FG_WANT_VALUE | FG_WANT_SLOPE | FG_WANT_BEND};
  const fg_real edges[EDGES] = {0,   (fg_real)1e-37, (fg_real)-1e-37,  (fg_real)1e-9,    (fg_real)-1e-9,
                                900, -900,           (fg_real)6.66666, (fg_real)6.66667, (fg_real)NAN};
#ifdef FG_SINGLE
  const double epsilon = 1.2e-7;
#else
  const double epsilon = 2.3e-16;
#endif
  for (int kind = 0; kind < 5; kind++)
    for (size_t c = 0; c < sizeof parts / sizeof *parts; c++) {
      fg_real z[COUNT], out[3][COUNT];
      for (int k = 0; k < COUNT; k++) z[k] = k < EDGES ? edges[k] : (fg_real)((k - COUNT / 2) * 0.0311);
      for (int k = 0; k < COUNT; k++) out[0][k] = z[k];
      fg_network_run run = {.activation = kind, .scale = {3, (fg_real)(1 / 3.0), 20}};
      fg_tile_activate(&run, COUNT, parts[c], out[0], out[1], out[2]);
      for (int k = 0; k < COUNT; k++)
        for (int j = 0; j < 3; j++) {
          if (!(parts[c] & 1 << j)) continue;
          long double f[3], got = out[j][k];
          if (isnan(z[k])) {
            assert_true(isnan(got));
            continue;
          }
          reference_activation(kind, 3, 20, z[k], f);
          const double away = fmin(fabs((double)z[k]), kind == FG_SINE ? 1e3 : 40);
          const long double scale = fmaxl(fabsl(f[j]), kind == FG_SOFTPLUS ? 1e-30L : 0.5L);
          const double tolerance = epsilon * (8 + 4 * away);
          if (!(fabsl(got - f[j]) <= tolerance * scale))
            fail_msg("activation %d part %d at %.9g: %.17Lg, expected %.17Lg", kind, j, (double)z[k], got,
                     f[j]);
        }
    }
}

/* NaN in one particle's coordinates stays with that particle and does reach its outputs. */
static void test_nan(void **state)
{
  (void)state;
  static const size_t hidden[] = {80, 80};
  for (int form = 0; form < 2; form++)
    for (int activation = 0; activation < 5; activation++) {
      net_case c;
      static net_out o;
      net_open(&c, (fg_network_form)form, (fg_activation)activation, FG_TIME_FIRST, 2, 3, hidden);
      fg_real x[32] = {0}, v[32] = {0};
      x[5] = (fg_real)NAN;
      fg_coeff coeff = {.t = 1, .v = 1, .g2 = 1};
      run_tile(&c, 16, FG_SCORE | FG_DIVERGENCE, x, v, &coeff, 0, &o);
      for (int i = 0; i < 16; i++) {
        assert_int_equal(isnan(o.score[i]) != 0, i == 5);
        assert_int_equal(isnan(o.divergence[i]) != 0, i == 5);
      }
      net_close(&c);
    }
}

int main(void)
{
#ifdef CASE_SUPPORTED
  if (!CASE_SUPPORTED) {
    printf("this processor lacks the instruction set: nothing tested\n");
    return 0;
  }
#endif
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_combinations), cmocka_unit_test(test_tiles_of_64),
      cmocka_unit_test(test_depths),       cmocka_unit_test(test_wide),
      cmocka_unit_test(test_nan),          cmocka_unit_test(test_activation_points)};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  printf("largest error: %.3g of the tolerance, %.3g relative\n", largest_error[0], largest_error[1]);
  return failed;
}

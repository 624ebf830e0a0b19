/* Controls of samplers with random weights, and what they are by definition: the network and the time factor in
 * long double with all derivatives (network_reference.h), log rho by the target, its Hessian by differences of
 * the target's score. */
#ifndef FG_TESTS_CONTROL_CASE_H
#define FG_TESTS_CONTROL_CASE_H

#include "support/model_case.h"
#include "support/network_reference.h"

#include "formula/real.h"

typedef enum control_method { CONTROL_DIS, CONTROL_DDS, CONTROL_PIS } control_method;

enum { CONTROL_WAVES = 5, CONTROL_HIDDEN = 17, CONTROL_FACTOR = 13, CONTROL_NUMBERS = 20000 };

typedef struct control_case {
  control_method method;
  fg_network_settings s;
  fg_guide_settings guide;
  fg_process *process;
  fg_target *target;
  size_t d, widths[4], used;
  const double *weights[3], *biases[3];
  double numbers[CONTROL_NUMBERS], horizon; /* where the generative time is 0 */
} control_case;

static inline double *control_numbers(control_case *c, size_t count, double size)
{
  double *at = c->numbers + c->used;
  c->used += count;
  assert_true(c->used <= CONTROL_NUMBERS);
  for (size_t i = 0; i < count; i++) at[i] = size * case_number(c->used + i, 77);
  return at;
}

static inline void control_process(control_case *c)
{
  fg_process_settings p;
  fg_process_defaults(c->method == CONTROL_PIS ? FG_PROCESS_PINNED : FG_PROCESS_VP, &p);
  p.scale = 1.3;
  p.horizon = c->method == CONTROL_PIS ? 0.97 : 1;
  p.diff = 1.2;
  p.pin = c->method == CONTROL_PIS ? 1 : 0;
  c->horizon = 1;
  CASE_OK(fg_process_create(&p, &c->process, &case_status));
  c->guide.score = c->method == CONTROL_DIS ? FG_GUIDE_INTERPOLATED : FG_GUIDE_TARGET;
  c->guide.reference = c->method == CONTROL_DIS   ? FG_RELATIVE_TO_NONE
                       : c->method == CONTROL_DDS ? FG_RELATIVE_TO_STATIONARY
                                                  : FG_RELATIVE_TO_PINNED;
  c->guide.prior_variance = 1.69;
  c->guide.variance = 1.69;
  c->guide.pin = c->method == CONTROL_PIS ? 1 : 0;
}

/* Takes over the target. factor: linear maps of the time factor. */
static inline void control_open(control_case *c, control_method method, fg_network_form form,
                                fg_target *target, double clip, size_t factor)
{
  memset(c, 0, sizeof *c);
  fg_network_settings *s = &c->s;
  const size_t d = fg_target_dimension(target);
  c->method = method;
  c->target = target;
  c->d = d;
  control_process(c);
  c->guide.clip = clip;
  s->form = form;
  s->output = form == FG_VECTOR ? FG_OUTPUT_CONTROL : FG_OUTPUT_SCORE;
  s->activation = FG_GELU;
  s->beta = 1;
  s->time = FG_TIME_EMBEDDED;
  s->time_reversed = true;
  s->dimension = c->widths[0] = d;
  c->widths[1] = CONTROL_HIDDEN;
  c->widths[2] = CONTROL_HIDDEN + 4;
  c->widths[3] = form == FG_VECTOR ? d : 1;
  s->layers = 3;
  s->widths = c->widths;
  for (size_t l = 0; l < 3; l++) {
    c->weights[l] = control_numbers(c, c->widths[l] * c->widths[l + 1], 2 / sqrt((double)c->widths[l]));
    c->biases[l] = control_numbers(c, c->widths[l + 1], 0.5);
  }
  s->weights = c->weights;
  s->biases = c->biases;
  s->frequencies = s->factor_frequencies = CONTROL_WAVES;
  s->frequency = control_numbers(c, CONTROL_WAVES, 5);
  s->phase = control_numbers(c, CONTROL_WAVES, 2);
  s->embedding_width = 11;
  s->embedding_weights[0] = control_numbers(c, 11 * 2 * CONTROL_WAVES, 0.5);
  s->embedding_weights[1] = control_numbers(c, CONTROL_HIDDEN * 11, 0.5);
  s->embedding_biases[0] = control_numbers(c, 11, 0.5);
  s->embedding_biases[1] = control_numbers(c, CONTROL_HIDDEN, 0.5);
  s->guide = &c->guide;
  s->factor_layers = factor;
  s->factor_width = CONTROL_FACTOR;
  s->factor_frequency = control_numbers(c, CONTROL_WAVES, 5);
  s->factor_phase = control_numbers(c, CONTROL_WAVES, 2);
  for (size_t l = 0; l < factor; l++) {
    const size_t in = l ? CONTROL_FACTOR : 2 * CONTROL_WAVES, out = l + 1 < factor ? CONTROL_FACTOR : 1;
    s->factor_weights[l] = control_numbers(c, in * out, 2 / sqrt((double)in));
    s->factor_biases[l] = control_numbers(c, out, 1);
  }
}

static inline void control_close(control_case *c)
{
  fg_process_destroy(&c->process);
  fg_target_destroy(&c->target);
}

/* tau and its derivative in t, before the clip. */
static inline jet control_factor(const control_case *c, double t)
{
  jet a[2 * CONTROL_WAVES + CONTROL_FACTOR], b[CONTROL_FACTOR];
  fg_network_settings waves = c->s;
  if (!c->s.factor_layers) return (jet){.value = 1};
  waves.frequency = c->s.factor_frequency;
  waves.phase = c->s.factor_phase;
  jet_waves(&waves, c->horizon - (long double)t, -1, a);
  for (size_t l = 0; l < c->s.factor_layers; l++) {
    const size_t in = l ? CONTROL_FACTOR : 2 * CONTROL_WAVES,
                 out = l + 1 < c->s.factor_layers ? CONTROL_FACTOR : 1;
    jet_linear(c->s.factor_weights[l], c->s.factor_biases[l], out, in, a, b, 0);
    for (size_t k = 0; k < out; k++)
      a[k] = l + 1 < c->s.factor_layers ? jet_activate(FG_GELU, 1, 0, &b[k], 0) : b[k];
  }
  return a[0];
}

/* All quantities at one point; `clipped` counts the numbers beyond the clip, `margin` is how near one comes to
 * it, relative to it. */
typedef struct control_values {
  double phi, phi_t, score[JET_D], divergence, jvp[JET_D], margin;
  int clipped;
} control_values;

static inline double control_clip(const control_case *c, double x, control_values *out)
{
  const double limit = c->s.form == FG_VECTOR ? c->guide.clip : INFINITY;
  if (limit < INFINITY) out->margin = fmin(out->margin, fabs(fabs(x) - limit) / limit);
  out->clipped += fabs(x) > limit;
  return fmin(fmax(x, -limit), limit);
}

static inline double control_slope(const control_case *c, double x)
{
  return c->s.form == FG_VECTOR && fabs(x) > c->guide.clip ? 0 : 1;
}

/* log rho, score and Hessian [d, d] at x: the last by central differences with an error of 1e-9 or so. */
static inline double control_density(const control_case *c, const double *x, double *score, double *hessian)
{
  const double h = 1e-5;
  double rho, unused, y[JET_D], up[JET_D], down[JET_D];
  CASE_OK(fg_target_log_density(c->target, 1, x, &rho, score, &case_status));
  for (size_t j = 0; j < c->d; j++) {
    memcpy(y, x, c->d * sizeof *y);
    y[j] = x[j] + h;
    CASE_OK(fg_target_log_density(c->target, 1, y, &unused, up, &case_status));
    y[j] = x[j] - h;
    CASE_OK(fg_target_log_density(c->target, 1, y, &unused, down, &case_status));
    for (size_t i = 0; i < c->d; i++) hessian[i * c->d + j] = (up[i] - down[i]) / (2 * h);
  }
  return rho;
}

/* Weights of the target and of the prior's precision, and the reference; [1]: their derivatives in t. */
static inline void control_weights(const control_case *c, double t, double w[2], double q[2], double k[2])
{
  const bool dis = c->method == CONTROL_DIS;
  const double g2 = fg_process_g2(c->process, t), left = c->horizon - t;
  w[0] = dis ? left / c->horizon : 1;
  w[1] = dis ? -1 / c->horizon : 0;
  q[0] = dis ? t / c->horizon / c->guide.prior_variance : 0;
  q[1] = dis ? 1 / c->horizon / c->guide.prior_variance : 0;
  k[0] = dis ? 0 : c->method == CONTROL_DDS ? 1 / c->guide.variance : 1 / (g2 * left);
  k[1] = c->method == CONTROL_PIS ? 1 / (g2 * left * left) : 0;
}

static inline void control_reference(const control_case *c, const double *x, double t, const double *v,
                                     control_values *out)
{
  const size_t d = c->d;
  const bool vector = c->s.form == FG_VECTOR;
  const double g = sqrt(fg_process_g2(c->process, t));
  double w[2], q[2], k[2], score[JET_D], hessian[JET_D * JET_D], half = 0;
  jet net[JET_D], tau = control_factor(c, t);
  *out = (control_values){.margin = INFINITY};
  control_weights(c, t, w, q, k);
  reference_network(&c->s, c->horizon, x, t, net);
  const double rho = control_density(c, x, score, hessian);
  const double factor = control_clip(c, (double)tau.value, out);
  for (size_t j = 0; j < d; j++) half += x[j] * x[j] / 2;
  const double peak = k[0] > 0 ? (double)d / 2 * log(k[0] / (2 * FG_PI)) : 0, /* log N(x; 0, 1/k) at 0 */
      peak_t = k[0] > 0 ? (double)d / 2 * k[1] / k[0] : 0;
  out->phi = (double)net[0].value + factor * (w[0] * rho - q[0] * half) + peak - k[0] * half;
  out->phi_t = (double)net[0].t + (double)tau.t * (w[0] * rho - q[0] * half) +
               factor * (w[1] * rho - q[1] * half) + peak_t - k[1] * half;
  for (size_t j = 0; j < d; j++) {
    const double value = (double)(vector ? net[j].value : net[0].x[j]), s = w[0] * score[j] - q[0] * x[j];
    const double scale = vector ? 1 / g : 1;
    const double of_net = vector ? control_clip(c, value, out) : value, of_score = control_clip(c, s, out);
    out->score[j] = scale * of_net + factor * of_score - k[0] * x[j];
    for (size_t i = 0; i < d; i++) {
      const double second = (double)(vector ? net[j].x[i] : net[0].xx[j][i]), one = i == j;
      const double row = scale * second * (vector ? control_slope(c, value) : 1) +
                         factor * control_slope(c, s) * (w[0] * hessian[j * d + i] - q[0] * one) - k[0] * one;
      if (i == j) out->divergence += row;
      out->jvp[j] += row * v[i];
    }
  }
}

#endif

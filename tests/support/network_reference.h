/* A multilayer perceptron in plain long double, with all derivatives carried forward: the independent value
 * that the network kernels are tested against. A jet holds value, gradient, time derivative and the whole
 * Hessian in x; nothing here is shared with the kernels. */
#ifndef FG_TEST_NETWORK_REFERENCE_H
#define FG_TEST_NETWORK_REFERENCE_H

#include <stdlib.h>

#include "support/activation_reference.h"

enum { JET_D = 12 };

typedef struct jet {
  long double value, t, x[JET_D], xx[JET_D][JET_D];
} jet;

static jet jet_activate(int kind, double beta, double threshold, const jet *a, size_t d)
{
  long double f[3];
  reference_activation(kind, beta, threshold, a->value, f);
  jet h = {.value = f[0], .t = f[1] * a->t};
  for (size_t i = 0; i < d; i++) {
    h.x[i] = f[1] * a->x[i];
    for (size_t j = 0; j < d; j++) h.xx[i][j] = f[1] * a->xx[i][j] + f[2] * a->x[i] * a->x[j];
  }
  return h;
}

static void jet_add(jet *to, long double w, const jet *h, size_t d)
{
  to->value += w * h->value;
  to->t += w * h->t;
  for (size_t i = 0; i < d; i++) {
    to->x[i] += w * h->x[i];
    for (size_t j = 0; j < d; j++) to->xx[i][j] += w * h->xx[i][j];
  }
}

/* out [rows] = bias + weights [rows, columns] in; bias may be NULL. */
static void jet_linear(const double *weights, const double *bias, size_t rows, size_t columns, const jet *in,
                       jet *out, size_t d)
{
  for (size_t k = 0; k < rows; k++) {
    out[k] = (jet){.value = bias ? bias[k] : 0};
    for (size_t j = 0; j < columns; j++) jet_add(&out[k], weights[k * columns + j], &in[j], d);
  }
}

static void jet_waves(const fg_network_settings *s, long double r, long double direction, jet *out)
{
  for (size_t j = 0; j < s->frequencies; j++) {
    long double w = s->frequency[j], angle = w * r + (s->phase ? s->phase[j] : 0);
    out[j] = (jet){.value = sinl(angle), .t = direction * w * cosl(angle)};
    out[s->frequencies + j] = (jet){.value = cosl(angle), .t = -direction * w * sinl(angle)};
  }
}

/* The network's outputs [widths[layers]] at (x, t), before any output scale. */
static void reference_network(const fg_network_settings *s, double horizon, const double *x, double t,
                              jet *out)
{
  const size_t d = s->dimension, most = 2048;
  jet *h = calloc(most, sizeof *h), *a = calloc(most, sizeof *a), *e = calloc(most, sizeof *e);
  if (!h || !a || !e) abort();
  const long double r = s->time_reversed ? (long double)horizon - t : t,
                    direction = s->time_reversed ? -1 : 1;
  const size_t shift = s->time == FG_TIME_FIRST;
  for (size_t j = 0; j < d; j++) {
    h[shift + j] = (jet){.value = x[j]};
    h[shift + j].x[j] = 1;
  }
  if (s->time == FG_TIME_FIRST) h[0] = (jet){.value = r, .t = direction};
  if (s->time == FG_TIME_LAST) h[d] = (jet){.value = r, .t = direction};
  if (s->time == FG_TIME_FOURIER) jet_waves(s, r, direction, h + d);
  if (s->time == FG_TIME_EMBEDDED) {
    const size_t hidden = s->embedding_width;
    jet_waves(s, r, direction, e);
    jet_linear(s->embedding_weights[0], s->embedding_biases[0], hidden, 2 * s->frequencies, e, a, d);
    for (size_t k = 0; k < hidden; k++) a[k] = jet_activate(FG_GELU, 0, 0, &a[k], d);
    jet_linear(s->embedding_weights[1], s->embedding_biases[1], s->widths[1], hidden, a, e, d);
  }
  for (size_t l = 0; l < s->layers; l++) {
    jet_linear(s->weights[l], s->biases[l], s->widths[l + 1], s->widths[l], h, a, d);
    for (size_t k = 0; k < s->widths[l + 1]; k++) {
      if (l == 0 && s->time == FG_TIME_EMBEDDED) jet_add(&a[k], 1, &e[k], d);
      h[k] = l + 1 < s->layers ? jet_activate(s->activation, s->beta, s->threshold, &a[k], d) : a[k];
    }
  }
  for (size_t k = 0; k < s->widths[s->layers]; k++) out[k] = h[k];
  free(h);
  free(a);
  free(e);
}

#endif

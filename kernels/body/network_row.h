/* What a network needs that depends on time alone: one row
 *   [a_0]   first layer at x = 0: bias, t or features of t times their weights, or the embedding
 *   [a_0']  its derivative with respect to the noising time t
 *   [scale] factor of the outputs (vector form)
 *   and, with an embedding, twice its hidden width to work in. */
#ifndef FG_BODY_NETWORK_ROW_H
#define FG_BODY_NETWORK_ROW_H

#include "body/network_layout.h"
#include "formula/activation.h"
#include "formula/coeff.h"

FG_HD int fg_network_row_size(const fg_field *f)
{
  const fg_field_network *net = &f->as.network;
  const int hidden = net->time == FG_TIME_EMBEDDED ? fg_panel_padded(net->embedding_width) : 0;
  return 2 * fg_panel_padded(net->width[1]) + FG_PAD + 2 * hidden;
}

/* value += w feature and slope += w feature', one feature, n outputs. */
FG_HD void fg_network_add(int n, const fg_real *w, double feature, double feature_t, fg_real *value,
                          fg_real *slope)
{
  const fg_real v = (fg_real)feature, s = (fg_real)feature_t;
  for (int k = 0; k < n; k++) {
    value[k] += w[k] * v;
    slope[k] += w[k] * s;
  }
}

/* Feature j of FOURIER and EMBEDDED, sin(w_j r + phase_j) for j < F, then the cosines, with d/dr. */
FG_HD void fg_network_wave(const fg_field *f, const fg_network_layout *at, const fg_real *packed, double r,
                           int j, double *value, double *slope)
{
  const int count = f->as.network.frequencies, i = j < count ? j : j - count;
  const fg_real *w = packed + at->frequency, *phase = packed + at->phase;
  double frequency = (double)w[i] + (double)w[count + i];
  double angle = frequency * r + ((double)phase[i] + (double)phase[count + i]);
  *value = j < count ? sin(angle) : cos(angle);
  *slope = frequency * (j < count ? cos(angle) : -sin(angle));
}

/* e = E_2 gelu(E_1 waves + b_1) + b_2, added to value and slope; a, a_t [hidden] are room to work in. */
FG_HD void fg_network_embed(const fg_field *f, const fg_network_layout *at, const fg_real *packed, double r,
                            double direction, fg_real *value, fg_real *slope, fg_real *a, fg_real *a_t)
{
  const int n = at->layer[0].out_pad;
  for (int k = 0; k < at->hidden; k++) {
    a[k] = packed[at->embedding_bias[0] + k];
    a_t[k] = 0;
  }
  for (int j = 0; j < at->features; j++) {
    double wave, wave_r;
    fg_network_wave(f, at, packed, r, j, &wave, &wave_r);
    fg_network_add(at->hidden, packed + at->embedding[0] + (size_t)j * at->hidden, wave, direction * wave_r,
                   a, a_t);
  }
  for (int k = 0; k < at->hidden; k++) {
    fg_real h, h1, h2;
    fg_gelu(a[k], &h, &h1, &h2);
    fg_network_add(n, packed + at->embedding[1] + (size_t)k * n, h, h1 * a_t[k], value, slope);
  }
  for (int k = 0; k < n; k++) value[k] += packed[at->embedding_bias[1] + k];
}

FG_HD void fg_network_row(const fg_field *f, const fg_coeff *c, unsigned want, fg_real *row)
{
  (void)want;
  const fg_field_network *net = &f->as.network;
  const fg_real *packed = fg_network_weights(f);
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  const int n = at.layer[0].out_pad;
  const double r = net->time_reversed ? net->horizon - c->t : c->t, direction = net->time_reversed ? -1 : 1;
  fg_real *value = row, *slope = row + n, *scale = row + 2 * n;
  for (int k = 0; k < n; k++) {
    value[k] = packed[at.layer[0].bias + k];
    slope[k] = 0;
  }
  if (net->time == FG_TIME_EMBEDDED) {
    fg_network_embed(f, &at, packed, r, direction, value, slope, scale + FG_PAD, scale + FG_PAD + at.hidden);
  } else if (net->time == FG_TIME_FOURIER) {
    for (int j = 0; j < at.features; j++) {
      double wave, wave_r;
      fg_network_wave(f, &at, packed, r, j, &wave, &wave_r);
      fg_network_add(n, packed + at.time_weight + (size_t)j * n, wave, direction * wave_r, value, slope);
    }
  } else {
    fg_network_add(n, packed + at.time_weight, r, direction, value, slope);
  }
  for (int k = 0; k < FG_PAD; k++)
    scale[k] = net->output == FG_OUTPUT_NOISE     ? (fg_real)(-1 / sqrt(c->v))
               : net->output == FG_OUTPUT_CONTROL ? (fg_real)(1 / sqrt(c->g2))
                                                  : (fg_real)1;
}

#endif

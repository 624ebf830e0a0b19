/* What a network needs that depends on time alone: one row
 *   [a_0]   first layer at x = 0: bias, t or features of t times their weights, or the embedding
 *   [a_0']  its derivative with respect to the noising time t
 *   [scale] factor of the outputs (vector form)
 *   and, with an embedding, twice its hidden width to work in;
 * then, for a control with a guide, [FG_GUIDE_ROW] numbers in the order of fg_guide_entry (fg_guide_row finds
 * them) and, with a time factor, four of its widths to work in. */
#ifndef FG_BODY_NETWORK_ROW_H
#define FG_BODY_NETWORK_ROW_H

#include "body/network_layout.h"
#include "formula/activation.h"
#include "formula/coeff.h"
#include "formula/guide.h"

/* _T: derivative with respect to the noising time t. */
typedef enum fg_guide_entry {
  FG_ROW_TAU, /* the time factor: clipped (derivative 0 there) in the vector form */
  FG_ROW_TAU_T,
  FG_ROW_TARGET, /* S = target grad log rho - prior x */
  FG_ROW_TARGET_T,
  FG_ROW_PRIOR,
  FG_ROW_PRIOR_T,
  FG_ROW_REFERENCE, /* s_ref = -reference x */
  FG_ROW_REFERENCE_T,
  FG_ROW_G,         /* g(t) */
  FG_ROW_TAU_WHOLE, /* before the clip */
  FG_GUIDE_ROW = 16
} fg_guide_entry;

/* Where the guide's numbers begin. */
FG_HD int fg_guide_row_at(const fg_field *f)
{
  const fg_field_network *net = &f->as.network;
  const int hidden = net->time == FG_TIME_EMBEDDED ? fg_panel_padded(net->embedding_width) : 0;
  return 2 * fg_panel_padded(net->width[1]) + FG_PAD + 2 * hidden;
}

FG_HD const fg_real *fg_guide_row(const fg_field *f, const fg_real *row)
{
  return row + fg_guide_row_at(f);
}

/* One vector of the time factor's layers. */
FG_HD int fg_factor_room(const fg_field *f)
{
  const fg_field_network *net = &f->as.network;
  if (!net->factor_layers) return 0;
  return net->factor_layers > 1 ? fg_panel_padded(net->factor_width) : FG_PAD;
}

FG_HD int fg_network_row_size(const fg_field *f)
{
  return fg_guide_row_at(f) + (f->guided ? FG_GUIDE_ROW + 4 * fg_factor_room(f) : 0);
}

/* value += w feature and slope += w feature', one feature, n outputs. */
FG_HD_CALL void fg_network_add(int n, const fg_real *w, double feature, double feature_t, fg_real *value,
                               fg_real *slope)
{
  const fg_real v = (fg_real)feature, s = (fg_real)feature_t;
  for (int k = 0; k < n; k++) {
    value[k] += w[k] * v;
    slope[k] += w[k] * s;
  }
}

/* Feature j of `count` waves: sin(w_j r + phase_j) for j < count, then the cosines, with d/dr. w and phase are
 * split into heads and tails. */
FG_HD_CALL void fg_wave(const fg_real *w, const fg_real *phase, int count, double r, int j, double *value,
                        double *slope)
{
  const int i = j < count ? j : j - count;
  double frequency = (double)w[i] + (double)w[count + i];
  double angle = frequency * r + ((double)phase[i] + (double)phase[count + i]);
  *value = j < count ? sin(angle) : cos(angle);
  *slope = frequency * (j < count ? cos(angle) : -sin(angle));
}

/* Feature j of FOURIER and EMBEDDED. */
FG_HD void fg_network_wave(const fg_field *f, const fg_network_layout *at, const fg_real *packed, double r,
                           int j, double *value, double *slope)
{
  fg_wave(packed + at->frequency, packed + at->phase, f->as.network.frequencies, r, j, value, slope);
}

/* e = E_2 gelu(E_1 waves + b_1) + b_2, added to value and slope; a, a_t [hidden] are room to work in. */
FG_HD_CALL void fg_network_embed(const fg_field *f, const fg_network_layout *at, const fg_real *packed,
                                 double r, double direction, fg_real *value, fg_real *slope, fg_real *a,
                                 fg_real *a_t)
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

/* a = bias, a_t = 0. */
FG_HD void fg_factor_start(const fg_real *bias, int n, fg_real *a, fg_real *a_t)
{
  for (int k = 0; k < n; k++) {
    a[k] = bias[k];
    a_t[k] = 0;
  }
}

/* tau = linear gelu ... gelu linear (waves of r) and its derivative in t; room [4 fg_factor_room]. */
FG_HD_CALL void fg_factor_row(const fg_field *f, const fg_network_layout *at, const fg_real *packed, double r,
                              double direction, fg_real *tau, fg_real *tau_t, fg_real *room)
{
  const fg_field_network *net = &f->as.network;
  const int size = fg_factor_room(f), count = net->factor_frequencies;
  fg_real *a = room, *a_t = a + size, *b = a_t + size, *b_t = b + size, *swap;
  fg_factor_start(packed + at->factor_bias[0], fg_factor_out(net, 0), a, a_t);
  for (int j = 0; j < 2 * count; j++) {
    double wave, wave_r;
    fg_wave(packed + at->factor_frequency, packed + at->factor_phase, count, r, j, &wave, &wave_r);
    fg_network_add(fg_factor_out(net, 0), packed + at->factor[0] + (size_t)j * fg_factor_out(net, 0), wave,
                   direction * wave_r, a, a_t);
  }
  for (int l = 1; l < net->factor_layers; l++) {
    const int n = fg_factor_out(net, l);
    fg_factor_start(packed + at->factor_bias[l], n, b, b_t);
    for (int k = 0; k < fg_factor_in(net, l); k++) {
      fg_real h, h1, h2;
      fg_gelu(a[k], &h, &h1, &h2);
      fg_network_add(n, packed + at->factor[l] + (size_t)k * n, h, h1 * a_t[k], b, b_t);
    }
    swap = a, a = b, b = swap;
    swap = a_t, a_t = b_t, b_t = swap;
  }
  *tau = a[0];
  *tau_t = a_t[0];
}

/* The guide's numbers at `row`, in the order of fg_guide_entry, and the room of the time factor after them. */
FG_HD_CALL void fg_guide_fill(const fg_field *f, const fg_network_layout *at, const fg_coeff *c, fg_real *row)
{
  const fg_field_network *net = &f->as.network;
  const fg_field_guide *guide = &f->guide;
  const double r = net->time_reversed ? net->horizon - c->t : c->t, direction = net->time_reversed ? -1 : 1;
  const fg_guide_weights w =
      fg_guide_weights_at(guide->interpolated, guide->prior_variance, net->horizon, c->t);
  const int clipped = net->form != FG_POTENTIAL;
  double reference = 0, reference_t = 0;
  if (guide->reference == FG_REFERENCE_STATIONARY) reference = 1 / guide->variance;
  if (guide->reference == FG_REFERENCE_PINNED) {
    reference = fg_pinned_reference(c->g2, guide->pin, c->t);
    reference_t = reference / (guide->pin - c->t);
  }
  fg_real tau = 1, tau_t = 0;
  if (net->factor_layers)
    fg_factor_row(f, at, fg_network_weights(f), r, direction, &tau, &tau_t, row + FG_GUIDE_ROW);
  for (int k = 0; k < FG_GUIDE_ROW; k++) row[k] = 0;
  row[FG_ROW_TAU] = clipped ? fg_clip(tau, (fg_real)guide->clip) : tau;
  row[FG_ROW_TAU_T] = clipped ? tau_t * fg_clip_slope(tau, (fg_real)guide->clip) : tau_t;
  row[FG_ROW_TARGET] = (fg_real)w.target;
  row[FG_ROW_TARGET_T] = (fg_real)w.target_t;
  row[FG_ROW_PRIOR] = (fg_real)w.prior;
  row[FG_ROW_PRIOR_T] = (fg_real)w.prior_t;
  row[FG_ROW_REFERENCE] = (fg_real)reference;
  row[FG_ROW_REFERENCE_T] = (fg_real)reference_t;
  row[FG_ROW_G] = (fg_real)sqrt(c->g2);
  row[FG_ROW_TAU_WHOLE] = tau;
}

/* What follows the two vectors: scale and guide. */
FG_HD void fg_network_row_end(const fg_field *f, const fg_network_layout *at, const fg_coeff *c, fg_real *row)
{
  const fg_field_network *net = &f->as.network;
  fg_real *scale = row + 2 * at->layer[0].out_pad;
  const fg_real one = net->output == FG_OUTPUT_NOISE     ? (fg_real)(-1 / sqrt(c->v))
                      : net->output == FG_OUTPUT_CONTROL ? (fg_real)(1 / sqrt(c->g2))
                                                         : (fg_real)1;
  for (int k = 0; k < FG_PAD; k++) scale[k] = one;
  if (f->guided) fg_guide_fill(f, at, c, row + fg_guide_row_at(f));
}

FG_HD_CALL void fg_network_row(const fg_field *f, const fg_coeff *c, unsigned want, fg_real *row)
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
  fg_network_row_end(f, &at, c, row);
}

#endif

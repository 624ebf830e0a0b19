/* Activations of a network with first and second derivative, sharing one exponential.
 *
 * Every function fills value, slope and bend (phi, phi', phi''); what the caller does not use the compiler
 * drops. Overflow-safe: the exponential's argument is never positive. NaN goes through to all three. */
#ifndef FG_FORMULA_ACTIVATION_H
#define FG_FORMULA_ACTIVATION_H

#include "formula/vecmath.h"

typedef struct fg_activation_scale {
  fg_real beta, inverse_beta;
  fg_real threshold; /* of beta z; infinite: never linear */
} fg_activation_scale;

/* log(1 + exp(beta z)) / beta = max(z, 0) + log(1 + exp(-|beta z|)) / beta; the slope is the logistic
 * function of beta z. Where beta z > threshold: z, 1, 0 exactly (PyTorch's Softplus). */
FG_HD void fg_softplus(const fg_activation_scale *scale, fg_real z, fg_real *value, fg_real *slope,
                       fg_real *bend)
{
  fg_real u = scale->beta * z, e = fg_vexp_falling(-fg_vabs(u)), r = 1 / (1 + e);
  fg_real soft = (z > 0 ? z : (fg_real)0) + fg_vlog1p_unit(e) * scale->inverse_beta;
  fg_real logistic = u > 0 ? r : e * r;
  int linear = u > scale->threshold;
  *value = linear ? z : soft;
  *slope = linear ? (fg_real)1 : logistic;
  *bend = linear ? (fg_real)0 : scale->beta * e * r * r;
}

/* z Phi(z), Phi(z) + z n(z), (2 - z^2) n(z), with n the normal density and Phi its distribution function;
 * beyond |z| = 40 the tail is 0. */
FG_HD void fg_gelu(fg_real z, fg_real *value, fg_real *slope, fg_real *bend)
{
  fg_real w = fg_vabs(z);
  w = w > 40 ? (fg_real)40 : w;
  fg_real e = fg_vexp_falling((fg_real)-0.5 * w * w), tail = fg_vnormal_tail(w, e);
  fg_real density = e * (fg_real)0.398942280401432677940;
  fg_real below = z > 0 ? 1 - tail : tail;
  *value = z * below;
  *slope = below + (z < 0 ? -w : w) * density;
  *bend = (2 - w * w) * density;
}

/* z S, S (1 + z C), S C (2 + z (C - S)), with S the logistic function and C = 1 - S. */
FG_HD void fg_silu(fg_real z, fg_real *value, fg_real *slope, fg_real *bend)
{
  fg_real e = fg_vexp_falling(-fg_vabs(z)), r = 1 / (1 + e), er = e * r;
  fg_real s = z > 0 ? r : er, c = z > 0 ? er : r;
  *value = z * s;
  *slope = s * (1 + z * c);
  *bend = s * c * (2 + z * (c - s));
}

/* tanh, 1 - tanh^2 = 4 e / (1 + e)^2 with e = exp(-2|z|), -2 tanh (1 - tanh^2). */
FG_HD void fg_tanh(fg_real z, fg_real *value, fg_real *slope, fg_real *bend)
{
  fg_real e = fg_vexp_falling(-2 * fg_vabs(z)), r = 1 / (1 + e);
  fg_real t = fg_vtanh(z, e), d = 4 * e * r * r;
  *value = t;
  *slope = d;
  *bend = -2 * t * d;
}

/* sin, cos, -sin, for |z| below FG_SINE_LIMIT; beyond it the reduction by pi runs out of digits. */
#ifdef FG_SINGLE
#define FG_SINE_LIMIT 1e3f
#else
#define FG_SINE_LIMIT 1e5
#endif
FG_HD void fg_sine(fg_real z, fg_real *value, fg_real *slope, fg_real *bend)
{
  fg_real s, c;
  fg_vsincos(z, &s, &c);
  *value = s;
  *slope = c;
  *bend = -s;
}

/* The same for any z, by the library. */
FG_HD void fg_sine_far(fg_real z, fg_real *value, fg_real *slope, fg_real *bend)
{
  *value = (fg_real)sin((double)z);
  *slope = (fg_real)cos((double)z);
  *bend = -*value;
}

/* Third derivatives, from z and what came of it: value h, slope, bend. */

/* beta phi'' (1 - 2 phi'); 0 where the function is linear. */
FG_HD fg_real fg_softplus_third(fg_real beta, fg_real slope, fg_real bend)
{
  return beta * bend * (1 - 2 * slope);
}

/* (z^3 - 4 z) n(z) */
FG_HD fg_real fg_gelu_third(fg_real z)
{
  fg_real w = fg_vabs(z);
  w = w > 40 ? (fg_real)40 : w;
  const fg_real density = fg_vexp_falling((fg_real)-0.5 * w * w) * (fg_real)0.398942280401432677940;
  return z * (w * w - 4) * density;
}

/* S C ( 3 (C - S) + z (1 - 6 S C) ) */
FG_HD fg_real fg_silu_third(fg_real z)
{
  fg_real e = fg_vexp_falling(-fg_vabs(z)), r = 1 / (1 + e), er = e * r;
  fg_real s = z > 0 ? r : er, c = z > 0 ? er : r;
  return s * c * (3 * (c - s) + z * (1 - 6 * s * c));
}

/* 2 phi' (2 h^2 - phi'), h = tanh z */
FG_HD fg_real fg_tanh_third(fg_real h, fg_real slope)
{
  return 2 * slope * (2 * h * h - slope);
}

#endif

/* The noising processes in closed form: a(t), g(t)^2, m(t), v(t) of
 *     dX = -a(t) X dt + g(t) dW,   X_t | X_0 ~ N( m(t) X_0, v(t) I ).
 *
 * Written with expm1, because 1 - exp(-x) loses its digits as t -> 0. Doubles only: these are
 * computed once per time on the host and handed to kernels as an fg_coeff.
 *
 * In the kinds ou, vp, ve and bm g^2 = 2 a v_inf(t) with a constant limit v_inf, or a = 0 and m = 1; so
 *     v' = -2 a v + g^2 = g^2 m^2,
 * the form used there: the difference would cancel to nothing once m^2 is below rounding. pinned is none of
 * them: its v' is written out below. */
#ifndef FG_FORMULA_PROCESS_H
#define FG_FORMULA_PROCESS_H

#include "formula/real.h"

/* (1 - exp(-x)) / x, 1 at x = 0. */
FG_HD double fg_decay_mean(double x)
{
  return x == 0.0 ? 1.0 : -expm1(-x) / x;
}

/* ou: a = rate, g = diff. */
FG_HD double fg_ou_m(double rate, double t)
{
  return exp(-rate * t);
}

/* diff^2 (1 - exp(-2 rate t)) / (2 rate), sound for rates down to 0. */
FG_HD double fg_ou_v(double rate, double diff, double t)
{
  return diff * diff * t * fg_decay_mean(2.0 * rate * t);
}

/* vp: beta linear from beta_min at 0 to beta_max at the horizon; a = beta/2, g^2 = scale^2 beta. */
FG_HD double fg_vp_beta(double beta_min, double beta_max, double horizon, double t)
{
  return beta_min + (beta_max - beta_min) * (t / horizon);
}

/* The integral of beta over 0..t. */
FG_HD double fg_vp_beta_integral(double beta_min, double beta_max, double horizon, double t)
{
  return t * (beta_min + 0.5 * (beta_max - beta_min) * (t / horizon));
}

/* The same over to..from, without the cancellation of a difference. */
FG_HD double fg_vp_beta_between(double beta_min, double beta_max, double horizon, double to, double from)
{
  return (from - to) * (beta_min + 0.5 * (beta_max - beta_min) * ((from + to) / horizon));
}

FG_HD double fg_vp_m(double beta_integral)
{
  return exp(-0.5 * beta_integral);
}

FG_HD double fg_vp_v(double scale, double beta_integral)
{
  return -scale * scale * expm1(-beta_integral);
}

/* ve: a = 0, sigma(t) = sigma_min ratio^(t / horizon), ratio = sigma_max / sigma_min. */
FG_HD double fg_ve_g2(double sigma_min, double log_ratio, double horizon, double t)
{
  double sigma = sigma_min * exp(log_ratio * (t / horizon));
  return sigma * sigma * 2.0 * log_ratio / horizon;
}

/* sigma(t)^2 - sigma(0)^2. */
FG_HD double fg_ve_v(double sigma_min, double log_ratio, double horizon, double t)
{
  return sigma_min * sigma_min * expm1(2.0 * log_ratio * (t / horizon));
}

/* sigma(from)^2 - sigma(to)^2. */
FG_HD double fg_ve_v_between(double sigma_min, double log_ratio, double horizon, double to, double from)
{
  double sigma = sigma_min * exp(log_ratio * (to / horizon));
  return sigma * sigma * expm1(2.0 * log_ratio * ((from - to) / horizon));
}

/* bm: a = 0, g = diff. */
FG_HD double fg_bm_v(double diff, double t)
{
  return diff * diff * t;
}

/* pinned: a = 1 / (pin - t), g = diff: a Brownian bridge to 0 at t = pin, whose reversal is Brownian motion
 * started there. a is infinite at the pin; m, v and their derivatives are not. */
FG_HD double fg_pinned_a(double pin, double t)
{
  return 1 / (pin - t);
}

FG_HD double fg_pinned_m(double pin, double t)
{
  return (pin - t) / pin;
}

FG_HD double fg_pinned_v(double diff, double pin, double t)
{
  return diff * diff * t * ((pin - t) / pin);
}

FG_HD double fg_pinned_dv(double diff, double pin, double t)
{
  return diff * diff * ((pin - 2 * t) / pin);
}

#endif

/* What a sampler's control has beside its network, as numbers: the weights of its score information
 *   S = target grad log rho - prior x,
 * the precision of its reference, s_ref = -reference x, and the clip. Weights and precisions depend on time
 * alone and come with their derivatives with respect to the noising time t. */
#ifndef FG_FORMULA_GUIDE_H
#define FG_FORMULA_GUIDE_H

#include "formula/real.h"

typedef struct fg_guide_weights {
  double target, target_t, prior, prior_t;
} fg_guide_weights;

/* From the prior N(0, variance) at t = horizon to the target at t = 0; without interpolation rho alone. */
FG_HD fg_guide_weights fg_guide_weights_at(int interpolated, double variance, double horizon, double t)
{
  fg_guide_weights w;
  w.target = interpolated ? (horizon - t) / horizon : 1;
  w.target_t = interpolated ? -1 / horizon : 0;
  w.prior = interpolated ? t / horizon / variance : 0;
  w.prior_t = interpolated ? 1 / horizon / variance : 0;
  return w;
}

/* 1 / ( g^2 (pin - t) ) for a constant g; its derivative is that over (pin - t). */
FG_HD double fg_pinned_reference(double g2, double pin, double t)
{
  return 1 / (g2 * (pin - t));
}

/* x within [-limit, limit]; NaN goes through. */
FG_HD fg_real fg_clip(fg_real x, fg_real limit)
{
  return x > limit ? limit : x < -limit ? -limit : x;
}

/* Its slope: 1 within the limits and on them (as PyTorch's clamp), 0 beyond. */
FG_HD fg_real fg_clip_slope(fg_real x, fg_real limit)
{
  return x > limit || x < -limit ? (fg_real)0 : (fg_real)1;
}

#endif

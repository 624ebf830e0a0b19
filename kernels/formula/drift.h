/* Drifts of the generative family and of the probability-flow ODE; f = -a x. */
#ifndef FG_FORMULA_DRIFT_H
#define FG_FORMULA_DRIFT_H

#include "formula/real.h"

/* Noising time:  dx/dt = f - g^2 s / 2;  also its Jacobian times v, with v for x and (ds/dx) v for s. */
FG_HD fg_real fg_ode_drift(fg_real a, fg_real g2, fg_real x, fg_real s)
{
  return -a * x - (fg_real)0.5 * g2 * s;
}

/* d log p / dt along it: -div(f - g^2 s / 2). */
FG_HD fg_real fg_ode_log_drift(fg_real a, fg_real g2, fg_real d, fg_real divergence)
{
  return a * d + (fg_real)0.5 * g2 * divergence;
}

/* Generative time: what a step adds, -f h + (1 + lambda^2)/2 g^2 s h, from ah = a h and
 * gh = (1 + lambda^2)/2 g^2 h. */
FG_HD fg_real fg_generative_step(fg_real ah, fg_real gh, fg_real x, fg_real s)
{
  return ah * x + gh * s;
}

#endif

/* The Fokker-Planck residual of a potential in log form, f = -a x:
 *   R = phi_t + div f + f.grad phi - g^2/2 (lap phi + |grad phi|^2)
 * For phi = log p_t it is 0; in floating point, 0 to rounding relative to fg_residual_scale. */
#ifndef FG_FORMULA_RESIDUAL_H
#define FG_FORMULA_RESIDUAL_H

#include "formula/real.h"

/* xs = x.grad phi, ss = |grad phi|^2 */
FG_HD fg_real fg_residual(fg_real phi_t, fg_real a, fg_real g2, fg_real d, fg_real laplacian, fg_real xs,
                          fg_real ss)
{
  return (phi_t - a * (d + xs)) - (fg_real)0.5 * g2 * (laplacian + ss);
}

/* The size of its terms: |R| is at most this, and R / scale says how well the equation holds. */
FG_HD fg_real fg_residual_scale(fg_real phi_t, fg_real a, fg_real g2, fg_real d, fg_real laplacian,
                                fg_real xs, fg_real ss)
{
  return FG_MATH(fabs)(phi_t) + FG_MATH(fabs)(a) * (d + FG_MATH(fabs)(xs)) +
         (fg_real)0.5 * g2 * (FG_MATH(fabs)(laplacian) + ss);
}

#endif

/* The perturbation epsilon h of an exact model and its derivatives, from three numbers of a point.
 *
 *   h = exp(-decay t) exp(-r2 / (2 L^2)) sin(k S + t),   S = x_1 + ... + x_d,  k = wave / sqrt(d),  r2 = |x|^2
 *
 * With E = epsilon exp(-decay t) exp(-r2 / (2 L^2)), s = E sin, c = E cos, b = 1/L^2:
 *   epsilon h       = s
 *   epsilon h_t     = -decay s + c
 *   epsilon h_i     = -b x_i s + k c
 *   epsilon lap h   = s (b^2 r2 - b d - d k^2) - 2 b k S c
 *   epsilon (H v)_i = s (b^2 x_i (x.v) - b v_i - k^2 (1.v)) - c b k (x_i (1.v) + (x.v)) */
#ifndef FG_FORMULA_PERTURB_H
#define FG_FORMULA_PERTURB_H

#include "formula/vecexp.h"

/* s and c above. amplitude = epsilon exp(-decay t). Where the envelope has vanished the phase, which may be
 * out of reach of the range reduction, is left out. */
FG_HD void fg_perturb_waves(fg_real amplitude, fg_real t, fg_real k, fg_real b, fg_real r2, fg_real sum,
                            fg_real *s, fg_real *c)
{
  fg_real envelope = fg_vexp((fg_real)-0.5 * b * r2), sine, cosine;
  fg_vsincos(envelope > 0 ? k * sum + t : t, &sine, &cosine);
  *s = amplitude * envelope * sine;
  *c = amplitude * envelope * cosine;
}

FG_HD fg_real fg_perturb_laplacian(fg_real s, fg_real c, fg_real k, fg_real b, fg_real d, fg_real r2,
                                   fg_real sum)
{
  return s * (b * (b * r2 - d) - d * k * k) - 2 * b * k * sum * c;
}

FG_HD fg_real fg_perturb_gradient(fg_real s, fg_real c, fg_real k, fg_real b, fg_real xi)
{
  return k * c - b * xi * s;
}

/* ones = 1.v, along = x.v */
FG_HD fg_real fg_perturb_hessian(fg_real s, fg_real c, fg_real k, fg_real b, fg_real xi, fg_real vi,
                                 fg_real ones, fg_real along)
{
  return s * (b * (b * xi * along - vi) - k * k * ones) - c * b * k * (xi * ones + along);
}

#endif

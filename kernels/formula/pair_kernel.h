/* Kernels between two points, from the square of their distance: a mean of Gaussians, and the distance itself. */
#ifndef FG_FORMULA_PAIR_KERNEL_H
#define FG_FORMULA_PAIR_KERNEL_H

#include "formula/vecmath.h"

/* What fg_pair_gaussians takes for a middle bandwidth h. Beyond the range of numbers it stays finite. */
FG_HD fg_real fg_pair_rate(double h)
{
  const double rate = 0.125 / (h * h), most = (double)FG_REAL_MAX;
  return (fg_real)(rate < most ? rate : most);
}

/* (k_{h/2} + k_h + k_{2h}) / 3 with k_b = exp(-square / (2 b^2)): k_h is k_{2h}^4 and k_{h/2} its 16th power, so one
 * exponential serves all three. rate = 1 / (8 h^2). Powers too small for a normal number are 0: they would be slow. */
FG_HD fg_real fg_pair_gaussians(fg_real square, fg_real rate)
{
#ifdef FG_SINGLE
  const fg_real least = 4e-10f, fewest = 0.005f;
#else
  const fg_real least = 1e-76, fewest = 1e-19;
#endif
  fg_real wide = fg_vexp_falling(-square * rate);
  fg_real middle = wide * wide;
  middle = wide < least ? (fg_real)0 : middle * middle;
  fg_real narrow = middle * middle;
  narrow = wide < fewest ? (fg_real)0 : narrow * narrow;
  return (wide + middle + narrow) * (fg_real)(1.0 / 3);
}

FG_HD fg_real fg_pair_distance(fg_real square)
{
  return FG_MATH(sqrt)(square);
}

#endif

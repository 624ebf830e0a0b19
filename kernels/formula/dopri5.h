/* The Runge-Kutta pair 5(4) of Dormand and Prince (J. Comput. Appl. Math. 6 (1980) 19-26), its continuous extension of
 * order 4 and the control of its steps (Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, sections
 * II.4 to II.6; Gustafsson's PI controller as in their DOPRI5). Seven stages; the last is the first of the next step. */
#ifndef FG_FORMULA_DOPRI5_H
#define FG_FORMULA_DOPRI5_H

#include "formula/real.h"

enum { FG_DOPRI5_STAGES = 7, FG_DOPRI5_TERMS = 6 };

/* Where stage s = 0 .. 6 lies within the step. */
FG_HD double fg_dopri5_node(int s)
{
  const double c[FG_DOPRI5_STAGES] = {0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1};
  return c[s];
}

/* Weight of stage q < s in the point of stage s; those of stage 6 give the end of the step. */
FG_HD double fg_dopri5_weight(int s, int q)
{
  const double a[FG_DOPRI5_STAGES][FG_DOPRI5_TERMS] = {
      {0, 0, 0, 0, 0, 0},
      {1.0 / 5, 0, 0, 0, 0, 0},
      {3.0 / 40, 9.0 / 40, 0, 0, 0, 0},
      {44.0 / 45, -56.0 / 15, 32.0 / 9, 0, 0, 0},
      {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729, 0, 0},
      {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656, 0},
      {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}};
  return a[s][q];
}

/* The result of order 5 less that of order 4, over the step; k1 to k7 without k2, whose weight is 0. */
FG_HD double fg_dopri5_error(double k1, double k3, double k4, double k5, double k6, double k7)
{
  return 71.0 / 57600 * k1 - 71.0 / 16695 * k3 + 71.0 / 1920 * k4 - 17253.0 / 339200 * k5 + 22.0 / 525 * k6 -
         1.0 / 40 * k7;
}

/* The state at `share` of the step h from y0 to y1. */
FG_HD double fg_dopri5_between(double share, double h, double y0, double y1, double k1, double k3, double k4,
                               double k5, double k6, double k7)
{
  const double rest = 1 - share, difference = y1 - y0, bend = h * k1 - difference;
  const double last = h * (-12715105075.0 / 11282082432.0 * k1 + 87487479700.0 / 32700410799.0 * k3 -
                           10690763975.0 / 1880347072.0 * k4 + 701980252875.0 / 199316789632.0 * k5 -
                           1453857185.0 / 822651844.0 * k6 + 69997945.0 / 29380423.0 * k7);
  return y0 + share * (difference + rest * (bend + share * (difference - h * k7 - bend + rest * last)));
}

/* What divides the step: error^0.17 / before^0.04 / 0.9 within 0.1 .. 5, `before` the error of the step before. */
FG_HD double fg_dopri5_divide(double error, double before)
{
  const double factor = pow(error, 0.2 - 0.04 * 0.75) / pow(before, 0.04) / 0.9;
  return factor < 0.1 ? 0.1 : factor > 5 ? 5 : factor;
}

/* The same after a step that failed, of which the one before says nothing. */
FG_HD double fg_dopri5_divide_failed(double error)
{
  const double factor = pow(error, 0.2 - 0.04 * 0.75) / 0.9;
  return factor > 5 ? 5 : factor;
}

/* The step that an explicit Euler step is tried with at the start; norms of y and of f, no longer than `span`. */
FG_HD double fg_dopri5_try(double size, double rate, double span)
{
  const double h = size < 1e-5 || rate < 1e-5 ? 1e-6 * span : 0.01 * (size / rate);
  return h < span ? h : span;
}

/* The first step from `bend`, the norm of how much f changed over the trial step, divided by it. */
FG_HD double fg_dopri5_first(double trial, double rate, double bend, double span)
{
  const double most = rate > bend ? rate : bend;
  double h = most > 1e-15 ? pow(0.01 / most, 0.2) : 1e-3 * trial > 1e-6 * span ? 1e-3 * trial : 1e-6 * span;
  h = h < 100 * trial ? h : 100 * trial;
  return h < span ? h : span;
}

#endif

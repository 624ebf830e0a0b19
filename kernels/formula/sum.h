/* Neumaier's compensated sum: the error is about one ulp of sum |x|, whatever the length. */
#ifndef FG_FORMULA_SUM_H
#define FG_FORMULA_SUM_H

#include "formula/real.h"

typedef struct fg_sum {
  double high, low;
} fg_sum;

FG_HD void fg_sum_add(fg_sum *sum, double x)
{
  const double total = sum->high + x;
  if (fabs(sum->high) >= fabs(x))
    sum->low += (sum->high - total) + x;
  else
    sum->low += (x - total) + sum->high;
  sum->high = total;
}

FG_HD double fg_sum_value(const fg_sum *sum)
{
  return sum->high + sum->low;
}

#endif

/* Costs of transport as whole numbers, the same bits on every engine and instruction set.
 *
 * No compiler may make one operation of two here: products and sums are written as such where CUDA would join them, and the
 * files that include this are compiled without contraction (-ffp-contract=off). All of it is monotone in each |x_k - y_k|,
 * rounding included, so the cost of the gap to a box is never above that of a point in it. */
#ifndef FG_FORMULA_PRICE_H
#define FG_FORMULA_PRICE_H

#include "formula/real.h"

#ifdef __CUDA_ARCH__
#define FG_PRICE_TIMES(a, b) __dmul_rn((a), (b))
#define FG_PRICE_PLUS(a, b) __dadd_rn((a), (b))
#else
#define FG_PRICE_TIMES(a, b) ((a) * (b))
#define FG_PRICE_PLUS(a, b) ((a) + (b))
#endif

/* 1.5 2^52: added and taken off again it rounds to the nearest whole number, and vectorises. */
#define FG_COST_ROUNDING 6755399441055744.0

/* cost = (scale min(|x - y|^2, cap) + rounding) - rounding; with FG_COST_ROUNDING a whole number, with 0 as it is. */
typedef struct fg_cost_rule {
  double cap, scale, rounding;
} fg_cost_rule;

/* The next term of |x - y|^2, coordinates in their order. */
FG_HD double fg_cost_add(double sum, double gap)
{
  return FG_PRICE_PLUS(sum, FG_PRICE_TIMES(gap, gap));
}

FG_HD double fg_rule_cost(const fg_cost_rule *rule, double squared)
{
  const double cut = squared < rule->cap ? squared : rule->cap;
  return FG_PRICE_PLUS(FG_PRICE_PLUS(FG_PRICE_TIMES(cut, rule->scale), rule->rounding), -rule->rounding);
}

/* How far x lies outside [low, high]. */
FG_HD double fg_cost_outside(double x, double low, double high)
{
  const double below = low - x, above = x - high, gap = below > above ? below : above;
  return gap > 0 ? gap : 0;
}

#endif

/* The parts of the budget that need both flows once more. */
#ifndef FG_BUDGET_PARTS_H
#define FG_BUDGET_PARTS_H

#include "analysis/budget.h"

/* Step, tolerance, prior and cut, in the square. */
FG_CHECKED fg_code fg_budget_effects(fg_comparison *c, fg_status *st);

/* Half width of an interval of the budget's confidence, in standard errors. */
double fg_budget_student(const fg_comparison *c, double degrees);

/* Total effect of a step, from what two refinements do to a quantity a h^p + b h^2p, rho = 2^-p: change [blocks] by
 * each of them. `left`: how far that is from what a h^p alone would give, or from a slower fall that is seen. */
void fg_budget_extrapolate(size_t blocks, const double *change1, const double *change2, double rho,
                           double *effect, double *se, double *left);

#endif

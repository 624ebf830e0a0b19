/* Parts of results.json that stand in files of their own. */
#ifndef FG_COMPARE_RESULTS_H
#define FG_COMPARE_RESULTS_H

#include "analysis/compare_impl.h"
#include "analysis/results.h"

/* compare_results.c */
void fg_put_estimate(fg_tree one, fg_estimator estimator, const fg_estimate *e);
/* compare_certificate_results.c */
void fg_put_certificate(fg_tree root, const fg_comparison *c);
void fg_put_lambda_curve(fg_tree root, const fg_comparison *c);

#endif

/* Which estimate the headline rests on, and what each estimate says about the gap (docs/run-directory.md). */
#ifndef FG_REPORT_ANSWER_H
#define FG_REPORT_ANSWER_H

#include <jansson.h>
#include <stdbool.h>

#include "analysis/report/data.h"
#include "analysis/report/page.h"

typedef enum fg_verdict { FG_VERDICT_NONE, FG_VERDICT_WITHIN, FG_VERDICT_APART } fg_verdict;

/* One estimate of ODE against SDE; verdict FG_VERDICT_NONE and value NaN when there is none. */
typedef struct fg_answer {
  const char *estimator;
  const json_t *pairs, *gap;
  double value, low, high, floor, p, used_x, used_y, tested_x, tested_y, outside_x, outside_y;
  fg_verdict verdict;
} fg_answer;

/* The estimate of the headline and of the tiles. */
fg_answer fg_answer_find(const fg_run *run);

/* One sentence on the estimators that see it otherwise than `a`; nothing when all agree. */
void fg_answer_dissent(const fg_run *run, const fg_answer *a, fg_page *page);
/* What there is to say where the budget's interval points another way than the headline (docs/budget.md). */
void fg_answer_disagreement(const fg_run *run, fg_page *page);
/* One sentence when the floor of the exact estimate hides gaps in high dimension; else nothing. */
void fg_answer_dimension(const fg_run *run, fg_page *page);

#endif

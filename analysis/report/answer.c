#include "analysis/report/answer.h"

#include <math.h>
#include <string.h>

enum { FG_ANSWERS = 6 };
/* In the order in which the headline takes them. */
static const char *const fg_order[FG_ANSWERS] = {"grid",     "exact",  "gaussian",
                                                 "sinkhorn", "sliced", "max_sliced"};
/* Share of a law beyond the grid from which its distance is no longer that of the laws. */
static const double fg_grid_lost = 0.01;

/* A gap is seen when a permutation test at 5 % says so: that is the test, the interval says how large it is. Without
 * a test, when the interval excludes 0. */
static fg_answer fg_answer_of(const fg_run *run, const char *estimator)
{
  fg_answer a = {.estimator = estimator};
  a.pairs = fg_run_find(fg_run_find(run->results, "w2"), estimator);
  a.gap = fg_run_find(a.pairs, "ode_sde");
  a.value = fg_run_real(a.gap, "value");
  a.low = fg_run_real(a.gap, "ci_low");
  a.high = fg_run_real(a.gap, "ci_high");
  a.floor = fg_run_real(a.gap, "floor");
  a.p = fg_run_real(a.gap, "p_value");
  a.used_x = fg_run_real(a.gap, "used_x");
  a.used_y = fg_run_real(a.gap, "used_y");
  a.tested_x = fg_run_real(a.gap, "tested_x");
  a.tested_y = fg_run_real(a.gap, "tested_y");
  a.outside_x = fg_run_real(a.gap, "outside_x");
  a.outside_y = fg_run_real(a.gap, "outside_y");
  if (!isfinite(a.value)) return a;
  bool apart = isfinite(a.p) ? a.p <= 0.05 : a.low > 0;
  a.verdict = apart ? FG_VERDICT_APART : FG_VERDICT_WITHIN;
  return a;
}

static bool fg_answer_whole(const fg_answer *a)
{
  if (strcmp(a->estimator, "grid") != 0) return true;
  return a->outside_x < fg_grid_lost * (a->used_x + a->outside_x) &&
         a->outside_y < fg_grid_lost * (a->used_y + a->outside_y);
}

fg_answer fg_answer_find(const fg_run *run)
{
  fg_answer first = fg_answer_of(run, fg_order[0]);
  for (int i = 0; i < FG_ANSWERS; i++) {
    fg_answer a = fg_answer_of(run, fg_order[i]);
    if (a.verdict != FG_VERDICT_NONE && fg_answer_whole(&a)) return a;
  }
  return first; /* a grid that leaves out much, or nothing at all */
}

/* The particles that the verdict rests on: those of the test, where there is one. */
static void fg_answer_rows(const fg_answer *a, double *x, double *y)
{
  const bool tested = isfinite(a->p) && a->tested_x > 0;
  *x = tested ? a->tested_x : a->used_x;
  *y = tested ? a->tested_y : a->used_y;
}

static void fg_answer_used(const fg_answer *a, fg_page *page)
{
  double x, y;
  fg_answer_rows(a, &x, &y);
  fg_page_put(page, strcmp(a->estimator, "gaussian") == 0 ? "from means and covariances of " : "on ");
  fg_page_count(page, x, "not recorded");
  if (x == y) {
    fg_page_put(page, " particles of each law");
  } else {
    fg_page_put(page, " particles of the ODE and ");
    fg_page_count(page, y, "not recorded");
    fg_page_put(page, " of the SDE");
  }
}

/* Why it sees a gap or not. */
static void fg_answer_reason(const fg_answer *a, fg_page *page)
{
  fg_page_put(page, " (");
  if (isfinite(a->p)) {
    fg_page_put(page, "<span class=\"nb\"><i>p</i> = ");
    fg_page_number(page, a->p, 2, NULL);
    fg_page_put(page, "</span>");
  } else {
    fg_page_put(page, a->low > 0 ? "its interval excludes 0" : "its interval reaches 0");
  }
  fg_page_put(page, ")");
}

void fg_answer_dissent(const fg_run *run, const fg_answer *a, fg_page *page)
{
  bool apart = a->verdict == FG_VERDICT_APART;
  int said = 0;
  bool fewer = false;
  if (a->verdict == FG_VERDICT_NONE) return;
  for (int i = 0; i < FG_ANSWERS; i++) {
    fg_answer other = fg_answer_of(run, fg_order[i]);
    if (other.verdict == FG_VERDICT_NONE || other.verdict == a->verdict) continue;
    if (said++)
      fg_page_put(page, ", and ");
    else
      fg_page_print(page, "<p class=\"lead\"><strong>The %s estimate sees %s; ", a->estimator,
                    apart ? "a gap" : "no gap");
    fg_page_print(page, "%s, ", other.estimator);
    fg_answer_used(&other, page);
    fg_page_put(page, apart ? ", does not" : ", does");
    fg_answer_reason(&other, page);
    double x, y, other_x, other_y;
    fg_answer_rows(a, &x, &y);
    fg_answer_rows(&other, &other_x, &other_y);
    fewer = fewer || (apart && isfinite(other.p) && other_x + other_y < x + y);
  }
  if (fewer) fg_page_put(page, ". A test on fewer particles sees only larger gaps");
  if (said) fg_page_put(page, ".</strong></p>\n");
}

void fg_answer_disagreement(const fg_run *run, fg_page *page)
{
  const char *text = fg_run_word(run->results, "budget.disagreement", NULL);
  if (!text) return;
  fg_page_put(page, "<p class=\"lead\">");
  fg_page_text(page, text);
  fg_page_put(page, "</p>\n");
}

void fg_answer_dimension(const fg_run *run, fg_page *page)
{
  double d = fg_run_real(run->results, "model.dimension");
  fg_answer exact = fg_answer_of(run, "exact"), gaussian = fg_answer_of(run, "gaussian");
  if (!isfinite(d)) d = (double)run->d;
  if (!(d >= 5) || !(exact.value <= 1.2 * exact.floor)) return;
  fg_page_put(page, "<p class=\"lead\">In ");
  fg_page_count(page, d, NULL);
  fg_page_put(page, " dimensions the exact estimate of ");
  fg_page_count(page, exact.used_x, "not recorded");
  fg_page_put(page, " points is dominated by its floor, which falls only like <span class=\"nb\"><i>n</i>"
                    "<sup>\xe2\x88\x92"
                    "1/");
  fg_page_count(page, d, NULL);
  fg_page_put(page, "</sup></span>: ");
  if (gaussian.verdict == FG_VERDICT_NONE) {
    fg_page_put(page, "add gaussian to compare.estimators, which sees differences of means and covariances "
                      "far below it.</p>\n");
    return;
  }
  fg_page_put(page, "go by gaussian, which sees differences of means and covariances far below it (");
  fg_page_number(page, gaussian.value, 3, NULL);
  fg_page_put(page, ", noise floor ");
  fg_page_number(page, gaussian.floor, 3, "no floor was estimated");
  fg_page_put(page, ").</p>\n");
}

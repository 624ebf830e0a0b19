/* The headline figures of several runs: one column for each run, one row for each figure that some run has. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/report/answer.h"
#include "analysis/report/side.h"

/* A figure of a run: its value, below it what it is sure of. value NaN: the run has none. */
typedef struct fg_side_cell {
  double value, low, high, floor, p;
  const char *by; /* estimator, or another word; NULL: none */
  bool count;     /* a whole number */
} fg_side_cell;

typedef fg_side_cell fg_side_take(const fg_side_run *run);

static fg_side_cell plain(double value, bool count)
{
  return (fg_side_cell){.value = value, .low = NAN, .high = NAN, .floor = NAN, .p = NAN, .count = count};
}

/* ---- what is taken from a run ----------------------------------------------------------------------------- */

static fg_side_cell take_gap(const fg_side_run *run)
{
  const json_t *grid = fg_run_find(run->run->results, "density.w2");
  fg_answer a = fg_answer_find(run->run);
  fg_side_cell c = {a.value, a.low, a.high, a.floor, a.p, a.estimator, false};
  if (!grid) return c;
  c = plain(fg_run_real(grid, "value"),
            false); /* between bounds that are sure, not an interval of a sample */
  c.low = fg_run_real(grid, "low");
  c.high = fg_run_real(grid, "high");
  c.by = "densities";
  return c;
}

static fg_side_cell take_pair(const fg_side_run *run, const char *pair)
{
  fg_answer a = fg_answer_find(run->run);
  const json_t *one = fg_run_find(a.pairs, pair);
  fg_side_cell c = plain(fg_run_real(one, "value"), false);
  c.low = fg_run_real(one, "ci_low");
  c.high = fg_run_real(one, "ci_high");
  c.floor = fg_run_real(one, "floor");
  return c;
}

static fg_side_cell take_ode_target(const fg_side_run *run)
{
  return take_pair(run, "ode_target");
}

/* Of a training: of its sampler, which is the SDE. */
static fg_side_cell take_sde_target(const fg_side_run *run)
{
  const json_t *own = fg_run_find(run->run->results, "sampler.w2");
  if (!own) return take_pair(run, "sde_target");
  fg_side_cell c = plain(fg_run_real(own, "value"), false);
  c.low = fg_run_real(own, "ci_low");
  c.high = fg_run_real(own, "ci_high");
  c.floor = fg_run_real(own, "floor");
  c.by = "exact";
  return c;
}

static fg_side_cell take_budget(const fg_side_run *run)
{
  const json_t *gap = fg_run_find(run->run->results, "budget.gap");
  fg_side_cell c = plain(fg_run_real(gap, "value"), false);
  c.low = fg_run_real(gap, "low");
  c.high = fg_run_real(gap, "high");
  return c;
}

static fg_side_cell take_residual(const fg_side_run *run)
{
  double square = fg_run_real(run->run->results, "residual.mean_square");
  fg_side_cell c = plain(sqrt(square), false);
  if (run->kind == FG_SIDE_RESIDUAL) c.by = fg_run_word(run->run->results, "residual.measure", NULL);
  return c;
}

static fg_side_cell take_ode(const fg_side_run *run)
{
  return plain(fg_run_real(run->run->results, "ode.rhs_evaluations"), true);
}

static fg_side_cell take_sde(const fg_side_run *run)
{
  return plain(fg_run_real(run->run->results, "sde.steps"), true);
}

/* A figure of the sampler, or its mean over seeds, with two standard errors where there is one. */
static fg_side_cell take_sampler(const fg_side_run *run, const char *name, const char *error)
{
  char path[80];
  const json_t *results = run->run->results;
  snprintf(path, sizeof path, "sampler.%s", name);
  fg_side_cell c = plain(fg_run_real(results, path), false);
  snprintf(path, sizeof path, "sampler.%s", error);
  double se = *error ? fg_run_real(results, path) : NAN;
  const json_t *mean = fg_run_find(fg_run_find(results, "summary"), name);
  if (!isfinite(c.value) && mean) {
    c.value = fg_run_real(mean, "mean");
    se = fg_run_real(mean, "sd");
    c.by = "mean of the seeds";
  }
  if (isfinite(se)) {
    c.low = c.value - 2 * se;
    c.high = c.value + 2 * se;
  }
  return c;
}

static fg_side_cell take_log_z(const fg_side_run *run)
{
  return take_sampler(run, "log_z_is", "log_z_is_se");
}

static fg_side_cell take_ess(const fg_side_run *run)
{
  return take_sampler(run, "ess", "");
}

static fg_side_cell take_seconds(const fg_side_run *run)
{
  return plain(fg_run_real(run->run->results, "wall_seconds"), false);
}

/* ---- the table --------------------------------------------------------------------------------------------- */

static const struct {
  const char *title;
  fg_side_take *take;
  const char *missing;
} rows[] = {
    {FG_W2 "(ODE, SDE)", take_gap, "no finite distance of this pair"},
    {FG_W2 "(ODE, target)", take_ode_target, "no target samples, or not measured"},
    {FG_W2 "(SDE, target)", take_sde_target, "no target samples, or not measured"},
    {"Model\xe2\x80\x99s own gap", take_budget, "no error budget in this run"},
    {"Residual, r.m.s.", take_residual, "no residual in this run"},
    {"ODE: right-hand sides", take_ode, "no ODE in this run"},
    {"SDE: steps", take_sde, "no SDE in this run"},
    {"log <i>Z</i>", take_log_z, "not a sampler\xe2\x80\x99s training"},
    {"ESS", take_ess, "not a sampler\xe2\x80\x99s training"},
    {"Time / s", take_seconds, "not recorded"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static void put_small(fg_page *page, const fg_side_cell *c)
{
  bool interval = isfinite(c->low) && isfinite(c->high);
  if (!interval && !isfinite(c->floor) && !c->by) return;
  fg_page_put(page, "<span class=\"none\">");
  if (interval) {
    fg_page_put(page, "<br/>");
    fg_page_number(page, c->low, 3, NULL);
    fg_page_put(page, " to ");
    fg_page_number(page, c->high, 3, NULL);
  }
  if (isfinite(c->floor)) {
    fg_page_put(page, "<br/>floor ");
    fg_page_number(page, c->floor, 2, NULL);
  }
  if (isfinite(c->p)) {
    fg_page_put(page, "<br/><i>p</i> = ");
    fg_page_number(page, c->p, 2, NULL);
  }
  if (c->by) {
    fg_page_put(page, "<br/>");
    fg_page_text(page, c->by);
  }
  fg_page_put(page, "</span>");
}

static void put_cell(fg_page *page, const fg_side_cell *c, const char *missing)
{
  fg_page_put(page, "<td>");
  if (c->count)
    fg_page_count(page, c->value, missing);
  else
    fg_page_number(page, c->value, 3, missing);
  if (isfinite(c->value)) put_small(page, c);
  fg_page_put(page, "</td>");
}

/* One column per run: its name, its model, its kind. */
static void put_head(const fg_side *s)
{
  static const char *const kinds[FG_SIDE_KINDS] = {"compare", "residual", "density", "train"};
  fg_page *page = s->report.page;
  fg_page_put(
      page, "<section id=\"runs\">\n<h2>Headline figures</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th "
            "scope=\"col\">Figure</th>");
  for (size_t k = 0; k < s->count; k++) {
    fg_page_put(page, "<th scope=\"col\">");
    fg_page_text(page, s->of[k].name);
    fg_page_put(page, "<br/>");
    fg_page_text(page, fg_run_word(s->of[k].run->results, "model.name",
                                   fg_run_word(s->of[k].run->results, "train.method", "")));
    fg_page_print(page, "<br/>%s</th>", kinds[s->of[k].kind]);
  }
  fg_page_put(page, "</tr></thead>\n<tbody>\n");
}

void fg_side_table(const fg_side *s)
{
  fg_page *page = s->report.page;
  put_head(s);
  for (int r = 0; r < ROWS; r++) {
    fg_side_cell cell[FG_SIDE_RUNS];
    bool any = false;
    for (size_t k = 0; k < s->count; k++) {
      cell[k] = rows[r].take(&s->of[k]);
      any = any || isfinite(cell[k].value);
    }
    if (!any) continue;
    fg_page_print(page, "<tr><th scope=\"row\">%s</th>", rows[r].title);
    for (size_t k = 0; k < s->count; k++) put_cell(page, &cell[k], rows[r].missing);
    fg_page_put(page, "</tr>\n");
  }
  fg_page_put(
      page,
      "</tbody></table></div>\n<p class=\"note\">Below a value: its interval, which is about the value "
      "without the bias of a finite sample and may lie below it, its noise floor (what the "
      "same estimate gives between two samples of one law), the <i>p</i>-value of a permutation test, and "
      "what it was measured by. Distances by different estimators, or of different numbers of particles, "
      "are not comparable beyond their floors.</p>\n</section>\n");
}

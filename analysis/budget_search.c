#include "analysis/budget_search.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Particles of the first run; later ones may have as many as the third. In one dimension exact sorts (estimate.c). */
enum { FG_FIRST = 4096, FG_SORTED = 100000, FG_MOST = 1 << 24, FG_FINEST = 13, FG_ODE_FINEST = 12 };
/* What is asked of a forecast: a little more than is needed, in a little less than the time. */
static const double fg_margin_error = 0.9, fg_margin_time = 0.8;

/* ---- settings of a choice --------------------------------------------------------------- */

static fg_code fg_assign(fg_settings *settings, fg_status *st, const char *format, ...) FG_PRINTF(3, 4);

static fg_code fg_assign(fg_settings *settings, fg_status *st, const char *format, ...)
{
  char text[200];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return fg_settings_assign(settings, text, st);
}

/* `to` as they are in `from`, for keys of numbers, words and choices. */
static fg_code fg_settings_copy(const fg_settings *from, fg_settings **to, fg_status *st)
{
  char *text;
  FG_TRY(fg_settings_create(to, st));
  FG_TRY(fg_settings_yaml(from, &text, st));
  fg_code rc = fg_settings_parse(*to, text, "the settings", st);
  free(text);
  return rc;
}

/* The segments of flow.`from` with each step halved, as those of the ODE. */
static fg_code fg_halve_segments(fg_settings *settings, const double *segment, size_t count, int halvings,
                                 fg_status *st)
{
  size_t room = 32 + 100 * count, used;
  char *text = malloc(room);
  if (!text) return FG_FAIL(st, FG_MEMORY, "no memory for a grid of %zu segments", count);
  used = (size_t)snprintf(text, room, "flow.ode.grid=[");
  for (size_t i = 0; i < count; i++)
    used += (size_t)snprintf(text + used, room - used, "%s[%.17g, %.17g, %.17g]", i ? ", " : "",
                             segment[3 * i], segment[3 * i + 1], ldexp(segment[3 * i + 2], halvings));
  snprintf(text + used, room - used, "]");
  fg_code rc = fg_settings_assign(settings, text, st);
  free(text);
  return rc;
}

/* The grid of the ODE: its own, or the one that it takes from the SDE. */
static fg_code fg_halve_ode(fg_settings *settings, int halvings, fg_status *st)
{
  const double *own, *sde;
  size_t shape[3], of_sde[3];
  int64_t steps;
  const char *spacing;
  double t_end;
  FG_TRY(fg_settings_array(settings, "flow.ode.grid", &own, shape, st));
  if (own) return fg_halve_segments(settings, own, shape[0], halvings, st);
  FG_TRY(fg_settings_integer(settings, "flow.ode.steps", &steps, st));
  if (steps > 0) return fg_assign(settings, st, "flow.ode.steps=%.0f", ldexp((double)steps, halvings));
  FG_TRY(fg_settings_array(settings, "flow.sde.grid", &sde, of_sde, st));
  if (sde) return fg_halve_segments(settings, sde, of_sde[0], halvings, st);
  FG_TRY(fg_settings_integer(settings, "flow.sde.steps", &steps, st));
  FG_TRY(fg_settings_text(settings, "flow.sde.spacing", &spacing, st));
  FG_TRY(fg_settings_real(settings, "flow.sde.t_end", &t_end, st));
  FG_TRY(fg_assign(settings, st, "flow.ode.steps=%.0f", ldexp((double)steps, halvings)));
  FG_TRY(fg_assign(settings, st, "flow.ode.spacing=%s", spacing));
  return fg_assign(settings, st, "flow.ode.t_end=%.17g", t_end);
}

/* Only the estimator that the budget takes apart gets more rows: `by`, FG_ESTIMATORS while it is not known. */
static fg_code fg_choice_settings(const fg_settings *given, const fg_choice *choice, fg_estimator by,
                                  fg_settings **to, fg_status *st)
{
  int64_t refine;
  double rtol, atol;
  FG_TRY(fg_settings_copy(given, to, st));
  FG_TRY(fg_settings_integer(given, "flow.sde.refine", &refine, st));
  FG_TRY(fg_settings_real(given, "flow.ode.rtol", &rtol, st));
  FG_TRY(fg_settings_real(given, "flow.ode.atol", &atol, st));
  FG_TRY(fg_assign(*to, st, "compare.target_error=0"));
  FG_TRY(fg_assign(*to, st, "compare.particles=%zu", choice->particles));
  FG_TRY(fg_assign(*to, st, "compare.budget_particles=%zu", choice->budget_particles));
  if (by == FG_W2_EXACT) FG_TRY(fg_assign(*to, st, "compare.exact_points=%zu", choice->rows));
  if (by == FG_W2_SINKHORN) FG_TRY(fg_assign(*to, st, "compare.pair_points=%zu", choice->rows));
  if (choice->halvings) FG_TRY(fg_assign(*to, st, "flow.sde.refine=%d", (int)refine + choice->halvings));
  if (choice->ode_halvings) FG_TRY(fg_halve_ode(*to, choice->ode_halvings, st));
  if (choice->tenths == 0) return FG_OK;
  double factor = pow(0.1, choice->tenths);
  FG_TRY(fg_assign(*to, st, "flow.ode.rtol=%.6g", rtol * factor));
  return fg_assign(*to, st, "flow.ode.atol=%.6g", fmax(1e-300, atol * factor));
}

static double fg_table_high(const char *key)
{
  size_t rows;
  const fg_setting *table = fg_settings_table(&rows);
  for (size_t i = 0; i < rows; i++)
    if (strcmp(table[i].key, key) == 0) return table[i].high;
  return 0;
}

/* `c`: the first run, as the settings have it. */
static fg_choice_limits fg_search_limits(const fg_comparison *c)
{
  fg_choice_limits most = {.particles = FG_MOST};
  double least = c->ode.precision == FG_SINGLE ? 1e-5 : 1e-14;
  if (c->budget->by == FG_W2_EXACT)
    most.rows = c->d == 1 ? FG_SORTED : (size_t)fg_table_high("compare.exact_points");
  if (c->budget->by == FG_W2_SINKHORN) most.rows = (size_t)fg_table_high("compare.pair_points");
  most.halvings = c->sde.refine < FG_FINEST ? FG_FINEST - c->sde.refine : 0;
  most.ode_halvings = c->ode_on_grid ? FG_ODE_FINEST : 0;
  most.tenths = c->ode_on_grid || c->ode.rtol < 100 * least ? 0 : (int)(log10(c->ode.rtol / least) - 1);
  return most;
}

/* ---- the runs --------------------------------------------------------------------------- */

typedef struct fg_search_run {
  const fg_comparison *asked;
  const fg_settings *given;
  const char *run_directory;
  const fg_progress *outer;
  fg_progress progress; /* says which run it is, and passes on */
  fg_search search;
  fg_choice_limits most;
  fg_settings *settings; /* of the run */
  fg_comparison c;
  FILE *log;
} fg_search_run;

static void fg_search_progress(void *user, const char *stage, double done, double total)
{
  const fg_search_run *r = user;
  char text[64];
  snprintf(text, sizeof text, "run %zu: %.40s", r->search.attempts + 1, stage);
  fg_progress_report(r->outer, text, done, total);
}

static fg_code fg_search_open(fg_search_run *r, fg_status *st)
{
  fg_comparison *c = &r->c;
  FG_TRY(fg_compare_prepare(c, r->run_directory, st));
  if (!c->budget)
    return FG_FAIL(
        st, FG_USAGE,
        "compare.target_error needs the error budget: set compare.budget to true, give an estimator of "
        "W2 in compare.estimators, and compare.budget_particles of at least %d",
        FG_BUDGET_LEAST);
  if (c->log) return FG_OK;
  c->settings = r->given; /* a run that is stopped leaves what it was asked for */
  fg_code rc = fg_compare_open(c, r->run_directory, st);
  c->settings = r->settings;
  return rc;
}

static void fg_search_clear(fg_search_run *r)
{
  r->log = r->c.log;
  r->c.log = NULL;
  fg_comparison_clear(&r->c);
  fg_settings_destroy(&r->settings);
}

static fg_code fg_search_attempt(fg_search_run *r, const fg_choice *choice, double predicted, fg_status *st)
{
  fg_search *search = &r->search;
  fg_comparison *c = &r->c;
  fg_estimator by = search->attempts ? c->budget->by : FG_ESTIMATORS;
  double began = fg_seconds();
  if (search->attempts) fg_search_clear(r);
  *c = (fg_comparison){.engine = r->asked->engine,
                       .saved = r->asked->saved,
                       .going_on = r->asked->going_on,
                       .search_run = search->attempts,
                       .progress = &r->progress,
                       .search = search,
                       .seconds = r->asked->seconds};
  c->log = r->log;
  r->log = NULL;
  FG_TRY(fg_choice_settings(r->given, choice, by, &r->settings, st));
  c->settings = r->settings;
  FG_TRY(fg_search_open(r, st));
  fg_compare_log(c, "search, run %zu: %zu particles (%zu for the budget), SDE steps halved %d times, ODE %d",
                 search->attempts + 1, choice->particles, choice->budget_particles, choice->halvings,
                 choice->tenths + choice->ode_halvings);
  FG_TRY(fg_compare_measure(c, st));
  const fg_budget *b = c->budget;
  if (!b->sentence[0])
    return FG_FAIL(st, FG_NUMERICS, "compare.target_error has no error budget to go by: %s", b->failed);
  fg_attempt *at = &search->attempt[search->attempts++];
  *at = (fg_attempt){.choice = *choice, .half_width = b->half_width, .predicted = predicted};
  const fg_estimate *e = &c->estimate[b->by][FG_ODE_SDE];
  at->choice.budget_particles = b->particles;
  at->choice.rows = e->used_x < e->used_y ? e->used_x : e->used_y;
  for (int k = FG_BUDGET_STEP; k <= FG_BUDGET_TOLERANCE; k++)
    if (b->part[k].known) at->numerical += fabs(b->part[k].value);
  at->error = at->half_width + at->numerical;
  at->seconds = fg_seconds() - began;
  const fg_piece piece = {at, sizeof *at}; /* with its time, by which the next run is chosen */
  if (!fg_compare_take(c, "attempt", 1, &piece)) fg_compare_keep(c, "attempt", 1, &piece);
  fg_compare_log(c, "search, run %zu: half width %.4g and numerical parts %.4g, target %g", search->attempts,
                 at->half_width, at->numerical, search->target);
  return FG_OK;
}

/* What else to do, or why nothing is left to do. */
static bool fg_search_more(fg_search_run *r, fg_choice *next, double *predicted)
{
  fg_search *search = &r->search;
  const fg_attempt *last = &search->attempt[search->attempts - 1];
  double left = search->limit - (fg_seconds() - r->asked->seconds), any, numerical;
  fg_forecast f;
  fg_forecast_make(&r->c, &last->choice, &f);
  /* the forecast of what was just measured may lie below it: the same run again would not come closer */
  double here = fg_forecast_error(&f, &last->choice, &numerical);
  double off = here > 0 ? fmax(1, last->error / here) : 1, goal = fg_margin_error * search->target / off;
  *next = fg_forecast_choose(&f, &r->most, goal, fg_margin_time * left, predicted);
  *predicted *= off;
  if (search->attempts < FG_ATTEMPTS && *predicted < 0.95 * last->error) return true;
  fg_choice best = fg_forecast_choose(&f, &r->most, goal, INFINITY, &any);
  any *= off;
  if (any <= search->target && search->attempts < FG_ATTEMPTS)
    snprintf(search->why, sizeof search->why,
             "%zu particles would reach it in about %.0f s, and compare.target_seconds is %g", best.particles,
             fg_forecast_seconds(&f, &best), search->limit);
  else if (search->attempts == FG_ATTEMPTS)
    snprintf(search->why, sizeof search->why, "%d runs did not come closer", FG_ATTEMPTS);
  else
    snprintf(search->why, sizeof search->why, "no number of particles up to %zu would bring it below %.2g",
             r->most.particles, any);
  return false;
}

/* A choice depends on the time that is left: one that was made stands. */
static bool fg_search_next(fg_search_run *r, fg_choice *next, double *predicted)
{
  fg_search *search = &r->search;
  bool more = false;
  const fg_piece pieces[] = {{&more, sizeof more},
                             {next, sizeof *next},
                             {predicted, sizeof *predicted},
                             {search->why, sizeof search->why}};
  if (fg_compare_take(&r->c, "next", 4, pieces)) return more;
  more = fg_search_more(r, next, predicted);
  fg_compare_keep(&r->c, "next", 4, pieces);
  return more;
}

static fg_code fg_search_all(fg_search_run *r, fg_status *st)
{
  fg_search *search = &r->search;
  fg_choice choice = {.particles = FG_FIRST, .budget_particles = FG_FIRST, .rows = FG_FIRST};
  double predicted = NAN;
  for (;;) {
    FG_TRY(fg_search_attempt(r, &choice, predicted, st));
    if (search->attempts == 1) r->most = fg_search_limits(&r->c);
    search->reached = search->attempt[search->attempts - 1].error <= search->target;
    if (search->reached || !fg_search_next(r, &choice, &predicted)) break;
  }
  return fg_compare_finish(&r->c, r->run_directory, st);
}

fg_code fg_compare_search(const fg_comparison *asked, const char *run_directory, fg_status *st)
{
  fg_search_run r = {
      .asked = asked, .given = asked->settings, .run_directory = run_directory, .outer = asked->progress};
  r.progress = (fg_progress){fg_search_progress, &r, asked->progress ? asked->progress->cancel : NULL};
  FG_TRY(fg_settings_real(r.given, "compare.target_error", &r.search.target, st));
  FG_TRY(fg_settings_real(r.given, "compare.target_seconds", &r.search.limit, st));
  fg_code rc = fg_search_all(&r, st);
  fg_compare_close(&r.c, rc, st);
  if (r.log) fclose(r.log);
  fg_settings_destroy(&r.settings);
  return rc;
}

/* The law of the probability-flow ODE: each centre of a cell is carried from t0 up to T with the integral of the
 * divergence, and takes the prior's density where it arrives. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flowgap/flow.h"
#include "fokker_planck/law_impl.h"

typedef struct fg_law_nodes {
  const fg_model *model;
  const fg_ode_settings *ode;
  double from, to;
  const fg_progress *progress;
  double *x, *log_p; /* where they start, and arrive */
  size_t d;
  fg_law_report *report;
} fg_law_nodes;

static void fg_law_ode_count(fg_law_report *report, const fg_flow_report *flow)
{
  report->steps += flow->steps;
  report->rhs_evaluations += flow->rhs_evaluations;
  report->jvp_evaluations += flow->jvp_evaluations;
}

/* A flow names its first 64 lost particles: a block that loses more is carried again in halves, cut between tiles. */
static fg_code fg_law_ode_carry(const fg_law_nodes *n, size_t begin, size_t count, fg_status *st)
{
  double *x = n->x + begin * n->d, *log_p = n->log_p + begin;
  size_t tile = n->ode->tile, row = n->d * sizeof(double);
  fg_flow_report flow;
  double *arrived = malloc(count * row);
  if (!arrived) return FG_FAIL(st, FG_MEMORY, "no memory to carry %zu nodes", count);
  memset(log_p, 0, count * sizeof *log_p);
  fg_code rc =
      fg_flow_ode(n->model, n->ode, count, x, n->from, n->to, arrived, log_p, NULL, n->progress, &flow, st);
  bool all_named = rc != FG_OK || flow.lost == flow.lost_named || count <= tile;
  if (rc == FG_OK) fg_law_ode_count(n->report, &flow);
  if (rc == FG_OK && all_named) {
    memcpy(x, arrived, count * row);
    for (size_t k = 0; k < flow.lost_named; k++) log_p[flow.named[k].particle] = NAN;
    n->report->lost += flow.lost;
  }
  free(arrived);
  if (all_named) return rc;
  size_t half = (count / 2 + tile - 1) / tile * tile;
  FG_TRY(fg_law_ode_carry(n, begin, half, st));
  return fg_law_ode_carry(n, begin + half, count - half, st);
}

/* log_p holds the change of log-density along each node's way, NaN for the lost. */
static fg_code fg_law_ode_finish(const fg_law_nodes *n, const fg_prior *prior, size_t count, fg_status *st)
{
  double *prior_log_p = malloc(count * sizeof *prior_log_p);
  if (!prior_log_p) return FG_FAIL(st, FG_MEMORY, "no memory for the prior at %zu nodes", count);
  fg_code rc = fg_prior_log_density(prior, count, n->x, prior_log_p, st);
  for (size_t c = 0; rc == FG_OK && c < count; c++)
    n->log_p[c] = isnan(n->log_p[c]) ? -HUGE_VAL : prior_log_p[c] - n->log_p[c];
  free(prior_log_p);
  return rc;
}

static void fg_law_ode_masses(const fg_law_grid *grid, const double *log_p, fg_law_report *report)
{
  double sum = 0, least = HUGE_VAL, most = 0;
  for (size_t c = 0; c < fg_law_size(grid); c++) {
    double p = exp(log_p[c]);
    sum += p;
    least = fmin(least, p);
    most = fmax(most, p);
  }
  report->mass_start = 1;
  report->mass = sum * fg_law_volume(grid);
  report->mass_outside = 1 - report->mass;
  report->least = most > 0 ? least / most : 0;
}

fg_code fg_law_ode(const fg_model *model, const fg_prior *prior, const fg_law_grid *grid,
                   const fg_law_settings *settings, double t0, double *log_p, const fg_progress *progress,
                   fg_law_report *report, fg_status *st)
{
  double start = fg_seconds(), horizon = fg_process_horizon(fg_model_process(model)), probe[2] = {0, 0};
  fg_law_report mine;
  memset(&mine, 0, sizeof mine);
  FG_TRY(fg_law_check(grid, model, st));
  if (!(t0 >= 0 && t0 < horizon))
    return FG_FAIL(st, FG_USAGE, "the ODE's density is asked for at t = %g: give 0 to below %g", t0, horizon);
  FG_TRY(fg_prior_log_density(prior, 1, probe, &mine.mass, st)); /* before the work: has it a density? */
  size_t n = fg_law_size(grid);
  double *x = malloc(n * grid->d * sizeof *x);
  if (!x) return FG_FAIL(st, FG_MEMORY, "no memory for %zu nodes", n);
  fg_law_centres(grid, x);
  fg_ode_settings ode;
  fg_ode_defaults(&ode);
  ode.rtol = settings->ode_rtol;
  ode.atol = settings->ode_atol;
  ode.tile = settings->tile;
  ode.precision = settings->precision;
  fg_law_nodes nodes = {model, &ode, t0, horizon, progress, x, log_p, grid->d, &mine};
  fg_code rc = fg_law_ode_carry(&nodes, 0, n, st);
  if (rc == FG_OK) rc = fg_law_ode_finish(&nodes, prior, n, st);
  free(x);
  FG_TRY(rc);
  mine.score_evaluations = mine.rhs_evaluations * (n < ode.tile ? n : ode.tile);
  fg_law_ode_masses(grid, log_p, &mine);
  mine.seconds = fg_seconds() - start;
  if (report) *report = mine;
  return FG_OK;
}

/* Both laws of the model from the same starts, the target, snapshots on the way, a few trajectories. */
#include "compare_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fg_code fg_reals(size_t count, double **out, fg_status *st)
{
  *out = calloc(count ? count : 1, sizeof **out);
  if (*out) return FG_OK;
  return FG_FAIL(st, FG_MEMORY, "no memory for %zu numbers: lower compare.particles", count);
}

/* The times at which both flows can keep their states: nodes of the SDE grid down to the end of the ODE, and
 * nodes of the ODE's own grid where it has one (to the 1e-12 T that fg_flow_fixed allows). */
static fg_code fg_common_nodes(fg_comparison *c, fg_status *st)
{
  const double *sde = fg_grid_times(c->sde_grid), *ode = c->ode_grid ? fg_grid_times(c->ode_grid) : NULL;
  size_t n = fg_grid_steps(c->sde_grid) + 1, m = ode ? fg_grid_steps(c->ode_grid) + 1 : 0, j = 0;
  double near = 1e-12 * c->t_start;
  FG_TRY(fg_reals(n, &c->node, st));
  for (size_t i = 0; i < n; i++) {
    while (j < m && ode[j] > sde[i] + near) j++;
    if (ode ? j < m && ode[j] >= sde[i] - near : sde[i] >= c->t_end) c->node[c->nodes++] = sde[i];
  }
  if (ode)
    fg_compare_log(c, "the grids of the ODE and the SDE share %zu times of %zu and %zu", c->nodes, m, n);
  return FG_OK;
}

/* The common node nearest to `goal`; there is one. */
static size_t fg_nearest_node(const fg_comparison *c, double goal)
{
  size_t best = 0;
  for (size_t k = 1; k < c->nodes; k++)
    if (fabs(c->node[k] - goal) < fabs(c->node[best] - goal)) best = k;
  return best;
}

/* Common nodes nearest to `count` times equal in log between the ends, decreasing, no repeats. */
static size_t fg_log_nodes(const fg_comparison *c, size_t count, double *t)
{
  const double *node = c->node;
  size_t used = 0, end = c->nodes ? c->nodes - 1 : 0;
  if (c->nodes == 0) return 0;
  double last = node[end] > 0 || end == 0 ? node[end] : node[end - 1];
  for (size_t i = 0; i < count; i++) {
    double goal = node[0] * pow(last / node[0], count > 1 ? (double)i / (double)(count - 1) : 0);
    double at = node[fg_nearest_node(c, goal)];
    if (used == 0 || at < t[used - 1]) t[used++] = at;
  }
  if (node[end] == 0 && used < count) t[used++] = 0;
  return used;
}

/* ODE particles [first, first + n): CVODE, or a fixed grid when the settings say so. */
static fg_code fg_draw_ode(fg_comparison *c, size_t first, size_t n, const fg_snapshots *keep, double *x1,
                           fg_flow_report *report, fg_status *st)
{
  const double *x0 = c->start + first * c->d;
  if (c->ode_on_grid)
    return fg_flow_fixed(c->model, &c->ode_fixed, c->seed, 1, first, n, x0, x1, NULL, keep, c->progress,
                         report, st);
  return fg_flow_ode(c->model, &c->ode, n, x0, c->t_start, c->t_end, x1, NULL, keep, c->progress, report, st);
}

static fg_code fg_draw_sde(fg_comparison *c, size_t first, size_t n, const fg_snapshots *keep, double *x1,
                           fg_flow_report *report, fg_status *st)
{
  const double *x0 = c->sde_start ? c->sde_start : c->start;
  return fg_flow_fixed(c->model, &c->sde, c->seed, 1, first, n, x0 + first * c->d, x1, NULL, keep,
                       c->progress, report, st);
}

/* Add the report of a later part; `first` is added to the numbers of its named particles. */
static void fg_report_add(fg_flow_report *sum, const fg_flow_report *part, uint64_t first)
{
  if (sum->tiles == 0) {
    *sum = *part;
  } else {
    double a = (double)sum->tiles, b = (double)part->tiles;
    for (size_t i = 0; i < sum->bins && a + b > 0; i++) {
      double p = a * sum->bin_steps[i], q = b * part->bin_steps[i]; /* the order is a mean over steps */
      if (p + q > 0) sum->bin_order[i] = (p * sum->bin_order[i] + q * part->bin_order[i]) / (p + q);
      sum->bin_steps[i] = (p + q) / (a + b);
      sum->bin_rhs[i] = (a * sum->bin_rhs[i] + b * part->bin_rhs[i]) / (a + b);
    }
    for (size_t i = 0; i < part->lost_named && sum->lost_named < FG_LOST_NAMED; i++) {
      sum->named[sum->lost_named] = part->named[i];
      sum->named[sum->lost_named++].particle += first;
    }
    sum->rhs_evaluations += part->rhs_evaluations;
    sum->jvp_evaluations += part->jvp_evaluations;
    sum->error_test_failures += part->error_test_failures;
    sum->convergence_failures += part->convergence_failures;
    sum->tiles += part->tiles;
    sum->tiles_split += part->tiles_split;
    sum->lost += part->lost;
    sum->seconds += part->seconds;
  }
}

typedef fg_code fg_draw_law(fg_comparison *c, size_t first, size_t n, const fg_snapshots *keep, double *x1,
                            fg_flow_report *report, fg_status *st);

/* Particles [first, first + n), or what an earlier run has left of them. */
static fg_code fg_draw_part(fg_comparison *c, fg_draw_law *draw, size_t first, size_t n, double *x1,
                            double *snapshot_x, fg_flow_report *part, fg_status *st)
{
  const fg_snapshots keep = {c->snapshots, c->snapshot_t, snapshot_x, NULL};
  const fg_piece pieces[] = {{x1 + first * c->d, n * c->d * sizeof *x1},
                             {part, sizeof *part},
                             {snapshot_x, snapshot_x ? c->snapshots * n * c->d * sizeof *snapshot_x : 0}};
  const char *law = draw == fg_draw_sde ? "SDE" : "ODE";
  char step[64];
  snprintf(step, sizeof step, "%s from %zu", law, first);
  if (fg_compare_take(c, step, 3, pieces)) return FG_OK;
  memset(part, 0, sizeof *part);
  FG_TRY(draw(c, first, n, snapshot_x && c->snapshots ? &keep : NULL, x1 + first * c->d, part, st));
  fg_compare_log(c, "%s: particles %zu to %zu drawn", law, first, first + n - 1);
  fg_compare_keep(c, step, 3, pieces);
  return FG_OK;
}

/* The first `kept` particles with snapshots, the rest without, in parts that a run which goes on need not draw again: the
 * cuts lie between tiles of the ODE, so they change nothing. */
static fg_code fg_draw_in_parts(fg_comparison *c, fg_draw_law *draw, double *x1, double *snapshot_x,
                                fg_flow_report *total, fg_status *st)
{
  const bool grid = draw == fg_draw_sde || c->ode_on_grid; /* fg_flow_fixed knows where its part begins */
  fg_flow_report part = {0};
  FG_TRY(fg_draw_part(c, draw, 0, c->kept, x1, snapshot_x, &part, st));
  fg_report_add(total, &part, 0);
  uint64_t steps = part.steps;
  for (size_t first = c->kept, n; first < c->n; first += n) {
    n = FG_DRAWN - FG_DRAWN % c->ode.tile;
    if (n == 0 || n > c->n - first) n = c->n - first;
    FG_TRY(fg_draw_part(c, draw, first, n, x1, NULL, &part, st));
    fg_report_add(total, &part, grid ? 0 : first);
    steps += grid ? 0 : part.steps;
  }
  total->steps = steps;
  return FG_OK;
}

static fg_code fg_choose_snapshots(fg_comparison *c, fg_status *st)
{
  const double *asked;
  size_t shape[3];
  FG_TRY(fg_settings_array(c->settings, "compare.snapshots", &asked, shape, st));
  size_t count = asked ? shape[0] : 8;
  FG_TRY(fg_reals(count + 1, &c->snapshot_t, st));
  if (!asked) {
    c->snapshots = fg_log_nodes(c, count, c->snapshot_t);
  } else {
    for (size_t i = 0; i < count && c->nodes; i++) { /* nearest node; ends are clamped */
      double t = c->node[fg_nearest_node(c, asked[i])];
      size_t at = 0;
      while (at < c->snapshots && c->snapshot_t[at] > t) at++;
      if (at < c->snapshots && c->snapshot_t[at] == t) continue;
      memmove(c->snapshot_t + at + 1, c->snapshot_t + at, (c->snapshots - at) * sizeof(double));
      c->snapshot_t[at] = t;
      c->snapshots++;
    }
  }
  FG_TRY(fg_reals(c->snapshots * c->kept * c->d, &c->snapshot_ode, st));
  return fg_reals(c->snapshots * c->kept * c->d, &c->snapshot_sde, st);
}

/* A few particles, followed closely: both flows from the ODE's starts, the SDE with its own noise. */
static fg_code fg_draw_traces(fg_comparison *c, fg_status *st)
{
  c->traced = c->n < FG_TRAJECTORIES ? c->n : FG_TRAJECTORIES;
  FG_TRY(fg_reals(FG_TRAJECTORY_TIMES + 1, &c->trace_t, st));
  c->trace_times = fg_log_nodes(c, FG_TRAJECTORY_TIMES, c->trace_t);
  FG_TRY(fg_reals(c->trace_times * c->traced * c->d, &c->trace_ode, st));
  FG_TRY(fg_reals(c->trace_times * c->traced * c->d, &c->trace_sde, st));
  double *end = NULL;
  FG_TRY(fg_reals(c->traced * c->d, &end, st));
  fg_flow_report unused = {0};
  fg_snapshots ode = {c->trace_times, c->trace_t, c->trace_ode, NULL};
  fg_snapshots sde = {c->trace_times, c->trace_t, c->trace_sde, NULL};
  fg_code rc = fg_draw_ode(c, 0, c->traced, &ode, end, &unused, st);
  if (rc == FG_OK)
    rc = fg_flow_fixed(c->model, &c->sde, c->seed, 1, 0, c->traced, c->start, end, NULL, &sde, c->progress,
                       &unused, st);
  free(end);
  return rc;
}

fg_code fg_compare_draw(fg_comparison *c, fg_status *st)
{
  size_t values = c->n * c->d;
  /* only CVODE's tiles show in the results: they must not be cut, unless one alone is more than is kept */
  c->kept = c->n < FG_KEPT ? c->n : FG_KEPT - FG_KEPT % (c->ode.tile < FG_KEPT ? c->ode.tile : 1);
  c->rows[FG_LAW_ODE] = c->rows[FG_LAW_SDE] = c->n;
  FG_TRY(fg_reals(values, &c->start, st));
  FG_TRY(fg_reals(values, &c->law[FG_LAW_ODE], st));
  FG_TRY(fg_reals(values, &c->law[FG_LAW_SDE], st));
  FG_TRY(fg_prior_sample(c->prior, c->seed, 0, c->n, c->start, st));
  if (!c->same_starts) {
    FG_TRY(fg_reals(values, &c->sde_start, st));
    FG_TRY(fg_prior_sample(c->prior, c->seed, c->n, c->n, c->sde_start, st));
  }
  FG_TRY(fg_common_nodes(c, st));
  FG_TRY(fg_choose_snapshots(c, st));
  FG_TRY(fg_draw_in_parts(c, fg_draw_ode, c->law[FG_LAW_ODE], c->snapshot_ode, &c->ode_report, st));
  fg_compare_log(c, "ODE: %zu particles, %llu right-hand sides, %llu lost, %.2f s", c->n,
                 (unsigned long long)c->ode_report.rhs_evaluations, (unsigned long long)c->ode_report.lost,
                 c->ode_report.seconds);
  FG_TRY(fg_draw_in_parts(c, fg_draw_sde, c->law[FG_LAW_SDE], c->snapshot_sde, &c->sde_report, st));
  fg_compare_log(c, "SDE: %zu particles, %llu steps, %llu lost, %.2f s", c->n,
                 (unsigned long long)c->sde_report.steps, (unsigned long long)c->sde_report.lost,
                 c->sde_report.seconds);
  FG_TRY(fg_draw_traces(c, st));
  if (c->target && (fg_target_abilities(c->target) & FG_TARGET_SAMPLE)) {
    /* estimates need independent rows: a file gives each of its rows once */
    size_t distinct = fg_target_rows(c->target);
    c->rows[FG_LAW_TARGET] = distinct && distinct < c->n ? distinct : c->n;
    FG_TRY(fg_reals(c->rows[FG_LAW_TARGET] * c->d, &c->law[FG_LAW_TARGET], st));
    FG_TRY(fg_target_sample(c->target, c->seed, 0, c->rows[FG_LAW_TARGET], c->law[FG_LAW_TARGET], st));
  }
  return FG_OK;
}

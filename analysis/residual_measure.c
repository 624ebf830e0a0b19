/* The residual under each measure: points, values, norms; the width of the box; maps. */
#include "analysis/residual_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/grid_width.h"
#include "analysis/residual_paths.h"
#include "base/clock.h"

static fg_code fg_reals(size_t times, size_t points, size_t d, double **out, fg_status *st)
{
  *out = points <= SIZE_MAX / sizeof(double) / times / d ? malloc(times * points * d * sizeof **out) : NULL;
  if (*out) return FG_OK;
  return FG_FAIL(st, FG_MEMORY,
                 "no memory for %zu points at %zu times in %zu dimensions: lower residual.points or "
                 "residual.times",
                 points, times, d);
}

/* ---- values and norms of points that are there --------------------------------------------- */

static fg_code fg_keep_place(fg_place *place, double value, double t, const double *x, size_t d,
                             fg_status *st)
{
  place->value = value;
  place->t = t;
  place->x = malloc(d * sizeof(double));
  if (!place->x) return FG_FAIL(st, FG_MEMORY, "no memory for a point");
  memcpy(place->x, x, d * sizeof(double));
  return FG_OK;
}

/* Where the largest value and those that are not finite are. */
static fg_code fg_keep_places(fg_measured *m, const double *t, size_t points, size_t d, const double *x,
                              fg_status *st)
{
  if (m->all.points)
    FG_TRY(fg_keep_place(&m->largest, m->all.largest, t[m->all.largest_at / points],
                         x + m->all.largest_at * d, d, st));
  for (size_t i = 0; i < m->all.named; i++)
    FG_TRY(fg_keep_place(&m->lost[i], NAN, t[m->all.lost_at[i] / points], x + m->all.lost_at[i] * d, d, st));
  return FG_OK;
}

/* x [times, points, d]; `first`: number of the first point, for its probes. */
static fg_code fg_norms_of(fg_residual_state *s, const fg_residual_layout *layout, uint64_t first,
                           const double *t, const double *x, fg_residual_norms *all,
                           fg_residual_norms *profile, fg_status *st)
{
  const size_t n = layout->times, m = layout->points;
  fg_residual_values values = {0};
  fg_residual_settings how = s->how;
  fg_code rc;
  how.first = first;
  FG_GO(fg_reals(n, m, 1, &values.value, st), done);
  FG_GO(fg_reals(n, m, 1, &values.scale, st), done);
  FG_GO(fg_reals(n, m, 1, &values.variance, st), done);
  FG_GO(fg_residual_evaluate(s->c.model, &how, n * m, m, t, x, &values, s->c.progress, st), done);
  rc = fg_residual_summarise(layout, &values, all, profile, st);
done:
  free(values.value);
  free(values.scale);
  free(values.variance);
  return rc;
}

/* ---- box and data --------------------------------------------------------------------------- */

static fg_code fg_draw_free(const fg_residual_state *s, fg_measure measure, uint64_t first, size_t n,
                            size_t group, const double *t, double *x, fg_status *st)
{
  if (measure == FG_MEASURE_DATA)
    return fg_residual_noised(s->c.target, s->c.process, s->c.seed, first, n, group, t, x, st);
  fg_residual_box(s->c.seed, first, n, s->c.d, s->box, x);
  return FG_OK;
}

/* Norms over all times: groups of points, each at a time of its own. Norms at the times of the profile: other points. */
static fg_code fg_measure_free(fg_residual_state *s, fg_measure measure, fg_status *st)
{
  fg_measured *m = &s->measured[measure];
  const size_t d = s->c.d, wanted = s->points * m->times / FG_RESIDUAL_GROUP,
               groups = wanted > 2 ? wanted : 2;
  fg_residual_layout spread = {s->form, groups, FG_RESIDUAL_GROUP, NULL, false};
  fg_residual_layout fixed = {s->form, m->times, s->points, NULL, false};
  double *t = NULL, *x = NULL;
  fg_code rc;
  FG_GO(fg_reals(groups, 1, 1, &t, st), done);
  FG_GO(fg_reals(groups, FG_RESIDUAL_GROUP, d, &x, st), done);
  fg_residual_times(s->c.seed, groups, s->low, s->high, t);
  FG_GO(fg_draw_free(s, measure, 0, groups * FG_RESIDUAL_GROUP, FG_RESIDUAL_GROUP, t, x, st), done);
  FG_GO(fg_norms_of(s, &spread, 0, t, x, &m->all, NULL, st), done);
  FG_GO(fg_keep_places(m, t, FG_RESIDUAL_GROUP, d, x, st), done);
  free(x);
  uint64_t used = groups * FG_RESIDUAL_GROUP;
  FG_GO(fg_reals(m->times, s->points, d, &x, st), done);
  FG_GO(fg_draw_free(s, measure, used, m->times * s->points, s->points, m->t, x, st), done);
  FG_GO(fg_norms_of(s, &fixed, used, m->t, x, NULL, m->profile, st), done);
done:
  free(t);
  free(x);
  return rc;
}

/* ---- paths ---------------------------------------------------------------------------------- */

static fg_code fg_draw_paths(fg_residual_state *s, fg_measure measure, double *x, uint64_t *lost,
                             fg_status *st)
{
  const fg_comparison *c = &s->c;
  fg_measured *m = &s->measured[measure];
  fg_snapshots keep = {m->times, m->t, x, NULL};
  fg_flow_report report = {0};
  double *end = NULL;
  fg_code rc;
  FG_GO(fg_reals(1, s->points, c->d, &end, st), done);
  FG_GO(fg_prior_sample(c->prior, c->seed, 0, s->points, end, st), done);
  if (measure == FG_MEASURE_ODE && !c->ode_on_grid)
    rc = fg_flow_ode(c->model, &c->ode, s->points, end, c->t_start, c->t_end, end, NULL, &keep, c->progress,
                     &report, st);
  else
    rc = fg_flow_fixed(c->model, measure == FG_MEASURE_ODE ? &c->ode_fixed : &c->sde, c->seed, 1, 0,
                       s->points, end, end, NULL, &keep, c->progress, &report, st);
  *lost = report.lost;
done:
  free(end);
  return rc;
}

/* Change of a time average when every other time but the last is left out: a standard error knows the paths, not the
 * quadrature in time. */
static double fg_time_change(const fg_measured *m, bool square, double whole)
{
  double t[FG_RESIDUAL_TIMES_MAX], value[FG_RESIDUAL_TIMES_MAX], weight[FG_RESIDUAL_TIMES_MAX];
  double sum = 0, total = 0;
  size_t count = 0;
  for (size_t k = 0; k < m->times; k++) {
    if ((k % 2 && k + 1 < m->times) || m->profile[k].points == 0) continue;
    t[count] = m->t[k];
    value[count++] = square ? m->profile[k].mean_square.value : m->profile[k].mean.value;
  }
  if (count == 0) return NAN;
  fg_trapezoid(count, t, weight);
  for (size_t k = 0; k < count; k++) {
    sum += weight[k] * value[k];
    total += weight[k];
  }
  return fabs(sum / total - whole);
}

static fg_code fg_measure_paths(fg_residual_state *s, fg_measure measure, fg_status *st)
{
  fg_measured *m = &s->measured[measure];
  double *x = NULL, weight[FG_RESIDUAL_TIMES_MAX];
  fg_residual_layout layout = {s->form, m->times, s->points, weight, true};
  fg_code rc = FG_OK;
  fg_trapezoid(m->times, m->t, weight);
  FG_GO(fg_reals(m->times, s->points, s->c.d, &x, st), done);
  FG_GO(fg_draw_paths(s, measure, x, &m->lost_paths, st), done);
  FG_GO(fg_norms_of(s, &layout, 0, m->t, x, &m->all, m->profile, st), done);
  m->mean_square_time = fg_time_change(m, true, m->all.mean_square.value);
  m->mean_time = fg_time_change(m, false, m->all.mean.value);
  FG_GO(fg_keep_places(m, m->t, s->points, s->c.d, x, st), done);
done:
  free(x);
  return rc;
}

/* ---- one measure ---------------------------------------------------------------------------- */

/* Nodes of the grid that paths are on; where there is none, the nodes of the SDE's too, so that profiles can be
 * compared, but box and data reach down to `low`. */
static void fg_choose_times(const fg_residual_state *s, fg_measure measure, fg_measured *m)
{
  const fg_comparison *c = &s->c;
  bool own = measure == FG_MEASURE_ODE && c->ode_on_grid;
  double least = measure == FG_MEASURE_ODE ? fmax(s->low, c->t_end) : s->low;
  m->times = fg_path_times(own ? c->ode_grid : c->sde_grid, least, s->times, m->t);
  if (measure == FG_MEASURE_SDE || measure == FG_MEASURE_ODE) return;
  double last = s->low > 0 ? s->low : m->t[m->times - 1];
  m->times = s->times;
  for (size_t k = 0; k < s->times; k++)
    m->t[k] = s->high * pow(last / s->high, (double)k / (double)(s->times - 1));
}

fg_code fg_measure_run(fg_residual_state *s, fg_measure measure, fg_status *st)
{
  fg_measured *m = &s->measured[measure];
  double began = fg_seconds();
  m->t = malloc(s->times * sizeof *m->t);
  m->profile = calloc(s->times, sizeof *m->profile);
  if (!m->t || !m->profile) return FG_FAIL(st, FG_MEMORY, "no memory for %zu times", s->times);
  m->mean_square_time = m->mean_time = NAN;
  fg_choose_times(s, measure, m);
  if (measure == FG_MEASURE_BOX || measure == FG_MEASURE_DATA)
    FG_TRY(fg_measure_free(s, measure, st));
  else
    FG_TRY(fg_measure_paths(s, measure, st));
  m->done = true;
  m->seconds = fg_seconds() - began;
  unsigned long long lost = m->all.lost, all = m->all.lost + m->all.points;
  fg_compare_log(&s->c, "%s: mean square %.6g, %llu of %llu values not finite", fg_measure_names[measure],
                 m->all.mean_square.value, lost, all);
  return FG_OK;
}

/* ---- the box -------------------------------------------------------------------------------- */

enum { FG_WIDTH_POINTS = 10000 };

fg_code fg_residual_width(fg_residual_state *s, fg_status *st)
{
  fg_comparison *c = &s->c;
  const size_t n = FG_WIDTH_POINTS;
  double *x = NULL;
  fg_code rc = FG_OK;
  if (!isnan(s->box)) return FG_OK;
  FG_GO(fg_reals(1, n, c->d, &x, st), done);
  if (c->target && (fg_target_abilities(c->target) & FG_TARGET_SAMPLE)) {
    FG_GO(fg_target_sample(c->target, c->seed, 0, n, x, st), done);
  } else {
    FG_GO(fg_prior_sample(c->prior, c->seed, 0, n, x, st), done);
    FG_GO(fg_flow_fixed(c->model, &c->sde, c->seed, 1, 0, n, x, x, NULL, NULL, c->progress, NULL, st), done);
  }
  const double *law = x;
  FG_GO(fg_grid_width(0.999, 1, &law, &n, c->d, &s->box, st), done);
  fg_compare_log(c, "box: half width %g", s->box);
done:
  free(x);
  return rc;
}

/* ---- maps ----------------------------------------------------------------------------------- */

fg_code fg_residual_maps(fg_residual_state *s, fg_status *st)
{
  const size_t d = s->c.d, side = s->cells, cells = d == 2 ? side * side : side, n = s->maps * cells;
  double *x = NULL, step = 2 * s->box / (double)side;
  fg_code rc;
  FG_GO(fg_reals(s->maps, cells, 1, &s->map, st), done);
  FG_GO(fg_reals(s->maps, cells, d, &x, st), done);
  for (size_t i = 0; i < n; i++) {
    size_t across = i % side, up = i % cells / side;
    x[i * d] = -s->box + step * ((double)across + 0.5);
    if (d == 2) x[i * d + 1] = -s->box + step * ((double)up + 0.5);
  }
  fg_residual_values values = {.value = s->map};
  FG_GO(fg_residual_evaluate(s->c.model, &s->how, n, cells, s->map_t, x, &values, s->c.progress, st), done);
  for (size_t i = 0; i < n; i++) s->map_lost += !isfinite(s->map[i]);
done:
  free(x);
  return rc;
}

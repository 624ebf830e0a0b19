/* W2 of every pair of laws by every wanted estimator; nothing is cut unless compare.box says so, and
 * then both figures are kept. */
#include "compare_impl.h"

#include "analysis/grid_width.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const fg_pair_names[FG_PAIRS] = {"ode_sde", "ode_target", "sde_target"};
const char *const fg_law_names[FG_LAWS] = {"ode", "sde", "target"};

static const int fg_pair_sides[FG_PAIRS][2] = {
    {FG_LAW_ODE, FG_LAW_SDE}, {FG_LAW_ODE, FG_LAW_TARGET}, {FG_LAW_SDE, FG_LAW_TARGET}};

static bool fg_in_box(const double *x, size_t d, double half_width)
{
  for (size_t j = 0; j < d; j++)
    if (!(fabs(x[j]) <= half_width)) return false;
  return true;
}

/* The rows of x [n, d] with every coordinate inside the box, in order. */
static size_t fg_keep_box(const double *x, size_t n, size_t d, double half_width, double *kept)
{
  size_t used = 0;
  for (size_t i = 0; i < n; i++)
    if (fg_in_box(x + i * d, d, half_width)) memcpy(kept + used++ * d, x + i * d, d * sizeof *x);
  return used;
}

fg_estimate fg_estimate_nothing(void)
{
  return (fg_estimate){.squared = NAN,
                       .value = NAN,
                       .floor = NAN,
                       .ci_low = NAN,
                       .ci_high = NAN,
                       .p_value = NAN,
                       .primal = NAN,
                       .dual = NAN,
                       .detail = {NAN, NAN},
                       .extrapolated = NAN,
                       .extrapolated_se = NAN,
                       .extrapolation_rate = NAN};
}

/* An estimator that cannot do these samples (Sinkhorn that did not converge, say) leaves its place empty, with the reason
 * beside it, and the comparison goes on. */
static fg_code fg_estimate_pair(fg_comparison *c, int e, int p, double *const law[FG_LAWS],
                                const size_t rows[FG_LAWS], const char *what, fg_estimate *out,
                                fg_why missing, fg_status *st)
{
  int a = fg_pair_sides[p][0], b = fg_pair_sides[p][1];
  const char *name = fg_estimator_name((fg_estimator)e);
  fg_status why = {0};
  char step[64];
  const fg_piece pieces[] = {{out, sizeof *out}, {missing, sizeof(fg_why)}};
  snprintf(step, sizeof step, "%s, %s%s", name, fg_pair_names[p], what);
  if (fg_compare_take(c, step, 2, pieces)) return FG_OK;
  if (fg_progress_cancelled(c->progress)) return FG_FAIL(st, FG_INTERRUPTED, "interrupted while comparing");
  fg_code rc = fg_estimate_w2(c->engine, &c->estimate_settings[e], rows[a], rows[b], c->d, law[a], NULL,
                              law[b], NULL, c->progress, out, &why);
  if (rc == FG_NUMERICS) {
    *out = fg_estimate_nothing();
    snprintf(missing, sizeof(fg_why), "%.*s", (int)sizeof(fg_why) - 1, why.message);
    fg_compare_log(c, "distance %s %s%s: not had: %s", name, fg_pair_names[p], what, why.message);
    fg_compare_keep(c, step, 2, pieces);
    return FG_OK;
  }
  if (rc != FG_OK) {
    if (st) *st = why;
    return fg_status_prefix(st, "distance (%s) of %s and %s%s: ", name, fg_law_names[a], fg_law_names[b],
                            what);
  }
  fg_compare_log(c, "distance %s %s%s: %.6g [%.6g, %.6g], floor %.6g, %.2f s", name, fg_pair_names[p], what,
                 out->value, out->ci_low, out->ci_high, out->floor, out->seconds);
  fg_compare_keep(c, step, 2, pieces);
  return FG_OK;
}

static fg_code fg_estimate_pairs(fg_comparison *c, double *const law[FG_LAWS], const size_t rows[FG_LAWS],
                                 fg_estimate out[FG_ESTIMATORS][FG_PAIRS],
                                 fg_why missing[FG_ESTIMATORS][FG_PAIRS], const char *what, fg_status *st)
{
  for (int e = 0; e < FG_ESTIMATORS; e++) {
    if (!c->wanted[e]) continue;
    for (int p = 0; p < FG_PAIRS; p++)
      if (law[fg_pair_sides[p][0]] && law[fg_pair_sides[p][1]])
        FG_TRY(fg_estimate_pair(c, e, p, law, rows, what, &out[e][p], missing[e][p], st));
  }
  return FG_OK;
}

/* Fails when there is not one estimate. */
static fg_code fg_estimate_count(fg_comparison *c, fg_status *st)
{
  int had = 0, first = -1;
  for (int e = 0; e < FG_ESTIMATORS; e++)
    for (int p = 0; c->wanted[e] && p < FG_PAIRS; p++) {
      bool there = c->law[fg_pair_sides[p][0]] && c->law[fg_pair_sides[p][1]];
      c->estimated[e][p] = there && !c->missing[e][p][0];
      had += c->estimated[e][p];
      if (first < 0 && there) first = e;
    }
  if (had || first < 0) return FG_OK;
  return FG_FAIL(st, FG_NUMERICS, "no estimator gave a distance; %s: %s",
                 fg_estimator_name((fg_estimator)first), c->missing[first][FG_ODE_SDE]);
}

static fg_code fg_estimate_boxed(fg_comparison *c, fg_status *st)
{
  double *cut[FG_LAWS] = {NULL, NULL, NULL};
  size_t rows[FG_LAWS] = {0, 0, 0};
  fg_code rc = FG_OK;
  for (int k = 0; k < FG_LAWS; k++) {
    if (!c->law[k]) continue;
    cut[k] = malloc(c->rows[k] * c->d * sizeof(double));
    if (!cut[k]) {
      rc = FG_FAIL(st, FG_MEMORY, "no memory for the particles inside compare.box");
      goto done;
    }
    rows[k] = fg_keep_box(c->law[k], c->rows[k], c->d, c->box, cut[k]);
    c->outside_box[k] = c->rows[k] - rows[k];
    if (rows[k] == 0) {
      rc = FG_FAIL(st, FG_NUMERICS, "no %s particle lies in compare.box %g: widen the box or set it to 0",
                   fg_law_names[k], c->box);
      goto done;
    }
  }
  rc = fg_estimate_pairs(c, cut, rows, c->boxed, c->boxed_missing, " in the box", st);
done:
  for (int k = 0; k < FG_LAWS; k++) free(cut[k]);
  return rc;
}

/* How far apart the laws are on the way: one figure per snapshot, without interval or p-value. */
static fg_code fg_estimate_snapshots(fg_comparison *c, fg_status *st)
{
  if (c->snapshots == 0) return FG_OK;
  c->snapshot_estimate = calloc(c->snapshots, sizeof *c->snapshot_estimate);
  if (!c->snapshot_estimate) return FG_FAIL(st, FG_MEMORY, "no memory for %zu snapshots", c->snapshots);
  fg_estimate_settings settings = c->estimate_settings[FG_W2_GAUSSIAN];
  settings.permutations = 0;
  size_t block = c->kept * c->d;
  for (size_t k = 0; k < c->snapshots; k++) {
    fg_status why = {0};
    fg_code rc =
        fg_estimate_w2(c->engine, &settings, c->kept, c->kept, c->d, c->snapshot_ode + k * block, NULL,
                       c->snapshot_sde + k * block, NULL, c->progress, &c->snapshot_estimate[k], &why);
    if (rc != FG_OK && rc != FG_NUMERICS) {
      if (st) *st = why;
      return rc;
    }
    if (rc == FG_OK) continue;
    c->snapshot_estimate[k] = fg_estimate_nothing();
    if (!c->snapshots_missing++) memcpy(c->snapshot_missing, why.message, sizeof c->snapshot_missing - 1);
  }
  return FG_OK;
}

fg_code fg_compare_estimate(fg_comparison *c, fg_status *st)
{
  double *width = &c->estimate_settings[FG_W2_GRID].grid.half_width;
  if (isnan(*width))
    FG_TRY(fg_grid_width(0.999, FG_LAWS, (const double *const *)c->law, c->rows, c->d, width, st));
  FG_TRY(fg_estimate_pairs(c, c->law, c->rows, c->estimate, c->missing, "", st));
  FG_TRY(fg_estimate_count(c, st));
  if (c->box > 0) FG_TRY(fg_estimate_boxed(c, st));
  return fg_estimate_snapshots(c, st);
}

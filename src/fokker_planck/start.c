/* The prior as averages over cells. A Gaussian is a product of differences of the normal distribution function, exact
 * however narrow it is; where a cut goes through a cell, sub-cells are counted; a mixture takes Gauss's rule of three
 * points per axis on parts no wider than half its least standard deviation. */
#include <math.h>
#include <stdlib.h>

#include "fokker_planck/law_impl.h"
#include "target/prior.h"

enum { FG_PARTS_CUT = 16, FG_PARTS_MOST = 16 };

/* Mass of N(0, sd^2) in each cell of an axis, by the side of 0 on which nothing cancels. */
static void fg_axis_masses(const fg_law_grid *grid, double sd, double *mass)
{
  double h = 2 * grid->half_width / (double)grid->cells, unit = 1 / (sd * sqrt(2.0));
  for (size_t i = 0; i < grid->cells; i++) {
    double a = (-grid->half_width + (double)i * h) * unit, b = a + h * unit;
    mass[i] = a >= 0   ? 0.5 * (erfc(a) - erfc(b))
              : b <= 0 ? 0.5 * (erfc(-b) - erfc(-a))
                       : 0.5 * (erf(b) - erf(a));
  }
}

/* log density at `count` points per axis of each of `parts` parts of the cell c, nodes given in (0, 1). */
typedef struct fg_law_rule {
  size_t d, parts, count;
  const double *node, *weight; /* [count], weights sum to 1 */
  double *x, *log_p;           /* room for (parts count)^d points */
} fg_law_rule;

static fg_code fg_rule_average(const fg_law_rule *rule, const fg_prior *prior, const fg_law_grid *grid,
                               size_t c, double *average, fg_status *st)
{
  size_t n = grid->cells, line = rule->parts * rule->count, total = grid->d == 1 ? line : line * line;
  double h = 2 * grid->half_width / (double)n;
  for (size_t k = 0; k < total; k++) {
    size_t at[2] = {k / line, k % line}, cell[2] = {c / n, c % n};
    for (size_t j = 0; j < grid->d; j++) {
      size_t axis = grid->d == 1 ? 1 : j;
      size_t part = at[axis] / rule->count, node = at[axis] % rule->count;
      double inside = ((double)part + rule->node[node]) / (double)rule->parts;
      rule->x[k * grid->d + j] = -grid->half_width + ((double)cell[axis] + inside) * h;
    }
  }
  FG_TRY(fg_prior_log_density(prior, total, rule->x, rule->log_p, st));
  double sum = 0;
  for (size_t k = 0; k < total; k++) {
    double w = rule->weight[k % line % rule->count] / (double)rule->parts;
    if (grid->d == 2) w *= rule->weight[k / line % rule->count] / (double)rule->parts;
    sum += w * exp(rule->log_p[k]);
  }
  *average = sum;
  return FG_OK;
}

static fg_code fg_rule_open(fg_law_rule *rule, fg_status *st)
{
  size_t line = rule->parts * rule->count, total = rule->d == 1 ? line : line * line;
  rule->x = malloc(total * rule->d * sizeof *rule->x);
  rule->log_p = malloc(total * sizeof *rule->log_p);
  if (rule->x && rule->log_p) return FG_OK;
  return FG_FAIL(st, FG_MEMORY, "no memory for %zu points in a cell", total);
}

static void fg_rule_close(fg_law_rule *rule)
{
  free(rule->x);
  free(rule->log_p);
}

static fg_code fg_start_mixture(const fg_prior *prior, const fg_process *process, const fg_law_grid *grid,
                                double *p, fg_status *st)
{
  static const double node[] = {0.11270166537925831, 0.5, 0.88729833462074169},
                      weight[] = {5.0 / 18, 8.0 / 18, 5.0 / 18};
  double h = 2 * grid->half_width / (double)grid->cells;
  double parts = ceil(2 * h / sqrt(fg_process_v(process, fg_process_horizon(process))));
  if (!(parts <= FG_PARTS_MOST))
    return FG_FAIL(
        st, FG_USAGE,
        "at t = T noise has the standard deviation %g, too narrow for cells of width %g: give more cells",
        sqrt(fg_process_v(process, fg_process_horizon(process))), h);
  fg_law_rule rule = {grid->d, (size_t)fmax(parts, 1), 3, node, weight, NULL, NULL};
  fg_code rc;
  FG_GO(fg_rule_open(&rule, st), done);
  for (size_t c = 0; c < fg_law_size(grid); c++)
    FG_GO(fg_rule_average(&rule, prior, grid, c, &p[c], st), done);
done:
  fg_rule_close(&rule);
  return rc;
}

/* The corner of cell c on side `upper` of each axis that is farthest from, or the point that is nearest to, 0. */
static void fg_extremes(const fg_law_grid *grid, size_t c, double *nearest, double *farthest)
{
  size_t n = grid->cells, cell[2] = {c / n, c % n};
  double h = 2 * grid->half_width / (double)n;
  for (size_t j = 0; j < grid->d; j++) {
    double a = -grid->half_width + (double)cell[grid->d == 1 ? 1 : j] * h, b = a + h;
    nearest[j] = a > 0 ? a : b < 0 ? b : 0;
    farthest[j] = fabs(a) > fabs(b) ? a : b;
  }
}

/* What the ball of a truncated prior does to the cell: nothing, all, or something in between. */
static fg_code fg_start_cut(const fg_prior *prior, const fg_law_grid *grid, const fg_law_rule *rule,
                            double full, double *p, fg_status *st)
{
  double volume = fg_law_volume(grid), near[2], far[2], log_near, log_far;
  for (size_t c = 0; c < fg_law_size(grid); c++) {
    fg_extremes(grid, c, near, far);
    FG_TRY(fg_prior_log_density(prior, 1, near, &log_near, st));
    FG_TRY(fg_prior_log_density(prior, 1, far, &log_far, st));
    if (isfinite(log_far))
      p[c] *= full / volume;
    else if (isfinite(log_near))
      FG_TRY(fg_rule_average(rule, prior, grid, c, &p[c], st));
    else
      p[c] = 0;
  }
  return FG_OK;
}

static fg_code fg_start_gaussian(const fg_prior *prior, const fg_law_grid *grid, double *p, fg_status *st)
{
  static const double middle[] = {0.5}, one[] = {1};
  fg_prior_view view = fg_prior_look(prior);
  size_t n = grid->cells;
  double *axis = malloc(n * sizeof *axis);
  fg_law_rule rule = {grid->d, FG_PARTS_CUT, 1, middle, one, NULL, NULL};
  fg_code rc = axis ? FG_OK : FG_FAIL(st, FG_MEMORY, "no memory for %zu cells", n);
  if (rc != FG_OK) goto done;
  FG_GO(fg_rule_open(&rule, st), done);
  fg_axis_masses(grid, sqrt(view.variance), axis);
  for (size_t c = 0; c < fg_law_size(grid); c++) p[c] = grid->d == 1 ? axis[c] : axis[c / n] * axis[c % n];
  /* a ball that holds a share of the Gaussian raises its density to 1 / share */
  double plain = -0.5 * (double)grid->d * log(2 * 3.14159265358979323846 * view.variance);
  rc = fg_start_cut(prior, grid, &rule, exp(view.log_norm - plain), p, st);
done:
  fg_rule_close(&rule);
  free(axis);
  return rc;
}

fg_code fg_law_start(const fg_prior *prior, const fg_process *process, const fg_law_grid *grid, double *p,
                     fg_status *st)
{
  switch (fg_prior_look(prior).kind) {
  case FG_PRIOR_EXACT:
    return fg_start_mixture(prior, process, grid, p, st);
  case FG_PRIOR_GAUSSIAN:
  case FG_PRIOR_TRUNCATED:
    return fg_start_gaussian(prior, grid, p, st);
  case FG_PRIOR_POINT:
    break;
  }
  return FG_FAIL(
      st, FG_UNSUPPORTED,
      "a point prior has no density on a grid: start later, from prior.kind gaussian with the variance of "
      "that time (set process.horizon below process.pin)");
}

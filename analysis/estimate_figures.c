/* Floor, bias, interval and p-value from the evaluations. docs/distances.md says why each is as it is. */
#include <math.h>
#include <string.h>

#include "analysis/estimate_impl.h"
#include "analysis/statistics.h"

/* Spread of (bias of the square) / (floor's square) about 1 that is expected before the curve is seen. */
static const double fg_share_spread = 0.1;
/* On a grid, gaps below the distance of nodes are seen as more than they are, and biased less. */
static const double fg_grid_share_spread = 0.15;
/* Where the rate is measured, it is that of fewer rows than the value has: it may be off by this. */
static const double fg_rate_drift = 0.03;
/* The rate at which the bias of entropic falls, before the curve is seen: as that of a transport cost while rows are too few
 * for the smoothing, 1 afterwards. */
static const double fg_entropic_rate = 0.6, fg_entropic_rate_spread = 0.3, fg_entropic_least = 0.3;
/* Rates rise with the rows: beyond those of the value by this share of what is missing to 1, within that error. */
static const double fg_entropic_drift = 0.1, fg_entropic_drift_error = 0.06;

typedef struct fg_evaluations {
  const fg_pool *pool;
  const fg_plan *plan;
  const double *squared;
} fg_evaluations;

static const double *fg_part(const fg_evaluations *f, int purpose)
{
  return f->squared + f->plan->start[purpose];
}

/* ---- the floor: mean square between two samples of one law, about rows^-rate ----------- */

typedef struct fg_floor {
  double squared, spread; /* at the rows of the value, and the standard error of its logarithm */
  double rate, rate_se;
} fg_floor;

/* Mean at a level, and the square of its relative standard error. Without bias the mean is 0: its size then. */
static double fg_floor_level(const fg_evaluations *f, int purpose, double *relative)
{
  size_t count = f->plan->count[purpose];
  const double *part = f->squared + f->plan->start[purpose];
  double mean = fg_mean(count, part), square = fg_variance(count, part);
  if (fg_estimator_bias(f->pool->settings->estimator) == FG_BIAS_NONE) {
    fg_sum sum = {0, 0};
    for (size_t i = 0; i < count; i++) fg_sum_add(&sum, part[i] * part[i]);
    mean = sqrt(fg_sum_value(&sum) / (double)count);
  }
  *relative = mean > 0 ? square / (mean * mean * (double)count) : 0;
  return fmax(mean, 0);
}

/* Least and largest rate at which mean squares fall: 1 / rows for smooth laws in low dimension, as little as the root
 * of that for separated clusters and fine grids, rows^(-2/d) in high dimension. */
static void fg_rate_bounds(const fg_pool *pool, double *least, double *most)
{
  *most = 1;
  switch (pool->settings->estimator) {
  case FG_W2_EXACT:
  case FG_W2_SINKHORN:
    *least = fmin(0.5, 2 / (double)pool->d);
    break;
  case FG_W2_GRID:
  case FG_W2_SLICED:
  case FG_W2_MAX_SLICED:
    *least = 0.5;
    break;
  default:
    *least = 1;
  }
}

/* The floors of both laws enter by their geometric mean: that is the bias of the value where one law is the other one
 * moved or stretched, and it is 0 where one law is a point. */
static fg_floor fg_floor_find(const fg_evaluations *f)
{
  fg_floor floor = {.rate = 1};
  size_t levels = f->plan->floor_levels;
  double level[FG_FLOOR_LEVELS], variance[FG_FLOOR_LEVELS], least, most, top = 0;
  double rows = sqrt((double)f->plan->floor_x * (double)f->plan->floor_y);
  for (size_t k = 0; k < levels; k++) {
    double rx, ry, x = fg_floor_level(f, (int)(FG_FOR_FLOOR_X0 + k), &rx),
                   y = fg_floor_level(f, (int)(FG_FOR_FLOOR_Y0 + k), &ry);
    if (!(x > 0) || !(y > 0)) return floor;
    level[k] = 0.5 * (log(x) + log(y));
    variance[k] = 0.25 * (rx + ry);
  }
  fg_rate_bounds(f->pool, &least, &most);
  floor.rate = most;
  if (levels > 1 && least < most) {
    double span = log(2) * (double)(levels - 1);
    floor.rate = fmin(most, fmax(least, (level[levels - 1] - level[0]) / span));
    floor.rate_se = hypot(sqrt(variance[levels - 1] + variance[0]) / span, fg_rate_drift);
  }
  /* all levels, brought to the first one */
  double sum = 0;
  for (size_t k = 0; k < levels; k++) {
    top += level[k] - floor.rate * log(2) * (double)k;
    sum += variance[k];
  }
  top /= (double)levels;
  double reach = log(f->plan->noise_rows / rows);
  floor.squared = exp(top - floor.rate * reach);
  floor.spread = hypot(sqrt(sum) / (double)levels, floor.rate_se * reach);
  return floor;
}

/* ---- the interval's blocks ---------------------------------------------------------------- */

/* The two blocks of a pair are disjoint: half the square of their difference is the variance of one, without what
 * they share. A mean over all rows has a variance of that times block / rows. */
static double fg_block_variance(const fg_evaluations *f)
{
  const double *part = fg_part(f, FG_FOR_INTERVAL);
  size_t pairs = f->plan->count[FG_FOR_INTERVAL] / 2;
  fg_sum sum = {0, 0};
  for (size_t i = 0; i < pairs; i++) {
    double gap = part[2 * i] - part[2 * i + 1];
    fg_sum_add(&sum, 0.5 * gap * gap);
  }
  return fg_sum_value(&sum) / (double)pairs;
}

/* Rows of a block over rows of the value. */
static double fg_block_share(const fg_evaluations *f, size_t level)
{
  const fg_plan *plan = f->plan;
  return fmax((double)plan->base_x / (double)plan->use_x, (double)plan->base_y / (double)plan->use_y) /
         (double)((size_t)2 << level);
}

/* Standard error of the value's square. Where the gap is near the floor, blocks vary more than the value: about the
 * gap of the samples, which holds their noise already, each block's noise comes a second time. Were the square a
 * quadratic form, that would add twice the variance that it has between samples of one law; once is taken off, and a
 * third of the whole at most, as that variance is known from few floors. */
static double fg_square_error(const fg_evaluations *f)
{
  const fg_plan *plan = f->plan;
  double whole = fg_block_variance(f) * fg_block_share(f, 0);
  double rows = sqrt((double)plan->floor_x * (double)plan->floor_y) / plan->noise_rows;
  double alike = 0.5 * (fg_variance(plan->count[FG_FOR_FLOOR_X0], fg_part(f, FG_FOR_FLOOR_X0)) +
                        fg_variance(plan->count[FG_FOR_FLOOR_Y0], fg_part(f, FG_FOR_FLOOR_Y0)));
  /* Not off: between nodes it is no quadratic form; the noise of entropic does not fade where laws are equal; the interval
   * of gaussian is widened by no doubt about rates, which makes up for that in the others. */
  fg_estimator estimator = f->pool->settings->estimator;
  if (estimator == FG_W2_GRID || estimator == FG_ENTROPIC || estimator == FG_W2_GAUSSIAN) alike = 0;
  return sqrt(fmax(whole - alike * rows * rows, 2 * whole / 3));
}

/* ---- the bias ------------------------------------------------------------------------------- */

static void fg_curve(const fg_evaluations *f, double value, double se, fg_estimate *estimate)
{
  const fg_plan *plan = f->plan;
  estimate->bias_points = plan->levels + 1;
  estimate->bias_rows[0] = plan->noise_rows;
  estimate->bias_squared[0] = value;
  estimate->bias_se[0] = se;
  for (size_t k = 0; k < plan->levels; k++) {
    fg_purpose purpose = fg_plan_level(f->pool, k);
    size_t count = plan->count[purpose];
    double share = fg_block_share(f, k);
    estimate->bias_rows[k + 1] = plan->noise_rows * share;
    estimate->bias_squared[k + 1] = fg_mean(count, fg_part(f, purpose));
    /* blocks of one partition are independent; more blocks than rows allow add nothing */
    estimate->bias_se[k + 1] = sqrt(fg_variance(count, fg_part(f, purpose)) * fmax(share, 1 / (double)count));
  }
}

/* Mean of the squares of the blocks of a level, and the variance of that mean over partitions. */
static double fg_level_mean(const fg_evaluations *f, size_t level, double *variance)
{
  fg_purpose purpose = fg_plan_level(f->pool, level);
  const double *part = fg_part(f, purpose);
  size_t blocks = (size_t)2 << level, partitions = f->plan->count[purpose] / blocks;
  double mean = fg_mean(partitions * blocks, part);
  fg_sum sum = {0, 0};
  for (size_t i = 0; i < partitions; i++) {
    double off = fg_mean(blocks, part + i * blocks) - mean;
    fg_sum_add(&sum, off * off);
  }
  *variance = partitions > 1 ? fg_sum_value(&sum) / ((double)(partitions - 1) * (double)partitions) : 0;
  return mean;
}

/* Mean of the squares of half as many rows less the value's, and the variance of that mean over pairs. */
static double fg_rise(const fg_evaluations *f, double value, double *variance)
{
  return fg_level_mean(f, 0, variance) - value;
}

/* max_sliced: the largest of noisy figures lies above the largest of their means, where many directions are alike by as
 * much as rows^-1/2, where one stands out by 1 / rows, and either way by more than its floor says. The rate that a curve
 * shows is too noisy to tell them apart and errs to the faster one: the bias is half way between the two, and both are
 * within one standard error. */
static double fg_bias_of_curve(const fg_evaluations *f, double rise, double error, double *rate, double *se)
{
  double share = fg_block_share(f, 0);
  double most = 1 / (pow(share, -0.5) - 1), least = 1 / (1 / share - 1), middle = 0.5 * (most + least);
  rise = fmax(0, rise);
  *rate = log1p(1 / middle) / -log(share);
  *se = hypot(error * middle, 0.5 * rise * (most - least));
  return rise * middle;
}

/* If the bias falls like rows^-rate: its rise from half the blocks' rows to those of the blocks, over that from there to the
 * value. It grows with the rate. */
static double fg_rise_ratio(double share, double rate)
{
  return pow(share, -rate) * expm1(rate * log(2)) / expm1(-rate * log(share));
}

/* The rate at which the two rises follow each other, and its standard error; what the curve cannot tell is as expected. */
static double fg_curve_rate(const fg_evaluations *f, double rise, double variance, double *se)
{
  double before, share = fg_block_share(f, 0), low = 0.01, high = 1.5;
  *se = fg_entropic_rate_spread;
  if (f->plan->levels < 2 || !(rise > 0)) return fg_entropic_rate;
  double first = fg_level_mean(f, 0, &before), longer = fg_level_mean(f, 1, &before) - first;
  for (int k = 0; k < 50; k++) {
    double middle = 0.5 * (low + high);
    *(fg_rise_ratio(share, middle) * rise < longer ? &low : &high) = middle;
  }
  double slope = log(fg_rise_ratio(share, low + 0.01) / fg_rise_ratio(share, low - 0.009)) / 0.019;
  double large = fmax(longer, rise), step = 1 / large + 1 / rise;
  double error = sqrt(variance * step * step + before / (large * large)) / slope;
  double trust = *se * *se / (*se * *se + error * error);
  *se *= sqrt(1 - trust);
  return fg_entropic_rate + trust * (low - fg_entropic_rate);
}

/* entropic: its floor does not go to 0, so the curve decides, and the rate is read from it: from that of a transport cost
 * in as many dimensions where rows are few, to 1 where the smoothing is wider than the gaps between them. */
static double fg_bias_of_rate(const fg_evaluations *f, double rise, double variance, double *rate, double *se)
{
  double spread, at = fg_curve_rate(f, rise, variance, &spread), log_share = log(fg_block_share(f, 0));
  at += fg_entropic_drift * (1 - at);
  at = fmin(1, fmax(fg_entropic_least, at));
  spread = hypot((1 - fg_entropic_drift) * spread, fg_entropic_drift_error);
  double growth = expm1(-at * log_share), bias = fmax(0, rise) / growth;
  *rate = at;
  *se = hypot(sqrt(variance) / growth, bias * log_share * (1 + 1 / growth) * spread);
  return bias;
}

/* Bias of the value's square, the rate at which it falls (NaN: none), and its standard error. */
static double fg_bias(const fg_evaluations *f, const fg_floor *floor, double value, double *rate, double *se)
{
  fg_bias_kind kind = fg_estimator_bias(f->pool->settings->estimator);
  double variance, rise = fg_rise(f, value, &variance);
  double growth =
      pow(fg_block_share(f, 0), -floor->rate) - 1; /* of the floor's square, from value to block */
  *se = 0;
  *rate = kind == FG_BIAS_NONE ? NAN : floor->rate;
  if (kind == FG_BIAS_NONE || !(growth > 0)) return 0;
  if (kind == FG_BIAS_RATE) return fg_bias_of_rate(f, rise, variance, rate, se);
  if (kind == FG_BIAS_CURVE) return fg_bias_of_curve(f, rise, sqrt(variance), rate, se);
  if (!(floor->squared > 0)) return 0;
  /* bias = share * floor^2: 1 for a translation, less for laws of different shape. The curve says
   * (rise / growth) / floor^2, with an error that grows where the rate is small. */
  double unit = floor->squared * growth, seen = rise / unit;
  double rate_error = -log(fg_block_share(f, 0)) * (1 + 1 / growth) * floor->rate_se;
  double doubt =
      variance / (unit * unit) + seen * seen * (rate_error * rate_error + floor->spread * floor->spread);
  double spread = f->pool->settings->estimator == FG_W2_GRID ? fg_grid_share_spread : fg_share_spread;
  double trust = spread * spread / (spread * spread + doubt);
  double share = fmin(fmax(1 + trust * (seen - 1), 0), 1.2);
  *se = floor->squared * hypot(share * floor->spread, spread * sqrt(1 - trust));
  return share * floor->squared;
}

/* ---- all of them ------------------------------------------------------------------------- */

/* Variances of squares do not fit a double where coordinates are near 1e-80 or 1e80: figures are drawn from squares in
 * units of 4^exponent. */
static int fg_unit(size_t tasks, double *squared)
{
  double most = 0;
  int exponent;
  for (size_t i = 0; i < tasks; i++) most = fmax(most, fabs(squared[i]));
  if (!(most > 0)) return 0;
  (void)frexp(most, &exponent);
  exponent = (int)floor(0.5 * exponent);
  for (size_t i = 0; i < tasks; i++) squared[i] = ldexp(squared[i], -2 * exponent);
  return exponent;
}

static void fg_in_units(fg_estimate *estimate, int exponent)
{
  double *const length[] = {&estimate->floor, &estimate->ci_low, &estimate->ci_high};
  double *const square[] = {&estimate->extrapolated, &estimate->extrapolated_se};
  for (size_t k = 0; k < sizeof length / sizeof *length; k++) *length[k] = ldexp(*length[k], exponent);
  for (size_t k = 0; k < sizeof square / sizeof *square; k++) *square[k] = ldexp(*square[k], 2 * exponent);
  for (size_t k = 0; k < estimate->bias_points; k++) {
    estimate->bias_squared[k] = ldexp(estimate->bias_squared[k], 2 * exponent);
    estimate->bias_se[k] = ldexp(estimate->bias_se[k], 2 * exponent);
  }
}

void fg_estimate_figures(const fg_pool *pool, const fg_plan *plan, double *squared, const fg_w2 *value,
                         const double *detail, fg_estimate *estimate)
{
  int exponent = fg_unit(plan->tasks, squared);
  double whole = squared[0]; /* of the value */
  fg_evaluations f = {pool, plan, squared};
  fg_estimator estimator = pool->settings->estimator;
  memset(estimate, 0, sizeof *estimate);
  fg_floor floor = fg_floor_find(&f);
  double on_curve = plan->count[FG_FOR_CURVE_VALUE] ? *fg_part(&f, FG_FOR_CURVE_VALUE) : whole;
  double se = fg_square_error(&f), bias_se;
  double bias = fg_bias(&f, &floor, on_curve, &estimate->extrapolation_rate, &bias_se);
  estimate->squared = value->squared;
  estimate->value = value->value;
  estimate->primal = value->primal;
  estimate->dual = value->dual;
  estimate->floor = sqrt(floor.squared);
  fg_curve(&f, on_curve, se, estimate);
  /* All blocks have the same directions: what other ones would have given is a further, independent error. */
  estimate->extrapolated = whole - bias;
  estimate->extrapolated_se =
      hypot(hypot(se, bias_se), estimator == FG_W2_SLICED ? ldexp(detail[0], -2 * exponent) : 0);
  double reach = estimate->extrapolated_se * fg_estimate_student(pool->settings);
  fg_root_interval(estimate->extrapolated, reach, &estimate->ci_low, &estimate->ci_high);
  fg_in_units(estimate, exponent);
  estimate->p_value = NAN;
  if (plan->count[FG_FOR_PERMUTED] > 0)
    estimate->p_value = fg_permutation_p(plan->count[FG_FOR_PERMUTED], fg_part(&f, FG_FOR_PERMUTED),
                                         *fg_part(&f, FG_FOR_OBSERVED));
  memcpy(estimate->detail, detail, sizeof estimate->detail);
  estimate->used_x = plan->use_x;
  estimate->used_y = plan->use_y;
  estimate->tested_x = plan->count[FG_FOR_PERMUTED] > 0 ? plan->test_x : 0;
  estimate->tested_y = plan->count[FG_FOR_PERMUTED] > 0 ? plan->test_y : 0;
  estimate->outside_x = pool->outside_x;
  estimate->outside_y = pool->outside_y;
}

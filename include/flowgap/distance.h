/* Distances between two weighted samples, and estimates of the distance of their laws with floor, interval and
 * p-value. What each is, and what its error is made of: docs/distances.md. */
#ifndef FLOWGAP_DISTANCE_H
#define FLOWGAP_DISTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowgap/base.h"
#include "flowgap/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Wasserstein distances ----------------------------------------------------------------- */

/* W2^2 and its proof. squared = primal cost of the plan; primal - dual is the certificate. */
typedef struct fg_w2 {
  double squared, value; /* value = sqrt(squared) */
  double primal, dual;
  size_t n, m; /* points (or occupied bins) on both sides */
  double seconds;
} fg_w2;

/* Exact optimal transport of x [n, d] to y [m, d], cost |x - y|^2, network simplex. Weights wx [n],
 * wy [m] or NULL (equal); normalised inside. Rows of weight 0 do not enter (result n, m). Memory O(n + m);
 * d = 1 is sorted. A CUDA engine searches the pairs of large samples, the processor those of all others (engine NULL: of
 * all); the optimum is the same. threads NULL: the caller's own; the bits do not depend on their number.
 * Fails with FG_NUMERICS when the certificate does not close to 1e-9; with FG_INTERRUPTED when progress says
 * so, and then primal and dual hold the bounds of W2^2 known by then (or NaN), squared and value NaN. */
FG_CHECKED FG_API fg_code fg_w2_exact(fg_engine *engine, fg_threads *threads, size_t n, size_t m, size_t d,
                                      const double *x, const double *wx, const double *y, const double *wy,
                                      const fg_progress *progress, fg_w2 *result, fg_status *st);

/* d = 2. Histograms on `bins` nodes per axis from -half_width to half_width (nearest node), and the
 * exact transport between them by moving in x, then in y. */
typedef struct fg_w2_grid_settings {
  size_t bins;
  double half_width; /* fg_estimate_w2 takes NaN: wide enough for 99.9 % of both samples */
} fg_w2_grid_settings;
/* Mass outside the grid (beyond half_width in a coordinate) is left out and counted. mass is a sum of
 * weights, or counts where w is NULL: not normalised (fg_w2_grid does that). */
FG_CHECKED FG_API fg_code fg_histogram2(const fg_w2_grid_settings *grid, size_t n, const double *x,
                                        const double *w, double *mass /* [bins, bins]: [ix, iy] */,
                                        size_t *outside, fg_status *st);
/* Engine, threads and progress as for fg_w2_exact; stopped, it leaves NaN for all values. */
FG_CHECKED FG_API fg_code fg_w2_grid(fg_engine *engine, fg_threads *threads, const fg_w2_grid_settings *grid,
                                     const double *p, const double *q, const fg_progress *progress,
                                     fg_w2 *result, fg_status *st);

/* Bures distance of the fitted Gaussians: a lower bound of W2 of the laws. */
FG_CHECKED FG_API fg_code fg_w2_gaussian(size_t n, size_t m, size_t d, const double *x, const double *wx,
                                         const double *y, const double *wy, fg_w2 *result, fg_status *st);
FG_CHECKED FG_API fg_code fg_w2_gaussian_moments(size_t d, const double *mean_p, const double *cov_p,
                                                 const double *mean_q, const double *cov_q, double *squared,
                                                 fg_status *st);

/* Mean over random directions of the exact W2^2 between the two samples projected on them: at most W2^2 / d in
 * expectation. The largest of them is a lower bound of W2^2 and of the max-sliced one. */
typedef struct fg_w2_sliced_settings {
  size_t directions; /* default 100 */
  uint64_t seed;
  const double *given; /* [directions, d], used as they are (unit vectors for a W2); NULL: drawn by seed */
} fg_w2_sliced_settings;
FG_API void fg_w2_sliced_defaults(fg_w2_sliced_settings *settings);

typedef struct fg_w2_slices {
  double squared, value;         /* mean over directions, its root */
  double standard_error;         /* of squared, over directions; NaN from one direction, 0 where d = 1 */
  double max_squared, max_value; /* largest over directions */
  size_t max_direction;          /* its number */
  size_t directions;             /* d = 1: one, the exact distance */
  size_t n, m;
  double seconds;
} fg_w2_slices;

/* Weights as above. Projections and sorts run on the engine; NULL: on the threads alone. Memory O((n + m) d), and O(n + m) for
 * each thread; the bits do not depend on their number. direction [d] or NULL: that of the largest. */
FG_CHECKED FG_API fg_code fg_w2_sliced(fg_engine *engine, fg_threads *threads,
                                       const fg_w2_sliced_settings *settings, size_t n, size_t m, size_t d,
                                       const double *x, const double *wx, const double *y, const double *wy,
                                       const fg_progress *progress, double *direction, fg_w2_slices *result,
                                       fg_status *st);

/* The largest, over unit vectors, of the exact W2^2 between the projections: gradient ascent on the sphere from the
 * best of `directions` drawn ones and of the difference of the means. At most W2^2, and just that for a translation; what
 * is found is a lower bound of it. */
typedef struct fg_w2_max_sliced_settings {
  size_t directions; /* drawn first (default 100) */
  size_t starts;     /* of them climb (default 4) */
  size_t steps;      /* of one climb at most (default 200) */
  uint64_t seed;
} fg_w2_max_sliced_settings;
FG_API void fg_w2_max_sliced_defaults(fg_w2_max_sliced_settings *settings);

typedef struct fg_w2_steepest {
  double squared, value;
  double slope;     /* norm of the gradient along the sphere where the best climb ended, over its squared */
  size_t steps;     /* of all climbs */
  size_t unsettled; /* climbs that were still rising after `steps` */
  size_t n, m;
  double seconds;
} fg_w2_steepest;

/* direction [d] or NULL: the one found. d = 1: the exact distance. */
FG_CHECKED FG_API fg_code fg_w2_max_sliced(fg_engine *engine, fg_threads *threads,
                                           const fg_w2_max_sliced_settings *settings, size_t n, size_t m,
                                           size_t d, const double *x, const double *wx, const double *y,
                                           const double *wy, const fg_progress *progress, double *direction,
                                           fg_w2_steepest *result, fg_status *st);

/* ---- entropic transport -------------------------------------------------------------------- */

typedef enum fg_cost {
  FG_COST_SQUARED,  /* |x - y|^2 */
  FG_COST_EUCLIDEAN /* |x - y| */
} fg_cost;

/* OT_e(p, q) = min over plans P of  <cost, P> + e KL(P | p q). */
typedef struct fg_sinkhorn_settings {
  fg_cost cost;
  bool
      debiased; /* OT_e(p, q) - OT_e(p, p) / 2 - OT_e(q, q) / 2 (Feydy et al. 2019); else <cost, P> of the plan */
  /* In units of the cost. NaN: epsilon_share of the mean cost between the two samples (FG_COST_EUCLIDEAN: over at most
   * 4096 evenly spaced rows of each); 1 where all points coincide. */
  double epsilon;
  double epsilon_share; /* default 0.05 */
  double annealing;     /* factor of epsilon between rounds, from the largest cost down (default 0.5) */
  double tolerance;     /* sum of |marginal of the plan - p| at the end (default 1e-6) */
  size_t iterations;    /* at most, at the last epsilon (default 10000): then FG_NUMERICS */
} fg_sinkhorn_settings;
/* FG_COST_SQUARED: debiased, a W2^2. FG_COST_EUCLIDEAN: not debiased, what the literature on samplers prints as
 * "Sinkhorn" (a biased W1), with epsilon 0.001 (docs/distances.md). */
FG_API void fg_sinkhorn_defaults(fg_cost cost, fg_sinkhorn_settings *settings);

typedef struct fg_sinkhorn {
  double squared,
      value; /* FG_COST_SQUARED: the divergence and its root; else value = <cost, P>, squared its square */
  double epsilon, marginal_error;
  double between, within_x,
      within_y;      /* OT_e of (p, q), (p, p), (q, q); the last two NaN where not debiased */
  size_t iterations; /* over all rounds of (p, q) */
  size_t n, m;
  double seconds;
} fg_sinkhorn;

/* Log domain, no matrix: memory O((n + m) d). Iterated in single precision as far as that goes, then in double, in which the
 * marginal error is taken; FG_NUMERICS when it stays above the tolerance. threads NULL: the caller's own thread. Same
 * weights and refusals as fg_w2_exact; the bits do not depend on the number of threads. */
FG_CHECKED FG_API fg_code fg_w2_sinkhorn(fg_engine *engine, fg_threads *threads,
                                         const fg_sinkhorn_settings *settings, size_t n, size_t m, size_t d,
                                         const double *x, const double *wx, const double *y, const double *wy,
                                         const fg_progress *progress, fg_sinkhorn *result, fg_status *st);

/* ---- kernel distances ---------------------------------------------------------------------- */

/* squared: of fg_mmd, E k(x,x') + E k(y,y') - 2 E k(x,y), k a mean of Gaussian kernels exp(-|x - y|^2 / (2 h^2));
 * of fg_energy, 2 E|x - y| - E|x - x'| - E|y - y'|. The means within a sample leave out i = j: no bias, and so
 * `squared` may be negative; value is the root of its positive part. */
typedef struct fg_kernel_distance {
  double squared, value;
  double bandwidth; /* h of the middle kernel; NaN for energy */
  size_t n, m;
  double seconds;
} fg_kernel_distance;

/* Kernels of width half, once and twice `bandwidth`; NaN: the median of |x - y| over pairs of the pooled samples. At least
 * two rows of each sample have a weight. Time O((n + m)^2 d), memory O((n + m) d); energy in one dimension is sorted and
 * needs no engine. */
FG_CHECKED FG_API fg_code fg_mmd(fg_engine *engine, fg_threads *threads, double bandwidth, size_t n, size_t m,
                                 size_t d, const double *x, const double *wx, const double *y,
                                 const double *wy, const fg_progress *progress, fg_kernel_distance *result,
                                 fg_status *st);
FG_CHECKED FG_API fg_code fg_energy(fg_engine *engine, fg_threads *threads, size_t n, size_t m, size_t d,
                                    const double *x, const double *wx, const double *y, const double *wy,
                                    const fg_progress *progress, fg_kernel_distance *result, fg_status *st);

/* ---- an estimate with its floor and interval ------------------------------------------- */

typedef enum fg_estimator {
  FG_W2_EXACT,
  FG_W2_GRID,
  FG_W2_SINKHORN, /* debiased, squared cost */
  FG_W2_SLICED,
  FG_W2_MAX_SLICED,
  FG_W2_GAUSSIAN,
  FG_ENTROPIC, /* plain, Euclidean cost */
  FG_MMD,
  FG_ENERGY,
  FG_ESTIMATORS
} fg_estimator;
/* "exact" "grid" "sinkhorn" "sliced" "max_sliced" "gaussian" "entropic" "mmd" "energy" */
FG_API const char *fg_estimator_name(fg_estimator estimator);
FG_API bool fg_estimator_is_w2(fg_estimator estimator); /* the first six: in units of W2 */

typedef struct fg_estimate_settings {
  fg_estimator estimator;
  fg_w2_grid_settings grid;
  size_t exact_points; /* exact: at most this many rows of each side are used (default 10000) */
  size_t pair_points;  /* sinkhorn, entropic, mmd, energy: the same (default 2000) */
  size_t directions;   /* sliced, max_sliced: at least 2 (default 100), the same for all replicates */
  double epsilon;      /* sinkhorn, entropic: NaN (default) chooses, once for all replicates */
  double tolerance;    /* sinkhorn, entropic: 1e-6 */
  double bandwidth;    /* mmd: NaN (default) chooses, once for all replicates */
  size_t replicates;   /* subsamples for the interval (default 40) */
  size_t permutations; /* for the p-value (default 99; 0: none) */
  double confidence;   /* 0.9 */
  uint64_t seed;
} fg_estimate_settings;
/* Which compare.estimators names; its word `all` stands for all of them, and then *all (may be NULL) is true. */
FG_CHECKED FG_API fg_code fg_estimators_from_settings(const fg_settings *settings, bool wanted[FG_ESTIMATORS],
                                                      bool *all, fg_status *st);
FG_API void fg_estimate_defaults(fg_estimator estimator, fg_estimate_settings *settings);
/* The settings compare.* and the seed. */
FG_CHECKED FG_API fg_code fg_estimate_from_settings(const fg_settings *settings, fg_estimator estimator,
                                                    fg_estimate_settings *to, fg_status *st);

enum { FG_BIAS_POINTS = 8 };

typedef struct fg_estimate {
  double squared, value;
  double floor;                /* same estimator between two samples of one law, units of `value` */
  double ci_low, ci_high;      /* of the distance of the laws, units of `value` */
  double p_value;              /* permutation: is the gap larger than the floor? NaN if none */
  double primal, dual;         /* exact, grid: else NaN */
  double detail[2];            /* of the estimator, by fg_estimate_detail; NaN: none */
  size_t used_x, used_y;       /* rows that entered */
  size_t tested_x, tested_y;   /* rows of the permutation test; 0: none */
  size_t outside_x, outside_y; /* grid: rows beyond the half width */
  /* the same estimator on fewer rows: mean square and its standard error, rows decreasing by halves from those used */
  size_t bias_points;
  double bias_rows[FG_BIAS_POINTS], bias_squared[FG_BIAS_POINTS], bias_se[FG_BIAS_POINTS];
  double extrapolated, extrapolated_se; /* of `squared`, at infinitely many rows; NaN: not estimated */
  double extrapolation_rate;            /* bias ~ rows^-rate */
  double seconds;
} fg_estimate;

/* Names of `detail`: sliced: direction_error (of squared, over directions; within the interval), largest (along the
 * best direction, units of `value`); max_sliced: slope, unsettled; sinkhorn, entropic: epsilon, marginal_error; mmd:
 * bandwidth. NULL: that one is not used. */
FG_API const char *fg_estimate_detail(fg_estimator estimator, int which);

/* The members of an estimate in results.json (docs/run-directory.md), as the text of one JSON object; free() it. */
FG_CHECKED FG_API fg_code fg_estimate_json(fg_estimator estimator, const fg_estimate *estimate, char **text,
                                           fg_status *st);

/* x [n, d], y [m, d], weights or NULL. Rows must be independent draws. What the floor and the interval are is written
 * in docs/distances.md. engine NULL: the caller's own thread (not for sinkhorn, entropic, mmd, energy). */
FG_CHECKED FG_API fg_code fg_estimate_w2(fg_engine *engine, const fg_estimate_settings *settings, size_t n,
                                         size_t m, size_t d, const double *x, const double *wx,
                                         const double *y, const double *wy, const fg_progress *progress,
                                         fg_estimate *estimate, fg_status *st);

#ifdef __cplusplus
}
#endif
#endif

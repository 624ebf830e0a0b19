/* Distances between two weighted samples, with their floors and intervals; the comparison of the
 * two laws; the report. */
#ifndef FLOWGAP_ANALYSIS_H
#define FLOWGAP_ANALYSIS_H

#include <stddef.h>
#include <stdint.h>

#include "flowgap/base.h"
#include "flowgap/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* W2^2 and its proof. squared = primal cost of the plan; primal - dual is the certificate. */
typedef struct fg_w2 {
  double squared, value; /* value = sqrt(squared) */
  double primal, dual;
  size_t n, m; /* points (or occupied bins) on both sides */
  double seconds;
} fg_w2;

/* Exact optimal transport of x [n, d] to y [m, d], cost |x - y|^2, network simplex. Weights wx [n],
 * wy [m] or NULL (equal); normalised inside. Rows of weight 0 do not enter (result n, m). Memory O(n + m),
 * time O(n m): fails with FG_USAGE above 2^30 pairs; d = 1 is sorted and has no limit. Fails with
 * FG_NUMERICS when the certificate does not close to 1e-9. */
FG_CHECKED FG_API fg_code fg_w2_exact(size_t n, size_t m, size_t d, const double *x, const double *wx,
                                      const double *y, const double *wy, fg_w2 *result, fg_status *st);

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
FG_CHECKED FG_API fg_code fg_w2_grid(const fg_w2_grid_settings *grid, const double *p, const double *q,
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

/* Weights as above. Memory O((n + m) d), and O(n + m) for each thread; the bits do not depend on their number.
 * direction [d] or NULL: that of the largest. */
FG_CHECKED FG_API fg_code fg_w2_sliced(fg_threads *threads, const fg_w2_sliced_settings *settings, size_t n,
                                       size_t m, size_t d, const double *x, const double *wx, const double *y,
                                       const double *wy, const fg_progress *progress, double *direction,
                                       fg_w2_slices *result, fg_status *st);

/* ---- an estimate with its floor and interval ------------------------------------------- */

typedef enum fg_estimator {
  FG_W2_EXACT,
  FG_W2_GRID,
  FG_W2_GAUSSIAN,
  FG_W2_SLICED,
  FG_ESTIMATORS
} fg_estimator;
FG_API const char *fg_estimator_name(fg_estimator estimator);

typedef struct fg_estimate_settings {
  fg_estimator estimator;
  fg_w2_grid_settings grid;
  size_t exact_points; /* exact: at most this many rows of each side are used (default 2000) */
  size_t directions;   /* sliced: at least 2 (default 100), the same for all replicates */
  size_t replicates;   /* subsamples for the interval (default 40) */
  size_t permutations; /* for the p-value (default 99; 0: none) */
  double confidence;   /* 0.9 */
  uint64_t seed;
} fg_estimate_settings;
FG_API void fg_estimate_defaults(fg_estimator estimator, fg_estimate_settings *settings);

typedef struct fg_estimate {
  double squared, value;
  double floor;           /* same estimator between two samples of one law, W2 units */
  double ci_low, ci_high; /* of `value` */
  double p_value;         /* permutation: is the gap larger than the floor? NaN if none */
  double primal, dual;
  double direction_error;      /* sliced: of `squared`, over directions; within the interval. Others: NaN */
  double largest;              /* sliced: along the best of its directions, W2 units. Others: NaN */
  size_t used_x, used_y;       /* rows that entered */
  size_t outside_x, outside_y; /* grid: rows beyond the half width */
  double seconds;
} fg_estimate;

/* x [n, d], y [m, d], weights or NULL. Rows must be independent draws. What the floor and the
 * interval are is written in docs/distances.md. */
FG_CHECKED FG_API fg_code fg_estimate_w2(fg_threads *threads, const fg_estimate_settings *settings, size_t n,
                                         size_t m, size_t d, const double *x, const double *wx,
                                         const double *y, const double *wy, const fg_progress *progress,
                                         fg_estimate *estimate, fg_status *st);

/* ---- the main job ----------------------------------------------------------------------- */

/* Compare the ODE and SDE laws of the model in the settings; writes the run directory
 * (config.yaml, results.json, samples.h5, log.txt, report.html; docs/run-directory.md). */
FG_CHECKED FG_API fg_code fg_compare_run(fg_engine *engine, const fg_settings *settings,
                                         const char *run_directory, const fg_progress *progress,
                                         fg_status *st);

/* The Fokker-Planck residual of the model in the settings (residual.*) under their measures; writes the run
 * directory (config.yaml, results.json, maps.h5, log.txt, report.html; docs/run-directory.md). */
FG_CHECKED FG_API fg_code fg_residual_run(fg_engine *engine, const fg_settings *settings,
                                          const char *run_directory, const fg_progress *progress,
                                          fg_status *st);

/* Densities of both laws of the model on a grid, d = 1, 2, and what separates them (settings density.*); writes a run
 * directory with config.yaml, results.json, densities.h5, log.txt and report.html. */
FG_CHECKED FG_API fg_code fg_density_run(fg_engine *engine, const fg_settings *settings,
                                         const char *run_directory, const fg_progress *progress,
                                         fg_status *st);

/* Write run_directory/report.html from what lies beside it. */
FG_CHECKED FG_API fg_code fg_report_write(const char *run_directory, fg_status *st);

/* ---- a sweep ----------------------------------------------------------------------------- */

/* One of the runs of a sweep, which differ in some settings. */
typedef struct fg_sweep_member {
  const char *name; /* folder of its training, where there was one; its comparison is in NAME-compare */
  const char *const *values; /* [keys], as they were given */
  const char *failed;        /* what stopped it, or NULL */
} fg_sweep_member;

typedef struct fg_sweep {
  size_t keys, members;
  const char *const *key;
  const fg_sweep_member *member;
  const char *command; /* what repeats the sweep */
  uint64_t seed;
  double seconds;
} fg_sweep;

/* The folder of a sweep, made or gone on with: config.yaml of what its members share. FG_USAGE when it holds a run of
 * another kind. */
FG_CHECKED FG_API fg_code fg_sweep_open(const char *folder, const fg_settings *settings, fg_status *st);

/* results.json of the sweep, from those of its members in `folder` (docs/run-directory.md), and report.html: the curve
 * of gap against quality. */
FG_CHECKED FG_API fg_code fg_sweep_write(const char *folder, fg_engine *engine, const fg_sweep *sweep,
                                         fg_status *st);

#ifdef __cplusplus
}
#endif
#endif

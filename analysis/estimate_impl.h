/* One estimate of W2 in parts: the rows it may use, the choices of rows it is evaluated on, the figures drawn
 * from those. docs/distances.md says why each is as it is. */
#ifndef FG_ANALYSIS_ESTIMATE_IMPL_H
#define FG_ANALYSIS_ESTIMATE_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "flowgap/analysis.h"

/* Grids of one estimate: replicates whose number is large take a rougher one. */
typedef enum fg_fineness {
  FG_FULL,  /* as the settings say */
  FG_CURVE, /* floors and bias: at most 64 bins per axis */
  FG_ROUGH, /* interval and permutations: at most 32 */
  FG_FINENESSES
} fg_fineness;
enum { FG_CURVE_BINS = 64, FG_ROUGH_BINS = 32 };

/* Both samples as one list: rows 0 .. n-1 are of x, n .. n+m-1 of y; without rows of weight 0 and, for the
 * grid, without rows outside it. */
typedef struct fg_pool {
  fg_engine *engine; /* borrowed; NULL: none */
  const fg_estimate_settings *settings;
  size_t n, m, d;
  const double *x, *y;          /* the caller's */
  size_t *row;                  /* [n + m] where the row stands in x or y */
  double *weight;               /* [n + m] mean 1 in each sample; NULL where no weights were given */
  uint32_t *bin[FG_FINENESSES]; /* grid: [n + m] */
  fg_w2_grid_settings grid[FG_FINENESSES];
  double *centred; /* gaussian: [n + m, d] less the pooled mean, times 2^-exponent */
  int exponent;
  size_t outside_x, outside_y;
} fg_pool;

/* sinkhorn, entropic, mmd and energy: all pairs of rows enter, of at most pair_points rows. estimate_settings.c */
bool fg_estimator_takes_pairs(fg_estimator estimator);
FG_CHECKED fg_code fg_estimate_check(const fg_engine *engine, const fg_estimate_settings *settings,
                                     fg_status *st);

FG_CHECKED fg_code fg_pool_create(fg_engine *engine, const fg_estimate_settings *settings, size_t n, size_t m,
                                  size_t d, const double *x, const double *wx, const double *y,
                                  const double *wy, fg_pool *pool, fg_status *st);
void fg_pool_clear(fg_pool *pool);
/* [d] row i of the list */
const double *fg_pool_row(const fg_pool *pool, size_t i);

/* Buffers of one worker. */
typedef struct fg_scratch {
  unsigned char *label, *relabel; /* [n + m] each */
  double *a, *b, *weight_a, *weight_b;
  double detail[2]; /* of the last evaluation: see fg_estimate_detail */
} fg_scratch;

FG_CHECKED fg_code fg_scratch_create(const fg_pool *pool, size_t rows, fg_scratch *scratch, fg_status *st);
void fg_scratch_clear(fg_scratch *scratch);

/* The estimator between the rows labelled 'a' and those labelled 'b'. threads and progress are for the inside of
 * the estimator and may be NULL. */
FG_CHECKED fg_code fg_pool_distance(const fg_pool *pool, fg_threads *threads, fg_scratch *scratch,
                                    fg_fineness fineness, const fg_progress *progress, fg_w2 *result,
                                    fg_status *st);

/* ---- which evaluations there are: estimate_plan.c ------------------------------------- */

enum { FG_CURVE_LEVELS = 5, FG_FLOOR_LEVELS = 3 };

typedef enum fg_purpose {
  FG_FOR_VALUE,
  FG_FOR_CURVE_VALUE, /* the value on the grid of the curve, where that is another one */
  FG_FOR_OBSERVED,
  FG_FOR_PERMUTED,
  FG_FOR_INTERVAL, /* pairs of disjoint blocks */
  FG_FOR_CURVE0,   /* + level: blocks of half the rows of the level before */
  FG_FOR_FLOOR_X0 = FG_FOR_CURVE0 + FG_CURVE_LEVELS,
  FG_FOR_FLOOR_Y0 = FG_FOR_FLOOR_X0 + FG_FLOOR_LEVELS,
  FG_PURPOSES = FG_FOR_FLOOR_Y0 + FG_FLOOR_LEVELS
} fg_purpose;

/* How the bias of the square comes off. */
typedef enum fg_bias_kind {
  FG_BIAS_NONE,  /* mmd, energy: there is none */
  FG_BIAS_FLOOR, /* it goes with the floor, which goes to 0 */
  FG_BIAS_RATE,  /* entropic: its floor does not go to 0; the bias falls like 1 / rows */
  FG_BIAS_CURVE  /* max_sliced: more than the floor, at a rate of its own */
} fg_bias_kind;
fg_bias_kind fg_estimator_bias(fg_estimator estimator);

typedef struct fg_plan {
  size_t use_x, use_y; /* rows of the value */
  double noise_rows;   /* rows of a side that give the value's noise: harmonic mean of the two */
  size_t test_x, test_y;
  size_t base_x, base_y;   /* rows of a partition, out of those used: two blocks of the interval */
  size_t floor_x, floor_y; /* rows of a side that the largest floor replicates have */
  size_t levels, floor_levels;
  bool one_pass; /* the test is done for all permutations at once, not by tasks of their own */
  size_t most;   /* rows of a side of any replicate */
  size_t count[FG_PURPOSES], start[FG_PURPOSES], tasks;
} fg_plan;

/* Half width of the interval in standard errors: the variance is a mean over replicates / 2 pairs of blocks. */
double fg_estimate_student(const fg_estimate_settings *settings);

void fg_plan_make(const fg_pool *pool, fg_plan *plan);

/* Label the rows of a task; returns the grid that it is about. */
fg_fineness fg_plan_label(const fg_pool *pool, const fg_plan *plan, size_t task, fg_scratch *scratch);

/* Observed and permuted squares: mmd and energy by one pass over the pairs of rows, sliced (and exact in one dimension) by
 * one sort per direction. */
FG_CHECKED fg_code fg_pool_permute(const fg_pool *pool, const fg_plan *plan, fg_threads *threads,
                                   const fg_progress *progress, double *squared, fg_status *st);

/* Where the blocks of a level of the curve are; level 0 of all but the grid is the interval's. */
fg_purpose fg_plan_level(const fg_pool *pool, size_t level);

/* ---- what they say: estimate_figures.c ------------------------------------------------ */

/* squared [tasks] is left in other units; fills everything but seconds. detail: of the value. */
void fg_estimate_figures(const fg_pool *pool, const fg_plan *plan, double *squared, const fg_w2 *value,
                         const double *detail, fg_estimate *estimate);

#endif

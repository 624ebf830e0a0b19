/* One estimate of W2 in parts: the rows it may use, the choices of rows it is evaluated on, the figures drawn
 * from those. docs/distances.md says why each is as it is. */
#ifndef FG_ANALYSIS_ESTIMATE_IMPL_H
#define FG_ANALYSIS_ESTIMATE_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "flowgap/analysis.h"

/* Both samples as one list: rows 0 .. n-1 are of x, n .. n+m-1 of y; without rows of weight 0 and, for the
 * grid, without rows outside it. */
typedef struct fg_pool {
  fg_engine *engine; /* borrowed; NULL: none */
  const fg_estimate_settings *settings;
  size_t n, m, d;
  const double *x, *y;   /* the caller's */
  size_t *row;           /* [n + m] where the row stands in x or y */
  double *weight;        /* [n + m] mean 1 in each sample; NULL where no weights were given */
  uint32_t *bin, *rough; /* grid: [n + m] bins of the grid and of the coarser one */
  fg_w2_grid_settings grid, rough_grid;
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

/* Buffers of one worker. */
typedef struct fg_scratch {
  unsigned char *label, *relabel; /* [n + m] each */
  double *a, *b, *weight_a, *weight_b;
  double detail[2]; /* of the last evaluation: see fg_estimate_detail */
} fg_scratch;

FG_CHECKED fg_code fg_scratch_create(const fg_pool *pool, size_t rows, fg_scratch *scratch, fg_status *st);
void fg_scratch_clear(fg_scratch *scratch);

/* The estimator between the rows labelled 'a' and those labelled 'b'; `rough` takes the coarser grid. */
FG_CHECKED fg_code fg_pool_distance(const fg_pool *pool, fg_scratch *scratch, int rough, fg_w2 *result,
                                    fg_status *st);

#endif

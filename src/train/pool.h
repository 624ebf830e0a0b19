/* States of the model's own SDE paths, for the points of a residual. Private to src/train/. */
#ifndef FG_TRAIN_POOL_H
#define FG_TRAIN_POOL_H

#include "train/points.h"

typedef struct fg_path_pool {
  size_t paths, steps, d;
  fg_coeff *coeff; /* [steps + 1]; those of the states from 1 on */
  size_t *node;    /* [steps] */
  double *start, *states;
  int32_t *step;
  fg_buf in_x, in_lost, in_states;
  size_t lost; /* paths that turned non-finite: they stay where they were last finite */
} fg_path_pool;

/* Where the paths begin: the prior, or for a process that is pinned at its horizon, which no step leaves, the law of
 * the process without control a little before. */
typedef struct fg_pool_start {
  const fg_process *process;
  const fg_prior *prior;
  double time; /* T, or FG_PIN_PART of it */
  bool from_prior;
} fg_pool_start;

fg_pool_start fg_pool_start_of(const fg_process *process, const fg_prior *prior);

/* Release it in any case. */
FG_CHECKED fg_code fg_path_pool_create(fg_engine *engine, const fg_train_settings *settings,
                                       const fg_pool_start *start, size_t d, fg_path_pool *pool,
                                       fg_status *st);
void fg_path_pool_release(fg_engine *engine, fg_path_pool *pool);

/* New paths, numbers first and on of the seed, of the field's reverse SDE by Euler. */
FG_CHECKED fg_code fg_path_pool_fill(fg_engine *engine, const fg_train_settings *settings,
                                     const fg_field *field, const fg_pool_start *start, uint64_t seed,
                                     uint64_t first, const fg_progress *progress, fg_path_pool *pool,
                                     fg_status *st);
fg_point_pool fg_path_pool_view(const fg_path_pool *pool);

#endif

#include "train/pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flowgap/flow.h"
#include "formula/random.h"
#include "sde/coeff.h"

fg_pool_start fg_pool_start_of(const fg_process *process, const fg_prior *prior)
{
  const fg_process_settings *p = fg_process_look(process);
  bool at_pin = p->kind == FG_PROCESS_PINNED && p->pin == p->horizon;
  return (fg_pool_start){process, prior, at_pin ? FG_PIN_PART * p->horizon : p->horizon, !at_pin};
}

static fg_code make_grid(const fg_train_settings *s, const fg_pool_start *start, fg_path_pool *pool,
                         fg_status *st)
{
  fg_grid *grid;
  FG_TRY(fg_grid_create(s->spacing, start->time, s->residual.time_least, pool->steps, &grid, st));
  const double *t = fg_grid_times(grid);
  for (size_t k = 0; k <= pool->steps; k++) pool->coeff[k] = fg_process_coeff(start->process, t[k]);
  for (size_t k = 0; k < pool->steps; k++) pool->node[k] = k + 1;
  fg_grid_destroy(&grid);
  return FG_OK;
}

fg_code fg_path_pool_create(fg_engine *e, const fg_train_settings *s, const fg_pool_start *start, size_t d,
                            fg_path_pool *pool, fg_status *st)
{
  size_t n = s->residual.paths, steps = s->residual.path_steps;
  *pool = (fg_path_pool){.paths = n, .steps = steps, .d = d};
  if (!e->ops->simulate) return fg_engine_lacks(e, "simulate", st);
  if (n > SIZE_MAX / sizeof(double) / d / steps)
    return FG_FAIL(st, FG_USAGE, "train.residual.paths is %zu, too many to keep at %zu times", n, steps);
  pool->coeff = malloc((steps + 1) * sizeof *pool->coeff);
  pool->node = malloc(steps * sizeof *pool->node);
  pool->start = malloc(n * d * sizeof *pool->start);
  pool->states = malloc(steps * n * d * sizeof *pool->states);
  pool->step = malloc(n * sizeof *pool->step);
  if (!pool->coeff || !pool->node || !pool->start || !pool->states || !pool->step)
    return FG_FAIL(st, FG_MEMORY, "no memory for %zu paths at %zu times", n, steps);
  FG_TRY(e->ops->alloc(e, n * d * sizeof(double), &pool->in_x, st));
  FG_TRY(e->ops->alloc(e, n * sizeof(int32_t), &pool->in_lost, st));
  FG_TRY(e->ops->alloc(e, steps * n * d * sizeof(double), &pool->in_states, st));
  return make_grid(s, start, pool, st);
}

void fg_path_pool_release(fg_engine *e, fg_path_pool *pool)
{
  free(pool->coeff);
  free(pool->node);
  free(pool->start);
  free(pool->states);
  free(pool->step);
  e->ops->free(e, &pool->in_x);
  e->ops->free(e, &pool->in_lost);
  e->ops->free(e, &pool->in_states);
  memset(pool, 0, sizeof *pool);
}

static fg_code draw_starts(const fg_pool_start *start, uint64_t seed, uint64_t first, fg_path_pool *pool,
                           fg_status *st)
{
  size_t d = pool->d;
  double root = sqrt(fg_process_v(start->process, start->time));
  if (start->from_prior) return fg_prior_sample(start->prior, seed, first, pool->paths, pool->start, st);
  for (size_t i = 0; i < pool->paths * d; i++)
    pool->start[i] = root * fg_normal(seed, FG_STREAM_PRIOR, first + i / d, 0, (uint32_t)(i % d));
  return FG_OK;
}

fg_code fg_path_pool_fill(fg_engine *e, const fg_train_settings *s, const fg_field *field,
                          const fg_pool_start *start, uint64_t seed, uint64_t first,
                          const fg_progress *progress, fg_path_pool *pool, fg_status *st)
{
  size_t n = pool->paths, d = pool->d;
  fg_simulate_request r = {.precision = s->precision,
                           .n = n,
                           .tile = s->tile,
                           .seed = seed,
                           .first = first,
                           .stream = FG_STREAM_NOISE,
                           .scheme = FG_EULER,
                           .lambda = 1,
                           .last_step_noise = 1,
                           .steps = pool->steps,
                           .coeff = pool->coeff,
                           .x = pool->in_x,
                           .lost_step = pool->in_lost,
                           .snapshots = pool->steps,
                           .snapshot_step = pool->node,
                           .snapshot_x = pool->in_states,
                           .progress = progress};
  FG_TRY(draw_starts(start, seed, first, pool, st));
  FG_TRY(e->ops->upload(e, pool->in_x, 0, pool->start, n * d * sizeof(double), st));
  FG_TRY(e->ops->simulate(e, e->threads, field, &r, st));
  FG_TRY(e->ops->download(e, pool->states, pool->in_states, 0, pool->steps * n * d * sizeof(double), st));
  FG_TRY(e->ops->download(e, pool->step, pool->in_lost, 0, n * sizeof(int32_t), st));
  pool->lost = 0;
  for (size_t i = 0; i < n; i++) pool->lost += pool->step[i] >= 0;
  return FG_OK;
}

fg_point_pool fg_path_pool_view(const fg_path_pool *pool)
{
  return (fg_point_pool){pool->steps, pool->paths, pool->d, pool->states, pool->coeff + 1};
}

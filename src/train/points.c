#include "train/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "formula/random.h"
#include "sde/coeff.h"

/* Steps of FG_STREAM_POINTS: what a number is drawn for. */
enum { FG_DRAW_TIME, FG_DRAW_ROW, FG_DRAW_PLACE, FG_DRAW_PICK };

enum { FG_CHUNK = 512 }; /* points of a task, at least */

/* ---- room ----------------------------------------------------------------------------------- */

size_t fg_point_group(size_t n, size_t most)
{
  size_t group = most < n ? most : n;
  while (n % group != 0) group--;
  return group;
}

static fg_code make(fg_engine *e, size_t count, double **host, fg_buf *buf, fg_status *st)
{
  *host = malloc(count * sizeof **host);
  if (!*host) return FG_FAIL(st, FG_MEMORY, "no memory for %zu numbers of points", count);
  return e->ops->alloc(e, count * sizeof **host, buf, st);
}

fg_code fg_point_room_create(fg_engine *e, size_t n, size_t group, size_t d, bool goal, bool weight,
                             fg_point_room *room, fg_status *st)
{
  *room = (fg_point_room){.n = n, .group = group, .d = d};
  if (n > SIZE_MAX / sizeof(fg_coeff) / d) return FG_FAIL(st, FG_USAGE, "%zu points are too many", n);
  room->coeff = malloc(n / group * sizeof *room->coeff);
  if (!room->coeff) return FG_FAIL(st, FG_MEMORY, "no memory for %zu points", n);
  FG_TRY(make(e, n * d, &room->x, &room->in_x, st));
  if (goal) FG_TRY(make(e, n * d, &room->goal, &room->in_goal, st));
  return weight ? make(e, n, &room->weight, &room->in_weight, st) : FG_OK;
}

void fg_point_room_release(fg_engine *e, fg_point_room *room)
{
  free(room->coeff);
  free(room->x);
  free(room->goal);
  free(room->weight);
  e->ops->free(e, &room->in_x);
  e->ops->free(e, &room->in_goal);
  e->ops->free(e, &room->in_weight);
  memset(room, 0, sizeof *room);
}

fg_code fg_point_room_upload(fg_engine *e, const fg_point_room *room, fg_status *st)
{
  size_t bytes = room->n * sizeof(double);
  FG_TRY(e->ops->upload(e, room->in_x, 0, room->x, bytes * room->d, st));
  if (room->goal) FG_TRY(e->ops->upload(e, room->in_goal, 0, room->goal, bytes * room->d, st));
  return room->weight ? e->ops->upload(e, room->in_weight, 0, room->weight, bytes, st) : FG_OK;
}

/* ---- drawing -------------------------------------------------------------------------------- */

typedef struct fg_draw_job {
  const fg_point_law *law;
  const fg_point_pool *pool;
  uint64_t seed, first;
  fg_point_room *room;
  size_t chunk; /* groups of a task */
} fg_draw_job;

/* Uniform numbers `pair` (0, 1) of (seed, number, step, block). */
static double uniform(const fg_draw_job *job, uint64_t number, uint32_t step, uint32_t block, int pair)
{
  fg_words words = fg_philox(job->seed, FG_STREAM_POINTS, number, step, block);
  return fg_uniform52(words.w[2 * pair], words.w[2 * pair + 1]);
}

/* Beta(1, 2) by inversion: its distribution function is 1 - (1 - b)^2. */
static double draw_time(const fg_draw_job *job, uint64_t group)
{
  const fg_point_law *law = job->law;
  double u = uniform(job, group, FG_DRAW_TIME, 0, 0);
  if (law->times == FG_TIMES_UNIFORM) return law->least + (law->most - law->least) * u;
  return fmin(law->least + law->most * (1 - sqrt(1 - u)), law->most);
}

/* Rows of a file are drawn with replacement. */
static fg_code draw_data(const fg_draw_job *job, uint64_t number, double *x, fg_status *st)
{
  const fg_target *target = job->law->target;
  size_t rows = fg_target_rows(target);
  uint64_t row = rows ? (uint64_t)((double)rows * uniform(job, number, FG_DRAW_ROW, 0, 0)) : number;
  return fg_target_sample(target, job->seed, row, 1, x, st);
}

static void noise_point(const fg_draw_job *job, uint64_t number, const fg_coeff *c, size_t i)
{
  fg_point_room *room = job->room;
  size_t d = room->d;
  double *x = room->x + i * d, root = sqrt(c->v);
  for (size_t j = 0; j < d; j++) {
    double z = fg_normal(job->seed, FG_STREAM_NOISING, number, 0, (uint32_t)j);
    x[j] = c->m * x[j] + root * z;
    if (room->goal) room->goal[i * d + j] = -z / root;
  }
  if (room->weight) room->weight[i] = c->v;
}

static void draw_place(const fg_draw_job *job, uint64_t number, double *x)
{
  const fg_point_law *law = job->law;
  for (size_t j = 0; j < job->room->d; j++) {
    if (law->where == FG_AT_BOX)
      x[j] = law->size * (2 * uniform(job, number, FG_DRAW_PLACE, (uint32_t)(j / 2), (int)(j % 2)) - 1);
    else
      x[j] = law->size * fg_normal(job->seed, FG_STREAM_POINTS, number, FG_DRAW_PLACE, (uint32_t)j);
  }
}

static void draw_group(const fg_draw_job *job, size_t g)
{
  fg_point_room *room = job->room;
  uint64_t start = job->first + (uint64_t)(g * room->group);
  room->coeff[g] = fg_process_coeff(job->law->process, draw_time(job, start / room->group));
  for (size_t k = 0; k < room->group; k++) {
    size_t i = g * room->group + k;
    double *x = room->x + i * room->d;
    if (job->law->where != FG_AT_DATA) {
      draw_place(job, start + k, x);
    } else if (draw_data(job, start + k, x, NULL) == FG_OK) { /* it can be sampled: the caller asked */
      noise_point(job, start + k, &room->coeff[g], i);
    }
  }
}

/* Neighbours among the paths, from a random one on, at a random node. */
static void pick_group(const fg_draw_job *job, size_t g)
{
  const fg_point_pool *pool = job->pool;
  fg_point_room *room = job->room;
  uint64_t number = job->first / room->group + g;
  size_t node = (size_t)((double)pool->nodes * uniform(job, number, FG_DRAW_PICK, 0, 0));
  size_t path = (size_t)((double)pool->paths * uniform(job, number, FG_DRAW_PICK, 0, 1));
  room->coeff[g] = pool->coeff[node];
  for (size_t k = 0; k < room->group; k++)
    memcpy(room->x + (g * room->group + k) * room->d,
           pool->states + (node * pool->paths + (path + k) % pool->paths) * room->d,
           room->d * sizeof(double));
}

static void run_chunk(void *argument, size_t task, int worker)
{
  const fg_draw_job *job = argument;
  size_t groups = job->room->n / job->room->group, from = task * job->chunk, to = from + job->chunk;
  (void)worker;
  for (size_t g = from; g < to && g < groups; g++)
    if (job->pool)
      pick_group(job, g);
    else
      draw_group(job, g);
}

static fg_code run(fg_engine *e, fg_draw_job *job, fg_status *st)
{
  size_t group = job->room->group, groups = job->room->n / group;
  job->chunk = (FG_CHUNK + group - 1) / group;
  fg_threads_run(e->threads, (groups + job->chunk - 1) / job->chunk, run_chunk, job);
  return fg_point_room_upload(e, job->room, st);
}

fg_code fg_points_draw(fg_engine *e, const fg_point_law *law, uint64_t seed, uint64_t first,
                       fg_point_room *room, fg_status *st)
{
  fg_draw_job job = {.law = law, .seed = seed, .first = first, .room = room};
  if (law->where == FG_AT_DATA) FG_TRY(fg_target_sample(law->target, seed, first, 1, room->x, st));
  return run(e, &job, st);
}

fg_code fg_points_pick(fg_engine *e, const fg_point_pool *pool, uint64_t seed, uint64_t first,
                       fg_point_room *room, fg_status *st)
{
  fg_draw_job job = {.pool = pool, .seed = seed, .first = first, .room = room};
  return run(e, &job, st);
}

/* Points (x, t) of a loss: drawn on the host, by seed and number alone, and handed to the engine. Private to
 * src/train/. */
#ifndef FG_TRAIN_POINTS_H
#define FG_TRAIN_POINTS_H

#include "engine.h"
#include "flowgap/train.h"

/* n points in groups that share a time. */
typedef struct fg_point_room {
  size_t n, group, d;
  fg_coeff *coeff;           /* [n / group] */
  double *x, *goal, *weight; /* host: [n, d], [n, d], [n]; the last two NULL where there is no use for them */
  fg_buf in_x, in_goal, in_weight;
} fg_point_room;

/* Largest divisor of n up to `most`. */
size_t fg_point_group(size_t n, size_t most);

/* Release it in any case. */
FG_CHECKED fg_code fg_point_room_create(fg_engine *engine, size_t n, size_t group, size_t d, bool goal,
                                        bool weight, fg_point_room *room, fg_status *st);
void fg_point_room_release(fg_engine *engine, fg_point_room *room);
FG_CHECKED fg_code fg_point_room_upload(fg_engine *engine, const fg_point_room *room, fg_status *st);

/* Law of points that depend on no model. */
typedef struct fg_point_law {
  const fg_process *process;
  const fg_target *target; /* DATA */
  fg_train_where where;    /* not PATH */
  double size;             /* BOX: half width; GAUSSIAN: standard deviation */
  fg_train_time_law times;
  double least, most;
} fg_point_law;

/* Points number first .. first + n - 1 of the seed, on the engine's threads; the group divides `first`. DATA:
 *   x = m(t) x_0 + sqrt(v(t)) z,   goal = -z / sqrt(v(t)),   weight = v(t). */
FG_CHECKED fg_code fg_points_draw(fg_engine *engine, const fg_point_law *law, uint64_t seed, uint64_t first,
                                  fg_point_room *room, fg_status *st);

/* Choices among nodes of a grid and the paths that are kept there: states [nodes, paths, d], coeff [nodes]. */
typedef struct fg_point_pool {
  size_t nodes, paths, d;
  const double *states;
  const fg_coeff *coeff;
} fg_point_pool;

FG_CHECKED fg_code fg_points_pick(fg_engine *engine, const fg_point_pool *pool, uint64_t seed, uint64_t first,
                                  fg_point_room *room, fg_status *st);

#endif

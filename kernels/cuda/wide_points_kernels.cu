/* The body of losses at points for wide networks, one tile a block and one segment a launch. Compiled once per precision
 * (FG_SINGLE or not). */
#include "cuda/wide_tile.cuh" /* the tile words, before the bodies */

#include "cuda/launch.cuh"
#include "cuda/wide_points.cuh"

#include "body/points.h"

#ifdef FG_SINGLE
#define FG_TABLE fg_visit_single
#else
#define FG_TABLE fg_visit_double
#endif

/* What a kernel takes beside field, request and job. */
typedef struct fg_visit_room {
  double *value, *loss;
  fg_real *rows, *shares, *block;
} fg_visit_room;

FG_HD size_t fg_visit_row(const fg_field *f)
{
  return fg_whole_lanes((size_t)fg_field_row_size(f));
}

/* A piece [size] of tile `tile`, from where that of this block is. */
TILE_FN const fg_real *fg_visit_other(const fg_real *mine, size_t tile, size_t size)
{
  return mine + size * tile - size * (size_t)blockIdx.x;
}

/* Every place of a tile without a finite value gets the coordinates and the time of point state.from, of whichever tile. */
TILE_FN void fg_visit_rest(fg_points_walk *w, const fg_visit_room *room)
{
  const size_t from = fg_wide.state->from - fg_wide.state->first, tile = from / (size_t)fg_wide.p;
  const int p = w->p, d = w->d, at = (int)(from % (size_t)fg_wide.p);
  for (int i = 0; i < w->count; i++)
    if (fg_path_is_kept(room->loss[w->first + (size_t)i])) return;
  fg_real *const numbers[] = {w->a, w->g2, w->gamma, w->time, w->scale, w->scale_t};
  fg_real *const vectors[] = {w->x, w->goal};
  for (int q = 0; q < 6; q++) {
    const fg_real *other = fg_visit_other(numbers[q], tile, (size_t)p);
    TILE_EACH(i, p) numbers[q][i] = other[at];
  }
  for (int q = 0; q < 2; q++) {
    const fg_real *other = fg_visit_other(vectors[q], tile, (size_t)d * (size_t)p);
    TILE_EACH(i, d * p) vectors[q][i] = other[i / p * p + at];
  }
  if (!room->rows) return;
  const int size = (int)fg_visit_row(w->field);
  fg_real *row = room->rows + w->first / (size_t)fg_wide.p * (size_t)size;
  const fg_real *other = room->rows + (fg_wide.state->first / (size_t)fg_wide.p + tile) * (size_t)size;
  TILE_EACH(i, size) row[i] = other[i];
}

static __global__ void __launch_bounds__(FG_WIDE_THREADS, 1)
    fg_wide_points_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_points_request r,
                          const __grid_constant__ fg_visit_room room, fg_visit_part part,
                          const __grid_constant__ fg_wide_job job)
{
  fg_points_walk w;
  fg_wide_enter(&job);
  fg_wide_speak();
  const size_t each = (size_t)job.p, first = job.state->first + blockIdx.x * each, tile = first / each;
  const size_t left = first < r.n ? r.n - first : 1; /* while products are listed any place will do */
  const int count = (int)(left < each ? left : each);
  fg_points_place(&w, &f, &r, room.rows ? room.rows + tile * fg_visit_row(&f) : (const fg_real *)0, first,
                  count, fg_tile_size(each), (fg_real *)job.scratch);
  const int size = (int)fg_points_row(&w.jet.run.at);
  fg_real *share = room.shares ? room.shares + tile * (size_t)size : (fg_real *)0;
  switch (part) {
  case FG_VISIT_BEGIN:
    if (share) fg_tile_zero(size, share);
    fg_points_load(&w);
    break;
  case FG_VISIT_LOOK:
    fg_points_look(&w);
    break;
  case FG_VISIT_WEIGH:
    fg_points_store(&w, room.value + first);
    fg_points_mend(&w, room.value + first);
    fg_points_weigh(&w, room.value + first, room.loss + first);
    break;
  case FG_VISIT_REST:
    fg_visit_rest(&w, &room);
    break;
  case FG_VISIT_REVERSE:
    fg_points_reverse(&w, room.block, share);
    break;
  }
  fg_wide_leave();
}

static size_t scratch(const fg_field *f, const fg_points_request *r, size_t tile)
{
  return fg_points_scratch(f, r, fg_tile_size(tile));
}

static void launch(const fg_wide_visit *visit, void *sums, fg_visit_part part, const fg_wide_job *job,
                   unsigned blocks)
{
  const fg_visit_room room = {visit->value, visit->loss, (fg_real *)visit->rows, (fg_real *)visit->shares,
                              (fg_real *)sums};
  FG_LAUNCH(fg_wide_points_kernel, blocks, FG_WIDE_THREADS, *visit->field, *visit->request, room, part, *job);
}

const fg_visit_table FG_TABLE = {scratch, launch};

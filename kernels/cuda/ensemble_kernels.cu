/* The ODE's ensemble integrator as one kernel, one block a tile. Compiled once per precision (FG_SINGLE or not). */
#include "cuda/tile.cuh" /* the tile words, before the bodies */

#include "cuda/ensemble.cuh"
#include "cuda/launch.cuh"

#include "cuda/room.cuh"

#include "body/ensemble.h"

static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_ensemble_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_ensemble_request r,
                       size_t tile, fg_room room, void *scratch, size_t each)
{
  fg_room_enter(room);
  const size_t first = (tile + blockIdx.x) * FG_ENSEMBLE_TILE, left = r.n - first;
  const int count = (int)(left < FG_ENSEMBLE_TILE ? left : (size_t)FG_ENSEMBLE_TILE);
  fg_ensemble_tile(&f, &r, first, count, fg_tile_size((size_t)count), fg_room_scratch(room, scratch, each));
}

static size_t scratch_of(const fg_field *f, const fg_ensemble_request *r)
{
  return fg_ensemble_scratch(f, r, FG_ENSEMBLE_TILE) * sizeof(fg_real);
}

static size_t scratch_bytes(const fg_field *f, const fg_ensemble_request *r)
{
  return fg_room_outside(scratch_of(f, r));
}

/* Weights stay where they are: each particle makes rows of its own times, from weights that are not of the layers. */
static void carry(const fg_field *f, const fg_ensemble_request *r, size_t tile, unsigned blocks,
                  void *scratch, size_t each)
{
  const fg_room room = fg_room_of(f, scratch_of(f, r), false);
  FG_LAUNCH_ROOM(fg_ensemble_kernel, blocks, fg_room_threads(f, FG_ENSEMBLE_TILE), room, *f, *r, tile, room,
                 scratch, each);
}

#ifdef FG_SINGLE
const fg_cuda_ensemble_table fg_cuda_ensemble_single = {scratch_bytes, carry};
#else
const fg_cuda_ensemble_table fg_cuda_ensemble_double = {scratch_bytes, carry};
#endif

/* The ODE's ensemble integrator as one kernel, one block a range of particles. Compiled once per precision (FG_SINGLE or not). */
#include "cuda/tile.cuh" /* the tile words, before the bodies */

#include "cuda/ensemble.cuh"
#include "cuda/launch.cuh"

#include "cuda/room.cuh"

#include "body/ensemble.h"

static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_ensemble_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_ensemble_request r,
                       size_t range, size_t first, fg_room room, void *scratch, size_t each)
{
  const size_t at = (first + blockIdx.x) * range, left = r.n - at, count = left < range ? left : range;
  const int places = fg_tile_size(count < FG_ENSEMBLE_TILE ? count : (size_t)FG_ENSEMBLE_TILE);
  fg_ensemble_tile(&f, &r, at, (int)count, places, fg_room_scratch(room, scratch, each));
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
static void carry(const fg_field *f, const fg_ensemble_request *r, size_t range, size_t first,
                  unsigned blocks, void *scratch, size_t each)
{
  const fg_room room = fg_room_of(f, scratch_of(f, r), false);
  FG_LAUNCH_ROOM(fg_ensemble_kernel, blocks, fg_room_threads(f, FG_ENSEMBLE_TILE), room, *f, *r, range, first,
                 room, scratch, each);
}

#ifdef FG_SINGLE
const fg_cuda_ensemble_table fg_cuda_ensemble_single = {scratch_bytes, carry};
#else
const fg_cuda_ensemble_table fg_cuda_ensemble_double = {scratch_bytes, carry};
#endif

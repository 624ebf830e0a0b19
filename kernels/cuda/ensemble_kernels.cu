/* The ODE's ensemble integrator as one kernel, one block a tile. Compiled once per precision (FG_SINGLE or not). */
#include "cuda/tile.cuh" /* the tile words, before the bodies */

#include "cuda/ensemble.cuh"
#include "cuda/launch.cuh"

#include "body/ensemble.h"

static __global__ void __launch_bounds__(FG_CUDA_MOST, 1)
    fg_ensemble_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_ensemble_request r,
                       size_t tile, void *scratch, size_t each)
{
  const size_t first = (tile + blockIdx.x) * FG_ENSEMBLE_TILE, left = r.n - first;
  const int count = (int)(left < FG_ENSEMBLE_TILE ? left : (size_t)FG_ENSEMBLE_TILE);
  fg_ensemble_tile(&f, &r, first, count, fg_tile_size((size_t)count),
                   (fg_real *)((char *)scratch + blockIdx.x * each));
}

static size_t scratch_bytes(const fg_field *f, const fg_ensemble_request *r)
{
  return fg_ensemble_scratch(f, r, FG_ENSEMBLE_TILE) * sizeof(fg_real);
}

/* A mixture's loops go over particles; a network's products have work for more threads. */
static void carry(const fg_field *f, const fg_ensemble_request *r, size_t tile, unsigned blocks,
                  void *scratch, size_t each)
{
  FG_LAUNCH(fg_ensemble_kernel, blocks,
            f->kind == FG_FIELD_NETWORK ? (int)FG_CUDA_MOST : (int)FG_ENSEMBLE_TILE, *f, *r, tile, scratch,
            each);
}

#ifdef FG_SINGLE
const fg_cuda_ensemble_table fg_cuda_ensemble_single = {scratch_bytes, carry};
#else
const fg_cuda_ensemble_table fg_cuda_ensemble_double = {scratch_bytes, carry};
#endif

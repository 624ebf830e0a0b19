/* The ODE's ensemble integrator with wide networks: stages of a step (body/ensemble.h), one tile a block and one segment a
 * launch. Compiled once per precision (FG_SINGLE or not). */
#include "cuda/wide_tile.cuh" /* the tile words, before the bodies */

#include "cuda/ensemble.cuh"
#include "cuda/launch.cuh"

#include "body/ensemble.h"

/* How many particles of all tiles have not ended. */
TILE_FN void fg_flight_count(const fg_ensemble *w, const fg_wide_flight *flight)
{
  const size_t apart = fg_reals_of_ints(FG_ENSEMBLE_NUMBERS) * (sizeof(fg_real) / sizeof(int32_t));
  TILE_EACH(once, 1)
  {
    int32_t left = 0;
    for (int tile = 0; tile < fg_wide.tiles; tile++)
      left += w->number[apart * (size_t)tile + FG_ENSEMBLE_LEFT];
    *flight->left = left;
  }
}

/* The counts by bins of whole tiles of the request. */
TILE_FN void fg_flight_bins(const fg_ensemble_request *r, const fg_wide_flight *flight)
{
  const size_t bins = 2 * (size_t)r->bins, units = FG_ENSEMBLE_TILE / FG_FLIGHT_UNIT;
  const size_t count = flight->finish - flight->begin;
  const size_t rows = (count + FG_FLIGHT_UNIT - 1) / FG_FLIGHT_UNIT;
  uint32_t *to = (uint32_t *)r->bin.device + flight->begin / FG_ENSEMBLE_TILE * bins;
  for (size_t row = blockIdx.x * units; row < rows; row += (size_t)fg_wide.tiles * units)
    TILE_EACH(b, (int)bins)
    {
      uint32_t sum = 0;
      for (size_t k = row; k < row + units && k < rows; k++) sum += flight->rows[k * bins + (size_t)b];
      to[row / units * bins + (size_t)b] = sum;
    }
}

static __global__ void __launch_bounds__(FG_WIDE_THREADS, 1)
    fg_wide_ensemble_kernel(const __grid_constant__ fg_field f, const __grid_constant__ fg_ensemble_request r,
                            const __grid_constant__ fg_wide_flight flight, int part,
                            const __grid_constant__ fg_wide_job job)
{
  const size_t from = blockIdx.x * flight.range, all = flight.finish - flight.begin;
  const size_t first = from < all ? from : all - 1,
               left = from < all ? all - from : 0; /* a tile may have none */
  fg_ensemble w;
  fg_wide_enter(&job);
  fg_wide_speak();
  fg_ensemble_place(&w, &f, &r, flight.begin + first, (int)(left < flight.range ? left : flight.range), job.p,
                    (fg_real *)job.scratch);
  w.bins = flight.rows + first / FG_FLIGHT_UNIT * 2 * (size_t)r.bins;
  w.unit = FG_FLIGHT_UNIT;
  if (part == FG_FLIGHT_BEGIN) {
    fg_ensemble_begin(&w);
  } else if (part == FG_FLIGHT_COUNT) {
    fg_flight_count(&w, &flight);
  } else if (part == FG_FLIGHT_END) {
    fg_flight_bins(&r, &flight);
  } else {
    const int stage = part == FG_FLIGHT_STEP ? 1 : part,
              last = part == FG_FLIGHT_STEP ? FG_FLIGHT_STAGES : part;
    for (int s = stage; s <= last; s++) {
      fg_ensemble_stage(&w, s);
      if (s == FG_FLIGHT_STAGES) fg_ensemble_change(&w);
      if (s < last) fg_wide_pause();
    }
  }
}

static size_t scratch(const fg_field *f, const fg_ensemble_request *r, int p)
{
  return fg_ensemble_scratch(f, r, p);
}

static void fly(const fg_field *f, const fg_ensemble_request *r, const fg_wide_flight *flight, int part,
                const fg_wide_job *job, unsigned blocks)
{
  FG_LAUNCH(fg_wide_ensemble_kernel, blocks, FG_WIDE_THREADS, *f, *r, *flight, part, *job);
}

#ifdef FG_SINGLE
const fg_wide_ensemble_table fg_wide_ensemble_single = {scratch, fly};
#else
const fg_wide_ensemble_table fg_wide_ensemble_double = {scratch, fly};
#endif

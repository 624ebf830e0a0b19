/* The random words, on the device. */
#include "cuda/launch.cuh"
#include "formula/random.h"
#include "shim.h"

static __global__ void philox_kernel(uint64_t seed, uint32_t stream, uint64_t first, uint32_t step,
                                     uint32_t block, size_t n, uint32_t *words)
{
  const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const fg_words four = fg_philox(seed, stream, first + i, step, block);
  for (int k = 0; k < 4; k++) words[4 * i + k] = four.w[k];
}

extern "C" void shim_philox(uint64_t seed, uint32_t stream, uint64_t first, uint32_t step, uint32_t block,
                            size_t n, uint32_t *words)
{
  FG_LAUNCH(philox_kernel, (unsigned)((n + 63) / 64), 64, seed, stream, first, step, block, n, words);
}

/* Random words as cuRAND's own device code makes them, compiled for the CPU: for a test of fg_philox. */
#include "shim.h"

#if __has_include(<curand_kernel.h>)
#define QUALIFIERS static inline
#include <curand_kernel.h>

extern "C" int shim_curand(uint64_t seed, uint64_t subsequence, uint64_t offset, size_t n, uint32_t *words)
{
  curandStatePhilox4_32_10_t state;
  curand_init(seed, subsequence, offset, &state);
  for (size_t i = 0; i < n; i++) words[i] = curand(&state);
  return 1;
}
#else
extern "C" int shim_curand(uint64_t, uint64_t, uint64_t, size_t, uint32_t *)
{
  return 0;
}
#endif

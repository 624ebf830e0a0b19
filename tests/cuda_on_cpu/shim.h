/* What a test may ask of the shim, and the engine that runs on it. */
#ifndef SHIM_H
#define SHIM_H

#include "engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The engine "cuda" of kernels/cuda/, on the CPU. */
fg_code fg_cuda_engine_open(int threads, fg_engine **engine, fg_status *st);

/* Another order of blocks and threads from now on. */
void shim_shuffle(unsigned seed);
/* The next call of this name fails with the number of a CUDA error; a name of a kernel fails its launch. */
void shim_fail(const char *call, int error);
/* Pieces of device memory that nobody has given back. */
long shim_live(void);
/* Copies between host and device so far. */
typedef struct shim_copies {
  uint64_t from, from_bytes, to, to_bytes;
} shim_copies;
shim_copies shim_copied(void);
/* fg_philox by a kernel: words [n, 4] of particles first .. first + n - 1. */
void shim_philox(uint64_t seed, uint32_t stream, uint64_t first, uint32_t step, uint32_t block, size_t n,
                 uint32_t *words);

/* Kernels that have a fault if asked (planted.cu). Returns a sum of what they wrote. */
typedef enum shim_fault {
  SHIM_NO_BARRIER_SHARED, /* a thread reads shared memory that another has just written */
  SHIM_NO_BARRIER_DEVICE, /* a thread writes what another still reads */
  SHIM_RACE_OF_BLOCKS,
  SHIM_OVERRUN,
  SHIM_HALF_AT_BARRIER,
  SHIM_OTHER_BARRIER,
  SHIM_UNSET
} shim_fault;
double shim_planted(shim_fault kind, int fault);

#ifdef __cplusplus
}
#endif
#endif

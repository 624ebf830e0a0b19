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
/* The same for the one after so many that succeed. */
void shim_fail_after(const char *call, int error, int after);
/* The same for so many of them in a row. */
void shim_fail_times(const char *call, int error, int after, int times);
/* Bytes of shared memory that a block may have from now on (at first 232448). */
void shim_shared(int bytes);
/* Multiprocessors of a device (at first 1), for engines opened later. */
void shim_processors(int count);
/* Tensor cores whose lanes hold other entries of a product than PTX says; 0: those that it says. */
void shim_other_lanes(int others);
/* Pieces that the arenas have handed out and that nobody has given back. */
long shim_live(void);
/* Graphs that nobody has destroyed. */
long shim_graphs(void);
/* How often a call was made, or a kernel of this name ran, so far. */
long shim_calls(const char *call);
/* So many devices (1 before; SHIM_DEVICES in the environment), each with so many bytes (1 GiB). For engines opened later. */
void shim_devices(int count, size_t bytes);
/* Copies between host and device so far. */
typedef struct shim_copies {
  uint64_t from, from_bytes, to, to_bytes;
} shim_copies;
shim_copies shim_copied(void);
/* fg_philox by a kernel: words [n, 4] of particles first .. first + n - 1. */
void shim_philox(uint64_t seed, uint32_t stream, uint64_t first, uint32_t step, uint32_t block, size_t n,
                 uint32_t *words);

/* Words of curand_init(seed, subsequence, offset) by cuRAND itself; returns 0 where its headers are absent. */
int shim_curand(uint64_t seed, uint64_t subsequence, uint64_t offset, size_t n, uint32_t *words);

/* Kernels that have a fault if asked (planted.cu). Returns a sum of what they wrote. */
typedef enum shim_fault {
  SHIM_NO_BARRIER_SHARED, /* a thread reads shared memory that another has just written */
  SHIM_NO_BARRIER_DEVICE, /* a thread writes what another still reads */
  SHIM_RACE_OF_BLOCKS,
  SHIM_OVERRUN,
  SHIM_NO_BARRIER_DYNAMIC, /* as the first, in dynamic shared memory */
  SHIM_OVERRUN_DYNAMIC,
  SHIM_HALF_AT_BARRIER,
  SHIM_OTHER_BARRIER,
  SHIM_HALF_MULTIPLIES,
  SHIM_HALF_SUMS,
  SHIM_UNSET,
  SHIM_UNSET_DYNAMIC,
  SHIM_OTHER_DEVICE, /* reads memory of another device */
  SHIM_EARLY,        /* reads what another stream has still to copy */
  SHIM_LATE          /* changes what a copy has still to read */
} shim_fault;
double shim_planted(shim_fault kind, int fault);

#ifdef __cplusplus
}
#endif
#endif

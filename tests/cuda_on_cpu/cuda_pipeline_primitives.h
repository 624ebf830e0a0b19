/* Copies into shared memory that go on while a thread works: here they are over at once. */
#ifndef SHIM_CUDA_PIPELINE_PRIMITIVES_H
#define SHIM_CUDA_PIPELINE_PRIMITIVES_H

#include "cuda_runtime.h"

/* Whole words, so that the access checker sees the thread that copies. */
static inline void __pipeline_memcpy_async(void *to, const void *from, size_t bytes)
{
  for (size_t i = 0; i < bytes / sizeof(float); i++) ((float *)to)[i] = ((const float *)from)[i];
}

static inline void __pipeline_commit(void)
{
}

static inline void __pipeline_wait_prior(size_t)
{
}

#endif

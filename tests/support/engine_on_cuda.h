/* Included before everything else in the twins "_on_cuda" of tests: fg_engine_open opens the CUDA engine on the CPU
 * (tests/cuda_on_cpu) for every name of an engine of the processor, each time with another order of blocks and threads. So a
 * test that compares engines or counts of threads to the bit asks here that no order matters. An instruction set that
 * FLOWGAP_ISA names is the processor's: so a test that compares them compares the two engines. */
#ifndef FG_TESTS_ENGINE_ON_CUDA_H
#define FG_TESTS_ENGINE_ON_CUDA_H

#define FG_ON_CUDA 1

#include <stdlib.h>
#include <string.h>

#include "cuda_on_cpu/shim.h"
#include "flowgap/engine.h"

static inline fg_code engine_on_cuda(const char *name, int threads, fg_engine **engine, fg_status *st)
{
  static unsigned order = 1;
  if ((strcmp(name, "cpu") != 0 && strcmp(name, "cpu-check") != 0) || getenv("FLOWGAP_ISA"))
    return fg_engine_open(name, threads, engine, st);
  shim_shuffle(++order);
  return fg_cuda_engine_open(threads, engine, st);
}

#define fg_engine_open engine_on_cuda

#endif

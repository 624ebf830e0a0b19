/* Engines for tests by name: those of fg_engine_open, and "cuda-on-cpu" where the shim is linked (tests/cuda_on_cpu). */
#ifndef FG_TESTS_ENGINE_BY_NAME_H
#define FG_TESTS_ENGINE_BY_NAME_H

#include <string.h>

#include "engine.h"
#include "flowgap/engine.h"

static inline fg_code engine_by_name(const char *name, int threads, fg_engine **engine, fg_status *st)
{
#ifdef SHIM_H
  if (strcmp(name, "cuda-on-cpu") == 0) return fg_cuda_engine_open(threads, engine, st);
#endif
  return fg_engine_open(name, threads, engine, st);
}

#endif

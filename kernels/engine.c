/* Engines by name. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

#include "engine_open.h"

/* What libflowgap_cuda.so exports. */
typedef fg_code fg_cuda_open(int threads, fg_engine **engine, fg_status *st);

static fg_code fg_cuda_engine(int threads, fg_engine **engine, fg_status *st)
{
  void *library = dlopen("libflowgap_cuda.so", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "the engine cuda is a plugin that cannot be opened (%s): build it with "
                   "-DFG_CUDA=ON and put libflowgap_cuda.so on the library path, or use --engine cpu",
                   dlerror());
  fg_cuda_open *open = NULL;
  void *symbol = dlsym(library, "fg_cuda_engine_open");
  memcpy(&open, &symbol, sizeof open);
  if (!open) {
    dlclose(library);
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "libflowgap_cuda.so has no fg_cuda_engine_open: it is not of this version; "
                   "use --engine cpu");
  }
  /* the library stays open: the engine's code lives in it */
  return open(threads, engine, st);
}

fg_code fg_engine_open(const char *name, int threads, fg_engine **engine, fg_status *st)
{
  *engine = NULL;
  if (strcmp(name, "cpu") == 0) return fg_cpu_engine_open(false, threads, engine, st);
  if (strcmp(name, "cpu-check") == 0) return fg_cpu_engine_open(true, threads, engine, st);
  if (strcmp(name, "cuda") == 0) return fg_cuda_engine(threads, engine, st);
  return FG_FAIL(st, FG_USAGE, "there is no engine \"%s\": give cpu, cpu-check or cuda", name);
}

void fg_engine_close(fg_engine **engine)
{
  if (*engine) (*engine)->close(*engine);
  *engine = NULL;
}

const char *fg_engine_name(const fg_engine *engine)
{
  return engine->name;
}

const char *fg_engine_isa(const fg_engine *engine)
{
  return engine->isa;
}

const char *fg_engine_devices(const fg_engine *engine)
{
  return engine->devices ? engine->devices : "";
}

fg_code fg_engine_allow_tf32(fg_engine *engine, bool allow, fg_status *st)
{
  if (allow && engine->tf32 == FG_TF32_LACKING)
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "engine %s (%s) has no TF32: leave out --tf32, or use --engine cuda on a GPU of compute "
                   "capability 8.0 or later",
                   engine->name, engine->isa);
  if (engine->tf32 != FG_TF32_LACKING) engine->tf32 = allow ? FG_TF32_ON : FG_TF32_OFF;
  return FG_OK;
}

bool fg_engine_tf32(const fg_engine *engine)
{
  return engine->tf32 == FG_TF32_ON;
}

bool fg_engine_has_tf32(const fg_engine *engine)
{
  return engine->tf32 != FG_TF32_LACKING;
}

fg_threads *fg_engine_threads(fg_engine *engine)
{
  return engine->threads;
}

fg_code fg_engine_lacks(const fg_engine *e, const char *operation, fg_status *st)
{
  return FG_FAIL(st, FG_UNSUPPORTED, "engine %s cannot %s: use --engine cpu", e->name, operation);
}

/* Engines run the numerical work: "cpu", "cpu-check" (the CPU engine with hidden, NaN-filled
 * buffers, for tests), "cuda" (a plugin opened at run time). */
#ifndef FLOWGAP_ENGINE_H
#define FLOWGAP_ENGINE_H

#include <stddef.h>

#include "flowgap/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fg_engine fg_engine;

/* Open an engine by name; threads 0 means all that the process may use.
 * Fails with FG_USAGE for an unknown name, FG_UNSUPPORTED when the machine lacks it. */
FG_CHECKED FG_API fg_code fg_engine_open(const char *name, int threads, fg_engine **engine, fg_status *st);
FG_API void fg_engine_close(fg_engine **engine);
FG_API const char *fg_engine_name(const fg_engine *engine);
/* "avx512", "avx2", "baseline", ...: what run-time dispatch picked. The environment variable
 * FLOWGAP_ISA=avx2 asks for a lower one. */
FG_API const char *fg_engine_isa(const fg_engine *engine);
/* A line for each GPU that it sees, with memory and driver, the one that it uses first; "" for engines of the CPU. */
FG_API const char *fg_engine_devices(const fg_engine *engine);
/* May products in single precision run on tensor cores as TF32, their factors rounded to 10 bits after the point and sums in
 * single precision? Off in an engine that was just opened; double precision never changes. Call it before the engine
 * works. Allowing it fails with FG_UNSUPPORTED where the engine has none (those of the CPU). */
FG_CHECKED FG_API fg_code fg_engine_allow_tf32(fg_engine *engine, bool allow, fg_status *st);
/* Is it allowed now? */
FG_API bool fg_engine_tf32(const fg_engine *engine);
/* Could it be? */
FG_API bool fg_engine_has_tf32(const fg_engine *engine);
/* The pool that the engine works with; borrowed. */
FG_API fg_threads *fg_engine_threads(fg_engine *engine);

#ifdef __cplusplus
}
#endif
#endif

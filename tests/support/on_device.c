/* Tests of the CUDA engine on a GPU: with FLOWGAP_TEST_DEVICE set, programs that link the shim (tests/cuda_on_cpu) open the
 * plugin in place of the engine on the CPU, and a test that asks the shim for what only it can do is skipped. The linker
 * sends their calls here (--wrap, tests/CMakeLists.txt). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cuda_on_cpu/shim.h"
#include "flowgap/engine.h"

static int on_device(void)
{
  return getenv("FLOWGAP_TEST_DEVICE") != NULL;
}

static void only_shim(void)
{
  if (on_device()) skip();
}

fg_code __real_fg_cuda_engine_open(int threads, fg_engine **engine, fg_status *st);
fg_code __wrap_fg_cuda_engine_open(int threads, fg_engine **engine, fg_status *st);
fg_code __wrap_fg_cuda_engine_open(int threads, fg_engine **engine, fg_status *st)
{
  if (on_device()) return fg_engine_open("cuda", threads, engine, st);
  return __real_fg_cuda_engine_open(threads, engine, st);
}

/* what the shim holds is nothing then */
long __real_shim_live(void);
long __wrap_shim_live(void);
long __wrap_shim_live(void)
{
  return on_device() ? 0 : __real_shim_live();
}

long __real_shim_graphs(void);
long __wrap_shim_graphs(void);
long __wrap_shim_graphs(void)
{
  return on_device() ? 0 : __real_shim_graphs();
}

void __real_shim_fail(const char *call, int error);
void __wrap_shim_fail(const char *call, int error);
void __wrap_shim_fail(const char *call, int error)
{
  only_shim();
  __real_shim_fail(call, error);
}

void __real_shim_fail_after(const char *call, int error, int after);
void __wrap_shim_fail_after(const char *call, int error, int after);
void __wrap_shim_fail_after(const char *call, int error, int after)
{
  only_shim();
  __real_shim_fail_after(call, error, after);
}

long __real_shim_calls(const char *call);
long __wrap_shim_calls(const char *call);
long __wrap_shim_calls(const char *call)
{
  only_shim();
  return __real_shim_calls(call);
}

void __real_shim_devices(int count, size_t bytes);
void __wrap_shim_devices(int count, size_t bytes);
void __wrap_shim_devices(int count, size_t bytes)
{
  only_shim();
  __real_shim_devices(count, bytes);
}

void __real_shim_philox(uint64_t seed, uint32_t stream, uint64_t first, uint32_t step, uint32_t block,
                        size_t n, uint32_t *words);
void __wrap_shim_philox(uint64_t seed, uint32_t stream, uint64_t first, uint32_t step, uint32_t block,
                        size_t n, uint32_t *words);
void __wrap_shim_philox(uint64_t seed, uint32_t stream, uint64_t first, uint32_t step, uint32_t block,
                        size_t n, uint32_t *words)
{
  only_shim();
  __real_shim_philox(seed, stream, first, step, block, n, words);
}

shim_copies __real_shim_copied(void);
shim_copies __wrap_shim_copied(void);
shim_copies __wrap_shim_copied(void)
{
  only_shim();
  return __real_shim_copied();
}

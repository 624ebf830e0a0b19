/* Tests of the CUDA engine on a GPU: with FLOWGAP_TEST_DEVICE set, programs that link the shim (tests/cuda_on_cpu) open the
 * plugin in place of the engine on the CPU, and skip what asks the shim for something. The linker sends their calls here
 * (--wrap). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cuda_on_cpu/shim.h"
#include "flowgap/engine.h"

fg_code __real_fg_cuda_engine_open(int threads, fg_engine **engine, fg_status *st);
void __real_shim_fail(const char *call, int error);
long __real_shim_live(void);
void __real_shim_philox(uint64_t seed, uint32_t stream, uint64_t first, uint32_t step, uint32_t block,
                        size_t n, uint32_t *words);

static int on_device(void)
{
  return getenv("FLOWGAP_TEST_DEVICE") != NULL;
}

fg_code __wrap_fg_cuda_engine_open(int threads, fg_engine **engine, fg_status *st);
fg_code __wrap_fg_cuda_engine_open(int threads, fg_engine **engine, fg_status *st)
{
  if (on_device()) return fg_engine_open("cuda", threads, engine, st);
  return __real_fg_cuda_engine_open(threads, engine, st);
}

void __wrap_shim_fail(const char *call, int error);
void __wrap_shim_fail(const char *call, int error)
{
  if (on_device()) skip(); /* a device fails when it likes */
  __real_shim_fail(call, error);
}

long __wrap_shim_live(void);
long __wrap_shim_live(void)
{
  return on_device() ? 0 : __real_shim_live();
}

void __wrap_shim_philox(uint64_t seed, uint32_t stream, uint64_t first, uint32_t step, uint32_t block,
                        size_t n, uint32_t *words);
void __wrap_shim_philox(uint64_t seed, uint32_t stream, uint64_t first, uint32_t step, uint32_t block,
                        size_t n, uint32_t *words)
{
  if (on_device()) skip(); /* not a kernel of the plugin */
  __real_shim_philox(seed, stream, first, step, block, n, words);
}

/* The runtime API: device memory on the host, and failures on request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "cuda_runtime.h"
#include "shim.h"
#include "shim_impl.h"

static std::mutex lock; /* guards what follows */
static std::map<std::string, int> failures;
static std::map<const void *, size_t> pieces; /* of device memory */

static std::atomic<long> live{0};
static thread_local int last;

void shim_fail(const char *call, int error)
{
  const std::lock_guard<std::mutex> held(lock);
  failures[call] = error;
}

int shim_asked_to_fail(const char *call)
{
  const std::lock_guard<std::mutex> held(lock);
  const auto found = failures.find(call);
  if (found == failures.end()) return 0;
  const int error = found->second;
  failures.erase(found);
  return error;
}

void shim_set_last(int error)
{
  if (error) last = error;
}

int shim_last(void)
{
  return last;
}

long shim_live(void)
{
  return live;
}

static cudaError_t answer(const char *call)
{
  const int error = shim_asked_to_fail(call);
  shim_set_last(error);
  return (cudaError_t)error;
}

const char *cudaGetErrorString(cudaError_t rc)
{
  switch (rc) {
  case cudaSuccess:
    return "no error";
  case cudaErrorMemoryAllocation:
    return "out of memory";
  case cudaErrorInsufficientDriver:
    return "CUDA driver version is insufficient for CUDA runtime version";
  case cudaErrorIllegalAddress:
    return "an illegal memory access was encountered";
  default:
    return "some error";
  }
}

cudaError_t cudaGetLastError(void)
{
  const int rc = last;
  last = 0;
  return (cudaError_t)rc;
}

cudaError_t cudaGetDeviceCount(int *count)
{
  const cudaError_t rc = answer("cudaGetDeviceCount");
  if (rc == cudaSuccess) *count = 1;
  return rc;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
  *value = attribute == cudaDevAttrComputeCapabilityMajor ? 8 : 0;
  return device == 0 ? answer("cudaDeviceGetAttribute") : cudaErrorInvalidValue;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
  *properties = {"the CPU, by tests/cuda_on_cpu", (size_t)1 << 30, 8, 0};
  return device == 0 ? answer("cudaGetDeviceProperties") : cudaErrorInvalidValue;
}

cudaError_t cudaDriverGetVersion(int *version)
{
  *version = CUDART_VERSION;
  return answer("cudaDriverGetVersion");
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *total)
{
  *left = (size_t)1 << 29;
  *total = (size_t)1 << 30;
  return answer("cudaMemGetInfo");
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device)
{
  *pool = (cudaMemPool_t)&live;
  return device == 0 ? answer("cudaDeviceGetDefaultMemPool") : cudaErrorInvalidValue;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void *value)
{
  const bool right = pool == (cudaMemPool_t)&live && attribute == cudaMemPoolAttrReleaseThreshold && value;
  return right ? answer("cudaMemPoolSetAttribute") : cudaErrorInvalidValue;
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t keep)
{
  return pool == (cudaMemPool_t)&live && keep == 0 ? answer("cudaMemPoolTrimTo") : cudaErrorInvalidValue;
}

/* ---- memory: [ size, guard | bytes | guard ] ------------------------------------------------- */

enum { GUARD = 256 };
static const unsigned char guard_byte = 0xa5;
static const uint32_t nan_word = 0x7ff8dead; /* NaN as a double and as a float */

cudaError_t cudaMallocAsync(void **memory, size_t bytes, cudaStream_t)
{
  const cudaError_t rc = answer("cudaMallocAsync");
  if (rc != cudaSuccess) return rc;
  const size_t whole = (bytes + 2 * GUARD + GUARD - 1) / GUARD * GUARD;
  char *base = whole < bytes ? nullptr : (char *)aligned_alloc(GUARD, whole);
  if (!base) {
    last = cudaErrorMemoryAllocation;
    return cudaErrorMemoryAllocation;
  }
  memset(base, guard_byte, whole);
  memcpy(base, &bytes, sizeof bytes);
  for (size_t i = 0; i + sizeof nan_word <= bytes; i += sizeof nan_word)
    memcpy(base + GUARD + i, &nan_word, sizeof nan_word);
  *memory = base + GUARD;
  {
    const std::lock_guard<std::mutex> held(lock);
    pieces[*memory] = bytes;
  }
  live++;
  return cudaSuccess;
}

cudaError_t cudaFreeAsync(void *memory, cudaStream_t)
{
  unsigned char *base = (unsigned char *)memory - GUARD;
  size_t bytes;
  memcpy(&bytes, base, sizeof bytes);
  for (size_t i = sizeof bytes; i < GUARD; i++)
    if (base[i] != guard_byte || base[GUARD + bytes + i - sizeof bytes] != guard_byte) {
      fprintf(stderr, "cuda_on_cpu: something wrote outside a piece of %zu bytes\n", bytes);
      abort();
    }
  {
    const std::lock_guard<std::mutex> held(lock);
    pieces.erase(memory);
  }
  free(base);
  live--;
  return answer("cudaFreeAsync");
}

bool shim_is_device(const void *memory)
{
  const std::lock_guard<std::mutex> held(lock);
  auto after = pieces.upper_bound(memory);
  if (after == pieces.begin()) return false;
  const auto &[start, bytes] = *--after;
  return (const char *)memory < (const char *)start + bytes;
}

static std::atomic<uint64_t> copied[2][2]; /* from, to the device: calls, bytes */

shim_copies shim_copied(void)
{
  return {copied[0][0], copied[0][1], copied[1][0], copied[1][1]};
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t)
{
  const cudaError_t rc = answer("cudaMemcpyAsync");
  if (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToHost) {
    copied[kind == cudaMemcpyHostToDevice][0]++;
    copied[kind == cudaMemcpyHostToDevice][1] += bytes;
  }
  if (rc == cudaSuccess) memcpy(to, from, bytes);
  return rc;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t)
{
  const cudaError_t rc = answer("cudaMemsetAsync");
  if (rc == cudaSuccess) memset(memory, value, bytes);
  return rc;
}

cudaError_t cudaStreamSynchronize(cudaStream_t)
{
  return answer("cudaStreamSynchronize");
}

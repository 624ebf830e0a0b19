/* Failures on request; counts of calls. */
#include <map>
#include <mutex>
#include <string>

#include "cuda_runtime.h"
#include "shim.h"
#include "shim_impl.h"

static std::mutex lock; /* guards what follows */
struct failure {
  int error, after, times;
};
static std::map<std::string, failure> failures;
static std::map<std::string, long> calls;

static thread_local int last;

void shim_fail(const char *call, int error)
{
  const std::lock_guard<std::mutex> held(lock);
  failures[call] = {error, 0, 1};
}

void shim_fail_after(const char *call, int error, int after)
{
  const std::lock_guard<std::mutex> held(lock);
  failures[call] = {error, after, 1};
}

void shim_fail_times(const char *call, int error, int after, int times)
{
  const std::lock_guard<std::mutex> held(lock);
  failures[call] = {error, after, times};
}

int shim_asked_to_fail(const char *call)
{
  const std::lock_guard<std::mutex> held(lock);
  const auto found = failures.find(call);
  if (found == failures.end()) return 0;
  if (found->second.after-- > 0) return 0;
  const int error = found->second.error;
  if (--found->second.times <= 0) failures.erase(found);
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

void shim_called(const char *call)
{
  const std::lock_guard<std::mutex> held(lock);
  calls[call]++;
}

long shim_calls(const char *call)
{
  const std::lock_guard<std::mutex> held(lock);
  return calls[call];
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

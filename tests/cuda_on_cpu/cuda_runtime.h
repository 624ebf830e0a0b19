/* The part of CUDA that kernels/cuda/ uses, answered on the CPU, so that g++ compiles the same .cu files and
 * a test runs every kernel. Stands in for <cuda_runtime.h> by its place on the include path.
 *
 * The threads of a block are fibers of the calling thread, run in a shuffled order up to the next barrier;
 * blocks run one after another, shuffled too. Barriers that not all threads of a block reach, or that they
 * reach at different lines, end the program with the block and the thread. Device memory is host memory
 * filled with NaN between guard words. What this cannot show: speed, races of real threads within a warp,
 * the limits of a real device. */
#ifndef SHIM_CUDA_RUNTIME_H
#define SHIM_CUDA_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include <functional>
#include <tuple>
#include <type_traits>

#define CUDART_VERSION 13000
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static thread_local

struct shim_index {
  unsigned x, y, z;
};
extern thread_local shim_index threadIdx, blockIdx, blockDim, gridDim;

void shim_barrier(const char *file, int line);
#define __syncthreads() shim_barrier(__FILE__, __LINE__)

void shim_launch(const char *kernel, unsigned blocks, unsigned threads, const std::function<void()> &body);
/* Arguments are taken at the launch, as CUDA does: a graph runs it later. */
template <typename F, typename... A> std::function<void()> shim_bind(F kernel, A &&...arguments)
{
  return [kernel, all = std::tuple<std::decay_t<A>...>(std::forward<A>(arguments)...)]() {
    std::apply(kernel, all);
  };
}
#define FG_LAUNCH(kernel, blocks, threads, ...)                                                              \
  shim_launch(#kernel, (blocks), (threads), shim_bind(kernel, __VA_ARGS__))

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorIllegalAddress = 700,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorUnknown = 999
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaDeviceAttr { cudaDevAttrComputeCapabilityMajor = 75, cudaDevAttrComputeCapabilityMinor = 76 };
struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  int major, minor;
};
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 };
typedef struct shim_stream *cudaStream_t;
typedef struct shim_pool *cudaMemPool_t;
#define cudaStreamPerThread ((cudaStream_t)2)

const char *cudaGetErrorString(cudaError_t rc);
cudaError_t cudaGetLastError(void);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void *value);
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t keep);
cudaError_t cudaMallocAsync(void **memory, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);

typedef struct shim_graph *cudaGraph_t;
typedef struct shim_graph_exec *cudaGraphExec_t;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);

#endif

/* The part of CUDA that kernels/cuda/ uses, answered on the CPU, so that g++ compiles the same .cu files and
 * a test runs every kernel. Stands in for <cuda_runtime.h> by its place on the include path.
 *
 * The threads of a block are fibers of the calling thread, run in a shuffled order up to the next barrier;
 * blocks run one after another, shuffled too. Barriers that not all threads of a block reach, or that they
 * reach at different lines, end the program with the block and the thread. Device memory is host memory
 * filled with NaN between guard words; there may be several devices, each with its own. Streams put off what they are asked
 * to do until somebody waits for it, so that a wait too few shows. What this cannot show: speed, races of real threads within a warp,
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
#define __align__(bytes) __attribute__((aligned(bytes)))

struct shim_index {
  unsigned x, y, z;
};
extern thread_local shim_index threadIdx, blockIdx, blockDim, gridDim;

void shim_barrier(const char *file, int line);
#define __syncthreads() shim_barrier(__FILE__, __LINE__)
int shim_barrier_or(const char *file, int line, int flag);
#define __syncthreads_or(flag) shim_barrier_or(__FILE__, __LINE__, (flag))

/* One of mma.sync's products of a warp, and the end of some of them: here sums are made. All lanes of the warp come to the same. */
void shim_multiply(int line, double (&c)[4], const double (&a)[2], double b);
void shim_multiply(int line, float (&c)[4], const float (&a)[2], float b);
void shim_multiplied(const char *file, int line, bool single);
#define FG_TENSOR_MULTIPLY(c, a, b) shim_multiply(__LINE__, (c), (a), (b))
#define FG_TENSOR_SUMS(single) shim_multiplied(__FILE__, __LINE__, (single))

/* `shared` bytes of dynamic shared memory a block, of the `most` that the kernel may have. */
void shim_launch(const char *kernel, unsigned blocks, unsigned threads, size_t shared, size_t most,
                 const std::function<void()> &body);
/* Arguments are taken at the launch, as CUDA does: a graph runs it later. */
template <typename F, typename... A> std::function<void()> shim_bind(F kernel, A &&...arguments)
{
  return [kernel, all = std::tuple<std::decay_t<A>...>(std::forward<A>(arguments)...)]() {
    std::apply(kernel, all);
  };
}
#define FG_LAUNCH(kernel, blocks, threads, ...)                                                              \
  shim_launch(#kernel, (blocks), (threads), 0, 0, shim_bind(kernel, __VA_ARGS__))
#define FG_LAUNCH_SHARED(kernel, blocks, threads, bytes, most, ...)                                          \
  shim_launch(#kernel, (blocks), (threads), (bytes), (most), shim_bind(kernel, __VA_ARGS__))
unsigned char *shim_dynamic(void);
#define FG_DYNAMIC() shim_dynamic()
bool shim_is_shared(const void *memory);
#define __isShared(memory) shim_is_shared(memory)

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorInvalidDevice = 101,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700,
  cudaErrorPeerAccessAlreadyEnabled = 704,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorUnknown = 999
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97
};
struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  int major, minor;
};
typedef struct shim_stream *cudaStream_t;
typedef struct shim_event *cudaEvent_t;
#define cudaStreamPerThread ((cudaStream_t)2)
#define cudaEventDisableTiming 2

const char *cudaGetErrorString(cudaError_t rc);
cudaError_t cudaGetLastError(void);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int peer);
cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned flags);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaMalloc(void **memory, size_t bytes);
cudaError_t cudaFree(void *memory);
cudaError_t cudaMallocHost(void **memory, size_t bytes);
cudaError_t cudaFreeHost(void *memory);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemcpyPeerAsync(void *to, int to_device, const void *from, int from_device, size_t bytes,
                                cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);

/* The engine's arena (kernels/cuda/arena.cu) takes parts of what it allocated: `bytes` of `whole` are filled with NaN,
 * the rest is guarded, and what is not given back before the arena is closed ends the program. */
void shim_taken(void *memory, size_t bytes, size_t whole);
void shim_given(void *memory);
void shim_closed(size_t blocks);
#define FG_ARENA_TAKEN(memory, bytes, whole) shim_taken((memory), (bytes), (whole))
#define FG_ARENA_GIVEN(memory) shim_given(memory)
#define FG_ARENA_CLOSED(blocks) shim_closed(blocks)

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

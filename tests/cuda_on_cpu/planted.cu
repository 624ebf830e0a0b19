/* Kernels with a fault each, and their clean twins: what the shim is there to catch. */
#include <math.h>
#include <pthread.h>

#include "cuda/launch.cuh"
#include "shim.h"

enum { THREADS = 64, BLOCKS = 3, COUNT = THREADS * BLOCKS };

static __device__ double *own(double *x)
{
  return x + blockIdx.x * THREADS;
}

/* Each thread reads what its neighbour wrote; a fault leaves the barrier out. */
static __global__ void neighbour_kernel(bool fault, double *x, double *y)
{
  __shared__ double room[THREADS];
  const unsigned i = threadIdx.x;
  room[i] = own(x)[i];
  if (!fault) __syncthreads();
  own(y)[i] = room[(i + 1) % THREADS];
}

/* The same in dynamic shared memory. */
static __global__ void dynamic_kernel(bool fault, double *x, double *y)
{
  double *room = (double *)FG_DYNAMIC();
  const unsigned i = threadIdx.x;
  room[i] = own(x)[i];
  if (!fault) __syncthreads();
  own(y)[i] = room[(i + 1) % THREADS];
}

/* A fault writes one place beyond it. */
static __global__ void beyond_kernel(bool fault, double *x, double *y)
{
  double *room = (double *)FG_DYNAMIC() + (fault ? 1 : 0);
  room[threadIdx.x] = own(x)[threadIdx.x];
  own(y)[threadIdx.x] = room[threadIdx.x];
}

/* A fault reads what no thread of this block wrote; blocks before it did. */
static __global__ void stale_kernel(bool fault, double *x, double *y)
{
  double *room = (double *)FG_DYNAMIC();
  if (!fault || blockIdx.x != 0) room[threadIdx.x] = own(x)[threadIdx.x];
  own(y)[threadIdx.x] = room[threadIdx.x];
}

/* Through device memory; a fault lets threads write what others have still to read. */
static __global__ void turn_kernel(bool fault, double *x, double *y)
{
  const unsigned i = threadIdx.x;
  const double got = own(x)[(i + 1) % THREADS];
  if (!fault) __syncthreads();
  own(x)[i] = got + 1;
  __syncthreads();
  own(y)[i] = own(x)[(i + 1) % THREADS];
}

/* Sums of blocks; a fault lets all blocks write one place. */
static __global__ void blocks_kernel(bool fault, double *x, double *y)
{
  if (threadIdx.x != 0) return;
  double sum = 0;
  for (int i = 0; i < THREADS; i++) sum += own(x)[i];
  y[fault ? 0 : blockIdx.x] = sum;
}

/* A fault writes one place too far, from the last block. */
static __global__ void overrun_kernel(bool fault, double *x, double *y)
{
  const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
  y[fault ? i + 1 : i] = x[i];
}

/* A fault leaves half of the threads out of a barrier. */
static __global__ void half_kernel(bool fault, double *x, double *y)
{
  own(y)[threadIdx.x] = own(x)[threadIdx.x];
  if (fault && threadIdx.x < THREADS / 2) return;
  __syncthreads();
}

/* A fault lets halves of the block wait at different barriers. */
static __global__ void other_kernel(bool fault, double *x, double *y)
{
  own(y)[threadIdx.x] = own(x)[threadIdx.x];
  if (fault && threadIdx.x < THREADS / 2)
    __syncthreads();
  else
    __syncthreads();
}

/* A fault leaves half of each warp out of a product. */
static __global__ void product_kernel(bool fault, double *x, double *y)
{
  double sum[4] = {}, a[2] = {own(x)[threadIdx.x], 1};
  if (!fault || threadIdx.x % 32 < 16) FG_TENSOR_MULTIPLY(sum, a, 1.0);
  FG_TENSOR_SUMS(false);
  own(y)[threadIdx.x] = sum[0];
}

/* A fault lets half of each warp read sums of which the others know nothing. */
static __global__ void sums_kernel(bool fault, double *x, double *y)
{
  double sum[4] = {}, a[2] = {own(x)[threadIdx.x], 1};
  FG_TENSOR_MULTIPLY(sum, a, 1.0);
  if (!fault || threadIdx.x % 32 < 16) FG_TENSOR_SUMS(false);
  __syncthreads();
  own(y)[threadIdx.x] = sum[0];
}

/* A fault reads what nobody wrote. */
static __global__ void unset_kernel(bool fault, double *x, double *y)
{
  own(y)[threadIdx.x] = fault ? own(y)[threadIdx.x] + 1 : own(x)[threadIdx.x];
}

enum { ROOM = THREADS * (int)sizeof(double) };

static __global__ void copy_kernel(double *x, double *y)
{
  own(y)[threadIdx.x] = own(x)[threadIdx.x];
}

static void launch(shim_fault kind, bool on, double *a, double *b)
{
  switch (kind) {
  case SHIM_NO_BARRIER_SHARED:
    FG_LAUNCH(neighbour_kernel, BLOCKS, THREADS, on, a, b);
    break;
  case SHIM_NO_BARRIER_DEVICE:
    FG_LAUNCH(turn_kernel, BLOCKS, THREADS, on, a, b);
    break;
  case SHIM_RACE_OF_BLOCKS:
    FG_LAUNCH(blocks_kernel, BLOCKS, THREADS, on, a, b);
    break;
  case SHIM_OVERRUN:
    FG_LAUNCH(overrun_kernel, BLOCKS, THREADS, on, a, b);
    break;
  case SHIM_NO_BARRIER_DYNAMIC:
    FG_LAUNCH_SHARED(dynamic_kernel, BLOCKS, THREADS, ROOM, ROOM, on, a, b);
    break;
  case SHIM_OVERRUN_DYNAMIC:
    FG_LAUNCH_SHARED(beyond_kernel, BLOCKS, THREADS, ROOM, ROOM, on, a, b);
    break;
  case SHIM_HALF_AT_BARRIER:
    FG_LAUNCH(half_kernel, BLOCKS, THREADS, on, a, b);
    break;
  case SHIM_OTHER_BARRIER:
    FG_LAUNCH(other_kernel, BLOCKS, THREADS, on, a, b);
    break;
  case SHIM_HALF_MULTIPLIES:
    FG_LAUNCH(product_kernel, BLOCKS, THREADS, on, a, b);
    break;
  case SHIM_HALF_SUMS:
    FG_LAUNCH(sums_kernel, BLOCKS, THREADS, on, a, b);
    break;
  case SHIM_UNSET:
    FG_LAUNCH(unset_kernel, BLOCKS, THREADS, on, a, b);
    break;
  case SHIM_UNSET_DYNAMIC:
    FG_LAUNCH_SHARED(stale_kernel, BLOCKS, THREADS, ROOM, ROOM, on, a, b);
    break;
  case SHIM_OTHER_DEVICE:
    cudaSetDevice(on ? 1 : 0);
    FG_LAUNCH(copy_kernel, BLOCKS, THREADS, a, b);
    cudaSetDevice(0);
    break;
  case SHIM_EARLY:
  case SHIM_LATE:
    FG_LAUNCH(copy_kernel, BLOCKS, THREADS, a, b);
    break;
  }
}

struct both {
  double *a, *b;
};

static void *copy_in_thread(void *argument)
{
  const both *all = (const both *)argument;
  launch(SHIM_EARLY, false, all->a, all->b);
  return nullptr;
}

extern "C" double shim_planted(shim_fault kind, int fault)
{
  const bool on = fault != 0;
  double host[COUNT], sum = 0;
  void *x = nullptr, *y = nullptr, *pinned = nullptr;
  shim_devices(2, 1 << 20);
  cudaMalloc(&x, sizeof host);
  cudaMalloc(&y, sizeof host);
  cudaMallocHost(&pinned, sizeof host);
  for (int i = 0; i < COUNT; i++) ((double *)pinned)[i] = i;
  cudaMemcpyAsync(x, pinned, sizeof host, cudaMemcpyHostToDevice, cudaStreamPerThread);
  if (kind == SHIM_LATE) {
    if (!on) cudaStreamSynchronize(cudaStreamPerThread);
    for (int i = 0; i < COUNT; i++) ((double *)pinned)[i] = NAN;
  }
  if (kind == SHIM_EARLY) {
    if (!on) cudaStreamSynchronize(cudaStreamPerThread);
    both all = {(double *)x, (double *)y};
    pthread_t thread;
    pthread_create(&thread, nullptr, copy_in_thread, &all);
    pthread_join(thread, nullptr);
  } else {
    launch(kind, on, (double *)x, (double *)y);
  }
  cudaMemcpyAsync(host, y, sizeof host, cudaMemcpyDeviceToHost, cudaStreamPerThread);
  cudaFree(x);
  cudaFree(y);
  cudaFreeHost(pinned);
  for (int i = 0; i < (kind == SHIM_RACE_OF_BLOCKS ? BLOCKS : COUNT); i++) sum += host[i];
  return sum;
}

/* The one way a kernel is launched, so that tests can answer it on the CPU (tests/cuda_on_cpu). */
#ifndef FG_CUDA_LAUNCH_CUH
#define FG_CUDA_LAUNCH_CUH

#include <cuda_runtime.h>

#ifndef FG_LAUNCH
#define FG_LAUNCH(kernel, blocks, threads, ...)                                                              \
  kernel<<<(blocks), (threads), 0, cudaStreamPerThread>>>(__VA_ARGS__)
#endif

#endif

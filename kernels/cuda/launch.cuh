/* The one way a kernel is launched, so that tests can answer it on the CPU (tests/cuda_on_cpu). */
#ifndef FG_CUDA_LAUNCH_CUH
#define FG_CUDA_LAUNCH_CUH

#include <cuda_runtime.h>

/* For what is said if the launch fails (cuda/engine.cu). */
void fg_cuda_note_launch(unsigned threads, size_t shared);

#ifndef FG_LAUNCH
#define FG_LAUNCH(kernel, blocks, threads, ...)                                                              \
  do {                                                                                                       \
    fg_cuda_note_launch((threads), 0);                                                                       \
    kernel<<<(blocks), (threads), 0, cudaStreamPerThread>>>(__VA_ARGS__);                                    \
  } while (0)
#endif

#endif

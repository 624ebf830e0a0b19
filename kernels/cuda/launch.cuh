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

/* With `bytes` of dynamic shared memory a block. A kernel may have `most` of it, whichever launch asks first: launches
 * come from many host threads. What fails is seen as the launch is. */
#define FG_LAUNCH_SHARED(kernel, blocks, threads, bytes, most, ...)                                          \
  do {                                                                                                       \
    fg_cuda_note_launch((threads), (bytes));                                                                 \
    if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)(most)) ==            \
        cudaSuccess)                                                                                         \
      kernel<<<(blocks), (threads), (bytes), cudaStreamPerThread>>>(__VA_ARGS__);                            \
  } while (0)

/* The dynamic shared memory of the block, in bytes. */
extern __shared__ __align__(128) unsigned char fg_dynamic[];
#define FG_DYNAMIC() (fg_dynamic)
#endif

#endif

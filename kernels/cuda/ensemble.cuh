/* What the kernel of the ensemble integrator (cuda/ensemble_kernels.cu) offers to its host code, in one precision. */
#ifndef FG_CUDA_ENSEMBLE_CUH
#define FG_CUDA_ENSEMBLE_CUH

#include "cuda/cuda_impl.h"

typedef struct fg_cuda_ensemble_table {
  size_t (*scratch)(const fg_field *f, const fg_ensemble_request *r);
  /* Tiles `tile` .. tile + blocks - 1 from their start to their end; buffers and snapshot_t on the device. Does not wait. */
  void (*carry)(const fg_field *f, const fg_ensemble_request *r, size_t tile, unsigned blocks, void *scratch,
                size_t each);
} fg_cuda_ensemble_table;

extern const fg_cuda_ensemble_table fg_cuda_ensemble_double, fg_cuda_ensemble_single;

#endif

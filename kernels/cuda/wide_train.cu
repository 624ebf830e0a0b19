/* Wide networks: paths and objectives. */
#include "cuda/train.cuh"
#include "cuda/wide.cuh"

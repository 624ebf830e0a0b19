/* An N_Vector over engine memory: SUNDIALS' own are slow as distributions build them, and cannot
 * live on a device. It holds what CVODE, its fixed-point and Newton solvers and SPGMR call. */
#ifndef FG_FLOW_NVECTOR_H
#define FG_FLOW_NVECTOR_H

#include "engine.h"
#include "solver/sundials_compat.h"

/* What "the error is below the tolerance" means for a tile of n particles. */
typedef enum fg_norm {
  FG_NORM_PARTICLE, /* largest over particles of the particle's own weighted RMS norm */
  FG_NORM_MEAN      /* SUNDIALS' own: RMS over all components of all particles */
} fg_norm;

/* Shared by the vectors of one solver: [n, d], then [n] if tail is 1. */
typedef struct fg_vector_space {
  fg_engine *engine;
  size_t n, d;
  int tail;
  fg_norm norm;
  /* First failure of an engine operation, memory included: vector operations cannot return one. They
   * do nothing once it is set, so look here after calls into SUNDIALS. */
  fg_code failed;
  fg_status why; /* of memory */
} fg_vector_space;

/* NULL when there is no host memory; space->failed when there is no engine memory. `space` is borrowed for the life of the vector and its clones. */
N_Vector fg_vector_create(fg_vector_space *space, SUNContext context);
fg_buf fg_vector_buf(N_Vector v);
size_t fg_vector_length(const fg_vector_space *space);

#endif

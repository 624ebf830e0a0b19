/* The inside of the CUDA engine; private to kernels/cuda/.
 *
 * Every slot works on the calling thread's own stream and waits for it, so slots may be called from many
 * threads and a failure is reported by the call that caused it. */
#ifndef FG_CUDA_IMPL_H
#define FG_CUDA_IMPL_H

#include <cuda_runtime.h>

#include "engine.h"

enum {
  FG_CUDA_TILE = 64,          /* particles of a block at most */
  FG_CUDA_MOST = 256,         /* threads of a block at most */
  FG_CUDA_BLOCKS = 1024,      /* blocks of a launch at most: a stop is noticed between launches */
  FG_SCRATCH_MOST = 256 << 20 /* bytes of working space, of which every block takes its share */
};

/* What cuda/kernels.cu offers, in one precision. Fields and requests hold device pointers, those to
 * coefficients and snapshot steps too. Launches do not wait; `each` is the scratch of one block in bytes, as *_scratch
 * says: 0 where it fits shared memory; *_tile: particles of a block (cuda/room.cuh). */
typedef struct fg_cuda_table {
  size_t (*rows_bytes)(const fg_field *f, size_t n);
  void (*rows)(const fg_field *f, const fg_simulate_request *r, size_t n, void *rows);
  int (*evaluate_tile)(const fg_field *f, const fg_evaluate_request *r);
  size_t (*evaluate_scratch)(const fg_field *f, const fg_evaluate_request *r);
  void (*evaluate)(const fg_field *f, const fg_evaluate_request *r, size_t first, unsigned blocks,
                   void *scratch, size_t each);
  int (*simulate_tile)(const fg_field *f, const fg_simulate_request *r);
  size_t (*simulate_scratch)(const fg_field *f, const fg_simulate_request *r);
  void (*simulate)(const fg_field *f, const fg_simulate_request *r, const void *rows, size_t first,
                   unsigned blocks, void *scratch, size_t each);
  int (*ode_tile)(const fg_field *f, const fg_ode_request *r, int jvp);
  size_t (*ode_scratch)(const fg_field *f, const fg_ode_request *r, int jvp);
  void (*ode)(const fg_field *f, const fg_ode_request *r, int jvp, unsigned blocks, void *scratch,
              size_t each);
  /* part [tiles, columns] of tiles `tile` .. tile + blocks - 1, pairs_rows rows each */
  size_t (*pairs_scratch)(const fg_pair_sums_request *r);
  void (*pairs)(const fg_pair_sums_request *r, size_t tile, unsigned blocks, double *part, void *scratch,
                size_t each);
  int pairs_rows;
  /* Sums over pairs: sizes in bytes of the prepared columns, of so many boxes and of the scratch of one block. */
  size_t (*softmin_columns_bytes)(const fg_softmin_request *r);
  size_t (*softmin_boxes_bytes)(const fg_softmin_request *r, size_t count);
  size_t (*softmin_scratch)(const fg_softmin_request *r);
  void (*softmin_prepare)(const fg_softmin_request *r, void *columns, void *boxes, void *row_boxes);
  void (*softmin)(const fg_softmin_request *r, const void *columns, const void *boxes, const void *row_boxes,
                  size_t first, unsigned blocks, void *scratch);
} fg_cuda_table;

extern const fg_cuda_table fg_cuda_table_double, fg_cuda_table_single;

const fg_cuda_table *fg_cuda_table_of(fg_precision precision);
/* How many blocks run at once for `tiles` of them: at least 1, else as their scratch allows. */
unsigned fg_cuda_blocks_at_once(size_t tiles, size_t each);
/* Scratch of a block in whole lines of 256 bytes. */
size_t fg_cuda_share(size_t bytes);

/* Turn the status of a CUDA call into ours: "cudaMemcpyAsync of 800 bytes failed: ... (700)". */
fg_code fg_cuda_check(cudaError_t rc, const char *call, size_t bytes, fg_status *st);
/* Did the kernel start, and wait for its end: "kernel simulate (16 blocks, 1000 particles) failed: ...". */
fg_code fg_cuda_finish(const char *kernel, size_t blocks, size_t n, fg_status *st);
/* Device memory of the calling thread's stream; *memory is NULL after a failure, and for 0 bytes. */
fg_code fg_cuda_take(size_t bytes, void **memory, fg_status *st);
void fg_cuda_give(void *memory);

/* cuda/vector.cu */
fg_code fg_cuda_vec_map(fg_engine *e, fg_vec_map op, size_t n, double a, fg_buf x, double b, fg_buf y,
                        fg_buf z);
double fg_cuda_vec_reduce(fg_engine *e, fg_vec_reduce op, size_t n, fg_buf x, fg_buf y);
double fg_cuda_vec_particle_norm(fg_engine *e, size_t n, size_t d, int tail, fg_buf x, fg_buf w);
/* Launch a kernel that does nothing: fails when this build has no code for the device. */
fg_code fg_cuda_probe(fg_status *st);

/* cuda/work.cu */
fg_code fg_cuda_evaluate(fg_engine *e, fg_threads *threads, const fg_field *field,
                         const fg_evaluate_request *request, fg_status *st);
fg_code fg_cuda_simulate(fg_engine *e, fg_threads *threads, const fg_field *field,
                         const fg_simulate_request *request, fg_status *st);
fg_code fg_cuda_ode_rhs(fg_engine *e, const fg_field *field, const fg_ode_request *request, fg_status *st);
fg_code fg_cuda_ode_jvp(fg_engine *e, const fg_field *field, const fg_ode_request *request, fg_status *st);

/* cuda/pairs.cu */
fg_code fg_cuda_pair_sums(fg_engine *e, fg_threads *threads, const fg_pair_sums_request *request,
                          fg_status *st);
/* cuda/softmin.cu */
fg_code fg_cuda_softmin(fg_engine *e, fg_threads *threads, const fg_softmin_request *request, fg_status *st);
/* cuda/train.cu, cuda/points.cu */
fg_code fg_cuda_paths(fg_engine *e, fg_threads *threads, const fg_field *field,
                      const fg_paths_request *request, fg_status *st);
fg_code fg_cuda_objective(fg_engine *e, fg_threads *threads, const fg_field *field,
                          fg_objective_request *request, fg_status *st);
fg_code fg_cuda_optimise(fg_engine *e, fg_threads *threads, const fg_field *field,
                         fg_optimise_request *request, fg_status *st);
fg_code fg_cuda_points(fg_engine *e, fg_threads *threads, const fg_field *field, fg_points_request *request,
                       fg_status *st);

#endif

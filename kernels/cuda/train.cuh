/* What the kernels of training (cuda/train_kernels.cu) offer to their host code, in one precision. Fields and requests
 * hold device pointers, those to coefficients, steps and the noising field too. Launches do not wait. */
#ifndef FG_CUDA_TRAIN_CUH
#define FG_CUDA_TRAIN_CUH

#include "cuda/cuda_impl.h"

/* How a launch goes through tiles: block b of it has the `tiles` tiles from number (first + b) tiles on. */
typedef struct fg_cuda_walk {
  size_t first, tiles;
  size_t tile; /* particles of a tile */
  fg_room room;
  const void *rows; /* of all nodes, those of a noising control after them; points: of all tiles, or NULL */
  void *scratch;
  size_t each;    /* bytes of scratch of a block in device memory, as *_scratch says */
  void *block[2]; /* sums of gradients, one array for each block; the noising control's */
  size_t block_bytes[2];
} fg_cuda_walk;

typedef struct fg_points_out {
  size_t tile; /* points of a tile */
  double *value, *loss;
  void *shares; /* of the tiles */
  int gradient; /* asked for */
} fg_points_out;

enum { FG_NORM_BLOCKS = 64 }; /* on every device: the order of sums */

typedef struct fg_cuda_train_table {
  size_t (*row_bytes)(const fg_field *f);
  void (*rows)(const fg_field *f, size_t n, const fg_coeff *coeff, void *rows);
  /* Particles of a tile, and what a block has in shared memory (cuda/room.cuh): here a noising field is in host memory. */
  size_t (*paths_tile)(const fg_field *f, const fg_paths_request *r);
  fg_room (*paths_room)(const fg_field *f, const fg_paths_request *r, size_t tile);
  size_t (*paths_scratch)(const fg_field *f, const fg_paths_request *r, size_t tile);
  void (*paths)(const fg_field *f, const fg_paths_request *r, const fg_cuda_walk *walk, unsigned blocks,
                int keep_end);
  size_t (*objective_bytes)(const fg_field *f, size_t nodes);
  size_t (*objective_tile)(const fg_field *f, const fg_objective_request *r);
  fg_room (*objective_room)(const fg_field *f, const fg_objective_request *r, size_t tile);
  size_t (*objective_scratch)(const fg_field *f, const fg_objective_request *r, size_t tile);
  void (*objective)(const fg_field *f, const fg_objective_request *r, const fg_cuda_walk *walk,
                    unsigned blocks, double *number);
  /* out = scale times the sum of `count` arrays that lie `bytes` apart, of which `used` count */
  void (*sum)(size_t count, size_t bytes, const void *arrays, double scale, size_t used, void *out);
  void (*core)(const fg_field *f, int points, const void *block, void *packed);
  size_t (*packed_bytes)(const fg_field *f);
  size_t (*time_scratch)(const fg_field *f);
  void (*time_reverse)(const fg_field *f, const fg_coeff *coeff, const void *table, const void *from,
                       size_t nodes, unsigned chunk_count, size_t bytes, void *chunks, size_t each,
                       void *scratch);
  size_t (*points_share_bytes)(const fg_field *f);
  /* points of a tile, whole groups of them; one group where time is no input */
  size_t (*points_tile)(const fg_field *f, const fg_points_request *r, int direct);
  size_t (*points_scratch)(const fg_field *f, const fg_points_request *r, size_t tile);
  void (*points)(const fg_field *f, const fg_points_request *r, const fg_cuda_walk *walk, unsigned blocks,
                 const fg_points_out *out);
  void (*norm)(const fg_field *f, void *gradient, double *part); /* squares: [FG_NORM_BLOCKS] */
  void (*optimise)(const fg_field *f, const fg_optimise_request *r);
} fg_cuda_train_table;

extern const fg_cuda_train_table fg_cuda_train_double, fg_cuda_train_single;

const fg_cuda_train_table *fg_cuda_train_of(fg_precision precision);

/* From `count` summed arrays of a part to its packed gradient (cuda/train.cu). */
typedef struct fg_cuda_gather {
  const fg_field *field;
  const fg_coeff *coeff; /* device */
  const void *table;     /* rows of the nodes; NULL: points */
  const void *shares;    /* points: of the groups; else NULL */
  size_t nodes;          /* or groups; 0: nothing depends on rows */
  size_t count, bytes;
  const void *blocks;
  double scale;
  void *gradient; /* device */
  size_t gradient_bytes;
  int accumulate;
} fg_cuda_gather;
fg_code fg_cuda_gather_run(const fg_cuda_train_table *table, const fg_cuda_gather *g, fg_cuda_device *on,
                           fg_status *st);

#endif

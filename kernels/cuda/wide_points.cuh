/* Losses at points of wide networks (cuda/wide.cuh): between cuda/points.cu and cuda/wide_points.cu, and between that and the
 * kernels (cuda/wide_points_kernels.cu). */
#ifndef FG_CUDA_WIDE_POINTS_CUH
#define FG_CUDA_WIDE_POINTS_CUH

#include "cuda/wide.cuh"

/* What a body of points is cut into: parts that are run one after another. */
typedef enum fg_visit_part {
  FG_VISIT_BEGIN,
  FG_VISIT_LOOK, /* with products */
  FG_VISIT_WEIGH,
  FG_VISIT_REST,   /* tiles without a finite value: in the place of point fg_wide_state.from */
  FG_VISIT_REVERSE /* with products */
} fg_visit_part;

/* Losses at the points of a part of a request, or the gradient too, in memory of its device. */
typedef struct fg_wide_visit {
  const fg_field *field;
  const fg_points_request *request; /* as kernels see it */
  size_t tile;                      /* points of a tile, whole groups of them */
  size_t tiles;                     /* of a unit of the part: a wave, or some of them */
  double *value, *loss;             /* [n] */
  void *rows, *shares; /* of the tiles where time is no input, else NULL; rows of lost ones change */
  char *
      block; /* of the part's first unit: where its gradients go, as those of a block of tiles in cuda/points.cu; NULL:
                  none asked for */
  size_t block_bytes; /* from unit to unit */
} fg_wide_visit;

/* Tiles of a wave; field and request in host memory. direct: time is an input. */
size_t fg_wide_visit_cut(const fg_cuda_device *on, const fg_field *field, const fg_points_request *r,
                         int direct, size_t *tile);
/* loss [n]: host memory, for what is looked at on the way. */
fg_code fg_wide_visit_all(fg_cuda_part *part, const fg_wide_visit *visit, double *loss, fg_status *st);

/* In one precision. Sizes in reals. sums: what the tiles of a unit add their gradients to, matrices row by row. */
typedef struct fg_visit_table {
  size_t (*scratch)(const fg_field *f, const fg_points_request *r, size_t tile);
  void (*launch)(const fg_wide_visit *visit, void *sums, fg_visit_part part, const fg_wide_job *job,
                 unsigned blocks);
} fg_visit_table;

extern const fg_visit_table fg_visit_double, fg_visit_single;

#endif

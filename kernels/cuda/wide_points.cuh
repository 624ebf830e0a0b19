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

/* Losses at all points of a request, or the gradient too, in device memory. */
typedef struct fg_wide_visit {
  const fg_field *field;
  const fg_points_request *request; /* as kernels see it */
  const fg_progress *progress;
  size_t tile;          /* points of a tile, whole groups of them */
  double *value, *loss; /* [n] */
  void *rows, *shares;  /* of the tiles where time is no input, else NULL; rows of lost ones change */
  void *block; /* the sum of gradients, as that of one block in cuda/points.cu; NULL: none asked for */
} fg_wide_visit;

size_t fg_wide_visit_tile(size_t n, size_t group, int direct);
/* loss [n]: host memory, for what is looked at on the way. */
fg_code fg_wide_visit_all(fg_cuda_device *on, const fg_wide_visit *visit, double *loss, fg_status *st);

/* In one precision. Sizes in reals. */
typedef struct fg_visit_table {
  size_t (*scratch)(const fg_field *f, const fg_points_request *r, size_t tile);
  void (*launch)(const fg_wide_visit *visit, fg_visit_part part, const fg_wide_job *job, unsigned blocks);
} fg_visit_table;

extern const fg_visit_table fg_visit_double, fg_visit_single;

#endif

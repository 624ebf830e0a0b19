/* What the kernels of the ensemble integrator (cuda/ensemble_kernels.cu, cuda/wide_ensemble_kernels.cu) offer to their host
 * code, in one precision. Buffers and snapshot_t of requests lie on the device. Launches do not wait. */
#ifndef FG_CUDA_ENSEMBLE_CUH
#define FG_CUDA_ENSEMBLE_CUH

#include "cuda/wide.cuh"

typedef struct fg_cuda_ensemble_table {
  size_t (*scratch)(const fg_field *f, const fg_ensemble_request *r);
  /* `blocks` ranges of `range` particles each from their start to their end, the first of them number `first`. */
  void (*carry)(const fg_field *f, const fg_ensemble_request *r, size_t range, size_t first, unsigned blocks,
                void *scratch, size_t each);
} fg_cuda_ensemble_table;

extern const fg_cuda_ensemble_table fg_cuda_ensemble_double, fg_cuda_ensemble_single;

/* ---- wide networks -------------------------------------------------------------------------------- */

enum {
  FG_FLIGHT_UNIT = 16, /* particles whose bins are added up together: divides ranges and FG_ENSEMBLE_TILE */
  FG_FLIGHT_STAGES = 6,
  FG_FLIGHT_BEGIN = 0, /* parts: this one, the stages 1 to 6 of a step, */
  FG_FLIGHT_STEP = 7,  /* all of them, a cut between two: to be listed */
  FG_FLIGHT_COUNT = 8, /* how many particles have not ended, by one block */
  FG_FLIGHT_END = 9    /* bins of units to those of tiles */
};

/* What kernels take beside field, request and job. */
typedef struct fg_wide_flight {
  size_t begin, finish; /* particles of the request that this device has */
  size_t range;         /* of a tile, which has job.p places for them */
  uint32_t *rows;       /* [particles / FG_FLIGHT_UNIT, 2, bins] */
  int32_t *left;        /* what COUNT says */
} fg_wide_flight;

typedef struct fg_wide_ensemble_table {
  size_t (*scratch)(const fg_field *f, const fg_ensemble_request *r, int p); /* reals of a tile */
  void (*fly)(const fg_field *f, const fg_ensemble_request *r, const fg_wide_flight *flight, int part,
              const fg_wide_job *job, unsigned blocks);
} fg_wide_ensemble_table;

extern const fg_wide_ensemble_table fg_wide_ensemble_double, fg_wide_ensemble_single;

/* Particles of a unit of a crew: as many places as a device has at once, in whole tiles of the request. */
size_t fg_wide_ensemble_unit(const fg_cuda_device *on, const fg_field *field,
                             const fg_ensemble_request *request);
/* The part's particles, in their twins, to their ends; what is done is reported. */
fg_code fg_wide_ensemble(fg_cuda_part *part, const fg_field *field, const fg_ensemble_request *request,
                         fg_status *st);

#endif

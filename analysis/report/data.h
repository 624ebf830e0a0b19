/* What a run directory holds, read for the report (schema: docs/run-directory.md). */
#ifndef FG_REPORT_DATA_H
#define FG_REPORT_DATA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/hdf5.h"
#include "flowgap/status.h"

/* A data set of samples.h5: row-major, shape filled with 1 beyond its rank; values NULL if the file
 * has none. */
typedef struct fg_block {
  double *values;
  size_t shape[FG_H5_RANK_MAX];
  int rank;
} fg_block;

typedef struct fg_run {
  json_t *results;
  unsigned char *config; /* config.yaml as it is; NULL if there is none */
  size_t config_size;
  size_t d; /* dimension of the samples; 0 if there are none */
  fg_block ode, sde, target;
  fg_block snapshot_t, snapshot_ode, snapshot_sde;
  fg_block trajectory_t, trajectories_ode, trajectories_sde;
  fg_block map_t, map; /* of maps.h5: [k], and [k, x2, x1] or [k, x1] */
  bool residual;       /* a run of `flowgap residual`, else of `flowgap compare` */
} fg_run;

/* Reads results.json (needed), config.yaml, samples.h5 and maps.h5 (the report does without them).
 * Fails with FG_IO on a file that is damaged, of another schema, or with shapes that disagree. */
FG_CHECKED fg_code fg_run_read(const char *run_directory, fg_run *run, fg_status *st);
/* The same, and trainings too, which have no page of their own. */
FG_CHECKED fg_code fg_run_read_any(const char *run_directory, fg_run *run, fg_status *st);
void fg_run_clear(fg_run *run);

/* "ode.steps" inside `from`; NULL when absent or null. `from` may be NULL. */
const json_t *fg_run_find(const json_t *from, const char *path);
/* NaN unless it is a number. */
double fg_run_real(const json_t *from, const char *path);
/* `fallback` unless it is a text. */
const char *fg_run_word(const json_t *from, const char *path, const char *fallback);

#endif

/* Targets as engines see them. */
#ifndef FG_TARGET_DENSITY_H
#define FG_TARGET_DENSITY_H

#include "engine.h"
#include "flowgap/target.h"

enum { FG_DENSITY_BUFFERS = 4 };

/* Fill `density`; buffers [0 .. *count) is engine memory that it points to, for the caller to free with
 * engine->ops->free (none is left when the call fails). A plugin's density borrows the target. Fails with
 * FG_UNSUPPORTED when the target has no density or no score. */
FG_CHECKED fg_code fg_target_density(const fg_target *target, fg_engine *engine, fg_density *density,
                                     fg_buf buffers[FG_DENSITY_BUFFERS], size_t *count, fg_status *st);

/* ---- for the kinds --------------------------------------------------------------------------- */

typedef struct fg_density_memory {
  fg_engine *engine;
  fg_buf *buffer; /* with room for what a kind needs */
  size_t *count;
} fg_density_memory;

/* A copy of host memory, counted in memory->count. */
FG_CHECKED fg_code fg_density_upload(const fg_density_memory *memory, const void *host, size_t bytes,
                                     fg_buf *buf, fg_status *st);

#endif

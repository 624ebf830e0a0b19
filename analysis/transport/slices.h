/* What sliced and max-sliced W2 share: a pair of samples where an engine can sort them along lines, many at a time. */
#ifndef FG_ANALYSIS_TRANSPORT_SLICES_H
#define FG_ANALYSIS_TRANSPORT_SLICES_H

#include "analysis/transport/transport.h"
#include "engine.h"

enum { FG_SLICES_BATCH = 1024 }; /* directions of one request */

/* A place for numbers in the memory of the engine; engine NULL: it is the host's own, and nothing is copied. */
FG_CHECKED fg_code fg_slice_place(fg_engine *engine, size_t bytes, void *host, fg_buf *buf, fg_status *st);
/* The same, with what is there now. */
FG_CHECKED fg_code fg_slice_upload(fg_engine *engine, size_t bytes, void *host, fg_buf *buf, fg_status *st);
/* Buffers of a place less than whole: what `host` of them holds goes there, or comes back. */
FG_CHECKED fg_code fg_slice_send(fg_engine *engine, fg_buf buf, const void *host, size_t bytes,
                                 fg_status *st);
FG_CHECKED fg_code fg_slice_fetch(fg_engine *engine, void *host, fg_buf buf, size_t bytes, fg_status *st);
void fg_slice_free(fg_engine *engine, fg_buf *buf);

/* A pair of samples, and room for a batch of directions. */
typedef struct fg_slicer {
  fg_engine *engine; /* NULL: the host's threads */
  fg_threads *threads;
  fg_slices_request request;
  size_t most;
  double *direction, *cost,
      *gradient; /* host: [most, d], [most], [most, d]; the last NULL unless asked for */
} fg_slicer;

FG_CHECKED fg_code fg_slicer_create(fg_engine *engine, fg_threads *threads, const fg_pair *pair, size_t most,
                                    bool gradients, fg_slicer *slicer, fg_status *st);
void fg_slicer_destroy(fg_slicer *slicer);
/* cost [count] of direction [count, d], and, unless `least` is NULL, half its gradient by the direction where it is above
 * least [count]. Costs are those of projections on directions that need not be of unit length. */
FG_CHECKED fg_code fg_slicer_run(fg_slicer *slicer, size_t count, const double *least,
                                 const fg_progress *progress, fg_status *st);

/* Reports of the slot `slices` under the name of what it is used for, as a part of a longer list. */
typedef struct fg_slice_relay {
  const fg_progress *to;
  const char *stage;
  size_t before, total, done; /* directions of earlier requests, of all, and so far */
} fg_slice_relay;
fg_progress fg_slice_progress(fg_slice_relay *relay);

#endif

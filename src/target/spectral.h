/* Mixtures by the eigenvectors of their covariances, as kernels take them. */
#ifndef FG_TARGET_SPECTRAL_H
#define FG_TARGET_SPECTRAL_H

#include "engine.h"
#include "flowgap/target.h"

/* Fill `mixture` (no perturbation) with engine memory. The buffers are put at buffers[*count] and after, and
 * *count counts them, also when the call fails: the caller frees them with engine->ops->free. */
enum { FG_SPECTRAL_BUFFERS = 4 }; /* at most */
FG_CHECKED fg_code fg_spectral_upload(const fg_mixture_view *view, fg_engine *engine,
                                      fg_field_mixture *mixture, fg_buf *buffers, size_t *count,
                                      fg_status *st);

#endif

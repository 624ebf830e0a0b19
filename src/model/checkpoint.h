/* The network part of a checkpoint: for files that hold more beside it (the state of a training run). */
#ifndef FG_MODEL_CHECKPOINT_H
#define FG_MODEL_CHECKPOINT_H

#include "base/hdf5.h"
#include "flowgap/model.h"

/* Write it at the root of a file that is being made. Names of its own: the attributes and data sets that
 * network_checkpoint.c lists; other groups may stand beside them. */
FG_CHECKED fg_code fg_network_put(fg_h5 *file, const fg_network_settings *settings, fg_status *st);

#endif

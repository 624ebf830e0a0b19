/* What a training left in its folder, thinned for a report; docs/run-directory.md describes every member. */
#ifndef FG_TRAINING_H
#define FG_TRAINING_H

#include <jansson.h>

#include "flowgap/flowgap.h"

/* The member `training` from metrics.jsonl and, if the training came to its end, results.json of the folder; NULL
 * without metrics.jsonl. The caller releases it. FG_IO names the line that cannot be read; a last line that was cut
 * short, as by a stop, is left out. */
FG_CHECKED fg_code fg_training_read(const char *folder, json_t **training, fg_status *st);

/* The same of the folder that holds the network of model.file; NULL when there is no training. */
FG_CHECKED fg_code fg_training_of_model(const fg_settings *settings, json_t **training, fg_status *st);

#endif

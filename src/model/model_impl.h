/* The inside of fg_model; private to src/model/. */
#ifndef FG_MODEL_IMPL_H
#define FG_MODEL_IMPL_H

#include <stdbool.h>

#include "model/model.h"

enum { FG_MODEL_BUFFERS = 8 }; /* weights twice, those of a noising control twice, and a density */

struct fg_model {
  const char *name;                /* static text: "exact", "perturbed", "network", "control" */
  fg_engine *engine;               /* borrowed */
  const fg_process *process;       /* borrowed */
  bool bridge;                     /* its drift is not that of a score model, see fg_model_flow_field */
  fg_field field;                  /* kind, d, quantities and buffers */
  fg_buf buffer[FG_MODEL_BUFFERS]; /* owned engine memory that `field` points to */
  size_t buffers;
  void *settings;                        /* owned copy of what fg_model_save writes, or NULL */
  void (*free_settings)(void *settings); /* frees it */
};

/* A model without field; fill `field`, then hand it out. Destroy it with fg_model_destroy. */
fg_code fg_model_new(const char *name, fg_engine *engine, const fg_process *process, fg_model **model,
                     fg_status *st);
/* Engine memory with a copy of `bytes` bytes of host memory; freed with the model. */
fg_code fg_model_upload(fg_model *model, const void *host, size_t bytes, fg_buf *buf, fg_status *st);

#endif

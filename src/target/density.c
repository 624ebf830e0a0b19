#include "target/density.h"

#include <string.h>

#include "target/target_impl.h"

fg_code fg_density_upload(const fg_density_memory *memory, const void *host, size_t bytes, fg_buf *buf,
                          fg_status *st)
{
  const fg_engine_ops *ops = memory->engine->ops;
  FG_TRY(ops->alloc(memory->engine, bytes, buf, st));
  memory->buffer[(*memory->count)++] = *buf;
  return ops->upload(memory->engine, *buf, 0, host, bytes, st);
}

fg_code fg_target_density(const fg_target *target, fg_engine *engine, fg_density *density,
                          fg_buf buffers[FG_DENSITY_BUFFERS], size_t *count, fg_status *st)
{
  const fg_density_memory memory = {engine, buffers, count};
  memset(density, 0, sizeof *density);
  *count = 0;
  if (!target->ops->density)
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "target %s has no %s: a sampler needs the log-density and the score of its target",
                   fg_target_name(target), target->abilities & FG_TARGET_DENSITY ? "score" : "density");
  density->d = (int)target->d;
  fg_code rc = target->ops->density(target, &memory, density, st);
  if (rc == FG_OK) return FG_OK;
  while (*count > 0) engine->ops->free(engine, &buffers[--*count]);
  density->kind = FG_DENSITY_NONE;
  return rc;
}

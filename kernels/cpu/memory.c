/* Buffers and scratch of the CPU engine. In cpu-check the addresses handed out lie outside what an
 * x86-64 or ARM64 process can map, so that host code that looks inside a buffer faults, and new buffers
 * hold NaN (as doubles, as floats, and as a large integer). */
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu_impl.h"

static const uint32_t fg_nan_word = 0x7ff8dead;

void *fg_cpu_address(const fg_cpu *cpu, fg_buf buf)
{
  return buf.device ? (void *)((uintptr_t)buf.device - cpu->hidden) : NULL;
}

void fg_cpu_resolve(const fg_cpu *cpu, fg_buf *buf)
{
  buf->device = fg_cpu_address(cpu, *buf);
}

void fg_cpu_resolve_density(const fg_cpu *cpu, fg_density *density)
{
  switch (density->kind) {
  case FG_DENSITY_MIXTURE:
    fg_cpu_resolve(cpu, &density->as.mixture.log_weight);
    fg_cpu_resolve(cpu, &density->as.mixture.mean);
    fg_cpu_resolve(cpu, &density->as.mixture.spectrum);
    fg_cpu_resolve(cpu, &density->as.mixture.basis);
    break;
  case FG_DENSITY_RINGS:
    fg_cpu_resolve(cpu, &density->as.rings.log_weight);
    fg_cpu_resolve(cpu, &density->as.rings.radius);
    break;
  case FG_DENSITY_LOGISTIC:
    fg_cpu_resolve(cpu, &density->as.logistic.features);
    break;
  case FG_DENSITY_NONE:
  case FG_DENSITY_FUNNEL:
  case FG_DENSITY_WELLS:
  case FG_DENSITY_PLUGIN:
    break;
  }
}

static void *fg_aligned(size_t bytes)
{
  size_t whole = (bytes + 63) / 64 * 64;
  if (whole < bytes) return NULL;
  return aligned_alloc(64, whole ? whole : 64);
}

fg_code fg_cpu_alloc(fg_engine *e, size_t bytes, fg_buf *buf, fg_status *st)
{
  fg_cpu *cpu = e->state;
  void *memory = fg_aligned(bytes);
  buf->device = NULL;
  buf->bytes = 0;
  if (!memory)
    return FG_FAIL(st, FG_MEMORY,
                   "no memory for a buffer of %zu bytes: use fewer particles or a smaller chunk", bytes);
  if (cpu->hidden)
    for (size_t i = 0; i + sizeof fg_nan_word <= bytes; i += sizeof fg_nan_word)
      memcpy((char *)memory + i, &fg_nan_word, sizeof fg_nan_word);
  buf->device = (void *)((uintptr_t)memory + cpu->hidden);
  buf->bytes = bytes;
  return FG_OK;
}

void fg_cpu_free(fg_engine *e, fg_buf *buf)
{
  free(fg_cpu_address(e->state, *buf));
  buf->device = NULL;
  buf->bytes = 0;
}

fg_code fg_cpu_upload(fg_engine *e, fg_buf buf, size_t offset, const void *host, size_t bytes, fg_status *st)
{
  FG_TRY(fg_buf_inside(buf, offset, bytes, st));
  if (bytes) memcpy((char *)fg_cpu_address(e->state, buf) + offset, host, bytes);
  return FG_OK;
}

fg_code fg_cpu_download(fg_engine *e, void *host, fg_buf buf, size_t offset, size_t bytes, fg_status *st)
{
  FG_TRY(fg_buf_inside(buf, offset, bytes, st));
  if (bytes) memcpy(host, (const char *)fg_cpu_address(e->state, buf) + offset, bytes);
  return FG_OK;
}

fg_code fg_cpu_zero(fg_engine *e, fg_buf buf, fg_status *st)
{
  (void)st;
  if (buf.bytes) memset(fg_cpu_address(e->state, buf), 0, buf.bytes);
  return FG_OK;
}

fg_code fg_cpu_sync(fg_engine *e, fg_status *st)
{
  (void)e;
  (void)st;
  return FG_OK;
}

fg_code fg_scratch_take(fg_cpu *cpu, size_t bytes, fg_scratch *scratch, fg_status *st)
{
  fg_scratch found = {NULL, 0};
  pthread_mutex_lock(&cpu->lock);
  if (cpu->idle_count > 0) found = cpu->idle[--cpu->idle_count];
  pthread_mutex_unlock(&cpu->lock);
  if (found.bytes < bytes) {
    free(found.memory);
    found.memory = fg_aligned(bytes);
    found.bytes = bytes;
  }
  *scratch = found;
  if (!found.memory) {
    scratch->bytes = 0;
    return FG_FAIL(st, FG_MEMORY, "no memory for %zu bytes of working space: use a smaller tile", bytes);
  }
  return FG_OK;
}

void fg_scratch_give(fg_cpu *cpu, fg_scratch *scratch)
{
  pthread_mutex_lock(&cpu->lock);
  bool kept = scratch->memory && cpu->idle_count < FG_CPU_IDLE;
  if (kept) cpu->idle[cpu->idle_count++] = *scratch;
  pthread_mutex_unlock(&cpu->lock);
  if (!kept) free(scratch->memory);
  scratch->memory = NULL;
  scratch->bytes = 0;
}

void fg_scratch_free_all(fg_cpu *cpu)
{
  while (cpu->idle_count > 0) free(cpu->idle[--cpu->idle_count].memory);
}

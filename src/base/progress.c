#include "flowgap/base.h"

void fg_progress_report(const fg_progress *progress, const char *stage, double done, double total)
{
  if (progress && progress->report) progress->report(progress->user, stage, done, total);
}

bool fg_progress_cancelled(const fg_progress *progress)
{
  return progress && progress->cancel && __atomic_load_n(progress->cancel, __ATOMIC_RELAXED);
}

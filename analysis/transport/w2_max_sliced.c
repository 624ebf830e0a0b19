/* Max-sliced W2: ascent on the sphere of directions. */
#include <string.h>

#include "flowgap/distance.h"

void fg_w2_max_sliced_defaults(fg_w2_max_sliced_settings *settings)
{
  memset(settings, 0, sizeof *settings);
  settings->directions = 100;
  settings->starts = 4;
  settings->steps = 200;
  settings->seed = 1;
}

fg_code fg_w2_max_sliced(fg_threads *threads, const fg_w2_max_sliced_settings *settings, size_t n, size_t m,
                         size_t d, const double *x, const double *wx, const double *y, const double *wy,
                         const fg_progress *progress, double *direction, fg_w2_steepest *result,
                         fg_status *st)
{
  (void)threads, (void)settings, (void)n, (void)m, (void)d, (void)x, (void)wx, (void)y, (void)wy;
  (void)progress, (void)direction, (void)result;
  return FG_FAIL(st, FG_UNSUPPORTED, "max_sliced is not part of this build");
}

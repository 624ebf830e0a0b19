#include "flow/start.h"

#include <math.h>

fg_code fg_start_check(size_t n, size_t d, const double *x0, fg_status *st)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < d; j++)
      if (!isfinite(x0[i * d + j]))
        return FG_FAIL(st, FG_NUMERICS, "coordinate %zu of particle %zu is %g at the start", j + 1, i + 1,
                       x0[i * d + j]);
  return FG_OK;
}

fg_code fg_start_time_check(const fg_process *process, double t, fg_status *st)
{
  double a = fg_process_a(process, t);
  if (a >= 0 && isfinite(a)) return FG_OK;
  return FG_FAIL(
      st, FG_USAGE,
      "the process is pinned to a point at t = %g, where a(t) is infinite: no flow can start or end "
      "there; set process.horizon below process.pin",
      t);
}

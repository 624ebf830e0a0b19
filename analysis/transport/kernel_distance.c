/* Distances by a kernel: MMD with Gaussian kernels, energy distance. */
#include "flowgap/distance.h"

fg_code fg_mmd(fg_engine *engine, fg_threads *threads, double bandwidth, size_t n, size_t m, size_t d,
               const double *x, const double *wx, const double *y, const double *wy,
               const fg_progress *progress, fg_kernel_distance *result, fg_status *st)
{
  (void)engine, (void)threads, (void)bandwidth, (void)n, (void)m, (void)d, (void)x, (void)wx, (void)y,
      (void)wy;
  (void)progress, (void)result;
  return FG_FAIL(st, FG_UNSUPPORTED, "mmd is not part of this build");
}

fg_code fg_energy(fg_engine *engine, fg_threads *threads, size_t n, size_t m, size_t d, const double *x,
                  const double *wx, const double *y, const double *wy, const fg_progress *progress,
                  fg_kernel_distance *result, fg_status *st)
{
  (void)engine, (void)threads, (void)n, (void)m, (void)d, (void)x, (void)wx, (void)y, (void)wy;
  (void)progress, (void)result;
  return FG_FAIL(st, FG_UNSUPPORTED, "energy is not part of this build");
}

/* Points at which residuals are taken, and the directions of their probes. */
#include <math.h>

#include "flowgap/residual.h"
#include "fokker_planck/residual_impl.h"

void fg_residual_probe(uint64_t seed, uint64_t point, uint32_t probe, size_t d, double *v)
{
  fg_words words = {{0, 0, 0, 0}};
  for (size_t j = 0; j < d; j++) {
    if (j % 128 == 0)
      words = fg_philox(seed, FG_STREAM_RESIDUAL, point, FG_RESIDUAL_STEP_PROBE + probe, (uint32_t)(j / 128));
    v[j] = words.w[j % 128 / 32] >> (j % 32) & 1 ? 1 : -1;
  }
}

void fg_residual_box(uint64_t seed, uint64_t first, size_t n, size_t d, double half_width, double *x)
{
  fg_words words = {{0, 0, 0, 0}};
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < d; j++) {
      if (j % 2 == 0)
        words = fg_philox(seed, FG_STREAM_RESIDUAL, first + i, FG_RESIDUAL_STEP_BOX, (uint32_t)(j / 2));
      double u = fg_uniform52(words.w[2 * (j % 2)], words.w[2 * (j % 2) + 1]);
      x[i * d + j] = half_width * (2 * u - 1);
    }
}

void fg_residual_times(uint64_t seed, size_t count, double low, double high, double *t)
{
  for (size_t k = 0; k < count; k++) {
    fg_words words = fg_philox(seed, FG_STREAM_RESIDUAL, k, FG_RESIDUAL_STEP_TIME, 0);
    t[k] = low + (high - low) * (((double)k + fg_uniform52(words.w[0], words.w[1])) / (double)count);
  }
}

fg_code fg_residual_noised(const fg_target *target, const fg_process *process, uint64_t seed, uint64_t first,
                           size_t n, size_t group, const double *t, double *x, fg_status *st)
{
  const size_t d = fg_target_dimension(target);
  if (group < 1 || n % group)
    return FG_FAIL(st, FG_USAGE,
                   "%zu points in groups of %zu that share a time: the size must divide the number", n,
                   group);
  FG_TRY(fg_target_sample(target, seed, first, n, x, st));
  for (size_t i = 0; i < n; i++) {
    double m = fg_process_m(process, t[i / group]), root = sqrt(fg_process_v(process, t[i / group]));
    for (size_t j = 0; j < d; j++)
      x[i * d + j] = m * x[i * d + j] + root * fg_normal(seed, FG_STREAM_RESIDUAL, first + i,
                                                         FG_RESIDUAL_STEP_NOISE, (uint32_t)j);
  }
  return FG_OK;
}

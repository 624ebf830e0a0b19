#include "analysis/statistics.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

#include "formula/random.h"

double fg_mean(size_t n, const double *x)
{
  fg_sum sum = {0, 0};
  for (size_t i = 0; i < n; i++) fg_sum_add(&sum, x[i]);
  return fg_sum_value(&sum) / (double)n;
}

double fg_variance(size_t n, const double *x)
{
  if (n < 2) return 0;
  double mean = fg_mean(n, x);
  fg_sum sum = {0, 0};
  for (size_t i = 0; i < n; i++) fg_sum_add(&sum, (x[i] - mean) * (x[i] - mean));
  return fg_sum_value(&sum) / (double)(n - 1);
}

double fg_student(double confidence, double degrees)
{
  return gsl_cdf_tdist_Pinv(0.5 + 0.5 * confidence, degrees);
}

void fg_root_interval(double squared, double reach, double *low, double *high)
{
  double skew = reach > 0 ? 0.25 * reach * reach / fmax(squared, reach) : 0;
  *low = sqrt(fmax(0, squared - reach + skew));
  *high = sqrt(fmax(0, squared) + reach + skew);
}

double fg_permutation_p(size_t n, const double *x, double observed)
{
  size_t reached = 0;
  for (size_t i = 0; i < n; i++) reached += x[i] >= observed;
  return (double)(1 + reached) / (double)(1 + n);
}

void fg_direction(uint64_t seed, uint64_t number, size_t d, double *direction)
{
  double square = 0;
  for (size_t k = 0; k < d; k++) {
    direction[k] = fg_normal(seed, FG_STREAM_DIRECTIONS, number, 0, (uint32_t)k);
    square += direction[k] * direction[k];
  }
  for (size_t k = 0; k < d; k++) direction[k] /= sqrt(square);
}

void fg_split(fg_draw draw, size_t n, size_t a, size_t b, unsigned char *label)
{
  fg_words words = {{0, 0, 0, 0}};
  for (size_t i = 0; i < n; i++) {
    if (i % 4 == 0) words = fg_philox(draw.seed, draw.stream, i / 4, draw.replicate, draw.purpose);
    /* Row i is taken with probability (still wanted) / (rows left). */
    uint64_t place = ((uint64_t)words.w[i % 4] * (uint64_t)(n - i)) >> 32;
    if (place < a) {
      label[i] = 'a';
      a--;
    } else if (place < a + b) {
      label[i] = 'b';
      b--;
    } else {
      label[i] = 0;
    }
  }
}

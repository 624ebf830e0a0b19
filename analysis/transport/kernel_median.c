/* The median distance between rows, which sets the scale of MMD's kernels. */
#include <math.h>
#include <stdlib.h>

#include "analysis/transport/kernel_distance.h"
#include "analysis/transport/transport.h"
#include "formula/random.h"

#define FG_MEDIAN_PAIRS ((size_t)1 << 20)
enum { FG_MEDIAN_SEED = 1 };

/* Number k of x [n] in ascending order; x is rearranged (Hoare's selection). */
static double fg_select(size_t n, double *x, size_t k)
{
  ptrdiff_t low = 0, high = (ptrdiff_t)n - 1;
  while (low < high) {
    const double pivot = x[low + (high - low) / 2];
    ptrdiff_t i = low, j = high;
    while (i <= j) {
      while (x[i] < pivot) i++;
      while (x[j] > pivot) j--;
      if (i > j) break;
      const double swap = x[i];
      x[i++] = x[j];
      x[j--] = swap;
    }
    if (j < (ptrdiff_t)k) low = i;
    if ((ptrdiff_t)k < i) high = j;
  }
  return x[k];
}

static double fg_rows_apart(const fg_pair *pair, size_t a, size_t b)
{
  const size_t d = pair->d;
  const double *p = a < pair->n ? pair->x + a * d : pair->y + (a - pair->n) * d;
  const double *q = b < pair->n ? pair->x + b * d : pair->y + (b - pair->n) * d;
  double square = 0;
  for (size_t k = 0; k < d; k++) square += (p[k] - q[k]) * (p[k] - q[k]);
  return sqrt(square);
}

/* Distances of all pairs of rows, or of drawn ones; those that are not 0 first. Returns how many there are. */
static size_t fg_pair_distances(const fg_pair *pair, size_t all, double *apart)
{
  const size_t rows = pair->n + pair->m;
  size_t count = 0;
  if (all <= FG_MEDIAN_PAIRS) {
    for (size_t a = 0; a < rows; a++)
      for (size_t b = 0; b < a; b++) apart[count++] = fg_rows_apart(pair, a, b);
    return count;
  }
  for (; count < FG_MEDIAN_PAIRS; count++) {
    const fg_words words = fg_philox(FG_MEDIAN_SEED, FG_STREAM_PAIRS, count, 0, 0);
    const size_t a = (size_t)(((uint64_t)words.w[0] * rows) >> 32);
    const size_t b = (size_t)(((uint64_t)words.w[1] * (rows - 1)) >> 32);
    apart[count] = fg_rows_apart(pair, a, b + (b >= a)); /* two different rows, every pair as likely */
  }
  return count;
}

fg_code fg_median_distance(size_t n, size_t m, size_t d, const double *x, const double *wx, const double *y,
                           const double *wy, double *median, fg_status *st)
{
  fg_pair pair;
  FG_TRY(fg_pair_create(n, m, d, x, wx, y, wy, &pair, st));
  const size_t rows = pair.n + pair.m, all = rows * (rows - 1) / 2;
  double *apart = malloc((all < FG_MEDIAN_PAIRS ? all : FG_MEDIAN_PAIRS) * sizeof *apart);
  fg_code rc = FG_OK;
  if (!apart) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for the distances of %zu pairs", all);
    goto done;
  }
  size_t count = fg_pair_distances(&pair, all, apart), moved = 0;
  double middle = fg_select(count, apart, count / 2);
  if (middle == 0) {
    for (size_t k = 0; k < count; k++)
      if (apart[k] > 0) apart[moved++] = apart[k];
    middle = moved > 0 ? fg_select(moved, apart, moved / 2) : 1;
  }
  *median = ldexp(middle, pair.exponent);
  if (!(*median > 0 && isfinite(*median)))
    rc = FG_FAIL(st, FG_NUMERICS, "the median distance between rows is %g: rescale the samples", *median);
done:
  free(apart);
  fg_pair_clear(&pair);
  return rc;
}

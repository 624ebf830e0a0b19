/* Checks, scaling and integer masses of two weighted samples. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"
#include "analysis/transport/transport.h"

#define FG_MASS_TOTAL ((int64_t)1 << 60)

/* ---- masses -------------------------------------------------------------------------- */

static int64_t fg_gcd(int64_t a, int64_t b)
{
  while (b != 0) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* Sum of whole numbers (or of n equal weights, each counted as 1), 0 where p is neither. */
static int64_t fg_whole_sum(size_t n, const double *p, int *constant)
{
  double sum = 0;
  int whole = 1;
  *constant = 1;
  for (size_t i = 0; i < n; i++) {
    if (p[i] != p[0]) *constant = 0;
    if (p[i] != floor(p[i])) whole = 0;
    sum += p[i];
  }
  if (*constant) return (int64_t)n;
  return whole && sum < 9007199254740992.0 ? (int64_t)sum : 0;
}

static void fg_masses_rounded(size_t n, const double *p, int64_t *mass)
{
  fg_sum sum = {0, 0};
  for (size_t i = 0; i < n; i++) fg_sum_add(&sum, p[i]);
  double total = fg_sum_value(&sum);
  int64_t left = FG_MASS_TOTAL;
  size_t largest = 0;
  for (size_t i = 0; i < n; i++) {
    mass[i] = (int64_t)llrintl((long double)p[i] / (long double)total * (long double)FG_MASS_TOTAL);
    left -= mass[i];
    if (p[i] > p[largest]) largest = i;
  }
  mass[largest] += left;
}

void fg_masses(size_t n, const double *p, size_t m, const double *q, int64_t *mass_p, int64_t *mass_q,
               int64_t *total)
{
  int constant_p, constant_q;
  int64_t sum_p = fg_whole_sum(n, p, &constant_p), sum_q = fg_whole_sum(m, q, &constant_q);
  if (sum_p > 0 && sum_q > 0) {
    int64_t divisor = fg_gcd(sum_p, sum_q), times_p = sum_q / divisor, times_q = sum_p / divisor;
    if (times_p <= FG_MASS_TOTAL / sum_p) {
      for (size_t i = 0; i < n; i++) mass_p[i] = times_p * (constant_p ? 1 : (int64_t)p[i]);
      for (size_t j = 0; j < m; j++) mass_q[j] = times_q * (constant_q ? 1 : (int64_t)q[j]);
      *total = times_p * sum_p;
      return;
    }
  }
  fg_masses_rounded(n, p, mass_p);
  fg_masses_rounded(m, q, mass_q);
  *total = FG_MASS_TOTAL;
}

/* ---- points -------------------------------------------------------------------------- */

fg_code fg_rows_check(const char *name, size_t n, size_t d, const double *x, const double *w, fg_status *st)
{
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < d; k++)
      if (!isfinite(x[i * d + k]))
        return FG_FAIL(
            st, FG_NUMERICS,
            "row %zu of %s has %g in column %zu: distances need finite samples, remove or mend the row", i,
            name, x[i * d + k], k);
    if (!w) continue;
    if (!isfinite(w[i]))
      return FG_FAIL(st, FG_NUMERICS, "the weight of row %zu of %s is %g: weights must be finite", i, name,
                     w[i]);
    if (w[i] < 0)
      return FG_FAIL(st, FG_USAGE, "the weight of row %zu of %s is %g: weights must not be negative", i, name,
                     w[i]);
    sum += w[i];
  }
  if (w && !(sum > 0 && isfinite(sum)))
    return FG_FAIL(st, FG_USAGE, "the weights of %s sum to %g: the sum must be positive and finite", name,
                   sum);
  return FG_OK;
}

/* Keep the rows with a weight. */
static size_t fg_copy_rows(size_t n, size_t d, const double *x, const double *w, double *points,
                           double *share)
{
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    if (w && w[i] == 0) continue;
    memcpy(points + kept * d, x + i * d, d * sizeof *x);
    share[kept++] = w ? w[i] : 1;
  }
  return kept;
}

/* Rows whose share rounds to 0 in 2^-60 leave too. */
static size_t fg_drop_massless(size_t n, size_t d, double *points, double *share, int64_t *mass)
{
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    if (mass[i] <= 0) continue;
    if (kept < i) memcpy(points + kept * d, points + i * d, d * sizeof *points);
    share[kept] = share[i];
    mass[kept++] = mass[i];
  }
  return kept;
}

static void fg_normalise(size_t n, double *share)
{
  fg_sum sum = {0, 0};
  for (size_t i = 0; i < n; i++) fg_sum_add(&sum, share[i]);
  double total = fg_sum_value(&sum);
  for (size_t i = 0; i < n; i++) share[i] /= total;
}

static void fg_range(size_t n, size_t d, const double *x, size_t k, double *low, double *high)
{
  for (size_t i = 0; i < n; i++) {
    *low = fmin(*low, x[i * d + k]);
    *high = fmax(*high, x[i * d + k]);
  }
}

/* Scale by a power of two, which is exact. The points are not moved: x - y would lose digits. */
static void fg_pair_scale(fg_pair *pair)
{
  double widest = 0;
  for (size_t k = 0; k < pair->d; k++) {
    double low = pair->x[k], high = low;
    fg_range(pair->n, pair->d, pair->x, k, &low, &high);
    fg_range(pair->m, pair->d, pair->y, k, &low, &high);
    widest = fmax(widest, 0.5 * high - 0.5 * low);
  }
  pair->identical = widest == 0;
  if (pair->identical) return;
  (void)frexp(widest, &pair->exponent);
  for (size_t i = 0; i < pair->n * pair->d; i++) pair->x[i] = ldexp(pair->x[i], -pair->exponent);
  for (size_t j = 0; j < pair->m * pair->d; j++) pair->y[j] = ldexp(pair->y[j], -pair->exponent);
}

fg_code fg_pair_create(size_t n, size_t m, size_t d, const double *x, const double *wx, const double *y,
                       const double *wy, fg_pair *pair, fg_status *st)
{
  memset(pair, 0, sizeof *pair);
  if (n == 0 || m == 0 || d == 0)
    return FG_FAIL(st, FG_USAGE,
                   "a distance between %zu and %zu rows of dimension %zu: give at least one of each", n, m,
                   d);
  if (n > UINT32_MAX / 4 || m > UINT32_MAX / 4)
    return FG_FAIL(st, FG_USAGE, "a distance between %zu and %zu rows: the limit is 2^30 rows", n, m);
  FG_TRY(fg_rows_check("x", n, d, x, wx, st));
  FG_TRY(fg_rows_check("y", m, d, y, wy, st));
  pair->d = d;
  pair->x = malloc(n * d * sizeof *pair->x);
  pair->y = malloc(m * d * sizeof *pair->y);
  pair->share_x = malloc(n * sizeof *pair->share_x);
  pair->share_y = malloc(m * sizeof *pair->share_y);
  pair->mass_x = malloc(n * sizeof *pair->mass_x);
  pair->mass_y = malloc(m * sizeof *pair->mass_y);
  if (!pair->x || !pair->y || !pair->share_x || !pair->share_y || !pair->mass_x || !pair->mass_y) {
    fg_pair_clear(pair);
    return FG_FAIL(st, FG_MEMORY, "no memory for %zu + %zu rows of dimension %zu", n, m, d);
  }
  pair->n = fg_copy_rows(n, d, x, wx, pair->x, pair->share_x);
  pair->m = fg_copy_rows(m, d, y, wy, pair->y, pair->share_y);
  fg_masses(pair->n, pair->share_x, pair->m, pair->share_y, pair->mass_x, pair->mass_y, &pair->total);
  pair->n = fg_drop_massless(pair->n, d, pair->x, pair->share_x, pair->mass_x);
  pair->m = fg_drop_massless(pair->m, d, pair->y, pair->share_y, pair->mass_y);
  fg_normalise(pair->n, pair->share_x);
  fg_normalise(pair->m, pair->share_y);
  fg_pair_scale(pair);
  return FG_OK;
}

void fg_pair_clear(fg_pair *pair)
{
  free(pair->x);
  free(pair->y);
  free(pair->share_x);
  free(pair->share_y);
  free(pair->mass_x);
  free(pair->mass_y);
  memset(pair, 0, sizeof *pair);
}

void fg_pair_move(fg_pair *pair)
{
  const size_t d = pair->d;
  for (size_t k = 0; k < d; k++) {
    const double origin = pair->x[k];
    for (size_t i = 0; i < pair->n; i++) pair->x[i * d + k] -= origin;
    for (size_t j = 0; j < pair->m; j++) pair->y[j * d + k] -= origin;
  }
}

fg_code fg_w2_finish(double primal, double dual, int exponent, fg_w2 *result, fg_status *st)
{
  /* Costs are not negative, so u = v = 0 is feasible and 0 is always a lower bound. */
  dual = fmax(dual, 0);
  if (!(primal - dual <= 1e-9 * primal))
    return FG_FAIL(
        st, FG_NUMERICS,
        "the certificate of the transport does not close: primal %.17g, dual %.17g (units of 4^%d); "
        "the sample may mix scales beyond the range of doubles",
        primal, dual, exponent);
  result->value = ldexp(sqrt(primal), exponent);
  result->squared = result->primal = ldexp(primal, 2 * exponent);
  result->dual = ldexp(dual, 2 * exponent);
  if (!isfinite(result->value) || !isfinite(result->squared))
    return FG_FAIL(st, FG_NUMERICS, "W2 is %g and its square does not fit a double: rescale the samples",
                   result->value);
  return FG_OK;
}

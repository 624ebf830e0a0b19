/* What separates two densities on one grid. */
#include <math.h>
#include <stdlib.h>

#include "fokker_planck/law_impl.h"

/* Cells where one density vanishes enter KL only when the other has more mass there than a solver's tolerance in the
 * tails could leave: then KL is infinite. */
static const double fg_alone_most = 1e-9;

static fg_code fg_compare_scale(const fg_law_grid *grid, const double *p, const char *name, double *scale,
                                fg_status *st)
{
  double sum = 0;
  for (size_t c = 0; c < fg_law_size(grid); c++) {
    if (!isfinite(p[c]))
      return FG_FAIL(st, FG_NUMERICS, "the %s density is %g in cell %zu", name, p[c], c + 1);
    sum += p[c] > 0 ? p[c] : 0;
  }
  if (!(sum > 0 && isfinite(sum)))
    return FG_FAIL(st, FG_NUMERICS, "the %s density has the sum %g: nothing to compare", name, sum);
  *scale = 1 / sum;
  return FG_OK;
}

/* Difference quotient at cell i of n of log(p/q), `stride` apart: central, one-sided where a neighbour is missing, 0
 * where both are. */
static double fg_ratio_slope(const double *ratio, size_t stride, size_t i, size_t n, double h)
{
  bool left = i > 0 && isfinite(ratio[-(ptrdiff_t)stride]), right = i + 1 < n && isfinite(ratio[stride]);
  double low = left ? ratio[-(ptrdiff_t)stride] : ratio[0], high = right ? ratio[stride] : ratio[0];
  return left || right ? (high - low) / (h * ((double)left + (double)right)) : 0;
}

fg_code fg_law_compare(const fg_law_grid *grid, const double *p, const double *q, fg_law_distance *distance,
                       fg_status *st)
{
  fg_law_distance sum = {0, 0, 0, 0, 0, 0};
  double scale_p, scale_q;
  FG_TRY(fg_law_check(grid, NULL, st));
  FG_TRY(fg_compare_scale(grid, p, "first", &scale_p, st));
  FG_TRY(fg_compare_scale(grid, q, "second", &scale_q, st));
  size_t size = fg_law_size(grid), n = grid->cells;
  double h = 2 * grid->half_width / (double)n;
  double *ratio = malloc(size * sizeof *ratio); /* log(p/q), NaN where one of them vanishes */
  if (!ratio) return FG_FAIL(st, FG_MEMORY, "no memory to compare %zu cells", size);
  for (size_t c = 0; c < size; c++) {
    double a = p[c] > 0 ? p[c] * scale_p : 0, b = q[c] > 0 ? q[c] * scale_q : 0;
    sum.total_variation += 0.5 * fabs(a - b);
    ratio[c] = a > 0 && b > 0 ? log(a) - log(b) : NAN; /* a / b can overflow */
    if (a > 0 && b > 0) {
      sum.kl += a * ratio[c];
      sum.kl_reverse -= b * ratio[c];
    } else {
      sum.alone_p += a;
      sum.alone_q += b;
    }
  }
  for (size_t c = 0; c < size; c++) {
    if (!isfinite(ratio[c])) continue;
    double along = fg_ratio_slope(ratio + c, 1, c % n, n, h);
    double across = grid->d == 2 ? fg_ratio_slope(ratio + c, n, c / n, n, h) : 0;
    sum.fisher += p[c] * scale_p * (along * along + across * across);
  }
  free(ratio);
  if (sum.alone_p > fg_alone_most) sum.kl = HUGE_VAL;
  if (sum.alone_q > fg_alone_most) sum.kl_reverse = HUGE_VAL;
  *distance = sum;
  return FG_OK;
}

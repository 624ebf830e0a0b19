/* log of the integral of exp phi: by the midpoint rule in a box, or by importance sampling. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "fokker_planck/certificate_impl.h"
#include "formula/random.h"

enum { FG_BOX_CHUNK = 16384, FG_BOX_MOST = 1 << 26 };

static double fg_log_add(double a, double b)
{
  double high = fmax(a, b), low = fmin(a, b);
  return isinf(high) ? high : high + log1p(exp(low - high));
}

/* ---- a box ------------------------------------------------------------------------------------- */

/* Logs of the integrals over the box and over its outermost tenth. */
static fg_code fg_box_integral(const fg_model *model, double t, size_t cells, double half_width, double *all,
                               double *edge, fg_status *st)
{
  size_t d = fg_model_dimension(model), total = 1;
  double width = 2 * half_width / (double)cells, *x = NULL, *phi;
  fg_code rc = FG_OK;
  for (size_t j = 0; j < d; j++) total *= cells;
  FG_TRY(fg_certificate_room(FG_BOX_CHUNK * (d + 1), &x, st));
  phi = x + FG_BOX_CHUNK * d;
  *all = *edge = -INFINITY;
  for (size_t first = 0; first < total; first += FG_BOX_CHUNK) {
    size_t n = total - first < FG_BOX_CHUNK ? total - first : FG_BOX_CHUNK;
    for (size_t i = 0; i < n; i++) {
      size_t at = first + i;
      for (size_t j = d; j-- > 0; at /= cells)
        x[i * d + j] = -half_width + ((double)(at % cells) + 0.5) * width;
    }
    fg_evaluation want = {.phi = phi};
    FG_GO(fg_model_evaluate(model, FG_DOUBLE, n, &t, 1, x, &want, st), done);
    for (size_t i = 0; i < n; i++) {
      double far = 0;
      for (size_t j = 0; j < d; j++) far = fmax(far, fabs(x[i * d + j]));
      *all = fg_log_add(*all, phi[i]);
      if (far > 0.9 * half_width) *edge = fg_log_add(*edge, phi[i]);
    }
  }
  *all += (double)d * log(width);
  *edge += (double)d * log(width);
done:
  free(x);
  return rc;
}

fg_code fg_log_mass_box(const fg_model *model, double t, size_t cells, double half_width, fg_log_mass *mass,
                        fg_status *st)
{
  size_t d = fg_model_dimension(model);
  double all, edge, rough, unused;
  if (d > 3 || cells < 4 || pow((double)cells, (double)d) > FG_BOX_MOST || !(half_width > 0))
    return FG_FAIL(
        st, FG_USAGE,
        "a box of half width %g with %zu cells per axis in %zu dimensions: give at least 4, in at most "
        "3 dimensions and 2^26 cells",
        half_width, cells, d);
  FG_TRY(fg_box_integral(model, t, cells / 2, half_width, &rough, &unused, st));
  FG_TRY(fg_box_integral(model, t, cells, half_width, &all, &edge, st));
  *mass = (fg_log_mass){all, fabs(all - rough), exp(edge - all)};
  return FG_OK;
}

/* ---- importance sampling ------------------------------------------------------------------------- */

static double fg_distance2(size_t d, const double *a, const double *b)
{
  double sum = 0;
  for (size_t j = 0; j < d; j++) sum += (a[j] - b[j]) * (a[j] - b[j]);
  return sum;
}

/* Variance per coordinate of the proposals: mean squared distance to the nearest neighbour, over d. */
static double fg_kernel_variance(size_t n, size_t d, const double *x)
{
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    double least = INFINITY;
    for (size_t k = 0; k < n; k++)
      if (k != i) least = fmin(least, fg_distance2(d, x + i * d, x + k * d));
    sum += least;
  }
  return sum / (double)(n * d);
}

/* log of the density of the proposals at y. */
static double fg_kernel_log_density(size_t n, size_t d, const double *x, double variance, const double *y)
{
  double sum = -INFINITY;
  for (size_t k = 0; k < n; k++) sum = fg_log_add(sum, -0.5 * fg_distance2(d, x + k * d, y) / variance);
  return sum - log((double)n) - 0.5 * (double)d * log(2 * FG_PI * variance);
}

fg_code fg_log_mass_sampled(const fg_model *model, double t, size_t n, const double *x, uint64_t seed,
                            fg_log_mass *mass, fg_status *st)
{
  size_t d = fg_model_dimension(model);
  double *y = NULL, top = -INFINITY, sum = 0, squares = 0;
  fg_code rc = FG_OK;
  double variance = n > 1 ? fg_kernel_variance(n, d, x) : 0;
  if (!(variance > 0 && isfinite(variance)))
    return FG_FAIL(st, FG_USAGE, "importance sampling needs at least two different, finite points");
  FG_TRY(fg_certificate_room(n * (d + 1), &y, st));
  double *phi = y + n * d, sd = sqrt(variance);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < d; j++)
      y[i * d + j] = x[i * d + j] + sd * fg_normal(seed, FG_STREAM_EVALUATE, i, 0, (uint32_t)j);
  fg_evaluation want = {.phi = phi};
  FG_GO(fg_model_evaluate(model, FG_DOUBLE, n, &t, 1, y, &want, st), done);
  for (size_t i = 0; i < n; i++) {
    phi[i] -= fg_kernel_log_density(n, d, x, variance, y + i * d);
    top = fmax(top, phi[i]);
  }
  for (size_t i = 0; i < n; i++) {
    double w = exp(phi[i] - top);
    sum += w;
    squares += w * w;
  }
  double count = (double)n, effective = sum * sum / squares;
  *mass =
      (fg_log_mass){top + log(sum / count), sqrt(fmax(0, 1 / effective - 1 / count)), 1 - effective / count};
done:
  free(y);
  return rc;
}

/* log of the integral of exp phi: by the midpoint rule in a box, or by importance sampling. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "fokker_planck/certificate_impl.h"
#include "formula/random.h"

enum { FG_BOX_CHUNK = 16384, FG_BOX_MOST = 1 << 26, FG_KERNEL_DRAWS = 8 };

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

/* Three proposals of four stand around the points, one comes from a Gaussian with twice the points' largest variance:
 * it bounds the weights where no point is near. */
typedef struct fg_proposals {
  size_t n, d;
  const double *x;
  double kernel, wide; /* variances */
  double *mean;        /* [d] */
} fg_proposals;

static void fg_proposals_wide(fg_proposals *p)
{
  p->wide = 0;
  for (size_t j = 0; j < p->d; j++) {
    double mean = 0, squares = 0;
    for (size_t i = 0; i < p->n; i++) mean += p->x[i * p->d + j] / (double)p->n;
    for (size_t i = 0; i < p->n; i++) squares += pow(p->x[i * p->d + j] - mean, 2) / (double)p->n;
    p->mean[j] = mean;
    p->wide = fmax(p->wide, 2 * squares);
  }
}

static double fg_log_gaussian(size_t d, const double *mean, double variance, const double *y)
{
  return -0.5 * fg_distance2(d, mean, y) / variance - 0.5 * (double)d * log(2 * FG_PI * variance);
}

static double fg_proposals_log_density(const fg_proposals *p, const double *y)
{
  double sum = -INFINITY;
  for (size_t k = 0; k < p->n; k++)
    sum = fg_log_add(sum, fg_log_gaussian(p->d, p->x + k * p->d, p->kernel, y));
  return fg_log_add(log(0.75 / (double)p->n) + sum, log(0.25) + fg_log_gaussian(p->d, p->mean, p->wide, y));
}

static void fg_proposals_draw(const fg_proposals *p, uint64_t seed, size_t i, double *y)
{
  bool wide = i % 4 == 3;
  const double *centre = wide ? p->mean : p->x + (i - i / 4) % p->n * p->d;
  double sd = sqrt(wide ? p->wide : p->kernel);
  for (size_t j = 0; j < p->d; j++)
    y[j] = centre[j] + sd * fg_normal(seed, FG_STREAM_EVALUATE, i, 0, (uint32_t)j);
}

/* log of the mean of the weights exp(w), with the figures that come with it. */
static void fg_log_mean_of(size_t n, const double *w, fg_log_mass *mass)
{
  double top = -INFINITY, sum = 0, squares = 0, count = (double)n;
  for (size_t i = 0; i < n; i++) top = fmax(top, w[i]);
  for (size_t i = 0; i < n; i++) {
    double value = exp(w[i] - top);
    sum += value;
    squares += value * value;
  }
  double effective = sum * sum / squares;
  mass->value = top + log(sum / count);
  mass->error = sqrt(fmax(0, 1 / effective - 1 / count));
  mass->edge = 1 - effective / count;
}

fg_code fg_log_mass_sampled(const fg_model *model, double t, size_t n, const double *x, uint64_t seed,
                            fg_log_mass *mass, fg_status *st)
{
  fg_proposals p = {.n = n, .d = fg_model_dimension(model), .x = x};
  size_t draws = FG_KERNEL_DRAWS * n;
  double *y = NULL;
  fg_code rc = FG_OK;
  p.kernel = n > 1 ? fg_kernel_variance(n, p.d, x) : 0;
  if (!(p.kernel > 0 && isfinite(p.kernel)))
    return FG_FAIL(st, FG_USAGE, "importance sampling needs at least two different, finite points");
  FG_TRY(fg_certificate_room(draws * (p.d + 1) + p.d, &y, st));
  double *weight = y + draws * p.d;
  p.mean = weight + draws;
  fg_proposals_wide(&p);
  for (size_t i = 0; i < draws; i++) fg_proposals_draw(&p, seed, i, y + i * p.d);
  fg_evaluation want = {.phi = weight};
  FG_GO(fg_model_evaluate(model, FG_DOUBLE, draws, &t, 1, y, &want, st), done);
  for (size_t i = 0; i < draws; i++) weight[i] -= fg_proposals_log_density(&p, y + i * p.d);
  fg_log_mean_of(draws, weight, mass);
done:
  free(y);
  return rc;
}

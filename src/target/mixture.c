/* Gaussian mixtures: gaussian, gmm9, gmm25, gmm40, mixture, blobs; and any of them noised (for priors). */
#include "target/mixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "formula/density.h"
#include "target/spectral.h"
#include "target/target_impl.h"

/* Mixture draws: step 0 picks the component, step 1 holds the normals. */
enum { STEP_PICK = 0, STEP_NORMALS = 1 };

void fg_mixture_destroy(fg_mixture **mixture)
{
  if (!mixture || !*mixture) return;
  free((*mixture)->weights);
  free((*mixture)->factor);
  free(*mixture);
  *mixture = NULL;
}

static size_t factor_size(const fg_mixture *m)
{
  if (m->form == FG_FACTOR_FULL) return m->d * m->d;
  return m->form == FG_FACTOR_DIAGONAL ? m->d : 1;
}

/* One block for all arrays but the factor; `weights` is its start. */
static fg_code allocate(size_t k, size_t d, fg_mixture **mixture, fg_status *st)
{
  *mixture = NULL;
  if (k > SIZE_MAX / 64 / (d * d + d))
    return FG_FAIL(st, FG_MEMORY, "a mixture of %zu x %zu is too large", k, d);
  size_t count = k * (3 + d + d * d);
  fg_mixture *m = calloc(1, sizeof *m);
  double *block = m ? malloc(count * sizeof *block) : NULL;
  if (!block) {
    free(m);
    return FG_FAIL(st, FG_MEMORY, "no memory for a mixture of %zu components in %zu dimensions", k, d);
  }
  m->k = k;
  m->d = d;
  m->weights = block;
  m->cumulative = m->weights + k;
  m->log_scale = m->cumulative + k;
  m->means = m->log_scale + k;
  m->covariances = m->means + k * d;
  *mixture = m;
  return FG_OK;
}

static fg_code fill_weights(const fg_mixture_source *s, fg_mixture *m, fg_status *st)
{
  double sum = 0.0;
  for (size_t k = 0; k < s->k; k++) {
    double w = s->weights ? s->weights[k] : 1.0;
    if (!(w > 0.0) || !isfinite(w))
      return FG_FAIL(st, FG_USAGE,
                     "target.weights: component %zu of %zu has weight %g: give a finite number > 0", k + 1,
                     s->k, w);
    m->weights[k] = w;
    sum += w;
  }
  if (!isfinite(sum))
    return FG_FAIL(st, FG_USAGE, "target.weights: the sum is not finite: give smaller numbers");
  for (size_t k = 0; k < s->k; k++) m->weights[k] /= sum;
  fg_target_cumulate(s->k, m->weights, m->cumulative);
  return FG_OK;
}

static fg_code fill_moments(const fg_mixture_source *s, fg_mixture *m, fg_status *st)
{
  size_t d = s->d;
  for (size_t k = 0; k < s->k; k++) {
    for (size_t i = 0; i < d; i++) {
      double value = s->means[k * d + i];
      if (!isfinite(value))
        return FG_FAIL(st, FG_USAGE,
                       "target.means: component %zu has %g at coordinate %zu: give finite numbers", k + 1,
                       value, i + 1);
      m->means[k * d + i] = s->root * value;
    }
    for (size_t i = 0; i < d; i++)
      for (size_t j = 0; j < d; j++) {
        size_t at = (k * d + i) * d + j;
        double value = s->covariances ? s->covariances[at] : i == j ? s->variance : 0.0;
        m->covariances[at] = s->scale * value + (i == j ? s->shift : 0.0);
      }
  }
  return FG_OK;
}

/* Finite and symmetric to rounding (files carry 15 digits at best); then made exactly symmetric. */
static fg_code check_symmetric(size_t component, size_t d, double *c, fg_status *st)
{
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j <= i; j++) {
      double lower = c[i * d + j], upper = c[j * d + i];
      if (!isfinite(lower) || !isfinite(upper))
        return FG_FAIL(st, FG_USAGE, "target.covariances: component %zu is not finite at [%zu, %zu]",
                       component + 1, i + 1, j + 1);
      if (fabs(lower - upper) > 1e-12 * sqrt(fabs(c[i * d + i] * c[j * d + j])))
        return FG_FAIL(st, FG_USAGE,
                       "target.covariances: component %zu is not symmetric: [%zu, %zu] is %.17g but "
                       "[%zu, %zu] is %.17g",
                       component + 1, i + 1, j + 1, lower, j + 1, i + 1, upper);
      c[i * d + j] = c[j * d + i] = 0.5 * (lower + upper);
    }
  return FG_OK;
}

static int find_form(const fg_mixture *m)
{
  int form = FG_FACTOR_ISOTROPIC;
  for (size_t k = 0; k < m->k; k++) {
    const double *c = m->covariances + k * m->d * m->d;
    for (size_t i = 0; i < m->d; i++) {
      for (size_t j = 0; j < i; j++)
        if (c[i * m->d + j] != 0.0) return FG_FACTOR_FULL;
      if (c[i * m->d + i] != c[0]) form = FG_FACTOR_DIAGONAL;
    }
  }
  return form;
}

/* Cholesky: the lower triangle l with l l^T = c; 0 when c is not positive definite to rounding. */
static int cholesky(size_t d, const double *c, double *l)
{
  memset(l, 0, d * d * sizeof *l);
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j <= i; j++) {
      double r = c[i * d + j];
      for (size_t p = 0; p < j; p++) r -= l[i * d + p] * l[j * d + p];
      if (i == j) {
        /* A pivot that is only rounding of its diagonal means a singular matrix. */
        if (!(r > 1e-14 * c[i * d + i])) return 0;
        l[i * d + i] = sqrt(r);
      } else {
        l[i * d + j] = r / l[j * d + j];
      }
    }
  return 1;
}

/* The factor of component k; its log determinant. */
static int factorise(fg_mixture *m, size_t k, double *log_det)
{
  size_t d = m->d;
  const double *c = m->covariances + k * d * d;
  double *f = m->factor + k * factor_size(m);
  for (size_t i = 0; i < d; i++)
    if (!(c[i * d + i] > 0.0)) return 0;
  if (m->form == FG_FACTOR_FULL && !cholesky(d, c, f)) return 0;
  *log_det = 0.0;
  for (size_t i = 0; i < d; i++) {
    if (m->form != FG_FACTOR_FULL && i < factor_size(m)) f[i] = sqrt(c[i * d + i]);
    *log_det += log(m->form == FG_FACTOR_FULL ? f[i * d + i] : m->form == FG_FACTOR_DIAGONAL ? f[i] : f[0]);
  }
  return 1;
}

fg_code fg_mixture_create(const fg_mixture_source *s, fg_mixture **mixture, fg_status *st)
{
  fg_mixture *m = NULL;
  fg_code rc;
  *mixture = NULL;
  FG_TRY(allocate(s->k, s->d, &m, st));
  FG_GO(fill_weights(s, m, st), fail);
  FG_GO(fill_moments(s, m, st), fail);
  for (size_t k = 0; k < s->k; k++)
    FG_GO(check_symmetric(k, s->d, m->covariances + k * s->d * s->d, st), fail);
  m->form = find_form(m);
  m->factor = malloc(s->k * factor_size(m) * sizeof *m->factor);
  if (!m->factor) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for the factors of %zu covariances", s->k);
    goto fail;
  }
  for (size_t k = 0; k < s->k; k++) {
    double log_det;
    if (!factorise(m, k, &log_det)) {
      rc =
          FG_FAIL(st, FG_USAGE,
                  "%s: the covariance of component %zu is not positive definite: its eigenvalues must be > 0",
                  s->covariances ? "target.covariances" : "target.variance", k + 1);
      goto fail;
    }
    m->log_scale[k] = log(m->weights[k]) - 0.5 * FG_LOG_2PI * (double)s->d - log_det;
  }
  *mixture = m;
  return FG_OK;
fail:
  fg_mixture_destroy(&m);
  return rc;
}

double fg_mixture_evaluate(const fg_mixture *m, const double *x, double *score, double *scratch)
{
  return fg_mixture_log_density((int)m->k, m->form, (int)m->d, m->log_scale, m->means, m->factor, x, 1, score,
                                scratch);
}

/* ---- as a target ------------------------------------------------------------------------- */

static double log_density(const fg_target *t, const double *x, double *score, double *scratch)
{
  return fg_mixture_evaluate(t->data, x, score, scratch);
}

static void sample(const fg_target *t, uint64_t seed, uint64_t row, double *x)
{
  const fg_mixture *m = t->data;
  fg_words words = fg_philox(seed, FG_STREAM_TARGET, row, STEP_PICK, 0);
  size_t k = m->k == 1 ? 0 : fg_target_pick(m->k, m->cumulative, fg_uniform52(words.w[0], words.w[1]));
  const double *f = m->factor + k * factor_size(m), *mean = m->means + k * m->d;
  fg_target_normals(seed, FG_STREAM_TARGET, row, STEP_NORMALS, m->d, x);
  for (size_t i = m->d; i-- > 0;) { /* downwards: row i of L needs z_0..z_i only */
    double sum = 0.0;
    if (m->form == FG_FACTOR_FULL)
      for (size_t j = 0; j <= i; j++) sum += f[i * m->d + j] * x[j];
    else
      sum = (m->form == FG_FACTOR_DIAGONAL ? f[i] : f[0]) * x[i];
    x[i] = mean[i] + sum;
  }
}

static void moments(const fg_target *t, double *mean, double *covariance)
{
  const fg_mixture *m = t->data;
  size_t d = m->d;
  fg_target_zero_moments(d, mean, covariance);
  if (mean)
    for (size_t k = 0; k < m->k; k++)
      for (size_t i = 0; i < d; i++) mean[i] += m->weights[k] * m->means[k * d + i];
  if (!covariance) return;
  /* Each covariance plus the outer product of the distance of its mean from the whole mean:
   * sum w mu mu^T - mean mean^T would cancel for means far from 0. */
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j < d; j++) {
      double mi = 0.0, mj = 0.0, sum = 0.0;
      for (size_t k = 0; k < m->k; k++) {
        mi += m->weights[k] * m->means[k * d + i];
        mj += m->weights[k] * m->means[k * d + j];
      }
      for (size_t k = 0; k < m->k; k++)
        sum += m->weights[k] * (m->covariances[(k * d + i) * d + j] +
                                (m->means[k * d + i] - mi) * (m->means[k * d + j] - mj));
      covariance[i * d + j] = sum;
    }
}

static void destroy(void *data)
{
  fg_mixture *m = data;
  fg_mixture_destroy(&m);
}

static fg_code density(const fg_target *t, const fg_density_memory *memory, fg_density *out, fg_status *st)
{
  fg_mixture_view view;
  FG_TRY(fg_target_mixture(t, &view, st));
  out->kind = FG_DENSITY_MIXTURE;
  return fg_spectral_upload(&view, memory->engine, &out->as.mixture, memory->buffer, memory->count, st);
}

static const fg_target_ops mixture_ops = {log_density, sample, NULL, moments, destroy, density};

static fg_code finish(const fg_mixture_source *source, fg_target *target, fg_status *st)
{
  fg_mixture *m = NULL;
  FG_TRY(fg_mixture_create(source, &m, st));
  target->d = source->d;
  target->abilities = FG_TARGET_DENSITY | FG_TARGET_SCORE | FG_TARGET_SAMPLE | FG_TARGET_LOG_Z |
                      FG_TARGET_MOMENTS | FG_TARGET_IS_MIXTURE;
  target->scratch = source->d;
  target->ops = &mixture_ops;
  target->data = m;
  return FG_OK;
}

static fg_code make_gaussian(const fg_target_settings *s, fg_mixture_source *source, fg_target *target,
                             fg_status *st)
{
  if (!isfinite(s->mean)) return FG_FAIL(st, FG_USAGE, "target.mean is %g: give a finite number", s->mean);
  double *means = malloc(s->dimension * sizeof *means);
  if (!means) return FG_FAIL(st, FG_MEMORY, "no memory for a mean in %zu dimensions", s->dimension);
  for (size_t i = 0; i < s->dimension; i++) means[i] = s->mean;
  source->k = 1;
  source->d = s->dimension;
  source->means = means;
  fg_code rc = finish(source, target, st);
  free(means);
  return rc;
}

/* The means of arXiv 2208.01893 in single precision, as its code draws them with PyTorch:
 * torch.manual_seed(0), (torch.rand((40, 2)) - 0.5) * 2 * 40. Its standard deviation is softplus(1). */
static const float modes40[80] = {
    -0.299472809f, 21.4577446f,  -32.9218063f, -29.437561f,  -15.4061747f, 10.7262945f,  -0.792527199f,
    31.71558f,     -3.54976177f, 10.5845022f,  -12.0885229f, -7.86261559f, -38.2139397f, -26.4912834f,
    -16.488924f,   1.48174286f,  15.8134079f,  24.0009117f,  -27.1176434f, -17.4185143f, 14.5286846f,
    33.215519f,    -8.23200703f, 29.9324703f,  -6.44733429f, 4.23256397f,  36.2190475f,  -37.1068153f,
    -25.1815186f,  -10.1266098f, -15.5919981f, 34.5600319f,  -25.9271851f, -18.4133148f, -27.9456177f,
    -37.4624405f,  -23.3496189f, 34.3839226f,  17.8487358f,  19.3869019f,  2.10366249f,  -20.5073395f,
    6.76738739f,   -37.3477898f, -28.9026489f, -20.6212006f, 25.2375183f,  23.4528503f,  -17.7398014f,
    -1.44329548f,  25.582428f,   39.7653236f,  15.8752871f,  5.40371418f,  26.8194542f,  -23.5520935f,
    7.4537611f,    -31.0122204f, -27.7234459f, -20.6633415f, 18.0989227f,  16.0864162f,  -23.6940994f,
    12.0842838f,   21.9588814f,  -5.04869461f, 1.52726173f,  9.26818848f,  24.8150635f,  38.4077644f,
    -30.8249435f,  -14.6587896f, 15.720396f,   33.1419754f,  34.8082924f,  35.2942696f,  7.96058178f,
    -34.7833061f,  3.6796999f,   -25.0242138f};

static fg_code make_many(const fg_target_settings *s, fg_mixture_source *source, fg_target *target,
                         fg_status *st)
{
  double means[80];
  bool grid = s->kind == FG_TARGET_GMM25;
  source->k = grid ? 25 : 40;
  if (!grid) source->variance = 1.7246562599032103; /* log(1 + e)^2 */
  for (int i = 0; i < 5 && grid; i++)
    for (int j = 0; j < 5; j++) {
      means[2 * (5 * i + j)] = 5 * i - 10;
      means[2 * (5 * i + j) + 1] = 5 * j - 10;
    }
  for (int i = 0; i < 80 && !grid; i++) means[i] = modes40[i];
  source->means = means;
  return finish(source, target, st);
}

fg_code fg_target_make_mixture(const fg_target_settings *s, fg_target *target, fg_status *st)
{
  fg_mixture_source source = {.k = 9, .d = 2, .variance = s->variance, .root = 1.0, .scale = 1.0};
  if (s->kind != FG_TARGET_BLOBS && s->kind != FG_TARGET_GMM40 &&
      (s->kind != FG_TARGET_MIXTURE || !s->covariances) && (!(s->variance > 0.0) || !isfinite(s->variance)))
    return FG_FAIL(st, FG_USAGE, "target.variance is %g: give a finite number > 0", s->variance);
  if (s->kind == FG_TARGET_GAUSSIAN) return make_gaussian(s, &source, target, st);
  if (s->kind == FG_TARGET_GMM9) {
    static const double grid9[18] = {-5, -5, -5, 0, -5, 5, 0, -5, 0, 0, 0, 5, 5, -5, 5, 0, 5, 5};
    source.means = grid9;
    return finish(&source, target, st);
  }
  if (s->kind == FG_TARGET_GMM25 || s->kind == FG_TARGET_GMM40) return make_many(s, &source, target, st);
  if (s->kind == FG_TARGET_BLOBS) {
    /* Nine Gaussians of covariance 0.2 I, all scaled by 0.65 (arXiv 2311.15996). */
    static const double blobs9[18] = {2, 2, 2, -2, -2, 2, -2, -2, 0, 0, 4, 0, -4, 0, 0, 4, 0, -4};
    source.means = blobs9;
    source.variance = 0.2;
    source.root = 0.65;
    source.scale = 0.65 * 0.65;
    return finish(&source, target, st);
  }
  if (s->components == 0 || !s->means)
    return FG_FAIL(st, FG_USAGE, "target.means is empty: a mixture needs the mean of each component, [k, d]");
  source.k = s->components;
  source.d = s->dimension;
  source.weights = s->weights;
  source.means = s->means;
  source.covariances = s->covariances;
  return finish(&source, target, st);
}

fg_code fg_target_mixture(const fg_target *target, fg_mixture_view *view, fg_status *st)
{
  if (!(target->abilities & FG_TARGET_IS_MIXTURE))
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "target %s is not a Gaussian mixture: an exact model needs gaussian, gmm9, gmm25, gmm40, "
                   "mixture or blobs",
                   fg_target_name(target));
  const fg_mixture *m = target->data;
  view->components = m->k;
  view->d = m->d;
  view->weights = m->weights;
  view->means = m->means;
  view->covariances = m->covariances;
  return FG_OK;
}

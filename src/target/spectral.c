#include "target/spectral.h"

#include <float.h>
#include <gsl/gsl_eigen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "target/density.h"

/* Host copies of what the field holds in engine memory, shapes as in fg_field_mixture. */
typedef struct spectral {
  double *log_weight, *mean, *spectrum, *basis;
} spectral;

static void clear(spectral *s)
{
  free(s->log_weight);
  free(s->mean);
  free(s->spectrum);
  free(s->basis);
}

/* Are all covariances exactly l_k I? Then the basis is not needed. */
static bool is_isotropic(const fg_mixture_view *view)
{
  size_t d = view->d;
  for (size_t k = 0; k < view->components; k++)
    for (size_t i = 0; i < d; i++)
      for (size_t j = 0; j < d; j++) {
        const double *c = view->covariances + k * d * d;
        if (c[i * d + j] != (i == j ? c[0] : 0)) return false;
      }
  return true;
}

/* Eigenvalues and eigenvectors (rows of basis) of one covariance. */
static fg_code decompose(size_t d, const double *covariance, double *values, double *basis, fg_status *st)
{
  gsl_matrix *a = gsl_matrix_alloc(d, d), *q = gsl_matrix_alloc(d, d);
  gsl_vector *l = gsl_vector_alloc(d);
  gsl_eigen_symmv_workspace *work = gsl_eigen_symmv_alloc(d);
  fg_code rc = FG_OK;
  if (!a || !q || !l || !work) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for the eigenvectors of a %zu by %zu covariance", d, d);
    goto done;
  }
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j < d; j++)
      gsl_matrix_set(a, i, j, 0.5 * (covariance[i * d + j] + covariance[j * d + i]));
  if (gsl_eigen_symmv(a, l, q, work)) {
    rc = FG_FAIL(st, FG_NUMERICS, "the eigenvectors of a %zu by %zu covariance were not found", d, d);
    goto done;
  }
  for (size_t j = 0; j < d; j++) {
    values[j] = gsl_vector_get(l, j);
    for (size_t i = 0; i < d; i++) basis[j * d + i] = gsl_matrix_get(q, i, j);
  }
done:
  gsl_matrix_free(a);
  gsl_matrix_free(q);
  gsl_vector_free(l);
  gsl_eigen_symmv_free(work);
  return rc;
}

static fg_code fill(const fg_mixture_view *view, bool isotropic, spectral *s, fg_status *st)
{
  size_t n = view->components, d = view->d;
  s->log_weight = malloc(n * sizeof(double));
  s->mean = malloc(n * d * sizeof(double));
  s->spectrum = malloc(n * d * sizeof(double));
  s->basis = malloc(n * d * d * sizeof(double));
  if (!s->log_weight || !s->mean || !s->spectrum || !s->basis)
    return FG_FAIL(st, FG_MEMORY, "no memory for a mixture of %zu components in %zu dimensions", n, d);
  memcpy(s->mean, view->means, n * d * sizeof(double));
  for (size_t k = 0; k < n; k++) {
    const double *covariance = view->covariances + k * d * d;
    s->log_weight[k] = log(view->weights[k]);
    if (isotropic)
      s->spectrum[k] = covariance[0];
    else
      FG_TRY(decompose(d, covariance, s->spectrum + k * d, s->basis + k * d * d, st));
    for (size_t j = 0; j < (isotropic ? 1 : d); j++) {
      double value = s->spectrum[isotropic ? k : k * d + j];
      if (!(value > 0 && value <= DBL_MAX))
        return FG_FAIL(st, FG_NUMERICS,
                       "component %zu of the mixture has a covariance with eigenvalue %g: give a positive "
                       "definite one",
                       k + 1, value);
    }
  }
  return FG_OK;
}

fg_code fg_spectral_upload(const fg_mixture_view *view, fg_engine *engine, fg_field_mixture *mixture,
                           fg_buf *buffers, size_t *count, fg_status *st)
{
  spectral host = {NULL, NULL, NULL, NULL};
  const fg_density_memory memory = {engine, buffers, count};
  bool isotropic = is_isotropic(view);
  size_t n = view->components, d = view->d, real = sizeof(double);
  fg_code rc = FG_OK;
  memset(mixture, 0, sizeof *mixture);
  mixture->components = (int)n;
  mixture->isotropic = isotropic;
  mixture->length = 1;
  FG_GO(fill(view, isotropic, &host, st), done);
  FG_GO(fg_density_upload(&memory, host.log_weight, n * real, &mixture->log_weight, st), done);
  FG_GO(fg_density_upload(&memory, host.mean, n * d * real, &mixture->mean, st), done);
  FG_GO(fg_density_upload(&memory, host.spectrum, (isotropic ? n : n * d) * real, &mixture->spectrum, st),
        done);
  if (!isotropic) FG_GO(fg_density_upload(&memory, host.basis, n * d * d * real, &mixture->basis, st), done);
done:
  clear(&host);
  return rc;
}

/* Exact and perturbed models: a Gaussian mixture noised in closed form. */
#include <float.h>
#include <gsl/gsl_eigen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_impl.h"

/* Host copies of what the field holds in engine memory, shapes as in fg_field_mixture. */
typedef struct fg_spectral {
  double *log_weight, *mean, *spectrum, *basis;
} fg_spectral;

static void fg_spectral_clear(fg_spectral *s)
{
  free(s->log_weight);
  free(s->mean);
  free(s->spectrum);
  free(s->basis);
}

/* Are all covariances exactly l_k I? Then the basis is not needed. */
static bool fg_mixture_is_isotropic(const fg_mixture_view *view)
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
static fg_code fg_mixture_decompose(size_t d, const double *covariance, double *values, double *basis,
                                    fg_status *st)
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

static fg_code fg_spectral_fill(const fg_mixture_view *view, bool isotropic, fg_spectral *s, fg_status *st)
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
      FG_TRY(fg_mixture_decompose(d, covariance, s->spectrum + k * d, s->basis + k * d * d, st));
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

static fg_code fg_exact_create(const char *name, fg_engine *engine, const fg_target *target,
                               const fg_process *process, const fg_perturbation *perturbation, fg_model **out,
                               fg_status *st)
{
  fg_mixture_view view;
  fg_model *model = NULL;
  fg_spectral host = {NULL, NULL, NULL, NULL};
  fg_code rc = FG_OK;
  *out = NULL;
  if (!(fg_target_abilities(target) & FG_TARGET_IS_MIXTURE))
    return FG_FAIL(
        st, FG_USAGE,
        "the model %s is made from a Gaussian mixture, which the target %s is not: use gaussian, gmm9, "
        "blobs or mixture, or set model.kind: network",
        name, fg_target_name(target));
  FG_TRY(fg_target_mixture(target, &view, st));
  FG_TRY(fg_model_new(name, engine, process, &model, st));
  fg_field_mixture *mixture = &model->field.as.mixture;
  bool isotropic = fg_mixture_is_isotropic(&view);
  size_t n = view.components, d = view.d, real = sizeof(double);
  model->field.kind = FG_FIELD_MIXTURE;
  model->field.d = (int)d;
  model->field.quantities = FG_PHI | FG_PHI_T | FG_SCORE | FG_DIVERGENCE | FG_RESIDUAL | FG_JVP;
  mixture->components = (int)n;
  mixture->isotropic = isotropic;
  mixture->epsilon = perturbation ? perturbation->epsilon : 0;
  mixture->wave = perturbation ? perturbation->wave : 0;
  mixture->length = perturbation ? perturbation->length : 1;
  mixture->decay = perturbation ? perturbation->decay : 0;
  FG_GO(fg_spectral_fill(&view, isotropic, &host, st), done);
  FG_GO(fg_model_upload(model, host.log_weight, n * real, &mixture->log_weight, st), done);
  FG_GO(fg_model_upload(model, host.mean, n * d * real, &mixture->mean, st), done);
  FG_GO(fg_model_upload(model, host.spectrum, (isotropic ? n : n * d) * real, &mixture->spectrum, st), done);
  if (!isotropic) FG_GO(fg_model_upload(model, host.basis, n * d * d * real, &mixture->basis, st), done);
done:
  fg_spectral_clear(&host);
  if (rc != FG_OK) fg_model_destroy(&model);
  *out = model;
  return rc;
}

fg_code fg_model_exact(fg_engine *engine, const fg_target *target, const fg_process *process,
                       fg_model **model, fg_status *st)
{
  return fg_exact_create("exact", engine, target, process, NULL, model, st);
}

void fg_perturbation_defaults(fg_perturbation *settings)
{
  settings->epsilon = 0.3;
  settings->wave = 1.3;
  settings->length = sqrt(8.0);
  settings->decay = 1;
}

fg_code fg_model_perturbed(fg_engine *engine, const fg_target *target, const fg_process *process,
                           const fg_perturbation *settings, fg_model **model, fg_status *st)
{
  *model = NULL;
  if (!isfinite(settings->epsilon) || !isfinite(settings->wave) || !isfinite(settings->decay))
    return FG_FAIL(st, FG_USAGE, "the perturbation has epsilon %g, wave %g, decay %g: give finite numbers",
                   settings->epsilon, settings->wave, settings->decay);
  if (!(settings->length > 0 && isfinite(settings->length)))
    return FG_FAIL(st, FG_USAGE, "the perturbation has length %g: give a positive number", settings->length);
  return fg_exact_create("perturbed", engine, target, process, settings, model, st);
}

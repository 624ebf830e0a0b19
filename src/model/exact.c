/* Exact and perturbed models: a Gaussian mixture noised in closed form. */
#include <math.h>

#include "model/model_impl.h"
#include "target/spectral.h"

_Static_assert((int)FG_MODEL_BUFFERS >= (int)FG_SPECTRAL_BUFFERS, "the buffers of a mixture");

static fg_code fg_exact_create(const char *name, fg_engine *engine, const fg_target *target,
                               const fg_process *process, const fg_perturbation *perturbation, fg_model **out,
                               fg_status *st)
{
  fg_mixture_view view;
  fg_model *model = NULL;
  *out = NULL;
  if (!(fg_target_abilities(target) & FG_TARGET_IS_MIXTURE))
    return FG_FAIL(
        st, FG_USAGE,
        "the model %s is made from a Gaussian mixture, which the target %s is not: use gaussian, gmm9, "
        "gmm25, gmm40, blobs or mixture, or set model.kind: network",
        name, fg_target_name(target));
  FG_TRY(fg_target_mixture(target, &view, st));
  FG_TRY(fg_model_new(name, engine, process, &model, st));
  fg_field_mixture *mixture = &model->field.as.mixture;
  fg_code rc = fg_spectral_upload(&view, engine, mixture, model->buffer, &model->buffers, st);
  if (rc != FG_OK) {
    fg_model_destroy(&model);
    return rc;
  }
  model->field.kind = FG_FIELD_MIXTURE;
  model->field.d = (int)view.d;
  model->field.quantities = FG_PHI | FG_PHI_T | FG_SCORE | FG_DIVERGENCE | FG_RESIDUAL | FG_JVP;
  if (perturbation) {
    mixture->epsilon = perturbation->epsilon;
    mixture->wave = perturbation->wave;
    mixture->length = perturbation->length;
    mixture->decay = perturbation->decay;
  }
  *out = model;
  return FG_OK;
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

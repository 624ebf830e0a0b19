/* Controls of samplers as models: a network, the density of its target, and what says how they combine. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_impl.h"
#include "model/network_impl.h"
#include "target/density.h"

static fg_code positive(const char *what, double value, fg_status *st)
{
  if (value > 0 && isfinite(value)) return FG_OK;
  return FG_FAIL(st, FG_USAGE, "control: the %s is %g: give a finite number > 0", what, value);
}

static fg_code check_factor(const fg_network_settings *s, fg_status *st)
{
  const size_t layers = s->factor_layers, waves = s->factor_frequencies;
  if (layers == 0) return FG_OK;
  if (layers > FG_FACTOR_LAYERS || waves < 1 || waves > FG_WIDTH_MAX || !s->factor_frequency)
    return FG_FAIL(
        st, FG_USAGE,
        "control: a time factor of %zu linear maps with %zu frequencies: at most %d maps and 1 to %d "
        "frequencies are handled",
        layers, waves, FG_FACTOR_LAYERS, FG_WIDTH_MAX);
  if (layers > 1 && (s->factor_width < 1 || s->factor_width > FG_WIDTH_MAX))
    return FG_FAIL(st, FG_USAGE, "control: the time factor has the width %zu: 1 to %d are handled",
                   s->factor_width, FG_WIDTH_MAX);
  bool finite = fg_network_bad_entry(s->factor_frequency, waves) == waves &&
                (!s->factor_phase || fg_network_bad_entry(s->factor_phase, waves) == waves);
  for (size_t l = 0; l < layers; ++l) {
    const size_t in = fg_factor_inputs(s, l), out = fg_factor_outputs(s, l);
    if (!s->factor_weights[l])
      return FG_FAIL(st, FG_USAGE, "control: map %zu of the time factor has no weights", l + 1);
    finite = finite && fg_network_bad_entry(s->factor_weights[l], in * out) == in * out &&
             (!s->factor_biases[l] || fg_network_bad_entry(s->factor_biases[l], out) == out);
  }
  if (!finite) return FG_FAIL(st, FG_USAGE, "control: a number of the time factor is not finite");
  return FG_OK;
}

size_t fg_factor_inputs(const fg_network_settings *s, size_t l)
{
  return l == 0 ? 2 * s->factor_frequencies : s->factor_width;
}

size_t fg_factor_outputs(const fg_network_settings *s, size_t l)
{
  return l + 1 < s->factor_layers ? s->factor_width : 1;
}

static fg_code check_noising(const fg_network_settings *s, fg_status *st)
{
  const fg_network_settings *v = s->noising;
  if (!v) return FG_OK;
  if (s->guide->reference != FG_RELATIVE_TO_BRIDGE)
    return FG_FAIL(st, FG_USAGE, "control: only that of a bridge has a noising control beside it");
  if (v->dimension != s->dimension || v->form != FG_VECTOR || !v->guide || v->guide->score != FG_GUIDE_NONE ||
      v->noising)
    return FG_FAIL(
        st, FG_USAGE,
        "control: its noising control must have the same dimension and the vector form, and no score "
        "information");
  return fg_network_check(v, st);
}

fg_code fg_guide_check(const fg_network_settings *s, fg_status *st)
{
  const fg_guide_settings *guide = s->guide;
  if (!guide && s->noising)
    return FG_FAIL(st, FG_USAGE, "network: a noising control belongs to a bridge, and there is no guide");
  if (!guide && s->factor_layers)
    return FG_FAIL(st, FG_USAGE, "network: a time factor belongs to a guide, and there is none");
  if (!guide) return FG_OK;
  if (s->form == FG_VECTOR && s->output != FG_OUTPUT_CONTROL)
    return FG_FAIL(st, FG_USAGE, "control: the output of the vector form is %s: it must be control",
                   fg_network_outputs[s->output]);
  if (!(guide->clip > 0))
    return FG_FAIL(st, FG_USAGE, "control: the clip is %g: give a number > 0, infinity for none",
                   guide->clip);
  if (guide->score == FG_GUIDE_INTERPOLATED)
    FG_TRY(positive("variance of the prior", guide->prior_variance, st));
  if (guide->reference == FG_RELATIVE_TO_STATIONARY)
    FG_TRY(positive("variance of the reference", guide->variance, st));
  if (guide->reference == FG_RELATIVE_TO_PINNED) FG_TRY(positive("pin of the reference", guide->pin, st));
  FG_TRY(check_noising(s, st));
  return check_factor(s, st);
}

/* The pinned reference has a constant g, and its pin lies at T or later. */
static fg_code check_process(const fg_guide_settings *guide, const fg_process *process, fg_status *st)
{
  const double horizon = fg_process_horizon(process);
  if (guide->reference != FG_RELATIVE_TO_PINNED) return FG_OK;
  if (guide->pin < horizon)
    return FG_FAIL(st, FG_USAGE, "control: its reference is pinned at %g, before process.horizon, %g",
                   guide->pin, horizon);
  if (fg_process_g2(process, 0) != fg_process_g2(process, horizon))
    return FG_FAIL(st, FG_USAGE,
                   "control: a pinned reference needs a process of constant g: give process.kind: pinned");
  return FG_OK;
}

static fg_code check_target(const fg_network_settings *s, const fg_target *target, fg_status *st)
{
  if (s->guide->score == FG_GUIDE_NONE) return FG_OK;
  if (!target)
    return FG_FAIL(
        st, FG_USAGE,
        "the control uses the score of its target: give target.kind, the target that it was trained "
        "on");
  if (fg_target_dimension(target) == s->dimension) return FG_OK;
  return FG_FAIL(st, FG_USAGE, "the control has dimension %zu, the target %s has %zu", s->dimension,
                 fg_target_name(target), fg_target_dimension(target));
}

static void fill_guide(const fg_guide_settings *s, fg_field_guide *guide)
{
  static const fg_guide_reference references[] = {FG_REFERENCE_NONE, FG_REFERENCE_STATIONARY,
                                                  FG_REFERENCE_PINNED, FG_REFERENCE_NONE};
  guide->interpolated = s->score == FG_GUIDE_INTERPOLATED;
  guide->prior_variance = s->prior_variance;
  guide->clip = s->clip;
  guide->reference = references[s->reference];
  guide->variance = s->variance;
  guide->pin = s->pin;
}

/* The density in engine memory, which the model then owns. */
static fg_code add_density(fg_model *model, const fg_target *target, fg_status *st)
{
  fg_buf buffers[FG_DENSITY_BUFFERS];
  size_t count = 0;
  FG_TRY(fg_target_density(target, model->engine, &model->field.guide.density, buffers, &count, st));
  for (size_t i = 0; i < count; i++) model->buffer[model->buffers++] = buffers[i];
  if (model->field.guide.density.kind == FG_DENSITY_PLUGIN && strncmp(model->engine->name, "cpu", 3) != 0)
    return FG_FAIL(
        st, FG_UNSUPPORTED,
        "target %s is computed by functions of the host, which engine %s cannot call: use --engine cpu",
        fg_target_name(target), model->engine->name);
  return FG_OK;
}

fg_code fg_model_control(fg_engine *engine, const fg_network_settings *settings, const fg_target *target,
                         const fg_process *process, fg_model **model, fg_status *st)
{
  fg_code rc = FG_OK;
  *model = NULL;
  if (!settings->guide)
    return FG_FAIL(st, FG_USAGE, "a control needs a guide; a network alone is made by fg_model_network");
  FG_TRY(fg_network_check(settings, st));
  FG_TRY(check_process(settings->guide, process, st));
  FG_TRY(check_target(settings, target, st));
  FG_TRY(fg_network_create("control", engine, settings, process, model, st));
  fg_field *field = &(*model)->field;
  field->guided = 1;
  fill_guide(settings->guide, &field->guide);
  if (settings->guide->reference == FG_RELATIVE_TO_BRIDGE) { /* its potential is no log-density */
    (*model)->bridge = true;
    field->quantities &= ~(unsigned)(FG_PHI | FG_PHI_T | FG_RESIDUAL);
  }
  field->guide.density.kind = FG_DENSITY_NONE;
  field->guide.density.d = field->d;
  if (settings->guide->score != FG_GUIDE_NONE) FG_GO(add_density(*model, target, st), fail);
  if (settings->noising) FG_GO(fg_network_add_noising(*model, settings->noising, process, st), fail);
  return FG_OK;
fail:
  fg_model_destroy(model);
  return rc;
}

/* Trained networks as safetensors: samplers with the names of the PyTorch reference, score models with those of an
 * nn.Sequential, which the rows model.* read back. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/safetensors.h"
#include "engine.h"
#include "model/model.h"
#include "sde/coeff.h"
#include "target/prior.h"

#include "flowgap/train.h"

enum { FG_TENSORS = 2 * FG_LAYERS_MAX + 2 * FG_FACTOR_LAYERS + 8, FG_NOTES = 48, FG_NAME = 64 };

typedef struct fg_export {
  const fg_network_settings *network;
  const fg_settings *settings;
  bool single;
  fg_tensor_source tensor[FG_TENSORS];
  char name[FG_TENSORS][FG_NAME];
  size_t shape[FG_TENSORS][2];
  size_t tensors;
  fg_tensor_note note[FG_NOTES];
  char key[FG_NOTES][FG_NAME];
  char *text[FG_NOTES]; /* owned */
  size_t notes;
  bool failed; /* memory ran out */
} fg_export;

/* ---- tensors ------------------------------------------------------------------------------ */

static void add_tensor(fg_export *e, int rank, size_t rows, size_t columns, const double *values,
                       const char *format, ...) FG_PRINTF(6, 7);
static void add_tensor(fg_export *e, int rank, size_t rows, size_t columns, const double *values,
                       const char *format, ...)
{
  size_t k = e->tensors++;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(e->name[k], FG_NAME, format, arguments);
  va_end(arguments);
  e->shape[k][0] = rows;
  e->shape[k][1] = columns;
  e->tensor[k] = (fg_tensor_source){e->name[k], rank, e->shape[k], values, e->single};
}

/* Weights [out, in] and, unless NULL, biases [out]. */
static void add_map(fg_export *e, const char *stem, size_t out, size_t in, const double *weights,
                    const double *biases)
{
  add_tensor(e, 2, out, in, weights, "%s.weight", stem);
  if (biases) add_tensor(e, 1, out, 1, biases, "%s.bias", stem);
}

static void add_base(fg_export *e)
{
  const fg_network_settings *n = e->network;
  size_t count = n->frequencies, width = n->embedding_width;
  for (size_t l = 0; l < n->layers; l++) {
    char stem[FG_NAME];
    if (l == 0)
      snprintf(stem, sizeof stem, "base_model.input_embed");
    else if (l == n->layers - 1)
      snprintf(stem, sizeof stem, "base_model.out_layer");
    else
      snprintf(stem, sizeof stem, "base_model.hidden_layer.%zu", l - 1);
    add_map(e, stem, n->widths[l + 1], n->widths[l], n->weights[l], n->biases[l]);
  }
  add_tensor(e, 2, 1, count, n->phase, "base_model.timestep_embed.timestep_phase");
  add_map(e, "base_model.timestep_embed.hidden_layer.0", width, 2 * count, n->embedding_weights[0],
          n->embedding_biases[0]);
  add_map(e, "base_model.timestep_embed.out_layer", n->widths[1], width, n->embedding_weights[1],
          n->embedding_biases[1]);
}

static void add_factor(fg_export *e)
{
  const fg_network_settings *n = e->network;
  size_t layers = n->factor_layers, count = n->factor_frequencies;
  add_tensor(e, 2, 1, count, n->factor_phase, "score_model.timestep_phase");
  for (size_t l = 0; l < layers; l++) {
    char stem[FG_NAME];
    bool last = l == layers - 1;
    if (last)
      snprintf(stem, sizeof stem, "score_model.out_layer");
    else
      snprintf(stem, sizeof stem, "score_model.hidden_layer.%zu", l);
    add_map(e, stem, last ? 1 : n->factor_width, l == 0 ? 2 * count : n->factor_width, n->factor_weights[l],
            n->factor_biases[l]);
  }
}

/* A factor of 1, which the reference has no other way to say: one wave of weight 0, bias 1. */
static void add_unit_factor(fg_export *e)
{
  static const double zero[2] = {0, 0}, one[1] = {1};
  add_tensor(e, 2, 1, 1, zero, "score_model.timestep_phase");
  add_map(e, "score_model.out_layer", 1, 2, zero, one);
}

/* ---- metadata ----------------------------------------------------------------------------- */

static void add_note(fg_export *e, const char *key, const char *text)
{
  size_t k = e->notes++;
  snprintf(e->key[k], FG_NAME, "%s", key);
  e->text[k] = strdup(text);
  e->failed = e->failed || !e->text[k];
  e->note[k] = (fg_tensor_note){e->key[k], e->text[k]};
}

static void add_number(fg_export *e, const char *key, double value)
{
  char text[40];
  snprintf(text, sizeof text, "%.17g", value);
  add_note(e, key, text);
}

static void add_process(fg_export *e, const fg_process_settings *p)
{
  static const char *const kinds[] = {"ou", "vp", "ve", "bm", "pinned"};
  add_note(e, "process.kind", kinds[p->kind]);
  /* generative time runs from the pin */
  add_number(e, "process.horizon", p->kind == FG_PROCESS_PINNED ? p->pin : p->horizon);
  switch (p->kind) {
  case FG_PROCESS_OU:
    add_number(e, "process.rate", p->rate);
    add_number(e, "process.diff", p->diff);
    break;
  case FG_PROCESS_VP:
    add_number(e, "process.beta_min", p->beta_min);
    add_number(e, "process.beta_max", p->beta_max);
    add_number(e, "process.scale", p->scale);
    break;
  case FG_PROCESS_VE:
    add_number(e, "process.sigma_min", p->sigma_min);
    add_number(e, "process.sigma_max", p->sigma_max);
    break;
  case FG_PROCESS_PINNED:
    add_number(e, "process.pin", p->pin);
    add_number(e, "process.diff", p->diff);
    break;
  case FG_PROCESS_BM:
    add_number(e, "process.diff", p->diff);
    break;
  }
}

/* Numbers as a flat JSON list. */
static void add_list(fg_export *e, const char *key, const double *values, size_t count)
{
  size_t room = 30 * count + 3, used = 0;
  char *text = malloc(room);
  if (!text) {
    e->failed = true;
    return;
  }
  for (size_t k = 0; k < count; k++)
    used += (size_t)snprintf(text + used, room - used, "%s%.17g", k ? ", " : "[", values[k]);
  snprintf(text + used, room - used, "]");
  add_note(e, key, text);
  free(text);
}

/* The rows target.* that were given; the others are at the defaults that both sides know. */
static void add_target(fg_export *e)
{
  size_t rows;
  const fg_setting *table = fg_settings_table(&rows);
  for (size_t i = 0; i < rows && e->notes < FG_NOTES; i++) {
    const char *key = table[i].key, *text;
    const double *values;
    size_t shape[3];
    int64_t integer;
    double real;
    if (strncmp(key, "target.", 7) != 0 || !fg_settings_given(e->settings, key)) continue;
    if (table[i].type == FG_SETTING_REAL && fg_settings_real(e->settings, key, &real, NULL) == FG_OK)
      add_number(e, key, real);
    if (table[i].type == FG_SETTING_INTEGER && fg_settings_integer(e->settings, key, &integer, NULL) == FG_OK)
      add_number(e, key, (double)integer);
    if (table[i].type == FG_SETTING_CHOICE && fg_settings_text(e->settings, key, &text, NULL) == FG_OK)
      add_note(e, key, text);
    if (table[i].type == FG_SETTING_ARRAY &&
        fg_settings_array(e->settings, key, &values, shape, NULL) == FG_OK && values)
      add_list(e, key, values, shape[0] * shape[1] * shape[2]);
  }
}

static void add_notes(fg_export *e, const fg_process_settings *process, const fg_prior *prior)
{
  static const char *const methods[] = {"dis", "dds", "pis",
                                        "bridge"}; /* by what the control is relative to */
  static const char *const scores[] = {"none", "target", "interpolated"};
  const fg_network_settings *n = e->network;
  fg_prior_view view = fg_prior_look(prior);
  add_note(e, "format", "flowgap-control-1");
  add_note(e, "method", methods[n->guide->reference]);
  add_note(e, "form", n->form == FG_POTENTIAL ? "potential" : "vector");
  add_note(e, "score", scores[n->guide->score]);
  add_number(e, "dimension", (double)n->dimension);
  add_number(e, "clip", n->guide->clip);
  add_number(e, "frequency_first", n->frequency[0]);
  add_number(e, "frequency_last", n->frequency[n->frequencies - 1]);
  add_process(e, process);
  add_number(e, "prior.variance", view.kind == FG_PRIOR_POINT ? 0 : view.variance);
  add_target(e);
}

/* ---- score models -------------------------------------------------------------------------- */

/* Linear maps at the even places of an nn.Sequential, activations between them: model.layers may be left out. */
static void add_sequential(fg_export *e)
{
  const fg_network_settings *n = e->network;
  for (size_t l = 0; l < n->layers; l++) {
    char stem[FG_NAME];
    snprintf(stem, sizeof stem, "%zu", 2 * l);
    add_map(e, stem, n->widths[l + 1], n->widths[l], n->weights[l], n->biases ? n->biases[l] : NULL);
  }
  if (n->time != FG_TIME_EMBEDDED) return;
  add_map(e, "embedding.0", n->embedding_width, 2 * n->frequencies, n->embedding_weights[0],
          n->embedding_biases[0]);
  add_map(e, "embedding.2", n->widths[1], n->embedding_width, n->embedding_weights[1],
          n->embedding_biases[1]);
}

/* Singles where each number is one, so that the file gives the same bits in either case. */
static bool fits_single(const fg_export *e)
{
  for (size_t k = 0; k < e->tensors; k++) {
    size_t count = e->shape[k][0] * e->shape[k][1];
    for (size_t i = 0; i < count; i++)
      if ((double)(float)e->tensor[k].values[i] != e->tensor[k].values[i]) return false;
  }
  return true;
}

/* The rows model.* that describe the network, as YAML has them. */
static void add_description(fg_export *e)
{
  const fg_network_settings *n = e->network;
  bool waves = n->time == FG_TIME_FOURIER || n->time == FG_TIME_EMBEDDED;
  add_note(e, "format", "flowgap-network-1");
  add_number(e, "dimension", (double)n->dimension);
  add_note(e, "model.kind", "network");
  add_note(e, "model.form", fg_network_forms[n->form]);
  add_note(e, "model.output", fg_network_outputs[n->output]);
  add_note(e, "model.activation", fg_network_activations[n->activation]);
  add_number(e, "model.beta", n->beta);
  add_number(e, "model.threshold", n->threshold);
  add_note(e, "model.time_reversed", n->time_reversed ? "true" : "false");
  add_note(e, "model.embedding", waves ? fg_network_times[n->time] : "none");
  add_note(e, "model.inputs", waves ? "[x]" : n->time == FG_TIME_FIRST ? "[t, x]" : "[x, t]");
  if (!waves) return;
  add_list(e, "model.frequencies", n->frequency, n->frequencies);
  if (n->phase) add_list(e, "model.phases", n->phase, n->frequencies);
  if (n->time == FG_TIME_EMBEDDED) add_note(e, "model.embedding_layers", "[embedding.0, embedding.2]");
}

static void fill_score(fg_export *e, const fg_model *model, const fg_prior *prior)
{
  fg_prior_view view = fg_prior_look(prior);
  add_sequential(e);
  bool single = fits_single(e);
  for (size_t k = 0; k < e->tensors; k++) e->tensor[k].single = single;
  add_description(e);
  add_process(e, fg_process_look(fg_model_process(model)));
  add_number(e, "prior.variance", view.kind == FG_PRIOR_POINT ? 0 : view.variance);
  add_target(e);
}

/* ---- the file ----------------------------------------------------------------------------- */

static fg_code check(const fg_network_settings *n, fg_status *st)
{
  if (!n)
    return FG_FAIL(
        st, FG_UNSUPPORTED,
        "only networks are exported, and this model is made from its target: give the run directory "
        "of a training");
  if (!n->guide) return FG_OK;
  bool embedded = n->time == FG_TIME_EMBEDDED && n->biases && n->phase;
  for (size_t l = 0; embedded && l < n->layers; l++) embedded = n->biases[l] != NULL;
  if (!embedded)
    return FG_FAIL(
        st, FG_UNSUPPORTED,
        "the PyTorch reference knows controls with an embedded time and biases alone: give the run "
        "directory of a trained sampler");
  if (n->activation != FG_GELU)
    return FG_FAIL(st, FG_UNSUPPORTED, "the PyTorch reference knows the activation gelu alone");
  return FG_OK;
}

static fg_code fill_control(fg_export *e, const fg_model *model, const fg_prior *prior, fg_status *st)
{
  const char *precision;
  FG_TRY(fg_settings_text(e->settings, "train.precision", &precision, st));
  e->single = strcmp(precision, "single") == 0;
  add_base(e);
  if (e->network->guide->score != FG_GUIDE_NONE) {
    if (e->network->factor_layers)
      add_factor(e);
    else
      add_unit_factor(e);
  }
  add_notes(e, fg_process_look(fg_model_process(model)), prior);
  return FG_OK;
}

static fg_code fill(fg_export *e, const fg_model *model, const fg_prior *prior, fg_status *st)
{
  if (e->network->guide)
    FG_TRY(fill_control(e, model, prior, st));
  else
    fill_score(e, model, prior);
  return e->failed ? FG_FAIL(st, FG_MEMORY, "no memory to export a network") : FG_OK;
}

fg_code fg_train_export(const fg_model *model, const fg_prior *prior, const fg_settings *settings,
                        const char *path, fg_status *st)
{
  const fg_network_settings *network = fg_model_network_settings(model);
  FG_TRY(check(network, st));
  fg_export *e = calloc(1, sizeof *e);
  if (!e) return FG_FAIL(st, FG_MEMORY, "no memory to export a network");
  e->network = network;
  e->settings = settings;
  fg_code rc = fill(e, model, prior, st);
  if (rc == FG_OK) rc = fg_safetensors_write_noted(path, e->tensor, e->tensors, e->note, e->notes, st);
  for (size_t k = 0; k < e->notes; k++) free(e->text[k]);
  free(e);
  return rc;
}

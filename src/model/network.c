/* Multilayer perceptrons as models: checked, copied, packed for the engine. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_impl.h"
#include "model/network_impl.h"
#include "network_pack.h"

size_t fg_network_inputs(const fg_network_settings *s)
{
  switch (s->time) {
  case FG_TIME_FIRST:
  case FG_TIME_LAST:
    return s->dimension + 1;
  case FG_TIME_FOURIER:
    return s->dimension + 2 * s->frequencies;
  case FG_TIME_EMBEDDED:
    return s->dimension;
  }
  return 0;
}

size_t fg_network_bad_entry(const double *values, size_t count)
{
  size_t k = 0;
  while (k < count && isfinite(values[k])) ++k;
  return k;
}

/* ---- checks ------------------------------------------------------------------------------- */

static fg_code check_array(const char *what, size_t layer, const double *values, size_t count, fg_status *st)
{
  size_t bad = values ? fg_network_bad_entry(values, count) : count;
  if (bad == count) return FG_OK;
  return FG_FAIL(st, FG_USAGE, "network: entry %zu of the %s of layer %zu is not finite (%g)", bad, what,
                 layer + 1, values[bad]);
}

static fg_code check_layers(const fg_network_settings *s, fg_status *st)
{
  if (s->layers < 1 || s->layers > FG_LAYERS_MAX)
    return FG_FAIL(st, FG_USAGE, "network: %zu linear maps, 1 to %d are handled", s->layers, FG_LAYERS_MAX);
  for (size_t l = 0; l <= s->layers; ++l)
    if (s->widths[l] < 1 || s->widths[l] > FG_WIDTH_MAX)
      return FG_FAIL(st, FG_USAGE, "network: width %zu is %zu, 1 to %d are handled", l + 1, s->widths[l],
                     FG_WIDTH_MAX);
  size_t in = fg_network_inputs(s), out = s->form == FG_POTENTIAL ? 1 : s->dimension;
  if (s->widths[0] != in)
    return FG_FAIL(st, FG_USAGE,
                   "network: the first layer takes %zu inputs, dimension %zu with its time input needs %zu",
                   s->widths[0], s->dimension, in);
  if (s->widths[s->layers] != out)
    return FG_FAIL(st, FG_USAGE,
                   "network: the last layer gives %zu outputs, form %s in dimension %zu needs %zu",
                   s->widths[s->layers], fg_network_forms[s->form], s->dimension, out);
  for (size_t l = 0; l < s->layers; ++l) {
    if (!s->weights[l]) return FG_FAIL(st, FG_USAGE, "network: layer %zu has no weights", l + 1);
    FG_TRY(check_array("weights", l, s->weights[l], s->widths[l] * s->widths[l + 1], st));
    FG_TRY(check_array("biases", l, s->biases ? s->biases[l] : NULL, s->widths[l + 1], st));
  }
  return FG_OK;
}

static fg_code check_time(const fg_network_settings *s, fg_status *st)
{
  if (s->time != FG_TIME_FOURIER && s->time != FG_TIME_EMBEDDED) return FG_OK;
  if (!s->frequencies || !s->frequency || s->frequencies > FG_WIDTH_MAX)
    return FG_FAIL(st, FG_USAGE, "network: the time embedding needs 1 to %d frequencies", FG_WIDTH_MAX);
  if (fg_network_bad_entry(s->frequency, s->frequencies) < s->frequencies ||
      (s->phase && fg_network_bad_entry(s->phase, s->frequencies) < s->frequencies))
    return FG_FAIL(st, FG_USAGE, "network: a frequency or phase of the time embedding is not finite");
  if (s->time == FG_TIME_FOURIER) return FG_OK;
  if (s->embedding_width < 1 || s->embedding_width > FG_WIDTH_MAX || !s->embedding_weights[0] ||
      !s->embedding_weights[1])
    return FG_FAIL(st, FG_USAGE, "network: an embedded time needs two linear maps of width 1 to %d",
                   FG_WIDTH_MAX);
  size_t h = s->embedding_width, first = s->widths[1];
  FG_TRY(check_array("embedding's weights", 0, s->embedding_weights[0], h * 2 * s->frequencies, st));
  FG_TRY(check_array("embedding's weights", 1, s->embedding_weights[1], first * h, st));
  FG_TRY(check_array("embedding's biases", 0, s->embedding_biases[0], h, st));
  return check_array("embedding's biases", 1, s->embedding_biases[1], first, st);
}

fg_code fg_network_check(const fg_network_settings *s, fg_status *st)
{
  if (s->dimension < 1 || s->dimension > FG_WIDTH_MAX)
    return FG_FAIL(st, FG_USAGE, "network: dimension %zu, 1 to %d are handled", s->dimension, FG_WIDTH_MAX);
  if (s->activation == FG_SOFTPLUS && !(s->beta > 0 && isfinite(s->beta) && s->threshold >= 0))
    return FG_FAIL(st, FG_USAGE,
                   "network: softplus with beta %g and threshold %g: give beta > 0, threshold >= 0", s->beta,
                   s->threshold);
  FG_TRY(check_layers(s, st));
  FG_TRY(check_time(s, st));
  return fg_guide_check(s, st);
}

/* ---- the model's own copy ----------------------------------------------------------------- */

void fg_network_store_free(void *memory)
{
  fg_network_store *store = memory;
  if (!store) return;
  for (int l = 0; l < FG_LAYERS_MAX; ++l) {
    free(store->weights[l]);
    free(store->biases[l]);
  }
  for (int k = 0; k < 2; ++k) {
    free(store->embedding_weights[k]);
    free(store->embedding_biases[k]);
  }
  for (int l = 0; l < FG_FACTOR_LAYERS; ++l) {
    free(store->factor_weights[l]);
    free(store->factor_biases[l]);
  }
  free(store->factor_frequency);
  free(store->factor_phase);
  free(store->frequency);
  free(store->phase);
  fg_network_store_free(store->noising);
  free(store);
}

void fg_network_store_link(fg_network_store *store)
{
  fg_network_settings *s = &store->settings;
  s->widths = store->widths;
  s->weights = (const double *const *)store->weights;
  s->biases = (const double *const *)store->biases;
  s->frequency = store->frequency;
  s->phase = store->phase;
  for (int k = 0; k < 2; ++k) {
    s->embedding_weights[k] = store->embedding_weights[k];
    s->embedding_biases[k] = store->embedding_biases[k];
  }
  if (s->guide) s->guide = &store->guide;
  s->noising = store->noising ? &store->noising->settings : NULL;
  s->factor_frequency = store->factor_frequency;
  s->factor_phase = store->factor_phase;
  for (int l = 0; l < FG_FACTOR_LAYERS; ++l) {
    s->factor_weights[l] = store->factor_weights[l];
    s->factor_biases[l] = store->factor_biases[l];
  }
}

/* false only when memory ran out */
static bool copy_array(const double *from, size_t count, double **to)
{
  if (!from || !count) return true;
  *to = malloc(count * sizeof(double));
  if (*to) memcpy(*to, from, count * sizeof(double));
  return *to != NULL;
}

static bool copy_guide(const fg_network_settings *s, fg_network_store *store)
{
  bool good = true;
  if (!s->guide) return true;
  store->guide = *s->guide;
  const size_t waves = s->factor_layers ? s->factor_frequencies : 0;
  good = copy_array(s->factor_frequency, waves, &store->factor_frequency) &&
         copy_array(s->factor_phase, waves, &store->factor_phase);
  for (size_t l = 0; good && l < s->factor_layers; ++l) {
    const size_t in = fg_factor_inputs(s, l), out = fg_factor_outputs(s, l);
    good = copy_array(s->factor_weights[l], in * out, &store->factor_weights[l]) &&
           copy_array(s->factor_biases[l], out, &store->factor_biases[l]);
  }
  return good;
}

fg_code fg_network_store_copy(const fg_network_settings *s, fg_network_store **out, fg_status *st)
{
  fg_network_store *store = calloc(1, sizeof *store);
  bool good = store != NULL;
  if (good) store->settings = *s;
  for (size_t l = 0; good && l <= s->layers; ++l) store->widths[l] = s->widths[l];
  for (size_t l = 0; good && l < s->layers; ++l)
    good = copy_array(s->weights[l], s->widths[l] * s->widths[l + 1], &store->weights[l]) &&
           copy_array(s->biases ? s->biases[l] : NULL, s->widths[l + 1], &store->biases[l]);
  bool waves = s->time == FG_TIME_FOURIER || s->time == FG_TIME_EMBEDDED;
  size_t f = waves ? s->frequencies : 0, h = s->time == FG_TIME_EMBEDDED ? s->embedding_width : 0;
  good = good && copy_array(s->frequency, f, &store->frequency) && copy_array(s->phase, f, &store->phase) &&
         copy_array(s->embedding_weights[0], h * 2 * f, &store->embedding_weights[0]) &&
         copy_array(s->embedding_weights[1], h * s->widths[1], &store->embedding_weights[1]) &&
         copy_array(s->embedding_biases[0], h, &store->embedding_biases[0]) &&
         copy_array(s->embedding_biases[1], h ? s->widths[1] : 0, &store->embedding_biases[1]) &&
         copy_guide(s, store);
  if (!good) {
    fg_network_store_free(store);
    return FG_FAIL(st, FG_MEMORY, "no memory for the weights of a network");
  }
  store->settings.frequencies = f;
  store->settings.embedding_width = h;
  fg_code rc = s->noising ? fg_network_store_copy(s->noising, &store->noising, st) : FG_OK;
  if (rc != FG_OK) {
    fg_network_store_free(store);
    return rc;
  }
  fg_network_store_link(store);
  *out = store;
  return FG_OK;
}

/* ---- the model ----------------------------------------------------------------------------- */

static void fill_field(const fg_network_settings *s, const fg_process *process, fg_field *field)
{
  fg_field_network *net = &field->as.network;
  memset(field, 0, sizeof *field);
  field->kind = FG_FIELD_NETWORK;
  field->d = (int)s->dimension;
  field->quantities = FG_SCORE | FG_DIVERGENCE | FG_JVP;
  if (s->form == FG_POTENTIAL) field->quantities |= FG_PHI | FG_PHI_T | FG_RESIDUAL;
  net->form = s->form;
  net->output = s->form == FG_POTENTIAL ? FG_OUTPUT_SCORE : s->output;
  net->activation = s->activation;
  net->time = s->time;
  net->time_reversed = s->time_reversed;
  net->beta = s->beta;
  net->threshold = s->threshold;
  const bool pinned = s->guide && s->guide->reference == FG_RELATIVE_TO_PINNED;
  net->horizon = pinned ? s->guide->pin : fg_process_horizon(process); /* where its generative time is 0 */
  net->layers = (int)s->layers;
  for (size_t l = 0; l <= s->layers; ++l) net->width[l] = (int)s->widths[l];
  net->frequencies = (int)s->frequencies;
  net->embedding_width = (int)s->embedding_width;
  net->factor_layers = (int)s->factor_layers;
  net->factor_width = (int)s->factor_width;
  net->factor_frequencies = s->factor_layers ? (int)s->factor_frequencies : 0;
}

/* The field's weights into memory of the model. */
static fg_code pack_and_upload(fg_model *model, fg_field *field, const fg_network_settings *s, fg_status *st)
{
  fg_field_network *net = &field->as.network;
  size_t count = fg_network_pack_size(field);
  double *wide = malloc(count * sizeof *wide);
  float *narrow = malloc(count * sizeof *narrow);
  fg_code rc = FG_OK;
  if (!wide || !narrow) rc = FG_FAIL(st, FG_MEMORY, "no memory for the weights of a network");
  if (rc == FG_OK) {
    fg_network_pack(field, s, wide);
    fg_network_pack_single(field, s, narrow);
    rc = fg_model_upload(model, wide, count * sizeof *wide, &net->packed_double, st);
  }
  if (rc == FG_OK) rc = fg_model_upload(model, narrow, count * sizeof *narrow, &net->packed_single, st);
  free(wide);
  free(narrow);
  return rc;
}

fg_code fg_network_create(const char *name, fg_engine *engine, const fg_network_settings *settings,
                          const fg_process *process, fg_model **out, fg_status *st)
{
  fg_network_store *store;
  fg_model *model = NULL;
  *out = NULL;
  FG_TRY(fg_network_store_copy(settings, &store, st));
  fg_code rc = fg_model_new(name, engine, process, &model, st);
  if (rc != FG_OK) {
    fg_network_store_free(store);
    return rc;
  }
  model->settings = store;
  model->free_settings = fg_network_store_free;
  fill_field(&store->settings, process, &model->field);
  rc = pack_and_upload(model, &model->field, &store->settings, st);
  if (rc != FG_OK) {
    fg_model_destroy(&model);
    return rc;
  }
  *out = model;
  return FG_OK;
}

fg_code fg_network_add_noising(fg_model *model, const fg_network_settings *s, const fg_process *process,
                               fg_status *st)
{
  fg_field noising;
  fill_field(s, process, &noising);
  FG_TRY(pack_and_upload(model, &noising, s, st));
  model->field.noising = noising.as.network;
  model->field.noising_clip = s->guide->clip;
  model->field.paired = 1;
  model->field.share = -1; /* the score (u + v) / g */
  return FG_OK;
}

fg_code fg_model_network(fg_engine *engine, const fg_network_settings *settings, const fg_process *process,
                         fg_model **model, fg_status *st)
{
  *model = NULL;
  FG_TRY(fg_network_check(settings, st));
  if (settings->guide)
    return FG_FAIL(st, FG_USAGE, "network: it has a guide, which needs a target: use fg_model_control");
  return fg_network_create("network", engine, settings, process, model, st);
}

const fg_network_settings *fg_model_network_settings(const fg_model *model)
{
  const fg_network_store *store = model->field.kind == FG_FIELD_NETWORK ? model->settings : NULL;
  return store ? &store->settings : NULL;
}

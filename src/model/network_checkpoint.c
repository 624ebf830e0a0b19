/* Networks in flowgap's own HDF5 files.
 *
 * Attributes of the root: format, form, output, activation, time. Data sets: widths [L + 1],
 * dimension, time_reversed, beta, threshold, layer<l>/weight [out, in], layer<l>/bias [out] (optional),
 * frequency [F], phase [F] (optional), embedding<k>/weight, embedding<k>/bias (optional).
 * A control has the attributes guide_score and guide_reference too, and the data sets guide_prior_variance,
 * guide_clip (absent: none), guide_variance, guide_pin, and of its time factor, where it has one, factor_frequency,
 * factor_phase (optional), factor<l>/weight, factor<l>/bias (optional).
 * A bridge has its noising control too, a vector form of the same hidden widths, activation and time: noising/layer<l>/..,
 * noising/frequency, noising/phase, noising/embedding<k>/.., and noising/clip (absent: none).
 * Doubles are stored as they are, so a network that is read back gives the same bits. Format "flowgap network 1"
 * had no controls; it is read as well. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hdf5.h"
#include "model/checkpoint.h"
#include "model/model_impl.h"
#include "model/network_impl.h"

static const char *const formats[] = {"flowgap network 2", "flowgap network 1"};

const char *const fg_network_forms[2] = {"potential", "vector"};
const char *const fg_network_outputs[3] = {"score", "noise", "control"};
const char *const fg_network_activations[5] = {"softplus", "gelu", "silu", "tanh", "sine"};
const char *const fg_network_times[4] = {"first", "last", "fourier", "embedded"};
const char *const fg_guide_scores[3] = {"none", "target", "interpolated"};
const char *const fg_guide_references[4] = {"none", "stationary", "pinned", "bridge"};

int fg_network_word(const char *const *words, int count, const char *word)
{
  for (int k = 0; k < count; ++k)
    if (!strcmp(words[k], word)) return k;
  return -1;
}

/* ---- writing ------------------------------------------------------------------------------ */

static fg_code put_map(fg_h5 *file, const char *group, int number, size_t out, size_t in,
                       const double *weights, const double *biases, fg_status *st)
{
  char name[64];
  size_t shape[2] = {out, in};
  snprintf(name, sizeof name, "%s%d/weight", group, number);
  FG_TRY(fg_h5_write_real(file, name, 2, shape, weights, st));
  snprintf(name, sizeof name, "%s%d/bias", group, number);
  return biases ? fg_h5_write_real(file, name, 1, shape, biases, st) : FG_OK;
}

static fg_code put_description(fg_h5 *file, const fg_network_settings *s, fg_status *st)
{
  int64_t widths[FG_LAYERS_MAX + 1], dimension = (int64_t)s->dimension, reversed = s->time_reversed;
  size_t count = s->layers + 1;
  for (size_t l = 0; l < count; ++l) widths[l] = (int64_t)s->widths[l];
  FG_TRY(fg_h5_write_text(file, "format", formats[0], st));
  FG_TRY(fg_h5_write_text(file, "form", fg_network_forms[s->form], st));
  FG_TRY(fg_h5_write_text(file, "output", fg_network_outputs[s->output], st));
  FG_TRY(fg_h5_write_text(file, "activation", fg_network_activations[s->activation], st));
  FG_TRY(fg_h5_write_text(file, "time", fg_network_times[s->time], st));
  FG_TRY(fg_h5_write_integer(file, "widths", 1, &count, widths, st));
  FG_TRY(fg_h5_write_integer(file, "dimension", 0, NULL, &dimension, st));
  FG_TRY(fg_h5_write_integer(file, "time_reversed", 0, NULL, &reversed, st));
  FG_TRY(fg_h5_write_real(file, "beta", 0, NULL, &s->beta, st));
  return fg_h5_write_real(file, "threshold", 0, NULL, &s->threshold, st);
}

static fg_code put_guide(fg_h5 *file, const fg_network_settings *s, fg_status *st)
{
  const fg_guide_settings *guide = s->guide;
  if (!guide) return FG_OK;
  FG_TRY(fg_h5_write_text(file, "guide_score", fg_guide_scores[guide->score], st));
  FG_TRY(fg_h5_write_text(file, "guide_reference", fg_guide_references[guide->reference], st));
  FG_TRY(fg_h5_write_real(file, "guide_prior_variance", 0, NULL, &guide->prior_variance, st));
  if (isfinite(guide->clip)) FG_TRY(fg_h5_write_real(file, "guide_clip", 0, NULL, &guide->clip, st));
  FG_TRY(fg_h5_write_real(file, "guide_variance", 0, NULL, &guide->variance, st));
  FG_TRY(fg_h5_write_real(file, "guide_pin", 0, NULL, &guide->pin, st));
  if (!s->factor_layers) return FG_OK;
  FG_TRY(fg_h5_write_real(file, "factor_frequency", 1, &s->factor_frequencies, s->factor_frequency, st));
  if (s->factor_phase)
    FG_TRY(fg_h5_write_real(file, "factor_phase", 1, &s->factor_frequencies, s->factor_phase, st));
  for (size_t l = 0; l < s->factor_layers; ++l)
    FG_TRY(put_map(file, "factor", (int)l, fg_factor_outputs(s, l), fg_factor_inputs(s, l),
                   s->factor_weights[l], s->factor_biases[l], st));
  return FG_OK;
}

static fg_code put_noising(fg_h5 *file, const fg_network_settings *s, fg_status *st)
{
  if (!s) return FG_OK;
  for (size_t l = 0; l < s->layers; ++l)
    FG_TRY(put_map(file, "noising/layer", (int)l, s->widths[l + 1], s->widths[l], s->weights[l], s->biases[l],
                   st));
  FG_TRY(fg_h5_write_real(file, "noising/frequency", 1, &s->frequencies, s->frequency, st));
  FG_TRY(fg_h5_write_real(file, "noising/phase", 1, &s->frequencies, s->phase, st));
  if (isfinite(s->guide->clip)) FG_TRY(fg_h5_write_real(file, "noising/clip", 0, NULL, &s->guide->clip, st));
  FG_TRY(put_map(file, "noising/embedding", 0, s->embedding_width, 2 * s->frequencies,
                 s->embedding_weights[0], s->embedding_biases[0], st));
  return put_map(file, "noising/embedding", 1, s->widths[1], s->embedding_width, s->embedding_weights[1],
                 s->embedding_biases[1], st);
}

fg_code fg_network_put(fg_h5 *file, const fg_network_settings *s, fg_status *st)
{
  FG_TRY(put_description(file, s, st));
  FG_TRY(put_noising(file, s->noising, st));
  for (size_t l = 0; l < s->layers; ++l)
    FG_TRY(put_map(file, "layer", (int)l, s->widths[l + 1], s->widths[l], s->weights[l],
                   s->biases ? s->biases[l] : NULL, st));
  FG_TRY(put_guide(file, s, st));
  if (s->frequencies) FG_TRY(fg_h5_write_real(file, "frequency", 1, &s->frequencies, s->frequency, st));
  if (s->phase) FG_TRY(fg_h5_write_real(file, "phase", 1, &s->frequencies, s->phase, st));
  if (s->time != FG_TIME_EMBEDDED) return FG_OK;
  FG_TRY(put_map(file, "embedding", 0, s->embedding_width, 2 * s->frequencies, s->embedding_weights[0],
                 s->embedding_biases[0], st));
  return put_map(file, "embedding", 1, s->widths[1], s->embedding_width, s->embedding_weights[1],
                 s->embedding_biases[1], st);
}

fg_code fg_model_save(const fg_model *model, const char *path, fg_status *st)
{
  fg_h5 *file;
  if (model->field.kind != FG_FIELD_NETWORK || !model->settings)
    return FG_FAIL(st, FG_UNSUPPORTED, "%s: a model of kind %s has no weights to save", path, model->name);
  const fg_network_store *store = model->settings;
  FG_TRY(fg_h5_create(path, &file, st));
  fg_code rc = fg_network_put(file, &store->settings, st);
  if (rc == FG_OK) return fg_h5_commit(&file, st);
  fg_h5_close(&file);
  return rc;
}

/* ---- reading ------------------------------------------------------------------------------ */

static fg_code get_word(fg_h5 *file, const char *path, const char *attribute, const char *const *words,
                        int count, int *value, fg_status *st)
{
  char *text;
  FG_TRY(fg_h5_read_text(file, attribute, &text, st));
  *value = fg_network_word(words, count, text);
  fg_code rc = FG_OK;
  if (*value < 0)
    rc = FG_FAIL(st, FG_IO, "%s: attribute %s is \"%.40s\", which is not known", path, attribute, text);
  free(text);
  return rc;
}

/* Integers [count <= most]. */
static fg_code get_integers(fg_h5 *file, const char *path, const char *name, size_t most, int64_t *values,
                            size_t *count, fg_status *st)
{
  int rank;
  size_t shape[FG_H5_RANK_MAX];
  int64_t *read;
  FG_TRY(fg_h5_read_integer(file, name, &rank, shape, &read, st));
  *count = shape[0];
  bool fits = rank <= 1 && shape[0] >= 1 && shape[0] <= most;
  if (fits) memcpy(values, read, shape[0] * sizeof *values);
  free(read);
  return fits ? FG_OK
              : FG_FAIL(st, FG_IO, "%s: data set %s should hold 1 to %zu numbers: damaged", path, name, most);
}

static fg_code get_array(fg_h5 *file, const char *path, const char *name, bool optional, size_t rows,
                         size_t columns, double **values, fg_status *st)
{
  int rank;
  size_t shape[FG_H5_RANK_MAX];
  if (optional && !fg_h5_has(file, name)) return FG_OK;
  FG_TRY(fg_h5_read_real(file, name, &rank, shape, values, st));
  if (shape[0] != rows || shape[1] != columns || shape[2] != 1 || shape[3] != 1)
    return FG_FAIL(st, FG_IO, "%s: data set %s has the shape [%zu, %zu], it should have [%zu, %zu]: damaged",
                   path, name, shape[0], shape[1], rows, columns);
  size_t bad = fg_network_bad_entry(*values, rows * columns);
  if (bad == rows * columns) return FG_OK;
  return FG_FAIL(st, FG_IO, "%s: data set %s: entry [%zu, %zu] is not finite (%g)", path, name, bad / columns,
                 bad % columns, (*values)[bad]);
}

static fg_code get_map(fg_h5 *file, const char *path, const char *group, int number, size_t out, size_t in,
                       double **weights, double **biases, fg_status *st)
{
  char name[64];
  snprintf(name, sizeof name, "%s%d/weight", group, number);
  FG_TRY(get_array(file, path, name, false, out, in, weights, st));
  snprintf(name, sizeof name, "%s%d/bias", group, number);
  return get_array(file, path, name, true, out, 1, biases, st);
}

static fg_code get_number(fg_h5 *file, const char *path, const char *name, double *value, fg_status *st)
{
  double *read = NULL;
  fg_code rc = get_array(file, path, name, false, 1, 1, &read, st);
  if (rc == FG_OK) *value = *read;
  free(read);
  return rc;
}

static fg_code get_description(fg_h5 *file, const char *path, fg_network_store *store, fg_status *st)
{
  fg_network_settings *s = &store->settings;
  int format, form, output, activation, time;
  int64_t widths[FG_LAYERS_MAX + 1], dimension, reversed;
  size_t count, one;
  FG_TRY(get_word(file, path, "format", formats, 2, &format, st));
  FG_TRY(get_word(file, path, "form", fg_network_forms, 2, &form, st));
  FG_TRY(get_word(file, path, "output", fg_network_outputs, 3, &output, st));
  FG_TRY(get_word(file, path, "activation", fg_network_activations, 5, &activation, st));
  FG_TRY(get_word(file, path, "time", fg_network_times, 4, &time, st));
  FG_TRY(get_integers(file, path, "widths", FG_LAYERS_MAX + 1, widths, &count, st));
  FG_TRY(get_integers(file, path, "dimension", 1, &dimension, &one, st));
  FG_TRY(get_integers(file, path, "time_reversed", 1, &reversed, &one, st));
  FG_TRY(get_number(file, path, "beta", &s->beta, st));
  FG_TRY(get_number(file, path, "threshold", &s->threshold, st));
  s->form = (fg_network_form)form;
  s->output = (fg_network_output)output;
  s->activation = (fg_activation)activation;
  s->time = (fg_time_input)time;
  s->time_reversed = reversed != 0;
  s->layers = count - 1;
  bool good = count >= 2 && dimension >= 1 && dimension <= FG_WIDTH_MAX;
  for (size_t l = 0; l < count; ++l) {
    good = good && widths[l] >= 1 && widths[l] <= FG_WIDTH_MAX;
    store->widths[l] = good ? (size_t)widths[l] : 0;
  }
  s->dimension = good ? (size_t)dimension : 0;
  return good ? FG_OK : FG_FAIL(st, FG_IO, "%s: its widths are not those of a network: damaged", path);
}

static fg_code get_embedding(fg_h5 *file, const char *path, fg_network_store *store, fg_status *st)
{
  fg_network_settings *s = &store->settings;
  int rank;
  size_t shape[FG_H5_RANK_MAX];
  if (s->time != FG_TIME_FOURIER && s->time != FG_TIME_EMBEDDED) return FG_OK;
  FG_TRY(fg_h5_shape(file, "frequency", &rank, shape, st));
  s->frequencies = shape[0];
  FG_TRY(get_array(file, path, "frequency", false, shape[0], 1, &store->frequency, st));
  FG_TRY(get_array(file, path, "phase", true, shape[0], 1, &store->phase, st));
  if (s->time == FG_TIME_FOURIER) return FG_OK;
  FG_TRY(fg_h5_shape(file, "embedding0/weight", &rank, shape, st));
  s->embedding_width = shape[0];
  FG_TRY(get_map(file, path, "embedding", 0, shape[0], 2 * s->frequencies, &store->embedding_weights[0],
                 &store->embedding_biases[0], st));
  return get_map(file, path, "embedding", 1, store->widths[1], shape[0], &store->embedding_weights[1],
                 &store->embedding_biases[1], st);
}

/* A value that is not used may be anything finite. */
static fg_code get_guide(fg_h5 *file, const char *path, fg_network_store *store, fg_status *st)
{
  fg_guide_settings *guide = &store->guide;
  int score, reference;
  if (!fg_h5_has_text(file, "guide_score")) return FG_OK;
  FG_TRY(get_word(file, path, "guide_score", fg_guide_scores, 3, &score, st));
  FG_TRY(get_word(file, path, "guide_reference", fg_guide_references, 4, &reference, st));
  guide->score = (fg_guide_score)score;
  guide->reference = (fg_guide_reference_kind)reference;
  guide->clip = (double)INFINITY;
  FG_TRY(get_number(file, path, "guide_prior_variance", &guide->prior_variance, st));
  if (fg_h5_has(file, "guide_clip")) FG_TRY(get_number(file, path, "guide_clip", &guide->clip, st));
  FG_TRY(get_number(file, path, "guide_variance", &guide->variance, st));
  FG_TRY(get_number(file, path, "guide_pin", &guide->pin, st));
  store->settings.guide = guide;
  return FG_OK;
}

static fg_code get_factor(fg_h5 *file, const char *path, fg_network_store *store, fg_status *st)
{
  fg_network_settings *s = &store->settings;
  int rank;
  char name[64];
  size_t shape[FG_H5_RANK_MAX];
  if (!s->guide || !fg_h5_has(file, "factor_frequency")) return FG_OK;
  FG_TRY(fg_h5_shape(file, "factor_frequency", &rank, shape, st));
  s->factor_frequencies = shape[0];
  FG_TRY(get_array(file, path, "factor_frequency", false, shape[0], 1, &store->factor_frequency, st));
  FG_TRY(get_array(file, path, "factor_phase", true, shape[0], 1, &store->factor_phase, st));
  for (; s->factor_layers < FG_FACTOR_LAYERS; ++s->factor_layers) {
    snprintf(name, sizeof name, "factor%zu/weight", s->factor_layers);
    if (!fg_h5_has(file, name)) break;
  }
  if (s->factor_layers > 1) {
    FG_TRY(fg_h5_shape(file, "factor0/weight", &rank, shape, st));
    s->factor_width = shape[0];
  }
  for (size_t l = 0; l < s->factor_layers; ++l)
    FG_TRY(get_map(file, path, "factor", (int)l, fg_factor_outputs(s, l), fg_factor_inputs(s, l),
                   &store->factor_weights[l], &store->factor_biases[l], st));
  return s->factor_layers ? FG_OK
                          : FG_FAIL(st, FG_IO, "%s: its time factor has no linear maps: damaged", path);
}

/* What it shares with the control comes from there. */
static fg_code get_noising(fg_h5 *file, const char *path, fg_network_store *control, fg_status *st)
{
  if (!fg_h5_has(file, "noising/layer0/weight")) return FG_OK;
  fg_network_store *store = control->noising = calloc(1, sizeof *store);
  if (!store) return FG_FAIL(st, FG_MEMORY, "no memory for a network");
  const fg_network_settings *c = &control->settings;
  fg_network_settings *s = &store->settings;
  if (c->time != FG_TIME_EMBEDDED)
    return FG_FAIL(st, FG_IO, "%s: its time is not embedded, as a bridge's is: damaged", path);
  *s = (fg_network_settings){.form = FG_VECTOR,
                             .output = FG_OUTPUT_CONTROL,
                             .activation = c->activation,
                             .beta = c->beta,
                             .threshold = c->threshold,
                             .time = c->time,
                             .time_reversed = c->time_reversed,
                             .dimension = c->dimension,
                             .layers = c->layers,
                             .frequencies = c->frequencies,
                             .embedding_width = c->embedding_width,
                             .guide = &store->guide};
  const size_t waves = s->frequencies, width = s->embedding_width, *w = store->widths;
  memcpy(store->widths, control->widths, sizeof store->widths);
  store->widths[s->layers] = s->dimension;
  store->guide = (fg_guide_settings){.reference = FG_RELATIVE_TO_BRIDGE, .clip = (double)INFINITY};
  for (size_t l = 0; l < s->layers; ++l)
    FG_TRY(get_map(file, path, "noising/layer", (int)l, w[l + 1], w[l], &store->weights[l], &store->biases[l],
                   st));
  FG_TRY(get_array(file, path, "noising/frequency", false, waves, 1, &store->frequency, st));
  FG_TRY(get_array(file, path, "noising/phase", true, waves, 1, &store->phase, st));
  if (fg_h5_has(file, "noising/clip")) FG_TRY(get_number(file, path, "noising/clip", &store->guide.clip, st));
  FG_TRY(get_map(file, path, "noising/embedding", 0, width, 2 * waves, &store->embedding_weights[0],
                 &store->embedding_biases[0], st));
  FG_TRY(get_map(file, path, "noising/embedding", 1, w[1], width, &store->embedding_weights[1],
                 &store->embedding_biases[1], st));
  fg_network_store_link(store);
  return FG_OK;
}

/* A row that says something else than the file (a row left at its default says nothing). */
static fg_code check_word(const fg_settings *settings, const char *path, const char *key, const char *stored,
                          fg_status *st)
{
  const char *given;
  if (!fg_settings_given(settings, key)) return FG_OK;
  FG_TRY(fg_settings_text(settings, key, &given, st));
  if (!strcmp(given, stored)) return FG_OK;
  return FG_FAIL(
      st, FG_USAGE,
      "%s is %s, but the checkpoint %s says %s: remove the setting, the file describes its network", key,
      given, path, stored);
}

static fg_code check_number(const fg_settings *settings, const char *path, const char *key, double stored,
                            fg_status *st)
{
  double given;
  if (!fg_settings_given(settings, key)) return FG_OK;
  FG_TRY(fg_settings_real(settings, key, &given, st));
  if (given == stored) return FG_OK;
  return FG_FAIL(st, FG_USAGE,
                 "%s is %.17g, but the checkpoint %s says %.17g: remove the setting, the file describes its "
                 "network",
                 key, given, path, stored);
}

static fg_code check_rows(const fg_settings *settings, const char *path, const fg_network_settings *s,
                          fg_status *st)
{
  FG_TRY(check_word(settings, path, "model.form", fg_network_forms[s->form], st));
  FG_TRY(check_word(settings, path, "model.output", fg_network_outputs[s->output], st));
  FG_TRY(check_word(settings, path, "model.activation", fg_network_activations[s->activation], st));
  FG_TRY(check_number(settings, path, "model.beta", s->beta, st));
  return check_number(settings, path, "model.threshold", s->threshold, st);
}

static fg_code get_network(const fg_settings *settings, fg_h5 *file, const char *path,
                           fg_network_store *store, fg_status *st)
{
  if (!fg_h5_has_text(file, "format"))
    return FG_FAIL(st, FG_IO,
                   "%s: an HDF5 file, but no flowgap network (no attribute format); weights from PyTorch "
                   "come as safetensors",
                   path);
  FG_TRY(get_description(file, path, store, st));
  for (size_t l = 0; l < store->settings.layers; ++l)
    FG_TRY(get_map(file, path, "layer", (int)l, store->widths[l + 1], store->widths[l], &store->weights[l],
                   &store->biases[l], st));
  FG_TRY(get_embedding(file, path, store, st));
  FG_TRY(get_guide(file, path, store, st));
  FG_TRY(get_factor(file, path, store, st));
  FG_TRY(get_noising(file, path, store, st));
  fg_network_store_link(store);
  return check_rows(settings, path, &store->settings, st);
}

fg_code fg_network_from_checkpoint(const fg_settings *settings, const char *path, fg_network_store *store,
                                   fg_status *st)
{
  fg_h5 *file;
  FG_TRY(fg_h5_open(path, &file, st));
  fg_code rc = get_network(settings, file, path, store, st);
  fg_h5_close(&file);
  return rc;
}

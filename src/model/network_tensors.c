/* Weights of a network from a safetensors file, as the rows model.* describe it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/safetensors.h"
#include "model/network_impl.h"
#include "model/network_order.h"

typedef struct network_import {
  const fg_settings *settings;
  const char *path;
  const fg_target *target;
  const fg_tensors *tensors;
  fg_network_store *store;
  fg_linear layer[FG_LAYERS_MAX];
  const char *const *embedding; /* two stems, or none */
  size_t embedding_count;
  fg_status *st;
} network_import;

/* Decode "<stem>.<part>"; every entry must be finite. An optional tensor may be absent. */
static fg_code take(network_import *in, const char *stem, const char *part, bool optional, int rank,
                    size_t rows, size_t columns, double **values)
{
  char name[160], list[600], shape[64];
  snprintf(shape, sizeof shape, rank == 2 ? "[%zu, %zu]" : "[%zu]", rows, columns);
  if (snprintf(name, sizeof name, "%s.%s", stem, part) >= (int)sizeof name)
    return FG_FAIL(in->st, FG_USAGE, "model.layers: the name %.40s... is too long", stem);
  const fg_tensor *t = fg_tensors_find(in->tensors, name);
  if (!t && optional) return FG_OK;
  if (!t)
    return FG_FAIL(in->st, FG_USAGE, "%s: there is no tensor %s (from model.layers); it holds %s", in->path,
                   name, fg_network_list(in->tensors, list, sizeof list));
  if (!fg_tensor_is_real(t))
    return FG_FAIL(in->st, FG_IO, "%s: tensor %s has type %s; weights are read as F64, F32, F16 or BF16",
                   in->path, name, t->dtype);
  if (t->rank != rank || t->shape[0] != rows || (rank == 2 && t->shape[1] != columns))
    return FG_FAIL(in->st, FG_USAGE,
                   "%s: tensor %s has rank %d and %zu entries, it should have the shape [%zu%s%zu]", in->path,
                   name, t->rank, t->count, rows, rank == 2 ? ", " : "] x ", rank == 2 ? columns : 1);
  *values = malloc(t->count * sizeof(double));
  if (!*values) return FG_FAIL(in->st, FG_MEMORY, "%s: no memory for tensor %s", in->path, name);
  fg_tensor_decode(t, *values);
  size_t bad = fg_network_bad_entry(*values, t->count);
  if (bad == t->count) return FG_OK;
  if (rank == 1)
    return FG_FAIL(in->st, FG_IO, "%s: tensor %s: entry [%zu] is not finite (%g)", in->path, name, bad,
                   (*values)[bad]);
  return FG_FAIL(in->st, FG_IO, "%s: tensor %s: entry [%zu, %zu] is not finite (%g)", in->path, name,
                 bad / columns, bad % columns, (*values)[bad]);
}

/* Shapes of the maps that model.layers names. */
static fg_code named_layers(network_import *in, const char *const *stems, size_t count)
{
  char name[160], list[600];
  if (count > FG_LAYERS_MAX)
    return FG_FAIL(in->st, FG_USAGE, "model.layers: %zu linear maps, at most %d are handled", count,
                   FG_LAYERS_MAX);
  for (size_t l = 0; l < count; ++l) {
    fg_linear *linear = &in->layer[l];
    if (strlen(stems[l]) >= sizeof linear->stem)
      return FG_FAIL(in->st, FG_USAGE, "model.layers: the name %.40s... is too long", stems[l]);
    strcpy(linear->stem, stems[l]);
    snprintf(name, sizeof name, "%s.weight", stems[l]);
    const fg_tensor *t = fg_tensors_find(in->tensors, name);
    if (!t)
      return FG_FAIL(in->st, FG_USAGE, "%s: there is no tensor %s (from model.layers); it holds %s", in->path,
                     name, fg_network_list(in->tensors, list, sizeof list));
    if (t->rank != 2)
      return FG_FAIL(in->st, FG_USAGE, "%s: tensor %s has rank %d; a linear map is [outputs, inputs]",
                     in->path, name, t->rank);
    linear->out = t->shape[0];
    linear->in = t->shape[1];
  }
  in->store->settings.layers = count;
  return FG_OK;
}

/* Inputs of the first map that carry time. */
static size_t time_inputs(const network_import *in)
{
  fg_network_settings bare = in->store->settings;
  bare.dimension = 0;
  return fg_network_inputs(&bare);
}

/* Dimension of the target, or as the settings give it; 0 if neither says. */
static fg_code known_dimension(const network_import *in, size_t *dimension)
{
  int64_t given = 0;
  if (!in->target && fg_settings_given(in->settings, "target.dimension"))
    FG_TRY(fg_settings_integer(in->settings, "target.dimension", &given, in->st));
  *dimension = in->target ? fg_target_dimension(in->target) : given > 0 ? (size_t)given : 0;
  return FG_OK;
}

static fg_code find_layers(network_import *in)
{
  const char *const *stems;
  size_t count;
  fg_ends ends = {0, time_inputs(in), in->store->settings.form == FG_POTENTIAL};
  FG_TRY(known_dimension(in, &ends.dimension));
  FG_TRY(fg_settings_words(in->settings, "model.layers", &stems, &count, in->st));
  if (count) return named_layers(in, stems, count);
  return fg_network_order(in->path, in->tensors, in->embedding, in->embedding_count, &ends, in->layer,
                          &in->store->settings.layers, in->st);
}

static fg_code check_chain(network_import *in)
{
  size_t layers = in->store->settings.layers, *widths = in->store->widths;
  for (size_t l = 0; l < layers; ++l) {
    const fg_linear *a = &in->layer[l], *b = &in->layer[l + 1];
    widths[l] = a->in;
    widths[l + 1] = a->out;
    if (!a->in || !a->out || a->in > FG_WIDTH_MAX || a->out > FG_WIDTH_MAX)
      return FG_FAIL(in->st, FG_USAGE, "%s: %s.weight is [%zu, %zu]; widths of 1 to %d are handled", in->path,
                     a->stem, a->out, a->in, FG_WIDTH_MAX);
    if (l + 1 < layers && a->out != b->in)
      return FG_FAIL(
          in->st, FG_USAGE,
          "%s: %s.weight [%zu, %zu] gives %zu values but %s.weight [%zu, %zu] takes %zu: check the order in "
          "model.layers",
          in->path, a->stem, a->out, a->in, a->out, b->stem, b->out, b->in, b->in);
  }
  const double *expected;
  size_t shape[3];
  FG_TRY(fg_settings_array(in->settings, "model.widths", &expected, shape, in->st));
  if (!expected) return FG_OK;
  if (shape[0] != layers + 1 || shape[1] != 1)
    return FG_FAIL(in->st, FG_USAGE,
                   "model.widths lists %zu widths, the network of %s has %zu: inputs, then the "
                   "outputs of each layer",
                   shape[0] * shape[1], in->path, layers + 1);
  for (size_t l = 0; l <= layers; ++l)
    if (expected[l] != (double)widths[l])
      return FG_FAIL(in->st, FG_USAGE, "model.widths: entry %zu is %g, in %s the width is %zu (%s.weight)",
                     l + 1, expected[l], in->path, widths[l], in->layer[l ? l - 1 : 0].stem);
  return FG_OK;
}

/* Dimension from the target, else from the setting, else what the input leaves beside time. */
static fg_code find_dimension(network_import *in)
{
  size_t width = in->store->widths[0], time = time_inputs(in), rest = width > time ? width - time : 0, known;
  FG_TRY(known_dimension(in, &known));
  in->store->settings.dimension = rest;
  if (rest && (!known || known == rest)) return FG_OK;
  char target[64] = "";
  if (known) snprintf(target, sizeof target, "; the target has dimension %zu", known);
  return FG_FAIL(
      in->st, FG_USAGE,
      "%s: %s.weight takes %zu inputs, of which %zu carry time%s: check model.inputs, model.embedding and "
      "the target",
      in->path, in->layer[0].stem, width, time, target);
}

static fg_code check_output(network_import *in)
{
  const fg_network_settings *s = &in->store->settings;
  size_t out = in->store->widths[s->layers];
  const char *stem = in->layer[s->layers - 1].stem;
  if (s->form == FG_POTENTIAL && out != 1)
    return FG_FAIL(in->st, FG_USAGE,
                   "%s: %s.weight gives %zu outputs, a potential has 1: set model.form: vector if "
                   "they are the score",
                   in->path, stem, out);
  if (s->form == FG_VECTOR && out != s->dimension)
    return FG_FAIL(in->st, FG_USAGE,
                   "%s: %s.weight gives %zu outputs, a vector form in dimension %zu has %zu%s", in->path,
                   stem, out, s->dimension, s->dimension,
                   out == 1 ? ": set model.form: potential if it is log p" : "");
  return FG_OK;
}

/* The two maps of the embedding, [h, 2F] and [first width, h]. */
static fg_code take_embedding(network_import *in)
{
  fg_network_settings *s = &in->store->settings;
  char name[160];
  if (s->time != FG_TIME_EMBEDDED) return FG_OK;
  snprintf(name, sizeof name, "%.140s.weight", in->embedding[0]);
  const fg_tensor *first = fg_tensors_find(in->tensors, name);
  s->embedding_width = first && first->rank == 2 ? first->shape[0] : 0;
  size_t rows[2] = {s->embedding_width, in->store->widths[1]};
  size_t columns[2] = {2 * s->frequencies, s->embedding_width};
  for (int k = 0; k < 2; ++k) {
    FG_TRY(take(in, in->embedding[k], "weight", false, 2, rows[k], columns[k],
                &in->store->embedding_weights[k]));
    FG_TRY(take(in, in->embedding[k], "bias", true, 1, rows[k], 1, &in->store->embedding_biases[k]));
  }
  return FG_OK;
}

static fg_code import_all(network_import *in)
{
  FG_TRY(find_layers(in));
  FG_TRY(check_chain(in));
  FG_TRY(find_dimension(in));
  FG_TRY(check_output(in));
  fg_network_store *store = in->store;
  for (size_t l = 0; l < store->settings.layers; ++l) {
    const fg_linear *linear = &in->layer[l];
    FG_TRY(take(in, linear->stem, "weight", false, 2, linear->out, linear->in, &store->weights[l]));
    FG_TRY(take(in, linear->stem, "bias", true, 1, linear->out, 1, &store->biases[l]));
  }
  FG_TRY(take_embedding(in));
  fg_network_store_link(store);
  return FG_OK;
}

fg_code fg_network_from_tensors(const fg_settings *settings, const char *path, const fg_target *target,
                                fg_network_store *store, fg_status *st)
{
  fg_tensors tensors;
  network_import in = {
      .settings = settings, .path = path, .target = target, .tensors = &tensors, .store = store, .st = st};
  FG_TRY(fg_settings_words(settings, "model.embedding_layers", &in.embedding, &in.embedding_count, st));
  FG_TRY(fg_safetensors_read(path, &tensors, st));
  fg_code rc = import_all(&in);
  fg_tensors_clear(&tensors);
  return rc;
}

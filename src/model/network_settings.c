/* A model from the rows model.* of the settings. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hdf5.h"
#include "model/model_impl.h"
#include "model/network_impl.h"

static fg_code get_choice(const fg_settings *settings, const char *key, const char *const *words, int count,
                          int *value, fg_status *st)
{
  const char *word;
  FG_TRY(fg_settings_text(settings, key, &word, st));
  *value = fg_network_word(words, count, word);
  return *value >= 0 ? FG_OK : FG_FAIL(st, FG_USAGE, "%s is %s, which is not known", key, word);
}

static fg_code copy_list(const fg_settings *settings, const char *key, double **values, size_t *count,
                         fg_status *st)
{
  const double *list;
  size_t shape[3];
  FG_TRY(fg_settings_array(settings, key, &list, shape, st));
  *count = 0;
  if (!list) return FG_OK;
  if (shape[1] != 1 || shape[2] != 1) return FG_FAIL(st, FG_USAGE, "%s: give a plain list of numbers", key);
  *values = malloc(shape[0] * sizeof(double));
  if (!*values) return FG_FAIL(st, FG_MEMORY, "no memory for %s", key);
  memcpy(*values, list, shape[0] * sizeof(double));
  *count = shape[0];
  return FG_OK;
}

/* model.embedding and model.inputs together say how time comes in. */
static fg_code get_time(const fg_settings *settings, fg_network_settings *s, fg_status *st)
{
  static const char *const embeddings[] = {"none", "fourier", "embedded"};
  const char *const *inputs;
  size_t count;
  int embedding;
  FG_TRY(get_choice(settings, "model.embedding", embeddings, 3, &embedding, st));
  FG_TRY(fg_settings_words(settings, "model.inputs", &inputs, &count, st));
  bool both = count == 2 && strcmp(inputs[0], inputs[1]) != 0;
  if (embedding == 0) {
    if (!both)
      return FG_FAIL(st, FG_USAGE,
                     "model.inputs: without a time embedding the network takes t and x: give [t, x] or "
                     "[x, t]");
    s->time = !strcmp(inputs[0], "t") ? FG_TIME_FIRST : FG_TIME_LAST;
    return FG_OK;
  }
  if (fg_settings_given(settings, "model.inputs") && !(count == 1 && !strcmp(inputs[0], "x")))
    return FG_FAIL(st, FG_USAGE,
                   "model.inputs: with model.embedding: %s time comes through the embedding alone: give "
                   "[x]",
                   embeddings[embedding]);
  s->time = embedding == 1 ? FG_TIME_FOURIER : FG_TIME_EMBEDDED;
  return FG_OK;
}

static fg_code get_waves(const fg_settings *settings, fg_network_store *store, fg_status *st)
{
  fg_network_settings *s = &store->settings;
  size_t phases, count;
  const char *const *stems;
  if (s->time != FG_TIME_FOURIER && s->time != FG_TIME_EMBEDDED) return FG_OK;
  FG_TRY(copy_list(settings, "model.frequencies", &store->frequency, &s->frequencies, st));
  FG_TRY(copy_list(settings, "model.phases", &store->phase, &phases, st));
  if (!s->frequencies)
    return FG_FAIL(st, FG_USAGE, "model.frequencies is empty: list the frequencies of the time embedding");
  if (phases && phases != s->frequencies)
    return FG_FAIL(st, FG_USAGE, "model.phases lists %zu phases for %zu frequencies", phases, s->frequencies);
  FG_TRY(fg_settings_words(settings, "model.embedding_layers", &stems, &count, st));
  if (s->time == FG_TIME_EMBEDDED && count != 2)
    return FG_FAIL(st, FG_USAGE,
                   "model.embedding_layers lists %zu names: give those of the embedding's two linear "
                   "maps",
                   count);
  return FG_OK;
}

static fg_code get_description(const fg_settings *settings, fg_network_store *store, fg_status *st)
{
  fg_network_settings *s = &store->settings;
  int form, output, activation;
  FG_TRY(get_choice(settings, "model.form", fg_network_forms, 2, &form, st));
  FG_TRY(get_choice(settings, "model.output", fg_network_outputs, 3, &output, st));
  FG_TRY(get_choice(settings, "model.activation", fg_network_activations, 5, &activation, st));
  FG_TRY(fg_settings_real(settings, "model.beta", &s->beta, st));
  FG_TRY(fg_settings_real(settings, "model.threshold", &s->threshold, st));
  FG_TRY(fg_settings_flag(settings, "model.time_reversed", &s->time_reversed, st));
  s->form = (fg_network_form)form;
  s->output = (fg_network_output)output;
  s->activation = (fg_activation)activation;
  FG_TRY(get_time(settings, s, st));
  return get_waves(settings, store, st);
}

/* model.file, relative to the folder of the file that names it; free() it. */
static fg_code get_path(const fg_settings *settings, char **path, fg_status *st)
{
  const char *file;
  FG_TRY(fg_settings_text(settings, "model.file", &file, st));
  if (!*file)
    return FG_FAIL(st, FG_USAGE,
                   "model.file is empty: name the weights of the network (safetensors or a flowgap "
                   "checkpoint), or give the run directory of one training (RUN/seed-1 of several)");
  const char *folder = *file == '/' ? "" : fg_settings_folder(settings, "model.file");
  size_t room = strlen(folder) + strlen(file) + 2;
  *path = malloc(room);
  if (!*path) return FG_FAIL(st, FG_MEMORY, "no memory for the name of a file");
  snprintf(*path, room, "%s%s%s", folder, *folder ? "/" : "", file);
  return FG_OK;
}

static fg_code read_network(const fg_settings *settings, const char *path, const fg_target *target,
                            fg_network_store *store, fg_status *st)
{
  FILE *stream;
  size_t size;
  unsigned char magic[8];
  FG_TRY(fg_file_open(path, &stream, &size, st));
  size_t got = fread(magic, 1, sizeof magic, stream);
  fclose(stream);
  if (!fg_h5_signature(magic, got)) {
    FG_TRY(get_description(settings, store, st));
    return fg_network_from_tensors(settings, path, target, store, st);
  }
  FG_TRY(fg_network_from_checkpoint(settings, path, store, st));
  if (target && fg_target_dimension(target) != store->settings.dimension)
    return FG_FAIL(st, FG_USAGE, "%s: its network has dimension %zu, the target %s has %zu", path,
                   store->settings.dimension, fg_target_name(target), fg_target_dimension(target));
  return FG_OK;
}

static fg_code network(fg_engine *engine, const fg_settings *settings, const fg_target *target,
                       const fg_process *process, fg_model **model, fg_status *st)
{
  char *path = NULL;
  FG_TRY(get_path(settings, &path, st));
  fg_network_store *store = calloc(1, sizeof *store);
  fg_code rc = store ? FG_OK : FG_FAIL(st, FG_MEMORY, "no memory for a network");
  if (rc == FG_OK) rc = read_network(settings, path, target, store, st);
  if (rc == FG_OK) {
    rc = store->settings.guide ? fg_model_control(engine, &store->settings, target, process, model, st)
                               : fg_model_network(engine, &store->settings, process, model, st);
    if (rc != FG_OK) fg_status_prefix(st, "%s: ", path);
  }
  fg_network_store_free(store);
  free(path);
  return rc;
}

static fg_code perturbed(fg_engine *engine, const fg_settings *settings, const fg_target *target,
                         const fg_process *process, fg_model **model, fg_status *st)
{
  fg_perturbation p;
  fg_perturbation_defaults(&p);
  FG_TRY(fg_settings_real(settings, "model.epsilon", &p.epsilon, st));
  FG_TRY(fg_settings_real(settings, "model.wave", &p.wave, st));
  FG_TRY(fg_settings_real(settings, "model.length", &p.length, st));
  FG_TRY(fg_settings_real(settings, "model.decay", &p.decay, st));
  return fg_model_perturbed(engine, target, process, &p, model, st);
}

fg_code fg_model_from_settings(fg_engine *engine, const fg_settings *settings, const fg_target *target,
                               const fg_process *process, fg_model **model, fg_status *st)
{
  static const char *const kinds[] = {"exact", "perturbed", "network"};
  int kind;
  *model = NULL;
  FG_TRY(fg_settings_check(settings, "model", st));
  FG_TRY(get_choice(settings, "model.kind", kinds, 3, &kind, st));
  if (kind == 2) return network(engine, settings, target, process, model, st);
  if (!target)
    return FG_FAIL(st, FG_USAGE,
                   "model.kind: %s is made from a target: give target.kind, a mixture such as gmm9",
                   kinds[kind]);
  if (kind == 1) return perturbed(engine, settings, target, process, model, st);
  return fg_model_exact(engine, target, process, model, st);
}

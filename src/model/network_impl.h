/* A network on its way into a model: its own copy of the description and the weights. */
#ifndef FG_NETWORK_IMPL_H
#define FG_NETWORK_IMPL_H

#include "engine.h"
#include "flowgap/model.h"
#include "model/model.h"

enum { FG_WIDTH_MAX = 65536 };

/* `settings` points into the other members. */
typedef struct fg_network_store {
  fg_network_settings settings;
  size_t widths[FG_LAYERS_MAX + 1];
  double *weights[FG_LAYERS_MAX], *biases[FG_LAYERS_MAX];
  double *frequency, *phase;
  double *embedding_weights[2], *embedding_biases[2];
  fg_guide_settings guide; /* in use while settings.guide is not NULL */
  double *factor_frequency, *factor_phase;
  double *factor_weights[FG_FACTOR_LAYERS], *factor_biases[FG_FACTOR_LAYERS];
  struct fg_network_store *noising; /* of settings.noising, or NULL */
} fg_network_store;

void fg_network_store_free(void *store); /* the store itself too; NULL is accepted */
/* Let settings.weights, widths, ... point at what the store holds. */
void fg_network_store_link(fg_network_store *store);
FG_CHECKED fg_code fg_network_store_copy(const fg_network_settings *settings, fg_network_store **store,
                                         fg_status *st);

/* Inputs of the first linear map: x and what the time input adds. */
size_t fg_network_inputs(const fg_network_settings *settings);
/* Everything that a description must satisfy before it is packed; layers are named by number. */
FG_CHECKED fg_code fg_network_check(const fg_network_settings *settings, fg_status *st);

/* The part of it that is a control's. */
FG_CHECKED fg_code fg_guide_check(const fg_network_settings *settings, fg_status *st);
/* Shape of map l of the time factor. */
size_t fg_factor_inputs(const fg_network_settings *settings, size_t l);
size_t fg_factor_outputs(const fg_network_settings *settings, size_t l);
/* A model of settings that were checked; without its guide and its noising control. */
FG_CHECKED fg_code fg_network_create(const char *name, fg_engine *engine, const fg_network_settings *settings,
                                     const fg_process *process, fg_model **model, fg_status *st);

/* field->noising from the settings, with its weights in engine memory of the model. */
FG_CHECKED fg_code fg_network_add_noising(fg_model *model, const fg_network_settings *settings,
                                          const fg_process *process, fg_status *st);

/* Weights from a safetensors file: model.layers and the other rows of the settings say how. */
FG_CHECKED fg_code fg_network_from_tensors(const fg_settings *settings, const char *path,
                                           const fg_target *target, fg_network_store *store, fg_status *st);
/* A flowgap checkpoint describes itself; rows that say otherwise are an error. */
FG_CHECKED fg_code fg_network_from_checkpoint(const fg_settings *settings, const char *path,
                                              fg_network_store *store, fg_status *st);

/* Words of the settings, as in model/model.h. */
extern const char *const fg_guide_scores[3], *const fg_guide_references[4];
/* Place of a word among `count`, or -1. */
int fg_network_word(const char *const *words, int count, const char *word);

/* First entry that is not finite, or `count`. */
size_t fg_network_bad_entry(const double *values, size_t count);

#endif

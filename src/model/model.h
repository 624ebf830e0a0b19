/* What flow and analysis see of a model beyond flowgap/model.h: the field that engines work with. */
#ifndef FG_MODEL_H
#define FG_MODEL_H

#include "engine.h"
#include "flowgap/model.h"

const fg_field *fg_model_field(const fg_model *model);
fg_engine *fg_model_engine(const fg_model *model);
/* fg_model_evaluate without its last word: outputs that are not finite are handed out as they are. */
FG_CHECKED fg_code fg_model_evaluate_raw(const fg_model *model, fg_precision precision, size_t n,
                                         const double *t, size_t times, const double *x,
                                         const fg_evaluation *out, fg_status *st);
/* Description and weights of a network or control, borrowed; NULL for other models. */
const fg_network_settings *fg_model_network_settings(const fg_model *model);
/* Words of the settings, in the order of the enumerations. */
extern const char *const fg_network_forms[2], *const fg_network_outputs[3], *const fg_network_activations[5],
                                                                                *const fg_network_times[4];
/* Where a potential is asked for and there is none: who has one, as the end of a message. */
const char *fg_model_potential_hint(const fg_model *model);
/* The field s with which -f + (1 + lambda^2) / 2 g^2 s is the drift of the flow of this lambda: the score, but for a
 * bridge. FG_UNSUPPORTED for a bridge without its noising control, unless lambda is 1. */
FG_CHECKED fg_code fg_model_flow_field(const fg_model *model, double lambda, fg_field *field, fg_status *st);
/* fg_model_evaluate of that field: the s with which the generative drift is -f + (1 + lambda^2)/2 g^2 s. */
FG_CHECKED fg_code fg_model_evaluate_flow(const fg_model *model, double lambda, fg_precision precision,
                                          size_t n, const double *t, size_t times, const double *x,
                                          const fg_evaluation *out, fg_status *st);

#endif

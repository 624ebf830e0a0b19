/* What flow and analysis see of a model beyond flowgap/model.h: the field that engines work with. */
#ifndef FG_MODEL_H
#define FG_MODEL_H

#include "engine.h"
#include "flowgap/model.h"

const fg_field *fg_model_field(const fg_model *model);
fg_engine *fg_model_engine(const fg_model *model);
/* Description and weights of a network or control, borrowed; NULL for other models. */
const fg_network_settings *fg_model_network_settings(const fg_model *model);
/* FG_UNSUPPORTED where the model drives no flow of this lambda: the control of a bridge drives the SDE alone. */
FG_CHECKED fg_code fg_model_check_flow(const fg_model *model, double lambda, fg_status *st);

#endif

#include "model/model_impl.h"

#include <stdlib.h>

fg_code fg_model_new(const char *name, fg_engine *engine, const fg_process *process, fg_model **model,
                     fg_status *st)
{
  *model = calloc(1, sizeof **model);
  if (!*model) return FG_FAIL(st, FG_MEMORY, "no memory for a model");
  (*model)->name = name;
  (*model)->engine = engine;
  (*model)->process = process;
  return FG_OK;
}

fg_code fg_model_upload(fg_model *model, const void *host, size_t bytes, fg_buf *buf, fg_status *st)
{
  fg_engine *engine = model->engine;
  if (model->buffers == FG_MODEL_BUFFERS)
    return FG_FAIL(st, FG_FAILED, "a model holds at most %d buffers", FG_MODEL_BUFFERS);
  FG_TRY(engine->ops->alloc(engine, bytes, buf, st));
  model->buffer[model->buffers++] = *buf;
  return engine->ops->upload(engine, *buf, 0, host, bytes, st);
}

void fg_model_destroy(fg_model **model)
{
  fg_model *m = *model;
  if (!m) return;
  for (size_t i = 0; i < m->buffers; i++) m->engine->ops->free(m->engine, &m->buffer[i]);
  if (m->settings && m->free_settings) m->free_settings(m->settings);
  free(m);
  *model = NULL;
}

const char *fg_model_name(const fg_model *model)
{
  return model->name;
}

size_t fg_model_dimension(const fg_model *model)
{
  return (size_t)model->field.d;
}

unsigned fg_model_quantities(const fg_model *model)
{
  return model->field.quantities;
}

const fg_process *fg_model_process(const fg_model *model)
{
  return model->process;
}

const fg_field *fg_model_field(const fg_model *model)
{
  return &model->field;
}

fg_engine *fg_model_engine(const fg_model *model)
{
  return model->engine;
}

const char *fg_model_potential_hint(const fg_model *model)
{
  const fg_field *field = &model->field;
  if (model->bridge) return "a bridge has none, whatever train.control is";
  if (field->kind == FG_FIELD_NETWORK && (field->guided || field->as.network.output == FG_OUTPUT_CONTROL))
    return "a control has one when it is trained with train.control: potential";
  return "only potential models do (model.form: potential)";
}

fg_code fg_model_flow_field(const fg_model *model, double lambda, fg_field *field, fg_status *st)
{
  *field = model->field;
  if (!model->bridge) return FG_OK;
  field->share = (1 - lambda * lambda) / (1 + lambda * lambda);
  if (field->share == 0) field->paired = 0;
  if (field->share == 0 || field->paired) return FG_OK;
  return FG_FAIL(
      st, FG_UNSUPPORTED,
      "the model is the control of a bridge without that of its noising process, which drives the SDE with "
      "lambda 1 alone, and lambda is %g",
      lambda);
}

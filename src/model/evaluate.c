/* Model quantities at points of the host: chunk by chunk through the engine. */
#include <math.h>
#include <stdlib.h>

#include "model/model.h"
#include "model/model_impl.h"
#include "sde/coeff.h"

enum { FG_CHUNK = 16384 }; /* points in engine memory at a time */

typedef struct fg_output {
  double *host;   /* where the caller wants it, or NULL */
  size_t width;   /* numbers per point */
  fg_buf *buf;    /* in the request */
  unsigned needs; /* fg_quantity bit */
  const char *name;
} fg_output;

enum { FG_OUTPUTS = 6 };

static void fg_outputs_of(const fg_evaluation *out, size_t d, fg_evaluate_request *r,
                          fg_output list[FG_OUTPUTS])
{
  fg_output outputs[FG_OUTPUTS] = {
      {out->phi, 1, &r->phi, FG_PHI, "phi"},
      {out->phi_t, 1, &r->phi_t, FG_PHI_T, "phi_t"},
      {out->score, d, &r->score, FG_SCORE, "score"},
      {out->divergence, 1, &r->divergence, FG_DIVERGENCE, "divergence of the score"},
      {out->residual, 1, &r->residual, FG_RESIDUAL, "residual"},
      {out->jvp, d, &r->jvp, FG_JVP, "Jacobian-vector product"},
  };
  for (int i = 0; i < FG_OUTPUTS; i++) list[i] = outputs[i];
}

static fg_code fg_evaluate_check(const fg_model *model, size_t n, size_t times, const fg_evaluation *out,
                                 const fg_output list[FG_OUTPUTS], fg_status *st)
{
  for (int i = 0; i < FG_OUTPUTS; i++) {
    bool potential = list[i].needs & (FG_PHI | FG_PHI_T | FG_RESIDUAL);
    if (list[i].host && !(model->field.quantities & list[i].needs))
      return FG_FAIL(st, FG_UNSUPPORTED, "the model %s does not give the %s%s%s", model->name, list[i].name,
                     potential ? ": " : "", potential ? fg_model_potential_hint(model) : "");
  }
  if (times != 1 && times != n)
    return FG_FAIL(st, FG_USAGE, "%zu times for %zu points: give one time, or one per point", times, n);
  if (out->jvp && !out->direction)
    return FG_FAIL(st, FG_USAGE, "a Jacobian-vector product needs a direction");
  return FG_OK;
}

/* The first output that is not finite, in the order of the points. */
static fg_code fg_evaluate_finite(const fg_output list[FG_OUTPUTS], size_t n, size_t d, const double *t,
                                  size_t times, const double *x, fg_status *st)
{
  for (size_t i = 0; i < n; i++)
    for (int o = 0; o < FG_OUTPUTS; o++)
      for (size_t j = 0; list[o].host && j < list[o].width; j++) {
        double value = list[o].host[i * list[o].width + j];
        if (!isfinite(value))
          return FG_FAIL(st, FG_NUMERICS, "the %s is %g at point %zu: t = %.9g, x1 = %.9g%s", list[o].name,
                         value, i + 1, t[times == 1 ? 0 : i], x[i * d], d > 1 ? ", ..." : "");
      }
  return FG_OK;
}

static fg_code fg_evaluate_chunk(const fg_model *model, fg_evaluate_request *r,
                                 const fg_output list[FG_OUTPUTS], size_t first, const double *x,
                                 const double *direction, fg_status *st)
{
  fg_engine *e = model->engine;
  size_t d = (size_t)model->field.d, row = d * sizeof(double);
  FG_TRY(e->ops->upload(e, r->x, 0, x + first * d, r->n * row, st));
  if (r->direction.device) FG_TRY(e->ops->upload(e, r->direction, 0, direction + first * d, r->n * row, st));
  FG_TRY(e->ops->evaluate(e, e->threads, &model->field, r, st));
  for (int o = 0; o < FG_OUTPUTS; o++) {
    size_t bytes = list[o].width * sizeof(double);
    if (list[o].host)
      FG_TRY(e->ops->download(e, list[o].host + first * list[o].width, *list[o].buf, 0, r->n * bytes, st));
  }
  return FG_OK;
}

fg_code fg_model_evaluate_raw(const fg_model *model, fg_precision precision, size_t n, const double *t,
                              size_t times, const double *x, const fg_evaluation *out, fg_status *st)
{
  fg_engine *e = model->engine;
  size_t d = (size_t)model->field.d, most = n < FG_CHUNK ? n : FG_CHUNK;
  fg_evaluate_request r = {.precision = precision, .shared_time = times == 1};
  fg_output list[FG_OUTPUTS];
  fg_coeff *coeff = NULL;
  fg_code rc = FG_OK;
  fg_outputs_of(out, d, &r, list);
  FG_TRY(fg_evaluate_check(model, n, times, out, list, st));
  if (n == 0) return FG_OK;
  if (!e->ops->evaluate) return fg_engine_lacks(e, "evaluate a model", st);
  coeff = malloc((times == 1 ? 1 : most) * sizeof *coeff);
  if (!coeff) return FG_FAIL(st, FG_MEMORY, "no memory for the times of %zu points", most);
  FG_GO(e->ops->alloc(e, most * d * sizeof(double), &r.x, st), done);
  if (out->jvp) FG_GO(e->ops->alloc(e, most * d * sizeof(double), &r.direction, st), done);
  for (int o = 0; o < FG_OUTPUTS; o++)
    if (list[o].host) FG_GO(e->ops->alloc(e, most * list[o].width * sizeof(double), list[o].buf, st), done);
  r.coeff = coeff;
  for (size_t first = 0; first < n; first += FG_CHUNK) {
    r.n = n - first < FG_CHUNK ? n - first : FG_CHUNK;
    for (size_t i = 0; i < (times == 1 ? 1 : r.n); i++)
      coeff[i] = fg_process_coeff(model->process, t[times == 1 ? 0 : first + i]);
    FG_GO(fg_evaluate_chunk(model, &r, list, first, x, out->direction, st), done);
  }
done:
  e->ops->free(e, &r.x);
  e->ops->free(e, &r.direction);
  for (int o = 0; o < FG_OUTPUTS; o++) e->ops->free(e, list[o].buf);
  free(coeff);
  return rc;
}

fg_code fg_model_evaluate(const fg_model *model, fg_precision precision, size_t n, const double *t,
                          size_t times, const double *x, const fg_evaluation *out, fg_status *st)
{
  fg_evaluate_request unused;
  fg_output list[FG_OUTPUTS];
  FG_TRY(fg_model_evaluate_raw(model, precision, n, t, times, x, out, st));
  fg_outputs_of(out, (size_t)model->field.d, &unused, list);
  return fg_evaluate_finite(list, n, (size_t)model->field.d, t, times, x, st);
}

fg_code fg_model_evaluate_flow(const fg_model *model, double lambda, fg_precision precision, size_t n,
                               const double *t, size_t times, const double *x, const fg_evaluation *out,
                               fg_status *st)
{
  fg_model flow = *model; /* what it owns stays the model's */
  FG_TRY(fg_model_flow_field(model, lambda, &flow.field, st));
  return fg_model_evaluate(&flow, precision, n, t, times, x, out, st);
}

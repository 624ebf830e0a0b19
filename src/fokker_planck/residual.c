/* The residual at points: chunk by chunk through the engine. */
#include "flowgap/residual.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fokker_planck/residual_impl.h"
#include "formula/residual.h"
#include "model/model.h"
#include "sde/coeff.h"

enum { FG_CHUNK = 16384 }; /* points in work at a time */

void fg_residual_defaults(fg_residual_settings *settings)
{
  memset(settings, 0, sizeof *settings);
  settings->precision = FG_DOUBLE;
  settings->seed = 1;
}

fg_code fg_residual_form_of(const fg_model *model, fg_residual_form *form, fg_status *st)
{
  const fg_field *field = fg_model_field(model);
  *form = FG_RESIDUAL_LOG;
  if (field->quantities & FG_RESIDUAL) return FG_OK;
  *form = FG_RESIDUAL_SCORE;
  if (field->kind != FG_FIELD_NETWORK || field->guided || field->as.network.output == FG_OUTPUT_CONTROL)
    return FG_FAIL(
        st, FG_UNSUPPORTED,
        "the model %s has no log-density, and the residual of a score is offered for networks that give "
        "the score or the noise, not a control: %s",
        fg_model_name(model), fg_model_potential_hint(model));
  if (!fg_model_engine(model)->ops->points)
    return fg_engine_lacks(fg_model_engine(model), "give the residual of a vector model", st);
  return FG_OK;
}

/* ---- one chunk ------------------------------------------------------------------------------ */

typedef struct fg_residual_work {
  const fg_model *model;
  const fg_residual_settings *settings;
  size_t d, chunk;
  double *t, *phi_t, *divergence, *trace; /* [chunk] */
  double *score, *direction, *jvp;        /* [chunk, d] */
  fg_coeff *coeff, *group_coeff;          /* [chunk] */
} fg_residual_work;

/* Points at .. at + n - 1; t [times], `times` 1 or n. */
typedef struct fg_residual_chunk {
  size_t at, n, times;
  size_t group; /* divides n, at most FG_GROUP_MAX; its points share a time */
  const double *t, *x;
  fg_residual_values out;
} fg_residual_chunk;

static void fg_work_free(fg_residual_work *w)
{
  double *arrays[] = {w->t, w->phi_t, w->divergence, w->trace, w->score, w->direction, w->jvp};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
  free(w->coeff);
  free(w->group_coeff);
}

static fg_code fg_work_make(fg_residual_work *w, size_t n, fg_status *st)
{
  w->d = fg_model_dimension(w->model);
  w->chunk = n < FG_CHUNK ? n : FG_CHUNK;
  double **scalars[] = {&w->t, &w->phi_t, &w->divergence, &w->trace};
  double **vectors[] = {&w->score, &w->direction, &w->jvp};
  bool good = true;
  for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++)
    good = (*scalars[i] = malloc(w->chunk * sizeof(double))) && good;
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
    good = (*vectors[i] = malloc(w->chunk * w->d * sizeof(double))) && good;
  w->coeff = malloc(w->chunk * sizeof *w->coeff);
  w->group_coeff = malloc(w->chunk * sizeof *w->group_coeff);
  if (good && w->coeff && w->group_coeff) return FG_OK;
  return FG_FAIL(st, FG_MEMORY, "no memory for the residual at %zu points", w->chunk);
}

static double fg_dot(size_t d, const double *x, const double *y)
{
  double sum = 0;
  for (size_t j = 0; j < d; j++) sum += x[j] * y[j];
  return sum;
}

static fg_code fg_evaluate_at(const fg_residual_work *w, const fg_residual_chunk *c,
                              const fg_evaluation *want, fg_status *st)
{
  return fg_model_evaluate_raw(w->model, w->settings->precision, c->n, c->t, c->times, c->x, want, st);
}

/* The process at point i of the chunk. */
static const fg_coeff *fg_coeff_at(const fg_residual_work *w, const fg_residual_chunk *c, size_t i)
{
  return &w->coeff[c->times == 1 ? 0 : i];
}

/* The mean over the probes, one after the other: running mean and sum of squared deviations (Welford). */
static fg_code fg_log_probes(const fg_residual_work *w, const fg_residual_chunk *c, fg_status *st)
{
  const size_t d = w->d;
  double *spread = w->divergence; /* not asked for */
  for (size_t i = 0; i < c->n; i++) w->trace[i] = spread[i] = 0;
  for (int k = 0; k < w->settings->probes; k++) {
    for (size_t i = 0; i < c->n; i++)
      fg_residual_probe(w->settings->seed, w->settings->first + c->at + i, (uint32_t)k, d,
                        w->direction + i * d);
    fg_evaluation want = {.direction = w->direction, .jvp = w->jvp};
    FG_TRY(fg_evaluate_at(w, c, &want, st));
    for (size_t i = 0; i < c->n; i++) {
      double q = fg_dot(d, w->direction + i * d, w->jvp + i * d), off = q - w->trace[i];
      w->trace[i] += off / (k + 1);
      spread[i] += off * (q - w->trace[i]);
    }
  }
  double probes = w->settings->probes;
  for (size_t i = 0; i < c->n && c->out.variance; i++) {
    double half = 0.5 * fg_coeff_at(w, c, i)->g2;
    c->out.variance[i] = half * half * spread[i] / ((probes - 1) * probes);
  }
  return FG_OK;
}

static fg_code fg_log_chunk(const fg_residual_work *w, const fg_residual_chunk *c, fg_status *st)
{
  const size_t d = w->d;
  const bool exact = w->settings->probes == 0, terms = !exact || c->out.scale;
  fg_evaluation want = {.phi_t = terms ? w->phi_t : NULL,
                        .score = terms ? w->score : NULL,
                        .divergence = exact && terms ? w->divergence : NULL,
                        .residual = exact ? c->out.value : NULL};
  FG_TRY(fg_evaluate_at(w, c, &want, st));
  if (!exact) FG_TRY(fg_log_probes(w, c, st));
  const double *laplacian = exact ? w->divergence : w->trace;
  for (size_t i = 0; i < c->n && terms; i++) {
    const fg_coeff *at = fg_coeff_at(w, c, i);
    const double *s = w->score + i * d;
    double xs = fg_dot(d, c->x + i * d, s), ss = fg_dot(d, s, s);
    if (!exact) c->out.value[i] = fg_residual(w->phi_t[i], at->a, at->g2, (double)d, laplacian[i], xs, ss);
    if (c->out.scale)
      c->out.scale[i] = fg_residual_scale(w->phi_t[i], at->a, at->g2, (double)d, laplacian[i], xs, ss);
  }
  for (size_t i = 0; i < c->n && exact && c->out.variance; i++) c->out.variance[i] = 0;
  return FG_OK;
}

/* The sizes of the terms that first derivatives give, beside |E| itself, which `value` holds. */
static fg_code fg_score_scale(const fg_residual_work *w, const fg_residual_chunk *c, fg_status *st)
{
  const size_t d = w->d;
  fg_evaluation want = {.score = w->score, .direction = c->x, .jvp = w->jvp};
  FG_TRY(fg_evaluate_at(w, c, &want, st));
  for (size_t i = 0; i < c->n; i++) {
    double a = fabs(fg_coeff_at(w, c, i)->a);
    const double *s = w->score + i * d, *jx = w->jvp + i * d;
    c->out.scale[i] =
        c->out.value[i] + a * (sqrt(fg_dot(d, s, s)) + sqrt(fg_dot(d, jx, jx))) / sqrt((double)d);
  }
  want = (fg_evaluation){.direction = w->score, .jvp = w->jvp};
  FG_TRY(fg_evaluate_at(w, c, &want, st));
  for (size_t i = 0; i < c->n; i++) {
    const double *js = w->jvp + i * d;
    c->out.scale[i] += fg_coeff_at(w, c, i)->g2 * sqrt(fg_dot(d, js, js)) / sqrt((double)d);
  }
  return FG_OK;
}

static fg_code fg_score_points(const fg_residual_work *w, const fg_residual_chunk *c, fg_buf x, fg_buf vector,
                               fg_status *st)
{
  fg_engine *e = fg_model_engine(w->model);
  const size_t bytes = c->n * w->d * sizeof(double);
  fg_points_request r = {.precision = w->settings->precision,
                         .kind = FG_LOSS_SCORE_RESIDUAL,
                         .n = c->n,
                         .group = c->group,
                         .coeff = w->group_coeff,
                         .x = x,
                         .vector = vector};
  for (size_t g = 0; g < c->n / c->group; g++) w->group_coeff[g] = *fg_coeff_at(w, c, g * c->group);
  FG_TRY(e->ops->upload(e, x, 0, c->x, bytes, st));
  FG_TRY(e->ops->points(e, fg_engine_threads(e), fg_model_field(w->model), &r, st));
  return e->ops->download(e, w->score, vector, 0, bytes, st);
}

static fg_code fg_score_chunk(const fg_residual_work *w, const fg_residual_chunk *c, fg_status *st)
{
  fg_engine *e = fg_model_engine(w->model);
  const size_t d = w->d, bytes = c->n * d * sizeof(double);
  fg_buf x = {0}, vector = {0};
  fg_code rc;
  FG_GO(e->ops->alloc(e, bytes, &x, st), done);
  FG_GO(e->ops->alloc(e, bytes, &vector, st), done);
  FG_GO(fg_score_points(w, c, x, vector, st), done);
  for (size_t i = 0; i < c->n; i++) {
    c->out.value[i] = sqrt(fg_dot(d, w->score + i * d, w->score + i * d) / (double)d);
    if (c->out.variance) c->out.variance[i] = 0;
  }
  if (c->out.vector) memcpy(c->out.vector, w->score, bytes);
  if (c->out.scale) rc = fg_score_scale(w, c, st);
done:
  e->ops->free(e, &x);
  e->ops->free(e, &vector);
  return rc;
}

/* ---- all points ----------------------------------------------------------------------------- */

static fg_code fg_evaluate_check(const fg_residual_settings *s, size_t n, size_t group,
                                 const fg_residual_values *out, fg_status *st)
{
  if (s->probes < 0)
    return FG_FAIL(st, FG_USAGE, "%d probes: give 0 for exact derivatives, or more", s->probes);
  if (s->probes == 1 && out->variance)
    return FG_FAIL(st, FG_USAGE,
                   "a single probe has no standard error: give at least 2, or 0 for exact ones");
  if (group < 1 || n % group)
    return FG_FAIL(st, FG_USAGE,
                   "%zu points in groups of %zu that share a time: the size must divide the number", n,
                   group);
  return FG_OK;
}

static size_t fg_largest_divisor(size_t n, size_t most)
{
  size_t best = most < n ? most : n;
  while (n % best) best--;
  return best;
}

/* Whole groups, or a part of a single one. */
static fg_residual_chunk fg_cut_chunk(const fg_residual_work *w, size_t at, size_t n, size_t group,
                                      const double *t, const double *x, const fg_residual_values *out)
{
  size_t left = n - at, inside = group - at % group;
  fg_residual_chunk c = {.at = at, .x = x + at * w->d};
  bool whole = group <= w->chunk;
  c.n = whole ? w->chunk / group * group : w->chunk < inside ? w->chunk : inside;
  if (c.n > left) c.n = left;
  c.times = whole && c.n > group ? c.n : 1;
  c.group = fg_largest_divisor(c.times == 1 ? c.n : group, FG_GROUP_MAX);
  for (size_t i = 0; i < c.times; i++) {
    w->t[i] = t[(at + i) / group];
    w->coeff[i] = fg_process_coeff(fg_model_process(w->model), w->t[i]);
  }
  c.t = w->t;
  c.out.value = out->value + at;
  c.out.scale = out->scale ? out->scale + at : NULL;
  c.out.variance = out->variance ? out->variance + at : NULL;
  c.out.vector = out->vector ? out->vector + at * w->d : NULL;
  return c;
}

fg_code fg_residual_evaluate(const fg_model *model, const fg_residual_settings *settings, size_t n,
                             size_t group, const double *t, const double *x, const fg_residual_values *out,
                             const fg_progress *progress, fg_status *st)
{
  fg_residual_work w = {.model = model, .settings = settings};
  fg_residual_form form;
  fg_code rc = FG_OK;
  FG_TRY(fg_residual_form_of(model, &form, st));
  if (n == 0) return FG_OK;
  FG_TRY(fg_evaluate_check(settings, n, group, out, st));
  if (settings->probes && form == FG_RESIDUAL_SCORE)
    return FG_FAIL(st, FG_UNSUPPORTED, "the residual of a score has exact derivatives only: give 0 probes");
  if (out->vector && form == FG_RESIDUAL_LOG)
    return FG_FAIL(st, FG_UNSUPPORTED, "the model %s has a residual in log form, which is no vector",
                   fg_model_name(model));
  FG_GO(fg_work_make(&w, n, st), done);
  for (size_t at = 0; at < n;) {
    if (fg_progress_cancelled(progress)) {
      rc = FG_FAIL(st, FG_INTERRUPTED, "the residual was stopped");
      goto done;
    }
    fg_residual_chunk c = fg_cut_chunk(&w, at, n, group, t, x, out);
    FG_GO(form == FG_RESIDUAL_LOG ? fg_log_chunk(&w, &c, st) : fg_score_chunk(&w, &c, st), done);
    at += c.n;
    fg_progress_report(progress, "residual", (double)at, (double)n);
  }
done:
  fg_work_free(&w);
  return rc;
}

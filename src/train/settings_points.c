/* Settings of score models (DSM) and of the residual as a regulariser. */
#include <math.h>
#include <string.h>

#include "train/points.h"
#include "train/reader.h"

enum { FG_GROUP_TIMES = 32, FG_GROUP_GUIDED = 64 };

void fg_train_defaults_score(fg_train_settings *s)
{
  s->control = FG_POTENTIAL;
  s->activation = FG_SOFTPLUS;
  s->time = FG_TIME_FIRST;
  s->time_reversed = false;
  s->output = FG_OUTPUT_SCORE;
  s->zero_last = false;
  s->time_factor = false;
  s->score = FG_GUIDE_NONE;
  s->clip_count = 0;
  s->residual.where = FG_AT_BOX;
  s->residual.group = 1;
}

/* ---- the network of a score model, described by the rows model.* ---------------------------- */

static fg_code get_time(const fg_settings *settings, int embedding, fg_train_settings *s, fg_status *st)
{
  const char *const *inputs;
  size_t count;
  FG_TRY(fg_settings_words(settings, "model.inputs", &inputs, &count, st));
  if (embedding) {
    s->time = embedding == 1 ? FG_TIME_FOURIER : FG_TIME_EMBEDDED;
    if (!fg_settings_given(settings, "model.inputs") || (count == 1 && strcmp(inputs[0], "x") == 0))
      return FG_OK;
    return FG_FAIL(st, FG_USAGE, "model.inputs: with a time embedding the network takes x alone: give [x]");
  }
  if (count != 2 || strcmp(inputs[0], inputs[1]) == 0)
    return FG_FAIL(st, FG_USAGE,
                   "model.inputs: without a time embedding the network takes t and x: give [t, x] or [x, t]");
  s->time = strcmp(inputs[0], "t") == 0 ? FG_TIME_FIRST : FG_TIME_LAST;
  return FG_OK;
}

static fg_code get_network(const fg_settings *settings, fg_train_settings *s, fg_status *st)
{
  static const char *const forms[] = {"potential", "vector", NULL};
  static const char *const outputs[] = {"score", "noise", "control", NULL};
  static const char *const activations[] = {"softplus", "gelu", "silu", "tanh", "sine", NULL};
  static const char *const embeddings[] = {"none", "fourier", "embedded", NULL};
  fg_reader r = {settings, st, FG_OK};
  s->control = (fg_network_form)fg_read_word(&r, "model.form", forms);
  s->output = (fg_network_output)fg_read_word(&r, "model.output", outputs);
  s->activation = (fg_activation)fg_read_word(&r, "model.activation", activations);
  s->beta = fg_read_real(&r, "model.beta");
  s->threshold = fg_read_real(&r, "model.threshold");
  s->time_reversed = fg_read_flag(&r, "model.time_reversed");
  int embedding = fg_read_word(&r, "model.embedding", embeddings);
  FG_TRY(r.rc);
  if (s->output == FG_OUTPUT_CONTROL)
    return FG_FAIL(st, FG_USAGE, "model.output is control, which samplers have: give score or noise");
  if (s->control == FG_POTENTIAL && s->output != FG_OUTPUT_SCORE)
    return FG_FAIL(
        st, FG_USAGE,
        "model.output is noise, what a vector may stand for, but model.form is potential, whose gradient "
        "is the score: set model.form to vector, or leave model.output out");
  return get_time(settings, embedding, s, st);
}

/* Samplers have a network of their own; what is said of it in model.* would change nothing. */
static void sampler_network(fg_train_settings *s)
{
  s->beta = 1;
  s->threshold = 20;
  s->time = FG_TIME_EMBEDDED;
  s->time_reversed = true;
  s->output = FG_OUTPUT_CONTROL;
}

/* ---- points --------------------------------------------------------------------------------- */

static bool embedded(const fg_train_settings *s)
{
  return s->time == FG_TIME_FOURIER || s->time == FG_TIME_EMBEDDED;
}

static fg_code check_group(const char *points, size_t n, const char *key, size_t group, fg_status *st)
{
  if (n % group == 0) return FG_OK;
  return FG_FAIL(st, FG_USAGE, "%s is %zu, which groups of %zu (%s) do not divide", points, n, group, key);
}

static fg_code get_batch(const fg_settings *settings, fg_train_settings *s, fg_status *st)
{
  static const char *const laws[] = {"beta", "uniform", NULL}, *const weights[] = {"none", "variance", NULL};
  static const char *const lasts[] = {"auto", "zero", "random", NULL};
  fg_reader r = {settings, st, FG_OK};
  bool score = s->method == FG_TRAIN_DSM;
  s->time_law = (fg_train_time_law)fg_read_word(&r, "train.time_law", laws);
  s->time_least = fg_read_real(&r, "train.time_least");
  s->variance_weight = fg_read_word(&r, "train.weighting", weights) == 1;
  int last = fg_read_word(&r, "train.last_layer", lasts);
  s->zero_last = last == 0 ? !score : last == 1;
  size_t group = (size_t)fg_read_integer(&r, "train.point_group");
  FG_TRY(r.rc);
  if (!score) return FG_OK;
  s->time_factor = false;
  s->score = FG_GUIDE_NONE;
  s->clip_count = 0;
  s->stage_count = 1;
  s->group = group ? group : embedded(s) ? fg_point_group(s->batch, FG_GROUP_TIMES) : 1;
  return check_group("train.batch", s->batch, "train.point_group", s->group, st);
}

/* ---- the residual --------------------------------------------------------------------------- */

static size_t residual_group(const fg_train_settings *s)
{
  const fg_train_residual *q = &s->residual;
  if (s->method != FG_TRAIN_DSM) return fg_point_group(q->points, FG_GROUP_GUIDED);
  bool shared = embedded(s) || q->form == FG_TRAIN_CENTRED || q->where == FG_AT_PATH;
  return shared ? fg_point_group(q->points, FG_GROUP_TIMES) : 1;
}

static fg_code check_residual(const fg_train_settings *s, fg_status *st)
{
  const fg_train_residual *q = &s->residual;
  const char *form = s->method == FG_TRAIN_DSM ? "model.form" : "train.control";
  if (q->weight == 0) return FG_OK;
  if (s->method == FG_TRAIN_BRIDGE)
    return FG_FAIL(st, FG_USAGE,
                   "train.residual.weight is %g, but the residual of a bridge, whose noising process changes "
                   "as it learns, is not trained on: set it to 0, or train.method to dis",
                   q->weight);
  if (s->control == FG_VECTOR && s->method != FG_TRAIN_DSM)
    return FG_FAIL(
        st, FG_USAGE,
        "train.residual.weight is %g, but a control that is no gradient has no residual to train on: set "
        "train.control to potential, or the weight to 0",
        q->weight);
  if (s->control == FG_VECTOR && q->form != FG_TRAIN_SCORE)
    return FG_FAIL(
        st, FG_USAGE,
        "train.residual.form is %s, the residual of a potential: set %s to potential, or the form to score",
        q->form == FG_TRAIN_LOG ? "log" : "centred", form);
  if (s->control == FG_POTENTIAL && q->form == FG_TRAIN_SCORE)
    return FG_FAIL(
        st, FG_USAGE,
        "train.residual.form is score, the residual of a vector: set %s to vector, or the form to log or "
        "centred (score is its gradient)",
        form);
  if (q->form == FG_TRAIN_CENTRED && q->group < 2)
    return FG_FAIL(
        st, FG_USAGE,
        "train.residual.form is centred, and a mean over the points at one time needs 2 or more: give a "
        "train.residual.group that divides train.residual.points (%zu)",
        q->points);
  return check_group("train.residual.points", q->points, "train.residual.group", q->group, st);
}

static fg_code get_residual(const fg_settings *settings, fg_train_settings *s, fg_status *st)
{
  static const char *const forms[] = {"log", "centred", "score", "auto", NULL};
  static const char *const places[] = {"box", "data", "path", "gaussian", "auto", NULL};
  fg_reader r = {settings, st, FG_OK};
  fg_train_residual *q = &s->residual;
  int form = fg_read_word(&r, "train.residual.form", forms),
      where = fg_read_word(&r, "train.residual.where", places);
  if (form == 3) form = s->control == FG_POTENTIAL ? FG_TRAIN_LOG : FG_TRAIN_SCORE;
  if (where == 4) where = s->method == FG_TRAIN_DSM ? FG_AT_BOX : FG_AT_PATH;
  q->form = (fg_train_residual_form)form;
  q->where = (fg_train_where)where;
  q->weight = fg_read_real(&r, "train.residual.weight");
  q->points = (size_t)fg_read_integer(&r, "train.residual.points");
  q->group = (size_t)fg_read_integer(&r, "train.residual.group");
  q->probes = (size_t)fg_read_integer(&r, "train.residual.probes");
  q->paths = (size_t)fg_read_integer(&r, "train.residual.paths");
  q->path_steps = (size_t)fg_read_integer(&r, "train.residual.path_steps");
  q->refresh = (uint64_t)fg_read_integer(&r, "train.residual.refresh");
  q->box = fg_read_real(&r, "train.residual.box");
  q->sd = fg_read_real(&r, "train.residual.sd");
  q->time_least = s->time_least;
  FG_TRY(r.rc);
  if (!q->group) q->group = residual_group(s);
  return check_residual(s, st);
}

fg_code fg_train_read_points(const fg_settings *settings, fg_train_settings *s, fg_status *st)
{
  if (s->method == FG_TRAIN_DSM)
    FG_TRY(get_network(settings, s, st));
  else
    sampler_network(s);
  FG_TRY(get_batch(settings, s, st));
  return get_residual(settings, s, st);
}

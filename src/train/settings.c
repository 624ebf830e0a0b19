/* Training as the settings ask for it, and what its schedules give at each step. */
#include <math.h>
#include <string.h>

#include "flowgap/train.h"
#include "formula/real.h"

static fg_guide_score usual_score(fg_train_method method)
{
  return method == FG_TRAIN_DIS || method == FG_TRAIN_BRIDGE ? FG_GUIDE_INTERPOLATED : FG_GUIDE_TARGET;
}

void fg_train_defaults(fg_train_method method, fg_train_settings *settings)
{
  static const size_t grids[] = {100, 200, 400, 800};
  static const fg_train_clip clips[] = {{0, 10}, {200, 50}, {400, 250}};
  fg_train_settings s = {.seed = 1,
                         .method = method,
                         .objective = FG_TRAIN_LOG_VARIANCE,
                         .form = FG_TRAIN_CONTINUOUS,
                         .integrator = FG_TRAIN_EULER,
                         .control = FG_VECTOR,
                         .score = usual_score(method),
                         .time_factor = true,
                         .hidden_count = 3,
                         .hidden = {64, 64, 64},
                         .activation = FG_GELU,
                         .frequencies = 64,
                         .embedding_width = 64,
                         .steps = 2000,
                         .batch = 2048,
                         .group = 1,
                         .stage_count = 4,
                         .spacing = FG_GRID_UNIFORM,
                         .rate = 0.005,
                         .schedule = FG_RATE_CONSTANT,
                         .rate_end = 0.02,
                         .rate_factor = 0.5,
                         .rate_every = 1000,
                         .decay = 1e-7,
                         .clip_norm = 1,
                         .clip_count = 3,
                         .precision = FG_SINGLE,
                         .tile = 64,
                         .log_every = 10,
                         .evaluate_every = 200,
                         .checkpoint_every = 200,
                         .evaluate_paths = 6000,
                         .evaluate_steps = 800,
                         .path_limit = INFINITY,
                         .lost_most = 0.01,
                         .loss_most = INFINITY};
  for (size_t i = 0; i < 4; i++) s.stages[i] = (fg_train_stage){s.steps / 4 * i, grids[i]};
  memcpy(s.clips, clips, sizeof clips);
  *settings = s;
}

/* ---- schedules ---------------------------------------------------------------------------- */

double fg_train_rate(const fg_train_settings *s, uint64_t k)
{
  double share = (double)k / (double)s->steps;
  switch (s->schedule) {
  case FG_RATE_STEP:
    return s->rate * pow(s->rate_factor, floor((double)k / (double)s->rate_every));
  case FG_RATE_COSINE:
    return s->rate * (s->rate_end + (1 - s->rate_end) * (1 + cos(FG_PI * share)) / 2);
  case FG_RATE_EXPONENTIAL:
    return s->rate * pow(s->rate_end, share);
  case FG_RATE_CONSTANT:
    break;
  }
  return s->rate;
}

double fg_train_clip_at(const fg_train_settings *s, uint64_t k)
{
  double clip = INFINITY;
  for (size_t i = 0; i < s->clip_count && s->clips[i].from <= k; i++) clip = s->clips[i].clip;
  return clip;
}

size_t fg_train_grid_steps(const fg_train_settings *s, uint64_t k)
{
  size_t steps = s->stages[0].grid_steps;
  for (size_t i = 1; i < s->stage_count && s->stages[i].from <= k; i++) steps = s->stages[i].grid_steps;
  return steps;
}

/* ---- from the rows train.* ---------------------------------------------------------------- */

typedef struct fg_reader {
  const fg_settings *settings;
  fg_status *st;
  fg_code rc; /* of the first failure; what follows it does nothing */
} fg_reader;

static int64_t get_integer(fg_reader *r, const char *key)
{
  int64_t value = 0;
  if (r->rc == FG_OK) r->rc = fg_settings_integer(r->settings, key, &value, r->st);
  return value;
}

static double get_real(fg_reader *r, const char *key)
{
  double value = 0;
  if (r->rc == FG_OK) r->rc = fg_settings_real(r->settings, key, &value, r->st);
  return value;
}

static bool get_flag(fg_reader *r, const char *key)
{
  bool value = false;
  if (r->rc == FG_OK) r->rc = fg_settings_flag(r->settings, key, &value, r->st);
  return value;
}

/* Place of the word among `words`, which end with NULL. */
static int get_word(fg_reader *r, const char *key, const char *const *words)
{
  const char *text = "";
  if (r->rc == FG_OK) r->rc = fg_settings_text(r->settings, key, &text, r->st);
  for (int k = 0; r->rc == FG_OK && words[k]; k++)
    if (strcmp(words[k], text) == 0) return k;
  if (r->rc == FG_OK) r->rc = FG_FAIL(r->st, FG_USAGE, "%s is %s, which is not known", key, text);
  return 0;
}

static void get_words(fg_reader *r, fg_train_settings *s)
{
  static const char *const methods[] = {"dis", "pis", "dds", "bridge", NULL};
  static const char *const objectives[] = {"kl", "kl_ito", "log_variance", "log_variance_trajectory", NULL};
  static const char *const forms[] = {"continuous", "discrete", NULL};
  static const char *const integrators[] = {"euler", "exponential", NULL};
  static const char *const controls[] = {"potential", "vector", NULL};
  static const char *const scores[] = {"none", "target", "interpolated", "auto", NULL};
  static const char *const activations[] = {"softplus", "gelu", "silu", "tanh", "sine", NULL};
  static const char *const spacings[] = {"uniform", "quadratic", "cosine", NULL};
  static const char *const schedules[] = {"constant", "step", "cosine", "exponential", NULL};
  static const char *const precisions[] = {"double", "single", NULL};
  s->method = (fg_train_method)get_word(r, "train.method", methods);
  s->objective = (fg_train_objective)get_word(r, "train.objective", objectives);
  s->form = (fg_train_form)get_word(r, "train.form", forms);
  s->integrator = (fg_train_integrator)get_word(r, "train.integrator", integrators);
  s->control = (fg_network_form)get_word(r, "train.control", controls);
  s->activation = (fg_activation)get_word(r, "train.activation", activations);
  s->spacing = (fg_grid_kind)get_word(r, "train.spacing", spacings);
  s->schedule = (fg_train_schedule)get_word(r, "train.schedule", schedules);
  s->precision = (fg_precision)get_word(r, "train.precision", precisions);
  int score = get_word(r, "train.score", scores);
  if (score == 3) score = (int)usual_score(s->method);
  s->score = (fg_guide_score)score;
}

static void get_numbers(fg_reader *r, fg_train_settings *s)
{
  s->seed = (uint64_t)get_integer(r, "seed");
  s->frequencies = (size_t)get_integer(r, "train.frequencies");
  s->embedding_width = (size_t)get_integer(r, "train.embedding_width");
  s->steps = (uint64_t)get_integer(r, "train.steps");
  s->batch = (size_t)get_integer(r, "train.batch");
  s->group = (size_t)get_integer(r, "train.group");
  s->rate_every = (uint64_t)get_integer(r, "train.rate_every");
  s->tile = (size_t)get_integer(r, "train.tile");
  s->log_every = (uint64_t)get_integer(r, "train.log_every");
  s->evaluate_every = (uint64_t)get_integer(r, "train.evaluate_every");
  s->evaluate_paths = (size_t)get_integer(r, "train.evaluate_paths");
  s->evaluate_steps = (size_t)get_integer(r, "train.evaluate_steps");
  s->checkpoint_every = (uint64_t)get_integer(r, "train.checkpoint_every");
  s->rate = get_real(r, "train.rate");
  s->rate_end = get_real(r, "train.rate_end");
  s->rate_factor = get_real(r, "train.rate_factor");
  s->decay = get_real(r, "train.decay");
  s->clip_norm = get_real(r, "train.clip_norm");
  s->ema = get_real(r, "train.ema");
  s->path_limit = get_real(r, "train.path_limit");
  s->lost_most = get_real(r, "train.lost_most");
  s->loss_most = get_real(r, "train.loss_most");
  s->time_factor = get_flag(r, "train.time_factor");
  s->detach_score = get_flag(r, "train.detach_score");
  if (s->clip_norm == 0) s->clip_norm = INFINITY;
  if (s->path_limit == 0) s->path_limit = INFINITY;
  if (s->loss_most == 0) s->loss_most = INFINITY;
}

static bool whole(double x)
{
  return x == floor(x);
}

static fg_code get_hidden(const fg_settings *settings, fg_train_settings *s, fg_status *st)
{
  const double *list;
  size_t shape[3];
  FG_TRY(fg_settings_array(settings, "train.hidden", &list, shape, st));
  if (!list || shape[1] != 1 || shape[2] != 1 || shape[0] > FG_TRAIN_HIDDEN)
    return FG_FAIL(st, FG_USAGE, "train.hidden: give a plain list of 1 to %d widths", FG_TRAIN_HIDDEN);
  s->hidden_count = shape[0];
  for (size_t i = 0; i < shape[0]; i++) {
    if (!whole(list[i])) return FG_FAIL(st, FG_USAGE, "train.hidden: a width is %g: give integers", list[i]);
    s->hidden[i] = (size_t)list[i];
  }
  return FG_OK;
}

/* [grid steps, ...] shares the training equally; [[grid steps, optimiser steps], ...] says how long each lasts. */
static fg_code get_stages(const fg_settings *settings, fg_train_settings *s, fg_status *st)
{
  const double *list;
  size_t shape[3];
  FG_TRY(fg_settings_array(settings, "train.time_steps", &list, shape, st));
  size_t count = shape[0], columns = shape[1];
  if (!list || columns > 2 || shape[2] != 1 || count > FG_TRAIN_STAGES)
    return FG_FAIL(st, FG_USAGE,
                   "train.time_steps: give a number, a list, or pairs [grid steps, optimiser steps]; at most "
                   "%d of them",
                   FG_TRAIN_STAGES);
  double from = 0;
  for (size_t i = 0; i < count; i++) {
    const double *row = list + i * columns;
    if (!whole(row[0]) || !whole(row[columns - 1]))
      return FG_FAIL(st, FG_USAGE, "train.time_steps, entry %zu: give integers", i + 1);
    if (columns == 1) from = floor((double)s->steps * (double)i / (double)count);
    s->stages[i] = (fg_train_stage){(uint64_t)from, (size_t)row[0]};
    if (columns == 2) from += row[1];
  }
  s->stage_count = count;
  if (columns == 2 && from != (double)s->steps)
    return FG_FAIL(
        st, FG_USAGE,
        "train.time_steps: its stages last %.0f optimiser steps together, train.steps is %llu: they "
        "must agree",
        from, (unsigned long long)s->steps);
  return FG_OK;
}

static fg_code get_clips(const fg_settings *settings, fg_train_settings *s, fg_status *st)
{
  const double *list;
  size_t shape[3];
  s->clip_count = 0;
  FG_TRY(fg_settings_array(settings, "train.clip", &list, shape, st));
  if (s->control == FG_POTENTIAL || !list) return FG_OK;
  if (shape[1] != 2 || shape[2] != 1 || shape[0] > FG_TRAIN_CLIPS)
    return FG_FAIL(st, FG_USAGE, "train.clip: give at most %d pairs [from step, bound]", FG_TRAIN_CLIPS);
  s->clip_count = shape[0];
  for (size_t i = 0; i < shape[0]; i++) {
    double from = list[2 * i], clip = list[2 * i + 1];
    bool later = i == 0 || from > list[2 * i - 2];
    if (!whole(from) || !(clip > 0) || !later)
      return FG_FAIL(st, FG_USAGE,
                     "train.clip, entry %zu, [%g, %g]: give steps that grow, as integers, and bounds > 0",
                     i + 1, from, clip);
    s->clips[i] = (fg_train_clip){(uint64_t)from, clip};
  }
  return FG_OK;
}

/* What depends on other settings. */
static fg_code resolve(fg_train_settings *s, fg_status *st)
{
  bool trajectory = s->objective == FG_TRAIN_LOG_VARIANCE_TRAJECTORY;
  uint64_t tenth = s->steps < 10 ? 1 : s->steps / 10;
  if (!s->evaluate_every) s->evaluate_every = tenth;
  if (!s->checkpoint_every) s->checkpoint_every = tenth;
  if (!s->evaluate_steps) s->evaluate_steps = s->stages[s->stage_count - 1].grid_steps;
  if (!s->group) s->group = trajectory ? 16 : 1;
  if (trajectory && s->group < 2)
    return FG_FAIL(st, FG_USAGE, "train.group is 1: a variance over the paths from a start needs 2 or more");
  if (s->batch % s->group != 0)
    return FG_FAIL(st, FG_USAGE, "train.batch is %zu, which %zu paths per start (train.group) do not divide",
                   s->batch, s->group);
  if (s->objective == FG_TRAIN_KL_ITO && s->form == FG_TRAIN_DISCRETE)
    return FG_FAIL(
        st, FG_USAGE,
        "train.objective is kl_ito, but the discrete form has no Ito term to keep: set it to kl, or "
        "train.form to continuous");
  return FG_OK;
}

/* The network that is trained is described by train.*. */
static fg_code check_model(const fg_settings *settings, fg_status *st)
{
  static const char *const keys[] = {"model.layers", "model.widths", "model.embedding", "model.frequencies"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    if (fg_settings_given(settings, keys[i]))
      return FG_FAIL(
          st, FG_USAGE,
          "%s describes a network that exists already; training makes its own by train.hidden and the "
          "other train.*: leave it out",
          keys[i]);
  return FG_OK;
}

fg_code fg_train_from_settings(const fg_settings *settings, fg_train_settings *train, fg_status *st)
{
  fg_reader r = {settings, st, FG_OK};
  FG_TRY(fg_settings_check(settings, "train", st));
  FG_TRY(check_model(settings, st));
  fg_train_defaults(FG_TRAIN_DIS, train);
  get_words(&r, train);
  get_numbers(&r, train);
  FG_TRY(r.rc);
  FG_TRY(get_hidden(settings, train, st));
  FG_TRY(get_stages(settings, train, st));
  FG_TRY(get_clips(settings, train, st));
  return resolve(train, st);
}

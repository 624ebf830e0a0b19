/* Training as the settings ask for it, and what its schedules give at each step. */
#include <math.h>
#include <string.h>

#include "flowgap/train.h"
#include "formula/real.h"
#include "train/reader.h"

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
                         .beta = 1,
                         .threshold = 20,
                         .time = FG_TIME_EMBEDDED,
                         .time_reversed = true,
                         .output = FG_OUTPUT_CONTROL,
                         .zero_last = true,
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
                         .loss_most = INFINITY,
                         .time_least = 1e-5,
                         .residual = {.form = FG_TRAIN_LOG,
                                      .where = FG_AT_PATH,
                                      .points = 5000,
                                      .group = 50,
                                      .box = 3.5,
                                      .sd = 1,
                                      .time_least = 1e-5,
                                      .paths = 1024,
                                      .path_steps = 200,
                                      .refresh = 100}};
  for (size_t i = 0; i < 4; i++) s.stages[i] = (fg_train_stage){s.steps / 4 * i, grids[i]};
  memcpy(s.clips, clips, sizeof clips);
  if (method == FG_TRAIN_DSM) fg_train_defaults_score(&s);
  *settings = s;
}

/* ---- schedules ---------------------------------------------------------------------------- */

/* Entry of `rates` that holds at step k; there is one from step 0. */
static const fg_train_base *base_at(const fg_train_settings *s, uint64_t k)
{
  size_t i = 0;
  while (i + 1 < s->rate_count && s->rates[i + 1].from <= k) i++;
  return &s->rates[i];
}

uint64_t fg_train_began(const fg_train_settings *s, uint64_t k)
{
  return s->rate_count ? base_at(s, k)->from : 0;
}

double fg_train_rate(const fg_train_settings *s, uint64_t k)
{
  double share = (double)k / (double)s->steps, rate = s->rate_count ? base_at(s, k)->rate : s->rate;
  switch (s->schedule) {
  case FG_RATE_STEP:
    return rate * pow(s->rate_factor, floor((double)k / (double)s->rate_every));
  case FG_RATE_COSINE:
    return rate * (s->rate_end + (1 - s->rate_end) * (1 + cos(FG_PI * share)) / 2);
  case FG_RATE_EXPONENTIAL:
    return rate * pow(s->rate_end, share);
  case FG_RATE_CONSTANT:
    break;
  }
  return rate;
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

static void get_words(fg_reader *r, fg_train_settings *s)
{
  static const char *const methods[] = {"dis", "pis", "dds", "bridge", "dsm", NULL};
  static const char *const objectives[] = {"kl", "kl_ito", "log_variance", "log_variance_trajectory", NULL};
  static const char *const forms[] = {"continuous", "discrete", NULL};
  static const char *const integrators[] = {"euler", "exponential", NULL};
  static const char *const controls[] = {"potential", "vector", NULL};
  static const char *const scores[] = {"none", "target", "interpolated", "auto", NULL};
  static const char *const activations[] = {"softplus", "gelu", "silu", "tanh", "sine", NULL};
  static const char *const spacings[] = {"uniform", "quadratic", "cosine", NULL};
  static const char *const schedules[] = {"constant", "step", "cosine", "exponential", NULL};
  static const char *const precisions[] = {"double", "single", NULL};
  s->method = (fg_train_method)fg_read_word(r, "train.method", methods);
  s->objective = (fg_train_objective)fg_read_word(r, "train.objective", objectives);
  s->form = (fg_train_form)fg_read_word(r, "train.form", forms);
  s->integrator = (fg_train_integrator)fg_read_word(r, "train.integrator", integrators);
  s->control = (fg_network_form)fg_read_word(r, "train.control", controls);
  s->activation = (fg_activation)fg_read_word(r, "train.activation", activations);
  s->spacing = (fg_grid_kind)fg_read_word(r, "train.spacing", spacings);
  s->schedule = (fg_train_schedule)fg_read_word(r, "train.schedule", schedules);
  s->precision = (fg_precision)fg_read_word(r, "train.precision", precisions);
  int score = fg_read_word(r, "train.score", scores);
  if (score == 3) score = (int)usual_score(s->method);
  s->score = (fg_guide_score)score;
}

static void get_numbers(fg_reader *r, fg_train_settings *s)
{
  s->seed = (uint64_t)fg_read_integer(r, "seed");
  s->frequencies = (size_t)fg_read_integer(r, "train.frequencies");
  s->embedding_width = (size_t)fg_read_integer(r, "train.embedding_width");
  s->steps = (uint64_t)fg_read_integer(r, "train.steps");
  s->batch = (size_t)fg_read_integer(r, "train.batch");
  s->group = (size_t)fg_read_integer(r, "train.group");
  s->rate_every = (uint64_t)fg_read_integer(r, "train.rate_every");
  s->tile = (size_t)fg_read_integer(r, "train.tile");
  s->log_every = (uint64_t)fg_read_integer(r, "train.log_every");
  s->evaluate_every = (uint64_t)fg_read_integer(r, "train.evaluate_every");
  s->evaluate_paths = (size_t)fg_read_integer(r, "train.evaluate_paths");
  s->evaluate_steps = (size_t)fg_read_integer(r, "train.evaluate_steps");
  s->checkpoint_every = (uint64_t)fg_read_integer(r, "train.checkpoint_every");
  s->rate = fg_read_real(r, "train.rate");
  s->rate_end = fg_read_real(r, "train.rate_end");
  s->rate_factor = fg_read_real(r, "train.rate_factor");
  s->decay = fg_read_real(r, "train.decay");
  s->clip_norm = fg_read_real(r, "train.clip_norm");
  s->ema = fg_read_real(r, "train.ema");
  s->path_limit = fg_read_real(r, "train.path_limit");
  s->lost_most = fg_read_real(r, "train.lost_most");
  s->loss_most = fg_read_real(r, "train.loss_most");
  s->time_factor = fg_read_flag(r, "train.time_factor");
  s->detach_score = fg_read_flag(r, "train.detach_score");
  if (s->clip_norm == 0) s->clip_norm = INFINITY;
  if (s->path_limit == 0) s->path_limit = INFINITY;
  if (s->loss_most == 0) s->loss_most = INFINITY;
}

/* [[from step, rate], ...] */
static fg_code get_rates(const fg_settings *settings, fg_train_settings *s, fg_status *st)
{
  const double *list;
  size_t shape[3];
  FG_TRY(fg_settings_array(settings, "train.rates", &list, shape, st));
  FG_TRY(fg_settings_flag(settings, "train.restart_optimiser", &s->restart_optimiser, st));
  s->rate_count = 0;
  if (!list && s->restart_optimiser)
    return FG_FAIL(st, FG_USAGE,
                   "train.restart_optimiser begins Adam afresh at the entries of train.rates: give them");
  if (!list) return FG_OK;
  if (fg_settings_given(settings, "train.rate"))
    return FG_FAIL(st, FG_USAGE,
                   "train.rate changes nothing while train.rates is given: leave one of them out");
  if (shape[1] != 2 || shape[2] != 1 || shape[0] > FG_TRAIN_RATES)
    return FG_FAIL(st, FG_USAGE, "train.rates: give at most %d pairs [from step, rate]", FG_TRAIN_RATES);
  s->rate_count = shape[0];
  for (size_t i = 0; i < shape[0]; i++) {
    double from = list[2 * i];
    bool fits = i == 0 ? from == 0 : from > list[2 * i - 2];
    if (!fg_is_whole(from) || !fits)
      return FG_FAIL(st, FG_USAGE,
                     "train.rates, entry %zu, [%g, %g]: give steps that grow from 0, as integers", i + 1,
                     from, list[2 * i + 1]);
    s->rates[i] = (fg_train_base){(uint64_t)from, list[2 * i + 1]};
  }
  return FG_OK;
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
    if (!fg_is_whole(list[i]))
      return FG_FAIL(st, FG_USAGE, "train.hidden: a width is %g: give integers", list[i]);
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
    if (!fg_is_whole(row[0]) || !fg_is_whole(row[columns - 1]))
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
    if (!fg_is_whole(from) || !(clip > 0) || !later)
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
  if (s->method == FG_TRAIN_DSM) return FG_OK; /* the rest is of samplers */
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

/* The network that is trained is described by train.*; of a score model the rows model.* say the rest. */
static fg_code check_model(const fg_settings *settings, fg_status *st)
{
  static const char *const keys[] = {"model.layers", "model.widths", "model.frequencies", "model.phases",
                                     "model.embedding"};
  const char *method;
  FG_TRY(fg_settings_text(settings, "train.method", &method, st));
  size_t count = sizeof keys / sizeof *keys - (strcmp(method, "dsm") == 0);
  for (size_t i = 0; i < count; i++)
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
  FG_TRY(get_rates(settings, train, st));
  FG_TRY(resolve(train, st));
  return fg_train_read_points(settings, train, st);
}

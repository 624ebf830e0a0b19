/* Losses at points in training: denoising score matching, and the Fokker-Planck residual. */
#include <math.h>
#include <stdlib.h>

#include "formula/random.h"
#include "train/trainer_impl.h"

enum { FG_GROUP_CENTRED = 32, FG_EXACT_UP_TO = 32 /* dimensions, as in flowgap residual */ };

static bool has_residual(const fg_trainer *t)
{
  return t->settings.residual.weight > 0 || t->settings.method == FG_TRAIN_DSM;
}

static bool on_paths(const fg_trainer *t)
{
  return has_residual(t) && t->settings.residual.where == FG_AT_PATH;
}

/* ---- creation ------------------------------------------------------------------------------- */

static fg_code check_data(const fg_trainer *t, const char *what, fg_status *st)
{
  if (fg_target_abilities(t->target) & FG_TARGET_SAMPLE) return FG_OK;
  return FG_FAIL(
      st, FG_UNSUPPORTED,
      "%s needs data, and target %s cannot be sampled: give target.kind samples with a file, or one of the "
      "data sets",
      what, fg_target_name(t->target));
}

static fg_code check(const fg_trainer *t, fg_status *st)
{
  const fg_train_settings *s = &t->settings;
  const double most = 281474976710656.0; /* 2^48: numbers of points */
  double horizon = fg_process_horizon(t->process);
  if (!t->engine->ops->points) return fg_engine_lacks(t->engine, "take losses at points", st);
  if ((double)s->steps * (double)s->residual.points >= most)
    return FG_FAIL(st, FG_USAGE, "train.steps times train.residual.points is %g: give less than 2^48 points",
                   (double)s->steps * (double)s->residual.points);
  if (!(s->time_least > 0) || s->time_least >= horizon)
    return FG_FAIL(st, FG_USAGE, "train.time_least is %g: give a time > 0 and below process.horizon, %g",
                   s->time_least, horizon);
  if (s->residual.where == FG_AT_DATA) FG_TRY(check_data(t, "train.residual.where: data", st));
  return FG_OK;
}

static void set_laws(fg_trainer *t)
{
  const fg_train_settings *s = &t->settings;
  const fg_train_residual *q = &s->residual;
  double last = t->points.start.time;
  t->points.data = (fg_point_law){t->process, t->target, FG_AT_DATA, 1, s->time_law, s->time_least, last};
  t->points.place =
      (fg_point_law){t->process,       t->target,     q->where, q->where == FG_AT_BOX ? q->box : q->sd,
                     FG_TIMES_UNIFORM, q->time_least, last};
}

static fg_code create_denoising(fg_trainer *t, fg_status *st)
{
  const fg_train_settings *s = &t->settings;
  fg_point_part *p = &t->points;
  size_t held = s->evaluate_paths;
  FG_TRY(check_data(t, "denoising score matching", st));
  FG_TRY(fg_point_room_create(t->engine, s->batch, s->group, t->d, true, s->variance_weight, &p->batch, st));
  return fg_point_room_create(t->engine, held, fg_point_group(held, s->group), t->d, true, s->variance_weight,
                              &p->held_out, st);
}

static fg_code create_paths(fg_trainer *t, fg_status *st)
{
  fg_point_part *p = &t->points;
  if (!t->prior)
    return FG_FAIL(st, FG_USAGE,
                   "train.residual.where is path, and there is no prior for the paths to start from");
  if (t->settings.residual.group > t->settings.residual.paths)
    return FG_FAIL(st, FG_USAGE,
                   "train.residual.group is %zu, of train.residual.paths there are %zu: give more paths",
                   t->settings.residual.group, t->settings.residual.paths);
  FG_TRY(t->engine->ops->alloc(t->engine, fg_trainer_real_bytes(t, &t->net[0]), &p->pool_weights, st));
  FG_TRY(fg_path_pool_create(t->engine, &t->settings, &p->start, t->d, &p->pool, st));
  return fg_path_pool_create(t->engine, &t->settings, &p->start, t->d, &p->held_pool, st);
}

fg_code fg_point_part_create(fg_trainer *t, fg_status *st)
{
  const fg_train_settings *s = &t->settings;
  const fg_train_residual *q = &s->residual;
  fg_point_part *p = &t->points;
  size_t held = s->evaluate_paths,
         group = q->group < 2 && s->control == FG_POTENTIAL ? FG_GROUP_CENTRED : q->group;
  if (!has_residual(t)) return FG_OK;
  FG_TRY(check(t, st));
  p->start = fg_pool_start_of(t->process, t->prior);
  set_laws(t);
  if (s->method == FG_TRAIN_DSM) FG_TRY(create_denoising(t, st));
  if (on_paths(t)) FG_TRY(create_paths(t, st));
  if (q->weight > 0)
    FG_TRY(fg_point_room_create(t->engine, q->points, q->group, t->d, false, false, &p->residual, st));
  return fg_point_room_create(t->engine, held, fg_point_group(held, group), t->d, false, false,
                              &p->held_residual, st);
}

void fg_point_part_release(fg_trainer *t)
{
  fg_point_part *p = &t->points;
  fg_point_room *rooms[] = {&p->batch, &p->held_out, &p->residual, &p->held_residual};
  for (size_t i = 0; i < 4; i++) fg_point_room_release(t->engine, rooms[i]);
  fg_path_pool_release(t->engine, &p->pool);
  fg_path_pool_release(t->engine, &p->held_pool);
  t->engine->ops->free(t->engine, &p->pool_weights);
}

/* ---- requests ------------------------------------------------------------------------------- */

static fg_points_request request_of(const fg_trainer *t, fg_point_loss kind, const fg_point_room *room,
                                    uint64_t seed, uint64_t first, const fg_progress *progress)
{
  fg_points_request r = {.precision = t->settings.precision,
                         .kind = kind,
                         .n = room->n,
                         .group = room->group,
                         .coeff = room->coeff,
                         .x = room->in_x,
                         .goal = room->in_goal,
                         .weight = room->in_weight,
                         .probes = (int)t->settings.residual.probes,
                         .seed = seed,
                         .first = first,
                         .stream = FG_STREAM_PROBES,
                         .scale = 1,
                         .progress = progress};
  return r;
}

static fg_point_loss kind_of(fg_train_residual_form form)
{
  return form == FG_TRAIN_LOG       ? FG_LOSS_RESIDUAL
         : form == FG_TRAIN_CENTRED ? FG_LOSS_CENTRED
                                    : FG_LOSS_SCORE_RESIDUAL;
}

static fg_code check_lost(const fg_trainer *t, const char *what, const fg_points_request *r, fg_status *st)
{
  bool none_left = r->lost == r->n;
  if (!none_left && (double)r->lost <= t->settings.lost_most * (double)r->n) return FG_OK;
  return FG_FAIL(
      st, FG_NUMERICS,
      "step %llu of the training: %s is not finite at %zu of %zu points, %s; the first is point %zu of the "
      "step: %s",
      (unsigned long long)t->done + 1, what, r->lost, r->n,
      none_left ? "so there is no loss" : "more than train.lost_most allows", r->lost_first,
      fg_trainer_advice(t));
}

fg_code fg_trainer_denoise(fg_trainer *t, const fg_progress *progress, fg_train_step *step, fg_status *st)
{
  fg_engine *e = t->engine;
  fg_point_room *room = &t->points.batch;
  uint64_t first = t->done * (uint64_t)room->n;
  fg_field field = fg_trainer_field(t, &t->net[0], t->net[0].weights, t->done);
  FG_TRY(fg_points_draw(e, &t->points.data, t->seed, first, room, st));
  fg_points_request r = request_of(t, FG_LOSS_DENOISING, room, t->seed, first, progress);
  r.gradient = t->net[0].gradient;
  FG_TRY(e->ops->points(e, e->threads, &field, &r, st));
  step->loss = r.loss;
  step->loss_se = r.loss_se;
  step->lost = r.lost;
  return check_lost(t, "the score", &r, st);
}

/* ---- the residual --------------------------------------------------------------------------- */

static fg_code fill(fg_trainer *t, fg_path_pool *pool, fg_buf weights, uint64_t seed, uint64_t first,
                    const fg_progress *progress, fg_status *st)
{
  fg_field field = fg_trainer_field(t, &t->net[0], weights, t->done);
  return fg_path_pool_fill(t->engine, &t->settings, &field, &t->points.start, seed, first, progress, pool,
                           st);
}

fg_code fg_trainer_refill(fg_trainer *t, const fg_progress *progress, fg_status *st)
{
  fg_point_part *p = &t->points;
  uint64_t first = p->pool_step / t->settings.residual.refresh * t->settings.residual.paths;
  return fill(t, &p->pool, p->pool_weights, p->pool_seed, first, progress, st);
}

/* New paths where it is time; paths that are lost stay where they were last finite. */
static fg_code refresh(fg_trainer *t, const fg_progress *progress, fg_train_step *step, fg_status *st)
{
  fg_engine *e = t->engine;
  fg_point_part *p = &t->points;
  if (t->done % t->settings.residual.refresh != 0) return FG_OK;
  size_t bytes = fg_trainer_real_bytes(t, &t->net[0]);
  void *host = malloc(bytes);
  if (!host) return FG_FAIL(st, FG_MEMORY, "no memory for the weights of a network");
  fg_code rc = e->ops->download(e, host, t->net[0].weights, 0, bytes, st);
  if (rc == FG_OK) rc = e->ops->upload(e, p->pool_weights, 0, host, bytes, st);
  free(host);
  if (rc != FG_OK) return rc;
  p->pool_step = t->done;
  FG_TRY(fg_trainer_refill(t, progress, st));
  step->residual_lost += p->pool.lost;
  return FG_OK;
}

fg_code fg_trainer_residual(fg_trainer *t, const fg_progress *progress, fg_train_step *step, fg_status *st)
{
  const fg_train_residual *q = &t->settings.residual;
  fg_engine *e = t->engine;
  fg_point_part *p = &t->points;
  fg_point_room *room = &p->residual;
  uint64_t first = t->done * (uint64_t)q->points;
  step->residual = step->residual_se = (double)NAN;
  if (!(q->weight > 0)) return FG_OK;
  if (q->where == FG_AT_PATH) {
    fg_point_pool view = fg_path_pool_view(&p->pool);
    FG_TRY(refresh(t, progress, step, st));
    FG_TRY(fg_points_pick(e, &view, p->seed, first, room, st));
  } else {
    FG_TRY(fg_points_draw(e, &p->place, p->seed, first, room, st));
  }
  fg_field field = fg_trainer_field(t, &t->net[0], t->net[0].weights, t->done);
  fg_points_request r = request_of(t, kind_of(q->form), room, p->seed, first, progress);
  r.scale = q->weight;
  r.gradient = t->net[0].gradient;
  r.accumulate = 1;
  FG_TRY(e->ops->points(e, e->threads, &field, &r, st));
  step->residual = r.loss;
  step->residual_se = r.loss_se;
  step->residual_lost += r.lost;
  return check_lost(t, "the residual", &r, st);
}

/* ---- evaluation ----------------------------------------------------------------------------- */

/* R^2 by probes is too large by their variance: where exact derivatives are cheap they are taken. */
static fg_code judge(fg_trainer *t, fg_point_loss kind, const fg_point_room *room, uint64_t seed,
                     const fg_progress *progress, fg_train_mean *mean, fg_status *st)
{
  fg_field field = fg_trainer_field(t, &t->net[0], fg_trainer_weights(t, &t->net[0]), t->done);
  fg_points_request r = request_of(t, kind, room, seed, 0, progress);
  if (t->d <= FG_EXACT_UP_TO) r.probes = 0;
  FG_TRY(t->engine->ops->points(t->engine, t->engine->threads, &field, &r, st));
  *mean = (fg_train_mean){r.n, r.loss, r.loss_se, r.lost, r.lost_first};
  if (r.lost == r.n)
    return FG_FAIL(st, FG_NUMERICS,
                   "evaluation after step %llu: the %s is not finite at any of %zu points: train with a "
                   "lower train.rate",
                   (unsigned long long)t->done, kind == FG_LOSS_DENOISING ? "score" : "residual", r.n);
  return FG_OK;
}

static fg_code judge_residual(fg_trainer *t, const fg_progress *progress, fg_train_evaluation *e,
                              fg_status *st)
{
  fg_point_part *p = &t->points;
  fg_point_room *room = &p->held_residual;
  if (on_paths(t)) {
    fg_point_pool view = fg_path_pool_view(&p->held_pool);
    FG_TRY(fill(t, &p->held_pool, fg_trainer_weights(t, &t->net[0]), p->held_start, 0, progress, st));
    FG_TRY(fg_points_pick(t->engine, &view, p->held_seed, 0, room, st));
  } else {
    FG_TRY(fg_points_draw(t->engine, &p->place, p->held_seed, 0, room, st));
  }
  for (int form = 0; form <= FG_TRAIN_SCORE; form++) {
    bool there = (form == FG_TRAIN_SCORE) == (t->settings.control == FG_VECTOR);
    if (!there || (form == FG_TRAIN_CENTRED && room->group < 2)) continue;
    FG_TRY(judge(t, kind_of((fg_train_residual_form)form), room, p->held_seed, progress, &e->residual[form],
                 st));
  }
  return FG_OK;
}

fg_code fg_trainer_judge_points(fg_trainer *t, const fg_progress *progress, fg_train_evaluation *e,
                                fg_status *st)
{
  if (!has_residual(t)) return FG_OK;
  if (t->settings.method == FG_TRAIN_DSM) {
    FG_TRY(fg_points_draw(t->engine, &t->points.data, t->held_out, 0, &t->points.held_out, st));
    FG_TRY(judge(t, FG_LOSS_DENOISING, &t->points.held_out, t->held_out, progress, &e->denoising, st));
  }
  return judge_residual(t, progress, e, st);
}

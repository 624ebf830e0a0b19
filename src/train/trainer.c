/* A model in training: its engine memory, and one step of the optimiser. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "formula/random.h"
#include "model/model.h"
#include "network_pack.h"
#include "train/trainer_impl.h"

/* Adam's constants, PyTorch's defaults. */
static const double fg_beta1 = 0.9, fg_beta2 = 0.999, fg_epsilon = 1e-8;

/* ---- buffers ------------------------------------------------------------------------------ */

fg_code fg_path_room_create(const fg_trainer *t, size_t n, fg_path_room *room, fg_status *st)
{
  fg_engine *e = t->engine;
  memset(room, 0, sizeof *room);
  room->n = n;
  if (n > SIZE_MAX / sizeof(double) / t->d) return FG_FAIL(st, FG_USAGE, "%zu paths are too many", n);
  room->start = malloc(n * t->d * sizeof *room->start);
  room->step = malloc(n * sizeof *room->step);
  for (int form = 0; form < FG_TRAIN_FORMS; form++) {
    room->value[form] = malloc(n * sizeof *room->value[form]);
    if (!room->value[form]) return FG_FAIL(st, FG_MEMORY, "no memory for %zu paths", n);
    FG_TRY(e->ops->alloc(e, n * sizeof(double), &room->rnd[form], st));
  }
  if (!room->start || !room->step) return FG_FAIL(st, FG_MEMORY, "no memory for %zu paths", n);
  FG_TRY(e->ops->alloc(e, n * t->d * sizeof(double), &room->x, st));
  return e->ops->alloc(e, n * sizeof(int32_t), &room->lost, st);
}

void fg_path_room_release(const fg_trainer *t, fg_path_room *room)
{
  fg_engine *e = t->engine;
  for (int form = 0; form < FG_TRAIN_FORMS; form++) {
    free(room->value[form]);
    e->ops->free(e, &room->rnd[form]);
  }
  free(room->start);
  free(room->step);
  e->ops->free(e, &room->x);
  e->ops->free(e, &room->lost);
  memset(room, 0, sizeof *room);
}

fg_code fg_trainer_start(const fg_trainer *t, uint64_t seed, uint64_t first, size_t group, fg_path_room *room,
                         fg_status *st)
{
  size_t d = t->d, starts = room->n / group;
  double *x = room->start;
  FG_TRY(fg_prior_sample(t->prior, seed, first / group, starts, x, st));
  for (size_t i = room->n; group > 1 && i-- > 0;) /* from the end: what is read is not yet written over */
    memmove(x + i * d, x + i / group * d, d * sizeof *x);
  return t->engine->ops->upload(t->engine, room->x, 0, x, room->n * d * sizeof *x, st);
}

fg_paths_request fg_trainer_request(const fg_trainer *t, const fg_path_grid *grid, const fg_path_room *room,
                                    uint64_t seed, uint64_t first, const fg_progress *progress)
{
  fg_paths_request r = {.precision = t->settings.precision,
                        .n = room->n,
                        .tile = t->settings.tile,
                        .seed = seed,
                        .first = first,
                        .stream = FG_STREAM_NOISE,
                        .steps = grid->steps,
                        .coeff = grid->coeff,
                        .step = grid->step,
                        .continuous = t->ends[FG_TRAIN_CONTINUOUS],
                        .discrete = t->ends[FG_TRAIN_DISCRETE],
                        .target = t->density,
                        .limit = t->settings.path_limit,
                        .x = room->x,
                        .lost_step = room->lost,
                        .progress = progress};
  r.rnd[FG_FORM_CONTINUOUS] = room->rnd[FG_TRAIN_CONTINUOUS];
  r.rnd[FG_FORM_DISCRETE] = room->rnd[FG_TRAIN_DISCRETE];
  return r;
}

fg_field fg_trainer_field(const fg_trainer *t, const fg_trained *net, fg_buf weights, uint64_t k)
{
  fg_field field = net->field;
  field.guide.clip = fg_train_clip_at(&t->settings, k);
  if (t->settings.precision == FG_SINGLE)
    field.as.network.packed_single = weights;
  else
    field.as.network.packed_double = weights;
  return field;
}

fg_buf fg_trainer_weights(const fg_trainer *t, const fg_trained *net)
{
  return t->settings.ema > 0 ? net->average : net->weights;
}

size_t fg_trainer_real_bytes(const fg_trainer *t, const fg_trained *net)
{
  return net->packed * (t->settings.precision == FG_SINGLE ? sizeof(float) : sizeof(double));
}

/* ---- creation ----------------------------------------------------------------------------- */

/* Where the process is pinned its law has no density, so there is no score to learn. */
static fg_code check_pin(const fg_trainer *t, fg_status *st)
{
  if (fg_process_v(t->process, fg_process_horizon(t->process)) > 0) return FG_OK;
  return FG_FAIL(
      st, FG_USAGE,
      "train.method is dsm, and the process is at 0 at its horizon: set process.pin beyond the horizon, or "
      "take another process");
}

static fg_code check(const fg_trainer *t, fg_status *st)
{
  const fg_engine_ops *ops = t->engine->ops;
  const double most = 281474976710656.0; /* 2^48: numbers of paths */
  if (!ops->optimise) return fg_engine_lacks(t->engine, "optimise", st);
  if ((double)t->settings.steps * (double)t->settings.batch >= most)
    return FG_FAIL(st, FG_USAGE, "train.steps times train.batch is %g: give less than 2^48",
                   (double)t->settings.steps * (double)t->settings.batch);
  if (t->settings.method == FG_TRAIN_DSM) return check_pin(t, st);
  if (!ops->paths) return fg_engine_lacks(t->engine, "simulate paths", st);
  if (!ops->objective) return fg_engine_lacks(t->engine, "take gradients", st);
  return fg_sampler_check(t->settings.method, t->process, &t->start, st);
}

/* Seeds of their own, so that training and evaluation never share noise. */
static uint64_t derived_seed(uint64_t seed, uint64_t number)
{
  fg_words words = fg_philox(seed, FG_STREAM_TRAIN, number, 0, 0);
  return (uint64_t)words.w[0] << 32 | words.w[1];
}

static fg_code upload_weights(fg_trainer *t, const fg_trained *net, fg_status *st)
{
  fg_engine *e = t->engine;
  size_t bytes = fg_trainer_real_bytes(t, net);
  void *host = malloc(bytes);
  if (!host) return FG_FAIL(st, FG_MEMORY, "no memory for the weights of a network");
  if (t->settings.precision == FG_SINGLE)
    fg_network_pack_single(&net->field, &net->network.settings, host);
  else
    fg_network_pack(&net->field, &net->network.settings, host);
  fg_code rc = e->ops->upload(e, net->weights, 0, host, bytes, st);
  if (rc == FG_OK && net->average.device) rc = e->ops->upload(e, net->average, 0, host, bytes, st);
  free(host);
  return rc;
}

static fg_code create_network(fg_trainer *t, fg_trained *net, fg_status *st)
{
  fg_engine *e = t->engine;
  FG_TRY(net->network.settings.guide
             ? fg_model_control(e, &net->network.settings, t->target, t->process, &net->model, st)
             : fg_model_network(e, &net->network.settings, t->process, &net->model, st));
  net->field = *fg_model_field(net->model);
  net->packed = fg_network_pack_size(&net->field);
  fg_buf *bufs[] = {&net->weights, &net->gradient, &net->first, &net->second, &net->average};
  size_t count = t->settings.ema > 0 ? 5 : 4;
  for (size_t i = 0; i < count; i++) {
    FG_TRY(e->ops->alloc(e, fg_trainer_real_bytes(t, net), bufs[i], st));
    FG_TRY(e->ops->zero(e, *bufs[i], st));
  }
  return upload_weights(t, net, st);
}

static fg_code create_networks(fg_trainer *t, fg_status *st)
{
  const fg_train_settings *s = &t->settings;
  t->nets = s->method == FG_TRAIN_BRIDGE ? 2 : 1;
  FG_TRY(fg_train_network_create(s, t->process, t->prior, t->d, &t->net[0].network, st));
  if (t->nets > 1) FG_TRY(fg_train_noising_create(s, t->process, t->prior, t->d, &t->net[1].network, st));
  for (int k = 0; k < t->nets; k++) FG_TRY(create_network(t, &t->net[k], st));
  return FG_OK;
}

static fg_code create_sampler(fg_trainer *t, fg_status *st)
{
  const fg_train_settings *s = &t->settings;
  FG_TRY(fg_target_density(t->target, t->engine, &t->density, t->density_buffer, &t->density_buffers, st));
  for (int form = 0; form < FG_TRAIN_FORMS; form++)
    t->ends[form] = fg_path_ends_of(t->process, &t->start, s->method, (fg_train_form)form, t->d);
  FG_TRY(fg_path_grid_create(t->process, s, t->d, s->evaluate_steps, &t->evaluation_grid, st));
  FG_TRY(fg_path_room_create(t, s->batch, &t->batch, st));
  return fg_path_room_create(t, s->evaluate_paths, &t->evaluation, st);
}

static fg_code create(fg_trainer *t, fg_status *st)
{
  FG_TRY(check(t, st));
  FG_TRY(create_networks(t, st));
  if (t->settings.method != FG_TRAIN_DSM) FG_TRY(create_sampler(t, st));
  return fg_point_part_create(t, st);
}

fg_code fg_trainer_create(fg_engine *engine, const fg_train_settings *settings, const fg_process *process,
                          const fg_target *target, const fg_prior *prior, fg_trainer **trainer, fg_status *st)
{
  *trainer = NULL;
  fg_trainer *t = calloc(1, sizeof *t);
  if (!t) return FG_FAIL(st, FG_MEMORY, "no memory for a trainer");
  t->engine = engine;
  t->process = process;
  t->target = target;
  t->prior = prior;
  t->settings = *settings;
  if (prior) t->start = fg_prior_look(prior);
  t->d = fg_target_dimension(target);
  t->seed = derived_seed(settings->seed, 0);
  t->held_out = derived_seed(settings->seed, 1);
  t->points.seed = derived_seed(settings->seed, 2);
  t->points.pool_seed = derived_seed(settings->seed, 3);
  t->points.held_seed = derived_seed(settings->seed, 4);
  t->points.held_start = derived_seed(settings->seed, 5);
  fg_code rc = create(t, st);
  if (rc != FG_OK) fg_trainer_destroy(&t);
  *trainer = t;
  return rc;
}

static void destroy_network(fg_engine *e, fg_trained *net)
{
  fg_buf *bufs[] = {&net->weights, &net->gradient, &net->first, &net->second, &net->average};
  for (size_t i = 0; i < 5; i++) e->ops->free(e, bufs[i]);
  fg_model_destroy(&net->model);
  fg_train_network_clear(&net->network);
}

void fg_trainer_destroy(fg_trainer **trainer)
{
  fg_trainer *t = *trainer;
  if (!t) return;
  fg_engine *e = t->engine;
  for (int k = 0; k < FG_NETWORKS; k++) destroy_network(e, &t->net[k]);
  for (size_t i = 0; i < t->density_buffers; i++) e->ops->free(e, &t->density_buffer[i]);
  fg_point_part_release(t);
  fg_path_room_release(t, &t->batch);
  fg_path_room_release(t, &t->evaluation);
  fg_path_grid_clear(&t->grid);
  fg_path_grid_clear(&t->evaluation_grid);
  free(t->moments);
  free(t);
  *trainer = NULL;
}

uint64_t fg_trainer_steps_done(const fg_trainer *trainer)
{
  return trainer->done;
}

/* ---- one step ----------------------------------------------------------------------------- */

static fg_code fit_grid(fg_trainer *t, fg_status *st)
{
  size_t steps = fg_train_grid_steps(&t->settings, t->done);
  if (t->grid.steps == steps) return FG_OK;
  fg_path_grid_clear(&t->grid);
  return fg_path_grid_create(t->process, &t->settings, t->d, steps, &t->grid, st);
}

const char *fg_trainer_advice(const fg_trainer *t)
{
  if (t->settings.method == FG_TRAIN_DSM) return "lower the rate, or clip the gradient (train.clip_norm)";
  if (isfinite(t->settings.path_limit)) return "raise train.path_limit, or lower train.rate";
  return t->settings.control == FG_VECTOR ? "lower train.rate, or clip more (train.clip, train.clip_norm)"
                                          : "lower train.rate or train.clip_norm";
}

static fg_code check_paths(const fg_trainer *t, const fg_objective_request *r, fg_status *st)
{
  size_t n = r->paths.n, path = r->lost_first;
  bool none_left = r->lost == n;
  if (!none_left && (double)r->lost <= t->settings.lost_most * (double)n) return FG_OK;
  return FG_FAIL(st, FG_NUMERICS,
                 "step %llu of the training: %zu of %zu paths are lost, %s; the first is path %zu of the "
                 "batch, in tile %zu: %s",
                 (unsigned long long)t->done + 1, r->lost, n,
                 none_left ? "so there is no loss" : "more than train.lost_most allows", path,
                 path / r->paths.tile, fg_trainer_advice(t));
}

/* What is minimised: is it a number, and not too large? */
static fg_code check_loss(const fg_trainer *t, const fg_train_step *step, fg_status *st)
{
  unsigned long long number = (unsigned long long)t->done + 1;
  double weight = t->settings.residual.weight, loss = step->loss + (weight > 0 ? weight * step->residual : 0);
  if (!isfinite(loss))
    return FG_FAIL(st, FG_NUMERICS, "step %llu of the training: the loss is %g: %s", number, loss,
                   fg_trainer_advice(t));
  if (fabs(loss) > t->settings.loss_most)
    return FG_FAIL(st, FG_NUMERICS,
                   "step %llu of the training: the loss is %g, beyond train.loss_most (%g): %s", number, loss,
                   t->settings.loss_most, fg_trainer_advice(t));
  return FG_OK;
}

/* A control that has run into its clips everywhere learns nothing any more. */
static fg_code check_stuck(const fg_trainer *t, fg_status *st)
{
  if (t->done == 0 || t->last.norm != 0 || t->last.loss == 0) return FG_OK;
  return FG_FAIL(
      st, FG_NUMERICS,
      "step %llu of the training: the loss was %g and its gradient 0, as when all outputs are clipped: "
      "lower train.rate",
      (unsigned long long)t->done, t->last.loss);
}

static fg_code follow_paths(fg_trainer *t, const fg_progress *progress, fg_train_step *step, fg_status *st)
{
  const fg_train_settings *s = &t->settings;
  fg_engine *e = t->engine;
  uint64_t first = t->done * (uint64_t)s->batch;
  fg_field field[FG_NETWORKS];
  for (int k = 0; k < t->nets; k++) field[k] = fg_trainer_field(t, &t->net[k], t->net[k].weights, t->done);
  FG_TRY(fit_grid(t, st));
  FG_TRY(fg_trainer_start(t, t->seed, first, s->group, &t->batch, st));
  fg_objective_request r = {.paths = fg_trainer_request(t, &t->grid, &t->batch, t->seed, first, progress),
                            .objective = (fg_objective)s->objective,
                            .form = s->form == FG_TRAIN_DISCRETE ? FG_FORM_DISCRETE : FG_FORM_CONTINUOUS,
                            .group = s->group,
                            .detach_score = s->detach_score,
                            .gradient = t->net[0].gradient,
                            .noising_gradient = t->net[1].gradient};
  if (t->nets > 1) r.paths.noising = &field[1];
  FG_TRY(e->ops->objective(e, e->threads, field, &r, st));
  step->loss = r.loss;
  step->mean = r.mean;
  step->lost = r.lost;
  step->grid_steps = t->grid.steps;
  step->clip = field[0].guide.clip;
  return check_paths(t, &r, st);
}

static fg_code take_gradient(fg_trainer *t, const fg_progress *progress, fg_train_step *step, fg_status *st)
{
  if (t->settings.method == FG_TRAIN_DSM)
    FG_TRY(fg_trainer_denoise(t, progress, step, st));
  else
    FG_TRY(follow_paths(t, progress, step, st));
  FG_TRY(fg_trainer_residual(t, progress, step, st));
  return check_loss(t, step, st);
}

/* Adam afresh, where the settings ask for that; *number: of the step since it began. */
static fg_code restart(fg_trainer *t, uint64_t *number, fg_status *st)
{
  uint64_t began = t->settings.restart_optimiser ? fg_train_began(&t->settings, t->done) : 0;
  *number = t->done - began + 1;
  if (began == 0 || *number > 1) return FG_OK;
  for (int k = 0; k < t->nets; k++) {
    FG_TRY(t->engine->ops->zero(t->engine, t->net[k].first, st));
    FG_TRY(t->engine->ops->zero(t->engine, t->net[k].second, st));
  }
  return FG_OK;
}

/* Adam on one network with its own bound of the norm, or with norm_only its norm alone. */
static fg_code optimise_network(fg_trainer *t, const fg_trained *net, uint64_t number, double max_norm,
                                int norm_only, double *norm, fg_status *st)
{
  const fg_train_settings *s = &t->settings;
  fg_engine *e = t->engine;
  fg_optimise_request r = {.precision = s->precision,
                           .weights = net->weights,
                           .gradient = net->gradient,
                           .first = net->first,
                           .second = net->second,
                           .average = net->average,
                           .rate = fg_train_rate(s, t->done),
                           .beta1 = fg_beta1,
                           .beta2 = fg_beta2,
                           .epsilon = fg_epsilon,
                           .decay = s->decay,
                           .ema = s->ema,
                           .max_norm = max_norm,
                           .number = number,
                           .norm_only = norm_only};
  fg_code rc = e->ops->optimise(e, e->threads, &net->field, &r, st);
  *norm = r.norm;
  if (rc != FG_NUMERICS) return rc;
  return FG_FAIL(st, FG_NUMERICS,
                 "step %llu of the training: the norm of the gradient is %g, so the weights stay as they "
                 "were: %s",
                 (unsigned long long)t->done + 1, r.norm, fg_trainer_advice(t));
}

/* The gradients of two networks are clipped together, as one; their norms come first, since the weights of both stay
 * as they were if one is not finite. */
static fg_code optimise(fg_trainer *t, fg_train_step *step, fg_status *st)
{
  const double most = t->settings.clip_norm, guard = 1e-6; /* what clipping adds to a norm */
  double norm[FG_NETWORKS] = {0, 0}, ignored;
  uint64_t number;
  FG_TRY(restart(t, &number, st));
  step->rate = fg_train_rate(&t->settings, t->done);
  if (t->nets == 1) return optimise_network(t, &t->net[0], number, most, 0, &step->norm, st);
  for (int k = 0; k < t->nets; k++) FG_TRY(optimise_network(t, &t->net[k], number, most, 1, &norm[k], st));
  step->norm = hypot(norm[0], norm[1]);
  for (int k = 0; k < t->nets; k++) {
    double share = most * (norm[k] + guard) / (step->norm + guard);
    FG_TRY(optimise_network(t, &t->net[k], number, share, 0, &ignored, st));
  }
  return FG_OK;
}

fg_code fg_trainer_step(fg_trainer *t, const fg_progress *progress, fg_train_step *step, fg_status *st)
{
  fg_progress quiet = {NULL, NULL, progress ? progress->cancel : NULL};
  double begin = fg_seconds();
  memset(step, 0, sizeof *step);
  if (fg_progress_cancelled(progress)) return FG_FAIL(st, FG_INTERRUPTED, "the training was stopped");
  FG_TRY(check_stuck(t, st));
  FG_TRY(take_gradient(t, &quiet, step, st));
  FG_TRY(optimise(t, step, st));
  step->number = ++t->done;
  step->lost_total = t->lost += step->lost + step->residual_lost;
  step->seconds = t->seconds += fg_seconds() - begin;
  t->last = *step;
  return FG_OK;
}

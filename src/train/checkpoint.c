/* checkpoint.h5: the network as src/model reads it and, in the group `train`, the state of the training. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hdf5.h"
#include "model/checkpoint.h"
#include "network_pack.h"
#include "train/trainer_impl.h"

typedef struct fg_state_part {
  const char *name;
  const fg_trained *net;
  fg_buf buf;
} fg_state_part;

enum { FG_STATE_PARTS = 4 * FG_NETWORKS + 1, FG_STATE_LAST = 7, FG_STATE_POINTS = 4 };

/* Paths of the residual's points, which are made again from the weights that drove them. */
static bool has_pool(const fg_trainer *t)
{
  return t->settings.residual.weight > 0 && t->settings.residual.where == FG_AT_PATH;
}

/* Has a step figures of points? */
static bool has_points(const fg_trainer *t)
{
  return t->settings.residual.weight > 0 || t->settings.method == FG_TRAIN_DSM;
}

/* Their packed numbers, as doubles; the average and the weights behind the pool only where there are some. */
static int state_parts(const fg_trainer *t, fg_state_part parts[FG_STATE_PARTS])
{
  static const char *const names[4 * FG_NETWORKS] = {
      "train/weights",         "train/first",         "train/second",         "train/average",
      "train/noising_weights", "train/noising_first", "train/noising_second", "train/noising_average"};
  int count = 0;
  for (int k = 0; k < t->nets; k++) {
    const fg_trained *net = &t->net[k];
    const fg_buf bufs[] = {net->weights, net->first, net->second, net->average};
    for (int i = 0; i < 4; i++)
      if (bufs[i].device) parts[count++] = (fg_state_part){names[4 * k + i], net, bufs[i]};
  }
  if (has_pool(t))
    parts[count++] = (fg_state_part){"train/residual_weights", &t->net[0], t->points.pool_weights};
  return count;
}

/* Packed numbers of a network between an engine buffer and doubles. */
static fg_code download_packed(const fg_trainer *t, size_t packed, fg_buf buf, double *wide, fg_status *st)
{
  fg_engine *e = t->engine;
  if (t->settings.precision == FG_DOUBLE) return e->ops->download(e, wide, buf, 0, packed * sizeof *wide, st);
  float *narrow = malloc(packed * sizeof *narrow);
  if (!narrow) return FG_FAIL(st, FG_MEMORY, "no memory for the weights of a network");
  fg_code rc = e->ops->download(e, narrow, buf, 0, packed * sizeof *narrow, st);
  for (size_t k = 0; rc == FG_OK && k < packed; k++) wide[k] = (double)narrow[k];
  free(narrow);
  return rc;
}

static fg_code upload_packed(const fg_trainer *t, size_t packed, fg_buf buf, const double *wide,
                             fg_status *st)
{
  fg_engine *e = t->engine;
  if (t->settings.precision == FG_DOUBLE) return e->ops->upload(e, buf, 0, wide, packed * sizeof *wide, st);
  float *narrow = malloc(packed * sizeof *narrow);
  if (!narrow) return FG_FAIL(st, FG_MEMORY, "no memory for the weights of a network");
  for (size_t k = 0; k < packed; k++) narrow[k] = (float)wide[k];
  fg_code rc = e->ops->upload(e, buf, 0, narrow, packed * sizeof *narrow, st);
  free(narrow);
  return rc;
}

/* The weights that are evaluated go into the arrays of the networks, which are the trainer's own. */
static fg_code put_model(const fg_trainer *t, fg_h5 *file, double *wide, fg_status *st)
{
  fg_network_settings network[FG_NETWORKS];
  fg_guide_settings guide[FG_NETWORKS];
  for (int k = 0; k < t->nets; k++) {
    const fg_trained *net = &t->net[k];
    network[k] = net->network.settings;
    guide[k] = net->network.guide;
    guide[k].clip = fg_train_clip_at(&t->settings, t->done);
    if (network[k].guide) network[k].guide = &guide[k];
    FG_TRY(download_packed(t, net->packed, fg_trainer_weights(t, net), wide, st));
    fg_network_unpack(&net->field, wide, &network[k]);
  }
  if (t->nets > 1) network[0].noising = &network[1];
  return fg_network_put(file, network, st);
}

/* What metrics.jsonl says of the last step beside its number, the paths lost so far and the seconds. */
static void last_numbers(const fg_train_step *s, double numbers[FG_STATE_LAST])
{
  const double all[FG_STATE_LAST] = {
      s->loss, s->mean, s->norm, s->rate, s->clip, (double)s->grid_steps, (double)s->lost};
  memcpy(numbers, all, sizeof all);
}

static fg_train_step last_step(const fg_trainer *t, const double numbers[FG_STATE_LAST])
{
  return (fg_train_step){.number = t->done,
                         .loss = numbers[0],
                         .mean = numbers[1],
                         .norm = numbers[2],
                         .rate = numbers[3],
                         .clip = numbers[4],
                         .grid_steps = (size_t)numbers[5],
                         .lost = (size_t)numbers[6],
                         .lost_total = t->lost,
                         .seconds = t->seconds};
}

/* What it says of points; the residual is 0 where there is none, since a file of numbers should hold numbers. */
static fg_code put_points(const fg_trainer *t, fg_h5 *file, fg_status *st)
{
  const size_t count = FG_STATE_POINTS;
  const fg_train_step *s = &t->last;
  bool residual = t->settings.residual.weight > 0;
  const double all[FG_STATE_POINTS] = {s->loss_se, residual ? s->residual : 0, residual ? s->residual_se : 0,
                                       (double)s->residual_lost};
  int64_t pool = (int64_t)t->points.pool_step;
  if (has_pool(t)) FG_TRY(fg_h5_write_integer(file, "train/residual_step", 0, NULL, &pool, st));
  return has_points(t) ? fg_h5_write_real(file, "train/last_points", 1, &count, all, st) : FG_OK;
}

static fg_code put_state(const fg_trainer *t, fg_h5 *file, double *wide, fg_status *st)
{
  const size_t numbers = FG_STATE_LAST;
  double last[FG_STATE_LAST];
  fg_state_part parts[FG_STATE_PARTS];
  int count = state_parts(t, parts);
  int64_t done = (int64_t)t->done, lost = (int64_t)t->lost;
  FG_TRY(fg_h5_write_integer(file, "train/step", 0, NULL, &done, st));
  FG_TRY(fg_h5_write_integer(file, "train/lost", 0, NULL, &lost, st));
  FG_TRY(fg_h5_write_real(file, "train/seconds", 0, NULL, &t->seconds, st));
  last_numbers(&t->last, last);
  FG_TRY(fg_h5_write_real(file, "train/last", 1, &numbers, last, st));
  FG_TRY(put_points(t, file, st));
  for (int k = 0; k < count; k++) {
    const size_t packed = parts[k].net->packed;
    FG_TRY(download_packed(t, packed, parts[k].buf, wide, st));
    FG_TRY(fg_h5_write_real(file, parts[k].name, 1, &packed, wide, st));
  }
  return FG_OK;
}

fg_code fg_trainer_save(const fg_trainer *t, const char *path, fg_status *st)
{
  fg_h5 *file = NULL;
  fg_code rc;
  size_t most = 0;
  for (int k = 0; k < t->nets; k++) most = t->net[k].packed > most ? t->net[k].packed : most;
  double *wide = malloc(most * sizeof *wide);
  if (!wide) return FG_FAIL(st, FG_MEMORY, "no memory for the weights of a network");
  FG_GO(fg_h5_create(path, &file, st), done);
  FG_GO(put_model(t, file, wide, st), done);
  FG_GO(put_state(t, file, wide, st), done);
  rc = fg_h5_commit(&file, st);
done:
  fg_h5_close(&file);
  free(wide);
  return rc;
}

static fg_code get_state(const fg_trainer *t, fg_h5 *file, const char *path, const fg_state_part *part,
                         fg_status *st)
{
  int rank;
  size_t shape[FG_H5_RANK_MAX];
  double *wide;
  FG_TRY(fg_h5_read_real(file, part->name, &rank, shape, &wide, st));
  fg_code rc = FG_OK;
  const size_t packed = part->net->packed;
  if (rank != 1 || shape[0] != packed)
    rc = FG_FAIL(st, FG_IO,
                 "%s: %s holds %zu numbers, the network of the settings has %zu: the file is of another "
                 "training",
                 path, part->name, shape[0], packed);
  if (rc == FG_OK) rc = upload_packed(t, packed, part->buf, wide, st);
  free(wide);
  return rc;
}

static fg_code get_progress(fg_trainer *t, fg_h5 *file, const char *path, fg_status *st)
{
  int rank;
  size_t shape[FG_H5_RANK_MAX];
  int64_t *step = NULL, *lost = NULL;
  double *seconds = NULL, *last = NULL;
  fg_code rc;
  FG_GO(fg_h5_read_integer(file, "train/step", &rank, shape, &step, st), done);
  FG_GO(fg_h5_read_integer(file, "train/lost", &rank, shape, &lost, st), done);
  FG_GO(fg_h5_read_real(file, "train/seconds", &rank, shape, &seconds, st), done);
  FG_GO(fg_h5_read_real(file, "train/last", &rank, shape, &last, st), done);
  if (rank != 1 || shape[0] != FG_STATE_LAST) {
    rc = FG_FAIL(st, FG_IO, "%s: train/last does not hold %d numbers: the file is damaged", path,
                 FG_STATE_LAST);
  } else if (*step < 0) {
    rc = FG_FAIL(st, FG_IO, "%s: it was saved after step %lld: the file is damaged", path, (long long)*step);
  } else if ((uint64_t)*step > t->settings.steps) {
    rc = FG_FAIL(st, FG_USAGE, "%s was saved after step %lld, and train.steps is %llu: give at least as many",
                 path, (long long)*step, (unsigned long long)t->settings.steps);
  } else {
    t->done = (uint64_t)*step;
    t->lost = (uint64_t)*lost;
    t->seconds = *seconds;
    t->last = last_step(t, last);
  }
done:
  free(step);
  free(lost);
  free(seconds);
  free(last);
  return rc;
}

static fg_code get_pool(fg_trainer *t, fg_h5 *file, fg_status *st)
{
  int rank;
  size_t shape[FG_H5_RANK_MAX];
  int64_t *step;
  if (!has_pool(t)) return FG_OK;
  FG_TRY(fg_h5_read_integer(file, "train/residual_step", &rank, shape, &step, st));
  t->points.pool_step = (uint64_t)*step;
  free(step);
  return fg_trainer_refill(t, NULL, st);
}

static fg_code get_points(fg_trainer *t, fg_h5 *file, const char *path, fg_status *st)
{
  int rank;
  size_t shape[FG_H5_RANK_MAX];
  double *last;
  t->last.residual = t->last.residual_se = (double)NAN;
  if (!has_points(t)) return FG_OK;
  FG_TRY(fg_h5_read_real(file, "train/last_points", &rank, shape, &last, st));
  bool fits = rank == 1 && shape[0] == FG_STATE_POINTS;
  if (fits) t->last.loss_se = last[0];
  if (fits && t->settings.residual.weight > 0) {
    t->last.residual = last[1];
    t->last.residual_se = last[2];
    t->last.residual_lost = (size_t)last[3];
  }
  free(last);
  return fits ? get_pool(t, file, st)
              : FG_FAIL(st, FG_IO, "%s: train/last_points does not hold %d numbers: the file is damaged",
                        path, FG_STATE_POINTS);
}

fg_code fg_trainer_load(fg_trainer *t, const char *path, fg_status *st)
{
  fg_state_part parts[FG_STATE_PARTS];
  int count = state_parts(t, parts);
  fg_h5 *file;
  fg_code rc = FG_OK;
  FG_TRY(fg_h5_open(path, &file, st));
  if (!fg_h5_has(file, "train/step"))
    rc = FG_FAIL(st, FG_IO, "%s: a network, but no state of a training to go on from", path);
  for (int k = 0; rc == FG_OK && k < count; k++) rc = get_state(t, file, path, &parts[k], st);
  if (rc == FG_OK) rc = get_progress(t, file, path, st);
  if (rc == FG_OK) rc = get_points(t, file, path, st);
  fg_h5_close(&file);
  return rc;
}

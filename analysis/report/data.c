#include "analysis/report/data.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/training.h"
#include "base/file.h"
#include "base/hdf5.h"
#include "base/run_directory.h"

#define RUN_SCHEMA 1

/* ---- results.json ----------------------------------------------------------------------- */

const json_t *fg_run_find(const json_t *from, const char *path)
{
  char key[64];
  while (from && *path) {
    size_t length = strcspn(path, ".");
    if (length >= sizeof key) return NULL;
    memcpy(key, path, length);
    key[length] = 0;
    from = json_object_get(from, key);
    path += length + (path[length] == '.');
  }
  return json_is_null(from) ? NULL : from;
}

double fg_run_real(const json_t *from, const char *path)
{
  const json_t *value = fg_run_find(from, path);
  return json_is_number(value) ? json_number_value(value) : NAN;
}

const char *fg_run_word(const json_t *from, const char *path, const char *fallback)
{
  const json_t *value = fg_run_find(from, path);
  return json_is_string(value) ? json_string_value(value) : fallback;
}

static fg_code read_results(const char *path, fg_run *run, fg_status *st)
{
  unsigned char *bytes = NULL;
  size_t size = 0;
  json_error_t error;
  FG_TRY(fg_file_read(path, &bytes, &size, st));
  run->results = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, &error);
  free(bytes);
  if (!run->results)
    return FG_FAIL(st, FG_IO, "%s, line %d, column %d: %s; is this a run directory of flowgap?", path,
                   error.line, error.column, error.text);
  double schema = fg_run_real(run->results, "schema");
  if (!(schema == RUN_SCHEMA))
    return FG_FAIL(st, FG_IO,
                   "%s: schema is %g, this program reads schema %d: repeat the run, or use the "
                   "version that wrote it (%s)",
                   path, schema, RUN_SCHEMA, fg_run_word(run->results, "version", "not named"));
  return FG_OK;
}

/* ---- samples.h5 ------------------------------------------------------------------------- */

/* Fills a block; leaves it empty when the file has no such name. */
static fg_code read_block(fg_h5 *file, const char *name, fg_block *block, fg_status *st)
{
  if (!fg_h5_has(file, name)) return FG_OK;
  return fg_h5_read_real(file, name, &block->rank, block->shape, &block->values, st);
}

static fg_code read_blocks(fg_h5 *file, fg_run *run, fg_status *st)
{
  FG_TRY(read_block(file, "ode", &run->ode, st));
  FG_TRY(read_block(file, "sde", &run->sde, st));
  FG_TRY(read_block(file, "target", &run->target, st));
  FG_TRY(read_block(file, "snapshot_t", &run->snapshot_t, st));
  FG_TRY(read_block(file, "snapshot_ode", &run->snapshot_ode, st));
  FG_TRY(read_block(file, "snapshot_sde", &run->snapshot_sde, st));
  FG_TRY(read_block(file, "trajectory_t", &run->trajectory_t, st));
  FG_TRY(read_block(file, "trajectories_ode", &run->trajectories_ode, st));
  return read_block(file, "trajectories_sde", &run->trajectories_sde, st);
}

static fg_code read_samples(const char *path, fg_run *run, fg_status *st)
{
  fg_h5 *file = NULL;
  if (access(path, R_OK) != 0 && errno == ENOENT) return FG_OK;
  FG_TRY(fg_h5_open(path, &file, st));
  fg_code rc = read_blocks(file, run, st);
  fg_h5_close(&file);
  return rc;
}

/* Residuals on a grid at some times. */
static fg_code read_maps(const char *path, fg_run *run, fg_status *st)
{
  fg_h5 *file = NULL;
  if (access(path, R_OK) != 0 && errno == ENOENT) return FG_OK;
  FG_TRY(fg_h5_open(path, &file, st));
  fg_code rc = read_block(file, "t", &run->map_t, st);
  if (rc == FG_OK) rc = read_block(file, "residual", &run->map, st);
  fg_h5_close(&file);
  FG_TRY(rc);
  if (!run->map.values || !run->map_t.values) return FG_OK;
  bool plane = run->map.rank == 3;
  if (run->map_t.rank != 1 || run->map.shape[0] != run->map_t.shape[0] || (!plane && run->map.rank != 2) ||
      (plane && run->map.shape[1] != run->map.shape[2]))
    return FG_FAIL(st, FG_IO, "%s: residual has shape %zu x %zu x %zu, which does not go with %zu times",
                   path, run->map.shape[0], run->map.shape[1], run->map.shape[2], run->map_t.shape[0]);
  return FG_OK;
}

/* Shapes that belong together; a missing block passes. */
static fg_code check_points(const char *name, const fg_block *block, int rank, fg_run *run, fg_status *st)
{
  if (!block->values) return FG_OK;
  size_t d = block->rank == rank ? block->shape[rank - 1] : 0;
  if (d == 0 || (run->d && run->d != d))
    return FG_FAIL(st, FG_IO,
                   "samples.h5: %s has rank %d and shape %zu x %zu x %zu, which does not go with "
                   "dimension %zu of the other data sets",
                   name, block->rank, block->shape[0], block->shape[1], block->shape[2], run->d);
  run->d = d;
  return FG_OK;
}

static fg_code check_times(const char *name, const fg_block *t, const fg_block *a, const fg_block *b,
                           fg_status *st)
{
  if (!a->values && !b->values) return FG_OK;
  bool fits = a->values && b->values && t->values && t->rank == 1 && t->shape[0] == a->shape[0];
  for (int i = 0; fits && i < 3; i++) fits = a->shape[i] == b->shape[i];
  if (!fits)
    return FG_FAIL(st, FG_IO,
                   "samples.h5: the %s of the ODE and of the SDE need equal shapes [times, particles, d] "
                   "and one time each",
                   name);
  return FG_OK;
}

static fg_code check_shapes(fg_run *run, fg_status *st)
{
  FG_TRY(check_points("ode", &run->ode, 2, run, st));
  FG_TRY(check_points("sde", &run->sde, 2, run, st));
  FG_TRY(check_points("target", &run->target, 2, run, st));
  FG_TRY(check_points("snapshot_ode", &run->snapshot_ode, 3, run, st));
  FG_TRY(check_points("snapshot_sde", &run->snapshot_sde, 3, run, st));
  FG_TRY(check_points("trajectories_ode", &run->trajectories_ode, 3, run, st));
  FG_TRY(check_points("trajectories_sde", &run->trajectories_sde, 3, run, st));
  FG_TRY(check_times("snapshots", &run->snapshot_t, &run->snapshot_ode, &run->snapshot_sde, st));
  return check_times("trajectories", &run->trajectory_t, &run->trajectories_ode, &run->trajectories_sde, st);
}

/* ---- the directory ---------------------------------------------------------------------- */

static fg_code read_config(const char *path, fg_run *run, fg_status *st)
{
  if (access(path, R_OK) != 0 && errno == ENOENT) return FG_OK;
  return fg_file_read(path, &run->config, &run->config_size, st);
}

static bool has_file(const char *folder, const char *name)
{
  char *path = fg_path_join(folder, name);
  bool has = path && access(path, F_OK) == 0;
  free(path);
  return has;
}

/* Results of a training, or what stands for them until it is finished. */
static fg_code read_outcome(const char *run_directory, const char *results, fg_run *run, fg_status *st)
{
  bool unfinished = has_file(run_directory, "checkpoint.h5") && !has_file(run_directory, "results.json");
  if (unfinished) {
    run->results = json_pack("{s:i, s:s}", "schema", RUN_SCHEMA, "verb", "train");
    if (!run->results) return FG_FAIL(st, FG_MEMORY, "no memory to read %s", run_directory);
  } else {
    if (access(run_directory, F_OK) != 0)
      return FG_FAIL(st, FG_IO, "cannot read %s: there is no such run directory", results);
    if (!has_file(run_directory, "results.json") && has_file(run_directory, "unfinished.bin"))
      return FG_FAIL(
          st, FG_USAGE,
          "%s holds a comparison that did not finish: `flowgap compare %s --resume` goes on with it",
          run_directory, run_directory);
    if (!has_file(run_directory, "results.json"))
      return FG_FAIL(st, FG_IO, "%s is not there: is %s a run directory of flowgap?", results, run_directory);
    FG_TRY(read_results(results, run, st));
  }
  run->residual = strcmp(fg_run_word(run->results, "verb", ""), "residual") == 0;
  run->train = strcmp(fg_run_word(run->results, "verb", ""), "train") == 0;
  if (!run->train) {
    run->training = json_incref((json_t *)fg_run_find(run->results, "training"));
    return FG_OK;
  }
  if (fg_run_find(run->results, "seeds")) return FG_OK;
  FG_TRY(fg_training_read(run_directory, &run->training, st));
  if (run->training) return FG_OK;
  return FG_FAIL(
      st, FG_USAGE,
      "%s holds a training without metrics.jsonl, so there is nothing to show; `flowgap compare %s` "
      "makes a report of its laws",
      run_directory, run_directory);
}

fg_code fg_run_read(const char *run_directory, fg_run *run, fg_status *st)
{
  fg_code rc = FG_OK;
  *run = (fg_run){0};
  char *results = fg_path_join(run_directory, "results.json");
  char *config = fg_path_join(run_directory, "config.yaml");
  char *samples = fg_path_join(run_directory, "samples.h5");
  char *maps = fg_path_join(run_directory, "maps.h5");
  if (!results || !config || !samples || !maps) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory to read %s", run_directory);
    goto done;
  }
  FG_GO(read_outcome(run_directory, results, run, st), done);
  FG_GO(read_config(config, run, st), done);
  FG_GO(read_maps(maps, run, st), done);
  FG_GO(read_samples(samples, run, st), done);
  FG_GO(check_shapes(run, st), done);
done:
  free(results);
  free(config);
  free(samples);
  free(maps);
  if (rc != FG_OK) fg_run_clear(run);
  return rc;
}

void fg_run_clear(fg_run *run)
{
  fg_block *blocks[] = {&run->ode,
                        &run->sde,
                        &run->target,
                        &run->snapshot_t,
                        &run->snapshot_ode,
                        &run->snapshot_sde,
                        &run->trajectory_t,
                        &run->trajectories_ode,
                        &run->trajectories_sde,
                        &run->map_t,
                        &run->map};
  for (size_t i = 0; i < sizeof blocks / sizeof(fg_block *); i++) free(blocks[i]->values);
  free(run->config);
  json_decref(run->training);
  json_decref(run->results);
  *run = (fg_run){0};
}

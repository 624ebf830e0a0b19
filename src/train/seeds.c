/* The same training with several seeds, and what its figures have in common. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/run_directory.h"
#include "train/run_impl.h"

typedef struct fg_seed_runs {
  fg_engine *engine;
  const fg_settings *settings;
  const char *folder;
  const fg_train_options *options;
  size_t count;
  int64_t first;
  uint64_t steps;
  bool score;   /* score models, not samplers */
  json_t *runs; /* one object per seed */
} fg_seed_runs;

/* The parsed results.json of a folder, or NULL. */
static json_t *read_results(const char *folder)
{
  char *path = fg_path_join(folder, "results.json");
  json_t *root = path ? json_load_file(path, 0, NULL) : NULL;
  free(path);
  return root;
}

static bool has_file(const char *folder, const char *name)
{
  char *path = fg_path_join(folder, name);
  FILE *file = path ? fopen(path, "rb") : NULL;
  free(path);
  if (file) fclose(file);
  return file != NULL;
}

/* Settings with seed first + i. */
static fg_code seeded(const fg_seed_runs *all, size_t i, fg_settings **settings, fg_status *st)
{
  char *yaml = NULL, assignment[40];
  fg_code rc;
  FG_TRY(fg_settings_create(settings, st));
  FG_GO(fg_settings_yaml(all->settings, &yaml, st), done);
  FG_GO(fg_settings_parse(*settings, yaml, "the settings", st), done);
  snprintf(assignment, sizeof assignment, "seed=%lld", (long long)all->first + (long long)i);
  rc = fg_settings_assign(*settings, assignment, st);
done:
  free(yaml);
  if (rc != FG_OK) fg_settings_destroy(settings);
  return rc;
}

/* Those of a seed that has come to the last step, else NULL. */
static json_t *finished_results(const fg_seed_runs *all, const char *folder)
{
  json_t *results = all->options->resume ? read_results(folder) : NULL;
  const json_t *steps = json_object_get(json_object_get(results, "train"), "steps");
  if ((uint64_t)json_integer_value(steps) == all->steps) return results;
  json_decref(results);
  return NULL;
}

/* A run that failed on its numbers is kept as failed; the others go on. */
static fg_code run_one(const fg_seed_runs *all, size_t i, const char *folder, fg_status *st)
{
  fg_settings *settings = NULL;
  fg_train_options options = *all->options;
  json_t *one = json_object(), *results = finished_results(all, folder);
  fg_code rc = FG_OK;
  options.resume = options.resume && has_file(folder, "checkpoint.h5");
  if (!results) {
    rc = seeded(all, i, &settings, st);
    if (rc == FG_OK) rc = fg_train_run(all->engine, settings, folder, &options, st);
    if (rc == FG_OK) results = read_results(folder);
  }
  json_object_set_new(one, "seed", json_integer(all->first + (json_int_t)i));
  if (rc == FG_NUMERICS) json_object_set_new(one, "failed", json_string(st ? st->message : "failed"));
  const char *kind = all->score ? "score" : "sampler";
  json_object_set(one, kind, json_object_get(results, kind));
  json_array_append_new(all->runs, one);
  json_decref(results);
  fg_settings_destroy(&settings);
  return rc == FG_NUMERICS ? FG_OK : rc;
}

/* The member at a path such as "sampler.w2.value", or NULL. */
static const json_t *member(const json_t *from, const char *path)
{
  char key[64];
  while (from && *path) {
    size_t length = strcspn(path, ".");
    snprintf(key, sizeof key, "%.*s", (int)length, path);
    from = json_object_get(from, key);
    path += length + (path[length] == '.');
  }
  return from;
}

/* Mean, spread and number of the runs that have the figure at the path. */
static json_t *spread_of(const json_t *runs, const char *path)
{
  double sum = 0, squares = 0;
  size_t count = 0;
  for (int pass = 0; pass < 2; pass++)
    for (size_t i = 0; i < json_array_size(runs); i++) {
      const json_t *value = member(json_array_get(runs, i), path);
      if (!json_is_number(value)) continue;
      double x = json_number_value(value);
      count += pass == 0;
      if (pass == 0)
        sum += x;
      else
        squares += (x - sum / (double)count) * (x - sum / (double)count);
    }
  json_t *one = json_object();
  json_object_set_new(one, "mean", count ? json_real(sum / (double)count) : json_null());
  json_object_set_new(one, "sd", count > 1 ? json_real(sqrt(squares / (double)(count - 1))) : json_null());
  json_object_set_new(one, "count", json_integer((json_int_t)count));
  return one;
}

static json_t *summary_of(const json_t *runs, bool score)
{
  static const struct {
    const char *path, *shown;
  } figures[] = {{"sampler.log_z_elbo", "log_z_elbo"},
                 {"sampler.log_z_is", "log_z_is"},
                 {"sampler.ess", "ess"},
                 {"sampler.continuous.log_z_elbo", "continuous_log_z_elbo"},
                 {"sampler.continuous.log_z_is", "continuous_log_z_is"},
                 {"sampler.continuous.ess", "continuous_ess"},
                 {"sampler.moments.mean_error", "mean_error"},
                 {"sampler.moments.sd_error", "sd_error"},
                 {"sampler.moments.sd_error_weighted", "sd_error_weighted"},
                 {"sampler.modes.least_share", "least_share"},
                 {"sampler.w2.value", "w2"},
                 {"score.loss", "loss"},
                 {"score.residual.log.mean_square", "residual_log"},
                 {"score.residual.centred.mean_square", "residual_centred"},
                 {"score.residual.score.mean_square", "residual_score"}};
  json_t *all = json_object();
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
    if ((strncmp(figures[i].path, "score", 5) == 0) == score)
      json_object_set_new(all, figures[i].shown, spread_of(runs, figures[i].path));
  return all;
}

static fg_code run_all(const fg_seed_runs *all, fg_status *st)
{
  for (size_t i = 0; i < all->count; i++) {
    char name[32];
    snprintf(name, sizeof name, "seed-%zu", i + 1);
    char *folder = fg_path_join(all->folder, name);
    if (!folder) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", all->folder);
    fg_code rc = run_one(all, i, folder, st);
    free(folder);
    if (rc != FG_OK) return fg_status_prefix(st, "%s: ", name);
  }
  return FG_OK;
}

static fg_code write_summary(const fg_seed_runs *all, double began, fg_status *st)
{
  char command[512];
  size_t failed = 0;
  for (size_t i = 0; i < all->count; i++)
    failed += json_object_get(json_array_get(all->runs, i), "failed") != NULL;
  snprintf(command, sizeof command, "flowgap train %.400s/config.yaml --seeds %zu --out again", all->folder,
           all->count);
  json_t *root = fg_results_head(all->engine, command, (uint64_t)all->first, fg_seconds() - began);
  json_object_set_new(root, "seeds", json_integer((json_int_t)all->count));
  json_object_set_new(root, "failed", json_integer((json_int_t)failed));
  json_object_set_new(root, "summary", summary_of(all->runs, all->score));
  json_object_set(root, "runs", all->runs);
  FG_TRY(fg_results_write(all->folder, root, st));
  if (failed < all->count) return FG_OK;
  return FG_FAIL(st, FG_NUMERICS, "none of the %zu trainings came to its end; %s/results.json says why",
                 all->count, all->folder);
}

/* Going on, all seeds must be of the same training: the folder's settings say which. */
static fg_code check_settings(fg_seed_runs *all, fg_status *st)
{
  fg_train_settings train;
  FG_TRY(fg_settings_integer(all->settings, "seed", &all->first, st));
  FG_TRY(fg_train_from_settings(all->settings, &train, st));
  all->steps = train.steps;
  all->score = train.method == FG_TRAIN_DSM;
  if (has_file(all->folder, "checkpoint.h5"))
    return FG_FAIL(st, FG_USAGE, "%s holds one training: choose another folder for several with --out",
                   all->folder);
  if (!all->options->resume || !has_file(all->folder, "config.yaml")) return FG_OK;
  return fg_resume_check(all->folder, all->settings, &train, st);
}

fg_code fg_train_seeds(fg_engine *engine, const fg_settings *settings, const char *run_directory,
                       size_t seeds, const fg_train_options *options, fg_status *st)
{
  static const fg_train_options none = {.resume = false};
  fg_seed_runs all = {engine, settings, run_directory, options ? options : &none, seeds, 0, 0, false, NULL};
  double began = fg_seconds();
  FILE *log = NULL;
  FG_TRY(check_settings(&all, st));
  bool resume = all.options->resume;
  FG_TRY(resume ? fg_run_directory_continue(run_directory, settings, &log, st)
                : fg_run_directory_open(run_directory, settings, &log, st));
  fg_code rc = resume ? FG_OK : fg_run_directory_replace(run_directory, settings, st);
  fprintf(log, "flowgap %s: %zu trainings, in seed-1 to seed-%zu\n", fg_version(), seeds, seeds);
  fclose(log);
  FG_TRY(rc);
  all.runs = json_array();
  rc = all.runs ? run_all(&all, st) : FG_FAIL(st, FG_MEMORY, "no memory for %zu runs", seeds);
  if (rc == FG_OK) rc = write_summary(&all, began, st);
  json_decref(all.runs);
  return rc;
}

/* results.json of a sweep: what its members found, side by side; docs/run-directory.md describes every member. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/run_directory.h"
#include "flowgap/analysis.h"

/* folder/name + tail/results.json, parsed, or NULL. */
static json_t *read_results(const char *folder, const char *name, const char *tail)
{
  size_t room = strlen(folder) + strlen(name) + strlen(tail) + 20;
  char *path = malloc(room);
  if (!path) return NULL;
  snprintf(path, room, "%s/%s%s/results.json", folder, name, tail);
  json_t *root = json_load_file(path, 0, NULL);
  free(path);
  return root;
}

/* Copies of the named members that are there. */
static void copy(json_t *to, const json_t *from, const char *const *names)
{
  for (; *names; names++) json_object_set(to, *names, json_object_get(from, *names));
}

/* The figures of a sampler without what fills pages. */
static void copy_sampler(json_t *to, const json_t *training)
{
  static const char *const names[] = {"log_z_elbo", "log_z_elbo_se", "log_z_is", "log_z_is_se", "ess",
                                      "log_z",      "lost",          "residual", "w2",          NULL};
  const json_t *from = json_object_get(training, "sampler");
  if (!from) return;
  json_t *sampler = json_object();
  copy(sampler, from, names);
  json_object_set_new(to, "sampler", sampler);
}

/* The residual without its profile in time. */
static void copy_residual(json_t *to, const json_t *comparison)
{
  static const char *const names[] = {"mean_square", "mean_square_se", "points", "nonfinite_paths", NULL};
  const json_t *from = json_object_get(comparison, "residual");
  if (!json_is_object(from)) return;
  json_t *residual = json_object();
  copy(residual, from, names);
  json_object_set_new(to, "residual", residual);
}

static void add_warnings(json_t *list, const char *name, const char *what, const json_t *results)
{
  const json_t *all = json_object_get(results, "warnings");
  for (size_t i = 0; i < json_array_size(all); i++) {
    const char *text = json_string_value(json_array_get(all, i));
    if (text) json_array_append_new(list, json_sprintf("%s (%s): %s", name, what, text));
  }
}

static json_t *member_of(const char *folder, const fg_sweep *sweep, const fg_sweep_member *m,
                         json_t *warnings)
{
  static const char *const compared[] = {"w2", "particles", "confidence", "ode", "sde", NULL};
  static const char *const trained[] = {"score", "train", NULL};
  json_t *one = json_object(), *values = json_object();
  json_t *training = read_results(folder, m->name, ""),
         *comparison = read_results(folder, m->name, "-compare");
  for (size_t i = 0; i < sweep->keys; i++)
    json_object_set_new(values, sweep->key[i], json_string(m->values[i]));
  json_object_set_new(one, "name", json_string(m->name));
  json_object_set_new(one, "values", values);
  json_object_set_new(one, "failed", m->failed ? json_string(m->failed) : json_null());
  copy(one, comparison, compared);
  json_object_del(json_object_get(one, "ode"), "profile");
  copy_residual(one, comparison);
  copy(one, training, trained);
  copy_sampler(one, training);
  if (m->failed) json_array_append_new(warnings, json_sprintf("%s failed: %s", m->name, m->failed));
  add_warnings(warnings, m->name, "training", training);
  add_warnings(warnings, m->name, "comparison", comparison);
  json_decref(training);
  json_decref(comparison);
  return one;
}

/* The values of a key, each once, in the order in which they were given. */
static json_t *values_of(const fg_sweep *sweep, size_t key)
{
  json_t *list = json_array();
  for (size_t k = 0; k < sweep->members; k++) {
    const char *value = sweep->member[k].values[key];
    bool there = false;
    for (size_t i = 0; i < json_array_size(list); i++)
      there = there || strcmp(json_string_value(json_array_get(list, i)), value) == 0;
    if (!there) json_array_append_new(list, json_string(value));
  }
  return list;
}

static json_t *grid_of(const fg_sweep *sweep)
{
  json_t *grid = json_array();
  for (size_t i = 0; i < sweep->keys; i++) {
    json_t *one = json_object();
    json_object_set_new(one, "key", json_string(sweep->key[i]));
    json_object_set_new(one, "values", values_of(sweep, i));
    json_array_append_new(grid, one);
  }
  return grid;
}

static json_t *head_of(fg_engine *engine, const fg_sweep *sweep)
{
  char created[32] = "";
  time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc)) strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
  json_t *root = json_object(),
         *command = json_string(sweep->command); /* NULL for a path that is not UTF-8 */
  json_object_set_new(root, "schema", json_integer(1));
  json_object_set_new(root, "program", json_string("flowgap"));
  json_object_set_new(root, "version", json_string(fg_version()));
  json_object_set_new(root, "verb", json_string("sweep"));
  json_object_set_new(root, "command", command ? command : json_null());
  json_object_set_new(root, "created", json_string(created));
  json_object_set_new(root, "engine", json_string(fg_engine_name(engine)));
  json_object_set_new(root, "isa", json_string(fg_engine_isa(engine)));
  json_object_set_new(root, "tf32", json_boolean(fg_engine_tf32(engine)));
  json_object_set_new(root, "threads", json_integer(fg_threads_count(fg_engine_threads(engine))));
  json_object_set_new(root, "seed", json_integer((json_int_t)sweep->seed));
  json_object_set_new(root, "wall_seconds", json_real(sweep->seconds));
  return root;
}

/* ---- the folder ----------------------------------------------------------------------------- */

static bool has_file(const char *folder, const char *name)
{
  struct stat about;
  char *path = fg_path_join(folder, name);
  bool there = path && stat(path, &about) == 0;
  free(path);
  return there;
}

/* What holds results of something else, or a checkpoint, is too much work to be written over. */
fg_code fg_sweep_open(const char *folder, const fg_settings *settings, fg_status *st)
{
  FILE *log;
  json_t *results = read_results(folder, "", "");
  const char *verb = json_string_value(json_object_get(results, "verb"));
  bool foreign = (results && !(verb && strcmp(verb, "sweep") == 0)) || has_file(folder, "checkpoint.h5");
  json_decref(results);
  if (foreign)
    return FG_FAIL(st, FG_USAGE, "%s holds a run that is no sweep: choose another folder with --out", folder);
  FG_TRY(fg_run_directory_continue(folder, settings, &log, st));
  fprintf(log, "flowgap %s: sweep\n", fg_version());
  fclose(log);
  return FG_OK;
}

/* ---- results.json ---------------------------------------------------------------------------- */

static fg_code save(const char *folder, json_t *root, fg_status *st)
{
  char *path = fg_path_join(folder, "results.json");
  char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
  fg_code rc = path && text ? fg_file_write(path, text, strlen(text), st)
                            : FG_FAIL(st, FG_MEMORY, "no memory for results.json");
  free(path);
  free(text);
  return rc;
}

fg_code fg_sweep_write(const char *folder, fg_engine *engine, const fg_sweep *sweep, fg_status *st)
{
  json_t *root = head_of(engine, sweep), *members = json_array(), *warnings = json_array();
  size_t failed = 0;
  for (size_t k = 0; k < sweep->members; k++) {
    json_array_append_new(members, member_of(folder, sweep, &sweep->member[k], warnings));
    failed += sweep->member[k].failed != NULL;
  }
  json_object_set_new(root, "grid", grid_of(sweep));
  json_object_set_new(root, "failed", json_integer((json_int_t)failed));
  json_object_set_new(root, "members", members);
  json_object_set_new(root, "warnings", warnings);
  fg_code rc = save(folder, root, st);
  json_decref(root);
  return rc == FG_OK ? fg_report_write(folder, st) : rc;
}

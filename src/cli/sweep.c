/* flowgap sweep CONFIG --set-grid KEY=V1,V2: a training and a comparison for each combination of values, one after the
 * other, and one report of them all. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/session.h"

enum { FG_GRID_KEYS = 8, FG_GRID_VALUES = 64, FG_SWEEP_MOST = 1000, FG_NAME_ROOM = 200, FG_VALUE_ROOM = 120 };

typedef struct fg_axis {
  char key[FG_VALUE_ROOM];
  char value[FG_GRID_VALUES][FG_VALUE_ROOM];
  size_t values;
} fg_axis;

typedef struct fg_member {
  char name[FG_NAME_ROOM];
  const char *value[FG_GRID_KEYS];
  char *failed; /* owned */
} fg_member;

typedef struct fg_job {
  fg_session *session;
  const char *folder;
  fg_axis *axis; /* [axes] */
  fg_member *member;
  size_t axes, members;
  bool trains, compares;
} fg_job;

/* ---- the grid ------------------------------------------------------------------------------- */

/* The next value: up to a comma outside brackets. */
static size_t value_length(const char *text)
{
  int depth = 0;
  size_t k = 0;
  for (; text[k] && (text[k] != ',' || depth > 0); k++) depth += (text[k] == '[') - (text[k] == ']');
  return k;
}

static fg_code parse_axis(const char *text, fg_axis *axis, fg_status *st)
{
  size_t key = strcspn(text, "=");
  if (!text[key] || key == 0 || key >= sizeof axis->key)
    return FG_FAIL(st, FG_USAGE, "--set-grid is \"%.60s\": write KEY=V1,V2,..", text);
  snprintf(axis->key, sizeof axis->key, "%.*s", (int)key, text);
  for (const char *at = text + key + 1;; at++) {
    size_t length = value_length(at);
    if (length == 0 || length >= FG_VALUE_ROOM)
      return FG_FAIL(st, FG_USAGE, "--set-grid %s: value %zu is empty or longer than %d characters",
                     axis->key, axis->values + 1, FG_VALUE_ROOM - 1);
    if (axis->values == FG_GRID_VALUES)
      return FG_FAIL(st, FG_USAGE, "--set-grid %s: more than %d values", axis->key, FG_GRID_VALUES);
    snprintf(axis->value[axis->values++], FG_VALUE_ROOM, "%.*s", (int)length, at);
    at += length;
    if (!*at) return FG_OK;
  }
}

static fg_code parse_axes(const fg_args *args, fg_job *job, fg_status *st)
{
  if (args->grid_count == 0)
    return FG_FAIL(st, FG_USAGE, "sweep needs what to go through: --set-grid KEY=V1,V2,..");
  if (args->grid_count > FG_GRID_KEYS) return FG_FAIL(st, FG_USAGE, "more than %d --set-grid", FG_GRID_KEYS);
  job->axis = calloc(args->grid_count, sizeof *job->axis);
  if (!job->axis) return FG_FAIL(st, FG_MEMORY, "no memory for the values of a sweep");
  job->members = 1;
  for (; job->axes < args->grid_count; job->axes++) {
    fg_axis *axis = &job->axis[job->axes];
    FG_TRY(parse_axis(args->grids[job->axes], axis, st));
    for (size_t i = 0; i < job->axes; i++)
      if (strcmp(job->axis[i].key, axis->key) == 0)
        return FG_FAIL(st, FG_USAGE, "--set-grid %s is given twice: list all of its values in one",
                       axis->key);
    job->members *= axis->values;
    if (job->members > FG_SWEEP_MOST)
      return FG_FAIL(st, FG_USAGE, "the grid has more than %d combinations", FG_SWEEP_MOST);
  }
  return FG_OK;
}

/* "weight-0.1_seed-2": the last parts of the keys; what may not stand in a name becomes an underscore. */
static void name_member(const fg_job *job, fg_member *m)
{
  size_t used = 0;
  for (size_t i = 0; i < job->axes; i++) {
    const char *point = strrchr(job->axis[i].key, '.');
    int wrote = snprintf(m->name + used, FG_NAME_ROOM - used, "%s%s-%s", i ? "_" : "",
                         point ? point + 1 : job->axis[i].key, m->value[i]);
    used += wrote > 0 && (size_t)wrote < FG_NAME_ROOM - used ? (size_t)wrote : 0;
  }
  for (char *c = m->name; *c; c++)
    if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-_", *c)) *c = '_';
}

static fg_code make_members(fg_job *job, fg_status *st)
{
  job->member = calloc(job->members, sizeof *job->member);
  if (!job->member) return FG_FAIL(st, FG_MEMORY, "no memory for %zu runs", job->members);
  for (size_t k = 0; k < job->members; k++) {
    size_t rest = k;
    for (size_t i = job->axes; i-- > 0;) { /* the first key changes slowest */
      job->member[k].value[i] = job->axis[i].value[rest % job->axis[i].values];
      rest /= job->axis[i].values;
    }
    name_member(job, &job->member[k]);
    for (size_t j = 0; j < k; j++)
      if (strcmp(job->member[j].name, job->member[k].name) == 0)
        return FG_FAIL(st, FG_USAGE, "two runs of the sweep would share the folder %s: give each value once",
                       job->member[k].name);
  }
  return FG_OK;
}

/* ---- settings of a member ------------------------------------------------------------------- */

static fg_code member_settings(const fg_job *job, const fg_member *m, fg_settings **settings, fg_status *st)
{
  char *yaml = NULL, assignment[2 * FG_VALUE_ROOM + 2];
  fg_code rc;
  FG_TRY(fg_settings_create(settings, st));
  FG_GO(fg_settings_yaml(job->session->settings, &yaml, st), done);
  FG_GO(fg_settings_parse(*settings, yaml, "the settings", st), done);
  for (size_t i = 0; i < job->axes; i++) {
    snprintf(assignment, sizeof assignment, "%s=%s", job->axis[i].key, m->value[i]);
    rc = fg_settings_assign(*settings, assignment, st);
    if (rc == FG_OK) continue;
    (void)fg_status_prefix(st, "--set-grid: ");
    goto done;
  }
  rc = FG_OK;
done:
  free(yaml);
  if (rc != FG_OK) fg_settings_destroy(settings);
  return rc;
}

/* ---- what is there already ------------------------------------------------------------------ */

static bool exists(const char *folder, const char *name)
{
  char path[FG_PATH_ROOM + 64];
  struct stat about;
  int used = snprintf(path, sizeof path, "%s/%s", folder, name);
  return used > 0 && (size_t)used < sizeof path && stat(path, &about) == 0;
}

/* The first key that is not what it was in folder/config.yaml and matters to a training (or, `all`, to anything). */
static fg_code find_change(const char *folder, const fg_settings *now, bool all, const char **changed,
                           fg_status *st)
{
  static const char *const groups[] = {"process.", "prior.", "target.", "train.", "seed"};
  size_t rows;
  char path[FG_PATH_ROOM + 64];
  const fg_setting *table = fg_settings_table(&rows);
  fg_settings *then;
  *changed = NULL;
  snprintf(path, sizeof path, "%s/config.yaml", folder);
  FG_TRY(fg_settings_create(&then, st));
  fg_code rc = fg_settings_read(then, path, st);
  for (size_t i = 0; rc == FG_OK && !*changed && i < rows; i++) {
    const char *key = table[i].key;
    bool counts = all && strcmp(key, "model.file") != 0;
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
      counts = counts || strncmp(key, groups[g], strlen(groups[g])) == 0;
    if (counts && !fg_settings_same(then, now, key)) *changed = key;
  }
  fg_settings_destroy(&then);
  return rc;
}

static bool is_finished(const char *folder)
{
  return exists(folder, "results.json") && exists(folder, "config.yaml");
}

/* Settings of a training, and whether they are those of what is there. */
static fg_code check_training(const fg_job *job, const fg_member *m, const fg_settings *settings,
                              fg_status *st)
{
  char folder[FG_PATH_ROOM];
  const char *changed;
  fg_train_settings train;
  FG_TRY(fg_train_from_settings(settings, &train, st));
  int used = snprintf(folder, sizeof folder, "%s/%s", job->folder, m->name);
  if (used < 0 || (size_t)used >= sizeof folder) return FG_FAIL(st, FG_USAGE, "--out is too long");
  if (!is_finished(folder)) return FG_OK;
  FG_TRY(find_change(folder, settings, false, &changed, st));
  if (!changed) return FG_OK;
  return FG_FAIL(
      st, FG_USAGE,
      "%s was trained with another %s: give its value there, choose another --out, or remove the folder",
      folder, changed);
}

/* Every combination, before the first run and before the page of an earlier one goes. */
static fg_code check_members(const fg_job *job, fg_status *st)
{
  for (size_t k = 0; k < job->members; k++) {
    fg_settings *settings;
    FG_TRY(member_settings(job, &job->member[k], &settings, st));
    fg_code rc = job->trains ? check_training(job, &job->member[k], settings, st) : FG_OK;
    fg_settings_destroy(&settings);
    if (rc != FG_OK) return fg_status_prefix(st, "%s: ", job->member[k].name);
  }
  return FG_OK;
}

/* A model that is there already is compared only. */
static fg_code look_at_model(fg_job *job, fg_status *st)
{
  const char *kind, *file;
  FG_TRY(fg_settings_text(job->session->settings, "model.kind", &kind, st));
  FG_TRY(fg_settings_text(job->session->settings, "model.file", &file, st));
  job->trains = strcmp(kind, "network") == 0 && !*file;
  for (size_t i = 0; !job->trains && i < job->axes; i++)
    if (strncmp(job->axis[i].key, "train.", 6) == 0)
      return FG_FAIL(st, FG_USAGE,
                     "--set-grid %s: the model is given (model.kind, model.file), so nothing is trained",
                     job->axis[i].key);
  if (!job->trains && !job->compares)
    return FG_FAIL(st, FG_USAGE,
                   "--no-compare: the model is given (model.kind, model.file), so nothing is left to do");
  return FG_OK;
}

/* ---- one member ----------------------------------------------------------------------------- */

/* `settings` get the network that was trained as model.file. */
static fg_code train(const fg_job *job, const char *folder, fg_settings *settings, bool *fresh, fg_status *st)
{
  char assignment[FG_PATH_ROOM + 64];
  *fresh = !is_finished(folder);
  if (*fresh) {
    fg_train_options options = fg_session_training(job->session, exists(folder, "checkpoint.h5"));
    FG_TRY(fg_train_run(job->session->engine, settings, folder, &options, st));
    job->session->terminal.note[0] = '\0';
    fg_session_training_page(folder);
  }
  snprintf(assignment, sizeof assignment, "model.file=%s/checkpoint.h5", folder);
  FG_TRY(fg_settings_assign(settings, "model.kind=network", st));
  return fg_settings_assign(settings, assignment, st);
}

/* Else an earlier comparison would stand for this one on the page, should it fail. */
static fg_code remove_results(const char *folder, fg_status *st)
{
  char path[FG_PATH_ROOM + 32];
  snprintf(path, sizeof path, "%s/results.json", folder);
  if (!exists(folder, "results.json") || remove(path) == 0) return FG_OK;
  return FG_FAIL(st, FG_IO, "cannot remove %s of an earlier comparison", path);
}

static fg_code compare(const fg_job *job, const char *folder, fg_settings *settings, bool fresh,
                       fg_status *st)
{
  bool moved;
  const char *changed = NULL;
  FG_TRY(fg_settings_leave_pin(settings, &moved, st));
  bool there = !fresh && exists(folder, "results.json") && exists(folder, "report.html") &&
               exists(folder, "config.yaml");
  if (there) FG_TRY(find_change(folder, settings, true, &changed, st));
  if (there && !changed) return FG_OK;
  FG_TRY(remove_results(folder, st));
  return fg_compare_resume(job->session->engine, settings, folder, true, &job->session->progress, st);
}

static fg_code run_member(const fg_job *job, const fg_member *m, fg_status *st)
{
  char folder[FG_PATH_ROOM], compared[FG_PATH_ROOM];
  fg_settings *settings, *shared = job->session->settings;
  bool fresh = false;
  int used = snprintf(compared, sizeof compared, "%s/%s-compare", job->folder, m->name);
  if (used < 0 || (size_t)used >= sizeof compared) return FG_FAIL(st, FG_USAGE, "--out is too long");
  snprintf(folder, sizeof folder, "%.*s", used - (int)strlen("-compare"), compared);
  FG_TRY(member_settings(job, m, &settings, st));
  job->session->settings = settings; /* for what the session does on the way */
  fg_code rc = job->trains ? train(job, folder, settings, &fresh, st) : FG_OK;
  if (rc == FG_OK && job->compares) rc = compare(job, compared, settings, fresh, st);
  job->session->settings = shared;
  fg_settings_destroy(&settings);
  return rc;
}

/* One whose numbers fail is kept as failed; the others go on. */
static fg_code run_all(const fg_job *job, fg_status *st)
{
  for (size_t k = 0; k < job->members; k++) {
    fg_member *m = &job->member[k];
    snprintf(job->session->terminal.label, sizeof job->session->terminal.label, "  %.40s (%zu of %zu)",
             m->name, k + 1, job->members);
    fg_code rc = run_member(job, m, st);
    if (rc == FG_NUMERICS) {
      m->failed = strdup(st->message);
      if (!m->failed) return FG_FAIL(st, FG_MEMORY, "no memory for a message");
    } else if (rc == FG_INTERRUPTED) {
      return FG_FAIL(st, FG_INTERRUPTED, "stopped in %s, run %zu of %zu: the same command goes on", m->name,
                     k + 1, job->members);
    } else if (rc != FG_OK) {
      return fg_status_prefix(st, "%s: ", m->name);
    }
  }
  return FG_OK;
}

/* ---- the end -------------------------------------------------------------------------------- */

/* What repeats the sweep from its own config.yaml. */
static char *command_of(const fg_job *job)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out) return NULL;
  fprintf(out, "flowgap sweep %s/config.yaml", job->folder);
  for (size_t i = 0; i < job->session->args->grid_count; i++)
    fprintf(out, " --set-grid '%s'", job->session->args->grids[i]);
  fprintf(out, "%s --out again", job->compares ? "" : " --no-compare");
  return fclose(out) == 0 ? text : NULL;
}

static fg_code write_results(const fg_job *job, double seconds, fg_status *st)
{
  int64_t seed;
  const char *keys[FG_GRID_KEYS];
  fg_sweep_member *members = calloc(job->members, sizeof *members);
  char *command = command_of(job);
  fg_code rc = members && command ? FG_OK : FG_FAIL(st, FG_MEMORY, "no memory for the results of a sweep");
  if (rc == FG_OK) rc = fg_settings_integer(job->session->settings, "seed", &seed, st);
  if (rc == FG_OK) {
    for (size_t i = 0; i < job->axes; i++) keys[i] = job->axis[i].key;
    for (size_t k = 0; k < job->members; k++)
      members[k] = (fg_sweep_member){job->member[k].name, job->member[k].value, job->member[k].failed};
    fg_sweep sweep = {job->axes, job->members, keys, members, command, (uint64_t)seed, seconds};
    rc = fg_sweep_write(job->folder, job->session->engine, &sweep, st);
  }
  free(members);
  free(command);
  return rc;
}

static const char *cell(const json_t *from, const char *const *path, char text[32])
{
  for (; from && *path; path++) from = json_object_get(from, *path);
  if (json_is_number(from))
    snprintf(text, 32, "%.4g", json_number_value(from));
  else
    snprintf(text, 32, "-");
  return text;
}

static void put_table(const json_t *root, const char *folder)
{
  static const char *const estimators[] = {"grid", "exact", "gaussian", "sliced"};
  static const char *const residual[] = {"residual", "mean_square", NULL};
  char a[32], b[32], c[32], d[32];
  const json_t *members = json_object_get(root, "members");
  printf("  %-24s %-10s %-12s %-12s %-12s %s\n", "run", "estimator", "ODE-SDE", "ODE-target", "SDE-target",
         "mean R^2");
  for (size_t k = 0; k < json_array_size(members); k++) {
    const json_t *one = json_array_get(members, k), *w2 = json_object_get(one, "w2");
    const char *by = "-";
    for (size_t e = sizeof estimators / sizeof *estimators; e-- > 0;)
      if (json_object_get(w2, estimators[e])) by = estimators[e];
    const char *const gap[] = {"w2", by, "ode_sde", "value", NULL},
                      *const ode[] = {"w2", by, "ode_target", "value", NULL},
                      *const sde[] = {"w2", by, "sde_target", "value", NULL};
    printf("  %-24s %-10s %-12s %-12s %-12s %s%s\n", json_string_value(json_object_get(one, "name")), by,
           cell(one, gap, a), cell(one, ode, b), cell(one, sde, c), cell(one, residual, d),
           json_is_string(json_object_get(one, "failed")) ? "  failed" : "");
  }
  printf("report: %s/report.html\n", folder);
}

static fg_code show(const fg_job *job, fg_status *st)
{
  const fg_args *args = job->session->args;
  char path[FG_PATH_ROOM + 64];
  json_error_t error;
  snprintf(path, sizeof path, "%s/results.json", job->folder);
  json_t *root = json_load_file(path, 0, &error);
  if (!root) return FG_FAIL(st, FG_IO, "%s, line %d: %s", path, error.line, error.text);
  size_t failed = (size_t)json_integer_value(json_object_get(root, "failed"));
  if (args->value[FG_OPTION_JSON]) {
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    putchar('\n');
  } else if (!args->value[FG_OPTION_QUIET]) {
    printf("%s: %zu runs, %zu failed\n", job->folder, job->members, failed);
    put_table(root, job->folder);
  }
  json_decref(root);
  if (failed < job->members) return FG_OK;
  return FG_FAIL(st, FG_NUMERICS, "none of the %zu runs came to its end; %s says why", job->members, path);
}

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static fg_code run_job(fg_job *job, fg_status *st)
{
  double began = now();
  FG_TRY(look_at_model(job, st));
  FG_TRY(make_members(job, st));
  FG_TRY(check_members(job, st));
  FG_TRY(fg_session_engine(job->session, st));
  FG_TRY(fg_sweep_open(job->folder, job->session->settings, st));
  FG_TRY(run_all(job, st));
  FG_TRY(write_results(job, now() - began, st));
  fg_terminal_close(&job->session->terminal);
  return show(job, st);
}

fg_code fg_run_sweep(const fg_args *args, fg_status *st)
{
  fg_session session;
  char run[FG_PATH_ROOM];
  fg_job job = {.session = &session, .folder = run, .compares = !args->value[FG_OPTION_NO_COMPARE]};
  fg_code rc;
  FG_TRY(fg_session_run(args, run, st));
  size_t length = strlen(run);
  if (!args->value[FG_OPTION_OUT]) snprintf(run + length, sizeof run - length, "-sweep");
  FG_GO(fg_session_open(&session, args, args->argument[0], st), done);
  FG_GO(parse_axes(args, &job, st), done);
  rc = run_job(&job, st);
done:
  for (size_t k = 0; job.member && k < job.members; k++) free(job.member[k].failed);
  free(job.member);
  free(job.axis);
  fg_session_close(&session);
  return rc;
}

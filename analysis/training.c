#include "analysis/training.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/results.h"
#include "base/file.h"
#include "base/run_directory.h"

enum { FG_CURVE_POINTS = 200 }; /* of a training curve; more lines are put together */

/* ---- metrics.jsonl ---------------------------------------------------------------------- */

/* What is kept of every line; a long training has a million of them. */
enum {
  FG_AT_STEP,
  FG_AT_LOSS,
  FG_AT_NORM,
  FG_AT_RESIDUAL,
  FG_AT_RATE,
  FG_AT_LOST,
  FG_AT_SECONDS,
  FG_LINE_NUMBERS
};
static const char *const names[FG_LINE_NUMBERS] = {"step", "loss",       "norm",   "residual",
                                                   "rate", "lost_total", "seconds"};

typedef struct fg_metrics {
  double (*line)[FG_LINE_NUMBERS];
  size_t count, room;
  json_t *evaluated; /* the lines that hold an evaluation, whole */
} fg_metrics;

static double real_of(const json_t *line, const char *key)
{
  const json_t *value = json_object_get(line, key);
  return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static bool keep_line(fg_metrics *m, json_t *line)
{
  if (m->count == m->room) {
    size_t room = m->room ? 2 * m->room : 256;
    void *more = realloc(m->line, room * sizeof *m->line);
    if (!more) return false;
    m->line = more;
    m->room = room;
  }
  for (int k = 0; k < FG_LINE_NUMBERS; k++) m->line[m->count][k] = real_of(line, names[k]);
  m->count++;
  bool evaluated = json_object_get(line, "sampler") || json_object_get(line, "score");
  return !evaluated || json_array_append(m->evaluated, line) == 0;
}

static fg_code parse_lines(const char *path, const char *text, size_t size, fg_metrics *m, fg_status *st)
{
  const char *end = text + size;
  json_error_t error;
  while (text < end) {
    const char *stop = memchr(text, '\n', (size_t)(end - text));
    if (!stop) return FG_OK; /* cut short */
    json_t *line = json_loadb(text, (size_t)(stop - text), 0, &error);
    bool object = json_is_object(line), kept = object && keep_line(m, line);
    json_decref(line);
    if (!object)
      return FG_FAIL(st, FG_IO, "%s, line %zu is not a JSON object: remove the line, or train again", path,
                     m->count + 1);
    if (!kept) return FG_FAIL(st, FG_MEMORY, "no memory for %s after %zu lines", path, m->count);
    text = stop + 1;
  }
  return FG_OK;
}

/* A number of steps or of what was lost; null when the line has none. */
static void put_whole(fg_tree to, double value, const char *key)
{
  if (value >= 0 && value < 1e18)
    fg_put_count(to, key, (uint64_t)value);
  else
    fg_put(to, key, json_null());
}

/* Mean, least and largest of a number over lines first .. last - 1 that have it. */
static void put_mean(fg_tree point, const fg_metrics *m, size_t first, size_t last, int number, bool range)
{
  double sum = 0, least = INFINITY, most = -INFINITY;
  size_t count = 0;
  char name[40];
  for (size_t i = first; i < last; i++) {
    double value = m->line[i][number];
    if (!isfinite(value)) continue;
    sum += value;
    least = fmin(least, value);
    most = fmax(most, value);
    count++;
  }
  fg_put_real(point, names[number], count ? sum / (double)count : NAN);
  if (!range) return;
  snprintf(name, sizeof name, "%s_low", names[number]);
  fg_put_real(point, name, count ? least : NAN);
  snprintf(name, sizeof name, "%s_high", names[number]);
  fg_put_real(point, name, count ? most : NAN);
}

static void put_curve(fg_tree training, const fg_metrics *m)
{
  size_t each = (m->count + FG_CURVE_POINTS - 1) / FG_CURVE_POINTS;
  fg_put_count(training, "lines", m->count);
  fg_put_count(training, "lines_per_point", each);
  json_t *curve = fg_put_list(training, "curve");
  for (size_t first = 0; first < m->count; first += each) {
    size_t last = first + each < m->count ? first + each : m->count;
    const double *end = m->line[last - 1];
    fg_tree point = fg_append_object(curve, training.bad);
    put_whole(point, end[FG_AT_STEP], "step");
    put_mean(point, m, first, last, FG_AT_LOSS, true);
    put_mean(point, m, first, last, FG_AT_NORM, false);
    put_mean(point, m, first, last, FG_AT_RESIDUAL, true);
    fg_put_real(point, "rate", end[FG_AT_RATE]);
    put_whole(point, end[FG_AT_LOST], "lost_total");
    fg_put_real(point, "seconds", end[FG_AT_SECONDS]);
  }
}

/* The last evaluation is NULL when there is none. */
static const json_t *put_evaluations(fg_tree training, const fg_metrics *m)
{
  static const char *const keys[] = {"log_z_elbo", "log_z_elbo_se", "log_z_is", "log_z_is_se",
                                     "ess",        "loss",          "loss_se"};
  static const char *const forms[] = {"log", "centred", "score"};
  const json_t *last = NULL;
  json_t *list = fg_put_list(training, "evaluations");
  for (size_t i = 0; i < json_array_size(m->evaluated); i++) {
    const json_t *line = json_array_get(m->evaluated, i), *one = json_object_get(line, "sampler");
    if (!one) one = json_object_get(line, "score");
    if (!json_is_object(one)) continue;
    fg_tree point = fg_append_object(list, training.bad);
    put_whole(point, real_of(line, "step"), "step");
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
      if (json_object_get(one, keys[k])) fg_put_real(point, keys[k], real_of(one, keys[k]));
    const json_t *residual = json_object_get(one, "residual");
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
      const json_t *form = json_object_get(residual, forms[k]);
      if (!form) continue;
      fg_put_text(point, "residual_form", forms[k]);
      fg_put_real(point, "residual", real_of(form, "mean_square"));
      fg_put_real(point, "residual_se", real_of(form, "se"));
      break;
    }
    last = line;
  }
  return last;
}

/* ---- the folder ------------------------------------------------------------------------- */

/* `name` of the folder, parsed; NULL where there is no such file or it is no JSON. */
static json_t *load(const char *folder, const char *name)
{
  char *path = fg_path_join(folder, name);
  json_t *root = path ? json_load_file(path, 0, NULL) : NULL;
  free(path);
  return root;
}

/* A member of results.json, else of the last evaluation; null without either. */
static void put_member(fg_tree training, const char *key, const json_t *results, const json_t *last)
{
  json_t *value = json_object_get(results, key);
  if (!value) value = json_object_get(last, key);
  fg_put(training, key, value ? json_incref(value) : json_null());
}

static json_t *training_of(const char *folder, const fg_metrics *m, fg_status *st)
{
  bool bad = false;
  fg_tree training = {json_object(), &bad};
  json_t *results = load(folder, "results.json"), *name = json_string(folder);
  const double *end = m->line[m->count - 1];
  fg_put(training, "folder", name ? name : json_null()); /* NULL: not UTF-8 */
  fg_put(training, "finished", json_boolean(json_is_object(results)));
  put_whole(training, end[FG_AT_STEP], "steps");
  fg_put_real(training, "seconds", end[FG_AT_SECONDS]);
  put_whole(training, end[FG_AT_LOST], "lost");
  put_curve(training, m);
  const json_t *last = put_evaluations(training, m);
  put_member(training, "sampler", results, last);
  put_member(training, "score", results, last);
  put_member(training, "train", results, NULL);
  put_member(training, "seed", results, NULL);
  put_member(training, "created", results, NULL);
  json_decref(results);
  if (!bad) return training.object;
  json_decref(training.object);
  (void)FG_FAIL(st, FG_MEMORY, "no memory for the record of the training in %s", folder);
  return NULL;
}

fg_code fg_training_read(const char *folder, json_t **training, fg_status *st)
{
  fg_code rc = FG_OK;
  unsigned char *text = NULL;
  size_t size = 0;
  fg_metrics m = {.evaluated = NULL};
  *training = NULL;
  char *path = fg_path_join(folder, "metrics.jsonl");
  if (!path) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", folder);
  if (access(path, R_OK) != 0 && errno == ENOENT) goto done;
  FG_GO(fg_file_read(path, &text, &size, st), done);
  m.evaluated = json_array();
  if (!m.evaluated) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for %s", path);
    goto done;
  }
  FG_GO(parse_lines(path, (const char *)text, size, &m, st), done);
  if (!m.count) goto done;
  *training = training_of(folder, &m, st);
  if (!*training) rc = FG_MEMORY;
done:
  json_decref(m.evaluated);
  free(m.line);
  free(text);
  free(path);
  return rc;
}

fg_code fg_training_of_model(const fg_settings *settings, json_t **training, fg_status *st)
{
  const char *kind, *file;
  *training = NULL;
  FG_TRY(fg_settings_text(settings, "model.kind", &kind, st));
  FG_TRY(fg_settings_text(settings, "model.file", &file, st));
  const char *name = strrchr(file, '/');
  if (strcmp(kind, "network") != 0 || strcmp(name ? name + 1 : file, "checkpoint.h5") != 0) return FG_OK;
  char *folder = name ? strndup(file, (size_t)(name - file)) : strdup(".");
  if (!folder) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", file);
  fg_code rc = fg_training_read(*folder ? folder : "/", training, st);
  free(folder);
  return rc;
}

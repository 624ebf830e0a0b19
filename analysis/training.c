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

/* All lines of the file as a list. */
static fg_code parse_lines(const char *path, const char *text, size_t size, json_t *lines, fg_status *st)
{
  const char *end = text + size;
  json_error_t error;
  size_t row = 0;
  while (text < end) {
    const char *stop = memchr(text, '\n', (size_t)(end - text));
    row++;
    if (!stop) return FG_OK; /* cut short */
    json_t *line = json_loadb(text, (size_t)(stop - text), 0, &error);
    if (!json_is_object(line)) {
      json_decref(line);
      return FG_FAIL(st, FG_IO, "%s, line %zu is not a JSON object: remove the line, or train again", path,
                     row);
    }
    if (json_array_append_new(lines, line) != 0) return FG_FAIL(st, FG_MEMORY, "no memory for %s", path);
    text = stop + 1;
  }
  return FG_OK;
}

static double real_of(const json_t *line, const char *key)
{
  const json_t *value = json_object_get(line, key);
  return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* A number of steps or of what was lost; null when the line has none. */
static void put_whole(fg_tree to, const json_t *line, const char *from, const char *key)
{
  double value = real_of(line, from);
  if (value >= 0 && value < 1e18)
    fg_put_count(to, key, (uint64_t)value);
  else
    fg_put(to, key, json_null());
}

/* Mean, least and largest of a member over lines first .. last - 1 that have it. */
static void put_mean(fg_tree point, const json_t *lines, size_t first, size_t last, const char *key,
                     bool range)
{
  double sum = 0, least = INFINITY, most = -INFINITY;
  size_t count = 0;
  char name[40];
  for (size_t i = first; i < last; i++) {
    double value = real_of(json_array_get(lines, i), key);
    if (!isfinite(value)) continue;
    sum += value;
    least = fmin(least, value);
    most = fmax(most, value);
    count++;
  }
  fg_put_real(point, key, count ? sum / (double)count : NAN);
  if (!range) return;
  snprintf(name, sizeof name, "%s_low", key);
  fg_put_real(point, name, count ? least : NAN);
  snprintf(name, sizeof name, "%s_high", key);
  fg_put_real(point, name, count ? most : NAN);
}

static void put_curve(fg_tree training, const json_t *lines)
{
  size_t count = json_array_size(lines), each = (count + FG_CURVE_POINTS - 1) / FG_CURVE_POINTS;
  fg_put_count(training, "lines", count);
  fg_put_count(training, "lines_per_point", each);
  json_t *curve = fg_put_list(training, "curve");
  for (size_t first = 0; first < count; first += each) {
    size_t last = first + each < count ? first + each : count;
    const json_t *end = json_array_get(lines, last - 1);
    fg_tree point = fg_append_object(curve, training.bad);
    put_whole(point, end, "step", "step");
    put_mean(point, lines, first, last, "loss", true);
    put_mean(point, lines, first, last, "norm", false);
    put_mean(point, lines, first, last, "residual", true);
    fg_put_real(point, "rate", real_of(end, "rate"));
    put_whole(point, end, "lost_total", "lost_total");
    fg_put_real(point, "seconds", real_of(end, "seconds"));
  }
}

/* The last evaluation is NULL when there is none. */
static const json_t *put_evaluations(fg_tree training, const json_t *lines)
{
  static const char *const keys[] = {"log_z_elbo", "log_z_elbo_se", "log_z_is", "log_z_is_se",
                                     "ess",        "loss",          "loss_se"};
  static const char *const forms[] = {"log", "centred", "score"};
  const json_t *last = NULL;
  json_t *list = fg_put_list(training, "evaluations");
  for (size_t i = 0; i < json_array_size(lines); i++) {
    const json_t *line = json_array_get(lines, i), *one = json_object_get(line, "sampler");
    if (!one) one = json_object_get(line, "score");
    if (!json_is_object(one)) continue;
    fg_tree point = fg_append_object(list, training.bad);
    put_whole(point, line, "step", "step");
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

static json_t *training_of(const char *folder, const json_t *lines, fg_status *st)
{
  bool bad = false;
  fg_tree training = {json_object(), &bad};
  json_t *results = load(folder, "results.json"), *name = json_string(folder);
  const json_t *end = json_array_get(lines, json_array_size(lines) - 1);
  fg_put(training, "folder", name ? name : json_null()); /* NULL: not UTF-8 */
  fg_put(training, "finished", json_boolean(json_is_object(results)));
  put_whole(training, end, "step", "steps");
  fg_put_real(training, "seconds", real_of(end, "seconds"));
  put_whole(training, end, "lost_total", "lost");
  put_curve(training, lines);
  const json_t *last = put_evaluations(training, lines);
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
  json_t *lines = NULL;
  *training = NULL;
  char *path = fg_path_join(folder, "metrics.jsonl");
  if (!path) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", folder);
  if (access(path, R_OK) != 0 && errno == ENOENT) goto done;
  FG_GO(fg_file_read(path, &text, &size, st), done);
  lines = json_array();
  if (!lines) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for %s", path);
    goto done;
  }
  FG_GO(parse_lines(path, (const char *)text, size, lines, st), done);
  if (!json_array_size(lines)) goto done;
  *training = training_of(folder, lines, st);
  if (!*training) rc = FG_MEMORY;
done:
  json_decref(lines);
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

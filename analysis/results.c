#include "analysis/results.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/run_directory.h"

json_t *fg_put(fg_tree tree, const char *key, json_t *value)
{
  if (json_object_set_new(tree.object, key, value) == 0) return value;
  *tree.bad = true;
  return NULL;
}

json_t *fg_append(json_t *list, json_t *value, bool *bad)
{
  if (json_array_append_new(list, value) == 0) return value;
  *bad = true;
  return NULL;
}

/* JSON has no NaN or infinity: a figure that does not exist is null. */
void fg_put_real(fg_tree tree, const char *key, double value)
{
  fg_put(tree, key, isfinite(value) ? json_real(value) : json_null());
}

void fg_put_count(fg_tree tree, const char *key, uint64_t value)
{
  fg_put(tree, key, json_integer((json_int_t)value));
}

void fg_put_text(fg_tree tree, const char *key, const char *value)
{
  fg_put(tree, key, json_string(value));
}

fg_tree fg_put_object(fg_tree tree, const char *key)
{
  return (fg_tree){fg_put(tree, key, json_object()), tree.bad};
}

fg_tree fg_append_object(json_t *list, bool *bad)
{
  return (fg_tree){fg_append(list, json_object(), bad), bad};
}

json_t *fg_put_list(fg_tree tree, const char *key)
{
  return fg_put(tree, key, json_array());
}

void fg_append_real(json_t *list, double value, bool *bad)
{
  (void)fg_append(list, isfinite(value) ? json_real(value) : json_null(), bad);
}

void fg_warn(fg_tree root, json_t *list, const char *format, ...)
{
  char text[400];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  (void)fg_append(list, json_string(text), root.bad);
}

void fg_warn_of_time(fg_tree root, json_t *list, double mean_square, double centred, double relative)
{
  /* a relative residual of 1e-4 is rounding in single precision, or as good as none */
  if (!(mean_square > 4 * centred) || !(relative > 1e-4)) return;
  fg_warn(
      root, list,
      "The residual R is for the most part a function of time alone: its mean square is %.3g, and %.3g once "
      "centred. Training fixes a potential only up to a function c(t), which no law feels and whose c'(t) R "
      "holds: go by the centred residual.",
      mean_square, centred);
}

void fg_put_setting(fg_tree tree, const char *name, const fg_settings *settings, const char *key)
{
  const char *text;
  if (fg_settings_text(settings, key, &text, NULL) == FG_OK)
    fg_put_text(tree, name, text);
  else
    *tree.bad = true;
}

/* What repeats the run. JSON is UTF-8 and a path need not be: then its bytes beyond ASCII become question
 * marks. */
static void fg_put_command(fg_tree root, const char *verb, const char *run_directory)
{
  static const char format[] = "flowgap %s %s/config.yaml --out again";
  size_t room = sizeof format + strlen(verb) + strlen(run_directory);
  char *command = malloc(room);
  json_t *value = NULL;
  if (command) {
    snprintf(command, room, format, verb, run_directory);
    value = json_string(command);
    for (char *at = command; !value && *at; at++)
      if ((unsigned char)*at >= 0x80) *at = '?';
    if (!value) value = json_string(command);
  }
  fg_put(root, "command", value);
  free(command);
}

void fg_put_origin(fg_tree root, const char *verb, const char *run_directory)
{
  char created[32] = "";
  time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc)) strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
  fg_put_count(root, "schema", 1);
  fg_put_text(root, "program", "flowgap");
  fg_put_text(root, "version", fg_version());
  if (strcmp(verb, "compare") != 0) fg_put_text(root, "verb", verb);
  fg_put_command(root, verb, run_directory);
  fg_put_text(root, "created", created);
}

void fg_put_engine(fg_tree root, fg_engine *engine)
{
  fg_put_text(root, "engine", fg_engine_name(engine));
  fg_put_text(root, "isa", fg_engine_isa(engine));
  fg_put(root, "tf32", json_boolean(fg_engine_tf32(engine)));
  fg_put_count(root, "threads", (uint64_t)fg_threads_count(fg_engine_threads(engine)));
}

void fg_put_model(fg_tree root, const fg_settings *settings, const fg_model *model, const fg_target *target)
{
  const fg_process *noising = fg_model_process(model);
  fg_tree object = fg_put_object(root, "model");
  fg_put_text(object, "kind", fg_model_name(model));
  char name[256];
  snprintf(name, sizeof name, "%s%s%s", fg_model_name(model), target ? ":" : "",
           target ? fg_target_name(target) : "");
  fg_put_text(object, "name", name);
  fg_put_count(object, "dimension", fg_model_dimension(model));
  double horizon = fg_process_horizon(noising);
  fg_tree process = fg_put_object(root, "process");
  fg_put_setting(process, "kind", settings, "process.kind");
  fg_put_real(process, "horizon", horizon);
  fg_put_real(process, "m_at_horizon", fg_process_m(noising, horizon));
  fg_put_real(process, "v_at_horizon", fg_process_v(noising, horizon));
  fg_put_setting(fg_put_object(root, "target"), "kind", settings, "target.kind");
  fg_put_setting(fg_put_object(root, "prior"), "kind", settings, "prior.kind");
}

fg_code fg_results_save(fg_tree root, const char *run_directory, fg_status *st)
{
  char *path = fg_path_join(run_directory, "results.json");
  char *text = *root.bad ? NULL : json_dumps(root.object, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
  fg_code rc = FG_OK;
  if (!path || !text)
    rc = FG_FAIL(st, FG_MEMORY, "no memory for results.json");
  else
    rc = fg_file_write(path, text, strlen(text), st);
  free(text);
  free(path);
  json_decref(root.object);
  return rc;
}

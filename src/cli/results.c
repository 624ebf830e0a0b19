#include "cli/results.h"

#include <stdio.h>

#include "cli/session.h"

const char *fg_cell(const json_t *object, const char *key, char text[32])
{
  const json_t *value = json_object_get(object, key);
  if (json_is_integer(value))
    snprintf(text, 32, "%lld", (long long)json_integer_value(value));
  else if (json_is_number(value))
    snprintf(text, 32, "%.4g", json_number_value(value));
  else
    snprintf(text, 32, "-");
  return text;
}

fg_code fg_results_show(const fg_args *args, const char *run,
                        void (*put)(const fg_args *args, const json_t *root, const char *run), fg_status *st)
{
  char path[FG_PATH_ROOM + 32];
  json_error_t error;
  snprintf(path, sizeof path, "%s/results.json", run);
  json_t *root = json_load_file(path, 0, &error);
  if (!root) return FG_FAIL(st, FG_IO, "%s, line %d: %s", path, error.line, error.text);
  if (args->value[FG_OPTION_JSON]) {
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    putchar('\n');
  } else if (!args->value[FG_OPTION_QUIET]) {
    put(args, root, run);
  }
  json_decref(root);
  return FG_OK;
}

#include "cli/results.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

void fg_results_warnings(const json_t *root)
{
  const json_t *warnings = json_object_get(root, "warnings");
  for (size_t i = 0; i < json_array_size(warnings); i++)
    if (json_is_string(json_array_get(warnings, i)))
      printf("  warning: %s\n", json_string_value(json_array_get(warnings, i)));
}

fg_code fg_text_save(const char *path, const char *text, fg_status *st)
{
  FILE *out = fopen(path, "w");
  if (!out) return FG_FAIL(st, FG_IO, "cannot write %s: %s", path, strerror(errno));
  bool good = fputs(text, out) >= 0 && fputc('\n', out) != EOF && fflush(out) == 0;
  int why = errno;
  if (fclose(out) != 0 && good) {
    good = false;
    why = errno;
  }
  if (good) return FG_OK;
  struct stat about;
  if (stat(path, &about) == 0 && S_ISREG(about.st_mode)) remove(path);
  return FG_FAIL(st, FG_IO, "cannot write %s: %s", path, strerror(why));
}

fg_code fg_run_page(const fg_args *args, const char *suffix, fg_page_job *job,
                    void (*put)(const fg_args *args, const json_t *root, const char *run), fg_status *st)
{
  fg_session session;
  char run[FG_PATH_ROOM];
  fg_code rc;
  FG_TRY(fg_session_run(args, run, st));
  size_t length = strlen(run);
  if (suffix && !args->value[FG_OPTION_OUT]) snprintf(run + length, FG_PATH_ROOM - length, "%s", suffix);
  FG_GO(fg_session_open(&session, args, args->argument[0], st), done);
  FG_GO(fg_session_leave_pin(&session, st), done);
  FG_GO(fg_session_engine(&session, st), done);
  FG_GO(job(session.engine, session.settings, run, &session.progress, st), done);
  fg_terminal_close(&session.terminal);
  rc = fg_results_show(args, run, put, st);
done:
  fg_session_close(&session);
  return rc;
}

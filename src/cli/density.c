/* flowgap density MODEL: densities of both laws on a grid, then a short table from results.json. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/session.h"

/* "w2.value" inside `from`; five digits, "inf" for null, "" where there is no `from`. */
static const char *cell(const json_t *from, const char *path, char text[32])
{
  char key[32];
  const char *dot = strchr(path, '.');
  if (!json_is_object(from)) return strcpy(text, "");
  snprintf(key, sizeof key, "%.*s", (int)(dot ? dot - path : 31), path);
  const json_t *value = json_object_get(from, key);
  if (dot) return cell(value, dot + 1, text);
  if (json_is_integer(value))
    snprintf(text, 32, "%lld", (long long)json_integer_value(value));
  else if (json_is_number(value))
    snprintf(text, 32, "%.5g", json_number_value(value));
  else
    snprintf(text, 32, "inf");
  return text;
}

static void put_table(const json_t *root)
{
  static const struct {
    const char *title, *key;
  } rows[] = {{"cells per axis", "cells"},
              {"W2", "w2.value"},
              {"  at least", "w2.low"},
              {"  at most", "w2.high"},
              {"total variation", "total_variation"},
              {"KL(SDE|ODE)", "kl"},
              {"KL(ODE|SDE)", "kl_reverse"},
              {"Fisher divergence", "fisher"},
              {"mass of the SDE", "mass_sde"},
              {"mass of the ODE", "mass_ode"}};
  const json_t *density = json_object_get(root, "density"), *half = json_object_get(density, "half");
  char a[32], b[32];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    printf("  %-18s %-14s %s\n", rows[i].title, cell(density, rows[i].key, a), cell(half, rows[i].key, b));
  printf("  SDE: %s steps, %s GMRES iterations, ", cell(root, "sde.steps", a),
         cell(root, "sde.linear_iterations", b));
  printf("%s s;  ODE: %s steps over all tiles, ", cell(root, "sde.seconds", a), cell(root, "ode.steps", b));
  printf("%s nodes failed, %s s\n", cell(root, "ode.failed", a), cell(root, "ode.seconds", b));
}

static fg_code show(const fg_args *args, const char *run, fg_status *st)
{
  char path[FG_PATH_ROOM + 32], seconds[32], value[32], low[32], high[32];
  json_error_t error;
  snprintf(path, sizeof path, "%s/results.json", run);
  json_t *root = json_load_file(path, 0, &error);
  if (!root) return FG_FAIL(st, FG_IO, "%s, line %d: %s", path, error.line, error.text);
  const json_t *warnings = json_object_get(root, "warnings");
  if (args->value[FG_OPTION_JSON]) {
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    putchar('\n');
  } else if (!args->value[FG_OPTION_QUIET]) {
    const json_t *w2 = json_object_get(json_object_get(root, "density"), "w2");
    printf("%s: W2 = %s (%s to %s), %s s\n", args->argument[0], cell(w2, "value", value),
           cell(w2, "low", low), cell(w2, "high", high), cell(root, "wall_seconds", seconds));
    put_table(root);
    for (size_t i = 0; i < json_array_size(warnings); i++)
      if (json_is_string(json_array_get(warnings, i)))
        printf("  warning: %s\n", json_string_value(json_array_get(warnings, i)));
    printf("report: %s/report.html\n", run);
  }
  json_decref(root);
  return FG_OK;
}

fg_code fg_run_density(const fg_args *args, fg_status *st)
{
  fg_session session;
  char run[FG_PATH_ROOM];
  fg_code rc;
  FG_TRY(fg_session_run(args, run, st));
  size_t length = strlen(run);
  if (!args->value[FG_OPTION_OUT]) snprintf(run + length, FG_PATH_ROOM - length, "-density");
  FG_GO(fg_session_open(&session, args, args->argument[0], st), done);
  FG_GO(fg_session_leave_pin(&session, st), done);
  FG_GO(fg_session_engine(&session, st), done);
  FG_GO(fg_density_run(session.engine, session.settings, run, &session.progress, st), done);
  fg_terminal_close(&session.terminal);
  rc = show(args, run, st);
done:
  fg_session_close(&session);
  return rc;
}

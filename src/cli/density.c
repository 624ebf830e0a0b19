/* flowgap density MODEL: densities of both laws on a grid, then a short table from results.json. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/results.h"
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

static void put_run(const fg_args *args, const json_t *root, const char *run)
{
  char seconds[32], value[32], low[32], high[32];
  const json_t *w2 = json_object_get(json_object_get(root, "density"), "w2");
  printf("%s: W2 = %s (%s to %s), %s s\n", args->argument[0], cell(w2, "value", value), cell(w2, "low", low),
         cell(w2, "high", high), cell(root, "wall_seconds", seconds));
  put_table(root);
  fg_results_warnings(root);
  printf("report: %s/report.html\n", run);
}

fg_code fg_run_density(const fg_args *args, fg_status *st)
{
  return fg_run_page(args, "-density", fg_density_run, put_run, st);
}

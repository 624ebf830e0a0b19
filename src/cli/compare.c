/* flowgap compare MODEL: run the comparison, then a short table from its results.json. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/results.h"
#include "cli/session.h"

/* ---- the table ---------------------------------------------------------------------------- */

static void put_pair(const char *estimator, const char *pair, const json_t *one, const char *note)
{
  char value[32], floor[32], unbiased[32], low[32], high[32], p[32], interval[80], name[32];
  const char *missing = json_string_value(json_object_get(one, "missing"));
  snprintf(name, sizeof name, "%s", pair);
  for (char *at = name; *at; at++)
    if (*at == '_') *at = '-';
  if (missing) {
    printf("  %-9s %-11s not had%s: %s\n", estimator, name, note, missing);
    return;
  }
  snprintf(interval, sizeof interval, "%s to %s", fg_cell(one, "ci_low", low), fg_cell(one, "ci_high", high));
  const json_t *far = json_object_get(one, "extrapolated");
  printf("  %-9s %-11s %-10s %-10s %-10s %-22s %s%s\n", estimator, name, fg_cell(one, "value", value),
         fg_cell(one, "floor", floor), json_is_object(far) ? fg_cell(far, "value", unbiased) : "-", interval,
         fg_cell(one, "p_value", p), note);
}

/* The estimates of one group; is a value above its interval? */
static bool put_group(json_t *group, const char *title)
{
  const char *estimator, *pair;
  json_t *pairs, *one;
  bool above = false;
  if (json_object_size(group) == 0) return false;
  printf("  %-9s %-11s %-10s %-10s %-10s %-22s %s\n", title, "between", "value", "floor", "less bias",
         "interval", "p");
  json_object_foreach(group, estimator, pairs)
  {
    json_object_foreach(pairs, pair, one)
    {
      const json_t *boxed = json_object_get(one, "boxed");
      put_pair(estimator, pair, one, "");
      above = above || json_number_value(json_object_get(one, "value")) >
                           json_number_value(json_object_get(one, "ci_high"));
      if (json_is_object(boxed)) put_pair("", pair, boxed, "  (in the box)");
    }
  }
  return above;
}

static void put_distances(const json_t *root)
{
  const bool w2 = put_group(json_object_get(root, "w2"), "W2");
  const bool others = put_group(json_object_get(root, "divergences"), "not W2");
  if (w2 || others)
    printf(
        "  (The interval is without the bias of finite samples: a value above it holds that much of it.)\n");
}

static void put_budget(const json_t *budget)
{
  const char *sentence = json_string_value(json_object_get(budget, "sentence"));
  const char *disagreement = json_string_value(json_object_get(budget, "disagreement"));
  if (sentence) printf("  Budget: %s\n", sentence);
  if (disagreement) printf("  %s\n", disagreement);
}

/* What --target-error has chosen. */
static void put_search(const json_t *root)
{
  char a[32], b[32], c[32], d[32], e[32];
  const json_t *search = json_object_get(root, "search"), *runs = json_object_get(search, "runs");
  size_t count = json_array_size(runs);
  if (!json_is_object(search) || count == 0) return;
  const json_t *last = json_array_get(runs, count - 1);
  printf("  Target error %s: %s with %s particles, %s SDE steps", fg_cell(search, "target_error", a),
         fg_cell(search, "error", b), fg_cell(last, "particles", c),
         fg_cell(json_object_get(root, "sde"), "steps", d));
  if (json_is_number(json_object_get(json_object_get(root, "ode"), "rtol")))
    printf(", ODE rtol %s", fg_cell(json_object_get(root, "ode"), "rtol", e));
  printf(" (run %zu)\n", count);
}

/* Both sides of the identity where they are known, and the bound that the report's sentence rests on. */
static void put_certificate(const json_t *all)
{
  char a[32], b[32];
  const json_t *grid = json_object_get(json_object_get(all, "identity"), "grid");
  const char *shown = json_string_value(json_object_get(all, "shown"));
  const json_t *bound = shown ? json_object_get(json_object_get(all, "bounds"), shown) : NULL;
  const char *kind = json_string_value(json_object_get(bound, "kind"));
  if (!bound || !kind) return;
  printf("  Certificate:");
  if (json_is_object(grid))
    printf(" identity on the grid: left %s, right %s;", fg_cell(grid, "left", a), fg_cell(grid, "right", b));
  if (json_is_number(json_object_get(bound, "bound")))
    printf(" W2 <= %s", fg_cell(bound, "bound", a));
  else
    printf(" log W2 <= %s", fg_cell(bound, "log_bound", a));
  printf(" (%s, L over the %s)\n", kind, shown);
}

static void put_counts(const json_t *root)
{
  char a[32], b[32], c[32], tiles[32];
  const json_t *residual = json_object_get(root, "residual"), *ode = json_object_get(root, "ode");
  const json_t *sde = json_object_get(root, "sde");
  if (json_is_object(residual))
    printf("  Fokker-Planck residual, mean square: %s +- %s\n", fg_cell(residual, "mean_square", a),
           fg_cell(residual, "mean_square_se", b));
  put_certificate(json_object_get(root, "certificate"));
  bool adaptive = json_is_number(json_object_get(ode, "rtol")); /* its steps are summed over the tiles */
  bool alone = json_integer_value(json_object_get(ode, "tile")) == 1;
  printf("  ODE: %s steps, %s right-hand sides%s%s%s, %s failed;", fg_cell(ode, "steps", a),
         fg_cell(ode, "rhs_evaluations", b), adaptive ? " over " : "",
         adaptive ? fg_cell(ode, "tiles", tiles) : "", adaptive ? alone ? " particles" : " tiles" : "",
         fg_cell(ode, "failed", c));
  printf("  SDE: %s steps, %s non-finite\n", fg_cell(sde, "steps", a), fg_cell(sde, "nonfinite", b));
  fg_results_warnings(root);
}

static void put_run(const fg_args *args, const json_t *root, const char *run)
{
  char a[32], b[32];
  printf("%s: %s particles, %s s\n", args->argument[0], fg_cell(root, "particles", a),
         fg_cell(root, "wall_seconds", b));
  put_distances(root);
  put_budget(json_object_get(root, "budget"));
  put_search(root);
  put_counts(root);
  printf("report: %s/report.html\n", run);
}

/* A training keeps its folder: its comparison goes beside it. */
static bool is_training(const char *model)
{
  char path[FG_PATH_ROOM];
  struct stat about;
  int used = snprintf(path, sizeof path, "%s/checkpoint.h5", model);
  return used > 0 && (size_t)used < sizeof path && stat(path, &about) == 0;
}

/* --resume */
static fg_code go_on(fg_engine *engine, const fg_settings *settings, const char *run,
                     const fg_progress *progress, fg_status *st)
{
  return fg_compare_resume(engine, settings, run, false, progress, st);
}

fg_code fg_run_compare(const fg_args *args, fg_status *st)
{
  const bool resume = args->value[FG_OPTION_RESUME] != NULL, training = is_training(args->argument[0]);
  return fg_run_page(args, training ? "-compare" : NULL, resume ? go_on : fg_compare_run, put_run, st);
}

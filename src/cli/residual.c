/* flowgap residual MODEL: run the measures, then one line for each from results.json. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/results.h"
#include "cli/session.h"

/* "2.5 at t = 0.01, x = (1.2, -3.1)", at most three coordinates */
static void put_place(const json_t *largest)
{
  char value[32], t[32];
  const json_t *x = json_object_get(largest, "x");
  printf("%s at t = %s, x = (", fg_cell(largest, "value", value), fg_cell(largest, "t", t));
  for (size_t j = 0; j < json_array_size(x) && j < 3; j++)
    printf("%s%.3g", j ? ", " : "", json_number_value(json_array_get(x, j)));
  printf("%s)", json_array_size(x) > 3 ? ", ..." : "");
}

static void put_measure(const char *name, const json_t *one)
{
  char square[32], error[32], both[72], size[32], mean[32], centred[32], relative[32];
  const json_t *lost = json_object_get(one, "nonfinite"), *largest = json_object_get(one, "largest");
  snprintf(both, sizeof both, "%s +- %s", fg_cell(one, "mean_square", square),
           fg_cell(one, "mean_square_se", error));
  printf("  %-8s %-24s %-11s %-11s %-11s %-11s ", name, both, fg_cell(one, "mean_absolute", size),
         fg_cell(one, "mean", mean), fg_cell(one, "centred_mean_square", centred),
         fg_cell(one, "relative", relative));
  if (json_is_object(largest)) put_place(largest);
  if (json_integer_value(lost) > 0) printf("  [%lld not finite]", (long long)json_integer_value(lost));
  putchar('\n');
}

static void put_run(const fg_args *args, const json_t *root, const char *run)
{
  char a[32], b[32], c[32];
  const json_t *residual = json_object_get(root, "residual");
  const char *name, *form = json_string_value(json_object_get(residual, "form"));
  json_t *one;
  bool score = form && strcmp(form, "score") == 0;
  printf("%s: residual of the %s, noising times %s to %s, %s s\n", args->argument[0],
         score ? "score" : "log-density", fg_cell(residual, "t_from", a), fg_cell(residual, "t_end", b),
         fg_cell(root, "wall_seconds", c));
  printf("  %-8s %-24s %-11s %-11s %-11s %-11s %s\n", "measure", score ? "mean |E|^2/d" : "mean R^2",
         score ? "mean |E|" : "mean |R|", score ? "" : "mean R", score ? "" : "centred", "relative",
         "largest");
  json_object_foreach(json_object_get(residual, "measures"), name, one) put_measure(name, one);
  fg_results_warnings(root);
  printf("report: %s/report.html\n", run);
}

fg_code fg_run_residual(const fg_args *args, fg_status *st)
{
  return fg_run_page(args, "-residual", fg_residual_run, put_run, st);
}

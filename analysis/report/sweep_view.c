#include <math.h>
#include <string.h>

#include "analysis/report/sweep.h"

static const char *const pairs[] = {"ode_sde", "ode_target", "sde_target"};

const char *fg_sweep_value(const json_t *member, const json_t *entry)
{
  const char *key = json_string_value(json_object_get(entry, "key"));
  const char *value = key ? json_string_value(json_object_get(json_object_get(member, "values"), key)) : NULL;
  return value ? value : "";
}

static size_t index_of(const json_t *member, const json_t *entry)
{
  const json_t *values = json_object_get(entry, "values");
  const char *value = fg_sweep_value(member, entry);
  for (size_t i = 0; i < json_array_size(values); i++) {
    const char *one = json_string_value(json_array_get(values, i));
    if (one && strcmp(one, value) == 0) return i;
  }
  return 0;
}

size_t fg_sweep_place(const fg_sweep_view *view, const json_t *member)
{
  return index_of(member, json_array_get(view->grid, 0));
}

size_t fg_sweep_line(const fg_sweep_view *view, const json_t *member)
{
  size_t line = 0;
  for (size_t i = 1; i < json_array_size(view->grid); i++) {
    const json_t *entry = json_array_get(view->grid, i);
    line = line * json_array_size(json_object_get(entry, "values")) + index_of(member, entry);
  }
  return line;
}

void fg_sweep_label(const fg_sweep_view *view, const json_t *member, fg_page *text)
{
  for (size_t i = 1; i < json_array_size(view->grid); i++) {
    const json_t *entry = json_array_get(view->grid, i);
    const char *key = json_string_value(json_object_get(entry, "key"));
    if (i > 1) fg_page_put(text, ", ");
    fg_page_text(text, key ? key : "");
    fg_page_put(text, " = ");
    fg_page_text(text, fg_sweep_value(member, entry));
  }
}

const json_t *fg_sweep_estimate(const fg_sweep_view *view, const json_t *member, int pair)
{
  if (!view->estimator) return NULL;
  return fg_run_find(fg_run_find(fg_run_find(member, "w2"), view->estimator), pairs[pair]);
}

double fg_sweep_trained_residual(const json_t *member, double *se)
{
  static const char *const owners[] = {"score.residual", "sampler.residual"}, *const forms[] = {"log",
                                                                                                "score"};
  for (size_t i = 0; i < 4; i++) {
    const json_t *one = fg_run_find(fg_run_find(member, owners[i / 2]), forms[i % 2]);
    if (!one) continue;
    *se = fg_run_real(one, "se");
    return fg_run_real(one, "mean_square");
  }
  *se = NAN;
  return NAN;
}

/* Does every member that was compared have it? */
static bool all_have(const fg_sweep_view *view, const char *estimator)
{
  size_t found = 0;
  for (size_t k = 0; k < json_array_size(view->members); k++) {
    const json_t *w2 = fg_run_find(json_array_get(view->members, k), "w2");
    if (!w2) continue;
    if (!isfinite(fg_run_real(fg_run_find(fg_run_find(w2, estimator), "ode_sde"), "value"))) return false;
    found++;
  }
  return found > 0;
}

/* The grid takes all particles, the exact estimate a part of them. */
static const char *choose_estimator(const fg_sweep_view *view)
{
  static const char *const order[] = {"grid", "exact", "gaussian", "sliced"};
  for (size_t i = 0; i < sizeof order / sizeof *order; i++)
    if (all_have(view, order[i])) return order[i];
  return NULL;
}

fg_sweep_view fg_sweep_look(const fg_run *run)
{
  fg_sweep_view view = {.grid = fg_run_find(run->results, "grid"),
                        .members = fg_run_find(run->results, "members")};
  const json_t *first = json_array_get(view.grid, 0);
  view.key = fg_run_word(first, "key", "");
  view.places = json_array_size(fg_run_find(first, "values"));
  view.lines = 1;
  for (size_t i = 1; i < json_array_size(view.grid); i++)
    view.lines *= json_array_size(fg_run_find(json_array_get(view.grid, i), "values"));
  view.estimator = choose_estimator(&view);
  return view;
}

/* results.json and maps.h5 of a run of `flowgap residual`; docs/run-directory.md describes every member. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/residual_impl.h"
#include "analysis/results.h"
#include "base/clock.h"
#include "base/hdf5.h"
#include "base/run_directory.h"

static void fg_put_figure(fg_tree tree, const char *name, fg_residual_figure figure)
{
  char key[48];
  snprintf(key, sizeof key, "%s_se", name);
  fg_put_real(tree, name, figure.value);
  fg_put_real(tree, key, figure.se);
}

static void fg_put_norms(fg_tree tree, const fg_residual_norms *n)
{
  fg_put_count(tree, "points", n->points);
  fg_put_count(tree, "nonfinite", n->lost);
  fg_put_figure(tree, "mean_square", n->mean_square);
  fg_put_figure(tree, "mean_absolute", n->mean_absolute);
  fg_put_figure(tree, "mean", n->mean);
  fg_put_figure(tree, "centred_mean_square", n->centred);
  fg_put_figure(tree, "relative", n->relative);
  fg_tree quantiles = fg_put_object(tree, "quantiles");
  for (int k = 0; k < FG_RESIDUAL_QUANTILES; k++) {
    char key[16];
    snprintf(key, sizeof key, "%g", 100 * fg_residual_level(k));
    fg_put_real(quantiles, key, n->quantile[k]);
  }
  fg_put_real(tree, "probe_error", n->probe_error);
}

static void fg_put_place(fg_tree tree, const fg_place *place, size_t d)
{
  fg_put_real(tree, "t", place->t);
  json_t *list = fg_put_list(tree, "x");
  for (size_t j = 0; j < d; j++) fg_append_real(list, place->x[j], tree.bad);
}

static void fg_put_measure(fg_tree measures, const fg_residual_state *s, fg_measure k)
{
  const fg_measured *m = &s->measured[k];
  fg_tree one = fg_put_object(measures, fg_measure_names[k]);
  fg_put_norms(one, &m->all);
  json_t *named = fg_put_list(one, "nonfinite_named");
  for (size_t i = 0; i < m->all.named; i++)
    fg_put_place(fg_append_object(named, one.bad), &m->lost[i], s->c.d);
  if (m->largest.x) {
    fg_tree largest = fg_put_object(one, "largest");
    fg_put_real(largest, "value", m->largest.value);
    fg_put_place(largest, &m->largest, s->c.d);
  } else {
    fg_put(one, "largest", json_null());
  }
  if (k == FG_MEASURE_SDE || k == FG_MEASURE_ODE) fg_put_count(one, "nonfinite_paths", m->lost_paths);
  fg_put_real(one, "mean_square_time", m->mean_square_time);
  fg_put_real(one, "mean_time", m->mean_time);
  fg_put_real(one, "seconds", m->seconds);
  json_t *profile = fg_put_list(one, "profile");
  for (size_t i = 0; i < m->times; i++) {
    fg_tree at = fg_append_object(profile, one.bad);
    fg_put_real(at, "t", m->t[i]);
    fg_put_norms(at, &m->profile[i]);
    fg_put_real(at, "largest", m->profile[i].largest);
  }
}

/* The measure whose mean square stands at residual.mean_square: the SDE's paths, as in a comparison, or the first. */
static fg_measure fg_main_measure(const fg_residual_state *s)
{
  if (s->measured[FG_MEASURE_SDE].done) return FG_MEASURE_SDE;
  for (int k = 0; k < FG_MEASURES; k++)
    if (s->measured[k].done) return (fg_measure)k;
  return FG_MEASURE_BOX;
}

static void fg_put_maps(fg_tree residual, const fg_residual_state *s)
{
  if (!s->maps) {
    fg_put(residual, "maps", json_null());
    return;
  }
  fg_tree maps = fg_put_object(residual, "maps");
  fg_put_count(maps, "cells", s->cells);
  fg_put_count(maps, "nonfinite", s->map_lost);
  json_t *list = fg_put_list(maps, "t");
  for (size_t k = 0; k < s->maps; k++) fg_append_real(list, s->map_t[k], maps.bad);
}

static void fg_put_residual(fg_tree root, const fg_residual_state *s)
{
  fg_measure first = fg_main_measure(s);
  fg_tree residual = fg_put_object(root, "residual");
  fg_put_text(residual, "form", s->form == FG_RESIDUAL_LOG ? "log" : "score");
  fg_put_text(residual, "measure", fg_measure_names[first]);
  fg_put_figure(residual, "mean_square", s->measured[first].all.mean_square);
  fg_put_count(residual, "points", s->points);
  fg_put_real(residual, "t_from", s->high);
  fg_put_real(residual, "t_end", s->low);
  fg_put_real(residual, "box", s->box);
  fg_put_text(residual, "trace", s->how.probes ? "probes" : "exact");
  fg_put_count(residual, "probes", (uint64_t)s->how.probes);
  fg_put_text(residual, "precision", s->how.precision == FG_SINGLE ? "single" : "double");
  fg_tree measures = fg_put_object(residual, "measures");
  for (int k = 0; k < FG_MEASURES; k++)
    if (s->measured[k].done) fg_put_measure(measures, s, (fg_measure)k);
  fg_put_maps(residual, s);
}

static uint64_t fg_profile_lost(const fg_measured *m)
{
  uint64_t sum = 0;
  for (size_t k = 0; k < m->times; k++) sum += m->profile[k].lost;
  return sum;
}

static void fg_put_warnings(fg_tree root, const fg_residual_state *s)
{
  json_t *list = fg_put_list(root, "warnings");
  for (int k = 0; k < FG_MEASURES; k++) {
    const fg_measured *m = &s->measured[k];
    unsigned long long lost = m->all.lost, all = m->all.lost + m->all.points;
    if (lost)
      fg_warn(root, list, "Measure %s: %llu of %llu values are not finite and enter no figure.",
              fg_measure_names[k], lost, all);
    if (m->done && k <= FG_MEASURE_DATA && fg_profile_lost(m))
      fg_warn(root, list, "Measure %s: %llu values of the profile are not finite and enter no figure.",
              fg_measure_names[k], (unsigned long long)fg_profile_lost(m));
    if (m->lost_paths)
      fg_warn(root, list, "Measure %s: %llu of %zu paths were lost; their last finite state enters.",
              fg_measure_names[k], (unsigned long long)m->lost_paths, s->points);
  }
  if (!s->measured[FG_MEASURE_DATA].wanted && !fg_settings_given(s->c.settings, "residual.measures"))
    fg_warn(root, list, "The measure data is left out: %s.",
            s->c.target ? "the target cannot be sampled" : "the settings name no target");
  if (s->map_lost)
    fg_warn(root, list, "%llu of %zu points of the maps are not finite.", (unsigned long long)s->map_lost,
            s->maps * (s->c.d == 2 ? s->cells * s->cells : s->cells));
  const fg_residual_norms *first = &s->measured[fg_main_measure(s)].all;
  fg_warn_of_time(root, list, first->mean_square.value, first->centred.value, first->relative.value);
}

fg_code fg_residual_results(const fg_residual_state *s, const char *run_directory, fg_status *st)
{
  bool bad = false;
  fg_tree root = {json_object(), &bad};
  fg_put_origin(root, "residual", run_directory);
  fg_put_engine(root, s->c.engine);
  fg_put_count(root, "seed", s->c.seed);
  fg_put_real(root, "wall_seconds", fg_seconds() - s->c.seconds);
  fg_put_model(root, s->c.settings, s->c.model, s->c.target);
  fg_put_residual(root, s);
  fg_put_warnings(root, s);
  return fg_results_save(root, run_directory, st);
}

fg_code fg_residual_save_maps(const fg_residual_state *s, const char *run_directory, fg_status *st)
{
  const size_t shape[3] = {s->maps, s->cells, s->cells};
  if (!s->maps) return FG_OK;
  char *path = fg_path_join(run_directory, "maps.h5");
  if (!path) return FG_FAIL(st, FG_MEMORY, "no memory for the path of maps.h5");
  fg_h5 *file = NULL;
  fg_code rc;
  FG_GO(fg_h5_create(path, &file, st), done);
  FG_GO(fg_h5_write_real(file, "t", 1, shape, s->map_t, st), done);
  FG_GO(fg_h5_write_real(file, "half_width", 0, NULL, &s->box, st), done);
  FG_GO(fg_h5_write_real(file, "residual", s->c.d == 2 ? 3 : 2, shape, s->map, st), done);
  rc = fg_h5_commit(&file, st);
done:
  fg_h5_close(&file);
  free(path);
  return rc;
}

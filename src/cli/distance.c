/* flowgap distance A B */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/session.h"

/* FILE, or FILE:NAME for a data set of an HDF5 file. A file whose own name holds the colon wins. */
static fg_code read_side(const char *word, fg_samples *samples, fg_status *st)
{
  struct stat about;
  const char *colon = strrchr(word, ':');
  char path[4096];
  if (stat(word, &about) == 0 || !colon || (size_t)(colon - word) >= sizeof path)
    return fg_samples_read(word, NULL, samples, st);
  snprintf(path, sizeof path, "%.*s", (int)(colon - word), word);
  return fg_samples_read(path, colon + 1, samples, st);
}

/* Which estimators: those asked for; without asking, those that the dimension allows. */
static fg_code choose(fg_session *session, size_t d, bool wanted[FG_ESTIMATORS], fg_status *st)
{
  const char *list = session->args->value[FG_OPTION_ESTIMATOR];
  const char *const *words;
  size_t count;
  if (list) {
    char assignment[300];
    snprintf(assignment, sizeof assignment, "compare.estimators=%.200s", list);
    FG_TRY(fg_settings_assign(session->settings, assignment, st));
  }
  FG_TRY(fg_settings_words(session->settings, "compare.estimators", &words, &count, st));
  for (int e = 0; e < FG_ESTIMATORS; e++) {
    wanted[e] = false;
    for (size_t i = 0; i < count; i++)
      if (strcmp(words[i], fg_estimator_name((fg_estimator)e)) == 0) wanted[e] = true;
  }
  if (!wanted[FG_W2_GRID] || d == 2) return FG_OK;
  if (list) return FG_FAIL(st, FG_USAGE, "the grid estimator needs two columns, the files have %zu", d);
  wanted[FG_W2_GRID] = false;
  return FG_OK;
}

/* ---- output ------------------------------------------------------------------------------- */

static json_t *real_or_null(double value)
{
  return isfinite(value) ? json_real(value) : json_null();
}

static void put_json(json_t *root, fg_estimator estimator, const fg_estimate *e)
{
  json_t *one = json_pack(
      "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:o}", "value", real_or_null(e->value),
      "squared", real_or_null(e->squared), "floor", real_or_null(e->floor), "ci_low", real_or_null(e->ci_low),
      "ci_high", real_or_null(e->ci_high), "p_value", real_or_null(e->p_value), "primal",
      real_or_null(e->primal), "dual", real_or_null(e->dual), "used_x", (json_int_t)e->used_x, "used_y",
      (json_int_t)e->used_y, "outside_x", (json_int_t)e->outside_x, "outside_y", (json_int_t)e->outside_y,
      "seconds", real_or_null(e->seconds));
  for (int k = 0; k < 2; k++)
    if (fg_estimate_detail(estimator, k))
      json_object_set_new(one, fg_estimate_detail(estimator, k), real_or_null(e->detail[k]));
  json_object_set_new(root, fg_estimator_name(estimator), one);
}

static void put_line(fg_estimator estimator, const fg_estimate *e)
{
  char interval[80], p[32];
  if (isfinite(e->ci_low))
    snprintf(interval, sizeof interval, "%.4g to %.4g", e->ci_low, e->ci_high);
  else
    snprintf(interval, sizeof interval, "-");
  snprintf(p, sizeof p, isfinite(e->p_value) ? "%.4g" : "-", e->p_value);
  printf("%-10s %-12.6g %-12.4g %-24s %-7s %zu, %zu\n", fg_estimator_name(estimator), e->value, e->floor,
         interval, p, e->used_x, e->used_y);
  if (estimator == FG_W2_SLICED && isfinite(e->detail[1]))
    printf("%-10s %-12.6g along the best of its directions, a lower bound of W2\n", "", e->detail[1]);
  if (e->outside_x || e->outside_y)
    printf("%-10s %zu and %zu rows lie outside the grid and are left out: see compare.grid.half_width\n", "",
           e->outside_x, e->outside_y);
}

static fg_code estimate_all(fg_session *session, const fg_samples *a, const fg_samples *b, fg_status *st)
{
  bool wanted[FG_ESTIMATORS], json = session->args->value[FG_OPTION_JSON] != NULL;
  FG_TRY(choose(session, a->d, wanted, st));
  json_t *root = json_object();
  fg_code rc = root ? FG_OK : FG_FAIL(st, FG_MEMORY, "no memory for JSON");
  bool header = false;
  for (int k = 0; rc == FG_OK && k < FG_ESTIMATORS; k++) {
    fg_estimate_settings settings;
    fg_estimate estimate;
    if (!wanted[k]) continue;
    FG_GO(fg_estimate_from_settings(session->settings, (fg_estimator)k, &settings, st), done);
    FG_GO(fg_estimate_w2(session->engine, &settings, a->n, b->n, a->d, a->x, a->weights, b->x, b->weights,
                         &session->progress, &estimate, st),
          done);
    fg_terminal_close(&session->terminal);
    if (json) {
      put_json(root, (fg_estimator)k, &estimate);
      continue;
    }
    if (!header)
      printf("%-10s %-12s %-12s %-24s %-7s %s\n", "W2", "value", "floor", "interval", "p", "rows used");
    header = true;
    put_line((fg_estimator)k, &estimate);
  }
  if (json) {
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    putchar('\n');
  }
done:
  json_decref(root);
  return rc;
}

fg_code fg_run_distance(const fg_args *args, fg_status *st)
{
  fg_session session;
  fg_samples a = {0}, b = {0};
  fg_code rc;
  FG_GO(fg_session_open(&session, args, NULL, st), done);
  FG_GO(fg_session_engine(&session, st), done);
  FG_GO(read_side(args->argument[0], &a, st), done);
  FG_GO(read_side(args->argument[1], &b, st), done);
  if (a.d != b.d) {
    rc = FG_FAIL(st, FG_USAGE, "%s has %zu columns, %s has %zu: both must have the same", args->argument[0],
                 a.d, args->argument[1], b.d);
    goto done;
  }
  rc = estimate_all(&session, &a, &b, st);
done:
  fg_samples_clear(&a);
  fg_samples_clear(&b);
  fg_session_close(&session);
  return rc;
}

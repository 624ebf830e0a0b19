/* flowgap distance A B */
#include "cli/distance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/results.h"

/* FILE, or FILE:NAME for a data set or array. A file whose own name holds the colon wins. */
static fg_code read_side(fg_side *side, const char *columns, fg_status *st)
{
  struct stat about;
  const char *colon = strrchr(side->word, ':');
  char path[FG_PATH_ROOM];
  fg_samples_choice choice = {.columns = columns, .weights = side->weights};
  snprintf(path, sizeof path, "%s", side->word);
  if (stat(side->word, &about) != 0 && colon && (size_t)(colon - side->word) < sizeof path) {
    path[colon - side->word] = 0;
    choice.dataset = colon + 1;
  }
  FG_TRY(fg_samples_read_chosen(path, &choice, &side->samples, st));
  double sum = 0, squares = 0;
  const double *w = side->samples.weights;
  side->effective = (double)side->samples.n;
  for (size_t i = 0; w && i < side->samples.n; i++) {
    sum += w[i];
    squares += w[i] * w[i];
  }
  if (w && squares > 0) side->effective = sum * sum / squares;
  return FG_OK;
}

/* --weights W, or W,V for A and B apart. */
static fg_code split_weights(const fg_args *args, char room[FG_PATH_ROOM], fg_side side[2], fg_status *st)
{
  const char *word = args->value[FG_OPTION_WEIGHTS];
  if (!word) return FG_OK;
  if (strlen(word) >= FG_PATH_ROOM) return FG_FAIL(st, FG_USAGE, "--weights is %zu bytes long", strlen(word));
  strcpy(room, word);
  char *comma = strchr(room, ',');
  side[0].weights = side[1].weights = room;
  if (comma) {
    *comma = 0;
    side[1].weights = comma + 1;
  }
  if (!*side[0].weights || !*side[1].weights)
    return FG_FAIL(st, FG_USAGE, "--weights is \"%.60s\": give W, or W,V for A and B apart", word);
  return FG_OK;
}

/* Which estimators: those asked for; without asking, those that the dimension allows. */
static fg_code choose(fg_distance *d, fg_status *st)
{
  fg_settings *settings = d->session->settings;
  const char *list = d->session->args->value[FG_OPTION_ESTIMATOR];
  size_t columns = d->side[0].samples.d;
  bool all;
  if (list) {
    char assignment[300];
    snprintf(assignment, sizeof assignment, "compare.estimators=%.200s", list);
    FG_TRY(fg_settings_assign(settings, assignment, st));
  }
  FG_TRY(fg_estimators_from_settings(settings, d->wanted, &all, st));
  if (!d->wanted[FG_W2_GRID] || columns == 2) return FG_OK;
  if (list && !all)
    return FG_FAIL(st, FG_USAGE, "the grid estimator needs two columns, the files have %zu", columns);
  d->wanted[FG_W2_GRID] = false;
  fg_distance_warn(d, "grid is left out: it needs two columns, these files have %zu", columns);
  return FG_OK;
}

/* One that cannot do these samples leaves its place empty, unless there is no other. */
static fg_code estimate_all(fg_distance *d, fg_status *st)
{
  const fg_samples *a = &d->side[0].samples, *b = &d->side[1].samples;
  int had = 0, failed = 0;
  fg_status first = {0};
  for (int e = 0; e < FG_ESTIMATORS; e++) {
    fg_status why = {0};
    if (!d->wanted[e]) continue;
    FG_TRY(fg_estimate_from_settings(d->session->settings, (fg_estimator)e, &d->settings[e], st));
    fg_code rc = fg_estimate_w2(d->session->engine, &d->settings[e], a->n, b->n, a->d, a->x, a->weights, b->x,
                                b->weights, &d->session->progress, &d->estimate[e], &why);
    had += rc == FG_OK;
    if (rc == FG_OK) continue;
    if (failed++ == 0 || rc != FG_NUMERICS) first = why;
    if (rc != FG_NUMERICS) break;
    snprintf(d->missing[e], sizeof d->missing[e], "%.*s", (int)sizeof d->missing[e] - 1, why.message);
    fg_distance_warn(d, "%s failed: %s", fg_estimator_name((fg_estimator)e), d->missing[e]);
  }
  if (failed == 0 || (had && first.code == FG_NUMERICS)) return FG_OK;
  if (st) *st = first;
  return failed > 1 && first.code == FG_NUMERICS
             ? fg_status_prefix(st, "no estimator gave a distance; the first: ")
             : first.code;
}

static fg_code show(fg_distance *d, fg_status *st)
{
  const fg_args *args = d->session->args;
  const char *out = args->value[FG_OPTION_OUT];
  fg_code rc = FG_OK;
  if (!args->value[FG_OPTION_JSON]) fg_distance_table(d);
  if (!args->value[FG_OPTION_JSON] && !out) return FG_OK;
  json_t *root = fg_distance_json(d);
  char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
  json_decref(root);
  if (!text) return FG_FAIL(st, FG_MEMORY, "no memory for JSON");
  if (args->value[FG_OPTION_JSON]) puts(text);
  if (out) rc = fg_text_save(out, text, st);
  free(text);
  return rc;
}

static fg_code run(fg_distance *d, const fg_args *args, fg_status *st)
{
  char weights[FG_PATH_ROOM];
  double started = fg_terminal_seconds();
  FG_TRY(split_weights(args, weights, d->side, st));
  for (int k = 0; k < 2; k++) {
    d->side[k].word = args->argument[k];
    FG_TRY(read_side(&d->side[k], args->value[FG_OPTION_COLUMNS], st));
  }
  if (d->side[0].samples.d != d->side[1].samples.d)
    return FG_FAIL(st, FG_USAGE, "%s has %zu columns, %s has %zu: both must have the same; --columns chooses",
                   args->argument[0], d->side[0].samples.d, args->argument[1], d->side[1].samples.d);
  FG_TRY(choose(d, st));
  FG_TRY(estimate_all(d, st));
  d->seconds = fg_terminal_seconds() - started;
  fg_terminal_close(&d->session->terminal);
  fg_distance_judge(d);
  return show(d, st);
}

fg_code fg_run_distance(const fg_args *args, fg_status *st)
{
  fg_session session;
  fg_distance distance = {.session = &session};
  fg_code rc;
  FG_GO(fg_session_open(&session, args, NULL, st), done);
  FG_GO(fg_session_engine(&session, st), done);
  rc = run(&distance, args, st);
done:
  for (int k = 0; k < 2; k++) fg_samples_clear(&distance.side[k].samples);
  fg_session_close(&session);
  return rc;
}

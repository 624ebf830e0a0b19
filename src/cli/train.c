/* flowgap train CONFIG: run the training, then a short table from its results.json. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/results.h"
#include "cli/session.h"

/* ---- while it runs ------------------------------------------------------------------------ */

static void on_step(void *user, const fg_train_step *step, uint64_t steps)
{
  fg_session *session = user;
  char residual[32] = "";
  if (isfinite(step->residual)) snprintf(residual, sizeof residual, "  R2 %.3g", step->residual);
  snprintf(session->terminal.note, sizeof session->terminal.note, "  loss %.4g%s  rate %.2g", step->loss,
           residual, step->rate);
  fg_progress_report(&session->progress, "train", (double)step->number, (double)steps);
}

/* With the settings compare.* of the exact estimator. */
static fg_code measure(void *user, size_t n, size_t m, size_t d, const double *x, const double *y,
                       fg_train_distance *result, fg_status *st)
{
  fg_session *session = user;
  fg_estimate_settings estimate;
  fg_estimate e;
  FG_TRY(fg_estimate_from_settings(session->settings, FG_W2_EXACT, &estimate, st));
  estimate.permutations = 0;
  session->terminal.note[0] = '\0';
  FG_TRY(fg_estimate_w2(session->engine, &estimate, n, m, d, x, NULL, y, NULL, &session->progress, &e, st));
  *result = (fg_train_distance){e.value, e.floor, e.ci_low, e.ci_high, e.used_x, e.used_y};
  return FG_OK;
}

fg_train_options fg_session_training(fg_session *session, bool resume)
{
  return (fg_train_options){.resume = resume,
                            .progress = &session->progress,
                            .report = on_step,
                            .distance = measure,
                            .user = session};
}

/* ---- the table ---------------------------------------------------------------------------- */

static void put_form(const char *name, const json_t *form)
{
  char elbo[32], is[32], se[32], ess[32];
  printf("  %-11s log Z >= %-10s importance sampling %s +- %s   ESS %s\n", name,
         fg_cell(form, "log_z_elbo", elbo), fg_cell(form, "log_z_is", is), fg_cell(form, "log_z_is_se", se),
         fg_cell(form, "ess", ess));
}

/* Mean squares of the residual, by form. */
static void put_residual(const json_t *residual)
{
  char a[32], b[32];
  const char *form;
  json_t *one;
  json_object_foreach((json_t *)residual, form, one)
  {
    printf("  residual (%s), mean square: %s +- %s\n", form, fg_cell(one, "mean_square", a),
           fg_cell(one, "se", b));
  }
}

static void put_score(const json_t *root)
{
  char a[32], b[32], c[32];
  const json_t *s = json_object_get(root, "score"), *train = json_object_get(root, "train");
  printf("%s steps, %s s; %s points\n", fg_cell(train, "steps", a), fg_cell(train, "seconds", b),
         fg_cell(s, "points", c));
  printf("  denoising loss: %s +- %s\n", fg_cell(s, "loss", a), fg_cell(s, "loss_se", b));
  put_residual(json_object_get(s, "residual"));
  fg_results_warnings(root);
}

static void put_run(const json_t *root)
{
  char a[32], b[32], c[32];
  const json_t *s = json_object_get(root, "sampler"), *train = json_object_get(root, "train");
  const json_t *moments = json_object_get(s, "moments"), *modes = json_object_get(s, "modes");
  const json_t *w2 = json_object_get(s, "w2");
  printf("%s steps, %s s; %s paths\n", fg_cell(train, "steps", a), fg_cell(train, "seconds", b),
         fg_cell(s, "paths", c));
  put_form("discrete", s);
  put_form("continuous", json_object_get(s, "continuous"));
  if (json_is_number(json_object_get(s, "log_z")))
    printf("  truth       log Z = %s\n", fg_cell(s, "log_z", a));
  if (json_is_number(json_object_get(moments, "mean_error")))
    printf("  moments: mean off by %s, standard deviation by %s\n", fg_cell(moments, "mean_error", a),
           fg_cell(moments, "sd_error", b));
  if (json_is_object(modes))
    printf("  modes: %s, the smallest share is %s\n", fg_cell(modes, "count", a),
           fg_cell(modes, "least_share", b));
  if (json_is_object(w2))
    printf("  W2 to the target: %s (floor %s)\n", fg_cell(w2, "value", a), fg_cell(w2, "floor", b));
  put_residual(json_object_get(s, "residual"));
  fg_results_warnings(root);
}

static void put_seeds(const json_t *root)
{
  char mean[32], sd[32], count[32];
  const char *name;
  json_t *one;
  printf("%s trainings, %s failed\n", fg_cell(root, "seeds", mean), fg_cell(root, "failed", sd));
  json_object_foreach(json_object_get(root, "summary"), name, one)
  {
    if (json_integer_value(json_object_get(one, "count")) > 0)
      printf("  %-22s %-10s +- %-10s (%s)\n", name, fg_cell(one, "mean", mean), fg_cell(one, "sd", sd),
             fg_cell(one, "count", count));
  }
}

static void put_training(const fg_args *args, const json_t *root, const char *run)
{
  (void)args;
  printf("%s: ", run);
  if (json_object_get(root, "seeds"))
    put_seeds(root);
  else if (json_object_get(root, "score"))
    put_score(root);
  else
    put_run(root);
  printf("report: %s/report.html\n", run);
}

/* Hours of training are not lost for want of gnuplot: a page that cannot be written is a message, no failure. */
void fg_session_training_page(const char *run)
{
  fg_status st = {0};
  if (fg_report_write(run, &st) != FG_OK)
    fprintf(stderr, "flowgap: %s has no report.html: %s\n", run, st.message);
}

static void write_pages(const char *run, long long seeds)
{
  char folder[FG_PATH_ROOM + 40], path[FG_PATH_ROOM + 60];
  struct stat about;
  for (long long i = 1; i <= seeds; i++) {
    snprintf(folder, sizeof folder, "%s/seed-%lld", run, i);
    snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    if (stat(path, &about) == 0)
      fg_session_training_page(folder); /* one that failed at once has nothing to show */
  }
  fg_session_training_page(run);
}

fg_code fg_run_train(const fg_args *args, fg_status *st)
{
  fg_session session;
  char run[FG_PATH_ROOM];
  long long seeds;
  fg_code rc;
  FG_TRY(fg_session_run(args, run, st));
  FG_TRY(fg_args_integer(args, FG_OPTION_SEEDS, 1, 10000, 0, &seeds, st));
  FG_GO(fg_session_open(&session, args, args->argument[0], st), done);
  FG_GO(fg_session_engine(&session, st), done);
  fg_train_options options = fg_session_training(&session, args->value[FG_OPTION_RESUME] != NULL);
  rc = seeds ? fg_train_seeds(session.engine, session.settings, run, (size_t)seeds, &options, st)
             : fg_train_run(session.engine, session.settings, run, &options, st);
  fg_terminal_close(&session.terminal);
  if (rc == FG_OK) write_pages(run, seeds);
  if (rc == FG_OK) rc = fg_results_show(args, run, put_training, st);
done:
  fg_session_close(&session);
  return rc;
}

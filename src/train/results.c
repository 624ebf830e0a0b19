/* metrics.jsonl and results.json of a training run; docs/run-directory.md describes every member. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/run_directory.h"
#include "train/run_impl.h"

enum { FG_MOMENTS_MAX = 32 }; /* larger dimensions would swamp the file */

/* JSON has no NaN or infinity: a figure that does not exist is null. jansson takes NULL for failures and passes
 * them on, so that one check of the root is enough. */
static json_t *number(double value)
{
  return isfinite(value) ? json_real(value) : json_null();
}

static json_t *numbers(const double *values, size_t count)
{
  json_t *list = json_array();
  for (size_t i = 0; values && i < count; i++) json_array_append_new(list, number(values[i]));
  return list;
}

static json_t *count_of(uint64_t value)
{
  return json_integer((json_int_t)value);
}

static void put_figures(json_t *to, const fg_train_figures *f)
{
  json_object_set_new(to, "log_z_elbo", number(f->log_z_elbo));
  json_object_set_new(to, "log_z_elbo_se", number(f->log_z_elbo_se));
  json_object_set_new(to, "log_z_is", number(f->log_z_is));
  json_object_set_new(to, "log_z_is_se", number(f->log_z_is_se));
  json_object_set_new(to, "ess", number(f->ess));
}

static json_t *moments_of(const fg_train_evaluation *e, size_t d)
{
  json_t *m = json_object();
  size_t shown = d <= FG_MOMENTS_MAX ? d : 0;
  if (shown) {
    json_object_set_new(m, "mean", numbers(e->mean, d));
    json_object_set_new(m, "sd", numbers(e->sd, d));
  }
  if (shown && e->target_mean) {
    json_object_set_new(m, "target_mean", numbers(e->target_mean, d));
    json_object_set_new(m, "target_sd", numbers(e->target_sd, d));
  }
  json_object_set_new(m, "mean_error", number(e->mean_error));
  json_object_set_new(m, "sd_error", number(e->sd_error));
  json_object_set_new(m, "sd_error_weighted", number(e->sd_error_weighted));
  return m;
}

static json_t *modes_of(const fg_train_evaluation *e)
{
  if (!e->modes) return json_null();
  json_t *m = json_object();
  json_object_set_new(m, "count", count_of(e->modes));
  json_object_set_new(m, "least_share", number(e->least_share));
  json_object_set_new(m, "least_mode", count_of(e->least_mode));
  json_object_set_new(m, "share", numbers(e->share, e->modes));
  return m;
}

static json_t *mean_of(const fg_train_mean *mean)
{
  json_t *one = json_object();
  json_object_set_new(one, "mean_square", number(mean->value));
  json_object_set_new(one, "se", number(mean->se));
  json_object_set_new(one, "points", count_of(mean->points));
  json_object_set_new(one, "lost", count_of(mean->lost));
  json_object_set_new(one, "lost_first", mean->lost ? count_of(mean->lost_first) : json_null());
  return one;
}

/* The forms of the residual that were evaluated, or null. */
static json_t *residual_of(const fg_train_evaluation *e)
{
  static const char *const names[] = {"log", "centred", "score"};
  json_t *all = json_object();
  for (int form = 0; form <= FG_TRAIN_SCORE; form++)
    if (e->residual[form].points) json_object_set_new(all, names[form], mean_of(&e->residual[form]));
  if (json_object_size(all) > 0) return all;
  json_decref(all);
  return json_null();
}

static json_t *weights_of(const fg_train_weights *w)
{
  json_t *one = json_object(), *counts = json_array();
  for (size_t i = 0; i < FG_WEIGHT_BINS; i++) json_array_append_new(counts, count_of(w->count[i]));
  json_object_set_new(one, "paths", count_of(w->paths));
  json_object_set_new(one, "least", number(w->least));
  json_object_set_new(one, "low", number(w->low));
  json_object_set_new(one, "most", number(w->most));
  json_object_set_new(one, "below", count_of(w->below));
  json_object_set_new(one, "counts", counts);
  json_object_set_new(one, "largest_share", number(w->largest_share));
  return one;
}

static json_t *sampler_of(const fg_train_evaluation *e, size_t d)
{
  json_t *s = json_object(), *continuous = json_object();
  put_figures(s, &e->form[FG_TRAIN_DISCRETE]);
  put_figures(continuous, &e->form[FG_TRAIN_CONTINUOUS]);
  json_object_set_new(s, "continuous", continuous);
  json_object_set_new(s, "weights", weights_of(&e->weights));
  json_object_set_new(s, "log_z", number(e->log_z));
  json_object_set_new(s, "paths", count_of(e->n));
  json_object_set_new(s, "time_steps", count_of(e->grid_steps));
  json_object_set_new(s, "lost", count_of(e->lost));
  json_object_set_new(s, "lost_first", e->lost ? count_of(e->lost_first) : json_null());
  json_object_set_new(s, "moments", moments_of(e, d));
  json_object_set_new(s, "modes", modes_of(e));
  json_object_set_new(s, "residual", residual_of(e));
  json_object_set_new(s, "seconds", number(e->seconds));
  return s;
}

/* Figures of a score model. */
static json_t *score_of(const fg_train_evaluation *e)
{
  json_t *s = json_object();
  json_object_set_new(s, "loss", number(e->denoising.value));
  json_object_set_new(s, "loss_se", number(e->denoising.se));
  json_object_set_new(s, "points", count_of(e->denoising.points));
  json_object_set_new(s, "lost", count_of(e->denoising.lost));
  json_object_set_new(s, "lost_first", e->denoising.lost ? count_of(e->denoising.lost_first) : json_null());
  json_object_set_new(s, "residual", residual_of(e));
  json_object_set_new(s, "seconds", number(e->seconds));
  return s;
}

static json_t *step_of(const fg_train_settings *s, const fg_train_step *step)
{
  bool score = s->method == FG_TRAIN_DSM, residual = s->residual.weight > 0;
  json_t *line = json_object();
  json_object_set_new(line, "step", count_of(step->number));
  json_object_set_new(line, "loss", number(step->loss));
  if (score) json_object_set_new(line, "loss_se", number(step->loss_se));
  if (!score) json_object_set_new(line, "mean", number(step->mean));
  if (residual) json_object_set_new(line, "residual", number(step->residual));
  if (residual) json_object_set_new(line, "residual_se", number(step->residual_se));
  json_object_set_new(line, "norm", number(step->norm));
  json_object_set_new(line, "rate", number(step->rate));
  if (!score) json_object_set_new(line, "clip", number(step->clip));
  if (!score) json_object_set_new(line, "time_steps", count_of(step->grid_steps));
  json_object_set_new(line, "lost", count_of(step->lost));
  if (residual) json_object_set_new(line, "residual_lost", count_of(step->residual_lost));
  json_object_set_new(line, "lost_total", count_of(step->lost_total));
  json_object_set_new(line, "seconds", number(step->seconds));
  return line;
}

static bool is_score(const fg_train_job *job)
{
  return job->train.method == FG_TRAIN_DSM;
}

/* The evaluation under the name of what was trained. */
static void put_evaluation(json_t *to, const fg_train_job *job, const fg_train_evaluation *e)
{
  if (is_score(job))
    json_object_set_new(to, "score", score_of(e));
  else
    json_object_set_new(to, "sampler", sampler_of(e, job->trainer->d));
}

fg_code fg_metrics_append(const fg_train_job *job, const fg_train_evaluation *evaluation, fg_status *st)
{
  const char *path = job->metrics;
  json_t *line = step_of(&job->train, &job->step);
  if (evaluation) put_evaluation(line, job, evaluation);
  char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(17));
  json_decref(line);
  if (!text) return FG_FAIL(st, FG_MEMORY, "no memory for a line of %s", path);
  FILE *file = fopen(path, "a");
  bool written = file && fprintf(file, "%s\n", text) > 0;
  if (file && fclose(file) != 0) written = false;
  int error = errno;
  char why[128];
  free(text);
  return written ? FG_OK : FG_FAIL(st, FG_IO, "cannot write %s: %s", path, fg_file_why(error, why));
}

/* ---- results.json ------------------------------------------------------------------------- */

json_t *fg_results_head(const fg_engine *engine, const char *command, uint64_t seed, double seconds)
{
  char created[32] = "";
  time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc)) strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
  json_t *root = json_object();
  json_object_set_new(root, "schema", json_integer(1));
  json_object_set_new(root, "program", json_string("flowgap"));
  json_object_set_new(root, "version", json_string(fg_version()));
  json_object_set_new(root, "verb", json_string("train"));
  json_t *words = json_string(command); /* NULL for a path that is not UTF-8 */
  json_object_set_new(root, "command", words ? words : json_null());
  json_object_set_new(root, "created", json_string(created));
  json_object_set_new(root, "engine", json_string(fg_engine_name(engine)));
  json_object_set_new(root, "isa", json_string(fg_engine_isa(engine)));
  json_object_set_new(root, "tf32", json_boolean(fg_engine_tf32(engine)));
  json_object_set_new(root, "threads", json_integer(fg_threads_count(engine->threads)));
  json_object_set_new(root, "seed", count_of(seed));
  json_object_set_new(root, "wall_seconds", number(seconds));
  return root;
}

static void put_setting(json_t *to, const char *name, const fg_settings *settings, const char *key)
{
  const char *text = "";
  if (fg_settings_text(settings, key, &text, NULL) == FG_OK) json_object_set_new(to, name, json_string(text));
}

static json_t *model_parts(const fg_train_job *job, const char *part)
{
  char key[64];
  json_t *one = json_object();
  snprintf(key, sizeof key, "%s.kind", part);
  put_setting(one, "kind", job->settings, key);
  if (strcmp(part, "process") == 0)
    json_object_set_new(one, "horizon", number(fg_process_horizon(job->process)));
  if (strcmp(part, "target") == 0)
    json_object_set_new(one, "dimension", count_of(fg_target_dimension(job->target)));
  return one;
}

/* The regulariser and its last value, or null. */
static json_t *residual_settings(const fg_train_job *job)
{
  static const char *const forms[] = {"log", "centred", "score"}, *const places[] = {"box", "data", "path",
                                                                                     "gaussian"};
  const fg_train_residual *q = &job->train.residual;
  if (!(q->weight > 0)) return json_null();
  json_t *one = json_object();
  json_object_set_new(one, "weight", number(q->weight));
  json_object_set_new(one, "form", json_string(forms[q->form]));
  json_object_set_new(one, "where", json_string(places[q->where]));
  json_object_set_new(one, "points", count_of(q->points));
  json_object_set_new(one, "mean_square", job->step.number ? number(job->step.residual) : json_null());
  return one;
}

static json_t *train_of(const fg_train_job *job)
{
  static const char *const words[] = {"method", "precision", "objective", "form", "integrator", "control"};
  const fg_trainer *t = job->trainer;
  size_t known = is_score(job) ? 2 : sizeof words / sizeof *words;
  json_t *train = json_object();
  for (size_t i = 0; i < known; i++) {
    char key[64];
    snprintf(key, sizeof key, "train.%s", words[i]);
    put_setting(train, words[i], job->settings, key);
  }
  json_object_set_new(train, "steps", count_of(t->done));
  json_object_set_new(train, "batch", count_of(job->train.batch));
  json_object_set_new(train, "loss", job->step.number ? number(job->step.loss) : json_null());
  json_object_set_new(train, "residual", residual_settings(job));
  json_object_set_new(train, "lost", count_of(t->lost));
  json_object_set_new(train, "seconds", number(t->seconds));
  return train;
}

static json_t *distance_of(const fg_train_job *job)
{
  const fg_train_distance *w = &job->distance;
  if (!job->has_distance) return json_null();
  json_t *one = json_object();
  json_object_set_new(one, "value", number(w->value));
  json_object_set_new(one, "floor", number(w->floor));
  json_object_set_new(one, "ci_low", number(w->ci_low));
  json_object_set_new(one, "ci_high", number(w->ci_high));
  json_object_set_new(one, "used_x", count_of(w->used_x));
  json_object_set_new(one, "used_y", count_of(w->used_y));
  return one;
}

static void warn(json_t *list, const char *format, ...) FG_PRINTF(2, 3);
static void warn(json_t *list, const char *format, ...)
{
  char text[400];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  json_array_append_new(list, json_string(text));
}

static void warn_sampler(const fg_train_evaluation *e, json_t *list)
{
  double effective = e->form[FG_TRAIN_DISCRETE].ess * (double)e->n;
  if (e->lost)
    warn(list,
         "%llu of %zu paths of the evaluation are lost, the first is path %zu: they have weight 0 in "
         "log_z_is and "
         "ess, and the other figures are without them.",
         (unsigned long long)e->lost, e->n, e->lost_first);
  if (effective < 30)
    warn(list,
         "The weights are worth %.2g independent ones: log_z_is and its standard error are not to be relied "
         "on.",
         effective);
  size_t missing = 0;
  for (size_t k = 0; k < e->modes; k++) missing += !(e->share[k] > 0);
  if (missing)
    warn(list, "No point lies near %zu of the %zu components of the target, such as number %zu.", missing,
         e->modes, e->least_mode);
}

static void warn_points(const char *what, const fg_train_mean *mean, json_t *list)
{
  if (mean->lost)
    warn(list,
         "The %s is not finite at %zu of %zu points of the evaluation, the first is point %zu: its figures "
         "are "
         "without them.",
         what, mean->lost, mean->points, mean->lost_first);
}

static json_t *warnings_of(const fg_train_job *job)
{
  const fg_train_evaluation *e = &job->evaluation;
  const fg_trainer *t = job->trainer;
  json_t *list = json_array();
  if (!is_score(job)) warn_sampler(e, list);
  warn_points("score", &e->denoising, list);
  for (int form = 0; form <= FG_TRAIN_SCORE; form++) warn_points("residual", &e->residual[form], list);
  if (t->lost)
    warn(list, "%llu %s were lost in %llu steps of the training: they did not enter its losses.",
         (unsigned long long)t->lost, is_score(job) ? "points" : "paths", (unsigned long long)t->done);
  return list;
}

fg_code fg_results_write(const char *folder, json_t *root, fg_status *st)
{
  char *path = fg_path_join(folder, "results.json");
  char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
  fg_code rc = FG_OK;
  if (!path || !text)
    rc = FG_FAIL(st, FG_MEMORY, "no memory for results.json");
  else
    rc = fg_file_write(path, text, strlen(text), st);
  free(text);
  free(path);
  json_decref(root);
  return rc;
}

fg_code fg_train_results(const fg_train_job *job, fg_status *st)
{
  char command[512];
  snprintf(command, sizeof command, "flowgap train %.400s/config.yaml --out again", job->folder);
  json_t *root = fg_results_head(job->engine, command, job->train.seed, fg_seconds() - job->began);
  static const char *const parts[] = {"process", "target", "prior"};
  for (size_t i = 0; i < 3; i++) json_object_set_new(root, parts[i], model_parts(job, parts[i]));
  put_evaluation(root, job, &job->evaluation);
  if (!is_score(job)) json_object_set_new(json_object_get(root, "sampler"), "w2", distance_of(job));
  json_object_set_new(root, "train", train_of(job));
  json_object_set_new(root, "warnings", warnings_of(job));
  return fg_results_write(job->folder, root, st);
}

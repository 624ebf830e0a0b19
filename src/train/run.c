/* A whole training run: its folder, its steps, what is saved and when. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/run_directory.h"
#include "train/run_impl.h"

enum { FG_DISTANCE_LEAST = 4 }; /* points that an estimate of W2 needs */

static void note(const fg_train_job *job, const char *format, ...) FG_PRINTF(2, 3);
static void note(const fg_train_job *job, const char *format, ...)
{
  if (!job->log) return;
  fprintf(job->log, "%9.2f  ", fg_seconds() - job->began);
  va_list arguments;
  va_start(arguments, format);
  vfprintf(job->log, format, arguments);
  va_end(arguments);
  fputc('\n', job->log);
  fflush(job->log);
}

static bool exists(const char *path)
{
  struct stat about;
  return stat(path, &about) == 0;
}

/* ---- setting up --------------------------------------------------------------------------- */

/* The given settings, paths made absolute, with model.* naming the network that the run will write. */
static fg_code copy_settings(fg_train_job *job, const fg_settings *given, fg_status *st)
{
  char *yaml = NULL;
  fg_code rc;
  FG_TRY(fg_settings_create(&job->settings, st));
  FG_GO(fg_settings_yaml(given, &yaml, st), done);
  FG_GO(fg_settings_parse(job->settings, yaml, "the settings", st), done);
  FG_GO(fg_settings_assign(job->settings, "model.kind=network", st), done);
  rc = fg_settings_assign(job->settings, "model.file=", st);
done:
  free(yaml);
  return rc;
}

static fg_code make_parts(fg_train_job *job, fg_status *st)
{
  FG_TRY(fg_train_from_settings(job->settings, &job->train, st));
  FG_TRY(fg_process_from_settings(job->settings, &job->process, st));
  FG_TRY(fg_target_from_settings(job->settings, &job->target, st));
  if (!job->target)
    return FG_FAIL(st, FG_USAGE, "target.kind is none: name the %s to learn",
                   job->train.method == FG_TRAIN_DSM ? "data whose score the model is"
                                                     : "density that the sampler is");
  FG_TRY(fg_prior_from_settings(job->settings, fg_target_dimension(job->target), job->process, job->target,
                                &job->prior, st));
  return fg_trainer_create(job->engine, &job->train, job->process, job->target, job->prior, &job->trainer,
                           st);
}

static fg_code remove_old(const char *path, fg_status *st)
{
  if (remove(path) == 0 || errno == ENOENT) return FG_OK;
  char why[128];
  int error = errno;
  return FG_FAIL(st, FG_IO, "cannot remove %s of an earlier run: %s", path, fg_file_why(error, why));
}

static fg_code exists_in(const char *folder, const char *name, bool *there, fg_status *st)
{
  char *path = fg_path_join(folder, name);
  if (!path) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", folder);
  *there = exists(path);
  free(path);
  return FG_OK;
}

/* What did not finish is too much work to be written over: a checkpoint without results, or what a comparison has done. */
static fg_code guard_unfinished(const fg_train_job *job, fg_status *st)
{
  bool finished = false, comparison = false;
  FG_TRY(exists_in(job->folder, "results.json", &finished, st));
  FG_TRY(exists_in(job->folder, "unfinished.bin", &comparison, st));
  if (comparison)
    return FG_FAIL(st, FG_USAGE,
                   "%s holds what a comparison that did not finish has done: go on with `flowgap compare %s "
                   "--resume`, choose another --out, or remove unfinished.bin",
                   job->folder, job->folder);
  if (finished || !exists(job->checkpoint)) return FG_OK;
  return FG_FAIL(st, FG_USAGE,
                 "%s holds the checkpoint of a training that did not finish: go on with --resume, choose "
                 "another --out, or remove it",
                 job->folder);
}

static fg_code open_anew(fg_train_job *job, fg_status *st)
{
  FG_TRY(guard_unfinished(job, st));
  FG_TRY(fg_run_directory_open(job->folder, job->settings, &job->log, st));
  FG_TRY(fg_run_directory_replace(job->folder, job->settings, st)); /* its first checkpoint is a beginning */
  FG_TRY(remove_old(job->checkpoint, st));
  return remove_old(job->metrics, st);
}

static fg_code open_again(fg_train_job *job, fg_status *st)
{
  if (!exists(job->checkpoint))
    return FG_FAIL(st, FG_USAGE, "--resume: there is no %s to go on from; leave --resume out",
                   job->checkpoint);
  FG_TRY(fg_resume_check(job->folder, job->settings, &job->train, st));
  FG_TRY(fg_trainer_load(job->trainer, job->checkpoint, st));
  job->saved = job->trainer->done;
  FG_TRY(fg_run_directory_continue(job->folder, job->settings, &job->log, st));
  return exists(job->metrics) ? fg_metrics_trim(job->metrics, job->saved, st) : FG_OK;
}

static fg_code open_run(fg_train_job *job, const fg_settings *given, fg_status *st)
{
  job->checkpoint = fg_path_join(job->folder, "checkpoint.h5");
  job->metrics = fg_path_join(job->folder, "metrics.jsonl");
  if (!job->checkpoint || !job->metrics)
    return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", job->folder);
  FG_TRY(copy_settings(job, given, st));
  FG_TRY(make_parts(job, st));
  FG_TRY(job->options->resume ? open_again(job, st) : open_anew(job, st));
  note(job, "flowgap %s, engine %s (%s%s), seed %llu, %s step %llu of %llu", fg_version(),
       fg_engine_name(job->engine), fg_engine_isa(job->engine), fg_engine_tf32(job->engine) ? ", TF32" : "",
       (unsigned long long)job->train.seed, job->options->resume ? "going on after" : "from",
       (unsigned long long)job->trainer->done, (unsigned long long)job->train.steps);
  return FG_OK;
}

static void close_run(fg_train_job *job)
{
  if (job->log) fclose(job->log);
  fg_trainer_destroy(&job->trainer);
  fg_prior_destroy(&job->prior);
  fg_target_destroy(&job->target);
  fg_process_destroy(&job->process);
  fg_settings_destroy(&job->settings);
  free(job->checkpoint);
  free(job->metrics);
}

/* ---- the steps ---------------------------------------------------------------------------- */

static fg_code save(fg_train_job *job, fg_status *st)
{
  uint64_t done = job->trainer->done;
  if (job->saved == done) return FG_OK;
  FG_TRY(fg_trainer_save(job->trainer, job->checkpoint, st));
  job->saved = done;
  note(job, "checkpoint after step %llu", (unsigned long long)done);
  return FG_OK;
}

static void note_points(const fg_train_job *job)
{
  static const char *const names[] = {"residual", "centred residual", "residual of the score"};
  const fg_train_evaluation *e = &job->evaluation;
  unsigned long long step = (unsigned long long)job->trainer->done;
  if (e->denoising.points)
    note(job, "step %llu: denoising loss %.6g +- %.2g", step, e->denoising.value, e->denoising.se);
  for (int form = 0; form <= FG_TRAIN_SCORE; form++)
    if (e->residual[form].points)
      note(job, "step %llu: %s, mean square %.6g +- %.2g", step, names[form], e->residual[form].value,
           e->residual[form].se);
}

static fg_code evaluate(fg_train_job *job, fg_status *st)
{
  job->evaluated = false;
  FG_TRY(fg_trainer_evaluate(job->trainer, job->options->progress, &job->evaluation, st));
  job->evaluated = true;
  note_points(job);
  if (job->train.method == FG_TRAIN_DSM) return FG_OK;
  const fg_train_figures *f = &job->evaluation.form[FG_TRAIN_DISCRETE];
  note(job, "step %llu: log Z >= %.4f, importance sampling %.4f +- %.4f, ESS %.4f",
       (unsigned long long)job->trainer->done, f->log_z_elbo, f->log_z_is, f->log_z_is_se, f->ess);
  return FG_OK;
}

/* The line of metrics.jsonl for the step that was made, if there is to be one. */
static fg_code record(fg_train_job *job, fg_status *st)
{
  const fg_train_settings *s = &job->train;
  uint64_t done = job->step.number;
  bool judged = done == s->steps || done % s->evaluate_every == 0;
  job->evaluated = false;
  if (judged) FG_TRY(evaluate(job, st));
  if (!judged && done % s->log_every != 0) return FG_OK;
  return fg_metrics_append(job, judged ? &job->evaluation : NULL, st);
}

/* A run that was stopped between the checkpoint and its line, as in an evaluation, lacks the line. */
static fg_code catch_up(fg_train_job *job, fg_status *st)
{
  bool held = false;
  if (job->trainer->done == 0) return FG_OK;
  job->step = job->trainer->last;
  if (exists(job->metrics)) FG_TRY(fg_metrics_hold(job->metrics, job->step.number, &held, st));
  return held ? FG_OK : record(job, st);
}

static fg_code one_step(fg_train_job *job, fg_status *st)
{
  const fg_train_settings *s = &job->train;
  const fg_train_options *o = job->options;
  FG_TRY(fg_trainer_step(job->trainer, o->progress, &job->step, st));
  if (o->report) o->report(o->user, &job->step, s->steps);
  uint64_t done = job->step.number;
  if (done == s->steps || done % s->checkpoint_every == 0) FG_TRY(save(job, st));
  return record(job, st);
}

/* A stop by the user keeps what was done; a failure keeps the last checkpoint, which was sound. */
static fg_code stopped(fg_train_job *job, fg_code rc, fg_status *st)
{
  unsigned long long done = (unsigned long long)job->trainer->done;
  if (rc == FG_INTERRUPTED) {
    if (done > 0) FG_TRY(save(job, st));
    note(job, "stopped after step %llu", done);
    if (done == 0) return FG_FAIL(st, FG_INTERRUPTED, "stopped before the first step of the training");
    return FG_FAIL(st, FG_INTERRUPTED,
                   "stopped after step %llu of %llu; %s holds it: the same command with --resume goes on",
                   done, (unsigned long long)job->train.steps, job->checkpoint);
  }
  if (st && rc == FG_NUMERICS && strlen(st->message) + 100 < sizeof st->message) {
    size_t used = strlen(st->message);
    if (job->saved)
      snprintf(st->message + used, sizeof st->message - used, "; the checkpoint of step %llu is kept",
               (unsigned long long)job->saved);
  }
  return rc;
}

/* W2 between the points of the last evaluation and as many exact ones. */
static fg_code measure(fg_train_job *job, fg_status *st)
{
  const fg_train_evaluation *e = &job->evaluation;
  const fg_train_options *o = job->options;
  size_t n = e->points, d = job->trainer->d, rows = fg_target_rows(job->target);
  size_t m = rows && rows < n ? rows : n;
  if (!o->distance || !e->x || m < FG_DISTANCE_LEAST ||
      !(fg_target_abilities(job->target) & FG_TARGET_SAMPLE))
    return FG_OK;
  double *y = malloc(m * d * sizeof *y);
  if (!y) return FG_FAIL(st, FG_MEMORY, "no memory for %zu points of the target", m);
  fg_code rc = fg_target_sample(job->target, job->train.seed, 0, m, y, st);
  if (rc == FG_OK) rc = o->distance(o->user, n, m, d, e->x, y, &job->distance, st);
  job->has_distance = rc == FG_OK;
  free(y);
  return rc;
}

static fg_code run(fg_train_job *job, fg_status *st)
{
  fg_code rc = catch_up(job, st);
  while (rc == FG_OK && job->trainer->done < job->train.steps) rc = one_step(job, st);
  if (rc == FG_OK && !job->evaluated) rc = evaluate(job, st);
  if (rc == FG_OK) rc = measure(job, st);
  if (rc == FG_OK) rc = fg_train_results(job, st);
  return rc == FG_OK ? FG_OK : stopped(job, rc, st);
}

fg_code fg_train_run(fg_engine *engine, const fg_settings *settings, const char *run_directory,
                     const fg_train_options *options, fg_status *st)
{
  static const fg_train_options none = {.resume = false};
  fg_train_job job = {.engine = engine, .folder = run_directory, .options = options ? options : &none};
  job.began = fg_seconds();
  fg_code rc = open_run(&job, settings, st);
  if (rc == FG_OK) rc = run(&job, st);
  if (rc != FG_OK && st) note(&job, "%s: %s", fg_code_name(rc), st->message);
  if (rc == FG_OK) note(&job, "done");
  close_run(&job);
  return rc;
}

/* A training run and its folder; private to src/train/. */
#ifndef FG_TRAIN_RUN_IMPL_H
#define FG_TRAIN_RUN_IMPL_H

#include <stdio.h>

#include "train/trainer_impl.h"

typedef struct fg_train_job {
  fg_engine *engine;               /* borrowed */
  const char *folder;              /* borrowed */
  const fg_train_options *options; /* borrowed */
  fg_settings *settings;           /* with the rows model.* of the network in training */
  fg_train_settings train;
  char *checkpoint, *metrics; /* paths */
  FILE *log;
  fg_process *process;
  fg_target *target;
  fg_prior *prior;
  fg_trainer *trainer;
  uint64_t saved; /* step of the checkpoint in the folder, 0: none */
  fg_train_step step;
  fg_train_evaluation evaluation; /* of the last step where evaluated */
  bool evaluated;
  bool has_distance;
  fg_train_distance distance;
  double began; /* clock of this process */
} fg_train_job;

/* resume.c. Would `settings` go on with the run of the folder's config.yaml? FG_USAGE names the first key that differs. */
FG_CHECKED fg_code fg_resume_check(const char *folder, const fg_settings *settings,
                                   const fg_train_settings *train, fg_status *st);
/* Lines of metrics.jsonl beyond `step` leave it: the steps will be made again. */
FG_CHECKED fg_code fg_metrics_trim(const char *path, uint64_t step, fg_status *st);
/* Has the file a line of this step? */
FG_CHECKED fg_code fg_metrics_hold(const char *path, uint64_t step, bool *held, fg_status *st);

/* results.c. The line of metrics.jsonl for the job's step; evaluation NULL: none. */
FG_CHECKED fg_code fg_metrics_append(const fg_train_job *job, const fg_train_evaluation *evaluation,
                                     fg_status *st);
FG_CHECKED fg_code fg_train_results(const fg_train_job *job, fg_status *st);
/* A JSON tree into folder/results.json; takes the tree. */
struct json_t;
FG_CHECKED fg_code fg_results_write(const char *folder, struct json_t *root, fg_status *st);
/* Members that every results.json begins with; NULL when memory is short. */
struct json_t *fg_results_head(const fg_engine *engine, const char *command, uint64_t seed, double seconds);

#endif

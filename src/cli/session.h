/* From the command line to engine, process, target, prior and model: the same for every verb. */
#ifndef FG_CLI_SESSION_H
#define FG_CLI_SESSION_H

#include "cli/args.h"
#include "cli/terminal.h"
#include "flowgap/flowgap.h"

typedef struct fg_session {
  const fg_args *args; /* borrowed */
  fg_settings *settings;
  fg_engine *engine;
  fg_process *process;
  fg_target *target; /* NULL when target.kind is none */
  fg_prior *prior;
  fg_model *model;
  size_t d;
  fg_terminal terminal;
  fg_progress progress;
} fg_session;

/* Settings of `model` (NULL: defaults), then --set and --seed; the terminal. Close it in any case. */
FG_CHECKED fg_code fg_session_open(fg_session *session, const fg_args *args, const char *model,
                                   fg_status *st);
/* That of --engine. "auto", the default: cuda where its plugin opens and finds a device, and says so on a terminal;
 * else, and for a target of kind plugin, cpu. With --tf32 where it has that. Needs the settings. */
FG_CHECKED fg_code fg_session_engine(fg_session *session, fg_status *st);
/* For verbs that run flows, before the rest: fg_settings_leave_pin, and a word on standard error. */
FG_CHECKED fg_code fg_session_leave_pin(fg_session *session, fg_status *st);
/* Process, target and model; needs the engine. */
FG_CHECKED fg_code fg_session_model(fg_session *session, fg_status *st);
FG_CHECKED fg_code fg_session_prior(fg_session *session, fg_status *st);
void fg_session_close(fg_session *session);

/* train.c. Progress on the terminal, and W2 by the settings compare.* of the session. */
fg_train_options fg_session_training(fg_session *session, bool resume);
/* report.html of a training; a failure is a message on standard error. */
void fg_session_training_page(const char *run);

/* The run directory: --out, or runs/ and the name of the first argument (a-seed-1 for the run seed-1 in the run a). */
enum { FG_PATH_ROOM = 4096 };
FG_CHECKED fg_code fg_session_run(const fg_args *args, char path[FG_PATH_ROOM], fg_status *st);

#endif

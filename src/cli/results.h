/* results.json of a run, for the summary on the terminal. */
#ifndef FG_CLI_RESULTS_H
#define FG_CLI_RESULTS_H

#include <jansson.h>

#include "cli/args.h"
#include "flowgap/engine.h"

/* Four digits, an integer in full, "-" for null. */
const char *fg_cell(const json_t *object, const char *key, char text[32]);

/* Reads RUN/results.json; --json prints it, --quiet nothing, else `put` does. */
FG_CHECKED fg_code fg_results_show(const fg_args *args, const char *run,
                                   void (*put)(const fg_args *args, const json_t *root, const char *run),
                                   fg_status *st);
/* Its list `warnings`. */
void fg_results_warnings(const json_t *root);

/* A text into a file; what could not be written whole is removed. */
FG_CHECKED fg_code fg_text_save(const char *path, const char *text, fg_status *st);

/* A verb that runs a model and writes a page: settings and engine, `job`, the summary. `suffix` is appended to the default
 * folder (NULL: none). */
typedef fg_code fg_page_job(fg_engine *engine, const fg_settings *settings, const char *run_directory,
                            const fg_progress *progress, fg_status *st);
FG_CHECKED fg_code fg_run_page(const fg_args *args, const char *suffix, fg_page_job *job,
                               void (*put)(const fg_args *args, const json_t *root, const char *run),
                               fg_status *st);

#endif

/* results.json of a run, for the summary on the terminal. */
#ifndef FG_CLI_RESULTS_H
#define FG_CLI_RESULTS_H

#include <jansson.h>

#include "cli/args.h"

/* Four digits, an integer in full, "-" for null. */
const char *fg_cell(const json_t *object, const char *key, char text[32]);

/* Reads RUN/results.json; --json prints it, --quiet nothing, else `put` does. */
FG_CHECKED fg_code fg_results_show(const fg_args *args, const char *run,
                                   void (*put)(const fg_args *args, const json_t *root, const char *run),
                                   fg_status *st);

#endif

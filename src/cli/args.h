/* Words of the command line into a verb, its arguments and its options. */
#ifndef FG_CLI_ARGS_H
#define FG_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "flowgap/base.h"

typedef enum fg_option_id {
  FG_OPTION_SET,
  FG_OPTION_OUT,
  FG_OPTION_THREADS,
  FG_OPTION_ENGINE,
  FG_OPTION_TF32,
  FG_OPTION_SEED,
  FG_OPTION_JSON,
  FG_OPTION_QUIET,
  FG_OPTION_VERBOSE,
  FG_OPTION_HELP,
  FG_OPTION_VERSION,
  FG_OPTION_FLOW,
  FG_OPTION_COUNT,
  FG_OPTION_LOG_DENSITY,
  FG_OPTION_NOISE_TIME,
  FG_OPTION_ESTIMATOR,
  FG_OPTION_COLUMNS,
  FG_OPTION_WEIGHTS,
  FG_OPTION_FORMAT,
  FG_OPTION_RESUME,
  FG_OPTION_SEEDS,
  FG_OPTION_SET_GRID,
  FG_OPTION_NO_COMPARE,
  FG_OPTION_TARGET_ERROR,
  FG_OPTION_MAN,
  FG_OPTION_MARKDOWN,
  FG_OPTIONS
} fg_option_id;

typedef struct fg_option {
  const char *name;     /* without the dashes */
  const char *argument; /* NULL for a flag */
  const char *verbs;    /* that know it, separated by spaces; "-a b": all but a and b; NULL: all */
  const char *help;
} fg_option;

enum { FG_ARGUMENTS = 64 };

typedef struct fg_args {
  const struct fg_verb *verb; /* NULL: none was named */
  const char *argument[FG_ARGUMENTS];
  size_t count;
  const char *value[FG_OPTIONS];  /* NULL: not given; "" for a flag that was */
  const char *sets[FG_ARGUMENTS]; /* every --set, in order */
  size_t set_count;
  const char *grids[FG_ARGUMENTS]; /* every --set-grid, in order */
  size_t grid_count;
} fg_args;

/* One verb of the program. */
typedef struct fg_verb {
  const char *name;
  const char *synopsis; /* what follows the name */
  const char *summary;  /* one line */
  const char *details;  /* paragraphs, lines under 80 columns */
  size_t least, most;   /* arguments */
  fg_code (*run)(const fg_args *args, fg_status *st);
} fg_verb;

const fg_verb *fg_verbs(size_t *count);
const fg_option *fg_options(void);                 /* [FG_OPTIONS] */
bool fg_option_is_common(const fg_option *option); /* of most verbs, or of all */
bool fg_option_belongs(const fg_option *option, const fg_verb *verb);
const fg_verb *fg_verb_find(const char *name);

FG_CHECKED fg_code fg_args_parse(int argc, char **argv, fg_args *args, fg_status *st);

/* An option's number within [low, high]; `fallback` when it was not given. */
FG_CHECKED fg_code fg_args_integer(const fg_args *args, fg_option_id option, long long low, long long high,
                                   long long fallback, long long *value, fg_status *st);

fg_code fg_run_compare(const fg_args *args, fg_status *st);
fg_code fg_run_density(const fg_args *args, fg_status *st);
fg_code fg_run_train(const fg_args *args, fg_status *st);
fg_code fg_run_sweep(const fg_args *args, fg_status *st);
fg_code fg_run_export(const fg_args *args, fg_status *st);
fg_code fg_run_sample(const fg_args *args, fg_status *st);
fg_code fg_run_residual(const fg_args *args, fg_status *st);
fg_code fg_run_evaluate(const fg_args *args, fg_status *st);
fg_code fg_run_distance(const fg_args *args, fg_status *st);
fg_code fg_run_report(const fg_args *args, fg_status *st);
fg_code fg_run_target(const fg_args *args, fg_status *st);
fg_code fg_run_info(const fg_args *args, fg_status *st);
fg_code fg_run_help(const fg_args *args, fg_status *st);

#endif

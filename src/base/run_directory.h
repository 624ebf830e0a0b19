/* The folder that a run writes: config.yaml (every key resolved), log.txt, and what its verb adds. */
#ifndef FG_BASE_RUN_DIRECTORY_H
#define FG_BASE_RUN_DIRECTORY_H

#include <stdio.h>

#include "flowgap/base.h"

/* Create the folder and its parents where needed, write config.yaml into it, open log.txt anew. Where an earlier run
 * has left results.json, nothing of it is touched yet: the log goes to log-failed.txt, which is its name should
 * this run fail.
 * Fails with FG_IO when the folder cannot be made or written, and with FG_USAGE when it holds files
 * but no config.yaml (then it is not a run directory) or a sweep; nothing in it is touched then. */
FG_CHECKED fg_code fg_run_directory_open(const char *path, const fg_settings *settings, FILE **log,
                                         fg_status *st);

/* The same for a run that goes on: the log grows. */
FG_CHECKED fg_code fg_run_directory_reopen(const char *path, const fg_settings *settings, FILE **log,
                                           fg_status *st);

/* Once what the run is to leave there is ready: the results of an earlier run go, config.yaml and log.txt are those of
 * this one. */
FG_CHECKED fg_code fg_run_directory_replace(const char *path, const fg_settings *settings, fg_status *st);

/* For a run that goes on: results are removed, config.yaml is written, log.txt is kept and grows. */
FG_CHECKED fg_code fg_run_directory_continue(const char *path, const fg_settings *settings, FILE **log,
                                             fg_status *st);

/* path/name, allocated; NULL when memory is short. */
char *fg_path_join(const char *path, const char *name);

#endif

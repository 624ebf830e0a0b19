/* What the rest of flowgap stands on: threads, progress, settings, sample files. */
#ifndef FLOWGAP_BASE_H
#define FLOWGAP_BASE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowgap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0" */
FG_API const char *fg_version(void);

/* ---- threads ------------------------------------------------------------------------- */

/* A pool that runs numbered tasks. Which worker runs which task is not fixed, so a task must
 * write only to places that belong to its number: then results do not depend on the count. */
typedef struct fg_threads fg_threads;
typedef void fg_task(void *argument, size_t task, int worker);

/* count 0: as many as the process may use. */
FG_CHECKED FG_API fg_code fg_threads_create(int count, fg_threads **pool, fg_status *st);
FG_API void fg_threads_destroy(fg_threads **pool);
FG_API int fg_threads_count(const fg_threads *pool); /* 1 for NULL */
/* Run task 0 .. tasks-1 and wait. A NULL pool, or a call from inside a task, runs them in order
 * in the calling thread. `worker` is in 0 .. count-1 and is unique among tasks running together. */
FG_API void fg_threads_run(fg_threads *pool, size_t tasks, fg_task *task, void *argument);

/* ---- progress and interruption ------------------------------------------------------- */

/* Borrowed by long calls; every member may be 0. `report` may be called from any thread, one
 * call at a time. */
typedef struct fg_progress {
  void (*report)(void *user, const char *stage, double done, double total);
  void *user;
  const volatile sig_atomic_t *cancel; /* set it to 1 to make long calls end with FG_INTERRUPTED */
} fg_progress;

FG_API void fg_progress_report(const fg_progress *progress, const char *stage, double done, double total);
FG_API bool fg_progress_cancelled(const fg_progress *progress);

/* ---- settings ------------------------------------------------------------------------ */

/* Every setting is one row of the table in src/base/settings_table.c. Values come from defaults,
 * then a YAML file, then assignments "flow.sde.steps=800"; later ones win. */
typedef struct fg_settings fg_settings;

FG_CHECKED FG_API fg_code fg_settings_create(fg_settings **settings, fg_status *st);
FG_API void fg_settings_destroy(fg_settings **settings);
/* Errors name the file, the line, the key, the nearest known key, and the allowed range. */
FG_CHECKED FG_API fg_code fg_settings_read(fg_settings *settings, const char *path, fg_status *st);
FG_CHECKED FG_API fg_code fg_settings_parse(fg_settings *settings, const char *text, const char *name,
                                            fg_status *st);
FG_CHECKED FG_API fg_code fg_settings_assign(fg_settings *settings, const char *assignment, fg_status *st);
/* What the command line calls MODEL: a built-in name ("exact:gmm9"; exact or perturbed, then
 * gaussian, gmm9 or blobs), a run directory (its config.yaml is read; the
 * checkpoint.h5 of a training run becomes model.file), or a YAML file. */
FG_CHECKED FG_API fg_code fg_settings_load(fg_settings *settings, const char *model, fg_status *st);

/* A sampler of a pinned process with pin = horizon is trained from a point, where no flow can start. For such a
 * network: process.pin stays, process.horizon becomes FG_PIN_PART of it, and a point prior becomes gaussian, with the
 * variance v of that time. *moved: it was so. */
#define FG_PIN_PART 0.999
FG_CHECKED FG_API fg_code fg_settings_leave_pin(fg_settings *settings, bool *moved, fg_status *st);

/* Typed access; the key must be a row of the table with that type, else FG_FAILED. Numbers left at
 * `auto` (their default depends on another setting) read as NaN, integers as 0. */
FG_CHECKED FG_API fg_code fg_settings_real(const fg_settings *settings, const char *key, double *value,
                                           fg_status *st);
FG_CHECKED FG_API fg_code fg_settings_integer(const fg_settings *settings, const char *key, int64_t *value,
                                              fg_status *st);
FG_CHECKED FG_API fg_code fg_settings_flag(const fg_settings *settings, const char *key, bool *value,
                                           fg_status *st);
/* Text, choice or path; borrowed until the settings change. "" when empty. */
FG_CHECKED FG_API fg_code fg_settings_text(const fg_settings *settings, const char *key, const char **value,
                                           fg_status *st);
/* Numbers as an array of rank 0..3, row-major, borrowed. shape[3] is filled with 1 beyond the
 * rank; an empty list has *values NULL and shape {0,1,1}. A nested list must be rectangular. */
FG_CHECKED FG_API fg_code fg_settings_array(const fg_settings *settings, const char *key,
                                            const double **values, size_t shape[3], fg_status *st);
/* A list of words, borrowed. */
FG_CHECKED FG_API fg_code fg_settings_words(const fg_settings *settings, const char *key,
                                            const char *const **words, size_t *count, fg_status *st);
/* Does the value differ from the default? A key that is given as its default does not count as given:
 * so a config.yaml, which gives every key, repeats the run that wrote it. */
FG_API bool fg_settings_given(const fg_settings *settings, const char *key);
/* Have both the same value there, to the bit? */
FG_API bool fg_settings_same(const fg_settings *a, const fg_settings *b, const char *key);
/* FG_USAGE when a key of `group` ("process", "prior", "target", "model", "flow.ode", "residual", "train") is given that
 * its kind does not use, such as process.beta_max with ou; fg_*_from_settings ask it of what they read. */
FG_CHECKED FG_API fg_code fg_settings_check(const fg_settings *settings, const char *group, fg_status *st);
/* Folder of the file that gave the key, so that relative paths work; "" if none. Borrowed. */
FG_API const char *fg_settings_folder(const fg_settings *settings, const char *key);
/* Every key resolved, as YAML that reads back to the same settings, numbers to the bit; relative
 * paths are written as absolute ones. free() the text. */
FG_CHECKED FG_API fg_code fg_settings_yaml(const fg_settings *settings, char **text, fg_status *st);

/* The table itself, for --help, documentation and reports. Rows are in the order of the table. */
typedef enum fg_setting_type {
  FG_SETTING_FLAG,
  FG_SETTING_INTEGER,
  FG_SETTING_REAL,
  FG_SETTING_TEXT,
  FG_SETTING_PATH,
  FG_SETTING_CHOICE,
  FG_SETTING_ARRAY,
  FG_SETTING_WORDS
} fg_setting_type;

typedef struct fg_setting {
  const char *key; /* "flow.sde.lambda" */
  fg_setting_type type;
  const char *fallback; /* default, as YAML text */
  double low, high;     /* closed range of numbers (each entry of an array) */
  const char *choices;  /* words separated by spaces, for CHOICE and WORDS; else NULL */
  const char *unit;     /* "" if none */
  const char *help;     /* one sentence */
} fg_setting;

FG_API const fg_setting *fg_settings_table(size_t *rows);

/* Edits (insert, delete, change, swap of neighbours) that turn a into b, for "did you mean". */
FG_API size_t fg_edit_distance(const char *a, const char *b);

/* ---- sample files -------------------------------------------------------------------- */

/* n points in d dimensions; x [n, d], weights [n] or NULL, log_density [n] or NULL. */
typedef struct fg_samples {
  size_t n, d;
  double *x;
  double *weights;
  double *log_density;
} fg_samples;

/* HDF5 (data set `x` or the only 2-D one; optional `weights` and `log_density` beside it), NPZ (array `x` or the only
 * one beside these two), NPY (real or whole numbers) or CSV (optional header; columns called `weight` or `weights` and
 * `log_density` hold just these). The kind is told by content, not by name. Fails with FG_IO; a value that is not finite
 * is named by row and column. `dataset` chooses an HDF5 data set or an NPZ array, NULL for the rule above. */
FG_CHECKED FG_API fg_code fg_samples_read(const char *path, const char *dataset, fg_samples *samples,
                                          fg_status *st);
/* What to take from the file; NULL: the rules above. */
typedef struct fg_samples_choice {
  const char *dataset;
  const char *columns; /* coordinates: "x,y", by names of the header or numbers from 1, "2-4" for a range */
  /* a column of CSV or NPY by name or number, a data set of HDF5, an array of NPZ, or else a file of its own with one
   * number per row; "none": equal weights */
  const char *weights;
} fg_samples_choice;
FG_CHECKED FG_API fg_code fg_samples_read_chosen(const char *path, const fg_samples_choice *choice,
                                                 fg_samples *samples, fg_status *st);
/* By the ending of the name: .h5, .npy or .csv. Written to a temporary name, synced, renamed. */
FG_CHECKED FG_API fg_code fg_samples_write(const char *path, const fg_samples *samples, fg_status *st);
FG_API void fg_samples_clear(fg_samples *samples);

#ifdef __cplusplus
}
#endif
#endif

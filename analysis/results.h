/* results.json as it is put together; docs/run-directory.md describes every member. */
#ifndef FG_ANALYSIS_RESULTS_H
#define FG_ANALYSIS_RESULTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "flowgap/flowgap.h"

/* jansson accepts NULL values and objects and reports -1, so that one check of the whole tree at the
 * end is enough: every failure is kept in *bad. A value that did not find its place is freed by jansson, so
 * nothing may be put into it: such a child is NULL. */
typedef struct fg_tree {
  json_t *object;
  bool *bad;
} fg_tree;

json_t *fg_put(fg_tree tree, const char *key, json_t *value);
json_t *fg_append(json_t *list, json_t *value, bool *bad);
void fg_put_real(fg_tree tree, const char *key, double value);
void fg_put_count(fg_tree tree, const char *key, uint64_t value);
void fg_put_text(fg_tree tree, const char *key, const char *value);
fg_tree fg_put_object(fg_tree tree, const char *key);
fg_tree fg_append_object(json_t *list, bool *bad);
json_t *fg_put_list(fg_tree tree, const char *key);
void fg_append_real(json_t *list, double value, bool *bad);
void fg_warn(fg_tree root, json_t *list, const char *format, ...) FG_PRINTF(3, 4);
/* A warning where the mean square of the residual R is mostly that of its mean at each time, a gauge. */
void fg_warn_of_time(fg_tree root, json_t *warnings, double mean_square, double centred, double relative);
/* A text or choice of the settings. */
void fg_put_setting(fg_tree tree, const char *name, const fg_settings *settings, const char *key);

/* schema, program, version, verb (not for compare), command, created */
void fg_put_origin(fg_tree root, const char *verb, const char *run_directory);
/* engine, isa, threads */
void fg_put_engine(fg_tree root, fg_engine *engine);
/* model, process, target, prior; target may be NULL */
void fg_put_model(fg_tree root, const fg_settings *settings, const fg_model *model, const fg_target *target);

/* Writes run_directory/results.json, unless something did not find its place; the tree is gone either way. */
FG_CHECKED fg_code fg_results_save(fg_tree root, const char *run_directory, fg_status *st);

#endif

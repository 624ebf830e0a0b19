/* unfinished.bin: what the steps of a comparison leave, so that one that was stopped or killed goes on with the same bits. */
#include "compare_impl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/budget_search.h"
#include "analysis/compare_certificate.h"
#include "base/run_directory.h"

static const char FG_UNFINISHED[] = "unfinished.bin";

/* ---- whose it is ------------------------------------------------------------------------------- */

/* What bits depend on beside the settings; sizes: another build may lay its structures out otherwise. */
static void fg_maker(const fg_comparison *c, char text[200])
{
  snprintf(text, 200, "flowgap %s, engine %s (%s%s), layout %zu-%zu-%zu-%zu-%zu", fg_version(),
           fg_engine_name(c->engine), fg_engine_isa(c->engine), fg_engine_tf32(c->engine) ? ", TF32" : "",
           sizeof(fg_comparison), sizeof(fg_estimate), sizeof(fg_budget), sizeof(fg_attempt),
           sizeof(fg_gap_certificate));
}

/* The settings as they read back, with whole paths. free() the YAML, destroy the settings. */
static fg_code fg_resolved(const fg_settings *settings, char **yaml, fg_settings **now, fg_status *st)
{
  *yaml = NULL;
  *now = NULL;
  FG_TRY(fg_settings_yaml(settings, yaml, st));
  FG_TRY(fg_settings_create(now, st));
  return fg_settings_parse(*now, *yaml, "the settings", st);
}

/* Files that settings name may change while their names do not. */
static fg_code fg_mark_of(const fg_settings *now, const char *key, fg_file_mark mark, fg_status *st)
{
  const char *path;
  memset(mark, 0, sizeof(fg_file_mark));
  FG_TRY(fg_settings_text(now, key, &path, st));
  return *path ? fg_file_marked(path, mark, st) : FG_OK;
}

fg_code fg_compare_saved_sign(fg_comparison *c, fg_status *st)
{
  fg_saved *saved = c->saved;
  char *yaml, maker[200];
  fg_settings *now;
  size_t rows;
  const fg_setting *table = fg_settings_table(&rows);
  if (!saved || c->going_on) return FG_OK;
  fg_maker(c, maker);
  fg_code rc = fg_resolved(c->settings, &yaml, &now, st);
  if (rc == FG_OK) rc = fg_saved_keep(saved, "maker", 1, &(fg_piece){maker, strlen(maker) + 1}, st);
  if (rc == FG_OK) rc = fg_saved_keep(saved, "settings", 1, &(fg_piece){yaml, strlen(yaml) + 1}, st);
  for (size_t i = 0; rc == FG_OK && i < rows; i++) {
    fg_file_mark mark;
    if (table[i].type != FG_SETTING_PATH) continue;
    rc = fg_mark_of(now, table[i].key, mark, st);
    if (rc == FG_OK) rc = fg_saved_keep(saved, table[i].key, 1, &(fg_piece){mark, sizeof mark}, st);
  }
  free(yaml);
  fg_settings_destroy(&now);
  return rc;
}

/* How many steps the signature takes. */
static size_t fg_signs(void)
{
  size_t rows, files = 0;
  const fg_setting *table = fg_settings_table(&rows);
  for (size_t i = 0; i < rows; i++) files += table[i].type == FG_SETTING_PATH;
  return 2 + files;
}

static fg_code fg_saved_compare(const fg_saved *saved, const fg_settings *then, const fg_settings *now,
                                const char *path, fg_status *st)
{
  size_t rows;
  const fg_setting *table = fg_settings_table(&rows);
  for (size_t i = 0; i < rows; i++) {
    const char *key = table[i].key;
    fg_file_mark was, is;
    if (!fg_settings_same(then, now, key))
      return FG_FAIL(st, FG_USAGE,
                     "--resume: %s is not what it is in %s, so the run could not go on as it began: give its "
                     "value there, or begin anew with another --out",
                     key, path);
    if (table[i].type != FG_SETTING_PATH) continue;
    FG_TRY(fg_mark_of(now, key, is, st));
    if (!fg_saved_take(saved, key, 1, &(fg_piece){was, sizeof was}) || strcmp(was, is) != 0)
      return FG_FAIL(st, FG_USAGE,
                     "--resume: the file of %s is not the one that %s was made with: begin anew with another "
                     "--out",
                     key, path);
  }
  return FG_OK;
}

static fg_code fg_saved_check(const fg_comparison *c, const fg_saved *saved, const char *path, fg_status *st)
{
  char *yaml = NULL, maker[200];
  fg_settings *now = NULL, *then = NULL;
  size_t size = 0, length = 0;
  const char *text = fg_saved_look(saved, "settings", &size), *made = fg_saved_look(saved, "maker", &length);
  fg_code rc;
  fg_maker(c, maker);
  if (!text || !made || size == 0 || length == 0 || text[size - 1] || made[length - 1])
    return FG_FAIL(st, FG_IO, "%s does not say what it belongs to: remove it and begin anew", path);
  if (strcmp(made, maker) != 0)
    return FG_FAIL(st, FG_USAGE,
                   "--resume: %s was begun by %s, this is %s, whose bits may differ: begin anew with another "
                   "--out",
                   path, made, maker);
  FG_GO(fg_resolved(c->settings, &yaml, &now, st), done);
  FG_GO(fg_settings_create(&then, st), done);
  FG_GO(fg_settings_parse(then, text, path, st), done);
  rc = fg_saved_compare(saved, then, now, path, st);
done:
  free(yaml);
  fg_settings_destroy(&now);
  fg_settings_destroy(&then);
  return rc;
}

/* ---- the file ---------------------------------------------------------------------------------- */

static fg_code fg_saved_go_on(const fg_comparison *c, const char *path, fg_saved **saved, fg_status *st)
{
  FG_TRY(fg_saved_read(path, saved, st));
  fg_code rc = fg_saved_check(c, *saved, path, st);
  if (rc != FG_OK) fg_saved_destroy(saved);
  return rc;
}

static fg_code fg_saved_start(fg_comparison *c, const char *path, fg_compare_start how, fg_saved **saved,
                              fg_status *st)
{
  struct stat about;
  bool there = stat(path, &about) == 0;
  if (there && how == FG_COMPARE_ANEW)
    return FG_FAIL(st, FG_USAGE,
                   "%s holds what a comparison that did not finish has done: go on with --resume, choose "
                   "another --out, or remove it",
                   path);
  if (!there && how == FG_COMPARE_RESUME)
    return FG_FAIL(st, FG_USAGE, "--resume: there is no %s to go on from; leave --resume out", path);
  if (there) {
    fg_code rc = fg_saved_go_on(c, path, saved, st);
    c->going_on = rc == FG_OK;
    if (rc == FG_OK || how == FG_COMPARE_RESUME || !(rc == FG_USAGE || rc == FG_IO)) return rc;
    fg_status_clear(st);
  }
  return fg_saved_create(path, saved, st);
}

fg_code fg_compare_saved_open(fg_comparison *c, const char *run_directory, fg_compare_start how,
                              fg_saved **saved, fg_status *st)
{
  char *path = fg_path_join(run_directory, FG_UNFINISHED);
  *saved = NULL;
  if (!path) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", run_directory);
  fg_code rc = fg_saved_start(c, path, how, saved, st);
  free(path);
  c->saved = *saved;
  if (rc == FG_OK) c->seconds = fg_saved_began(*saved);
  return rc;
}

/* A failure of the numbers would come again; any other may not. */
fg_code fg_compare_saved_close(fg_saved **saved, fg_code rc, fg_status *st)
{
  fg_status why = {0};
  if (*saved && rc == FG_NUMERICS) {
    fg_saved_remove(*saved);
  } else if (*saved && rc != FG_OK && fg_saved_steps(*saved) > fg_signs()) {
    fg_code written = fg_saved_write(*saved, &why);
    if (written != FG_OK)
      rc = fg_status_prefix(st, "what is finished could not be kept (%.300s); ", why.message);
    else if (rc == FG_INTERRUPTED)
      rc = FG_FAIL(st, FG_INTERRUPTED,
                   "stopped; %s holds what is finished: the same command with --resume goes on",
                   fg_saved_path(*saved));
  }
  fg_saved_destroy(saved);
  return rc;
}

/* ---- the steps --------------------------------------------------------------------------------- */

/* Each run of a search has its own. */
static void fg_step_name(const fg_comparison *c, const char *step, char name[120])
{
  snprintf(name, 120, "%zu: %s", c->search_run, step);
}

bool fg_compare_take(const fg_comparison *c, const char *step, size_t count, const fg_piece *piece)
{
  char name[120];
  fg_step_name(c, step, name);
  return c->saved && fg_saved_take(c->saved, name, count, piece);
}

void fg_compare_keep(fg_comparison *c, const char *step, size_t count, const fg_piece *piece)
{
  char name[120];
  fg_status why = {0};
  fg_step_name(c, step, name);
  if (c->saved && fg_saved_keep(c->saved, name, count, piece, &why) != FG_OK)
    fg_compare_log(c, "not kept for a run that goes on: %s: %s", step, why.message);
}

/* Going on with a run: are these its settings, and which of its lines still hold? */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/run_directory.h"
#include "train/run_impl.h"

/* What may change without changing a bit of the training. */
static bool may_differ(const char *key)
{
  static const char *const keys[] = {"train.log_every",       "train.evaluate_every", "train.evaluate_paths",
                                     "train.evaluate_steps",  "train.lost_most",      "train.loss_most",
                                     "train.checkpoint_every"};
  static const char *const groups[] = {"process.", "prior.", "target.", "train."};
  if (strcmp(key, "seed") == 0) return false;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    if (strcmp(keys[i], key) == 0) return true;
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
    if (strncmp(key, groups[i], strlen(groups[i])) == 0) return false;
  return true;
}

/* More or fewer steps: the same run where nothing is a share of them. */
static bool steps_may_differ(const fg_train_settings *s)
{
  return s->stage_count == 1 && (s->schedule == FG_RATE_CONSTANT || s->schedule == FG_RATE_STEP);
}

static fg_code compare(const char *folder, const fg_settings *then, const fg_settings *now,
                       const fg_train_settings *train, fg_status *st)
{
  size_t rows;
  const fg_setting *table = fg_settings_table(&rows);
  for (size_t i = 0; i < rows; i++) {
    const char *key = table[i].key;
    if (may_differ(key) || fg_settings_same(then, now, key)) continue;
    if (strcmp(key, "train.steps") == 0 && steps_may_differ(train)) continue;
    return FG_FAIL(
        st, FG_USAGE,
        "--resume: %s is not what it is in %s/config.yaml, so the run could not go on as it began: give "
        "its value there, or train anew with another --out",
        key, folder);
  }
  return FG_OK;
}

/* Both through YAML, which makes relative paths absolute. */
fg_code fg_resume_check(const char *folder, const fg_settings *settings, const fg_train_settings *train,
                        fg_status *st)
{
  char *yaml = NULL, *path = fg_path_join(folder, "config.yaml");
  fg_settings *then = NULL, *now = NULL;
  fg_code rc = FG_OK;
  if (!path) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", folder);
  FG_GO(fg_settings_create(&then, st), done);
  FG_GO(fg_settings_create(&now, st), done);
  FG_GO(fg_settings_read(then, path, st), done);
  FG_GO(fg_settings_yaml(settings, &yaml, st), done);
  FG_GO(fg_settings_parse(now, yaml, "the settings", st), done);
  rc = compare(folder, then, now, train, st);
done:
  fg_settings_destroy(&then);
  fg_settings_destroy(&now);
  free(yaml);
  free(path);
  return rc;
}

/* The step that the line says, UINT64_MAX if it was cut off. */
static uint64_t step_of(const char *line, size_t length)
{
  json_t *read = json_loadb(line, length, 0, NULL);
  const json_t *number = json_object_get(read, "step");
  uint64_t step = json_is_integer(number) ? (uint64_t)json_integer_value(number) : UINT64_MAX;
  json_decref(read);
  return step;
}

fg_code fg_metrics_trim(const char *path, uint64_t step, fg_status *st)
{
  unsigned char *bytes;
  size_t size, kept = 0;
  FG_TRY(fg_file_read(path, &bytes, &size, st));
  char *text = (char *)bytes;
  for (size_t at = 0; at < size;) {
    const char *end = memchr(text + at, '\n', size - at);
    size_t length = end ? (size_t)(end - text) - at + 1 : size - at;
    if (end && step_of(text + at, length) <= step) {
      memmove(text + kept, text + at, length);
      kept += length;
    }
    at += length;
  }
  fg_code rc = fg_file_write(path, text, kept, st);
  free(bytes);
  return rc;
}

fg_code fg_metrics_hold(const char *path, uint64_t step, bool *held, fg_status *st)
{
  unsigned char *bytes;
  size_t size;
  FG_TRY(fg_file_read(path, &bytes, &size, st));
  const char *text = (const char *)bytes;
  *held = false;
  for (size_t at = 0, length; at < size && !*held; at += length) {
    const char *end = memchr(text + at, '\n', size - at);
    length = end ? (size_t)(end - text) - at + 1 : size - at;
    *held = end && step_of(text + at, length) == step;
  }
  free(bytes);
  return FG_OK;
}

/* The settings object: create, read, assign, typed access. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/settings_impl.h"

enum { LARGEST_FILE = 16 << 20 };

/* ---- keys --------------------------------------------------------------------------------- */

int fg_settings_row(const fg_settings *settings, const char *key)
{
  for (size_t i = 0; i < settings->rows; i++)
    if (strcmp(settings->table[i].key, key) == 0) return (int)i;
  return FG_SETTINGS_NONE;
}

bool fg_settings_is_group(const fg_settings *settings, const char *key)
{
  size_t length = strlen(key);
  for (size_t i = 0; length && i < settings->rows; i++)
    if (strncmp(settings->table[i].key, key, length) == 0 && settings->table[i].key[length] == '.')
      return true;
  return false;
}

/* "sde.steps" and "steps" are the end of "flow.sde.steps". */
static bool is_tail(const char *key, const char *tail)
{
  size_t n = strlen(key), m = strlen(tail);
  return m < n && strcmp(key + n - m, tail) == 0 && key[n - m - 1] == '.';
}

fg_code fg_settings_unknown(const fg_settings *settings, const char *key, fg_status *st)
{
  const char *best = NULL;
  size_t least = strlen(key) / 3 + 2;
  for (size_t i = 0; i < settings->rows; i++) {
    const char *known = settings->table[i].key;
    size_t distance = is_tail(known, key) ? 1 : fg_edit_distance(known, key);
    if (distance < least) {
      least = distance;
      best = known;
    }
  }
  const char *dot = strrchr(key, '.');
  for (size_t i = 0; !best && dot && i < settings->rows; i++)
    if (is_tail(settings->table[i].key, dot + 1)) best = settings->table[i].key;
  if (best) return FG_FAIL(st, FG_USAGE, "unknown setting %.80s: did you mean %s?", key, best);
  return FG_FAIL(st, FG_USAGE, "unknown setting %.80s: `flowgap help settings` lists them all", key);
}

/* ---- life --------------------------------------------------------------------------------- */

static fg_code assign(fg_settings *settings, int row, const char *text, fg_status *st);

fg_code fg_settings_create(fg_settings **out, fg_status *st)
{
  *out = NULL;
  fg_settings *settings = calloc(1, sizeof *settings);
  if (!settings) return FG_FAIL(st, FG_MEMORY, "no memory for settings");
  settings->table = fg_settings_table(&settings->rows);
  settings->values = calloc(settings->rows, sizeof *settings->values);
  settings->defaults = calloc(settings->rows, sizeof *settings->defaults);
  bool room = settings->values && settings->defaults;
  fg_code rc = room ? FG_OK : FG_FAIL(st, FG_MEMORY, "no memory for settings");
  for (size_t i = 0; rc == FG_OK && i < settings->rows; i++) {
    FG_GO(assign(settings, (int)i, settings->table[i].fallback, st), done);
    settings->defaults[i] = settings->values[i];
    settings->values[i] = (fg_value){0};
    FG_GO(assign(settings, (int)i, settings->table[i].fallback, st), done);
  }
done:
  if (rc != FG_OK) {
    fg_settings_destroy(&settings);
    return rc;
  }
  *out = settings;
  return FG_OK;
}

void fg_settings_destroy(fg_settings **out)
{
  fg_settings *settings = *out;
  if (!settings) return;
  for (size_t i = 0; i < settings->rows; i++) {
    if (settings->values) fg_value_clear(&settings->values[i]);
    if (settings->defaults) fg_value_clear(&settings->defaults[i]);
  }
  for (size_t i = 0; i < settings->folder_count; i++) free(settings->folders[i]);
  free(settings->folders);
  free(settings->values);
  free(settings->defaults);
  free(settings);
  *out = NULL;
}

/* ---- reading ------------------------------------------------------------------------------ */

fg_code fg_settings_parse(fg_settings *settings, const char *text, const char *name, fg_status *st)
{
  return fg_settings_read_yaml(settings, text, strlen(text), name, NULL, false, st);
}

static fg_code read_file(const char *path, char **text, size_t *length, fg_status *st)
{
  struct stat about;
  FILE *file = fopen(path, "rb");
  if (!file || fstat(fileno(file), &about) != 0 || S_ISDIR(about.st_mode)) {
    int error = file ? EISDIR : errno;
    char why[128];
    if (file) fclose(file);
    return FG_FAIL(st, FG_IO, "cannot read %s: %s", path, fg_file_why(error, why));
  }
  size_t room =
      S_ISREG(about.st_mode) && about.st_size < LARGEST_FILE ? (size_t)about.st_size + 2 : LARGEST_FILE + 1;
  char *bytes = malloc(room);
  if (!bytes) {
    fclose(file);
    return FG_FAIL(st, FG_MEMORY, "no memory to read %s", path);
  }
  *length = fread(bytes, 1, room - 1, file);
  bool more = *length == room - 1 && fgetc(file) != EOF, failed = ferror(file) != 0;
  int error = errno;
  char why[128];
  fclose(file);
  if (more || failed) {
    free(bytes);
    if (failed) return FG_FAIL(st, FG_IO, "cannot read %s: %s", path, fg_file_why(error, why));
    return FG_FAIL(st, FG_USAGE, "%s is larger than 16 MB: that is no settings file", path);
  }
  bytes[*length] = '\0';
  *text = bytes;
  return FG_OK;
}

/* Absolute folder of a file. */
static char *folder_of(const char *path)
{
  char *whole = realpath(path, NULL);
  if (!whole) return NULL;
  char *slash = strrchr(whole, '/');
  if (slash) slash[slash == whole] = '\0';
  return whole;
}

fg_code fg_settings_read(fg_settings *settings, const char *path, fg_status *st)
{
  char *text = NULL;
  size_t length = 0;
  FG_TRY(read_file(path, &text, &length, st));
  char *folder = folder_of(path);
  fg_code rc = fg_settings_read_yaml(settings, text, length, path, folder ? folder : "", false, st);
  free(folder);
  free(text);
  return rc;
}

/* "[1, 2]" and "[[1], [2]]", but not "[1], [2]" or "1, 2". */
static bool is_enclosed(const char *text)
{
  int depth = 0;
  for (text += strspn(text, " "); *text; text++) {
    if (*text == '[') depth++;
    if (*text == ']') depth--;
    if (depth <= 0) return *text == ']' && text[1 + strspn(text + 1, " ")] == '\0';
  }
  return depth > 0; /* not closed: for the YAML reader to say */
}

/* Lists go through the YAML reader; the outer brackets may be left out. The rest is taken as it stands. */
static fg_code assign_list(fg_settings *settings, const fg_setting *row, const char *text, fg_status *st)
{
  if (strpbrk(text, "\n\r")) return FG_FAIL(st, FG_USAGE, "%s: a list here must fit one line", row->key);
  size_t room = strlen(row->key) + strlen(text) + 8;
  char *yaml = malloc(room);
  if (!yaml) return FG_FAIL(st, FG_MEMORY, "no memory for %s", row->key);
  snprintf(yaml, room, is_enclosed(text) ? "%s: %s" : "%s: [%s]", row->key, text);
  fg_code rc = fg_settings_read_yaml(settings, yaml, strlen(yaml), row->key, NULL, true, st);
  free(yaml);
  return rc;
}

static fg_code assign(fg_settings *settings, int row, const char *text, fg_status *st)
{
  const fg_setting *setting = &settings->table[row];
  fg_value *value = &settings->values[row];
  if (strcmp(text, "[]") == 0 && setting->type == FG_SETTING_ARRAY) { /* most defaults: no need of YAML */
    fg_value_clear(value);
    *value = (fg_value){.rank = 1, .shape = {0, 1, 1}};
    return FG_OK;
  }
  if (setting->type == FG_SETTING_ARRAY || setting->type == FG_SETTING_WORDS)
    return assign_list(settings, setting, text, st);
  fg_value fresh = {0};
  fg_code rc = fg_value_scalar(&fresh, setting, text, st);
  if (rc != FG_OK) {
    fg_value_clear(&fresh);
    return rc;
  }
  fg_value_clear(value);
  *value = fresh;
  return FG_OK;
}

/* Text that would not survive YAML: bytes that are not UTF-8. */
static bool is_utf8(const char *text)
{
  for (const unsigned char *at = (const unsigned char *)text; *at;) {
    int more = *at < 0x80                  ? 0
               : *at >= 0xC2 && *at < 0xE0 ? 1
               : (*at & 0xF0) == 0xE0      ? 2
               : *at >= 0xF0 && *at < 0xF5 ? 3
                                           : -1;
    if (more < 0) return false;
    if (*at == 0xE0 && at[1] < 0xA0) return false;
    if (*at == 0xED && at[1] > 0x9F) return false;
    if (*at == 0xF0 && at[1] < 0x90) return false;
    if (*at == 0xF4 && at[1] > 0x8F) return false;
    for (at++; more > 0; more--, at++)
      if ((*at & 0xC0) != 0x80) return false;
  }
  return true;
}

fg_code fg_settings_assign(fg_settings *settings, const char *assignment, fg_status *st)
{
  const char *equals = strchr(assignment, '=');
  if (!equals || equals == assignment)
    return FG_FAIL(st, FG_USAGE, "\"%.80s\" is no assignment: write key=value, as in flow.sde.steps=800",
                   assignment);
  if (!is_utf8(assignment)) return FG_FAIL(st, FG_USAGE, "\"%.80s\" is not UTF-8", assignment);
  char key[128];
  size_t length = (size_t)(equals - assignment);
  if (length >= sizeof key) return FG_FAIL(st, FG_USAGE, "unknown setting %.80s...", assignment);
  memcpy(key, assignment, length);
  key[length] = '\0';
  int row = fg_settings_row(settings, key);
  if (row != FG_SETTINGS_NONE) return assign(settings, row, equals + 1, st);
  if (fg_settings_is_group(settings, key))
    return FG_FAIL(st, FG_USAGE, "%s is a group of settings: assign one of them, as in %s.%s=...", key, key,
                   strcmp(key, "flow") == 0 ? "sde.steps" : "kind");
  return fg_settings_unknown(settings, key, st);
}

/* ---- typed access ------------------------------------------------------------------------- */

static fg_code find(const fg_settings *settings, const char *key, unsigned types, const fg_value **value,
                    fg_status *st)
{
  int row = fg_settings_row(settings, key);
  if (row == FG_SETTINGS_NONE) return FG_FAIL(st, FG_FAILED, "there is no setting called %s", key);
  if (!(types & 1u << settings->table[row].type))
    return FG_FAIL(st, FG_FAILED, "setting %s is read as a type that it does not have", key);
  *value = &settings->values[row];
  return FG_OK;
}

fg_code fg_settings_real(const fg_settings *settings, const char *key, double *value, fg_status *st)
{
  const fg_value *found;
  FG_TRY(find(settings, key, 1u << FG_SETTING_REAL, &found, st));
  *value = found->real;
  return FG_OK;
}

fg_code fg_settings_integer(const fg_settings *settings, const char *key, int64_t *value, fg_status *st)
{
  const fg_value *found;
  FG_TRY(find(settings, key, 1u << FG_SETTING_INTEGER, &found, st));
  *value = found->integer;
  return FG_OK;
}

fg_code fg_settings_flag(const fg_settings *settings, const char *key, bool *value, fg_status *st)
{
  const fg_value *found;
  FG_TRY(find(settings, key, 1u << FG_SETTING_FLAG, &found, st));
  *value = found->flag;
  return FG_OK;
}

fg_code fg_settings_text(const fg_settings *settings, const char *key, const char **value, fg_status *st)
{
  const fg_value *found;
  FG_TRY(find(settings, key, 1u << FG_SETTING_TEXT | 1u << FG_SETTING_PATH | 1u << FG_SETTING_CHOICE, &found,
              st));
  *value = found->text;
  return FG_OK;
}

fg_code fg_settings_array(const fg_settings *settings, const char *key, const double **values,
                          size_t shape[3], fg_status *st)
{
  const fg_value *found;
  FG_TRY(find(settings, key, 1u << FG_SETTING_ARRAY, &found, st));
  *values = found->count ? found->values : NULL;
  for (size_t i = 0; i < 3; i++) shape[i] = found->shape[i];
  return FG_OK;
}

fg_code fg_settings_words(const fg_settings *settings, const char *key, const char *const **words,
                          size_t *count, fg_status *st)
{
  const fg_value *found;
  FG_TRY(find(settings, key, 1u << FG_SETTING_WORDS, &found, st));
  *words = (const char *const *)found->words;
  *count = found->word_count;
  return FG_OK;
}

bool fg_settings_given(const fg_settings *settings, const char *key)
{
  int row = fg_settings_row(settings, key);
  return row != FG_SETTINGS_NONE && !fg_value_equal(&settings->values[row], &settings->defaults[row]);
}

bool fg_settings_same(const fg_settings *a, const fg_settings *b, const char *key)
{
  int row = fg_settings_row(a, key);
  return row != FG_SETTINGS_NONE && fg_value_equal(&a->values[row], &b->values[row]);
}

const char *fg_settings_folder(const fg_settings *settings, const char *key)
{
  int row = fg_settings_row(settings, key);
  size_t folder = row == FG_SETTINGS_NONE ? 0 : settings->values[row].folder;
  return folder ? settings->folders[folder - 1] : "";
}

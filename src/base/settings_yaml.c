/* YAML events (libyaml) into settings. Events and not documents, so that line and column are exact. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/settings_impl.h"

enum { KEY_ROOM = 128, GROUPS = 64 };

typedef struct reader {
  yaml_parser_t parser;
  yaml_event_t event;
  bool has_event;
  fg_settings *settings;
  const char *text, *name;
  size_t length, folder;
  bool assignment;
  size_t *line_of; /* [rows] where a row was given, 0: not yet */
  char groups[GROUPS][KEY_ROOM];
  size_t group_line[GROUPS], group_count;
  fg_status *st;
} reader;

/* "circles.yaml, line 3, column 8: " before a message. */
static fg_code locate(reader *in, fg_code rc, yaml_mark_t mark)
{
  if (rc != FG_OK && !in->assignment)
    (void)fg_status_prefix(in->st, "%s, line %zu, column %zu: ", in->name, mark.line + 1, mark.column + 1);
  return rc;
}

#define AT(in, mark, ...) locate((in), FG_FAIL((in)->st, FG_USAGE, __VA_ARGS__), (mark))

static bool line_has_tab(const reader *in, size_t line)
{
  const char *at = in->text, *end = in->text + in->length;
  for (; at && line > 0; line--) {
    at = memchr(at, '\n', (size_t)(end - at));
    if (at) at++;
  }
  for (; at && at < end && *at != '\n'; at++)
    if (*at == '\t') return true;
  return false;
}

static fg_code next(reader *in)
{
  if (in->has_event) yaml_event_delete(&in->event);
  in->has_event = false;
  if (!yaml_parser_parse(&in->parser, &in->event)) {
    const yaml_parser_t *p = &in->parser;
    if (p->error == YAML_MEMORY_ERROR) return FG_FAIL(in->st, FG_MEMORY, "no memory to read %s", in->name);
    if (p->error == YAML_READER_ERROR)
      return FG_FAIL(in->st, FG_USAGE, "%s, byte %zu: %s: the file must be UTF-8 text", in->name,
                     p->problem_offset, p->problem);
    if (in->assignment) return FG_FAIL(in->st, FG_USAGE, "%s: this is no list: %s", in->name, p->problem);
    if (line_has_tab(in, p->problem_mark.line))
      return AT(in, p->problem_mark, "the line holds a tab: YAML is indented by spaces (%s)", p->problem);
    return AT(in, p->problem_mark, "not YAML: %s%s%s", p->problem, p->context ? " " : "",
              p->context ? p->context : "");
  }
  in->has_event = true;
  const yaml_event_t *e = &in->event;
  bool anchor = (e->type == YAML_SCALAR_EVENT && e->data.scalar.anchor) ||
                (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.anchor) ||
                (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.anchor);
  bool tag = (e->type == YAML_SCALAR_EVENT && e->data.scalar.tag) ||
             (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.tag) ||
             (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.tag);
  if (anchor || e->type == YAML_ALIAS_EVENT)
    return AT(in, e->start_mark, "anchors (&) and aliases (*) are not read: write the value out");
  if (tag) return AT(in, e->start_mark, "tags (!) are not read: leave the tag out");
  if (e->type == YAML_SCALAR_EVENT && strlen((const char *)e->data.scalar.value) != e->data.scalar.length)
    return AT(in, e->start_mark, "a text holds a zero byte");
  return FG_OK;
}

static const char *scalar(const reader *in)
{
  return (const char *)in->event.data.scalar.value;
}

static bool plain(const reader *in)
{
  return in->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static const char *type_name(fg_setting_type type)
{
  switch (type) {
  case FG_SETTING_FLAG:
    return "true or false";
  case FG_SETTING_INTEGER:
    return "an integer";
  case FG_SETTING_REAL:
    return "a number";
  case FG_SETTING_TEXT:
    return "a text";
  case FG_SETTING_PATH:
    return "a path";
  case FG_SETTING_CHOICE:
    return "one word";
  case FG_SETTING_ARRAY:
    return "a list of numbers";
  case FG_SETTING_WORDS:
    return "a list of words";
  }
  return "a value";
}

/* ---- lists -------------------------------------------------------------------------------- */

typedef struct list_shape {
  size_t extent[3];
  bool known[3];
  int leaf; /* depth at which numbers stand, -1: not yet seen */
} list_shape;

static fg_code read_entry(reader *in, const fg_setting *row, fg_value *value)
{
  yaml_mark_t mark = in->event.start_mark;
  bool words = row->type == FG_SETTING_WORDS;
  if (plain(in) && (scalar(in)[0] == '\0' || strcmp(scalar(in), "~") == 0 || strcmp(scalar(in), "null") == 0))
    return AT(in, mark, "%s has an empty entry", row->key);
  if (!words && !plain(in))
    return AT(in, mark, "%s holds a quoted text: write numbers without quotes", row->key);
  return locate(in,
                words ? fg_value_push_word(value, row, scalar(in), in->st)
                      : fg_value_push_number(value, row, scalar(in), in->st),
                mark);
}

/* After the SEQUENCE_START at `depth`. */
static fg_code read_list(reader *in, const fg_setting *row, fg_value *value, list_shape *shape, int depth)
{
  yaml_mark_t start = in->event.start_mark;
  size_t count = 0;
  for (;; count++) {
    FG_TRY(next(in));
    yaml_mark_t mark = in->event.start_mark;
    if (in->event.type == YAML_SEQUENCE_END_EVENT) break;
    if (in->event.type == YAML_MAPPING_START_EVENT)
      return AT(in, mark, "%s takes %s: a group `key: value` cannot stand in it", row->key,
                type_name(row->type));
    bool list = in->event.type == YAML_SEQUENCE_START_EVENT;
    if (list && (row->type == FG_SETTING_WORDS || depth == 2))
      return AT(in, mark, "%s takes %s: lists are nested too deep", row->key, type_name(row->type));
    if (shape->leaf >= 0 && (list ? depth >= shape->leaf : depth != shape->leaf))
      return AT(in, mark, "%s mixes numbers and lists at one level", row->key);
    if (list) {
      FG_TRY(read_list(in, row, value, shape, depth + 1));
      continue;
    }
    if (count > 0 && shape->leaf < 0)
      return AT(in, mark, "%s mixes numbers and lists at one level", row->key);
    shape->leaf = depth;
    FG_TRY(read_entry(in, row, value));
  }
  if (shape->known[depth] && shape->extent[depth] != count)
    return AT(in, start, "%s is not rectangular: this list has %zu entries, the first one %zu", row->key,
              count, shape->extent[depth]);
  if (count == 0 && depth > 0) return AT(in, start, "%s holds an empty list", row->key);
  shape->known[depth] = true;
  shape->extent[depth] = count;
  return FG_OK;
}

static void store_shape(fg_value *value, const list_shape *shape)
{
  value->rank = 0;
  for (int i = 0; i < 3; i++) {
    value->shape[i] = shape->known[i] ? shape->extent[i] : 1;
    if (shape->known[i]) value->rank++;
  }
}

/* The value of a list setting; a single number or word stands for a list of rank 0. */
static fg_code read_list_value(reader *in, const fg_setting *row, fg_value *fresh)
{
  list_shape shape = {{0, 0, 0}, {false, false, false}, -1};
  if (in->event.type == YAML_SEQUENCE_START_EVENT)
    FG_TRY(read_list(in, row, fresh, &shape, 0));
  else
    FG_TRY(read_entry(in, row, fresh));
  store_shape(fresh, &shape);
  return FG_OK;
}

/* ---- mappings ----------------------------------------------------------------------------- */

static fg_code read_scalar_value(reader *in, const fg_setting *row, fg_value *fresh)
{
  yaml_mark_t mark = in->event.start_mark;
  bool text = row->type == FG_SETTING_TEXT || row->type == FG_SETTING_PATH || row->type == FG_SETTING_CHOICE;
  if (in->event.type == YAML_SEQUENCE_START_EVENT)
    return AT(in, mark, "%s takes %s, not a list", row->key, type_name(row->type));
  if (plain(in) && (scalar(in)[0] == '\0' || strcmp(scalar(in), "~") == 0 || strcmp(scalar(in), "null") == 0))
    return AT(in, mark, "%s has no value: give %s, or leave the key out", row->key, type_name(row->type));
  if (!text && !plain(in))
    return AT(in, mark, "%s is the quoted text \"%.60s\": give %s without quotes", row->key, scalar(in),
              type_name(row->type));
  return locate(in, fg_value_scalar(fresh, row, scalar(in), in->st), mark);
}

/* The event of the value has been read. */
static fg_code read_value(reader *in, int index, size_t key_line)
{
  const fg_setting *row = &in->settings->table[index];
  if (in->event.type == YAML_MAPPING_START_EVENT)
    return AT(in, in->event.start_mark, "%s takes %s, not a group of settings", row->key,
              type_name(row->type));
  bool list = row->type == FG_SETTING_ARRAY || row->type == FG_SETTING_WORDS;
  fg_value fresh = {0};
  fg_code rc = list ? read_list_value(in, row, &fresh) : read_scalar_value(in, row, &fresh);
  if (rc != FG_OK) {
    fg_value_clear(&fresh);
    return rc;
  }
  fresh.folder = in->folder;
  fg_value_clear(&in->settings->values[index]);
  in->settings->values[index] = fresh;
  in->line_of[index] = key_line;
  return FG_OK;
}

static fg_code open_group(reader *in, const char *key, yaml_mark_t mark)
{
  if (in->event.type != YAML_MAPPING_START_EVENT)
    return AT(in, mark, "%s is a group of settings: write its keys below it, indented, or %s: {...}", key,
              key);
  for (size_t i = 0; i < in->group_count; i++)
    if (strcmp(in->groups[i], key) == 0)
      return AT(in, mark, "%s was already given on line %zu", key, in->group_line[i]);
  if (in->group_count == GROUPS) return AT(in, mark, "too many groups");
  memcpy(in->groups[in->group_count], key, strlen(key) + 1);
  in->group_line[in->group_count++] = mark.line + 1;
  return FG_OK;
}

/* After the MAPPING_START. Depth is bounded by the table: every group must be known. */
static fg_code read_group(reader *in, const char *prefix)
{
  for (;;) {
    FG_TRY(next(in));
    yaml_mark_t mark = in->event.start_mark;
    if (in->event.type == YAML_MAPPING_END_EVENT) return FG_OK;
    if (in->event.type != YAML_SCALAR_EVENT) return AT(in, mark, "a key must be a word");
    char key[KEY_ROOM];
    int used = snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? "." : "", scalar(in));
    if (used < 0 || (size_t)used >= sizeof key) return AT(in, mark, "unknown setting %.60s...", key);
    int index = fg_settings_row(in->settings, key);
    bool group = index == FG_SETTINGS_NONE && fg_settings_is_group(in->settings, key);
    if (index == FG_SETTINGS_NONE && !group)
      return locate(in, fg_settings_unknown(in->settings, key, in->st), mark);
    if (index != FG_SETTINGS_NONE && in->line_of[index])
      return AT(in, mark, "%s was already given on line %zu", key, in->line_of[index]);
    FG_TRY(next(in));
    if (!group) {
      FG_TRY(read_value(in, index, mark.line + 1));
      continue;
    }
    FG_TRY(open_group(in, key, mark));
    FG_TRY(read_group(in, key));
  }
}

static fg_code read_stream(reader *in)
{
  FG_TRY(next(in)); /* stream start */
  FG_TRY(next(in));
  if (in->event.type == YAML_STREAM_END_EVENT) return FG_OK; /* nothing but comments: defaults */
  FG_TRY(next(in));
  if (in->event.type == YAML_SCALAR_EVENT && scalar(in)[0] == '\0' && plain(in)) {
    FG_TRY(next(in));
  } else if (in->event.type != YAML_MAPPING_START_EVENT) {
    return AT(in, in->event.start_mark, "settings are lines of `key: value`");
  } else {
    FG_TRY(read_group(in, ""));
    FG_TRY(next(in));
  }
  yaml_mark_t mark = in->event.start_mark;
  FG_TRY(next(in));
  if (in->event.type != YAML_STREAM_END_EVENT) return AT(in, mark, "a second document begins: give one only");
  return FG_OK;
}

/* Remember the folder once; 1 + its index. */
static fg_code keep_folder(fg_settings *settings, const char *folder, size_t *index, fg_status *st)
{
  *index = 0;
  if (!folder || !*folder) return FG_OK;
  char **folders = realloc(settings->folders, (settings->folder_count + 1) * sizeof *folders);
  if (folders) settings->folders = folders;
  char *copy = folders ? strdup(folder) : NULL;
  if (!copy) return FG_FAIL(st, FG_MEMORY, "no memory for settings");
  folders[settings->folder_count++] = copy;
  *index = settings->folder_count;
  return FG_OK;
}

fg_code fg_settings_read_yaml(fg_settings *settings, const char *text, size_t length, const char *name,
                              const char *folder, bool assignment, fg_status *st)
{
  if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) { /* byte order mark */
    text += 3;
    length -= 3;
  }
  reader *in = calloc(1, sizeof *in);
  size_t *line_of = calloc(settings->rows, sizeof *line_of);
  if (!in || !line_of || !yaml_parser_initialize(&in->parser)) {
    free(in);
    free(line_of);
    return FG_FAIL(st, FG_MEMORY, "no memory to read %s", name);
  }
  in->settings = settings;
  in->text = text;
  in->length = length;
  in->name = name;
  in->assignment = assignment;
  in->line_of = line_of;
  in->st = st;
  yaml_parser_set_encoding(&in->parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&in->parser, (const unsigned char *)text, length);
  fg_code rc = keep_folder(settings, folder, &in->folder, st);
  if (rc == FG_OK) rc = read_stream(in);
  if (in->has_event) yaml_event_delete(&in->event);
  yaml_parser_delete(&in->parser);
  free(line_of);
  free(in);
  return rc;
}

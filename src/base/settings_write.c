/* Settings as YAML text that reads back to the same values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/settings_impl.h"

/* A text that grows; `failed` once memory ran out, so that callers check at the end only. */
typedef struct text {
  char *bytes;
  size_t length, room;
  bool failed;
} text;

static void put_bytes(text *out, const char *bytes, size_t length)
{
  if (out->failed) return;
  if (out->length + length + 1 > out->room) {
    size_t room = 2 * (out->length + length + 1) + 256;
    char *grown = realloc(out->bytes, room);
    if (!grown) {
      out->failed = true;
      return;
    }
    out->bytes = grown;
    out->room = room;
  }
  memcpy(out->bytes + out->length, bytes, length);
  out->length += length;
  out->bytes[out->length] = '\0';
}

static void put(text *out, const char *words)
{
  put_bytes(out, words, strlen(words));
}

static void put_real(text *out, double value)
{
  char number[FG_REAL_TEXT];
  fg_format_real(value, number);
  put(out, number);
}

/* ---- quoted text -------------------------------------------------------------------------- */

/* One UTF-8 character. The text is valid, the reader and fg_settings_assign see to that; but the name of the
 * folder before a relative path may be anything, and must not lead beyond its end. */
static unsigned long decode(const char **at)
{
  const unsigned char *p = (const unsigned char *)*at;
  int more = p[0] < 0x80 ? 0 : p[0] < 0xE0 ? 1 : p[0] < 0xF0 ? 2 : 3;
  unsigned long code = more == 0 ? p[0] : p[0] & (0x3Fu >> more);
  int used = 1;
  for (; used <= more && (p[used] & 0xC0) == 0x80; used++) code = code << 6 | (p[used] & 0x3Fu);
  *at += used;
  return code;
}

/* Characters that YAML lets stand in double quotes as they are. */
static bool printable(unsigned long code)
{
  if (code == '"' || code == '\\') return false;
  return (code >= 0x20 && code < 0x7F) ||
         (code >= 0xA0 && code < 0xD800 && code != 0x2028 && code != 0x2029) ||
         (code >= 0xE000 && code <= 0xFFFD && code != 0xFEFF) || code >= 0x10000;
}

static void put_quoted(text *out, const char *words)
{
  put(out, "\"");
  while (*words) {
    const char *start = words;
    unsigned long code = decode(&words);
    char escape[16];
    if (printable(code)) {
      put_bytes(out, start, (size_t)(words - start));
    } else {
      snprintf(escape, sizeof escape,
               code < 0x100     ? "\\x%02lX"
               : code < 0x10000 ? "\\u%04lX"
                                : "\\U%08lX",
               code);
      put(out, escape);
    }
  }
  put(out, "\"");
}

/* Words of letters, digits and . _ / - need no quotes unless YAML would read them as something else. */
static void put_word(text *out, const char *word)
{
  static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-";
  bool letter = (*word >= 'a' && *word <= 'z') || (*word >= 'A' && *word <= 'Z') || *word == '/';
  if (letter && strspn(word, safe) == strlen(word) && strcmp(word, "null") != 0)
    put(out, word);
  else
    put_quoted(out, word);
}

/* ---- values ------------------------------------------------------------------------------- */

static void put_path(text *out, const fg_settings *settings, const fg_value *value)
{
  const char *folder = value->folder ? settings->folders[value->folder - 1] : NULL;
  char here[4096];
  if (!folder) folder = getcwd(here, sizeof here);
  if (!*value->text || *value->text == '/' || !folder) {
    put_word(out, value->text);
    return;
  }
  size_t room = strlen(folder) + strlen(value->text) + 2;
  char *whole = malloc(room);
  if (!whole) {
    out->failed = true;
    return;
  }
  snprintf(whole, room, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, value->text);
  put_word(out, whole);
  free(whole);
}

static void put_array(text *out, const fg_value *value)
{
  size_t inner[3] = {value->shape[0] * value->shape[1] * value->shape[2], value->shape[1] * value->shape[2],
                     value->shape[2]}; /* numbers within a list of each depth */
  if (value->count == 0) {
    put(out, "[]");
    return;
  }
  for (size_t i = 0; i < value->count; i++) {
    if (i) put(out, ", ");
    for (size_t depth = 0; depth < value->rank; depth++)
      if (i % inner[depth] == 0) put(out, "[");
    put_real(out, value->values[i]);
    for (size_t depth = 0; depth < value->rank; depth++)
      if ((i + 1) % inner[depth] == 0) put(out, "]");
  }
}

static void put_value(text *out, const fg_settings *settings, const fg_setting *row, const fg_value *value)
{
  char number[32];
  if (value->automatic) {
    put(out, "auto");
    return;
  }
  switch (row->type) {
  case FG_SETTING_FLAG:
    put(out, value->flag ? "true" : "false");
    return;
  case FG_SETTING_INTEGER:
    snprintf(number, sizeof number, "%lld", (long long)value->integer);
    put(out, number);
    return;
  case FG_SETTING_REAL:
    put_real(out, value->real);
    return;
  case FG_SETTING_TEXT:
  case FG_SETTING_CHOICE:
    put_word(out, value->text);
    return;
  case FG_SETTING_PATH:
    put_path(out, settings, value);
    return;
  case FG_SETTING_ARRAY:
    put_array(out, value);
    return;
  case FG_SETTING_WORDS:
    put(out, "[");
    for (size_t i = 0; i < value->word_count; i++) {
      if (i) put(out, ", ");
      put_word(out, value->words[i]);
    }
    put(out, "]");
    return;
  }
}

/* Lines that open the groups of `key` which are not those of the row before; returns the last name. */
static const char *put_groups(text *out, const char *before, const char *key, size_t *depth)
{
  const char *start = key, *dot;
  bool same = true;
  for (*depth = 0; (dot = strchr(start, '.')) != NULL; start = dot + 1, ++*depth) {
    size_t upto = (size_t)(dot - key) + 1;
    same = same && strncmp(before, key, upto) == 0;
    if (same) continue;
    for (size_t i = 0; i < *depth; i++) put(out, "  ");
    put_bytes(out, start, (size_t)(dot - start));
    put(out, ":\n");
  }
  return start;
}

fg_code fg_settings_yaml(const fg_settings *settings, char **yaml, fg_status *st)
{
  text out = {0};
  *yaml = NULL;
  const char *before = "";
  for (size_t i = 0; i < settings->rows; i++) {
    const fg_setting *row = &settings->table[i];
    size_t depth;
    const char *name = put_groups(&out, before, row->key, &depth);
    for (size_t k = 0; k < depth; k++) put(&out, "  ");
    put(&out, name);
    put(&out, ": ");
    put_value(&out, settings, row, &settings->values[i]);
    put(&out, "\n");
    before = row->key;
  }
  if (out.failed || !out.bytes) {
    free(out.bytes);
    return FG_FAIL(st, FG_MEMORY, "no memory to write settings");
  }
  *yaml = out.bytes;
  return FG_OK;
}

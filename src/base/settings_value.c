/* From words to values: syntax, range and choice of one setting. */
#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings_impl.h"

enum { SHOWN = 60 }; /* bytes of the user's text that a message repeats */

void fg_value_clear(fg_value *value)
{
  free(value->text);
  free(value->values);
  for (size_t i = 0; i < value->word_count; i++) free(value->words[i]);
  free(value->words);
  *value = (fg_value){0};
}

static bool same_text(const char *a, const char *b)
{
  return a && b ? strcmp(a, b) == 0 : a == b;
}

bool fg_value_equal(const fg_value *a, const fg_value *b)
{
  if (a->automatic != b->automatic || a->integer != b->integer || a->flag != b->flag) return false;
  if (memcmp(&a->real, &b->real, sizeof a->real) != 0 || !same_text(a->text, b->text)) return false;
  if (a->count != b->count || memcmp(a->shape, b->shape, sizeof a->shape) != 0) return false;
  if (a->count && memcmp(a->values, b->values, a->count * sizeof *a->values) != 0) return false;
  if (a->word_count != b->word_count) return false;
  for (size_t i = 0; i < a->word_count; i++)
    if (strcmp(a->words[i], b->words[i]) != 0) return false;
  return true;
}

/* ---- numbers in the C locale -------------------------------------------------------------- */

static size_t digits(const char *text)
{
  size_t n = 0;
  while (text[n] >= '0' && text[n] <= '9') n++;
  return n;
}

/* [+-] digits [. digits] [e [+-] digits]; at least one digit before or after the point. */
static bool is_real(const char *text)
{
  if (*text == '+' || *text == '-') text++;
  size_t whole = digits(text), part = 0;
  text += whole;
  if (*text == '.') {
    part = digits(++text);
    text += part;
  }
  if (whole + part == 0) return false;
  if (*text == 'e' || *text == 'E') {
    text++;
    if (*text == '+' || *text == '-') text++;
    size_t exponent = digits(text);
    if (exponent == 0) return false;
    text += exponent;
  }
  return *text == '\0';
}

bool fg_parse_real(const char *text, double *value)
{
  const char *point = localeconv()->decimal_point;
  char copy[256];
  size_t length = strlen(text), extra = strlen(point);
  if (!is_real(text) || length + extra >= sizeof copy) return false;
  const char *dot = strchr(text, '.');
  size_t before = dot ? (size_t)(dot - text) : length;
  memcpy(copy, text, length + 1);
  if (dot) {
    memcpy(copy + before, point, extra);
    memcpy(copy + before + extra, dot + 1, length - before);
  }
  *value = strtod(copy, NULL);
  return isfinite(*value);
}

void fg_format_real(double value, char text[FG_REAL_TEXT])
{
  for (int precision = 15; precision <= 17; precision++) {
    snprintf(text, FG_REAL_TEXT, "%.*g", precision, value);
    if (strtod(text, NULL) == value) break;
  }
  const char *point = localeconv()->decimal_point;
  char *found = strcmp(point, ".") == 0 ? NULL : strstr(text, point);
  if (found) {
    *found = '.';
    memmove(found + 1, found + strlen(point), strlen(found + strlen(point)) + 1);
  }
}

/* An integer: digits, or digits with a positive exponent (1e6). */
static bool parse_integer(const char *text, int64_t *value)
{
  const char *at = text + (*text == '+' || *text == '-');
  size_t n = digits(at);
  if (n == 0 || n > 18) return false;
  long long whole = strtoll(text, NULL, 10);
  at += n;
  if (*at == 'e' || *at == 'E') {
    at++;
    if (*at == '+') at++;
    size_t m = digits(at);
    if (m == 0 || m > 2) return false;
    for (long power = strtol(at, NULL, 10); power > 0 && whole != 0; power--) {
      if (llabs(whole) > 900000000000000000LL / 10) return false;
      whole *= 10;
    }
    at += m;
  }
  *value = whole;
  return *at == '\0';
}

/* ---- one setting -------------------------------------------------------------------------- */

static const char *range_text(const fg_setting *row, char text[2 * FG_REAL_TEXT + 16])
{
  char low[FG_REAL_TEXT], high[FG_REAL_TEXT];
  fg_format_real(row->low, low);
  fg_format_real(row->high, high);
  snprintf(text, 2 * FG_REAL_TEXT + 16, "from %s to %s", low, high);
  return text;
}

static fg_code not_a(const fg_setting *row, const char *what, const char *text, fg_status *st)
{
  char range[2 * FG_REAL_TEXT + 16];
  const char *or_auto = strcmp(row->fallback, "auto") == 0 ? ", or auto" : "";
  return FG_FAIL(st, FG_USAGE, "%s is \"%.*s\": give %s %s%s", row->key, SHOWN, text, what,
                 range_text(row, range), or_auto);
}

static fg_code check_range(const fg_setting *row, const char *what, double number, const char *text,
                           fg_status *st)
{
  char range[2 * FG_REAL_TEXT + 16];
  if (number >= row->low && number <= row->high) return FG_OK;
  return FG_FAIL(st, FG_USAGE, "%s is %.*s: give %s %s", row->key, SHOWN, text, what, range_text(row, range));
}

static bool among(const char *choices, const char *word)
{
  size_t length = strlen(word);
  for (const char *at = choices; length && *at;) {
    size_t n = strcspn(at, " ");
    if (n == length && strncmp(at, word, n) == 0) return true;
    at += n;
    if (*at) at++;
  }
  return false;
}

static fg_code check_choice(const fg_setting *row, const char *text, fg_status *st)
{
  if (!row->choices || among(row->choices, text)) return FG_OK;
  char best[64] = "";
  size_t least = 3;
  for (const char *at = row->choices; *at;) {
    char word[64];
    size_t n = strcspn(at, " ");
    snprintf(word, sizeof word, "%.*s", (int)n, at);
    size_t distance = fg_edit_distance(text, word);
    if (distance < least) {
      least = distance;
      memcpy(best, word, sizeof best);
    }
    at += n;
    if (*at) at++;
  }
  if (best[0])
    return FG_FAIL(st, FG_USAGE, "%s is \"%.*s\": did you mean %s? (one of: %s)", row->key, SHOWN, text, best,
                   row->choices);
  return FG_FAIL(st, FG_USAGE, "%s is \"%.*s\": give one of: %s", row->key, SHOWN, text, row->choices);
}

static fg_code set_text(fg_value *value, const fg_setting *row, const char *text, fg_status *st)
{
  char *copy = strdup(text);
  if (!copy) return FG_FAIL(st, FG_MEMORY, "no memory for %s", row->key);
  free(value->text);
  value->text = copy;
  return FG_OK;
}

fg_code fg_value_scalar(fg_value *value, const fg_setting *row, const char *text, fg_status *st)
{
  bool may_be_auto = strcmp(row->fallback, "auto") == 0;
  value->automatic = may_be_auto && strcmp(text, "auto") == 0;
  switch (row->type) {
  case FG_SETTING_FLAG:
    value->flag = strcmp(text, "true") == 0;
    if (value->flag || strcmp(text, "false") == 0) return FG_OK;
    return FG_FAIL(st, FG_USAGE, "%s is \"%.*s\": give true or false", row->key, SHOWN, text);
  case FG_SETTING_INTEGER:
    value->integer = 0;
    if (value->automatic) return FG_OK;
    if (!parse_integer(text, &value->integer)) return not_a(row, "an integer", text, st);
    return check_range(row, "an integer", (double)value->integer, text, st);
  case FG_SETTING_REAL:
    value->real = (double)NAN;
    if (value->automatic) return FG_OK;
    if (!fg_parse_real(text, &value->real)) return not_a(row, "a number", text, st);
    return check_range(row, "a number", value->real, text, st);
  case FG_SETTING_CHOICE:
    FG_TRY(check_choice(row, text, st));
    return set_text(value, row, text, st);
  case FG_SETTING_TEXT:
  case FG_SETTING_PATH:
    return set_text(value, row, text, st);
  case FG_SETTING_ARRAY:
  case FG_SETTING_WORDS:
    break;
  }
  return FG_FAIL(st, FG_FAILED, "%s is a list", row->key);
}

/* Room for one more entry; doubles from 8. */
static void *grown(void *array, size_t count, size_t size)
{
  if (count != 0 && (count < 8 || (count & (count - 1)) != 0)) return array;
  return realloc(array, (count < 8 ? 8 : 2 * count) * size);
}

fg_code fg_value_push_number(fg_value *value, const fg_setting *row, const char *text, fg_status *st)
{
  double number;
  if (!fg_parse_real(text, &number)) return not_a(row, "numbers", text, st);
  FG_TRY(check_range(row, "numbers", number, text, st));
  double *values = grown(value->values, value->count, sizeof *values);
  if (!values) return FG_FAIL(st, FG_MEMORY, "no memory for %s", row->key);
  value->values = values;
  values[value->count++] = number;
  return FG_OK;
}

fg_code fg_value_push_word(fg_value *value, const fg_setting *row, const char *text, fg_status *st)
{
  FG_TRY(check_choice(row, text, st));
  for (size_t i = 0; i < value->word_count; i++)
    if (row->choices && strcmp(value->words[i], text) == 0)
      return FG_FAIL(st, FG_USAGE, "%s names %s twice", row->key, text);
  char **words = grown(value->words, value->word_count, sizeof *words);
  if (!words) return FG_FAIL(st, FG_MEMORY, "no memory for %s", row->key);
  value->words = words;
  words[value->word_count] = strdup(text);
  if (!words[value->word_count]) return FG_FAIL(st, FG_MEMORY, "no memory for %s", row->key);
  value->word_count++;
  return FG_OK;
}

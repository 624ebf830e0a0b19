/* What the files settings*.c share. */
#ifndef FG_BASE_SETTINGS_IMPL_H
#define FG_BASE_SETTINGS_IMPL_H

#include "flowgap/base.h"

typedef struct fg_value {
  bool automatic;
  size_t folder; /* 1 + index into fg_settings.folders, 0: none */
  double real;
  int64_t integer;
  bool flag;
  char *text;
  double *values; /* array, row-major */
  size_t count, rank, shape[3];
  char **words;
  size_t word_count;
} fg_value;

struct fg_settings {
  const fg_setting *table;
  size_t rows;
  fg_value *values;   /* [rows] */
  fg_value *defaults; /* [rows] */
  char **folders;
  size_t folder_count;
};

enum { FG_SETTINGS_NONE = -1 };

/* Row number of a key, or FG_SETTINGS_NONE. */
int fg_settings_row(const fg_settings *settings, const char *key);
/* Is there a row that begins with `key.`? */
bool fg_settings_is_group(const fg_settings *settings, const char *key);
/* FG_USAGE with the nearest known key. */
fg_code fg_settings_unknown(const fg_settings *settings, const char *key, fg_status *st);

void fg_value_clear(fg_value *value);
/* One scalar of any type but ARRAY and WORDS; checks syntax, range and choices. */
fg_code fg_value_scalar(fg_value *value, const fg_setting *row, const char *text, fg_status *st);
fg_code fg_value_push_number(fg_value *value, const fg_setting *row, const char *text, fg_status *st);
fg_code fg_value_push_word(fg_value *value, const fg_setting *row, const char *text, fg_status *st);
/* Same value, to the bit? */
bool fg_value_equal(const fg_value *a, const fg_value *b);

/* Read YAML text. `assignment`: errors do not name a line, since the text is one of our own making. */
fg_code fg_settings_read_yaml(fg_settings *settings, const char *text, size_t length, const char *name,
                              const char *folder, bool assignment, fg_status *st);

/* Number in the C locale, whatever the program's locale is: digits, one point, exponent; nothing
 * else (no nan, inf, hexadecimal). False if the text is not such a number, or beyond the double range. */
bool fg_parse_real(const char *text, double *value);
/* 17 significant digits, shorter if that reads back to the same bits; in the C locale. */
enum { FG_REAL_TEXT = 40 };
void fg_format_real(double value, char text[FG_REAL_TEXT]);

#endif

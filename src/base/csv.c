#include "base/csv.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"

typedef struct reader {
  const char *path;
  fg_csv *table;
  char separator;     /* ' ' stands for any run of blanks */
  size_t line;        /* of the file, from 1 */
  size_t room;        /* rows that fit in table->values */
  const char **field; /* of the line in hand, each ending in 0 */
  size_t fields, field_room;
  size_t columns; /* of the file */
  size_t *keep;   /* [table->columns]: those that enter the table */
  fg_csv_pick *pick;
  void *user;
  fg_status *st;
} reader;

static char *strip(char *text)
{
  while (*text == ' ' || *text == '\t') ++text;
  size_t length = strlen(text);
  while (length && strchr(" \t\r\n", text[length - 1])) text[--length] = 0;
  return text;
}

static char find_separator(const char *line)
{
  const char *candidates = ";,\t"; /* semicolon first: beside it a comma may be a decimal sign */
  for (; *candidates; ++candidates)
    if (strchr(line, *candidates)) return *candidates;
  return ' ';
}

static fg_code add_field(reader *r, const char *text)
{
  if (r->fields == r->field_room) {
    size_t room = r->field_room ? 2 * r->field_room : 16, bytes;
    const char **grown = fg_mul_fits(room, sizeof *grown, &bytes) ? realloc(r->field, bytes) : NULL;
    if (!grown) return FG_FAIL(r->st, FG_MEMORY, "%s, line %zu: no memory", r->path, r->line);
    r->field = grown;
    r->field_room = room;
  }
  r->field[r->fields++] = text;
  return FG_OK;
}

static bool is_blank(char c)
{
  return c == ' ' || c == '\t';
}

/* The quoted field that begins at the quote `at`: its quotes go, "" becomes ". Returns what follows it. */
static char *take_quoted(char *at)
{
  char *to = at, *from = at + 1;
  for (; *from && (*from != '"' || from[1] == '"'); ++from) {
    from += *from == '"';
    *to++ = *from;
  }
  char *rest = from + (*from == '"');
  *to = 0;
  return rest;
}

/* Cut the line at the separators, in place. */
static fg_code split(reader *r, char *line)
{
  bool blanks = r->separator == ' ';
  r->fields = 0;
  for (char *at = line; at;) {
    while (*at == ' ' || (*at == '\t' && r->separator != '\t')) ++at;
    char *rest = *at == '"' ? take_quoted(at) : at;
    char *end = blanks ? strpbrk(rest, " \t") : strchr(rest, r->separator);
    if (end) *end++ = 0;
    while (end && blanks && is_blank(*end)) ++end;
    FG_TRY(add_field(r, rest == at ? strip(at) : at));
    at = end;
  }
  return FG_OK;
}

static int is_number(const char *text, double *value)
{
  char *end;
  *value = strtod(text, &end);
  return end != text && *end == 0;
}

static int begins_as_number(const char *text)
{
  text += *text == '-' || *text == '+';
  text += *text == '.';
  double value;
  return (*text >= '0' && *text <= '9') || is_number(text, &value);
}

/* The columns to keep, and their names when the line in hand is a header. */
static fg_code choose_columns(reader *r, bool header)
{
  fg_csv *t = r->table;
  size_t kept = 0;
  FG_TRY(r->pick(r->user, header ? (char *const *)r->field : NULL, r->columns, &r->keep, &kept, r->st));
  t->columns = kept;
  if (!header) return FG_OK;
  t->names = calloc(kept ? kept : 1, sizeof *t->names);
  if (!t->names) return FG_FAIL(r->st, FG_MEMORY, "%s: no memory", r->path);
  for (size_t j = 0; j < kept; ++j) {
    if (!r->field[r->keep[j]][0])
      return FG_FAIL(r->st, FG_IO,
                     "%s, line %zu: column %zu has no name; if it holds row numbers, write the file "
                     "without them, or choose columns",
                     r->path, r->line, r->keep[j] + 1);
    t->names[j] = strdup(r->field[r->keep[j]]);
    if (!t->names[j]) return FG_FAIL(r->st, FG_MEMORY, "%s: no memory", r->path);
  }
  return FG_OK;
}

/* The first line is a header when none of its fields begins as a number does. */
static fg_code take_first(reader *r, bool *header)
{
  *header = true;
  for (size_t j = 0; j < r->fields; ++j) *header = *header && !begins_as_number(r->field[j]);
  r->columns = r->fields;
  return choose_columns(r, *header);
}

static fg_code grow(reader *r)
{
  size_t room = r->room ? 2 * r->room : 256, count, bytes;
  double *grown = NULL;
  if (fg_mul_fits(room, r->table->columns, &count) && fg_mul_fits(count, sizeof(double), &bytes))
    grown = realloc(r->table->values, bytes);
  if (!grown)
    return FG_FAIL(r->st, FG_MEMORY, "%s: no memory for %zu rows of %zu numbers", r->path, room,
                   r->table->columns);
  r->table->values = grown;
  r->room = room;
  return FG_OK;
}

/* What else to say of a field that is no number. */
static const char *number_hint(const char *text)
{
  static const char *const missing[] = {"", "na", "n/a", "null", "none", "-", "?", ".", "missing"};
  for (size_t k = 0; k < sizeof missing / sizeof *missing; ++k)
    if (!strcasecmp(text, missing[k]))
      return ": a missing value; no row is left out in silence, so remove or fill such rows first";
  if (strspn(text, "0123456789+-eE,") == strlen(text)) return ": decimals need a point";
  return "";
}

static fg_code take_row(reader *r)
{
  fg_csv *t = r->table;
  if (r->fields != r->columns)
    return FG_FAIL(r->st, FG_IO, "%s, line %zu: %zu values where the first line has %zu", r->path, r->line,
                   r->fields, r->columns);
  if (t->rows == r->room) FG_TRY(grow(r));
  double *row = t->values + t->rows * t->columns;
  for (size_t j = 0; j < t->columns; ++j) {
    const char *text = r->field[r->keep[j]];
    if (!is_number(text, &row[j]))
      return FG_FAIL(r->st, FG_IO, "%s, line %zu (row %zu), column %zu: \"%.60s\" is not a number%s", r->path,
                     r->line, t->rows + 1, r->keep[j] + 1, text, number_hint(text));
    if (!isfinite(row[j]))
      return FG_FAIL(r->st, FG_IO, "%s, line %zu (row %zu), column %zu: the value %.60s is not finite",
                     r->path, r->line, t->rows + 1, r->keep[j] + 1, text);
  }
  ++t->rows;
  return FG_OK;
}

static fg_code take_line(reader *r, char *line, size_t length)
{
  if (memchr(line, 0, length))
    return FG_FAIL(r->st, FG_IO, "%s, line %zu: holds a zero byte, so it is no text", r->path, r->line);
  if (r->line == 1 && !strncmp(line, "\xef\xbb\xbf", 3)) line += 3; /* byte order mark */
  line = strip(line);
  if (!*line || *line == '#') return FG_OK;
  bool first = !r->columns, header = false;
  if (first) r->separator = find_separator(line);
  FG_TRY(split(r, line));
  if (first) FG_TRY(take_first(r, &header));
  return header ? FG_OK : take_row(r);
}

/* Decimal points whatever locale the calling program has chosen. */
static locale_t plain_numbers(locale_t *previous)
{
  locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  *previous = plain ? uselocale(plain) : (locale_t)0;
  return plain;
}

static void usual_numbers(locale_t plain, locale_t previous)
{
  if (!plain) return;
  uselocale(previous);
  freelocale(plain);
}

static fg_code pick_all(void *user, char *const *names, size_t columns, size_t **keep, size_t *kept,
                        fg_status *st)
{
  (void)names;
  *keep = malloc(columns * sizeof **keep);
  if (!*keep) return FG_FAIL(st, FG_MEMORY, "%s: no memory", (const char *)user);
  for (size_t j = 0; j < columns; ++j) (*keep)[j] = j;
  *kept = columns;
  return FG_OK;
}

fg_code fg_csv_read(const char *path, fg_csv *table, fg_status *st)
{
  return fg_csv_read_some(path, pick_all, (void *)path, table, st);
}

fg_code fg_csv_read_some(const char *path, fg_csv_pick *pick, void *user, fg_csv *table, fg_status *st)
{
  FILE *stream;
  size_t size, room = 0;
  char *line = NULL;
  locale_t previous;
  memset(table, 0, sizeof *table);
  FG_TRY(fg_file_open(path, &stream, &size, st));
  locale_t plain = plain_numbers(&previous);
  reader r = {.path = path, .table = table, .pick = pick, .user = user, .st = st};
  fg_code rc = FG_OK;
  ssize_t length;
  while (rc == FG_OK && (length = getline(&line, &room, stream)) >= 0) {
    ++r.line;
    rc = take_line(&r, line, (size_t)length);
  }
  if (rc == FG_OK && !feof(stream)) rc = FG_FAIL(st, FG_IO, "%s: reading stopped at line %zu", path, r.line);
  usual_numbers(plain, previous);
  fclose(stream);
  free(line);
  free(r.field);
  free(r.keep);
  if (rc != FG_OK) fg_csv_clear(table);
  return rc;
}

size_t fg_csv_column(const fg_csv *table, const char *name)
{
  size_t j = 0;
  if (!table->names) return table->columns;
  while (j < table->columns && strcmp(table->names[j], name) != 0) ++j;
  return j;
}

fg_code fg_csv_write(const char *path, const fg_csv *table, fg_status *st)
{
  fg_file *file;
  char why[128];
  locale_t previous;
  FG_TRY(fg_file_begin(path, &file, st));
  FILE *stream = fg_file_stream(file);
  locale_t plain = plain_numbers(&previous);
  int good = 1;
  errno = 0;
  for (size_t j = 0; table->names && j < table->columns; ++j)
    good = good && fprintf(stream, "%s%s", table->names[j], j + 1 < table->columns ? "," : "\n") >= 0;
  for (size_t i = 0; i < table->rows && good; ++i)
    for (size_t j = 0; j < table->columns && good; ++j)
      good = fprintf(stream, "%.17g%s", table->values[i * table->columns + j],
                     j + 1 < table->columns ? "," : "\n") >= 0;
  int error = errno;
  usual_numbers(plain, previous);
  if (good) return fg_file_commit(&file, st);
  fg_file_discard(&file);
  return FG_FAIL(st, FG_IO, "%s: writing failed: %s; the previous file, if any, is as it was", path,
                 fg_file_why(error ? error : EIO, why));
}

void fg_csv_clear(fg_csv *table)
{
  if (!table) return;
  for (size_t j = 0; table->names && j < table->columns; ++j) free(table->names[j]);
  free(table->names);
  free(table->values);
  memset(table, 0, sizeof *table);
}

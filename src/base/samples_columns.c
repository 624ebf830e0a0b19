/* Which columns of a table are coordinates, and where weights come from. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/samples_impl.h"

size_t fg_column_find(char *const *names, size_t columns, const char *word, size_t length)
{
  for (size_t j = 0; names && j < columns; ++j)
    if (names[j] && strlen(names[j]) == length && !strncmp(names[j], word, length)) return j;
  size_t digits = strspn(word, "0123456789"), number = 0;
  if (!length || digits < length || length > 9) return columns;
  for (size_t k = 0; k < length; ++k) number = 10 * number + (size_t)(word[k] - '0');
  return number >= 1 && number <= columns ? number - 1 : columns;
}

const char *fg_column_list(char *const *names, size_t columns, char text[256])
{
  size_t used = 0;
  if (!names) {
    snprintf(text, 256, "no names, columns are chosen by number, 1 to %zu", columns);
    return text;
  }
  text[0] = 0;
  for (size_t j = 0; j < columns && used < 200; ++j) {
    int n = snprintf(text + used, 256 - used, "%s%.40s", used ? ", " : "", names[j] ? names[j] : "");
    used += n > 0 ? (size_t)n : 0;
  }
  return text;
}

static fg_code no_column(const char *path, const char *word, size_t length, char *const *names,
                         size_t columns, fg_status *st)
{
  char text[256];
  return FG_FAIL(st, FG_USAGE, "%s: there is no column %.*s; it has: %s", path,
                 (int)(length < 60 ? length : 60), word, fg_column_list(names, columns, text));
}

static fg_code add_column(const char *path, size_t column, size_t columns, size_t *chosen, size_t *count,
                          fg_status *st)
{
  for (size_t k = 0; k < *count; ++k)
    if (chosen[k] == column) return FG_FAIL(st, FG_USAGE, "%s: column %zu is chosen twice", path, column + 1);
  if (*count < columns) chosen[(*count)++] = column;
  return FG_OK;
}

/* One word of the list: a column, or "3-5" where no column is called so. */
static fg_code take_word(const char *path, const char *word, size_t length, char *const *names,
                         size_t columns, size_t *chosen, size_t *count, fg_status *st)
{
  size_t from = fg_column_find(names, columns, word, length), to = from;
  const char *dash = memchr(word, '-', length);
  if (from == columns && dash && dash > word) {
    size_t left = (size_t)(dash - word);
    from = fg_column_find(NULL, columns, word, left);
    to = fg_column_find(NULL, columns, dash + 1, length - left - 1);
    if (to < from) to = columns;
  }
  if (from >= columns || to >= columns) return no_column(path, word, length, names, columns, st);
  for (size_t j = from; j <= to; ++j) FG_TRY(add_column(path, j, columns, chosen, count, st));
  return FG_OK;
}

fg_code fg_columns_parse(const char *path, const char *list, char *const *names, size_t columns,
                         size_t **chosen, size_t *count, fg_status *st)
{
  *count = 0;
  *chosen = calloc(columns ? columns : 1, sizeof **chosen);
  if (!*chosen) return FG_FAIL(st, FG_MEMORY, "%s: no memory for %zu columns", path, columns);
  for (const char *at = list; at;) {
    at += strspn(at, " ");
    size_t length = strcspn(at, ",");
    const char *next = at[length] ? at + length + 1 : NULL;
    while (length && at[length - 1] == ' ') --length;
    fg_code rc = take_word(path, at, length, names, columns, *chosen, count, st);
    if (rc != FG_OK) {
      free(*chosen);
      *chosen = NULL;
      return rc;
    }
    at = next;
  }
  return FG_OK;
}

/* ---- weights ------------------------------------------------------------------------------------ */

bool fg_weights_none(const fg_samples_choice *choice)
{
  return choice->weights && strcmp(choice->weights, "none") == 0;
}

bool fg_weights_file(const char *word)
{
  struct stat about;
  return word && stat(word, &about) == 0 && S_ISREG(about.st_mode);
}

fg_code fg_weights_read(const char *path, const char *file, size_t n, double **weights, fg_status *st)
{
  fg_samples s;
  *weights = NULL;
  FG_TRY(fg_samples_read_chosen(file, &(fg_samples_choice){.weights = "none"}, &s, st));
  bool row = s.n == 1 && s.d == n;
  if (!row && (s.n != n || s.d != 1)) {
    fg_code rc = FG_FAIL(st, FG_IO, "%s: it has %zu x %zu numbers, weights of %s are %zu in one column", file,
                         s.n, s.d, path, n);
    fg_samples_clear(&s);
    return rc;
  }
  *weights = s.x;
  s.x = NULL;
  fg_samples_clear(&s);
  return FG_OK;
}

/* ---- coordinates of a matrix --------------------------------------------------------------------- */

/* The columns of the coordinates: those asked for, else all but that of the weights (`columns`: none). */
static fg_code coordinates(const char *path, const fg_samples_choice *choice, size_t columns, size_t weights,
                           size_t **chosen, size_t *count, fg_status *st)
{
  if (choice->columns) return fg_columns_parse(path, choice->columns, NULL, columns, chosen, count, st);
  *count = 0;
  *chosen = calloc(columns ? columns : 1, sizeof **chosen);
  if (!*chosen) return FG_FAIL(st, FG_MEMORY, "%s: no memory for %zu columns", path, columns);
  for (size_t j = 0; j < columns; ++j)
    if (j != weights) (*chosen)[(*count)++] = j;
  return FG_OK;
}

/* x [n, columns] becomes [n, count], in place: what is written lies before what is still to be read. */
static fg_code compact(const char *path, fg_samples *s, size_t columns, const size_t *chosen, size_t count,
                       fg_status *st)
{
  double *row = malloc((columns ? columns : 1) * sizeof *row);
  if (!row) return FG_FAIL(st, FG_MEMORY, "%s: no memory for %zu columns", path, columns);
  fg_code rc = FG_OK;
  for (size_t i = 0; rc == FG_OK && i < s->n; ++i) {
    memcpy(row, s->x + i * columns, columns * sizeof *row);
    for (size_t j = 0; rc == FG_OK && j < count; ++j) {
      double value = row[chosen[j]];
      s->x[i * count + j] = value;
      if (!isfinite(value))
        rc = FG_FAIL(st, FG_IO, "%s: the value at row %zu, column %zu is not finite (%g)", path, i + 1,
                     chosen[j] + 1, value);
    }
  }
  free(row);
  return rc;
}

fg_code fg_samples_choose(const char *path, const fg_samples_choice *choice, size_t columns, fg_samples *s,
                          fg_status *st)
{
  size_t *chosen = NULL, count = 0, w = columns;
  fg_code rc = FG_OK;
  const char *word = fg_weights_none(choice) ? NULL : choice->weights;
  if (word && !s->weights) {
    w = fg_column_find(NULL, columns, word, strlen(word));
    if (w < columns && s->n) {
      s->weights = malloc(s->n * sizeof *s->weights);
      if (!s->weights) return FG_FAIL(st, FG_MEMORY, "%s: no memory for %zu weights", path, s->n);
      for (size_t i = 0; i < s->n; ++i) s->weights[i] = s->x[i * columns + w];
    } else if (fg_weights_file(word)) {
      FG_TRY(fg_weights_read(path, word, s->n, &s->weights, st));
    } else {
      return FG_FAIL(
          st, FG_USAGE,
          "%s: there are no weights %.60s: give the number of a column (1 to %zu), the name of an array "
          "in the file, or another file",
          path, word, columns);
    }
  }
  FG_GO(coordinates(path, choice, columns, w, &chosen, &count, st), done);
  rc = compact(path, s, columns, chosen, count, st);
  s->d = count;
done:
  free(chosen);
  return rc;
}

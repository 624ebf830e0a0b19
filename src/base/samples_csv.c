/* Samples from CSV: which columns hold coordinates, weights and log-densities. */
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/samples_impl.h"

typedef struct pick {
  const char *path;
  const fg_samples_choice *choice;
  bool weights, log_density; /* such a column is kept, behind the coordinates, in this order */
} pick;

static size_t named(char *const *names, size_t columns, const char *name)
{
  return names ? fg_column_find(names, columns, name, strlen(name)) : columns;
}

/* The column of the weights and whether it enters; `columns`: there is none. */
static fg_code find_weights(pick *p, char *const *names, size_t columns, size_t *at, fg_status *st)
{
  char text[256];
  const char *word = p->choice->weights;
  bool none = fg_weights_none(p->choice);
  *at = columns;
  p->weights = false;
  if (word && !none) {
    *at = fg_column_find(names, columns, word, strlen(word));
    p->weights = *at < columns;
    if (p->weights || fg_weights_file(word)) return FG_OK;
    return FG_FAIL(st, FG_USAGE,
                   "%s: there is no column %.60s for weights, nor a file of that name; it has: %s", p->path,
                   word, fg_column_list(names, columns, text));
  }
  *at = named(names, columns, "weight");
  if (*at == columns) *at = named(names, columns, "weights");
  p->weights = *at < columns && !none;
  return FG_OK;
}

static fg_code pick_columns(void *user, char *const *names, size_t columns, size_t **keep, size_t *kept,
                            fg_status *st)
{
  pick *p = user;
  size_t w, l = named(names, columns, "log_density"), *chosen = NULL, count = 0;
  FG_TRY(find_weights(p, names, columns, &w, st));
  if (p->choice->columns)
    FG_TRY(fg_columns_parse(p->path, p->choice->columns, names, columns, &chosen, &count, st));
  *keep = malloc((columns + 2) * sizeof **keep);
  if (!*keep) {
    free(chosen);
    return FG_FAIL(st, FG_MEMORY, "%s: no memory for %zu columns", p->path, columns);
  }
  for (size_t j = 0; !chosen && j < columns; ++j)
    if (j != w && j != l) (*keep)[count++] = j;
  if (chosen) memcpy(*keep, chosen, count * sizeof *chosen);
  free(chosen);
  p->log_density = l < columns;
  if (p->weights) (*keep)[count++] = w;
  if (p->log_density) (*keep)[count++] = l;
  *kept = count;
  return FG_OK;
}

/* Move the columns behind the coordinates out of the table; writes never overtake reads. */
static fg_code take_apart(const pick *p, size_t columns, fg_samples *s, fg_status *st)
{
  if (p->weights && s->n) s->weights = malloc(s->n * sizeof(double));
  if (p->log_density && s->n) s->log_density = malloc(s->n * sizeof(double));
  if (s->n && ((p->weights && !s->weights) || (p->log_density && !s->log_density)))
    return FG_FAIL(st, FG_MEMORY, "%s: no memory", p->path);
  for (size_t i = 0; s->d < columns && i < s->n; ++i) {
    const double *row = s->x + i * columns;
    if (s->weights) s->weights[i] = row[s->d];
    if (s->log_density) s->log_density[i] = row[columns - 1];
    memmove(s->x + i * s->d, row, s->d * sizeof(double));
  }
  return FG_OK;
}

fg_code fg_samples_csv(const char *path, const fg_samples_choice *choice, fg_samples *s, fg_status *st)
{
  fg_csv table;
  pick p = {.path = path, .choice = choice};
  FG_TRY(fg_csv_read_some(path, pick_columns, &p, &table, st));
  s->n = table.rows;
  s->d = table.columns - p.weights - p.log_density;
  s->x = table.values;
  table.values = NULL;
  fg_code rc = take_apart(&p, table.columns, s, st);
  fg_csv_clear(&table);
  const char *file = choice->weights;
  if (rc == FG_OK && s->n && file && !fg_weights_none(choice) && !p.weights)
    rc = fg_weights_read(path, file, s->n, &s->weights, st);
  return rc;
}

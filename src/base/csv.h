/* Tables of numbers as text: comma, semicolon, tab or blanks between them, an optional first line
 * of names, '#' for comment lines, quotes round fields. */
#ifndef FG_BASE_CSV_H
#define FG_BASE_CSV_H

#include <stddef.h>

#include "flowgap/status.h"

typedef struct fg_csv {
  size_t rows, columns;
  char **names;   /* [columns], or NULL when the file has no header */
  double *values; /* [rows, columns] */
} fg_csv;

/* Fails with FG_IO naming the line and the column: a word that is no number, a value that is not
 * finite, a row that is shorter or longer than the first. A table without rows is no failure. */
FG_CHECKED fg_code fg_csv_read(const char *path, fg_csv *table, fg_status *st);
/* Which columns of the file to keep (numbers from 0, any order; free()d by the reader). names NULL: no header. What is
 * not kept is not looked at and may hold anything. */
typedef fg_code fg_csv_pick(void *user, char *const *names, size_t columns, size_t **keep, size_t *kept,
                            fg_status *st);
FG_CHECKED fg_code fg_csv_read_some(const char *path, fg_csv_pick *pick, void *user, fg_csv *table,
                                    fg_status *st);
/* Column called `name`, or table->columns. */
size_t fg_csv_column(const fg_csv *table, const char *name);
/* With 17 significant digits, so that every double reads back to the same bits. */
FG_CHECKED fg_code fg_csv_write(const char *path, const fg_csv *table, fg_status *st);
void fg_csv_clear(fg_csv *table);

#endif

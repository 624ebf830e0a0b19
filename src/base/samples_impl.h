/* How the readers of sample files share their work; private to src/base/samples*.c. */
#ifndef FG_BASE_SAMPLES_IMPL_H
#define FG_BASE_SAMPLES_IMPL_H

#include <stdbool.h>
#include <stddef.h>

#include "flowgap/base.h"

/* samples_columns.c */
/* The column that `word` [length] names: by its name, else by its number from 1; `columns`: there is none. names may be
 * NULL. */
size_t fg_column_find(char *const *names, size_t columns, const char *word, size_t length);
/* "x1, y (2), ..": the columns, for messages. */
const char *fg_column_list(char *const *names, size_t columns, char text[256]);
/* Columns of a list "x,y" or "1,3-5", in its order. FG_USAGE when one is not there or comes twice. */
FG_CHECKED fg_code fg_columns_parse(const char *path, const char *list, char *const *names, size_t columns,
                                    size_t **chosen, size_t *count, fg_status *st);
/* Weights in a file of their own: one number per row. `array`: what was asked for, for the message. */
FG_CHECKED fg_code fg_weights_read(const char *path, const char *file, size_t n, double **weights,
                                   fg_status *st);
bool fg_weights_none(const fg_samples_choice *choice); /* equal weights were asked for */
/* `weights` is a file and may be read as such. */
bool fg_weights_file(const char *word);
/* A matrix x [n, columns], taken over, becomes coordinates and, by number, weights. A value that is not finite is
 * refused by row and column of the file. */
FG_CHECKED fg_code fg_samples_choose(const char *path, const fg_samples_choice *choice, size_t columns,
                                     fg_samples *samples, fg_status *st);

/* samples_csv.c, samples_arrays.c */
FG_CHECKED fg_code fg_samples_csv(const char *path, const fg_samples_choice *choice, fg_samples *samples,
                                  fg_status *st);
FG_CHECKED fg_code fg_samples_h5(const char *path, const fg_samples_choice *choice, fg_samples *samples,
                                 fg_status *st);
FG_CHECKED fg_code fg_samples_npz(const char *path, const fg_samples_choice *choice, fg_samples *samples,
                                  fg_status *st);
FG_CHECKED fg_code fg_samples_npy(const char *path, const fg_samples_choice *choice, fg_samples *samples,
                                  fg_status *st);

#endif

/* NumPy arrays: format versions 1 to 3, floats of 16, 32 and 64 bits, whole numbers and booleans, of either byte
 * order, in C and Fortran order, one or two dimensions. */
#ifndef FG_BASE_NPY_H
#define FG_BASE_NPY_H

#include <stddef.h>
#include <stdio.h>

#include "flowgap/status.h"

/* values [rows, columns], row-major, free() them; an array of one dimension has one column. A whole number that no
 * double holds (beyond 2^53) is refused. */
FG_CHECKED fg_code fg_npy_read(const char *path, size_t *rows, size_t *columns, double **values,
                               fg_status *st);
/* The same from an open stream that has `size` bytes left; `path` is for messages. */
FG_CHECKED fg_code fg_npy_read_stream(const char *path, FILE *stream, size_t size, size_t *rows,
                                      size_t *columns, double **values, fg_status *st);
FG_CHECKED fg_code fg_npy_write(const char *path, size_t rows, size_t columns, const double *values,
                                fg_status *st);

#endif

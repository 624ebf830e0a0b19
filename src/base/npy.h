/* NumPy arrays: format versions 1 to 3, float32 and float64 of either byte order, C and Fortran
 * order, one or two dimensions. */
#ifndef FG_BASE_NPY_H
#define FG_BASE_NPY_H

#include <stddef.h>

#include "flowgap/status.h"

/* values [rows, columns], row-major, free() them; an array of one dimension has one column. */
FG_CHECKED fg_code fg_npy_read(const char *path, size_t *rows, size_t *columns, double **values,
                               fg_status *st);
FG_CHECKED fg_code fg_npy_write(const char *path, size_t rows, size_t columns, const double *values,
                                fg_status *st);

#endif

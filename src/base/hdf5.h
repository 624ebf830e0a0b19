/* HDF5 files: arrays of doubles or 64-bit integers under names like "ode/x", text as attributes of
 * the root group. A file being written is kept in memory and reaches the disk, whole, at commit.
 * Debian's HDF5 is not thread-safe: every call here holds one mutex, so threads may use it freely. */
#ifndef FG_BASE_HDF5_H
#define FG_BASE_HDF5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowgap/status.h"

enum { FG_H5_RANK_MAX = 4 };

typedef struct fg_h5 fg_h5;

FG_CHECKED fg_code fg_h5_create(const char *path, fg_h5 **file, fg_status *st);
FG_CHECKED fg_code fg_h5_open(const char *path, fg_h5 **file, fg_status *st);
/* Write what was created to its place (see fg_file) and close; the handle is gone either way. */
FG_CHECKED fg_code fg_h5_commit(fg_h5 **file, fg_status *st);
/* Close; what was created and not committed is dropped. NULL is accepted. */
void fg_h5_close(fg_h5 **file);

/* Groups in the name are made as needed. Rank 0 is a single number; shape may then be NULL. */
FG_CHECKED fg_code fg_h5_write_real(fg_h5 *file, const char *name, int rank, const size_t *shape,
                                    const double *values, fg_status *st);
FG_CHECKED fg_code fg_h5_write_integer(fg_h5 *file, const char *name, int rank, const size_t *shape,
                                       const int64_t *values, fg_status *st);
FG_CHECKED fg_code fg_h5_write_text(fg_h5 *file, const char *attribute, const char *text, fg_status *st);

/* Is there a data set of that name? */
bool fg_h5_has(fg_h5 *file, const char *name);
/* Fails when there is no such data set, or its entries are no numbers, or the rank is above
 * FG_H5_RANK_MAX. shape is filled with 1 beyond the rank. */
FG_CHECKED fg_code fg_h5_shape(fg_h5 *file, const char *name, int *rank, size_t shape[FG_H5_RANK_MAX],
                               fg_status *st);
/* values: free() them. The shape is that of fg_h5_shape; sizes that the file cannot hold are
 * refused before any memory is taken. */
FG_CHECKED fg_code fg_h5_read_real(fg_h5 *file, const char *name, int *rank, size_t shape[FG_H5_RANK_MAX],
                                   double **values, fg_status *st);
FG_CHECKED fg_code fg_h5_read_integer(fg_h5 *file, const char *name, int *rank, size_t shape[FG_H5_RANK_MAX],
                                      int64_t **values, fg_status *st);
/* An attribute of the root group; free() the text. */
FG_CHECKED fg_code fg_h5_read_text(fg_h5 *file, const char *attribute, char **text, fg_status *st);
bool fg_h5_has_text(fg_h5 *file, const char *attribute);

/* A numeric data set as fg_h5_list shows it. */
typedef struct fg_h5_entry {
  char *name; /* without a leading slash */
  int rank;
  size_t shape[FG_H5_RANK_MAX];
} fg_h5_entry;

/* All numeric data sets of the file, in the order of their names. */
FG_CHECKED fg_code fg_h5_list(fg_h5 *file, fg_h5_entry **entries, size_t *count, fg_status *st);
void fg_h5_list_free(fg_h5_entry **entries, size_t count);

/* Do the first bytes say HDF5? */
bool fg_h5_signature(const unsigned char *bytes, size_t size);

#endif

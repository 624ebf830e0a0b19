/* Files read whole, and files that appear whole or not at all. */
#ifndef FG_BASE_FILE_H
#define FG_BASE_FILE_H

#include <stddef.h>
#include <stdio.h>

#include "flowgap/status.h"

/* Text for an errno value, thread-safe; returns `text`. */
const char *fg_file_why(int error, char text[128]);

/* Open a regular file for reading and tell its size. */
FG_CHECKED fg_code fg_file_open(const char *path, FILE **stream, size_t *size, fg_status *st);

/* The bytes of a regular file (free() them); a 0 follows the last one. */
FG_CHECKED fg_code fg_file_read(const char *path, unsigned char **bytes, size_t *size, fg_status *st);

/* A file being written. Bytes go to a temporary name in the same folder; commit flushes, syncs,
 * renames and syncs the folder, so that a reader sees the previous file or the new one, never a
 * part. Links are followed and the permissions of a previous file are kept. A device or pipe
 * (/dev/stdout) is written in place. */
typedef struct fg_file fg_file;

FG_CHECKED fg_code fg_file_begin(const char *path, fg_file **file, fg_status *st);
FILE *fg_file_stream(fg_file *file);
FG_CHECKED fg_code fg_file_put(fg_file *file, const void *bytes, size_t size, fg_status *st);
/* On failure (disk full) the temporary file is removed and the previous file is untouched.
 * The handle is gone either way. */
FG_CHECKED fg_code fg_file_commit(fg_file **file, fg_status *st);
/* Remove the temporary file; NULL is accepted. */
void fg_file_discard(fg_file **file);

/* begin, put, commit */
FG_CHECKED fg_code fg_file_write(const char *path, const void *bytes, size_t size, fg_status *st);

/* a * b, or a + b, with false when it does not fit. */
#define fg_mul_fits(a, b, result) (!__builtin_mul_overflow((size_t)(a), (size_t)(b), (result)))
#define fg_add_fits(a, b, result) (!__builtin_add_overflow((size_t)(a), (size_t)(b), (result)))

#endif

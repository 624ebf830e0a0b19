/* NPZ: a ZIP archive of NumPy arrays, each NAME.npy stored as it is or packed by deflate. Archives up to 4 GiB. */
#ifndef FG_BASE_NPZ_H
#define FG_BASE_NPZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "flowgap/status.h"

typedef struct fg_npz_entry {
  char *name; /* without .npy */
  unsigned method;
  size_t at, packed, size; /* of its local header; bytes in the file and unpacked */
  unsigned long crc;
} fg_npz_entry;

typedef struct fg_npz {
  char *path;
  FILE *stream;
  size_t size;
  fg_npz_entry *entry;
  size_t count;
} fg_npz;

/* Do the first bytes say ZIP? */
bool fg_npz_signature(const unsigned char *bytes, size_t size);
/* FG_IO when it is damaged or holds no array. */
FG_CHECKED fg_code fg_npz_open(const char *path, fg_npz *archive, fg_status *st);
void fg_npz_close(fg_npz *archive);
/* The entry called `name`, or archive->count. */
size_t fg_npz_find(const fg_npz *archive, const char *name);
/* As fg_npy_read. Sizes that the file cannot hold are refused before memory is taken; the checksum is checked. */
FG_CHECKED fg_code fg_npz_read(fg_npz *archive, size_t entry, size_t *rows, size_t *columns, double **values,
                               fg_status *st);

#endif

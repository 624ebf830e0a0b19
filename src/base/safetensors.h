/* Tensors in the safetensors format: 8 bytes of header length, a JSON header, then the entries.
 * F64, F32, F16 and BF16 are decoded to double. */
#ifndef FG_BASE_SAFETENSORS_H
#define FG_BASE_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>

#include "flowgap/status.h"

enum { FG_TENSOR_RANK_MAX = 8 };

typedef struct fg_tensor {
  const char *name;
  char dtype[8]; /* "F32", ... */
  int rank;
  size_t shape[FG_TENSOR_RANK_MAX];
  size_t count;               /* entries */
  const unsigned char *bytes; /* of the file, not aligned */
} fg_tensor;

/* In the order of their entries in the file. */
typedef struct fg_tensors {
  size_t count;
  fg_tensor *tensor;
  unsigned char *file; /* owned */
  char *names;         /* owned */
} fg_tensors;

/* Fails with FG_IO, naming file and tensor: a file that is cut off, a header that is no JSON, entries
 * that overlap, leave holes, lie beyond the file or do not have the size that type and shape ask for. */
FG_CHECKED fg_code fg_safetensors_read(const char *path, fg_tensors *tensors, fg_status *st);
/* NULL when there is none of that name. */
const fg_tensor *fg_tensors_find(const fg_tensors *tensors, const char *name);
/* Can the entries be decoded (or are they integers, flags, 8-bit floats)? */
bool fg_tensor_is_real(const fg_tensor *tensor);
/* values [count]; the tensor must be real. */
void fg_tensor_decode(const fg_tensor *tensor, double *values);
void fg_tensors_clear(fg_tensors *tensors);

/* A tensor to write, as F64 or, with `single`, rounded to F32. */
typedef struct fg_tensor_source {
  const char *name;
  int rank;
  const size_t *shape;
  const double *values;
  bool single;
} fg_tensor_source;

/* A pair of the header's __metadata__. */
typedef struct fg_tensor_note {
  const char *key, *text;
} fg_tensor_note;

FG_CHECKED fg_code fg_safetensors_write(const char *path, const fg_tensor_source *sources, size_t count,
                                        fg_status *st);
FG_CHECKED fg_code fg_safetensors_write_noted(const char *path, const fg_tensor_source *sources, size_t count,
                                              const fg_tensor_note *notes, size_t note_count, fg_status *st);

#endif

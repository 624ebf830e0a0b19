#include "base/safetensors.h"

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* The reference implementation refuses longer headers. */
enum { HEADER_MAX = 100000000 };

static const struct {
  const char *name;
  unsigned bytes;
} dtypes[] = {{"F64", 8}, {"F32", 4}, {"F16", 2},  {"BF16", 2},    {"I64", 8},
              {"I32", 4}, {"I16", 2}, {"I8", 1},   {"U64", 8},     {"U32", 4},
              {"U16", 2}, {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};

static unsigned dtype_bytes(const char *name)
{
  for (size_t k = 0; k < sizeof dtypes / sizeof *dtypes; ++k)
    if (!strcmp(dtypes[k].name, name)) return dtypes[k].bytes;
  return 0;
}

static fg_code read_shape(const char *path, const json_t *shape, fg_tensor *t, fg_status *st)
{
  t->count = 1;
  if (!json_is_array(shape) || json_array_size(shape) > FG_TENSOR_RANK_MAX)
    return FG_FAIL(st, FG_IO, "%s: tensor %.80s: its shape is not a list of at most %d sizes", path, t->name,
                   FG_TENSOR_RANK_MAX);
  t->rank = (int)json_array_size(shape);
  for (int k = 0; k < t->rank; ++k) {
    const json_t *size = json_array_get(shape, (size_t)k);
    if (!json_is_integer(size) || json_integer_value(size) < 0)
      return FG_FAIL(st, FG_IO, "%s: tensor %.80s: size %d of its shape is not a whole number", path, t->name,
                     k + 1);
    t->shape[k] = (size_t)json_integer_value(size);
    if (!fg_mul_fits(t->count, t->shape[k], &t->count))
      return FG_FAIL(st, FG_IO, "%s: tensor %.80s: its shape is too large", path, t->name);
  }
  return FG_OK;
}

/* One entry {"dtype": "F32", "shape": [80, 3], "data_offsets": [0, 960]} of the header. */
static fg_code read_entry(const char *path, const json_t *entry, const unsigned char *data, size_t size,
                          fg_tensor *t, fg_status *st)
{
  const char *dtype = json_string_value(json_object_get(entry, "dtype"));
  const json_t *offsets = json_object_get(entry, "data_offsets");
  unsigned each = dtype ? dtype_bytes(dtype) : 0;
  if (!each)
    return FG_FAIL(st, FG_IO, "%s: tensor %.80s: type %.20s is not known", path, t->name,
                   dtype ? dtype : "(none)");
  strcpy(t->dtype, dtype);
  FG_TRY(read_shape(path, json_object_get(entry, "shape"), t, st));
  const json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
  if (json_array_size(offsets) != 2 || !json_is_integer(from) || !json_is_integer(to) ||
      json_integer_value(from) < 0 || json_integer_value(to) < json_integer_value(from))
    return FG_FAIL(st, FG_IO, "%s: tensor %.80s: data_offsets should be two ascending whole numbers", path,
                   t->name);
  size_t begin = (size_t)json_integer_value(from), end = (size_t)json_integer_value(to), need;
  if (end > size)
    return FG_FAIL(
        st, FG_IO,
        "%s: tensor %.80s ends at byte %zu of the data, but the file holds only %zu: it is cut off", path,
        t->name, end, size);
  if (!fg_mul_fits(t->count, each, &need) || need != end - begin)
    return FG_FAIL(st, FG_IO, "%s: tensor %.80s: %zu entries of type %s do not fill its %zu bytes", path,
                   t->name, t->count, dtype, end - begin);
  t->bytes = data + begin;
  return FG_OK;
}

static int by_place(const void *a, const void *b)
{
  const fg_tensor *s = a, *t = b;
  if (s->bytes != t->bytes) return s->bytes < t->bytes ? -1 : 1;
  if (s->count != t->count) return s->count < t->count ? -1 : 1; /* empty ones first */
  return strcmp(s->name, t->name);
}

/* The tensors must tile the data: an overlap or a hole means a damaged header. */
static fg_code check_places(const char *path, fg_tensors *tensors, const unsigned char *data, size_t size,
                            fg_status *st)
{
  const unsigned char *at = data;
  qsort(tensors->tensor, tensors->count, sizeof(fg_tensor), by_place);
  for (size_t k = 0; k < tensors->count; ++k) {
    const fg_tensor *t = &tensors->tensor[k];
    if (t->bytes != at)
      return FG_FAIL(st, FG_IO, "%s: tensor %.80s %s", path, t->name,
                     t->bytes < at ? "overlaps the one before it: the file is damaged"
                                   : "leaves a gap after the one before it: the file is damaged");
    at += t->count * dtype_bytes(t->dtype);
  }
  if (at == data + size) return FG_OK;
  return FG_FAIL(st, FG_IO, "%s: %zu bytes follow the last tensor: the file is damaged", path,
                 (size_t)(data + size - at));
}

static fg_code read_entries(const char *path, json_t *root, const unsigned char *data, size_t size,
                            fg_tensors *tensors, fg_status *st)
{
  const char *name;
  json_t *entry;
  size_t room = 0, used = 0, most = json_object_size(root);
  json_object_foreach(root, name, entry) room += strlen(name) + 1;
  tensors->tensor = calloc(most + 1, sizeof(fg_tensor));
  tensors->names = malloc(room + 1);
  if (!tensors->tensor || !tensors->names) return FG_FAIL(st, FG_MEMORY, "%s: no memory", path);
  json_object_foreach(root, name, entry)
  {
    if (!strcmp(name, "__metadata__")) continue;
    fg_tensor *t = &tensors->tensor[tensors->count];
    t->name = strcpy(tensors->names + used, name);
    used += strlen(name) + 1;
    FG_TRY(read_entry(path, entry, data, size, t, st));
    ++tensors->count;
  }
  return check_places(path, tensors, data, size, st);
}

static fg_code read_bytes(const char *path, size_t size, fg_tensors *tensors, fg_status *st)
{
  uint64_t length = 0;
  for (size_t k = 0; k < 8 && k < size; ++k) length |= (uint64_t)tensors->file[k] << 8 * k;
  if (size < 8 || length > HEADER_MAX || length > size - 8)
    return FG_FAIL(st, FG_IO,
                   "%s: not a safetensors file, or cut off: it has %zu bytes, its header should have %llu",
                   path, size, (unsigned long long)length);
  json_error_t error;
  json_t *root = json_loadb((const char *)tensors->file + 8, (size_t)length, JSON_REJECT_DUPLICATES, &error);
  if (!root)
    return FG_FAIL(st, FG_IO,
                   "%s: not a safetensors file, or damaged: its header is not JSON (column %d: %s)", path,
                   error.column, error.text);
  const unsigned char *data = tensors->file + 8 + length;
  fg_code rc = FG_OK;
  if (!json_is_object(root))
    rc = FG_FAIL(st, FG_IO, "%s: its header is not a table of tensors: damaged", path);
  else
    rc = read_entries(path, root, data, size - 8 - (size_t)length, tensors, st);
  json_decref(root);
  return rc;
}

fg_code fg_safetensors_read(const char *path, fg_tensors *tensors, fg_status *st)
{
  size_t size;
  memset(tensors, 0, sizeof *tensors);
  FG_TRY(fg_file_read(path, &tensors->file, &size, st));
  fg_code rc = read_bytes(path, size, tensors, st);
  if (rc != FG_OK) fg_tensors_clear(tensors);
  return rc;
}

void fg_tensors_clear(fg_tensors *tensors)
{
  if (!tensors) return;
  free(tensors->tensor);
  free(tensors->names);
  free(tensors->file);
  memset(tensors, 0, sizeof *tensors);
}

const fg_tensor *fg_tensors_find(const fg_tensors *tensors, const char *name)
{
  for (size_t k = 0; k < tensors->count; ++k)
    if (!strcmp(tensors->tensor[k].name, name)) return &tensors->tensor[k];
  return NULL;
}

bool fg_tensor_is_real(const fg_tensor *tensor)
{
  const char *t = tensor->dtype;
  return !strcmp(t, "F64") || !strcmp(t, "F32") || !strcmp(t, "F16") || !strcmp(t, "BF16");
}

/* IEEE binary16: 1 sign, 5 exponent, 10 fraction bits; exponent 31 is infinity or NaN. */
static double from_half(uint32_t bits)
{
  int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
  double value = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
  if (exponent == 31) value = fraction ? (double)NAN : (double)INFINITY;
  return bits & 0x8000 ? -value : value;
}

static double from_single(uint32_t bits)
{
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

void fg_tensor_decode(const fg_tensor *tensor, double *values)
{
  unsigned each = dtype_bytes(tensor->dtype);
  bool brain = tensor->dtype[0] == 'B';
  const unsigned char *at = tensor->bytes;
  for (size_t k = 0; k < tensor->count; ++k, at += each) {
    uint64_t bits = 0;
    for (unsigned b = 0; b < each; ++b) bits |= (uint64_t)at[b] << 8 * b;
    if (each == 8)
      memcpy(&values[k], &bits, 8);
    else if (each == 4)
      values[k] = from_single((uint32_t)bits);
    else
      values[k] = brain ? from_single((uint32_t)bits << 16) : from_half((uint32_t)bits);
  }
}

/* ---- writing ------------------------------------------------------------------------------ */

static size_t source_count(const fg_tensor_source *source)
{
  size_t count = 1;
  for (int k = 0; k < source->rank; ++k) count *= source->shape[k];
  return count;
}

static json_t *header_json(const fg_tensor_source *sources, size_t count)
{
  json_t *root = json_object();
  size_t at = 0;
  bool good = root != NULL;
  for (size_t k = 0; k < count && good; ++k) {
    const fg_tensor_source *s = &sources[k];
    size_t end = at + source_count(s) * (s->single ? 4 : 8);
    json_t *shape = json_array();
    good = shape != NULL;
    for (int j = 0; j < s->rank && good; ++j)
      good = !json_array_append_new(shape, json_integer((json_int_t)s->shape[j]));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", s->single ? "F32" : "F64", "shape", shape,
                              "data_offsets", (json_int_t)at, (json_int_t)end);
    good = good && !json_object_set_new(root, s->name, entry);
    at = end;
  }
  if (good) return root;
  json_decref(root);
  return NULL;
}

static fg_code put_values(fg_file *file, const fg_tensor_source *source, fg_status *st)
{
  unsigned char block[8 * 512];
  size_t each = source->single ? 4 : 8, count = source_count(source);
  for (size_t done = 0; done < count;) {
    size_t n = 0;
    for (; n < 512 && done < count; ++n, ++done) {
      float single = (float)source->values[done];
      uint32_t low;
      uint64_t bits;
      memcpy(&low, &single, 4);
      memcpy(&bits, &source->values[done], 8);
      if (source->single) bits = low;
      for (size_t b = 0; b < each; ++b) block[n * each + b] = (unsigned char)(bits >> 8 * b);
    }
    FG_TRY(fg_file_put(file, block, n * each, st));
  }
  return FG_OK;
}

static fg_code put_all(fg_file *file, const char *header, const fg_tensor_source *sources, size_t count,
                       fg_status *st)
{
  /* blanks after the header make the entries begin at a multiple of 8 bytes */
  size_t length = strlen(header), padded = (length + 7) / 8 * 8;
  unsigned char prefix[8];
  for (int b = 0; b < 8; ++b) prefix[b] = (unsigned char)((uint64_t)padded >> 8 * b);
  FG_TRY(fg_file_put(file, prefix, 8, st));
  FG_TRY(fg_file_put(file, header, length, st));
  FG_TRY(fg_file_put(file, "        ", padded - length, st));
  for (size_t k = 0; k < count; ++k) FG_TRY(put_values(file, &sources[k], st));
  return FG_OK;
}

fg_code fg_safetensors_write_noted(const char *path, const fg_tensor_source *sources, size_t count,
                                   const fg_tensor_note *notes, size_t note_count, fg_status *st)
{
  fg_file *file = NULL;
  json_t *root = header_json(sources, count), *metadata = json_object();
  bool good = root && metadata;
  for (size_t k = 0; good && k < note_count; ++k)
    good = !json_object_set_new(metadata, notes[k].key, json_string(notes[k].text));
  if (good && note_count) good = !json_object_set(root, "__metadata__", metadata);
  json_decref(metadata);
  char *header = good ? json_dumps(root, JSON_COMPACT) : NULL;
  json_decref(root);
  if (!header) return FG_FAIL(st, FG_MEMORY, "%s: the header cannot be made; are all names UTF-8?", path);
  fg_code rc = fg_file_begin(path, &file, st);
  if (rc == FG_OK) rc = put_all(file, header, sources, count, st);
  free(header);
  if (rc == FG_OK) return fg_file_commit(&file, st);
  fg_file_discard(&file);
  return rc;
}

fg_code fg_safetensors_write(const char *path, const fg_tensor_source *sources, size_t count, fg_status *st)
{
  return fg_safetensors_write_noted(path, sources, count, NULL, 0, st);
}

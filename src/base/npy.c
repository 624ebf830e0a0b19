#include "base/npy.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* What the header says: {'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), } */
typedef struct header {
  char kind; /* 'f', 'i', 'u' or 'b' */
  int bytes; /* of an entry: 1, 2, 4 or 8 */
  int big_endian;
  int fortran;
  size_t rows, columns;
} header;

static const char *skip_blanks(const char *at)
{
  while (*at == ' ' || *at == '\n' || *at == '\t') ++at;
  return at;
}

/* The text after "'key':", or NULL. */
static const char *find_key(const char *text, const char *key)
{
  size_t length = strlen(key);
  for (const char *at = text; (at = strstr(at, key)) != NULL; at += length) {
    if (at == text || (at[-1] != '\'' && at[-1] != '"') || at[length] != at[-1]) continue;
    const char *colon = skip_blanks(at + length + 1);
    if (*colon == ':') return skip_blanks(colon + 1);
  }
  return NULL;
}

/* "f8": a letter and a number of bytes. */
static bool known_kind(const char *kind)
{
  static const char *const kinds[] = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; ++k)
    if (!strcmp(kind, kinds[k])) return true;
  return false;
}

static fg_code parse_descr(const char *path, const char *at, header *h, fg_status *st)
{
  char quote = at ? *at : 0, type[16] = "";
  size_t length = 0;
  if (quote == '[')
    return FG_FAIL(st, FG_IO,
                   "%s: it holds records with named fields; save an array of numbers, such as "
                   "numpy.lib.recfunctions.structured_to_unstructured(array)",
                   path);
  if (quote == '\'' || quote == '"')
    for (++at; at[length] && at[length] != quote && length + 1 < sizeof type; ++length)
      type[length] = at[length];
  const char *kind = strchr("<>=|", type[0]) && type[0] ? type + 1 : type;
  if (!known_kind(kind))
    return FG_FAIL(
        st, FG_IO,
        "%s: its entries are of type '%s', only real numbers are read (floats of 16, 32 or 64 bits, "
        "whole numbers); convert with array.astype(float)",
        path, type);
  h->big_endian = type[0] == '>';
  h->kind = kind[0];
  h->bytes = kind[1] - '0';
  return FG_OK;
}

static fg_code parse_shape(const char *path, const char *at, header *h, fg_status *st)
{
  size_t extent[3], rank = 0;
  int good = at && *at == '(';
  for (at += good; good && *(at = skip_blanks(at)) != ')'; ++rank) {
    size_t value = 0;
    good = *at >= '0' && *at <= '9' && rank < 3;
    for (; good && *at >= '0' && *at <= '9'; ++at)
      good = fg_mul_fits(value, 10, &value) && fg_add_fits(value, *at - '0', &value);
    if (good) extent[rank] = value;
    at = skip_blanks(at);
    if (*at == ',')
      ++at;
    else
      good = good && *at == ')';
  }
  if (!good || rank < 1 || rank > 2)
    return FG_FAIL(st, FG_IO,
                   "%s: its shape is not understood: give an array of one or two dimensions, [n, d]", path);
  h->rows = extent[0];
  h->columns = rank == 2 ? extent[1] : 1;
  return FG_OK;
}

static fg_code parse_header(const char *path, const char *text, header *h, fg_status *st)
{
  FG_TRY(parse_descr(path, find_key(text, "descr"), h, st));
  const char *order = find_key(text, "fortran_order");
  if (!order || (strncmp(order, "True", 4) != 0 && strncmp(order, "False", 5) != 0))
    return FG_FAIL(st, FG_IO, "%s: the header does not say 'fortran_order'", path);
  h->fortran = order[0] == 'T';
  const char *shape = find_key(text, "shape");
  if (!shape) return FG_FAIL(st, FG_IO, "%s: the header does not give a 'shape'", path);
  return parse_shape(path, shape, h, st);
}

/* Read the fixed part and the text; *offset is where the entries begin. */
static fg_code read_header(const char *path, FILE *stream, size_t size, header *h, size_t *offset,
                           fg_status *st)
{
  unsigned char fixed[12] = {0};
  size_t got = fread(fixed, 1, 8, stream);
  if (got < 8 || memcmp(fixed, "\x93NUMPY", 6) != 0)
    return FG_FAIL(st, FG_IO, "%s: not a NumPy array, or cut off after %zu bytes", path, got);
  int version = fixed[6], wide = version >= 2;
  if (version < 1 || version > 3)
    return FG_FAIL(st, FG_IO, "%s: NumPy format version %d is not known", path, version);
  got = fread(fixed + 8, 1, wide ? 4 : 2, stream);
  size_t length =
      (size_t)fixed[8] | (size_t)fixed[9] << 8 | (size_t)fixed[10] << 16 | (size_t)fixed[11] << 24;
  *offset = (wide ? 12 : 10) + length;
  if (got != (wide ? 4U : 2U) || *offset > size || length > 1 << 20)
    return FG_FAIL(st, FG_IO,
                   "%s: the header should have %zu bytes, the file has %zu: it is cut off or damaged", path,
                   length, size);
  char *text = malloc(length + 1);
  if (!text) return FG_FAIL(st, FG_MEMORY, "%s: no memory", path);
  fg_code rc = FG_OK;
  if (fread(text, 1, length, stream) != length)
    rc = FG_FAIL(st, FG_IO, "%s: the header cannot be read", path);
  text[length] = 0;
  if (rc == FG_OK) rc = parse_header(path, text, h, st);
  free(text);
  return rc;
}

/* IEEE half: 1 sign, 5 exponent, 10 fraction bits. */
static double decode_half(uint64_t bits)
{
  int exponent = (int)(bits >> 10 & 31);
  double fraction = (double)(bits & 1023), size = ldexp(fraction, -24);
  if (exponent == 31)
    size = fraction > 0 ? NAN : INFINITY;
  else if (exponent)
    size = ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 ? -size : size;
}

static double decode_float(uint64_t bits, int bytes)
{
  if (bytes == 2) return decode_half(bits);
  if (bytes == 8) {
    double value;
    memcpy(&value, &bits, 8);
    return value;
  }
  uint32_t low = (uint32_t)bits;
  float single;
  memcpy(&single, &low, 4);
  return single;
}

/* false: a whole number that is no double. */
static bool decode(const unsigned char *at, const header *h, double *value)
{
  uint64_t bits = 0;
  for (int k = 0; k < h->bytes; ++k) bits |= (uint64_t)at[k] << 8 * (h->big_endian ? h->bytes - 1 - k : k);
  if (h->kind == 'f') {
    *value = decode_float(bits, h->bytes);
    return true;
  }
  bool negative = h->kind == 'i' && bits >> (8 * h->bytes - 1);
  uint64_t size = bits;
  if (negative) size = h->bytes == 8 ? 0 - bits : (UINT64_C(1) << 8 * h->bytes) - bits;
  *value = negative ? -(double)size : (double)size;
  return size <= UINT64_C(1) << 53;
}

static fg_code read_values(const char *path, FILE *stream, const header *h, double *values, fg_status *st)
{
  unsigned char block[1 << 15];
  size_t count = h->rows * h->columns, per = sizeof block / (size_t)h->bytes;
  for (size_t done = 0; done < count;) {
    size_t want = count - done < per ? count - done : per;
    if (fread(block, (size_t)h->bytes, want, stream) != want)
      return FG_FAIL(st, FG_IO, "%s: reading stopped after %zu of %zu entries", path, done, count);
    for (size_t k = 0; k < want; ++k, ++done) {
      /* Fortran order runs down the columns first */
      size_t at = h->fortran ? done % h->rows * h->columns + done / h->rows : done;
      if (!decode(block + k * (size_t)h->bytes, h, &values[at]))
        return FG_FAIL(
            st, FG_IO,
            "%s: the whole number at row %zu, column %zu is beyond 2^53 and would be rounded: convert "
            "with array.astype(float) if that is meant",
            path, at / h->columns + 1, at % h->columns + 1);
    }
  }
  return FG_OK;
}

static fg_code read_stream(const char *path, FILE *stream, size_t size, header *h, double **values,
                           fg_status *st)
{
  size_t offset = 0, count, bytes, memory;
  FG_TRY(read_header(path, stream, size, h, &offset, st));
  if (!fg_mul_fits(h->rows, h->columns, &count) || !fg_mul_fits(count, h->bytes, &bytes) ||
      bytes != size - offset)
    return FG_FAIL(st, FG_IO,
                   "%s: the header promises %zu x %zu entries of %d bytes, the file holds %zu bytes of them: "
                   "it is cut off or damaged",
                   path, h->rows, h->columns, h->bytes, size - offset);
  *values = fg_mul_fits(count, sizeof(double), &memory) ? malloc(memory ? memory : 1) : NULL;
  if (!*values)
    return FG_FAIL(st, FG_MEMORY, "%s: no memory for %zu x %zu numbers", path, h->rows, h->columns);
  fg_code rc = read_values(path, stream, h, *values, st);
  if (rc == FG_OK) return FG_OK;
  free(*values);
  *values = NULL;
  return rc;
}

fg_code fg_npy_read_stream(const char *path, FILE *stream, size_t size, size_t *rows, size_t *columns,
                           double **values, fg_status *st)
{
  header h = {0};
  *values = NULL;
  fg_code rc = read_stream(path, stream, size, &h, values, st);
  *rows = h.rows;
  *columns = h.columns;
  return rc;
}

fg_code fg_npy_read(const char *path, size_t *rows, size_t *columns, double **values, fg_status *st)
{
  FILE *stream;
  size_t size;
  *values = NULL;
  FG_TRY(fg_file_open(path, &stream, &size, st));
  fg_code rc = fg_npy_read_stream(path, stream, size, rows, columns, values, st);
  fclose(stream);
  return rc;
}

/* The double's bytes, least significant first. */
static void encode(double value, unsigned char *at)
{
  uint64_t bits;
  memcpy(&bits, &value, 8);
  for (int k = 0; k < 8; ++k) at[k] = (unsigned char)(bits >> 8 * k);
}

fg_code fg_npy_write(const char *path, size_t rows, size_t columns, const double *values, fg_status *st)
{
  /* magic, version 1.0 and a header padded to 128 bytes so that entries are aligned */
  char head[129];
  unsigned char block[1 << 15];
  memset(head, ' ', 128);
  memcpy(head, "\x93NUMPY\x01\x00\x76\x00", 10);
  int used = snprintf(head + 10, 118, "{'descr': '<f8', 'fortran_order': False, 'shape': (%zu, %zu), }", rows,
                      columns);
  head[10 + used] = ' ';
  head[127] = '\n';
  fg_file *file;
  FG_TRY(fg_file_begin(path, &file, st));
  fg_code rc = fg_file_put(file, head, 128, st);
  size_t count = rows * columns;
  for (size_t done = 0; done < count && rc == FG_OK;) {
    size_t n = 0;
    for (; n < sizeof block / 8 && done < count; ++n, ++done) encode(values[done], block + 8 * n);
    rc = fg_file_put(file, block, 8 * n, st);
  }
  if (rc == FG_OK) return fg_file_commit(&file, st);
  fg_file_discard(&file);
  return rc;
}

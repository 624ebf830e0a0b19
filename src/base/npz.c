#include "base/npz.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/npy.h"

/* Sizes of the fixed parts of the three records of a ZIP archive that matter (APPNOTE.TXT, 4.3). */
enum { LOCAL = 30, CENTRAL = 46, END = 22, COMMENT_MOST = 65535 };

static size_t word(const unsigned char *at, int bytes)
{
  size_t value = 0;
  for (int k = bytes; k-- > 0;) value = value << 8 | at[k];
  return value;
}

bool fg_npz_signature(const unsigned char *bytes, size_t size)
{
  return size >= 4 && (!memcmp(bytes, "PK\3\4", 4) || !memcmp(bytes, "PK\5\6", 4));
}

static fg_code damaged(const fg_npz *z, const char *what, fg_status *st)
{
  return FG_FAIL(st, FG_IO, "%s: not a whole NPZ archive (%s)", z->path, what);
}

static bool read_at(const fg_npz *z, size_t at, void *to, size_t size)
{
  return at <= z->size && size <= z->size - at && fseek(z->stream, (long)at, SEEK_SET) == 0 &&
         fread(to, 1, size, z->stream) == size;
}

/* The last record tells where the list of members lies; a comment may follow it. */
static fg_code find_end(const fg_npz *z, unsigned char end[END], fg_status *st)
{
  size_t room = z->size < END + COMMENT_MOST ? z->size : END + COMMENT_MOST;
  unsigned char *tail = room >= END ? malloc(room) : NULL;
  if (room >= END && !tail) return FG_FAIL(st, FG_MEMORY, "%s: no memory", z->path);
  bool found = false;
  if (tail && read_at(z, z->size - room, tail, room))
    for (size_t k = room - END + 1; !found && k-- > 0;) {
      found = !memcmp(tail + k, "PK\5\6", 4) && k + END + word(tail + k + 20, 2) == room;
      if (found) memcpy(end, tail + k, END);
    }
  free(tail);
  return found ? FG_OK : damaged(z, "its end is missing", st);
}

/* One record of the list, at *at, which moves on; members that are no arrays are passed over. */
static fg_code take_record(fg_npz *z, const unsigned char *list, size_t size, size_t *at, fg_status *st)
{
  const unsigned char *r = list + *at;
  if (size - *at < CENTRAL || memcmp(r, "PK\1\2", 4) != 0)
    return damaged(z, "its list of members is cut off", st);
  size_t name = word(r + 28, 2), whole = CENTRAL + name + word(r + 30, 2) + word(r + 32, 2);
  if (whole > size - *at) return damaged(z, "its list of members is cut off", st);
  *at += whole;
  const char *text = (const char *)r + CENTRAL;
  if (name < 5 || memcmp(text + name - 4, ".npy", 4) != 0 || memchr(text, 0, name)) return FG_OK;
  fg_npz_entry *e = &z->entry[z->count];
  *e = (fg_npz_entry){.method = (unsigned)word(r + 10, 2),
                      .crc = word(r + 16, 4),
                      .packed = word(r + 20, 4),
                      .size = word(r + 24, 4),
                      .at = word(r + 42, 4)};
  if (word(r + 8, 2) & 1) return damaged(z, "it is encrypted", st);
  if (e->packed == 0xffffffff || e->size == 0xffffffff || e->at == 0xffffffff)
    return FG_FAIL(st, FG_IO, "%s: an array of 4 GiB or more: save it as .npy or .h5", z->path);
  e->name = strndup(text, name - 4);
  if (!e->name) return FG_FAIL(st, FG_MEMORY, "%s: no memory", z->path);
  ++z->count;
  return FG_OK;
}

static fg_code read_list(fg_npz *z, fg_status *st)
{
  unsigned char end[END];
  fg_code rc = FG_OK;
  FG_TRY(find_end(z, end, st));
  size_t count = word(end + 10, 2), size = word(end + 12, 4), from = word(end + 16, 4);
  if (from == 0xffffffff || count == 0xffff)
    return FG_FAIL(st, FG_IO, "%s: an archive of 4 GiB or more: save arrays as .npy or .h5", z->path);
  if (from > z->size || size > z->size - from || count > size / CENTRAL)
    return damaged(z, "its list of members lies outside", st);
  unsigned char *list = malloc(size + 1);
  z->entry = calloc(count + 1, sizeof *z->entry);
  if (!list || !z->entry)
    rc = FG_FAIL(st, FG_MEMORY, "%s: no memory", z->path);
  else if (!read_at(z, from, list, size))
    rc = damaged(z, "its list of members cannot be read", st);
  for (size_t k = 0, at = 0; rc == FG_OK && k < count; ++k) rc = take_record(z, list, size, &at, st);
  free(list);
  if (rc == FG_OK && !z->count)
    rc = FG_FAIL(st, FG_IO, "%s: a ZIP archive without NumPy arrays: an NPZ file holds NAME.npy", z->path);
  return rc;
}

fg_code fg_npz_open(const char *path, fg_npz *z, fg_status *st)
{
  memset(z, 0, sizeof *z);
  FG_TRY(fg_file_open(path, &z->stream, &z->size, st));
  z->path = strdup(path);
  fg_code rc = z->path ? read_list(z, st) : FG_FAIL(st, FG_MEMORY, "%s: no memory", path);
  if (rc != FG_OK) fg_npz_close(z);
  return rc;
}

void fg_npz_close(fg_npz *z)
{
  for (size_t k = 0; k < z->count; ++k) free(z->entry[k].name);
  free(z->entry);
  if (z->stream) fclose(z->stream);
  free(z->path);
  memset(z, 0, sizeof *z);
}

size_t fg_npz_find(const fg_npz *z, const char *name)
{
  size_t k = 0;
  while (k < z->count && strcmp(z->entry[k].name, name) != 0) ++k;
  return k;
}

static bool unpack(const fg_npz_entry *e, unsigned char *packed, unsigned char *to)
{
  z_stream z = {.next_in = packed, .avail_in = (uInt)e->packed, .next_out = to, .avail_out = (uInt)e->size};
  if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return false;
  bool good = inflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out == e->size;
  inflateEnd(&z);
  return good;
}

/* The bytes of a member; free() them. */
static fg_code take_bytes(fg_npz *z, const fg_npz_entry *e, unsigned char **bytes, fg_status *st)
{
  unsigned char local[LOCAL];
  *bytes = NULL;
  if (!read_at(z, e->at, local, LOCAL) || memcmp(local, "PK\3\4", 4) != 0)
    return damaged(z, "a member is not where it should be", st);
  size_t from = e->at + LOCAL + word(local + 26, 2) + word(local + 28, 2);
  bool stored = e->method == 0, deflated = e->method == 8;
  if (!stored && !deflated) return damaged(z, "packed by a method other than deflate", st);
  if (from > z->size || e->packed > z->size - from || (stored && e->packed != e->size) ||
      e->size / 1032 > e->packed) /* deflate packs at most 1032 to 1 */
    return damaged(z, "sizes that it cannot hold", st);
  unsigned char *packed = malloc(e->packed + 1), *made = stored ? packed : malloc(e->size + 1);
  fg_code rc = packed && made ? FG_OK : FG_FAIL(st, FG_MEMORY, "%s: no memory for %s", z->path, e->name);
  if (rc == FG_OK && (!read_at(z, from, packed, e->packed) || (deflated && !unpack(e, packed, made)) ||
                      crc32(crc32(0, NULL, 0), made, (uInt)e->size) != e->crc))
    rc = damaged(z, "the checksum of a member is wrong", st);
  if (packed != made) free(packed);
  if (rc == FG_OK)
    *bytes = made;
  else
    free(made);
  return rc;
}

fg_code fg_npz_read(fg_npz *z, size_t entry, size_t *rows, size_t *columns, double **values, fg_status *st)
{
  unsigned char *bytes;
  const fg_npz_entry *e = &z->entry[entry];
  *values = NULL;
  FG_TRY(take_bytes(z, e, &bytes, st));
  FILE *stream = e->size ? fmemopen(bytes, e->size, "rb") : NULL;
  fg_code rc = FG_OK;
  if (!stream)
    rc = damaged(z, "an empty member", st);
  else
    rc = fg_npy_read_stream(e->name, stream, e->size, rows, columns, values, st);
  if (stream) fclose(stream);
  free(bytes);
  if (rc != FG_OK && stream) (void)fg_status_prefix(st, "%s: array ", z->path);
  return rc;
}

#include "base/saved.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/file.h"

static const char fg_saved_magic[16] = "flowgap saved 1";

typedef struct fg_step {
  char *name;
  unsigned char *bytes;
  size_t size;
} fg_step;

struct fg_saved {
  char *path;
  fg_step *step;
  size_t steps, room, on_disk; /* on_disk: steps that the file holds */
  bool gone;
  double began, written, cost; /* seconds: start of the run, last writing, what it took */
};

/* magic, seconds of the run, then for each step: length of its name, size, name, bytes; CRC-32 of all before. */
typedef struct fg_saved_head {
  char magic[16];
  double seconds;
} fg_saved_head;

fg_code fg_saved_create(const char *path, fg_saved **out, fg_status *st)
{
  fg_saved *s = *out = calloc(1, sizeof *s);
  if (s) s->path = strdup(path);
  if (!s || !s->path) {
    fg_saved_destroy(out);
    return FG_FAIL(st, FG_MEMORY, "no memory for %s", path);
  }
  s->began = s->written = fg_seconds();
  return FG_OK;
}

void fg_saved_destroy(fg_saved **saved)
{
  fg_saved *s = *saved;
  *saved = NULL;
  if (!s) return;
  for (size_t i = 0; i < s->steps; i++) {
    free(s->step[i].name);
    free(s->step[i].bytes);
  }
  free(s->step);
  free(s->path);
  free(s);
}

static const fg_step *fg_saved_find(const fg_saved *s, const char *name)
{
  for (size_t i = 0; i < s->steps; i++)
    if (strcmp(s->step[i].name, name) == 0) return &s->step[i];
  return NULL;
}

/* A step with room for its bytes, at the end of the list. */
static fg_code fg_saved_add(fg_saved *s, const char *name, size_t length, size_t size, unsigned char **bytes,
                            fg_status *st)
{
  if (s->steps == s->room) {
    size_t room = s->room ? 2 * s->room : 32;
    fg_step *grown = realloc(s->step, room * sizeof *grown);
    if (!grown) return FG_FAIL(st, FG_MEMORY, "no memory for %zu finished steps", room);
    s->step = grown;
    s->room = room;
  }
  fg_step step = {strndup(name, length), malloc(size ? size : 1), size};
  if (!step.name || !step.bytes) {
    free(step.name);
    free(step.bytes);
    return FG_FAIL(st, FG_MEMORY, "no memory for %zu bytes of a finished step", size);
  }
  *bytes = step.bytes;
  s->step[s->steps++] = step;
  return FG_OK;
}

bool fg_saved_take(const fg_saved *s, const char *name, size_t count, const fg_piece *piece)
{
  const fg_step *step = fg_saved_find(s, name);
  size_t size = 0;
  for (size_t i = 0; i < count; i++) size += piece[i].size;
  if (!step || step->size != size) return false;
  const unsigned char *from = step->bytes;
  for (size_t i = 0; i < count; i++) {
    if (piece[i].size) memcpy(piece[i].at, from, piece[i].size);
    from += piece[i].size;
  }
  return true;
}

const void *fg_saved_look(const fg_saved *s, const char *name, size_t *size)
{
  const fg_step *step = fg_saved_find(s, name);
  if (!step) return NULL;
  *size = step->size;
  return step->bytes;
}

enum { FG_SAVED_SHARE = 10 };
static const double fg_saved_wait = 1;

fg_code fg_saved_keep(fg_saved *s, const char *name, size_t count, const fg_piece *piece, fg_status *st)
{
  size_t size = 0;
  unsigned char *to;
  for (size_t i = 0; i < count; i++) size += piece[i].size;
  FG_TRY(fg_saved_add(s, name, strlen(name), size, &to, st));
  for (size_t i = 0; i < count; i++) {
    if (piece[i].size) memcpy(to, piece[i].at, piece[i].size);
    to += piece[i].size;
  }
  double waited = fg_seconds() - s->written;
  if (waited < fg_saved_wait || waited < FG_SAVED_SHARE * s->cost) return FG_OK;
  return fg_saved_write(s, st);
}

/* crc32 takes 32 bits of a length */
static uLong fg_crc(uLong crc, const void *bytes, size_t size)
{
  const unsigned char *at = bytes;
  for (size_t left = size; left > 0;) {
    uInt part = left > (1u << 30) ? 1u << 30 : (uInt)left;
    crc = crc32(crc, at, part);
    at += part;
    left -= part;
  }
  return crc;
}

static fg_code fg_saved_put(fg_file *file, uLong *crc, const void *bytes, size_t size, fg_status *st)
{
  *crc = fg_crc(*crc, bytes, size);
  return fg_file_put(file, bytes, size, st);
}

fg_code fg_saved_write(fg_saved *s, fg_status *st)
{
  double start = fg_seconds();
  fg_file *file = NULL;
  fg_code rc;
  uLong crc = 0;
  if (s->gone || s->on_disk == s->steps) return FG_OK;
  fg_saved_head head = {.seconds = start - s->began};
  memcpy(head.magic, fg_saved_magic, sizeof head.magic);
  s->written = start; /* a disk that is full is not asked again at once */
  FG_TRY(fg_file_begin(s->path, &file, st));
  FG_GO(fg_saved_put(file, &crc, &head, sizeof head, st), done);
  for (size_t i = 0; i < s->steps; i++) {
    const uint64_t lengths[2] = {strlen(s->step[i].name), s->step[i].size};
    FG_GO(fg_saved_put(file, &crc, lengths, sizeof lengths, st), done);
    FG_GO(fg_saved_put(file, &crc, s->step[i].name, lengths[0], st), done);
    FG_GO(fg_saved_put(file, &crc, s->step[i].bytes, s->step[i].size, st), done);
  }
  const uint64_t sum = crc;
  FG_GO(fg_file_put(file, &sum, sizeof sum, st), done);
  FG_GO(fg_file_commit(&file, st), done);
  s->on_disk = s->steps;
done:
  fg_file_discard(&file);
  s->written = fg_seconds();
  s->cost = s->written - start;
  return rc;
}

static fg_code fg_saved_parse(fg_saved *s, const unsigned char *bytes, size_t size, fg_status *st)
{
  const unsigned char *at = bytes + sizeof(fg_saved_head), *end = bytes + size - sizeof(uint64_t);
  while (at < end) {
    uint64_t lengths[2];
    unsigned char *to;
    if ((size_t)(end - at) < sizeof lengths) break;
    memcpy(lengths, at, sizeof lengths);
    at += sizeof lengths;
    size_t left = (size_t)(end - at);
    if (lengths[0] > left || lengths[1] > left - lengths[0]) break;
    FG_TRY(fg_saved_add(s, (const char *)at, lengths[0], lengths[1], &to, st));
    memcpy(to, at + lengths[0], lengths[1]);
    at += lengths[0] + lengths[1];
  }
  s->on_disk = s->steps;
  return at == end ? FG_OK : FG_FAIL(st, FG_IO, "%s: its parts do not fit its size", s->path);
}

fg_code fg_saved_read(const char *path, fg_saved **out, fg_status *st)
{
  unsigned char *bytes = NULL;
  size_t size = 0;
  fg_saved_head head;
  uint64_t sum = 0;
  fg_code rc;
  *out = NULL;
  FG_GO(fg_file_read(path, &bytes, &size, st), done);
  bool whole = size >= sizeof head + sizeof sum;
  if (whole) {
    memcpy(&head, bytes, sizeof head);
    memcpy(&sum, bytes + size - sizeof sum, sizeof sum);
    whole = memcmp(head.magic, fg_saved_magic, sizeof head.magic) == 0 &&
            sum == fg_crc(0, bytes, size - sizeof sum);
  }
  if (!whole) {
    rc = FG_FAIL(st, FG_IO, "%s is damaged, or was written by another version: remove it and begin anew",
                 path);
    goto done;
  }
  FG_GO(fg_saved_create(path, out, st), done);
  (*out)->began -= head.seconds;
  rc = fg_saved_parse(*out, bytes, size, st);
done:
  free(bytes);
  if (rc != FG_OK) fg_saved_destroy(out);
  return rc;
}

void fg_saved_remove(fg_saved *s)
{
  remove(s->path);
  s->gone = true;
}

const char *fg_saved_path(const fg_saved *s)
{
  return s->path;
}

size_t fg_saved_steps(const fg_saved *s)
{
  return s->steps;
}

double fg_saved_began(const fg_saved *s)
{
  return s->began;
}

fg_code fg_file_marked(const char *path, fg_file_mark mark, fg_status *st)
{
  FILE *stream;
  size_t size, got, all = 0;
  unsigned char part[1 << 14];
  uLong crc = 0;
  FG_TRY(fg_file_open(path, &stream, &size, st));
  while ((got = fread(part, 1, sizeof part, stream)) > 0) {
    crc = fg_crc(crc, part, got);
    all += got;
  }
  bool good = !ferror(stream);
  fclose(stream);
  if (!good) return FG_FAIL(st, FG_IO, "%s: it could not be read to its end", path);
  snprintf(mark, sizeof(fg_file_mark), "%zu bytes, CRC %08lx", all, crc);
  return FG_OK;
}

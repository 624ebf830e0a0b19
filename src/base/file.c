#define _XOPEN_SOURCE 700 /* realpath */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fg_file {
  char *path;      /* where it shall be, links followed; as given for devices */
  char *temporary; /* NULL when written in place */
  FILE *stream;
};

const char *fg_file_why(int error, char text[128])
{
  if (strerror_r(error, text, 128) != 0) snprintf(text, 128, "error %d", error);
  return text;
}

fg_code fg_file_open(const char *path, FILE **stream, size_t *size, fg_status *st)
{
  char why[128];
  struct stat info;
  *stream = NULL;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not block before fstat */
  if (fd < 0) return FG_FAIL(st, FG_IO, "%s: cannot read it: %s", path, fg_file_why(errno, why));
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < 0) {
    close(fd);
    return FG_FAIL(st, FG_IO, "%s: cannot read it: it is %s, give a file", path,
                   S_ISDIR(info.st_mode) ? "a folder" : "not a regular file");
  }
  *stream = fdopen(fd, "rb");
  if (!*stream) {
    close(fd);
    return FG_FAIL(st, FG_MEMORY, "%s: no memory to open it", path);
  }
  *size = (size_t)info.st_size;
  return FG_OK;
}

fg_code fg_file_read(const char *path, unsigned char **bytes, size_t *size, fg_status *st)
{
  FILE *stream;
  *bytes = NULL;
  FG_TRY(fg_file_open(path, &stream, size, st));
  unsigned char *buffer = *size < SIZE_MAX ? malloc(*size + 1) : NULL;
  if (!buffer) {
    fclose(stream);
    return FG_FAIL(st, FG_MEMORY, "%s: no memory for its %zu bytes", path, *size);
  }
  size_t got = fread(buffer, 1, *size, stream);
  fclose(stream);
  if (got != *size) {
    free(buffer);
    return FG_FAIL(st, FG_IO, "%s: only %zu of %zu bytes could be read", path, got, *size);
  }
  buffer[got] = 0;
  *bytes = buffer;
  return FG_OK;
}

/* Length of the folder part with its slash; 0 when there is none. */
static size_t folder_length(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) + 1 : 0;
}

static void file_free(fg_file *file)
{
  free(file->path);
  free(file->temporary);
  free(file);
}

/* Create ".flowgap-PID-K.tmp" beside the file; K counts up until the name is free. */
static int open_temporary(fg_file *file)
{
  size_t folder = folder_length(file->path), room = folder + 64;
  file->temporary = malloc(room);
  if (!file->temporary) return -1;
  memcpy(file->temporary, file->path, folder);
  for (int k = 0; k < 10000; ++k) {
    snprintf(file->temporary + folder, room - folder, ".flowgap-%ld-%d.tmp", (long)getpid(), k);
    int fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
  return -1;
}

fg_code fg_file_begin(const char *path, fg_file **out, fg_status *st)
{
  char why[128];
  struct stat info;
  *out = NULL;
  int exists = stat(path, &info) == 0;
  if (exists && S_ISDIR(info.st_mode))
    return FG_FAIL(st, FG_IO, "%s: cannot write it: it is a folder, give a file name", path);
  fg_file *file = calloc(1, sizeof *file);
  if (!file) return FG_FAIL(st, FG_MEMORY, "%s: no memory to open it", path);
  int in_place = exists && !S_ISREG(info.st_mode);
  file->path = exists && !in_place ? realpath(path, NULL) : strdup(path);
  int fd = -1;
  errno = ENOMEM;
  if (file->path) fd = in_place ? open(file->path, O_WRONLY | O_CLOEXEC) : open_temporary(file);
  file->stream = fd >= 0 ? fdopen(fd, "wb") : NULL;
  if (!file->stream) {
    int error = errno;
    if (fd >= 0) close(fd);
    if (fd >= 0 && file->temporary) unlink(file->temporary);
    file_free(file);
    return FG_FAIL(st, FG_IO, "%s: cannot write it: %s", path, fg_file_why(error, why));
  }
  if (exists && !in_place && fchmod(fd, info.st_mode & 07777) != 0) errno = 0; /* not ours: umask rules */
  *out = file;
  return FG_OK;
}

FILE *fg_file_stream(fg_file *file)
{
  return file->stream;
}

fg_code fg_file_put(fg_file *file, const void *bytes, size_t size, fg_status *st)
{
  char why[128];
  errno = 0;
  if (fwrite(bytes, 1, size, file->stream) == size) return FG_OK;
  return FG_FAIL(st, FG_IO, "%s: writing failed: %s", file->path, fg_file_why(errno ? errno : EIO, why));
}

/* A rename lasts through a power failure only once the folder is synced. Some file systems cannot
 * sync folders: the file itself is safe by then, so that is no failure. */
static void sync_folder(const char *path)
{
  size_t length = folder_length(path);
  char *folder = length ? strndup(path, length) : strdup(".");
  if (!folder) return;
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    if (fsync(fd) != 0) errno = 0;
    close(fd);
  }
  free(folder);
}

fg_code fg_file_commit(fg_file **handle, fg_status *st)
{
  fg_file *file = *handle;
  char why[128];
  int error = 0;
  errno = 0;
  if (fflush(file->stream) != 0 || ferror(file->stream)) error = errno ? errno : EIO;
  if (!error && file->temporary && fsync(fileno(file->stream)) != 0) error = errno;
  if (fclose(file->stream) != 0 && !error) error = errno ? errno : EIO;
  file->stream = NULL;
  if (!error && file->temporary && rename(file->temporary, file->path) != 0) error = errno;
  fg_code rc = FG_OK;
  if (error)
    rc = FG_FAIL(st, FG_IO, "%s: writing failed: %s%s", file->path, fg_file_why(error, why),
                 file->temporary ? "; the previous file, if any, is as it was" : "");
  else if (file->temporary)
    sync_folder(file->path);
  if (error && file->temporary) unlink(file->temporary);
  file_free(file);
  *handle = NULL;
  return rc;
}

void fg_file_discard(fg_file **handle)
{
  fg_file *file = handle ? *handle : NULL;
  if (!file) return;
  if (file->stream) fclose(file->stream);
  if (file->temporary) unlink(file->temporary);
  file_free(file);
  *handle = NULL;
}

fg_code fg_file_write(const char *path, const void *bytes, size_t size, fg_status *st)
{
  fg_file *file;
  FG_TRY(fg_file_begin(path, &file, st));
  fg_code rc = fg_file_put(file, bytes, size, st);
  if (rc != FG_OK) {
    fg_file_discard(&file);
    return rc;
  }
  return fg_file_commit(&file, st);
}

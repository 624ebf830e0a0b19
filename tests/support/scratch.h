/* A folder for the files of one test program, and what tests of files need. */
#ifndef FG_TEST_SCRATCH_H
#define FG_TEST_SCRATCH_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch_folder[64];

/* cmocka group set-up and tear-down. */
static inline int scratch_make(void **state)
{
  (void)state;
  strcpy(scratch_folder, "/tmp/flowgap-test-XXXXXX");
  return mkdtemp(scratch_folder) ? 0 : -1;
}

/* Files in the folder, hidden ones included. */
static inline int scratch_count(void)
{
  int count = 0;
  DIR *folder = opendir(scratch_folder);
  for (struct dirent *e; folder && (e = readdir(folder)) != NULL;)
    count += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
  if (folder) closedir(folder);
  return count;
}

static inline int scratch_remove(void **state)
{
  char path[512];
  DIR *folder = opendir(scratch_folder);
  (void)state;
  for (struct dirent *e; folder && (e = readdir(folder)) != NULL;) {
    snprintf(path, sizeof path, "%s/%s", scratch_folder, e->d_name);
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) unlink(path);
  }
  if (folder) closedir(folder);
  return rmdir(scratch_folder);
}

/* FOLDER/name; up to eight are good at once. */
static inline const char *scratch(const char *name)
{
  static char path[8][256];
  static unsigned at;
  char *to = path[at++ % 8];
  snprintf(to, 256, "%s/%s", scratch_folder, name);
  return to;
}

static inline const char *scratch_bytes(const char *name, const void *bytes, size_t size)
{
  const char *path = scratch(name);
  unlink(path); /* file systems flush a file that is cut to nothing and written anew */
  FILE *stream = fopen(path, "wb");
  if (!stream || fwrite(bytes, 1, size, stream) != size || fclose(stream)) exit(2);
  return path;
}

static inline const char *scratch_text(const char *name, const char *text)
{
  return scratch_bytes(name, text, strlen(text));
}

#endif

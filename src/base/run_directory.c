#include "base/run_directory.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

/* The log of a run while the results of an earlier one still stand; it stays should the run fail. */
static const char FG_LOG_WAITING[] = "log-failed.txt";

char *fg_path_join(const char *path, const char *name)
{
  size_t room = strlen(path) + strlen(name) + 2;
  char *joined = malloc(room);
  if (joined) snprintf(joined, room, "%s/%s", path, name);
  return joined;
}

static fg_code fg_make_folders(const char *path, fg_status *st)
{
  char *part = strdup(path);
  if (!part) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", path);
  fg_code rc = FG_OK;
  for (char *at = part + 1; rc == FG_OK; at++) {
    if (*at != '/' && *at != 0) continue;
    char kept = *at;
    *at = 0;
    if (mkdir(part, 0777) != 0 && errno != EEXIST) {
      char why[128];
      int error = errno;
      rc = FG_FAIL(st, FG_IO, "cannot make the folder %s: %s; choose another with --out", part,
                   fg_file_why(error, why));
    }
    *at = kept;
    if (!kept) break;
  }
  free(part);
  return rc;
}

/* A folder that holds anything must hold a config.yaml too, or it is somebody else's. */
static fg_code fg_check_folder(const char *path, fg_status *st)
{
  DIR *folder = opendir(path);
  if (!folder) {
    char why[128];
    int error = errno;
    return FG_FAIL(st, FG_IO, "cannot use %s as a run directory: %s; choose another with --out", path,
                   fg_file_why(error, why));
  }
  bool filled = false, config = false;
  for (struct dirent *entry; (entry = readdir(folder));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    filled = true;
    if (strcmp(entry->d_name, "config.yaml") == 0) config = true;
  }
  closedir(folder);
  if (filled && !config)
    return FG_FAIL(st, FG_USAGE,
                   "%s holds files but no config.yaml, so it is not a run directory and is left "
                   "alone: choose another with --out",
                   path);
  return FG_OK;
}

/* The page of a sweep would go while the runs that it shows stay, and the sweep could not be taken up again. */
static fg_code fg_refuse_sweep(const char *path, fg_status *st)
{
  char *file = fg_path_join(path, "results.json");
  if (!file) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", path);
  json_t *results = json_load_file(file, 0, NULL);
  const char *verb = json_string_value(json_object_get(results, "verb"));
  bool sweep = verb && strcmp(verb, "sweep") == 0;
  json_decref(results);
  free(file);
  if (!sweep) return FG_OK;
  return FG_FAIL(st, FG_USAGE,
                 "%s holds a sweep, whose results would be replaced: choose another folder with --out", path);
}

static fg_code fg_remove(const char *path, const char *name, fg_status *st)
{
  char *file = fg_path_join(path, name);
  if (!file) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", path);
  fg_code rc = FG_OK;
  if (remove(file) != 0 && errno != ENOENT) {
    char why[128];
    int error = errno;
    rc = FG_FAIL(st, FG_IO, "cannot remove %s of an earlier run: %s", file, fg_file_why(error, why));
  }
  free(file);
  return rc;
}

/* What an earlier run left here does not go with the new config.yaml. */
static fg_code fg_remove_results(const char *path, fg_status *st)
{
  static const char *const names[] = {"report.html", "results.json", "samples.h5", "densities.h5", "maps.h5"};
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) FG_TRY(fg_remove(path, names[k], st));
  return FG_OK;
}

static fg_code fg_write_config(const char *path, const fg_settings *settings, fg_status *st)
{
  char *yaml = NULL, *config = fg_path_join(path, "config.yaml");
  fg_code rc = FG_OK;
  if (!config) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", path);
  FG_GO(fg_settings_yaml(settings, &yaml, st), done);
  FG_GO(fg_remove_results(path, st), done);
  rc = fg_file_write(config, yaml, strlen(yaml), st);
done:
  free(yaml);
  free(config);
  return rc;
}

static fg_code fg_open_log(const char *path, const char *name, const char *mode, FILE **log, fg_status *st)
{
  char *journal = fg_path_join(path, name);
  fg_code rc = FG_OK;
  if (!journal) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", path);
  *log = fopen(journal, mode);
  if (!*log) {
    char why[128];
    int error = errno;
    rc = FG_FAIL(st, FG_IO, "cannot write %s: %s", journal, fg_file_why(error, why));
  }
  free(journal);
  return rc;
}

static fg_code fg_has_results(const char *path, bool *there, fg_status *st)
{
  struct stat about;
  char *file = fg_path_join(path, "results.json");
  if (!file) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", path);
  *there = stat(file, &about) == 0;
  free(file);
  return FG_OK;
}

static fg_code fg_open_run(const char *path, const fg_settings *settings, const char *mode, FILE **log,
                           fg_status *st)
{
  bool there = false;
  FG_TRY(fg_refuse_sweep(path, st));
  FG_TRY(fg_make_folders(path, st));
  FG_TRY(fg_check_folder(path, st));
  FG_TRY(fg_has_results(path, &there, st));
  if (there) return fg_open_log(path, FG_LOG_WAITING, mode, log, st);
  FG_TRY(fg_write_config(path, settings, st));
  FG_TRY(fg_remove(path, FG_LOG_WAITING, st));
  return fg_open_log(path, "log.txt", mode, log, st);
}

fg_code fg_run_directory_open(const char *path, const fg_settings *settings, FILE **log, fg_status *st)
{
  return fg_open_run(path, settings, "w", log, st);
}

fg_code fg_run_directory_reopen(const char *path, const fg_settings *settings, FILE **log, fg_status *st)
{
  return fg_open_run(path, settings, "a", log, st);
}

fg_code fg_run_directory_replace(const char *path, const fg_settings *settings, fg_status *st)
{
  FG_TRY(fg_write_config(path, settings, st));
  char *waiting = fg_path_join(path, FG_LOG_WAITING), *journal = fg_path_join(path, "log.txt");
  fg_code rc = FG_OK;
  if (!waiting || !journal) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for the path %s", path);
  } else if (rename(waiting, journal) != 0 && errno != ENOENT) {
    char why[128];
    int error = errno;
    rc = FG_FAIL(st, FG_IO, "cannot replace %s: %s", journal, fg_file_why(error, why));
  }
  free(waiting);
  free(journal);
  return rc;
}

fg_code fg_run_directory_continue(const char *path, const fg_settings *settings, FILE **log, fg_status *st)
{
  FG_TRY(fg_make_folders(path, st));
  FG_TRY(fg_check_folder(path, st));
  FG_TRY(fg_write_config(path, settings, st));
  return fg_open_log(path, "log.txt", "a", log, st);
}

/* flowgap report RUN... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "cli/args.h"
#include "flowgap/flowgap.h"

enum { PATH_ROOM = 4096 };

typedef struct fg_files {
  fg_report_output output[FG_REPORT_FORMATS];
  char path[FG_REPORT_FORMATS][PATH_ROOM + 8];
  size_t count;
} fg_files;

/* "html,pdf": each once. */
static fg_code take_formats(const fg_args *args, fg_files *files, fg_status *st)
{
  const char *list = args->value[FG_OPTION_FORMAT];
  for (const char *at = list ? list : "html"; at;) {
    size_t length = strcspn(at, ",");
    int f = 0;
    while (f < FG_REPORT_FORMATS && (strlen(fg_report_format_name((fg_report_format)f)) != length ||
                                     strncmp(at, fg_report_format_name((fg_report_format)f), length) != 0))
      f++;
    if (f == FG_REPORT_FORMATS)
      return FG_FAIL(st, FG_USAGE, "--format: \"%.*s\" is none of html, pdf, png, json, md",
                     (int)(length < 60 ? length : 60), at);
    for (size_t k = 0; k < files->count; k++)
      if (files->output[k].format == (fg_report_format)f)
        return FG_FAIL(st, FG_USAGE, "--format names %.*s twice", (int)length, at);
    files->output[files->count++].format = (fg_report_format)f;
    at = at[length] ? at + length + 1 : NULL;
  }
  return FG_OK;
}

/* Length of `out` without an ending that is one of the formats. */
static size_t stem(const char *out)
{
  const char *dot = strrchr(out, '.');
  for (int f = 0; dot && f < FG_REPORT_FORMATS; f++)
    if (strcmp(dot + 1, fg_report_format_name((fg_report_format)f)) == 0) return (size_t)(dot - out);
  return strlen(out);
}

/* The file of one format as --out gives it, a report in the folder that --out names, one in the run, or here. */
static fg_code take_paths(const fg_args *args, fg_files *files, fg_status *st)
{
  const char *out = args->value[FG_OPTION_OUT];
  struct stat about;
  char base[PATH_ROOM];
  int length;
  bool folder = out && stat(out, &about) == 0 && S_ISDIR(about.st_mode);
  if (folder)
    length = snprintf(base, sizeof base, "%s/report", out);
  else if (out)
    length = snprintf(base, sizeof base, "%.*s", (int)stem(out), out);
  else if (args->count == 1)
    length = snprintf(base, sizeof base, "%s/report", args->argument[0]);
  else
    length = snprintf(base, sizeof base, "report");
  if (length < 0 || (size_t)length >= sizeof base)
    return FG_FAIL(st, FG_USAGE, "the path of the report is longer than %d bytes", PATH_ROOM - 1);
  for (size_t k = 0; k < files->count; k++) {
    const char *name = fg_report_format_name(files->output[k].format);
    if (out && !folder && files->count == 1 && stem(out) < strlen(out) &&
        strcmp(out + stem(out) + 1, name) != 0)
      return FG_FAIL(st, FG_USAGE, "--out ends in %s and --format is %s: let both agree", out + stem(out),
                     name);
    snprintf(files->path[k], sizeof files->path[k], "%s.%s", base, name);
    files->output[k].path = files->path[k];
  }
  return FG_OK;
}

/* {"report": the first, "files": [all]} */
static fg_code put_json(const fg_files *files, fg_status *st)
{
  json_t *root = json_object(), *list = json_array();
  bool good = json_object_set_new(root, "report", json_string(files->path[0])) == 0 &&
              json_object_set_new(root, "files", list) == 0;
  for (size_t k = 0; good && k < files->count; k++)
    good = json_array_append_new(list, json_string(files->path[k])) == 0;
  if (good) {
    json_dumpf(root, stdout, 0);
    putchar('\n');
  }
  json_decref(root);
  return good ? FG_OK : FG_FAIL(st, FG_USAGE, "%s is not UTF-8, so JSON cannot name it", files->path[0]);
}

static fg_code run(const fg_args *args, fg_files *files, fg_status *st)
{
  FG_TRY(take_formats(args, files, st));
  FG_TRY(take_paths(args, files, st));
  FG_TRY(fg_report_save(args->argument, args->count, files->output, files->count, st));
  if (args->value[FG_OPTION_JSON]) return put_json(files, st);
  for (size_t k = 0; k < files->count && !args->value[FG_OPTION_QUIET]; k++) printf("%s\n", files->path[k]);
  return FG_OK;
}

fg_code fg_run_report(const fg_args *args, fg_status *st)
{
  fg_files *files = calloc(1, sizeof *files);
  if (!files) return FG_FAIL(st, FG_MEMORY, "no memory for the paths of the report");
  fg_code rc = run(args, files, st);
  free(files);
  return rc;
}

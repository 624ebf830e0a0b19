/* A page as a file: HTML, and what is made of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/report/make.h"
#include "base/file.h"
#include "flowgap/analysis.h"

/* Everything that a format may need. */
typedef struct fg_sheet {
  const char *const *directories;
  size_t count;
  fg_run *runs;
  fg_page page;
  fg_plots plots;
} fg_sheet;

const char *fg_report_format_name(fg_report_format format)
{
  static const char *const names[FG_REPORT_FORMATS] = {"html", "pdf", "png", "json", "md"};
  return (unsigned)format < FG_REPORT_FORMATS ? names[format] : "unknown";
}

static fg_code save_json(const fg_sheet *s, const char *path, fg_status *st)
{
  char *text = NULL;
  FG_TRY(fg_report_json(s->directories, s->count, s->runs, &s->page, &s->plots, &text, st));
  fg_code rc = fg_file_write(path, text, strlen(text), st);
  free(text);
  return rc;
}

/* ---- Markdown and its pictures --------------------------------------------------------------- */

/* PATH without its ending, and "_figures"; free() it. *name: its last part. */
static char *figures_folder(const char *path, const char **name)
{
  const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
  size_t length = dot && dot > (slash ? slash + 1 : path) ? (size_t)(dot - path) : strlen(path);
  char *folder = malloc(length + sizeof "_figures");
  if (!folder) return NULL;
  memcpy(folder, path, length);
  strcpy(folder + length, "_figures");
  *name = slash ? folder + (slash + 1 - path) : folder;
  return folder;
}

static fg_code save_picture(const fg_sheet *s, const char *folder, const char *name, size_t length,
                            fg_status *st)
{
  size_t room = strlen(folder) + length + 8;
  char *path = malloc(room), word[80];
  if (!path) return FG_FAIL(st, FG_MEMORY, "no memory for the pictures of %s", folder);
  snprintf(word, sizeof word, "%.*s", (int)length, name);
  snprintf(path, room, "%s/%s.png", folder, word);
  fg_code rc = fg_figures_picture(s->plots.figures, word, path, st);
  free(path);
  return rc;
}

static fg_code save_pictures(const fg_sheet *s, const char *folder, const fg_page *names, fg_status *st)
{
  char why[128];
  if (!names->used) return FG_OK;
  if (mkdir(folder, 0777) != 0 && errno != EEXIST)
    return FG_FAIL(st, FG_IO, "cannot make the folder %s: %s", folder, fg_file_why(errno, why));
  FG_TRY(fg_figures_pictures(s->plots.figures, st));
  for (const char *at = names->text; *at;) {
    size_t length = strcspn(at, "\n");
    FG_TRY(save_picture(s, folder, at, length, st));
    at += length + (at[length] == '\n');
  }
  return FG_OK;
}

static fg_code save_markdown(const fg_sheet *s, const char *path, fg_status *st)
{
  const char *name;
  fg_page text = {0}, names = {0};
  fg_code rc = FG_OK;
  char *folder = figures_folder(path, &name);
  if (!folder) return FG_FAIL(st, FG_MEMORY, "no memory for the path %s", path);
  FG_GO(fg_markdown(&s->page, name, &text, &names, st), done);
  FG_GO(save_pictures(s, folder, &names, st), done);
  rc = fg_file_write(path, text.text, text.used, st);
done:
  fg_page_clear(&text);
  fg_page_clear(&names);
  free(folder);
  return rc;
}

/* ---- all of them ------------------------------------------------------------------------------- */

static fg_code save_one(const fg_sheet *s, const fg_report_output *output, fg_status *st)
{
  switch (output->format) {
  case FG_REPORT_HTML:
    return fg_file_write(output->path, s->page.text, s->page.used, st);
  case FG_REPORT_PDF:
    return fg_browser_pdf(&s->page, output->path, st);
  case FG_REPORT_PNG:
    return fg_browser_png(&s->page, output->path, st);
  case FG_REPORT_JSON:
    return save_json(s, output->path, st);
  case FG_REPORT_MD:
    return save_markdown(s, output->path, st);
  case FG_REPORT_FORMATS:
    break;
  }
  return FG_FAIL(st, FG_USAGE, "report format number %d is not known", (int)output->format);
}

fg_code fg_report_save(const char *const *run_directories, size_t runs, const fg_report_output *outputs,
                       size_t count, fg_status *st)
{
  fg_sheet s = {.directories = run_directories, .count = runs};
  fg_code rc;
  if (!runs || !count) return FG_FAIL(st, FG_USAGE, "a report needs a run and a format");
  s.runs = calloc(runs, sizeof *s.runs);
  if (!s.runs) return FG_FAIL(st, FG_MEMORY, "no memory for %zu runs", runs);
  rc = runs == 1 ? fg_report_make(run_directories[0], s.runs, &s.page, &s.plots, st)
                 : fg_side_make(run_directories, runs, s.runs, &s.page, &s.plots, st);
  for (size_t i = 0; rc == FG_OK && i < count; i++) rc = save_one(&s, &outputs[i], st);
  fg_plots_clear(&s.plots);
  fg_page_clear(&s.page);
  for (size_t i = 0; i < runs; i++) fg_run_clear(&s.runs[i]);
  free(s.runs);
  return rc;
}

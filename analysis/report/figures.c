#include "analysis/report/figures.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/report/program.h"
#include "analysis/report/readout.h"
#include "analysis/report/svg.h"
#include "base/file.h"

struct fg_figures {
  char folder[512];
  fg_page script;
  fg_readouts readouts;
};

/* Quotes are doubled inside gnuplot's '...'. */
static void script_quote(fg_page *script, const char *folder, const char *name, const char *ending)
{
  fg_page_put(script, "'");
  for (const char *c = folder; *c; c++) fg_page_bytes(script, *c == '\'' ? "''" : c, *c == '\'' ? 2 : 1);
  fg_page_print(script, "/%s%s'", name, ending);
}

fg_code fg_figures_create(fg_figures **figures, fg_status *st)
{
  char why[128];
  const char *root = getenv("TMPDIR");
  *figures = NULL;
  if (!root || !*root) root = "/tmp";
  fg_figures *made = calloc(1, sizeof *made);
  if (!made) return FG_FAIL(st, FG_MEMORY, "no memory for the figures of the report");
  int size = snprintf(made->folder, sizeof made->folder, "%s/flowgap-report-XXXXXX", root);
  if (size < 0 || (size_t)size >= sizeof made->folder || !mkdtemp(made->folder)) {
    fg_code rc = FG_FAIL(st, FG_IO,
                         "no temporary folder for the figures in %.200s: %s; set TMPDIR to a folder "
                         "that can be written",
                         root, fg_file_why(errno, why));
    free(made);
    return rc;
  }
  fg_page_put(&made->script, "set encoding utf8\nset minussign\nset key noautotitle\n");
  *figures = made;
  return FG_OK;
}

void fg_figures_destroy(fg_figures **figures)
{
  fg_figures *old = *figures;
  if (!old) return;
  DIR *folder = opendir(old->folder);
  if (folder) {
    struct dirent *entry;
    int fd = dirfd(folder);
    while ((entry = readdir(folder)))
      if (entry->d_name[0] != '.') unlinkat(fd, entry->d_name, 0);
    closedir(folder);
  }
  rmdir(old->folder);
  fg_page_clear(&old->script);
  fg_readouts_clear(&old->readouts);
  free(old);
  *figures = NULL;
}

fg_page *fg_figures_script(fg_figures *figures)
{
  return &figures->script;
}

/* Where gnuplot put the axes of the figure that ends here, and their ranges. */
static void script_axes(fg_figures *figures)
{
  const fg_readout *last = fg_readouts_last(&figures->readouts);
  if (!last) return;
  fg_page_put(&figures->script, "set print ");
  script_quote(&figures->script, figures->folder, last->name, ".axes");
  fg_page_put(&figures->script, "\nprint sprintf('[%.2f,%.2f,%.2f,%.2f,%.9g,%.9g,%.9g,%.9g', "
                                "GPVAL_TERM_XMIN, GPVAL_TERM_XMAX, "
                                "1.0 * GPVAL_TERM_YSIZE / GPVAL_TERM_SCALE - GPVAL_TERM_YMAX, "
                                "1.0 * GPVAL_TERM_YSIZE / GPVAL_TERM_SCALE - GPVAL_TERM_YMIN, "
                                "GPVAL_X_MIN, GPVAL_X_MAX, GPVAL_Y_MIN, GPVAL_Y_MAX)\nset print\n");
}

void fg_figures_series(fg_figures *figures, const fg_series *series)
{
  fg_readouts_series(&figures->readouts, &figures->script, series);
}

void fg_figures_axes(fg_figures *figures, const char *x, const char *y, bool flat)
{
  fg_readouts_axes(&figures->readouts, x, y, flat);
}

void fg_figures_fixed(fg_figures *figures)
{
  fg_readouts_fixed(&figures->readouts);
}

void fg_figures_cells(fg_figures *figures, const fg_cells *cells)
{
  fg_readouts_cells(&figures->readouts, cells);
}

void fg_figures_begin(fg_figures *figures, const char *name, int width, int height)
{
  fg_page *script = &figures->script;
  script_axes(figures);
  fg_readouts_begin(&figures->readouts, name, script->used);
  fg_page_print(script,
                "set output\nreset\nset terminal svg size %d,%d font 'sans-serif,13' dynamic standalone\n",
                width, height);
  fg_page_put(script, "set output ");
  script_quote(script, figures->folder, name, ".svg");
  fg_page_put(script, "\nset key noautotitle\n"
                      "set border 3 lw 0.8 lc rgb " FG_INK "\n"
                      "set tics nomirror out scale 0.5,0.3 textcolor rgb " FG_INK "\n"
                      "set xtics offset 0,0.2\nset xlabel offset 0,0.6\n"
                      "set key samplen 1.5 spacing 1.1 textcolor rgb " FG_INK "\n");
}

fg_code fg_figures_data(fg_figures *figures, const char *name, const void *bytes, size_t size, fg_status *st)
{
  char path[640], why[128];
  snprintf(path, sizeof path, "%s/%s", figures->folder, name);
  FILE *stream = fopen(path, "wb");
  bool good = stream && fwrite(bytes, 1, size, stream) == size;
  int error = errno;
  if (stream && fclose(stream) != 0 && good) {
    good = false;
    error = errno;
  }
  if (!good) return FG_FAIL(st, FG_IO, "%s cannot be written: %s", path, fg_file_why(error, why));
  script_quote(&figures->script, figures->folder, name, "");
  return FG_OK;
}

/* ---- running gnuplot -------------------------------------------------------------------- */

/* One run of the script of that name in the folder. */
static fg_code run_script(const fg_figures *figures, const char *name, const fg_page *text, fg_status *st)
{
  char script[640], log[640], complaint[FG_COMPLAINT];
  int status;
  snprintf(script, sizeof script, "%s/%s", figures->folder, name);
  snprintf(log, sizeof log, "%s/gnuplot.log", figures->folder);
  /* -d: without the user's own start-up file, so that a page does not depend on it */
  const char *const words[] = {"gnuplot", "-d", script, NULL};
  FG_TRY(fg_file_write(script, text->text, text->used, st));
  FG_TRY(fg_program_run(words, log, 0, &status, complaint, st));
  if (status == FG_PROGRAM_MISSING)
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "gnuplot was not found on the PATH: the figures of a report need it; install "
                   "the package gnuplot-nox, then run flowgap report on the run directory");
  if (status) return FG_FAIL(st, FG_FAILED, "gnuplot stopped with status %d: %s", status, complaint);
  return FG_OK;
}

fg_code fg_figures_run(fg_figures *figures, fg_status *st)
{
  script_axes(figures);
  fg_page_put(&figures->script, "set output\n");
  FG_TRY(fg_readouts_check(&figures->readouts, st));
  FG_TRY(fg_page_check(&figures->script, st));
  return run_script(figures, "figures.gp", &figures->script, st);
}

/* ---- the same figures as pictures -------------------------------------------------------- */

/* What is put for the words of the script that belong to SVG or stand for colours of the page. */
static size_t picture_word(const char *at, fg_page *to)
{
  static const struct {
    const char *from, *to;
  } rows[] = {{FG_INK, "\"#1c2430\""},  {FG_RULE, "\"#dfe3e8\""}, {FG_MUTED, "\"#667080\""},
              {"0x010101", "0x1c2430"}, {"0x030303", "0x667080"}, {".svg'", ".png'"},
              {".axes'", ".picture'"}};
  static const char terminal[] = "set terminal svg size ";
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strncmp(at, rows[i].from, strlen(rows[i].from)) == 0) {
      fg_page_put(to, rows[i].to);
      return strlen(rows[i].from);
    }
  if (strncmp(at, terminal, sizeof terminal - 1) != 0) return 0;
  char *end;
  long width = strtol(at + sizeof terminal - 1, &end, 10), height = strtol(end + (*end == ','), &end, 10);
  /* twice the size of the page, for screens of today */
  fg_page_print(to, "set terminal pngcairo size %ld,%ld font 'sans,%g' linewidth 2 pointscale 2", 2 * width,
                2 * height, 13 * 1.5);
  return (size_t)(end - at) + strcspn(end, "\n");
}

fg_code fg_figures_pictures(fg_figures *figures, fg_status *st)
{
  fg_page script = {0};
  const char *kept = figures->script.text;
  for (const char *at = kept; at && *at;) {
    /* only these begin a word that is replaced */
    size_t skip = 0;
    if (*at == '"' || *at == '0' || *at == '.' || *at == 's') {
      fg_page_bytes(&script, kept, (size_t)(at - kept));
      kept = at;
      skip = picture_word(at, &script);
    }
    at += skip ? skip : 1;
    if (skip) kept = at;
  }
  if (kept) fg_page_put(&script, kept);
  fg_code rc = fg_page_check(&script, st);
  if (rc == FG_OK && script.used) rc = run_script(figures, "pictures.gp", &script, st);
  fg_page_clear(&script);
  return rc;
}

fg_code fg_figures_picture(const fg_figures *figures, const char *name, const char *path, fg_status *st)
{
  char from[640];
  unsigned char *bytes = NULL;
  size_t size = 0;
  snprintf(from, sizeof from, "%s/%s.png", figures->folder, name);
  FG_TRY(fg_file_read(from, &bytes, &size, st));
  fg_code rc =
      size ? fg_file_write(path, bytes, size, st)
           : FG_FAIL(st, FG_FAILED, "gnuplot left picture %s empty; is %s full?", name, figures->folder);
  free(bytes);
  return rc;
}

/* ---- taking the figures ----------------------------------------------------------------- */

static fg_code read_figure(fg_figures *figures, const char *name, char **text, fg_status *st)
{
  char path[640];
  unsigned char *bytes = NULL;
  size_t size = 0;
  snprintf(path, sizeof path, "%s/%s.svg", figures->folder, name);
  FG_TRY(fg_file_read(path, &bytes, &size, st));
  if (size == 0 || !strstr((char *)bytes, "</svg>")) {
    free(bytes);
    return FG_FAIL(st, FG_FAILED, "gnuplot left figure %s unfinished; is %s full?", name, figures->folder);
  }
  *text = (char *)bytes;
  return FG_OK;
}

/* The axes that gnuplot printed, then what was recorded. */
static fg_code put_readout(fg_figures *figures, const char *name, fg_page *page, fg_status *st)
{
  char path[640];
  unsigned char *axes = NULL;
  size_t size = 0;
  const fg_readout *readout = fg_readouts_find(&figures->readouts, name);
  if (!readout || !readout->used) return FG_OK;
  snprintf(path, sizeof path, "%s/%s.axes", figures->folder, name);
  FG_TRY(fg_file_read(path, &axes, &size, st));
  fg_readout_put(readout, (const char *)axes, &figures->script, page);
  free(axes);
  return fg_page_check(page, st);
}

fg_code fg_figures_svg(fg_figures *figures, const char *name, const char *label, fg_page *page, fg_status *st)
{
  char *text = NULL;
  FG_TRY(read_figure(figures, name, &text, st));
  fg_code rc = fg_svg_inline(text, name, label, page, st);
  free(text);
  FG_TRY(rc);
  return put_readout(figures, name, page, st);
}

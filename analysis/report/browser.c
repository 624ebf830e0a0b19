/* A page on paper or as one picture: a headless browser prints it. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/report/make.h"
#include "analysis/report/program.h"
#include "base/file.h"

enum { PAGE_WIDTH = 1200, PICTURE_MOST = 16000 }; /* pixels; browsers draw no picture higher than 2^14 */
static const double patience = 120;               /* seconds; a page takes two or three */

typedef struct fg_browser {
  char folder[512]; /* temporary: the page, the browser's own files, what it prints */
  char page[560], out[560], log[560], profile[600];
} fg_browser;

static fg_code browser_open(fg_browser *b, fg_status *st)
{
  char why[128];
  const char *root = getenv("TMPDIR");
  if (!root || !*root) root = "/tmp";
  int size = snprintf(b->folder, sizeof b->folder, "%s/flowgap-print-XXXXXX", root);
  if (size < 0 || (size_t)size >= sizeof b->folder || !mkdtemp(b->folder))
    return FG_FAIL(st, FG_IO,
                   "no temporary folder for the browser in %.200s: %s; set TMPDIR to a folder that can be "
                   "written",
                   root, fg_file_why(errno, why));
  snprintf(b->page, sizeof b->page, "%s/page.html", b->folder);
  snprintf(b->out, sizeof b->out, "%s/out.png", b->folder);
  snprintf(b->log, sizeof b->log, "%s/log", b->folder);
  snprintf(b->profile, sizeof b->profile, "--user-data-dir=%s/profile", b->folder);
  return FG_OK;
}

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *place)
{
  (void)about;
  (void)kind;
  (void)place;
  remove(path); /* what is left there is no failure of the report */
  return 0;
}

static void browser_close(const fg_browser *b)
{
  nftw(b->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* `task`: what to do with the page. */
static fg_code browse(const fg_browser *b, const char *const task[3], fg_status *st)
{
  static const char *const names[] = {"chromium", "chromium-browser", "google-chrome",
                                      "google-chrome-stable"};
  char url[600], complaint[FG_COMPLAINT];
  int status = FG_PROGRAM_MISSING;
  snprintf(url, sizeof url, "file://%s", b->page);
  for (size_t i = 0; status == FG_PROGRAM_MISSING && i < sizeof names / sizeof *names; i++) {
    /* as root there is no sandbox to be had; the page is our own and nothing is fetched */
    const char *const words[] = {names[i],
                                 "--headless",
                                 "--disable-gpu",
                                 "--disable-background-networking",
                                 "--hide-scrollbars",
                                 "--host-resolver-rules=MAP * ~NOTFOUND",
                                 "--virtual-time-budget=3000",
                                 "--enable-logging=stderr",
                                 geteuid() == 0 ? "--no-sandbox" : "--disable-extensions",
                                 b->profile,
                                 task[0],
                                 task[1],
                                 task[2],
                                 url,
                                 NULL};
    FG_TRY(fg_program_run(words, b->log, patience, &status, complaint, st));
  }
  if (status == FG_PROGRAM_MISSING)
    return FG_FAIL(
        st, FG_UNSUPPORTED,
        "no browser was found on the PATH (chromium, google-chrome): pdf and png are printed by one; "
        "install the package chromium, or take --format html");
  if (status == FG_PROGRAM_LATE)
    return FG_FAIL(st, FG_FAILED, "the browser did not print the page within %g s: %s", patience, complaint);
  if (status) return FG_FAIL(st, FG_FAILED, "the browser stopped with status %d: %s", status, complaint);
  return FG_OK;
}

/* What the browser printed, moved to its place. */
static fg_code take(const fg_browser *b, const char *path, const char *magic, fg_status *st)
{
  unsigned char *bytes = NULL;
  size_t size = 0, length = strlen(magic);
  if (fg_file_read(b->out, &bytes, &size, NULL) != FG_OK || size < length ||
      memcmp(bytes, magic, length) != 0) {
    free(bytes);
    return FG_FAIL(st, FG_FAILED, "the browser printed nothing; is %s full?", b->folder);
  }
  fg_code rc = fg_file_write(path, bytes, size, st);
  free(bytes);
  return rc;
}

fg_code fg_browser_pdf(const fg_page *page, const char *path, fg_status *st)
{
  fg_browser b;
  char print[600];
  fg_code rc;
  FG_TRY(browser_open(&b, st));
  snprintf(print, sizeof print, "--print-to-pdf=%s", b.out);
  const char *const task[3] = {print, "--no-pdf-header-footer", "--no-first-run"};
  FG_GO(fg_file_write(b.page, page->text, page->used, st), done);
  FG_GO(browse(&b, task, st), done);
  rc = take(&b, path, "%PDF-", st);
done:
  browser_close(&b);
  return rc;
}

/* ---- one picture of the whole page --------------------------------------------------------------- */

/* A picture cannot be scrolled: tables that are wider than the page run on to the right. */
static const char unrolled[] =
    "<style>.scroll{overflow:visible!important}main{margin-left:0!important}</style>\n";
static const char measure[] = "<script>(function(){var e=document.documentElement;console.error('size "
                              "'+e.scrollWidth+' '+e.scrollHeight+';');"
                              "})();</script>\n";

/* The page with these before its end. */
static fg_code write_page(const fg_browser *b, const fg_page *page, const char *more, fg_status *st)
{
  static const char end[] = "</body>";
  const char *at = page->text;
  for (const char *next = at; (next = strstr(next, end)) != NULL; next++) at = next; /* the last one */
  fg_page copy = {0};
  fg_page_bytes(&copy, page->text, (size_t)(at - page->text));
  fg_page_put(&copy, unrolled);
  fg_page_put(&copy, more);
  fg_page_put(&copy, at);
  fg_code rc = fg_page_check(&copy, st);
  if (rc == FG_OK) rc = fg_file_write(b->page, copy.text, copy.used, st);
  fg_page_clear(&copy);
  return rc;
}

static fg_code shoot(const fg_browser *b, double width, double height, double scale, fg_status *st)
{
  char window[64], shot[600], factor[64];
  snprintf(window, sizeof window, "--window-size=%.0f,%.0f", width, height);
  snprintf(shot, sizeof shot, "--screenshot=%s", b->out);
  snprintf(factor, sizeof factor, "--force-device-scale-factor=%.6f", scale);
  return browse(b, (const char *const[3]){window, shot, factor}, st);
}

/* How large the page is in a window of this width, as its script says on the browser's log. */
static fg_code page_size(const fg_browser *b, double window, double size[2], fg_status *st)
{
  unsigned char *bytes = NULL;
  size_t length = 0;
  char *end;
  FG_TRY(shoot(b, window, 800, 1, st));
  FG_TRY(fg_file_read(b->log, &bytes, &length, st));
  const char *word = strstr((const char *)bytes, "\"size ");
  size[0] = word ? strtod(word + 6, &end) : NAN;
  size[1] = word ? strtod(end, NULL) : NAN;
  free(bytes);
  if (size[0] >= 1 && size[0] < 1e5 && size[1] >= 1 && size[1] < 1e7) return FG_OK;
  return FG_FAIL(st, FG_FAILED, "the browser did not tell the size of the page");
}

fg_code fg_browser_png(const fg_page *page, const char *path, fg_status *st)
{
  fg_browser b;
  double size[2];
  fg_code rc;
  FG_TRY(browser_open(&b, st));
  FG_GO(write_page(&b, page, measure, st), done);
  FG_GO(page_size(&b, PAGE_WIDTH, size, st), done);
  size[0] = fmax(size[0], PAGE_WIDTH);
  FG_GO(write_page(&b, page, "", st), done);
  FG_GO(shoot(&b, size[0], size[1], fmin(1, PICTURE_MOST / fmax(size[0], size[1])), st), done);
  rc = take(&b, path, "\x89PNG", st);
done:
  browser_close(&b);
  return rc;
}

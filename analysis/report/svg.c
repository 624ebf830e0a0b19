#include "analysis/report/svg.h"

#include <stdlib.h>
#include <string.h>

typedef struct svg_color {
  int red, green, blue;
  const char *variable;
} svg_color;

static const svg_color svg_colors[] = {
    {0x01, 0x01, 0x01, "var(--ink)"}, {0x02, 0x02, 0x02, "var(--rule)"}, {0x03, 0x03, 0x03, "var(--muted)"},
    {0x00, 0x72, 0xb2, "var(--ode)"}, {0xd5, 0x5e, 0x00, "var(--sde)"},  {0x00, 0x9e, 0x73, "var(--target)"},
};

static bool starts(const char *text, const char *with)
{
  return strncmp(text, with, strlen(with)) == 0;
}

/* Length of "rgb(...)" at `at` when it is one of ours, with its variable; else 0. */
static size_t color_at(const char *at, const char **variable)
{
  long of[3];
  char *end;
  if (!starts(at, "rgb(")) return 0;
  const char *next = at + 4;
  for (int i = 0; i < 3; i++) {
    of[i] = strtol(next, &end, 10); /* gnuplot pads with spaces, which strtol skips */
    if (end == next || *end != (i < 2 ? ',' : ')')) return 0;
    next = end + 1;
  }
  for (size_t i = 0; i < sizeof svg_colors / sizeof *svg_colors; i++) {
    const svg_color *c = &svg_colors[i];
    if (c->red == of[0] && c->green == of[1] && c->blue == of[2]) {
      *variable = c->variable;
      return (size_t)(next - at);
    }
  }
  return 0;
}

/* A group that holds nothing but space: its length with the end tag, else 0. */
static size_t empty_group(const char *at)
{
  if (!starts(at, "<g ")) return 0;
  const char *end = strchr(at, '>');
  if (!end) return 0;
  const char *next = end + 1 + strspn(end + 1, " \t\n");
  return starts(next, "</g>") ? (size_t)(next + 4 - at) : 0;
}

/* The shapes of gnuplot's points, in a figure that draws none: length, else 0. */
static size_t unused_shapes(const char *at)
{
  const char *end = starts(at, "<defs>") ? strstr(at, "</defs>") : NULL;
  return end && !strstr(end, "#gpPt") && !strstr(end, "#gpDot") && !strstr(end, "url(#")
             ? (size_t)(end + 7 - at)
             : 0;
}

/* What to leave out at `at`; 0 for nothing. */
static size_t dropped(const char *at)
{
  static const char *const words[] = {" font-family=\"sans-serif\"", " font-size=\"13.00\"",
                                      " stroke-linecap=\"butt\"", " stroke-linejoin=\"miter\""};
  size_t length = empty_group(at);
  if (!length) length = unused_shapes(at);
  if (length) return length;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (starts(at, words[i])) return strlen(words[i]);
  if (starts(at, "<title>")) {
    const char *end = strstr(at, "</title>");
    return end ? (size_t)(end + 8 - at) : 0;
  }
  if (starts(at, "<desc>")) {
    const char *end = strstr(at, "</desc>");
    return end ? (size_t)(end + 7 - at) : 0;
  }
  return 0;
}

/* Attributes that are rewritten: the text to put for them and how much they cover. */
static size_t rewritten(const char *at, const char *name, fg_page *page)
{
  static const struct {
    const char *from, *to;
    bool named;
  } rows[] = {{" id=\"", " id=\"", true},
              {" id='", " id='", true},
              {"xlink:href='#", "href='#", true},
              {"xlink:href=\"#", "href=\"#", true},
              {"xlink:href=", "href=", false},
              {"url(#", "url(#", true},
              {"\"black\"", "\"var(--ink)\"", false}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (starts(at, rows[i].from)) {
      fg_page_put(page, rows[i].to);
      if (rows[i].named) fg_page_print(page, "%s-", name);
      return strlen(rows[i].from);
    }
  const char *variable = NULL;
  size_t length = color_at(at, &variable);
  if (length) fg_page_put(page, variable);
  return length;
}

static void copy_body(const char *at, const char *name, fg_page *page)
{
  const char *kept = at;
  while (*at) {
    /* only these begin something that is dropped or rewritten */
    if (*at != '<' && *at != ' ' && *at != 'x' && *at != 'u' && *at != '"' && *at != 'r') {
      at++;
      continue;
    }
    size_t skip = dropped(at);
    fg_page_bytes(page, kept, (size_t)(at - kept));
    kept = at;
    if (!skip) skip = rewritten(at, name, page);
    at += skip ? skip : 1;
    if (skip) kept = at;
  }
  fg_page_bytes(page, kept, (size_t)(at - kept));
}

fg_code fg_svg_inline(const char *svg, const char *name, const char *label, fg_page *page, fg_status *st)
{
  const char *box = strstr(svg, "viewBox=\"");
  const char *tag = strstr(svg, "<svg");
  const char *body = tag ? strchr(tag, '>') : NULL;
  const char *box_end = box ? strchr(box + 9, '"') : NULL;
  if (!box_end || !body || body < box_end)
    return FG_FAIL(st, FG_FAILED, "figure %s: gnuplot's SVG has no size; use gnuplot 5.4 or later", name);
  fg_page_put(page, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"");
  fg_page_text(page, label);
  fg_page_put(page, "\" ");
  fg_page_bytes(page, box, (size_t)(box_end + 1 - box));
  fg_page_put(page, ">");
  copy_body(body + 1, name, page);
  return fg_page_check(page, st);
}

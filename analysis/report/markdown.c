/* A page as Markdown: its headings, sentences, tables and lists; figures become links to pictures. It reads the HTML that
 * this program writes, which is well-formed, and passes over what it does not know. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report/make.h"

enum { DEPTH = 64, COLUMNS = 32 };

typedef struct fg_tag {
  char name[16];
  char class[64], id[80], label[300], style[64];
  bool close, empty;
} fg_tag;

/* What an open element does when it ends. */
typedef enum fg_role { ROLE_NONE, ROLE_SKIP, ROLE_MAPS, ROLE_LEGEND, ROLE_BARS, ROLE_BAR } fg_role;

typedef struct fg_writer {
  fg_page *out, *names;
  const char *folder;
  char open[DEPTH][16];
  fg_role role[DEPTH];
  const char *mark[DEPTH]; /* that closes the element; NULL: none */
  int depth;
  int breaks;      /* line ends to put before the next word */
  bool space, pre; /* a blank is due; text as it stands */
  int skip;        /* depth from which nothing is written, 0: none */
  /* a table row, or a row of maps */
  bool in_table, in_cell, in_head, first_row;
  size_t columns;
  bool maps, in_title;
  fg_page titles, pictures;
  char figure[80];
  size_t parts;         /* of a legend or scale so far */
  size_t frame, frames; /* snapshots: the first, the middle and the last are kept */
} fg_writer;

/* ---- words ------------------------------------------------------------------------------------------ */

static void flush(fg_writer *w)
{
  if (w->breaks && w->out->used && !w->in_cell) {
    for (int k = 0; k < w->breaks; k++) fg_page_put(w->out, "\n");
    w->space = false;
  }
  w->breaks = 0;
  if (w->space) fg_page_put(w->out, " ");
  w->space = false;
}

static void need(fg_writer *w, int breaks)
{
  if (w->in_cell) {
    w->space = w->space || (w->out->used && w->out->text[w->out->used - 1] != ' ');
    return;
  }
  if (breaks > w->breaks) w->breaks = breaks;
  w->space = false;
}

static void put(fg_writer *w, const char *words)
{
  flush(w);
  fg_page_put(w->out, words);
}

/* One character of text, with what Markdown would read as a mark taken literally. */
static void put_character(fg_writer *w, char c)
{
  if (!w->pre && (c == '\n' || c == ' ' || c == '\t')) {
    w->space = w->out->used > 0 && w->breaks == 0;
    return;
  }
  flush(w);
  if (!w->pre && (strchr("*`[]\\_", c) || (c == '|' && (w->in_cell || w->maps)))) fg_page_put(w->out, "\\");
  fg_page_bytes(w->out, &c, 1);
}

/* &amp; and &lt; stay outside of code, where Markdown reads them as HTML does; quotes are plain everywhere. */
static size_t put_entity(fg_writer *w, const char *at)
{
  static const struct {
    const char *name, *text;
    bool code; /* only inside code */
  } rows[] = {{"&#34;", "\"", false},
              {"&#39;", "'", false},
              {"&amp;", "&", true},
              {"&lt;", "<", true},
              {"&gt;", ">", true}};
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    if (strncmp(at, rows[k].name, strlen(rows[k].name)) != 0) continue;
    put(w, rows[k].code && !w->pre ? rows[k].name : rows[k].text);
    return strlen(rows[k].name);
  }
  return 0;
}

/* ---- tags ------------------------------------------------------------------------------------------- */

static void take_attribute(const char *at, const char *end, const char *name, char *to, size_t room)
{
  size_t length = strlen(name);
  to[0] = 0;
  for (const char *c = at; c + length + 2 < end; c++) {
    if (*c != ' ' || strncmp(c + 1, name, length) != 0 || c[length + 1] != '=' || c[length + 2] != '"')
      continue;
    const char *value = c + length + 3, *stop = memchr(value, '"', (size_t)(end - value));
    if (stop) snprintf(to, room, "%.*s", (int)(stop - value), value);
    return;
  }
}

/* The tag that begins at `at`; returns what follows it. */
static const char *read_tag(const char *at, fg_tag *tag)
{
  const char *end = strchr(at, '>');
  memset(tag, 0, sizeof *tag);
  if (!end) return at + strlen(at);
  tag->close = at[1] == '/';
  tag->empty = end[-1] == '/' || at[1] == '!';
  const char *name = at + 1 + tag->close;
  snprintf(tag->name, sizeof tag->name, "%.*s", (int)strcspn(name, " />\n"), name);
  take_attribute(at, end, "class", tag->class, sizeof tag->class);
  take_attribute(at, end, "id", tag->id, sizeof tag->id);
  take_attribute(at, end, "aria-label", tag->label, sizeof tag->label);
  take_attribute(at, end, "style", tag->style, sizeof tag->style);
  return end + 1;
}

static bool is(const fg_tag *tag, const char *name)
{
  return strcmp(tag->name, name) == 0;
}

static bool has_class(const fg_tag *tag, const char *word)
{
  size_t length = strlen(word);
  for (const char *at = tag->class; (at = strstr(at, word)) != NULL; at += length)
    if ((at == tag->class || at[-1] == ' ') && (at[length] == ' ' || !at[length])) return true;
  return false;
}

/* ---- figures ------------------------------------------------------------------------------------------ */

/* Text between [ and ], with plain quotes. */
static void put_label(fg_page *to, const char *label)
{
  for (const char *at = label; *at; at++) {
    bool quote = strncmp(at, "&#39;", 5) == 0 || strncmp(at, "&#34;", 5) == 0;
    if (quote)
      fg_page_put(to, "'");
    else
      fg_page_bytes(to, at, 1);
    if (quote) at += 4;
  }
}

static void put_figure(fg_writer *w, const fg_tag *tag)
{
  const char *name = w->figure + strlen("figure-");
  if (strncmp(w->figure, "figure-", 7) != 0) return;
  fg_page *to = w->maps ? &w->pictures : w->out;
  if (!w->maps) {
    need(w, 2);
    flush(w);
  }
  fg_page_put(to, w->maps ? "| ![" : "![");
  put_label(to, tag->label);
  fg_page_put(to, "](");
  fg_page_put(to, w->folder);
  fg_page_put(to, "/");
  fg_page_put(to, name);
  fg_page_put(to, w->maps ? ".png) " : ".png)");
  fg_page_put(w->names, name);
  fg_page_put(w->names, "\n");
  if (!w->maps) need(w, 2);
}

/* The titles of the maps of one row, and the maps below them. */
static void end_maps(fg_writer *w)
{
  size_t count = 0;
  w->maps = false;
  for (size_t k = 0; k + 1 < w->pictures.used; k++)
    count += w->pictures.text[k] == '!' && w->pictures.text[k + 1] == '[';
  if (count) {
    need(w, 2);
    put(w, w->titles.text ? w->titles.text : "");
    fg_page_put(w->out, "|\n");
    for (size_t k = 0; k < count; k++) fg_page_put(w->out, "|---");
    fg_page_put(w->out, "|\n");
    fg_page_put(w->out, w->pictures.text);
    fg_page_put(w->out, "|");
    need(w, 2);
  }
  fg_page_clear(&w->titles);
  fg_page_clear(&w->pictures);
}

/* ---- tables ------------------------------------------------------------------------------------------- */

static void put_rule(fg_writer *w)
{
  fg_page_put(w->out, "|\n");
  for (size_t k = 0; k < w->columns; k++) fg_page_put(w->out, k ? "|--:" : "|:--");
  w->first_row = false;
}

static void begin_cell(fg_writer *w)
{
  if (w->columns == 0 && w->first_row &&
      !w->in_head) { /* a table without a head: Markdown wants an empty one */
    flush(w);
    fg_page_put(w->out, "| | |\n|:--|:--|\n");
    w->first_row = false;
  }
  flush(w);
  fg_page_put(w->out, "| ");
  w->columns++;
  w->in_cell = true;
}

static void end_row(fg_writer *w)
{
  if (w->first_row) put_rule(w);
  fg_page_put(w->out, "|\n");
  w->columns = 0;
}

/* ---- elements ------------------------------------------------------------------------------------------ */

/* Marks that stand on both sides of what they enclose; NULL: none. */
static const char *mark(const fg_tag *tag)
{
  if (is(tag, "b") || is(tag, "strong")) return "**";
  if ((is(tag, "i") && !tag->class[0]) || is(tag, "em")) return "*";
  return NULL;
}

static void begin_block(fg_writer *w, const fg_tag *tag)
{
  if (is(tag, "h1")) {
    need(w, 2);
    put(w, "# ");
  } else if (is(tag, "h2")) {
    need(w, 2);
    put(w, "## ");
  } else if (is(tag, "h3") && w->maps) {
    fg_page_put(&w->titles, "| ");
    w->in_title = true;
  } else if (is(tag, "h3")) {
    need(w, 2);
    put(w, "**");
  } else if (is(tag, "p") || is(tag, "figcaption") || is(tag, "ul") || is(tag, "dl") || is(tag, "footer")) {
    need(w, 2);
  } else if (is(tag, "li") || is(tag, "dt")) {
    need(w, 1);
    put(w, "- ");
  } else if (is(tag, "small")) {
    put(w, " (");
  } else if (is(tag, "details")) {
    need(w, 2);
    put(w, "<details>");
    need(w, 1);
  } else if (is(tag, "summary")) {
    put(w, "<summary>");
  } else if (is(tag, "pre")) {
    need(w, 2);
    put(w, "```\n");
    w->pre = true;
  }
}

static void end_block(fg_writer *w, const fg_tag *tag)
{
  if (is(tag, "h1") || is(tag, "h2") || is(tag, "p") || is(tag, "figcaption") || is(tag, "ul") ||
      is(tag, "dl")) {
    need(w, 2);
  } else if (is(tag, "h3") && w->in_title) {
    fg_page_put(&w->titles, " ");
    w->in_title = false;
  } else if (is(tag, "h3")) {
    w->space = false;
    fg_page_put(w->out, "**");
    need(w, 2);
  } else if (is(tag, "dt")) {
    w->space = false;
    fg_page_put(w->out, ": ");
  } else if (is(tag, "small")) {
    fg_page_put(w->out, ")");
  } else if (is(tag, "summary")) {
    fg_page_put(w->out, "</summary>");
    need(w, 2);
  } else if (is(tag, "details")) {
    need(w, 2);
    put(w, "</details>");
    need(w, 2);
  } else if (is(tag, "pre")) {
    w->pre = false;
    if (w->out->used && w->out->text[w->out->used - 1] != '\n') fg_page_put(w->out, "\n");
    fg_page_put(w->out, "```");
    need(w, 2);
  }
}

static void table_tag(fg_writer *w, const fg_tag *tag)
{
  if (is(tag, "table")) {
    need(w, tag->close ? 1 : 2); /* the last row has ended its line */
    w->in_table = w->first_row = !tag->close;
    w->columns = 0;
  } else if (is(tag, "thead")) {
    w->in_head = !tag->close;
  } else if ((is(tag, "th") || is(tag, "td")) && !tag->close) {
    begin_cell(w);
  } else if (is(tag, "th") || is(tag, "td")) {
    w->in_cell = w->space = false;
    fg_page_put(w->out, " ");
  } else if (is(tag, "tr") && tag->close) {
    end_row(w);
  }
}

/* The colour of an entry of a legend, as a sign that text can show. */
static const char *color_sign(const fg_tag *tag)
{
  static const struct {
    const char *word, *sign;
  } rows[] = {
      {"ode", "\xf0\x9f\x9f\xa6"},     {"sde", "\xf0\x9f\x9f\xa7"},     {"target", "\xf0\x9f\x9f\xa9"},
      {"muted", "\xe2\xac\x9c"},       {"#cc79a7", "\xf0\x9f\x9f\xaa"}, {"#b58900", "\xf0\x9f\x9f\xa8"},
      {"#56b4e9", "\xf0\x9f\x94\xb5"}, {"#8c510a", "\xf0\x9f\x9f\xab"}, {"#7f7f7f", "\xe2\x9a\xaa"}};
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
    if (has_class(tag, rows[k].word) || strstr(tag->style, rows[k].word)) return rows[k].sign;
  return "\xe2\xac\x9b";
}

/* Spans of a legend or a scale stand apart. */
static void begin_span(fg_writer *w, const fg_tag *tag)
{
  fg_role role = ROLE_NONE;
  for (int k = w->depth - 1; k >= 0 && role == ROLE_NONE; k--) role = w->role[k];
  if (role != ROLE_LEGEND && role != ROLE_BAR) return;
  if (w->parts++) {
    w->space = false;
    put(w, role == ROLE_LEGEND ? " \xc2\xb7 " : " \xe2\x80\xa6 ");
  } else if (role == ROLE_BAR) {
    put(w, ": ");
  }
  if (role != ROLE_LEGEND) return;
  put(w, color_sign(tag));
  put(w, has_class(tag, "dash") ? " (broken) " : " ");
}

static fg_role role_of(fg_writer *w, const fg_tag *tag)
{
  if (is(tag, "script") || is(tag, "style") || is(tag, "svg") || is(tag, "button") || is(tag, "output") ||
      is(tag, "head") || has_class(tag, "player") || has_class(tag, "screen"))
    return ROLE_SKIP;
  if (has_class(tag, "frame")) {
    size_t k = w->frame++;
    return k && k != (w->frames - 1) / 2 && k + 1 < w->frames ? ROLE_SKIP : ROLE_NONE;
  }
  if (has_class(tag, "maps")) return ROLE_MAPS;
  if (has_class(tag, "legend")) return ROLE_LEGEND;
  if (has_class(tag, "bars")) return ROLE_BARS;
  if (has_class(tag, "bar")) return ROLE_BAR;
  return ROLE_NONE;
}

static void open_tag(fg_writer *w, const fg_tag *tag)
{
  if (is(tag, "br") && w->in_cell && !w->skip) put(w, "<br>");
  if (is(tag, "br") && !w->in_cell && !w->skip) need(w, 1);
  if (tag->empty || is(tag, "br") || w->depth == DEPTH) return;
  fg_role role = w->skip ? ROLE_NONE : role_of(w, tag);
  if (!w->skip && is(tag, "svg")) put_figure(w, tag);
  strcpy(w->open[w->depth], tag->name);
  w->mark[w->depth] = mark(tag);
  w->role[w->depth++] = role;
  if (role == ROLE_SKIP && !w->skip) w->skip = w->depth;
  if (w->skip) return;
  if (role == ROLE_MAPS) w->maps = true;
  if (role == ROLE_LEGEND || role == ROLE_BAR) {
    need(w, role == ROLE_LEGEND ? 2 : 1);
    w->parts = 0;
  }
  if (role == ROLE_BARS) need(w, 2);
  if (is(tag, "figure")) strcpy(w->figure, tag->id);
  if (is(tag, "span") && !has_class(tag, "scale")) begin_span(w, tag);
  if (mark(tag)) put(w, mark(tag));
  if (is(tag, "sub") || is(tag, "sup")) put(w, is(tag, "sub") ? "<sub>" : "<sup>");
  if (is(tag, "code") && !w->pre) put(w, "`");
  begin_block(w, tag);
  table_tag(w, tag);
}

static void close_tag(fg_writer *w, const fg_tag *tag)
{
  if (!w->depth || strcmp(w->open[w->depth - 1], tag->name) != 0) return; /* never in a page of ours */
  fg_role role = w->role[--w->depth];
  if (w->skip) {
    if (w->skip == w->depth + 1) w->skip = 0;
    return;
  }
  if (role == ROLE_MAPS) end_maps(w);
  if (role == ROLE_LEGEND || role == ROLE_BARS) need(w, 2);
  if (w->mark[w->depth]) fg_page_put(w->out, w->mark[w->depth]);
  if (is(tag, "sub") || is(tag, "sup")) fg_page_put(w->out, is(tag, "sub") ? "</sub>" : "</sup>");
  if (is(tag, "code") && !w->pre) fg_page_put(w->out, "`");
  end_block(w, tag);
  table_tag(w, tag);
}

/* ---- the page ------------------------------------------------------------------------------------------ */

static void put_text(fg_writer *w, const char *at, const char *end)
{
  while (at < end) {
    if (w->in_title) {
      fg_page_bytes(&w->titles, at, (size_t)(end - at));
      return;
    }
    /* between rows and cells there is only the layout of the source */
    if (w->in_table && !w->in_cell) return;
    if (w->maps) return;
    size_t entity = *at == '&' ? put_entity(w, at) : 0;
    if (!entity) put_character(w, *at);
    at += entity ? entity : 1;
  }
}

fg_code fg_markdown(const fg_page *page, const char *folder, fg_page *text, fg_page *names, fg_status *st)
{
  fg_writer w = {.out = text, .names = names, .folder = folder};
  const char *at = page->text ? strstr(page->text, "<main>") : NULL;
  if (!at) return FG_FAIL(st, FG_FAILED, "the page has no <main>");
  for (const char *c = at; (c = strstr(c, "class=\"frame\"")) != NULL; c++) w.frames++;
  while (*at && strncmp(at, "</main>", 7) != 0) {
    const char *end = *at == '<' ? at : at + strcspn(at, "<");
    fg_tag tag;
    if (end > at && !w.skip) put_text(&w, at, end);
    at = end;
    if (*at != '<') continue;
    at = read_tag(at, &tag);
    if (tag.close)
      close_tag(&w, &tag);
    else
      open_tag(&w, &tag);
  }
  fg_page_put(text, "\n");
  fg_page_clear(&w.titles);
  fg_page_clear(&w.pictures);
  FG_TRY(fg_page_check(text, st));
  return fg_page_check(names, st);
}

#include "analysis/report/readout.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- texts and numbers ------------------------------------------------------------------ */

/* A JSON string; what would end the script element, or be read as mark-up by an XML parser, is escaped. */
static void put_text(fg_page *page, const char *text, size_t length)
{
  fg_page_put(page, "\"");
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == 0x7f)
      fg_page_print(page, "\\u%04x", c);
    else
      fg_page_bytes(page, text + i, 1);
  }
  fg_page_put(page, "\"");
}

static void put_number(fg_page *page, double value)
{
  if (isfinite(value))
    fg_page_print(page, "%.6g", value);
  else
    fg_page_put(page, "null");
}

/* ---- data blocks of the script ---------------------------------------------------------- */

/* The last definition of $block in the script: its first row, NULL if there is none. */
static const char *find_block(const fg_page *script, const char *block)
{
  char head[80];
  const char *found = NULL, *at = script->text;
  snprintf(head, sizeof head, "$%.60s << EOD\n", block);
  while (at && (at = strstr(at, head))) found = at += strlen(head);
  return found;
}

/* Column `wanted` of a row; "quoted texts" count as one. */
static const char *find_column(const char *row, const char *end, int wanted, size_t *length)
{
  for (int column = 1;; column++) {
    row += strspn(row, " \t");
    if (row >= end) return NULL;
    const char *stop = *row == '"' ? strchr(row + 1, '"') : NULL;
    size_t size = stop && stop < end ? (size_t)(stop + 1 - row) : strcspn(row, " \t\n");
    if (column == wanted) {
      *length = size;
      return row;
    }
    row += size;
  }
}

static void put_column(fg_page *page, const char *key, const char *rows, int column)
{
  const char *row = rows;
  if (!column) return;
  fg_page_print(page, ",\"%s\":[", key);
  while (*row && strncmp(row, "EOD\n", 4) != 0) {
    size_t length = 0;
    const char *end = row + strcspn(row, "\n"), *cell = find_column(row, end, column, &length);
    if (row != rows) fg_page_put(page, ",");
    if (cell && *cell == '"' && length >= 2)
      put_text(page, cell + 1, length - 2);
    else
      put_number(page, cell ? strtod(cell, NULL) : NAN);
    row = end + (*end == '\n');
  }
  fg_page_put(page, "]");
}

void fg_readouts_series(fg_readouts *all, const fg_page *script, const fg_series *series)
{
  fg_readout *one = all->count ? &all->list[all->count - 1] : NULL;
  const char *rows = find_block(script, series->block);
  if (!one || !rows) return;
  fg_page *page = &one->series;
  fg_page_put(page, page->used ? ",{\"n\":" : "{\"n\":");
  put_text(page, series->label, strlen(series->label));
  put_column(page, "x", rows, series->x);
  put_column(page, "y", rows, series->y);
  put_column(page, "l", rows, series->low);
  put_column(page, "h", rows, series->high);
  put_column(page, "e", rows, series->error);
  put_column(page, "f", rows, series->floor);
  put_column(page, "t", rows, series->t);
  put_column(page, "p", rows, series->name);
  put_column(page, "v", rows, series->value);
  fg_page_put(page, "}");
  one->used = true;
}

/* ---- pictures --------------------------------------------------------------------------- */

static void put_base64(fg_page *page, const unsigned char *bytes, size_t size)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < size; i += 3) {
    size_t left = size - i;
    uint32_t three = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                     (left > 2 ? (uint32_t)bytes[i + 2] : 0);
    const char four[4] = {digits[three >> 18], digits[three >> 12 & 63],
                          left > 1 ? digits[three >> 6 & 63] : '=', left > 2 ? digits[three & 63] : '='};
    fg_page_bytes(page, four, 4);
  }
}

/* Seven bits a byte, the lowest first. */
static size_t pack_counts(const double *values, size_t cells, unsigned char *bytes)
{
  size_t used = 0;
  for (size_t i = 0; i < cells; i++) {
    uint32_t count = (uint32_t)fmin(fmax(values[i], 0), UINT32_MAX);
    for (; count > 127; count >>= 7) bytes[used++] = (unsigned char)(count & 127) | 128;
    bytes[used++] = (unsigned char)count;
  }
  return used;
}

static size_t pack_reals(const double *values, size_t cells, unsigned char *bytes)
{
  for (size_t i = 0; i < cells; i++) {
    float real = (float)fmin(fmax(values[i], -FLT_MAX), FLT_MAX);
    uint32_t bits;
    memcpy(&bits, &real, sizeof bits);
    for (int k = 0; k < 4; k++) bytes[4 * i + (size_t)k] = (unsigned char)(bits >> 8 * k);
  }
  return 4 * cells;
}

static void put_values(fg_readouts *all, fg_page *page, const fg_cells *cells)
{
  size_t number = cells->bins * cells->bins;
  unsigned char *bytes = malloc(5 * number); /* of 32 bits in sevens, at most */
  if (!bytes) {
    all->failed = true;
    return;
  }
  size_t size =
      cells->unit > 0 ? pack_counts(cells->values, number, bytes) : pack_reals(cells->values, number, bytes);
  if (all->bytes + size / 3 * 4 <= FG_READOUT_BYTES) {
    if (cells->unit > 0) fg_page_print(page, ",\"u\":%.9g", cells->unit);
    fg_page_put(page, cells->unit > 0 ? ",\"c\":\"" : ",\"r\":\"");
    put_base64(page, bytes, size);
    fg_page_put(page, "\"");
    all->bytes += size / 3 * 4;
  }
  free(bytes);
}

void fg_readouts_cells(fg_readouts *all, const fg_cells *cells)
{
  fg_readout *one = all->count ? &all->list[all->count - 1] : NULL;
  if (!one || !cells->bins) return;
  fg_page *page = &one->cells;
  fg_page_put(page, "{\"n\":");
  put_text(page, cells->label, strlen(cells->label));
  fg_page_print(page, ",\"b\":%zu,\"o\":[%.9g,%.9g],\"w\":%.9g", cells->bins, cells->low[0], cells->low[1],
                cells->width);
  if (cells->values)
    put_values(all, page, cells);
  else
    fg_page_put(page, ",\"g\":1");
  fg_page_put(page, "}");
  one->used = true;
}

/* ---- the list --------------------------------------------------------------------------- */

void fg_readouts_begin(fg_readouts *all, const char *name, size_t place)
{
  if (all->count) all->list[all->count - 1].end = place;
  if (all->count == all->room) {
    size_t room = all->room ? 2 * all->room : 32;
    fg_readout *list = realloc(all->list, room * sizeof *list);
    if (!list) {
      all->failed = true;
      return;
    }
    all->list = list;
    all->room = room;
  }
  fg_readout *one = &all->list[all->count++];
  *one = (fg_readout){.begin = place, .end = SIZE_MAX, .x = "", .y = ""};
  snprintf(one->name, sizeof one->name, "%s", name);
}

void fg_readouts_axes(fg_readouts *all, const char *x, const char *y, bool flat)
{
  if (!all->count) return;
  fg_readout *one = &all->list[all->count - 1];
  one->x = x;
  one->y = y;
  one->flat = flat;
}

void fg_readouts_fixed(fg_readouts *all)
{
  if (all->count) all->list[all->count - 1].fixed = true;
}

const fg_readout *fg_readouts_last(const fg_readouts *all)
{
  return all->count ? &all->list[all->count - 1] : NULL;
}

const fg_readout *fg_readouts_find(const fg_readouts *all, const char *name)
{
  for (size_t i = all->count; i-- > 0;)
    if (strcmp(all->list[i].name, name) == 0) return &all->list[i];
  return NULL;
}

fg_code fg_readouts_check(const fg_readouts *all, fg_status *st)
{
  bool failed = all->failed;
  for (size_t i = 0; i < all->count; i++)
    failed = failed || all->list[i].series.failed || all->list[i].cells.failed;
  return failed ? FG_FAIL(st, FG_MEMORY, "no memory for the numbers behind the figures of the report")
                : FG_OK;
}

void fg_readouts_clear(fg_readouts *all)
{
  for (size_t i = 0; i < all->count; i++) {
    fg_page_clear(&all->list[i].series);
    fg_page_clear(&all->list[i].cells);
  }
  free(all->list);
  *all = (fg_readouts){0};
}

/* ---- on the page ------------------------------------------------------------------------ */

/* Whether the script of the figure has this line. */
static bool says(const fg_readout *readout, const fg_page *script, const char *what)
{
  const char *found = script->text ? strstr(script->text + readout->begin, what) : NULL;
  return found && (size_t)(found - script->text) < readout->end;
}

void fg_readout_put(const fg_readout *readout, const char *axes, const fg_page *script, fg_page *page)
{
  fg_page_put(page, "<script type=\"application/json\" class=\"readout\">{\"a\":");
  fg_page_bytes(page, axes, strcspn(axes, "\n"));
  fg_page_print(page, ",%d,%d]", says(readout, script, "set logscale x"),
                says(readout, script, "set logscale y"));
  fg_page_put(page, ",\"x\":");
  put_text(page, readout->x, strlen(readout->x));
  fg_page_put(page, ",\"y\":");
  put_text(page, readout->y, strlen(readout->y));
  if (readout->flat) fg_page_put(page, ",\"flat\":true");
  if (readout->fixed) fg_page_put(page, ",\"fixed\":true");
  if (readout->cells.used) fg_page_put(page, ",\"m\":");
  if (readout->cells.used) fg_page_bytes(page, readout->cells.text, readout->cells.used);
  fg_page_put(page, ",\"s\":[");
  if (readout->series.used) fg_page_bytes(page, readout->series.text, readout->series.used);
  fg_page_put(page, "]}</script>\n");
}

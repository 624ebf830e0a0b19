#include "analysis/report/page.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool page_reserve(fg_page *page, size_t more)
{
  size_t need;
  if (page->failed) return false;
  if (__builtin_add_overflow(page->used, more, &need) || need > SIZE_MAX / 2 - 1) {
    page->failed = true;
    return false;
  }
  if (need + 1 > page->room) {
    size_t room = page->room ? page->room : 4096;
    while (room < need + 1) room *= 2;
    char *text = realloc(page->text, room);
    if (!text) {
      page->failed = true;
      return false;
    }
    page->text = text;
    page->room = room;
  }
  return true;
}

void fg_page_bytes(fg_page *page, const char *bytes, size_t size)
{
  if (!page_reserve(page, size)) return;
  if (size) memcpy(page->text + page->used, bytes, size);
  page->used += size;
  page->text[page->used] = 0;
}

void fg_page_put(fg_page *page, const char *html)
{
  fg_page_bytes(page, html, strlen(html));
}

void fg_page_print(fg_page *page, const char *format, ...)
{
  va_list list, again;
  va_start(list, format);
  va_copy(again, list);
  int size = vsnprintf(NULL, 0, format, list);
  va_end(list);
  if (size < 0) page->failed = true;
  if (size >= 0 && page_reserve(page, (size_t)size)) {
    vsnprintf(page->text + page->used, (size_t)size + 1, format, again);
    page->used += (size_t)size;
  }
  va_end(again);
}

/* Length of the UTF-8 character at s, 0 if it is not one (overlong, surrogate, cut short). */
static size_t utf8_length(const unsigned char *s, size_t left)
{
  static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
  size_t length = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
  if (length == 0 || length > left || s[0] > 0xf4) return 0;
  if (length == 1) return 1;
  uint32_t code = s[0] & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; i++) {
    if ((s[i] & 0xc0) != 0x80) return 0;
    code = (code << 6) | (s[i] & 0x3fu);
  }
  if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return 0;
  return code >= 0x80 && code < 0xa0 ? 0 : length;
}

void fg_page_text_bytes(fg_page *page, const char *text, size_t size)
{
  const unsigned char *s = (const unsigned char *)text;
  for (size_t i = 0; i < size;) {
    size_t length = utf8_length(s + i, size - i);
    unsigned char c = s[i];
    if (length == 0 || c == 0x7f || (c < 0x20 && c != '\n' && c != '\t' && c != '\r')) {
      fg_page_put(page, "\xef\xbf\xbd");
      i++;
      continue;
    }
    switch (c) {
    case '&':
      fg_page_put(page, "&amp;");
      break;
    case '<':
      fg_page_put(page, "&lt;");
      break;
    case '>':
      fg_page_put(page, "&gt;");
      break;
    case '"':
      fg_page_put(page, "&#34;");
      break;
    case '\'':
      fg_page_put(page, "&#39;");
      break;
    case '\r':
      break;
    default:
      fg_page_bytes(page, text + i, length);
    }
    i += length;
  }
}

void fg_page_text(fg_page *page, const char *text)
{
  if (text) fg_page_text_bytes(page, text, strlen(text));
}

/* ---- numbers --------------------------------------------------------------------------- */

/* The decimal exponent after rounding to that many digits (9.996 with 3 digits: 1). */
static int decimal_exponent(double value, int digits)
{
  char text[64];
  snprintf(text, sizeof text, "%.*e", digits - 1, value);
  const char *e = strchr(text, 'e');
  return e ? (int)strtol(e + 1, NULL, 10) : 0;
}

/* Digits with thin spaces (U+202F) between thousands and a real minus sign. */
static void group_digits(const char *digits, char *out, size_t room)
{
  size_t used = 0, whole = strcspn(digits + (digits[0] == '-'), ".");
  for (size_t i = 0; digits[i] && used + 8 < room; i++) {
    size_t place = i - (digits[0] == '-');
    if (digits[i] == '-') {
      used += (size_t)snprintf(out + used, room - used, "\xe2\x88\x92");
      continue;
    }
    if (whole > 4 && place > 0 && place < whole && (whole - place) % 3 == 0)
      used += (size_t)snprintf(out + used, room - used, "\xe2\x80\xaf");
    out[used++] = digits[i];
  }
  out[used] = 0;
}

/* mantissa and exponent; *power is 0 when the number is written out in full */
static void number_parts(double value, int digits, char mantissa[64], int *power)
{
  char text[64];
  int exponent = value == 0 ? 0 : decimal_exponent(value, digits);
  *power = 0;
  if (value == 0) {
    snprintf(text, sizeof text, "0");
  } else if (exponent >= -3 && exponent < 6) {
    int after = digits - 1 - exponent;
    snprintf(text, sizeof text, "%.*f", after > 0 ? after : 0, value);
  } else {
    snprintf(text, sizeof text, "%.*f", digits - 1, value / pow(10, exponent));
    *power = exponent;
  }
  group_digits(text, mantissa, 64);
}

static void page_missing(fg_page *page, const char *reason)
{
  fg_page_put(page, "<span class=\"none\" title=\"");
  fg_page_text(page, reason ? reason : "not available");
  fg_page_put(page, "\">\xe2\x80\x93</span>");
}

void fg_page_number(fg_page *page, double value, int digits, const char *reason)
{
  char mantissa[64];
  int power;
  if (!isfinite(value)) {
    page_missing(page, reason);
    return;
  }
  number_parts(value, digits, mantissa, &power);
  fg_page_put(page, mantissa);
  if (power)
    fg_page_print(page,
                  "\xe2\x80\xaf\xc3\x97\xe2\x80\xaf"
                  "10<sup>%s%d</sup>",
                  power < 0 ? "\xe2\x88\x92" : "", abs(power));
}

char *fg_page_plain(double value, int digits, char text[48])
{
  char mantissa[64];
  int power;
  if (!isfinite(value)) {
    snprintf(text, 48, "\xe2\x80\x93");
    return text;
  }
  number_parts(value, digits, mantissa, &power);
  if (power)
    snprintf(text, 48, "%.32se%d", mantissa, power);
  else
    snprintf(text, 48, "%.40s", mantissa);
  return text;
}

void fg_page_count(fg_page *page, double value, const char *reason)
{
  char digits[64], out[128];
  if (!isfinite(value)) {
    page_missing(page, reason);
    return;
  }
  snprintf(digits, sizeof digits, "%.0f", fabs(value) < 1e18 ? value : 0);
  group_digits(digits, out, sizeof out);
  fg_page_put(page, out);
}

void fg_page_setting(fg_page *page, double value, const char *reason)
{
  char mantissa[64];
  int power;
  if (!isfinite(value)) {
    page_missing(page, reason);
    return;
  }
  number_parts(value, 6, mantissa, &power);
  size_t used = strlen(mantissa);
  if (strchr(mantissa, '.')) {
    while (mantissa[used - 1] == '0') mantissa[--used] = 0;
    if (mantissa[used - 1] == '.') mantissa[--used] = 0;
  }
  bool one = power && strcmp(mantissa, "1") == 0;
  if (!one) fg_page_put(page, mantissa);
  if (power)
    fg_page_print(page, "%s10<sup>%s%d</sup>", one ? "" : "\xe2\x80\xaf\xc3\x97\xe2\x80\xaf",
                  power < 0 ? "\xe2\x88\x92" : "", abs(power));
}

fg_code fg_page_check(const fg_page *page, fg_status *st)
{
  if (page->failed) return FG_FAIL(st, FG_MEMORY, "no memory for the report after %zu bytes", page->used);
  return FG_OK;
}

void fg_page_clear(fg_page *page)
{
  free(page->text);
  *page = (fg_page){0};
}

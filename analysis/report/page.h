/* A text that grows: the page, and the gnuplot script. Failures (memory) are kept until the end, so
 * that a long row of calls needs one test: see fg_page_check. */
#ifndef FG_REPORT_PAGE_H
#define FG_REPORT_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "flowgap/status.h"

typedef struct fg_page {
  char *text; /* ends with a 0; NULL while empty */
  size_t used, room;
  bool failed;
} fg_page;

/* As it stands: HTML of our own. */
void fg_page_put(fg_page *page, const char *html);
void fg_page_bytes(fg_page *page, const char *bytes, size_t size);
/* As it stands; only numbers and texts of our own may be arguments. */
void fg_page_print(fg_page *page, const char *format, ...) FG_PRINTF(2, 3);
/* Anything that came from outside: & < > " ' are escaped, bytes that are not UTF-8 and control
 * characters become U+FFFD. */
void fg_page_text(fg_page *page, const char *text);
void fg_page_text_bytes(fg_page *page, const char *text, size_t size);

/* A figure with so many significant digits: 0.118, 12 500, 1.2 x 10^-5 (as HTML); a dash with the
 * reason as its tooltip when it is not finite. */
void fg_page_number(fg_page *page, double value, int digits, const char *reason);
/* A number that was set or counted, not measured: up to six digits, no zeros at its end. */
void fg_page_setting(fg_page *page, double value, const char *reason);
/* A whole number with thin spaces between thousands. */
void fg_page_count(fg_page *page, double value, const char *reason);
/* Same as fg_page_number as plain text (no mark-up), for labels that scripts write. */
char *fg_page_plain(double value, int digits, char text[48]);

FG_CHECKED fg_code fg_page_check(const fg_page *page, fg_status *st);
void fg_page_clear(fg_page *page);

#endif

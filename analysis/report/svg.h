/* From an SVG file of gnuplot to the text inside a page. */
#ifndef FG_REPORT_SVG_H
#define FG_REPORT_SVG_H

#include "analysis/report/page.h"
#include "flowgap/status.h"

/* Drops the XML prolog, titles that name gnuplot, font names and empty groups; makes ids unique by
 * putting `name` before them; turns the colours of figures.h into CSS variables. */
FG_CHECKED fg_code fg_svg_inline(const char *svg, const char *name, const char *label, fg_page *page,
                                 fg_status *st);

#endif

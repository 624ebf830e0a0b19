/* The look of the page and its script; nothing is fetched from anywhere. */
#ifndef FG_REPORT_STYLE_H
#define FG_REPORT_STYLE_H

/* Pieces of the style sheet, ended by NULL. */
extern const char *const fg_style_sheet[];
/* script/figures.js and script/page.js, put in here by the build, ended by 0: read-out, zoom, sliders, copying. */
extern const unsigned char fg_page_script[];

#endif

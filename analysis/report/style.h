/* The look of the page and its few lines of script; nothing is fetched from anywhere. */
#ifndef FG_REPORT_STYLE_H
#define FG_REPORT_STYLE_H

/* Pieces of the style sheet, ended by NULL. */
extern const char *const fg_style_sheet[];
/* The slider over the snapshots; opens folded parts for printing. */
extern const char *const fg_style_script;

#endif

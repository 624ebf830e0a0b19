/* Help texts made from the tables of verbs, options and settings. */
#ifndef FG_CLI_HELP_H
#define FG_CLI_HELP_H

#include <stdio.h>

#include "cli/args.h"

/* Help on a verb; NULL: on the program. */
void fg_help_verb(FILE *out, const fg_verb *verb);
/* "integer, 1 to 1e8", "ou | vp", ... */
enum { FG_RANGE_TEXT = 256 };
const char *fg_setting_type_name(fg_setting_type type);
const char *fg_setting_range(const fg_setting *row, char text[FG_RANGE_TEXT]);
const char *fg_setting_default(const fg_setting *row);

void fg_help_man(FILE *out);
void fg_help_markdown(FILE *out);

#endif

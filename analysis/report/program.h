/* Other programs: gnuplot for the figures, a browser for pages on paper. */
#ifndef FG_REPORT_PROGRAM_H
#define FG_REPORT_PROGRAM_H

#include <stddef.h>

#include "flowgap/status.h"

enum { FG_PROGRAM_MISSING = 127, FG_PROGRAM_KILLED = -1, FG_PROGRAM_LATE = -2, FG_COMPLAINT = 400 };

/* Runs words[0] from the PATH with the words, ended by NULL, and waits, for `limit` seconds at most (0: for ever; then it
 * is killed). Its standard error goes to the file `log`, the beginning of which is put on one line in `complaint`. *status: what
 * it returned, or one of the numbers above. Fails only where it cannot be started for another reason than that it is not
 * there. */
FG_CHECKED fg_code fg_program_run(const char *const *words, const char *log, double limit, int *status,
                                  char complaint[FG_COMPLAINT], fg_status *st);

#endif

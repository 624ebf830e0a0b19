/* What a reader learns who points at a figure: its numbers, as JSON beside it. script/figures.js reads them.
 *   {"a": [left, right, top, bottom, x left, x right, y bottom, y top, x log, y log],   in units of the viewBox
 *    "x": name, "y": name, "flat": true, "fixed": true,
 *    "s": [{"n": label, "x": [..], "y": [..], "l", "h", "e", "f", "t", "p", "v"}],      columns of fg_series
 *    "m": {"n": label, "b": bins, "o": [x, y], "w": width, "c": counts, "u": unit | "r": reals | "g": 1}}
 * Absent and not finite numbers are null, as are the breaks between the paths of one series. Counts are base64 of LEB128,
 * reals base64 of little-endian floats. */
#ifndef FG_REPORT_READOUT_H
#define FG_REPORT_READOUT_H

#include "analysis/report/figures.h"

typedef struct fg_readout {
  char name[64];
  size_t begin, end;      /* of the figure in the script */
  const char *x, *y;      /* names of the axes */
  bool flat, fixed, used; /* used: there is something to tell */
  fg_page series, cells;
} fg_readout;

typedef struct fg_readouts {
  fg_readout *list;
  size_t count, room;
  size_t bytes; /* of cells so far */
  bool failed;
} fg_readouts;

/* The page stays below 5 MB: pictures beyond this much tell their coordinates only. */
#define FG_READOUT_BYTES 1600000

void fg_readouts_begin(fg_readouts *all, const char *name, size_t place);
void fg_readouts_series(fg_readouts *all, const fg_page *script, const fg_series *series);
void fg_readouts_axes(fg_readouts *all, const char *x, const char *y, bool flat);
void fg_readouts_fixed(fg_readouts *all);
void fg_readouts_cells(fg_readouts *all, const fg_cells *cells);
FG_CHECKED fg_code fg_readouts_check(const fg_readouts *all, fg_status *st);
void fg_readouts_clear(fg_readouts *all);

const fg_readout *fg_readouts_last(const fg_readouts *all);
const fg_readout *fg_readouts_find(const fg_readouts *all, const char *name);
/* <script type="application/json">; `axes` as gnuplot printed them: "[" and eight numbers. */
void fg_readout_put(const fg_readout *readout, const char *axes, const fg_page *script, fg_page *page);

#endif

/* How packed weight matrices are cut into column panels.
 *
 * A matrix [k, n] (n padded to FG_PAD) is stored panel after panel, each panel row-major [k, width] with
 * width <= FG_PANEL: a panel is read front to back, whatever n is. The cut depends on n alone. */
#ifndef FG_BODY_PANEL_H
#define FG_BODY_PANEL_H

#include "formula/real.h"

enum {
  FG_PAD = 16,  /* widths are padded to this many reals */
  FG_PANEL = 80 /* 5 vectors of AVX-512 in single precision */
};

FG_HD int fg_panel_padded(int n)
{
  return (n + FG_PAD - 1) / FG_PAD * FG_PAD;
}

FG_HD int fg_panels(int n)
{
  return (n + FG_PANEL - 1) / FG_PANEL;
}

/* First column of panel q; the panels of one matrix differ by at most FG_PAD. */
FG_HD int fg_panel_start(int n, int q)
{
  return n / FG_PAD * q / fg_panels(n) * FG_PAD;
}

/* Place of entry (row, column) of a matrix [rows, columns] in panels. */
FG_HD size_t fg_panel_place(int rows, int columns, int row, int column)
{
  int q = fg_panels(columns) - 1;
  while (fg_panel_start(columns, q) > column) q--;
  const int start = fg_panel_start(columns, q), end = fg_panel_start(columns, q + 1);
  return (size_t)rows * start + (size_t)row * (end - start) + (column - start);
}

#endif

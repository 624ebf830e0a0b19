/* Histograms of the first one or two coordinates, and their colours. */
#ifndef FG_REPORT_MAPS_H
#define FG_REPORT_MAPS_H

#include <stdbool.h>
#include <stddef.h>

#include "flowgap/status.h"

/* n points in d dimensions, borrowed; x NULL: absent. */
typedef struct fg_cloud {
  const double *x;
  size_t n, d;
} fg_cloud;

/* A square (axes 2) or an interval (axes 1) cut into bins of equal width. */
typedef struct fg_view {
  int axes;
  double low[2], width;
  size_t bins;
} fg_view;

typedef struct fg_map {
  double *count; /* [bins] or [iy, ix]; NULL: absent */
  size_t n, outside;
} fg_map;

/* What holds 99.6 % of every cloud in each coordinate (less where tails are very long), with a margin, but at most about
 * four times the width of a typical cloud; bins follow the smallest n. At most FG_VIEW_LAWS clouds are looked at. */
enum { FG_VIEW_LAWS = 64 };
FG_CHECKED fg_code fg_view_fit(const fg_cloud *clouds, size_t number, fg_view *view, fg_status *st);
size_t fg_view_cells(const fg_view *view);
double fg_view_cell_size(const fg_view *view); /* length or area */

/* Points beyond the view, or not finite, are counted as outside. */
FG_CHECKED fg_code fg_map_fill(const fg_view *view, fg_cloud cloud, fg_map *map, fg_status *st);
void fg_map_clear(fg_map *map);
double fg_map_density(const fg_view *view, const fg_map *map, size_t cell);

/* Density where the colours end: the 99.7th percentile of the occupied cells of all maps. */
FG_CHECKED fg_code fg_map_top(const fg_view *view, const fg_map *const *maps, size_t number, double *top,
                              fg_status *st);

/* b - a in every cell, and how many of the cells with at least ten points differ by more than three
 * standard errors of counting. */
typedef struct fg_map_gap {
  double *value;
  double top;
  size_t tested, beyond;
} fg_map_gap;
FG_CHECKED fg_code fg_map_subtract(const fg_view *view, const fg_map *a, const fg_map *b, fg_map_gap *gap,
                                   fg_status *st);
/* Standard error of the difference in a cell. */
double fg_map_error(const fg_view *view, const fg_map *a, const fg_map *b, size_t cell);

/* Colours [cells, 4] (RGBA): viridis from 0 to top; blue - clear - vermilion from -top to top. */
void fg_map_paint(const fg_view *view, const fg_map *map, double top, unsigned char *rgba);
void fg_map_paint_gap(const fg_view *view, const fg_map_gap *gap, unsigned char *rgba);

/* A step of 1, 2 or 5 times a power of ten that cuts `width` into at most `most` parts. */
double fg_nice_step(double width, int most);

#endif

/* Times at which residuals are taken along paths, and their weights in a time average. */
#ifndef FG_RESIDUAL_PATHS_H
#define FG_RESIDUAL_PATHS_H

#include "flowgap/sde.h"

/* Nodes of the grid nearest to `count` times equal in log t, from its start down to its last node that is positive and at
 * least `least`; decreasing, without repeats: t [count]. How many there are. */
size_t fg_path_times(const fg_grid *grid, double least, size_t count, double *t);
/* Trapezoid in t over decreasing times; 1 for a single one. */
void fg_trapezoid(size_t count, const double *t, double *weight);

#endif

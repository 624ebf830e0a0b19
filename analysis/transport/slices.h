/* What sliced and max-sliced W2 share: two samples projected on one direction and sorted, the exact W2^2 between the
 * projections, and its gradient. */
#ifndef FG_ANALYSIS_TRANSPORT_SLICES_H
#define FG_ANALYSIS_TRANSPORT_SLICES_H

#include "analysis/transport/transport.h"

/* A projected row: its place as a whole number that sorts like the double, and its number or its mass. */
typedef struct fg_mark {
  uint64_t key, load;
} fg_mark;

/* Buffers of one worker. */
typedef struct fg_slicer {
  double *direction;      /* [d] */
  fg_mark *x, *y, *spare; /* [longer of n and m] each */
  uint32_t *count;        /* of the sort */
  int alike;              /* all masses of x are equal, and all of y */
} fg_slicer;

FG_CHECKED fg_code fg_slicers_create(const fg_pair *pair, int count, fg_slicer **slicers, fg_status *st);
void fg_slicers_destroy(int count, fg_slicer **slicers);

/* W2^2 of the projections on direction [d], which need not be of unit length. own->direction is not used. */
double fg_slice_cost(const fg_pair *pair, fg_slicer *own, const double *direction);
/* The same, and afterwards own->x [n] and own->y [m] hold the rows in the order of their projections. */
double fg_slice_sort(const fg_pair *pair, fg_slicer *own, const double *direction);
/* [n] the rows of x alone, in the order of their projections. */
const fg_mark *fg_slice_order(const fg_pair *pair, fg_slicer *own, const double *direction);
/* The place that a key stands for. */
double fg_place_of(uint64_t key);
/* Half the gradient of the cost by the direction, from what fg_slice_sort left: sum over the monotone plan of
 * (x_i - y_j) (x_i - y_j).direction. */
void fg_slice_gradient(const fg_pair *pair, const fg_slicer *own, double *gradient);

#endif

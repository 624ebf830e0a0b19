/* What the estimates need of MMD, energy distance and sliced W2 beside the public functions. */
#ifndef FG_ANALYSIS_TRANSPORT_KERNEL_DISTANCE_H
#define FG_ANALYSIS_TRANSPORT_KERNEL_DISTANCE_H

#include "flowgap/distance.h"

/* Median of |a - b| over pairs of different rows of both samples pooled (rows of weight 0 left out, other weights not
 * used): over all pairs up to about a million, else over a million drawn ones, always the same. Where more than half of the
 * pairs coincide it is the median of the others; where all do, 1. */
FG_CHECKED fg_code fg_median_distance(size_t n, size_t m, size_t d, const double *x, const double *wx,
                                      const double *y, const double *wy, double *median, fg_status *st);

/* `squared` of fg_mmd (bandwidth > 0) or fg_energy (bandwidth NaN) for `count` ways to deal `rows` rows z [rows, d] with
 * weights (NULL: equal; > 0) to two samples, by one pass over the pairs for each 256 of them.
 *   deal  writes label [rows] of way k: 'a' or 'b', at least two rows each. Called in order of k, from one thread.
 * Ways whose figures differ from that of way 0 by rounding alone get its bits, so that comparisons find ties. */
typedef void fg_deal(void *user, size_t k, unsigned char *label);
FG_CHECKED fg_code fg_kernel_permutations(fg_engine *engine, fg_threads *threads, double bandwidth,
                                          size_t rows, size_t d, const double *z, const double *weight,
                                          size_t count, fg_deal *deal, void *user,
                                          const fg_progress *progress, double *squared, fg_status *st);

/* `squared` of fg_w2_sliced, likewise, with at least one row each: a sort per direction for every 64 ways, and one pass
 * for each way. engine NULL: on the threads alone. */
FG_CHECKED fg_code fg_sliced_permutations(fg_engine *engine, fg_threads *threads,
                                          const fg_w2_sliced_settings *settings, size_t rows, size_t d,
                                          const double *z, const double *weight, size_t count, fg_deal *deal,
                                          void *user, const fg_progress *progress, double *squared,
                                          fg_status *st);

#endif

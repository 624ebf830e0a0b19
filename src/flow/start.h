/* What both flows ask of the states that they start from. */
#ifndef FG_FLOW_START_H
#define FG_FLOW_START_H

#include <stddef.h>

#include "flowgap/base.h"

/* FG_NUMERICS, naming the particle, when a coordinate of x0 [n, d] is not finite. */
FG_CHECKED fg_code fg_start_check(size_t n, size_t d, const double *x0, fg_status *st);

#endif

/* What both flows ask of the states that they start from. */
#ifndef FG_FLOW_START_H
#define FG_FLOW_START_H

#include <stddef.h>

#include "flowgap/base.h"
#include "flowgap/sde.h"

/* FG_NUMERICS, naming the particle, when a coordinate of x0 [n, d] is not finite. */
FG_CHECKED fg_code fg_start_check(size_t n, size_t d, const double *x0, fg_status *st);
/* FG_USAGE when a pinned process is at its pin at t: a(t) is infinite and its law a point there. */
FG_CHECKED fg_code fg_start_time_check(const fg_process *process, double t, fg_status *st);

#endif

/* What training sees of a prior. */
#ifndef FG_TARGET_PRIOR_H
#define FG_TARGET_PRIOR_H

#include "flowgap/target.h"

typedef struct fg_prior_view {
  fg_prior_kind kind;
  double variance; /* gaussian and truncated: of each coordinate */
  double log_norm; /* their log density at 0, for the mass of the ball where it is cut */
} fg_prior_view;

fg_prior_view fg_prior_look(const fg_prior *prior);

#endif

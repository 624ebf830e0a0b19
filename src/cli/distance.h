/* What `flowgap distance` found, and how it is shown. */
#ifndef FG_CLI_DISTANCE_H
#define FG_CLI_DISTANCE_H

#include <jansson.h>

#include "cli/session.h"

typedef struct fg_side {
  const char *word, *weights; /* as they were typed; weights NULL: by the rules of the file */
  fg_samples samples;
  double effective; /* (sum of weights)^2 / sum of squares; n with equal weights */
} fg_side;

typedef struct fg_distance {
  fg_session *session;
  fg_side side[2];
  bool wanted[FG_ESTIMATORS];
  char missing[FG_ESTIMATORS][256]; /* why a wanted one has no figure; empty: it has */
  fg_estimate estimate[FG_ESTIMATORS];
  fg_estimate_settings settings[FG_ESTIMATORS];
  double seconds;
  char warning[16][300];
  size_t warnings;
} fg_distance;

/* distance_show.c */
void fg_distance_warn(fg_distance *d, const char *format, ...) FG_PRINTF(2, 3);
/* What a reader should know before he trusts the figures. */
void fg_distance_judge(fg_distance *d);
void fg_distance_table(const fg_distance *d);
/* docs/distance-command.md describes every member; NULL: no memory. */
json_t *fg_distance_json(const fg_distance *d);

#endif

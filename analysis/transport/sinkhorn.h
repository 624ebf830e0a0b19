/* Entropic transport in parts: points as the engine takes them, and the fixed-point iterations. */
#ifndef FG_ANALYSIS_SINKHORN_H
#define FG_ANALYSIS_SINKHORN_H

#include "analysis/transport/transport.h"
#include "engine.h"

/* fg_sinkhorn_epsilon of a scaled pair, in its units. */
double fg_pair_epsilon(const fg_pair *pair, fg_cost cost, double share);

/* One sample: rows in kd-tree order, and where the engine holds them. */
typedef struct fg_cloud {
  size_t n;
  double *x, *share;         /* [n, d], [n] */
  double *potential, *image; /* [n]: f, and what the other side's potential makes of it */
  fg_buf rows, log_share, from, to, mean;
} fg_cloud;

typedef struct fg_entropic {
  fg_engine *engine;
  fg_threads *threads;
  const fg_progress *progress;
  const fg_sinkhorn_settings *settings;
  size_t d;
  fg_cloud x, y;
  double offset;             /* squared cost: |mean x - mean y|^2, taken out of the points */
  double epsilon, largest;   /* in the pair's units; no cost exceeds `largest` */
  double done, part, passes; /* of the progress: reported so far, share and place of this problem */
} fg_entropic;

/* Squared cost separates, <|x - y|^2, P> = |mean x - mean y|^2 + <|x' - y'|^2, P> with points x', y' less their own means; with
 * Euclidean cost both sides lose the mean of x. */
FG_CHECKED fg_code fg_entropic_create(fg_engine *engine, fg_threads *threads, const fg_pair *pair,
                                      const fg_sinkhorn_settings *settings, const fg_progress *progress,
                                      fg_entropic *problem, fg_status *st);
void fg_entropic_clear(fg_entropic *problem);

typedef struct fg_entropic_value {
  double dual;  /* OT_epsilon */
  double cost;  /* <c, P>; NaN unless asked for */
  double error; /* sum of |marginal - share| */
  size_t iterations;
} fg_entropic_value;

FG_CHECKED fg_code fg_entropic_between(fg_entropic *problem, fg_entropic_value *value, fg_status *st);
/* A sample and itself. */
FG_CHECKED fg_code fg_entropic_within(fg_entropic *problem, fg_cloud *cloud, const char *name,
                                      fg_entropic_value *value, fg_status *st);

/* ---- Anderson's acceleration of a fixed point v = F(v) ------------------------------------------- */

enum { FG_MIXER_DEPTH = 24 };

/* Differences of the last FG_MIXER_DEPTH residuals F(v) - v and images F(v), least squares weighted by `weight`. */
typedef struct fg_mixer {
  size_t n, kept, next;
  int begun;
  const double *weight;               /* [n] */
  double *residual, *image;           /* [n] of the last step */
  double *residual_step, *image_step; /* [FG_MIXER_DEPTH, n] */
  double product[FG_MIXER_DEPTH][FG_MIXER_DEPTH];
} fg_mixer;

FG_CHECKED fg_code fg_mixer_create(size_t n, const double *weight, fg_mixer *mixer, fg_status *st);
void fg_mixer_clear(fg_mixer *mixer);
void fg_mixer_restart(fg_mixer *mixer);
/* v becomes the next point; image = F(v). */
void fg_mixer_advance(fg_mixer *mixer, double *v, const double *image);

#endif

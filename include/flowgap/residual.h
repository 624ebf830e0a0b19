/* The Fokker-Planck residual of a score model at points, and its size under a measure (docs/residual.md). f = -a x.
 *   log form (potentials):     R = phi_t + div f + f.grad phi - g^2/2 (lap phi + |grad phi|^2)
 *   score form (vector nets):  E = ds/dt - grad[ g^2/2 (div s + |s|^2) - f.s ],   [d]; E = grad R where s = grad phi */
#ifndef FLOWGAP_RESIDUAL_H
#define FLOWGAP_RESIDUAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowgap/base.h"
#include "flowgap/model.h"
#include "flowgap/sde.h"
#include "flowgap/target.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fg_residual_form { FG_RESIDUAL_LOG, FG_RESIDUAL_SCORE } fg_residual_form;

/* Which one the model has: LOG when it offers FG_RESIDUAL, SCORE for vector networks that give the score or the noise.
 * FG_UNSUPPORTED for controls in vector form, and where the engine lacks the score form. */
FG_CHECKED FG_API fg_code fg_residual_form_of(const fg_model *model, fg_residual_form *form, fg_status *st);

typedef struct fg_residual_settings {
  fg_precision precision;
  int probes; /* LOG: Rademacher vectors v, with the mean of v.(Hv) for the Laplacian; 0: exact, as SCORE is */
  uint64_t seed;  /* of the probes: they are keyed by (seed, number of the point, probe) */
  uint64_t first; /* number of the first point */
} fg_residual_settings;
FG_API void fg_residual_defaults(fg_residual_settings *settings); /* double, exact */

/* Arrays for fg_residual_evaluate; all but `value` may be NULL. `scale` is the sum of the sizes of the terms: of all
 * (LOG), or of |E|, |a s|, |a J x| and |g^2 J s| over sqrt(d), J = ds/dx, those that first derivatives give (SCORE). */
typedef struct fg_residual_values {
  double *value; /* [n] R, or |E| / sqrt(d) */
  double *scale; /* [n] */
  double
      *variance;  /* [n] what the probes add to value^2 in the mean; 0 without them; a single one has none */
  double *vector; /* [n, d] SCORE: E */
} fg_residual_values;

/* At n points x [n, d]; each `group` consecutive ones share a time, t [n / group]. Values that are not finite are handed
 * out as they are. The same point has the same value whatever n, group and threads. */
FG_CHECKED FG_API fg_code fg_residual_evaluate(const fg_model *model, const fg_residual_settings *settings,
                                               size_t n, size_t group, const double *t, const double *x,
                                               const fg_residual_values *out, const fg_progress *progress,
                                               fg_status *st);

/* ---- measures ------------------------------------------------------------------------------ */

/* Points uniform in [-half_width, half_width]^d, numbers first .. first+n-1 of (seed): x [n, d]. */
FG_API void fg_residual_box(uint64_t seed, uint64_t first, size_t n, size_t d, double half_width, double *x);
/* Target samples first .. first+n-1 noised to times t [n / group]: X_t = m(t) X_0 + sqrt(v(t)) z. x [n, d]. */
FG_CHECKED FG_API fg_code fg_residual_noised(const fg_target *target, const fg_process *process,
                                             uint64_t seed, uint64_t first, size_t n, size_t group,
                                             const double *t, double *x, fg_status *st);
/* One time uniform in each of `count` equal parts of [low, high], increasing: t [count]. */
FG_API void fg_residual_times(uint64_t seed, size_t count, double low, double high, double *t);

/* ---- norms --------------------------------------------------------------------------------- */

enum { FG_RESIDUAL_QUANTILES = 6, FG_RESIDUAL_NAMED = 8 };
/* 0.05, 0.25, 0.5, 0.75, 0.95, 0.99 */
FG_API double fg_residual_level(int k);

/* How values [times, points] are a sample of a measure. */
typedef struct fg_residual_layout {
  fg_residual_form form;
  size_t times, points;
  const double *weight; /* [times], of the times in averages; NULL: equal */
  bool
      paths; /* point i at all times is one independent draw, a path; else each time with its points is one */
} fg_residual_layout;

/* se: standard error from the independent draws, NaN for fewer than two; of times as draws, from differences of
 * neighbours, which is right for draws of one law and for one draw from each of many parts of time (fg_residual_times). */
typedef struct fg_residual_figure {
  double value, se;
} fg_residual_figure;

typedef struct fg_residual_norms {
  uint64_t points, lost; /* finite values, and others: these enter no figure */
  size_t named;
  size_t lost_at[FG_RESIDUAL_NAMED];             /* [named] the first of them, as time * points + point */
  fg_residual_figure mean_square, mean_absolute; /* mean_square: less what the probes add */
  fg_residual_figure mean;                       /* LOG, else NaN */
  fg_residual_figure centred;  /* LOG: mean square of R - E_t[R], E_t the mean over the points of a time */
  fg_residual_figure relative; /* root of mean R^2 over mean scale^2 */
  double quantile[FG_RESIDUAL_QUANTILES];
  double largest; /* the value that is largest in size */
  size_t largest_at;
  double probe_error; /* root mean square of the probes' standard error; 0 without probes */
} fg_residual_norms;

/* Norms over all times, and at each of them, profile [times] (there the points are the draws); either may be NULL.
 * Only value, scale and variance of `values` are read, all [times, points]; the last two may be NULL. A time
 * without a finite value leaves the averages. */
FG_CHECKED FG_API fg_code fg_residual_summarise(const fg_residual_layout *layout,
                                                const fg_residual_values *values, fg_residual_norms *all,
                                                fg_residual_norms *profile, fg_status *st);

#ifdef __cplusplus
}
#endif
#endif

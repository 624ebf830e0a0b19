/* Targets: densities and data sets that a model is meant to produce; priors to start from. */
#ifndef FLOWGAP_TARGET_H
#define FLOWGAP_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowgap/base.h"
#include "flowgap/sde.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fg_target_kind {
  FG_TARGET_GAUSSIAN,     /* N(mean, variance I) in d dimensions */
  FG_TARGET_GMM9,         /* means {-5,0,5}^2, covariance `variance` I (0.3), d = 2 */
  FG_TARGET_MIXTURE,      /* any weights, means, covariances */
  FG_TARGET_FUNNEL,       /* x1 ~ N(0, nu^2), x_i | x1 ~ N(0, exp x1), i = 2..d */
  FG_TARGET_DOUBLE_WELL,  /* d = 1 of the next */
  FG_TARGET_MANY_WELL,    /* log rho = -sum_{i<=m} ((x_i - shift)^2 - delta)^2 - sum_{i>m} x_i^2/2 */
  FG_TARGET_RINGS,        /* radii r_k with weights, |x| ~ N(r_k, sd^2), angle uniform, d = 2 */
  FG_TARGET_CIRCLES,      /* rings: 2 x radii 0.65 and 1.4, each of 2 x N(., 0.1^2) */
  FG_TARGET_BLOBS,        /* nine Gaussians of the ODE-SDE gap paper, scaled by 0.65 */
  FG_TARGET_CHECKERBOARD, /* eight squares of side 1.5 */
  FG_TARGET_SAMPLES,      /* rows of a file */
  FG_TARGET_GMM25,        /* means {-10,-5,0,5,10}^2, covariance `variance` I (0.3), d = 2 */
  FG_TARGET_GMM40,        /* the forty modes of arXiv 2208.01893, d = 2 */
  FG_TARGET_LOGISTIC,     /* posterior of a logistic regression on a CSV file */
  FG_TARGET_PLUGIN        /* the user's functions (flowgap/plugin.h) */
} fg_target_kind;

typedef struct fg_target_settings {
  fg_target_kind kind;
  size_t dimension;
  double mean, variance; /* gaussian */
  size_t components;     /* mixture: weights [k], means [k, d], covariances [k, d, d] */
  const double *weights; /* NULL: equal */
  const double *means;
  const double *covariances; /* NULL: `variance` times the identity */
  double nu;                 /* funnel */
  size_t wells;              /* many_well: m */
  double separation, shift;  /* many_well: delta, shift */
  size_t rings;              /* rings: radii [rings], ring_weights [rings] or NULL */
  const double *radii, *ring_weights;
  double ring_sd;
  const char *file;    /* samples, logistic, plugin */
  const char *dataset; /* samples: of an HDF5 file; NULL as for fg_samples_read */
  double prior_sd;     /* logistic: of each coefficient */
  bool intercept;      /* logistic: a first coefficient whose feature is 1 */
  bool standardise;    /* logistic: features get mean 0 and standard deviation 1 */
} fg_target_settings;

typedef struct fg_target fg_target;

FG_API void fg_target_defaults(fg_target_kind kind, fg_target_settings *settings);
FG_CHECKED FG_API fg_code fg_target_create(const fg_target_settings *settings, fg_target **target,
                                           fg_status *st);
/* From the rows `target.*`; relative paths are taken from the folder of the settings file. Kind
 * `none` gives NULL. */
FG_CHECKED FG_API fg_code fg_target_from_settings(const fg_settings *settings, fg_target **target,
                                                  fg_status *st);
/* What the file of a plugin says of itself: its symbols and version are checked; 0 when it leaves the dimension to
 * the settings. */
FG_CHECKED FG_API fg_code fg_target_plugin_dimension(const char *path, size_t *dimension, fg_status *st);
FG_API void fg_target_destroy(fg_target **target);
FG_API const char *fg_target_name(const fg_target *target);
FG_API size_t fg_target_dimension(const fg_target *target);

typedef enum fg_target_ability {
  FG_TARGET_DENSITY = 1, /* log_density works */
  FG_TARGET_SCORE = 2,   /* ... with its score */
  FG_TARGET_SAMPLE = 4,  /* exact sampling (`samples`: rows, see fg_target_rows) */
  FG_TARGET_LOG_Z = 8,
  FG_TARGET_MOMENTS = 16,
  FG_TARGET_IS_MIXTURE = 32 /* so `exact` models exist */
} fg_target_ability;
FG_API unsigned fg_target_abilities(const fg_target *target);

/* log rho at n points; x [n, d], log_rho [n], score [n, d] or NULL. -inf outside the support. */
FG_CHECKED FG_API fg_code fg_target_log_density(const fg_target *target, size_t n, const double *x,
                                                double *log_rho, double *score, fg_status *st);
/* Draws number first .. first+n-1 of the stream (seed): any split gives the same rows. x [n, d]. */
FG_CHECKED FG_API fg_code fg_target_sample(const fg_target *target, uint64_t seed, uint64_t first, size_t n,
                                           double *x, fg_status *st);
/* How many distinct draws there are: the rows of an unweighted file, whose draws 0 .. rows-1 are those rows, each
 * once, in an order that depends on the seed; later draws repeat that order. 0 for every other target. */
FG_API size_t fg_target_rows(const fg_target *target);
/* log of the integral of rho (closed form, else quadrature to 1e-12). */
FG_CHECKED FG_API fg_code fg_target_log_z(const fg_target *target, double *log_z, fg_status *st);
/* mean [d] and covariance [d, d] of the normalised target (either may be NULL). */
FG_CHECKED FG_API fg_code fg_target_moments(const fg_target *target, double *mean, double *covariance,
                                            fg_status *st);

/* Components of a mixture, borrowed: weights [k] sum to 1, means [k, d], covariances [k, d, d]. */
typedef struct fg_mixture_view {
  size_t components, d;
  const double *weights, *means, *covariances;
} fg_mixture_view;
FG_CHECKED FG_API fg_code fg_target_mixture(const fg_target *target, fg_mixture_view *view, fg_status *st);

/* ---- priors: where the generative equations start, at t = T ---------------------------- */

typedef enum fg_prior_kind {
  FG_PRIOR_GAUSSIAN,  /* N(0, variance I); variance <= 0 means v(T) of the process */
  FG_PRIOR_TRUNCATED, /* the same, cut to the ball that holds `mass` of it */
  FG_PRIOR_POINT,     /* at 0 */
  FG_PRIOR_EXACT      /* target samples noised to time T: no prior mismatch */
} fg_prior_kind;

typedef struct fg_prior_settings {
  fg_prior_kind kind;
  double variance, mass;
} fg_prior_settings;

typedef struct fg_prior fg_prior;
/* target may be NULL unless the kind is EXACT. Both are borrowed for the life of the prior. */
FG_CHECKED FG_API fg_code fg_prior_create(const fg_prior_settings *settings, size_t dimension,
                                          const fg_process *process, const fg_target *target,
                                          fg_prior **prior, fg_status *st);
FG_CHECKED FG_API fg_code fg_prior_from_settings(const fg_settings *settings, size_t dimension,
                                                 const fg_process *process, const fg_target *target,
                                                 fg_prior **prior, fg_status *st);
FG_API void fg_prior_destroy(fg_prior **prior);
FG_CHECKED FG_API fg_code fg_prior_sample(const fg_prior *prior, uint64_t seed, uint64_t first, size_t n,
                                          double *x, fg_status *st);
/* log density [n] at x [n, d]; FG_UNSUPPORTED for a point, and for EXACT without mixture. */
FG_CHECKED FG_API fg_code fg_prior_log_density(const fg_prior *prior, size_t n, const double *x,
                                               double *log_p, fg_status *st);

#ifdef __cplusplus
}
#endif
#endif

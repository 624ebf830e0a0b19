/* From the Fokker-Planck residual to the gap between ODE and SDE (docs/certificate.md).
 *
 * p_t is the law of the generative SDE (lambda = 1) driven by s = grad phi from p_T = prior, q_t = exp phi(., t).
 *   (I)  int_t0^T g^2/2 E_p |grad log p - s|^2 dt = KL(p_T|q_T) - KL(p_t0|q_t0) + int_t0^T E_p[R] dt
 *   (B)  W2(p_t0, p_t0 of the ODE)^2 <= A D,  A = int_t0^T g^2/2 exp( 2 int_t0^t L ) dt,  D = a side of (I)
 * with L(t) a one-sided Lipschitz constant of the ODE's generative velocity -f + g^2 s / 2:
 *   L = a + g^2/2 l,  l = largest eigenvalue of the symmetric part of ds/dx. */
#ifndef FLOWGAP_CERTIFICATE_H
#define FLOWGAP_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowgap/base.h"
#include "flowgap/flow.h"
#include "flowgap/law.h"
#include "flowgap/model.h"
#include "flowgap/sde.h"
#include "flowgap/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Quantities that (I) needs of a model. */
#define FG_IDENTITY_QUANTITIES (FG_PHI | FG_SCORE | FG_RESIDUAL)

typedef struct fg_identity_settings {
  double t0;        /* >= 0, below the horizon */
  size_t intervals; /* of Simpson's rule in time, a multiple of 4 */
  /* on the grid */
  fg_law_grid grid;
  fg_law_settings law;
  double
      threshold; /* cells with less than this of the largest density have no log-density; they are counted */
  bool halve;    /* repeat with half the cells per axis, for the error in space */
  /* by paths */
  size_t paths, substeps; /* steps of the SDE in each interval */
  uint64_t seed;
  uint32_t stream; /* of the noise; starts are the first draws of the prior under `seed` */
  fg_precision precision;
} fg_identity_settings;
/* 64 intervals; 1024 cells (d = 1) or 192 (d = 2) of half width 10, threshold 1e-9, halved; 4096 paths, 4 substeps. */
FG_API void fg_identity_defaults(size_t d, fg_identity_settings *settings);

/* Times t [intervals + 1] from T down to t0, t = t0 + c (e^{k sin(pi u / 2)} - 1) with u equally spaced and
 * c = max(t0, T/1000): fine at the data, where the score is sharp, and at the noise, where p leaves a prior that is not
 * q_T; the weights of Simpson's rule in u, and those of the same rule on every other time (0 between; may be NULL). */
FG_CHECKED FG_API fg_code fg_identity_times(const fg_identity_settings *settings, const fg_process *process,
                                            double *t, double *weight, double *coarse, fg_status *st);

/* At one time. */
typedef struct fg_identity_point {
  double t;
  double fisher, fisher_se;     /* g^2/2 E |grad log p - s|^2; the errors are 0 on the grid */
  double residual, residual_se; /* E[R] */
} fg_identity_point;

typedef struct fg_identity_grid {
  double left, right;                /* right = kl_start - kl_end + residual */
  double kl_start, kl_end, residual; /* at T, at t0, int E[R] dt */
  double left_time, right_time;      /* change when every other time is left out */
  double left_space,
      right_space; /* a third of the change when the cells are halved in number (order 2); 0: not asked */
  double log_mass; /* log of the integral of q at t0 over the grid */
  double left_out; /* largest share of mass, over the times, in cells below the threshold */
  double outside;  /* what the box leaves out of the prior */
  double seconds;
} fg_identity_grid;

/* Both sides on the grid (d = 1, 2), deterministic. grad log p - s is the difference of log p - phi between
 * neighbouring cells. point [intervals + 1] or NULL; psi [intervals + 1, cells^d] or NULL: log p - phi, NaN below the
 * threshold; p_end [cells^d] or NULL: the law at t0. */
FG_CHECKED FG_API fg_code fg_identity_on_grid(const fg_model *model, const fg_prior *prior,
                                              const fg_identity_settings *settings,
                                              const fg_progress *progress, fg_identity_point *point,
                                              double *psi, double *p_end, fg_identity_grid *out,
                                              fg_status *st);

typedef struct fg_identity_paths {
  double kl_start, kl_start_se; /* KL(p_T|q_T) */
  double residual, residual_se; /* int E[R] dt */
  double sum, sum_se;           /* of the two, path by path: D = sum - KL(p_t0|q_t0) <= sum + log int q_t0 */
  double sum_time;              /* change of the sum when every other time is left out */
  double sum_step,
      sum_step_se; /* change of the sum when the SDE's steps are halved on the same Brownian paths */
  /* with psi; NaN without */
  double left, left_se, right, right_se, kl_end, kl_end_se;
  double difference, difference_se; /* right - left, path by path */
  uint64_t off;                     /* visits (path and time) to cells without log-density: they count as 0 */
  uint64_t visits;
  uint64_t lost; /* paths that turned non-finite; their last finite state enters */
  double seconds;
} fg_identity_paths;

/* The same by Monte Carlo over `paths` independent paths of the SDE (Heun, weak order 2), any d. psi: from
 * fg_identity_on_grid with the same settings, or NULL: then what needs log p is NaN. point [intervals + 1] or NULL.
 * x [intervals + 1, paths, d] or NULL: the states. FG_UNSUPPORTED for a point prior and for a model without phi. */
FG_CHECKED FG_API fg_code fg_identity_by_paths(const fg_model *model, const fg_prior *prior,
                                               const fg_identity_settings *settings, const double *psi,
                                               const fg_progress *progress, fg_identity_point *point,
                                               double *x, fg_identity_paths *out, fg_status *st);

/* ---- the factor A ------------------------------------------------------------------------- */

/* Largest eigenvalue l of the symmetric part of ds/dx over n points at time t; x [n, d]. Exact at each point for
 * d <= 16; above, by power iteration, for potentials alone, and so from below. NaN for n = 0. */
FG_CHECKED FG_API fg_code fg_lipschitz_sampled(const fg_model *model, double t, size_t n, const double *x,
                                               double *largest, fg_status *st);
/* A bound of the same over all x, [count], in closed form: exact and perturbed models whose components share one
 * isotropic covariance, or that have one component. *known: is there one? */
FG_CHECKED FG_API fg_code fg_lipschitz_global(const fg_model *model, size_t count, const double *t,
                                              double *bound, bool *known, fg_status *st);
/* log A from l [count] at the times t [count], decreasing; between them L is linear and g^2/2 exp(2 int L)
 * exponential. *integral: int L dt over all of it (may be NULL). */
FG_CHECKED FG_API fg_code fg_certificate_log_a(const fg_process *process, size_t count, const double *t,
                                               const double *l, double *log_a, double *integral,
                                               fg_status *st);

/* ---- the log-mass: - KL(p|q) <= log int q ---------------------------------------------------- */

typedef struct fg_log_mass {
  double value; /* log of the integral of exp phi(., t) */
  double error; /* box: change when the cells are halved in number; sampled: standard error */
  double edge;  /* box: share of the mass in its outermost tenth; sampled: 1 - effective sample size / n */
} fg_log_mass;
/* By the midpoint rule over [-half_width, half_width]^d, d <= 3. */
FG_CHECKED FG_API fg_code fg_log_mass_box(const fg_model *model, double t, size_t cells, double half_width,
                                          fg_log_mass *mass, fg_status *st);
/* By importance sampling in any d, 8 n proposals: around the points x [n, d], Gaussian, as wide as the distances to
 * nearest neighbours, and a quarter of them from one wide Gaussian. An estimate: a mode that no point is near is not
 * seen. */
FG_CHECKED FG_API fg_code fg_log_mass_sampled(const fg_model *model, double t, size_t n, const double *x,
                                              uint64_t seed, fg_log_mass *mass, fg_status *st);

#ifdef __cplusplus
}
#endif
#endif

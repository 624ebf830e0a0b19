/* The laws of the SDE and the ODE of a model on a regular grid, without sampling noise (d = 1, 2).
 *
 * Cells: `cells` per axis of width h = 2 half_width / cells, centres -half_width + (i + 1/2) h. Arrays over the grid
 * are [cells] or [cells, cells] (x first). */
#ifndef FLOWGAP_LAW_H
#define FLOWGAP_LAW_H

#include <stddef.h>
#include <stdint.h>

#include "flowgap/base.h"
#include "flowgap/model.h"
#include "flowgap/sde.h"
#include "flowgap/target.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fg_law_grid {
  size_t d, cells;
  double half_width;
} fg_law_grid;
FG_API size_t fg_law_size(const fg_law_grid *grid);   /* cells^d */
FG_API double fg_law_volume(const fg_law_grid *grid); /* of a cell, h^d */
FG_API void fg_law_centres(const fg_law_grid *grid, double *x /* [cells^d, d] */);

typedef struct fg_law_settings {
  double rtol, atol;         /* SDE: of CVODE; atol relative to the largest density of the start */
  double ode_rtol, ode_atol; /* ODE: of positions and log-densities */
  int krylov;                /* SDE: largest dimension of the Krylov space */
  fg_precision precision;    /* of the scores */
  size_t tile;               /* ODE: nodes that share a solver */
} fg_law_settings;
/* 1e-6, 1e-10; 1e-6, 1e-8; 20, double, 64 */
FG_API void fg_law_defaults(fg_law_settings *settings);

typedef struct fg_law_report {
  uint64_t steps, rhs_evaluations, score_evaluations, jvp_evaluations, linear_iterations,
      preconditioner_setups;
  uint64_t lost;           /* ODE: nodes that could not be carried; their density is 0 */
  double mass_start, mass; /* sum of p times the cell's volume, at T and at the last time */
  double
      mass_outside; /* estimate of what the box leaves out: SDE: the prior's; ODE: 1 - mass, with quadrature error */
  double least; /* smallest value of p, relative to the largest */
  double seconds;
} fg_law_report;

/* Law of the generative SDE with this lambda > 0, started at t = T in the prior: finite volumes with exponentially
 * fitted (Scharfetter-Gummel) fluxes and no flux through the box's sides, CVODE BDF. p [count, cells^d] at the
 * times t [count] (decreasing, within [0, T]); the start is normalised to mass 1 within the box. */
FG_CHECKED FG_API fg_code fg_law_sde(const fg_model *model, const fg_prior *prior, const fg_law_grid *grid,
                                     const fg_law_settings *settings, double lambda, size_t count,
                                     const double *t, double *p, const fg_progress *progress,
                                     fg_law_report *report, fg_status *st);

/* Law of the probability-flow ODE at t0: each node is carried from t0 up to T with its log-density,
 * log p(x, t0) = log p_prior(X_T) - integral of the divergence. log_p [cells^d]; -inf where a node leaves the
 * support of a truncated prior, or is lost. */
FG_CHECKED FG_API fg_code fg_law_ode(const fg_model *model, const fg_prior *prior, const fg_law_grid *grid,
                                     const fg_law_settings *settings, double t0, double *log_p,
                                     const fg_progress *progress, fg_law_report *report, fg_status *st);

/* What separates two densities on one grid, by the midpoint rule; values below 0 (a solver's error in the tails) count
 * as 0, then both are normalised to mass 1. */
typedef struct fg_law_distance {
  double kl, kl_reverse;  /* KL(p|q), KL(q|p); infinite when alone_p, alone_q is above 1e-9 */
  double total_variation; /* half the integral of |p - q| */
  double fisher; /* integral of p |grad log p - grad log q|^2, central differences, where both are > 0 */
  double alone_p, alone_q; /* mass of p where q vanishes, of q where p does: left out of kl and fisher */
} fg_law_distance;
FG_CHECKED FG_API fg_code fg_law_compare(const fg_law_grid *grid, const double *p, const double *q,
                                         fg_law_distance *distance, fg_status *st);

#ifdef __cplusplus
}
#endif
#endif

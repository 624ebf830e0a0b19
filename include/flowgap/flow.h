/* The generative family driven by a score model s, from t = T (noise) down to t = 0:
 *     dX = [ -f + (1 + lambda^2)/2 g^2 s ] dr + lambda g dW,   r = T - t,   f = -a x.
 * lambda = 1 is the reverse SDE, lambda = 0 the probability-flow ODE. */
#ifndef FLOWGAP_FLOW_H
#define FLOWGAP_FLOW_H

#include <stddef.h>
#include <stdint.h>

#include "flowgap/base.h"
#include "flowgap/model.h"
#include "flowgap/sde.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A particle that could not be carried: it stays where it was last finite. */
typedef struct fg_lost {
  uint64_t particle;
  double t; /* noising time that it reached */
} fg_lost;

enum { FG_LOST_NAMED = 64 }; /* this many are named, all are counted */

typedef struct fg_flow_report {
  uint64_t steps;           /* of the grid, or accepted over all tiles */
  uint64_t rhs_evaluations; /* right-hand sides over all tiles (score evaluations of a tile) */
  uint64_t jvp_evaluations;
  uint64_t error_test_failures, convergence_failures;
  uint64_t tiles, tiles_split;
  size_t tile;   /* ODE: particles that shared their steps, 1 with dopri5 */
  uint64_t lost; /* particles that failed or turned non-finite */
  size_t lost_named;
  fg_lost named[FG_LOST_NAMED];
  /* Statistics of the ODE against time, for reports: bins equal in log t between t_from and t_to. */
  size_t bins;
  double bin_t[64];                                 /* centre */
  double bin_steps[64], bin_rhs[64], bin_order[64]; /* mean over tiles; order: over steps */
  double seconds;
} fg_flow_report;

/* States kept on the way: x [count, n, d] at the times t[count] (decreasing). The SDE needs nodes
 * of its grid (to 1e-12 T); the ODE takes any time. log_p [count, n] with log-densities. */
typedef struct fg_snapshots {
  size_t count;
  const double *t;
  double *x;
  double *log_p;
} fg_snapshots;

typedef enum fg_scheme {
  FG_EULER, /* Euler-Maruyama: weak order 1, strong order 1 (additive noise) */
  FG_HEUN   /* weak order 2 for additive noise: predictor-corrector drift, trapezoidal variance
               (Kloeden and Platen, section 15.1) */
} fg_scheme;

typedef struct fg_fixed_settings {
  fg_scheme scheme;
  const fg_grid *grid;
  double lambda; /* >= 0; 0 is the ODE on a fixed grid */
  bool last_step_noise;
  int refine; /* each grid step cut into 2^refine on the same Brownian path (bridges) */
  fg_precision precision;
  size_t tile; /* particles carried together; does not change results, recorded */
} fg_fixed_settings;
FG_API void fg_fixed_defaults(fg_fixed_settings *settings); /* euler, lambda 1, noise, double, tile 64 */

/* Carry n particles over the grid. x0 [n, d] at the first time, x1 [n, d] at the last (may be the
 * same array). Particle i uses the noise of number first + i < 2^48 of (seed, stream), whatever n.
 * Stream s < 2^16; its refinement takes the streams 64 (s - 1) + 3 to + 17 and so needs 1 <= s <= 1024. Those
 * that may refine another (s mod 64 from 3 to 17) and 32 to 42 (starts, targets, subsamples, training, residuals) are refused.
 * log_p NULL, or (lambda = 0 only) [n]: log-density at x0 on entry, at x1 on return.
 * Non-finite particles are counted in the report and left where they were last finite. */
FG_CHECKED FG_API fg_code fg_flow_fixed(const fg_model *model, const fg_fixed_settings *settings,
                                        uint64_t seed, uint32_t stream, uint64_t first, size_t n,
                                        const double *x0, double *x1, double *log_p,
                                        const fg_snapshots *snapshots, const fg_progress *progress,
                                        fg_flow_report *report, fg_status *st);

typedef enum fg_ode_method {
  FG_ODE_ADAMS, /* CVODE Adams, functional (fixed-point) iteration */
  FG_ODE_BDF,   /* CVODE BDF, Newton with GMRES and the model's own Jacobian-vector product */
  FG_ODE_DOPRI5 /* Runge-Kutta pair of Dormand and Prince, every particle by steps of its own, on the engine */
} fg_ode_method;

typedef struct fg_ode_settings {
  fg_ode_method method;
  double rtol, atol;
  size_t tile;   /* particles that share one CVODE and its step size; 0: as fg_ode_tile_size says */
  int max_steps; /* per tile and call; dopri5: per particle */
  fg_precision precision;
} fg_ode_settings;
FG_API void fg_ode_defaults(fg_ode_settings *settings); /* adams, 1e-6, 1e-8, 0, 100000, double */
/* Particles of a tile: 1 with dopri5, settings->tile unless that is 0; then what suits the engine, 64 on the CPU. */
FG_API size_t fg_ode_tile_size(const fg_model *model, const fg_ode_settings *settings);

/* Carry n particles along the probability-flow ODE dx/dt = f - g^2 s / 2 from t0 to t1 (either
 * direction). A tile whose solver gives up is split until the particle at fault is alone; that one
 * is counted, named and left where it got to. With dopri5 no particle's way depends on the others. log_p as above:
 *     d log p / dt = -div( f - g^2 s / 2 ).
 * Tolerances apply to the positions and, when carried, the log-density. A start that is not finite is
 * refused, FG_NUMERICS, by both flows. */
FG_CHECKED FG_API fg_code fg_flow_ode(const fg_model *model, const fg_ode_settings *settings, size_t n,
                                      const double *x0, double t0, double t1, double *x1, double *log_p,
                                      const fg_snapshots *snapshots, const fg_progress *progress,
                                      fg_flow_report *report, fg_status *st);

/* ---- from the settings ---------------------------------------------------------------- */

/* The time grid of `group`, "flow.sde" or "flow.ode": its segments, or spacing, steps and t_end from the
 * horizon of the process. flow.ode without segments and steps takes the times of flow.sde. Segments
 * must start at the horizon (to 1e-12 of it). */
FG_CHECKED FG_API fg_code fg_grid_from_settings(const fg_settings *settings, const char *group,
                                                const fg_process *process, fg_grid **grid, fg_status *st);
/* Scheme, lambda (0 for "flow.ode"), noise, refinement, precision and tile of `group`; the grid is
 * borrowed. FG_USAGE when flow.ode.method is adams, bdf or dopri5. */
FG_CHECKED FG_API fg_code fg_fixed_from_settings(const fg_settings *settings, const char *group,
                                                 const fg_grid *grid, fg_fixed_settings *fixed,
                                                 fg_status *st);
/* The rows flow.ode.*. *t_end: where the ODE stops (auto: where the SDE does). *on_grid: the method is
 * euler or heun, so that fg_flow_fixed must run with the two functions above and `ode` is not used. */
FG_CHECKED FG_API fg_code fg_ode_from_settings(const fg_settings *settings, fg_ode_settings *ode,
                                               double *t_end, bool *on_grid, fg_status *st);

#ifdef __cplusplus
}
#endif
#endif

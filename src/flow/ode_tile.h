/* One tile of particles carried along the probability-flow ODE by one CVODE. */
#ifndef FG_FLOW_ODE_TILE_H
#define FG_FLOW_ODE_TILE_H

#include "engine.h"
#include "flow/nvector.h"
#include "flowgap/flow.h"

/* All that the tiles of one call share. */
typedef struct fg_ode_problem {
  fg_engine *engine;
  const fg_field *field;
  const fg_process *process;
  const fg_ode_settings *settings;
  fg_norm norm;
  size_t n, d;
  const double *x0; /* [n, d] */
  double *x1;       /* [n, d] */
  double *log_p;    /* [n] or NULL */
  double t0, t1;
  const fg_snapshots *snapshots; /* or NULL */
  const fg_progress *progress;
  /* set by fg_ode_run */
  size_t tile;                  /* particles of a tile */
  double bin_low, bins_per_log; /* bin of time t: (log t - bin_low) bins_per_log */
} fg_ode_problem;

enum { FG_ODE_BINS = 48 };

/* Integers, so that sums over workers do not depend on who did what. */
typedef struct fg_ode_tally {
  uint64_t steps, rhs, jvp, error_test_failures, convergence_failures;
  uint64_t tiles, split, lost;
  size_t named;
  fg_lost first[FG_LOST_NAMED]; /* the first of them, by particle */
  uint64_t bin_steps[FG_ODE_BINS], bin_rhs[FG_ODE_BINS], bin_order[FG_ODE_BINS];
} fg_ode_tally;

/* Solvers kept from tile to tile by one thread, and its counts. Start from zeros; clear at the end. */
typedef struct fg_ode_solver fg_ode_solver;
enum { FG_ODE_KEPT = 8 };
typedef struct fg_ode_worker {
  fg_ode_solver *kept[FG_ODE_KEPT];
  size_t oldest;
  uint64_t halved; /* blocks cut in two */
  fg_ode_tally tally;
} fg_ode_worker;

/* Carry particles begin .. begin + count - 1 from t0 to t1. */
FG_CHECKED fg_code fg_ode_tile(fg_ode_worker *worker, const fg_ode_problem *problem, size_t begin,
                               size_t count, fg_status *st);
/* Steps shorter than this end a run. */
double fg_ode_least_step(const fg_ode_problem *problem);
void fg_ode_worker_clear(fg_ode_worker *worker);

/* Carry all particles, tiles in parallel on the engine's threads. */
FG_CHECKED fg_code fg_ode_run(fg_ode_problem *problem, fg_flow_report *report, fg_status *st);

#endif

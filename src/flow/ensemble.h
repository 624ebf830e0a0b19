/* The ODE by the engine's own integrator, in which every particle has its steps to itself (method dopri5). */
#ifndef FG_FLOW_ENSEMBLE_H
#define FG_FLOW_ENSEMBLE_H

#include "flow/ode_tile.h"

/* Carry all particles of the problem, whose bins are set. The report's tiles are particles. */
FG_CHECKED fg_code fg_ensemble_run(const fg_ode_problem *problem, fg_flow_report *report, fg_status *st);

#endif

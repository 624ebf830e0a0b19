/* All that kernels need to know of a process at one time, and over one step. */
#ifndef FG_SDE_COEFF_H
#define FG_SDE_COEFF_H

#include "flowgap/sde.h"
#include "formula/coeff.h"
#include "formula/noising.h"

fg_coeff fg_process_coeff(const fg_process *process, double t);

/* Its numbers, for an engine that computes fg_process_coeff itself. */
const fg_noising *fg_process_formula(const fg_process *process);

/* The process over the times to .. from, to < from:  X_from | X_to ~ N( back X_to, variance I ). */
typedef struct fg_stretch {
  double decay;      /* integral of a; infinite up to the pin */
  double back;       /* exp(-decay) */
  double variance;   /* 0 at the pin */
  double stationary; /* ou, vp: the variance that the process keeps once it has it; else NaN */
} fg_stretch;

fg_stretch fg_process_stretch(const fg_process *process, double from, double to);

/* Its settings, resolved: the numbers of its kind hold. */
const fg_process_settings *fg_process_look(const fg_process *process);

#endif

/* All that kernels need to know of a process at one time. */
#ifndef FG_SDE_COEFF_H
#define FG_SDE_COEFF_H

#include "flowgap/sde.h"
#include "formula/coeff.h"

fg_coeff fg_process_coeff(const fg_process *process, double t);

#endif

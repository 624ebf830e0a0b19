/* Random numbers of residuals; private to src/fokker_planck/. */
#ifndef FG_RESIDUAL_IMPL_H
#define FG_RESIDUAL_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "formula/random.h"

/* Steps of the stream FG_STREAM_RESIDUAL. */
enum { FG_RESIDUAL_STEP_BOX, FG_RESIDUAL_STEP_TIME, FG_RESIDUAL_STEP_NOISE, FG_RESIDUAL_STEP_PROBE = 16 };

/* Rademacher vector v [d]: one bit a component. */
void fg_residual_probe(uint64_t seed, uint64_t point, uint32_t probe, size_t d, double *v);

#endif

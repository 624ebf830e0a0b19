/* The ways to open an engine; private to kernels/. */
#ifndef FG_ENGINE_OPEN_H
#define FG_ENGINE_OPEN_H

#include "engine.h"

/* "cpu", or with check "cpu-check". */
fg_code fg_cpu_engine_open(bool check, int threads, fg_engine **engine, fg_status *st);

#endif

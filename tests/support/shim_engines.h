/* The engines cpu, cpu-check and "cuda" on the shim, opened once for the tests of a file, and fields that several files run
 * on them. */
#ifndef FG_TESTS_SHIM_ENGINES_H
#define FG_TESTS_SHIM_ENGINES_H

#include "support/shim_cases.h"

static fg_engine *cpu, *check, *shim;

/* For cmocka_run_group_tests: cpu and shim. */
static inline int open_engines(void **state)
{
  (void)state;
  MUST(fg_engine_open("cpu", 1, &cpu, ST));
  MUST(fg_cuda_engine_open(1, &shim, ST));
  return 0;
}

/* All three, cpu with two threads. */
static inline int open_three(void **state)
{
  (void)state;
  MUST(fg_engine_open("cpu", 2, &cpu, ST));
  MUST(fg_engine_open("cpu-check", 1, &check, ST));
  MUST(fg_cuda_engine_open(1, &shim, ST));
  return 0;
}

static inline int close_engines(void **state)
{
  (void)state;
  fg_engine_close(&cpu);
  fg_engine_close(&check);
  fg_engine_close(&shim);
  return shim_live() == 0 && shim_graphs() == 0 ? 0 : -1;
}

/* ---- networks, by hidden widths ---------------------------------------------------------------------------- */

#define SOFTPLUS_FIELD(label, hidden, ...)                                                                   \
  {                                                                                                          \
    .name = (label), .network = 1, .d = 2, .activation = FG_SOFTPLUS, .layers = (hidden), .width = {         \
      __VA_ARGS__                                                                                            \
    }                                                                                                        \
  }

/* Noise of an embedded time; two hidden layers. */
#define NOISE_FIELD(label, ...)                                                                              \
  {                                                                                                          \
    .name = (label), .network = 1, .d = 3, .form = FG_VECTOR, .activation = FG_GELU,                         \
    .time = FG_TIME_EMBEDDED, .output = FG_OUTPUT_NOISE, .layers = 2, .width = {                             \
      __VA_ARGS__                                                                                            \
    }                                                                                                        \
  }

/* A control without a guide, of Fourier features of time; one hidden layer. */
#define FOURIER_FIELD(label, hidden)                                                                         \
  {                                                                                                          \
    .name = (label), .network = 1, .d = 1, .form = FG_VECTOR, .activation = FG_TANH,                         \
    .time = FG_TIME_FOURIER, .output = FG_OUTPUT_CONTROL, .layers = 1, .width = {                            \
      hidden                                                                                                 \
    }                                                                                                        \
  }

/* A control guided by a mixture, with a noising control if paired; two hidden layers. */
#define CONTROL_FIELD(label, act, pair, ...)                                                                 \
  {                                                                                                          \
    .name = (label), .network = 1, .d = 3, .components = 4, .form = FG_VECTOR, .activation = (act),          \
    .time = FG_TIME_EMBEDDED, .output = FG_OUTPUT_CONTROL, .layers = 2, .width = {__VA_ARGS__},              \
    .guide = FG_DENSITY_MIXTURE, .paired = (pair)                                                            \
  }

/* A control as the gradient of a potential, guided by wells. */
#define WELLS_FIELD(label, hidden, ...)                                                                      \
  {                                                                                                          \
    .name = (label), .network = 1, .d = 2, .activation = FG_GELU, .time = FG_TIME_EMBEDDED,                  \
    .layers = (hidden), .width = {__VA_ARGS__}, .guide = FG_DENSITY_WELLS                                    \
  }

#endif

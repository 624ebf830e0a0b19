/* An engine, a process, a target and its exact or perturbed model, for tests of models and engines. */
#ifndef FG_TESTS_MODEL_CASE_H
#define FG_TESTS_MODEL_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowgap/flowgap.h"

static fg_status case_status;

/* Fails the test with the status message. */
#define CASE_OK(call)                                                                                        \
  do {                                                                                                       \
    if ((call) != FG_OK) fail_msg("%s:%d: %s", case_status.file, case_status.line, case_status.message);     \
  } while (0)

enum { CASE_COMPONENTS = 4, CASE_MOST = 10 };

typedef struct model_case {
  fg_engine *engine;
  fg_process *process;
  fg_target *target;
  fg_model *model;
  size_t d;
} model_case;

typedef struct case_mixture {
  size_t d;
  double weights[CASE_COMPONENTS], means[CASE_COMPONENTS * CASE_MOST];
  double covariances[CASE_COMPONENTS * CASE_MOST * CASE_MOST];
} case_mixture;

/* Four components; covariances A A^T + 0.2 I, or multiples of the identity. */
static inline void case_mixture_fill(case_mixture *m, size_t d, int isotropic)
{
  m->d = d;
  for (size_t k = 0; k < CASE_COMPONENTS; k++) {
    double *c = m->covariances + k * d * d, a[CASE_MOST * CASE_MOST];
    m->weights[k] = (1.0 + (double)k) / 10;
    for (size_t i = 0; i < d; i++) m->means[k * d + i] = 2 * sin(1.0 + 3.0 * (double)k + (double)i);
    for (size_t i = 0; i < d * d; i++) a[i] = 0.6 * cos(0.7 + 1.9 * (double)i + 2.3 * (double)k);
    for (size_t i = 0; i < d; i++)
      for (size_t j = 0; j < d; j++) {
        double sum = i == j ? 0.2 : 0;
        for (size_t l = 0; l < d; l++) sum += a[i * d + l] * a[j * d + l];
        c[i * d + j] = isotropic ? (i == j ? 0.3 + 0.2 * (double)k : 0) : sum;
      }
  }
}

static inline void case_target_mixture(const case_mixture *m, fg_target **target)
{
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_MIXTURE, &s);
  s.dimension = m->d;
  s.components = CASE_COMPONENTS;
  s.weights = m->weights;
  s.means = m->means;
  s.covariances = m->covariances;
  CASE_OK(fg_target_create(&s, target, &case_status));
}

static inline void case_target(fg_target_kind kind, fg_target **target)
{
  fg_target_settings s;
  fg_target_defaults(kind, &s);
  CASE_OK(fg_target_create(&s, target, &case_status));
}

/* Takes over the target. perturbation NULL: exact. */
static inline void case_open(model_case *c, const char *engine, int threads, fg_process_kind kind,
                             fg_target *target, const fg_perturbation *perturbation)
{
  fg_process_settings p;
  fg_process_defaults(kind, &p);
  c->target = target;
  c->d = fg_target_dimension(target);
  CASE_OK(fg_engine_open(engine, threads, &c->engine, &case_status));
  CASE_OK(fg_process_create(&p, &c->process, &case_status));
  if (perturbation)
    CASE_OK(fg_model_perturbed(c->engine, target, c->process, perturbation, &c->model, &case_status));
  else
    CASE_OK(fg_model_exact(c->engine, target, c->process, &c->model, &case_status));
}

static inline void case_close(model_case *c)
{
  fg_model_destroy(&c->model);
  fg_target_destroy(&c->target);
  fg_process_destroy(&c->process);
  fg_engine_close(&c->engine);
}

/* Numbers in (-1, 1) that look random, different for each salt. */
static inline double case_number(uint64_t i, uint64_t salt)
{
  uint64_t w = (i + 1) * UINT64_C(0x9E3779B97F4A7C15) + salt * UINT64_C(0xD1B54A32D192ED03);
  w ^= w >> 31;
  w *= UINT64_C(0x94D049BB133111EB);
  w ^= w >> 29;
  return (double)(w >> 11) / 4503599627370496.0 - 1;
}

#endif

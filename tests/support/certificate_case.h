/* Models for tests of the certificate: exact and perturbed mixtures in any dimension. */
#ifndef FG_TESTS_CERTIFICATE_CASE_H
#define FG_TESTS_CERTIFICATE_CASE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flowgap/certificate.h"

typedef struct certificate_case {
  fg_engine *engine;
  fg_target *target;
  fg_process *process;
  fg_model *model;
  fg_prior *prior;
  size_t d;
} certificate_case;

static inline void certificate_ok(fg_code rc, const fg_status *st)
{
  if (rc != FG_OK) fail_msg("%s", st->message);
}

/* A mixture of k equally weighted components, means [k, d], covariance `variance` I; epsilon 0: the exact model. The
 * prior is the noised mixture itself. */
static inline void certificate_open_under(certificate_case *c, const fg_process_settings *noise, size_t d,
                                          size_t k, const double *means, double variance, double epsilon)
{
  fg_status st;
  fg_target_settings target;
  fg_perturbation perturbation;
  const fg_prior_settings start = {FG_PRIOR_EXACT, 0, 0};
  memset(c, 0, sizeof *c);
  c->d = d;
  fg_target_defaults(FG_TARGET_MIXTURE, &target);
  target.dimension = d;
  target.components = k;
  target.means = means;
  target.variance = variance;
  fg_perturbation_defaults(&perturbation);
  perturbation.epsilon = epsilon;
  certificate_ok(fg_engine_open("cpu", 0, &c->engine, &st), &st);
  certificate_ok(fg_target_create(&target, &c->target, &st), &st);
  certificate_ok(fg_process_create(noise, &c->process, &st), &st);
  if (epsilon == 0)
    certificate_ok(fg_model_exact(c->engine, c->target, c->process, &c->model, &st), &st);
  else
    certificate_ok(fg_model_perturbed(c->engine, c->target, c->process, &perturbation, &c->model, &st), &st);
  certificate_ok(fg_prior_create(&start, d, c->process, c->target, &c->prior, &st), &st);
}

/* OU with rate 1, diff 1. */
static inline void certificate_open(certificate_case *c, size_t d, size_t k, const double *means,
                                    double variance, double horizon, double epsilon)
{
  fg_process_settings noise;
  fg_process_defaults(FG_PROCESS_OU, &noise);
  noise.horizon = horizon;
  certificate_open_under(c, &noise, d, k, means, variance, epsilon);
}

static inline void certificate_close(certificate_case *c)
{
  fg_prior_destroy(&c->prior);
  fg_model_destroy(&c->model);
  fg_process_destroy(&c->process);
  fg_target_destroy(&c->target);
  fg_engine_close(&c->engine);
}

#endif

/* An exact model with starts drawn from its own law at T, for tests of flows. */
#ifndef FG_TESTS_MODEL_CASE_H
#define FG_TESTS_MODEL_CASE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flowgap/flow.h"

typedef struct model_case {
  fg_engine *engine;
  fg_target *target;
  fg_process *process;
  fg_model *model;
  size_t n;
  double horizon, mean, variance; /* of the gaussian target */
  double *x0, *log_p0;            /* [n, 2], [n]: starts at T with their log-density */
  double *x1, *log_p1;            /* room for ends */
} model_case;

static inline void exact_ok(fg_code rc, const fg_status *st)
{
  if (rc != FG_OK) fail_msg("%s", st->message);
}

static inline void exact_log_p(const model_case *c, double t, size_t n, const double *x, double *log_p)
{
  fg_status st;
  fg_evaluation out;
  memset(&out, 0, sizeof out);
  out.phi = log_p;
  exact_ok(fg_model_evaluate(c->model, FG_DOUBLE, n, &t, 1, x, &out, &st), &st);
}

/* kind FG_TARGET_GAUSSIAN: N((1, 1), variance I); FG_TARGET_GMM9 as it is. */
static inline void exact_open(model_case *c, const char *engine, int threads, fg_target_kind kind,
                              double variance, fg_process_kind process, size_t n)
{
  fg_status st;
  fg_target_settings target;
  fg_process_settings noise;
  fg_prior_settings start = {FG_PRIOR_EXACT, 0, 0};
  fg_prior *prior;
  memset(c, 0, sizeof *c);
  fg_target_defaults(kind, &target);
  if (kind == FG_TARGET_GAUSSIAN) {
    target.dimension = 2;
    target.mean = c->mean = 1;
    target.variance = c->variance = variance;
  }
  fg_process_defaults(process, &noise);
  exact_ok(fg_engine_open(engine, threads, &c->engine, &st), &st);
  exact_ok(fg_target_create(&target, &c->target, &st), &st);
  exact_ok(fg_process_create(&noise, &c->process, &st), &st);
  exact_ok(fg_model_exact(c->engine, c->target, c->process, &c->model, &st), &st);
  exact_ok(fg_prior_create(&start, 2, c->process, c->target, &prior, &st), &st);
  c->n = n;
  c->horizon = fg_process_horizon(c->process);
  c->x0 = malloc(n * 2 * sizeof(double));
  c->x1 = malloc(n * 2 * sizeof(double));
  c->log_p0 = malloc(n * sizeof(double));
  c->log_p1 = malloc(n * sizeof(double));
  assert_true(c->x0 && c->x1 && c->log_p0 && c->log_p1);
  exact_ok(fg_prior_sample(prior, 11, 0, n, c->x0, &st), &st);
  exact_log_p(c, c->horizon, n, c->x0, c->log_p0);
  fg_prior_destroy(&prior);
}

static inline void exact_close(model_case *c)
{
  free(c->x0);
  free(c->x1);
  free(c->log_p0);
  free(c->log_p1);
  fg_model_destroy(&c->model);
  fg_process_destroy(&c->process);
  fg_target_destroy(&c->target);
  fg_engine_close(&c->engine);
}

/* x0, log_p0 at T to x1, log_p1 at t1 */
static inline void exact_run(model_case *c, const fg_ode_settings *set, double t1, fg_flow_report *report)
{
  fg_status st;
  memcpy(c->log_p1, c->log_p0, c->n * sizeof(double));
  exact_ok(fg_flow_ode(c->model, set, c->n, c->x0, c->horizon, t1, c->x1, c->log_p1, NULL, NULL, report, &st),
           &st);
}

/* Where the ODE carries x0 under a gaussian target: deviations from the mean scale with the spread. */
static inline double exact_gaussian_end(const model_case *c, double x0, double t1)
{
  double m0 = fg_process_m(c->process, c->horizon), m1 = fg_process_m(c->process, t1);
  double v0 = m0 * m0 * c->variance + fg_process_v(c->process, c->horizon);
  double v1 = m1 * m1 * c->variance + fg_process_v(c->process, t1);
  return m1 * c->mean + (x0 - m0 * c->mean) * sqrt(v1 / v0);
}

#endif

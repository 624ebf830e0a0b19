/* A small sampler in training, for tests: engine, process, target, prior, settings. */
#ifndef FG_TEST_SAMPLER_CASE_H
#define FG_TEST_SAMPLER_CASE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flowgap/flowgap.h"
#include "support/engine_by_name.h"

static fg_status sampler_status;

#define SAMPLER_OK(call)                                                                                     \
  do {                                                                                                       \
    if ((call) != FG_OK) fail_msg("%s:%d: %s", __FILE__, __LINE__, sampler_status.message);                  \
  } while (0)

typedef struct sampler_case {
  fg_engine *engine;
  fg_process *process;
  fg_target *target;
  fg_prior *prior;
  fg_train_settings settings; /* for the test to change before sampler_start */
  fg_trainer *trainer;
} sampler_case;

/* PIS: pinned at T = 2 with diff 1, from a point; else vp from N(0, 1). Takes over the target. */
static inline void sampler_open_on(const char *engine, sampler_case *c, fg_train_method method,
                                   fg_target *target, int threads)
{
  fg_process_settings p;
  fg_prior_settings prior = {method == FG_TRAIN_PIS ? FG_PRIOR_POINT : FG_PRIOR_GAUSSIAN, 1, 0};
  memset(c, 0, sizeof *c);
  c->target = target;
  fg_process_defaults(method == FG_TRAIN_PIS ? FG_PROCESS_PINNED : FG_PROCESS_VP, &p);
  if (method == FG_TRAIN_PIS) p.horizon = 2;
  SAMPLER_OK(engine_by_name(engine, threads, &c->engine, &sampler_status));
  SAMPLER_OK(fg_process_create(&p, &c->process, &sampler_status));
  SAMPLER_OK(
      fg_prior_create(&prior, fg_target_dimension(target), c->process, target, &c->prior, &sampler_status));
  fg_train_settings *s = &c->settings;
  fg_train_defaults(method, s);
  s->hidden_count = 2;
  s->hidden[0] = s->hidden[1] = 16;
  s->frequencies = 8;
  s->embedding_width = 16;
  s->batch = 256;
  s->steps = 1000;
  s->stage_count = 1;
  s->stages[0] = (fg_train_stage){0, 20};
  s->evaluate_paths = 4000;
  s->evaluate_steps = 20;
}

static inline void sampler_open(sampler_case *c, fg_train_method method, fg_target *target, int threads)
{
  sampler_open_on("cpu", c, method, target, threads);
}

static inline void sampler_start(sampler_case *c, int steps)
{
  fg_train_step step;
  SAMPLER_OK(fg_trainer_create(c->engine, &c->settings, c->process, c->target, c->prior, &c->trainer,
                               &sampler_status));
  for (int k = 0; k < steps; k++) SAMPLER_OK(fg_trainer_step(c->trainer, NULL, &step, &sampler_status));
}

static inline void sampler_close(sampler_case *c)
{
  fg_trainer_destroy(&c->trainer);
  fg_prior_destroy(&c->prior);
  fg_target_destroy(&c->target);
  fg_process_destroy(&c->process);
  fg_engine_close(&c->engine);
}

static inline fg_target *sampler_target(fg_target_kind kind, size_t dimension, double variance)
{
  fg_target_settings s;
  fg_target *target;
  fg_target_defaults(kind, &s);
  if (dimension) s.dimension = dimension;
  if (variance > 0) s.variance = variance;
  SAMPLER_OK(fg_target_create(&s, &target, &sampler_status));
  return target;
}

/* Slope of log y against log x, least squares. */
static inline double sampler_slope(int n, const double *x, const double *y)
{
  double mx = 0, my = 0, xy = 0, xx = 0;
  for (int i = 0; i < n; i++) {
    mx += log(x[i]) / n;
    my += log(y[i]) / n;
  }
  for (int i = 0; i < n; i++) {
    xy += (log(x[i]) - mx) * (log(y[i]) - my);
    xx += (log(x[i]) - mx) * (log(x[i]) - mx);
  }
  return xy / xx;
}

#endif

/* Losses at points of a network on an engine of their own. */
#ifndef FG_TESTS_POINTS_RUN_H
#define FG_TESTS_POINTS_RUN_H

#include "support/engine_by_name.h"
#include "support/points_case.h"

enum { POINTS_MOST = 1000, POINTS_D = 3 };

typedef struct points_outcome {
  double loss, loss_se, value[POINTS_MOST], *packed;
  size_t bytes;
} points_outcome;

static const points_shape points_potential = {
    FG_POTENTIAL, FG_OUTPUT_SCORE, FG_SOFTPLUS, FG_TIME_FIRST, false, POINTS_D, 3, 20, 3};
static const points_shape points_embedded = {
    FG_POTENTIAL, FG_OUTPUT_SCORE, FG_GELU, FG_TIME_EMBEDDED, true, POINTS_D, 3, 20, 3};
static const points_shape points_vector = {
    FG_VECTOR, FG_OUTPUT_NOISE, FG_TANH, FG_TIME_LAST, false, POINTS_D, 3, 20, 3};

typedef struct points_setup {
  fg_process *process;
  fg_engine *engine;
  fg_model *model;
  points_net net;
  points_batch b;
} points_setup;

static inline void points_setup_open(points_setup *s, const char *engine, int threads,
                                     const points_shape *shape, size_t n, size_t group)
{
  fg_process_settings p;
  fg_process_defaults(FG_PROCESS_VP, &p);
  CASE_OK(fg_process_create(&p, &s->process, &case_status));
  CASE_OK(engine_by_name(engine, threads, &s->engine, &case_status));
  points_net_open(&s->net, shape);
  CASE_OK(fg_model_network(s->engine, &s->net.s, s->process, &s->model, &case_status));
  points_batch_open(&s->b, s->engine, s->process, n, group, POINTS_D, 0.2, 0.9);
}

static inline void points_setup_close(points_setup *s)
{
  points_batch_close(&s->b);
  fg_model_destroy(&s->model);
  fg_engine_close(&s->engine);
  fg_process_destroy(&s->process);
}

static inline fg_code points_of(points_setup *s)
{
  return s->engine->ops->points(s->engine, s->engine->threads, fg_model_field(s->model), &s->b.r,
                                &case_status);
}

static inline void points_run(const char *name, int threads, const points_shape *shape, fg_point_loss kind,
                              fg_precision precision, int probes, size_t n, size_t group, int twice,
                              points_outcome *out)
{
  static points_setup s;
  points_setup_open(&s, name, threads, shape, n, group);
  const fg_field *f = fg_model_field(s.model);
  const size_t size = fg_network_pack_size(f), real = precision == FG_SINGLE ? sizeof(float) : sizeof(double);
  float *narrow = malloc(size * sizeof *narrow);
  out->bytes = size * sizeof(double);
  out->packed = malloc(out->bytes);
  assert_non_null(narrow);
  assert_non_null(out->packed);
  CASE_OK(s.engine->ops->alloc(s.engine, size * real, &s.b.r.gradient, &case_status));
  s.b.r.precision = precision;
  s.b.r.kind = kind;
  s.b.r.probes = probes;
  for (int k = 0; k <= twice; k++) {
    s.b.r.accumulate = k;
    CASE_OK(points_of(&s));
  }
  out->loss = s.b.r.loss;
  out->loss_se = s.b.r.loss_se;
  CASE_OK(
      s.engine->ops->download(s.engine, out->value, s.b.r.value, 0, n * sizeof *out->value, &case_status));
  CASE_OK(s.engine->ops->download(s.engine, precision == FG_SINGLE ? (void *)narrow : (void *)out->packed,
                                  s.b.r.gradient, 0, size * real, &case_status));
  for (size_t i = 0; i < size && precision == FG_SINGLE; i++) out->packed[i] = (double)narrow[i];
  free(narrow);
  s.engine->ops->free(s.engine, &s.b.r.gradient);
  points_setup_close(&s);
}

#endif

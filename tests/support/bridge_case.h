/* Both gradients of a bridge on an engine of its own, every buffer between guards. */
#ifndef FG_TESTS_BRIDGE_CASE_H
#define FG_TESTS_BRIDGE_CASE_H

#include "support/objective_case.h"

typedef struct bridge {
  objective_shape u, v;
  double clip; /* of v */
} bridge;

#ifdef FG_ON_CUDA
#define BRIDGE_DENSITY FG_DENSITY_WELLS /* no device runs functions of the host */
#else
#define BRIDGE_DENSITY FG_DENSITY_PLUGIN
#endif

/* Wells along each coordinate, one pulled to a side; or the density of objective_density. */
static inline double wells(const void *data, int d, const double *x, double *score)
{
  double log_rho = 0;
  (void)data;
#ifdef FG_ON_CUDA
  for (int j = 0; j < d; j++) {
    const double u = (x[j] - 0.2) * (x[j] - 0.2) - 1.5;
    log_rho -= j < (d + 1) / 2 ? u * u : x[j] * x[j] / 2;
  }
  (void)score;
  return log_rho;
#endif
  for (int j = 0; j < d; j++) {
    log_rho += x[j] * x[j] - 0.25 * x[j] * x[j] * x[j] * x[j] + 0.3 * x[j];
    if (score) score[j] = 2 * x[j] - x[j] * x[j] * x[j] + 0.3;
  }
  return log_rho;
}

#define CONTROL(dimension, kind, ...)                                                                        \
  {                                                                                                          \
    .name = "bridge", .d = dimension, .form = kind, .hidden = {__VA_ARGS__}, .frequencies = 5,               \
    .embedding = 9, .density = BRIDGE_DENSITY, .call = wells, .method = FG_TRAIN_BRIDGE,                     \
    .activation = FG_GELU                                                                                    \
  }
#define NOISING(dimension, phi, ...)                                                                         \
  {                                                                                                          \
    .name = "noising", .d = dimension, .form = FG_VECTOR, .hidden = {__VA_ARGS__}, .frequencies = 3,         \
    .embedding = 7, .density = FG_DENSITY_NONE, .method = FG_TRAIN_BRIDGE, .activation = phi                 \
  }

/* Odd widths, more than one panel of columns, one to four hidden layers, every activation that has a bend; a clip that
 * some outputs reach. */
static const bridge bridges[] = {
    {CONTROL(1, FG_VECTOR, 20), NOISING(1, FG_GELU, 24), 20},
    {CONTROL(3, FG_VECTOR, 7, 33), NOISING(3, FG_GELU, 18, 100, 130), 20},
    {CONTROL(2, FG_POTENTIAL, 20, 20), NOISING(2, FG_TANH, 16, 16), 20},
    {CONTROL(5, FG_VECTOR, 16), NOISING(5, FG_SILU, 130, 7, 20, 9), 0.6},
    {CONTROL(17, FG_VECTOR, 32), NOISING(17, FG_SOFTPLUS, 24, 40), 0.9},
};
enum { BRIDGES = sizeof bridges / sizeof *bridges, SEED = 77 };

/* Fields of both controls, moved as the plans say, and the grid. */
typedef struct setting {
  objective_network w[2];
  objective_paths paths;
  fg_field f[2];
  guarded packed[2];
} setting;

static inline void setting_open(setting *s, fg_engine *e, const bridge *b, const objective_plan *p,
                                const objective_plan *q)
{
  const objective_shape *shape[2] = {&b->u, &b->v};
  const objective_plan *plan[2] = {p, q};
  objective_paths_open(&b->u, &s->paths);
  for (int k = 0; k < 2; k++) {
    objective_network_open(&s->w[k], shape[k], plan[k]);
    s->f[k] = objective_field(shape[k], &s->w[k], s->paths.horizon);
    s->packed[k] = objective_pack(e, &s->f[k], &s->w[k], p->precision);
    s->f[k].as.network.packed_single = s->f[k].as.network.packed_double = s->packed[k].inner;
  }
  s->f[1].guide.clip = b->clip;
}

static inline void setting_close(setting *s, fg_engine *e)
{
  for (int k = 0; k < 2; k++) {
    guarded_close(e, &s->packed[k], NULL);
    objective_network_close(&s->w[k]);
  }
}

/* ---- the engine ------------------------------------------------------------------------------- */

typedef struct answer {
  double *rnd, *gradient[2]; /* [2, n], packed */
  size_t n, size[2], lost;
  double loss;
} answer;

/* The weights of u as p moves them, those of v as q does. */
static inline answer run_moved(const char *engine, int threads, const bridge *b, const objective_plan *p,
                               const objective_plan *q, int gradient)
{
  fg_engine *e;
  setting s;
  answer a = {.n = p->n};
  MUST(engine_by_name(engine, threads, &e, ST));
  setting_open(&s, e, b, p, q);
  double *x0 = objective_starts(&b->u, p);
  guarded x = guarded_open(e, p->n * b->u.d * sizeof *x0, x0), lost = guarded_open(e, p->n * 4, NULL);
  guarded rnd[2], to[2];
  for (int k = 0; k < 2; k++) {
    rnd[k] = guarded_open(e, p->n * sizeof(double), NULL);
    to[k] = guarded_open(e, s.packed[k].inner.bytes, NULL);
    a.size[k] = fg_network_pack_size(&s.f[k]);
  }
  fg_objective_request r = {.objective = p->objective, .form = p->form, .group = p->group};
  r.paths = (fg_paths_request){.precision = p->precision,
                               .n = p->n,
                               .tile = p->tile,
                               .seed = SEED,
                               .stream = FG_STREAM_NOISE,
                               .steps = OBJECTIVE_STEPS,
                               .coeff = s.paths.coeff,
                               .step = s.paths.step,
                               .noising = &s.f[1],
                               .continuous = s.paths.ends[FG_FORM_CONTINUOUS],
                               .discrete = s.paths.ends[FG_FORM_DISCRETE],
                               .limit = p->limit,
                               .x = x.inner,
                               .lost_step = lost.inner};
  objective_density(&b->u, &r.paths.target);
  for (int k = 0; k < 2; k++) r.paths.rnd[k] = rnd[k].inner;
  r.gradient = to[0].inner;
  r.noising_gradient = to[1].inner;
  if (gradient)
    MUST(e->ops->objective(e, e->threads, &s.f[0], &r, ST));
  else
    MUST(e->ops->paths(e, e->threads, &s.f[0], &r.paths, ST));
  a.loss = r.loss;
  a.lost = r.lost;
  a.rnd = malloc(2 * p->n * sizeof *a.rnd);
  assert_non_null(a.rnd);
  for (int k = 0; k < 2; k++) {
    guarded_close(e, &rnd[k], a.rnd + (size_t)k * p->n);
    a.gradient[k] = objective_take(e, &to[k], a.size[k], p->precision);
  }
  guarded_close(e, &x, NULL);
  guarded_close(e, &lost, NULL);
  setting_close(&s, e);
  free(x0);
  fg_engine_close(&e);
  return a;
}

static inline answer run(const char *engine, int threads, const bridge *b, const objective_plan *p,
                         int gradient)
{
  return run_moved(engine, threads, b, p, p, gradient);
}

static inline void answer_free(answer *a)
{
  free(a->rnd);
  free(a->gradient[0]);
  free(a->gradient[1]);
}

#endif

/* One gradient of an objective on an engine of its own, every buffer between guards, with random weights and any
 * shape of network. */
#ifndef FG_TESTS_OBJECTIVE_CASE_H
#define FG_TESTS_OBJECTIVE_CASE_H

#include "support/engine_by_name.h"
#include "support/engine_cases.h"

#include "flowgap/flowgap.h"
#include "sde/coeff.h"
#include "train/steps.h"

enum { OBJECTIVE_LAYERS = 6, OBJECTIVE_STEPS = 5, OBJECTIVE_FACTOR = 3, OBJECTIVE_PARTS = 5 };

typedef struct objective_shape {
  const char *name;
  size_t d, hidden[OBJECTIVE_LAYERS]; /* ends with 0 */
  fg_network_form form;
  fg_activation activation;
  size_t frequencies, embedding;
  fg_density_kind density;
  fg_density_function *call; /* PLUGIN */
  fg_train_method method;
  fg_train_integrator integrator;
} objective_shape;

typedef struct objective_plan {
  fg_objective objective;
  fg_path_form form;
  fg_precision precision;
  size_t n, tile, group, first; /* first: number of the first path */
  double limit;
  int part; /* of the weights that are moved by shift along objective_direction */
  double shift;
} objective_plan;

typedef struct objective_answer {
  double *rnd, *gradient; /* [2, n], [size]: packed */
  size_t size, n, lost, lost_first;
  double loss, mean;
} objective_answer;

/* Number i of a stream, in (-1, 1): the same for every engine and plan. */
static inline double objective_number(uint64_t stream, size_t i)
{
  const fg_words w = fg_philox(stream, 0, i, 0, 0);
  return 2 * fg_uniform52(w.w[0], w.w[1]) - 1;
}

/* The weights as the settings of a network point to them. Parts: 0 the layers, 1 the embedding, 2 its phases, 3 the
 * time factor, 4 its phases. */
typedef struct objective_network {
  fg_network_settings s;
  size_t widths[OBJECTIVE_LAYERS + 2];
  const double *weights[OBJECTIVE_LAYERS + 1], *biases[OBJECTIVE_LAYERS + 1];
  double *memory[64];
  size_t length[64], count;
} objective_network;

enum { OBJECTIVE_DIRECTION = 1000 }; /* streams of directions, above those of the weights */

static inline const double *objective_array(objective_network *w, const objective_plan *p, int part,
                                            size_t size, double scale)
{
  double *x = malloc(size * sizeof *x);
  assert_non_null(x);
  assert_true(w->count < 64);
  for (size_t i = 0; i < size; i++) {
    x[i] = scale * objective_number(w->count, i);
    if (p && p->part == part) x[i] += p->shift * objective_number(OBJECTIVE_DIRECTION + w->count, i);
  }
  w->length[w->count] = size;
  w->memory[w->count++] = x;
  return x;
}

static inline void objective_layers(objective_network *w, const objective_shape *shape,
                                    const objective_plan *p)
{
  fg_network_settings *s = &w->s;
  w->widths[0] = shape->d;
  while (shape->hidden[s->layers]) {
    w->widths[s->layers + 1] = shape->hidden[s->layers];
    s->layers++;
  }
  s->layers++;
  w->widths[s->layers] = shape->form == FG_POTENTIAL ? 1 : shape->d;
  for (size_t l = 0; l < s->layers; l++) {
    w->weights[l] =
        objective_array(w, p, 0, w->widths[l] * w->widths[l + 1], 1.5 / sqrt((double)w->widths[l]));
    w->biases[l] = objective_array(w, p, 0, w->widths[l + 1], 0.5);
  }
}

static inline void objective_time(objective_network *w, const objective_shape *shape, const objective_plan *p)
{
  fg_network_settings *s = &w->s;
  const size_t waves = shape->frequencies, width = shape->embedding;
  s->time = FG_TIME_EMBEDDED;
  s->time_reversed = true;
  s->frequencies = waves;
  s->embedding_width = width;
  s->frequency = objective_array(w, NULL, 0, waves, 5);
  s->phase = objective_array(w, p, 2, waves, 2);
  s->embedding_weights[0] = objective_array(w, p, 1, width * 2 * waves, 1 / sqrt((double)waves));
  s->embedding_biases[0] = objective_array(w, p, 1, width, 0.5);
  s->embedding_weights[1] = objective_array(w, p, 1, w->widths[1] * width, 1 / sqrt((double)width));
  s->embedding_biases[1] = objective_array(w, p, 1, w->widths[1], 0.5);
  if (shape->density == FG_DENSITY_NONE) return;
  s->factor_layers = OBJECTIVE_FACTOR;
  s->factor_width = width;
  s->factor_frequencies = waves;
  s->factor_frequency = objective_array(w, NULL, 0, waves, 5);
  s->factor_phase = objective_array(w, p, 4, waves, 2);
  for (size_t l = 0; l < OBJECTIVE_FACTOR; l++) {
    const size_t in = l ? width : 2 * waves, out = l + 1 < OBJECTIVE_FACTOR ? width : 1;
    s->factor_weights[l] = objective_array(w, p, 3, in * out, 1 / sqrt((double)in));
    s->factor_biases[l] = objective_array(w, p, 3, out, 0.5);
  }
}

/* p NULL: as it is, not moved. */
static inline void objective_network_open(objective_network *w, const objective_shape *shape,
                                          const objective_plan *p)
{
  memset(w, 0, sizeof *w);
  fg_network_settings *s = &w->s;
  s->form = shape->form;
  s->output = shape->form == FG_POTENTIAL ? FG_OUTPUT_SCORE : FG_OUTPUT_CONTROL;
  s->activation = shape->activation;
  s->beta = 1;
  s->threshold = 20;
  s->dimension = shape->d;
  s->widths = w->widths;
  s->weights = w->weights;
  s->biases = w->biases;
  objective_layers(w, shape, p);
  objective_time(w, shape, p);
}

static inline void objective_network_close(objective_network *w)
{
  for (size_t i = 0; i < w->count; i++) free(w->memory[i]);
  w->count = 0;
}

static inline void objective_density(const objective_shape *shape, fg_density *density)
{
  memset(density, 0, sizeof *density);
  density->kind = shape->density;
  density->d = (int)shape->d;
  if (shape->density == FG_DENSITY_FUNNEL) density->as.funnel.nu = 1.5;
  if (shape->density == FG_DENSITY_PLUGIN) density->as.plugin.call = shape->call;
  if (shape->density != FG_DENSITY_WELLS) return;
  density->as.wells.wells = (int)(shape->d + 1) / 2;
  density->as.wells.separation = 1.5;
  density->as.wells.shift = 0.2;
}

/* Field without weights. */
static inline fg_field objective_field(const objective_shape *shape, const objective_network *w,
                                       double horizon)
{
  const fg_network_settings *s = &w->s;
  fg_field f;
  memset(&f, 0, sizeof f);
  fg_field_network *n = &f.as.network;
  f.kind = FG_FIELD_NETWORK;
  f.d = (int)shape->d;
  f.guided = 1;
  n->form = s->form;
  n->output = s->output;
  n->activation = s->activation;
  n->time = s->time;
  n->time_reversed = 1;
  n->beta = s->beta;
  n->threshold = s->threshold;
  n->horizon = horizon;
  n->layers = (int)s->layers;
  for (size_t l = 0; l <= s->layers; l++) n->width[l] = (int)w->widths[l];
  n->frequencies = (int)s->frequencies;
  n->embedding_width = (int)s->embedding_width;
  n->factor_layers = (int)s->factor_layers;
  n->factor_width = (int)s->factor_width;
  n->factor_frequencies = (int)s->factor_frequencies;
  objective_density(shape, &f.guide.density);
  f.guide.interpolated = shape->method == FG_TRAIN_DIS;
  f.guide.prior_variance = 1;
  f.guide.clip = 20;
  return f;
}

/* Steps, ends and starts of the method; PIS is pinned at the horizon. */
typedef struct objective_paths {
  fg_coeff coeff[OBJECTIVE_STEPS + 1];
  fg_path_step step[OBJECTIVE_STEPS];
  fg_path_ends ends[2];
  double horizon;
} objective_paths;

static inline void objective_paths_open(const objective_shape *shape, objective_paths *out)
{
  const int pis = shape->method == FG_TRAIN_PIS;
  const fg_prior_view prior = {pis ? FG_PRIOR_POINT : FG_PRIOR_GAUSSIAN, 1,
                               -0.5 * (double)shape->d * FG_LOG_2PI};
  fg_process_settings settings;
  fg_process *process;
  fg_process_defaults(pis ? FG_PROCESS_PINNED : FG_PROCESS_VP, &settings);
  settings.beta_max = settings.diff =
      0.5; /* few steps, and no clip in the potential form: nothing may blow up */
  MUST(fg_process_create(&settings, &process, ST));
  out->horizon = fg_process_horizon(process);
  for (int k = 0; k <= OBJECTIVE_STEPS; k++) {
    const double t = out->horizon * (OBJECTIVE_STEPS - k) / OBJECTIVE_STEPS;
    out->coeff[k] = fg_process_coeff(process, t);
    if (k == 0) continue;
    out->step[k - 1] =
        fg_path_step_between(process, shape->method, shape->integrator, shape->d, out->coeff[k - 1].t, t);
  }
  for (int form = 0; form < 2; form++)
    out->ends[form] = fg_path_ends_of(process, &prior, shape->method, (fg_train_form)form, shape->d);
  fg_process_destroy(&process);
}

static inline double *objective_starts(const objective_shape *shape, const objective_plan *p)
{
  double *x = malloc(p->n * shape->d * sizeof *x);
  assert_non_null(x);
  for (size_t i = 0; i < p->n; i++)
    for (size_t j = 0; j < shape->d; j++)
      x[i * shape->d + j] =
          shape->method == FG_TRAIN_PIS ? 0 : 1.5 * objective_number(2000 + j, (p->first + i) / p->group);
  return x;
}

static inline guarded objective_pack(fg_engine *e, const fg_field *f, const objective_network *w,
                                     fg_precision precision)
{
  const size_t size = fg_network_pack_size(f);
  double *packed = calloc(size, sizeof *packed);
  assert_non_null(packed);
  if (precision == FG_SINGLE)
    fg_network_pack_single(f, &w->s, (float *)(void *)packed);
  else
    fg_network_pack(f, &w->s, packed);
  guarded g = guarded_open(e, size * (precision == FG_SINGLE ? sizeof(float) : sizeof(double)), packed);
  free(packed);
  return g;
}

/* Closes the gradient's buffer. */
static inline double *objective_take(fg_engine *e, guarded *gradient, size_t size, fg_precision precision)
{
  double *wide = calloc(size, sizeof *wide);
  float *narrow = calloc(size, sizeof *narrow);
  assert_non_null(wide);
  assert_non_null(narrow);
  guarded_close(e, gradient, precision == FG_SINGLE ? (void *)narrow : (void *)wide);
  for (size_t i = 0; i < size && precision == FG_SINGLE; i++) wide[i] = (double)narrow[i];
  free(narrow);
  return wide;
}

static inline objective_answer objective_run(const char *engine, int threads, const objective_shape *shape,
                                             const objective_plan *p)
{
  fg_engine *e;
  objective_network w;
  objective_paths paths;
  objective_answer a = {.n = p->n};
  MUST(engine_by_name(engine, threads, &e, ST));
  objective_network_open(&w, shape, p);
  objective_paths_open(shape, &paths);
  fg_field f = objective_field(shape, &w, paths.horizon);
  double *x0 = objective_starts(shape, p);
  a.size = fg_network_pack_size(&f);
  guarded packed = objective_pack(e, &f, &w, p->precision);
  guarded x = guarded_open(e, p->n * shape->d * sizeof *x0, x0), lost = guarded_open(e, p->n * 4, NULL);
  guarded gradient = guarded_open(e, packed.inner.bytes, NULL), rnd[2];
  for (int form = 0; form < 2; form++) rnd[form] = guarded_open(e, p->n * sizeof(double), NULL);
  f.as.network.packed_single = f.as.network.packed_double = packed.inner;
  fg_objective_request r;
  memset(&r, 0, sizeof r);
  r.paths.precision = p->precision;
  r.paths.n = p->n;
  r.paths.tile = p->tile;
  r.paths.seed = 77;
  r.paths.first = p->first;
  r.paths.stream = FG_STREAM_NOISE;
  r.paths.steps = OBJECTIVE_STEPS;
  r.paths.coeff = paths.coeff;
  r.paths.step = paths.step;
  r.paths.continuous = paths.ends[FG_FORM_CONTINUOUS];
  r.paths.discrete = paths.ends[FG_FORM_DISCRETE];
  objective_density(shape, &r.paths.target);
  r.paths.limit = p->limit;
  r.paths.x = x.inner;
  for (int form = 0; form < 2; form++) r.paths.rnd[form] = rnd[form].inner;
  r.paths.lost_step = lost.inner;
  r.objective = p->objective;
  r.form = p->form;
  r.group = p->group;
  r.gradient = gradient.inner;
  MUST(e->ops->objective(e, e->threads, &f, &r, ST));
  a.rnd = malloc(2 * p->n * sizeof *a.rnd);
  assert_non_null(a.rnd);
  for (int form = 0; form < 2; form++) guarded_close(e, &rnd[form], a.rnd + (size_t)form * p->n);
  a.gradient = objective_take(e, &gradient, a.size, p->precision);
  a.loss = r.loss;
  a.mean = r.mean;
  a.lost = r.lost;
  a.lost_first = r.lost_first;
  guarded_close(e, &x, NULL);
  guarded_close(e, &lost, NULL);
  guarded_close(e, &packed, NULL);
  objective_network_close(&w);
  free(x0);
  fg_engine_close(&e);
  return a;
}

static inline void objective_free(objective_answer *a)
{
  free(a->rnd);
  free(a->gradient);
}

static inline void objective_same_bits(const objective_answer *a, const objective_answer *b, const char *name)
{
  if (memcmp(a->gradient, b->gradient, a->size * sizeof(double)) ||
      memcmp(a->rnd, b->rnd, 2 * a->n * sizeof(double)) || memcmp(&a->loss, &b->loss, sizeof a->loss))
    fail_msg("%s, %zu paths: other bits", name, a->n);
  assert_int_equal(a->lost, b->lost);
  assert_int_equal(a->lost_first, b->lost_first);
}

/* Within tolerance of the largest entry of the gradient, and of the loss. */
static inline void objective_near(const objective_answer *a, const objective_answer *b, double tolerance,
                                  const char *name)
{
  double scale = 0, off = 0;
  for (size_t i = 0; i < a->size; i++) {
    scale = fmax(scale, fabs(a->gradient[i]));
    off = fmax(off, fabs(a->gradient[i] - b->gradient[i]));
    if (!isfinite(a->gradient[i]) || !isfinite(b->gradient[i]))
      fail_msg("%s: a gradient is not finite", name);
  }
  if (!(off <= tolerance * scale)) fail_msg("%s: gradients differ by %g of %g", name, off, scale);
  if (!(fabs(a->loss - b->loss) <= tolerance * (1 + fabs(a->loss))))
    fail_msg("%s: losses %.17g and %.17g", name, a->loss, b->loss);
  if (!(fabs(a->mean - b->mean) <= tolerance * (1 + fabs(a->mean))))
    fail_msg("%s: means %.17g and %.17g", name, a->mean, b->mean);
}

/* The derivative along the direction in which a shift moves the part; size: the sum of what it is made of. */
static inline double objective_slope(const objective_answer *a, const objective_shape *shape, int part,
                                     double *size)
{
  objective_network rest, moved, gradient;
  const objective_plan unit = {.part = part, .shift = 1};
  double sum = 0;
  *size = 0;
  objective_network_open(&rest, shape, NULL);
  objective_network_open(&moved, shape, &unit);
  objective_network_open(&gradient, shape, NULL);
  fg_field f = objective_field(shape, &gradient, 1);
  fg_network_unpack(&f, a->gradient, &gradient.s);
  for (size_t k = 0; k < rest.count; k++)
    for (size_t i = 0; i < rest.length[k]; i++) {
      const double v = moved.memory[k][i] - rest.memory[k][i];
      sum += v * gradient.memory[k][i];
      *size += fabs(v * gradient.memory[k][i]);
    }
  objective_network_close(&rest);
  objective_network_close(&moved);
  objective_network_close(&gradient);
  return sum;
}

#endif

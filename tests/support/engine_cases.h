/* Cases that every engine must run alike. A case works on one engine and appends what came out to a record;
 * records of two engines are compared piece by piece. Every buffer lies between guard words. */
#ifndef FG_TESTS_ENGINE_CASES_H
#define FG_TESTS_ENGINE_CASES_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine.h"
#include "network_pack.h"
#include "formula/random.h"

#define MUST(call)                                                                                           \
  do {                                                                                                       \
    fg_status must_st = {0};                                                                                 \
    if ((call) != FG_OK) fail_msg("%s", must_st.message);                                                    \
  } while (0)
#define ST &must_st

/* ---- buffers between guards ------------------------------------------------------------------- */

enum { EDGE = 256 }; /* bytes before and after */

typedef struct guarded {
  fg_buf whole, inner;
} guarded;

static inline guarded guarded_open(fg_engine *e, size_t bytes, const void *data)
{
  guarded g;
  unsigned char *host = malloc(bytes + 2 * EDGE);
  assert_non_null(host);
  memset(host, 0xc3, bytes + 2 * EDGE);
  if (data) memcpy(host + EDGE, data, bytes);
  MUST(e->ops->alloc(e, bytes + 2 * EDGE, &g.whole, ST));
  MUST(e->ops->upload(e, g.whole, 0, host, bytes + 2 * EDGE, ST));
  g.inner.device = (void *)((uintptr_t)g.whole.device + EDGE);
  g.inner.bytes = bytes;
  free(host);
  return g;
}

/* The inside into `to` (NULL: only look at the guards), and free it. */
static inline void guarded_close(fg_engine *e, guarded *g, void *to)
{
  const size_t bytes = g->inner.bytes;
  unsigned char *host = malloc(bytes + 2 * EDGE);
  assert_non_null(host);
  MUST(e->ops->download(e, host, g->whole, 0, bytes + 2 * EDGE, ST));
  for (size_t i = 0; i < EDGE; i++)
    if (host[i] != 0xc3 || host[EDGE + bytes + i] != 0xc3) fail_msg("a guard of %zu bytes was hit", bytes);
  if (to) memcpy(to, host + EDGE, bytes);
  free(host);
  e->ops->free(e, &g->whole);
}

/* ---- records --------------------------------------------------------------------------------------- */

enum { PIECES = 256 };

typedef struct record {
  const char *of; /* what the pieces belong to, for messages */
  size_t pieces, count[PIECES];
  double *values[PIECES];
  const char *name[PIECES];
} record;

static inline double *record_room(record *r, const char *name, size_t count)
{
  double *values = calloc(count + 1, sizeof *values);
  assert_non_null(values);
  assert_true(r->pieces < PIECES);
  r->count[r->pieces] = count;
  r->name[r->pieces] = name;
  r->values[r->pieces++] = values;
  return values;
}

/* Close a buffer of doubles into a piece of the record. */
static inline void record_take(record *r, const char *name, fg_engine *e, guarded *g)
{
  guarded_close(e, g, record_room(r, name, g->inner.bytes / sizeof(double)));
}

static inline void record_free(record *r)
{
  for (size_t k = 0; k < r->pieces; k++) free(r->values[k]);
  r->pieces = 0;
}

/* |a - b| <= tolerance (1 + largest |b| of the piece); tolerance 0 asks for the same bits. */
static inline void record_compare(const record *a, const record *b, double tolerance)
{
  assert_int_equal(a->pieces, b->pieces);
  for (size_t k = 0; k < b->pieces; k++) {
    double scale = 1;
    for (size_t i = 0; i < b->count[k]; i++) scale = fmax(scale, fabs(b->values[k][i]));
    for (size_t i = 0; i < b->count[k]; i++) {
      const double x = a->values[k][i], y = b->values[k][i];
      if (tolerance == 0 ? memcmp(&x, &y, sizeof x) != 0 : !(fabs(x - y) <= tolerance * scale))
        fail_msg("%s, piece %zu: %s[%zu] of %zu is %.17g, expected %.17g (scale %g)", b->of ? b->of : "", k,
                 b->name[k], i, b->count[k], x, y, scale);
    }
  }
}

/* ---- numbers and times ------------------------------------------------------------------------------- */

static unsigned case_state = 1;

static inline double draw(double scale)
{
  case_state = case_state * 1664525u + 1013904223u;
  return scale * ((double)(case_state >> 8) / 8388608.0 - 1);
}

static inline double *draws(size_t count, double scale)
{
  double *x = malloc((count + 1) * sizeof *x);
  assert_non_null(x);
  for (size_t i = 0; i < count; i++) x[i] = draw(scale);
  return x;
}

static inline guarded guarded_draws(fg_engine *e, size_t count, double scale)
{
  double *x = draws(count, scale);
  guarded g = guarded_open(e, count * sizeof *x, x);
  free(x);
  return g;
}

/* Ornstein-Uhlenbeck, rate 1, diffusion sqrt 2. */
static inline fg_coeff coeff_at(double t)
{
  fg_coeff c = {t, 1, 2, exp(-t), -exp(-t), -expm1(-2 * t), 2 * exp(-2 * t)};
  return c;
}

/* ---- fields --------------------------------------------------------------------------------------------- */

typedef struct field_case {
  const char *name;
  int network, d;
  int components, isotropic; /* mixture */
  double epsilon;
  fg_network_form form; /* network */
  fg_activation activation;
  fg_time_input time;
  fg_network_output output;
  size_t layers, width[3]; /* hidden widths */
  fg_density_kind guide;   /* network: a control of this density, MIXTURE with `components`, or WELLS */
  int paired;              /* with a noising control */
} field_case;

typedef struct held_field {
  fg_field field;
  guarded parts[8];
  int count;
} held_field;

static inline fg_buf held(held_field *h, guarded g)
{
  h->parts[h->count++] = g;
  return g.inner;
}

static inline void mixture_open(fg_engine *e, const field_case *c, held_field *h, fg_field_mixture *m)
{
  const size_t k = (size_t)c->components, d = (size_t)c->d;
  double *spectrum = draws(k * d, 0.4), *basis = malloc(k * d * d * sizeof *basis);
  assert_non_null(basis);
  for (size_t i = 0; i < k * d; i++) spectrum[i] += 0.6;
  for (size_t q = 0; q < k; q++) { /* reflections I - 2 v v^T / |v|^2 */
    double *v = draws(d, 1), square = 0;
    for (size_t j = 0; j < d; j++) square += v[j] * v[j];
    for (size_t j = 0; j < d * d; j++)
      basis[q * d * d + j] = (j / d == j % d ? 1 : 0) - 2 * v[j / d] * v[j % d] / square;
    free(v);
  }
  m->components = c->components;
  m->isotropic = c->isotropic;
  m->log_weight = held(h, guarded_draws(e, k, 1));
  m->mean = held(h, guarded_draws(e, k * d, 2));
  m->spectrum = held(h, guarded_open(e, (c->isotropic ? k : k * d) * sizeof *spectrum, spectrum));
  if (!c->isotropic) m->basis = held(h, guarded_open(e, k * d * d * sizeof *basis, basis));
  m->epsilon = c->epsilon;
  m->wave = 1.3;
  m->length = sqrt(8);
  m->decay = 1;
  free(spectrum);
  free(basis);
}

/* A clip that some numbers reach and some do not, and each reference in turn. */
static inline void guide_open(fg_engine *e, const field_case *c, held_field *h)
{
  fg_field_guide *guide = &h->field.guide;
  h->field.guided = 1;
  guide->density.kind = c->guide;
  guide->density.d = c->d;
  guide->interpolated = c->guide == FG_DENSITY_MIXTURE;
  guide->prior_variance = 1.5;
  guide->clip = 0.8;
  guide->reference = c->guide == FG_DENSITY_MIXTURE ? FG_REFERENCE_STATIONARY : FG_REFERENCE_PINNED;
  guide->variance = 1.2;
  guide->pin = 2;
  if (c->guide == FG_DENSITY_MIXTURE) {
    mixture_open(e, c, h, &guide->density.as.mixture);
    return;
  }
  guide->density.as.wells.wells = 1;
  guide->density.as.wells.separation = 1.5;
  guide->density.as.wells.shift = 0.2;
}

/* Time factor of two maps, for the settings and the field alike. */
static inline void factor_open(fg_network_settings *s, fg_field_network *n, double *numbers[5])
{
  enum { WAVES = 4, WIDTH = 21 };
  const size_t sizes[5] = {2 * WAVES * WIDTH, WIDTH, WIDTH, 1, WAVES};
  for (int k = 0; k < 5; k++) numbers[k] = draws(sizes[k], 1);
  n->factor_layers = 2;
  n->factor_width = WIDTH;
  n->factor_frequencies = WAVES;
  s->factor_layers = 2;
  s->factor_width = WIDTH;
  s->factor_frequencies = WAVES;
  s->factor_frequency = s->factor_phase = numbers[4];
  for (int l = 0; l < 2; l++) {
    s->factor_weights[l] = numbers[2 * l];
    s->factor_biases[l] = numbers[2 * l + 1];
  }
}

static inline void held_pack(fg_engine *e, held_field *h, const fg_field *f, const fg_network_settings *s,
                             fg_field_network *n)
{
  const size_t size = fg_network_pack_size(f);
  double *wide = malloc(size * sizeof *wide);
  float *narrow = malloc(size * sizeof *narrow);
  assert_non_null(wide);
  assert_non_null(narrow);
  fg_network_pack(f, s, wide);
  fg_network_pack_single(f, s, narrow);
  n->packed_double = held(h, guarded_open(e, size * sizeof *wide, wide));
  n->packed_single = held(h, guarded_open(e, size * sizeof *narrow, narrow));
  free(wide);
  free(narrow);
}

/* One hidden layer of odd width, and a clip that some of its outputs reach. */
static inline void noising_open(fg_engine *e, const field_case *c, held_field *h)
{
  enum { WAVES = 2, WIDTH = 9, HIDDEN = 37 };
  const size_t d = (size_t)c->d, widths[3] = {d, HIDDEN, d};
  const size_t sizes[9] = {HIDDEN * d,     HIDDEN, d * HIDDEN, d,    WIDTH * 2 * WAVES,
                           HIDDEN * WIDTH, WIDTH,  HIDDEN,     WAVES};
  double *numbers[9];
  for (int k = 0; k < 9; k++) numbers[k] = draws(sizes[k], 0.7);
  const double *weights[2] = {numbers[0], numbers[2]}, *biases[2] = {numbers[1], numbers[3]};
  const fg_network_settings s = {.form = FG_VECTOR,
                                 .output = FG_OUTPUT_CONTROL,
                                 .activation = FG_TANH,
                                 .time = FG_TIME_EMBEDDED,
                                 .dimension = d,
                                 .layers = 2,
                                 .widths = widths,
                                 .weights = weights,
                                 .biases = biases,
                                 .frequencies = WAVES,
                                 .frequency = numbers[8],
                                 .phase = numbers[8],
                                 .embedding_width = WIDTH,
                                 .embedding_weights = {numbers[4], numbers[5]},
                                 .embedding_biases = {numbers[6], numbers[7]}};
  fg_field f;
  memset(&f, 0, sizeof f);
  fg_field_network *n = &f.as.network;
  f.kind = FG_FIELD_NETWORK;
  f.d = c->d;
  n->form = s.form;
  n->output = s.output;
  n->activation = s.activation;
  n->time = s.time;
  n->time_reversed = 1;
  n->horizon = 2;
  n->layers = 2;
  for (size_t l = 0; l < 3; l++) n->width[l] = (int)widths[l];
  n->frequencies = WAVES;
  n->embedding_width = WIDTH;
  held_pack(e, h, &f, &s, n);
  h->field.paired = 1;
  h->field.noising = *n;
  h->field.share = 0.6;
  h->field.noising_clip = 0.5;
  for (int k = 0; k < 9; k++) free(numbers[k]);
}

static inline void network_open(fg_engine *e, const field_case *c, held_field *h)
{
  enum { FREQUENCIES = 3, HIDDEN = 19 };
  fg_network_settings s = {
      .form = c->form, .activation = c->activation, .time = c->time, .output = c->output};
  size_t widths[5], layers = c->layers + 1, d = (size_t)c->d;
  double *weights[4], *biases[4], *frequency = draws(FREQUENCIES, 2), *phase = draws(FREQUENCIES, 1);
  double *embedding[4] = {draws(HIDDEN * 2 * FREQUENCIES, 0.5), draws(HIDDEN * 200, 0.3), draws(HIDDEN, 0.5),
                          draws(200, 0.5)};
  widths[0] = d + (c->time == FG_TIME_FOURIER ? 2 * FREQUENCIES : c->time == FG_TIME_EMBEDDED ? 0 : 1);
  for (size_t l = 0; l < c->layers; l++) widths[l + 1] = c->width[l];
  widths[layers] = c->form == FG_POTENTIAL ? 1 : d;
  for (size_t l = 0; l < layers; l++) {
    weights[l] = draws(widths[l] * widths[l + 1], 1.5 / sqrt((double)widths[l]));
    biases[l] = draws(widths[l + 1], 0.5);
  }
  fg_field_network *n = &h->field.as.network;
  n->form = c->form;
  n->output = c->output;
  n->activation = c->activation;
  n->time = c->time;
  n->beta = 3;
  n->threshold = 20;
  n->horizon = 2;
  n->time_reversed = c->d == 3;
  n->layers = (int)layers;
  for (size_t l = 0; l <= layers; l++) n->width[l] = (int)widths[l];
  n->frequencies = c->time >= FG_TIME_FOURIER ? FREQUENCIES : 0;
  n->embedding_width = HIDDEN;
  s.dimension = d;
  s.layers = layers;
  s.widths = widths;
  s.weights = (const double *const *)weights;
  s.biases = (const double *const *)biases;
  s.frequencies = FREQUENCIES;
  s.frequency = frequency;
  s.phase = phase;
  s.embedding_width = HIDDEN;
  for (int k = 0; k < 2; k++) {
    s.embedding_weights[k] = embedding[k];
    s.embedding_biases[k] = embedding[k + 2];
  }
  double *factor[5] = {NULL, NULL, NULL, NULL, NULL};
  if (c->guide) {
    guide_open(e, c, h);
    factor_open(&s, n, factor);
  }
  held_pack(e, h, &h->field, &s, n);
  if (c->paired) noising_open(e, c, h);
  for (size_t l = 0; l < layers; l++) {
    free(weights[l]);
    free(biases[l]);
  }
  for (int k = 0; k < 4; k++) free(embedding[k]);
  for (int k = 0; k < 5; k++) free(factor[k]);
  free(frequency);
  free(phase);
}

/* The same numbers on every engine. */
static inline held_field field_open(fg_engine *e, const field_case *c)
{
  held_field h;
  memset(&h, 0, sizeof h);
  case_state = 7;
  h.field.d = c->d;
  h.field.kind = c->network ? FG_FIELD_NETWORK : FG_FIELD_MIXTURE;
  if (c->network)
    network_open(e, c, &h);
  else
    mixture_open(e, c, &h, &h.field.as.mixture);
  return h;
}

static inline void field_close(fg_engine *e, held_field *h)
{
  for (int k = 0; k < h->count; k++) guarded_close(e, &h->parts[k], NULL);
}

/* ---- evaluate ------------------------------------------------------------------------------------------ */

static inline void run_evaluate(fg_engine *e, const field_case *c, fg_precision precision, size_t n,
                                int shared_time, record *out)
{
  held_field h = field_open(e, c);
  const size_t d = (size_t)c->d;
  const int potential = !c->network || c->form == FG_POTENTIAL;
  fg_coeff *coeff = malloc(n * sizeof *coeff);
  assert_non_null(coeff);
  for (size_t i = 0; i < n; i++) coeff[i] = coeff_at(0.1 + 1.5 * (double)(i + 1) / (double)n);
  guarded x = guarded_draws(e, n * d, 3), v = guarded_draws(e, n * d, 1);
  guarded score = guarded_open(e, n * d * 8, NULL), jvp = guarded_open(e, n * d * 8, NULL);
  guarded divergence = guarded_open(e, n * 8, NULL), one[3];
  fg_evaluate_request r;
  memset(&r, 0, sizeof r);
  r.precision = precision;
  r.n = n;
  r.shared_time = shared_time;
  r.coeff = coeff;
  r.x = x.inner;
  r.direction = v.inner;
  r.score = score.inner;
  r.jvp = jvp.inner;
  r.divergence = divergence.inner;
  for (int k = 0; k < 3; k++) one[k] = guarded_open(e, n * 8, NULL);
  if (potential) {
    r.phi = one[0].inner;
    r.phi_t = one[1].inner;
    r.residual = one[2].inner;
  }
  MUST(e->ops->evaluate(e, e->threads, &h.field, &r, ST));
  record_take(out, "score", e, &score);
  record_take(out, "jvp", e, &jvp);
  record_take(out, "divergence", e, &divergence);
  static const char *const names[] = {"phi", "phi_t", "residual"};
  for (int k = 0; k < 3; k++) {
    if (potential)
      record_take(out, names[k], e, &one[k]);
    else
      guarded_close(e, &one[k], NULL);
  }
  guarded_close(e, &x, NULL);
  guarded_close(e, &v, NULL);
  field_close(e, &h);
  free(coeff);
}

/* ---- simulate ------------------------------------------------------------------------------------------ */

typedef struct walk_case {
  int scheme, refine, last_step_noise, log_p, explode;
  double lambda;
} walk_case;

/* With explode, particles blow up, each at a step of its own. */
static inline void run_simulate(fg_engine *e, const field_case *c, fg_precision precision, size_t n,
                                const walk_case *w, record *out)
{
  enum { STEPS = 8 };
  static const size_t snapshot_step[] = {0, 3, STEPS};
  held_field h = field_open(e, c);
  const size_t d = (size_t)c->d;
  fg_coeff coeff[STEPS + 1];
  for (int k = 0; k <= STEPS; k++) {
    coeff[k] = coeff_at(1.7 - 0.2 * k);
    if (w->explode) {
      coeff[k].a = precision == FG_SINGLE ? 1e7 : 1e60;
      coeff[k].g2 = 0;
    }
  }
  double *start = draws(n * d, 2);
  for (size_t i = 0; w->explode && i < n * d; i++)
    start[i] = pow(10, -(double)(i / d % (precision == FG_SINGLE ? 20 : 200)));
  guarded x = guarded_open(e, n * d * 8, start), log_p = guarded_draws(e, n, 1);
  guarded lost = guarded_open(e, n * sizeof(int32_t), NULL);
  guarded snapshots = guarded_open(e, 3 * n * d * 8, NULL), snapshot_log_p = guarded_open(e, 3 * n * 8, NULL);
  fg_simulate_request r;
  memset(&r, 0, sizeof r);
  r.precision = precision;
  r.n = n;
  r.tile = 48;
  r.seed = 0x123456789abcdefull;
  r.first = 11;
  r.stream = FG_STREAM_NOISE;
  r.scheme = w->scheme;
  r.lambda = w->lambda;
  r.last_step_noise = w->last_step_noise;
  r.refine = w->refine;
  r.steps = STEPS;
  r.coeff = coeff;
  r.x = x.inner;
  if (w->log_p) {
    r.log_p = log_p.inner;
    r.snapshot_log_p = snapshot_log_p.inner;
  }
  r.lost_step = lost.inner;
  r.snapshots = 3;
  r.snapshot_step = snapshot_step;
  r.snapshot_x = snapshots.inner;
  MUST(e->ops->simulate(e, e->threads, &h.field, &r, ST));
  record_take(out, "x", e, &x);
  record_take(out, "snapshots", e, &snapshots);
  record_take(out, "log_p", e, &log_p);
  if (w->log_p)
    record_take(out, "snapshots of log_p", e, &snapshot_log_p);
  else
    guarded_close(e, &snapshot_log_p, NULL);
  int32_t *steps = malloc(n * sizeof *steps);
  assert_non_null(steps);
  guarded_close(e, &lost, steps);
  double *value = record_room(out, "lost_step", n);
  for (size_t i = 0; i < n; i++) value[i] = steps[i];
  free(steps);
  free(start);
  field_close(e, &h);
}

/* ---- the ODE's right-hand side --------------------------------------------------------------------------- */

static inline void run_ode(fg_engine *e, const field_case *c, fg_precision precision, size_t n,
                           int with_log_p, record *out)
{
  held_field h = field_open(e, c);
  const size_t length = n * (size_t)(c->d + with_log_p);
  guarded y = guarded_draws(e, length, 2), v = guarded_draws(e, length, 1);
  guarded dy = guarded_open(e, length * 8, NULL), jv = guarded_open(e, length * 8, NULL);
  fg_ode_request r;
  memset(&r, 0, sizeof r);
  r.precision = precision;
  r.n = n;
  r.coeff = coeff_at(0.7);
  r.with_log_p = with_log_p;
  r.y = y.inner;
  r.dy = dy.inner;
  r.v = v.inner;
  r.jv = jv.inner;
  MUST(e->ops->ode_rhs(e, &h.field, &r, ST));
  MUST(e->ops->ode_jvp(e, &h.field, &r, ST));
  record_take(out, "dy", e, &dy);
  record_take(out, "jv", e, &jv);
  guarded_close(e, &y, NULL);
  guarded_close(e, &v, NULL);
  field_close(e, &h);
}

#endif

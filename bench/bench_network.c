/* needs: kernels */
/* How near to the processor's multiply-add peak a network runs, through the engine as programs use it.
 *
 *   bench_network [threads] [points] [repetitions]      defaults 2, 50000, 15
 *
 * Work counted (multiply-adds a point; W all weights, H those between hidden layers): forward W; forward and
 * reverse 2 W; with the Laplacian 2 W + d H, since tangents along the axes are known up to the first hidden
 * layer and end in the last; forward and divergence W + d H; Hessian-vector product 4 W. What
 * the activations cost is not counted: it shows as distance from the peak. Two fractions: by wall time, and by
 * processor time, which other programs on the machine disturb less. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"
#include "network_pack.h"
#include "peak.h"

enum { REPETITIONS_MOST = 200 };

typedef struct bench_network {
  fg_engine *engine;
  fg_field field;
  fg_buf x, v, out[4]; /* phi, phi_t, divergence; score; jvp */
  size_t n;
  double weights, inner; /* W, H */
} bench_network;

static void check(fg_code code, const fg_status *st)
{
  if (code == FG_OK) return;
  fprintf(stderr, "bench_network: %s\n", st->message);
  exit(1);
}

static double uniform(void)
{
  static unsigned seed = 7;
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) / 8388608.0 - 1;
}

static fg_buf upload(bench_network *b, const void *host, size_t bytes)
{
  fg_status st;
  fg_buf buf;
  check(b->engine->ops->alloc(b->engine, bytes, &buf, &st), &st);
  if (host)
    check(b->engine->ops->upload(b->engine, buf, 0, host, bytes, &st), &st);
  else
    check(b->engine->ops->zero(b->engine, buf, &st), &st);
  return buf;
}

static void *room(size_t bytes)
{
  void *memory = malloc(bytes);
  if (!memory) exit(1);
  return memory;
}

static double *uniforms(size_t count, double scale)
{
  double *values = room(count * sizeof *values);
  for (size_t k = 0; k < count; k++) values[k] = scale * uniform();
  return values;
}

/* Inputs (t, x), equal hidden widths. */
static void make(bench_network *b, fg_network_form form, fg_activation activation, double beta, size_t d,
                 size_t layers, size_t width)
{
  size_t widths[FG_LAYERS_MAX + 1];
  double *weights[FG_LAYERS_MAX], *biases[FG_LAYERS_MAX];
  for (size_t l = 1; l < layers; l++) widths[l] = width;
  widths[0] = d + 1;
  widths[layers] = form == FG_POTENTIAL ? 1 : d;
  b->weights = b->inner = 0;
  for (size_t l = 0; l < layers; l++) {
    weights[l] = uniforms(widths[l] * widths[l + 1], sqrt(3.0 / (double)widths[l]));
    biases[l] = uniforms(widths[l + 1], 0.3);
    b->weights += (double)(widths[l] * widths[l + 1]);
    if (l > 0 && l + 1 < layers) b->inner += (double)(widths[l] * widths[l + 1]);
  }
  fg_network_settings s = {.form = form,
                           .activation = activation,
                           .beta = beta,
                           .threshold = 20,
                           .time = FG_TIME_FIRST,
                           .dimension = d,
                           .layers = layers,
                           .widths = widths,
                           .weights = (const double *const *)weights,
                           .biases = (const double *const *)biases};
  fg_field_network *net = &b->field.as.network;
  memset(&b->field, 0, sizeof b->field);
  b->field.kind = FG_FIELD_NETWORK;
  b->field.d = (int)d;
  b->field.quantities = FG_PHI | FG_PHI_T | FG_SCORE | FG_DIVERGENCE | FG_JVP;
  net->form = form;
  net->activation = activation;
  net->beta = beta;
  net->threshold = 20;
  net->time = FG_TIME_FIRST;
  net->horizon = 10;
  net->layers = (int)layers;
  for (size_t l = 0; l <= layers; l++) net->width[l] = (int)widths[l];
  const size_t count = fg_network_pack_size(&b->field);
  double *wide = room(count * sizeof *wide);
  float *narrow = room(count * sizeof *narrow);
  fg_network_pack(&b->field, &s, wide);
  fg_network_pack_single(&b->field, &s, narrow);
  net->packed_double = upload(b, wide, count * sizeof *wide);
  net->packed_single = upload(b, narrow, count * sizeof *narrow);
  double *x = uniforms(b->n * d, 3);
  b->x = upload(b, x, b->n * d * sizeof *x);
  b->v = upload(b, x, b->n * d * sizeof *x);
  for (int k = 0; k < 4; k++) b->out[k] = upload(b, NULL, b->n * d * sizeof(double));
  free(x);
  free(wide);
  free(narrow);
  for (size_t l = 0; l < layers; l++) {
    free(weights[l]);
    free(biases[l]);
  }
}

static void drop(bench_network *b)
{
  const fg_engine_ops *ops = b->engine->ops;
  ops->free(b->engine, &b->field.as.network.packed_double);
  ops->free(b->engine, &b->field.as.network.packed_single);
  ops->free(b->engine, &b->x);
  ops->free(b->engine, &b->v);
  for (int k = 0; k < 4; k++) ops->free(b->engine, &b->out[k]);
}

static void evaluate(bench_network *b, fg_precision precision, unsigned want)
{
  fg_status st;
  const fg_coeff coeff = {.t = 2, .a = 1, .g2 = 1, .m = 0.5, .v = 0.5};
  fg_evaluate_request r;
  memset(&r, 0, sizeof r);
  r.precision = precision;
  r.n = b->n;
  r.shared_time = 1;
  r.coeff = &coeff;
  r.x = b->x;
  if (want & FG_PHI) r.phi = b->out[0];
  if (want & FG_PHI_T) r.phi_t = b->out[1];
  if (want & FG_DIVERGENCE) r.divergence = b->out[2];
  if (want & FG_SCORE) r.score = b->out[3];
  if (want & FG_JVP) {
    r.direction = b->v;
    r.jvp = b->out[3];
  }
  check(b->engine->ops->evaluate(b->engine, b->engine->threads, &b->field, &r, &st), &st);
}

/* Largest difference of the first outputs in float from those in double, relative to the largest. */
static double disagreement(bench_network *b, unsigned want)
{
  enum { COUNT = 512 };
  double values[2][COUNT], worst = 0, top = 0;
  fg_status st;
  const fg_buf out = want & (FG_SCORE | FG_JVP) ? b->out[3] : b->out[0];
  for (int k = 0; k < 2; k++) {
    evaluate(b, k ? FG_SINGLE : FG_DOUBLE, want);
    check(b->engine->ops->download(b->engine, values[k], out, 0, sizeof values[k], &st), &st);
  }
  for (int k = 0; k < COUNT; k++) {
    if (fabs(values[0][k] - values[1][k]) > worst) worst = fabs(values[0][k] - values[1][k]);
    if (fabs(values[0][k]) > top) top = fabs(values[0][k]);
  }
  return worst / top;
}

static int ascending(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void measure(bench_network *b, const char *name, unsigned want, double passes, int tangents,
                    int threads, int repetitions)
{
  double wall[REPETITIONS_MOST], cpu[REPETITIONS_MOST];
  const double work = 2e-9 * (passes * b->weights + tangents * b->inner) * (double)b->n;
  const double differs = disagreement(b, want);
  for (int precision = FG_SINGLE; precision >= FG_DOUBLE; precision--) {
    const bench_rate peak = bench_peak(b->engine->isa, precision == FG_SINGLE, threads);
    for (int k = 0; k < repetitions; k++) {
      double from = bench_clock(CLOCK_MONOTONIC), cpu_from = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
      evaluate(b, (fg_precision)precision, want);
      wall[k] = bench_clock(CLOCK_MONOTONIC) - from;
      cpu[k] = (bench_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu_from) / threads;
    }
    qsort(wall, (size_t)repetitions, sizeof *wall, ascending);
    qsort(cpu, (size_t)repetitions, sizeof *cpu, ascending);
    const double middle = wall[repetitions / 2], low = wall[repetitions / 4],
                 high = wall[3 * repetitions / 4];
    printf("  %-26s %-6s %8.2f ms (quartiles %.2f .. %.2f) %7.1f GFLOP/s", name,
           precision == FG_SINGLE ? "float" : "double", 1e3 * middle, 1e3 * low, 1e3 * high, work / middle);
    if (peak.wall > 0)
      printf("  of peak: wall %.0f %% (best %.0f), cpu %.0f %%", 100 * work / middle / peak.wall,
             100 * work / wall[0] / peak.wall, 100 * work / cpu[repetitions / 2] / peak.cpu);
    printf("\n");
  }
  printf("  %-26s float differs from double by %.1e\n", "", differs);
}

int main(int count, char **arguments)
{
  const int threads = count > 1 ? atoi(arguments[1]) : 2;
  int repetitions = count > 3 ? atoi(arguments[3]) : 15;
  fg_status st;
  bench_network b = {.n = count > 2 ? (size_t)atol(arguments[2]) : 50000};
  if (repetitions < 1 || repetitions > REPETITIONS_MOST || threads < 1 || b.n < 512) {
    fprintf(stderr, "usage: bench_network [threads >= 1] [points >= 512] [repetitions 1..%d]\n",
            REPETITIONS_MOST);
    return 2;
  }
  check(fg_engine_open("cpu", threads, &b.engine, &st), &st);
  const char *isa = fg_engine_isa(b.engine);
  const bench_rate single = bench_peak(isa, 1, threads), wide = bench_peak(isa, 0, threads);
  printf("%s, %d threads, %zu points; peak float %.0f, double %.0f GFLOP/s (by processor time %.0f, %.0f)\n",
         isa, threads, b.n, single.wall, wide.wall, single.cpu, wide.cpu);
  printf("potential 3-80-80-80-1, softplus beta 100\n");
  make(&b, FG_POTENTIAL, FG_SOFTPLUS, 100, 2, 4, 80);
  measure(&b, "Phi and gradient", FG_PHI | FG_SCORE, 2, 0, threads, repetitions);
  measure(&b, "gradient", FG_SCORE, 2, 0, threads, repetitions);
  measure(&b, "Phi", FG_PHI, 1, 0, threads, repetitions);
  measure(&b, "Phi, d/dt, gradient, Lapl.", FG_PHI | FG_PHI_T | FG_SCORE | FG_DIVERGENCE, 2, 2, threads,
          repetitions);
  measure(&b, "Hessian-vector product", FG_JVP, 4, 0, threads, repetitions);
  drop(&b);
  printf("vector 11-64-64-64-10, gelu\n");
  make(&b, FG_VECTOR, FG_GELU, 1, 10, 4, 64);
  measure(&b, "score", FG_SCORE, 1, 0, threads, repetitions);
  measure(&b, "score and divergence", FG_SCORE | FG_DIVERGENCE, 1, 10, threads, repetitions);
  drop(&b);
  b.n /= 10;
  printf("vector 3-512-512-512-2, silu, %zu points\n", b.n);
  make(&b, FG_VECTOR, FG_SILU, 1, 2, 4, 512);
  measure(&b, "score", FG_SCORE, 1, 0, threads, repetitions);
  drop(&b);
  fg_engine_close(&b.engine);
  return 0;
}

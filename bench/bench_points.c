/* needs: model */
/* Losses at points with their gradients, 3-80-80-80-1 with softplus 100, float: the Fokker-Planck residual at 50,000 points
 * and denoising score matching at 20,000.
 *
 *   bench_points [threads] [repetitions]     defaults 2, 15
 *   bench_points scale [threads]             cost against points, with memory; cost against d, exact and Hutchinson
 *
 * Prints medians with quartiles and the fraction of the measured multiply-add peak. Multiply-adds of a point, by the usual
 * count: five jets (value, time, two axes, Laplacian), forward and twice backward, 193,680. What is done here is less,
 * since time derivative and Laplacian travel in one channel; the second fraction is of that. Denoising: values, gradient,
 * a direction through the network, and the reverse of both: 7 passes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "flowgap/flowgap.h"
#include "model/model.h"
#include "network_pack.h"
#include "timing.h"
#include "sde/coeff.h"

enum { WIDTH = 80, LAYERS = 4, DIMENSION_MOST = 64 };

typedef struct bench {
  fg_engine *engine;
  fg_process *process;
  fg_model *model;
  fg_buf gradient;
  int threads;
  size_t d;
} bench;

static void need(fg_code rc, const fg_status *st)
{
  if (rc == FG_OK) return;
  fprintf(stderr, "bench_points: %s\n", st->message);
  exit(1);
}

static double number(size_t i)
{
  const uint64_t w = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
  return (double)((w ^ (w >> 29)) >> 11) / 4503599627370496.0 - 1;
}

/* The network of the gap paper with weights of the law that PyTorch starts from. */
static void start(bench *b, size_t d, int threads)
{
  static double weights[LAYERS][(DIMENSION_MOST + 1) * WIDTH + WIDTH * WIDTH], biases[LAYERS][WIDTH];
  const size_t widths[LAYERS + 1] = {d + 1, WIDTH, WIDTH, WIDTH, 1};
  const double *w[LAYERS], *v[LAYERS];
  fg_process_settings process;
  fg_network_settings s = {0};
  fg_status st;
  b->threads = threads;
  b->d = d;
  need(fg_engine_open("cpu", threads, &b->engine, &st), &st);
  fg_process_defaults(FG_PROCESS_OU, &process);
  need(fg_process_create(&process, &b->process, &st), &st);
  for (int l = 0; l < LAYERS; l++) {
    const double size = 1 / sqrt((double)widths[l]);
    for (size_t i = 0; i < widths[l] * widths[l + 1]; i++) weights[l][i] = size * number(i + 7 * (size_t)l);
    for (size_t i = 0; i < widths[l + 1]; i++) biases[l][i] = size * number(i + 100 * (size_t)l);
    w[l] = weights[l];
    v[l] = biases[l];
  }
  s.form = FG_POTENTIAL;
  s.activation = FG_SOFTPLUS;
  s.beta = 100;
  s.threshold = 20;
  s.time = FG_TIME_FIRST;
  s.dimension = d;
  s.layers = LAYERS;
  s.widths = widths;
  s.weights = w;
  s.biases = v;
  need(fg_model_network(b->engine, &s, b->process, &b->model, &st), &st);
  const size_t bytes = fg_network_pack_size(fg_model_field(b->model)) * sizeof(float);
  need(b->engine->ops->alloc(b->engine, bytes, &b->gradient, &st), &st);
}

static void stop(bench *b)
{
  b->engine->ops->free(b->engine, &b->gradient);
  fg_model_destroy(&b->model);
  fg_process_destroy(&b->process);
  fg_engine_close(&b->engine);
}

static bench_timing measure(bench *b, fg_point_loss kind, size_t n, int probes, int repetitions)
{
  const fg_engine_ops *ops = b->engine->ops;
  bench_times times = {0};
  double *x = malloc(n * b->d * sizeof *x);
  fg_coeff *coeff = malloc(n * sizeof *coeff);
  fg_points_request r = {0};
  fg_status st;
  if (!x || !coeff) exit(1);
  for (size_t i = 0; i < n * b->d; i++) x[i] = 3.5 * number(3 * i + 1);
  for (size_t i = 0; i < n; i++) coeff[i] = fg_process_coeff(b->process, 5.00001 + 5 * number(5 * i + 2));
  r.precision = FG_SINGLE;
  r.kind = kind;
  r.n = n;
  r.group = 1;
  r.coeff = coeff;
  r.probes = probes;
  r.scale = 1;
  r.gradient = b->gradient;
  need(ops->alloc(b->engine, n * b->d * sizeof *x, &r.x, &st), &st);
  need(ops->upload(b->engine, r.x, 0, x, n * b->d * sizeof *x, &st), &st);
  r.goal = r.x;
  for (int k = -1; k < repetitions; k++) {
    bench_start(&times);
    need(ops->points(b->engine, b->engine->threads, fg_model_field(b->model), &r, &st), &st);
    if (k >= 0) bench_stop(&times);
  }
  ops->free(b->engine, &r.x);
  free(x);
  free(coeff);
  return bench_summary(&times);
}

static void report(bench *b, const char *name, fg_point_loss kind, size_t n, double useful, double done,
                   int repetitions)
{
  const bench_rate peak = bench_peak(fg_engine_isa(b->engine), true, b->threads);
  const bench_timing t = measure(b, kind, n, 0, repetitions);
  const double rate = 1e-7 * 2 * useful * (double)n / t.median,
               other = 1e-7 * 2 * done * (double)n / t.median;
  printf(
      "%-10s %6zu points %8.2f ms (quartiles %.2f .. %.2f)  of peak %.0f GFLOP/s: usual count %.0f %%, done "
      "%.0f %% (by processor time %.0f %%)  memory %.0f MiB\n",
      name, n, 1e3 * t.median, 1e3 * t.low, 1e3 * t.high, peak.wall, rate / peak.wall, other / peak.wall,
      1e-7 * 2 * done * (double)n / (t.processor / b->threads) / peak.cpu, bench_resident());
  fflush(stdout);
}

static void scale(int threads)
{
  bench b;
  start(&b, 2, threads);
  printf("  points  microseconds a point, residual with gradient, d = 2; largest memory so far\n");
  for (size_t n = 1000; n <= 1000000; n *= 10)
    printf("%8zu  %.3f  %.0f MiB\n", n, 1e6 * measure(&b, FG_LOSS_RESIDUAL, n, 0, 5).median / (double)n,
           bench_resident());
  stop(&b);
  printf("  d  microseconds a point, 8192 points: exact Laplacian, Hutchinson with one probe\n");
  for (size_t d = 1; d <= DIMENSION_MOST; d *= 2) {
    start(&b, d, threads);
    printf("%3zu  %.3f  %.3f\n", d, 1e6 * measure(&b, FG_LOSS_RESIDUAL, 8192, 0, 5).median / 8192,
           1e6 * measure(&b, FG_LOSS_RESIDUAL, 8192, 1, 5).median / 8192);
    stop(&b);
    fflush(stdout);
  }
}

int main(int argc, char **argv)
{
  const double maps = 2 * WIDTH * WIDTH + WIDTH, first = 2 * WIDTH;
  if (argc > 1 && strcmp(argv[1], "scale") == 0) {
    scale(argc > 2 ? atoi(argv[2]) : 2);
    return 0;
  }
  bench b;
  const int repetitions = argc > 2 ? atoi(argv[2]) : 15;
  if (repetitions < 1 || repetitions > BENCH_REPETITIONS) return 2;
  start(&b, 2, argc > 1 ? atoi(argv[1]) : 2);
  printf("%s, %d threads\n", fg_engine_isa(b.engine), b.threads);
  report(&b, "residual", FG_LOSS_RESIDUAL, 50000, 193680, 12 * maps + 6 * first, repetitions);
  report(&b, "denoising", FG_LOSS_DENOISING, 20000, 7 * maps + 5 * first, 7 * maps + 5 * first, repetitions);
  stop(&b);
  return 0;
}

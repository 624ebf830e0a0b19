/* needs: flow */
/* Whole trajectories on the grid of the ODE-SDE gap paper (790 Euler steps from 10 to 0.125, 100 to 0):
 * a potential network 3-80-80-80-1 (softplus, beta 100, random weights) and the exact nine-mode mixture.
 *
 *   bench_simulate [threads] [particles] [repetitions]      defaults 2, 10000, 5
 *
 * Prints medians with the range, wall and processor time, nanoseconds of processor time per particle and
 * step, and for the network the fraction of the measured multiply-add peak (52,400 operations of useful work
 * per score: forward and reverse). The run is checked: no particle lost, float and double samples agree in
 * their second moments. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowgap/flowgap.h"
#include "peak.h"

enum { REPETITIONS_MOST = 100, LAYERS = 4, WIDEST = 80 };

typedef struct bench {
  fg_engine *engine;
  fg_process *process;
  fg_target *target;
  fg_model *mixture, *network;
  fg_grid *grid;
  double *x0, *x1;
  size_t n;
  int threads, repetitions;
} bench;

static void need(fg_code rc, const fg_status *st)
{
  if (rc == FG_OK) return;
  fprintf(stderr, "bench_simulate: %s\n", st->message);
  exit(1);
}

/* Uniform in (-1, 1). */
static double uniform(void)
{
  static unsigned seed = 7;
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) / 8388608.0 - 1;
}

/* PyTorch's default initialisation: uniform within 1 / sqrt(inputs). */
static void make_network(bench *b)
{
  static const size_t widths[LAYERS + 1] = {3, WIDEST, WIDEST, WIDEST, 1};
  static double weights[LAYERS][WIDEST * WIDEST], biases[LAYERS][WIDEST];
  const double *w[LAYERS], *c[LAYERS];
  fg_status st;
  for (int l = 0; l < LAYERS; l++) {
    double bound = 1 / sqrt((double)widths[l]);
    for (size_t i = 0; i < widths[l] * widths[l + 1]; i++) weights[l][i] = bound * uniform();
    for (size_t i = 0; i < widths[l + 1]; i++) biases[l][i] = bound * uniform();
    w[l] = weights[l];
    c[l] = biases[l];
  }
  fg_network_settings s = {.form = FG_POTENTIAL,
                           .activation = FG_SOFTPLUS,
                           .beta = 100,
                           .threshold = 20,
                           .time = FG_TIME_FIRST,
                           .dimension = 2,
                           .layers = LAYERS,
                           .widths = widths,
                           .weights = w,
                           .biases = c};
  need(fg_model_network(b->engine, &s, b->process, &b->network, &st), &st);
}

static void start(bench *b)
{
  static const double segments[] = {10, 0.125, 790, 0.125, 0, 100};
  const fg_prior_settings prior_settings = {FG_PRIOR_GAUSSIAN, 0.5, 1};
  fg_process_settings process_settings;
  fg_target_settings target_settings;
  fg_prior *prior;
  fg_status st;
  need(fg_engine_open("cpu", b->threads, &b->engine, &st), &st);
  fg_process_defaults(FG_PROCESS_OU, &process_settings);
  need(fg_process_create(&process_settings, &b->process, &st), &st);
  fg_target_defaults(FG_TARGET_GMM9, &target_settings);
  need(fg_target_create(&target_settings, &b->target, &st), &st);
  need(fg_model_exact(b->engine, b->target, b->process, &b->mixture, &st), &st);
  make_network(b);
  need(fg_grid_piecewise(segments, 2, &b->grid, &st), &st);
  b->x0 = malloc(2 * b->n * sizeof *b->x0);
  b->x1 = malloc(2 * b->n * sizeof *b->x1);
  if (!b->x0 || !b->x1) exit(1);
  need(fg_prior_create(&prior_settings, 2, b->process, b->target, &prior, &st), &st);
  need(fg_prior_sample(prior, 1, 0, b->n, b->x0, &st), &st);
  fg_prior_destroy(&prior);
}

static int ascending(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Returns the mean of |x|^2 at the end. operations: useful ones per score, 0 if they are not counted. */
static double measure(bench *b, const fg_model *model, const char *name, fg_scheme scheme, double lambda,
                      fg_precision precision, double operations)
{
  double wall[REPETITIONS_MOST], cpu[REPETITIONS_MOST], square = 0;
  double steps = (double)fg_grid_steps(b->grid), scores = steps * (scheme == FG_HEUN ? 2 : 1) * (double)b->n;
  const bench_rate peak = bench_peak(fg_engine_isa(b->engine), precision == FG_SINGLE, b->threads);
  fg_fixed_settings f;
  fg_flow_report report;
  fg_status st;
  fg_fixed_defaults(&f);
  f.grid = b->grid;
  f.scheme = scheme;
  f.lambda = lambda;
  f.precision = precision;
  for (int k = -1; k < b->repetitions; k++) { /* the first warms up */
    double from = bench_clock(CLOCK_MONOTONIC), cpu_from = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
    need(fg_flow_fixed(model, &f, 1, 1, 0, b->n, b->x0, b->x1, NULL, NULL, NULL, &report, &st), &st);
    if (k < 0) continue;
    wall[k] = bench_clock(CLOCK_MONOTONIC) - from;
    cpu[k] = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu_from;
  }
  if (report.lost) {
    fprintf(stderr, "bench_simulate: %s lost %llu particles\n", name, (unsigned long long)report.lost);
    exit(1);
  }
  qsort(wall, (size_t)b->repetitions, sizeof *wall, ascending);
  qsort(cpu, (size_t)b->repetitions, sizeof *cpu, ascending);
  int middle = b->repetitions / 2;
  printf("  %-8s %-5s lambda %g %-6s  wall %7.3f s (%.3f .. %.3f)  processor %7.3f s  %6.1f ns a step", name,
         scheme == FG_HEUN ? "heun" : "euler", lambda, precision == FG_SINGLE ? "float" : "double",
         wall[middle], wall[0], wall[b->repetitions - 1], cpu[middle],
         1e9 * cpu[middle] / steps / (double)b->n);
  if (operations > 0 && peak.wall > 0)
    printf("  of peak: wall %.0f %%, cpu %.0f %%", 1e-7 * operations * scores / wall[middle] / peak.wall,
           1e-7 * operations * scores / (cpu[middle] / b->threads) / peak.cpu);
  printf("\n");
  for (size_t i = 0; i < 2 * b->n; i++) square += b->x1[i] * b->x1[i];
  return square / (double)b->n;
}

static void compare(bench *b, const fg_model *model, const char *name, fg_scheme scheme, double lambda,
                    double operations)
{
  double single = measure(b, model, name, scheme, lambda, FG_SINGLE, operations);
  double full = measure(b, model, name, scheme, lambda, FG_DOUBLE, operations);
  if (!(fabs(single - full) < 1e-2 * full)) {
    fprintf(stderr, "bench_simulate: %s: mean |x|^2 is %g in float and %g in double\n", name, single, full);
    exit(1);
  }
}

int main(int argc, char **argv)
{
  bench b = {.threads = argc > 1 ? atoi(argv[1]) : 2,
             .n = argc > 2 ? strtoul(argv[2], NULL, 10) : 10000,
             .repetitions = argc > 3 ? atoi(argv[3]) : 5};
  if (b.threads < 1 || b.n < 1 || b.repetitions < 1 || b.repetitions > REPETITIONS_MOST) {
    fprintf(stderr, "usage: bench_simulate [threads] [particles] [repetitions up to %d]\n", REPETITIONS_MOST);
    return 2;
  }
  start(&b);
  printf("%zu particles, %zu steps, %d threads, %s\n", b.n, fg_grid_steps(b.grid), b.threads,
         fg_engine_isa(b.engine));
  compare(&b, b.network, "network", FG_EULER, 1, 2 * 26200);
  compare(&b, b.network, "network", FG_EULER, 0, 2 * 26200);
  compare(&b, b.mixture, "mixture", FG_EULER, 1, 0);
  compare(&b, b.mixture, "mixture", FG_EULER, 0, 0);
  compare(&b, b.mixture, "mixture", FG_HEUN, 1, 0);
  fg_model_destroy(&b.network);
  fg_model_destroy(&b.mixture);
  fg_target_destroy(&b.target);
  fg_process_destroy(&b.process);
  fg_grid_destroy(&b.grid);
  fg_engine_close(&b.engine);
  free(b.x0);
  free(b.x1);
  return 0;
}

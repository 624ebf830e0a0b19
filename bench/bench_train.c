/* needs: model */
/* One gradient of an objective of a sampler, and the simulation of paths with their weights: the Fourier MLP of
 * width 64 with interpolated score (DIS, vp 0.1 .. 10, N = `steps`), float.
 *
 *   bench_train [threads] [batch] [steps] [repetitions]      defaults 2, 2048, 100, 15
 *   bench_train scale [threads]                              cost against batch and steps
 *
 * Prints medians with quartiles, and the fraction of the measured multiply-add peak on useful work: forward and
 * backward of the network, 6 (2 64 d + 2 64^2) operations per path and step; nothing else is counted. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "engine.h"
#include "flowgap/flowgap.h"
#include "model/model.h"
#include "peak.h"
#include "target/density.h"

enum { WIDTH = 64, FREQUENCIES = 64, MOST = 200, DIMENSION_MOST = 16 };

typedef struct bench {
  fg_engine *engine;
  fg_process *process;
  fg_target *target;
  fg_prior *prior;
  fg_model *model;
  fg_density density;
  fg_buf gradient, buffer[FG_DENSITY_BUFFERS];
  size_t d, buffers;
  int threads;
} bench;

static void need(fg_code rc, const fg_status *st)
{
  if (rc == FG_OK) return;
  fprintf(stderr, "bench_train: %s\n", st->message);
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
static const double *map(size_t out, size_t in)
{
  double *w = malloc(out * in * sizeof *w), bound = 1 / sqrt((double)in);
  if (!w) exit(1);
  for (size_t i = 0; i < out * in; i++) w[i] = bound * uniform();
  return w;
}

static void make_model(bench *b)
{
  static double frequency[FREQUENCIES], phase[FREQUENCIES];
  const size_t widths[5] = {b->d, WIDTH, WIDTH, WIDTH, b->d};
  const double *weights[4], *biases[4];
  fg_guide_settings guide = {FG_GUIDE_INTERPOLATED, FG_RELATIVE_TO_NONE, 1, 10, 1, 1};
  fg_network_settings s = {.form = FG_VECTOR,
                           .output = FG_OUTPUT_CONTROL,
                           .activation = FG_GELU,
                           .beta = 1,
                           .time = FG_TIME_EMBEDDED,
                           .time_reversed = true,
                           .dimension = b->d,
                           .layers = 4,
                           .widths = widths,
                           .weights = weights,
                           .biases = biases,
                           .frequencies = FREQUENCIES,
                           .frequency = frequency,
                           .phase = phase,
                           .embedding_width = WIDTH,
                           .guide = &guide,
                           .factor_layers = 4,
                           .factor_width = WIDTH,
                           .factor_frequencies = FREQUENCIES,
                           .factor_frequency = frequency,
                           .factor_phase = phase};
  fg_status st;
  for (int j = 0; j < FREQUENCIES; j++) {
    frequency[j] = 0.1 + (100 - 0.1) * j / (FREQUENCIES - 1);
    phase[j] = uniform();
  }
  for (int l = 0; l < 4; l++) {
    weights[l] = map(widths[l + 1], widths[l]);
    biases[l] = map(widths[l + 1], 1);
    s.factor_weights[l] = map(l < 3 ? WIDTH : 1, l == 0 ? 2 * FREQUENCIES : WIDTH);
    s.factor_biases[l] = map(l < 3 ? WIDTH : 1, 1);
  }
  for (int l = 0; l < 2; l++) {
    s.embedding_weights[l] = map(WIDTH, l == 0 ? 2 * FREQUENCIES : WIDTH);
    s.embedding_biases[l] = map(WIDTH, 1);
  }
  need(fg_model_control(b->engine, &s, b->target, b->process, &b->model, &st), &st);
}

static void start(bench *b, fg_target_kind kind)
{
  const fg_prior_settings prior = {FG_PRIOR_TRUNCATED, 1, 0.9999};
  fg_process_settings process;
  fg_target_settings target;
  fg_status st;
  need(fg_engine_open("cpu", b->threads, &b->engine, &st), &st);
  fg_process_defaults(FG_PROCESS_VP, &process);
  need(fg_process_create(&process, &b->process, &st), &st);
  fg_target_defaults(kind, &target);
  need(fg_target_create(&target, &b->target, &st), &st);
  b->d = fg_target_dimension(b->target);
  need(fg_prior_create(&prior, b->d, b->process, b->target, &b->prior, &st), &st);
  need(fg_target_density(b->target, b->engine, &b->density, b->buffer, &b->buffers, &st), &st);
  make_model(b);
  size_t bytes = fg_model_field(b->model)->as.network.packed_single.bytes + 64;
  need(b->engine->ops->alloc(b->engine, bytes, &b->gradient, &st), &st);
}

static void stop(bench *b)
{
  b->engine->ops->free(b->engine, &b->gradient);
  for (size_t i = 0; i < b->buffers; i++) b->engine->ops->free(b->engine, &b->buffer[i]);
  fg_model_destroy(&b->model);
  fg_prior_destroy(&b->prior);
  fg_target_destroy(&b->target);
  fg_process_destroy(&b->process);
  fg_engine_close(&b->engine);
}

/* DIS on a uniform grid with Euler steps. */
static void make_steps(const bench *b, size_t steps, fg_coeff *coeff, fg_path_step *step)
{
  for (size_t k = 0; k <= steps; k++) {
    double t = 1 - (double)k / (double)steps;
    fg_coeff c = {.t = t,
                  .a = fg_process_a(b->process, t),
                  .g2 = fg_process_g2(b->process, t),
                  .m = fg_process_m(b->process, t),
                  .v = fg_process_v(b->process, t) + (t > 0 ? 0 : 1e-12)};
    coeff[k] = c;
  }
  for (size_t k = 0; k < steps; k++) {
    double h = coeff[k].t - coeff[k + 1].t, g = sqrt(coeff[k].g2), back = coeff[k].m / coeff[k + 1].m;
    fg_path_step s = {1 + coeff[k].a * h,
                      g * h,
                      g * sqrt(h),
                      h,
                      sqrt(h),
                      (double)b->d * 0.5 * h * (coeff[k].a + coeff[k + 1].a),
                      back,
                      coeff[k].v - back * back * coeff[k + 1].v};
    step[k] = s;
  }
}

typedef struct run {
  fg_objective_request request;
  fg_coeff *coeff;
  fg_path_step *step;
  double *x0;
} run;

static fg_buf room(bench *b, size_t bytes)
{
  fg_buf buf;
  fg_status st;
  need(b->engine->ops->alloc(b->engine, bytes, &buf, &st), &st);
  return buf;
}

static void run_open(bench *b, size_t batch, size_t steps, fg_objective objective, run *r)
{
  fg_status st;
  memset(r, 0, sizeof *r);
  r->coeff = malloc((steps + 1) * sizeof *r->coeff);
  r->step = malloc(steps * sizeof *r->step);
  r->x0 = malloc(batch * b->d * sizeof *r->x0);
  if (!r->coeff || !r->step || !r->x0) exit(1);
  make_steps(b, steps, r->coeff, r->step);
  need(fg_prior_sample(b->prior, 1, 0, batch, r->x0, &st), &st);
  fg_paths_request *p = &r->request.paths;
  p->precision = FG_SINGLE;
  p->n = batch;
  p->tile = getenv("TILE") ? (size_t)atoi(getenv("TILE")) : 64;
  p->seed = 1;
  p->stream = 1;
  p->steps = steps;
  p->coeff = r->coeff;
  p->step = r->step;
  p->target = b->density;
  p->limit = (double)INFINITY;
  p->x = room(b, batch * b->d * sizeof(double));
  p->rnd[0] = room(b, batch * sizeof(double));
  p->rnd[1] = room(b, batch * sizeof(double));
  p->lost_step = room(b, batch * sizeof(int32_t));
  r->request.objective = objective;
  r->request.group = 1;
  r->request.gradient = b->gradient;
}

static void run_close(bench *b, run *r)
{
  fg_paths_request *p = &r->request.paths;
  fg_buf *bufs[] = {&p->x, &p->rnd[0], &p->rnd[1], &p->lost_step};
  for (size_t i = 0; i < 4; i++) b->engine->ops->free(b->engine, bufs[i]);
  free(r->coeff);
  free(r->step);
  free(r->x0);
}

static int ascending(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Seconds of one call, median; gradient 0: paths alone. */
static double measure(bench *b, run *r, int gradient, int repetitions, double quartile[2], double *processor)
{
  double seconds[MOST], used[MOST];
  fg_status st;
  const size_t bytes = r->request.paths.n * b->d * sizeof(double);
  for (int k = -1; k < repetitions; k++) { /* the first warms up */
    need(b->engine->ops->upload(b->engine, r->request.paths.x, 0, r->x0, bytes, &st), &st);
    double from = bench_clock(CLOCK_MONOTONIC), used_from = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
    if (gradient)
      need(b->engine->ops->objective(b->engine, b->engine->threads, fg_model_field(b->model), &r->request,
                                     &st),
           &st);
    else
      need(b->engine->ops->paths(b->engine, b->engine->threads, fg_model_field(b->model), &r->request.paths,
                                 &st),
           &st);
    if (k >= 0) {
      seconds[k] = bench_clock(CLOCK_MONOTONIC) - from;
      used[k] = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - used_from;
    }
    if (gradient && (r->request.lost || !isfinite(r->request.loss))) {
      fprintf(stderr, "bench_train: %zu paths lost, loss %g\n", r->request.lost, r->request.loss);
      exit(1);
    }
  }
  qsort(seconds, (size_t)repetitions, sizeof *seconds, ascending);
  qsort(used, (size_t)repetitions, sizeof *used, ascending);
  *processor = used[repetitions / 2];
  quartile[0] = seconds[repetitions / 4];
  quartile[1] = seconds[(3 * repetitions) / 4];
  return seconds[repetitions / 2];
}

static void report(bench *b, const char *name, size_t batch, size_t steps, fg_objective objective,
                   int gradient, int repetitions)
{
  run r;
  double quartile[2], processor,
      useful = (gradient ? 6.0 : 2.0) * (double)(2 * WIDTH * b->d + 2 * WIDTH * WIDTH);
  const bench_rate peak = bench_peak(fg_engine_isa(b->engine), true, b->threads);
  run_open(b, batch, steps, objective, &r);
  double seconds = measure(b, &r, gradient, repetitions, quartile, &processor);
  useful *= (double)(batch * steps);
  printf("%-34s %9.2f ms (quartiles %.2f .. %.2f)  %6.1f GFLOP/s  of peak: wall %.0f %%, cpu %.0f %%\n", name,
         1e3 * seconds, 1e3 * quartile[0], 1e3 * quartile[1], 1e-9 * useful / seconds,
         1e-7 * useful / seconds / peak.wall, 1e-7 * useful / processor / peak.cpu * b->threads);
  fflush(stdout);
  run_close(b, &r);
}

static double resident(void)
{
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)usage.ru_maxrss / 1024;
}

static void scale(bench *b)
{
  printf("batch, steps: microseconds per path and 1000 steps, log-variance; largest memory\n");
  for (size_t batch = 1000; batch <= 1000000; batch *= 10)
    for (size_t steps = 10; steps <= (batch > 10000 ? 10u : 1000u); steps *= 10) {
      run r;
      double quartile[2], processor;
      run_open(b, batch, steps, FG_OBJECTIVE_LOG_VARIANCE, &r);
      double seconds = measure(b, &r, 1, batch > 10000 ? 2 : 4, quartile, &processor);
      printf("%8zu %5zu  %8.2f  %6.0f MiB\n", batch, steps, 1e9 * seconds / (double)(batch * steps),
             resident());
      fflush(stdout);
      run_close(b, &r);
    }
}

int main(int argc, char **argv)
{
  const int scaling = argc > 1 && strcmp(argv[1], "scale") == 0;
  if (scaling) argv++, argc--;
  bench b = {.threads = argc > 1 ? atoi(argv[1]) : 2};
  size_t batch = argc > 2 ? (size_t)atol(argv[2]) : 2048, steps = argc > 3 ? (size_t)atol(argv[3]) : 100;
  int repetitions = argc > 4 ? atoi(argv[4]) : 15;
  if (b.threads < 1 || batch < 1 || steps < 1 || repetitions < 1 || repetitions > MOST) return 2;
  start(&b, FG_TARGET_GMM9);
  if (scaling) {
    scale(&b);
    stop(&b);
    return 0;
  }
  printf("%s, %d threads, batch %zu, %zu steps\n", fg_engine_isa(b.engine), b.threads, batch, steps);
  report(&b, "gmm9 log-variance gradient", batch, steps, FG_OBJECTIVE_LOG_VARIANCE, 1, repetitions);
  report(&b, "gmm9 KL gradient", batch, steps, FG_OBJECTIVE_KL, 1, repetitions);
  report(&b, "gmm9 6000 paths x 200 with weights", 6000, 200, FG_OBJECTIVE_KL, 0, repetitions);
  report(&b, "gmm9 log-variance gradient, N = 800", batch, 800, FG_OBJECTIVE_LOG_VARIANCE, 1, 3);
  printf("largest memory so far %.0f MiB\n", resident());
  stop(&b);
  memset(&b, 0, sizeof b);
  b.threads = argc > 1 ? atoi(argv[1]) : 2;
  start(&b, FG_TARGET_FUNNEL);
  report(&b, "funnel d = 10 log-variance gradient", batch, steps, FG_OBJECTIVE_LOG_VARIANCE, 1, repetitions);
  report(&b, "funnel d = 10 KL gradient", batch, steps, FG_OBJECTIVE_KL, 1, repetitions);
  report(&b, "funnel 6000 paths x 200 with weights", 6000, 200, FG_OBJECTIVE_KL, 0, repetitions);
  stop(&b);
  return 0;
}

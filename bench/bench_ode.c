/* needs: flow */
/* 1000 particles along the probability-flow ODE of a potential network 3-80-80-80-1, in double at
 * rtol 1e-6 (and 1e-4 to 1e-7), without log-density; the error is against this program's own run at rtol 1e-12.
 *
 *   bench_ode [--weights FILE.safetensors] [--threads N] [--repeat R] [--peer "python3 .../ode_scipy_torch.py"]
 *
 * Without --weights they are random (process ou, horizon 1); with it, layers input, hidden1, hidden2,
 * output on horizon 10. --peer runs SciPy's RK45 on the same starts, measures its error against the
 * same ends, and prints the ratio to the cheapest of ours that is as exact, in wall and in processor
 * time (which still means something on a machine with other work). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "flow/ode_tile.h"
#include "flowgap/flowgap.h"
#include "model/model.h"

enum { N = 1000, LAYERS = 4 };
static const size_t widths[LAYERS + 1] = {3, 80, 80, 80, 1};
static const double t_end = 1e-4;

typedef struct bench {
  const char *weights, *peer;
  int threads, repeat;
  double horizon;
  fg_settings *settings;
  fg_engine *engine;
  fg_process *process;
  fg_model *model;
  double x0[2 * N], x1[2 * N], want[2 * N];
} bench;

static void need(fg_code rc, const fg_status *st)
{
  if (rc == FG_OK) return;
  fprintf(stderr, "bench_ode: %s\n", st->message);
  exit(1);
}

/* Knuth's linear congruential generator, so that the peer can have the same weights. */
static double uniform(uint64_t *state)
{
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(*state >> 11) * 0x1p-53;
}

/* U(-1, 1) / sqrt(inputs), weights then bias, layer by layer, as PyTorch starts its linear layers. */
static void random_network(bench *b, fg_status *st)
{
  static double weight[LAYERS][80 * 80], bias[LAYERS][80];
  const double *weights[LAYERS], *biases[LAYERS];
  uint64_t state = 1;
  for (size_t l = 0; l < LAYERS; l++) {
    double bound = 1 / sqrt((double)widths[l]);
    for (size_t k = 0; k < widths[l] * widths[l + 1]; k++) weight[l][k] = bound * (2 * uniform(&state) - 1);
    for (size_t k = 0; k < widths[l + 1]; k++) bias[l][k] = bound * (2 * uniform(&state) - 1);
    weights[l] = weight[l];
    biases[l] = bias[l];
  }
  fg_network_settings net;
  memset(&net, 0, sizeof net);
  net.form = FG_POTENTIAL;
  net.activation = FG_SOFTPLUS;
  net.beta = 100;
  net.time = FG_TIME_FIRST;
  net.dimension = 2;
  net.layers = LAYERS;
  net.widths = widths;
  net.weights = weights;
  net.biases = biases;
  need(fg_model_network(b->engine, &net, b->process, &b->model, st), st);
}

static void read_network(bench *b, fg_status *st)
{
  char yaml[2048];
  snprintf(yaml, sizeof yaml,
           "model: {kind: network, form: potential, file: %s, layers: [input, hidden1, hidden2, output],\n"
           "  inputs: [t, x], activation: softplus, beta: 100, threshold: 0}\n",
           b->weights);
  need(fg_settings_create(&b->settings, st), st);
  need(fg_settings_parse(b->settings, yaml, "bench_ode", st), st);
  need(fg_model_from_settings(b->engine, b->settings, NULL, b->process, &b->model, st), st);
}

static void open_all(bench *b)
{
  fg_status st = {0};
  fg_process_settings process;
  fg_prior_settings prior = {FG_PRIOR_GAUSSIAN, 0.5, 0};
  fg_prior *start;
  b->horizon = b->weights ? 10 : 1;
  fg_process_defaults(FG_PROCESS_OU, &process);
  process.horizon = b->horizon;
  need(fg_engine_open("cpu", b->threads, &b->engine, &st), &st);
  need(fg_process_create(&process, &b->process, &st), &st);
  if (b->weights) {
    read_network(b, &st);
  } else {
    random_network(b, &st);
  }
  need(fg_prior_create(&prior, 2, b->process, NULL, &start, &st), &st);
  need(fg_prior_sample(start, 3, 0, N, b->x0, &st), &st);
  fg_prior_destroy(&start);
}

/* Wall and processor seconds of this process, or of its children. */
static void clocks(int who, double *wall, double *cpu)
{
  struct timespec t;
  struct rusage u;
  clock_gettime(CLOCK_MONOTONIC, &t);
  getrusage(who, &u);
  *wall = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
  *cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void run(bench *b, double rtol, size_t tile, fg_norm norm, fg_flow_report *report)
{
  fg_status st = {0};
  fg_ode_settings set;
  fg_ode_defaults(&set);
  set.rtol = rtol;
  set.atol = rtol;
  set.tile = tile;
  fg_ode_problem p = {.engine = b->engine,
                      .field = fg_model_field(b->model),
                      .process = b->process,
                      .settings = &set,
                      .norm = norm,
                      .n = N,
                      .d = 2,
                      .x0 = b->x0,
                      .x1 = b->x1,
                      .t0 = b->horizon,
                      .t1 = t_end};
  need(fg_ode_run(&p, report, &st), &st);
}

/* Root mean square and largest error of the ends. */
static void errors(const double *got, const double *want, double *rms, double *most)
{
  *rms = *most = 0;
  for (size_t i = 0; i < 2 * N; i++) {
    double e = fabs(got[i] - want[i]);
    *rms += e * e;
    *most = fmax(*most, e);
  }
  *rms = sqrt(*rms / (2 * N));
}

static int by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

typedef struct measured {
  double rtol, wall, cpu, rms, most;
} measured;

/* Median wall and processor seconds of b->repeat runs after one that warms up. */
static measured measure(bench *b, double rtol, size_t tile, fg_norm norm)
{
  enum { MOST = 64 };
  double walls[MOST], cpus[MOST];
  fg_flow_report report;
  measured m = {.rtol = rtol};
  run(b, rtol, tile, norm, &report);
  for (int k = 0; k < b->repeat; k++) {
    double w0, c0, w1, c1;
    clocks(RUSAGE_SELF, &w0, &c0);
    run(b, rtol, tile, norm, &report);
    clocks(RUSAGE_SELF, &w1, &c1);
    walls[k] = w1 - w0;
    cpus[k] = c1 - c0;
  }
  qsort(walls, (size_t)b->repeat, sizeof *walls, by_size);
  qsort(cpus, (size_t)b->repeat, sizeof *cpus, by_size);
  m.wall = walls[b->repeat / 2];
  m.cpu = cpus[b->repeat / 2];
  errors(b->x1, b->want, &m.rms, &m.most);
  double evaluations = (double)report.rhs_evaluations / (double)report.tiles;
  /* value and gradient of the network: 26,200 multiply-adds for each particle and evaluation */
  printf("adams rtol %.0e tile %4zu %s norm: %.4f s wall (%.4f to %.4f), %.4f s cpu, %.0f evaluations, "
         "%.1f GFLOP/s of cpu time, error rms %.2e max %.2e, lost %llu\n",
         rtol, tile, norm == FG_NORM_MEAN ? "mean    " : "particle", m.wall, walls[0], walls[b->repeat - 1],
         m.cpu, evaluations, evaluations * N * 52400 / m.cpu * 1e-9, m.rms, m.most,
         (unsigned long long)report.lost);
  return m;
}

static void put(const char *folder, const char *name, const double *values)
{
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(values, sizeof *values, 2 * N, file) != 2 * N || fclose(file)) {
    fprintf(stderr, "bench_ode: cannot write %s\n", path);
    exit(1);
  }
}

/* The cheapest of ours that is as exact as the peer, in the mean and at worst. */
static void print_ratio(const measured *ours, int count, double wall, double cpu, double rms, double most)
{
  for (int k = 0; k < count; k++) {
    if (ours[k].rms > rms || ours[k].most > most) continue;
    printf("  ratio at equal or smaller error, ours at rtol %.0e: wall %.2f, cpu %.2f (error of the peer "
           "%.1f times "
           "ours)\n",
           ours[k].rtol, wall / ours[k].wall, cpu / ours[k].cpu, rms / ours[k].rms);
    return;
  }
  printf("  none of ours is as exact as this\n");
}

/* The peer prints lines "seconds cpu evaluations rms max label". `ours` is ordered by falling rtol. */
static void compare(bench *b, const measured *ours, int count)
{
  char folder[] = "/tmp/bench_ode_XXXXXX", command[1024], line[256];
  if (!mkdtemp(folder)) exit(1);
  put(folder, "x0.f64", b->x0);
  put(folder, "want.f64", b->want);
  snprintf(command, sizeof command, "%s %s %s %g %g %d", b->peer, folder, b->weights ? b->weights : "random",
           b->horizon, t_end, b->threads ? b->threads : (int)sysconf(_SC_NPROCESSORS_ONLN));
  FILE *peer = popen(command, "r");
  while (peer && fgets(line, sizeof line, peer)) {
    double wall, cpu, evaluations, rms, most;
    if (sscanf(line, "%lf %lf %lf %lf %lf", &wall, &cpu, &evaluations, &rms, &most) != 5) continue;
    printf("peer: %s", line);
    print_ratio(ours, count, wall, cpu, rms, most);
  }
  if (!peer || pclose(peer)) {
    fprintf(stderr, "bench_ode: the peer failed: %s\n", command);
    exit(1);
  }
}

int main(int argc, char **argv)
{
  static bench b = {.repeat = 5};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--weights")) b.weights = argv[i + 1];
    if (!strcmp(argv[i], "--peer")) b.peer = argv[i + 1];
    if (!strcmp(argv[i], "--threads")) b.threads = atoi(argv[i + 1]);
    if (!strcmp(argv[i], "--repeat")) b.repeat = atoi(argv[i + 1]);
  }
  if (b.repeat < 1 || b.repeat > 64) b.repeat = 5;
  setvbuf(stdout, NULL, _IOLBF, 0);
  open_all(&b);
  fg_flow_report report;
  run(&b, 1e-12, 8, FG_NORM_PARTICLE, &report);
  memcpy(b.want, b.x1, sizeof b.want);
  for (size_t tile = 16; tile <= 256; tile *= 2)
    if (tile != 64) measure(&b, 1e-6, tile, FG_NORM_PARTICLE);
  measure(&b, 1e-6, 64, FG_NORM_MEAN);
  const double rtol[] = {1e-4, 1e-5, 1e-6, 1e-7};
  measured ours[4];
  for (int k = 0; k < 4; k++) ours[k] = measure(&b, rtol[k], 64, FG_NORM_PARTICLE);
  if (b.peer) compare(&b, ours, 4);
  fg_model_destroy(&b.model);
  fg_process_destroy(&b.process);
  fg_settings_destroy(&b.settings);
  fg_engine_close(&b.engine);
  return 0;
}

/* needs: train flow */
/* The slots of an engine on a GPU beside the floors of docs/cuda.md: the larger of operations over the peak of plain
 * arithmetic and bytes over the bandwidth of memory.
 *
 *   bench_cuda [engine] [repetitions] [divide]     defaults cuda, 15, 1: sizes are divided by `divide`
 *   bench_cuda floors                              the table of docs/cuda.md, by calculation, no engine
 *
 * A slot waits for its end, so its time holds launches, waits and the upload of what the call needs. Training slots are
 * timed inside whole training steps. Each result is looked at: finite, and no particle lost. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cuda_cases.h"
#include "engine.h"
#include "flowgap/flowgap.h"
#include "model/model.h"
#include "network_pack.h"
#include "sde/coeff.h"
#include "timing.h"
#ifdef FG_BENCH_ON_SHIM
#include "cuda_on_cpu/shim.h"
#endif

typedef struct bench {
  fg_engine *engine;
  fg_process *process;
  fg_target *target;
  fg_prior *prior;
  fg_model *mixture, *network, *potential, *wide, *wide_potential;
  fg_buf x, y, z, one; /* [POINTS, D] each, and [POINTS] ones */
  int repetitions;
  size_t divide;
  const bench_peaks *peaks;
} bench;

static void need(fg_code rc, const fg_status *st)
{
  if (rc == FG_OK) return;
  fprintf(stderr, "bench_cuda: %s\n", st->message);
  exit(1);
}

static double number(size_t i)
{
  const uint64_t w = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
  return (double)((w ^ (w >> 29)) >> 11) / 4503599627370496.0 - 1;
}

static fg_buf upload(bench *b, size_t count, double scale, double shift)
{
  fg_buf buf;
  fg_status st;
  double *x = malloc(count * sizeof *x);
  if (!x) exit(1);
  for (size_t i = 0; i < count; i++) x[i] = shift + scale * number(i);
  need(b->engine->ops->alloc(b->engine, count * sizeof *x, &buf, &st), &st);
  need(b->engine->ops->upload(b->engine, buf, 0, x, count * sizeof *x, &st), &st);
  free(x);
  return buf;
}

/* 2-128-128-128-2, or -1 as a potential, with the time as an input; or 512 wide. */
static void network(bench *b, fg_network_form form, int width, fg_model **model)
{
  static double weights[BENCH_LAYERS][BENCH_WIDE * BENCH_WIDE], biases[BENCH_LAYERS][BENCH_WIDE];
  const size_t inner = (size_t)width, outputs = form == FG_POTENTIAL ? 1 : BENCH_D;
  const size_t widths[BENCH_LAYERS + 1] = {BENCH_D + 1, inner, inner, inner, outputs};
  const double *w[BENCH_LAYERS], *v[BENCH_LAYERS];
  fg_network_settings s = {.form = form, .activation = FG_SOFTPLUS, .beta = 1, .threshold = 20};
  fg_status st;
  for (int l = 0; l < BENCH_LAYERS; l++) {
    const double size = 1 / sqrt((double)widths[l]);
    for (size_t i = 0; i < widths[l] * widths[l + 1]; i++) weights[l][i] = size * number(i + 7 * (size_t)l);
    for (size_t i = 0; i < widths[l + 1]; i++) biases[l][i] = size * number(i + 100 * (size_t)l);
    w[l] = weights[l];
    v[l] = biases[l];
  }
  s.time = FG_TIME_FIRST;
  s.dimension = BENCH_D;
  s.layers = BENCH_LAYERS;
  s.widths = widths;
  s.weights = w;
  s.biases = v;
  need(fg_model_network(b->engine, &s, b->process, model, &st), &st);
}

static void start(bench *b, const char *name)
{
  const fg_prior_settings prior = {FG_PRIOR_TRUNCATED, 1, 0.9999};
  fg_process_settings process;
  fg_target_settings target;
  fg_status st;
#ifdef FG_BENCH_ON_SHIM
  if (getenv("SHIM_SHARED"))
    shim_shared(atoi(getenv("SHIM_SHARED"))); /* of a block: as another device has it */
  need(strcmp(name, "cuda") ? fg_engine_open(name, 1, &b->engine, &st)
                            : fg_cuda_engine_open(1, &b->engine, &st),
       &st);
#else
  need(fg_engine_open(name, 0, &b->engine, &st), &st);
#endif
  fg_process_defaults(FG_PROCESS_VP, &process);
  need(fg_process_create(&process, &b->process, &st), &st);
  fg_target_defaults(FG_TARGET_GMM9, &target);
  need(fg_target_create(&target, &b->target, &st), &st);
  need(fg_prior_create(&prior, BENCH_D, b->process, b->target, &b->prior, &st), &st);
  need(fg_model_exact(b->engine, b->target, b->process, &b->mixture, &st), &st);
  network(b, FG_VECTOR, BENCH_WIDTH, &b->network);
  network(b, FG_POTENTIAL, BENCH_WIDTH, &b->potential);
  network(b, FG_VECTOR, BENCH_WIDE, &b->wide);
  network(b, FG_POTENTIAL, BENCH_WIDE, &b->wide_potential);
  b->x = upload(b, BENCH_POINTS * BENCH_D, 2, 0);
  b->y = upload(b, BENCH_POINTS * BENCH_D, 2, 0.5);
  b->z = upload(b, BENCH_POINTS * BENCH_D, 1, 0);
  b->one = upload(b, BENCH_POINTS, 0, 1);
  b->peaks = bench_peaks_of(fg_engine_devices(b->engine));
}

static void stop(bench *b)
{
  const fg_engine_ops *ops = b->engine->ops;
  ops->free(b->engine, &b->x);
  ops->free(b->engine, &b->y);
  ops->free(b->engine, &b->z);
  ops->free(b->engine, &b->one);
  fg_model_destroy(&b->mixture);
  fg_model_destroy(&b->network);
  fg_model_destroy(&b->potential);
  fg_model_destroy(&b->wide);
  fg_model_destroy(&b->wide_potential);
  fg_prior_destroy(&b->prior);
  fg_target_destroy(&b->target);
  fg_process_destroy(&b->process);
  fg_engine_close(&b->engine);
}

/* ---- what is printed ------------------------------------------------------------------------ */

static size_t part(const bench *b, size_t n)
{
  return n / b->divide ? n / b->divide : 1;
}

/* A row: the floor for what was done, the median, and the floor as a share of it. `scale`: what was done of the case. */
static void put(const bench *b, bench_case_id id, double scale, bench_times *times)
{
  const bench_case c = bench_case_of(id);
  const bench_timing t = bench_summary(times);
  const double floor = b->peaks ? scale * bench_floor(&c, b->peaks) : 0;
  printf("%-10s %-50s %9.2e %9.2e ", c.kernel, c.text, scale * c.operations, scale * c.bytes);
  if (b->peaks)
    printf("%10.4f %10.4f %10.4f .. %-10.4f %6.1f %%  %s\n", 1e3 * floor, 1e3 * t.median, 1e3 * t.low,
           1e3 * t.high, 100 * floor / t.median, c.bottleneck);
  else
    printf("%10s %10.4f %10.4f .. %-10.4f %6s    %s\n", "-", 1e3 * t.median, 1e3 * t.low, 1e3 * t.high, "-",
           c.bottleneck);
  fflush(stdout);
}

/* `call` in turn, the first one not counted. */
#define BENCH_REPEAT(b, times, call)                                                                         \
  for (int turn = -1; turn < (b)->repetitions; turn++) {                                                     \
    bench_start(&(times));                                                                                   \
    call;                                                                                                    \
    if (turn >= 0) bench_stop(&(times));                                                                     \
  }

/* What does not wait for its end. */
static fg_code ended(bench *b, fg_code launched, fg_status *st)
{
  return launched == FG_OK ? b->engine->ops->sync(b->engine, st) : launched;
}

static void finite(bench *b, fg_buf buf, size_t count, const char *what)
{
  fg_status st;
  double *x = malloc(count * sizeof *x);
  if (!x) exit(1);
  need(b->engine->ops->download(b->engine, x, buf, 0, count * sizeof *x, &st), &st);
  for (size_t i = 0; i < count; i++)
    if (!isfinite(x[i])) {
      fprintf(stderr, "bench_cuda: %s [%zu] is %g\n", what, i, x[i]);
      exit(1);
    }
  free(x);
}

/* ---- models --------------------------------------------------------------------------------------- */

static void simulate(bench *b, bench_case_id id, const fg_model *model, size_t points)
{
  fg_coeff coeff[BENCH_STEPS + 1];
  fg_simulate_request r;
  bench_times times = {0};
  fg_status st;
  fg_buf lost;
  const size_t n = part(b, points), steps = part(b, BENCH_STEPS);
  for (size_t k = 0; k <= steps; k++)
    coeff[k] = fg_process_coeff(b->process, 1 - 0.99 * (double)k / (double)steps);
  need(b->engine->ops->alloc(b->engine, n * sizeof(int32_t), &lost, &st), &st);
  memset(&r, 0, sizeof r);
  r.precision = FG_DOUBLE;
  r.n = n;
  r.tile = 64;
  r.seed = 1;
  r.stream = 2;
  r.scheme = FG_EULER;
  r.lambda = 1;
  r.steps = steps;
  r.coeff = coeff;
  r.x = b->z;
  r.lost_step = lost;
  BENCH_REPEAT(
      b, times,
      need(b->engine->ops->simulate(b->engine, b->engine->threads, fg_model_field(model), &r, &st), &st))
  finite(b, b->z, n * BENCH_D, "simulate");
  b->engine->ops->free(b->engine, &lost);
  put(b, id, (double)(n * steps) / ((double)points * BENCH_STEPS), &times);
}

static void evaluate(bench *b, bench_case_id id, const fg_model *model, size_t points)
{
  const fg_coeff coeff = fg_process_coeff(b->process, 0.5);
  fg_evaluate_request r;
  bench_times times = {0};
  fg_status st;
  memset(&r, 0, sizeof r);
  r.precision = FG_DOUBLE;
  r.n = part(b, points);
  r.shared_time = 1;
  r.coeff = &coeff;
  r.x = b->x;
  r.score = b->z;
  BENCH_REPEAT(
      b, times,
      need(b->engine->ops->evaluate(b->engine, b->engine->threads, fg_model_field(model), &r, &st), &st))
  finite(b, b->z, r.n * BENCH_D, "evaluate");
  put(b, id, (double)r.n / (double)points, &times);
}

static void ode(bench *b, bench_case_id id, const fg_model *model, size_t points)
{
  fg_ode_request r;
  bench_times times = {0};
  fg_status st;
  memset(&r, 0, sizeof r);
  r.precision = FG_DOUBLE;
  r.n = part(b, points);
  r.coeff = fg_process_coeff(b->process, 0.5);
  r.y = b->x;
  r.dy = b->z;
  BENCH_REPEAT(b, times,
               need(ended(b, b->engine->ops->ode_rhs(b->engine, fg_model_field(model), &r, &st), &st), &st))
  finite(b, b->z, r.n * BENCH_D, "ode_rhs");
  put(b, id, (double)r.n / (double)points, &times);
}

static void points(bench *b, bench_case_id id, const fg_model *model)
{
  static fg_coeff coeff[BENCH_BATCH];
  const fg_field *f = fg_model_field(model);
  fg_points_request r;
  bench_times times = {0};
  fg_status st;
  memset(&r, 0, sizeof r);
  r.precision = FG_SINGLE;
  r.kind = FG_LOSS_RESIDUAL;
  r.n = part(b, BENCH_BATCH);
  r.group = 1;
  r.scale = 1;
  for (size_t i = 0; i < r.n; i++) coeff[i] = fg_process_coeff(b->process, 0.55 + 0.45 * number(i));
  r.coeff = coeff;
  r.x = b->x;
  need(b->engine->ops->alloc(b->engine, fg_network_pack_size(f) * sizeof(float), &r.gradient, &st), &st);
  BENCH_REPEAT(b, times, need(b->engine->ops->points(b->engine, b->engine->threads, f, &r, &st), &st))
  if (!isfinite(r.loss) || r.lost)
    need(FG_FAIL(&st, FG_NUMERICS, "points: loss %g, %zu lost", r.loss, r.lost), &st);
  b->engine->ops->free(b->engine, &r.gradient);
  put(b, id, (double)r.n / BENCH_BATCH, &times);
}

/* ---- vectors and pairs --------------------------------------------------------------------------------- */

static void map(bench *b, bench_case_id id)
{
  bench_times times = {0};
  fg_status st = {0};
  const size_t n = part(b, BENCH_POINTS * BENCH_D);
  BENCH_REPEAT(
      b, times,
      need(ended(b, b->engine->ops->vec_map(b->engine, FG_VEC_LINEAR, n, 0.5, b->x, 2, b->y, b->z), &st),
           &st))
  finite(b, b->z, n, "map");
  put(b, id, (double)n / (BENCH_POINTS * BENCH_D), &times);
}

static void reduce(bench *b, bench_case_id id)
{
  bench_times times = {0};
  const size_t n = part(b, BENCH_POINTS * BENCH_D);
  double sum = 0;
  BENCH_REPEAT(b, times, sum = b->engine->ops->vec_reduce(b->engine, FG_VEC_DOT, n, b->x, b->y))
  if (!isfinite(sum)) exit(1);
  put(b, id, (double)n / (BENCH_POINTS * BENCH_D), &times);
}

static void pairs(bench *b, bench_case_id id)
{
  fg_pair_sums_request r;
  bench_times times = {0};
  fg_status st;
  double sum = 0;
  memset(&r, 0, sizeof r);
  r.precision = FG_DOUBLE;
  r.kernel = FG_PAIR_DISTANCE;
  r.n = r.m = part(b, BENCH_PAIRS);
  r.d = BENCH_D;
  r.columns = 1;
  r.x = b->x;
  r.y = b->y;
  r.a = r.b = b->one;
  r.sums = &sum;
  BENCH_REPEAT(b, times, need(b->engine->ops->pair_sums(b->engine, b->engine->threads, &r, &st), &st))
  if (!(sum > 0)) exit(1);
  put(b, id, (double)(r.n * r.m) / ((double)BENCH_PAIRS * BENCH_PAIRS), &times);
}

/* epsilon so large that no block of columns is left out */
static void softmin(bench *b, bench_case_id id)
{
  fg_softmin_request r;
  bench_times times = {0};
  fg_status st;
  memset(&r, 0, sizeof r);
  r.precision = FG_DOUBLE;
  r.n = r.m = part(b, BENCH_PAIRS);
  r.d = BENCH_D;
  r.epsilon = 10;
  r.x = b->x;
  r.y = b->y;
  r.log_b = r.g = b->one;
  r.out = b->z;
  BENCH_REPEAT(b, times, need(b->engine->ops->softmin(b->engine, b->engine->threads, &r, &st), &st))
  finite(b, b->z, r.n, "softmin");
  put(b, id, (double)(r.n * r.m) / ((double)BENCH_PAIRS * BENCH_PAIRS), &times);
}

/* The rows are in no order, so the boxes of all blocks overlap and no block is left out. */
static void price(bench *b, bench_case_id id)
{
  const size_t n = part(b, BENCH_PAIRS), k = n < BENCH_BEST ? n : BENCH_BEST;
  fg_price_request r = {.n = n, .m = n, .d = BENCH_D, .k = k, .cap = HUGE_VAL, .scale = ldexp(1, 40)};
  bench_times times = {0};
  fg_status st;
  uint32_t *who = malloc(n * k * sizeof *who);
  if (!who) exit(1);
  r.whole = 1;
  r.x = b->x;
  r.y = b->y;
  r.v = b->one;
  need(b->engine->ops->alloc(b->engine, n * k * sizeof *who, &r.who, &st), &st);
  BENCH_REPEAT(b, times, need(b->engine->ops->price(b->engine, b->engine->threads, &r, &st), &st))
  need(b->engine->ops->download(b->engine, who, r.who, 0, n * k * sizeof *who, &st), &st);
  for (size_t i = 0; i < n * k; i++)
    if (who[i] >= n) need(FG_FAIL(&st, FG_FAILED, "price: pair %zu is of column %u", i, who[i]), &st);
  b->engine->ops->free(b->engine, &r.who);
  free(who);
  put(b, id, (double)n * (double)n / ((double)BENCH_PAIRS * BENCH_PAIRS), &times);
}

#include "bench_cuda_slices.h"

/* ---- training ---------------------------------------------------------------------------------------------- */

/* The table of the engine with three slots that note their time; a slot is called once a step. */
static fg_engine_ops timed_ops;
static const fg_engine_ops *plain_ops;
static bench_times paths_times, objective_times, optimise_times, ensemble_times;

static fg_code timed_paths(fg_engine *e, fg_threads *threads, const fg_field *field,
                           const fg_paths_request *request, fg_status *st)
{
  bench_start(&paths_times);
  const fg_code rc = plain_ops->paths(e, threads, field, request, st);
  bench_stop(&paths_times);
  return rc;
}

static fg_code timed_objective(fg_engine *e, fg_threads *threads, const fg_field *field,
                               fg_objective_request *request, fg_status *st)
{
  bench_start(&objective_times);
  const fg_code rc = plain_ops->objective(e, threads, field, request, st);
  bench_stop(&objective_times);
  return rc;
}

static fg_code timed_optimise(fg_engine *e, fg_threads *threads, const fg_field *field,
                              fg_optimise_request *request, fg_status *st)
{
  bench_start(&optimise_times);
  const fg_code rc = plain_ops->optimise(e, threads, field, request, st);
  bench_stop(&optimise_times);
  return rc;
}

static fg_code timed_ensemble(fg_engine *e, fg_threads *threads, const fg_field *field,
                              const fg_ensemble_request *request, fg_status *st)
{
  bench_start(&ensemble_times);
  const fg_code rc = plain_ops->ensemble(e, threads, field, request, st);
  bench_stop(&ensemble_times);
  return rc;
}

/* The ODE by dopri5 at the tolerances of the defaults; its right-hand sides are counted. */
static void ensemble(bench *b, bench_case_id id, const fg_model *model, size_t points)
{
  const size_t n = part(b, part(b, points)); /* some hundred right-hand sides each */
  double *x = malloc(n * BENCH_D * sizeof *x);
  fg_flow_report report;
  fg_ode_settings s;
  fg_status st;
  if (!x) exit(1);
  fg_ode_defaults(&s);
  s.method = FG_ODE_DOPRI5;
  ensemble_times.count = 0;
  for (int turn = -1; turn < b->repetitions; turn++) {
    for (size_t i = 0; i < n * BENCH_D; i++) x[i] = 2 * number(i);
    need(fg_flow_ode(model, &s, n, x, 1, 0.01, x, NULL, NULL, NULL, &report, &st), &st);
    if (turn < 0) ensemble_times.count = 0;
  }
  free(x);
  put(b, id, (double)report.rhs_evaluations / ((double)points * BENCH_SIDES), &ensemble_times);
}

static void training(bench *b, fg_train_objective objective, int width)
{
  fg_trainer *trainer;
  fg_train_settings s;
  fg_status st;
  const size_t batch = part(b, BENCH_BATCH), steps = part(b, BENCH_STEPS);
  const double share = (double)(batch * steps) / (BENCH_BATCH * BENCH_STEPS);
  const int kl = objective == FG_TRAIN_KL, wide = width == BENCH_WIDE;
  fg_train_defaults(FG_TRAIN_DIS, &s);
  s.objective = objective;
  s.precision = FG_SINGLE;
  s.hidden_count = BENCH_LAYERS - 1;
  for (int l = 0; l + 1 < BENCH_LAYERS; l++) s.hidden[l] = (size_t)width;
  s.batch = s.evaluate_paths = batch;
  s.evaluate_steps = steps;
  s.stage_count = 1;
  s.stages[0] = (fg_train_stage){0, steps};
  need(fg_trainer_create(b->engine, &s, b->process, b->target, b->prior, &trainer, &st), &st);
  paths_times.count = objective_times.count = optimise_times.count = 0;
  for (int turn = -1; turn < b->repetitions; turn++) {
    fg_train_step step;
    fg_train_evaluation e;
    need(fg_trainer_step(trainer, NULL, &step, &st), &st);
    if (!kl) need(fg_trainer_evaluate(trainer, NULL, &e, &st), &st);
    if (turn < 0) paths_times.count = objective_times.count = optimise_times.count = 0;
  }
  fg_trainer_destroy(&trainer);
  put(b, kl ? BENCH_OBJECTIVE_KL : wide ? BENCH_WIDE_OBJECTIVE : BENCH_OBJECTIVE, share, &objective_times);
  if (kl) return;
  if (!wide) put(b, BENCH_OPTIMISE, 1, &optimise_times);
  put(b, wide ? BENCH_WIDE_PATHS : BENCH_PATHS, share, &paths_times);
}

static void all(bench *b)
{
  simulate(b, BENCH_SIMULATE_MIXTURE, b->mixture, BENCH_POINTS);
  simulate(b, BENCH_SIMULATE, b->network, BENCH_POINTS);
  simulate(b, BENCH_WIDE_SIMULATE, b->wide, BENCH_WIDE_POINTS);
  evaluate(b, BENCH_EVALUATE, b->network, BENCH_POINTS);
  evaluate(b, BENCH_WIDE_EVALUATE, b->wide, BENCH_WIDE_POINTS);
  ode(b, BENCH_ODE_MIXTURE, b->mixture, BENCH_POINTS);
  ode(b, BENCH_ODE, b->network, BENCH_POINTS);
  ode(b, BENCH_WIDE_ODE, b->wide, BENCH_WIDE_POINTS);
  map(b, BENCH_MAP);
  reduce(b, BENCH_REDUCE);
  pairs(b, BENCH_PAIR_SUMS);
  softmin(b, BENCH_SOFTMIN);
  price(b, BENCH_PRICE);
  slices(b, BENCH_SLICES, 0);
  slices(b, BENCH_SLICES_ALL, 1);
  slice_ways(b, BENCH_SLICE_WAYS);
  points(b, BENCH_RESIDUAL, b->potential);
  points(b, BENCH_WIDE_RESIDUAL, b->wide_potential);
  plain_ops = b->engine->ops;
  timed_ops = *plain_ops;
  timed_ops.paths = timed_paths;
  timed_ops.objective = timed_objective;
  timed_ops.optimise = timed_optimise;
  timed_ops.ensemble = timed_ensemble;
  b->engine->ops = &timed_ops;
  training(b, FG_TRAIN_LOG_VARIANCE, BENCH_WIDTH);
  training(b, FG_TRAIN_KL, BENCH_WIDTH);
  training(b, FG_TRAIN_LOG_VARIANCE, BENCH_WIDE);
  ensemble(b, BENCH_ENSEMBLE_MIXTURE, b->mixture, BENCH_POINTS);
  ensemble(b, BENCH_ENSEMBLE, b->network, BENCH_POINTS);
  ensemble(b, BENCH_WIDE_ENSEMBLE, b->wide, BENCH_WIDE_POINTS);
}

int main(int argc, char **argv)
{
  bench b = {.repetitions = argc > 2 ? atoi(argv[2]) : 15, .divide = argc > 3 ? (size_t)atol(argv[3]) : 1};
  if (argc > 1 && strcmp(argv[1], "floors") == 0) {
    bench_put_floors();
    return 0;
  }
  if (b.repetitions < 1 || b.repetitions > BENCH_REPETITIONS / 2 || b.divide < 1) {
    fprintf(stderr, "usage: bench_cuda [engine] [repetitions 1..%d] [divide >= 1], or bench_cuda floors\n",
            BENCH_REPETITIONS / 2);
    return 2;
  }
  start(&b, argc > 1 ? argv[1] : "cuda");
  printf("engine %s %s; %s", fg_engine_name(b.engine), fg_engine_isa(b.engine), fg_engine_devices(b.engine));
  if (b.peaks)
    printf("peaks of %s: %g, %g 10^12 operations/s, %g 10^12 bytes/s\n", b.peaks->name, b.peaks->rate[0],
           b.peaks->rate[1], b.peaks->bandwidth);
  else
    printf("no peaks known for this device: no floors\n");
  printf("%-10s %-50s %9s %9s %10s %10s %24s %8s  %s\n", "slot", "case", "operations", "bytes", "floor ms",
         "median ms", "quartiles", "of floor", "predicted bottleneck");
  all(&b);
  stop(&b);
  return 0;
}

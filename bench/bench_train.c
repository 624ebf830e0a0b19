/* needs: train */
/* Whole training steps of a sampler (starts, paths, gradient of the objective, clipping, Adam) and sampling with
 * weights: DIS with the Fourier MLP of width 64 and interpolated score, vp 0.1 .. 10, float.
 *
 *   bench_train [threads] [batch] [steps] [repetitions]      defaults 2, 2048, 100, 15
 *   bench_train scale [threads]                              cost against batch and steps, and memory
 *
 * Prints medians with quartiles, and the fraction of the measured multiply-add peak on useful work: forward and
 * backward of the network, 6 (2 64 d + 2 64^2) operations per path and step (a third of that for sampling); nothing
 * else is counted, recomputation neither. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowgap/flowgap.h"
#include "timing.h"

enum { WIDTH = 64 };

typedef struct bench {
  fg_engine *engine;
  fg_process *process;
  fg_target *target;
  fg_prior *prior;
  int threads;
} bench;

static void need(fg_code rc, const fg_status *st)
{
  if (rc == FG_OK) return;
  fprintf(stderr, "bench_train: %s\n", st->message);
  exit(1);
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
  need(fg_prior_create(&prior, fg_target_dimension(b->target), b->process, b->target, &b->prior, &st), &st);
}

static void stop(bench *b)
{
  fg_prior_destroy(&b->prior);
  fg_target_destroy(&b->target);
  fg_process_destroy(&b->process);
  fg_engine_close(&b->engine);
}

/* One training step, or one evaluation if `sampling`; the first call warms up. */
static bench_timing measure(bench *b, fg_train_objective objective, size_t batch, size_t steps, int sampling,
                            int repetitions)
{
  bench_times times = {0};
  fg_trainer *trainer;
  fg_train_settings s;
  fg_status st;
  fg_train_defaults(FG_TRAIN_DIS, &s);
  s.objective = objective;
  s.batch = sampling ? 64 : batch;
  s.stage_count = 1;
  s.stages[0] = (fg_train_stage){0, steps};
  s.evaluate_paths = sampling ? batch : 64;
  s.evaluate_steps = steps;
  need(fg_trainer_create(b->engine, &s, b->process, b->target, b->prior, &trainer, &st), &st);
  for (int k = -1; k < repetitions; k++) {
    fg_train_step step;
    fg_train_evaluation e;
    bench_start(&times);
    if (sampling)
      need(fg_trainer_evaluate(trainer, NULL, &e, &st), &st);
    else
      need(fg_trainer_step(trainer, NULL, &step, &st), &st);
    if (k >= 0) bench_stop(&times);
  }
  fg_trainer_destroy(&trainer);
  return bench_summary(&times);
}

static void report(bench *b, const char *name, fg_train_objective objective, size_t batch, size_t steps,
                   int sampling, int repetitions)
{
  const double d = (double)fg_target_dimension(b->target);
  const double useful =
      (sampling ? 2.0 : 6.0) * (2 * WIDTH * d + 2 * WIDTH * WIDTH) * (double)(batch * steps);
  const bench_rate peak = bench_peak(fg_engine_isa(b->engine), true, b->threads);
  const bench_timing t = measure(b, objective, batch, steps, sampling, repetitions);
  printf("%-14s %5zu x %-4zu %9.2f ms (quartiles %.2f .. %.2f)  %6.1f GFLOP/s  of peak: wall %.0f %%, cpu "
         "%.0f %%"
         "  memory %.0f MiB\n",
         name, batch, steps, 1e3 * t.median, 1e3 * t.low, 1e3 * t.high, 1e-9 * useful / t.median,
         1e-7 * useful / t.median / peak.wall, 1e-7 * useful / (t.processor / b->threads) / peak.cpu,
         bench_resident());
  fflush(stdout);
}

static void scale(bench *b)
{
  printf("   batch steps  nanoseconds per path and step, log-variance; largest memory so far\n");
  for (size_t batch = 1000; batch <= 1000000; batch *= 10)
    for (size_t steps = 10; steps <= (batch > 10000 ? 10u : 1000u); steps *= 10) {
      const bench_timing t = measure(b, FG_TRAIN_LOG_VARIANCE, batch, steps, 0, batch > 10000 ? 2 : 5);
      printf("%8zu %5zu  %8.1f  %6.0f MiB\n", batch, steps, 1e9 * t.median / (double)(batch * steps),
             bench_resident());
      fflush(stdout);
    }
}

static void report_all(bench *b, size_t batch, size_t steps, int repetitions)
{
  printf("%s, %d threads\n", fg_engine_isa(b->engine), b->threads);
  report(b, "lv-gmm9", FG_TRAIN_LOG_VARIANCE, batch, steps, 0, repetitions);
  report(b, "kl-gmm9", FG_TRAIN_KL, batch, steps, 0, repetitions);
  report(b, "sample-gmm9", FG_TRAIN_KL, 6000, 200, 1, repetitions);
  report(b, "lv-gmm9-800", FG_TRAIN_LOG_VARIANCE, batch, 800, 0, 3);
}

int main(int argc, char **argv)
{
  const int scaling = argc > 1 && strcmp(argv[1], "scale") == 0;
  if (scaling) argv++, argc--;
  bench b = {.threads = argc > 1 ? atoi(argv[1]) : 2};
  size_t batch = argc > 2 ? (size_t)atol(argv[2]) : 2048, steps = argc > 3 ? (size_t)atol(argv[3]) : 100;
  int repetitions = argc > 4 ? atoi(argv[4]) : 15;
  if (b.threads < 1 || batch < 1 || steps < 1 || repetitions < 1 || repetitions > BENCH_REPETITIONS) return 2;
  start(&b, FG_TARGET_GMM9);
  if (scaling)
    scale(&b);
  else
    report_all(&b, batch, steps, repetitions);
  stop(&b);
  if (scaling) return 0;
  start(&b, FG_TARGET_FUNNEL);
  report(&b, "lv-funnel", FG_TRAIN_LOG_VARIANCE, batch, steps, 0, repetitions);
  report(&b, "kl-funnel", FG_TRAIN_KL, batch, steps, 0, repetitions);
  report(&b, "sample-funnel", FG_TRAIN_KL, 6000, 200, 1, repetitions);
  stop(&b);
  return 0;
}

/* The processor's fused multiply-add peak, measured: independent register-only chains, per instruction set and
 * precision. Each count is 2 operations per lane; run it in as many threads as the work that is compared. */
#ifndef FG_BENCH_PEAK_H
#define FG_BENCH_PEAK_H

#include <pthread.h>
#include <string.h>
#include <time.h>

static inline double bench_clock(clockid_t which)
{
  struct timespec t;
  clock_gettime(which, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* 12 chains hide a latency of 4 to 6 cycles on two pipes; `+v` keeps them in registers. */
#define BENCH_PEAK(name, target_text, type, bytes, mnemonic, reg)                                            \
  __attribute__((target(target_text))) static double name(long rounds)                                       \
  {                                                                                                          \
    typedef type lanes __attribute__((vector_size(bytes)));                                                  \
    lanes a = {0}, b = {0}, s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a;                                  \
    lanes s6 = a, s7 = a, s8 = a, s9 = a, s10 = a, s11 = a;                                                  \
    for (long k = 0; k < rounds; k++)                                                                        \
      __asm__ volatile(mnemonic                                                                              \
                       " %12,%13,%0\n\t" mnemonic " %12,%13,%1\n\t" mnemonic " %12,%13,%2\n\t" mnemonic      \
                       " %12,%13,%3\n\t" mnemonic " %12,%13,%4\n\t" mnemonic " %12,%13,%5\n\t" mnemonic      \
                       " %12,%13,%6\n\t" mnemonic " %12,%13,%7\n\t" mnemonic " %12,%13,%8\n\t" mnemonic      \
                       " %12,%13,%9\n\t" mnemonic " %12,%13,%10\n\t" mnemonic " %12,%13,%11"                 \
                       : "+" reg(s0), "+" reg(s1), "+" reg(s2), "+" reg(s3), "+" reg(s4), "+" reg(s5),       \
                         "+" reg(s6), "+" reg(s7), "+" reg(s8), "+" reg(s9), "+" reg(s10), "+" reg(s11)      \
                       : reg(a), reg(b));                                                                    \
    return 12.0 * 2 * (bytes) / sizeof(type) * (double)rounds;                                               \
  }

#if defined(__x86_64__)
BENCH_PEAK(bench_peak_avx512_single, "avx512f", float, 64, "vfmadd231ps", "v")
BENCH_PEAK(bench_peak_avx512_double, "avx512f", double, 64, "vfmadd231pd", "v")
BENCH_PEAK(bench_peak_avx2_single, "avx2,fma", float, 32, "vfmadd231ps", "x")
BENCH_PEAK(bench_peak_avx2_double, "avx2,fma", double, 32, "vfmadd231pd", "x")
#endif

typedef struct bench_peak_job {
  double (*run)(long);
  double work, cpu;
} bench_peak_job;

static void *bench_peak_thread(void *argument)
{
  bench_peak_job *job = argument;
  double from = bench_clock(CLOCK_THREAD_CPUTIME_ID);
  job->work = job->run(1000000);
  job->cpu = bench_clock(CLOCK_THREAD_CPUTIME_ID) - from;
  return NULL;
}

/* GFLOP/s of `threads` threads together, the best of several runs: by the clock on the wall, and by the
 * processor time used (times threads), which other work on the machine disturbs less. 0 where this file has
 * no loop for the instruction set. */
typedef struct bench_rate {
  double wall, cpu;
} bench_rate;

static inline bench_rate bench_peak(const char *isa, int single, int threads)
{
  enum { MOST = 64, TURNS = 12 };
  bench_peak_job job[MOST] = {{NULL, 0, 0}};
  pthread_t id[MOST];
  double (*run)(long) = NULL;
  bench_rate best = {0, 0};
#if defined(__x86_64__)
  if (strcmp(isa, "avx512") == 0) run = single ? bench_peak_avx512_single : bench_peak_avx512_double;
  if (strcmp(isa, "avx2") == 0) run = single ? bench_peak_avx2_single : bench_peak_avx2_double;
#endif
  for (int turn = 0; run && turn < TURNS; turn++) {
    double work = 0, cpu = 0, from = bench_clock(CLOCK_MONOTONIC);
    int started = 0;
    for (int k = 0; k < threads && k < MOST; k++) {
      job[k].run = run;
      if (pthread_create(&id[k], NULL, bench_peak_thread, &job[k]) != 0) break;
      started++;
    }
    for (int k = 0; k < started; k++) {
      pthread_join(id[k], NULL);
      work += job[k].work;
      cpu += job[k].cpu;
    }
    double wall_rate = 1e-9 * work / (bench_clock(CLOCK_MONOTONIC) - from),
           cpu_rate = 1e-9 * work / cpu * threads;
    if (wall_rate > best.wall) best.wall = wall_rate;
    if (cpu_rate > best.cpu) best.cpu = cpu_rate;
  }
  return best;
}

#endif

/* The cases of bench_cuda with the operations and bytes that each must cost, and the peaks of devices. */
#ifndef FG_BENCH_CUDA_CASES_H
#define FG_BENCH_CUDA_CASES_H

#include <stdio.h>
#include <string.h>

enum {
  BENCH_D = 2,
  BENCH_WIDTH = 128,
  BENCH_WIDE = 512, /* by cuBLAS */
  BENCH_LAYERS = 4,
  BENCH_COMPONENTS = 9,
  BENCH_POINTS = 100000,
  BENCH_STEPS = 100,
  BENCH_PAIRS = 10000,
  BENCH_BEST = 8, /* pairs of a row that pricing keeps */
  BENCH_LINES = 100,  /* directions that samples are projected on */
  BENCH_DEALT = 4000, /* rows of a permutation test */
  BENCH_WIDE_POINTS = 10000,
  BENCH_SIDES = 100, /* right-hand sides of a particle, of the ensemble */
  BENCH_BATCH = 2048,
  BENCH_GRADIENT =
      4 /* networks of a step of a path: forward, once more for the gradient, and two products back */
};

/* ---- devices ------------------------------------------------------------------------------------ */

/* Makers' data sheets: 10^12 operations a second of plain arithmetic in double and single, and in double by tensor cores,
 * which products of networks use; 10^12 bytes a second. Found in the device's name, the first that fits. */
typedef struct bench_peaks {
  const char *word, *name;
  double rate[3], bandwidth;
} bench_peaks;

static const bench_peaks bench_devices[] = {
    {"A100-SXM4-80GB", "A100 80 GB SXM", {9.7, 19.5, 19.5}, 2.039},
    {"A100 80GB PCIe", "A100 80 GB PCIe", {9.7, 19.5, 19.5}, 1.935},
    {"A100", "A100 40 GB", {9.7, 19.5, 19.5}, 1.555},
    {"H100 PCIe", "H100 PCIe", {25.6, 51.2, 51.2}, 2.0},
    {"H100 NVL", "H100 NVL", {30, 60, 60}, 3.9},
    {"H100", "H100 SXM", {33.5, 66.9, 66.9}, 3.35},
    {"H200 NVL", "H200 NVL", {30, 60, 60}, 4.8},
    {"H200", "H200 SXM", {33.5, 66.9, 66.9}, 4.8},
};

/* Of the first device of fg_engine_devices; NULL: not known. */
static inline const bench_peaks *bench_peaks_of(const char *devices)
{
  const size_t line = strcspn(devices, "\n");
  for (size_t k = 0; k < sizeof bench_devices / sizeof *bench_devices; k++) {
    const char *at = strstr(devices, bench_devices[k].word);
    if (at && (size_t)(at - devices) < line) return &bench_devices[k];
  }
  return NULL;
}

/* ---- operations ----------------------------------------------------------------------------------- */

/* Of a network from one value: two for each weight. Time is a row that a step computes once.
 * tests/unit/test_operations.c counts what the bodies do. */
static inline double bench_operations(int width, int out)
{
  return 2.0 * (BENCH_D * width + (BENCH_LAYERS - 2) * width * width + width * out);
}

static inline double bench_network(int out)
{
  return bench_operations(BENCH_WIDTH, out);
}

static inline double bench_weights(int width, int out)
{
  return bench_operations(width, out) / 2 + (BENCH_LAYERS - 1) * width + out;
}

/* The score of an isotropic mixture: exponentials count 20. The step and its noise: 40 a dimension. */
static inline double bench_mixture(void)
{
  return BENCH_COMPONENTS * (5.0 * BENCH_D + 25);
}

typedef enum bench_case_id {
  BENCH_SIMULATE_MIXTURE,
  BENCH_SIMULATE,
  BENCH_EVALUATE,
  BENCH_ODE_MIXTURE,
  BENCH_ODE,
  BENCH_MAP,
  BENCH_REDUCE,
  BENCH_PAIR_SUMS,
  BENCH_SOFTMIN,
  BENCH_PRICE,
  BENCH_PATHS,
  BENCH_OBJECTIVE,
  BENCH_OBJECTIVE_KL,
  BENCH_RESIDUAL,
  BENCH_OPTIMISE,
  BENCH_SLICES,
  BENCH_SLICES_ALL,
  BENCH_SLICE_WAYS,
  BENCH_ENSEMBLE_MIXTURE,
  BENCH_ENSEMBLE,
  BENCH_WIDE_EVALUATE,
  BENCH_WIDE_ODE,
  BENCH_WIDE_SIMULATE,
  BENCH_WIDE_PATHS,
  BENCH_WIDE_OBJECTIVE,
  BENCH_WIDE_RESIDUAL,
  BENCH_CASES
} bench_case_id;

typedef struct bench_case {
  const char *kernel, *text;
  int arithmetic; /* 0 double, 1 single, 2 double by tensor cores: which of the rates */
  double operations, bytes;
  const char *bottleneck;
} bench_case;

/* Bytes: what must go to or come from memory once; scratch is not counted. */
static inline bench_case bench_case_of(bench_case_id id)
{
  const double n = BENCH_POINTS, d = BENCH_D, steps = n * BENCH_STEPS, noise = 40 * d;
  const double f = bench_network(BENCH_D), pairs = (double)BENCH_PAIRS * BENCH_PAIRS, pair = 3 * d + 25;
  const double paths = (double)BENCH_BATCH * BENCH_STEPS, rows = BENCH_PAIRS,
               w = bench_weights(BENCH_WIDTH, BENCH_D);
  const double wide = bench_operations(BENCH_WIDE, BENCH_D), wide_w = 8 * bench_weights(BENCH_WIDE, BENCH_D);
  const double ends = (2 * d * 8 + 2 * 8 + 4) * BENCH_BATCH;
  switch (id) {
  case BENCH_SIMULATE_MIXTURE:
    return (bench_case){"simulate",
                        "gmm9, 10^5 particles, 100 steps",
                        0,
                        steps * (bench_mixture() + noise),
                        n * (2 * d * 8 + 4),
                        "exponentials; 64 threads a block, a particle each"};
  case BENCH_SIMULATE:
    return (bench_case){"simulate",
                        "network, 10^5 particles, 100 steps",
                        2,
                        steps * (f + noise),
                        n * (2 * d * 8 + 4) + 8 * w,
                        "multiply-adds, reads of shared memory as near"};
  case BENCH_EVALUATE:
    return (bench_case){"evaluate",   "score of the network, 10^5 points", 2, n * f, n * 2 * d * 8 + 8 * w,
                        "as simulate"};
  case BENCH_ODE_MIXTURE:
    return (bench_case){"ode",
                        "right-hand side, gmm9, 10^5 particles",
                        0,
                        n * (bench_mixture() + 4 * d),
                        n * 2 * d * 8,
                        "launch and wait"};
  case BENCH_ODE:
    return (bench_case){
        "ode",        "right-hand side, network, 10^5 particles", 2, n * (f + 4 * d), n * 2 * d * 8 + 8 * w,
        "as simulate"};
  case BENCH_MAP:
    return (bench_case){"map", "a x + b y of 2 10^5 numbers", 0, 3 * n * d, 3 * n * d * 8, "launch and wait"};
  case BENCH_REDUCE:
    return (bench_case){"reduce", "x.y of 2 10^5 numbers", 0, 2 * n * d, 2 * n * d * 8, "launch and wait"};
  case BENCH_PAIR_SUMS:
    return (bench_case){"pairs",      "distances, 10^4 x 10^4 points", 0,
                        pairs * pair, 2 * rows * (d + 1) * 8,          "roots"};
  case BENCH_SOFTMIN:
    return (bench_case){
        "softmin",     "10^4 x 10^4 points, nothing left out", 0, pairs * pair, rows * (2 * d + 3) * 8,
        "exponentials"};
  case BENCH_PRICE: /* a cost has 3 d + 4 operations, its key and the comparison two more */
    return (bench_case){"price",
                        "10^4 x 10^4 points, 8 pairs of a row, nothing left out",
                        0,
                        pairs * (3 * d + 6),
                        rows * (2 * d + 2) * 8 + rows * BENCH_BEST * 4,
                        "products and sums that may not be joined: half the peak; lists of pairs"};
  case BENCH_PATHS:
    return (bench_case){"paths",
                        "network, 2048 paths, 100 steps",
                        1,
                        paths * (f + bench_mixture() + noise),
                        ends + 4 * w,
                        "reads of shared memory; 128 tiles of 16, one a multiprocessor"};
  case BENCH_OBJECTIVE:
    return (bench_case){"objective",
                        "log-variance, 2048 paths, 100 steps",
                        1,
                        paths * (BENCH_GRADIENT * f + 2 * bench_mixture() + noise),
                        ends + 8 * w,
                        "reads of shared memory; 128 tiles of 16, one a multiprocessor"};
  case BENCH_OBJECTIVE_KL:
    return (bench_case){"objective",
                        "KL, 2048 paths, 100 steps",
                        1,
                        paths * (BENCH_GRADIENT * f + 3 * bench_mixture() + 2 * noise),
                        ends + 8 * w,
                        "reads of shared memory; 128 tiles of 16, one a multiprocessor"};
  case BENCH_RESIDUAL:
    return (bench_case){"points",
                        "residual with gradient, 2048 points",
                        1,
                        12 * bench_network(1) * BENCH_BATCH,
                        BENCH_BATCH * d * 8.0 + 8 * bench_weights(BENCH_WIDTH, 1),
                        "reads of shared memory; 128 tiles of 16, one a multiprocessor"};
  case BENCH_OPTIMISE:
    return (bench_case){
        "optimise", "Adam, all weights, and the norm", 1, 15 * w, 7 * 4 * w, "one block of threads"};
  case BENCH_SLICES: /* a place 2 d, a term of the plan 3 */
    return (bench_case){
        "slices",      "10^5 and 10^5 points, 100 directions", 0, BENCH_LINES * n * (4 * d + 3),
        2 * n * d * 8, "passes of the sort over its keys"};
  case BENCH_SLICES_ALL: /* n + m terms of 3, 3 d for their gradient */
    return (bench_case){"slices",
                        "the same with masses, gradients and orders",
                        0,
                        BENCH_LINES * n * (4 * d + 2 * (3 + 3 * d)),
                        2 * n * (d + 1) * 8 + BENCH_LINES * n * 4,
                        "passes of the sort over keys and rows"};
  case BENCH_SLICE_WAYS:
    return (bench_case){"slice_ways",
                        "4000 points, 100 directions, 64 ways",
                        0,
                        BENCH_LINES * (double)BENCH_DEALT * (2 * d + 64 * 1.5),
                        BENCH_DEALT * (d + 1) * 8.0 + BENCH_LINES * 64 * 8.0,
                        "barriers of the sums within a block"};
  case BENCH_ENSEMBLE_MIXTURE:
    return (bench_case){"ensemble",
                        "gmm9, 10^5 particles, 100 right-hand sides",
                        0,
                        n * BENCH_SIDES * (bench_mixture() + 20 * d),
                        n * 2 * d * 8,
                        "exponentials; particles of a tile that wait for its slowest"};
  case BENCH_ENSEMBLE:
    return (bench_case){"ensemble",
                        "network, 10^5 particles, 100 right-hand sides",
                        2,
                        n * BENCH_SIDES * (f + 20 * d),
                        n * 2 * d * 8 + 8 * w,
                        "as simulate"};
  case BENCH_WIDE_EVALUATE:
    return (bench_case){"evaluate",
                        "wide network, 10^4 points",
                        2,
                        BENCH_WIDE_POINTS * wide,
                        BENCH_WIDE_POINTS * 2 * d * 8 + wide_w,
                        "multiply-adds, planes of activations in memory as near"};
  case BENCH_WIDE_ODE:
    return (bench_case){"ode",
                        "right-hand side, wide network, 10^4 particles",
                        2,
                        BENCH_WIDE_POINTS * wide,
                        BENCH_WIDE_POINTS * 2 * d * 8 + wide_w,
                        "multiply-adds, planes of activations in memory as near"};
  case BENCH_WIDE_SIMULATE:
    return (bench_case){"simulate",
                        "wide network, 10^4 particles, 100 steps",
                        2,
                        (double)BENCH_WIDE_POINTS * BENCH_STEPS * wide,
                        BENCH_WIDE_POINTS * 2 * d * 8 + wide_w,
                        "multiply-adds, planes of activations in memory as near"};
  case BENCH_WIDE_PATHS:
    return (bench_case){"paths",           "wide network, 2048 paths, 100 steps", 1, paths * wide,
                        ends + wide_w / 2, "launches between small products"};
  case BENCH_WIDE_OBJECTIVE:
    return (bench_case){"objective",
                        "log-variance, wide network, 2048 paths, 100 steps",
                        1,
                        paths * BENCH_GRADIENT * wide,
                        ends + wide_w,
                        "launches between small products"};
  case BENCH_WIDE_RESIDUAL:
    return (bench_case){"points",
                        "residual with gradient, wide network, 2048 points",
                        1,
                        12 * bench_operations(BENCH_WIDE, 1) * BENCH_BATCH,
                        BENCH_BATCH * d * 8.0 + 8 * bench_weights(BENCH_WIDE, 1),
                        "multiply-adds, planes of activations in memory next"};
  case BENCH_CASES:
    break;
  }
  return (bench_case){"", "", 0, 0, 0, ""};
}

/* Seconds. */
static inline double bench_floor(const bench_case *c, const bench_peaks *p)
{
  const double work = 1e-12 * c->operations / p->rate[c->arithmetic],
               memory = 1e-12 * c->bytes / p->bandwidth;
  return work > memory ? work : memory;
}

/* The table of docs/cuda.md. */
static inline void bench_put_floors(void)
{
  static const int shown[] = {0, 5, 7};
  printf("| Slot, case | operations | bytes |");
  for (int k = 0; k < 3; k++) printf(" %s: ms (calculated, not measured) |", bench_devices[shown[k]].name);
  printf(" predicted bottleneck |\n|---|---|---|---|---|---|---|\n");
  for (int id = 0; id < BENCH_CASES; id++) {
    const bench_case c = bench_case_of((bench_case_id)id);
    printf("| `%s`, %s | %.1e | %.1e |", c.kernel, c.text, c.operations, c.bytes);
    for (int k = 0; k < 3; k++) printf(" %.2g |", 1e3 * bench_floor(&c, &bench_devices[shown[k]]));
    printf(" %s |\n", c.bottleneck);
  }
}

#endif

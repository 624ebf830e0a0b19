/* Blocks of a multiprocessor and the share of its warps that a kernel fills, by NVIDIA's own calculator (cuda_occupancy.h of
 * the toolkit) and the limits of the CUDA programming guide, table "technical specifications per compute capability".
 *
 *   cuda_occupancy < ROWS      "ARCH REGISTERS SHARED THREADS" a line, SHARED static and dynamic; writes "BLOCKS PERCENT"
 *   cuda_occupancy check       examples worked out by hand */
#include <stdio.h>
#include <string.h>

#include <cuda_occupancy.h>

/* Threads and shared memory of a multiprocessor, shared memory that one block may ask for. 65,536 registers, 1 KiB of
 * shared memory for the system a block, and 32 threads a warp in all of them. */
static const struct limits {
  int arch, threads;
  size_t shared, block;
} limits[] = {{80, 2048, 164, 163}, {90, 2048, 228, 227}, {100, 2048, 228, 227}, {120, 1536, 100, 99}};

/* -1: no such architecture */
static int blocks_of(int arch, int registers, size_t shared, int threads, double *percent)
{
  for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
    const struct limits *l = &limits[k];
    if (l->arch != arch) continue;
    const cudaOccDeviceProp device = {.computeMajor = arch / 10,
                                      .computeMinor = arch % 10,
                                      .maxThreadsPerBlock = 1024,
                                      .maxThreadsPerMultiprocessor = l->threads,
                                      .regsPerBlock = 65536,
                                      .regsPerMultiprocessor = 65536,
                                      .warpSize = 32,
                                      .sharedMemPerBlock = 48 << 10,
                                      .sharedMemPerMultiprocessor = l->shared << 10,
                                      .numSms = 1,
                                      .sharedMemPerBlockOptin = l->block << 10,
                                      .reservedSharedMemPerBlock = 1 << 10};
    const cudaOccFuncAttributes function = {.maxThreadsPerBlock = 1024,
                                            .numRegs = registers,
                                            .partitionedGCConfig = PARTITIONED_GC_OFF,
                                            .shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN,
                                            .maxDynamicSharedSizeBytes = shared,
                                            .numBlockBarriers = 1};
    const cudaOccDeviceState state = {.carveoutConfig = SHAREDMEM_CARVEOUT_MAX_SHARED};
    cudaOccResult result;
    if (cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &function, &state, threads, shared) !=
        CUDA_OCC_SUCCESS)
      return -1;
    *percent = 100.0 * result.activeBlocksPerMultiprocessor * ((threads + 31) / 32) / (l->threads / 32);
    return result.activeBlocksPerMultiprocessor;
  }
  return -1;
}

/* By hand: the least of what threads, blocks, registers (256 a warp at a time) and shared memory (1 KiB more a block) leave. */
static int check(void)
{
  static const struct example {
    int arch, registers;
    size_t shared;
    int threads, blocks;
    double percent;
  } examples[] = {
      {80, 32, 0, 256, 8, 100},   /* threads: 2048 / 256 */
      {80, 128, 0, 256, 2, 25},   /* registers: 65536 / (256 x 128) */
      {90, 33, 0, 256, 6, 75},    /* a warp takes 40 x 32 = 1280: 51 warps, 48 in groups of four, 6 blocks */
      {90, 255, 0, 256, 1, 12.5}, /* a warp takes 8192: 8 warps */
      {90, 32, 0, 32, 32, 50},    /* blocks: 32 at most */
      {90, 32, 64 << 10, 256, 3, 37.5},       /* 228 / (64 + 1) */
      {80, 32, 80 << 10, 256, 2, 25},         /* 164 / (80 + 1) */
      {100, 32, 227 << 10, 256, 1, 12.5},     /* the most that a block may have */
      {120, 32, 0, 256, 6, 100},              /* 1536 / 256 */
      {120, 32, 0, 32, 24, 50},               /* blocks: 24 of 32 threads, of 48 warps */
      {120, 32, 48 << 10, 128, 2, 100.0 / 6}, /* 100 / (48 + 1) */
      {120, 32, 100 << 10, 128, 0, 0},        /* more than a block may have */
  };
  for (size_t k = 0; k < sizeof examples / sizeof *examples; k++) {
    const struct example *e = &examples[k];
    double percent = 0;
    const int blocks = blocks_of(e->arch, e->registers, e->shared, e->threads, &percent);
    if (blocks == e->blocks && percent - e->percent < 1e-9 && e->percent - percent < 1e-9) continue;
    printf("sm_%d, %d registers, %zu bytes, %d threads: %d blocks and %g %%, expected %d and %g %%\n",
           e->arch, e->registers, e->shared, e->threads, blocks, percent, e->blocks, e->percent);
    return 1;
  }
  return 0;
}

int main(int argc, char **argv)
{
  int arch, registers, threads;
  size_t shared;
  if (argc > 1 && strcmp(argv[1], "check") == 0) return check();
  while (scanf("%d %d %zu %d", &arch, &registers, &shared, &threads) == 4) {
    double percent = 0;
    const int blocks = blocks_of(arch, registers, shared, threads, &percent);
    if (blocks < 0) {
      fprintf(stderr, "no limits are known of sm_%d\n", arch);
      return 1;
    }
    printf("%d %.4g\n", blocks, percent);
  }
  return 0;
}

/* The CUDA engine: opening, memory, failures. Device 0 of those that CUDA_VISIBLE_DEVICES leaves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/cuda_impl.h"

typedef struct fg_cuda {
  cudaMemPool_t pool;
  char isa[24]; /* "sm_90" */
  char devices[1024];
} fg_cuda;

fg_code fg_cuda_check(cudaError_t rc, const char *call, size_t bytes, fg_status *st)
{
  if (rc == cudaSuccess) return FG_OK;
  (void)cudaGetLastError(); /* so that the next call does not meet this failure again */
  if (rc == cudaErrorMemoryAllocation)
    return FG_FAIL(st, FG_MEMORY,
                   "%s of %zu bytes failed: %s (%d): use fewer particles, a smaller chunk, or --engine cpu",
                   call, bytes, cudaGetErrorString(rc), (int)rc);
  return FG_FAIL(st, FG_FAILED, "%s of %zu bytes failed: %s (%d): try --engine cpu", call, bytes,
                 cudaGetErrorString(rc), (int)rc);
}

static fg_code fg_cuda_launched(cudaError_t rc, const char *when, const char *kernel, size_t blocks, size_t n,
                                fg_status *st)
{
  if (rc == cudaSuccess) return FG_OK;
  (void)cudaGetLastError();
  return FG_FAIL(st, rc == cudaErrorMemoryAllocation ? FG_MEMORY : FG_FAILED,
                 "the kernel %s (%zu blocks for %zu particles) did not %s: %s (%d): try --engine cpu", kernel,
                 blocks, n, when, cudaGetErrorString(rc), (int)rc);
}

fg_code fg_cuda_started(const char *kernel, size_t blocks, size_t n, fg_status *st)
{
  return fg_cuda_launched(cudaGetLastError(), "launch", kernel, blocks, n, st);
}

fg_code fg_cuda_finish(const char *kernel, size_t blocks, size_t n, fg_status *st)
{
  FG_TRY(fg_cuda_started(kernel, blocks, n, st));
  return fg_cuda_launched(cudaStreamSynchronize(cudaStreamPerThread), "run", kernel, blocks, n, st);
}

fg_code fg_cuda_take(size_t bytes, void **memory, fg_status *st)
{
  *memory = NULL;
  if (bytes == 0) return FG_OK;
  fg_code rc =
      fg_cuda_check(cudaMallocAsync(memory, bytes, cudaStreamPerThread), "cudaMallocAsync", bytes, st);
  if (rc != FG_OK) *memory = NULL;
  return rc;
}

void fg_cuda_give(void *memory)
{
  if (memory) (void)cudaFreeAsync(memory, cudaStreamPerThread);
}

/* ---- memory slots --------------------------------------------------------------------------- */

static fg_code fg_cuda_wait(const char *call, size_t bytes, fg_status *st)
{
  return fg_cuda_check(cudaStreamSynchronize(cudaStreamPerThread), call, bytes, st);
}

/* Other threads use the buffer on streams of their own, hence the wait. */
static fg_code fg_cuda_alloc(fg_engine *e, size_t bytes, fg_buf *buf, fg_status *st)
{
  (void)e;
  buf->device = NULL;
  buf->bytes = 0;
  FG_TRY(fg_cuda_take(bytes ? bytes : 1, &buf->device, st));
  buf->bytes = bytes;
  return fg_cuda_wait("cudaMallocAsync", bytes, st);
}

static void fg_cuda_free(fg_engine *e, fg_buf *buf)
{
  (void)e;
  fg_cuda_give(buf->device);
  buf->device = NULL;
  buf->bytes = 0;
}

static fg_code fg_cuda_upload(fg_engine *e, fg_buf buf, size_t offset, const void *host, size_t bytes,
                              fg_status *st)
{
  (void)e;
  FG_TRY(fg_buf_inside(buf, offset, bytes, st));
  if (bytes == 0) return FG_OK;
  FG_TRY(fg_cuda_check(
      cudaMemcpyAsync((char *)buf.device + offset, host, bytes, cudaMemcpyHostToDevice, cudaStreamPerThread),
      "cudaMemcpyAsync to the device", bytes, st));
  return fg_cuda_wait("cudaMemcpyAsync to the device", bytes, st);
}

static fg_code fg_cuda_download(fg_engine *e, void *host, fg_buf buf, size_t offset, size_t bytes,
                                fg_status *st)
{
  (void)e;
  FG_TRY(fg_buf_inside(buf, offset, bytes, st));
  if (bytes == 0) return FG_OK;
  FG_TRY(fg_cuda_check(cudaMemcpyAsync(host, (const char *)buf.device + offset, bytes, cudaMemcpyDeviceToHost,
                                       cudaStreamPerThread),
                       "cudaMemcpyAsync from the device", bytes, st));
  return fg_cuda_wait("cudaMemcpyAsync from the device", bytes, st);
}

static fg_code fg_cuda_zero(fg_engine *e, fg_buf buf, fg_status *st)
{
  (void)e;
  if (buf.bytes == 0) return FG_OK;
  FG_TRY(fg_cuda_check(cudaMemsetAsync(buf.device, 0, buf.bytes, cudaStreamPerThread), "cudaMemsetAsync",
                       buf.bytes, st));
  return fg_cuda_wait("cudaMemsetAsync", buf.bytes, st);
}

static fg_code fg_cuda_sync(fg_engine *e, fg_status *st)
{
  (void)e;
  return fg_cuda_wait("cudaStreamSynchronize", 0, st);
}

/* ---- opening ---------------------------------------------------------------------------------- */

static const fg_engine_ops fg_cuda_ops = {fg_cuda_alloc,
                                          fg_cuda_free,
                                          fg_cuda_upload,
                                          fg_cuda_download,
                                          fg_cuda_zero,
                                          fg_cuda_sync,
                                          fg_cuda_evaluate,
                                          fg_cuda_simulate,
                                          fg_cuda_ode_rhs,
                                          fg_cuda_ode_jvp,
                                          fg_cuda_vec_map,
                                          fg_cuda_vec_reduce,
                                          fg_cuda_vec_particle_norm,
                                          fg_cuda_paths,
                                          fg_cuda_objective,
                                          fg_cuda_optimise,
                                          fg_cuda_points,
                                          fg_cuda_pair_sums,
                                          fg_cuda_softmin,
                                          fg_cuda_ensemble};

static void fg_cuda_close(fg_engine *e)
{
  fg_cuda *cuda = (fg_cuda *)e->state;
  fg_threads_destroy(&e->threads);
  if (cuda && cuda->pool) (void)cudaMemPoolTrimTo(cuda->pool, 0);
  free(cuda);
  free(e);
}

/* "0 NVIDIA H100 80GB HBM3, sm_90, 79.1 of 79.6 GiB free, driver for CUDA 13.0\n"; those that do not fit are counted. */
static fg_code fg_cuda_list(fg_cuda *cuda, int count, fg_status *st)
{
  int driver = 0;
  size_t used = 0, free_bytes = 0, bytes = 0;
  FG_TRY(fg_cuda_check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion", 0, st));
  FG_TRY(fg_cuda_check(cudaMemGetInfo(&free_bytes, &bytes), "cudaMemGetInfo", 0, st));
  for (int k = 0; k < count; k++) {
    cudaDeviceProp p;
    char line[400], room[64] = "";
    FG_TRY(fg_cuda_check(cudaGetDeviceProperties(&p, k), "cudaGetDeviceProperties", 0, st));
    if (k == 0) snprintf(room, sizeof room, "%.1f of ", (double)free_bytes / (double)(1 << 30));
    const int length = snprintf(line, sizeof line, "%d %s, sm_%d%d, %s%.1f GiB%s, driver for CUDA %d.%d\n", k,
                                p.name, p.major, p.minor, room, (double)p.totalGlobalMem / (double)(1 << 30),
                                k == 0 ? " free" : " (not used)", driver / 1000, driver % 1000 / 10);
    if (used + (size_t)length + 40 > sizeof cuda->devices) {
      snprintf(cuda->devices + used, sizeof cuda->devices - used, "and %d more\n", count - k);
      break;
    }
    memcpy(cuda->devices + used, line, (size_t)length + 1);
    used += (size_t)length;
  }
  return FG_OK;
}

static fg_code fg_cuda_device(fg_cuda *cuda, fg_status *st)
{
  int count = 0, major = 0, minor = 0;
  cudaError_t rc = cudaGetDeviceCount(&count);
  if (rc != cudaSuccess || count < 1)
    return FG_FAIL(
        st, FG_UNSUPPORTED,
        "no CUDA device: cudaGetDeviceCount returned %d (%s): install an NVIDIA driver for CUDA %d "
        "on a machine with a GPU, or use --engine cpu",
        (int)rc, cudaGetErrorString(rc), CUDART_VERSION / 1000);
  FG_TRY(fg_cuda_check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0),
                       "cudaDeviceGetAttribute", 0, st));
  FG_TRY(fg_cuda_check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0),
                       "cudaDeviceGetAttribute", 0, st));
  snprintf(cuda->isa, sizeof cuda->isa, "sm_%d%d", major, minor);
  /* memory handed back stays with the pool: a right-hand side takes and gives some at every call */
  uint64_t keep = UINT64_MAX;
  FG_TRY(fg_cuda_check(cudaDeviceGetDefaultMemPool(&cuda->pool, 0), "cudaDeviceGetDefaultMemPool", 0, st));
  FG_TRY(fg_cuda_check(cudaMemPoolSetAttribute(cuda->pool, cudaMemPoolAttrReleaseThreshold, &keep),
                       "cudaMemPoolSetAttribute", sizeof keep, st));
  FG_TRY(fg_cuda_list(cuda, count, st));
  return fg_cuda_probe(st);
}

/* What the loader in kernels/engine.c looks for. */
extern "C" FG_API fg_code fg_cuda_engine_open(int threads, fg_engine **engine, fg_status *st)
{
  *engine = NULL;
  if (strcmp(fg_version(), FG_VERSION_TEXT) != 0)
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "libflowgap_cuda.so is of version %s and libflowgap.so of version %s: install both from "
                   "one build, or use --engine cpu",
                   FG_VERSION_TEXT, fg_version());
  fg_engine *e = (fg_engine *)calloc(1, sizeof *e);
  fg_cuda *cuda = (fg_cuda *)calloc(1, sizeof *cuda);
  fg_code rc = FG_OK;
  if (!e || !cuda) {
    free(e);
    free(cuda);
    return FG_FAIL(st, FG_MEMORY, "no memory for an engine");
  }
  e->state = cuda;
  e->ops = &fg_cuda_ops;
  e->name = "cuda";
  e->isa = cuda->isa;
  e->devices = cuda->devices;
  e->close = fg_cuda_close;
  e->ode_tile = 65536; /* a launch of 64 particles would leave all but one processor idle */
  FG_GO(fg_cuda_device(cuda, st), fail);
  FG_GO(fg_threads_create(threads, &e->threads, st), fail);
  *engine = e;
  return FG_OK;
fail:
  fg_cuda_close(e);
  return rc;
}

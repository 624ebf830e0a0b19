/* The CUDA engine: opening, buffers, failures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/cuda_impl.h"

fg_code fg_cuda_check(cudaError_t rc, const char *call, size_t bytes, fg_status *st)
{
  int device = 0;
  size_t left = 0, all = 0;
  if (rc == cudaSuccess) return FG_OK;
  (void)cudaGetLastError(); /* so that the next call does not meet this failure again */
  if (cudaGetDevice(&device) != cudaSuccess) (void)cudaGetLastError();
  if (rc != cudaErrorMemoryAllocation)
    return FG_FAIL(st, FG_FAILED, "%s of %zu bytes on device %d failed: %s (%d): try --engine cpu", call,
                   bytes, device, cudaGetErrorString(rc), (int)rc);
  if (cudaMemGetInfo(&left, &all) != cudaSuccess) (void)cudaGetLastError();
  return FG_FAIL(
      st, FG_MEMORY,
      "%s of %zu bytes on device %d failed: %s (%d), %zu of %zu bytes are free: use fewer particles, "
      "a smaller chunk or batch, or --engine cpu",
      call, bytes, device, cudaGetErrorString(rc), (int)rc, left, all);
}

fg_code fg_cuda_named(fg_code rc, const char *kernel, fg_status *st)
{
  static const char usual[] = "the kernel ";
  if (rc == FG_MEMORY && st && strncmp(st->message, usual, sizeof usual - 1) != 0)
    (void)fg_status_prefix(st, "%s%s lacks memory: ", usual, kernel);
  return rc;
}

/* Of this thread, as CUDA's own last error is. */
static thread_local struct {
  unsigned threads;
  size_t shared;
} fg_last_launch;

/* The last kernel that this thread has not waited for. */
static thread_local struct {
  const char *kernel; /* NULL: none */
  size_t blocks, n;
  unsigned threads;
} fg_last_left;

static thread_local struct {
  fg_code code;
  fg_status why;
} fg_last_missed;

fg_code fg_cuda_missed(fg_code code, const fg_status *why)
{
  if (code != FG_OK && fg_last_missed.code == FG_OK) {
    fg_last_missed.code = code;
    fg_last_missed.why = *why;
  }
  return code;
}

void fg_cuda_note_launch(unsigned threads, size_t shared)
{
  fg_last_launch.threads = threads;
  fg_last_launch.shared = shared;
}

static fg_code fg_cuda_launched(cudaError_t rc, const char *when, const char *kernel, size_t blocks, size_t n,
                                fg_status *st)
{
  int device = 0;
  if (rc == cudaSuccess) return FG_OK;
  (void)cudaGetLastError();
  if (cudaGetDevice(&device) != cudaSuccess) (void)cudaGetLastError();
  return FG_FAIL(
      st, rc == cudaErrorMemoryAllocation ? FG_MEMORY : FG_FAILED,
      "the kernel %s (%zu blocks of %u threads with %zu bytes of shared memory, for %zu particles, on "
      "device %d) did not %s: %s (%d): try --engine cpu",
      kernel, blocks, fg_last_launch.threads, fg_last_launch.shared, n, device, when, cudaGetErrorString(rc),
      (int)rc);
}

fg_code fg_cuda_started(const char *kernel, size_t blocks, size_t n, fg_status *st)
{
  return fg_cuda_launched(cudaGetLastError(), "launch", kernel, blocks, n, st);
}

fg_code fg_cuda_left(const char *kernel, size_t blocks, size_t n, fg_status *st)
{
  FG_TRY(fg_cuda_started(kernel, blocks, n, st));
  fg_last_left.kernel = kernel;
  fg_last_left.blocks = blocks;
  fg_last_left.n = n;
  fg_last_left.threads = fg_last_launch.threads;
  return FG_OK;
}

/* What this thread's stream was asked has ended, or so did it. */
static fg_code fg_cuda_ended(fg_code rc, fg_status *st)
{
  if (rc != FG_OK && fg_last_left.kernel)
    (void)fg_status_prefix(st,
                           "after the kernel %s (%zu blocks of %u threads, for %zu particles) was launched: ",
                           fg_last_left.kernel, fg_last_left.blocks, fg_last_left.threads, fg_last_left.n);
  fg_last_left.kernel = NULL;
  return rc;
}

fg_code fg_cuda_finish(const char *kernel, size_t blocks, size_t n, fg_status *st)
{
  FG_TRY(fg_cuda_started(kernel, blocks, n, st));
  return fg_cuda_ended(
      fg_cuda_launched(cudaStreamSynchronize(cudaStreamPerThread), "run", kernel, blocks, n, st), st);
}

fg_code fg_cuda_wait(const char *call, size_t bytes, fg_status *st)
{
  return fg_cuda_ended(fg_cuda_check(cudaStreamSynchronize(cudaStreamPerThread), call, bytes, st), st);
}

static cudaError_t fg_cuda_behind(fg_cuda_device *to)
{
  const cudaError_t rc = to->uploading ? cudaEventQuery(to->uploaded) : cudaSuccess;
  if (rc == cudaSuccess) to->uploading = 0;
  if (rc != cudaErrorNotReady) return rc;
  (void)cudaGetLastError();
  return cudaStreamWaitEvent(cudaStreamPerThread, to->uploaded, 0);
}

/* Uploads wait in the streams of the threads that made them. */
fg_code fg_cuda_enter(fg_cuda_device *on, fg_status *st)
{
  fg_cuda *cuda = on->engine;
  fg_cuda_device *const home = &cuda->device[0];
  const fg_code missed = fg_last_missed.code;
  if (missed != FG_OK) {
    if (st) *st = fg_last_missed.why;
    if (st) fg_last_missed.code = FG_OK;
    return missed;
  }
  FG_TRY(fg_cuda_check(cudaSetDevice(on->number), "cudaSetDevice", 0, st));
  pthread_mutex_lock(&cuda->lock);
  cudaError_t rc = fg_cuda_behind(on);
  if (rc == cudaSuccess && on != home) rc = fg_cuda_behind(home);
  pthread_mutex_unlock(&cuda->lock);
  return fg_cuda_check(rc, "waiting for uploads", 0, st);
}

/* The event stands behind all earlier uploads, since this thread has entered behind them, and behind this one; one of
 * another thread may have come between. */
static fg_code fg_cuda_uploaded(fg_cuda_device *to, fg_status *st)
{
  cudaError_t rc = cudaSuccess;
  pthread_mutex_lock(&to->engine->lock);
  if (to->uploading) rc = cudaStreamWaitEvent(cudaStreamPerThread, to->uploaded, 0);
  if (rc == cudaSuccess) rc = cudaEventRecord(to->uploaded, cudaStreamPerThread);
  to->uploading = 1;
  pthread_mutex_unlock(&to->engine->lock);
  return fg_cuda_check(rc, "cudaEventRecord", 0, st);
}

/* ---- memory slots --------------------------------------------------------------------------- */

static fg_code fg_cuda_alloc(fg_engine *e, size_t bytes, fg_buf *buf, fg_status *st)
{
  buf->device = NULL;
  buf->bytes = 0;
  FG_TRY(fg_cuda_enter(fg_cuda_home(e), st));
  FG_TRY(fg_cuda_take(fg_cuda_home(e), bytes ? bytes : 1, &buf->device, st));
  buf->bytes = bytes;
  /* other threads use it on streams of their own, which know nothing of who had it before */
  const fg_code rc = fg_cuda_wait("cudaStreamSynchronize", bytes, st);
  if (rc != FG_OK) {
    fg_cuda_give(fg_cuda_home(e), buf->device);
    buf->device = NULL;
    buf->bytes = 0;
  }
  return rc;
}

static void fg_cuda_free(fg_engine *e, fg_buf *buf)
{
  if (!buf->device) return;
  (void)fg_cuda_enter(fg_cuda_home(e), NULL);
  fg_cuda_give(fg_cuda_home(e), buf->device);
  buf->device = NULL;
  buf->bytes = 0;
}

static fg_code fg_cuda_upload(fg_engine *e, fg_buf buf, size_t offset, const void *host, size_t bytes,
                              fg_status *st)
{
  FG_TRY(fg_buf_inside(buf, offset, bytes, st));
  if (bytes == 0) return FG_OK;
  FG_TRY(fg_cuda_enter(fg_cuda_home(e), st));
  FG_TRY(fg_cuda_send(fg_cuda_home(e), (char *)buf.device + offset, host, bytes, st));
  return fg_cuda_uploaded(fg_cuda_home(e), st);
}

static fg_code fg_cuda_download(fg_engine *e, void *host, fg_buf buf, size_t offset, size_t bytes,
                                fg_status *st)
{
  FG_TRY(fg_buf_inside(buf, offset, bytes, st));
  if (bytes == 0) return FG_OK;
  FG_TRY(fg_cuda_enter(fg_cuda_home(e), st));
  return fg_cuda_fetch(host, (const char *)buf.device + offset, bytes, st);
}

static fg_code fg_cuda_zero(fg_engine *e, fg_buf buf, fg_status *st)
{
  if (buf.bytes == 0) return FG_OK;
  FG_TRY(fg_cuda_enter(fg_cuda_home(e), st));
  FG_TRY(fg_cuda_check(cudaMemsetAsync(buf.device, 0, buf.bytes, cudaStreamPerThread), "cudaMemsetAsync",
                       buf.bytes, st));
  return fg_cuda_uploaded(fg_cuda_home(e), st);
}

static fg_code fg_cuda_sync(fg_engine *e, fg_status *st)
{
  FG_TRY(fg_cuda_enter(fg_cuda_home(e), st));
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
                                          fg_cuda_ensemble,
                                          fg_cuda_price,
                                          fg_cuda_slices,
                                          fg_cuda_slice_ways,
                                          fg_cuda_lane_open,
                                          fg_cuda_lane_close};

/* Of a device that is not the first: what the ODE solver calls. */
static void fg_cuda_lane(fg_cuda_device *on)
{
  fg_engine_ops *ops = &on->lane_ops;
  ops->alloc = fg_cuda_alloc;
  ops->free = fg_cuda_free;
  ops->upload = fg_cuda_upload;
  ops->download = fg_cuda_download;
  ops->zero = fg_cuda_zero;
  ops->sync = fg_cuda_sync;
  ops->ode_rhs = fg_cuda_ode_rhs;
  ops->ode_jvp = fg_cuda_ode_jvp;
  ops->vec_map = fg_cuda_vec_map;
  ops->vec_reduce = fg_cuda_vec_reduce;
  ops->vec_particle_norm = fg_cuda_vec_particle_norm;
  on->lane.ops = ops;
  on->lane.name = "cuda";
  on->lane.isa = on->engine->isa;
  on->lane.state = on;
}

static void fg_cuda_close(fg_engine *e)
{
  fg_cuda *cuda = fg_cuda_of(e);
  fg_threads_destroy(&e->threads);
  fg_threads_destroy(&cuda->crew);
  for (int k = FG_CUDA_DEVICES - 1; k >= 0; k--) { /* home last: it stays the thread's device */
    if (!cuda->device[k].memory && !cuda->device[k].staging) continue;
    if (cudaSetDevice(cuda->device[k].number) != cudaSuccess) (void)cudaGetLastError();
    if (cuda->device[k].uploaded && cudaEventDestroy(cuda->device[k].uploaded) != cudaSuccess)
      (void)cudaGetLastError();
    fg_wide_pool_destroy(cuda->device[k].blas);
    fg_cuda_arena_destroy(&cuda->device[k]);
  }
  pthread_mutex_destroy(&cuda->lock);
  free(cuda);
  free(e);
}

/* How many devices at most: FLOWGAP_CUDA_DEVICES, else all. */
static fg_code fg_cuda_wish(int *most, fg_status *st)
{
  const char *wish = getenv("FLOWGAP_CUDA_DEVICES");
  char *end;
  *most = FG_CUDA_DEVICES;
  if (!wish || !*wish) return FG_OK;
  const long number = strtol(wish, &end, 10);
  if (*end || number < 1)
    return FG_FAIL(st, FG_USAGE, "FLOWGAP_CUDA_DEVICES is \"%s\": give how many devices to use, 1 or more",
                   wish);
  if (number < FG_CUDA_DEVICES) *most = (int)number;
  return FG_OK;
}

/* Lanes of a warp hold the entries of a product as PTX says: wrong ones would look like numbers. */
static fg_code fg_cuda_check_products(fg_cuda_device *on, fg_status *st)
{
  const fg_precision each[] = {FG_DOUBLE, FG_SINGLE};
  void *wrong;
  int found = 0;
  fg_code rc = FG_OK;
  FG_TRY(fg_cuda_take(on, sizeof found, &wrong, st));
  for (int k = 0; k < 2; k++) {
    fg_cuda_table_of(each[k])->check((int *)wrong);
    FG_GO(fg_cuda_started("check", 1, 1, st), done);
    FG_GO(fg_cuda_fetch(&found, wrong, sizeof found, st), done);
    if (found) {
      rc = FG_FAIL(
          st, FG_UNSUPPORTED,
          "tensor cores of device %d do not multiply in %s precision as this build takes them to: build "
          "for its architecture (-DCMAKE_CUDA_ARCHITECTURES), or use --engine cpu",
          on->number, each[k] == FG_DOUBLE ? "double" : "single");
      goto done;
    }
  }
done:
  fg_cuda_give(on, wrong);
  return rc;
}

/* Make a device one of the engine's. Other than home, one that cannot is left out, and the list says why. */
static fg_code fg_cuda_add(fg_cuda *cuda, int number, fg_status *st)
{
  fg_cuda_device *on = &cuda->device[cuda->devices];
  fg_code rc;
  on->number = number;
  on->engine = cuda;
  FG_TRY(fg_cuda_check(cudaSetDevice(number), "cudaSetDevice", 0, st));
  FG_TRY(fg_cuda_check(cudaDeviceGetAttribute(&on->processors, cudaDevAttrMultiProcessorCount, number),
                       "cudaDeviceGetAttribute", 0, st));
  FG_GO(fg_cuda_arena_create(on, st), fail);
  FG_GO(fg_cuda_probe(st), fail);
  FG_GO(fg_cuda_check_products(on, st), fail);
  FG_GO(fg_cuda_check(cudaEventCreateWithFlags(&on->uploaded, cudaEventDisableTiming),
                      "cudaEventCreateWithFlags", 0, st),
        fail);
  fg_cuda_lane(on);
  on->blas = fg_wide_pool_create(on);
  if (on->blas) {
    cuda->devices++;
    return FG_OK;
  }
  rc = FG_FAIL(st, FG_MEMORY, "no memory for handles of cuBLAS");
fail:
  if (on->uploaded && cudaEventDestroy(on->uploaded) != cudaSuccess) (void)cudaGetLastError();
  on->uploaded = NULL;
  fg_cuda_arena_destroy(on);
  return rc;
}

/* Copies between devices go straight where the machine can do it, else CUDA takes them through the host. */
static fg_code fg_cuda_pair(fg_cuda *cuda, fg_status *st)
{
  for (int a = cuda->devices - 1; a >= 0; a--) {
    FG_TRY(fg_cuda_check(cudaSetDevice(cuda->device[a].number), "cudaSetDevice", 0, st));
    for (int b = 0; b < cuda->devices; b++) {
      int can = 0;
      if (a == b || (a > 0 && b > 0)) continue; /* all copies go from home or to it */
      FG_TRY(fg_cuda_check(cudaDeviceCanAccessPeer(&can, cuda->device[a].number, cuda->device[b].number),
                           "cudaDeviceCanAccessPeer", 0, st));
      const cudaError_t rc = can ? cudaDeviceEnablePeerAccess(cuda->device[b].number, 0) : cudaSuccess;
      if (rc == cudaErrorPeerAccessAlreadyEnabled)
        (void)cudaGetLastError();
      else
        FG_TRY(fg_cuda_check(rc, "cudaDeviceEnablePeerAccess", 0, st));
    }
  }
  return FG_OK;
}

/* "0 NVIDIA H100 80GB HBM3, sm_90, 79.1 of 79.6 GiB free, driver for CUDA 13.0\n"; those that are not used say why. */
static fg_code fg_cuda_line(char line[400], int number, const cudaDeviceProp *p, const char *why,
                            fg_status *st)
{
  int driver = 0;
  size_t left = 0, bytes = 0;
  char room[64] = "";
  FG_TRY(fg_cuda_check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion", 0, st));
  if (!why[0]) {
    FG_TRY(fg_cuda_check(cudaMemGetInfo(&left, &bytes), "cudaMemGetInfo", 0, st));
    snprintf(room, sizeof room, "%.1f of ", (double)left / (double)(1 << 30));
  }
  snprintf(line, 400, "%d %.100s, sm_%d%d, %s%.1f GiB%s%.150s, driver for CUDA %d.%d\n", number, p->name,
           p->major, p->minor, room, (double)p->totalGlobalMem / (double)(1 << 30),
           why[0] ? " not used: " : " free", why, driver / 1000, driver % 1000 / 10);
  return FG_OK;
}

/* Devices unlike the first compile the same code to other roundings: they would show in the results. */
static fg_code fg_cuda_take_devices(fg_cuda *cuda, int count, fg_tf32 *tf32, fg_status *st)
{
  size_t used = 0;
  int most, full = 0;
  FG_TRY(fg_cuda_wish(&most, st));
  for (int k = 0; k < count; k++) {
    cudaDeviceProp p;
    char line[400], why[200] = "", isa[sizeof cuda->isa];
    fg_status failed;
    FG_TRY(fg_cuda_check(cudaGetDeviceProperties(&p, k), "cudaGetDeviceProperties", 0, st));
    snprintf(isa, sizeof isa, "sm_%d%d", p.major, p.minor);
    if (k == 0) {
      memcpy(cuda->isa, isa, sizeof isa);
      *tf32 = p.major >= 8 ? FG_TF32_OFF : FG_TF32_LACKING;
      FG_TRY(fg_cuda_add(cuda, k, st));
    } else if (cuda->devices >= most) {
      snprintf(why, sizeof why, "%d asked for", most);
    } else if (strcmp(isa, cuda->isa) != 0) {
      snprintf(why, sizeof why, "not %s as the first", cuda->isa);
    } else if (fg_cuda_add(cuda, k, &failed) != FG_OK) {
      snprintf(why, sizeof why, "%.190s", failed.message);
    }
    FG_TRY(fg_cuda_line(line, k, &p, why, st));
    const size_t length = strlen(line);
    if (full) continue;
    full = used + length + 40 > sizeof cuda->list;
    if (full)
      snprintf(cuda->list + used, sizeof cuda->list - used, "and %d more\n", count - k);
    else
      memcpy(cuda->list + used, line, length + 1);
    used += length;
  }
  return FG_OK;
}

static fg_code fg_cuda_start(fg_cuda *cuda, fg_tf32 *tf32, fg_status *st)
{
  int count = 0;
  cudaError_t rc = cudaGetDeviceCount(&count);
  if (rc != cudaSuccess || count < 1)
    return FG_FAIL(
        st, FG_UNSUPPORTED,
        "no CUDA device: cudaGetDeviceCount returned %d (%s): install an NVIDIA driver for CUDA %d "
        "on a machine with a GPU, or use --engine cpu",
        (int)rc, cudaGetErrorString(rc), CUDART_VERSION / 1000);
  FG_TRY(fg_cuda_take_devices(cuda, count, tf32, st));
  FG_TRY(fg_cuda_pair(cuda, st));
  return fg_threads_create(cuda->devices, &cuda->crew, st);
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
  pthread_mutex_init(&cuda->lock, NULL);
  cuda->device[0].engine = cuda;
  cuda->engine = e;
  e->state = &cuda->device[0];
  e->ops = &fg_cuda_ops;
  e->name = "cuda";
  e->isa = cuda->isa;
  e->devices = cuda->list;
  e->close = fg_cuda_close;
  e->ode_tile = 65536; /* a launch of 64 particles would leave all but one processor idle */
  e->price_pairs =
      (size_t)1 << 24; /* fewer: trees are done before the launches and copies of a call would be */
  FG_GO(fg_cuda_start(cuda, &e->tf32, st), fail);
  e->lanes = (size_t)cuda->devices;
  FG_GO(fg_threads_create(threads, &e->threads, st), fail);
  *engine = e;
  return FG_OK;
fail:
  fg_cuda_close(e);
  return rc;
}

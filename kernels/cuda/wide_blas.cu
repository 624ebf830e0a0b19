/* cuBLAS, opened at run time: 570 MB that only wide networks need. Handles with a workspace of their own, no atomics and
 * full precision unless TF32 was allowed: the same call gives the same bits on the same device and library. */
#include <cublas_v2.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "cuda/wide.cuh"

enum { FG_WIDE_WORKSPACE = 32 << 20, FG_WIDE_IDLE = 16 };

/* Names of the library, as cublas_v2.h renames them. */
#define FG_BLAS_TEXT(name) FG_BLAS_TEXT_OF(name)
#define FG_BLAS_TEXT_OF(name) #name
#define FG_BLAS_ALL(X)                                                                                       \
  X(create, cublasCreate)                                                                                    \
  X(destroy, cublasDestroy)                                                                                  \
  X(set_stream, cublasSetStream)                                                                             \
  X(set_workspace, cublasSetWorkspace)                                                                       \
  X(set_math, cublasSetMathMode)                                                                             \
  X(set_atomics, cublasSetAtomicsMode)                                                                       \
  X(text, cublasGetStatusString)                                                                             \
  X(sgemm, cublasSgemm)                                                                                      \
  X(dgemm, cublasDgemm)                                                                                      \
  X(sgemm_batch, cublasSgemmStridedBatched)                                                                  \
  X(dgemm_batch, cublasDgemmStridedBatched)

typedef struct fg_blas_calls {
#define FG_BLAS_MEMBER(member, name) decltype(&name) member;
  FG_BLAS_ALL(FG_BLAS_MEMBER)
} fg_blas_calls;

struct fg_wide_blas {
  fg_blas_calls call;
  fg_cuda_device *on;
  cublasHandle_t handle;
  void *workspace;
  cudaEvent_t idle; /* what its last owner asked for is done */
  fg_wide_memo memo;
};

struct fg_wide_pool {
  fg_cuda_device *on;
  pthread_mutex_t lock; /* guards what follows */
  fg_wide_blas *idle[FG_WIDE_IDLE];
  int count;
};

static fg_code fg_blas_check(const fg_wide_blas *blas, cublasStatus_t rc, const char *call, fg_status *st)
{
  if (rc == CUBLAS_STATUS_SUCCESS) return FG_OK;
  return FG_FAIL(st, rc == CUBLAS_STATUS_ALLOC_FAILED ? FG_MEMORY : FG_FAILED,
                 "%s failed: %s (%d): try a smaller chunk, or --engine cpu", call, blas->call.text(rc),
                 (int)rc);
}

/* The library stays open: it keeps state of its own until the program ends. */
static fg_code fg_blas_load(fg_blas_calls *calls, fg_status *st)
{
  char name[40];
  snprintf(name, sizeof name, "libcublas.so.%d", CUDART_VERSION / 1000);
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    return FG_FAIL(
        st, FG_UNSUPPORTED,
        "a network with hidden layers wider than %d needs cuBLAS on the device, and %s does not open (%s): "
        "install cuBLAS of CUDA %d or put its folder into LD_LIBRARY_PATH, or use --engine cpu",
        FG_WIDE_WIDTH, name, why ? why : "no reason given", CUDART_VERSION / 1000);
  }
#define FG_BLAS_FIND(member, symbol)                                                                         \
  calls->member = (decltype(&symbol))dlsym(library, FG_BLAS_TEXT(symbol));                                   \
  if (!calls->member)                                                                                        \
    return FG_FAIL(st, FG_UNSUPPORTED, "%s lacks %s: install cuBLAS of CUDA %d, or use --engine cpu", name,  \
                   FG_BLAS_TEXT(symbol), CUDART_VERSION / 1000);
  FG_BLAS_ALL(FG_BLAS_FIND)
  return FG_OK;
}

static void fg_blas_close(fg_wide_blas *blas)
{
  if (blas->idle && cudaEventSynchronize(blas->idle) != cudaSuccess) (void)cudaGetLastError();
  if (blas->handle) (void)blas->call.destroy(blas->handle);
  if (blas->idle && cudaEventDestroy(blas->idle) != cudaSuccess) (void)cudaGetLastError();
  for (int k = 0; k < FG_WIDE_MEMOS; k++) free(blas->memo.of[k].calls);
  fg_cuda_give(blas->on, blas->workspace);
  free(blas);
}

fg_wide_memo *fg_wide_blas_memo(fg_wide_blas *blas)
{
  return &blas->memo;
}

/* A workspace is set anew after each change of streams. */
static fg_code fg_blas_begin(fg_wide_blas *blas, fg_status *st)
{
  const cublasMath_t math =
      blas->on->engine->engine->tf32 == FG_TF32_ON ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH;
  FG_TRY(fg_blas_check(blas, blas->call.set_math(blas->handle, math), "cublasSetMathMode", st));
  FG_TRY(
      fg_cuda_check(cudaStreamWaitEvent(cudaStreamPerThread, blas->idle, 0), "cudaStreamWaitEvent", 0, st));
  FG_TRY(
      fg_blas_check(blas, blas->call.set_stream(blas->handle, cudaStreamPerThread), "cublasSetStream", st));
  return fg_blas_check(blas, blas->call.set_workspace(blas->handle, blas->workspace, FG_WIDE_WORKSPACE),
                       "cublasSetWorkspace", st);
}

static fg_code fg_blas_open(fg_cuda_device *on, fg_wide_blas **to, fg_status *st)
{
  fg_wide_blas *blas = (fg_wide_blas *)calloc(1, sizeof *blas);
  fg_code rc = FG_OK;
  if (!blas) return FG_FAIL(st, FG_MEMORY, "no memory for a handle of cuBLAS");
  blas->on = on;
  FG_GO(fg_cuda_check(cudaEventCreateWithFlags(&blas->idle, cudaEventDisableTiming),
                      "cudaEventCreateWithFlags", 0, st),
        fail);
  FG_GO(fg_blas_load(&blas->call, st), fail);
  FG_GO(fg_cuda_take(on, FG_WIDE_WORKSPACE, &blas->workspace, st), fail);
  FG_GO(fg_blas_check(blas, blas->call.create(&blas->handle), "cublasCreate", st), fail);
  FG_GO(fg_blas_check(blas, blas->call.set_atomics(blas->handle, CUBLAS_ATOMICS_NOT_ALLOWED),
                      "cublasSetAtomicsMode", st),
        fail);
  *to = blas;
  return FG_OK;
fail:
  fg_blas_close(blas);
  return rc;
}

fg_wide_pool *fg_wide_pool_create(fg_cuda_device *on)
{
  fg_wide_pool *pool = (fg_wide_pool *)calloc(1, sizeof *pool);
  if (pool && pthread_mutex_init(&pool->lock, NULL) != 0) {
    free(pool);
    return NULL;
  }
  if (pool) pool->on = on;
  return pool;
}

void fg_wide_pool_destroy(fg_wide_pool *pool)
{
  if (!pool) return;
  for (int k = 0; k < pool->count; k++) fg_blas_close(pool->idle[k]);
  pthread_mutex_destroy(&pool->lock);
  free(pool);
}

fg_code fg_wide_blas_borrow(fg_wide_pool *pool, fg_wide_blas **blas, fg_status *st)
{
  *blas = NULL;
  pthread_mutex_lock(&pool->lock);
  if (pool->count > 0) *blas = pool->idle[--pool->count];
  pthread_mutex_unlock(&pool->lock);
  if (!*blas) FG_TRY(fg_blas_open(pool->on, blas, st));
  const fg_code rc = fg_blas_begin(*blas, st);
  if (rc == FG_OK) return FG_OK;
  fg_blas_close(*blas);
  *blas = NULL;
  return rc;
}

void fg_wide_blas_return(fg_wide_pool *pool, fg_wide_blas *blas)
{
  if (!blas) return;
  if (cudaEventRecord(blas->idle, cudaStreamPerThread) != cudaSuccess) { /* nobody could wait for it */
    (void)cudaGetLastError();
    if (cudaStreamSynchronize(cudaStreamPerThread) != cudaSuccess) (void)cudaGetLastError();
  }
  pthread_mutex_lock(&pool->lock);
  const int keep = pool->count < FG_WIDE_IDLE;
  if (keep) pool->idle[pool->count++] = blas;
  pthread_mutex_unlock(&pool->lock);
  if (!keep) fg_blas_close(blas);
}

/* ---- products ----------------------------------------------------------------------------------------- */

/* One call as cuBLAS sees it: C [m, n] = op(A) op(B) + beta C by columns, `batch` times. */
typedef struct fg_gemm {
  int transpose_a, transpose_b, m, n, k, lda, ldb, ldc, batch;
  long long a_step, b_step, c_step;
  const void *a, *b;
  void *c;
  double beta;
} fg_gemm;

static cublasOperation_t fg_gemm_op(int transpose)
{
  return transpose ? CUBLAS_OP_T : CUBLAS_OP_N;
}

static cublasStatus_t fg_gemm_single(const fg_wide_blas *blas, const fg_gemm *g)
{
  const cublasOperation_t a = fg_gemm_op(g->transpose_a), b = fg_gemm_op(g->transpose_b);
  const float one = 1, beta = (float)g->beta;
  if (g->batch == 1)
    return blas->call.sgemm(blas->handle, a, b, g->m, g->n, g->k, &one, (const float *)g->a, g->lda,
                            (const float *)g->b, g->ldb, &beta, (float *)g->c, g->ldc);
  return blas->call.sgemm_batch(blas->handle, a, b, g->m, g->n, g->k, &one, (const float *)g->a, g->lda,
                                g->a_step, (const float *)g->b, g->ldb, g->b_step, &beta, (float *)g->c,
                                g->ldc, g->c_step, g->batch);
}

static cublasStatus_t fg_gemm_double(const fg_wide_blas *blas, const fg_gemm *g)
{
  const cublasOperation_t a = fg_gemm_op(g->transpose_a), b = fg_gemm_op(g->transpose_b);
  const double one = 1;
  if (g->batch == 1)
    return blas->call.dgemm(blas->handle, a, b, g->m, g->n, g->k, &one, (const double *)g->a, g->lda,
                            (const double *)g->b, g->ldb, &g->beta, (double *)g->c, g->ldc);
  return blas->call.dgemm_batch(blas->handle, a, b, g->m, g->n, g->k, &one, (const double *)g->a, g->lda,
                                g->a_step, (const double *)g->b, g->ldb, g->b_step, &g->beta, (double *)g->c,
                                g->ldc, g->c_step, g->batch);
}

static fg_code fg_gemm_run(fg_wide_blas *blas, int single, const fg_gemm *g, fg_status *st)
{
  const cublasStatus_t rc = single ? fg_gemm_single(blas, g) : fg_gemm_double(blas, g);
  if (rc == CUBLAS_STATUS_SUCCESS) return FG_OK;
  char call[120];
  snprintf(call, sizeof call, "cublas%cgemm%s (%d x %d x %d, %d times)", single ? 'S' : 'D',
           g->batch > 1 ? "StridedBatched" : "", g->m, g->n, g->k, g->batch);
  return fg_blas_check(blas, rc, call, st);
}

/* Matrices row by row are transposed ones to cuBLAS: C^T = B^T A^T. Rows of all tiles that lie side by side are one
 * product. */
static fg_gemm fg_gemm_matmul(int tiles, const fg_wide_call *call)
{
  const fg_wide_product *p = &call->of;
  const int whole = tiles == 1 || (call->a_tile == (long long)p->rows * p->a_step &&
                                   call->c_tile == (long long)p->rows * p->columns);
  fg_gemm g = {0,     0, p->columns, p->rows, p->inner, p->columns, p->a_step, p->columns,
               tiles, 0, 0,          0,       0,        0,          0,         0};
  if (whole) {
    g.n *= tiles;
    g.batch = 1;
  }
  g.b_step = call->a_tile;
  g.c_step = call->c_tile;
  g.a = p->b;
  g.b = p->a;
  g.c = p->c;
  return g;
}

static fg_gemm fg_gemm_dot(int tiles, const fg_wide_call *call)
{
  const fg_wide_product *p = &call->of;
  fg_gemm g = {1, 0, p->rows, p->columns, p->inner, p->a_step, p->inner, p->rows, tiles, 0, 0, 0, 0, 0, 0, 0};
  g.a_step = call->a_tile;
  g.c_step = call->c_tile;
  g.a = p->a;
  g.b = p->b;
  g.c = p->c;
  return g;
}

int fg_wide_call_is_whole(int tiles, const fg_wide_call *call)
{
  const fg_wide_product *p = &call->of;
  return tiles == 1 ||
         (call->a_tile == (long long)p->rows * p->a_step && call->b_tile == (long long)p->rows * p->columns);
}

/* Where the rows of the tiles do not lie side by side: a product for each tile, then their sum. */
static fg_code fg_wide_outer(fg_wide_blas *blas, int single, int tiles, const fg_wide_call *call,
                             const void *ones, void *room, fg_status *st)
{
  const fg_wide_product *p = &call->of;
  const int whole = fg_wide_call_is_whole(tiles, call), size = p->inner * p->columns;
  fg_gemm g = {0, 1, p->columns, p->inner, p->rows, p->columns, p->a_step, p->columns,
               1, 0, 0,          0,        0,       0,          0,         1};
  g.a = p->b;
  g.b = p->a;
  g.c = p->c;
  if (whole) {
    g.k *= tiles;
    return fg_gemm_run(blas, single, &g, st);
  }
  g.batch = tiles;
  g.a_step = call->b_tile;
  g.b_step = call->a_tile;
  g.c_step = size;
  g.c = room;
  g.beta = 0;
  FG_TRY(fg_gemm_run(blas, single, &g, st));
  fg_gemm sum = {0, 0, size, 1, tiles, size, tiles, size, 1, 0, 0, 0, room, ones, p->c, 1};
  return fg_gemm_run(blas, single, &sum, st);
}

fg_code fg_wide_multiply(fg_wide_blas *blas, int single, int tiles, const fg_wide_call *call,
                         const void *ones, void *room, fg_status *st)
{
  fg_gemm g;
  switch (call->of.kind) {
  case FG_WIDE_NONE:
    return FG_OK;
  case FG_WIDE_OUTER:
    return fg_wide_outer(blas, single, tiles, call, ones, room, st);
  case FG_WIDE_DOT:
    g = fg_gemm_dot(tiles, call);
    break;
  default:
    g = fg_gemm_matmul(tiles, call);
    break;
  }
  return fg_gemm_run(blas, single, &g, st);
}

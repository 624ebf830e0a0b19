/* Memory of a device and of the host that the device copies from, kept until the engine is closed: after the first call a
 * right-hand side allocates nothing. */
#include <stdlib.h>
#include <string.h>

#include "cuda/cuda_impl.h"

#ifndef FG_ARENA_TAKEN /* tests/cuda_on_cpu fills, guards and counts what is taken */
#define FG_ARENA_TAKEN(memory, bytes, whole) ((void)0)
#define FG_ARENA_GIVEN(memory) ((void)0)
#define FG_ARENA_CLOSED(blocks) ((void)(blocks))
#endif

enum {
  FG_LEAST = 256,            /* bytes of a block */
  FG_STEPS = 8,              /* sizes from one power of two to the next: at most an eighth is too much */
  FG_SIZES = FG_STEPS * 40,  /* to 256 TiB */
  FG_CHAINS = 1024,          /* of blocks in use, by address */
  FG_STAGE = 4 << 20,        /* bytes that an upload stages at a time */
  FG_STAGING_MOST = 16 << 20 /* bytes of staging, beyond which uploads wait for earlier ones */
};

typedef struct fg_cuda_block {
  void *memory;
  size_t bytes;
  cudaEvent_t idle; /* the work that its giver had on it is done */
  struct fg_cuda_block *next;
} fg_cuda_block;

struct fg_cuda_arena {
  int host;                        /* pinned memory of the host */
  pthread_mutex_t lock;            /* guards what follows */
  fg_cuda_block *free[FG_SIZES];   /* by size */
  fg_cuda_block *taken[FG_CHAINS]; /* by address */
  size_t bytes;                    /* of all blocks */
};

/* Sizes are FG_LEAST 2^k (1 + j / FG_STEPS). */
static int fg_size_number(size_t bytes, size_t *whole)
{
  size_t base = FG_LEAST;
  int k = 0;
  while (base * 2 <= bytes && k + 1 < FG_SIZES / FG_STEPS) {
    base *= 2;
    k++;
  }
  const size_t step = base / FG_STEPS, over = bytes > base ? (bytes - base + step - 1) / step : 0;
  *whole = base + over * step;
  const int number = k * FG_STEPS + (int)over;
  return number < FG_SIZES ? number : FG_SIZES - 1;
}

static size_t fg_chain_of(const void *memory)
{
  return (size_t)((uint64_t)(uintptr_t)memory / FG_LEAST * 0x9e3779b97f4a7c15u >> 54);
}

/* ---- blocks ------------------------------------------------------------------------------------ */

static cudaError_t fg_block_free(fg_cuda_arena *arena, fg_cuda_block *block)
{
  cudaError_t rc = cudaEventSynchronize(block->idle);
  cudaError_t freed = arena->host ? cudaFreeHost(block->memory) : cudaFree(block->memory);
  if (rc == cudaSuccess) rc = freed;
  freed = cudaEventDestroy(block->idle);
  free(block);
  return rc == cudaSuccess ? freed : rc;
}

/* Blocks that nobody uses go back to CUDA. */
static void fg_arena_trim(fg_cuda_arena *arena)
{
  fg_cuda_block *unused = NULL;
  size_t bytes = 0;
  pthread_mutex_lock(&arena->lock);
  for (int size = 0; size < FG_SIZES; size++)
    while (arena->free[size]) {
      fg_cuda_block *block = arena->free[size];
      arena->free[size] = block->next;
      block->next = unused;
      unused = block;
      bytes += block->bytes;
    }
  arena->bytes -= bytes;
  pthread_mutex_unlock(&arena->lock);
  while (unused) {
    fg_cuda_block *next = unused->next;
    if (fg_block_free(arena, unused) != cudaSuccess)
      (void)cudaGetLastError(); /* the allocation that follows tells */
    unused = next;
  }
}

/* `whole` bytes, of which `bytes` are needed: where memory is short those alone. */
static fg_code fg_block_make(fg_cuda_arena *arena, size_t bytes, size_t whole, fg_cuda_block **made,
                             fg_status *st)
{
  fg_cuda_block *block = (fg_cuda_block *)calloc(1, sizeof *block);
  *made = NULL;
  if (!block) return FG_FAIL(st, FG_MEMORY, "no memory for the description of a block");
  cudaError_t rc = cudaEventCreateWithFlags(&block->idle, cudaEventDisableTiming);
  if (rc != cudaSuccess) {
    free(block);
    return fg_cuda_check(rc, "cudaEventCreateWithFlags", 0, st);
  }
  block->bytes = whole;
  rc = arena->host ? cudaMallocHost(&block->memory, whole) : cudaMalloc(&block->memory, whole);
  if (rc == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError(); /* or the next launch would meet this failure */
    fg_arena_trim(arena);
    block->bytes = bytes;
    rc = arena->host ? cudaMallocHost(&block->memory, bytes) : cudaMalloc(&block->memory, bytes);
  }
  if (rc != cudaSuccess) {
    const fg_code code = fg_cuda_check(rc, arena->host ? "cudaMallocHost" : "cudaMalloc", bytes, st);
    if (cudaEventDestroy(block->idle) != cudaSuccess) (void)cudaGetLastError();
    free(block);
    return code;
  }
  pthread_mutex_lock(&arena->lock);
  arena->bytes += block->bytes;
  pthread_mutex_unlock(&arena->lock);
  *made = block;
  return FG_OK;
}

/* A free block of that size or up to twice as large. Staging, which the host is about to write, prefers those that no copy
 * reads any more, and grows up to FG_STAGING_MOST before it takes another. */
static fg_cuda_block *fg_block_pick(fg_cuda_arena *arena, int size, size_t bytes)
{
  const int last = size + FG_STEPS < FG_SIZES ? size + FG_STEPS : FG_SIZES - 1;
  fg_cuda_block **found = NULL, **busy = NULL;
  for (int k = size; !found && k <= last; k++)
    for (fg_cuda_block **at = &arena->free[k]; *at && !found; at = &(*at)->next) {
      if ((*at)->bytes < bytes) continue; /* made when memory was short */
      if (!arena->host || cudaEventQuery((*at)->idle) == cudaSuccess)
        found = at;
      else
        (void)cudaGetLastError(); /* "not ready" is no failure */
      if (!found && !busy) busy = at;
    }
  if (!found && arena->bytes >= FG_STAGING_MOST) found = busy;
  if (!found) return NULL;
  fg_cuda_block *block = *found;
  *found = block->next;
  return block;
}

static void fg_block_push(fg_cuda_arena *arena, fg_cuda_block **list, fg_cuda_block *block)
{
  pthread_mutex_lock(&arena->lock);
  block->next = *list;
  *list = block;
  pthread_mutex_unlock(&arena->lock);
}

static fg_code fg_arena_take(fg_cuda_arena *arena, size_t bytes, void **memory, fg_status *st)
{
  size_t whole = 0;
  const int size = fg_size_number(bytes, &whole);
  *memory = NULL;
  pthread_mutex_lock(&arena->lock);
  fg_cuda_block *block = fg_block_pick(arena, size, bytes);
  pthread_mutex_unlock(&arena->lock);
  if (!block) {
    FG_TRY(fg_block_make(arena, bytes, whole, &block, st));
  } else {
    const cudaError_t rc = arena->host ? cudaEventSynchronize(block->idle)
                                       : cudaStreamWaitEvent(cudaStreamPerThread, block->idle, 0);
    if (rc != cudaSuccess) {
      fg_block_push(arena, &arena->free[fg_size_number(block->bytes, &whole)], block);
      return fg_cuda_check(rc, arena->host ? "cudaEventSynchronize" : "cudaStreamWaitEvent", bytes, st);
    }
  }
  fg_block_push(arena, &arena->taken[fg_chain_of(block->memory)], block);
  FG_ARENA_TAKEN(block->memory, bytes, block->bytes);
  *memory = block->memory;
  return FG_OK;
}

static void fg_arena_give(fg_cuda_arena *arena, void *memory)
{
  size_t whole;
  if (!memory) return;
  pthread_mutex_lock(&arena->lock);
  fg_cuda_block **at = &arena->taken[fg_chain_of(memory)];
  while (*at && (*at)->memory != memory) at = &(*at)->next;
  fg_cuda_block *block = *at;
  if (block) *at = block->next;
  pthread_mutex_unlock(&arena->lock);
  if (!block) return;
  FG_ARENA_GIVEN(memory);
  /* without the event nobody could know when it is idle: wait */
  if (cudaEventRecord(block->idle, cudaStreamPerThread) != cudaSuccess) {
    (void)cudaGetLastError();
    if (cudaStreamSynchronize(cudaStreamPerThread) != cudaSuccess) (void)cudaGetLastError();
  }
  fg_block_push(arena, &arena->free[fg_size_number(block->bytes, &whole)], block);
}

/* ---- an arena ------------------------------------------------------------------------------------ */

static fg_cuda_arena *fg_arena_open(int host)
{
  fg_cuda_arena *arena = (fg_cuda_arena *)calloc(1, sizeof *arena);
  if (!arena) return NULL;
  arena->host = host;
  pthread_mutex_init(&arena->lock, NULL);
  return arena;
}

static void fg_arena_close(fg_cuda_arena *arena)
{
  size_t left = 0;
  if (!arena) return;
  for (int chain = 0; chain < FG_CHAINS; chain++)
    for (fg_cuda_block *block = arena->taken[chain]; block; block = arena->taken[chain]) {
      arena->taken[chain] = block->next;
      if (fg_block_free(arena, block) != cudaSuccess) (void)cudaGetLastError();
      left++;
    }
  fg_arena_trim(arena);
  FG_ARENA_CLOSED(left);
  pthread_mutex_destroy(&arena->lock);
  free(arena);
}

fg_code fg_cuda_arena_create(fg_cuda_device *on, fg_status *st)
{
  on->memory = fg_arena_open(0);
  on->staging = fg_arena_open(1);
  if (!on->memory || !on->staging) return FG_FAIL(st, FG_MEMORY, "no memory for the arenas of a device");
  return FG_OK;
}

void fg_cuda_arena_destroy(fg_cuda_device *on)
{
  fg_arena_close(on->memory);
  fg_arena_close(on->staging);
  on->memory = on->staging = NULL;
}

fg_code fg_cuda_take(fg_cuda_device *on, size_t bytes, void **memory, fg_status *st)
{
  *memory = NULL;
  return bytes == 0 ? FG_OK : fg_arena_take(on->memory, bytes, memory, st);
}

void fg_cuda_give(fg_cuda_device *on, void *memory)
{
  fg_arena_give(on->memory, memory);
}

fg_code fg_cuda_take_wave(fg_cuda_device *on, const char *kernel, size_t each, unsigned *blocks,
                          void **scratch, fg_status *st)
{
  fg_code rc;
  while ((rc = fg_cuda_take(on, each * *blocks, scratch, st)) == FG_MEMORY && *blocks > 1) {
    *blocks /= 2;
    fg_status_clear(st);
  }
  if (rc != FG_MEMORY) return rc;
  (void)fg_status_prefix(st, "the kernel %s needs %zu bytes for one block of threads: ", kernel, each);
  return FG_MEMORY;
}

/* ---- copies ----------------------------------------------------------------------------------------- */

/* Where the host has no pinned memory left, CUDA's own staging serves, and the host waits. */
static fg_code fg_cuda_send_plain(void *to, const void *host, size_t bytes, fg_status *st)
{
  FG_TRY(fg_cuda_check(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, cudaStreamPerThread),
                       "cudaMemcpyAsync to the device", bytes, st));
  return fg_cuda_wait("cudaMemcpyAsync to the device", bytes, st);
}

fg_code fg_cuda_send(fg_cuda_device *on, void *to, const void *host, size_t bytes, fg_status *st)
{
  const size_t most = FG_STAGE;
  for (size_t at = 0; at < bytes; at += most) {
    const size_t now = bytes - at < most ? bytes - at : most;
    char *there = (char *)to + at;
    const char *here = (const char *)host + at;
    void *stage;
    if (fg_arena_take(on->staging, now, &stage, NULL) != FG_OK) {
      FG_TRY(fg_cuda_send_plain(there, here, now, st));
      continue;
    }
    memcpy(stage, here, now);
    const fg_code rc =
        fg_cuda_check(cudaMemcpyAsync(there, stage, now, cudaMemcpyHostToDevice, cudaStreamPerThread),
                      "cudaMemcpyAsync to the device", now, st);
    fg_arena_give(on->staging, stage);
    if (rc != FG_OK) return rc;
  }
  return FG_OK;
}

fg_code fg_cuda_fetch(void *host, const void *device, size_t bytes, fg_status *st)
{
  if (bytes == 0) return FG_OK;
  FG_TRY(fg_cuda_check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, cudaStreamPerThread),
                       "cudaMemcpyAsync from the device", bytes, st));
  return fg_cuda_wait("cudaMemcpyAsync from the device", bytes, st);
}

/* ---- memory of a request ------------------------------------------------------------------------------ */

fg_code fg_cuda_piece(fg_cuda_pieces *all, size_t bytes, const void *host, void **piece, fg_status *st)
{
  *piece = NULL;
  if (all->count == FG_CUDA_PIECES) return FG_FAIL(st, FG_FAILED, "a request took too many pieces of memory");
  FG_TRY(fg_cuda_take(all->on, bytes, piece, st));
  all->piece[all->count++] = *piece;
  return host ? fg_cuda_send(all->on, *piece, host, bytes, st) : FG_OK;
}

fg_code fg_cuda_piece_zero(fg_cuda_pieces *all, size_t bytes, void **piece, fg_status *st)
{
  FG_TRY(fg_cuda_piece(all, bytes, NULL, piece, st));
  if (bytes == 0) return FG_OK;
  return fg_cuda_check(cudaMemsetAsync(*piece, 0, bytes, cudaStreamPerThread), "cudaMemsetAsync", bytes, st);
}

void fg_cuda_piece_give(fg_cuda_pieces *all, void *piece)
{
  for (int k = 0; piece && k < all->count; k++)
    if (all->piece[k] == piece) all->piece[k] = NULL;
  fg_cuda_give(all->on, piece);
}

void fg_cuda_pieces_give(fg_cuda_pieces *all)
{
  for (int k = 0; k < all->count; k++) fg_cuda_give(all->on, all->piece[k]);
  all->count = 0;
}

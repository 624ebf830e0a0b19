/* Running the threads of a block as fibers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <cmath>
#include <utility>
#include <vector>

#include "cuda_runtime.h"
#include "fiber.h"
#include "shim.h"
#include "shim_impl.h"

void fg_cuda_note_launch(unsigned threads, size_t shared); /* the engine's: what FG_LAUNCH tells it */

thread_local shim_index threadIdx, blockIdx, blockDim, gridDim;
static std::atomic<unsigned> shuffle_seed{1};

enum state { RUNNING, WAITING, MULTIPLYING, DONE };

/* Products of warps. What a lane brings to one is kept until its warp reads sums: then they are made, all at once. */
enum { WARP = 32 };
struct product {
  void *sum; /* [4] of the lane */
  double a[2], b;
  int line;
};
struct lane {
  std::vector<product> brought[2]; /* two, so that one may bring the next before all have read these */
  unsigned turns = 0;              /* sums that it has read */
};

struct worker {
  ~worker()
  {
    for (shim_place *place : fibers) {
      shim_place_destroy(place);
      delete place;
    }
  }
  std::vector<shim_place *> fibers;
  std::vector<state> states;
  std::vector<unsigned> turns; /* barriers that each fiber has passed */
  std::vector<lane> lanes;     /* of each fiber */
  std::vector<unsigned> came;  /* lanes of each warp to all sums so far */
  shim_place scheduler = {};
  const std::function<void()> *body = nullptr;
  const char *kernel = "", *file = nullptr; /* of the barrier that the block waits at */
  int line = 0;
  unsigned current = 0, random = 1;
  unsigned char *dynamic = nullptr; /* shared memory of the block, between guard words */
  size_t dynamic_bytes = 0;
  int any[2] = {}; /* flags at a barrier that joins them */
  unsigned any_turn[2] = {};
  char start = 0, end = 0,
       barrier[2] = {}; /* tokens of order; two, or one barrier would answer for the next */
};
static thread_local worker here;

[[noreturn]] static void wrong(const char *what)
{
  fprintf(stderr, "cuda_on_cpu: kernel %s, block %u, thread %u: %s (%s:%d)\n", here.kernel, blockIdx.x,
          here.current, what, here.file ? here.file : "end", here.line);
  abort();
}

static void fiber_main(void)
{
  shim_place_enter(&here.scheduler);
  for (;;) {
    shim_order_take(&here.start);
    (*here.body)();
    here.states[here.current] = DONE;
    shim_order_give(&here.end);
    shim_place_switch(here.fibers[here.current], &here.scheduler);
  }
}

void shim_barrier(const char *file, int line)
{
  const unsigned me = here.current;
  char *token = &here.barrier[here.turns[me]++ % 2];
  if (!here.file) {
    here.file = file;
    here.line = line;
  }
  if (here.line != line || strcmp(here.file, file) != 0) wrong("waits at another barrier than the block");
  here.states[me] = WAITING;
  shim_order_give(token);
  shim_place_switch(here.fibers[me], &here.scheduler);
  shim_order_take(token);
}

/* Two places, as above: one thread may be at the next barrier before another has read what this one found. */
int shim_barrier_or(const char *file, int line, int flag)
{
  const unsigned turn = here.turns[here.current] + 1, place = turn % 2;
  if (here.any_turn[place] != turn) here.any[place] = 0;
  here.any_turn[place] = turn;
  here.any[place] |= flag != 0;
  shim_barrier(file, line);
  return here.any[place];
}

/* ---- products of warps --------------------------------------------------------------------------------- */

static void bring(int line, void *sum, double a, double below, double b)
{
  lane &me = here.lanes[here.current];
  me.brought[me.turns % 2].push_back({sum, {a, below}, b, line});
}

void shim_multiply(int line, double (&c)[4], const double (&a)[2], double b)
{
  bring(line, c, a[0], a[1], b);
}

void shim_multiply(int line, float (&c)[4], const float (&a)[2], float b)
{
  bring(line, c, shim_tf32(a[0]), shim_tf32(a[1]), shim_tf32(b));
}

static int other_lanes;

void shim_other_lanes(int others)
{
  other_lanes = others;
}

/* One product as this lane has it; terms in the order of the lanes that bring them. */
template <typename real> static void multiply(const lane *warp, unsigned turn, size_t at)
{
  const unsigned me = here.current % WARP, row = other_lanes ? me % 8 : me / 4,
                 column = (other_lanes ? me / 8 : me % 4) * 2;
  real *c = (real *)warp[me].brought[turn][at].sum;
  for (unsigned q = 0; q < 4; q++)
    for (unsigned i = 0; i < 4; i++)
      c[i] = std::fma((real)warp[4 * row + q].brought[turn][at].a[i / 2],
                      (real)warp[4 * (column + i % 2) + q].brought[turn][at].b, c[i]);
}

/* Has every lane of the warp brought the same products? */
static bool alike(const lane *warp, unsigned turn)
{
  const std::vector<product> &mine = warp[0].brought[turn];
  for (unsigned i = 1; i < WARP; i++) {
    const std::vector<product> &other = warp[i].brought[turn];
    if (other.size() != mine.size()) return false;
    for (size_t at = 0; at < mine.size(); at++)
      if (other[at].line != mine[at].line) return false;
  }
  return true;
}

/* The lanes wait for one another, and for nothing else: what they have in memory is in no order. */
void shim_multiplied(const char *file, int line, bool single)
{
  const unsigned me = here.current, turn = here.lanes[me].turns++ % 2;
  const lane *warp = &here.lanes[me / WARP * WARP];
  if (blockDim.x % WARP != 0) wrong("multiplies in a warp that is not whole");
  if (++here.came[me / WARP] < WARP * here.lanes[me].turns) {
    here.states[me] = MULTIPLYING;
    shim_place_switch(here.fibers[me], &here.scheduler);
  } else if (!alike(warp, turn)) {
    here.file = file;
    here.line = line;
    wrong("has other products than its warp");
  }
  for (size_t at = 0; at < here.lanes[me].brought[turn].size(); at++)
    if (single)
      multiply<float>(warp, turn, at);
    else
      multiply<double>(warp, turn, at);
  here.lanes[me].brought[turn ^ 1].clear();
}

/* ---- dynamic shared memory: [ guard | bytes | guard ], filled with NaN before each block ---------- */

enum { GUARD = 256 };
static const unsigned char guard_byte = 0xa5;
static const uint32_t nan_word = 0x7ff8dead;

unsigned char *shim_dynamic(void)
{
  return here.dynamic + GUARD;
}

bool shim_is_shared(const void *memory)
{
  const unsigned char *at = (const unsigned char *)memory;
  return here.dynamic && at >= here.dynamic + GUARD && at < here.dynamic + GUARD + here.dynamic_bytes;
}

static void dynamic_open(size_t bytes)
{
  const size_t whole = (bytes + 2 * GUARD + GUARD - 1) / GUARD * GUARD;
  here.dynamic = (unsigned char *)aligned_alloc(GUARD, whole);
  here.dynamic_bytes = bytes;
  if (!here.dynamic) abort();
  memset(here.dynamic, guard_byte, GUARD);
  memset(here.dynamic + GUARD + bytes, guard_byte, GUARD);
}

static void dynamic_fill(void)
{
  for (size_t i = 0; i + sizeof nan_word <= here.dynamic_bytes; i += sizeof nan_word)
    memcpy(here.dynamic + GUARD + i, &nan_word, sizeof nan_word);
}

static void dynamic_look(void)
{
  const unsigned char *before = here.dynamic, *after = before + GUARD + here.dynamic_bytes;
  for (size_t i = 0; i < GUARD; i++)
    if (before[i] != guard_byte || after[i] != guard_byte)
      wrong("something wrote outside the dynamic shared memory");
}

static std::vector<unsigned> shuffled(unsigned count)
{
  std::vector<unsigned> order(count);
  for (unsigned i = 0; i < count; i++) order[i] = i;
  for (unsigned i = count; i > 1; i--) {
    here.random = here.random * 1664525u + 1013904223u;
    std::swap(order[i - 1], order[(here.random >> 8) % i]);
  }
  return order;
}

/* Fibers whose warp has come to a product whole go on from there; 0: none has. */
static bool multiply_on(const std::vector<unsigned> &order)
{
  bool any = false, left = false;
  for (unsigned i : order) {
    if (here.states[i] != MULTIPLYING) continue;
    left = true;
    if (here.came[i / WARP] < WARP * here.lanes[i].turns) continue;
    any = true;
    here.states[i] = RUNNING;
    here.current = threadIdx.x = i;
    shim_place_switch(&here.scheduler, here.fibers[i]);
  }
  for (unsigned i : order)
    if (left && !any && here.states[i] == MULTIPLYING) {
      here.current = i;
      wrong("waits at a product for others of its warp");
    }
  return any;
}

/* Each thread up to its next barrier, again and again until all are done. */
static void run_block(unsigned threads)
{
  here.states.assign(threads, RUNNING);
  here.turns.assign(threads, 0);
  here.lanes.assign(threads, lane());
  here.came.assign((threads + WARP - 1) / WARP, 0);
  shim_order_give(&here.start);
  for (bool left = true; left;) {
    const std::vector<unsigned> order = shuffled(threads);
    here.file = nullptr;
    here.line = 0;
    left = false;
    if (shim_watch_interval) shim_watch_interval();
    for (unsigned i : order) {
      here.states[i] = RUNNING;
      here.current = threadIdx.x = i;
      shim_place_switch(&here.scheduler, here.fibers[i]);
    }
    while (multiply_on(order)) continue;
    for (unsigned i = 0; i < threads; i++) left = left || here.states[i] == WAITING;
    for (unsigned i = 0; left && i < threads; i++)
      if (here.states[i] == DONE) {
        here.current = i;
        wrong("has ended while others wait at a barrier");
      }
  }
  shim_order_take(&here.end);
}

/* "fg_simulate_kernel 256 0": kernel, threads and bytes of dynamic shared memory, into the file that SHIM_LAUNCHES names. */
static void note_launch(const char *kernel, unsigned threads, size_t shared)
{
  const char *path = getenv("SHIM_LAUNCHES");
  FILE *file = path ? fopen(path, "a") : nullptr;
  if (!file) return;
  fprintf(file, "%s %u %zu\n", kernel, threads, shared);
  fclose(file);
}

static void launch(const char *kernel, unsigned blocks, unsigned threads, size_t shared, size_t most,
                   const std::function<void()> &body);

void shim_launch(const char *kernel, unsigned blocks, unsigned threads, size_t shared, size_t most,
                 const std::function<void()> &body)
{
  note_launch(kernel, threads, shared);
  fg_cuda_note_launch(threads, shared);
  shim_run([=]() { launch(kernel, blocks, threads, shared, most, body); });
}

static void launch(const char *kernel, unsigned blocks, unsigned threads, size_t shared, size_t most,
                   const std::function<void()> &body)
{
  if (blocks == 0 || threads == 0 || threads > 1024)
    shim_set_last(9); /* cudaErrorInvalidConfiguration */
  else if (shared > most || most > (size_t)shim_shared_most())
    shim_set_last(1); /* cudaErrorInvalidValue */
  else
    shim_set_last(shim_asked_to_fail(kernel));
  if (shim_last()) return;
  shim_called(kernel);
  shim_stream_catch_up();
  while (here.fibers.size() < threads) {
    here.fibers.push_back(new shim_place);
    shim_place_create(here.fibers.back(), fiber_main);
  }
  here.kernel = kernel;
  here.body = &body;
  here.random = here.random * 2654435761u + shuffle_seed;
  gridDim = {blocks, 1, 1};
  blockDim = {threads, 1, 1};
  dynamic_open(shared);
  if (shim_watch_launch) shim_watch_launch(kernel);
  for (unsigned block : shuffled(blocks)) {
    blockIdx = {block, 0, 0};
    here.any_turn[0] = here.any_turn[1] = 0;
    dynamic_fill();
    run_block(threads);
    dynamic_look();
  }
  if (shim_watch_launch) shim_watch_launch(nullptr);
  free(here.dynamic);
  here.dynamic = nullptr;
}

bool shim_is_own_stack(const void *memory)
{
  const shim_place *place = here.fibers[here.current];
  const char *bottom = (const char *)place->memory;
  return (const char *)memory >= bottom && (const char *)memory < bottom + place->whole;
}

void shim_shuffle(unsigned seed)
{
  shuffle_seed = seed;
}

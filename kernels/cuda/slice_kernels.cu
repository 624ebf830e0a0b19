/* Samples along lines: projections, and a radix sort of all directions of a wave at once. */
#include "cuda/slices.cuh"

#include "cuda/launch.cuh"

#include "formula/slice.h"

enum {
  FG_PROJECT_ROWS = 128, /* of a block */
  FG_PROJECT_DEPTH = 16, /* coordinates at a time */
  FG_PROJECT_LINES = 4,  /* directions */
  FG_SORT_BITS = 8,      /* of a pass */
  FG_SORT_DIGITS = 1 << FG_SORT_BITS,
  FG_SPLIT_BITS = 4, /* of a split within a tile */
  FG_SPLIT_DIGITS = 1 << FG_SPLIT_BITS,
  FG_SPLIT_COUNTS = FG_SPLIT_DIGITS * FG_CUDA_MOST
};

/* What a block works on: a tile of one side of one direction. */
typedef struct fg_slice_tile {
  unsigned line, tile;
  int side;
  char *share;
} fg_slice_tile;

static __device__ __forceinline__ fg_slice_tile fg_tile_of(const fg_slice_work &w)
{
  const unsigned each = w.side[0].tiles + w.side[1].tiles;
  fg_slice_tile t;
  t.line = blockIdx.x / each;
  t.tile = blockIdx.x % each;
  t.side = t.tile >= w.side[0].tiles;
  if (t.side) t.tile -= w.side[0].tiles;
  t.share = fg_share_of(w, t.line);
  return t;
}

/* ---- projections --------------------------------------------------------------------------------- */

/* A thread has one row and FG_PROJECT_LINES directions; the block reads its rows a few coordinates at a time. Eight blocks
 * leave each thread 64 registers: left to itself ptxas takes 40 for 10.0, and spills. */
static __global__ void __launch_bounds__(FG_PROJECT_ROWS, 8)
    fg_project_kernel(const __grid_constant__ fg_slice_work w, unsigned tiles_x, unsigned tiles_y)
{
  __shared__ double rows[FG_PROJECT_ROWS * (FG_PROJECT_DEPTH + 1)];
  __shared__ double lines[FG_PROJECT_LINES * FG_PROJECT_DEPTH];
  const unsigned each = tiles_x + tiles_y, first = blockIdx.x / each * FG_PROJECT_LINES;
  const unsigned at = blockIdx.x % each, tile = at < tiles_x ? at : at - tiles_x;
  const fg_slice_side &s = w.side[at < tiles_x ? 0 : 1];
  const size_t begin = (size_t)tile * FG_PROJECT_ROWS, row = begin + threadIdx.x;
  double place[FG_PROJECT_LINES];
  for (int l = 0; l < FG_PROJECT_LINES; l++) place[l] = 0;
  for (size_t k = 0; k < w.d; k += FG_PROJECT_DEPTH) {
    const unsigned deep = (unsigned)(w.d - k < FG_PROJECT_DEPTH ? w.d - k : (size_t)FG_PROJECT_DEPTH);
    __syncthreads();
    for (unsigned i = threadIdx.x; i < FG_PROJECT_ROWS * deep; i += FG_PROJECT_ROWS) {
      const unsigned r = i / deep, c = i % deep;
      rows[r * (FG_PROJECT_DEPTH + 1) + c] = begin + r < s.n ? s.x[(begin + r) * w.d + k + c] : 0;
    }
    for (unsigned i = threadIdx.x; i < FG_PROJECT_LINES * deep; i += FG_PROJECT_ROWS) {
      const unsigned l = i / deep, c = i % deep;
      lines[l * FG_PROJECT_DEPTH + c] = first + l < w.directions ? w.direction[(first + l) * w.d + k + c] : 0;
    }
    __syncthreads();
    for (unsigned c = 0; c < deep; c++) {
      const double x = rows[threadIdx.x * (FG_PROJECT_DEPTH + 1) + c];
      for (int l = 0; l < FG_PROJECT_LINES; l++)
        place[l] = fg_project_on(place[l], x, lines[l * FG_PROJECT_DEPTH + c]);
    }
  }
  for (int l = 0; l < FG_PROJECT_LINES; l++) {
    if (first + l >= w.directions) continue;
    char *share = fg_share_of(w, first + l);
    if (row == 0) *(uint32_t *)(share + s.turn) = 0;
    if (row >= s.n) continue;
    fg_keys_of(share, s, 0)[row] = fg_key_of(place[l]);
    if (w.loads) fg_loads_of(share, s, 0)[row] = (uint32_t)row;
  }
}

void fg_slice_project(const fg_slice_work *w)
{
  unsigned tiles[2];
  for (int k = 0; k < 2; k++) tiles[k] = (unsigned)((w->side[k].n + FG_PROJECT_ROWS - 1) / FG_PROJECT_ROWS);
  const unsigned groups = (w->directions + FG_PROJECT_LINES - 1) / FG_PROJECT_LINES;
  FG_LAUNCH(fg_project_kernel, groups * (tiles[0] + tiles[1]), FG_PROJECT_ROWS, *w, tiles[0], tiles[1]);
}

/* ---- the sort -------------------------------------------------------------------------------------- */

/* Threads that have neighbouring keys, eight each, hit different banks. */
static __device__ __forceinline__ unsigned fg_spread(unsigned i)
{
  return i + i / FG_SORT_EACH;
}

static __device__ __forceinline__ unsigned fg_count_at(unsigned digit, unsigned thread)
{
  const unsigned i = digit * FG_CUDA_MOST + thread;
  return i + i / FG_SPLIT_DIGITS;
}

static __device__ __forceinline__ unsigned fg_digit_of(uint64_t key, int shift)
{
  return (unsigned)(key >> shift) & (FG_SORT_DIGITS - 1);
}

typedef struct fg_sort_room {
  uint64_t key[FG_SORT_TILE + FG_CUDA_MOST];
  uint32_t load[FG_SORT_TILE + FG_CUDA_MOST];
  uint32_t count[FG_SPLIT_COUNTS + FG_CUDA_MOST];
  uint32_t sum[2 * FG_CUDA_MOST];
} fg_sort_room;

/* Stable, by four bits: each thread counts its own keys, digits come in order and within them the threads. */
static __device__ void fg_tile_split(fg_sort_room *room, unsigned count, int shift, int loads)
{
  const unsigned first = threadIdx.x * FG_SORT_EACH;
  uint64_t key[FG_SORT_EACH];
  uint32_t load[FG_SORT_EACH], all;
  for (unsigned digit = 0; digit < FG_SPLIT_DIGITS; digit++) room->count[fg_count_at(digit, threadIdx.x)] = 0;
  for (unsigned j = 0; j < FG_SORT_EACH; j++) {
    key[j] = 0;
    load[j] = 0;
    if (first + j >= count) continue;
    key[j] = room->key[fg_spread(first + j)];
    if (loads) load[j] = room->load[fg_spread(first + j)];
    room->count[fg_count_at((unsigned)(key[j] >> shift) & (FG_SPLIT_DIGITS - 1), threadIdx.x)]++;
  }
  __syncthreads();
  uint32_t mine = 0;
  for (unsigned i = 0; i < FG_SPLIT_DIGITS; i++) mine += room->count[threadIdx.x * (FG_SPLIT_DIGITS + 1) + i];
  uint32_t next = fg_block_before(mine, room->sum, &all);
  for (unsigned i = 0; i < FG_SPLIT_DIGITS; i++) {
    uint32_t *at = &room->count[threadIdx.x * (FG_SPLIT_DIGITS + 1) + i];
    const uint32_t held = *at;
    *at = next;
    next += held;
  }
  __syncthreads();
  for (unsigned j = 0; j < FG_SORT_EACH; j++) {
    if (first + j >= count) continue;
    const unsigned digit = (unsigned)(key[j] >> shift) & (FG_SPLIT_DIGITS - 1);
    const unsigned to = fg_spread(room->count[fg_count_at(digit, threadIdx.x)]++);
    room->key[to] = key[j];
    if (loads) room->load[to] = load[j];
  }
  __syncthreads();
}

/* Each tile by one digit, where it lies, and how many keys of each digit it has. */
static __global__ void __launch_bounds__(FG_CUDA_MOST)
    fg_tile_sort_kernel(const __grid_constant__ fg_slice_work w, int shift)
{
  __shared__ fg_sort_room room;
  const fg_slice_tile t = fg_tile_of(w);
  const fg_slice_side &s = w.side[t.side];
  const size_t begin = (size_t)t.tile * FG_SORT_TILE;
  const unsigned count = (unsigned)(s.n - begin < FG_SORT_TILE ? s.n - begin : (size_t)FG_SORT_TILE);
  const unsigned turn = fg_turn_of(t.share, s);
  uint64_t *key = fg_keys_of(t.share, s, turn) + begin;
  uint32_t *load = fg_loads_of(t.share, s, turn) + begin;
  const unsigned head = fg_digit_of(key[0], shift);
  int unlike = 0;
  for (unsigned i = threadIdx.x; i < count; i += FG_CUDA_MOST) {
    const uint64_t mine = key[i];
    unlike |= fg_digit_of(mine, shift) != head;
    room.key[fg_spread(i)] = mine;
    if (w.loads) room.load[fg_spread(i)] = load[i];
  }
  if (__syncthreads_or(unlike)) {
    fg_tile_split(&room, count, shift, w.loads);
    fg_tile_split(&room, count, shift + FG_SPLIT_BITS, w.loads);
    for (unsigned i = threadIdx.x; i < count; i += FG_CUDA_MOST) {
      key[i] = room.key[fg_spread(i)];
      if (w.loads) load[i] = room.load[fg_spread(i)];
    }
  }
  uint32_t *begins = room.sum, *ends = room.sum + FG_SORT_DIGITS;
  begins[threadIdx.x] = ends[threadIdx.x] = 0;
  __syncthreads();
  for (unsigned i = threadIdx.x; i < count; i += FG_CUDA_MOST) {
    const unsigned digit = fg_digit_of(room.key[fg_spread(i)], shift);
    if (i == 0 || fg_digit_of(room.key[fg_spread(i - 1)], shift) != digit) begins[digit] = i;
    if (i + 1 == count || fg_digit_of(room.key[fg_spread(i + 1)], shift) != digit) ends[digit] = i + 1;
  }
  __syncthreads();
  ((uint32_t *)(t.share + s.count))[threadIdx.x * s.tiles + t.tile] = ends[threadIdx.x] - begins[threadIdx.x];
}

/* Counts [digits, tiles] become places; a digit that all keys share leaves them where they are. */
static __global__ void __launch_bounds__(FG_CUDA_MOST)
    fg_sort_scan_kernel(const __grid_constant__ fg_slice_work w)
{
  __shared__ uint32_t room[2 * FG_CUDA_MOST];
  const unsigned sides = w.side[1].n ? 2 : 1;
  const fg_slice_side &s = w.side[blockIdx.x % sides];
  char *share = fg_share_of(w, blockIdx.x / sides);
  uint32_t *count = (uint32_t *)(share + s.count), *turn = (uint32_t *)(share + s.turn);
  const size_t size = (size_t)FG_SORT_DIGITS * s.tiles;
  uint32_t carry = 0, all;
  for (size_t at = 0; at < size; at += FG_SORT_TILE) {
    const size_t first = at + threadIdx.x * FG_SORT_EACH;
    uint32_t held[FG_SORT_EACH], mine = 0;
    for (unsigned j = 0; j < FG_SORT_EACH; j++) {
      held[j] = first + j < size ? count[first + j] : 0;
      mine += held[j];
    }
    uint32_t next = carry + fg_block_before(mine, room, &all);
    for (unsigned j = 0; j < FG_SORT_EACH; j++) {
      if (first + j < size) count[first + j] = next;
      next += held[j];
    }
    carry += all;
  }
  __syncthreads();
  const uint32_t from = count[(size_t)threadIdx.x * s.tiles];
  const uint32_t to =
      threadIdx.x + 1 < FG_SORT_DIGITS ? count[(size_t)(threadIdx.x + 1) * s.tiles] : (uint32_t)s.n;
  const int stay = __syncthreads_or(to - from == s.n);
  if (threadIdx.x > 0) return;
  turn[0] ^= !stay;
  turn[1] = !stay;
}

/* Runs of one digit go from their tile to their places. */
static __global__ void __launch_bounds__(FG_CUDA_MOST)
    fg_scatter_kernel(const __grid_constant__ fg_slice_work w, int shift)
{
  __shared__ uint32_t start[FG_SORT_DIGITS];
  const fg_slice_tile t = fg_tile_of(w);
  const fg_slice_side &s = w.side[t.side];
  const uint32_t *turn = (const uint32_t *)(t.share + s.turn), *count = (uint32_t *)(t.share + s.count);
  if (!turn[1]) return;
  const size_t begin = (size_t)t.tile * FG_SORT_TILE;
  const unsigned left = (unsigned)(s.n - begin < FG_SORT_TILE ? s.n - begin : (size_t)FG_SORT_TILE);
  const uint64_t *key = fg_keys_of(t.share, s, turn[0] ^ 1) + begin;
  const uint32_t *load = fg_loads_of(t.share, s, turn[0] ^ 1) + begin;
  uint64_t *key_to = fg_keys_of(t.share, s, turn[0]);
  uint32_t *load_to = fg_loads_of(t.share, s, turn[0]);
  for (unsigned i = threadIdx.x; i < left; i += FG_CUDA_MOST) {
    const unsigned digit = fg_digit_of(key[i], shift);
    if (i == 0 || fg_digit_of(key[i - 1], shift) != digit) start[digit] = i;
  }
  __syncthreads();
  for (unsigned i = threadIdx.x; i < left; i += FG_CUDA_MOST) {
    const uint64_t mine = key[i];
    const unsigned digit = fg_digit_of(mine, shift);
    const size_t to = count[digit * s.tiles + t.tile] + (i - start[digit]);
    key_to[to] = mine;
    if (w.loads) load_to[to] = load[i];
  }
}

void fg_slice_sort_pass(const fg_slice_work *w, int pass, int step)
{
  const unsigned tiles = w->directions * (w->side[0].tiles + w->side[1].tiles);
  const int shift = pass * FG_SORT_BITS;
  if (step == 0)
    FG_LAUNCH(fg_tile_sort_kernel, tiles, FG_CUDA_MOST, *w, shift);
  else if (step == 1)
    FG_LAUNCH(fg_sort_scan_kernel, w->directions * (w->side[1].n ? 2 : 1), FG_CUDA_MOST, *w);
  else
    FG_LAUNCH(fg_scatter_kernel, tiles, FG_CUDA_MOST, *w, shift);
}

/* Few rows: each finds its place by counting those before it, a side of a direction a block, in one launch. */
static __global__ void __launch_bounds__(FG_CUDA_MOST) fg_rank_kernel(const __grid_constant__ fg_slice_work w)
{
  __shared__ uint64_t key[FG_RANK_MOST];
  const unsigned sides = w.side[1].n ? 2 : 1;
  const fg_slice_side &s = w.side[blockIdx.x % sides];
  char *share = fg_share_of(w, blockIdx.x / sides);
  const unsigned n = (unsigned)s.n;
  for (unsigned i = threadIdx.x; i < n; i += FG_CUDA_MOST) key[i] = fg_keys_of(share, s, 0)[i];
  __syncthreads();
  for (unsigned i = threadIdx.x; i < n; i += FG_CUDA_MOST) {
    const uint64_t mine = key[i];
    unsigned before = 0;
    for (unsigned j = 0; j < n; j++) before += key[j] < mine || (key[j] == mine && j < i);
    fg_keys_of(share, s, 1)[before] = mine;
    if (w.loads) fg_loads_of(share, s, 1)[before] = i;
  }
  if (threadIdx.x == 0) *(uint32_t *)(share + s.turn) = 1;
}

void fg_slice_rank(const fg_slice_work *w)
{
  FG_LAUNCH(fg_rank_kernel, w->directions * (w->side[1].n ? 2 : 1), FG_CUDA_MOST, *w);
}

/* Masses up to each row, in the order of the places. */
static __global__ void __launch_bounds__(FG_CUDA_MOST) fg_mass_kernel(const __grid_constant__ fg_slice_work w)
{
  __shared__ int64_t room[2 * FG_CUDA_MOST];
  const fg_slice_side &s = w.side[blockIdx.x % 2];
  char *share = fg_share_of(w, blockIdx.x / 2);
  const uint32_t *load = fg_loads_of(share, s, fg_turn_of(share, s));
  int64_t *sum = (int64_t *)(share + s.sum), carry = 0, all;
  for (size_t at = 0; at < s.n; at += FG_CUDA_MOST) {
    const size_t i = at + threadIdx.x;
    const int64_t mine = i < s.n ? s.mass[load[i]] : 0;
    const int64_t before = fg_block_before(mine, room, &all);
    if (i < s.n) sum[i] = carry + before + mine;
    carry += all;
  }
}

void fg_slice_masses(const fg_slice_work *w)
{
  FG_LAUNCH(fg_mass_kernel, 2 * w->directions, FG_CUDA_MOST, *w);
}

/* Numbers of the rows in order. */
static __global__ void __launch_bounds__(FG_CUDA_MOST)
    fg_order_kernel(const __grid_constant__ fg_slice_work w)
{
  const fg_slice_tile t = fg_tile_of(w);
  const fg_slice_side &s = w.side[t.side];
  if (t.side) return;
  const uint32_t *load = fg_loads_of(t.share, s, fg_turn_of(t.share, s));
  const size_t begin = (size_t)t.tile * FG_SORT_TILE;
  for (size_t i = begin + threadIdx.x; i < s.n && i < begin + FG_SORT_TILE; i += FG_CUDA_MOST)
    w.order[t.line * s.n + i] = load[i];
}

void fg_slice_orders(const fg_slice_work *w)
{
  FG_LAUNCH(fg_order_kernel, w->directions * (w->side[0].tiles + w->side[1].tiles), FG_CUDA_MOST, *w);
}

/* Samples along lines on a device: what the kernels of cuda/slice_kernels.cu take and offer. */
#ifndef FG_CUDA_SLICES_CUH
#define FG_CUDA_SLICES_CUH

#include "cuda/cuda_impl.h"

enum {
  FG_SORT_EACH = 8,                          /* keys of a thread */
  FG_SORT_TILE = FG_SORT_EACH * FG_CUDA_MOST /* and of a block */
};

/* One side of the samples. Arrays of one direction are at `offset` in its share of the scratch. */
typedef struct fg_slice_side {
  size_t n;        /* rows; 0: there is no such side */
  unsigned tiles;  /* of FG_SORT_TILE rows */
  const double *x; /* [n, d] */
  const int64_t *mass;
  size_t key[2], load[2]; /* uint64 [n], uint32 [n]: from one to the other and back */
  size_t count;           /* uint32 [256, tiles] */
  size_t turn;            /* uint32 [2]: which of the two holds the keys; did the last pass move them */
  size_t sum;             /* int64 [n]: masses up to this row, in order */
} fg_slice_side;

/* A wave of directions. */
typedef struct fg_slice_work {
  size_t d;
  unsigned directions;
  fg_slice_side side[2];
  int loads; /* keys carry the numbers of their rows */
  int alike;
  int64_t total;
  const double *direction; /* [directions, d] */
  char *scratch;
  size_t each;          /* bytes of a direction */
  unsigned parts;       /* of FG_SLICE_TERMS terms of the plan */
  size_t part;          /* double [parts, columns] */
  size_t columns;       /* the cost, and d numbers of its gradient */
  double *cost;         /* [directions] or NULL */
  double *gradient;     /* [directions, d] or NULL */
  uint32_t *order;      /* [directions, n] or NULL */
  unsigned ways;        /* 0: none */
  const double *weight; /* [n] or NULL */
  const uint64_t *bits; /* [n]: sides of a row */
  uint32_t *firsts;     /* [ways]: rows that go to the first sample */
  size_t place;         /* double [ways, n]: the first sample, then the second */
  size_t share;         /* double [ways, n]: their weights up to there */
} fg_slice_work;

/* Each of them does not wait. */
void fg_slice_project(const fg_slice_work *w);
enum { FG_SORT_PASSES = 8, FG_RANK_MOST = 512 };
void fg_slice_rank(const fg_slice_work *w); /* of at most FG_RANK_MOST rows on either side */
void fg_slice_sort_pass(const fg_slice_work *w, int pass, int step); /* steps 0 .. 2 */
void fg_slice_masses(const fg_slice_work *w);
void fg_slice_costs(const fg_slice_work *w);
void fg_slice_totals(const fg_slice_work *w);
void fg_slice_orders(const fg_slice_work *w);
void fg_slice_way_counts(const fg_slice_work *w);
void fg_slice_way_costs(const fg_slice_work *w);

/* ---- where things lie -------------------------------------------------------------------------- */

static __device__ __forceinline__ char *fg_share_of(const fg_slice_work &w, unsigned line)
{
  return w.scratch + line * w.each;
}

static __device__ __forceinline__ uint64_t *fg_keys_of(char *share, const fg_slice_side &s, unsigned turn)
{
  return (uint64_t *)(share + s.key[turn]);
}

static __device__ __forceinline__ uint32_t *fg_loads_of(char *share, const fg_slice_side &s, unsigned turn)
{
  return (uint32_t *)(share + s.load[turn]);
}

static __device__ __forceinline__ unsigned fg_turn_of(const char *share, const fg_slice_side &s)
{
  return *(const uint32_t *)(share + s.turn);
}

/* ---- sums within a block -------------------------------------------------------------------------- */

/* The sum of `mine` over the threads before this one; *all: over all. room [2 FG_CUDA_MOST]. A fixed order. */
template <typename T> static __device__ T fg_block_before(T mine, T *room, T *all)
{
  unsigned now = 0;
  room[threadIdx.x] = mine;
  __syncthreads();
  for (unsigned reach = 1; reach < FG_CUDA_MOST; reach *= 2, now ^= 1) {
    const T *from = room + now * FG_CUDA_MOST;
    T sum = from[threadIdx.x];
    if (threadIdx.x >= reach) sum = from[threadIdx.x - reach] + sum;
    room[(now ^ 1) * FG_CUDA_MOST + threadIdx.x] = sum;
    __syncthreads();
  }
  const T *sums = room + now * FG_CUDA_MOST;
  const T before = threadIdx.x > 0 ? sums[threadIdx.x - 1] : (T)0;
  *all = sums[FG_CUDA_MOST - 1];
  __syncthreads();
  return before;
}

#endif

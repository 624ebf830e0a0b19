/* Costs of the monotone plan between sorted samples, in parts of FG_SLICE_TERMS terms, added up in a fixed order. */
#include "cuda/slices.cuh"

#include "cuda/launch.cuh"

#include "formula/slice.h"
#include "formula/sum.h"

/* ---- the monotone plan ------------------------------------------------------------------------------- */

/* Where row i ends, of rows that are one after the other along the whole mass: n rows of m parts each, masses, or shares. */
struct fg_even_ends {
  int64_t by;
  __device__ int64_t operator()(size_t i) const
  {
    return (int64_t)(i + 1) * by;
  }
};
struct fg_mass_ends {
  const int64_t *sum;
  __device__ int64_t operator()(size_t i) const
  {
    return sum[i];
  }
};
struct fg_share_ends {
  const double *sum;
  double all;
  __device__ double operator()(size_t i) const
  {
    return sum[i] / all;
  }
};

/* The sum over all threads, known to the first. */
static __device__ double fg_block_sum(double mine, double *room)
{
  room[threadIdx.x] = mine;
  __syncthreads();
  for (unsigned half = FG_CUDA_MOST / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) room[threadIdx.x] += room[threadIdx.x + half];
    __syncthreads();
  }
  const double sum = room[0];
  __syncthreads();
  return sum;
}

/* How many of the first t ends are of x, of equal ends those first. Between low and high. */
template <typename E>
static __device__ size_t fg_ends_before(size_t t, size_t low, size_t high, const E &x, const E &y)
{
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (x(middle) <= y(t - 1 - middle))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Term t of the plan, between ends t - 1 and t: rows *i and *j, and how much goes from one to the other. The searches of a
 * block lie between those of its first and its last term: span [2]. */
template <typename E>
static __device__ double fg_term_of(size_t first, size_t n, size_t m, const E &x, const E &y, size_t *span,
                                    size_t *i, size_t *j)
{
  const size_t last = n + m - 1, t = first + threadIdx.x;
  if (threadIdx.x < 2) {
    const size_t at = threadIdx.x == 0                ? first
                      : first + FG_SLICE_TERMS < last ? first + FG_SLICE_TERMS
                                                      : last;
    span[threadIdx.x] = fg_ends_before(at, at > m ? at - m : 0, at < n ? at : n, x, y);
  }
  __syncthreads();
  const size_t low = span[0], high = span[1];
  __syncthreads();
  *i = *j = 0;
  if (t >= last) return 0;
  *i = fg_ends_before(t, t > m && t - m > low ? t - m : low, t < high ? t : high, x, y);
  *j = t - *i;
  if (*i == n || *j == m) return 0;
  auto from = x(0) - x(0), to = x(*i);
  if (*i > 0) from = x(*i - 1);
  if (*j > 0 && y(*j - 1) > from) from = y(*j - 1);
  if (y(*j) < to) to = y(*j);
  return to > from ? (double)(to - from) : 0; /* sums of shares are rounded */
}

/* Gradients: 256 terms are split among groups of threads, a coordinate each; then the groups are added in order. */
static __device__ void fg_part_gradient(const fg_slice_work &w, double push, uint32_t from, uint32_t to,
                                        double *room, double *part)
{
  __shared__ uint32_t rows[FG_CUDA_MOST][2];
  __shared__ double pushes[FG_CUDA_MOST];
  unsigned wide = 1;
  while (wide < w.d && wide < FG_CUDA_MOST) wide *= 2;
  const unsigned groups = FG_CUDA_MOST / wide, group = threadIdx.x / wide;
  pushes[threadIdx.x] = push;
  rows[threadIdx.x][0] = from;
  rows[threadIdx.x][1] = to;
  __syncthreads();
  for (size_t base = 0; base < w.d; base += wide) {
    const size_t k = base + threadIdx.x % wide;
    double sum = 0;
    for (unsigned term = group; k < w.d && term < FG_CUDA_MOST; term += groups)
      if (pushes[term] != 0)
        sum += pushes[term] * (w.side[0].x[rows[term][0] * w.d + k] - w.side[1].x[rows[term][1] * w.d + k]);
    room[threadIdx.x] = sum;
    __syncthreads();
    if (group == 0 && k < w.d) {
      for (unsigned g = 1; g < groups; g++) sum += room[g * wide + threadIdx.x];
      part[k] = sum;
    }
    __syncthreads();
  }
}

/* 256 terms of the plan a block. */
static __global__ void __launch_bounds__(FG_CUDA_MOST) fg_plan_kernel(const __grid_constant__ fg_slice_work w)
{
  __shared__ double room[FG_CUDA_MOST];
  __shared__ size_t span[2];
  const unsigned line = blockIdx.x / w.parts, number = blockIdx.x % w.parts;
  const fg_slice_side &x = w.side[0], &y = w.side[1];
  char *share = fg_share_of(w, line);
  double *part = (double *)(share + w.part) + number * w.columns;
  const uint64_t *key_x = fg_keys_of(share, x, fg_turn_of(share, x));
  const uint64_t *key_y = fg_keys_of(share, y, fg_turn_of(share, y));
  const size_t first = (size_t)number * FG_SLICE_TERMS;
  size_t i = first + threadIdx.x, j = i;
  double amount = 0;
  if (w.alike && x.n == y.n) {
    amount = i < x.n;
  } else if (w.alike) {
    const fg_even_ends ends_x = {(int64_t)y.n}, ends_y = {(int64_t)x.n};
    amount = fg_term_of(first, x.n, y.n, ends_x, ends_y, span, &i, &j);
  } else {
    const fg_mass_ends ends_x = {(const int64_t *)(share + x.sum)},
                       ends_y = {(const int64_t *)(share + y.sum)};
    amount = fg_term_of(first, x.n, y.n, ends_x, ends_y, span, &i, &j) / (double)w.total;
  }
  const double gap = amount != 0 ? fg_place_of(key_x[i]) - fg_place_of(key_y[j]) : 0;
  const double sum = fg_block_sum(amount * gap * gap, room);
  if (threadIdx.x == 0) part[0] = sum;
  if (w.columns == 1) return;
  const uint32_t from = amount != 0 ? fg_loads_of(share, x, fg_turn_of(share, x))[i] : 0;
  const uint32_t to = amount != 0 ? fg_loads_of(share, y, fg_turn_of(share, y))[j] : 0;
  fg_part_gradient(w, amount * gap, from, to, room, part + 1);
}

void fg_slice_costs(const fg_slice_work *w)
{
  FG_LAUNCH(fg_plan_kernel, w->directions * w->parts, FG_CUDA_MOST, *w);
}

/* Parts in their order, a column a thread. */
static __global__ void __launch_bounds__(FG_CUDA_MOST)
    fg_plan_sum_kernel(const __grid_constant__ fg_slice_work w)
{
  const size_t at = (size_t)blockIdx.x * FG_CUDA_MOST + threadIdx.x;
  if (at >= w.directions * w.columns) return;
  const unsigned line = (unsigned)(at / w.columns);
  const size_t column = at % w.columns;
  const double *part = (const double *)(fg_share_of(w, line) + w.part) + column;
  const double n = (double)w.side[0].n, m = (double)w.side[1].n;
  fg_sum sum = {0, 0};
  for (unsigned k = 0; k < w.parts; k++) fg_sum_add(&sum, part[k * w.columns]);
  const double value = fg_sum_value(&sum) / (!w.alike ? 1 : n == m ? n : n * m);
  if (column == 0)
    w.cost[line] = value;
  else
    w.gradient[line * w.d + column - 1] = value;
}

void fg_slice_totals(const fg_slice_work *w)
{
  const size_t columns = w->directions * w->columns;
  FG_LAUNCH(fg_plan_sum_kernel, (unsigned)((columns + FG_CUDA_MOST - 1) / FG_CUDA_MOST), FG_CUDA_MOST, *w);
}

/* ---- one sample dealt in many ways -------------------------------------------------------------------- */

/* Rows that way `blockIdx.x` deals to the first sample. */
static __global__ void __launch_bounds__(FG_CUDA_MOST)
    fg_way_count_kernel(const __grid_constant__ fg_slice_work w)
{
  __shared__ uint32_t room[2 * FG_CUDA_MOST];
  const size_t n = w.side[0].n;
  uint32_t mine = 0, all;
  for (size_t i = threadIdx.x; i < n; i += FG_CUDA_MOST) mine += !(w.bits[i] >> blockIdx.x & 1);
  (void)fg_block_before(mine, room, &all);
  if (threadIdx.x == 0) w.firsts[blockIdx.x] = all;
}

void fg_slice_way_counts(const fg_slice_work *w)
{
  FG_LAUNCH(fg_way_count_kernel, w->ways, FG_CUDA_MOST, *w);
}

/* Places, and with weights their sums so far, of both samples, each in order: the first [firsts], then the other. */
static __device__ void fg_way_split(const fg_slice_work &w, char *share, unsigned way, uint32_t firsts,
                                    double *place, double *sum)
{
  __shared__ double room[2 * FG_CUDA_MOST];
  __shared__ uint32_t counts[2 * FG_CUDA_MOST];
  const fg_slice_side &s = w.side[0];
  const unsigned turn = fg_turn_of(share, s);
  const uint64_t *key = fg_keys_of(share, s, turn);
  const uint32_t *load = fg_loads_of(share, s, turn);
  uint32_t first_done = 0, second_done = 0, all;
  double first_carry = 0, second_carry = 0, total;
  for (size_t at = 0; at < s.n; at += FG_CUDA_MOST) {
    const size_t i = at + threadIdx.x;
    const uint32_t row = i < s.n ? load[i] : 0;
    const unsigned second = i < s.n && (w.bits[row] >> way & 1), first = i < s.n && !second;
    const uint32_t before = fg_block_before((uint32_t)first, counts, &all);
    const uint32_t to = second ? firsts + second_done + (threadIdx.x - before) : first_done + before;
    const double mine = w.weight && i < s.n ? w.weight[row] : 0;
    if (w.weight) {
      const double first_sum = first_carry + fg_block_before(first ? mine : 0, room, &total) + mine;
      first_carry += total;
      const double second_sum = second_carry + fg_block_before(second ? mine : 0, room, &total) + mine;
      second_carry += total;
      if (i < s.n) sum[to] = second ? second_sum : first_sum;
    }
    if (i < s.n) place[to] = fg_place_of(key[i]);
    first_done += all;
    second_done += (uint32_t)(s.n - at < FG_CUDA_MOST ? s.n - at : (size_t)FG_CUDA_MOST) - all;
  }
  __syncthreads();
}

/* One way along one direction a block. */
static __global__ void __launch_bounds__(FG_CUDA_MOST) fg_way_kernel(const __grid_constant__ fg_slice_work w)
{
  __shared__ double room[FG_CUDA_MOST];
  __shared__ size_t span[2];
  const unsigned line = blockIdx.x / w.ways, way = blockIdx.x % w.ways;
  const size_t rows = w.side[0].n, n = w.firsts[way], m = rows - n;
  if (n == 0 || m == 0) {
    if (threadIdx.x == 0) w.cost[line * w.ways + way] = NAN;
    return;
  }
  char *share = fg_share_of(w, line);
  double *a = (double *)(share + w.place) + way * rows, *b = a + n;
  double *sum = w.weight ? (double *)(share + w.share) + way * rows : NULL;
  fg_way_split(w, share, way, (uint32_t)n, a, sum);
  const bool even = !w.weight && n == m;
  const size_t terms = even ? n : n + m - 1;
  fg_sum cost = {0, 0};
  for (size_t first = 0; first < terms; first += FG_SLICE_TERMS) {
    size_t i = first + threadIdx.x, j = i;
    double amount = even && i < n;
    if (w.weight) {
      const fg_share_ends ends_a = {sum, sum[n - 1]}, ends_b = {sum + n, sum[rows - 1]};
      amount = fg_term_of(first, n, m, ends_a, ends_b, span, &i, &j);
    } else if (!even) {
      const fg_even_ends ends_a = {(int64_t)m}, ends_b = {(int64_t)n};
      amount = fg_term_of(first, n, m, ends_a, ends_b, span, &i, &j);
    }
    const double gap = amount != 0 ? a[i] - b[j] : 0;
    fg_sum_add(&cost, fg_block_sum(amount * gap * gap, room));
  }
  if (threadIdx.x == 0)
    w.cost[line * w.ways + way] = fg_sum_value(&cost) / (w.weight ? 1
                                                         : even   ? (double)n
                                                                  : (double)n * (double)m);
}

void fg_slice_way_costs(const fg_slice_work *w)
{
  FG_LAUNCH(fg_way_kernel, w->directions * w->ways, FG_CUDA_MOST, *w);
}

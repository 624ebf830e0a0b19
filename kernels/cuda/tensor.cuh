/* Products by tensor cores, a part of the tile words (cuda/tile.cuh): of doubles, and of single numbers rounded to TF32 where
 * that was asked for. A warp has 16 or 32 rows by 16 or 32 columns of the product in registers.
 *
 * PTX says which lane holds which entry of mma.sync's matrices, so each lane reads what it needs itself. Terms, columns and rows of
 * such a small product may be any, if only both factors agree: they are chosen so that a lane reads neighbours, and
 * that the lanes of a warp meet in no bank of shared memory:
 *   terms     lane 4 g + q has terms FG_WIDE q .. FG_WIDE q + FG_WIDE - 1 of a step of FG_STEP: 16 bytes of a row of a.
 *             Rows lie whole lines apart, so odd lanes g read the second of two steps first
 *   columns   two products at once have the even and the odd ones of 16, so lane g reads columns 2 g and 2 g + 1 of b
 *   weights   rows of b lie whole lines apart too: their copies in shared memory are swizzled (tile_swizzle) */
#ifndef FG_CUDA_TENSOR_CUH
#define FG_CUDA_TENSOR_CUH

enum {
  FG_STEP = 4 * FG_WIDE, /* terms that four lanes read at once */
  FG_PAIR = 16           /* columns of two products, rows of one */
};

/* What holds for the block: weights from `begin` to `end` are swizzled; TF32 was asked for. */
struct fg_tile_mode {
  const fg_real *begin, *end;
  int tf32;
};

static __device__ __forceinline__ fg_tile_mode *tile_mode(void)
{
  __shared__ fg_tile_mode mode;
  return &mode;
}

/* Do products of this block go by tensor cores? */
static __device__ __forceinline__ bool tile_by_tensor(void)
{
#ifdef FG_SINGLE
  return tile_mode()->tf32 != 0;
#else
  return true;
#endif
}

/* c [16, 8] += a [16, 4] b [4, 8]: lane 4 g + q has c of rows g, g + 8 and columns 2 q, 2 q + 1, a of these rows and column q,
 * b of row q and column g. All lanes of the warp call it. */
#ifdef FG_TENSOR_MULTIPLY /* the tests' own */
#define tile_multiply(c, a, b) FG_TENSOR_MULTIPLY(c, a, b)
#define tile_multiplied() FG_TENSOR_SUMS(sizeof(fg_real) < sizeof(double))
#elif defined FG_SINGLE
static __device__ __forceinline__ unsigned tile_rounded(float x)
{
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}

static __device__ __forceinline__ void tile_multiply(float (&c)[4], const float (&a)[2], float b)
{
  asm volatile("mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 "
               "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(tile_rounded(a[0])), "r"(tile_rounded(a[1])), "r"(tile_rounded(b)));
}
#elif defined __CUDA_ARCH__ && __CUDA_ARCH__ < 900 /* knows only 8 rows at once */
static __device__ __forceinline__ void tile_multiply(double (&c)[4], const double (&a)[2], double b)
{
  TILE_UNROLL
  for (int h = 0; h < 2; h++)
    asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
                 : "+d"(c[2 * h]), "+d"(c[2 * h + 1])
                 : "d"(a[h]), "d"(b));
}
#else
static __device__ __forceinline__ void tile_multiply(double (&c)[4], const double (&a)[2], double b)
{
  asm volatile("mma.sync.aligned.m16n8k4.row.col.f64.f64.f64.f64 "
               "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
               : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3])
               : "d"(a[0]), "d"(a[1]), "d"(b));
}
#endif

#ifndef FG_TENSOR_SUMS
#define tile_multiplied() ((void)0) /* from here on sums are read; for the tests */
#endif

/* Two neighbours, read at once. */
struct __align__(2 * sizeof(fg_real)) fg_two
{
  fg_real v[2];
};

/* ---- a b -------------------------------------------------------------------------------------- */

/* One product: what does not change on the way. */
struct fg_product {
  int n, k, row_step, column_step;
  const fg_real *b;
};

/* The terms of one step that a lane has, of rows g and g + 8. */
struct fg_terms {
  fg_wide part[2];
};

/* From term q on: neighbours if `wide`, else one by one with zeros after the last. */
static __device__ __forceinline__ void tile_terms(const fg_product *of, const fg_real *x, int q, bool wide,
                                                  fg_terms *to)
{
  TILE_UNROLL
  for (int h = 0; h < 2; h++) {
    const fg_real *row = x + (size_t)(8 * h) * of->row_step;
    if (wide) {
      to->part[h] = tile_load(row + q);
    } else {
      TILE_UNROLL
      for (int s = 0; s < FG_WIDE; s++)
        to->part[h].v[s] = q + s < of->k ? row[(size_t)(q + s) * of->column_step] : 0;
    }
  }
}

/* Of two steps odd lanes have read the second first. */
static __device__ __forceinline__ void tile_exchange(bool odd, fg_terms *one, fg_terms *two)
{
  TILE_UNROLL
  for (int h = 0; h < 2; h++) TILE_UNROLL
  for (int s = 0; s < FG_WIDE; s++) {
    const fg_real here = one->part[h].v[s], there = two->part[h].v[s];
    one->part[h].v[s] = odd ? there : here;
    two->part[h].v[s] = odd ? here : there;
  }
}

/* Where weights are read: all of b, or the buffer that holds its rows from `begin` on. */
struct fg_weights {
  int stage; /* rows of a buffer; 0: none */
  int begin, rows, turn;
  int mask; /* of columns, where rows are swizzled */
};

/* The buffer that holds rows q .. of b, the next on its way. All threads of the block call it. */
static __device__ __forceinline__ void tile_turn(const fg_product *of, int q, fg_weights *at)
{
  if (at->stage == 0 || q % at->stage != 0) return;
  const int next = q + at->stage, left = of->k - next;
  if (q == 0) tile_fetch(of->n, of->k, of->b, 0, at->stage, true, tile_stage(0));
  at->turn = q / at->stage % 2;
  at->begin = q;
  at->rows = left < 0 ? of->k - q : at->stage;
  __pipeline_wait_prior(0);
  __syncthreads(); /* this buffer is whole, and all are done with the other */
  if (left > 0)
    tile_fetch(of->n, of->k, of->b, next, left < at->stage ? left : at->stage, true,
               tile_stage(at->turn ^ 1));
}

/* sum += the terms of step q times their rows of b, PAIRS times 16 columns from j on, in a panel that begins at `first` and
 * is so wide. */
template <int PAIRS>
static __device__ __forceinline__ void tile_step(const fg_product *of, const fg_terms &terms, int q,
                                                 const fg_weights *at, int first, int width, int j,
                                                 fg_real (&sum)[PAIRS][2][4])
{
  const int lane = (int)threadIdx.x % 32, from = lane % 4 * FG_WIDE, column = (lane / 4 * 2) ^ at->mask;
  const fg_real *base = at->stage ? tile_stage(at->turn) : of->b;
  const int height = at->stage ? at->rows : of->k;
  const fg_real *w = base + (size_t)(height * first + (q - at->begin + from) * width + j - first + column);
  TILE_UNROLL
  for (int s = 0; s < FG_WIDE; s++) {
    const bool there = q + from + s < of->k;
    const fg_real a[2] = {terms.part[0].v[s], terms.part[1].v[s]};
    TILE_UNROLL
    for (int c = 0; c < PAIRS; c++) {
      fg_two y = {};
      if (there) y = *(const fg_two *)(w + s * width + FG_PAIR * c);
      TILE_UNROLL
      for (int f = 0; f < 2; f++) tile_multiply(sum[c][f], a, y.v[f]);
    }
  }
}

/* c = (init + sum) gate where a lane has it: rows g and g + 8, four neighbouring columns of each pair. */
template <int PAIRS>
static __device__ __forceinline__ void tile_finish(int n, int row, int column, const fg_real *init,
                                                   int init_step, const fg_real *gate,
                                                   const fg_real (&sum)[PAIRS][2][4], fg_real *c)
{
  TILE_UNROLL
  for (int h = 0; h < 2; h++) TILE_UNROLL
  for (int q = 0; q < PAIRS; q++) {
    const int i = row + 8 * h, j = column + FG_PAIR * q;
    const size_t to = (size_t)i * n + j;
    fg_four out;
    TILE_UNROLL
    for (int l = 0; l < FG_COLUMNS; l++) {
      out[l] = sum[q][l % 2][2 * h + l / 2];
      if (init) out[l] += init[(size_t)i * init_step + j + l];
    }
    if (gate) {
      fg_four factor = tile_load_four(gate + to);
      TILE_UNROLL
      for (int l = 0; l < FG_COLUMNS; l++) out[l] *= factor[l];
    }
    tile_store_four(c + to, out);
  }
}

/* As tile_matmul, 16 rows by PAIRS times 16 columns a warp, where that divides the columns of each panel. */
template <int PAIRS>
static __device__ __noinline__ void
tile_tensor_product(int p, int n, int k, const fg_real *a, int row_step, int column_step, const fg_real *b,
                    const fg_real *init, int init_step, const fg_real *gate, fg_real *c)
{
  const fg_product of = {n, k, row_step, column_step, b};
  const int lane = (int)threadIdx.x % 32, quad = lane % 4, odd = lane / 4 % 2;
  const int warps = (int)blockDim.x / 32, groups = n / (FG_PAIR * PAIRS), tiles = p / FG_PAIR * groups;
  const bool wide = column_step == 1 && row_step % FG_WIDE == 0 && tile_aligned(a);
  fg_weights at = {tile_stage_rows(n, k, FG_STEP, b), 0, 0, 0, 0};
  if (at.stage || (b >= tile_mode()->begin && b < tile_mode()->end)) at.mask = quad * FG_COLUMNS;
  TILE_ROLLED
  for (int base = 0; base < tiles; base += warps) {
    const int e = base + (int)threadIdx.x / 32;
    const bool active = e < tiles; /* the same for all lanes */
    const int i = (active ? e / groups * FG_PAIR : 0) + lane / 4,
              j = active ? e % groups * FG_PAIR * PAIRS : 0;
    const fg_real *x = a + (size_t)i * row_step;
    fg_real sum[PAIRS][2][4] = {};
    int first, width, q = 0;
    at.begin = 0;
    (void)tile_column(n, k, j, &first, &width);
    TILE_ROLLED
    for (; wide && q + 2 * FG_STEP <= k; q += 2 * FG_STEP) {
      fg_terms one = {}, two = {};
      tile_terms(&of, x, q + odd * FG_STEP + quad * FG_WIDE, true, &one);
      tile_terms(&of, x, q + (1 - odd) * FG_STEP + quad * FG_WIDE, true, &two);
      tile_exchange(odd, &one, &two);
      tile_turn(&of, q, &at);
      if (active) tile_step<PAIRS>(&of, one, q, &at, first, width, j, sum);
      tile_turn(&of, q + FG_STEP, &at);
      if (active) tile_step<PAIRS>(&of, two, q + FG_STEP, &at, first, width, j, sum);
    }
    TILE_ROLLED
    for (; q < k; q += FG_STEP) {
      fg_terms some = {};
      tile_turn(&of, q, &at);
      tile_terms(&of, x, q + quad * FG_WIDE, false, &some);
      if (active) tile_step<PAIRS>(&of, some, q, &at, first, width, j, sum);
    }
    if (at.stage) __syncthreads(); /* all are done with the buffers */
    if (active) tile_multiplied();
    if (active) tile_finish<PAIRS>(n, i, j + FG_COLUMNS * quad, init, init_step, gate, sum, c);
  }
  TILE_SYNC();
}

/* ---- a^T b -------------------------------------------------------------------------------------- */

/* Column h (0, 1) of lane g's pair t of BLOCKS times 16 columns. Of 32, a lane's two pairs lie so that lanes of either
 * parity of q may read the other first: half the lanes meet in a bank that all would. */
template <int BLOCKS> static __device__ __forceinline__ int tile_place(int g, int t)
{
  return BLOCKS == 1 ? 2 * g : g / 4 * FG_PAIR + 8 * t + g % 4 * 2;
}

template <int BLOCKS>
static __device__ __forceinline__ void tile_pairs(const fg_real *row, fg_two (&to)[BLOCKS])
{
  const int lane = (int)threadIdx.x % 32, odd = lane % 2;
  if (BLOCKS == 1) {
    to[0] = *(const fg_two *)(row + tile_place<BLOCKS>(lane / 4, 0));
    return;
  }
  const fg_two one = *(const fg_two *)(row + tile_place<BLOCKS>(lane / 4, odd));
  const fg_two two = *(const fg_two *)(row + tile_place<BLOCKS>(lane / 4, 1 - odd));
  TILE_UNROLL
  for (int h = 0; h < 2; h++) {
    to[0].v[h] = odd ? two.v[h] : one.v[h];
    to[BLOCKS - 1].v[h] = odd ? one.v[h] : two.v[h];
  }
}

/* As tile_outer, ROWS times 16 rows by COLUMNS times 16 columns a warp. */
template <int ROWS, int COLUMNS>
static __device__ __noinline__ void tile_tensor_outer(int p, int n, int k, const fg_real *a, int row_step,
                                                      const fg_real *b, fg_real *out)
{
  const int lane = (int)threadIdx.x % 32, quad = lane % 4, warps = (int)blockDim.x / 32;
  const int groups = n / (FG_PAIR * COLUMNS);
  const int tiles = fg_panel_padded(k) / (FG_PAIR * ROWS) * groups;
  TILE_ROLLED
  for (int e = (int)threadIdx.x / 32; e < tiles; e += warps) {
    const int j = e / groups * FG_PAIR * ROWS, c = e % groups * FG_PAIR * COLUMNS;
    fg_real sum[ROWS][COLUMNS][2][4] = {};
    TILE_ROLLED
    for (int i = quad; i < p; i += 4) {
      fg_two x[ROWS], y[COLUMNS];
      tile_pairs<ROWS>(a + (size_t)i * row_step + j, x);
      tile_pairs<COLUMNS>(b + (size_t)i * n + c, y);
      TILE_UNROLL
      for (int r = 0; r < ROWS; r++) TILE_UNROLL
      for (int s = 0; s < COLUMNS; s++) TILE_UNROLL
      for (int f = 0; f < 2; f++) tile_multiply(sum[r][s][f], x[r].v, y[s].v[f]);
    }
    tile_multiplied();
    TILE_UNROLL
    for (int s = 0; s < COLUMNS; s++) {
      const int column = c + tile_place<COLUMNS>(2 * quad, s);
      int first, width;
      fg_real *to = out + tile_column(n, k, column, &first, &width);
      TILE_UNROLL
      for (int r = 0; r < 2 * ROWS; r++) {
        const int line = j + tile_place<ROWS>(lane / 4, r / 2) + r % 2;
        if (line >= k) continue;
        fg_four old = tile_load_four(to + (size_t)line * width);
        TILE_UNROLL
        for (int l = 0; l < FG_COLUMNS; l++) old[l] += sum[r / 2][s][l % 2][r % 2 * 2 + l / 2];
        tile_store_four(to + (size_t)line * width, old);
      }
    }
  }
  TILE_SYNC();
}

/* As tile_outer, for rows of a that hold whole blocks. */
static __device__ __forceinline__ void tile_tensor_outer_any(int p, int n, int k, const fg_real *a,
                                                             int row_step, const fg_real *b, fg_real *out)
{
  const int rows = fg_panel_padded(k), blocks = rows / FG_PAIR * (n / FG_PAIR), warps = (int)blockDim.x / 32;
  const bool tall = rows % (2 * FG_PAIR) == 0, broad = n % (2 * FG_PAIR) == 0;
  if (tall && broad && blocks >= 4 * warps)
    tile_tensor_outer<2, 2>(p, n, k, a, row_step, b, out);
  else if (broad && blocks >= 2 * warps)
    tile_tensor_outer<1, 2>(p, n, k, a, row_step, b, out);
  else if (tall && blocks >= 2 * warps)
    tile_tensor_outer<2, 1>(p, n, k, a, row_step, b, out);
  else
    tile_tensor_outer<1, 1>(p, n, k, a, row_step, b, out);
}

#endif

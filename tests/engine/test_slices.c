/* needs: kernels cuda_on_cpu */
/* The slots slices and slice_ways: cpu, cpu-check and the CUDA kernels run on the CPU, against sorts by comparison and long
 * double sums. Orders are the same to the bit on all of them. */
#include "support/shim_engines.h"

#include "formula/slice.h"

/* RANKED: rows of either side that the CUDA engine sorts in one launch */
enum { RANKED = 512, MOST = 4100, D_MOST = 20, LINES = 5, WAYS = 64 };

enum { FIRST = SLOW, STEP = 1 + SLOW };

typedef enum masses { EVEN, ONE_SIDE, BOTH } masses;

typedef struct slice_case {
  const char *name;
  size_t n, m, d;
  masses masses;
  double far, grid; /* added to all coordinates; rounded to multiples of that, so that places coincide */
} slice_case;

static const slice_case cases[] = {
    {"one and one", 1, 1, 2, EVEN, 0, 0},
    {"one and many", 1, 300, 1, EVEN, 0, 0},
    {"many and one", 300, 1, 3, BOTH, 0, 0},
    {"seven", 7, 7, 1, EVEN, 0, 0},
    {"seven and nine", 7, 9, 2, ONE_SIDE, 0, 0},
    {"64", 64, 64, 3, BOTH, 0, 0},
    {"a part and one more", 257, 257, 2, EVEN, 0, 0},
    {"uneven", 1000, 64, 16, EVEN, 0, 0},
    {"uneven the other way", 600, 1000, 20, BOTH, 0, 0},
    {"1000", 1000, 1000, 2, EVEN, 0, 0},
    {"ties", 1000, 900, 2, ONE_SIDE, 0, 0.5},
    {"ties of equal weight", 700, 700, 1, EVEN, 0, 0.25},
    {"all at one place", 300, 200, 2, BOTH, 0, 1e9},
    {"far off", 1000, 1000, 2, EVEN, 1e9, 0},
    {"several tiles", MOST, 2100, 2, EVEN, 0, 0},
    {"several tiles with masses", 2049, 2500, 3, BOTH, -1e6, 0x1p-10},
};
enum { CASES = sizeof cases / sizeof *cases };

static double x[MOST * D_MOST], y[MOST * D_MOST], line[LINES * D_MOST];
static int64_t mass_x[MOST], mass_y[MOST], total;
static uint32_t order[LINES][MOST], order_y[MOST];
static double cost[LINES], gradient[LINES][D_MOST], size[LINES]; /* size: of the terms of the gradient */

static double rounded(double value, double grid)
{
  return grid > 0 ? grid * rint(value / grid) : value;
}

/* Both sides hold n m parts of mass, dealt unevenly where they have masses. */
static void fill(const slice_case *c)
{
  case_state = 3;
  for (size_t i = 0; i < c->n * c->d; i++) x[i] = rounded(draw(1), c->grid) + c->far;
  for (size_t i = 0; i < c->m * c->d; i++) y[i] = rounded(0.3 + draw(1.5), c->grid) + c->far;
  for (size_t i = 0; i < LINES * c->d; i++) line[i] = i < c->d ? (i == 0) : draw(1);
  total = (int64_t)(c->n * c->m) * 1000;
  for (int side = 0; side < 2; side++) {
    const size_t rows = side ? c->m : c->n;
    int64_t *mass = side ? mass_y : mass_x, even = total / (int64_t)rows;
    for (size_t i = 0; i < rows; i++) mass[i] = even;
    for (size_t i = 0; i + 1 < rows && (c->masses == BOTH || (c->masses == ONE_SIDE && side)); i += 2) {
      const int64_t moved = (int64_t)(0.9 * fabs(draw(1)) * (double)even);
      mass[i] += moved;
      mass[i + 1] -= moved;
    }
  }
}

static double places[MOST];

static int by_place(const void *a, const void *b)
{
  const uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
  if (places[i] != places[j]) return places[i] < places[j] ? -1 : 1;
  return i < j ? -1 : i > j;
}

static void order_of(size_t n, size_t d, const double *rows, const double *along, uint32_t *to)
{
  for (size_t i = 0; i < n; i++) {
    places[i] = fg_project(rows + i * d, d, along);
    to[i] = (uint32_t)i;
  }
  qsort(to, n, sizeof *to, by_place);
}

static void reference(const slice_case *c)
{
  for (size_t l = 0; l < LINES; l++) {
    const double *along = line + l * c->d;
    long double sum = 0, slope[D_MOST] = {0}, terms = 0;
    order_of(c->m, c->d, y, along, order_y);
    order_of(c->n, c->d, x, along, order[l]);
    int64_t left_x = mass_x[order[l][0]], left_y = mass_y[order_y[0]];
    for (size_t i = 0, j = 0; i < c->n && j < c->m;) {
      const double *from = x + order[l][i] * c->d, *to = y + order_y[j] * c->d;
      const int64_t amount = left_x < left_y ? left_x : left_y;
      const long double gap = (long double)fg_project(from, c->d, along) - fg_project(to, c->d, along);
      const long double share = (long double)amount / total;
      sum += share * gap * gap;
      for (size_t k = 0; k < c->d; k++) {
        slope[k] += share * gap * ((long double)from[k] - to[k]);
        terms += share * fabsl(gap * ((long double)from[k] - to[k]));
      }
      left_x -= amount;
      left_y -= amount;
      if (left_x == 0 && ++i < c->n) left_x = mass_x[order[l][i]];
      if (left_y == 0 && ++j < c->m) left_y = mass_y[order_y[j]];
    }
    cost[l] = (double)sum;
    size[l] = (double)terms;
    for (size_t k = 0; k < c->d; k++) gradient[l][k] = (double)slope[k];
  }
}

typedef struct answer {
  double cost[LINES], gradient[LINES * D_MOST];
  uint32_t order[LINES * MOST];
} answer;

/* wanted: 1 gradients, 2 orders */
static void run(fg_engine *e, const slice_case *c, int wanted, answer *to)
{
  const size_t one = sizeof(double);
  guarded gx = guarded_open(e, c->n * c->d * one, x), gy = guarded_open(e, c->m * c->d * one, y);
  guarded wx = guarded_open(e, c->n * one, mass_x), wy = guarded_open(e, c->m * one, mass_y);
  guarded gl = guarded_open(e, LINES * c->d * one, line), gc = guarded_open(e, LINES * one, NULL);
  guarded gg = guarded_open(e, LINES * c->d * one, NULL);
  guarded go = guarded_open(e, LINES * c->n * sizeof(uint32_t), NULL);
  fg_slices_request r = {.n = c->n, .m = c->m, .d = c->d, .directions = LINES, .total = total};
  r.x = gx.inner;
  r.y = gy.inner;
  r.mass_x = wx.inner;
  r.mass_y = wy.inner;
  r.alike = c->masses == EVEN;
  r.direction = gl.inner;
  r.cost = gc.inner;
  if (wanted & 1) r.gradient = gg.inner;
  if (wanted & 2) r.order = go.inner;
  MUST(e->ops->slices(e, e->threads, &r, ST));
  guarded_close(e, &gc, to->cost);
  guarded_close(e, &gg, to->gradient);
  guarded_close(e, &go, to->order);
  guarded *const rest[] = {&gx, &gy, &wx, &wy, &gl};
  for (int k = 0; k < 5; k++) guarded_close(e, rest[k], NULL);
}

/* Sums of 256 terms in double: 1e-13 of the sum of their sizes; a gradient on the CPU is one plain sum of n + m of them. */
static void close_to(const slice_case *c, const char *engine, int wanted, const answer *got)
{
  for (size_t l = 0; l < LINES; l++) {
    if (!(fabs(got->cost[l] - cost[l]) <= 1e-13 * cost[l]))
      fail_msg("%s, %s: cost[%zu] is %.17g, expected %.17g", engine, c->name, l, got->cost[l], cost[l]);
    for (size_t k = 0; k < c->d && (wanted & 1); k++)
      if (!(fabs(got->gradient[l * c->d + k] - gradient[l][k]) <= 1e-12 * size[l]))
        fail_msg("%s, %s: gradient[%zu][%zu] is %.17g, expected %.17g", engine, c->name, l, k,
                 got->gradient[l * c->d + k], gradient[l][k]);
    if ((wanted & 2) && memcmp(got->order + l * c->n, order[l], c->n * sizeof **order) != 0)
      fail_msg("%s, %s: order along direction %zu", engine, c->name, l);
  }
}

static answer a, b;

static void engines_agree(void **state)
{
  (void)state;
  for (size_t k = FIRST; k < CASES; k += STEP)
    for (int wanted = 0; wanted < 4; wanted++) {
      const slice_case *c = &cases[k];
      if ((wanted == 1 || wanted == 2) && k / 2 != 2) continue; /* 3 has both */
      fill(c);
      reference(c);
      run(cpu, c, wanted, &a);
      close_to(c, "cpu", wanted, &a);
      run(check, c, wanted, &b);
      assert_memory_equal(a.cost, b.cost, sizeof a.cost);
      close_to(c, "cpu-check", wanted, &b);
      run(shim, c, wanted, &a);
      close_to(c, "cuda", wanted, &a);
    }
}

/* The order in which blocks and threads run changes no bit. */
static void any_order(void **state)
{
  (void)state;
#ifdef __SANITIZE_THREAD__
  skip();
#endif
  for (size_t k = 5; k < CASES; k += 5 * STEP) {
    const slice_case *c = &cases[k];
    fill(c);
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    shim_shuffle(1);
    run(shim, c, 3, &a);
    shim_shuffle(2 + (unsigned)k);
    run(shim, c, 3, &b);
    assert_memory_equal(&a, &b, sizeof a);
  }
}

/* Without a cost x alone is sorted, y not even looked at; gradients only where the cost is above. */
static void parts_of_it(void **state)
{
  (void)state;
  const slice_case *c = &cases[9];
  fg_engine *const engines[] = {cpu, check, shim};
  fill(c);
  reference(c);
  for (int k = 0; k < 3; k++) {
    fg_engine *e = engines[k];
    double least[LINES];
    guarded gx = guarded_open(e, c->n * c->d * sizeof *x, x);
    guarded gl = guarded_open(e, LINES * c->d * sizeof *line, line);
    guarded go = guarded_open(e, LINES * c->n * sizeof(uint32_t), NULL);
    fg_slices_request r = {.n = c->n, .d = c->d, .directions = LINES};
    r.x = gx.inner;
    r.direction = gl.inner;
    r.order = go.inner;
    MUST(e->ops->slices(e, e->threads, &r, ST));
    guarded_close(e, &go, a.order);
    for (size_t l = 0; l < LINES; l++)
      assert_memory_equal(a.order + l * c->n, order[l], c->n * sizeof **order);
    guarded gy = guarded_open(e, c->m * c->d * sizeof *y, y);
    guarded wx = guarded_open(e, c->n * sizeof *mass_x, mass_x),
            wy = guarded_open(e, c->m * sizeof *mass_y, mass_y);
    guarded gc = guarded_open(e, sizeof cost, NULL), gg = guarded_open(e, LINES * c->d * sizeof *x, NULL);
    for (size_t l = 0; l < LINES; l++) least[l] = l % 2 ? 2 * cost[l] : cost[l] / 2;
    r = (fg_slices_request){.n = c->n, .m = c->m, .d = c->d, .directions = LINES, .total = total, .alike = 1};
    r.x = gx.inner;
    r.y = gy.inner;
    r.mass_x = wx.inner;
    r.mass_y = wy.inner;
    r.direction = gl.inner;
    r.cost = gc.inner;
    r.gradient = gg.inner;
    r.least = least;
    MUST(e->ops->slices(e, e->threads, &r, ST));
    guarded_close(e, &gg, a.gradient);
    for (size_t l = 0; l < LINES; l += 2)
      for (size_t i = 0; i < c->d; i++)
        assert_true(fabs(a.gradient[l * c->d + i] - gradient[l][i]) <= 1e-12 * size[l]);
    guarded *const rest[] = {&gx, &gy, &wx, &wy, &gl, &gc};
    for (int i = 0; i < 6; i++) guarded_close(e, rest[i], NULL);
  }
}

/* ---- ways ------------------------------------------------------------------------------------- */

static double weight[MOST];
static uint64_t side[MOST];

static void deal(size_t n, size_t ways)
{
  case_state = 17;
  for (size_t i = 0; i < n; i++) {
    side[i] = 0;
    weight[i] = 0.5 + fabs(draw(1));
    for (size_t k = 0; k < ways; k++) /* halves, thirds, ... ; row 0 here, row 1 there */
      if (i == 1 || (i > 0 && (k == 0 ? i % 2 : fabs(draw(1)) < 1.0 / (double)(1 + k % 5))))
        side[i] |= (uint64_t)1 << k;
  }
}

static double way_reference(const slice_case *c, size_t l, size_t way, const double *w)
{
  static size_t rows[2][MOST];
  size_t count[2] = {0, 0}, at[2] = {0, 0};
  long double all[2] = {0, 0}, sum = 0, left[2], so_far = 0;
  for (size_t i = 0; i < c->n; i++) {
    const size_t row = order[l][i], s = side[row] >> way & 1;
    rows[s][count[s]++] = row;
    all[s] += w ? w[row] : 1;
  }
  for (int s = 0; s < 2; s++) left[s] = (w ? w[rows[s][0]] : 1) / all[s];
  while (at[0] < count[0] && at[1] < count[1]) {
    const long double amount = fminl(left[0], left[1]);
    const long double gap = (long double)fg_project(x + rows[0][at[0]] * c->d, c->d, line + l * c->d) -
                            fg_project(x + rows[1][at[1]] * c->d, c->d, line + l * c->d);
    sum += amount * gap * gap;
    so_far += amount;
    for (int s = 0; s < 2; s++) {
      left[s] -= amount;
      if (left[s] <= 1e-18L && ++at[s] < count[s]) left[s] = (w ? w[rows[s][at[s]]] : 1) / all[s];
    }
  }
  assert_true(fabsl(so_far - 1) < 1e-15L);
  return (double)sum;
}

static void ways_on(fg_engine *e, const slice_case *c, size_t ways, int weighted, double *to)
{
  guarded gx = guarded_open(e, c->n * c->d * sizeof *x, x),
          gw = guarded_open(e, c->n * sizeof *weight, weight);
  guarded gl = guarded_open(e, LINES * c->d * sizeof *line, line);
  guarded gs = guarded_open(e, c->n * sizeof *side, side);
  guarded gc = guarded_open(e, LINES * ways * sizeof(double), NULL);
  fg_slice_ways_request r = {.n = c->n, .d = c->d, .directions = LINES, .ways = ways};
  r.x = gx.inner;
  if (weighted) r.weight = gw.inner;
  r.direction = gl.inner;
  r.side = gs.inner;
  r.cost = gc.inner;
  MUST(e->ops->slice_ways(e, e->threads, &r, ST));
  guarded_close(e, &gc, to);
  guarded *const rest[] = {&gx, &gw, &gl, &gs};
  for (int k = 0; k < 4; k++) guarded_close(e, rest[k], NULL);
}

/* Weights are summed up as doubles: the ends of rows are off by some roundings of 1. */
static void ways_agree(void **state)
{
  static const struct {
    size_t which, ways;
  } plans[] = {{4, 3}, {6, WAYS}, {10, 9}, {14, 2}};
  static double got[LINES * WAYS];
  fg_engine *const engines[] = {cpu, check, shim};
  (void)state;
  for (size_t p = 0; p < sizeof plans / sizeof *plans; p += STEP)
    for (int weighted = 0; weighted < 2; weighted++)
      for (int k = 0; k < 3; k++) {
        const slice_case *c = &cases[plans[p].which];
        const size_t ways = plans[p].ways;
        fill(c);
        reference(c);
        deal(c->n, ways);
        ways_on(engines[k], c, ways, weighted, got);
        for (size_t l = 0; l < LINES; l++)
          for (size_t way = 0; way < ways; way += 1 + ways / 8) {
            const double expected = way_reference(c, l, way, weighted ? weight : NULL);
            if (!(fabs(got[l * ways + way] - expected) <= (weighted ? 1e-12 : 1e-13) * (1 + expected)))
              fail_msg("%s, %s, weighted %d: way %zu along %zu is %.17g, expected %.17g", engines[k]->name,
                       c->name, weighted, way, l, got[l * ways + way], expected);
          }
      }
}

/* ---- refusals and failures ------------------------------------------------------------------------ */

static void stops(fg_engine *e)
{
  volatile sig_atomic_t stop = 1;
  const fg_progress progress = {NULL, NULL, &stop};
  fg_status st = {0};
  guarded one = guarded_draws(e, 2, 1), two = guarded_draws(e, 2, 1);
  fg_slices_request r = {
      .n = 1, .m = 1, .d = 1, .directions = 1, .alike = 1, .total = 1, .progress = &progress};
  fg_slice_ways_request w = {.n = 2, .d = 1, .directions = 1, .ways = 1, .progress = &progress};
  r.x = r.y = r.mass_x = r.mass_y = r.direction = one.inner;
  r.cost = two.inner;
  w.x = w.direction = w.side = one.inner;
  w.cost = two.inner;
  assert_int_equal(e->ops->slices(e, NULL, &r, &st), FG_INTERRUPTED);
  assert_int_equal(e->ops->slice_ways(e, NULL, &w, &st), FG_INTERRUPTED);
  stop = 0;
  MUST(e->ops->slices(e, NULL, &r, ST));
  r.n = 0;
  assert_int_equal(e->ops->slices(e, NULL, &r, &st), FG_USAGE);
  w.n = 1;
  assert_int_equal(e->ops->slice_ways(e, NULL, &w, &st), FG_USAGE);
  w.n = 2;
  w.ways = FG_SLICE_WAYS + 1;
  assert_int_equal(e->ops->slice_ways(e, NULL, &w, &st), FG_USAGE);
  guarded_close(e, &one, NULL);
  guarded_close(e, &two, NULL);
}

static void interruption(void **state)
{
  (void)state;
  stops(cpu);
  stops(shim);
}

static fg_code slices(void *request, fg_status *st)
{
  return shim->ops->slices(shim, NULL, request, st);
}

static fg_code slice_ways(void *request, fg_status *st)
{
  return shim->ops->slice_ways(shim, NULL, request, st);
}

static void failures(void **state)
{
  (void)state;
  static const fault large[] = {{"cudaSetDevice", "cudaSetDevice", 700, 0, FG_FAILED},
                                {"fg_project_kernel", "did not launch", 700, 0, FG_FAILED},
                                {"fg_tile_sort_kernel", "did not launch", 700, 0, FG_FAILED},
                                {"fg_sort_scan_kernel", "did not launch", 700, 0, FG_FAILED},
                                {"fg_scatter_kernel", "did not launch", 700, 0, FG_FAILED},
                                {"fg_mass_kernel", "did not launch", 700, 0, FG_FAILED},
                                {"fg_plan_kernel", "did not launch", 700, 0, FG_FAILED},
                                {"fg_plan_sum_kernel", "did not launch", 700, 0, FG_FAILED},
                                {"fg_order_kernel", "did not launch", 700, 0, FG_FAILED}};
  static const fault small[] = {{"fg_rank_kernel", "did not launch", 700, 0, FG_FAILED}};
  static const fault ways[] = {{"fg_way_count_kernel", "did not launch", 700, 0, FG_FAILED},
                               {"fg_way_kernel", "did not launch", 700, 0, FG_FAILED}};
  enum { ROWS = RANKED + 1 };
  static const int64_t all = ROWS;
  static const uint64_t sides[2] = {0, 1};
  static int64_t ones[ROWS];
  const long before = shim_live();
  for (size_t i = 0; i < ROWS; i++) ones[i] = 1;
  guarded rows = guarded_draws(shim, ROWS, 1), costs = guarded_draws(shim, 1, 1);
  guarded each = guarded_open(shim, sizeof ones, ones), sum = guarded_open(shim, sizeof all, &all);
  guarded ranks = guarded_open(shim, ROWS * sizeof(uint32_t), NULL);
  guarded two = guarded_open(shim, sizeof sides, sides);
  fg_slices_request r = {.n = ROWS, .m = 1, .d = 1, .directions = 1, .total = ROWS};
  fg_slice_ways_request w = {.n = 2, .d = 1, .directions = 1, .ways = 1};
  r.x = r.y = r.direction = w.x = w.direction = rows.inner;
  r.mass_x = each.inner;
  r.mass_y = sum.inner;
  r.cost = w.cost = costs.inner;
  r.order = ranks.inner;
  w.side = two.inner;
  faults_are_told(large, sizeof large / sizeof *large, slices, &r);
  r.n = 1;
  r.total = 1;
  r.mass_y = each.inner;
  faults_are_told(small, 1, slices, &r);
  faults_are_told(ways, 2, slice_ways, &w);
  guarded *const held[] = {&rows, &costs, &each, &sum, &ranks, &two};
  for (int k = 0; k < 6; k++) guarded_close(shim, held[k], NULL);
  assert_int_equal(shim_live(), before);
}

/* Devices of little memory: fewer directions at once, the same bits; then a message. More devices: the same bits. */
static void devices(void **state)
{
  const slice_case *c = &cases[11];
  const size_t bytes[] = {PLENTY, 400000, 200000, 60000};
  (void)state;
  fill(c);
  fg_engine_close(&shim); /* its memory is that of the device */
  for (int count = 1; count < 4; count += 2)
    for (int k = 0; k < (count == 1 ? 4 : 1); k++) {
      fg_engine *e = NULL;
      shim_devices(count, bytes[k]);
      MUST(fg_cuda_engine_open(1, &e, ST));
      if (k < 3) {
        static double got[LINES * 8], expected[LINES * 8];
        memset(&b, 0, sizeof b);
        run(e, c, 3, count == 1 && k == 0 ? &a : &b);
        deal(c->n, 8);
        ways_on(e, c, 8, 1, count == 1 && k == 0 ? expected : got);
        if (count == 1 && k == 0) memcpy(got, expected, sizeof got);
        if (count != 1 || k != 0) {
          assert_memory_equal(a.cost, b.cost, sizeof a.cost);
          assert_memory_equal(a.gradient, b.gradient, LINES * c->d * sizeof *x);
          assert_memory_equal(a.order, b.order, LINES * c->n * sizeof *a.order);
        }
        assert_memory_equal(got, expected, sizeof got);
      } else {
        fg_status st;
        guarded gx = guarded_open(e, c->n * sizeof *x, x), gl = guarded_open(e, LINES * sizeof *x, line);
        fg_slices_request r = {.n = c->n, .d = 1, .directions = LINES};
        r.x = gx.inner;
        r.direction = gl.inner;
        r.n = 6 * c->n; /* told before anything is read */
        assert_int_equal(e->ops->slices(e, e->threads, &r, &st), FG_MEMORY);
        assert_non_null(strstr(st.message, "slices"));
        guarded_close(e, &gx, NULL);
        guarded_close(e, &gl, NULL);
      }
      fg_engine_close(&e);
    }
  shim_devices(1, PLENTY);
  MUST(fg_cuda_engine_open(1, &shim, ST));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(engines_agree), cmocka_unit_test(any_order),    cmocka_unit_test(parts_of_it),
      cmocka_unit_test(ways_agree),    cmocka_unit_test(interruption), cmocka_unit_test(failures),
      cmocka_unit_test(devices),
  };
  return cmocka_run_group_tests(tests, open_three, close_engines);
}

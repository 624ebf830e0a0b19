/* needs: train cuda_on_cpu */
/* Memory of the CUDA engine, on the CPU by the shim: blocks that are kept and taken again, uploads and launches that do not
 * wait, fewer blocks of threads at once where memory is short, and what is said where it is not enough. */
#include "support/shim_cases.h"

#include "support/objective_case.h"

static const field_case network = {
    .name = "softplus", .network = 1, .d = 2, .activation = FG_SOFTPLUS, .layers = 3, .width = {20, 96, 33}};

static fg_engine *open_with(size_t bytes)
{
  fg_engine *e = NULL;
  shim_devices(1, bytes);
  MUST(fg_cuda_engine_open(1, &e, ST));
  return e;
}

static void test_buffers(void **state)
{
  (void)state;
  fg_engine *e = open_with(PLENTY);
  fg_buf buf;
  fg_status st = {0};
  char text[6] = "abcde", back[6] = "";
  MUST(e->ops->alloc(e, 6, &buf, ST));
  MUST(e->ops->upload(e, buf, 0, text, 6, ST));
  MUST(e->ops->upload(e, buf, 2, "xy", 2, ST));
  MUST(e->ops->download(e, back, buf, 1, 4, ST));
  assert_string_equal(back, "bxye");
  MUST(e->ops->zero(e, buf, ST));
  MUST(e->ops->sync(e, ST));
  MUST(e->ops->download(e, back, buf, 0, 6, ST));
  assert_memory_equal(back, "\0\0\0\0\0", 6);
  assert_int_equal(e->ops->upload(e, buf, 4, text, 3, &st), FG_FAILED);
  assert_string_equal(st.message, "bytes 4 to 7 are outside a buffer of 6 bytes");
  assert_int_equal(e->ops->download(e, back, buf, 7, 0, &st), FG_FAILED);
  e->ops->free(e, &buf);
  assert_null(buf.device);
  e->ops->free(e, &buf);
  MUST(e->ops->alloc(e, 0, &buf, ST));
  e->ops->free(e, &buf);
  fg_engine_close(&e);
}

/* ---- blocks ------------------------------------------------------------------------------------ */

enum { TASKS = 6, POINTS = 50, TURNS = 5 };

typedef struct crowd {
  fg_engine *e;
  held_field field;
  guarded y[TASKS], dy[TASKS];
} crowd;

static void right_hand_sides(void *argument, size_t task, int worker)
{
  crowd *all = argument;
  fg_ode_request r;
  (void)worker;
  memset(&r, 0, sizeof r);
  r.n = POINTS;
  r.coeff = coeff_at(0.7);
  r.y = all->y[task].inner;
  r.dy = all->dy[task].inner;
  for (int turn = 0; turn < TURNS; turn++) {
    MUST(all->e->ops->ode_rhs(all->e, &all->field.field, &r, ST));
    assert_true(isfinite(all->e->ops->vec_reduce(all->e, FG_VEC_DOT, 2 * POINTS, r.y, r.dy)));
  }
}

/* Threads work at once, so each needs scratch of its own; after a first round there is enough for all. */
static void test_kept(void **state)
{
  (void)state;
  enum { WORKERS = 4, ROUNDS = SLOW ? 2 : 20 };
  crowd all = {.e = open_with(PLENTY)};
  fg_threads *pool = NULL;
  MUST(fg_threads_create(WORKERS, &pool, ST));
  all.field = field_open(all.e, &network);
  for (int k = 0; k < TASKS; k++) {
    all.y[k] = guarded_draws(all.e, 2 * POINTS, 2);
    all.dy[k] = guarded_open(all.e, 2 * POINTS * sizeof(double), NULL);
  }
  const long before = shim_calls("cudaMalloc"), freed = shim_calls("cudaFree");
  for (int round = 0; round < ROUNDS; round++) fg_threads_run(pool, TASKS, right_hand_sides, &all);
  assert_true(shim_calls("cudaMalloc") - before <= 2 * WORKERS); /* one for either slot and thread */
  const long later = shim_calls("cudaMalloc");
  for (int round = 0; round < 2; round++) right_hand_sides(&all, 0, 0);
  assert_int_equal(shim_calls("cudaMalloc"), later);
  assert_int_equal(shim_calls("cudaFree"), freed);
  for (int k = 0; k < TASKS; k++) {
    guarded_close(all.e, &all.y[k], NULL);
    guarded_close(all.e, &all.dy[k], NULL);
  }
  field_close(all.e, &all.field);
  fg_threads_destroy(&pool);
  fg_engine_close(&all.e);
  assert_true(shim_calls("cudaFree") >
              freed); /* and at the end of the program the shim counts what is left */
}

/* Blocks go from thread to thread with copies under way; nobody meets another's numbers. */
static void churn(void *argument, size_t task, int worker)
{
  enum { MOST = 3000 };
  fg_engine *e = argument;
  unsigned char sent[MOST], got[MOST];
  (void)worker;
  for (unsigned turn = 0; turn < 100; turn++) {
    const size_t bytes = 1 + (task * 977 + turn * 131) % MOST;
    fg_buf buf;
    memset(sent, (int)(task + turn * 7), bytes);
    MUST(e->ops->alloc(e, bytes, &buf, ST));
    MUST(e->ops->upload(e, buf, 0, sent, bytes, ST));
    memset(sent, 0, bytes); /* was staged */
    if (turn % 3) MUST(e->ops->download(e, got, buf, 0, bytes, ST));
    for (size_t i = 0; i < bytes && turn % 3; i++) assert_int_equal(got[i], (unsigned char)(task + turn * 7));
    e->ops->free(e, &buf);
  }
}

static void test_churn(void **state)
{
  (void)state;
  fg_engine *e = open_with(PLENTY);
  fg_threads *pool = NULL;
  MUST(fg_threads_create(4, &pool, ST));
  fg_threads_run(pool, 8, churn, e);
  fg_threads_destroy(&pool);
  assert_int_equal(shim_live(), 0);
  fg_engine_close(&e);
}

/* What nobody uses goes back to CUDA before memory is said to be lacking. */
static void test_trimmed(void **state)
{
  (void)state;
  enum { MANY = 40 };
  fg_engine *e = open_with(1 << 20);
  fg_buf small[MANY], large;
  fg_status st;
  for (int k = 0; k < MANY; k++) MUST(e->ops->alloc(e, 20000, &small[k], ST));
  assert_int_equal(e->ops->alloc(e, 600000, &large, &st), FG_MEMORY);
  if (!strstr(st.message, "on device 0 failed: out of memory (2), ") ||
      !strstr(st.message, " of 1048576 bytes are free: use fewer particles"))
    fail_msg("%s", st.message);
  for (int k = 0; k < MANY; k++) e->ops->free(e, &small[k]);
  MUST(e->ops->alloc(e, 600000, &large, ST));
  e->ops->free(e, &large);
  fg_engine_close(&e);
}

/* ---- uploads ------------------------------------------------------------------------------------- */

typedef struct looked {
  fg_engine *e;
  fg_buf buf;
  unsigned char *got;
  size_t bytes;
} looked;

static void look(void *argument, size_t task, int worker)
{
  looked *l = argument;
  (void)worker;
  if (task == 1) MUST(l->e->ops->download(l->e, l->got, l->buf, 0, l->bytes, ST));
}

/* The host may change what it sent at once, and another thread finds what was sent. */
static void upload_of(size_t bytes, const char *fails, int waits)
{
  fg_engine *e = open_with(PLENTY);
  fg_threads *pool = NULL;
  looked l = {.e = e, .bytes = bytes, .got = malloc(bytes)};
  unsigned char *sent = malloc(bytes);
  assert_non_null(l.got);
  assert_non_null(sent);
  MUST(fg_threads_create(2, &pool, ST));
  for (size_t i = 0; i < bytes; i++) sent[i] = (unsigned char)(i * 7 + i / 251);
  MUST(e->ops->alloc(e, bytes, &l.buf, ST));
  const long staged = shim_calls("cudaMallocHost"), waited = shim_calls("cudaStreamSynchronize");
  if (fails) shim_fail(fails, 999);
  MUST(e->ops->upload(e, l.buf, 0, sent, bytes, ST));
  assert_int_equal(shim_calls("cudaStreamSynchronize") - waited, waits);
  assert_true(shim_calls("cudaMallocHost") - staged <= 5); /* 16 MiB, four at a time */
  memset(sent, 0, bytes);
  fg_threads_run(pool, 2, look, &l);
  for (size_t i = 0; i < bytes; i++)
    if (l.got[i] != (unsigned char)(i * 7 + i / 251)) fail_msg("byte %zu of %zu is %d", i, bytes, l.got[i]);
  e->ops->free(e, &l.buf);
  fg_threads_destroy(&pool);
  fg_engine_close(&e);
  free(l.got);
  free(sent);
}

static void test_uploads(void **state)
{
  (void)state;
  upload_of(1, NULL, 0);
  upload_of(10000, NULL, 0);
  upload_of((40 << 20) + 123, NULL, 0);
  upload_of(10000, "cudaMallocHost", 1); /* no pinned memory: slower, but it goes */
}

/* ---- launches that do not wait ----------------------------------------------------------------------- */

/* What did not wait: a failure on the device is told by the next call that waits, which names it, once. */
static void test_late_failures(void **state)
{
  (void)state;
  fg_engine *e = open_with(PLENTY);
  held_field h = field_open(e, &network);
  guarded x = guarded_draws(e, 20, 1);
  const fg_ode_request o = {.n = 10, .coeff = coeff_at(1), .y = x.inner, .dy = x.inner};
  double out[20];
  fg_status st = {0};
  for (int jvp = 0; jvp < 2; jvp++) {
    fg_ode_request r = o;
    char expected[100];
    if (jvp) r.v = r.jv = x.inner;
    snprintf(expected, sizeof expected, "after the kernel %s (1 blocks of ", jvp ? "ode_jvp" : "ode_rhs");
    const long waits = shim_calls("cudaStreamSynchronize");
    for (int turn = 0; turn < 5; turn++) MUST((jvp ? e->ops->ode_jvp : e->ops->ode_rhs)(e, &h.field, &r, ST));
    assert_int_equal(shim_calls("cudaStreamSynchronize"), waits);
    shim_fail("cudaStreamSynchronize", 700);
    fails(e->ops->download(e, out, x.inner, 0, sizeof out, &st), &st, FG_FAILED, expected);
    MUST(e->ops->download(e, out, x.inner, 0, sizeof out, ST));
    MUST((jvp ? e->ops->ode_jvp : e->ops->ode_rhs)(e, &h.field, &r, ST));
    shim_fail("cudaStreamSynchronize", 700);
    assert_true(isnan(e->ops->vec_reduce(e, FG_VEC_DOT, 20, x.inner, x.inner)));
    fails(e->ops->ode_rhs(e, &h.field, &r, &st), &st, FG_FAILED, expected);
    MUST(e->ops->sync(e, ST));
  }
  guarded_close(e, &x, NULL);
  field_close(e, &h);
  fg_engine_close(&e);
}

/* ---- too little memory ------------------------------------------------------------------------------ */

/* eleven tiles, or five */
enum { N = SLOW ? 260 : 700, STEPS = SLOW ? 1 : 3, SHRINK = SLOW ? 4 : 8 };

/* Simulate on a device of so many bytes; x: what came out; launches: kernels that it took. */
static fg_code simulate_within(size_t bytes, double *x, long *launches, fg_status *st)
{
  fg_engine *e = open_with(bytes);
  held_field h = field_open(e, &network);
  fg_coeff coeff[STEPS + 1];
  guarded start = guarded_draws(e, 2 * N, 1), lost = guarded_open(e, 4 * N, NULL);
  fg_simulate_request r;
  for (int k = 0; k <= STEPS; k++) coeff[k] = coeff_at(1 - 0.2 * k);
  memset(&r, 0, sizeof r);
  r.n = N;
  r.tile = 64;
  r.lambda = 0.5;
  r.steps = STEPS;
  r.coeff = coeff;
  r.x = start.inner;
  r.lost_step = lost.inner;
  *launches = shim_calls("fg_simulate_kernel");
  const fg_code rc = e->ops->simulate(e, e->threads, &h.field, &r, st);
  *launches = shim_calls("fg_simulate_kernel") - *launches;
  guarded_close(e, &start, x);
  guarded_close(e, &lost, NULL);
  field_close(e, &h);
  fg_engine_close(&e);
  return rc;
}

static fg_code ode_within(size_t bytes, double *x, long *launches, fg_status *st)
{
  fg_engine *e = open_with(bytes);
  held_field h = field_open(e, &network);
  guarded y = guarded_draws(e, 2 * N, 1), dy = guarded_open(e, 2 * N * sizeof *x, NULL);
  fg_ode_request r;
  memset(&r, 0, sizeof r);
  r.n = N;
  r.coeff = coeff_at(0.7);
  r.y = y.inner;
  r.dy = dy.inner;
  *launches = shim_calls("cudaMalloc"); /* one launch, but more tries */
  const fg_code rc = e->ops->ode_rhs(e, &h.field, &r, st);
  *launches = shim_calls("cudaMalloc") - *launches;
  guarded_close(e, &y, NULL);
  guarded_close(e, &dy, x);
  field_close(e, &h);
  fg_engine_close(&e);
  return rc;
}

typedef fg_code within(size_t bytes, double *x, long *launches, fg_status *st);

static void shrink(within *run, const char *says)
{
  static double expected[2 * N], x[2 * N];
  fg_status st;
  long launches = 0, most = 0;
  fg_code rc;
  size_t bytes = 16 << 20;
  assert_int_equal(run(PLENTY, expected, &launches, &st), FG_OK);
  while ((rc = run(bytes, x, &launches, &st)) == FG_OK) {
    assert_memory_equal(x, expected, sizeof x);
    assert_true(launches >= most); /* less memory is never quicker */
    most = launches;
    bytes -= bytes / SHRINK;
  }
  print_message("%ld at most; at %zu bytes: %s\n", most, bytes, st.message);
  assert_true(most >= 3);
  assert_int_equal(rc, FG_MEMORY);
  if (strncmp(st.message, says, strlen(says)) ||
      !strstr(st.message, "bytes for one block of threads: cudaMalloc of ") ||
      !strstr(st.message, "are free: use fewer particles") || !strstr(st.message, "or --engine cpu"))
    fail_msg("%s", st.message);
}

enum { SHARED = 232448 };

/* Without shared memory, where else all of this scratch would be. */
static void test_waves(void **state)
{
  (void)state;
  shim_shared(0);
  shrink(simulate_within, "the kernel simulate needs ");
  shrink(ode_within, "the kernel ode_rhs needs ");
  shim_shared(SHARED);
}

/* Gradients: arrays of blocks and scratch; fewer at once change no bit of the sums. */
static void test_gradients(void **state)
{
  static const objective_shape shape = {.name = "wide",
                                        .d = 2,
                                        .form = FG_VECTOR,
                                        .hidden = {64, 64},
                                        .activation = FG_GELU,
                                        .frequencies = 4,
                                        .embedding = 16,
                                        .density = FG_DENSITY_WELLS};
  const objective_plan p = {.objective = FG_OBJECTIVE_LOG_VARIANCE,
                            .precision = FG_DOUBLE,
                            .n = 300,
                            .tile = 32,
                            .group = 300,
                            .limit = (double)INFINITY};
  (void)state;
  if (SLOW) skip();
  long launches = 0;
  shim_devices(1, PLENTY);
  shim_shared(0);
  objective_answer a = objective_run("cuda-on-cpu", 1, &shape, &p);
  for (size_t bytes = 6 << 20; launches <= 1; bytes -= bytes / 32) {
    shim_devices(1, bytes);
    launches = shim_calls("fg_objective_kernel");
    objective_answer b = objective_run("cuda-on-cpu", 1, &shape, &p);
    launches = shim_calls("fg_objective_kernel") - launches;
    objective_same_bits(&a, &b, "fewer blocks at once");
    objective_free(&b);
  }
  objective_free(&a);
  shim_shared(SHARED);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_buffers), cmocka_unit_test(test_kept),      cmocka_unit_test(test_churn),
      cmocka_unit_test(test_trimmed), cmocka_unit_test(test_uploads),   cmocka_unit_test(test_late_failures),
      cmocka_unit_test(test_waves),   cmocka_unit_test(test_gradients),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* needs: kernels cuda_on_cpu */
/* Losses at points of networks too wide for fused kernels on the CUDA engine, run on the CPU by the shim, against the engine
 * cpu: every loss with its gradient, guided controls, lost points, in one wave of tiles and in several, in other orders of
 * blocks and threads, and what fails. */
#include "support/shim_engines.h"

/* Sums in another order: of 1 or the largest entry, if that is more. Measured: below 1e-14 and 2e-6. */
static const double tolerance[2] = {2e-13, 5e-5};

static const field_case one_more = {
    .name = "potential, time an input", .network = 1, .d = 2, .layers = 3, .width = {129, 132, 135}};
static const field_case unlike = {.name = "potential, unlike widths",
                                  .network = 1,
                                  .d = 3,
                                  .activation = FG_TANH,
                                  .time = FG_TIME_LAST,
                                  .layers = 3,
                                  .width = {40, 200, 16}};
static const field_case embedded = {.name = "potential, embedded time",
                                    .network = 1,
                                    .d = 3,
                                    .activation = FG_SILU,
                                    .time = FG_TIME_EMBEDDED,
                                    .layers = 2,
                                    .width = {140, 140}};
static const field_case line = {.name = "one layer, waves",
                                .network = 1,
                                .d = 1,
                                .activation = FG_SINE,
                                .time = FG_TIME_FOURIER,
                                .layers = 1,
                                .width = {200}};
static const field_case noise = {.name = "vector, time an input",
                                 .network = 1,
                                 .d = 3,
                                 .form = FG_VECTOR,
                                 .activation = FG_GELU,
                                 .time = FG_TIME_LAST,
                                 .output = FG_OUTPUT_NOISE,
                                 .layers = 2,
                                 .width = {130, 133}};
static const field_case score = {.name = "vector, embedded time",
                                 .network = 1,
                                 .d = 2,
                                 .form = FG_VECTOR,
                                 .activation = FG_TANH,
                                 .time = FG_TIME_EMBEDDED,
                                 .layers = 2,
                                 .width = {150, 150}};
static const field_case wells = WELLS_FIELD("control of wells", 2, 130, 130);
static const field_case mixture = {.name = "control of a mixture",
                                   .network = 1,
                                   .d = 3,
                                   .components = 4,
                                   .activation = FG_SOFTPLUS,
                                   .time = FG_TIME_FOURIER,
                                   .layers = 2,
                                   .width = {129, 160},
                                   .guide = FG_DENSITY_MIXTURE};

typedef enum losing { LOSE_NONE, LOSE_SOME, LOSE_ALL } losing;

typedef struct loss_case {
  const field_case *field;
  fg_point_loss kind;
  int probes;
  size_t n, group;
  int value_alone; /* no gradient */
  losing lose;
} loss_case;

static const loss_case cases[] = {
    {&one_more, FG_LOSS_RESIDUAL, 0, 40, 1, 0, LOSE_NONE},
    {&one_more, FG_LOSS_CENTRED, 2, 40, 5, 0, LOSE_NONE},
    {&unlike, FG_LOSS_DENOISING, 0, 33, 3, 0, LOSE_NONE},
    {&unlike, FG_LOSS_RESIDUAL, 1, 7, 1, 0, LOSE_NONE},
    {&embedded, FG_LOSS_CENTRED, 0, 80, 40, 0, LOSE_NONE},
    {&embedded, FG_LOSS_DENOISING, 0, 21, 7, 0, LOSE_NONE},
    {&line, FG_LOSS_RESIDUAL, 0, 5, 1, 0, LOSE_NONE},
    {&line, FG_LOSS_RESIDUAL, 3, 36, 18, 1, LOSE_NONE},
    {&noise, FG_LOSS_SCORE_RESIDUAL, 0, 20, 1, 0, LOSE_NONE},
    {&noise, FG_LOSS_DENOISING, 0, 34, 2, 0, LOSE_NONE},
    {&score, FG_LOSS_DENOISING, 0, 24, 8, 1, LOSE_NONE},
    {&score, FG_LOSS_SCORE_RESIDUAL, 0, 34, 17, 0, LOSE_NONE},
    {&wells, FG_LOSS_CENTRED, 0, 48, 24, 0, LOSE_NONE},
    {&wells, FG_LOSS_RESIDUAL, 2, 20, 10, 0, LOSE_NONE},
    {&mixture, FG_LOSS_CENTRED, 1, 12, 4, 0, LOSE_NONE},
    {&mixture, FG_LOSS_RESIDUAL, 0, 32, 16, 0, LOSE_NONE},
};
enum { CASES = sizeof cases / sizeof *cases };

/* A whole tile of 16 without a value, and one of the next; of the points of a group those of a time without one. */
static const loss_case lost[] = {
    {&one_more, FG_LOSS_RESIDUAL, 0, 60, 1, 0, LOSE_SOME},
    {&noise, FG_LOSS_DENOISING, 0, 60, 1, 0, LOSE_SOME},
    {&noise, FG_LOSS_SCORE_RESIDUAL, 0, 60, 1, 0, LOSE_SOME},
    {&embedded, FG_LOSS_CENTRED, 1, 60, 20, 0, LOSE_SOME},
    {&wells, FG_LOSS_RESIDUAL, 0, 60, 20, 0, LOSE_SOME},
    {&unlike, FG_LOSS_CENTRED, 0, 40, 4, 0, LOSE_ALL},
};
enum { LOST = sizeof lost / sizeof *lost };

/* ---- a request ------------------------------------------------------------------------------------- */

typedef struct held_points {
  held_field field;
  fg_points_request r;
  guarded x, goal, weight, value, vector, gradient;
  fg_coeff *coeff;
} held_points;

static void points_open(held_points *h, fg_engine *e, const loss_case *c, fg_precision precision)
{
  memset(h, 0, sizeof *h);
  h->field = field_open(e, c->field);
  const size_t n = c->n, d = (size_t)c->field->d, groups = n / c->group;
  const size_t size = fg_network_pack_size(&h->field.field), real = precision == FG_SINGLE ? 4 : 8;
  double *x = draws(n * d, 1.5), *weight = draws(n, 0.5);
  for (size_t i = 0; i < n; i++) weight[i] += 1;
  for (size_t i = 0; i < n && c->lose != LOSE_NONE; i++)
    if (c->lose == LOSE_ALL || (i >= 16 && i < 33)) x[i * d] = (double)NAN;
  h->coeff = malloc(groups * sizeof *h->coeff);
  assert_non_null(h->coeff);
  for (size_t k = 0; k < groups; k++) h->coeff[k] = coeff_at(0.2 + 1.2 * (double)(k + 1) / (double)groups);
  if (c->lose == LOSE_SOME && c->group > 1) h->coeff[1].g2 = (double)NAN;
  h->x = guarded_open(e, n * d * 8, x);
  h->goal = guarded_draws(e, n * d, 1);
  h->weight = guarded_open(e, n * 8, weight);
  h->value = guarded_open(e, n * 8, NULL);
  h->vector = guarded_open(e, n * d * 8, NULL);
  h->gradient = guarded_open(e, size * real, NULL);
  free(x);
  free(weight);
  h->r = (fg_points_request){.precision = precision,
                             .kind = c->kind,
                             .n = n,
                             .group = c->group,
                             .coeff = h->coeff,
                             .x = h->x.inner,
                             .goal = h->goal.inner,
                             .weight = h->weight.inner,
                             .probes = c->probes,
                             .seed = 11,
                             .first = 3,
                             .stream = 40,
                             .scale = 64, /* numbers of the gradient are not small beside 1 */
                             .value = h->value.inner,
                             .vector = h->vector.inner};
  if (!c->value_alone) h->r.gradient = h->gradient.inner;
}

static fg_code points_call(held_points *h, fg_engine *e, fg_status *st)
{
  return e->ops->points(e, e->threads, &h->field.field, &h->r, st);
}

/* A piece, and which of its numbers are finite; the others count 0. */
static void take_finite(record *out, const char *name, fg_engine *e, guarded *g)
{
  double *values = record_room(out, name, g->inner.bytes / 8);
  double *finite = record_room(out, "finite", g->inner.bytes / 8);
  guarded_close(e, g, values);
  for (size_t i = 0; i < g->inner.bytes / 8; i++) {
    finite[i] = isfinite(values[i]);
    if (!isfinite(values[i])) values[i] = 0;
  }
}

static void take_gradient(record *out, fg_engine *e, guarded *g, fg_precision precision)
{
  const size_t count = g->inner.bytes / (precision == FG_SINGLE ? 4 : 8);
  double *values = record_room(out, "gradient", count);
  float *narrow = malloc(count * sizeof *narrow);
  assert_non_null(narrow);
  guarded_close(e, g, precision == FG_SINGLE ? (void *)narrow : (void *)values);
  for (size_t i = 0; i < count && precision == FG_SINGLE; i++) values[i] = (double)narrow[i];
  free(narrow);
}

/* What came out, into out; NULL: nothing is kept. The vector is the residual's E alone. */
static void points_close(held_points *h, fg_engine *e, record *out)
{
  if (out && h->r.kind == FG_LOSS_SCORE_RESIDUAL)
    take_finite(out, "vector", e, &h->vector);
  else
    guarded_close(e, &h->vector, NULL);
  if (out) {
    double *loss = record_room(out, "loss", 4);
    loss[0] = isfinite(h->r.loss) ? h->r.loss : -1;
    loss[1] = isfinite(h->r.loss_se) ? h->r.loss_se : -1;
    loss[2] = (double)h->r.lost;
    loss[3] = (double)h->r.lost_first;
    take_finite(out, "value", e, &h->value);
  } else {
    guarded_close(e, &h->value, NULL);
  }
  if (out && h->r.gradient.device)
    take_gradient(out, e, &h->gradient, h->r.precision);
  else
    guarded_close(e, &h->gradient, NULL);
  guarded_close(e, &h->x, NULL);
  guarded_close(e, &h->goal, NULL);
  guarded_close(e, &h->weight, NULL);
  field_close(e, &h->field);
  free(h->coeff);
}

/* twice: the gradient is added to that of a first call. */
static void run(fg_engine *e, const loss_case *c, fg_precision precision, int twice, record *out)
{
  held_points h;
  out->of = c->field->name;
  out->pieces = 0;
  points_open(&h, e, c, precision);
  for (int k = 0; k <= twice; k++) {
    h.r.accumulate = k;
    MUST(points_call(&h, e, ST));
  }
  points_close(&h, e, out);
}

static void compare(const loss_case *c, fg_precision precision, int twice)
{
  static record a, b;
  run(cpu, c, precision, twice, &b);
  run(shim, c, precision, twice, &a);
  record_compare(&a, &b, tolerance[precision]);
  record_free(&a);
  record_free(&b);
}

/* All tiles of a case are one wave; those of engines opened later up to 16. */
static void shim_open(void)
{
  shim_processors(100);
  MUST(fg_cuda_engine_open(1, &shim, ST));
  shim_processors(1);
}

static void test_losses(void **state)
{
  (void)state;
  for (size_t k = 0; k < CASES; k += 1 + SLOW)
    for (int precision = 0; precision < PRECISIONS; precision++)
      compare(&cases[k], (fg_precision)precision, k % 4 == 0);
}

static void test_lost(void **state)
{
  (void)state;
  for (size_t k = 0; k < LOST; k += 1 + 2 * SLOW) {
    static record out;
    run(cpu, &lost[k], FG_DOUBLE, 0, &out);
    const double *loss = out.values[lost[k].kind == FG_LOSS_SCORE_RESIDUAL ? 2 : 0];
    assert_true(lost[k].lose == LOSE_ALL ? loss[2] == (double)lost[k].n : loss[2] >= 17 && loss[2] < 30);
    record_free(&out);
    compare(&lost[k], (fg_precision)(k % PRECISIONS), 0);
  }
}

/* ---- memory, order, devices --------------------------------------------------------------------------- */

/* One call on a device of so many bytes; *graphs: how many were launched. */
static fg_code run_within(const loss_case *c, size_t bytes, record *out, long *graphs, fg_status *st)
{
  fg_engine *e = NULL;
  held_points h;
  shim_devices(1, bytes);
  MUST(fg_cuda_engine_open(1, &e, ST));
  points_open(&h, e, c, FG_DOUBLE);
  const long before = shim_calls("cudaGraphLaunch"), live = shim_live(),
             narrow = shim_calls("fg_points_kernel");
  refuse_begin();
  const fg_code rc = points_call(&h, e, st);
  refuse_end();
  assert_int_equal(shim_calls("fg_points_kernel"), narrow);
  assert_true(shim_live() <= live + 1); /* the workspace of cuBLAS stays */
  *graphs = shim_calls("cudaGraphLaunch") - before;
  out->of = c->field->name;
  out->pieces = 0;
  points_close(&h, e, rc == FG_OK ? out : NULL);
  fg_engine_close(&e);
  shim_devices(1, PLENTY);
  return rc;
}

/* On devices of ever fewer bytes a call does its work in smaller waves, the body of each launched as a graph, and at last
 * fails and gives all back. Each wave has points that are lost, or, of the residuals, none. */
static void test_waves(void **state)
{
  (void)state;
  static const loss_case some[] = {{&one_more, FG_LOSS_RESIDUAL, 0, 1024, 1, 0, LOSE_SOME},
                                   {&mixture, FG_LOSS_CENTRED, 1, 96, 16, 0, LOSE_NONE}};
  static record a, b;
  if (SLOW) skip();
  shim_devices(1, PLENTY); /* skips the rest on a GPU */
  fg_engine_close(&shim);  /* it has memory of the device too */
  for (size_t k = 0; k < sizeof some / sizeof *some; k++) {
    fg_status st = {0};
    long graphs = 0, most = 0, plenty = 0;
    fg_code rc = FG_OK;
    run(cpu, &some[k], FG_DOUBLE, 0, &b);
    MUST(run_within(&some[k], PLENTY, &a, &plenty, ST));
    record_compare(&a, &b, tolerance[FG_DOUBLE]);
    record_free(&a);
    for (size_t bytes = (size_t)41 << 20; rc == FG_OK; bytes -= 1 << 20) { /* 32 MiB of it are cuBLAS's */
      rc = run_within(&some[k], bytes, &a, &graphs, &st);
      if (rc == FG_OK) {
        record_compare(&a, &b, tolerance[FG_DOUBLE]);
        record_free(&a);
        most = graphs > most ? graphs : most;
      } else {
        assert_int_equal(rc, FG_MEMORY);
        assert_non_null(strstr(st.message, "are free: use fewer particles"));
      }
    }
    assert_true(plenty >= 6 + 6); /* six waves, forward and back */
    assert_true(k > 0 || most > 2 * plenty - 2);
    record_free(&b);
  }
  shim_open();
}

/* Each allocation in turn finds no memory: the numbers are the same, of smaller waves and fewer sums. */
static void test_refused(void **state)
{
  (void)state;
  static const loss_case some = {&line, FG_LOSS_RESIDUAL, 1, 4, 1, 0, LOSE_NONE};
  static record a, b;
  long graphs, most = shim_calls("cudaMalloc");
  fg_status st = {0};
  if (SLOW) skip();
  MUST(run_within(&some, PLENTY, &b, &graphs, ST));
  most = shim_calls("cudaMalloc") - most;
  assert_true(most > 15);
  for (refused = 0; refused < most; refused++) {
    if (run_within(&some, PLENTY, &a, &graphs, &st) != FG_OK)
      fail_msg("allocation %d: %s", refused, st.message);
    record_compare(&a, &b, tolerance[FG_DOUBLE]);
    record_free(&a);
  }
  refused = -1;
  record_free(&b);
}

static void run_single(const void *c, record *out)
{
  run(shim, c, FG_SINGLE, 0, out);
}

static void test_order(void **state)
{
  (void)state;
  static const size_t some[] = {1, 11, 12};
  if (SLOW) skip();
  for (size_t k = 0; k < sizeof some / sizeof *some; k++) same_in_any_order(run_single, &cases[some[k]], 3);
}

/* Waves are shared among devices: the same bits. A lost wave too, and what is left of a smaller one. */
static void test_devices(void **state)
{
  (void)state;
  static const loss_case some[] = {{&one_more, FG_LOSS_RESIDUAL, 0, 290, 1, 0, LOSE_SOME},
                                   {&wells, FG_LOSS_CENTRED, 0, 70, 14, 0, LOSE_NONE}};
  static record one, more;
  if (SLOW) skip();
  for (size_t k = 0; k < sizeof some / sizeof *some; k++) {
    for (int devices = 1; devices < 4; devices++) {
      fg_engine *e = NULL;
      begin_on(devices);
      MUST(fg_cuda_engine_open(2, &e, ST));
      run(e, &some[k], FG_DOUBLE, 1, devices == 1 ? &one : &more);
      fg_engine_close(&e);
      took_part(devices);
      shim_devices(1, PLENTY);
      if (devices == 1) continue;
      record_compare(&more, &one, 0);
      record_free(&more);
    }
    record_free(&one);
  }
}

/* ---- what fails ------------------------------------------------------------------------------------------ */

static fg_code points_again(void *what, fg_status *st)
{
  return points_call(what, shim, st);
}

/* What the first of the two bodies does is listed once, as long as it lies in the same places. */
static void test_remembered(void **state)
{
  (void)state;
  static const loss_case some = {&line, FG_LOSS_RESIDUAL, 1, 4, 1, 0, LOSE_NONE};
  held_points h;
  long kernels[4], before = shim_calls("fg_wide_points_kernel");
  points_open(&h, shim, &some, FG_DOUBLE);
  for (int k = 0; k < 4; k++) { /* the arena of memory comes to rest */
    h.r.seed++;
    MUST(points_call(&h, shim, ST));
    kernels[k] = shim_calls("fg_wide_points_kernel") - before;
    before += kernels[k];
  }
  assert_int_equal(kernels[3], kernels[0] - 1);
  points_close(&h, shim, NULL);
}

static void test_failures(void **state)
{
  (void)state;
  static const fault faults[] = {
      {"cublasSgemm", "cublasSgemm (", 7, 0, FG_FAILED},
      {"cublasSgemmStridedBatched", "cublasSgemmStridedBatched (", 7, 1, FG_FAILED},
      {"fg_wide_points_kernel", "did not launch", 700, 0, FG_FAILED},
      {"fg_wide_points_kernel", "did not launch", 700, 7, FG_FAILED},
      {"cudaMemcpyAsync", "cudaMemcpyAsync", 700, 4, FG_FAILED},
  };
  static const loss_case some = {&line, FG_LOSS_RESIDUAL, 1, 4, 1, 0, LOSE_NONE};
  held_points h;
  assert_true(shim_calls("cudaMalloc") > 0); /* skips the rest on a GPU */
  points_open(&h, shim, &some, FG_SINGLE);
  faults_are_told(faults, sizeof faults / sizeof *faults, points_again, &h);
  volatile sig_atomic_t cancel = 1;
  fg_progress progress = {.cancel = &cancel};
  h.r.progress = &progress;
  fg_status st = {0};
  assert_int_equal(points_call(&h, shim, &st), FG_INTERRUPTED);
  assert_non_null(strstr(st.message, "the losses at points were stopped"));
  points_close(&h, shim, NULL);
}

static int setup(void **state)
{
  (void)state;
  MUST(fg_engine_open("cpu", 1, &cpu, ST));
  shim_open();
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_losses),     cmocka_unit_test(test_lost),
                                     cmocka_unit_test(test_waves),      cmocka_unit_test(test_refused),
                                     cmocka_unit_test(test_order),      cmocka_unit_test(test_devices),
                                     cmocka_unit_test(test_remembered), cmocka_unit_test(test_failures)};
  return cmocka_run_group_tests(tests, setup, close_engines);
}
